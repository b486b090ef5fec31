/* SPDX-License-Identifier: Apache-2.0
 *
 * See slow_key.h. The provider has a library context of its own, as the program's has.
 */
#include "slow_key.h"

#include <openssl/async.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include "identity/identity.h"

static OSSL_LIB_CTX *library;
static OSSL_PROVIDER *provider;
static EVP_PKEY *pair;
static struct slow_key *state;

typedef void (*function)(void);
#define FUNCTION(f_) ((function)(f_))

/* ---- keys ------------------------------------------------------------------------------------ */

static void *key_new(void *context)
{
    (void)context;
    return &pair;
}

static void key_free(void *key)
{
    (void)key;
}

static int key_has(const void *key, int selection)
{
    (void)key;
    (void)selection;
    return 1;
}

static int key_match(const void *a, const void *b, int selection)
{
    (void)selection;
    return a == b;
}

static int key_export(void *key, int selection, OSSL_CALLBACK *callback, void *argument)
{
    (void)key;
    bool private_part = (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0;
    return private_part ? 0 : EVP_PKEY_export(pair, selection, callback, argument);
}

static const OSSL_PARAM *key_export_types(int selection)
{
    static const OSSL_PARAM types[] = {OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
                                       OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
                                       OSSL_PARAM_END};
    return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 ? NULL : types;
}

static int key_import(void *key, int selection, const OSSL_PARAM params[])
{
    (void)key;
    (void)selection;
    (void)params;
    return 1;
}

static const OSSL_PARAM *key_import_types(int selection)
{
    static const OSSL_PARAM types[] = {OSSL_PARAM_uint32("slow", NULL), OSSL_PARAM_END};
    (void)selection;
    return types;
}

static int key_get(void *key, OSSL_PARAM params[])
{
    (void)key;
    return EVP_PKEY_get_params(pair, params);
}

static const OSSL_PARAM *key_gettable(void *context)
{
    static const OSSL_PARAM table[] = {
        OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL), OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0), OSSL_PARAM_END};
    (void)context;
    return table;
}

static const char *key_operation(int operation)
{
    return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

static const OSSL_DISPATCH key_functions[] = {
    {OSSL_FUNC_KEYMGMT_NEW, FUNCTION(key_new)},
    {OSSL_FUNC_KEYMGMT_FREE, FUNCTION(key_free)},
    {OSSL_FUNC_KEYMGMT_HAS, FUNCTION(key_has)},
    {OSSL_FUNC_KEYMGMT_MATCH, FUNCTION(key_match)},
    {OSSL_FUNC_KEYMGMT_EXPORT, FUNCTION(key_export)},
    {OSSL_FUNC_KEYMGMT_EXPORT_TYPES, FUNCTION(key_export_types)},
    {OSSL_FUNC_KEYMGMT_IMPORT, FUNCTION(key_import)},
    {OSSL_FUNC_KEYMGMT_IMPORT_TYPES, FUNCTION(key_import_types)},
    {OSSL_FUNC_KEYMGMT_GET_PARAMS, FUNCTION(key_get)},
    {OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, FUNCTION(key_gettable)},
    {OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, FUNCTION(key_operation)},
    {0, NULL},
};

/* ---- signatures ------------------------------------------------------------------------------ */

static char digest_name[32];

static void *sign_new(void *context, const char *query)
{
    (void)context;
    (void)query;
    return digest_name;
}

static void sign_free(void *context)
{
    (void)context;
}

static int sign_init(void *context, const char *digest, void *key, const OSSL_PARAM params[])
{
    (void)context;
    (void)key;
    (void)params;
    OPENSSL_strlcpy(digest_name, digest != NULL ? digest : "", sizeof digest_name);
    return 1;
}

static bool wait_for_answer(void)
{
    ASYNC_JOB *job = ASYNC_get_current_job();
    ASYNC_WAIT_CTX *waits = job == NULL ? NULL : ASYNC_get_wait_ctx(job);
    if (waits != NULL && state->fd >= 0) {
        (void)ASYNC_WAIT_CTX_set_wait_fd(waits, state, state->fd, NULL, NULL);
    }
    while (!state->ready && !state->given_up && waits != NULL) {
        state->paused++;
        (void)ASYNC_pause_job();
    }
    if (waits != NULL && state->fd >= 0) {
        (void)ASYNC_WAIT_CTX_clear_fd(waits, state);
    }
    return state->ready && !state->refuse;
}

static int sign_whole(void *context, unsigned char *signature, size_t *len, size_t cap,
                      const unsigned char *bytes, size_t bytes_len)
{
    (void)context;
    *len = signature == NULL ? (size_t)EVP_PKEY_get_size(pair) : cap;
    if (signature == NULL) {
        return 1;
    }
    if (!wait_for_answer()) {
        ERR_raise(ERR_LIB_USER, state->refuse ? MUTUAL_E_KEY_REFUSED : MUTUAL_E_KEY_UNAVAILABLE);
        return 0;
    }
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    int made = digest != NULL &&
               EVP_DigestSignInit_ex(digest, NULL, digest_name, NULL, NULL, pair, NULL) == 1 &&
               EVP_DigestSign(digest, signature, len, bytes, bytes_len) == 1;
    EVP_MD_CTX_free(digest);
    return made;
}

static const OSSL_DISPATCH sign_functions[] = {
    {OSSL_FUNC_SIGNATURE_NEWCTX, FUNCTION(sign_new)},
    {OSSL_FUNC_SIGNATURE_FREECTX, FUNCTION(sign_free)},
    {OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, FUNCTION(sign_init)},
    {OSSL_FUNC_SIGNATURE_DIGEST_SIGN, FUNCTION(sign_whole)},
    {0, NULL},
};

/* ---- the provider ---------------------------------------------------------------------------- */

static const OSSL_ALGORITHM *query(void *context, int operation, int *no_cache)
{
    static const OSSL_ALGORITHM keys[] = {
        {"EC:id-ecPublicKey:1.2.840.10045.2.1", "provider=slow", key_functions, ""},
        {NULL, NULL, NULL, NULL}};
    static const OSSL_ALGORITHM signatures[] = {{"ECDSA", "provider=slow", sign_functions, ""},
                                                {NULL, NULL, NULL, NULL}};
    (void)context;
    *no_cache = 0;
    return operation == OSSL_OP_KEYMGMT ? keys : operation == OSSL_OP_SIGNATURE ? signatures : NULL;
}

static int start(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                 const OSSL_DISPATCH **ret_out, void **ret_context)
{
    static const OSSL_DISPATCH functions[] = {{OSSL_FUNC_PROVIDER_QUERY_OPERATION, FUNCTION(query)},
                                              {0, NULL}};
    (void)handle;
    (void)in;
    *ret_out = functions;
    *ret_context = &library;
    return 1;
}

struct mu_key *slow_key_new(const struct mu_key *local, struct slow_key *slow)
{
    uint32_t number = 0;
    EVP_PKEY *made = NULL;
    struct mu_key *key = NULL;
    const OSSL_PARAM params[] = {OSSL_PARAM_uint32("slow", &number), OSSL_PARAM_END};
    OSSL_PARAM given[2] = {params[0], params[1]};
    pair = mu_key_evp(local);
    state = slow;
    library = OSSL_LIB_CTX_new();
    bool added = library != NULL && OSSL_PROVIDER_add_builtin(library, "slow", start) == 1;
    provider = added ? OSSL_PROVIDER_load(library, "slow") : NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(library, "EC", "provider=slow");
    if (provider != NULL && context != NULL && EVP_PKEY_fromdata_init(context) == 1 &&
        EVP_PKEY_fromdata(context, &made, EVP_PKEY_KEYPAIR, given) == 1) {
        (void)mu_key_from_evp(made, mu_key_spki(local), &key, NULL);
    }
    EVP_PKEY_free(made);
    EVP_PKEY_CTX_free(context);
    return key;
}

struct mu_key *slow_key_show(struct tls_end *end, const struct pki *leaf, struct slow_key *slow)
{
    struct mutual_error err = {0};
    struct mu_cert *chain[] = {leaf->cert, leaf->parent->cert};
    struct mu_key *key = slow_key_new(leaf->key, slow);
    assert_non_null(key);
    mutual_identity_unref(end->identities[0]);
    assert_ok(mu_identity_new(chain, 2, key, &end->identities[0], &err), &err);
    return key;
}

void slow_key_free(struct mu_key *key)
{
    mu_key_unref(key);
    (void)OSSL_PROVIDER_unload(provider);
    OSSL_LIB_CTX_free(library);
}
