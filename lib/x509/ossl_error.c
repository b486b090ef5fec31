/* SPDX-License-Identifier: Apache-2.0
 *
 * OpenSSL's error queue turned into our error object, and the digest everybody needs.
 */
#include "x509/x509.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/rand.h>

void mu_ossl_clear(void)
{
    ERR_clear_error();
}

void mu_ossl_fill(struct mutual_error *err, enum mutual_code code, const char *file, int line,
                  const char *format, ...)
{
    /* The first entry is the cause; what follows is callers complaining about callees. */
    const char *data = NULL;
    int flags = 0;
    unsigned long cause = ERR_get_error_all(NULL, NULL, NULL, &data, &flags);
    char detail[96] = "";
    if (cause != 0 && data != NULL && (flags & ERR_TXT_STRING) != 0 && *data != '\0') {
        snprintf(detail, sizeof detail, " (%s)", data);
    }
    char what[160];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    const char *reason = cause == 0 ? NULL : ERR_reason_error_string(cause);
    int own = ERR_GET_LIB(cause) == ERR_LIB_USER ? ERR_GET_REASON(cause) : 0;
    if (own > 0 && own < MUTUAL_E_COUNT_) {
        /* A key that lives elsewhere said in our own terms why it did not sign. */
        mu_error_fill(err, (enum mutual_code)own, 0, file, line, "%s%s", what, detail);
    } else if (reason != NULL) {
        mu_error_fill(err, code, 0, file, line, "%s: %s%s", what, reason, detail);
    } else {
        mu_error_fill(err, code, 0, file, line, "%s", what);
    }
    if (err != NULL) {
        err->ossl = cause;
    }
    ERR_clear_error();
}

bool mu_sha256(struct mu_slice bytes, uint8_t ret_digest[32], struct mutual_error *err)
{
    if (EVP_Digest(bytes.data, bytes.len, ret_digest, NULL, EVP_sha256(), NULL) != 1) {
        return mu_fail_ossl(err, MUTUAL_E_LIBRARY, "could not take a SHA-256 digest");
    }
    return true;
}

static bool load_default(struct ossl_lib_ctx_st *context, struct mutual_error *err)
{
    return OSSL_PROVIDER_load(context, "default") != NULL ||
           mu_fail_ossl(err, MUTUAL_E_LIBRARY, "could not set up the cryptographic library");
}

static bool start(bool (*load)(struct ossl_lib_ctx_st *context, struct mutual_error *err),
                  uint64_t more, struct mutual_error *err)
{
    const uint64_t what = OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_CRYPTO_STRINGS | more;
    uint8_t warm[32];
    mu_ossl_clear();
    if (OPENSSL_init_crypto(what, NULL) != 1 || !load(NULL, err) ||
        RAND_bytes(warm, sizeof warm) != 1) {
        return mu_fail_ossl(err, MUTUAL_E_LIBRARY, "could not set up the cryptographic library");
    }
    return mu_sha256(MU_SLICE_LIT("warm"), warm, err);
}

bool mu_ossl_start(struct mutual_error *err)
{
    return start(load_default, 0, err);
}

/* Who asks how strong a certificate's signature is, or reads a key that is bound to a digest, asks
 * for it by name; those that we refuse too, so that it is told what is wrong. */
static bool load_lean(struct ossl_lib_ctx_st *context, struct mutual_error *err)
{
    const EVP_MD *digests[] = {EVP_sha1(),   EVP_sha224(),     EVP_sha256(),    EVP_sha384(),
                               EVP_sha512(), EVP_sha512_224(), EVP_sha512_256()};
    for (size_t i = 0; i < MU_COUNT(digests); i++) {
        if (EVP_add_digest(digests[i]) != 1) {
            return mu_fail_ossl(err, MUTUAL_E_LIBRARY, "could not name the digests");
        }
    }
    return mu_ossl_lean(context, err);
}

bool mu_ossl_start_lean(struct mutual_error *err)
{
    /* OpenSSL 3.0 walks through all the names it knows whenever it makes a key, and by itself it
     * knows those of every algorithm there is. */
    return start(load_lean, OPENSSL_INIT_NO_ADD_ALL_CIPHERS | OPENSSL_INIT_NO_ADD_ALL_DIGESTS, err);
}
