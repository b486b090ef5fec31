/* SPDX-License-Identifier: Apache-2.0
 *
 * Sessions of TLS 1.3 in memory that several processes have mapped: whichever worker a client comes
 * back to finds what another one kept. There is no lock, so nobody who dies holds one. A place has
 * a word that says whether it is taken and by what; it is 0 while somebody writes there, and what
 * is read counts only if the word was still the same when it was set to 0, which only one can do: a
 * session is found once. Two who write at once leave a mixture, one who dies in the middle leaves
 * half; both are found to be neither by the seal, and the place is written over.
 *
 * Records are sealed (AES-256-GCM) by a key that goes with the hour. A key follows from a secret
 * and the secret of the next hour from this one's digest; only the last two keys are kept, so what
 * is older is lost to everybody, whoever gets hold of the memory.
 */
#include "session/share_internal.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "x509/x509.h"

#define WORDS 255u /* with its state, a place is two kilobytes */

struct place {
    _Atomic uint64_t state;
    _Atomic uint64_t words[WORDS];
};

/* What is in the words. The seal covers all of it but the nonce, which it is made with. */
struct image {
    uint8_t tag[8]; /* of the identifier: its first bytes, which are random */
    uint8_t epoch[8];
    uint8_t until[8];
    uint8_t len[4];
    uint8_t nonce[12];
    uint8_t mac[16];
    uint8_t sealed[8 * WORDS - 56];
};
_Static_assert(sizeof(struct image) == 8 * WORDS, "an image fills its place");
#define HEAD_WORDS 7u /* before what is sealed */
_Static_assert(offsetof(struct image, sealed) == 8 * HEAD_WORDS, "the seal begins with a word");
#define OPEN_LEN 28u /* tag, epoch, until, len: sealed as additional data */

struct mu_share {
    struct place *places;
    EVP_CIPHER_CTX *cipher;
    uint64_t epoch;      /* that `secret` and keys[0] are of */
    uint8_t secret[32];  /* from which that of the next epoch follows */
    uint8_t keys[2][32]; /* of this epoch and of the one before */
    uint8_t has_before;  /* 1: keys[1] is one */
};

size_t mu_share_bytes(void)
{
    return sizeof(struct place) * MU_LIMIT_SHARED_SESSIONS;
}

/* ---- keys ------------------------------------------------------------------------------------ */

static bool follow(const char *what, const uint8_t secret[32], uint8_t out[32],
                   struct mutual_error *err)
{
    uint8_t all[64] = {0};
    size_t len = strlen(what);
    memcpy(all, what, len);
    memcpy(all + 32, secret, 32);
    bool done = mu_sha256(mu_slice_of(all, sizeof all), out, err);
    mu_wipe(all, sizeof all);
    return done;
}

bool mu_share_next(uint8_t secret[32], struct mutual_error *err)
{
    uint8_t next[32];
    bool done = follow("mutual sessions: next", secret, next, err);
    if (done) {
        memcpy(secret, next, sizeof next);
    }
    mu_wipe(next, sizeof next);
    return done;
}

static bool make_key(struct mu_share *share, struct mutual_error *err)
{
    return follow("mutual sessions: key", share->secret, share->keys[0], err);
}

bool mu_share_turn(struct mu_share *share, uint64_t epoch, struct mutual_error *err)
{
    while (share->epoch < epoch) {
        memcpy(share->keys[1], share->keys[0], sizeof share->keys[1]);
        share->has_before = 1;
        share->epoch++;
        if (!mu_share_next(share->secret, err) || !make_key(share, err)) {
            return false;
        }
    }
    return true;
}

/* NULL: it is of no epoch that counts. */
static const uint8_t *key_of(const struct mu_share *share, uint64_t epoch)
{
    return epoch == share->epoch                                 ? share->keys[0]
           : share->has_before != 0 && epoch + 1 == share->epoch ? share->keys[1]
                                                                 : NULL;
}

bool mu_share_new(void *memory, const uint8_t secret[32], uint64_t epoch,
                  struct mu_share **ret_share, struct mutual_error *err)
{
    struct mu_share *share = mu_alloc(1, sizeof *share);
    EVP_CIPHER *aes = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    if (share == NULL) {
        EVP_CIPHER_free(aes);
        return mu_fail_memory(err);
    }
    share->places = memory;
    share->epoch = epoch;
    memcpy(share->secret, secret, sizeof share->secret);
    share->cipher = EVP_CIPHER_CTX_new();
    bool made = aes != NULL && share->cipher != NULL &&
                EVP_CipherInit_ex2(share->cipher, aes, NULL, NULL, 1, NULL) == 1;
    EVP_CIPHER_free(aes);
    if (!made || !make_key(share, err)) {
        mu_share_free(share);
        return mu_fail_ossl(err, MUTUAL_E_LIBRARY, "could not set up shared sessions");
    }
    *ret_share = share;
    return true;
}

void mu_share_free(struct mu_share *share)
{
    if (share != NULL) {
        EVP_CIPHER_CTX_free(share->cipher);
        mu_wipe(share, sizeof *share);
        mu_free(share);
    }
}

/* ---- the seal -------------------------------------------------------------------------------- */

static bool seal(struct mu_share *share, struct image *image, const uint8_t *plain, size_t len)
{
    EVP_CIPHER_CTX *ctx = share->cipher;
    int n = 0;
    return RAND_bytes(image->nonce, sizeof image->nonce) == 1 &&
           EVP_CipherInit_ex2(ctx, NULL, share->keys[0], image->nonce, 1, NULL) == 1 &&
           EVP_CipherUpdate(ctx, NULL, &n, image->tag, OPEN_LEN) == 1 &&
           EVP_CipherUpdate(ctx, image->sealed, &n, plain, (int)len) == 1 && (size_t)n == len &&
           EVP_CipherFinal_ex(ctx, image->sealed + len, &n) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, sizeof image->mac, image->mac) == 1;
}

/* The number of bytes; 0: it is not what was sealed. */
static size_t unseal(struct mu_share *share, struct image *image, uint8_t *plain)
{
    EVP_CIPHER_CTX *ctx = share->cipher;
    const uint8_t *key = key_of(share, mu_get_be64(image->epoch));
    size_t len = mu_get_be32(image->len);
    int n = 0;
    int rest = 0;
    bool good =
        key != NULL && len <= sizeof image->sealed &&
        EVP_CipherInit_ex2(ctx, NULL, key, image->nonce, 0, NULL) == 1 &&
        EVP_CipherUpdate(ctx, NULL, &n, image->tag, OPEN_LEN) == 1 &&
        EVP_CipherUpdate(ctx, plain, &n, image->sealed, (int)len) == 1 && (size_t)n == len &&
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, sizeof image->mac, image->mac) == 1 &&
        EVP_CipherFinal_ex(ctx, plain + len, &rest) == 1;
    if (!good) {
        mu_ossl_clear();
    }
    return good ? len : 0;
}

static void forget_key(struct mu_share *share)
{
    static const uint8_t nothing[32];
    (void)EVP_CipherInit_ex2(share->cipher, NULL, nothing, nothing, 1, NULL);
}

/* ---- places ---------------------------------------------------------------------------------- */

/* The few places where a session of this identifier may be. */
static struct place *bucket_of(const struct mu_share *share, const uint8_t id[MU_SHARE_ID])
{
    size_t buckets = MU_LIMIT_SHARED_SESSIONS / MU_SHARE_WAYS;
    return share->places + MU_SHARE_WAYS * (mu_get_be64(id + 8) % buckets);
}

static void read_words(const struct place *place, void *out, size_t first, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t word = atomic_load_explicit(&place->words[first + i], memory_order_relaxed);
        memcpy((uint8_t *)out + 8 * i, &word, 8);
    }
}

/* From the first writing on nobody takes it, until the last. Its stamp is a part of the seal, which
 * no two images share. */
static void write_place(struct place *place, const struct image *image, size_t used)
{
    uint64_t stamp = mu_get_be64(image->mac);
    (void)atomic_exchange_explicit(&place->state, 0, memory_order_seq_cst);
    atomic_thread_fence(memory_order_seq_cst);
    for (size_t i = 0; 8 * i < used; i++) {
        uint64_t word;
        memcpy(&word, (const uint8_t *)image + 8 * i, 8);
        atomic_store_explicit(&place->words[i], word, memory_order_relaxed);
    }
    atomic_store_explicit(&place->state, stamp | 1, memory_order_release);
}

/* When what is there ends, for who needs room: an empty place first, then what is dead, then what
 * ends soonest. */
static int64_t worth(const struct mu_share *share, struct place *place)
{
    if (atomic_load_explicit(&place->state, memory_order_acquire) == 0) {
        return INT64_MIN;
    }
    uint8_t epoch[8];
    uint8_t until[8];
    read_words(place, epoch, offsetof(struct image, epoch) / 8, 1);
    read_words(place, until, offsetof(struct image, until) / 8, 1);
    return key_of(share, mu_get_be64(epoch)) == NULL ? INT64_MIN + 1 : (int64_t)mu_get_be64(until);
}

bool mu_share_put(struct mu_share *share, const uint8_t id[MU_SHARE_ID], int64_t until_s,
                  struct mu_slice record)
{
    struct image image;
    uint8_t plain[sizeof image.sealed];
    size_t len = MU_SHARE_ID + record.len;
    if (len > sizeof plain) {
        return false;
    }
    memcpy(plain, id, MU_SHARE_ID);
    memcpy(plain + MU_SHARE_ID, record.data, record.len);
    memcpy(image.tag, id, sizeof image.tag);
    mu_put_be64(image.epoch, share->epoch);
    mu_put_be64(image.until, (uint64_t)until_s);
    mu_put_be32(image.len, (uint32_t)len);
    bool done = seal(share, &image, plain, len);
    forget_key(share);
    mu_wipe(plain, sizeof plain);
    struct place *bucket = bucket_of(share, id);
    struct place *least = bucket;
    int64_t least_worth = worth(share, bucket);
    for (size_t i = 1; i < MU_SHARE_WAYS && least_worth > INT64_MIN; i++) {
        int64_t this_worth = worth(share, &bucket[i]);
        if (this_worth < least_worth) {
            least = &bucket[i];
            least_worth = this_worth;
        }
    }
    if (done) {
        write_place(least, &image, sizeof image - sizeof image.sealed + len);
    }
    return done;
}

/* Takes what is in the place, if it is the one. Only one can: whoever sets the word to 0. */
static bool take_place(struct place *place, const uint8_t id[MU_SHARE_ID], struct image *image)
{
    uint64_t state = atomic_load_explicit(&place->state, memory_order_acquire);
    if (state == 0) {
        return false;
    }
    read_words(place, image, 0, 1);
    if (memcmp(image->tag, id, sizeof image->tag) != 0) {
        return false;
    }
    read_words(place, image, 0, HEAD_WORDS);
    size_t len = mu_get_be32(image->len);
    if (len > sizeof image->sealed) {
        len = sizeof image->sealed; /* the seal tells what is amiss */
    }
    read_words(place, image->sealed, HEAD_WORDS, (len + 7) / 8);
    atomic_thread_fence(memory_order_acquire);
    return atomic_compare_exchange_strong_explicit(&place->state, &state, 0, memory_order_acq_rel,
                                                   memory_order_relaxed);
}

size_t mu_share_take(struct mu_share *share, const uint8_t id[MU_SHARE_ID],
                     uint8_t record[MU_SHARE_RECORD])
{
    struct place *bucket = bucket_of(share, id);
    struct image image;
    uint8_t plain[sizeof image.sealed];
    size_t len = 0;
    for (size_t i = 0; i < MU_SHARE_WAYS && len == 0; i++) {
        len = take_place(&bucket[i], id, &image) ? unseal(share, &image, plain) : 0;
        if (len < MU_SHARE_ID || memcmp(plain, id, MU_SHARE_ID) != 0) {
            len = 0;
        }
    }
    if (len > 0) {
        forget_key(share);
        len -= MU_SHARE_ID;
        memcpy(record, plain + MU_SHARE_ID, len);
    }
    mu_wipe(plain, sizeof plain);
    return len;
}
