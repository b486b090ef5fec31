/* SPDX-License-Identifier: Apache-2.0
 *
 * Which identity answers to which name: exact names, wildcards, case and dots, key types, and
 * what happens to names that nobody has.
 */
#include "session/session_internal.h"
#include "tls_pair.h"

static const char *shown_to(struct tls_pair *pair, const char *name)
{
    pair->client.options.server_name = name;
    tls_pair_hang_up(pair);
    mutual_context_unref(pair->client.context);
    pair->client.context = NULL;
    tls_pair_shake(pair);
    if (pair->client.io != MUTUAL_IO_DONE) {
        return NULL;
    }
    return mutual_chain_subject(mutual_session_evidence(pair->client.session)->chain);
}

static void expect_anybody(struct tls_pair *pair, struct mutual_pattern *patterns[3])
{
    static const char *const texts[] = {"db.example.org", "*.example.org", "a.other.org"};
    struct mutual_error err = {0};
    for (size_t i = 0; i < 3; i++) {
        assert_ok(mutual_pattern_parse(MUTUAL_NAME_DNS, texts[i], &patterns[i], &err), &err);
    }
    pair->client.rules.expect = patterns;
    pair->client.rules.expect_count = 3;
}

static void names_choose(void **state)
{
    (void)state;
    struct mutual_pattern *patterns[3];
    struct tls_pair pair;
    tls_pair_init(&pair);
    expect_anybody(&pair, patterns);
    pair.server.identities[1] = tls_identity(
        pki_issue(pair.issuer, (struct pki_leaf){.cn = "web", .dns = "web.example.org"}));
    pair.server.identities[2] = tls_identity(pki_issue(
        pair.issuer, (struct pki_leaf){.cn = "wild", .dns = "a.other.org", .dns2 = "*.other.org"}));
    pair.server.identity_count = 3;
    assert_string_equal(shown_to(&pair, "db.example.org"), "CN=db");
    assert_string_equal(shown_to(&pair, "web.example.org"), "CN=web");
    assert_string_equal(shown_to(&pair, "WEB.example.ORG."), "CN=web");
    assert_string_equal(shown_to(&pair, "b.other.org"), "CN=wild");
    assert_string_equal(shown_to(&pair, NULL), "CN=db");
    assert_string_equal(shown_to(&pair, "b.c.other.org"), "CN=db"); /* one label only */
    assert_string_equal(shown_to(&pair, "nobody.example.org"), "CN=db");
    assert_string_equal(shown_to(&pair, "other.org"), "CN=db");
    tls_pair_forget_contexts(&pair);
    pair.server.options.strict_sni = true;
    assert_string_equal(shown_to(&pair, "web.example.org"), "CN=web");
    assert_string_equal(shown_to(&pair, NULL), "CN=db");
    assert_null(shown_to(&pair, "nobody.example.org"));
    assert_int_equal(pair.server.err.code, MUTUAL_E_SNI_UNKNOWN);
    for (size_t i = 0; i < 3; i++) {
        mutual_pattern_free(patterns[i]);
    }
    tls_pair_done(&pair);
}

static void hosts_find_what_they_have(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool found;
    } rows[] = {
        {"db.example.org", true},
        {"DB.EXAMPLE.ORG", true},
        {"db.example.org.", true},
        {"db.example.org..", false},
        {"", false},
        {".", false},
        {"*.example.org", false},
        {".example.org", false},
        {"example.org", false},
        {"db.example.orgx", false},
    };
    struct mutual_error err = {0};
    struct mu_hosts hosts = {.items = NULL};
    struct tls_pair pair;
    tls_pair_init(&pair);
    assert_ok(mu_hosts_build(&hosts, pair.server.identities, 1, &err), &err);
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        bool found = mu_hosts_find(&hosts, mu_slice_text(rows[i].name)) != NULL;
        if (found != rows[i].found) {
            fail_msg("\"%s\" is%s found", rows[i].name, found ? "" : " not");
        }
    }
    static char much[300];
    memset(much, 'a', sizeof much - 1);
    assert_null(mu_hosts_find(&hosts, mu_slice_text(much)));
    assert_null(mu_hosts_find(&hosts, MU_SLICE_LIT("db\0.example.org")));
    mu_hosts_done(&hosts);
    tls_pair_done(&pair);
}

/* Two certificates for one name: the client's signature algorithms choose. */
static void key_types_choose(void **state)
{
    (void)state;
    static const struct {
        const char *signatures;
        int type;
    } rows[] = {{"ECDSA+SHA256", EVP_PKEY_EC}, {"RSA-PSS+SHA256", EVP_PKEY_RSA}};
    struct tls_pair pair;
    tls_pair_init(&pair);
    pair.server.identities[1] = tls_identity(pki_issue(
        pair.issuer, (struct pki_leaf){.dns = "db.example.org", .spec = MU_SPEC_RSA_2048}));
    pair.server.identity_count = 2;
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct tls_raw raw;
        tls_raw_init(&raw, false);
        tls_raw_show(&raw, pair.client_leaf);
        tls_raw_offer(&raw, NULL, rows[i].signatures);
        tls_raw_shake(&raw, &pair, &pair.server);
        X509 *shown = SSL_get1_peer_certificate(raw.ssl);
        assert_non_null(shown);
        assert_int_equal(EVP_PKEY_get_base_id(X509_get0_pubkey(shown)), rows[i].type);
        X509_free(shown);
        tls_raw_done(&raw);
        tls_pair_hang_up(&pair);
    }
    tls_pair_done(&pair);
}

UNIT_MAIN(UNIT_CASE(names_choose), UNIT_CASE(hosts_find_what_they_have),
          UNIT_CASE(key_types_choose))
