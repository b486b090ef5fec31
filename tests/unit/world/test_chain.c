/* SPDX-License-Identifier: Apache-2.0
 *
 * src/world/chain.c: what we present, judged as a peer would.
 */
#include "world_support.h"

static struct scene presenting(const char *config, const char *chain)
{
    struct scene s = {0};
    scene_add(&s, "m", config);
    scene_add(&s, "ca.pem", pki_pem(pki_root("Root")));
    scene_add(&s, "tls/tls.crt", chain);
    scene_build(&s);
    return s;
}

static void fails(const char *config, const char *chain, enum mutual_code code, const char *part)
{
    struct scene s = presenting(config, chain);
    assert_null(s.world);
    assert_found(&s, CONFIG_ERROR, code, part);
    assert_int_equal(s.findings.errors, 1);
    scene_done(&s);
}

static void test_errors(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct pki_leaf client = {.dns = "c.example", .client = true};
    struct pki_leaf server = {.dns = "s.example", .server = true};
    fails(TRUST INBOUND, pki_pem(root), MUTUAL_E_CA_AS_PEER, "\"Root\" is an authority's");
    fails(TRUST INBOUND, pki_pem(pki_issue(root, client)), MUTUAL_E_PURPOSE_WRONG, "serverAuth");
    fails(TRUST OUTBOUND, pki_pem(pki_issue(root, server)), MUTUAL_E_PURPOSE_WRONG, "clientAuth");
    fails(TRUST INBOUND, "nothing", MUTUAL_E_PEM_MALFORMED, "tls/tls.crt");
    MU_AUTO(buf) struct mu_buf many;
    mu_buf_init(&many, 1u << 20);
    for (unsigned i = 0; i <= MU_LIMIT_CHAIN_SENT; i++) {
        mu_buf_text(&many, pki_pem(root));
    }
    fails(TRUST INBOUND, mu_buf_str(&many), MUTUAL_E_CHAIN_TOO_LONG, "are sent");
}

static void warns(const char *chain, enum mutual_code code, const char *part)
{
    struct scene s =
        presenting(TRUST INBOUND "policy:\n" GRANT("g", "to: db, from: {dns: a.example}"), chain);
    if (s.world == NULL) {
        scene_show(&s);
        return;
    }
    assert_found(&s, CONFIG_WARNING, code, part);
    scene_done(&s);
}

static void test_warnings(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct pki_leaf leaf = {.cn = "web", .dns = "web.example"};
    leaf.not_before = PKI_NOW_S - 90 * PKI_DAY_S;
    leaf.not_after = PKI_NOW_S - 3 * PKI_DAY_S;
    warns(pki_pem(pki_issue(root, leaf)), MUTUAL_E_CERT_EXPIRED, "\"web\" expired 3 days ago");
    leaf.not_after = PKI_NOW_S + 4 * PKI_DAY_S;
    warns(pki_pem(pki_issue(root, leaf)), MUTUAL_E_CERT_EXPIRED, "\"web\" expires in 4 days");
    leaf.not_before = PKI_NOW_S + PKI_DAY_S;
    warns(pki_pem(pki_issue(root, leaf)), MUTUAL_E_CERT_NOT_YET_VALID, "is not valid before");
}

static void test_order(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct pki *sub = pki_ca(root, "Sub");
    struct pki *leaf = pki_issue(sub, (struct pki_leaf){.dns = "web.example"});
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 65536);
    mu_buf_printf(&text, "%s%s", pki_pem(leaf), pki_pem(pki_ca(root, "Other")));
    fails(TRUST INBOUND, mu_buf_str(&text), MUTUAL_E_CHAIN_INCOMPLETE, "issued it");
    mu_buf_clear(&text);
    mu_buf_printf(&text, "%s%s%s", pki_pem(leaf), pki_pem(pki_ca(root, "Other")), pki_pem(sub));
    warns(mu_buf_str(&text), MUTUAL_E_CHAIN_INCOMPLETE, "certificate 2 of \"tls/tls.crt\"");
    struct scene s =
        presenting(TRUST INBOUND "policy:\n" GRANT("g", "to: db, from: {dns: a.example}"),
                   pki_chain_pem(leaf));
    assert_non_null(s.world);
    assert_int_equal(s.findings.warnings, 0);
    assert_int_equal(s.world->services[0].chains[0].count, 2);
    scene_done(&s);
}

UNIT_MAIN(UNIT_CASE(test_errors), UNIT_CASE(test_warnings), UNIT_CASE(test_order))
