/* SPDX-License-Identifier: Apache-2.0
 *
 * A socket with a TLS session on it: handshake, more than the socket holds, goodbye; and a wire
 * that is cut.
 */
#include <string.h>
#include <sys/socket.h>

#include "http/http_internal.h"
#include "tls_pair.h"
#include "unit.h"

enum { LOAD = 1 << 20 };

struct line {
    struct tls_pair pair;
    struct http_wire client;
    struct http_wire server;
};

static struct mutual_error err;

static int setup(void **state)
{
    struct line *line = mu_alloc(1, sizeof *line);
    int ends[2];
    tls_pair_init(&line->pair);
    tls_pair_shake(&line->pair); /* makes the contexts */
    http_wire_init(&line->client);
    http_wire_init(&line->server);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0) {
        return -1;
    }
    line->client.fd = ends[0];
    line->server.fd = ends[1];
    *state = line;
    return 0;
}

static int teardown(void **state)
{
    struct line *line = *state;
    http_wire_done(&line->client);
    http_wire_done(&line->server);
    tls_pair_done(&line->pair);
    mu_free(line);
    return 0;
}

static void shake(struct line *line)
{
    enum mutual_io a = MUTUAL_IO_WANT_READ;
    enum mutual_io b = MUTUAL_IO_WANT_READ;
    line->client.session = mutual_session_new(line->pair.client.context, &err);
    line->server.session = mutual_session_new(line->pair.server.context, &err);
    for (int i = 0; i < 20 && (a != MUTUAL_IO_DONE || b != MUTUAL_IO_DONE); i++) {
        a = a == MUTUAL_IO_DONE ? a : http_wire_handshake(&line->client, &err);
        b = b == MUTUAL_IO_DONE ? b : http_wire_handshake(&line->server, &err);
    }
    assert_int_equal(a, MUTUAL_IO_DONE);
    assert_int_equal(b, MUTUAL_IO_DONE);
    assert_true(mutual_session_admit(line->client.session, line->pair.now_s)->allowed);
    assert_true(mutual_session_admit(line->server.session, line->pair.now_s)->allowed);
}

static void carry(struct http_wire *from, struct http_wire *to)
{
    MU_AUTO(buf) struct mu_buf load;
    static uint8_t got[LOAD];
    size_t have = 0;
    enum mutual_io sent = MUTUAL_IO_WANT_WRITE;
    mu_buf_init(&load, LOAD);
    for (unsigned i = 0; i < LOAD; i++) {
        (void)mu_buf_byte(&load, (uint8_t)(i * 7 + i / 251));
    }
    for (int i = 0; i < 10000 && (have < LOAD || sent != MUTUAL_IO_DONE); i++) {
        size_t n = 0;
        sent = http_wire_write(from, &load, &err);
        assert_true(sent == MUTUAL_IO_DONE || sent == MUTUAL_IO_WANT_WRITE);
        enum mutual_io io = http_wire_read(to, got + have, LOAD - have, &n, &err);
        have += io == MUTUAL_IO_DONE ? n : 0;
    }
    assert_int_equal(have, LOAD);
    for (unsigned i = 0; i < LOAD; i++) {
        assert_int_equal(got[i], (uint8_t)(i * 7 + i / 251));
    }
}

static void everything_gets_through(void **state)
{
    struct line *line = *state;
    uint8_t byte;
    size_t n = 0;
    shake(line);
    carry(&line->client, &line->server);
    carry(&line->server, &line->client);
    http_wire_goodbye(&line->client);
    assert_int_equal(http_wire_read(&line->server, &byte, 1, &n, &err), MUTUAL_IO_END);
}

static void a_wire_that_is_cut_is_told_from_one_that_ends(void **state)
{
    struct line *line = *state;
    uint8_t byte;
    size_t n = 0;
    shake(line);
    (void)shutdown(line->client.fd, SHUT_WR);
    err = (struct mutual_error){0};
    assert_int_equal(http_wire_read(&line->server, &byte, 1, &n, &err), MUTUAL_IO_FAILED);
    assert_int_equal(err.code, MUTUAL_E_TRUNCATED);
}

static void plain_bytes_go_both_ways(void **state)
{
    struct line *line = *state;
    uint8_t byte;
    size_t n = 0;
    carry(&line->client, &line->server);
    carry(&line->server, &line->client);
    (void)shutdown(line->client.fd, SHUT_WR);
    assert_int_equal(http_wire_read(&line->server, &byte, 1, &n, &err), MUTUAL_IO_END);
    http_wire_close(&line->server);
    MU_AUTO(buf) struct mu_buf load;
    mu_buf_init(&load, 16);
    (void)mu_buf_text(&load, "x");
    assert_int_equal(http_wire_write(&line->client, &load, &err), MUTUAL_IO_FAILED);
    assert_int_equal(err.code, MUTUAL_E_PEER_RESET);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_gets_through, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wire_that_is_cut_is_told_from_one_that_ends, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(plain_bytes_go_both_ways, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
