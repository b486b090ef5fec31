/* SPDX-License-Identifier: Apache-2.0
 *
 * src/world/staple.c: the OCSP responses that we send, judged before anybody gets one.
 */
#include "world_support.h"

static struct pki *root;
static struct pki *sub;
static struct pki *leaf; /* demands a staple */

static int setup(void **state)
{
    (void)state;
    struct mu_cert_template t = {.must_staple = true};
    root = pki_root("Root");
    sub = pki_ca(root, "Issuing");
    leaf = pki_issue(sub, (struct pki_leaf){.dns = "web.example.org", .t = &t});
    return 0;
}

static struct scene scene_with(const char *chain, struct mu_slice response)
{
    struct scene s = {0};
    scene_add(&s, "m", TRUST INBOUND "policy:\n" GRANT("g", "to: db, from: {dns: a.example}"));
    scene_add(&s, "ca.pem", pki_pem(root));
    scene_add(&s, "tls/tls.crt", chain);
    if (response.data != NULL) {
        scene_add_bytes(&s, "tls/tls.ocsp", response);
    }
    scene_build(&s);
    if (s.world == NULL) {
        scene_show(&s);
    }
    return s;
}

static struct mu_slice staple_of(const struct scene *s)
{
    return s->world->services[0].chains[0].staple;
}

static void a_good_one_is_sent(void **state)
{
    (void)state;
    struct mu_slice response = pki_ocsp(leaf, (struct pki_answer){0});
    struct scene s = scene_with(pki_chain_pem(leaf), response);
    assert_true(mu_slice_equal(staple_of(&s), response));
    assert_int_equal(s.world->services[0].chains[0].staple_span.until_s, PKI_NOW_S + 7 * PKI_DAY_S);
    assert_int_equal(s.findings.count, 0);
    scene_done(&s);
}

/* The issuer is an anchor and so not in the chain's file. */
static void by_an_anchor(void **state)
{
    (void)state;
    struct pki *below = pki_issue(root, (struct pki_leaf){.dns = "web.example.org"});
    struct mu_slice response = pki_ocsp(below, (struct pki_answer){0});
    struct scene s = scene_with(pki_pem(below), response);
    assert_true(mu_slice_equal(staple_of(&s), response));
    scene_done(&s);
}

static void what_is_not_sent(void **state)
{
    (void)state;
    struct pki *other = pki_issue(sub, (struct pki_leaf){.dns = "other.example.org"});
    const struct {
        struct mu_slice response;
        enum mutual_code code;
        const char *part;
    } rows[] = {
        {mu_slice_of("junk", 4), MUTUAL_E_OCSP_MALFORMED, "well-formed"},
        {pki_ocsp(other, (struct pki_answer){0}), MUTUAL_E_OCSP_OTHER_CERT, "says nothing about"},
        {pki_ocsp(leaf, (struct pki_answer){.next_s = PKI_NOW_S}), MUTUAL_E_OCSP_STALE,
         "was to be renewed"},
        {pki_ocsp(leaf, (struct pki_answer){.status = MU_OCSP_REVOKED}), MUTUAL_E_CERT_REVOKED,
         "was revoked"},
        {pki_ocsp(leaf, (struct pki_answer){.responder = other}), MUTUAL_E_OCSP_SIGNER,
         "OCSPSigning"},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct scene s = scene_with(pki_chain_pem(leaf), rows[i].response);
        assert_int_equal(staple_of(&s).len, 0);
        assert_found(&s, CONFIG_WARNING, rows[i].code, rows[i].part);
        assert_found(&s, CONFIG_WARNING, MUTUAL_E_OCSP_MISSING, "clients will refuse it");
        scene_done(&s);
    }
}

static void none_where_one_is_demanded(void **state)
{
    (void)state;
    struct scene s = scene_with(pki_chain_pem(leaf), mu_slice_of(NULL, 0));
    assert_found(&s, CONFIG_WARNING, MUTUAL_E_OCSP_MISSING, "clients will refuse it");
    scene_done(&s);
}

static void an_issuer_that_is_not_here(void **state)
{
    (void)state;
    struct scene s = scene_with(pki_pem(leaf), pki_ocsp(leaf, (struct pki_answer){0}));
    assert_int_equal(staple_of(&s).len, 0);
    assert_found(&s, CONFIG_WARNING, MUTUAL_E_CHAIN_INCOMPLETE, "cannot be verified");
    scene_done(&s);
}

static void one_about_to_end(void **state)
{
    (void)state;
    struct scene s = scene_with(pki_chain_pem(leaf),
                                pki_ocsp(leaf, (struct pki_answer){.next_s = PKI_NOW_S + 3600}));
    assert_true(staple_of(&s).len > 0);
    assert_found(&s, CONFIG_WARNING, MUTUAL_E_OCSP_STALE, "ends in");
    scene_done(&s);
}

/* A file that was named must be there; the one of a directory need not. */
static void a_file_that_was_named(void **state)
{
    (void)state;
    struct scene s = {0};
    scene_add(&s, "m",
              TRUST "inbound:\n  - {name: db, listen: '127.0.0.1:1', forward: 'unix:/x', "
                    "certificate: {chain: tls/tls.crt, key: tls/tls.key, ocsp: my.ocsp}, "
                    "clients: {trust: corp}}\n");
    scene_add(&s, "ca.pem", pki_pem(root));
    scene_add(&s, "tls/tls.crt", pki_chain_pem(leaf));
    scene_build(&s);
    assert_null(s.world);
    assert_found(&s, CONFIG_ERROR, MUTUAL_E_FILE_MISSING, "my.ocsp");
    scene_done(&s);
}

/* ---- those that are fetched ------------------------------------------------------------------ */

static struct scene fetching(const char *staple, const char *fetch, const struct pki *whose,
                             struct mu_slice response)
{
    MU_AUTO(buf) struct mu_buf text;
    struct scene s = {0};
    mu_buf_init(&text, 65536);
    mu_buf_printf(&text,
                  TRUST "inbound:\n  - {name: db, listen: '127.0.0.1:1', forward: 'unix:/x', "
                        "certificate: {directory: tls, staple: %s}, clients: {trust: corp}}\n"
                        "policy:\n" GRANT("g", "to: db, from: {dns: a.example}") "%s",
                  staple, fetch);
    scene_add(&s, "m", mu_buf_str(&text));
    scene_add(&s, "ca.pem", pki_pem(root));
    scene_add(&s, "tls/tls.crt", pki_chain_pem(whose));
    if (response.data != NULL) {
        scene_add_bytes(&s, "stapled to tls/tls.crt", response);
    }
    return s;
}

static const struct world_chain *chain_of(const struct scene *s)
{
    return &s->world->services[0].chains[0];
}

static void what_is_fetched_is_sent(void **state)
{
    (void)state;
    struct mu_slice response = pki_ocsp(leaf, (struct pki_answer){0});
    struct scene s = fetching("'http://ocsp.example/'", "", leaf, response);
    scene_build(&s);
    if (s.world == NULL || s.findings.count > 0) {
        scene_show(&s);
    }
    assert_true(mu_slice_equal(chain_of(&s)->staple, response));
    assert_string_equal(chain_of(&s)->staple_url, "http://ocsp.example/");
    assert_ptr_equal(chain_of(&s)->staple_issuer, chain_of(&s)->certs[1]);
    scene_done(&s);
}

/* The parent of a gateway reads none, be it what it may; whoever serves finds it no good. */
static void what_is_left_unread(void **state)
{
    (void)state;
    struct scene s = fetching("'http://ocsp.example/'", "", leaf, mu_slice_of("junk", 4));
    assert_true(world_build_unread(s.snapshot, NULL, NULL, PKI_NOW_S, &s.findings, &s.world));
    assert_int_equal(chain_of(&s)->staple.len, 0);
    assert_string_equal(chain_of(&s)->staple_url, "http://ocsp.example/");
    assert_int_equal(s.findings.count, 0);
    scene_done(&s);
    s = fetching("'http://ocsp.example/'", "", leaf, mu_slice_of("junk", 4));
    scene_build(&s);
    assert_int_equal(chain_of(&s)->staple.len, 0);
    assert_found(&s, CONFIG_WARNING, MUTUAL_E_OCSP_MALFORMED, "well-formed");
    assert_found(&s, CONFIG_WARNING, MUTUAL_E_OCSP_MISSING, "until one is fetched");
    scene_done(&s);
}

static void where_the_certificate_says(void **state)
{
    (void)state;
    static const char *const both[] = {"ldap://ocsp.example/", "http://ocsp.example/a", NULL};
    static const char *const none[] = {"ldap://ocsp.example/", NULL};
    struct mu_cert_template t = {.ocsp_uris = both};
    struct pki *names = pki_issue(sub, (struct pki_leaf){.dns = "web.example.org", .t = &t});
    struct scene s = fetching("{from: certificate}", "", names, mu_slice_of(NULL, 0));
    scene_build(&s);
    assert_int_equal(s.findings.count, 0);
    assert_string_equal(chain_of(&s)->staple_url, "http://ocsp.example/a");
    scene_done(&s);
    /* another host than is allowed, and none at all: nothing is fetched, and that is told */
    s = fetching("{from: certificate}", "fetch: {allow: ocsp.example.org}\n", names,
                 mu_slice_of(NULL, 0));
    scene_build(&s);
    assert_found(&s, CONFIG_WARNING, MUTUAL_E_FETCH_FORBIDDEN, "fetch.allow");
    assert_null(chain_of(&s)->staple_url);
    scene_done(&s);
    t.ocsp_uris = none;
    names = pki_issue(sub, (struct pki_leaf){.dns = "web.example.org", .t = &t});
    s = fetching("{from: certificate}", "", names, mu_slice_of(NULL, 0));
    scene_build(&s);
    assert_found(&s, CONFIG_WARNING, MUTUAL_E_OCSP_MISSING, "names no OCSP responder");
    assert_null(chain_of(&s)->staple_url);
    scene_done(&s);
}

static void urls_that_cannot_be(void **state)
{
    (void)state;
    static const struct {
        const char *staple;
        const char *fetch;
        enum mutual_code code;
    } rows[] = {
        {"'ftp://ocsp.example/'", "", MUTUAL_E_HTTP_URL_INVALID},
        {"'https://ocsp.example/'", "", MUTUAL_E_CONFIG_INVALID},
        {"'http://ocsp.example/'", "fetch: {allow: other.example}\n", MUTUAL_E_FETCH_FORBIDDEN},
        {"{url: 'http://ocsp.example/', from: certificate}", "", MUTUAL_E_CONFIG_INVALID},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct scene s = fetching(rows[i].staple, rows[i].fetch, leaf, mu_slice_of(NULL, 0));
        scene_build(&s);
        assert_null(s.world);
        assert_found(&s, CONFIG_ERROR, rows[i].code, "");
        scene_done(&s);
    }
    struct scene s =
        fetching("'http://ocsp.example/', ocsp: my.ocsp", "", leaf, mu_slice_of(NULL, 0));
    scene_build(&s);
    assert_null(s.world);
    assert_found(&s, CONFIG_ERROR, MUTUAL_E_CONFIG_INVALID, "not both");
    scene_done(&s);
}

UNIT_MAIN(cmocka_unit_test_setup(a_good_one_is_sent, setup), cmocka_unit_test(by_an_anchor),
          cmocka_unit_test(what_is_not_sent), cmocka_unit_test(none_where_one_is_demanded),
          cmocka_unit_test(an_issuer_that_is_not_here), cmocka_unit_test(one_about_to_end),
          cmocka_unit_test(a_file_that_was_named), cmocka_unit_test(what_is_fetched_is_sent),
          cmocka_unit_test(what_is_left_unread), cmocka_unit_test(where_the_certificate_says),
          cmocka_unit_test(urls_that_cannot_be))
