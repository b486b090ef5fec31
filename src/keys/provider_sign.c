/* SPDX-License-Identifier: Apache-2.0
 *
 * The provider's signatures: the whole bytes to be signed go to the key process. There is only the
 * one-shot operation, which is what TLS and certificates use; and there is no decryption.
 */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "keys/provider_internal.h"

struct signing {
    const struct provider_key *key; /* OpenSSL keeps it alive */
    struct keys_scheme scheme;
};

static void *signing_new(void *provider, const char *properties)
{
    (void)provider;
    (void)properties;
    return mu_alloc(1, sizeof(struct signing));
}

static void signing_free(void *opaque)
{
    mu_free(opaque);
}

static const struct {
    const char *name;
    enum mu_digest digest;
    int bytes, nid;
} digests[] = {
    {"SHA256", MU_DIGEST_SHA256, 32, NID_sha256}, {"SHA2-256", MU_DIGEST_SHA256, 32, NID_sha256},
    {"SHA384", MU_DIGEST_SHA384, 48, NID_sha384}, {"SHA2-384", MU_DIGEST_SHA384, 48, NID_sha384},
    {"SHA512", MU_DIGEST_SHA512, 64, NID_sha512}, {"SHA2-512", MU_DIGEST_SHA512, 64, NID_sha512}};

static bool set_digest(struct signing *signing, const char *name)
{
    if (signing->key->kind == MU_KEY_ED25519) {
        signing->scheme.digest = MU_DIGEST_NONE;
        return name == NULL || name[0] == '\0';
    }
    if (name == NULL || name[0] == '\0') {
        name = "SHA256";
    }
    for (size_t i = 0; i < MU_COUNT(digests); i++) {
        if (OPENSSL_strcasecmp(digests[i].name, name) == 0) {
            signing->scheme.digest = digests[i].digest;
            return true;
        }
    }
    return false; /* SHA-1 and what else there is */
}

static bool read_padding(const OSSL_PARAM *param, enum keys_padding *ret_padding)
{
    int mode = 0;
    const char *word = NULL;
    if (param->data_type == OSSL_PARAM_INTEGER) {
        if (OSSL_PARAM_get_int(param, &mode) != 1) {
            return false;
        }
    } else if (OSSL_PARAM_get_utf8_string_ptr(param, &word) == 1) {
        mode = strcmp(word, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0       ? RSA_PKCS1_PSS_PADDING
               : strcmp(word, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0 ? RSA_PKCS1_PADDING
                                                                   : 0;
    }
    if (mode != RSA_PKCS1_PSS_PADDING && mode != RSA_PKCS1_PADDING) {
        return false;
    }
    *ret_padding = mode == RSA_PKCS1_PSS_PADDING ? KEYS_PADDING_PSS : KEYS_PADDING_PKCS1;
    return true;
}

/* Salts are as long as the digest; OpenSSL says so by -1, "digest", or the number, as an integer or
 * as text. */
static bool salt_is_digest(const struct signing *signing, const OSSL_PARAM *param)
{
    int salt = 0;
    const char *word = NULL;
    uint64_t number = 0;
    if (param->data_type == OSSL_PARAM_INTEGER) {
        if (OSSL_PARAM_get_int(param, &salt) != 1) {
            return false;
        }
    } else if (OSSL_PARAM_get_utf8_string_ptr(param, &word) != 1) {
        return false;
    } else if (strcmp(word, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST) == 0 || strcmp(word, "-1") == 0) {
        salt = RSA_PSS_SALTLEN_DIGEST;
    } else if (mu_text_uint(word, 64, &number)) {
        salt = (int)number;
    }
    for (size_t i = 0; i < MU_COUNT(digests); i++) {
        if (digests[i].digest == signing->scheme.digest && digests[i].bytes == salt) {
            return true;
        }
    }
    return salt == RSA_PSS_SALTLEN_DIGEST;
}

static int signing_set_params(void *opaque, const OSSL_PARAM params[])
{
    struct signing *signing = opaque;
    if (params == NULL) {
        return 1;
    }
    const OSSL_PARAM *padding = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
    const OSSL_PARAM *salt = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN);
    if (padding != NULL && !read_padding(padding, &signing->scheme.padding)) {
        return 0;
    }
    return salt == NULL || salt_is_digest(signing, salt) ? 1 : 0;
}

static const OSSL_PARAM *signing_settable_params(void *opaque, void *provider)
{
    static const OSSL_PARAM types[] = {
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, NULL, 0), OSSL_PARAM_END};
    (void)opaque;
    (void)provider;
    return types;
}

/* Before anybody names another. A key for PSS alone (RFC 4055 section 1.2) has no other. */
static enum keys_padding default_padding(enum mu_key_kind kind)
{
    switch (kind) {
    case MU_KEY_RSA:
        return KEYS_PADDING_PKCS1;
    case MU_KEY_RSA_PSS:
        return KEYS_PADDING_PSS;
    case MU_KEY_EC:
    case MU_KEY_ED25519:
    case MU_KEY_OTHER:
        break;
    }
    return KEYS_PADDING_NONE;
}

static int signing_init(void *opaque, const char *digest, void *key, const OSSL_PARAM params[])
{
    struct signing *signing = opaque;
    if (key != NULL) {
        signing->key = key;
    }
    if (signing->key == NULL || !set_digest(signing, digest)) {
        return 0;
    }
    signing->scheme.padding = default_padding(signing->key->kind);
    return signing_set_params(signing, params);
}

/* Our code in OpenSSL's queue: mu_ossl_fill takes it for the error's code. */
static void raise_error(const struct mutual_error *err)
{
    ERR_raise_data(ERR_LIB_USER, (int)err->code, "%s", err->reason);
}

static int sign(void *opaque, unsigned char *signature, size_t *len, size_t cap,
                const unsigned char *tbs, size_t tbs_len)
{
    const struct signing *signing = opaque;
    int most = EVP_PKEY_get_size(signing->key->public_half);
    if (signature == NULL) {
        *len = most > 0 ? (size_t)most : 0;
        return most > 0 ? 1 : 0;
    }
    struct mutual_error err = {0};
    if (!keys_client_sign(signing->key->client, signing->key->id, &signing->scheme,
                          mu_slice_of(tbs, tbs_len), signature, cap, len, &err)) {
        raise_error(&err);
        return 0;
    }
    return 1;
}

/* Without the AlgorithmIdentifier, X509_sign and its like fail and do not say why. */
static int signing_get_params(void *opaque, OSSL_PARAM params[])
{
    const struct signing *signing = opaque;
    OSSL_PARAM *param = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID);
    if (param == NULL) {
        return 1;
    }
    int digest = NID_undef;
    for (size_t i = 0; i < MU_COUNT(digests); i++) {
        digest = digests[i].digest == signing->scheme.digest ? digests[i].nid : digest;
    }
    int nid = NID_ED25519;
    int key = signing->key->kind == MU_KEY_EC ? NID_X9_62_id_ecPublicKey : NID_rsaEncryption;
    if (signing->scheme.padding == KEYS_PADDING_PSS ||
        (digest != NID_undef && OBJ_find_sigid_by_algs(&nid, digest, key) != 1)) {
        return 0; /* PSS in certificates is written by the x509 room itself */
    }
    X509_ALGOR *algorithm = X509_ALGOR_new();
    unsigned char *der = NULL;
    int len = -1;
    if (algorithm != NULL &&
        X509_ALGOR_set0(algorithm, OBJ_nid2obj(nid),
                        key == NID_rsaEncryption && digest != NID_undef ? V_ASN1_NULL
                                                                        : V_ASN1_UNDEF,
                        NULL) == 1) {
        len = i2d_X509_ALGOR(algorithm, &der);
    }
    int done = len > 0 ? OSSL_PARAM_set_octet_string(param, der, (size_t)len) : 0;
    OPENSSL_free(der);
    X509_ALGOR_free(algorithm);
    return done;
}

static const OSSL_PARAM *signing_gettable_params(void *opaque, void *provider)
{
    static const OSSL_PARAM types[] = {
        OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, NULL, 0), OSSL_PARAM_END};
    (void)opaque;
    (void)provider;
    return types;
}

static const OSSL_DISPATCH functions[] = {
    {OSSL_FUNC_SIGNATURE_NEWCTX, MU_OSSL_FUNCTION(signing_new)},
    {OSSL_FUNC_SIGNATURE_FREECTX, MU_OSSL_FUNCTION(signing_free)},
    {OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, MU_OSSL_FUNCTION(signing_init)},
    {OSSL_FUNC_SIGNATURE_DIGEST_SIGN, MU_OSSL_FUNCTION(sign)},
    {OSSL_FUNC_SIGNATURE_GET_CTX_PARAMS, MU_OSSL_FUNCTION(signing_get_params)},
    {OSSL_FUNC_SIGNATURE_GETTABLE_CTX_PARAMS, MU_OSSL_FUNCTION(signing_gettable_params)},
    {OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, MU_OSSL_FUNCTION(signing_set_params)},
    {OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, MU_OSSL_FUNCTION(signing_settable_params)},
    {0, NULL}};

const OSSL_ALGORITHM provider_signatures[] = {
    {"ECDSA", PROVIDER_PROPERTY, functions, "ECDSA elsewhere"},
    {"RSA:rsaEncryption", PROVIDER_PROPERTY, functions, "RSA elsewhere"},
    {"ED25519:1.3.101.112", PROVIDER_PROPERTY, functions, "Ed25519 elsewhere"},
    {NULL, NULL, NULL, NULL}};
