/* SPDX-License-Identifier: Apache-2.0
 *
 * A server's connection over bytes in memory: order, keeping, limits, refusals.
 */
#include <stdio.h>
#include <string.h>

#include "http/http_internal.h"
#include "unit.h"

struct served {
    struct http_server_options options;
    struct http_server *server;
    bool later;                    /* the handler does not answer at once */
    struct http_exchange *pending; /* ... but this is to be answered */
    unsigned calls;
    char last[256]; /* "METHOD PATH BODY" */
};

static int64_t fixed_clock(void *context)
{
    (void)context;
    return 784111777;
}

static void answer(struct served *served, struct http_exchange *exchange)
{
    http_answer(exchange, &(struct http_response){.status = 200,
                                                  .content_type = "text/plain",
                                                  .body = mu_slice_text(served->last)});
}

static void handle(void *owner, const struct http_request *request)
{
    struct served *served = owner;
    served->calls++;
    (void)snprintf(served->last, sizeof served->last, "%.*s %.*s %.*s",
                   (int)request->head->method.len, (const char *)request->head->method.data,
                   (int)request->head->path.len, (const char *)request->head->path.data,
                   (int)request->body.len, (const char *)request->body.data);
    served->pending = request->exchange;
    if (!served->later) {
        answer(served, request->exchange);
    }
}

static int setup(void **state)
{
    struct served *served = mu_alloc(1, sizeof *served);
    served->options = (struct http_server_options){
        .handle = handle, .owner = served, .body_max = 16, .clock_s = fixed_clock};
    served->server = http_server_new(&served->options);
    *state = served;
    return served->server != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    struct served *served = *state;
    http_server_free(served->server);
    mu_free(served);
    return 0;
}

/* Feeds it in pieces; returns how much it did not take. */
static size_t feed(struct served *served, const char *text, size_t pace)
{
    struct mu_slice all = mu_slice_text(text);
    struct mu_slice in = {all.data, 0};
    for (size_t given = 0; given < all.len;) {
        size_t more = pace < all.len - given ? pace : all.len - given;
        in.len += more;
        given += more;
        http_server_feed(served->server, &in);
    }
    return in.len;
}

static const char *said(struct served *served)
{
    return mu_buf_str(http_server_out(served->server));
}

#define DATED      "\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
#define HOST       "Host: a\r\n"
#define GET(path_) "GET " path_ " HTTP/1.1\r\n" HOST "\r\n"
#define ANSWER(len_, body_) \
    "HTTP/1.1 200 OK" DATED "Content-Type: text/plain\r\nContent-Length: " len_ "\r\n\r\n" body_

static void requests_are_answered_in_their_order(void **state)
{
    struct served *served = *state;
    for (size_t pace = 1; pace < 200; pace += 13) {
        served->calls = 0;
        mu_buf_clear(http_server_out(served->server));
        assert_int_equal(
            feed(served,
                 GET("/1") "POST /2 HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"
                           "PUT /3 HTTP/1.1\r\n" HOST
                           "Transfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n" GET("/4"),
                 pace),
            0);
        assert_int_equal(served->calls, 4);
        assert_string_equal(said(served), ANSWER("7", "GET /1 ") ANSWER("11", "POST /2 abc")
                                              ANSWER("9", "PUT /3 de") ANSWER("7", "GET /4 "));
        assert_int_equal(http_server_phase(served->server), HTTP_PHASE_IDLE);
    }
}

static void the_next_request_waits_for_the_answer(void **state)
{
    struct served *served = *state;
    served->later = true;
    assert_int_equal(feed(served, GET("/1") GET("/2"), SIZE_MAX), strlen(GET("/2")));
    assert_int_equal(served->calls, 1);
    assert_int_equal(http_server_phase(served->server), HTTP_PHASE_HANDLER);
    answer(served, served->pending);
    assert_string_equal(said(served), ANSWER("7", "GET /1 "));
    assert_int_equal(http_server_phase(served->server), HTTP_PHASE_IDLE);
}

static void a_head_request_gets_no_body(void **state)
{
    struct served *served = *state;
    assert_int_equal(feed(served, "HEAD / HTTP/1.1\r\n" HOST "\r\n", 5), 0);
    assert_string_equal(said(served), ANSWER("7", ""));
}

static void a_body_is_waved_through_when_the_client_waits(void **state)
{
    struct served *served = *state;
    (void)feed(served,
               "POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n", 7);
    assert_string_equal(said(served), "HTTP/1.1 100 Continue\r\n\r\n");
    assert_int_equal(http_server_phase(served->server), HTTP_PHASE_BODY);
    (void)feed(served, "xy", 1);
    assert_string_equal(said(served), "HTTP/1.1 100 Continue\r\n\r\n" ANSWER("9", "POST / xy"));
}

static void connections_are_kept_or_closed_as_they_say(void **state)
{
    struct served *served = *state;
    (void)feed(served, "GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n" GET("/2"), SIZE_MAX);
    assert_int_equal(http_server_phase(served->server), HTTP_PHASE_OVER);
    assert_int_equal(served->calls, 1);
    assert_non_null(strstr(said(served), "\r\nConnection: close\r\n"));
    assert_int_equal(http_server_error(served->server)->code, MUTUAL_OK);
}

static void old_clients_are_answered_once(void **state)
{
    struct served *served = *state;
    (void)feed(served, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 9);
    assert_int_equal(http_server_phase(served->server), HTTP_PHASE_OVER);
    assert_non_null(strstr(said(served), "\r\nConnection: close\r\n"));
}

static void a_connection_has_so_many_requests(void **state)
{
    struct served *served = *state;
    served->options.requests_max = 2;
    (void)feed(served, GET("/1") GET("/2") GET("/3"), SIZE_MAX);
    assert_int_equal(served->calls, 2);
    assert_int_equal(http_server_phase(served->server), HTTP_PHASE_OVER);
}

static void what_is_refused_is_answered_and_ends_it(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *line;
        int code;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", MUTUAL_E_HTTP_MALFORMED},
        {"GET / HTTP/1.1\n", "HTTP/1.1 400 ", MUTUAL_E_HTTP_MALFORMED},
        {"\x16\x03\x01", "HTTP/1.1 400 ", MUTUAL_E_HTTP_MALFORMED},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 17\r\n\r\n", "HTTP/1.1 413 ",
         MUTUAL_E_HTTP_LIMIT},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n11\r\n", "HTTP/1.1 413 ",
         MUTUAL_E_HTTP_LIMIT},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nx\r\n", "HTTP/1.1 400 ",
         MUTUAL_E_HTTP_MALFORMED},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 501 ",
         MUTUAL_E_HTTP_UNSUPPORTED},
        {"CONNECT a:1 HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 501 ", MUTUAL_E_HTTP_UNSUPPORTED},
    };
    for (size_t i = 0; i < MU_COUNT(cases); i++) {
        void *fresh = NULL;
        assert_int_equal(setup(&fresh), 0);
        struct served *served = fresh;
        assert_int_equal(feed(served, cases[i].text, 1), 0);
        assert_int_equal(served->calls, 0);
        assert_int_equal(http_server_phase(served->server), HTTP_PHASE_OVER);
        assert_true(mu_text_starts(said(served), cases[i].line));
        assert_non_null(strstr(said(served), "Connection: close\r\n"));
        assert_int_equal(http_server_error(served->server)->code, cases[i].code);
        (void)teardown(&fresh);
    }
}

static void an_endless_head_is_refused_at_its_limit(void **state)
{
    struct served *served = *state;
    (void)feed(served, "GET / HTTP/1.1\r\n" HOST, SIZE_MAX);
    for (unsigned i = 0; i < 99 && http_server_phase(served->server) != HTTP_PHASE_OVER; i++) {
        char line[1024];
        memset(line, 'a', sizeof line);
        memcpy(line, "X:", 2);
        memcpy(line + sizeof line - 3, "\r\n", 3);
        (void)feed(served, line, SIZE_MAX);
    }
    assert_true(mu_text_starts(said(served), "HTTP/1.1 431 "));
}

static void whoever_is_late_is_told(void **state)
{
    struct served *served = *state;
    (void)feed(served, "GET / HT", SIZE_MAX);
    http_server_late(served->server);
    assert_true(mu_text_starts(said(served), "HTTP/1.1 408 "));
    assert_int_equal(http_server_error(served->server)->code, MUTUAL_E_HTTP_TIMEOUT);
    assert_int_equal(http_server_phase(served->server), HTTP_PHASE_OVER);
}

static void whoever_says_nothing_is_not_answered(void **state)
{
    struct served *served = *state;
    http_server_late(served->server);
    assert_string_equal(said(served), "");
    assert_int_equal(http_server_phase(served->server), HTTP_PHASE_OVER);
    assert_int_equal(http_server_error(served->server)->code, MUTUAL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(requests_are_answered_in_their_order, setup, teardown),
        cmocka_unit_test_setup_teardown(the_next_request_waits_for_the_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(a_head_request_gets_no_body, setup, teardown),
        cmocka_unit_test_setup_teardown(a_body_is_waved_through_when_the_client_waits, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(connections_are_kept_or_closed_as_they_say, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(old_clients_are_answered_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_connection_has_so_many_requests, setup, teardown),
        cmocka_unit_test(what_is_refused_is_answered_and_ends_it),
        cmocka_unit_test_setup_teardown(an_endless_head_is_refused_at_its_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(whoever_is_late_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(whoever_says_nothing_is_not_answered, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
