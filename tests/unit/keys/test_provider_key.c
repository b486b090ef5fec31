/* SPDX-License-Identifier: Apache-2.0
 *
 * Key objects of the provider: the public half goes out, the private half does not.
 */
#include <openssl/evp.h>
#include <openssl/params.h>

#include "fixture.h"

static struct mutual_error err;
static struct keys_client *client;

static int setup(void **state)
{
    (void)state;
    return keys_client_new(NULL, &client, &err) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    keys_client_free(client);
    return 0;
}

static void only_the_public_half_is_exported(void **state)
{
    (void)state;
    const enum mu_key_spec specs[] = {MU_SPEC_EC_P256, MU_SPEC_RSA_2048, MU_SPEC_ED25519};
    for (size_t i = 0; i < MU_COUNT(specs); i++) {
        MU_AUTO(key) struct mu_key *near = new_key(specs[i]);
        MU_AUTO(key) struct mu_key *far = NULL;
        assert_ok(keys_client_key(client, mu_key_spki(near), &far, &err), &err);
        OSSL_PARAM *params = NULL;
        assert_int_equal(EVP_PKEY_todata(mu_key_evp(far), EVP_PKEY_PUBLIC_KEY, &params), 1);
        OSSL_PARAM_free(params);
        params = NULL;
        assert_int_not_equal(EVP_PKEY_todata(mu_key_evp(far), EVP_PKEY_KEYPAIR, &params), 1);
        OSSL_PARAM_free(params);
    }
}

static void keys_are_compared_by_their_public_halves(void **state)
{
    (void)state;
    MU_AUTO(key) struct mu_key *one = new_key(MU_SPEC_ED25519);
    MU_AUTO(key) struct mu_key *two = new_key(MU_SPEC_ED25519);
    MU_AUTO(key) struct mu_key *far_one = NULL;
    MU_AUTO(key) struct mu_key *far_again = NULL;
    MU_AUTO(key) struct mu_key *far_two = NULL;
    assert_ok(keys_client_key(client, mu_key_spki(one), &far_one, &err), &err);
    assert_ok(keys_client_key(client, mu_key_spki(one), &far_again, &err), &err);
    assert_ok(keys_client_key(client, mu_key_spki(two), &far_two, &err), &err);
    assert_int_equal(EVP_PKEY_eq(mu_key_evp(far_one), mu_key_evp(far_again)), 1);
    assert_int_not_equal(EVP_PKEY_eq(mu_key_evp(far_one), mu_key_evp(far_two)), 1);
}

/* Without one there is no oracle for RSA decryption. */
static void there_is_no_decryption(void **state)
{
    (void)state;
    MU_AUTO(key) struct mu_key *near = new_key(MU_SPEC_RSA_2048);
    MU_AUTO(key) struct mu_key *far = NULL;
    assert_ok(keys_client_key(client, mu_key_spki(near), &far, &err), &err);
    uint8_t secret[256] = {0};
    uint8_t out[256];
    size_t len = sizeof out;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(mu_key_evp(far), NULL);
    bool decrypted = ctx != NULL && EVP_PKEY_decrypt_init(ctx) == 1 &&
                     EVP_PKEY_decrypt(ctx, out, &len, secret, sizeof secret) == 1;
    assert_false(decrypted);
    EVP_PKEY_CTX_free(ctx);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)
UNIT_MAIN(CASE(only_the_public_half_is_exported), CASE(keys_are_compared_by_their_public_halves),
          CASE(there_is_no_decryption))
