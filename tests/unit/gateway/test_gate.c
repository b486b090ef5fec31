/* SPDX-License-Identifier: Apache-2.0
 *
 * The waiting room: places, shares, turns, and who has to make room.
 */
#include "fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static struct gate *gate(void)
{
    return &home.worker.gate;
}

static struct sockaddr_storage from(const char *text)
{
    struct sockaddr_storage peer = {0};
    struct sockaddr_in *in4 = (struct sockaddr_in *)(void *)&peer;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)&peer;
    if (inet_pton(AF_INET, text, &in4->sin_addr) == 1) {
        in4->sin_family = AF_INET;
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
        in6->sin6_family = AF_INET6;
    }
    return peer;
}

static bool lets_in(const char *text)
{
    struct sockaddr_storage peer = from(text);
    return gate_lets_in(gate(), &home.service, &peer);
}

/* A connection that says it is from there; returns the other end, which says nothing yet. */
static int arrive(const char *text)
{
    struct mutual_error err = {0};
    struct sockaddr_storage peer = from(text);
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    assert_ok(conn_open(&home.service, ends[1], &peer, &err), &err);
    return ends[0];
}

static void limits(int64_t handshakes, int64_t waiting, int64_t per_source)
{
    gate_limit(gate(),
               &(struct config_flood){
                   .handshakes = handshakes, .waiting = waiting, .per_source = per_source},
               1000);
}

static void close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)close(fds[i]);
    }
    fixture_until(home.worker.slab.used == 0);
}

static void a_source_has_its_share(void **state)
{
    (void)state; /* MUTUAL_E_SOURCE_LIMIT */
    limits(8, 8, 2);
    int fds[] = {arrive("192.0.2.1"), arrive("192.0.2.1"), arrive("2001:db8::1"),
                 arrive("2001:db8::ffff:2")};
    assert_false(lets_in("192.0.2.1"));
    assert_false(lets_in("::ffff:192.0.2.1")); /* the same, said otherwise */
    assert_true(lets_in("192.0.2.2"));
    assert_false(lets_in("2001:db8:0:0:a::")); /* the same 64 bits */
    assert_true(lets_in("2001:db8:0:1::"));
    assert_int_equal(home.service.meter->figures[METER_turned_away], 3);
    close_all(fds, MU_COUNT(fds));
    assert_true(lets_in("192.0.2.1"));
    assert_int_equal(mu_map_count(gate()->sources), 0);
    assert_true(event_timer_is_armed(&gate()->tell));
    gate()->tell.fire(gate()->tell.owner);
    assert_true(fixture_logged("SOURCE_LIMIT"));
}

/* A client's hello, after which it says nothing. */
static void say_hello(int fd)
{
    static uint8_t out[4096];
    static size_t len;
    if (len == 0) {
        struct knock somebody;
        struct mutual_wire wire = {.out = out, .out_cap = sizeof out};
        knock_open(&somebody, home.client);
        (void)mutual_session_handshake(somebody.session, &wire, &somebody.err);
        len = wire.out_len;
        knock_done(&somebody);
    }
    assert_int_equal(send(fd, out, len, 0), len);
}

/* Whose handshake is the one under way? Opened from 192.0.2.x; 0: nobody's. */
static unsigned who_shakes(void)
{
    for (size_t i = 0; i < slab_size(&home.worker); i++) {
        const struct conn *conn = slab_at(&home.worker, i);
        if (conn->shaking) {
            return ntohl(conn->peer.in4.sin_addr.s_addr) & 0xff;
        }
    }
    return 0;
}

static void silence_holds_no_session(void **state)
{
    (void)state;
    limits(8, 8, 8);
    int fds[8];
    for (size_t i = 0; i < MU_COUNT(fds); i++) {
        fds[i] = arrive("192.0.2.1");
    }
    fixture_turn();
    for (size_t i = 0; i < MU_COUNT(fds); i++) {
        assert_null(slab_at(&home.worker, i)->front.session);
    }
    assert_int_equal(gate()->shaking, 0);
    close_all(fds, MU_COUNT(fds));
}

/* ... nor do those who have gone when their turn would come, whatever they had said. */
static void who_has_gone_costs_no_session(void **state)
{
    (void)state; /* MUTUAL_E_PEER_SILENT, MUTUAL_E_PEER_RESET */
    limits(1, 8, 8);
    int first = arrive("192.0.2.1");
    say_hello(first);
    fixture_until(who_shakes() == 1);
    int silent = arrive("192.0.2.2");
    (void)close(silent);
    fixture_until(home.service.meter->figures[METER_left] == 1);
    assert_int_equal(gate()->shaking, 1);
    (void)close(first);
    fixture_until(home.worker.slab.used == 0);
}

/* Only the oldest, and only when it had its time. */
static void the_oldest_makes_room(void **state)
{
    (void)state; /* MUTUAL_E_CROWDED_OUT */
    limits(2, 2, 2);
    int fds[] = {arrive("192.0.2.1"), arrive("192.0.2.2")};
    fixture_turn();
    assert_false(gate_has_place(gate()));
    struct conn *oldest = TAILQ_FIRST(&gate()->new);
    struct conn *other = TAILQ_NEXT(oldest, knocks);
    oldest->started_ns -= 2 * MU_NS_PER_S;
    assert_true(gate_has_place(gate()));
    assert_ptr_equal(TAILQ_FIRST(&gate()->new), other);
    assert_false(gate_has_place(gate()) && !gate_has_place(gate()));
    assert_int_equal(home.service.meter->figures[METER_crowded_out], 1);
    assert_true(fixture_logged("crowded_out"));
    close_all(fds, MU_COUNT(fds));
}

/* The bound on handshakes holds while all of them stand still, and those who wait get in after. */
static void handshakes_are_bounded(void **state)
{
    (void)state;
    limits(2, 16, 16);
    struct knock clients[6];
    static uint8_t out[4096];
    for (size_t i = 0; i < MU_COUNT(clients); i++) {
        struct mutual_wire wire = {.out = out, .out_cap = sizeof out};
        knock_open(&clients[i], home.client);
        (void)mutual_session_handshake(clients[i].session, &wire, &clients[i].err);
        assert_int_equal(send(clients[i].fd, out, wire.out_len, 0), wire.out_len); /* a hello */
    }
    for (int i = 0; i < 20; i++) {
        fixture_turn();
    }
    assert_int_equal(gate()->shaking, 2);
    assert_int_equal(gate()->knocking, 6);
    size_t sessions = 0;
    for (size_t i = 0; i < slab_size(&home.worker); i++) {
        sessions += slab_at(&home.worker, i)->front.session != NULL;
    }
    assert_int_equal(sessions, 2);
    for (size_t i = 0; i < MU_COUNT(clients); i++) {
        knock_shake(&clients[i]);
        assert_int_equal(clients[i].io, MUTUAL_IO_DONE);
        (void)close(fixture_accept());
        knock_done(&clients[i]);
    }
    fixture_until(home.worker.slab.used == 0);
    assert_int_equal(gate()->shaking, 0);
    assert_int_equal(gate()->knocking, 0);
}

/* One source has many waiting, another one: the other is second, not last. */
static void sources_take_turns(void **state)
{
    (void)state;
    limits(1, 64, 64);
    int many[6];
    for (size_t i = 0; i < MU_COUNT(many); i++) {
        many[i] = arrive("192.0.2.1");
        say_hello(many[i]);
    }
    int one = arrive("192.0.2.2");
    say_hello(one);
    fixture_until(who_shakes() == 1);
    for (int i = 0; i < 5; i++) {
        fixture_turn();
    }
    (void)close(many[0]);
    fixture_until(who_shakes() == 2);
    (void)close(one);
    fixture_until(who_shakes() == 1);
    close_all(many + 1, MU_COUNT(many) - 1);
}

/* After a step, as long as established traffic uses it, and three times as long as the step at
 * most. */
static void established_traffic_has_its_time(void **state)
{
    (void)state;
    limits(8, 8, 8);
    int fds[] = {arrive("192.0.2.1"), arrive("192.0.2.2")};
    fixture_turn();
    int64_t start = mu_clock_mono_ns();
    gate()->ended_ns = start;
    gate()->cost_ns = 10 * MU_NS_PER_MS;
    gate()->used_ns = MU_NS_PER_S;
    say_hello(fds[0]);
    fixture_until(gate()->shaking == 1);
    assert_true(mu_clock_mono_ns() - start >= 30 * MU_NS_PER_MS);
    start = mu_clock_mono_ns();
    gate()->ended_ns = start;
    gate()->cost_ns = 60 * MU_NS_PER_S;
    gate()->used_ns = 0; /* nobody moved anything */
    say_hello(fds[1]);
    fixture_until(gate()->shaking == 2);
    assert_true(mu_clock_mono_ns() - start < 30 * MU_NS_PER_S);
    close_all(fds, MU_COUNT(fds));
}

/* A worker with few descriptors keeps some for those who are admitted. */
static void places_leave_room_for_the_admitted(void **state)
{
    (void)state;
    const struct config_flood flood = {.handshakes = 10, .waiting = 4096, .per_source = 4096};
    gate_limit(gate(), &flood, 400);
    assert_int_equal(gate()->places, 300);
    assert_int_equal(gate()->share, 300);
}

UNIT_MAIN(FIXTURE_CASE(a_source_has_its_share), FIXTURE_CASE(silence_holds_no_session),
          FIXTURE_CASE(who_has_gone_costs_no_session), FIXTURE_CASE(the_oldest_makes_room),
          FIXTURE_CASE(handshakes_are_bounded), FIXTURE_CASE(sources_take_turns),
          FIXTURE_CASE(established_traffic_has_its_time),
          FIXTURE_CASE(places_leave_room_for_the_admitted))
