/* SPDX-License-Identifier: Apache-2.0
 *
 * Characters and authorities, against the lists of the standards.
 */
#include <string.h>

#include "http/http_internal.h"
#include "unit.h"

static void tokens_hold_what_rfc_9110_lists(void **state)
{
    (void)state;
    static const char tchars[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (unsigned byte = 0; byte < 256; byte++) {
        bool listed = byte != 0 && byte < 128 && strchr(tchars, (int)byte) != NULL;
        assert_int_equal(http_is_tchar((uint8_t)byte), listed);
        assert_int_equal(http_is_text((uint8_t)byte), byte == '\t' || (byte >= ' ' && byte != 127));
    }
    assert_false(http_is_token(MU_SLICE_LIT("")));
}

static void paths_hold_what_rfc_3986_lists(void **state)
{
    (void)state;
    assert_true(http_is_path(MU_SLICE_LIT("/a-b._~!$&'()*+,;=:@/c?d/?e%20")));
    static const char *const bad[] = {"",    "a",  "/ ",  "/#",   "/<",  "/>",  "/\"",
                                      "/\\", "/^", "/`",  "/{",   "/|",  "/}",  "/[",
                                      "/]",  "/%", "/%1", "/%g0", "/%0", "/\t", "/\x80"};
    for (size_t i = 0; i < MU_COUNT(bad); i++) {
        assert_false(http_is_path(mu_slice_text(bad[i])));
    }
}

static void authorities_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        uint16_t port;
        bool v6;
    } good[] = {
        {"a", "a", 0, false},
        {"a.example:8080", "a.example", 8080, false},
        {"127.0.0.1:1", "127.0.0.1", 1, false},
        {"[::1]", "::1", 0, true},
        {"[2001:db8::1]:65535", "2001:db8::1", 65535, true},
    };
    static const char *const bad[] = {"",     ":80",    "a:",  "a:0",      "a:65536", "a:1a",
                                      "[::1", "[::1]x", "::1", "[a]",      "a b",     "a@b",
                                      "-a",   ".a",     "a/b", "a:080808", "[]",      "a\x80"};
    struct mu_slice host;
    bool v6;
    uint16_t port;
    for (size_t i = 0; i < MU_COUNT(good); i++) {
        assert_true(http_authority(mu_slice_text(good[i].text), &host, &v6, &port));
        assert_true(mu_slice_equal_text(host, good[i].host));
        assert_int_equal(port, good[i].port);
        assert_int_equal(v6, good[i].v6);
    }
    for (size_t i = 0; i < MU_COUNT(bad); i++) {
        if (http_authority(mu_slice_text(bad[i]), &host, &v6, &port)) {
            fail_msg("\"%s\" was taken", bad[i]);
        }
    }
}

static void numbers_are_digits(void **state)
{
    (void)state;
    uint64_t value = 0;
    assert_true(http_number(MU_SLICE_LIT("999999999999999999"), &value));
    assert_int_equal(value, UINT64_C(999999999999999999));
    static const char *const bad[] = {"", "1000000000000000000", "+1", "-1", " 1", "1 ", "0x1"};
    for (size_t i = 0; i < MU_COUNT(bad); i++) {
        assert_false(http_number(mu_slice_text(bad[i]), &value));
    }
}

UNIT_MAIN(UNIT_CASE(tokens_hold_what_rfc_9110_lists), UNIT_CASE(paths_hold_what_rfc_3986_lists),
          UNIT_CASE(authorities_are_taken_apart), UNIT_CASE(numbers_are_digits))
