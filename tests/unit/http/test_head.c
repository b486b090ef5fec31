/* SPDX-License-Identifier: Apache-2.0
 *
 * Heads: a table of messages that two readers could understand differently, each read at once and
 * byte by byte, and what is found in those that are taken.
 */
#include <string.h>

#include "http/http_internal.h"
#include "unit.h"

static struct mutual_error err;

enum {
    TAKEN = MUTUAL_OK,
    BAD = MUTUAL_E_HTTP_MALFORMED,
    ODD = MUTUAL_E_HTTP_UNSUPPORTED,
    BIG = MUTUAL_E_HTTP_LIMIT
};

struct message {
    const char *bytes;
    int code;
    size_t len; /* 0: strlen */
};

#define GET  "GET / HTTP/1.1\r\n"
#define POST "POST /a HTTP/1.1\r\nHost: a\r\n"
#define HOST "Host: a.example\r\n"

static const struct message requests[] = {
    /* taken */
    {GET HOST "\r\n", TAKEN, 0},
    {"GET /a/b%20c?d=e&f HTTP/1.1\r\nHost: a.example:8080\r\n\r\n", TAKEN, 0},
    {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", TAKEN, 0},
    {"GET http://a.example/x HTTP/1.1\r\n" HOST "\r\n", TAKEN, 0},
    {"GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", TAKEN, 0},
    {"GET / HTTP/1.0\r\n\r\n", TAKEN, 0},
    {POST "Content-Length: 0\r\n\r\n", TAKEN, 0},
    {POST "Transfer-Encoding: Chunked\r\n\r\n", TAKEN, 0},
    {POST "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n", TAKEN, 0},
    {GET HOST "X-A:\r\nX-B: \t b \t \r\n\r\n", TAKEN, 0},
    {GET HOST "X-A: caf\xc3\xa9\r\n\r\n", TAKEN, 0},
    /* ends of lines */
    {"GET / HTTP/1.1\n" HOST "\r\n", BAD, 0},
    {GET "Host: a\n\r\n", BAD, 0},
    {GET HOST "\n", BAD, 0},
    {GET "Host: a\r\r\n\r\n", BAD, 0},
    {GET "Host: a\rX: b\r\n\r\n", BAD, 0},
    {GET HOST "X: a\rContent-Length: 5\r\n\r\n", BAD, 0},
    {"\r\n" GET HOST "\r\n", BAD, 0},
    {"\nGET / HTTP/1.1\r\n" HOST "\r\n", BAD, 0},
    /* control bytes */
    {"GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", BAD, 29},
    {"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", BAD, 28},
    {GET HOST "X: a\x01\r\n\r\n", BAD, 0},
    {GET HOST "X: a\x7f\r\n\r\n", BAD, 0},
    {GET HOST "X: a\x0b\r\n\r\n", BAD, 0},
    {GET HOST "X\x0c: a\r\n\r\n", BAD, 0},
    /* the request line */
    {"GET /\r\n" HOST "\r\n", BAD, 0},
    {"GET  / HTTP/1.1\r\n" HOST "\r\n", BAD, 0},
    {"GET /  HTTP/1.1\r\n" HOST "\r\n", BAD, 0},
    {"GET / HTTP/1.1 \r\n" HOST "\r\n", BAD, 0},
    {" GET / HTTP/1.1\r\n" HOST "\r\n", BAD, 0},
    {"GET\t/\tHTTP/1.1\r\n" HOST "\r\n", BAD, 0},
    {"GET / HTTP/1.1\r\n\r\n", BAD, 0},
    {"G@T / HTTP/1.1\r\n" HOST "\r\n", BAD, 0},
    {"GET / HTTP/2.0\r\n" HOST "\r\n", BAD, 0},
    {"GET / HTTP/1.2\r\n" HOST "\r\n", BAD, 0},
    {"GET / http/1.1\r\n" HOST "\r\n", BAD, 0},
    {"GET / HTTP/1.10\r\n" HOST "\r\n", BAD, 0},
    {"GET / HTTP/0.9\r\n" HOST "\r\n", BAD, 0},
    {"PRI * HTTP/2.0\r\n\r\n", BAD, 0},
    {"GET a HTTP/1.1\r\n" HOST "\r\n", BAD, 0},
    {"GET * HTTP/1.1\r\n" HOST "\r\n", BAD, 0},
    {"GET /a b HTTP/1.1\r\n" HOST "\r\n", BAD, 0},
    {"GET /a#b HTTP/1.1\r\n" HOST "\r\n", BAD, 0},
    {"GET /a%2 HTTP/1.1\r\n" HOST "\r\n", BAD, 0},
    {"GET /a%zz HTTP/1.1\r\n" HOST "\r\n", BAD, 0},
    {"GET /\xff HTTP/1.1\r\n" HOST "\r\n", BAD, 0},
    {"GET /a\\b HTTP/1.1\r\n" HOST "\r\n", BAD, 0},
    {"CONNECT a.example:443 HTTP/1.1\r\n" HOST "\r\n", ODD, 0},
    {"GET http://b.example/ HTTP/1.1\r\n" HOST "\r\n", BAD, 0},
    {"GET http://u@a.example/ HTTP/1.1\r\n" HOST "\r\n", BAD, 0},
    {"GET http://a.example:81/ HTTP/1.1\r\n" HOST "\r\n", BAD, 0},
    {"GET ftp://a.example/ HTTP/1.1\r\n" HOST "\r\n", BAD, 0},
    {"GET //b.example@c/ HTTP/1.1\r\nHost: a b\r\n\r\n", BAD, 0},
    /* the host */
    {GET HOST HOST "\r\n", BAD, 0},
    {GET HOST "hOST: b\r\n\r\n", BAD, 0},
    {GET "Host:\r\n\r\n", BAD, 0},
    {GET "Host: a,b\r\n\r\n", BAD, 0},
    {GET "Host: a/b\r\n\r\n", BAD, 0},
    {GET "Host: a:b\r\n\r\n", BAD, 0},
    {GET "Host: a:99999\r\n\r\n", BAD, 0},
    {GET "Host: u@a\r\n\r\n", BAD, 0},
    {GET "Host: [::1\r\n\r\n", BAD, 0},
    {GET "Host: [fe80::1%25eth0]\r\n\r\n", BAD, 0},
    /* fields */
    {GET HOST "X : a\r\n\r\n", BAD, 0},
    {GET HOST "X\t: a\r\n\r\n", BAD, 0},
    {GET HOST " X: a\r\n\r\n", BAD, 0},
    {GET HOST "X: a\r\n b\r\n\r\n", BAD, 0},
    {GET HOST "X: a\r\n\tb\r\n\r\n", BAD, 0},
    {GET " " HOST "\r\n", BAD, 0},
    {GET HOST "X\r\n\r\n", BAD, 0},
    {GET HOST ": a\r\n\r\n", BAD, 0},
    {GET HOST "X(): a\r\n\r\n", BAD, 0},
    {GET HOST "X\xc3\xa9: a\r\n\r\n", BAD, 0},
    /* how long the body is */
    {POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", BAD, 0},
    {POST "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", BAD, 0},
    {POST "Content-Length: 1, 1\r\n\r\n", BAD, 0},
    {POST "Content-Length: +1\r\n\r\n", BAD, 0},
    {POST "Content-Length: -1\r\n\r\n", BAD, 0},
    {POST "Content-Length: 0x1\r\n\r\n", BAD, 0},
    {POST "Content-Length: 1 \v\r\n\r\n", BAD, 0},
    {POST "Content-Length: 1 2\r\n\r\n", BAD, 0},
    {POST "Content-Length:\r\n\r\n", BAD, 0},
    {POST "Content-Length: 99999999999999999999\r\n\r\n", BAD, 0},
    {POST "Content-Length : 1\r\n\r\n", BAD, 0},
    {POST "Content_Length: 1\r\n\r\n", BAD, 0},
    {POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", BAD, 0},
    {POST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", BAD, 0},
    {POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", BAD, 0},
    {POST "Transfer-Encoding: gzip, chunked\r\n\r\n", ODD, 0},
    {POST "Transfer-Encoding: chunked, identity\r\n\r\n", ODD, 0},
    {POST "Transfer-Encoding: identity\r\n\r\n", ODD, 0},
    {POST "Transfer-Encoding: xchunked\r\n\r\n", ODD, 0},
    {POST "Transfer-Encoding: chunked;q=1\r\n\r\n", ODD, 0},
    {POST "Transfer-Encoding: \"chunked\"\r\n\r\n", ODD, 0},
    {POST "Transfer-Encoding:\r\n\r\n", ODD, 0},
    {POST "Transfer_Encoding: chunked\r\n\r\n", BAD, 0},
    {POST "Transfer-Encoding : chunked\r\n\r\n", BAD, 0},
    {POST "Transfer-Encoding:\x0b"
          "chunked\r\n\r\n",
     BAD, 0},
    {"POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", BAD, 0},
    {GET HOST "Connection: close, ,a b\r\n\r\n", BAD, 0},
    {GET HOST "Connection: \r\n\r\n", TAKEN, 0},
    {GET HOST "Expect: 200-ok\r\n\r\n", BAD, 0},
    {GET HOST "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n", BAD, 0},
};

#define OK_LINE "HTTP/1.1 200 OK\r\n"
static const struct message responses[] = {
    {OK_LINE "\r\n", TAKEN, 0},
    {OK_LINE "Content-Length: 5\r\n\r\n", TAKEN, 0},
    {"HTTP/1.0 200 \r\n\r\n", TAKEN, 0},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", TAKEN, 0},
    {"HTTP/1.1 200\r\n\r\n", BAD, 0},
    {"HTTP/1.1 2000 OK\r\n\r\n", BAD, 0},
    {"HTTP/1.1 20 OK\r\n\r\n", BAD, 0},
    {"HTTP/1.1  200 OK\r\n\r\n", BAD, 0},
    {"HTTP/1.1 600 OK\r\n\r\n", BAD, 0},
    {"HTTP/2 200 OK\r\n\r\n", BAD, 0},
    {"ICY 200 OK more\r\n\r\n", BAD, 0},
    {"<html>\r\n\r\n", BAD, 0},
    {"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", BAD, 0},
    {"HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n", BAD, 0},
    {OK_LINE "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", BAD, 0},
    {OK_LINE "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", BAD, 0},
    {OK_LINE "Transfer-Encoding: gzip\r\n\r\n", ODD, 0},
    {OK_LINE "Transfer-Encoding: chunked, chunked\r\n\r\n", ODD, 0},
    {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", BAD, 0},
    {OK_LINE "X: a\r\n b\r\n\r\n", BAD, 0},
    {OK_LINE "X: a\nY: b\r\n\r\n", BAD, 0},
};

static int read_message(const struct message *message, bool request, size_t pace)
{
    size_t len = message->len > 0 ? message->len : strlen(message->bytes);
    MU_AUTO(free) uint8_t *copy = mu_alloc(len, 1); /* exact, so that no byte behind is read */
    MU_AUTO(free) struct http_head *head = mu_alloc(1, sizeof *head);
    struct http_scan scan = {0};
    size_t end = 0;
    enum http_step step = HTTP_MORE;
    assert_non_null(copy);
    memcpy(copy, message->bytes, len);
    err = (struct mutual_error){0};
    for (size_t have = pace < len ? pace : len; step == HTTP_MORE;
         have = have + pace < len ? have + pace : len) {
        step = http_scan(&scan, mu_slice_of(copy, have), &end, &err);
        assert_true(step != HTTP_MORE || scan.at == have);
        if (step == HTTP_MORE && have == len) {
            return -1;
        }
    }
    if (step == HTTP_FAILED) {
        return (int)err.code;
    }
    assert_int_equal(end, len);
    bool ok = request ? http_request_parse(mu_slice_of(copy, end), head, &err)
                      : http_response_parse(mu_slice_of(copy, end), false, head, &err);
    return ok ? MUTUAL_OK : (int)err.code;
}

static void try_table(const struct message *table, size_t count, bool request)
{
    for (size_t i = 0; i < count; i++) {
        int whole = read_message(&table[i], request, SIZE_MAX / 2);
        int bytes = read_message(&table[i], request, 1);
        if (whole != table[i].code || bytes != whole) {
            fail_msg("case %zu, %s: %d at once, %d byte by byte, not %d (%s)", i, table[i].bytes,
                     whole, bytes, table[i].code, err.reason);
        }
    }
}

static void no_request_is_read_in_two_ways(void **state)
{
    (void)state;
    try_table(requests, MU_COUNT(requests), true);
}

static void no_response_is_read_in_two_ways(void **state)
{
    (void)state;
    try_table(responses, MU_COUNT(responses), false);
}

/* A head of one long piece, repeated. */
static int read_long(const char *begin, const char *piece, size_t times, const char *end)
{
    MU_AUTO(buf) struct mu_buf bytes;
    mu_buf_init(&bytes, 1 << 20);
    (void)mu_buf_text(&bytes, begin);
    for (size_t i = 0; i < times; i++) {
        (void)mu_buf_text(&bytes, piece);
    }
    (void)mu_buf_text(&bytes, end);
    const struct message message = {mu_buf_str(&bytes), 0, 0};
    return read_message(&message, true, 4096);
}

static void oversized_heads_are_refused(void **state)
{
    (void)state;
    assert_int_equal(read_long("GET /", "a", 9000, " HTTP/1.1\r\n" HOST "\r\n"), BIG);
    assert_int_equal(read_long("GET /", "a", 8000, " HTTP/1.1\r\n" HOST "\r\n"), TAKEN);
    assert_int_equal(read_long(GET HOST, "X: y\r\n", 100, "\r\n"), BIG);
    assert_int_equal(read_long(GET HOST, "X: y\r\n", 99, "\r\n"), TAKEN);
    assert_int_equal(read_long(GET HOST "X: ", "y", 9000, "\r\n\r\n"), BIG);
    assert_int_equal(
        read_long(GET HOST,
                  "X: 0123456789012345678901234567890123456789012345678901234567890123456"
                  "789012345678901234567890123456789012345678901234567890123456789012345"
                  "678901234567890123456789012345678901234567890123456789012345678901234"
                  "567890123456789012345678901234567890123456789012345678901234567890123"
                  "4567890123456789012345678901234567890123456789012345678901234567890"
                  "\r\n",
                  98, "\r\n"),
        BIG);
    assert_int_equal(read_long("GARBAGE", "a", 20000, ""), BIG);
    assert_int_equal(
        read_long("A23456789012345678901234567890123 / HTTP/1.1\r\n", "", 0, HOST "\r\n"), BAD);
}

static struct http_head head; /* too large for a stack */

static void parse(const char *text)
{
    assert_ok(http_request_parse(mu_slice_text(text), &head, &err), &err);
}

static void assert_text(struct mu_slice is, const char *expected)
{
    if (!mu_slice_equal_text(is, expected)) {
        fail_msg("\"%.*s\" is not \"%s\"", (int)is.len, (const char *)is.data, expected);
    }
}

static void what_a_request_says_is_found(void **state)
{
    (void)state;
    struct mu_slice value;
    parse("POST /a/b?c=d HTTP/1.1\r\nHost: A.example:80\r\nContent-Length: 17\r\nX-One: 1 \r\n"
          "X-Two: a, b\r\nX-Two: c\r\nExpect: 100-Continue\r\nConnection: TE, Close\r\n\r\n");
    assert_text(head.method, "POST");
    assert_text(head.target, "/a/b?c=d");
    assert_text(head.path, "/a/b");
    assert_text(head.query, "c=d");
    assert_true(head.has_query);
    assert_text(head.host, "A.example:80");
    assert_int_equal(head.framing, HTTP_BODY_LENGTH);
    assert_int_equal(head.length, 17);
    assert_true(head.expect_continue);
    assert_false(head.keep_alive);
    assert_true(http_field_find(&head, "x-ONE", &value));
    assert_text(value, "1");
    assert_false(http_field_find(&head, "x-two", &value));
    assert_int_equal(http_field_count(&head, "x-two"), 2);
    assert_true(http_field_has_token(&head, "X-Two", "C"));
    assert_true(http_field_has_token(&head, "X-Two", "b"));
    assert_false(http_field_has_token(&head, "X-Two", "d"));
}

static void an_absolute_target_is_taken_apart(void **state)
{
    (void)state;
    parse("GET http://a.example/p?q HTTP/1.1\r\nHost: A.EXAMPLE\r\n\r\n");
    assert_text(head.path, "/p");
    assert_text(head.query, "q");
    assert_true(head.keep_alive);
}

static void a_connection_of_1_0_is_never_kept(void **state)
{
    (void)state;
    parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_false(head.keep_alive);
    assert_int_equal(head.host.len, 0);
}

static void the_body_of_a_response_is_framed_by_what_it_answers(void **state)
{
    (void)state;
    struct mu_slice sized = mu_slice_text("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n");
    struct mu_slice open = mu_slice_text("HTTP/1.1 200 OK\r\n\r\n");
    assert_ok(http_response_parse(sized, true, &head, &err), &err);
    assert_int_equal(head.framing, HTTP_BODY_NONE);
    assert_ok(http_response_parse(sized, false, &head, &err), &err);
    assert_int_equal(head.framing, HTTP_BODY_LENGTH);
    assert_int_equal(head.status, 200);
    assert_text(head.reason, "OK");
    assert_ok(http_response_parse(open, false, &head, &err), &err);
    assert_int_equal(head.framing, HTTP_BODY_TO_END);
    assert_false(head.keep_alive);
}

UNIT_MAIN(UNIT_CASE(no_request_is_read_in_two_ways), UNIT_CASE(no_response_is_read_in_two_ways),
          UNIT_CASE(oversized_heads_are_refused), UNIT_CASE(what_a_request_says_is_found),
          UNIT_CASE(an_absolute_target_is_taken_apart),
          UNIT_CASE(a_connection_of_1_0_is_never_kept),
          UNIT_CASE(the_body_of_a_response_is_framed_by_what_it_answers))
