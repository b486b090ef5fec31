/* SPDX-License-Identifier: Apache-2.0
 *
 * Times and durations as text, over the whole range of certificates.
 */
#include "base/base.h"
#include "unit.h"

static void times_go_both_ways(void **state)
{
    (void)state;
    static const struct {
        int64_t s;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z"},
        {951782400, "2000-02-29T00:00:00Z"},
        {1795129027, "2026-11-19T22:57:07Z"},
        {2147483648, "2038-01-19T03:14:08Z"},
        {253402300799, "9999-12-31T23:59:59Z"},
        {-1, "1969-12-31T23:59:59Z"},
    };
    char text[MU_TIME_TEXT];
    struct mutual_error err = {0};
    for (size_t i = 0; i < MU_COUNT(cases); i++) {
        assert_string_equal(mu_time_format(cases[i].s, text), cases[i].text);
        int64_t back = 0;
        assert_ok(mu_time_parse(cases[i].text, &back, &err), &err);
        assert_true(back == cases[i].s);
    }
    assert_string_equal(mu_time_format(MU_TIME_NEVER_S, text), "never");
    int64_t day = 0;
    assert_ok(mu_time_parse("2027-01-01", &day, &err), &err);
    assert_string_equal(mu_time_format(day, text), "2027-01-01T00:00:00Z");
}

static void every_day_of_four_centuries_agrees(void **state)
{
    (void)state;
    char text[MU_TIME_TEXT];
    for (int64_t day = 0; day < 146097; day += 13) {
        int64_t back = -1;
        assert_true(mu_time_parse(mu_time_format(day * 86400 + 1, text), &back, NULL));
        assert_true(back == day * 86400 + 1);
    }
}

static void wrong_times_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "2027",
                                      "2027-13-01",
                                      "2027-02-29",
                                      "2027-00-10",
                                      "2027-1-1",
                                      "27-01-01",
                                      "2027-01-01T",
                                      "2027-01-01T24:00:00Z",
                                      "2027-01-01T00:00:00",
                                      "2027-01-32",
                                      "2027-01-01 00:00:00Z",
                                      "2027-01-01T00:00:60Z"};
    struct mutual_error err = {0};
    int64_t value = 0;
    for (size_t i = 0; i < MU_COUNT(bad); i++) {
        assert_fails(mu_time_parse(bad[i], &value, &err), &err, MUTUAL_E_TIME_MALFORMED);
    }
}

static void durations_need_a_number_and_a_unit(void **state)
{
    (void)state;
    int64_t ns = 0;
    struct mutual_error err = {0};
    assert_ok(mu_duration_parse("500ms", &ns, &err), &err);
    assert_true(ns == 500 * MU_NS_PER_MS);
    assert_ok(mu_duration_parse("90d", &ns, &err), &err);
    assert_true(ns == 90 * 86400 * MU_NS_PER_S);
    static const char *const bad[] = {
        "", "10", "s", "0s", "-1s", "1.5h", "10 s", "10w", "99999999999999999999s", "200000d"};
    for (size_t i = 0; i < MU_COUNT(bad); i++) {
        assert_fails(mu_duration_parse(bad[i], &ns, &err), &err, MUTUAL_E_TIME_MALFORMED);
    }
}

static void distances_read_as_people_say_them(void **state)
{
    (void)state;
    static const struct {
        int64_t s;
        const char *words;
    } cases[] = {{0, "0 seconds"},         {1, "1 second"},         {90, "90 seconds"},
                 {120, "2 minutes"},       {3600, "1 hour"},        {5400, "90 minutes"},
                 {86400 * 3, "3 days"},    {86400 * 365, "1 year"}, {86400 * 400, "400 days"},
                 {86400 * 800, "2 years"}, {-5, "0 seconds"}};
    char text[MU_TIME_TEXT];
    for (size_t i = 0; i < MU_COUNT(cases); i++) {
        assert_string_equal(mu_duration_words(cases[i].s, text), cases[i].words);
    }
}

static void the_clocks_run(void **state)
{
    (void)state;
    assert_true(mu_clock_wall_s() > 1700000000);
    int64_t before = mu_clock_mono_ns();
    assert_true(mu_clock_mono_ns() >= before);
}

UNIT_MAIN(UNIT_CASE(times_go_both_ways), UNIT_CASE(every_day_of_four_centuries_agrees),
          UNIT_CASE(wrong_times_are_refused), UNIT_CASE(durations_need_a_number_and_a_unit),
          UNIT_CASE(distances_read_as_people_say_them), UNIT_CASE(the_clocks_run))
