/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests that may be repeated.
 */
#include "support.h"

static uint8_t mark[32] = {1};
static uint8_t digest[32] = {2};
static const char body[] = "{}";

static bool begin(int64_t now_s, struct inventory_replay *before, struct mu_arena *arena)
{
    struct mutual_error err = {0};
    bool taken = false;
    const struct inventory_replay replay = {.mark = mu_slice_of(mark, 32),
                                            .digest = mu_slice_of(digest, 32)};
    assert_ok(inventory_replay_begin(place.inventory, &replay, now_s, arena, &taken, before, &err),
              &err);
    return taken;
}

static void a_mark_is_taken_once_and_tells_by_what(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct inventory_replay before;
    struct mu_arena *arena = mu_arena_new(4096);
    assert_true(begin(100, &before, arena));
    assert_false(begin(101, &before, arena));
    assert_int_equal(before.status, 0);
    assert_memory_equal(before.digest.data, digest, 32);
    const struct inventory_replay done = {.mark = mu_slice_of(mark, 32),
                                          .status = 201,
                                          .type = "application/json",
                                          .body = mu_slice_text(body)};
    assert_ok(inventory_replay_end(place.inventory, &done, &err), &err);
    assert_false(begin(102, &before, arena));
    assert_int_equal(before.status, 201);
    assert_string_equal(before.type, "application/json");
    assert_true(mu_slice_equal_text(before.body, body));
    mu_arena_free(arena);
}

static void what_was_forgotten_or_is_old_may_be_taken_again(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct inventory_replay before;
    struct mu_arena *arena = mu_arena_new(4096);
    mark[0] = 7;
    assert_true(begin(100, &before, arena));
    assert_ok(inventory_replay_forget(place.inventory, mu_slice_of(mark, 32), &err), &err);
    assert_true(begin(100, &before, arena));
    assert_false(begin(100 + INVENTORY_REPLAY_S, &before, arena));
    assert_true(begin(101 + INVENTORY_REPLAY_S, &before, arena));
    mu_arena_free(arena);
}

INVENTORY_UNIT_MAIN(UNIT_CASE(a_mark_is_taken_once_and_tells_by_what),
                    UNIT_CASE(what_was_forgotten_or_is_old_may_be_taken_again))
