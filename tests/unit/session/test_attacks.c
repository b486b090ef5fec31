/* SPDX-License-Identifier: Apache-2.0
 *
 * Ways around admission, tried by somebody who controls the other end of the wire, what it
 * presents, what it resumes, and when our memory runs out.
 */
#include "session/session_internal.h"
#include "tls_pair.h"

#include "identity/identity.h"
#include "trust/trust.h"

#define OUT_BYTES 65536u

/* ---- memory that runs out -------------------------------------------------------------------- */

/* Whoever is not to be let in, and how the pair is made so. */
static void good(struct tls_pair *pair)
{
    (void)pair;
}

static void stranger(struct tls_pair *pair)
{
    tls_end_show(&pair->client, pki_stranger("stranger"));
}

static void no_certificate(struct tls_pair *pair)
{
    mutual_identity_unref(pair->client.identities[0]);
    pair->client.identity_count = 0;
}

static void nobody_asked_for(struct tls_pair *pair)
{
    no_certificate(pair);
    pair->server.rules.mode = MUTUAL_MODE_REQUEST;
}

static void expired(struct tls_pair *pair)
{
    tls_end_show(&pair->client,
                 pki_issue(pair->issuer, (struct pki_leaf){.uri = "spiffe://example.org/alice",
                                                           .not_before = PKI_NOW_S - 9,
                                                           .not_after = PKI_NOW_S - 1}));
}

static void without_grant(struct tls_pair *pair)
{
    tls_end_show(&pair->client,
                 pki_issue(pair->issuer, (struct pki_leaf){.uri = "spiffe://example.com/alice"}));
}

static void wrong_purpose(struct tls_pair *pair)
{
    tls_end_show(&pair->client,
                 pki_issue(pair->issuer,
                           (struct pki_leaf){.uri = "spiffe://example.org/alice", .server = true}));
}

static void revoked(struct tls_pair *pair)
{
    struct mutual_error err = {0};
    const char *root = pki_pem(pair->root);
    const char *issuer = pki_pem(pair->issuer);
    struct mu_slice crl = pki_crl(pair->issuer, pair->client_leaf, (struct pki *)NULL);
    struct mutual_trust *trust = mutual_trust_new("corp");
    assert_ok(mutual_trust_add_pem(trust, root, strlen(root), &err), &err);
    assert_ok(mutual_trust_add_intermediates_pem(trust, issuer, strlen(issuer), &err), &err);
    assert_ok(mutual_trust_add_crl(trust, (const char *)crl.data, crl.len, &err), &err);
    assert_ok(mutual_trust_freeze(trust, &err), &err);
    mutual_trust_unref(pair->trust);
    pair->trust = trust;
    pair->server.rules.trust = trust;
    pair->client.rules.trust = trust;
}

/* Does the server let the client's data through? */
static bool is_let_in(struct tls_pair *pair)
{
    uint8_t byte = 'x';
    struct mutual_wire wire = {.in = NULL};
    size_t len = 0;
    const struct mutual_verdict *verdict = mutual_session_admit(pair->server.session, pair->now_s);
    bool allowed = verdict->allowed;
    assert_int_equal(allowed, verdict->pass != NULL);
    enum mutual_io io =
        mutual_session_read(pair->server.session, &wire, &byte, 1, &len, &pair->server.err);
    assert_true(allowed || io == MUTUAL_IO_FAILED);
    return allowed;
}

static void reserve(struct tls_pair *pair)
{
    assert_non_null(mu_buf_reserve(&pair->server.out, OUT_BYTES));
    assert_non_null(mu_buf_reserve(&pair->client.out, OUT_BYTES));
}

/* Is the allocation that is to fail not made yet? A resumption makes fewer than what went before.
 */
static bool is_still_to_come(void)
{
    for (int i = 0; i < 64; i++) {
        void *probe = mu_alloc(1, 1);
        if (probe == NULL) {
            return true;
        }
        mu_free(probe);
    }
    return false;
}

/* The nth allocation of a connection fails, for every n that there is. */
static void run_out(void (*make)(struct tls_pair *), bool tls12, bool resume, bool want)
{
    struct tls_pair pair;
    struct mutual_cache *caches[2] = {NULL, NULL};
    tls_pair_init(&pair);
    pair.client.tls12 = tls12;
    make(&pair);
    if (resume) {
        pair.server.options.cache = caches[0] = mutual_cache_new(9);
        pair.client.options.cache = caches[1] = mutual_cache_new(9);
    }
    tls_pair_start(&pair);
    bool ended = false;
    for (unsigned long n = 1; !ended; n++) {
        struct mutual_error err = {0};
        tls_pair_hang_up(&pair);
        reserve(&pair);
        pair.client.session = mutual_session_new(pair.client.context, &err);
        pair.server.session = mutual_session_new(pair.server.context, &err);
        mu_alloc_fail_after(n);
        tls_pair_shake(&pair);
        bool in = is_let_in(&pair);
        ended = is_still_to_come();
        mu_alloc_fail_after(0);
        if (in && !want) {
            fail_msg("let in when allocation %lu failed (TLS 1.%d)", n, tls12 ? 2 : 3);
        }
    }
    tls_pair_hang_up(&pair);
    tls_pair_shake(&pair);
    assert_int_equal(is_let_in(&pair), want);
    tls_pair_done(&pair);
    mutual_cache_unref(caches[0]);
    mutual_cache_unref(caches[1]);
}

static void running_out_of_memory_lets_nobody_in(void **state)
{
    (void)state;
    static const struct {
        void (*make)(struct tls_pair *pair);
        bool want;
    } rows[] = {
        {stranger, false},         {no_certificate, false},
        {nobody_asked_for, false}, {expired, false},
        {without_grant, false},    {wrong_purpose, false},
        {revoked, false},          {good, true},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        for (int tls12 = 0; tls12 < 2; tls12++) {
            run_out(rows[i].make, tls12 != 0, false, rows[i].want);
        }
    }
    run_out(good, false, true, true);
    run_out(good, true, true, true);
}

/* ---- what is kept for resumption --------------------------------------------------------------
 */

/* One handshake of a bare client with the server, its ticket read; the session it may resume. */
static SSL_SESSION *visit(struct tls_pair *pair, struct tls_raw *raw)
{
    char byte;
    raw->ssl = NULL;
    mu_buf_clear(&raw->wire.out);
    tls_pair_hang_up(pair);
    tls_raw_shake(raw, pair, &pair->server);
    (void)SSL_read(raw->ssl, &byte, 1);
    return SSL_get1_session(raw->ssl);
}

static void leave(struct tls_raw *raw)
{
    SSL_free(raw->ssl);
    raw->ssl = NULL;
}

/* Whoever may not come in must not push those out of the table who may. */
static void the_refused_are_not_kept(void **state)
{
    (void)state;
    static void (*const makes[])(struct tls_pair *) = {without_grant, nobody_asked_for, good};
    for (size_t i = 0; i < 2 * MU_COUNT(makes); i++) {
        struct tls_pair pair;
        tls_pair_init(&pair);
        struct mutual_cache *cache = mutual_cache_new(9);
        pair.server.options.cache = cache;
        pair.client.tls12 = i % 2 != 0;
        makes[i / 2](&pair);
        tls_pair_shake(&pair);
        bool in = is_let_in(&pair);
        assert_int_equal(in, makes[i / 2] == good);
        assert_int_equal(mutual_cache_count(cache), in ? 1 : 0);
        tls_pair_done(&pair);
        mutual_cache_unref(cache);
    }
}

/* The library keeps what a client sent with its certificate as long as the session: 64 KiB of
 * padding in each of many thousand sessions is memory that one client could take. */
static void a_padded_chain_is_not_kept(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct tls_pair pair;
        struct tls_raw raw;
        tls_pair_init(&pair);
        struct mutual_cache *cache = mutual_cache_new(9);
        pair.server.options.cache = cache;
        tls_raw_init(&raw, false);
        tls_raw_show(&raw, pair.client_leaf);
        assert_int_equal(SSL_CTX_set_max_proto_version(raw.ctx, version), 1);
        SSL_SESSION_free(visit(&pair, &raw));
        leave(&raw);
        assert_int_equal(mutual_cache_count(cache), 1);
        for (int i = 0; i < 30; i++) {
            struct pki *padding = pki_root("padding");
            assert_int_equal(SSL_CTX_add1_chain_cert(raw.ctx, mu_cert_x509(padding->cert)), 1);
        }
        SSL_SESSION_free(visit(&pair, &raw));
        assert_int_equal(pair.server.io, MUTUAL_IO_DONE);
        assert_true(is_let_in(&pair));
        assert_int_equal(mutual_cache_count(cache), 1);
        tls_raw_done(&raw);
        tls_pair_done(&pair);
        mutual_cache_unref(cache);
    }
}

/* RFC 8446 section 4.6.1: tickets for tickets could "indefinitely extend the lifetime of the keying
 * material originally derived from an initial non-PSK handshake". */
static void keys_are_proved_again_in_time(void **state)
{
    (void)state;
    for (int tls12 = 0; tls12 < 2; tls12++) {
        struct tls_pair pair;
        tls_pair_init(&pair);
        struct mutual_cache *caches[] = {mutual_cache_new(9), mutual_cache_new(9)};
        pair.server.options.cache = caches[0];
        pair.client.options.cache = caches[1];
        pair.client.tls12 = tls12 != 0;
        int64_t longest_s = 0;
        for (int hours = 0; hours < 60; hours++) {
            tls_pair_hang_up(&pair);
            tls_pair_open(&pair);
            tls_pair_talk(&pair);
            const struct mutual_evidence *seen = mutual_session_evidence(pair.server.session);
            int64_t age_s = pair.now_s - seen->proved_at_s;
            longest_s = age_s > longest_s ? age_s : longest_s;
            pair.now_s += 3600;
        }
        assert_in_range(longest_s, 3600, 24 * 3600);
        tls_pair_done(&pair);
        mutual_cache_unref(caches[0]);
        mutual_cache_unref(caches[1]);
    }
}

/* ---- what is resumed --------------------------------------------------------------------------
 */

/* The identifier of a session crosses the wire in the clear; without its secret it opens nothing,
 * and whoever owns it is told apart from whoever shows it. */
static void a_session_seen_on_the_wire_opens_nothing(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct tls_pair pair;
        struct tls_raw raw;
        tls_pair_init(&pair);
        struct mutual_cache *cache = mutual_cache_new(9);
        pair.server.options.cache = cache;
        tls_raw_init(&raw, false);
        tls_raw_show(&raw, pair.client_leaf);
        assert_int_equal(SSL_CTX_set_max_proto_version(raw.ctx, version), 1);
        SSL_SESSION *seen = visit(&pair, &raw);
        SSL_SESSION *stolen = SSL_SESSION_dup(seen);
        static const unsigned char guess[48];
        size_t len = SSL_SESSION_get_master_key(seen, NULL, 0);
        assert_int_equal(SSL_SESSION_set1_master_key(stolen, guess, len), 1);
        leave(&raw);

        struct tls_raw thief;
        tls_raw_init(&thief, false);
        assert_int_equal(SSL_CTX_set_max_proto_version(thief.ctx, version), 1);
        thief.ssl = SSL_new(thief.ctx);
        assert_int_equal(SSL_set_session(thief.ssl, stolen), 1);
        tls_raw_attach(&thief);
        tls_pair_hang_up(&pair);
        tls_raw_shake(&thief, &pair, &pair.server);
        assert_int_equal(pair.server.io, MUTUAL_IO_FAILED);
        assert_false(is_let_in(&pair));
        assert_null(mutual_session_evidence(pair.server.session)->chain);
        SSL_SESSION_free(seen);
        SSL_SESSION_free(stolen);
        tls_raw_done(&thief);
        tls_raw_done(&raw);
        tls_pair_done(&pair);
        mutual_cache_unref(cache);
    }
}

/* Offered under another host name, or by a client that shows another certificate by now, a session
 * is that of the peer who proved its key when it was made. */
static void a_session_keeps_its_owner(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct tls_pair pair;
        struct tls_raw raw;
        tls_pair_init(&pair);
        struct mutual_cache *cache = mutual_cache_new(9);
        pair.server.options.cache = cache;
        tls_raw_init(&raw, false);
        tls_raw_show(&raw, pair.client_leaf);
        assert_int_equal(SSL_CTX_set_max_proto_version(raw.ctx, version), 1);
        SSL_SESSION *own = visit(&pair, &raw);
        leave(&raw);
        raw.ssl = SSL_new(raw.ctx);
        assert_int_equal(SSL_set_session(raw.ssl, own), 1);
        assert_int_equal(SSL_set_tlsext_host_name(raw.ssl, "another.example.org"), 1);
        struct pki *bob = pki_issue(pair.issuer, (struct pki_leaf){.cn = "bob"});
        assert_int_equal(SSL_use_certificate(raw.ssl, mu_cert_x509(bob->cert)), 1);
        assert_int_equal(SSL_use_PrivateKey(raw.ssl, mu_key_evp(bob->key)), 1);
        tls_raw_attach(&raw);
        tls_pair_hang_up(&pair);
        tls_raw_shake(&raw, &pair, &pair.server);
        assert_int_equal(pair.server.io, MUTUAL_IO_DONE);
        const struct mutual_evidence *seen = mutual_session_evidence(pair.server.session);
        assert_string_equal(mutual_chain_subject(seen->chain),
                            seen->resumed ? "CN=alice" : "CN=bob");
        assert_int_equal(mu_session_peer_cert(pair.server.session).len > 0, !seen->resumed);
        struct mutual_session_info info;
        mutual_session_info(pair.server.session, &info);
        assert_string_equal(info.sni, "another.example.org");
        SSL_SESSION_free(own);
        tls_raw_done(&raw);
        tls_pair_done(&pair);
        mutual_cache_unref(cache);
    }
}

/* ---- messages that should not come -------------------------------------------------------------
 */

/* Brings what the bare end wrote to ours, and reads at most 64 bytes of data. */
static enum mutual_io bring(struct tls_end *end, struct tls_raw *raw, size_t *ret_len)
{
    static uint8_t wire_bytes[1u << 19], data[64], out[1024];
    size_t before = raw->wire.out.len; /* what came with the end of the handshake */
    if (before > 0) {
        memcpy(wire_bytes, raw->wire.out.data, before);
        mu_buf_clear(&raw->wire.out);
    }
    int n = BIO_read(raw->out, wire_bytes + before, (int)(sizeof wire_bytes - before));
    struct mutual_wire wire = {
        .in = wire_bytes, .in_len = before + (n > 0 ? (size_t)n : 0), .out = out};
    enum mutual_io io = MUTUAL_IO_WANT_WRITE;
    *ret_len = 0;
    for (int calls = 0; calls < 10000 && *ret_len == 0; calls++) {
        wire.out_len = 0;
        wire.out_cap = sizeof out;
        io = mutual_session_read(end->session, &wire, data, sizeof data, ret_len, &end->err);
        if (io != MUTUAL_IO_WANT_WRITE && !(io == MUTUAL_IO_WANT_READ && wire.in_len > 0)) {
            break;
        }
    }
    return io;
}

static void a_flood_of_key_updates_is_bounded(void **state)
{
    (void)state;
    struct tls_pair pair;
    struct tls_raw raw;
    tls_pair_init(&pair);
    tls_raw_init(&raw, false);
    tls_raw_show(&raw, pair.client_leaf);
    tls_raw_shake(&raw, &pair, &pair.server);
    assert_true(is_let_in(&pair));
    for (int i = 0; i < 2000; i++) {
        assert_int_equal(SSL_key_update(raw.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(raw.ssl), 1);
    }
    assert_int_equal(SSL_write(raw.ssl, "x", 1), 1);
    size_t len = 0;
    enum mutual_io io = bring(&pair.server, &raw, &len);
    assert_int_equal(io, MUTUAL_IO_FAILED);
    assert_int_equal(pair.server.err.code, MUTUAL_E_PROTOCOL_VIOLATION);
    assert_non_null(strstr(pair.server.err.reason, "sent 33 messages without data"));
    tls_raw_done(&raw);
    tls_pair_done(&pair);
}

static void a_flood_of_tickets_is_bounded(void **state)
{
    (void)state;
    struct tls_pair pair;
    struct tls_raw raw;
    tls_pair_init(&pair);
    struct mutual_cache *cache = mutual_cache_new(100);
    pair.client.options.cache = cache;
    tls_raw_init(&raw, true);
    tls_raw_show(&raw, pair.server_leaf);
    tls_raw_shake(&raw, &pair, &pair.client);
    assert_int_equal(pair.client.io, MUTUAL_IO_DONE);
    assert_true(mutual_session_admit(pair.client.session, pair.now_s)->allowed);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(SSL_new_session_ticket(raw.ssl), 1);
        assert_int_equal(SSL_do_handshake(raw.ssl), 1);
    }
    size_t len = 0;
    enum mutual_io io = bring(&pair.client, &raw, &len);
    assert_int_equal(io, MUTUAL_IO_FAILED);
    assert_int_equal(pair.client.err.code, MUTUAL_E_PROTOCOL_VIOLATION);
    assert_in_range(mutual_cache_count(cache), 1, 4);
    tls_raw_done(&raw);
    tls_pair_done(&pair);
    mutual_cache_unref(cache);
}

/* ---- the hello --------------------------------------------------------------------------------
 */

/* A client that first names one host and, asked for another key share, another one. */
static void the_second_hello_names_the_host(void **state)
{
    (void)state;
    struct tls_pair pair;
    struct tls_raw raw;
    tls_pair_init(&pair);
    tls_raw_init(&raw, false);
    tls_raw_show(&raw, pair.client_leaf);
    tls_raw_offer(&raw, "P-521:P-256", NULL);
    raw.ssl = SSL_new(raw.ctx);
    assert_int_equal(SSL_set_tlsext_host_name(raw.ssl, "db.example.org"), 1);
    tls_raw_attach(&raw);
    tls_pair_start(&pair);
    static char bytes[8192];
    (void)SSL_do_handshake(raw.ssl);
    int n = BIO_read(raw.out, bytes, sizeof bytes);
    tls_feed(&pair, &pair.server, bytes, (size_t)n, false);
    assert_int_equal(SSL_set_tlsext_host_name(raw.ssl, "admin.example.org"), 1);
    tls_raw_shake(&raw, &pair, &pair.server);
    struct mutual_session_info info;
    mutual_session_info(pair.server.session, &info);
    if (pair.server.io != MUTUAL_IO_FAILED) {
        assert_string_equal(info.sni, "admin.example.org");
    }
    tls_raw_done(&raw);
    tls_pair_done(&pair);
}

/* RFC 8446 section 5.1 lets a hello be cut into records anywhere. */
static void a_hello_in_pieces_is_a_hello(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 7; piece++) {
        struct tls_pair pair;
        tls_pair_init(&pair);
        tls_pair_start(&pair);
        (void)tls_step(&pair, &pair.client, &pair.server);
        MU_AUTO(buf) struct mu_buf cut;
        mu_buf_init(&cut, 1u << 16);
        const struct mu_buf *hello = &pair.client.out;
        for (size_t at = 5; at < hello->len; at += piece) {
            size_t len = hello->len - at < piece ? hello->len - at : piece;
            uint8_t head[5] = {0x16, 3, 1, 0, (uint8_t)len};
            assert_true(mu_buf_append(&cut, head, sizeof head));
            assert_true(mu_buf_append(&cut, hello->data + at, len));
        }
        tls_feed(&pair, &pair.server, cut.data, cut.len, false);
        if (pair.server.io == MUTUAL_IO_FAILED) {
            fail_msg("in pieces of %zu: %s", piece, pair.server.err.reason);
        }
        tls_pair_done(&pair);
    }
}

/* Cut so that its length is not where it is looked for first, a hello is not longer either. */
static void a_long_hello_in_pieces_is_refused(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 400; piece += 133) {
        struct tls_pair pair;
        tls_pair_init(&pair);
        MU_AUTO(buf) struct mu_buf cut;
        mu_buf_init(&cut, 1u << 20);
        static const uint8_t start[] = {1, 0x01, 0xff, 0xff, 3, 3};
        for (size_t at = 0; at < 0x1ffff && cut.len < 200000; at += piece) {
            uint8_t head[5] = {0x16, 3, 1, (uint8_t)(piece >> 8), (uint8_t)piece};
            assert_true(mu_buf_append(&cut, head, sizeof head));
            for (size_t i = 0; i < piece; i++) {
                assert_true(mu_buf_byte(&cut, at + i < sizeof start ? start[at + i] : 0));
            }
        }
        tls_feed(&pair, &pair.server, cut.data, cut.len, false);
        assert_int_equal(pair.server.io, MUTUAL_IO_FAILED);
        assert_int_equal(pair.server.err.code, MUTUAL_E_HELLO_MALFORMED);
        assert_true(pair.server.session->bytes_in < 40000);
        struct mutual_session_info info;
        mutual_session_info(pair.server.session, &info);
        assert_true(info.alert_sent > 0);
        tls_pair_done(&pair);
    }
}

UNIT_MAIN(UNIT_CASE(running_out_of_memory_lets_nobody_in), UNIT_CASE(the_refused_are_not_kept),
          UNIT_CASE(a_padded_chain_is_not_kept), UNIT_CASE(keys_are_proved_again_in_time),
          UNIT_CASE(a_session_seen_on_the_wire_opens_nothing), UNIT_CASE(a_session_keeps_its_owner),
          UNIT_CASE(a_flood_of_key_updates_is_bounded), UNIT_CASE(a_flood_of_tickets_is_bounded),
          UNIT_CASE(the_second_hello_names_the_host), UNIT_CASE(a_hello_in_pieces_is_a_hello),
          UNIT_CASE(a_long_hello_in_pieces_is_refused))
