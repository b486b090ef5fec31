/* SPDX-License-Identifier: Apache-2.0
 *
 * The bounded pool of blocks. Blocks are made when first needed and kept for ever after; the last
 * one given back is the first one taken again, because it is still in the cache.
 */
#include "gateway/pool_internal.h"

#include <string.h>

struct pool *pool_new(unsigned max)
{
    struct pool *pool = mu_alloc(1, sizeof *pool);
    if (pool != NULL) {
        pool->max = max;
        pool->gulp = POOL_READ;
    }
    return pool;
}

void pool_free(struct pool *pool)
{
    if (pool == NULL) {
        return;
    }
    mu_assert(pool->used == 0);
    while (pool->free != NULL) {
        struct block *block = pool->free;
        pool->free = block->next;
        mu_free(block);
    }
    mu_wipe(pool, sizeof *pool);
    mu_free(pool);
}

bool pool_has(const struct pool *pool)
{
    return pool->used < pool->max;
}

struct block *pool_take(struct pool *pool)
{
    struct block *block = pool->free;
    if (block != NULL) {
        pool->free = block->next;
    } else {
        block = pool->made < pool->max + POOL_RESERVE ? mu_alloc(1, sizeof *block) : NULL;
        if (block == NULL) {
            return NULL;
        }
        pool->made++;
    }
    block->next = NULL;
    block->start = 0;
    block->end = 0;
    pool->used++;
    return block;
}

void pool_give(struct pool *pool, struct block *block)
{
    if (block == NULL) {
        return;
    }
    mu_wipe(block->data, block->end);
    block->next = pool->free;
    pool->free = block;
    pool->used--;
}

bool block_append(struct block *block, const void *data, size_t len)
{
    if (len > sizeof block->data - block_len(block)) {
        return false;
    }
    if (len > sizeof block->data - block->end) {
        memmove(block->data, block->data + block->start, block_len(block));
        block->end -= block->start;
        block->start = 0;
    }
    if (len > 0) {
        memcpy(block->data + block->end, data, len);
    }
    block->end += (uint32_t)len;
    return true;
}
