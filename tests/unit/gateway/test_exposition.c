/* SPDX-License-Identifier: Apache-2.0
 *
 * The two text formats, byte by byte.
 */
#include "gateway/metrics_internal.h"
#include "unit.h"

static void put_all(struct exposition *expo)
{
    expo_family(expo, "mutual_build", EXPO_INFO, NULL, "What runs.");
    expo_put(expo, EXPO_LABELS({"version", "1"}), 1);
    expo_family(expo, "mutual_bytes", EXPO_COUNTER, "bytes", "Bytes.");
    expo_put(expo, EXPO_LABELS({"listener", "a\"b\\c\nd"}, {"direction", "in"}), UINT64_MAX);
    expo_family(expo, "mutual_end_seconds", EXPO_GAUGE, "seconds", "An end.");
    expo_put_signed(expo, EXPO_NO_LABELS, -5);
    expo_family(expo, "mutual_wait_seconds", EXPO_SUMMARY, "seconds", "A wait.");
    expo_put_sum(expo, EXPO_LABELS({"op", "x"}), 3, 1500000007);
    expo_end(expo);
}

static void prometheus(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 4096);
    put_all(&(struct exposition){.out = &out});
    assert_string_equal(mu_buf_str(&out),
                        "# HELP mutual_build_info What runs.\n"
                        "# TYPE mutual_build_info gauge\n"
                        "mutual_build_info{version=\"1\"} 1\n"
                        "# HELP mutual_bytes_total Bytes.\n"
                        "# TYPE mutual_bytes_total counter\n"
                        "mutual_bytes_total{listener=\"a\\\"b\\\\c\\\\x0ad\",direction=\"in\"} "
                        "18446744073709551615\n"
                        "# HELP mutual_end_seconds An end.\n"
                        "# TYPE mutual_end_seconds gauge\n"
                        "mutual_end_seconds -5\n"
                        "# HELP mutual_wait_seconds A wait.\n"
                        "# TYPE mutual_wait_seconds summary\n"
                        "mutual_wait_seconds_count{op=\"x\"} 3\n"
                        "mutual_wait_seconds_sum{op=\"x\"} 1.500000007\n");
}

static void openmetrics(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 4096);
    put_all(&(struct exposition){.out = &out, .openmetrics = true});
    const char *text = mu_buf_str(&out);
    assert_non_null(strstr(text, "# TYPE mutual_build info\nmutual_build_info{"));
    assert_non_null(strstr(text, "# TYPE mutual_bytes counter\n# UNIT mutual_bytes bytes\n"
                                 "mutual_bytes_total{"));
    assert_non_null(strstr(text, "# UNIT mutual_wait_seconds seconds\n"));
    assert_string_equal(text + out.len - 6, "# EOF\n");
}

UNIT_MAIN(UNIT_CASE(prometheus), UNIT_CASE(openmetrics))
