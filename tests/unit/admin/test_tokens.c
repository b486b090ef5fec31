/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"

static void a_token_is_made_listed_and_taken_back(void **state)
{
    (void)state;
    char path[64];
    as(ADMIN_OPERATOR);
    json_t *made = ask("POST", "/tokens",
                       "{\"name\":\"web\",\"ttl\":60,\"names\":[\"dns:web.example.org\"]}", 201);
    assert_true(mu_text_starts(text_of(made, "token"), "mutual-"));
    assert_string_equal(text_of(made, "url"), "https://ca.example.org");
    json_t *page = ask("GET", "/tokens?name=web", NULL, 200);
    const json_t *one = json_array_get(json_object_get(page, "tokens"), 0);
    assert_int_equal(number_of(one, "id"), number_of(made, "id"));
    assert_null(json_object_get(one, "token"));
    (void)snprintf(path, sizeof path, "/tokens/%lld", (long long)number_of(made, "id"));
    json_decref(ask("GET", path, NULL, 200));
    refused("DELETE", path, "If-Match: \"stale\"\r\n", NULL, 412, "CHANGED");
    json_decref(ask("DELETE", path, NULL, 200));
    refused("DELETE", path, NULL, NULL, 404, "NOT_FOUND");
    refused("GET", path, NULL, NULL, 404, "NOT_FOUND");
    json_decref(page);
    json_decref(made);
}

static void nobody_decides_on_what_does_not_wait(void **state)
{
    (void)state;
    char path[64];
    as(ADMIN_OPERATOR);
    json_t *made = ask("POST", "/tokens", "{\"name\":\"slow\",\"approval\":true}", 201);
    (void)snprintf(path, sizeof path, "/requests/%lld/approve", (long long)number_of(made, "id"));
    refused("POST", path, NULL, NULL, 404, "NOT_FOUND");
    refused("POST", "/requests/0/approve", NULL, NULL, 404, "NOT_FOUND");
    refused("POST", "/requests/9999999999999999999999/refuse", NULL, NULL, 404, "NOT_FOUND");
    refused("POST", "/requests/-1/refuse", NULL, NULL, 404, "NOT_FOUND");
    json_t *page = ask("GET", "/requests", NULL, 200);
    assert_int_equal(json_array_size(json_object_get(page, "tokens")), 0);
    json_decref(page);
    json_decref(made);
}

static void what_would_be_refused_later_is_refused_now(void **state)
{
    (void)state;
    as(ADMIN_OPERATOR);
    refused("POST", "/tokens", NULL, "{\"name\":\"web\",\"names\":[\"dns:www.example.com\"]}", 403,
            "ISSUER_CONSTRAINT");
    refused("POST", "/tokens", NULL, "{\"name\":\"../x\"}", 400, "NAME_MALFORMED");
    refused("POST", "/tokens", NULL, "{\"name\":\"web\",\"url\":\"http://ca.example.org\"}", 400,
            NULL);
}

static void both_filters_of_tokens_are_heeded(void **state)
{
    (void)state;
    as(ADMIN_OPERATOR);
    json_decref(ask("POST", "/tokens", "{\"name\":\"plain1\",\"approval\":true}", 201));
    json_t *page = ask("GET", "/tokens?name=plain1", NULL, 200);
    assert_int_equal(json_array_size(json_object_get(page, "tokens")), 1);
    json_decref(page);
    page = ask("GET", "/tokens?name=plain1&state=pending", NULL, 200); /* nobody asked by it */
    assert_int_equal(json_array_size(json_object_get(page, "tokens")), 0);
    json_decref(page);
}

static void pages_go_on_behind_the_last(void **state)
{
    (void)state;
    char path[512];
    as(ADMIN_OPERATOR);
    json_decref(ask("POST", "/tokens", "{\"name\":\"paged\"}", 201));
    json_decref(ask("POST", "/tokens", "{\"name\":\"paged\"}", 201));
    json_t *page = ask("GET", "/tokens?name=paged&limit=1", NULL, 200);
    (void)snprintf(path, sizeof path, "/tokens?name=paged&limit=1&cursor=%s",
                   text_of(page, "next"));
    json_t *rest = ask("GET", path, NULL, 200);
    const json_t *first = json_array_get(json_object_get(page, "tokens"), 0);
    const json_t *second = json_array_get(json_object_get(rest, "tokens"), 0);
    assert_int_equal(json_array_size(json_object_get(page, "tokens")), 1);
    assert_int_equal(json_array_size(json_object_get(rest, "tokens")), 1);
    assert_true(number_of(second, "id") > number_of(first, "id"));
    assert_true(json_is_null(json_object_get(rest, "next")));
    json_decref(rest);
    json_decref(page);
}

ADMIN_MAIN(UNIT_CASE(pages_go_on_behind_the_last), UNIT_CASE(both_filters_of_tokens_are_heeded),
           UNIT_CASE(a_token_is_made_listed_and_taken_back),
           UNIT_CASE(nobody_decides_on_what_does_not_wait),
           UNIT_CASE(what_would_be_refused_later_is_refused_now))
