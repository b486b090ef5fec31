/* SPDX-License-Identifier: Apache-2.0
 *
 * Signed requests as ACME has them: JSON Web Signatures in flattened JSON (RFC 7515 section 7.2.2)
 * with the header fields of RFC 8555 section 6.2. What is not exactly that is refused.
 */
#ifndef ACME_JWS_INTERNAL_H
#define ACME_JWS_INTERNAL_H

#include <jansson.h>

#include "base/base.h"
#include "x509/x509.h"

/* One object, no duplicate members, nothing behind it, UTF-8. `what` names it in the reason. */
bool acme_json_object(struct mu_slice text, const char *what, json_t **ret_object,
                      struct mutual_error *err);
/* A member that is text; NULL when it is missing or of another type. */
const char *acme_json_text(const json_t *object, const char *name);

enum acme_jws_kind {
    ACME_JWS_REQUEST, /* of a client: with a nonce                                           */
    ACME_JWS_INNER,   /* in a key change (section 7.3.5): jwk, no nonce                      */
    ACME_JWS_BINDING, /* an external account binding (section 7.3.4): HS256, kid, no nonce    */
};
struct acme_jws {
    json_t *outer, *header; /* what the texts belong to */
    enum mu_jws_alg alg;    /* not for a binding */
    const char *kid;        /* or NULL, then: */
    struct mu_key *key;     /* of jwk */
    uint8_t thumbprint[32]; /* of jwk */
    const char *nonce;      /* NULL: none */
    const char *url;
    struct mu_buf signed_bytes, payload, signature;
};
void acme_jws_done(struct acme_jws *jws);
void mu_acme_jws_auto(struct acme_jws *jws);
/* Reads it; no signature is looked at. JWS_MALFORMED, JWS_ALGORITHM, JWS_KEY. */
bool acme_jws_parse(enum acme_jws_kind kind, struct mu_slice text, struct acme_jws *ret_jws,
                    struct mutual_error *err) MUTUAL_MUST_CHECK;
/* JWS_ALGORITHM, JWS_SIGNATURE. */
bool acme_jws_verify(const struct acme_jws *jws, const struct mu_key *key,
                     struct mutual_error *err) MUTUAL_MUST_CHECK;
/* A binding's, by the secret that goes with its kid. */
bool acme_jws_verify_binding(const struct acme_jws *jws, struct mu_slice secret,
                             struct mutual_error *err) MUTUAL_MUST_CHECK;
/* A public key in JSON, as jwk has it: only its thumbprint. */
bool acme_jwk_thumbprint(const json_t *object, uint8_t ret_digest[32], struct mutual_error *err);

#endif
