/* SPDX-License-Identifier: Apache-2.0
 *
 * A connected socket, waited on with poll, and the windows between it and a session.
 */
#include "probe/probe_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* True when the descriptor is ready for `events` before the deadline. */
static bool wait_for(int fd, short events, int64_t deadline_ns)
{
    for (;;) {
        int64_t left_ns = deadline_ns - mu_clock_mono_ns();
        if (left_ns <= 0) {
            return false;
        }
        struct pollfd poll_fd = {.fd = fd, .events = events};
        int ready = poll(&poll_fd, 1, (int)(left_ns / MU_NS_PER_MS) + 1);
        if (ready > 0) {
            return true;
        }
        if (ready == -1 && errno != EINTR) {
            return false;
        }
    }
}

/* ---- connecting ------------------------------------------------------------------------------ */

static void note_peer(struct probe_wire *wire, const struct addrinfo *address)
{
    char host[NI_MAXHOST];
    char port[NI_MAXSERV];
    if (getnameinfo(address->ai_addr, address->ai_addrlen, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        return;
    }
    bool v6 = address->ai_family == AF_INET6;
    int n = snprintf(wire->peer, sizeof wire->peer, v6 ? "[%.45s]:%.5s" : "%.45s:%.5s", host, port);
    mu_assert(n > 0);
}

/* 0, or the errno with which it failed. */
static int connect_to(struct probe_wire *wire, const struct addrinfo *address)
{
    wire->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (wire->fd == -1) {
        return errno;
    }
    note_peer(wire, address);
    if (connect(wire->fd, address->ai_addr, address->ai_addrlen) == 0) {
        return 0;
    }
    if (errno != EINPROGRESS) {
        return errno;
    }
    if (!wait_for(wire->fd, POLLOUT, mu_clock_mono_ns() + wire->timeout_ns)) {
        return ETIMEDOUT;
    }
    int failed = 0;
    socklen_t size = sizeof failed;
    return getsockopt(wire->fd, SOL_SOCKET, SO_ERROR, &failed, &size) == -1 ? errno : failed;
}

static void close_fd(struct probe_wire *wire)
{
    if (wire->fd != -1) {
        (void)close(wire->fd);
        wire->fd = -1;
    }
}

bool probe_wire_open(struct probe_wire *wire, const char *host, uint16_t port, int64_t timeout_ns,
                     struct mutual_error *err)
{
    *wire = (struct probe_wire){.fd = -1, .timeout_ns = timeout_ns};
    wire->in = mu_alloc(MUTUAL_WIRE_RECORD, 1);
    wire->out = mu_alloc(MUTUAL_WIRE_RECORD, 1);
    if (wire->in == NULL || wire->out == NULL) {
        return mu_fail_memory(err);
    }
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *addresses = NULL;
    int answer = getaddrinfo(host, service, &hints, &addresses);
    if (answer != 0) {
        return mu_fail(err, MUTUAL_E_RESOLVE_FAILED, "could not find an address of \"%s\": %s",
                       host, gai_strerror(answer));
    }
    int failed = 0;
    for (const struct addrinfo *a = addresses; a != NULL; a = a->ai_next) {
        failed = connect_to(wire, a);
        if (failed == 0) {
            break;
        }
        close_fd(wire);
    }
    freeaddrinfo(addresses);
    if (failed == ETIMEDOUT) {
        char words[MU_TIME_TEXT];
        return mu_fail(err, MUTUAL_E_CONNECT_TIMEOUT, "\"%s\" did not answer within %s", wire->peer,
                       mu_duration_words(timeout_ns / MU_NS_PER_S, words));
    }
    return failed == 0 || mu_fail_errno(err, MUTUAL_E_CONNECT_FAILED, failed,
                                        "could not connect to \"%s\"", wire->peer);
}

void probe_wire_close(struct probe_wire *wire)
{
    close_fd(wire);
    mu_free(MU_TAKE(wire->in));
    mu_free(MU_TAKE(wire->out));
}

void mu_probe_wire_auto(struct probe_wire *wire)
{
    probe_wire_close(wire);
}

/* ---- driving a session ----------------------------------------------------------------------- */

/* Sends all of it; what cannot be sent any more shows when the answer is read. */
static void flush(struct probe_wire *wire, size_t len)
{
    size_t sent = 0;
    int64_t deadline_ns = mu_clock_mono_ns() + wire->timeout_ns;
    while (sent < len) {
        ssize_t n = send(wire->fd, wire->out + sent, len - sent, MSG_NOSIGNAL);
        if (n > 0) {
            sent += (size_t)n;
        } else if (n == -1 && errno == EINTR) {
            continue;
        } else if (n != -1 || errno != EAGAIN || !wait_for(wire->fd, POLLOUT, deadline_ns)) {
            return;
        }
    }
}

/* Waits for more; false when none came before the deadline. An end and a broken line are news. */
static bool fill(struct probe_wire *wire, int64_t deadline_ns)
{
    while (wire->in_len < MUTUAL_WIRE_RECORD && !wire->in_end) {
        if (!wait_for(wire->fd, POLLIN, deadline_ns)) {
            return false;
        }
        ssize_t n = recv(wire->fd, wire->in + wire->in_len, MUTUAL_WIRE_RECORD - wire->in_len, 0);
        if (n > 0) {
            size_t head =
                wire->bytes_in < PROBE_HEAD_BYTES ? (size_t)wire->bytes_in : PROBE_HEAD_BYTES;
            size_t room = PROBE_HEAD_BYTES - head;
            memcpy(wire->head + head, wire->in + wire->in_len, (size_t)n < room ? (size_t)n : room);
            wire->in_len += (size_t)n;
            wire->bytes_in += (uint64_t)n;
            return true;
        }
        if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            wire->in_end = true;
            wire->in_error = n == 0 ? 0 : errno;
        }
    }
    return true;
}

enum mutual_io probe_wire_drive(struct probe_wire *wire, struct mutual_session *session,
                                probe_step *step, void *context, int64_t deadline_ns,
                                struct mutual_error *err)
{
    for (;;) {
        struct mutual_wire window = {.in = wire->in,
                                     .in_len = wire->in_len,
                                     .in_end = wire->in_end,
                                     .in_error = wire->in_error,
                                     .out = wire->out,
                                     .out_cap = MUTUAL_WIRE_RECORD};
        enum mutual_io io = step(session, &window, context, err);
        memmove(wire->in, window.in, window.in_len);
        wire->in_len = window.in_len;
        flush(wire, window.out_len);
        if (io == MUTUAL_IO_WANT_WRITE) {
            continue;
        }
        if (io != MUTUAL_IO_WANT_READ || !fill(wire, deadline_ns)) {
            return io;
        }
    }
}
