/* SPDX-License-Identifier: Apache-2.0
 *
 * What is written can be read back, and nothing else is written.
 */
#include <string.h>

#include "http/http.h"
#include "unit.h"

static void messages_are_written(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 4096);
    http_put_request(&out, "POST", "/a?b", "h.example:81");
    http_put_text(&out, "X-One", "a b");
    http_put_length(&out, 3);
    http_put_end(&out);
    assert_false(out.failed);
    assert_string_equal(mu_buf_str(&out), "POST /a?b HTTP/1.1\r\nHost: h.example:81\r\nX-One: a "
                                          "b\r\nContent-Length: 3\r\n\r\n");
    mu_buf_clear(&out);
    http_put_status(&out, 404);
    http_put_date(&out, "Date", 784111777);
    http_put_end(&out);
    http_put_chunk(&out, MU_SLICE_LIT("0123456789abcdef"));
    http_put_chunk(&out, MU_SLICE_LIT(""));
    assert_string_equal(mu_buf_str(&out),
                        "HTTP/1.1 404 Not Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n"
                        "10\r\n0123456789abcdef\r\n0\r\n\r\n");
}

static void nothing_can_be_smuggled_into_a_message(void **state)
{
    (void)state;
    static const char *const values[] = {"a\r\nX: y", "a\nb", "a\rb", " a", "a ", "a\x01"};
    static const char *const names[] = {"", "a b", "a:", "a\r\n", "a\x80"};
    static const char *const targets[] = {"", "a", "/a b", "/a\r\n", "http://h/"};
    static const char *const hosts[] = {"", "a b", "a\r\nX: y", "a/b"};
    for (size_t i = 0; i < MU_COUNT(values); i++) {
        MU_AUTO(buf) struct mu_buf out;
        mu_buf_init(&out, 4096);
        http_put_text(&out, "X", values[i]);
        assert_true(out.failed);
    }
    for (size_t i = 0; i < MU_COUNT(names); i++) {
        MU_AUTO(buf) struct mu_buf out;
        mu_buf_init(&out, 4096);
        http_put_text(&out, names[i], "a");
        assert_true(out.failed);
    }
    for (size_t i = 0; i < MU_COUNT(targets); i++) {
        MU_AUTO(buf) struct mu_buf out;
        mu_buf_init(&out, 4096);
        http_put_request(&out, "GET", targets[i], "h");
        assert_true(out.failed);
    }
    for (size_t i = 0; i < MU_COUNT(hosts); i++) {
        MU_AUTO(buf) struct mu_buf out;
        mu_buf_init(&out, 4096);
        http_put_request(&out, "GET", "/", hosts[i]);
        assert_true(out.failed);
    }
}

static void reasons_are_known_for_what_is_used(void **state)
{
    (void)state;
    assert_string_equal(http_reason(200), "OK");
    assert_string_equal(http_reason(431), "Request Header Fields Too Large");
    assert_string_equal(http_reason(299), "");
}

UNIT_MAIN(UNIT_CASE(messages_are_written), UNIT_CASE(nothing_can_be_smuggled_into_a_message),
          UNIT_CASE(reasons_are_known_for_what_is_used))
