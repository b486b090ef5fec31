/* SPDX-License-Identifier: Apache-2.0
 *
 * From one configuration to the next, in steps that wait for others: everything is built aside, and
 * only when the keys are loaded and every worker has built its own is the old one let go. Whatever
 * fails on the way leaves the old one in use, in every worker. The start is the same without an old
 * one: then what fails ends the program.
 */
#include <string.h>

#include "gateway/parent_internal.h"

/* Nothing a setup waits for takes this long; a worker that does is not well. */
enum { PATIENCE_S = 30 };

/* A refused reload is told again after the first, then after twice the time, up to the last. */
enum { ALARM_FIRST_S = 10, ALARM_LAST_S = 3600 };

static void begin(struct parent *parent, bool quiet);

static void forget_coming(struct parent *parent)
{
    lists_stop(MU_TAKE(parent->lists_reader));
    if (parent->coming != NULL) {
        setup_refuse(parent, MU_TAKE(parent->coming));
    }
    parent->phase = PHASE_IDLE;
    trials_forget(parent);
    reactor_cancel(parent->reactor, &parent->patience);
}

/* Whose last answer was about other rules than those in force is sent these; while workers are told
 * new ones, these are on their way to it already. tests/models/reload.pml tries what may cross
 * what. */
static void bring_back(struct parent *parent, const struct supervised *worker)
{
    struct mutual_error lost = {0};
    uint32_t answered = parent->done[worker->index];
    if (parent->current != NULL && parent->phase != PHASE_WORKERS && worker->ready &&
        answered != 0 && answered != parent->current->id &&
        !setup_send(parent, parent->current, worker, &lost)) {
        supervisor_kill(parent->supervisor, worker, &lost);
    }
}

static void roll_back(struct parent *parent)
{
    for (uint32_t i = 0; i < parent->workers; i++) {
        const struct supervised *worker = supervisor_find(parent->supervisor, IPC_WORKER, i);
        if (worker != NULL) {
            bring_back(parent, worker);
        }
    }
}

static void next_reload(struct parent *parent)
{
    if (parent->again && !parent->stopping) {
        parent->again = false;
        reload_begin(parent);
    }
}

/* ---- the alarm ----------------------------------------------------------------------------------
 */

/* The code says that nothing changed; which thing was wrong stands beside it. */
static void tell_refused(struct parent *parent, const char *event, const struct mutual_error *why)
{
    struct mutual_error refused = {0};
    (void)mu_fail(&refused, MUTUAL_E_RELOAD_REFUSED,
                  "the new configuration was refused, the old one stays: %s: %s",
                  mutual_code_name(why->code), why->reason);
    (void)mu_error_hint(&refused, "%s Then reload again.", why->hint);
    if (why->context[0] != '\0') {
        (void)mu_error_context(&refused, "%s", why->context);
    }
    parent_log(parent, CONFIG_LOG_ERROR, event, NULL, &refused);
}

static void arm_alarm(struct parent *parent);

static void on_alarm(void *owner)
{
    struct parent *parent = owner;
    tell_refused(parent, "reload_still_refused", &parent->reload.why);
    parent->alarm.every_ns *= 2;
    arm_alarm(parent);
}

static void arm_alarm(struct parent *parent)
{
    struct alarm *alarm = &parent->alarm;
    if (alarm->every_ns > ALARM_LAST_S * MU_NS_PER_S) {
        alarm->every_ns = ALARM_LAST_S * MU_NS_PER_S;
    }
    reactor_arm_in(parent->reactor, &alarm->timer, alarm->every_ns, on_alarm, parent);
}

static void raise_alarm(struct parent *parent)
{
    if (!parent->alarm.raised) {
        parent->alarm.raised = true;
        parent->alarm.since_s = mu_clock_wall_s();
        parent->alarm.every_ns = ALARM_FIRST_S * MU_NS_PER_S;
        arm_alarm(parent);
    }
}

static void end_alarm(struct parent *parent)
{
    parent->alarm.raised = false;
    reactor_cancel(parent->reactor, &parent->alarm.timer);
}

/* ---- steps --------------------------------------------------------------------------------------
 */

/* What is in use is watched, and what was refused: the next change of it may be the cure. */
static void follow_files(struct parent *parent, const struct config_snapshot *refused)
{
    struct mutual_error err = {0};
    if (!parent->current->world->config->watch) {
        watch_clear(parent->watch);
    } else if (!watch_follow(parent->watch, parent->current->snapshot, refused, &err)) {
        parent_log(parent, CONFIG_LOG_WARNING, "watch_failed", NULL, &err);
    }
}

void reload_look(struct parent *parent)
{
    MU_AUTO(config_snapshot) struct config_snapshot *snapshot = NULL;
    MU_AUTO(config_findings) struct config_findings findings = {0};
    if (parent->stopping || parent->current == NULL) {
        return;
    }
    if (parent->phase != PHASE_IDLE) {
        watch_again(parent->watch);
        return;
    }
    config_findings_init(&findings);
    watch_look(parent->watch);
    if (parent->options->load(parent->options->owner, &findings, &snapshot) &&
        !parent->alarm.raised && setup_is_same(parent->current, snapshot)) {
        follow_files(parent, NULL); /* links may lead another way now */
        return;
    }
    begin(parent, true);
}

void reload_refuse(struct parent *parent, const struct mutual_error *why)
{
    if (parent->coming != NULL) {
        if (parent->phase != PHASE_LISTS) { /* else its keys are not in the loader */
            keys_loader_abandon(parent->loader, parent->supervisor);
        }
        forget_coming(parent);
    }
    if (parent->current == NULL) {
        parent_log(parent, CONFIG_LOG_ERROR, "start_failed", "cannot start", why);
        parent->exit_status = mutual_code_exit(why->code);
        parent->stopping = true;
        supervisor_stop(parent->supervisor, 0);
        return;
    }
    bool known = parent->quiet && parent->alarm.raised && why->code == parent->reload.why.code;
    parent->reload = (struct reload){.count = parent->reload.count + 1,
                                     .count_good = parent->reload.count_good,
                                     .good_s = parent->reload.good_s,
                                     .at_s = mu_clock_wall_s(),
                                     .ok = false,
                                     .why = *why};
    if (!known) {
        tell_refused(parent, "reload_refused", why);
    }
    raise_alarm(parent);
    changes_refused(parent);
    roll_back(parent);
    systemd_notify_ready(parent->notify);
    follow_files(parent, parent->refused);
    next_reload(parent);
}

/* Who hangs, or is taken over and does not want the new rules, must not hold up the next ones. */
static void kill_silent(struct parent *parent, const struct mutual_error *why)
{
    for (uint32_t i = 0; i < parent->workers; i++) {
        const struct supervised *worker = supervisor_find(parent->supervisor, IPC_WORKER, i);
        if (parent->done[i] != parent->coming->id && worker != NULL && worker->ready) {
            supervisor_kill(parent->supervisor, worker, why);
        }
    }
}

static void on_patience(void *owner)
{
    struct parent *parent = owner;
    struct mutual_error why = {0};
    (void)mu_fail(&why, MUTUAL_E_PROCESS_DIED, "%s did not answer in %d seconds",
                  parent->phase == PHASE_KEYS ? "the key process" : "a worker", PATIENCE_S);
    if (parent->phase == PHASE_TRIALS) {
        trials_kill_silent(parent, &why);
    }
    if (parent->phase == PHASE_WORKERS) {
        kill_silent(parent, &why);
    }
    reload_refuse(parent, &why);
}

/* The files are read, the lists are verified: what they say is judged and made ready. */
static void build(struct parent *parent)
{
    struct mutual_error err = {0};
    if (!setup_build(parent, parent->coming, &err)) {
        reload_refuse(parent, &err);
        return;
    }
    parent->phase = PHASE_KEYS;
    reactor_arm_in(parent->reactor, &parent->patience, PATIENCE_S * MU_NS_PER_S, on_patience,
                   parent);
    const struct supervised *keys = supervisor_find(parent->supervisor, IPC_KEYS, 0);
    if (keys != NULL && keys->ready &&
        !keys_loader_send(parent->loader, parent->supervisor, &err)) {
        reload_refuse(parent, &err);
        return;
    }
    parent_resolve(parent);
    reload_step(parent);
}

static void on_lists(void *owner, struct world_lists *lists, const struct mutual_error *why)
{
    struct parent *parent = owner;
    parent->lists_reader = NULL;
    parent->coming->lists = lists;
    if (lists == NULL) {
        reload_refuse(parent, why);
        return;
    }
    build(parent);
}

static void begin(struct parent *parent, bool quiet)
{
    struct mutual_error err = {0};
    parent->quiet = quiet;
    watch_look(parent->watch);
    parent->reload_began_ns = mu_clock_mono_ns();
    if (parent->current != NULL) {
        systemd_notify_reloading(parent->notify);
    }
    parent->phase = PHASE_LISTS;
    if (!setup_new(parent, &parent->coming, &err)) {
        parent->phase = PHASE_IDLE;
        reload_refuse(parent, &err);
        return;
    }
    const struct config_snapshot *snapshot = parent->coming->snapshot;
    if (snapshot == NULL || !config_snapshot_has_lists(snapshot)) {
        build(parent);
        return;
    }
    const struct lists_task task = {.snapshot = snapshot,
                                    .known =
                                        parent->current != NULL ? parent->current->lists : NULL,
                                    .user = parent->user};
    if (!lists_start(parent->reactor, &task, on_lists, parent, &parent->lists_reader, &err)) {
        reload_refuse(parent, &err);
    }
}

void reload_begin(struct parent *parent)
{
    parent->quiet = false;
    if (parent->phase != PHASE_IDLE) {
        parent->again = true;
        return;
    }
    begin(parent, false);
}

static void wait_anew(struct parent *parent, int64_t more_ns)
{
    reactor_arm_in(parent->reactor, &parent->patience, PATIENCE_S * MU_NS_PER_S + more_ns,
                   on_patience, parent);
}

static void send_to_workers(struct parent *parent)
{
    struct mutual_error err = {0};
    parent->phase = PHASE_WORKERS;
    wait_anew(parent, 0);
    changes_expect(parent);
    for (uint32_t i = 0; i < parent->workers; i++) {
        const struct supervised *worker = supervisor_find(parent->supervisor, IPC_WORKER, i);
        if (worker != NULL && worker->ready && !setup_send(parent, parent->coming, worker, &err)) {
            supervisor_kill(parent->supervisor, worker, &err); /* its replacement gets it */
        }
    }
}

/* Everything is there: whatever was not tried before is, by one worker, and then all of them get
 * it. */
static void try_certificates(struct parent *parent)
{
    struct mutual_error err = {0};
    if (!trials_begin(parent, &err)) {
        reload_refuse(parent, &err);
    } else if (parent->trials.pending == 0) {
        send_to_workers(parent);
    } else {
        parent->phase = PHASE_TRIALS;
        wait_anew(parent, trials_patience_ns(parent));
        trials_give(parent);
    }
}

void reload_tried(struct parent *parent)
{
    send_to_workers(parent);
}

static void commit(struct parent *parent)
{
    struct setup *old = parent->current;
    bool first = old == NULL;
    parent->current = MU_TAKE(parent->coming);
    config_snapshot_free(MU_TAKE(parent->refused));
    keys_loader_commit(parent->loader, parent->supervisor);
    trials_in_use(parent);
    forget_coming(parent);
    setup_free(old);
    end_alarm(parent);
    parent_serving(parent, first);
    changes_in_use(parent);
    follow_files(parent, NULL);
    next_reload(parent);
}

static bool all_done(const struct parent *parent)
{
    for (uint32_t i = 0; i < parent->workers; i++) {
        if (parent->done[i] != parent->coming->id) {
            return false;
        }
    }
    return true;
}

void reload_step(struct parent *parent)
{
    struct mutual_error why = {0};
    if (parent->phase == PHASE_KEYS) {
        enum keys_loading loading = keys_loader_state(parent->loader, &why);
        if (loading == KEYS_FAILED) {
            reload_refuse(parent, &why);
        } else if (loading == KEYS_LOADED && parent->resolver == NULL) {
            try_certificates(parent);
        }
    }
    if (parent->phase == PHASE_WORKERS && all_done(parent)) {
        commit(parent);
    }
}

bool reload_worker_done(struct parent *parent, const struct supervised *worker,
                        const struct ipc_message *message, struct mutual_error *err)
{
    struct mutual_error why = {0};
    struct ipc_reader reader = ipc_reader_of(message->payload);
    uint32_t id = ipc_get_u32(&reader);
    bool ok = ipc_get_u8(&reader) != 0;
    if (!ok) {
        ipc_get_error(&reader, &why);
    }
    if (!ipc_reader_end(&reader, "the answer to new rules", err)) {
        return false;
    }
    bool is_coming = parent->coming != NULL && parent->coming->id == id;
    parent->done[worker->index] = ok || is_coming ? id : 0;
    if (ok) {
        reload_step(parent);
        bring_back(parent, worker); /* its answer may come after the refusal */
    } else if (is_coming) {
        reload_refuse(parent, &why);
    } else {
        supervisor_kill(parent->supervisor, worker, &why);
    }
    return true;
}

/* Once, before anything that makes use of it. */
static bool send_sessions(struct parent *parent, const struct supervised *worker,
                          struct mutual_error *err)
{
    struct mu_buf payload;
    mu_buf_init(&payload, 64);
    bool sent = mu_buf_reserve(&payload, 64) != NULL || mu_fail_memory(err); /* it never moves */
    sessions_write(&parent->sessions, &payload);
    sent = sent && supervisor_send(parent->supervisor, worker, IPC_MSG_SESSIONS,
                                   mu_buf_slice(&payload), &parent->sessions.fd, 1, err);
    mu_wipe(payload.data, payload.len);
    mu_buf_done(&payload);
    return sent;
}

void reload_worker_ready(struct parent *parent, const struct supervised *worker)
{
    struct mutual_error err = {0};
    const struct setup *setup = parent->phase == PHASE_WORKERS ? parent->coming : parent->current;
    parent->done[worker->index] = 0;
    bool sent = send_sessions(parent, worker, &err);
    if (parent->phase == PHASE_TRIALS) {
        trials_give(parent);
    }
    if (!sent || (setup != NULL && !setup_send(parent, setup, worker, &err))) {
        supervisor_kill(parent->supervisor, worker, &err);
    }
}
