/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of a connection: made, driven from stage to stage, timed, ended.
 */
#include "gateway/conn_internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "gateway/worker_internal.h"

/* How long a peer has to read why it is ended; who may not be here any more has less. */
enum { LINGER_MS = 2000, LINGER_WITHDRAWN_MS = 500 };

static struct conn_next stage_accepted(struct conn *conn);
static struct conn_next stage_closed(struct conn *conn);

typedef struct conn_next stage_fn(struct conn *conn);
static stage_fn *const stage_functions[STAGE_COUNT_] = {
    [STAGE_ACCEPTED] = stage_accepted,
    [STAGE_HANDSHAKE] = conn_stage_handshake,
    [STAGE_ADMIT] = conn_stage_admit,
    [STAGE_DIAL] = conn_stage_dial,
    [STAGE_UP_HANDSHAKE] = conn_stage_up_handshake,
    [STAGE_UP_ADMIT] = conn_stage_up_admit,
    [STAGE_RELAY] = conn_stage_relay,
    [STAGE_DRAIN] = conn_stage_drain,
    [STAGE_CLOSED] = stage_closed,
};

/* ---- time -------------------------------------------------------------------------------------
 */

static void fill_idle(struct conn *conn, struct mutual_error *why)
{
    char words[MU_TIME_TEXT];
    (void)mu_fail(why, MUTUAL_E_IDLE_TIMEOUT, "no byte went either way for %s",
                  mu_duration_words(conn->service->timeouts->idle_ns / MU_NS_PER_S, words));
}

/* The idle time is looked at when it may have passed, not whenever bytes move. */
static bool is_idle(struct conn *conn)
{
    int64_t end_ns = conn->active_ns + conn->service->timeouts->idle_ns;
    if (reactor_now_ns(conn->worker->reactor) >= end_ns) {
        return true;
    }
    reactor_arm(conn->worker->reactor, &conn->deadline, end_ns, conn->deadline.fire, conn);
    return false;
}

static void fill_connect(struct conn *conn, struct mutual_error *why)
{
    const struct world_service *facts = conn->service->facts;
    bool inbound = facts->inbound != NULL;
    (void)mu_fail(why, inbound ? MUTUAL_E_BACKEND_DOWN : MUTUAL_E_CONNECT_TIMEOUT,
                  "\"%s\" did not answer in time",
                  inbound ? facts->inbound->forward.text : facts->outbound->connect.text);
}

static void on_deadline(void *owner)
{
    struct conn *conn = owner;
    struct mutual_error why = {0};
    switch (conn->stage) {
    case STAGE_HANDSHAKE:
    case STAGE_UP_HANDSHAKE:
        (void)mu_fail(&why, MUTUAL_E_HANDSHAKE_TIMEOUT,
                      conn->stage == STAGE_HANDSHAKE && conn->front.session == NULL
                          ? "the peer connected and sent nothing"
                          : "the handshake did not end in time");
        break;
    case STAGE_DIAL:
        fill_connect(conn, &why);
        break;
    case STAGE_RELAY:
        if (!is_idle(conn)) {
            return;
        }
        fill_idle(conn, &why);
        break;
    case STAGE_ACCEPTED:
    case STAGE_ADMIT:
    case STAGE_UP_ADMIT:
    case STAGE_DRAIN:
    case STAGE_CLOSED:
    case STAGE_COUNT_:
    default:
        break; /* the linger is over */
    }
    conn_end(conn, &why);
}

static void arm_stage(struct conn *conn)
{
    const struct config_timeouts *timeouts = conn->service->timeouts;
    const int64_t delays[] = {
        [STAGE_TIMEOUT_NONE] = 0,
        [STAGE_TIMEOUT_HANDSHAKE] = timeouts->handshake_ns,
        [STAGE_TIMEOUT_CONNECT] = timeouts->connect_ns,
        [STAGE_TIMEOUT_IDLE] = timeouts->idle_ns,
        [STAGE_TIMEOUT_DRAIN] = (conn->withdrawn ? LINGER_WITHDRAWN_MS : LINGER_MS) * MU_NS_PER_MS,
    };
    int64_t delay_ns = delays[stage_timeout(conn->stage)];
    if (delay_ns > 0) {
        reactor_arm_in(conn->worker->reactor, &conn->deadline, delay_ns, on_deadline, conn);
    } else {
        reactor_cancel(conn->worker->reactor, &conn->deadline);
    }
}

/* ---- the driver ---------------------------------------------------------------------------------
 */

static void enter_stage(struct conn *conn, enum stage stage)
{
    conn->stage = stage;
    if (stage == STAGE_DRAIN || stage == STAGE_CLOSED) {
        change_forget(conn);
    }
    arm_stage(conn);
}

void conn_drive(struct conn *conn)
{
    for (;;) {
        struct conn_next next = stage_functions[conn->stage](conn);
        if (!next.go) {
            return;
        }
        mu_assert(stage_may_go(conn->stage, next.to));
        enter_stage(conn, next.to);
    }
}

static void drive_again(void *owner)
{
    conn_drive(owner);
}

void conn_drive_later(struct conn *conn)
{
    reactor_defer(conn->worker->reactor, &conn->again, drive_again, conn);
}

/* The alerts of RFC 8446 section 6.2 that judge a certificate or what its holder may do. */
static bool is_judgement(int alert)
{
    enum { BAD_CERTIFICATE = 42, ACCESS_DENIED = 49, CERTIFICATE_REQUIRED = 116 };
    return (alert >= BAD_CERTIFICATE && alert <= ACCESS_DENIED) || alert == CERTIFICATE_REQUIRED;
}

void conn_count_handshake(struct conn *conn, enum meter_result result, enum mutual_code code)
{
    struct mutual_session_info info = {0};
    struct side *secure = conn_secure(conn);
    if (secure != NULL) {
        mutual_session_info(secure->session, &info);
    }
    const struct meter_outcome how = {.code = (uint16_t)code,
                                      .result = (uint8_t)result,
                                      .version = info.version == NULL ? METER_NO_TLS
                                                 : strcmp(info.version, "TLS 1.3") == 0
                                                     ? METER_TLS13
                                                     : METER_TLS12,
                                      .resumed = info.resumed,
                                      .count = 1};
    meter_count(conn->service->meter, &how);
}

static void count_error(struct conn *conn, enum mutual_code code)
{
    static const enum meter_figure figures[STAGE_COUNT_] = {
        [STAGE_HANDSHAKE] = METER_failed, [STAGE_ADMIT] = METER_refused,
        [STAGE_DIAL] = METER_unreachable, [STAGE_UP_HANDSHAKE] = METER_failed,
        [STAGE_UP_ADMIT] = METER_refused, [STAGE_RELAY] = METER_broken,
        [STAGE_DRAIN] = METER_broken,
    };
    enum meter_figure figure = code == MUTUAL_E_PEER_SILENT ? METER_left : figures[conn->stage];
    if (figure == METER_failed && is_judgement(mutual_code_alert(code))) {
        figure = METER_refused;
    }
    conn->service->meter->figures[figure]++;
    if (figure == METER_left || figure == METER_failed || figure == METER_refused) {
        conn_count_handshake(conn,
                             figure == METER_left     ? METER_LEFT
                             : figure == METER_failed ? METER_FAILED
                                                      : METER_REFUSED,
                             code);
    }
}

static void file_error(struct conn *conn, const struct mutual_error *why)
{
    if (conn->error != NULL || why->code == MUTUAL_OK) {
        return;
    }
    count_error(conn, why->code);
    conn->error = mu_alloc(1, sizeof *conn->error);
    if (conn->error != NULL) {
        *conn->error = *why;
        if (conn->error->step == MUTUAL_STEP_NONE) {
            conn->error->step = stage_step(conn->stage);
        }
    }
}

struct conn_next conn_fail(struct conn *conn, const struct mutual_error *why)
{
    file_error(conn, why);
    conn_leave_queue(conn);
    gate_shaken(conn);
    conn_forget_key(conn);
    return CONN_GO(DRAIN);
}

void conn_end(struct conn *conn, const struct mutual_error *why)
{
    if (conn->stage == STAGE_CLOSED) {
        return;
    }
    file_error(conn, why);
    conn_leave_queue(conn);
    gate_shaken(conn);
    conn_forget_key(conn);
    enter_stage(conn, conn->stage == STAGE_DRAIN ? STAGE_CLOSED : STAGE_DRAIN);
    conn_drive(conn);
}

void conn_wait_in(struct conn *conn, struct conn_queue *queue)
{
    if (conn->queue == NULL) {
        TAILQ_INSERT_TAIL(queue, conn, waits);
        conn->queue = queue;
    }
}

void conn_wait_first_in(struct conn *conn, struct conn_queue *queue)
{
    if (conn->queue == NULL) {
        TAILQ_INSERT_HEAD(queue, conn, waits);
        conn->queue = queue;
    }
}

void conn_leave_queue(struct conn *conn)
{
    if (conn->queue != NULL) {
        TAILQ_REMOVE(conn->queue, conn, waits);
        conn->queue = NULL;
    }
}

void conn_queue_wake(struct conn_queue *queue)
{
    struct conn *conn;
    while ((conn = TAILQ_FIRST(queue)) != NULL) {
        conn_leave_queue(conn);
        conn_drive_later(conn);
    }
}

/* ---- sockets ------------------------------------------------------------------------------------
 */

static void on_ready(void *owner, uint32_t events)
{
    struct side *side = owner;
    const uint32_t broken = EVENT_HANGUP | EVENT_ERROR;
    side->readable = side->readable || (events & (EVENT_READ | broken)) != 0;
    side->writable = side->writable || (events & (EVENT_WRITE | broken)) != 0;
    side->hangup = side->hangup || (events & broken) != 0;
    conn_drive(side->conn);
}

bool conn_watch(struct side *side, struct mutual_error *err)
{
    return reactor_watch(side->conn->worker->reactor, side->fd,
                         EVENT_READ | EVENT_WRITE | EVENT_EDGE, on_ready, side, &side->watch, err);
}

struct side *conn_secure(struct conn *conn)
{
    return conn->front.session != NULL  ? &conn->front
           : conn->back.session != NULL ? &conn->back
                                        : NULL;
}

void conn_drop(struct side *side)
{
    struct worker *worker = side->conn->worker;
    if (side->fd != -1) {
        (void)close(side->fd);
        side->fd = -1;
    }
    reactor_forget(worker->reactor, &side->watch);
    mutual_session_free(MU_TAKE(side->session));
    worker_give_block(worker, MU_TAKE(side->unread));
    worker_give_block(worker, MU_TAKE(side->unsent));
}

/* ---- the beginning and the end ------------------------------------------------------------------
 */

static void on_key(void *owner)
{
    conn_drive_later(owner);
}

static void set_peer(struct conn *conn, const struct sockaddr_storage *peer)
{
    size_t len = peer->ss_family == AF_INET    ? sizeof conn->peer.in4
                 : peer->ss_family == AF_INET6 ? sizeof conn->peer.in6
                                               : sizeof conn->peer.any.sa_family;
    memcpy(&conn->peer, peer, len);
}

bool conn_open(struct service *service, int take_fd, const struct sockaddr_storage *peer,
               struct mutual_error *err)
{
    struct worker *worker = service->generation->worker;
    struct conn *conn = slab_take(worker);
    if (conn == NULL) {
        (void)close(take_fd);
        return mu_fail_memory(err);
    }
    conn->born = service;
    conn->service = service;
    (void)generation_ref(service->generation);
    (void)generation_ref(service->generation);
    conn->number = ++worker->numbers;
    conn->front = (struct side){.conn = conn, .fd = take_fd, .writable = true};
    conn->back = (struct side){.conn = conn, .fd = -1};
    conn->waiter = (struct keys_waiter){.wake = on_key, .owner = conn};
    conn->started_ns = mu_clock_mono_ns();
    conn->until_s = MU_TIME_NEVER_S;
    set_peer(conn, peer);
    bool has_place = service->facts->inbound == NULL || gate_enter(&worker->gate, conn);
    service->meter->figures[METER_accepted]++;
    service->meter->figures[METER_open]++;
    if (!(has_place || mu_fail_memory(err)) || !conn_watch(&conn->front, err)) {
        file_error(conn, err);
        conn->stage = STAGE_CLOSED;
        conn_drive(conn);
        return false;
    }
    conn_drive(conn);
    return true;
}

static struct conn_next stage_accepted(struct conn *conn)
{
    return conn->service->facts->inbound != NULL ? CONN_GO(HANDSHAKE) : CONN_GO(DIAL);
}

static void count_end(struct conn *conn)
{
    uint64_t *figures = conn->service->meter->figures;
    conn->service->door->meter->figures[METER_open]--;
    int64_t lasted_ns = reactor_now_ns(conn->worker->reactor) - conn->started_ns;
    figures[METER_ended]++;
    figures[METER_lasted_us] += lasted_ns > 0 ? (uint64_t)lasted_ns / 1000 : 0;
}

static void conn_gone(void *owner)
{
    struct conn *conn = owner;
    struct worker *worker = conn->worker;
    struct generation *born = conn->born->generation;
    struct generation *followed = conn->service->generation;
    struct generation *judged = conn->judged;
    slab_give(conn);
    generation_unref(born);
    generation_unref(followed);
    generation_unref(judged);
    worker_conn_gone(worker);
}

/* Everything is given back now but the slot, which callbacks further up may still hold. */
static struct conn_next stage_closed(struct conn *conn)
{
    struct reactor *reactor = conn->worker->reactor;
    if (conn->front.conn == NULL) {
        return CONN_WAIT; /* here before: its slot is about to be freed */
    }
    reactor_cancel(reactor, &conn->deadline);
    reactor_cancel(reactor, &conn->until);
    gate_leave(conn);
    conn_leave_queue(conn);
    change_forget(conn);
    conn_forget_key(conn);
    count_end(conn);
    conn_record(conn);
    conn_drop(&conn->front);
    conn_drop(&conn->back);
    mu_free(MU_TAKE(conn->error));
    if (conn->plain != NULL) {
        mutual_pass_free(conn->plain->pass);
        mu_free(MU_TAKE(conn->plain));
    }
    conn->front.conn = NULL;
    reactor_undefer(reactor, &conn->again);
    reactor_defer(reactor, &conn->again, conn_gone, conn);
    return CONN_WAIT;
}
