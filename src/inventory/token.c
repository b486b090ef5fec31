/* SPDX-License-Identifier: Apache-2.0
 *
 * One-time tokens for enrolment: bound to a name, a profile and names, used once, by one update
 * that looks and takes at the same time; and the requests by tokens that a person decides on.
 */
#include "inventory/inventory_internal.h"

#include <string.h>

#define COLUMNS                                                                        \
    "id, hash, name, profile, names, life_s, owner, place, purpose, approval, made_s," \
    " made_by, expires_s, used_s, certificate_id, asked_s, asked_by, csr, key_hash,"   \
    " decision, decided_s"

void inventory_tokens_done(struct inventory_tokens *tokens)
{
    mu_arena_free(tokens->arena);
    *tokens = (struct inventory_tokens){0};
}

void mu_inventory_tokens_auto(struct inventory_tokens *tokens)
{
    inventory_tokens_done(tokens);
}

bool inventory_token_add(struct inventory *inventory, const struct inventory_token *token,
                         int64_t *ret_id, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *add = NULL;
    bool row = false;
    bool more = false;
    if (!store_prepare(inventory->store,
                       "INSERT INTO enrolment_token (hash, name, profile, names, life_s, owner,"
                       " place, purpose, approval, made_s, made_by, expires_s)"
                       " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id",
                       &add, err)) {
        return false;
    }
    store_bind_bytes(add, 1, token->hash);
    store_bind_text(add, 2, token->name);
    store_bind_text(add, 3, token->profile);
    store_bind_text(add, 4, token->names);
    store_bind_int(add, 5, token->life_s);
    store_bind_text(add, 6, token->owner);
    store_bind_text(add, 7, token->place);
    store_bind_text(add, 8, token->purpose);
    store_bind_int(add, 9, token->approval ? 1 : 0);
    store_bind_int(add, 10, token->made_s);
    store_bind_text(add, 11, token->made_by);
    store_bind_int(add, 12, token->expires_s);
    if (!store_step(add, &row, err)) {
        return false;
    }
    mu_assert(row);
    *ret_id = store_int(add, 0);
    return store_step(add, &more, err);
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static const char *keep_text(struct mu_arena *arena, const char *text, bool *failed)
{
    const char *kept = mu_arena_strndup(arena, text, strlen(text));
    *failed = *failed || kept == NULL;
    return kept;
}

static struct mu_slice keep_bytes(struct mu_arena *arena, struct mu_slice bytes, bool *failed)
{
    const char *kept =
        mu_arena_strndup(arena, bytes.len > 0 ? bytes.data : (const void *)"", bytes.len);
    *failed = *failed || kept == NULL;
    return mu_slice_of(kept, kept == NULL ? 0 : bytes.len);
}

static bool read_token(struct store_statement *read, struct mu_arena *arena,
                       struct inventory_token *token)
{
    bool failed = false;
    *token = (struct inventory_token){
        .id = store_int(read, 0),
        .hash = keep_bytes(arena, store_bytes(read, 1), &failed),
        .name = keep_text(arena, store_text(read, 2), &failed),
        .profile = keep_text(arena, store_text(read, 3), &failed),
        .names = keep_text(arena, store_text(read, 4), &failed),
        .life_s = store_int(read, 5),
        .owner = keep_text(arena, store_text(read, 6), &failed),
        .place = keep_text(arena, store_text(read, 7), &failed),
        .purpose = keep_text(arena, store_text(read, 8), &failed),
        .approval = store_int(read, 9) != 0,
        .made_s = store_int(read, 10),
        .made_by = keep_text(arena, store_text(read, 11), &failed),
        .expires_s = store_int(read, 12),
        .used_s = store_int(read, 13),
        .certificate_id = store_int(read, 14),
        .asked_s = store_int(read, 15),
        .asked_by = keep_text(arena, store_text(read, 16), &failed),
        .csr = keep_bytes(arena, store_bytes(read, 17), &failed),
        .key_hash = keep_bytes(arena, store_bytes(read, 18), &failed),
        .decided_s = store_int(read, 20),
    };
    const char *decision = store_text(read, 19);
    token->decision = strcmp(decision, "approved") == 0 ? INVENTORY_APPROVED
                      : strcmp(decision, "denied") == 0 ? INVENTORY_DENIED
                                                        : INVENTORY_UNDECIDED;
    return !failed;
}

static bool read_all(struct store_statement *read, struct inventory_tokens *tokens,
                     struct mutual_error *err)
{
    size_t cap = 0;
    struct inventory_token *items = NULL;
    bool good = true;
    for (bool row = true; good;) {
        good = store_step(read, &row, err);
        if (!good || !row) {
            break;
        }
        good =
            (mu_grow((void **)&items, &cap, tokens->count, sizeof *items, INVENTORY_TOKENS_MAX) &&
             read_token(read, tokens->arena, &items[tokens->count])) ||
            mu_fail(err, MUTUAL_E_LIMIT, "more than %u tokens fit", INVENTORY_TOKENS_MAX);
        tokens->count += good ? 1 : 0;
    }
    if (good && tokens->count > 0) {
        tokens->items = mu_arena_alloc(tokens->arena, tokens->count * sizeof *items);
        good = tokens->items != NULL || mu_fail_memory(err);
        if (good) {
            memcpy(tokens->items, items, tokens->count * sizeof *items);
        }
    }
    mu_free(items);
    return good;
}

bool inventory_tokens_get(struct inventory *inventory, const struct inventory_token_filter *filter,
                          struct inventory_tokens *ret_tokens, struct mutual_error *err)
{
    enum { BYTES_MAX = 64 << 20 };
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    struct inventory_tokens tokens = {.arena = mu_arena_new(BYTES_MAX)};
    MU_AUTO(buf) struct mu_buf sql;
    mu_buf_init(&sql, 4096);
    mu_buf_printf(&sql, "SELECT " COLUMNS " FROM enrolment_token WHERE %s%s",
                  filter->hash.len > 0   ? "hash = $1"
                  : filter->id != 0      ? "id = $1"
                  : filter->name != NULL ? "name = $1"
                                         : "used_s IS NULL",
                  filter->pending ? " AND asked_s IS NOT NULL AND decision = '' AND used_s IS NULL"
                                  : "");
    mu_buf_printf(&sql, " AND id > %lld ORDER BY id", (long long)filter->after_id);
    if (filter->limit > 0) {
        mu_buf_printf(&sql, " LIMIT %lld", (long long)filter->limit);
    }
    if (tokens.arena == NULL || sql.failed) {
        inventory_tokens_done(&tokens);
        return mu_fail_memory(err);
    }
    bool good = store_prepare(inventory->store, mu_buf_str(&sql), &read, err);
    if (good && filter->hash.len > 0) {
        store_bind_bytes(read, 1, filter->hash);
    } else if (good && filter->id != 0) {
        store_bind_int(read, 1, filter->id);
    } else if (good && filter->name != NULL) {
        store_bind_text(read, 1, filter->name);
    }
    if (!good || !read_all(read, &tokens, err)) {
        inventory_tokens_done(&tokens);
        return false;
    }
    *ret_tokens = tokens;
    return true;
}

/* Whoever was allowed has all the time there is; who was refused will never use it. */
bool inventory_token_count(struct inventory *inventory, int64_t now_s,
                           struct inventory_token_counts *ret_counts, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    bool row = false;
    if (!store_prepare(inventory->store,
                       "SELECT count(CASE WHEN decision = 'approved' OR (asked_s IS NULL AND"
                       " expires_s > $1) THEN 1 END),"
                       " count(CASE WHEN asked_s IS NOT NULL AND decision = '' THEN 1 END),"
                       " count(CASE WHEN asked_s IS NULL AND expires_s <= $1 THEN 1 END)"
                       " FROM enrolment_token WHERE used_s IS NULL",
                       &read, err)) {
        return false;
    }
    store_bind_int(read, 1, now_s);
    if (!store_step(read, &row, err)) {
        return false;
    }
    mu_assert(row);
    *ret_counts =
        (struct inventory_token_counts){store_int(read, 0), store_int(read, 1), store_int(read, 2)};
    return true;
}

/* ---- what becomes of one -----------------------------------------------------------------------
 */

/* Runs an update and says whether it touched the one row. */
static bool touched(struct inventory *inventory, struct store_statement *set, bool *ret_touched,
                    struct mutual_error *err)
{
    if (!store_run(set, err)) {
        return false;
    }
    *ret_touched = store_changes(inventory->store) == 1;
    return true;
}

bool inventory_token_take(struct inventory *inventory, int64_t id, int64_t certificate_id,
                          struct mu_slice key_hash, int64_t now_s, bool *ret_taken,
                          struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *set = NULL;
    if (!store_prepare(inventory->store,
                       "UPDATE enrolment_token SET used_s = $2, certificate_id = $3"
                       " WHERE id = $1 AND used_s IS NULL AND ((approval = 0 AND expires_s > $2)"
                       " OR (approval = 1 AND decision = 'approved' AND key_hash = $4))",
                       &set, err)) {
        return false;
    }
    store_bind_int(set, 1, id);
    store_bind_int(set, 2, now_s);
    store_bind_int(set, 3, certificate_id);
    store_bind_bytes(set, 4, key_hash);
    return touched(inventory, set, ret_taken, err) &&
           (!*ret_taken || inventory_tally_token(inventory, certificate_id, true, err));
}

bool inventory_token_return(struct inventory *inventory, int64_t certificate_id,
                            struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *set = NULL;
    if (!store_prepare(inventory->store,
                       "UPDATE enrolment_token SET used_s = NULL, certificate_id = NULL"
                       " WHERE certificate_id = $1",
                       &set, err)) {
        return false;
    }
    bool returned = false;
    store_bind_int(set, 1, certificate_id);
    return touched(inventory, set, &returned, err) &&
           (!returned || inventory_tally_token(inventory, certificate_id, false, err));
}

bool inventory_token_ask(struct inventory *inventory, int64_t id, struct mu_slice csr,
                         struct mu_slice key_hash, const char *who, int64_t now_s, bool *ret_asked,
                         struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *set = NULL;
    if (!store_prepare(inventory->store,
                       "UPDATE enrolment_token SET asked_s = $2, csr = $3, key_hash = $4,"
                       " asked_by = $5 WHERE id = $1 AND approval = 1 AND asked_s IS NULL"
                       " AND used_s IS NULL AND expires_s > $2",
                       &set, err)) {
        return false;
    }
    store_bind_int(set, 1, id);
    store_bind_int(set, 2, now_s);
    store_bind_bytes(set, 3, csr);
    store_bind_bytes(set, 4, key_hash);
    store_bind_text(set, 5, who);
    return touched(inventory, set, ret_asked, err);
}

bool inventory_token_decide(struct inventory *inventory, int64_t id, bool approve, int64_t now_s,
                            bool *ret_decided, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *set = NULL;
    if (!store_prepare(inventory->store,
                       "UPDATE enrolment_token SET decision = $2, decided_s = $3 WHERE id = $1"
                       " AND asked_s IS NOT NULL AND decision = '' AND used_s IS NULL",
                       &set, err)) {
        return false;
    }
    store_bind_int(set, 1, id);
    store_bind_text(set, 2, approve ? "approved" : "denied");
    store_bind_int(set, 3, now_s);
    return touched(inventory, set, ret_decided, err);
}

bool inventory_token_withdraw(struct inventory *inventory, int64_t id, bool *ret_withdrawn,
                              struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *set = NULL;
    if (!store_prepare(inventory->store,
                       "DELETE FROM enrolment_token WHERE id = $1 AND used_s IS NULL", &set, err)) {
        return false;
    }
    store_bind_int(set, 1, id);
    return touched(inventory, set, ret_withdrawn, err);
}
