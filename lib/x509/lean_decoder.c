/* SPDX-License-Identifier: Apache-2.0
 *
 * Public keys that were decoded before. The library decodes the key of every certificate it reads,
 * and most of what an elliptic key costs is to set its curve up anew. The same few authorities, and
 * often the same clients, come again: a key with the same bytes is copied, and one with other bytes
 * for the same curve gets a copy of that curve and its own point, which the library checks.
 *
 * Only what the default provider has decoded is remembered, byte by byte; never that it could not.
 * Bytes are remembered when they come a second time, so that strangers who each come once with a
 * key of their own push nobody out. What is remembered is bounded and of the whole process.
 */
#include "x509/algorithms_internal.h"
#include "x509/lean_internal.h"
#include "x509/x509.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

/* SPKI_MAX: the longest that is remembered: RSA with 8192 bits is 1,062 bytes. */
enum { ITEM_MAX = 1 << 16, SPKI_MAX = 1100, SETS = 64, WAYS = 4, ONCE = 1024, CURVES = 3 };

struct row {
    OSSL_FUNC_decoder_newctx_fn *newctx;
    OSSL_FUNC_decoder_freectx_fn *freectx;
    OSSL_FUNC_decoder_set_ctx_params_fn *set_ctx_params;
    OSSL_FUNC_decoder_decode_fn *decode;
    OSSL_FUNC_decoder_export_object_fn *export_object;
    OSSL_FUNC_keymgmt_free_fn *discard;
    OSSL_FUNC_keymgmt_dup_fn *dup;
    OSSL_FUNC_keymgmt_set_params_fn *set_params;
    OSSL_DISPATCH table[MU_LEAN_FUNCTIONS];
};

/* A key of the default provider, and the bytes it was decoded from: all of them, or for a curve the
 * algorithm identifier. There is room for the three curves whose keys are taken, and no other is
 * kept. */
struct kept_key {
    const struct row *row;
    void *key;
    char type[16]; /* as the default provider names it: "EC" */
    uint8_t *bytes;
    size_t len;
    uint64_t used;
};

static struct {
    OSSL_FUNC_BIO_read_ex_fn *read;
    OSSL_FUNC_BIO_new_membuf_fn *new_membuf;
    OSSL_FUNC_BIO_free_fn *free;
    struct row rows[MU_LEAN_DECODERS];
    size_t row_count;
    CRYPTO_RWLOCK *lock; /* for all that follows */
    uint8_t seed[16];
    struct kept_key sets[SETS][WAYS];
    struct kept_key curves[CURVES];
    uint64_t once[ONCE]; /* hashes of what came before */
    uint64_t clock;
    struct mu_lean_decoded done;
} decoders;

/* ---- what is remembered, under the lock ------------------------------------------------------ */

static void forget(struct kept_key *kept)
{
    if (kept->key != NULL) {
        kept->row->discard(kept->key);
    }
    mu_free(kept->bytes);
    *kept = (struct kept_key){.row = NULL};
}

static struct kept_key *find(struct kept_key *from, size_t count, struct mu_slice bytes)
{
    for (size_t i = 0; i < count; i++) {
        if (from[i].key != NULL && mu_slice_equal(mu_slice_of(from[i].bytes, from[i].len), bytes)) {
            from[i].used = ++decoders.clock;
            return &from[i];
        }
    }
    return NULL;
}

static struct kept_key *oldest(struct kept_key *from, size_t count)
{
    struct kept_key *found = from;
    for (size_t i = 1; i < count; i++) {
        found = from[i].used < found->used ? &from[i] : found;
    }
    return found;
}

/* In the place of what was of use longest ago. No memory: it is not remembered. */
static void put(struct kept_key *into, size_t count, const struct row *row, const char *type,
                struct mu_slice bytes, const void *key)
{
    struct kept_key *place = oldest(into, count);
    if (strlen(type) >= sizeof place->type || find(into, count, bytes) != NULL) {
        return;
    }
    forget(place);
    place->bytes = mu_alloc(bytes.len, 1);
    place->key = place->bytes == NULL ? NULL : row->dup(key, EVP_PKEY_PUBLIC_KEY);
    if (place->key == NULL) {
        mu_free(place->bytes);
        *place = (struct kept_key){.row = NULL};
        return;
    }
    memcpy(place->bytes, bytes.data, bytes.len);
    place->len = bytes.len;
    place->row = row;
    (void)snprintf(place->type, sizeof place->type, "%s", type);
    place->used = ++decoders.clock;
}

static uint64_t hash_of(struct mu_slice bytes)
{
    return mu_siphash(decoders.seed, bytes);
}

static struct kept_key *set_of(uint64_t hash)
{
    return decoders.sets[hash % SETS];
}

/* Did the same come before? It has come now. */
static bool came_before(uint64_t hash)
{
    uint64_t *place = &decoders.once[(hash / SETS) % ONCE];
    bool same = *place == hash;
    *place = hash;
    return same;
}

/* Another key of a curve that is known: its group, this point. NULL: the default provider shall say
 * what is wrong with it. */
static void *with_point(const struct kept_key *curve, struct mu_slice point)
{
    uint8_t copy[SPKI_MAX];
    mu_assert(point.len <= sizeof copy);
    memcpy(copy, point.data, point.len);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, copy, point.len),
        OSSL_PARAM_construct_end(),
    };
    void *key = curve->row->dup(curve->key, OSSL_KEYMGMT_SELECT_ALL_PARAMETERS);
    if (key != NULL && curve->row->set_params(key, params) != 1) {
        mu_ossl_clear();
        curve->row->discard(key);
        return NULL;
    }
    return key;
}

/* ---- decoding -------------------------------------------------------------------------------- */

struct decoding {
    const struct row *row;
    void *native;
};

/* A key that is on its way to the library. */
struct found {
    const struct row *row;
    void *key;
    char type[16];
};

static bool remembered(struct mu_slice spki, struct found *found)
{
    struct spki_parts parts;
    uint64_t hash = hash_of(spki);
    const struct kept_key *kept = find(set_of(hash), WAYS, spki);
    if (kept != NULL) {
        found->key = kept->row->dup(kept->key, EVP_PKEY_PUBLIC_KEY);
        decoders.done.remembered += found->key != NULL;
    } else if (mu_spki_split(spki, &parts) && parts.key.len > 0 &&
               (kept = find(decoders.curves, CURVES, parts.algorithm.whole)) != NULL) {
        found->key = with_point(kept, parts.key);
        decoders.done.alike += found->key != NULL;
        if (found->key != NULL && came_before(hash)) {
            put(set_of(hash), WAYS, kept->row, kept->type, spki, found->key);
        }
    }
    if (found->key == NULL) {
        return false;
    }
    found->row = kept->row;
    memcpy(found->type, kept->type, sizeof found->type);
    return true;
}

static void remember(const struct row *row, const char *type, struct mu_slice spki, const void *key)
{
    struct spki_parts parts;
    uint64_t hash = hash_of(spki);
    struct mu_key_info info;
    bool strong = mu_spki_info(spki, &info) && info.kind == MU_KEY_EC && info.weak == NULL;
    if (strong && row->set_params != NULL && mu_spki_split(spki, &parts)) {
        put(decoders.curves, CURVES, row, type, parts.algorithm.whole, key);
    }
    if (came_before(hash)) {
        put(set_of(hash), WAYS, row, type, spki, key);
    }
}

/* Hands a key over as a decoder does: by reference, and whoever takes it clears the reference. */
static int hand_over(struct found *found, OSSL_CALLBACK *callback, void *arg)
{
    int kind = OSSL_OBJECT_PKEY;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &kind),
        OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_TYPE, found->type, 0),
        OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_REFERENCE, &found->key,
                                          sizeof found->key),
        OSSL_PARAM_construct_end(),
    };
    int done = callback(params, arg);
    if (found->key != NULL) {
        found->row->discard(found->key);
    }
    return done;
}

/* What the default provider's decoder says is heard on its way. */
struct hearing {
    const struct row *row;
    struct mu_slice spki;
    OSSL_CALLBACK *callback;
    void *arg;
};

static int hear(const OSSL_PARAM params[], void *opaque)
{
    const struct hearing *hearing = opaque;
    const OSSL_PARAM *type = OSSL_PARAM_locate_const(params, OSSL_OBJECT_PARAM_DATA_TYPE);
    const OSSL_PARAM *reference = OSSL_PARAM_locate_const(params, OSSL_OBJECT_PARAM_REFERENCE);
    void *key = NULL;
    if (type != NULL && type->data_type == OSSL_PARAM_UTF8_STRING && reference != NULL &&
        reference->data_size == sizeof key && CRYPTO_THREAD_write_lock(decoders.lock) == 1) {
        memcpy(&key, reference->data, sizeof key);
        decoders.done.native++;
        remember(hearing->row, type->data, hearing->spki, key);
        (void)CRYPTO_THREAD_unlock(decoders.lock);
    }
    return hearing->callback(params, hearing->arg);
}

static bool read_exactly(OSSL_CORE_BIO *in, struct mu_buf *out, size_t len)
{
    uint8_t *space = mu_buf_reserve(out, len);
    size_t got = 0;
    for (size_t n = 0; space != NULL && got < len; got += n) {
        if (decoders.read(in, space + got, len - got, &n) != 1 || n == 0) {
            return false;
        }
    }
    out->len += got;
    return space != NULL;
}

/* One item of DER, as the default provider reads it: what comes after it stays in the stream. */
static bool read_item(OSSL_CORE_BIO *in, struct mu_buf *out)
{
    if (!read_exactly(in, out, 2)) {
        return false;
    }
    size_t octets = out->data[1] < 0x80 ? 0 : out->data[1] & 0x7fu;
    size_t len = octets == 0 ? out->data[1] : 0;
    if (octets > 3 || out->data[1] == 0x80 || !read_exactly(in, out, octets)) {
        return false;
    }
    for (size_t i = 0; i < octets; i++) {
        len = len << 8 | out->data[2 + i];
    }
    return len <= ITEM_MAX && read_exactly(in, out, len);
}

static bool can_read(void)
{
    return decoders.read != NULL && decoders.new_membuf != NULL && decoders.free != NULL;
}

static bool look_up(struct mu_slice spki, struct found *found)
{
    if (spki.len > SPKI_MAX || CRYPTO_THREAD_write_lock(decoders.lock) != 1) {
        return false;
    }
    bool known = remembered(spki, found);
    (void)CRYPTO_THREAD_unlock(decoders.lock);
    return known;
}

static int decode(void *opaque, OSSL_CORE_BIO *in, int selection, OSSL_CALLBACK *callback,
                  void *arg, OSSL_PASSPHRASE_CALLBACK *ask, void *ask_arg)
{
    struct decoding *decoding = opaque;
    struct found found = {.key = NULL};
    MU_AUTO(buf) struct mu_buf item;
    mu_buf_init(&item, 8 + ITEM_MAX);
    if (selection != EVP_PKEY_PUBLIC_KEY || !can_read()) {
        return decoding->row->decode(decoding->native, in, selection, callback, arg, ask, ask_arg);
    }
    if (!read_item(in, &item)) {
        return 1; /* nothing that this decoder knows, which is no error */
    }
    struct mu_slice spki = mu_buf_slice(&item);
    if (look_up(spki, &found)) {
        return hand_over(&found, callback, arg);
    }
    struct hearing hearing = {decoding->row, spki, callback, arg};
    OSSL_CORE_BIO *again = decoders.new_membuf(spki.data, (int)spki.len);
    int done = again != NULL && decoding->row->decode(decoding->native, again, selection,
                                                      spki.len <= SPKI_MAX ? hear : callback,
                                                      spki.len <= SPKI_MAX ? (void *)&hearing : arg,
                                                      ask, ask_arg) == 1;
    if (again != NULL) {
        (void)decoders.free(again);
    }
    return done;
}

/* ---- the decoder's other functions ----------------------------------------------------------- */

static void *begin(const struct row *row, void *provider)
{
    struct decoding *decoding = mu_alloc(1, sizeof *decoding);
    if (decoding == NULL) {
        return NULL;
    }
    *decoding = (struct decoding){row, row->newctx(provider)};
    if (decoding->native == NULL) {
        mu_free(decoding);
        return NULL;
    }
    return decoding;
}

/* The library tells a decoder nothing of which it is but by its function. */
static void *begin_0(void *provider)
{
    return begin(&decoders.rows[0], provider);
}
static void *begin_1(void *provider)
{
    return begin(&decoders.rows[1], provider);
}
static void *begin_2(void *provider)
{
    return begin(&decoders.rows[2], provider);
}
static void *begin_3(void *provider)
{
    return begin(&decoders.rows[3], provider);
}
static OSSL_FUNC_decoder_newctx_fn *const beginnings[MU_LEAN_DECODERS] = {begin_0, begin_1, begin_2,
                                                                          begin_3};

static void end(void *opaque)
{
    struct decoding *decoding = opaque;
    if (decoding != NULL) {
        decoding->row->freectx(decoding->native);
        mu_free(decoding);
    }
}

static int set_ctx_params(void *opaque, const OSSL_PARAM params[])
{
    struct decoding *decoding = opaque;
    return decoding->row->set_ctx_params(decoding->native, params);
}

static int export_object(void *opaque, const void *reference, size_t len, OSSL_CALLBACK *callback,
                         void *arg)
{
    struct decoding *decoding = opaque;
    return decoding->row->export_object(decoding->native, reference, len, callback, arg);
}

/* ---- the table ------------------------------------------------------------------------------- */

static bool take_functions(struct row *row, const OSSL_DISPATCH *decoder,
                           const OSSL_DISPATCH *manager)
{
    row->newctx = MU_LEAN_OF(decoder, decoder, newctx, DECODER_NEWCTX);
    row->freectx = MU_LEAN_OF(decoder, decoder, freectx, DECODER_FREECTX);
    row->set_ctx_params = MU_LEAN_OF(decoder, decoder, set_ctx_params, DECODER_SET_CTX_PARAMS);
    row->decode = MU_LEAN_OF(decoder, decoder, decode, DECODER_DECODE);
    row->export_object = MU_LEAN_OF(decoder, decoder, export_object, DECODER_EXPORT_OBJECT);
    row->discard = MU_LEAN_OF(manager, keymgmt, free, KEYMGMT_FREE);
    row->dup = MU_LEAN_OF(manager, keymgmt, dup, KEYMGMT_DUP);
    row->set_params = MU_LEAN_OF(manager, keymgmt, set_params, KEYMGMT_SET_PARAMS);
    return row->newctx != NULL && row->freectx != NULL && row->decode != NULL &&
           row->discard != NULL && row->dup != NULL;
}

/* Random numbers of the default provider's own context: asking the process's default one would load
 * all of the default provider into it. */
static bool start(OSSL_LIB_CTX *libctx)
{
    if (decoders.lock == NULL &&
        RAND_bytes_ex(libctx, decoders.seed, sizeof decoders.seed, 0) == 1) {
        decoders.lock = CRYPTO_THREAD_lock_new();
    }
    return decoders.lock != NULL;
}

const OSSL_DISPATCH *mu_lean_decoder(const struct mu_lean_native *native,
                                     const OSSL_DISPATCH *decoder, const OSSL_DISPATCH *manager)
{
    static const int known[] = {
        OSSL_FUNC_DECODER_NEWCTX,         OSSL_FUNC_DECODER_FREECTX,
        OSSL_FUNC_DECODER_GET_PARAMS,     OSSL_FUNC_DECODER_GETTABLE_PARAMS,
        OSSL_FUNC_DECODER_SET_CTX_PARAMS, OSSL_FUNC_DECODER_SETTABLE_CTX_PARAMS,
        OSSL_FUNC_DECODER_DOES_SELECTION, OSSL_FUNC_DECODER_DECODE,
        OSSL_FUNC_DECODER_EXPORT_OBJECT,  0};
    if (decoders.row_count == MU_LEAN_DECODERS || !mu_lean_has_only(decoder, known) ||
        !start(native->libctx)) {
        return decoder;
    }
    struct row *row = &decoders.rows[decoders.row_count];
    const OSSL_DISPATCH ours[] = {
        {OSSL_FUNC_DECODER_NEWCTX, MU_OSSL_FUNCTION(beginnings[decoders.row_count])},
        {OSSL_FUNC_DECODER_FREECTX, MU_OSSL_FUNCTION(end)},
        {OSSL_FUNC_DECODER_SET_CTX_PARAMS, MU_OSSL_FUNCTION(set_ctx_params)},
        {OSSL_FUNC_DECODER_DECODE, MU_OSSL_FUNCTION(decode)},
        {OSSL_FUNC_DECODER_EXPORT_OBJECT, MU_OSSL_FUNCTION(export_object)},
        {0, NULL},
    };
    if (!take_functions(row, decoder, manager) || !mu_lean_overlay(decoder, ours, row->table)) {
        return decoder;
    }
    decoders.row_count++;
    return row->table;
}

void mu_lean_decoder_core(const OSSL_DISPATCH *core)
{
    decoders.read = MU_LEAN_OF(core, BIO, read_ex, BIO_READ_EX);
    decoders.new_membuf = MU_LEAN_OF(core, BIO, new_membuf, BIO_NEW_MEMBUF);
    decoders.free = MU_LEAN_OF(core, BIO, free, BIO_FREE);
}

struct mu_lean_decoded mu_lean_decoded(void)
{
    struct mu_lean_decoded done = {0};
    if (decoders.lock != NULL && CRYPTO_THREAD_read_lock(decoders.lock) == 1) {
        done = decoders.done;
        (void)CRYPTO_THREAD_unlock(decoders.lock);
    }
    return done;
}
