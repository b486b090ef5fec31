/* SPDX-License-Identifier: Apache-2.0
 *
 * Which issuers are told of. What is counted and told: tests/scenario/test_authority_metrics.py.
 */
#include "authority/authority_internal.h"
#include "unit.h"

enum { ROOT = 1, ISSUER, IOT, OLD_ROOT, NOW = 1000 };

static const struct inventory_issuer rows[] = {
    {.id = ROOT, .root = true},
    {.id = ISSUER, .parent_id = ROOT},
    {.id = IOT, .parent_id = OLD_ROOT},
    {.id = OLD_ROOT, .root = true},
};

/* The issuers that are told of when the two end then, as bits in the order of the rows. */
static unsigned told(int64_t issuer_end_s, int64_t iot_end_s)
{
    struct book_issuer issuers[MU_COUNT(rows)];
    unsigned bits = 0;
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        int64_t end_s = i == 1 ? issuer_end_s : i == 2 ? iot_end_s : 2 * NOW;
        issuers[i] = (struct book_issuer){.row = &rows[i], .end_s = end_s};
    }
    book_choose(issuers, MU_COUNT(rows), NOW);
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        bits |= issuers[i].told ? 1u << i : 0;
    }
    return bits;
}

static void who_is_over_wakes_nobody_while_another_goes_on(void **state)
{
    (void)state;
    assert_int_equal(told(NOW + 1, NOW + 1), 15);
    assert_int_equal(told(NOW + 1, NOW), 15);    /* its last second */
    assert_int_equal(told(NOW + 1, NOW - 1), 3); /* nor for the root that only it was below */
    assert_int_equal(told(NOW - 1, NOW + 1), 12);
    assert_int_equal(told(NOW - 1, NOW - 1), 15); /* nothing can be issued any more */
}

UNIT_MAIN(UNIT_CASE(who_is_over_wakes_nobody_while_another_goes_on))
