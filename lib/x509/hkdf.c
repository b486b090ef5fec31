/* SPDX-License-Identifier: Apache-2.0
 *
 * HKDF as TLS 1.3 uses it (RFC 5869, RFC 8446 section 7.1) over the library's digests, and the
 * provider's side of it: parameters in, secrets out.
 */
#include "x509/hkdf.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <string.h>

#include "x509/turn.h"
#include "x509/x509.h"

enum { BLOCK_MAX = 128, LABEL_MAX = 255, CONTEXT_MAX = 255, INFO_MAX = 2 + 256 + 256 };

/* ---- HMAC and HKDF --------------------------------------------------------------------------- */

/* One of HMAC's two hashes: H(key xor pad | parts). */
static bool hash(EVP_MD_CTX *ctx, const EVP_MD *md, const uint8_t *key, uint8_t pad,
                 const struct mu_slice *parts, size_t count, uint8_t *out)
{
    uint8_t block[BLOCK_MAX];
    size_t size = (size_t)EVP_MD_get_block_size(md);
    for (size_t i = 0; i < size; i++) {
        block[i] = key[i] ^ pad;
    }
    bool done = EVP_DigestInit_ex2(ctx, md, NULL) == 1 && EVP_DigestUpdate(ctx, block, size) == 1;
    for (size_t i = 0; done && i < count; i++) {
        done = parts[i].len == 0 || EVP_DigestUpdate(ctx, parts[i].data, parts[i].len) == 1;
    }
    mu_wipe(block, sizeof block);
    return done && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
}

/* RFC 2104; a key is no longer than a block of the digest. */
static bool hmac(EVP_MD_CTX *ctx, const EVP_MD *md, struct mu_slice key,
                 const struct mu_slice *parts, size_t count, uint8_t *out)
{
    uint8_t whole[BLOCK_MAX] = {0};
    uint8_t inner[MU_HKDF_MAX];
    int size = EVP_MD_get_size(md);
    int block = EVP_MD_get_block_size(md);
    if (size <= 0 || size > (int)MU_HKDF_MAX || block <= 0 || block > BLOCK_MAX ||
        key.len > (size_t)block) {
        return false;
    }
    if (key.len > 0) {
        memcpy(whole, key.data, key.len);
    }
    struct mu_slice rest = mu_slice_of(inner, (size_t)size);
    bool done = hash(ctx, md, whole, 0x36, parts, count, inner) &&
                hash(ctx, md, whole, 0x5c, &rest, 1, out);
    mu_wipe(whole, sizeof whole);
    mu_wipe(inner, sizeof inner);
    /* its state is the result by now, or what led there */
    return EVP_DigestInit_ex2(ctx, md, NULL) == 1 && done;
}

static size_t put_vector(uint8_t *at, struct mu_slice first, struct mu_slice second)
{
    at[0] = (uint8_t)(first.len + second.len);
    if (first.len > 0) {
        memcpy(at + 1, first.data, first.len);
    }
    if (second.len > 0) {
        memcpy(at + 1 + first.len, second.data, second.len);
    }
    return 1 + first.len + second.len;
}

/* HKDF-Expand (RFC 5869 section 2.3) with the structure HkdfLabel for its info. */
bool mu_hkdf_expand(EVP_MD_CTX *ctx, const EVP_MD *md, struct mu_slice secret,
                    const struct mu_hkdf_label *what, uint8_t *out, size_t len)
{
    uint8_t info[INFO_MAX];
    uint8_t block[MU_HKDF_MAX];
    size_t size = (size_t)EVP_MD_get_size(md);
    if (len > UINT16_MAX || size == 0 || len > 255 * size ||
        what->prefix.len + what->label.len > LABEL_MAX || what->context.len > CONTEXT_MAX) {
        return false;
    }
    mu_put_be16(info, (uint16_t)len);
    size_t info_len = 2 + put_vector(info + 2, what->prefix, what->label);
    info_len += put_vector(info + info_len, what->context, mu_slice_of(NULL, 0));
    bool done = true;
    uint8_t number = 1;
    for (size_t at = 0; done && at < len; number++) {
        size_t more = len - at < size ? len - at : size;
        const struct mu_slice parts[] = {mu_slice_of(block, number > 1 ? size : 0),
                                         mu_slice_of(info, info_len), mu_slice_of(&number, 1)};
        done = hmac(ctx, md, secret, parts, MU_COUNT(parts), block);
        memcpy(out + at, block, more);
        at += more;
    }
    mu_wipe(block, sizeof block);
    if (!done) {
        mu_wipe(out, len);
    }
    return done;
}

/* ---- the provider's side --------------------------------------------------------------------- */

/* A constant of the process, as the tables in lean.c. */
static const struct {
    const char *name, *other;
} hash_names[] = {{"SHA2-256", "SHA256"}, {"SHA2-384", "SHA384"}};
static EVP_MD *hashes[MU_COUNT(hash_names)];

/* Who listens in this thread. */
static _Thread_local struct {
    mu_hkdf_heard_fn *heard;
    void *owner;
} ear;

void mu_hkdf_listen(mu_hkdf_heard_fn *heard, void *owner)
{
    ear.heard = heard;
    ear.owner = owner;
}

/* Of this thread: a digest that is begun again needs no memory. What is left in it after a
 * derivation is the padded result of an inner hash, from which nothing follows without the key. */
static pthread_key_t scratches;
static pthread_once_t scratches_once = PTHREAD_ONCE_INIT;
static bool scratches_made;

static void scratch_done(void *scratch)
{
    EVP_MD_CTX_free(scratch);
}

static void make_scratches(void)
{
    scratches_made = pthread_key_create(&scratches, scratch_done) == 0;
}

bool mu_hkdf_start(OSSL_LIB_CTX *libctx)
{
    bool all = pthread_once(&scratches_once, make_scratches) == 0 && scratches_made;
    for (size_t i = 0; i < MU_COUNT(hash_names); i++) {
        hashes[i] = EVP_MD_fetch(libctx, hash_names[i].name, NULL);
        all = all && hashes[i] != NULL;
    }
    return all;
}

static EVP_MD_CTX *own_scratch(void)
{
    EVP_MD_CTX *scratch = pthread_getspecific(scratches);
    if (scratch == NULL) {
        scratch = EVP_MD_CTX_new();
        if (pthread_setspecific(scratches, scratch) != 0) {
            EVP_MD_CTX_free(MU_TAKE(scratch));
        }
    }
    return scratch;
}

/* What to derive; a part whose data is NULL was not given. */
enum part { KEY, SALT, PREFIX, LABEL, DATA, PARTS, PART_MAX = 256 };
struct wish {
    const EVP_MD *md;
    int mode;
    struct mu_slice parts[PARTS];
};

/* The library asks by the parameters of one call; only what is set before is kept. */
struct kdf {
    struct wish kept; /* its parts lie in `bytes` */
    uint8_t (*bytes)[PART_MAX];
};

static void kdf_reset(void *opaque)
{
    struct kdf *kdf = opaque;
    if (kdf->bytes != NULL) {
        mu_wipe(kdf->bytes, PARTS * sizeof *kdf->bytes);
    }
    mu_free(kdf->bytes);
    *kdf = (struct kdf){.kept = {.mode = -1}};
}

static void kdf_free(void *opaque)
{
    if (opaque != NULL) {
        kdf_reset(opaque);
        mu_free(opaque);
    }
}

static void *kdf_new(void *provider)
{
    (void)provider;
    struct kdf *kdf = mu_alloc(1, sizeof *kdf);
    if (kdf != NULL) {
        kdf->kept.mode = -1;
    }
    return kdf;
}

static bool take_part(struct mu_slice *part, const OSSL_PARAM *param)
{
    *part = mu_slice_of(param->data, param->data_size);
    return param->data_type == OSSL_PARAM_OCTET_STRING && param->data_size <= PART_MAX;
}

static bool take_digest(struct wish *wish, const OSSL_PARAM *param)
{
    const char *name = param->data_type == OSSL_PARAM_UTF8_STRING ? param->data : NULL;
    wish->md = NULL;
    for (size_t i = 0; name != NULL && i < MU_COUNT(hash_names); i++) {
        if (OPENSSL_strcasecmp(name, hash_names[i].name) == 0 ||
            OPENSSL_strcasecmp(name, hash_names[i].other) == 0) {
            wish->md = hashes[i];
        }
    }
    return wish->md != NULL;
}

static bool take_mode(struct wish *wish, const OSSL_PARAM *param)
{
    if (param->data_type != OSSL_PARAM_UTF8_STRING) {
        return OSSL_PARAM_get_int(param, &wish->mode) == 1;
    }
    const char *name = param->data;
    wish->mode = OPENSSL_strcasecmp(name, "EXTRACT_ONLY") == 0  ? EVP_KDF_HKDF_MODE_EXTRACT_ONLY
                 : OPENSSL_strcasecmp(name, "EXPAND_ONLY") == 0 ? EVP_KDF_HKDF_MODE_EXPAND_ONLY
                                                                : -1;
    return wish->mode != -1;
}

/* Two hundred of them a handshake: most are told by their first letter. */
static bool is_called(const OSSL_PARAM *param, const char *name)
{
    return param->key[0] == name[0] && strcmp(param->key, name) == 0;
}

/* What is none of ours, the property query for the digest among it, is nothing to us. */
static bool take_param(struct wish *wish, const OSSL_PARAM *param)
{
    static const char *const names[PARTS] = {
        [KEY] = OSSL_KDF_PARAM_KEY,       [SALT] = OSSL_KDF_PARAM_SALT,
        [PREFIX] = OSSL_KDF_PARAM_PREFIX, [LABEL] = OSSL_KDF_PARAM_LABEL,
        [DATA] = OSSL_KDF_PARAM_DATA,
    };
    for (size_t i = 0; i < PARTS; i++) {
        if (is_called(param, names[i])) {
            return take_part(&wish->parts[i], param);
        }
    }
    if (is_called(param, OSSL_KDF_PARAM_DIGEST)) {
        return take_digest(wish, param);
    }
    return !is_called(param, OSSL_KDF_PARAM_MODE) || take_mode(wish, param);
}

static bool take_params(struct wish *wish, const OSSL_PARAM params[])
{
    for (; params != NULL && params->key != NULL; params++) {
        if (!take_param(wish, params)) {
            return false;
        }
    }
    return true;
}

/* Copies its parts, which lie in the caller's parameters or here already, beyond this call. */
static bool keep(struct kdf *kdf, const struct wish *wish)
{
    kdf->bytes = kdf->bytes != NULL ? kdf->bytes : mu_alloc(PARTS, sizeof *kdf->bytes);
    if (kdf->bytes == NULL) {
        return false;
    }
    kdf->kept = *wish;
    for (size_t i = 0; i < PARTS; i++) {
        struct mu_slice *part = &kdf->kept.parts[i];
        if (part->data != NULL) {
            memmove(kdf->bytes[i], part->data, part->len);
            part->data = kdf->bytes[i];
        }
    }
    return true;
}

static int kdf_set_params(void *opaque, const OSSL_PARAM params[])
{
    struct kdf *kdf = opaque;
    struct wish wish = kdf->kept;
    return take_params(&wish, params) && keep(kdf, &wish) ? 1 : 0;
}

static struct mu_hkdf_label label_of(const struct wish *wish, struct mu_slice context)
{
    return (struct mu_hkdf_label){
        .prefix = wish->parts[PREFIX], .label = wish->parts[LABEL], .context = context};
}

/* A step of section 7.1's schedule: what comes from above, derived, extracts what is new. Where
 * there is nothing new, or nothing above, zeros stand for it. */
static bool extract(const struct wish *wish, EVP_MD_CTX *ctx, uint8_t *out, size_t size)
{
    static const uint8_t zeros[MU_HKDF_MAX];
    uint8_t nothing[MU_HKDF_MAX]; /* the digest of no messages */
    uint8_t above[MU_HKDF_MAX];
    bool done = true;
    struct mu_slice salt = mu_slice_of(zeros, 0);
    struct mu_slice new =
        wish->parts[KEY].data != NULL ? wish->parts[KEY] : mu_slice_of(zeros, size);
    if (wish->parts[SALT].data != NULL) {
        const struct mu_hkdf_label derived = label_of(wish, mu_slice_of(nothing, size));
        done = wish->parts[SALT].len == size && EVP_DigestInit_ex2(ctx, wish->md, NULL) == 1 &&
               EVP_DigestFinal_ex(ctx, nothing, NULL) == 1 &&
               mu_hkdf_expand(ctx, wish->md, wish->parts[SALT], &derived, above, size);
        salt = mu_slice_of(above, size);
    }
    done = done && hmac(ctx, wish->md, salt, &new, 1, out);
    mu_wipe(above, sizeof above);
    return done;
}

static bool is_traffic(struct mu_slice label)
{
    return mu_slice_equal_text(label, "c ap traffic") || mu_slice_equal_text(label, "s ap traffic");
}

/* The first one after the exchange of keys. */
static bool begins_schedule(struct mu_slice label)
{
    return mu_slice_equal_text(label, "s hs traffic");
}

static int kdf_derive(void *opaque, unsigned char *out, size_t len, const OSSL_PARAM params[])
{
    const struct kdf *kdf = opaque;
    struct wish wish = kdf->kept;
    EVP_MD_CTX *ctx = own_scratch();
    if (!take_params(&wish, params) || wish.md == NULL || ctx == NULL) {
        return 0;
    }
    size_t size = (size_t)EVP_MD_get_size(wish.md);
    if (wish.mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY) {
        return len == size && extract(&wish, ctx, out, size) ? 1 : 0;
    }
    struct mu_hkdf_label what = label_of(&wish, wish.parts[DATA]);
    if (wish.mode != EVP_KDF_HKDF_MODE_EXPAND_ONLY || wish.parts[KEY].data == NULL ||
        (begins_schedule(what.label) && !mu_turn()) ||
        !mu_hkdf_expand(ctx, wish.md, wish.parts[KEY], &what, out, len)) {
        return 0;
    }
    if (ear.heard != NULL && is_traffic(what.label)) {
        ear.heard(ear.owner, what.label, mu_slice_of(out, len));
    }
    return 1;
}

static int kdf_get_params(void *opaque, OSSL_PARAM params[])
{
    const struct kdf *kdf = opaque;
    OSSL_PARAM *param = OSSL_PARAM_locate(params, OSSL_KDF_PARAM_SIZE);
    const struct wish *wish = &kdf->kept;
    bool one = wish->mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY && wish->md != NULL;
    return param == NULL ||
           OSSL_PARAM_set_size_t(param, one ? (size_t)EVP_MD_get_size(wish->md) : SIZE_MAX) == 1;
}

static const OSSL_PARAM *kdf_settable(void *opaque, void *provider)
{
    static const OSSL_PARAM types[] = {OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_MODE, NULL, 0),
                                       OSSL_PARAM_int(OSSL_KDF_PARAM_MODE, NULL),
                                       OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_PROPERTIES, NULL, 0),
                                       OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, NULL, 0),
                                       OSSL_PARAM_octet_string(OSSL_KDF_PARAM_KEY, NULL, 0),
                                       OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SALT, NULL, 0),
                                       OSSL_PARAM_octet_string(OSSL_KDF_PARAM_PREFIX, NULL, 0),
                                       OSSL_PARAM_octet_string(OSSL_KDF_PARAM_LABEL, NULL, 0),
                                       OSSL_PARAM_octet_string(OSSL_KDF_PARAM_DATA, NULL, 0),
                                       OSSL_PARAM_END};
    (void)opaque;
    (void)provider;
    return types;
}

static const OSSL_PARAM *kdf_gettable(void *opaque, void *provider)
{
    static const OSSL_PARAM types[] = {OSSL_PARAM_size_t(OSSL_KDF_PARAM_SIZE, NULL),
                                       OSSL_PARAM_END};
    (void)opaque;
    (void)provider;
    return types;
}

static const OSSL_DISPATCH functions[] = {
    {OSSL_FUNC_KDF_NEWCTX, MU_OSSL_FUNCTION(kdf_new)},
    {OSSL_FUNC_KDF_FREECTX, MU_OSSL_FUNCTION(kdf_free)},
    {OSSL_FUNC_KDF_RESET, MU_OSSL_FUNCTION(kdf_reset)},
    {OSSL_FUNC_KDF_DERIVE, MU_OSSL_FUNCTION(kdf_derive)},
    {OSSL_FUNC_KDF_SET_CTX_PARAMS, MU_OSSL_FUNCTION(kdf_set_params)},
    {OSSL_FUNC_KDF_GET_CTX_PARAMS, MU_OSSL_FUNCTION(kdf_get_params)},
    {OSSL_FUNC_KDF_SETTABLE_CTX_PARAMS, MU_OSSL_FUNCTION(kdf_settable)},
    {OSSL_FUNC_KDF_GETTABLE_CTX_PARAMS, MU_OSSL_FUNCTION(kdf_gettable)},
    {0, NULL},
};

const OSSL_DISPATCH *mu_hkdf_functions(void)
{
    return functions;
}

bool mu_hkdf_is_heard(OSSL_LIB_CTX *libctx)
{
    EVP_KDF *kdf = EVP_KDF_fetch(libctx, "TLS13-KDF", NULL);
    const char *name = kdf == NULL ? NULL : OSSL_PROVIDER_get0_name(EVP_KDF_get0_provider(kdf));
    bool ours = name != NULL && strcmp(name, "lean") == 0;
    EVP_KDF_free(kdf);
    return ours;
}
