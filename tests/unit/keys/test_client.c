/* SPDX-License-Identifier: Apache-2.0
 *
 * Handshakes whose keys are in a real key process: every kind of key, both ends, TLS 1.2 and 1.3,
 * blocking and paused; a key process that is killed meanwhile; giving up.
 */
#include <signal.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "fixture.h"

static struct mutual_error err;
static struct reactor *reactor;
static struct supervisor *supervisor;
static struct keys_loader *loader;
static struct keys_client *client;
static unsigned wakes, deaths;
static bool relink = true;

/* ---- the parent's wiring, and ourselves as the worker ------------------------------------------
 */

static bool on_start(void *owner, const struct supervised *child, struct mu_buf *setup, int *fds,
                     size_t *fd_count, struct mutual_error *ret_err)
{
    (void)owner;
    (void)child;
    (void)setup;
    (void)fds;
    (void)ret_err;
    *fd_count = 0;
    return true;
}

static void link_us(const struct supervised *child)
{
    int fds[2];
    uint8_t us[8] = {0, 0, 0, IPC_WORKER};
    assert_ok(ipc_pair(fds, &err), &err);
    assert_ok(
        supervisor_send(supervisor, child, IPC_MSG_LINK, mu_slice_of(us, 8), &fds[1], 1, &err),
        &err);
    (void)close(fds[1]);
    assert_ok(keys_client_attach(client, fds[0], IPC_WORKER, &err), &err);
}

static void on_ready(void *owner, const struct supervised *child)
{
    (void)owner;
    assert_ok(keys_loader_send(loader, supervisor, &err), &err);
    if (relink) {
        link_us(child);
    }
}

static bool on_message(void *owner, const struct supervised *child, struct ipc_message *message,
                       struct mutual_error *ret_err)
{
    (void)owner;
    (void)child;
    return message->type != IPC_MSG_KEY_LOADED || keys_loader_read(loader, message, ret_err);
}

static void on_died(void *owner, const struct supervised *child, const struct process_death *death)
{
    (void)owner;
    (void)child;
    (void)death;
    keys_loader_lost(loader);
    deaths++;
}

static const struct supervisor_hooks hooks = {
    .start = on_start, .ready = on_ready, .message = on_message, .died = on_died};

static int setup(void **state)
{
    (void)state;
    wakes = deaths = 0;
    relink = true;
    if (!reactor_new(&reactor, &err) || !keys_loader_new(&loader, &err) ||
        !keys_client_new(reactor, &client, &err)) {
        return -1;
    }
    const struct supervisor_options options = {
        .reactor = reactor, .hooks = &hooks, .program = "mutual"};
    return supervisor_new(&options, &supervisor, &err) &&
                   supervisor_add(supervisor, &keys_role, 0, &err)
               ? 0
               : -1;
}

static int teardown(void **state)
{
    (void)state;
    keys_client_free(client);
    supervisor_free(supervisor);
    keys_loader_free(loader);
    reactor_free(reactor);
    return 0;
}

static void turn(void)
{
    assert_ok(reactor_turn(reactor, 20 * MU_NS_PER_MS, &err), &err);
}

static void wait_loaded(void)
{
    struct mutual_error why = {0};
    for (int i = 0; i < 500; i++) {
        const struct supervised *keys = supervisor_get(supervisor, 0);
        if (keys->ready && keys_client_is_attached(client) == relink &&
            keys_loader_state(loader, &why) == KEYS_LOADED) {
            return;
        }
        turn();
    }
    fail_msg("the keys are not loaded: %s", why.reason);
}

/* ---- one end with its key far away --------------------------------------------------------------
 */

struct pair {
    struct mu_key *near, *far;
    struct mu_cert *cert;
    SSL_CTX *server, *peer;
    SSL *ends[2]; /* server, client */
    struct keys_waiter waiter;
};

static void wake(void *owner)
{
    (void)owner;
    wakes++;
}

static int accept_any(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    (void)store;
    return 1;
}

static void use_key(SSL_CTX *ctx, const struct pair *pair)
{
    assert_int_equal(SSL_CTX_use_certificate(ctx, mu_cert_x509(pair->cert)), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, mu_key_evp(pair->far)), 1);
    assert_int_equal(SSL_CTX_check_private_key(ctx), 1);
}

static void pair_init(struct pair *pair, enum mu_key_spec spec, uint32_t purposes)
{
    *pair = (struct pair){.waiter = {.wake = wake}};
    pair->near = new_key(spec);
    pair->cert = self_signed(pair->near, false);
    const struct mu_slice spki = mu_cert_facts(pair->cert)->spki;
    const struct keys_rules rules = {.purposes = purposes};
    keys_loader_begin(loader);
    assert_ok(keys_loader_put(loader, "test", key_fd(pair->near, NULL), -1, spki, &rules, &err),
              &err);
    assert_ok(keys_loader_send(loader, supervisor, &err), &err);
    wait_loaded();
    keys_loader_commit(loader, supervisor);
    wait_loaded();
    assert_ok(keys_client_key(client, spki, &pair->far, &err), &err);
}

static void pair_connect(struct pair *pair, int version, bool paused)
{
    pair->server = SSL_CTX_new(TLS_server_method());
    pair->peer = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(pair->server, version);
    SSL_CTX_set_verify(pair->server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_any);
    use_key(pair->server, pair);
    use_key(pair->peer, pair);
    pair->ends[0] = SSL_new(pair->server);
    pair->ends[1] = SSL_new(pair->peer);
    BIO *a = NULL;
    BIO *b = NULL;
    assert_int_equal(BIO_new_bio_pair(&a, 0, &b, 0), 1);
    SSL_set_bio(pair->ends[0], a, a);
    SSL_set_bio(pair->ends[1], b, b);
    SSL_set_accept_state(pair->ends[0]);
    SSL_set_connect_state(pair->ends[1]);
    for (int i = 0; i < 2 && paused; i++) {
        SSL_set_mode(pair->ends[i], SSL_MODE_ASYNC);
    }
}

static void pair_disconnect(struct pair *pair)
{
    for (int i = 0; i < 2; i++) {
        SSL_free(pair->ends[i]);
    }
    SSL_CTX_free(pair->server);
    SSL_CTX_free(pair->peer);
}

static void pair_done(struct pair *pair)
{
    mu_key_unref(pair->near);
    mu_key_unref(pair->far);
    mu_cert_unref(pair->cert);
}

/* One drive of one end, between enter and leave; the SSL error. */
static int drive(struct pair *pair, int end)
{
    ERR_clear_error();
    keys_client_enter(client, &pair->waiter);
    int rc = SSL_do_handshake(pair->ends[end]);
    keys_client_leave(client);
    return rc == 1 ? SSL_ERROR_NONE : SSL_get_error(pair->ends[end], rc);
}

/* Both ends until they are done; how often a key was waited for. One waiter: one end at a time. */
static unsigned handshake(struct pair *pair)
{
    bool done[2] = {false, false};
    unsigned waits = 0;
    for (int i = 0; i < 1000 && !(done[0] && done[1]); i++) {
        int end = i % 2;
        if (done[end]) {
            continue;
        }
        int error = drive(pair, end);
        while (error == SSL_ERROR_WANT_ASYNC) {
            waits++;
            assert_true(keys_waiter_is_pending(&pair->waiter));
            unsigned before = wakes;
            while (wakes == before) {
                turn();
            }
            error = drive(pair, end);
        }
        assert_false(keys_waiter_is_pending(&pair->waiter));
        if (error == SSL_ERROR_SSL) {
            char text[256];
            ERR_error_string_n(ERR_get_error(), text, sizeof text);
            fail_msg("handshake failed: %s", text);
        }
        done[end] = error == SSL_ERROR_NONE;
    }
    assert_true(done[0] && done[1]);
    assert_int_equal(pair->waiter.failed, MUTUAL_OK);
    return waits;
}

/* ---- cases
 * --------------------------------------------------------------------------------------- */

static void every_key_shakes_hands(void **state)
{
    (void)state;
    const enum mu_key_spec specs[] = {MU_SPEC_EC_P256, MU_SPEC_EC_P384, MU_SPEC_RSA_2048,
                                      MU_SPEC_ED25519};
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t s = 0; s < MU_COUNT(specs); s++) {
        struct pair pair;
        pair_init(&pair, specs[s], KEYS_TLS_SERVER | KEYS_TLS_CLIENT);
        for (size_t v = 0; v < MU_COUNT(versions); v++) {
            for (int paused = 0; paused < 2; paused++) {
                pair_connect(&pair, versions[v], paused == 1);
                unsigned waits = handshake(&pair);
                assert_int_equal(waits, paused == 1 ? 2 : 0); /* server's and client's */
                assert_int_equal(SSL_version(pair.ends[0]), versions[v]);
                pair_disconnect(&pair);
            }
        }
        pair_done(&pair);
    }
    struct keys_client_figures figures;
    keys_client_figures(client, &figures);
    assert_int_equal(figures.asked, 32);
    assert_int_equal(figures.made, 32);
    assert_int_equal(figures.pending, 0);
}

/* A server's key does not sign as a client. */
static void the_side_is_enforced(void **state)
{
    (void)state;
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct pair pair;
    pair_init(&pair, MU_SPEC_EC_P256, KEYS_TLS_SERVER);
    for (size_t v = 0; v < MU_COUNT(versions); v++) {
        pair_connect(&pair, versions[v], false);
        int error = SSL_ERROR_NONE;
        for (int i = 0; i < 20 && error != SSL_ERROR_SSL; i++) {
            (void)drive(&pair, 0);
            error = drive(&pair, 1);
        }
        assert_int_equal(error, SSL_ERROR_SSL);
        struct mutual_error why = {0};
        mu_ossl_fill(&why, MUTUAL_E_LIBRARY, __FILE__, __LINE__, "the client failed");
        assert_int_equal(why.code, MUTUAL_E_KEY_REFUSED);
        pair_disconnect(&pair);
    }
    pair_done(&pair);
}

/* Stops the key process, gets the server's end waiting for a signature, and returns its pid. */
static pid_t wait_for_ever(struct pair *pair)
{
    pid_t pid = supervisor_get(supervisor, 0)->pid;
    assert_int_equal(kill(pid, SIGSTOP), 0);
    assert_int_equal(drive(pair, 1), SSL_ERROR_WANT_READ);
    assert_int_equal(drive(pair, 0), SSL_ERROR_WANT_ASYNC);
    assert_true(keys_waiter_is_pending(&pair->waiter));
    return pid;
}

static void turn_until_woken(unsigned wanted)
{
    for (int i = 0; i < 500 && wakes < wanted; i++) {
        turn();
    }
    assert_int_equal(wakes, wanted);
}

static void a_killed_key_process_is_survived(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair, MU_SPEC_EC_P256, KEYS_TLS_SERVER | KEYS_TLS_CLIENT);
    pair_connect(&pair, TLS1_3_VERSION, true);
    pid_t pid = wait_for_ever(&pair);
    assert_int_equal(drive(&pair, 0), SSL_ERROR_WANT_ASYNC); /* driven for nothing: still waits */
    assert_int_equal(kill(pid, SIGKILL), 0);
    turn_until_woken(1);
    assert_int_equal(deaths, 1);
    struct keys_client_figures figures;
    keys_client_figures(client, &figures);
    assert_int_equal(figures.retried, 1);
    (void)handshake(&pair);
    pair_disconnect(&pair);
    pair_done(&pair);
}

static void the_second_loss_fails_it(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair, MU_SPEC_EC_P256, KEYS_TLS_SERVER | KEYS_TLS_CLIENT);
    pair_connect(&pair, TLS1_3_VERSION, true);
    pid_t pid = wait_for_ever(&pair);
    relink = false;
    assert_int_equal(kill(pid, SIGKILL), 0);
    while (deaths == 0) {
        turn();
    }
    wait_loaded();
    assert_int_equal(wakes, 0); /* it waits for a channel */
    const struct supervised *keys = supervisor_get(supervisor, 0);
    assert_int_equal(kill(keys->pid, SIGSTOP), 0);
    link_us(keys);
    assert_int_equal(kill(keys->pid, SIGKILL), 0);
    turn_until_woken(1);
    assert_int_equal(drive(&pair, 0), SSL_ERROR_SSL);
    assert_int_equal(pair.waiter.failed, MUTUAL_E_KEY_UNAVAILABLE);
    assert_false(keys_waiter_is_pending(&pair.waiter));
    pair_disconnect(&pair);
    pair_done(&pair);
}

static void a_connection_may_give_up(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair, MU_SPEC_EC_P256, KEYS_TLS_SERVER | KEYS_TLS_CLIENT);
    pair_connect(&pair, TLS1_3_VERSION, true);
    pid_t pid = wait_for_ever(&pair);
    keys_waiter_cancel(client, &pair.waiter);
    assert_int_equal(drive(&pair, 0), SSL_ERROR_SSL);
    assert_false(keys_waiter_is_pending(&pair.waiter));
    assert_int_equal(pair.waiter.failed, MUTUAL_E_KEY_UNAVAILABLE);
    pair_disconnect(&pair);
    keys_waiter_cancel(client, &pair.waiter); /* nothing is pending: nothing happens */
    assert_int_equal(kill(pid, SIGCONT), 0);
    for (int i = 0; i < 3; i++) {
        turn(); /* the late answer is for nobody */
    }
    assert_int_equal(wakes, 0);
    pair_connect(&pair, TLS1_3_VERSION, true);
    (void)handshake(&pair);
    pair_disconnect(&pair);
    pair_done(&pair);
}

static void without_a_key_process_blocking_fails_at_once(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair, MU_SPEC_ED25519, KEYS_TLS_SERVER | KEYS_TLS_CLIENT);
    relink = false;
    assert_int_equal(kill(supervisor_get(supervisor, 0)->pid, SIGKILL), 0);
    while (keys_client_is_attached(client)) {
        turn();
    }
    MU_AUTO(buf) struct mu_buf signature;
    mu_buf_init(&signature, 1000);
    assert_fails(mu_key_sign(pair.far, MU_SCHEME_ED25519, MU_SLICE_LIT("x"), &signature, &err),
                 &err, MUTUAL_E_KEY_UNAVAILABLE);
    pair_done(&pair);
}

/* Many connections wait on the one channel at the same time, and each gets its own signature. */
static void many_wait_at_once(void **state)
{
    (void)state;
    enum { MANY = 64 };
    static struct pair pairs[MANY];
    struct pair first;
    pair_init(&first, MU_SPEC_EC_P256, KEYS_TLS_SERVER | KEYS_TLS_CLIENT);
    pid_t pid = supervisor_get(supervisor, 0)->pid;
    assert_int_equal(kill(pid, SIGSTOP), 0);
    for (size_t i = 0; i < MANY; i++) {
        pairs[i] = first;
        pair_connect(&pairs[i], TLS1_3_VERSION, true);
        assert_int_equal(drive(&pairs[i], 1), SSL_ERROR_WANT_READ);
        assert_int_equal(drive(&pairs[i], 0), SSL_ERROR_WANT_ASYNC);
    }
    assert_int_equal(kill(pid, SIGCONT), 0);
    turn_until_woken(MANY);
    for (size_t i = 0; i < MANY; i++) {
        (void)handshake(&pairs[i]);
        pair_disconnect(&pairs[i]);
    }
    pair_done(&first);
}

static void a_link_leads_to_the_key_process_only(void **state)
{
    (void)state;
    struct ipc_message message = {.type = IPC_MSG_LINK,
                                  .payload = MU_SLICE_LIT("\0\0\0\4\0\0\0\0")};
    assert_fails(keys_client_link(client, &message, IPC_WORKER, &err), &err,
                 MUTUAL_E_MESSAGE_MALFORMED); /* no descriptor */
    message.fds[0] = dup(0);
    message.fd_count = 1;
    assert_fails(keys_client_link(client, &message, IPC_WORKER, &err), &err,
                 MUTUAL_E_MESSAGE_MALFORMED); /* a worker's */
    assert_false(keys_client_is_attached(client));
    int fds[2];
    assert_ok(ipc_pair(fds, &err), &err);
    message.payload = MU_SLICE_LIT("\0\0\0\2\0\0\0\0");
    message.fds[0] = fds[0];
    message.fd_count = 1;
    assert_ok(keys_client_link(client, &message, IPC_WORKER, &err), &err);
    assert_true(keys_client_is_attached(client));
    (void)close(fds[1]);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)
KEYS_MAIN(CASE(every_key_shakes_hands), CASE(the_side_is_enforced),
          CASE(a_killed_key_process_is_survived), CASE(the_second_loss_fails_it),
          CASE(a_connection_may_give_up), CASE(without_a_key_process_blocking_fails_at_once),
          CASE(many_wait_at_once), CASE(a_link_leads_to_the_key_process_only))
