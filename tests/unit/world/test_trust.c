/* SPDX-License-Identifier: Apache-2.0
 *
 * src/world/trust.c: bundles and revocation lists, and what is wrong with them.
 */
#include "world_support.h"

#include "x509/build.h"

static void fails(const char *bundle, enum mutual_code code, const char *part)
{
    struct scene s = {0};
    scene_add(&s, "m", TRUST);
    scene_add(&s, "ca.pem", bundle);
    scene_build(&s);
    assert_null(s.world);
    assert_found(&s, CONFIG_ERROR, code, part);
    assert_int_equal(s.findings.errors, 1);
    assert_int_equal(s.findings.items[s.findings.count - 1].line, 3);
    scene_done(&s);
}

static void test_bundles(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    fails("", MUTUAL_E_BUNDLE_EMPTY, "corp");
    fails("no certificate at all", MUTUAL_E_BUNDLE_EMPTY, "ca.pem");
    fails(pki_pem(pki_issue(root, (struct pki_leaf){.dns = "a.example"})), MUTUAL_E_BUNDLE_UNUSABLE,
          "ca.pem");
    fails(pki_pem(pki_ca(root, "Sub")), MUTUAL_E_BUNDLE_UNUSABLE, "Sub");
    fails("-----BEGIN CERTIFICATE-----\nAAAA\n", MUTUAL_E_PEM_MALFORMED, "ca.pem");
}

static void test_intermediate_anchors(void **state)
{
    (void)state;
    struct scene s = {0};
    scene_add(&s, "m",
              "version: 1\ntrust:\n  - {name: corp, bundle: ca.pem, intermediates: i.pem, "
              "allow-intermediate-anchors: true}\n");
    struct pki *root = pki_root("Root");
    scene_add(&s, "ca.pem", pki_pem(pki_ca(root, "Sub")));
    scene_add(&s, "i.pem", pki_pem(pki_ca(root, "Other")));
    scene_build(&s);
    if (s.world == NULL) {
        scene_show(&s);
        return;
    }
    assert_int_equal(mutual_trust_anchor_count(s.world->trusts[0].trust), 1);
    scene_done(&s);
}

#define LISTS(rest_) \
    "version: 1\ntrust:\n  - {name: corp, bundle: ca.pem, revocation: {crl: l.crl" rest_ "}}\n"

static struct scene with_list(const char *config, struct pki *root, struct mu_slice list)
{
    struct scene s = {0};
    scene_add(&s, "m", config);
    scene_add(&s, "ca.pem", pki_pem(root));
    scene_add_bytes(&s, "l.crl", list);
    scene_build(&s);
    return s;
}

static void test_lists(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct mu_slice list = pki_crl(root, NULL);
    struct scene s = with_list(LISTS(""), root, list);
    assert_non_null(s.world);
    assert_int_equal(s.findings.warnings, 1); /* nothing to serve */
    scene_done(&s);

    struct mu_slice old =
        pki_crl_at(root, PKI_NOW_S - 9 * PKI_DAY_S, PKI_NOW_S - 2 * PKI_DAY_S, 1, NULL, 0);
    s = with_list(LISTS(", when-stale: grace 1d"), root, old);
    assert_non_null(s.world);
    assert_found(&s, CONFIG_WARNING, MUTUAL_E_CRL_STALE, "past its next update by 2 days");
    scene_done(&s);

    s = with_list(LISTS(""), pki_root("Stranger"), list);
    assert_null(s.world);
    assert_int_equal(s.findings.errors, 1);
    scene_done(&s);

    s = with_list(LISTS(""), root, mu_slice_text("garbage"));
    assert_null(s.world);
    assert_int_equal(s.findings.errors, 1);
    scene_done(&s);
}

static void test_time_of_authorities(void **state)
{
    (void)state;
    struct scene s = {0};
    scene_add(&s, "m", TRUST);
    scene_add(&s, "ca.pem", pki_pem(pki_root("Old Root")));
    assert_true(world_build(s.snapshot, PKI_NOW_S + 4000 * PKI_DAY_S, &s.findings, &s.world));
    assert_found(&s, CONFIG_WARNING, MUTUAL_E_CERT_EXPIRED, "the authority \"Old Root\" expired");
    scene_done(&s);
}

UNIT_MAIN(UNIT_CASE(test_bundles), UNIT_CASE(test_intermediate_anchors), UNIT_CASE(test_lists),
          UNIT_CASE(test_time_of_authorities))
