/* SPDX-License-Identifier: Apache-2.0
 *
 * The relay: bytes from one side to the other, both ways, until both have ended. It can only be
 * opened with a pass. Nothing is allocated for a message; a direction whose receiver is slow is not
 * read; a direction that ended is ended on the other side too, and the other direction goes on.
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "gateway/worker_internal.h"

/* Reads of one side in one turn; then the other connections have theirs. */
enum { ROUNDS = 4 };

bool relay_open(struct conn *conn, const struct mutual_pass *pass, struct mutual_error *err)
{
    struct side *secure = conn_secure(conn);
    if (!mutual_pass_holds(pass, reactor_now_s(conn->worker->reactor))) {
        return mu_fail(err, MUTUAL_E_PASS_EXPIRED, "the admission ended before the relay began");
    }
    conn->active_ns = reactor_now_ns(conn->worker->reactor);
    if (secure != NULL) {
        mutual_session_mark(secure->session, MUTUAL_STEP_DATA, MUTUAL_OUTCOME_DONE);
    }
    return true;
}

/* Is it still admitted? Asked again when a verdict ends, and when the rules are new: whoever moves
 * data before the sweep comes to him is not let go on by the old ones. */
static bool is_admitted(struct conn *conn, struct mutual_error *err)
{
    return change_is_settled(conn) || change_settle(conn, err);
}

static void count_bytes(struct conn *conn, const struct side *from, size_t len)
{
    uint64_t *figures = conn->service->meter->figures;
    bool in = from == &conn->front;
    conn->worker->moves += conn->bytes_in > 0 && conn->bytes_out > 0;
    *(in ? &conn->bytes_in : &conn->bytes_out) += len;
    figures[in ? METER_bytes_in : METER_bytes_out] += len;
    conn->active_ns = reactor_now_ns(conn->worker->reactor);
}

/* What was read goes on its way even when the reading ended badly behind it. */
static enum flow move(struct conn *conn, struct side *from, struct side *to, bool *ret_moved,
                      struct mutual_error *err)
{
    const uint8_t *data = NULL;
    size_t len = 0;
    enum flow in = wire_read(from, &data, &len, err);
    *ret_moved = len > 0;
    if (len == 0) {
        return in;
    }
    count_bytes(conn, from, len);
    struct mutual_error later = {0};
    enum flow out = wire_write(to, data, len, in == FLOW_FAILED ? &later : err);
    return in == FLOW_FAILED ? FLOW_FAILED : out == FLOW_FAILED ? out : in == FLOW_END ? in : out;
}

/* Without a block to spare only that goes on which needs none. A socket that is not ready now says
 * so by an event when it is. */
static bool may_move(struct conn *conn, const struct side *to)
{
    struct pool *pool = conn->worker->pool;
    struct pollfd taker = {.fd = to->fd, .events = POLLOUT};
    if (pool_has(pool)) {
        return true;
    }
    pool->gulp = POOL_SIP;
    if (poll(&taker, 1, 0) == 1) {
        return true;
    }
    conn_wait_in(conn, &conn->worker->starved);
    return false;
}

/* One direction, as far as it goes now. OK: it could go further in another turn. */
static enum flow pump(struct conn *conn, struct side *from, struct side *to,
                      struct mutual_error *err)
{
    enum flow flow = FLOW_OK;
    bool moved = true;
    for (int round = 0; round < ROUNDS && flow == FLOW_OK && moved; round++) {
        flow = wire_flush(to, err);
        if (flow != FLOW_OK || from->finished) {
            break;
        }
        flow = may_move(conn, to) ? move(conn, from, to, &moved, err) : FLOW_WAIT;
        conn->worker->pool->gulp = POOL_READ;
    }
    if (from->finished && flow != FLOW_FAILED && to->out != SIDE_SHUT) {
        flow = wire_close(to, err);
    }
    return from->finished && flow == FLOW_OK ? FLOW_END : flow;
}

/* A peer that says its last words and closes breaks the connection below what we still send to it:
 * a server of TLS 1.3 that refuses us does. What it said goes on its way, and a reason that it gave
 * tells more than the broken pipe. */
static struct conn_next break_off(struct conn *conn, struct mutual_error *err)
{
    struct side *peer = conn->plain != NULL ? &conn->front : conn_secure(conn);
    struct side *other = peer == &conn->front ? &conn->back : &conn->front;
    struct mutual_error last = {0};
    enum flow flow = err->code == MUTUAL_E_PEER_RESET ? FLOW_OK : FLOW_END;
    peer->readable = true;
    while (flow == FLOW_OK) {
        flow = pump(conn, peer, other, &last);
    }
    bool told = flow == FLOW_FAILED && last.code != MUTUAL_E_TRUNCATED;
    return conn_fail(conn, told ? &last : err);
}

struct conn_next conn_stage_relay(struct conn *conn)
{
    struct mutual_error err = {0};
    if (!is_admitted(conn, &err)) {
        return conn_fail(conn, &err);
    }
    enum flow in = pump(conn, &conn->front, &conn->back, &err);
    if (in == FLOW_FAILED) {
        return break_off(conn, &err);
    }
    enum flow out = pump(conn, &conn->back, &conn->front, &err);
    if (out == FLOW_FAILED) {
        return break_off(conn, &err);
    }
    if (in == FLOW_END && out == FLOW_END) {
        return CONN_GO(DRAIN);
    }
    if (in == FLOW_OK || out == FLOW_OK) {
        conn_drive_later(conn);
    }
    return CONN_WAIT;
}

/* ---- the end
 * -------------------------------------------------------------------------------------- */

/* Reads and forgets, so that the peer's bytes do not reset the connection before it has read our
 * last ones (RFC 9112 section 9.6 tells why). True at its end. */
static bool swallow(struct side *side)
{
    uint8_t *room = side->conn->worker->pool->wire;
    for (int round = 0; round < ROUNDS && side->readable; round++) {
        ssize_t n = recv(side->fd, room, POOL_READ, MSG_DONTWAIT);
        if (n <= 0) {
            side->readable = false;
            return n == 0 || (errno != EAGAIN && errno != EINTR);
        }
    }
    if (side->readable) {
        conn_drive_later(side->conn);
    }
    return false;
}

/* The other end of a connection that failed must not take what it got for the whole: it sees the
 * connection broken rather than ended, and at once, however long the peer takes to go. */
static void reset_plain(struct side *side)
{
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    if (side->fd == -1 || side->session != NULL) {
        return;
    }
    if (side->out != SIDE_SHUT) {
        (void)setsockopt(side->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    }
    conn_drop(side);
}

struct conn_next conn_stage_drain(struct conn *conn)
{
    struct mutual_error lost = {0};
    struct side *side = conn_secure(conn);
    if (conn->error == NULL) {
        return CONN_GO(CLOSED);
    }
    reset_plain(&conn->front);
    reset_plain(&conn->back);
    if (side == NULL) {
        return CONN_GO(CLOSED);
    }
    if (side->out != SIDE_SHUT) {
        enum flow flow = wire_flush(side, &lost);
        if (flow == FLOW_WAIT) {
            return CONN_WAIT;
        }
        if (flow == FLOW_FAILED || shutdown(side->fd, SHUT_WR) == -1) {
            return CONN_GO(CLOSED);
        }
        side->out = SIDE_SHUT;
    }
    return swallow(side) ? CONN_GO(CLOSED) : CONN_WAIT;
}
