/* SPDX-License-Identifier: Apache-2.0
 *
 * Accepting, pausing when all is taken, going on when somebody leaves.
 */
#include "fixture.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in address;

static void listen_here(void)
{
    struct mutual_error err = {0};
    const uint32_t services[] = {0};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    assert_ok(listeners_new(&home.worker, &home.generation, &fd, services, 1,
                            &home.worker.listeners, &err),
              &err);
    listeners_start(&home.worker.listeners);
}

static int arrive(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void turns(int count)
{
    for (int i = 0; i < count; i++) {
        fixture_turn();
    }
}

static void the_cap_of_a_service(void **state)
{
    (void)state; /* MUTUAL_E_CONNECTION_LIMIT */
    home.service.max = 2;
    listen_here();
    int first = arrive();
    int second = arrive();
    int third = arrive();
    turns(5);
    assert_int_equal(home.worker.slab.used, 2);
    assert_int_equal(home.worker.listeners.items[0].watch, EVENT_NO_WATCH);
    assert_true(fixture_logged("CONNECTION_LIMIT"));
    (void)close(first);
    fixture_until(home.service.meter->figures[METER_accepted] == 3);
    assert_int_equal(home.worker.slab.used, 2);
    (void)close(second);
    (void)close(third);
    fixture_until(home.worker.slab.used == 0);
}

static void the_cap_of_the_worker(void **state)
{
    (void)state;
    home.worker.max = 1;
    listen_here();
    int first = arrive();
    int second = arrive();
    turns(5);
    assert_int_equal(home.worker.slab.used, 1);
    assert_non_null(strstr(fixture_log(), "LimitNOFILE"));
    (void)close(first);
    fixture_until(home.service.meter->figures[METER_accepted] == 2);
    (void)close(second);
    fixture_until(home.worker.slab.used == 0);
}

/* Established traffic moved just now. */
static void listen_beside_traffic(void)
{
    listen_here();
    home.worker.gate.moved_ns = mu_clock_mono_ns() + MU_NS_PER_S;
}

static bool calls(void)
{
    return home.worker.listeners.items[0].calling;
}

/* A turn takes as many as there is time for in a step. */
static void beside_traffic_some_in_a_turn(void **state)
{
    (void)state;
    const int64_t step_ns = INT64_C(60) * 1000;
    const uint64_t *accepted = &home.service.meter->figures[METER_accepted];
    int fds[16];
    listen_beside_traffic();
    for (size_t i = 0; i < MU_COUNT(fds); i++) {
        fds[i] = arrive();
    }
    for (uint64_t before = 0; *accepted < MU_COUNT(fds); before = *accepted) {
        fixture_turn();
        assert_true(*accepted > before);
        assert_true(*accepted == MU_COUNT(fds) || home.worker.gate.cost_ns >= step_ns);
        assert_int_equal(home.worker.listeners.items[0].watch == EVENT_NO_WATCH, calls());
    }
    fixture_until(!calls());
    (void)close(fds[0]);
    fds[0] = arrive(); /* it is heard again */
    fixture_until(*accepted == MU_COUNT(fds) + 1);
    for (size_t i = 0; i < MU_COUNT(fds); i++) {
        (void)close(fds[i]);
    }
    fixture_until(home.worker.slab.used == 0);
}

/* Traffic goes first for as long again as it used, and at most three times what an accept took. */
static void beside_traffic_that_uses_time_later(void **state)
{
    (void)state;
    struct gate *gate = &home.worker.gate;
    listen_beside_traffic();
    gate->ended_ns = mu_clock_mono_ns();
    gate->cost_ns = MU_NS_PER_S;
    gate->used_ns = MU_NS_PER_S / 20;
    int fd = arrive();
    fixture_turn();
    assert_true(calls());
    assert_int_equal(home.worker.slab.used, 0);
    fixture_until(home.worker.slab.used == 1);
    assert_true(mu_clock_mono_ns() - gate->ended_ns < MU_NS_PER_S);
    (void)close(fd);
    fixture_until(home.worker.slab.used == 0);
}

static void beside_traffic_the_cap_holds(void **state)
{
    (void)state; /* MUTUAL_E_CONNECTION_LIMIT */
    home.service.max = 1;
    listen_beside_traffic();
    int first = arrive();
    int second = arrive();
    fixture_until(home.worker.slab.used == 1 && !calls());
    assert_int_equal(home.worker.listeners.items[0].watch, EVENT_NO_WATCH);
    assert_true(fixture_logged("CONNECTION_LIMIT"));
    (void)close(first);
    fixture_until(home.service.meter->figures[METER_accepted] == 2);
    (void)close(second);
    fixture_until(home.worker.slab.used == 0);
}

static void a_listener_goes_that_waits_at_the_gate(void **state)
{
    (void)state;
    struct gate *gate = &home.worker.gate;
    listen_beside_traffic();
    gate->ended_ns = mu_clock_mono_ns() + MU_NS_PER_S;
    int fd = arrive();
    fixture_turn();
    assert_true(calls());
    listeners_done(&home.worker.listeners);
    assert_true(TAILQ_EMPTY(&gate->callers));
    fixture_turn();
    (void)close(fd);
}

static void a_listener_for_no_service(void **state)
{
    (void)state;
    struct mutual_error err;
    struct listeners listeners;
    const uint32_t services[] = {7};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_fails(listeners_new(&home.worker, &home.generation, &fd, services, 1, &listeners, &err),
                 &err, MUTUAL_E_MESSAGE_MALFORMED);
    assert_int_equal(close(fd), -1); /* it was taken, on failure too */
}

UNIT_MAIN(FIXTURE_CASE(the_cap_of_a_service), FIXTURE_CASE(the_cap_of_the_worker),
          FIXTURE_CASE(beside_traffic_some_in_a_turn),
          FIXTURE_CASE(beside_traffic_that_uses_time_later),
          FIXTURE_CASE(beside_traffic_the_cap_holds),
          FIXTURE_CASE(a_listener_goes_that_waits_at_the_gate),
          FIXTURE_CASE(a_listener_for_no_service))
