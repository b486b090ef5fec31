/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"

static void issuers_and_counts_are_told(void **state)
{
    (void)state;
    as(ADMIN_AUDITOR);
    json_t *list = ask("GET", "/issuers", NULL, 200);
    const json_t *first = json_array_get(json_object_get(list, "issuers"), 0);
    assert_string_equal(text_of(first, "name"), "issuer");
    assert_string_equal(text_of(first, "domain"), "example.org");
    json_decref(list);
    json_t *counts = ask("GET", "/counts", NULL, 200);
    assert_int_equal(number_of(counts, "total"), number_of(counts, "valid"));
    assert_true(number_of(counts, "total") >= 6);
    json_decref(counts);
}

static void a_profile_is_the_rule_that_judges(void **state)
{
    (void)state;
    static struct api_reply reply;
    const struct ca_profile *profile = NULL;
    struct ca_rule rule;
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 1u << 16);
    assert_ok(ca_profile_of(home.ca, "server", &profile, &err), &err);
    ca_rule_of(home.ca, profile, &rule);
    ca_rule_describe(&rule, false, &text);
    call("GET", "/profiles/server", "Accept: text/plain\r\n", NULL, &reply);
    assert_true(mu_slice_equal(reply.body, mu_buf_slice(&text)));
    api_reply_done(&reply);
    json_t *all = ask("GET", "/profiles?issuer=issuer", NULL, 200);
    assert_true(json_array_size(json_object_get(all, "profiles")) >= 5);
    json_decref(all);
}

static void what_is_not_there_is_not_found(void **state)
{
    (void)state;
    refused("GET", "/profiles/none", NULL, NULL, 404, "NOT_FOUND");
    refused("GET", "/profiles?issuer=none", NULL, NULL, 404, "NOT_FOUND");
}

ADMIN_MAIN(UNIT_CASE(issuers_and_counts_are_told), UNIT_CASE(a_profile_is_the_rule_that_judges),
           UNIT_CASE(what_is_not_there_is_not_found))
