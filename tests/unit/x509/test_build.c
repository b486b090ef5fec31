/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates made: what the template says is what we and OpenSSL read back.
 */
#include "pki.h"
#include "unit.h"

#include <openssl/x509.h>
#include <openssl/x509v3.h>

static const char *const crl_uris[] = {"http://ca.example/crl", NULL};
static const char *const ocsp_uris[] = {"http://ca.example/ocsp", NULL};
static const char *const issuer_uris[] = {"http://ca.example/ca", "http://b.example/ca", NULL};
static const char *const policies[] = {"1.3.6.1.4.1.99999.1", "2.23.140.1.2.1", NULL};

static void everything_is_written(void **state)
{
    (void)state;
    struct mutual_error err;
    const struct mu_rdn subject[] = {{MU_ATTR_C, "DE"}, {MU_ATTR_O, "Org"}, {MU_ATTR_CN, "Sub"}};
    const struct mu_subtree permitted[] = {{{MU_GNAME_DNS, MU_SLICE_LIT("example.org")}, false},
                                           {{MU_GNAME_URI, MU_SLICE_LIT("example.org")}, false}};
    const struct mu_subtree excluded[] = {
        {{MU_GNAME_IP, MU_SLICE_LIT("\x0a\0\0\0\xff\0\0\0")}, false}};
    struct mu_cert_template t = {
        .subject = subject,
        .subject_count = MU_COUNT(subject),
        .serial = MU_SLICE_LIT("\x00\xff\x01"),
        .not_before_s = PKI_NOW_S,
        .not_after_s = MU_TIME_NEVER_S,
        .ca = true,
        .path_limited = true,
        .path_length = 0,
        .key_usage = MU_KU_KEY_CERT_SIGN | MU_KU_CRL_SIGN,
        .eku = MU_EKU_CLIENT | MU_EKU_SERVER,
        .permitted = permitted,
        .permitted_count = 2,
        .excluded = excluded,
        .excluded_count = 1,
        .crl_uris = crl_uris,
        .ocsp_uris = ocsp_uris,
        .issuer_uris = issuer_uris,
        .policies = policies,
        .must_staple = true,
    };
    struct pki *root = pki_root("Root");
    struct pki *sub = pki_make(root, &t, MU_SPEC_EC_P384);
    const struct mu_cert_facts *f = mu_cert_facts(sub->cert);
    assert_int_equal(f->flaws, 0);
    assert_string_equal(f->subject_text, "CN=Sub,O=Org,C=DE");
    assert_true(mu_slice_equal(f->serial, MU_SLICE_LIT("\xff\x01")));
    assert_int_equal(f->not_after_s, INT64_C(253402300799));
    assert_true(f->ca);
    assert_int_equal(f->path_length, 0);
    assert_int_equal(f->eku, MU_EKU_CLIENT | MU_EKU_SERVER);
    assert_int_equal(f->permitted_count, 2);
    assert_int_equal(f->excluded_count, 1);
    assert_string_equal(f->crl_uris[0], crl_uris[0]);
    assert_string_equal(f->issuer_uris[1], issuer_uris[1]);
    assert_null(f->issuer_uris[2]);
    assert_string_equal(f->policies[1], policies[1]);
    assert_true(f->must_staple);
    assert_null(f->unknown_critical);
    assert_ok(mu_cert_signed_by(sub->cert, root->cert, &err), &err);
    X509 *x509 = mu_cert_x509(sub->cert);
    assert_int_equal(X509_check_ca(x509), 1);
    assert_int_equal(X509_get_pathlen(x509), 0);
    assert_int_equal(X509_get_extension_flags(x509) & EXFLAG_INVALID, 0);
    assert_int_equal(X509_check_issued(mu_cert_x509(root->cert), x509), X509_V_OK);
    assert_int_equal(X509_verify(x509, mu_key_evp(root->key)), 1);
}

/* OpenSSL's own path validation, at its strictest, finds nothing to say. */
static void openssl_accepts_the_chain(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct pki *sub = pki_ca(root, "Sub");
    struct pki *leaf = pki_issue(sub, (struct pki_leaf){.cn = "leaf", .dns = "a.example"});
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *chain = sk_X509_new_null();
    assert_int_equal(X509_STORE_add_cert(store, mu_cert_x509(root->cert)), 1);
    assert_true(sk_X509_push(chain, mu_cert_x509(sub->cert)) > 0);
    assert_int_equal(X509_STORE_CTX_init(ctx, store, mu_cert_x509(leaf->cert), chain), 1);
    X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_X509_STRICT);
    X509_STORE_CTX_set_time(ctx, 0, PKI_NOW_S);
    X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_CLIENT);
    int verified = X509_verify_cert(ctx);
    if (verified != 1) {
        fail_msg("%s", X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
    }
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    sk_X509_free(chain);
}

static void an_empty_subject_makes_names_critical(void **state)
{
    (void)state;
    struct pki *leaf = pki_issue(pki_root("Root"), (struct pki_leaf){.uri = "spiffe://a/b"});
    const struct mu_cert_facts *f = mu_cert_facts(leaf->cert);
    assert_int_equal(f->flaws, 0);
    assert_true(f->san_critical);
    assert_string_equal(f->subject_text, "");
    assert_string_equal(f->display, "URI:spiffe://a/b");
}

static void serials_are_long_and_positive(void **state)
{
    (void)state;
    uint8_t a[MU_SERIAL_BYTES];
    uint8_t b[MU_SERIAL_BYTES];
    struct mutual_error err;
    for (int i = 0; i < 100; i++) {
        assert_ok(mu_serial_new(a, &err), &err);
        assert_ok(mu_serial_new(b, &err), &err);
        assert_int_equal(a[0] >> 6, 1);
        assert_memory_not_equal(a, b, sizeof a);
    }
}

static void contradictions_are_refused(void **state)
{
    (void)state;
    struct mutual_error err;
    struct pki *root = pki_root("Root");
    const struct mu_subtree dns = {{MU_GNAME_DNS, MU_SLICE_LIT("a")}, false};
    const struct mu_raw_extension no_oid = {"abc", false, MU_SLICE_LIT("x")};
    const char *const no_policy[] = {"x", NULL};
    struct mu_slice spki = mu_key_spki(root->key);
    const struct mu_cert_template wrong[] = {
        {.spki = spki, .serial = MU_SLICE_LIT("123456789012345678901")},
        {.spki = spki,
         .serial = MU_SLICE_LIT("\xff"
                                "1234567890123456789")},
        {.spki = spki, .not_before_s = 2, .not_after_s = 1},
        {.spki = spki, .path_limited = true},
        {.spki = spki, .permitted = &dns, .permitted_count = 1},
        {.spki = spki, .key_usage = MU_KU_KEY_CERT_SIGN},
        {.spki = spki, .eku = MU_EKU_OTHER},
        {.spki = spki, .name_count = MU_LIMIT_CERT_NAMES + 1},
        {.spki = spki, .extra = &no_oid, .extra_count = 1},
        {.spki = spki, .policies = no_policy},
        {.spki = {NULL, 0}},
    };
    for (size_t i = 0; i < MU_COUNT(wrong); i++) {
        MU_AUTO(buf) struct mu_buf out;
        mu_buf_init(&out, 10000);
        assert_fails(mu_cert_build_tbs(&wrong[i], MU_SCHEME_ED25519, &out, &err), &err,
                     MUTUAL_E_USAGE);
    }
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 10000);
    struct mu_cert_template good = {.spki = spki};
    assert_fails(mu_cert_build_tbs(&good, MU_SCHEME_NONE, &out, &err), &err,
                 MUTUAL_E_KEY_UNSUPPORTED);
    const char *const bad_uri[] = {"http://\n", NULL};
    good.crl_uris = bad_uri;
    assert_fails(mu_cert_build_tbs(&good, MU_SCHEME_ED25519, &out, &err), &err,
                 MUTUAL_E_NAME_MALFORMED);
    MU_AUTO(buf) struct mu_buf tiny;
    mu_buf_init(&tiny, 50);
    good.crl_uris = NULL;
    assert_fails(mu_cert_build_tbs(&good, MU_SCHEME_ED25519, &tiny, &err), &err, MUTUAL_E_LIMIT);
}

static void only_the_issuers_key_signs(void **state)
{
    (void)state;
    struct mutual_error err;
    struct pki *a = pki_root("A");
    struct pki *b = pki_root("B");
    struct mu_cert *cert = NULL;
    struct mu_cert_template t = {.issuer = a->cert, .spki = mu_key_spki(b->key)};
    assert_fails(mu_cert_sign(&t, b->key, &cert, &err), &err, MUTUAL_E_KEY_MISMATCH);
    t.issuer = NULL;
    assert_fails(mu_cert_sign(&t, a->key, &cert, &err), &err, MUTUAL_E_KEY_MISMATCH);
}

static void the_signer_may_live_elsewhere(void **state)
{
    (void)state;
    struct mutual_error err;
    struct pki *root = pki_root("Root");
    struct mu_cert_template t = {.issuer = root->cert,
                                 .not_before_s = PKI_NOW_S,
                                 .not_after_s = PKI_NOW_S + 1,
                                 .spki = mu_key_spki(root->key)};
    MU_AUTO(buf) struct mu_buf tbs;
    MU_AUTO(buf) struct mu_buf sig;
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&tbs, 10000);
    mu_buf_init(&sig, 10000);
    mu_buf_init(&der, 10000);
    enum mu_scheme scheme = mu_key_scheme(root->key);
    assert_ok(mu_cert_build_tbs(&t, scheme, &tbs, &err), &err);
    assert_ok(mu_key_sign(root->key, scheme, mu_buf_slice(&tbs), &sig, &err), &err);
    assert_ok(mu_signed_build(mu_buf_slice(&tbs), scheme, mu_buf_slice(&sig), &der, &err), &err);
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    assert_ok(mu_cert_from_der(mu_buf_slice(&der), &cert, &err), &err);
    assert_ok(mu_cert_signed_by(cert, root->cert, &err), &err);
}

UNIT_MAIN(UNIT_CASE(everything_is_written), UNIT_CASE(openssl_accepts_the_chain),
          UNIT_CASE(an_empty_subject_makes_names_critical),
          UNIT_CASE(serials_are_long_and_positive), UNIT_CASE(contradictions_are_refused),
          UNIT_CASE(only_the_issuers_key_signs), UNIT_CASE(the_signer_may_live_elsewhere))
