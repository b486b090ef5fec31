/* SPDX-License-Identifier: Apache-2.0
 *
 * Our own authorities: the rows of issuers, and the numbers and contents of their lists.
 */
#include "inventory/inventory_internal.h"

#include <string.h>

/* Texts and certificates of a handful of authorities. */
#define ISSUERS_BYTES (1u << 20)
#define ISSUERS_MAX   64u

void inventory_issuers_done(struct inventory_issuers *issuers)
{
    mu_arena_free(issuers->arena);
    *issuers = (struct inventory_issuers){0};
}

void mu_inventory_issuers_auto(struct inventory_issuers *issuers)
{
    inventory_issuers_done(issuers);
}

static bool read_issuer(struct store_statement *row, struct mu_arena *arena,
                        struct inventory_issuer *ret_issuer)
{
    struct mu_slice certificate = store_bytes(row, 4);
    struct inventory_issuer issuer = {
        .id = store_int(row, 0),
        .name = mu_arena_strndup(arena, store_text(row, 1), strlen(store_text(row, 1))),
        .root = store_int(row, 2) != 0,
        .parent_id = store_int(row, 3),
        .key_place = mu_arena_strndup(arena, store_text(row, 5), strlen(store_text(row, 5))),
        .crl_number = (uint64_t)store_int(row, 6),
        .crl_this_update_s = store_int(row, 7),
        .crl_next_update_s = store_int(row, 8),
        .crl_due = store_int(row, 9) != 0,
        .made_s = store_int(row, 10),
        .word = mu_arena_strndup(arena, store_text(row, 11), strlen(store_text(row, 11))),
        .shards = (unsigned)store_int(row, 12),
    };
    char *der = mu_arena_strndup(arena, certificate.data, certificate.len);
    if (issuer.name == NULL || issuer.word == NULL || issuer.key_place == NULL || der == NULL) {
        return false;
    }
    issuer.certificate = mu_slice_of(der, certificate.len);
    *ret_issuer = issuer;
    return true;
}

bool inventory_issuers_get(struct inventory *inventory, struct inventory_issuers *ret_issuers,
                           struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    if (!store_prepare(inventory->store,
                       "SELECT id, name, root, parent_id, certificate, key_place, crl_number,"
                       " crl_this_update_s, crl_next_update_s, crl_due, made_s, word, shards"
                       " FROM issuer ORDER BY id",
                       &read, err)) {
        return false;
    }
    MU_AUTO(inventory_issuers)
    struct inventory_issuers issuers = {.arena = mu_arena_new(ISSUERS_BYTES)};
    if (issuers.arena == NULL) {
        return mu_fail_memory(err);
    }
    issuers.items = mu_arena_alloc(issuers.arena, ISSUERS_MAX * sizeof *issuers.items);
    for (bool row = true; row;) {
        if (!store_step(read, &row, err)) {
            return false;
        }
        if (!row) {
            break;
        }
        if (issuers.items == NULL || issuers.count == ISSUERS_MAX ||
            !read_issuer(read, issuers.arena, &issuers.items[issuers.count])) {
            return mu_fail(err, MUTUAL_E_LIMIT, "store \"%s\" holds more than %u authorities",
                           store_name(inventory->store), ISSUERS_MAX);
        }
        issuers.count++;
    }
    *ret_issuers = issuers;
    issuers = (struct inventory_issuers){0};
    return true;
}

bool inventory_issuer_add(struct inventory *inventory, const struct inventory_issuer *issuer,
                          int64_t *ret_id, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *add = NULL;
    if (!store_prepare(inventory->store,
                       "INSERT INTO issuer (name, root, parent_id, certificate, key_place, made_s,"
                       " word, shards) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
                       &add, err)) {
        return false;
    }
    store_bind_text(add, 1, issuer->name);
    store_bind_int(add, 2, issuer->root);
    if (issuer->parent_id == 0) {
        store_bind_null(add, 3);
    } else {
        store_bind_int(add, 3, issuer->parent_id);
    }
    store_bind_bytes(add, 4, issuer->certificate);
    store_bind_text(add, 5, issuer->key_place);
    store_bind_int(add, 6, issuer->made_s);
    store_bind_text(add, 7, issuer->word != NULL ? issuer->word : issuer->root ? "root" : "issuer");
    store_bind_int(add, 8, issuer->shards);
    bool row = false;
    if (!store_step(add, &row, err)) {
        return false;
    }
    int64_t id = store_int(add, 0);
    if (!store_step(add, &row, err)) {
        return false;
    }
    *ret_id = id;
    return true;
}

/* ---- another root ---------------------------------------------------------------------------- */

bool inventory_issuer_recertify(struct inventory *inventory, int64_t id, struct mu_slice der,
                                struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *set = NULL;
    if (!store_prepare(inventory->store, "UPDATE issuer SET certificate = $2 WHERE id = $1", &set,
                       err)) {
        return false;
    }
    store_bind_int(set, 1, id);
    store_bind_bytes(set, 2, der);
    return store_run(set, err);
}

static bool set_root(struct inventory *inventory, int64_t id, const char *name,
                     const struct inventory_issuer *as, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *set = NULL;
    if (!store_prepare(inventory->store,
                       "UPDATE issuer SET name = $2, certificate = $3, key_place = $4, made_s = $5"
                       " WHERE id = $1 AND root = 1",
                       &set, err)) {
        return false;
    }
    store_bind_int(set, 1, id);
    store_bind_text(set, 2, name);
    store_bind_bytes(set, 3, as->certificate);
    store_bind_text(set, 4, as->key_place);
    store_bind_int(set, 5, as->made_s);
    return store_run(set, err);
}

bool inventory_roots_swap(struct inventory *inventory, const struct inventory_issuer *a,
                          const struct inventory_issuer *b, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *move = NULL;
    bool own = false;
    if (!inventory_begin(inventory, &own, err)) {
        return false;
    }
    bool good = store_prepare(inventory->store,
                              "UPDATE certificate SET issuer_id ="
                              " CASE WHEN issuer_id = $1 THEN $2 ELSE $1 END"
                              " WHERE issuer_id IN ($1, $2)",
                              &move, err);
    if (good) {
        store_bind_int(move, 1, a->id);
        store_bind_int(move, 2, b->id);
    }
    /* Names are unique, so one of them is nobody's for a moment. */
    good = good && store_run(move, err) && set_root(inventory, b->id, "", b, err) &&
           set_root(inventory, a->id, b->name, b, err) &&
           set_root(inventory, b->id, a->name, a, err);
    return inventory_end(inventory, own, good, err);
}

/* ---- revocation lists ------------------------------------------------------------------------ */

void inventory_revoked_done(struct inventory_revoked *revoked)
{
    mu_free(revoked->items);
    mu_buf_done(&revoked->serials);
    *revoked = (struct inventory_revoked){0};
}

void mu_inventory_revoked_auto(struct inventory_revoked *revoked)
{
    inventory_revoked_done(revoked);
}
