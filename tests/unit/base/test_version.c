/* SPDX-License-Identifier: Apache-2.0
 *
 * The version is three numbers with dots.
 */
#include <mutual/mutual.h>

#include "unit.h"

static void the_version_is_three_numbers(void **state)
{
    (void)state;
    unsigned major, minor, patch;
    char rest;
    assert_int_equal(sscanf(mutual_version(), "%u.%u.%u%c", &major, &minor, &patch, &rest), 3);
}

UNIT_MAIN(UNIT_CASE(the_version_is_three_numbers))
