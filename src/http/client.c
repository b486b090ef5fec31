/* SPDX-License-Identifier: Apache-2.0
 *
 * One exchange of a client: connect, shake hands, ask, read the answer, follow it to another path
 * of the same host. A stage is a row of a table: what it does, how long it may take.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "http/http_internal.h"
#include "session/session.h"

enum { READ_MAX = 16384, INTERIM_MAX = 8 };

enum stage { STAGE_WANT, STAGE_CONNECT, STAGE_HANDSHAKE, STAGE_SEND, STAGE_HEAD, STAGE_BODY };

struct http_client {
    struct http_client_options options;
    char url_text[MU_LIMIT_HTTP_URL + 1];
    char host[256];
    char etag[MU_LIMIT_HTTP_VALIDATOR];
    char modified[MU_LIMIT_HTTP_VALIDATOR];
    struct http_url url;
    enum stage stage;
    unsigned attempt;
    unsigned redirects;
    unsigned interim;
    struct mutual_error unreached; /* why the address before this one was none */
    struct http_wire wire;
    event_watch watch;
    struct event_timer timer;
    struct event_deferred start;
    struct mu_buf content; /* to be sent */
    struct mu_buf out;
    struct mu_buf in;
    struct http_scan scan;
    struct http_head head;
    struct http_body body;
    struct mutual_rules rules;
    struct mutual_pattern *expect;
    struct mutual_context *context;
};

static void step(struct http_client *client);

/* ---- ends --------------------------------------------------------------------------------------
 */

static void hang_up(struct http_client *client)
{
    reactor_unwatch(client->options.reactor, &client->watch);
    reactor_cancel(client->options.reactor, &client->timer);
    http_wire_close(&client->wire);
}

static void forget_context(struct http_client *client)
{
    mutual_context_unref(MU_TAKE(client->context));
    mutual_pattern_free(MU_TAKE(client->expect));
}

void http_client_free(struct http_client *client)
{
    if (client == NULL) {
        return;
    }
    hang_up(client);
    reactor_undefer(client->options.reactor, &client->start);
    http_wire_done(&client->wire);
    forget_context(client);
    mu_buf_done(&client->content);
    mu_buf_done(&client->out);
    mu_buf_done(&client->in);
    mutual_trust_unref(client->options.trust);
    mu_free(client);
}

static void finish(struct http_client *client, bool has_head, const struct mutual_error *err)
{
    const struct http_result result = {
        .head = has_head ? &client->head : NULL,
        .bytes = client->body.taken,
        .redirects = client->redirects,
    };
    hang_up(client);
    client->options.done(client->options.owner, &result, err);
}

static void fail(struct http_client *client, struct mutual_error *err)
{
    (void)mu_error_context(err, "%s", client->url_text);
    finish(client, false, err);
}

/* ---- time --------------------------------------------------------------------------------------
 */

/* The host's next address. */
static void try_next(struct http_client *client, const struct mutual_error *why)
{
    hang_up(client);
    client->unreached = *why;
    client->stage = STAGE_WANT;
    client->options.want(client->options.owner, client, client->url.port, ++client->attempt);
}

static void on_late(void *owner)
{
    static const char *const waits[] = {
        [STAGE_WANT] = "no socket came",
        [STAGE_CONNECT] = "the server could not be reached",
        [STAGE_HANDSHAKE] = "TLS did not stand",
        [STAGE_SEND] = "the request was not taken",
        [STAGE_HEAD] = "no answer came",
        [STAGE_BODY] = "the answer was not whole",
    };
    struct http_client *client = owner;
    struct mutual_error err = {0};
    if (client->stage == STAGE_CONNECT) {
        (void)mu_fail(&err, MUTUAL_E_CONNECT_TIMEOUT, "%s in time", waits[client->stage]);
        try_next(client, &err);
        return;
    }
    (void)mu_fail(&err, MUTUAL_E_HTTP_TIMEOUT, "%s in time", waits[client->stage]);
    fail(client, &err);
}

static void enter(struct http_client *client, enum stage stage)
{
    const struct http_times *times = &client->options.times;
    const int64_t delays[] = {
        [STAGE_WANT] = 0,
        [STAGE_CONNECT] = times->connect_ns,
        [STAGE_HANDSHAKE] = times->handshake_ns,
        [STAGE_SEND] = times->write_ns,
        [STAGE_HEAD] = times->head_ns,
        [STAGE_BODY] = times->body_ns,
    };
    client->stage = stage;
    if (delays[stage] > 0) {
        reactor_arm_in(client->options.reactor, &client->timer, delays[stage], on_late, client);
    } else {
        reactor_cancel(client->options.reactor, &client->timer);
    }
}

/* ---- TLS ---------------------------------------------------------------------------------------
 */

/* Rules that expect the URL's host and nobody else. */
static bool make_context(struct http_client *client, struct mutual_error *err)
{
    bool literal = mutual_pattern_parse(MUTUAL_NAME_IP, client->host, &client->expect, NULL);
    if (!literal && !mutual_pattern_parse(MUTUAL_NAME_DNS, client->host, &client->expect, err)) {
        return false;
    }
    client->rules = (struct mutual_rules){
        .side = MUTUAL_SIDE_CLIENT,
        .service = client->host,
        .trust = client->options.trust,
        .expect = &client->expect,
        .expect_count = 1,
    };
    static const char *const alpn[] = {"http/1.1", NULL};
    const struct mutual_context_options options = {
        .rules = &client->rules,
        .alpn = alpn,
        .server_name = literal ? NULL : client->host,
        .identities = &client->options.identity,
        .identity_count = client->options.identity != NULL ? 1 : 0,
    };
    return mutual_context_new(&options, &client->context, err);
}

/* For a handshake in which nobody is believed: whoever comes out of it is never admitted. */
static bool make_blind_context(struct http_client *client, struct mutual_error *err)
{
    client->rules = (struct mutual_rules){.side = MUTUAL_SIDE_CLIENT, .service = client->host};
    const char *const alpn[] = {client->options.alpn, NULL};
    const struct mutual_context_options options = {
        .rules = &client->rules, .alpn = alpn, .server_name = client->options.server_name};
    const struct mu_context_extras extras = {.insecure_blind = true};
    return mu_context_new(&options, &extras, &client->context, err);
}

static bool is_look(const struct http_client *client)
{
    return client->options.shook != NULL;
}

static enum mutual_io begin_handshake(struct http_client *client, struct mutual_error *err)
{
    if (client->context == NULL &&
        !(is_look(client) ? make_blind_context(client, err) : make_context(client, err))) {
        return MUTUAL_IO_FAILED;
    }
    client->wire.session = mutual_session_new(client->context, err);
    if (client->wire.session == NULL) {
        return MUTUAL_IO_FAILED;
    }
    if (is_look(client) && !mu_session_observe(client->wire.session)) {
        (void)mu_fail_memory(err);
        return MUTUAL_IO_FAILED;
    }
    return MUTUAL_IO_DONE;
}

static enum mutual_io look(struct http_client *client, struct mutual_error *err)
{
    struct mutual_session_info info = {0};
    const struct mu_observed *seen = mu_session_observed(client->wire.session);
    mutual_session_info(client->wire.session, &info);
    if (seen == NULL || seen->cert_count == 0) {
        (void)mu_fail(err, MUTUAL_E_CERT_MALFORMED, "the server presented no certificate");
        return MUTUAL_IO_FAILED;
    }
    return client->options.shook(client->options.owner, info.alpn,
                                 mu_slice_of(seen->certs[0].data, seen->certs[0].len), err)
               ? MUTUAL_IO_DONE
               : MUTUAL_IO_FAILED;
}

static enum mutual_io do_handshake(struct http_client *client, struct mutual_error *err)
{
    if (!client->url.secure) {
        return MUTUAL_IO_DONE;
    }
    if (client->wire.session == NULL && begin_handshake(client, err) != MUTUAL_IO_DONE) {
        return MUTUAL_IO_FAILED;
    }
    enum mutual_io io = http_wire_handshake(&client->wire, err);
    if (io != MUTUAL_IO_DONE) {
        return io;
    }
    if (is_look(client)) {
        return look(client, err);
    }
    const struct mutual_verdict *verdict =
        mutual_session_admit(client->wire.session, mu_clock_wall_s());
    if (!verdict->allowed) {
        *err = verdict->why;
        return MUTUAL_IO_FAILED;
    }
    return MUTUAL_IO_DONE;
}

/* ---- asking ------------------------------------------------------------------------------------
 */

static bool is_get(const struct http_client *client)
{
    return strcmp(client->options.method, "GET") == 0;
}

static void put_optional(struct mu_buf *out, const char *name, const char *value)
{
    if (value != NULL && value[0] != '\0') {
        http_put_text(out, name, value);
    }
}

static bool put_request(struct http_client *client, struct mutual_error *err)
{
    struct mu_buf *out = &client->out;
    MU_AUTO(free) char *target = mu_slice_dup(client->url.target);
    MU_AUTO(free) char *authority = mu_slice_dup(client->url.authority);
    if (target == NULL || authority == NULL) {
        return mu_fail_memory(err);
    }
    mu_buf_clear(out);
    http_put_request(out, client->options.method, target, authority);
    http_put_text(out, "User-Agent", "mutual/" MUTUAL_VERSION);
    put_optional(out, "Accept", client->options.accept);
    put_optional(out, "Authorization", client->url.secure ? client->options.authorization : NULL);
    http_put_text(out, "Accept-Encoding", "identity");
    http_put_text(out, "Connection", "close");
    put_optional(out, "If-None-Match", client->etag);
    put_optional(out, "If-Modified-Since", client->modified);
    if (strcmp(client->options.method, "POST") == 0) {
        put_optional(out, "Content-Type", client->options.content_type);
        put_optional(out, "Idempotency-Key", client->options.idempotency_key);
        http_put_length(out, client->content.len);
    }
    http_put_end(out);
    (void)mu_buf_append(out, client->content.data, client->content.len);
    return !out->failed || mu_fail(err, MUTUAL_E_LIMIT, "the HTTP request does not fit");
}

static enum mutual_io do_connect(struct http_client *client, struct mutual_error *err)
{
    int sys = 0;
    socklen_t size = sizeof sys;
    if (getsockopt(client->wire.fd, SOL_SOCKET, SO_ERROR, &sys, &size) == -1) {
        sys = errno;
    }
    if (sys != 0) {
        (void)mu_fail_errno(err, MUTUAL_E_CONNECT_FAILED, sys, "could not connect");
        return MUTUAL_IO_FAILED;
    }
    return MUTUAL_IO_DONE;
}

static enum mutual_io do_send(struct http_client *client, struct mutual_error *err)
{
    enum mutual_io io = http_wire_write(&client->wire, &client->out, err);
    if (io == MUTUAL_IO_DONE) {
        client->scan = (struct http_scan){0};
        client->interim = 0;
        mu_buf_clear(&client->in);
    }
    return io;
}

/* ---- the answer --------------------------------------------------------------------------------
 */

/* Reads behind what is there; END only when the connection ended as it should. */
static enum mutual_io read_more(struct http_client *client, struct mutual_error *err)
{
    size_t got = 0;
    uint8_t *room = mu_buf_reserve(&client->in, READ_MAX);
    if (room == NULL) {
        (void)mu_fail(err, MUTUAL_E_HTTP_LIMIT, "the HTTP response's head is too long");
        return MUTUAL_IO_FAILED;
    }
    enum mutual_io io = http_wire_read(&client->wire, room, READ_MAX, &got, err);
    client->in.len += io == MUTUAL_IO_DONE ? got : 0;
    return io;
}

/* A content coding is refused, whatever it is: none was asked for, and a small answer must not
 * become a large one. */
static bool check_coding(const struct http_head *head, struct mutual_error *err)
{
    struct mu_slice coding;
    if (http_field_count(head, "Content-Encoding") == 0 ||
        (http_field_find(head, "Content-Encoding", &coding) &&
         http_equal_nocase(coding, MU_SLICE_LIT("identity")))) {
        return true;
    }
    return mu_fail(err, MUTUAL_E_HTTP_UNSUPPORTED,
                   "the HTTP response has a content coding, and none was asked for");
}

static bool take_head(struct http_client *client, size_t len, struct mutual_error *err)
{
    bool to_head = strcmp(client->options.method, "HEAD") == 0;
    struct mu_slice bytes = {client->in.data, len};
    if (!http_response_parse(bytes, to_head, &client->head, err)) {
        return false;
    }
    if (client->head.status >= 200) {
        return check_coding(&client->head, err) &&
               http_body_init(&client->body, &client->head, client->options.body_max, err);
    }
    if (client->head.status == 101 || ++client->interim > INTERIM_MAX) {
        return mu_fail(err, MUTUAL_E_HTTP_MALFORMED,
                       "the HTTP server switches protocols or answers for ever");
    }
    mu_buf_consume(&client->in, len);
    client->scan = (struct http_scan){0};
    return true;
}

static enum mutual_io do_head(struct http_client *client, struct mutual_error *err)
{
    for (;;) {
        size_t len = 0;
        enum http_step step = http_scan(&client->scan, mu_buf_slice(&client->in), &len, err);
        if (step == HTTP_FAILED || (step == HTTP_DONE && !take_head(client, len, err))) {
            return MUTUAL_IO_FAILED;
        }
        if (step == HTTP_DONE && client->head.status >= 200) {
            return MUTUAL_IO_DONE;
        }
        if (step == HTTP_DONE) {
            continue;
        }
        enum mutual_io io = read_more(client, err);
        if (io == MUTUAL_IO_END) {
            (void)mu_fail(err, MUTUAL_E_HTTP_TRUNCATED, "the server closed without an answer");
            return MUTUAL_IO_FAILED;
        }
        if (io != MUTUAL_IO_DONE) {
            return io;
        }
    }
}

/* Content of another status than 200 is read over: an error's page is no news. The head stays where
 * it is, in front of the content. */
static bool take_content(struct http_client *client, enum http_step *ret_step,
                         struct mutual_error *err)
{
    struct mu_slice in = {client->in.data + client->scan.at, client->in.len - client->scan.at};
    enum http_step step = HTTP_MORE;
    do {
        struct mu_slice piece;
        step = http_body_read(&client->body, &in, &piece, err);
        bool wanted = client->options.any_status || client->head.status == 200;
        if (step != HTTP_FAILED && piece.len > 0 && wanted &&
            !client->options.piece(client->options.owner, piece, err)) {
            return false;
        }
    } while (step == HTTP_MORE && in.len > 0);
    client->in.len = client->scan.at;
    *ret_step = step;
    return step != HTTP_FAILED;
}

static enum mutual_io do_body(struct http_client *client, struct mutual_error *err)
{
    for (;;) {
        enum http_step step = HTTP_MORE;
        if (!take_content(client, &step, err)) {
            return MUTUAL_IO_FAILED;
        }
        if (step == HTTP_DONE) {
            return MUTUAL_IO_DONE;
        }
        enum mutual_io io = read_more(client, err);
        if (io == MUTUAL_IO_END) {
            return http_body_end(&client->body, err) ? MUTUAL_IO_DONE : MUTUAL_IO_FAILED;
        }
        if (io != MUTUAL_IO_DONE) {
            return io;
        }
    }
}

/* ---- what follows from it ----------------------------------------------------------------------
 */

static bool set_url(struct http_client *client, struct mu_slice text, struct mutual_error *err)
{
    struct http_url url;
    if (!http_url_parse(text, &url, err)) {
        return false;
    }
    memcpy(client->url_text, text.data, text.len);
    client->url_text[text.len] = '\0';
    mu_assert(http_url_parse(mu_slice_text(client->url_text), &client->url, NULL));
    (void)snprintf(client->host, sizeof client->host, "%.*s", (int)client->url.host.len,
                   (const char *)client->url.host.data);
    return !client->url.secure || client->options.trust != NULL || is_look(client) ||
           mu_fail(err, MUTUAL_E_FETCH_FORBIDDEN,
                   "\"%s\" is https, and no trust block says which authorities to believe",
                   client->url_text);
}

/* The same host by name; https never becomes http; and the port is the URL's own, unless it goes
 * from the one scheme's usual port to the other's. */
static bool may_follow(const struct http_url *from, const struct http_url *to)
{
    bool upgrade = !from->secure && to->secure && from->port == 80 && to->port == 443;
    return http_equal_nocase(from->host, to->host) &&
           (upgrade || (from->secure == to->secure && from->port == to->port));
}

static bool follow(struct http_client *client, struct mutual_error *err)
{
    struct mu_slice location;
    struct http_url to;
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, MU_LIMIT_HTTP_URL + 1);
    if (!is_get(client) || client->redirects == client->options.redirects_max) {
        return mu_fail(err, MUTUAL_E_HTTP_STATUS, "the server redirects (status %u) once too often",
                       client->head.status);
    }
    if (!http_field_find(&client->head, "Location", &location) ||
        !http_url_resolve(&client->url, location, &text, err) ||
        !http_url_parse(mu_buf_slice(&text), &to, err)) {
        return mu_fail(err, MUTUAL_E_FETCH_FORBIDDEN,
                       "the server redirects (status %u) to no http or https URL",
                       client->head.status);
    }
    if (!may_follow(&client->url, &to)) {
        MU_AUTO(buf) struct mu_buf shown;
        mu_buf_init(&shown, 512);
        mu_escape(&shown,
                  mu_slice_of(to.authority.data, to.authority.len < 80 ? to.authority.len : 80));
        return mu_fail(err, MUTUAL_E_FETCH_FORBIDDEN,
                       "the server redirects (status %u) to %s://%s, where nobody sent us",
                       client->head.status, to.secure ? "https" : "http", mu_buf_str(&shown));
    }
    hang_up(client);
    forget_context(client);
    client->redirects++;
    return set_url(client, mu_buf_slice(&text), err);
}

static void want_socket(struct http_client *client)
{
    client->attempt = 0;
    enter(client, STAGE_WANT);
    client->options.want(client->options.owner, client, client->url.port, 0);
}

static void conclude(struct http_client *client)
{
    struct mutual_error err = {0};
    unsigned status = client->head.status;
    bool redirect =
        status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    if (redirect) {
        if (follow(client, &err)) {
            want_socket(client);
        } else {
            fail(client, &err);
        }
        return;
    }
    bool asked = client->etag[0] != '\0' || client->modified[0] != '\0';
    if (!client->options.any_status && status != 200 && !(status == 304 && asked)) {
        (void)mu_fail(&err, MUTUAL_E_HTTP_STATUS, "the server answered %u %s", status,
                      http_reason(status));
        (void)mu_error_context(&err, "%s", client->url_text);
    }
    http_wire_goodbye(&client->wire);
    finish(client, true, &err);
}

/* ---- the driver --------------------------------------------------------------------------------
 */

typedef enum mutual_io stage_fn(struct http_client *client, struct mutual_error *err);

static stage_fn *const stages[] = {
    [STAGE_CONNECT] = do_connect, [STAGE_HANDSHAKE] = do_handshake, [STAGE_SEND] = do_send,
    [STAGE_HEAD] = do_head,       [STAGE_BODY] = do_body,
};

static void watch_for(struct http_client *client, enum mutual_io io)
{
    struct mutual_error err = {0};
    uint32_t events = io == MUTUAL_IO_WANT_READ ? EVENT_READ : EVENT_WRITE;
    if (!reactor_rewatch(client->options.reactor, client->watch, events, &err)) {
        fail(client, &err);
    }
}

static void step(struct http_client *client)
{
    for (;;) {
        struct mutual_error err = {0};
        enum mutual_io io = stages[client->stage](client, &err);
        if (io == MUTUAL_IO_WANT_READ || io == MUTUAL_IO_WANT_WRITE) {
            watch_for(client, io);
            return;
        }
        if (io != MUTUAL_IO_DONE && client->stage == STAGE_CONNECT) {
            try_next(client, &err);
            return;
        }
        if (io != MUTUAL_IO_DONE) {
            if (err.code == MUTUAL_OK) {
                (void)mu_fail(&err, MUTUAL_E_PEER_CLOSED, "the server closed the connection");
            }
            fail(client, &err);
            return;
        }
        if (client->stage == STAGE_BODY) {
            conclude(client);
            return;
        }
        if (client->stage == STAGE_HANDSHAKE && is_look(client)) {
            http_wire_goodbye(&client->wire);
            finish(client, false, &err);
            return;
        }
        if (client->stage == STAGE_HANDSHAKE && !put_request(client, &err)) {
            fail(client, &err);
            return;
        }
        enter(client, client->stage + 1);
    }
}

static void on_ready(void *owner, uint32_t events)
{
    (void)events;
    step(owner);
}

void http_client_give(struct http_client *client, int take_fd, const struct mutual_error *why)
{
    struct mutual_error err = {0};
    mu_assert(client->stage == STAGE_WANT);
    if (take_fd == -1) {
        err = client->attempt > 0 ? client->unreached : *why;
        fail(client, &err);
        return;
    }
    client->wire.fd = take_fd;
    if (!reactor_watch(client->options.reactor, take_fd, EVENT_WRITE, on_ready, client,
                       &client->watch, &err)) {
        fail(client, &err);
        return;
    }
    enter(client, STAGE_CONNECT);
}

static void on_start(void *owner)
{
    want_socket(owner);
}

static bool copy_options(struct http_client *client, const struct http_client_options *options,
                         struct mutual_error *err)
{
    client->options = *options;
    client->options.body = mu_slice_of(NULL, 0);
    client->options.trust = options->trust == NULL ? NULL : mutual_trust_ref(options->trust);
    (void)snprintf(client->etag, sizeof client->etag, "%s",
                   options->etag == NULL ? "" : options->etag);
    (void)snprintf(client->modified, sizeof client->modified, "%s",
                   options->modified == NULL ? "" : options->modified);
    http_wire_init(&client->wire);
    mu_buf_init(&client->content, options->body.len);
    mu_buf_init(&client->out, MU_LIMIT_HTTP_HEAD + options->body.len);
    mu_buf_init(&client->in, MU_LIMIT_HTTP_HEAD + 2 * READ_MAX);
    /* all of it now, so that the head stays where it was parsed while content comes behind it */
    if (mu_buf_reserve(&client->in, MU_LIMIT_HTTP_HEAD + 2 * READ_MAX) == NULL) {
        return mu_fail_memory(err);
    }
    return (options->body.len == 0 ||
            mu_buf_append(&client->content, options->body.data, options->body.len) ||
            mu_fail_memory(err)) &&
           set_url(client, mu_slice_text(options->url), err);
}

bool http_client_new(const struct http_client_options *options, struct http_client **ret_client,
                     struct mutual_error *err)
{
    struct http_client *client = mu_alloc(1, sizeof *client);
    if (client == NULL) {
        return mu_fail_memory(err);
    }
    if (!copy_options(client, options, err)) {
        http_client_free(client);
        return false;
    }
    reactor_defer(options->reactor, &client->start, on_start, client);
    *ret_client = client;
    return true;
}
