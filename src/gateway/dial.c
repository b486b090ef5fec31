/* SPDX-License-Identifier: Apache-2.0
 *
 * The stage that connects to the other end: the service behind an inbound listener, or the remote
 * end of an outbound one. A target with several addresses is tried address by address; every
 * connection begins with the next one.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "gateway/proxy_internal.h"
#include "gateway/record_internal.h"
#include "gateway/worker_internal.h"

static const char *target_text(const struct conn *conn)
{
    const struct world_service *facts = conn->service->facts;
    return facts->inbound != NULL ? facts->inbound->forward.text : facts->outbound->connect.text;
}

/* Without a reason of the system's: what it was connecting to has just lost that address. */
static struct conn_next fail_dial(struct conn *conn, int sys)
{
    struct mutual_error err = {0};
    bool inbound = conn->service->facts->inbound != NULL;
    if (conn->service->targets.count == 0 || sys == 0) {
        (void)mu_fail(&err, MUTUAL_E_RESOLVE_FAILED, "\"%s\" has no address", target_text(conn));
    } else if (sys == ETIMEDOUT && !inbound) {
        (void)mu_fail(&err, MUTUAL_E_CONNECT_TIMEOUT, "\"%s\" did not answer in time",
                      target_text(conn));
    } else {
        (void)mu_fail_errno(&err, inbound ? MUTUAL_E_BACKEND_DOWN : MUTUAL_E_CONNECT_FAILED, sys,
                            "could not connect to \"%s\"", target_text(conn));
    }
    return conn_fail(conn, &err);
}

static const struct address *target_at(const struct conn *conn)
{
    const struct targets *targets = &conn->service->targets;
    return &targets->items[((size_t)conn->number + conn->target) % targets->count];
}

static void hang_up(struct conn *conn)
{
    reactor_unwatch(conn->worker->reactor, &conn->back.watch);
    (void)close(conn->back.fd);
    conn->back.fd = -1;
    conn->back.readable = false;
    conn->back.writable = false;
    conn->back.hangup = false;
}

/* 0: under way or done; else why not. -1: no socket yet, the connection waits for one. */
static int start_connect(struct conn *conn)
{
    struct mutual_error lost = {0};
    const struct address *address = target_at(conn);
    conn->back.fd = stock_take(conn->worker, address->socket.ss_family, conn);
    if (conn->back.fd == -1) {
        return -1;
    }
    int result = connect(conn->back.fd, (const struct sockaddr *)&address->socket, address->len);
    if (result == -1 && errno != EINPROGRESS) {
        return errno;
    }
    return conn_watch(&conn->back, &lost) ? 0 : ENOMEM;
}

static int connect_result(const struct conn *conn)
{
    int result = 0;
    socklen_t len = sizeof result;
    return getsockopt(conn->back.fd, SOL_SOCKET, SO_ERROR, &result, &len) == -1 ? errno : result;
}

/* Tells the service who is there, before the first byte of the client. */
static bool send_proxy_header(struct conn *conn, struct mutual_error *err)
{
    const struct config_inbound *inbound = conn->service->facts->inbound;
    if (inbound == NULL || inbound->proxy_protocol == CONFIG_PROXY_NONE) {
        return true;
    }
    MU_AUTO(buf) struct mu_buf header;
    mu_buf_init(&header, PROXY_HEADER_MAX);
    return record_proxy_header(conn, &header, err) &&
           wire_send(&conn->back, header.data, header.len, err) != FLOW_FAILED;
}

/* Tells the authority who was proved, before the first byte of the client. */
static bool send_evidence(struct conn *conn, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf frame;
    mu_buf_init(&frame, EVIDENCE_HEAD + EVIDENCE_BODY);
    return record_evidence(conn, &frame, err) &&
           wire_send(&conn->back, frame.data, frame.len, err) != FLOW_FAILED;
}

static bool has_application(const struct conn *conn)
{
    const struct config_inbound *inbound = conn->service->facts->inbound;
    return inbound != NULL && inbound->application != CONFIG_APPLICATION_NONE;
}

/* A stream connects already: only the socket is needed. */
static struct conn_next dial_application(struct conn *conn)
{
    struct mutual_error err = {0};
    if (conn->back.fd == -1) {
        conn->back.fd = stock_take(conn->worker, STOCK_STREAMS, conn);
    }
    if (conn->back.fd == -1) {
        return CONN_WAIT;
    }
    conn->back.writable = true;
    if (!conn_watch(&conn->back, &err) || !relay_open(conn, conn->verdict->pass, &err) ||
        !send_evidence(conn, &err)) {
        return conn_fail(conn, &err);
    }
    return CONN_GO(RELAY);
}

static struct conn_next connected(struct conn *conn)
{
    struct mutual_error err = {0};
    int on = 1;
    if (target_at(conn)->socket.ss_family != AF_UNIX) {
        (void)setsockopt(conn->back.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    if (conn->service->facts->outbound != NULL) {
        return CONN_GO(UP_HANDSHAKE);
    }
    if (!relay_open(conn, conn->verdict->pass, &err) || !send_proxy_header(conn, &err)) {
        return conn_fail(conn, &err);
    }
    return CONN_GO(RELAY);
}

/* Who was admitted by rules that a reload has replaced since is judged by the new ones before a
 * byte of his goes on, and is taken where they say. */
static bool is_overtaken(const struct conn *conn)
{
    return (conn->front.session != NULL || conn->plain != NULL) && !change_is_settled(conn);
}

static bool begin_anew(struct conn *conn, struct mutual_error *err)
{
    if (conn->back.fd != -1) {
        hang_up(conn);
    }
    conn->target = 0;
    return change_settle(conn, err);
}

struct conn_next conn_stage_dial(struct conn *conn)
{
    struct mutual_error err = {0};
    int sys = 0;
    if (is_overtaken(conn) && !begin_anew(conn, &err)) {
        return conn_fail(conn, &err);
    }
    if (has_application(conn)) {
        return dial_application(conn);
    }
    const struct targets *targets = &conn->service->targets;
    while (conn->target < targets->count) {
        if (conn->back.fd == -1) {
            sys = start_connect(conn);
        } else if (!conn->back.writable) {
            return CONN_WAIT;
        } else {
            sys = conn->back.hangup ? connect_result(conn) : 0;
            if (sys == 0) {
                return connected(conn);
            }
        }
        if (sys == -1) {
            return CONN_WAIT;
        }
        if (sys != 0) {
            hang_up(conn);
            conn->target++;
        }
    }
    return fail_dial(conn, sys);
}
