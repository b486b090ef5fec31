/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS alerts in words, and what an alert from the peer says about us: which of our certificates was
 * refused, why that may be, and what to do.
 */
#include "session/session_internal.h"

#include <openssl/x509.h>
#include <string.h>

struct alert_row {
    int alert;
    bool certificate; /* it is about the receiver's certificate */
    const char *name;
    const char *meaning;
};

/* RFC 8446 section 6, and those of TLS 1.2 that peers still send. */
static const struct alert_row alerts[] = {
    {0, false, "close_notify", "It has nothing more to send."},
    {10, false, "unexpected_message", "It received a message that does not belong there."},
    {20, false, "bad_record_mac", "A record did not authenticate: damaged or forged on the way."},
    {21, false, "decryption_failed", "A record did not decrypt; only old software says so."},
    {22, false, "record_overflow", "It received a record that is too long."},
    {30, false, "decompression_failure", "Compressed data could not be unpacked."},
    {40, false, "handshake_failure",
     "It accepts none of the parameters offered: version, cipher, group, or no certificate."},
    {41, false, "no_certificate", "It has no certificate to present; only SSL 3.0 says so."},
    {42, true, "bad_certificate", "It finds the certificate corrupt or unacceptable."},
    {43, true, "unsupported_certificate", "The certificate is of a kind or purpose it refuses."},
    {44, true, "certificate_revoked", "The certificate was revoked by its issuer."},
    {45, true, "certificate_expired", "The certificate is expired, or not yet valid."},
    {46, true, "certificate_unknown", "It refuses the certificate for a reason it does not name."},
    {47, false, "illegal_parameter", "It received a value that contradicts the others."},
    {48, true, "unknown_ca", "It trusts no authority that the certificate leads to."},
    {49, true, "access_denied", "The certificate is valid, but may not be used here."},
    {50, false, "decode_error", "It received a message that it could not parse."},
    {51, false, "decrypt_error", "A signature or key check of the handshake failed."},
    {60, false, "export_restriction", "It refuses the key length; only old software says so."},
    {70, false, "protocol_version", "It does not speak the TLS version offered."},
    {71, false, "insufficient_security", "It demands stronger ciphers than those offered."},
    {80, false, "internal_error", "It failed for a reason of its own; look into its log."},
    {86, false, "inappropriate_fallback", "It saw a retry with an older version than needed."},
    {90, false, "user_canceled", "Somebody ended the handshake there."},
    {100, false, "no_renegotiation", "It does not renegotiate."},
    {109, false, "missing_extension", "It needs an extension that was not sent."},
    {110, false, "unsupported_extension", "It received an extension that it did not ask for."},
    {111, false, "certificate_unobtainable", "It could not fetch the certificate."},
    {112, false, "unrecognized_name", "It does not serve the host name that was asked for."},
    {113, true, "bad_certificate_status_response", "It refuses the OCSP response."},
    {114, true, "bad_certificate_hash_value", "The certificate is not the one announced."},
    {115, false, "unknown_psk_identity", "It does not know the pre-shared key."},
    {116, true, "certificate_required", "It demands a client certificate, and none was sent."},
    {120, false, "no_application_protocol", "It speaks none of the application protocols offered."},
    {121, false, "ech_required", "It demands an encrypted hello."},
};

static const struct alert_row *alert_row(int alert)
{
    for (size_t i = 0; i < MU_COUNT(alerts); i++) {
        if (alerts[i].alert == alert) {
            return &alerts[i];
        }
    }
    return NULL;
}

const char *mutual_alert_name(int alert)
{
    const struct alert_row *row = alert_row(alert);
    return row == NULL ? NULL : row->name;
}

const char *mutual_alert_meaning(int alert)
{
    const struct alert_row *row = alert_row(alert);
    return row == NULL ? NULL : row->meaning;
}

const char *mu_peer_word(const struct mutual_session *session)
{
    return session->server ? "client" : "server";
}

/* ---- what we presented ----------------------------------------------------------------------- */

const struct mutual_identity *mu_shown_identity(const struct mutual_session *session)
{
    if (session->ssl == NULL) {
        return session->shown;
    }
    const X509 *shown = SSL_get_certificate(session->ssl);
    for (size_t i = 0; i < session->context->identity_count; i++) {
        size_t count = 0;
        struct mu_cert *const *chain = mu_identity_chain(session->context->identities[i], &count);
        if (shown != NULL && X509_cmp(mu_cert_x509(chain[0]), shown) == 0) {
            return session->context->identities[i];
        }
    }
    return session->context->identity_count > 0 ? session->context->identities[0] : NULL;
}

static const struct mu_cert_facts *our_leaf(const struct mutual_session *session)
{
    const struct mutual_identity *identity = mu_shown_identity(session);
    size_t count = 0;
    return identity == NULL ? NULL : mu_cert_facts(mu_identity_chain(identity, &count)[0]);
}

static const char *our_name(const struct mutual_session *session)
{
    const struct mu_cert_facts *leaf = our_leaf(session);
    return leaf == NULL ? "" : leaf->display;
}

/* Did the server name an authority that issued some certificate of our chain? */
static bool issuer_was_named(const struct mutual_session *session,
                             const STACK_OF(X509_NAME) * names)
{
    size_t count = 0;
    struct mu_cert *const *chain = mu_identity_chain(mu_shown_identity(session), &count);
    for (int i = 0; i < sk_X509_NAME_num(names); i++) {
        unsigned char *der = NULL;
        int len = i2d_X509_NAME(sk_X509_NAME_value(names, i), &der);
        bool found = false;
        for (size_t j = 0; len > 0 && j < count && !found; j++) {
            found = mu_name_equal(mu_cert_facts(chain[j])->issuer, mu_slice_of(der, (size_t)len));
        }
        OPENSSL_free(der);
        if (found) {
            return true;
        }
    }
    return false;
}

/* The likeliest cause that we can see from here, as a hint; none when we see none. */
static void hint_at_cause(const struct mutual_session *session, struct mutual_error *err)
{
    const struct mu_cert_facts *leaf = our_leaf(session);
    if (leaf == NULL) {
        return;
    }
    int64_t now_s = mu_context_now(session->context);
    char words[MU_TIME_TEXT];
    if (now_s >= leaf->not_after_s) {
        (void)mu_error_hint(err, "Our certificate \"%s\" expired %s ago: renew it.", leaf->display,
                            mu_duration_words(now_s - leaf->not_after_s, words));
        return;
    }
    if (now_s < leaf->not_before_s) {
        (void)mu_error_hint(err,
                            "Our certificate \"%s\" is not valid for another %s: check the clock.",
                            leaf->display, mu_duration_words(leaf->not_before_s - now_s, words));
        return;
    }
    const STACK_OF(X509_NAME) *names = session->server ? NULL : SSL_get0_peer_CA_list(session->ssl);
    int count = names == NULL ? 0 : sk_X509_NAME_num(names);
    if (count > 0 && !issuer_was_named(session, names)) {
        (void)mu_error_hint(err,
                            "Our certificate is from \"%s\", which is not among the authorities "
                            "that the server names.",
                            leaf->issuer_text);
    }
}

/* ---- translation ----------------------------------------------------------------------------- */

static bool refused_by_server(struct mutual_session *session, const struct alert_row *row,
                              struct mutual_error *err)
{
    (void)mu_fail(err, MUTUAL_E_PEER_REFUSED_US, "the server refused our certificate \"%s\": %s",
                  our_name(session), row->name);
    hint_at_cause(session, err);
    return false;
}

static bool wants_certificate(struct mutual_session *session, const struct alert_row *row,
                              struct mutual_error *err)
{
    if (session->context->identity_count == 0) {
        return mu_fail(err, MUTUAL_E_PEER_WANTS_CERT,
                       "the server requires a client certificate and we have none: %s", row->name);
    }
    (void)mu_fail(err, MUTUAL_E_PEER_WANTS_CERT,
                  "the server requires a client certificate, ours was not sent: %s", row->name);
    return mu_error_hint(err, "The server accepts no signature that the key of \"%s\" can make.",
                         our_name(session));
}

static bool refused_by_client(struct mutual_session *session, const struct alert_row *row,
                              struct mutual_error *err)
{
    (void)mu_fail(err, MUTUAL_E_PEER_ALERT, "the client refused our certificate \"%s\": %s",
                  our_name(session), row->name);
    if (err != NULL) {
        err->step = MUTUAL_STEP_SERVER_CHECK;
    }
    (void)mu_error_hint(err, "%s Check which authorities the client trusts.", row->meaning);
    hint_at_cause(session, err);
    return false;
}

static bool about_hello(struct mutual_session *session, const struct alert_row *row,
                        struct mutual_error *err)
{
    const char *peer = mu_peer_word(session);
    const char *name = session->context->server_name;
    if (row->alert == SSL_AD_PROTOCOL_VERSION) {
        return mu_fail(err, MUTUAL_E_PROTOCOL_OLD, "the %s speaks neither TLS 1.3 nor 1.2: %s",
                       peer, row->name);
    }
    if (row->alert == SSL_AD_UNRECOGNIZED_NAME) {
        return mu_fail(err, MUTUAL_E_SNI_UNKNOWN, "the %s does not serve the name \"%s\": %s", peer,
                       name != NULL ? name : "", row->name);
    }
    if (row->alert == SSL_AD_NO_APPLICATION_PROTOCOL) {
        return mu_fail(err, MUTUAL_E_ALPN_MISMATCH,
                       "the %s speaks none of the application protocols we offered: %s", peer,
                       row->name);
    }
    (void)mu_fail(err, MUTUAL_E_PEER_ALERT, "the %s ended the connection: %s", peer, row->name);
    return mu_error_hint(err, "%s Look into the %s's log.", row->meaning, peer);
}

bool mu_alert_translate(struct mutual_session *session, struct mutual_error *err)
{
    int alert = session->alert_in;
    const struct alert_row *row = alert_row(alert);
    if (row == NULL) {
        return mu_fail(err, MUTUAL_E_PEER_ALERT, "the %s ended the connection: alert %d",
                       mu_peer_word(session), alert);
    }
    if (session->server) {
        bool about_ours = row->certificate && session->cert_sent;
        return about_ours ? refused_by_client(session, row, err) : about_hello(session, row, err);
    }
    /* TLS 1.2 servers say handshake_failure for a missing certificate, some say bad_certificate,
     * GnuTLS decode_error; all of them come after our empty Certificate. */
    bool about_missing =
        row->certificate || alert == SSL_AD_HANDSHAKE_FAILURE || alert == SSL_AD_DECODE_ERROR;
    if (session->cert_requested && !session->cert_sent && about_missing) {
        return wants_certificate(session, row, err);
    }
    bool about_ours = row->certificate || alert == SSL_AD_DECRYPT_ERROR;
    if (session->cert_sent && about_ours) {
        return refused_by_server(session, row, err);
    }
    return about_hello(session, row, err);
}
