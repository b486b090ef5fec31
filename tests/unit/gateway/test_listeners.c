/* SPDX-License-Identifier: Apache-2.0
 *
 * Accepting, pausing when all is taken, going on when somebody leaves.
 */
#include "fixture.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in address;

static void listen_here(void)
{
    struct mutual_error err = {0};
    const uint32_t services[] = {0};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    assert_ok(listeners_new(&home.worker, &home.generation, &fd, services, 1,
                            &home.worker.listeners, &err),
              &err);
    listeners_start(&home.worker.listeners);
}

static int arrive(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void turns(int count)
{
    for (int i = 0; i < count; i++) {
        fixture_turn();
    }
}

static void the_cap_of_a_service(void **state)
{
    (void)state; /* MUTUAL_E_CONNECTION_LIMIT */
    home.service.max = 2;
    listen_here();
    int first = arrive();
    int second = arrive();
    int third = arrive();
    turns(5);
    assert_int_equal(home.worker.slab.used, 2);
    assert_int_equal(home.worker.listeners.items[0].watch, EVENT_NO_WATCH);
    assert_true(fixture_logged("CONNECTION_LIMIT"));
    (void)close(first);
    fixture_until(home.service.meter->figures[METER_accepted] == 3);
    assert_int_equal(home.worker.slab.used, 2);
    (void)close(second);
    (void)close(third);
    fixture_until(home.worker.slab.used == 0);
}

static void the_cap_of_the_worker(void **state)
{
    (void)state;
    home.worker.max = 1;
    listen_here();
    int first = arrive();
    int second = arrive();
    turns(5);
    assert_int_equal(home.worker.slab.used, 1);
    assert_non_null(strstr(fixture_log(), "LimitNOFILE"));
    (void)close(first);
    fixture_until(home.service.meter->figures[METER_accepted] == 2);
    (void)close(second);
    fixture_until(home.worker.slab.used == 0);
}

static void a_listener_for_no_service(void **state)
{
    (void)state;
    struct mutual_error err;
    struct listeners listeners;
    const uint32_t services[] = {7};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_fails(listeners_new(&home.worker, &home.generation, &fd, services, 1, &listeners, &err),
                 &err, MUTUAL_E_MESSAGE_MALFORMED);
    assert_int_equal(close(fd), -1); /* it was taken, on failure too */
}

UNIT_MAIN(FIXTURE_CASE(the_cap_of_a_service), FIXTURE_CASE(the_cap_of_the_worker),
          FIXTURE_CASE(a_listener_for_no_service))
