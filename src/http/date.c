/* SPDX-License-Identifier: Apache-2.0
 *
 * Dates as HTTP writes them, and how long a response stays fresh (RFC 9110 section 5.6.7, RFC 9111
 * section 4.2.1).
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "http/http_internal.h"

static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

const char *http_date_format(int64_t time_s, char text[HTTP_DATE_TEXT])
{
    time_t when = (time_t)time_s;
    struct tm parts;
    if (gmtime_r(&when, &parts) == NULL || parts.tm_year < 0 || parts.tm_year > 8099) {
        when = 0;
        (void)gmtime_r(&when, &parts);
    }
    int n = snprintf(text, HTTP_DATE_TEXT, "%s, %02d %s %04d %02d:%02d:%02d GMT",
                     days[parts.tm_wday], parts.tm_mday, months[parts.tm_mon], parts.tm_year + 1900,
                     parts.tm_hour, parts.tm_min, parts.tm_sec);
    mu_assert(n == 29);
    return text;
}

/* Two or four digits at a place of the text. */
static bool read_digits(const char *text, size_t count, unsigned most, unsigned *ret_value)
{
    unsigned value = 0;
    for (size_t i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    *ret_value = value;
    return value <= most;
}

static bool find_month(const char *text, unsigned *ret_month)
{
    for (unsigned i = 0; i < 12; i++) {
        if (memcmp(text, months[i], 3) == 0) {
            *ret_month = i + 1;
            return true;
        }
    }
    return false;
}

bool http_date_parse(struct mu_slice text, int64_t *ret_s)
{
    char copy[30];
    char again[HTTP_DATE_TEXT];
    unsigned day, month, year, hour, minute, second;
    if (text.len != 29) {
        return false;
    }
    memcpy(copy, text.data, 29);
    copy[29] = '\0';
    if (!read_digits(copy + 5, 2, 31, &day) || !find_month(copy + 8, &month) ||
        !read_digits(copy + 12, 4, 9999, &year) || !read_digits(copy + 17, 2, 23, &hour) ||
        !read_digits(copy + 20, 2, 59, &minute) || !read_digits(copy + 23, 2, 60, &second)) {
        return false;
    }
    int64_t when =
        mu_days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    *ret_s = when;
    /* whatever stands between the numbers, and a day that its month does not have */
    return second == 60 || strcmp(http_date_format(when, again), copy) == 0;
}

/* The value of a directive such as max-age=60; UINT64_MAX when there is none. */
static uint64_t directive(const struct http_head *head, const char *name)
{
    struct mu_slice value;
    size_t name_len = strlen(name);
    uint64_t number = UINT64_MAX;
    if (!http_field_find(head, "Cache-Control", &value)) {
        return UINT64_MAX;
    }
    for (size_t i = 0; i + name_len < value.len; i++) {
        bool begins = i == 0 || value.data[i - 1] == ' ' || value.data[i - 1] == ',';
        if (begins &&
            http_equal_nocase(mu_slice_of(value.data + i, name_len), mu_slice_text(name))) {
            size_t digits = 0;
            const uint8_t *from = value.data + i + name_len;
            while (i + name_len + digits < value.len && from[digits] >= '0' &&
                   from[digits] <= '9') {
                digits++;
            }
            return http_number(mu_slice_of(from, digits), &number) ? number : UINT64_MAX;
        }
    }
    return UINT64_MAX;
}

int64_t http_freshness_s(const struct http_head *head)
{
    struct mu_slice expires;
    struct mu_slice date;
    int64_t until_s = 0;
    int64_t from_s = 0;
    if (http_field_has_token(head, "Cache-Control", "no-store") ||
        http_field_has_token(head, "Cache-Control", "no-cache") ||
        http_field_count(head, "Cache-Control") > 1) {
        return 0;
    }
    uint64_t age = directive(head, "max-age=");
    int64_t fresh_s = 0;
    if (age != UINT64_MAX) {
        fresh_s = age < MU_LIMIT_HTTP_FRESH_S ? (int64_t)age : (int64_t)MU_LIMIT_HTTP_FRESH_S;
    } else if (http_field_find(head, "Expires", &expires) && http_date_parse(expires, &until_s) &&
               http_field_find(head, "Date", &date) && http_date_parse(date, &from_s)) {
        fresh_s = until_s > from_s ? until_s - from_s : 0;
    }
    return fresh_s < (int64_t)MU_LIMIT_HTTP_FRESH_S ? fresh_s : (int64_t)MU_LIMIT_HTTP_FRESH_S;
}
