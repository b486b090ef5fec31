/* SPDX-License-Identifier: Apache-2.0
 *
 * Public keys handed to OpenSSL as numbers are the keys that its decoder reads.
 */
#include "odd.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

static void the_key_is_the_same(void **state)
{
    (void)state;
    static const enum mu_key_spec specs[] = {MU_SPEC_EC_P256, MU_SPEC_EC_P384, MU_SPEC_RSA_2048,
                                             MU_SPEC_ED25519};
    for (size_t i = 0; i < MU_COUNT(specs); i++) {
        struct mutual_error err;
        MU_AUTO(key) struct mu_key *key = NULL;
        assert_ok(mu_key_generate(specs[i], &key, &err), &err);
        EVP_PKEY *loaded = mu_spki_load(mu_key_spki(key), mu_key_info(key), &err);
        assert_non_null(loaded);
        assert_int_equal(EVP_PKEY_eq(loaded, mu_key_evp(key)), 1);
        unsigned char *der = NULL;
        int len = i2d_PUBKEY(loaded, &der);
        assert_true(len > 0);
        assert_true(mu_slice_equal(mu_key_spki(key), mu_slice_of(der, (size_t)len)));
        OPENSSL_free(der);
        EVP_PKEY_free(loaded);
    }
}

static void pss_keys_keep_their_restrictions(void **state)
{
    (void)state;
    struct mutual_error err;
    EVP_PKEY *pss = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_keygen(ctx, &pss), 1);
    EVP_PKEY_CTX_free(ctx);
    MU_AUTO(key) struct mu_key *key = NULL;
    assert_ok(mu_key_from_evp(pss, mu_slice_of(NULL, 0), &key, &err), &err);
    EVP_PKEY_free(pss);
    assert_int_equal(mu_key_info(key)->kind, MU_KEY_RSA_PSS);
    EVP_PKEY *loaded = mu_spki_load(mu_key_spki(key), mu_key_info(key), &err);
    assert_non_null(loaded);
    assert_int_equal(EVP_PKEY_is_a(loaded, "RSA-PSS"), 1);
    EVP_PKEY_free(loaded);
    MU_AUTO(buf) struct mu_buf sig;
    mu_buf_init(&sig, 1000);
    enum mu_scheme scheme = mu_key_scheme(key);
    assert_int_equal(scheme, MU_SCHEME_RSA_PSS_PSS_SHA256);
    assert_ok(mu_key_sign(key, scheme, HEX("x"), &sig, &err), &err);
    assert_ok(mu_key_verify(key, scheme, HEX("x"), mu_buf_slice(&sig), &err), &err);
}

static void points_off_the_curve_are_refused(void **state)
{
    (void)state;
    struct mutual_error err;
    MU_AUTO(key) struct mu_key *key = NULL;
    assert_ok(mu_key_generate(MU_SPEC_EC_P256, &key, &err), &err);
    MU_AUTO(buf) struct mu_buf spki;
    mu_buf_init(&spki, 1000);
    odd_put(&spki, mu_key_spki(key));
    spki.data[spki.len - 1] ^= 1;
    struct mu_key *wrong = NULL;
    assert_fails(mu_key_from_spki(mu_buf_slice(&spki), &wrong, &err), &err, MUTUAL_E_KEY_MALFORMED);
    assert_fails(mu_key_from_spki(HEX("x"), &wrong, &err), &err, MUTUAL_E_KEY_MALFORMED);
    assert_fails(
        mu_key_from_spki(HEX("\x30\x0a\x30\x04\x06\x02\x2a\x03\x03\x02\x00x"), &wrong, &err), &err,
        MUTUAL_E_KEY_UNSUPPORTED);
}

UNIT_MAIN(UNIT_CASE(the_key_is_the_same), UNIT_CASE(pss_keys_keep_their_restrictions),
          UNIT_CASE(points_off_the_curve_are_refused))
