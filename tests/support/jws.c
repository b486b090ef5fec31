/* SPDX-License-Identifier: Apache-2.0
 *
 * Signed requests, made.
 */
#include "jws.h"

static void put(struct mu_buf *out, const char *before, struct mu_slice number)
{
    mu_buf_text(out, before);
    mu_base64url(out, number);
    mu_buf_text(out, "\"");
}

void unit_jwk(const struct mu_key *key, struct mu_buf *out)
{
    struct mu_slice spki = mu_key_spki(key);
    const uint8_t *end = spki.data + spki.len;
    const struct mu_key_info *info = mu_key_info(key);
    if (info->kind == MU_KEY_EC) {
        size_t half = info->bits / 8;
        mu_buf_printf(out, "{\"crv\":\"P-%u\",\"kty\":\"EC\",", info->bits);
        put(out, "\"x\":\"", mu_slice_of(end - 2 * half, half));
        put(out, ",\"y\":\"", mu_slice_of(end - half, half));
    } else if (info->kind == MU_KEY_RSA) { /* the modulus, then 02 03 01 00 01 */
        size_t size = info->bits / 8;
        put(out, "{\"e\":\"", mu_slice_of(end - 3, 3));
        put(out, ",\"kty\":\"RSA\",\"n\":\"", mu_slice_of(end - 5 - size, size));
    } else {
        put(out, "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"", mu_slice_of(end - 32, 32));
    }
    mu_buf_text(out, "}");
}

enum mu_jws_alg unit_jws_alg(const struct mu_key *key)
{
    const struct mu_key_info *info = mu_key_info(key);
    if (info->kind == MU_KEY_EC) {
        return info->curve == MU_CURVE_P256 ? MU_JWS_ES256 : MU_JWS_ES384;
    }
    return info->kind == MU_KEY_RSA ? MU_JWS_RS256 : MU_JWS_EDDSA;
}

static void put_parts(const char *header, const char *payload, struct mu_buf *ret_bytes)
{
    mu_buf_init(ret_bytes, 1u << 17);
    mu_base64url(ret_bytes, mu_slice_text(header));
    mu_buf_text(ret_bytes, ".");
    mu_base64url(ret_bytes, mu_slice_text(payload));
}

static void put_whole(const char *header, const char *payload, struct mu_slice signature,
                      struct mu_buf *out)
{
    put(out, "{\"protected\":\"", mu_slice_text(header));
    put(out, ",\"payload\":\"", mu_slice_text(payload));
    put(out, ",\"signature\":\"", signature);
    mu_buf_text(out, "}");
}

void unit_jws_raw(const struct mu_key *key, const char *header, const char *payload,
                  struct mu_buf *out)
{
    MU_AUTO(buf) struct mu_buf bytes;
    MU_AUTO(buf) struct mu_buf signature;
    struct mutual_error err = {0};
    put_parts(header, payload, &bytes);
    mu_buf_init(&signature, 1024);
    mu_assert(mu_jws_sign(key, unit_jws_alg(key), mu_buf_slice(&bytes), &signature, &err));
    put_whole(header, payload, mu_buf_slice(&signature), out);
}

void unit_jws(const struct mu_key *key, const char *kid, const char *nonce, const char *url,
              const char *payload, struct mu_buf *out)
{
    MU_AUTO(buf) struct mu_buf header;
    mu_buf_init(&header, 8192);
    mu_buf_printf(&header, "{\"alg\":\"%s\",", mu_jws_alg_word(unit_jws_alg(key)));
    if (nonce != NULL) {
        mu_buf_printf(&header, "\"nonce\":\"%s\",", nonce);
    }
    mu_buf_printf(&header, "\"url\":\"%s\",", url);
    if (kid != NULL) {
        mu_buf_printf(&header, "\"kid\":\"%s\"}", kid);
    } else {
        mu_buf_text(&header, "\"jwk\":");
        unit_jwk(key, &header);
        mu_buf_text(&header, "}");
    }
    unit_jws_raw(key, mu_buf_str(&header), payload, out);
}

void unit_jws_binding(const struct mu_key *key, const char *kid, struct mu_slice secret,
                      const char *url, struct mu_buf *out)
{
    MU_AUTO(buf) struct mu_buf header;
    MU_AUTO(buf) struct mu_buf payload;
    MU_AUTO(buf) struct mu_buf bytes;
    struct mutual_error err = {0};
    uint8_t mac[32];
    mu_buf_init(&header, 8192);
    mu_buf_init(&payload, 8192);
    mu_buf_printf(&header, "{\"alg\":\"HS256\",\"kid\":\"%s\",\"url\":\"%s\"}", kid, url);
    unit_jwk(key, &payload);
    put_parts(mu_buf_str(&header), mu_buf_str(&payload), &bytes);
    mu_assert(mu_hmac_sha256(secret, mu_buf_slice(&bytes), mac, &err));
    put_whole(mu_buf_str(&header), mu_buf_str(&payload), mu_slice_of(mac, sizeof mac), out);
}
