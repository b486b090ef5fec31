/* SPDX-License-Identifier: Apache-2.0
 *
 * Host names to addresses. getaddrinfo(3) waits, parses what strangers answer and loads modules, so
 * it runs in a helper process that lives for one round, has no descriptor but a pipe, no privilege
 * and little time. What comes back is read strictly.
 */
#ifndef GATEWAY_RESOLVE_INTERNAL_H
#define GATEWAY_RESOLVE_INTERNAL_H

#include "event/event.h"
#include "gateway/worker_internal.h"

/* One name to look up; the addresses are replaced when an answer came. */
struct resolve_name {
    char *host;
    unsigned port;
    struct targets targets;
    bool failed; /* the last round found nothing */
};

struct resolve_names {
    struct resolve_name *items;
    size_t count;
    size_t cap;
};
/* The entry for that host and port, made when there is none; NULL: out of memory. */
struct resolve_name *resolve_name_get(struct resolve_names *names, const char *host, unsigned port);
void resolve_names_done(struct resolve_names *names);

struct resolver;
/* Starts a round over all names and calls done(owner) when it is over, whatever came of it; then
 * the resolver is freed. `names` must live until then. Fails with SYSTEM_CALL. */
typedef void resolve_done_fn(void *owner, bool changed);
bool resolve_start(struct reactor *reactor, struct resolve_names *names, const char *user,
                   resolve_done_fn *done, void *owner, struct resolver **ret_resolver,
                   struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Gives a round up; done is not called. NULL is allowed. */
void resolve_stop(struct resolver *resolver);

/* Reads what a helper says of the first `count` names: for each in order one byte (how many
 * addresses), then for each of these be32 length and the socket address. False when the bytes are
 * none of that. */
bool resolve_parse(struct mu_slice answer, struct resolve_names *names, size_t count,
                   bool *ret_changed);

#endif
