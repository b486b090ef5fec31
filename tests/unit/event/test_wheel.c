/* SPDX-License-Identifier: Apache-2.0
 *
 * The timer wheel against a plain list of deadlines.
 */
#include "event/event_internal.h"
#include "unit.h"

static uint64_t fired_at[512];
static size_t fired;
static struct wheel wheel;

static void note(void *owner)
{
    *(uint64_t *)owner = wheel.now;
    fired++;
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 20;
}

static void set(struct event_timer *timer, size_t i, uint64_t tick)
{
    timer->fire = note;
    timer->owner = &fired_at[i];
    wheel_put(&wheel, timer, tick);
}

/* Random deadlines near and far, some cancelled, time in random strides: each fires exactly at its
 * own tick, and nothing is due before wheel_next. */
static void every_timer_fires_at_its_tick(void **state)
{
    (void)state;
    static struct event_timer timers[512];
    static uint64_t due[512];
    uint64_t seed = 7;
    const uint64_t start = (UINT64_C(1) << 24) - 100; /* carries into high digits soon */
    memset(timers, 0, sizeof timers);
    memset(fired_at, 0, sizeof fired_at);
    wheel_init(&wheel, start);
    for (size_t i = 0; i < 512; i++) {
        due[i] = start + 1 + next_random(&seed) % (UINT64_C(1) << (i % 30));
        set(&timers[i], i, due[i]);
    }
    for (size_t i = 0; i < 512; i += 5) {
        wheel_remove(&wheel, &timers[i]);
        assert_null(timers[i].next);
    }
    uint64_t now = start;
    while (wheel_next(&wheel) != WHEEL_NEVER) {
        uint64_t next = wheel_next(&wheel);
        assert_true(next > now);
        size_t before = fired;
        wheel_advance(&wheel, next - 1);
        assert_int_equal(fired, before);
        now = next + next_random(&seed) % 1000;
        wheel_advance(&wheel, now);
    }
    for (size_t i = 0; i < 512; i++) {
        assert_true(fired_at[i] == (i % 5 == 0 ? 0 : due[i]));
    }
}

static void a_past_deadline_is_the_next_tick(void **state)
{
    (void)state;
    struct event_timer timer = {0};
    wheel_init(&wheel, 1000);
    set(&timer, 0, 10);
    assert_true(wheel_next(&wheel) == 1001);
    wheel_advance(&wheel, 1000);
    assert_non_null(timer.next);
    wheel_advance(&wheel, 1001);
    assert_null(timer.next);
}

static void the_farthest_deadline_has_a_place(void **state)
{
    (void)state;
    struct event_timer timer = {0};
    wheel_init(&wheel, 3);
    set(&timer, 0, (uint64_t)(INT64_MAX / EVENT_TICK_NS) + 1);
    fired = 0;
    wheel_advance(&wheel, (uint64_t)(INT64_MAX / EVENT_TICK_NS));
    assert_int_equal(fired, 0);
    wheel_remove(&wheel, &timer);
    assert_true(wheel_next(&wheel) == WHEEL_NEVER);
}

static struct event_timer victim;
static void cancel_victim(void *owner)
{
    (void)owner;
    wheel_remove(&wheel, &victim);
}

static void a_callback_may_cancel_one_that_is_due_too(void **state)
{
    (void)state;
    struct event_timer first = {.fire = cancel_victim};
    memset(&victim, 0, sizeof victim);
    wheel_init(&wheel, 0);
    wheel_put(&wheel, &first, 5);
    set(&victim, 0, 5);
    fired = 0;
    wheel_advance(&wheel, 100);
    assert_int_equal(fired, 0);
    assert_null(victim.next);
}

static void dropping_forgets_all(void **state)
{
    (void)state;
    struct event_timer timer = {0};
    wheel_init(&wheel, 0);
    set(&timer, 0, 5000);
    wheel_drop(&wheel);
    assert_null(timer.next);
}

UNIT_MAIN(UNIT_CASE(every_timer_fires_at_its_tick), UNIT_CASE(a_past_deadline_is_the_next_tick),
          UNIT_CASE(the_farthest_deadline_has_a_place),
          UNIT_CASE(a_callback_may_cancel_one_that_is_due_too), UNIT_CASE(dropping_forgets_all))
