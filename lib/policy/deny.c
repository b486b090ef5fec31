/* SPDX-License-Identifier: Apache-2.0
 *
 * A deny list and its indexes: certificates by a map, names by the index of grants, for a denial
 * matches as a grant does.
 */
#include "policy/deny_internal.h"

#include "identity/identity.h"

#include <string.h>

/* All denials are to everything, from ever and for ever. */
#define EVERYTHING "*"

struct mutual_deny {
    atomic_uint refs;
    struct mu_arena *arena;
    const char *file;
    struct mutual_denial *items; /* in the order written */
    size_t count, cap;
    struct mu_map *certs;        /* key_of -> place of the first such entry */
    struct mutual_grant *grants; /* the entries that are names, each as a grant ... */
    uint32_t *places;            /* ... and its place among the items */
    size_t grant_count, grant_cap, place_cap;
    struct mu_index *names; /* NULL until frozen */
    struct mu_map *below;   /* ".example.org" -> place of the first entry of a host there */
};

struct mutual_deny *mu_deny_new(const char *file)
{
    struct mutual_deny *deny = mu_alloc(1, sizeof *deny);
    if (deny == NULL) {
        return NULL;
    }
    atomic_init(&deny->refs, 1);
    deny->arena = mu_arena_new(4u * (size_t)MU_LIMIT_DENY_BYTES);
    deny->certs = mu_map_new();
    deny->below = mu_map_new();
    deny->file = deny->arena == NULL ? NULL : mu_arena_strndup(deny->arena, file, strlen(file));
    if (deny->file == NULL || deny->certs == NULL || deny->below == NULL) {
        mutual_deny_unref(deny);
        return NULL;
    }
    return deny;
}

struct mutual_deny *mutual_deny_ref(struct mutual_deny *deny)
{
    atomic_fetch_add_explicit(&deny->refs, 1, memory_order_relaxed);
    return deny;
}

void mutual_deny_unref(struct mutual_deny *deny)
{
    if (deny == NULL || atomic_fetch_sub_explicit(&deny->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < deny->grant_count; i++) {
        mutual_pattern_free(deny->grants[i].from[0]);
    }
    mu_index_free(deny->names);
    mu_map_free(deny->certs);
    mu_map_free(deny->below);
    mu_free(deny->grants);
    mu_free(deny->places);
    mu_free(deny->items);
    mu_arena_free(deny->arena);
    mu_free(deny);
}

struct mu_arena *mu_deny_arena(struct mutual_deny *deny)
{
    return deny->arena;
}

size_t mutual_deny_count(const struct mutual_deny *deny)
{
    return deny->count;
}

const struct mutual_denial *mutual_deny_get(const struct mutual_deny *deny, size_t index)
{
    mu_assert(index < deny->count);
    return &deny->items[index];
}

/* ---- certificates -----------------------------------------------------------------------------
 */

/* What a certificate is found by: 's', the issuer, the serial number; 'n', the serial number; 'k',
 * the key. Serial numbers are longer than twenty octets only where a flaw is told of. */
struct cert_key {
    size_t len;
    uint8_t bytes[1 + 32 + 64];
};

static bool key_of(char kind, const uint8_t *issuer_name_hash, struct mu_slice bytes,
                   struct cert_key *ret_key)
{
    while (kind != 'k' && bytes.len > 0 && bytes.data[0] == 0) {
        bytes = mu_slice_of(bytes.data + 1, bytes.len - 1);
    }
    if (bytes.len > 64) {
        return false;
    }
    ret_key->bytes[0] = (uint8_t)kind;
    ret_key->len = 1;
    if (issuer_name_hash != NULL) {
        memcpy(ret_key->bytes + 1, issuer_name_hash, 32);
        ret_key->len += 32;
    }
    if (bytes.len > 0) {
        memcpy(ret_key->bytes + ret_key->len, bytes.data, bytes.len);
    }
    ret_key->len += bytes.len;
    return true;
}

/* Places count from 1 in maps, where 0 is nothing. */
static bool put_first(struct mu_map *map, struct mu_slice key, size_t place)
{
    return mu_map_get(map, key) != NULL || mu_map_put(map, key, (void *)(uintptr_t)(place + 1));
}

static const struct mutual_denial *look_up(const struct mutual_deny *deny, const struct mu_map *map,
                                           struct mu_slice key)
{
    size_t place = (size_t)(uintptr_t)mu_map_get(map, key);
    return place == 0 ? NULL : &deny->items[place - 1];
}

static const struct mutual_denial *find_by(const struct mutual_deny *deny, char kind,
                                           const uint8_t *issuer_name_hash, struct mu_slice bytes)
{
    struct cert_key key;
    return !key_of(kind, issuer_name_hash, bytes, &key)
               ? NULL
               : look_up(deny, deny->certs, mu_slice_of(key.bytes, key.len));
}

const struct mutual_denial *mu_deny_find_cert(const struct mutual_deny *deny,
                                              const uint8_t *issuer_name_hash,
                                              struct mu_slice serial, const uint8_t *key_hash)
{
    const struct mutual_denial *found = NULL;
    if (mu_map_count(deny->certs) == 0) {
        return NULL;
    }
    if (issuer_name_hash != NULL) {
        found = find_by(deny, 's', issuer_name_hash, serial);
    }
    if (found == NULL) {
        found = find_by(deny, 'n', NULL, serial);
    }
    if (found == NULL && key_hash != NULL) {
        found = find_by(deny, 'k', NULL, mu_slice_of(key_hash, 32));
    }
    return found;
}

/* ---- names ------------------------------------------------------------------------------------
 */

static struct mu_slice from_dot(const char *text)
{
    const char *dot = strchr(text, '.');
    return mu_slice_text(dot != NULL ? dot : "");
}

const struct mutual_denial *mu_deny_find_name(const struct mutual_deny *deny,
                                              const struct mutual_name *names, size_t count,
                                              const struct mutual_name **ret_name)
{
    if (deny->grant_count == 0 || count == 0) {
        return NULL;
    }
    struct mutual_decision found = mu_index_decide(deny->names, EVERYTHING, names, count, 0);
    if (found.allowed) {
        *ret_name = found.name;
        return &deny->items[deny->places[found.grant - deny->grants]];
    }
    for (size_t i = 0; i < count; i++) {
        const struct mutual_denial *denial =
            mu_name_is_wildcard(&names[i]) ? look_up(deny, deny->below, from_dot(names[i].text))
                                           : NULL;
        if (denial != NULL) {
            *ret_name = &names[i];
            return denial;
        }
    }
    return NULL;
}

/* ---- making -----------------------------------------------------------------------------------
 */

static bool add_name(struct mutual_deny *deny, struct mutual_pattern *take_pattern, size_t place)
{
    void *grants = deny->grants;
    void *places = deny->places;
    struct mutual_pattern **from = mu_arena_alloc(deny->arena, sizeof *from);
    bool room = from != NULL && mu_grow(&grants, &deny->grant_cap, deny->grant_count,
                                        sizeof *deny->grants, MU_LIMIT_DENY_ENTRIES);
    deny->grants = grants;
    room = room && mu_grow(&places, &deny->place_cap, deny->grant_count, sizeof *deny->places,
                           MU_LIMIT_DENY_ENTRIES);
    deny->places = places;
    bool below = !room || mutual_pattern_type(take_pattern) != MUTUAL_NAME_DNS ||
                 put_first(deny->below, from_dot(mutual_pattern_text(take_pattern)), place);
    if (!room || !below) {
        mutual_pattern_free(take_pattern);
        return false;
    }
    from[0] = take_pattern;
    deny->places[deny->grant_count] = (uint32_t)place;
    deny->grants[deny->grant_count++] = (struct mutual_grant){
        .name = "", .to = EVERYTHING, .from = from, .from_count = 1, .until_s = MU_TIME_NEVER_S};
    return true;
}

static bool add_cert(struct mutual_deny *deny, char kind, const uint8_t *issuer_name_hash,
                     struct mu_slice bytes, size_t place)
{
    struct cert_key key;
    return key_of(kind, issuer_name_hash, bytes, &key) &&
           put_first(deny->certs, mu_slice_of(key.bytes, key.len), place);
}

bool mu_deny_add(struct mutual_deny *deny, const struct mutual_denial *denial,
                 struct mutual_pattern *take_pattern, struct mu_slice bytes,
                 const uint8_t *issuer_name_hash, struct mutual_error *err)
{
    void *items = deny->items;
    bool room =
        mu_grow(&items, &deny->cap, deny->count, sizeof *deny->items, MU_LIMIT_DENY_ENTRIES);
    deny->items = items;
    if (!room) {
        mutual_pattern_free(take_pattern);
        return deny->count < MU_LIMIT_DENY_ENTRIES
                   ? mu_fail_memory(err)
                   : mu_fail(err, MUTUAL_E_LIMIT, "there are more than %u entries",
                             MU_LIMIT_DENY_ENTRIES);
    }
    char kind = denial->kind == MUTUAL_DENIAL_KEY ? 'k' : issuer_name_hash == NULL ? 'n' : 's';
    if (!(take_pattern != NULL ? add_name(deny, take_pattern, deny->count)
                               : add_cert(deny, kind, issuer_name_hash, bytes, deny->count))) {
        return mu_fail_memory(err);
    }
    deny->items[deny->count] = *denial;
    deny->items[deny->count++].file = deny->file;
    return true;
}

bool mu_deny_freeze(struct mutual_deny *deny, struct mutual_error *err)
{
    deny->names = mu_index_new(deny->grants, deny->grant_count);
    return deny->names != NULL || mu_fail_memory(err);
}

void mu_denial_text(const struct mutual_denial *denial, struct mu_buf *out)
{
    switch (denial->kind) {
    case MUTUAL_DENIAL_SERIAL:
        mu_buf_printf(out, "serial %s", denial->value);
        if (denial->issuer != NULL) {
            mu_buf_text(out, " of \"");
            mu_escape(out, mu_slice_text(denial->issuer));
            mu_buf_byte(out, '"');
        }
        break;
    case MUTUAL_DENIAL_KEY:
        mu_buf_printf(out, "key %s", denial->value);
        break;
    case MUTUAL_DENIAL_NAME:
        mu_buf_printf(out, "%s \"", mutual_name_type_word(denial->type));
        mu_escape(out, mu_slice_text(denial->value));
        mu_buf_byte(out, '"');
        break;
    }
}
