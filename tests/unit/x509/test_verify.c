/* SPDX-License-Identifier: Apache-2.0
 *
 * Signature checks between certificates.
 */
#include "odd.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

static void chains_of_every_key_verify(void **state)
{
    (void)state;
    struct mutual_error err;
    for (unsigned spec = 0; spec < MU_SPEC_COUNT_; spec++) {
        if (spec == MU_SPEC_RSA_3072 || spec == MU_SPEC_RSA_4096) {
            continue; /* slow to make, and the same code */
        }
        struct mu_rdn cn = {MU_ATTR_CN, "CA"};
        struct mu_cert_template t = {
            .subject = &cn, .subject_count = 1, .ca = true, .key_usage = MU_KU_KEY_CERT_SIGN};
        struct pki *root = pki_make(NULL, &t, (enum mu_key_spec)spec);
        struct pki *leaf = pki_issue(root, (struct pki_leaf){.cn = "leaf"});
        assert_ok(mu_cert_signed_by(root->cert, root->cert, &err), &err);
        assert_ok(mu_cert_signed_by(leaf->cert, root->cert, &err), &err);
        assert_fails(mu_cert_signed_by(leaf->cert, leaf->cert, &err), &err,
                     MUTUAL_E_CERT_SIGNATURE);
        struct pki *other = pki_make(NULL, &t, (enum mu_key_spec)spec);
        assert_fails(mu_cert_signed_by(leaf->cert, other->cert, &err), &err,
                     MUTUAL_E_CERT_SIGNATURE);
        assert_non_null(strstr(err.reason, "\"leaf\""));
    }
}

static void altered_certificates_do_not_verify(void **state)
{
    (void)state;
    struct mutual_error err;
    struct pki *root = pki_root("Root");
    struct pki *leaf = pki_issue(root, (struct pki_leaf){.cn = "leaf", .dns = "a.example"});
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, 10000);
    odd_put(&der, pki_der(leaf));
    uint8_t *name = memmem(der.data, der.len, "a.example", 9);
    assert_non_null(name);
    *name = 'b';
    MU_AUTO(cert) struct mu_cert *altered = NULL;
    assert_ok(mu_cert_from_der(mu_buf_slice(&der), &altered, &err), &err);
    assert_fails(mu_cert_signed_by(altered, root->cert, &err), &err, MUTUAL_E_CERT_SIGNATURE);
}

static void weak_signatures_are_refused_before_any_work(void **state)
{
    (void)state;
    struct mutual_error err;
    struct pki *root = pki_root("Root");
    struct odd odd = {.algorithm = HEX("\x30\x09\x06\x07\x2a\x86\x48\xce\x3d\x04\x01")};
    MU_AUTO(cert) struct mu_cert *sha1 = NULL;
    assert_ok(odd_read(odd, &sha1, &err), &err);
    assert_fails(mu_cert_signed_by(sha1, root->cert, &err), &err, MUTUAL_E_WEAK_SIGNATURE);
    odd.algorithm = HEX("\x30\x04\x06\x02\x2a\x03");
    MU_AUTO(cert) struct mu_cert *strange = NULL;
    assert_ok(odd_read(odd, &strange, &err), &err);
    assert_fails(mu_cert_signed_by(strange, root->cert, &err), &err, MUTUAL_E_KEY_UNSUPPORTED);
    /* An algorithm of another kind than the key. */
    odd.algorithm = HEX("\x30\x05\x06\x03\x2b\x65\x70");
    MU_AUTO(cert) struct mu_cert *mixed = NULL;
    assert_ok(odd_read(odd, &mixed, &err), &err);
    assert_fails(mu_cert_signed_by(mixed, root->cert, &err), &err, MUTUAL_E_CERT_SIGNATURE);
}

static void weak_issuers_are_refused(void **state)
{
    (void)state;
    struct mutual_error err;
    EVP_PKEY *evp = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
    MU_AUTO(key) struct mu_key *key = NULL;
    assert_ok(mu_key_from_evp(evp, mu_slice_of(NULL, 0), &key, &err), &err);
    EVP_PKEY_free(evp);
    struct mu_rdn cn = {MU_ATTR_CN, "weak"};
    struct mu_cert_template t = {.subject = &cn, .subject_count = 1, .ca = true};
    struct pki *root = pki_make_with(NULL, &t, key);
    assert_fails(mu_cert_signed_by(root->cert, root->cert, &err), &err, MUTUAL_E_WEAK_KEY);
    struct odd odd = {.spki = HEX("\x30\x0a\x30\x04\x06\x02\x2a\x03\x03\x02\x00x")};
    MU_AUTO(cert) struct mu_cert *strange = NULL;
    assert_ok(odd_read(odd, &strange, &err), &err);
    assert_fails(mu_cert_signed_by(root->cert, strange, &err), &err, MUTUAL_E_KEY_UNSUPPORTED);
}

static void pss_certificates_verify(void **state)
{
    (void)state;
    struct mutual_error err;
    struct pki *root = pki_make(NULL, &(struct mu_cert_template){.ca = true}, MU_SPEC_RSA_2048);
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
    enum mu_scheme scheme = MU_SCHEME_RSA_PSS_RSAE_SHA384;
    assert_ok(mu_cert_build_tbs(&t, scheme, &tbs, &err), &err);
    assert_ok(mu_key_sign(root->key, scheme, mu_buf_slice(&tbs), &sig, &err), &err);
    assert_ok(mu_signed_build(mu_buf_slice(&tbs), scheme, mu_buf_slice(&sig), &der, &err), &err);
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    assert_ok(mu_cert_from_der(mu_buf_slice(&der), &cert, &err), &err);
    assert_string_equal(mu_cert_facts(cert)->sig.text, "RSA-PSS with SHA-384");
    assert_ok(mu_cert_signed_by(cert, root->cert, &err), &err);
    assert_int_equal(X509_verify(mu_cert_x509(cert), mu_key_evp(root->key)), 1);
}

UNIT_MAIN(UNIT_CASE(chains_of_every_key_verify), UNIT_CASE(altered_certificates_do_not_verify),
          UNIT_CASE(weak_signatures_are_refused_before_any_work),
          UNIT_CASE(weak_issuers_are_refused), UNIT_CASE(pss_certificates_verify))
