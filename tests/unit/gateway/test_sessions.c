/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory for sessions and its secret, from the parent to workers: what one worker keeps another
 * finds; and nothing is taken that is not what the parent makes.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gateway/sessions_internal.h"
#include "session/share_internal.h"
#include "unit.h"

static struct mutual_error err;
static struct reactor *reactor;
static struct sessions sessions;

static int set_up(void **state)
{
    (void)state;
    assert_ok(reactor_new(&reactor, &err), &err);
    assert_ok(sessions_init(&sessions, reactor, &err), &err);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sessions_done(&sessions);
    reactor_free(reactor);
    return 0;
}

/* What a worker is sent: the memory is a descriptor of its own. */
static bool receive(struct shared_sessions *shared, struct mutual_cache *cache, int fd,
                    uint64_t epoch_shift, size_t cut)
{
    MU_AUTO(buf) struct mu_buf payload;
    mu_buf_init(&payload, 64);
    sessions.epoch += epoch_shift;
    sessions_write(&sessions, &payload);
    sessions.epoch -= epoch_shift;
    struct ipc_message message = {.type = IPC_MSG_SESSIONS,
                                  .payload = mu_slice_of(payload.data, payload.len - cut),
                                  .fds = {fd == -1 ? -1 : dup(fd)},
                                  .fd_count = 1};
    err = (struct mutual_error){0};
    bool good = sessions_read(shared, reactor, &message, cache, &err);
    ipc_message_done(&message);
    return good;
}

static void what_one_worker_keeps_another_finds(void **state)
{
    (void)state;
    static const uint8_t id[MU_SHARE_ID] = {1, 2, 3};
    struct shared_sessions workers[2] = {{0}};
    uint8_t record[MU_SHARE_RECORD];
    for (size_t i = 0; i < 2; i++) {
        MU_AUTO(cache) struct mutual_cache *cache = mutual_cache_new(2);
        assert_ok(receive(&workers[i], cache, sessions.fd, 0, 0), &err);
        assert_ptr_equal(mu_cache_shared(cache), workers[i].share);
        assert_true(event_timer_is_armed(&workers[i].turn));
    }
    assert_true(mu_share_put(workers[0].share, id, 100, MU_SLICE_LIT("kept")));
    sessions_forget(&workers[0]); /* it died */
    assert_int_equal(mu_share_take(workers[1].share, id, record), 4);
    assert_memory_equal(record, "kept", 4);
    sessions_forget(&workers[1]);
    assert_null(workers[1].share);
}

static int memory_of(size_t size, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static void nothing_else_is_taken(void **state)
{
    (void)state;
    const int seals = F_SEAL_SHRINK | F_SEAL_GROW;
    MU_AUTO(cache) struct mutual_cache *cache = mutual_cache_new(2);
    struct shared_sessions shared = {0};
    int small = memory_of(mu_share_bytes() - 1, seals);
    int open = memory_of(mu_share_bytes(), F_SEAL_GROW); /* could be cut under us */
    int pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    const int wrong[] = {small, open, pipe_ends[0], -1};
    for (size_t i = 0; i < MU_COUNT(wrong); i++) {
        assert_fails(receive(&shared, cache, wrong[i], 0, 0), &err, MUTUAL_E_MESSAGE_MALFORMED);
    }
    assert_fails(receive(&shared, cache, sessions.fd, 0, 1), &err, MUTUAL_E_MESSAGE_MALFORMED);
    assert_fails(receive(&shared, cache, sessions.fd, 2, 0), &err, MUTUAL_E_MESSAGE_MALFORMED);
    assert_fails(receive(&shared, cache, sessions.fd, (uint64_t)-2, 0), &err,
                 MUTUAL_E_MESSAGE_MALFORMED);
    assert_null(mu_cache_shared(cache));
    assert_null(shared.share);
    sessions_forget(&shared);
    assert_ok(receive(&shared, cache, sessions.fd, 0, 0), &err);
    assert_fails(receive(&shared, cache, sessions.fd, 0, 0), &err,
                 MUTUAL_E_MESSAGE_MALFORMED); /* there is some */
    sessions_forget(&shared);
    (void)close(small);
    (void)close(open);
    (void)close(pipe_ends[0]);
    (void)close(pipe_ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_one_worker_keeps_another_finds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_else_is_taken, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
