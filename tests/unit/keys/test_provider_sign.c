/* SPDX-License-Identifier: Apache-2.0
 *
 * The provider's signatures before they reach the key process: what is asked for, what is refused
 * at once, and how a failure is told.
 */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "fixture.h"

static struct mutual_error err;
static struct keys_client *client;
static struct mu_key *near, *far;

static int make(enum mu_key_spec spec)
{
    near = new_key(spec);
    return keys_client_new(NULL, &client, &err) &&
                   keys_client_key(client, mu_key_spki(near), &far, &err)
               ? 0
               : -1;
}

static int setup_rsa(void **state)
{
    (void)state;
    return make(MU_SPEC_RSA_2048);
}

static int setup_ec(void **state)
{
    (void)state;
    return make(MU_SPEC_EC_P256);
}

static int teardown(void **state)
{
    (void)state;
    mu_key_unref(near);
    mu_key_unref(far);
    keys_client_free(client);
    return 0;
}

static bool begin(EVP_MD_CTX *ctx, const char *digest, EVP_PKEY_CTX **ret_key_ctx)
{
    return EVP_DigestSignInit_ex(ctx, ret_key_ctx, digest, NULL, NULL, mu_key_evp(far), NULL) == 1;
}

static void weak_digests_are_refused(void **state)
{
    (void)state;
    const char *const good[] = {"SHA256", "SHA384", "SHA512"};
    const char *const bad[] = {"SHA1", "MD5", "SHA224"};
    for (size_t i = 0; i < 3; i++) {
        EVP_PKEY_CTX *key_ctx = NULL;
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        assert_true(begin(ctx, good[i], &key_ctx));
        EVP_MD_CTX_free(ctx);
        ctx = EVP_MD_CTX_new();
        assert_false(begin(ctx, bad[i], &key_ctx));
        EVP_MD_CTX_free(ctx);
    }
}

static void salts_are_as_long_as_the_digest(void **state)
{
    (void)state;
    EVP_PKEY_CTX *key_ctx = NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_true(begin(ctx, "SHA256", &key_ctx));
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(key_ctx, RSA_PKCS1_PSS_PADDING), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(key_ctx, RSA_PSS_SALTLEN_DIGEST), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(key_ctx, 32), 1);
    assert_int_not_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(key_ctx, 20), 1);
    assert_int_not_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(key_ctx, RSA_PSS_SALTLEN_MAX), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(key_ctx, RSA_PKCS1_PADDING), 1);
    assert_int_not_equal(EVP_PKEY_CTX_set_rsa_padding(key_ctx, RSA_NO_PADDING), 1);
    EVP_MD_CTX_free(ctx);
}

/* X509_sign and its like fail without it. */
static void the_algorithm_is_told(void **state)
{
    (void)state;
    static const uint8_t ecdsa_sha256[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                           0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
    EVP_PKEY_CTX *key_ctx = NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t der[128];
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, der, sizeof der),
        OSSL_PARAM_construct_end()};
    assert_true(begin(ctx, "SHA256", &key_ctx));
    assert_int_equal(EVP_PKEY_CTX_get_params(key_ctx, params), 1);
    assert_int_equal(params[0].return_size, sizeof ecdsa_sha256);
    assert_memory_equal(der, ecdsa_sha256, sizeof ecdsa_sha256);
    EVP_MD_CTX_free(ctx);
}

static void a_failure_is_told_in_our_code(void **state)
{
    (void)state;
    EVP_PKEY_CTX *key_ctx = NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t signature[256];
    size_t len = 0;
    ERR_clear_error();
    assert_true(begin(ctx, "SHA256", &key_ctx));
    assert_int_equal(EVP_DigestSign(ctx, NULL, &len, (const uint8_t *)"x", 1), 1);
    assert_true(len > 0 && len <= sizeof signature);
    assert_int_not_equal(EVP_DigestSign(ctx, signature, &len, (const uint8_t *)"x", 1), 1);
    unsigned long cause = ERR_peek_error();
    assert_int_equal(ERR_GET_LIB(cause), ERR_LIB_USER);
    assert_int_equal(ERR_GET_REASON(cause), MUTUAL_E_KEY_UNAVAILABLE);
    mu_ossl_fill(&err, MUTUAL_E_LIBRARY, __FILE__, __LINE__, "could not sign");
    assert_int_equal(err.code, MUTUAL_E_KEY_UNAVAILABLE);
    EVP_MD_CTX_free(ctx);
}

#define CASE(name_, setup_) cmocka_unit_test_setup_teardown(name_, setup_, teardown)
UNIT_MAIN(CASE(weak_digests_are_refused, setup_ec),
          CASE(salts_are_as_long_as_the_digest, setup_rsa), CASE(the_algorithm_is_told, setup_ec),
          CASE(a_failure_is_told_in_our_code, setup_ec))
