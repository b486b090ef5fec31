/* SPDX-License-Identifier: Apache-2.0
 *
 * What every backend must do: statements with numbered parameters, every column kind,
 * transactions, two processes at once. Tried on SQLite, and on the store that the environment names
 * in MUTUAL_TEST_STORE (tests/interop/test_postgres.py).
 */
#include "support.h"

#include <signal.h>
#include <sys/wait.h>

static void numbered_parameters_bind_in_any_order(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct place place;
    place_make(&place);
    MU_AUTO(store) struct store *store = place_ready(&place);
    MU_AUTO(store_statement) struct store_statement *add = NULL;
    assert_ok(
        store_prepare(store, "INSERT INTO thing (raw, name, size) VALUES ($3, $1, $2)", &add, &err),
        &err);
    store_bind_text(add, 1, "O'Brien; DROP TABLE thing");
    store_bind_int(add, 2, INT64_MIN);
    store_bind_bytes(add, 3, MU_SLICE_LIT("a\0b"));
    assert_ok(store_run(add, &err), &err);
    assert_int_equal(store_changes(store), 1);
    store_bind_text(add, 1, "empty");
    store_bind_null(add, 2);
    store_bind_bytes(add, 3, (struct mu_slice){0});
    assert_ok(store_run(add, &err), &err);

    MU_AUTO(store_statement) struct store_statement *read = NULL;
    bool row = false;
    assert_ok(store_prepare(store, "SELECT name, size, raw FROM thing ORDER BY id", &read, &err),
              &err);
    assert_ok(store_step(read, &row, &err), &err);
    assert_true(row);
    assert_string_equal(store_text(read, 0), "O'Brien; DROP TABLE thing");
    assert_true(store_int(read, 1) == INT64_MIN);
    assert_true(mu_slice_equal(store_bytes(read, 2), MU_SLICE_LIT("a\0b")));
    assert_ok(store_step(read, &row, &err), &err);
    assert_true(row && store_is_null(read, 1));
    assert_int_equal(store_int(read, 1), 0);
    assert_int_equal(store_bytes(read, 2).len, 0);
    assert_ok(store_step(read, &row, &err), &err);
    assert_false(row);
    store_finish(MU_TAKE(read));
    store_finish(MU_TAKE(add));
    store_close(MU_TAKE(store));
    place_remove(&place);
}

static void a_rolled_back_transaction_leaves_nothing(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct place place;
    place_make(&place);
    MU_AUTO(store) struct store *store = place_ready(&place);
    assert_ok(store_begin(store, &err), &err);
    assert_ok(store_exec(store, "INSERT INTO thing (name) VALUES ('a')", &err), &err);
    store_rollback(store);
    store_rollback(store); /* without a transaction it does nothing */
    assert_int_equal(count_things(store), 0);
    assert_ok(store_begin(store, &err), &err);
    assert_ok(store_exec(store, "INSERT INTO thing (name) VALUES ('a')", &err), &err);
    assert_ok(store_commit(store, &err), &err);
    assert_int_equal(count_things(store), 1);
    store_close(MU_TAKE(store));
    place_remove(&place);
}

static void a_uniqueness_rule_answers_by_the_count_of_changes(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct place place;
    place_make(&place);
    MU_AUTO(store) struct store *store = place_ready(&place);
    MU_AUTO(store_statement) struct store_statement *add = NULL;
    assert_ok(store_prepare(store,
                            "INSERT INTO thing (name) VALUES ($1) ON CONFLICT (name) DO NOTHING",
                            &add, &err),
              &err);
    store_bind_text(add, 1, "only one");
    assert_ok(store_run(add, &err), &err);
    assert_int_equal(store_changes(store), 1);
    assert_ok(store_run(add, &err), &err);
    assert_int_equal(store_changes(store), 0);
    store_finish(MU_TAKE(add));
    store_close(MU_TAKE(store));
    place_remove(&place);
}

static void what_the_backend_refuses_is_told_and_the_store_goes_on(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct place place;
    place_make(&place);
    MU_AUTO(store) struct store *store = place_ready(&place);
    MU_AUTO(store_statement) struct store_statement *none = NULL;
    bool row = false;
    assert_fails(store_prepare(store, "SELECT nothing FROM nowhere", &none, &err) &&
                     store_step(none, &row, &err),
                 &err, MUTUAL_E_STORE_FAILED);
    store_finish(MU_TAKE(none));
    assert_fails(store_exec(store, "INSERT INTO part (thing_id) VALUES (99)", &err), &err,
                 MUTUAL_E_STORE_FAILED); /* foreign keys are on */
    assert_fails(store_exec(store, "INSERT INTO thing (name, size) VALUES ('a', 'many')", &err),
                 &err, MUTUAL_E_STORE_FAILED); /* types are strict */
    assert_int_equal(count_things(store), 0);
    store_close(MU_TAKE(store));
    place_remove(&place);
}

static void one_writer_holds_the_lock_at_a_time(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct place place;
    place_make(&place);
    MU_AUTO(store) struct store *first = place_open(&place, STORE_CREATE);
    MU_AUTO(store) struct store *second = place_open(&place, STORE_CREATE);
    assert_ok(store_lock(first, &err), &err);
    assert_fails(store_lock(second, &err), &err, MUTUAL_E_STORE_BUSY);
    store_unlock(first);
    assert_ok(store_lock(second, &err), &err);
    store_close(MU_TAKE(second)); /* closing lets go */
    assert_ok(store_lock(first, &err), &err);
    store_close(MU_TAKE(first));
    place_remove(&place);
}

static void a_writer_waits_and_a_reader_does_not(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct place place;
    place_make(&place);
    MU_AUTO(store) struct store *first = place_ready(&place);
    MU_AUTO(store) struct store *second = place_open(&place, STORE_WRITE);
    MU_AUTO(store) struct store *reader = place_open(&place, STORE_READ);
    assert_ok(store_begin(first, &err), &err);
    assert_ok(store_exec(first, "INSERT INTO thing (name) VALUES ('a')", &err), &err);
    assert_fails(store_begin(second, &err), &err, MUTUAL_E_STORE_BUSY);
    assert_int_equal(count_things(reader), 0);
    assert_ok(store_commit(first, &err), &err);
    assert_int_equal(count_things(reader), 1);
    assert_ok(store_begin(second, &err), &err);
    store_rollback(second);
    assert_fails(store_exec(reader, "DELETE FROM thing", &err), &err, MUTUAL_E_STORE_FAILED);
    store_close(MU_TAKE(first));
    store_close(MU_TAKE(second));
    store_close(MU_TAKE(reader));
    place_remove(&place);
}

/* A writer killed in the middle of its transaction leaves what was committed, and no lock. */
static void a_killed_writer_leaves_what_was_committed(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct place place;
    place_make(&place);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct store *store = NULL;
        bool ready = store_open(place.where, STORE_CREATE, 50, &store, NULL) &&
                     store_migrate(store, steps, MU_COUNT(steps), NULL) &&
                     store_lock(store, NULL) &&
                     store_exec(store, "INSERT INTO thing (name) VALUES ('kept')", NULL) &&
                     store_begin(store, NULL) &&
                     store_exec(store, "INSERT INTO thing (name) VALUES ('lost')", NULL);
        (void)kill(getpid(), ready ? SIGKILL : SIGUSR1);
        _exit(1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    MU_AUTO(store) struct store *store = place_open(&place, STORE_WRITE);
    assert_ok(store_lock(store, &err), &err);
    assert_int_equal(count_things(store), 1);
    store_close(MU_TAKE(store));
    place_remove(&place);
}

/* More rows than come in one piece. */
static void a_scan_yields_every_row_while_others_are_asked(void **state)
{
    (void)state;
    enum { ROWS = 1000 };
    struct mutual_error err = {0};
    struct place place;
    place_make(&place);
    MU_AUTO(store) struct store *store = place_ready(&place);
    assert_ok(store_exec(store,
                         "INSERT INTO thing (name, size) WITH RECURSIVE n(i) AS"
                         " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
                         " SELECT CAST(i AS TEXT), i FROM n",
                         &err),
              &err);
    MU_AUTO(store_statement) struct store_statement *scan = NULL;
    assert_ok(
        store_scan(store, "SELECT size FROM thing WHERE size >= $1 ORDER BY size", &scan, &err),
        &err);
    for (int round = 0; round < 2; round++) {
        store_bind_int(scan, 1, round + 1);
        for (int64_t i = round + 1; i <= ROWS; i++) {
            bool row = false;
            assert_ok(store_step(scan, &row, &err), &err);
            assert_true(row);
            assert_int_equal(store_int(scan, 0), i);
            if (i % 100 == 0) {
                assert_int_equal(count_things(store), ROWS);
            }
        }
        bool row = true;
        assert_ok(store_step(scan, &row, &err), &err);
        assert_false(row);
        assert_false(store_in_transaction(store));
        store_reset(scan);
    }
    bool row = false;
    store_bind_int(scan, 1, 1);
    assert_ok(store_step(scan, &row, &err), &err);
    store_finish(MU_TAKE(scan)); /* in its middle */
    assert_ok(store_begin(store, &err), &err);
    assert_ok(store_exec(store, "DELETE FROM thing", &err), &err);
    assert_ok(store_commit(store, &err), &err);
    assert_int_equal(count_things(store), 0);
    store_close(MU_TAKE(store));
    place_remove(&place);
}

/* Some databases answer COMMIT with a rollback and call it no error. */
static void a_failed_transaction_is_never_taken_for_a_committed_one(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct place place;
    place_make(&place);
    MU_AUTO(store) struct store *store = place_ready(&place);
    assert_ok(store_begin(store, &err), &err);
    assert_ok(store_exec(store, "INSERT INTO thing (name) VALUES ('a')", &err), &err);
    assert_false(store_exec(store, "INSERT INTO part (thing_id) VALUES (99)", &err));
    bool committed = store_commit(store, NULL);
    assert_false(store_in_transaction(store));
    assert_int_equal(count_things(store), committed ? 1 : 0);
    store_close(MU_TAKE(store));
    place_remove(&place);
}

static void questions_and_failures_are_counted(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct place place;
    place_make(&place);
    MU_AUTO(store) struct store *store = place_ready(&place);
    const struct store_figures *figures = store_figures(store);
    struct store_figures before = *figures;
    assert_int_equal(count_things(store), 0);
    assert_int_equal(figures->asked, before.asked + 1);
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    bool row = false;
    assert_ok(store_prepare(store, "SELECT 1 UNION SELECT 2 ORDER BY 1", &read, &err), &err);
    for (int i = 1; i <= 2; i++) { /* the second row, and a second run */
        assert_ok(store_step(read, &row, &err), &err);
        assert_ok(store_step(read, &row, &err), &err);
        assert_true(row);
        assert_int_equal(figures->asked, before.asked + 1 + (uint64_t)i);
        store_reset(read);
    }
    assert_false(store_exec(store, "INSERT INTO thing (name) VALUES (NULL)", NULL));
    assert_int_equal(figures->failed[STORE_FAILURE_OTHER], 1);
    assert_int_equal(figures->failed[STORE_FAILURE_BUSY], 0);
    MU_AUTO(store) struct store *other = place_open(&place, STORE_WRITE);
    assert_ok(store_begin(store, &err), &err);
    assert_fails(store_begin(other, &err), &err, MUTUAL_E_STORE_BUSY);
    assert_int_equal(store_figures(other)->failed[STORE_FAILURE_BUSY], 1);
    assert_string_equal(store_failure_word(STORE_FAILURE_BUSY), "busy");
    assert_string_equal(store_failure_word(STORE_FAILURE_UNREACHABLE), "unreachable");
    store_rollback(store);
    store_finish(MU_TAKE(read));
    store_close(MU_TAKE(other));
    store_close(MU_TAKE(store));
    place_remove(&place);
}

UNIT_MAIN(UNIT_CASE(numbered_parameters_bind_in_any_order),
          UNIT_CASE(a_rolled_back_transaction_leaves_nothing),
          UNIT_CASE(a_uniqueness_rule_answers_by_the_count_of_changes),
          UNIT_CASE(what_the_backend_refuses_is_told_and_the_store_goes_on),
          UNIT_CASE(one_writer_holds_the_lock_at_a_time),
          UNIT_CASE(a_writer_waits_and_a_reader_does_not),
          UNIT_CASE(a_killed_writer_leaves_what_was_committed),
          UNIT_CASE(a_scan_yields_every_row_while_others_are_asked),
          UNIT_CASE(a_failed_transaction_is_never_taken_for_a_committed_one),
          UNIT_CASE(questions_and_failures_are_counted))
