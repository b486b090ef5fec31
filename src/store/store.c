/* SPDX-License-Identifier: Apache-2.0
 *
 * The door's plain part: finds the backend, keeps statements, opens and ends transactions.
 */
#include "store/store_internal.h"

#include <string.h>

static const struct store_backend *const backends[] = {&store_sqlite, &store_postgres,
                                                       &store_postgresql};

/* "sqlite:PATH" names its backend; anything without a known scheme is a path for the first. */
static const struct store_backend *backend_of(const char *where, const char **ret_rest)
{
    for (size_t i = 0; i < MU_COUNT(backends); i++) {
        size_t len = strlen(backends[i]->scheme);
        if (strncmp(where, backends[i]->scheme, len) == 0 && where[len] == ':') {
            *ret_rest = where + len + 1;
            return backends[i];
        }
    }
    *ret_rest = where;
    return backends[0];
}

bool store_open(const char *where, enum store_access access, int wait_ms, struct store **ret_store,
                struct mutual_error *err)
{
    MU_AUTO(store) struct store *store = mu_alloc(1, sizeof *store);
    if (store == NULL) {
        return mu_fail_memory(err);
    }
    const char *path = NULL;
    const struct store_backend *backend = backend_of(where, &path);
    store->access = access;
    store->wait_ms = wait_ms;
    store->name = mu_strdup(path);
    if (store->name == NULL) {
        return mu_fail_memory(err);
    }
    store->backend = backend; /* from here on close may be called */
    if (!backend->open(store, path, err)) {
        return false;
    }
    *ret_store = MU_TAKE(store);
    return true;
}

void store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    if (store->backend != NULL) {
        store->backend->close(store);
    }
    mu_free(store->name);
    mu_free(store);
}

void mu_store_auto(struct store **store)
{
    store_close(*store);
}

const char *store_name(const struct store *store)
{
    return store->name;
}

/* ---- figures --------------------------------------------------------------------------------- */

const char *store_failure_word(enum store_failure failure)
{
    static const char *const words[STORE_FAILURE_COUNT_] = {"busy", "unreachable", "other"};
    return words[failure];
}

const struct store_figures *store_figures(const struct store *store)
{
    return &store->figures;
}

/* The caller may not want to know why; we count by it. */
static bool note(struct store *store, bool done, const struct mutual_error *why,
                 struct mutual_error *err)
{
    if (!done) {
        enum store_failure failure = why->code == MUTUAL_E_STORE_BUSY ? STORE_FAILURE_BUSY
                                     : why->code == MUTUAL_E_STORE_UNREACHABLE
                                         ? STORE_FAILURE_UNREACHABLE
                                         : STORE_FAILURE_OTHER;
        store->figures.failed[failure]++;
        if (err != NULL) {
            *err = *why;
        }
    }
    return done;
}

static bool execute(struct store *store, const char *sql, struct mutual_error *err)
{
    struct mutual_error why = {0};
    return note(store, store->backend->exec(store, sql, &why), &why, err);
}

/* ---- locks and transactions ------------------------------------------------------------------ */

bool store_lock(struct store *store, struct mutual_error *err)
{
    struct mutual_error why = {0};
    return note(store, store->backend->lock(store, &why), &why, err);
}

void store_stay(struct store *store)
{
    store->stays = true;
}

bool store_is_lost(const struct store *store)
{
    return store->backend->is_lost != NULL && store->backend->is_lost(store);
}

void store_unlock(struct store *store)
{
    store->backend->unlock(store);
}

bool store_begin(struct store *store, struct mutual_error *err)
{
    mu_assert(!store->backend->open_transaction(store));
    bool begun = execute(store, store->backend->begin, err);
    if (!begun) {
        store_rollback(store); /* a transaction that opened and may not write */
    }
    return begun;
}

bool store_commit(struct store *store, struct mutual_error *err)
{
    bool done = execute(store, "COMMIT", err);
    store_rollback(store); /* does something only when the commit did not */
    return done;
}

void store_rollback(struct store *store)
{
    if (store->backend->open_transaction(store)) {
        (void)execute(store, "ROLLBACK", NULL);
    }
}

bool store_in_transaction(const struct store *store)
{
    return store->backend->open_transaction(store);
}

bool store_exec(struct store *store, const char *sql, struct mutual_error *err)
{
    return execute(store, sql, err);
}

int64_t store_changes(const struct store *store)
{
    return store->backend->changes(store);
}

bool store_ids_follow(struct store *store, const char *table, struct mutual_error *err)
{
    return store->backend->ids_follow(store, table, err);
}

/* ---- statements ------------------------------------------------------------------------------ */

static bool prepare(struct store *store, const char *sql, bool scan,
                    struct store_statement **ret_statement, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *statement = mu_alloc(1, sizeof *statement);
    if (statement == NULL) {
        return mu_fail_memory(err);
    }
    statement->store = store;
    struct mutual_error why = {0};
    if (!note(store, store->backend->prepare(store, sql, scan, &statement->impl, &why), &why,
              err)) {
        return false;
    }
    *ret_statement = MU_TAKE(statement);
    return true;
}

bool store_prepare(struct store *store, const char *sql, struct store_statement **ret_statement,
                   struct mutual_error *err)
{
    return prepare(store, sql, false, ret_statement, err);
}

bool store_scan(struct store *store, const char *sql, struct store_statement **ret_statement,
                struct mutual_error *err)
{
    return prepare(store, sql, true, ret_statement, err);
}

void store_finish(struct store_statement *statement)
{
    if (statement == NULL) {
        return;
    }
    if (statement->impl != NULL) {
        statement->store->backend->finish(statement->impl);
    }
    mu_free(statement);
}

void mu_store_statement_auto(struct store_statement **statement)
{
    store_finish(*statement);
}

void store_bind_int(struct store_statement *statement, int parameter, int64_t value)
{
    statement->failed |= !statement->store->backend->bind_int(statement->impl, parameter, value);
}

void store_bind_text(struct store_statement *statement, int parameter, const char *text)
{
    statement->failed |= !statement->store->backend->bind_bytes(statement->impl, parameter,
                                                                mu_slice_text(text), true);
}

void store_bind_bytes(struct store_statement *statement, int parameter, struct mu_slice bytes)
{
    statement->failed |=
        !statement->store->backend->bind_bytes(statement->impl, parameter, bytes, false);
}

void store_bind_null(struct store_statement *statement, int parameter)
{
    statement->failed |= !statement->store->backend->bind_null(statement->impl, parameter);
}

bool store_step(struct store_statement *statement, bool *ret_row, struct mutual_error *err)
{
    if (statement->failed) {
        return mu_fail_memory(err);
    }
    struct store *store = statement->store;
    struct mutual_error why = {0};
    return note(store, store->backend->step(store, statement->impl, ret_row, &why), &why, err);
}

bool store_run(struct store_statement *statement, struct mutual_error *err)
{
    bool row = false;
    bool done = store_step(statement, &row, err);
    mu_assert(!done || !row);
    store_reset(statement);
    return done;
}

void store_reset(struct store_statement *statement)
{
    statement->failed = false;
    statement->store->backend->reset(statement->impl);
}

int64_t store_int(struct store_statement *statement, int column)
{
    return statement->store->backend->get_int(statement->impl, column);
}

const char *store_text(struct store_statement *statement, int column)
{
    return statement->store->backend->get_text(statement->impl, column);
}

struct mu_slice store_bytes(struct store_statement *statement, int column)
{
    return statement->store->backend->get_bytes(statement->impl, column);
}

bool store_is_null(struct store_statement *statement, int column)
{
    return statement->store->backend->is_null(statement->impl, column);
}
