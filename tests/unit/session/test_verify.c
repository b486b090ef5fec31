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

/* ---- rules that only observe ----------------------------------------------------------------- */

static void observe(struct tls_pair *pair, const struct pki *leaf, bool tls12)
{
    tls_pair_init(pair);
    pair->client.tls12 = tls12;
    pair->server.rules.mode = MUTUAL_MODE_OBSERVE;
    if (leaf != NULL) {
        tls_end_show(&pair->client, leaf);
    }
}

/* Lets the pair shake hands and talk; the verdict of the server's end. */
static const struct mutual_verdict *observed(struct tls_pair *pair)
{
    tls_pair_open(pair);
    tls_pair_talk(pair);
    return &pair->server.session->verdict;
}

/* Whom require would refuse passes, and is nobody: no chain, no name, no certificate to hand on. */
static void expect_nobody(struct tls_pair *pair, enum mutual_code code)
{
    struct mutual_session_info info;
    const struct mutual_verdict *verdict = observed(pair);
    assert_true(verdict->nobody);
    assert_null(verdict->name);
    assert_null(verdict->grant);
    assert_int_equal(verdict->shadow, MUTUAL_SHADOW_REFUSED);
    assert_string_equal(mutual_code_name(verdict->shadow_why->code), mutual_code_name(code));
    assert_null(mutual_session_evidence(pair->server.session)->chain);
    assert_int_equal(mu_session_peer_cert(pair->server.session).len, 0);
    mutual_session_info(pair->server.session, &info);
    assert_false(info.mutual);
    assert_int_equal(
        mutual_session_journey(pair->server.session)->steps[MUTUAL_STEP_CLIENT_CHECK].outcome,
        MUTUAL_OUTCOME_SKIPPED);
}

static void the_observed_pass_as_nobody(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * MU_COUNT(bad_clients); i++) {
        const struct bad_leaf *row = &bad_clients[i / 2];
        struct tls_pair pair;
        struct pki *root = pki_root("Other Root");
        observe(&pair, i % 2 != 0 ? pki_issue(root, row->leaf) : NULL, i % 2 != 0);
        if (i % 2 == 0) {
            tls_end_show(&pair.client, pki_issue(pair.issuer, row->leaf));
        }
        struct mutual_cache *cache = mutual_cache_new(9);
        pair.server.options.cache = cache;
        expect_nobody(&pair, i % 2 == 0 ? row->code : MUTUAL_E_UNKNOWN_ISSUER);
        const struct mu_claim *claim = mu_session_claim(pair.server.session);
        assert_string_equal(claim->name, "CN=bad");
        assert_string_equal(claim->issuer, i % 2 == 0 ? "CN=Issuer" : "CN=Other Root");
        assert_true(claim->serial[0] != '\0');
        assert_int_equal(mutual_cache_count(cache), 0); /* nothing that could be resumed */
        tls_pair_done(&pair);
        mutual_cache_unref(cache);
    }
}

static void who_shows_nothing_is_observed_too(void **state)
{
    (void)state;
    for (int tls12 = 0; tls12 < 2; tls12++) {
        struct tls_pair pair;
        observe(&pair, NULL, tls12 != 0);
        mutual_identity_unref(pair.client.identities[0]);
        pair.client.identity_count = 0;
        expect_nobody(&pair, MUTUAL_E_NO_CLIENT_CERT);
        assert_null(mu_session_claim(pair.server.session));
        tls_pair_done(&pair);
    }
}

/* Whom require would let in is known, and what is left for require to say is a clean yes. Without a
 * grant it is somebody, proved, and refused tomorrow. */
static void the_good_are_known_while_observed(void **state)
{
    (void)state;
    struct tls_pair pair;
    observe(&pair, NULL, false);
    const struct mutual_verdict *verdict = observed(&pair);
    assert_false(verdict->nobody);
    assert_int_equal(verdict->shadow, MUTUAL_SHADOW_ALLOWED);
    assert_string_equal(verdict->shadow_grant->name, "everybody");
    assert_null(verdict->shadow_why);
    tls_pair_done(&pair);
    observe(&pair, NULL, false);
    tls_end_show(&pair.client,
                 pki_issue(pair.issuer, (struct pki_leaf){.uri = "spiffe://example.com/eve"}));
    verdict = observed(&pair);
    assert_false(verdict->nobody);
    assert_int_equal(verdict->shadow_why->code, MUTUAL_E_POLICY_DENIED);
    tls_pair_done(&pair);
}

/* A session is resumed while its chain would be believed, and not under rules that require. */
static void observed_sessions_end_with_the_mode(void **state)
{
    (void)state;
    for (int tls12 = 0; tls12 < 2; tls12++) {
        struct tls_pair pair;
        observe(&pair, NULL, tls12 != 0);
        struct mutual_cache *caches[2] = {mutual_cache_new(9), mutual_cache_new(9)};
        pair.server.options.cache = caches[0];
        pair.client.options.cache = caches[1];
        (void)observed(&pair);
        tls_pair_hang_up(&pair);
        (void)observed(&pair);
        assert_true(mutual_session_evidence(pair.server.session)->resumed);
        assert_false(pair.server.session->verdict.nobody);
        tls_pair_forget_contexts(&pair);
        pair.server.rules.mode = MUTUAL_MODE_REQUIRE;
        tls_pair_shake(&pair);
        assert_int_equal(pair.server.io, MUTUAL_IO_DONE);
        assert_false(mutual_session_evidence(pair.server.session)->resumed);
        tls_pair_done(&pair);
        mutual_cache_unref(caches[0]);
        mutual_cache_unref(caches[1]);
    }
}

/* A certificate is public. What the library lets through without the proof of the key (it does not,
 * tests/scenario tries) ends here, believed or not. */
static void a_missing_proof_is_never_borne(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct tls_pair pair;
    observe(&pair, pki_stranger("stranger"), false);
    tls_pair_shake(&pair);
    struct mutual_session *session = pair.server.session;
    assert_non_null(session->disbelief);
    session->settled = false;
    session->proof_seen = false;
    assert_fails(mu_session_settle(session, &err), &err, MUTUAL_E_PROTOCOL_VIOLATION);
    tls_pair_done(&pair);
}

/* ---- chains that were validated before ------------------------------------------------------- */

static struct mu_known *give_known(struct tls_pair *pair)
{
    struct mu_known *known = mu_known_new(10);
    pair->server.extras.known = known;
    pair->client.extras.known = known;
    return known;
}

static void both_chains_are_kept_and_found(void **state)
{
    (void)state;
    for (int tls12 = 0; tls12 < 2; tls12++) {
        struct tls_pair pair;
        tls_pair_init(&pair);
        pair.client.tls12 = tls12 != 0;
        struct mu_known *known = give_known(&pair);
        tls_pair_open(&pair);
        assert_int_equal(mu_known_count(known), 2);
        struct mutual_chain *client = mutual_chain_ref(pair.server.session->chain);
        struct mutual_chain *server = mutual_chain_ref(pair.client.session->chain);
        tls_pair_hang_up(&pair);
        tls_pair_open(&pair);
        tls_pair_talk(&pair);
        assert_int_equal(mu_known_count(known), 2);
        assert_ptr_equal(pair.server.session->chain, client); /* the very one */
        assert_ptr_equal(pair.client.session->chain, server);
        assert_true(mutual_session_evidence(pair.server.session)->proved);
        mutual_chain_unref(client);
        mutual_chain_unref(server);
        tls_pair_done(&pair);
        mu_known_unref(known);
    }
}

/* What was found is judged like what was validated: by rules, lists and clock of now. */
static void a_known_chain_is_admitted_anew(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct tls_pair pair;
    tls_pair_init(&pair);
    struct mu_known *known = give_known(&pair);
    tls_pair_open(&pair);
    tls_pair_hang_up(&pair);
    struct mutual_policy *nobody = mutual_policy_new();
    assert_ok(mutual_policy_freeze(nobody, &err), &err);
    pair.server.rules.policy = nobody;
    tls_pair_shake(&pair);
    assert_int_equal(pair.server.io, MUTUAL_IO_DONE);
    assert_false(mutual_session_admit(pair.server.session, pair.now_s)->allowed);
    pair.server.rules.policy = pair.policy;
    tls_pair_hang_up(&pair);
    pair.now_s += 400 * PKI_DAY_S;
    tls_pair_shake(&pair);
    assert_true(pair.client.io == MUTUAL_IO_FAILED || pair.server.io == MUTUAL_IO_FAILED);
    tls_pair_done(&pair);
    mutual_policy_unref(nobody);
    mu_known_unref(known);
}

/* The client's CertificateVerify, which TLS 1.2 sends in the clear; false: it is not there yet. */
static bool spoil_signature(struct mu_buf *sent)
{
    enum { RECORD = 5, HANDSHAKE = 22, CERTIFICATE_VERIFY = 15 };
    for (size_t at = 0; at + RECORD < sent->len;) {
        size_t len = mu_get_be16(sent->data + at + 3);
        if (sent->data[at] == HANDSHAKE && sent->data[at + RECORD] == CERTIFICATE_VERIFY) {
            sent->data[at + RECORD + len - 1] ^= 1;
            return true;
        }
        at += RECORD + len;
    }
    return false;
}

/* Whoever shows somebody else's certificates fills no table with them. */
static void an_unproved_chain_is_not_kept(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    pair.client.tls12 = true;
    struct mu_known *known = mu_known_new(10);
    pair.server.extras.known = known;
    tls_pair_start(&pair);
    bool spoilt = false;
    while (pair.server.io != MUTUAL_IO_FAILED) {
        bool moved = tls_step(&pair, &pair.client, &pair.server);
        spoilt = spoil_signature(&pair.client.out) || spoilt;
        moved = tls_step(&pair, &pair.server, &pair.client) || moved;
        assert_true(moved);
    }
    assert_true(spoilt);
    assert_int_equal(pair.server.err.step, MUTUAL_STEP_CLIENT_CHECK);
    assert_int_equal(mu_known_count(known), 0);
    tls_pair_done(&pair);
    mu_known_unref(known);
}

UNIT_MAIN(UNIT_CASE(bad_clients_are_refused_with_the_reason), UNIT_CASE(strangers_get_unknown_ca),
          UNIT_CASE(a_server_with_another_name_does_not_see_us),
          UNIT_CASE(a_clients_certificate_is_no_servers), UNIT_CASE(the_end_fails_closed),
          UNIT_CASE(the_observed_pass_as_nobody), UNIT_CASE(who_shows_nothing_is_observed_too),
          UNIT_CASE(the_good_are_known_while_observed),
          UNIT_CASE(observed_sessions_end_with_the_mode), UNIT_CASE(a_missing_proof_is_never_borne),
          UNIT_CASE(both_chains_are_kept_and_found), UNIT_CASE(a_known_chain_is_admitted_anew),
          UNIT_CASE(an_unproved_chain_is_not_kept))
