/* SPDX-License-Identifier: Apache-2.0
 *
 * Chains that were validated before: the table never answers otherwise than validating anew would,
 * holds no refusal, and whoever has one certificate cannot push out those of others.
 */
#include "trust_unit.h"

#include <openssl/x509.h>

#include "trust/trust_internal.h"

/* What a peer sent, by which bundle, in which role: as the session asks. */
struct asked {
    const struct mutual_trust *trust;
    struct pki *const *sent;
    enum mutual_purpose purpose;
    int64_t now_s;
};

static void key_of(const struct asked *asked, uint8_t ret_key[32])
{
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf all;
    mu_buf_init(&all, 1u << 20);
    for (size_t i = 0; asked->sent[i] != NULL; i++) {
        struct mu_slice der = pki_der(asked->sent[i]);
        uint8_t len[4];
        mu_put_be32(len, (uint32_t)der.len);
        (void)mu_buf_append(&all, len, sizeof len);
        (void)mu_buf_append(&all, der.data, der.len);
    }
    assert_ok(mu_known_key(asked->trust, asked->purpose, mu_buf_slice(&all), ret_key, &err), &err);
}

static bool anew(const struct asked *asked, struct mutual_chain **ret_chain)
{
    struct mutual_error err = {0};
    return validate_as(asked->trust, asked->sent, asked->purpose, asked->now_s, ret_chain, &err);
}

/* Of certificates that OpenSSL has parsed, as the session validates them. */
static bool validate_parsed(struct mu_known *known, const struct mutual_trust *trust,
                            const struct mu_slice *ders, enum mutual_purpose purpose, int64_t now_s,
                            struct mutual_chain **ret_chain, struct mutual_error *err)
{
    X509 *certs[4];
    size_t count = 0;
    for (; count < MU_COUNT(certs) && ders[count].data != NULL; count++) {
        const unsigned char *at = ders[count].data;
        certs[count] = d2i_X509(NULL, &at, (long)ders[count].len);
        assert_non_null(certs[count]);
    }
    bool good = mu_trust_validate_x509(trust, certs, count, purpose, now_s, known, ret_chain, err);
    while (count > 0) {
        X509_free(certs[--count]);
    }
    return good;
}

static bool anew_by(struct mu_known *known, const struct asked *asked,
                    struct mutual_chain **ret_chain)
{
    struct mutual_error err = {0};
    X509 *certs[4];
    size_t count = 0;
    for (; asked->sent[count] != NULL; count++) {
        certs[count] = mu_cert_x509(asked->sent[count]->cert);
    }
    return mu_trust_validate_x509(asked->trust, certs, count, asked->purpose, asked->now_s, known,
                                  ret_chain, &err);
}

/* With the table: as the session does it. *ret_hit: it was in the table. */
static bool with(struct mu_known *known, const struct asked *asked, struct mutual_chain **ret_chain,
                 bool *ret_hit)
{
    uint8_t key[32];
    key_of(asked, key);
    *ret_chain = mu_known_find(known, key, asked->trust, asked->now_s);
    *ret_hit = *ret_chain != NULL;
    if (*ret_hit) {
        return true;
    }
    bool good = anew_by(known, asked, ret_chain);
    if (good) {
        mu_known_put(known, key, *ret_chain);
    }
    return good;
}

static bool hits(struct mu_known *known, struct asked asked)
{
    MU_AUTO(chain) struct mutual_chain *chain = NULL;
    bool hit = false;
    (void)with(known, &asked, &chain, &hit);
    return hit;
}

static void assert_same_chain(const struct mutual_chain *a, const struct mutual_chain *b)
{
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf x;
    MU_AUTO(buf) struct mu_buf y;
    mu_buf_init(&x, 1u << 16);
    mu_buf_init(&y, 1u << 16);
    assert_ok(mu_chain_serialise(a, &x, &err), &err);
    assert_ok(mu_chain_serialise(b, &y, &err), &err);
    assert_int_equal(x.len, y.len);
    assert_memory_equal(x.data, y.data, x.len);
}

/* ---- the property -----------------------------------------------------------------------------
 */

/* Authorities whose lives begin and end within the ten days that are tried, one of them certified
 * by two roots, so that the path that is found depends on the day. */
struct scene {
    struct pki *root_a, *root_b, *short_root;
    struct pki *sub_a, *sub_b, *short_sub;
    struct pki *leaves[4];
};

static struct pki *sub_between(struct pki *root, const char *cn, struct mu_key *key, int64_t from_s,
                               int64_t until_s)
{
    struct mu_rdn subject = {MU_ATTR_CN, cn};
    struct mu_cert_template t = {.subject = &subject,
                                 .subject_count = 1,
                                 .not_before_s = from_s,
                                 .not_after_s = until_s,
                                 .ca = true,
                                 .key_usage = MU_KU_KEY_CERT_SIGN | MU_KU_CRL_SIGN};
    return key == NULL ? pki_make(root, &t, MU_SPEC_EC_P256) : pki_make_with(root, &t, key);
}

static void make_scene(struct scene *scene)
{
    const int64_t day = PKI_DAY_S;
    scene->root_a = pki_root("Root A");
    scene->root_b = pki_root("Root B");
    scene->short_root =
        sub_between(NULL, "Short root", NULL, PKI_NOW_S + 2 * day, PKI_NOW_S + 6 * day);
    scene->sub_a = sub_between(scene->root_a, "Sub", NULL, PKI_NOW_S - day, PKI_NOW_S + 5 * day);
    scene->sub_b = sub_between(scene->root_b, "Sub", scene->sub_a->key, PKI_NOW_S + 3 * day,
                               PKI_NOW_S + 8 * day);
    scene->short_sub = pki_ca(scene->short_root, "Short sub");
    scene->leaves[0] = pki_issue(scene->sub_a, (struct pki_leaf){.uri = "spiffe://example.org/0"});
    scene->leaves[1] = pki_issue(scene->sub_a, (struct pki_leaf){.uri = "spiffe://example.org/1",
                                                                 .client = true,
                                                                 .not_before = PKI_NOW_S + day,
                                                                 .not_after = PKI_NOW_S + 4 * day});
    scene->leaves[2] =
        pki_issue(scene->short_sub, (struct pki_leaf){.uri = "spiffe://example.org/2"});
    scene->leaves[3] = pki_stranger("Stranger");
}

static struct mutual_trust *bundle(const struct scene *scene, unsigned which)
{
    struct mutual_error err = {0};
    struct mutual_trust *trust = mutual_trust_new("test");
    trust_add(trust, (which & 1) != 0 ? NODES(scene->root_a, scene->root_b) : NODES(scene->root_b),
              (which & 2) != 0 ? NODES(scene->sub_b) : NULL);
    if ((which & 4) != 0) {
        trust_add(trust, NODES(scene->short_root), NULL);
    }
    if ((which & 8) != 0) {
        mutual_trust_strict_constraints(trust);
    }
    if ((which & 16) != 0) {
        struct mu_slice list = pki_crl_at(scene->root_a, PKI_NOW_S, PKI_NOW_S + 4 * PKI_DAY_S, 1,
                                          (struct pki *const[]){scene->sub_a}, 1);
        bool knows = (which & 1) != 0; /* else it takes no list of root A */
        assert_int_equal(mutual_trust_add_crl(trust, (const char *)list.data, list.len, &err),
                         knows);
    }
    assert_ok(mutual_trust_freeze(trust, &err), &err);
    return trust;
}

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* A day within the scene, forwards and backwards, often exactly at a moment that matters. */
static int64_t random_time(uint32_t *state)
{
    int64_t day_s = PKI_NOW_S + ((int64_t)(next_random(state) % 12) - 1) * PKI_DAY_S;
    return day_s + (int64_t)(next_random(state) % 3) - 1;
}

/* One thing is another than in the question before. */
static void change_one(struct asked *asked, const struct scene *scene,
                       const struct mutual_trust *trust, struct pki **sent, uint32_t *seed)
{
    struct pki *const company[] = {scene->sub_a, scene->sub_b, scene->short_sub, NULL};
    switch (next_random(seed) % 8) {
    case 0:
        asked->trust = trust;
        break;
    case 1:
        asked->purpose ^= MUTUAL_PURPOSE_SERVER ^ MUTUAL_PURPOSE_CLIENT;
        break;
    case 2:
        sent[0] = scene->leaves[next_random(seed) % 16 == 0 ? 3 : next_random(seed) % 3];
        break;
    case 3:
        sent[1] = company[next_random(seed) % 4];
        sent[2] = sent[1] == NULL ? NULL : company[next_random(seed) % 4];
        break;
    default:
        asked->now_s = random_time(seed);
    }
}

/* By the lists of today, two paths may both be good: then the one that was found under other lists
 * is as good as the one that a search would find first. Else the two are the same. */
static void assert_as_good(const struct asked *asked, bool lists, const struct mutual_chain *fresh,
                           const struct mutual_chain *kept)
{
    struct mutual_error err = {0};
    size_t count = 0;
    if (!lists) {
        assert_same_chain(fresh, kept);
    }
    assert_ok(mu_trust_recheck(asked->trust, kept, asked->now_s, NULL, &err), &err);
    assert_memory_equal(mutual_chain_links(kept, &count)[0].fingerprint,
                        mutual_chain_links(fresh, &count)[0].fingerprint, 32);
}

/* Bundles 16 to 31 are 0 to 15 with lists. */
enum { BUNDLES = 32, CHANGES = 6000 };

static void try_random_changes(unsigned bundle_count)
{
    static struct scene scene;
    static struct mutual_trust *bundles[BUNDLES];
    make_scene(&scene);
    for (unsigned i = 0; i < BUNDLES; i++) {
        bundles[i] = bundle(&scene, i);
    }
    struct mu_known *known = mu_known_new(64);
    uint32_t seed = 0x6d757475;
    size_t hit_count = 0;
    size_t good_count = 0;
    struct pki *sent[4] = {scene.leaves[0]};
    struct asked asked = {bundles[1], sent, MUTUAL_PURPOSE_CLIENT, PKI_NOW_S};
    for (unsigned i = 0; i < CHANGES; i++) {
        change_one(&asked, &scene, bundles[next_random(&seed) % bundle_count], sent, &seed);
        MU_AUTO(chain) struct mutual_chain *fresh = NULL;
        MU_AUTO(chain) struct mutual_chain *kept = NULL;
        bool hit = false;
        bool good = anew(&asked, &fresh);
        assert_int_equal(with(known, &asked, &kept, &hit), good);
        if (good) {
            assert_as_good(&asked, bundle_count > 16, fresh, kept);
        }
        hit_count += hit;
        good_count += good;
    }
    /* the comparison was one */
    assert_true(good_count > 500 && hit_count > 100 && hit_count < good_count);
    mu_known_unref(known);
    for (unsigned i = 0; i < BUNDLES; i++) {
        mutual_trust_unref(bundles[i]);
    }
}

static void random_changes_make_no_difference(void **state)
{
    (void)state;
    try_random_changes(16);
    try_random_changes(BUNDLES);
}

/* ---- single things ----------------------------------------------------------------------------
 */

static void no_refusal_is_kept(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct pki *leaf = pki_issue(root, (struct pki_leaf){.dns = "a.example.org", .server = true});
    struct pki *stranger = pki_stranger("Stranger");
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(root), NULL);
    MU_AUTO(known) struct mu_known *known = mu_known_new(8);
    struct asked strange = {trust, NODES(stranger), MUTUAL_PURPOSE_CLIENT, PKI_NOW_S};
    struct asked wrong_role = {trust, NODES(leaf), MUTUAL_PURPOSE_CLIENT, PKI_NOW_S};
    struct asked too_late = {trust, NODES(leaf), MUTUAL_PURPOSE_SERVER, INT64_C(4000000000)};
    assert_false(hits(known, strange) || hits(known, strange));
    assert_false(hits(known, wrong_role) || hits(known, wrong_role));
    assert_false(hits(known, too_late) || hits(known, too_late));
    assert_int_equal(mu_known_count(known), 0);
}

/* The same chain under another bundle, however little it differs, is another question. */
static void the_bundle_is_part_of_the_question(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct pki *root = pki_root("Root");
    struct pki *other = pki_root("Other");
    struct pki *leaf = pki_issue(root, (struct pki_leaf){.dns = "a.example.org"});
    MU_AUTO(known) struct mu_known *known = mu_known_new(8);
    MU_AUTO(trust) struct mutual_trust *first = trust_of(NODES(root), NULL);
    MU_AUTO(trust) struct mutual_trust *equal = trust_of(NODES(root), NULL);
    MU_AUTO(trust) struct mutual_trust *more = trust_of(NODES(root, other), NULL);
    MU_AUTO(trust) struct mutual_trust *strict = mutual_trust_new("strict");
    trust_add(strict, NODES(root), NULL);
    mutual_trust_strict_constraints(strict);
    assert_ok(mutual_trust_freeze(strict, &err), &err);
    struct asked asked = {first, NODES(leaf), MUTUAL_PURPOSE_CLIENT, PKI_NOW_S};
    assert_false(hits(known, asked));
    assert_true(hits(known, asked));
    asked.trust = equal; /* as after a reload of the same files */
    assert_true(hits(known, asked));
    asked.trust = more;
    assert_false(hits(known, asked));
    asked.trust = strict;
    assert_false(hits(known, asked));
    asked.trust = first;
    asked.purpose = MUTUAL_PURPOSE_SERVER;
    assert_false(hits(known, asked));
}

static void revocation_is_asked_each_time(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct pki *root = pki_root("Root");
    struct pki *leaf = pki_issue(root, (struct pki_leaf){.dns = "a.example.org"});
    struct mu_slice list = pki_crl(root, leaf, NULL);
    MU_AUTO(known) struct mu_known *known = mu_known_new(8);
    MU_AUTO(trust) struct mutual_trust *before = trust_of(NODES(root), NULL);
    MU_AUTO(trust) struct mutual_trust *after = mutual_trust_new("test");
    trust_add(after, NODES(root), NULL);
    assert_ok(mutual_trust_add_crl(after, (const char *)list.data, list.len, &err), &err);
    assert_ok(mutual_trust_freeze(after, &err), &err);
    struct asked asked = {before, NODES(leaf), MUTUAL_PURPOSE_CLIENT, PKI_NOW_S};
    assert_false(hits(known, asked));
    assert_true(hits(known, asked));
    asked.trust = after; /* the lists are no part of the key: it is there, and not used */
    assert_false(hits(known, asked));
    assert_int_equal(mu_known_count(known), 0);
}

/* A clock that jumps back before the beginning, or on beyond the end, finds nothing. */
static void time_is_asked_each_time(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct pki *leaf = pki_issue(root, (struct pki_leaf){.dns = "a.example.org",
                                                         .not_before = PKI_NOW_S - 10,
                                                         .not_after = PKI_NOW_S + 10});
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(root), NULL);
    MU_AUTO(known) struct mu_known *known = mu_known_new(8);
    const int64_t inside[] = {PKI_NOW_S - 10, PKI_NOW_S + 10};
    const int64_t outside[] = {PKI_NOW_S - 11, PKI_NOW_S + 11, INT64_MIN, INT64_MAX};
    struct asked asked = {trust, NODES(leaf), MUTUAL_PURPOSE_CLIENT, PKI_NOW_S};
    for (size_t i = 0; i < MU_COUNT(outside); i++) {
        asked.now_s = PKI_NOW_S;
        (void)hits(known, asked);
        for (size_t k = 0; k < MU_COUNT(inside); k++) {
            asked.now_s = inside[k];
            assert_true(hits(known, asked));
        }
        asked.now_s = outside[i];
        assert_false(hits(known, asked));
        assert_int_equal(mu_known_count(known), 0);
    }
}

/* One certificate in ever new company takes a few places, not those of others. */
static void one_leaf_does_not_push_out_others(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct pki *junk[16];
    struct pki *good = pki_issue(root, (struct pki_leaf){.dns = "good.example.org"});
    struct pki *bad = pki_issue(root, (struct pki_leaf){.dns = "bad.example.org"});
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(root), NULL);
    MU_AUTO(known) struct mu_known *known = mu_known_new(8);
    struct asked ours = {trust, NODES(good), MUTUAL_PURPOSE_CLIENT, PKI_NOW_S};
    assert_false(hits(known, ours));
    for (size_t i = 0; i < MU_COUNT(junk); i++) {
        junk[i] = pki_stranger("Junk");
        struct asked theirs = {trust, NODES(bad, junk[i]), MUTUAL_PURPOSE_CLIENT, PKI_NOW_S};
        assert_false(hits(known, theirs));
        assert_true(hits(known, theirs));
    }
    assert_true(hits(known, ours));
    assert_int_equal(mu_known_count(known), 5);
}

static void the_least_used_goes_first(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct pki *leaves[6];
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(root), NULL);
    MU_AUTO(known) struct mu_known *known = mu_known_new(4);
    struct asked asked[MU_COUNT(leaves)];
    struct pki *sent[MU_COUNT(leaves)][2] = {0};
    for (size_t i = 0; i < MU_COUNT(leaves); i++) {
        leaves[i] = pki_issue(root, (struct pki_leaf){.dns = "a.example.org"});
        sent[i][0] = leaves[i];
        asked[i] = (struct asked){trust, sent[i], MUTUAL_PURPOSE_CLIENT, PKI_NOW_S};
        assert_false(hits(known, asked[i]));
        assert_true(hits(known, asked[0])); /* the hot one */
        assert_true(mu_known_count(known) <= 4);
    }
    assert_true(hits(known, asked[0]));
    assert_true(hits(known, asked[5]));
    assert_false(hits(known, asked[1]));
}

static void nothing_is_kept_of_what_no_search_found(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct mutual_link link = {.not_after_s = INT64_MAX};
    const uint8_t key[32] = {1};
    MU_AUTO(chain) struct mutual_chain *chain = NULL;
    MU_AUTO(known) struct mu_known *known = mu_known_new(4);
    assert_ok(mu_chain_new(&link, 1, NULL, 0, "", "", &chain, &err), &err);
    mu_known_put(known, key, chain);
    assert_int_equal(mu_known_count(known), 0);
    MU_AUTO(known) struct mu_known *none = mu_known_new(0);
    struct pki *root = pki_root("Root");
    struct pki *leaf = pki_issue(root, (struct pki_leaf){.dns = "a.example.org"});
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(root), NULL);
    struct asked asked = {trust, NODES(leaf), MUTUAL_PURPOSE_CLIENT, PKI_NOW_S};
    assert_false(hits(none, asked) || hits(none, asked));
}

/* ---- signatures of authorities --------------------------------------------------------------- */

static bool signs(struct mu_known *known, const struct pki *what, const struct pki *by)
{
    return mu_known_signed(known, mu_cert_facts(what->cert), mu_cert_facts(by->cert));
}

static bool asks(struct mu_known *known, const struct mutual_trust *trust, struct mu_slice leaf,
                 struct mu_slice sub, struct mutual_error *err)
{
    MU_AUTO(chain) struct mutual_chain *chain = NULL;
    const struct mu_slice ders[] = {leaf, sub, {0}};
    return validate_parsed(known, trust, ders, MUTUAL_PURPOSE_CLIENT, PKI_NOW_S, &chain, err);
}

static void an_authority_is_verified_once(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct pki *root = pki_root("Root");
    struct pki *namesake = pki_root("Root"); /* another key */
    struct pki *sub = pki_ca(root, "Sub");
    struct pki *leaf = pki_issue(sub, (struct pki_leaf){.dns = "a.example.org"});
    struct pki *next = pki_issue(sub, (struct pki_leaf){.dns = "b.example.org"});
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(root), NULL);
    MU_AUTO(known) struct mu_known *known = mu_known_new(8);
    assert_false(signs(known, sub, root));
    assert_true(asks(known, trust, pki_der(leaf), pki_der(sub), &err));
    assert_true(signs(known, sub, root));
    assert_false(signs(known, sub, namesake) || signs(known, leaf, sub) ||
                 signs(known, root, root));
    assert_true(asks(known, trust, pki_der(next), pki_der(sub), &err));
}

/* What is known of one certificate says nothing of another, were it the same but for a bit. */
static void a_forged_authority_is_still_refused(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct pki *root = pki_root("Root");
    struct pki *sub = pki_ca(root, "Sub");
    struct pki *leaf = pki_issue(sub, (struct pki_leaf){.dns = "a.example.org"});
    struct mu_slice der = pki_der(sub);
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(root), NULL);
    MU_AUTO(known) struct mu_known *known = mu_known_new(8);
    assert_true(asks(known, trust, pki_der(leaf), der, &err));
    uint8_t *forged = mu_alloc(der.len, 1);
    assert_non_null(forged);
    memcpy(forged, der.data, der.len);
    forged[der.len - 1] ^= 1; /* in the signature */
    assert_false(asks(known, trust, pki_der(leaf), mu_slice_of(forged, der.len), &err));
    assert_int_equal(err.code, MUTUAL_E_CERT_SIGNATURE);
    mu_free(forged);
    struct mutual_error again = {0};
    MU_AUTO(trust) struct mutual_trust *other = trust_of(NODES(pki_root("Root")), NULL);
    assert_false(asks(known, other, pki_der(leaf), der, &again)); /* by another key of that name */
}

/* Whoever brings an authority of his own finds no place for it. */
static void a_strangers_authority_is_not_kept(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct pki *strange_root = pki_root("Strange root");
    struct pki *strange = pki_ca(strange_root, "Strange");
    struct pki *leaf = pki_issue(strange, (struct pki_leaf){.dns = "a.example.org"});
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(pki_root("Root")), NULL);
    MU_AUTO(known) struct mu_known *known = mu_known_new(8);
    MU_AUTO(chain) struct mutual_chain *chain = NULL;
    const struct mu_slice ders[] = {pki_der(leaf), pki_der(strange), pki_der(strange_root), {0}};
    assert_false(
        validate_parsed(known, trust, ders, MUTUAL_PURPOSE_CLIENT, PKI_NOW_S, &chain, &err));
    assert_false(signs(known, strange, strange_root));
}

static void the_least_used_authority_makes_room(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct pki *root = pki_root("Root");
    struct pki *subs[MU_LIMIT_KNOWN_LINKS + 1];
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(root), NULL);
    MU_AUTO(known) struct mu_known *known = mu_known_new(8);
    for (size_t i = 0; i < MU_COUNT(subs); i++) {
        subs[i] = pki_ca(root, "Sub");
        struct pki *leaf = pki_issue(subs[i], (struct pki_leaf){.dns = "a.example.org"});
        assert_true(asks(known, trust, pki_der(leaf), pki_der(subs[i]), &err));
        assert_true(signs(known, subs[0], root)); /* used all the time */
    }
    assert_false(signs(known, subs[1], root));
    assert_true(signs(known, subs[2], root) && signs(known, subs[MU_COUNT(subs) - 1], root));
}

UNIT_MAIN(UNIT_CASE(random_changes_make_no_difference), UNIT_CASE(no_refusal_is_kept),
          UNIT_CASE(the_bundle_is_part_of_the_question), UNIT_CASE(revocation_is_asked_each_time),
          UNIT_CASE(time_is_asked_each_time), UNIT_CASE(one_leaf_does_not_push_out_others),
          UNIT_CASE(the_least_used_goes_first), UNIT_CASE(nothing_is_kept_of_what_no_search_found),
          UNIT_CASE(an_authority_is_verified_once), UNIT_CASE(a_forged_authority_is_still_refused),
          UNIT_CASE(a_strangers_authority_is_not_kept),
          UNIT_CASE(the_least_used_authority_makes_room))
