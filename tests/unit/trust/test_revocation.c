/* SPDX-License-Identifier: Apache-2.0
 *
 * Revocation lists: who is on them, which ones speak for whom, and how old they may be.
 */
#include "trust_unit.h"
#include "x509/der_internal.h"

struct world {
    struct pki *root, *sub, *leaf, *other;
    struct mutual_trust *trust;
};

static struct world world_new(void)
{
    struct world world = {.root = pki_root("Root")};
    world.sub = pki_ca(world.root, "Issuing");
    world.leaf = pki_issue(world.sub, (struct pki_leaf){.cn = "web", .dns = "a.example.org"});
    world.other = pki_issue(world.sub, (struct pki_leaf){.dns = "b.example.org"});
    world.trust = mutual_trust_new("test");
    trust_add(world.trust, NODES(world.root), NODES(world.sub));
    return world;
}

static void add_list(struct world *world, struct mu_slice der)
{
    struct mutual_error err = {0};
    assert_ok(trust_add_table(world->trust, der, &err), &err);
}

static void freeze(struct world *world)
{
    struct mutual_error err = {0};
    assert_ok(mutual_trust_freeze(world->trust, &err), &err);
}

static bool leaf_passes(const struct world *world, int64_t now_s, struct mutual_error *err)
{
    MU_AUTO(chain) struct mutual_chain *chain = NULL;
    return validate_as(world->trust, NODES(world->leaf), MUTUAL_PURPOSE_CLIENT, now_s, &chain, err);
}

static void case_revoked_leaf(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct world world = world_new();
    add_list(&world, pki_crl(world.sub, world.leaf, NULL));
    freeze(&world);
    assert_fails(leaf_passes(&world, PKI_NOW_S, &err), &err, MUTUAL_E_CERT_REVOKED);
    assert_non_null(strstr(err.reason, "\"web\""));
    assert_ok(validates(world.trust, NODES(world.other), &err), &err);
    mutual_trust_unref(world.trust);
}

static void case_revoked_intermediate(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct world world = world_new();
    add_list(&world, pki_crl(world.root, world.sub, NULL));
    freeze(&world);
    assert_fails(leaf_passes(&world, PKI_NOW_S, &err), &err, MUTUAL_E_CERT_REVOKED);
    assert_non_null(strstr(err.reason, "\"Issuing\""));
    mutual_trust_unref(world.trust);

    struct world leaf_only = world_new();
    add_list(&leaf_only, pki_crl(leaf_only.root, leaf_only.sub, NULL));
    mutual_trust_set_revocation(leaf_only.trust, false, true, MUTUAL_CRL_STALE_REFUSE, 0);
    freeze(&leaf_only);
    assert_ok(leaf_passes(&leaf_only, PKI_NOW_S, &err), &err);
    mutual_trust_unref(leaf_only.trust);
}

static void case_missing(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct world world = world_new();
    mutual_trust_set_revocation(world.trust, true, false, MUTUAL_CRL_STALE_REFUSE, 0);
    add_list(&world, pki_crl(world.sub, NULL));
    struct world both = world_new();
    mutual_trust_set_revocation(both.trust, true, false, MUTUAL_CRL_STALE_REFUSE, 0);
    add_list(&both, pki_crl(both.sub, NULL));
    add_list(&both, pki_crl(both.root, NULL));
    freeze(&world);
    freeze(&both);
    assert_fails(leaf_passes(&world, PKI_NOW_S, &err), &err, MUTUAL_E_CRL_MISSING);
    assert_non_null(strstr(err.reason, "\"Issuing\""));
    assert_ok(leaf_passes(&both, PKI_NOW_S, &err), &err);
    mutual_trust_unref(world.trust);
    mutual_trust_unref(both.trust);
}

static void case_stale(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    static const struct {
        enum mutual_crl_stale mode;
        int64_t days; /* after the next update */
        bool good;
    } rows[] = {
        {MUTUAL_CRL_STALE_REFUSE, -1, true}, {MUTUAL_CRL_STALE_REFUSE, 0, false},
        {MUTUAL_CRL_STALE_REFUSE, 1, false}, {MUTUAL_CRL_STALE_GRACE, 1, true},
        {MUTUAL_CRL_STALE_GRACE, 2, false},  {MUTUAL_CRL_STALE_ACCEPT, 50, true},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct world world = world_new();
        mutual_trust_set_revocation(world.trust, false, false, rows[i].mode, 2 * PKI_DAY_S);
        int64_t next_s = PKI_NOW_S + 7 * PKI_DAY_S;
        add_list(&world,
                 pki_crl_at(world.sub, PKI_NOW_S - PKI_DAY_S, next_s, 1, NODES(world.other), 1));
        freeze(&world);
        int64_t now_s = next_s + rows[i].days * PKI_DAY_S;
        if (rows[i].good) {
            assert_ok(leaf_passes(&world, now_s, &err), &err);
        } else {
            assert_fails(leaf_passes(&world, now_s, &err), &err, MUTUAL_E_CRL_STALE);
        }
        mutual_trust_unref(world.trust);
    }
}

/* Whoever was revoked stays so when the list grows old; a list of the future is none yet. */
static void case_stale_but_listed(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct world world = world_new();
    add_list(&world, pki_crl(world.sub, world.leaf, NULL));
    freeze(&world);
    assert_fails(leaf_passes(&world, PKI_NOW_S + 30 * PKI_DAY_S, &err), &err,
                 MUTUAL_E_CERT_REVOKED);
    mutual_trust_unref(world.trust);

    struct world early = world_new();
    add_list(&early, pki_crl_at(early.sub, PKI_NOW_S + PKI_DAY_S, PKI_NOW_S + 2 * PKI_DAY_S, 1,
                                NODES(early.other), 1));
    freeze(&early);
    assert_fails(leaf_passes(&early, PKI_NOW_S, &err), &err, MUTUAL_E_CRL_STALE);
    mutual_trust_unref(early.trust);
}

/* The list with the higher number wins, in whatever order they come. */
static void case_newest(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    for (unsigned turn = 0; turn < 2; turn++) {
        struct world world = world_new();
        struct mu_slice lists[2];
        int64_t next_s = PKI_NOW_S + PKI_DAY_S;
        lists[turn] = pki_crl_at(world.sub, PKI_NOW_S, next_s, 255, NODES(world.other), 1);
        lists[1 - turn] = pki_crl_at(world.sub, PKI_NOW_S, next_s, 256, NODES(world.leaf), 1);
        add_list(&world, lists[0]);
        add_list(&world, lists[1]);
        freeze(&world);
        assert_fails(leaf_passes(&world, PKI_NOW_S, &err), &err, MUTUAL_E_CERT_REVOKED);
        assert_ok(validates(world.trust, NODES(world.other), &err), &err);
        mutual_trust_unref(world.trust);
    }
}

/* Another authority of the same name revokes (better refuse one too many) but clears nobody. */
static void case_same_name(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct world world = world_new();
    struct pki *elsewhere = pki_root("Elsewhere");
    struct pki *twin = pki_ca(elsewhere, "Issuing");
    trust_add(world.trust, NODES(world.root), NODES(twin, elsewhere));
    mutual_trust_set_revocation(world.trust, true, true, MUTUAL_CRL_STALE_REFUSE, 0);
    add_list(&world, pki_crl(twin, world.leaf, NULL));
    add_list(&world, pki_crl(world.root, world.other, NULL)); /* other name: says nothing */
    freeze(&world);
    assert_fails(leaf_passes(&world, PKI_NOW_S, &err), &err, MUTUAL_E_CERT_REVOKED);
    assert_fails(validates(world.trust, NODES(world.other), &err), &err, MUTUAL_E_CRL_MISSING);
    mutual_trust_unref(world.trust);
}

/* An authority that changed its key signs one list for both. */
static void case_new_key(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct world world = world_new();
    struct pki *renewed = pki_ca(world.root, "Issuing");
    trust_add(world.trust, NODES(world.root), NODES(renewed));
    mutual_trust_set_revocation(world.trust, true, true, MUTUAL_CRL_STALE_REFUSE, 0);
    add_list(&world, pki_crl(renewed, world.other, NULL));
    freeze(&world);
    assert_ok(leaf_passes(&world, PKI_NOW_S, &err), &err);
    assert_fails(validates(world.trust, NODES(world.other), &err), &err, MUTUAL_E_CERT_REVOKED);
    mutual_trust_unref(world.trust);
}

static bool add_template(struct world *world, struct mu_crl_template *t, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, 1u << 20);
    t->issuer = world->sub->cert;
    t->this_update_s = PKI_NOW_S - 1;
    t->next_update_s = PKI_NOW_S + PKI_DAY_S;
    t->number = 7;
    assert_ok(mu_crl_sign(t, world->sub->key, &der, err), err);
    return trust_add_table(world->trust, mu_buf_slice(&der), err);
}

static void case_kinds(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct world world = world_new();
    /* A list of authorities only does not cover a leaf; one part of a list covers nobody, but
     * revokes whom it names. */
    mutual_trust_set_revocation(world.trust, true, true, MUTUAL_CRL_STALE_REFUSE, 0);
    struct mu_crl_idp only_ca = {.only_ca = true};
    struct mu_crl_template t = {.idp = &only_ca};
    err = (struct mutual_error){0};
    assert_ok(add_template(&world, &t, &err), &err);
    const char *const uris[] = {"http://crl.example.org/1.crl", NULL};
    struct mu_crl_idp part = {.uris = uris};
    struct mu_revoked entry = {.serial = mu_cert_facts(world.leaf->cert)->serial,
                               .time_s = PKI_NOW_S - 5,
                               .reason = MU_REASON_KEY_COMPROMISE};
    t = (struct mu_crl_template){.idp = &part, .entries = &entry, .count = 1};
    assert_ok(add_template(&world, &t, &err), &err);
    freeze(&world);
    assert_fails(validates(world.trust, NODES(world.other), &err), &err, MUTUAL_E_CRL_MISSING);
    assert_fails(leaf_passes(&world, PKI_NOW_S, &err), &err, MUTUAL_E_CERT_REVOKED);
    assert_non_null(strstr(err.reason, "keyCompromise"));
    mutual_trust_unref(world.trust);
}

/* ---- partitions, reasons, lists of others -----------------------------------------------------
 */

#define POINT_A "http://crl.example.org/a.crl"
#define POINT_B "http://crl.example.org/b.crl"
#define SOME    0x42u /* keyCompromise, certificateHold */

/* A leaf whose one distribution point has this address, these reasons and this cRLIssuer. */
static struct pki *leaf_at(struct pki *issuer, const char *uri, unsigned reasons,
                           const struct pki *signer)
{
    MU_AUTO(buf) struct mu_buf value;
    mu_buf_init(&value, 4096);
    size_t list = mu_der_begin(&value, DER_SEQUENCE);
    size_t point = mu_der_begin(&value, DER_SEQUENCE);
    if (uri != NULL) {
        size_t name = mu_der_begin(&value, DER_CONSTRUCTED(0));
        size_t full = mu_der_begin(&value, DER_CONSTRUCTED(0));
        mu_der_put(&value, DER_CONTEXT(6), mu_slice_text(uri));
        mu_der_end(&value, full);
        mu_der_end(&value, name);
    }
    if (reasons != 0) {
        mu_der_put_named_bits(&value, DER_CONTEXT(1), reasons);
    }
    if (signer != NULL) {
        size_t names = mu_der_begin(&value, DER_CONSTRUCTED(2));
        mu_der_put(&value, DER_CONSTRUCTED(4), mu_cert_facts(signer->cert)->subject);
        mu_der_end(&value, names);
    }
    mu_der_end(&value, point);
    mu_der_end(&value, list);
    struct mu_raw_extension extra = {.oid = "2.5.29.31", .value = mu_buf_slice(&value)};
    struct mu_cert_template t = {.extra = &extra, .extra_count = 1};
    return pki_issue(issuer, (struct pki_leaf){.dns = "a.example.org", .t = &t});
}

struct part {
    const char *uri; /* of the list; NULL: it names no point */
    unsigned reasons;
};

static void add_part(struct world *world, struct part part)
{
    struct mutual_error err = {0};
    const char *const uris[] = {part.uri, NULL};
    struct mu_crl_idp idp = {
        .uris = uris, .some_reasons = part.reasons != 0, .reasons = part.reasons};
    struct mu_crl_template t = {.idp = &idp};
    assert_ok(add_template(world, &t, &err), &err);
}

static void case_partitions(void **state)
{
    (void)state;
    static const struct {
        const char *uri;  /* of the certificate; NULL: it names none */
        unsigned reasons; /* of it */
        struct part parts[2];
        bool good;
    } rows[] = {
        {POINT_A, 0, {{POINT_A, 0}}, true},
        {POINT_A, 0, {{POINT_B, 0}}, false},
        {POINT_A, 0, {{POINT_B, 0}, {POINT_A, 0}}, true},
        {NULL, 0, {{POINT_A, 0}}, false},
        {POINT_A, SOME, {{POINT_A, 0}}, false}, /* the point is for some reasons only */
        {POINT_A, 0, {{POINT_A, SOME}}, false},
        {POINT_A, 0, {{NULL, SOME}}, false},
        {POINT_A, 0, {{NULL, SOME}, {NULL, MU_REASONS_ALL & ~SOME}}, true},
        {POINT_A, 0, {{NULL, SOME}, {POINT_A, MU_REASONS_ALL & ~SOME}}, true},
        {POINT_A, 0, {{NULL, SOME}, {POINT_B, MU_REASONS_ALL & ~SOME}}, false},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct mutual_error err = {0};
        struct world world = world_new();
        mutual_trust_set_revocation(world.trust, true, true, MUTUAL_CRL_STALE_REFUSE, 0);
        for (size_t k = 0; k < 2; k++) {
            if (rows[i].parts[k].uri != NULL || rows[i].parts[k].reasons != 0) {
                add_part(&world, rows[i].parts[k]);
            }
        }
        freeze(&world);
        struct pki *leaf = rows[i].uri == NULL
                               ? world.leaf
                               : leaf_at(world.sub, rows[i].uri, rows[i].reasons, NULL);
        if (rows[i].good) {
            assert_ok(validates(world.trust, NODES(leaf), &err), &err);
        } else {
            assert_fails(validates(world.trust, NODES(leaf), &err), &err, MUTUAL_E_CRL_MISSING);
        }
        mutual_trust_unref(world.trust);
    }
}

/* A list by `signer` that speaks for the issuer of `listed` too. */
static struct mu_slice indirect_list(struct world *world, const struct pki *signer,
                                     const struct pki *listed, struct mu_buf *der)
{
    struct mutual_error err = {0};
    struct mu_crl_idp idp = {.indirect = true};
    struct mu_revoked entries[] = {
        {.serial = mu_cert_facts(world->other->cert)->serial, .time_s = PKI_NOW_S - 9},
        {.serial = mu_cert_facts(listed->cert)->serial,
         .time_s = PKI_NOW_S - 9,
         .issuer = world->sub->cert},
    };
    struct mu_crl_template t = {.issuer = signer->cert,
                                .this_update_s = PKI_NOW_S - 1,
                                .next_update_s = PKI_NOW_S + PKI_DAY_S,
                                .number = 1,
                                .idp = &idp,
                                .entries = entries,
                                .count = 2};
    mu_buf_init(der, 1u << 16);
    assert_ok(mu_crl_sign(&t, signer->key, der, &err), &err);
    return mu_buf_slice(der);
}

static void case_indirect(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct world world = world_new();
    struct pki *elsewhere = pki_root("Elsewhere"); /* vouched for by nobody */
    struct pki *strange = pki_ca(elsewhere, "Strange lists");
    struct pki *lists = pki_ca(world.root, "Lists");
    struct pki *good = leaf_at(world.sub, NULL, 0, lists);
    struct pki *bad = leaf_at(world.sub, POINT_A, 0, lists);
    struct pki *misled = leaf_at(world.sub, NULL, 0, strange);
    MU_AUTO(buf) struct mu_buf one;
    MU_AUTO(buf) struct mu_buf two;
    trust_add(world.trust, NODES(world.root), NODES(lists, strange));
    mutual_trust_set_revocation(world.trust, true, true, MUTUAL_CRL_STALE_REFUSE, 0);
    add_list(&world, indirect_list(&world, lists, bad, &one));
    add_list(&world, indirect_list(&world, strange, misled, &two));
    freeze(&world);
    assert_ok(validates(world.trust, NODES(good), &err), &err);
    assert_fails(validates(world.trust, NODES(bad), &err), &err, MUTUAL_E_CERT_REVOKED);
    /* A signer that no anchor leads to neither clears nor revokes. */
    assert_fails(validates(world.trust, NODES(misled), &err), &err, MUTUAL_E_CRL_MISSING);
    /* Who did not give his lists into other hands is not judged by them, though the serial number
     * is there, for the list's own issuer. */
    assert_fails(validates(world.trust, NODES(world.other), &err), &err, MUTUAL_E_CRL_MISSING);
    mutual_trust_unref(world.trust);
}

/* What a session ticket keeps is enough to judge by partitions again. */
static void case_again(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct world world = world_new();
    struct world other = world;
    other.trust = mutual_trust_new("other");
    trust_add(other.trust, NODES(world.root), NODES(world.sub));
    struct pki *leaf = leaf_at(world.sub, POINT_A, 0, NULL);
    MU_AUTO(chain) struct mutual_chain *chain = NULL;
    MU_AUTO(chain) struct mutual_chain *again = NULL;
    MU_AUTO(buf) struct mu_buf bytes;
    mu_buf_init(&bytes, 4096);
    mutual_trust_set_revocation(world.trust, true, true, MUTUAL_CRL_STALE_REFUSE, 0);
    mutual_trust_set_revocation(other.trust, true, true, MUTUAL_CRL_STALE_REFUSE, 0);
    add_part(&world, (struct part){POINT_A, 0});
    add_part(&other, (struct part){POINT_B, 0});
    freeze(&world);
    freeze(&other);
    assert_ok(validate_as(world.trust, NODES(leaf), MUTUAL_PURPOSE_CLIENT, PKI_NOW_S, &chain, &err),
              &err);
    assert_ok(mu_chain_serialise(chain, &bytes, &err), &err);
    assert_ok(mu_chain_parse(mu_buf_slice(&bytes), &again, &err), &err);
    int64_t until_s = 0;
    assert_ok(mu_trust_recheck(world.trust, again, PKI_NOW_S, &until_s, &err), &err);
    assert_int_equal(until_s, PKI_NOW_S + PKI_DAY_S);
    assert_fails(mu_trust_recheck(other.trust, again, PKI_NOW_S, NULL, &err), &err,
                 MUTUAL_E_CRL_MISSING);
    mutual_trust_unref(world.trust);
    mutual_trust_unref(other.trust);
}

UNIT_MAIN(UNIT_CASE(case_revoked_leaf), UNIT_CASE(case_revoked_intermediate),
          UNIT_CASE(case_missing), UNIT_CASE(case_stale), UNIT_CASE(case_stale_but_listed),
          UNIT_CASE(case_newest), UNIT_CASE(case_same_name), UNIT_CASE(case_new_key),
          UNIT_CASE(case_kinds), UNIT_CASE(case_partitions), UNIT_CASE(case_indirect),
          UNIT_CASE(case_again))
