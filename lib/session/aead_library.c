/* SPDX-License-Identifier: Apache-2.0
 *
 * Authenticated encryption by the library. Key and nonce are set for every record anew: that costs
 * a fiftieth of a microsecond more than a context kept for each connection, which would take twenty
 * times the memory and hold a key nobody sees.
 */
#include "session/aead_internal.h"

#include <openssl/evp.h>
#include <string.h>

#include "x509/x509.h"

struct library_aead {
    struct mu_aead base;
    EVP_CIPHER_CTX *ctx;
};

/* `base` is its first member. */
static struct library_aead *of(struct mu_aead *aead)
{
    return (struct library_aead *)(void *)aead;
}

static bool begin(EVP_CIPHER_CTX *ctx, const struct mu_aead_use *use, int seal)
{
    int len = 0;
    return EVP_CipherInit_ex2(ctx, NULL, use->key, use->nonce, seal, NULL) == 1 &&
           EVP_CipherUpdate(ctx, NULL, &len, use->head, MU_RECORD_HEAD) == 1;
}

static bool library_seal(struct mu_aead *aead, const struct mu_aead_use *use, const uint8_t *data,
                         size_t len, uint8_t type, uint8_t *out)
{
    EVP_CIPHER_CTX *ctx = of(aead)->ctx;
    int a = 0;
    int b = 0;
    int c = 0;
    return begin(ctx, use, 1) &&
           (len == 0 || EVP_CipherUpdate(ctx, out, &a, data, (int)len) == 1) &&
           EVP_CipherUpdate(ctx, out + a, &b, &type, 1) == 1 &&
           EVP_CipherFinal_ex(ctx, out + a + b, &c) == 1 && (size_t)a + (size_t)b == len + 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, MU_RECORD_TAG, out + len + 1) == 1;
}

static bool library_open(struct mu_aead *aead, const struct mu_aead_use *use, const uint8_t *sealed,
                         size_t len, uint8_t *out)
{
    EVP_CIPHER_CTX *ctx = of(aead)->ctx;
    uint8_t tag[MU_RECORD_TAG]; /* the call takes no const */
    int a = 0;
    int b = 0;
    memcpy(tag, sealed + len, sizeof tag);
    bool opened = begin(ctx, use, 0) && EVP_CipherUpdate(ctx, out, &a, sealed, (int)len) == 1 &&
                  EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, sizeof tag, tag) == 1 &&
                  EVP_CipherFinal_ex(ctx, out + a, &b) == 1 && (size_t)a + (size_t)b == len;
    if (!opened) {
        mu_ossl_clear();
    }
    return opened;
}

static void library_forget(struct mu_aead *aead)
{
    static const uint8_t nothing[48];
    (void)EVP_CipherInit_ex2(of(aead)->ctx, NULL, nothing, nothing, 1, NULL);
}

static void library_free(struct mu_aead *aead)
{
    EVP_CIPHER_CTX_free(of(aead)->ctx);
    mu_free(of(aead));
}

struct mu_aead *mu_aead_library(struct ossl_lib_ctx_st *libctx, const char *name)
{
    struct library_aead *aead = mu_alloc(1, sizeof *aead);
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(libctx, name, NULL);
    EVP_CIPHER_CTX *ctx = cipher == NULL ? NULL : EVP_CIPHER_CTX_new();
    bool made =
        aead != NULL && ctx != NULL && EVP_CipherInit_ex2(ctx, cipher, NULL, NULL, 1, NULL) == 1;
    EVP_CIPHER_free(cipher); /* the context has a reference */
    if (!made) {
        EVP_CIPHER_CTX_free(ctx);
        mu_free(aead);
        return NULL;
    }
    *aead = (struct library_aead){
        .base = {library_seal, library_open, library_forget, library_free}, .ctx = ctx};
    return &aead->base;
}
