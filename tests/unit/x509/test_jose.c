/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys as JSON gives them, their thumbprints and signatures: the standards' own examples, then what
 * must not pass.
 */
#include "jws.h"
#include "unit.h"

static struct mu_slice octets(const char *text, struct mu_buf *out)
{
    struct mutual_error err = {0};
    mu_buf_init(out, 4096);
    assert_ok(mu_base64url_parse(mu_slice_text(text), out, &err), &err);
    return mu_buf_slice(out);
}

static void assert_thumbprint(const struct mu_jwk *jwk, const char *expected)
{
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf text;
    uint8_t digest[32];
    mu_buf_init(&text, 64);
    assert_ok(mu_jwk_thumbprint(jwk, digest, &err), &err);
    mu_base64url(&text, mu_slice_of(digest, 32));
    assert_string_equal(mu_buf_str(&text), expected);
}

static void the_thumbprint_of_rfc_7638(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf n;
    MU_AUTO(buf) struct mu_buf e;
    const struct mu_jwk jwk = {
        MU_KEY_RSA, MU_CURVE_NONE,
        octets("0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6t"
               "Soc_BJECP"
               "ebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_"
               "FDW2QvzqY"
               "368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-"
               "bFTWhAI4vMQFh6WeZu0f"
               "M4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
               &n),
        octets("AQAB", &e)};
    assert_thumbprint(&jwk, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

static void ed25519_of_rfc_8037(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf x;
    MU_AUTO(buf) struct mu_buf signature;
    MU_AUTO(key) struct mu_key *key = NULL;
    const struct mu_jwk jwk = {MU_KEY_ED25519,
                               MU_CURVE_NONE,
                               octets("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", &x),
                               {NULL, 0}};
    assert_thumbprint(&jwk, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert_ok(mu_jwk_key(&jwk, &key, &err), &err);
    (void)octets(
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        &signature);
    struct mu_slice bytes =
        MU_SLICE_LIT("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc");
    assert_ok(mu_jws_verify(key, MU_JWS_EDDSA, bytes, mu_buf_slice(&signature), &err), &err);
    signature.data[3] ^= 1;
    assert_fails(mu_jws_verify(key, MU_JWS_EDDSA, bytes, mu_buf_slice(&signature), &err), &err,
                 MUTUAL_E_JWS_SIGNATURE);
}

static void es256_of_rfc_7515(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf x;
    MU_AUTO(buf) struct mu_buf y;
    MU_AUTO(buf) struct mu_buf signature;
    MU_AUTO(key) struct mu_key *key = NULL;
    const struct mu_jwk jwk = {MU_KEY_EC, MU_CURVE_P256,
                               octets("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", &x),
                               octets("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", &y)};
    assert_ok(mu_jwk_key(&jwk, &key, &err), &err);
    (void)octets(
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        &signature);
    struct mu_slice bytes = MU_SLICE_LIT(
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
        "LmNvbS9pc19yb290Ijp0cnVlfQ");
    assert_ok(mu_jws_verify(key, MU_JWS_ES256, bytes, mu_buf_slice(&signature), &err), &err);
    bytes.len--;
    assert_fails(mu_jws_verify(key, MU_JWS_ES256, bytes, mu_buf_slice(&signature), &err), &err,
                 MUTUAL_E_JWS_SIGNATURE);
}

static void hmac_of_rfc_7515(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf key;
    MU_AUTO(buf) struct mu_buf text;
    uint8_t mac[32];
    mu_buf_init(&text, 64);
    assert_ok(
        mu_hmac_sha256(
            octets("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjA"
                   "zZr1Z9CAow",
                   &key),
            MU_SLICE_LIT("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEz"
                         "MDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"),
            mac, &err),
        &err);
    mu_base64url(&text, mu_slice_of(mac, 32));
    assert_string_equal(mu_buf_str(&text), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
}

static void what_is_signed_verifies_and_by_no_other_algorithm(void **state)
{
    (void)state;
    static const enum mu_key_spec specs[] = {MU_SPEC_EC_P256, MU_SPEC_EC_P384, MU_SPEC_RSA_2048,
                                             MU_SPEC_ED25519};
    struct mutual_error err = {0};
    struct mu_slice bytes = MU_SLICE_LIT("some.bytes");
    for (unsigned i = 0; i < MU_COUNT(specs); i++) {
        MU_AUTO(key) struct mu_key *key = NULL;
        MU_AUTO(key) struct mu_key *other = NULL;
        MU_AUTO(buf) struct mu_buf signature;
        mu_buf_init(&signature, 1024);
        assert_ok(mu_key_generate(specs[i], &key, &err), &err);
        assert_ok(mu_key_generate(specs[i], &other, &err), &err);
        enum mu_jws_alg alg = unit_jws_alg(key);
        assert_ok(mu_jws_sign(key, alg, bytes, &signature, &err), &err);
        assert_ok(mu_jws_verify(key, alg, bytes, mu_buf_slice(&signature), &err), &err);
        assert_fails(mu_jws_verify(other, alg, bytes, mu_buf_slice(&signature), &err), &err,
                     MUTUAL_E_JWS_SIGNATURE);
        assert_fails(
            mu_jws_verify(key, alg, bytes, mu_slice_of(signature.data, signature.len - 1), &err),
            &err, MUTUAL_E_JWS_SIGNATURE);
        assert_fails(mu_jws_verify(key, alg, bytes, mu_slice_of(NULL, 0), &err), &err,
                     MUTUAL_E_JWS_SIGNATURE);
        for (unsigned j = 0; j < MU_JWS_COUNT_; j++) {
            if (j != (unsigned)alg) {
                assert_fails(
                    mu_jws_verify(key, (enum mu_jws_alg)j, bytes, mu_buf_slice(&signature), &err),
                    &err, MUTUAL_E_JWS_ALGORITHM);
                assert_fails(mu_jws_sign(key, (enum mu_jws_alg)j, bytes, &signature, &err), &err,
                             MUTUAL_E_JWS_ALGORITHM);
            }
        }
    }
}

/* CVE-2022-21449: r and s of nothing but zeros fit every key and every text. */
static void an_ecdsa_signature_of_zeros_is_none(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(key) struct mu_key *key = NULL;
    static const uint8_t zeros[64];
    assert_ok(mu_key_generate(MU_SPEC_EC_P256, &key, &err), &err);
    assert_fails(mu_jws_verify(key, MU_JWS_ES256, MU_SLICE_LIT("x"), mu_slice_of(zeros, 64), &err),
                 &err, MUTUAL_E_JWS_SIGNATURE);
}

static void a_der_signature_is_none(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(key) struct mu_key *key = NULL;
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, 256);
    assert_ok(mu_key_generate(MU_SPEC_EC_P256, &key, &err), &err);
    assert_ok(mu_key_sign(key, MU_SCHEME_ECDSA_P256_SHA256, MU_SLICE_LIT("x"), &der, &err), &err);
    assert_fails(mu_jws_verify(key, MU_JWS_ES256, MU_SLICE_LIT("x"), mu_buf_slice(&der), &err),
                 &err, MUTUAL_E_JWS_SIGNATURE);
}

static void keys_that_are_refused(void **state)
{
    (void)state;
    static uint8_t fill[2048];
    static const uint8_t zeros[64];
    memset(fill, 0x41, sizeof fill);
    const struct mu_jwk bad[] = {
        {MU_KEY_EC, MU_CURVE_P521, {fill, 66}, {fill, 66}},
        {MU_KEY_EC, MU_CURVE_NONE, {fill, 32}, {fill, 32}},
        {MU_KEY_EC, MU_CURVE_P256, {fill, 32}, {fill, 32}}, /* off the curve */
        {MU_KEY_EC, MU_CURVE_P256, {zeros, 32}, {zeros, 32}},
        {MU_KEY_EC, MU_CURVE_P256, {fill, 31}, {fill, 32}},
        {MU_KEY_EC, MU_CURVE_P256, {fill, 48}, {fill, 48}},
        {MU_KEY_EC, MU_CURVE_P384, {fill, 32}, {fill, 32}},
        {MU_KEY_RSA, MU_CURVE_NONE, {fill, 128}, MU_SLICE_LIT("\1\0\1")}, /* 1024 bits */
        {MU_KEY_RSA, MU_CURVE_NONE, {fill, 2000}, MU_SLICE_LIT("\1\0\1")},
        {MU_KEY_RSA, MU_CURVE_NONE, {fill, 256}, MU_SLICE_LIT("\1")}, /* e = 1 */
        {MU_KEY_RSA, MU_CURVE_NONE, {fill, 256}, MU_SLICE_LIT("\2")},
        {MU_KEY_RSA, MU_CURVE_NONE, {fill, 256}, {NULL, 0}},
        {MU_KEY_RSA, MU_CURVE_NONE, {zeros, 64}, MU_SLICE_LIT("\1\0\1")},
        {MU_KEY_RSA, MU_CURVE_NONE, {fill, 256}, MU_SLICE_LIT("\0\1\0\1")},
        {MU_KEY_RSA_PSS, MU_CURVE_NONE, {fill, 256}, MU_SLICE_LIT("\1\0\1")},
        {MU_KEY_ED25519, MU_CURVE_NONE, {fill, 31}, {NULL, 0}},
        {MU_KEY_ED25519, MU_CURVE_NONE, {fill, 33}, {NULL, 0}},
        {MU_KEY_OTHER, MU_CURVE_NONE, {fill, 32}, {NULL, 0}},
    };
    for (size_t i = 0; i < MU_COUNT(bad); i++) {
        struct mutual_error err = {0};
        struct mu_key *key = NULL;
        assert_fails(mu_jwk_key(&bad[i], &key, &err), &err, MUTUAL_E_JWS_KEY);
    }
    struct mutual_error err = {0};
    uint8_t digest[32];
    assert_fails(mu_jwk_thumbprint(&bad[0], digest, &err), &err, MUTUAL_E_JWS_KEY);
}

static void algorithms_have_exactly_their_words(void **state)
{
    (void)state;
    static const char *const others[] = {"none",  "None",   "NONE",  "HS256",  "HS384",
                                         "HS512", "RS1",    "RS384", "RS512",  "PS256",
                                         "PS384", "PS512",  "ES512", "ES256K", "es256",
                                         "eddsa", "ES256 ", "",      "Ed448",  "RSA1_5"};
    enum mu_jws_alg alg;
    for (unsigned i = 0; i < MU_JWS_COUNT_; i++) {
        assert_true(mu_jws_alg_find(mu_slice_text(mu_jws_alg_word((enum mu_jws_alg)i)), &alg));
        assert_int_equal(alg, i);
    }
    for (size_t i = 0; i < MU_COUNT(others); i++) {
        assert_false(mu_jws_alg_find(mu_slice_text(others[i]), &alg));
    }
}

UNIT_MAIN(UNIT_CASE(the_thumbprint_of_rfc_7638), UNIT_CASE(ed25519_of_rfc_8037),
          UNIT_CASE(es256_of_rfc_7515), UNIT_CASE(hmac_of_rfc_7515),
          UNIT_CASE(what_is_signed_verifies_and_by_no_other_algorithm),
          UNIT_CASE(an_ecdsa_signature_of_zeros_is_none), UNIT_CASE(a_der_signature_is_none),
          UNIT_CASE(keys_that_are_refused), UNIT_CASE(algorithms_have_exactly_their_words))
