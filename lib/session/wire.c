/* SPDX-License-Identifier: Apache-2.0
 *
 * The BIO between OpenSSL and the caller's windows on the wire: no buffer of its own, so what a
 * call does not consume stays with the caller. Only an alert that finds no room is kept here, since
 * OpenSSL never offers the alert of a failed handshake twice.
 */
#include "session/channel_internal.h"

#include <string.h>

static void drain_spill(struct mutual_session *session, struct mutual_wire *wire)
{
    size_t room = wire->out_cap - wire->out_len;
    size_t len = session->spill_len < room ? session->spill_len : room;
    if (len == 0) {
        return;
    }
    memcpy(wire->out + wire->out_len, session->spill, len);
    memmove(session->spill, session->spill + len, session->spill_len - len);
    wire->out_len += len;
    session->spill_len = (uint8_t)(session->spill_len - len);
}

void mu_wire_drain(struct mutual_session *session, struct mutual_wire *wire)
{
    drain_spill(session, wire);
    if (session->spill_len == 0 && session->channel != NULL) {
        mu_channel_drain(session->channel, wire);
    }
}

bool mu_wire_is_late(const struct mutual_session *session)
{
    return session->spill_len > 0 || (session->channel != NULL && session->channel->sealed.len > 0);
}

void mu_wire_alert(struct mutual_session *session, uint8_t alert)
{
    const uint8_t record[] = {SSL3_RT_ALERT, 3, 3, 0, 2, SSL3_AL_FATAL, alert};
    if (session->spill_len == 0) {
        memcpy(session->spill, record, sizeof record);
        session->spill_len = sizeof record;
        session->alert_out = alert;
        mu_wire_drain(session, session->wire);
    }
}

/* What the records around a hello may take; OpenSSL reads record by record. */
#define HELLO_SLACK 1024u

/* Is the hello longer than a hello may be, as far as one can tell by now? */
static bool is_oversized(const struct mutual_session *session)
{
    const uint8_t *head = session->head;
    if (session->bytes_in > MU_LIMIT_HELLO_BYTES + HELLO_SLACK) {
        return true;
    }
    /* RFC 8446 section 5.1: a message may be cut into records anywhere, even in its length. */
    bool starts = session->bytes_in >= 9 && head[0] == SSL3_RT_HANDSHAKE &&
                  mu_get_be16(head + 3) >= 4 && head[5] == SSL3_MT_CLIENT_HELLO;
    return starts && (mu_get_be32(head + 5) & 0xffffff) > MU_LIMIT_HELLO_BYTES;
}

/* Keeps the first bytes for a message about what is not TLS, and stops a hello that is longer than
 * a hello may be, if it says so before OpenSSL makes room for it. */
static bool keep_head(struct mutual_session *session, const uint8_t *data, size_t len)
{
    if (session->bytes_in < MU_HEAD_BYTES) {
        size_t at = (size_t)session->bytes_in;
        size_t room = MU_HEAD_BYTES - at;
        memcpy(session->head + at, data, len < room ? len : room);
    }
    session->bytes_in += len;
    session->hello_oversized = session->server && is_oversized(session);
    return !session->hello_oversized;
}

static int wire_read(BIO *bio, char *data, size_t cap, size_t *ret_len)
{
    struct mutual_session *session = BIO_get_data(bio);
    struct mutual_wire *wire = session->wire;
    BIO_clear_retry_flags(bio);
    if (wire == NULL || wire->in_len == 0) {
        if (wire == NULL || !wire->in_end) {
            BIO_set_retry_read(bio);
        }
        return 0;
    }
    if (mu_session_is_flooded(session)) {
        return 0; /* OpenSSL takes it for a broken wire; outcome() knows better */
    }
    size_t len = wire->in_len < cap ? wire->in_len : cap;
    memcpy(data, wire->in, len);
    wire->in += len;
    wire->in_len -= len;
    if (!session->hello_seen && !keep_head(session, (const uint8_t *)data, len)) {
        return 0;
    }
    *ret_len = len;
    return 1;
}

static int wire_write(BIO *bio, const char *data, size_t len, size_t *ret_len)
{
    struct mutual_session *session = BIO_get_data(bio);
    struct mutual_wire *wire = session->wire;
    BIO_clear_retry_flags(bio);
    if (wire == NULL) {
        BIO_set_retry_write(bio);
        return 0;
    }
    mu_wire_drain(session, wire);
    size_t room = session->spill_len > 0 ? 0 : wire->out_cap - wire->out_len;
    if (room == 0 && session->spill_len == 0 && len <= MU_SPILL_BYTES && !session->writing) {
        memcpy(session->spill, data, len);
        session->spill_len = (uint8_t)len;
        *ret_len = len;
        return 1;
    }
    if (room == 0) {
        BIO_set_retry_write(bio);
        return 0;
    }
    *ret_len = len < room ? len : room;
    memcpy(wire->out + wire->out_len, data, *ret_len);
    wire->out_len += *ret_len;
    return 1;
}

static long wire_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD *mu_wire_method(void)
{
    /* The type only serves to find a BIO in a chain of them; there is no chain here, and
     * BIO_get_new_index would run out after a hundred reloads. */
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | 120, "mutual wire");
    if (method != NULL && BIO_meth_set_read_ex(method, wire_read) == 1 &&
        BIO_meth_set_write_ex(method, wire_write) == 1 &&
        BIO_meth_set_ctrl(method, wire_ctrl) == 1) {
        return method;
    }
    BIO_meth_free(method);
    return NULL;
}

BIO *mu_wire_bio(BIO_METHOD *method, struct mutual_session *session)
{
    BIO *bio = BIO_new(method);
    if (bio != NULL) {
        BIO_set_data(bio, session);
        BIO_set_init(bio, 1);
    }
    return bio;
}
