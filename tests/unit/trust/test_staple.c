/* SPDX-License-Identifier: Apache-2.0
 *
 * Stapled responses: whose are believed, and what they decide as time goes on.
 */
#include "trust_unit.h"

struct world {
    struct pki *root, *sub, *leaf;
    struct mutual_trust *trust;
    struct mutual_chain *chain;
};

static struct mutual_error err;

/* `lists` of the issuing authority's in DER, or empty. */
static struct world world_of(bool must_staple, enum mutual_staple_mode mode, struct pki *root,
                             struct pki *sub, struct mu_slice lists)
{
    struct mu_cert_template t = {.must_staple = must_staple};
    struct world world = {.root = root, .sub = sub};
    world.leaf = pki_issue(world.sub, (struct pki_leaf){.dns = "a.example.org", .t = &t});
    world.trust = mutual_trust_new("test");
    trust_add(world.trust, NODES(world.root), NODES(world.sub));
    mutual_trust_set_staples(world.trust, mode);
    if (lists.len > 0) {
        assert_ok(mutual_trust_add_crl(world.trust, (const char *)lists.data, lists.len, &err),
                  &err);
    }
    assert_ok(mutual_trust_freeze(world.trust, &err), &err);
    assert_ok(validate_as(world.trust, NODES(world.leaf), MUTUAL_PURPOSE_SERVER, PKI_NOW_S,
                          &world.chain, &err),
              &err);
    return world;
}

static struct world world_new(bool must_staple, enum mutual_staple_mode mode)
{
    struct pki *root = pki_root("Root");
    return world_of(must_staple, mode, root, pki_ca(root, "Issuing"), mu_slice_of(NULL, 0));
}

static void world_done(struct world *world)
{
    mutual_chain_unref(world->chain);
    mutual_trust_unref(world->trust);
}

static bool read_it(const struct world *world, struct mu_slice response,
                    struct mutual_staple *ret_staple)
{
    struct x509_st *certs[] = {mu_cert_x509(world->leaf->cert)};
    memset(&err, 0, sizeof err);
    return mu_trust_read_staple(world->trust, world->chain, certs, 1, response, PKI_NOW_S,
                                ret_staple, &err);
}

/* The code of the answer at `now_s` about what was read at PKI_NOW_S. */
static enum mutual_code judged(const struct world *world, const struct mutual_staple *staple,
                               int64_t now_s, int64_t *ret_until_s)
{
    int64_t until_s = MU_TIME_NEVER_S;
    memset(&err, 0, sizeof err);
    bool good =
        mu_trust_check_staple(world->trust, world->chain, staple, PKI_NOW_S, now_s, &until_s, &err);
    if (ret_until_s != NULL) {
        *ret_until_s = until_s;
    }
    return good ? MUTUAL_OK : err.code;
}

static void a_good_one(void **state)
{
    (void)state;
    struct mutual_staple staple;
    int64_t until_s = 0;
    const int64_t end_s = PKI_NOW_S + 7 * PKI_DAY_S;
    for (int demanded = 0; demanded < 2; demanded++) {
        struct world world = world_new(demanded == 1, MUTUAL_STAPLE_PREFER);
        assert_ok(read_it(&world, pki_ocsp(world.leaf, (struct pki_answer){0}), &staple), &err);
        assert_int_equal(staple.status, MUTUAL_STAPLE_GOOD);
        assert_int_equal(judged(&world, &staple, PKI_NOW_S, &until_s), MUTUAL_OK);
        assert_int_equal(until_s, demanded == 1 ? end_s : MU_TIME_NEVER_S);
        /* Past its end it clears nobody any more. */
        assert_int_equal(judged(&world, &staple, end_s, NULL),
                         demanded == 1 ? MUTUAL_E_OCSP_MISSING : MUTUAL_OK);
        world_done(&world);
    }
}

static void by_a_delegate(void **state)
{
    (void)state;
    struct mutual_staple staple;
    struct world world = world_new(true, MUTUAL_STAPLE_PREFER);
    struct pki_answer answer = {.responder = pki_responder(world.sub, "responder")};
    assert_ok(read_it(&world, pki_ocsp(world.leaf, answer), &staple), &err);
    assert_int_equal(judged(&world, &staple, PKI_NOW_S, NULL), MUTUAL_OK);
    answer.responder = pki_responder(world.root, "responder"); /* of the issuer's issuer */
    assert_fails(read_it(&world, pki_ocsp(world.leaf, answer), &staple), &err,
                 MUTUAL_E_OCSP_SIGNER);
    world_done(&world);
}

/* A delegate on a list is believed in no case; one that no list clears, only with "no check". */
static void a_delegate_that_was_revoked(void **state)
{
    (void)state;
    struct mutual_staple staple;
    struct mu_raw_extension nocheck = {.oid = "1.3.6.1.5.5.7.48.1.5",
                                       .value = MU_SLICE_LIT("\x05\x00")};
    struct mu_cert_template t = {.eku = MU_EKU_OCSP, .extra = &nocheck, .extra_count = 1};
    struct pki *root = pki_root("Root");
    struct pki *sub = pki_ca(root, "Issuing");
    struct pki *responder = pki_responder(sub, "responder");
    struct pki *trusting = pki_issue(sub, (struct pki_leaf){.cn = "trusting", .t = &t});
    struct pki *revoked[] = {responder, trusting};
    for (size_t i = 0; i < MU_COUNT(revoked); i++) {
        struct world world =
            world_of(true, MUTUAL_STAPLE_PREFER, root, sub, pki_crl(sub, revoked[i], NULL));
        struct pki_answer answer = {.responder = revoked[i]};
        assert_fails(read_it(&world, pki_ocsp(world.leaf, answer), &staple), &err,
                     MUTUAL_E_CERT_REVOKED);
        answer.responder = revoked[1 - i];
        assert_ok(read_it(&world, pki_ocsp(world.leaf, answer), &staple), &err);
        world_done(&world);
    }
    /* The list is old: it clears nobody. The leaf's chain is of a time when it was not. */
    struct world world =
        world_of(true, MUTUAL_STAPLE_PREFER, root, sub,
                 pki_crl_at(sub, PKI_NOW_S - PKI_DAY_S, PKI_NOW_S + PKI_DAY_S, 1, NULL, 0));
    struct x509_st *certs[] = {mu_cert_x509(world.leaf->cert)};
    struct pki_answer answer = {.responder = responder};
    const int64_t later_s = PKI_NOW_S + 2 * PKI_DAY_S;
    assert_fails(mu_trust_read_staple(world.trust, world.chain, certs, 1,
                                      pki_ocsp(world.leaf, answer), later_s, &staple, &err),
                 &err, MUTUAL_E_CRL_STALE);
    answer.responder = trusting;
    assert_ok(mu_trust_read_staple(world.trust, world.chain, certs, 1, pki_ocsp(world.leaf, answer),
                                   later_s, &staple, &err),
              &err);
    world_done(&world);
}

static void what_is_refused_when_it_is_read(void **state)
{
    (void)state;
    struct mutual_staple staple;
    struct world world = world_new(false, MUTUAL_STAPLE_PREFER);
    struct pki *other = pki_issue(world.sub, (struct pki_leaf){.cn = "other"});
    struct pki *twin = pki_ca(world.root, "Issuing"); /* of the issuer's name */
    static uint8_t huge[1u << 20];
    struct mu_slice whole = pki_ocsp(world.leaf, (struct pki_answer){0});
    const struct {
        struct mu_slice response;
        enum mutual_code code;
    } rows[] = {
        {mu_slice_of("", 0), MUTUAL_E_OCSP_MALFORMED},
        {mu_slice_of(whole.data, whole.len - 1), MUTUAL_E_OCSP_MALFORMED},
        {mu_slice_of(huge, sizeof huge), MUTUAL_E_OCSP_MALFORMED},
        {pki_ocsp(other, (struct pki_answer){0}), MUTUAL_E_OCSP_OTHER_CERT},
        {pki_ocsp(world.leaf, (struct pki_answer){.issuer = twin}), MUTUAL_E_OCSP_OTHER_CERT},
        {pki_ocsp(world.leaf, (struct pki_answer){.responder = twin}), MUTUAL_E_OCSP_SIGNER},
        {pki_ocsp(world.leaf, (struct pki_answer){.responder = other}), MUTUAL_E_OCSP_SIGNER},
        {pki_ocsp(world.leaf, (struct pki_answer){.produced_s = PKI_NOW_S + PKI_DAY_S}),
         MUTUAL_E_OCSP_STALE},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        assert_fails(read_it(&world, rows[i].response, &staple), &err, rows[i].code);
        assert_int_equal(staple.status, MUTUAL_STAPLE_NONE);
    }
    world_done(&world);
}

static void what_is_refused_when_it_is_judged(void **state)
{
    (void)state;
    struct mutual_staple staple;
    struct pki_answer revoked = {.status = MU_OCSP_REVOKED};
    const struct {
        struct pki_answer answer;
        enum mutual_code code;
    } rows[] = {
        {{.status = MU_OCSP_REVOKED}, MUTUAL_E_CERT_REVOKED},
        {{.status = MU_OCSP_REVOKED, .this_s = PKI_NOW_S - 9, .next_s = PKI_NOW_S - 1},
         MUTUAL_E_CERT_REVOKED}, /* however old */
        {{.more = &revoked}, MUTUAL_E_CERT_REVOKED},
        {{.status = MU_OCSP_UNKNOWN}, MUTUAL_E_OCSP_UNKNOWN},
        {{.this_s = PKI_NOW_S - 9, .next_s = PKI_NOW_S}, MUTUAL_E_OCSP_STALE},
        {{.this_s = PKI_NOW_S + 900, .next_s = PKI_NOW_S + 1800, .produced_s = PKI_NOW_S},
         MUTUAL_E_OCSP_STALE},
        {{.next_s = MU_TIME_NEVER_S}, MUTUAL_E_OCSP_STALE},
    };
    for (size_t i = 0; i < 2 * MU_COUNT(rows); i++) {
        struct world world = world_new(i % 2 == 1, MUTUAL_STAPLE_PREFER);
        assert_ok(read_it(&world, pki_ocsp(world.leaf, rows[i / 2].answer), &staple), &err);
        assert_int_equal(judged(&world, &staple, PKI_NOW_S, NULL), rows[i / 2].code);
        world_done(&world);
    }
}

/* Modes, and what the certificate itself demands whatever the mode. */
static void none_at_all(void **state)
{
    (void)state;
    static const struct {
        bool must_staple;
        enum mutual_staple_mode mode;
        enum mutual_code none, no_answer, revoked;
    } rows[] = {
        {false, MUTUAL_STAPLE_PREFER, MUTUAL_OK, MUTUAL_OK, MUTUAL_E_CERT_REVOKED},
        {false, MUTUAL_STAPLE_IGNORE, MUTUAL_OK, MUTUAL_OK, MUTUAL_OK},
        {false, MUTUAL_STAPLE_REQUIRE, MUTUAL_E_OCSP_MISSING, MUTUAL_E_OCSP_UNSUCCESSFUL,
         MUTUAL_E_CERT_REVOKED},
        {true, MUTUAL_STAPLE_PREFER, MUTUAL_E_OCSP_MISSING, MUTUAL_E_OCSP_UNSUCCESSFUL,
         MUTUAL_E_CERT_REVOKED},
        {true, MUTUAL_STAPLE_IGNORE, MUTUAL_E_OCSP_MISSING, MUTUAL_E_OCSP_UNSUCCESSFUL,
         MUTUAL_E_CERT_REVOKED},
    };
    MU_AUTO(buf) struct mu_buf later;
    mu_buf_init(&later, 64);
    assert_true(mu_ocsp_build_failure(MU_OCSP_TRY_LATER, &later));
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct mutual_staple staple = {.status = MUTUAL_STAPLE_NONE};
        struct world world = world_new(rows[i].must_staple, rows[i].mode);
        assert_int_equal(judged(&world, &staple, PKI_NOW_S, NULL), rows[i].none);
        assert_ok(read_it(&world, mu_buf_slice(&later), &staple), &err);
        assert_int_equal(judged(&world, &staple, PKI_NOW_S, NULL), rows[i].no_answer);
        struct pki_answer revoked = {.status = MU_OCSP_REVOKED};
        assert_ok(read_it(&world, pki_ocsp(world.leaf, revoked), &staple), &err);
        assert_int_equal(judged(&world, &staple, PKI_NOW_S, NULL), rows[i].revoked);
        world_done(&world);
    }
}

/* The staple of one chain is nothing to another. */
static void facts_of_another_chain(void **state)
{
    (void)state;
    struct mutual_staple staple;
    struct world world = world_new(true, MUTUAL_STAPLE_PREFER);
    struct world other = world_new(true, MUTUAL_STAPLE_PREFER);
    assert_ok(read_it(&other, pki_ocsp(other.leaf, (struct pki_answer){0}), &staple), &err);
    assert_int_equal(judged(&other, &staple, PKI_NOW_S, NULL), MUTUAL_OK);
    assert_int_equal(judged(&world, &staple, PKI_NOW_S, NULL), MUTUAL_E_OCSP_MISSING);
    world_done(&world);
    world_done(&other);
}

/* RFC 7633 section 4.2.2: an authority that demands it demands it of all below. */
static void an_authority_that_demands_it(void **state)
{
    (void)state;
    struct mu_rdn cn = {MU_ATTR_CN, "Strict"};
    struct mu_cert_template ca = {.subject = &cn,
                                  .subject_count = 1,
                                  .ca = true,
                                  .key_usage = MU_KU_KEY_CERT_SIGN,
                                  .must_staple = true};
    struct mu_cert_template t = {.must_staple = true};
    struct pki *root = pki_root("Root");
    struct pki *strict = pki_make(root, &ca, MU_SPEC_EC_P256);
    struct pki *with = pki_issue(strict, (struct pki_leaf){.dns = "a.example.org", .t = &t});
    struct pki *without = pki_issue(strict, (struct pki_leaf){.dns = "a.example.org"});
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(root), NULL);
    assert_ok(validates(trust, NODES(with, strict), &err), &err);
    assert_fails(validates(trust, NODES(without, strict), &err), &err, MUTUAL_E_TLS_FEATURE);
}

static void words(void **state)
{
    (void)state;
    assert_string_equal(mutual_staple_word(MUTUAL_STAPLE_NONE), "none");
    assert_string_equal(mutual_staple_word(MUTUAL_STAPLE_NO_ANSWER), "no-answer");
    assert_string_equal(mutual_staple_word(MUTUAL_STAPLE_REVOKED), "revoked");
    assert_string_equal(mutual_staple_word((enum mutual_staple_status)99), "none");
}

UNIT_MAIN(cmocka_unit_test(a_good_one), cmocka_unit_test(by_a_delegate),
          cmocka_unit_test(a_delegate_that_was_revoked),
          cmocka_unit_test(what_is_refused_when_it_is_read),
          cmocka_unit_test(what_is_refused_when_it_is_judged), cmocka_unit_test(none_at_all),
          cmocka_unit_test(facts_of_another_chain), cmocka_unit_test(an_authority_that_demands_it),
          cmocka_unit_test(words))
