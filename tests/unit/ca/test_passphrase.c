/* SPDX-License-Identifier: Apache-2.0
 *
 * Passphrases people can copy, and the default directory.
 */
#include "support.h"

static void passphrases_are_twenty_plain_signs_in_groups(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    char first[CA_PASSPHRASE_TEXT];
    char second[CA_PASSPHRASE_TEXT];
    unsigned seen[256] = {0};
    for (int i = 0; i < 200; i++) {
        assert_ok(ca_passphrase_new(first, &err), &err);
        assert_int_equal(strlen(first), 23);
        for (size_t k = 0; k < 23; k++) {
            bool dash = k == 5 || k == 11 || k == 17;
            assert_int_equal(first[k] == '-', dash);
            assert_null(dash ? NULL : strchr("01ilo", first[k]));
            seen[(unsigned char)first[k]]++;
        }
    }
    assert_ok(ca_passphrase_new(second, &err), &err);
    assert_string_not_equal(first, second);
    for (const char *p = "abcdefghjkmnpqrstuvwxyz23456789"; *p != '\0'; p++) {
        assert_in_range(seen[(unsigned char)*p], 60, 220); /* 129 are expected of each */
    }
}

static void the_default_directory_follows_the_environment(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf dir;
    mu_buf_init(&dir, 4096);
    assert_true(ca_default_dir(&dir));
    assert_int_equal(mu_buf_str(&dir)[0], '/');
    if (geteuid() == 0) {
        assert_string_equal(mu_buf_str(&dir), "/var/lib/mutual");
        return;
    }
    assert_int_equal(setenv("XDG_STATE_HOME", "/x/state", 1), 0);
    mu_buf_clear(&dir);
    assert_true(ca_default_dir(&dir));
    assert_string_equal(mu_buf_str(&dir), "/x/state/mutual");
}

UNIT_MAIN(UNIT_CASE(passphrases_are_twenty_plain_signs_in_groups),
          UNIT_CASE(the_default_directory_follows_the_environment))
