/* SPDX-License-Identifier: Apache-2.0
 *
 * The self-test of coming rules in a worker: the generation is built aside, its certificates are
 * tried in slices between what the worker does anyway, and the parent is told. If it is to be used,
 * it is there already.
 */
#include <unistd.h>

#include "gateway/worker_internal.h"

/* A slice, and how long one signature may take: less than the parent waits. */
enum { SLICE_US = 500, SIGNATURE_S = 10 };

static void on_work(void *owner);

static void forget_trials(struct trying *trying)
{
    world_tryout_free(MU_TAKE(trying->tryout));
    mu_free(MU_TAKE(trying->trials));
}

static void answer(struct worker *worker, const struct mutual_error *why)
{
    struct trying *trying = &worker->trying;
    struct mutual_error err = {0};
    size_t count = 0;
    MU_AUTO(buf) struct mu_buf payload;
    mu_buf_init(&payload, MU_LIMIT_MESSAGE_BYTES);
    const struct mutual_error *warnings =
        trying->tryout == NULL ? NULL : world_tryout_warnings(trying->tryout, &count);
    ipc_put_u32(&payload, trying->id);
    ipc_put_u8(&payload, why == NULL ? 1 : 0);
    if (why != NULL) {
        ipc_put_error(&payload, why);
    }
    ipc_put_u8(&payload, (uint8_t)count);
    for (size_t i = 0; i < count; i++) {
        ipc_put_error(&payload, &warnings[i]);
    }
    reactor_cancel(worker->reactor, &trying->patience);
    forget_trials(trying);
    if (why != NULL) {
        generation_unref(MU_TAKE(trying->generation));
    }
    if (!ipc_send(worker->child->parent, IPC_MSG_TRIED, mu_buf_slice(&payload), NULL, 0, &err)) {
        reactor_stop(worker->reactor); /* the parent waits for it, and hears that we are gone */
    }
}

/* One step, between enter and leave as the door of the keys wants it. */
static enum mutual_io step(struct worker *worker, struct mutual_error *err)
{
    struct trying *trying = &worker->trying;
    keys_client_enter(worker->keys, &trying->waiter);
    enum mutual_io io = world_tryout_step(trying->tryout, err);
    keys_client_leave(worker->keys);
    return io;
}

static void wake(void *owner)
{
    struct worker *worker = owner;
    reactor_cancel(worker->reactor, &worker->trying.patience);
    reactor_defer(worker->reactor, &worker->trying.work, on_work, worker);
}

/* The signature fails, and so does the handshake when it is driven once more. */
static void on_patience(void *owner)
{
    struct worker *worker = owner;
    keys_waiter_cancel(worker->keys, &worker->trying.waiter);
    reactor_defer(worker->reactor, &worker->trying.work, on_work, worker);
}

static void on_work(void *owner)
{
    struct worker *worker = owner;
    struct trying *trying = &worker->trying;
    struct mutual_error err = {0};
    int64_t end_ns = mu_clock_mono_ns() + SLICE_US * (MU_NS_PER_MS / 1000);
    enum mutual_io io = MUTUAL_IO_WANT_READ;
    while (io == MUTUAL_IO_WANT_READ && mu_clock_mono_ns() < end_ns) {
        io = step(worker, &err);
    }
    switch (io) {
    case MUTUAL_IO_DONE:
        answer(worker, NULL);
        return;
    case MUTUAL_IO_WANT_KEY:
        if (!event_timer_is_armed(&trying->patience)) {
            reactor_arm_in(worker->reactor, &trying->patience, SIGNATURE_S * MU_NS_PER_S,
                           on_patience, worker);
        }
        return;
    case MUTUAL_IO_WANT_READ:
    case MUTUAL_IO_WANT_WRITE:
    case MUTUAL_IO_WANT_TURN:
        reactor_defer(worker->reactor, &trying->work, on_work, worker);
        return;
    case MUTUAL_IO_END:
    case MUTUAL_IO_FAILED:
    default:
        answer(worker, &err);
        return;
    }
}

static void explain(void *owner, struct mutual_error *err)
{
    struct worker *worker = owner;
    enum mutual_code code = worker->trying.waiter.failed;
    if (code != MUTUAL_OK && err->code != code) {
        enum mutual_step step = err->step;
        *err = (struct mutual_error){0};
        (void)mu_fail(err, code,
                      code == MUTUAL_E_KEY_UNSUPPORTED
                          ? "its key cannot make a signature of TLS: its parameters forbid it"
                          : "the key process did not sign");
        err->step = step;
    }
    worker->trying.waiter.failed = MUTUAL_OK;
}

static struct mutual_context *context_of(void *owner, size_t service)
{
    return generation_context(((struct worker *)owner)->trying.generation, service);
}

/* ---- from the parent ---------------------------------------------------------------------------
 */

void tryout_drop(struct worker *worker)
{
    struct trying *trying = &worker->trying;
    struct mutual_error lost = {0};
    if (keys_waiter_is_pending(&trying->waiter)) { /* the library's job has to run to its end */
        keys_waiter_cancel(worker->keys, &trying->waiter);
        (void)step(worker, &lost);
    }
    reactor_undefer(worker->reactor, &trying->work);
    reactor_cancel(worker->reactor, &trying->patience);
    forget_trials(trying);
    generation_unref(MU_TAKE(trying->generation));
}

struct generation *tryout_take(struct worker *worker, uint32_t id)
{
    struct trying *trying = &worker->trying;
    bool tried = trying->id == id && trying->tryout == NULL;
    struct generation *taken = tried ? MU_TAKE(trying->generation) : NULL;
    tryout_drop(worker);
    return taken;
}

static bool read_trials(struct trying *trying, struct ipc_reader *reader, struct mutual_error *err)
{
    size_t count = ipc_get_u32(reader);
    trying->trials = mu_alloc(count + 1, sizeof *trying->trials);
    if (trying->trials == NULL) {
        return mu_fail_memory(err);
    }
    trying->count = count;
    for (size_t i = 0; i < count && !reader->failed; i++) {
        trying->trials[i].service = ipc_get_u32(reader);
        trying->trials[i].chain = ipc_get_u32(reader);
    }
    return ipc_reader_end(reader, "what to try", err);
}

static bool are_there(const struct trying *trying)
{
    for (size_t i = 0; i < trying->count; i++) {
        const struct world_trial *trial = &trying->trials[i];
        if (trial->service >= trying->generation->count ||
            trial->chain >= trying->generation->services[trial->service].facts->chain_count) {
            return false;
        }
    }
    return true;
}

static bool begin(struct worker *worker, int snapshot_fd, struct mutual_error *why)
{
    struct trying *trying = &worker->trying;
    const struct world_lists *tables = worker->tables_id == trying->id ? worker->tables : NULL;
    const struct world_tryout_hooks hooks = {
        .context = context_of, .explain = explain, .owner = worker};
    bool built = generation_new(worker, trying->id, snapshot_fd, tables, &trying->generation, why);
    world_lists_free(MU_TAKE(worker->tables));
    return built &&
           (are_there(trying) ||
            mu_fail(why, MUTUAL_E_MESSAGE_MALFORMED, "what is to be tried is not in the rules")) &&
           world_tryout_new(trying->generation->world, trying->trials, trying->count, &hooks,
                            &trying->tryout, why);
}

bool tryout_message(struct worker *worker, struct ipc_message *message, struct mutual_error *err)
{
    struct trying *trying = &worker->trying;
    struct ipc_reader reader = ipc_reader_of(message->payload);
    struct mutual_error why = {0};
    tryout_drop(worker);
    trying->id = ipc_get_u32(&reader);
    worker->workers = ipc_get_u32(&reader);
    trying->waiter = (struct keys_waiter){.wake = wake, .owner = worker};
    int snapshot_fd = ipc_message_take_fd(message, 0);
    if (!read_trials(trying, &reader, err) || snapshot_fd == -1 || worker->workers == 0) {
        return err->code != MUTUAL_OK
                   ? false
                   : mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "nothing is there to be tried");
    }
    bool begun = begin(worker, snapshot_fd, &why);
    (void)close(snapshot_fd);
    if (begun) {
        reactor_defer(worker->reactor, &trying->work, on_work, worker);
    } else {
        answer(worker, &why);
    }
    return true;
}
