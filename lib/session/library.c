/* SPDX-License-Identifier: Apache-2.0
 *
 * OpenSSL moves the data: one call of it per step, and its outcome in our words.
 */
#include "session/session_internal.h"

#include <openssl/err.h>

/* A record's header, the tag of an AEAD and the content type or the explicit nonce. */
#define RECORD_EXTRA 29u
/* A record smaller than this is not worth its header while something can be sent already. */
#define RECORD_LEAST 1024u

static enum mutual_io fail_renegotiation(struct mutual_session *session, struct mutual_error *err)
{
    struct mutual_error cause = {0};
    (void)mu_fail(&cause, MUTUAL_E_RENEGOTIATION, "the %s asked for a renegotiation",
                  mu_peer_word(session));
    return mu_session_fail(session, &cause, err);
}

enum mutual_io mu_library_outcome(struct mutual_session *session, int answer,
                                  struct mutual_error *err)
{
    int error = SSL_get_error(session->ssl, answer);
    if (session->renegotiation) {
        return fail_renegotiation(session, err);
    }
    if (mu_session_is_flooded(session)) {
        return mu_session_fail_flooded(session, err);
    }
    switch (error) {
    case SSL_ERROR_WANT_READ:
        return mu_wire_is_late(session) ? MUTUAL_IO_WANT_WRITE : MUTUAL_IO_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return MUTUAL_IO_WANT_WRITE;
    case SSL_ERROR_WANT_ASYNC:
        return MU_TAKE(session->gave_way) ? MUTUAL_IO_WANT_TURN : MUTUAL_IO_WANT_KEY;
    case SSL_ERROR_ZERO_RETURN:
        if (session->stage != MU_STAGE_HANDSHAKE) {
            return MUTUAL_IO_END;
        }
        break;
    default:
        break;
    }
    struct mutual_error cause = {0};
    (void)mu_failure_name(session, error, &cause);
    return mu_session_fail(session, &cause, err);
}

void mu_library_done(struct mutual_session *session, bool resumable)
{
    if (resumable) {
        /* A connection that ended without close_notify stays resumable: RFC 8446 section 6.1
         * takes the rule of old that it must not be. */
        SSL_set_shutdown(session->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    SSL_free(MU_TAKE(session->ssl));
}

/* ---- data ------------------------------------------------------------------------------------ */

static enum mutual_io library_read(struct mutual_session *session, uint8_t *data, size_t cap,
                                   size_t *ret_len, struct mutual_error *err)
{
    size_t len = 0;
    enum mutual_io io = MUTUAL_IO_DONE;
    while (len < cap) {
        size_t more = 0;
        int answer = SSL_read_ex(session->ssl, data + len, cap - len, &more);
        if (answer != 1) {
            io = mu_library_outcome(session, answer, len > 0 ? NULL : err);
            break;
        }
        len += more;
        if (session->wire->in_len == 0 && SSL_pending(session->ssl) == 0) {
            break;
        }
    }
    *ret_len = len;
    return io;
}

/* How much of `len` bytes goes into the next record; 0: `out` is to be emptied first. */
static size_t record_len(const struct mutual_session *session, size_t len)
{
    const struct mutual_wire *wire = session->wire;
    size_t room = wire->out_cap - wire->out_len;
    size_t least = len < RECORD_LEAST ? len : RECORD_LEAST;
    if (session->write_retry > 0) {
        return session->write_retry < len ? session->write_retry : len;
    }
    if (mu_wire_is_late(session)) {
        return 0;
    }
    len = len < SSL3_RT_MAX_PLAIN_LENGTH ? len : SSL3_RT_MAX_PLAIN_LENGTH;
    if (room >= RECORD_EXTRA + least) {
        return len < room - RECORD_EXTRA ? len : room - RECORD_EXTRA;
    }
    return wire->out_len > 0 ? 0 : len; /* an empty window too small for any record */
}

static enum mutual_io library_write(struct mutual_session *session, const uint8_t *data, size_t len,
                                    size_t *ret_len, struct mutual_error *err)
{
    size_t taken = 0;
    enum mutual_io io = MUTUAL_IO_DONE;
    session->writing = true;
    while (taken < len) {
        size_t offered = record_len(session, len - taken);
        size_t done = 0;
        if (offered == 0) {
            io = MUTUAL_IO_WANT_WRITE;
            break;
        }
        int answer = SSL_write_ex(session->ssl, data + taken, offered, &done);
        if (answer != 1) {
            io = mu_library_outcome(session, answer, taken > 0 ? NULL : err);
            session->write_retry = offered;
            break;
        }
        session->write_retry = 0;
        taken += done;
    }
    session->writing = false;
    *ret_len = taken;
    return io;
}

static enum mutual_io library_close(struct mutual_session *session)
{
    int answer = SSL_shutdown(session->ssl);
    bool blocked = answer < 0 && SSL_get_error(session->ssl, answer) == SSL_ERROR_WANT_WRITE;
    ERR_clear_error();
    return blocked ? MUTUAL_IO_WANT_WRITE : MUTUAL_IO_DONE;
}

const struct mu_engine mu_engine_library = {library_read, library_write, library_close};
