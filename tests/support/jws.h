/* SPDX-License-Identifier: Apache-2.0
 *
 * Signed requests as a client of ACME makes them, and as one would that means harm.
 */
#ifndef UNIT_JWS_H
#define UNIT_JWS_H

#include "x509/x509.h"

/* {"kty": …} of the key's public half; appends. Equal keys, equal text. */
void unit_jwk(const struct mu_key *key, struct mu_buf *out);
enum mu_jws_alg unit_jws_alg(const struct mu_key *key);
/* {"protected", "payload", "signature"} over these very texts; appends. */
void unit_jws_raw(const struct mu_key *key, const char *header, const char *payload,
                  struct mu_buf *out);
/* The usual one: by kid, or by jwk when that is NULL. `nonce` NULL: none. */
void unit_jws(const struct mu_key *key, const char *kid, const char *nonce, const char *url,
              const char *payload, struct mu_buf *out);
/* An external account binding of the key, by HS256. */
void unit_jws_binding(const struct mu_key *key, const char *kid, struct mu_slice secret,
                      const char *url, struct mu_buf *out);

#endif
