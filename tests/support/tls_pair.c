/* SPDX-License-Identifier: Apache-2.0
 *
 * See tls_pair.h.
 */
#include "tls_pair.h"

#include "identity/identity.h"
#include "policy_fixture.h"
#include "session/session_internal.h"
#include "trust/trust.h"

#define WINDOW (64u << 10)

static int64_t pair_clock(void *context)
{
    const struct tls_pair *pair = context;
    return pair->now_s;
}

/* ---- what the ends are made of --------------------------------------------------------------- */

struct mutual_identity *tls_identity(const struct pki *leaf)
{
    struct mutual_error err = {0};
    struct mutual_identity *identity = NULL;
    struct mu_cert *chain[8];
    size_t count = 0;
    for (const struct pki *at = leaf; at != NULL && (count == 0 || at->parent != NULL);
         at = at->parent) {
        assert_true(count < MU_COUNT(chain));
        chain[count++] = at->cert;
    }
    assert_ok(mu_identity_new(chain, count, leaf->key, &identity, &err), &err);
    return identity;
}

struct mutual_trust *tls_trust(const struct pki *anchor)
{
    struct mutual_error err = {0};
    struct mutual_trust *trust = mutual_trust_new("corp");
    const char *pem = pki_pem(anchor);
    assert_non_null(trust);
    assert_ok(mutual_trust_add_pem(trust, pem, strlen(pem), &err), &err);
    assert_ok(mutual_trust_freeze(trust, &err), &err);
    return trust;
}

struct mutual_policy *tls_policy(const char *service)
{
    const struct grant_row rows[] = {
        {.name = "everybody", .to = service, .from = "spiffe spiffe://example.org/**"},
    };
    return policy_of(rows, MU_COUNT(rows));
}

void tls_end_show(struct tls_end *end, const struct pki *leaf)
{
    for (size_t i = 0; i < end->identity_count; i++) {
        mutual_identity_unref(end->identities[i]);
    }
    end->identities[0] = tls_identity(leaf);
    end->identity_count = 1;
}

static void end_init(struct tls_end *end, enum mutual_side side, struct tls_pair *pair)
{
    *end = (struct tls_end){.io = MUTUAL_IO_WANT_READ};
    end->rules = (struct mutual_rules){
        .side = side,
        .mode = MUTUAL_MODE_REQUIRE,
        .service = "customer-db",
        .trust = pair->trust,
        .policy = side == MUTUAL_SIDE_SERVER ? pair->policy : NULL,
        .expect = &pair->expect,
        .expect_count = 1,
        .trust_generation = 1,
    };
    mu_buf_init(&end->out, 1u << 20);
}

void tls_pair_init_with(struct tls_pair *pair, enum mu_key_spec server, enum mu_key_spec client)
{
    *pair = (struct tls_pair){.now_s = PKI_NOW_S};
    pair->root = pki_root("Root");
    pair->issuer = pki_ca(pair->root, "Issuer");
    pair->server_leaf = pki_issue(
        pair->issuer,
        (struct pki_leaf){.cn = "db", .dns = "db.example.org", .server = true, .spec = server});
    pair->client_leaf = pki_issue(
        pair->issuer,
        (struct pki_leaf){
            .cn = "alice", .uri = "spiffe://example.org/alice", .client = true, .spec = client});
    pair->trust = tls_trust(pair->root);
    pair->policy = tls_policy("customer-db");
    pair->expect = pattern_of("dns db.example.org");
    end_init(&pair->server, MUTUAL_SIDE_SERVER, pair);
    end_init(&pair->client, MUTUAL_SIDE_CLIENT, pair);
    tls_end_show(&pair->server, pair->server_leaf);
    tls_end_show(&pair->client, pair->client_leaf);
    pair->client.options.server_name = "db.example.org";
}

void tls_pair_init(struct tls_pair *pair)
{
    tls_pair_init_with(pair, MU_SPEC_EC_P256, MU_SPEC_EC_P256);
}

static void end_hang_up(struct tls_end *end)
{
    mutual_session_free(end->session);
    end->session = NULL;
    end->io = MUTUAL_IO_WANT_READ;
    end->err = (struct mutual_error){0};
    mu_buf_clear(&end->out);
}

void tls_pair_hang_up(struct tls_pair *pair)
{
    end_hang_up(&pair->server);
    end_hang_up(&pair->client);
}

void tls_pair_forget_contexts(struct tls_pair *pair)
{
    tls_pair_hang_up(pair);
    mutual_context_unref(pair->server.context);
    mutual_context_unref(pair->client.context);
    pair->server.context = NULL;
    pair->client.context = NULL;
}

static void end_done(struct tls_end *end)
{
    for (size_t i = 0; i < end->identity_count; i++) {
        mutual_identity_unref(end->identities[i]);
    }
    mu_buf_done(&end->out);
}

void tls_pair_done(struct tls_pair *pair)
{
    tls_pair_forget_contexts(pair);
    end_done(&pair->server);
    end_done(&pair->client);
    mutual_pattern_free(pair->expect);
    mutual_policy_unref(pair->policy);
    mutual_trust_unref(pair->trust);
}

/* ---- the handshake --------------------------------------------------------------------------- */

static void end_start(struct tls_pair *pair, struct tls_end *end)
{
    if (end->context == NULL) {
        end->options.rules = &end->rules;
        end->options.identities = end->identities;
        end->options.identity_count = end->identity_count;
        end->options.clock_s = pair_clock;
        end->options.clock_context = pair;
        end->options.library_records =
            end->options.library_records || getenv("TLS_PAIR_LIBRARY_RECORDS") != NULL;
        assert_ok(mu_context_new(&end->options, &end->extras, &end->context, &end->err), &end->err);
        if (end->tls12) {
            assert_int_equal(SSL_CTX_set_max_proto_version(end->context->ssl, TLS1_2_VERSION), 1);
        }
    }
    if (end->session == NULL) {
        end->session = mutual_session_new(end->context, &end->err);
        assert_non_null(end->session);
        if (end->observe) {
            assert_true(mu_session_observe(end->session));
        }
    }
}

void tls_pair_start(struct tls_pair *pair)
{
    end_start(pair, &pair->server);
    end_start(pair, &pair->client);
}

/* A wire whose windows are as wide as the pair says. */
struct window {
    struct mutual_wire wire;
    uint8_t out[WINDOW];
    const uint8_t *in;
};

static void window_open(const struct tls_pair *pair, struct window *window,
                        const struct tls_end *from)
{
    size_t limit = pair->chunk > 0 ? pair->chunk : WINDOW;
    window->in = from->out.data;
    window->wire = (struct mutual_wire){
        .in = from->out.data,
        .in_len = from->out.len < limit ? from->out.len : limit,
        .out = window->out,
        .out_cap = limit,
    };
}

static bool window_close(struct window *window, struct tls_end *end, struct tls_end *from)
{
    size_t taken = from->out.data == NULL ? 0 : (size_t)(window->wire.in - window->in);
    mu_buf_consume(&from->out, taken);
    assert_true(mu_buf_append(&end->out, window->out, window->wire.out_len));
    return taken > 0 || window->wire.out_len > 0;
}

bool tls_step(struct tls_pair *pair, struct tls_end *end, struct tls_end *from)
{
    static struct window window;
    window_open(pair, &window, from);
    window.wire.until_ns = end == pair->hurried ? 1 : 0;
    end->io = mutual_session_handshake(end->session, &window.wire, &end->err);
    end->out_can_wait = end->out_can_wait || window.wire.out_can_wait;
    pair->turns += end->io == MUTUAL_IO_WANT_TURN;
    return window_close(&window, end, from) || end->io == MUTUAL_IO_WANT_TURN;
}

void tls_pair_shake(struct tls_pair *pair)
{
    tls_pair_start(pair);
    bool moved = true;
    while (moved) {
        moved = tls_step(pair, &pair->client, &pair->server);
        moved = tls_step(pair, &pair->server, &pair->client) || moved;
        /* A client that is done leaves tickets and refusals to tls_read. */
        if (pair->client.io == MUTUAL_IO_DONE && pair->client.out.len == 0) {
            break;
        }
    }
}

static void end_admit(struct tls_pair *pair, struct tls_end *end)
{
    if (end->io != MUTUAL_IO_DONE) {
        fail_msg("handshake not done (%d): %s: %s", (int)end->io, mutual_code_name(end->err.code),
                 end->err.reason);
    }
    const struct mutual_verdict *verdict = mutual_session_admit(end->session, pair->now_s);
    if (!verdict->allowed) {
        fail_msg("not admitted: %s", verdict->why.reason);
    }
}

void tls_pair_open(struct tls_pair *pair)
{
    tls_pair_shake(pair);
    end_admit(pair, &pair->client);
    end_admit(pair, &pair->server);
}

/* ---- data ------------------------------------------------------------------------------------ */

size_t tls_read(struct tls_pair *pair, struct tls_end *end, struct tls_end *from, uint8_t *data,
                size_t cap)
{
    static struct window window;
    size_t len = 0;
    bool moved = true;
    do {
        size_t more = 0;
        window_open(pair, &window, from);
        end->io = mutual_session_read(end->session, &window.wire, data + len, cap - len, &more,
                                      &end->err);
        moved = window_close(&window, end, from);
        len += more;
    } while (len < cap && (moved || end->io == MUTUAL_IO_DONE));
    return len;
}

void tls_write(struct tls_pair *pair, struct tls_end *end, const void *data, size_t len)
{
    static struct window window;
    struct tls_end nothing = {.io = MUTUAL_IO_DONE};
    size_t done = 0;
    while (done < len) {
        size_t more = 0;
        window_open(pair, &window, &nothing);
        end->io = mutual_session_write(end->session, &window.wire, (const uint8_t *)data + done,
                                       len - done, &more, &end->err);
        (void)window_close(&window, end, &nothing);
        done += more;
        if (end->io == MUTUAL_IO_FAILED) {
            return;
        }
    }
}

void tls_close(struct tls_pair *pair, struct tls_end *end)
{
    static struct window window;
    struct tls_end nothing = {.io = MUTUAL_IO_DONE};
    do {
        window_open(pair, &window, &nothing);
        end->io = mutual_session_close(end->session, &window.wire, &end->err);
        (void)window_close(&window, end, &nothing);
    } while (end->io == MUTUAL_IO_WANT_WRITE);
}

static void talk(struct tls_pair *pair, struct tls_end *from, struct tls_end *to, const char *text)
{
    uint8_t heard[64];
    tls_write(pair, from, text, strlen(text));
    size_t len = tls_read(pair, to, from, heard, sizeof heard);
    if (len != strlen(text)) {
        fail_msg("%zu bytes of \"%s\" arrived: %s", len, text, to->err.reason);
    }
    assert_memory_equal(heard, text, len);
}

void tls_pair_talk(struct tls_pair *pair)
{
    talk(pair, &pair->client, &pair->server, "who am I?");
    talk(pair, &pair->server, &pair->client, "somebody who proved it");
}

/* ---- bare OpenSSL ---------------------------------------------------------------------------- */

void tls_raw_init(struct tls_raw *raw, bool server)
{
    *raw = (struct tls_raw){.ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method())};
    assert_non_null(raw->ctx);
    SSL_CTX_set_security_level(raw->ctx, 0);
    mu_buf_init(&raw->wire.out, 1u << 20);
}

void tls_raw_show(struct tls_raw *raw, const struct pki *leaf)
{
    assert_int_equal(SSL_CTX_use_certificate(raw->ctx, mu_cert_x509(leaf->cert)), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(raw->ctx, mu_key_evp(leaf->key)), 1);
    for (const struct pki *at = leaf->parent; at != NULL && at->parent != NULL; at = at->parent) {
        assert_int_equal(SSL_CTX_add1_chain_cert(raw->ctx, mu_cert_x509(at->cert)), 1);
    }
}

void tls_raw_done(struct tls_raw *raw)
{
    SSL_free(raw->ssl);
    SSL_CTX_free(raw->ctx);
    mu_buf_done(&raw->wire.out);
}

void tls_raw_offer(struct tls_raw *raw, const char *groups, const char *signatures)
{
    char *group_list = mu_strdup(groups != NULL ? groups : ""); /* the macros take no const */
    char *signature_list = mu_strdup(signatures != NULL ? signatures : "");
    assert_true(groups == NULL || SSL_CTX_set1_groups_list(raw->ctx, group_list) == 1);
    assert_true(signatures == NULL || SSL_CTX_set1_sigalgs_list(raw->ctx, signature_list) == 1);
    mu_free(group_list);
    mu_free(signature_list);
}

void tls_raw_attach(struct tls_raw *raw)
{
    raw->in = BIO_new(BIO_s_mem());
    raw->out = BIO_new(BIO_s_mem());
    assert_true(raw->ssl != NULL && raw->in != NULL && raw->out != NULL);
    (void)BIO_set_mem_eof_return(raw->in, -1);
    SSL_set_bio(raw->ssl, raw->in, raw->out);
    if (SSL_is_server(raw->ssl) == 1) {
        SSL_set_accept_state(raw->ssl);
    } else {
        SSL_set_connect_state(raw->ssl);
    }
}

void tls_raw_shake(struct tls_raw *raw, struct tls_pair *pair, struct tls_end *end)
{
    if (raw->ssl == NULL) {
        raw->ssl = SSL_new(raw->ctx);
        tls_raw_attach(raw);
    }
    end_start(pair, end);
    for (int still = 0; still < 2; still++) {
        char bytes[4096];
        (void)SSL_do_handshake(raw->ssl);
        for (int n; (n = BIO_read(raw->out, bytes, sizeof bytes)) > 0;) {
            assert_true(mu_buf_append(&raw->wire.out, bytes, (size_t)n));
        }
        if (tls_step(pair, end, &raw->wire) || end->out.len > 0) {
            still = -1;
        }
        if (end->out.len > 0) {
            assert_int_equal(BIO_write(raw->in, end->out.data, (int)end->out.len),
                             (int)end->out.len);
            mu_buf_clear(&end->out);
        }
    }
}

void tls_feed(struct tls_pair *pair, struct tls_end *end, const void *data, size_t len, bool last)
{
    static struct window window;
    end_start(pair, end);
    struct tls_end wire = {.io = MUTUAL_IO_DONE};
    mu_buf_init(&wire.out, 1u << 20);
    assert_true(mu_buf_append(&wire.out, data, len));
    bool moved = true;
    while (moved && end->io != MUTUAL_IO_FAILED) {
        window_open(pair, &window, &wire);
        window.wire.in_end = last && window.wire.in_len == wire.out.len;
        end->io = mutual_session_handshake(end->session, &window.wire, &end->err);
        moved = window_close(&window, end, &wire);
    }
    mu_buf_done(&wire.out);
}
