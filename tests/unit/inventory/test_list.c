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

static struct inventory_list begin_list(unsigned shard, bool delta, int64_t now_s)
{
    struct mutual_error err = {0};
    MU_AUTO(inventory_revoked) struct inventory_revoked revoked = {0};
    const struct inventory_scope scope = {place.issuer_id, shard, delta};
    struct inventory_list list;
    assert_ok(inventory_list_begin(place.inventory, &scope, now_s, &list, &revoked, &err), &err);
    assert_int_equal(list.entries, revoked.count);
    list.this_update_s = now_s;
    list.next_update_s = now_s + 10 * DAY;
    return list;
}

static void keep(unsigned shard, bool delta, const struct inventory_list *list)
{
    struct mutual_error err = {0};
    const struct inventory_scope scope = {place.issuer_id, shard, delta};
    assert_ok(inventory_list_put(place.inventory, &scope, list, MU_SLICE_LIT("der"), &err), &err);
}

/* Makes and keeps the list; yields how many entries it has. */
static struct inventory_list publish(unsigned shard, bool delta, int64_t now_s)
{
    const struct inventory_list list = begin_list(shard, delta, now_s);
    keep(shard, delta, &list);
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

static struct inventory_issuer the_issuer(void)
{
    struct mutual_error err = {0};
    MU_AUTO(inventory_issuers) struct inventory_issuers issuers = {0};
    assert_ok(inventory_issuers_get(place.inventory, &issuers, &err), &err);
    struct inventory_issuer issuer = issuers.items[0];
    issuer.name = issuer.word = issuer.key_place = NULL; /* they go */
    return issuer;
}

/* While it is written and signed others work, who may take no number. */
static void what_is_revoked_while_a_list_is_made_leaves_it_due(void **state)
{
    (void)state;
    uint8_t serial[20];
    const int64_t end_s = NOW + 900 * DAY;
    int64_t ids[3];
    for (int i = 0; i < 3; i++) {
        ids[i] = add_in(0, end_s, serial);
    }
    (void)publish(0, false, NOW + 500 * DAY); /* all before have ended */
    revoke_it(ids[0], NOW + 500 * DAY);
    struct inventory_list list = begin_list(0, false, NOW + 500 * DAY);
    revoke_it(ids[1], NOW + 500 * DAY + 1);
    keep(0, false, &list);
    assert_true(the_issuer().crl_due);
    assert_int_equal(list.entries, 1);
    assert_int_equal(publish(0, false, NOW + 500 * DAY + 2).entries, 2);
    assert_false(the_issuer().crl_due);
    /* Its delta takes a number as well: the list is not the last, and yet the one that is kept. */
    list = begin_list(0, false, NOW + 500 * DAY + 3);
    revoke_it(ids[2], NOW + 500 * DAY + 4);
    assert_int_equal(publish(0, true, NOW + 500 * DAY + 4).entries, 1);
    keep(0, false, &list);
    const struct inventory_issuer issuer = the_issuer();
    assert_true(issuer.crl_due && issuer.crl_number > list.number);
    assert_true(issuer.crl_this_update_s == list.this_update_s);
    assert_true(issuer.crl_next_update_s == list.next_update_s);
    (void)publish(0, false, NOW + 500 * DAY + 5);
    assert_false(the_issuer().crl_due);
    /* A delta alone leaves nothing due. */
    list = begin_list(0, false, NOW + 500 * DAY + 6);
    (void)begin_list(0, true, NOW + 500 * DAY + 6);
    keep(0, false, &list);
    assert_false(the_issuer().crl_due);
    assert_true(the_issuer().crl_this_update_s == NOW + 500 * DAY + 6);
}

static void so_it_is_with_a_part(void **state)
{
    (void)state;
    uint8_t serial[20];
    unsigned shards[8] = {0};
    const int64_t now_s = NOW + 500 * DAY;
    int64_t first = add_in(9, NOW + 900 * DAY, serial);
    int64_t second = add_in(9, NOW + 900 * DAY, serial);
    (void)publish(5, false, now_s);
    (void)publish(7, false, now_s);
    struct inventory_list list = begin_list(9, false, now_s);
    revoke_it(first, now_s + 1);
    keep(9, false, &list);
    assert_int_equal(due(now_s + 1, shards), 1);
    assert_int_equal(shards[0], 9);
    assert_int_equal(publish(9, false, now_s + 2).entries, 1);
    assert_int_equal(due(now_s + 2, shards), 0);
    (void)begin_list(9, false, now_s + 3); /* whose process is killed */
    revoke_it(second, now_s + 4);
    assert_int_equal(due(now_s + 4, shards), 1);
    assert_int_equal(publish(9, false, now_s + 5).entries, 2);
    assert_int_equal(due(now_s + 5, shards), 0);
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
                    UNIT_CASE(what_is_revoked_while_a_list_is_made_leaves_it_due),
                    UNIT_CASE(so_it_is_with_a_part),
                    UNIT_CASE(every_list_is_read_from_an_index_alone))
