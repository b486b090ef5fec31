/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes with several holders.
 */
#include <string.h>
#include <sys/mman.h>

#include "base/base.h"
#include "unit.h"

static void case_the_last_holder_frees(void **state)
{
    (void)state;
    char *block = mu_strdup("abc");
    MU_AUTO(shared) struct mu_shared *one = mu_shared_new(block, 3, false);
    assert_non_null(one);
    struct mu_shared *two = mu_shared_ref(one);
    assert_ptr_equal(two, one);
    mu_shared_unref(two);
    assert_true(mu_slice_equal_text(mu_shared_bytes(one), "abc")); /* ASan watches the rest */
    mu_shared_unref(NULL);
}

static void case_a_mapping_ends_with_its_last_holder(void **state)
{
    (void)state;
    size_t page = 4096;
    void *pages = mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(pages, MAP_FAILED);
    struct mu_shared *shared = mu_shared_new(pages, page, true);
    unsigned char there;
    assert_int_equal(mincore(pages, page, &there), 0);
    mu_shared_unref(shared);
    assert_int_equal(mincore(pages, page, &there), -1);
}

static void case_without_memory_the_block_stays_the_callers(void **state)
{
    (void)state;
    char *block = mu_strdup("abc");
    mu_alloc_fail_after(1);
    assert_null(mu_shared_new(block, 3, false));
    mu_free(block);
}

UNIT_MAIN(UNIT_CASE(case_the_last_holder_frees),
          UNIT_CASE(case_a_mapping_ends_with_its_last_holder),
          UNIT_CASE(case_without_memory_the_block_stays_the_callers))
