/* SPDX-License-Identifier: Apache-2.0
 *
 * Reaching the service behind: addresses in turn, and every way not to reach it.
 */
#include "fixture.h"

#include <netinet/in.h>
#include <unistd.h>

static struct address nowhere(void)
{
    struct config_address written = {.kind = CONFIG_ADDRESS_UNIX,
                                     .path = "/tmp/mutual-there-is-nothing"};
    struct address address;
    assert_true(address_literal(&written, &address));
    return address;
}

static void the_next_address_is_tried(void **state)
{
    (void)state;
    struct knock client;
    struct address good = home.service.targets.items[0];
    home.service.targets = (struct targets){.items = {nowhere(), nowhere(), good}, .count = 3};
    knock_open(&client, home.client);
    knock_shake(&client);
    int service = fixture_accept();
    fixture_until(fixture_conn()->stage == STAGE_RELAY);
    (void)close(service);
    knock_done(&client);
}

static void ends_with(const char *reason, const char *words)
{
    struct knock client;
    char got[4];
    knock_open(&client, home.client);
    knock_shake(&client);
    assert_int_equal(knock_read(&client, got, 1), 0);
    (void)close(client.fd);
    client.fd = -1;
    fixture_until(home.worker.slab.used == 0);
    assert_true(fixture_logged(reason));
    assert_non_null(strstr(fixture_log(), words));
    assert_int_equal(home.service.meter->figures[METER_unreachable], 1);
    knock_done(&client);
}

static void nobody_there(void **state)
{
    (void)state; /* MUTUAL_E_BACKEND_DOWN */
    home.service.targets.items[0] = nowhere();
    ends_with("upstream_down", "could not connect to");
}

static void no_address_at_all(void **state)
{
    (void)state; /* MUTUAL_E_RESOLVE_FAILED */
    home.service.targets.count = 0;
    ends_with("resolve_failed", "has no address");
}

static void no_answer_in_time(void **state)
{
    (void)state; /* MUTUAL_E_BACKEND_DOWN, for the parent sends no sockets in time */
    home.inbound.timeouts.connect_ns = 30 * MU_NS_PER_MS;
    stock_done(&home.worker.stock);
    ends_with("upstream_down", "did not answer in time");
}

static void a_socket_that_comes_late_is_waited_for(void **state)
{
    (void)state;
    struct knock client;
    stock_done(&home.worker.stock);
    knock_open(&client, home.client);
    knock_shake(&client);
    assert_int_equal(fixture_conn()->stage, STAGE_DIAL);
    assert_non_null(fixture_conn()->queue);
    fixture_stock(1);
    conn_queue_wake(&home.worker.stock.families[2].waiting);
    int service = fixture_accept();
    fixture_until(fixture_conn()->stage == STAGE_RELAY);
    (void)close(service);
    knock_done(&client);
}

/* An outbound target that cannot be reached, seen by its local client: broken off, not ended. */
static void outbound_ends_with(enum mutual_code code)
{
    int ends[2];
    char byte;
    struct mutual_error err = {0};
    struct sockaddr_storage peer = {.ss_family = AF_UNIX};
    home.outbound = (struct config_outbound){
        .name = "db", .connect = {.text = "nowhere"}, .timeouts = home.inbound.timeouts};
    home.facts.inbound = NULL;
    home.facts.outbound = &home.outbound;
    home.facts.rules.side = MUTUAL_SIDE_CLIENT;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    assert_ok(conn_open(&home.service, ends[1], &peer, &err), &err);
    fixture_until(home.worker.slab.used == 0);
    char word[64];
    (void)snprintf(word, sizeof word, "%s", mutual_code_name(code));
    for (char *at = word; *at != '\0'; at++) {
        *at = *at >= 'A' && *at <= 'Z' ? (char)(*at - 'A' + 'a') : *at;
    }
    assert_true(fixture_logged(word));
    assert_true(read(ends[0], &byte, 1) <= 0);
    (void)close(ends[0]);
}

static void outbound_nobody_there(void **state)
{
    (void)state;
    home.service.targets.items[0] = nowhere();
    outbound_ends_with(MUTUAL_E_CONNECT_FAILED);
}

static void outbound_no_answer_in_time(void **state)
{
    (void)state;
    home.inbound.timeouts.connect_ns = 30 * MU_NS_PER_MS;
    stock_done(&home.worker.stock);
    outbound_ends_with(MUTUAL_E_CONNECT_TIMEOUT);
}

UNIT_MAIN(FIXTURE_CASE(the_next_address_is_tried), FIXTURE_CASE(nobody_there),
          FIXTURE_CASE(no_address_at_all), FIXTURE_CASE(no_answer_in_time),
          FIXTURE_CASE(a_socket_that_comes_late_is_waited_for), FIXTURE_CASE(outbound_nobody_there),
          FIXTURE_CASE(outbound_no_answer_in_time))
