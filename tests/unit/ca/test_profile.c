/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of profiles, tested by enumeration: each row holds what a profile may not do without.
 */
#include "support.h"

static void every_profile_is_sound(void **state)
{
    (void)state;
    size_t count = 0;
    for (; ca_profile_at(count) != NULL; count++) {
        const struct ca_profile *p = ca_profile_at(count);
        assert_true(p->name[0] != '\0' && p->text[0] != '\0');
        assert_true(p->life_s > 0 && p->life_s <= p->life_max_s);
        assert_true(p->life_max_s <= ca_profile_life_max_s());
        assert_int_equal(p->key_usage, MU_KU_DIGITAL_SIGNATURE);
        assert_true(p->eku != 0 && (p->eku & ~(unsigned)(MU_EKU_SERVER | MU_EKU_CLIENT)) == 0);
        assert_int_equal(p->made_types & ~p->name_types, 0);
        assert_true((p->made_types & (1u << MUTUAL_NAME_SPIFFE)) != 0);
        assert_int_equal(p->name_types & (1u << MUTUAL_NAME_CN), 0);
        assert_int_equal(p->name_types & (1u << MUTUAL_NAME_URI), 0);
    }
    assert_int_equal(count, 5);
}

static void profiles_are_found_by_name_only(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    const struct ca_profile *profile = NULL;
    for (size_t i = 0; ca_profile_at(i) != NULL; i++) {
        assert_ok(ca_profile_find(ca_profile_at(i)->name, &profile, &err), &err);
        assert_ptr_equal(profile, ca_profile_at(i));
    }
    assert_fails(ca_profile_find("sever", &profile, &err), &err, MUTUAL_E_OPTION_VALUE);
    assert_non_null(strstr(err.hint, "server"));
    assert_fails(ca_profile_find("", &profile, &err), &err, MUTUAL_E_OPTION_VALUE);
}

UNIT_MAIN(UNIT_CASE(every_profile_is_sound), UNIT_CASE(profiles_are_found_by_name_only))
