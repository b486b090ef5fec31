/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys: making, sharing, signing and verifying by every scheme, matching certificates.
 */
#include "pki.h"
#include "unit.h"

#include <openssl/evp.h>

static void every_scheme_signs_and_verifies(void **state)
{
    (void)state;
    static const enum mu_scheme schemes[] = {
        MU_SCHEME_RSA_PKCS1_SHA256,    MU_SCHEME_RSA_PKCS1_SHA384,
        MU_SCHEME_RSA_PKCS1_SHA512,    MU_SCHEME_ECDSA_P256_SHA256,
        MU_SCHEME_ECDSA_P384_SHA384,   MU_SCHEME_ECDSA_P521_SHA512,
        MU_SCHEME_RSA_PSS_RSAE_SHA256, MU_SCHEME_RSA_PSS_RSAE_SHA384,
        MU_SCHEME_RSA_PSS_RSAE_SHA512, MU_SCHEME_ED25519,
        MU_SCHEME_RSA_PSS_PSS_SHA256,  MU_SCHEME_RSA_PSS_PSS_SHA512};
    static const enum mu_key_spec specs[] = {MU_SPEC_EC_P256, MU_SPEC_EC_P384, MU_SPEC_RSA_2048,
                                             MU_SPEC_ED25519};
    static const size_t fitting[] = {1, 1, 6, 1};
    for (size_t i = 0; i < MU_COUNT(specs); i++) {
        struct mutual_error err = {0};
        MU_AUTO(key) struct mu_key *key = NULL;
        assert_ok(mu_key_generate(specs[i], &key, &err), &err);
        enum mu_key_spec spec = MU_SPEC_COUNT_;
        assert_true(mu_key_spec_of(mu_key_info(key), &spec));
        assert_int_equal(spec, specs[i]);
        assert_true(mu_key_can(key, mu_key_scheme(key)));
        size_t signed_by = 0;
        for (size_t j = 0; j < MU_COUNT(schemes); j++) {
            MU_AUTO(buf) struct mu_buf sig;
            mu_buf_init(&sig, 1000);
            struct mu_slice text = MU_SLICE_LIT("to be signed");
            if (!mu_key_can(key, schemes[j])) {
                assert_fails(mu_key_sign(key, schemes[j], text, &sig, &err), &err,
                             MUTUAL_E_KEY_UNSUPPORTED);
                assert_fails(mu_key_verify(key, schemes[j], text, text, &err), &err,
                             MUTUAL_E_KEY_UNSUPPORTED);
                continue;
            }
            signed_by++;
            assert_ok(mu_key_sign(key, schemes[j], text, &sig, &err), &err);
            assert_ok(mu_key_verify(key, schemes[j], text, mu_buf_slice(&sig), &err), &err);
            assert_fails(
                mu_key_verify(key, schemes[j], MU_SLICE_LIT("other"), mu_buf_slice(&sig), &err),
                &err, MUTUAL_E_CERT_SIGNATURE);
        }
        assert_int_equal(signed_by, fitting[i]);
    }
}

static void a_public_half_verifies_and_does_not_sign(void **state)
{
    (void)state;
    struct mutual_error err;
    MU_AUTO(key) struct mu_key *key = NULL;
    MU_AUTO(key) struct mu_key *half = NULL;
    MU_AUTO(buf) struct mu_buf sig;
    mu_buf_init(&sig, 1000);
    assert_ok(mu_key_generate(MU_SPEC_EC_P256, &key, &err), &err);
    assert_ok(mu_key_from_spki(mu_key_spki(key), &half, &err), &err);
    assert_memory_equal(mu_key_hash(key), mu_key_hash(half), 32);
    struct mu_slice text = MU_SLICE_LIT("x");
    enum mu_scheme scheme = mu_key_scheme(key);
    assert_fails(mu_key_sign(half, scheme, text, &sig, &err), &err, MUTUAL_E_KEY_UNAVAILABLE);
    assert_ok(mu_key_sign(key, scheme, text, &sig, &err), &err);
    assert_ok(mu_key_verify(half, scheme, text, mu_buf_slice(&sig), &err), &err);
}

static void keys_match_their_certificates(void **state)
{
    (void)state;
    struct mutual_error err;
    struct pki *a = pki_root("A");
    struct pki *b = pki_root("B");
    assert_ok(mu_key_matches(a->key, a->cert, &err), &err);
    assert_fails(mu_key_matches(a->key, b->cert, &err), &err, MUTUAL_E_KEY_MISMATCH);
    assert_non_null(strstr(err.reason, "\"B\""));
    MU_AUTO(key) struct mu_key *rsa = NULL;
    assert_ok(mu_key_generate(MU_SPEC_RSA_2048, &rsa, &err), &err);
    assert_fails(mu_key_matches(rsa, b->cert, &err), &err, MUTUAL_E_KEY_MISMATCH);
}

static void kinds_are_named(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MU_SPEC_COUNT_; i++) {
        enum mu_key_spec spec;
        assert_true(mu_key_spec_find(mu_key_spec_word((enum mu_key_spec)i), &spec));
        assert_int_equal(spec, i);
    }
    enum mu_key_spec spec;
    assert_false(mu_key_spec_find("dsa", &spec));
}

static void unsupported_keys_are_refused(void **state)
{
    (void)state;
    struct mutual_error err;
    struct mu_key *key = NULL;
    EVP_PKEY *evp = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    assert_fails(mu_key_from_evp(evp, mu_slice_of(NULL, 0), &key, &err), &err,
                 MUTUAL_E_KEY_UNSUPPORTED);
    EVP_PKEY_free(evp);
    evp = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1");
    assert_fails(mu_key_from_evp(evp, mu_slice_of(NULL, 0), &key, &err), &err,
                 MUTUAL_E_KEY_UNSUPPORTED);
    EVP_PKEY_free(evp);
}

UNIT_MAIN(UNIT_CASE(every_scheme_signs_and_verifies),
          UNIT_CASE(a_public_half_verifies_and_does_not_sign),
          UNIT_CASE(keys_match_their_certificates), UNIT_CASE(kinds_are_named),
          UNIT_CASE(unsupported_keys_are_refused))
