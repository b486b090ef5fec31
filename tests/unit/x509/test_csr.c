/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificate requests made, read, refused.
 */
#include "odd.h"

#include <openssl/x509.h>

static void make(enum mu_key_spec spec, struct mu_buf *out)
{
    struct mutual_error err;
    MU_AUTO(key) struct mu_key *key = NULL;
    assert_ok(mu_key_generate(spec, &key, &err), &err);
    const struct mu_rdn cn = {MU_ATTR_CN, "device"};
    const struct mu_gname names[] = {{MU_GNAME_DNS, MU_SLICE_LIT("d.example")},
                                     {MU_GNAME_IP, MU_SLICE_LIT("\x7f\0\0\x01")}};
    mu_buf_init(out, 10000);
    assert_ok(mu_csr_build(key, &cn, 1, names, 2, out, &err), &err);
}

static void requests_are_made_and_read(void **state)
{
    (void)state;
    static const enum mu_key_spec specs[] = {MU_SPEC_EC_P256, MU_SPEC_RSA_2048, MU_SPEC_ED25519};
    for (size_t i = 0; i < MU_COUNT(specs); i++) {
        struct mutual_error err;
        MU_AUTO(buf) struct mu_buf der;
        MU_AUTO(buf) struct mu_buf pem;
        MU_AUTO(csr) struct mu_csr *csr = NULL;
        make(specs[i], &der);
        mu_buf_init(&pem, 10000);
        mu_pem_write(&pem, "CERTIFICATE REQUEST", mu_buf_slice(&der));
        assert_ok(mu_csr_from_pem(mu_buf_slice(&pem), "x.csr", &csr, &err), &err);
        const struct mu_csr_facts *f = mu_csr_facts(csr);
        assert_string_equal(f->subject_text, "CN=device");
        assert_string_equal(f->display, "device");
        assert_int_equal(f->name_count, 2);
        assert_true(mu_slice_equal_text(f->names[0].bytes, "d.example"));
        assert_false(f->wants_ca);
        assert_null(f->key.weak);
        const unsigned char *p = der.data;
        X509_REQ *theirs = d2i_X509_REQ(NULL, &p, (long)der.len);
        assert_non_null(theirs);
        EVP_PKEY *key = X509_REQ_get_pubkey(theirs);
        assert_int_equal(X509_REQ_verify(theirs, key), 1);
        EVP_PKEY_free(key);
        X509_REQ_free(theirs);
    }
}

static void proof_of_possession_is_checked(void **state)
{
    (void)state;
    struct mutual_error err;
    MU_AUTO(buf) struct mu_buf der;
    struct mu_csr *csr = NULL;
    make(MU_SPEC_EC_P256, &der);
    uint8_t *name = memmem(der.data, der.len, "d.example", 9);
    assert_non_null(name);
    *name = 'e';
    assert_fails(mu_csr_from_der(mu_buf_slice(&der), &csr, &err), &err, MUTUAL_E_CSR_SIGNATURE);
}

static void garbage_is_refused(void **state)
{
    (void)state;
    struct mutual_error err;
    struct mu_csr *csr = NULL;
    static uint8_t large[MU_LIMIT_CERT_BYTES + 1];
    assert_fails(mu_csr_from_der(HEX("x"), &csr, &err), &err, MUTUAL_E_CSR_MALFORMED);
    assert_fails(mu_csr_from_der(mu_slice_of(large, sizeof large), &csr, &err), &err,
                 MUTUAL_E_CSR_MALFORMED);
    assert_fails(mu_csr_from_der(pki_der(pki_root("Root")), &csr, &err), &err,
                 MUTUAL_E_CSR_MALFORMED);
    assert_fails(mu_csr_from_pem(HEX("nothing"), "x.csr", &csr, &err), &err,
                 MUTUAL_E_PEM_MALFORMED);
    MU_AUTO(buf) struct mu_buf der;
    make(MU_SPEC_EC_P256, &der);
    for (size_t i = 0; i < der.len; i++) {
        assert_false(mu_csr_from_der(mu_slice_of(der.data, i), &csr, NULL));
        der.data[i] ^= 0x20;
        if (mu_csr_from_der(mu_buf_slice(&der), &csr, NULL)) {
            fail_msg("byte %zu is not covered by the signature", i);
        }
        der.data[i] ^= 0x20;
    }
}

/* A request with these attributes, signed. */
static bool with_attributes(struct mu_slice attributes, struct mu_csr **csr,
                            struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf info;
    MU_AUTO(buf) struct mu_buf sig;
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&info, 10000);
    mu_buf_init(&sig, 10000);
    mu_buf_init(&der, 10000);
    const struct mu_key *key = pki_root("Root")->key;
    size_t mark = mu_der_begin(&info, DER_SEQUENCE);
    mu_der_put_uint(&info, DER_INTEGER, 0);
    odd_put(&info, ODD_NAME);
    odd_put(&info, mu_key_spki(key));
    odd_put(&info, attributes);
    mu_der_end(&info, mark);
    assert_ok(mu_key_sign(key, mu_key_scheme(key), mu_buf_slice(&info), &sig, err), err);
    assert_ok(
        mu_signed_build(mu_buf_slice(&info), mu_key_scheme(key), mu_buf_slice(&sig), &der, err),
        err);
    return mu_csr_from_der(mu_buf_slice(&der), csr, err);
}

#define REQUEST_OID "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e"

static void attributes_are_read_strictly(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(csr) struct mu_csr *none = NULL;
    assert_ok(with_attributes(HEX(""), &none, &err), &err);
    assert_int_equal(mu_csr_facts(none)->name_count, 0);
    MU_AUTO(csr) struct mu_csr *ca = NULL;
    assert_ok(with_attributes(HEX("\xa0\x1f\x30\x1d" REQUEST_OID "\x31\x10\x30\x0e\x30\x0c\x06\x03"
                                  "\x55\x1d\x13\x04\x05\x30\x03\x01\x01\xff"),
                              &ca, &err),
              &err);
    assert_true(mu_csr_facts(ca)->wants_ca);
    assert_null(mu_csr_facts(ca)->unknown_critical);
    /* keyUsage and 1.2.3, both critical; then 1.2.3 twice */
    MU_AUTO(csr) struct mu_csr *odd = NULL;
    assert_ok(with_attributes(HEX("\xa0\x2b\x30\x29" REQUEST_OID
                                  "\x31\x1c\x30\x1a\x30\x0c\x06\x03\x55\x1d\x0f\x01\x01\xff\x04\x02"
                                  "\x03\x00\x30\x0a\x06\x02\x2a\x03\x01\x01\xff\x04\x01\x00"),
                              &odd, &err),
              &err);
    assert_string_equal(mu_csr_facts(odd)->unknown_critical, "1.2.3");
    struct mu_csr *twice = NULL;
    assert_fails(with_attributes(HEX("\xa0\x23\x30\x21" REQUEST_OID
                                     "\x31\x14\x30\x12\x30\x07\x06\x02\x2a\x03\x04\x01\x00\x30\x07"
                                     "\x06\x02\x2a\x03\x04\x01\x00"),
                                 &twice, &err),
                 &err, MUTUAL_E_CSR_MALFORMED);
    assert_string_equal(err.reason,
                        "the extension list, which names one twice, of the request is not "
                        "well-formed");
    struct mu_csr *csr = NULL;
    /* two values, no value, a second attribute, a name with a NUL */
    assert_fails(
        with_attributes(HEX("\xa0\x13\x30\x11" REQUEST_OID "\x31\x04\x30\x00\x30\x00"), &csr, &err),
        &err, MUTUAL_E_CSR_MALFORMED);
    assert_fails(with_attributes(HEX("\xa0\x0f\x30\x0d" REQUEST_OID "\x31\x00"), &csr, &err), &err,
                 MUTUAL_E_CSR_MALFORMED);
    assert_fails(with_attributes(HEX("\xa0\x22\x30\x0f" REQUEST_OID
                                     "\x31\x02\x30\x00\x30\x0f" REQUEST_OID "\x31\x02\x30\x00"),
                                 &csr, &err),
                 &err, MUTUAL_E_CSR_MALFORMED);
    assert_fails(
        with_attributes(HEX("\xa0\x1f\x30\x1d" REQUEST_OID "\x31\x10\x30\x0e\x30\x0c\x06\x03"
                            "\x55\x1d\x11\x04\x05\x30\x03\x82\x01\x00"),
                        &csr, &err),
        &err, MUTUAL_E_NAME_MALFORMED);
    assert_fails(
        with_attributes(HEX("\xa0\x1f\x30\x1d" REQUEST_OID "\x31\x10\x30\x0e\x30\x0c\x06\x03"
                            "\x55\x1d\x11\x04\x05\x30\x03\x82\x05x"),
                        &csr, &err),
        &err, MUTUAL_E_CSR_MALFORMED);
}

static void a_request_for_what_a_certificate_has(void **state)
{
    (void)state;
    struct mutual_error err = {0};
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

UNIT_MAIN(UNIT_CASE(a_request_for_what_a_certificate_has), UNIT_CASE(requests_are_made_and_read),
          UNIT_CASE(proof_of_possession_is_checked), UNIT_CASE(garbage_is_refused),
          UNIT_CASE(attributes_are_read_strictly))
