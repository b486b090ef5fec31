/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"

static void the_greatest_role_of_any_name_counts(void **state)
{
    (void)state;
    for (int i = ADMIN_NOBODY; i < ADMIN_ROLE_COUNT_; i++) {
        as((enum admin_role)i);
        assert_int_equal(admin_role_of(&roles, &home.caller, NULL), i);
    }
}

static void nobody_has_one_by_default(void **state)
{
    (void)state;
    const struct admin_settings none = {0};
    as(ADMIN_ADMIN);
    assert_int_equal(admin_role_of(NULL, &home.caller, NULL), ADMIN_NOBODY);
    assert_int_equal(admin_role_of(&none, &home.caller, NULL), ADMIN_NOBODY);
    home.settings.admin = NULL;
    refused("GET", "/counts", NULL, NULL, 403, "ROLE_MISSING");
    home.settings.admin = &roles;
}

static void only_what_was_proved_counts(void **state)
{
    (void)state;
    as(ADMIN_ADMIN);
    struct api_caller claimed = home.caller; /* names, and nothing that proved them */
    claimed.leaf = NULL;
    assert_int_equal(admin_role_of(&roles, &claimed, NULL), ADMIN_NOBODY);
    claimed = home.caller;
    claimed.channel = API_TLS;
    assert_int_equal(admin_role_of(&roles, &claimed, NULL), ADMIN_NOBODY);
}

static void each_role_may_what_is_its_own(void **state)
{
    (void)state;
    for (int i = ADMIN_NOBODY; i < ADMIN_ROLE_COUNT_; i++) {
        as((enum admin_role)i);
        for (size_t k = 0; k < admin_operation_count; k++) {
            const struct admin_operation *operation = &admin_operations[k];
            static struct api_reply reply;
            char path[128];
            const char *brace = strchr(admin_routes[k].path, '{');
            (void)snprintf(path, sizeof path, "%.*s%s%s",
                           brace != NULL ? (int)(brace - admin_routes[k].path) : 127,
                           admin_routes[k].path, brace != NULL ? "none" : "",
                           brace != NULL ? strchr(brace, '}') + 1 : "");
            call(admin_routes[k].method, path + strlen(ADMIN_PATH), NULL,
                 operation->takes != NULL ? "{}" : NULL, &reply);
            assert_int_equal(reply.head.status == 403, i < (int)operation->role);
            api_reply_done(&reply);
        }
    }
}

static void nobody_makes_himself_more_than_he_is(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf wish;
    as(ADMIN_OPERATOR);
    refused("POST", "/tokens", NULL, "{\"name\":\"admin\",\"profile\":\"user\"}", 403,
            "ROLE_MISSING");
    refused(
        "POST", "/tokens", NULL,
        "{\"name\":\"x\",\"profile\":\"client\",\"names\":[\"spiffe://example.org/user/admin\"]}",
        403, "ROLE_MISSING");
    put_wish("admin", &wish);
    json_decref(ask("POST", "/certificates", mu_buf_str(&wish), 201)); /* a client, not the user */
    json_decref(ask("POST", "/tokens", "{\"name\":\"operator\",\"profile\":\"user\"}", 201));
    struct admin_holder by_name = {.role = ADMIN_ADMIN};
    struct mutual_error err = {0};
    assert_ok(mutual_pattern_parse(MUTUAL_NAME_CN, "chief", &by_name.who, &err), &err);
    holders[roles.count++] = by_name;
    refused("POST", "/tokens", NULL, "{\"name\":\"chief\",\"profile\":\"client\"}", 403,
            "ROLE_MISSING");
    as(ADMIN_ADMIN);
    json_decref(ask("POST", "/tokens", "{\"name\":\"admin\",\"profile\":\"user\"}", 201));
}

static void the_machine_itself_may_everything(void **state)
{
    (void)state;
    api_home_caller(&home, API_LOCAL, NULL);
    home.caller.user = "joe (1000)";
    json_decref(ask("POST", "/tokens", "{\"name\":\"web\"}", 201));
    json_t *page = ask("GET", "/tokens", NULL, 200);
    const json_t *token = json_array_get(json_object_get(page, "tokens"), 0);
    assert_string_equal(text_of(token, "made_by"), "joe (1000)");
    json_decref(page);
}

/* Who made the last token. */
static void last_maker(char *out, size_t size)
{
    json_t *page = ask("GET", "/tokens?limit=1000", NULL, 200);
    const json_t *tokens = json_object_get(page, "tokens");
    (void)snprintf(out, size, "%s",
                   text_of(json_array_get(tokens, json_array_size(tokens) - 1), "made_by"));
    json_decref(page);
}

static void two_with_a_name_in_common_are_two(void **state)
{
    (void)state;
    static const char key[] = JSON "Idempotency-Key: common\r\n";
    static const char common[] = "shared.example.org";
    static const char right[] = "spiffe://example.org/user/admin";
    const struct mutual_name names[] = {{MUTUAL_NAME_DNS, common, strlen(common)},
                                        {MUTUAL_NAME_SPIFFE, right, strlen(right)}};
    static struct api_reply reply;
    char who[2][512];
    const enum admin_role leaves[] = {ADMIN_ADMIN, ADMIN_OPERATOR}; /* two certificates */
    for (size_t i = 0; i < 2; i++) {
        as(leaves[i]);
        home.caller.names = names;
        home.caller.name_count = MU_COUNT(names);
        call("POST", "/tokens", key, "{\"name\":\"web\"}", &reply);
        assert_int_equal(reply.head.status, 201); /* and not that his key was used */
        api_reply_done(&reply);
        last_maker(who[i], sizeof who[i]);
        assert_memory_equal(who[i], right, strlen(right));
        assert_non_null(strstr(who[i], " serial "));
    }
    assert_string_not_equal(who[0], who[1]);
}

static void who_is_too_long_to_write_down_is_refused(void **state)
{
    (void)state;
    static char text[API_WHO_MAX + 1];
    memset(text, 'a', sizeof text - 1);
    const struct mutual_name name = {MUTUAL_NAME_DNS, text, sizeof text - 1};
    as(ADMIN_ADMIN);
    home.caller.names = &name;
    home.caller.name_count = 1;
    refused("GET", "/counts", NULL, NULL, 403, "LIMIT");
}

ADMIN_MAIN(UNIT_CASE(the_greatest_role_of_any_name_counts), UNIT_CASE(nobody_has_one_by_default),
           UNIT_CASE(only_what_was_proved_counts), UNIT_CASE(each_role_may_what_is_its_own),
           UNIT_CASE(the_machine_itself_may_everything),
           UNIT_CASE(nobody_makes_himself_more_than_he_is),
           UNIT_CASE(two_with_a_name_in_common_are_two),
           UNIT_CASE(who_is_too_long_to_write_down_is_refused))
