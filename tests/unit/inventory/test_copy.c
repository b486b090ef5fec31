/* SPDX-License-Identifier: Apache-2.0
 *
 * Copies: everything arrives, nothing is mixed, numbers go on.
 */
#include "support.h"

static void everything_arrives_and_numbers_go_on(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    char path[160];
    struct inventory_copied copied;
    struct inventory_copied there;
    MU_AUTO(inventory) struct inventory *to = NULL;
    const struct mutual_name names[] = {{MUTUAL_NAME_DNS, "a.example", 9},
                                        {MUTUAL_NAME_IP, "::1", 3}};
    struct inventory_record first = record_named("first");
    first.names = names;
    first.name_count = 2;
    first.machine = "here";
    int64_t old = add(&first);
    struct inventory_record second = record_named("second");
    second.replaces_id = old;
    (void)add(&second);
    assert_ok(inventory_revoke(place.inventory, old, MU_REASON_SUPERSEDED, NOW + 5, &err), &err);
    assert_ok(inventory_event(place.inventory, NOW, "me (1)", "issue", old, "it's", &err), &err);
    (void)snprintf(path, sizeof path, "%s/copy.db", place.directory);
    assert_ok(inventory_open(path, STORE_CREATE, 50, &to, &err), &err);
    assert_ok(inventory_copy(place.inventory, to, &copied, &err), &err);
    assert_ok(inventory_rows(to, &there, &err), &err);
    assert_memory_equal(&copied, &there, sizeof there);
    assert_int_equal(copied.issuers, 1);
    assert_int_equal(copied.certificates, 2);
    assert_int_equal(copied.names, 2);
    assert_int_equal(copied.events, 1);

    struct inventory_records records = {0};
    const struct inventory_filter filter = {.id = old};
    assert_ok(inventory_records_get(to, &filter, 9, &records, &err), &err);
    assert_string_equal(records.items[0].machine, "here");
    assert_true(records.items[0].revoked && records.items[0].revoked_s == NOW + 5);
    assert_int_equal(records.items[0].names[1].type, MUTUAL_NAME_IP);
    assert_true(records.items[0].replaced_by_id != 0);
    inventory_records_done(&records);

    assert_fails(inventory_copy(place.inventory, to, &copied, &err), &err, MUTUAL_E_ALREADY_EXISTS);
    struct inventory *mine = place.inventory;
    place.inventory = to;
    struct inventory_record third = record_named("third");
    assert_true(add(&third) > old);
    place.inventory = mine;
    inventory_close(MU_TAKE(to));
    static const char *const tails[] = {"", "-wal", "-shm", ".lock"};
    for (size_t i = 0; i < MU_COUNT(tails); i++) {
        char file[200];
        (void)snprintf(file, sizeof file, "%s%s", path, tails[i]);
        (void)unlink(file);
    }
}

INVENTORY_UNIT_MAIN(UNIT_CASE(everything_arrives_and_numbers_go_on))
