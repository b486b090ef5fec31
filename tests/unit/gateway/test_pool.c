/* SPDX-License-Identifier: Apache-2.0
 *
 * The bounded pool.
 */
#include "unit.h"

#include "gateway/pool_internal.h"

static void bounded_and_reused(void **state)
{
    (void)state;
    struct pool *pool = pool_new(2);
    struct block *a = pool_take(pool);
    assert_true(pool_has(pool));
    struct block *b = pool_take(pool);
    assert_false(pool_has(pool));
    pool_give(pool, a);
    pool_give(pool, NULL);
    assert_ptr_equal(pool_take(pool), a);
    pool_give(pool, a);
    pool_give(pool, b);
    assert_int_equal(pool->made, 2);
    pool_free(pool);
}

static void the_reserve_is_not_for_the_greedy(void **state)
{
    (void)state;
    struct pool *pool = pool_new(1);
    struct block *taken[1 + POOL_RESERVE];
    for (size_t i = 0; i < MU_COUNT(taken); i++) {
        assert_int_equal(pool_has(pool), i == 0);
        taken[i] = pool_take(pool);
        assert_non_null(taken[i]);
    }
    assert_null(pool_take(pool));
    for (size_t i = 0; i < MU_COUNT(taken); i++) {
        pool_give(pool, taken[i]);
    }
    assert_true(pool_has(pool));
    pool_free(pool);
}

static void append_makes_room_at_the_front(void **state)
{
    (void)state;
    static uint8_t bytes[POOL_BLOCK];
    struct pool *pool = pool_new(1);
    struct block *block = pool_take(pool);
    memset(bytes, 'x', sizeof bytes);
    assert_true(block_append(block, bytes, POOL_BLOCK - 1));
    assert_false(block_append(block, "ab", 2));
    block->start = POOL_BLOCK - 2; /* one byte is left to send */
    assert_true(block_append(block, "ab", 2));
    assert_int_equal(block_len(block), 3);
    assert_memory_equal(block->data + block->start, "xab", 3);
    pool_give(pool, block);
    pool_free(pool);
}

static void what_is_given_back_is_wiped(void **state)
{
    (void)state;
    struct pool *pool = pool_new(1);
    struct block *block = pool_take(pool);
    assert_true(block_append(block, "secret", 6));
    pool_give(pool, block);
    assert_ptr_equal(pool_take(pool), block);
    assert_memory_equal(block->data, "\0\0\0\0\0\0", 6);
    pool_give(pool, block);
    pool_free(pool);
}

static void out_of_memory(void **state)
{
    (void)state;
    mu_alloc_fail_after(1);
    assert_null(pool_new(1));
    struct pool *pool = pool_new(1);
    mu_alloc_fail_after(1);
    assert_null(pool_take(pool));
    mu_alloc_fail_after(0);
    pool_free(pool);
}

UNIT_MAIN(UNIT_CASE(bounded_and_reused), UNIT_CASE(the_reserve_is_not_for_the_greedy),
          UNIT_CASE(append_makes_room_at_the_front), UNIT_CASE(what_is_given_back_is_wiped),
          UNIT_CASE(out_of_memory))
