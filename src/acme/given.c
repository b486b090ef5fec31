/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys for external account binding that were given out: looked through, and taken back. One
 * that has bound nobody is forgotten; of one that has, the account ends.
 */
#include "acme/acme_internal.h"

#include <string.h>

/* ---- looking ----------------------------------------------------------------------------------
 */

static bool read_names(struct store_statement *read, struct acme_key *key, struct mu_arena *arena,
                       struct mutual_error *err)
{
    const char **names = mu_arena_alloc(arena, ACME_KEY_NAMES_MAX * sizeof *names);
    if (names == NULL) {
        return mu_fail_memory(err);
    }
    store_reset(read);
    store_bind_int(read, 1, key->id);
    for (bool row = true; key->name_count < ACME_KEY_NAMES_MAX;) {
        if (!store_step(read, &row, err)) {
            return false;
        }
        if (!row) {
            break;
        }
        names[key->name_count] = acme_keep(arena, mu_slice_text(store_text(read, 0)));
        if (names[key->name_count++] == NULL) {
            return mu_fail_memory(err);
        }
    }
    key->names = names;
    return true;
}

static struct acme_key key_of(struct store_statement *row)
{
    struct acme_key key = {.id = store_int(row, 0),
                           .kid = store_text(row, 1),
                           .name = store_text(row, 2),
                           .owner = store_text(row, 3),
                           .profile = store_text(row, 4),
                           .made_s = store_int(row, 5),
                           .ends_s = store_int(row, 6)};
    if (!store_is_null(row, 7)) {
        key.account_id = store_int(row, 7);
        key.account_valid = strcmp(store_text(row, 8), "valid") == 0;
    }
    return key;
}

const char *acme_key_state(const struct acme_key *key, int64_t now_s)
{
    return key->account_id != 0   ? (key->account_valid ? "bound" : "deactivated")
           : now_s >= key->ends_s ? "expired"
                                  : "open";
}

bool acme_keys(struct ca *ca, int64_t after_id,
               bool (*each)(void *context, const struct acme_key *key), void *context,
               struct mutual_error *err)
{
    struct store *store = inventory_store(ca_inventory(ca));
    MU_AUTO(store_statement) struct store_statement *rows = NULL;
    MU_AUTO(store_statement) struct store_statement *names = NULL;
    if (!store_scan(store,
                    "SELECT b.id, b.kid, b.name, b.owner, b.profile, b.made_s, b.ends_s,"
                    " b.account_id, a.status FROM acme_binding b"
                    " LEFT JOIN acme_account a ON a.id = b.account_id"
                    " WHERE b.id > $1 ORDER BY b.id",
                    &rows, err) ||
        !store_prepare(store,
                       "SELECT value FROM acme_binding_name WHERE binding_id = $1"
                       " ORDER BY position",
                       &names, err)) {
        return false;
    }
    store_bind_int(rows, 1, after_id);
    for (bool row = true, more = true; more;) {
        if (!store_step(rows, &row, err)) {
            return false;
        }
        if (!row) {
            return true;
        }
        struct mu_arena *arena = mu_arena_new(1u << 20);
        struct acme_key key = key_of(rows);
        bool good = arena != NULL ? read_names(names, &key, arena, err) : mu_fail_memory(err);
        more = good && each(context, &key);
        mu_arena_free(arena);
        if (!good) {
            return false;
        }
    }
    return true;
}

/* ---- taking back ------------------------------------------------------------------------------
 */

struct given {
    int64_t id;
    int64_t account_id; /* 0: none */
    char name[64 + 1];
};

static bool find_key(struct store *store, const char *kid, struct given *ret_given,
                     struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    bool row = false;
    if (!store_prepare(store, "SELECT id, account_id, name FROM acme_binding WHERE kid = $1", &read,
                       err)) {
        return false;
    }
    store_bind_text(read, 1, kid);
    if (!store_step(read, &row, err)) {
        return false;
    }
    if (!row) {
        MU_AUTO(buf) struct mu_buf safe;
        mu_buf_init(&safe, 1024);
        mu_escape(&safe, mu_slice_of(kid, strnlen(kid, 64)));
        return mu_fail(err, MUTUAL_E_NOT_FOUND, "no key with the identifier \"%s\" was given out",
                       mu_buf_str(&safe)) ||
               mu_error_hint(err, "Run: mutual bind --list.");
    }
    *ret_given = (struct given){.id = store_int(read, 0)};
    ret_given->account_id = store_is_null(read, 1) ? 0 : store_int(read, 1);
    (void)snprintf(ret_given->name, sizeof ret_given->name, "%s", store_text(read, 2));
    return true;
}

static bool run_with(struct store *store, const char *sql, int64_t id, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *run = NULL;
    if (!store_prepare(store, sql, &run, err)) {
        return false;
    }
    store_bind_int(run, 1, id);
    return store_run(run, err);
}

/* A client that binds an account by it meanwhile waits for the transaction, and finds no key. */
static bool forget(struct store *store, int64_t id, struct mutual_error *err)
{
    return run_with(store, "DELETE FROM acme_binding_name WHERE binding_id = $1", id, err) &&
           run_with(store, "DELETE FROM acme_binding WHERE id = $1", id, err);
}

static bool withdraw(struct ca *ca, const char *kid, const char *who, int64_t now_s,
                     int64_t *ret_account_id, struct mutual_error *err)
{
    struct store *store = inventory_store(ca_inventory(ca));
    struct given given;
    char detail[192];
    if (!find_key(store, kid, &given, err)) {
        return false;
    }
    bool ended = false;
    bool good = given.account_id != 0 ? acme_account_end(store, given.account_id, &ended, err)
                                      : forget(store, given.id, err);
    if (!good) {
        return false;
    }
    if (given.account_id != 0 && !ended) {
        return mu_fail(err, MUTUAL_E_NOT_FOUND,
                       "the key \"%.40s\" has bound account %lld, which was deactivated before",
                       kid, (long long)given.account_id) ||
               mu_error_hint(err, "Nothing is to be done.");
    }
    int len = snprintf(detail, sizeof detail, "%s: key %.40s taken back", given.name, kid);
    if (given.account_id != 0 && len > 0 && (size_t)len < sizeof detail) {
        (void)snprintf(detail + len, sizeof detail - (size_t)len, ", account %lld ended",
                       (long long)given.account_id);
    }
    *ret_account_id = given.account_id;
    return inventory_event(ca_inventory(ca), now_s, who, "acme_key", 0, detail, err);
}

bool acme_key_withdraw(struct ca *ca, const char *kid, const char *who, int64_t now_s,
                       int64_t *ret_account_id, struct mutual_error *err)
{
    struct store *store = inventory_store(ca_inventory(ca));
    if (!store_begin(store, err)) {
        return false;
    }
    if (!withdraw(ca, kid, who, now_s, ret_account_id, err)) {
        store_rollback(store);
        return false;
    }
    return store_commit(store, err);
}
