/* SPDX-License-Identifier: Apache-2.0
 *
 * The waiting room in front of handshakes.
 */
#include "gateway/gate_internal.h"

#include <stdio.h>
#include <string.h>

#include "gateway/record_internal.h"
#include "gateway/worker_internal.h"

/* Who is not admitted after this long may have to make room. A hello comes within a round trip; a
 * second is ten of the longest that there are on earth. */
#define PATIENCE_NS MU_NS_PER_S
/* Where established traffic moved so lately, a step of a handshake gives way after so much: a few
 * messages' time. What lies between two places where it can takes twice that at most. */
#define BUSY_NS (INT64_C(20) * MU_NS_PER_MS)
#define STEP_NS (INT64_C(60) * 1000)
/* Where both have more to do than there is time for, handshakes have one part of so many. */
enum { PARTS = 4 };
#define TELL_NS (10 * MU_NS_PER_S)

struct source {
    uint8_t key[9]; /* family and address */
    bool limited;
    bool in_round;
    size_t knocking;
    struct conn_queue waiting; /* for their handshake to begin */
    TAILQ_ENTRY(source) round;
};

/* ---- sources --------------------------------------------------------------------------------- */

static void key_of(const struct sockaddr *peer, uint8_t ret_key[9])
{
    memset(ret_key, 0, 9);
    if (peer->sa_family == AF_INET) {
        ret_key[0] = 4;
        memcpy(ret_key + 1, &((const struct sockaddr_in *)(const void *)peer)->sin_addr, 4);
    } else if (peer->sa_family == AF_INET6) {
        const struct in6_addr *address =
            &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr;
        bool mapped = IN6_IS_ADDR_V4MAPPED(address);
        ret_key[0] = mapped ? 4 : 6;
        memcpy(ret_key + 1, address->s6_addr + (mapped ? 12 : 0), mapped ? 4 : 8);
    }
}

static struct source *find_source(const struct gate *gate, const struct sockaddr *peer)
{
    uint8_t key[9];
    key_of(peer, key);
    return mu_map_get(gate->sources, mu_slice_of(key, sizeof key));
}

static struct source *add_source(struct gate *gate, const struct sockaddr *peer)
{
    struct source *source = mu_alloc(1, sizeof *source);
    if (source == NULL) {
        return NULL;
    }
    key_of(peer, source->key);
    source->limited = source->key[0] != 0;
    TAILQ_INIT(&source->waiting);
    if (!mu_map_put(gate->sources, mu_slice_of(source->key, sizeof source->key), source)) {
        mu_free(source);
        return NULL;
    }
    return source;
}

static void leave_round(struct gate *gate, struct source *source)
{
    if (source->in_round) {
        TAILQ_REMOVE(&gate->round, source, round);
        source->in_round = false;
    }
}

static void join_round(struct gate *gate, struct source *source)
{
    if (!source->in_round) {
        TAILQ_INSERT_TAIL(&gate->round, source, round);
        source->in_round = true;
    }
}

/* ---- telling --------------------------------------------------------------------------------- */

static void on_tell(void *owner)
{
    struct gate *gate = owner;
    struct mutual_error why = {0};
    (void)mu_fail(&why, gate->turned_away > 0 ? MUTUAL_E_SOURCE_LIMIT : MUTUAL_E_CROWDED_OUT,
                  "%llu connections were closed at once, their source having %zu that are not "
                  "admitted; %llu gave up their place to others",
                  (unsigned long long)gate->turned_away, gate->share,
                  (unsigned long long)gate->crowded_out);
    record_event(gate->worker, "flood", NULL, &why);
    gate->turned_away = 0;
    gate->crowded_out = 0;
}

/* The first one is told soon, together with those that follow it. */
static void tell_later(struct gate *gate)
{
    if (!event_timer_is_armed(&gate->tell)) {
        reactor_arm_in(gate->worker->reactor, &gate->tell, TELL_NS, on_tell, gate);
    }
}

/* ---- places ---------------------------------------------------------------------------------- */

bool gate_init(struct gate *gate, struct worker *worker, struct mutual_error *err)
{
    *gate = (struct gate){.worker = worker, .sources = mu_map_new()};
    TAILQ_INIT(&gate->round);
    TAILQ_INIT(&gate->going);
    TAILQ_INIT(&gate->callers);
    TAILQ_INIT(&gate->new);
    TAILQ_INIT(&gate->begun);
    return gate->sources != NULL || mu_fail_memory(err);
}

void gate_done(struct gate *gate)
{
    mu_assert(gate->knocking == 0);
    reactor_undefer(gate->worker->reactor, &gate->work);
    reactor_cancel(gate->worker->reactor, &gate->hurry);
    reactor_cancel(gate->worker->reactor, &gate->tell);
    mu_map_free(gate->sources);
}

static size_t lesser(size_t a, size_t b)
{
    return a < b ? a : b;
}

void gate_limit(struct gate *gate, const struct config_flood *flood, size_t max)
{
    gate->places = lesser((size_t)flood->waiting, max > 4 ? max - max / 4 : max);
    gate->share = lesser((size_t)flood->per_source, gate->places);
    gate->handshakes = (size_t)flood->handshakes;
}

/* Ends it at once, without lingering. */
static void crowd_out(struct conn *conn)
{
    struct gate *gate = &conn->worker->gate;
    struct mutual_error why = {0};
    (void)mu_fail(&why, MUTUAL_E_CROWDED_OUT,
                  "others waited for its place among %zu that are not admitted, %zu in a handshake",
                  gate->knocking, gate->shaking);
    gate->crowded_out++;
    conn->service->meter->figures[METER_crowded_out]++;
    tell_later(gate);
    conn_end(conn, &why);
    conn_end(conn, &why);
}

static bool had_its_time(const struct conn *conn, int64_t since_ns)
{
    return reactor_now_ns(conn->worker->reactor) - since_ns >= PATIENCE_NS;
}

bool gate_has_place(struct gate *gate)
{
    struct conn *new = TAILQ_FIRST(&gate->new);
    struct conn *begun = TAILQ_FIRST(&gate->begun);
    if (gate->knocking < gate->places) {
        return true;
    }
    if (new != NULL && had_its_time(new, new->started_ns)) {
        crowd_out(new);
    } else if (begun != NULL && had_its_time(begun, begun->active_ns)) {
        crowd_out(begun);
    }
    return gate->knocking < gate->places;
}

bool gate_lets_in(struct gate *gate, struct service *service, const struct sockaddr_storage *peer)
{
    const struct source *source = find_source(gate, (const struct sockaddr *)peer);
    if (source == NULL || !source->limited || source->knocking < gate->share) {
        return true;
    }
    gate->turned_away++;
    service->meter->figures[METER_turned_away]++;
    tell_later(gate);
    return false;
}

bool gate_enter(struct gate *gate, struct conn *conn)
{
    struct source *source = find_source(gate, &conn->peer.any);
    source = source != NULL ? source : add_source(gate, &conn->peer.any);
    if (source == NULL) {
        return false;
    }
    source->knocking++;
    gate->knocking++;
    conn->source = source;
    TAILQ_INSERT_TAIL(&gate->new, conn, knocks);
    return true;
}

void gate_leave(struct conn *conn)
{
    struct gate *gate = &conn->worker->gate;
    struct source *source = conn->source;
    gate_shaken(conn);
    if (source == NULL) {
        return;
    }
    conn_leave_queue(conn);
    conn->source = NULL;
    TAILQ_REMOVE(conn->active_ns == 0 ? &gate->new : &gate->begun, conn, knocks);
    gate->knocking--;
    if (--source->knocking == 0) {
        leave_round(gate, source);
        (void)mu_map_remove(gate->sources, mu_slice_of(source->key, sizeof source->key));
        mu_free(source);
    }
}

/* ---- turns ----------------------------------------------------------------------------------- */

/* Who began goes on first: what was spent on it is lost otherwise. */
static struct conn *next_conn(struct gate *gate)
{
    struct conn *conn = TAILQ_FIRST(&gate->going);
    struct source *source;
    if (conn != NULL) {
        conn_leave_queue(conn);
        return conn;
    }
    while (gate->shaking < gate->handshakes && (source = TAILQ_FIRST(&gate->round)) != NULL) {
        leave_round(gate, source);
        conn = TAILQ_FIRST(&source->waiting);
        if (conn != NULL) {
            conn_leave_queue(conn);
            if (!TAILQ_EMPTY(&source->waiting)) {
                join_round(gate, source); /* behind all others */
            }
            return conn;
        }
    }
    return NULL;
}

static bool has_handshake(const struct gate *gate)
{
    return !TAILQ_EMPTY(&gate->going) ||
           (gate->shaking < gate->handshakes && !TAILQ_EMPTY(&gate->round));
}

static bool has_work(const struct gate *gate)
{
    return has_handshake(gate) || !TAILQ_EMPTY(&gate->callers);
}

static void on_work(void *owner);

/* No handshake may begin before one ends: the oldest has had its time, or will have. */
static void hurry(struct gate *gate)
{
    struct reactor *reactor = gate->worker->reactor;
    struct conn *oldest = TAILQ_FIRST(&gate->begun);
    if (TAILQ_EMPTY(&gate->round) || oldest == NULL || has_handshake(gate)) {
        return;
    }
    if (had_its_time(oldest, oldest->active_ns)) {
        crowd_out(oldest);
        reactor_defer(reactor, &gate->work, on_work, gate);
    } else {
        reactor_arm(reactor, &gate->hurry, oldest->active_ns + PATIENCE_NS, on_work, gate);
    }
}

/* How long established traffic may still go first: as much again as it used since the last step,
 * for the answers to what it passed on come soon; and at most its part. Who used nothing is not
 * waited for. */
static int64_t rest_ns(struct gate *gate, int64_t now_ns)
{
    const struct worker *worker = gate->worker;
    if (worker->moves != gate->moves) {
        gate->moves = worker->moves;
        gate->moved_ns = now_ns;
        gate->used_ns += now_ns - reactor_now_ns(worker->reactor);
    }
    int64_t again_ns = 2 * gate->used_ns;
    int64_t part_ns = (PARTS - 1) * gate->cost_ns;
    return gate->ended_ns + (again_ns < part_ns ? again_ns : part_ns) - now_ns;
}

/* As many as a step has time for: whoever waits behind a flood in the kernel's queue is seen only
 * when those before him are. */
static void take_callers(struct gate *gate, int64_t start_ns)
{
    struct listener *listener;
    while ((listener = TAILQ_FIRST(&gate->callers)) != NULL) {
        TAILQ_REMOVE(&gate->callers, listener, calls);
        TAILQ_INSERT_TAIL(&gate->callers, listener, calls);
        listener_accept(listener);
        if (mu_clock_mono_ns() - start_ns >= STEP_NS) {
            return;
        }
    }
}

static void take_step(struct gate *gate, int64_t start_ns)
{
    struct conn *conn = next_conn(gate);
    if (conn != NULL) {
        conn->called = true;
        gate->until_ns = start_ns - gate->moved_ns < BUSY_NS ? start_ns + STEP_NS : 0;
        conn_drive(conn); /* its slot stays until the next turn, whatever becomes of it */
        conn->called = false;
        gate->until_ns = 0;
    }
}

/* In a turn one step of a handshake, or some connections that are accepted, alternately. */
static void on_work(void *owner)
{
    struct gate *gate = owner;
    struct reactor *reactor = gate->worker->reactor;
    int64_t start_ns = mu_clock_mono_ns();
    int64_t rest = rest_ns(gate, start_ns);
    if (rest <= 0 && has_work(gate)) {
        gate->accepted = !TAILQ_EMPTY(&gate->callers) && !(gate->accepted && has_handshake(gate));
        if (gate->accepted) {
            take_callers(gate, start_ns);
        } else {
            take_step(gate, start_ns);
        }
        gate->ended_ns = mu_clock_mono_ns();
        gate->cost_ns = gate->ended_ns - start_ns;
        gate->used_ns = 0;
    }
    if (has_work(gate)) {
        reactor_defer_within(reactor, &gate->work, rest > 0 ? rest : 0, on_work, gate);
    }
    hurry(gate);
}

bool gate_lets_accept(struct gate *gate, struct listener *listener)
{
    struct reactor *reactor = gate->worker->reactor;
    if (reactor_now_ns(reactor) - gate->moved_ns >= BUSY_NS) {
        return true;
    }
    mu_assert(!listener->calling); /* for then it is not watched */
    listener->calling = true;
    TAILQ_INSERT_TAIL(&gate->callers, listener, calls);
    reactor_defer(reactor, &gate->work, on_work, gate);
    return false;
}

void gate_forget(struct gate *gate, struct listener *listener)
{
    if (listener->calling) {
        listener->calling = false;
        TAILQ_REMOVE(&gate->callers, listener, calls);
    }
}

/* The bytes that it was called for are the first of its handshake. */
static void begin(struct gate *gate, struct conn *conn)
{
    TAILQ_REMOVE(&gate->new, conn, knocks);
    TAILQ_INSERT_TAIL(&gate->begun, conn, knocks);
    conn->active_ns = reactor_now_ns(gate->worker->reactor);
    conn->shaking = true;
    gate->shaking++;
}

bool gate_is_turn(struct conn *conn)
{
    struct gate *gate = &conn->worker->gate;
    if (conn->called) {
        conn->called = false;
        if (conn->source != NULL && !conn->shaking) {
            begin(gate, conn);
        }
        return true;
    }
    if (conn->source == NULL || conn->shaking) {
        conn_wait_in(conn, &gate->going);
    } else {
        conn_wait_in(conn, &conn->source->waiting);
        join_round(gate, conn->source);
    }
    reactor_defer(gate->worker->reactor, &gate->work, on_work, gate);
    return false;
}

void gate_again(struct conn *conn)
{
    struct gate *gate = &conn->worker->gate;
    conn_wait_first_in(conn, &gate->going); /* what it has at hand is in the caches */
    reactor_defer(gate->worker->reactor, &gate->work, on_work, gate);
}

void gate_shaken(struct conn *conn)
{
    struct gate *gate = &conn->worker->gate;
    if (conn->shaking) {
        conn->shaking = false;
        gate->shaking--;
        if (has_work(gate)) {
            reactor_defer(gate->worker->reactor, &gate->work, on_work, gate);
        }
    }
}
