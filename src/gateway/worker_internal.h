/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker: everything one of the processes that meet strangers has. Share-nothing: it has its own
 * listening sockets, rules, sessions and figures, and one channel to the parent and to the keys.
 */
#ifndef GATEWAY_WORKER_INTERNAL_H
#define GATEWAY_WORKER_INTERNAL_H

#include <mutual/session.h>

#include "evidence/evidence.h"
#include "gateway/address_internal.h"
#include "gateway/change_internal.h"
#include "gateway/conn_internal.h"
#include "gateway/gate_internal.h"
#include "gateway/meter_internal.h"
#include "gateway/sessions_internal.h"
#include "gateway/sighting_internal.h"
#include "process/process.h"
#include "trust/trust.h"
#include "world/world.h"

/* ---- generations: what the configuration says, as a worker uses it ----------------------------
 */

#define TARGETS_MAX 16u /* addresses of one target that are tried */

/* Where a service connects to; filled in by the parent, who asks the resolver. */
struct targets {
    struct address items[TARGETS_MAX];
    size_t count;
    size_t first; /* with which the next connection begins */
};

struct service {
    struct generation *generation;
    const struct world_service *facts;
    struct service *door; /* where its connections come in: a host's listener, else itself */
    const struct config_timeouts *timeouts;
    struct mutual_context *context;
    struct meter *meter;
    struct targets targets;
    size_t max; /* connections in this worker */
};

struct live;

struct generation {
    struct worker *worker;
    unsigned refs;
    uint32_t id;
    const struct world *world;
    struct service *services;
    size_t count;
    struct mu_map *by_name; /* of these services */
};

/* Builds it from the parent's snapshot and the tables of its revocation lists (NULL: it names
 * none). Needs no files and no network. */
bool generation_new(struct worker *worker, uint32_t id, int snapshot_fd,
                    const struct world_lists *tables, struct generation **ret_generation,
                    struct mutual_error *err) MUTUAL_MUST_CHECK;
/* The context of a service by its index; `generation` is one. */
struct mutual_context *generation_context(void *generation, size_t service);
struct generation *generation_ref(struct generation *generation);
void generation_unref(struct generation *generation);
/* NULL: there is none of that name. */
struct service *generation_find(struct generation *generation, const char *name);

/* ---- listeners ---------------------------------------------------------------------------------
 */

struct listener {
    struct worker *worker;
    struct service *service; /* of the generation in use */
    int fd;
    event_watch watch; /* EVENT_NO_WATCH: paused, or at the gate */
    bool calling;      /* it is at the gate, where it is taken in its turn */
    TAILQ_ENTRY(listener) calls;
};
struct listeners {
    struct listener *items;
    size_t count;
};
/* Takes the descriptors (on failure too); `services` says which service each is for. */
bool listeners_new(struct worker *worker, struct generation *generation, const int *take_fds,
                   const uint32_t *services, size_t count, struct listeners *ret_listeners,
                   struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Accepts whatever may be accepted now, and watches. */
void listeners_start(struct listeners *listeners);
void listeners_done(struct listeners *listeners);
/* It is its turn at the gate: accepts one, or leaves the gate, for nobody is there any more or
 * there is no place. */
void listener_accept(struct listener *listener);
/* A connection ended: whoever paused for its sake may go on. */
void listeners_resume(struct listeners *listeners);

/* ---- unconnected sockets for the other end ------------------------------------------------------
 */

enum { STOCK_FAMILIES = 4, STOCK_MAX = 128, STOCK_BATCH = 64 };
/* In place of a family: streams whose other end the authority has. */
enum { STOCK_STREAMS = AF_UNSPEC };
struct stock {
    struct stock_family {
        int family;
        int fds[STOCK_MAX];
        size_t count;
        size_t asked;
        struct event_timer again; /* the parent had none: when to ask again */
        struct conn_queue waiting;
    } families[STOCK_FAMILIES];
};
void stock_init(struct stock *stock);
void stock_done(struct stock *stock);
/* A socket of the family, or -1: then the connection waits in the queue. Asks the parent in time.
 */
int stock_take(struct worker *worker, int family, struct conn *conn);
/* Reads a SOCKETS message and wakes who waits. */
bool stock_fill(struct worker *worker, struct ipc_message *message,
                struct mutual_error *err) MUTUAL_MUST_CHECK;
/* The same of STREAMS. */
bool stock_fill_streams(struct worker *worker, struct ipc_message *message,
                        struct mutual_error *err) MUTUAL_MUST_CHECK;

/* ---- witness.c: who was judged, for the parent -------------------------------------------------
 */

/* Notes the peer on that side of a connection, which was judged just now. */
void witness_note(struct conn *conn, const struct side *side);
/* New rules are in use: the certificates of who is connected are noted soon, and again and again.
 */
void witness_stay(struct worker *worker);
/* Tells the parent what is noted. */
void witness_tell(struct worker *worker);

/* ---- the worker ---------------------------------------------------------------------------------
 */

enum { SLAB_CHUNK = 64 };
struct slab {
    struct conn **chunks;
    size_t chunk_count;
    size_t chunk_cap;
    struct conn_queue free;
    size_t used;
};

/* What arrives in pieces before it is used. */
struct coming {
    uint32_t id;
    struct generation *generation; /* NULL: nothing is coming */
    int *fds;
    uint32_t *services;
    size_t want;
    size_t have;
};

/* Lines of this turn, written together. No more than a pipe takes whole (PIPE_BUF), so that those
 * of several workers never tear each other. */
struct log_lines {
    size_t len, count;
    struct event_deferred work;
    uint8_t bytes[4096];
};

/* ---- tryout.c: the self-test of what is coming --------------------------------------------------
 */

struct trying {
    uint32_t id;
    struct generation *generation; /* built aside, being tried or found good; NULL: none */
    struct world_trial *trials;
    size_t count;
    struct world_tryout *tryout; /* NULL: it is over */
    struct keys_waiter waiter;
    struct event_deferred work;
    struct event_timer patience; /* for a signature */
};
/* Reads TRIALS and begins. */
bool tryout_message(struct worker *worker, struct ipc_message *message,
                    struct mutual_error *err) MUTUAL_MUST_CHECK;
/* The generation of that number, when it was built and found good here; else NULL. */
struct generation *tryout_take(struct worker *worker, uint32_t id);
/* Ends it, wherever it is. */
void tryout_drop(struct worker *worker);

struct worker {
    struct child *child;
    struct reactor *reactor;
    struct keys_client *keys;
    struct pool *pool;
    struct conn_queue starved; /* waiting for a block */
    struct mutual_cache *cache;
    struct shared_sessions shared; /* where it keeps what can be shared */
    struct sightings *sightings;   /* not told to the parent yet */
    struct event_timer witness;    /* when they are             */
    struct event_timer stay;       /* when who is connected is noted again */
    size_t witnessed;              /* up to which slot              */
    struct mu_known *known;
    struct gate gate;
    uint64_t moves; /* of data, in connections that had an answer before */
    struct slab slab;
    size_t descriptors; /* that it may have */
    size_t max;         /* connections that they allow */
    struct meters meters;
    struct stock stock;
    struct generation *current;
    struct listeners listeners;
    struct coming coming;
    struct trying trying;
    struct world_lists *tables; /* of revocation lists, for the generation of that number */
    uint32_t tables_id;
    struct live *live;    /* who is connected, by what lets them */
    struct change change; /* what new rules mean for them        */
    struct event_timer drain;
    struct event_timer resume; /* after descriptors ran out */
    bool draining;
    event_watch parent_watch;
    uint64_t numbers;
    uint64_t log_lost; /* lines that nobody took */
    struct log_lines log_lines;
    bool log_json;
    enum config_log_level log_level; /* of the generation in use */
    uint32_t workers;                /* how many share the limits of a service */
    bool failed;
};

/* The worker's slots. NULL: none is left or no memory. */
struct conn *slab_take(struct worker *worker);
void slab_give(struct conn *conn);
struct conn *slab_at(const struct worker *worker, size_t slot);
size_t slab_size(const struct worker *worker);
void slab_done(struct worker *worker);

/* How many connections a worker with so many descriptors and listeners may have. */
size_t worker_capacity(size_t descriptors, size_t listeners);
/* A connection was closed and its slot is free again. */
void worker_conn_gone(struct worker *worker);
/* Gives a block back and lets somebody who waits for one go on. */
void worker_give_block(struct worker *worker, struct block *block);
/* Writes a line to the log by the end of this turn; never waits: a line that nobody takes is
 * counted.
 */
void worker_log(struct worker *worker, struct mu_slice line);
/* Writes what is waiting for the end of the turn. */
void worker_log_flush(struct worker *worker);

#endif
