/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the reactor: the table behind which waiting is done, and the timer wheel.
 */
#ifndef EVENT_EVENT_INTERNAL_H
#define EVENT_EVENT_INTERNAL_H

#include "base/base.h"
#include "event/event.h"

/* ---- waiting --------------------------------------------------------------------------------- */

struct event_report {
    uint64_t tag;
    uint32_t events; /* EVENT_* */
};

/* A way of waiting for descriptors. Interest is EVENT_READ, WRITE and EDGE; the tag comes back
 * with every report. */
struct event_backend {
    const char *name;
    void *(*start)(struct mutual_error *err); /* NULL: err says why */
    void (*end)(void *state);
    bool (*add)(void *state, int fd, uint32_t events, uint64_t tag, struct mutual_error *err);
    bool (*change)(void *state, int fd, uint32_t events, uint64_t tag, struct mutual_error *err);
    void (*remove)(void *state, int fd);
    /* Waits at most timeout_ns (negative: for ever); *ret_count reports, 0 when time is up. */
    bool (*wait)(void *state, int64_t timeout_ns, struct event_report *reports, size_t max,
                 size_t *ret_count, struct mutual_error *err);
};
extern const struct event_backend event_epoll;

/* ---- the wheel ------------------------------------------------------------------------------- */

/* Seven levels of 64 slots. A timer lives on the level of the highest digit (base 64) in which its
 * tick differs from now, in the slot of that digit: so occupied slots never lie behind the present
 * one, the lowest bit of the lowest occupied level is the next thing to do, and every deadline
 * that 63 bits of nanoseconds can say (2^40 ticks) has its place: there is no overflow list. */
#define WHEEL_LEVELS 7u
#define WHEEL_BITS   6u
#define WHEEL_SLOTS  (1u << WHEEL_BITS)
struct wheel {
    uint64_t now; /* the tick up to which all is fired */
    uint64_t occupied[WHEEL_LEVELS];
    struct event_timer slots[WHEEL_LEVELS * WHEEL_SLOTS]; /* list heads */
    struct event_timer due;                               /* list head */
};
#define WHEEL_NO_SLOT UINT16_MAX
#define WHEEL_NEVER   UINT64_MAX

void wheel_init(struct wheel *wheel, uint64_t now);
/* A tick that is not after now becomes the next one. */
void wheel_put(struct wheel *wheel, struct event_timer *timer, uint64_t tick);
void wheel_remove(struct wheel *wheel, struct event_timer *timer);
/* The tick at which there is something to do (fire, or sort a slot), or WHEEL_NEVER. */
uint64_t wheel_next(const struct wheel *wheel);
/* Fires all timers up to that tick. */
void wheel_advance(struct wheel *wheel, uint64_t to);
/* Forgets all timers. */
void wheel_drop(struct wheel *wheel);

#endif
