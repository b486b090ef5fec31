/* SPDX-License-Identifier: Apache-2.0
 *
 * The DER writer, byte for byte and against the reader.
 */
#include "unit.h"
#include "x509/der_internal.h"
#include "x509/x509.h"

static void assert_bytes(struct mu_buf *out, struct mu_slice expected)
{
    assert_false(out->failed);
    assert_int_equal(out->len, expected.len);
    assert_memory_equal(out->data, expected.data, expected.len);
    mu_buf_clear(out);
}

static void nesting_moves_lengths(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 1u << 20);
    size_t outer = mu_der_begin(&out, DER_SEQUENCE);
    size_t inner = mu_der_begin(&out, DER_OCTET_STRING);
    mu_der_end(&out, inner);
    mu_der_end(&out, outer);
    assert_bytes(&out, MU_SLICE_LIT("\x30\x02\x04\x00"));
    static const size_t sizes[] = {0, 127, 128, 255, 256, 65535, 65536, 300000};
    static uint8_t content[300000];
    for (size_t i = 0; i < MU_COUNT(sizes); i++) {
        outer = mu_der_begin(&out, DER_SEQUENCE);
        inner = mu_der_begin(&out, DER_OCTET_STRING);
        mu_buf_append(&out, content, sizes[i]);
        mu_der_end(&out, inner);
        mu_der_put(&out, DER_OCTET_STRING, mu_slice_of(content, sizes[i]));
        mu_der_end(&out, outer);
        struct mu_slice body;
        struct mu_slice one;
        struct mu_slice two;
        assert_true(mu_der_only(mu_buf_slice(&out), DER_SEQUENCE, &body));
        assert_true(mu_der_body(&body, DER_OCTET_STRING, &one));
        assert_true(mu_der_body(&body, DER_OCTET_STRING, &two));
        assert_int_equal(body.len, 0);
        assert_int_equal(one.len, sizes[i]);
        assert_int_equal(two.len, sizes[i]);
        mu_buf_clear(&out);
    }
}

static void numbers_and_bits(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 4096);
    mu_der_put_uint(&out, DER_INTEGER, 0);
    assert_bytes(&out, MU_SLICE_LIT("\x02\x01\x00"));
    mu_der_put_uint(&out, DER_INTEGER, 128);
    assert_bytes(&out, MU_SLICE_LIT("\x02\x02\x00\x80"));
    mu_der_put_magnitude(&out, DER_INTEGER, MU_SLICE_LIT("\x00\x00\x7f"));
    assert_bytes(&out, MU_SLICE_LIT("\x02\x01\x7f"));
    mu_der_put_bool(&out, true);
    assert_bytes(&out, MU_SLICE_LIT("\x01\x01\xff"));
    mu_der_put_named_bits(&out, DER_BIT_STRING, 0);
    assert_bytes(&out, MU_SLICE_LIT("\x03\x01\x00"));
    mu_der_put_named_bits(&out, DER_BIT_STRING, 1);
    assert_bytes(&out, MU_SLICE_LIT("\x03\x02\x07\x80"));
    mu_der_put_named_bits(&out, DER_BIT_STRING, 1u << 5 | 1u << 6);
    assert_bytes(&out, MU_SLICE_LIT("\x03\x02\x01\x06"));
    mu_der_put_named_bits(&out, DER_BIT_STRING, 1u << 8);
    assert_bytes(&out, MU_SLICE_LIT("\x03\x03\x07\x00\x80"));
    mu_der_put_bits(&out, MU_SLICE_LIT("x"));
    assert_bytes(&out, MU_SLICE_LIT("\x03\x02\x00x"));
}

static void times_choose_their_form(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 4096);
    mu_der_put_time(&out, 0);
    assert_bytes(&out, MU_SLICE_LIT("\x17\x0d"
                                    "700101000000Z"));
    mu_der_put_time(&out, INT64_C(2524607999));
    assert_bytes(&out, MU_SLICE_LIT("\x17\x0d"
                                    "491231235959Z"));
    mu_der_put_time(&out, INT64_C(2524608000));
    assert_bytes(&out, MU_SLICE_LIT("\x18\x0f"
                                    "20500101000000Z"));
    mu_der_put_time(&out, MU_TIME_NEVER_S);
    assert_bytes(&out, MU_SLICE_LIT("\x18\x0f"
                                    "99991231235959Z"));
    mu_der_put_time(&out, INT64_C(-631152001));
    assert_bytes(&out, MU_SLICE_LIT("\x18\x0f"
                                    "19491231235959Z"));
    mu_der_put_time(&out, INT64_MIN);
    assert_true(out.failed);
}

static void lack_of_room_is_sticky(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 8);
    size_t mark = mu_der_begin(&out, DER_SEQUENCE);
    mu_der_put(&out, DER_OCTET_STRING, MU_SLICE_LIT("0123456789"));
    mu_der_end(&out, mark);
    assert_true(out.failed);
}

static void dotted_identifiers(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 4096);
    assert_true(mu_oid_encode("1.2.840.113549", &out));
    assert_bytes(&out, MU_SLICE_LIT("\x2a\x86\x48\x86\xf7\x0d"));
    assert_true(mu_oid_encode("2.999.3", &out));
    assert_bytes(&out, MU_SLICE_LIT("\x88\x37\x03"));
    static const char *const wrong[] = {"",     "1",    "1.",    ".1",
                                        "3.1",  "1.40", "1.2.x", "01.2.3",
                                        "1..2", "1.2 ", "-1.2",  "2.5.99999999999"};
    for (size_t i = 0; i < MU_COUNT(wrong); i++) {
        assert_false(mu_oid_encode(wrong[i], &out));
    }
}

UNIT_MAIN(UNIT_CASE(nesting_moves_lengths), UNIT_CASE(numbers_and_bits),
          UNIT_CASE(times_choose_their_form), UNIT_CASE(lack_of_room_is_sticky),
          UNIT_CASE(dotted_identifiers))
