/* SPDX-License-Identifier: Apache-2.0
 *
 * Sealing and opening one record of TLS 1.3, and the keys for it; who encrypts is
 * aead_internal.h's.
 */
#include "session/record_internal.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdio.h>
#include <string.h>

#include "session/aead_internal.h"
#include "session/session.h"
#include "x509/x509.h"

static const struct suite {
    uint16_t number;
    const char *hash;
    uint8_t secret_len; /* of the hash */
    uint8_t key_len;
    bool is_gcm;
    const char *cipher;
} suites[] = {
    {0x1301, "SHA2-256", 32, 16, true, "AES-128-GCM"},
    {0x1302, "SHA2-384", 48, 32, true, "AES-256-GCM"},
    {0x1303, "SHA2-256", 32, 32, false, "ChaCha20-Poly1305"},
};

struct mu_records {
    struct mu_aead *aeads[MU_COUNT(suites)];
    EVP_KDF *kdf;
};

static size_t index_of(uint16_t number)
{
    size_t i = 0;
    while (i < MU_COUNT(suites) && suites[i].number != number) {
        i++;
    }
    return i;
}

size_t mu_suite_secret_len(uint16_t suite)
{
    size_t i = index_of(suite);
    return i < MU_COUNT(suites) ? suites[i].secret_len : 0;
}

/* ---- what connections share ------------------------------------------------------------------ */

const char *mu_record_engine(void)
{
    return mu_aead_vector_pays() ? "libipsec-mb (VAES)" : "OpenSSL";
}

static struct mu_aead *new_aead(OSSL_LIB_CTX *libctx, const struct suite *suite)
{
    struct mu_aead *aead =
        suite->is_gcm && mu_aead_vector_pays() ? mu_aead_vector(suite->key_len) : NULL;
    return aead != NULL ? aead : mu_aead_library(libctx, suite->cipher);
}

struct mu_records *mu_records_new(struct ossl_lib_ctx_st *libctx)
{
    struct mu_records *records = mu_alloc(1, sizeof *records);
    for (size_t i = 0; records != NULL && i < MU_COUNT(suites); i++) {
        records->aeads[i] = new_aead(libctx, &suites[i]);
    }
    if (records != NULL) {
        records->kdf = EVP_KDF_fetch(libctx, OSSL_KDF_NAME_TLS1_3_KDF, NULL);
    }
    mu_ossl_clear();
    return records;
}

bool mu_records_can(const struct mu_records *records, uint16_t suite)
{
    size_t i = index_of(suite);
    return records != NULL && i < MU_COUNT(suites) && records->aeads[i] != NULL &&
           records->kdf != NULL;
}

void mu_records_free(struct mu_records *records)
{
    for (size_t i = 0; records != NULL && i < MU_COUNT(suites); i++) {
        if (records->aeads[i] != NULL) {
            records->aeads[i]->free(records->aeads[i]);
        }
    }
    if (records != NULL) {
        EVP_KDF_free(records->kdf);
    }
    mu_free(records);
}

void mu_records_forget(struct mu_records *records, uint16_t suite)
{
    if (mu_records_can(records, suite)) {
        struct mu_aead *aead = records->aeads[index_of(suite)];
        aead->forget(aead);
    }
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* HKDF-Expand-Label without a context (section 7.1). */
static bool expand(const struct mu_records *records, const struct suite *row, uint8_t *secret,
                   const char *label, uint8_t *out, size_t out_len)
{
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    char hash[16]; /* parameters take no const */
    char what[16];
    char prefix[] = "tls13 ";
    (void)snprintf(hash, sizeof hash, "%s", row->hash);
    (void)snprintf(what, sizeof what, "%s", label);
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, hash, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret, row->secret_len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PREFIX, prefix, strlen(prefix)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_LABEL, what, strlen(what)),
        OSSL_PARAM_construct_end()};
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(records->kdf);
    bool done = ctx != NULL && EVP_KDF_derive(ctx, out, out_len, params) == 1;
    EVP_KDF_CTX_free(ctx);
    return done;
}

bool mu_direction_key(struct mu_records *records, uint16_t suite, struct mu_direction *direction)
{
    const struct suite *row = &suites[index_of(suite)];
    bool made = expand(records, row, direction->secret, "key", direction->key, row->key_len) &&
                expand(records, row, direction->secret, "iv", direction->iv, sizeof direction->iv);
    direction->count = 0;
    direction->key_len = made ? row->key_len : 0;
    direction->iv_len = made ? sizeof direction->iv : 0;
    return made;
}

bool mu_direction_is_keyed(const struct mu_direction *direction, uint16_t suite)
{
    const struct suite *row = &suites[index_of(suite)];
    return direction->key_len == row->key_len && direction->iv_len == sizeof direction->iv;
}

bool mu_direction_update(struct mu_records *records, uint16_t suite, struct mu_direction *direction)
{
    const struct suite *row = &suites[index_of(suite)];
    uint8_t next[sizeof direction->secret];
    bool made = expand(records, row, direction->secret, "traffic upd", next, row->secret_len);
    if (made) {
        memcpy(direction->secret, next, row->secret_len);
    }
    mu_wipe(next, sizeof next);
    return made && mu_direction_key(records, suite, direction);
}

/* ---- records --------------------------------------------------------------------------------- */

/* Key, nonce (section 5.3) and additional data (section 5.2) of the next record, which uses up its
 * number whatever comes of it: no nonce is used twice. */
static bool begin(struct mu_direction *direction, const uint8_t *head, struct mu_aead_use *use)
{
    uint8_t number[8];
    if (direction->count == UINT64_MAX) {
        return false;
    }
    mu_put_be64(number, direction->count++);
    use->key = direction->key;
    use->head = head;
    memcpy(use->nonce, direction->iv, sizeof use->nonce);
    for (size_t i = 0; i < sizeof number; i++) {
        use->nonce[sizeof use->nonce - sizeof number + i] ^= number[i];
    }
    return true;
}

bool mu_record_seal(struct mu_records *records, uint16_t suite, struct mu_direction *direction,
                    uint8_t type, const uint8_t *data, size_t len, uint8_t *out)
{
    struct mu_aead *aead = records->aeads[index_of(suite)];
    struct mu_aead_use use;
    mu_assert(len <= MU_RECORD_PLAIN);
    out[0] = MU_CONTENT_DATA;
    out[1] = 3;
    out[2] = 3;
    mu_put_be16(out + 3, (uint16_t)(len + 1 + MU_RECORD_TAG));
    bool sealed = begin(direction, out, &use) &&
                  aead->seal(aead, &use, data, len, type, out + MU_RECORD_HEAD);
    if (!sealed) {
        mu_wipe(out, len + MU_RECORD_EXTRA);
    }
    return sealed;
}

bool mu_record_open(struct mu_records *records, uint16_t suite, struct mu_direction *direction,
                    struct mu_slice record, uint8_t *out)
{
    mu_assert(record.len > MU_RECORD_HEAD + MU_RECORD_TAG &&
              record.len <= MU_RECORD_HEAD + MU_RECORD_CIPHER);
    struct mu_aead *aead = records->aeads[index_of(suite)];
    struct mu_aead_use use;
    size_t len = record.len - MU_RECORD_HEAD - MU_RECORD_TAG;
    bool opened = begin(direction, record.data, &use) &&
                  aead->open(aead, &use, record.data + MU_RECORD_HEAD, len, out);
    if (!opened) {
        mu_wipe(out, len);
    }
    return opened;
}
