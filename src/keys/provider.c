/* SPDX-License-Identifier: Apache-2.0
 *
 * The built-in OpenSSL provider as a whole, and its library context. It never shares a context with
 * TLS: in a shared one, a signature leaves a cached entry after which OpenSSL 3.0 takes our key
 * manager for its own, and TLS loses its groups. Keys of this context may be used with objects of
 * another: OpenSSL tries the other's signature, is refused the private half, and comes back to us.
 */
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include "keys/provider_internal.h"

static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_store)
{
    (void)provider;
    *no_store = 0;
    if (operation == OSSL_OP_KEYMGMT) {
        return provider_key_managers;
    }
    return operation == OSSL_OP_SIGNATURE ? provider_signatures : NULL;
}

static const OSSL_DISPATCH functions[] = {
    {OSSL_FUNC_PROVIDER_QUERY_OPERATION, MU_OSSL_FUNCTION(query)}, {0, NULL}};

static int start(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                 void **ret_context)
{
    (void)handle;
    (void)in;
    static int nothing;
    *out = functions;
    *ret_context = &nothing;
    return 1;
}

struct keys_provider {
    OSSL_LIB_CTX *context;
    OSSL_PROVIDER *standard, *ours;
};

bool keys_provider_new(struct keys_provider **ret_provider, struct mutual_error *err)
{
    mu_ossl_clear();
    struct keys_provider *provider = mu_alloc(1, sizeof *provider);
    if (provider == NULL) {
        return mu_fail_memory(err);
    }
    provider->context = OSSL_LIB_CTX_new();
    if (provider->context != NULL) {
        provider->standard = OSSL_PROVIDER_load(provider->context, "default");
    }
    if (provider->standard != NULL &&
        OSSL_PROVIDER_add_builtin(provider->context, "mutual", start) == 1) {
        provider->ours = OSSL_PROVIDER_load(provider->context, "mutual");
    }
    if (provider->ours == NULL) {
        (void)mu_fail_ossl(err, MUTUAL_E_LIBRARY, "could not set up the keys' library context");
        keys_provider_free(provider);
        return false;
    }
    *ret_provider = provider;
    return true;
}

void keys_provider_free(struct keys_provider *provider)
{
    if (provider == NULL) {
        return;
    }
    if (provider->ours != NULL) {
        (void)OSSL_PROVIDER_unload(provider->ours);
    }
    if (provider->standard != NULL) {
        (void)OSSL_PROVIDER_unload(provider->standard);
    }
    OSSL_LIB_CTX_free(provider->context);
    mu_free(provider);
}

static const char *type_name(enum mu_key_kind kind)
{
    switch (kind) {
    case MU_KEY_EC:
        return "EC";
    case MU_KEY_RSA:
        return "RSA";
    case MU_KEY_ED25519:
        return "ED25519";
    case MU_KEY_RSA_PSS:
        return "RSA-PSS";
    case MU_KEY_OTHER:
        break;
    }
    return NULL;
}

static EVP_PKEY *import(OSSL_LIB_CTX *context, const char *type, struct keys_client *client,
                        struct mu_slice spki)
{
    union {
        const uint8_t *in;
        void *out;
    } der = {.in = spki.data}; /* only read */
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(PROVIDER_PARAM_SPKI, der.out, spki.len),
        OSSL_PARAM_construct_octet_string(PROVIDER_PARAM_CLIENT, &client, sizeof client),
        OSSL_PARAM_construct_end()};
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(context, type, PROVIDER_PROPERTY);
    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1) {
        key = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    return key;
}

bool keys_provider_key(struct keys_provider *provider, struct keys_client *client,
                       struct mu_slice spki, EVP_PKEY **ret_key, struct mutual_error *err)
{
    struct mu_key_info info;
    mu_ossl_clear();
    if (!mu_spki_info(spki, &info)) {
        return mu_fail(err, MUTUAL_E_KEY_MALFORMED, "a public key of %zu bytes is not well-formed",
                       spki.len);
    }
    const char *type = type_name(info.kind);
    if (type == NULL) {
        return mu_fail(err, MUTUAL_E_KEY_UNSUPPORTED, "a key of kind \"%s\" cannot be used",
                       info.text);
    }
    EVP_PKEY *key = import(provider->context, type, client, spki);
    if (key == NULL) {
        return mu_fail_ossl(err, MUTUAL_E_LIBRARY, "could not make a key object of kind \"%s\"",
                            info.text);
    }
    *ret_key = key;
    return true;
}
