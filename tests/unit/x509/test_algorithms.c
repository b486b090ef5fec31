/* SPDX-License-Identifier: Apache-2.0
 *
 * Algorithm identifiers and public keys as they are written, read back by us and by OpenSSL.
 */
#include "odd.h"

#include <openssl/x509.h>

static void every_scheme_is_written_and_read(void **state)
{
    (void)state;
    static const struct {
        enum mu_scheme scheme;
        enum mu_key_kind kind;
        enum mu_digest digest;
        unsigned salt;
    } cases[] = {
        {MU_SCHEME_RSA_PKCS1_SHA256, MU_KEY_RSA, MU_DIGEST_SHA256, 0},
        {MU_SCHEME_RSA_PKCS1_SHA512, MU_KEY_RSA, MU_DIGEST_SHA512, 0},
        {MU_SCHEME_ECDSA_P256_SHA256, MU_KEY_EC, MU_DIGEST_SHA256, 0},
        {MU_SCHEME_ECDSA_P521_SHA512, MU_KEY_EC, MU_DIGEST_SHA512, 0},
        {MU_SCHEME_RSA_PSS_RSAE_SHA384, MU_KEY_RSA_PSS, MU_DIGEST_SHA384, 48},
        {MU_SCHEME_RSA_PSS_PSS_SHA256, MU_KEY_RSA_PSS, MU_DIGEST_SHA256, 32},
        {MU_SCHEME_ED25519, MU_KEY_ED25519, MU_DIGEST_NONE, 0},
    };
    for (size_t i = 0; i < MU_COUNT(cases); i++) {
        MU_AUTO(buf) struct mu_buf out;
        mu_buf_init(&out, 1000);
        assert_true(mu_sig_write(&out, cases[i].scheme));
        struct mu_slice body;
        struct mu_sig_info info;
        bool params_ok = false;
        assert_true(mu_der_only(mu_buf_slice(&out), DER_SEQUENCE, &body));
        assert_true(mu_sig_read(body, &info, &params_ok));
        assert_true(params_ok);
        assert_int_equal(info.kind, cases[i].kind);
        assert_int_equal(info.digest, cases[i].digest);
        assert_int_equal(info.salt, cases[i].salt);
        const unsigned char *p = out.data;
        X509_ALGOR *theirs = d2i_X509_ALGOR(NULL, &p, (long)out.len);
        assert_non_null(theirs);
        X509_ALGOR_free(theirs);
    }
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 1000);
    assert_false(mu_sig_write(&out, MU_SCHEME_NONE));
}

static struct mu_sig_info info_of(struct mu_slice body, bool *params_ok)
{
    struct mu_sig_info info;
    assert_true(mu_sig_read(body, &info, params_ok));
    return info;
}

static void weak_and_unknown_algorithms(void **state)
{
    (void)state;
    bool ok;
    struct mu_slice sha1 = HEX("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05\x05\x00");
    assert_int_equal(info_of(sha1, &ok).digest, MU_DIGEST_WEAK);
    assert_int_equal(info_of(HEX("\x06\x07\x2a\x86\x48\xce\x3d\x04\x01"), &ok).digest,
                     MU_DIGEST_WEAK);
    assert_int_equal(info_of(HEX("\x06\x02\x2a\x03"), &ok).kind, MU_KEY_OTHER);
    /* RSA with SHA-256 wants its NULL. */
    assert_int_equal(info_of(HEX("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"), &ok).digest,
                     MU_DIGEST_SHA256);
    assert_false(ok);
    /* PSS with everything left out is SHA-1; without parameters it is malformed. */
    assert_int_equal(
        info_of(HEX("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a\x30\x00"), &ok).digest,
        MU_DIGEST_WEAK);
    assert_true(ok);
    assert_int_equal(info_of(HEX("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"), &ok).digest,
                     MU_DIGEST_OTHER);
    assert_false(ok);
    struct mu_sig_info info;
    assert_false(mu_sig_read(HEX(""), &info, &ok));
    assert_false(mu_sig_read(HEX("\x06\x00"), &info, &ok));
    assert_false(mu_sig_read(HEX("\x06\x02\x2a\x03\x05\x00\x05\x00"), &info, &ok));
}

static void keys_are_described(void **state)
{
    (void)state;
    static const struct {
        enum mu_key_spec spec;
        enum mu_key_kind kind;
        enum mu_curve curve;
        unsigned bits;
        const char *text;
    } cases[] = {
        {MU_SPEC_EC_P256, MU_KEY_EC, MU_CURVE_P256, 256, "EC P-256"},
        {MU_SPEC_EC_P384, MU_KEY_EC, MU_CURVE_P384, 384, "EC P-384"},
        {MU_SPEC_RSA_2048, MU_KEY_RSA, MU_CURVE_NONE, 2048, "RSA"},
        {MU_SPEC_ED25519, MU_KEY_ED25519, MU_CURVE_NONE, 256, "Ed25519"},
    };
    for (size_t i = 0; i < MU_COUNT(cases); i++) {
        struct mutual_error err;
        MU_AUTO(key) struct mu_key *key = NULL;
        assert_ok(mu_key_generate(cases[i].spec, &key, &err), &err);
        const struct mu_key_info *info = mu_key_info(key);
        assert_int_equal(info->kind, cases[i].kind);
        assert_int_equal(info->curve, cases[i].curve);
        assert_int_equal(info->bits, cases[i].bits);
        assert_string_equal(info->text, cases[i].text);
        assert_null(info->weak);
    }
}

static struct mu_key_info rsa(size_t modulus_bytes, uint8_t last, struct mu_slice exponent)
{
    static uint8_t modulus[2048];
    memset(modulus, 0x5a, sizeof modulus);
    modulus[0] = 0x80;
    modulus[modulus_bytes - 1] = last;
    MU_AUTO(buf) struct mu_buf key;
    MU_AUTO(buf) struct mu_buf spki;
    mu_buf_init(&key, 10000);
    mu_buf_init(&spki, 10000);
    size_t pair = mu_der_begin(&key, DER_SEQUENCE);
    mu_der_put_magnitude(&key, DER_INTEGER, mu_slice_of(modulus, modulus_bytes));
    mu_der_put_magnitude(&key, DER_INTEGER, exponent);
    mu_der_end(&key, pair);
    size_t body = mu_der_begin(&spki, DER_SEQUENCE);
    odd_put(&spki, HEX("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"));
    mu_der_put_bits(&spki, mu_buf_slice(&key));
    mu_der_end(&spki, body);
    struct mu_key_info info;
    assert_true(mu_spki_info(mu_buf_slice(&spki), &info));
    return info;
}

static void weak_keys_are_named(void **state)
{
    (void)state;
    assert_null(rsa(256, 1, HEX("\x01\x00\x01")).weak);
    assert_null(rsa(256, 1, HEX("\x03")).weak);
    assert_int_equal(rsa(255, 1, HEX("\x03")).bits, 2040);
    assert_non_null(rsa(255, 1, HEX("\x03")).weak);
    assert_null(rsa(MU_LIMIT_RSA_BITS / 8, 1, HEX("\x03")).weak);
    assert_non_null(rsa(MU_LIMIT_RSA_BITS / 8 + 1, 1, HEX("\x03")).weak);
    assert_non_null(rsa(256, 2, HEX("\x03")).weak);
    assert_non_null(rsa(256, 1, HEX("\x01")).weak);
    assert_non_null(rsa(256, 1, HEX("\x02")).weak);
    assert_non_null(rsa(256, 1, HEX("")).weak);
    assert_non_null(rsa(256, 1, HEX("123456789")).weak);
    struct mu_key_info info;
    /* secp256k1, a short point, explicit parameters, an algorithm nobody knows, no key at all */
    assert_true(mu_spki_info(HEX("\x30\x14\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b"
                                 "\x81\x04\x00\x0a\x03\x00"),
                             &info) == false);
    assert_true(mu_spki_info(HEX("\x30\x16\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b"
                                 "\x81\x04\x00\x0a\x03\x02\x00\x04"),
                             &info));
    assert_int_equal(info.curve, MU_CURVE_OTHER);
    assert_non_null(info.weak);
    assert_true(mu_spki_info(HEX("\x30\x16\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b"
                                 "\x81\x04\x00\x22\x03\x02\x00\x04"),
                             &info));
    assert_int_equal(info.curve, MU_CURVE_P384);
    assert_non_null(info.weak);
    assert_true(mu_spki_info(HEX("\x30\x0a\x30\x04\x06\x02\x2a\x03\x03\x02\x00x"), &info));
    assert_int_equal(info.kind, MU_KEY_OTHER);
    assert_false(mu_spki_info(HEX("\x30\x00"), &info));
}

UNIT_MAIN(UNIT_CASE(every_scheme_is_written_and_read), UNIT_CASE(weak_and_unknown_algorithms),
          UNIT_CASE(keys_are_described), UNIT_CASE(weak_keys_are_named))
