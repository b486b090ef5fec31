/* SPDX-License-Identifier: Apache-2.0
 *
 * An open connection of TLS 1.3 whose records are ours: what each means (RFC 8446 sections 4.6, 5
 * and 6), and who is told what is wrong. A record is opened from the caller's window into the
 * caller's buffer and sealed the other way; only what has not arrived whole, or finds no room, is
 * kept, and an idle connection keeps nothing but its keys.
 */
#include "session/channel_internal.h"

#include <string.h>

/* A record smaller than this is not worth its header while something can be sent already. */
#define RECORD_LEAST 1024u
#define SEALED_MAX   (4u * MU_RECORD_MAX)

enum { KEY_UPDATE = 24, NOT_REQUESTED = 0, REQUESTED = 1, FATAL = 2 };
#define KEY_UPDATE_LEN 5u

static struct mu_records *records_of(const struct mutual_session *session)
{
    return session->context->records;
}

void mu_channel_free(struct mu_channel *channel, struct mu_records *records)
{
    if (channel == NULL) {
        return;
    }
    mu_records_forget(records, channel->suite);
    mu_wipe(channel->plain.data, channel->plain.len);
    mu_buf_done(&channel->plain);
    mu_buf_done(&channel->partial);
    mu_buf_done(&channel->sealed);
    mu_wipe(channel, sizeof *channel);
    mu_free(channel);
}

/* ---- out ------------------------------------------------------------------------------------- */

void mu_channel_drain(struct mu_channel *channel, struct mutual_wire *wire)
{
    size_t room = wire->out_cap - wire->out_len;
    size_t len = channel->sealed.len < room ? channel->sealed.len : room;
    if (len == 0) {
        return;
    }
    memcpy(wire->out + wire->out_len, channel->sealed.data, len);
    wire->out_len += len;
    mu_buf_consume(&channel->sealed, len);
    if (channel->sealed.len == 0) {
        mu_buf_done(&channel->sealed);
    }
}

/* Seals a record into `out`, or aside when there is no room. False: the library failed, or too much
 * is waiting already; then nothing may follow. */
static bool put(struct mutual_session *session, uint8_t type, const uint8_t *data, size_t len)
{
    struct mu_channel *channel = session->channel;
    struct mutual_wire *wire = session->wire;
    size_t size = len + MU_RECORD_EXTRA;
    bool aside = channel->sealed.len > 0 || wire->out_cap - wire->out_len < size;
    uint8_t *at = NULL;
    if (aside) {
        channel->sealed.max = SEALED_MAX;
        at = mu_buf_reserve(&channel->sealed, size);
    } else {
        at = wire->out + wire->out_len;
    }
    if (at == NULL ||
        !mu_record_seal(records_of(session), channel->suite, &channel->out, type, data, len, at)) {
        return false;
    }
    *(aside ? &channel->sealed.len : &wire->out_len) += size;
    mu_channel_drain(channel, wire);
    return true;
}

static enum mutual_io fail_own(struct mutual_session *session, struct mutual_error *err)
{
    struct mutual_error cause = {0};
    (void)mu_fail(&cause, MUTUAL_E_LIBRARY, "could not seal a record for the %s",
                  mu_peer_word(session));
    return mu_session_fail(session, &cause, err);
}

/* Section 4.6.3: the message goes out under the old key, all that follows under the new one. */
static bool update_out(struct mutual_session *session)
{
    static const uint8_t message[KEY_UPDATE_LEN] = {KEY_UPDATE, 0, 0, 1, NOT_REQUESTED};
    struct mu_channel *channel = session->channel;
    channel->update_owed = false;
    return put(session, MU_CONTENT_HANDSHAKE, message, sizeof message) &&
           mu_direction_update(records_of(session), channel->suite, &channel->out);
}

/* Is it time for a new key of ours, because the peer asked or the old one was used enough? */
static bool owes_update(const struct mu_channel *channel)
{
    return channel->update_owed || channel->out.count >= MU_CHANNEL_RECORDS_MAX;
}

static bool has_room(const struct mutual_session *session, size_t content)
{
    const struct mutual_wire *wire = session->wire;
    return session->channel->sealed.len == 0 &&
           wire->out_cap - wire->out_len >= content + MU_RECORD_EXTRA;
}

/* How much of `len` bytes goes into the next record; 0: `out` is to be emptied first. */
static size_t record_len(const struct mutual_session *session, size_t len)
{
    const struct mutual_wire *wire = session->wire;
    len = len < MU_RECORD_PLAIN ? len : MU_RECORD_PLAIN;
    if (has_room(session, len < RECORD_LEAST ? len : RECORD_LEAST)) {
        size_t room = wire->out_cap - wire->out_len - MU_RECORD_EXTRA;
        return len < room ? len : room;
    }
    /* a window too small for any record, even when it is empty */
    bool narrow = session->channel->sealed.len == 0 && wire->out_len == 0;
    return narrow ? (len < RECORD_LEAST ? len : RECORD_LEAST) : 0;
}

static enum mutual_io write_records(struct mutual_session *session, const uint8_t *data, size_t len,
                                    size_t *ret_len, struct mutual_error *err)
{
    struct mu_channel *channel = session->channel;
    while (*ret_len < len) {
        err = *ret_len > 0 ? NULL : err; /* then it is told by the next call */
        if (owes_update(channel) && !update_out(session)) {
            return fail_own(session, err);
        }
        size_t next = record_len(session, len - *ret_len);
        if (next == 0) {
            return MUTUAL_IO_WANT_WRITE;
        }
        if (!put(session, MU_CONTENT_DATA, data + *ret_len, next)) {
            return fail_own(session, err);
        }
        if (channel->sealed.len > 0) {
            session->write_retry = next; /* taken when the last of it is out */
            return MUTUAL_IO_WANT_WRITE;
        }
        *ret_len += next;
    }
    return MUTUAL_IO_DONE;
}

static enum mutual_io channel_write(struct mutual_session *session, const uint8_t *data, size_t len,
                                    size_t *ret_len, struct mutual_error *err)
{
    if (session->closed) {
        (void)mu_fail(err, MUTUAL_E_USAGE, "data after our closing message");
        return MUTUAL_IO_FAILED;
    }
    if (session->channel->sealed.len > 0) {
        return MUTUAL_IO_WANT_WRITE;
    }
    *ret_len = session->write_retry < len ? session->write_retry : len;
    session->write_retry = 0;
    return write_records(session, data, len, ret_len, err);
}

static enum mutual_io channel_close(struct mutual_session *session)
{
    static const uint8_t goodbye[] = {1, SSL_AD_CLOSE_NOTIFY};
    (void)put(session, MU_CONTENT_ALERT, goodbye, sizeof goodbye);
    return MUTUAL_IO_DONE;
}

/* ---- what may be wrong ----------------------------------------------------------------------- */

enum breach_kind {
    BAD_MAC,
    TOO_LONG,
    OTHER_PROTOCOL,
    OTHER_VERSION,
    NOT_ENCRYPTED,
    UNKNOWN_KIND,
    MISPLACED,
    MIXED,
    WRONG_LENGTH,
    BAD_UPDATE,
};
/* The alerts are those that OpenSSL sends: an end cannot be told by what it refuses how. */
static const struct breach {
    uint8_t alert;
    const char *words; /* "the client <words>" */
} breaches[] = {
    [BAD_MAC] = {SSL_AD_BAD_RECORD_MAC, "sent a record that does not authenticate"},
    [TOO_LONG] = {SSL_AD_RECORD_OVERFLOW, "sent a record longer than a record may be"},
    [OTHER_PROTOCOL] = {SSL_AD_PROTOCOL_VERSION, "sent something else than records of TLS"},
    [OTHER_VERSION] = {SSL_AD_DECODE_ERROR, "sent a record of another version of TLS"},
    [NOT_ENCRYPTED] = {SSL_AD_UNEXPECTED_MESSAGE, "sent a record that is not encrypted"},
    [UNKNOWN_KIND] = {SSL_AD_UNEXPECTED_MESSAGE, "sent a record of no known kind"},
    [MISPLACED] = {SSL_AD_UNEXPECTED_MESSAGE,
                   "sent a message that has no place after the handshake"},
    [MIXED] = {SSL_AD_UNEXPECTED_MESSAGE, "mixed a message with other records"},
    [WRONG_LENGTH] = {SSL_AD_DECODE_ERROR, "sent a message of the wrong length"},
    [BAD_UPDATE] = {SSL_AD_ILLEGAL_PARAMETER, "sent a key update of no known kind"},
};

static enum mutual_io refuse(struct mutual_session *session, enum breach_kind kind,
                             struct mutual_error *err)
{
    const struct breach *breach = &breaches[kind];
    const uint8_t alert[] = {FATAL, breach->alert};
    struct mutual_error cause = {0};
    if (!session->closed && put(session, MU_CONTENT_ALERT, alert, sizeof alert)) {
        session->alert_out = breach->alert;
    }
    const char *peer = mu_peer_word(session);
    if (kind == BAD_MAC) {
        (void)mu_fail(&cause, MUTUAL_E_BAD_RECORD, "the %s %s", peer, breach->words);
    } else {
        (void)mu_fail(&cause, MUTUAL_E_PROTOCOL_VIOLATION, "the %s broke the rules of TLS: it %s",
                      peer, breach->words);
    }
    return mu_session_fail(session, &cause, err);
}

/* ---- what a record holds --------------------------------------------------------------------- */

/* Sections 6.1 and 6.2. All but two alerts end the connection, whatever level they claim. */
static enum mutual_io take_alert(struct mutual_session *session, const uint8_t *alert, size_t len,
                                 struct mutual_error *err)
{
    struct mutual_error cause = {0};
    if (len != 2) {
        return refuse(session, MISPLACED, err);
    }
    if (alert[1] == SSL_AD_CLOSE_NOTIFY) {
        session->channel->ended = true;
        return MUTUAL_IO_DONE;
    }
    if (alert[1] == SSL_AD_USER_CANCELLED) {
        session->quiet_messages++;
        return MUTUAL_IO_DONE;
    }
    session->alert_in = alert[1];
    (void)mu_alert_translate(session, &cause);
    return mu_session_fail(session, &cause, err);
}

static enum mutual_io take_update(struct mutual_session *session, struct mutual_error *err)
{
    struct mu_channel *channel = session->channel;
    uint8_t kind = channel->message[KEY_UPDATE_LEN - 1];
    channel->message_len = 0;
    if (kind != NOT_REQUESTED && kind != REQUESTED) {
        return refuse(session, BAD_UPDATE, err);
    }
    if (!mu_direction_update(records_of(session), channel->suite, &channel->in)) {
        return fail_own(session, err);
    }
    channel->update_owed = channel->update_owed || (kind == REQUESTED && !session->closed);
    return MUTUAL_IO_DONE;
}

/* What can be said of a message by its head: after the handshake a client sends KeyUpdate alone. */
static enum mutual_io check_message(struct mutual_session *session, struct mutual_error *err)
{
    const uint8_t *message = session->channel->message;
    uint32_t len = mu_get_be32(message) & 0xffffff;
    if (message[0] != KEY_UPDATE) {
        return refuse(session, MISPLACED, err);
    }
    return len == 1  ? MUTUAL_IO_DONE
           : len < 1 ? refuse(session, WRONG_LENGTH, err)
                     : refuse(session, BAD_UPDATE, err);
}

/* A message may be cut however it likes, but must end where its record does, for the next one has
 * another key (section 5.1). */
static enum mutual_io take_message(struct mutual_session *session, const uint8_t *data, size_t len,
                                   struct mutual_error *err)
{
    struct mu_channel *channel = session->channel;
    if (len == 0) {
        return refuse(session, UNKNOWN_KIND, err);
    }
    for (size_t i = 0; i < len; i++) {
        channel->message[channel->message_len++] = data[i];
        if (channel->message_len == KEY_UPDATE_LEN - 1 &&
            check_message(session, err) == MUTUAL_IO_FAILED) {
            return MUTUAL_IO_FAILED;
        }
        if (channel->message_len == KEY_UPDATE_LEN) {
            session->quiet_messages++;
            return i + 1 == len ? take_update(session, err) : refuse(session, MIXED, err);
        }
    }
    return MUTUAL_IO_DONE;
}

/* `inner`: content, type and padding, authenticated. */
static enum mutual_io take_inner(struct mutual_session *session, const uint8_t *inner, size_t len,
                                 size_t *ret_data, struct mutual_error *err)
{
    if (len > MU_RECORD_INNER) {
        return refuse(session, TOO_LONG, err);
    }
    while (len > 0 && inner[len - 1] == 0) {
        len--;
    }
    uint8_t type = len > 0 ? inner[len - 1] : 0;
    size_t content = len > 0 ? len - 1 : 0;
    if (session->channel->message_len > 0 && type != MU_CONTENT_HANDSHAKE) {
        return refuse(session, MIXED, err);
    }
    switch (type) {
    case MU_CONTENT_DATA:
        *ret_data = content;
        session->quiet_messages += content == 0 ? 1 : 0;
        return MUTUAL_IO_DONE;
    case MU_CONTENT_HANDSHAKE:
        return take_message(session, inner, content, err);
    case MU_CONTENT_ALERT:
        return take_alert(session, inner, content, err);
    default:
        return refuse(session, UNKNOWN_KIND, err);
    }
}

/* ---- in -------------------------------------------------------------------------------------- */

/* What can be said of a record by its header. */
static enum mutual_io check_head(struct mutual_session *session, const uint8_t *head,
                                 struct mutual_error *err)
{
    size_t len = mu_get_be16(head + 3);
    if (head[1] != 3) {
        return refuse(session, OTHER_PROTOCOL, err);
    }
    if (head[0] != MU_CONTENT_DATA) {
        return refuse(session, NOT_ENCRYPTED, err);
    }
    if (head[2] != 3) {
        return refuse(session, OTHER_VERSION, err);
    }
    if (len > MU_RECORD_CIPHER) {
        return refuse(session, TOO_LONG, err);
    }
    return len > MU_RECORD_TAG ? MUTUAL_IO_DONE : refuse(session, BAD_MAC, err);
}

static enum mutual_io fail_cut_off(struct mutual_session *session, struct mutual_error *err)
{
    struct mutual_error cause = {0};
    (void)mu_failure_end(session, &cause);
    return mu_session_fail(session, &cause, err);
}

static enum mutual_io want_more(struct mutual_session *session, struct mutual_error *err)
{
    if (session->wire->in_end) {
        return fail_cut_off(session, err);
    }
    return mu_wire_is_late(session) ? MUTUAL_IO_WANT_WRITE : MUTUAL_IO_WANT_READ;
}

/* Takes up to `len` bytes in all into the record that has begun. */
static bool gather(struct mutual_session *session, size_t len)
{
    struct mu_buf *partial = &session->channel->partial;
    struct mutual_wire *wire = session->wire;
    size_t more = len > partial->len ? len - partial->len : 0;
    more = more < wire->in_len ? more : wire->in_len;
    partial->max = MU_RECORD_HEAD + MU_RECORD_CIPHER;
    if (more > 0 && !mu_buf_append(partial, wire->in, more)) {
        return false;
    }
    wire->in += more;
    wire->in_len -= more;
    return true;
}

/* DONE: *ret_record is whole; it stays where it is until drop_record. */
static enum mutual_io find_record(struct mutual_session *session, struct mu_slice *ret_record,
                                  struct mutual_error *err)
{
    struct mu_buf *partial = &session->channel->partial;
    const struct mutual_wire *wire = session->wire;
    bool begun = partial->len > 0;
    if (begun && partial->len < MU_RECORD_HEAD && !gather(session, MU_RECORD_HEAD)) {
        return fail_own(session, err);
    }
    struct mu_slice have = begun ? mu_buf_slice(partial) : mu_slice_of(wire->in, wire->in_len);
    if (have.len >= MU_RECORD_HEAD) {
        enum mutual_io io = check_head(session, have.data, err);
        if (io != MUTUAL_IO_DONE) {
            return io;
        }
        size_t len = MU_RECORD_HEAD + mu_get_be16(have.data + 3);
        if ((begun || have.len < len) && !gather(session, len)) {
            return fail_own(session, err);
        }
        have = begun ? mu_buf_slice(partial) : have;
        if (have.len >= len) {
            *ret_record = mu_slice_of(have.data, len);
            return MUTUAL_IO_DONE;
        }
    } else if (!begun && !gather(session, MU_RECORD_HEAD)) {
        return fail_own(session, err);
    }
    return want_more(session, err);
}

static void drop_record(struct mutual_session *session, size_t len)
{
    if (session->channel->partial.len > 0) {
        mu_buf_done(&session->channel->partial);
    } else {
        session->wire->in += len;
        session->wire->in_len -= len;
    }
}

/* Opens the record, into `data` when it has room, else aside. */
static enum mutual_io open_record(struct mutual_session *session, struct mu_slice record,
                                  uint8_t *data, size_t cap, size_t *ret_len,
                                  struct mutual_error *err)
{
    struct mu_channel *channel = session->channel;
    size_t inner = record.len - MU_RECORD_HEAD - MU_RECORD_TAG;
    bool aside = inner > cap;
    uint8_t *room = data;
    if (aside) {
        mu_buf_init(&channel->plain, MU_RECORD_CIPHER);
        channel->plain_at = 0;
        room = mu_buf_reserve(&channel->plain, inner);
    }
    if (room == NULL) {
        return fail_own(session, err);
    }
    size_t content = 0;
    bool good = mu_record_open(records_of(session), channel->suite, &channel->in, record, room);
    drop_record(session, record.len);
    enum mutual_io io =
        good ? take_inner(session, room, inner, &content, err) : refuse(session, BAD_MAC, err);
    if (aside && content > 0) {
        channel->plain.len = content;
    } else if (aside) {
        mu_wipe(room, inner);
        mu_buf_done(&channel->plain);
    } else {
        *ret_len += content;
    }
    return io;
}

/* What an earlier call had no room for. */
static void take_plain(struct mu_channel *channel, uint8_t *data, size_t cap, size_t *ret_len)
{
    size_t left = channel->plain.len - channel->plain_at;
    size_t len = left < cap - *ret_len ? left : cap - *ret_len;
    memcpy(data + *ret_len, channel->plain.data + channel->plain_at, len);
    *ret_len += len;
    channel->plain_at += len;
    if (channel->plain_at == channel->plain.len) {
        mu_wipe(channel->plain.data, channel->plain.len);
        mu_buf_done(&channel->plain);
    }
}

static enum mutual_io read_records(struct mutual_session *session, uint8_t *data, size_t cap,
                                   size_t *ret_len, struct mutual_error *err)
{
    struct mu_channel *channel = session->channel;
    while (*ret_len < cap) {
        struct mu_slice record;
        err = *ret_len > 0 ? NULL : err; /* then it is told by the next call */
        if (channel->plain.len > 0) {
            take_plain(channel, data, cap, ret_len);
            continue;
        }
        if (channel->ended) {
            return MUTUAL_IO_END;
        }
        enum mutual_io io = find_record(session, &record, err);
        if (io != MUTUAL_IO_DONE) {
            return io;
        }
        /* what does not fit behind what there is, waits: it is opened once */
        if (*ret_len > 0 && record.len - MU_RECORD_HEAD - MU_RECORD_TAG > cap - *ret_len) {
            return MUTUAL_IO_DONE;
        }
        io = open_record(session, record, data + *ret_len, cap - *ret_len, ret_len, err);
        if (io != MUTUAL_IO_DONE) {
            return io;
        }
        if (mu_session_is_flooded(session)) {
            return mu_session_fail_flooded(session, err);
        }
    }
    return MUTUAL_IO_DONE;
}

static enum mutual_io channel_read(struct mutual_session *session, uint8_t *data, size_t cap,
                                   size_t *ret_len, struct mutual_error *err)
{
    enum mutual_io io = read_records(session, data, cap, ret_len, err);
    /* An answer that finds no room now goes before the next data, or with the next call. */
    if (session->stage == MU_STAGE_OPEN && session->channel->update_owed && !session->closed &&
        has_room(session, KEY_UPDATE_LEN) && !update_out(session)) {
        return fail_own(session, *ret_len > 0 ? NULL : err);
    }
    return io;
}

const struct mu_engine mu_engine_channel = {channel_read, channel_write, channel_close};
