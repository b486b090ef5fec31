/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"

static void every_change_is_an_event_that_says_who(void **state)
{
    (void)state;
    char serial[64];
    as(ADMIN_OPERATOR);
    issue("told", serial);
    as(ADMIN_AUDITOR);
    json_t *page = ask("GET", "/events?limit=1000", NULL, 200);
    const json_t *events = json_object_get(page, "events");
    const json_t *last = json_array_get(events, json_array_size(events) - 1);
    assert_string_equal(text_of(last, "action"), "issue");
    const char *who = text_of(last, "who");
    static const char name[] = "spiffe://example.org/user/operator serial ";
    assert_true(strncmp(who, name, strlen(name)) == 0);
    assert_non_null(strstr(who, " (enroll 192.0.2.1)"));
    json_decref(page);
}

static void pages_hold_each_event_once(void **state)
{
    (void)state;
    char path[512] = "/events?limit=2";
    int64_t before = 0;
    size_t pages = 0;
    for (bool more = true; more; pages++) {
        json_t *page = ask("GET", path, NULL, 200);
        const json_t *events = json_object_get(page, "events");
        for (size_t i = 0; i < json_array_size(events); i++) {
            int64_t id = number_of(json_array_get(events, i), "id");
            assert_true(id == before + 1);
            before = id;
        }
        more = !json_is_null(json_object_get(page, "next"));
        if (more) {
            (void)snprintf(path, sizeof path, "/events?limit=2&cursor=%s", text_of(page, "next"));
        }
        json_decref(page);
    }
    assert_true(pages >= 3);
}

static void what_was_altered_is_found(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    json_t *whole = ask("GET", "/events/verification", NULL, 200);
    char path[256];
    (void)snprintf(path, sizeof path, "/events/verification?head=%s", text_of(whole, "head"));
    json_decref(ask("GET", path, NULL, 200));
    refused("GET", "/events/verification?head=2:00", NULL, NULL, 400, "OPTION_VALUE");
    struct store *store = inventory_store(ca_inventory(home.ca));
    assert_ok(store_exec(store, "UPDATE event SET who = 'somebody else' WHERE id = 2", &err), &err);
    refused("GET", "/events/verification", NULL, NULL, 500, "AUDIT_BROKEN");
    json_decref(whole);
}

ADMIN_MAIN(UNIT_CASE(every_change_is_an_event_that_says_who), UNIT_CASE(pages_hold_each_event_once),
           UNIT_CASE(what_was_altered_is_found))
