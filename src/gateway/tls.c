/* SPDX-License-Identifier: Apache-2.0
 *
 * The stages around a handshake, and the one question that every connection is asked before and
 * again while it is open: may it? The answer is mutual_admit's; nothing here decides anything.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "gateway/live_internal.h"
#include "gateway/worker_internal.h"
#include "session/session.h"

/* How long a verdict is believed without asking again. Its own end counts by the machine's clock,
 * timers by the monotonic one; so this also bounds what a clock that jumps can do. */
#define JUDGE_AGAIN_S INT64_C(3600)

/* ---- handshakes ---------------------------------------------------------------------------------
 */

static bool start_session(struct conn *conn, struct side *side, struct mutual_error *err)
{
    side->session = mutual_session_new(conn->born->context, err);
    side->hungry = false;
    return side->session != NULL;
}

/* A signature that the key process did not give has a better reason than the library's. */
static void say_why_no_key(struct conn *conn, struct mutual_error *err)
{
    enum mutual_code code = conn->waiter.failed;
    if (code != MUTUAL_OK && err->code != code) {
        struct mutual_error better = {0};
        (void)mu_fail(&better, code, "the key process did not sign for \"%s\"",
                      conn->service->facts->name);
        *err = better;
    }
}

/* Once the hello was read the connection belongs to the host that it asks for. */
static void follow_host(struct conn *conn, const struct side *side)
{
    const struct mutual_rules *rules = mu_session_rules(side->session);
    struct service *host = rules == &conn->born->facts->rules
                               ? NULL
                               : generation_find(conn->born->generation, rules->service);
    if (host != NULL) {
        conn->born = conn->service = host; /* of the same generation: its references stay */
    }
}

static struct conn_next handshake(struct conn *conn, struct side *side, struct conn_next done)
{
    struct mutual_error err = {0};
    if (side->session == NULL && !start_session(conn, side, &err)) {
        return conn_fail(conn, &err);
    }
    enum mutual_io io = wire_handshake(side, &err);
    follow_host(conn, side);
    switch (io) {
    case MUTUAL_IO_DONE:
        return done;
    case MUTUAL_IO_WANT_READ:
    case MUTUAL_IO_WANT_WRITE:
    case MUTUAL_IO_WANT_KEY:
        return CONN_WAIT;
    case MUTUAL_IO_WANT_TURN:
        gate_again(conn);
        return CONN_WAIT;
    case MUTUAL_IO_END:
        (void)mu_fail(&err, MUTUAL_E_PEER_CLOSED, "the peer said goodbye during the handshake");
        return conn_fail(conn, &err);
    case MUTUAL_IO_FAILED:
    default:
        say_why_no_key(conn, &err);
        return conn_fail(conn, &err);
    }
}

/* ---- who speaks no TLS -------------------------------------------------------------------------
 */

static void on_silence(void *owner)
{
    struct conn *conn = owner;
    conn->silent = true;
    conn_drive(conn);
}

enum first { FIRST_TLS, FIRST_PLAIN, FIRST_NONE };

/* Looks at the first byte and leaves it where it is: a TLS record of a handshake begins with 22
 * (RFC 8446 section 5.1). Decided once; what follows the first byte changes nothing. */
static enum first look(struct conn *conn)
{
    enum { TLS_HANDSHAKE = 22 };
    uint8_t byte = 0;
    ssize_t n = recv(conn->front.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n == 1) {
        return byte == TLS_HANDSHAKE ? FIRST_TLS : FIRST_PLAIN;
    }
    if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
        conn->front.readable = false;
        return FIRST_NONE;
    }
    return FIRST_TLS; /* its end: the handshake tells how */
}

static struct conn_next take_plain(struct conn *conn)
{
    struct mutual_error err = {0};
    conn->plain = mu_alloc(1, sizeof *conn->plain);
    if (conn->plain == NULL) {
        (void)mu_fail_memory(&err);
        return conn_fail(conn, &err);
    }
    return CONN_GO(ADMIT);
}

/* Only where the listener says so; admission decides again. */
static struct conn_next sniff(struct conn *conn)
{
    struct reactor *reactor = conn->worker->reactor;
    int64_t wait_ns = conn->service->facts->inbound->plain_wait_ns;
    enum first first = conn->front.readable ? look(conn) : FIRST_NONE;
    if (first == FIRST_NONE && !conn->silent) {
        if (!event_timer_is_armed(&conn->until)) {
            reactor_arm_in(reactor, &conn->until, wait_ns > 0 ? wait_ns : 1, on_silence, conn);
        }
        return CONN_WAIT;
    }
    reactor_cancel(reactor, &conn->until);
    return first == FIRST_TLS ? CONN_GO(HANDSHAKE) : take_plain(conn);
}

/* Whoever has gone before his turn came costs no session. False: there is somebody. */
static bool is_gone(struct conn *conn, struct mutual_error *err)
{
    uint8_t byte;
    if (conn->front.session != NULL || !conn->front.hangup) {
        return false;
    }
    ssize_t n = recv(conn->front.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n == 0) {
        (void)mu_fail(err, MUTUAL_E_PEER_SILENT, "the client left without a word");
    } else if (n == -1 && errno != EAGAIN && errno != EINTR) {
        (void)mu_fail_errno(err, MUTUAL_E_PEER_SILENT, errno,
                            "the client left before its handshake began");
    }
    return err->code != MUTUAL_OK;
}

struct conn_next conn_stage_handshake(struct conn *conn)
{
    struct mutual_error err = {0};
    const struct config_inbound *inbound = conn->service->facts->inbound;
    if (inbound->plain) {
        return conn->front.readable ? take_plain(conn) : CONN_WAIT;
    }
    if (conn->front.session == NULL && conn->service->facts->rules.unsafe_plaintext) {
        struct conn_next next = sniff(conn);
        if (!next.go || next.to != STAGE_HANDSHAKE) {
            return next;
        }
    }
    /* no memory is spent on somebody who says nothing */
    if (conn->front.session == NULL && !conn->front.readable) {
        return CONN_WAIT;
    }
    if (is_gone(conn, &err)) {
        return conn_fail(conn, &err);
    }
    return gate_is_turn(conn) ? handshake(conn, &conn->front, CONN_GO(ADMIT)) : CONN_WAIT;
}

struct conn_next conn_stage_up_handshake(struct conn *conn)
{
    return gate_is_turn(conn) ? handshake(conn, &conn->back, CONN_GO(UP_ADMIT)) : CONN_WAIT;
}

void conn_forget_key(struct conn *conn)
{
    struct side *side = conn_secure(conn);
    if (!keys_waiter_is_pending(&conn->waiter)) {
        return;
    }
    keys_waiter_cancel(conn->worker->keys, &conn->waiter);
    if (side != NULL) {
        /* the library's job sleeps in the middle of the signature and has to run to its end */
        struct mutual_error lost = {0};
        struct mutual_wire wire = {.out = conn->worker->pool->out,
                                   .out_cap = sizeof conn->worker->pool->out};
        keys_client_enter(conn->worker->keys, &conn->waiter);
        (void)mutual_session_handshake(side->session, &wire, &lost);
        keys_client_leave(conn->worker->keys);
    }
}

/* ---- admission ----------------------------------------------------------------------------------
 */

/* Many may hold until the same second: they are judged in slices, like those of a change. */
static void on_until(void *owner)
{
    change_due(owner);
}

static void watch_verdict(struct conn *conn, const struct mutual_verdict *verdict)
{
    struct reactor *reactor = conn->worker->reactor;
    int64_t now_s = reactor_now_s(reactor);
    int64_t ahead_s = verdict->until_s > now_s ? verdict->until_s - now_s : 0;
    ahead_s = ahead_s < JUDGE_AGAIN_S ? ahead_s : JUDGE_AGAIN_S;
    conn->until_s = now_s + ahead_s;
    int64_t deadline_ns = reactor_now_ns(reactor) + ahead_s * MU_NS_PER_S;
    int64_t lifetime_ns = conn->service->timeouts->lifetime_ns;
    if (lifetime_ns > 0 && conn->started_ns + lifetime_ns < deadline_ns) {
        deadline_ns = conn->started_ns + lifetime_ns;
    }
    if (conn->leave_ns > 0 && conn->leave_ns < deadline_ns) {
        deadline_ns = conn->leave_ns;
    }
    reactor_arm(reactor, &conn->until, deadline_ns, on_until, conn);
}

/* The evidence of somebody who speaks no TLS is that there is none. */
static const struct mutual_verdict *admit_plain(struct conn *conn, const struct mutual_rules *rules,
                                                int64_t now_s)
{
    const struct mutual_evidence evidence = {.side = MUTUAL_SIDE_SERVER,
                                             .plaintext = true,
                                             .proved_at_s = now_s,
                                             .service = conn->born->facts->name};
    mutual_pass_free(conn->plain->pass);
    *conn->plain = mutual_admit(&evidence, rules, now_s);
    return conn->plain;
}

static bool judge(struct conn *conn, struct side *side, const struct mutual_rules *rules,
                  struct mutual_error *err)
{
    int64_t now_s = reactor_now_s(conn->worker->reactor);
    const struct mutual_verdict *verdict = conn->plain != NULL
                                               ? admit_plain(conn, rules, now_s)
                                               : mu_session_admit_by(side->session, rules, now_s);
    conn->verdict = verdict;
    struct generation *before = conn->judged;
    conn->judged = generation_ref(conn->service->generation);
    generation_unref(before);
    if (!verdict->allowed) {
        *err = verdict->why;
        return false;
    }
    watch_verdict(conn, verdict);
    conn->settled = conn->worker->change.number;
    /* who speaks no TLS is nobody and in no index: a change judges each of them */
    return conn->plain != NULL || live_join(conn->worker->live, conn, err);
}

static void count_admitted(struct conn *conn, struct side *side)
{
    struct mutual_session_info info = {0};
    uint64_t *figures = conn->service->meter->figures;
    int64_t took_ns = reactor_now_ns(conn->worker->reactor) - conn->started_ns;
    if (side->session != NULL) {
        mutual_session_info(side->session, &info);
    }
    figures[METER_admitted]++;
    figures[METER_resumed] += info.resumed ? 1 : 0;
    figures[METER_admission_us] += took_ns > 0 ? (uint64_t)took_ns / 1000 : 0;
    conn_count_handshake(conn, METER_ADMITTED, MUTUAL_OK);
}

/* What a reload brought while the handshake went on counts for it at once. False: the service is
 * gone. A chain that was validated by another generation of the bundle is taken over where it is as
 * good as before; where it is not, admission refuses it. */
static bool use_newest(struct conn *conn, struct side *side)
{
    struct generation *current = conn->worker->current;
    if (conn->service->generation == current) {
        return true;
    }
    struct service *newest = generation_find(current, conn->service->facts->name);
    if (newest == NULL) {
        return false;
    }
    if (conn->plain == NULL) {
        (void)mu_session_follow(side->session, &conn->service->facts->rules, &newest->facts->rules);
    }
    conn->leave_ns = 0;
    conn->service->door->meter->figures[METER_open]--;
    newest->door->meter->figures[METER_open]++;
    struct generation *old = conn->service->generation;
    conn->service = newest;
    (void)generation_ref(current);
    generation_unref(old);
    return true;
}

static bool fail_gone(const struct conn *conn, struct mutual_error *err)
{
    return mu_fail(err, MUTUAL_E_RULES_CHANGED, "\"%s\" is no longer in the configuration",
                   conn->service->facts->name);
}

static struct conn_next admit(struct conn *conn, struct side *side, struct conn_next done)
{
    struct mutual_error err = {0};
    bool admitted = false;
    if (use_newest(conn, side)) {
        admitted = judge(conn, side, &conn->service->facts->rules, &err);
        witness_note(conn, side);
    } else {
        (void)fail_gone(conn, &err);
    }
    if (!admitted) {
        return conn_fail(conn, &err);
    }
    count_admitted(conn, side);
    return done;
}

struct conn_next conn_stage_admit(struct conn *conn)
{
    struct conn_next next = admit(conn, &conn->front, CONN_GO(DIAL));
    if (next.to == STAGE_DIAL) {
        gate_leave(conn);
    }
    return next;
}

struct conn_next conn_stage_up_admit(struct conn *conn)
{
    struct mutual_error err = {0};
    struct conn_next next = admit(conn, &conn->back, CONN_GO(RELAY));
    if (next.to == STAGE_RELAY && !relay_open(conn, conn->verdict->pass, &err)) {
        return conn_fail(conn, &err);
    }
    return next;
}

/* The service is gone and its connections have its drain time. Until then they are judged by the
 * grants that it had and by the newest trust and lists: who is revoked has no time at all. */
static bool judge_leaving(struct conn *conn, struct side *side, struct mutual_error *err)
{
    const struct world_service *facts = conn->service->facts;
    struct mutual_rules rules = facts->rules;
    int64_t drain_ns = conn->service->timeouts->drain_ns;
    if (conn->stage != STAGE_RELAY || drain_ns == 0) {
        return fail_gone(conn, err);
    }
    if (conn->leave_ns == 0) {
        conn->leave_ns = reactor_now_ns(conn->worker->reactor) + drain_ns;
    }
    const struct world *world = conn->worker->current->world;
    const struct world_trust *trust =
        facts->trust == NULL ? NULL : world_trust_find(world, facts->trust->config->name);
    rules.deny = world->deny;
    if (trust != NULL && conn->plain == NULL) {
        rules.trust = trust->trust;
        rules.trust_generation = trust->trust_generation;
        rules.revocation_generation = world_revocation_generation(world, trust);
        (void)mu_session_follow(side->session, &facts->rules, &rules);
    }
    return judge(conn, side, &rules, err);
}

bool conn_readmit(struct conn *conn, struct mutual_error *err)
{
    struct side *side = conn_secure(conn);
    return use_newest(conn, side) ? judge(conn, side, &conn->service->facts->rules, err)
                                  : judge_leaving(conn, side, err);
}

bool conn_follow(struct conn *conn)
{
    struct side *side = conn_secure(conn);
    const struct mutual_evidence *evidence = mutual_session_evidence(side->session);
    return use_newest(conn, side) &&
           (evidence->chain == NULL ||
            evidence->trust_generation == conn->service->facts->rules.trust_generation);
}
