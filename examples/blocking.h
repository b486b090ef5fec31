/* SPDX-License-Identifier: Apache-2.0
 *
 * What both examples share: a session of libmutual over a blocking socket. The session never
 * touches the socket; this moves the ciphertext between the two.
 */
#ifndef EXAMPLE_BLOCKING_H
#define EXAMPLE_BLOCKING_H

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <mutual/mutual.h>

struct conn {
    int fd;
    struct mutual_session *session;
    bool ended; /* the socket is at its end */
    int broken; /* the errno that ended it, or 0 */
    uint8_t in[MUTUAL_WIRE_RECORD], out[MUTUAL_WIRE_RECORD];
    size_t in_len;
};

static bool complain(const struct mutual_error *err)
{
    char text[1024];
    mutual_error_format(err, text, sizeof text);
    printf("%s\n", text);
    return false;
}

static struct mutual_wire wire_of(struct conn *conn)
{
    return (struct mutual_wire){.in = conn->in,
                                .in_len = conn->in_len,
                                .in_end = conn->ended,
                                .in_error = conn->broken,
                                .out = conn->out,
                                .out_cap = sizeof conn->out};
}

/* After every step: keeps what was not consumed, sends what is to be sent, and waits for more when
 * the session wants it. True: the step is to be tried again. */
static bool again(struct conn *conn, const struct mutual_wire *wire, enum mutual_io io)
{
    memmove(conn->in, wire->in, wire->in_len);
    conn->in_len = wire->in_len;
    for (size_t sent = 0; sent < wire->out_len;) {
        ssize_t n = send(conn->fd, conn->out + sent, wire->out_len - sent, MSG_NOSIGNAL);
        if (n <= 0) {
            break; /* what the peer said before it left is still to be read */
        }
        sent += (size_t)n;
    }
    if (io == MUTUAL_IO_WANT_READ) {
        ssize_t n = recv(conn->fd, conn->in + conn->in_len, sizeof conn->in - conn->in_len, 0);
        conn->ended = n <= 0;
        conn->broken = n < 0 ? errno : 0;
        conn->in_len += n > 0 ? (size_t)n : 0;
    }
    return io == MUTUAL_IO_WANT_READ || io == MUTUAL_IO_WANT_WRITE;
}

/* The handshake, then admission: NULL, having said why, when the peer is not let in. */
static const struct mutual_verdict *shake_hands(struct conn *conn)
{
    struct mutual_error err = {0};
    struct mutual_wire wire;
    enum mutual_io io;
    do {
        wire = wire_of(conn);
        io = mutual_session_handshake(conn->session, &wire, &err);
    } while (again(conn, &wire, io));
    if (io != MUTUAL_IO_DONE) {
        return complain(&err), NULL;
    }
    const struct mutual_verdict *verdict = mutual_session_admit(conn->session, time(NULL));
    return verdict->allowed ? verdict : (complain(&verdict->why), NULL);
}

/* Up to cap bytes; 0 when the peer has ended in the TLS way; -1, having said why, on failure. */
static ssize_t hear(struct conn *conn, void *data, size_t cap)
{
    struct mutual_error err = {0};
    struct mutual_wire wire;
    enum mutual_io io;
    size_t len = 0;
    do {
        wire = wire_of(conn);
        io = mutual_session_read(conn->session, &wire, data, cap, &len, &err);
    } while (again(conn, &wire, io));
    if (io == MUTUAL_IO_FAILED) {
        return complain(&err), -1;
    }
    return io == MUTUAL_IO_END ? 0 : (ssize_t)len;
}

static bool say(struct conn *conn, const void *data, size_t len)
{
    struct mutual_error err = {0};
    for (size_t done = 0, taken = 0; done < len; done += taken) {
        struct mutual_wire wire = wire_of(conn);
        taken = 0;
        enum mutual_io io = mutual_session_write(conn->session, &wire, (const uint8_t *)data + done,
                                                 len - done, &taken, &err);
        (void)again(conn, &wire, io);
        if (io == MUTUAL_IO_FAILED) {
            return complain(&err);
        }
    }
    return true;
}

/* Our direction ends; the peer's may go on. */
static void hang_up(struct conn *conn)
{
    struct mutual_wire wire;
    enum mutual_io io;
    do {
        wire = wire_of(conn);
        io = mutual_session_close(conn->session, &wire, NULL);
    } while (again(conn, &wire, io));
}

#endif
