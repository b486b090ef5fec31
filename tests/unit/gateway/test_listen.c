/* SPDX-License-Identifier: Apache-2.0
 *
 * Listening sockets: one for each worker where the kernel can share a port, loopback only where it
 * must be, refusals that name the address.
 */
#include "base/base.h"
#include "config/config.h"
#include "gateway/listen_internal.h"
#include "process/process.h"
#include "unit.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct mu_arena *arena;

static bool bind_to(const char *text, bool local_only, struct binding **ret_binding,
                    struct mutual_error *err)
{
    static struct systemd_sockets none;
    struct config_address written;
    arena = mu_arena_new(4096);
    assert_ok(config_address_parse(text, true, arena, &written, err), err);
    bool bound = binding_new(&written, local_only, 2, &none, ret_binding, err);
    mu_arena_free(arena);
    return bound;
}

static void workers_have_a_socket_each(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct binding *binding = NULL;
    assert_ok(bind_to("127.0.0.1:0", true, &binding, &err), &err);
    assert_int_equal(binding->count, 2);
    assert_true(binding_fd(binding, 0) != binding_fd(binding, 1));
    binding_unref(binding_ref(binding));
    binding_unref(binding);
}

static void who_is_accepted_does_not_wait_for_more(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct binding *binding = NULL;
    int no_delay = 0;
    socklen_t len = sizeof no_delay;
    assert_ok(bind_to("127.0.0.1:0", true, &binding, &err), &err);
    (void)close(binding->fds[1]); /* so that the kernel has no choice */
    binding->count = 1;
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(
        connect(client, (struct sockaddr *)&binding->address.socket, binding->address.len), 0);
    int accepted = accept4(binding_fd(binding, 0), NULL, NULL, SOCK_CLOEXEC);
    assert_int_not_equal(accepted, -1);
    assert_int_equal(getsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &no_delay, &len), 0);
    assert_true(no_delay != 0);
    (void)close(accepted);
    (void)close(client);
    binding_unref(binding);
}

static void a_taken_port_is_named(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    char path[] = "/tmp/mutual-listen-XXXXXX";
    assert_non_null(mkdtemp(path));
    char text[64];
    snprintf(text, sizeof text, "unix:%s/socket", path);
    struct binding *one = NULL;
    struct binding *two = NULL;
    assert_ok(bind_to(text, true, &one, &err), &err);
    assert_int_equal(one->count, 1);
    assert_fails(bind_to(text, true, &two, &err), &err, MUTUAL_E_ADDRESS_IN_USE);
    assert_non_null(strstr(err.reason, path));
    binding_unref(one); /* removes the socket */
    assert_int_equal(rmdir(path), 0);
}

static void plaintext_stays_on_this_machine(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct binding *binding = NULL;
    static const char *const beyond[] = {"0.0.0.0:0", "[::]:0", "192.0.2.1:1"};
    for (size_t i = 0; i < MU_COUNT(beyond); i++) {
        assert_fails(bind_to(beyond[i], true, &binding, &err), &err, MUTUAL_E_LISTEN_UNSAFE);
    }
    assert_fails(bind_to("192.0.2.1:1", false, &binding, &err), &err, MUTUAL_E_LISTEN_FAILED);
    assert_ok(bind_to("0.0.0.0:0", false, &binding, &err), &err);
    binding_unref(binding);
}

UNIT_MAIN(UNIT_CASE(workers_have_a_socket_each), UNIT_CASE(who_is_accepted_does_not_wait_for_more),
          UNIT_CASE(a_taken_port_is_named), UNIT_CASE(plaintext_stays_on_this_machine))
