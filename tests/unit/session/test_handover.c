/* SPDX-License-Identifier: Apache-2.0
 *
 * From OpenSSL's records to ours: when it happens, that nothing is lost or counted twice, and when
 * it does not happen.
 */
#include "channel_support.h"

#include <stdlib.h>
#include <unistd.h>

/* What bare OpenSSL wrote, as the server reads it. */
static size_t hear(struct tls_raw *raw, struct tls_pair *pair, void *data, size_t cap)
{
    char bytes[4096];
    for (int n; (n = BIO_read(raw->out, bytes, sizeof bytes)) > 0;) {
        assert_true(mu_buf_append(&raw->wire.out, bytes, (size_t)n));
    }
    return tls_read(pair, &pair->server, &raw->wire, data, cap);
}

/* The server says a text, and bare OpenSSL hears it. */
static void say(struct tls_raw *raw, struct tls_pair *pair, const char *text)
{
    char heard[64] = "";
    tls_write(pair, &pair->server, text, strlen(text));
    assert_int_equal(BIO_write(raw->in, pair->server.out.data, (int)pair->server.out.len),
                     (int)pair->server.out.len);
    mu_buf_clear(&pair->server.out);
    assert_int_equal(SSL_read(raw->ssl, heard, sizeof heard - 1), (int)strlen(text));
    assert_string_equal(heard, text);
}

static void assert_talk(struct tls_raw *raw, struct tls_pair *pair)
{
    char heard[16] = "";
    for (int turn = 0; turn < 3; turn++) { /* key updates both ways in between */
        assert_int_equal(SSL_write(raw->ssl, "question", 8), 8);
        assert_int_equal(hear(raw, pair, heard, sizeof heard), 8);
        assert_memory_equal(heard, "question", 8);
        say(raw, pair, "an answer");
        assert_int_equal(SSL_key_update(raw->ssl, turn == 0 ? SSL_KEY_UPDATE_REQUESTED
                                                            : SSL_KEY_UPDATE_NOT_REQUESTED),
                         1);
    }
}

static void shake(struct tls_raw *raw, struct tls_pair *pair)
{
    tls_raw_shake(raw, pair, &pair->server);
    assert_int_equal(pair->server.io, MUTUAL_IO_DONE);
    assert_true(mutual_session_admit(pair->server.session, pair->now_s)->allowed);
}

/* A key that was heard beside its secret is the one that follows from it. */
static void assert_key(struct mutual_session *server, struct mu_direction *direction, bool heard)
{
    struct mu_direction derived = *direction;
    const SSL_CIPHER *cipher = SSL_get_current_cipher(server->ssl);
    uint16_t suite = SSL_CIPHER_get_protocol_id(cipher);
    assert_true(mu_direction_key(server->context->records, suite, &derived));
    assert_true(mu_direction_is_keyed(&derived, suite));
    assert_int_equal(mu_direction_is_keyed(direction, suite), heard);
    if (heard) {
        assert_memory_equal(direction->key, derived.key, derived.key_len);
        assert_memory_equal(direction->iv, derived.iv, derived.iv_len);
    }
}

/* Secrets are heard (through the lean context) or told as text; a ticket is given or none. */
static void taken_over(const char *suite, OSSL_LIB_CTX *heard, bool ticket)
{
    static struct tls_pair pair; /* too large for a stack beside the other */
    struct tls_raw raw;
    tls_pair_init(&pair);
    pair.server.extras.libctx = heard;
    struct mutual_cache *cache = ticket ? mutual_cache_new(10) : NULL;
    pair.server.options.cache = cache;
    tls_raw_init(&raw, false);
    tls_raw_show(&raw, pair.client_leaf);
    assert_int_equal(SSL_CTX_set_ciphersuites(raw.ctx, suite), 1);
    shake(&raw, &pair);
    assert_int_equal(SSL_CTX_get_keylog_callback(pair.server.context->ssl) == NULL, heard != NULL);
    assert_key(pair.server.session, &pair.server.session->channel->in, heard != NULL);
    assert_key(pair.server.session, &pair.server.session->channel->out, heard != NULL);
    if (ticket) { /* of a length that does not fit: it will be derived */
        memset(pair.server.session->channel->in.key, 1, 8);
        pair.server.session->channel->in.key_len = 8;
    }
    assert_talk(&raw, &pair);
    assert_true(is_ours(pair.server.session));
    struct mutual_session_info info;
    mutual_session_info(pair.server.session, &info);
    assert_string_equal(info.cipher, suite);
    tls_raw_done(&raw);
    tls_pair_done(&pair);
    mutual_cache_unref(cache);
}

static void every_suite_is_taken_over(void **state)
{
    (void)state;
    static const char *const suites[] = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                         "TLS_CHACHA20_POLY1305_SHA256"};
    struct mutual_error err = {0};
    OSSL_LIB_CTX *lean = OSSL_LIB_CTX_new();
    assert_ok(mu_ossl_lean(lean, &err), &err);
    for (size_t i = 0; i < 4 * MU_COUNT(suites); i++) {
        taken_over(suites[i / 4], i % 4 < 2 ? lean : NULL, i % 2 == 0);
    }
    mu_ossl_lean_free(lean);
}

static void resumed_sessions_are_taken_over(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    struct mutual_cache *mine = mutual_cache_new(10);
    struct mutual_cache *theirs = mutual_cache_new(10);
    pair.server.options.cache = mine;
    pair.client.options.cache = theirs;
    for (int round = 0; round < 3; round++) {
        struct mutual_session_info info;
        tls_pair_open(&pair);
        tls_pair_talk(&pair);
        assert_true(is_ours(pair.server.session));
        mutual_session_info(pair.server.session, &info);
        assert_int_equal(info.resumed, round > 0);
        tls_pair_talk(&pair);
        tls_pair_hang_up(&pair);
    }
    tls_pair_done(&pair);
    mutual_cache_unref(mine);
    mutual_cache_unref(theirs);
}

/* A client may send data right behind its Finished. */
static void data_behind_the_handshake_is_not_lost(void **state)
{
    (void)state;
    for (size_t chunk = 0; chunk < 60; chunk = chunk * 4 + 3) {
        struct tls_pair pair;
        char heard[16] = "";
        tls_pair_init(&pair);
        tls_pair_start(&pair);
        while (pair.client.io != MUTUAL_IO_DONE) {
            (void)tls_step(&pair, &pair.client, &pair.server);
            if (pair.client.io != MUTUAL_IO_DONE) {
                (void)tls_step(&pair, &pair.server, &pair.client);
            }
        }
        assert_true(mutual_session_admit(pair.client.session, pair.now_s)->allowed);
        tls_write(&pair, &pair.client, "early bird", 10);
        pair.chunk = chunk;
        while (pair.server.io != MUTUAL_IO_DONE) {
            (void)tls_step(&pair, &pair.server, &pair.client);
        }
        assert_true(mutual_session_admit(pair.server.session, pair.now_s)->allowed);
        assert_int_equal(
            tls_read(&pair, &pair.server, &pair.client, (uint8_t *)heard, sizeof heard), 10);
        assert_memory_equal(heard, "early bird", 10);
        assert_true(is_ours(pair.server.session));
        tls_pair_done(&pair);
    }
}

static void what_was_said_is_known_afterwards(void **state)
{
    (void)state;
    static const char *const protocols[] = {"h2", NULL};
    struct tls_pair pair;
    struct mutual_session_info before;
    struct mutual_session_info after;
    tls_pair_init(&pair);
    pair.server.options.alpn = protocols;
    pair.client.options.alpn = protocols;
    tls_pair_open(&pair);
    mutual_session_info(pair.server.session, &before);
    assert_true(mu_session_peer_cert(pair.server.session).len > 0);
    tls_pair_talk(&pair);
    assert_true(is_ours(pair.server.session));
    mutual_session_info(pair.server.session, &after);
    assert_string_equal(after.version, "TLS 1.3");
    assert_string_equal(after.alpn, "h2");
    assert_string_equal(after.sni, "db.example.org");
    assert_ptr_equal(after.cipher, before.cipher);
    assert_ptr_equal(after.group, before.group);
    assert_non_null(after.peer_signature);
    assert_ptr_equal(after.peer_signature, before.peer_signature);
    assert_true(after.mutual && !after.resumed);
    assert_int_equal(mu_session_peer_cert(pair.server.session).len, 0);
    assert_int_equal(mutual_session_key_fd(pair.server.session), -1);
    size_t count = 0;
    const struct mutual_evidence *evidence = mutual_session_evidence(pair.server.session);
    assert_string_equal(mutual_chain_names(evidence->chain, &count)[0].text,
                        "spiffe://example.org/alice");
    tls_pair_done(&pair);
}

static void the_library_keeps_the_rest(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        struct tls_pair pair;
        tls_pair_init(&pair);
        pair.client.tls12 = kind == 0;
        pair.server.options.library_records = kind == 1;
        tls_pair_open(&pair);
        tls_pair_talk(&pair);
        assert_false(is_ours(pair.server.session));
        assert_null(pair.server.session->channel);
        assert_false(is_ours(pair.client.session));
        tls_pair_done(&pair);
    }
}

/* Each of these is what the library would look like if it were not as we know it. */
static void doubt_leaves_it_with_the_library(void **state)
{
    (void)state;
    for (int doubt = 0; doubt < 6; doubt++) {
        struct tls_pair pair;
        tls_pair_init(&pair);
        tls_pair_open(&pair);
        struct mu_channel *channel = pair.server.session->channel;
        channel->tickets = (uint8_t)(channel->tickets + (doubt == 0));
        channel->out.count += doubt == 1;
        channel->in.count += doubt == 2;
        channel->secrets = doubt == 3 ? MU_SECRET_IN : channel->secrets;
        channel->secrets |= doubt == 4 ? MU_SECRET_STRANGE : 0;
        channel->secret_len = doubt == 5 ? 48 : channel->secret_len;
        tls_pair_talk(&pair);
        assert_false(is_ours(pair.server.session));
        assert_null(pair.server.session->channel);
        tls_pair_talk(&pair);
        tls_pair_done(&pair);
    }
}

static void strange_lines_are_no_secrets(void **state)
{
    (void)state;
    static const char good[] = "CLIENT_TRAFFIC_SECRET_0 00 "
                               "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    static const char *const lines[] = {"", "CLIENT_TRAFFIC_SECRET_0", "CLIENT_TRAFFIC_SECRET_0 00",
                                        "CLIENT_HANDSHAKE_TRAFFIC_SECRET 00 00",
                                        "CLIENT_RANDOM 0 0"};
    static const char *const broken[] = {"CLIENT_TRAFFIC_SECRET_0 00 ",
                                         "CLIENT_TRAFFIC_SECRET_0 00 0x",
                                         "CLIENT_TRAFFIC_SECRET_0 00 00010203"};
    struct tls_pair pair;
    tls_pair_init(&pair);
    tls_pair_start(&pair);
    struct mutual_session *server = pair.server.session;
    for (size_t i = 0; i < MU_COUNT(lines); i++) {
        mu_handover_secret(server->ssl, lines[i]);
        assert_null(server->channel);
    }
    for (size_t i = 0; i < MU_COUNT(broken); i++) {
        mu_handover_secret(server->ssl, broken[i]);
        assert_int_equal(server->channel->secrets, MU_SECRET_STRANGE);
    }
    server->channel->secrets = 0;
    mu_handover_secret(server->ssl, good);
    assert_int_equal(server->channel->secrets, MU_SECRET_IN);
    assert_int_equal(server->channel->in.secret[31], 0x1f);
    mu_handover_secret(server->ssl, good); /* a second time: not as we know it */
    assert_true((server->channel->secrets & MU_SECRET_STRANGE) != 0);
    tls_pair_done(&pair);
}

/* The secrets that the library tells go nowhere but here, whatever the environment wants. */
static void no_secret_is_written_down(void **state)
{
    (void)state;
    char path[] = "/tmp/mutual-keylog-XXXXXX";
    struct tls_pair pair;
    int fd = mkstemp(path);
    assert_true(fd != -1);
    assert_int_equal(setenv("SSLKEYLOGFILE", path, 1), 0);
    tls_pair_init(&pair);
    tls_pair_open(&pair);
    tls_pair_talk(&pair);
    tls_pair_done(&pair);
    assert_int_equal(lseek(fd, 0, SEEK_END), 0);
    assert_int_equal(unsetenv("SSLKEYLOGFILE"), 0);
    (void)close(fd);
    (void)unlink(path);
}

static void a_session_may_go_at_any_time(void **state)
{
    (void)state;
    for (int moment = 0; moment < 5; moment++) {
        struct tls_pair pair;
        tls_pair_init(&pair);
        tls_pair_start(&pair);
        if (moment == 1) {
            (void)tls_step(&pair, &pair.client, &pair.server);
            (void)tls_step(&pair, &pair.server, &pair.client);
        } else if (moment == 2) {
            tls_pair_shake(&pair);
        } else if (moment >= 3) {
            tls_pair_open(&pair);
        }
        if (moment == 4) {
            tls_pair_talk(&pair);
        }
        tls_pair_done(&pair);
    }
}

UNIT_MAIN(UNIT_CASE(every_suite_is_taken_over), UNIT_CASE(resumed_sessions_are_taken_over),
          UNIT_CASE(data_behind_the_handshake_is_not_lost),
          UNIT_CASE(what_was_said_is_known_afterwards), UNIT_CASE(the_library_keeps_the_rest),
          UNIT_CASE(doubt_leaves_it_with_the_library), UNIT_CASE(strange_lines_are_no_secrets),
          UNIT_CASE(no_secret_is_written_down), UNIT_CASE(a_session_may_go_at_any_time))
