/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of the room's door (include "x509/x509.h") for signatures in JSON (RFC 7515, RFC 7518,
 * RFC 8037): public keys given as numbers and signatures by four algorithms, no others. Text is
 * read elsewhere; here are octets.
 */
#ifndef MU_X509_JOSE_H
#define MU_X509_JOSE_H

/* No HMAC among them, no "none", no SHA-1, no PSS: a table of what is, so that nothing else is. */
enum mu_jws_alg { MU_JWS_ES256, MU_JWS_ES384, MU_JWS_RS256, MU_JWS_EDDSA, MU_JWS_COUNT_ };
/* "ES256", "ES384", "RS256", "EdDSA". Constant. */
const char *mu_jws_alg_word(enum mu_jws_alg alg);
/* By that word exactly. */
bool mu_jws_alg_find(struct mu_slice word, enum mu_jws_alg *ret_alg);

/* A public key as a JWK gives it: for MU_KEY_EC the curve and a = x, b = y; for MU_KEY_RSA a = n,
 * b = e; for MU_KEY_ED25519 a = x. */
struct mu_jwk {
    enum mu_key_kind kind;
    enum mu_curve curve;
    struct mu_slice a, b;
};
/* JWS_KEY: coordinates not of the curve's length or off the curve, numbers with leading zeros, a
 * kind or curve that no algorithm here uses, a key too weak. */
bool mu_jwk_key(const struct mu_jwk *jwk, struct mu_key **ret_key, struct mutual_error *err);
/* SHA-256 of the key in the form of RFC 7638 section 3: equal keys, equal thumbprints. */
bool mu_jwk_thumbprint(const struct mu_jwk *jwk, uint8_t ret_digest[32], struct mutual_error *err);
/* JWS_ALGORITHM: the key is not one for that algorithm; JWS_SIGNATURE: wrong, or not of the
 * algorithm's length (RFC 7518 section 3.4: two numbers side by side, never DER). */
bool mu_jws_verify(const struct mu_key *key, enum mu_jws_alg alg, struct mu_slice bytes,
                   struct mu_slice signature, struct mutual_error *err);
/* The same way round, for clients: appends the signature. */
bool mu_jws_sign(const struct mu_key *key, enum mu_jws_alg alg, struct mu_slice bytes,
                 struct mu_buf *out, struct mutual_error *err);
/* HMAC with SHA-256 (RFC 2104). LIBRARY. */
bool mu_hmac_sha256(struct mu_slice key, struct mu_slice bytes, uint8_t ret_mac[32],
                    struct mutual_error *err);

#endif
