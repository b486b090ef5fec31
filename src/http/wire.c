/* SPDX-License-Identifier: Apache-2.0
 *
 * A stream socket with or without a TLS session on it, never waiting.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/http_internal.h"

enum { RECORDS = 4 }; /* of ciphertext kept in either direction */

void http_wire_init(struct http_wire *wire)
{
    *wire = (struct http_wire){.fd = -1};
    mu_buf_init(&wire->in, RECORDS * MUTUAL_WIRE_RECORD);
    mu_buf_init(&wire->out, RECORDS * MUTUAL_WIRE_RECORD);
}

void http_wire_close(struct http_wire *wire)
{
    mutual_session_free(MU_TAKE(wire->session));
    if (wire->fd != -1) {
        (void)close(wire->fd);
    }
    wire->fd = -1;
    wire->in_end = false;
    wire->in_error = 0;
    mu_buf_clear(&wire->in);
    mu_buf_clear(&wire->out);
}

void http_wire_done(struct http_wire *wire)
{
    http_wire_close(wire);
    mu_buf_done(&wire->in);
    mu_buf_done(&wire->out);
}

static enum mutual_io fail_broken(int sys, struct mutual_error *err)
{
    (void)mu_fail_errno(err, MUTUAL_E_PEER_RESET, sys, "the connection was broken");
    return MUTUAL_IO_FAILED;
}

/* ---- out ---------------------------------------------------------------------------------------
 */

/* Sends what is in the buffer, as far as the socket takes it. */
static enum mutual_io send_from(struct http_wire *wire, struct mu_buf *from,
                                struct mutual_error *err)
{
    while (from->len > 0) {
        ssize_t n = send(wire->fd, from->data, from->len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            mu_buf_consume(from, (size_t)n);
        } else if (errno == EAGAIN) {
            return MUTUAL_IO_WANT_WRITE;
        } else if (errno != EINTR) {
            return fail_broken(errno, err);
        }
    }
    return MUTUAL_IO_DONE;
}

/* A window for the session: the bytes that wait, and room behind what is on its way. */
static bool open_window(struct http_wire *wire, struct mutual_wire *window,
                        struct mutual_error *err)
{
    uint8_t *room = mu_buf_reserve(&wire->out, MUTUAL_WIRE_RECORD);
    if (room == NULL) {
        return mu_fail_memory(err);
    }
    *window = (struct mutual_wire){.in = wire->in.data,
                                   .in_len = wire->in.len,
                                   .in_end = wire->in_end,
                                   .in_error = wire->in_error,
                                   .out = room,
                                   .out_cap = MUTUAL_WIRE_RECORD};
    return true;
}

static void close_window(struct http_wire *wire, const struct mutual_wire *window)
{
    wire->out.len += window->out_len;
    mu_buf_consume(&wire->in, wire->in.len - window->in_len);
}

enum mutual_io http_wire_write(struct http_wire *wire, struct mu_buf *from,
                               struct mutual_error *err)
{
    if (wire->session == NULL) {
        return send_from(wire, from, err);
    }
    for (;;) {
        enum mutual_io io = send_from(wire, &wire->out, err);
        struct mutual_wire window;
        size_t taken = 0;
        if (io != MUTUAL_IO_DONE || from->len == 0) {
            return io;
        }
        if (!open_window(wire, &window, err)) {
            return MUTUAL_IO_FAILED;
        }
        io = mutual_session_write(wire->session, &window, from->data, from->len, &taken, err);
        close_window(wire, &window);
        mu_buf_consume(from, io == MUTUAL_IO_DONE ? taken : 0);
        if (io != MUTUAL_IO_DONE && io != MUTUAL_IO_WANT_WRITE) {
            return io;
        }
    }
}

void http_wire_goodbye(struct http_wire *wire)
{
    struct mutual_error lost = {0};
    struct mutual_wire window;
    if (wire->session != NULL && wire->fd != -1 && open_window(wire, &window, &lost)) {
        (void)mutual_session_close(wire->session, &window, &lost);
        close_window(wire, &window);
        (void)send_from(wire, &wire->out, &lost);
    }
}

/* ---- in ----------------------------------------------------------------------------------------
 */

/* DONE: bytes or the end came. */
static enum mutual_io receive(struct http_wire *wire, uint8_t *data, size_t cap, size_t *ret_len)
{
    for (;;) {
        ssize_t n = recv(wire->fd, data, cap, MSG_DONTWAIT);
        if (n > 0) {
            *ret_len = (size_t)n;
            return MUTUAL_IO_DONE;
        }
        if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            wire->in_end = true;
            wire->in_error = n == 0 ? 0 : errno;
            *ret_len = 0;
            return MUTUAL_IO_DONE;
        }
        if (errno == EAGAIN) {
            return MUTUAL_IO_WANT_READ;
        }
    }
}

/* More ciphertext; FAILED when there is no memory for it, END when all of it was seen. */
static enum mutual_io fill(struct http_wire *wire, struct mutual_error *err)
{
    size_t got = 0;
    if (wire->in_end) {
        return fail_broken(wire->in_error, err);
    }
    uint8_t *room = mu_buf_reserve(&wire->in, MUTUAL_WIRE_RECORD);
    if (room == NULL) {
        (void)mu_fail_memory(err);
        return MUTUAL_IO_FAILED;
    }
    enum mutual_io io = receive(wire, room, MUTUAL_WIRE_RECORD, &got);
    wire->in.len += io == MUTUAL_IO_DONE ? got : 0;
    return io;
}

enum mutual_io http_wire_handshake(struct http_wire *wire, struct mutual_error *err)
{
    for (;;) {
        struct mutual_wire window;
        struct mutual_error lost = {0};
        if (!open_window(wire, &window, err)) {
            return MUTUAL_IO_FAILED;
        }
        enum mutual_io io = mutual_session_handshake(wire->session, &window, err);
        close_window(wire, &window);
        enum mutual_io sent = send_from(wire, &wire->out, &lost);
        if (io != MUTUAL_IO_WANT_READ && io != MUTUAL_IO_WANT_WRITE) {
            return io;
        }
        if (sent == MUTUAL_IO_WANT_WRITE) {
            return sent;
        }
        if (io == MUTUAL_IO_WANT_READ) {
            io = fill(wire, err);
            if (io != MUTUAL_IO_DONE) {
                return io;
            }
        }
    }
}

static enum mutual_io read_session(struct http_wire *wire, uint8_t *data, size_t cap,
                                   size_t *ret_len, struct mutual_error *err)
{
    for (;;) {
        struct mutual_wire window;
        struct mutual_error lost = {0};
        if (!open_window(wire, &window, err)) {
            return MUTUAL_IO_FAILED;
        }
        enum mutual_io io = mutual_session_read(wire->session, &window, data, cap, ret_len, err);
        close_window(wire, &window);
        (void)send_from(wire, &wire->out, &lost); /* a broken wire is told when it is read */
        if (io == MUTUAL_IO_WANT_READ) {
            io = fill(wire, err);
            if (io == MUTUAL_IO_DONE) {
                continue;
            }
        }
        if (io != MUTUAL_IO_WANT_WRITE || wire->out.len > 0) {
            return io;
        }
    }
}

enum mutual_io http_wire_read(struct http_wire *wire, uint8_t *data, size_t cap, size_t *ret_len,
                              struct mutual_error *err)
{
    if (wire->session != NULL) {
        return read_session(wire, data, cap, ret_len, err);
    }
    if (!wire->in_end) {
        enum mutual_io io = receive(wire, data, cap, ret_len);
        if (io != MUTUAL_IO_DONE || !wire->in_end) {
            return io;
        }
    }
    return wire->in_error == 0 ? MUTUAL_IO_END : fail_broken(wire->in_error, err);
}
