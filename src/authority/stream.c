/* SPDX-License-Identifier: Apache-2.0
 *
 * One connection as the authority sees it: first the frame of the worker that says who was proved,
 * read to its last byte and not beyond, then HTTP from the client. Until the frame comes, which is
 * when a client does, a stream costs a descriptor and nothing else.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "authority/authority_internal.h"
#include "identity/identity.h"

enum { METHOD_TEXT = 16 };

struct stream {
    TAILQ_ENTRY(stream) entry;
    struct streams *streams;
    uint32_t worker;
    int fd; /* -1: the service has it */
    event_watch watch;
    uint8_t head[EVIDENCE_HEAD];
    size_t have; /* of the head */
    struct mu_buf body;
    size_t want; /* of the body; 0: the head is not whole */
    struct evidence evidence;
    struct evidence_local local;
    struct mu_cert *leaf;
    struct mu_names *names;
    struct api_caller caller;
    struct http_service *service;
};

static void stream_free(struct stream *stream)
{
    struct streams *streams = stream->streams;
    TAILQ_REMOVE(&streams->list, stream, entry);
    streams->count--;
    reactor_unwatch(streams->reactor, &stream->watch);
    if (stream->fd != -1) {
        (void)close(stream->fd);
    }
    mu_buf_done(&stream->body);
    mu_names_free(stream->names);
    mu_cert_unref(stream->leaf);
    mu_free(stream);
}

/* ---- serving -----------------------------------------------------------------------------------
 */

static void on_request(void *owner, const struct http_request *request)
{
    struct stream *stream = owner;
    struct streams *streams = stream->streams;
    struct book *book = streams->book;
    int64_t start_ns = mu_clock_mono_ns();
    char method[METHOD_TEXT]; /* the request is gone when it is answered */
    char listener[EVIDENCE_LISTENER];
    (void)snprintf(method, sizeof method, "%.*s", (int)request->head->method.len,
                   (const char *)request->head->method.data);
    (void)snprintf(listener, sizeof listener, "%s", stream->caller.listener);
    unsigned status = api_answer(streams->tables, streams->table_count, streams->world, request,
                                 &stream->caller, mu_clock_wall_s());
    if (book != NULL) {
        book_request(book, listener, mu_slice_text(method), status, mu_clock_mono_ns() - start_ns);
    }
    if (streams->answered != NULL) {
        streams->answered(streams->owner);
    }
}

static void on_over(void *owner, const struct mutual_error *why)
{
    (void)why; /* the worker tells of the connection */
    stream_free(owner);
}

static bool know_caller(struct stream *stream, struct mutual_error *err)
{
    static const enum api_channel channels[] = {
        [EVIDENCE_PLAIN] = API_PLAIN, [EVIDENCE_TLS] = API_TLS, [EVIDENCE_MUTUAL] = API_MUTUAL};
    const struct evidence *evidence = &stream->evidence;
    stream->caller = (struct api_caller){.channel = channels[evidence->channel],
                                         .listener = evidence->listener,
                                         .address = evidence->address};
    if (evidence->channel != EVIDENCE_MUTUAL) {
        return true;
    }
    if (!mu_cert_from_der(evidence->leaf, &stream->leaf, err) ||
        !mu_names_from_cert(stream->leaf, &stream->names, err)) {
        return false;
    }
    stream->caller.leaf = stream->leaf;
    stream->caller.names = mu_names_list(stream->names, &stream->caller.name_count);
    return true;
}

static bool begin_service(struct stream *stream, struct mutual_error *err)
{
    struct streams *streams = stream->streams;
    const struct http_service_options options = {
        .reactor = streams->reactor,
        .server = {.handle = on_request, .owner = stream, .body_max = MU_LIMIT_API_BODY},
        .times = http_times_default,
        .over = on_over,
        .over_owner = stream,
    };
    int fd = stream->fd;
    reactor_unwatch(streams->reactor, &stream->watch);
    stream->fd = -1;
    return http_service_new(&options, fd, &stream->service, err);
}

static bool serve(struct stream *stream, struct mutual_error *err)
{
    return evidence_body_read(mu_buf_slice(&stream->body), &stream->evidence, err) &&
           know_caller(stream, err) && begin_service(stream, err);
}

/* ---- the frame ---------------------------------------------------------------------------------
 */

/* Exactly what is missing, so that what follows is left to HTTP. False: nothing came. */
static bool receive(struct stream *stream, uint8_t *data, size_t len, size_t *ret_len,
                    bool *ret_end)
{
    ssize_t n = recv(stream->fd, data, len, MSG_DONTWAIT);
    *ret_end = n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR);
    *ret_len = n > 0 ? (size_t)n : 0;
    return n > 0;
}

static bool read_head(struct stream *stream, bool *ret_end, struct mutual_error *err)
{
    size_t len = 0;
    if (receive(stream, stream->head + stream->have, EVIDENCE_HEAD - stream->have, &len, ret_end)) {
        stream->have += len;
    }
    return stream->have < EVIDENCE_HEAD || evidence_head_read(stream->head, &stream->want, err);
}

static bool read_body(struct stream *stream, bool *ret_end, struct mutual_error *err)
{
    size_t left = stream->want - stream->body.len;
    uint8_t *room = mu_buf_reserve(&stream->body, left);
    size_t len = 0;
    if (room == NULL) {
        return mu_fail_memory(err);
    }
    if (receive(stream, room, left, &len, ret_end)) {
        stream->body.len += len;
    }
    return true;
}

static void on_ready(void *owner, uint32_t events)
{
    struct stream *stream = owner;
    struct mutual_error err = {0};
    bool end = false;
    (void)events;
    bool good = stream->want > 0 ? read_body(stream, &end, &err) : read_head(stream, &end, &err);
    if (good && !end && stream->want > 0 && stream->body.len == stream->want) {
        good = serve(stream, &err);
    }
    if (!good) {
        api_log(stream->streams->world, "a connection of worker %u: error[%s]: %s", stream->worker,
                mutual_code_name(err.code), err.reason);
    }
    if (!good || end) {
        stream_free(stream);
    }
}

/* ---- all of them -------------------------------------------------------------------------------
 */

void streams_init(struct streams *streams)
{
    TAILQ_INIT(&streams->list);
}

void streams_done(struct streams *streams)
{
    while (!TAILQ_EMPTY(&streams->list)) {
        struct stream *stream = TAILQ_FIRST(&streams->list);
        http_service_free(stream->service);
        stream_free(stream);
    }
}

#define LOCAL UINT32_MAX /* in the place of a worker's number */

static bool may_add(const struct streams *streams, uint32_t worker)
{
    size_t own = 0;
    const struct stream *stream;
    TAILQ_FOREACH(stream, &streams->list, entry)
    {
        own += stream->worker == worker;
    }
    return streams->count < STREAMS_MAX && own < STREAMS_PER_WORKER;
}

static bool stream_new(struct streams *streams, int take_fd, uint32_t worker,
                       struct stream **ret_stream, struct mutual_error *err)
{
    struct stream *stream = may_add(streams, worker) ? mu_alloc(1, sizeof *stream) : NULL;
    if (stream == NULL) {
        (void)close(take_fd);
        char who[32] = "this machine";
        if (worker != LOCAL) {
            (void)snprintf(who, sizeof who, "worker %u", worker);
        }
        return mu_fail(err, MUTUAL_E_LIMIT, "%s has as many connections as it may have", who);
    }
    stream->streams = streams;
    stream->worker = worker;
    stream->fd = take_fd;
    mu_buf_init(&stream->body, EVIDENCE_BODY);
    TAILQ_INSERT_TAIL(&streams->list, stream, entry);
    streams->count++;
    *ret_stream = stream;
    return true;
}

bool streams_add_local(struct streams *streams, int take_fd, const struct evidence_local *local,
                       struct mutual_error *err)
{
    struct stream *stream = NULL;
    if (!stream_new(streams, take_fd, LOCAL, &stream, err)) {
        return false;
    }
    stream->local = *local;
    stream->caller = (struct api_caller){
        .channel = API_LOCAL, .listener = "control", .address = "local", .user = stream->local.who};
    if (!begin_service(stream, err)) {
        stream_free(stream);
        return false;
    }
    return true;
}

bool streams_add(struct streams *streams, int take_fd, uint32_t worker, struct mutual_error *err)
{
    struct stream *stream = NULL;
    if (!stream_new(streams, take_fd, worker, &stream, err)) {
        return false;
    }
    if (!reactor_watch(streams->reactor, take_fd, EVENT_READ, on_ready, stream, &stream->watch,
                       err)) {
        stream_free(stream);
        return false;
    }
    return true;
}
