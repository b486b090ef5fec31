/* SPDX-License-Identifier: Apache-2.0
 *
 * The self-test of a coming setup, as the parent sees it: what has not been tried yet is tried by
 * one worker before all are told to change. The parent takes no part in a handshake; it hears that
 * all went well, or what did not. What is in use was tried and is not tried again, so that a change
 * of lists or of the policy waits for nothing.
 */
#include <string.h>

#include "gateway/parent_internal.h"

/* Beyond the usual patience; and one worker may end without that being the certificates' fault. */
enum { TRIAL_MS = 100, WORKERS_LOST_MAX = 1, TRIALS_MAX = 16000 };

void trials_forget(struct parent *parent)
{
    struct trials *trials = &parent->trials;
    mu_free(MU_TAKE(trials->items));
    trials->count = trials->pending = 0;
    trials->running = false;
    trials->lost = 0;
    reactor_undefer(parent->reactor, &trials->refuse);
}

void trials_done(struct parent *parent)
{
    mu_free(MU_TAKE(parent->trials.items));
    mu_map_free(MU_TAKE(parent->trials.known));
}

/* ---- what is to be tried -----------------------------------------------------------------------
 */

static struct mu_slice digest_of(const struct world_trial *trial)
{
    return mu_slice_of(trial->digest, sizeof trial->digest);
}

/* Those to be tried come first. */
static void sort(struct trials *trials)
{
    for (size_t i = 0; i < trials->count; i++) {
        struct world_trial *trial = &trials->items[i];
        if (trials->known == NULL || mu_map_get(trials->known, digest_of(trial)) == NULL) {
            struct world_trial swapped = trials->items[trials->pending];
            trials->items[trials->pending++] = *trial;
            *trial = swapped;
        }
    }
}

bool trials_begin(struct parent *parent, struct mutual_error *err)
{
    struct trials *trials = &parent->trials;
    trials_forget(parent);
    if (!world_trials(parent->coming->world, &trials->items, &trials->count, err)) {
        return false;
    }
    sort(trials);
    return trials->pending <= TRIALS_MAX ||
           mu_fail(err, MUTUAL_E_LIMIT, "there are more than %d certificates to try", TRIALS_MAX);
}

int64_t trials_patience_ns(const struct parent *parent)
{
    return (int64_t)parent->trials.pending * TRIAL_MS * MU_NS_PER_MS;
}

/* ---- a worker ----------------------------------------------------------------------------------
 */

static bool send_trials(struct parent *parent, const struct supervised *worker,
                        struct mutual_error *err)
{
    const struct trials *trials = &parent->trials;
    MU_AUTO(buf) struct mu_buf payload;
    mu_buf_init(&payload, MU_LIMIT_MESSAGE_BYTES);
    ipc_put_u32(&payload, parent->coming->id);
    ipc_put_u32(&payload, parent->workers);
    ipc_put_u32(&payload, (uint32_t)trials->pending);
    for (size_t i = 0; i < trials->pending; i++) {
        ipc_put_u32(&payload, trials->items[i].service);
        ipc_put_u32(&payload, trials->items[i].chain);
    }
    return (!payload.failed || mu_fail_memory(err)) &&
           setup_send_tables(parent, parent->coming, worker, err) &&
           supervisor_send(parent->supervisor, worker, IPC_MSG_TRIALS, mu_buf_slice(&payload),
                           &parent->coming->snapshot_fd, 1, err);
}

void trials_give(struct parent *parent)
{
    struct trials *trials = &parent->trials;
    struct mutual_error err = {0};
    for (uint32_t i = 0; i < parent->workers && !trials->running; i++) {
        const struct supervised *worker = supervisor_find(parent->supervisor, IPC_WORKER, i);
        if (worker == NULL || !worker->ready) {
            continue;
        }
        trials->worker = i;
        trials->running = send_trials(parent, worker, &err);
        if (!trials->running) {
            supervisor_kill(parent->supervisor, worker, &err);
        }
    }
}

static void on_refuse(void *owner)
{
    struct parent *parent = owner;
    if (parent->phase == PHASE_TRIALS && !parent->stopping) {
        reload_refuse(parent, &parent->trials.why);
    }
}

/* Not in the middle of what the supervisor does with the dead. */
static void refuse_later(struct parent *parent, const char *who)
{
    struct trials *trials = &parent->trials;
    trials->why = (struct mutual_error){0};
    (void)mu_fail(&trials->why, MUTUAL_E_PROCESS_DIED, "%s ended while the certificates were tried",
                  who);
    reactor_defer(parent->reactor, &trials->refuse, on_refuse, parent);
}

void trials_worker_died(struct parent *parent, uint32_t worker)
{
    struct trials *trials = &parent->trials;
    if (parent->phase != PHASE_TRIALS || parent->stopping || !trials->running ||
        trials->worker != worker) {
        return;
    }
    trials->running = false;
    if (trials->lost++ < WORKERS_LOST_MAX) {
        trials_give(parent); /* else whoever is ready next */
    } else {
        refuse_later(parent, "the worker");
    }
}

void trials_keys_died(struct parent *parent)
{
    if (parent->phase == PHASE_TRIALS) {
        refuse_later(parent, "the key process");
    }
}

void trials_kill_silent(struct parent *parent, const struct mutual_error *why)
{
    const struct supervised *worker =
        supervisor_find(parent->supervisor, IPC_WORKER, parent->trials.worker);
    if (parent->trials.running && worker != NULL && worker->ready) {
        supervisor_kill(parent->supervisor, worker, why);
    }
}

/* ---- what became of it -------------------------------------------------------------------------
 */

bool trials_answer_read(struct mu_slice payload, struct trials_answer *ret_answer,
                        struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(payload);
    struct trials_answer *answer = ret_answer;
    memset(answer, 0, sizeof *answer);
    answer->id = ipc_get_u32(&reader);
    answer->ok = ipc_get_u8(&reader) != 0;
    if (!answer->ok) {
        ipc_get_error(&reader, &answer->why);
    }
    answer->count = ipc_get_u8(&reader);
    for (size_t i = 0; i < answer->count && i < WORLD_TRYOUT_WARNINGS; i++) {
        ipc_get_error(&reader, &answer->warnings[i]);
    }
    if (!ipc_reader_end(&reader, "what became of trials", err)) {
        return false;
    }
    return answer->count <= WORLD_TRYOUT_WARNINGS ||
           mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "%zu warnings of trials are announced",
                   answer->count);
}

bool trials_read(struct parent *parent, const struct supervised *worker,
                 const struct ipc_message *message, struct mutual_error *err)
{
    struct trials *trials = &parent->trials;
    MU_AUTO(free) struct trials_answer *answer = mu_alloc(1, sizeof *answer);
    if (answer == NULL) {
        return mu_fail_memory(err);
    }
    if (!trials_answer_read(message->payload, answer, err)) {
        return false;
    }
    if (parent->phase != PHASE_TRIALS || parent->coming->id != answer->id || !trials->running ||
        trials->worker != worker->index) {
        return true; /* of a setup that is not coming any more */
    }
    for (size_t i = 0; i < answer->count; i++) {
        parent_log(parent, CONFIG_LOG_WARNING, "certificate_warning", NULL, &answer->warnings[i]);
    }
    trials->running = false;
    if (answer->ok) {
        reload_tried(parent);
    } else {
        reload_refuse(parent, &answer->why);
    }
    return true;
}

/* Without memory nothing is known, and all is tried again next time. */
void trials_in_use(struct parent *parent)
{
    struct trials *trials = &parent->trials;
    mu_map_free(trials->known);
    trials->known = mu_map_new();
    bool kept = trials->known != NULL;
    for (size_t i = 0; i < trials->count && kept; i++) {
        kept = mu_map_put(trials->known, digest_of(&trials->items[i]), trials);
    }
    if (!kept) {
        mu_map_free(MU_TAKE(trials->known));
    }
}
