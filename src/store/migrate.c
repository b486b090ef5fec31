/* SPDX-License-Identifier: Apache-2.0
 *
 * Brings a store's schema up to date, one numbered step after the other, and notices when the
 * store and this program do not tell the same story.
 */
#include "store/store_internal.h"

#include <string.h>

static const char make_table[] = "CREATE TABLE IF NOT EXISTS " STORE_STEPS_TABLE " ("
                                 " number {int} NOT NULL PRIMARY KEY,"
                                 " name TEXT NOT NULL,"
                                 " checksum TEXT NOT NULL,"
                                 " applied_s {int} NOT NULL,"
                                 " applied_by TEXT NOT NULL"
                                 ") {strict}";

/* Guards against a step that was edited after it had been applied somewhere; nobody hostile is
 * meant, so a fixed key serves. */
static void checksum_of(const struct store_migration *step, struct mu_buf *out)
{
    static const uint8_t key[16] = "mutual migration";
    uint8_t sum[8];
    mu_put_be64(sum, mu_siphash(key, mu_slice_text(step->sql)));
    mu_buf_init(out, 32);
    mu_hex(out, mu_slice_of(sum, sizeof sum));
}

/* Puts the backend's words in. */
static bool expand(const struct store *store, const char *sql, struct mu_buf *out,
                   struct mutual_error *err)
{
    mu_buf_init(out, 256 * 1024);
    for (const char *p = sql; *p != '\0';) {
        const struct store_word *word = store->backend->words;
        while (word->word != NULL && !mu_text_starts(p, word->word)) {
            word++;
        }
        if (word->word != NULL) {
            mu_buf_text(out, word->meaning);
            p += strlen(word->word);
        } else {
            mu_buf_byte(out, (uint8_t)*p++);
        }
    }
    return out->failed ? mu_fail_memory(err) : true;
}

static bool run_expanded(struct store *store, const char *sql, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf text = {0};
    return expand(store, sql, &text, err) && store_exec(store, mu_buf_str(&text), err);
}

/* Compares what was applied with what we know; *ret_done counts the steps that are in. */
static bool check_applied(struct store *store, const struct store_migration *steps, size_t count,
                          size_t *ret_done, struct mutual_error *err)
{
    bool exists = false;
    if (!store->backend->table_exists(store, STORE_STEPS_TABLE, &exists, err)) {
        return false;
    }
    size_t done = 0;
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    if (exists && !store_prepare(store,
                                 "SELECT number, name, checksum, applied_by FROM " STORE_STEPS_TABLE
                                 " ORDER BY number",
                                 &read, err)) {
        return false;
    }
    for (bool row = exists; row;) {
        if (!store_step(read, &row, err)) {
            return false;
        }
        if (!row) {
            break;
        }
        if (done == count) {
            return mu_fail(err, MUTUAL_E_STORE_VERSION,
                           "store \"%s\" has schema step %d \"%s\" of version %s, "
                           "this program knows %zu steps",
                           store->name, (int)store_int(read, 0), store_text(read, 1),
                           store_text(read, 3), count);
        }
        MU_AUTO(buf) struct mu_buf sum = {0};
        checksum_of(&steps[done], &sum);
        if (store_int(read, 0) != steps[done].number ||
            strcmp(store_text(read, 2), mu_buf_str(&sum)) != 0) {
            return mu_fail(err, MUTUAL_E_STORE_CORRUPT,
                           "schema step %d of store \"%s\" is not the one this program knows",
                           steps[done].number, store->name);
        }
        done++;
    }
    *ret_done = done;
    return true;
}

static bool record(struct store *store, const struct store_migration *step,
                   struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *add = NULL;
    if (!store_prepare(store,
                       "INSERT INTO " STORE_STEPS_TABLE
                       " (number, name, checksum, applied_s, applied_by)"
                       " VALUES ($1, $2, $3, $4, $5)",
                       &add, err)) {
        return false;
    }
    MU_AUTO(buf) struct mu_buf sum = {0};
    checksum_of(step, &sum);
    store_bind_int(add, 1, step->number);
    store_bind_text(add, 2, step->name);
    store_bind_text(add, 3, mu_buf_str(&sum));
    store_bind_int(add, 4, mu_clock_wall_s());
    store_bind_text(add, 5, MUTUAL_VERSION);
    return store_run(add, err);
}

/* One step in one transaction; what is next is asked again inside it, since another process may
 * have been faster. */
static bool apply_next(struct store *store, const struct store_migration *steps, size_t count,
                       bool *ret_more, struct mutual_error *err)
{
    size_t done = 0;
    if (!store_begin(store, err)) {
        return false;
    }
    bool good = run_expanded(store, make_table, err) &&
                check_applied(store, steps, count, &done, err) &&
                (done == count ||
                 (run_expanded(store, steps[done].sql, err) && record(store, &steps[done], err)));
    if (!good) {
        store_rollback(store);
        return false;
    }
    *ret_more = done + 1 < count;
    return store_commit(store, err);
}

bool store_migrate(struct store *store, const struct store_migration *steps, size_t count,
                   struct mutual_error *err)
{
    size_t done = 0;
    if (!check_applied(store, steps, count, &done, err)) {
        return false;
    }
    if (done < count && store->access == STORE_READ) {
        return mu_fail(err, MUTUAL_E_STORE_VERSION,
                       "store \"%s\" has %zu of the %zu schema steps and was opened for reading",
                       store->name, done, count) ||
               mu_error_hint(err, "Run any command that changes the authority; it upgrades.");
    }
    for (bool more = done < count; more;) {
        if (!apply_next(store, steps, count, &more, err)) {
            return mu_error_context(err, "upgrading the schema of store \"%s\"", store->name);
        }
    }
    return true;
}
