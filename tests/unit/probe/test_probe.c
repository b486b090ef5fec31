/* SPDX-License-Identifier: Apache-2.0
 *
 * The probe against servers that do not speak TLS; those that do are tried in tests/interop.
 */
#include "listener.h"
#include "probe/probe_internal.h"

static struct probe *probe_of(uint16_t port, int64_t timeout_ns)
{
    static struct probe_options options;
    options = (struct probe_options){
        .host = "127.0.0.1", .port = port, .timeout_ns = timeout_ns, .listen_ns = MU_NS_PER_MS};
    struct probe *probe = NULL;
    struct mutual_error err = {0};
    assert_ok(probe_run(&options, &probe, &err), &err);
    return probe;
}

static void expect_end(struct probe *probe, enum mutual_code code, const char *hint)
{
    const struct mutual_error *error = mu_story_error(probe_story(probe));
    assert_false(probe_accepted(probe));
    assert_non_null(error);
    if (error->code != code || strstr(error->hint, hint) == NULL) {
        fail_msg("%s: %s (%s)", mutual_code_name(error->code), error->reason, error->hint);
    }
    assert_int_equal(mu_story_step(probe_story(probe)), MUTUAL_STEP_CONNECT);
    char text[4096];
    mutual_explain_text(probe_story(probe), text, sizeof text);
    assert_non_null(strstr(text, "at step 1 of 7"));
    probe_free(probe);
}

static void other_protocols_are_named(void **state)
{
    (void)state;
    struct listener listener;
    listener_open(&listener, MU_SLICE_LIT("SSH-2.0-OpenSSH_9.2\r\n"), false);
    expect_end(probe_of(listener.port, MU_NS_PER_S), MUTUAL_E_NOT_TLS, "an SSH server");
    listener_close(&listener);
    listener_open(&listener, MU_SLICE_LIT("HTTP/1.1 400 Bad Request\r\n\r\n"), false);
    expect_end(probe_of(listener.port, MU_NS_PER_S), MUTUAL_E_NOT_TLS, "a plain HTTP server");
    listener_close(&listener);
}

static void silence_and_absence_are_told(void **state)
{
    (void)state;
    struct listener listener;
    listener_open(&listener, mu_slice_of(NULL, 0), true);
    expect_end(probe_of(listener.port, 30 * MU_NS_PER_MS), MUTUAL_E_HANDSHAKE_TIMEOUT,
               "said nothing at all");
    listener_close(&listener);
    listener_open(&listener, mu_slice_of(NULL, 0), false);
    expect_end(probe_of(listener.port, MU_NS_PER_S), MUTUAL_E_PEER_CLOSED, "");
    listener_close(&listener);
    expect_end(probe_of(port_of_nobody(), MU_NS_PER_S), MUTUAL_E_CONNECT_FAILED, "");
}

static void old_versions_are_told(void **state)
{
    (void)state;
    static const uint8_t refusal[] = {21, 3, 1, 0, 2, 2, 70}; /* alert protocol_version */
    struct listener listener;
    listener_open(&listener, mu_slice_of(refusal, sizeof refusal), false);
    expect_end(probe_of(listener.port, MU_NS_PER_S), MUTUAL_E_PROTOCOL_OLD, "");
    listener_close(&listener);
}

static void a_name_that_is_none_is_refused(void **state)
{
    (void)state;
    const struct probe_options options = {.host = "no name!", .port = 1, .timeout_ns = 1};
    struct probe *probe = NULL;
    struct mutual_error err = {0};
    assert_fails(probe_run(&options, &probe, &err), &err, MUTUAL_E_NAME_MALFORMED);
    probe_free(NULL);
}

UNIT_MAIN(UNIT_CASE(other_protocols_are_named), UNIT_CASE(silence_and_absence_are_told),
          UNIT_CASE(old_versions_are_told), UNIT_CASE(a_name_that_is_none_is_refused))
