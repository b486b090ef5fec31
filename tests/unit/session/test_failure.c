/* SPDX-License-Identifier: Apache-2.0
 *
 * What is told when a handshake fails, word by word: the first bytes, the end of the wire, nothing
 * in common, and rules of TLS that are broken.
 */
#include <openssl/x509.h>

#include "tls_pair.h"

struct raw_case {
    const char *name;
    const char *bytes;
    size_t len;
    bool end;
    enum mutual_code code;
    const char *reason;
};
#define RAW(text_) text_, sizeof(text_) - 1

/* ClientHello records with nothing behind the version, which is where the answer is known. */
#define HELLO(version_)                                 \
    "\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03" version_ \
    "0123456789abcdef0123456789abcdef\x00\x00\x02\x00\x2f\x01\x00"

static const struct raw_case raw_cases[] = {
    {"http", RAW("GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n"), false, MUTUAL_E_NOT_TLS,
     "the client's first bytes are not TLS: \"GET /index.html HTTP/1.1\""},
    {"connect", RAW("CONNECT a:443 HTTP/1.1\r\n\r\n"), false, MUTUAL_E_NOT_TLS,
     "the client's first bytes are not TLS: \"CONNECT a:443 HTTP/1.1\""},
    {"ssh", RAW("SSH-2.0-OpenSSH_9.2\r\n"), false, MUTUAL_E_NOT_TLS,
     "the client's first bytes are not TLS: \"SSH-2.0-OpenSSH_9.2\""},
    {"noise", RAW("\x01\x02\x00\xff\x1b[31m"), false, MUTUAL_E_NOT_TLS,
     "the client's first bytes are not TLS: \"\\x01\\x02\\x00\\xff\\x1b[31m\""},
    {"short", RAW("hi"), true, MUTUAL_E_NOT_TLS, "the client's first bytes are not TLS: \"hi\""},
    {"ssl2", RAW("\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80\x02\x00\x80\x03"), true,
     MUTUAL_E_PROTOCOL_OLD, "the client offers only SSL 2.0, TLS 1.2 is the least we accept"},
    {"ssl3", RAW(HELLO("\x00")), false, MUTUAL_E_PROTOCOL_OLD,
     "the client offers only SSL 3.0, TLS 1.2 is the least we accept"},
    {"tls10", RAW(HELLO("\x01")), false, MUTUAL_E_PROTOCOL_OLD,
     "the client offers only TLS 1.0, TLS 1.2 is the least we accept"},
    {"tls11", RAW(HELLO("\x02")), false, MUTUAL_E_PROTOCOL_OLD,
     "the client offers only TLS 1.1, TLS 1.2 is the least we accept"},
    {"cut",
     "\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x03"
     "01",
     13, true, MUTUAL_E_HELLO_MALFORMED, "the hello of the client is cut off after 13 bytes"},
    {"oversized", "\x16\x03\x01\x40\x00\x01\x01\x00\x00\x03\x03", 11, false,
     MUTUAL_E_HELLO_MALFORMED,
     "the hello of the client is longer than the 16384 bytes that are read"},
    {"malformed", RAW("\x16\x03\x01\x00\x0a\x01\x00\x00\x06\x03\x03\x00\x00\x00\x00"), false,
     MUTUAL_E_HELLO_MALFORMED, "the hello of the client is malformed: length mismatch"},
    {"no hello", RAW("\x16\x03\x01\x00\x04\x0e\x00\x00\x00"), false, MUTUAL_E_HELLO_MALFORMED,
     "the hello of the client is malformed: unexpected message"},
    {"silence", "", 0, true, MUTUAL_E_PEER_SILENT, "the client left without a word"},
};

static void first_bytes_are_named(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    for (size_t i = 0; i < MU_COUNT(raw_cases); i++) {
        const struct raw_case *row = &raw_cases[i];
        tls_feed(&pair, &pair.server, row->bytes, row->len, row->end);
        if (pair.server.io != MUTUAL_IO_FAILED || pair.server.err.code != row->code ||
            strcmp(pair.server.err.reason, row->reason) != 0) {
            fail_msg("%s: %s: %s", row->name, mutual_code_name(pair.server.err.code),
                     pair.server.err.reason);
        }
        assert_int_equal(pair.server.err.step, MUTUAL_STEP_CONNECT);
        assert_int_equal(mutual_journey_step(mutual_session_journey(pair.server.session)),
                         MUTUAL_STEP_CONNECT);
        tls_pair_hang_up(&pair);
    }
    tls_pair_done(&pair);
}

static void an_oversized_hello_gets_an_alert(void **state)
{
    (void)state;
    struct tls_pair pair;
    struct mutual_session_info info;
    tls_pair_init(&pair);
    tls_feed(&pair, &pair.server, "\x16\x03\x01\x40\x00\x01\x01\x00\x00\x03\x03", 11, false);
    assert_memory_equal(pair.server.out.data, "\x15\x03\x03\x00\x02\x02\x32", 7);
    mutual_session_info(pair.server.session, &info);
    assert_int_equal(info.alert_sent, 50);
    assert_null(info.version);
    tls_pair_done(&pair);
}

static void servers_that_speak_something_else(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    tls_feed(&pair, &pair.client, RAW("HTTP/1.1 400 Bad Request\r\n\r\n"), false);
    assert_int_equal(pair.client.err.code, MUTUAL_E_NOT_TLS);
    assert_string_equal(pair.client.err.reason,
                        "the server's first bytes are not TLS: \"HTTP/1.1 400 Bad Request\"");
    tls_pair_hang_up(&pair);
    tls_feed(&pair, &pair.client,
             RAW("\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01"
                 "0123456789abcdef0123456789abcdef\x00\x00\x2f\x00"),
             false);
    assert_int_equal(pair.client.err.code, MUTUAL_E_PROTOCOL_OLD);
    assert_string_equal(pair.client.err.reason,
                        "the server chose TLS 1.0, TLS 1.2 is the least we accept");
    tls_pair_hang_up(&pair);
    tls_feed(&pair, &pair.client, RAW("\x15\x03\x03\x00\x02\x02\x46"), false);
    assert_int_equal(pair.client.err.code, MUTUAL_E_PROTOCOL_OLD);
    tls_pair_done(&pair);
}

/* ---- nothing in common ----------------------------------------------------------------------- */

struct offer_case {
    const char *name;
    int max_version;
    const char *ciphers, *groups, *signatures;
    enum mutual_code code;
};

static const struct offer_case offer_cases[] = {
    {"cbc", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA", NULL, NULL, MUTUAL_E_NO_SHARED_CIPHER},
    {"no forward secrecy", TLS1_2_VERSION, "AES128-GCM-SHA256", NULL, NULL,
     MUTUAL_E_NO_SHARED_CIPHER},
    {"wrong key type", TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256", NULL, NULL,
     MUTUAL_E_NO_SHARED_CIPHER},
    {"group 1.2", TLS1_2_VERSION, NULL, "P-521", NULL, MUTUAL_E_NO_SHARED_GROUP},
    {"group 1.3", TLS1_3_VERSION, NULL, "P-521", NULL, MUTUAL_E_NO_SHARED_GROUP},
    {"signature 1.3", TLS1_3_VERSION, NULL, NULL, "RSA-PSS+SHA256", MUTUAL_E_NO_SHARED_SIGNATURE},
    {"signature 1.2", TLS1_2_VERSION, NULL, NULL, "RSA+SHA256", MUTUAL_E_NO_SHARED_SIGNATURE},
};

static void nothing_in_common_is_told_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < MU_COUNT(offer_cases); i++) {
        const struct offer_case *row = &offer_cases[i];
        struct tls_pair pair;
        struct tls_raw raw;
        tls_pair_init(&pair);
        tls_raw_init(&raw, false);
        assert_int_equal(SSL_CTX_set_max_proto_version(raw.ctx, row->max_version), 1);
        assert_true(row->ciphers == NULL || SSL_CTX_set_cipher_list(raw.ctx, row->ciphers) == 1);
        tls_raw_offer(&raw, row->groups, row->signatures);
        tls_raw_shake(&raw, &pair, &pair.server);
        if (pair.server.io != MUTUAL_IO_FAILED || pair.server.err.code != row->code) {
            fail_msg("%s: %s: %s", row->name, mutual_code_name(pair.server.err.code),
                     pair.server.err.reason);
        }
        assert_int_equal(pair.server.err.step, MUTUAL_STEP_CONNECT);
        tls_raw_done(&raw);
        tls_pair_done(&pair);
    }
}

/* ---- certificates that are missing or too much ------------------------------------------------
 */

static void no_certificate_is_named(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct tls_pair pair;
        struct tls_raw raw;
        tls_pair_init(&pair);
        tls_raw_init(&raw, false);
        assert_int_equal(SSL_CTX_set_max_proto_version(raw.ctx, version), 1);
        tls_raw_shake(&raw, &pair, &pair.server);
        assert_int_equal(pair.server.err.code, MUTUAL_E_NO_CLIENT_CERT);
        assert_string_equal(pair.server.err.reason, "the client presented no certificate");
        assert_int_equal(pair.server.err.step, MUTUAL_STEP_CLIENT_CERT);
        struct mutual_session_info info;
        mutual_session_info(pair.server.session, &info);
        assert_int_equal(info.alert_sent, version == TLS1_3_VERSION ? 116 : 40);
        tls_raw_done(&raw);
        tls_pair_done(&pair);
    }
}

static void a_client_may_go_without_when_only_asked(void **state)
{
    (void)state;
    struct tls_pair pair;
    struct tls_raw raw;
    tls_pair_init(&pair);
    pair.server.rules.mode = MUTUAL_MODE_REQUEST;
    tls_raw_init(&raw, false);
    tls_raw_shake(&raw, &pair, &pair.server);
    assert_int_equal(pair.server.io, MUTUAL_IO_DONE);
    assert_null(mutual_session_evidence(pair.server.session)->chain);
    assert_int_equal(
        mutual_session_journey(pair.server.session)->steps[MUTUAL_STEP_CLIENT_CERT].outcome,
        MUTUAL_OUTCOME_SKIPPED);
    assert_false(mutual_session_admit(pair.server.session, pair.now_s)->allowed);
    tls_raw_done(&raw);
    tls_pair_done(&pair);
}

static void send_copies(int copies, int version, enum mutual_code code)
{
    struct tls_pair pair;
    struct tls_raw raw;
    tls_pair_init(&pair);
    tls_raw_init(&raw, false);
    tls_raw_show(&raw, pair.client_leaf);
    for (int i = 0; i < copies; i++) {
        assert_int_equal(SSL_CTX_add1_chain_cert(raw.ctx, mu_cert_x509(pair.issuer->cert)), 1);
    }
    assert_int_equal(SSL_CTX_set_max_proto_version(raw.ctx, version), 1);
    tls_raw_shake(&raw, &pair, &pair.server);
    assert_int_equal(pair.server.io, MUTUAL_IO_FAILED);
    assert_int_equal(pair.server.err.code, code);
    assert_int_equal(pair.server.err.step, MUTUAL_STEP_CLIENT_CHECK);
    tls_raw_done(&raw);
    tls_pair_done(&pair);
}

static void a_hundred_certificates_are_refused(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        send_copies(100, version, MUTUAL_E_CHAIN_TOO_LONG);
        send_copies(500, version, MUTUAL_E_CHAIN_TOO_LONG); /* beyond 64 KiB */
    }
}

static void a_huge_certificate_is_refused(void **state)
{
    (void)state;
    struct tls_pair pair;
    struct tls_raw raw;
    static uint8_t filler[40000] = {0x04, 0x82, 0x9c, 0x3c}; /* an OCTET STRING of the rest */
    struct mu_raw_extension extra = {.oid = "1.3.6.1.4.1.55555.1",
                                     .value = {filler, sizeof filler}};
    tls_pair_init(&pair);
    /* Our own parser refuses such a certificate, so it is put together without being read back. */
    struct mu_cert_template template = {.issuer = pair.issuer->cert,
                                        .not_before_s = PKI_NOW_S - 1,
                                        .not_after_s = PKI_NOW_S + 99,
                                        .spki = mu_key_spki(pair.client_leaf->key),
                                        .subject = &(struct mu_rdn){MU_ATTR_CN, "huge"},
                                        .subject_count = 1,
                                        .extra = &extra,
                                        .extra_count = 1};
    struct mutual_error err = {0};
    enum mu_scheme scheme = mu_key_scheme(pair.issuer->key);
    MU_AUTO(buf) struct mu_buf tbs, signature, der;
    mu_buf_init(&tbs, 1u << 17);
    mu_buf_init(&signature, 4096);
    mu_buf_init(&der, 1u << 17);
    assert_ok(mu_cert_build_tbs(&template, scheme, &tbs, &err), &err);
    assert_ok(mu_key_sign(pair.issuer->key, scheme, mu_buf_slice(&tbs), &signature, &err), &err);
    assert_ok(mu_signed_build(mu_buf_slice(&tbs), scheme, mu_buf_slice(&signature), &der, &err),
              &err);
    const unsigned char *at = der.data;
    X509 *huge = d2i_X509(NULL, &at, (long)der.len);
    assert_non_null(huge);
    tls_raw_init(&raw, false);
    assert_int_equal(SSL_CTX_use_certificate(raw.ctx, huge), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(raw.ctx, mu_key_evp(pair.client_leaf->key)), 1);
    X509_free(huge);
    tls_raw_shake(&raw, &pair, &pair.server);
    assert_int_equal(pair.server.io, MUTUAL_IO_FAILED);
    tls_raw_done(&raw);
    tls_pair_done(&pair);
}

/* ---- the end of the wire -----------------------------------------------------------------------
 */

static void the_step_reached_is_named(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    tls_pair_start(&pair);
    (void)tls_step(&pair, &pair.client, &pair.server);
    (void)tls_step(&pair, &pair.server, &pair.client);
    tls_feed(&pair, &pair.server, "", 0, true);
    assert_int_equal(pair.server.err.code, MUTUAL_E_PEER_CLOSED);
    assert_string_equal(pair.server.err.reason,
                        "the client closed the connection before step \"the client validates the "
                        "server's certificate\"");
    assert_int_equal(pair.server.err.step, MUTUAL_STEP_SERVER_CHECK);
    tls_pair_done(&pair);
}

static void a_reset_is_named(void **state)
{
    (void)state;
    struct tls_pair pair;
    uint8_t out[16];
    tls_pair_init(&pair);
    tls_pair_start(&pair);
    (void)tls_step(&pair, &pair.client, &pair.server);
    struct mutual_wire wire = {.in_end = true, .in_error = 104, .out = out, .out_cap = sizeof out};
    assert_int_equal(mutual_session_handshake(pair.client.session, &wire, &pair.client.err),
                     MUTUAL_IO_FAILED);
    assert_int_equal(pair.client.err.code, MUTUAL_E_PEER_RESET);
    assert_int_equal(pair.client.err.sys, 104);
    tls_pair_done(&pair);
}

static void somebody_in_between_is_noticed(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    tls_pair_start(&pair);
    (void)tls_step(&pair, &pair.client, &pair.server);
    (void)tls_step(&pair, &pair.server, &pair.client);
    pair.server.out.data[pair.server.out.len - 1] ^= 1;
    (void)tls_step(&pair, &pair.client, &pair.server);
    assert_int_equal(pair.client.io, MUTUAL_IO_FAILED);
    assert_int_equal(pair.client.err.code, MUTUAL_E_BAD_RECORD);
    assert_true(pair.client.err.step < MUTUAL_STEP_ACCESS);
    tls_pair_done(&pair);
}

static void a_renegotiation_is_refused(void **state)
{
    (void)state;
    struct tls_pair pair;
    struct tls_raw raw;
    tls_pair_init(&pair);
    tls_raw_init(&raw, false);
    tls_raw_show(&raw, pair.client_leaf);
    assert_int_equal(SSL_CTX_set_max_proto_version(raw.ctx, TLS1_2_VERSION), 1);
    tls_raw_shake(&raw, &pair, &pair.server);
    assert_int_equal(pair.server.io, MUTUAL_IO_DONE);
    assert_true(mutual_session_admit(pair.server.session, pair.now_s)->allowed);
    assert_int_equal(SSL_renegotiate(raw.ssl), 1);
    (void)SSL_do_handshake(raw.ssl);
    static uint8_t hello[4096], out[4096], data[16];
    size_t len = 0;
    int n = BIO_read(raw.out, hello, sizeof hello);
    assert_true(n > 0);
    struct mutual_wire wire = {.in = hello, .in_len = (size_t)n, .out = out, .out_cap = sizeof out};
    assert_int_equal(
        mutual_session_read(pair.server.session, &wire, data, sizeof data, &len, &pair.server.err),
        MUTUAL_IO_FAILED);
    assert_int_equal(pair.server.err.code, MUTUAL_E_RENEGOTIATION);
    tls_raw_done(&raw);
    tls_pair_done(&pair);
}

static void a_message_out_of_place_is_a_violation(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    tls_pair_start(&pair);
    (void)tls_step(&pair, &pair.client, &pair.server);
    (void)tls_step(&pair, &pair.server, &pair.client);
    tls_feed(&pair, &pair.server, RAW("\x16\x03\x03\x00\x04\x0e\x00\x00\x00"), false);
    assert_int_equal(pair.server.io, MUTUAL_IO_FAILED);
    assert_int_equal(pair.server.err.code, MUTUAL_E_PROTOCOL_VIOLATION);
    tls_pair_done(&pair);
}

UNIT_MAIN(UNIT_CASE(first_bytes_are_named), UNIT_CASE(an_oversized_hello_gets_an_alert),
          UNIT_CASE(servers_that_speak_something_else), UNIT_CASE(nothing_in_common_is_told_apart),
          UNIT_CASE(no_certificate_is_named), UNIT_CASE(a_client_may_go_without_when_only_asked),
          UNIT_CASE(a_hundred_certificates_are_refused), UNIT_CASE(a_huge_certificate_is_refused),
          UNIT_CASE(the_step_reached_is_named), UNIT_CASE(a_reset_is_named),
          UNIT_CASE(somebody_in_between_is_noticed), UNIT_CASE(a_renegotiation_is_refused),
          UNIT_CASE(a_message_out_of_place_is_a_violation))
