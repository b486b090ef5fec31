/* SPDX-License-Identifier: Apache-2.0
 *
 * One HTTPS request of a command, waited for; and what the authority says in a problem document.
 */
#include "cli/https_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { BODY_MAX = 4 << 20 };

struct exchange {
    struct reactor *reactor;
    struct https_reply *reply;
    struct mutual_error why;
    struct addrinfo *addresses;
    char host[256];
    const char *socket;
};

void https_reply_done(struct https_reply *reply)
{
    mu_buf_done(&reply->body);
}

void mu_https_reply_auto(struct https_reply *reply)
{
    https_reply_done(reply);
}

/* ---- connecting --------------------------------------------------------------------------------
 */

static bool look_up(struct exchange *exchange, uint16_t port, struct mutual_error *err)
{
    char service[8];
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    (void)snprintf(service, sizeof service, "%u", port);
    int answer = getaddrinfo(exchange->host, service, &hints, &exchange->addresses);
    return answer == 0 ||
           mu_fail(err, MUTUAL_E_RESOLVE_FAILED, "could not find an address of \"%s\": %s",
                   exchange->host, gai_strerror(answer));
}

static void want_socket(const struct exchange *exchange, struct http_client *client)
{
    struct mutual_error err = {0};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)snprintf(un.sun_path, sizeof un.sun_path, "%s", exchange->socket);
    if (fd == -1 || connect(fd, (const struct sockaddr *)&un, sizeof un) == -1 ||
        fcntl(fd, F_SETFL, O_NONBLOCK) == -1) {
        (void)mu_fail_errno(&err, MUTUAL_E_CONNECT_FAILED, errno, "could not connect to \"%s\"",
                            exchange->socket);
        if (fd != -1) {
            (void)close(fd);
            fd = -1;
        }
    }
    http_client_give(client, fd, &err);
}

/* The nth address, with a connect begun. */
static void want(void *owner, struct http_client *client, uint16_t port, unsigned attempt)
{
    struct exchange *exchange = owner;
    struct mutual_error err = {0};
    if (exchange->socket != NULL) {
        want_socket(exchange, client);
        return;
    }
    if (exchange->addresses == NULL && !look_up(exchange, port, &err)) {
        http_client_give(client, -1, &err);
        return;
    }
    const struct addrinfo *a = exchange->addresses;
    for (unsigned i = 0; a != NULL && i < attempt; i++) {
        a = a->ai_next;
    }
    if (a == NULL) {
        (void)mu_fail(&err, MUTUAL_E_CONNECT_FAILED, "\"%s\" has no further address",
                      exchange->host);
        http_client_give(client, -1, &err);
        return;
    }
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd != -1) {
        (void)connect(fd, a->ai_addr, a->ai_addrlen); /* how it ends shows when it is written to */
    } else {
        (void)mu_fail(&err, MUTUAL_E_SYSTEM_CALL, "could not make a socket");
    }
    http_client_give(client, fd, &err);
}

/* ---- the answer --------------------------------------------------------------------------------
 */

static bool take_piece(void *owner, struct mu_slice bytes, struct mutual_error *err)
{
    struct exchange *exchange = owner;
    return mu_buf_append(&exchange->reply->body, bytes.data, bytes.len) ||
           mu_fail(err, MUTUAL_E_HTTP_LIMIT, "the answer is larger than %d bytes", BODY_MAX);
}

static void on_done(void *owner, const struct http_result *result, const struct mutual_error *err)
{
    struct exchange *exchange = owner;
    struct mu_slice value;
    uint64_t seconds = 0;
    exchange->why = *err;
    if (result->head != NULL) {
        exchange->reply->status = result->head->status;
        MU_AUTO(free)
        char *text =
            http_field_find(result->head, "Retry-After", &value) ? mu_slice_dup(value) : NULL;
        if (text != NULL && mu_text_uint(text, 86400, &seconds)) {
            exchange->reply->retry_s = (int64_t)seconds;
        }
    }
    reactor_stop(exchange->reactor);
}

bool https_call(const struct https_request *request, struct https_reply *ret_reply,
                struct mutual_error *err)
{
    struct https_reply reply = {0};
    struct exchange exchange = {.reply = &reply, .socket = request->socket};
    struct http_client *client = NULL;
    struct http_url url;
    enum { PATH_ROOM = sizeof((struct sockaddr_un){0}.sun_path) };
    if (request->socket != NULL && strlen(request->socket) >= PATH_ROOM) {
        return mu_fail(err, MUTUAL_E_OPTION_VALUE,
                       "the path of a socket has at most %d bytes, and this one %zu", PATH_ROOM - 1,
                       strlen(request->socket)) ||
               mu_error_hint(err, "Name it by a shorter path.");
    }
    if (!http_url_parse(mu_slice_text(request->url), &url, err) ||
        !reactor_new(&exchange.reactor, err)) {
        return false;
    }
    (void)snprintf(exchange.host, sizeof exchange.host, "%.*s", (int)url.host.len,
                   (const char *)url.host.data);
    mu_buf_init(&reply.body, BODY_MAX);
    const struct http_client_options options = {
        .reactor = exchange.reactor,
        .url = request->url,
        .method = request->method != NULL ? request->method
                  : request->body.len > 0 ? "POST"
                                          : "GET",
        .accept = request->accept,
        .content_type = request->content_type,
        .body = request->body,
        .authorization = request->authorization,
        .idempotency_key = request->idempotency_key,
        .identity = request->identity,
        .any_status = true,
        .body_max = BODY_MAX,
        .times = http_times_default,
        .trust = request->trust,
        .want = want,
        .piece = take_piece,
        .done = on_done,
        .owner = &exchange,
    };
    bool good = http_client_new(&options, &client, err) && reactor_run(exchange.reactor, err);
    if (good && exchange.why.code != MUTUAL_OK) {
        *err = exchange.why;
        good = false;
    }
    http_client_free(client);
    if (exchange.addresses != NULL) {
        freeaddrinfo(exchange.addresses);
    }
    reactor_free(exchange.reactor);
    if (!good) {
        https_reply_done(&reply);
        return false;
    }
    *ret_reply = reply;
    return true;
}

/* Words of a stranger: made safe to print. */
static void put_word(char *text, size_t size, const char *words)
{
    MU_AUTO(buf) struct mu_buf safe;
    mu_buf_init(&safe, 4096);
    mu_escape(&safe, mu_slice_text(words));
    (void)snprintf(text, size, "%s", mu_buf_str(&safe));
}

bool https_fail(const struct https_reply *reply, const char *url, struct mutual_error *err)
{
    json_t *json = json_loadb((const char *)reply->body.data, reply->body.len, 0, NULL);
    const char *code = json_string_value(json_object_get(json, "code"));
    const char *detail = json_string_value(json_object_get(json, "detail"));
    const char *hint = json_string_value(json_object_get(json, "hint"));
    enum mutual_code known = code == NULL ? MUTUAL_OK : mutual_code_find(code);
    char words[224] = "";
    if (known == MUTUAL_OK || detail == NULL) {
        (void)mu_fail(err, MUTUAL_E_HTTP_STATUS, "the authority answered %u %s", reply->status,
                      http_reason(reply->status));
    } else {
        put_word(words, sizeof words, detail);
        (void)mu_fail(err, known, "%s", words);
        if (hint != NULL) {
            put_word(words, 192, hint);
            (void)mu_error_hint(err, "%s", words);
        }
    }
    (void)mu_error_context(err, "the authority at %s says so (status %u)", url, reply->status);
    json_decref(json);
    return false;
}
