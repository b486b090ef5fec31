/* SPDX-License-Identifier: Apache-2.0
 *
 * A visitor: connects to the gateway as a client would, with or without TLS, with or without a
 * certificate, asks for "/" and remembers what happened.
 */
#include "demo/demo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define WIRE_BYTES 32768u
#define PATIENCE_S 5

struct demo_visit {
    int fd;
    int64_t started_ns;
    struct mutual_trust *trust;
    struct mutual_pattern *expect;
    struct mutual_rules rules;
    struct mutual_context *context;
    struct mutual_session *session; /* NULL: plain */
    bool refused;
    struct mutual_error refusal;
    uint8_t in[WIRE_BYTES];
    size_t in_len;
    bool in_end;
    int in_error;
    uint8_t out[WIRE_BYTES];
    size_t out_len;
};

/* ---- the wire -------------------------------------------------------------------------------- */

static bool send_out(struct demo_visit *visit)
{
    bool sent = mu_fd_write(visit->fd, visit->out, visit->out_len);
    visit->out_len = 0;
    return sent;
}

/* Reads once; the end, an error and running out of patience all end the wire. */
static void receive(struct demo_visit *visit)
{
    ssize_t n = recv(visit->fd, visit->in + visit->in_len, WIRE_BYTES - visit->in_len, 0);
    if (n > 0) {
        visit->in_len += (size_t)n;
        return;
    }
    visit->in_end = true;
    visit->in_error = n == 0 ? 0 : errno;
}

enum move { MOVE_HANDSHAKE, MOVE_READ, MOVE_WRITE };

static enum mutual_io step(struct demo_visit *visit, enum move move, struct mutual_wire *wire,
                           uint8_t *data, size_t len, size_t *ret_len)
{
    switch (move) {
    case MOVE_READ:
        return mutual_session_read(visit->session, wire, data, len, ret_len, &visit->refusal);
    case MOVE_WRITE:
        return mutual_session_write(visit->session, wire, data, len, ret_len, &visit->refusal);
    case MOVE_HANDSHAKE:
    default:
        return mutual_session_handshake(visit->session, wire, &visit->refusal);
    }
}

/* Drives the session until the move is done or failed, blocking on the socket meanwhile. */
static enum mutual_io drive(struct demo_visit *visit, enum move move, uint8_t *data, size_t len,
                            size_t *ret_len)
{
    for (;;) {
        struct mutual_wire wire = {.in = visit->in,
                                   .in_len = visit->in_len,
                                   .in_end = visit->in_end,
                                   .in_error = visit->in_error,
                                   .out = visit->out,
                                   .out_len = visit->out_len,
                                   .out_cap = WIRE_BYTES};
        enum mutual_io io = step(visit, move, &wire, data, len, ret_len);
        memmove(visit->in, wire.in, wire.in_len);
        visit->in_len = wire.in_len;
        visit->out_len = wire.out_len;
        if (!send_out(visit) && io == MUTUAL_IO_WANT_WRITE) {
            visit->in_end = true;
        }
        if (io == MUTUAL_IO_WANT_READ) {
            receive(visit);
        } else if (io != MUTUAL_IO_WANT_WRITE) {
            return io;
        }
    }
}

/* ---- opening --------------------------------------------------------------------------------- */

static bool connect_to(struct demo_visit *visit, uint16_t port, struct mutual_error *err)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    visit->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    visit->started_ns = mu_clock_mono_ns();
    if (visit->fd == -1 ||
        setsockopt(visit->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == -1 ||
        connect(visit->fd, (const struct sockaddr *)&address, sizeof address) == -1) {
        return mu_fail_errno(err, MUTUAL_E_CONNECT_FAILED, errno,
                             "could not connect to 127.0.0.1:%u", port);
    }
    return true;
}

static bool load_identity(const char *directory, struct mutual_identity **ret_identity,
                          struct mutual_error *err)
{
    char chain[512];
    char key[512];
    snprintf(chain, sizeof chain, "%s/tls.crt", directory);
    snprintf(key, sizeof key, "%s/tls.key", directory);
    return mutual_identity_load(chain, key, ret_identity, err);
}

static bool make_session(struct demo_visit *visit, const struct demo_visitor *visitor,
                         struct mutual_error *err)
{
    if (!mutual_trust_load(visitor->ca_path, &visit->trust, err) ||
        !mutual_pattern_parse(MUTUAL_NAME_DNS, "localhost", &visit->expect, err)) {
        return false;
    }
    struct mutual_identity *identity = NULL;
    if (visitor->certificate != NULL && !load_identity(visitor->certificate, &identity, err)) {
        return false;
    }
    visit->rules = (struct mutual_rules){.side = MUTUAL_SIDE_CLIENT,
                                         .mode = MUTUAL_MODE_REQUIRE,
                                         .service = "gateway",
                                         .trust = visit->trust,
                                         .expect = &visit->expect,
                                         .expect_count = 1};
    const struct mutual_context_options options = {.rules = &visit->rules,
                                                   .identities = &identity,
                                                   .identity_count = identity != NULL ? 1 : 0,
                                                   .server_name = "localhost",
                                                   .cache = visitor->cache};
    bool made = mutual_context_new(&options, &visit->context, err);
    mutual_identity_unref(identity);
    if (made) {
        visit->session = mutual_session_new(visit->context, err);
    }
    return visit->session != NULL;
}

/* The handshake, and the visitor's own judgement of the gateway. */
static void introduce(struct demo_visit *visit)
{
    if (drive(visit, MOVE_HANDSHAKE, NULL, 0, NULL) != MUTUAL_IO_DONE) {
        visit->refused = true;
        return;
    }
    const struct mutual_verdict *verdict = mutual_session_admit(visit->session, mu_clock_wall_s());
    if (!verdict->allowed) {
        visit->refused = true;
        visit->refusal = verdict->why;
    }
}

bool demo_visit_open(const struct demo_visitor *visitor, struct demo_visit **ret_visit,
                     struct mutual_error *err)
{
    struct demo_visit *visit = mu_alloc(1, sizeof *visit);
    if (visit == NULL) {
        return mu_fail_memory(err);
    }
    visit->fd = -1;
    if ((visitor->tls && !make_session(visit, visitor, err)) ||
        !connect_to(visit, visitor->port, err)) {
        demo_visit_free(visit);
        return false;
    }
    if (visitor->tls) {
        introduce(visit);
    }
    *ret_visit = visit;
    return true;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

static bool ask(struct demo_visit *visit)
{
    size_t sent = 0;
    size_t len = sizeof request - 1;
    if (visit->session == NULL) {
        return mu_fd_write(visit->fd, request, len);
    }
    while (sent < len) {
        size_t n = 0;
        if (drive(visit, MOVE_WRITE, (uint8_t *)request + sent, len - sent, &n) != MUTUAL_IO_DONE) {
            return false;
        }
        sent += n;
    }
    return true;
}

/* Some bytes of the answer; 0 when there are no more. */
static size_t hear(struct demo_visit *visit, uint8_t *data, size_t cap)
{
    if (visit->session == NULL) {
        ssize_t n = recv(visit->fd, data, cap, 0);
        return n > 0 ? (size_t)n : 0;
    }
    size_t n = 0;
    enum mutual_io io = drive(visit, MOVE_READ, data, cap, &n);
    return io == MUTUAL_IO_DONE ? n : 0;
}

/* Reads "HTTP/1.1 200 ..." up to the end of its short body, which the service sends at once. */
static int read_status(struct demo_visit *visit)
{
    char text[1024];
    size_t len = 0;
    while (len < sizeof text - 1) {
        size_t n = hear(visit, (uint8_t *)text + len, sizeof text - 1 - len);
        if (n == 0) {
            return 0;
        }
        len += n;
        text[len] = '\0';
        const char *body = strstr(text, "\r\n\r\n");
        unsigned status = 0;
        if (body != NULL && strchr(body + 4, '\n') != NULL &&
            sscanf(text, "HTTP/1.1 %3u", &status) == 1) {
            return (int)status;
        }
    }
    return 0;
}

void demo_visit_ask(struct demo_visit *visit, struct demo_answer *ret_answer)
{
    *ret_answer = (struct demo_answer){0};
    if (!visit->refused) {
        ret_answer->status = ask(visit) ? read_status(visit) : 0;
    }
    ret_answer->took_ns = mu_clock_mono_ns() - visit->started_ns;
    if (ret_answer->status == 0) {
        ret_answer->refusal = visit->refusal;
    }
    if (visit->session != NULL) {
        mutual_session_info(visit->session, &ret_answer->tls);
    }
}

bool demo_visit_closed(struct demo_visit *visit, int64_t limit_ns)
{
    const struct timeval patience = {.tv_sec = (time_t)(limit_ns / MU_NS_PER_S),
                                     .tv_usec = (suseconds_t)(limit_ns % MU_NS_PER_S / 1000)};
    (void)setsockopt(visit->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    uint8_t data[256];
    ssize_t n;
    do {
        n = recv(visit->fd, data, sizeof data, 0);
    } while (n > 0);
    return n == 0 || errno != EAGAIN;
}

void demo_visit_hang_up(struct demo_visit *visit)
{
    if (visit->session != NULL && !visit->refused) {
        struct mutual_wire wire = {.out = visit->out, .out_cap = WIRE_BYTES};
        (void)mutual_session_close(visit->session, &wire, NULL);
        (void)mu_fd_write(visit->fd, visit->out, wire.out_len);
    }
    if (visit->fd != -1) {
        (void)close(visit->fd);
        visit->fd = -1;
    }
}

void demo_visit_free(struct demo_visit *visit)
{
    if (visit == NULL) {
        return;
    }
    mutual_session_free(visit->session);
    mutual_context_unref(visit->context);
    mutual_trust_unref(visit->trust);
    mutual_pattern_free(visit->expect);
    if (visit->fd != -1) {
        (void)close(visit->fd);
    }
    mu_free(visit);
}
