/* SPDX-License-Identifier: Apache-2.0
 *
 * The JSON writer.
 */
#include "base/base.h"
#include "unit.h"

static void it_nests_and_separates(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 1000);
    struct mu_json json;
    mu_json_init(&json, &out);
    mu_json_open(&json, NULL, '{');
    mu_json_string(&json, "a", "x");
    mu_json_open(&json, "list", '[');
    mu_json_int(&json, NULL, INT64_MIN);
    mu_json_bool(&json, NULL, true);
    mu_json_string(&json, NULL, NULL);
    mu_json_close(&json, ']');
    mu_json_open(&json, "empty", '{');
    mu_json_close(&json, '}');
    mu_json_close(&json, '}');
    assert_string_equal(mu_buf_str(&out),
                        "{\"a\":\"x\",\"list\":[-9223372036854775808,true,null],\"empty\":{}}");
}

static void strings_are_always_well_formed(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        size_t len;
        const char *out;
    } cases[] = {
        {"q\"b\\", 4, "\"q\\\"b\\\\\""},
        {"\n\x00\x1f\x7f", 4, "\"\\u000a\\u0000\\u001f\\u007f\""},
        {"gr\xc3\xbc\xc3\x9f", 6, "\"gr\xc3\xbc\xc3\x9f\""},
        {"\xf0\x9f\x94\x91", 4, "\"\xf0\x9f\x94\x91\""},
        {"\xc3", 1, "\"\\u00c3\""},                                  /* cut short */
        {"\xc0\xaf", 2, "\"\\u00c0\\u00af\""},                       /* overlong */
        {"\xed\xa0\x80", 3, "\"\\u00ed\\u00a0\\u0080\""},            /* surrogate */
        {"\xf4\x90\x80\x80", 4, "\"\\u00f4\\u0090\\u0080\\u0080\""}, /* above U+10FFFF */
    };
    for (size_t i = 0; i < MU_COUNT(cases); i++) {
        MU_AUTO(buf) struct mu_buf out;
        mu_buf_init(&out, 1000);
        struct mu_json json;
        mu_json_init(&json, &out);
        mu_json_slice(&json, NULL, mu_slice_of(cases[i].in, cases[i].len));
        assert_string_equal(mu_buf_str(&out), cases[i].out);
    }
}

UNIT_MAIN(UNIT_CASE(it_nests_and_separates), UNIT_CASE(strings_are_always_well_formed))
