/* SPDX-License-Identifier: Apache-2.0
 *
 * The reactor: stale events, timers, deferred work, signals, and that it sleeps when idle.
 */
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base.h"
#include "event/event.h"
#include "unit.h"

static struct reactor *reactor;
static struct mutual_error err;

static int setup(void **state)
{
    (void)state;
    return reactor_new(&reactor, &err) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    reactor_free(reactor);
    return 0;
}

struct end {
    int fd;
    event_watch watch;
    unsigned calls;
    uint32_t events;
    struct end *other;
};

static void count_call(void *owner, uint32_t events)
{
    struct end *end = owner;
    end->calls++;
    end->events = events;
}

/* Ends the other's watch and puts a new one into the freed slot. */
static void replace_other(void *owner, uint32_t events)
{
    struct end *end = owner;
    end->calls++;
    end->events = events;
    reactor_unwatch(reactor, &end->other->watch);
    assert_ok(reactor_watch(reactor, end->other->fd, EVENT_WRITE, count_call, end->other,
                            &end->other->watch, &err),
              &err);
}

static void a_stale_event_never_reaches_a_reused_slot(void **state)
{
    (void)state;
    int first[2];
    int second[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, first), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, second), 0);
    struct end a = {.fd = first[0]};
    struct end b = {.fd = second[0]};
    a.other = &b;
    b.other = &a;
    assert_ok(reactor_watch(reactor, a.fd, EVENT_READ, replace_other, &a, &a.watch, &err), &err);
    assert_ok(reactor_watch(reactor, b.fd, EVENT_READ, replace_other, &b, &b.watch, &err), &err);
    assert_int_equal(write(first[1], "x", 1), 1);
    assert_int_equal(write(second[1], "x", 1), 1);
    assert_ok(reactor_turn(reactor, 0, &err), &err);
    /* Both were ready; whichever ran first ended the other, whose event was already on its way. */
    assert_int_equal(a.calls + b.calls, 1);
    assert_int_equal(a.calls == 1 ? a.events : b.events, EVENT_READ);
    for (int i = 0; i < 2; i++) {
        (void)close(first[i]);
        (void)close(second[i]);
    }
}

static void interest_can_change_and_end(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    struct end a = {.fd = pair[0]};
    assert_ok(reactor_watch(reactor, a.fd, EVENT_READ, count_call, &a, &a.watch, &err), &err);
    assert_ok(reactor_turn(reactor, 0, &err), &err);
    assert_int_equal(a.calls, 0);
    assert_ok(reactor_rewatch(reactor, a.watch, EVENT_READ | EVENT_WRITE, &err), &err);
    assert_ok(reactor_turn(reactor, 0, &err), &err);
    assert_int_equal(a.events, EVENT_WRITE);
    reactor_unwatch(reactor, &a.watch);
    assert_true(a.watch == EVENT_NO_WATCH);
    reactor_unwatch(reactor, &a.watch);
    assert_ok(reactor_turn(reactor, 0, &err), &err);
    assert_int_equal(a.calls, 1);
    assert_fails(reactor_watch(reactor, -1, EVENT_READ, count_call, &a, &a.watch, &err), &err,
                 MUTUAL_E_SYSTEM_CALL);
    (void)close(pair[0]);
    (void)close(pair[1]);
}

/* The descriptor is closed first; the slot is another's then, and the number too. */
static void a_closed_descriptor_is_forgotten(void **state)
{
    (void)state;
    int pair[2];
    struct end a = {.calls = 0};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
        assert_ok(reactor_watch(reactor, pair[0], EVENT_READ, count_call, &a, &a.watch, &err),
                  &err);
        (void)close(pair[1]);
        (void)close(pair[0]);
        reactor_forget(reactor, &a.watch);
        assert_true(a.watch == EVENT_NO_WATCH);
        reactor_forget(reactor, &a.watch);
        assert_ok(reactor_turn(reactor, 0, &err), &err);
        assert_int_equal(a.calls, 0);
    }
}

static void note_time(void *owner)
{
    *(int64_t *)owner = reactor_now_ns(reactor);
}

static void timers_are_never_early_and_wake_the_loop(void **state)
{
    (void)state;
    int64_t at[3] = {0};
    struct event_timer timers[3] = {0};
    int64_t start = reactor_now_ns(reactor);
    reactor_arm_in(reactor, &timers[0], 30 * MU_NS_PER_MS, note_time, &at[0]);
    reactor_arm_in(reactor, &timers[1], 0, note_time, &at[1]);
    reactor_arm_in(reactor, &timers[2], INT64_MAX, note_time, &at[2]);
    assert_true(event_timer_is_armed(&timers[2]));
    unsigned turns = 0;
    while (at[0] == 0 && turns < 20) {
        assert_ok(reactor_turn(reactor, -1, &err), &err);
        turns++;
    }
    assert_true(at[0] >= start + 30 * MU_NS_PER_MS);
    assert_true(at[1] >= start && at[1] <= at[0]);
    assert_true(turns <= 6);
    assert_int_equal(at[2], 0);
    reactor_cancel(reactor, &timers[2]);
    assert_false(event_timer_is_armed(&timers[2]));
    reactor_cancel(reactor, &timers[2]);
}

static struct event_deferred works[2];
static unsigned runs;

static void run_again(void *owner)
{
    (void)owner;
    runs++;
    if (runs < 3) {
        reactor_defer(reactor, &works[0], run_again, NULL);
    }
}

static void deferred_work_runs_once_a_turn(void **state)
{
    (void)state;
    runs = 0;
    memset(works, 0, sizeof works);
    reactor_defer(reactor, &works[0], run_again, NULL);
    reactor_defer(reactor, &works[0], run_again, NULL);
    reactor_defer(reactor, &works[1], run_again, NULL);
    reactor_undefer(reactor, &works[1]);
    assert_ok(reactor_turn(reactor, -1, &err), &err);
    assert_int_equal(runs, 1);
    assert_ok(reactor_turn(reactor, -1, &err), &err);
    assert_ok(reactor_turn(reactor, -1, &err), &err);
    assert_int_equal(runs, 3);
}

static void run_once(void *owner)
{
    (void)owner;
    runs++;
}

/* Sub-millisecond waits are no milliseconds, and an event comes first. */
static void deferred_work_may_give_way(void **state)
{
    (void)state;
    runs = 0;
    memset(works, 0, sizeof works);
    int64_t start = mu_clock_mono_ns();
    for (unsigned i = 1; i <= 20; i++) {
        reactor_defer_within(reactor, &works[0], 200 * 1000, run_once, NULL);
        assert_ok(reactor_turn(reactor, -1, &err), &err);
        assert_int_equal(runs, i);
    }
    assert_true(mu_clock_mono_ns() - start >= 20 * 200 * 1000);
    /* the least of what waits counts, and what does not wait counts most */
    start = mu_clock_mono_ns();
    reactor_defer_within(reactor, &works[0], 60 * MU_NS_PER_S, run_once, NULL);
    reactor_defer(reactor, &works[1], run_once, NULL);
    assert_ok(reactor_turn(reactor, -1, &err), &err);
    assert_int_equal(runs, 22);
    assert_true(mu_clock_mono_ns() - start < 30 * MU_NS_PER_S);
}

static int signal_seen;
static void on_signal(void *owner, int signo)
{
    (void)owner;
    signal_seen = signo;
    reactor_stop(reactor);
}

static void signals_are_events(void **state)
{
    (void)state;
    const int wanted[] = {SIGUSR1, SIGTERM};
    assert_ok(reactor_signals(reactor, wanted, 2, on_signal, NULL, &err), &err);
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    assert_ok(reactor_run(reactor, &err), &err);
    assert_int_equal(signal_seen, SIGUSR1);
    assert_true(reactor_is_stopping(reactor));
}

static void stop(void *owner)
{
    (void)owner;
    reactor_stop(reactor);
}

/* A hundred thousand armed timers and nothing to do: the loop sleeps until the first deadline. */
static void idle_costs_nothing(void **state)
{
    (void)state;
    static struct event_timer timers[100000];
    for (size_t i = 0; i < MU_COUNT(timers); i++) {
        reactor_arm_in(reactor, &timers[i], 300 * MU_NS_PER_S + (int64_t)i * 1000, stop, NULL);
    }
    struct event_timer end = {0};
    reactor_arm_in(reactor, &end, 200 * MU_NS_PER_MS, stop, NULL);
    struct rusage before;
    struct rusage after;
    assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
    assert_ok(reactor_run(reactor, &err), &err);
    assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
    assert_true(after.ru_nvcsw - before.ru_nvcsw <= 8);
    for (size_t i = 0; i < MU_COUNT(timers); i++) {
        reactor_cancel(reactor, &timers[i]);
    }
}

static void no_memory_is_reported(void **state)
{
    (void)state;
    struct reactor *none = NULL;
    for (unsigned long n = 1; n <= 2; n++) {
        mu_alloc_fail_after(n);
        assert_fails(reactor_new(&none, &err), &err, MUTUAL_E_NO_MEMORY);
    }
    mu_alloc_fail_after(0);
    assert_null(none);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)
UNIT_MAIN(CASE(a_stale_event_never_reaches_a_reused_slot), CASE(interest_can_change_and_end),
          CASE(a_closed_descriptor_is_forgotten), CASE(timers_are_never_early_and_wake_the_loop),
          CASE(deferred_work_runs_once_a_turn), CASE(deferred_work_may_give_way),
          CASE(signals_are_events), CASE(idle_costs_nothing), CASE(no_memory_is_reported))
