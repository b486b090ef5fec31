/* SPDX-License-Identifier: Apache-2.0
 *
 * Revocation lists: who is on them, which ones speak for whom, and how old they may be.
 */
#include "trust_unit.h"

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
    assert_ok(mutual_trust_add_crl(world->trust, (const char *)der.data, der.len, &err), &err);
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
    return mutual_trust_add_crl(world->trust, (const char *)der.data, der.len, err);
}

/* The x509 room makes no indirect lists: one for users only is turned into one before signing. */
static bool add_indirect(struct world *world, struct mutual_error *err)
{
    struct mu_crl_idp only_user = {.only_user = true};
    struct mu_crl_template t = {.issuer = world->sub->cert,
                                .this_update_s = PKI_NOW_S - 1,
                                .next_update_s = PKI_NOW_S + PKI_DAY_S,
                                .number = 7,
                                .idp = &only_user};
    MU_AUTO(buf) struct mu_buf tbs;
    MU_AUTO(buf) struct mu_buf signature;
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&tbs, 65536);
    mu_buf_init(&signature, 65536);
    mu_buf_init(&der, 65536);
    enum mu_scheme scheme = mu_key_scheme(world->sub->key);
    assert_ok(mu_crl_build_tbs(&t, scheme, &tbs, err), err);
    uint8_t *flag = memmem(tbs.data, tbs.len, "\x30\x03\x81\x01\xff", 5);
    assert_non_null(flag);
    flag[2] = 0x84; /* indirectCRL [4] instead of onlyContainsUserCerts [1] */
    struct mu_slice bytes = mu_buf_slice(&tbs);
    assert_ok(mu_key_sign(world->sub->key, scheme, bytes, &signature, err), err);
    assert_ok(mu_signed_build(bytes, scheme, mu_buf_slice(&signature), &der, err), err);
    return mutual_trust_add_crl(world->trust, (const char *)der.data, der.len, err);
}

static void case_kinds(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct world world = world_new();
    struct mu_crl_template delta = {.delta = true, .delta_base = 3};
    assert_fails(add_template(&world, &delta, &err), &err, MUTUAL_E_CRL_UNSUPPORTED);
    assert_fails(add_indirect(&world, &err), &err, MUTUAL_E_CRL_UNSUPPORTED);

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

UNIT_MAIN(UNIT_CASE(case_revoked_leaf), UNIT_CASE(case_revoked_intermediate),
          UNIT_CASE(case_missing), UNIT_CASE(case_stale), UNIT_CASE(case_stale_but_listed),
          UNIT_CASE(case_newest), UNIT_CASE(case_same_name), UNIT_CASE(case_new_key),
          UNIT_CASE(case_kinds))
