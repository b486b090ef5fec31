/* SPDX-License-Identifier: Apache-2.0
 *
 * Migrations: in order, once, and only the ones we know.
 */
#include "support.h"

static void steps_apply_once_and_in_order(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct place place;
    place_make(&place);
    MU_AUTO(store) struct store *store = place_open(&place, STORE_CREATE);
    assert_ok(store_migrate(store, steps, 1, &err), &err);
    assert_fails(store_exec(store, "SELECT * FROM part", &err), &err, MUTUAL_E_STORE_FAILED);
    assert_ok(store_migrate(store, steps, 2, &err), &err);
    assert_ok(store_migrate(store, steps, 2, &err), &err);
    assert_ok(store_exec(store, "SELECT * FROM part", &err), &err);
    store_close(MU_TAKE(store));
    place_remove(&place);
}

static void a_store_of_a_newer_version_is_left_alone(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct place place;
    place_make(&place);
    MU_AUTO(store) struct store *store = place_open(&place, STORE_CREATE);
    assert_ok(store_migrate(store, steps, 2, &err), &err);
    assert_fails(store_migrate(store, steps, 1, &err), &err, MUTUAL_E_STORE_VERSION);
    assert_non_null(strstr(err.reason, "\"parts\""));
    store_close(MU_TAKE(store));
    place_remove(&place);
}

static void an_older_store_opened_for_reading_is_not_upgraded(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct place place;
    place_make(&place);
    MU_AUTO(store) struct store *store = place_open(&place, STORE_CREATE);
    assert_ok(store_migrate(store, steps, 1, &err), &err);
    store_close(MU_TAKE(store));
    store = place_open(&place, STORE_READ);
    assert_fails(store_migrate(store, steps, 2, &err), &err, MUTUAL_E_STORE_VERSION);
    assert_ok(store_migrate(store, steps, 1, &err), &err);
    store_close(MU_TAKE(store));
    place_remove(&place);
}

static void an_edited_step_is_noticed(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct place place;
    place_make(&place);
    MU_AUTO(store) struct store *store = place_open(&place, STORE_CREATE);
    assert_ok(store_migrate(store, steps, 2, &err), &err);
    struct store_migration edited[] = {steps[0], {2, "parts", "SELECT 1"}};
    assert_fails(store_migrate(store, edited, 2, &err), &err, MUTUAL_E_STORE_CORRUPT);
    store_close(MU_TAKE(store));
    place_remove(&place);
}

static void a_step_that_fails_leaves_the_one_before(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct place place;
    place_make(&place);
    MU_AUTO(store) struct store *store = place_open(&place, STORE_CREATE);
    struct store_migration broken[] = {
        steps[0], {2, "parts", "CREATE TABLE part (id {id}) {strict}; CREATE NONSENSE"}};
    assert_fails(store_migrate(store, broken, 2, &err), &err, MUTUAL_E_STORE_FAILED);
    assert_int_equal(count_things(store), 0);
    assert_fails(store_exec(store, "SELECT * FROM part", &err), &err, MUTUAL_E_STORE_FAILED);
    assert_ok(store_migrate(store, steps, 2, &err), &err);
    store_close(MU_TAKE(store));
    place_remove(&place);
}

UNIT_MAIN(UNIT_CASE(steps_apply_once_and_in_order),
          UNIT_CASE(a_store_of_a_newer_version_is_left_alone),
          UNIT_CASE(an_older_store_opened_for_reading_is_not_upgraded),
          UNIT_CASE(an_edited_step_is_noticed), UNIT_CASE(a_step_that_fails_leaves_the_one_before))
