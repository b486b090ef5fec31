/* SPDX-License-Identifier: Apache-2.0
 *
 * The reactor: turns, watches, deferred work, signals. Waiting is the backend's, timers are the
 * wheel's.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "event/event_internal.h"

#define REPORTS_MAX 128u
#define WATCHES_MAX (1u << 22)

struct watch {
    int fd; /* -1: free */
    uint32_t events;
    uint32_t generation; /* never 0, so that no tag is EVENT_NO_WATCH */
    uint32_t next_free;  /* slot + 1; 0: none */
    event_ready_fn *on_ready;
    void *owner;
};

struct reactor {
    const struct event_backend *backend;
    void *waiting;
    struct watch *watches;
    size_t watch_count, watch_cap;
    uint32_t free_watch; /* slot + 1; 0: none */
    struct wheel wheel;
    struct event_deferred deferred; /* list head */
    struct event_deferred marker;   /* while it is run: the end of what waited before */
    int64_t now_ns, now_s;
    bool stopping;
    int signal_fd;
    event_watch signal_watch;
    event_signal_fn *on_signal;
    void *signal_owner;
};

static void read_clocks(struct reactor *reactor)
{
    reactor->now_ns = mu_clock_mono_ns();
    reactor->now_s = mu_clock_wall_s();
}

bool reactor_new(struct reactor **ret_reactor, struct mutual_error *err)
{
    struct reactor *reactor = mu_alloc(1, sizeof *reactor);
    if (reactor == NULL) {
        return mu_fail_memory(err);
    }
    reactor->signal_fd = -1;
    reactor->deferred.next = &reactor->deferred;
    reactor->deferred.prev = &reactor->deferred;
    reactor->backend = &event_epoll;
    reactor->waiting = reactor->backend->start(err);
    if (reactor->waiting == NULL) {
        mu_free(reactor);
        return false;
    }
    read_clocks(reactor);
    wheel_init(&reactor->wheel, (uint64_t)(reactor->now_ns / EVENT_TICK_NS));
    *ret_reactor = reactor;
    return true;
}

static void run_deferred(struct reactor *reactor);

void reactor_free(struct reactor *reactor)
{
    if (reactor == NULL) {
        return;
    }
    while (reactor->deferred.next != &reactor->deferred) {
        run_deferred(reactor);
    }
    wheel_drop(&reactor->wheel);
    reactor->backend->end(reactor->waiting);
    if (reactor->signal_fd != -1) {
        (void)close(reactor->signal_fd);
    }
    mu_free(reactor->watches);
    mu_free(reactor);
}

int64_t reactor_now_ns(const struct reactor *reactor)
{
    return reactor->now_ns;
}

int64_t reactor_now_s(const struct reactor *reactor)
{
    return reactor->now_s;
}

void reactor_stop(struct reactor *reactor)
{
    reactor->stopping = true;
}

bool reactor_is_stopping(const struct reactor *reactor)
{
    return reactor->stopping;
}

/* ---- watches --------------------------------------------------------------------------------- */

static event_watch tag_of(const struct reactor *reactor, uint32_t slot)
{
    return (uint64_t)reactor->watches[slot].generation << 32 | slot;
}

/* The watch of a tag, or NULL when it has ended. */
static struct watch *find_watch(const struct reactor *reactor, event_watch tag)
{
    uint32_t slot = (uint32_t)tag;
    if (tag == EVENT_NO_WATCH || slot >= reactor->watch_count) {
        return NULL;
    }
    struct watch *watch = &reactor->watches[slot];
    return watch->fd != -1 && watch->generation == tag >> 32 ? watch : NULL;
}

static void free_slot(struct reactor *reactor, struct watch *watch)
{
    watch->fd = -1;
    watch->generation = watch->generation == UINT32_MAX ? 1 : watch->generation + 1;
    watch->next_free = reactor->free_watch;
    reactor->free_watch = (uint32_t)(watch - reactor->watches) + 1;
}

static bool take_slot(struct reactor *reactor, uint32_t *ret_slot)
{
    if (reactor->free_watch != 0) {
        *ret_slot = reactor->free_watch - 1;
        reactor->free_watch = reactor->watches[*ret_slot].next_free;
        return true;
    }
    if (!mu_grow((void **)&reactor->watches, &reactor->watch_cap, reactor->watch_count,
                 sizeof *reactor->watches, WATCHES_MAX)) {
        return false;
    }
    *ret_slot = (uint32_t)reactor->watch_count++;
    reactor->watches[*ret_slot] = (struct watch){.generation = 1};
    return true;
}

bool reactor_watch(struct reactor *reactor, int fd, uint32_t events, event_ready_fn *on_ready,
                   void *owner, event_watch *ret_watch, struct mutual_error *err)
{
    uint32_t slot;
    if (!take_slot(reactor, &slot)) {
        return mu_fail_memory(err);
    }
    struct watch *watch = &reactor->watches[slot];
    watch->fd = fd;
    watch->events = events;
    watch->on_ready = on_ready;
    watch->owner = owner;
    if (!reactor->backend->add(reactor->waiting, fd, events, tag_of(reactor, slot), err)) {
        free_slot(reactor, watch);
        return false;
    }
    *ret_watch = tag_of(reactor, slot);
    return true;
}

bool reactor_rewatch(struct reactor *reactor, event_watch tag, uint32_t events,
                     struct mutual_error *err)
{
    struct watch *watch = find_watch(reactor, tag);
    mu_assert(watch != NULL);
    if (watch->events == events) {
        return true;
    }
    if (!reactor->backend->change(reactor->waiting, watch->fd, events, tag, err)) {
        return false;
    }
    watch->events = events;
    return true;
}

void reactor_unwatch(struct reactor *reactor, event_watch *tag)
{
    struct watch *watch = find_watch(reactor, *tag);
    *tag = EVENT_NO_WATCH;
    if (watch != NULL) {
        reactor->backend->remove(reactor->waiting, watch->fd);
        free_slot(reactor, watch);
    }
}

void reactor_forget(struct reactor *reactor, event_watch *tag)
{
    struct watch *watch = find_watch(reactor, *tag);
    *tag = EVENT_NO_WATCH;
    if (watch != NULL) {
        free_slot(reactor, watch);
    }
}

/* ---- timers ---------------------------------------------------------------------------------- */

void reactor_arm(struct reactor *reactor, struct event_timer *timer, int64_t deadline_ns,
                 event_fire_fn *fire, void *owner)
{
    wheel_remove(&reactor->wheel, timer);
    timer->fire = fire;
    timer->owner = owner;
    uint64_t ns = deadline_ns > 0 ? (uint64_t)deadline_ns : 0;
    const uint64_t per_tick = (uint64_t)EVENT_TICK_NS;
    wheel_put(&reactor->wheel, timer, ns / per_tick + (ns % per_tick != 0 ? 1 : 0));
}

void reactor_arm_in(struct reactor *reactor, struct event_timer *timer, int64_t delay_ns,
                    event_fire_fn *fire, void *owner)
{
    int64_t deadline;
    if (__builtin_add_overflow(reactor->now_ns, delay_ns, &deadline)) {
        deadline = INT64_MAX;
    }
    reactor_arm(reactor, timer, deadline, fire, owner);
}

void reactor_cancel(struct reactor *reactor, struct event_timer *timer)
{
    wheel_remove(&reactor->wheel, timer);
}

bool event_timer_is_armed(const struct event_timer *timer)
{
    return timer->next != NULL;
}

/* ---- deferred work --------------------------------------------------------------------------- */

void reactor_defer_within(struct reactor *reactor, struct event_deferred *work, int64_t wait_ns,
                          event_deferred_fn *run, void *owner)
{
    if (work->next != NULL) {
        return;
    }
    work->run = run;
    work->owner = owner;
    work->wait_ns = wait_ns;
    work->prev = reactor->deferred.prev;
    work->next = &reactor->deferred;
    work->prev->next = work;
    reactor->deferred.prev = work;
}

void reactor_defer(struct reactor *reactor, struct event_deferred *work, event_deferred_fn *run,
                   void *owner)
{
    reactor_defer_within(reactor, work, 0, run, owner);
}

void reactor_undefer(struct reactor *reactor, struct event_deferred *work)
{
    (void)reactor;
    if (work->next != NULL) {
        work->prev->next = work->next;
        work->next->prev = work->prev;
        work->next = NULL;
        work->prev = NULL;
    }
}

static void run_deferred(struct reactor *reactor)
{
    if (reactor->deferred.next == &reactor->deferred) {
        return;
    }
    struct event_deferred *marker = &reactor->marker;
    reactor_defer(reactor, marker, NULL, NULL);
    while (reactor->deferred.next != marker) {
        struct event_deferred *work = reactor->deferred.next;
        reactor_undefer(reactor, work);
        work->run(work->owner);
    }
    reactor_undefer(reactor, marker);
}

/* ---- signals --------------------------------------------------------------------------------- */

static void signal_ready(void *owner, uint32_t events)
{
    struct reactor *reactor = owner;
    (void)events;
    struct signalfd_siginfo info;
    while (read(reactor->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        reactor->on_signal(reactor->signal_owner, (int)info.ssi_signo);
    }
}

bool reactor_signals(struct reactor *reactor, const int *signals, size_t count,
                     event_signal_fn *on_signal, void *owner, struct mutual_error *err)
{
    mu_assert(reactor->signal_fd == -1);
    sigset_t set;
    (void)sigemptyset(&set);
    for (size_t i = 0; i < count; i++) {
        (void)sigaddset(&set, signals[i]);
    }
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd == -1 || sigprocmask(SIG_BLOCK, &set, NULL) == -1) {
        int sys = errno;
        if (fd != -1) {
            (void)close(fd);
        }
        return mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, sys, "could not receive signals");
    }
    if (!reactor_watch(reactor, fd, EVENT_READ, signal_ready, reactor, &reactor->signal_watch,
                       err)) {
        (void)close(fd);
        return false;
    }
    reactor->signal_fd = fd;
    reactor->on_signal = on_signal;
    reactor->signal_owner = owner;
    return true;
}

/* ---- turns ----------------------------------------------------------------------------------- */

/* How long this turn may wait: until the wheel has something to do, at most max_wait_ns and what
 * deferred work gives. */
static int64_t wait_ns(const struct reactor *reactor, int64_t max_wait_ns)
{
    const struct event_deferred *work = reactor->deferred.next;
    for (; work != &reactor->deferred && max_wait_ns != 0; work = work->next) {
        max_wait_ns = max_wait_ns < 0 || work->wait_ns < max_wait_ns ? work->wait_ns : max_wait_ns;
    }
    if (max_wait_ns == 0 || reactor->stopping) {
        return 0;
    }
    uint64_t tick = wheel_next(&reactor->wheel);
    if (tick == WHEEL_NEVER || tick > (uint64_t)(INT64_MAX / EVENT_TICK_NS)) {
        return max_wait_ns;
    }
    int64_t until = (int64_t)tick * EVENT_TICK_NS - mu_clock_mono_ns();
    until = until > 0 ? until : 0;
    return max_wait_ns >= 0 && max_wait_ns < until ? max_wait_ns : until;
}

bool reactor_turn(struct reactor *reactor, int64_t max_wait_ns, struct mutual_error *err)
{
    struct event_report reports[REPORTS_MAX];
    size_t count = 0;
    if (!reactor->backend->wait(reactor->waiting, wait_ns(reactor, max_wait_ns), reports,
                                REPORTS_MAX, &count, err)) {
        return false;
    }
    read_clocks(reactor);
    for (size_t i = 0; i < count; i++) {
        const struct watch *watch = find_watch(reactor, reports[i].tag);
        if (watch != NULL) { /* else: ended by an earlier callback of this turn */
            watch->on_ready(watch->owner, reports[i].events);
        }
    }
    wheel_advance(&reactor->wheel, (uint64_t)(reactor->now_ns / EVENT_TICK_NS));
    run_deferred(reactor);
    return true;
}

bool reactor_run(struct reactor *reactor, struct mutual_error *err)
{
    reactor->stopping = false;
    while (!reactor->stopping) {
        if (!reactor_turn(reactor, -1, err)) {
            return false;
        }
    }
    return true;
}
