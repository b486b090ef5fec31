/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes with several holders: a mapping or a block that lives as long as anything points into it.
 */
#include "base/base.h"

#include <stdatomic.h>
#include <sys/mman.h>

struct mu_shared {
    atomic_uint refs;
    struct mu_slice bytes;
    void *block;
    bool mapped;
};

struct mu_shared *mu_shared_new(void *take_block, size_t len, bool mapped)
{
    struct mu_shared *shared = mu_alloc(1, sizeof *shared);
    if (shared != NULL) {
        atomic_init(&shared->refs, 1);
        shared->bytes = mu_slice_of(take_block, len);
        shared->block = take_block;
        shared->mapped = mapped;
    }
    return shared;
}

struct mu_shared *mu_shared_ref(struct mu_shared *shared)
{
    unsigned before = atomic_fetch_add_explicit(&shared->refs, 1, memory_order_relaxed);
    mu_assert(before > 0 && before < UINT32_MAX);
    return shared;
}

void mu_shared_unref(struct mu_shared *shared)
{
    if (shared == NULL || atomic_fetch_sub_explicit(&shared->refs, 1, memory_order_acq_rel) > 1) {
        return;
    }
    if (shared->mapped) {
        (void)munmap(shared->block, shared->bytes.len);
    } else {
        mu_free(shared->block);
    }
    mu_free(shared);
}

void mu_shared_auto(struct mu_shared **shared)
{
    mu_shared_unref(*shared);
}

struct mu_slice mu_shared_bytes(const struct mu_shared *shared)
{
    return shared->bytes;
}
