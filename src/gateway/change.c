/* SPDX-License-Identifier: Apache-2.0
 *
 * What new rules mean for connections that are open.
 */
#include "gateway/change_internal.h"

#include <string.h>

#include "gateway/live_internal.h"
#include "gateway/record_internal.h"
#include "gateway/worker_internal.h"
#include "session/session.h"

/* How long others wait for a slice of the sweep, and how often what time ended is told. */
#define SLICE_NS     MU_NS_PER_MS
#define TELL_EVERY_S 1

void change_init(struct change *change)
{
    TAILQ_INIT(&change->marked);
}

/* ---- telling the parent -------------------------------------------------------------------------
 */

void change_write(uint32_t id, bool overtaken, const struct change_tally *tally, struct mu_buf *out)
{
    ipc_put_u32(out, id);
    ipc_put_u8(out, overtaken ? 1 : 0);
    ipc_put_u32(out, tally->affected);
    ipc_put_u32(out, tally->closed);
    ipc_put_u32(out, tally->kept);
    ipc_put_u32(out, tally->unjudged);
    ipc_put_u32(out, tally->open);
    ipc_put_u64(out, (uint64_t)tally->took_ns);
}

bool change_read(const struct ipc_message *message, uint32_t *ret_id, bool *ret_overtaken,
                 struct change_tally *ret_tally, struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(message->payload);
    uint32_t id = ipc_get_u32(&reader);
    bool overtaken = ipc_get_u8(&reader) != 0;
    struct change_tally tally = {0};
    tally.affected = ipc_get_u32(&reader);
    tally.closed = ipc_get_u32(&reader);
    tally.kept = ipc_get_u32(&reader);
    tally.unjudged = ipc_get_u32(&reader);
    tally.open = ipc_get_u32(&reader);
    tally.took_ns = (int64_t)ipc_get_u64(&reader);
    if (!ipc_reader_end(&reader, "what became of connections", err)) {
        return false;
    }
    *ret_id = id;
    *ret_overtaken = overtaken;
    *ret_tally = tally;
    return true;
}

static void tell(struct worker *worker, uint32_t id, bool overtaken,
                 const struct change_tally *tally)
{
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf payload;
    mu_buf_init(&payload, 64);
    change_write(id, overtaken, tally, &payload);
    if (!ipc_send(worker->child->parent, IPC_MSG_CHANGED, mu_buf_slice(&payload), NULL, 0, &err)) {
        record_event(worker, "change_untold", NULL, &err);
    }
}

static void on_tell_ended(void *owner)
{
    struct worker *worker = owner;
    struct change_tally *ended = &worker->change.ended;
    if (ended->closed > 0) {
        ended->open = (uint32_t)worker->live->conns + ended->closed;
        tell(worker, 0, false, ended);
    }
    *ended = (struct change_tally){0};
}

static void tell_change(struct worker *worker, bool overtaken)
{
    struct change *change = &worker->change;
    change->sweeping = false;
    change->tally.took_ns = mu_clock_mono_ns() - change->started_ns;
    tell(worker, change->id, overtaken, &change->tally);
}

/* ---- marks --------------------------------------------------------------------------------------
 */

static void on_sweep(void *owner);

static bool is_open(const struct conn *conn)
{
    return conn->stage == STAGE_RELAY || conn->stage == STAGE_DIAL;
}

static void mark(struct conn *conn, enum conn_mark why)
{
    struct worker *worker = conn->worker;
    struct change *change = &worker->change;
    if (!is_open(conn) || conn->mark >= why) {
        return;
    }
    if (conn->mark == CONN_UNMARKED) {
        TAILQ_INSERT_TAIL(&change->marked, conn, marks);
    }
    conn->mark = why;
    change->tally.affected += why == CONN_CHANGED ? 1 : 0;
    reactor_defer(worker->reactor, &change->sweep, on_sweep, worker);
}

static enum conn_mark take_mark(struct conn *conn)
{
    enum conn_mark why = conn->mark;
    if (why != CONN_UNMARKED) {
        TAILQ_REMOVE(&conn->worker->change.marked, conn, marks);
        conn->mark = CONN_UNMARKED;
    }
    return why;
}

static void mark_peer(struct live_peer *peer)
{
    struct conn *conn;
    LIST_FOREACH(conn, &peer->conns, in_live)
    {
        mark(conn, CONN_CHANGED);
    }
}

static void mark_service(struct live_service *service)
{
    struct live_peer *peer;
    TAILQ_FOREACH(peer, &service->asked, in_service)
    {
        mark_peer(peer);
    }
    TAILQ_FOREACH(peer, &service->unasked, in_service)
    {
        mark_peer(peer);
    }
}

/* Whoever holds a grant that is gone, or gives something else now, is judged. */
void change_compare(struct worker *worker, struct live_grant *grant)
{
    const struct world *world = worker->current->world;
    struct live_peer *peer;
    if (live_compare(worker->live, grant, world == NULL ? NULL : world->policy)) {
        return;
    }
    LIST_FOREACH(peer, &grant->holders, in_grant)
    {
        mark_peer(peer);
    }
}

void change_due(struct conn *conn)
{
    conn->until_s = 0;
    mark(conn, CONN_DUE);
}

void change_forget(struct conn *conn)
{
    if (take_mark(conn) == CONN_CHANGED) {
        conn->worker->change.tally.affected--; /* it went before it was judged */
    }
    live_leave(conn->worker->live, conn);
}

/* ---- the moment of the swap ---------------------------------------------------------------------
 */

static bool same_patterns(const struct mutual_rules *a, const struct mutual_rules *b)
{
    bool same = a->expect_count == b->expect_count;
    for (size_t i = 0; same && i < a->expect_count; i++) {
        same = mutual_pattern_type(a->expect[i]) == mutual_pattern_type(b->expect[i]) &&
               strcmp(mutual_pattern_text(a->expect[i]), mutual_pattern_text(b->expect[i])) == 0;
    }
    return same;
}

/* Equal in everything that is not compared by a generation, and in what is not known here, too:
 * bytes that differ for no reason only cost a judgement. */
static bool same_rules(const struct mutual_rules *a, const struct mutual_rules *b)
{
    struct mutual_rules pair[2];
    memcpy(&pair[0], a, sizeof pair[0]);
    memcpy(&pair[1], b, sizeof pair[1]);
    for (size_t i = 0; i < MU_COUNT(pair); i++) {
        pair[i].service = NULL; /* they are of one name */
        pair[i].trust = NULL;
        pair[i].policy = NULL;
        pair[i].shadow_policy = NULL; /* it lets nobody in */
        pair[i].deny = NULL;          /* of the generation of revocation */
        pair[i].expect = NULL;
        pair[i].trust_generation = 0;
        pair[i].revocation_generation = 0;
        pair[i].policy_generation = 0;
    }
    return memcmp(&pair[0], &pair[1], sizeof pair[0]) == 0 && same_patterns(a, b);
}

static void compare_service(struct worker *worker, struct live_service *service,
                            struct generation *before)
{
    const struct service *then = generation_find(before, service->name);
    const struct service *now = generation_find(worker->current, service->name);
    if (then == NULL || now == NULL || !same_rules(&then->facts->rules, &now->facts->rules)) {
        mark_service(service);
        return;
    }
    const struct mutual_rules *a = &then->facts->rules;
    const struct mutual_rules *b = &now->facts->rules;
    if (a->trust_generation != b->trust_generation ||
        a->revocation_generation != b->revocation_generation) {
        live_unask(service, worker->change.number);
    }
}

static bool policy_changed(const struct generation *a, const struct generation *b)
{
    return a->world == NULL || b->world == NULL ||
           a->world->policy_generation != b->world->policy_generation;
}

void change_begin(struct worker *worker, struct generation *before)
{
    struct change *change = &worker->change;
    struct live_service *service;
    struct conn *conn;
    if (change->sweeping) {
        tell_change(worker, true);
    }
    change->number++;
    change->id = worker->current->id;
    change->tally = (struct change_tally){.open = (uint32_t)worker->live->conns};
    change->started_ns = mu_clock_mono_ns();
    change->move_at = 0;
    if (before == NULL) {
        return;
    }
    TAILQ_FOREACH(conn, &change->marked, marks)
    {
        change->tally.affected += conn->mark == CONN_CHANGED ? 1 : 0;
    }
    LIST_FOREACH(service, &worker->live->all_services, all)
    {
        compare_service(worker, service, before);
    }
    if (policy_changed(before, worker->current)) {
        live_uncompare(worker->live, change->number);
    }
    change->sweeping = true;
    reactor_defer(worker->reactor, &change->sweep, on_sweep, worker);
}

/* ---- settling -----------------------------------------------------------------------------------
 */

bool change_is_settled(const struct conn *conn)
{
    return conn->mark == CONN_UNMARKED && conn->settled == conn->worker->change.number &&
           reactor_now_s(conn->worker->reactor) < conn->until_s;
}

static bool is_in_time(struct conn *conn, struct mutual_error *err)
{
    int64_t now_ns = reactor_now_ns(conn->worker->reactor);
    int64_t lifetime_ns = conn->service->timeouts->lifetime_ns;
    char words[MU_TIME_TEXT];
    if (lifetime_ns > 0 && now_ns >= conn->started_ns + lifetime_ns) {
        return mu_fail(err, MUTUAL_E_LIFETIME, "the connection is older than %s",
                       mu_duration_words(lifetime_ns / MU_NS_PER_S, words));
    }
    if (conn->leave_ns > 0 && now_ns >= conn->leave_ns) {
        return mu_fail(err, MUTUAL_E_RULES_CHANGED,
                       "\"%s\" is no longer in the configuration, and its time to drain is over",
                       conn->service->facts->name);
    }
    return true;
}

/* Could it not be judged at all? Then it is closed like one that was refused, and told apart. */
static bool is_no_judgement(enum mutual_code code)
{
    return code == MUTUAL_E_NO_MEMORY || code == MUTUAL_E_USAGE;
}

static void count(struct conn *conn, enum conn_mark why, bool allowed, enum mutual_code code)
{
    struct worker *worker = conn->worker;
    struct change *change = &worker->change;
    bool changed = why == CONN_CHANGED || (why == CONN_UNMARKED && !allowed &&
                                           conn->until_s > reactor_now_s(worker->reactor));
    struct change_tally *tally = changed ? &change->tally : &change->ended;
    tally->affected += why == CONN_CHANGED ? 0 : 1;
    tally->kept += allowed ? 1 : 0;
    tally->closed += allowed ? 0 : 1;
    tally->unjudged += !allowed && is_no_judgement(code) ? 1 : 0;
    if (!changed && !event_timer_is_armed(&change->tell_ended)) {
        reactor_arm_in(worker->reactor, &change->tell_ended, TELL_EVERY_S * MU_NS_PER_S,
                       on_tell_ended, worker);
    }
}

/* Nobody is settled before what lets him in was compared: this may mark the connection. */
static void compare_own_grant(struct conn *conn)
{
    struct live_grant *grant = conn->live == NULL ? NULL : conn->live->grant;
    if (grant != NULL && live_is_uncompared(conn->worker->live, grant)) {
        change_compare(conn->worker, grant);
    }
}

bool change_settle(struct conn *conn, struct mutual_error *err)
{
    compare_own_grant(conn);
    enum conn_mark why = take_mark(conn);
    bool due = why != CONN_UNMARKED || reactor_now_s(conn->worker->reactor) >= conn->until_s;
    bool asked = conn->live != NULL && !live_is_unasked(conn->live);
    if (!due && asked && is_in_time(conn, err) && conn_follow(conn)) {
        conn->settled = conn->worker->change.number;
        return true;
    }
    bool allowed = is_in_time(conn, err) && conn_readmit(conn, err);
    conn->withdrawn = !allowed;
    if (due || !allowed) {
        count(conn, why, allowed, allowed ? MUTUAL_OK : err->code);
    }
    return allowed;
}

/* ---- the sweep ----------------------------------------------------------------------------------
 */

static void settle_open(struct conn *conn)
{
    struct mutual_error why = {0};
    if (conn->stage == STAGE_DIAL) {
        conn_drive(conn); /* settles whom it has admitted already */
    } else if (conn->stage == STAGE_RELAY && !change_settle(conn, &why)) {
        conn_end(conn, &why);
    }
    (void)take_mark(conn); /* never twice, whatever stage it is in */
}

/* Puts the peer's evidence to the newest rules; the pass is thrown away, for it is nobody's. */
static void ask(struct worker *worker, struct live_peer *peer)
{
    struct conn *conn = LIST_FIRST(&peer->conns);
    const struct service *now = generation_find(worker->current, peer->service->name);
    int64_t until_s = INT64_MIN;
    if (now != NULL) {
        const struct mutual_rules *rules = &now->facts->rules;
        struct mutual_evidence evidence = *live_evidence(peer);
        if (mu_evidence_follows(&evidence, &conn->service->facts->rules, rules)) {
            evidence.trust_generation = rules->trust_generation;
        }
        struct mutual_verdict verdict =
            mutual_admit(&evidence, rules, reactor_now_s(worker->reactor));
        until_s = verdict.allowed ? verdict.until_s : INT64_MIN;
        mutual_pass_free(verdict.pass);
    }
    live_asked(peer, peer->service->change);
    LIST_FOREACH(conn, &peer->conns, in_live)
    {
        if (until_s < conn->until_s) {
            mark(conn, CONN_CHANGED);
        }
    }
}

static struct live_peer *next_to_ask(const struct worker *worker)
{
    struct live_service *service;
    struct live_peer *peer = NULL;
    LIST_FOREACH(service, &worker->live->all_services, all)
    {
        peer = peer == NULL ? live_to_ask(service) : peer;
    }
    return peer;
}

/* Whom to close comes before what to compare and whom to ask, and that before whom to hand over.
 * False: all is done. */
static bool sweep_on(struct worker *worker)
{
    struct change *change = &worker->change;
    struct conn *conn = TAILQ_FIRST(&change->marked);
    if (conn != NULL) {
        settle_open(conn);
        return true;
    }
    if (!change->sweeping) {
        return false;
    }
    struct live_grant *grant = live_to_compare(worker->live);
    if (grant != NULL) {
        change_compare(worker, grant);
        return true;
    }
    struct live_peer *peer = next_to_ask(worker);
    if (peer != NULL) {
        ask(worker, peer);
        return true;
    }
    if (change->move_at == slab_size(worker)) {
        return false;
    }
    conn = slab_at(worker, change->move_at++);
    if ((conn->live != NULL || conn->plain != NULL) && conn->settled != change->number) {
        settle_open(conn);
    }
    return true;
}

static void on_sweep(void *owner)
{
    struct worker *worker = owner;
    struct change *change = &worker->change;
    int64_t end_ns = mu_clock_mono_ns() + SLICE_NS;
    while (sweep_on(worker)) {
        if (mu_clock_mono_ns() >= end_ns) {
            reactor_defer(worker->reactor, &change->sweep, on_sweep, worker);
            return;
        }
    }
    if (change->sweeping) {
        tell_change(worker, false);
    }
}
