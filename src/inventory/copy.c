/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole inventory copied into an empty one, row by row in the order of their numbers, whatever
 * databases the two are in: how a store moves, is backed up and is restored.
 */
#include "inventory/inventory_internal.h"

#include <string.h>

enum { COLUMNS_MAX = 32 };

/* The kinds of a table's columns in the order of the list: i number, t text, b bytes. */
struct table {
    const char *name;
    const char *columns;
    const char *kinds;
    const char *order; /* "id": a number that the database gives */
};

/* Referred to before referring. A row refers only to rows of its own table that are older. */
static const struct table tables[] = {
    {"issuer",
     "id, name, root, parent_id, certificate, key_place, crl_number, crl_this_update_s,"
     " crl_next_update_s, crl_due, made_s, word, shards",
     "itiibtiiiiiti", "id"},
    {"certificate",
     "id, issuer_id, serial, state, form, profile, name, owner, place, purpose, path, aside,"
     " key_text, key_hash, requested_s, not_before_s, not_after_s, der, fingerprint, replaces_id,"
     " revoked_s, reason, machine, shard, revoked_list, asked_again",
     "iibttttttttttbiiibbiiitiii", "id"},
    {"certified_name", "certificate_id, position, type, value", "iitt", "certificate_id, position"},
    {"event", "id, at_s, who, action, certificate_id, detail, link", "iittitb", "id"},
    {"shard", "issuer_id, shard, number, due", "iiii", "issuer_id, shard"},
    {"list", "issuer_id, shard, delta, number, base, this_update_s, next_update_s, entries, der",
     "iiiiiiiib", "issuer_id, shard, delta"},
    /* Not what nonces are made of: those of the old store are none of the new one. */
    {"acme_binding", "id, kid, secret, name, owner, profile, made_s, ends_s, account_id",
     "itbtttiii", "id"},
    {"acme_binding_name", "binding_id, position, type, value", "iitt", "binding_id, position"},
    {"acme_account", "id, thumbprint, key, status, contact, binding_id, made_s", "ibbttii", "id"},
    {"acme_order",
     "id, account_id, status, profile, expires_s, made_s, claimed_s, certificate_id, replaces_id,"
     " problem",
     "iittiiiiit", "id"},
    {"acme_authz", "id, account_id, order_id, type, value, wildcard, status, expires_s", "iiittiti",
     "id"},
    {"acme_challenge", "id, authz_id, type, token, status, asked_s, validated_s, tries, problem",
     "iitttiiit", "id"},
    {"enrolment_token",
     "id, hash, name, profile, names, life_s, owner, place, purpose, approval, made_s, made_by,"
     " expires_s, used_s, certificate_id, asked_s, asked_by, csr, key_hash, decision, decided_s",
     "ibtttitttiitiiiitbbti", "id"},
    {"replay", "mark, digest, at_s, status, type, body", "bbiitb", "mark"},
};

static bool count_rows(struct inventory *inventory, const struct table *table, int64_t *ret_count,
                       struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    MU_AUTO(buf) struct mu_buf sql;
    bool row = false;
    mu_buf_init(&sql, 256);
    mu_buf_printf(&sql, "SELECT count(*) FROM %s", table->name);
    if (sql.failed) {
        return mu_fail_memory(err);
    }
    if (!store_prepare(inventory->store, mu_buf_str(&sql), &read, err) ||
        !store_step(read, &row, err)) {
        return false;
    }
    *ret_count = store_int(read, 0);
    return true;
}

static bool prepare_read(struct inventory *from, const struct table *table,
                         struct store_statement **ret_read, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf sql;
    mu_buf_init(&sql, 4096);
    mu_buf_printf(&sql, "SELECT %s FROM %s ORDER BY %s", table->columns, table->name, table->order);
    return sql.failed ? mu_fail_memory(err)
                      : store_scan(from->store, mu_buf_str(&sql), ret_read, err);
}

static bool prepare_add(struct inventory *to, const struct table *table,
                        struct store_statement **ret_add, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf sql;
    mu_buf_init(&sql, 4096);
    mu_buf_printf(&sql, "INSERT INTO %s (%s) VALUES (", table->name, table->columns);
    for (size_t i = 0; i < strlen(table->kinds); i++) {
        mu_buf_printf(&sql, "%s$%zu", i == 0 ? "" : ", ", i + 1);
    }
    mu_buf_text(&sql, ")");
    return sql.failed ? mu_fail_memory(err)
                      : store_prepare(to->store, mu_buf_str(&sql), ret_add, err);
}

static void copy_value(struct store_statement *read, struct store_statement *add, int column,
                       char kind)
{
    if (store_is_null(read, column)) {
        store_bind_null(add, column + 1);
    } else if (kind == 'i') {
        store_bind_int(add, column + 1, store_int(read, column));
    } else if (kind == 't') {
        store_bind_text(add, column + 1, store_text(read, column));
    } else {
        store_bind_bytes(add, column + 1, store_bytes(read, column));
    }
}

static bool copy_table(struct inventory *from, struct inventory *to, const struct table *table,
                       int64_t *ret_count, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    MU_AUTO(store_statement) struct store_statement *add = NULL;
    if (!prepare_read(from, table, &read, err) || !prepare_add(to, table, &add, err)) {
        return false;
    }
    *ret_count = 0;
    for (bool row = true;;) {
        if (!store_step(read, &row, err)) {
            return false;
        }
        if (!row) {
            break;
        }
        for (int i = 0; table->kinds[i] != '\0'; i++) {
            copy_value(read, add, i, table->kinds[i]);
        }
        if (!store_run(add, err)) {
            return false;
        }
        ++*ret_count;
    }
    return strcmp(table->order, "id") != 0 || store_ids_follow(to->store, table->name, err);
}

/* What was written is counted again by the database itself. */
static bool verify(struct inventory *to, const struct table *table, int64_t copied,
                   struct mutual_error *err)
{
    int64_t there = 0;
    if (!count_rows(to, table, &there, err)) {
        return false;
    }
    return there == copied ||
           mu_fail(err, MUTUAL_E_STORE_FAILED,
                   "store \"%s\" holds %lld rows of table %s after %lld were copied",
                   store_name(to->store), (long long)there, table->name, (long long)copied);
}

bool inventory_rows(struct inventory *inventory, struct inventory_copied *ret_rows,
                    struct mutual_error *err)
{
    return count_rows(inventory, &tables[0], &ret_rows->issuers, err) &&
           count_rows(inventory, &tables[1], &ret_rows->certificates, err) &&
           count_rows(inventory, &tables[2], &ret_rows->names, err) &&
           count_rows(inventory, &tables[3], &ret_rows->events, err);
}

static bool copy_all(struct inventory *from, struct inventory *to,
                     struct inventory_copied *ret_copied, struct mutual_error *err)
{
    int64_t counts[MU_COUNT(tables)] = {0};
    for (size_t i = 0; i < MU_COUNT(tables); i++) {
        mu_assert(strlen(tables[i].kinds) <= COLUMNS_MAX);
        if (!copy_table(from, to, &tables[i], &counts[i], err) ||
            !verify(to, &tables[i], counts[i], err)) {
            return mu_error_context(err, "copying table %s", tables[i].name);
        }
    }
    *ret_copied = (struct inventory_copied){
        .issuers = counts[0], .certificates = counts[1], .names = counts[2], .events = counts[3]};
    return true;
}

static bool check_empty(struct inventory *to, struct mutual_error *err)
{
    for (size_t i = 0; i < MU_COUNT(tables); i++) {
        int64_t count = 0;
        if (!count_rows(to, &tables[i], &count, err)) {
            return false;
        }
        if (count > 0) {
            return mu_fail(err, MUTUAL_E_ALREADY_EXISTS, "store \"%s\" holds an authority already",
                           store_name(to->store));
        }
    }
    return true;
}

bool inventory_copy(struct inventory *from, struct inventory *to,
                    struct inventory_copied *ret_copied, struct mutual_error *err)
{
    if (!store_begin(to->store, err)) {
        return false;
    }
    if (!check_empty(to, err) || !copy_all(from, to, ret_copied, err) ||
        !inventory_tally_anew(to, err)) {
        store_rollback(to->store);
        return false;
    }
    return store_commit(to->store, err);
}
