/* SPDX-License-Identifier: Apache-2.0
 *
 * Filters, copies and counts.
 */
#include "support.h"

static int64_t ids[5];

static int fill(void **state)
{
    struct mutual_error err = {0};
    if (place_make(state) != 0) {
        return 1;
    }
    static const struct {
        const char *name, *owner, *place, *purpose, *profile;
        int64_t days;
    } rows[] = {
        {"a", "red", "here", "shop", "server", 5},   {"b", "red", "there", "shop", "client", 50},
        {"c", "blue", "here", "mail", "server", -1}, {"c", "blue", "here", "mail", "server", 100},
        {"d", "blue", "here", "mail", "user", 200},
    };
    const struct mutual_name name = {MUTUAL_NAME_EMAIL, "d@x.org", 7};
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct inventory_record record = record_named(rows[i].name);
        record.owner = rows[i].owner;
        record.place = rows[i].place;
        record.purpose = rows[i].purpose;
        record.profile = rows[i].profile;
        record.not_before_s = NOW - 10 * DAY;
        record.not_after_s = NOW + rows[i].days * DAY;
        record.replaces_id = i == 3 ? ids[2] : 0;
        record.names = &name;
        record.name_count = i == 4;
        ids[i] = add(&record);
    }
    uint8_t serial[20];
    struct inventory_record record = record_named("reserved");
    (void)reserve(&record, serial);
    return inventory_revoke(place.inventory, ids[1], MU_REASON_CESSATION, NOW, &err) ? 0 : 1;
}

/* The rows that the filter lets through, as bits in the order of ids. */
static unsigned found(struct inventory_filter filter)
{
    unsigned bits = 0;
    MU_AUTO(inventory_records) struct inventory_records records = all_of(&filter);
    for (size_t i = 0; i < records.count; i++) {
        for (unsigned k = 0; k < 5; k++) {
            bits |= records.items[i].id == ids[k] ? 1u << k : 0;
        }
        assert_true(i == 0 || records.items[i - 1].not_after_s <= records.items[i].not_after_s);
    }
    return bits;
}

#define FIND(...) found((struct inventory_filter){__VA_ARGS__})

static void every_filter_lets_through_what_it_names(void **state)
{
    (void)state;
    assert_int_equal(FIND(0), 31);
    assert_int_equal(FIND(.who = "c"), 4 | 8);
    assert_int_equal(FIND(.who = "d@x.org"), 16);
    assert_int_equal(FIND(.who = "c' OR '1'='1"), 0);
    assert_int_equal(FIND(.owner = "red"), 3);
    assert_int_equal(FIND(.place = "there"), 2);
    assert_int_equal(FIND(.purpose = "mail", .profile = "server"), 12);
    assert_int_equal(FIND(.issuer = "issuer"), 31);
    assert_int_equal(FIND(.issuer = "other"), 0);
    assert_int_equal(FIND(.expires_before_s = NOW + 14 * DAY), 5);
    assert_int_equal(FIND(.valid_at_s = NOW), 1 | 8 | 16);
    assert_int_equal(FIND(.revoked = true), 2);
    assert_int_equal(FIND(.limit = 1), 4);
    const struct inventory_filter interrupted = {.interrupted = true};
    MU_AUTO(inventory_records) struct inventory_records records = all_of(&interrupted);
    assert_int_equal(records.count, 1);
    assert_string_equal(records.items[0].name, "reserved");
}

static void serials_and_fingerprints_name_one(void **state)
{
    (void)state;
    const struct inventory_filter third = {.id = ids[2]};
    MU_AUTO(inventory_records) struct inventory_records records = all_of(&third);
    const struct inventory_record *record = &records.items[0];
    assert_int_equal(FIND(.serial = record->serial), 4);
    assert_int_equal(FIND(.serial_begin = {record->serial.data, 6}), 4);
    assert_int_equal(FIND(.fingerprint = record->fingerprint), 4);
    assert_int_equal(record->replaced_by_id, ids[3]);
    const struct inventory_filter all = {0};
    struct mutual_error err = {0};
    struct inventory_records none = {0};
    assert_fails(inventory_records_get(place.inventory, &all, 2, &none, &err), &err,
                 MUTUAL_E_LIMIT);
}

/* How often the database was asked for all that the filter lets through. */
static uint64_t asked_for(struct inventory_filter filter)
{
    const struct store_figures *figures = store_figures(inventory_store(place.inventory));
    uint64_t before = figures->asked;
    MU_AUTO(inventory_records) struct inventory_records records = all_of(&filter);
    assert_true(records.count > 0);
    return figures->asked - before;
}

#define ASKED(...) asked_for((struct inventory_filter){__VA_ARGS__})

/* A wait for the server for each certificate made pages slow that the database answers at once. */
static void a_page_is_one_question_however_many_are_on_it(void **state)
{
    (void)state;
    assert_int_equal(ASKED(.limit = 1), 1);
    assert_int_equal(ASKED(.limit = 5), 1);
    assert_int_equal(ASKED(.limit = 1000), 1);
    assert_int_equal(ASKED(.owner = "blue", .limit = 50), 1);
    assert_int_equal(ASKED(.valid_at_s = NOW, .limit = 50), 1);
    assert_int_equal(ASKED(.revoked = true, .limit = 50), 1);
    assert_int_equal(ASKED(.expires_before_s = NOW + 14 * DAY, .limit = 50), 1);
    assert_in_range(ASKED(0), 1, 4); /* a walk in pieces has a beginning and an end on a server */
    assert_in_range(ASKED(.who = "c"), 1, 4);
}

static void the_counts_add_up(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct inventory_counts counts;
    assert_ok(inventory_count(place.inventory, NOW, &counts, &err), &err);
    assert_int_equal(counts.total, 5);
    assert_int_equal(counts.valid, 3);
    assert_int_equal(counts.expired, 1);
    assert_int_equal(counts.revoked, 1);
    assert_int_equal(counts.interrupted, 1);
    assert_int_equal(counts.next_expiry_s, NOW + 5 * DAY);
}

/* Whose names these are, in their order, told apart from the neighbours'. */
static void assert_names(const struct inventory_record *record, size_t count)
{
    assert_int_equal(record->name_count, count);
    assert_true(record->der.len > 0);
    for (size_t i = 0; i < count; i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "n%zu.%s", i, record->name);
        assert_int_equal(record->names[i].type, MUTUAL_NAME_DNS);
        assert_int_equal(record->names[i].len, strlen(text));
        assert_string_equal(record->names[i].text, text);
    }
}

static void add_many_named(const char *of, size_t count)
{
    static char texts[MU_LIMIT_CERT_NAMES][64];
    struct mutual_name names[MU_LIMIT_CERT_NAMES];
    for (size_t i = 0; i < count; i++) {
        int len = snprintf(texts[i], sizeof texts[i], "n%zu.%s", i, of);
        names[i] = (struct mutual_name){MUTUAL_NAME_DNS, texts[i], (size_t)len};
    }
    struct inventory_record record = record_named(of);
    record.owner = "many";
    record.names = names;
    record.name_count = count;
    (void)add(&record);
}

/* More rows than a server hands over at once, with a piece that ends inside of a certificate. */
static void every_certificate_has_its_own_names_in_their_order(void **state)
{
    (void)state;
    static const size_t counts[] = {MU_LIMIT_CERT_NAMES, 0, 1, MU_LIMIT_CERT_NAMES - 1, 100};
    for (size_t i = 0; i < MU_COUNT(counts); i++) {
        const char name[] = {(char)('p' + i), '\0'};
        add_many_named(name, counts[i]);
    }
    struct mutual_error err = {0};
    assert_ok(store_exec(inventory_store(place.inventory),
                         "UPDATE certified_name SET type = 'of the future' WHERE value = 'n99.t'",
                         &err),
              &err);
    for (int64_t limit = 0; limit <= 50; limit += 50) {
        const struct inventory_filter many = {.owner = "many", .limit = limit};
        MU_AUTO(inventory_records) struct inventory_records records = all_of(&many);
        assert_int_equal(records.count, MU_COUNT(counts));
        for (size_t i = 0; i < records.count; i++) {
            assert_names(&records.items[i], counts[i] == 100 ? 99 : counts[i]);
        }
    }
}

/* Those asked for last end first. */
static void the_interrupted_come_in_pages_too(void **state)
{
    (void)state;
    struct inventory_filter filter = {.owner = "cut off", .interrupted = true, .limit = 2};
    int64_t made[4];
    for (int i = 0; i < 4; i++) {
        uint8_t serial[20];
        struct inventory_record record = record_named("cut");
        record.owner = "cut off";
        record.not_after_s = NOW + (9 - i) * DAY;
        made[i] = reserve(&record, serial);
    }
    for (int at = 3; at > 0; at -= 2) {
        MU_AUTO(inventory_records) struct inventory_records page = all_of(&filter);
        assert_int_equal(page.count, 2);
        assert_true(page.items[0].id == made[at] && page.items[1].id == made[at - 1]);
        filter.after_s = page.items[1].not_after_s;
        filter.after_id = page.items[1].id;
    }
    MU_AUTO(inventory_records) struct inventory_records none = all_of(&filter);
    assert_int_equal(none.count, 0);
    filter = (struct inventory_filter){
        .owner = "cut off", .interrupted = true, .limit = 2, .oldest = true};
    MU_AUTO(inventory_records) struct inventory_records oldest = all_of(&filter);
    assert_int_equal(oldest.count, 2);
    assert_true(oldest.items[0].id == made[1] && oldest.items[1].id == made[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_CASE(every_filter_lets_through_what_it_names),
        UNIT_CASE(serials_and_fingerprints_name_one),
        UNIT_CASE(the_counts_add_up),
        UNIT_CASE(a_page_is_one_question_however_many_are_on_it),
        UNIT_CASE(every_certificate_has_its_own_names_in_their_order),
        UNIT_CASE(the_interrupted_come_in_pages_too)};
    return cmocka_run_group_tests(tests, fill, place_remove);
}
