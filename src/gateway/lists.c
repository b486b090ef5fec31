/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads and verifies revocation lists in a helper process, so that neither the parent nor a worker
 * does: a list of a million entries takes seconds, and its bytes are somebody else's.
 *
 * LIST, for each file: u32 trust block, u32 index in it, u8 outcome, digest, and where it failed
 * the error; with a table its descriptor. The last LIST has the outcome LIST_END.
 */
#include "gateway/lists_internal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/helper_internal.h"
#include "ipc/ipc.h"
#include "process/process.h"

enum { ROUND_S = 120 };
enum outcome { LIST_FAILED, LIST_TABLE, LIST_KNOWN, LIST_END };

struct lists_reader {
    struct reactor *reactor;
    struct ipc_channel *channel;
    event_watch watch;
    struct event_timer timer;
    pid_t pid;
    const struct world_lists *known;
    struct world_lists *lists;
    lists_done_fn *done;
    void *owner;
};

/* ---- the helper ---------------------------------------------------------------------------------
 */

static bool send_all(struct ipc_channel *channel, struct mu_slice payload, int fd,
                     struct mutual_error *err)
{
    bool ok = ipc_send(channel, IPC_MSG_LIST, payload, &fd, fd == -1 ? 0 : 1, err);
    while (ok && ipc_wants_write(channel)) {
        (void)ipc_wait(channel, -1);
        ok = ipc_flush(channel, err);
    }
    return ok;
}

static bool send_list(void *taker, const struct world_list *list, struct mutual_error *err)
{
    enum outcome outcome = list->why != NULL ? LIST_FAILED : list->known ? LIST_KNOWN : LIST_TABLE;
    MU_AUTO(buf) struct mu_buf payload;
    mu_buf_init(&payload, 8192);
    ipc_put_u32(&payload, list->place.trust);
    ipc_put_u32(&payload, list->place.index);
    ipc_put_u8(&payload, (uint8_t)outcome);
    mu_buf_append(&payload, list->digest, sizeof list->digest);
    if (outcome == LIST_FAILED) {
        ipc_put_error(&payload, list->why);
    }
    return send_all(taker, mu_buf_slice(&payload), outcome == LIST_TABLE ? list->fd : -1, err);
}

static bool send_end(struct ipc_channel *channel, struct mutual_error *err)
{
    uint8_t end[41] = {[8] = LIST_END};
    return send_all(channel, mu_slice_of(end, sizeof end), -1, err);
}

static _Noreturn void helper(int fd, const struct config_snapshot *snapshot,
                             const struct world_lists *known, const char *user)
{
    struct mutual_error err = {0};
    struct sandbox_state state;
    struct ipc_channel *channel = NULL;
    helper_begin(fd, user, ROUND_S, 2 * (size_t)MU_LIMIT_CRL_BYTES);
    (void)setpriority(PRIO_PROCESS, 0, 10); /* who serves comes first */
    bool ok = sandbox_apply(&sandbox_lists, false, &state, &err) &&
              ipc_channel_new(HELPER_FD, IPC_LISTS, IPC_PARENT, &channel, &err) &&
              world_lists_make(snapshot, known, send_list, channel, &err) &&
              send_end(channel, &err);
    _exit(ok ? 0 : 1);
}

/* ---- what it says -------------------------------------------------------------------------------
 */

void lists_stop(struct lists_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    reactor_unwatch(reader->reactor, &reader->watch);
    reactor_cancel(reader->reactor, &reader->timer);
    ipc_channel_free(reader->channel);
    (void)kill(reader->pid, SIGKILL);
    (void)waitpid(reader->pid, NULL, 0);
    world_lists_free(reader->lists);
    mu_free(reader);
}

static void finish(struct lists_reader *reader, const struct mutual_error *why)
{
    lists_done_fn *done = reader->done;
    void *owner = reader->owner;
    struct world_lists *lists = why == NULL ? MU_TAKE(reader->lists) : NULL;
    lists_stop(reader);
    done(owner, lists, why);
}

static void on_late(void *owner)
{
    struct mutual_error why = {0};
    (void)mu_fail(&why, MUTUAL_E_PROCESS_DIED,
                  "the revocation lists were not read and verified in %d seconds", ROUND_S);
    finish(owner, &why);
}

/* False: the message is none that can be. */
static bool take_list(struct lists_reader *reader, struct ipc_message *message, bool *ret_end,
                      struct mutual_error *err)
{
    struct mutual_error why = {0};
    struct ipc_reader in = ipc_reader_of(message->payload);
    struct world_list list = {.fd = -1};
    list.place.trust = ipc_get_u32(&in);
    list.place.index = ipc_get_u32(&in);
    uint8_t outcome = ipc_get_u8(&in);
    struct mu_slice digest = ipc_get_raw(&in, sizeof list.digest);
    if (outcome == LIST_FAILED) {
        ipc_get_error(&in, &why);
        list.why = &why;
    }
    if (!ipc_reader_end(&in, "a revocation list", err)) {
        return false;
    }
    memcpy(list.digest, digest.data, sizeof list.digest);
    *ret_end = outcome == LIST_END;
    if (outcome == LIST_KNOWN) {
        return world_lists_reuse(reader->lists, reader->known, list.place, list.digest) ||
               mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "a list that nobody knows was named");
    }
    list.fd = outcome == LIST_TABLE ? ipc_message_take_fd(message, 0) : -1;
    return outcome == LIST_END || world_lists_put(reader->lists, &list, true, err);
}

static void on_message(void *owner, uint32_t events)
{
    struct lists_reader *reader = owner;
    struct mutual_error err = {0};
    enum ipc_result result = IPC_GOT;
    bool ok = true;
    bool end = false;
    (void)events;
    while (ok && !end && result == IPC_GOT) {
        struct ipc_message message;
        result = ipc_receive(reader->channel, &message, &err);
        if (result == IPC_GOT) {
            ok = take_list(reader, &message, &end, &err);
            ipc_message_done(&message);
        }
    }
    if (ok && result == IPC_WAIT) {
        return;
    }
    if (ok && result == IPC_END) {
        ok = mu_fail(&err, MUTUAL_E_PROCESS_DIED,
                     "the process that reads revocation lists ended before its time");
    }
    finish(reader, end && ok ? NULL : &err);
}

/* ---- a round ------------------------------------------------------------------------------------
 */

static bool start_helper(struct lists_reader *reader, const struct config_snapshot *snapshot,
                         const char *user, struct mutual_error *err)
{
    int ends[2];
    if (!ipc_pair(ends, err)) {
        return false;
    }
    reader->pid = fork();
    if (reader->pid == 0) {
        helper(ends[1], snapshot, reader->known, user);
    }
    (void)close(ends[1]);
    if (reader->pid == -1) {
        (void)close(ends[0]);
        return mu_fail(err, MUTUAL_E_SYSTEM_CALL, "could not start a process for revocation lists");
    }
    return ipc_channel_new(ends[0], IPC_PARENT, IPC_LISTS, &reader->channel, err);
}

bool lists_start(struct reactor *reactor, const struct lists_task *task, lists_done_fn *done,
                 void *owner, struct lists_reader **ret_reader, struct mutual_error *err)
{
    struct lists_reader *reader = mu_alloc(1, sizeof *reader);
    if (reader == NULL) {
        return mu_fail_memory(err);
    }
    reader->reactor = reactor;
    reader->known = task->known;
    reader->done = done;
    reader->owner = owner;
    reader->lists = world_lists_new();
    if (reader->lists == NULL || !start_helper(reader, task->snapshot, task->user, err)) {
        bool told = reader->lists != NULL;
        if (reader->pid > 0) {
            lists_stop(reader);
        } else {
            world_lists_free(reader->lists);
            mu_free(reader);
        }
        return told ? false : mu_fail_memory(err);
    }
    if (!reactor_watch(reactor, ipc_channel_fd(reader->channel), EVENT_READ, on_message, reader,
                       &reader->watch, err)) {
        lists_stop(reader);
        return false;
    }
    reactor_arm_in(reactor, &reader->timer, ROUND_S * MU_NS_PER_S, on_late, reader);
    *ret_reader = reader;
    return true;
}
