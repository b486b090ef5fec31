/* SPDX-License-Identifier: Apache-2.0
 *
 * Building the index of a policy; index_internal.h tells what it looks like.
 */
#include "policy/index_internal.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

bool mu_index_key_set(struct mu_index_key *key, unsigned kind, uint32_t id, struct mu_slice text)
{
    if (text.len > MU_LIMIT_NAME_BYTES) {
        return false;
    }
    key->bytes[0] = (uint8_t)kind;
    mu_put_be32(key->bytes + 1, id);
    if (text.len > 0) {
        memcpy(key->bytes + MU_INDEX_HEAD, text.data, text.len);
    }
    key->len = MU_INDEX_HEAD + text.len;
    return true;
}

bool mu_network_parse(const char *text, size_t len, struct mu_network *ret_network)
{
    char address[INET6_ADDRSTRLEN + 4];
    if (len >= sizeof address) {
        return false;
    }
    memcpy(address, text, len);
    address[len] = '\0';
    char *slash = strchr(address, '/');
    if (slash != NULL) {
        *slash++ = '\0';
    }
    struct mu_network network = {.v6 = strchr(address, ':') != NULL};
    unsigned bits = network.v6 ? 128 : 32;
    uint64_t length = bits;
    if (inet_pton(network.v6 ? AF_INET6 : AF_INET, address, network.bytes) != 1 ||
        (slash != NULL && !mu_text_uint(slash, bits, &length))) {
        return false;
    }
    network.length = (unsigned)length;
    *ret_network = network;
    return true;
}

struct mu_slice mu_network_text(const struct mu_network *network, unsigned length, uint8_t text[18])
{
    text[0] = network->v6 ? 6 : 4;
    text[1] = (uint8_t)length;
    size_t whole = length / 8;
    memcpy(text + 2, network->bytes, whole);
    size_t len = 2 + whole;
    if (length % 8 != 0) {
        text[len++] = (uint8_t)(network->bytes[whole] & (0xff00u >> (length % 8)));
    }
    return mu_slice_of(text, len);
}

bool mu_segment_take(struct mu_slice *text, struct mu_slice *ret_segment)
{
    if (text->data == NULL) {
        return false;
    }
    const uint8_t *slash = text->len == 0 ? NULL : memchr(text->data, '/', text->len);
    if (slash == NULL) {
        *ret_segment = *text;
        *text = mu_slice_of(NULL, 0);
        return true;
    }
    size_t len = (size_t)(slash - text->data);
    *ret_segment = mu_slice_of(text->data, len);
    *text = mu_slice_of(slash + 1, text->len - len - 1);
    return true;
}

/* Ends later comes first, then written earlier: the grants lie in one array in that order. */
static int by_rank(const void *a, const void *b)
{
    const struct mutual_grant *x = *(const struct mutual_grant *const *)a;
    const struct mutual_grant *y = *(const struct mutual_grant *const *)b;
    if (x->until_s != y->until_s) {
        return x->until_s > y->until_s ? -1 : 1;
    }
    return x < y ? -1 : x > y;
}

/* Grants are added from the highest rank down, so each new one goes to the front. */
static bool add_entry(struct mu_index *index, struct mu_entries *entries, uint32_t rank)
{
    struct mu_entry *entry = mu_arena_alloc(index->arena, sizeof *entry);
    if (entry == NULL) {
        return false;
    }
    *entry = (struct mu_entry){entries->first, rank};
    entries->first = entry;
    return true;
}

/* What the key leads to, made when it is new (zeroed, `size` bytes). NULL: out of memory. */
static void *find_or_make(struct mu_index *index, struct mu_map *map, struct mu_slice key,
                          size_t size)
{
    void *found = mu_map_get(map, key);
    if (found == NULL) {
        found = mu_arena_alloc(index->arena, size);
        if (found == NULL || !mu_map_put(map, key, found)) {
            return NULL;
        }
    }
    return found;
}

static bool add_keyed(struct mu_index *index, struct mu_service *service, unsigned kind,
                      struct mu_slice text, uint32_t rank)
{
    struct mu_index_key key;
    if (!mu_index_key_set(&key, kind, service->id, text)) {
        return false;
    }
    service->kinds |= 1u << kind;
    struct mu_entries *entries =
        find_or_make(index, index->keys, mu_slice_of(key.bytes, key.len), sizeof *entries);
    return entries != NULL && add_entry(index, entries, rank);
}

static struct mu_node *make_node(struct mu_index *index)
{
    struct mu_node *node = mu_arena_alloc(index->arena, sizeof *node);
    if (node != NULL) {
        node->id = index->next_id++;
        node->best = MU_RANK_NONE;
    }
    return node;
}

static struct mu_node *child_of(struct mu_index *index, struct mu_node *node,
                                struct mu_slice segment)
{
    if (mu_slice_equal_text(segment, "*")) {
        if (node->any == NULL) {
            node->any = make_node(index);
        }
        return node->any;
    }
    struct mu_index_key key;
    if (!mu_index_key_set(&key, MU_INDEX_EDGE, node->id, segment)) {
        return NULL;
    }
    struct mu_slice bytes = mu_slice_of(key.bytes, key.len);
    struct mu_node *child = mu_map_get(index->keys, bytes);
    if (child == NULL) {
        child = make_node(index);
        if (child == NULL || !mu_map_put(index->keys, bytes, child)) {
            return NULL;
        }
        node->edges++;
    }
    return child;
}

static bool add_spiffe(struct mu_index *index, struct mu_service *service, const char *pattern,
                       uint32_t rank)
{
    if (service->root == NULL) {
        service->root = make_node(index);
    }
    struct mu_node *node = service->root;
    struct mu_slice rest = mu_slice_text(pattern + strlen(MU_SPIFFE_SCHEME));
    struct mu_slice segment;
    while (node != NULL && mu_segment_take(&rest, &segment)) {
        node->best = rank;
        if (mu_slice_equal_text(segment, "**")) {
            return add_entry(index, &node->below, rank);
        }
        node = child_of(index, node, segment);
    }
    if (node == NULL) {
        return false;
    }
    node->best = rank;
    return add_entry(index, &node->here, rank);
}

static bool add_network(struct mu_index *index, struct mu_service *service, const char *pattern,
                        uint32_t rank)
{
    struct mu_network network;
    bool good = mu_network_parse(pattern, strlen(pattern), &network);
    mu_assert(good);
    unsigned slot = network.v6 ? 1 + network.length / 64 : 0;
    service->lengths[slot] |= UINT64_C(1) << (network.length % 64);
    uint8_t text[18];
    return add_keyed(index, service, MU_INDEX_NETWORK,
                     mu_network_text(&network, network.length, text), rank);
}

static bool add_pattern(struct mu_index *index, struct mu_service *service,
                        const struct mutual_pattern *pattern, uint32_t rank)
{
    enum mutual_name_type type = mutual_pattern_type(pattern);
    const char *text = mutual_pattern_text(pattern);
    if (mutual_pattern_is_exact(pattern)) {
        return add_keyed(index, service, type, mu_slice_text(text), rank);
    }
    switch (type) {
    case MUTUAL_NAME_SPIFFE:
        return add_spiffe(index, service, text, rank);
    case MUTUAL_NAME_DNS:
        return add_keyed(index, service, MU_INDEX_DNS_BELOW, mu_slice_text(text + 1), rank);
    case MUTUAL_NAME_EMAIL:
        return add_keyed(index, service, MU_INDEX_EMAIL_HOST, mu_slice_text(text), rank);
    case MUTUAL_NAME_IP:
        return add_network(index, service, text, rank);
    case MUTUAL_NAME_URI:
    case MUTUAL_NAME_CN:
    case MUTUAL_NAME_COUNT_:
        break;
    }
    mu_assert(mutual_pattern_is_exact(pattern)); /* the other types have no wildcards */
    return false;
}

static bool add_grant(struct mu_index *index, const struct mutual_grant *grant, uint32_t rank)
{
    struct mu_service *service =
        find_or_make(index, index->services, mu_slice_text(grant->to), sizeof *service);
    if (service == NULL) {
        return false;
    }
    if (service->id == 0) {
        service->id = index->next_id++;
    }
    if ((grant->anonymous && !add_entry(index, &service->anonymous, rank)) ||
        (grant->anyone && !add_entry(index, &service->anyone, rank))) {
        return false;
    }
    for (size_t i = 0; i < grant->from_count; i++) {
        if (!add_pattern(index, service, grant->from[i], rank)) {
            return false;
        }
    }
    return true;
}

struct mu_index *mu_index_new(const struct mutual_grant *grants, size_t count)
{
    struct mu_index *index = mu_alloc(1, sizeof *index);
    if (index == NULL) {
        return NULL;
    }
    index->services = mu_map_new();
    index->keys = mu_map_new();
    index->arena = mu_arena_new(MU_LIMIT_POLICY_BYTES);
    index->by_rank = mu_alloc(count + 1, sizeof *index->by_rank);
    index->count = count;
    index->next_id = 1;
    if (index->services == NULL || index->keys == NULL || index->arena == NULL ||
        index->by_rank == NULL) {
        mu_index_free(index);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        index->by_rank[i] = &grants[i];
    }
    qsort(index->by_rank, count, sizeof *index->by_rank, by_rank);
    for (size_t rank = count; rank-- > 0;) {
        if (!add_grant(index, index->by_rank[rank], (uint32_t)rank)) {
            mu_index_free(index);
            return NULL;
        }
    }
    return index;
}

void mu_index_free(struct mu_index *index)
{
    if (index == NULL) {
        return;
    }
    mu_map_free(index->services);
    mu_map_free(index->keys);
    mu_arena_free(index->arena);
    mu_free(index->by_rank);
    mu_free(index);
}
