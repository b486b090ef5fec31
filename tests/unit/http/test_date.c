/* SPDX-License-Identifier: Apache-2.0
 *
 * Dates, and how long a response stays fresh.
 */
#include <stdio.h>
#include <string.h>

#include "http/http.h"
#include "unit.h"

static void dates_are_written_and_read_back(void **state)
{
    (void)state;
    static const int64_t times[] = {0, 784111777, 951782399, 1800000000, INT64_C(253402300799)};
    char text[HTTP_DATE_TEXT];
    assert_string_equal(http_date_format(784111777, text), "Sun, 06 Nov 1994 08:49:37 GMT");
    for (size_t i = 0; i < MU_COUNT(times); i++) {
        int64_t again = -1;
        assert_true(http_date_parse(mu_slice_text(http_date_format(times[i], text)), &again));
        assert_int_equal(again, times[i]);
    }
}

static void other_dates_are_not_taken(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Mon, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 08:49:37 GMTx",
    };
    int64_t value = 0;
    for (size_t i = 0; i < MU_COUNT(bad); i++) {
        assert_false(http_date_parse(mu_slice_text(bad[i]), &value));
    }
}

static int64_t freshness(const char *fields)
{
    static struct http_head head;
    char text[512];
    struct mutual_error err = {0};
    (void)snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%s\r\n", fields);
    assert_ok(http_response_parse(mu_slice_text(text), false, &head, &err), &err);
    return http_freshness_s(&head);
}

static void freshness_is_what_the_server_says_within_bounds(void **state)
{
    (void)state;
    assert_int_equal(freshness(""), 0);
    assert_int_equal(freshness("Cache-Control: max-age=60\r\n"), 60);
    assert_int_equal(freshness("Cache-Control: public, Max-Age=60, x\r\n"), 60);
    assert_int_equal(freshness("Cache-Control: s-max-age=60\r\n"), 0);
    assert_int_equal(freshness("Cache-Control: max-age=\r\n"), 0);
    assert_int_equal(freshness("Cache-Control: max-age=99999999999999999999\r\n"), 0);
    assert_int_equal(freshness("Cache-Control: max-age=999999999\r\n"), MU_LIMIT_HTTP_FRESH_S);
    assert_int_equal(freshness("Cache-Control: no-store, max-age=60\r\n"), 0);
    assert_int_equal(freshness("Cache-Control: max-age=60\r\nCache-Control: max-age=9\r\n"), 0);
    assert_int_equal(freshness("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                               "Expires: Sun, 06 Nov 1994 08:50:37 GMT\r\n"),
                     60);
    assert_int_equal(freshness("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nExpires: 0\r\n"), 0);
    assert_int_equal(freshness("Date: Sun, 06 Nov 1994 08:50:37 GMT\r\n"
                               "Expires: Sun, 06 Nov 1994 08:49:37 GMT\r\n"),
                     0);
}

UNIT_MAIN(UNIT_CASE(dates_are_written_and_read_back), UNIT_CASE(other_dates_are_not_taken),
          UNIT_CASE(freshness_is_what_the_server_says_within_bounds))
