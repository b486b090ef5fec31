/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory of the relay. A worker reads and writes through a few large buffers that all of its
 * connections share; only bytes that could not be passed on at once are kept, in blocks of a
 * bounded pool, and the faster side is not read again until they are gone. So an idle connection
 * holds no buffer, and no number of slow readers can take more than the pool. When they have taken
 * all of it, the others go on by sips that their sockets take at once.
 */
#ifndef GATEWAY_POOL_INTERNAL_H
#define GATEWAY_POOL_INTERNAL_H

#include "base/base.h"

enum {
    /* One read. Measured: from 64 KiB on, larger reads save nothing. */
    POOL_READ = 65536,
    /* The same of ciphertext: four whole records of TLS 1.3, so that whoever sends full ones has
     * none cut in two by our reads. */
    POOL_RECORDS = 4 * (16384 + 22),
    /* What one read can become: 64 KiB of plaintext as records of 16 KiB with their frames, or 64
     * KiB of ciphertext after a record that was incomplete before; plus a closing alert. */
    POOL_BLOCK = POOL_READ + 16384 + 4096,
    /* One read while there is no block to spare: what a socket that is ready takes at once. */
    POOL_SIP = 4096,
    /* Blocks for when it did not, and for handshakes: beyond what slow readers may hold. */
    POOL_RESERVE = 64,
};

/* Bytes waiting in a block: data[start] to data[end - 1]. */
struct block {
    struct block *next; /* in the free list */
    uint32_t start;
    uint32_t end;
    uint8_t data[POOL_BLOCK];
};

struct pool {
    struct block *free;
    unsigned made;
    unsigned max;
    unsigned used;
    size_t gulp; /* how much is read at once: POOL_READ or POOL_SIP */
    /* Shared by all connections, between two waits of the reactor only. */
    uint8_t wire[POOL_RECORDS];  /* what was read from a socket         */
    uint8_t plain[POOL_BLOCK];   /* what a session made of it           */
    uint8_t out[POOL_BLOCK];     /* what goes to the other socket       */
    uint8_t reply[16384 + 1024]; /* what a session says to its own peer */
};

/* `max`: the blocks that may exist, the reserve not counted. NULL: out of memory. */
struct pool *pool_new(unsigned max);
void pool_free(struct pool *pool);
/* An empty block, or NULL when all are in use and the reserve too. */
struct block *pool_take(struct pool *pool);
/* Gives it back; NULL is allowed. Wipes what was in it: it may be plaintext. */
void pool_give(struct pool *pool, struct block *block);
/* Is there a block without touching the reserve? */
bool pool_has(const struct pool *pool);

static inline size_t block_len(const struct block *block)
{
    return block == NULL ? 0 : (size_t)(block->end - block->start);
}
/* Appends all of it, or nothing and false when there is no room. */
bool block_append(struct block *block, const void *data, size_t len);

#endif
