/* SPDX-License-Identifier: Apache-2.0
 *
 * The strict DER reader, against what BER allows and DER does not.
 */
#include "unit.h"
#include "x509/der_internal.h"

static bool takes(struct mu_slice bytes)
{
    struct der_item item;
    return mu_der_next(&bytes, &item);
}

static void lengths_must_be_shortest(void **state)
{
    (void)state;
    assert_true(takes(MU_SLICE_LIT("\x04\x00")));
    assert_true(takes(MU_SLICE_LIT("\x04\x01x")));
    assert_false(takes(MU_SLICE_LIT("")));
    assert_false(takes(MU_SLICE_LIT("\x04")));
    assert_false(takes(MU_SLICE_LIT("\x04\x02x")));         /* cut short */
    assert_false(takes(MU_SLICE_LIT("\x30\x80\x00\x00")));  /* indefinite */
    assert_false(takes(MU_SLICE_LIT("\x04\x81\x01x")));     /* long form of a short one */
    assert_false(takes(MU_SLICE_LIT("\x04\x82\x00\x81x"))); /* leading zero */
    assert_false(takes(MU_SLICE_LIT("\x04\x85\x01\x01\x01\x01\x01x")));
    assert_false(takes(MU_SLICE_LIT("\x04\xff")));
    assert_false(takes(MU_SLICE_LIT("\x1f\x01\x00"))); /* high tag number */
    uint8_t large[3 + 128] = {0x04, 0x81, 0x80};
    assert_true(takes(mu_slice_of(large, sizeof large)));
    assert_false(takes(mu_slice_of(large, sizeof large - 1)));
}

static void items_are_taken_in_order(void **state)
{
    (void)state;
    struct mu_slice in = MU_SLICE_LIT("\x02\x01\x07\x04\x02ok");
    struct mu_slice body;
    struct der_item item;
    assert_false(mu_der_take(&(struct mu_slice){in.data, in.len}, DER_OCTET_STRING, &item));
    assert_true(mu_der_optional(&in, DER_BOOLEAN, &body));
    assert_null(body.data);
    assert_true(mu_der_body(&in, DER_INTEGER, &body));
    assert_int_equal(body.data[0], 7);
    assert_true(mu_der_take(&in, DER_OCTET_STRING, &item));
    assert_int_equal(item.whole.len, 4);
    assert_int_equal(in.len, 0);
    assert_true(mu_der_optional(&in, DER_BOOLEAN, &body));
    assert_false(mu_der_only(MU_SLICE_LIT("\x02\x01\x07\x00"), DER_INTEGER, &body));
}

static void integers(void **state)
{
    (void)state;
    struct mu_slice magnitude;
    uint32_t value;
    assert_true(mu_der_unsigned(MU_SLICE_LIT("\x00"), &magnitude));
    assert_int_equal(magnitude.len, 0);
    assert_true(mu_der_unsigned(MU_SLICE_LIT("\x00\x80"), &magnitude));
    assert_int_equal(magnitude.len, 1);
    assert_false(mu_der_unsigned(MU_SLICE_LIT("\x80"), &magnitude));     /* negative */
    assert_false(mu_der_unsigned(MU_SLICE_LIT("\x00\x01"), &magnitude)); /* not shortest */
    assert_false(mu_der_integer_ok(MU_SLICE_LIT("\xff\x80")));
    assert_false(mu_der_integer_ok(MU_SLICE_LIT("")));
    assert_true(mu_der_small(MU_SLICE_LIT("\x01\x00"), 1000, &value));
    assert_int_equal(value, 256);
    assert_true(mu_der_small(MU_SLICE_LIT("\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff"), 7, &value));
    assert_int_equal(value, 7);
}

static void booleans_and_bits(void **state)
{
    (void)state;
    bool value;
    bool strict;
    struct mu_slice octets;
    assert_true(mu_der_bool(MU_SLICE_LIT("\xff"), &value, &strict));
    assert_true(value && strict);
    assert_true(mu_der_bool(MU_SLICE_LIT("\x01"), &value, &strict));
    assert_true(value && !strict);
    assert_false(mu_der_bool(MU_SLICE_LIT(""), &value, &strict));
    assert_true(mu_der_octets(MU_SLICE_LIT("\x00xy"), &octets));
    assert_int_equal(octets.len, 2);
    assert_false(mu_der_octets(MU_SLICE_LIT("\x01xy"), &octets));
    assert_false(mu_der_octets(MU_SLICE_LIT(""), &octets));
}

static bool time_of(uint8_t tag, const char *text, int64_t *ret_s, bool *ret_early)
{
    struct der_item item = {.tag = tag, .body = mu_slice_text(text)};
    return mu_der_time(&item, ret_s, ret_early);
}

static void times(void **state)
{
    (void)state;
    int64_t s;
    bool early;
    assert_true(time_of(DER_UTC_TIME, "700101000000Z", &s, &early));
    assert_int_equal(s, 0);
    assert_false(early);
    assert_true(time_of(DER_UTC_TIME, "491231235959Z", &s, &early));
    assert_int_equal(s, INT64_C(2524607999));
    assert_true(time_of(DER_UTC_TIME, "500101000000Z", &s, &early)); /* 1950 */
    assert_int_equal(s, INT64_C(-631152000));
    assert_true(time_of(DER_GENERALIZED_TIME, "99991231235959Z", &s, &early));
    assert_int_equal(s, INT64_C(253402300799));
    assert_true(time_of(DER_GENERALIZED_TIME, "20240229120000Z", &s, &early));
    assert_true(early);
    static const char *const wrong[] = {"7001010000Z",   "700101000000",  "700101000000+0100",
                                        "701301000000Z", "700100000000Z", "700132000000Z",
                                        "700101240000Z", "700101006000Z", "700101000060Z",
                                        "7001010000 0Z", "230229000000Z", "",
                                        "70010100000xZ", "-00101000000Z"};
    for (size_t i = 0; i < MU_COUNT(wrong); i++) {
        assert_false(time_of(DER_UTC_TIME, wrong[i], &s, &early));
    }
    assert_false(time_of(DER_GENERALIZED_TIME, "20240101000000.5Z", &s, &early));
    assert_false(time_of(DER_GENERALIZED_TIME, "19000229000000Z", &s, &early));
    assert_false(time_of(DER_OCTET_STRING, "700101000000Z", &s, &early));
}

static bool oid_is(struct mu_slice body, const char *expected)
{
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 256);
    return mu_der_oid_text(body, &out) && strcmp(mu_buf_str(&out), expected) == 0;
}

static void object_identifiers(void **state)
{
    (void)state;
    assert_true(oid_is(MU_SLICE_LIT("\x55\x1d\x11"), "2.5.29.17"));
    assert_true(oid_is(MU_SLICE_LIT("\x2a\x86\x48\x86\xf7\x0d"), "1.2.840.113549"));
    assert_true(oid_is(MU_SLICE_LIT("\x88\x37\x03"), "2.999.3"));
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 256);
    assert_false(mu_der_oid_text(MU_SLICE_LIT(""), &out));
    assert_false(mu_der_oid_text(MU_SLICE_LIT("\x55\x80\x01"), &out)); /* leading zero group */
    assert_false(mu_der_oid_text(MU_SLICE_LIT("\x55\x81"), &out));     /* cut short */
    assert_false(
        mu_der_oid_text(MU_SLICE_LIT("\x55\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), &out));
}

UNIT_MAIN(UNIT_CASE(lengths_must_be_shortest), UNIT_CASE(items_are_taken_in_order),
          UNIT_CASE(integers), UNIT_CASE(booleans_and_bits), UNIT_CASE(times),
          UNIT_CASE(object_identifiers))
