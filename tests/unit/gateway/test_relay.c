/* SPDX-License-Identifier: Apache-2.0
 *
 * The relay: opened with a pass only, both directions, back-pressure, ends of every kind.
 */
#include "fixture.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int open_relay(struct knock *client)
{
    knock_open(client, home.client);
    knock_shake(client);
    int service = fixture_accept();
    fixture_until(fixture_conn()->stage == STAGE_RELAY);
    return service;
}

static void without_a_pass_it_stays_shut(void **state)
{
    (void)state;
    struct mutual_error err;
    struct knock client;
    knock_open(&client, home.client);
    knock_shake(&client);
    assert_fails(relay_open(fixture_conn(), NULL, &err), &err, MUTUAL_E_PASS_EXPIRED);
    knock_done(&client);
}

static void each_direction_ends_by_itself(void **state)
{
    (void)state;
    struct knock client;
    char got[16];
    int service = open_relay(&client);
    knock_write(&client, "bye", 3);
    knock_close(&client);
    fixture_until(read(service, got, sizeof got) == 3);
    fixture_until(read(service, got, sizeof got) == 0); /* the end came through */
    assert_int_equal(write(service, "later", 5), 5);    /* the other way is still open */
    assert_int_equal(knock_read(&client, got, 5), 5);
    (void)close(service);
    assert_int_equal(knock_read(&client, got, 1), 0);
    assert_int_equal(client.io, MUTUAL_IO_END);
    fixture_until(home.worker.slab.used == 0);
    assert_true(fixture_logged("admitted"));
    knock_done(&client);
}

static void a_slow_reader_holds_the_writer_back(void **state)
{
    (void)state;
    struct knock client;
    static uint8_t block[65536];
    size_t poured = 0;
    int service = open_relay(&client);
    for (int i = 0; i < 400; i++) {
        ssize_t n = send(service, block, sizeof block, MSG_DONTWAIT | MSG_NOSIGNAL);
        poured += n > 0 ? (size_t)n : 0;
        fixture_turn();
        if (n <= 0 && i > 20) {
            break;
        }
    }
    assert_true(poured < 4u << 20); /* sockets' buffers and one block, not what was offered */
    assert_true(home.worker.pool->used <= 2);
    uint8_t *got = malloc(poured);
    assert_non_null(got);
    assert_int_equal(knock_read(&client, got, poured), poured);
    fixture_until(home.worker.pool->used == 0); /* an idle connection holds none */
    free(got);
    (void)close(service);
    knock_done(&client);
}

static void without_a_spare_block_it_goes_on_in_sips(void **state)
{
    (void)state;
    struct knock client;
    char got[4];
    struct block *taken[8];
    int service = open_relay(&client);
    for (size_t i = 0; i < MU_COUNT(taken); i++) {
        taken[i] = pool_take(home.worker.pool);
        assert_non_null(taken[i]);
    }
    assert_false(pool_has(home.worker.pool));
    knock_write(&client, "ping", 4);
    fixture_until(read(service, got, sizeof got) == 4); /* the socket was ready: none was needed */
    assert_int_equal(home.worker.pool->gulp, POOL_READ);
    for (size_t i = 0; i < MU_COUNT(taken); i++) {
        worker_give_block(&home.worker, taken[i]);
    }
    (void)close(service);
    knock_done(&client);
}

static void a_service_that_breaks_off(void **state)
{
    (void)state; /* MUTUAL_E_BACKEND_RESET */
    struct knock client;
    char got[4];
    int service = open_relay(&client);
    knock_write(&client, "x", 1);
    fixture_turn();
    (void)close(service); /* with a byte unread: a UNIX socket says ECONNRESET */
    assert_int_equal(knock_read(&client, got, 1), 0);
    assert_int_equal(client.err.code, MUTUAL_E_TRUNCATED); /* no end that could pass for whole */
    (void)close(client.fd);
    client.fd = -1;
    fixture_until(home.worker.slab.used == 0);
    assert_true(fixture_logged("backend_reset"));
    assert_int_equal(home.service.meter->figures[METER_broken], 1);
    knock_done(&client);
}

static void a_client_that_ends_without_goodbye(void **state)
{
    (void)state;
    struct knock client;
    char got[4] = "";
    int service = open_relay(&client);
    knock_write(&client, "half", 4);
    (void)close(client.fd);
    client.fd = -1;
    fixture_until(home.worker.slab.used == 0);
    assert_int_equal(read(service, got, sizeof got), 4); /* what was sent is passed on ... */
    assert_true(fixture_logged("truncated"));            /* ... and what was not is told */
    (void)close(service);
    knock_done(&client);
}

static void the_greatest_age(void **state)
{
    (void)state; /* MUTUAL_E_LIFETIME */
    struct knock client;
    home.inbound.timeouts.lifetime_ns = 50 * MU_NS_PER_MS;
    int service = open_relay(&client);
    fixture_until(fixture_conn() == NULL || fixture_conn()->stage == STAGE_DRAIN);
    (void)close(client.fd);
    client.fd = -1;
    fixture_until(home.worker.slab.used == 0);
    assert_true(fixture_logged("lifetime"));
    (void)close(service);
    knock_done(&client);
}

UNIT_MAIN(FIXTURE_CASE(without_a_pass_it_stays_shut), FIXTURE_CASE(each_direction_ends_by_itself),
          FIXTURE_CASE(a_slow_reader_holds_the_writer_back),
          FIXTURE_CASE(without_a_spare_block_it_goes_on_in_sips),
          FIXTURE_CASE(a_service_that_breaks_off), FIXTURE_CASE(a_client_that_ends_without_goodbye),
          FIXTURE_CASE(the_greatest_age))
