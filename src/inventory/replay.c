/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests that may be repeated: what each was, and what was answered, for a day.
 */
#include "inventory/inventory_internal.h"

static bool forget_old(struct inventory *inventory, int64_t now_s, struct mutual_error *err)
{
    return inventory_change(inventory, "DELETE FROM replay WHERE at_s < $1",
                            now_s - INVENTORY_REPLAY_S, err);
}

static bool take(struct inventory *inventory, const struct inventory_replay *replay, int64_t now_s,
                 bool *ret_taken, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *add = NULL;
    if (!store_prepare(inventory->store,
                       "INSERT INTO replay (mark, digest, at_s) VALUES ($1, $2, $3)"
                       " ON CONFLICT DO NOTHING",
                       &add, err)) {
        return false;
    }
    store_bind_bytes(add, 1, replay->mark);
    store_bind_bytes(add, 2, replay->digest);
    store_bind_int(add, 3, now_s);
    if (!store_run(add, err)) {
        return false;
    }
    *ret_taken = store_changes(inventory->store) == 1;
    return true;
}

static bool copy(struct mu_arena *arena, struct mu_slice bytes, struct mu_slice *ret_bytes,
                 struct mutual_error *err)
{
    const char *kept = mu_arena_strndup(arena, bytes.data, bytes.len);
    if (kept == NULL) {
        return mu_fail_memory(err);
    }
    *ret_bytes = mu_slice_of(kept, bytes.len);
    return true;
}

static bool read_before(struct inventory *inventory, struct mu_slice mark, struct mu_arena *arena,
                        struct inventory_replay *ret_before, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    struct mu_slice type = {0};
    bool row = false;
    *ret_before = (struct inventory_replay){.type = ""};
    if (!store_prepare(inventory->store,
                       "SELECT digest, status, type, body FROM replay WHERE mark = $1", &read,
                       err)) {
        return false;
    }
    store_bind_bytes(read, 1, mark);
    if (!store_step(read, &row, err)) {
        return false;
    }
    if (!row) {
        return mu_fail(err, MUTUAL_E_STORE_FAILED, "a mark is taken, and nobody has it");
    }
    ret_before->status = (unsigned)store_int(read, 1);
    bool good = copy(arena, store_bytes(read, 0), &ret_before->digest, err) &&
                copy(arena, mu_slice_text(store_text(read, 2)), &type, err) &&
                copy(arena, store_bytes(read, 3), &ret_before->body, err);
    ret_before->type = (const char *)type.data;
    return good;
}

bool inventory_replay_begin(struct inventory *inventory, const struct inventory_replay *replay,
                            int64_t now_s, struct mu_arena *arena, bool *ret_taken,
                            struct inventory_replay *ret_before, struct mutual_error *err)
{
    bool own = false;
    if (!inventory_begin(inventory, &own, err)) {
        return false;
    }
    bool good = forget_old(inventory, now_s, err) &&
                take(inventory, replay, now_s, ret_taken, err) &&
                (*ret_taken || read_before(inventory, replay->mark, arena, ret_before, err));
    return inventory_end(inventory, own, good, err);
}

bool inventory_replay_end(struct inventory *inventory, const struct inventory_replay *replay,
                          struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *set = NULL;
    if (!store_prepare(inventory->store,
                       "UPDATE replay SET status = $2, type = $3, body = $4 WHERE mark = $1", &set,
                       err)) {
        return false;
    }
    store_bind_bytes(set, 1, replay->mark);
    store_bind_int(set, 2, replay->status);
    store_bind_text(set, 3, replay->type);
    store_bind_bytes(set, 4, replay->body);
    return store_run(set, err);
}

bool inventory_replay_forget(struct inventory *inventory, struct mu_slice mark,
                             struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *drop = NULL;
    if (!store_prepare(inventory->store, "DELETE FROM replay WHERE mark = $1", &drop, err)) {
        return false;
    }
    store_bind_bytes(drop, 1, mark);
    return store_run(drop, err);
}
