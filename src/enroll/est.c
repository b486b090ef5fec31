/* SPDX-License-Identifier: Apache-2.0
 *
 * Asking an authority by EST (RFC 7030, RFC 8951): one POST of a request, its answer read.
 */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "enroll/enroll_internal.h"

enum { PATIENCE_S = 20, ANSWER_MAX = 1 << 20, ADDRESSES_MAX = 16, RETRY_AFTER_MAX_S = 30 * 86400 };

struct asking {
    struct reactor *reactor;
    struct http_url url; /* into `text` */
    char host[256];
    struct mu_buf content;
    struct enroll_answer *answer;
    bool over;
    struct mutual_error why;
};

void enroll_answer_done(struct enroll_answer *answer)
{
    mu_certs_done(&answer->certs);
    *answer = (struct enroll_answer){0};
}

/* ---- connecting --------------------------------------------------------------------------------
 */

static int begin_connect(const struct addrinfo *to, struct mutual_error *err)
{
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd != -1 && (connect(fd, to->ai_addr, to->ai_addrlen) == 0 || errno == EINPROGRESS)) {
        return fd;
    }
    (void)mu_fail_errno(err, MUTUAL_E_CONNECT_FAILED, errno, "could not connect");
    if (fd != -1) {
        (void)close(fd);
    }
    return -1;
}

/* The attempt-th address of the host; this command may wait for the name server. */
static void on_want(void *owner, struct http_client *client, uint16_t port, unsigned attempt)
{
    struct asking *asking = owner;
    struct mutual_error why = {0};
    char service[8];
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    (void)snprintf(service, sizeof service, "%u", port);
    int status = getaddrinfo(asking->host, service, &hints, &found);
    if (status != 0) {
        (void)mu_fail(&why, MUTUAL_E_RESOLVE_FAILED, "host \"%s\" has no address: %s", asking->host,
                      gai_strerror(status));
        http_client_give(client, -1, &why);
        return;
    }
    const struct addrinfo *one = found;
    for (unsigned i = 0; i < attempt && one != NULL && i < ADDRESSES_MAX; i++) {
        one = one->ai_next;
    }
    (void)mu_fail(&why, MUTUAL_E_CONNECT_FAILED, "\"%s\" has no further address", asking->host);
    int fd = one == NULL ? -1 : begin_connect(one, &why);
    freeaddrinfo(found);
    http_client_give(client, fd, &why);
}

/* ---- the answer --------------------------------------------------------------------------------
 */

static bool on_piece(void *owner, struct mu_slice bytes, struct mutual_error *err)
{
    struct asking *asking = owner;
    return mu_buf_append(&asking->content, bytes.data, bytes.len) ||
           mu_fail(err, MUTUAL_E_HTTP_LIMIT, "the answer is longer than an answer may be");
}

/* In seconds, or as a date (RFC 9110 section 10.2.3). Nonsense is as if it were not there. */
static int64_t retry_after(const struct http_head *head)
{
    struct mu_slice value;
    int64_t date_s = 0;
    uint64_t seconds = 0;
    if (!http_field_find(head, "Retry-After", &value) || value.len >= 64) {
        return 0;
    }
    MU_AUTO(free) char *text = mu_slice_dup(value);
    if (text != NULL && mu_text_uint(text, RETRY_AFTER_MAX_S, &seconds)) {
        return (int64_t)seconds;
    }
    if (!http_date_parse(value, &date_s)) {
        return 0;
    }
    int64_t wait_s = date_s - mu_clock_wall_s();
    return wait_s < 0 ? 0 : wait_s < RETRY_AFTER_MAX_S ? wait_s : RETRY_AFTER_MAX_S;
}

static void on_done(void *owner, const struct http_result *result, const struct mutual_error *err)
{
    struct asking *asking = owner;
    asking->why = *err;
    asking->over = true;
    if (result->head != NULL) {
        asking->answer->status = result->head->status;
        asking->answer->retry_after_s = retry_after(result->head);
        if (result->head->status == 202) {
            (void)mu_fail(&asking->why, MUTUAL_E_ENROLL_WAITS,
                          "the authority took the request and has not decided yet");
        }
    }
    reactor_stop(asking->reactor);
}

/* Base64 with whatever line ends (RFC 8951 section 3.1). */
static bool read_certs(struct asking *asking, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf der;
    size_t kept = 0;
    for (size_t i = 0; i < asking->content.len; i++) {
        uint8_t byte = asking->content.data[i];
        if (strchr(" \t\r\n", byte) == NULL || byte == '\0') {
            asking->content.data[kept++] = byte;
        }
    }
    asking->content.len = kept;
    mu_buf_init(&der, ANSWER_MAX);
    return mu_base64_parse(mu_buf_slice(&asking->content), &der, err) &&
           mu_cms_read(mu_buf_slice(&der), &asking->answer->certs, err);
}

/* ---- the question ------------------------------------------------------------------------------
 */

static bool put_url(const struct enroll_question *question, struct mu_buf *url,
                    struct mutual_error *err)
{
    const char *label = question->label == NULL ? "" : question->label;
    size_t len = strlen(question->url);
    while (len > 0 && question->url[len - 1] == '/') {
        len--;
    }
    mu_buf_init(url, MU_LIMIT_HTTP_URL);
    return mu_buf_printf(url, "%.*s/.well-known/est/%s%s%s", (int)len, question->url, label,
                         label[0] == '\0' ? "" : "/", question->operation) ||
           mu_fail(err, MUTUAL_E_HTTP_URL_INVALID, "the authority's URL is too long");
}

static bool converse(struct asking *asking, const struct enroll_question *question, const char *url,
                     struct mu_slice body, struct mutual_error *err)
{
    struct http_client *client = NULL;
    int64_t wait_ns = question->timeout_ns > 0 ? question->timeout_ns : PATIENCE_S * MU_NS_PER_S;
    const struct http_client_options options = {
        .reactor = asking->reactor,
        .url = url,
        .method = "POST",
        .content_type = "application/pkcs10",
        .body = body,
        .accept = "application/pkcs7-mime",
        .body_max = ANSWER_MAX,
        .times = {.connect_ns = wait_ns,
                  .handshake_ns = wait_ns,
                  .head_ns = wait_ns,
                  .body_ns = wait_ns,
                  .write_ns = wait_ns},
        .trust = question->trust,
        .identity = question->identity,
        .authorization = question->authorization,
        .want = on_want,
        .piece = on_piece,
        .done = on_done,
        .owner = asking,
    };
    if (!http_client_new(&options, &client, err)) {
        return false;
    }
    bool ok = true;
    while (ok && !asking->over) {
        ok = reactor_turn(asking->reactor, -1, err);
    }
    http_client_free(client);
    return ok;
}

bool enroll_ask(const struct enroll_question *question, struct enroll_answer *ret_answer,
                struct mutual_error *err)
{
    struct asking asking = {.answer = ret_answer};
    MU_AUTO(buf) struct mu_buf url;
    MU_AUTO(buf) struct mu_buf body;
    *ret_answer = (struct enroll_answer){0};
    mu_buf_init(&body, 2u * MU_LIMIT_CERT_BYTES);
    mu_base64(&body, question->csr);
    if (!put_url(question, &url, err) ||
        !http_url_parse(mu_slice_text(mu_buf_str(&url)), &asking.url, err)) {
        return false;
    }
    if (!asking.url.secure || body.failed) {
        return mu_fail(err, MUTUAL_E_HTTP_URL_INVALID, "the authority's URL must be https");
    }
    (void)snprintf(asking.host, sizeof asking.host, "%.*s", (int)asking.url.host.len,
                   (const char *)asking.url.host.data);
    mu_buf_init(&asking.content, ANSWER_MAX);
    bool ok = reactor_new(&asking.reactor, err) &&
              converse(&asking, question, mu_buf_str(&url), mu_buf_slice(&body), err);
    if (ok && asking.why.code != MUTUAL_OK) {
        *err = asking.why;
        ok = false;
    }
    ok = ok && (read_certs(&asking, err) || mu_error_context(err, "%s", mu_buf_str(&url)));
    reactor_free(asking.reactor);
    mu_buf_done(&asking.content);
    return ok;
}
