/* SPDX-License-Identifier: Apache-2.0
 *
 * Clocks, and times and durations as text. Civil dates are computed here because timegm and gmtime
 * depend on the C library's range.
 */
#include "base/base.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

int64_t mu_clock_wall_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec;
}

int64_t mu_clock_mono_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * MU_NS_PER_S + t.tv_nsec;
}

/* Years start in March here, so that the leap day is the last of its year; 146097 days make the
 * 400-year cycle and 719468 days lie between 0000-03-01 and 1970-01-01. */
int64_t mu_days_from_civil(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t month_from_march = (int64_t)((month + 9) % 12);
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + (int64_t)day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void civil_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    *day = (unsigned)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    *month = (unsigned)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

#define YEAR_9999_S INT64_C(253402300799)

const char *mu_time_format(int64_t time_s, char text[MU_TIME_TEXT])
{
    if (time_s == MU_TIME_NEVER_S) {
        snprintf(text, MU_TIME_TEXT, "never");
        return text;
    }
    if (time_s > YEAR_9999_S || time_s < -YEAR_9999_S) {
        snprintf(text, MU_TIME_TEXT, "@%" PRId64, time_s);
        return text;
    }
    int64_t days = time_s / 86400;
    int64_t rest = time_s % 86400;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    int64_t year;
    unsigned month;
    unsigned day;
    civil_from_days(days, &year, &month, &day);
    unsigned second_of_day = (unsigned)rest;
    snprintf(text, MU_TIME_TEXT, "%04d-%02u-%02uT%02u:%02u:%02uZ", (int)year, month, day,
             second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
    return text;
}

/* Reads exactly `digits` digits at *at and moves on. */
static bool read_digits(const char **at, int digits, unsigned *ret_value)
{
    unsigned value = 0;
    for (int i = 0; i < digits; i++, (*at)++) {
        unsigned digit = (unsigned)(**at - '0');
        if (digit > 9) {
            return false;
        }
        value = value * 10 + digit;
    }
    *ret_value = value;
    return true;
}

static bool read_char(const char **at, char c)
{
    if (**at != c) {
        return false;
    }
    (*at)++;
    return true;
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

bool mu_time_parse(const char *text, int64_t *ret_s, struct mutual_error *err)
{
    const char *at = text;
    unsigned year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
    bool good = read_digits(&at, 4, &year) && read_char(&at, '-') && read_digits(&at, 2, &month) &&
                read_char(&at, '-') && read_digits(&at, 2, &day);
    if (good && *at != '\0') {
        good = read_char(&at, 'T') && read_digits(&at, 2, &hour) && read_char(&at, ':') &&
               read_digits(&at, 2, &minute) && read_char(&at, ':') &&
               read_digits(&at, 2, &second) && read_char(&at, 'Z') && *at == '\0';
    }
    good = good && month >= 1 && month <= 12 && day >= 1 && day <= days_in_month(year, month) &&
           hour < 24 && minute < 60 && second < 60;
    if (!good) {
        return mu_fail(err, MUTUAL_E_TIME_MALFORMED, "\"%.40s\" is not a time", text);
    }
    *ret_s = mu_days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    return true;
}

bool mu_duration_parse(const char *text, int64_t *ret_ns, struct mutual_error *err)
{
    static const struct {
        const char *unit;
        int64_t ns;
    } units[] = {{"ms", MU_NS_PER_MS},
                 {"s", MU_NS_PER_S},
                 {"m", 60 * MU_NS_PER_S},
                 {"h", 3600 * MU_NS_PER_S},
                 {"d", 86400 * MU_NS_PER_S}};
    size_t digits = strspn(text, "0123456789");
    char number[20];
    uint64_t count = 0;
    if (digits > 0 && digits < sizeof number) {
        memcpy(number, text, digits);
        number[digits] = '\0';
        for (size_t i = 0; i < MU_COUNT(units); i++) {
            if (strcmp(text + digits, units[i].unit) == 0 &&
                mu_text_uint(number, (uint64_t)(INT64_MAX / units[i].ns), &count) && count > 0) {
                *ret_ns = (int64_t)count * units[i].ns;
                return true;
            }
        }
    }
    return mu_fail(err, MUTUAL_E_TIME_MALFORMED, "\"%.40s\" is not a duration", text);
}

const char *mu_duration_words(int64_t seconds, char text[MU_TIME_TEXT])
{
    static const struct {
        int64_t seconds;
        const char *word;
    } units[] = {{86400 * 365, "year"}, {86400, "day"}, {3600, "hour"}, {60, "minute"}};
    seconds = seconds < 0 ? 0 : seconds;
    for (size_t i = 0; i < MU_COUNT(units); i++) {
        int64_t count = seconds / units[i].seconds;
        if (count >= 2 || (count == 1 && seconds % units[i].seconds == 0)) {
            snprintf(text, MU_TIME_TEXT, "%" PRId64 " %s%s", count, units[i].word,
                     count == 1 ? "" : "s");
            return text;
        }
    }
    snprintf(text, MU_TIME_TEXT, "%" PRId64 " second%s", seconds, seconds == 1 ? "" : "s");
    return text;
}
