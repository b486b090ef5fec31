/* SPDX-License-Identifier: Apache-2.0
 *
 * The peer's certificates: collected in OpenSSL's callback, judged by the trust room, remembered
 * with the exact reason; and the evidence that is complete, or refused, when the handshake is over.
 */
#include "session/session_internal.h"

#include "x509/x509.h"

#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>

/* OpenSSL chooses the alert from the verification error by a table of its own. These rows lead to
 * the alert that our error table names; access_denied (49) cannot be reached this way. */
static const struct {
    int alert;
    int verify_error;
} verify_errors[] = {
    {SSL_AD_BAD_CERTIFICATE, X509_V_ERR_CERT_REJECTED},
    {SSL_AD_UNSUPPORTED_CERTIFICATE, X509_V_ERR_INVALID_PURPOSE},
    {SSL_AD_CERTIFICATE_REVOKED, X509_V_ERR_CERT_REVOKED},
    {SSL_AD_CERTIFICATE_EXPIRED, X509_V_ERR_CERT_HAS_EXPIRED},
    {SSL_AD_UNKNOWN_CA, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY},
    {SSL_AD_DECRYPT_ERROR, X509_V_ERR_CERT_SIGNATURE_FAILURE},
    {SSL_AD_CERTIFICATE_UNKNOWN, X509_V_ERR_NO_EXPLICIT_POLICY}, /* any that has no row there */
    {SSL_AD_HANDSHAKE_FAILURE, X509_V_ERR_APPLICATION_VERIFICATION},
    {SSL_AD_INTERNAL_ERROR, X509_V_ERR_OUT_OF_MEM},
};

/* Unlisted codes end as internal_error. */
static int verify_error_of(enum mutual_code code)
{
    int alert = mutual_code_alert(code);
    for (size_t i = 0; i < MU_COUNT(verify_errors); i++) {
        if (verify_errors[i].alert == alert) {
            return verify_errors[i].verify_error;
        }
    }
    return X509_V_ERR_UNSPECIFIED;
}

enum mutual_step mu_check_step(const struct mutual_session *session)
{
    return session->server ? MUTUAL_STEP_CLIENT_CHECK : MUTUAL_STEP_SERVER_CHECK;
}

static bool collect(struct mutual_session *session, const STACK_OF(X509) * sent,
                    X509 *certs[MU_LIMIT_CHAIN_SENT], struct mutual_error *err)
{
    size_t count = (size_t)sk_X509_num(sent);
    for (size_t i = 0; i < count && i < MU_LIMIT_CHAIN_SENT; i++) {
        certs[i] = sk_X509_value(sent, (int)i);
        mu_observe_cert(session, certs[i]);
    }
    return count <= MU_LIMIT_CHAIN_SENT ||
           mu_fail(err, MUTUAL_E_CHAIN_TOO_LONG,
                   "the %s sent %zu certificates, at most %u are looked at", mu_peer_word(session),
                   count, MU_LIMIT_CHAIN_SENT);
}

/* A client shows its own certificate only to a server that its rules expect, so they are asked
 * before that, as if the server had proved its key already; it does before anything is sent.
 * Admission after the handshake asks again. */
bool mu_session_expected(struct mutual_session *session, struct mutual_chain *chain, int64_t now_s,
                         struct mutual_error *err)
{
    const struct mutual_rules *rules = session->context->rules;
    struct mutual_evidence evidence = {
        .side = MUTUAL_SIDE_CLIENT,
        .chain = chain,
        .proved = true,
        .proved_at_s = now_s,
        .trust_generation = rules->trust_generation,
        .service = rules->service,
        .staple = session->evidence.staple,
    };
    struct mutual_verdict verdict = mutual_admit(&evidence, rules, now_s);
    mutual_pass_free(verdict.pass);
    if (!verdict.allowed) {
        *err = verdict.why;
    }
    return verdict.allowed;
}

/* In TLS 1.2 the staple comes after the certificate: whether it is missing is asked when the
 * server's flight is complete (staple.c), all else at once. */
static bool expected_so_far(struct mutual_session *session, struct mutual_chain *chain,
                            int64_t now_s, struct mutual_error *err)
{
    return mu_session_expected(session, chain, now_s, err) || err->code == MUTUAL_E_OCSP_MISSING;
}

/* ---- chains that were validated before ------------------------------------------------------- */

/* All that was sent, each certificate with its length before it. False: no memory. */
static bool put_presented(X509 *const *certs, size_t count, struct mu_buf *out)
{
    mu_buf_init(out, MU_LIMIT_CERT_MESSAGE + 4 * MU_LIMIT_CHAIN_SENT);
    for (size_t i = 0; i < count; i++) {
        int len = i2d_X509(certs[i], NULL);
        unsigned char *end = len > 0 ? mu_buf_reserve(out, 4 + (size_t)len) : NULL;
        if (end == NULL) {
            return false;
        }
        mu_put_be32(end, (uint32_t)len);
        end += 4;
        if (i2d_X509(certs[i], &end) != len) {
            return false;
        }
        out->len += 4 + (size_t)len;
    }
    return !out->failed;
}

/* What it costs to validate is saved; whether the chain may be used is judged all the same. Where
 * the table cannot help, the chain is validated. */
static struct mutual_chain *recall(struct mutual_session *session, X509 *const *certs, size_t count,
                                   enum mutual_purpose purpose, int64_t now_s)
{
    struct mu_known *known = session->context->known;
    const struct mutual_trust *trust = session->context->rules->trust;
    struct mutual_error ignored = {0};
    MU_AUTO(buf) struct mu_buf presented = {0};
    uint8_t key[32];
    if (known == NULL || !put_presented(certs, count, &presented) ||
        !mu_known_key(trust, purpose, mu_buf_slice(&presented), key, &ignored)) {
        return NULL;
    }
    struct mutual_chain *chain = mu_known_find(known, key, trust, now_s);
    if (chain == NULL && session->known_key == NULL) {
        session->known_key = mu_alloc(1, sizeof key);
        if (session->known_key != NULL) {
            memcpy(session->known_key, key, sizeof key);
        }
    }
    return chain;
}

/* The peer has proved its key now. */
static void remember(struct mutual_session *session)
{
    if (session->known_key != NULL && session->chain != NULL) {
        mu_known_put(session->context->known, session->known_key, session->chain);
    }
    mu_free(MU_TAKE(session->known_key));
}

static bool find_chain(struct mutual_session *session, X509 *const *certs, size_t count,
                       int64_t now_s, struct mutual_chain **ret_chain, struct mutual_error *err)
{
    enum mutual_purpose purpose = session->server ? MUTUAL_PURPOSE_CLIENT : MUTUAL_PURPOSE_SERVER;
    *ret_chain = recall(session, certs, count, purpose, now_s);
    return *ret_chain != NULL ||
           mu_trust_validate_x509(session->context->rules->trust, certs, count, purpose, now_s,
                                  session->context->known, ret_chain, err);
}

static bool judge(struct mutual_session *session, const STACK_OF(X509) * sent,
                  struct mutual_error *err)
{
    int64_t now_s = mu_context_now(session->context);
    X509 *certs[MU_LIMIT_CHAIN_SENT];
    size_t count = (size_t)sk_X509_num(sent);
    if (!collect(session, sent, certs, err)) {
        return false;
    }
    if (session->context->blind) {
        mu_journey_mark(session, MUTUAL_STEP_SERVER_CHECK, MUTUAL_OUTCOME_SKIPPED);
        return true; /* no chain: nothing that admission would take */
    }
    MU_AUTO(chain) struct mutual_chain *chain = NULL;
    if (!find_chain(session, certs, count, now_s, &chain, err) ||
        (!session->server && !expected_so_far(session, chain, now_s, err))) {
        return false;
    }
    mutual_chain_unref(session->chain);
    session->chain = MU_TAKE(chain);
    return true;
}

/* ---- rules that only observe ------------------------------------------------------------------
 */

static void read_claim(X509 *leaf, struct mu_claim *claim)
{
    struct mu_cert *cert = NULL;
    if (!mu_cert_from_x509(leaf, &cert, NULL)) {
        return; /* it says nothing that can be told */
    }
    const struct mu_cert_facts *facts = mu_cert_facts(cert);
    MU_AUTO(buf) struct mu_buf serial;
    mu_buf_init(&serial, sizeof claim->serial);
    (void)mu_hex(&serial, facts->serial);
    (void)snprintf(claim->name, sizeof claim->name, "%s", facts->subject_text);
    (void)snprintf(claim->issuer, sizeof claim->issuer, "%s", facts->issuer_text);
    (void)snprintf(claim->serial, sizeof claim->serial, "%s", mu_buf_str(&serial));
    claim->not_after_s = facts->not_after_s;
    mu_cert_unref(cert);
}

/* Remembers why the certificate would be refused, and lets the handshake go on as if there were
 * none; the library still demands the proof of its key. False: no memory. */
static bool let_pass(struct mutual_session *session, X509 *leaf, const struct mutual_error *why)
{
    struct mu_disbelief *disbelief = mu_alloc(1, sizeof *disbelief);
    if (disbelief == NULL) {
        return false;
    }
    disbelief->why = *why;
    read_claim(leaf, &disbelief->claim);
    mu_free(session->disbelief);
    session->disbelief = disbelief;
    return true;
}

static bool observes(const struct mutual_session *session)
{
    return session->server && session->context->rules->mode == MUTUAL_MODE_OBSERVE;
}

const struct mu_claim *mu_session_claim(const struct mutual_session *session)
{
    return session->disbelief == NULL ? NULL : &session->disbelief->claim;
}

static int verify_peer(X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct mutual_session *session = SSL_get_app_data(ssl);
    const STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(store);
    struct mutual_error cause = {0};
    session->cert_seen = true;
    if (session->rehearsal) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1; /* no chain, and never an admission */
    }
    if (sent != NULL && sk_X509_num(sent) > 0 && judge(session, sent, &cause)) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        mu_journey_mark(session, mu_check_step(session), MUTUAL_OUTCOME_DONE);
        return 1;
    }
    if (cause.code == MUTUAL_OK) {
        (void)mu_fail(&cause, MUTUAL_E_PROTOCOL_VIOLATION, "the %s sent an empty chain",
                      mu_peer_word(session));
    }
    cause.step = mu_check_step(session);
    if (observes(session) && sent != NULL && sk_X509_num(sent) > 0 &&
        let_pass(session, sk_X509_value(sent, 0), &cause)) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }
    X509_STORE_CTX_set_error(store, verify_error_of(cause.code));
    mu_session_refuse(session, &cause);
    return 0;
}

int mu_verify_peer(X509_STORE_CTX *store, void *context)
{
    (void)context;
    /* before it what came before, the library checks the proof of the key after it */
    return mu_turn() && verify_peer(store) == 1 && mu_turn() ? 1 : 0;
}

/* ---- the evidence ---------------------------------------------------------------------------- */

/* The proof that a resumed session follows comes from our own table, found by the serial that we
 * put into it; what the library kept in the session is never believed. */
static bool settle_resumed(struct mutual_session *session, struct mutual_error *err)
{
    void *data = NULL;
    size_t len = 0;
    uint64_t serial = 0;
    if (SSL_SESSION_get0_ticket_appdata(SSL_get_session(session->ssl), &data, &len) == 1 &&
        len == sizeof serial) {
        memcpy(&serial, data, sizeof serial);
    }
    if (session->proof.serial == 0 || serial != session->proof.serial) {
        return mu_fail(err, MUTUAL_E_PROTOCOL_VIOLATION,
                       "the %s resumed a session of which we hold no evidence",
                       mu_peer_word(session));
    }
    mutual_chain_unref(session->chain);
    session->chain = MU_TAKE(session->proof.chain);
    session->evidence.proved = session->chain != NULL;
    session->evidence.resumed = true;
    session->evidence.proved_at_s = session->proof.proved_at_s;
    session->evidence.trust_generation = session->proof.trust_generation;
    session->evidence.staple = session->proof.staple;
    session->mutual = session->proof.mutual;
    return true;
}

static bool settle_full(struct mutual_session *session, struct mutual_error *err)
{
    bool verified = session->chain != NULL && SSL_get_verify_result(session->ssl) == X509_V_OK;
    bool unproved = session->disbelief != NULL && !session->proof_seen;
    if (unproved || (session->chain != NULL && (!verified || !session->proof_seen))) {
        return mu_fail(err, MUTUAL_E_PROTOCOL_VIOLATION,
                       "the %s did not prove that it holds the key of its certificate",
                       mu_peer_word(session));
    }
    remember(session);
    session->evidence.proved = verified;
    session->evidence.proved_at_s = mu_context_now(session->context);
    session->evidence.trust_generation = session->context->rules->trust_generation;
    session->mutual = session->cert_seen && session->cert_sent && session->disbelief == NULL;
    return true;
}

bool mu_session_settle(struct mutual_session *session, struct mutual_error *err)
{
    if (session->settled) {
        return true;
    }
    bool done = SSL_session_reused(session->ssl) == 1 ? settle_resumed(session, err)
                                                      : settle_full(session, err);
    if (!done) {
        return false;
    }
    bool required = session->server ? session->context->rules->mode == MUTUAL_MODE_REQUIRE
                                    : !session->context->blind;
    if (required && session->chain == NULL && !session->rehearsal) {
        enum mutual_code code = session->server ? MUTUAL_E_NO_CLIENT_CERT : MUTUAL_E_NO_SERVER_CERT;
        return mu_fail(err, code, "the handshake ended without a certificate of the %s",
                       mu_peer_word(session));
    }
    session->evidence.side = session->server ? MUTUAL_SIDE_SERVER : MUTUAL_SIDE_CLIENT;
    session->evidence.chain = session->chain;
    session->evidence.disbelieved = session->disbelief == NULL ? NULL : &session->disbelief->why;
    session->evidence.service = session->context->rules->service;
    session->settled = true;
    return true;
}
