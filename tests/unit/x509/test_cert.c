/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates: the facts, the flaws of the fixed fields, and what is refused.
 */
#include "odd.h"

#include <openssl/x509.h>

static void facts_of_a_leaf(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root, Inc");
    struct pki *leaf = pki_issue(root, (struct pki_leaf){.cn = "leaf",
                                                         .uri = "spiffe://example.org/a",
                                                         .dns = "a.example",
                                                         .email = "a@b.example",
                                                         .ip = "10.0.0.1",
                                                         .client = true});
    const struct mu_cert_facts *f = mu_cert_facts(leaf->cert);
    assert_int_equal(f->flaws, 0);
    assert_int_equal(f->version, 3);
    assert_int_equal(f->serial.len, MU_SERIAL_BYTES);
    assert_string_equal(f->subject_text, "CN=leaf");
    assert_string_equal(f->issuer_text, "CN=Root\\, Inc");
    assert_string_equal(f->display, "leaf");
    assert_int_equal(f->not_before_s, PKI_NOW_S - PKI_DAY_S);
    assert_int_equal(f->not_after_s, PKI_NOW_S + 90 * PKI_DAY_S);
    assert_int_equal(f->name_count, 4);
    assert_int_equal(f->names[0].type, MU_GNAME_URI);
    assert_true(mu_slice_equal_text(f->names[1].bytes, "a.example"));
    assert_int_equal(f->names[3].type, MU_GNAME_IP);
    assert_int_equal(f->common_name_count, 1);
    assert_true(mu_slice_equal_text(f->common_names[0], "leaf"));
    assert_false(f->ca || f->has_bc || f->self_issued || f->must_staple);
    assert_int_equal(f->path_length, -1);
    assert_int_equal(f->require_explicit_policy, -1);
    assert_int_equal(f->eku, MU_EKU_CLIENT);
    assert_int_equal(f->key_usage, MU_KU_DIGITAL_SIGNATURE);
    assert_true(f->ku_critical);
    assert_int_equal(f->key.curve, MU_CURVE_P256);
    assert_null(f->key.weak);
    assert_int_equal(f->sig.digest, MU_DIGEST_SHA256);
    assert_true(mu_slice_equal(f->akid, mu_cert_facts(root->cert)->skid));
    assert_memory_equal(f->key_hash, mu_key_hash(leaf->key), 32);
    assert_true(mu_slice_equal(f->issuer_canon, mu_cert_facts(root->cert)->subject_canon));
    assert_true(mu_cert_facts(root->cert)->self_issued);
    assert_true(mu_cert_may_issue(root->cert, leaf->cert));
    assert_false(mu_cert_may_issue(leaf->cert, root->cert));
    assert_false(mu_cert_may_issue(pki_root("Root, Inc")->cert, leaf->cert)); /* other key */
}

static void openssl_reads_the_same(void **state)
{
    (void)state;
    struct mutual_error err;
    struct pki *leaf = pki_issue(NULL, (struct pki_leaf){.cn = "leaf", .dns = "a.example"});
    const X509 *x509 = mu_cert_x509(leaf->cert);
    assert_non_null(x509);
    assert_ptr_equal(x509, mu_cert_x509(leaf->cert));
    unsigned char digest[32];
    assert_int_equal(X509_digest(x509, EVP_sha256(), digest, NULL), 1);
    assert_memory_equal(digest, mu_cert_facts(leaf->cert)->fingerprint, 32);
    MU_AUTO(cert) struct mu_cert *back = NULL;
    assert_ok(mu_cert_from_x509(mu_cert_x509(leaf->cert), &back, &err), &err);
    assert_ptr_equal(mu_cert_x509(back), x509);
    assert_true(mu_slice_equal(mu_cert_facts(back)->der, pki_der(leaf)));
}

static void flaws_of_the_fixed_fields(void **state)
{
    (void)state;
    static const struct {
        struct odd odd;
        uint64_t flaw;
    } cases[] = {
        {{.serial = {(const uint8_t *)"\x02\x01\x00", 3}}, MU_FLAW(SERIAL_ZERO)},
        {{.serial = {(const uint8_t *)"\x02\x01\x81", 3}}, MU_FLAW(SERIAL_NEGATIVE)},
        {{.serial = {(const uint8_t *)"\x02\x15"
                                      "012345678901234567890",
                     23}},
         MU_FLAW(SERIAL_LONG)},
        {{.outer_algorithm = {(const uint8_t *)"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03",
                              12}},
         MU_FLAW(ALGORITHMS_DIFFER)},
        {{.algorithm = {(const uint8_t *)"\x30\x0c\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x05\x00",
                        14}},
         MU_FLAW(ALGORITHM_PARAMETERS)},
        {{.issuer = {(const uint8_t *)"\x30\x00", 2}},
         MU_FLAW(ISSUER_EMPTY) | MU_FLAW(AKI_MISSING)},
        {{.subject = {(const uint8_t *)"\x30\x00", 2}},
         MU_FLAW(SUBJECT_EMPTY) | MU_FLAW(AKI_MISSING)},
        {{.validity = {(const uint8_t *)"\x30\x1e\x17\x0d"
                                        "270201000000Z"
                                        "\x17\x0d"
                                        "270101000000Z",
                       32}},
         MU_FLAW(TIME_ORDER)},
        {{.validity = {(const uint8_t *)"\x30\x20\x17\x0d"
                                        "270101000000Z"
                                        "\x18\x0f"
                                        "20270201000000Z",
                       34}},
         MU_FLAW(TIME_FORM)},
        {{.tail = {(const uint8_t *)"\x81\x02\x00x", 4}}, MU_FLAW(UNIQUE_ID)},
        {{.version = {(const uint8_t *)"\xa0\x03\x02\x01\x00", 5}}, MU_FLAW(NOT_DER)},
        {{.tail = {(const uint8_t *)"\xa3\x02\x30\x00", 4}}, MU_FLAW(EXTENSIONS_EMPTY)},
        {{.version = {(const uint8_t *)"\xa0\x03\x02\x01\x01", 5},
          .tail = {(const uint8_t *)"\xa3\x02\x30\x00", 4}},
         MU_FLAW(VERSION) | MU_FLAW(EXTENSIONS_EMPTY)},
        {{.no_version = true}, 0},
        {{.no_version = false}, 0},
    };
    for (size_t i = 0; i < MU_COUNT(cases); i++) {
        struct mutual_error err = {0};
        MU_AUTO(cert) struct mu_cert *cert = NULL;
        assert_ok(odd_read(cases[i].odd, &cert, &err), &err);
        if (mu_cert_facts(cert)->flaws != cases[i].flaw) {
            fail_msg("case %zu: flaws %llx, expected %llx", i,
                     (unsigned long long)mu_cert_facts(cert)->flaws,
                     (unsigned long long)cases[i].flaw);
        }
    }
    assert_null(mu_cert_flaw_text(0));
    assert_string_equal(mu_cert_flaw_text(MU_FLAW(SERIAL_ZERO) | MU_FLAW(UNIQUE_ID)),
                        "its serial number is zero (4.1.2.2)");
    assert_non_null(mu_cert_flaw_text(MU_FLAW(URI_BYTES)));
}

static void what_is_no_certificate_is_refused(void **state)
{
    (void)state;
    static const struct odd cases[] = {
        {.junk = {(const uint8_t *)"x", 1}},
        {.version = {(const uint8_t *)"\xa0\x03\x02\x01\x03", 5}},
        {.version = {(const uint8_t *)"\xa0\x02\x02\x01", 4}},
        {.serial = {(const uint8_t *)"\x02\x02\x00\x01", 4}},
        {.serial = {(const uint8_t *)"\x02\x00", 2}},
        {.validity = {(const uint8_t *)"\x30\x1c\x17\x0b"
                                       "2701010000Z"
                                       "\x17\x0d"
                                       "270201000000Z",
                      30}},
        {.validity = {(const uint8_t *)"\x30\x00", 2}},
        {.issuer = {(const uint8_t *)"\x31\x00", 2}},
        {.subject = {(const uint8_t *)"\x30\x02\x31\x00", 4}},
        {.spki = {(const uint8_t *)"\x30\x00", 2}},
        {.algorithm = {(const uint8_t *)"\x30\x00", 2}},
        {.tail = {(const uint8_t *)"\x04\x00", 2}},
        {.tail = {(const uint8_t *)"\xa3\x00", 2}},
        {.tail = {(const uint8_t *)"\xa3\x02\x30\x00\x81\x02\x00x", 8}}, /* out of order */
    };
    for (size_t i = 0; i < MU_COUNT(cases); i++) {
        struct mutual_error err;
        struct mu_cert *cert = NULL;
        assert_fails(odd_read(cases[i], &cert, &err), &err, MUTUAL_E_CERT_MALFORMED);
        assert_null(cert);
    }
}

static void hostile_common_names_are_refused(void **state)
{
    (void)state;
    struct mutual_error err;
    struct mu_cert *cert = NULL;
    struct odd odd = {.subject = HEX("\x30\x0e\x31\x0c\x30\x0a\x06\x03\x55\x04\x03\x0c\x03"
                                     "a\0b")};
    assert_fails(odd_read(odd, &cert, &err), &err, MUTUAL_E_NAME_MALFORMED);
    odd.subject = HEX("\x30\x0e\x31\x0c\x30\x0a\x06\x03\x55\x04\x03\x13\x03"
                      "a\x1b"
                      "b");
    assert_fails(odd_read(odd, &cert, &err), &err, MUTUAL_E_NAME_MALFORMED);
    assert_non_null(strstr(err.context, "CN=a\\1Bb"));
    odd.subject = HEX("\x30\x0e\x31\x0c\x30\x0a\x06\x03\x55\x04\x03\x04\x03"
                      "abc");
    assert_fails(odd_read(odd, &cert, &err), &err, MUTUAL_E_CERT_MALFORMED);
}

static void size_is_limited(void **state)
{
    (void)state;
    struct mutual_error err;
    struct mu_cert *cert = NULL;
    static uint8_t large[MU_LIMIT_CERT_BYTES + 1];
    assert_fails(mu_cert_from_der(mu_slice_of(large, sizeof large), &cert, &err), &err,
                 MUTUAL_E_CERT_MALFORMED);
    assert_fails(mu_cert_from_der(mu_slice_of(NULL, 0), &cert, &err), &err,
                 MUTUAL_E_CERT_MALFORMED);
}

/* Every prefix and every flipped byte: refused or read, never worse. */
static void damaged_certificates_are_survived(void **state)
{
    (void)state;
    struct pki *leaf = pki_issue(NULL, (struct pki_leaf){.cn = "leaf", .dns = "a.example"});
    struct mu_slice der = pki_der(leaf);
    MU_AUTO(buf) struct mu_buf copy;
    mu_buf_init(&copy, der.len);
    for (size_t i = 0; i < der.len; i++) {
        struct mu_cert *cert = NULL;
        assert_false(mu_cert_from_der(mu_slice_of(der.data, i), &cert, NULL));
        for (unsigned bit = 0; bit < 8; bit++) {
            mu_buf_clear(&copy);
            mu_buf_append(&copy, der.data, der.len);
            copy.data[i] ^= (uint8_t)(1u << bit);
            if (mu_cert_from_der(mu_buf_slice(&copy), &cert, NULL)) {
                mu_cert_unref(cert);
            }
        }
    }
}

static void lack_of_memory_is_said(void **state)
{
    (void)state;
    struct mu_slice der =
        pki_der(pki_issue(NULL, (struct pki_leaf){.cn = "x", .dns = "a.example"}));
    for (unsigned long n = 1; n < 50; n++) {
        struct mutual_error err = {0};
        struct mu_cert *cert = NULL;
        mu_alloc_fail_after(n);
        bool done = mu_cert_from_der(der, &cert, &err);
        mu_alloc_fail_after(0);
        mu_cert_unref(cert);
        if (done) {
            return;
        }
        assert_true(err.code == MUTUAL_E_NO_MEMORY || err.code == MUTUAL_E_CERT_MALFORMED);
    }
    fail_msg("a certificate took 50 allocations");
}

UNIT_MAIN(UNIT_CASE(facts_of_a_leaf), UNIT_CASE(openssl_reads_the_same),
          UNIT_CASE(flaws_of_the_fixed_fields), UNIT_CASE(what_is_no_certificate_is_refused),
          UNIT_CASE(hostile_common_names_are_refused), UNIT_CASE(size_is_limited),
          UNIT_CASE(damaged_certificates_are_survived), UNIT_CASE(lack_of_memory_is_said))
