/* SPDX-License-Identifier: Apache-2.0
 *
 * Who is connected, and what lets them: the index by which a change finds the connections that it
 * concerns. All connections of one peer (the same chain at the same service) share one entry, found
 * by issuer and serial number of its certificate; entries hang at the service that they use and at
 * the grant that lets them in. Only admitted connections are in it; who comes later is judged by
 * the newest rules anyway.
 *
 * A connection costs three links in itself and its share of an entry (80 bytes and a bucket), and
 * nothing else: the keys are the facts that the session keeps already.
 */
#ifndef GATEWAY_LIVE_INTERNAL_H
#define GATEWAY_LIVE_INTERNAL_H

#include <sys/queue.h>

#include "gateway/conn_internal.h"
#include "world/world.h"

LIST_HEAD(live_conns, conn);
TAILQ_HEAD(live_peers, live_peer);
LIST_HEAD(live_holders, live_peer);
TAILQ_HEAD(live_grants, live_grant);

/* A service by its name, whatever generation. */
struct live_service {
    LIST_ENTRY(live_service) all;
    char *name;
    struct live_peers asked;   /* the newest rules were found to change nothing for them */
    struct live_peers unasked; /* that is to be found out                                */
    size_t peers;
    uint32_t change; /* by which number of change they became so */
};

/* A grant that lets somebody in, by its name. */
struct live_grant {
    char *name;
    uint64_t content; /* of what it gives, to whom, until when */
    uint32_t change;  /* by which number of change it was compared last */
    TAILQ_ENTRY(live_grant) in_all;
    struct live_holders holders;
};

struct live_peer {
    struct live_peer *next; /* in its bucket */
    struct live_service *service;
    TAILQ_ENTRY(live_peer) in_service;
    struct live_grant *grant; /* by which the last of its connections was admitted, or NULL */
    LIST_ENTRY(live_peer) in_grant;
    struct live_conns conns;
    uint32_t hash;
    uint32_t asked; /* which change it was asked about last */
};

struct live {
    uint8_t seed[16];
    struct live_peer **buckets;
    size_t mask;
    size_t peers;
    size_t conns; /* in it */
    struct mu_map *services;
    LIST_HEAD(, live_service) all_services;
    struct mu_map *grants;
    struct live_grants compared;   /* the newest policy was found to have them, or not, and ... */
    struct live_grants uncompared; /* ... that is to be found out                               */
    uint32_t change;               /* by which number of change they became so                  */
};

/* NULL: out of memory. */
struct live *live_new(void);
void live_free(struct live *live);
/* Puts an admitted connection in its place, or in another one after another verdict. Who is in no
 * place could not be found by a change, so failing is a reason to end it: NO_MEMORY. */
bool live_join(struct live *live, struct conn *conn, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Takes it out; nothing happens when it is not in. */
void live_leave(struct live *live, struct conn *conn);
/* Of an admitted connection's peer: the evidence that all its connections have in common. */
const struct mutual_evidence *live_evidence(const struct live_peer *peer);

/* All peers of the service are to be asked about that change. */
void live_unask(struct live_service *service, uint32_t change);
/* A peer of the service that is to be asked; NULL: none is left. */
struct live_peer *live_to_ask(const struct live_service *service);
/* It was asked about all changes up to that one. */
void live_asked(struct live_peer *peer, uint32_t change);
/* Is it still to be asked about something? */
bool live_is_unasked(const struct live_peer *peer);
/* All grants that let somebody in are to be compared with those of another policy, by that change.
 * They are many, and so may be what each gives, so it is done one by one. */
void live_uncompare(struct live *live, uint32_t change);
/* A grant that is to be compared; NULL: none is left. */
struct live_grant *live_to_compare(const struct live *live);
bool live_is_uncompared(const struct live *live, const struct live_grant *grant);
/* Does the newest policy (NULL: none) have the grant, and does it give the same? Keeps in mind what
 * it gives now. False: whoever holds it is to be judged. */
bool live_compare(struct live *live, struct live_grant *grant, const struct mutual_policy *policy);

#endif
