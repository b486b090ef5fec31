/* SPDX-License-Identifier: Apache-2.0
 *
 * The waiting room in front of handshakes. A handshake costs a hundred times what a message of an
 * established connection does, and everybody may ask for one; so connections that are not admitted
 * yet have a bounded number of places, one source has a bounded share of them, handshakes are taken
 * from the sources in turn, and in one turn of the reactor only so many that established traffic
 * does not notice. A place is a slot and a descriptor; TLS costs memory only once it is one's turn.
 *
 * A source is an IPv4 address, or the 64 bits of an IPv6 address that one network gets. Local
 * sockets of the file system are one source, without a share.
 */
#ifndef GATEWAY_GATE_INTERNAL_H
#define GATEWAY_GATE_INTERNAL_H

#include "config/config.h"
#include "gateway/conn_internal.h"

struct source;
struct listener;
TAILQ_HEAD(source_round, source);
TAILQ_HEAD(listener_queue, listener);

struct gate {
    struct worker *worker;
    size_t places;                 /* connections that are not admitted yet                 */
    size_t share;                  /* of these, of one source                               */
    size_t handshakes;             /* of these, with a handshake under way                  */
    size_t knocking;               /* places taken                                          */
    size_t shaking;                /* handshakes under way                                  */
    struct mu_map *sources;        /* those that have a place, by address                   */
    struct source_round round;     /* those with somebody who waits; the next in turn first */
    struct conn_queue going;       /* handshakes that can go on                             */
    struct listener_queue callers; /* listeners with somebody to accept                     */
    bool accepted;                 /* the last turn was one of theirs                       */
    struct conn_queue new, begun;  /* who has a place: no handshake yet, or one; oldest first */
    struct event_deferred work;
    int64_t ended_ns, cost_ns; /* the last step, or accepts: when it ended, what it took */
    int64_t used_ns;           /* since then, by turns in which established traffic moved  */
    int64_t until_ns;          /* of this step: then it gives way; 0: it need not          */
    int64_t moved_ns;          /* when established traffic moved last                      */
    uint64_t moves;            /* the worker's, as seen last                               */
    struct event_timer hurry;  /* the oldest handshake has had its time, and others wait */
    struct event_timer tell;
    uint64_t turned_away, crowded_out; /* since it was told */
};

bool gate_init(struct gate *gate, struct worker *worker, struct mutual_error *err);
void gate_done(struct gate *gate);
/* Takes the limits of a configuration; never so many places that a worker with `max` connections
 * would have none left for those who are admitted. */
void gate_limit(struct gate *gate, const struct config_flood *flood, size_t max);

/* Somebody is there to be accepted. May that be now? If not, for established traffic moved lately,
 * listener_accept() will be called in turns of its own until nobody is there any more. */
bool gate_lets_accept(struct gate *gate, struct listener *listener);
/* Nobody waits there any more. Safe to call again. */
void gate_forget(struct gate *gate, struct listener *listener);
/* Is there a place? Makes one, if there is none, by ending the oldest connection that has had its
 * time and is not admitted. */
bool gate_has_place(struct gate *gate);
/* May one more come from there? Else it is to be closed at once, and is counted and told. */
bool gate_lets_in(struct gate *gate, struct service *service, const struct sockaddr_storage *peer);
/* Gives an inbound connection its place; false: no memory. */
bool gate_enter(struct gate *gate, struct conn *conn);
/* It was admitted, or is closed. Safe to call again. */
void gate_leave(struct conn *conn);
/* Is it its turn to go on with its handshake? If not, it will be driven when it is. */
bool gate_is_turn(struct conn *conn);
/* It gave way in its handshake: it is the next whose turn it is. */
void gate_again(struct conn *conn);
/* Its handshake is over, well or badly. Safe to call again. */
void gate_shaken(struct conn *conn);

#endif
