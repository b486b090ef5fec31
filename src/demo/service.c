/* SPDX-License-Identifier: Apache-2.0
 *
 * The service behind the gateway: HTTP/1.1 on loopback, one child process per connection, the same
 * answer to everybody. It stands for any program that knows nothing of TLS.
 */
#include "demo/demo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const char bad_request[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
static const char response[] = "HTTP/1.1 200 OK\r\n"
                               "Content-Type: text/plain\r\n"
                               "Content-Length: 23\r\n"
                               "\r\n"
                               "hello from the service\n";

/* Answers every request head until the other end closes. */
static void serve_connection(int fd)
{
    char head[4096];
    size_t len = 0;
    for (;;) {
        ssize_t n = read(fd, head + len, sizeof head - 1 - len);
        if (n <= 0) {
            return;
        }
        len += (size_t)n;
        head[len] = '\0';
        if (head[0] < 'A' || head[0] > 'Z') { /* no method begins like this; TLS does */
            (void)mu_fd_write(fd, bad_request, sizeof bad_request - 1);
            return;
        }
        if (strstr(head, "\r\n\r\n") != NULL) {
            if (!mu_fd_write(fd, response, sizeof response - 1)) {
                return;
            }
            len = 0;
        } else if (len == sizeof head - 1) {
            return;
        }
    }
}

static _Noreturn void serve(int listener)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGCHLD, SIG_IGN); /* children are reaped by the kernel */
    (void)signal(SIGINT, SIG_DFL);  /* whatever our parent does about them */
    (void)signal(SIGTERM, SIG_DFL);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd == -1 && errno != EINTR && errno != ECONNABORTED) {
            _exit(1);
        }
        if (fd != -1 && fork() == 0) {
            serve_connection(fd);
            _exit(0);
        }
        if (fd != -1) {
            (void)close(fd);
        }
    }
}

static bool listen_somewhere(int *ret_fd, uint16_t *ret_port, struct mutual_error *err)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1 || bind(fd, (struct sockaddr *)&address, sizeof address) == -1 ||
        listen(fd, 64) == -1 || getsockname(fd, (struct sockaddr *)&address, &len) == -1) {
        int sys = errno;
        if (fd != -1) {
            (void)close(fd);
        }
        return mu_fail_errno(err, MUTUAL_E_LISTEN_FAILED, sys, "could not listen on loopback");
    }
    *ret_fd = fd;
    *ret_port = ntohs(address.sin_port);
    return true;
}

bool demo_port_free(uint16_t *ret_port, struct mutual_error *err)
{
    int fd = -1;
    if (!listen_somewhere(&fd, ret_port, err)) {
        return false;
    }
    (void)close(fd);
    return true;
}

bool demo_service_start(uint16_t *ret_port, pid_t *ret_pid, struct mutual_error *err)
{
    int listener = -1;
    uint16_t port = 0;
    if (!listen_somewhere(&listener, &port, err)) {
        return false;
    }
    pid_t pid = fork();
    if (pid == 0) {
        serve(listener);
    }
    int sys = errno;
    (void)close(listener);
    if (pid == -1) {
        return mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, sys, "could not start the service");
    }
    *ret_port = port;
    *ret_pid = pid;
    return true;
}
