/* SPDX-License-Identifier: Apache-2.0
 *
 * Key pairs of X25519. A public key is X25519(private, 9) by RFC 7748 section 6.1; OpenSSL gets it
 * on the Edwards curve, in portable code, though the exchange itself has code for this processor
 * that takes a third of the time. So the exchange is asked for the public key too.
 */
#include "x509/lean_internal.h"
#include "x509/turn.h"
#include "x509/x509.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>

enum { X25519_BYTES = 32 };

static struct {
    struct mu_lean_native native;
    OSSL_FUNC_keymgmt_new_fn *make;
    OSSL_FUNC_keymgmt_free_fn *discard;
    OSSL_FUNC_keymgmt_import_fn *import;
    OSSL_FUNC_keymgmt_gen_init_fn *gen_init;
    OSSL_FUNC_keymgmt_gen_set_params_fn *gen_set_params;
    OSSL_FUNC_keymgmt_gen_settable_params_fn *gen_settable_params;
    OSSL_FUNC_keymgmt_gen_fn *gen;
    OSSL_FUNC_keymgmt_gen_cleanup_fn *gen_cleanup;
    OSSL_FUNC_keyexch_newctx_fn *exchange_new;
    OSSL_FUNC_keyexch_init_fn *exchange_init;
    OSSL_FUNC_keyexch_set_peer_fn *exchange_set_peer;
    OSSL_FUNC_keyexch_derive_fn *exchange_derive;
    OSSL_FUNC_keyexch_freectx_fn *exchange_free;
    void *base; /* a key that is the point 9; shared by all exchanges, never changed */
    OSSL_DISPATCH table[MU_LEAN_FUNCTIONS];
} x25519;

/* ---- keys and the exchange ------------------------------------------------------------------- */

/* A key of the default provider; `secret` may be NULL. It takes the public key as it is told. */
static void *key_of(uint8_t *shown, uint8_t *secret)
{
    int selection = OSSL_KEYMGMT_SELECT_PUBLIC_KEY;
    OSSL_PARAM params[3];
    size_t count = 0;
    params[count++] =
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, shown, X25519_BYTES);
    if (secret != NULL) {
        selection |= OSSL_KEYMGMT_SELECT_PRIVATE_KEY;
        params[count++] =
            OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, secret, X25519_BYTES);
    }
    params[count] = OSSL_PARAM_construct_end();
    void *key = x25519.make(x25519.native.provider);
    if (key != NULL && x25519.import(key, selection, params) != 1) {
        x25519.discard(key);
        return NULL;
    }
    return key;
}

static bool public_of(uint8_t secret[X25519_BYTES], uint8_t shown[X25519_BYTES])
{
    uint8_t any[X25519_BYTES] = {
        9}; /* a private key needs a public one beside it; it is not read */
    size_t len = X25519_BYTES;
    void *key = key_of(any, secret);
    void *exchange = x25519.exchange_new(x25519.native.provider);
    bool done = key != NULL && exchange != NULL && x25519.exchange_init(exchange, key, NULL) == 1 &&
                x25519.exchange_set_peer(exchange, x25519.base) == 1 &&
                x25519.exchange_derive(exchange, shown, &len, X25519_BYTES) == 1 &&
                len == X25519_BYTES;
    if (exchange != NULL) {
        x25519.exchange_free(exchange);
    }
    x25519.discard(key);
    return done;
}

static void *new_pair(void)
{
    uint8_t secret[X25519_BYTES];
    uint8_t shown[X25519_BYTES];
    void *key = NULL;
    if (RAND_priv_bytes_ex(x25519.native.libctx, secret, sizeof secret, 0) == 1) {
        secret[0] &= 248; /* RFC 7748 section 5 */
        secret[31] &= 127;
        secret[31] |= 64;
        key = public_of(secret, shown) ? key_of(shown, secret) : NULL;
    }
    mu_wipe(secret, sizeof secret);
    return key;
}

/* ---- generation as the library asks for it --------------------------------------------------- */

struct generation {
    void *native;
    bool pair;
};

static void gen_cleanup(void *opaque)
{
    struct generation *generation = opaque;
    if (generation != NULL) {
        x25519.gen_cleanup(generation->native);
        OPENSSL_free(generation);
    }
}

static void *gen_init(void *provider, int selection, const OSSL_PARAM params[])
{
    struct generation *generation = OPENSSL_zalloc(sizeof *generation);
    if (generation == NULL) {
        return NULL;
    }
    generation->pair = (selection & OSSL_KEYMGMT_SELECT_KEYPAIR) != 0;
    generation->native = x25519.gen_init(provider, selection, params);
    if (generation->native == NULL) {
        OPENSSL_free(generation);
        return NULL;
    }
    return generation;
}

static int gen_set_params(void *opaque, const OSSL_PARAM params[])
{
    struct generation *generation = opaque;
    return x25519.gen_set_params(generation->native, params);
}

static const OSSL_PARAM *gen_settable_params(void *opaque, void *provider)
{
    struct generation *generation = opaque;
    return x25519.gen_settable_params(generation == NULL ? NULL : generation->native, provider);
}

/* Without a pair only an empty key is wanted, to put another's public key in. */
static void *gen(void *opaque, OSSL_CALLBACK *callback, void *arg)
{
    struct generation *generation = opaque;
    if (!generation->pair) {
        return x25519.gen(generation->native, callback, arg);
    }
    void *key = mu_turn() ? new_pair() : NULL;
    if (key != NULL && !mu_turn()) { /* the exchange with it comes next */
        x25519.discard(key);
        return NULL;
    }
    return key;
}

/* ---- the table ------------------------------------------------------------------------------- */

static bool take_functions(const OSSL_DISPATCH *manager, const OSSL_DISPATCH *exchange)
{
    x25519.make = MU_LEAN_OF(manager, keymgmt, new, KEYMGMT_NEW);
    x25519.discard = MU_LEAN_OF(manager, keymgmt, free, KEYMGMT_FREE);
    x25519.import = MU_LEAN_OF(manager, keymgmt, import, KEYMGMT_IMPORT);
    x25519.gen_init = MU_LEAN_OF(manager, keymgmt, gen_init, KEYMGMT_GEN_INIT);
    x25519.gen_set_params = MU_LEAN_OF(manager, keymgmt, gen_set_params, KEYMGMT_GEN_SET_PARAMS);
    x25519.gen_settable_params =
        MU_LEAN_OF(manager, keymgmt, gen_settable_params, KEYMGMT_GEN_SETTABLE_PARAMS);
    x25519.gen = MU_LEAN_OF(manager, keymgmt, gen, KEYMGMT_GEN);
    x25519.gen_cleanup = MU_LEAN_OF(manager, keymgmt, gen_cleanup, KEYMGMT_GEN_CLEANUP);
    x25519.exchange_new = MU_LEAN_OF(exchange, keyexch, newctx, KEYEXCH_NEWCTX);
    x25519.exchange_init = MU_LEAN_OF(exchange, keyexch, init, KEYEXCH_INIT);
    x25519.exchange_set_peer = MU_LEAN_OF(exchange, keyexch, set_peer, KEYEXCH_SET_PEER);
    x25519.exchange_derive = MU_LEAN_OF(exchange, keyexch, derive, KEYEXCH_DERIVE);
    x25519.exchange_free = MU_LEAN_OF(exchange, keyexch, freectx, KEYEXCH_FREECTX);
    return x25519.make != NULL && x25519.discard != NULL && x25519.import != NULL &&
           x25519.gen_init != NULL && x25519.gen_set_params != NULL &&
           x25519.gen_settable_params != NULL && x25519.gen != NULL && x25519.gen_cleanup != NULL &&
           x25519.exchange_new != NULL && x25519.exchange_init != NULL &&
           x25519.exchange_set_peer != NULL && x25519.exchange_derive != NULL &&
           x25519.exchange_free != NULL;
}

/* RFC 7748 section 6.1, Alice. */
static bool is_right(void)
{
    uint8_t secret[X25519_BYTES] = {0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d,
                                    0x3c, 0x16, 0xc1, 0x72, 0x51, 0xb2, 0x66, 0x45,
                                    0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0, 0x99, 0x2a,
                                    0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9, 0x2c, 0x2a};
    static const uint8_t right[X25519_BYTES] = {0x85, 0x20, 0xf0, 0x09, 0x89, 0x30, 0xa7, 0x54,
                                                0x74, 0x8b, 0x7d, 0xdc, 0xb4, 0x3e, 0xf7, 0x5a,
                                                0x0d, 0xbf, 0x3a, 0x0d, 0x26, 0x38, 0x1a, 0xf4,
                                                0xeb, 0xa4, 0xa9, 0x8e, 0xaa, 0x9b, 0x4e, 0x6a};
    uint8_t shown[X25519_BYTES];
    return public_of(secret, shown) && memcmp(shown, right, sizeof right) == 0;
}

const OSSL_DISPATCH *mu_lean_x25519(const struct mu_lean_native *native,
                                    const OSSL_DISPATCH *manager, const OSSL_DISPATCH *exchange)
{
    static const int known[] = {
        OSSL_FUNC_KEYMGMT_NEW,         OSSL_FUNC_KEYMGMT_FREE,
        OSSL_FUNC_KEYMGMT_GEN_INIT,    OSSL_FUNC_KEYMGMT_GEN_SET_PARAMS,
        OSSL_FUNC_KEYMGMT_GEN,         OSSL_FUNC_KEYMGMT_GEN_SETTABLE_PARAMS,
        OSSL_FUNC_KEYMGMT_GEN_CLEANUP, OSSL_FUNC_KEYMGMT_LOAD,
        OSSL_FUNC_KEYMGMT_GET_PARAMS,  OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS,
        OSSL_FUNC_KEYMGMT_SET_PARAMS,  OSSL_FUNC_KEYMGMT_SETTABLE_PARAMS,
        OSSL_FUNC_KEYMGMT_HAS,         OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME,
        OSSL_FUNC_KEYMGMT_VALIDATE,    OSSL_FUNC_KEYMGMT_MATCH,
        OSSL_FUNC_KEYMGMT_IMPORT,      OSSL_FUNC_KEYMGMT_IMPORT_TYPES,
        OSSL_FUNC_KEYMGMT_EXPORT,      OSSL_FUNC_KEYMGMT_EXPORT_TYPES,
        OSSL_FUNC_KEYMGMT_DUP,         0};
    static const OSSL_DISPATCH ours[] = {
        {OSSL_FUNC_KEYMGMT_GEN_INIT, MU_OSSL_FUNCTION(gen_init)},
        {OSSL_FUNC_KEYMGMT_GEN_SET_PARAMS, MU_OSSL_FUNCTION(gen_set_params)},
        {OSSL_FUNC_KEYMGMT_GEN_SETTABLE_PARAMS, MU_OSSL_FUNCTION(gen_settable_params)},
        {OSSL_FUNC_KEYMGMT_GEN, MU_OSSL_FUNCTION(gen)},
        {OSSL_FUNC_KEYMGMT_GEN_CLEANUP, MU_OSSL_FUNCTION(gen_cleanup)},
        {0, NULL},
    };
    uint8_t base[X25519_BYTES] = {9};
    x25519.native = *native;
    if (!mu_lean_has_only(manager, known) || !take_functions(manager, exchange)) {
        return manager;
    }
    x25519.base = key_of(base, NULL);
    bool usable = x25519.base != NULL && is_right() && mu_lean_overlay(manager, ours, x25519.table);
    return usable ? x25519.table : manager;
}
