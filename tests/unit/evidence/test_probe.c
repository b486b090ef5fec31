/* SPDX-License-Identifier: Apache-2.0
 *
 * Challenges between the authority and the parent: what could be one, and nothing else.
 */
#include "evidence/evidence.h"

#include "unit.h"

static struct evidence_probe good(void)
{
    return (struct evidence_probe){.id = 7,
                                   .method = EVIDENCE_HTTP_01,
                                   .name = "web.example.org",
                                   .token = "To-ken_1",
                                   .authorization = "To-ken_1.Thumb-print_2"};
}

static bool round_trip(const struct evidence_probe *probe, struct evidence_probe *ret,
                       struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf bytes;
    mu_buf_init(&bytes, 4096);
    evidence_probe_write(probe, &bytes);
    return evidence_probe_read(mu_buf_slice(&bytes), ret, err);
}

static void a_challenge_goes_and_comes(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct evidence_probe probe = good();
    struct evidence_probe got;
    MU_AUTO(buf) struct mu_buf bytes;
    mu_buf_init(&bytes, 4096);
    assert_ok(round_trip(&probe, &got, &err), &err);
    assert_memory_equal(&probe, &got, sizeof got);
    probe.address = true;
    (void)snprintf(probe.name, sizeof probe.name, "2001:db8::1");
    assert_ok(round_trip(&probe, &got, &err), &err);
    evidence_probe_write(&probe, &bytes);
    for (size_t len = 0; len < bytes.len; len++) {
        assert_fails(evidence_probe_read(mu_slice_of(bytes.data, len), &got, &err), &err,
                     MUTUAL_E_MESSAGE_MALFORMED);
    }
}

/* A process that was taken over asks for what no challenge would. */
static void nothing_else_is_a_challenge(void **state)
{
    (void)state;
    static const struct {
        bool address;
        enum evidence_method method;
        const char *name, *token, *authorization;
    } rows[] = {
        {false, EVIDENCE_HTTP_01, "", "t", "t.x"},
        {false, EVIDENCE_HTTP_01, "127.0.0.1", "t", "t.x"},
        {false, EVIDENCE_HTTP_01, ".example.org", "t", "t.x"},
        {false, EVIDENCE_HTTP_01, "example.org.", "t", "t.x"},
        {false, EVIDENCE_HTTP_01, "a..example.org", "t", "t.x"},
        {false, EVIDENCE_HTTP_01, "user@example.org", "t", "t.x"},
        {false, EVIDENCE_HTTP_01, "example.org:22", "t", "t.x"},
        {false, EVIDENCE_HTTP_01, "example.org/x", "t", "t.x"},
        {false, EVIDENCE_HTTP_01, "*.example.org", "t", "t.x"},
        {false, EVIDENCE_HTTP_01, "Example.org", "t", "t.x"},
        {true, EVIDENCE_HTTP_01, "example.org", "t", "t.x"},
        {true, EVIDENCE_HTTP_01, "10.0.0.1/8", "t", "t.x"},
        {true, EVIDENCE_DNS_01, "192.0.2.1", "t", "t.x"},
        {false, EVIDENCE_METHODS_, "example.org", "t", "t.x"},
        {false, EVIDENCE_HTTP_01, "example.org", "", "t.x"},
        {false, EVIDENCE_HTTP_01, "example.org", "../etc", "t.x"},
        {false, EVIDENCE_HTTP_01, "example.org", "t?x", "t.x"},
        {false, EVIDENCE_HTTP_01, "example.org", "t", ""},
        {false, EVIDENCE_HTTP_01, "example.org", "t", "t.x\r"},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct mutual_error err = {0};
        struct evidence_probe probe = good();
        struct evidence_probe got;
        probe.address = rows[i].address;
        probe.method = rows[i].method;
        (void)snprintf(probe.name, sizeof probe.name, "%s", rows[i].name);
        (void)snprintf(probe.token, sizeof probe.token, "%s", rows[i].token);
        (void)snprintf(probe.authorization, sizeof probe.authorization, "%s",
                       rows[i].authorization);
        assert_fails(round_trip(&probe, &got, &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
    }
}

static void outcomes_go_and_come(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct mutual_error none = {0};
    struct mutual_error why = {0};
    struct mutual_error got = {0};
    uint64_t id = 0;
    MU_AUTO(buf) struct mu_buf bytes;
    mu_buf_init(&bytes, 4096);
    evidence_probed_write(9, &none, &bytes);
    assert_ok(evidence_probed_read(mu_buf_slice(&bytes), &id, &got, &err), &err);
    assert_int_equal(id, 9);
    assert_int_equal(got.code, MUTUAL_OK);
    (void)mu_fail(&why, MUTUAL_E_ACME_VALIDATION, "another answer");
    mu_buf_clear(&bytes);
    evidence_probed_write(10, &why, &bytes);
    assert_ok(evidence_probed_read(mu_buf_slice(&bytes), &id, &got, &err), &err);
    assert_int_equal(got.code, MUTUAL_E_ACME_VALIDATION);
    assert_string_equal(got.reason, "another answer");
    assert_fails(evidence_probed_read(mu_slice_of(bytes.data, 9), &id, &got, &err), &err,
                 MUTUAL_E_MESSAGE_MALFORMED);
}

UNIT_MAIN(UNIT_CASE(a_challenge_goes_and_comes), UNIT_CASE(nothing_else_is_a_challenge),
          UNIT_CASE(outcomes_go_and_come))
