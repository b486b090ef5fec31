/* SPDX-License-Identifier: Apache-2.0
 *
 * Data through OpenSSL's own records, where they are left to it. What holds for any record layer is
 * tried in test_session.c and test_attacks.c, which run over both.
 */
#include "channel_support.h"

static void init(struct tls_pair *pair, bool tls12)
{
    tls_pair_init(pair);
    pair->server.options.library_records = true;
    pair->client.tls12 = tls12;
    tls_pair_open(pair);
}

static void data_goes_both_ways(void **state)
{
    (void)state;
    for (int tls12 = 0; tls12 < 2; tls12++) {
        struct tls_pair pair;
        init(&pair, tls12 != 0);
        for (int i = 0; i < 10; i++) {
            tls_pair_talk(&pair);
        }
        assert_ptr_equal(pair.server.session->engine, &mu_engine_library);
        tls_pair_done(&pair);
    }
}

/* A write that blocked in the middle of a record goes on with the same bytes. */
static void a_record_may_wait_for_room(void **state)
{
    (void)state;
    static uint8_t sent[5000], heard[5000], out[100];
    struct tls_pair pair;
    init(&pair, false);
    memset(sent, 'x', sizeof sent);
    size_t taken = 0;
    while (taken < sizeof sent) {
        struct mutual_wire wire = {.out = out, .out_cap = sizeof out};
        size_t len = 0;
        enum mutual_io io = mutual_session_write(pair.server.session, &wire, sent + taken,
                                                 sizeof sent - taken, &len, NULL);
        assert_true(io == MUTUAL_IO_DONE || io == MUTUAL_IO_WANT_WRITE);
        assert_true(mu_buf_append(&pair.server.out, out, wire.out_len));
        taken += len;
    }
    assert_int_equal(tls_read(&pair, &pair.client, &pair.server, heard, sizeof heard),
                     sizeof heard);
    assert_memory_equal(sent, heard, sizeof sent);
    tls_pair_done(&pair);
}

static void goodbye_is_said_once(void **state)
{
    (void)state;
    struct tls_pair pair;
    init(&pair, false);
    tls_close(&pair, &pair.server);
    size_t len = pair.server.out.len;
    assert_true(len > 0);
    tls_close(&pair, &pair.server);
    assert_int_equal(pair.server.out.len, len);
    tls_pair_done(&pair);
}

UNIT_MAIN(UNIT_CASE(data_goes_both_ways), UNIT_CASE(a_record_may_wait_for_room),
          UNIT_CASE(goodbye_is_said_once))
