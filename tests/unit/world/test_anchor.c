/* SPDX-License-Identifier: Apache-2.0
 *
 * src/world/anchor.c: where the chains lead that we present.
 */
#include "world_support.h"

static struct pki *root, *sub;

static const char *join(const struct pki *a, const struct pki *b)
{
    static struct mu_buf text;
    mu_buf_done(&text);
    mu_buf_init(&text, 65536);
    mu_buf_printf(&text, "%s%s", pki_pem(a), b != NULL ? pki_pem(b) : "");
    return mu_buf_str(&text);
}

static const char *const certificate =
    TRUST INBOUND "policy:\n" GRANT("g", "to: db, from: {dns: a.example}");

/* `beside` is tls/ca.crt; NULL: there is none. `bundle` is what clients are believed by. */
static struct scene presenting(const char *chain, const char *beside, const struct pki *bundle)
{
    struct scene s = {0};
    scene_add(&s, "m", certificate);
    scene_add(&s, "ca.pem", pki_pem(bundle));
    scene_add(&s, "tls/tls.crt", chain);
    if (beside != NULL) {
        scene_add(&s, "tls/ca.crt", beside);
    }
    scene_build(&s);
    return s;
}

static void is_good(const char *chain, const char *beside, const struct pki *bundle)
{
    struct scene s = presenting(chain, beside, bundle);
    if (s.world == NULL || s.findings.warnings > 0) {
        scene_show(&s);
    }
    scene_done(&s);
}

static void is_refused(const char *chain, const char *beside, const struct pki *bundle,
                       enum mutual_code code, const char *part)
{
    struct scene s = presenting(chain, beside, bundle);
    assert_null(s.world);
    assert_int_equal(s.findings.errors, 1);
    assert_found(&s, CONFIG_ERROR, code, part);
    scene_done(&s);
}

static void what_leads_there(void **state)
{
    (void)state;
    const struct pki *leaf = pki_issue(sub, (struct pki_leaf){.dns = "web.example"});
    const struct pki *stranger = pki_root("Stranger");
    is_good(pki_chain_pem(leaf), pki_pem(root), stranger);
    is_good(pki_chain_pem(leaf), NULL, root);
    is_good(pki_chain_pem(leaf), NULL, stranger); /* from each to the next, and no further */
    is_good(pki_pem(leaf), NULL, stranger);       /* alone: a peer may have the rest       */
    is_good(pki_pem(leaf), pki_pem(sub), stranger);
    is_good(pki_chain_pem(leaf), "", stranger); /* says nothing */
    is_good(pki_chain_pem(leaf), pki_pem(leaf), stranger);
}

static void what_leads_elsewhere(void **state)
{
    (void)state;
    const struct pki *leaf = pki_issue(sub, (struct pki_leaf){.dns = "web.example"});
    struct pki *other = pki_root("Other");
    const struct pki *unfit = pki_issue(sub, (struct pki_leaf){.dns = "web.example"});
    is_refused(pki_chain_pem(leaf), pki_pem(other), root, MUTUAL_E_UNKNOWN_ISSUER,
               "does not lead to the authority in \"tls/ca.crt\"");
    is_refused(pki_pem(leaf), pki_pem(root), other, MUTUAL_E_UNKNOWN_ISSUER, "tls/ca.crt");
    /* the mismatched intermediate */
    is_refused(join(leaf, pki_ca(other, "Another")), NULL, other, MUTUAL_E_CHAIN_INCOMPLETE,
               "none of the 1 certificates behind \"DNS:web.example\"");
    is_refused(join(leaf, unfit), NULL, other, MUTUAL_E_CHAIN_INCOMPLETE, "issued it");
}

/* A bundle that is no good has its own finding, and is not asked. */
static void where_a_bundle_is_broken(void **state)
{
    (void)state;
    const struct pki *leaf = pki_issue(sub, (struct pki_leaf){.dns = "web.example"});
    struct scene s = {0};
    scene_add(&s, "m", certificate);
    scene_add(&s, "ca.pem", "nothing");
    scene_add(&s, "tls/tls.crt", join(leaf, pki_root("Stranger")));
    scene_build(&s);
    assert_null(s.world);
    assert_int_equal(s.findings.errors, 1);
    assert_found(&s, CONFIG_ERROR, MUTUAL_E_BUNDLE_EMPTY, "corp");
    scene_done(&s);
}

/* The right name, no key identifier that would tell, and another key. */
static void what_only_seems_to_lead(void **state)
{
    (void)state;
    struct mu_cert_template bare = {.bare = true};
    const struct pki *twin = pki_ca(root, "Issuing"); /* named like `sub` */
    const struct pki *leaf = pki_issue(sub, (struct pki_leaf){.dns = "web.example", .t = &bare});
    is_refused(join(leaf, twin), NULL, pki_root("Stranger"), MUTUAL_E_CERT_SIGNATURE,
               "its key did not sign it");
}

/* Time is no part of it: what has expired is a warning, for the old world would expire as well. */
static void time_is_judged_elsewhere(void **state)
{
    (void)state;
    struct pki_leaf late = {.dns = "web.example",
                            .not_before = PKI_NOW_S - 90 * PKI_DAY_S,
                            .not_after = PKI_NOW_S - PKI_DAY_S};
    struct scene s =
        presenting(pki_chain_pem(pki_issue(sub, late)), pki_pem(root), pki_root("Stranger"));
    if (s.world == NULL) {
        scene_show(&s);
    }
    assert_found(&s, CONFIG_WARNING, MUTUAL_E_CERT_EXPIRED, "expired");
    scene_done(&s);
}

static int make(void **state)
{
    (void)state;
    root = pki_root("Root");
    sub = pki_ca(root, "Issuing");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_leads_there),         cmocka_unit_test(what_leads_elsewhere),
        cmocka_unit_test(where_a_bundle_is_broken), cmocka_unit_test(what_only_seems_to_lead),
        cmocka_unit_test(time_is_judged_elsewhere),
    };
    return cmocka_run_group_tests(tests, make, NULL);
}
