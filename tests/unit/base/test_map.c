/* SPDX-License-Identifier: Apache-2.0
 *
 * The keyed map, against a plain array, and SipHash against its published vectors.
 */
#include "base/base.h"
#include "unit.h"

/* First and last rows of the reference's table for the key 00..0f and the message 00, 01, .... */
static void siphash_agrees_with_its_vectors(void **state)
{
    (void)state;
    uint8_t key[16];
    uint8_t message[15];
    for (unsigned i = 0; i < sizeof key; i++) {
        key[i] = (uint8_t)i;
    }
    for (unsigned i = 0; i < sizeof message; i++) {
        message[i] = (uint8_t)i;
    }
    assert_true(mu_siphash(key, mu_slice_of(message, 0)) == UINT64_C(0x726fdb47dd0e0e31));
    assert_true(mu_siphash(key, mu_slice_of(message, 15)) == UINT64_C(0xa129ca6149be45e5));
}

#define KEYS 500u

static void it_agrees_with_an_array(void **state)
{
    (void)state;
    struct mu_map *map = mu_map_new();
    assert_non_null(map);
    uintptr_t expected[KEYS] = {0};
    size_t count = 0;
    uint32_t random = 1;
    for (int step = 0; step < 20000; step++) {
        random = random * 1664525u + 1013904223u;
        uint32_t key = random >> 8 & 0xffff;
        key %= KEYS;
        struct mu_slice slice = mu_slice_of(&key, sizeof key);
        if ((random & 3) == 0) {
            assert_true((uintptr_t)mu_map_remove(map, slice) == expected[key]);
            count -= expected[key] != 0;
            expected[key] = 0;
        } else {
            count += expected[key] == 0;
            expected[key] = (uintptr_t)step + 1;
            assert_true(mu_map_put(map, slice, (void *)expected[key]));
        }
        assert_int_equal(mu_map_count(map), count);
    }
    for (uint32_t key = 0; key < KEYS; key++) {
        assert_true((uintptr_t)mu_map_get(map, mu_slice_of(&key, sizeof key)) == expected[key]);
    }
    mu_map_free(map);
}

static bool add_up(void *context, struct mu_slice key, void *value)
{
    size_t *sum = context;
    *sum += key.len + *(const size_t *)value;
    return true;
}

static void keys_may_be_empty_and_hold_nul(void **state)
{
    (void)state;
    struct mu_map *map = mu_map_new();
    size_t one = 1;
    size_t two = 2;
    assert_true(mu_map_put(map, mu_slice_of("", 0), &one));
    assert_true(mu_map_put(map, mu_slice_of("a\0b", 3), &two));
    assert_null(mu_map_get(map, mu_slice_of("a", 1)));
    assert_ptr_equal(mu_map_get(map, mu_slice_of("a\0b", 3)), &two);
    assert_ptr_equal(mu_map_get(map, mu_slice_of("", 0)), &one);
    size_t sum = 0;
    mu_map_each(map, add_up, &sum);
    assert_int_equal(sum, 6);
    mu_map_free(map);
    mu_map_free(NULL);
}

static void it_survives_failed_allocations(void **state)
{
    (void)state;
    mu_alloc_fail_after(1);
    assert_null(mu_map_new());
    mu_alloc_fail_after(2);
    assert_null(mu_map_new());
    struct mu_map *map = mu_map_new();
    int value = 0;
    mu_alloc_fail_after(1);
    assert_false(mu_map_put(map, MU_SLICE_LIT("key"), &value));
    assert_int_equal(mu_map_count(map), 0);
    assert_true(mu_map_put(map, MU_SLICE_LIT("key"), &value));
    mu_map_free(map);
}

UNIT_MAIN(UNIT_CASE(siphash_agrees_with_its_vectors), UNIT_CASE(it_agrees_with_an_array),
          UNIT_CASE(keys_may_be_empty_and_hold_nul), UNIT_CASE(it_survives_failed_allocations))
