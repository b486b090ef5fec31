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

struct book;

/* ---- signer.c: signatures over the channel to the key process ----------------------------------
 */

/* A signature waits for its answer, at most KEYS_BLOCK_MS. Without a key process it fails at once
 * (KEY_UNAVAILABLE). */
void authority_signer_init(struct ca_signer *signer, struct keys_client *keys, struct book *book);
void authority_signer_done(struct ca_signer *signer);

/* ---- figures.c: what this process counts, and what its store says -------------------------------
 */

struct book {
    struct ledger counted; /* here                            */
    struct ledger stored;  /* what the store says, as a whole */
    struct ca *ca;
    const struct keys_client *keys;
    bool tells_store;
    int64_t read_ns; /* when the store was asked last */
};
/* `tells_store`: it tells what the store says too; one process of each authority does. */
void book_init(struct book *book, struct ca *ca, const struct keys_client *keys, bool tells_store);
void book_done(struct book *book);
/* For api_world.count. */
void book_count(void *context, enum api_event event, const char *const *words);
/* For ca_watch_lists. */
void book_list_made(void *context, const char *issuer, const char *kind, int64_t took_ns);
void book_request(struct book *book, const char *listener, struct mu_slice method, unsigned status,
                  int64_t took_ns);
/* Which issuers are told of: nobody need be woken for one that is over while another goes on, nor
 * for a root that none of these is below; neither can be taken out of the store. */
struct book_issuer {
    const struct inventory_issuer *row;
    int64_t begin_s, end_s; /* of its certificate */
    bool told;
};
void book_choose(struct book_issuer *issuers, size_t count, int64_t now_s);
/* A signature could not even be asked for. */
void book_no_keys(struct book *book);
/* STATUS, in as many messages as it takes: the number, whether it is the last of them, whether it
 * is the first, rows. The store is asked once a second at the most. */
bool book_tell(struct book *book, struct ipc_channel *parent, uint32_t number, int64_t now_s,
               struct mutual_error *err) MUTUAL_MUST_CHECK;

/* ---- prober.c: challenges, looked at by the parent's means -------------------------------------
 */

void authority_prober_init(struct acme_prober *prober, struct ipc_channel *parent);
/* PROBED. */
bool authority_probed(struct api_world *world, const struct ipc_message *message,
                      struct mutual_error *err) MUTUAL_MUST_CHECK;

/* ---- writes.c: whether the store and the files can be written ----------------------------------
 */

struct writes {
    struct ipc_channel *parent;
    enum mutual_code told; /* what the parent believes; MUTUAL_OK: they can */
};
/* Something went wrong on our side. True: it is a matter of writing, and the parent knows. */
bool writes_failed(struct writes *writes, const struct mutual_error *why);
/* When the parent believes that they cannot: whether they can now. */
void writes_look(struct writes *writes, struct ca *ca, int64_t now_s);

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
    struct book *book; /* NULL: nobody counts */
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
