/* SPDX-License-Identifier: Apache-2.0
 *
 * When to ask again: before what we have runs out, at the latest as often as was configured, after
 * a failure soon and then less and less; never all at the same moment.
 */
#include "fetch/fetch_internal.h"

#define LEAST_MS       INT64_C(1000) /* a server that errs is not asked more often */
#define FIRST_RETRY_MS INT64_C(2000)
#define HALF_RETRY_MS  INT64_C(3600000)

/* After the nth failure in a row: 2 s, doubled up to `most`. */
static int64_t back_off(unsigned failures, int64_t most_ms)
{
    int64_t delay_ms = FIRST_RETRY_MS;
    for (unsigned i = 1; i < failures && delay_ms < most_ms; i++) {
        delay_ms *= 2;
    }
    return delay_ms < most_ms ? delay_ms : most_ms;
}

int64_t fetch_delay_ms(const struct fetch_times *times, int64_t now_s, uint32_t random)
{
    int64_t delay_ms = times->every_s * 1000;
    int64_t life_s = times->next_update_s - times->this_update_s;
    if (times->failures > 0) {
        int64_t most_ms = times->half && delay_ms > HALF_RETRY_MS ? HALF_RETRY_MS : delay_ms;
        delay_ms = back_off(times->failures, most_ms);
    } else if (times->next_update_s > 0 && times->next_update_s != MU_TIME_NEVER_S) {
        /* with an eighth of its life left, which leaves time to fail; or half, where nothing else
         * would clear the certificate */
        int64_t due_s = times->next_update_s - life_s / (times->half ? 2 : 8) - now_s;
        int64_t due_ms = due_s > 0 ? (due_s < times->every_s ? due_s : times->every_s) * 1000 : 0;
        delay_ms = due_ms < delay_ms ? due_ms : delay_ms;
        /* The server still gives what is about to end: ask now and then, not all the time. */
        int64_t floor_ms = (times->half && life_s < times->every_s ? life_s : times->every_s) * 50;
        delay_ms = delay_ms < floor_ms ? floor_ms : delay_ms;
    }
    /* up to a fifth earlier */
    delay_ms -= (int64_t)((uint64_t)(delay_ms / 5) * random / UINT32_MAX);
    return delay_ms > LEAST_MS ? delay_ms : LEAST_MS;
}
