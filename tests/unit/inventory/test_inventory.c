/* SPDX-License-Identifier: Apache-2.0
 *
 * The schema and what it forbids, opening, transactions of callers.
 */
#include "support.h"

static void it_opens_again_with_what_was_in_it(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct inventory *again = NULL;
    MU_AUTO(inventory_issuers) struct inventory_issuers issuers = {0};
    assert_ok(inventory_open(place.where, STORE_READ, 50, &again, &err), &err);
    assert_ok(inventory_issuers_get(again, &issuers, &err), &err);
    assert_int_equal(issuers.count, 1);
    inventory_close(again);
    assert_fails(inventory_open("/nonexistent/ca.db", STORE_WRITE, 50, &again, &err), &err,
                 MUTUAL_E_FILE_MISSING);
}

static void the_schema_itself_forbids_what_must_not_be(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct store *store = inventory_store(place.inventory);
    uint8_t serial[20];
    struct inventory_record record = record_named("schema");
    int64_t id = reserve(&record, serial);
    static const char *const forbidden[] = {
        "UPDATE certificate SET state = 'issued'",
        "UPDATE certificate SET state = 'signed'",    /* without a certificate */
        "UPDATE certificate SET owner = ''",          /* nobody's */
        "UPDATE certificate SET revoked_s = 1",       /* without a reason */
        "UPDATE certificate SET replaces_id = 99999", /* of nothing */
        "UPDATE certificate SET issuer_id = 99999",   /* by nobody */
        "DELETE FROM issuer",                         /* that has issued */
        "UPDATE certificate SET not_after_s = 'never'",
    };
    for (size_t i = 0; i < MU_COUNT(forbidden); i++) {
        assert_fails(store_exec(store, forbidden[i], &err), &err, MUTUAL_E_STORE_FAILED);
    }
    assert_ok(inventory_abandoned(place.inventory, id, &err), &err);
}

static void a_callers_transaction_holds_several_changes(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct store *store = inventory_store(place.inventory);
    struct inventory_record record = record_named("atomic");
    int64_t id = add(&record);
    assert_ok(store_begin(store, &err), &err);
    assert_ok(inventory_revoke(place.inventory, id, MU_REASON_SUPERSEDED, NOW, &err), &err);
    assert_true(store_in_transaction(store));
    store_rollback(store);
    const struct inventory_filter filter = {.id = id};
    MU_AUTO(inventory_records) struct inventory_records records = all_of(&filter);
    assert_false(records.items[0].revoked);
}

INVENTORY_UNIT_MAIN(UNIT_CASE(it_opens_again_with_what_was_in_it),
                    UNIT_CASE(the_schema_itself_forbids_what_must_not_be),
                    UNIT_CASE(a_callers_transaction_holds_several_changes))
