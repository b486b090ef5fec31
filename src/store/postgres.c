/* SPDX-License-Identifier: Apache-2.0
 *
 * The PostgreSQL backend, the only file that knows PostgreSQL. Several authorities may share one
 * database, so what SQLite's file gives is asked for here: a transaction that may write waits for
 * the one before it, and operations that span transactions hold a lock of the session, which ends
 * with its connection however that ends.
 *
 * The client library is loaded when a store of this kind is opened and not before: it brings a
 * dozen others along, which no worker and no key process should have in its memory.
 */
#include "store/store_internal.h"

#include <dlfcn.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* "mutu" and the number after it: the first key of our advisory locks. The second is the schema's
 * name, since such locks are the whole database's. */
#define LOCK_COMMANDS "1836414069, hashtext(current_schema())"
#define LOCK_WRITERS  "1836414070, hashtext(current_schema())"

/* The types of parameters, by their numbers in the server's catalogue (pg_type.dat), which are
 * fixed for ever. */
enum { TYPE_BYTES = 17, TYPE_INT8 = 20, TYPE_TEXT = 25, TYPE_INFERRED = 0 };

enum { PARAMETERS_MAX = 32, FETCH_ROWS = 256 };

/* ---- the client library ---------------------------------------------------------------------- */

#define LIBRARY_FUNCTIONS(X) \
    X(PQconnectdbParams)     \
    X(PQstatus)              \
    X(PQreset)               \
    X(PQfinish)              \
    X(PQerrorMessage)        \
    X(PQsetNoticeProcessor)  \
    X(PQtransactionStatus)   \
    X(PQexec)                \
    X(PQexecParams)          \
    X(PQresultStatus)        \
    X(PQresultErrorField)    \
    X(PQntuples)             \
    X(PQgetvalue)            \
    X(PQgetlength)           \
    X(PQgetisnull)           \
    X(PQcmdTuples)           \
    X(PQcmdStatus)           \
    X(PQclear)

/* One for the process: a library that was loaded stays. */
static struct {
#define X(name_) __typeof__(&(name_)) name_;
    LIBRARY_FUNCTIONS(X)
#undef X
    bool loaded;
} pq;

static bool find_function(void *library, const char *name, void *ret_function)
{
    void *found = dlsym(library, name);
    memcpy(ret_function, &found, sizeof found); /* C has no cast from an object to a function */
    return found != NULL;
}

static bool load_library(struct mutual_error *err)
{
    if (pq.loaded) {
        return true;
    }
    void *library = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        return mu_fail(err, MUTUAL_E_STORE_FAILED,
                       "could not load PostgreSQL's client library libpq.so.5") ||
               mu_error_hint(err, "Install it: apt install libpq5.");
    }
    bool whole = true;
#define X(name_) whole = find_function(library, #name_, &pq.name_) && whole;
    LIBRARY_FUNCTIONS(X)
#undef X
    pq.loaded = whole;
    return whole || mu_fail(err, MUTUAL_E_STORE_FAILED,
                            "PostgreSQL's client library libpq.so.5 lacks functions we need");
}

/* ---- state ----------------------------------------------------------------------------------- */

struct postgres {
    struct store *store;
    PGconn *connection;
    char *where; /* the address with its password, if it has one */
    int64_t changes;
    unsigned cursors; /* how many were ever made: their names */
    bool locked;
    bool scanning; /* a transaction is open that belongs to a scan and not to the caller */
};

struct parameter {
    Oid type;
    bool null;
    struct mu_slice bytes; /* into `room` */
    struct mu_buf room;
};

struct statement {
    struct postgres *postgres;
    char *sql;
    bool scan;
    unsigned cursor;  /* of the scan under way; 0: none */
    bool own;         /* the scan opened the transaction it reads in */
    PGresult *result; /* NULL: not run, or at its end */
    int row;
    int count; /* of parameters bound */
    struct parameter parameters[PARAMETERS_MAX];
};

static struct postgres *impl_of(const struct store *store)
{
    return store->impl;
}

/* ---- errors ---------------------------------------------------------------------------------- */

/* SQLSTATE, appendix A of PostgreSQL's manual. */
static enum mutual_code code_of(const char *state)
{
    static const struct {
        const char *begin;
        enum mutual_code code;
    } rows[] = {
        {"55P03", MUTUAL_E_STORE_BUSY},        /* lock not available      */
        {"40", MUTUAL_E_STORE_BUSY},           /* serialization, deadlock */
        {"57014", MUTUAL_E_STORE_BUSY},        /* took too long           */
        {"53100", MUTUAL_E_DISK_FULL},         /*                         */
        {"53200", MUTUAL_E_STORE_FAILED},      /* the server's memory     */
        {"XX001", MUTUAL_E_STORE_CORRUPT},     /* damaged data            */
        {"XX002", MUTUAL_E_STORE_CORRUPT},     /* damaged index           */
        {"08", MUTUAL_E_STORE_UNREACHABLE},    /* connection              */
        {"57P", MUTUAL_E_STORE_UNREACHABLE},   /* the server is ending    */
        {"53300", MUTUAL_E_STORE_UNREACHABLE}, /* too many connections  */
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        if (mu_text_starts(state, rows[i].begin)) {
            return rows[i].code;
        }
    }
    return MUTUAL_E_STORE_FAILED;
}

/* The library's words have lines; ours are one. */
static void one_line(const char *words, char *line, size_t size)
{
    size_t len = 0;
    for (const char *p = words == NULL ? "" : words; *p != '\0' && len + 1 < size; p++) {
        bool gap = *p == '\n' || *p == '\t';
        if (!gap || (len > 0 && line[len - 1] != ' ')) {
            line[len++] = gap ? ' ' : *p;
        }
    }
    while (len > 0 && line[len - 1] == ' ') {
        len--;
    }
    line[len] = '\0';
}

static bool fail_connection(const struct postgres *postgres, const char *what,
                            struct mutual_error *err)
{
    char line[512];
    one_line(pq.PQerrorMessage(postgres->connection), line, sizeof line);
    return mu_fail(err, MUTUAL_E_STORE_UNREACHABLE, "could not %s store \"%s\": %s", what,
                   postgres->store->name, line);
}

/* `result` may be NULL: then it is the connection that failed. */
static bool fail_result(const struct postgres *postgres, const PGresult *result, const char *what,
                        struct mutual_error *err)
{
    const char *state = result == NULL ? NULL : pq.PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (state == NULL || pq.PQstatus(postgres->connection) != CONNECTION_OK) {
        return fail_connection(postgres, what, err);
    }
    enum mutual_code code = code_of(state);
    if (code == MUTUAL_E_STORE_BUSY) {
        return mu_fail(err, code,
                       "could not %s store \"%s\": another authority has held it for %d ms", what,
                       postgres->store->name, postgres->store->wait_ms);
    }
    char line[512];
    one_line(pq.PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), line, sizeof line);
    return mu_fail(err, code, "could not %s store \"%s\": %s", what, postgres->store->name, line);
}

/* ---- running --------------------------------------------------------------------------------- */

/* Every one is a wait for the server. */
static PGresult *ask(const struct postgres *postgres, const char *sql)
{
    postgres->store->figures.asked++;
    return pq.PQexec(postgres->connection, sql);
}

static bool is_good(const PGresult *result)
{
    ExecStatusType status = pq.PQresultStatus(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY;
}

static bool postgres_open_transaction(const struct store *store)
{
    const struct postgres *postgres = impl_of(store);
    PGTransactionStatusType status = pq.PQtransactionStatus(postgres->connection);
    return !postgres->scanning && (status == PQTRANS_INTRANS || status == PQTRANS_INERROR);
}

static bool greet(struct postgres *postgres, struct mutual_error *err);

/* A server that was restarted is found again, but never in the middle of something: a lock and a
 * transaction end with their connection, and whoever believes to hold one must hear it. */
static bool revive(struct postgres *postgres, struct mutual_error *err)
{
    if (pq.PQstatus(postgres->connection) == CONNECTION_OK) {
        return true;
    }
    if (postgres->locked || postgres->scanning || postgres->store->stays) {
        return fail_connection(postgres, "go on with", err);
    }
    pq.PQreset(postgres->connection);
    return pq.PQstatus(postgres->connection) == CONNECTION_OK
               ? greet(postgres, err)
               : fail_connection(postgres, "reach", err);
}

static bool postgres_is_lost(const struct store *store)
{
    return pq.PQstatus(impl_of(store)->connection) != CONNECTION_OK;
}

static int64_t count_of(PGresult *result)
{
    uint64_t count = 0; /* stays 0 where the command counts nothing */
    (void)mu_text_uint(pq.PQcmdTuples(result), INT64_MAX, &count);
    return (int64_t)count;
}

static bool postgres_exec(struct store *store, const char *sql, struct mutual_error *err)
{
    struct postgres *postgres = impl_of(store);
    mu_assert(!postgres->scanning); /* a scan is freed before anything is written */
    if (!revive(postgres, err)) {
        return false;
    }
    PGresult *result = ask(postgres, sql);
    bool good = is_good(result) || fail_result(postgres, result, "change", err);
    if (good) {
        postgres->changes = count_of(result);
        /* COMMIT of a transaction that has failed answers ROLLBACK, and calls it no error */
        good = strcmp(sql, "COMMIT") != 0 || strcmp(pq.PQcmdStatus(result), "COMMIT") == 0 ||
               mu_fail(err, MUTUAL_E_STORE_FAILED,
                       "could not change store \"%s\": the transaction had failed before its end",
                       store->name);
    }
    pq.PQclear(result);
    return good;
}

static int64_t postgres_changes(const struct store *store)
{
    return impl_of(store)->changes;
}

static bool postgres_ids_follow(struct store *store, const char *table, struct mutual_error *err)
{
    char sql[256];
    int len = snprintf(sql, sizeof sql,
                       "SELECT setval(pg_get_serial_sequence('%s', 'id'), max(id)) FROM %s"
                       " HAVING max(id) IS NOT NULL",
                       table, table);
    mu_assert(len > 0 && (size_t)len < sizeof sql);
    return postgres_exec(store, sql, err);
}

/* Runs one row's worth of SQL and yields its first value as a number. */
static bool ask_int(struct postgres *postgres, const char *sql, int64_t *ret_value,
                    struct mutual_error *err)
{
    PGresult *result = ask(postgres, sql);
    bool good = pq.PQresultStatus(result) == PGRES_TUPLES_OK && pq.PQntuples(result) == 1;
    uint64_t value = 0;
    if (!good) {
        (void)fail_result(postgres, result, "read", err);
    } else {
        good = mu_text_uint(pq.PQgetvalue(result, 0, 0), INT64_MAX, &value) ||
               mu_fail(err, MUTUAL_E_STORE_FAILED, "store \"%s\" answers \"%s\" with no number",
                       postgres->store->name, sql);
    }
    *ret_value = (int64_t)value;
    pq.PQclear(result);
    return good;
}

/* ---- opening --------------------------------------------------------------------------------- */

static void hear_nothing(void *owner, const char *message)
{
    (void)owner; /* notices are for a person at a terminal, and we do not print */
    (void)message;
}

/* How soon either side gives up a machine that is gone without a word: 10 s of silence, then three
 * questions; as long for what it does not confirm. The system's own hours would have the other
 * authorities wait that long for the locks of one that lost its power. */
#define SILENCE_S      "10"
#define QUESTION_S     "5"
#define QUESTIONS      "3"
#define UNCONFIRMED_MS "25000"

/* What a commit confirmed must survive the server's crash, whatever its configuration prefers; and
 * nobody waits for ever. */
static bool greet(struct postgres *postgres, struct mutual_error *err)
{
    char sql[768];
    (void)snprintf(sql, sizeof sql,
                   "SET tcp_keepalives_idle = " SILENCE_S ";"
                   "SET tcp_keepalives_interval = " QUESTION_S ";"
                   "SET tcp_keepalives_count = " QUESTIONS ";"
                   "SELECT set_config(name, '" UNCONFIRMED_MS "', false) FROM pg_settings"
                   " WHERE name = 'tcp_user_timeout';"
                   "SET lock_timeout = %d;"
                   "SET standard_conforming_strings = on;"
                   "SET default_transaction_isolation = 'read committed';"
                   "SET default_transaction_read_only = %s;"
                   "SELECT set_config('synchronous_commit', 'on', false)"
                   " WHERE current_setting('synchronous_commit') IN ('off', 'local')",
                   postgres->store->wait_ms, postgres->store->access == STORE_READ ? "on" : "off");
    PGresult *result = ask(postgres, sql);
    bool good = is_good(result) || fail_result(postgres, result, "open", err);
    pq.PQclear(result);
    return good;
}

/* The server is proved before it is believed, unless the address itself says otherwise: what comes
 * before dbname is a default, what comes after it overrides. */
static bool connect_to(struct postgres *postgres, struct mutual_error *err)
{
    static const char *const keywords[] = {"sslmode",          "connect_timeout",
                                           "keepalives_idle",  "keepalives_interval",
                                           "keepalives_count", "tcp_user_timeout",
                                           "dbname",           "client_encoding",
                                           "application_name", NULL};
    const char *const values[] = {
        "verify-full",   "10",   SILENCE_S, QUESTION_S, QUESTIONS, UNCONFIRMED_MS,
        postgres->where, "UTF8", "mutual",  NULL};
    postgres->connection = pq.PQconnectdbParams(keywords, values, 1);
    if (postgres->connection == NULL) {
        return mu_fail_memory(err);
    }
    if (pq.PQstatus(postgres->connection) != CONNECTION_OK) {
        return fail_connection(postgres, "reach", err);
    }
    (void)pq.PQsetNoticeProcessor(postgres->connection, hear_nothing, NULL);
    return greet(postgres, err);
}

static bool postgres_table_exists(struct store *store, const char *table, bool *ret_exists,
                                  struct mutual_error *err)
{
    struct postgres *postgres = impl_of(store);
    if (!revive(postgres, err)) {
        return false;
    }
    const char *const values[] = {table};
    PGresult *result = pq.PQexecParams(postgres->connection,
                                       "SELECT 1 FROM pg_tables"
                                       " WHERE schemaname = current_schema() AND tablename = $1",
                                       1, NULL, values, NULL, NULL, 0);
    bool good =
        pq.PQresultStatus(result) == PGRES_TUPLES_OK || fail_result(postgres, result, "read", err);
    *ret_exists = good && pq.PQntuples(result) > 0;
    pq.PQclear(result);
    return good;
}

/* A database that answers may still be somebody else's. */
static bool check_ours(struct postgres *postgres, struct mutual_error *err)
{
    int64_t tables = 0;
    bool exists = false;
    if (!ask_int(postgres, "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()",
                 &tables, err) ||
        !postgres_table_exists(postgres->store, STORE_STEPS_TABLE, &exists, err)) {
        return false;
    }
    return exists || tables == 0 ||
           mu_fail(err, MUTUAL_E_STORE_CORRUPT, "\"%s\" is a database, but not a store of ours",
                   postgres->store->name) ||
           mu_error_hint(err, "Give the authority a database or a schema of its own.");
}

/* What is shown of the address: no password. */
static char *without_password(const char *where)
{
    const char *user = strstr(where, "//");
    const char *at = user == NULL ? NULL : strchr(user, '@');
    const char *colon = user == NULL ? NULL : strchr(user, ':');
    const char *query = strchr(where, '?');
    MU_AUTO(buf) struct mu_buf shown;
    mu_buf_init(&shown, 8192);
    size_t end = query == NULL ? strlen(where) : (size_t)(query - where);
    if (at != NULL && colon != NULL && colon < at && at < where + end) {
        mu_buf_append(&shown, where, (size_t)(colon - where));
        mu_buf_append(&shown, at, (size_t)(where + end - at));
    } else {
        mu_buf_append(&shown, where, end);
    }
    return shown.failed ? NULL : mu_strdup(mu_buf_str(&shown));
}

static bool postgres_open(struct store *store, const char *path, struct mutual_error *err)
{
    struct postgres *postgres = mu_alloc(1, sizeof *postgres);
    if (postgres == NULL) {
        return mu_fail_memory(err);
    }
    store->impl = postgres;
    postgres->store = store;
    MU_AUTO(buf) struct mu_buf where;
    mu_buf_init(&where, 8192);
    mu_buf_printf(&where, "%s:%s", store->backend->scheme, path);
    postgres->where = where.failed ? NULL : mu_strdup(mu_buf_str(&where));
    char *shown = postgres->where == NULL ? NULL : without_password(postgres->where);
    if (shown == NULL) {
        return mu_fail_memory(err);
    }
    mu_free(store->name);
    store->name = shown;
    return load_library(err) && connect_to(postgres, err) && check_ours(postgres, err);
}

static void postgres_close(struct store *store)
{
    struct postgres *postgres = store->impl;
    if (postgres == NULL) {
        return;
    }
    if (postgres->connection != NULL) {
        pq.PQfinish(postgres->connection);
    }
    if (postgres->where != NULL) {
        mu_wipe(postgres->where, strlen(postgres->where));
        mu_free(postgres->where);
    }
    mu_free(postgres);
}

/* ---- the lock -------------------------------------------------------------------------------- */

static void postgres_unlock(struct store *store)
{
    struct postgres *postgres = store->impl;
    if (postgres->locked) {
        pq.PQclear(ask(postgres, "SELECT pg_advisory_unlock(" LOCK_COMMANDS ")"));
        postgres->locked = false;
    }
}

static bool postgres_lock(struct store *store, struct mutual_error *err)
{
    struct postgres *postgres = store->impl;
    mu_assert(!postgres->locked);
    int64_t end_ns = mu_clock_mono_ns() + store->wait_ms * MU_NS_PER_MS;
    for (;;) {
        int64_t got = 0;
        if (!revive(postgres, err) ||
            !ask_int(postgres, "SELECT pg_try_advisory_lock(" LOCK_COMMANDS ")::int", &got, err)) {
            return false;
        }
        if (got == 1) {
            postgres->locked = true;
            return true;
        }
        if (mu_clock_mono_ns() >= end_ns) {
            return mu_fail(err, MUTUAL_E_STORE_BUSY,
                           "another command has been changing store \"%s\" for %d ms", store->name,
                           store->wait_ms);
        }
        (void)nanosleep(&(struct timespec){0, 10 * MU_NS_PER_MS}, NULL);
    }
}

/* ---- statements ------------------------------------------------------------------------------ */

static bool make_statement(struct store *store, const char *sql, bool scan, void **ret_impl,
                           struct mutual_error *err)
{
    struct statement *statement = mu_alloc(1, sizeof *statement);
    if (statement == NULL) {
        return mu_fail_memory(err);
    }
    statement->sql = mu_strdup(sql);
    if (statement->sql == NULL) {
        mu_free(statement);
        return mu_fail_memory(err);
    }
    statement->postgres = impl_of(store);
    statement->scan = scan;
    *ret_impl = statement;
    return true;
}

static void drop_result(struct statement *statement)
{
    if (statement->result != NULL) {
        pq.PQclear(statement->result);
        statement->result = NULL;
    }
}

static void postgres_reset(void *impl)
{
    struct statement *statement = impl;
    struct postgres *postgres = statement->postgres;
    drop_result(statement);
    if (statement->cursor != 0) {
        char sql[64];
        (void)snprintf(sql, sizeof sql, "CLOSE scan_%u", statement->cursor);
        pq.PQclear(ask(postgres, statement->own ? "COMMIT" : sql));
        postgres->scanning = postgres->scanning && !statement->own;
        statement->cursor = 0;
        statement->own = false;
    }
}

static void postgres_finish(void *impl)
{
    struct statement *statement = impl;
    postgres_reset(statement);
    for (int i = 0; i < PARAMETERS_MAX; i++) {
        mu_buf_done(&statement->parameters[i].room);
    }
    mu_free(statement->sql);
    mu_free(statement);
}

static bool bind(struct statement *statement, int number, Oid type, struct mu_slice bytes)
{
    mu_assert(number >= 1 && number <= PARAMETERS_MAX);
    struct parameter *parameter = &statement->parameters[number - 1];
    if (number > statement->count) {
        statement->count = number;
    }
    mu_buf_done(&parameter->room);
    mu_buf_init(&parameter->room, bytes.len + 1);
    parameter->type = type;
    parameter->null = type == TYPE_INFERRED;
    bool kept =
        mu_buf_append(&parameter->room, bytes.data, bytes.len) && mu_buf_byte(&parameter->room, 0);
    parameter->bytes = mu_slice_of(parameter->room.data, bytes.len);
    return kept;
}

static bool postgres_bind_int(void *impl, int parameter, int64_t value)
{
    uint8_t bytes[8];
    mu_put_be64(bytes, (uint64_t)value);
    return bind(impl, parameter, TYPE_INT8, mu_slice_of(bytes, sizeof bytes));
}

static bool postgres_bind_bytes(void *impl, int parameter, struct mu_slice bytes, bool text)
{
    return bind(impl, parameter, text ? TYPE_TEXT : TYPE_BYTES, bytes);
}

static bool postgres_bind_null(void *impl, int parameter)
{
    return bind(impl, parameter, TYPE_INFERRED, (struct mu_slice){0});
}

/* All parameters and all results go in binary form: no quoting, no parsing. */
static PGresult *run(const struct statement *statement, const char *sql)
{
    Oid types[PARAMETERS_MAX];
    const char *values[PARAMETERS_MAX];
    int lengths[PARAMETERS_MAX];
    int formats[PARAMETERS_MAX];
    for (int i = 0; i < statement->count; i++) {
        const struct parameter *parameter = &statement->parameters[i];
        types[i] = parameter->type;
        values[i] = parameter->null ? NULL : (const char *)parameter->bytes.data;
        lengths[i] = (int)parameter->bytes.len;
        formats[i] = 1;
    }
    statement->postgres->store->figures.asked++;
    return pq.PQexecParams(statement->postgres->connection, sql, statement->count, types, values,
                           lengths, formats, 1);
}

static bool run_simple(struct postgres *postgres, const char *sql, struct mutual_error *err)
{
    PGresult *result = ask(postgres, sql);
    bool good = is_good(result) || fail_result(postgres, result, "read", err);
    pq.PQclear(result);
    return good;
}

/* A scan reads in a transaction: the caller's, or one of its own, in which everything that is
 * asked while it goes on sees the same state. */
static bool open_cursor(struct statement *statement, struct mutual_error *err)
{
    struct postgres *postgres = statement->postgres;
    if (pq.PQtransactionStatus(postgres->connection) == PQTRANS_IDLE) {
        if (!run_simple(postgres, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err)) {
            return false;
        }
        statement->own = true;
        postgres->scanning = true;
    }
    statement->cursor = ++postgres->cursors;
    MU_AUTO(buf) struct mu_buf sql;
    mu_buf_init(&sql, 64 * 1024);
    mu_buf_printf(&sql, "DECLARE scan_%u NO SCROLL CURSOR FOR ", statement->cursor);
    mu_buf_text(&sql, statement->sql);
    if (sql.failed) {
        return mu_fail_memory(err);
    }
    PGresult *result = run(statement, mu_buf_str(&sql));
    bool good = is_good(result) || fail_result(postgres, result, "read", err);
    pq.PQclear(result);
    return good;
}

static bool fetch(struct statement *statement, struct mutual_error *err)
{
    char sql[64];
    (void)snprintf(sql, sizeof sql, "FETCH %d FROM scan_%u", FETCH_ROWS, statement->cursor);
    drop_result(statement);
    statement->postgres->store->figures.asked++;
    statement->result =
        pq.PQexecParams(statement->postgres->connection, sql, 0, NULL, NULL, NULL, NULL, 1);
    statement->row = 0;
    return is_good(statement->result) ||
           fail_result(statement->postgres, statement->result, "read", err);
}

static bool execute(struct statement *statement, struct mutual_error *err)
{
    struct postgres *postgres = statement->postgres;
    if (!revive(postgres, err)) {
        return false;
    }
    if (statement->scan) {
        return open_cursor(statement, err) && fetch(statement, err);
    }
    statement->result = run(statement, statement->sql);
    statement->row = 0;
    if (!is_good(statement->result)) {
        bool reads = mu_text_starts(statement->sql, "SELECT");
        return fail_result(postgres, statement->result, reads ? "read" : "change", err);
    }
    postgres->changes = count_of(statement->result);
    return true;
}

static bool advance(struct statement *statement, struct mutual_error *err)
{
    if (statement->result == NULL) {
        return execute(statement, err);
    }
    statement->row++;
    bool more = statement->cursor != 0 && statement->row == FETCH_ROWS;
    return !more || fetch(statement, err);
}

static bool postgres_step(struct store *store, void *impl, bool *ret_row, struct mutual_error *err)
{
    (void)store;
    struct statement *statement = impl;
    if (!advance(statement, err)) {
        postgres_reset(statement);
        return false;
    }
    *ret_row = statement->row < pq.PQntuples(statement->result);
    if (!*ret_row) {
        postgres_reset(statement);
    }
    return true;
}

/* ---- values ---------------------------------------------------------------------------------- */

static struct mu_slice value(const struct statement *statement, int column)
{
    mu_assert(statement->result != NULL);
    return mu_slice_of((const uint8_t *)pq.PQgetvalue(statement->result, statement->row, column),
                       (size_t)pq.PQgetlength(statement->result, statement->row, column));
}

/* smallint, integer and bigint, as the server finds right for what was computed. */
static int64_t postgres_int(void *impl, int column)
{
    struct mu_slice bytes = value(impl, column);
    mu_assert(bytes.len <= 8);
    uint64_t number = bytes.len > 0 && (bytes.data[0] & 0x80) != 0 ? UINT64_MAX : 0;
    for (size_t i = 0; i < bytes.len; i++) {
        number = number << 8 | bytes.data[i];
    }
    return (int64_t)number;
}

static const char *postgres_text(void *impl, int column)
{
    return (const char *)value(impl, column).data; /* the library ends every value with a NUL */
}

static struct mu_slice postgres_bytes(void *impl, int column)
{
    return value(impl, column);
}

static bool postgres_is_null(void *impl, int column)
{
    const struct statement *statement = impl;
    return pq.PQgetisnull(statement->result, statement->row, column) == 1;
}

static const struct store_word words[] = {
    {"{int}", "BIGINT"},
    {"{bytes}", "BYTEA"},
    {"{id}", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"},
    {"{strict}", ""},
    {NULL, NULL},
};

#define BACKEND(name_, scheme_)                                           \
    const struct store_backend name_ = {                                  \
        .scheme = scheme_,                                                \
        .begin = "BEGIN; SELECT pg_advisory_xact_lock(" LOCK_WRITERS ")", \
        .words = words,                                                   \
        .open = postgres_open,                                            \
        .close = postgres_close,                                          \
        .lock = postgres_lock,                                            \
        .unlock = postgres_unlock,                                        \
        .exec = postgres_exec,                                            \
        .open_transaction = postgres_open_transaction,                    \
        .is_lost = postgres_is_lost,                                      \
        .table_exists = postgres_table_exists,                            \
        .changes = postgres_changes,                                      \
        .ids_follow = postgres_ids_follow,                                \
        .prepare = make_statement,                                        \
        .finish = postgres_finish,                                        \
        .bind_int = postgres_bind_int,                                    \
        .bind_bytes = postgres_bind_bytes,                                \
        .bind_null = postgres_bind_null,                                  \
        .step = postgres_step,                                            \
        .reset = postgres_reset,                                          \
        .get_int = postgres_int,                                          \
        .get_text = postgres_text,                                        \
        .get_bytes = postgres_bytes,                                      \
        .is_null = postgres_is_null,                                      \
    }

BACKEND(store_postgres, "postgres");
BACKEND(store_postgresql, "postgresql");
