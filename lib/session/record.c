/* SPDX-License-Identifier: Apache-2.0
 *
 * Sealing and opening one record of TLS 1.3 with the library's AEAD, and the keys for it. Key and
 * nonce are set for every record anew: that costs a fiftieth of a microsecond more than a context
 * kept for each connection, which would take twenty times the memory and hold a key nobody sees.
 */
#include "session/record_internal.h"

#include <openssl/evp.h>
#include <string.h>

#include "x509/x509.h"

enum { HASHES = 2 };
static const struct hash {
    const char *name;
    size_t len;
} hashes[HASHES] = {{"SHA2-256", 32}, {"SHA2-384", 48}};

static const struct suite {
    uint16_t number;
    uint8_t hash;
    uint8_t key_len;
    const char *cipher;
} suites[] = {
    {0x1301, 0, 16, "AES-128-GCM"},
    {0x1302, 1, 32, "AES-256-GCM"},
    {0x1303, 0, 32, "ChaCha20-Poly1305"},
};

struct mu_records {
    EVP_CIPHER_CTX *ciphers[MU_COUNT(suites)];
    EVP_MD *hashes[HASHES];
    EVP_MD_CTX *scratch; /* for derivations; empty between them */
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
    return i < MU_COUNT(suites) ? hashes[suites[i].hash].len : 0;
}

/* ---- what connections share ------------------------------------------------------------------ */

static EVP_CIPHER_CTX *new_cipher(OSSL_LIB_CTX *libctx, const char *name)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(libctx, name, NULL);
    if (ctx != NULL &&
        (cipher == NULL || EVP_CipherInit_ex2(ctx, cipher, NULL, NULL, 1, NULL) != 1)) {
        EVP_CIPHER_CTX_free(MU_TAKE(ctx));
    }
    EVP_CIPHER_free(cipher); /* the context has a reference */
    return ctx;
}

struct mu_records *mu_records_new(struct ossl_lib_ctx_st *libctx)
{
    struct mu_records *records = mu_alloc(1, sizeof *records);
    for (size_t i = 0; records != NULL && i < MU_COUNT(suites); i++) {
        records->ciphers[i] = new_cipher(libctx, suites[i].cipher);
    }
    for (size_t i = 0; records != NULL && i < HASHES; i++) {
        records->hashes[i] = EVP_MD_fetch(libctx, hashes[i].name, NULL);
    }
    if (records != NULL) {
        records->scratch = EVP_MD_CTX_new();
    }
    mu_ossl_clear();
    return records;
}

bool mu_records_can(const struct mu_records *records, uint16_t suite)
{
    size_t i = index_of(suite);
    return records != NULL && i < MU_COUNT(suites) && records->ciphers[i] != NULL &&
           records->hashes[suites[i].hash] != NULL && records->scratch != NULL;
}

void mu_records_free(struct mu_records *records)
{
    for (size_t i = 0; records != NULL && i < MU_COUNT(suites); i++) {
        EVP_CIPHER_CTX_free(records->ciphers[i]);
    }
    for (size_t i = 0; records != NULL && i < HASHES; i++) {
        EVP_MD_free(records->hashes[i]);
    }
    if (records != NULL) {
        EVP_MD_CTX_free(records->scratch);
    }
    mu_free(records);
}

void mu_records_forget(struct mu_records *records, uint16_t suite)
{
    static const uint8_t nothing[48];
    if (mu_records_can(records, suite)) {
        size_t i = index_of(suite);
        (void)EVP_CipherInit_ex2(records->ciphers[i], NULL, nothing, nothing, 1, NULL);
    }
}

/* ---- keys ------------------------------------------------------------------------------------ */

static bool expand(struct mu_records *records, const struct suite *row, const uint8_t *secret,
                   const char *label, uint8_t *out, size_t out_len)
{
    const struct mu_hkdf_label what = {.prefix = MU_SLICE_LIT("tls13 "),
                                       .label = mu_slice_text(label)};
    return mu_hkdf_expand(records->scratch, records->hashes[row->hash],
                          mu_slice_of(secret, hashes[row->hash].len), &what, out, out_len);
}

bool mu_direction_key(struct mu_records *records, uint16_t suite, struct mu_direction *direction)
{
    const struct suite *row = &suites[index_of(suite)];
    direction->count = 0;
    return expand(records, row, direction->secret, "key", direction->key, row->key_len) &&
           expand(records, row, direction->secret, "iv", direction->iv, sizeof direction->iv);
}

bool mu_direction_update(struct mu_records *records, uint16_t suite, struct mu_direction *direction)
{
    const struct suite *row = &suites[index_of(suite)];
    size_t len = hashes[row->hash].len;
    uint8_t next[sizeof direction->secret];
    bool made = expand(records, row, direction->secret, "traffic upd", next, len);
    if (made) {
        memcpy(direction->secret, next, len);
    }
    mu_wipe(next, sizeof next);
    return made && mu_direction_key(records, suite, direction);
}

/* ---- records --------------------------------------------------------------------------------- */

/* Key, nonce (section 5.3) and additional data (section 5.2) of the next record, which uses up its
 * number whatever comes of it: no nonce is used twice. */
static EVP_CIPHER_CTX *begin(struct mu_records *records, uint16_t suite,
                             struct mu_direction *direction, const uint8_t head[MU_RECORD_HEAD],
                             int seal)
{
    EVP_CIPHER_CTX *ctx = records->ciphers[index_of(suite)];
    uint8_t nonce[sizeof direction->iv];
    uint8_t number[8];
    int len = 0;
    if (direction->count == UINT64_MAX) {
        return NULL;
    }
    mu_put_be64(number, direction->count++);
    memcpy(nonce, direction->iv, sizeof nonce);
    for (size_t i = 0; i < sizeof number; i++) {
        nonce[sizeof nonce - sizeof number + i] ^= number[i];
    }
    bool set = EVP_CipherInit_ex2(ctx, NULL, direction->key, nonce, seal, NULL) == 1 &&
               EVP_CipherUpdate(ctx, NULL, &len, head, MU_RECORD_HEAD) == 1;
    return set ? ctx : NULL;
}

bool mu_record_seal(struct mu_records *records, uint16_t suite, struct mu_direction *direction,
                    uint8_t type, const uint8_t *data, size_t len, uint8_t *out)
{
    uint8_t *body = out + MU_RECORD_HEAD;
    int a = 0;
    int b = 0;
    int c = 0;
    mu_assert(len <= MU_RECORD_PLAIN);
    out[0] = MU_CONTENT_DATA;
    out[1] = 3;
    out[2] = 3;
    mu_put_be16(out + 3, (uint16_t)(len + 1 + MU_RECORD_TAG));
    EVP_CIPHER_CTX *ctx = begin(records, suite, direction, out, 1);
    bool sealed =
        ctx != NULL && (len == 0 || EVP_CipherUpdate(ctx, body, &a, data, (int)len) == 1) &&
        EVP_CipherUpdate(ctx, body + a, &b, &type, 1) == 1 &&
        EVP_CipherFinal_ex(ctx, body + a + b, &c) == 1 && (size_t)a + (size_t)b == len + 1 &&
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, MU_RECORD_TAG, body + len + 1) == 1;
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
    size_t len = record.len - MU_RECORD_HEAD - MU_RECORD_TAG;
    const uint8_t *body = record.data + MU_RECORD_HEAD;
    uint8_t tag[MU_RECORD_TAG]; /* the call takes no const */
    int a = 0;
    int b = 0;
    memcpy(tag, body + len, sizeof tag);
    EVP_CIPHER_CTX *ctx = begin(records, suite, direction, record.data, 0);
    bool opened = ctx != NULL && EVP_CipherUpdate(ctx, out, &a, body, (int)len) == 1 &&
                  EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, sizeof tag, tag) == 1 &&
                  EVP_CipherFinal_ex(ctx, out + a, &b) == 1 && (size_t)a + (size_t)b == len;
    if (!opened) {
        mu_wipe(out, len);
        mu_ossl_clear();
    }
    return opened;
}
