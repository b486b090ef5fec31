/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the control socket is, and what is made of answers that are none.
 */
#include "whole.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

static void where_it_is(void **state)
{
    (void)state;
    char path[GATEWAY_PATH_MAX];
    char longest[300];
    (void)setenv("MUTUAL_CONTROL", "/somewhere/else", 1);
    assert_true(gateway_control_path(path));
    assert_string_equal(path, "/somewhere/else");
    memset(longest, 'p', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    (void)setenv("MUTUAL_CONTROL", longest, 1);
    assert_false(gateway_control_path(path));
    (void)unsetenv("MUTUAL_CONTROL");
    (void)setenv("RUNTIME_DIRECTORY", "/run/of-the-unit", 1);
    assert_true(gateway_control_path(path));
    assert_string_equal(path, "/run/of-the-unit/control.sock");
    (void)unsetenv("RUNTIME_DIRECTORY");
}

static void nobody_answers(void **state)
{
    (void)state;
    struct mutual_error err;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 4096);
    assert_fails(gateway_status_read("/nonexistent/control", &out, &err), &err,
                 MUTUAL_E_CONNECT_FAILED);
}

/* One who answers once, with what he is given. */
struct liar {
    int fd;
    const char *says;
};

static void *lie(void *owner)
{
    struct liar *liar = owner;
    char asked[1024];
    int one = accept(liar->fd, NULL, NULL);
    (void)!read(one, asked, sizeof asked);
    (void)!write(one, liar->says, strlen(liar->says));
    (void)close(one);
    return NULL;
}

static bool ask_liar(const char *says, struct mu_buf *out, struct mutual_error *err)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    pthread_t thread;
    (void)snprintf(un.sun_path, sizeof un.sun_path, "/tmp/mutual-liar-%d", (int)getpid());
    struct liar liar = {.fd = socket(AF_UNIX, SOCK_STREAM, 0), .says = says};
    (void)unlink(un.sun_path);
    assert_int_equal(bind(liar.fd, (struct sockaddr *)&un, sizeof un), 0);
    assert_int_equal(listen(liar.fd, 1), 0);
    assert_int_equal(pthread_create(&thread, NULL, lie, &liar), 0);
    bool ok = gateway_status_read(un.sun_path, out, err);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)close(liar.fd);
    (void)unlink(un.sun_path);
    return ok;
}

static void answers_that_are_none(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 4096);
    static const char *const lies[] = {
        "", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd", "HTTP/1.1 200 OK\r\n\r\nabc"};
    for (size_t i = 0; i < MU_COUNT(lies); i++) {
        assert_fails(ask_liar(lies[i], &out, &err), &err, MUTUAL_E_CONNECT_FAILED);
    }
    assert_false(ask_liar("\x16\x03\x01 nonsense\r\n\r\n", &out, &err));
    assert_int_equal(err.code, MUTUAL_E_HTTP_MALFORMED);
    assert_int_equal(out.len, 0);
    assert_ok(ask_liar("HTTP/1.1 503 Busy\r\nContent-Length: 3\r\n\r\nabc", &out, &err), &err);
    assert_string_equal(mu_buf_str(&out), "abc");
}

UNIT_MAIN(UNIT_CASE(where_it_is), UNIT_CASE(nobody_answers), UNIT_CASE(answers_that_are_none))
