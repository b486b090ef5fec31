/* SPDX-License-Identifier: Apache-2.0
 *
 * The strict reader of signed requests. The algorithm comes from a table of what is accepted, the
 * key from the account or from the request itself, never from anywhere that the request points to.
 */
#include "acme/jws_internal.h"
#include "api/api.h"

#include <string.h>

bool acme_json_object(struct mu_slice text, const char *what, json_t **ret_object,
                      struct mutual_error *err)
{
    return api_json_object(text, what, MUTUAL_E_JWS_MALFORMED, ret_object, err);
}

const char *acme_json_text(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

void acme_jws_done(struct acme_jws *jws)
{
    json_decref(jws->outer);
    json_decref(jws->header);
    mu_key_unref(jws->key);
    mu_buf_done(&jws->signed_bytes);
    mu_buf_done(&jws->payload);
    mu_buf_done(&jws->signature);
    *jws = (struct acme_jws){0};
}

void mu_acme_jws_auto(struct acme_jws *jws)
{
    acme_jws_done(jws);
}

/* ---- keys ------------------------------------------------------------------------------------ */

static bool read_number(const json_t *object, const char *name, struct mu_buf *out,
                        struct mutual_error *err)
{
    const char *text = acme_json_text(object, name);
    struct mutual_error why = {0};
    mu_buf_init(out, MU_LIMIT_RSA_BITS / 8 + 8);
    return (text != NULL && mu_base64url_parse(mu_slice_text(text), out, &why)) ||
           mu_fail(err, MUTUAL_E_JWS_KEY, "the public key's \"%s\" is missing or no base64url",
                   name);
}

static const struct {
    const char *type, *curve_name;
    enum mu_key_kind kind;
    enum mu_curve curve;
    const char *a, *b;
} key_types[] = {
    {"EC", "P-256", MU_KEY_EC, MU_CURVE_P256, "x", "y"},
    {"EC", "P-384", MU_KEY_EC, MU_CURVE_P384, "x", "y"},
    {"RSA", NULL, MU_KEY_RSA, MU_CURVE_NONE, "n", "e"},
    {"OKP", "Ed25519", MU_KEY_ED25519, MU_CURVE_NONE, "x", NULL},
};

/* Who sends us the private half has lost the key (RFC 7518 sections 6.2.2, 6.3.2, 6.4.1). */
static bool is_public(const json_t *object)
{
    static const char *const secret[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};
    for (size_t i = 0; i < MU_COUNT(secret); i++) {
        if (json_object_get(object, secret[i]) != NULL) {
            return false;
        }
    }
    return true;
}

/* `a` and `b` hold the octets that *ret_jwk points into. */
static bool read_jwk(const json_t *object, struct mu_buf *a, struct mu_buf *b,
                     struct mu_jwk *ret_jwk, struct mutual_error *err)
{
    const char *type = acme_json_text(object, "kty");
    const char *curve = acme_json_text(object, "crv");
    size_t row = 0;
    if (!json_is_object(object) || type == NULL) {
        return mu_fail(err, MUTUAL_E_JWS_KEY, "the public key is no object with \"kty\"");
    }
    if (!is_public(object)) {
        return mu_fail(err, MUTUAL_E_JWS_KEY, "the key sent is a secret one") ||
               mu_error_hint(err, "Make a new key: this one is known to others now.");
    }
    while (row < MU_COUNT(key_types) &&
           (strcmp(type, key_types[row].type) != 0 ||
            (key_types[row].curve_name != NULL &&
             (curve == NULL || strcmp(curve, key_types[row].curve_name) != 0)))) {
        row++;
    }
    if (row == MU_COUNT(key_types)) {
        return mu_fail(err, MUTUAL_E_JWS_KEY,
                       "the kind or curve of the public key is not accepted");
    }
    if (!read_number(object, key_types[row].a, a, err) ||
        (key_types[row].b != NULL && !read_number(object, key_types[row].b, b, err))) {
        return false;
    }
    *ret_jwk = (struct mu_jwk){key_types[row].kind, key_types[row].curve, mu_buf_slice(a),
                               mu_buf_slice(b)};
    return true;
}

bool acme_jwk_thumbprint(const json_t *object, uint8_t ret_digest[32], struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf a = {0};
    MU_AUTO(buf) struct mu_buf b = {0};
    struct mu_jwk jwk;
    return read_jwk(object, &a, &b, &jwk, err) && mu_jwk_thumbprint(&jwk, ret_digest, err);
}

static bool take_jwk(struct acme_jws *jws, const json_t *object, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf a = {0};
    MU_AUTO(buf) struct mu_buf b = {0};
    struct mu_jwk jwk;
    return read_jwk(object, &a, &b, &jwk, err) && mu_jwk_key(&jwk, &jws->key, err) &&
           mu_jwk_thumbprint(&jwk, jws->thumbprint, err);
}

/* ---- the header ------------------------------------------------------------------------------ */

static bool read_algorithm(struct acme_jws *jws, enum acme_jws_kind kind, struct mutual_error *err)
{
    const char *alg = acme_json_text(jws->header, "alg");
    MU_AUTO(buf) struct mu_buf safe;
    mu_buf_init(&safe, 128);
    if (alg == NULL) {
        return mu_fail(err, MUTUAL_E_JWS_MALFORMED, "the protected header has no \"alg\"");
    }
    if (kind == ACME_JWS_BINDING ? strcmp(alg, "HS256") == 0
                                 : mu_jws_alg_find(mu_slice_text(alg), &jws->alg)) {
        return true;
    }
    mu_escape(&safe, mu_slice_of(alg, strnlen(alg, 20)));
    return mu_fail(err, MUTUAL_E_JWS_ALGORITHM, "algorithm \"%s\" is not accepted",
                   mu_buf_str(&safe));
}

/* Exactly one of jwk and kid (RFC 8555 section 6.2), and the right one where only one is right. */
static bool read_signer(struct acme_jws *jws, enum acme_jws_kind kind, struct mutual_error *err)
{
    const json_t *jwk = json_object_get(jws->header, "jwk");
    bool has_kid = json_object_get(jws->header, "kid") != NULL;
    jws->kid = acme_json_text(jws->header, "kid");
    if ((jwk != NULL) == has_kid || (has_kid && jws->kid == NULL)) {
        return mu_fail(err, MUTUAL_E_JWS_MALFORMED,
                       "the protected header needs one of \"jwk\" and \"kid\"");
    }
    if ((kind == ACME_JWS_INNER && has_kid) || (kind == ACME_JWS_BINDING && !has_kid)) {
        return mu_fail(err, MUTUAL_E_JWS_MALFORMED, "an inner signature must have \"%s\"",
                       has_kid ? "jwk" : "kid");
    }
    return jwk == NULL || take_jwk(jws, jwk, err);
}

static bool read_header(struct acme_jws *jws, enum acme_jws_kind kind, struct mutual_error *err)
{
    const json_t *nonce = json_object_get(jws->header, "nonce");
    if (json_object_get(jws->header, "crit") != NULL ||
        json_object_get(jws->header, "b64") != NULL) {
        return mu_fail(err, MUTUAL_E_JWS_MALFORMED,
                       "the protected header asks for extensions (\"crit\"), none is understood");
    }
    jws->url = acme_json_text(jws->header, "url");
    if (jws->url == NULL) {
        return mu_fail(err, MUTUAL_E_JWS_MALFORMED, "the protected header has no \"url\"");
    }
    jws->nonce = json_string_value(nonce);
    if (kind == ACME_JWS_REQUEST && nonce == NULL) {
        return mu_fail(err, MUTUAL_E_ACME_NONCE, "the protected header has no \"nonce\"");
    }
    if ((nonce != NULL && jws->nonce == NULL) || (kind != ACME_JWS_REQUEST && nonce != NULL)) {
        return mu_fail(err, MUTUAL_E_JWS_MALFORMED, "\"nonce\" is no text, or has no place there");
    }
    return read_algorithm(jws, kind, err) && read_signer(jws, kind, err);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static bool decode(const char *text, const char *name, struct mu_buf *out, struct mutual_error *err)
{
    struct mutual_error why = {0};
    mu_buf_init(out, MU_LIMIT_API_BODY);
    return mu_base64url_parse(mu_slice_text(text), out, &why) ||
           mu_fail(err, MUTUAL_E_JWS_MALFORMED, "\"%s\" is no base64url without padding: %s", name,
                   why.reason);
}

static bool take_apart(struct acme_jws *jws, enum acme_jws_kind kind, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf header = {0};
    const char *protected_text = acme_json_text(jws->outer, "protected");
    const char *payload = acme_json_text(jws->outer, "payload");
    const char *signature = acme_json_text(jws->outer, "signature");
    if (protected_text == NULL || payload == NULL || signature == NULL ||
        json_object_size(jws->outer) != 3) {
        return mu_fail(err, MUTUAL_E_JWS_MALFORMED,
                       "a signed request has exactly \"protected\", \"payload\" and \"signature\"");
    }
    if (!decode(protected_text, "protected", &header, err) ||
        !decode(payload, "payload", &jws->payload, err) ||
        !decode(signature, "signature", &jws->signature, err) ||
        !acme_json_object(mu_buf_slice(&header), "the protected header", &jws->header, err)) {
        return false;
    }
    mu_buf_init(&jws->signed_bytes, MU_LIMIT_API_BODY);
    mu_buf_text(&jws->signed_bytes, protected_text);
    mu_buf_text(&jws->signed_bytes, ".");
    mu_buf_text(&jws->signed_bytes, payload);
    return jws->signed_bytes.failed ? mu_fail_memory(err) : read_header(jws, kind, err);
}

bool acme_jws_parse(enum acme_jws_kind kind, struct mu_slice text, struct acme_jws *ret_jws,
                    struct mutual_error *err)
{
    MU_AUTO(acme_jws) struct acme_jws jws = {0};
    if (text.len > MU_LIMIT_API_BODY) {
        return mu_fail(err, MUTUAL_E_JWS_MALFORMED, "a signed request has at most %u bytes",
                       MU_LIMIT_API_BODY);
    }
    if (!acme_json_object(text, "the request", &jws.outer, err) || !take_apart(&jws, kind, err)) {
        return false;
    }
    *ret_jws = jws;
    jws = (struct acme_jws){0};
    return true;
}

bool acme_jws_verify(const struct acme_jws *jws, const struct mu_key *key, struct mutual_error *err)
{
    return mu_jws_verify(key, jws->alg, mu_buf_slice(&jws->signed_bytes),
                         mu_buf_slice(&jws->signature), err);
}

bool acme_jws_verify_binding(const struct acme_jws *jws, struct mu_slice secret,
                             struct mutual_error *err)
{
    uint8_t mac[32];
    if (!mu_hmac_sha256(secret, mu_buf_slice(&jws->signed_bytes), mac, err)) {
        return false;
    }
    return (jws->signature.len == sizeof mac &&
            mu_equal_secret(mac, jws->signature.data, sizeof mac)) ||
           mu_fail(err, MUTUAL_E_JWS_SIGNATURE,
                   "the external account binding is not signed by the key of its \"kid\"");
}
