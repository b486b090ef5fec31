/* SPDX-License-Identifier: Apache-2.0
 *
 * The reactor: one thread waits for descriptors, timers and signals and calls whoever asked.
 *
 * A turn is: wait until the next deadline or event, read the clock once, deliver events, fire
 * timers, run deferred work. Callbacks may do anything to any watch, timer or deferred item,
 * their own included. How waiting is done (epoll today) is behind a table in event_internal.h.
 */
#ifndef EVENT_EVENT_H
#define EVENT_EVENT_H

#include <mutual/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reactor;

/* Fails with NO_MEMORY or SYSTEM_CALL. */
bool reactor_new(struct reactor **ret_reactor, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Watches end, timers are forgotten, deferred work that waits is run. Not from a callback. */
void reactor_free(struct reactor *reactor);

/* Turns until reactor_stop. Fails with SYSTEM_CALL. */
bool reactor_run(struct reactor *reactor, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* One turn that waits at most max_wait_ns (negative: as long as it takes). */
bool reactor_turn(struct reactor *reactor, int64_t max_wait_ns,
                  struct mutual_error *err) MUTUAL_MUST_CHECK;
/* reactor_run returns at the end of this turn. */
void reactor_stop(struct reactor *reactor);
bool reactor_is_stopping(const struct reactor *reactor);

/* The clocks as read at the start of this turn: monotonic nanoseconds, and seconds since 1970. */
int64_t reactor_now_ns(const struct reactor *reactor);
int64_t reactor_now_s(const struct reactor *reactor);

/* ---- descriptors ----------------------------------------------------------------------------- */

enum event_bits {
    EVENT_READ = 1u << 0,   /* readable, or at its end                                        */
    EVENT_WRITE = 1u << 1,  /* writable; a connect has ended, well or badly                   */
    EVENT_HANGUP = 1u << 2, /* reported only: the other end closed its direction or all of it */
    EVENT_ERROR = 1u << 3,  /* reported only: SO_ERROR has the reason                         */
    /* Interest flag: report changes rather than states. Level (the default) cannot lose an event
     * and suits listeners, channels and signals. Edge suits data sockets: register once for both
     * directions, remember readiness in the connection, read and write until EAGAIN; then no
     * system call is spent on changing interest for the whole life of the connection. */
    EVENT_EDGE = 1u << 4,
};

/* A registration. Carries slot and generation, so that an event that was already on its way when
 * a watch ended never reaches whoever reuses the slot. 0 is no watch. */
typedef uint64_t event_watch;
#define EVENT_NO_WATCH UINT64_C(0)

typedef void event_ready_fn(void *owner, uint32_t events);

/* Calls on_ready(owner, events) in every turn in which the descriptor has one of `events` (READ,
 * WRITE; ERROR and HANGUP always come). The descriptor stays the caller's and must outlive the
 * watch. Fails with NO_MEMORY or SYSTEM_CALL. */
bool reactor_watch(struct reactor *reactor, int fd, uint32_t events, event_ready_fn *on_ready,
                   void *owner, event_watch *ret_watch, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Changes the interest; costs nothing when it is what it was. */
bool reactor_rewatch(struct reactor *reactor, event_watch watch, uint32_t events,
                     struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Ends the watch and sets it to EVENT_NO_WATCH; call before closing the descriptor. */
void reactor_unwatch(struct reactor *reactor, event_watch *watch);
/* The same after the descriptor was closed, the only one of its socket: the kernel has forgotten it
 * already, and need not be asked. */
void reactor_forget(struct reactor *reactor, event_watch *watch);

/* ---- timers ---------------------------------------------------------------------------------- */

/* Lives inside its owner; all-zero is a valid idle timer. Arming and cancelling are O(1) and no
 * system call. Fires once, never early, at most EVENT_TICK_NS late (plus what the turn takes). An
 * armed timer keeps nothing awake but its own deadline. */
#define EVENT_TICK_NS INT64_C(10000000)
typedef void event_fire_fn(void *owner);
struct event_timer {
    struct event_timer *next, *prev; /* in a slot of the wheel; NULL: idle */
    uint64_t tick;                   /* when, in ticks                     */
    uint16_t slot;
    event_fire_fn *fire;
    void *owner;
};
/* (Re-)arms: fire(owner) at deadline_ns on the monotonic clock (a past one: next turn). */
void reactor_arm(struct reactor *reactor, struct event_timer *timer, int64_t deadline_ns,
                 event_fire_fn *fire, void *owner);
/* The same, from the turn's clock on. */
void reactor_arm_in(struct reactor *reactor, struct event_timer *timer, int64_t delay_ns,
                    event_fire_fn *fire, void *owner);
/* An idle timer may be cancelled too. Needed before the owner's memory goes. */
void reactor_cancel(struct reactor *reactor, struct event_timer *timer);
bool event_timer_is_armed(const struct event_timer *timer);

/* ---- deferred work --------------------------------------------------------------------------- */

/* Runs once, at the end of the turn, after all events and timers: the place to free what callbacks
 * further up may still hold. What is deferred by deferred work runs at the end of the next turn,
 * which then does not wait. All-zero is valid; lives inside its owner. */
typedef void event_deferred_fn(void *owner);
struct event_deferred {
    struct event_deferred *next, *prev;
    event_deferred_fn *run;
    void *owner;
    int64_t wait_ns;
};
/* Deferring what is deferred already changes nothing. */
void reactor_defer(struct reactor *reactor, struct event_deferred *work, event_deferred_fn *run,
                   void *owner);
/* The same for work that gives way to events: the turn at whose end it runs may wait for one, but
 * no longer than wait_ns. Finer than a timer. */
void reactor_defer_within(struct reactor *reactor, struct event_deferred *work, int64_t wait_ns,
                          event_deferred_fn *run, void *owner);
void reactor_undefer(struct reactor *reactor, struct event_deferred *work);

/* ---- signals --------------------------------------------------------------------------------- */

typedef void event_signal_fn(void *owner, int signo);
/* Blocks `count` signals for the thread and delivers them as events; once per reactor. A child
 * must unblock them (process_spawn does). Fails with SYSTEM_CALL. */
bool reactor_signals(struct reactor *reactor, const int *signals, size_t count,
                     event_signal_fn *on_signal, void *owner,
                     struct mutual_error *err) MUTUAL_MUST_CHECK;

#endif
