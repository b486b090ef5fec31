/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes between sockets and blocks, on a side without TLS; with TLS the relay's tests do it.
 */
#include "fixture.h"

#include <sys/socket.h>
#include <unistd.h>

static int other;
static struct conn conn;

/* A side of a connection that is nobody's, whose socket takes little. */
static struct side *small_side(void)
{
    int ends[2];
    int little = 4096;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    (void)setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
    conn = (struct conn){.worker = &home.worker};
    conn.front = (struct side){.conn = &conn, .fd = ends[0], .writable = true, .readable = true};
    conn.back = (struct side){.conn = &conn, .fd = -1};
    other = ends[1];
    return &conn.front;
}

static void side_end(struct side *side)
{
    worker_give_block(&home.worker, side->unsent);
    (void)close(side->fd);
    if (other != -1) {
        (void)close(other);
    }
}

static void what_is_not_taken_is_kept_in_order(void **state)
{
    (void)state;
    static uint8_t data[60000];
    static uint8_t got[60000];
    struct mutual_error err = {0};
    struct side *side = small_side();
    size_t have = 0;
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 7);
    }
    assert_int_equal(wire_send(side, data, 50000, &err), FLOW_WAIT);
    assert_non_null(side->unsent);
    assert_false(side->writable);
    assert_int_equal(wire_send(side, data + 50000, 10000, &err), FLOW_WAIT);
    while (have < sizeof data) {
        ssize_t n = read(other, got + have, sizeof got - have);
        assert_true(n > 0);
        have += (size_t)n;
        side->writable = true;
        (void)wire_flush(side, &err);
    }
    assert_memory_equal(got, data, sizeof data);
    assert_int_equal(wire_flush(side, &err), FLOW_OK);
    assert_null(side->unsent);
    side_end(side);
}

static void reading_stops_when_there_is_nothing(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct side *side = small_side();
    const uint8_t *data = NULL;
    size_t len = 0;
    assert_int_equal(write(other, "hello", 5), 5);
    assert_int_equal(wire_read(side, &data, &len, &err), FLOW_OK);
    assert_int_equal(len, 5);
    assert_memory_equal(data, "hello", 5);
    assert_false(side->readable); /* fewer than asked for: nothing is left */
    assert_int_equal(wire_read(side, &data, &len, &err), FLOW_WAIT);
    side->readable = true;
    side->hangup = true; /* its end may be behind what is read: no shortcut */
    assert_int_equal(write(other, "x", 1), 1);
    assert_int_equal(wire_read(side, &data, &len, &err), FLOW_OK);
    assert_true(side->readable);
    (void)close(other);
    other = -1;
    assert_int_equal(wire_read(side, &data, &len, &err), FLOW_END);
    assert_true(side->finished);
    side_end(side);
}

static void a_broken_socket_has_a_reason(void **state)
{
    (void)state; /* MUTUAL_E_PEER_RESET */
    struct mutual_error err = {0};
    struct side *side = small_side();
    (void)close(other);
    other = -1;
    assert_int_equal(wire_send(side, (const uint8_t *)"x", 1, &err), FLOW_FAILED);
    assert_int_equal(err.code, MUTUAL_E_PEER_RESET);
    side_end(side);
}

static void closing_ends_our_direction_only(void **state)
{
    (void)state;
    char byte;
    struct mutual_error err = {0};
    struct side *side = small_side();
    assert_int_equal(wire_close(side, &err), FLOW_OK);
    assert_int_equal(side->out, SIDE_SHUT);
    assert_int_equal(read(other, &byte, 1), 0);
    assert_int_equal(write(other, "y", 1), 1);
    assert_int_equal(wire_close(side, &err), FLOW_OK); /* again: nothing */
    side_end(side);
}

static void no_block_is_left(void **state)
{
    (void)state;
    static uint8_t data[60000];
    struct block *taken = NULL;
    struct mutual_error err = {0};
    struct side *side = small_side();
    for (struct block *one; (one = pool_take(home.worker.pool)) != NULL; taken = one) {
        one->next = taken; /* the reserve too */
    }
    assert_int_equal(wire_send(side, data, sizeof data, &err), FLOW_FAILED);
    assert_int_equal(err.code, MUTUAL_E_NO_MEMORY);
    while (taken != NULL) {
        struct block *one = taken;
        taken = one->next;
        worker_give_block(&home.worker, one);
    }
    side_end(side);
}

UNIT_MAIN(FIXTURE_CASE(what_is_not_taken_is_kept_in_order),
          FIXTURE_CASE(reading_stops_when_there_is_nothing),
          FIXTURE_CASE(a_broken_socket_has_a_reason), FIXTURE_CASE(closing_ends_our_direction_only),
          FIXTURE_CASE(no_block_is_left))
