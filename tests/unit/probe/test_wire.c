/* SPDX-License-Identifier: Apache-2.0 */
#include "listener.h"
#include "probe/probe_internal.h"

static void a_closed_port_is_told(void **state)
{
    (void)state;
    MU_AUTO(probe_wire) struct probe_wire wire;
    struct mutual_error err = {0};
    assert_fails(probe_wire_open(&wire, "127.0.0.1", port_of_nobody(), MU_NS_PER_S, &err), &err,
                 MUTUAL_E_CONNECT_FAILED);
    assert_non_null(strstr(err.reason, "127.0.0.1:"));
}

static void a_name_without_address_is_told(void **state)
{
    (void)state;
    MU_AUTO(probe_wire) struct probe_wire wire;
    struct mutual_error err = {0};
    assert_fails(probe_wire_open(&wire, "not a name", 1, MU_NS_PER_S, &err), &err,
                 MUTUAL_E_RESOLVE_FAILED);
}

/* A step that wants to read until it saw `context` bytes. */
static enum mutual_io count_to(struct mutual_session *session, struct mutual_wire *window,
                               void *context, struct mutual_error *err)
{
    (void)session;
    (void)err;
    size_t *left = context;
    size_t taken = window->in_len < *left ? window->in_len : *left;
    window->in += taken;
    window->in_len -= taken;
    *left -= taken;
    if (*left > 0 && window->in_end) {
        return MUTUAL_IO_END;
    }
    if (window->out_len == 0 && window->in_len == 0) {
        window->out[window->out_len++] = 'x';
    }
    return *left > 0 ? MUTUAL_IO_WANT_READ : MUTUAL_IO_DONE;
}

static void bytes_come_and_the_first_are_kept(void **state)
{
    (void)state;
    struct listener listener;
    listener_open(&listener, MU_SLICE_LIT("SSH-2.0-test\r\n"), false);
    MU_AUTO(probe_wire) struct probe_wire wire;
    struct mutual_error err = {0};
    assert_ok(probe_wire_open(&wire, "127.0.0.1", listener.port, MU_NS_PER_S, &err), &err);
    size_t left = 14;
    int64_t deadline_ns = mu_clock_mono_ns() + MU_NS_PER_S;
    assert_int_equal(probe_wire_drive(&wire, NULL, count_to, &left, deadline_ns, &err),
                     MUTUAL_IO_DONE);
    assert_memory_equal(wire.head, "SSH-2.0-test\r\n", 14);
    left = 1;
    assert_int_equal(probe_wire_drive(&wire, NULL, count_to, &left, deadline_ns, &err),
                     MUTUAL_IO_END);
    listener_close(&listener);
}

static void silence_ends_at_the_deadline(void **state)
{
    (void)state;
    struct listener listener;
    listener_open(&listener, mu_slice_of(NULL, 0), true);
    MU_AUTO(probe_wire) struct probe_wire wire;
    struct mutual_error err = {0};
    assert_ok(probe_wire_open(&wire, "127.0.0.1", listener.port, MU_NS_PER_S, &err), &err);
    size_t left = 1;
    int64_t deadline_ns = mu_clock_mono_ns() + 20 * MU_NS_PER_MS;
    assert_int_equal(probe_wire_drive(&wire, NULL, count_to, &left, deadline_ns, &err),
                     MUTUAL_IO_WANT_READ);
    assert_true(mu_clock_mono_ns() >= deadline_ns);
    probe_wire_close(&wire);
    listener_close(&listener);
}

UNIT_MAIN(UNIT_CASE(a_closed_port_is_told), UNIT_CASE(a_name_without_address_is_told),
          UNIT_CASE(bytes_come_and_the_first_are_kept), UNIT_CASE(silence_ends_at_the_deadline))
