/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"

static void queries_are_strict(void **state)
{
    (void)state;
    static const char *const bad[] = {"limit=0",
                                      "limit=1001",
                                      "limit=-1",
                                      "limit=",
                                      "limit=1&limit=2",
                                      "limit",
                                      "nosuch=1",
                                      "revoked=maybe",
                                      "ends_before=tomorrow",
                                      "include=key",
                                      "owner=a&owner=b",
                                      "Limit=1",
                                      "owner=%00",
                                      "=1"}; /* %zz is no target at all */
    as(ADMIN_AUDITOR);
    for (size_t i = 0; i < MU_COUNT(bad); i++) {
        char path[256];
        (void)snprintf(path, sizeof path, "/certificates?%s", bad[i]);
        refused("GET", path, NULL, NULL, 400, "OPTION_VALUE");
    }
    json_decref(ask("GET", "/certificates?owner=a%26b+c&revoked=false&", NULL, 200));
}

static void a_cursor_goes_on_only_in_its_own_list(void **state)
{
    (void)state;
    char path[512];
    char cursor[128];
    json_t *page = ask("GET", "/certificates?limit=2", NULL, 200);
    (void)snprintf(cursor, sizeof cursor, "%s", text_of(page, "next"));
    json_decref(page);
    (void)snprintf(path, sizeof path, "/certificates?limit=3&cursor=%s", cursor);
    json_decref(ask("GET", path, NULL, 200));
    (void)snprintf(path, sizeof path, "/certificates?limit=2&profile=user&cursor=%s", cursor);
    refused("GET", path, NULL, NULL, 400, "OPTION_VALUE");
    (void)snprintf(path, sizeof path, "/events?cursor=%s", cursor);
    refused("GET", path, NULL, NULL, 400, "OPTION_VALUE");
    for (size_t i = 0; cursor[i] != '\0'; i++) { /* any one character altered */
        char altered[128];
        (void)snprintf(altered, sizeof altered, "%s", cursor);
        altered[i] = altered[i] == 'A' ? 'B' : 'A';
        (void)snprintf(path, sizeof path, "/certificates?cursor=%s", altered);
        refused("GET", path, NULL, NULL, 400, "OPTION_VALUE");
    }
    refused("GET", "/certificates?cursor=AAAA", NULL, NULL, 400, "OPTION_VALUE");
}

static void pages_follow_each_other_without_gap(void **state)
{
    (void)state;
    json_t *all = ask("GET", "/certificates", NULL, 200);
    size_t total = json_array_size(json_object_get(all, "certificates"));
    size_t seen = 0;
    char path[512] = "/certificates?limit=1";
    for (bool more = true; more;) {
        json_t *page = ask("GET", path, NULL, 200);
        const json_t *one = json_array_get(json_object_get(page, "certificates"), 0);
        const json_t *same = json_array_get(json_object_get(all, "certificates"), seen++);
        assert_true(json_equal((json_t *)(uintptr_t)one, (json_t *)(uintptr_t)same));
        more = !json_is_null(json_object_get(page, "next"));
        if (more) {
            (void)snprintf(path, sizeof path, "/certificates?limit=1&cursor=%s",
                           text_of(page, "next"));
        }
        json_decref(page);
    }
    assert_int_equal(seen, total);
    json_decref(all);
}

ADMIN_MAIN(UNIT_CASE(queries_are_strict), UNIT_CASE(a_cursor_goes_on_only_in_its_own_list),
           UNIT_CASE(pages_follow_each_other_without_gap))
