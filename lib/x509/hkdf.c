/* SPDX-License-Identifier: Apache-2.0
 *
 * HKDF as TLS 1.3 uses it (RFC 5869, RFC 8446 section 7.1), and the provider's side of it:
 * parameters in, secrets out.
 */
#include "x509/hkdf.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/provider.h>
#include <string.h>

#include "x509/lean_internal.h"
#include "x509/turn.h"
#include "x509/x509.h"

enum { LABEL_MAX = 255, CONTEXT_MAX = 255, INFO_MAX = 2 + 256 + 256 };
_Static_assert(INFO_MAX + MU_LEAN_HASH_MAX + 1 <= MU_LEAN_HMAC_TEXT, "one expansion is one text");

/* ---- HKDF-Expand-Label ----------------------------------------------------------------------- */

/* What is derived from a secret. */
struct label {
    struct mu_slice prefix; /* "tls13 " */
    struct mu_slice label;
    struct mu_slice context;
};

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
static bool expand(const struct mu_lean_hash *hash, struct mu_slice secret,
                   const struct label *what, uint8_t *out, size_t len)
{
    uint8_t info[INFO_MAX];
    uint8_t block[MU_LEAN_HASH_MAX];
    size_t size = mu_lean_hash_size(hash);
    if (len > UINT16_MAX || len > 255 * size || what->prefix.len + what->label.len > LABEL_MAX ||
        what->context.len > CONTEXT_MAX) {
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
        done = mu_lean_hmac(hash, secret, parts, MU_COUNT(parts), block);
        if (done) {
            memcpy(out + at, block, more);
        }
        at += more;
    }
    mu_wipe(block, sizeof block);
    if (!done) {
        mu_wipe(out, len);
    }
    return done;
}

/* ---- the provider's side --------------------------------------------------------------------- */

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

/* What to derive; a part whose data is NULL was not given. */
enum part { KEY, SALT, PREFIX, LABEL, DATA, PARTS, PART_MAX = 256 };
struct wish {
    const struct mu_lean_hash *hash;
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
    wish->hash = name == NULL ? NULL : mu_lean_hash_find(name);
    return wish->hash != NULL;
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

static struct label label_of(const struct wish *wish, struct mu_slice context)
{
    return (struct label){
        .prefix = wish->parts[PREFIX], .label = wish->parts[LABEL], .context = context};
}

/* A step of section 7.1's schedule: what comes from above, derived, extracts what is new. Where
 * there is nothing new, or nothing above, zeros stand for it. */
static bool extract(const struct wish *wish, uint8_t *out, size_t size)
{
    static const uint8_t zeros[MU_LEAN_HASH_MAX];
    uint8_t above[MU_LEAN_HASH_MAX];
    bool done = true;
    struct mu_slice salt = mu_slice_of(zeros, 0);
    struct mu_slice new =
        wish->parts[KEY].data != NULL ? wish->parts[KEY] : mu_slice_of(zeros, size);
    if (wish->parts[SALT].data != NULL) {
        const struct label derived = label_of(wish, mu_lean_hash_nothing(wish->hash));
        done = wish->parts[SALT].len == size &&
               expand(wish->hash, wish->parts[SALT], &derived, above, size);
        salt = mu_slice_of(above, size);
    }
    done = done && mu_lean_hmac(wish->hash, salt, &new, 1, out);
    mu_wipe(above, sizeof above);
    return done;
}

/* The first one after the exchange of keys. */
static bool begins_schedule(struct mu_slice label)
{
    return mu_slice_equal_text(label, "s hs traffic");
}

static bool is_of_traffic(struct mu_slice label)
{
    static const char *const labels[] = {"key", "iv", "c ap traffic", "s ap traffic"};
    for (size_t i = 0; i < MU_COUNT(labels); i++) {
        if (mu_slice_equal_text(label, labels[i])) {
            return true;
        }
    }
    return false;
}

static int kdf_derive(void *opaque, unsigned char *out, size_t len, const OSSL_PARAM params[])
{
    const struct kdf *kdf = opaque;
    struct wish wish = kdf->kept;
    if (!take_params(&wish, params) || wish.hash == NULL) {
        return 0;
    }
    if (wish.mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY) {
        size_t size = mu_lean_hash_size(wish.hash);
        return len == size && extract(&wish, out, size) ? 1 : 0;
    }
    struct label what = label_of(&wish, wish.parts[DATA]);
    if (wish.mode != EVP_KDF_HKDF_MODE_EXPAND_ONLY || wish.parts[KEY].data == NULL ||
        (begins_schedule(what.label) && !mu_turn()) ||
        !expand(wish.hash, wish.parts[KEY], &what, out, len)) {
        return 0;
    }
    if (ear.heard != NULL && is_of_traffic(what.label)) {
        const struct mu_hkdf_heard heard = {what.label, wish.parts[KEY], mu_slice_of(out, len)};
        ear.heard(ear.owner, &heard);
    }
    return 1;
}

static int kdf_get_params(void *opaque, OSSL_PARAM params[])
{
    const struct kdf *kdf = opaque;
    OSSL_PARAM *param = OSSL_PARAM_locate(params, OSSL_KDF_PARAM_SIZE);
    const struct wish *wish = &kdf->kept;
    bool one = wish->mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY && wish->hash != NULL;
    return param == NULL ||
           OSSL_PARAM_set_size_t(param, one ? mu_lean_hash_size(wish->hash) : SIZE_MAX) == 1;
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
