/* SPDX-License-Identifier: Apache-2.0
 *
 * A client's exchange against scripted servers: what it asks, what it takes, where it is led and
 * does not go.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/http_internal.h"
#include "unit.h"

enum { SCRIPTS_MAX = 6, BODY_MAX = 64 };

static struct reactor *reactor;
static struct mutual_error lost;

/* One connection after the other: what the server says, and whether it then closes. */
struct script {
    const char *says[SCRIPTS_MAX]; /* NULL: this address refuses */
    unsigned count;
    bool stays; /* open, without a further byte */
    int ends[SCRIPTS_MAX];
    unsigned wanted;
    uint16_t ports[SCRIPTS_MAX];
    struct http_client *client;
    bool done;
    struct mutual_error err;
    unsigned status;
    unsigned redirects;
    char content[BODY_MAX + 1];
    size_t content_len;
};

static void want(void *owner, struct http_client *client, uint16_t port, unsigned attempt)
{
    struct script *script = owner;
    struct mutual_error none = {0};
    int ends[2];
    (void)attempt;
    if (script->wanted == script->count) {
        (void)mu_fail(&none, MUTUAL_E_CONNECT_FAILED, "no further address");
        http_client_give(client, -1, &none);
        return;
    }
    const char *says = script->says[script->wanted];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    script->ports[script->wanted] = port;
    script->ends[script->wanted++] = ends[1];
    if (says != NULL) {
        assert_int_equal(write(ends[1], says, strlen(says)), strlen(says));
        if (!script->stays) {
            (void)shutdown(ends[1], SHUT_WR);
        }
    } else {
        (void)shutdown(ends[1], SHUT_RDWR); /* takes nothing and says nothing */
    }
    http_client_give(client, ends[0], NULL);
}

static bool piece(void *owner, struct mu_slice bytes, struct mutual_error *err)
{
    struct script *script = owner;
    (void)err;
    assert_true(script->content_len + bytes.len <= BODY_MAX);
    memcpy(script->content + script->content_len, bytes.data, bytes.len);
    script->content_len += bytes.len;
    return true;
}

static void done(void *owner, const struct http_result *result, const struct mutual_error *err)
{
    struct script *script = owner;
    assert_false(script->done);
    script->done = true;
    script->err = *err;
    script->status = result->head == NULL ? 0 : result->head->status;
    script->redirects = result->redirects;
    reactor_stop(reactor);
}

static struct http_client_options options_for(struct script *script, const char *url)
{
    struct http_times times = http_times_default;
    times.head_ns = times.body_ns = 200 * MU_NS_PER_MS;
    return (struct http_client_options){
        .reactor = reactor,
        .url = url,
        .method = "GET",
        .body_max = BODY_MAX,
        .times = times,
        .redirects_max = 3,
        .want = want,
        .piece = piece,
        .done = done,
        .owner = script,
    };
}

static int run(struct script *script, const struct http_client_options *options)
{
    assert_ok(reactor_new(&reactor, &lost), &lost);
    struct http_client_options whole = *options;
    whole.reactor = reactor;
    assert_ok(http_client_new(&whole, &script->client, &lost), &lost);
    assert_ok(reactor_run(reactor, &lost), &lost);
    assert_true(script->done);
    http_client_free(script->client);
    reactor_free(reactor);
    return (int)script->err.code;
}

static void hang_up(struct script *script)
{
    for (unsigned i = 0; i < script->wanted; i++) {
        (void)close(script->ends[i]);
    }
}

static int fetch(struct script *script, const char *url)
{
    const struct http_client_options options = options_for(script, url);
    int code = run(script, &options);
    hang_up(script);
    return code;
}

#define OK "HTTP/1.1 200 OK\r\n"

static void a_request_is_asked_and_answered(void **state)
{
    (void)state;
    struct script script = {.says = {OK "Content-Length: 3\r\n\r\nabc"}, .count = 1};
    const struct http_client_options options = options_for(&script, "http://a.example:81/x?y");
    char asked[1024];
    assert_int_equal(run(&script, &options), MUTUAL_OK);
    ssize_t n = read(script.ends[0], asked, sizeof asked - 1);
    assert_true(n > 0);
    asked[n] = '\0';
    hang_up(&script);
    assert_string_equal(script.content, "abc");
    assert_int_equal(script.ports[0], 81);
    assert_string_equal(
        asked, "GET /x?y HTTP/1.1\r\nHost: a.example:81\r\nUser-Agent: mutual/" MUTUAL_VERSION
               "\r\nAccept-Encoding: identity\r\nConnection: "
               "close\r\n\r\n");
}

static void a_post_carries_its_body_and_a_get_its_conditions(void **state)
{
    (void)state;
    char asked[1024];
    struct script post = {.says = {OK "Content-Length: 0\r\n\r\n"}, .count = 1};
    struct http_client_options options = options_for(&post, "http://a/ocsp");
    options.method = "POST";
    options.content_type = "application/ocsp-request";
    options.body = MU_SLICE_LIT("0123");
    assert_int_equal(run(&post, &options), MUTUAL_OK);
    ssize_t n = read(post.ends[0], asked, sizeof asked - 1);
    asked[n] = '\0';
    hang_up(&post);
    assert_non_null(strstr(asked, "POST /ocsp HTTP/1.1\r\n"));
    assert_non_null(strstr(asked, "\r\nContent-Type: application/ocsp-request\r\nContent-Length: "
                                  "4\r\n\r\n0123"));
    struct script get = {.says = {"HTTP/1.1 304 Not Modified\r\n\r\n"}, .count = 1};
    options = options_for(&get, "http://a/x");
    options.etag = "\"v1\"";
    options.modified = "Sun, 06 Nov 1994 08:49:37 GMT";
    assert_int_equal(run(&get, &options), MUTUAL_OK);
    assert_int_equal(get.status, 304);
    n = read(get.ends[0], asked, sizeof asked - 1);
    asked[n] = '\0';
    hang_up(&get);
    assert_non_null(strstr(asked, "\r\nIf-None-Match: \"v1\"\r\nIf-Modified-Since: Sun, 06 Nov "
                                  "1994 08:49:37 GMT\r\n"));
}

static void every_framing_is_taken(void **state)
{
    (void)state;
    static const char *const says[] = {
        OK "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
        OK "\r\nabc",
        "HTTP/1.0 200 OK\r\n\r\nabc",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK
        "Content-Length: 3\r\n\r\nabc",
        OK "Content-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc",
    };
    for (size_t i = 0; i < MU_COUNT(says); i++) {
        struct script script = {.says = {says[i]}, .count = 1};
        assert_int_equal(fetch(&script, "http://a/"), MUTUAL_OK);
        assert_string_equal(script.content, "abc");
    }
}

static void what_is_no_good_answer_fails(void **state)
{
    (void)state;
    static const struct {
        const char *says;
        int code;
    } cases[] = {
        {"", MUTUAL_E_HTTP_TRUNCATED},
        {"HTTP/1.1 200", MUTUAL_E_HTTP_TRUNCATED},
        {OK "Content-Length: 4\r\n\r\nabc", MUTUAL_E_HTTP_TRUNCATED},
        {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", MUTUAL_E_HTTP_TRUNCATED},
        {OK "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n", MUTUAL_E_HTTP_MALFORMED},
        {OK "Content-Length: 10000000000\r\n\r\nabc", MUTUAL_E_HTTP_LIMIT},
        {OK "Transfer-Encoding: chunked\r\n\r\nfffffff\r\nabc", MUTUAL_E_HTTP_LIMIT},
        {OK "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", MUTUAL_E_HTTP_UNSUPPORTED},
        {OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", MUTUAL_E_HTTP_UNSUPPORTED},
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabc", MUTUAL_E_HTTP_STATUS},
        {"HTTP/1.1 206 Partial Content\r\nContent-Length: 3\r\n\r\nabc", MUTUAL_E_HTTP_STATUS},
        {"HTTP/1.1 304 Not Modified\r\n\r\n", MUTUAL_E_HTTP_STATUS}, /* nobody asked for it */
        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", MUTUAL_E_HTTP_MALFORMED},
        {"SSH-2.0-OpenSSH\r\n\r\n", MUTUAL_E_HTTP_MALFORMED},
    };
    for (size_t i = 0; i < MU_COUNT(cases); i++) {
        struct script script = {.says = {cases[i].says}, .count = 1};
        int code = fetch(&script, "http://a/");
        if (code != cases[i].code) {
            fail_msg("%s: %d (%s)", cases[i].says, code, script.err.reason);
        }
    }
}

static void a_server_that_stops_is_not_waited_for(void **state)
{
    (void)state;
    static const char *const says[] = {"HTTP/1.1 2", OK "Content-Length: 3\r\n\r\na"};
    for (size_t i = 0; i < MU_COUNT(says); i++) {
        struct script script = {.says = {says[i]}, .count = 1, .stays = true};
        assert_int_equal(fetch(&script, "http://a/"), MUTUAL_E_HTTP_TIMEOUT);
    }
}

#define MOVED(to_) "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " to_ "\r\n\r\n"

static void a_redirect_to_the_same_host_is_followed(void **state)
{
    (void)state;
    struct script script = {
        .says = {MOVED("/b"), MOVED("http://A.example/c"), OK "Content-Length: 1\r\n\r\nx"},
        .count = 3};
    assert_int_equal(fetch(&script, "http://a.example/a"), MUTUAL_OK);
    assert_int_equal(script.redirects, 2);
    assert_string_equal(script.content, "x");
}

static void no_other_redirect_is_followed(void **state)
{
    (void)state;
    static const char *const says[] = {
        MOVED("http://b.example/"),
        MOVED("http://a.example.evil/"),
        MOVED("http://a.example:82/"),
        MOVED("http://127.0.0.1:81/"),
        MOVED("http://a.example@b.example/"),
        MOVED("//b.example/"),
        MOVED("file:///etc/passwd"),
        MOVED("ftp://a.example/"),
        MOVED(
            "https://a.example/"), /* nobody says whom to believe there, and the port is another */
        MOVED(""),
        "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /a\r\nLocation: /b\r\n\r\n",
    };
    for (size_t i = 0; i < MU_COUNT(says); i++) {
        struct script script = {.says = {says[i], OK "Content-Length: 1\r\n\r\nx"}, .count = 2};
        int code = fetch(&script, "http://a.example:81/a");
        if (code != MUTUAL_E_FETCH_FORBIDDEN || script.wanted != 1) {
            fail_msg("%s: %d (%s), %u connections", says[i], code, script.err.reason,
                     script.wanted);
        }
        assert_int_equal(script.content_len, 0);
    }
}

static void redirects_have_an_end(void **state)
{
    (void)state;
    struct script script = {.says = {MOVED("/1"), MOVED("/2"), MOVED("/3"), MOVED("/4"), OK "\r\n"},
                            .count = 5};
    assert_int_equal(fetch(&script, "http://a/"), MUTUAL_E_HTTP_STATUS);
    assert_int_equal(script.wanted, 4);
}

static void a_post_is_not_redirected(void **state)
{
    (void)state;
    struct script script = {.says = {MOVED("/1"), OK "\r\n"}, .count = 2};
    struct http_client_options options = options_for(&script, "http://a/ocsp");
    options.method = "POST";
    assert_int_equal(run(&script, &options), MUTUAL_E_HTTP_STATUS);
    hang_up(&script);
    assert_int_equal(script.wanted, 1);
}

static void without_an_address_it_says_so(void **state)
{
    (void)state;
    struct script script = {.count = 0};
    assert_int_equal(fetch(&script, "http://a/"), MUTUAL_E_CONNECT_FAILED);
}

static void https_needs_somebody_to_believe(void **state)
{
    (void)state;
    struct script script = {.count = 0};
    struct http_client_options options = options_for(&script, "https://a/");
    struct http_client *client = NULL;
    struct mutual_error err;
    assert_ok(reactor_new(&reactor, &lost), &lost);
    options.reactor = reactor;
    assert_fails(http_client_new(&options, &client, &err), &err, MUTUAL_E_FETCH_FORBIDDEN);
    reactor_free(reactor);
}

UNIT_MAIN(UNIT_CASE(a_request_is_asked_and_answered),
          UNIT_CASE(a_post_carries_its_body_and_a_get_its_conditions),
          UNIT_CASE(every_framing_is_taken), UNIT_CASE(what_is_no_good_answer_fails),
          UNIT_CASE(a_server_that_stops_is_not_waited_for),
          UNIT_CASE(a_redirect_to_the_same_host_is_followed),
          UNIT_CASE(no_other_redirect_is_followed), UNIT_CASE(redirects_have_an_end),
          UNIT_CASE(a_post_is_not_redirected), UNIT_CASE(without_an_address_it_says_so),
          UNIT_CASE(https_needs_somebody_to_believe))
