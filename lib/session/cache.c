/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of sessions that may be resumed: bounded, least recently used out first. It keeps and
 * finds; who may resume is decided in resume.c.
 */
#include "session/session_internal.h"
#include "session/share_internal.h"

#include <string.h>

/* A server that issues more tickets than we use must not push out those of others. */
#define SAME_KEY_MAX 4u

struct mutual_cache {
    unsigned refs;
    size_t max;
    size_t count;
    uint64_t last_serial;
    struct mu_map *by_key;
    struct mu_resumable *newest, *oldest;
    struct mu_share *share; /* borrowed; NULL: everything is kept here */
};

void mu_cache_share(struct mutual_cache *cache, struct mu_share *share)
{
    cache->share = share;
}

struct mu_share *mu_cache_shared(const struct mutual_cache *cache)
{
    return cache->share;
}

struct mutual_cache *mutual_cache_new(size_t max)
{
    struct mutual_cache *cache = mu_alloc(1, sizeof *cache);
    if (cache == NULL) {
        return NULL;
    }
    cache->refs = 1;
    cache->max = max;
    cache->by_key = mu_map_new();
    if (cache->by_key == NULL) {
        mu_free(cache);
        return NULL;
    }
    return cache;
}

struct mutual_cache *mutual_cache_ref(struct mutual_cache *cache)
{
    cache->refs++;
    return cache;
}

void mutual_cache_unref(struct mutual_cache *cache)
{
    if (cache == NULL || --cache->refs > 0) {
        return;
    }
    while (cache->oldest != NULL) {
        mu_cache_drop(cache, cache->oldest);
    }
    mu_map_free(cache->by_key);
    mu_free(cache);
}

void mu_cache_auto(struct mutual_cache **cache)
{
    mutual_cache_unref(*cache);
}

size_t mutual_cache_count(const struct mutual_cache *cache)
{
    return cache->count;
}

uint64_t mu_cache_serial(struct mutual_cache *cache)
{
    return ++cache->last_serial;
}

static void unlink_use(struct mutual_cache *cache, struct mu_resumable *entry)
{
    *(entry->newer != NULL ? &entry->newer->older : &cache->newest) = entry->older;
    *(entry->older != NULL ? &entry->older->newer : &cache->oldest) = entry->newer;
}

static void link_newest(struct mutual_cache *cache, struct mu_resumable *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;
    *(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
}

static struct mu_slice key_of(const struct mu_resumable *entry)
{
    return mu_slice_of(entry->key, entry->key_len);
}

struct mu_resumable *mu_cache_find(struct mutual_cache *cache, struct mu_slice key)
{
    struct mu_resumable *entry = mu_map_get(cache->by_key, key);
    if (entry != NULL) {
        unlink_use(cache, entry);
        link_newest(cache, entry);
    }
    return entry;
}

/* Takes the entry out of the list of its key. */
static void unlink_key(struct mutual_cache *cache, struct mu_resumable *entry)
{
    struct mu_resumable *head = mu_map_get(cache->by_key, key_of(entry));
    if (head != entry) {
        while (head->under != entry) {
            head = head->under;
        }
        head->under = entry->under;
    } else if (entry->under == NULL) {
        (void)mu_map_remove(cache->by_key, key_of(entry));
    } else {
        (void)mu_map_put(cache->by_key, key_of(entry), entry->under); /* in place: cannot fail */
    }
}

void mu_cache_drop(struct mutual_cache *cache, struct mu_resumable *entry)
{
    unlink_key(cache, entry);
    unlink_use(cache, entry);
    cache->count--;
    mu_proof_clear(&entry->proof);
    SSL_SESSION_free(entry->kept.ssl);
    mu_wipe(&entry->kept, sizeof entry->kept);
    mu_free(entry);
}

/* Room under the key for one more. */
static void make_room(struct mutual_cache *cache, struct mu_slice key, size_t allowed)
{
    size_t depth = 0;
    struct mu_resumable *entry = mu_map_get(cache->by_key, key);
    while (entry != NULL) {
        struct mu_resumable *under = entry->under;
        if (++depth > allowed) {
            mu_cache_drop(cache, entry);
        }
        entry = under;
    }
    while (cache->count >= cache->max && cache->oldest != NULL) {
        mu_cache_drop(cache, cache->oldest);
    }
}

bool mu_cache_put(struct mutual_cache *cache, struct mu_slice key, const struct mu_kept *kept,
                  const struct mu_proof *proof, const char *service, bool single)
{
    size_t service_size = strlen(service) + 1;
    struct mu_resumable *entry = NULL;
    if (key.len == 0 || key.len > sizeof entry->key || cache->max == 0) {
        return false;
    }
    entry = mu_alloc(1, sizeof *entry + service_size);
    if (entry == NULL) {
        return false;
    }
    make_room(cache, key, single ? 0 : SAME_KEY_MAX - 1);
    memcpy(entry->key, key.data, key.len);
    entry->key_len = (uint8_t)key.len;
    memcpy(entry->service, service, service_size);
    entry->under = mu_map_get(cache->by_key, key);
    if (!mu_map_put(cache->by_key, key, entry)) {
        mu_free(entry);
        return false;
    }
    if (kept->ssl != NULL) {
        (void)SSL_SESSION_up_ref(kept->ssl); /* of an object that there is: cannot fail */
    }
    entry->kept = *kept;
    entry->proof = *proof;
    if (proof->chain != NULL) {
        entry->proof.chain = mutual_chain_ref(proof->chain);
    }
    link_newest(cache, entry);
    cache->count++;
    return true;
}
