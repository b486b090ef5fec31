/* SPDX-License-Identifier: Apache-2.0
 *
 * Scope cleanup of OpenSSL's objects, and the parameters of a signature set up in one place.
 */
#ifndef MU_X509_OSSL_INTERNAL_H
#define MU_X509_OSSL_INTERNAL_H

#include "x509/x509.h"

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#define OSSL_AUTO(kind_, type_, free_)                \
    static inline void mu_##kind_##_auto(type_ **pp_) \
    {                                                 \
        free_(*pp_);                                  \
    }
OSSL_AUTO(md_ctx, EVP_MD_CTX, EVP_MD_CTX_free)
OSSL_AUTO(pkey, EVP_PKEY, EVP_PKEY_free)
OSSL_AUTO(pkey_ctx, EVP_PKEY_CTX, EVP_PKEY_CTX_free)
OSSL_AUTO(bignum, BIGNUM, BN_free)
OSSL_AUTO(params, OSSL_PARAM, OSSL_PARAM_free)
OSSL_AUTO(param_bld, OSSL_PARAM_BLD, OSSL_PARAM_BLD_free)
OSSL_AUTO(bio, BIO, BIO_free_all)
OSSL_AUTO(p8, PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free)
OSSL_AUTO(x509_sig, X509_SIG, X509_SIG_free)
OSSL_AUTO(pkcs12, PKCS12, PKCS12_free)
#undef OSSL_AUTO

/* The digest of a signature by its name in the library; NULL for Ed25519, which has its own. */
const char *mu_digest_name(enum mu_digest digest);
/* Padding and salt, where the kind of signature has them; the error queue holds the cause. */
bool mu_sig_set_up(EVP_PKEY_CTX *ctx, const struct mu_sig_info *info);

/* A private key as OpenSSL reads it from our memory, of whatever kind. */
EVP_PKEY *mu_pkey_from_pkcs8(struct mu_slice der);
/* Wipes, then frees: for buffers that held a secret. */
void mu_secret_buf_auto(struct mu_buf *buf);

#endif
