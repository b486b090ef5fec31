/* SPDX-License-Identifier: Apache-2.0
 *
 * A server's connection on sockets: times, an answer given later, a peer that leaves; and curl.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "http/http_internal.h"
#include "unit.h"

extern char **environ;

enum { BODY_MAX = 1 << 20 };

struct served {
    struct reactor *reactor;
    struct http_service *service;
    int far; /* the client's end */
    bool later;
    struct http_exchange *pending;
    struct event_timer timer;
    bool over;
    struct mutual_error why;
    unsigned requests;
};

static struct mutual_error lost;

static void answer(void *owner)
{
    struct served *served = owner;
    http_answer(served->pending, &(struct http_response){.status = 200,
                                                         .content_type = "text/plain",
                                                         .body = MU_SLICE_LIT("hello")});
}

static void handle(void *owner, const struct http_request *request)
{
    struct served *served = owner;
    served->requests++;
    served->pending = request->exchange;
    if (served->later) {
        reactor_arm_in(served->reactor, &served->timer, 50 * MU_NS_PER_MS, answer, served);
    } else if (request->body.len > 0) { /* echoes */
        http_answer(request->exchange,
                    &(struct http_response){.status = 200, .body = request->body});
    } else {
        answer(served);
    }
}

static void over(void *owner, const struct mutual_error *why)
{
    struct served *served = owner;
    served->over = true;
    served->why = *why;
    served->service = NULL;
    reactor_stop(served->reactor);
}

static void serve(struct served *served, int fd)
{
    struct http_service_options options = {
        .reactor = served->reactor,
        .server = {.handle = handle, .owner = served, .body_max = BODY_MAX},
        .times = http_times_default,
        .over = over,
        .over_owner = served,
    };
    options.times.idle_ns = options.times.head_ns = options.times.body_ns = 100 * MU_NS_PER_MS;
    options.times.write_ns = 300 * MU_NS_PER_MS;
    served->over = false;
    assert_ok(http_service_new(&options, fd, &served->service, &lost), &lost);
}

static int setup(void **state)
{
    struct served *served = mu_alloc(1, sizeof *served);
    int ends[2];
    if (!reactor_new(&served->reactor, &lost) ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0) {
        return -1;
    }
    served->far = ends[1];
    serve(served, ends[0]);
    *state = served;
    return 0;
}

static int teardown(void **state)
{
    struct served *served = *state;
    http_service_free(served->service);
    reactor_free(served->reactor);
    (void)close(served->far);
    mu_free(served);
    return 0;
}

static void say(struct served *served, const char *text)
{
    assert_int_equal(write(served->far, text, strlen(text)), strlen(text));
}

/* Turns until the connection is over; what the client then has read. */
static const char *hear(struct served *served)
{
    static char heard[4096];
    assert_ok(reactor_run(served->reactor, &lost), &lost);
    ssize_t n = read(served->far, heard, sizeof heard - 1);
    heard[n < 0 ? 0 : n] = '\0';
    return heard;
}

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

static void a_connection_is_kept_and_ends_when_it_idles(void **state)
{
    struct served *served = *state;
    say(served, GET GET);
    const char *heard = hear(served);
    assert_int_equal(served->requests, 2);
    assert_true(mu_text_starts(heard, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(heard, "helloHTTP/1.1 200 OK\r\n"));
    assert_int_equal(served->why.code, MUTUAL_OK);
}

static void an_answer_may_come_later(void **state)
{
    struct served *served = *state;
    served->later = true;
    say(served, GET GET "GET /");
    const char *heard = hear(served);
    assert_int_equal(served->requests, 2);
    assert_non_null(strstr(heard, "helloHTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(heard, "HTTP/1.1 408 "));
    assert_int_equal(served->why.code, MUTUAL_E_HTTP_TIMEOUT);
}

static void it_says_when_nobody_would_miss_it(void **state)
{
    struct served *served = *state;
    served->later = true;
    assert_true(http_service_is_idle(served->service));
    say(served, "GET / HTTP/1.1\r\nHo");
    assert_ok(reactor_turn(served->reactor, 0, &lost), &lost);
    assert_true(http_service_is_idle(served->service));
    say(served, "st: a\r\n\r\n");
    assert_ok(reactor_turn(served->reactor, 0, &lost), &lost);
    assert_false(http_service_is_idle(served->service)); /* it is owed an answer      */
    answer(served);
    assert_false(http_service_is_idle(served->service)); /* ... which is not sent yet */
    assert_ok(reactor_turn(served->reactor, 0, &lost), &lost);
    assert_true(http_service_is_idle(served->service));
    reactor_cancel(served->reactor, &served->timer);
}

static void a_peer_that_leaves_while_it_is_served_is_let_go(void **state)
{
    struct served *served = *state;
    served->later = true;
    say(served, GET);
    assert_ok(reactor_turn(served->reactor, 0, &lost), &lost);
    (void)close(served->far);
    served->far = -1;
    assert_ok(reactor_run(served->reactor, &lost), &lost);
    assert_true(served->over);
    assert_int_equal(served->requests, 1);
}

static void a_peer_that_only_asks_is_answered(void **state)
{
    struct served *served = *state;
    served->later = true;
    say(served, GET);
    (void)shutdown(served->far, SHUT_WR);
    const char *heard = hear(served);
    assert_true(mu_text_starts(heard, "HTTP/1.1 200 OK\r\n"));
    assert_int_equal(served->why.code, MUTUAL_OK);
}

static void slow_bodies_end(void **state)
{
    struct served *served = *state;
    say(served, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    assert_true(mu_text_starts(hear(served), "HTTP/1.1 408 "));
    assert_int_equal(served->requests, 0);
}

static void whoever_does_not_read_is_let_go(void **state)
{
    struct served *served = *state;
    int small = 4096;
    (void)setsockopt(served->far, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    char head[128];
    char piece[4096];
    memset(piece, 'x', sizeof piece);
    (void)snprintf(head, sizeof head, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n",
                   BODY_MAX);
    say(served, head);
    for (size_t sent = 0; sent < BODY_MAX;) {
        ssize_t n = write(served->far, piece, sizeof piece);
        sent += n > 0 ? (size_t)n : 0;
        assert_ok(reactor_turn(served->reactor, 0, &lost), &lost);
    }
    assert_ok(reactor_run(served->reactor, &lost), &lost);
    assert_int_equal(served->why.code, MUTUAL_E_HTTP_TIMEOUT);
}

/* ---- curl --------------------------------------------------------------------------------------
 */

struct listening {
    struct served *served;
    int fd;
    unsigned connections;
};

static void on_connect(void *owner, uint32_t events)
{
    struct listening *listening = owner;
    (void)events;
    int fd = accept4(listening->fd, NULL, NULL, SOCK_NONBLOCK);
    if (fd != -1) {
        listening->connections++;
        serve(listening->served, fd);
    }
}

/* Runs curl on our reactor; its output into `said`. */
static int run_curl(struct served *served, const char *const *arguments, char *said, size_t size)
{
    int ends[2];
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status = -1;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, ends[1], 1), 0);
    union {
        const char *const *in;
        char *const *out;
    } argv = {arguments};
    if (posix_spawnp(&pid, "curl", &actions, NULL, argv.out, environ) != 0) {
        (void)close(ends[0]);
        (void)close(ends[1]);
        return -1;
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(ends[1]);
    while (waitpid(pid, &status, WNOHANG) == 0) {
        assert_ok(reactor_turn(served->reactor, 20 * MU_NS_PER_MS, &lost), &lost);
    }
    ssize_t n = read(ends[0], said, size - 1);
    said[n < 0 ? 0 : n] = '\0';
    (void)close(ends[0]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -2;
}

static void curl_is_served_over_loopback(void **state)
{
    struct served *served = *state;
    struct listening listening = {.served = served};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;
    event_watch watch;
    char url[64];
    static char said[1 << 16];
    http_service_free(MU_TAKE(served->service));
    listening.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listening.fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listening.fd, 8), 0);
    assert_int_equal(getsockname(listening.fd, (struct sockaddr *)&address, &len), 0);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", ntohs(address.sin_port));
    assert_ok(reactor_watch(served->reactor, listening.fd, EVENT_READ, on_connect, &listening,
                            &watch, &lost),
              &lost);
    const char *const twice[] = {"curl", "-sS", "--noproxy", "*", "-m", "10", url, url, NULL};
    int ended = run_curl(served, twice, said, sizeof said);
    if (ended == -1) {
        skip();
    }
    assert_int_equal(ended, 0);
    assert_string_equal(said, "hellohello");
    assert_int_equal(listening.connections, 1); /* kept */
    const char *const waits[] = {"curl",
                                 "-sS",
                                 "--noproxy",
                                 "*",
                                 "-m",
                                 "10",
                                 "-H",
                                 "Expect: 100-continue",
                                 "-H",
                                 "Transfer-Encoding: chunked",
                                 "--data-binary",
                                 "echo this",
                                 url,
                                 NULL};
    assert_int_equal(run_curl(served, waits, said, sizeof said), 0);
    assert_string_equal(said, "echo this");
    const char *const head[] = {"curl", "-sSI0", "--noproxy", "*", "-m", "10", url, NULL};
    assert_int_equal(run_curl(served, head, said, sizeof said), 0);
    assert_non_null(strstr(said, "Content-Length: 5\r\n"));
    assert_non_null(strstr(said, "Connection: close\r\n"));
    reactor_unwatch(served->reactor, &watch);
    (void)close(listening.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_connection_is_kept_and_ends_when_it_idles, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_answer_may_come_later, setup, teardown),
        cmocka_unit_test_setup_teardown(it_says_when_nobody_would_miss_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_peer_that_leaves_while_it_is_served_is_let_go, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_peer_that_only_asks_is_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(slow_bodies_end, setup, teardown),
        cmocka_unit_test_setup_teardown(whoever_does_not_read_is_let_go, setup, teardown),
        cmocka_unit_test_setup_teardown(curl_is_served_over_loopback, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
