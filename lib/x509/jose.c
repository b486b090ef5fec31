/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys and signatures in the form that JSON gives them. A key becomes a SubjectPublicKeyInfo and
 * goes through the one place where public keys are judged and loaded.
 */
#include "x509/algorithms_internal.h"
#include "x509/der_internal.h"
#include "x509/ossl_internal.h"

#include <string.h>

static const struct {
    const char *word;
    enum mu_scheme scheme;
    enum mu_key_kind kind;
    enum mu_curve curve;
    size_t half; /* octets of each of an ECDSA signature's two numbers; 0: taken as it is */
} algs[MU_JWS_COUNT_] = {
    [MU_JWS_ES256] = {"ES256", MU_SCHEME_ECDSA_P256_SHA256, MU_KEY_EC, MU_CURVE_P256, 32},
    [MU_JWS_ES384] = {"ES384", MU_SCHEME_ECDSA_P384_SHA384, MU_KEY_EC, MU_CURVE_P384, 48},
    [MU_JWS_RS256] = {"RS256", MU_SCHEME_RSA_PKCS1_SHA256, MU_KEY_RSA, MU_CURVE_NONE, 0},
    [MU_JWS_EDDSA] = {"EdDSA", MU_SCHEME_ED25519, MU_KEY_ED25519, MU_CURVE_NONE, 0},
};

const char *mu_jws_alg_word(enum mu_jws_alg alg)
{
    mu_assert(alg < MU_JWS_COUNT_);
    return algs[alg].word;
}

bool mu_jws_alg_find(struct mu_slice word, enum mu_jws_alg *ret_alg)
{
    for (unsigned i = 0; i < MU_JWS_COUNT_; i++) {
        if (mu_slice_equal_text(word, algs[i].word)) {
            *ret_alg = (enum mu_jws_alg)i;
            return true;
        }
    }
    return false;
}

/* ---- keys ------------------------------------------------------------------------------------ */

static size_t coordinate(enum mu_curve curve)
{
    return curve == MU_CURVE_P256 ? 32 : (curve == MU_CURVE_P384 ? 48 : 0);
}

/* RFC 7518 sections 6.2.1.2 and 6.3.1.1, RFC 8037 section 2: one way to write each number, so that
 * one key has one thumbprint. */
static const char *flaw_of(const struct mu_jwk *jwk)
{
    switch (jwk->kind) {
    case MU_KEY_EC:
        if (coordinate(jwk->curve) == 0) {
            return "its curve is neither P-256 nor P-384";
        }
        return jwk->a.len == coordinate(jwk->curve) && jwk->b.len == jwk->a.len
                   ? NULL
                   : "its coordinates are not as long as the curve's";
    case MU_KEY_RSA:
        return jwk->a.len > 0 && jwk->b.len > 0 && jwk->a.data[0] != 0 && jwk->b.data[0] != 0 &&
                       jwk->a.len <= MU_LIMIT_RSA_BITS / 8 && jwk->b.len <= 8
                   ? NULL
                   : "its numbers are empty, too long or begin with zeros";
    case MU_KEY_ED25519:
        return jwk->a.len == 32 ? NULL : "it is not of 32 octets";
    case MU_KEY_RSA_PSS:
    case MU_KEY_OTHER:
        break;
    }
    return "its kind is none of EC, RSA and Ed25519";
}

static void put_oid(struct mu_buf *out, const char *dotted)
{
    uint8_t storage[16];
    struct mu_buf oid;
    mu_buf_init(&oid, sizeof storage);
    out->failed |= !mu_oid_encode(dotted, &oid);
    mu_der_put_oid(out, mu_buf_slice(&oid));
    mu_buf_done(&oid);
}

static void put_algorithm(struct mu_buf *out, const struct mu_jwk *jwk)
{
    size_t mark = mu_der_begin(out, DER_SEQUENCE);
    if (jwk->kind == MU_KEY_EC) {
        put_oid(out, "1.2.840.10045.2.1");
        put_oid(out, jwk->curve == MU_CURVE_P256 ? "1.2.840.10045.3.1.7" : "1.3.132.0.34");
    } else if (jwk->kind == MU_KEY_RSA) {
        put_oid(out, "1.2.840.113549.1.1.1");
        mu_der_put(out, DER_NULL, mu_slice_of(NULL, 0));
    } else {
        put_oid(out, "1.3.101.112");
    }
    mu_der_end(out, mark);
}

static void put_bits(struct mu_buf *out, const struct mu_jwk *jwk)
{
    MU_AUTO(buf) struct mu_buf bits;
    mu_buf_init(&bits, 4096);
    if (jwk->kind == MU_KEY_EC) {
        mu_buf_byte(&bits, 4); /* an uncompressed point (SEC 1 section 2.3.3) */
        mu_buf_append(&bits, jwk->a.data, jwk->a.len);
        mu_buf_append(&bits, jwk->b.data, jwk->b.len);
    } else if (jwk->kind == MU_KEY_RSA) {
        size_t mark = mu_der_begin(&bits, DER_SEQUENCE);
        mu_der_put_magnitude(&bits, DER_INTEGER, jwk->a);
        mu_der_put_magnitude(&bits, DER_INTEGER, jwk->b);
        mu_der_end(&bits, mark);
    } else {
        mu_buf_append(&bits, jwk->a.data, jwk->a.len);
    }
    out->failed |= bits.failed;
    mu_der_put_bits(out, mu_buf_slice(&bits));
}

bool mu_jwk_key(const struct mu_jwk *jwk, struct mu_key **ret_key, struct mutual_error *err)
{
    MU_AUTO(key) struct mu_key *key = NULL;
    MU_AUTO(buf) struct mu_buf spki;
    struct mutual_error why = {0};
    const char *flaw = flaw_of(jwk);
    mu_buf_init(&spki, 8192);
    if (flaw != NULL) {
        return mu_fail(err, MUTUAL_E_JWS_KEY, "the public key is refused: %s", flaw);
    }
    size_t mark = mu_der_begin(&spki, DER_SEQUENCE);
    put_algorithm(&spki, jwk);
    put_bits(&spki, jwk);
    mu_der_end(&spki, mark);
    if (spki.failed) {
        return mu_fail_memory(err);
    }
    if (!mu_key_from_spki(mu_buf_slice(&spki), &key, &why)) {
        return mu_fail(err, MUTUAL_E_JWS_KEY, "the public key is refused: %s", why.reason);
    }
    if (mu_key_info(key)->weak != NULL) {
        return mu_fail(err, MUTUAL_E_JWS_KEY, "the public key is refused: %s",
                       mu_key_info(key)->weak);
    }
    *ret_key = MU_TAKE(key);
    return true;
}

static void put_member(struct mu_buf *out, const char *before, struct mu_slice number)
{
    mu_buf_text(out, before);
    mu_base64url(out, number);
    mu_buf_text(out, "\"");
}

bool mu_jwk_thumbprint(const struct mu_jwk *jwk, uint8_t ret_digest[32], struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 4096);
    if (flaw_of(jwk) != NULL) {
        return mu_fail(err, MUTUAL_E_JWS_KEY, "the public key is refused: %s", flaw_of(jwk));
    }
    if (jwk->kind == MU_KEY_EC) {
        mu_buf_printf(&text, "{\"crv\":\"%s\",\"kty\":\"EC\",",
                      jwk->curve == MU_CURVE_P256 ? "P-256" : "P-384");
        put_member(&text, "\"x\":\"", jwk->a);
        put_member(&text, ",\"y\":\"", jwk->b);
    } else if (jwk->kind == MU_KEY_RSA) {
        put_member(&text, "{\"e\":\"", jwk->b);
        put_member(&text, ",\"kty\":\"RSA\",\"n\":\"", jwk->a);
    } else {
        put_member(&text, "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"", jwk->a);
    }
    mu_buf_text(&text, "}");
    return text.failed ? mu_fail_memory(err) : mu_sha256(mu_buf_slice(&text), ret_digest, err);
}

/* ---- signatures ------------------------------------------------------------------------------ */

static bool key_fits(const struct mu_key *key, enum mu_jws_alg alg, struct mutual_error *err)
{
    const struct mu_key_info *info = mu_key_info(key);
    mu_assert(alg < MU_JWS_COUNT_);
    return (info->kind == algs[alg].kind && info->curve == algs[alg].curve) ||
           mu_fail(err, MUTUAL_E_JWS_ALGORITHM, "a key of kind \"%s\" does not sign by \"%s\"",
                   info->text, algs[alg].word);
}

/* Two numbers of a fixed length become SEQUENCE { INTEGER, INTEGER } (RFC 3279 section 2.2.3). */
static bool to_der(struct mu_slice pair, size_t half, struct mu_buf *out)
{
    if (pair.len != 2 * half) {
        return false;
    }
    size_t mark = mu_der_begin(out, DER_SEQUENCE);
    mu_der_put_magnitude(out, DER_INTEGER, mu_slice_of(pair.data, half));
    mu_der_put_magnitude(out, DER_INTEGER, mu_slice_of(pair.data + half, half));
    mu_der_end(out, mark);
    return !out->failed;
}

bool mu_jws_verify(const struct mu_key *key, enum mu_jws_alg alg, struct mu_slice bytes,
                   struct mu_slice signature, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf der;
    struct mutual_error why = {0};
    mu_buf_init(&der, 256);
    if (!key_fits(key, alg, err)) {
        return false;
    }
    if (algs[alg].half != 0) {
        if (!to_der(signature, algs[alg].half, &der)) {
            return mu_fail(err, MUTUAL_E_JWS_SIGNATURE, "a signature by %s has %zu octets, not %zu",
                           algs[alg].word, 2 * algs[alg].half, signature.len);
        }
        signature = mu_buf_slice(&der);
    }
    return mu_key_verify(key, algs[alg].scheme, bytes, signature, &why) ||
           mu_fail(err, MUTUAL_E_JWS_SIGNATURE, "the signature is not one by the key given");
}

static bool put_number(struct mu_slice *pair, size_t half, struct mu_buf *out)
{
    struct mu_slice number;
    if (!mu_der_body(pair, DER_INTEGER, &number) || !mu_der_unsigned(number, &number) ||
        number.len > half) {
        return false;
    }
    for (size_t i = number.len; i < half; i++) {
        mu_buf_byte(out, 0);
    }
    return mu_buf_append(out, number.data, number.len);
}

bool mu_jws_sign(const struct mu_key *key, enum mu_jws_alg alg, struct mu_slice bytes,
                 struct mu_buf *out, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf der;
    struct mu_slice pair;
    mu_buf_init(&der, 256);
    if (!key_fits(key, alg, err)) {
        return false;
    }
    if (algs[alg].half == 0) {
        return mu_key_sign(key, algs[alg].scheme, bytes, out, err);
    }
    return mu_key_sign(key, algs[alg].scheme, bytes, &der, err) &&
           ((mu_der_only(mu_buf_slice(&der), DER_SEQUENCE, &pair) &&
             put_number(&pair, algs[alg].half, out) && put_number(&pair, algs[alg].half, out)) ||
            mu_fail(err, MUTUAL_E_LIBRARY, "the library made a signature of another form"));
}

bool mu_hmac_sha256(struct mu_slice key, struct mu_slice bytes, uint8_t ret_mac[32],
                    struct mutual_error *err)
{
    size_t len = 0;
    mu_ossl_clear();
    return (EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key.data, key.len, bytes.data, bytes.len,
                      ret_mac, 32, &len) != NULL &&
            len == 32) ||
           mu_fail_ossl(err, MUTUAL_E_LIBRARY, "could not take an HMAC");
}
