/* SPDX-License-Identifier: Apache-2.0
 *
 * The control socket: found, asked, and asked badly.
 */
#include "whole.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

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
    assert_non_null(strstr(answer, "HTTP/1.1 200"));
    assert_non_null(strstr(answer, "\"accepted\":0"));
    (void)ask("GET /readyz HTTP/1.0\r\n\r\n", 24, answer, sizeof answer);
    assert_non_null(strstr(answer, "\r\n\r\nok\n"));
    (void)ask("GET /etc/passwd HTTP/1.0\r\n\r\n", 28, answer, sizeof answer);
    assert_non_null(strstr(answer, "HTTP/1.1 404"));
    (void)ask("\r\n\r\n", 4, answer, sizeof answer);
    assert_non_null(strstr(answer, "HTTP/1.1 400"));
    memset(much, 'x', sizeof much);
    (void)ask(much, sizeof much, answer, sizeof answer);
    assert_non_null(strstr(answer, "HTTP/1.1 431"));
    (void)ask("GET /metrics HTTP/1.0\r\n\r\n", 25, answer, sizeof answer);
    assert_non_null(strstr(answer, "\nmutual_connections_open{listener=\"db\"} 0\n"));
    (void)ask("GET /health/ready HTTP/1.0\r\n\r\n", 30, answer, sizeof answer);
    assert_non_null(strstr(answer, "\"status\":\"pass\""));
    (void)ask("GET /livez HTTP/1.0\r\n\r\n", 23, answer, sizeof answer);
    assert_non_null(strstr(answer, "HTTP/1.1 200"));
}

WHOLE_MAIN(WHOLE_CASE(asked_well_and_badly))
