/* SPDX-License-Identifier: Apache-2.0
 *
 * Resumption: it works for every kind of key in both versions, and ends wherever a rule changed
 * between two handshakes. With SHARED_SESSIONS in the environment two workers share their sessions,
 * and each client comes back to the other one.
 */
#include "session/session_internal.h"
#include "session/share_internal.h"
#include "tls_pair.h"

#include <stdlib.h>

static const enum mu_key_spec specs[] = {MU_SPEC_EC_P256, MU_SPEC_EC_P384, MU_SPEC_RSA_2048,
                                         MU_SPEC_ED25519};

struct caches {
    struct mutual_cache *server, *client;
    struct mutual_cache *other; /* of the other worker, or NULL */
    struct mu_share *shares[2];
    void *memory;
};
static struct mutual_cache *workers[2];

static bool is_shared(void)
{
    return getenv("SHARED_SESSIONS") != NULL;
}

static void share(struct caches *caches)
{
    static const uint8_t secret[32] = {42};
    struct mutual_error err = {0};
    caches->other = mutual_cache_new(100);
    caches->memory = calloc(1, mu_share_bytes());
    workers[0] = caches->server;
    workers[1] = caches->other;
    for (size_t i = 0; i < 2; i++) {
        assert_ok(mu_share_new(caches->memory, secret, 5, &caches->shares[i], &err), &err);
        mu_cache_share(workers[i], caches->shares[i]);
    }
}

static struct caches give_caches(struct tls_pair *pair)
{
    struct caches caches = {.server = mutual_cache_new(100), .client = mutual_cache_new(100)};
    pair->server.options.cache = caches.server;
    pair->client.options.cache = caches.client;
    if (is_shared()) {
        share(&caches);
    }
    return caches;
}

static void drop_caches(struct caches caches)
{
    mutual_cache_unref(caches.server);
    mutual_cache_unref(caches.client);
    mutual_cache_unref(caches.other);
    mu_share_free(caches.shares[0]);
    mu_share_free(caches.shares[1]);
    free(caches.memory);
}

/* The next connection comes to the other worker. Those of TLS 1.2 share nothing. */
static void go_elsewhere(struct tls_pair *pair)
{
    if (is_shared() && !pair->client.tls12) {
        bool first = pair->server.options.cache == workers[0];
        mutual_context_unref(MU_TAKE(pair->server.context));
        pair->server.options.cache = workers[first ? 1 : 0];
    }
}

/* One whole connection: data both ways, so that tickets arrive, and a clean end. */
static void connect_once(struct tls_pair *pair)
{
    tls_pair_hang_up(pair);
    go_elsewhere(pair);
    tls_pair_open(pair);
    tls_pair_talk(pair);
}

static bool was_resumed(const struct tls_pair *pair)
{
    bool server = mutual_session_evidence(pair->server.session)->resumed;
    bool client = mutual_session_evidence(pair->client.session)->resumed;
    assert_int_equal(server, client);
    return server;
}

static void every_key_in_both_versions(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * MU_COUNT(specs); i++) {
        struct tls_pair pair;
        tls_pair_init_with(&pair, specs[i / 2], specs[(i / 2 + 1) % MU_COUNT(specs)]);
        pair.client.tls12 = i % 2 != 0;
        struct caches caches = give_caches(&pair);
        connect_once(&pair);
        assert_false(was_resumed(&pair));
        for (int again = 0; again < 3; again++) {
            pair.now_s++;
            connect_once(&pair);
            assert_true(was_resumed(&pair));
            const struct mutual_evidence *evidence = mutual_session_evidence(pair.server.session);
            assert_true(evidence->proved);
            assert_int_equal(evidence->proved_at_s, PKI_NOW_S);
            size_t count = 0;
            const struct mutual_name *names = mutual_chain_names(evidence->chain, &count);
            assert_string_equal(names[0].text, "spiffe://example.org/alice");
            struct mutual_session_info info;
            mutual_session_info(pair.client.session, &info);
            assert_true(info.resumed && info.mutual);
            assert_int_equal(mutual_session_journey(pair.server.session)
                                 ->steps[MUTUAL_STEP_CLIENT_CHECK]
                                 .outcome,
                             MUTUAL_OUTCOME_SKIPPED);
        }
        tls_pair_done(&pair);
        drop_caches(caches);
    }
}

/* Connects, lets `change` happen, connects again with new contexts and the old caches. */
static void resume_after(void (*change)(struct tls_pair *pair), bool tls12, struct tls_pair *pair,
                         struct caches *caches)
{
    tls_pair_init(pair);
    pair->client.tls12 = tls12;
    *caches = give_caches(pair);
    connect_once(pair);
    connect_once(pair);
    assert_true(was_resumed(pair));
    tls_pair_forget_contexts(pair);
    go_elsewhere(pair);
    change(pair);
    tls_pair_shake(pair);
}

static void nothing_changes(struct tls_pair *pair)
{
    (void)pair;
}

static void a_reload_costs_nothing(void **state)
{
    (void)state;
    for (int tls12 = 0; tls12 < 2; tls12++) {
        struct tls_pair pair;
        struct caches caches;
        resume_after(nothing_changes, tls12 != 0, &pair, &caches);
        assert_true(was_resumed(&pair));
        tls_pair_done(&pair);
        drop_caches(caches);
    }
}

static void another_listener(struct tls_pair *pair)
{
    pair->server.rules.service = "another";
}

static void another_generation(struct tls_pair *pair)
{
    pair->server.rules.trust_generation++;
}

static void another_mode(struct tls_pair *pair)
{
    pair->server.rules.mode = MUTUAL_MODE_REQUEST;
}

static void another_certificate(struct tls_pair *pair)
{
    tls_end_show(&pair->server,
                 pki_issue(pair->issuer, (struct pki_leaf){.dns = "db.example.org"}));
}

static void another_policy(struct tls_pair *pair)
{
    mutual_policy_unref(pair->policy);
    pair->policy = tls_policy("another");
    pair->server.rules.policy = pair->policy;
    pair->server.rules.policy_generation++;
}

static void another_client_certificate(struct tls_pair *pair)
{
    tls_end_show(&pair->client,
                 pki_issue(pair->issuer, (struct pki_leaf){.uri = "spiffe://example.org/bob"}));
}

static void another_target(struct tls_pair *pair)
{
    pair->client.extras.target = "elsewhere:8443";
}

static void another_expectation(struct tls_pair *pair)
{
    pair->client.rules.trust_generation++;
}

static void a_full_handshake_follows(void **state)
{
    (void)state;
    static void (*const changes[])(struct tls_pair *) = {
        another_listener,           another_generation, another_mode,        another_certificate,
        another_client_certificate, another_target,     another_expectation, another_policy,
    };
    for (size_t i = 0; i < 2 * MU_COUNT(changes); i++) {
        struct tls_pair pair;
        struct caches caches;
        resume_after(changes[i / 2], i % 2 != 0, &pair, &caches);
        if (pair.server.io != MUTUAL_IO_DONE) {
            fail_msg("change %zu: %s", i / 2, pair.server.err.reason);
        }
        if (was_resumed(&pair)) {
            fail_msg("resumed after change %zu", i / 2);
        }
        tls_pair_done(&pair);
        drop_caches(caches);
    }
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
    pair->server.rules.revocation_generation++;
}

static void the_revoked_are_refused(void **state)
{
    (void)state;
    for (int tls12 = 0; tls12 < 2; tls12++) {
        struct tls_pair pair;
        struct caches caches;
        resume_after(revoked, tls12 != 0, &pair, &caches);
        assert_int_equal(pair.server.io, MUTUAL_IO_FAILED);
        assert_int_equal(pair.server.err.code, MUTUAL_E_CERT_REVOKED);
        struct mutual_session_info info;
        mutual_session_info(pair.server.session, &info);
        assert_int_equal(info.alert_sent, 44);
        tls_pair_done(&pair);
        drop_caches(caches);
    }
}

static void after_the_end(struct tls_pair *pair)
{
    pair->now_s = PKI_NOW_S + 91 * PKI_DAY_S;
}

static void the_expired_are_refused(void **state)
{
    (void)state;
    for (int tls12 = 0; tls12 < 2; tls12++) {
        struct tls_pair pair;
        struct caches caches;
        resume_after(after_the_end, tls12 != 0, &pair, &caches);
        assert_false(mutual_session_evidence(pair.client.session)->resumed);
        assert_int_equal(pair.client.io, MUTUAL_IO_FAILED);
        assert_int_equal(pair.client.err.code, MUTUAL_E_CERT_EXPIRED);
        tls_pair_done(&pair);
        drop_caches(caches);
    }
}

/* The server forgets; what the client shows is worth nothing by itself. */
static void without_our_table_nothing_is_resumed(void **state)
{
    (void)state;
    for (int tls12 = 0; tls12 < 2; tls12++) {
        struct tls_pair pair;
        tls_pair_init(&pair);
        pair.client.tls12 = tls12 != 0;
        struct caches caches = give_caches(&pair);
        connect_once(&pair);
        assert_int_equal(mutual_cache_count(pair.server.options.cache),
                         is_shared() && !pair.client.tls12 ? 0 : 1);
        struct mutual_cache *fresh = mutual_cache_new(100);
        tls_pair_forget_contexts(&pair);
        pair.server.options.cache = fresh;
        tls_pair_open(&pair);
        assert_false(was_resumed(&pair));
        tls_pair_forget_contexts(&pair);
        pair.server.options.cache = NULL;
        tls_pair_open(&pair);
        assert_false(was_resumed(&pair));
        tls_pair_done(&pair);
        drop_caches(caches);
        mutual_cache_unref(fresh);
    }
}

static void a_broken_end_keeps_the_session(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    struct caches caches = give_caches(&pair);
    connect_once(&pair);
    tls_pair_hang_up(&pair); /* nobody sent close_notify, nobody missed it */
    connect_once(&pair);
    assert_true(was_resumed(&pair));
    struct mutual_wire wire = {.in_end = true};
    uint8_t byte;
    size_t len = 0;
    assert_int_equal(
        mutual_session_read(pair.server.session, &wire, &byte, 1, &len, &pair.server.err),
        MUTUAL_IO_FAILED);
    assert_int_equal(pair.server.err.code, MUTUAL_E_TRUNCATED);
    connect_once(&pair);
    assert_true(was_resumed(&pair));
    tls_pair_done(&pair);
    drop_caches(caches);
}

static void the_client_uses_a_ticket_once(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    struct caches caches = give_caches(&pair);
    connect_once(&pair);
    assert_int_equal(mutual_cache_count(caches.client), 1);
    tls_pair_hang_up(&pair);
    tls_pair_start(&pair);
    assert_int_equal(mutual_cache_count(caches.client), 0);
    tls_pair_done(&pair);
    drop_caches(caches);
}

static void a_ticket_does_not_outlive_the_chain(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    struct caches caches = give_caches(&pair);
    pair.now_s = PKI_NOW_S + 90 * PKI_DAY_S - 100;
    connect_once(&pair);
    SSL_SESSION *kept = SSL_get_session(pair.client.session->ssl);
    assert_in_range(SSL_SESSION_get_ticket_lifetime_hint(kept), 1, 100);
    tls_pair_done(&pair);
    drop_caches(caches);
}

static void every_suite_is_resumed(void **state)
{
    (void)state;
    static const char *const suites[] = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                         "TLS_CHACHA20_POLY1305_SHA256"};
    for (size_t i = 0; i < MU_COUNT(suites); i++) {
        struct tls_pair pair;
        struct mutual_session_info info;
        tls_pair_init(&pair);
        struct caches caches = give_caches(&pair);
        tls_pair_start(&pair);
        assert_int_equal(SSL_CTX_set_ciphersuites(pair.client.context->ssl, suites[i]), 1);
        for (int round = 0; round < 3; round++) {
            connect_once(&pair);
            assert_int_equal(was_resumed(&pair), round > 0);
            mutual_session_info(pair.server.session, &info);
            assert_string_equal(info.cipher, suites[i]);
        }
        tls_pair_done(&pair);
        drop_caches(caches);
    }
}

/* What our server keeps of a session of TLS 1.3 holds no certificate, and no object of OpenSSL. */
static void little_is_kept(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    struct caches caches = give_caches(&pair);
    connect_once(&pair);
    if (is_shared()) { /* then nothing is kept here at all, and sealed there: test_share.c */
        assert_int_equal(mutual_cache_count(pair.server.options.cache), 0);
        tls_pair_done(&pair);
        drop_caches(caches);
        return;
    }
    const unsigned char *ticket = NULL;
    size_t len = 0;
    SSL_SESSION_get0_ticket(SSL_get_session(pair.client.session->ssl), &ticket, &len);
    const struct mu_resumable *entry = mu_cache_find(caches.server, mu_slice_of(ticket, len));
    assert_non_null(entry);
    assert_null(entry->kept.ssl);
    assert_int_equal(entry->kept.psk_len, 32);
    assert_int_equal(entry->kept.until_s, PKI_NOW_S + 7200);
    tls_pair_done(&pair);
    drop_caches(caches);
}

static void two_hours_later(struct tls_pair *pair)
{
    pair->now_s = PKI_NOW_S + 7200;
}

static void a_session_ends_by_our_clock(void **state)
{
    (void)state;
    struct tls_pair pair;
    struct caches caches;
    resume_after(two_hours_later, false, &pair, &caches);
    assert_int_equal(pair.server.io, MUTUAL_IO_DONE);
    assert_false(was_resumed(&pair));
    tls_pair_done(&pair);
    drop_caches(caches);
}

/* ---- what only shared sessions do ------------------------------------------------------------ */

/* A visit of bare OpenSSL, with a session to show or none; was it resumed? */
static bool visit(struct tls_pair *pair, struct tls_raw *raw, SSL_SESSION *shown)
{
    struct mutual_session_info info;
    char byte;
    tls_pair_hang_up(pair);
    mu_buf_clear(&raw->wire.out);
    if (raw->ssl != NULL) {
        SSL_set_shutdown(raw->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    SSL_free(raw->ssl);
    raw->ssl = SSL_new(raw->ctx);
    tls_raw_attach(raw);
    assert_true(shown == NULL || SSL_set_session(raw->ssl, shown) == 1);
    tls_raw_shake(raw, pair, &pair->server);
    assert_int_equal(pair->server.io, MUTUAL_IO_DONE);
    (void)SSL_read(raw->ssl, &byte, 1); /* its ticket */
    assert_null(pair->server.session->taken);
    mutual_session_info(pair->server.session, &info);
    return info.resumed;
}

struct stage {
    struct tls_pair pair;
    struct tls_raw raw;
    struct caches caches;
    SSL_SESSION *ticket;
};

static void set_stage(struct stage *stage)
{
    tls_pair_init(&stage->pair);
    stage->caches = give_caches(&stage->pair);
    if (!is_shared()) {
        share(&stage->caches);
    }
    tls_raw_init(&stage->raw, false);
    tls_raw_show(&stage->raw, stage->pair.client_leaf);
    assert_false(visit(&stage->pair, &stage->raw, NULL));
    stage->ticket = SSL_get1_session(stage->raw.ssl);
}

static void clear_stage(struct stage *stage)
{
    SSL_SESSION_free(stage->ticket);
    tls_raw_done(&stage->raw);
    tls_pair_done(&stage->pair);
    drop_caches(stage->caches);
}

/* The same ticket again: there is nothing any more, at this worker as at the other. */
static void a_shared_session_is_resumed_once(void **state)
{
    (void)state;
    struct stage stage;
    set_stage(&stage);
    for (int i = 0; i < 3; i++) {
        tls_pair_forget_contexts(&stage.pair);
        stage.pair.server.options.cache = workers[(i + 1) % 2];
        assert_int_equal(visit(&stage.pair, &stage.raw, stage.ticket), i == 0);
    }
    clear_stage(&stage);
}

/* After a HelloRetryRequest the same session is shown again, by the same connection. */
static void a_second_hello_finds_what_the_first_one_took(void **state)
{
    (void)state;
    struct stage stage;
    set_stage(&stage);
    tls_raw_offer(&stage.raw, "P-521:X25519", NULL); /* with a share of the one that is not ours */
    assert_true(visit(&stage.pair, &stage.raw, stage.ticket));
    assert_false(visit(&stage.pair, &stage.raw, stage.ticket));
    clear_stage(&stage);
}

UNIT_MAIN(UNIT_CASE(every_suite_is_resumed), UNIT_CASE(little_is_kept),
          UNIT_CASE(a_session_ends_by_our_clock), UNIT_CASE(every_key_in_both_versions),
          UNIT_CASE(a_reload_costs_nothing), UNIT_CASE(a_full_handshake_follows),
          UNIT_CASE(the_revoked_are_refused), UNIT_CASE(the_expired_are_refused),
          UNIT_CASE(without_our_table_nothing_is_resumed),
          UNIT_CASE(a_broken_end_keeps_the_session), UNIT_CASE(the_client_uses_a_ticket_once),
          UNIT_CASE(a_ticket_does_not_outlive_the_chain),
          UNIT_CASE(a_shared_session_is_resumed_once),
          UNIT_CASE(a_second_hello_finds_what_the_first_one_took))
