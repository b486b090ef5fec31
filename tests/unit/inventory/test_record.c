/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of a certificate's row.
 */
#include "support.h"

static void a_serial_is_taken_once_and_for_ever(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    uint8_t serial[20];
    struct inventory_record record = record_named("once");
    int64_t id = reserve(&record, serial);
    int64_t other = 0;
    bool taken = false;
    assert_ok(inventory_reserve(place.inventory, &record, &taken, &other, &err), &err);
    assert_true(taken && other == 0);
    assert_ok(inventory_abandoned(place.inventory, id, &err), &err);
    assert_ok(inventory_reserve(place.inventory, &record, &taken, &other, &err), &err);
    assert_true(taken);
}

static void a_row_goes_from_reserved_to_delivered(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    uint8_t serial[20];
    const struct mutual_name names[] = {{MUTUAL_NAME_SPIFFE, "spiffe://a/b", 12},
                                        {MUTUAL_NAME_IP, "::1", 3}};
    struct inventory_record record = record_named("whole");
    record.names = names;
    record.name_count = 2;
    int64_t id = reserve(&record, serial);
    const struct inventory_filter interrupted = {.id = id, .interrupted = true};
    MU_AUTO(inventory_records) struct inventory_records reserved = all_of(&interrupted);
    assert_int_equal(reserved.items[0].state, INVENTORY_RESERVED);
    assert_string_equal(reserved.items[0].aside, "/p.new");
    MU_AUTO(cert) struct mu_cert *cert = cert_for(&record);
    assert_ok(inventory_signed(place.inventory, id, cert, &err), &err);
    assert_ok(inventory_delivered(place.inventory, id, &err), &err);
    const struct inventory_filter filter = {.id = id};
    MU_AUTO(inventory_records) struct inventory_records records = all_of(&filter);
    assert_int_equal(records.count, 1);
    const struct inventory_record *read = &records.items[0];
    assert_int_equal(read->state, INVENTORY_DELIVERED);
    assert_true(mu_slice_equal(read->der, mu_cert_facts(cert)->der));
    assert_true(mu_slice_equal(read->serial, mu_cert_facts(cert)->serial));
    assert_string_equal(read->issuer_name, "issuer");
    assert_string_equal(read->aside, "");
    assert_int_equal(read->name_count, 2);
    assert_int_equal(read->names[1].type, MUTUAL_NAME_IP);
    assert_string_equal(read->names[0].text, "spiffe://a/b");
}

static void revoking_is_final(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    uint8_t serial[20];
    struct inventory_record record = record_named("final");
    int64_t id = add(&record);
    assert_ok(inventory_revoke(place.inventory, id, MU_REASON_KEY_COMPROMISE, NOW + 1, &err), &err);
    assert_fails(inventory_revoke(place.inventory, id, MU_REASON_SUPERSEDED, NOW + 2, &err), &err,
                 MUTUAL_E_ALREADY_REVOKED);
    assert_non_null(strstr(err.reason, "keyCompromise"));
    struct inventory_record unsigned_one = record_named("unsigned");
    int64_t reserved = reserve(&unsigned_one, serial);
    assert_fails(inventory_revoke(place.inventory, reserved, MU_REASON_SUPERSEDED, NOW, &err), &err,
                 MUTUAL_E_NOT_FOUND);
    assert_fails(inventory_revoke(place.inventory, 99999, MU_REASON_SUPERSEDED, NOW, &err), &err,
                 MUTUAL_E_NOT_FOUND);
}

static void words_name_states_and_forms(void **state)
{
    (void)state;
    assert_string_equal(inventory_state_word(INVENTORY_RESERVED), "reserved");
    assert_string_equal(inventory_state_word(INVENTORY_ABANDONED), "abandoned");
    assert_string_equal(inventory_form_word(INVENTORY_FORM_P12), "p12");
    assert_string_equal(inventory_form_word(INVENTORY_FORM_NONE), "none");
}

INVENTORY_UNIT_MAIN(UNIT_CASE(a_serial_is_taken_once_and_for_ever),
                    UNIT_CASE(a_row_goes_from_reserved_to_delivered), UNIT_CASE(revoking_is_final),
                    UNIT_CASE(words_name_states_and_forms))
