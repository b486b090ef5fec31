/* SPDX-License-Identifier: Apache-2.0
 *
 * The provider's key managers: objects that know a public key and where its private half is.
 */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/x509.h>

#include "keys/provider_internal.h"

static void *key_new(enum mu_key_kind kind)
{
    struct provider_key *key = mu_alloc(1, sizeof *key);
    if (key != NULL) {
        key->kind = kind;
    }
    return key;
}

static void *ec_new(void *provider)
{
    (void)provider;
    return key_new(MU_KEY_EC);
}

static void *rsa_new(void *provider)
{
    (void)provider;
    return key_new(MU_KEY_RSA);
}

static void *rsa_pss_new(void *provider)
{
    (void)provider;
    return key_new(MU_KEY_RSA_PSS);
}

static void *ed25519_new(void *provider)
{
    (void)provider;
    return key_new(MU_KEY_ED25519);
}

static void key_free(void *opaque)
{
    struct provider_key *key = opaque;
    if (key != NULL) {
        EVP_PKEY_free(key->public_half);
        mu_free(key);
    }
}

/* It can sign, so it has a private half as far as OpenSSL is concerned. */
static int key_has(const void *opaque, int selection)
{
    const struct provider_key *key = opaque;
    (void)selection;
    return key != NULL && key->public_half != NULL ? 1 : 0;
}

static int key_match(const void *a, const void *b, int selection)
{
    const struct provider_key *left = a;
    const struct provider_key *right = b;
    (void)selection;
    return EVP_PKEY_eq(left->public_half, right->public_half) == 1 ? 1 : 0;
}

/* The public half only. A private selection must fail, or the default provider would take a copy
 * without private half and try to sign with that. */
static int key_export(void *opaque, int selection, OSSL_CALLBACK *take, void *arg)
{
    const struct provider_key *key = opaque;
    if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0) {
        return 0;
    }
    return EVP_PKEY_export(key->public_half, selection, take, arg);
}

static const OSSL_PARAM *key_export_types(int selection)
{
    static const OSSL_PARAM types[] = {OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
                                       OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
                                       OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
                                       OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
                                       OSSL_PARAM_END};
    return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 ? NULL : types;
}

static int key_import(void *opaque, int selection, const OSSL_PARAM params[])
{
    struct provider_key *key = opaque;
    (void)selection;
    const OSSL_PARAM *spki = OSSL_PARAM_locate_const(params, PROVIDER_PARAM_SPKI);
    const OSSL_PARAM *client = OSSL_PARAM_locate_const(params, PROVIDER_PARAM_CLIENT);
    if (spki == NULL || client == NULL || client->data_size != sizeof key->client) {
        return 0;
    }
    memcpy(&key->client, client->data, sizeof key->client);
    const unsigned char *der = spki->data;
    key->public_half = d2i_PUBKEY(NULL, &der, (long)spki->data_size);
    return key->public_half != NULL &&
                   mu_sha256(mu_slice_of(spki->data, spki->data_size), key->id, NULL)
               ? 1
               : 0;
}

static const OSSL_PARAM *key_import_types(int selection)
{
    static const OSSL_PARAM types[] = {OSSL_PARAM_octet_string(PROVIDER_PARAM_SPKI, NULL, 0),
                                       OSSL_PARAM_octet_string(PROVIDER_PARAM_CLIENT, NULL, 0),
                                       OSSL_PARAM_END};
    (void)selection;
    return types;
}

static int key_get_params(void *opaque, OSSL_PARAM params[])
{
    const struct provider_key *key = opaque;
    return EVP_PKEY_get_params(key->public_half, params);
}

static const OSSL_PARAM *key_gettable_params(void *provider)
{
    static const OSSL_PARAM types[] = {
        OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0),
        OSSL_PARAM_END};
    (void)provider;
    return types;
}

/* The signature that goes with a key, where its name is another's. */
static const char *ec_operation(int operation)
{
    return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

static const char *rsa_operation(int operation)
{
    return operation == OSSL_OP_SIGNATURE ? "RSA" : NULL;
}

static const char *ed25519_operation(int operation)
{
    return operation == OSSL_OP_SIGNATURE ? "ED25519" : NULL;
}

#define KEY_MANAGER(table_, new_, operation_)                                       \
    static const OSSL_DISPATCH table_[] = {                                         \
        {OSSL_FUNC_KEYMGMT_NEW, MU_OSSL_FUNCTION(new_)},                            \
        {OSSL_FUNC_KEYMGMT_FREE, MU_OSSL_FUNCTION(key_free)},                       \
        {OSSL_FUNC_KEYMGMT_HAS, MU_OSSL_FUNCTION(key_has)},                         \
        {OSSL_FUNC_KEYMGMT_MATCH, MU_OSSL_FUNCTION(key_match)},                     \
        {OSSL_FUNC_KEYMGMT_EXPORT, MU_OSSL_FUNCTION(key_export)},                   \
        {OSSL_FUNC_KEYMGMT_EXPORT_TYPES, MU_OSSL_FUNCTION(key_export_types)},       \
        {OSSL_FUNC_KEYMGMT_IMPORT, MU_OSSL_FUNCTION(key_import)},                   \
        {OSSL_FUNC_KEYMGMT_IMPORT_TYPES, MU_OSSL_FUNCTION(key_import_types)},       \
        {OSSL_FUNC_KEYMGMT_GET_PARAMS, MU_OSSL_FUNCTION(key_get_params)},           \
        {OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, MU_OSSL_FUNCTION(key_gettable_params)}, \
        {OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, MU_OSSL_FUNCTION(operation_)},     \
        {0, NULL}}

KEY_MANAGER(ec_manager, ec_new, ec_operation);
KEY_MANAGER(rsa_manager, rsa_new, rsa_operation);
KEY_MANAGER(rsa_pss_manager, rsa_pss_new, rsa_operation);
KEY_MANAGER(ed25519_manager, ed25519_new, ed25519_operation);

const OSSL_ALGORITHM provider_key_managers[] = {
    {"EC:id-ecPublicKey:1.2.840.10045.2.1", PROVIDER_PROPERTY, ec_manager, "EC key elsewhere"},
    {"RSA:rsaEncryption:1.2.840.113549.1.1.1", PROVIDER_PROPERTY, rsa_manager, "RSA key elsewhere"},
    {"RSA-PSS:RSASSA-PSS:1.2.840.113549.1.1.10", PROVIDER_PROPERTY, rsa_pss_manager,
     "RSA key for PSS elsewhere"},
    {"ED25519:1.3.101.112", PROVIDER_PROPERTY, ed25519_manager, "Ed25519 key elsewhere"},
    {NULL, NULL, NULL, NULL}};
