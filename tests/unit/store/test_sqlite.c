/* SPDX-License-Identifier: Apache-2.0
 *
 * SQLite's part: files and their modes, damage, a full disk.
 */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static void the_files_are_for_their_owner_only(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct place place;
    place_make(&place);
    mode_t mask = umask(0);
    MU_AUTO(store) struct store *store = place_ready(&place);
    assert_ok(store_lock(store, &err), &err);
    (void)umask(mask);
    static const char *const names[] = {"ca.db", "ca.db-wal", "ca.db-shm", "ca.db.lock"};
    for (size_t i = 0; i < MU_COUNT(names); i++) {
        char path[128];
        struct stat info;
        (void)snprintf(path, sizeof path, "%s/%s", place.directory, names[i]);
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_mode & 0777, 0600);
    }
    store_close(MU_TAKE(store));
    place_remove(&place);
}

static void write_file(const struct place *place, const char *text)
{
    struct mutual_error err = {0};
    assert_ok(mu_file_write(place->path, mu_slice_text(text), 0600, &err), &err);
}

static void what_is_not_a_store_is_refused(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct place place;
    place_make(&place);
    struct store *store = NULL;
    assert_fails(store_open(place.path, STORE_WRITE, 50, &store, &err), &err,
                 MUTUAL_E_FILE_MISSING);
    write_file(&place, "this is not a database, however long one looks at it ...............\n"
                       "................................................................\n");
    assert_fails(store_open(place.path, STORE_WRITE, 50, &store, &err), &err,
                 MUTUAL_E_STORE_CORRUPT);
    assert_fails(store_open(place.path, STORE_READ, 50, &store, &err), &err,
                 MUTUAL_E_STORE_CORRUPT);
    char nowhere[160];
    (void)snprintf(nowhere, sizeof nowhere, "sqlite:%s/no/such/ca.db", place.directory);
    assert_fails(store_open(nowhere, STORE_CREATE, 50, &store, &err), &err, MUTUAL_E_STORE_FAILED);
    assert_null(store);
    place_remove(&place);
}

static void somebody_elses_database_is_refused(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct place place;
    place_make(&place);
    MU_AUTO(store) struct store *store = place_open(&place, STORE_CREATE);
    assert_ok(store_exec(store, "CREATE TABLE theirs (a); PRAGMA application_id = 7", &err), &err);
    store_close(MU_TAKE(store));
    assert_fails(store_open(place.path, STORE_WRITE, 50, &store, &err), &err,
                 MUTUAL_E_STORE_CORRUPT);
    place_remove(&place);
}

/* A limit on the database's pages answers as a full disk does; afterwards it works again. */
static void a_full_disk_is_told_and_survived(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct place place;
    place_make(&place);
    MU_AUTO(store) struct store *store = place_ready(&place);
    assert_ok(store_exec(store, "PRAGMA max_page_count = 1", &err), &err);
    assert_ok(store_begin(store, &err), &err);
    assert_fails(
        store_exec(store, "INSERT INTO thing (name, raw) VALUES ('big', zeroblob(1000000))", &err),
        &err, MUTUAL_E_DISK_FULL);
    store_rollback(store);
    assert_ok(store_exec(store, "PRAGMA max_page_count = 1000000", &err), &err);
    assert_ok(store_exec(store, "INSERT INTO thing (name) VALUES ('small')", &err), &err);
    assert_int_equal(count_things(store), 1);
    store_close(MU_TAKE(store));
    place_remove(&place);
}

static void a_write_that_the_disk_refuses_is_told_and_survived(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct place place;
    place_make(&place);
    MU_AUTO(store) struct store *store = place_ready(&place);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    struct rlimit small = {200000, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    bool done =
        store_exec(store, "INSERT INTO thing (name, raw) VALUES ('big', zeroblob(1000000))", &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, handler);
    assert_false(done);
    assert_true(err.code == MUTUAL_E_STORE_FAILED || err.code == MUTUAL_E_DISK_FULL);
    assert_ok(store_exec(store, "INSERT INTO thing (name) VALUES ('small')", &err), &err);
    assert_int_equal(count_things(store), 1);
    store_close(MU_TAKE(store));
    place_remove(&place);
}

static void a_damaged_page_is_named_damage(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct place place;
    place_make(&place);
    MU_AUTO(store) struct store *store = place_ready(&place);
    store_close(MU_TAKE(store));
    int fd = open(place.path, O_WRONLY);
    assert_true(fd >= 0);
    char noise[3996];
    memset(noise, 0xa5, sizeof noise);
    assert_int_equal(pwrite(fd, noise, sizeof noise, 100), sizeof noise);
    (void)close(fd);
    assert_fails(store_open(place.path, STORE_WRITE, 50, &store, &err), &err,
                 MUTUAL_E_STORE_CORRUPT);
    place_remove(&place);
}

UNIT_MAIN(UNIT_CASE(the_files_are_for_their_owner_only), UNIT_CASE(what_is_not_a_store_is_refused),
          UNIT_CASE(somebody_elses_database_is_refused),
          UNIT_CASE(a_full_disk_is_told_and_survived),
          UNIT_CASE(a_write_that_the_disk_refuses_is_told_and_survived),
          UNIT_CASE(a_damaged_page_is_named_damage))
