/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection: a slot of the worker's slab, one stage value, two sides. One driver runs the stage
 * it is in until the stage waits for something; whatever it waits for (a socket, a timer, a
 * signature, a fresh backend socket, a free block, new rules) calls the driver again.
 */
#ifndef GATEWAY_CONN_INTERNAL_H
#define GATEWAY_CONN_INTERNAL_H

#include <netinet/in.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <mutual/session.h>

#include "base/base.h"
#include "event/event.h"
#include "gateway/address_internal.h"
#include "gateway/meter_internal.h"
#include "gateway/pool_internal.h"
#include "gateway/stage_internal.h"
#include "keys/keys.h"

struct conn;
struct generation;
struct live_peer;
struct service;
struct source;
struct worker;

/* What may still be sent to a side. */
enum side_out {
    SIDE_OPEN,
    SIDE_CLOSING, /* close_notify was made, but not all is sent */
    SIDE_SHUT,
};

/* One of the two sockets, with TLS on it or not. */
struct side {
    struct conn *conn;
    int fd; /* -1: none */
    event_watch watch;
    struct mutual_session *session; /* NULL: bytes go as they are                                 */
    struct block *unread;           /* read from the socket, not yet taken by the session         */
    struct block *unsent;           /* to be written before anything else is                      */
    bool readable;                  /* the socket may have something: read until it has not       */
    bool writable;
    bool hangup;   /* its end may be behind what is read: no shortcuts any more                */
    bool hungry;   /* the session cannot go on without further bytes                           */
    bool finished; /* its end was read: nothing will come from it                              */
    enum side_out out; /* our direction */
};

/* The address of the connecting side, without the size of the largest kind there is. */
union conn_peer {
    struct sockaddr any;
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
};

TAILQ_HEAD(conn_queue, conn);

/* Why an open connection is to be judged; the later reason counts more. */
enum conn_mark {
    CONN_UNMARKED,
    CONN_DUE,     /* its verdict ends, or has not been looked at for long */
    CONN_CHANGED, /* a change took away what let it in                    */
};

struct conn {
    struct worker *worker;
    struct service *born;    /* whose context made the session                                    */
    struct service *service; /* by whose rules it lives: the newest that admitted it              */
    uint32_t slot;
    uint32_t generation; /* how often the slot was used before */
    uint64_t number;     /* for the log: unique in the worker */
    enum stage stage;
    struct side front; /* the side that connected to us */
    struct side back;  /* the side that we connect to   */
    union conn_peer peer;
    const struct mutual_verdict *verdict; /* the newest, or NULL; the session's, or `plain` */
    struct mutual_verdict *plain;         /* of somebody who speaks no TLS; else NULL */
    bool silent;                          /* said nothing for as long as we wait for a first byte */
    struct generation *judged;            /* whose grants it speaks of: they live as long */
    struct keys_waiter waiter;
    struct event_timer deadline; /* of the stage                                    */
    struct event_timer until;    /* of the admission, or of the greatest age        */
    struct event_deferred again; /* driven once more at the end of this turn        */
    TAILQ_ENTRY(conn) waits;     /* in `queue`, for something that others give back */
    struct conn_queue *queue;
    struct live_peer *live; /* its place in the index, from its admission on */
    LIST_ENTRY(conn) in_live;
    TAILQ_ENTRY(conn) marks; /* with a mark: among those to be judged */
    enum conn_mark mark;
    uint32_t settled; /* by which change, as change.c counts them */
    bool withdrawn;   /* what admitted it is gone                 */
    int64_t started_ns;
    int64_t active_ns; /* when bytes last went through; before, when its handshake began */
    int64_t until_s;   /* the admission holds until then */
    int64_t leave_ns;  /* its service is gone: when it has to be, too; 0: it is not */
    uint64_t bytes_in;
    uint64_t bytes_out;
    struct mutual_error *error; /* what ended it; NULL: nothing went wrong */
    struct source *source;      /* while it has a place in the gate; else NULL     */
    TAILQ_ENTRY(conn) knocks;   /* in the gate                                     */
    bool shaking;               /* its handshake is counted there                  */
    bool called;                /* it is its turn                                  */
    uint16_t target;            /* how many of the target's addresses were tried */
};

/* What a stage says to the driver. */
struct conn_next {
    bool go;       /* false: it waits */
    enum stage to; /* with go */
};
#define CONN_WAIT       ((struct conn_next){.go = false})
#define CONN_GO(stage_) ((struct conn_next){.go = true, .to = STAGE_##stage_})

/* ---- conn.c -----------------------------------------------------------------------------------
 */

/* Takes the accepted descriptor and drives the new connection; false: no slot or memory, and the
 * descriptor is closed. */
bool conn_open(struct service *service, int take_fd, const struct sockaddr_storage *peer,
               struct mutual_error *err) MUTUAL_MUST_CHECK;
void conn_drive(struct conn *conn);
/* Drives it at the end of this turn. */
void conn_drive_later(struct conn *conn);
/* Files the reason, unless an earlier one is filed, and yields the way out. */
struct conn_next conn_fail(struct conn *conn, const struct mutual_error *why);
/* The same from outside the driver; ends the connection in this call or soon after. */
void conn_end(struct conn *conn, const struct mutual_error *why);
/* Waits in a queue until conn_queue_wake. */
void conn_wait_in(struct conn *conn, struct conn_queue *queue);
/* The same, before all others. */
void conn_wait_first_in(struct conn *conn, struct conn_queue *queue);
void conn_queue_wake(struct conn_queue *queue);
void conn_leave_queue(struct conn *conn);
/* Starts to watch a side's socket. */
bool conn_watch(struct side *side, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Closes the side and gives back what it has. */
void conn_drop(struct side *side);
/* The side with TLS on it, once there is one; NULL before. */
struct side *conn_secure(struct conn *conn);
/* Counts how its handshake ended. */
void conn_count_handshake(struct conn *conn, enum meter_result result, enum mutual_code code);

/* ---- wire.c: bytes between a side's socket, its session and its blocks ------------------------
 */

enum flow {
    FLOW_OK,
    FLOW_WAIT,  /* for the socket, or for a block (then the connection waits in the queue)   */
    FLOW_END,   /* nothing more will come                                                    */
    FLOW_FAILED /* the error object says why                                                 */
};
/* Writes what is left unsent. OK: nothing is left. */
enum flow wire_flush(struct side *side, struct mutual_error *err);
/* Writes the bytes after what is unsent; keeps what the socket does not take. Needs no more than a
 * free block: ask pool_has before making the bytes. */
enum flow wire_send(struct side *side, const uint8_t *data, size_t len, struct mutual_error *err);
/* Goes on with the side's handshake. */
enum mutual_io wire_handshake(struct side *side, struct mutual_error *err);
/* Reads plaintext of the side into *ret_data (borrowed until the next call). May yield bytes with
 * OK, END and FAILED; OK without any: records without data came, and others have their turn now. */
enum flow wire_read(struct side *side, const uint8_t **ret_data, size_t *ret_len,
                    struct mutual_error *err);
/* Writes plaintext to the side: at most what wire_read yields. */
enum flow wire_write(struct side *side, const uint8_t *data, size_t len, struct mutual_error *err);
/* Ends our direction: close_notify where there is TLS, then the socket's. OK: it is ended. */
enum flow wire_close(struct side *side, struct mutual_error *err);

/* ---- tls.c: the stages around a handshake -----------------------------------------------------
 */

struct conn_next conn_stage_handshake(struct conn *conn);
struct conn_next conn_stage_admit(struct conn *conn);
struct conn_next conn_stage_up_handshake(struct conn *conn);
struct conn_next conn_stage_up_admit(struct conn *conn);
/* Judges an open connection again by the newest rules; true when it may go on. */
bool conn_readmit(struct conn *conn, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Hands an open connection over to the newest rules without judging it; false: that cannot be. */
bool conn_follow(struct conn *conn) MUTUAL_MUST_CHECK;
/* Lets a signature that is pending fail, so that the session may be freed. */
void conn_forget_key(struct conn *conn);

/* ---- dial.c ------------------------------------------------------------------------------------
 */

struct conn_next conn_stage_dial(struct conn *conn);

/* ---- relay.c -----------------------------------------------------------------------------------
 */

/* The only way into the relay: with a pass that holds now. Fails with PASS_EXPIRED. */
bool relay_open(struct conn *conn, const struct mutual_pass *pass,
                struct mutual_error *err) MUTUAL_MUST_CHECK;
struct conn_next conn_stage_relay(struct conn *conn);
struct conn_next conn_stage_drain(struct conn *conn);

/* ---- record.c ----------------------------------------------------------------------------------
 */

/* Writes the connection's line into the log. Once, at its end. */
void conn_record(struct conn *conn);

#endif
