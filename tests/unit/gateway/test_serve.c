/* SPDX-License-Identifier: Apache-2.0
 *
 * The parent's life: start, signals, end.
 */
#include "whole.h"

#include <signal.h>
#include <stdlib.h>

static void it_starts_serves_and_ends(void **state)
{
    (void)state;
    whole_start("\"ready\"");
    assert_non_null(strstr(whole_log(), "inbound \\\"db\\\" listens on unix:"));
    assert_int_equal(whole_end(SIGTERM), 0);
    assert_non_null(strstr(whole_log(), "draining"));
    assert_int_equal(access(whole.listen, F_OK), -1); /* tidied up */
}

static void a_killed_child_is_replaced_and_told(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf before;
    struct mutual_error err = {0};
    mu_buf_init(&before, 1u << 20);
    whole_start("\"ready\"");
    assert_ok(gateway_status_read(whole.control, &before, &err), &err);
    const char *keys = strstr(mu_buf_str(&before), "\"role\":\"keys\"");
    assert_non_null(keys);
    const char *pid = strstr(keys, "\"pid\":");
    assert_int_equal(kill((pid_t)strtol(pid + 6, NULL, 10), SIGKILL), 0);
    whole_wait_for("PROCESS_DIED", 1); /* MUTUAL_E_PROCESS_DIED */
    for (int i = 0; i < 400; i++) {
        MU_AUTO(buf) struct mu_buf now;
        mu_buf_init(&now, 1u << 20);
        assert_ok(gateway_status_read(whole.control, &now, &err), &err);
        if (strstr(mu_buf_str(&now), "\"ok\":true") != NULL) {
            return;
        }
        (void)usleep(10000);
    }
    fail_msg("it does not become well again: %s", whole_log());
}

static void what_is_wrong_ends_it_before_it_serves(void **state)
{
    (void)state;
    whole_write("server.key", "nonsense", 0600);
    whole_start("start_failed");
    assert_int_not_equal(whole_end(0), 0);
    assert_non_null(strstr(whole_log(), "server.key"));
}

static void a_configuration_that_cannot_be(void **state)
{
    (void)state;
    whole_write("mutual.yaml", "version: 1\ninbuond: []\n", 0600);
    whole_start("start_failed");
    assert_int_not_equal(whole_end(0), 0);
    assert_non_null(strstr(whole_log(), "inbuond"));
}

WHOLE_MAIN(WHOLE_CASE(it_starts_serves_and_ends), WHOLE_CASE(a_killed_child_is_replaced_and_told),
           WHOLE_CASE(what_is_wrong_ends_it_before_it_serves),
           WHOLE_CASE(a_configuration_that_cannot_be))
