/* SPDX-License-Identifier: Apache-2.0
 *
 * The control socket: found, asked, and asked badly.
 */
#include "whole.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
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

/* What the control socket answers to these bytes. */
static size_t ask(const char *request, size_t len, char *answer, size_t size)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t have = 0;
    ssize_t n = 0;
    (void)snprintf(un.sun_path, sizeof un.sun_path, "%s", whole.control);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof un), 0);
    (void)send(fd, request, len, MSG_NOSIGNAL);
    while (have < size - 1 && (n = read(fd, answer + have, size - 1 - have)) > 0) {
        have += (size_t)n;
    }
    answer[have] = '\0';
    (void)close(fd);
    return have;
}

static void asked_well_and_badly(void **state)
{
    (void)state;
    static char answer[65536];
    static char much[9000];
    struct stat info;
    whole_start("\"ready\"");
    assert_int_equal(stat(whole.control, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    (void)ask("GET /_status HTTP/1.0\r\n\r\n", 25, answer, sizeof answer);
    assert_non_null(strstr(answer, "HTTP/1.0 200"));
    assert_non_null(strstr(answer, "\"accepted\":0"));
    (void)ask("GET /readyz HTTP/1.0\r\n\r\n", 24, answer, sizeof answer);
    assert_non_null(strstr(answer, "\r\n\r\nok\n"));
    (void)ask("GET /etc/passwd HTTP/1.0\r\n\r\n", 28, answer, sizeof answer);
    assert_non_null(strstr(answer, "HTTP/1.0 404"));
    (void)ask("\r\n\r\n", 4, answer, sizeof answer);
    assert_non_null(strstr(answer, "HTTP/1.0 404"));
    memset(much, 'x', sizeof much);
    assert_int_equal(ask(much, sizeof much, answer, sizeof answer), 0);
    (void)ask("GET /livez HTTP/1.0\r\n\r\n", 23, answer, sizeof answer);
    assert_non_null(strstr(answer, "HTTP/1.0 200"));
}

WHOLE_MAIN(UNIT_CASE(where_it_is), UNIT_CASE(nobody_answers), WHOLE_CASE(asked_well_and_badly))
