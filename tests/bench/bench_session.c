/* SPDX-License-Identifier: Apache-2.0
 *
 * What a session costs, in memory and alone: CPU of the server side for a full and a resumed
 * mutual handshake, for one that never saw its client before, and for data in both directions.
 * Certificates are EC P-256 with an intermediate, TLS 1.3. One line per figure, medians of rounds.
 *
 *     bench_session [HANDSHAKES-PER-ROUND]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>

#include "identity/identity.h"
#include "pki.h"
#include "session/session.h"
#include "trust/trust.h"
#include "x509/x509.h"

#define ROUNDS 5
#define WINDOW (128u << 10)

struct end {
    struct mutual_rules rules;
    struct mutual_context_options options;
    struct mutual_identity *identity;
    struct mutual_context *context;
    struct mutual_session *session;
    uint8_t out[WINDOW];
    size_t from, to; /* what is in `out` and not taken yet */
    int64_t cpu_ns;
};

static struct end server, client;
static OSSL_LIB_CTX *lean; /* as a worker's */
static struct mu_known *known;

static void fail(const char *what, const struct mutual_error *err)
{
    fprintf(stderr, "bench_session: %s: %s: %s\n", what, mutual_code_name(err->code), err->reason);
    exit(1);
}

static int64_t cpu_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * MU_NS_PER_S + now.tv_nsec;
}

static int64_t standing_clock(void *context)
{
    (void)context;
    return PKI_NOW_S;
}

/* ---- set-up ---------------------------------------------------------------------------------- */

static struct mutual_identity *identity_of(const struct pki *leaf)
{
    struct mutual_error err = {0};
    struct mutual_identity *identity = NULL;
    struct mu_cert *chain[] = {leaf->cert, leaf->parent->cert};
    if (!mu_identity_new(chain, 2, leaf->key, &identity, &err)) {
        fail("identity", &err);
    }
    return identity;
}

static struct mutual_trust *trust_of(const struct pki *root)
{
    struct mutual_error err = {0};
    struct mutual_trust *trust = mutual_trust_new("bench");
    const char *pem = pki_pem(root);
    if (trust == NULL || !mutual_trust_add_pem(trust, pem, strlen(pem), &err) ||
        !mutual_trust_freeze(trust, &err)) {
        fail("trust", &err);
    }
    return trust;
}

static struct mutual_pattern *pattern_of(enum mutual_name_type type, const char *text)
{
    struct mutual_error err = {0};
    struct mutual_pattern *pattern = NULL;
    if (!mutual_pattern_parse(type, text, &pattern, &err)) {
        fail("pattern", &err);
    }
    return pattern;
}

static struct mutual_policy *policy_of(void)
{
    struct mutual_error err = {0};
    struct mutual_pattern *from = pattern_of(MUTUAL_NAME_SPIFFE, "spiffe://example.org/**");
    const struct mutual_grant grant = {.name = "all",
                                       .to = "bench",
                                       .from = &from,
                                       .from_count = 1,
                                       .until_s = INT64_MAX,
                                       .owner = "bench",
                                       .why = "bench",
                                       .file = "bench",
                                       .line = 1};
    struct mutual_policy *policy = mutual_policy_new();
    if (policy == NULL || !mutual_policy_add(policy, &grant, &err) ||
        !mutual_policy_freeze(policy, &err)) {
        fail("policy", &err);
    }
    return policy;
}

static void set_up(void)
{
    struct mutual_error err = {0};
    lean = OSSL_LIB_CTX_new();
    known = mu_known_new(0);
    if (lean == NULL || known == NULL || !mu_ossl_lean(lean, &err)) {
        fail("library context", &err);
    }
    struct pki *root = pki_root("Root");
    struct pki *issuer = pki_ca(root, "Issuer");
    static struct mutual_pattern *expect;
    expect = pattern_of(MUTUAL_NAME_DNS, "db.example.org");
    server.identity = identity_of(pki_issue(issuer, (struct pki_leaf){.dns = "db.example.org"}));
    client.identity =
        identity_of(pki_issue(issuer, (struct pki_leaf){.uri = "spiffe://example.org/alice"}));
    server.rules = (struct mutual_rules){.side = MUTUAL_SIDE_SERVER,
                                         .service = "bench",
                                         .trust = trust_of(root),
                                         .policy = policy_of()};
    client.rules = (struct mutual_rules){.side = MUTUAL_SIDE_CLIENT,
                                         .service = "bench",
                                         .trust = server.rules.trust,
                                         .expect = &expect,
                                         .expect_count = 1};
}

static void make_context(struct end *end, bool resumption)
{
    struct mutual_error err = {0};
    const struct mu_context_extras extras = {.libctx = lean, .known = known};
    mutual_context_unref(end->context);
    mutual_cache_unref(end->options.cache);
    end->options =
        (struct mutual_context_options){.rules = &end->rules,
                                        .identities = &end->identity,
                                        .identity_count = 1,
                                        .cache = resumption ? mutual_cache_new(1000) : NULL,
                                        .clock_s = standing_clock};
    if (!mu_context_new(&end->options, &extras, &end->context, &err)) {
        fail("context", &err);
    }
}

/* ---- steps ----------------------------------------------------------------------------------- */

static struct mutual_wire wire_of(struct end *end, const struct end *other)
{
    if (end->from == end->to) {
        end->from = end->to = 0;
    }
    return (struct mutual_wire){.in = other->out + other->from,
                                .in_len = other->to - other->from,
                                .out = end->out,
                                .out_len = end->to,
                                .out_cap = WINDOW};
}

static void after(struct end *end, struct end *other, const struct mutual_wire *wire)
{
    other->from = other->to - wire->in_len;
    end->to = wire->out_len;
}

static enum mutual_io handshake(struct end *end, struct end *other)
{
    struct mutual_error err = {0};
    struct mutual_wire wire = wire_of(end, other);
    int64_t begun = cpu_ns();
    enum mutual_io io = mutual_session_handshake(end->session, &wire, &err);
    end->cpu_ns += cpu_ns() - begun;
    after(end, other, &wire);
    if (io == MUTUAL_IO_FAILED) {
        fail("handshake", &err);
    }
    return io;
}

static size_t put(struct end *end, struct end *other, const uint8_t *data, size_t len)
{
    struct mutual_error err = {0};
    struct mutual_wire wire = wire_of(end, other);
    size_t done = 0;
    int64_t begun = cpu_ns();
    enum mutual_io io = mutual_session_write(end->session, &wire, data, len, &done, &err);
    end->cpu_ns += cpu_ns() - begun;
    after(end, other, &wire);
    if (io == MUTUAL_IO_FAILED) {
        fail("write", &err);
    }
    return done;
}

static size_t get(struct end *end, struct end *other, uint8_t *data, size_t cap)
{
    struct mutual_error err = {0};
    struct mutual_wire wire = wire_of(end, other);
    size_t done = 0;
    int64_t begun = cpu_ns();
    enum mutual_io io = mutual_session_read(end->session, &wire, data, cap, &done, &err);
    end->cpu_ns += cpu_ns() - begun;
    after(end, other, &wire);
    if (io == MUTUAL_IO_FAILED) {
        fail("read", &err);
    }
    return done;
}

static void admit(struct end *end)
{
    int64_t begun = cpu_ns();
    const struct mutual_verdict *verdict = mutual_session_admit(end->session, PKI_NOW_S);
    end->cpu_ns += cpu_ns() - begun;
    if (!verdict->allowed) {
        fail("admission", &verdict->why);
    }
}

static void open_end(struct end *end)
{
    struct mutual_error err = {0};
    int64_t begun = cpu_ns();
    end->session = mutual_session_new(end->context, &err);
    end->cpu_ns += cpu_ns() - begun;
    end->from = end->to = 0;
    if (end->session == NULL) {
        fail("session", &err);
    }
}

static void close_end(struct end *end)
{
    int64_t begun = cpu_ns();
    mutual_session_free(end->session);
    end->cpu_ns += cpu_ns() - begun;
    end->session = NULL;
}

static void connect_both(void)
{
    enum mutual_io io = MUTUAL_IO_WANT_READ;
    open_end(&client);
    open_end(&server);
    while (io != MUTUAL_IO_DONE) {
        (void)handshake(&client, &server);
        io = handshake(&server, &client);
    }
    admit(&client);
    admit(&server);
}

/* A byte each way, so that tickets arrive. */
static void talk(void)
{
    uint8_t byte = 'x';
    (void)put(&client, &server, &byte, 1);
    (void)get(&server, &client, &byte, 1);
    (void)put(&server, &client, &byte, 1);
    (void)get(&client, &server, &byte, 1);
}

/* ---- figures --------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return (*x > *y) - (*x < *y);
}

static void report(const char *name, const char *unit, double figures[ROUNDS])
{
    qsort(figures, ROUNDS, sizeof figures[0], by_size);
    printf("%-28s %8.2f %s  [%.2f .. %.2f]\n", name, figures[ROUNDS / 2], unit, figures[0],
           figures[ROUNDS - 1]);
}

static void handshakes(const char *name, unsigned count, bool resumption, bool want_resumed)
{
    double figures[ROUNDS];
    make_context(&server, resumption);
    make_context(&client, want_resumed);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i <= count; i++) {
            if (i == 1) {
                server.cpu_ns = 0; /* the first of a round makes the session that is resumed */
            }
            connect_both();
            talk();
            if (i > 0 && mutual_session_evidence(server.session)->resumed != want_resumed) {
                fprintf(stderr, "bench_session: %s: not what was to be measured\n", name);
                exit(1);
            }
            close_end(&client);
            close_end(&server);
        }
        figures[round] = (double)server.cpu_ns / 1e3 / count;
    }
    report(name, "us", figures);
}

static void bulk(const char *name, struct end *from, struct end *to)
{
    static uint8_t data[64u << 10];
    const size_t total = 256u << 20;
    double figures[ROUNDS];
    make_context(&server, false);
    make_context(&client, false);
    connect_both();
    talk();
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t moved = 0;
        server.cpu_ns = 0;
        while (moved < total) {
            (void)put(from, to, data, sizeof data);
            moved += get(to, from, data, sizeof data);
        }
        figures[round] = (double)moved / (double)server.cpu_ns;
    }
    close_end(&client);
    close_end(&server);
    report(name, "GB/s", figures);
}

int main(int argc, char **argv)
{
    uint64_t count = 300;
    if (argc > 2 || (argc == 2 && !mu_text_uint(argv[1], 1000000, &count)) || count == 0) {
        fprintf(stderr, "usage: %s [HANDSHAKES-PER-ROUND]\n", argv[0]);
        return 2;
    }
    set_up();
    handshakes("full, nothing kept", (unsigned)count, false, false);
    handshakes("full, session kept", (unsigned)count, true, false);
    mu_known_unref(known);
    known = mu_known_new(10);
    handshakes("full, client known", (unsigned)count, true, false);
    handshakes("resumed, re-admitted", (unsigned)count, true, true);
    bulk("data to the server", &client, &server);
    bulk("data from the server", &server, &client);
    return 0;
}
