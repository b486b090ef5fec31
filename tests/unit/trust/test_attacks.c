/* SPDX-License-Identifier: Apache-2.0
 *
 * Chains that must not pass, when memory runs out anywhere on the way: while the bundle and its
 * revocation lists are read, while a chain is validated, and while it is judged again.
 */
#include "trust_unit.h"

struct bad {
    const char *what;
    struct pki *leaf, *sub;
    int64_t now_s;
    enum mutual_purpose purpose;
};

struct scene {
    struct pki *root, *sub, *narrow, *revoked;
    const char *root_pem, *sub_pem;
    struct bad bad[8];
    size_t count;
};

static void add(struct scene *scene, const char *what, struct pki *sub, struct pki_leaf leaf,
                int64_t now_s, enum mutual_purpose purpose)
{
    struct pki *made = pki_issue(sub, leaf);
    scene->bad[scene->count++] = (struct bad){what, made, sub, now_s, purpose};
}

static struct scene scene_new(void)
{
    static const struct mu_subtree dns[] = {
        {.base = {MU_GNAME_DNS, {(const uint8_t *)"example.org", 11}}}};
    struct mu_rdn subject = {MU_ATTR_CN, "Narrow"};
    struct mu_cert_template t = {.subject = &subject,
                                 .subject_count = 1,
                                 .ca = true,
                                 .key_usage = MU_KU_KEY_CERT_SIGN,
                                 .permitted = dns,
                                 .permitted_count = 1};
    struct scene scene = {.root = pki_root("Root")};
    scene.sub = pki_ca(scene.root, "Issuing");
    scene.narrow = pki_make(scene.root, &t, MU_SPEC_EC_P256);
    struct pki_leaf leaf = {.dns = "a.example.com"};
    add(&scene, "outside its constraints", scene.narrow, leaf, PKI_NOW_S, MUTUAL_PURPOSE_CLIENT);
    add(&scene, "expired", scene.sub, leaf, PKI_NOW_S + 91 * PKI_DAY_S, MUTUAL_PURPOSE_CLIENT);
    add(&scene, "a stranger's", pki_ca(pki_root("Root"), "Issuing"), leaf, PKI_NOW_S,
        MUTUAL_PURPOSE_CLIENT);
    leaf.server = true;
    add(&scene, "a server's", scene.sub, leaf, PKI_NOW_S, MUTUAL_PURPOSE_CLIENT);
    leaf.server = false;
    add(&scene, "revoked", scene.sub, leaf, PKI_NOW_S, MUTUAL_PURPOSE_CLIENT);
    scene.revoked = scene.bad[scene.count - 1].leaf;
    scene.root_pem = pki_pem(scene.root); /* here, where memory does not run out */
    scene.sub_pem = pki_pem(scene.sub);
    return scene;
}

/* NULL: memory ran out. */
static struct mutual_trust *build(const struct scene *scene, struct mu_slice crl)
{
    struct mutual_trust *trust = mutual_trust_new("corp");
    if (trust == NULL) {
        return NULL;
    }
    mutual_trust_set_revocation(trust, false, false, MUTUAL_CRL_STALE_ACCEPT, 0);
    if (!mutual_trust_add_pem(trust, scene->root_pem, strlen(scene->root_pem), NULL) ||
        !mutual_trust_add_intermediates_pem(trust, scene->sub_pem, strlen(scene->sub_pem), NULL) ||
        !mutual_trust_add_crl(trust, (const char *)crl.data, crl.len, NULL) ||
        !mutual_trust_freeze(trust, NULL)) {
        mutual_trust_unref(trust);
        return NULL;
    }
    return trust;
}

static void check_all(const struct scene *scene, const struct mutual_trust *trust)
{
    for (size_t i = 0; i < scene->count; i++) {
        const struct bad *bad = &scene->bad[i];
        struct mutual_error err = {0};
        MU_AUTO(chain) struct mutual_chain *chain = NULL;
        if (validate_as(trust, NODES(bad->leaf, bad->sub), bad->purpose, bad->now_s, &chain,
                        &err)) {
            fail_msg("passes: %s", bad->what);
        }
        assert_int_not_equal(err.code, MUTUAL_OK);
        assert_null(chain);
    }
}

static void a_bundle_is_whole_or_not_there(void **state)
{
    (void)state;
    struct scene scene = scene_new();
    struct mu_slice crl = pki_crl(scene.sub, scene.revoked, (struct pki *)NULL);
    size_t built = 0;
    for (unsigned long n = 1; built < 3 && n < 3000; n++) {
        mu_alloc_fail_after(n);
        MU_AUTO(trust) struct mutual_trust *trust = build(&scene, crl);
        mu_alloc_fail_after(0);
        if (trust != NULL) {
            built++;
            check_all(&scene, trust);
        }
    }
    assert_int_equal(built, 3);
}

static void a_bad_chain_never_passes(void **state)
{
    (void)state;
    struct scene scene = scene_new();
    struct mu_slice crl = pki_crl(scene.sub, scene.revoked, (struct pki *)NULL);
    MU_AUTO(trust) struct mutual_trust *trust = build(&scene, crl);
    assert_non_null(trust);
    for (unsigned long n = 0; n < 250; n++) {
        for (size_t i = 0; i < scene.count; i++) {
            const struct bad *bad = &scene.bad[i];
            struct mutual_error err = {0};
            struct mutual_chain *chain = NULL;
            mu_alloc_fail_after(n);
            bool ok = validate_as(trust, NODES(bad->leaf, bad->sub), bad->purpose, bad->now_s,
                                  &chain, &err);
            mu_alloc_fail_after(0);
            if (ok || chain != NULL || err.code == MUTUAL_OK) {
                fail_msg("passes when allocation %lu fails: %s", n, bad->what);
            }
        }
    }
}

static void judging_again_needs_no_memory_to_say_no(void **state)
{
    (void)state;
    struct scene scene = scene_new();
    struct mutual_error err = {0};
    MU_AUTO(trust) struct mutual_trust *before = trust_of(NODES(scene.root), NULL);
    MU_AUTO(chain) struct mutual_chain *chain = NULL;
    assert_ok(validate_as(before, NODES(scene.revoked, scene.sub), MUTUAL_PURPOSE_CLIENT, PKI_NOW_S,
                          &chain, &err),
              &err);
    MU_AUTO(trust)
    struct mutual_trust *now = build(&scene, pki_crl(scene.sub, scene.revoked, (struct pki *)NULL));
    assert_non_null(now);
    for (unsigned long n = 1; n < 30; n++) {
        mu_alloc_fail_after(n);
        bool ok = mu_trust_recheck(now, chain, PKI_NOW_S, NULL, &err);
        mu_alloc_fail_after(0);
        assert_false(ok);
        assert_int_equal(err.code, MUTUAL_E_CERT_REVOKED);
    }
}

UNIT_MAIN(UNIT_CASE(a_bundle_is_whole_or_not_there), UNIT_CASE(a_bad_chain_never_passes),
          UNIT_CASE(judging_again_needs_no_memory_to_say_no))
