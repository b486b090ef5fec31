/* SPDX-License-Identifier: Apache-2.0
 *
 * Making a signature with a key of the store. Whether it may be made was judged before.
 */
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "keys/keys_internal.h"

static void context_auto(EVP_MD_CTX **ctx)
{
    EVP_MD_CTX_free(*ctx);
}

static const char *digest_name(enum mu_digest digest)
{
    switch (digest) {
    case MU_DIGEST_SHA256:
        return "SHA256";
    case MU_DIGEST_SHA384:
        return "SHA384";
    case MU_DIGEST_SHA512:
        return "SHA512";
    case MU_DIGEST_NONE:
    case MU_DIGEST_WEAK:
    case MU_DIGEST_OTHER:
        break;
    }
    return NULL; /* Ed25519 has its own */
}

static bool set_padding(EVP_PKEY_CTX *ctx, enum keys_padding padding)
{
    if (padding == KEYS_PADDING_PSS) {
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
    }
    return padding == KEYS_PADDING_NONE ||
           EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
}

/* A context that has only to be copied for the next signature of the same scheme: setting one up
 * looks up key manager, signature and digest by their names. */
static EVP_MD_CTX *get_ready(struct keys_held *held, const struct keys_scheme *scheme)
{
    if (held->ready != NULL && held->ready_scheme.digest == scheme->digest &&
        held->ready_scheme.padding == scheme->padding) {
        return held->ready;
    }
    EVP_PKEY_CTX *key_ctx = NULL; /* owned by ready */
    keys_held_forget(held);
    held->ready = EVP_MD_CTX_new();
    held->ready_scheme = *scheme;
    if (held->ready == NULL ||
        EVP_DigestSignInit_ex(held->ready, &key_ctx, digest_name(scheme->digest), NULL, NULL,
                              mu_key_evp(held->key), NULL) != 1 ||
        !set_padding(key_ctx, scheme->padding)) {
        keys_held_forget(held);
    }
    return held->ready;
}

void keys_held_forget(struct keys_held *held)
{
    EVP_MD_CTX_free(MU_TAKE(held->ready));
}

bool keys_sign(struct keys_held *held, const struct keys_scheme *scheme, struct mu_slice tbs,
               struct mu_buf *out, struct mutual_error *err)
{
    mu_ossl_clear();
    size_t len = KEYS_SIG_MAX;
    uint8_t *room = mu_buf_reserve(out, len);
    __attribute__((cleanup(context_auto))) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (room == NULL || ctx == NULL) {
        return mu_fail_memory(err);
    }
    const EVP_MD_CTX *ready = get_ready(held, scheme);
    if (ready == NULL || EVP_MD_CTX_copy_ex(ctx, ready) != 1 ||
        EVP_DigestSign(ctx, room, &len, tbs.data, tbs.len) != 1) {
        return mu_fail_ossl(err, MUTUAL_E_KEY_UNAVAILABLE, "the key \"%s\" did not sign",
                            held->name);
    }
    out->len += len;
    return true;
}
