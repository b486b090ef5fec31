/* SPDX-License-Identifier: Apache-2.0
 *
 * The door: statements with numbered parameters, every column kind, transactions.
 */
#include "support.h"

static void numbered_parameters_bind_in_any_order(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct place place;
    place_make(&place);
    MU_AUTO(store) struct store *store = place_open(&place, STORE_CREATE);
    assert_ok(store_migrate(store, steps, MU_COUNT(steps), &err), &err);
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
    MU_AUTO(store) struct store *store = place_open(&place, STORE_CREATE);
    assert_ok(store_migrate(store, steps, MU_COUNT(steps), &err), &err);
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
    MU_AUTO(store) struct store *store = place_open(&place, STORE_CREATE);
    assert_ok(store_migrate(store, steps, MU_COUNT(steps), &err), &err);
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
    MU_AUTO(store) struct store *store = place_open(&place, STORE_CREATE);
    assert_ok(store_migrate(store, steps, MU_COUNT(steps), &err), &err);
    MU_AUTO(store_statement) struct store_statement *none = NULL;
    assert_fails(store_prepare(store, "SELECT nothing FROM nowhere", &none, &err), &err,
                 MUTUAL_E_STORE_FAILED);
    assert_fails(store_exec(store, "INSERT INTO part (thing_id) VALUES (99)", &err), &err,
                 MUTUAL_E_STORE_FAILED); /* foreign keys are on */
    assert_fails(store_exec(store, "INSERT INTO thing (name, size) VALUES ('a', 'many')", &err),
                 &err, MUTUAL_E_STORE_FAILED); /* types are strict */
    assert_int_equal(count_things(store), 0);
    store_close(MU_TAKE(store));
    place_remove(&place);
}

UNIT_MAIN(UNIT_CASE(numbered_parameters_bind_in_any_order),
          UNIT_CASE(a_rolled_back_transaction_leaves_nothing),
          UNIT_CASE(a_uniqueness_rule_answers_by_the_count_of_changes),
          UNIT_CASE(what_the_backend_refuses_is_told_and_the_store_goes_on))
