/* SPDX-License-Identifier: Apache-2.0
 *
 * The windows on the wire: what is not consumed stays with the caller, an alert survives a full
 * window, an idle session holds no buffers, and a session keeps no pointer into them.
 */
#include "session/session_internal.h"
#include "tls_pair.h"

static void what_is_not_consumed_stays(void **state)
{
    (void)state;
    struct tls_pair pair;
    uint8_t data[4], out[64];
    size_t len = 0;
    tls_pair_init(&pair);
    tls_pair_open(&pair);
    tls_write(&pair, &pair.client, "abcd", 4);
    size_t record = pair.client.out.len;
    tls_write(&pair, &pair.client, "efgh", 4);
    struct mutual_wire wire = {.in = pair.client.out.data,
                               .in_len = pair.client.out.len,
                               .out = out,
                               .out_cap = sizeof out};
    assert_int_equal(
        mutual_session_read(pair.server.session, &wire, data, sizeof data, &len, &pair.server.err),
        MUTUAL_IO_DONE);
    assert_int_equal(len, 4);
    assert_int_equal(wire.in_len, record);
    assert_ptr_equal(wire.in, pair.client.out.data + record);
    tls_pair_done(&pair);
}

static void an_alert_survives_a_full_window(void **state)
{
    (void)state;
    for (size_t chunk = 0; chunk < 8; chunk++) {
        struct tls_pair pair;
        uint8_t out[8];
        static const uint8_t hello[] = "\x16\x03\x01\x00\x04\x0e\x00\x00\x00";
        tls_pair_init(&pair);
        tls_pair_start(&pair);
        struct mutual_wire wire = {
            .in = hello, .in_len = sizeof hello - 1, .out = out, .out_cap = chunk};
        assert_int_equal(mutual_session_handshake(pair.server.session, &wire, &pair.server.err),
                         MUTUAL_IO_FAILED);
        assert_int_equal(wire.out_len, chunk < 7 ? chunk : 7);
        wire.out_cap = 7;
        assert_int_equal(mutual_session_handshake(pair.server.session, &wire, &pair.server.err),
                         MUTUAL_IO_FAILED);
        assert_int_equal(wire.out_len, 7);
        assert_memory_equal(out, "\x15\x03\x03\x00\x02\x02\x0a", 7);
        tls_pair_done(&pair);
    }
}

static void a_write_takes_what_fits(void **state)
{
    (void)state;
    struct tls_pair pair;
    static uint8_t data[40000], out[20000];
    size_t len = 0;
    tls_pair_init(&pair);
    tls_pair_open(&pair);
    struct mutual_wire wire = {.out = out, .out_cap = sizeof out};
    assert_int_equal(
        mutual_session_write(pair.client.session, &wire, data, sizeof data, &len, &pair.client.err),
        MUTUAL_IO_DONE);
    assert_true(len > 16384 && len < sizeof out);
    assert_true(wire.out_len > sizeof out - 64);
    assert_int_equal(
        mutual_session_write(pair.client.session, &wire, data, sizeof data, &len, &pair.client.err),
        MUTUAL_IO_WANT_WRITE);
    tls_pair_done(&pair);
}

static void one_record_fits_the_window_we_name(void **state)
{
    (void)state;
    struct tls_pair pair;
    static uint8_t data[16384], out[MUTUAL_WIRE_RECORD];
    size_t len = 0;
    tls_pair_init(&pair);
    tls_pair_open(&pair);
    struct mutual_wire wire = {.out = out, .out_cap = sizeof out};
    assert_int_equal(
        mutual_session_write(pair.client.session, &wire, data, sizeof data, &len, &pair.client.err),
        MUTUAL_IO_DONE);
    assert_int_equal(len, sizeof data);
    tls_pair_done(&pair);
}

static void no_pointer_is_kept(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    tls_pair_open(&pair);
    assert_null(pair.server.session->wire);
    /* Whatever the library wants of the wire between calls, it waits. */
    uint8_t byte;
    size_t len = 0;
    assert_int_equal(SSL_read_ex(pair.server.session->ssl, &byte, 1, &len), 0);
    assert_int_equal(SSL_write_ex(pair.server.session->ssl, "x", 1, &len), 0);
    tls_pair_done(&pair);
}

UNIT_MAIN(UNIT_CASE(what_is_not_consumed_stays), UNIT_CASE(an_alert_survives_a_full_window),
          UNIT_CASE(a_write_takes_what_fits), UNIT_CASE(one_record_fits_the_window_we_name),
          UNIT_CASE(no_pointer_is_kept))
