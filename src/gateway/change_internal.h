/* SPDX-License-Identifier: Apache-2.0
 *
 * A change on its way through a worker's open connections. Rules are swapped in one moment.
 * From then on no connection moves a byte before it is settled: what the change took away is looked
 * up in the index, the connections that had it are marked and judged, and one that the change does
 * not concern is only handed over to the new generation. A sweep, in slices, settles those that are
 * silent; nothing that grows with rules or connections is done in the moment itself.
 *
 * Why handing over is as good as judging. mutual_admit() allowed the connection until a moment that
 * its own timer watches. What it looks at is the evidence, which does not change; the time, which
 * the timer watches; and the rules. Of the rules, for a connection that is handed over,
 *   - the service's own (side, mode, expected names, anything a later version adds) are equal byte
 *     for byte, else all connections of the service are marked;
 *   - the grant that let it in was compared with the newest policy, in which it is there and gives
 *     the same, else its holders are marked; other grants cannot take away what this one gives,
 *     since grants only allow;
 *   - trust, revocation and the deny list are those of before, or the peer's own evidence was put
 * to the new ones by mutual_admit() itself, once for all its connections, and was allowed for as
 *     long.
 * Whatever is not of this kind is judged.
 */
#ifndef GATEWAY_CHANGE_INTERNAL_H
#define GATEWAY_CHANGE_INTERNAL_H

#include "event/event.h"
#include "gateway/conn_internal.h"
#include "ipc/ipc.h"

struct generation;

/* What became of the connections that a change concerned. */
struct change_tally {
    uint32_t affected;
    uint32_t closed;
    uint32_t kept;     /* judged again, and still allowed                                */
    uint32_t unjudged; /* of those closed: because they could not be judged              */
    uint32_t open;     /* how many connections were admitted at that time                */
    int64_t took_ns;
};

struct change {
    uint32_t number;          /* of the newest, in this worker: what connections are settled by */
    uint32_t id;              /* its generation                                                 */
    struct conn_queue marked; /* to be judged                                                   */
    size_t move_at;           /* slots before it are settled, once nobody is marked             */
    bool sweeping;
    int64_t started_ns;
    struct change_tally tally;
    struct change_tally ended; /* by time, since it was last told */
    struct event_deferred sweep;
    struct event_timer tell_ended;
};

void change_init(struct change *change);
/* worker->current replaced `before` (NULL: it is the first). */
void change_begin(struct worker *worker, struct generation *before);
/* Compares a grant that is to be compared; its holders are marked when they lost it. */
struct live_grant;
void change_compare(struct worker *worker, struct live_grant *grant);
/* A moment has come that the connection's verdict, or its service, said to look at it again. */
void change_due(struct conn *conn);
/* Is the connection settled by the newest rules, and its verdict not due? */
bool change_is_settled(const struct conn *conn);
/* Settles it; false: it may not go on, and err says why. */
bool change_settle(struct conn *conn, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* It comes to its end, by itself or not: no change concerns it any more. */
void change_forget(struct conn *conn);

/* CHANGED: the generation (0: what time ended), whether a newer change overtook this one, the
 * tally. */
void change_write(uint32_t id, bool overtaken, const struct change_tally *tally,
                  struct mu_buf *out);
bool change_read(const struct ipc_message *message, uint32_t *ret_id, bool *ret_overtaken,
                 struct change_tally *ret_tally, struct mutual_error *err) MUTUAL_MUST_CHECK;

#endif
