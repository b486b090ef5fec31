/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes between a side's socket and the rest of the worker. Everything is read into the worker's
 * shared buffers and passed on in the same turn; only what the next socket does not take is kept,
 * in a block of the pool, and as long as there is one nothing more is read for it.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/worker_internal.h"

/* What one read can become, see POOL_BLOCK, and the type and padding of the last record. */
enum { PLAIN_MAX = POOL_READ + 16384 + 256 };

static struct pool *pool_of(const struct side *side)
{
    return side->conn->worker->pool;
}

/* The plaintext side of an inbound connection is the service behind us; everybody else is a peer.
 */
static bool fail_broken(const struct side *side, int sys, struct mutual_error *err)
{
    bool backend = side == &side->conn->back && side->session == NULL;
    return backend ? mu_fail_errno(err, MUTUAL_E_BACKEND_RESET, sys, "the service broke off")
                   : mu_fail_errno(err, MUTUAL_E_PEER_RESET, sys, "the connection was broken");
}

/* ---- out ----------------------------------------------------------------------------------------
 */

/* Sends as much as the socket takes; FAILED only when it is broken. `flags`: MSG_MORE or 0. */
static enum flow send_some(struct side *side, const uint8_t *data, size_t len, int flags,
                           size_t *ret_sent, struct mutual_error *err)
{
    size_t sent = 0;
    while (sent < len && side->writable) {
        ssize_t n = send(side->fd, data + sent, len - sent, MSG_NOSIGNAL | MSG_DONTWAIT | flags);
        if (n >= 0) {
            sent += (size_t)n;
        } else if (errno == EAGAIN) {
            side->writable = false;
        } else if (errno != EINTR) {
            (void)fail_broken(side, errno, err);
            return FLOW_FAILED;
        }
    }
    *ret_sent = sent;
    return sent == len ? FLOW_OK : FLOW_WAIT;
}

enum flow wire_flush(struct side *side, struct mutual_error *err)
{
    size_t sent = 0;
    struct block *block = side->unsent;
    if (block == NULL) {
        return FLOW_OK;
    }
    enum flow flow = send_some(side, block->data + block->start, block_len(block), 0, &sent, err);
    block->start += (uint32_t)sent;
    if (flow == FLOW_OK) {
        worker_give_block(side->conn->worker, MU_TAKE(side->unsent));
    }
    return flow;
}

static enum flow keep_unsent(struct side *side, const uint8_t *data, size_t len,
                             struct mutual_error *err)
{
    if (side->unsent == NULL) {
        side->unsent = pool_take(pool_of(side));
    }
    if (side->unsent == NULL || !block_append(side->unsent, data, len)) {
        (void)mu_fail(err, MUTUAL_E_NO_MEMORY,
                      "the other end does not read, and there is no room to keep more for it");
        return FLOW_FAILED;
    }
    return FLOW_WAIT;
}

static enum flow send_with(struct side *side, const uint8_t *data, size_t len, int flags,
                           struct mutual_error *err)
{
    size_t sent = 0;
    enum flow flow = wire_flush(side, err);
    if (flow == FLOW_OK) {
        flow = send_some(side, data, len, flags, &sent, err);
    }
    return flow == FLOW_WAIT && sent < len ? keep_unsent(side, data + sent, len - sent, err) : flow;
}

enum flow wire_send(struct side *side, const uint8_t *data, size_t len, struct mutual_error *err)
{
    return send_with(side, data, len, 0, err);
}

/* ---- in -----------------------------------------------------------------------------------------
 */

/* Reads into `room`; OK: *ret_len bytes, END: the peer closed or broke (then *ret_sys). */
static enum flow receive(struct side *side, uint8_t *room, size_t cap, size_t *ret_len,
                         int *ret_sys)
{
    while (side->readable) {
        ssize_t n = recv(side->fd, room, cap, MSG_DONTWAIT);
        if (n > 0) {
            /* epoll(7): a stream that gave less than was asked for is empty */
            side->readable = side->hangup || (size_t)n == cap;
            *ret_len = (size_t)n;
            return FLOW_OK;
        }
        if (n == 0) {
            return FLOW_END;
        }
        if (errno == EAGAIN) {
            side->readable = false;
        } else if (errno != EINTR) {
            *ret_sys = errno;
            return FLOW_END;
        }
    }
    return FLOW_WAIT;
}

/* Ciphertext for the session: what an earlier call left, or fresh from the socket. */
static enum flow fill_wire(struct side *side, struct mutual_wire *wire)
{
    struct block *block = side->unread;
    if (block != NULL) {
        wire->in = block->data + block->start;
        wire->in_len = block_len(block);
        return FLOW_OK;
    }
    struct pool *pool = pool_of(side);
    size_t gulp = pool->gulp == POOL_READ ? sizeof pool->wire : pool->gulp;
    enum flow flow = receive(side, pool->wire, gulp, &wire->in_len, &wire->in_error);
    wire->in = pool->wire;
    wire->in_end = flow == FLOW_END;
    return flow;
}

/* Keeps what the session left of its input. */
static bool keep_unread(struct side *side, const struct mutual_wire *wire, struct mutual_error *err)
{
    if (side->unread != NULL) {
        side->unread->start = side->unread->end - (uint32_t)wire->in_len;
        if (wire->in_len == 0) {
            worker_give_block(side->conn->worker, MU_TAKE(side->unread));
        }
        return true;
    }
    if (wire->in_len == 0) {
        return true;
    }
    side->unread = pool_take(pool_of(side));
    return (side->unread != NULL && block_append(side->unread, wire->in, wire->in_len)) ||
           mu_fail(err, MUTUAL_E_NO_MEMORY,
                   "all buffers for data that cannot be passed on are taken");
}

/* ---- the handshake ------------------------------------------------------------------------------
 */

/* One call into the session. An alert that cannot be sent is no reason of its own. */
static enum mutual_io handshake_once(struct side *side, struct mutual_wire *wire,
                                     struct mutual_error *err)
{
    struct conn *conn = side->conn;
    struct mutual_error lost = {0};
    wire->out = pool_of(side)->out;
    wire->out_cap = sizeof pool_of(side)->out;
    wire->until_ns = conn->worker->gate.until_ns;
    keys_client_enter(conn->worker->keys, &conn->waiter);
    enum mutual_io io = mutual_session_handshake(side->session, wire, err);
    keys_client_leave(conn->worker->keys);
    bool kept = io == MUTUAL_IO_FAILED || keep_unread(side, wire, err);
    int more = wire->out_can_wait ? MSG_MORE : 0; /* the kernel waits 200 ms for it and no longer */
    if (send_with(side, wire->out, wire->out_len, more, &lost) == FLOW_FAILED) {
        side->readable = true; /* its last words say more than the broken pipe does */
    }
    side->hungry = io == MUTUAL_IO_WANT_READ && wire->in_len == 0;
    return kept ? io : MUTUAL_IO_FAILED;
}

enum mutual_io wire_handshake(struct side *side, struct mutual_error *err)
{
    for (;;) {
        struct mutual_wire wire = {0};
        struct mutual_error lost = {0};
        if (wire_flush(side, &lost) == FLOW_WAIT) {
            return MUTUAL_IO_WANT_WRITE;
        }
        if ((side->hungry || side->unread != NULL) && fill_wire(side, &wire) == FLOW_WAIT) {
            return MUTUAL_IO_WANT_READ;
        }
        enum mutual_io io = handshake_once(side, &wire, err);
        if (io != MUTUAL_IO_WANT_READ && io != MUTUAL_IO_WANT_WRITE) {
            return io;
        }
    }
}

/* ---- plaintext in -------------------------------------------------------------------------------
 */

/* Reads until the session has no more, into the worker's plain buffer. */
static enum flow decrypt(struct side *side, struct mutual_wire *wire, size_t *ret_len,
                         struct mutual_error *err)
{
    struct pool *pool = pool_of(side);
    size_t len = 0;
    enum mutual_io io = MUTUAL_IO_DONE;
    while (io == MUTUAL_IO_DONE && len < PLAIN_MAX) {
        size_t got = 0;
        io =
            mutual_session_read(side->session, wire, pool->plain + len, PLAIN_MAX - len, &got, err);
        len += io == MUTUAL_IO_DONE ? got : 0;
    }
    *ret_len = len;
    side->hungry = io == MUTUAL_IO_WANT_READ && wire->in_len == 0;
    return io == MUTUAL_IO_END                                  ? FLOW_END
           : io == MUTUAL_IO_FAILED || io == MUTUAL_IO_WANT_KEY ? FLOW_FAILED
           : len > 0                                            ? FLOW_OK
                                                                : FLOW_WAIT;
}

static enum flow read_session(struct side *side, size_t *ret_len, struct mutual_error *err)
{
    struct pool *pool = pool_of(side);
    struct mutual_wire wire = {.out = pool->reply, .out_cap = sizeof pool->reply};
    enum flow flow = FLOW_WAIT;
    if ((side->hungry || side->unread != NULL) && fill_wire(side, &wire) == FLOW_WAIT) {
        return FLOW_WAIT;
    }
    flow = decrypt(side, &wire, ret_len, err);
    if (flow == FLOW_FAILED && err->code == MUTUAL_E_TRUNCATED && side->out != SIDE_OPEN) {
        flow = FLOW_END; /* we had said goodbye; it need not answer */
    }
    struct mutual_error lost = {0};
    if (flow != FLOW_FAILED && flow != FLOW_END && !keep_unread(side, &wire, err)) {
        flow = FLOW_FAILED;
    }
    if (wire_send(side, wire.out, wire.out_len, &lost) == FLOW_FAILED && flow != FLOW_FAILED) {
        *err = lost;
        flow = FLOW_FAILED;
    }
    return flow;
}

/* Records that carry no data (tickets, key updates) were read, and there is more. Whoever sends
 * nothing else must not keep the worker from everybody else. */
static bool may_read_on(const struct side *side)
{
    return side->session != NULL && (side->hungry ? side->readable : side->unsent == NULL);
}

enum flow wire_read(struct side *side, const uint8_t **ret_data, size_t *ret_len,
                    struct mutual_error *err)
{
    int sys = 0;
    *ret_len = 0;
    *ret_data = pool_of(side)->plain;
    enum flow flow = side->session != NULL
                         ? read_session(side, ret_len, err)
                         : receive(side, pool_of(side)->plain, pool_of(side)->gulp, ret_len, &sys);
    if (flow == FLOW_WAIT && may_read_on(side)) {
        return FLOW_OK;
    }
    if (flow == FLOW_END && sys != 0) {
        (void)fail_broken(side, sys, err);
        return FLOW_FAILED;
    }
    side->finished = side->finished || flow == FLOW_END;
    return flow;
}

/* ---- plaintext out ------------------------------------------------------------------------------
 */

enum flow wire_write(struct side *side, const uint8_t *data, size_t len, struct mutual_error *err)
{
    if (side->session == NULL) {
        return wire_send(side, data, len, err);
    }
    struct pool *pool = pool_of(side);
    struct mutual_wire wire = {.out = pool->out, .out_cap = sizeof pool->out};
    for (size_t taken = 0; taken < len;) {
        size_t n = 0;
        enum mutual_io io =
            mutual_session_write(side->session, &wire, data + taken, len - taken, &n, err);
        if (io == MUTUAL_IO_FAILED) {
            return FLOW_FAILED;
        }
        mu_assert(io == MUTUAL_IO_DONE); /* the buffer holds what the largest read becomes */
        taken += n;
    }
    return wire_send(side, wire.out, wire.out_len, err);
}

enum flow wire_close(struct side *side, struct mutual_error *err)
{
    if (side->out == SIDE_OPEN && side->session != NULL) {
        struct pool *pool = pool_of(side);
        struct mutual_wire wire = {.out = pool->out, .out_cap = sizeof pool->out};
        /* The end of the stream follows at once, and goes in the same segment. */
        if (mutual_session_close(side->session, &wire, err) == MUTUAL_IO_FAILED ||
            send_with(side, wire.out, wire.out_len, MSG_MORE, err) == FLOW_FAILED) {
            return FLOW_FAILED;
        }
    }
    side->out = side->out == SIDE_OPEN ? SIDE_CLOSING : side->out;
    enum flow flow = wire_flush(side, err);
    if (flow == FLOW_OK && side->out == SIDE_CLOSING) {
        (void)shutdown(side->fd, SHUT_WR); /* a broken socket tells when it is read */
        side->out = SIDE_SHUT;
    }
    return flow;
}
