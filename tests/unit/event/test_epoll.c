/* SPDX-License-Identifier: Apache-2.0
 *
 * The epoll backend: interest in, reports out, level and edge.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "event/event_internal.h"
#include "unit.h"

static void *waiting;
static int ends[2];

static int setup(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    waiting = event_epoll.start(&err);
    return waiting != NULL && socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0 ? 0
                                                                                             : -1;
}

static int teardown(void **state)
{
    (void)state;
    event_epoll.end(waiting);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return 0;
}

static uint32_t wait_now(uint64_t tag)
{
    struct event_report report = {0};
    size_t count = 0;
    struct mutual_error err = {0};
    assert_ok(event_epoll.wait(waiting, 0, &report, 1, &count, &err), &err);
    if (count == 0) {
        return 0;
    }
    assert_true(report.tag == tag);
    return report.events;
}

/* Waits as long as it is told to, however short that is, unless there is something to report. */
static void short_waits_are_short(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct event_report report;
    size_t count = 1;
    int64_t start = mu_clock_mono_ns();
    assert_ok(event_epoll.wait(waiting, 300 * 1000, &report, 1, &count, &err), &err);
    assert_int_equal(count, 0);
    assert_true(mu_clock_mono_ns() - start >= 300 * 1000);
    assert_ok(event_epoll.add(waiting, ends[0], EVENT_READ, 42, &err), &err);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_ok(event_epoll.wait(waiting, 300 * 1000, &report, 1, &count, &err), &err);
    assert_int_equal(count, 1);
    event_epoll.remove(waiting, ends[0]);
}

static void level_reports_states(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    assert_ok(event_epoll.add(waiting, ends[0], EVENT_READ, 42, &err), &err);
    assert_int_equal(wait_now(42), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(wait_now(42), EVENT_READ);
    assert_int_equal(wait_now(42), EVENT_READ);
    assert_ok(event_epoll.change(waiting, ends[0], EVENT_WRITE, 43, &err), &err);
    assert_int_equal(wait_now(43), EVENT_WRITE);
    event_epoll.remove(waiting, ends[0]);
    assert_int_equal(wait_now(0), 0);
}

static void edge_reports_changes(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    assert_ok(event_epoll.add(waiting, ends[0], EVENT_READ | EVENT_WRITE | EVENT_EDGE, 7, &err),
              &err);
    assert_int_equal(wait_now(7), EVENT_WRITE);
    assert_int_equal(wait_now(7), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_true(wait_now(7) & EVENT_READ);
    assert_int_equal(wait_now(7), 0);
}

static void a_closed_peer_is_a_hangup(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    assert_ok(event_epoll.add(waiting, ends[0], EVENT_READ, 9, &err), &err);
    assert_int_equal(shutdown(ends[1], SHUT_WR), 0);
    assert_int_equal(wait_now(9), EVENT_READ | EVENT_HANGUP);
}

static void a_bad_descriptor_is_refused(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    assert_fails(event_epoll.add(waiting, -1, EVENT_READ, 1, &err), &err, MUTUAL_E_SYSTEM_CALL);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)
UNIT_MAIN(CASE(level_reports_states), CASE(short_waits_are_short), CASE(edge_reports_changes),
          CASE(a_closed_peer_is_a_hangup), CASE(a_bad_descriptor_is_refused))
