/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"

static void a_key_is_made_once_shown_once_and_listed_without_its_secret(void **state)
{
    (void)state;
    as(ADMIN_ADMIN);
    json_t *made =
        ask("POST", "/bindings",
            "{\"name\":\"team\",\"names\":[\"*.k8s.example.org\",\"127.0.0.0/8\"]}", 201);
    json_t *page = ask("GET", "/bindings", NULL, 200);
    const json_t *first = json_array_get(json_object_get(page, "bindings"), 0);
    assert_string_equal(text_of(first, "kid"), text_of(made, "kid"));
    assert_null(json_object_get(first, "hmac_key"));
    assert_string_equal(text_of(first, "owner"), "team");
    assert_int_equal(json_array_size(json_object_get(first, "names")), 2);
    assert_string_equal(json_string_value(json_object_get(first, "state")), "open");
    assert_null(json_object_get(first, "account"));
    json_decref(page);
    json_decref(made);
}

static void only_an_admin_may_make_one(void **state)
{
    (void)state;
    as(ADMIN_OPERATOR);
    refused("POST", "/bindings", NULL, "{\"name\":\"team\",\"names\":[\"a.example.org\"]}", 403,
            "ROLE_MISSING");
}

static void pages_go_on_behind_the_last(void **state)
{
    (void)state;
    as(ADMIN_ADMIN);
    json_decref(ask("POST", "/bindings", "{\"name\":\"b\",\"names\":[\"b.example.org\"]}", 201));
    json_t *page = ask("GET", "/bindings?limit=1", NULL, 200);
    char path[512];
    (void)snprintf(path, sizeof path, "/bindings?limit=1&cursor=%s", text_of(page, "next"));
    json_t *rest = ask("GET", path, NULL, 200);
    assert_string_equal(text_of(json_array_get(json_object_get(rest, "bindings"), 0), "name"), "b");
    assert_true(json_is_null(json_object_get(rest, "next")));
    json_decref(rest);
    json_decref(page);
}

static void names_that_nobody_may_give_are_refused(void **state)
{
    (void)state;
    as(ADMIN_ADMIN);
    refused("POST", "/bindings", NULL, "{\"name\":\"x\",\"names\":[]}", 400, "OPTION_VALUE");
    refused("POST", "/bindings", NULL, "{\"name\":\"x\",\"names\":[\"a b\"]}", 400, NULL);
    refused("POST", "/bindings", NULL,
            "{\"name\":\"x\",\"names\":[\"a.example.org\"],\"profile\":\"user\"}", 403,
            "PROFILE_DENIED");
}

/* As many as a key may have, and one more: the schema, the array and the store agree. */
static void as_many_names_as_a_key_may_have(void **state)
{
    (void)state;
    as(ADMIN_ADMIN);
    for (int more = 0; more < 2; more++) {
        MU_AUTO(buf) struct mu_buf body;
        mu_buf_init(&body, 1u << 16);
        mu_buf_text(&body, "{\"name\":\"many\",\"names\":[");
        for (int i = 0; i < ACME_KEY_NAMES_MAX + more; i++) {
            mu_buf_printf(&body, "%s\"n%d.example.org\"", i > 0 ? "," : "", i);
        }
        mu_buf_text(&body, "]}");
        if (more == 0) {
            json_decref(ask("POST", "/bindings", mu_buf_str(&body), 201));
        } else {
            refused("POST", "/bindings", NULL, mu_buf_str(&body), 400, "JSON_MALFORMED");
        }
    }
}

static void one_is_taken_back_once_and_by_an_admin(void **state)
{
    (void)state;
    char path[64];
    as(ADMIN_ADMIN);
    json_t *made = ask("POST", "/bindings", "{\"name\":\"c\",\"names\":[\"c.example.org\"]}", 201);
    (void)snprintf(path, sizeof path, "/bindings/%s", text_of(made, "kid"));
    as(ADMIN_OPERATOR);
    refused("DELETE", path, NULL, NULL, 403, "ROLE_MISSING");
    as(ADMIN_ADMIN);
    json_t *gone = ask("DELETE", path, NULL, 200);
    assert_string_equal(text_of(gone, "withdrawn"), text_of(made, "kid"));
    assert_null(json_object_get(gone, "account"));
    refused("DELETE", path, NULL, NULL, 404, "NOT_FOUND");
    refused("DELETE",
            "/bindings/0123456789012345678901234567890123456789012345678901234567890123456789",
            NULL, NULL, 404, "NOT_FOUND");
    json_decref(gone);
    json_decref(made);
}

ADMIN_MAIN(UNIT_CASE(a_key_is_made_once_shown_once_and_listed_without_its_secret),
           UNIT_CASE(only_an_admin_may_make_one), UNIT_CASE(pages_go_on_behind_the_last),
           UNIT_CASE(names_that_nobody_may_give_are_refused),
           UNIT_CASE(as_many_names_as_a_key_may_have),
           UNIT_CASE(one_is_taken_back_once_and_by_an_admin))
