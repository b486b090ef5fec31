/* SPDX-License-Identifier: Apache-2.0
 *
 * The key schedule of TLS 1.3 over a digest of the library: HKDF-Expand-Label as the record layer
 * needs it, and the same as the TLS13-KDF that a lean context offers to the library itself. Through
 * the library's own layers (a KDF over a MAC over a digest, each looked up by name) one such
 * derivation costs three times its hashing, and a handshake makes twenty-seven.
 */
#ifndef MU_X509_HKDF_H
#define MU_X509_HKDF_H

#include "base/base.h"

struct evp_md_st;
struct evp_md_ctx_st;
struct ossl_dispatch_st;
struct ossl_lib_ctx_st;

/* The longest output of one digest that is used here. */
#define MU_HKDF_MAX 64u

/* What is derived from a secret (RFC 8446 section 7.1). */
struct mu_hkdf_label {
    struct mu_slice prefix; /* "tls13 " */
    struct mu_slice label;
    struct mu_slice context;
};
/* HKDF-Expand-Label. `scratch` is of the caller and holds nothing of the secret afterwards. False:
 * the library failed, or something is longer than the structure can say; then `out` is wiped. */
bool mu_hkdf_expand(struct evp_md_ctx_st *scratch, const struct evp_md_st *md,
                    struct mu_slice secret, const struct mu_hkdf_label *what, uint8_t *out,
                    size_t len) MUTUAL_MUST_CHECK;

/* ---- the TLS13-KDF of a lean context ----------------------------------------------------------
 */

/* Fetches the digests; once, before the table is used. They are never given back. */
bool mu_hkdf_start(struct ossl_lib_ctx_st *libctx) MUTUAL_MUST_CHECK;
/* Its functions, as provider-kdf(7) names them. */
const struct ossl_dispatch_st *mu_hkdf_functions(void);
/* Tells the secrets of application traffic when the library derives them in this thread: label
 * ("c ap traffic") and secret, both the library's. NULL: nobody is told. */
typedef void mu_hkdf_heard_fn(void *owner, struct mu_slice label, struct mu_slice secret);
void mu_hkdf_listen(mu_hkdf_heard_fn *heard, void *owner);
/* Does the context derive by this, so that who listens will hear? */
bool mu_hkdf_is_heard(struct ossl_lib_ctx_st *libctx) MUTUAL_MUST_CHECK;

#endif
