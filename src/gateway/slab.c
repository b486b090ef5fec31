/* SPDX-License-Identifier: Apache-2.0
 *
 * The worker's slots for connections. They are made in chunks that never move and are never given
 * back; a slot counts how often it was used, so that what outlives a connection can be told from
 * what belongs to the next one.
 */
#include <string.h>

#include "gateway/worker_internal.h"

enum { CHUNKS_MAX = 1 << 20 };

static bool add_chunk(struct worker *worker)
{
    struct slab *slab = &worker->slab;
    if (!mu_grow((void **)&slab->chunks, &slab->chunk_cap, slab->chunk_count, sizeof(struct conn *),
                 CHUNKS_MAX)) {
        return false;
    }
    struct conn *chunk = mu_alloc(SLAB_CHUNK, sizeof *chunk);
    if (chunk == NULL) {
        return false;
    }
    for (size_t i = 0; i < SLAB_CHUNK; i++) {
        chunk[i].worker = worker;
        chunk[i].slot = (uint32_t)(slab->chunk_count * SLAB_CHUNK + i);
        chunk[i].stage = STAGE_CLOSED;
        TAILQ_INSERT_TAIL(&slab->free, &chunk[i], waits);
    }
    slab->chunks[slab->chunk_count++] = chunk;
    return true;
}

struct conn *slab_take(struct worker *worker)
{
    struct slab *slab = &worker->slab;
    if (TAILQ_EMPTY(&slab->free) && !add_chunk(worker)) {
        return NULL;
    }
    struct conn *conn = TAILQ_FIRST(&slab->free);
    TAILQ_REMOVE(&slab->free, conn, waits);
    slab->used++;
    conn->stage = STAGE_ACCEPTED;
    return conn;
}

void slab_give(struct conn *conn)
{
    struct slab *slab = &conn->worker->slab;
    struct conn clean = {.worker = conn->worker,
                         .slot = conn->slot,
                         .generation = conn->generation + 1,
                         .stage = STAGE_CLOSED};
    *conn = clean;
    TAILQ_INSERT_HEAD(&slab->free, conn, waits);
    slab->used--;
}

struct conn *slab_at(const struct worker *worker, size_t slot)
{
    return &worker->slab.chunks[slot / SLAB_CHUNK][slot % SLAB_CHUNK];
}

size_t slab_size(const struct worker *worker)
{
    return worker->slab.chunk_count * SLAB_CHUNK;
}

void slab_done(struct worker *worker)
{
    for (size_t i = 0; i < worker->slab.chunk_count; i++) {
        mu_free(worker->slab.chunks[i]);
    }
    mu_free(worker->slab.chunks);
    memset(&worker->slab, 0, sizeof worker->slab);
}
