/* SPDX-License-Identifier: Apache-2.0
 *
 * What the cryptographic library that we run with is and can do. Asked at run time: the program may
 * run with a newer one than it was built with.
 */
#include "x509/x509.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

static bool has_kem(const char *name)
{
    EVP_KEM *kem = EVP_KEM_fetch(NULL, name, NULL);
    EVP_KEM_free(kem);
    return kem != NULL;
}

static bool has_signature(const char *name)
{
    EVP_SIGNATURE *signature = EVP_SIGNATURE_fetch(NULL, name, NULL);
    EVP_SIGNATURE_free(signature);
    return signature != NULL;
}

const char *mu_library_version(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}

bool mu_library_has(enum mu_library_feature feature)
{
    bool has = false;
    switch (feature) {
    case MU_LIBRARY_ML_KEM:
        has = has_kem("ML-KEM-768");
        break;
    case MU_LIBRARY_ML_DSA:
        has = has_signature("ML-DSA-65");
        break;
    case MU_LIBRARY_ED25519:
        has = has_signature("ED25519");
        break;
    case MU_LIBRARY_FEATURE_COUNT_:
        break;
    }
    mu_ossl_clear();
    return has;
}

const char *mu_library_feature_text(enum mu_library_feature feature)
{
    static const char *const texts[MU_LIBRARY_FEATURE_COUNT_] = {
        [MU_LIBRARY_ML_KEM] = "ML-KEM",
        [MU_LIBRARY_ML_DSA] = "ML-DSA",
        [MU_LIBRARY_ED25519] = "Ed25519",
    };
    mu_assert((unsigned)feature < MU_COUNT(texts));
    return texts[feature];
}
