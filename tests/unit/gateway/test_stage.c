/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of stages holds together.
 */
#include "unit.h"

#include "gateway/stage_internal.h"

static void every_stage_can_be_reached_and_left(void **state)
{
    (void)state;
    for (enum stage s = 0; s < STAGE_COUNT_; s++) {
        bool reached = s == STAGE_ACCEPTED;
        bool left = s == STAGE_CLOSED;
        for (enum stage t = 0; t < STAGE_COUNT_; t++) {
            reached = reached || stage_may_go(t, s);
            left = left || stage_may_go(s, t);
        }
        assert_true(reached && left);
        assert_non_null(stage_name(s));
    }
}

static void the_relay_follows_only_an_admission(void **state)
{
    (void)state; /* an inbound connection is admitted before it dials; an outbound one after */
    assert_false(stage_may_go(STAGE_ACCEPTED, STAGE_RELAY));
    assert_false(stage_may_go(STAGE_HANDSHAKE, STAGE_DIAL));
    assert_false(stage_may_go(STAGE_HANDSHAKE, STAGE_RELAY));
    assert_false(stage_may_go(STAGE_UP_HANDSHAKE, STAGE_RELAY));
    assert_true(stage_may_go(STAGE_UP_ADMIT, STAGE_RELAY));
    assert_false(stage_may_go(STAGE_DRAIN, STAGE_RELAY));
}

static void whatever_waits_for_strangers_has_a_timeout(void **state)
{
    (void)state;
    static const enum stage waiting[] = {STAGE_HANDSHAKE, STAGE_DIAL, STAGE_UP_HANDSHAKE,
                                         STAGE_RELAY, STAGE_DRAIN};
    for (size_t i = 0; i < MU_COUNT(waiting); i++) {
        assert_int_not_equal(stage_timeout(waiting[i]), STAGE_TIMEOUT_NONE);
    }
    assert_int_equal(stage_step(STAGE_RELAY), MUTUAL_STEP_DATA);
}

UNIT_MAIN(UNIT_CASE(every_stage_can_be_reached_and_left),
          UNIT_CASE(the_relay_follows_only_an_admission),
          UNIT_CASE(whatever_waits_for_strangers_has_a_timeout))
