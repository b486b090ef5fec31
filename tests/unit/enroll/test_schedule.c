/* SPDX-License-Identifier: Apache-2.0
 *
 * When a certificate is renewed: the moments of one certificate, whatever its clock does.
 */
#include "enroll/enroll.h"
#include "unit.h"

enum { HOUR = 3600, DAY = 86400 };

static struct enroll_life life_of(int64_t length_s, uint8_t salt)
{
    struct enroll_life life = {.from_s = 1000000, .until_s = 1000000 + length_s};
    memset(life.salt, salt, sizeof life.salt);
    return life;
}

static void the_first_try_is_spread_by_the_certificate(void **state)
{
    (void)state;
    int64_t least_s = INT64_MAX;
    int64_t most_s = 0;
    int64_t sum_s = 0;
    for (int salt = 0; salt < 256; salt++) {
        struct enroll_life life = life_of(DAY, (uint8_t)salt);
        int64_t first_s = enroll_first_s(&life) - life.from_s;
        assert_int_equal(first_s, enroll_first_s(&life) - life.from_s);
        assert_true(first_s >= DAY * 13 / 24 && first_s < DAY * 15 / 24);
        least_s = first_s < least_s ? first_s : least_s;
        most_s = first_s > most_s ? first_s : most_s;
        sum_s += first_s;
    }
    assert_true(most_s - least_s > 2 * HOUR * 9 / 10); /* all of the window is used ... */
    assert_true(sum_s / 256 > 13 * HOUR + 50 * 60);    /* ... evenly                    */
    assert_true(sum_s / 256 < 14 * HOUR + 10 * 60);
}

static void failures_wait_longer_and_shorter_near_the_end(void **state)
{
    (void)state;
    struct enroll_life life = life_of(DAY, 7);
    struct enroll_tries tries = {.tried_s = enroll_first_s(&life)};
    int64_t longest_s = 0;
    int64_t last_s = 0;
    for (tries.failures = 1; tries.tried_s < life.until_s; tries.failures++) {
        last_s = enroll_next_s(&life, &tries) - tries.tried_s;
        int64_t left_s = life.until_s - tries.tried_s;
        assert_true(last_s >= 45);
        assert_true(last_s <= left_s / 4 + 75); /* a fifth and a quarter of that, or the least */
        longest_s = last_s > longest_s ? last_s : longest_s;
        tries.tried_s += last_s;
        assert_true(tries.failures < 200);
    }
    assert_true(tries.failures > 12); /* it has not given up before */
    assert_true(longest_s > HOUR && last_s < 120);
    for (int i = 0; i < 50; i++) { /* after the end: on and on, within the hour */
        tries.failures++;
        int64_t next_s = enroll_next_s(&life, &tries);
        assert_true(next_s > tries.tried_s && next_s <= tries.tried_s + HOUR * 5 / 4);
        tries.tried_s = next_s;
    }
}

static void retry_after_is_honoured_but_not_to_death(void **state)
{
    (void)state;
    struct enroll_life life = life_of(DAY, 9);
    struct enroll_tries tries = {.failures = 1, .tried_s = life.from_s + 16 * HOUR};
    int64_t own_s = enroll_next_s(&life, &tries);
    assert_true(own_s < tries.tried_s + 2 * 60);
    tries.told_s = tries.tried_s + HOUR;
    int64_t told_s = enroll_next_s(&life, &tries);
    assert_true(told_s >= tries.told_s && told_s <= tries.told_s + HOUR / 2);
    tries.told_s = tries.tried_s + 1; /* sooner than we would */
    assert_true(enroll_next_s(&life, &tries) >= own_s);
    tries.told_s = life.until_s + DAY; /* too late: after half of what is left, then */
    assert_int_equal(enroll_next_s(&life, &tries), tries.tried_s + 4 * HOUR);
    tries.told_s = tries.tried_s - DAY; /* in the past */
    assert_int_equal(enroll_next_s(&life, &tries), own_s);
}

static void clocks_jump_and_machines_sleep(void **state)
{
    (void)state;
    struct enroll_life life = life_of(DAY, 1);
    struct enroll_tries none = {0};
    int64_t first_s = enroll_first_s(&life);
    assert_int_equal(enroll_wait_s(&life, &none, life.from_s), ENROLL_LOOK_S);
    assert_int_equal(enroll_wait_s(&life, &none, first_s - 5), 5);
    assert_int_equal(enroll_wait_s(&life, &none, first_s), 0);
    assert_int_equal(enroll_wait_s(&life, &none, life.until_s + 100 * DAY), 0); /* slept long */
    assert_int_equal(enroll_wait_s(&life, &none, life.from_s - 100 * DAY), ENROLL_LOOK_S);
    struct enroll_tries failed = {.failures = 5, .tried_s = first_s + 100};
    assert_true(enroll_wait_s(&life, &failed, first_s + 101) > 0);
    /* set back behind the failure: at once, and then that try counts from the new time */
    assert_int_equal(enroll_wait_s(&life, &failed, first_s), 0);
    failed = (struct enroll_tries){.failures = 6, .tried_s = first_s};
    assert_true(enroll_wait_s(&life, &failed, first_s + 1) > 0);
}

static void lives_of_any_length(void **state)
{
    (void)state;
    const struct enroll_life odd[] = {
        {.from_s = 5, .until_s = 5},
        {.from_s = 9, .until_s = 5},
        {.from_s = 0, .until_s = 1},
        {.from_s = 0, .until_s = MU_TIME_NEVER_S},
        {.from_s = -MU_TIME_NEVER_S / 4, .until_s = MU_TIME_NEVER_S / 4},
    };
    for (size_t i = 0; i < MU_COUNT(odd); i++) {
        int64_t first_s = enroll_first_s(&odd[i]);
        assert_true(first_s >= odd[i].from_s);
        for (unsigned failures = 1; failures < 100; failures += 7) {
            const struct enroll_tries tries = {.failures = failures, .tried_s = first_s};
            assert_true(enroll_next_s(&odd[i], &tries) > first_s);
        }
    }
    struct enroll_life minute = life_of(60, 3);
    assert_true(enroll_first_s(&minute) - minute.from_s >= 26);
}

UNIT_MAIN(UNIT_CASE(the_first_try_is_spread_by_the_certificate),
          UNIT_CASE(failures_wait_longer_and_shorter_near_the_end),
          UNIT_CASE(retry_after_is_honoured_but_not_to_death),
          UNIT_CASE(clocks_jump_and_machines_sleep), UNIT_CASE(lives_of_any_length))
