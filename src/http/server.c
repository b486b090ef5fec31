/* SPDX-License-Identifier: Apache-2.0
 *
 * A server's connection as a machine over bytes: one request after the other, each answered before
 * the next is looked at.
 */
#include <stdio.h>
#include <string.h>

#include "http/http_internal.h"

struct http_exchange {
    struct http_server *server;
};

struct http_server {
    const struct http_server_options *options;
    enum http_phase phase;
    struct mu_buf in; /* the head under way, kept while its request is */
    struct http_scan scan;
    struct http_head head;
    struct http_body body;
    struct mu_buf content;
    struct mu_buf out;
    struct http_exchange exchange;
    unsigned requests;
    bool closing; /* after this request */
    http_answered_fn *answered;
    void *answered_owner;
    struct mutual_error error;
};

struct http_server *http_server_new(const struct http_server_options *options)
{
    struct http_server *server = mu_alloc(1, sizeof *server);
    if (server != NULL) {
        server->options = options;
        server->exchange.server = server;
        mu_buf_init(&server->in, MU_LIMIT_HTTP_HEAD + 1);
        mu_buf_init(&server->content, options->body_max);
        mu_buf_init_secret(&server->out, MU_LIMIT_HTTP_RESPONSE); /* a copy of what was answered */
    }
    return server;
}

void http_server_free(struct http_server *server)
{
    if (server != NULL) {
        mu_buf_done(&server->in);
        mu_buf_done(&server->content);
        mu_buf_done(&server->out);
        mu_free(server);
    }
}

struct mu_buf *http_server_out(struct http_server *server)
{
    return &server->out;
}

enum http_phase http_server_phase(const struct http_server *server)
{
    return server->phase;
}

const struct mutual_error *http_server_error(const struct http_server *server)
{
    return &server->error;
}

void http_server_on_answer(struct http_server *server, http_answered_fn *answered, void *owner)
{
    server->answered = answered;
    server->answered_owner = owner;
}

/* ---- answering ---------------------------------------------------------------------------------
 */

static int64_t now_s(const struct http_server *server)
{
    const struct http_server_options *options = server->options;
    return options->clock_s != NULL ? options->clock_s(options->clock_context) : mu_clock_wall_s();
}

static void put_response(struct http_server *server, const struct http_response *response)
{
    struct mu_buf *out = &server->out;
    bool to_head = mu_slice_equal_text(server->head.method, "HEAD");
    bool bodiless = response->status < 200 || response->status == 204 || response->status == 304;
    http_put_status(out, response->status);
    http_put_date(out, "Date", now_s(server));
    if (server->options->server != NULL) {
        http_put_text(out, "Server", server->options->server);
    }
    if (response->content_type != NULL) {
        http_put_text(out, "Content-Type", response->content_type);
    }
    if (!bodiless) {
        http_put_length(out, response->body.len);
    }
    if (server->closing) {
        http_put_text(out, "Connection", "close");
    }
    if (response->fields != NULL) {
        response->fields(response->context, out);
    }
    http_put_end(out);
    if (!bodiless && !to_head) {
        (void)mu_buf_append(out, response->body.data, response->body.len);
    }
}

static void forget_request(struct http_server *server)
{
    mu_buf_clear(&server->in);
    mu_buf_clear(&server->content);
    server->scan = (struct http_scan){0};
}

static void respond(struct http_server *server, const struct http_response *response)
{
    size_t before = server->out.len;
    server->closing = server->closing || response->close || !server->head.keep_alive;
    put_response(server, response);
    if (server->out.failed) { /* half a response is worse than none */
        server->out.failed = false;
        server->out.len = before;
        server->closing = true;
        put_response(server, &(struct http_response){.status = 500});
    }
    server->phase = server->closing ? HTTP_PHASE_OVER : HTTP_PHASE_IDLE;
    forget_request(server);
}

void http_answer(struct http_exchange *exchange, const struct http_response *response)
{
    struct http_server *server = exchange->server;
    mu_assert(server->phase == HTTP_PHASE_HANDLER);
    respond(server, response);
    if (server->answered != NULL) {
        server->answered(server->answered_owner);
    }
}

/* What a reader of our refusal may learn: the status; the log has the rest. */
static void refuse(struct http_server *server, unsigned status)
{
    server->head.method = mu_slice_of(NULL, 0);
    respond(server, &(struct http_response){.status = status, .close = true});
}

static void refuse_malformed(struct http_server *server, unsigned too_large)
{
    refuse(server, server->error.code == MUTUAL_E_HTTP_LIMIT         ? too_large
                   : server->error.code == MUTUAL_E_HTTP_UNSUPPORTED ? 501
                   : server->error.code == MUTUAL_E_NO_MEMORY        ? 503
                                                                     : 400);
}

void http_server_late(struct http_server *server)
{
    bool under_way = server->phase == HTTP_PHASE_HEAD || server->phase == HTTP_PHASE_BODY;
    if (server->phase == HTTP_PHASE_HANDLER) {
        return; /* the handler's own business, and it has the exchange */
    }
    if (under_way) {
        (void)mu_fail(&server->error, MUTUAL_E_HTTP_TIMEOUT,
                      "the HTTP request did not arrive in time");
        refuse(server, 408);
    }
    server->phase = HTTP_PHASE_OVER;
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static void hand_over(struct http_server *server)
{
    const struct http_request request = {
        .head = &server->head,
        .body = mu_buf_slice(&server->content),
        .exchange = &server->exchange,
    };
    unsigned most = server->options->requests_max;
    server->requests++;
    server->closing = server->requests >= (most > 0 ? most : MU_LIMIT_HTTP_REQUESTS);
    server->phase = HTTP_PHASE_HANDLER;
    server->options->handle(server->options->owner, &request);
}

static void begin_body(struct http_server *server, bool waits)
{
    if (!http_body_init(&server->body, &server->head, server->options->body_max, &server->error)) {
        refuse_malformed(server, 413);
        return;
    }
    server->phase = HTTP_PHASE_BODY;
    if (server->head.expect_continue && waits) {
        (void)mu_buf_text(&server->out, "HTTP/1.1 100 Continue\r\n\r\n");
    }
}

/* Bytes of the head go into our own buffer, so that what is parsed stays where it is. */
static void read_head(struct http_server *server, struct mu_slice *in)
{
    size_t len = 0;
    size_t before = server->in.len;
    size_t room = MU_LIMIT_HTTP_HEAD + 1 - before;
    size_t some = in->len < room ? in->len : room;
    server->phase = HTTP_PHASE_HEAD;
    if (!mu_buf_append(&server->in, in->data, some)) {
        (void)mu_fail_memory(&server->error);
        refuse_malformed(server, 431);
        return;
    }
    enum http_step step = http_scan(&server->scan, mu_buf_slice(&server->in), &len, &server->error);
    size_t taken = step == HTTP_DONE ? len - before : some;
    *in = mu_slice_of(in->data + taken, in->len - taken);
    if (step == HTTP_FAILED) {
        refuse_malformed(server, 431);
    } else if (step == HTTP_DONE) {
        server->in.len = len;
        if (http_request_parse(mu_buf_slice(&server->in), &server->head, &server->error)) {
            begin_body(server, in->len == 0);
        } else {
            server->head.keep_alive = false;
            refuse_malformed(server, 431);
        }
    }
}

static void read_body(struct http_server *server, struct mu_slice *in)
{
    struct mu_slice piece;
    enum http_step step = http_body_read(&server->body, in, &piece, &server->error);
    if (step != HTTP_FAILED && !mu_buf_append(&server->content, piece.data, piece.len)) {
        (void)mu_fail_memory(&server->error);
        step = HTTP_FAILED;
    }
    if (step == HTTP_FAILED) {
        refuse_malformed(server, 413);
    } else if (step == HTTP_DONE) {
        hand_over(server);
    }
}

void http_server_feed(struct http_server *server, struct mu_slice *in)
{
    for (;;) {
        if (server->phase == HTTP_PHASE_OVER) {
            *in = mu_slice_of(in->data + in->len, 0);
            return;
        }
        /* A body of no bytes is over without any. */
        bool empty_body = server->phase == HTTP_PHASE_BODY;
        if (server->phase == HTTP_PHASE_HANDLER || (in->len == 0 && !empty_body)) {
            return;
        }
        size_t before = in->len;
        if (server->phase == HTTP_PHASE_BODY) {
            read_body(server, in);
            if (in->len == before && server->phase == HTTP_PHASE_BODY) {
                return;
            }
        } else {
            read_head(server, in);
        }
    }
}
