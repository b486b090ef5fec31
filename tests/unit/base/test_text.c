/* SPDX-License-Identifier: Apache-2.0
 *
 * Hexadecimal, base64, escaping, numbers, suggestions.
 */
#include "base/base.h"
#include "unit.h"

static void hex_goes_both_ways(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf text;
    MU_AUTO(buf) struct mu_buf bytes;
    mu_buf_init(&text, 100);
    mu_buf_init(&bytes, 100);
    mu_hex(&text, MU_SLICE_LIT("\x00\xfe\x7f"));
    assert_string_equal(mu_buf_str(&text), "00fe7f");
    struct mutual_error err = {0};
    assert_ok(mu_hex_parse(MU_SLICE_LIT("00FE7f"), &bytes, &err), &err);
    assert_true(mu_slice_equal(mu_buf_slice(&bytes), MU_SLICE_LIT("\x00\xfe\x7f")));
    assert_fails(mu_hex_parse(MU_SLICE_LIT("abc"), &bytes, &err), &err,
                 MUTUAL_E_ENCODING_MALFORMED);
    assert_fails(mu_hex_parse(MU_SLICE_LIT("0g"), &bytes, &err), &err, MUTUAL_E_ENCODING_MALFORMED);
}

static void base64_goes_both_ways(void **state)
{
    (void)state;
    /* RFC 4648 section 10. */
    static const char *const vectors[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    struct mutual_error err = {0};
    for (size_t i = 0; i < MU_COUNT(vectors); i++) {
        MU_AUTO(buf) struct mu_buf text;
        MU_AUTO(buf) struct mu_buf back;
        mu_buf_init(&text, 100);
        mu_buf_init(&back, 100);
        mu_base64(&text, mu_slice_text(vectors[i][0]));
        assert_string_equal(mu_buf_str(&text), vectors[i][1]);
        assert_ok(mu_base64_parse(mu_buf_slice(&text), &back, &err), &err);
        assert_string_equal(mu_buf_str(&back), vectors[i][0]);
    }
    MU_AUTO(buf) struct mu_buf url;
    mu_buf_init(&url, 100);
    mu_base64url(&url, MU_SLICE_LIT("\xff\xef\xfe\x3e"));
    assert_string_equal(mu_buf_str(&url), "_-_-Pg");
}

static void malformed_base64_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "Zg=", "Zg", "Zh==", "Zm9=", "Z===", "====", "Zm 9v", "Zm9v\n", "_-_-", "Zg==Zg=="};
    struct mutual_error err = {0};
    for (size_t i = 0; i < MU_COUNT(bad); i++) {
        MU_AUTO(buf) struct mu_buf out;
        mu_buf_init(&out, 100);
        assert_fails(mu_base64_parse(mu_slice_text(bad[i]), &out, &err), &err,
                     MUTUAL_E_ENCODING_MALFORMED);
    }
    MU_AUTO(buf) struct mu_buf small;
    mu_buf_init(&small, 2);
    assert_fails(mu_base64_parse(MU_SLICE_LIT("Zm9v"), &small, &err), &err, MUTUAL_E_LIMIT);
}

static void escaping_leaves_nothing_that_moves_a_cursor(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 100);
    mu_escape(&out, MU_SLICE_LIT("a \"b\\\n\x1b\xff\0z"));
    assert_string_equal(mu_buf_str(&out), "a \\\"b\\\\\\x0a\\x1b\\xff\\x00z");
}

static void numbers_are_digits_within_bounds(void **state)
{
    (void)state;
    uint64_t value = 7;
    assert_true(mu_text_uint("0", 0, &value) && value == 0);
    assert_true(mu_text_uint("65535", 65535, &value) && value == 65535);
    assert_true(mu_text_uint("18446744073709551615", UINT64_MAX, &value) && value == UINT64_MAX);
    value = 7;
    assert_false(mu_text_uint("65536", 65535, &value));
    assert_false(mu_text_uint("18446744073709551616", UINT64_MAX, &value));
    assert_false(mu_text_uint("", 10, &value));
    assert_false(mu_text_uint("-1", 10, &value));
    assert_false(mu_text_uint("1 ", 10, &value));
    assert_false(mu_text_uint("9", 5, &value));
    assert_true(value == 7);
}

static void the_nearest_word_is_suggested(void **state)
{
    (void)state;
    static const char *const words[] = {"enroll", "issue", "revoke", "forward", "ip", NULL};
    assert_string_equal(mu_suggest("enrol", words), "enroll");
    assert_string_equal(mu_suggest("isuse", words), "issue");
    assert_string_equal(mu_suggest("froward", words), "forward");
    assert_null(mu_suggest("demonstration", words));
    assert_null(mu_suggest("", words));
}

UNIT_MAIN(UNIT_CASE(hex_goes_both_ways), UNIT_CASE(base64_goes_both_ways),
          UNIT_CASE(malformed_base64_is_refused),
          UNIT_CASE(escaping_leaves_nothing_that_moves_a_cursor),
          UNIT_CASE(numbers_are_digits_within_bounds), UNIT_CASE(the_nearest_word_is_suggested))
