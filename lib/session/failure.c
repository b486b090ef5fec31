/* SPDX-License-Identifier: Apache-2.0
 *
 * From OpenSSL's reason codes, the first bytes on the wire and the end of the wire to one error of
 * ours that says what went wrong and on whose side. What the table does not list is the peer's
 * breach of the protocol when OpenSSL answered it with an alert, else the library's own failure.
 */
#include "session/session_internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>

struct reason_row {
    int reason;
    enum mutual_code code;
    const char *words; /* "the client <words>" */
};

static const struct reason_row reasons[] = {
    {SSL_R_HTTP_REQUEST, MUTUAL_E_NOT_TLS, "speaks plain HTTP"},
    {SSL_R_HTTPS_PROXY_REQUEST, MUTUAL_E_NOT_TLS, "takes this port for an HTTP proxy"},
    {SSL_R_UNSUPPORTED_PROTOCOL, MUTUAL_E_PROTOCOL_OLD, "offers no version from TLS 1.2 on"},
    {SSL_R_UNKNOWN_SSL_VERSION, MUTUAL_E_PROTOCOL_OLD, "offers no version from TLS 1.2 on"},
    {SSL_R_VERSION_TOO_LOW, MUTUAL_E_PROTOCOL_OLD, "offers no version from TLS 1.2 on"},
    {SSL_R_WRONG_SSL_VERSION, MUTUAL_E_PROTOCOL_OLD, "chose a version that we did not offer"},
    {SSL_R_INAPPROPRIATE_FALLBACK, MUTUAL_E_PROTOCOL_OLD,
     "fell back to an older version than both ends speak"},
    {SSL_R_NO_SHARED_CIPHER, MUTUAL_E_NO_SHARED_CIPHER,
     "offers no cipher suite with AEAD and forward secrecy"},
    {SSL_R_NO_CIPHERS_SPECIFIED, MUTUAL_E_NO_SHARED_CIPHER, "offers no cipher suite at all"},
    {SSL_R_WRONG_CIPHER_RETURNED, MUTUAL_E_PROTOCOL_VIOLATION,
     "chose a cipher suite that was not offered"},
    {SSL_R_UNKNOWN_CIPHER_RETURNED, MUTUAL_E_PROTOCOL_VIOLATION,
     "chose a cipher suite that was not offered"},
    {SSL_R_NO_SUITABLE_KEY_SHARE, MUTUAL_E_NO_SHARED_GROUP,
     "offers none of X25519, P-256 and P-384 for the key exchange"},
    {SSL_R_NO_SUITABLE_GROUPS, MUTUAL_E_NO_SHARED_GROUP,
     "offers none of X25519, P-256 and P-384 for the key exchange"},
    {SSL_R_NO_SHARED_GROUPS, MUTUAL_E_NO_SHARED_GROUP,
     "offers none of X25519, P-256 and P-384 for the key exchange"},
    {SSL_R_UNSUPPORTED_ELLIPTIC_CURVE, MUTUAL_E_NO_SHARED_GROUP,
     "uses an elliptic curve that we do not"},
    {SSL_R_WRONG_CURVE, MUTUAL_E_NO_SHARED_GROUP, "uses an elliptic curve that we do not"},
    {SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, MUTUAL_E_NO_SHARED_SIGNATURE,
     "accepts no signature that our key can make"},
    {SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, MUTUAL_E_NO_SHARED_SIGNATURE,
     "accepts no signature that we make or verify"},
    {SSL_R_WRONG_SIGNATURE_TYPE, MUTUAL_E_NO_SHARED_SIGNATURE,
     "signed in a way that we did not offer to verify"},
    {SSL_R_UNKNOWN_CERTIFICATE_TYPE, MUTUAL_E_KEY_UNSUPPORTED,
     "presented a certificate with a key of unknown kind"},
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, MUTUAL_E_NO_CLIENT_CERT, "presented no certificate"},
    {SSL_R_NO_CERTIFICATES_RETURNED, MUTUAL_E_NO_CLIENT_CERT, "presented no certificate"},
    {SSL_R_MISSING_SIGALGS_EXTENSION, MUTUAL_E_HELLO_MALFORMED,
     "sent a hello without signature algorithms"},
    {SSL_R_BAD_SIGNATURE, MUTUAL_E_CERT_SIGNATURE,
     "did not prove that it holds the key of its certificate"},
    {SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, MUTUAL_E_BAD_RECORD,
     "sent a record that does not authenticate"},
    {SSL_R_UNKNOWN_PROTOCOL, MUTUAL_E_PROTOCOL_OLD, "speaks a protocol older than TLS"},
    {SSL_R_NO_RENEGOTIATION, MUTUAL_E_RENEGOTIATION, "asked for a renegotiation"},
    {SSL_R_BAD_PSK, MUTUAL_E_PROTOCOL_VIOLATION, "resumes a session that it cannot prove"},
    {SSL_R_BINDER_DOES_NOT_VERIFY, MUTUAL_E_PROTOCOL_VIOLATION,
     "resumes a session that it cannot prove"},
    {SSL_R_DIGEST_CHECK_FAILED, MUTUAL_E_PROTOCOL_VIOLATION,
     "saw another handshake than we did: somebody changed it on the way"},
};

static const struct reason_row *reason_row(int reason)
{
    for (size_t i = 0; i < MU_COUNT(reasons); i++) {
        if (reasons[i].reason == reason) {
            return &reasons[i];
        }
    }
    return NULL;
}

/* ---- the first bytes ------------------------------------------------------------------------- */

/* What arrived first, with what is still in the caller's window. */
static size_t first_bytes(const struct mutual_session *session, uint8_t head[MU_HEAD_BYTES])
{
    size_t len = session->bytes_in < MU_HEAD_BYTES ? (size_t)session->bytes_in : MU_HEAD_BYTES;
    memcpy(head, session->head, len);
    const struct mutual_wire *wire = session->wire;
    size_t more = wire == NULL ? 0 : wire->in_len;
    more = more < MU_HEAD_BYTES - len ? more : MU_HEAD_BYTES - len;
    if (more > 0) {
        memcpy(head + len, wire->in, more);
    }
    return len + more;
}

static bool name_old_version(struct mutual_session *session, unsigned version,
                             struct mutual_error *err)
{
    const char *word = mu_version_name((uint16_t)version);
    return mu_fail(err, MUTUAL_E_PROTOCOL_OLD, "the %s %s %s, TLS 1.2 is the least we accept",
                   mu_peer_word(session), session->server ? "offers only" : "chose",
                   word != NULL ? word : "an unknown version");
}

static bool name_not_tls(struct mutual_session *session, struct mu_slice head,
                         struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 4 * MU_HEAD_BYTES + 1);
    const uint8_t *line = memchr(head.data, '\r', head.len);
    line = line != NULL ? line : memchr(head.data, '\n', head.len);
    mu_escape(&text, line == NULL ? head : mu_slice_of(head.data, (size_t)(line - head.data)));
    return mu_fail(err, MUTUAL_E_NOT_TLS, "the %s's first bytes are not TLS: \"%s\"",
                   mu_peer_word(session), mu_buf_str(&text));
}

/* Nothing of the peer's was understood yet: do its first bytes say why? Returns true when they
 * do not. */
static bool first_bytes_good(struct mutual_session *session, struct mutual_error *err)
{
    uint8_t head[MU_HEAD_BYTES] = {0};
    size_t len = first_bytes(session, head);
    uint8_t message = session->server ? SSL3_MT_CLIENT_HELLO : SSL3_MT_SERVER_HELLO;
    bool record = len < 2 || (head[0] >= SSL3_RT_CHANGE_CIPHER_SPEC &&
                              head[0] <= SSL3_RT_APPLICATION_DATA && head[1] == SSL3_VERSION_MAJOR);
    bool hello = len >= 11 && head[0] == SSL3_RT_HANDSHAKE && mu_get_be16(head + 3) >= 6 &&
                 head[5] == message;
    if (hello && mu_get_be16(head + 9) < TLS1_2_VERSION) {
        return name_old_version(session, mu_get_be16(head + 9), err);
    }
    /* The hello of SSL 2.0, which may announce later versions: RFC 6101 appendix E. */
    if (len >= 5 && (head[0] & 0x80) != 0 && head[2] == SSL2_MT_CLIENT_HELLO && head[3] <= 3) {
        return name_old_version(session, mu_get_be16(head + 3), err);
    }
    if (session->hello_oversized) {
        return mu_fail(err, MUTUAL_E_HELLO_MALFORMED,
                       "the hello of the client is longer than the %u bytes that are read",
                       MU_LIMIT_HELLO_BYTES);
    }
    return record || name_not_tls(session, mu_slice_of(head, len), err);
}

/* ---- the end of the wire --------------------------------------------------------------------- */

/* The words for how far it came: "while the client presents its certificate". */
static const char *step_words(const struct mutual_session *session)
{
    return mutual_step_text(mutual_journey_step(&session->journey));
}

static bool end_in_handshake(struct mutual_session *session, int broken, struct mutual_error *err)
{
    const char *peer = mu_peer_word(session);
    if (session->server && session->bytes_in == 0) {
        return mu_fail(err, MUTUAL_E_PEER_SILENT, "the client left without a word");
    }
    if (broken != 0) {
        return mu_fail_errno(err, MUTUAL_E_PEER_RESET, broken,
                             "the connection to the %s broke before step \"%s\"", peer,
                             step_words(session));
    }
    if (session->bytes_in == 0) {
        return mu_fail(err, MUTUAL_E_PEER_CLOSED, "the %s closed the connection without a word",
                       peer);
    }
    if (!session->hello_seen && !first_bytes_good(session, err)) {
        return false;
    }
    if (!session->hello_seen) {
        return mu_fail(err, MUTUAL_E_HELLO_MALFORMED,
                       "the hello of the %s is cut off after %llu bytes", peer,
                       (unsigned long long)session->bytes_in);
    }
    return mu_fail(err, MUTUAL_E_PEER_CLOSED, "the %s closed the connection before step \"%s\"",
                   peer, step_words(session));
}

/* TLS 1.3: a server that refuses our certificate and resets takes its alert along with it. */
static void hint_at_silent_refusal(const struct mutual_session *session, struct mutual_error *err)
{
    bool unheard =
        session->journey.steps[MUTUAL_STEP_CLIENT_CHECK].outcome == MUTUAL_OUTCOME_PENDING;
    if (!session->server && unheard && session->cert_requested) {
        (void)mu_error_hint(err, "The server gave no answer after it asked for our certificate: "
                                 "it may have refused it; look into its log.");
    }
}

bool mu_failure_end(struct mutual_session *session, struct mutual_error *err)
{
    int broken = session->wire != NULL ? session->wire->in_error : 0;
    if (session->stage == MU_STAGE_HANDSHAKE) {
        return end_in_handshake(session, broken, err);
    }
    if (broken != 0) {
        (void)mu_fail_errno(err, MUTUAL_E_PEER_RESET, broken, "the connection to the %s broke",
                            mu_peer_word(session));
    } else {
        (void)mu_fail(err, MUTUAL_E_TRUNCATED,
                      "the %s closed the connection without the TLS closing message",
                      mu_peer_word(session));
    }
    hint_at_silent_refusal(session, err);
    return false;
}

/* ---- OpenSSL's reasons ----------------------------------------------------------------------- */

/* One code of OpenSSL covers all of them in TLS 1.2; what the hello offered tells them apart. */
static bool name_not_shared(struct mutual_session *session, struct mutual_error *err)
{
    enum mutual_code code = MUTUAL_E_NO_SHARED_CIPHER;
    const char *words = "offers no cipher suite with AEAD and forward secrecy";
    if (session->offers.known && session->offers.suite && !session->offers.group) {
        code = MUTUAL_E_NO_SHARED_GROUP;
        words = "offers none of X25519, P-256 and P-384 for the key exchange";
    } else if (session->offers.known && session->offers.suite && !session->offers.scheme) {
        code = MUTUAL_E_NO_SHARED_SIGNATURE;
        words = "accepts no signature that our key can make";
    } else if (session->offers.known && session->offers.suite) {
        words = "offers no cipher suite that goes with our key";
    }
    return mu_fail(err, code, "the %s %s", mu_peer_word(session), words);
}

/* Were we making the signature that proves our own key? */
static bool was_signing(const struct mutual_session *session)
{
    OSSL_HANDSHAKE_STATE state = SSL_get_state(session->ssl);
    return session->alert_out == SSL_AD_INTERNAL_ERROR &&
           (state == TLS_ST_SW_CERT_VRFY || state == TLS_ST_SW_KEY_EXCH ||
            state == TLS_ST_CW_CERT_VRFY);
}

static bool is_certificate_state(const struct mutual_session *session)
{
    OSSL_HANDSHAKE_STATE state = SSL_get_state(session->ssl);
    return state == TLS_ST_SR_CERT || state == TLS_ST_CR_CERT;
}

static bool name_own_failure(struct mutual_session *session, unsigned long entry,
                             struct mutual_error *err)
{
    if (ERR_GET_REASON(entry) == ERR_R_MALLOC_FAILURE) {
        return mu_fail_memory(err);
    }
    if (was_signing(session)) {
        return mu_fail_ossl(err, MUTUAL_E_KEY_UNAVAILABLE,
                            "could not sign the handshake with our key");
    }
    return mu_fail_ossl(err, MUTUAL_E_LIBRARY, "could not go on with the handshake");
}

static bool name_violation(struct mutual_session *session, unsigned long entry,
                           struct mutual_error *err)
{
    const char *words = ERR_reason_error_string(entry);
    words = words != NULL ? words : "no reason given";
    if (!session->hello_seen) {
        return mu_fail(err, MUTUAL_E_HELLO_MALFORMED, "the hello of the %s is malformed: %s",
                       mu_peer_word(session), words);
    }
    return mu_fail(err, MUTUAL_E_PROTOCOL_VIOLATION, "the %s broke the rules of TLS: %s",
                   mu_peer_word(session), words);
}

static bool name_certificate_error(struct mutual_session *session, unsigned long entry,
                                   struct mutual_error *err)
{
    const char *words = ERR_reason_error_string(entry);
    if (ERR_GET_REASON(entry) == SSL_R_EXCESSIVE_MESSAGE_SIZE) {
        (void)mu_fail(err, MUTUAL_E_CHAIN_TOO_LONG,
                      "the %s sent more than %u bytes of certificates", mu_peer_word(session),
                      MU_LIMIT_CERT_MESSAGE);
    } else {
        (void)mu_fail(err, MUTUAL_E_CERT_MALFORMED, "a certificate of the %s could not be read: %s",
                      mu_peer_word(session), words != NULL ? words : "no reason given");
    }
    err->step = mu_check_step(session);
    return false;
}

/* The entry of the queue that says most: the first one of the TLS library itself, else the first.
 */
static unsigned long telling_entry(void)
{
    unsigned long first = ERR_peek_error();
    unsigned long entry = first;
    while (entry != 0 && ERR_GET_LIB(entry) != ERR_LIB_SSL) {
        (void)ERR_get_error();
        entry = ERR_peek_error();
    }
    return entry != 0 ? entry : first;
}

static bool name_by_row(struct mutual_session *session, const struct reason_row *row,
                        struct mutual_error *err)
{
    bool nothing_sent = row->code == MUTUAL_E_NO_CLIENT_CERT && !session->server;
    (void)mu_fail(err, nothing_sent ? MUTUAL_E_NO_SERVER_CERT : row->code, "the %s %s",
                  mu_peer_word(session), row->words);
    if (row->code == MUTUAL_E_CERT_SIGNATURE) {
        err->step = mu_check_step(session);
    }
    return false;
}

static bool name_by_reason(struct mutual_session *session, struct mutual_error *err)
{
    unsigned long first = ERR_peek_error();
    if (was_signing(session) || ERR_GET_REASON(first) == ERR_R_MALLOC_FAILURE) {
        return name_own_failure(session, first, err);
    }
    unsigned long entry = telling_entry();
    int reason = ERR_GET_LIB(entry) == ERR_LIB_SSL ? ERR_GET_REASON(entry) : 0;
    if (reason >= SSL_AD_REASON_OFFSET && session->alert_in >= 0) {
        return mu_alert_translate(session, err);
    }
    const struct reason_row *row = reason_row(reason);
    bool early = !session->hello_seen || (row != NULL && row->code == MUTUAL_E_PROTOCOL_OLD);
    if (early && !first_bytes_good(session, err)) {
        return false;
    }
    if (reason == SSL_R_NO_SHARED_CIPHER) {
        return name_not_shared(session, err);
    }
    if (row != NULL) {
        return name_by_row(session, row, err);
    }
    if (is_certificate_state(session) && session->alert_out != SSL_AD_UNEXPECTED_MESSAGE) {
        return name_certificate_error(session, entry, err);
    }
    bool ours = session->alert_out == SSL_AD_INTERNAL_ERROR;
    return ours ? name_own_failure(session, entry, err) : name_violation(session, entry, err);
}

bool mu_failure_name(struct mutual_session *session, int ssl_error, struct mutual_error *err)
{
    if (session->failure != NULL) {
        *err = *session->failure; /* a callback of ours refused, and said why */
    } else if (session->hello_oversized) {
        mu_wire_alert(session, SSL_AD_DECODE_ERROR);
        (void)first_bytes_good(session, err);
    } else if (ssl_error == SSL_ERROR_SSL) {
        (void)name_by_reason(session, err);
    } else if (ssl_error == SSL_ERROR_WANT_ASYNC_JOB) {
        (void)mu_fail_memory(err);
    } else {
        (void)mu_failure_end(session, err);
    }
    ERR_clear_error();
    return false;
}
