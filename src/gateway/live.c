/* SPDX-License-Identifier: Apache-2.0
 *
 * The index of who is connected.
 */
#include "gateway/live_internal.h"

#include <string.h>

#include "gateway/worker_internal.h"
#include "policy/policy.h"

enum { BUCKETS_FIRST = 64, GRANT_TEXT_MAX = 64 << 20 };

struct live *live_new(void)
{
    struct live *live = mu_alloc(1, sizeof *live);
    if (live == NULL) {
        return NULL;
    }
    LIST_INIT(&live->all_services);
    TAILQ_INIT(&live->compared);
    TAILQ_INIT(&live->uncompared);
    live->mask = BUCKETS_FIRST - 1;
    live->buckets = mu_alloc(BUCKETS_FIRST, sizeof(struct live_peer *));
    live->services = mu_map_new();
    live->grants = mu_map_new();
    if (live->buckets == NULL || live->services == NULL || live->grants == NULL ||
        !mu_random(live->seed, sizeof live->seed, NULL)) {
        live_free(live);
        return NULL;
    }
    return live;
}

static void service_free(struct live_service *service)
{
    mu_free(service->name);
    mu_free(service);
}

void live_free(struct live *live)
{
    if (live == NULL) {
        return;
    }
    mu_assert(live->peers == 0); /* whoever is in it is a connection, and those are gone */
    mu_map_free(live->services);
    mu_map_free(live->grants);
    mu_free(live->buckets);
    mu_free(live);
}

/* ---- what is compared ---------------------------------------------------------------------------
 */

const struct mutual_evidence *live_evidence(const struct live_peer *peer)
{
    return mutual_session_evidence(conn_secure(LIST_FIRST(&peer->conns))->session);
}

/* Issuer and serial number: unique among the certificates of an honest issuer, and what others may
 * choose, hence keyed. */
static uint32_t hash_of(const struct live *live, const struct mutual_chain *chain)
{
    uint8_t key[32 + sizeof((struct mutual_link *)0)->serial] = {0};
    size_t count = 0;
    size_t len = 0;
    if (chain != NULL) {
        const struct mutual_link *leaf = mutual_chain_links(chain, &count);
        memcpy(key, leaf->issuer_name_hash, 32);
        memcpy(key + 32, leaf->serial, leaf->serial_len);
        len = 32 + (size_t)leaf->serial_len;
    }
    return (uint32_t)mu_siphash(live->seed, mu_slice_of(key, len));
}

static bool same_chain(const struct mutual_chain *a, const struct mutual_chain *b)
{
    size_t a_count = 0;
    size_t b_count = 0;
    if (a == NULL || b == NULL || a == b) {
        return a == b;
    }
    const struct mutual_link *a_links = mutual_chain_links(a, &a_count);
    const struct mutual_link *b_links = mutual_chain_links(b, &b_count);
    bool same = a_count == b_count;
    for (size_t i = 0; same && i < a_count; i++) {
        same = memcmp(a_links[i].fingerprint, b_links[i].fingerprint, 32) == 0;
    }
    return same;
}

static struct live_peer *find_peer(const struct live *live, const struct live_service *service,
                                   const struct mutual_chain *chain, uint32_t hash)
{
    struct live_peer *peer = live->buckets[hash & live->mask];
    while (peer != NULL && (peer->hash != hash || peer->service != service ||
                            !same_chain(live_evidence(peer)->chain, chain))) {
        peer = peer->next;
    }
    return peer;
}

/* ---- services -----------------------------------------------------------------------------------
 */

static struct live_service *get_service(struct live *live, const char *name)
{
    struct live_service *service = mu_map_get(live->services, mu_slice_text(name));
    if (service != NULL) {
        return service;
    }
    service = mu_alloc(1, sizeof *service);
    if (service == NULL) {
        return NULL;
    }
    TAILQ_INIT(&service->asked);
    TAILQ_INIT(&service->unasked);
    service->name = mu_slice_dup(mu_slice_text(name));
    if (service->name == NULL || !mu_map_put(live->services, mu_slice_text(name), service)) {
        service_free(service);
        return NULL;
    }
    LIST_INSERT_HEAD(&live->all_services, service, all);
    return service;
}

static void drop_service(struct live *live, struct live_service *service)
{
    if (service->peers > 0) {
        return;
    }
    (void)mu_map_remove(live->services, mu_slice_text(service->name));
    LIST_REMOVE(service, all);
    service_free(service);
}

void live_unask(struct live_service *service, uint32_t change)
{
    TAILQ_CONCAT(&service->unasked, &service->asked, in_service);
    service->change = change;
}

struct live_peer *live_to_ask(const struct live_service *service)
{
    return TAILQ_FIRST(&service->unasked);
}

bool live_is_unasked(const struct live_peer *peer)
{
    return peer->asked != peer->service->change;
}

void live_asked(struct live_peer *peer, uint32_t change)
{
    mu_assert(live_is_unasked(peer) && change == peer->service->change);
    TAILQ_REMOVE(&peer->service->unasked, peer, in_service);
    TAILQ_INSERT_TAIL(&peer->service->asked, peer, in_service);
    peer->asked = change;
}

/* ---- grants -------------------------------------------------------------------------------------
 */

/* Everything in a grant that lets somebody in. A member that is new must be told here, or a change
 * of it would pass by unseen. */
_Static_assert(sizeof(struct mutual_grant) == 88 || sizeof(void *) != 8,
               "is the grant's new member part of what it gives? then add it to grant_content");

/* 0 when it cannot be told: that is like no other, itself included. */
static uint64_t grant_content(const struct live *live, const struct mutual_grant *grant)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, GRANT_TEXT_MAX);
    (void)mu_buf_printf(&text, "%s %lld %lld %d %d", grant->to, (long long)grant->since_s,
                        (long long)grant->until_s, grant->anonymous, grant->anyone);
    for (size_t i = 0; i < grant->from_count; i++) {
        const char *pattern = mutual_pattern_text(grant->from[i]);
        (void)mu_buf_printf(&text, " %d:%zu:%s", (int)mutual_pattern_type(grant->from[i]),
                            strlen(pattern), pattern);
    }
    return text.failed ? 0 : mu_siphash(live->seed, mu_buf_slice(&text)) | 1;
}

static struct live_grant *get_grant(struct live *live, const struct mutual_grant *granted)
{
    struct live_grant *grant = mu_map_get(live->grants, mu_slice_text(granted->name));
    if (grant != NULL) {
        return grant;
    }
    grant = mu_alloc(1, sizeof *grant);
    if (grant == NULL) {
        return NULL;
    }
    LIST_INIT(&grant->holders);
    grant->name = mu_slice_dup(mu_slice_text(granted->name));
    grant->content = grant_content(live, granted);
    if (grant->name == NULL || !mu_map_put(live->grants, mu_slice_text(granted->name), grant)) {
        mu_free(grant->name);
        mu_free(grant);
        return NULL;
    }
    grant->change = live->change;
    TAILQ_INSERT_TAIL(&live->compared, grant, in_all);
    return grant;
}

static void leave_grant(struct live *live, struct live_peer *peer)
{
    struct live_grant *grant = peer->grant;
    if (grant == NULL) {
        return;
    }
    LIST_REMOVE(peer, in_grant);
    peer->grant = NULL;
    if (LIST_EMPTY(&grant->holders)) {
        if (live_is_uncompared(live, grant)) {
            TAILQ_REMOVE(&live->uncompared, grant, in_all);
        } else {
            TAILQ_REMOVE(&live->compared, grant, in_all);
        }
        (void)mu_map_remove(live->grants, mu_slice_text(grant->name));
        mu_free(grant->name);
        mu_free(grant);
    }
}

void live_uncompare(struct live *live, uint32_t change)
{
    TAILQ_CONCAT(&live->uncompared, &live->compared, in_all);
    live->change = change;
}

struct live_grant *live_to_compare(const struct live *live)
{
    return TAILQ_FIRST(&live->uncompared);
}

bool live_is_uncompared(const struct live *live, const struct live_grant *grant)
{
    return grant->change != live->change;
}

bool live_compare(struct live *live, struct live_grant *grant, const struct mutual_policy *policy)
{
    mu_assert(live_is_uncompared(live, grant));
    const struct mutual_grant *now = policy == NULL ? NULL : mu_policy_find(policy, grant->name);
    uint64_t content = now == NULL ? 0 : grant_content(live, now);
    bool kept = content != 0 && content == grant->content;
    grant->content = content;
    grant->change = live->change;
    TAILQ_REMOVE(&live->uncompared, grant, in_all);
    TAILQ_INSERT_TAIL(&live->compared, grant, in_all);
    return kept;
}

/* Two connections of one peer may have been admitted by two grants, one after the other. The later
 * one lets in the earlier connection, too, and an earlier end is watched by that connection's own
 * timer: so one grant for all of them is enough. */
static bool use_grant(struct live *live, struct worker *worker, struct live_peer *peer,
                      const struct mutual_grant *granted)
{
    struct live_grant *grant = granted == NULL ? NULL : get_grant(live, granted);
    if (granted != NULL && grant == NULL) {
        return false;
    }
    if (grant == peer->grant) {
        return true;
    }
    /* What the earlier ones were admitted by must be compared while they can be found by it. */
    if (peer->grant != NULL && live_is_uncompared(live, peer->grant)) {
        change_compare(worker, peer->grant);
    }
    leave_grant(live, peer);
    peer->grant = grant;
    if (grant != NULL) {
        LIST_INSERT_HEAD(&grant->holders, peer, in_grant);
    }
    return true;
}

/* ---- peers --------------------------------------------------------------------------------------
 */

static void grow(struct live *live)
{
    size_t count = 2 * (live->mask + 1);
    struct live_peer **wider = mu_alloc(count, sizeof(struct live_peer *));
    if (wider == NULL) {
        return; /* it only becomes slower */
    }
    for (size_t i = 0; i <= live->mask; i++) {
        struct live_peer *peer;
        while ((peer = live->buckets[i]) != NULL) {
            live->buckets[i] = peer->next;
            peer->next = wider[peer->hash & (count - 1)];
            wider[peer->hash & (count - 1)] = peer;
        }
    }
    mu_free(live->buckets);
    live->buckets = wider;
    live->mask = count - 1;
}

static struct live_peer *add_peer(struct live *live, struct live_service *service, uint32_t hash)
{
    struct live_peer *peer = mu_alloc(1, sizeof *peer);
    if (peer == NULL) {
        return NULL;
    }
    if (live->peers > live->mask) {
        grow(live);
    }
    *peer = (struct live_peer){.service = service,
                               .hash = hash,
                               .asked = service->change,
                               .next = live->buckets[hash & live->mask]};
    LIST_INIT(&peer->conns);
    live->buckets[hash & live->mask] = peer;
    TAILQ_INSERT_TAIL(&service->asked, peer, in_service);
    service->peers++;
    live->peers++;
    return peer;
}

static void drop_peer(struct live *live, struct live_peer *peer)
{
    struct live_service *service = peer->service;
    struct live_peer **at = &live->buckets[peer->hash & live->mask];
    while (*at != peer) {
        at = &(*at)->next;
    }
    *at = peer->next;
    leave_grant(live, peer);
    if (live_is_unasked(peer)) {
        TAILQ_REMOVE(&service->unasked, peer, in_service);
    } else {
        TAILQ_REMOVE(&service->asked, peer, in_service);
    }
    live->peers--;
    service->peers--;
    mu_free(peer);
    drop_service(live, service);
}

bool live_join(struct live *live, struct conn *conn, struct mutual_error *err)
{
    const struct mutual_chain *chain = mutual_session_evidence(conn_secure(conn)->session)->chain;
    if (conn->live == NULL) {
        struct live_service *service = get_service(live, conn->service->facts->name);
        uint32_t hash = hash_of(live, chain);
        struct live_peer *peer = service == NULL ? NULL : find_peer(live, service, chain, hash);
        if (service != NULL && peer == NULL) {
            peer = add_peer(live, service, hash);
        }
        if (peer == NULL) {
            if (service != NULL) {
                drop_service(live, service);
            }
            return mu_fail_memory(err);
        }
        LIST_INSERT_HEAD(&peer->conns, conn, in_live);
        conn->live = peer;
        live->conns++;
    }
    if (!use_grant(live, conn->worker, conn->live, conn->verdict->grant)) {
        live_leave(live, conn);
        return mu_fail_memory(err);
    }
    return true;
}

void live_leave(struct live *live, struct conn *conn)
{
    struct live_peer *peer = conn->live;
    if (peer == NULL) {
        return;
    }
    LIST_REMOVE(conn, in_live);
    conn->live = NULL;
    live->conns--;
    if (LIST_EMPTY(&peer->conns)) {
        drop_peer(live, peer);
    }
}
