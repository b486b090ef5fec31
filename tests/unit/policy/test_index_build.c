/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/index_internal.h"
#include "policy_fixture.h"

static void networks_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good, v6;
        unsigned length;
    } rows[] = {
        {"10.0.0.0/8", true, false, 8},
        {"10.1.2.3", true, false, 32},
        {"0.0.0.0/0", true, false, 0},
        {"2001:db8::/32", true, true, 32},
        {"::1", true, true, 128},
        {"10.0.0.0/33", false, false, 0},
        {"2001:db8::/129", false, 0, 0},
        {"10.0.0.0/", false, false, 0},
        {"10.0.0/8", false, false, 0},
        {"", false, false, 0},
        {"10.0.0.0/8/8", false, 0, 0},
        {"1000000000000000000000000000000000000000000000000000", false, false, 0},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct mu_network network = {0};
        assert_int_equal(mu_network_parse(rows[i].text, strlen(rows[i].text), &network),
                         rows[i].good);
        assert_int_equal(network.v6, rows[i].v6);
        assert_int_equal(network.length, rows[i].length);
    }
}

static void network_keys_hold_the_bits_that_count(void **state)
{
    (void)state;
    struct mu_network network = {0};
    uint8_t text[18];
    assert_true(mu_network_parse("10.255.1.2", 10, &network));
    static const uint8_t twelve[] = {4, 12, 10, 0xf0};
    assert_true(
        mu_slice_equal(mu_network_text(&network, 12, text), mu_slice_of(twelve, sizeof twelve)));
    static const uint8_t none[] = {4, 0};
    assert_true(mu_slice_equal(mu_network_text(&network, 0, text), mu_slice_of(none, sizeof none)));
    assert_int_equal(mu_network_text(&network, 32, text).len, 6);
    assert_true(mu_network_parse("ffff::", 6, &network));
    assert_int_equal(mu_network_text(&network, 128, text).len, 18);
    assert_int_equal(mu_network_text(&network, 9, text).len, 4);
    assert_int_equal(text[3], 0x80);
}

static void segments_are_taken_one_by_one(void **state)
{
    (void)state;
    struct mu_slice text = mu_slice_text("a//bc");
    struct mu_slice segment;
    static const char *const want[] = {"a", "", "bc"};
    for (size_t i = 0; i < MU_COUNT(want); i++) {
        assert_true(mu_segment_take(&text, &segment));
        assert_true(mu_slice_equal_text(segment, want[i]));
    }
    assert_false(mu_segment_take(&text, &segment));
}

static void keys_have_a_limit(void **state)
{
    (void)state;
    static uint8_t long_text[MU_LIMIT_NAME_BYTES + 1];
    struct mu_index_key key;
    assert_true(mu_index_key_set(&key, 1, 2, mu_slice_of(long_text, MU_LIMIT_NAME_BYTES)));
    assert_int_equal(key.len, sizeof key.bytes);
    assert_false(mu_index_key_set(&key, 1, 2, mu_slice_of(long_text, sizeof long_text)));
    assert_true(mu_index_key_set(&key, 1, 2, mu_slice_of(NULL, 0)));
    static const uint8_t head[] = {1, 0, 0, 0, 2};
    assert_memory_equal(key.bytes, head, sizeof head);
}

static void ranks_go_by_end_then_by_order(void **state)
{
    (void)state;
    const struct mutual_grant grants[] = {
        {.name = "a", .to = "s", .anonymous = true, .until_s = 10},
        {.name = "b", .to = "s", .anonymous = true, .until_s = 30},
        {.name = "c", .to = "s", .anonymous = true, .until_s = 30},
        {.name = "d", .to = "s", .anonymous = true, .until_s = 40},
    };
    struct mu_index *index = mu_index_new(grants, MU_COUNT(grants));
    assert_non_null(index);
    const char *const want[] = {"d", "b", "c", "a"};
    for (size_t i = 0; i < MU_COUNT(want); i++) {
        assert_string_equal(index->by_rank[i]->name, want[i]);
    }
    mu_index_free(index);
    mu_index_free(NULL);
}

UNIT_MAIN(UNIT_CASE(networks_are_read), UNIT_CASE(network_keys_hold_the_bits_that_count),
          UNIT_CASE(segments_are_taken_one_by_one), UNIT_CASE(keys_have_a_limit),
          UNIT_CASE(ranks_go_by_end_then_by_order))
