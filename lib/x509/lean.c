/* SPDX-License-Identifier: Apache-2.0
 *
 * A lean library context: OpenSSL's default provider, seen through a table that holds only the
 * algorithms that mutual negotiates. OpenSSL 3 decodes every public key by building a list of all
 * key managers and decoders that its context has; with ten of them instead of hundreds a
 * certificate costs a third. And what is not there cannot be negotiated by mistake. A few functions
 * are ours, over the default provider's: the key schedule of TLS 1.3 (hkdf.c), how a key pair of
 * X25519 is made (lean_x25519.c), and public keys that were decoded before (lean_decoder.c).
 */
#include "x509/hkdf.h"
#include "x509/lean_internal.h"
#include "x509/x509.h"

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/provider.h>
#include <string.h>

#define PROVIDER_NAME "lean"
#define ROWS_MAX      64u
#define NAMES_MAX     16u

/* What is kept of each operation, by the first name of an algorithm. `property`: only
 * implementations whose properties say so. X25519MLKEM768 and its parts exist from 3.5 on. */
static const struct {
    int operation;
    const char *property;
    const char *names[NAMES_MAX];
} kept[] = {
    {OSSL_OP_DIGEST,
     NULL,
     {"SHA1", "SHA2-256", "SHA2-384", "SHA2-512", "SHA3-256", "SHA3-512", "SHAKE-128",
      "SHAKE-256"}},
    {OSSL_OP_CIPHER, NULL, {"AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305", "AES-256-CTR"}},
    {OSSL_OP_MAC, NULL, {"HMAC"}},
    {OSSL_OP_KDF, NULL, {"HKDF", "TLS1-PRF", "TLS13-KDF"}},
    {OSSL_OP_RAND, NULL, {"CTR-DRBG", "SEED-SRC"}},
    {OSSL_OP_KEYMGMT,
     NULL,
     {"RSA", "RSA-PSS", "EC", "X25519", "ED25519", "HMAC", "ML-KEM-768", "X25519MLKEM768"}},
    {OSSL_OP_KEYEXCH, NULL, {"ECDH", "X25519"}},
    {OSSL_OP_SIGNATURE, NULL, {"RSA", "ECDSA", "ED25519", "HMAC"}},
    {OSSL_OP_KEM, NULL, {"ML-KEM-768", "X25519MLKEM768"}},
    {OSSL_OP_DECODER,
     "input=der,structure=SubjectPublicKeyInfo",
     {"RSA", "RSA-PSS", "EC", "ED25519"}},
};

/* A constant of the process: read off the default provider once, never changed, never given back,
 * for algorithms in use point into it. A provider's functions are handed the context of the default
 * one and nothing of ours, so it cannot live elsewhere. */
static struct {
    OSSL_LIB_CTX *full;
    OSSL_PROVIDER *standard; /* the default provider, in `full` */
    OSSL_ALGORITHM tables[MU_COUNT(kept)][ROWS_MAX + 1];
} lean;
static CRYPTO_ONCE lean_once = CRYPTO_ONCE_STATIC_INIT;

static bool is_named(const OSSL_ALGORITHM *row, const char *name, size_t len)
{
    return strcspn(row->algorithm_names, ":") == len &&
           OPENSSL_strncasecmp(name, row->algorithm_names, len) == 0;
}

static bool is_kept(size_t table, const OSSL_ALGORITHM *row)
{
    const char *property = kept[table].property;
    if (property != NULL &&
        (row->property_definition == NULL || strstr(row->property_definition, property) == NULL)) {
        return false;
    }
    for (size_t i = 0; i < NAMES_MAX && kept[table].names[i] != NULL; i++) {
        if (is_named(row, kept[table].names[i], strlen(kept[table].names[i]))) {
            return true;
        }
    }
    return false;
}

/* ---- functions of our own ---------------------------------------------------------------------
 */

const OSSL_DISPATCH *mu_lean_find(const OSSL_DISPATCH *table, int number)
{
    static const OSSL_DISPATCH none = {0, NULL};
    for (; table->function_id != 0; table++) {
        if (table->function_id == number) {
            return table;
        }
    }
    return &none;
}

bool mu_lean_has_only(const OSSL_DISPATCH *table, const int *numbers)
{
    for (; table->function_id != 0; table++) {
        const int *known = numbers;
        while (*known != 0 && *known != table->function_id) {
            known++;
        }
        if (*known == 0) {
            return false;
        }
    }
    return true;
}

bool mu_lean_overlay(const OSSL_DISPATCH *native, const OSSL_DISPATCH *ours,
                     OSSL_DISPATCH out[MU_LEAN_FUNCTIONS])
{
    size_t count = 0;
    for (; native->function_id != 0 && count + 1 < MU_LEAN_FUNCTIONS; native++) {
        const OSSL_DISPATCH *own = mu_lean_find(ours, native->function_id);
        out[count++] = own->function != NULL ? *own : *native;
    }
    out[count] = (OSSL_DISPATCH){0, NULL};
    return native->function_id == 0;
}

static OSSL_ALGORITHM *table_of(int operation)
{
    size_t i = 0;
    while (kept[i].operation != operation) {
        i++;
    }
    return lean.tables[i];
}

static OSSL_ALGORITHM *row_of(int operation, const char *name, size_t len)
{
    for (OSSL_ALGORITHM *row = table_of(operation); row->algorithm_names != NULL; row++) {
        if (is_named(row, name, len)) {
            return row;
        }
    }
    return NULL;
}

static void put_own_functions(void)
{
    const struct mu_lean_native native = {lean.full,
                                          OSSL_PROVIDER_get0_provider_ctx(lean.standard)};
    OSSL_ALGORITHM *kdf = row_of(OSSL_OP_KDF, "TLS13-KDF", 9);
    OSSL_ALGORITHM *manager = row_of(OSSL_OP_KEYMGMT, "X25519", 6);
    const OSSL_ALGORITHM *exchange = row_of(OSSL_OP_KEYEXCH, "X25519", 6);
    const OSSL_ALGORITHM *sha256 = row_of(OSSL_OP_DIGEST, "SHA2-256", 8);
    const OSSL_ALGORITHM *sha384 = row_of(OSSL_OP_DIGEST, "SHA2-384", 8);
    if (kdf != NULL && sha256 != NULL && sha384 != NULL &&
        mu_lean_hmac_start(&native, sha256->implementation, sha384->implementation)) {
        kdf->implementation = mu_hkdf_functions();
    }
    if (manager != NULL && exchange != NULL) {
        manager->implementation =
            mu_lean_x25519(&native, manager->implementation, exchange->implementation);
    }
    for (OSSL_ALGORITHM *row = table_of(OSSL_OP_DECODER); row->algorithm_names != NULL; row++) {
        manager = row_of(OSSL_OP_KEYMGMT, row->algorithm_names, strcspn(row->algorithm_names, ":"));
        if (manager != NULL) {
            row->implementation =
                mu_lean_decoder(&native, row->implementation, manager->implementation);
        }
    }
}

static void read_tables(void)
{
    lean.full = OSSL_LIB_CTX_new();
    lean.standard = lean.full == NULL ? NULL : OSSL_PROVIDER_load(lean.full, "default");
    for (size_t i = 0; lean.standard != NULL && i < MU_COUNT(kept); i++) {
        int no_store = 0;
        size_t count = 0;
        const OSSL_ALGORITHM *row =
            OSSL_PROVIDER_query_operation(lean.standard, kept[i].operation, &no_store);
        for (; row != NULL && row->algorithm_names != NULL && count < ROWS_MAX; row++) {
            if (is_kept(i, row)) {
                lean.tables[i][count++] = *row;
            }
        }
    }
    if (lean.standard != NULL) {
        put_own_functions();
    }
}

/* ---- the provider ------------------------------------------------------------------------------
 */

static const OSSL_ALGORITHM *query(void *standard, int operation, int *no_store)
{
    (void)standard;
    *no_store = 0;
    for (size_t i = 0; i < MU_COUNT(kept); i++) {
        if (kept[i].operation == operation) {
            return lean.tables[i];
        }
    }
    return NULL;
}

/* The groups of TLS; libssl leaves out those that it finds no key manager for. */
static int capabilities(void *standard, const char *capability, OSSL_CALLBACK *callback, void *arg)
{
    (void)standard;
    return OSSL_PROVIDER_get_capabilities(lean.standard, capability, callback, arg);
}

static const OSSL_DISPATCH functions[] = {
    {OSSL_FUNC_PROVIDER_QUERY_OPERATION, MU_OSSL_FUNCTION(query)},
    {OSSL_FUNC_PROVIDER_GET_CAPABILITIES, MU_OSSL_FUNCTION(capabilities)},
    {0, NULL},
};

static int start(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                 void **ret_context)
{
    (void)handle;
    *out = functions;
    *ret_context = OSSL_PROVIDER_get0_provider_ctx(lean.standard);
    mu_lean_decoder_core(in);
    return 1;
}

bool mu_ossl_lean(struct ossl_lib_ctx_st *context, struct mutual_error *err)
{
    mu_ossl_clear();
    if (CRYPTO_THREAD_run_once(&lean_once, read_tables) != 1 || lean.standard == NULL ||
        OSSL_PROVIDER_add_builtin(context, PROVIDER_NAME, start) != 1 ||
        OSSL_PROVIDER_load(context, PROVIDER_NAME) == NULL) {
        return mu_fail_ossl(err, MUTUAL_E_LIBRARY, "could not set up a lean library context");
    }
    return true;
}

/* Loading again yields the very provider; a context does not release what was loaded into it. */
void mu_ossl_lean_free(struct ossl_lib_ctx_st *context)
{
    OSSL_PROVIDER *provider = context == NULL ? NULL : OSSL_PROVIDER_load(context, PROVIDER_NAME);
    if (provider != NULL) {
        (void)OSSL_PROVIDER_unload(provider);
        (void)OSSL_PROVIDER_unload(provider);
    }
    OSSL_LIB_CTX_free(context);
}
