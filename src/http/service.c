/* SPDX-License-Identifier: Apache-2.0
 *
 * A server's connection on a socket: moves bytes between it and the machine, and keeps the time.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/http_internal.h"

enum { READ_MAX = 16384, LINGER_MAX = 1 << 20 };

const struct http_times http_times_default = {
    .connect_ns = 5 * MU_NS_PER_S,
    .handshake_ns = 10 * MU_NS_PER_S,
    .head_ns = 10 * MU_NS_PER_S,
    .body_ns = 60 * MU_NS_PER_S,
    .write_ns = 30 * MU_NS_PER_S,
    .idle_ns = 60 * MU_NS_PER_S,
};

struct http_service {
    struct http_service_options options;
    struct http_server *server;
    struct http_wire wire;
    event_watch watch;
    struct event_timer timer;
    struct event_deferred wake;
    struct mu_buf in;      /* read, and waiting for its turn */
    enum http_phase timed; /* which phase the timer is for */
    bool writing;          /* ... or that something is taken */
    bool shut;             /* all is said: what still comes is not looked at */
    size_t lingered;
    bool gone; /* the peer closed, one direction or all, while the handler is at work */
};

static void step(struct http_service *service);

void http_service_free(struct http_service *service)
{
    if (service == NULL) {
        return;
    }
    reactor_unwatch(service->options.reactor, &service->watch);
    reactor_cancel(service->options.reactor, &service->timer);
    reactor_undefer(service->options.reactor, &service->wake);
    http_server_free(service->server);
    http_wire_done(&service->wire);
    mu_buf_done(&service->in);
    mu_free(service);
}

bool http_service_is_idle(const struct http_service *service)
{
    enum http_phase phase = http_server_phase(service->server);
    bool reading = phase == HTTP_PHASE_IDLE || phase == HTTP_PHASE_HEAD || phase == HTTP_PHASE_BODY;
    return service->shut ||
           (reading && !service->writing && http_server_out(service->server)->len == 0);
}

static void finish(struct http_service *service, const struct mutual_error *why)
{
    struct http_service_options options = service->options;
    struct mutual_error kept = *why;
    http_service_free(service);
    if (options.over != NULL) {
        options.over(options.over_owner, &kept);
    }
}

/* ---- time --------------------------------------------------------------------------------------
 */

static void on_late(void *owner)
{
    struct http_service *service = owner;
    struct mutual_error why = *http_server_error(service->server);
    if (service->shut || service->writing) {
        if (service->writing && why.code == MUTUAL_OK) {
            (void)mu_fail(&why, MUTUAL_E_HTTP_TIMEOUT, "the HTTP response was not taken in time");
        }
        finish(service, &why);
        return;
    }
    http_server_late(service->server);
    step(service);
}

static int64_t time_of(const struct http_service *service, enum http_phase phase)
{
    const struct http_times *times = &service->options.times;
    switch (phase) {
    case HTTP_PHASE_IDLE:
        return times->idle_ns;
    case HTTP_PHASE_HEAD:
        return times->head_ns;
    case HTTP_PHASE_BODY:
        return times->body_ns;
    case HTTP_PHASE_HANDLER:
        return 0; /* the handler's own business */
    case HTTP_PHASE_OVER:
        return times->write_ns;
    }
    mu_never("a phase that is none");
}

/* A phase has its time as a whole: a byte now and then does not prolong it. */
static void keep_time(struct http_service *service, enum http_phase phase, bool writing)
{
    bool armed = event_timer_is_armed(&service->timer);
    if (phase == service->timed && writing == service->writing && armed) {
        return;
    }
    int64_t delay_ns = writing ? service->options.times.write_ns : time_of(service, phase);
    service->timed = phase;
    service->writing = writing;
    if (delay_ns > 0) {
        reactor_arm_in(service->options.reactor, &service->timer, delay_ns, on_late, service);
    } else {
        reactor_cancel(service->options.reactor, &service->timer);
    }
}

/* ---- bytes -------------------------------------------------------------------------------------
 */

/* Reads one piece and lets the machine have it; false at the end of the connection. */
static bool read_some(struct http_service *service, bool *ret_more, struct mutual_error *err)
{
    size_t got = 0;
    *ret_more = false;
    uint8_t *room = mu_buf_reserve(&service->in, READ_MAX);
    if (room == NULL) {
        return mu_fail_memory(err);
    }
    enum mutual_io io = http_wire_read(&service->wire, room, READ_MAX, &got, err);
    if (io == MUTUAL_IO_DONE) {
        service->in.len += got;
        *ret_more = true;
    }
    return io == MUTUAL_IO_DONE || io == MUTUAL_IO_WANT_READ || io == MUTUAL_IO_WANT_WRITE;
}

static void feed(struct http_service *service)
{
    struct mu_slice in = mu_buf_slice(&service->in);
    size_t before = in.len;
    http_server_feed(service->server, &in);
    mu_buf_consume(&service->in, before - in.len);
}

/* After our last word: what the peer still sends is read and dropped for a while, so that a reset
 * does not take that word from it (RFC 9112 section 9.6). True when it is over. */
static bool linger(struct http_service *service)
{
    uint8_t waste[4096];
    struct mutual_error lost = {0};
    size_t got = 0;
    enum mutual_io io = MUTUAL_IO_DONE;
    while (io == MUTUAL_IO_DONE && service->lingered < LINGER_MAX) {
        io = http_wire_read(&service->wire, waste, sizeof waste, &got, &lost);
        service->lingered += io == MUTUAL_IO_DONE ? got : 0;
    }
    return io != MUTUAL_IO_WANT_READ && io != MUTUAL_IO_WANT_WRITE;
}

static bool say_last(struct http_service *service)
{
    if (!service->shut) {
        http_wire_goodbye(&service->wire);
        (void)shutdown(service->wire.fd, SHUT_WR);
        service->shut = true;
    }
    return linger(service);
}

/* Sends, then reads and feeds, until neither goes on. False: it is over, err says why. */
static bool advance(struct http_service *service, struct mutual_error *err)
{
    bool more = true;
    while (more) {
        enum mutual_io io = http_wire_write(&service->wire, http_server_out(service->server), err);
        enum http_phase phase = http_server_phase(service->server);
        if (io == MUTUAL_IO_FAILED) {
            return false;
        }
        if (io == MUTUAL_IO_WANT_WRITE || phase == HTTP_PHASE_HANDLER) {
            keep_time(service, phase, io == MUTUAL_IO_WANT_WRITE);
            return true;
        }
        if (phase == HTTP_PHASE_OVER) {
            *err = *http_server_error(service->server);
            keep_time(service, phase, false);
            return !say_last(service);
        }
        keep_time(service, phase, false);
        more = service->in.len > 0;
        if (!more && !read_some(service, &more, err)) {
            return false;
        }
        feed(service);
    }
    return true;
}

static void step(struct http_service *service)
{
    struct mutual_error why = {0};
    struct mutual_error lost = {0};
    if (!advance(service, &why)) {
        finish(service, &why);
        return;
    }
    bool handling = http_server_phase(service->server) == HTTP_PHASE_HANDLER;
    uint32_t want =
        (service->writing ? EVENT_WRITE : 0) | (handling || service->writing ? 0 : EVENT_READ);
    if (!reactor_rewatch(service->options.reactor, service->watch, want, &lost)) {
        finish(service, &lost);
    }
}

static void on_ready(void *owner, uint32_t events)
{
    struct http_service *service = owner;
    bool broken = (events & (EVENT_ERROR | EVENT_HANGUP)) != 0;
    if (broken && http_server_phase(service->server) == HTTP_PHASE_HANDLER) {
        service->gone = true; /* which would be told again and again until the handler answers */
        reactor_unwatch(service->options.reactor, &service->watch);
        return;
    }
    step(service);
}

static void on_wake(void *owner)
{
    struct http_service *service = owner;
    struct mutual_error err = {0};
    if (service->gone && !reactor_watch(service->options.reactor, service->wire.fd, EVENT_WRITE,
                                        on_ready, service, &service->watch, &err)) {
        finish(service, &err);
        return;
    }
    service->gone = false;
    step(service);
}

/* A handler may answer from anywhere, its own call included. */
static void on_answered(void *owner)
{
    struct http_service *service = owner;
    reactor_defer(service->options.reactor, &service->wake, on_wake, service);
}

bool http_service_new(const struct http_service_options *options, int take_fd,
                      struct http_service **ret_service, struct mutual_error *err)
{
    struct http_service *service = mu_alloc(1, sizeof *service);
    if (service == NULL) {
        (void)close(take_fd);
        return mu_fail_memory(err);
    }
    service->options = *options;
    http_wire_init(&service->wire);
    service->wire.fd = take_fd;
    mu_buf_init(&service->in, READ_MAX);
    service->server = http_server_new(&service->options.server);
    if (service->server == NULL || !reactor_watch(options->reactor, take_fd, EVENT_READ, on_ready,
                                                  service, &service->watch, err)) {
        bool no_memory = service->server == NULL;
        http_service_free(service);
        return no_memory ? mu_fail_memory(err) : false;
    }
    http_server_on_answer(service->server, on_answered, service);
    keep_time(service, HTTP_PHASE_IDLE, false);
    *ret_service = service;
    return true;
}
