/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the role share.
 */
#ifndef AUTHORITY_AUTHORITY_INTERNAL_H
#define AUTHORITY_AUTHORITY_INTERNAL_H

#include <sys/queue.h>

#include "acme/acme.h"
#include "admin/admin.h"
#include "api/api.h"
#include "authority/authority.h"
#include "ca/ca.h"
#include "event/event.h"
#include "evidence/evidence.h"
#include "keys/keys.h"

/* ---- tables.c: the protocols that are spoken ---------------------------------------------------
 */

extern const struct api_table *const authority_tables[];
extern const size_t authority_table_count;

/* ---- signer.c: signatures over the channel to the key process ----------------------------------
 */

/* A signature waits for its answer, at most KEYS_BLOCK_MS. Without a key process it fails at once
 * (KEY_UNAVAILABLE). */
void authority_signer_init(struct ca_signer *signer, struct keys_client *keys);
void authority_signer_done(struct ca_signer *signer);

/* ---- prober.c: challenges, looked at by the parent's means -------------------------------------
 */

void authority_prober_init(struct acme_prober *prober, struct ipc_channel *parent);
/* PROBED. */
bool authority_probed(struct api_world *world, const struct ipc_message *message,
                      struct mutual_error *err) MUTUAL_MUST_CHECK;

/* ---- stream.c: one connection ------------------------------------------------------------------
 */

struct stream;
TAILQ_HEAD(stream_list, stream);

/* What streams need of the process. */
struct streams {
    struct reactor *reactor;
    struct api_world *world;
    const struct api_table *const *tables;
    size_t table_count;
    struct stream_list list;
    size_t count;
    /* After every answer; NULL: nobody is told. */
    void (*answered)(void *owner);
    void *owner;
};
enum { STREAMS_MAX = 2048, STREAMS_PER_WORKER = 512 };
void streams_init(struct streams *streams);
void streams_done(struct streams *streams);
/* Takes the descriptor (on failure too). LIMIT: that worker has as many as it may have. */
bool streams_add(struct streams *streams, int take_fd, uint32_t worker,
                 struct mutual_error *err) MUTUAL_MUST_CHECK;

/* A connection of somebody on this machine, which begins with his first request (LOCAL). */
bool streams_add_local(struct streams *streams, int take_fd, const struct evidence_local *local,
                       struct mutual_error *err) MUTUAL_MUST_CHECK;

#endif
