/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/x509/library.c: what the library says about itself.
 */
#include "unit.h"
#include "x509/x509.h"

static void test_version(void **state)
{
    (void)state;
    assert_non_null(strstr(mu_library_version(), "SSL"));
}

static void test_features(void **state)
{
    (void)state;
    assert_true(mu_library_has(MU_LIBRARY_ED25519));
    for (unsigned f = 0; f < (unsigned)MU_LIBRARY_FEATURE_COUNT_; f++) {
        (void)mu_library_has((enum mu_library_feature)f);
        assert_true(mu_library_feature_text((enum mu_library_feature)f)[0] != '\0');
    }
}

UNIT_MAIN(UNIT_CASE(test_version), UNIT_CASE(test_features))
