/* SPDX-License-Identifier: Apache-2.0
 *
 * PostgreSQL's part: addresses and what is shown of them. Without MUTUAL_TEST_STORE no server is
 * there, and that is what is tried; what holds for every store is in test_store.c.
 */
#include "support.h"

#define NOWHERE "127.0.0.1:1/db?connect_timeout=2&sslmode=disable"

static void a_server_that_is_not_there_is_told_without_the_password(void **state)
{
    (void)state;
    static const char *const addresses[] = {"postgres://mutual:s3cret@" NOWHERE,
                                            "postgresql://mutual:s3cret@" NOWHERE};
    for (size_t i = 0; i < MU_COUNT(addresses); i++) {
        struct mutual_error err = {0};
        struct store *store = NULL;
        assert_fails(store_open(addresses[i], STORE_WRITE, 50, &store, &err), &err,
                     MUTUAL_E_STORE_UNREACHABLE);
        assert_null(strstr(err.reason, "s3cret"));
        assert_non_null(strstr(err.reason, "//mutual@127.0.0.1:1/db\""));
        assert_null(strchr(err.reason, '\n'));
    }
}

static void an_address_that_is_none_is_told(void **state)
{
    (void)state;
    static const char *const addresses[] = {"postgres:", "postgres://%zz@host/db",
                                            "postgres://127.0.0.1:1/db?no-such-word=1"};
    for (size_t i = 0; i < MU_COUNT(addresses); i++) {
        struct mutual_error err = {0};
        struct store *store = NULL;
        assert_fails(store_open(addresses[i], STORE_READ, 50, &store, &err), &err,
                     MUTUAL_E_STORE_UNREACHABLE);
    }
}

static void what_is_shown_of_an_open_store_holds_no_password(void **state)
{
    (void)state;
    struct place place;
    place_make(&place);
    MU_AUTO(store) struct store *store = place_open(&place, STORE_CREATE);
    assert_null(strchr(store_name(store), '?'));
    assert_true(mu_text_starts(store_name(store), "postgres://"));
    store_close(MU_TAKE(store));
    place_remove(&place);
}

/* Its locks with it. On a UNIX socket there is nothing to lose. */
static void a_machine_that_is_gone_is_given_up(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct place place;
    bool row = false;
    place_make(&place);
    MU_AUTO(store) struct store *store = place_open(&place, STORE_CREATE);
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    assert_ok(store_prepare(store,
                            "SELECT current_setting('tcp_keepalives_idle'),"
                            " current_setting('tcp_keepalives_count'),"
                            " current_setting('tcp_user_timeout')",
                            &read, &err),
              &err);
    assert_ok(store_step(read, &row, &err), &err);
    assert_string_equal(store_text(read, 0), "10");
    assert_string_equal(store_text(read, 1), "3");
    assert_string_equal(store_text(read, 2), "25000");
    store_finish(MU_TAKE(read));
    store_close(MU_TAKE(store));
    place_remove(&place);
}

static void somebody_elses_database_is_refused(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct place place;
    place_make(&place);
    MU_AUTO(store) struct store *store = place_open(&place, STORE_CREATE);
    assert_ok(store_exec(store, "CREATE TABLE theirs (a int)", &err), &err);
    store_close(MU_TAKE(store));
    assert_fails(store_open(place.where, STORE_CREATE, 50, &store, &err), &err,
                 MUTUAL_E_STORE_CORRUPT);
    place_remove(&place);
}

int main(void)
{
    const struct CMUnitTest anywhere[] = {
        UNIT_CASE(a_server_that_is_not_there_is_told_without_the_password),
        UNIT_CASE(an_address_that_is_none_is_told)};
    const struct CMUnitTest on_a_server[] = {
        UNIT_CASE(what_is_shown_of_an_open_store_holds_no_password),
        UNIT_CASE(a_machine_that_is_gone_is_given_up),
        UNIT_CASE(somebody_elses_database_is_refused)};
    if (getenv("MUTUAL_TEST_STORE") == NULL) {
        return cmocka_run_group_tests(anywhere, NULL, NULL);
    }
    return cmocka_run_group_tests(on_a_server, NULL, NULL);
}
