/* SPDX-License-Identifier: Apache-2.0
 *
 * Deciding by the index: for each name a handful of look-ups, each giving grants best first.
 */
#include "policy/index_internal.h"

#include "identity/identity.h"

#include <string.h>

/* One decision under way. */
struct search {
    const struct mu_index *index;
    const struct mu_service *service;
    const struct mutual_name *name; /* being looked up                              */
    int64_t now_s;
    uint32_t allowed; /* the best rank in force so far, or MU_RANK_NONE                */
    uint32_t near;    /* the best rank that fits and is not in force, or MU_RANK_NONE  */
    const struct mutual_name *allowed_name;
    const struct mutual_name *near_name;
    struct mu_index_key key;
};

static bool has_ended(const struct search *search, uint32_t rank)
{
    return search->index->by_rank[rank]->until_s <= search->now_s;
}

/* Could a grant of this rank or a higher one change the outcome? What ranks higher ends no later,
 * so that whole branches are left out. */
static bool matters(const struct search *search, uint32_t rank)
{
    if (rank >= search->allowed) {
        return false;
    }
    return !has_ended(search, rank) || (search->allowed == MU_RANK_NONE && rank < search->near);
}

static void consider(struct search *search, const struct mu_entries *entries)
{
    if (entries == NULL) {
        return;
    }
    for (const struct mu_entry *e = entries->first; e != NULL && matters(search, e->rank);
         e = e->next) {
        if (!has_ended(search, e->rank) &&
            search->index->by_rank[e->rank]->since_s <= search->now_s) {
            search->allowed = e->rank;
            search->allowed_name = search->name;
            return;
        }
        if (e->rank < search->near) {
            search->near = e->rank;
            search->near_name = search->name;
        }
    }
}

static void look_up(struct search *search, unsigned kind, struct mu_slice text)
{
    if ((search->service->kinds & 1u << kind) != 0 &&
        mu_index_key_set(&search->key, kind, search->service->id, text)) {
        consider(search,
                 mu_map_get(search->index->keys, mu_slice_of(search->key.bytes, search->key.len)));
    }
}

static const struct mu_node *edge(struct search *search, const struct mu_node *node,
                                  struct mu_slice segment)
{
    if (node->edges == 0 || !mu_index_key_set(&search->key, MU_INDEX_EDGE, node->id, segment)) {
        return NULL;
    }
    return mu_map_get(search->index->keys, mu_slice_of(search->key.bytes, search->key.len));
}

/* Depth and branches are bounded by the policy's own patterns, whatever the name is. */
static void walk(struct search *search, const struct mu_node *node, struct mu_slice rest)
{
    struct mu_slice segment;
    while (node != NULL && matters(search, node->best)) {
        if (!mu_segment_take(&rest, &segment)) {
            consider(search, &node->here);
            return;
        }
        consider(search, &node->below);
        if (node->any != NULL) {
            walk(search, node->any, rest);
        }
        node = edge(search, node, segment);
    }
}

static void look_up_spiffe(struct search *search, struct mu_slice text)
{
    size_t scheme = strlen(MU_SPIFFE_SCHEME);
    if (search->service->root != NULL && text.len > scheme) {
        walk(search, search->service->root, mu_slice_of(text.data + scheme, text.len - scheme));
    }
}

/* What follows the first `mark`, with it or nothing when there is none. */
static struct mu_slice from_mark(struct mu_slice text, char mark)
{
    const uint8_t *at = text.len == 0 ? NULL : memchr(text.data, mark, text.len);
    if (at == NULL) {
        return mu_slice_of(NULL, 0);
    }
    return mu_slice_of(at, text.len - (size_t)(at - text.data));
}

static void look_up_networks(struct search *search, struct mu_slice text)
{
    struct mu_network address;
    if ((search->service->kinds & 1u << MU_INDEX_NETWORK) == 0 ||
        !mu_network_parse((const char *)text.data, text.len, &address)) {
        return;
    }
    uint8_t bytes[18];
    unsigned first = address.v6 ? 1 : 0;
    unsigned last = address.v6 ? 3 : 0;
    for (unsigned slot = first; slot <= last; slot++) {
        for (uint64_t set = search->service->lengths[slot]; set != 0; set &= set - 1) {
            unsigned length = (slot - first) * 64 + (unsigned)__builtin_ctzll(set);
            look_up(search, MU_INDEX_NETWORK, mu_network_text(&address, length, bytes));
        }
    }
}

static void look_up_name(struct search *search, const struct mutual_name *name)
{
    struct mu_slice text = mu_slice_of(name->text, name->len);
    if (mu_name_is_wildcard(name)) {
        return; /* it does not say who holds it */
    }
    search->name = name;
    look_up(search, name->type, text);
    switch (name->type) {
    case MUTUAL_NAME_SPIFFE:
        look_up_spiffe(search, text);
        break;
    case MUTUAL_NAME_DNS:
        look_up(search, MU_INDEX_DNS_BELOW, from_mark(text, '.'));
        break;
    case MUTUAL_NAME_EMAIL:
        look_up(search, MU_INDEX_EMAIL_HOST, from_mark(text, '@'));
        break;
    case MUTUAL_NAME_IP:
        look_up_networks(search, text);
        break;
    case MUTUAL_NAME_URI:
    case MUTUAL_NAME_CN:
    case MUTUAL_NAME_COUNT_:
        break;
    }
}

static struct search begin(const struct mu_index *index, int64_t now_s)
{
    return (struct search){
        .index = index, .now_s = now_s, .allowed = MU_RANK_NONE, .near = MU_RANK_NONE};
}

static struct mutual_decision outcome(const struct search *search)
{
    if (search->allowed != MU_RANK_NONE) {
        const struct mutual_grant *grant = search->index->by_rank[search->allowed];
        return (struct mutual_decision){true, grant, search->allowed_name, grant->until_s};
    }
    if (search->near != MU_RANK_NONE) {
        return (struct mutual_decision){false, search->index->by_rank[search->near],
                                        search->near_name, 0};
    }
    return (struct mutual_decision){0};
}

/* Grants are to one service or to all of them. */
#define ALL_SERVICES "*"

struct mutual_decision mu_index_decide(const struct mu_index *index, const char *service,
                                       const struct mutual_name *names, size_t count, int64_t now_s)
{
    struct search search = begin(index, now_s);
    const char *const places[] = {service, ALL_SERVICES};
    for (size_t p = 0; p < MU_COUNT(places); p++) {
        search.service = mu_map_get(index->services, mu_slice_text(places[p]));
        for (size_t i = 0; search.service != NULL && i < count; i++) {
            look_up_name(&search, &names[i]);
        }
        if (search.service != NULL && count > 0) {
            search.name = &names[0];
            consider(&search, &search.service->anyone);
        }
    }
    return outcome(&search);
}

struct mutual_decision mu_index_decide_anonymous(const struct mu_index *index, const char *service,
                                                 int64_t now_s)
{
    struct search search = begin(index, now_s);
    const char *const places[] = {service, ALL_SERVICES};
    for (size_t p = 0; p < MU_COUNT(places); p++) {
        const struct mu_service *place = mu_map_get(index->services, mu_slice_text(places[p]));
        consider(&search, place == NULL ? NULL : &place->anonymous);
    }
    return outcome(&search);
}
