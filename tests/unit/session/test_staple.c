/* SPDX-License-Identifier: Apache-2.0
 *
 * Stapling between two real ends, in both versions of TLS: sent when asked for, judged before our
 * own certificate is shown, kept with a session that is resumed.
 */
#include "session/session_internal.h"
#include "tls_pair.h"

static struct mutual_error err;

/* A server that demands a staple of itself, if `must_staple`, and has this answer, if any. */
static void pair_of(struct tls_pair *pair, bool tls12, bool must_staple,
                    const struct pki_answer *answer)
{
    struct mu_cert_template t = {.must_staple = must_staple};
    tls_pair_init(pair);
    pair->client.tls12 = tls12;
    pair->server_leaf =
        pki_issue(pair->issuer, (struct pki_leaf){.dns = "db.example.org", .t = &t});
    tls_end_show(&pair->server, pair->server_leaf);
    if (answer != NULL) {
        struct mu_slice response = pki_ocsp(pair->server_leaf, *answer);
        assert_ok(mutual_identity_staple(pair->server.identities[0], response.data, response.len,
                                         NULL, PKI_NOW_S, &err),
                  &err);
    }
}

static const char *said(const struct tls_end *end)
{
    struct mutual_session_info info;
    mutual_session_info(end->session, &info);
    return info.ocsp;
}

static void a_good_one_is_sent_and_taken(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct tls_pair pair;
        struct pki_answer good = {.hash = i < 2 ? MU_OCSP_SHA1 : MU_OCSP_SHA256};
        pair_of(&pair, i % 2 == 1, true, &good);
        tls_pair_open(&pair);
        tls_pair_talk(&pair);
        assert_string_equal(said(&pair.client), "good");
        assert_string_equal(said(&pair.server), "sent");
        assert_int_equal(mutual_session_admit(pair.client.session, PKI_NOW_S)->until_s,
                         PKI_NOW_S + 7 * PKI_DAY_S);
        tls_pair_done(&pair);
    }
}

/* Past its end a server's own response is not sent; a certificate that demands one is then refused,
 * before ours is shown. */
static void none_where_one_is_demanded(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct tls_pair pair;
        struct pki_answer good = {.next_s = PKI_NOW_S + 60};
        struct mutual_session_info info;
        pair_of(&pair, i % 2 == 1, true, i < 2 ? NULL : &good);
        pair.now_s = PKI_NOW_S + 60;
        tls_pair_shake(&pair);
        assert_int_equal(pair.client.io, MUTUAL_IO_FAILED);
        assert_int_equal(pair.client.err.code, MUTUAL_E_OCSP_MISSING);
        assert_int_equal(pair.client.err.step, MUTUAL_STEP_SERVER_CHECK);
        assert_false(pair.server.session->cert_seen);
        mutual_session_info(pair.client.session, &info);
        assert_int_equal(info.alert_sent, 113);
        assert_null(said(&pair.server));
        tls_pair_done(&pair);
    }
}

static void none_where_none_is_needed(void **state)
{
    (void)state;
    for (int tls12 = 0; tls12 < 2; tls12++) {
        struct tls_pair pair;
        pair_of(&pair, tls12 == 1, false, NULL);
        tls_pair_open(&pair);
        assert_string_equal(said(&pair.client), "none");
        tls_pair_done(&pair);
    }
}

/* ---- a server that staples what it likes ----------------------------------------------------- */

static struct mu_slice to_send;

static int send_it(SSL *ssl, void *context)
{
    (void)context;
    unsigned char *copy = OPENSSL_memdup(to_send.data, to_send.len);
    return SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)to_send.len) == 1
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_NOACK;
}

/* What the client says to a server that sends `response`. */
static enum mutual_code answer_to(struct mu_slice response, bool tls12, const struct pki *leaf,
                                  struct tls_pair *pair)
{
    struct tls_raw raw;
    tls_raw_init(&raw, true);
    tls_raw_show(&raw, leaf);
    to_send = response;
    assert_int_equal(SSL_CTX_set_tlsext_status_cb(raw.ctx, send_it), 1);
    SSL_CTX_set_verify(raw.ctx, SSL_VERIFY_NONE, NULL);
    if (tls12) {
        assert_int_equal(SSL_CTX_set_max_proto_version(raw.ctx, TLS1_2_VERSION), 1);
    }
    tls_raw_shake(&raw, pair, &pair->client);
    struct mutual_session_info info;
    mutual_session_info(pair->client.session, &info);
    enum mutual_code code = pair->client.io == MUTUAL_IO_FAILED ? pair->client.err.code : MUTUAL_OK;
    assert_int_equal(info.alert_sent, code == MUTUAL_OK ? -1 : 113);
    tls_raw_done(&raw);
    tls_pair_hang_up(pair);
    return code;
}

static void what_a_server_may_not_send(void **state)
{
    (void)state;
    for (int tls12 = 0; tls12 < 2; tls12++) {
        struct tls_pair pair;
        tls_pair_init(&pair);
        struct pki *leaf = pair.server_leaf;
        struct pki *other = pki_issue(pair.issuer, (struct pki_leaf){.dns = "db.example.org"});
        static uint8_t garbage[16000];
        MU_AUTO(buf) struct mu_buf later;
        mu_buf_init(&later, 64);
        assert_true(mu_ocsp_build_failure(MU_OCSP_TRY_LATER, &later));
        const struct {
            struct mu_slice response;
            enum mutual_code code;
        } rows[] = {
            {pki_ocsp(leaf, (struct pki_answer){0}), MUTUAL_OK},
            {mu_buf_slice(&later), MUTUAL_OK}, /* no better than none, and no worse */
            {pki_ocsp(leaf, (struct pki_answer){.status = MU_OCSP_REVOKED}), MUTUAL_E_CERT_REVOKED},
            {pki_ocsp(leaf, (struct pki_answer){.status = MU_OCSP_UNKNOWN}), MUTUAL_E_OCSP_UNKNOWN},
            {pki_ocsp(leaf, (struct pki_answer){.next_s = PKI_NOW_S}), MUTUAL_E_OCSP_STALE},
            {pki_ocsp(other, (struct pki_answer){0}), MUTUAL_E_OCSP_OTHER_CERT},
            {pki_ocsp(leaf, (struct pki_answer){.responder = other}), MUTUAL_E_OCSP_SIGNER},
            {mu_slice_of(garbage, sizeof garbage), MUTUAL_E_OCSP_MALFORMED},
        };
        for (size_t i = 0; i < MU_COUNT(rows); i++) {
            enum mutual_code code = answer_to(rows[i].response, tls12 == 1, leaf, &pair);
            if (code != rows[i].code) {
                fail_msg("row %zu, %s: %s instead of %s: %s", i, tls12 ? "1.2" : "1.3",
                         mutual_code_name(code), mutual_code_name(rows[i].code),
                         pair.client.err.reason);
            }
        }
        tls_pair_done(&pair);
    }
}

/* A session is resumed with the staple of its full handshake, and for no longer than that holds. */
static void resumed_with_its_staple(void **state)
{
    (void)state;
    for (int tls12 = 0; tls12 < 2; tls12++) {
        struct tls_pair pair;
        struct pki_answer good = {.next_s = PKI_NOW_S + 600};
        pair_of(&pair, tls12 == 1, true, &good);
        struct mutual_cache *ours = mutual_cache_new(10);
        struct mutual_cache *theirs = mutual_cache_new(10);
        pair.server.options.cache = theirs;
        pair.client.options.cache = ours;
        tls_pair_open(&pair);
        tls_pair_talk(&pair);
        tls_pair_hang_up(&pair);
        pair.now_s += 300;
        tls_pair_open(&pair);
        tls_pair_talk(&pair);
        assert_true(mutual_session_evidence(pair.client.session)->resumed);
        assert_string_equal(said(&pair.client), "good");
        assert_int_equal(mutual_session_admit(pair.client.session, pair.now_s)->until_s,
                         PKI_NOW_S + 600);
        tls_pair_hang_up(&pair);
        pair.now_s += 300;
        tls_pair_shake(&pair);
        assert_false(mutual_session_evidence(pair.client.session)->resumed);
        assert_int_equal(pair.client.err.code, MUTUAL_E_OCSP_MISSING);
        tls_pair_done(&pair);
        mutual_cache_unref(ours);
        mutual_cache_unref(theirs);
    }
}

/* The staple that is sent is that of the certificate that is shown. */
static void the_one_of_the_certificate_shown(void **state)
{
    (void)state;
    struct tls_pair pair;
    struct mu_cert_template t = {.must_staple = true};
    tls_pair_init(&pair);
    mutual_identity_unref(pair.server.identities[0]);
    struct pki *leaves[] = {
        pki_issue(pair.issuer, (struct pki_leaf){.dns = "other.example.org", .t = &t}),
        pki_issue(pair.issuer,
                  (struct pki_leaf){.dns = "db.example.org", .t = &t, .spec = MU_SPEC_ED25519}),
        pki_issue(pair.issuer, (struct pki_leaf){.dns = "db.example.org", .t = &t}),
    };
    for (size_t i = 0; i < MU_COUNT(leaves); i++) {
        struct mu_slice response = pki_ocsp(leaves[i], (struct pki_answer){0});
        pair.server.identities[i] = tls_identity(leaves[i]);
        assert_ok(mutual_identity_staple(pair.server.identities[i], response.data, response.len,
                                         pki_pem(pair.issuer), PKI_NOW_S, &err),
                  &err);
    }
    pair.server.identity_count = MU_COUNT(leaves);
    pair.client.options.server_name = "db.example.org";
    tls_pair_open(&pair);
    assert_string_equal(said(&pair.client), "good");
    tls_pair_done(&pair);
}

static void the_observer_keeps_it(void **state)
{
    (void)state;
    struct tls_pair pair;
    struct pki_answer good = {0};
    pair_of(&pair, false, false, &good);
    pair.client.observe = true;
    tls_pair_open(&pair);
    const struct mu_observed *seen = mu_session_observed(pair.client.session);
    MU_AUTO(ocsp) struct mu_ocsp *ocsp = NULL;
    assert_ok(mu_ocsp_from_der(seen->staple, &ocsp, &err), &err);
    tls_pair_done(&pair);
}

UNIT_MAIN(UNIT_CASE(a_good_one_is_sent_and_taken), UNIT_CASE(none_where_one_is_demanded),
          UNIT_CASE(none_where_none_is_needed), UNIT_CASE(what_a_server_may_not_send),
          UNIT_CASE(resumed_with_its_staple), UNIT_CASE(the_one_of_the_certificate_shown),
          UNIT_CASE(the_observer_keeps_it))
