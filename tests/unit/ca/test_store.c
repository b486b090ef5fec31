/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the store is, backups and what comes of them. Moves to a server are tried by
 * tests/interop/test_postgres.py.
 */
#include "support.h"

static void it_is_the_file_unless_a_line_says_otherwise(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    char *where = NULL;
    assert_ok(ca_store_where(home.dir, &where, &err), &err);
    assert_string_equal(where, at_home("authority/ca.db"));
    mu_free(where);
    assert_ok(ca_store_point(at_home("authority"), "postgres://h/d", &err), &err);
    assert_ok(ca_store_where(home.dir, &where, &err), &err);
    assert_string_equal(where, "postgres://h/d");
    mu_free(where);
    struct stat info;
    assert_int_equal(stat(at_home("authority/store"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600); /* it may hold a password */
    static const char *const wrong[] = {"", "\n", "a\nb\n"};
    for (size_t i = 0; i < MU_COUNT(wrong); i++) {
        assert_ok(mu_file_write(at_home("authority/store"), mu_slice_text(wrong[i]), 0600, &err),
                  &err);
        assert_fails(ca_store_where(home.dir, &where, &err), &err, MUTUAL_E_STORE_CORRUPT);
    }
    assert_int_equal(unlink(at_home("authority/store")), 0);
}

static void a_move_needs_the_address_of_a_server(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct inventory_copied copied;
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    assert_fails(ca_store_move(ca, "/var/lib/other.db", &copied, &err), &err,
                 MUTUAL_E_OPTION_VALUE);
    assert_fails(ca_store_move(ca, "postgres://127.0.0.1:1/d?sslmode=disable", &copied, &err), &err,
                 MUTUAL_E_STORE_UNREACHABLE);
    assert_false(exists(at_home("authority/store"))); /* nothing changed */
    assert_true(exists(at_home("authority/ca.db")));
}

static void a_backup_restores_what_was_lost(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct inventory_copied written;
    struct inventory_copied filled;
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    assert_ok(ca_store_backup(ca, at_home("backup.db"), &written, &err), &err);
    assert_true(written.certificates >= 2);
    assert_fails(ca_store_backup(ca, at_home("backup.db"), &filled, &err), &err,
                 MUTUAL_E_FILE_EXISTS);
    ca_close(MU_TAKE(ca));
    assert_fails(ca_store_restore(home.dir, at_home("backup.db"), &filled, &err), &err,
                 MUTUAL_E_ALREADY_EXISTS);
    assert_int_equal(unlink(at_home("authority/ca.db")), 0);
    (void)unlink(at_home("authority/ca.db-wal"));
    (void)unlink(at_home("authority/ca.db-shm"));
    assert_ok(ca_store_restore(home.dir, at_home("backup.db"), &filled, &err), &err);
    assert_memory_equal(&written, &filled, sizeof filled);
    ca = home_open(CA_CHANGE);
    assert_string_equal(ca_domain(ca), "example.org");
}

CA_UNIT_MAIN(home_init, UNIT_CASE(it_is_the_file_unless_a_line_says_otherwise),
             UNIT_CASE(a_move_needs_the_address_of_a_server),
             UNIT_CASE(a_backup_restores_what_was_lost))
