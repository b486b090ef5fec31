/* SPDX-License-Identifier: Apache-2.0
 *
 * Signed requests: one that is read, and every way to write one that is not.
 */
#include "acme/jws_internal.h"
#include "api/api.h"

#include "jws.h"
#include "unit.h"

#define X    "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define Y    "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define JWK  "\"jwk\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\"}"
#define REST "\"nonce\":\"bm9uY2U\",\"url\":\"https://ca/x\""

/* The three members around texts; the signature is never looked at in reading. */
static void make(const char *header, const char *payload, struct mu_buf *out)
{
    mu_buf_init(out, 1u << 17);
    mu_buf_text(out, "{\"protected\":\"");
    mu_base64url(out, mu_slice_text(header));
    mu_buf_text(out, "\",\"payload\":\"");
    mu_base64url(out, mu_slice_text(payload));
    mu_buf_text(out, "\",\"signature\":\"c2ln\"}");
}

static void a_request_is_read(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf text = {0};
    MU_AUTO(acme_jws) struct acme_jws jws = {0};
    make("{\"alg\":\"ES256\"," JWK "," REST "}", "{}", &text);
    assert_ok(acme_jws_parse(ACME_JWS_REQUEST, mu_buf_slice(&text), &jws, &err), &err);
    assert_null(jws.kid);
    assert_non_null(jws.key);
    assert_int_equal(jws.alg, MU_JWS_ES256);
    assert_string_equal(jws.nonce, "bm9uY2U");
    assert_string_equal(jws.url, "https://ca/x");
    assert_true(mu_slice_equal_text(mu_buf_slice(&jws.payload), "{}"));
    assert_true(mu_slice_equal_text(mu_buf_slice(&jws.signature), "sig"));
    acme_jws_done(&jws);
    mu_buf_done(&text);
    make("{\"alg\":\"RS256\",\"kid\":\"https://ca/1\"," REST "}", "", &text);
    assert_ok(acme_jws_parse(ACME_JWS_REQUEST, mu_buf_slice(&text), &jws, &err), &err);
    assert_string_equal(jws.kid, "https://ca/1");
    assert_null(jws.key);
    assert_int_equal(jws.payload.len, 0);
}

static void what_is_signed_verifies_and_nothing_else_does(void **state)
{
    (void)state;
    static const enum mu_key_spec specs[] = {MU_SPEC_EC_P256, MU_SPEC_EC_P384, MU_SPEC_RSA_2048,
                                             MU_SPEC_ED25519};
    struct mutual_error err = {0};
    for (size_t i = 0; i < MU_COUNT(specs); i++) {
        MU_AUTO(key) struct mu_key *key = NULL;
        MU_AUTO(key) struct mu_key *other = NULL;
        MU_AUTO(buf) struct mu_buf text;
        MU_AUTO(acme_jws) struct acme_jws jws = {0};
        mu_buf_init(&text, 1u << 16);
        assert_ok(mu_key_generate(specs[i], &key, &err), &err);
        assert_ok(mu_key_generate(specs[i], &other, &err), &err);
        unit_jws(key, NULL, "bm9uY2U", "https://ca/x", "{\"a\":1}", &text);
        assert_ok(acme_jws_parse(ACME_JWS_REQUEST, mu_buf_slice(&text), &jws, &err), &err);
        assert_ok(acme_jws_verify(&jws, jws.key, &err), &err);
        assert_ok(acme_jws_verify(&jws, key, &err), &err);
        assert_fails(acme_jws_verify(&jws, other, &err), &err, MUTUAL_E_JWS_SIGNATURE);
        jws.signed_bytes.data[jws.signed_bytes.len - 1] ^= 1;
        assert_fails(acme_jws_verify(&jws, jws.key, &err), &err, MUTUAL_E_JWS_SIGNATURE);
    }
}

/* A key of the account for one algorithm, a request that says another: the oldest JWS attack. */
static void the_algorithm_must_be_the_keys(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(key) struct mu_key *rsa = NULL;
    MU_AUTO(key) struct mu_key *ec = NULL;
    MU_AUTO(buf) struct mu_buf text;
    MU_AUTO(acme_jws) struct acme_jws jws = {0};
    mu_buf_init(&text, 1u << 16);
    assert_ok(mu_key_generate(MU_SPEC_RSA_2048, &rsa, &err), &err);
    assert_ok(mu_key_generate(MU_SPEC_EC_P256, &ec, &err), &err);
    unit_jws(ec, "https://ca/1", "bm9uY2U", "https://ca/x", "{}", &text);
    assert_ok(acme_jws_parse(ACME_JWS_REQUEST, mu_buf_slice(&text), &jws, &err), &err);
    assert_fails(acme_jws_verify(&jws, rsa, &err), &err, MUTUAL_E_JWS_ALGORITHM);
}

static void requests_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        enum mutual_code code;
    } rows[] = {
        /* algorithms */
        {"{" JWK "," REST "}", MUTUAL_E_JWS_MALFORMED},
        {"{\"alg\":null," JWK "," REST "}", MUTUAL_E_JWS_MALFORMED},
        {"{\"alg\":[\"ES256\"]," JWK "," REST "}", MUTUAL_E_JWS_MALFORMED},
        {"{\"alg\":\"none\"," JWK "," REST "}", MUTUAL_E_JWS_ALGORITHM},
        {"{\"alg\":\"None\"," JWK "," REST "}", MUTUAL_E_JWS_ALGORITHM},
        {"{\"alg\":\"\"," JWK "," REST "}", MUTUAL_E_JWS_ALGORITHM},
        {"{\"alg\":\"HS256\"," JWK "," REST "}", MUTUAL_E_JWS_ALGORITHM},
        {"{\"alg\":\"HS384\"," JWK "," REST "}", MUTUAL_E_JWS_ALGORITHM},
        {"{\"alg\":\"HS512\"," JWK "," REST "}", MUTUAL_E_JWS_ALGORITHM},
        {"{\"alg\":\"RS1\"," JWK "," REST "}", MUTUAL_E_JWS_ALGORITHM},
        {"{\"alg\":\"RS384\"," JWK "," REST "}", MUTUAL_E_JWS_ALGORITHM},
        {"{\"alg\":\"RS512\"," JWK "," REST "}", MUTUAL_E_JWS_ALGORITHM},
        {"{\"alg\":\"PS256\"," JWK "," REST "}", MUTUAL_E_JWS_ALGORITHM},
        {"{\"alg\":\"ES512\"," JWK "," REST "}", MUTUAL_E_JWS_ALGORITHM},
        {"{\"alg\":\"ES256K\"," JWK "," REST "}", MUTUAL_E_JWS_ALGORITHM},
        {"{\"alg\":\"es256\"," JWK "," REST "}", MUTUAL_E_JWS_ALGORITHM},
        /* who signs */
        {"{\"alg\":\"ES256\"," REST "}", MUTUAL_E_JWS_MALFORMED},
        {"{\"alg\":\"ES256\"," JWK ",\"kid\":\"https://ca/1\"," REST "}", MUTUAL_E_JWS_MALFORMED},
        {"{\"alg\":\"ES256\",\"kid\":1," REST "}", MUTUAL_E_JWS_MALFORMED},
        {"{\"alg\":\"ES256\",\"kid\":null," REST "}", MUTUAL_E_JWS_MALFORMED},
        {"{\"alg\":\"ES256\",\"jwk\":null," REST "}", MUTUAL_E_JWS_KEY},
        {"{\"alg\":\"ES256\",\"jwk\":\"x\"," REST "}", MUTUAL_E_JWS_KEY},
        {"{\"alg\":\"ES256\",\"jwk\":{}," REST "}", MUTUAL_E_JWS_KEY},
        {"{\"alg\":\"ES256\",\"jku\":\"https://evil\"," REST "}", MUTUAL_E_JWS_MALFORMED},
        {"{\"alg\":\"ES256\",\"x5c\":[\"AAAA\"]," REST "}", MUTUAL_E_JWS_MALFORMED},
        /* keys */
        {"{\"alg\":\"ES256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}," REST "}", MUTUAL_E_JWS_KEY},
        {"{\"alg\":\"ES256\",\"jwk\":{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"AAAA\",\"y\":"
         "\"AAAA\"}," REST "}",
         MUTUAL_E_JWS_KEY},
        {"{\"alg\":\"ES256\",\"jwk\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\"}," REST "}",
         MUTUAL_E_JWS_KEY},
        {"{\"alg\":\"ES256\",\"jwk\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "=\",\"y\":\"" Y
         "\"}," REST "}",
         MUTUAL_E_JWS_KEY},
        {"{\"alg\":\"ES256\",\"jwk\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" Y "\",\"y\":\"" X
         "\"}," REST "}",
         MUTUAL_E_JWS_KEY}, /* off the curve */
        {"{\"alg\":\"ES256\",\"jwk\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y
         "\",\"d\":\"AAAA\"}," REST "}",
         MUTUAL_E_JWS_KEY}, /* the private half */
        {"{\"alg\":\"EdDSA\",\"jwk\":{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" X "\"}," REST
         "}",
         MUTUAL_E_JWS_KEY},
        {"{\"alg\":\"RS256\",\"jwk\":{\"kty\":\"RSA\",\"n\":\"" X "\",\"e\":\"AQAB\"}," REST "}",
         MUTUAL_E_JWS_KEY}, /* 256 bits */
        /* nonce and url */
        {"{\"alg\":\"ES256\"," JWK ",\"url\":\"https://ca/x\"}", MUTUAL_E_ACME_NONCE},
        {"{\"alg\":\"ES256\"," JWK ",\"nonce\":7,\"url\":\"https://ca/x\"}",
         MUTUAL_E_JWS_MALFORMED},
        {"{\"alg\":\"ES256\"," JWK ",\"nonce\":\"a\"}", MUTUAL_E_JWS_MALFORMED},
        {"{\"alg\":\"ES256\"," JWK ",\"nonce\":\"a\",\"url\":[]}", MUTUAL_E_JWS_MALFORMED},
        /* extensions */
        {"{\"alg\":\"ES256\"," JWK "," REST ",\"crit\":[]}", MUTUAL_E_JWS_MALFORMED},
        {"{\"alg\":\"ES256\"," JWK "," REST ",\"crit\":[\"b64\"],\"b64\":false}",
         MUTUAL_E_JWS_MALFORMED},
        {"{\"alg\":\"ES256\"," JWK "," REST ",\"b64\":false}", MUTUAL_E_JWS_MALFORMED},
        /* two readers */
        {"{\"alg\":\"ES256\",\"alg\":\"none\"," JWK "," REST "}", MUTUAL_E_JWS_MALFORMED},
        {"{\"alg\":\"ES256\"," JWK "," REST ",\"url\":\"https://evil\"}", MUTUAL_E_JWS_MALFORMED},
        {"{\"alg\":\"ES256\"," JWK "," REST "} ", MUTUAL_OK}, /* JSON's own blanks */
        {"{\"alg\":\"ES256\"," JWK "," REST "}{}", MUTUAL_E_JWS_MALFORMED},
        {"[\"alg\"]", MUTUAL_E_JWS_MALFORMED},
        {"", MUTUAL_E_JWS_MALFORMED},
        {"{\"alg\":\"ES\\u0000256\"," JWK "," REST "}", MUTUAL_E_JWS_MALFORMED},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct mutual_error err = {0};
        MU_AUTO(buf) struct mu_buf text = {0};
        MU_AUTO(acme_jws) struct acme_jws jws = {0};
        make(rows[i].header, "{}", &text);
        bool good = acme_jws_parse(ACME_JWS_REQUEST, mu_buf_slice(&text), &jws, &err);
        if (good != (rows[i].code == MUTUAL_OK) || err.code != rows[i].code) {
            fail_msg("%s: %s", rows[i].header, mutual_code_name(err.code));
        }
    }
}

static void envelopes_that_are_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "null",
        "[]",
        "\"x\"",
        "{}",
        "{\"protected\":\"e30\",\"payload\":\"e30\"}",
        "{\"protected\":\"e30\",\"payload\":\"e30\",\"signature\":1}",
        "{\"protected\":\"e30=\",\"payload\":\"e30\",\"signature\":\"AAAA\"}",
        "{\"protected\":\"e30\",\"payload\":\"e30 \",\"signature\":\"AAAA\"}",
        "{\"protected\":\"e30\",\"payload\":\"e30\",\"signature\":\"A+A/\"}",
        "{\"protected\":\"e30\",\"payload\":\"e31\",\"signature\":\"AAAA\"}", /* trailing bits */
        "{\"protected\":\"e30\",\"payload\":\"e30\",\"signature\":\"AAAA\",\"header\":{}}",
        "{\"protected\":\"e30\",\"payload\":\"e30\",\"signature\":\"AAAA\",\"header\":{\"kid\":1}}",
        "{\"payload\":\"e30\",\"signatures\":[{\"protected\":\"e30\",\"signature\":\"AAAA\"}]}",
        "{\"protected\":\"e30\",\"payload\":\"e30\",\"signature\":\"AAAA\",\"signature\":\"BBBB\"}",
        "{\"protected\":\"e30\",\"payload\":\"e30\",\"signature\":\"AAAA\"}x",
        "{\"protected\":\"\",\"payload\":\"\",\"signature\":\"\"}",
        "e30.e30.AAAA",
        "{\"protected\":\"\xff\",\"payload\":\"\",\"signature\":\"\"}",
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct mutual_error err = {0};
        struct acme_jws jws;
        assert_fails(acme_jws_parse(ACME_JWS_REQUEST, mu_slice_text(rows[i]), &jws, &err), &err,
                     MUTUAL_E_JWS_MALFORMED);
    }
}

static void size_and_depth_are_bounded(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct acme_jws jws;
    MU_AUTO(buf) struct mu_buf deep;
    mu_buf_init(&deep, 1u << 20);
    for (unsigned i = 0; i < 60000; i++) {
        mu_buf_text(&deep, "[");
    }
    assert_fails(acme_jws_parse(ACME_JWS_REQUEST, mu_buf_slice(&deep), &jws, &err), &err,
                 MUTUAL_E_JWS_MALFORMED);
    for (unsigned i = 0; i < 10000; i++) {
        mu_buf_text(&deep, "[");
    }
    assert_fails(acme_jws_parse(ACME_JWS_REQUEST, mu_buf_slice(&deep), &jws, &err), &err,
                 MUTUAL_E_JWS_MALFORMED);
    assert_non_null(strstr(err.reason, "65536"));
}

static void inner_signatures_have_their_own_rules(void **state)
{
    (void)state;
    static const struct {
        enum acme_jws_kind kind;
        const char *header;
        enum mutual_code code;
    } rows[] = {
        {ACME_JWS_INNER, "{\"alg\":\"ES256\"," JWK ",\"url\":\"u\"}", MUTUAL_OK},
        {ACME_JWS_INNER, "{\"alg\":\"ES256\"," JWK "," REST "}", MUTUAL_E_JWS_MALFORMED},
        {ACME_JWS_INNER, "{\"alg\":\"ES256\",\"kid\":\"k\",\"url\":\"u\"}", MUTUAL_E_JWS_MALFORMED},
        {ACME_JWS_INNER, "{\"alg\":\"HS256\"," JWK ",\"url\":\"u\"}", MUTUAL_E_JWS_ALGORITHM},
        {ACME_JWS_BINDING, "{\"alg\":\"HS256\",\"kid\":\"k\",\"url\":\"u\"}", MUTUAL_OK},
        {ACME_JWS_BINDING, "{\"alg\":\"ES256\",\"kid\":\"k\",\"url\":\"u\"}",
         MUTUAL_E_JWS_ALGORITHM},
        {ACME_JWS_BINDING, "{\"alg\":\"none\",\"kid\":\"k\",\"url\":\"u\"}",
         MUTUAL_E_JWS_ALGORITHM},
        {ACME_JWS_BINDING, "{\"alg\":\"HS512\",\"kid\":\"k\",\"url\":\"u\"}",
         MUTUAL_E_JWS_ALGORITHM},
        {ACME_JWS_BINDING, "{\"alg\":\"HS256\"," JWK ",\"url\":\"u\"}", MUTUAL_E_JWS_MALFORMED},
        {ACME_JWS_BINDING, "{\"alg\":\"HS256\",\"kid\":\"k\"," REST "}", MUTUAL_E_JWS_MALFORMED},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct mutual_error err = {0};
        MU_AUTO(buf) struct mu_buf text = {0};
        MU_AUTO(acme_jws) struct acme_jws jws = {0};
        make(rows[i].header, "{}", &text);
        bool good = acme_jws_parse(rows[i].kind, mu_buf_slice(&text), &jws, &err);
        if (good != (rows[i].code == MUTUAL_OK) || err.code != rows[i].code) {
            fail_msg("%s: %s", rows[i].header, mutual_code_name(err.code));
        }
    }
}

static void one_key_has_one_thumbprint(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    uint8_t first[32];
    uint8_t second[32];
    MU_AUTO(api_json)
    json_t *a =
        json_loads("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\"}", 0, NULL);
    MU_AUTO(api_json)
    json_t *b = json_loads("{\"use\":\"sig\",\"y\":\"" Y "\",\"kid\":\"7\",\"x\":\"" X
                           "\",\"crv\":\"P-256\",\"kty\":\"EC\"}",
                           0, NULL);
    assert_ok(acme_jwk_thumbprint(a, first, &err), &err);
    assert_ok(acme_jwk_thumbprint(b, second, &err), &err);
    assert_memory_equal(first, second, 32);
    assert_fails(acme_jwk_thumbprint(NULL, first, &err), &err, MUTUAL_E_JWS_KEY);
}

UNIT_MAIN(UNIT_CASE(a_request_is_read), UNIT_CASE(what_is_signed_verifies_and_nothing_else_does),
          UNIT_CASE(the_algorithm_must_be_the_keys), UNIT_CASE(requests_that_are_refused),
          UNIT_CASE(envelopes_that_are_refused), UNIT_CASE(size_and_depth_are_bounded),
          UNIT_CASE(inner_signatures_have_their_own_rules), UNIT_CASE(one_key_has_one_thumbprint))
