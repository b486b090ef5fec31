/* SPDX-License-Identifier: Apache-2.0
 *
 * Sockets in stock: asked for in time, given to who waits.
 */
#include "fixture.h"

#include <unistd.h>

static size_t asked(void)
{
    size_t count = 0;
    struct ipc_message message;
    struct mutual_error err = {0};
    while (ipc_receive(home.parent, &message, &err) == IPC_GOT) {
        count += message.type == IPC_MSG_SOCKETS_WANTED;
        ipc_message_done(&message);
    }
    return count;
}

static void more_is_asked_for_before_it_is_empty(void **state)
{
    (void)state;
    struct conn conn = {.worker = &home.worker};
    int fd = stock_take(&home.worker, AF_UNIX, &conn);
    assert_true(fd != -1);
    assert_null(conn.queue);
    assert_int_equal(asked(), 1);
    (void)close(fd);
    (void)close(stock_take(&home.worker, AF_UNIX, &conn));
    assert_int_equal(asked(), 0); /* once is enough */
}

static void who_finds_none_waits(void **state)
{
    (void)state;
    struct conn conn = {.worker = &home.worker};
    assert_int_equal(stock_take(&home.worker, AF_INET6, &conn), -1);
    assert_ptr_equal(conn.queue, &home.worker.stock.families[1].waiting);
    TAILQ_REMOVE(conn.queue, &conn, waits);
}

static void what_comes_is_kept_by_family(void **state)
{
    (void)state; /* SOCKETS: be16 family, be32 how many, as process_sockets_read has it */
    struct mutual_error err = {0};
    int fds[2] = {socket(AF_INET, SOCK_STREAM, 0), socket(AF_INET, SOCK_STREAM, 0)};
    MU_AUTO(buf) struct mu_buf payload;
    mu_buf_init(&payload, 64);
    ipc_put_u16(&payload, AF_INET);
    ipc_put_u32(&payload, 2);
    assert_ok(ipc_send(home.parent, IPC_MSG_SOCKETS, mu_buf_slice(&payload), fds, 2, &err), &err);
    struct ipc_message message;
    assert_int_equal(ipc_receive(home.child.parent, &message, &err), IPC_GOT);
    assert_ok(stock_fill(&home.worker, &message, &err), &err);
    ipc_message_done(&message);
    assert_int_equal(home.worker.stock.families[0].count, 2);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

/* STREAMS: be32 how many */
static void give_streams(const int *fds, uint32_t count, bool good)
{
    struct mutual_error err = {0};
    struct ipc_message message;
    uint8_t bytes[4];
    mu_put_be32(bytes, count);
    assert_ok(ipc_send(home.parent, IPC_MSG_STREAMS, mu_slice_of(bytes, 4), fds, 2, &err), &err);
    assert_int_equal(ipc_receive(home.child.parent, &message, &err), IPC_GOT);
    if (good) {
        assert_ok(stock_fill_streams(&home.worker, &message, &err), &err);
    } else {
        assert_fails(stock_fill_streams(&home.worker, &message, &err), &err,
                     MUTUAL_E_MESSAGE_MALFORMED);
    }
    ipc_message_done(&message);
}

static void a_stream_whose_other_end_is_gone_is_given_to_nobody(void **state)
{
    (void)state;
    struct conn conn = {.worker = &home.worker};
    int living[2];
    int dead[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, living), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, dead), 0);
    give_streams((int[]){living[0], dead[0]}, 3, false);
    give_streams((int[]){living[0], dead[0]}, 2, true);
    (void)close(living[0]);
    (void)close(dead[0]);
    (void)close(dead[1]);
    int fd = stock_take(&home.worker, STOCK_STREAMS, &conn);
    assert_true(fd != -1);
    assert_int_equal(write(fd, "x", 1), 1);
    (void)close(fd);
    assert_int_equal(stock_take(&home.worker, STOCK_STREAMS, &conn), -1);
    assert_non_null(conn.queue);
    TAILQ_REMOVE(conn.queue, &conn, waits);
    (void)close(living[1]);
}

UNIT_MAIN(FIXTURE_CASE(more_is_asked_for_before_it_is_empty), FIXTURE_CASE(who_finds_none_waits),
          FIXTURE_CASE(what_comes_is_kept_by_family),
          FIXTURE_CASE(a_stream_whose_other_end_is_gone_is_given_to_nobody))
