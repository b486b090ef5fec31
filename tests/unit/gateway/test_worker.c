/* SPDX-License-Identifier: Apache-2.0
 *
 * The worker's own life: more listeners than one message holds, and a log nobody reads.
 */
#include "fixture.h"
#include "whole.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

static void more_listeners_than_a_message_holds(void **state)
{
    (void)state;
    enum { LISTENERS = 150 };
    MU_AUTO(buf) struct mu_buf listen;
    mu_buf_init(&listen, 65536);
    (void)mu_buf_text(&listen, "  - name: many\n    forward: unix:/nowhere\n    listen:\n");
    for (int i = 0; i < LISTENERS; i++) {
        (void)mu_buf_text(&listen, "      - 127.0.0.1:0\n");
    }
    (void)mu_buf_text(&listen, "    certificate: {chain: server.pem, key: server.key}\n"
                               "    clients: {mode: none}\n");
    whole_configure(mu_buf_str(&listen));
    whole_start("\"ready\"");
    whole_wait_for("inbound \\\"many\\\" listens on 127.0.0.1:", LISTENERS);
    assert_int_equal(whole_end(SIGTERM), 0);
}

static void lines_that_nobody_takes_are_counted(void **state)
{
    (void)state;
    int ends[2];
    static uint8_t much[65536];
    char got[256] = "";
    fixture_init();
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    while (write(ends[1], much, sizeof much) > 0) {
    }
    worker_log(&home.worker, MU_SLICE_LIT("one\n"));
    worker_log(&home.worker, MU_SLICE_LIT("two\n"));
    worker_log_flush(&home.worker);
    assert_int_equal(home.worker.log_lost, 2);
    while (read(ends[0], much, sizeof much) > 0) {
    }
    worker_log(&home.worker, MU_SLICE_LIT("three\n"));
    worker_log_flush(&home.worker);
    assert_int_equal(home.worker.log_lost, 0);
    assert_true(read(ends[0], got, sizeof got - 1) > 0);
    assert_non_null(strstr(got, "2 log lines could not be written"));
    assert_non_null(strstr(got, "three\n"));
    (void)close(ends[0]);
    (void)close(ends[1]);
    fixture_done();
}

/* Lines of one turn go together, but never more of them than a pipe takes whole. */
static void lines_of_a_turn_are_written_together(void **state)
{
    (void)state;
    enum { LEN = 900, LINES = 11 };
    int ends[2];
    static uint8_t line[LEN];
    static uint8_t got[2 * LEN * LINES];
    fixture_init();
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    for (unsigned i = 0; i < LINES; i++) {
        memset(line, (int)('a' + i), LEN);
        line[LEN - 1] = '\n';
        worker_log(&home.worker, mu_slice_of(line, LEN));
    }
    fixture_turn();
    for (unsigned at = 0; at < LINES;) {
        ssize_t n = read(ends[0], got, sizeof got);
        assert_true(n > 0 && n <= 4096 && n % LEN == 0);
        assert_true(n == 4 * LEN || at == 8);
        for (ssize_t k = 0; k < n; k += LEN, at++) {
            assert_int_equal(got[k], 'a' + at);
            assert_int_equal(got[k + LEN - 1], '\n');
        }
    }
    assert_int_equal(home.worker.log_lost, 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
    fixture_done();
}

static void whoever_is_let_in_can_be_dialled_for(void **state)
{
    (void)state;
    static const size_t limits[] = {0, 64, 1024, 4096, 20000, 1u << 20};
    for (size_t i = 0; i < MU_COUNT(limits); i++) {
        size_t few = worker_capacity(limits[i], 1);
        size_t many = worker_capacity(limits[i], 200);
        assert_true(few >= 16 && many >= 16 && few >= many);
        if (limits[i] >
            2000) { /* all of them, a full stock, and the listeners of two generations */
            assert_true(2 * many + 2 * 200 + STOCK_FAMILIES * STOCK_BATCH < limits[i]);
            assert_true(2 * few > limits[i] / 2);
        }
    }
}

WHOLE_MAIN(UNIT_CASE(whoever_is_let_in_can_be_dialled_for),
           WHOLE_CASE(more_listeners_than_a_message_holds),
           UNIT_CASE(lines_that_nobody_takes_are_counted),
           UNIT_CASE(lines_of_a_turn_are_written_together))
