/* SPDX-License-Identifier: Apache-2.0
 *
 * Public keys that come again in a lean context: whatever is read, the answer is the one that
 * OpenSSL gives without us.
 */
#include "lean.h"
#include "unit.h"

#include "x509/lean_internal.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

static EVP_PKEY *read_key(OSSL_LIB_CTX *context, struct mu_slice der)
{
    const unsigned char *at = der.data;
    EVP_PKEY *key = d2i_PUBKEY_ex(NULL, &at, (long)der.len, context, NULL);
    mu_ossl_clear();
    return key;
}

/* With and without us: the same key, or none from either. */
static bool is_judged_alike(struct mu_slice der)
{
    EVP_PKEY *ours = read_key(lean, der);
    EVP_PKEY *theirs = read_key(NULL, der);
    bool read = ours != NULL;
    assert_int_equal(read, theirs != NULL);
    if (read) {
        unsigned char *again = NULL;
        assert_int_equal(EVP_PKEY_get_bits(ours), EVP_PKEY_get_bits(theirs));
        assert_int_equal(EVP_PKEY_get_security_bits(ours), EVP_PKEY_get_security_bits(theirs));
        assert_string_equal(EVP_PKEY_get0_type_name(ours), EVP_PKEY_get0_type_name(theirs));
        int len = i2d_PUBKEY(theirs, &again); /* it writes no point at infinity */
        EVP_PKEY *whole = len > 0 ? read_key(lean, mu_slice_of(again, (size_t)len)) : NULL;
        assert_true(whole == NULL || EVP_PKEY_eq(ours, whole) == 1);
        EVP_PKEY_free(whole);
        OPENSSL_free(again);
    }
    EVP_PKEY_free(ours);
    EVP_PKEY_free(theirs);
    mu_ossl_clear();
    return read;
}

static size_t make_der(const char *type, const char *curve, uint8_t out[1200])
{
    EVP_PKEY *key = curve != NULL ? EVP_PKEY_Q_keygen(NULL, NULL, type, curve)
                    : strncmp(type, "RSA", 3) == 0
                        ? EVP_PKEY_Q_keygen(NULL, NULL, type, (size_t)2048)
                        : EVP_PKEY_Q_keygen(NULL, NULL, type);
    assert_non_null(key);
    unsigned char *at = out;
    int len = i2d_PUBKEY(key, NULL);
    assert_in_range(len, 1, 1200);
    assert_int_equal(i2d_PUBKEY(key, &at), len);
    EVP_PKEY_free(key);
    return (size_t)len;
}

static const struct kind {
    const char *type, *curve;
} kinds[] = {{"EC", "P-256"}, {"EC", "P-384"}, {"EC", "P-521"}, {"RSA", NULL}, {"ED25519", NULL}};

static void keys_that_come_again_are_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < MU_COUNT(kinds); i++) {
        uint8_t der[1200];
        size_t len = make_der(kinds[i].type, kinds[i].curve, der);
        for (int times = 0; times < 5; times++) {
            assert_true(is_judged_alike(mu_slice_of(der, len)));
        }
        struct mu_lean_decoded before = mu_lean_decoded();
        EVP_PKEY_free(read_key(lean, mu_slice_of(der, len)));
        struct mu_lean_decoded after = mu_lean_decoded();
        assert_int_equal(after.remembered, before.remembered + 1);
        assert_int_equal(after.native, before.native);
    }
}

static void another_key_of_a_known_curve_needs_no_curve(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        uint8_t first[1200];
        uint8_t second[1200];
        size_t len = make_der("EC", kinds[i].curve, first);
        assert_int_equal(make_der("EC", kinds[i].curve, second), len);
        EVP_PKEY_free(read_key(lean, mu_slice_of(first, len)));
        struct mu_lean_decoded before = mu_lean_decoded();
        EVP_PKEY *ours = read_key(lean, mu_slice_of(second, len));
        struct mu_lean_decoded after = mu_lean_decoded();
        assert_int_equal(after.alike, before.alike + 1);
        assert_int_equal(after.native, before.native);
        assert_non_null(ours);
        EVP_PKEY_free(ours);
        assert_true(is_judged_alike(mu_slice_of(second, len)));
    }
}

/* Every byte wrong in some way, and every length: a key that is not one stays none, though its
 * curve, or the key that it was, is known. */
static void altered_keys_are_judged_as_without_us(void **state)
{
    (void)state;
    static const uint8_t flips[] = {0x01, 0x02, 0x40, 0x80, 0xff};
    unsigned read = 0;
    unsigned refused = 0;
    for (size_t i = 0; i < 2; i++) {
        uint8_t der[1200];
        uint8_t bad[1201] = {0};
        size_t len = make_der("EC", kinds[i].curve, der);
        assert_true(is_judged_alike(mu_slice_of(der, len)));
        assert_true(is_judged_alike(mu_slice_of(der, len)));
        for (size_t at = 0; at < len; at++) {
            for (size_t f = 0; f < MU_COUNT(flips); f++) {
                memcpy(bad, der, len);
                bad[at] ^= flips[f];
                for (int times = 0; times < 3; times++) {
                    bool good = is_judged_alike(mu_slice_of(bad, len));
                    read += good;
                    refused += !good;
                }
            }
            assert_false(is_judged_alike(mu_slice_of(der, at)));
        }
        memcpy(bad, der, len);
        bad[len] = 0x05; /* something after it is not read */
        assert_true(is_judged_alike(mu_slice_of(bad, len + 1)));
    }
    assert_true(refused > 1000);
    print_message("# %u altered keys were keys, %u were none\n", read, refused);
}

/* A point with another form, and none at all. */
static void points_of_every_form_are_judged_as_without_us(void **state)
{
    (void)state;
    static const char *const forms[] = {"uncompressed", "compressed", "hybrid"};
    for (size_t i = 0; i < MU_COUNT(forms); i++) {
        EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
        assert_int_equal(EVP_PKEY_set_utf8_string_param(
                             key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, forms[i]),
                         1);
        unsigned char *der = NULL;
        int len = i2d_PUBKEY(key, &der);
        assert_true(len > 0);
        for (int times = 0; times < 3; times++) {
            assert_true(is_judged_alike(mu_slice_of(der, (size_t)len)));
        }
        OPENSSL_free(der);
        EVP_PKEY_free(key);
    }
    uint8_t der[1200];
    size_t len = make_der("EC", "P-256", der);
    uint8_t none[40];
    memcpy(none, der, len - 65);
    none[1] = (uint8_t)(len - 65 - 2 + 1);
    none[len - 65 - 2] = 2; /* the bit string: no unused bits, and the point at infinity */
    none[len - 65] = 0;
    for (int times = 0; times < 3; times++) {
        (void)is_judged_alike(mu_slice_of(none, len - 64));
    }
}

/* Explicit curve parameters name no curve; a key with them is told from one of the curve's name. */
static void explicit_parameters_are_judged_as_without_us(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    assert_int_equal(EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING,
                                                    OSSL_PKEY_EC_ENCODING_EXPLICIT),
                     1);
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(key, &der);
    assert_true(len > 0);
    for (int times = 0; times < 4; times++) {
        int ours_explicit = -1;
        int theirs_explicit = -2;
        EVP_PKEY *ours = read_key(lean, mu_slice_of(der, (size_t)len));
        EVP_PKEY *theirs = read_key(NULL, mu_slice_of(der, (size_t)len));
        assert_int_equal(ours != NULL, theirs != NULL);
        if (ours != NULL) {
            (void)EVP_PKEY_get_int_param(ours, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
                                         &ours_explicit);
            (void)EVP_PKEY_get_int_param(theirs, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
                                         &theirs_explicit);
            assert_int_equal(ours_explicit, 1);
            assert_int_equal(theirs_explicit, 1);
        }
        EVP_PKEY_free(ours);
        EVP_PKEY_free(theirs);
    }
    OPENSSL_free(der);
    EVP_PKEY_free(key);
}

/* Strangers who each come once leave those alone who come again. */
static void strangers_push_nobody_out(void **state)
{
    (void)state;
    uint8_t regular[1200];
    size_t len = make_der("EC", "P-256", regular);
    for (int i = 0; i < 3; i++) {
        EVP_PKEY_free(read_key(lean, mu_slice_of(regular, len)));
    }
    for (int i = 0; i < 2000; i++) {
        uint8_t once[1200];
        EVP_PKEY *key = read_key(lean, mu_slice_of(once, make_der("EC", "P-256", once)));
        assert_non_null(key);
        EVP_PKEY_free(key);
    }
    struct mu_lean_decoded before = mu_lean_decoded();
    assert_true(is_judged_alike(mu_slice_of(regular, len)));
    assert_true(mu_lean_decoded().remembered > before.remembered);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_CASE(keys_that_come_again_are_the_same),
        UNIT_CASE(another_key_of_a_known_curve_needs_no_curve),
        UNIT_CASE(altered_keys_are_judged_as_without_us),
        UNIT_CASE(points_of_every_form_are_judged_as_without_us),
        UNIT_CASE(explicit_parameters_are_judged_as_without_us),
        UNIT_CASE(strangers_push_nobody_out),
    };
    return cmocka_run_group_tests(tests, lean_begin, lean_end);
}
