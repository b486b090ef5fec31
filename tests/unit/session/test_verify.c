/* SPDX-License-Identifier: Apache-2.0
 *
 * The peer's certificate judged inside the handshake: reasons, alerts, purposes, names; and the
 * end that fails closed.
 */
#include "session/session_internal.h"
#include "tls_pair.h"

struct bad_leaf {
    const char *name;
    struct pki_leaf leaf;
    enum mutual_code code;
    int alert;
};

static const struct bad_leaf bad_clients[] = {
    {"expired",
     {.cn = "bad", .not_before = PKI_NOW_S - 9 * PKI_DAY_S, .not_after = PKI_NOW_S - PKI_DAY_S},
     MUTUAL_E_CERT_EXPIRED,
     45},
    {"not yet",
     {.cn = "bad", .not_before = PKI_NOW_S + PKI_DAY_S, .not_after = PKI_NOW_S + 9 * PKI_DAY_S},
     MUTUAL_E_CERT_NOT_YET_VALID,
     45},
    {"a server's", {.cn = "bad", .server = true}, MUTUAL_E_PURPOSE_WRONG, 43},
};

static void refuse_client(const struct bad_leaf *row, bool tls12)
{
    struct mutual_session_info info;
    struct tls_pair pair;
    tls_pair_init(&pair);
    pair.client.tls12 = tls12;
    tls_end_show(&pair.client, pki_issue(pair.issuer, row->leaf));
    tls_pair_shake(&pair);
    if (pair.server.io != MUTUAL_IO_FAILED || pair.server.err.code != row->code) {
        fail_msg("%s: %s: %s", row->name, mutual_code_name(pair.server.err.code),
                 pair.server.err.reason);
    }
    mutual_session_info(pair.server.session, &info);
    assert_int_equal(info.alert_sent, row->alert);
    assert_int_equal(pair.server.err.step, MUTUAL_STEP_CLIENT_CHECK);
    assert_int_equal(mutual_journey_step(mutual_session_journey(pair.server.session)),
                     MUTUAL_STEP_CLIENT_CHECK);
    assert_null(mutual_session_evidence(pair.server.session)->chain);
    assert_false(mutual_session_admit(pair.server.session, pair.now_s)->allowed);
    tls_pair_done(&pair);
}

static void bad_clients_are_refused_with_the_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * MU_COUNT(bad_clients); i++) {
        refuse_client(&bad_clients[i / 2], i % 2 != 0);
    }
}

static void strangers_get_unknown_ca(void **state)
{
    (void)state;
    struct mutual_session_info info;
    struct tls_pair pair;
    tls_pair_init(&pair);
    tls_end_show(&pair.client, pki_stranger("Mallory"));
    tls_pair_shake(&pair);
    assert_int_equal(pair.server.err.code, MUTUAL_E_UNKNOWN_ISSUER);
    mutual_session_info(pair.server.session, &info);
    assert_int_equal(info.alert_sent, 48);
    tls_pair_done(&pair);
}

/* Another server's certificate is refused before ours is shown. */
static void a_server_with_another_name_does_not_see_us(void **state)
{
    (void)state;
    for (int tls12 = 0; tls12 < 2; tls12++) {
        struct tls_pair pair;
        tls_pair_init(&pair);
        pair.client.tls12 = tls12 != 0;
        tls_end_show(&pair.server, pki_issue(pair.issuer, (struct pki_leaf){.dns = "evil.org"}));
        tls_pair_shake(&pair);
        assert_int_equal(pair.client.io, MUTUAL_IO_FAILED);
        assert_int_equal(pair.client.err.code, MUTUAL_E_NAME_MISMATCH);
        assert_int_equal(pair.client.err.step, MUTUAL_STEP_SERVER_CHECK);
        assert_false(pair.server.session->cert_seen);
        tls_pair_done(&pair);
    }
}

static void a_clients_certificate_is_no_servers(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    tls_end_show(&pair.server, pki_issue(pair.issuer, (struct pki_leaf){.dns = "db.example.org",
                                                                        .client = true}));
    tls_pair_shake(&pair);
    assert_int_equal(pair.client.err.code, MUTUAL_E_PURPOSE_WRONG);
    tls_pair_done(&pair);
}

static void the_end_fails_closed(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct tls_pair pair;
    tls_pair_init(&pair);
    tls_pair_shake(&pair);
    struct mutual_session *session = pair.server.session;
    struct mutual_chain *chain = session->chain;
    session->settled = false;
    session->proof_seen = false; /* as if CertificateVerify had been skipped */
    assert_fails(mu_session_settle(session, &err), &err, MUTUAL_E_PROTOCOL_VIOLATION);
    session->proof_seen = true;
    SSL_set_verify_result(session->ssl, X509_V_ERR_CERT_REJECTED);
    assert_fails(mu_session_settle(session, &err), &err, MUTUAL_E_PROTOCOL_VIOLATION);
    session->chain = NULL; /* as if no Certificate had come */
    assert_fails(mu_session_settle(session, &err), &err, MUTUAL_E_NO_CLIENT_CERT);
    session->chain = chain;
    struct mutual_chain *server_chain = pair.client.session->chain;
    pair.client.session->settled = false;
    pair.client.session->chain = NULL;
    assert_fails(mu_session_settle(pair.client.session, &err), &err, MUTUAL_E_NO_SERVER_CERT);
    pair.client.session->chain = server_chain;
    tls_pair_done(&pair);
}

UNIT_MAIN(UNIT_CASE(bad_clients_are_refused_with_the_reason), UNIT_CASE(strangers_get_unknown_ca),
          UNIT_CASE(a_server_with_another_name_does_not_see_us),
          UNIT_CASE(a_clients_certificate_is_no_servers), UNIT_CASE(the_end_fails_closed))
