/* SPDX-License-Identifier: Apache-2.0
 *
 * Our record layer against OpenSSL's, over scripts from a generator with a fixed seed.
 */
#include "record_duel.h"

#include "unit.h"

enum { SCRIPTS = 250, SCRIPT_MAX = 160 };

static uint32_t next(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static void both_say_the_same(void **state)
{
    (void)state;
    const char *wanted = getenv("DUEL_SCRIPTS"); /* more of them, when somebody has the time */
    unsigned long count = wanted != NULL ? strtoul(wanted, NULL, 10) : SCRIPTS;
    uint32_t seed = 20260101;
    for (unsigned long i = 0; i < count; i++) {
        uint8_t script[SCRIPT_MAX];
        size_t len = next(&seed) % SCRIPT_MAX;
        for (size_t at = 0; at < len; at++) {
            script[at] = (uint8_t)(next(&seed) >> 8);
        }
        duel_run(script, len);
    }
}

/* The steps that damage nothing, so that a script gets far. */
static void both_go_on_for_long(void **state)
{
    (void)state;
    uint32_t seed = 42;
    for (int i = 0; i < 30; i++) {
        uint8_t script[SCRIPT_MAX];
        for (size_t at = 0; at < sizeof script; at++) {
            script[at] = (uint8_t)(next(&seed) >> 8) % 5;
        }
        duel_run(script, sizeof script);
    }
}

UNIT_MAIN(UNIT_CASE(both_say_the_same), UNIT_CASE(both_go_on_for_long))
