/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/evidence.h"

#include "unit.h"

static struct evidence proved(void)
{
    return (struct evidence){.channel = EVIDENCE_MUTUAL,
                             .listener = "enroll/partners",
                             .address = "[2001:db8::1]:443",
                             .leaf = MU_SLICE_LIT("a certificate")};
}

static void whole(const struct evidence *evidence, struct mu_buf *out)
{
    struct mutual_error err = {0};
    mu_buf_init(out, EVIDENCE_HEAD + EVIDENCE_BODY);
    assert_ok(evidence_write(evidence, out, &err), &err);
}

static struct mu_slice body_of(const struct mu_buf *frame)
{
    struct mutual_error err = {0};
    size_t len = 0;
    assert_ok(evidence_head_read(frame->data, &len, &err), &err);
    assert_int_equal(len, frame->len - EVIDENCE_HEAD);
    return mu_slice_of(frame->data + EVIDENCE_HEAD, len);
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct evidence evidence = proved();
    struct evidence got;
    MU_AUTO(buf) struct mu_buf frame;
    whole(&evidence, &frame);
    assert_ok(evidence_body_read(body_of(&frame), &got, &err), &err);
    assert_int_equal(got.channel, EVIDENCE_MUTUAL);
    assert_string_equal(got.listener, "enroll/partners");
    assert_string_equal(got.address, "[2001:db8::1]:443");
    assert_true(mu_slice_equal_text(got.leaf, "a certificate"));
}

static void who_proved_nothing_has_no_certificate(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, EVIDENCE_BODY);
    struct evidence evidence = proved();
    evidence.channel = EVIDENCE_TLS;
    assert_fails(evidence_write(&evidence, &out, &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
    evidence.channel = EVIDENCE_PLAIN;
    assert_fails(evidence_write(&evidence, &out, &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
    evidence = proved();
    evidence.leaf.len = 0;
    assert_fails(evidence_write(&evidence, &out, &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
    evidence = proved();
    evidence.channel = EVIDENCE_CHANNEL_COUNT_;
    assert_fails(evidence_write(&evidence, &out, &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
    assert_int_equal(out.len, 0);
}

/* Every byte of it counts: whatever is cut off, put behind or turned over is refused or says
 * something that could have been written. */
static void what_is_damaged_is_refused(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct evidence evidence = proved();
    struct evidence got;
    MU_AUTO(buf) struct mu_buf frame;
    whole(&evidence, &frame);
    struct mu_slice body = body_of(&frame);
    for (size_t len = 0; len < body.len; len++) {
        assert_fails(evidence_body_read(mu_slice_of(body.data, len), &got, &err), &err,
                     MUTUAL_E_MESSAGE_MALFORMED);
    }
    assert_true(mu_buf_byte(&frame, 0));
    assert_fails(
        evidence_body_read(mu_slice_of(frame.data + EVIDENCE_HEAD, frame.len - EVIDENCE_HEAD), &got,
                           &err),
        &err, MUTUAL_E_MESSAGE_MALFORMED);
    frame.data[EVIDENCE_HEAD] = 2; /* another version */
    assert_fails(evidence_body_read(mu_slice_of(frame.data + EVIDENCE_HEAD, body.len), &got, &err),
                 &err, MUTUAL_E_MESSAGE_MALFORMED);
    frame.data[EVIDENCE_HEAD] = 1;
    frame.data[EVIDENCE_HEAD + 1] = EVIDENCE_TLS; /* with a certificate all the same */
    assert_fails(evidence_body_read(mu_slice_of(frame.data + EVIDENCE_HEAD, body.len), &got, &err),
                 &err, MUTUAL_E_MESSAGE_MALFORMED);
}

static void a_request_is_no_frame(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    size_t len = 0;
    static const char *const heads[] = {"GET / HT", "MUEV\0\0\0\0", "MUEV\xff\xff\xff\xff",
                                        "muev\0\0\0\x10"};
    for (size_t i = 0; i < MU_COUNT(heads); i++) {
        assert_fails(evidence_head_read((const uint8_t *)heads[i], &len, &err), &err,
                     MUTUAL_E_MESSAGE_MALFORMED);
    }
}

UNIT_MAIN(UNIT_CASE(what_is_written_is_read), UNIT_CASE(who_proved_nothing_has_no_certificate),
          UNIT_CASE(what_is_damaged_is_refused), UNIT_CASE(a_request_is_no_frame))
