/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

static bool note(void *context, const struct acme_key *key)
{
    int64_t *last = context;
    assert_true(key->id > *last);
    *last = key->id;
    assert_string_equal(key->profile, "server");
    assert_true(key->name_count == 2);
    assert_string_equal(key->names[1], "10.0.0.0/8");
    assert_false(key->bound);
    return strcmp(key->name, "second") != 0;
}

static void keys_are_told_in_their_order_until_enough(void **state)
{
    (void)state;
    static const char *const names[] = {"a.example.org", "10.0.0.0/8"};
    static const char *const for_whom[] = {"first", "second", "third"};
    struct mutual_error err = {0};
    int64_t last = 0;
    for (size_t i = 0; i < MU_COUNT(for_whom); i++) {
        char kid[ACME_KID_TEXT];
        char secret[ACME_SECRET_TEXT];
        const struct acme_key_request request = {.name = for_whom[i],
                                                 .owner = "tests",
                                                 .profile = "server",
                                                 .names = names,
                                                 .name_count = 2,
                                                 .life_s = 60,
                                                 .who = "tester (1000)",
                                                 .now_s = home.now_s};
        assert_ok(acme_key_new(home.ca, &request, kid, secret, &err), &err);
    }
    assert_ok(acme_keys(home.ca, 0, note, &last, &err), &err);
    assert_int_equal(last, 2);
    assert_ok(acme_keys(home.ca, 2, note, &last, &err), &err);
    assert_int_equal(last, 3);
}

ACME_UNIT_MAIN(UNIT_CASE(keys_are_told_in_their_order_until_enough))
