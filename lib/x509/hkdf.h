/* SPDX-License-Identifier: Apache-2.0
 *
 * The key schedule of TLS 1.3 as a lean context offers it to the library (TLS13-KDF), and who
 * listens to it. Through the library's own layers (a KDF over a MAC over a digest, each looked up
 * by name) one derivation costs three times its hashing, and a handshake makes some twenty.
 */
#ifndef MU_X509_HKDF_H
#define MU_X509_HKDF_H

#include "base/base.h"

struct ossl_dispatch_st;
struct ossl_lib_ctx_st;

/* Its functions, as provider-kdf(7) names them; they count on mu_lean_hmac_start. */
const struct ossl_dispatch_st *mu_hkdf_functions(void);

/* One derivation for application traffic (RFC 8446 sections 7.1 and 7.3): a secret ("c ap
 * traffic", "s ap traffic"), or "key" or "iv" from any traffic secret, that of handshakes too.
 * Everything is the library's. */
struct mu_hkdf_heard {
    struct mu_slice label;
    struct mu_slice from;
    struct mu_slice out;
};
/* Tells them when the library derives them in this thread. NULL: nobody is told. */
typedef void mu_hkdf_heard_fn(void *owner, const struct mu_hkdf_heard *heard);
void mu_hkdf_listen(mu_hkdf_heard_fn *heard, void *owner);
/* Does the context derive by this, so that who listens will hear? */
bool mu_hkdf_is_heard(struct ossl_lib_ctx_st *libctx) MUTUAL_MUST_CHECK;

#endif
