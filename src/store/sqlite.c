/* SPDX-License-Identifier: Apache-2.0
 *
 * The SQLite backend, the only file that knows SQLite. Write-ahead log, a full sync at every
 * commit, foreign keys on, and one lock file for operations that span transactions.
 */
#include "store/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* "mutu" in the header of every store of ours (PRAGMA application_id). */
#define APPLICATION_ID 0x6d757475

struct sqlite {
    sqlite3 *db;
    int lock_fd; /* -1: not held */
};

static struct sqlite *impl_of(const struct store *store)
{
    return store->impl;
}

/* ---- errors ---------------------------------------------------------------------------------- */

static enum mutual_code code_of(int rc, int sys)
{
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return MUTUAL_E_STORE_BUSY;
    case SQLITE_FULL:
        return MUTUAL_E_DISK_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return MUTUAL_E_STORE_CORRUPT;
    case SQLITE_NOMEM:
        return MUTUAL_E_NO_MEMORY;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        /* A write or the growing of the shared index can meet a full disk in either dress. */
        return sys == ENOSPC || sys == EDQUOT ? MUTUAL_E_DISK_FULL : MUTUAL_E_STORE_FAILED;
    default:
        return MUTUAL_E_STORE_FAILED;
    }
}

static bool fail_sqlite(const struct store *store, int rc, const char *what,
                        struct mutual_error *err)
{
    sqlite3 *db = impl_of(store)->db;
    int sys = db == NULL ? 0 : sqlite3_system_errno(db);
    enum mutual_code code = code_of(rc, sys);
    const char *words = db == NULL ? sqlite3_errstr(rc) : sqlite3_errmsg(db);
    if (code == MUTUAL_E_NO_MEMORY) {
        return mu_fail_memory(err);
    }
    if (code == MUTUAL_E_STORE_BUSY) {
        return mu_fail(err, code,
                       "could not %s store \"%s\": another process has held it for %d ms", what,
                       store->name, store->wait_ms);
    }
    int kind = rc & 0xff;
    bool told =
        kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN; /* else it is of something before */
    return sys != 0 && told
               ? mu_fail_errno(err, code, sys, "could not %s store \"%s\": %s", what, store->name,
                               words)
               : mu_fail(err, code, "could not %s store \"%s\": %s", what, store->name, words);
}

/* ---- opening --------------------------------------------------------------------------------- */

/* The file is made by us, because SQLite would take the mode from the umask; the log and its index
 * then inherit it. */
static bool make_file(const struct store *store, const char *path, struct mutual_error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd == -1) {
        int sys = errno;
        enum mutual_code code =
            sys == ENOSPC || sys == EDQUOT ? MUTUAL_E_DISK_FULL : MUTUAL_E_STORE_FAILED;
        return mu_fail_errno(err, code, sys, "could not make store \"%s\"", store->name);
    }
    (void)close(fd);
    return true;
}

static bool pragma_int(const struct store *store, const char *sql, int64_t *ret_value,
                       struct mutual_error *err)
{
    sqlite3_stmt *statement = NULL;
    sqlite3 *db = impl_of(store)->db;
    int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
    }
    if (rc == SQLITE_ROW) {
        *ret_value = sqlite3_column_int64(statement, 0);
        rc = SQLITE_OK;
    }
    (void)sqlite3_finalize(statement);
    return rc == SQLITE_OK ? true : fail_sqlite(store, rc, "read", err);
}

/* A file that SQLite can read may still be somebody else's. */
static bool check_ours(struct store *store, struct mutual_error *err)
{
    int64_t id = 0;
    int64_t tables = 0;
    if (!pragma_int(store, "PRAGMA application_id", &id, err) ||
        !pragma_int(store, "SELECT count(*) FROM sqlite_schema", &tables, err)) {
        return false;
    }
    if (id != APPLICATION_ID && tables > 0) {
        return mu_fail(err, MUTUAL_E_STORE_CORRUPT, "\"%s\" is a database, but not a store of ours",
                       store->name);
    }
    return true;
}

static bool prepare_writing(struct store *store, struct mutual_error *err)
{
    if (sqlite3_db_readonly(impl_of(store)->db, "main") == 1) {
        return mu_fail(err, MUTUAL_E_STORE_FAILED,
                       "store \"%s\" cannot be written: the file or its disk is read-only",
                       store->name);
    }
    int64_t id = 0;
    if (!pragma_int(store, "PRAGMA application_id", &id, err)) {
        return false;
    }
    if (id != APPLICATION_ID &&
        !store->backend->exec(store, "PRAGMA application_id = 1836414069", err)) {
        return false;
    }
    return store->backend->exec(store, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", err);
}

/* A log is waiting to be merged; without one the file alone is the whole truth. */
static bool log_pending(const char *path)
{
    char log[PATH_MAX / 2];
    struct stat info;
    int len = snprintf(log, sizeof log, "%s-wal", path);
    return len < 0 || (size_t)len >= sizeof log || (stat(log, &info) == 0 && info.st_size > 0);
}

static bool open_db(struct store *store, const char *name, int flags, struct mutual_error *err)
{
    struct sqlite *impl = store->impl;
    int rc = sqlite3_open_v2(name, &impl->db,
                             flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL);
    if (rc != SQLITE_OK) {
        return fail_sqlite(store, rc, "open", err);
    }
    (void)sqlite3_extended_result_codes(impl->db, 1);
    (void)sqlite3_busy_timeout(impl->db, store->wait_ms);
    (void)sqlite3_db_config(impl->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return check_ours(store, err) &&
           store->backend->exec(store,
                                "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
                                " PRAGMA temp_store = MEMORY",
                                err);
}

/* Reading through the log needs its index, which a full or read-only disk does not let us make.
 * Then the file is read alone, while a shared hold on the lock keeps writers of ours away. */
static bool open_file_alone(struct store *store, const char *path)
{
    struct sqlite *impl = store->impl;
    char lock[PATH_MAX / 2];
    (void)snprintf(lock, sizeof lock, "%s.lock", path);
    impl->lock_fd = open(lock, O_RDONLY | O_CLOEXEC);
    if (log_pending(path) ||
        (impl->lock_fd != -1 && flock(impl->lock_fd, LOCK_SH | LOCK_NB) != 0)) {
        return false;
    }
    MU_AUTO(buf) struct mu_buf uri;
    mu_buf_init(&uri, 3 * 4096);
    mu_buf_text(&uri, "file:");
    for (const char *p = path; *p != '\0'; p++) {
        bool special = *p == '%' || *p == '?' || *p == '#';
        mu_buf_printf(&uri, special ? "%%%02x" : "%c", *p);
    }
    mu_buf_text(&uri, "?immutable=1");
    (void)sqlite3_close(impl->db);
    impl->db = NULL;
    return open_db(store, mu_buf_str(&uri), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
}

static bool open_to_read(struct store *store, const char *path, struct mutual_error *err)
{
    struct mutual_error why = {0};
    if (open_db(store, path, SQLITE_OPEN_READONLY, &why)) {
        return true;
    }
    bool no_index = why.code == MUTUAL_E_DISK_FULL || why.code == MUTUAL_E_STORE_FAILED;
    if (no_index && open_file_alone(store, path)) {
        return true;
    }
    if (err != NULL) {
        *err = why;
    }
    return false;
}

static bool open_to_write(struct store *store, const char *path, struct mutual_error *err)
{
    if (access(path, W_OK) == -1) {
        return mu_fail_errno(err, MUTUAL_E_STORE_FAILED, errno, "store \"%s\" cannot be written",
                             store->name);
    }
    return open_db(store, path, SQLITE_OPEN_READWRITE, err) && prepare_writing(store, err);
}

static bool sqlite_open(struct store *store, const char *path, struct mutual_error *err)
{
    struct sqlite *impl = mu_alloc(1, sizeof *impl);
    if (impl == NULL) {
        return mu_fail_memory(err);
    }
    impl->lock_fd = -1;
    store->impl = impl;
    struct stat info;
    if (store->access != STORE_CREATE && stat(path, &info) == -1) {
        enum mutual_code code = errno == ENOENT ? MUTUAL_E_FILE_MISSING : MUTUAL_E_STORE_FAILED;
        bool denied = errno == EACCES;
        (void)mu_fail_errno(err, code, errno, "could not open store \"%s\"", store->name);
        return denied && mu_error_hint(err, "Run it as the user who owns the authority.");
    }
    if (store->access == STORE_CREATE && !make_file(store, path, err)) {
        return false;
    }
    return store->access == STORE_READ ? open_to_read(store, path, err)
                                       : open_to_write(store, path, err);
}

static void sqlite_unlock(struct store *store)
{
    struct sqlite *impl = store->impl;
    if (impl->lock_fd != -1) {
        (void)close(impl->lock_fd);
        impl->lock_fd = -1;
    }
}

static void sqlite_close(struct store *store)
{
    struct sqlite *impl = store->impl;
    if (impl == NULL) {
        return;
    }
    sqlite_unlock(store);
    int rc = sqlite3_close(impl->db);
    mu_assert(rc == SQLITE_OK); /* a statement was left unfinished */
    mu_free(impl);
}

/* The lock belongs to the open file, so it ends with the process however that ends. */
static bool sqlite_lock(struct store *store, struct mutual_error *err)
{
    struct sqlite *impl = store->impl;
    mu_assert(impl->lock_fd == -1);
    char path[4096];
    int len = snprintf(path, sizeof path, "%s.lock", store->name);
    if (len < 0 || (size_t)len >= sizeof path) {
        return mu_fail(err, MUTUAL_E_STORE_FAILED, "the path of store \"%s\" is too long",
                       store->name);
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd == -1) {
        int sys = errno;
        enum mutual_code code =
            sys == ENOSPC || sys == EDQUOT ? MUTUAL_E_DISK_FULL : MUTUAL_E_STORE_FAILED;
        return mu_fail_errno(err, code, sys, "could not make lock file \"%s\"", path);
    }
    int64_t end_ns = mu_clock_mono_ns() + store->wait_ms * MU_NS_PER_MS;
    while (flock(fd, LOCK_EX | LOCK_NB) == -1) {
        int sys = errno;
        bool held = sys == EWOULDBLOCK || sys == EINTR;
        if (!held || mu_clock_mono_ns() >= end_ns) {
            (void)close(fd);
            return held ? mu_fail(err, MUTUAL_E_STORE_BUSY,
                                  "another command has been changing store \"%s\" for %d ms",
                                  store->name, store->wait_ms)
                        : mu_fail_errno(err, MUTUAL_E_STORE_FAILED, sys, "could not lock \"%s\"",
                                        path);
        }
        (void)nanosleep(&(struct timespec){0, 10 * MU_NS_PER_MS}, NULL);
    }
    impl->lock_fd = fd;
    return true;
}

/* ---- running --------------------------------------------------------------------------------- */

static bool sqlite_exec(struct store *store, const char *sql, struct mutual_error *err)
{
    store->figures.asked++;
    int rc = sqlite3_exec(impl_of(store)->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? true : fail_sqlite(store, rc, "change", err);
}

static bool sqlite_open_transaction(const struct store *store)
{
    return sqlite3_get_autocommit(impl_of(store)->db) == 0;
}

static int64_t sqlite_changes(const struct store *store)
{
    return sqlite3_changes64(impl_of(store)->db);
}

static bool sqlite_ids_follow(struct store *store, const char *table, struct mutual_error *err)
{
    (void)store;
    (void)table;
    (void)err;
    return true; /* INTEGER PRIMARY KEY always does */
}

static bool sqlite_prepare(struct store *store, const char *sql, bool scan, void **ret_impl,
                           struct mutual_error *err)
{
    (void)scan; /* rows come one at a time anyway */
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(impl_of(store)->db, sql, -1, &statement, NULL);
    if (rc != SQLITE_OK) {
        return fail_sqlite(store, rc, "read", err);
    }
    *ret_impl = statement;
    return true;
}

static bool sqlite_table_exists(struct store *store, const char *table, bool *ret_exists,
                                struct mutual_error *err)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(impl_of(store)->db,
                                "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", -1,
                                &statement, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_bind_text(statement, 1, table, -1, SQLITE_TRANSIENT);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
    }
    (void)sqlite3_finalize(statement);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        return fail_sqlite(store, rc, "read", err);
    }
    *ret_exists = rc == SQLITE_ROW;
    return true;
}

static void sqlite_finish(void *impl)
{
    (void)sqlite3_finalize(impl);
}

/* To SQLite "$2" is a name and not a place. */
static int place_of(sqlite3_stmt *statement, int parameter)
{
    char name[16];
    (void)snprintf(name, sizeof name, "$%d", parameter);
    int place = sqlite3_bind_parameter_index(statement, name);
    mu_assert(place != 0);
    return place;
}

static bool sqlite_bind_int(void *impl, int parameter, int64_t value)
{
    return sqlite3_bind_int64(impl, place_of(impl, parameter), value) == SQLITE_OK;
}

static bool sqlite_bind_bytes(void *impl, int parameter, struct mu_slice bytes, bool text)
{
    int place = place_of(impl, parameter);
    const char *data = bytes.data == NULL ? "" : (const char *)bytes.data;
    int rc = text ? sqlite3_bind_text64(impl, place, data, bytes.len, SQLITE_TRANSIENT, SQLITE_UTF8)
                  : sqlite3_bind_blob64(impl, place, data, bytes.len, SQLITE_TRANSIENT);
    return rc == SQLITE_OK;
}

static bool sqlite_bind_null(void *impl, int parameter)
{
    return sqlite3_bind_null(impl, place_of(impl, parameter)) == SQLITE_OK;
}

static bool sqlite_step(struct store *store, void *impl, bool *ret_row, struct mutual_error *err)
{
    store->figures.asked += sqlite3_stmt_busy(impl) == 0; /* its first row, or its only step */
    int rc = sqlite3_step(impl);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        bool done = fail_sqlite(store, rc, sqlite3_stmt_readonly(impl) ? "read" : "change", err);
        (void)sqlite3_reset(impl);
        return done;
    }
    *ret_row = rc == SQLITE_ROW;
    return true;
}

static void sqlite_reset(void *impl)
{
    (void)sqlite3_reset(impl);
}

static int64_t sqlite_int(void *impl, int column)
{
    return sqlite3_column_int64(impl, column);
}

static const char *sqlite_text(void *impl, int column)
{
    const unsigned char *text = sqlite3_column_text(impl, column);
    return text == NULL ? "" : (const char *)text;
}

static struct mu_slice sqlite_bytes(void *impl, int column)
{
    const void *data = sqlite3_column_blob(impl, column); /* before its length, says the manual */
    return mu_slice_of(data, (size_t)sqlite3_column_bytes(impl, column));
}

static bool sqlite_is_null(void *impl, int column)
{
    return sqlite3_column_type(impl, column) == SQLITE_NULL;
}

static const struct store_word words[] = {
    {"{int}", "INTEGER"},   {"{bytes}", "BLOB"}, {"{id}", "INTEGER PRIMARY KEY"},
    {"{strict}", "STRICT"}, {NULL, NULL},
};

const struct store_backend store_sqlite = {
    .scheme = "sqlite",
    .begin = "BEGIN IMMEDIATE",
    .words = words,
    .open = sqlite_open,
    .close = sqlite_close,
    .lock = sqlite_lock,
    .unlock = sqlite_unlock,
    .exec = sqlite_exec,
    .open_transaction = sqlite_open_transaction,
    .table_exists = sqlite_table_exists,
    .changes = sqlite_changes,
    .ids_follow = sqlite_ids_follow,
    .prepare = sqlite_prepare,
    .finish = sqlite_finish,
    .bind_int = sqlite_bind_int,
    .bind_bytes = sqlite_bind_bytes,
    .bind_null = sqlite_bind_null,
    .step = sqlite_step,
    .reset = sqlite_reset,
    .get_int = sqlite_int,
    .get_text = sqlite_text,
    .get_bytes = sqlite_bytes,
    .is_null = sqlite_is_null,
};
