/* SPDX-License-Identifier: Apache-2.0
 *
 * src/inventory/tally.c: what is added up as it happens is what looking at every row would yield,
 * at any moment, after any sequence of changes.
 */
#include "support.h"

/* Row by row. */
static struct inventory_counts looked_at(int64_t now_s)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    struct mutual_error err = {0};
    bool row = false;
    assert_ok(store_prepare(inventory_store(place.inventory),
                            "SELECT count(CASE WHEN state IN ('signed', 'delivered') THEN 1 END),"
                            " count(CASE WHEN state = 'delivered' AND revoked_s IS NULL"
                            "  AND not_before_s <= $1 AND not_after_s >= $1 THEN 1 END),"
                            " count(CASE WHEN state IN ('signed', 'delivered')"
                            "  AND revoked_s IS NULL AND not_after_s < $1 THEN 1 END),"
                            " count(revoked_s),"
                            " count(CASE WHEN state IN ('reserved', 'signed') THEN 1 END),"
                            " min(CASE WHEN state = 'delivered' AND revoked_s IS NULL"
                            "  AND not_after_s >= $1 THEN not_after_s END) FROM certificate",
                            &read, &err),
              &err);
    store_bind_int(read, 1, now_s);
    assert_ok(store_step(read, &row, &err), &err);
    return (struct inventory_counts){store_int(read, 0), store_int(read, 1), store_int(read, 2),
                                     store_int(read, 3), store_int(read, 4), store_int(read, 5)};
}

static void compare(int64_t now_s)
{
    struct mutual_error err = {0};
    struct inventory_counts counts;
    struct inventory_counts truth = looked_at(now_s);
    assert_ok(inventory_count(place.inventory, now_s, &counts, &err), &err);
    assert_int_equal(counts.total, truth.total);
    assert_int_equal(counts.valid, truth.valid);
    assert_int_equal(counts.expired, truth.expired);
    assert_int_equal(counts.revoked, truth.revoked);
    assert_int_equal(counts.interrupted, truth.interrupted);
    assert_int_equal(counts.next_expiry_s, truth.next_expiry_s);
}

/* What is told of an issuer, as one number for each kind; and the same row by row. */
static void add_up(void *context, enum inventory_tally tally, const char *issuer, const char *word,
                   int64_t count)
{
    int64_t *sums = context;
    assert_string_equal(issuer, "issuer");
    assert_string_equal(word, tally == INVENTORY_ISSUED    ? "server"
                              : tally == INVENTORY_REVOKED ? "5" /* cessation */
                                                           : "");
    sums[tally] += count;
}

static void compare_tallies(void)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    struct mutual_error err = {0};
    int64_t sums[INVENTORY_TALLY_COUNT_] = {0};
    bool row = false;
    assert_ok(inventory_tallies(place.inventory, add_up, sums, &err), &err);
    assert_ok(store_prepare(inventory_store(place.inventory),
                            "SELECT count(CASE WHEN state IN ('signed', 'delivered') THEN 1 END),"
                            " count(revoked_s),"
                            " (SELECT count(*) FROM enrolment_token WHERE used_s IS NOT NULL)"
                            " FROM certificate",
                            &read, &err),
              &err);
    assert_ok(store_step(read, &row, &err), &err);
    for (int i = 0; i < INVENTORY_TALLY_COUNT_; i++) {
        assert_int_equal(sums[i], store_int(read, i));
    }
}

static uint32_t seed = 20261128;
static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % below;
}

/* Ends lie close to each other and to the hour, so that every border is met. */
static int64_t some_end(void)
{
    static const int64_t around[] = {NOW, NOW - NOW % 3600, NOW - NOW % 3600 + 3600, NOW + 90 * DAY,
                                     NOW - 5 * DAY};
    return around[draw(MU_COUNT(around))] + (int64_t)draw(5) - 2;
}

static void change_something(int64_t *ids, size_t *count)
{
    struct mutual_error err = {0};
    struct inventory_record record = record_named("one");
    uint8_t serial[20];
    uint32_t what = draw(10);
    if (what < 3 && *count > 0) {
        (void)inventory_revoke(place.inventory, ids[draw((uint32_t)*count)], MU_REASON_CESSATION,
                               NOW, &err); /* perhaps it was before */
        return;
    }
    record.not_after_s = some_end();
    record.not_before_s = draw(5) == 0 ? NOW + 1 : NOW - 30 * DAY;
    if (record.not_before_s >= record.not_after_s) {
        record.not_before_s = record.not_after_s - DAY;
    }
    int64_t id = reserve(&record, serial);
    if (what == 3) {
        return;
    }
    if (what == 4) {
        assert_ok(inventory_abandoned(place.inventory, id, &err), &err);
        return;
    }
    MU_AUTO(cert) struct mu_cert *cert = cert_for(&record);
    assert_ok(inventory_signed(place.inventory, id, cert, &err), &err);
    if (what > 5) {
        assert_ok(inventory_delivered(place.inventory, id, &err), &err);
    }
    ids[(*count)++] = id;
}

static void the_tally_is_the_truth(void **state)
{
    (void)state;
    static const int64_t at[] = {0, 1, 3599, 3600, -1, -3600, -3601, DAY, -5 * DAY, 90 * DAY};
    int64_t ids[200];
    size_t count = 0;
    for (int i = 0; i < 200; i++) {
        change_something(ids, &count);
        compare(NOW + at[draw(MU_COUNT(at))] + (int64_t)draw(3) - 1);
        compare_tallies();
    }
    for (size_t i = 0; i < MU_COUNT(at); i++) {
        compare(NOW + at[i]);
    }
}

/* What is undone is not counted. */
static void a_rollback_takes_it_back(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct store *store = inventory_store(place.inventory);
    struct inventory_record record = record_named("undone");
    uint8_t serial[20];
    assert_ok(store_begin(store, &err), &err);
    int64_t id = reserve(&record, serial);
    MU_AUTO(cert) struct mu_cert *cert = cert_for(&record);
    assert_ok(inventory_signed(place.inventory, id, cert, &err), &err);
    store_rollback(store);
    compare(NOW);
    assert_ok(inventory_tally_anew(place.inventory, &err), &err);
    compare(NOW);
}

static struct inventory_token_counts count_tokens(int64_t now_s)
{
    struct mutual_error err = {0};
    struct inventory_token_counts counts;
    assert_ok(inventory_token_count(place.inventory, now_s, &counts, &err), &err);
    return counts;
}

static int64_t add_token(const char *name, bool approval)
{
    struct mutual_error err = {0};
    int64_t id = 0;
    const struct inventory_token token = {.hash = mu_slice_text(name),
                                          .name = name,
                                          .profile = "server",
                                          .names = "",
                                          .owner = "",
                                          .place = "",
                                          .purpose = "",
                                          .approval = approval,
                                          .made_s = NOW,
                                          .made_by = "",
                                          .expires_s = NOW + DAY};
    assert_ok(inventory_token_add(place.inventory, &token, &id, &err), &err);
    return id;
}

static void tokens_are_open_then_used_or_over(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct inventory_record record = record_named("by token");
    uint8_t serial[20];
    bool done = false;
    int64_t token = add_token("one", false);
    int64_t asking = add_token("two", true);
    assert_int_equal(count_tokens(NOW).open, 2);
    assert_int_equal(count_tokens(NOW + DAY).open, 0);
    assert_int_equal(count_tokens(NOW + DAY).expired, 2);
    assert_ok(inventory_token_ask(place.inventory, asking, MU_SLICE_LIT("csr"), MU_SLICE_LIT("key"),
                                  "who", NOW, &done, &err),
              &err);
    assert_int_equal(count_tokens(NOW).waiting, 1);
    assert_int_equal(count_tokens(NOW + 2 * DAY).waiting, 1);
    int64_t id = reserve(&record, serial);
    assert_ok(
        inventory_token_take(place.inventory, token, id, MU_SLICE_LIT("key"), NOW, &done, &err),
        &err);
    assert_true(done);
    compare_tallies();
    assert_int_equal(count_tokens(NOW).open, 0);
    assert_ok(inventory_abandoned(place.inventory, id, &err), &err); /* it may be used again */
    compare_tallies();
    assert_int_equal(count_tokens(NOW).open, 1);
    id = reserve(&record, serial);
    assert_ok(
        inventory_token_take(place.inventory, token, id, MU_SLICE_LIT("key"), NOW, &done, &err),
        &err);
    assert_ok(inventory_token_decide(place.inventory, asking, true, NOW, &done, &err), &err);
    assert_int_equal(count_tokens(NOW).open, 1); /* allowed, whenever it comes */
    assert_ok(inventory_tally_anew(place.inventory, &err), &err);
    compare_tallies();
}

INVENTORY_UNIT_MAIN(UNIT_CASE(the_tally_is_the_truth), UNIT_CASE(a_rollback_takes_it_back),
                    UNIT_CASE(tokens_are_open_then_used_or_over))
