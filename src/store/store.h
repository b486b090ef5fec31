/* SPDX-License-Identifier: Apache-2.0
 *
 * The database door: statements with numbered parameters, transactions, numbered migrations.
 *
 * Backend-neutral: SQL is written once, with parameters $1, $2 …, in the words that SQLite and
 * PostgreSQL share (INSERT … ON CONFLICT, RETURNING); what differs in a table's definition is
 * written {int}, {bytes}, {id}, {strict} and put in by the backend. Only sqlite.c knows SQLite, and
 * only postgres.c PostgreSQL.
 *
 * A store handle belongs to one thread. What store_commit has confirmed survives a crash and a
 * power cut. Errors: STORE_BUSY (another process holds it), DISK_FULL, STORE_CORRUPT,
 * STORE_VERSION, STORE_UNREACHABLE (the database server), and STORE_FAILED with the backend's own
 * words for the rest; after any of them the handle stays usable and an open transaction is rolled
 * back by store_rollback. A commit that ended in STORE_UNREACHABLE may have been done or not.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/base.h"

/* How long a command waits for another one before it says STORE_BUSY. */
#define STORE_WAIT_MS 5000

struct store;
struct store_statement;

enum store_access {
    STORE_READ,   /* facts only; works beside a writer and on a read-only disk        */
    STORE_WRITE,  /* must exist                                                       */
    STORE_CREATE, /* made (mode 0600) when it does not exist                          */
};

/* One step of the schema. Numbers count from 1 without gaps; a step that was released is never
 * changed, which a checksum in the store watches over. */
struct store_migration {
    int number;
    const char *name;
    const char *sql; /* one or more statements */
};

/* Opens "sqlite:PATH" or a plain PATH; or "postgres://…" in the form of libpq's addresses (manual,
 * section 34.1.1.2), where the server is proved by its certificate (sslmode=verify-full) unless the
 * address says otherwise, and a store takes a schema for itself. wait_ms bounds every wait for
 * another process. */
bool store_open(const char *where, enum store_access access, int wait_ms, struct store **ret_store,
                struct mutual_error *err);
void store_close(struct store *store);
void mu_store_auto(struct store **store);
/* Where it lives, as given, but without a password. Owned by the store. */
const char *store_name(const struct store *store);

/* From now on a connection to a database server that is lost stays lost (STORE_UNREACHABLE): for a
 * process that may make no sockets any more. */
void store_stay(struct store *store);
bool store_is_lost(const struct store *store);

/* What was asked of the database through this handle, and what of it failed. */
enum store_failure {
    STORE_FAILURE_BUSY,        /* STORE_BUSY        */
    STORE_FAILURE_UNREACHABLE, /* STORE_UNREACHABLE */
    STORE_FAILURE_OTHER,
    STORE_FAILURE_COUNT_
};
/* "busy", "unreachable", "other". */
const char *store_failure_word(enum store_failure failure);
struct store_figures {
    uint64_t asked; /* questions, each of which waits for the server where there is one */
    uint64_t failed[STORE_FAILURE_COUNT_];
};
const struct store_figures *store_figures(const struct store *store);

/* Brings the schema up to the last of the steps, each in a transaction of its own. Fails with
 * STORE_VERSION when the store is ahead of us (a newer version wrote it), STORE_CORRUPT when a step
 * that was applied is not the one we know. With STORE_READ nothing is applied: a store that is
 * behind is STORE_VERSION too. */
bool store_migrate(struct store *store, const struct store_migration *steps, size_t count,
                   struct mutual_error *err);

/* One writer at a time across processes, for operations that span several transactions and files.
 * Held until store_unlock, store_close or the end of the process. STORE_BUSY after the wait. */
bool store_lock(struct store *store, struct mutual_error *err);
void store_unlock(struct store *store);

/* A transaction that may write from its start. No nesting. */
bool store_begin(struct store *store, struct mutual_error *err);
bool store_commit(struct store *store, struct mutual_error *err);
/* Undoes an open transaction; without one it does nothing. */
void store_rollback(struct store *store);
bool store_in_transaction(const struct store *store);

/* Runs SQL without parameters and results, one or more statements. */
bool store_exec(struct store *store, const char *sql, struct mutual_error *err);

/* What is wrong with the SQL is told here or at the first step. */
bool store_prepare(struct store *store, const char *sql, struct store_statement **ret_statement,
                   struct mutual_error *err);
/* The same for a SELECT that may yield very many rows: they come in pieces. Nothing may be written
 * before it is reset or finished. */
bool store_scan(struct store *store, const char *sql, struct store_statement **ret_statement,
                struct mutual_error *err);
void store_finish(struct store_statement *statement);
void mu_store_statement_auto(struct store_statement **statement);
/* Parameters count from 1; bytes and text are copied. A failed bind (memory) shows in the next
 * store_step. A parameter that is not in the statement is our own mistake. */
void store_bind_int(struct store_statement *statement, int parameter, int64_t value);
void store_bind_text(struct store_statement *statement, int parameter, const char *text);
void store_bind_bytes(struct store_statement *statement, int parameter, struct mu_slice bytes);
void store_bind_null(struct store_statement *statement, int parameter);
/* *ret_row: there is a row to read; false at the end. */
bool store_step(struct store_statement *statement, bool *ret_row, struct mutual_error *err);
/* Steps a statement that gives no rows and makes it ready to run again. */
bool store_run(struct store_statement *statement, struct mutual_error *err);
/* Ready to run again; parameters keep their values. */
void store_reset(struct store_statement *statement);
/* Columns count from 0; what they point at holds until the next step, reset or finish. A NULL reads
 * as 0, "" and no bytes. */
int64_t store_int(struct store_statement *statement, int column);
const char *store_text(struct store_statement *statement, int column);
struct mu_slice store_bytes(struct store_statement *statement, int column);
bool store_is_null(struct store_statement *statement, int column);
/* Rows that the last INSERT, UPDATE or DELETE touched: how a uniqueness rule answers after
 * ON CONFLICT DO NOTHING. */
int64_t store_changes(const struct store *store);
/* The numbers that {id} gives go on behind the greatest that is in the table: after rows were put
 * in with numbers of their own. */
bool store_ids_follow(struct store *store, const char *table, struct mutual_error *err);

#endif
