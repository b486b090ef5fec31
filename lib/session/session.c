/* SPDX-License-Identifier: Apache-2.0
 *
 * The session: its life, its handshake, and the gate that lets no byte through before admission.
 */
#include "session/channel_internal.h"
#include "session/session_internal.h"

#include "trust/trust.h"
#include "x509/x509.h"

#include <openssl/async.h>
#include <openssl/err.h>
#include <string.h>

/* ---- life ------------------------------------------------------------------------------------ */

static bool set_up(struct mutual_session *session)
{
    struct mutual_context *context = session->context;
    session->ssl = SSL_new(context->ssl);
    if (session->ssl == NULL || SSL_set_app_data(session->ssl, session) != 1) {
        return false;
    }
    BIO *bio = mu_wire_bio(context->wire_method, session);
    if (bio == NULL) {
        return false;
    }
    SSL_set_bio(session->ssl, bio, bio);
    if (context->remote_keys) {
        (void)SSL_set_mode(session->ssl, SSL_MODE_ASYNC);
    }
    if (session->server) {
        SSL_set_accept_state(session->ssl);
        return true;
    }
    SSL_set_connect_state(session->ssl);
    if (context->server_name != NULL &&
        SSL_set_tlsext_host_name(session->ssl, context->server_name) != 1) {
        return false;
    }
    if (!session->rehearsal) {
        mu_resume_offer(session);
    }
    return true;
}

struct mutual_session *mu_session_make(struct mutual_context *context, bool rehearsal,
                                       struct mutual_error *err)
{
    struct mutual_session *session = mu_alloc(1, sizeof *session);
    if (session == NULL) {
        (void)mu_fail_memory(err);
        return NULL;
    }
    mu_ossl_clear();
    session->entry = mutual_context_ref(context);
    session->context = context;
    session->server = context->rules->side == MUTUAL_SIDE_SERVER;
    session->rehearsal = rehearsal;
    session->engine = &mu_engine_library;
    session->alert_in = -1;
    session->alert_out = -1;
    session->journey.started_ns = mu_clock_mono_ns();
    if (!set_up(session)) {
        mu_ossl_clear();
        mutual_session_free(session);
        (void)mu_fail_memory(err);
        return NULL;
    }
    return session;
}

struct mutual_session *mutual_session_new(struct mutual_context *context, struct mutual_error *err)
{
    return mu_session_make(context, false, err);
}

/* A paused job lives on a stack of its own that only its own end gives back: let it run. Whoever
 * signs sees that there is no answer and fails, and who had given way fails at once; a signer that
 * pauses for ever is left alone. */
static void end_job(struct mutual_session *session)
{
    session->ending = true;
    for (int i = 0; i < 4 && SSL_waiting_for_async(session->ssl) == 1; i++) {
        (void)SSL_do_handshake(session->ssl);
    }
    ERR_clear_error();
}

void mutual_session_free(struct mutual_session *session)
{
    if (session == NULL) {
        return;
    }
    if (session->ssl != NULL) {
        end_job(session);
        mu_library_done(session,
                        session->settled && session->alert_in < 0 && session->alert_out < 0);
    }
    mu_channel_free(session->channel, session->context->records);
    mutual_pass_free(session->verdict.pass);
    mutual_chain_unref(session->chain);
    mu_free(session->known_key);
    SSL_SESSION_free(session->taken);
    mu_proof_clear(&session->proof);
    mu_observer_free(session->observer);
    mu_free(session->failure);
    mu_free(session->disbelief);
    mu_buf_done(&session->peer_cert);
    mu_free(session->sni);
    mutual_context_unref(session->entry);
    mu_free(session);
}

void mu_session_auto(struct mutual_session **session)
{
    mutual_session_free(*session);
}

/* ---- failing --------------------------------------------------------------------------------- */

void mu_session_refuse(struct mutual_session *session, const struct mutual_error *cause)
{
    if (session->failure == NULL) {
        session->failure = mu_alloc(1, sizeof *session->failure);
        if (session->failure != NULL) {
            *session->failure = *cause;
        }
    }
}

/* An error that names no step, or one that this connection has not come to, belongs to the step
 * under way. */
static void place_error(const struct mutual_session *session, struct mutual_error *err)
{
    bool ahead = session->stage == MU_STAGE_HANDSHAKE && err->step >= MUTUAL_STEP_ACCESS;
    if (err->step == MUTUAL_STEP_NONE || ahead) {
        err->step = mutual_journey_step(&session->journey);
    }
}

enum mutual_io mu_session_fail(struct mutual_session *session, const struct mutual_error *cause,
                               struct mutual_error *err)
{
    struct mutual_error placed = *cause;
    place_error(session, &placed);
    mu_session_refuse(session, &placed);
    if (session->failure != NULL) {
        *session->failure = placed;
    }
    mu_journey_mark(session, placed.step, MUTUAL_OUTCOME_FAILED);
    session->stage = MU_STAGE_FAILED;
    if (err != NULL) {
        *err = placed;
    }
    return MUTUAL_IO_FAILED;
}

static enum mutual_io fail_again(const struct mutual_session *session, struct mutual_error *err)
{
    if (session->failure == NULL) {
        (void)mu_fail_memory(err);
    } else if (err != NULL) {
        *err = *session->failure;
    }
    return MUTUAL_IO_FAILED;
}

/* ---- one step -------------------------------------------------------------------------------- */

static void enter(struct mutual_session *session, struct mutual_wire *wire)
{
    if (session->ssl != NULL) {
        ERR_clear_error();
    }
    session->wire = wire;
    mu_wire_drain(session, wire);
}

/* Pauses the job when the caller's time is over; without a job there is no going away from here. */
static bool give_way(void *owner)
{
    struct mutual_session *session = owner;
    int64_t until_ns = session->wire == NULL ? 0 : session->wire->until_ns;
    if (until_ns == 0 || ASYNC_get_current_job() == NULL || mu_clock_mono_ns() < until_ns) {
        return true;
    }
    session->gave_way = true;
    return ASYNC_pause_job() == 1 && !session->ending;
}

static void leave(struct mutual_session *session)
{
    session->wire = NULL;
}

bool mu_session_is_flooded(const struct mutual_session *session)
{
    return session->quiet_messages >
           MU_LIMIT_QUIET_MESSAGES + session->data_bytes / MU_LIMIT_QUIET_PER_BYTES;
}

enum mutual_io mu_session_fail_flooded(struct mutual_session *session, struct mutual_error *err)
{
    struct mutual_error cause = {0};
    (void)mu_fail(&cause, MUTUAL_E_PROTOCOL_VIOLATION,
                  "the %s sent %llu messages without data beside %llu bytes of it",
                  mu_peer_word(session), (unsigned long long)session->quiet_messages,
                  (unsigned long long)session->data_bytes);
    return mu_session_fail(session, &cause, err);
}

/* ---- handshake ------------------------------------------------------------------------------- */

static void mark_skipped(struct mutual_session *session)
{
    bool resumed = session->evidence.resumed;
    bool presented = session->server ? session->chain != NULL : session->cert_sent;
    if (resumed) {
        mu_journey_mark(session, MUTUAL_STEP_SERVER_CERT, MUTUAL_OUTCOME_SKIPPED);
        mu_journey_mark(session, MUTUAL_STEP_SERVER_CHECK, MUTUAL_OUTCOME_SKIPPED);
    }
    if (resumed || !presented) {
        mu_journey_mark(session, MUTUAL_STEP_CLIENT_CERT, MUTUAL_OUTCOME_SKIPPED);
        mu_journey_mark(session, MUTUAL_STEP_CLIENT_CHECK, MUTUAL_OUTCOME_SKIPPED);
    }
}

static enum mutual_io finish(struct mutual_session *session, struct mutual_error *err)
{
    struct mutual_error cause = {0};
    (void)SSL_clear_mode(session->ssl, SSL_MODE_ASYNC); /* nothing is signed any more */
    if (!mu_session_settle(session, &cause)) {
        return mu_session_fail(session, &cause, err);
    }
    mark_skipped(session);
    mu_resume_keep_finished(session);
    SSL_SESSION_free(MU_TAKE(session->taken));
    mu_proof_clear(&session->proof);
    session->stage = MU_STAGE_PROVED;
    /* The server's last flight of TLS 1.3 is tickets (RFC 8446 section 4.6.1). */
    session->wire->out_can_wait = session->server && SSL_version(session->ssl) >= TLS1_3_VERSION;
    return mu_wire_is_late(session) ? MUTUAL_IO_WANT_WRITE : MUTUAL_IO_DONE;
}

enum mutual_io mutual_session_handshake(struct mutual_session *session, struct mutual_wire *wire,
                                        struct mutual_error *err)
{
    enter(session, wire);
    enum mutual_io io = mu_wire_is_late(session) ? MUTUAL_IO_WANT_WRITE : MUTUAL_IO_DONE;
    if (session->stage == MU_STAGE_FAILED) {
        io = fail_again(session, err);
    } else if (session->stage == MU_STAGE_HANDSHAKE) {
        mu_hkdf_listen(session->context->hears ? mu_handover_hear : NULL, session);
        mu_turn_ask(give_way, session);
        int answer = SSL_do_handshake(session->ssl);
        mu_turn_ask(NULL, NULL);
        mu_hkdf_listen(NULL, NULL);
        io = answer == 1 ? finish(session, err) : mu_library_outcome(session, answer, err);
    }
    leave(session);
    return io;
}

int mutual_session_key_fd(const struct mutual_session *session)
{
    OSSL_ASYNC_FD fd = -1;
    size_t count = 0;
    if (session->ssl == NULL || SSL_get_all_async_fds(session->ssl, NULL, &count) != 1 ||
        count != 1 || SSL_get_all_async_fds(session->ssl, &fd, &count) != 1) {
        return -1;
    }
    return fd;
}

/* ---- admission ------------------------------------------------------------------------------- */

const struct mutual_evidence *mutual_session_evidence(const struct mutual_session *session)
{
    return &session->evidence;
}

bool mu_evidence_follows(const struct mutual_evidence *evidence, const struct mutual_rules *before,
                         const struct mutual_rules *rules)
{
    if (evidence->chain == NULL || evidence->trust_generation == rules->trust_generation) {
        return true;
    }
    return evidence->trust_generation == before->trust_generation && before->trust != NULL &&
           rules->trust != NULL && mu_trust_follows(rules->trust, before->trust, evidence->chain);
}

bool mu_session_follow(struct mutual_session *session, const struct mutual_rules *before,
                       const struct mutual_rules *rules)
{
    if (!mu_evidence_follows(&session->evidence, before, rules)) {
        return false;
    }
    session->evidence.trust_generation = rules->trust_generation;
    return true;
}

const struct mutual_verdict *mu_session_admit_by(struct mutual_session *session,
                                                 const struct mutual_rules *rules, int64_t now_s)
{
    mutual_pass_free(session->verdict.pass);
    session->verdict = (struct mutual_verdict){.allowed = false};
    if (session->stage == MU_STAGE_HANDSHAKE || session->rehearsal) {
        (void)mu_fail(&session->verdict.why, MUTUAL_E_USAGE, "nobody is admitted %s",
                      session->rehearsal ? "in a rehearsal" : "before the handshake is done");
        return &session->verdict;
    }
    if (session->stage == MU_STAGE_FAILED) {
        (void)fail_again(session, &session->verdict.why);
        return &session->verdict;
    }
    session->verdict = mutual_admit(&session->evidence, rules, now_s);
    bool allowed = session->verdict.allowed && session->verdict.pass != NULL;
    session->stage = allowed ? MU_STAGE_OPEN : MU_STAGE_PROVED;
    mu_journey_mark(session, MUTUAL_STEP_ACCESS,
                    allowed ? MUTUAL_OUTCOME_DONE : MUTUAL_OUTCOME_FAILED);
    return &session->verdict;
}

const struct mutual_verdict *mutual_session_admit(struct mutual_session *session, int64_t now_s)
{
    return mu_session_admit_by(session, session->context->rules, now_s);
}

const struct mutual_rules *mu_session_rules(const struct mutual_session *session)
{
    return session->context->rules;
}

/* No byte of the application passes without this. */
static bool may_flow(const struct mutual_session *session, struct mutual_error *err)
{
    if (session->stage == MU_STAGE_FAILED) {
        (void)fail_again(session, err);
        return false;
    }
    if (session->stage != MU_STAGE_OPEN) {
        if (session->verdict.why.code != MUTUAL_OK) {
            if (err != NULL) {
                *err = session->verdict.why;
            }
            return false;
        }
        return mu_fail(err, MUTUAL_E_POLICY_DENIED, "nobody was admitted to \"%s\" yet",
                       session->context->rules->service);
    }
    if (!mutual_pass_holds(session->verdict.pass, mu_context_now(session->context))) {
        return mu_fail(err, MUTUAL_E_PASS_EXPIRED, "what admitted the peer to \"%s\" has ended",
                       session->context->rules->service);
    }
    return true;
}

/* ---- data ------------------------------------------------------------------------------------ */

/* The first bytes of data show that the other end went on after our certificate. */
static void mark_data(struct mutual_session *session, bool received)
{
    if (received && !session->server) {
        mu_journey_mark(session, MUTUAL_STEP_CLIENT_CHECK, MUTUAL_OUTCOME_DONE);
    }
    mu_journey_mark(session, MUTUAL_STEP_DATA, MUTUAL_OUTCOME_DONE);
}

enum mutual_io mutual_session_read(struct mutual_session *session, struct mutual_wire *wire,
                                   uint8_t *data, size_t cap, size_t *ret_len,
                                   struct mutual_error *err)
{
    enum mutual_io io = MUTUAL_IO_FAILED;
    size_t len = 0;
    enter(session, wire);
    if (may_flow(session, err)) {
        mu_handover_try(session);
        io = session->engine->read(session, data, cap, &len, err);
    }
    leave(session);
    if (len > 0) {
        mark_data(session, true);
        session->data_bytes += len;
        *ret_len = len; /* what stopped it is told by the next call */
        return MUTUAL_IO_DONE;
    }
    return io;
}

enum mutual_io mu_session_listen(struct mutual_session *session, struct mutual_wire *wire,
                                 struct mutual_error *err)
{
    uint8_t thrown_away[1024];
    size_t len = 0;
    if (session->stage == MU_STAGE_FAILED) {
        return fail_again(session, err);
    }
    mu_assert(session->stage != MU_STAGE_HANDSHAKE);
    enter(session, wire);
    enum mutual_io io = session->engine->read(session, thrown_away, sizeof thrown_away, &len, err);
    leave(session);
    if (len > 0) {
        mark_data(session, true);
        return MUTUAL_IO_DONE;
    }
    return io;
}

enum mutual_io mutual_session_write(struct mutual_session *session, struct mutual_wire *wire,
                                    const uint8_t *data, size_t len, size_t *ret_len,
                                    struct mutual_error *err)
{
    enum mutual_io io = MUTUAL_IO_FAILED;
    size_t taken = 0;
    enter(session, wire);
    if (may_flow(session, err)) {
        mu_handover_try(session);
        io = session->engine->write(session, data, len, &taken, err);
    }
    leave(session);
    if (taken > 0) {
        mark_data(session, false);
        session->data_bytes += taken;
        *ret_len = taken;
        return MUTUAL_IO_DONE;
    }
    return io;
}

enum mutual_io mutual_session_close(struct mutual_session *session, struct mutual_wire *wire,
                                    struct mutual_error *err)
{
    (void)err;
    enter(session, wire);
    bool possible = session->stage == MU_STAGE_PROVED || session->stage == MU_STAGE_OPEN;
    enum mutual_io io = MUTUAL_IO_DONE;
    if (possible && !session->closed) {
        io = session->engine->close(session);
        session->closed = io == MUTUAL_IO_DONE;
    }
    leave(session);
    return mu_wire_is_late(session) ? MUTUAL_IO_WANT_WRITE : io;
}

const struct mutual_journey *mutual_session_journey(const struct mutual_session *session)
{
    return &session->journey;
}
