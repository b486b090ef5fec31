/* SPDX-License-Identifier: Apache-2.0
 *
 * Sessions that the workers share. The parent makes the memory and the first secret and goes on
 * with the secret hour by hour, so that it can give a worker that comes later what it needs and
 * nothing from which older sessions could be read. It never looks into the memory.
 */
#include "gateway/sessions_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

/* All processes of a machine read the same clock. */
static uint64_t epoch_now(void)
{
    return (uint64_t)(mu_clock_mono_ns() / SESSIONS_EPOCH_NS) +
           1; /* there is one before the first */
}

static int64_t end_of_epoch_ns(void)
{
    return (int64_t)epoch_now() * SESSIONS_EPOCH_NS;
}

/* ---- the parent ------------------------------------------------------------------------------ */

static void on_hour(void *owner)
{
    struct sessions *sessions = owner;
    struct mutual_error ignored = {0};
    while (sessions->epoch + 1 < epoch_now() && mu_share_next(sessions->secret, &ignored)) {
        sessions->epoch++;
    }
    reactor_arm(sessions->reactor, &sessions->turn, end_of_epoch_ns(), on_hour, sessions);
}

static bool make_memory(struct sessions *sessions, struct mutual_error *err)
{
    sessions->fd = memfd_create("mutual-sessions", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (sessions->fd == -1 || ftruncate(sessions->fd, (off_t)mu_share_bytes()) == -1 ||
        fcntl(sessions->fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) == -1) {
        return mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, errno,
                             "could not make memory for sessions to resume");
    }
    return true;
}

bool sessions_init(struct sessions *sessions, struct reactor *reactor, struct mutual_error *err)
{
    *sessions = (struct sessions){.reactor = reactor, .fd = -1, .epoch = epoch_now() - 1};
    if (!mu_random(sessions->secret, sizeof sessions->secret, err) || !make_memory(sessions, err)) {
        sessions_done(sessions);
        return false;
    }
    reactor_arm(reactor, &sessions->turn, end_of_epoch_ns(), on_hour, sessions);
    return true;
}

void sessions_done(struct sessions *sessions)
{
    if (sessions->reactor == NULL) {
        return;
    }
    reactor_cancel(sessions->reactor, &sessions->turn);
    if (sessions->fd != -1) {
        (void)close(sessions->fd);
        sessions->fd = -1;
    }
    mu_wipe(sessions->secret, sizeof sessions->secret);
}

void sessions_write(const struct sessions *sessions, struct mu_buf *out)
{
    ipc_put_u64(out, sessions->epoch);
    (void)mu_buf_append(out, sessions->secret, sizeof sessions->secret);
}

/* ---- a worker -------------------------------------------------------------------------------- */

static void on_turn(void *owner)
{
    struct shared_sessions *shared = owner;
    struct mutual_error ignored = {0};
    if (!mu_share_turn(shared->share, epoch_now(), &ignored)) {
        return; /* the library has no digest: nothing is shared any more */
    }
    reactor_arm(shared->reactor, &shared->turn, end_of_epoch_ns(), on_turn, shared);
}

/* Of the right size, which nobody can change any more: no access can lead nowhere. */
static bool map(struct shared_sessions *shared, int fd, struct mutual_error *err)
{
    size_t size = mu_share_bytes();
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals == -1 || (seals & SEALS) != SEALS || lseek(fd, 0, SEEK_END) != (off_t)size) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED,
                       "the memory for sessions is not what it should be");
    }
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        return mu_fail_memory(err);
    }
    shared->memory = memory;
    return true;
}

bool sessions_read(struct shared_sessions *shared, struct reactor *reactor,
                   struct ipc_message *message, struct mutual_cache *cache,
                   struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(message->payload);
    uint64_t epoch = ipc_get_u64(&reader);
    struct mu_slice secret = ipc_get_raw(&reader, 32);
    int fd = ipc_message_take_fd(message, 0);
    uint64_t now = epoch_now();
    bool good = ipc_reader_end(&reader, "SESSIONS", err);
    if (good && (shared->memory != NULL || fd == -1 || epoch > now || now - epoch > 2)) {
        good = mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "memory for sessions that cannot be");
    }
    good = good && map(shared, fd, err) &&
           mu_share_new(shared->memory, secret.data, epoch, &shared->share, err) &&
           mu_share_turn(shared->share, now, err);
    if (fd != -1) {
        (void)close(fd);
    }
    if (!good) {
        return false;
    }
    shared->reactor = reactor;
    reactor_arm(reactor, &shared->turn, end_of_epoch_ns(), on_turn, shared);
    mu_cache_share(cache, shared->share);
    return true;
}

void sessions_forget(struct shared_sessions *shared)
{
    if (shared->reactor != NULL) {
        reactor_cancel(shared->reactor, &shared->turn);
    }
    mu_share_free(shared->share);
    if (shared->memory != NULL) {
        (void)munmap(shared->memory, mu_share_bytes());
    }
    *shared = (struct shared_sessions){.reactor = NULL};
}
