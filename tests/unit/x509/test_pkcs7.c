/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates in PKCS#7: read back, read by OpenSSL, and everything else refused.
 */
#include <openssl/pkcs7.h>
#include <openssl/x509.h>

#include "pki.h"
#include "unit.h"
#include "x509/x509.h"

static struct mutual_error err;

static void make(size_t count, struct mu_buf *out)
{
    MU_AUTO(certs) struct mu_certs certs = {0};
    struct pki *root = pki_root("Root");
    for (size_t i = 0; i < count; i++) {
        const struct pki *leaf = pki_issue(root, (struct pki_leaf){.dns = "a.example.org"});
        assert_ok(mu_certs_add(&certs, leaf->cert, &err), &err);
    }
    mu_buf_init(out, 1u << 20);
    mu_certs_to_pkcs7(&certs, out);
    assert_false(out->failed);
}

static void it_is_read_back_and_by_openssl(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf der;
    MU_AUTO(certs) struct mu_certs certs = {0};
    make(3, &der);
    assert_ok(mu_certs_from_pkcs7(mu_buf_slice(&der), &certs, &err), &err);
    assert_int_equal(certs.count, 3);
    const unsigned char *at = der.data;
    PKCS7 *theirs = d2i_PKCS7(NULL, &at, (long)der.len);
    assert_non_null(theirs);
    assert_int_equal(sk_X509_num(theirs->d.sign->cert), 3);
    unsigned char *again = NULL;
    int len = i2d_PKCS7(theirs, &again); /* they would have written the same */
    assert_int_equal(len, der.len);
    assert_memory_equal(again, der.data, der.len);
    OPENSSL_free(again);
    PKCS7_free(theirs);
}

static void what_is_cut_or_changed_is_refused(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf der;
    make(1, &der);
    for (size_t len = 0; len < der.len; len++) {
        MU_AUTO(certs) struct mu_certs certs = {0};
        assert_fails(mu_certs_from_pkcs7(mu_slice_of(der.data, len), &certs, &err), &err,
                     MUTUAL_E_CMS_MALFORMED);
    }
    for (size_t i = 0; i < 40; i++) { /* the frame: every bit of it counts */
        MU_AUTO(certs) struct mu_certs certs = {0};
        der.data[i] ^= 0x01;
        assert_false(mu_certs_from_pkcs7(mu_buf_slice(&der), &certs, &err));
        der.data[i] ^= 0x01;
    }
    (void)mu_buf_byte(&der, 0);
    MU_AUTO(certs) struct mu_certs certs = {0};
    assert_fails(mu_certs_from_pkcs7(mu_buf_slice(&der), &certs, &err), &err,
                 MUTUAL_E_CMS_MALFORMED);
}

static void none_and_too_many(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf none;
    MU_AUTO(buf) struct mu_buf many;
    MU_AUTO(certs) struct mu_certs certs = {0};
    make(0, &none);
    assert_fails(mu_certs_from_pkcs7(mu_buf_slice(&none), &certs, &err), &err,
                 MUTUAL_E_CMS_MALFORMED);
    make(MU_LIMIT_CHAIN_SENT + 1, &many);
    assert_fails(mu_certs_from_pkcs7(mu_buf_slice(&many), &certs, &err), &err, MUTUAL_E_LIMIT);
}

static void a_request_for_what_a_certificate_has(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    static const struct pki_leaf leaves[] = {
        {.cn = "web", .dns = "a.example.org", .uri = "spiffe://example.org/a", .ip = "::1"},
        {.dns = "a.example.org"},
    };
    for (size_t i = 0; i < MU_COUNT(leaves); i++) {
        MU_AUTO(buf) struct mu_buf der;
        MU_AUTO(csr) struct mu_csr *csr = NULL;
        MU_AUTO(key) struct mu_key *key = NULL;
        const struct pki *leaf = pki_issue(root, leaves[i]);
        const struct mu_cert_facts *cert = mu_cert_facts(leaf->cert);
        mu_buf_init(&der, 65536);
        assert_ok(mu_key_generate(MU_SPEC_EC_P256, &key, &err), &err);
        assert_ok(mu_csr_build_again(key, leaf->cert, &der, &err), &err);
        assert_ok(mu_csr_from_der(mu_buf_slice(&der), &csr, &err), &err);
        const struct mu_csr_facts *facts = mu_csr_facts(csr);
        assert_true(mu_slice_equal(facts->subject, cert->subject));
        assert_int_equal(facts->name_count, cert->name_count);
        for (size_t j = 0; j < facts->name_count; j++) {
            assert_int_equal(facts->names[j].type, cert->names[j].type);
            assert_true(mu_slice_equal(facts->names[j].bytes, cert->names[j].bytes));
        }
        assert_true(mu_slice_equal(facts->spki, mu_key_spki(key)));
    }
}

UNIT_MAIN(UNIT_CASE(it_is_read_back_and_by_openssl), UNIT_CASE(what_is_cut_or_changed_is_refused),
          UNIT_CASE(none_and_too_many), UNIT_CASE(a_request_for_what_a_certificate_has))
