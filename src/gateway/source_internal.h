/* SPDX-License-Identifier: Apache-2.0
 *
 * One thing that is fetched: where from, what is had, how it went.
 */
#ifndef GATEWAY_SOURCE_INTERNAL_H
#define GATEWAY_SOURCE_INTERNAL_H

#include "event/event.h"
#include "fetch/fetch.h"
#include "gateway/parent_internal.h"
#include "gateway/resolve_internal.h"
#include "http/http.h"

enum source_state {
    SOURCE_WAITS,    /* for its time                     */
    SOURCE_DUE,      /* ... which has come; for its turn */
    SOURCE_RESOLVES, /* for addresses of its host       */
    SOURCE_FETCHES,  /* for the fetch process            */
};

enum source_kind {
    SOURCE_LIST,   /* a revocation list, of a trust block             */
    SOURCE_STAPLE, /* an OCSP response, about the leaf of a chain file */
};

struct source {
    struct fetching *fetching;
    enum source_kind kind;
    char *owner; /* name of the trust block, or path of the chain */
    char *url;
    char *path;          /* where it is kept */
    char about[65];      /* STAPLE: fingerprint of the leaf that is in use now ... */
    char sent_about[65]; /* ... and of the one that was asked about                */
    bool must_staple;    /* it is refused without                                  */
    struct http_url parts;
    char host[256];
    int64_t every_s;
    enum source_state state;
    bool wanted; /* the configuration still names it */
    uint32_t id; /* of the request under way */
    unsigned sockets;
    int content_fd; /* what comes is put there; -1: nothing is under way */
    struct resolve_names names;
    struct resolver *resolver;
    struct event_timer timer;
    struct fetch_kept kept;
    bool has_kept;
    /* how it went */
    unsigned failures; /* in a row */
    int64_t tried_s, good_s, next_s;
    uint64_t bytes, count_new, count_same, count_failed;
    struct mutual_error why; /* of the last failure; code MUTUAL_OK: the last try was good */
};

/* NULL: out of memory, or no place to keep it. */
struct source *source_new(struct fetching *fetching, const struct config *config,
                          enum source_kind kind, const char *owner, const char *url);
/* The leaf is that of the chain now: whatever is kept of another is not had any more. */
void source_follow_chain(struct source *source, const struct world_chain *chain);
/* Does a response hold at now_s? */
bool source_holds(const struct source *source, int64_t now_s);
void source_free(struct source *source, struct reactor *reactor);
/* Sends what is to be fetched, judged by the trust block or the chain as the setup has it. */
bool source_send(struct source *source, struct parent *parent, const struct supervised *child,
                 struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Begins a connection to a port of the source's host, to the nth of its addresses that is allowed.
 * FETCH_FORBIDDEN, CONNECT_FAILED. */
bool source_connect(struct source *source, const struct config_fetch *config,
                    const struct fetch_want *want, int *ret_fd,
                    struct mutual_error *err) MUTUAL_MUST_CHECK;
/* The same for any host: to the nth of its addresses that the configuration lets us be sent to. */
bool source_connect_to(const struct targets *targets, const char *host,
                       const struct config_fetch *config, const struct fetch_want *want,
                       int *ret_fd, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* A memory file with these bytes; the caller's. */
bool source_memory_file(struct mu_slice bytes, int *ret_fd,
                        struct mutual_error *err) MUTUAL_MUST_CHECK;
/* What came is kept, or is not wanted. */
void source_forget_content(struct source *source);
void source_json(const struct source *source, struct mu_json *json);
/* The members that tell of a response, into an object that is open. */
void source_staple_json(const struct source *source, struct mu_json *json);

#endif
