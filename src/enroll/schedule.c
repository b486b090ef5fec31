/* SPDX-License-Identifier: Apache-2.0
 *
 * When to renew. Whole seconds and integers only: the same everywhere.
 */
#include "enroll/enroll.h"

enum { RETRY_LEAST_S = 5, RETRY_FIRST_MAX_S = 900, LATE_MAX_S = 3600, DOUBLINGS_MAX = 20 };

/* A number below `range` that depends on the certificate and `which` alone (xorshift-multiply of
 * Stafford's Mix13 over eight bytes of the fingerprint). */
static int64_t spread(const struct enroll_life *life, unsigned which, int64_t range)
{
    uint64_t x = mu_get_be64(life->salt) + (which + 1u) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    x ^= x >> 31;
    return range <= 0 ? 0 : (int64_t)(x % (uint64_t)range);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* At least a second, and no more than anybody's certificate lives. */
static int64_t length_of(const struct enroll_life *life)
{
    const int64_t century_s = INT64_C(100) * 366 * 86400;
    int64_t until_s = life->until_s;
    if (until_s > life->from_s + century_s) {
        until_s = life->from_s + century_s;
    }
    return most(until_s - life->from_s, 1);
}

int64_t enroll_first_s(const struct enroll_life *life)
{
    int64_t length_s = length_of(life);
    int64_t window_s = length_s / 12;
    return life->from_s + length_s / 24 * 13 + spread(life, 0, window_s);
}

/* How long after the last try the next is. */
static int64_t delay_s(const struct enroll_life *life, const struct enroll_tries *tries)
{
    int64_t length_s = length_of(life);
    int64_t left_s = life->from_s + length_s - tries->tried_s;
    int64_t first_s = most(least(length_s / 1440, RETRY_FIRST_MAX_S), RETRY_LEAST_S);
    unsigned doublings = tries->failures - 1 < DOUBLINGS_MAX ? tries->failures - 1 : DOUBLINGS_MAX;
    int64_t cap_s = left_s > 0 ? left_s / 5 : least(length_s / 24, LATE_MAX_S);
    int64_t wait_s = most(least(first_s << doublings, cap_s), first_s);
    return wait_s - wait_s / 4 + spread(life, tries->failures, wait_s / 2 + 1);
}

int64_t enroll_next_s(const struct enroll_life *life, const struct enroll_tries *tries)
{
    if (tries->failures == 0) {
        return enroll_first_s(life);
    }
    int64_t own_s = tries->tried_s + delay_s(life, tries);
    if (tries->told_s <= tries->tried_s) {
        return own_s;
    }
    int64_t told_s = tries->told_s +
                     spread(life, tries->failures + 1000, (tries->told_s - tries->tried_s) / 2 + 1);
    int64_t left_s = life->from_s + length_of(life) - tries->tried_s;
    int64_t latest_s = tries->tried_s + most(left_s / 2, LATE_MAX_S / 2);
    return least(most(own_s, told_s), most(own_s, latest_s));
}

int64_t enroll_wait_s(const struct enroll_life *life, const struct enroll_tries *tries,
                      int64_t now_s)
{
    if (tries->failures > 0 && tries->tried_s > now_s) {
        return 0; /* the clock was set back since: what it said then means nothing now */
    }
    int64_t wait_s = enroll_next_s(life, tries) - now_s;
    return wait_s <= 0 ? 0 : least(wait_s, ENROLL_LOOK_S);
}
