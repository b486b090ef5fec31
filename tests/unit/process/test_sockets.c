/* SPDX-License-Identifier: Apache-2.0
 *
 * Sockets made by the parent for a worker: asked for, answered, and nonsense refused.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process/process_internal.h"
#include "unit.h"

static struct mutual_error err;
static struct ipc_channel *parent, *worker;
static unsigned unread;

static int setup(void **state)
{
    (void)state;
    int fds[2];
    return ipc_pair(fds, &err) && ipc_channel_new(fds[0], IPC_PARENT, IPC_WORKER, &parent, &err) &&
                   ipc_channel_new(fds[1], IPC_WORKER, IPC_PARENT, &worker, &err)
               ? 0
               : -1;
}

static int teardown(void **state)
{
    (void)state;
    ipc_channel_free(parent);
    ipc_channel_free(worker);
    return 0;
}

static void a_batch_arrives(void **state)
{
    (void)state;
    const int families[] = {AF_INET, AF_INET6, AF_UNIX};
    for (size_t i = 0; i < MU_COUNT(families); i++) {
        struct ipc_message message = {0};
        assert_ok(process_sockets_ask(worker, families[i], 5, &err), &err);
        assert_int_equal(ipc_receive(parent, &message, &err), IPC_GOT);
        assert_ok(process_sockets_answer(parent, &message, &unread, &err), &err);
        int family = 0;
        uint32_t count = 0;
        assert_int_equal(ipc_receive(worker, &message, &err), IPC_GOT);
        assert_ok(process_sockets_read(&message, &family, &count, &err), &err);
        assert_int_equal(family, families[i]);
        if (families[i] != AF_INET6) { /* the machine may have no IPv6 */
            assert_int_equal(count, 5);
            int domain = 0;
            socklen_t len = sizeof domain;
            assert_int_equal(getsockopt(message.fds[4], SOL_SOCKET, SO_DOMAIN, &domain, &len), 0);
            assert_int_equal(domain, families[i]);
            assert_true(fcntl(message.fds[4], F_GETFL) & O_NONBLOCK);
        }
        ipc_message_done(&message);
    }
}

static void greed_is_bounded(void **state)
{
    (void)state;
    struct ipc_message message = {0};
    assert_ok(process_sockets_ask(worker, AF_INET, UINT32_MAX, &err), &err);
    assert_int_equal(ipc_receive(parent, &message, &err), IPC_GOT);
    assert_ok(process_sockets_answer(parent, &message, &unread, &err), &err);
    assert_int_equal(ipc_receive(worker, &message, &err), IPC_GOT);
    assert_int_equal(message.fd_count, MU_LIMIT_MESSAGE_FDS);
    ipc_message_done(&message);
}

static size_t answered(void)
{
    struct ipc_message message = {0};
    assert_int_equal(ipc_receive(worker, &message, &err), IPC_GOT);
    size_t count = message.fd_count;
    ipc_message_done(&message);
    return count;
}

/* Descriptors under way count against us: the others' batches, and the parent's own. */
static void who_asks_and_does_not_read_gets_none(void **state)
{
    (void)state;
    size_t got = 0;
    for (int i = 0; i < 100; i++) {
        struct ipc_message message = {0};
        assert_ok(process_sockets_ask(worker, AF_UNIX, 64, &err), &err);
        assert_int_equal(ipc_receive(parent, &message, &err), IPC_GOT);
        assert_ok(process_sockets_answer(parent, &message, &unread, &err), &err);
    }
    for (int i = 0; i < 100; i++) {
        got += answered();
    }
    assert_int_equal(got, 8 * 64);
    struct ipc_message message = {0}; /* it has read all: it is served again */
    assert_ok(process_sockets_ask(worker, AF_UNIX, 64, &err), &err);
    assert_int_equal(ipc_receive(parent, &message, &err), IPC_GOT);
    assert_ok(process_sockets_answer(parent, &message, &unread, &err), &err);
    assert_int_equal(answered(), 64);
}

static void nonsense_is_malformed(void **state)
{
    (void)state;
    int family = 0;
    uint32_t count = 0;
    struct ipc_message message = {.type = IPC_MSG_SOCKETS_WANTED,
                                  .payload = MU_SLICE_LIT("\0\21\0\0\0\1")}; /* AF_PACKET */
    assert_fails(process_sockets_answer(parent, &message, &unread, &err), &err,
                 MUTUAL_E_MESSAGE_MALFORMED);
    message = (struct ipc_message){.type = IPC_MSG_SOCKETS,
                                   .payload = MU_SLICE_LIT("\0\2\0\0\0\1")}; /* says 1, has 0 */
    assert_fails(process_sockets_read(&message, &family, &count, &err), &err,
                 MUTUAL_E_MESSAGE_MALFORMED);
    message.payload.len = 3;
    assert_fails(process_sockets_read(&message, &family, &count, &err), &err,
                 MUTUAL_E_MESSAGE_MALFORMED);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)
UNIT_MAIN(CASE(a_batch_arrives), CASE(greed_is_bounded), CASE(who_asks_and_does_not_read_gets_none),
          CASE(nonsense_is_malformed))
