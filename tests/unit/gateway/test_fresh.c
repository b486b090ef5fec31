/* SPDX-License-Identifier: Apache-2.0
 *
 * When a revocation list is told of: a quarter of its life before the end, then by the hour.
 */
#include "base/base.h"
#include "gateway/fresh_internal.h"
#include "unit.h"

enum { HOUR = 3600, DAY = 86400 };

static void a_week(void **state)
{
    (void)state;
    const int64_t next = 7 * DAY;
    const struct {
        int64_t now, told;
    } rows[] = {
        {0, next - 7 * DAY / 4},
        {next - 7 * DAY / 4 - 1, next - 7 * DAY / 4},
        {next - 7 * DAY / 4, next - DAY},
        {next - DAY, next - 23 * HOUR},
        {next - 23 * HOUR - 1, next - 23 * HOUR},
        {next - 23 * HOUR, next - 22 * HOUR},
        {next - 1, next},
        {next, next + HOUR},
        {next + HOUR - 1, next + HOUR},
        {next + HOUR, next + 2 * HOUR},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        assert_int_equal(fresh_next(0, next, rows[i].now), rows[i].told);
    }
}

/* Whatever the dates: the moments come one after the other, and the end is never passed over. */
static void every_life_has_its_end_told(void **state)
{
    (void)state;
    const int64_t lives[] = {1, 3, 59, HOUR, 5 * HOUR, DAY, 3 * DAY, 400 * DAY};
    for (size_t i = 0; i < MU_COUNT(lives); i++) {
        bool end = false;
        int64_t now = 0;
        for (size_t steps = 0; steps < 40; steps++) {
            int64_t then = fresh_next(0, lives[i], now);
            assert_true(then > now);
            end = end || then == lives[i];
            assert_true(end || then < lives[i]);
            now = then;
        }
        assert_true(end);
    }
}

UNIT_MAIN(UNIT_CASE(a_week), UNIT_CASE(every_life_has_its_end_told))
