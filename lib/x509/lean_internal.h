/* SPDX-License-Identifier: Apache-2.0
 *
 * What a lean context does in its own way over the default provider's functions. Each of these
 * takes the default provider's table and gives one to use in its place: the same functions but for
 * those that are ours. Where that table is not as expected, or a first trial goes wrong, it is
 * given back unchanged. Called once, in one thread, before anything is served from the tables.
 */
#ifndef MU_X509_LEAN_INTERNAL_H
#define MU_X509_LEAN_INTERNAL_H

#include "base/base.h"

#include <openssl/core.h>

/* The default provider: in which context it is, and what its functions are handed. */
struct mu_lean_native {
    OSSL_LIB_CTX *libctx;
    void *provider;
};

#define MU_LEAN_FUNCTIONS 48u
/* Puts all of `native` into `out`, with the functions of `ours` in the place of those of the same
 * number that it has. Both end with number 0. False: too many. */
bool mu_lean_overlay(const OSSL_DISPATCH *native, const OSSL_DISPATCH *ours,
                     OSSL_DISPATCH out[MU_LEAN_FUNCTIONS]);
/* The row with this number, or one whose function is NULL. */
const OSSL_DISPATCH *mu_lean_find(const OSSL_DISPATCH *table, int number);
/* Its function, or NULL: MU_LEAN_OF(table, keymgmt, dup, KEYMGMT_DUP). */
#define MU_LEAN_OF(table_, kind_, name_, number_) \
    OSSL_FUNC_##kind_##_##name_(mu_lean_find(table_, OSSL_FUNC_##number_))
/* Has the table no functions but those with these numbers? They end with 0. One that is not known
 * here could be handed an object of ours, and not understand it. */
bool mu_lean_has_only(const OSSL_DISPATCH *table, const int *numbers);

/* The key manager of X25519. `exchange`: the table of its key exchange. */
const OSSL_DISPATCH *mu_lean_x25519(const struct mu_lean_native *native,
                                    const OSSL_DISPATCH *manager, const OSSL_DISPATCH *exchange);

/* SHA-256 and SHA-384 by the default provider, from its digests' tables, and HMAC over them; to be
 * asked from any thread once started. False: the tables are not as expected, or it went wrong. */
struct mu_lean_hash;
bool mu_lean_hmac_start(const struct mu_lean_native *native, const OSSL_DISPATCH *sha256,
                        const OSSL_DISPATCH *sha384) MUTUAL_MUST_CHECK;
/* By either name that the library has for it; NULL: it is another. */
const struct mu_lean_hash *mu_lean_hash_find(const char *name);
#define MU_LEAN_HASH_MAX 48u
size_t mu_lean_hash_size(const struct mu_lean_hash *hash);
/* The hash of no bytes. */
struct mu_slice mu_lean_hash_nothing(const struct mu_lean_hash *hash);
/* HMAC of the parts, one after the other, into `out`, which has room for one hash. False:
 * the key is longer than a block of the hash, the parts than MU_LEAN_HMAC_TEXT, or the library
 * failed; then `out` is of no use. */
#define MU_LEAN_HMAC_TEXT 640u
bool mu_lean_hmac(const struct mu_lean_hash *hash, struct mu_slice key,
                  const struct mu_slice *parts, size_t count, uint8_t *out) MUTUAL_MUST_CHECK;

/* The decoder of SubjectPublicKeyInfo for one type of key. `manager`: its key manager's table. The
 * first MU_LEAN_DECODERS that are asked for are ours. */
#define MU_LEAN_DECODERS 4u
const OSSL_DISPATCH *mu_lean_decoder(const struct mu_lean_native *native,
                                     const OSSL_DISPATCH *decoder, const OSSL_DISPATCH *manager);
/* How the core's streams are read; from the table that a provider is started with. Where it does
 * not say, or before, the decoders do as the default provider's. */
void mu_lean_decoder_core(const OSSL_DISPATCH *core);

/* What the decoders have done so far. */
struct mu_lean_decoded {
    uint64_t remembered; /* a copy of a key decoded before          */
    uint64_t alike;      /* a copy of a key's group, and a point    */
    uint64_t native;     /* left to the default provider            */
};
struct mu_lean_decoded mu_lean_decoded(void);

#endif
