/* SPDX-License-Identifier: Apache-2.0
 *
 * When to ask again.
 */
#include "fetch/fetch.h"
#include "unit.h"

enum { NOW_S = 1000000, HOUR_S = 3600, DAY_S = 86400 };

static void assert_between(const struct fetch_times *times, int64_t least_ms, int64_t most_ms)
{
    assert_int_equal(fetch_delay_ms(times, NOW_S, 0), most_ms);
    assert_int_equal(fetch_delay_ms(times, NOW_S, UINT32_MAX), least_ms);
    int64_t middle_ms = fetch_delay_ms(times, NOW_S, UINT32_MAX / 2);
    assert_true(middle_ms >= least_ms && middle_ms <= most_ms);
}

static void it_is_asked_as_often_as_was_configured(void **state)
{
    (void)state;
    const struct fetch_times nothing = {.every_s = HOUR_S};
    const struct fetch_times lasting = {
        .every_s = HOUR_S, .this_update_s = NOW_S, .next_update_s = NOW_S + 7 * DAY_S};
    assert_between(&nothing, HOUR_S * 800, HOUR_S * 1000);
    assert_between(&lasting, HOUR_S * 800, HOUR_S * 1000);
}

static void it_is_asked_before_the_list_runs_out(void **state)
{
    (void)state;
    const struct fetch_times fresh = {
        .every_s = 30 * DAY_S, .this_update_s = NOW_S, .next_update_s = NOW_S + 8 * DAY_S};
    assert_between(&fresh, 7 * DAY_S * 800, 7 * DAY_S * 1000);
}

static void a_list_that_is_about_to_end_is_not_asked_for_all_the_time(void **state)
{
    (void)state;
    const struct fetch_times ending = {
        .every_s = HOUR_S, .this_update_s = NOW_S - 7 * DAY_S, .next_update_s = NOW_S + 60};
    const struct fetch_times ended = {
        .every_s = HOUR_S, .this_update_s = NOW_S - 8 * DAY_S, .next_update_s = NOW_S - DAY_S};
    assert_between(&ending, 180 * 800, 180 * 1000);
    assert_between(&ended, 180 * 800, 180 * 1000);
}

static void failures_back_off(void **state)
{
    (void)state;
    struct fetch_times times = {.every_s = 60, .failures = 1};
    assert_between(&times, 1600, 2000);
    times.failures = 3;
    assert_between(&times, 6400, 8000);
    times.failures = 1000000;
    assert_between(&times, 48000, 60000);
    times.every_s = 1;
    assert_between(&times, 1000, 1000);
}

/* A response is asked for when half of its time is over, a short one of a minute as well, and after
 * failures at least once an hour. */
static void a_response_is_asked_for_at_half_time(void **state)
{
    (void)state;
    struct fetch_times times = {.every_s = 7 * DAY_S,
                                .this_update_s = NOW_S,
                                .next_update_s = NOW_S + 8 * DAY_S,
                                .half = true};
    assert_between(&times, 4 * DAY_S * 800, 4 * DAY_S * 1000);
    times.next_update_s = NOW_S + 60;
    assert_between(&times, 24000, 30000);
    times.this_update_s = NOW_S - 59;
    times.next_update_s = NOW_S + 1;
    assert_between(&times, 2400, 3000);
    times.failures = 1000000;
    assert_between(&times, HOUR_S * 800, HOUR_S * 1000);
    times.every_s = 60;
    assert_between(&times, 48000, 60000);
}

UNIT_MAIN(UNIT_CASE(it_is_asked_as_often_as_was_configured),
          UNIT_CASE(it_is_asked_before_the_list_runs_out),
          UNIT_CASE(a_list_that_is_about_to_end_is_not_asked_for_all_the_time),
          UNIT_CASE(failures_back_off), UNIT_CASE(a_response_is_asked_for_at_half_time))
