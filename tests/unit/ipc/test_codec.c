/* SPDX-License-Identifier: Apache-2.0
 *
 * Fields of messages: there and back, and every way of not decoding.
 */
#include <stdio.h>

#include "ipc/ipc.h"
#include "unit.h"

static struct mutual_error err;

static void fields_come_back(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf buf;
    mu_buf_init(&buf, 1000);
    ipc_put_u8(&buf, 1);
    ipc_put_u16(&buf, 0x0203);
    ipc_put_u32(&buf, 0x04050607);
    ipc_put_u64(&buf, UINT64_C(0x08090a0b0c0d0e0f));
    ipc_put_bytes(&buf, MU_SLICE_LIT("ab\0c"));
    ipc_put_text(&buf, "text");
    ipc_put_text(&buf, NULL);
    assert_false(buf.failed);
    struct ipc_reader reader = ipc_reader_of(mu_buf_slice(&buf));
    char text[5];
    assert_int_equal(ipc_get_u8(&reader), 1);
    assert_int_equal(ipc_get_u16(&reader), 0x0203);
    assert_int_equal(ipc_get_u32(&reader), 0x04050607);
    assert_true(ipc_get_u64(&reader) == UINT64_C(0x08090a0b0c0d0e0f));
    assert_true(mu_slice_equal(ipc_get_bytes(&reader, 4), MU_SLICE_LIT("ab\0c")));
    ipc_get_text(&reader, text, sizeof text);
    assert_string_equal(text, "text");
    ipc_get_text(&reader, text, sizeof text);
    assert_string_equal(text, "");
    assert_ok(ipc_reader_end(&reader, "a test", &err), &err);
}

static void what_does_not_fit_fails(void **state)
{
    (void)state;
    char text[5] = "old";
    struct ipc_reader reader = ipc_reader_of(MU_SLICE_LIT("\0\0\0"));
    assert_int_equal(ipc_get_u32(&reader), 0);
    assert_fails(ipc_reader_end(&reader, "a test", &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
    assert_int_equal(ipc_get_u8(&reader), 0); /* nothing is read after a failure */

    reader = ipc_reader_of(MU_SLICE_LIT("\0\0\0\5four"));
    assert_int_equal(ipc_get_bytes(&reader, 100).len, 0);
    assert_true(reader.failed);

    reader = ipc_reader_of(MU_SLICE_LIT("\0\0\0\5fives"));
    ipc_get_text(&reader, text, sizeof text); /* four and the NUL fit */
    assert_true(reader.failed);
    assert_string_equal(text, "");

    reader = ipc_reader_of(MU_SLICE_LIT("\0\0\0\3a\0b"));
    ipc_get_text(&reader, text, sizeof text);
    assert_true(reader.failed);

    reader = ipc_reader_of(MU_SLICE_LIT("\1\2"));
    assert_int_equal(ipc_get_u8(&reader), 1);
    assert_fails(ipc_reader_end(&reader, "a test", &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
}

static void errors_cross_by_name(void **state)
{
    (void)state;
    struct mutual_error sent = {0};
    (void)mu_fail_errno(&sent, MUTUAL_E_KEY_MISMATCH, 13, "the key of \"web\" is another's");
    (void)mu_error_context(&sent, "listener \"pay\"");
    MU_AUTO(buf) struct mu_buf buf;
    mu_buf_init(&buf, 1000);
    ipc_put_error(&buf, &sent);
    struct ipc_reader reader = ipc_reader_of(mu_buf_slice(&buf));
    struct mutual_error got = {0};
    ipc_get_error(&reader, &got);
    assert_ok(ipc_reader_end(&reader, "a test", &err), &err);
    assert_int_equal(got.code, MUTUAL_E_KEY_MISMATCH);
    assert_int_equal(got.sys, 13);
    assert_string_equal(got.reason, sent.reason);
    assert_string_equal(got.hint, sent.hint);
    assert_string_equal(got.context, sent.context);
    assert_null(got.file);

    reader = ipc_reader_of(MU_SLICE_LIT("\0\0\0\4NOPE\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"));
    ipc_get_error(&reader, &got);
    assert_true(reader.failed);
    assert_int_equal(got.code, MUTUAL_E_KEY_MISMATCH); /* untouched */
}

static void nobody_writes_a_line_of_his_own_into_our_log(void **state)
{
    (void)state;
    struct mutual_error sent = {.code = MUTUAL_E_LIMIT, .step = MUTUAL_STEP_NONE};
    struct mutual_error got = {0};
    MU_AUTO(buf) struct mu_buf buf;
    mu_buf_init(&buf, 1000);
    (void)snprintf(sent.reason, sizeof sent.reason, "no\n2026-01-01 db 192.0.2.1 admitted root");
    ipc_put_error(&buf, &sent);
    struct ipc_reader reader = ipc_reader_of(mu_buf_slice(&buf));
    ipc_get_error(&reader, &got);
    assert_fails(ipc_reader_end(&reader, "a test", &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
    assert_int_equal(got.code, MUTUAL_OK);

    char text[32] = "old";
    mu_buf_clear(&buf);
    ipc_put_text(&buf, "\x1b[2Jgone");
    reader = ipc_reader_of(mu_buf_slice(&buf));
    ipc_get_line(&reader, text, sizeof text);
    assert_true(reader.failed);
    assert_string_equal(text, "");
}

UNIT_MAIN(UNIT_CASE(fields_come_back), UNIT_CASE(what_does_not_fit_fails),
          UNIT_CASE(errors_cross_by_name), UNIT_CASE(nobody_writes_a_line_of_his_own_into_our_log))
