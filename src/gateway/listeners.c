/* SPDX-License-Identifier: Apache-2.0
 *
 * Accepting. A listener whose service has all the connections it may have, or a process without
 * descriptors, stops to accept: who comes then waits in the kernel's queue until somebody leaves.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/record_internal.h"
#include "gateway/worker_internal.h"

enum { ACCEPTS = 4, OUT_OF_DESCRIPTORS_MS = 100, NO_PLACE_MS = 50 };

static void on_accept(void *owner, uint32_t events);

static bool watch(struct listener *listener, struct mutual_error *err)
{
    return reactor_watch(listener->worker->reactor, listener->fd, EVENT_READ, on_accept, listener,
                         &listener->watch, err);
}

static void pause_listener(struct listener *listener, const struct mutual_error *why)
{
    reactor_unwatch(listener->worker->reactor, &listener->watch);
    record_event(listener->worker, "connection_limit", listener->service->facts->name, why);
}

static void on_resume(void *owner);

/* The kernel's queue is the rest of the waiting room. */
static bool wait_for_place(struct listener *listener)
{
    struct worker *worker = listener->worker;
    reactor_unwatch(worker->reactor, &listener->watch);
    reactor_arm_in(worker->reactor, &worker->resume, NO_PLACE_MS * MU_NS_PER_MS, on_resume, worker);
    return false;
}

static bool may_accept(struct listener *listener)
{
    struct worker *worker = listener->worker;
    struct mutual_error why = {0};
    const struct service *service = listener->service;
    if (service->meter->figures[METER_open] >= service->max) {
        (void)mu_fail(&why, MUTUAL_E_CONNECTION_LIMIT,
                      "listener \"%s\" has all its %zu connections in this worker; who comes now "
                      "waits",
                      service->facts->name, service->max);
    } else if (worker->slab.used >= worker->max) {
        (void)mu_fail(&why, MUTUAL_E_CONNECTION_LIMIT,
                      "this worker has all its %zu connections; who comes now waits", worker->max);
        mu_error_hint(&why, "Raise the limit of open files (LimitNOFILE=), or add workers.");
    } else if (service->facts->inbound != NULL && !gate_has_place(&worker->gate)) {
        return wait_for_place(listener);
    } else {
        return true;
    }
    pause_listener(listener, &why);
    return false;
}

static void on_resume(void *owner)
{
    struct worker *worker = owner;
    listeners_resume(&worker->listeners);
}

/* Would be tried again at once, over and over: the connection stays in the queue. */
static void out_of_descriptors(struct listener *listener, int sys)
{
    struct worker *worker = listener->worker;
    struct mutual_error why = {0};
    (void)mu_fail_errno(&why, MUTUAL_E_CONNECTION_LIMIT, sys, "could not accept for \"%s\"",
                        listener->service->facts->name);
    pause_listener(listener, &why);
    reactor_arm_in(worker->reactor, &worker->resume, OUT_OF_DESCRIPTORS_MS * MU_NS_PER_MS,
                   on_resume, worker);
}

/* False: there is nothing more to accept now, or no place for it. */
static bool accept_one(struct listener *listener)
{
    struct mutual_error err = {0};
    struct sockaddr_storage peer = {0};
    socklen_t len = sizeof peer;
    if (!may_accept(listener)) {
        return false;
    }
    int fd = accept4(listener->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd != -1) {
        peer.ss_family = len < sizeof peer.ss_family ? AF_UNIX : peer.ss_family;
        struct worker *worker = listener->worker;
        if (listener->service->facts->inbound != NULL &&
            !gate_lets_in(&worker->gate, listener->service, &peer)) {
            (void)close(fd);
        } else if (!conn_open(listener->service, fd, &peer, &err)) {
            record_event(listener->worker, "accept_failed", listener->service->facts->name, &err);
        }
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        out_of_descriptors(listener, errno);
        return false;
    }
    /* accept(2): errors of the connection itself are passed on, and are no reason to stop */
    return errno != EAGAIN && errno != EINVAL && errno != EBADF;
}

void listener_accept(struct listener *listener)
{
    if (!accept_one(listener)) {
        gate_forget(&listener->worker->gate, listener);
        listeners_resume(&(struct listeners){.items = listener, .count = 1});
    }
}

static void on_accept(void *owner, uint32_t events)
{
    struct listener *listener = owner;
    struct worker *worker = listener->worker;
    (void)events;
    if (listener->service->facts->inbound != NULL && !gate_lets_accept(&worker->gate, listener)) {
        reactor_unwatch(worker->reactor, &listener->watch);
        return;
    }
    int left = ACCEPTS;
    while (left > 0 && accept_one(listener)) {
        left--;
    }
}

bool listeners_new(struct worker *worker, struct generation *generation, const int *take_fds,
                   const uint32_t *services, size_t count, struct listeners *ret_listeners,
                   struct mutual_error *err)
{
    struct listeners listeners = {.items = mu_alloc(count + 1, sizeof *listeners.items)};
    bool ok = listeners.items != NULL || mu_fail_memory(err);
    for (size_t i = 0; i < count; i++) {
        if (!ok || services[i] >= generation->count) {
            ok = ok && mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "a listener is for no service");
            (void)close(take_fds[i]);
            continue;
        }
        listeners.items[listeners.count++] = (struct listener){
            .worker = worker, .service = &generation->services[services[i]], .fd = take_fds[i]};
    }
    if (!ok) {
        listeners_done(&listeners);
        return false;
    }
    *ret_listeners = listeners;
    return true;
}

void listeners_start(struct listeners *listeners)
{
    struct mutual_error err = {0};
    for (size_t i = 0; i < listeners->count; i++) {
        struct listener *listener = &listeners->items[i];
        if (listener->watch == EVENT_NO_WATCH && !watch(listener, &err)) {
            record_event(listener->worker, "listen_failed", listener->service->facts->name, &err);
        }
    }
}

void listeners_done(struct listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++) {
        struct listener *listener = &listeners->items[i];
        gate_forget(&listener->worker->gate, listener);
        reactor_unwatch(listener->worker->reactor, &listener->watch);
        (void)close(listener->fd);
    }
    mu_free(listeners->items);
    *listeners = (struct listeners){0};
}

void listeners_resume(struct listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++) {
        struct listener *listener = &listeners->items[i];
        struct worker *worker = listener->worker;
        if (listener->watch == EVENT_NO_WATCH && !listener->calling &&
            !event_timer_is_armed(&worker->resume) &&
            listener->service->meter->figures[METER_open] < listener->service->max &&
            worker->slab.used < worker->max) {
            listeners_start(&(struct listeners){.items = listener, .count = 1});
        }
    }
}
