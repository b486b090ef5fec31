/* SPDX-License-Identifier: Apache-2.0
 *
 * Key pairs of X25519 in a lean context: made in our way, they are what OpenSSL makes without us.
 */
#include "lean.h"
#include "unit.h"

#include "x509/lean_internal.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

static void a_pair_is_what_the_library_makes_of_its_private_key(void **state)
{
    (void)state;
    uint8_t before[32] = {0};
    for (int i = 0; i < 100; i++) {
        uint8_t secret[32];
        uint8_t shown[32];
        uint8_t right[32];
        size_t len = 32;
        EVP_PKEY *key = EVP_PKEY_Q_keygen(lean, NULL, "X25519");
        assert_non_null(key);
        assert_int_equal(EVP_PKEY_get_raw_private_key(key, secret, &len), 1);
        assert_int_equal(EVP_PKEY_get_raw_public_key(key, shown, &len), 1);
        EVP_PKEY *same = EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, secret, 32);
        assert_int_equal(EVP_PKEY_get_raw_public_key(same, right, &len), 1);
        assert_memory_equal(shown, right, 32);
        assert_int_equal(secret[0] & 7, 0); /* RFC 7748 section 5 */
        assert_int_equal(secret[31] & 0xc0, 0x40);
        assert_memory_not_equal(secret, before, 32);
        memcpy(before, secret, 32);
        EVP_PKEY_free(key);
        EVP_PKEY_free(same);
    }
}

static EVP_PKEY *of_bytes(OSSL_LIB_CTX *context, EVP_PKEY *theirs)
{
    uint8_t shown[32];
    size_t len = 32;
    assert_int_equal(EVP_PKEY_get_raw_public_key(theirs, shown, &len), 1);
    return EVP_PKEY_new_raw_public_key_ex(context, "X25519", NULL, shown, 32);
}

static void derive(OSSL_LIB_CTX *context, EVP_PKEY *own, EVP_PKEY *theirs, uint8_t out[32])
{
    size_t len = 32;
    EVP_PKEY *peer = of_bytes(context, theirs);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(context, own, NULL);
    assert_int_equal(EVP_PKEY_derive_init(ctx), 1);
    assert_int_equal(EVP_PKEY_derive_set_peer(ctx, peer), 1);
    assert_int_equal(EVP_PKEY_derive(ctx, out, &len), 1);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
}

static void both_sides_derive_the_same(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        uint8_t here[32];
        uint8_t there[32];
        EVP_PKEY *own = EVP_PKEY_Q_keygen(lean, NULL, "X25519");
        EVP_PKEY *theirs = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
        derive(lean, own, theirs, here);
        derive(NULL, theirs, own, there);
        assert_memory_equal(here, there, 32);
        EVP_PKEY_free(own);
        EVP_PKEY_free(theirs);
    }
}

static EVP_PKEY *empty_key(OSSL_LIB_CTX *context)
{
    EVP_PKEY *empty = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(context, "X25519", NULL);
    assert_int_equal(EVP_PKEY_paramgen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_group_name(ctx, "x25519"), 1);
    assert_int_not_equal(EVP_PKEY_CTX_set_group_name(ctx, "P-256"), 1);
    assert_int_equal(EVP_PKEY_generate(ctx, &empty), 1);
    EVP_PKEY_CTX_free(ctx);
    mu_ossl_clear();
    return empty;
}

/* TLS makes an empty key first, and puts the other's share into it. */
static void a_key_without_a_pair_is_empty(void **state)
{
    (void)state;
    uint8_t out[32];
    size_t len = 32;
    EVP_PKEY *ours = empty_key(lean);
    EVP_PKEY *theirs = empty_key(NULL);
    assert_int_not_equal(EVP_PKEY_get_raw_private_key(ours, out, &len), 1);
    assert_int_not_equal(EVP_PKEY_get_raw_private_key(theirs, out, &len), 1);
    uint8_t share[32] = {9};
    assert_int_equal(EVP_PKEY_set1_encoded_public_key(ours, share, 32), 1);
    assert_int_equal(EVP_PKEY_get_raw_public_key(ours, out, &len), 1);
    assert_memory_equal(out, share, 32);
    mu_ossl_clear();
    EVP_PKEY_free(ours);
    EVP_PKEY_free(theirs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_CASE(a_pair_is_what_the_library_makes_of_its_private_key),
        UNIT_CASE(both_sides_derive_the_same),
        UNIT_CASE(a_key_without_a_pair_is_empty),
    };
    return cmocka_run_group_tests(tests, lean_begin, lean_end);
}
