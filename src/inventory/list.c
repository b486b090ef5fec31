/* SPDX-License-Identifier: Apache-2.0
 *
 * Revocation lists: what each must hold, their numbers, and the lists themselves, kept for all the
 * machines that share a store. The complete list and its deltas are one scope with one sequence of
 * numbers; each part of the partitioned list is a scope of its own (RFC 5280 section 5.2.3).
 */
#include "inventory/inventory_internal.h"

#include <string.h>

static bool next_of(struct inventory *inventory, const struct inventory_scope *scope,
                    uint64_t *ret_number, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *take = NULL;
    bool row = false;
    if (!store_prepare(inventory->store,
                       scope->shard == 0
                           ? "UPDATE issuer SET crl_number = crl_number + 1 WHERE id = $1"
                             " RETURNING crl_number"
                           : "INSERT INTO shard (issuer_id, shard, number) VALUES ($1, $2, 1)"
                             " ON CONFLICT (issuer_id, shard)"
                             " DO UPDATE SET number = shard.number + 1 RETURNING number",
                       &take, err)) {
        return false;
    }
    store_bind_int(take, 1, scope->issuer_id);
    if (scope->shard != 0) {
        store_bind_int(take, 2, scope->shard);
    }
    if (!store_step(take, &row, err)) {
        return false;
    }
    if (!row) {
        return mu_fail(err, MUTUAL_E_NOT_FOUND, "store \"%s\" knows no issuer number %lld",
                       store_name(inventory->store), (long long)scope->issuer_id);
    }
    *ret_number = (uint64_t)store_int(take, 0);
    return store_step(take, &row, err);
}

/* An entry leaves only after it was on a list of this scope that was made after its certificate's
 * end (section 3.3), so the list before decides; what a delta told of stays until a complete list
 * does, so there the complete one decides (section 5.2.4). */
#define OF_REVOKED " FROM certificate WHERE issuer_id = $1 AND revoked_s IS NOT NULL AND "
#define ENTRIES    "SELECT serial, revoked_s, reason" OF_REVOKED
static const char complete_sql[] = ENTRIES "not_after_s >= $2";
static const char delta_sql[] = ENTRIES "revoked_list > $2";
/* "+ 0", here and below, keeps a planner from the index of ends, which nearly all are behind. */
static const char shard_sql[] = ENTRIES "not_after_s + 0 >= $2 AND shard = $3";
/* What is other than in the list before. */
static const char added_sql[] = ENTRIES "not_after_s + 0 >= $2 AND revoked_list > $3";
static const char gone_sql[] = ENTRIES "not_after_s < $2 AND not_after_s >= $3";
static const char count_sql[] = "SELECT count(*)" OF_REVOKED "not_after_s >= $2";

/* Whose certificate ended before this is on no complete list, and on no part, any more. */
static int64_t bound_of(const struct inventory_list *before, int64_t now_s)
{
    return before->this_update_s < now_s ? before->this_update_s : now_s;
}

const char *inventory_list_sql(const struct inventory_scope *scope)
{
    return scope->delta ? delta_sql : scope->shard == 0 ? complete_sql : shard_sql;
}

static bool add_row(struct store_statement *row, struct inventory_revoked *revoked,
                    struct mutual_error *err)
{
    struct mu_slice serial = store_bytes(row, 0);
    if (!mu_grow((void **)&revoked->items, &revoked->cap, revoked->count, sizeof *revoked->items,
                 SIZE_MAX / sizeof *revoked->items) ||
        !mu_buf_append(&revoked->serials, serial.data, serial.len)) {
        return mu_fail_memory(err);
    }
    revoked->items[revoked->count++] = (struct mu_revoked){
        .serial = mu_slice_of(NULL, serial.len),
        .time_s = store_int(row, 1),
        .reason = (enum mu_reason)store_int(row, 2),
    };
    return true;
}

/* Serials go into one buffer, which moves while it grows; so the slices are set at the end. */
static bool read_rows(struct store_statement *read, struct inventory_revoked *revoked,
                      struct mutual_error *err)
{
    mu_buf_init(&revoked->serials, MU_LIMIT_CRL_BYTES);
    for (bool row = true;;) {
        if (!store_step(read, &row, err)) {
            return false;
        }
        if (!row) {
            break;
        }
        if (!add_row(read, revoked, err)) {
            return false;
        }
    }
    size_t at = 0;
    for (size_t i = 0; i < revoked->count; i++) {
        struct mu_slice *serial = &revoked->items[i].serial;
        serial->data = revoked->serials.data + at;
        at += serial->len;
    }
    return true;
}

static bool read_revoked(struct inventory *inventory, const struct inventory_scope *scope,
                         const struct inventory_list *before, int64_t now_s,
                         struct inventory_revoked *revoked, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    if (!store_scan(inventory->store, inventory_list_sql(scope), &read, err)) {
        return false;
    }
    store_bind_int(read, 1, scope->issuer_id);
    store_bind_int(read, 2, scope->delta ? (int64_t)before->number : bound_of(before, now_s));
    if (!scope->delta && scope->shard != 0) {
        store_bind_int(read, 3, scope->shard);
    }
    return read_rows(read, revoked, err);
}

/* The list before: of this scope, and for a delta the complete one that it is about. */
static bool find_before(struct inventory *inventory, const struct inventory_scope *scope,
                        struct inventory_list *ret_before, struct mutual_error *err)
{
    struct inventory_scope whole = *scope;
    bool found = false;
    whole.delta = false;
    *ret_before = (struct inventory_list){.number = 0};
    if (!inventory_list_get(inventory, &whole, ret_before, NULL, &found, err)) {
        return false;
    }
    if (found || scope->shard != 0) {
        return true;
    }
    /* Published by an earlier version, which kept no lists here. */
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    bool row = false;
    if (!store_prepare(inventory->store, "SELECT crl_this_update_s FROM issuer WHERE id = $1",
                       &read, err)) {
        return false;
    }
    store_bind_int(read, 1, scope->issuer_id);
    if (!store_step(read, &row, err)) {
        return false;
    }
    ret_before->this_update_s = row ? store_int(read, 0) : 0;
    return true;
}

static bool begin(struct inventory *inventory, const struct inventory_scope *scope, int64_t now_s,
                  struct inventory_list *list, struct inventory_revoked *revoked,
                  struct mutual_error *err)
{
    struct inventory_list before;
    if (!find_before(inventory, scope, &before, err)) {
        return false;
    }
    if (scope->delta && before.number == 0) {
        return mu_fail(err, MUTUAL_E_NOT_FOUND,
                       "there is no complete list that a delta could be made to");
    }
    list->base = scope->delta ? before.number : 0;
    return next_of(inventory, scope, &list->number, err) &&
           read_revoked(inventory, scope, &before, now_s, revoked, err);
}

bool inventory_list_begin(struct inventory *inventory, const struct inventory_scope *scope,
                          int64_t now_s, struct inventory_list *ret_list,
                          struct inventory_revoked *ret_revoked, struct mutual_error *err)
{
    MU_AUTO(inventory_revoked) struct inventory_revoked revoked = {0};
    struct inventory_list list = {.number = 0};
    bool own = false;
    if (!inventory_begin(inventory, &own, err)) {
        return false;
    }
    bool good = begin(inventory, scope, now_s, &list, &revoked, err);
    if (!inventory_end(inventory, own, good, err)) {
        return false;
    }
    list.entries = revoked.count;
    *ret_list = list;
    *ret_revoked = revoked;
    revoked = (struct inventory_revoked){0};
    return true;
}

/* ---- made of the list before ----------------------------------------------------------------- */

/* Who left longer ago than this before the last list is missed in the sum, and the list made whole:
 * a list is made more often than that while it changes. */
#define GONE_S (INT64_C(24) * 3600)

static bool read_some(struct inventory *inventory, const char *sql, const int64_t numbers[3],
                      struct inventory_revoked *revoked, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    if (!store_scan(inventory->store, sql, &read, err)) {
        return false;
    }
    for (int i = 0; i < 3; i++) {
        store_bind_int(read, i + 1, numbers[i]);
    }
    return read_rows(read, revoked, err);
}

static bool count_all(struct inventory *inventory, int64_t issuer_id, int64_t bound_s,
                      size_t *ret_count, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    bool row = false;
    if (!store_prepare(inventory->store, count_sql, &read, err)) {
        return false;
    }
    store_bind_int(read, 1, issuer_id);
    store_bind_int(read, 2, bound_s);
    if (!store_step(read, &row, err)) {
        return false;
    }
    *ret_count = row ? (size_t)store_int(read, 0) : 0;
    return true;
}

static bool follow(struct inventory *inventory, int64_t issuer_id, int64_t now_s,
                   struct inventory_following *found, struct mu_buf *der, struct mutual_error *err)
{
    const struct inventory_scope scope = {.issuer_id = issuer_id};
    if (!inventory_list_get(inventory, &scope, &found->before, der, &found->possible, err)) {
        return false;
    }
    /* Of a list of the future it is not known whom it left out. */
    found->possible = found->possible && found->before.this_update_s <= now_s;
    if (!found->possible) {
        return true;
    }
    int64_t bound_s = bound_of(&found->before, now_s);
    return next_of(inventory, &scope, &found->list.number, err) &&
           read_some(inventory, added_sql,
                     (int64_t[]){issuer_id, bound_s, (int64_t)found->before.number}, &found->added,
                     err) &&
           read_some(inventory, gone_sql, (int64_t[]){issuer_id, bound_s, bound_s - GONE_S},
                     &found->gone, err) &&
           count_all(inventory, issuer_id, bound_s, &found->list.entries, err);
}

bool inventory_list_follow(struct inventory *inventory, int64_t issuer_id, int64_t now_s,
                           struct inventory_following *ret_following, struct mu_buf *der,
                           struct mutual_error *err)
{
    struct inventory_following found = {.possible = false};
    bool own = false;
    if (!inventory_begin(inventory, &own, err)) {
        return false;
    }
    bool good = follow(inventory, issuer_id, now_s, &found, der, err);
    if (!inventory_end(inventory, own, good, err)) {
        inventory_following_done(&found);
        return false;
    }
    *ret_following = found;
    return true;
}

void inventory_following_done(struct inventory_following *following)
{
    inventory_revoked_done(&following->added);
    inventory_revoked_done(&following->gone);
}

void mu_inventory_following_auto(struct inventory_following *following)
{
    inventory_following_done(following);
}

/* ---- kept ------------------------------------------------------------------------------------ */

/* Overtaken by a later one: then it is not kept. */
static bool put(struct inventory *inventory, const struct inventory_scope *scope,
                const struct inventory_list *list, struct mu_slice der, bool *ret_kept,
                struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *add = NULL;
    if (!store_prepare(inventory->store,
                       "INSERT INTO list (issuer_id, shard, delta, number, base, this_update_s,"
                       " next_update_s, entries, der) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
                       " ON CONFLICT (issuer_id, shard, delta) DO UPDATE SET"
                       " number = excluded.number, base = excluded.base,"
                       " this_update_s = excluded.this_update_s,"
                       " next_update_s = excluded.next_update_s, entries = excluded.entries,"
                       " der = excluded.der WHERE list.number < excluded.number",
                       &add, err)) {
        return false;
    }
    store_bind_int(add, 1, scope->issuer_id);
    store_bind_int(add, 2, scope->shard);
    store_bind_int(add, 3, scope->delta);
    store_bind_int(add, 4, (int64_t)list->number);
    store_bind_int(add, 5, (int64_t)list->base);
    store_bind_int(add, 6, list->this_update_s);
    store_bind_int(add, 7, list->next_update_s);
    store_bind_int(add, 8, (int64_t)list->entries);
    store_bind_bytes(add, 9, der);
    bool good = store_run(add, err);
    *ret_kept = good && store_changes(inventory->store) == 1;
    return good;
}

static bool settle_complete(struct inventory *inventory, int64_t issuer_id,
                            const struct inventory_list *list, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *set = NULL;
    if (!store_prepare(inventory->store,
                       "UPDATE issuer SET crl_this_update_s = $3, crl_next_update_s = $4,"
                       " crl_due = CASE WHEN EXISTS (SELECT 1 FROM certificate WHERE issuer_id = $1"
                       " AND revoked_s IS NOT NULL AND revoked_list > $2) THEN 1 ELSE 0 END"
                       " WHERE id = $1",
                       &set, err)) {
        return false;
    }
    store_bind_int(set, 1, issuer_id);
    store_bind_int(set, 2, (int64_t)list->number);
    store_bind_int(set, 3, list->this_update_s);
    store_bind_int(set, 4, list->next_update_s);
    return store_run(set, err);
}

static bool settle_part(struct inventory *inventory, const struct inventory_scope *scope,
                        uint64_t number, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *set = NULL;
    if (!store_prepare(inventory->store,
                       "UPDATE shard SET due = 0 WHERE issuer_id = $1 AND shard = $2"
                       " AND due <= $3",
                       &set, err)) {
        return false;
    }
    store_bind_int(set, 1, scope->issuer_id);
    store_bind_int(set, 2, scope->shard);
    store_bind_int(set, 3, (int64_t)number);
    return store_run(set, err);
}

/* What was revoked since the list was begun waits for a later number, whether or not that was taken
 * yet: then the list is due again. */
static bool settle(struct inventory *inventory, const struct inventory_scope *scope,
                   const struct inventory_list *list, struct mutual_error *err)
{
    if (scope->delta) {
        return true;
    }
    return scope->shard == 0 ? settle_complete(inventory, scope->issuer_id, list, err)
                             : settle_part(inventory, scope, list->number, err);
}

bool inventory_list_put(struct inventory *inventory, const struct inventory_scope *scope,
                        const struct inventory_list *list, struct mu_slice der,
                        struct mutual_error *err)
{
    bool own = false;
    bool kept = false;
    if (!inventory_begin(inventory, &own, err)) {
        return false;
    }
    bool good = put(inventory, scope, list, der, &kept, err) &&
                (!kept || settle(inventory, scope, list, err));
    return inventory_end(inventory, own, good, err);
}

#define LIST_COLUMNS "SELECT number, base, this_update_s, next_update_s, entries"
#define OF_LIST      " FROM list WHERE issuer_id = $1 AND shard = $2 AND delta = $3"

bool inventory_list_get(struct inventory *inventory, const struct inventory_scope *scope,
                        struct inventory_list *ret_list, struct mu_buf *der, bool *ret_found,
                        struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    bool row = false;
    if (!store_prepare(inventory->store,
                       der != NULL ? LIST_COLUMNS ", der" OF_LIST : LIST_COLUMNS OF_LIST, &read,
                       err)) {
        return false;
    }
    store_bind_int(read, 1, scope->issuer_id);
    store_bind_int(read, 2, scope->shard);
    store_bind_int(read, 3, scope->delta);
    if (!store_step(read, &row, err)) {
        return false;
    }
    *ret_found = row;
    if (!row) {
        return true;
    }
    *ret_list = (struct inventory_list){.number = (uint64_t)store_int(read, 0),
                                        .base = (uint64_t)store_int(read, 1),
                                        .this_update_s = store_int(read, 2),
                                        .next_update_s = store_int(read, 3),
                                        .entries = (size_t)store_int(read, 4)};
    if (der == NULL) {
        return true;
    }
    struct mu_slice bytes = store_bytes(read, 5);
    return mu_buf_append(der, bytes.data, bytes.len) || mu_fail_memory(err);
}

bool inventory_shards_due(struct inventory *inventory, int64_t issuer_id, int64_t now_s,
                          unsigned *ret_shards, size_t max, size_t *ret_count,
                          struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    size_t count = 0;
    if (!store_prepare(inventory->store,
                       "SELECT s.shard FROM shard s LEFT JOIN list l ON l.issuer_id = s.issuer_id"
                       " AND l.shard = s.shard AND l.delta = 0 WHERE s.issuer_id = $1"
                       " AND (s.due <> 0 OR l.number IS NULL OR l.this_update_s > $2"
                       "  OR (l.this_update_s + l.next_update_s) / 2 <= $2)"
                       " ORDER BY s.due DESC, s.shard",
                       &read, err)) {
        return false;
    }
    store_bind_int(read, 1, issuer_id);
    store_bind_int(read, 2, now_s);
    for (bool row = true; count < max;) {
        if (!store_step(read, &row, err)) {
            return false;
        }
        if (!row) {
            break;
        }
        ret_shards[count++] = (unsigned)store_int(read, 0);
    }
    *ret_count = count;
    return true;
}

/* ---- one certificate ------------------------------------------------------------------------- */

bool inventory_status(struct inventory *inventory, int64_t issuer_id, struct mu_slice serial,
                      struct inventory_status *ret_status, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    bool row = false;
    if (!store_prepare(inventory->store,
                       "SELECT revoked_s, reason FROM certificate WHERE serial = $1"
                       " AND issuer_id = $2 AND state IN ('signed', 'delivered')",
                       &read, err)) {
        return false;
    }
    store_bind_bytes(read, 1, serial);
    store_bind_int(read, 2, issuer_id);
    if (!store_step(read, &row, err)) {
        return false;
    }
    *ret_status = (struct inventory_status){.issued = row};
    if (row && !store_is_null(read, 0)) {
        ret_status->revoked = true;
        ret_status->revoked_s = store_int(read, 0);
        ret_status->reason = (enum mu_reason)store_int(read, 1);
    }
    return true;
}
