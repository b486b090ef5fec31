/* SPDX-License-Identifier: Apache-2.0
 *
 * What each list must hold: the complete one, deltas to it, parts; their numbers; what is kept.
 */
#include "support.h"

static int64_t add_in(unsigned shard, int64_t not_after_s, uint8_t serial[20])
{
    struct mutual_error err = {0};
    struct inventory_record record = record_named("listed");
    record.shard = shard;
    record.not_after_s = not_after_s;
    int64_t id = reserve(&record, serial);
    MU_AUTO(cert) struct mu_cert *cert = cert_for(&record);
    assert_ok(inventory_signed(place.inventory, id, cert, &err), &err);
    assert_ok(inventory_delivered(place.inventory, id, &err), &err);
    return id;
}

static void revoke_it(int64_t id, int64_t now_s)
{
    struct mutual_error err = {0};
    assert_ok(inventory_revoke(place.inventory, id, MU_REASON_SUPERSEDED, now_s, &err), &err);
}

/* Makes and keeps the list; yields how many entries it has. */
static struct inventory_list publish(unsigned shard, bool delta, int64_t now_s)
{
    struct mutual_error err = {0};
    MU_AUTO(inventory_revoked) struct inventory_revoked revoked = {0};
    const struct inventory_scope scope = {place.issuer_id, shard, delta};
    struct inventory_list list;
    assert_ok(inventory_list_begin(place.inventory, &scope, now_s, &list, &revoked, &err), &err);
    assert_int_equal(list.entries, revoked.count);
    list.this_update_s = now_s;
    list.next_update_s = now_s + 10 * DAY;
    assert_ok(inventory_list_put(place.inventory, &scope, &list, MU_SLICE_LIT("der"), &err), &err);
    return list;
}

static size_t due(int64_t now_s, unsigned shards[8])
{
    struct mutual_error err = {0};
    size_t count = 0;
    assert_ok(
        inventory_shards_due(place.inventory, place.issuer_id, now_s, shards, 8, &count, &err),
        &err);
    return count;
}

static void a_delta_holds_what_came_after_its_base(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    uint8_t serial[4][20];
    int64_t ids[4];
    const struct inventory_scope delta = {place.issuer_id, 0, true};
    struct inventory_list list;
    struct inventory_revoked none = {0};
    assert_fails(inventory_list_begin(place.inventory, &delta, NOW, &list, &none, &err), &err,
                 MUTUAL_E_NOT_FOUND); /* to what? */
    for (int i = 0; i < 4; i++) {
        ids[i] = add_in(0, NOW + 90 * DAY, serial[i]);
    }
    revoke_it(ids[0], NOW);
    const struct inventory_list base = publish(0, false, NOW);
    assert_int_equal(base.entries, 1);
    assert_int_equal(publish(0, true, NOW).entries, 0);
    revoke_it(ids[1], NOW + 1);
    list = publish(0, true, NOW + 1);
    assert_int_equal(list.entries, 1);
    assert_int_equal(list.base, base.number);
    assert_true(list.number > base.number);
    revoke_it(ids[2], NOW + 2);
    assert_int_equal(publish(0, true, NOW + 2).entries, 2); /* to the same base: both */
    const struct inventory_list whole = publish(0, false, NOW + 3);
    assert_int_equal(whole.entries, 3);
    assert_true(whole.number > list.number);
    revoke_it(ids[3], NOW + 4);
    list = publish(0, true, NOW + 4);
    assert_true(list.entries == 1 && list.base == whole.number);
}

static void an_entry_leaves_after_one_list_past_its_end(void **state)
{
    (void)state;
    uint8_t serial[20];
    assert_int_equal(publish(0, false, NOW + 100 * DAY).entries, 4); /* all have ended just now */
    int64_t id = add_in(0, NOW + 110 * DAY, serial);
    revoke_it(id, NOW + 101 * DAY);
    assert_int_equal(publish(0, true, NOW + 120 * DAY).entries, 1); /* ended before any base */
    assert_int_equal(publish(0, false, NOW + 121 * DAY).entries, 1);
    assert_int_equal(publish(0, false, NOW + 122 * DAY).entries, 0);
}

static void parts_have_numbers_and_entries_of_their_own(void **state)
{
    (void)state;
    uint8_t serial[20];
    unsigned shards[8] = {0};
    int64_t five = add_in(5, NOW + 300 * DAY, serial);
    (void)add_in(7, NOW + 300 * DAY, serial);
    assert_int_equal(due(NOW, shards), 2); /* their lists are missing */
    assert_int_equal(shards[0], 5);
    assert_int_equal(publish(5, false, NOW).number, 1);
    assert_int_equal(publish(7, false, NOW).number, 1);
    assert_int_equal(due(NOW, shards), 0);
    revoke_it(five, NOW + 1);
    assert_int_equal(due(NOW + 1, shards), 1);
    const struct inventory_list list = publish(5, false, NOW + 1);
    assert_true(list.number == 2 && list.entries == 1);
    assert_int_equal(publish(7, false, NOW + 1).entries, 0);
    assert_int_equal(due(NOW + 1, shards), 0);
    assert_int_equal(due(NOW + 6 * DAY, shards), 2); /* past half their life */
    assert_int_equal(due(NOW - DAY, shards), 2);     /* of the future */
}

static void what_was_overtaken_is_not_kept(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    const struct inventory_scope scope = {place.issuer_id, 5, false};
    MU_AUTO(buf) struct mu_buf der;
    struct inventory_list list;
    bool found = false;
    mu_buf_init(&der, 1000);
    const struct inventory_list newer = publish(5, false, NOW + 2);
    struct inventory_list older = newer;
    older.number--;
    assert_ok(inventory_list_put(place.inventory, &scope, &older, MU_SLICE_LIT("old"), &err), &err);
    assert_ok(inventory_list_get(place.inventory, &scope, &list, &der, &found, &err), &err);
    assert_true(found && list.number == newer.number && list.entries == newer.entries);
    assert_true(mu_slice_equal(mu_buf_slice(&der), MU_SLICE_LIT("der")));
    const struct inventory_scope nowhere = {place.issuer_id, 99, false};
    assert_ok(inventory_list_get(place.inventory, &nowhere, &list, NULL, &found, &err), &err);
    assert_false(found);
}

static void the_status_of_a_serial(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct inventory_status status;
    uint8_t serial[20];
    int64_t id = add_in(0, NOW + 300 * DAY, serial);
    const struct mu_slice asked = mu_slice_of(serial, 20);
    assert_ok(inventory_status(place.inventory, place.issuer_id, asked, &status, &err), &err);
    assert_true(status.issued && !status.revoked);
    revoke_it(id, NOW + 9);
    assert_ok(inventory_status(place.inventory, place.issuer_id, asked, &status, &err), &err);
    assert_true(status.revoked && status.revoked_s == NOW + 9);
    assert_int_equal(status.reason, MU_REASON_SUPERSEDED);
    assert_ok(inventory_status(place.inventory, place.issuer_id + 1, asked, &status, &err), &err);
    assert_false(status.issued); /* somebody else's */
    struct inventory_record record = record_named("reserved");
    (void)reserve(&record, serial);
    assert_ok(inventory_status(place.inventory, place.issuer_id, asked, &status, &err), &err);
    assert_false(status.issued); /* nothing was signed */
}

/* A plan of SQLite's. */
static void assert_index_alone(const struct inventory_scope *scope)
{
    MU_AUTO(store_statement) struct store_statement *plan = NULL;
    struct mutual_error err = {0};
    char sql[512];
    bool row = false;
    (void)snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", inventory_list_sql(scope));
    assert_ok(store_prepare(inventory_store(place.inventory), sql, &plan, &err), &err);
    assert_ok(store_step(plan, &row, &err), &err);
    assert_true(row);
    assert_non_null(strstr(store_text(plan, 3), "USING COVERING INDEX certificate_"));
    assert_ok(store_step(plan, &row, &err), &err);
    assert_false(row);
}

static void every_list_is_read_from_an_index_alone(void **state)
{
    (void)state;
    if (place.where != place.path) {
        return; /* PostgreSQL decides by what is in the tables */
    }
    assert_index_alone(&(struct inventory_scope){.issuer_id = 1});
    assert_index_alone(&(struct inventory_scope){.issuer_id = 1, .shard = 3});
    assert_index_alone(&(struct inventory_scope){.issuer_id = 1, .delta = true});
}

INVENTORY_UNIT_MAIN(UNIT_CASE(a_delta_holds_what_came_after_its_base),
                    UNIT_CASE(an_entry_leaves_after_one_list_past_its_end),
                    UNIT_CASE(parts_have_numbers_and_entries_of_their_own),
                    UNIT_CASE(what_was_overtaken_is_not_kept), UNIT_CASE(the_status_of_a_serial),
                    UNIT_CASE(every_list_is_read_from_an_index_alone))
