/* SPDX-License-Identifier: Apache-2.0
 *
 * Chains that were validated before: bounded, least recently used out first. What is kept is the
 * outcome of looking at bytes that do not change (signatures, purposes, constraints, the path that
 * is found), found again by a digest of everything that it was found from. What may change is
 * looked at whenever it is taken out: time here, by the window in which nothing that was looked at
 * begins or ends, and revocation by mu_trust_recheck. A refusal is never kept. Beside the chains,
 * which authority's key signed which other authority, for chains that are new.
 */
#include <stdlib.h>
#include <string.h>

#include "trust/trust_internal.h"

/* The same leaf with other certificates beside it, for other bundles, or in another role. Whoever
 * has one certificate cannot push out those of others by sending it in ever new company. */
#define SAME_LEAF_MAX 4u

struct known {
    struct known *newer, *older; /* by use, in the whole table  */
    struct known *under;         /* an older one of the same leaf */
    struct mutual_chain *chain;
    uint8_t key[32];
};

/* That a key signed a certificate: the certificate's fingerprint and the hash of the key. */
struct signed_by {
    uint8_t what[32], by[32];
    uint64_t used; /* 0: a free place */
};

struct mu_known {
    unsigned refs;
    size_t max;
    size_t count;
    struct mu_map *by_key;
    struct mu_map *by_leaf; /* fingerprint -> the newest made of that leaf */
    struct known *newest, *oldest;
    struct signed_by links[MU_LIMIT_KNOWN_LINKS];
    uint64_t uses; /* of links */
};

/* ---- what a bundle contributes --------------------------------------------------------------*/

/* Everything in the bundle that the search looks at, except the lists. */
static bool digest_bundle(struct mutual_trust *trust, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf bytes;
    mu_buf_init(&bytes, 64 + 33 * trust->node_count);
    (void)mu_buf_printf(&bytes, "mutual bundle 1 %d %d %d %u %d ", trust->allow_intermediates,
                        trust->allow_flaws, trust->strict_constraints, trust->max_intermediates,
                        (int)trust->staples);
    for (size_t i = 0; i < trust->node_count; i++) {
        (void)mu_buf_byte(&bytes, (uint8_t)trust->nodes[i]->origin);
        (void)mu_buf_append(&bytes, trust->nodes[i]->facts->fingerprint, 32);
    }
    return bytes.failed ? mu_fail_memory(err) : mu_sha256(mu_buf_slice(&bytes), trust->digest, err);
}

static int by_time(const void *a, const void *b)
{
    const int64_t *x = a;
    const int64_t *y = b;
    return (*x > *y) - (*x < *y);
}

/* The first second at which a certificate is no longer valid; see check_time. */
static int64_t end_of(const struct mu_cert_facts *facts)
{
    return facts->not_after_s < MU_TIME_NEVER_S ? facts->not_after_s + 1 : MU_TIME_NEVER_S;
}

bool mu_known_settle(struct mutual_trust *trust, struct mutual_error *err)
{
    trust->moments = mu_alloc(2 * trust->node_count, sizeof *trust->moments);
    if (trust->moments == NULL) {
        return mu_fail_memory(err);
    }
    for (size_t i = 0; i < trust->node_count; i++) {
        trust->moments[2 * i] = trust->nodes[i]->facts->not_before_s;
        trust->moments[2 * i + 1] = end_of(trust->nodes[i]->facts);
    }
    qsort(trust->moments, 2 * trust->node_count, sizeof *trust->moments, by_time);
    return digest_bundle(trust, err);
}

/* ---- the window -----------------------------------------------------------------------------*/

static void narrow(struct window *window, int64_t moment_s, int64_t now_s)
{
    if (moment_s > now_s) {
        window->until_s = moment_s < window->until_s ? moment_s : window->until_s;
    } else {
        window->from_s = moment_s > window->from_s ? moment_s : window->from_s;
    }
}

/* Of the bundle only the moments next to now matter. */
static void narrow_by_bundle(struct window *window, const struct mutual_trust *trust, int64_t now_s)
{
    size_t low = 0;
    size_t high = 2 * trust->node_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (trust->moments[middle] > now_s) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    if (low > 0) {
        narrow(window, trust->moments[low - 1], now_s);
    }
    if (low < 2 * trust->node_count) {
        narrow(window, trust->moments[low], now_s);
    }
}

struct window mu_known_window(const struct search *search)
{
    int64_t now_s = search->judge.now_s;
    struct window window = {.from_s = INT64_MIN, .until_s = MU_TIME_NEVER_S};
    for (size_t i = 0; i < search->sent_count; i++) {
        if (search->sent[i].facts != NULL) {
            narrow(&window, search->sent[i].facts->not_before_s, now_s);
            narrow(&window, end_of(search->sent[i].facts), now_s);
        }
    }
    narrow_by_bundle(&window, search->judge.trust, now_s);
    return window;
}

/* ---- the table ------------------------------------------------------------------------------*/

struct mu_known *mu_known_new(size_t max)
{
    struct mu_known *known = mu_alloc(1, sizeof *known);
    if (known == NULL) {
        return NULL;
    }
    known->refs = 1;
    known->max = max;
    known->by_key = mu_map_new();
    known->by_leaf = mu_map_new();
    if (known->by_key == NULL || known->by_leaf == NULL) {
        mu_known_unref(known);
        return NULL;
    }
    return known;
}

struct mu_known *mu_known_ref(struct mu_known *known)
{
    known->refs++;
    return known;
}

static struct mu_slice key_of(const struct known *entry)
{
    return mu_slice_of(entry->key, sizeof entry->key);
}

static struct mu_slice leaf_of(const struct mutual_chain *chain)
{
    size_t count = 0;
    return mu_slice_of(mutual_chain_links(chain, &count)[0].fingerprint, 32);
}

static void unlink_use(struct mu_known *known, struct known *entry)
{
    *(entry->newer != NULL ? &entry->newer->older : &known->newest) = entry->older;
    *(entry->older != NULL ? &entry->older->newer : &known->oldest) = entry->newer;
}

static void link_newest(struct mu_known *known, struct known *entry)
{
    entry->newer = NULL;
    entry->older = known->newest;
    *(known->newest != NULL ? &known->newest->newer : &known->oldest) = entry;
    known->newest = entry;
}

static void unlink_leaf(struct mu_known *known, struct known *entry)
{
    struct mu_slice leaf = leaf_of(entry->chain);
    struct known *head = mu_map_get(known->by_leaf, leaf);
    if (head != entry) {
        while (head->under != entry) {
            head = head->under;
        }
        head->under = entry->under;
    } else if (entry->under == NULL) {
        (void)mu_map_remove(known->by_leaf, leaf);
    } else {
        (void)mu_map_put(known->by_leaf, leaf, entry->under); /* in place: cannot fail */
    }
}

static void drop(struct mu_known *known, struct known *entry)
{
    unlink_leaf(known, entry);
    unlink_use(known, entry);
    (void)mu_map_remove(known->by_key, key_of(entry));
    known->count--;
    mutual_chain_unref(entry->chain);
    mu_free(entry);
}

void mu_known_unref(struct mu_known *known)
{
    if (known == NULL || --known->refs > 0) {
        return;
    }
    while (known->oldest != NULL) {
        drop(known, known->oldest);
    }
    mu_map_free(known->by_key);
    mu_map_free(known->by_leaf);
    mu_free(known);
}

void mu_known_auto(struct mu_known **known)
{
    mu_known_unref(*known);
}

size_t mu_known_count(const struct mu_known *known)
{
    return known->count;
}

bool mu_known_key(const struct mutual_trust *trust, enum mutual_purpose purpose,
                  struct mu_slice presented, uint8_t ret_key[32], struct mutual_error *err)
{
    uint8_t all[32 + 32 + 1];
    mu_assert(trust->frozen);
    memcpy(all, trust->digest, 32);
    all[64] = (uint8_t)purpose;
    return mu_sha256(presented, all + 32, err) &&
           mu_sha256(mu_slice_of(all, sizeof all), ret_key, err);
}

struct mutual_chain *mu_known_find(struct mu_known *known, const uint8_t key[32],
                                   const struct mutual_trust *trust, int64_t now_s)
{
    struct known *entry = mu_map_get(known->by_key, mu_slice_of(key, 32));
    struct mutual_error ignored = {0};
    if (entry == NULL) {
        return NULL;
    }
    /* Perhaps another path leads to an anchor still: a search will tell, and why not. */
    struct window window = mu_chain_window(entry->chain);
    if (now_s < window.from_s || now_s >= window.until_s ||
        !mu_trust_recheck(trust, entry->chain, now_s, NULL, &ignored)) {
        drop(known, entry);
        return NULL;
    }
    unlink_use(known, entry);
    link_newest(known, entry);
    return mutual_chain_ref(entry->chain);
}

/* Room for one more, of this leaf and in all. */
static void make_room(struct mu_known *known, struct mu_slice leaf)
{
    struct known *entry = mu_map_get(known->by_leaf, leaf);
    for (size_t depth = 1; entry != NULL; depth++) {
        struct known *under = entry->under;
        if (depth >= SAME_LEAF_MAX) {
            drop(known, entry);
        }
        entry = under;
    }
    while (known->count >= known->max && known->oldest != NULL) {
        drop(known, known->oldest);
    }
}

void mu_known_put(struct mu_known *known, const uint8_t key[32], struct mutual_chain *chain)
{
    struct window window = mu_chain_window(chain);
    struct known *entry = mu_map_get(known->by_key, mu_slice_of(key, 32));
    if (entry != NULL) {
        drop(known, entry); /* another connection came first; this one is the newer */
    }
    entry = known->max > 0 && window.from_s < window.until_s ? mu_alloc(1, sizeof *entry) : NULL;
    if (entry == NULL) {
        return;
    }
    make_room(known, leaf_of(chain));
    memcpy(entry->key, key, sizeof entry->key);
    if (!mu_map_put(known->by_key, key_of(entry), entry)) {
        mu_free(entry);
        return;
    }
    entry->under = mu_map_get(known->by_leaf, leaf_of(chain));
    if (!mu_map_put(known->by_leaf, leaf_of(chain), entry)) {
        (void)mu_map_remove(known->by_key, key_of(entry));
        mu_free(entry);
        return;
    }
    entry->chain = mutual_chain_ref(chain);
    link_newest(known, entry);
    known->count++;
}

/* ---- signatures of authorities ---------------------------------------------------------------
 *
 * A signature that holds does so for ever, whoever shows it and whatever is believed of its maker.
 * Clients that were never seen share the authorities above them; those are verified once. */

static struct signed_by *find_link(struct mu_known *known, const struct mu_cert_facts *cert,
                                   const struct mu_cert_facts *issuer)
{
    for (size_t i = 0; i < MU_COUNT(known->links); i++) {
        struct signed_by *link = &known->links[i];
        if (link->used > 0 && memcmp(link->what, cert->fingerprint, 32) == 0 &&
            memcmp(link->by, issuer->key_hash, 32) == 0) {
            return link;
        }
    }
    return NULL;
}

bool mu_known_signed(struct mu_known *known, const struct mu_cert_facts *cert,
                     const struct mu_cert_facts *issuer)
{
    struct signed_by *link = known == NULL ? NULL : find_link(known, cert, issuer);
    if (link != NULL) {
        link->used = ++known->uses;
    }
    return link != NULL;
}

void mu_known_sign(struct mu_known *known, const struct mu_cert_facts *cert,
                   const struct mu_cert_facts *issuer)
{
    if (known == NULL || !cert->ca) {
        return;
    }
    struct signed_by *oldest = &known->links[0];
    for (size_t i = 1; i < MU_COUNT(known->links); i++) {
        oldest = known->links[i].used < oldest->used ? &known->links[i] : oldest;
    }
    memcpy(oldest->what, cert->fingerprint, 32);
    memcpy(oldest->by, issuer->key_hash, 32);
    oldest->used = ++known->uses;
}
