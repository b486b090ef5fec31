/* SPDX-License-Identifier: Apache-2.0
 *
 * SipHash-2-4 and the map built on it: open addressing, linear probing, removal by shifting back.
 */
#include "base/base.h"

#include <string.h>

static uint64_t rotl(uint64_t v, unsigned by)
{
    return v << by | v >> (64 - by);
}

static uint64_t load_le64(const uint8_t *p, size_t len)
{
    uint64_t v = 0;
    for (size_t i = 0; i < len; i++) {
        v |= (uint64_t)p[i] << (8 * i);
    }
    return v;
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    sip_round(v);
    v[0] ^= word;
}

uint64_t mu_siphash(const uint8_t key[16], struct mu_slice bytes)
{
    uint64_t k0 = load_le64(key, 8);
    uint64_t k1 = load_le64(key + 8, 8);
    uint64_t v[4] = {k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
                     k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573)};
    size_t whole = bytes.len / 8;
    for (size_t i = 0; i < whole; i++) {
        sip_word(v, load_le64(bytes.data + 8 * i, 8));
    }
    size_t rest = bytes.len % 8;
    uint64_t last = (uint64_t)bytes.len << 56;
    if (rest > 0) {
        last |= load_le64(bytes.data + 8 * whole, rest);
    }
    sip_word(v, last);
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++) {
        sip_round(v);
    }
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct map_slot {
    uint64_t hash;
    uint8_t *key; /* NULL: free */
    size_t key_len;
    void *value;
};

struct mu_map {
    uint8_t seed[16];
    struct map_slot *slots;
    size_t mask; /* slots - 1, a power of two less one */
    size_t count;
};

struct mu_map *mu_map_new(void)
{
    struct mu_map *map = mu_alloc(1, sizeof *map);
    if (map == NULL) {
        return NULL;
    }
    map->mask = 15;
    map->slots = mu_alloc(map->mask + 1, sizeof *map->slots);
    if (map->slots == NULL || !mu_random(map->seed, sizeof map->seed, NULL)) {
        mu_map_free(map);
        return NULL;
    }
    return map;
}

void mu_map_free(struct mu_map *map)
{
    if (map == NULL) {
        return;
    }
    for (size_t i = 0; map->slots != NULL && i <= map->mask; i++) {
        mu_free(map->slots[i].key);
    }
    mu_free(map->slots);
    mu_free(map);
}

/* The slot of the key, or the free slot where it would go. */
static struct map_slot *slot_of(const struct mu_map *map, uint64_t hash, struct mu_slice key)
{
    size_t i = (size_t)hash & map->mask;
    for (;;) {
        struct map_slot *slot = &map->slots[i];
        if (slot->key == NULL) {
            return slot;
        }
        if (slot->hash == hash && slot->key_len == key.len &&
            (key.len == 0 || memcmp(slot->key, key.data, key.len) == 0)) {
            return slot;
        }
        i = (i + 1) & map->mask;
    }
}

void *mu_map_get(const struct mu_map *map, struct mu_slice key)
{
    const struct map_slot *slot = slot_of(map, mu_siphash(map->seed, key), key);
    return slot->key == NULL ? NULL : slot->value;
}

static bool map_grow(struct mu_map *map)
{
    struct map_slot *old = map->slots;
    size_t old_mask = map->mask;
    struct map_slot *bigger = mu_alloc((old_mask + 1) * 2, sizeof *bigger);
    if (bigger == NULL) {
        return false;
    }
    map->slots = bigger;
    map->mask = old_mask * 2 + 1;
    for (size_t i = 0; i <= old_mask; i++) {
        if (old[i].key != NULL) {
            *slot_of(map, old[i].hash, mu_slice_of(old[i].key, old[i].key_len)) = old[i];
        }
    }
    mu_free(old);
    return true;
}

bool mu_map_put(struct mu_map *map, struct mu_slice key, void *value)
{
    uint64_t hash = mu_siphash(map->seed, key);
    struct map_slot *slot = slot_of(map, hash, key);
    if (slot->key != NULL) {
        slot->value = value;
        return true;
    }
    if ((map->count + 1) * 4 > (map->mask + 1) * 3) {
        if (!map_grow(map)) {
            return false;
        }
        slot = slot_of(map, hash, key);
    }
    uint8_t *copy = mu_alloc(key.len + 1, 1);
    if (copy == NULL) {
        return false;
    }
    if (key.len > 0) {
        memcpy(copy, key.data, key.len);
    }
    *slot = (struct map_slot){hash, copy, key.len, value};
    map->count++;
    return true;
}

void *mu_map_remove(struct mu_map *map, struct mu_slice key)
{
    struct map_slot *slot = slot_of(map, mu_siphash(map->seed, key), key);
    if (slot->key == NULL) {
        return NULL;
    }
    void *value = slot->value;
    mu_free(slot->key);
    *slot = (struct map_slot){0};
    map->count--;
    /* Move back every follower that the hole would hide. */
    size_t hole = (size_t)(slot - map->slots);
    for (size_t i = (hole + 1) & map->mask; map->slots[i].key != NULL; i = (i + 1) & map->mask) {
        size_t home = (size_t)map->slots[i].hash & map->mask;
        if (((i - home) & map->mask) >= ((i - hole) & map->mask)) {
            map->slots[hole] = map->slots[i];
            map->slots[i] = (struct map_slot){0};
            hole = i;
        }
    }
    return value;
}

size_t mu_map_count(const struct mu_map *map)
{
    return map->count;
}

void mu_map_each(const struct mu_map *map,
                 bool (*each)(void *context, struct mu_slice key, void *value), void *context)
{
    for (size_t i = 0; i <= map->mask; i++) {
        const struct map_slot *slot = &map->slots[i];
        if (slot->key != NULL &&
            !each(context, mu_slice_of(slot->key, slot->key_len), slot->value)) {
            return;
        }
    }
}
