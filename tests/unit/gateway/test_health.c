/* SPDX-License-Identifier: Apache-2.0
 *
 * When red begins. What is found in a running gateway: tests/scenario/test_metrics.py.
 */
#include "gateway/health_internal.h"
#include "gateway/parent_internal.h"
#include "unit.h"

enum { DAY = 86400 };

static void red_begins_before_the_end(void **state)
{
    (void)state;
    assert_int_equal(health_red_from(0, 10 * DAY, 0), 9 * DAY);      /* a tenth            */
    assert_int_equal(health_red_from(0, 3650 * DAY, 0), 3620 * DAY); /* 30 days at the most */
    assert_int_equal(health_red_from(0, 10 * DAY, 3 * DAY * MU_NS_PER_S), 7 * DAY);
    assert_int_equal(health_red_from(5, 5, 0), 5); /* no life at all */
    assert_int_equal(health_red_from(9, 5, 0), 5); /* nonsense       */
    assert_int_equal(health_red_from(INT64_MIN / 2, INT64_MAX / 2, 0),
                     INT64_MAX / 2 - 30 * (int64_t)DAY);
}

static void before_anything_is_served_it_fails(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf json;
    MU_AUTO(buf) struct mu_buf text;
    struct parent *parent = mu_alloc(1, sizeof *parent);
    mu_buf_init(&json, 4096);
    mu_buf_init(&text, 4096);
    assert_int_equal(health_of(parent), HEALTH_FAIL);
    assert_int_equal(health_json(parent, &json), HEALTH_FAIL);
    assert_string_equal(mu_buf_str(&json),
                        "{\"checks\":[{\"check\":\"serving\",\"status\":\"fail\",\"why\":\"it is "
                        "starting\"}],\"status\":\"fail\",\"findings\":1}\n");
    assert_int_equal(health_text(parent, &text), HEALTH_FAIL);
    assert_string_equal(mu_buf_str(&text), "fail serving: it is starting\nfail\n");
    mu_free(parent);
}

UNIT_MAIN(UNIT_CASE(red_begins_before_the_end), UNIT_CASE(before_anything_is_served_it_fails))
