/* SPDX-License-Identifier: Apache-2.0
 *
 * Reload: whole or not at all.
 */
#include "whole.h"

#include <signal.h>

static void a_good_one_is_used(void **state)
{
    (void)state;
    whole_start("\"ready\"");
    whole_configure("    alpn: postgresql\n");
    assert_int_equal(kill(whole.pid, SIGHUP), 0);
    whole_wait_for("\"reloaded\"", 1);
    assert_int_equal(kill(whole.pid, SIGUSR1), 0);
    whole_wait_for("\"reloaded\"", 2);
    assert_int_equal(whole_end(SIGTERM), 0);
}

static void is_refused(const char *word)
{
    int before = 0;
    for (const char *at = whole_log(); (at = strstr(at, "reload_refused")) != NULL; at++) {
        before++;
    }
    assert_int_equal(kill(whole.pid, SIGHUP), 0);
    whole_wait_for("reload_refused", before + 1);
    assert_non_null(strstr(whole_log(), "RELOAD_REFUSED")); /* MUTUAL_E_RELOAD_REFUSED */
    if (strstr(whole_log(), word) == NULL) {
        fail_msg("the log does not say %s: %s", word, whole_log());
    }
}

static void a_bad_one_changes_nothing(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf status;
    struct mutual_error err = {0};
    mu_buf_init(&status, 1u << 20);
    whole_start("\"ready\"");
    whole_write("mutual.yaml", "version: [", 0600);
    is_refused("did not find expected node content");
    whole_configure("");
    const struct pki *other = pki_stranger("other");
    whole_write("server.key", pki_key_pem(other), 0600);
    is_refused("KEY_MISMATCH");
    assert_ok(gateway_status_read(whole.control, &status, &err), &err);
    assert_non_null(strstr(mu_buf_str(&status), "\"code\":\"KEY_MISMATCH\""));
    assert_non_null(strstr(mu_buf_str(&status), "\"status\":\"serving\""));
    whole_write("server.key", pki_key_pem(whole.server), 0600);
    assert_int_equal(kill(whole.pid, SIGHUP), 0);
    whole_wait_for("\"reloaded\"", 1);
}

static void told_twice_at_once(void **state)
{
    (void)state;
    whole_start("\"ready\"");
    whole_configure("    alpn: one\n");
    for (int i = 0; i < 5; i++) {
        assert_int_equal(kill(whole.pid, SIGHUP), 0);
    }
    whole_wait_for("\"reloaded\"", 1);
    assert_int_equal(whole_end(SIGTERM), 0);
    assert_null(strstr(whole_log(), "REFUSED"));
}

WHOLE_MAIN(WHOLE_CASE(a_good_one_is_used), WHOLE_CASE(a_bad_one_changes_nothing),
           WHOLE_CASE(told_twice_at_once))
