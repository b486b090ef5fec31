/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of permitted requests: every kind of bytes against every purpose, and every scheme
 * against every kind of key.
 */
#include "fixture.h"

static struct mutual_error err;
static struct mu_key *key;
static struct mu_cert *issuer;
static const struct keys_scheme ecdsa = {MU_DIGEST_SHA256, KEYS_PADDING_NONE};

/* One sample for each row of the table, in the order of `allowed`. */
enum { SAMPLES = 8 };
static struct mu_buf samples[SAMPLES];
static const uint32_t allowed[SAMPLES] = {
    KEYS_TLS_SERVER,   KEYS_TLS_CLIENT, KEYS_TLS_SERVER, KEYS_TLS_CLIENT,
    KEYS_CERTIFICATES, KEYS_CRLS,       KEYS_OCSP,       0 /* nobody signs this */,
};

static void sample_verify(struct mu_buf *buf, const char *side)
{
    for (int i = 0; i < 64; i++) {
        (void)mu_buf_byte(buf, ' ');
    }
    (void)mu_buf_printf(buf, "TLS 1.3, %s CertificateVerify", side);
    for (int i = 0; i < 33; i++) {
        (void)mu_buf_byte(buf, (uint8_t)i); /* the zero, then a hash */
    }
}

static int setup(void **state)
{
    (void)state;
    key = new_key(MU_SPEC_EC_P256);
    issuer = self_signed(key, true);
    for (size_t i = 0; i < SAMPLES; i++) {
        mu_buf_init(&samples[i], MU_LIMIT_CERT_BYTES);
    }
    sample_verify(&samples[0], "server");
    sample_verify(&samples[1], "client");
    static const uint8_t exchange[68 + 32] = {[64] = 3, [66] = 29, [67] = 32};
    (void)mu_buf_append(&samples[2], exchange, sizeof exchange);
    static const uint8_t transcript[] = {1, 0, 0, 0, 2, 0, 0, 0, 16, 0, 0, 0};
    (void)mu_buf_append(&samples[3], transcript, sizeof transcript);
    const struct mu_cert_template template = leaf(issuer, key);
    const struct mu_crl_template list = {
        .issuer = issuer, .this_update_s = NOW_S, .next_update_s = NOW_S + DAY_S, .number = 4};
    struct mu_ocsp_answer answers[2];
    const struct mu_ocsp_template response = ocsp_about(issuer, answers);
    (void)mu_buf_text(&samples[7], "Please pay the bearer");
    return mu_cert_build_tbs(&template, MU_SCHEME_ECDSA_P256_SHA256, &samples[4], &err) &&
                   mu_crl_build_tbs(&list, MU_SCHEME_ECDSA_P256_SHA256, &samples[5], &err) &&
                   mu_ocsp_build_tbs(&response, &samples[6], &err)
               ? 0
               : -1;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        mu_buf_done(&samples[i]);
    }
    mu_key_unref(key);
    mu_cert_unref(issuer);
    return 0;
}

static void each_purpose_signs_its_own(void **state)
{
    (void)state;
    char what[512];
    for (uint32_t purposes = 0; purposes <= KEYS_PURPOSES_ALL; purposes++) {
        struct keys_rules rules = ca_rules(issuer);
        rules.purposes = purposes;
        for (size_t i = 0; i < SAMPLES; i++) {
            enum keys_purpose by = KEYS_PURPOSES_ALL;
            memset(&err, 0, sizeof err);
            bool done = keys_permit(&rules, mu_key_info(key), &ecdsa, mu_buf_slice(&samples[i]),
                                    what, &by, &err);
            assert_int_equal(done, (purposes & allowed[i]) != 0);
            if (done) {
                assert_int_equal(by, allowed[i]);
            } else {
                assert_int_equal(err.code, MUTUAL_E_KEY_REFUSED);
            }
            assert_true(what[0] != '\0');
        }
    }
}

static void a_scheme_fits_its_key(void **state)
{
    (void)state;
    const enum mu_key_kind kinds[] = {MU_KEY_EC, MU_KEY_RSA, MU_KEY_RSA_PSS, MU_KEY_ED25519,
                                      MU_KEY_OTHER};
    /* digested without padding, PKCS#1, PSS; undigested likewise */
    const bool fits[][6] = {{true, false, false, false, false, false},
                            {false, true, true, false, false, false},
                            {false, false, true, false, false, false},
                            {false, false, false, true, false, false},
                            {false, false, false, false, false, false}};
    for (size_t k = 0; k < MU_COUNT(kinds); k++) {
        const struct mu_key_info info = {.kind = kinds[k], .text = "a kind"};
        for (unsigned i = 0; i < 6; i++) {
            const struct keys_scheme scheme = {i < 3 ? MU_DIGEST_SHA384 : MU_DIGEST_NONE,
                                               (enum keys_padding)(i % 3)};
            assert_int_equal(keys_scheme_fits(&info, &scheme), fits[k][i]);
        }
    }
    char what[512];
    enum keys_purpose by;
    const struct keys_scheme wrong = {MU_DIGEST_SHA256, KEYS_PADDING_PSS};
    const struct keys_rules rules = {.purposes = KEYS_TLS_SERVER};
    assert_fails(
        keys_permit(&rules, mu_key_info(key), &wrong, mu_buf_slice(&samples[0]), what, &by, &err),
        &err, MUTUAL_E_KEY_REFUSED);
}

static void certificates_have_schemes_of_their_own(void **state)
{
    (void)state;
    const struct mu_key_info rsa = {.kind = MU_KEY_RSA};
    const struct keys_scheme pss = {MU_DIGEST_SHA512, KEYS_PADDING_PSS};
    assert_int_equal(keys_x509_scheme(&rsa, &pss), MU_SCHEME_RSA_PSS_RSAE_SHA512);
    assert_int_equal(keys_x509_scheme(mu_key_info(key), &ecdsa), MU_SCHEME_ECDSA_P256_SHA256);
    const struct keys_scheme longer = {MU_DIGEST_SHA384, KEYS_PADDING_NONE};
    assert_int_equal(keys_x509_scheme(mu_key_info(key), &longer), MU_SCHEME_NONE);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)
UNIT_MAIN(CASE(each_purpose_signs_its_own), CASE(a_scheme_fits_its_key),
          CASE(certificates_have_schemes_of_their_own))
