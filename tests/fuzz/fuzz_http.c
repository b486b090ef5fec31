/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP messages. The first byte chooses: a request through the whole server, in one piece and byte
 * by byte, which must come to the same; a response with its body; a URL with what a Location means
 * beside it.
 */
#include <stdlib.h>
#include <string.h>

#include "http/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY_MAX = 4096 };

static void need(bool true_of_all)
{
    if (!true_of_all) {
        abort();
    }
}

static int64_t fixed_clock(void *context)
{
    (void)context;
    return 0;
}

/* Answers with what it understood, so that two ways of reading show. */
static void handle(void *owner, const struct http_request *request)
{
    (void)owner;
    for (size_t i = 0; i < request->head->field_count; i++) {
        struct mu_slice value = request->head->fields[i].value;
        need(memchr(value.data, '\n', value.len) == NULL);
        need(memchr(value.data, '\0', value.len) == NULL);
    }
    need(http_field_count(request->head, "Content-Length") <= 1);
    need(request->head->path.len > 0 && request->body.len <= BODY_MAX);
    http_answer(request->exchange, &(struct http_response){.status = 200, .body = request->body});
}

static struct http_server *serve(const struct http_server_options *options, struct mu_slice bytes,
                                 size_t pace)
{
    struct http_server *server = http_server_new(options);
    need(server != NULL);
    struct mu_slice in = {bytes.data, 0};
    for (size_t given = 0; given < bytes.len;) {
        size_t more = pace < bytes.len - given ? pace : bytes.len - given;
        in.len += more;
        given += more;
        http_server_feed(server, &in);
        need(in.len == 0 || http_server_phase(server) != HTTP_PHASE_OVER);
    }
    return server;
}

static void try_request(struct mu_slice bytes)
{
    const struct http_server_options options = {
        .handle = handle, .body_max = BODY_MAX, .clock_s = fixed_clock};
    struct http_server *whole = serve(&options, bytes, SIZE_MAX);
    struct http_server *drops = serve(&options, bytes, 1);
    need(http_server_phase(whole) == http_server_phase(drops));
    need(http_server_error(whole)->code == http_server_error(drops)->code);
    http_server_free(whole);
    http_server_free(drops);
}

static void read_body(const struct http_head *head, struct mu_slice in)
{
    struct http_body body;
    struct mutual_error err = {0};
    uint64_t content = 0;
    enum http_step step = HTTP_MORE;
    if (!http_body_init(&body, head, BODY_MAX, &err)) {
        return;
    }
    while (step == HTTP_MORE) {
        struct mu_slice piece;
        size_t before = in.len;
        step = http_body_read(&body, &in, &piece, &err);
        content += step == HTTP_FAILED ? 0 : piece.len;
        if (step == HTTP_MORE && in.len == before) {
            break;
        }
    }
    need(content <= BODY_MAX);
    (void)!http_body_end(&body, &err);
}

static void try_response(struct mu_slice bytes)
{
    static struct http_head head;
    struct http_scan scan = {0};
    struct mutual_error err = {0};
    size_t len = 0;
    if (http_scan(&scan, bytes, &len, &err) == HTTP_DONE &&
        http_response_parse(mu_slice_of(bytes.data, len), false, &head, &err)) {
        need(head.status >= 100 && head.status <= 599);
        need(http_freshness_s(&head) >= 0);
        read_body(&head, mu_slice_of(bytes.data + len, bytes.len - len));
    } else {
        need(err.code == MUTUAL_OK || strchr(err.reason, '\n') == NULL);
    }
}

static void try_url(struct mu_slice bytes)
{
    struct http_url base;
    struct http_url url;
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, MU_LIMIT_HTTP_URL);
    need(http_url_parse(MU_SLICE_LIT("https://a.example/x"), &base, &err));
    if (http_url_resolve(&base, bytes, &out, &err)) {
        need(http_url_parse(mu_buf_slice(&out), &url, &err));
        need(url.port != 0 && url.host.len > 0 && url.target.data[0] == '/');
        need(memchr(url.host.data, '@', url.host.len) == NULL);
        struct mu_buf line;
        mu_buf_init(&line, 65536);
        char *target = mu_slice_dup(url.target);
        char *authority = mu_slice_dup(url.authority);
        http_put_request(&line, "GET", target, authority);
        need(!line.failed);
        mu_free(target);
        mu_free(authority);
        mu_buf_done(&line);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    struct mu_slice rest = {data + 1, size - 1};
    if (data[0] == 'Q') {
        try_request(rest);
    } else if (data[0] == 'S') {
        try_response(rest);
    } else {
        try_url(rest);
    }
    return 0;
}
