/* SPDX-License-Identifier: Apache-2.0
 *
 * Slots for connections: never moved, used again under another generation, empty when taken.
 */
#include "gateway/worker_internal.h"
#include "unit.h"

static void a_slot_is_clean_and_newer_when_used_again(void **state)
{
    (void)state;
    struct worker *worker = mu_alloc(1, sizeof *worker);
    assert_non_null(worker);
    TAILQ_INIT(&worker->slab.free);
    struct conn *first = slab_take(worker);
    assert_non_null(first);
    uint32_t slot = first->slot;
    uint32_t generation = first->generation;
    first->bytes_in = 7;
    slab_give(first);
    struct conn *again = slab_take(worker);
    assert_ptr_equal(again, first);
    assert_int_equal(again->slot, slot);
    assert_true(again->generation != generation);
    assert_true(again->bytes_in == 0);
    slab_give(again);
    slab_done(worker);
    mu_free(worker);
}

static void slots_never_move(void **state)
{
    (void)state;
    struct worker *worker = mu_alloc(1, sizeof *worker);
    assert_non_null(worker);
    TAILQ_INIT(&worker->slab.free);
    struct conn *conns[3 * SLAB_CHUNK];
    for (size_t i = 0; i < MU_COUNT(conns); i++) {
        conns[i] = slab_take(worker);
        assert_non_null(conns[i]);
    }
    for (size_t i = 0; i < MU_COUNT(conns); i++) {
        assert_ptr_equal(slab_at(worker, conns[i]->slot), conns[i]);
    }
    assert_true(slab_size(worker) >= MU_COUNT(conns));
    assert_int_equal(worker->slab.used, MU_COUNT(conns));
    for (size_t i = 0; i < MU_COUNT(conns); i++) {
        slab_give(conns[i]);
    }
    assert_int_equal(worker->slab.used, 0);
    slab_done(worker);
    mu_free(worker);
}

UNIT_MAIN(UNIT_CASE(a_slot_is_clean_and_newer_when_used_again), UNIT_CASE(slots_never_move))
