/* SPDX-License-Identifier: Apache-2.0
 *
 * Alerts in words, and what one says about us: on the client side after the handshake seemed done,
 * on the server side while it runs.
 */
#include "tls_pair.h"

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static int refuse_all(X509_STORE_CTX *store, void *error)
{
    X509_STORE_CTX_set_error(store, *(const int *)error);
    return 0;
}

/* A bare server that wants a certificate and refuses every one with the error. */
static void strict_server(struct tls_raw *raw, const struct tls_pair *pair, int version, int *error)
{
    tls_raw_init(raw, true);
    tls_raw_show(raw, pair->server_leaf);
    SSL_CTX_set_verify(raw->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(raw->ctx, refuse_all, error);
    assert_int_equal(SSL_CTX_set_max_proto_version(raw->ctx, version), 1);
}

/* Shakes hands with our client and reads on, as a program does that has something to say. */
static void hear_out(struct tls_raw *raw, struct tls_pair *pair)
{
    tls_raw_shake(raw, pair, &pair->client);
    if (pair->client.io != MUTUAL_IO_DONE) {
        return;
    }
    uint8_t byte;
    assert_true(mutual_session_admit(pair->client.session, pair->now_s)->allowed);
    (void)tls_read(pair, &pair->client, &raw->wire, &byte, 1);
}

static void assert_client(const struct tls_pair *pair, enum mutual_code code, const char *reason)
{
    if (pair->client.io != MUTUAL_IO_FAILED || pair->client.err.code != code ||
        strcmp(pair->client.err.reason, reason) != 0) {
        fail_msg("%s: %s; wanted %s", mutual_code_name(pair->client.err.code),
                 pair->client.err.reason, reason);
    }
}

struct refusal {
    int verify_error;
    int alert;
    const char *reason;
};
static const struct refusal refusals[] = {
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, 48,
     "the server refused our certificate \"alice\": unknown_ca"},
    {X509_V_ERR_CERT_HAS_EXPIRED, 45,
     "the server refused our certificate \"alice\": certificate_expired"},
    {X509_V_ERR_CERT_REVOKED, 44,
     "the server refused our certificate \"alice\": certificate_revoked"},
    {X509_V_ERR_INVALID_PURPOSE, 43,
     "the server refused our certificate \"alice\": unsupported_certificate"},
};

static void a_refusal_after_our_finished_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * MU_COUNT(refusals); i++) {
        int error = refusals[i / 2].verify_error;
        struct tls_pair pair;
        struct tls_raw raw;
        struct mutual_session_info info;
        tls_pair_init(&pair);
        strict_server(&raw, &pair, versions[i % 2], &error);
        hear_out(&raw, &pair);
        assert_client(&pair, MUTUAL_E_PEER_REFUSED_US, refusals[i / 2].reason);
        assert_int_equal(pair.client.err.step, MUTUAL_STEP_CLIENT_CHECK);
        mutual_session_info(pair.client.session, &info);
        assert_int_equal(info.alert_received, refusals[i / 2].alert);
        assert_int_equal(
            mutual_session_journey(pair.client.session)->steps[MUTUAL_STEP_CLIENT_CHECK].outcome,
            MUTUAL_OUTCOME_FAILED);
        tls_raw_done(&raw);
        tls_pair_done(&pair);
    }
}

static void a_server_that_wants_a_certificate_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < MU_COUNT(versions); i++) {
        int error = X509_V_OK;
        struct tls_pair pair;
        struct tls_raw raw;
        tls_pair_init(&pair);
        mutual_identity_unref(pair.client.identities[0]);
        pair.client.identity_count = 0;
        strict_server(&raw, &pair, versions[i], &error);
        hear_out(&raw, &pair);
        assert_client(&pair, MUTUAL_E_PEER_WANTS_CERT,
                      versions[i] == TLS1_3_VERSION
                          ? "the server requires a client certificate and we have none: "
                            "certificate_required"
                          : "the server requires a client certificate and we have none: "
                            "handshake_failure");
        assert_int_equal(pair.client.err.step, MUTUAL_STEP_CLIENT_CERT);
        tls_raw_done(&raw);
        tls_pair_done(&pair);
    }
}

static void a_key_that_the_server_does_not_take_is_named(void **state)
{
    (void)state;
    int error = X509_V_OK;
    struct tls_pair pair;
    struct tls_raw raw;
    tls_pair_init_with(&pair, MU_SPEC_EC_P256, MU_SPEC_ED25519);
    strict_server(&raw, &pair, TLS1_3_VERSION, &error);
    tls_raw_offer(&raw, NULL, "ECDSA+SHA256");
    hear_out(&raw, &pair);
    assert_client(&pair, MUTUAL_E_PEER_WANTS_CERT,
                  "the server requires a client certificate, ours was not sent: "
                  "certificate_required");
    assert_string_equal(pair.client.err.hint,
                        "The server accepts no signature that the key of \"alice\" can make.");
    tls_raw_done(&raw);
    tls_pair_done(&pair);
}

static void the_hint_says_what_we_can_see(void **state)
{
    (void)state;
    int error = X509_V_ERR_CERT_HAS_EXPIRED;
    struct tls_pair pair;
    struct tls_raw raw;
    tls_pair_init(&pair);
    struct pki *old =
        pki_issue(pair.issuer, (struct pki_leaf){.cn = "old",
                                                 .not_before = PKI_NOW_S - 9 * PKI_DAY_S,
                                                 .not_after = PKI_NOW_S - 3 * PKI_DAY_S});
    tls_end_show(&pair.client, old);
    strict_server(&raw, &pair, TLS1_3_VERSION, &error);
    hear_out(&raw, &pair);
    assert_string_equal(pair.client.err.hint,
                        "Our certificate \"old\" expired 3 days ago: renew it.");
    tls_raw_done(&raw);
    tls_pair_hang_up(&pair);

    struct pki *other = pki_root("Other Root");
    error = X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
    tls_end_show(&pair.client, pair.client_leaf);
    tls_pair_forget_contexts(&pair);
    strict_server(&raw, &pair, TLS1_3_VERSION, &error);
    assert_int_equal(SSL_CTX_add_client_CA(raw.ctx, mu_cert_x509(other->cert)), 1);
    hear_out(&raw, &pair);
    assert_string_equal(pair.client.err.hint,
                        "Our certificate is from \"CN=Issuer\", which is not among the "
                        "authorities that the server names.");
    tls_raw_done(&raw);
    tls_pair_done(&pair);
}

static void a_client_that_refuses_us_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < MU_COUNT(versions); i++) {
        int error = X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
        struct tls_pair pair;
        struct tls_raw raw;
        tls_pair_init(&pair);
        tls_raw_init(&raw, false);
        tls_raw_show(&raw, pair.client_leaf);
        SSL_CTX_set_verify(raw.ctx, SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_cert_verify_callback(raw.ctx, refuse_all, &error);
        assert_int_equal(SSL_CTX_set_max_proto_version(raw.ctx, versions[i]), 1);
        tls_raw_shake(&raw, &pair, &pair.server);
        assert_int_equal(pair.server.err.code, MUTUAL_E_PEER_ALERT);
        assert_string_equal(pair.server.err.reason,
                            "the client refused our certificate \"db\": unknown_ca");
        assert_int_equal(pair.server.err.step, MUTUAL_STEP_SERVER_CHECK);
        tls_raw_done(&raw);
        tls_pair_done(&pair);
    }
}

static void our_server_refuses_and_our_client_understands(void **state)
{
    (void)state;
    for (int tls12 = 0; tls12 < 2; tls12++) {
        struct tls_pair pair;
        uint8_t byte;
        tls_pair_init(&pair);
        pair.client.tls12 = tls12 != 0;
        tls_end_show(&pair.client, pki_stranger("Mallory"));
        tls_pair_shake(&pair);
        if (pair.client.io == MUTUAL_IO_DONE) {
            (void)mutual_session_admit(pair.client.session, pair.now_s);
            (void)tls_read(&pair, &pair.client, &pair.server, &byte, 1);
        }
        assert_int_equal(pair.server.err.code, MUTUAL_E_UNKNOWN_ISSUER);
        assert_client(&pair, MUTUAL_E_PEER_REFUSED_US,
                      "the server refused our certificate \"Mallory\": unknown_ca");
        tls_pair_done(&pair);
    }
}

static void a_name_that_is_not_served_is_named(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    pair.server.options.strict_sni = true;
    pair.client.options.server_name = "elsewhere.example.org";
    tls_pair_shake(&pair);
    assert_int_equal(pair.server.err.code, MUTUAL_E_SNI_UNKNOWN);
    assert_string_equal(pair.server.err.reason,
                        "the client asked for \"elsewhere.example.org\", which no certificate of "
                        "\"customer-db\" names");
    assert_client(
        &pair, MUTUAL_E_SNI_UNKNOWN,
        "the server does not serve the name \"elsewhere.example.org\": unrecognized_name");
    tls_pair_done(&pair);
}

static void no_common_protocol_is_named(void **state)
{
    (void)state;
    static const char *const ours[] = {"h2", "http/1.1", NULL};
    static const char *const theirs[] = {"postgresql", NULL};
    struct tls_pair pair;
    tls_pair_init(&pair);
    pair.server.options.alpn = ours;
    pair.client.options.alpn = theirs;
    tls_pair_shake(&pair);
    assert_int_equal(pair.server.err.code, MUTUAL_E_ALPN_MISMATCH);
    assert_string_equal(
        pair.server.err.reason,
        "the client speaks only \"postgresql\", which \"customer-db\" does not serve");
    assert_client(&pair, MUTUAL_E_ALPN_MISMATCH,
                  "the server speaks none of the application protocols we offered: "
                  "no_application_protocol");
    tls_pair_done(&pair);
}

/* Alerts that say nothing about certificates, and one that nobody knows. */
static void other_alerts_are_told(void **state)
{
    (void)state;
    static const struct {
        uint8_t alert;
        enum mutual_code code;
        const char *reason;
    } rows[] = {
        {40, MUTUAL_E_PEER_ALERT, "the server ended the connection: handshake_failure"},
        {48, MUTUAL_E_PEER_ALERT, "the server ended the connection: unknown_ca"},
        {80, MUTUAL_E_PEER_ALERT, "the server ended the connection: internal_error"},
        {99, MUTUAL_E_PEER_ALERT, "the server ended the connection: alert 99"},
    };
    struct tls_pair pair;
    tls_pair_init(&pair);
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        const uint8_t record[] = {0x15, 3, 3, 0, 2, 2, rows[i].alert};
        tls_feed(&pair, &pair.client, record, sizeof record, false);
        assert_client(&pair, rows[i].code, rows[i].reason);
        tls_pair_hang_up(&pair);
    }
    tls_pair_done(&pair);
}

static void every_alert_has_words(void **state)
{
    (void)state;
    unsigned known = 0;
    for (int alert = -1; alert < 256; alert++) {
        const char *name = mutual_alert_name(alert);
        const char *meaning = mutual_alert_meaning(alert);
        assert_int_equal(name == NULL, meaning == NULL);
        if (name != NULL) {
            known++;
            assert_true(meaning[strlen(meaning) - 1] == '.');
        }
    }
    assert_true(known >= 30);
    assert_string_equal(mutual_alert_name(116), "certificate_required");
    assert_null(mutual_alert_name(99));
    /* Every alert that our own table of errors may send is one of them. */
    for (unsigned code = 1; code < (unsigned)MUTUAL_E_COUNT_; code++) {
        int alert = mutual_code_alert((enum mutual_code)code);
        assert_true(alert < 0 || mutual_alert_name(alert) != NULL);
    }
}

UNIT_MAIN(UNIT_CASE(a_refusal_after_our_finished_is_named),
          UNIT_CASE(a_server_that_wants_a_certificate_is_named),
          UNIT_CASE(a_key_that_the_server_does_not_take_is_named),
          UNIT_CASE(the_hint_says_what_we_can_see), UNIT_CASE(a_client_that_refuses_us_is_named),
          UNIT_CASE(our_server_refuses_and_our_client_understands),
          UNIT_CASE(a_name_that_is_not_served_is_named), UNIT_CASE(no_common_protocol_is_named),
          UNIT_CASE(other_alerts_are_told), UNIT_CASE(every_alert_has_words))
