/* SPDX-License-Identifier: Apache-2.0
 *
 * From the library's record layer to ours, once a handshake of TLS 1.3 is over and the peer was
 * admitted. In a lean context the traffic secrets, and keys and nonces from them, are heard where
 * they are derived (x509/hkdf.c); in any other the secrets come by the key log callback, as text,
 * which costs a tenth of a resumed handshake. They go into the channel and nowhere else. Where each
 * direction stands is counted twice, by records and by messages. Whatever does not fit leaves the
 * connection with the library.
 */
#include "session/channel_internal.h"

#include <string.h>

/* ---- secrets --------------------------------------------------------------------------------- */

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The number of bytes, 0 when it is no secret of a length that we know. */
static size_t read_secret(const char *text, uint8_t out[48])
{
    size_t len = strlen(text) / 2;
    if (len != 32 && len != 48) {
        return 0;
    }
    for (size_t i = 0; i < len; i++) {
        int high = digit(text[2 * i]);
        int low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return 0;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return len;
}

/* The part of the line after "LABEL random ", or NULL when it is of another label. */
static const char *secret_of(const char *line, const char *label)
{
    size_t len = strlen(label);
    const char *random = strncmp(line, label, len) == 0 && line[len] == ' ' ? line + len + 1 : NULL;
    const char *end = random == NULL ? NULL : strchr(random, ' ');
    return end == NULL ? NULL : end + 1;
}

static void keep_secret(struct mutual_session *session, struct mu_slice secret,
                        enum mu_secret which)
{
    if (session->channel == NULL) {
        session->channel = mu_alloc(1, sizeof *session->channel);
    }
    struct mu_channel *channel = session->channel;
    if (channel == NULL) {
        return;
    }
    struct mu_direction *direction = which == MU_SECRET_IN ? &channel->in : &channel->out;
    bool known = (channel->secrets & which) != 0; /* a second one: nothing that we know of */
    if (known || (secret.len != 32 && secret.len != 48) ||
        (channel->secrets != 0 && secret.len != channel->secret_len)) {
        channel->secrets |= MU_SECRET_STRANGE;
        return;
    }
    memcpy(direction->secret, secret.data, secret.len);
    channel->secret_len = (uint8_t)secret.len;
    channel->secrets |= (uint8_t)which;
    direction->count = 0;
}

static bool comes_from(const struct mu_channel *channel, const struct mu_direction *direction,
                       enum mu_secret which, struct mu_slice from)
{
    return (channel->secrets & which) != 0 && from.len == channel->secret_len &&
           CRYPTO_memcmp(direction->secret, from.data, from.len) == 0;
}

/* What does not fit is left alone: it will be derived from the secret. */
static uint8_t keep_part(uint8_t *part, size_t size, struct mu_slice heard)
{
    if (heard.len > size) {
        return 0;
    }
    memcpy(part, heard.data, heard.len);
    return (uint8_t)heard.len;
}

static void keep_key(struct mu_channel *channel, const struct mu_hkdf_heard *heard)
{
    bool in = comes_from(channel, &channel->in, MU_SECRET_IN, heard->from);
    bool out = comes_from(channel, &channel->out, MU_SECRET_OUT, heard->from);
    struct mu_direction *direction = in ? &channel->in : &channel->out;
    if (!in && !out) {
        return; /* of the handshake's traffic */
    }
    if (mu_slice_equal_text(heard->label, "key")) {
        direction->key_len = keep_part(direction->key, sizeof direction->key, heard->out);
    } else {
        direction->iv_len = keep_part(direction->iv, sizeof direction->iv, heard->out);
    }
}

void mu_handover_hear(void *owner, const struct mu_hkdf_heard *heard)
{
    struct mutual_session *session = owner;
    if (mu_slice_equal_text(heard->label, "c ap traffic")) {
        keep_secret(session, heard->out, MU_SECRET_IN);
    } else if (mu_slice_equal_text(heard->label, "s ap traffic")) {
        keep_secret(session, heard->out, MU_SECRET_OUT);
    } else if (session->channel != NULL) {
        keep_key(session->channel, heard);
    }
}

void mu_handover_secret(const SSL *ssl, const char *line)
{
    struct mutual_session *session = SSL_get_app_data(ssl);
    const char *in = secret_of(line, "CLIENT_TRAFFIC_SECRET_0");
    const char *out = secret_of(line, "SERVER_TRAFFIC_SECRET_0");
    if (session == NULL || (in == NULL && out == NULL)) {
        return;
    }
    uint8_t secret[48];
    size_t len = read_secret(in != NULL ? in : out, secret);
    keep_secret(session, mu_slice_of(secret, len), in != NULL ? MU_SECRET_IN : MU_SECRET_OUT);
    mu_wipe(secret, sizeof secret);
}

/* ---- where the directions stand -------------------------------------------------------------- */

void mu_handover_record(struct mutual_session *session, bool write)
{
    struct mu_channel *channel = session->channel;
    if (channel == NULL || session->engine != &mu_engine_library) {
        return;
    }
    if (write && (channel->secrets & MU_SECRET_OUT) != 0) {
        channel->out.count++;
    } else if (!write && (channel->secrets & MU_SECRET_IN) != 0) {
        channel->in.count++;
    }
}

void mu_handover_message(struct mutual_session *session, bool write)
{
    struct mu_channel *channel = session->channel;
    if (channel != NULL && write && (channel->secrets & MU_SECRET_OUT) != 0) {
        channel->tickets = (uint8_t)(channel->tickets + (channel->tickets < UINT8_MAX));
    }
}

/* Nothing was read under the traffic key, all that was written under it were our tickets, each a
 * record, and nothing lies about in the library. */
static bool is_certain(const struct mutual_session *session)
{
    const struct mu_channel *channel = session->channel;
    SSL *ssl = session->ssl;
    return channel->secrets == (MU_SECRET_IN | MU_SECRET_OUT) && channel->in.count == 0 &&
           channel->out.count == channel->tickets && channel->tickets < UINT8_MAX &&
           SSL_is_init_finished(ssl) == 1 && SSL_has_pending(ssl) == 0 &&
           SSL_get_shutdown(ssl) == 0 && session->write_retry == 0 &&
           session->quiet_messages == 0 && session->alert_in < 0 && session->alert_out < 0;
}

static bool find_suite(struct mutual_session *session)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(session->ssl);
    uint16_t suite = cipher == NULL ? 0 : SSL_CIPHER_get_protocol_id(cipher);
    size_t len = mu_suite_secret_len(suite);
    session->channel->suite = suite;
    return len == session->channel->secret_len && mu_records_can(session->context->records, suite);
}

/* The key may have been heard beside its secret. */
static bool key_direction(const struct mutual_session *session, struct mu_direction *direction)
{
    uint64_t count = direction->count;
    bool made = mu_direction_is_keyed(direction, session->channel->suite) ||
                mu_direction_key(session->context->records, session->channel->suite, direction);
    direction->count = count;
    return made;
}

void mu_handover_try(struct mutual_session *session)
{
    if (session->channel == NULL || session->engine != &mu_engine_library) {
        return;
    }
    if (!is_certain(session) || !find_suite(session) ||
        !key_direction(session, &session->channel->in) ||
        !key_direction(session, &session->channel->out)) {
        mu_channel_free(MU_TAKE(session->channel), session->context->records);
        return;
    }
    session->said = mu_info_said(session);
    session->shown = mu_shown_identity(session);
    mu_buf_done(&session->peer_cert);
    session->engine = &mu_engine_channel;
    mu_library_done(session, true);
}
