/* SPDX-License-Identifier: Apache-2.0 */
#include "api_call.h"

#include "unit.h"

static struct api_home home;

static void tell(struct api_world *world, const struct api_request *request,
                 struct api_response *response)
{
    (void)world;
    response->content_type = "text/plain";
    (void)mu_buf_printf(&response->body, "%.*s|%.*s|%s", (int)request->path_rest.len,
                        (const char *)request->path_rest.data, (int)request->body.len,
                        (const char *)request->body.data, request->who);
}

static void tell_other(struct api_world *world, const struct api_request *request,
                       struct api_response *response)
{
    (void)world;
    (void)request;
    (void)mu_buf_text(&response->body, "other");
}

static void spoil(struct api_world *world, const struct api_request *request,
                  struct api_response *response)
{
    (void)world;
    (void)request;
    (void)mu_buf_text(&response->body, "half an answer");
    api_field(response, "X-Broken", "line\r\nInjected: yes");
}

static void tell_issuer(struct api_world *world, const struct api_request *request,
                        struct api_response *response)
{
    (void)request;
    (void)mu_buf_text(&response->body, mu_cert_facts(ca_issuer(world->ca))->display);
}

static const struct api_route first_routes[] = {
    {"GET", "/a", API_ON(API_PLAIN) | API_ON(API_TLS), NULL, 0, tell},
    {"POST", "/a", API_ON(API_TLS), "text/plain", 8, tell},
    {"GET", "/d/*", API_ON(API_TLS), NULL, 0, tell},
    {"GET", "/d/deep/*", API_ON(API_TLS), NULL, 0, tell_other},
    {"GET", "/d/exact", API_ON(API_TLS), NULL, 0, tell_other},
};
static const struct api_route second_routes[] = {
    {"GET", "/proved", API_ON(API_MUTUAL), NULL, 0, tell},
    {"DELETE", "/a", API_ON(API_MUTUAL), NULL, 0, tell},
    {"GET", "/nobody", 0, NULL, 0, tell},
    {"GET", "/spoilt", API_ON(API_TLS), NULL, 0, spoil},
    {"GET", "/issuer", API_ON(API_TLS), NULL, 0, tell_issuer},
};
static const struct api_table first = {"first", first_routes, MU_COUNT(first_routes), NULL};
static const struct api_table second = {"second", second_routes, MU_COUNT(second_routes), NULL};
static const struct api_table *const tables[] = {&first, &second};

static int setup(void **state)
{
    (void)state;
    api_home_init(&home, tables, MU_COUNT(tables));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    api_home_done(&home);
    return 0;
}

static void says(const char *method, const char *target, const char *fields, const char *body,
                 unsigned status, const char *text)
{
    struct api_reply reply = {0};
    api_call(&home, method, target, fields, mu_slice_text(body), &reply);
    assert_int_equal(reply.head.status, status);
    if (text != NULL) {
        assert_true(mu_slice_equal_text(reply.body, text));
    }
    api_reply_done(&reply);
}

static void refuses(const char *method, const char *target, const char *fields, const char *body,
                    unsigned status, const char *code)
{
    struct api_reply reply = {0};
    api_call(&home, method, target, fields, mu_slice_text(body), &reply);
    api_reply_is_problem(&reply, status, code);
    api_reply_done(&reply);
}

static void the_best_path_is_called(void **state)
{
    (void)state;
    api_home_caller(&home, API_TLS, NULL);
    says("GET", "/a", NULL, "", 200, "||192.0.2.1 (enroll)");
    says("GET", "/a?x=1", NULL, "", 200, NULL);
    says("HEAD", "/a", NULL, "", 200, "");
    says("POST", "/a", "Content-Type: text/plain; charset=utf-8\r\n", "body", 200,
         "|body|192.0.2.1 (enroll)");
    says("GET", "/d/x/../y%2f", NULL, "", 200, "x/../y%2f||192.0.2.1 (enroll)");
    says("GET", "/d/deep/x", NULL, "", 200, "other");
    says("GET", "/d/exact", NULL, "", 200, "other");
}

static void an_unknown_path_is_not_found(void **state)
{
    (void)state;
    api_home_caller(&home, API_TLS, NULL);
    static const char *const paths[] = {"/", "/A", "/a/", "/%61", "//a", "/d/", "/d", "/ab"};
    for (size_t i = 0; i < MU_COUNT(paths); i++) {
        refuses("GET", paths[i], NULL, "", 404, "NOT_FOUND");
    }
    refuses("OPTIONS", "*", NULL, "", 404, "NOT_FOUND");
}

static void only_the_named_channels_are_answered(void **state)
{
    (void)state;
    api_home_caller(&home, API_TLS, NULL);
    refuses("GET", "/proved", NULL, "", 403, "NO_CLIENT_CERT");
    refuses("GET", "/nobody", NULL, "", 403, "POLICY_DENIED");
    api_home_caller(&home, API_PLAIN, NULL);
    says("GET", "/a", NULL, "", 200, NULL);
    refuses("GET", "/proved", NULL, "", 403, "NO_CLIENT_CERT");
    refuses("GET", "/d/x", NULL, "", 403, "POLICY_DENIED");
    /* The method of another channel is not told of. */
    refuses("POST", "/a", "Content-Type: text/plain\r\n", "x", 405, "HTTP_UNSUPPORTED");
    struct mu_cert *cert = api_home_issue(&home, "client", "joe", NULL);
    api_home_caller(&home, API_MUTUAL, cert);
    says("GET", "/proved", NULL, "", 200, "||spiffe://example.org/joe (enroll 192.0.2.1)");
    refuses("GET", "/a", NULL, "", 405, "HTTP_UNSUPPORTED");
    refuses("GET", "/nobody", NULL, "", 403, "POLICY_DENIED");
    mu_cert_unref(cert);
}

static void an_unknown_method_is_told_what_is_allowed(void **state)
{
    (void)state;
    api_home_caller(&home, API_TLS, NULL);
    struct api_reply reply = {0};
    struct mu_slice allow = {0};
    api_call(&home, "PUT", "/a", NULL, mu_slice_text(""), &reply);
    api_reply_is_problem(&reply, 405, "HTTP_UNSUPPORTED");
    assert_true(http_field_find(&reply.head, "Allow", &allow));
    assert_true(mu_slice_equal_text(allow, "GET, HEAD, POST"));
    api_reply_done(&reply);
    refuses("DELETE", "/a", NULL, "", 405, "HTTP_UNSUPPORTED");
}

static void bodies_are_of_the_routes_type_and_size(void **state)
{
    (void)state;
    api_home_caller(&home, API_TLS, NULL);
    refuses("POST", "/a", NULL, "x", 415, "HTTP_UNSUPPORTED");
    refuses("POST", "/a", "Content-Type: text/html\r\n", "x", 415, "HTTP_UNSUPPORTED");
    refuses("POST", "/a", "Content-Type: text/plainx\r\n", "x", 415, "HTTP_UNSUPPORTED");
    refuses("POST", "/a", "Content-Type: text/plain\r\nContent-Type: text/plain\r\n", "x", 415,
            "HTTP_UNSUPPORTED");
    refuses("POST", "/a", "Content-Type: text/plain\r\n", "ninebytes", 413, "HTTP_LIMIT");
    refuses("GET", "/a", NULL, "x", 413, "HTTP_LIMIT");
    says("POST", "/a", "Content-Type: TEXT/Plain\r\n", "8 bytes.", 200, NULL);
}

static void an_answer_that_cannot_be_written_is_none(void **state)
{
    (void)state;
    api_home_caller(&home, API_TLS, NULL);
    struct api_reply reply = {0};
    api_call(&home, "GET", "/spoilt", NULL, mu_slice_text(""), &reply);
    api_reply_is_problem(&reply, 500, NULL);
    assert_int_equal(http_field_count(&reply.head, "Injected"), 0);
    api_reply_done(&reply);
}

/* What one request was about is not what the next one gets. */
static void each_request_begins_with_the_first_issuer(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    const struct ca_issuer_options options = {
        .word = "other",
        .key = MU_SPEC_EC_P256,
        .life_s = INT64_C(365) * 24 * 3600,
        .passphrase = "not a secret of anybody",
        .owner = "tests",
        .place = "here",
        .now_s = home.now_s,
    };
    assert_ok(ca_issuer_add(home.ca, &options, &err), &err);
    assert_string_equal(mu_cert_facts(ca_issuer(home.ca))->display, "example.org other");
    api_home_caller(&home, API_TLS, NULL);
    says("GET", "/issuer", NULL, "", 200, "example.org issuer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_CASE(the_best_path_is_called),
        UNIT_CASE(an_unknown_path_is_not_found),
        UNIT_CASE(only_the_named_channels_are_answered),
        UNIT_CASE(an_unknown_method_is_told_what_is_allowed),
        UNIT_CASE(bodies_are_of_the_routes_type_and_size),
        UNIT_CASE(an_answer_that_cannot_be_written_is_none),
        UNIT_CASE(each_request_begins_with_the_first_issuer),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
