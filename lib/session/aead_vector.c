/* SPDX-License-Identifier: Apache-2.0
 *
 * AES-GCM by libipsec-mb, which uses the vector instructions of newer processors (VAES, VPCLMULQDQ)
 * that OpenSSL 3.0 knows nothing of: a third of the time for a long record, a fifth for a short
 * one. Built in where the library was there; used where the processor is such, the library passed
 * its own test, and OpenSSL does not do the same.
 */
#include "session/aead_internal.h"

#ifdef MU_HAVE_IPSEC_MB
#include <intel-ipsec-mb.h>
#include <openssl/crypto.h>
#include <string.h>

/* The key last used in each direction, expanded: records come in runs. */
enum { SEALING, OPENING, DIRECTIONS, ALIGN = 64 };
/* It stores into its tables by aligned moves, and says nothing of that in its header. */
#define TABLE ((sizeof(struct gcm_key_data) + ALIGN - 1) / ALIGN * ALIGN)
/* Its functions for one length of key. */
struct gcm {
    size_t key_len;
    aes_gcm_pre_t expand;
    aes_gcm_init_t begin;
    aes_gcm_enc_dec_update_t seal;
    aes_gcm_enc_dec_finalize_t end;
    aes_gcm_enc_dec_t open;
};
struct vector_aead {
    struct mu_aead base;
    struct gcm gcm;
    uint8_t keys[DIRECTIONS][32];
    bool set[DIRECTIONS];
    uint8_t room[DIRECTIONS * TABLE + ALIGN];
};

/* `base` is its first member. */
static struct vector_aead *of(struct mu_aead *aead)
{
    return (struct vector_aead *)(void *)aead;
}

/* NULL: no memory, or not such a processor, or the library failed its own test. */
static const IMB_MGR *make_manager(void)
{
    const uint64_t needed = IMB_CPUFLAGS_AVX512 | IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ;
    IMB_MGR *made = alloc_mb_mgr(0);
    if (made != NULL && (made->features & needed) == needed) {
        init_mb_mgr_avx512(made);
        if (imb_get_errno(made) == 0 && (made->features & IMB_FEATURE_SELF_TEST_PASS) != 0) {
            return made;
        }
    }
    if (made != NULL) {
        free_mb_mgr(made);
    }
    return NULL;
}

/* Of the process: what it holds does not change once it is made. */
static const IMB_MGR *manager;
static CRYPTO_ONCE manager_once = CRYPTO_ONCE_STATIC_INIT;

static void set_manager(void)
{
    manager = make_manager();
}

static const IMB_MGR *the_manager(void)
{
    return CRYPTO_THREAD_run_once(&manager_once, set_manager) == 1 ? manager : NULL;
}

static struct gcm_key_data *table_of(struct vector_aead *aead, int direction)
{
    size_t skip = (ALIGN - (uintptr_t)aead->room % ALIGN) % ALIGN;
    return (struct gcm_key_data *)(void *)(aead->room + skip + (size_t)direction * TABLE);
}

static const struct gcm_key_data *expand(struct vector_aead *aead, int direction,
                                         const uint8_t *key)
{
    struct gcm_key_data *table = table_of(aead, direction);
    size_t len = aead->gcm.key_len;
    if (!aead->set[direction] || CRYPTO_memcmp(aead->keys[direction], key, len) != 0) {
        aead->gcm.expand(key, table);
        memcpy(aead->keys[direction], key, len);
        aead->set[direction] = true;
    }
    return table;
}

static bool vector_seal(struct mu_aead *base, const struct mu_aead_use *use, const uint8_t *data,
                        size_t len, uint8_t type, uint8_t *out)
{
    struct vector_aead *aead = of(base);
    const struct gcm *gcm = &aead->gcm;
    struct gcm_context_data ctx;
    const struct gcm_key_data *table = expand(aead, SEALING, use->key);
    gcm->begin(table, &ctx, use->nonce, use->head, MU_RECORD_HEAD);
    if (len > 0) {
        gcm->seal(table, &ctx, out, data, len);
    }
    gcm->seal(table, &ctx, out + len, &type, 1);
    gcm->end(table, &ctx, out + len + 1, MU_RECORD_TAG);
    mu_wipe(&ctx, sizeof ctx);
    return true;
}

static bool vector_open(struct mu_aead *base, const struct mu_aead_use *use, const uint8_t *sealed,
                        size_t len, uint8_t *out)
{
    struct vector_aead *aead = of(base);
    struct gcm_context_data ctx;
    uint8_t tag[MU_RECORD_TAG];
    aead->gcm.open(expand(aead, OPENING, use->key), &ctx, out, sealed, len, use->nonce, use->head,
                   MU_RECORD_HEAD, tag, sizeof tag);
    mu_wipe(&ctx, sizeof ctx);
    return CRYPTO_memcmp(tag, sealed + len, sizeof tag) == 0;
}

static void vector_forget(struct mu_aead *base)
{
    struct vector_aead *aead = of(base);
    mu_wipe(aead->keys, sizeof aead->keys);
    mu_wipe(aead->room, sizeof aead->room);
    memset(aead->set, 0, sizeof aead->set);
}

static void vector_free(struct mu_aead *base)
{
    vector_forget(base);
    mu_free(of(base));
}

struct mu_aead *mu_aead_vector(size_t key_len)
{
    const IMB_MGR *m = the_manager();
    struct vector_aead *aead = m == NULL ? NULL : mu_alloc(1, sizeof *aead);
    if (aead == NULL) {
        return NULL;
    }
    mu_assert(key_len == 16 || key_len == 32);
    aead->base = (struct mu_aead){vector_seal, vector_open, vector_forget, vector_free};
    aead->gcm = key_len == 16 ? (struct gcm){16,
                                             m->gcm128_pre,
                                             m->gcm128_init,
                                             m->gcm128_enc_update,
                                             m->gcm128_enc_finalize,
                                             m->gcm128_dec}
                              : (struct gcm){32,
                                             m->gcm256_pre,
                                             m->gcm256_init,
                                             m->gcm256_enc_update,
                                             m->gcm256_enc_finalize,
                                             m->gcm256_dec};
    return &aead->base;
}

bool mu_aead_vector_pays(void)
{
    return OpenSSL_version_num() < 0x30100000UL && the_manager() != NULL;
}

#else

struct mu_aead *mu_aead_vector(size_t key_len)
{
    (void)key_len;
    return NULL;
}

bool mu_aead_vector_pays(void)
{
    return false;
}

#endif
