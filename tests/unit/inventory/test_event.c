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

INVENTORY_UNIT_MAIN(UNIT_CASE(events_are_told_in_order))
