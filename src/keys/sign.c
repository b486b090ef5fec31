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

bool keys_sign(const struct keys_held *held, const struct keys_scheme *scheme, struct mu_slice tbs,
               struct mu_buf *out, struct mutual_error *err)
{
    mu_ossl_clear();
    size_t len = KEYS_SIG_MAX;
    uint8_t *room = mu_buf_reserve(out, len);
    __attribute__((cleanup(context_auto))) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (room == NULL || ctx == NULL) {
        return mu_fail_memory(err);
    }
    EVP_PKEY_CTX *key_ctx = NULL; /* owned by ctx */
    if (EVP_DigestSignInit_ex(ctx, &key_ctx, digest_name(scheme->digest), NULL, NULL,
                              mu_key_evp(held->key), NULL) != 1 ||
        !set_padding(key_ctx, scheme->padding) ||
        EVP_DigestSign(ctx, room, &len, tbs.data, tbs.len) != 1) {
        return mu_fail_ossl(err, MUTUAL_E_KEY_UNAVAILABLE, "the key \"%s\" did not sign",
                            held->name);
    }
    out->len += len;
    return true;
}
