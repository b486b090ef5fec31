/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit events.
 */
#include "support.h"

static bool check(void *context, const struct inventory_event *event)
{
    unsigned *count = context;
    static const char *const actions[] = {"init", "issue"};
    assert_string_equal(event->action, actions[*count]);
    assert_string_equal(event->who, "alice (1000)");
    assert_int_equal(event->at_s, NOW + *count);
    (*count)++;
    return true;
}

static bool stop(void *context, const struct inventory_event *event)
{
    (void)event;
    unsigned *count = context;
    (*count)++;
    return false;
}

static void events_are_told_in_order(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    unsigned count = 0;
    struct inventory_record record = record_named("web");
    int64_t id = add(&record);
    assert_ok(inventory_event(place.inventory, NOW, "alice (1000)", "init", 0, "x.org", &err),
              &err);
    assert_ok(inventory_event(place.inventory, NOW + 1, "alice (1000)", "issue", id, "web", &err),
              &err);
    assert_ok(inventory_events(place.inventory, check, &count, &err), &err);
    assert_int_equal(count, 2);
    count = 0;
    assert_ok(inventory_events(place.inventory, stop, &count, &err), &err);
    assert_int_equal(count, 1);
    assert_fails(inventory_event(place.inventory, NOW, "a", "issue", 99999, "nothing", &err), &err,
                 MUTUAL_E_STORE_FAILED); /* no such certificate */
}

static void add_events(void)
{
    struct mutual_error err = {0};
    for (int i = 0; i < 5; i++) {
        assert_ok(inventory_event(place.inventory, NOW + i, "bob (7)", "note", 0, "x", &err), &err);
    }
}

static bool is_whole(void)
{
    struct mutual_error err = {0};
    struct inventory_audit audit;
    bool whole = inventory_audit(place.inventory, NULL, &audit, &err);
    assert_true(whole || err.code == MUTUAL_E_AUDIT_BROKEN);
    return whole;
}

static void change(const char *sql)
{
    struct mutual_error err = {0};
    assert_ok(store_exec(place.inventory->store, sql, &err), &err);
}

/* Every column of an event, an event in the middle, two that change places, one that is put in. */
static void whatever_is_done_to_an_event_breaks_the_chain(void **state)
{
    (void)state;
    static const char *const attacks[] = {
        "UPDATE event SET at_s = at_s + 1 WHERE id = (SELECT min(id) + 2 FROM event)",
        "UPDATE event SET who = 'eve' WHERE id = (SELECT min(id) + 2 FROM event)",
        "UPDATE event SET action = 'init' WHERE id = (SELECT min(id) + 2 FROM event)",
        "UPDATE event SET detail = '' WHERE id = (SELECT min(id) + 2 FROM event)",
        "UPDATE event SET who = 'bob (7)n', action = 'ote' WHERE id = (SELECT min(id) + 2 FROM "
        "event)",
        "UPDATE event SET link = NULL WHERE id = (SELECT min(id) + 2 FROM event)",
        "UPDATE event SET certificate_id = (SELECT min(id) FROM certificate)"
        " WHERE id = (SELECT min(id) + 2 FROM event)",
        "DELETE FROM event WHERE id = (SELECT min(id) + 2 FROM event)",
        "DELETE FROM event WHERE id = (SELECT min(id) FROM event)",
        "UPDATE event SET id = id + 1000 WHERE id = (SELECT min(id) + 2 FROM event)",
    };
    struct inventory_record record = record_named("told");
    int64_t id = add(&record);
    for (size_t i = 0; i < MU_COUNT(attacks); i++) {
        struct mutual_error err = {0};
        change("DELETE FROM event");
        assert_ok(inventory_event(place.inventory, NOW, "bob (7)", "issue", id, "told", &err),
                  &err);
        change("DELETE FROM certificate WHERE id NOT IN (SELECT certificate_id FROM event"
               " WHERE certificate_id IS NOT NULL) AND id NOT IN"
               " (SELECT certificate_id FROM certified_name)");
        add_events();
        assert_true(is_whole());
        change(attacks[i]);
        assert_false(is_whole());
    }
}

static void a_certificate_that_no_event_tells_of_is_found(void **state)
{
    (void)state;
    change("DELETE FROM event");
    struct inventory_record record = record_named("hidden");
    (void)add(&record);
    assert_false(is_whole());
}

INVENTORY_UNIT_MAIN(UNIT_CASE(events_are_told_in_order),
                    UNIT_CASE(whatever_is_done_to_an_event_breaks_the_chain),
                    UNIT_CASE(a_certificate_that_no_event_tells_of_is_found))
