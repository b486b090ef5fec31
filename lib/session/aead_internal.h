/* SPDX-License-Identifier: Apache-2.0
 *
 * The authenticated encryption behind records (RFC 5116, RFC 8446 section 5.2), by whoever computes
 * it: the cryptographic library, or one that uses more of this processor. All give the same bytes.
 */
#ifndef MU_SESSION_AEAD_INTERNAL_H
#define MU_SESSION_AEAD_INTERNAL_H

#include "session/record_internal.h"

#define MU_AEAD_NONCE 12u

/* What is different for each record. */
struct mu_aead_use {
    const uint8_t *key; /* as long as the suite's */
    uint8_t nonce[MU_AEAD_NONCE];
    const uint8_t *head; /* MU_RECORD_HEAD bytes of additional data */
};

/* One algorithm, ready for any key. For one thread. */
struct mu_aead {
    /* Seals data, then the byte `type`, into len + 1 + MU_RECORD_TAG bytes at `out`, which does not
     * overlap. False: nothing there may be used. */
    bool (*seal)(struct mu_aead *aead, const struct mu_aead_use *use, const uint8_t *data,
                 size_t len, uint8_t type, uint8_t *out);
    /* Opens `len` bytes, behind which is the tag, into `out`. False: what is there did not
     * authenticate, and may not be used. */
    bool (*open)(struct mu_aead *aead, const struct mu_aead_use *use, const uint8_t *sealed,
                 size_t len, uint8_t *out);
    /* No key of a record stays behind. */
    void (*forget)(struct mu_aead *aead);
    void (*free)(struct mu_aead *aead);
};

/* By the library, "AES-256-GCM". NULL: it has no such algorithm, or no memory. */
struct ossl_lib_ctx_st;
struct mu_aead *mu_aead_library(struct ossl_lib_ctx_st *libctx, const char *cipher);
/* AES-GCM by libipsec-mb, with a key of 16 or 32 bytes. NULL: we were built without it, this
 * processor has nothing that it would be quicker by, or no memory. */
struct mu_aead *mu_aead_vector(size_t key_len);
/* Is it worth while with the library as it is? From 3.1 on OpenSSL does the same by itself. */
bool mu_aead_vector_pays(void);

#endif
