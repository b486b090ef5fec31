/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker in a test's own process; see fixture.h.
 */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/live_internal.h"
#include "identity/identity.h"
#include "session/session.h"

#define FIRST_S INT64_C(86400)        /* certificates of tests do not depend on today */
#define LAST_S  INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

struct home home;
struct fixture_options fixture_options;

static struct pki *make_root(void)
{
    struct mu_rdn subject = {MU_ATTR_CN, "Root"};
    struct mu_cert_template t = {
        .subject = &subject,
        .subject_count = 1,
        .not_before_s = FIRST_S,
        .not_after_s = LAST_S,
        .ca = true,
        .key_usage = MU_KU_KEY_CERT_SIGN | MU_KU_CRL_SIGN,
    };
    return pki_make(NULL, &t, MU_SPEC_EC_P256);
}

static struct mutual_identity *identity_of(const struct pki *leaf)
{
    struct mutual_error err = {0};
    struct mutual_identity *identity = NULL;
    struct mu_cert *chain[] = {leaf->cert};
    assert_ok(mu_identity_new(chain, 1, leaf->key, &identity, &err), &err);
    return identity;
}

static struct mutual_policy *make_policy(void)
{
    struct mutual_error err = {0};
    struct mutual_policy *policy = mutual_policy_new();
    struct mutual_pattern *from = NULL;
    assert_ok(mutual_pattern_parse(MUTUAL_NAME_SPIFFE, "spiffe://example.org/client", &from, &err),
              &err);
    struct mutual_grant grant = {.name = "all",
                                 .to = "db",
                                 .from = &from,
                                 .from_count = 1,
                                 .until_s = INT64_MAX,
                                 .owner = "tests",
                                 .why = "testing"};
    assert_ok(mutual_policy_add(policy, &grant, &err), &err);
    assert_ok(mutual_policy_freeze(policy, &err), &err);
    return policy;
}

static void make_people(void)
{
    struct mutual_error err = {0};
    home.root = make_root();
    home.server = pki_issue(home.root, (struct pki_leaf){.dns = "localhost",
                                                         .not_before = FIRST_S,
                                                         .not_after = LAST_S,
                                                         .server = true});
    home.client = pki_issue(home.root, (struct pki_leaf){.cn = "client",
                                                         .uri = "spiffe://example.org/client",
                                                         .not_before = FIRST_S,
                                                         .not_after = LAST_S,
                                                         .client = true});
    const char *pem = pki_pem(home.root);
    home.trust = mutual_trust_new("corp");
    assert_ok(mutual_trust_add_pem(home.trust, pem, strlen(pem), &err), &err);
    assert_ok(mutual_trust_freeze(home.trust, &err), &err);
    home.policy = make_policy();
}

static void make_service(void)
{
    home.inbound = (struct config_inbound){
        .name = "db",
        .forward = {.kind = CONFIG_ADDRESS_UNIX, .path = home.path, .text = home.path},
        .timeouts = {.handshake_ns = 10 * MU_NS_PER_S,
                     .connect_ns = 10 * MU_NS_PER_S,
                     .idle_ns = 60 * MU_NS_PER_S}};
    home.certs[0] = home.server->cert;
    home.chain = (struct world_chain){.certs = home.certs, .count = 1};
    home.facts = (struct world_service){.name = "db",
                                        .inbound = &home.inbound,
                                        .chains = &home.chain,
                                        .chain_count = 1,
                                        .rules = {.side = MUTUAL_SIDE_SERVER,
                                                  .mode = MUTUAL_MODE_REQUIRE,
                                                  .service = "db",
                                                  .trust = home.trust,
                                                  .policy = home.policy,
                                                  .trust_generation = 1,
                                                  .policy_generation = 1}};
}

static void fill_service(struct generation *generation, struct service *service,
                         const struct world_service *facts)
{
    struct mutual_error err = {0};
    struct config_address written = {.kind = CONFIG_ADDRESS_UNIX, .path = home.path};
    struct mutual_identity *identity = identity_of(home.server);
    struct mutual_context_options options = {.rules = &facts->rules,
                                             .identities = &identity,
                                             .identity_count = 1,
                                             .cache = fixture_options.cache};
    const struct mu_context_extras extras = {.libctx = fixture_options.libctx,
                                             .known = fixture_options.known};
    *service = (struct service){.generation = generation,
                                .facts = facts,
                                .door = service,
                                .timeouts = &home.inbound.timeouts,
                                .meter = meters_get(&home.worker.meters, "db"),
                                .targets = {.count = 1},
                                .max = 100};
    assert_true(address_literal(&written, &service->targets.items[0]));
    assert_ok(mu_context_new(&options, &extras, &service->context, &err), &err);
    mutual_identity_unref(identity);
}

/* Not from generation_new: it is never freed by its count, the fixture keeps one reference. */
static void make_generation(void)
{
    home.generation = (struct generation){
        .worker = &home.worker, .refs = 1, .id = 1, .services = &home.service, .count = 1};
    fill_service(&home.generation, &home.service, &home.facts);
    home.worker.current = &home.generation;
}

static void make_worker(void)
{
    struct mutual_error err = {0};
    int ends[2];
    struct worker *worker = &home.worker;
    *worker = (struct worker){.child = &home.child,
                              .workers = 1,
                              .max = 100,
                              .log_json = true,
                              .log_level = CONFIG_LOG_INFO};
    worker->sightings = sightings_new(100, 100);
    assert_non_null(worker->sightings);
    TAILQ_INIT(&worker->slab.free);
    TAILQ_INIT(&worker->starved);
    stock_init(&worker->stock);
    change_init(&worker->change);
    worker->live = live_new();
    worker->pool = pool_new(8);
    assert_ok(reactor_new(&worker->reactor, &err), &err);
    assert_ok(keys_client_new(worker->reactor, &worker->keys, &err), &err);
    assert_ok(gate_init(&worker->gate, worker, &err), &err);
    gate_limit(&worker->gate,
               &(struct config_flood){.handshakes = 64, .waiting = 64, .per_source = 64}, 100);
    assert_ok(ipc_pair(ends, &err), &err);
    assert_ok(ipc_channel_new(ends[0], IPC_WORKER, IPC_PARENT, &home.child.parent, &err), &err);
    assert_ok(ipc_channel_new(ends[1], IPC_PARENT, IPC_WORKER, &home.parent, &err), &err);
    fixture_turn(); /* the turn's clock is read for the first time */
}

static void listen_behind(void)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    (void)snprintf(home.directory, sizeof home.directory, "/tmp/mutual-gateway-XXXXXX");
    assert_non_null(mkdtemp(home.directory));
    (void)snprintf(home.path, sizeof home.path, "%s/service", home.directory);
    (void)snprintf(un.sun_path, sizeof un.sun_path, "%s", home.path);
    home.listening = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(home.listening, (struct sockaddr *)&un, sizeof un), 0);
    assert_int_equal(listen(home.listening, 16), 0);
}

void fixture_init(void)
{
    memset(&home, 0, sizeof home);
    home.log = memfd_create("log", MFD_CLOEXEC);
    home.stderr_before = dup(STDERR_FILENO);
    assert_int_equal(dup2(home.log, STDERR_FILENO), STDERR_FILENO);
    make_people();
    listen_behind();
    make_worker();
    make_service();
    make_generation();
    fixture_stock(8);
}

static void end_all(void)
{
    struct mutual_error why = {0};
    (void)mu_fail(&why, MUTUAL_E_DRAINING, "the test is over");
    for (size_t i = 0; i < slab_size(&home.worker); i++) {
        struct conn *conn = slab_at(&home.worker, i);
        conn_end(conn, &why);
        conn_end(conn, &why);
    }
    fixture_until(home.worker.slab.used == 0);
}

void fixture_done(void)
{
    end_all();
    listeners_done(&home.worker.listeners);
    slab_done(&home.worker);
    stock_done(&home.worker.stock);
    mutual_context_unref(home.service.context);
    meters_done(&home.worker.meters);
    gate_done(&home.worker.gate);
    keys_client_free(home.worker.keys);
    reactor_free(home.worker.reactor);
    sightings_free(home.worker.sightings);
    pool_free(home.worker.pool);
    live_free(home.worker.live);
    ipc_channel_free(home.child.parent);
    ipc_channel_free(home.parent);
    mutual_pattern_free(home.expect);
    mutual_policy_unref(home.policy);
    mutual_trust_unref(home.trust);
    (void)close(home.listening);
    (void)unlink(home.path);
    (void)rmdir(home.directory);
    assert_int_equal(dup2(home.stderr_before, STDERR_FILENO), STDERR_FILENO);
    (void)close(home.stderr_before);
    (void)close(home.log);
}

void fixture_turn(void)
{
    struct mutual_error err = {0};
    assert_ok(reactor_turn(home.worker.reactor, 10 * MU_NS_PER_MS, &err), &err);
}

void fixture_stock(size_t count)
{
    struct stock_family *of = &home.worker.stock.families[2];
    for (size_t i = 0; i < count; i++) {
        of->fds[of->count++] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    }
}

int fixture_accept(void)
{
    int fd = -1;
    fixture_until((fd = accept4(home.listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1);
    return fd;
}

const char *fixture_log(void)
{
    static char text[65536];
    worker_log_flush(&home.worker);
    ssize_t n = pread(home.log, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

bool fixture_logged(const char *word)
{
    char quoted[64];
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", word);
    return strstr(fixture_log(), quoted) != NULL;
}

struct service *fixture_new_generation(struct mutual_policy *policy)
{
    static struct generation next;
    static struct service service;
    static struct world_service facts;
    facts = home.facts;
    facts.rules.policy = policy;
    facts.rules.policy_generation = 2;
    next = (struct generation){
        .worker = &home.worker, .refs = 100, .id = 2, .services = &service, .count = 1};
    service = home.service;
    service.generation = &next;
    service.facts = &facts;
    service.door = &service;
    home.worker.current = &next;
    return &service;
}

struct conn *fixture_conn(void)
{
    for (size_t i = 0; i < slab_size(&home.worker); i++) {
        if (slab_at(&home.worker, i)->front.conn != NULL) {
            return slab_at(&home.worker, i);
        }
    }
    return NULL;
}

int fixture_setup(void **state)
{
    (void)state;
    fixture_init();
    return 0;
}

int fixture_teardown(void **state)
{
    (void)state;
    fixture_done();
    return 0;
}

/* ---- clients ------------------------------------------------------------------------------------
 */

static void make_context(struct knock *knock, const struct pki *who)
{
    struct mutual_error err = {0};
    struct mutual_identity *identity = who == NULL ? NULL : identity_of(who);
    if (home.expect == NULL) {
        assert_ok(mutual_pattern_parse(MUTUAL_NAME_DNS, "localhost", &home.expect, &err), &err);
    }
    knock->rules = (struct mutual_rules){.side = MUTUAL_SIDE_CLIENT,
                                         .mode = MUTUAL_MODE_REQUIRE,
                                         .service = "db",
                                         .trust = home.trust,
                                         .expect = &home.expect,
                                         .expect_count = 1,
                                         .trust_generation = 1};
    struct mutual_context_options options = {.rules = &knock->rules,
                                             .identities = &identity,
                                             .identity_count = identity == NULL ? 0 : 1,
                                             .server_name = "localhost",
                                             .cache = fixture_options.client_cache};
    assert_ok(mutual_context_new(&options, &knock->context, &err), &err);
    mutual_identity_unref(identity);
}

void knock_open(struct knock *knock, const struct pki *who)
{
    int ends[2];
    struct sockaddr_storage peer = {.ss_family = AF_UNIX};
    memset(knock, 0, sizeof *knock);
    mu_buf_init(&knock->in, 1u << 20);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    knock->fd = ends[0];
    make_context(knock, who);
    knock->session = mutual_session_new(knock->context, &knock->err);
    assert_non_null(knock->session);
    assert_ok(conn_open(home.worker.current->services, ends[1], &peer, &knock->err), &knock->err);
}

static void send_out(struct knock *knock, const struct mutual_wire *wire)
{
    assert_true(wire->out_len == 0 || mu_fd_write(knock->fd, wire->out, wire->out_len));
}

/* True when there is something for the session, or the wire is at its end. */
static bool fetch(struct knock *knock, bool *ret_end)
{
    uint8_t *room = mu_buf_reserve(&knock->in, 65536);
    ssize_t n = recv(knock->fd, room, 65536, 0);
    *ret_end = n == 0 || (n == -1 && errno != EAGAIN);
    knock->in.len += n > 0 ? (size_t)n : 0;
    return n > 0 || *ret_end;
}

static struct mutual_wire wire_of(struct knock *knock, bool end)
{
    static uint8_t out[1u << 17];
    return (struct mutual_wire){.in = knock->in.data,
                                .in_len = knock->in.len,
                                .in_end = end,
                                .out = out,
                                .out_cap = sizeof out};
}

void knock_shake(struct knock *knock)
{
    bool end = false;
    knock->io = MUTUAL_IO_WANT_WRITE;
    for (int turns = 0; knock->io == MUTUAL_IO_WANT_READ || knock->io == MUTUAL_IO_WANT_WRITE;
         turns++) {
        struct mutual_wire wire = wire_of(knock, end);
        knock->io = mutual_session_handshake(knock->session, &wire, &knock->err);
        mu_buf_consume(&knock->in, knock->in.len - wire.in_len);
        send_out(knock, &wire);
        fixture_turn();
        (void)fetch(knock, &end);
        assert_true(turns < 200);
    }
    if (knock->io == MUTUAL_IO_DONE) {
        assert_true(mutual_session_admit(knock->session, mu_clock_wall_s())->allowed);
    }
    fixture_turn();
}

void knock_write(struct knock *knock, const void *data, size_t len)
{
    for (size_t taken = 0; taken < len;) {
        size_t n = 0;
        struct mutual_wire wire = wire_of(knock, false);
        knock->io = mutual_session_write(knock->session, &wire, (const uint8_t *)data + taken,
                                         len - taken, &n, &knock->err);
        assert_int_equal(knock->io, MUTUAL_IO_DONE);
        mu_buf_consume(&knock->in, knock->in.len - wire.in_len);
        taken += n;
        send_out(knock, &wire);
    }
}

size_t knock_read(struct knock *knock, void *data, size_t want)
{
    size_t have = 0;
    bool end = false;
    for (int turns = 0; have < want && turns < 400; turns++) {
        size_t n = 0;
        struct mutual_wire wire = wire_of(knock, end);
        knock->io = mutual_session_read(knock->session, &wire, (uint8_t *)data + have, want - have,
                                        &n, &knock->err);
        mu_buf_consume(&knock->in, knock->in.len - wire.in_len);
        send_out(knock, &wire);
        have += knock->io == MUTUAL_IO_DONE ? n : 0;
        if (knock->io == MUTUAL_IO_END || knock->io == MUTUAL_IO_FAILED) {
            break;
        }
        if (knock->io == MUTUAL_IO_WANT_READ && !fetch(knock, &end)) {
            fixture_turn();
        }
    }
    return have;
}

void knock_close(struct knock *knock)
{
    struct mutual_wire wire = wire_of(knock, false);
    (void)mutual_session_close(knock->session, &wire, &knock->err);
    send_out(knock, &wire);
}

void knock_done(struct knock *knock)
{
    mutual_session_free(knock->session);
    mutual_context_unref(knock->context);
    mu_buf_done(&knock->in);
    if (knock->fd != -1) {
        (void)close(knock->fd);
    }
}
