/* SPDX-License-Identifier: Apache-2.0
 *
 * A server whose records are its own, and a pen that writes records as its client would, or as no
 * client should.
 */
#ifndef TESTS_UNIT_SESSION_CHANNEL_SUPPORT_H
#define TESTS_UNIT_SESSION_CHANNEL_SUPPORT_H

#include "session/channel_internal.h"
#include "tls_pair.h"

struct pen {
    struct tls_pair pair;
    struct mu_records *records;
    uint16_t suite;
    struct mu_direction out; /* what the server reads by  */
    struct mu_direction in;  /* what the server writes by */
};

static inline bool is_ours(const struct mutual_session *session)
{
    return session->engine == &mu_engine_channel && session->ssl == NULL;
}

/* The pair has talked, so the server's records are its own; the pen goes on where the client is. */
static inline void pen_init(struct pen *pen)
{
    memset(pen, 0, sizeof *pen);
    tls_pair_init(&pen->pair);
    tls_pair_open(&pen->pair);
    tls_pair_talk(&pen->pair);
    const struct mutual_session *server = pen->pair.server.session;
    assert_true(is_ours(server));
    pen->records = mu_records_new(NULL);
    assert_non_null(pen->records);
    pen->suite = server->channel->suite;
    pen->out = server->channel->in;
    pen->in = server->channel->out;
}

static inline void pen_done(struct pen *pen)
{
    mu_records_free(pen->records);
    tls_pair_done(&pen->pair);
}

/* A record of any inner type with `padding` zeros behind it. */
static inline void pen_write(struct pen *pen, uint8_t type, const void *data, size_t len,
                             size_t padding)
{
    static uint8_t inner[MU_RECORD_CIPHER], sealed[MU_RECORD_CIPHER + MU_RECORD_EXTRA];
    memset(inner, 0, sizeof inner);
    memcpy(inner, data, len);
    inner[len] = type;
    /* the last byte is the type as the sealer sees it: a zero, or ours when nothing follows it */
    uint8_t last = padding > 0 ? 0 : type;
    size_t content = padding > 0 ? len + padding : len;
    assert_true(mu_record_seal(pen->records, pen->suite, &pen->out, last, inner, content, sealed));
    assert_true(mu_buf_append(&pen->pair.client.out, sealed, content + MU_RECORD_EXTRA));
}

static inline void pen_data(struct pen *pen, const char *text)
{
    pen_write(pen, MU_CONTENT_DATA, text, strlen(text), 0);
}

/* Bytes as they are. */
static inline void pen_raw(struct pen *pen, const void *bytes, size_t len)
{
    assert_true(mu_buf_append(&pen->pair.client.out, bytes, len));
}

/* The server reads what was written; how many bytes of data come of it. */
static inline size_t pen_send(struct pen *pen, void *data, size_t cap)
{
    return tls_read(&pen->pair, &pen->pair.server, &pen->pair.client, data, cap);
}

static inline void assert_heard(struct pen *pen, const char *text)
{
    char heard[64] = "";
    size_t len = pen_send(pen, heard, sizeof heard);
    if (len != strlen(text) || memcmp(heard, text, len) != 0) {
        fail_msg("\"%s\" was heard, not \"%s\": %s", heard, text, pen->pair.server.err.reason);
    }
}

/* The server refuses what was written, by that code, and says so with that alert. */
static inline void assert_refused(struct pen *pen, enum mutual_code code, int alert)
{
    uint8_t data[64];
    struct tls_end *server = &pen->pair.server;
    struct mutual_session_info info;
    size_t len = pen_send(pen, data, sizeof data);
    if (len != 0 || server->io != MUTUAL_IO_FAILED || server->err.code != code) {
        fail_msg("%zu bytes, io %d, %s: %s", len, (int)server->io,
                 mutual_code_name(server->err.code), server->err.reason);
    }
    mutual_session_info(server->session, &info);
    assert_int_equal(info.alert_sent, alert);
    /* the alert itself, as the client's library reads it */
    assert_int_equal(tls_read(&pen->pair, &pen->pair.client, server, data, sizeof data), 0);
    mutual_session_info(pen->pair.client.session, &info);
    assert_int_equal(info.alert_received, alert);
    tls_write(&pen->pair, server, "x", 1);
    assert_int_equal(server->io, MUTUAL_IO_FAILED);
    assert_int_equal(server->err.code, code);
    pen_done(pen);
}

#endif
