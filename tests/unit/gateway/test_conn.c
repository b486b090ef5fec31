/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection's life: what it is let do when, and how it ends.
 */
#include "fixture.h"

#include <unistd.h>

static void the_straight_path(void **state)
{
    (void)state;
    struct knock client;
    char got[8] = "";
    knock_open(&client, home.client);
    assert_int_equal(fixture_conn()->stage, STAGE_HANDSHAKE);
    knock_shake(&client);
    assert_int_equal(client.io, MUTUAL_IO_DONE);
    int service = fixture_accept();
    fixture_until(fixture_conn()->stage == STAGE_RELAY);
    knock_write(&client, "ping", 4);
    fixture_until(read(service, got, sizeof got) == 4);
    assert_memory_equal(got, "ping", 4);
    assert_int_equal(write(service, "pong!", 5), 5);
    assert_int_equal(knock_read(&client, got, 5), 5);
    assert_memory_equal(got, "pong!", 5);
    knock_close(&client);
    (void)close(service);
    fixture_until(home.worker.slab.used == 0);
    assert_true(fixture_logged("admitted"));
    const uint64_t *figures = home.service.meter->figures;
    assert_int_equal(figures[METER_accepted], 1);
    assert_int_equal(figures[METER_admitted], 1);
    assert_int_equal(figures[METER_open], 0);
    assert_int_equal(figures[METER_bytes_in], 4);
    assert_int_equal(figures[METER_bytes_out], 5);
    knock_done(&client);
}

static void who_says_nothing_costs_little_and_is_timed_out(void **state)
{
    (void)state; /* MUTUAL_E_HANDSHAKE_TIMEOUT */
    struct knock client;
    home.inbound.timeouts.handshake_ns = 20 * MU_NS_PER_MS;
    knock_open(&client, home.client);
    assert_null(fixture_conn()->front.session);
    fixture_until(home.worker.slab.used == 0);
    assert_non_null(strstr(fixture_log(), "sent nothing"));
    assert_int_equal(home.service.meter->figures[METER_failed], 1);
    knock_done(&client);
}

static void who_is_refused_is_told_by_an_alert(void **state)
{
    (void)state;
    struct knock client;
    char got[4];
    knock_open(&client, NULL);
    knock_shake(&client); /* in TLS 1.3 the client believes that all is well */
    (void)knock_read(&client, got, 1);
    assert_int_equal(client.io, MUTUAL_IO_FAILED);
    assert_int_equal(client.err.code, MUTUAL_E_PEER_WANTS_CERT);
    assert_int_equal(home.service.meter->figures[METER_refused], 1);
    (void)close(client.fd);
    client.fd = -1;
    fixture_until(home.worker.slab.used == 0);
    assert_true(fixture_logged("no_client_cert"));
    knock_done(&client);
}

static void idle_ends_it_and_bytes_begin_anew(void **state)
{
    (void)state; /* MUTUAL_E_IDLE_TIMEOUT */
    struct knock client;
    home.inbound.timeouts.idle_ns = 60 * MU_NS_PER_MS;
    knock_open(&client, home.client);
    knock_shake(&client);
    int service = fixture_accept();
    for (int i = 0; i < 8; i++) {
        knock_write(&client, "x", 1);
        for (int turn = 0; turn < 2; turn++) {
            fixture_turn();
        }
    }
    assert_int_equal(fixture_conn()->stage, STAGE_RELAY);
    fixture_until(fixture_conn()->stage == STAGE_DRAIN);
    assert_int_equal(fixture_conn()->error->code, MUTUAL_E_IDLE_TIMEOUT);
    (void)close(service);
    knock_done(&client);
}

static void a_slot_is_another_connection_the_next_time(void **state)
{
    (void)state;
    struct knock first;
    struct knock second;
    knock_open(&first, home.client);
    struct conn *conn = fixture_conn();
    uint32_t generation = conn->generation;
    uint64_t number = conn->number;
    knock_done(&first);
    fixture_until(home.worker.slab.used == 0);
    knock_open(&second, home.client);
    assert_ptr_equal(fixture_conn(), conn);
    assert_int_equal(conn->generation, generation + 1);
    assert_int_equal(conn->number, number + 1);
    knock_done(&second);
}

static void the_first_reason_counts(void **state)
{
    (void)state; /* MUTUAL_E_DRAINING */
    struct knock client;
    struct mutual_error first = {0};
    struct mutual_error second = {0};
    (void)mu_fail(&first, MUTUAL_E_DRAINING, "first");
    (void)mu_fail(&second, MUTUAL_E_LIFETIME, "second");
    knock_open(&client, home.client);
    struct conn *conn = fixture_conn();
    conn_end(conn, &first);
    conn_end(conn, &second);
    fixture_until(home.worker.slab.used == 0);
    assert_true(fixture_logged("draining") && !fixture_logged("lifetime"));
    conn_end(conn, &second); /* whoever comes late finds a slot that is closed */
    knock_done(&client);
}

UNIT_MAIN(FIXTURE_CASE(the_straight_path),
          FIXTURE_CASE(who_says_nothing_costs_little_and_is_timed_out),
          FIXTURE_CASE(who_is_refused_is_told_by_an_alert),
          FIXTURE_CASE(idle_ends_it_and_bytes_begin_anew),
          FIXTURE_CASE(a_slot_is_another_connection_the_next_time),
          FIXTURE_CASE(the_first_reason_counts))
