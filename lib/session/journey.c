/* SPDX-License-Identifier: Apache-2.0
 *
 * Marks the seven steps as the handshake's messages pass by, for both sides and versions. It reads
 * message types and whether a Certificate is empty, and decides nothing.
 */
#include "session/channel_internal.h"

void mu_journey_mark(struct mutual_session *session, enum mutual_step step,
                     enum mutual_outcome outcome)
{
    struct mutual_journey *journey = &session->journey;
    bool failed = outcome == MUTUAL_OUTCOME_FAILED;
    mu_assert((unsigned)step < (unsigned)MUTUAL_STEP_COUNT_);
    if (journey->steps[step].outcome == MUTUAL_OUTCOME_FAILED ||
        (journey->steps[step].outcome != MUTUAL_OUTCOME_PENDING && !failed)) {
        return;
    }
    journey->steps[step].outcome = outcome;
    journey->steps[step].reached_ns = mu_clock_mono_ns() - journey->started_ns;
}

void mutual_session_mark(struct mutual_session *session, enum mutual_step step,
                         enum mutual_outcome outcome)
{
    mu_journey_mark(session, step, outcome);
}

enum mutual_step mutual_journey_step(const struct mutual_journey *journey)
{
    enum mutual_step pending = MUTUAL_STEP_NONE;
    for (int step = MUTUAL_STEP_CONNECT; step < (int)MUTUAL_STEP_COUNT_; step++) {
        enum mutual_outcome outcome = journey->steps[step].outcome;
        if (outcome == MUTUAL_OUTCOME_FAILED) {
            return (enum mutual_step)step;
        }
        if (outcome == MUTUAL_OUTCOME_PENDING && pending == MUTUAL_STEP_NONE) {
            pending = (enum mutual_step)step;
        }
    }
    return pending == MUTUAL_STEP_NONE ? MUTUAL_STEP_DATA : pending;
}

/* Does a Certificate message hold one? RFC 8446 section 4.4.2 puts a context before the list, RFC
 * 5246 section 7.4.2 does not; a list is never shorter than its length. */
static bool holds_certificate(const uint8_t *body, size_t len, bool tls13)
{
    size_t at = 0;
    if (tls13) {
        if (len < 1) {
            return false;
        }
        at = 1u + body[0];
    }
    return len >= at + 3 && (body[at] | body[at + 1] | body[at + 2]) != 0;
}

/* The peer went on after our Certificate, so it took it. */
static void peer_went_on(struct mutual_session *session)
{
    if (session->cert_sent) {
        mu_journey_mark(session,
                        session->server ? MUTUAL_STEP_SERVER_CHECK : MUTUAL_STEP_CLIENT_CHECK,
                        MUTUAL_OUTCOME_DONE);
    }
}

static void server_reads(struct mutual_session *session, int type, bool certificate)
{
    switch (type) {
    case SSL3_MT_CERTIFICATE:
        peer_went_on(session);
        session->cert_seen = session->cert_seen || certificate;
        if (certificate) {
            mu_journey_mark(session, MUTUAL_STEP_CLIENT_CERT, MUTUAL_OUTCOME_DONE);
        } else if (session->context->rules->mode != MUTUAL_MODE_REQUIRE) {
            mu_journey_mark(session, MUTUAL_STEP_CLIENT_CERT, MUTUAL_OUTCOME_SKIPPED);
            mu_journey_mark(session, MUTUAL_STEP_CLIENT_CHECK, MUTUAL_OUTCOME_SKIPPED);
        }
        break;
    case SSL3_MT_CERTIFICATE_VERIFY:
        session->proof_seen = true;
        break;
    case SSL3_MT_CLIENT_KEY_EXCHANGE:
    case SSL3_MT_FINISHED:
        peer_went_on(session);
        break;
    default:
        break;
    }
}

static void server_writes(struct mutual_session *session, int type)
{
    switch (type) {
    case SSL3_MT_SERVER_HELLO:
        mu_journey_mark(session, MUTUAL_STEP_CONNECT, MUTUAL_OUTCOME_DONE);
        break;
    case SSL3_MT_CERTIFICATE:
        session->cert_sent = true;
        mu_journey_mark(session, MUTUAL_STEP_SERVER_CERT, MUTUAL_OUTCOME_DONE);
        break;
    case SSL3_MT_CERTIFICATE_REQUEST:
        session->cert_requested = true;
        break;
    default:
        break;
    }
}

static void client_reads(struct mutual_session *session, int type, bool certificate)
{
    bool tls13 = SSL_version(session->ssl) == TLS1_3_VERSION;
    switch (type) {
    case SSL3_MT_SERVER_HELLO:
        session->hello_seen = true;
        mu_journey_mark(session, MUTUAL_STEP_CONNECT, MUTUAL_OUTCOME_DONE);
        break;
    case SSL3_MT_CERTIFICATE:
        session->cert_seen = session->cert_seen || certificate;
        mu_journey_mark(session, MUTUAL_STEP_SERVER_CERT, MUTUAL_OUTCOME_DONE);
        break;
    case SSL3_MT_CERTIFICATE_VERIFY:
        session->proof_seen = true;
        break;
    case SSL3_MT_SERVER_KEY_EXCHANGE: /* signed with the certificate's key, RFC 8422 section 5.4 */
        session->proof_seen = true;
        break;
    case SSL3_MT_CERTIFICATE_REQUEST:
        session->cert_requested = true;
        break;
    case SSL3_MT_NEWSESSION_TICKET: /* in TLS 1.3 made after the server read our Finished */
        if (tls13) {
            peer_went_on(session);
        }
        break;
    case SSL3_MT_FINISHED: /* in TLS 1.2 the server's comes last */
        if (!tls13) {
            peer_went_on(session);
        }
        break;
    default:
        break;
    }
}

static void client_writes(struct mutual_session *session, int type, struct mu_slice message,
                          bool certificate)
{
    if (type == SSL3_MT_CLIENT_HELLO) {
        mu_observe_hello(session, message);
    } else if (type == SSL3_MT_CERTIFICATE && certificate) {
        session->cert_sent = true;
        mu_journey_mark(session, MUTUAL_STEP_CLIENT_CERT, MUTUAL_OUTCOME_DONE);
    }
}

static void see_handshake(struct mutual_session *session, bool write, struct mu_slice message)
{
    int type = message.data[0];
    bool tls13 = SSL_version(session->ssl) == TLS1_3_VERSION;
    bool certificate =
        type == SSL3_MT_CERTIFICATE && holds_certificate(message.data + 4, message.len - 4, tls13);
    if (!write && session->stage != MU_STAGE_HANDSHAKE) {
        session->quiet_messages++;
    }
    mu_handover_message(session, write);
    if (session->server && !write && type == SSL3_MT_CLIENT_HELLO) {
        mu_observe_hello(session, message);
    }
    if (session->server && write) {
        server_writes(session, type);
    } else if (session->server) {
        server_reads(session, type, certificate);
    } else if (write) {
        client_writes(session, type, message, certificate);
    } else {
        client_reads(session, type, certificate);
    }
}

static void see_alert(struct mutual_session *session, bool write, const uint8_t *alert)
{
    bool fatal = alert[0] == SSL3_AL_FATAL;
    bool warning = !fatal && SSL_version(session->ssl) < TLS1_3_VERSION;
    if (write && alert[1] == SSL_AD_NO_RENEGOTIATION) {
        session->renegotiation = true;
    }
    if (warning || alert[1] == SSL_AD_CLOSE_NOTIFY || alert[1] == SSL_AD_USER_CANCELLED) {
        return;
    }
    int16_t *place = write ? &session->alert_out : &session->alert_in;
    if (*place < 0) {
        *place = alert[1];
    }
}

void mu_journey_message(int write, int version, int content, const void *data, size_t len, SSL *ssl,
                        void *context)
{
    (void)version;
    (void)context;
    struct mutual_session *session = SSL_get_app_data(ssl);
    if (session == NULL) {
        return;
    }
    if (content == SSL3_RT_HANDSHAKE && len >= 4) {
        see_handshake(session, write != 0, mu_slice_of(data, len));
    } else if (content == SSL3_RT_ALERT && len == 2) {
        see_alert(session, write != 0, data);
    } else if (content == SSL3_RT_INNER_CONTENT_TYPE) {
        mu_handover_record(session, write != 0);
    }
}
