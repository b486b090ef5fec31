/* SPDX-License-Identifier: Apache-2.0
 *
 * HMAC (RFC 2104) with the two hashes of TLS 1.3, asked of the default provider's functions
 * themselves. By the library's layer over them every beginning of a digest is a context given back
 * and a new one, and the keys of a handshake take four dozen.
 */
#include "x509/lean_internal.h"
#include "x509/x509.h"

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <string.h>

enum { BLOCK_MAX = 128, INNER_PAD = 0x36, OUTER_PAD = 0x5c };

/* Constants of the process, as the tables in lean.c. */
struct mu_lean_hash {
    const char *name, *other;
    size_t size, block;
    uint8_t nothing[MU_LEAN_HASH_MAX]; /* the hash of no bytes */
    OSSL_FUNC_digest_newctx_fn *make;
    OSSL_FUNC_digest_init_fn *init;
    OSSL_FUNC_digest_update_fn *update;
    OSSL_FUNC_digest_final_fn *final;
    OSSL_FUNC_digest_freectx_fn *discard;
};
enum { HASHES = 2 };
static struct {
    void *provider;
    struct mu_lean_hash hashes[HASHES];
} hmac = {.hashes = {{.name = "SHA2-256", .other = "SHA256", .size = 32, .block = 64},
                     {.name = "SHA2-384", .other = "SHA384", .size = 48, .block = 128}}};

const struct mu_lean_hash *mu_lean_hash_find(const char *name)
{
    for (size_t i = 0; i < HASHES; i++) {
        if (OPENSSL_strcasecmp(name, hmac.hashes[i].name) == 0 ||
            OPENSSL_strcasecmp(name, hmac.hashes[i].other) == 0) {
            return &hmac.hashes[i];
        }
    }
    return NULL;
}

size_t mu_lean_hash_size(const struct mu_lean_hash *hash)
{
    return hash->size;
}

struct mu_slice mu_lean_hash_nothing(const struct mu_lean_hash *hash)
{
    return mu_slice_of(hash->nothing, hash->size);
}

/* ---- contexts of a thread -------------------------------------------------------------------- */

/* One for each hash, begun anew before and after every use. What is left in one is the padded
 * result of an inner hash, from which nothing follows without the key. */
struct scratch {
    void *contexts[HASHES];
};
static pthread_key_t scratches;
static pthread_once_t scratches_once = PTHREAD_ONCE_INIT;
static bool scratches_made;

static void scratch_done(void *opaque)
{
    struct scratch *scratch = opaque;
    for (size_t i = 0; i < HASHES; i++) {
        if (scratch->contexts[i] != NULL) {
            hmac.hashes[i].discard(scratch->contexts[i]);
        }
    }
    mu_free(scratch);
}

static void make_scratches(void)
{
    scratches_made = pthread_key_create(&scratches, scratch_done) == 0;
}

static struct scratch *own_scratch(void)
{
    struct scratch *scratch = pthread_getspecific(scratches);
    if (scratch == NULL) {
        scratch = mu_alloc(1, sizeof *scratch);
        if (scratch != NULL && pthread_setspecific(scratches, scratch) != 0) {
            mu_free(MU_TAKE(scratch));
        }
    }
    return scratch;
}

static void *context_of(const struct mu_lean_hash *hash)
{
    struct scratch *scratch = own_scratch();
    void **context = scratch == NULL ? NULL : &scratch->contexts[hash - hmac.hashes];
    if (context != NULL && *context == NULL) {
        *context = hash->make(hmac.provider);
    }
    return context == NULL ? NULL : *context;
}

/* ---- hash and HMAC --------------------------------------------------------------------------- */

static bool hash_of(const struct mu_lean_hash *hash, struct mu_slice text, uint8_t *out)
{
    void *context = context_of(hash);
    size_t len = 0;
    bool done = context != NULL && hash->init(context, NULL) == 1 &&
                (text.len == 0 || hash->update(context, text.data, text.len) == 1) &&
                hash->final(context, out, &len, hash->size) == 1 && len == hash->size;
    /* its state is the result by now, or what led there */
    return context != NULL && hash->init(context, NULL) == 1 && done;
}

static void put_block(const struct mu_lean_hash *hash, struct mu_slice key, uint8_t pad,
                      uint8_t *restrict at)
{
    const uint8_t *restrict bytes = key.data;
    for (size_t i = 0; i < key.len; i++) {
        at[i] = bytes[i] ^ pad;
    }
    memset(at + key.len, pad, hash->block - key.len);
}

/* Puts them one after the other; SIZE_MAX: there is no room. */
static size_t put_parts(uint8_t *at, const struct mu_slice *parts, size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len > MU_LEAN_HMAC_TEXT - len) {
            return SIZE_MAX;
        }
        if (parts[i].len > 0) {
            memcpy(at + len, parts[i].data, parts[i].len);
        }
        len += parts[i].len;
    }
    return len;
}

bool mu_lean_hmac(const struct mu_lean_hash *hash, struct mu_slice key,
                  const struct mu_slice *parts, size_t count, uint8_t *out)
{
    uint8_t text[BLOCK_MAX + MU_LEAN_HMAC_TEXT];
    uint8_t *rest = text + hash->block;
    size_t len = put_parts(rest, parts, count);
    bool done = len != SIZE_MAX && key.len <= hash->block;
    if (done) {
        put_block(hash, key, INNER_PAD, text);
        done = hash_of(hash, mu_slice_of(text, hash->block + len), rest);
        put_block(hash, key, OUTER_PAD, text);
        done = done && hash_of(hash, mu_slice_of(text, hash->block + hash->size), out);
    }
    mu_wipe(text, sizeof text);
    return done;
}

/* ---- what the provider has ------------------------------------------------------------------- */

/* RFC 4231, test case 2. */
static bool is_right(const struct mu_lean_hash *hash)
{
    static const uint8_t right[HASHES][8] = {{0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e},
                                             {0xaf, 0x45, 0xd2, 0xe3, 0x76, 0x48, 0x40, 0x31}};
    const struct mu_slice text = MU_SLICE_LIT("what do ya want for nothing?");
    uint8_t out[MU_LEAN_HASH_MAX];
    return mu_lean_hmac(hash, MU_SLICE_LIT("Jefe"), &text, 1, out) &&
           memcmp(out, right[hash - hmac.hashes], sizeof right[0]) == 0;
}

static bool start(struct mu_lean_hash *hash, const OSSL_DISPATCH *digest)
{
    hash->make = MU_LEAN_OF(digest, digest, newctx, DIGEST_NEWCTX);
    hash->init = MU_LEAN_OF(digest, digest, init, DIGEST_INIT);
    hash->update = MU_LEAN_OF(digest, digest, update, DIGEST_UPDATE);
    hash->final = MU_LEAN_OF(digest, digest, final, DIGEST_FINAL);
    hash->discard = MU_LEAN_OF(digest, digest, freectx, DIGEST_FREECTX);
    return hash->make != NULL && hash->init != NULL && hash->update != NULL &&
           hash->final != NULL && hash->discard != NULL &&
           hash_of(hash, mu_slice_of(NULL, 0), hash->nothing) && is_right(hash);
}

bool mu_lean_hmac_start(const struct mu_lean_native *native, const OSSL_DISPATCH *sha256,
                        const OSSL_DISPATCH *sha384)
{
    hmac.provider = native->provider;
    return pthread_once(&scratches_once, make_scratches) == 0 && scratches_made &&
           start(&hmac.hashes[0], sha256) && start(&hmac.hashes[1], sha384);
}
