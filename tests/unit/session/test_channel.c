/* SPDX-License-Identifier: Apache-2.0
 *
 * Our own records after the handshake: every rule of RFC 8446 sections 4.6.3, 5 and 6, with a
 * client that keeps it and one that does not.
 */
#include "channel_support.h"

#include <openssl/evp.h>

enum { UNEXPECTED = 10, BAD_MAC = 20, OVERFLOW = 22, ILLEGAL = 47, DECODE = 50 };
enum { KEY_UPDATE = 24, FATAL = 2, WARNING = 1 };

/* ---- records --------------------------------------------------------------------------------- */

static void padding_is_taken_off(void **state)
{
    (void)state;
    struct pen pen;
    pen_init(&pen);
    pen_write(&pen, MU_CONTENT_DATA, "padded", 6, 1);
    assert_heard(&pen, "padded");
    pen_write(&pen, MU_CONTENT_DATA, "zeros\0\0", 7, 300);
    char heard[16] = "";
    assert_int_equal(pen_send(&pen, heard, sizeof heard), 7);
    assert_memory_equal(heard, "zeros\0\0", 7);
    pen_write(&pen, MU_CONTENT_DATA, "x", 1, MU_RECORD_PLAIN - 1);
    assert_heard(&pen, "x");
    pen_done(&pen);
}

static void a_changed_record_is_refused(void **state)
{
    (void)state;
    static const size_t places[] = {MU_RECORD_HEAD, MU_RECORD_HEAD + 2, MU_RECORD_HEAD + 20};
    for (size_t i = 0; i < MU_COUNT(places); i++) {
        struct pen pen;
        pen_init(&pen);
        pen_data(&pen, "data");
        pen.pair.client.out.data[places[i]] ^= 1;
        assert_refused(&pen, MUTUAL_E_BAD_RECORD, BAD_MAC);
    }
}

static void a_record_counts_once(void **state)
{
    (void)state;
    struct pen pen;
    uint8_t copy[64];
    pen_init(&pen);
    pen_data(&pen, "once");
    size_t len = pen.pair.client.out.len;
    memcpy(copy, pen.pair.client.out.data, len);
    assert_heard(&pen, "once");
    pen_raw(&pen, copy, len);
    assert_refused(&pen, MUTUAL_E_BAD_RECORD, BAD_MAC);
}

static void records_keep_their_order(void **state)
{
    (void)state;
    struct pen pen;
    pen_init(&pen);
    pen.out.count++;
    pen_data(&pen, "second");
    pen.out.count -= 2;
    pen_data(&pen, "first");
    assert_refused(&pen, MUTUAL_E_BAD_RECORD, BAD_MAC);
}

/* What came before a bad record was good, and is told before it. */
static void good_data_comes_before_the_refusal(void **state)
{
    (void)state;
    struct pen pen;
    uint8_t data[64];
    pen_init(&pen);
    pen_data(&pen, "good");
    pen_data(&pen, "bad");
    pen.pair.client.out.data[pen.pair.client.out.len - 1] ^= 1;
    struct mutual_wire wire = {.in = pen.pair.client.out.data, .in_len = pen.pair.client.out.len};
    size_t len = 0;
    struct mutual_session *server = pen.pair.server.session;
    assert_int_equal(mutual_session_read(server, &wire, data, sizeof data, &len, NULL),
                     MUTUAL_IO_DONE);
    assert_int_equal(len, 4);
    mu_buf_clear(&pen.pair.client.out);
    assert_refused(&pen, MUTUAL_E_BAD_RECORD, BAD_MAC);
}

static void only_encrypted_records_are_taken(void **state)
{
    (void)state;
    static const uint8_t plain[][8] = {
        {21, 3, 3, 0, 2, 2, 40},    /* an alert               */
        {20, 3, 3, 0, 1, 1},        /* a change of cipher     */
        {22, 3, 3, 0, 2, 24, 0, 0}, /* a handshake message    */
        {0, 3, 3, 0, 1, 1},
    };
    for (size_t i = 0; i < MU_COUNT(plain); i++) {
        struct pen pen;
        pen_init(&pen);
        pen_raw(&pen, plain[i], sizeof plain[i]);
        assert_refused(&pen, MUTUAL_E_PROTOCOL_VIOLATION, UNEXPECTED);
    }
}

static void lengths_are_bounded(void **state)
{
    (void)state;
    static const struct {
        uint16_t len;
        enum mutual_code code;
        int alert;
    } rows[] = {
        {MU_RECORD_CIPHER + 1, MUTUAL_E_PROTOCOL_VIOLATION, OVERFLOW},
        {UINT16_MAX, MUTUAL_E_PROTOCOL_VIOLATION, OVERFLOW},
        {MU_RECORD_TAG, MUTUAL_E_BAD_RECORD, BAD_MAC},
        {0, MUTUAL_E_BAD_RECORD, BAD_MAC},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) { /* by the header alone */
        struct pen pen;
        uint8_t head[MU_RECORD_HEAD] = {MU_CONTENT_DATA, 3, 3};
        mu_put_be16(head + 3, rows[i].len);
        pen_init(&pen);
        pen_raw(&pen, head, sizeof head);
        assert_refused(&pen, rows[i].code, rows[i].alert);
    }
}

/* A record that our own sealer would never make: `len` bytes of inner plaintext, any length. */
static void seal_by_hand(struct pen *pen, const uint8_t *inner, size_t len)
{
    static uint8_t record[MU_RECORD_HEAD + MU_RECORD_CIPHER];
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t nonce[12];
    int done = 0;
    assert_int_equal(pen->suite, 0x1301);
    memcpy(nonce, pen->out.iv, sizeof nonce);
    nonce[11] ^= (uint8_t)pen->out.count++;
    memcpy(record, "\x17\3\3", 3);
    mu_put_be16(record + 3, (uint16_t)(len + MU_RECORD_TAG));
    assert_int_equal(EVP_EncryptInit(ctx, EVP_aes_128_gcm(), pen->out.key, nonce), 1);
    assert_int_equal(EVP_EncryptUpdate(ctx, NULL, &done, record, MU_RECORD_HEAD), 1);
    assert_int_equal(EVP_EncryptUpdate(ctx, record + 5, &done, inner, (int)len), 1);
    assert_int_equal(EVP_EncryptFinal(ctx, record + 5 + len, &done), 1);
    assert_int_equal(
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, MU_RECORD_TAG, record + 5 + len), 1);
    EVP_CIPHER_CTX_free(ctx);
    pen_raw(pen, record, len + MU_RECORD_HEAD + MU_RECORD_TAG);
}

/* RFC 8446 section 5.4: padding may not make more of it than the longest content takes. */
static void content_is_bounded(void **state)
{
    (void)state;
    static const size_t beyond[] = {1, MU_RECORD_CIPHER - MU_RECORD_TAG - MU_RECORD_INNER};
    static uint8_t inner[MU_RECORD_CIPHER], heard[MU_RECORD_PLAIN];
    memset(inner, 'x', MU_RECORD_PLAIN);
    inner[MU_RECORD_PLAIN] = MU_CONTENT_DATA;
    for (size_t i = 0; i < MU_COUNT(beyond); i++) {
        struct pen pen;
        pen_init(&pen);
        seal_by_hand(&pen, inner, MU_RECORD_INNER);
        assert_int_equal(pen_send(&pen, heard, sizeof heard), sizeof heard);
        assert_memory_equal(heard, inner, sizeof heard);
        seal_by_hand(&pen, inner, MU_RECORD_INNER + beyond[i]);
        assert_refused(&pen, MUTUAL_E_PROTOCOL_VIOLATION, OVERFLOW);
    }
}

static void only_three_kinds_are_known(void **state)
{
    (void)state;
    static const uint8_t kinds[] = {0, 1, MU_CONTENT_CHANGE_CIPHER, 25, 255};
    for (size_t i = 0; i < MU_COUNT(kinds); i++) {
        struct pen pen;
        pen_init(&pen);
        pen_write(&pen, kinds[i], "\0\0", 2, 0);
        assert_refused(&pen, MUTUAL_E_PROTOCOL_VIOLATION, UNEXPECTED);
    }
}

static void the_end_of_the_wire_is_no_end(void **state)
{
    (void)state;
    for (size_t cut = 0; cut < 3; cut++) {
        struct pen pen;
        uint8_t data[8];
        size_t len = 0;
        struct mutual_error err = {0};
        pen_init(&pen);
        pen_data(&pen, "cut off");
        static const size_t left[] = {0, 3, 12};
        struct mutual_wire wire = {
            .in = pen.pair.client.out.data, .in_len = left[cut], .in_end = true};
        assert_int_equal(
            mutual_session_read(pen.pair.server.session, &wire, data, sizeof data, &len, &err),
            MUTUAL_IO_FAILED);
        assert_int_equal(err.code, MUTUAL_E_TRUNCATED);
        pen_done(&pen);
    }
}

static void records_come_in_any_pieces(void **state)
{
    (void)state;
    for (size_t chunk = 1; chunk < 40; chunk += chunk < 4 ? 1 : 7) {
        struct pen pen;
        pen_init(&pen);
        pen.pair.chunk = chunk;
        pen_data(&pen, "in pieces");
        pen_write(&pen, MU_CONTENT_DATA, " of any size", 12, 40);
        assert_heard(&pen, "in pieces of any size");
        assert_null(pen.pair.server.session->channel->partial.data);
        pen_done(&pen);
    }
}

static void little_room_loses_nothing(void **state)
{
    (void)state;
    struct pen pen;
    char heard[64] = "";
    pen_init(&pen);
    pen_data(&pen, "longer than the room");
    pen_data(&pen, ", twice");
    for (size_t len = 0; len < 27;) {
        size_t more = pen_send(&pen, heard + len, 3);
        assert_in_range(more, 1, 3);
        len += more;
    }
    assert_string_equal(heard, "longer than the room, twice");
    assert_null(pen.pair.server.session->channel->plain.data);
    pen_done(&pen);
}

static void nothing_is_kept_while_idle(void **state)
{
    (void)state;
    struct pen pen;
    pen_init(&pen);
    const struct mu_channel *channel = pen.pair.server.session->channel;
    assert_null(channel->partial.data);
    assert_null(channel->plain.data);
    assert_null(channel->sealed.data);
    pen_done(&pen);
}

/* ---- floods ---------------------------------------------------------------------------------- */

static void records_without_data_are_bounded(void **state)
{
    (void)state;
    static const size_t paddings[] = {0, 200};
    for (size_t i = 0; i < MU_COUNT(paddings); i++) {
        struct pen pen;
        uint8_t data[8];
        pen_init(&pen);
        for (unsigned n = 0; n < MU_LIMIT_QUIET_MESSAGES; n++) {
            pen_write(&pen, MU_CONTENT_DATA, "", 0, paddings[i]);
        }
        pen_data(&pen, "fine");
        assert_heard(&pen, "fine");
        pen_write(&pen, MU_CONTENT_DATA, "", 0, paddings[i]);
        assert_int_equal(pen_send(&pen, data, sizeof data), 0);
        assert_int_equal(pen.pair.server.io, MUTUAL_IO_FAILED);
        assert_int_equal(pen.pair.server.err.code, MUTUAL_E_PROTOCOL_VIOLATION);
        pen_done(&pen);
    }
}

static void key_updates_are_bounded(void **state)
{
    (void)state;
    struct pen pen;
    uint8_t data[8];
    pen_init(&pen);
    for (unsigned n = 0; n <= MU_LIMIT_QUIET_MESSAGES; n++) {
        pen_write(&pen, MU_CONTENT_HANDSHAKE, "\x18\0\0\1\0", 5, 0);
        assert_true(mu_direction_update(pen.records, pen.suite, &pen.out));
    }
    assert_int_equal(pen_send(&pen, data, sizeof data), 0);
    assert_int_equal(pen.pair.server.err.code, MUTUAL_E_PROTOCOL_VIOLATION);
    assert_non_null(strstr(pen.pair.server.err.reason, "sent 33 messages without data"));
    pen_done(&pen);
}

/* ---- messages -------------------------------------------------------------------------------- */

static void a_key_update_changes_the_key(void **state)
{
    (void)state;
    static const size_t cuts[] = {0, 1, 4};
    for (size_t i = 0; i < MU_COUNT(cuts); i++) { /* whole, and cut over two records */
        struct pen pen;
        pen_init(&pen);
        if (cuts[i] > 0) {
            pen_write(&pen, MU_CONTENT_HANDSHAKE, "\x18\0\0\1\0", cuts[i], 0);
        }
        pen_write(&pen, MU_CONTENT_HANDSHAKE, &"\x18\0\0\1\0"[cuts[i]], 5 - cuts[i], 3);
        assert_true(mu_direction_update(pen.records, pen.suite, &pen.out));
        pen_data(&pen, "under a new key");
        assert_heard(&pen, "under a new key");
        assert_memory_equal(pen.pair.server.session->channel->out.secret, pen.in.secret, 48);
        pen_done(&pen);
    }
}

static void the_old_key_is_gone(void **state)
{
    (void)state;
    struct pen pen;
    pen_init(&pen);
    pen_write(&pen, MU_CONTENT_HANDSHAKE, "\x18\0\0\1\0", 5, 0);
    pen_data(&pen, "under the old key");
    assert_refused(&pen, MUTUAL_E_BAD_RECORD, BAD_MAC);
}

/* What the server wrote next, opened with the pen's keys. */
static size_t next_written(struct pen *pen, uint8_t *inner)
{
    struct mu_buf *wire = &pen->pair.server.out;
    assert_true(wire->len >= MU_RECORD_HEAD);
    size_t len = MU_RECORD_HEAD + mu_get_be16(wire->data + 3);
    assert_true(wire->len >= len);
    assert_true(
        mu_record_open(pen->records, pen->suite, &pen->in, mu_slice_of(wire->data, len), inner));
    mu_buf_consume(wire, len);
    return len - MU_RECORD_HEAD - MU_RECORD_TAG;
}

static void a_request_is_answered_once(void **state)
{
    (void)state;
    struct pen pen;
    uint8_t inner[64];
    uint8_t data[8];
    pen_init(&pen);
    pen_write(&pen, MU_CONTENT_HANDSHAKE, "\x18\0\0\1\1", 5, 0);
    assert_true(mu_direction_update(pen.records, pen.suite, &pen.out));
    pen_write(&pen, MU_CONTENT_HANDSHAKE, "\x18\0\0\1\1", 5, 0);
    assert_true(mu_direction_update(pen.records, pen.suite, &pen.out));
    assert_int_equal(pen_send(&pen, data, sizeof data), 0);
    assert_int_equal(next_written(&pen, inner), 6);
    assert_memory_equal(inner, "\x18\0\0\1\0\x16", 6);
    assert_int_equal(pen.pair.server.out.len, 0);
    assert_true(mu_direction_update(pen.records, pen.suite, &pen.in));
    tls_write(&pen.pair, &pen.pair.server, "new", 3);
    assert_int_equal(next_written(&pen, inner), 4);
    assert_memory_equal(inner, "new\x17", 4);
    pen_done(&pen);
}

static void an_answer_without_room_goes_before_the_next_data(void **state)
{
    (void)state;
    struct pen pen;
    uint8_t inner[64];
    uint8_t data[8];
    size_t len = 0;
    pen_init(&pen);
    pen_write(&pen, MU_CONTENT_HANDSHAKE, "\x18\0\0\1\1", 5, 0);
    struct mutual_wire wire = {.in = pen.pair.client.out.data, .in_len = pen.pair.client.out.len};
    assert_int_equal(
        mutual_session_read(pen.pair.server.session, &wire, data, sizeof data, &len, NULL),
        MUTUAL_IO_WANT_READ);
    tls_write(&pen.pair, &pen.pair.server, "new", 3);
    assert_int_equal(next_written(&pen, inner), 6);
    assert_memory_equal(inner, "\x18\0\0\1\0\x16", 6);
    assert_true(mu_direction_update(pen.records, pen.suite, &pen.in));
    assert_int_equal(next_written(&pen, inner), 4);
    assert_memory_equal(inner, "new\x17", 4);
    pen_done(&pen);
}

static void a_key_is_not_used_for_ever(void **state)
{
    (void)state;
    struct pen pen;
    uint8_t inner[64];
    pen_init(&pen);
    pen.pair.server.session->channel->out.count = MU_CHANNEL_RECORDS_MAX - 1;
    pen.in.count = MU_CHANNEL_RECORDS_MAX - 1;
    tls_write(&pen.pair, &pen.pair.server, "last", 4);
    tls_write(&pen.pair, &pen.pair.server, "first", 5);
    assert_int_equal(next_written(&pen, inner), 5);
    assert_int_equal(next_written(&pen, inner), 6);
    assert_memory_equal(inner, "\x18\0\0\1\0\x16", 6);
    assert_true(mu_direction_update(pen.records, pen.suite, &pen.in));
    assert_int_equal(next_written(&pen, inner), 6);
    assert_memory_equal(inner, "first\x17", 6);
    assert_int_equal(pen.pair.server.session->channel->out.count, 1);
    pen_done(&pen);
}

static void other_messages_have_no_place(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        size_t len;
        int alert;
    } rows[] = {
        {"\x01\0\0\0", 4, UNEXPECTED},       /* ClientHello                 */
        {"\x04\0\0\0", 4, UNEXPECTED},       /* NewSessionTicket            */
        {"\x0b\0\0\0", 4, UNEXPECTED},       /* Certificate, not asked for  */
        {"\x0d\0\0\0", 4, UNEXPECTED},       /* CertificateRequest          */
        {"\x14\0\0\x20", 4, UNEXPECTED},     /* Finished                    */
        {"", 0, UNEXPECTED},                 /* nothing                     */
        {"\x18\0\0\1\2", 5, ILLEGAL},        /* KeyUpdate of no known kind  */
        {"\x18\0\0\0", 4, DECODE},           /* ... too short               */
        {"\x18\0\0\2\0\0", 6, ILLEGAL},      /* ... too long                */
        {"\x18\1\0\1\0", 5, ILLEGAL},        /* ... much too long           */
        {"\x18\0\0\1\0\x18", 6, UNEXPECTED}, /* ... not at a record's end   */
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct pen pen;
        pen_init(&pen);
        pen_write(&pen, MU_CONTENT_HANDSHAKE, rows[i].message, rows[i].len, 0);
        assert_refused(&pen, MUTUAL_E_PROTOCOL_VIOLATION, rows[i].alert);
    }
}

static void a_cut_message_is_not_mixed(void **state)
{
    (void)state;
    static const uint8_t kinds[] = {MU_CONTENT_DATA, MU_CONTENT_ALERT};
    for (size_t i = 0; i < MU_COUNT(kinds); i++) {
        struct pen pen;
        pen_init(&pen);
        pen_write(&pen, MU_CONTENT_HANDSHAKE, "\x18\0", 2, 0);
        pen_write(&pen, kinds[i], "\1\0", 2, 0);
        assert_refused(&pen, MUTUAL_E_PROTOCOL_VIOLATION, UNEXPECTED);
    }
}

/* ---- alerts ---------------------------------------------------------------------------------- */

static void alerts_are_named(void **state)
{
    (void)state;
    for (uint8_t level = WARNING; level <= FATAL; level++) { /* section 6: levels are ignored */
        struct pen pen;
        uint8_t data[8];
        struct mutual_session_info info;
        const uint8_t alert[] = {level, 45};
        pen_init(&pen);
        pen_write(&pen, MU_CONTENT_ALERT, alert, sizeof alert, 0);
        assert_int_equal(pen_send(&pen, data, sizeof data), 0);
        assert_int_equal(pen.pair.server.err.code, MUTUAL_E_PEER_ALERT);
        assert_non_null(strstr(pen.pair.server.err.reason, "refused our certificate \"db\""));
        mutual_session_info(pen.pair.server.session, &info);
        assert_int_equal(info.alert_received, 45);
        assert_int_equal(info.alert_sent, -1);
        assert_int_equal(pen.pair.server.out.len, 0);
        pen_done(&pen);
    }
}

static void an_alert_has_two_bytes(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 4; len++) {
        if (len != 2) {
            struct pen pen;
            pen_init(&pen);
            pen_write(&pen, MU_CONTENT_ALERT, "\2\50\2\50", len, 0);
            assert_refused(&pen, MUTUAL_E_PROTOCOL_VIOLATION, UNEXPECTED);
        }
    }
}

static void goodbye_is_the_end(void **state)
{
    (void)state;
    struct pen pen;
    uint8_t data[8];
    pen_init(&pen);
    pen_data(&pen, "last");
    pen_write(&pen, MU_CONTENT_ALERT, "\1\0", 2, 0);
    pen_data(&pen, "never heard");
    assert_heard(&pen, "last");
    for (int again = 0; again < 2; again++) {
        assert_int_equal(pen_send(&pen, data, sizeof data), 0);
        assert_int_equal(pen.pair.server.io, MUTUAL_IO_END);
    }
    tls_write(&pen.pair, &pen.pair.server, "still said", 10);
    char heard[16] = "";
    assert_int_equal(tls_read(&pen.pair, &pen.pair.client, &pen.pair.server, (uint8_t *)heard, 16),
                     10);
    tls_close(&pen.pair, &pen.pair.server);
    size_t len = pen.pair.server.out.len;
    assert_true(len > 0);
    tls_close(&pen.pair, &pen.pair.server);
    assert_int_equal(pen.pair.server.out.len, len); /* once */
    tls_write(&pen.pair, &pen.pair.server, "x", 1);
    assert_int_equal(pen.pair.server.err.code, MUTUAL_E_USAGE);
    pen_done(&pen);
}

static void a_change_of_mind_is_no_end(void **state)
{
    (void)state;
    struct pen pen;
    pen_init(&pen);
    pen_write(&pen, MU_CONTENT_ALERT, "\1\132", 2, 0); /* user_canceled */
    pen_data(&pen, "on");
    assert_heard(&pen, "on");
    pen_done(&pen);
}

/* ---- the gate -------------------------------------------------------------------------------- */

static void a_pass_that_ends_ends_the_data(void **state)
{
    (void)state;
    for (int withdrawn = 0; withdrawn < 2; withdrawn++) {
        struct pen pen;
        uint8_t data[8];
        pen_init(&pen);
        pen_data(&pen, "too late");
        if (withdrawn != 0) {
            mutual_pass_withdraw(pen.pair.server.session->verdict.pass);
        } else {
            pen.pair.now_s += 400 * PKI_DAY_S;
        }
        assert_int_equal(pen_send(&pen, data, sizeof data), 0);
        assert_int_equal(pen.pair.server.err.code, MUTUAL_E_PASS_EXPIRED);
        tls_write(&pen.pair, &pen.pair.server, "x", 1);
        assert_int_equal(pen.pair.server.err.code, MUTUAL_E_PASS_EXPIRED);
        assert_int_equal(pen.pair.server.out.len, 0);
        pen_done(&pen);
    }
}

static void a_verdict_that_falls_ends_the_data(void **state)
{
    (void)state;
    struct pen pen;
    uint8_t data[8];
    pen_init(&pen);
    struct mutual_policy *nobody = tls_policy("another-service");
    struct mutual_rules rules = pen.pair.server.rules;
    rules.policy = nobody;
    assert_false(mu_session_admit_by(pen.pair.server.session, &rules, pen.pair.now_s)->allowed);
    pen_data(&pen, "refused");
    assert_int_equal(pen_send(&pen, data, sizeof data), 0);
    assert_int_equal(pen.pair.server.err.code, MUTUAL_E_POLICY_DENIED);
    assert_true(mutual_session_admit(pen.pair.server.session, pen.pair.now_s)->allowed);
    assert_heard(&pen, "refused");
    mutual_policy_unref(nobody);
    pen_done(&pen);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    struct pen pen;
    uint8_t data[8];
    pen_init(&pen);
    pen.pair.chunk = 10;
    pen_data(&pen, "in pieces");
    mu_alloc_fail_after(1);
    assert_int_equal(pen_send(&pen, data, sizeof data), 0);
    mu_alloc_fail_after(0);
    assert_int_equal(pen.pair.server.io, MUTUAL_IO_FAILED);
    pen_done(&pen);
}

UNIT_MAIN(UNIT_CASE(padding_is_taken_off), UNIT_CASE(a_changed_record_is_refused),
          UNIT_CASE(a_record_counts_once), UNIT_CASE(records_keep_their_order),
          UNIT_CASE(good_data_comes_before_the_refusal),
          UNIT_CASE(only_encrypted_records_are_taken), UNIT_CASE(lengths_are_bounded),
          UNIT_CASE(content_is_bounded), UNIT_CASE(only_three_kinds_are_known),
          UNIT_CASE(the_end_of_the_wire_is_no_end), UNIT_CASE(records_come_in_any_pieces),
          UNIT_CASE(little_room_loses_nothing), UNIT_CASE(nothing_is_kept_while_idle),
          UNIT_CASE(records_without_data_are_bounded), UNIT_CASE(key_updates_are_bounded),
          UNIT_CASE(a_key_update_changes_the_key), UNIT_CASE(the_old_key_is_gone),
          UNIT_CASE(a_request_is_answered_once),
          UNIT_CASE(an_answer_without_room_goes_before_the_next_data),
          UNIT_CASE(a_key_is_not_used_for_ever), UNIT_CASE(other_messages_have_no_place),
          UNIT_CASE(a_cut_message_is_not_mixed), UNIT_CASE(alerts_are_named),
          UNIT_CASE(an_alert_has_two_bytes), UNIT_CASE(goodbye_is_the_end),
          UNIT_CASE(a_change_of_mind_is_no_end), UNIT_CASE(a_pass_that_ends_ends_the_data),
          UNIT_CASE(a_verdict_that_falls_ends_the_data), UNIT_CASE(memory_may_run_out))
