/* SPDX-License-Identifier: Apache-2.0
 *
 * src/config/finding.c: how findings are shown.
 */
#include "config_support.h"

static struct config_snapshot *snapshot_of(const char *text)
{
    struct mutual_error err = {0};
    struct config_snapshot *snapshot = config_snapshot_new();
    assert_ok(config_snapshot_add(snapshot, "f", mu_slice_text(text), &err), &err);
    return snapshot;
}

static void assert_shown(const char *text, struct config_place place, const char *hint,
                         const char *expected)
{
    struct config_snapshot *snapshot = snapshot_of(text);
    MU_AUTO(config_findings) struct config_findings findings;
    config_findings_init(&findings);
    config_finding_add(&findings, snapshot, CONFIG_ERROR, MUTUAL_E_CONFIG_INVALID, &place, hint,
                       "it is wrong");
    config_snapshot_free(snapshot);
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 65536);
    config_findings_text(&findings, "f", false, &out);
    assert_string_equal(mu_buf_str(&out), expected);
}

static void test_excerpt_and_caret(void **state)
{
    (void)state;
    assert_shown("a: 1\nbcd: efg\n", (struct config_place){"f", 2, 6, 3}, "say why",
                 "f:2:6: error: it is wrong\n"
                 "    2 | bcd: efg\n"
                 "      |      ^~~ say why\n"
                 "f: 1 error\n");
    assert_shown("x", (struct config_place){"f", 1, 0, 0}, "say why",
                 "f:1: error: it is wrong\n"
                 "    1 | x\n"
                 "      = say why\n"
                 "f: 1 error\n");
    assert_shown("x", (struct config_place){"other", 1, 1, 1}, NULL,
                 "other:1:1: error: it is wrong\nf: 1 error\n");
    assert_shown("x", (struct config_place){"f", 9, 1, 1}, NULL,
                 "f:9:1: error: it is wrong\nf: 1 error\n");
}

static void test_caret_counts_characters(void **state)
{
    (void)state;
    assert_shown("k: \"\xc3\xa4\xc3\xb6\" z\n", (struct config_place){"f", 1, 9, 1}, NULL,
                 "f:1:9: error: it is wrong\n"
                 "    1 | k: \"\xc3\xa4\xc3\xb6\" z\n"
                 "      |         ^\n"
                 "f: 1 error\n");
}

/* An excerpt can neither move a cursor nor turn the direction of writing, nor be broken UTF-8. */
static void test_hostile_line(void **state)
{
    (void)state;
    assert_shown("a\033[2J\t\xff \xe2\x80\xae \xc2\x9b\r\n", (struct config_place){"f", 1, 1, 1},
                 NULL,
                 "f:1:1: error: it is wrong\n"
                 "    1 | a?[2J ? ??? ??\n"
                 "      | ^\n"
                 "f: 1 error\n");
}

static void test_long_line_is_cut(void **state)
{
    (void)state;
    char line[1001];
    memset(line, 'x', 1000);
    line[1000] = '\0';
    line[700] = 'Y';
    struct config_snapshot *snapshot = snapshot_of(line);
    MU_AUTO(config_findings) struct config_findings findings;
    config_findings_init(&findings);
    struct config_place place = {"f", 1, 701, 1};
    config_finding_add(&findings, snapshot, CONFIG_ERROR, MUTUAL_E_CONFIG_INVALID, &place, NULL,
                       "long");
    const struct config_finding *f = &findings.items[0];
    assert_in_range(strlen(f->excerpt), 100, 170);
    assert_int_equal(f->excerpt[f->caret], 'Y');
    config_snapshot_free(snapshot);
}

static void test_many_are_counted(void **state)
{
    (void)state;
    MU_AUTO(config_findings) struct config_findings findings;
    config_findings_init(&findings);
    for (unsigned i = 0; i < 1000; i++) {
        struct config_place place = {"f", 1000 - i, 1, 1};
        config_finding_add(&findings, NULL, CONFIG_WARNING, MUTUAL_E_CERT_EXPIRED, &place, NULL,
                           "number %u", i);
    }
    assert_int_equal(findings.count, CONFIG_FINDINGS_MAX);
    assert_int_equal(findings.warnings, 1000);
    config_findings_sort(&findings);
    assert_true(findings.items[0].line < findings.items[1].line);
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 1u << 20);
    config_findings_text(&findings, "f", false, &out);
    assert_non_null(strstr(mu_buf_str(&out), "(800 more are not shown)\nf: 1000 warnings\n"));
    assert_non_null(strstr(mu_buf_str(&out), "[CERT_EXPIRED]"));
}

static void test_summed_up_in_one_error(void **state)
{
    (void)state;
    MU_AUTO(config_findings) struct config_findings findings;
    config_findings_init(&findings);
    struct config_place place = {"f", 7, 1, 1};
    struct mutual_error err = {0};
    config_finding_add(&findings, NULL, CONFIG_WARNING, MUTUAL_E_CERT_EXPIRED, NULL, NULL, "w");
    config_finding_add(&findings, NULL, CONFIG_ERROR, MUTUAL_E_LISTEN_UNSAFE, &place, "h", "one");
    assert_fails(config_findings_fail(&findings, &err), &err, MUTUAL_E_LISTEN_UNSAFE);
    assert_string_equal(err.reason, "one");
    assert_string_equal(err.hint, "h");
    assert_string_equal(err.context, "\"f\" line 7");
    config_finding_add(&findings, NULL, CONFIG_ERROR, MUTUAL_E_LISTEN_UNSAFE, &place, "h", "two");
    assert_fails(config_findings_fail(&findings, &err), &err, MUTUAL_E_CONFIG_INVALID);
    assert_non_null(strstr(err.context, "the first of 2 errors"));
}

static void test_json(void **state)
{
    (void)state;
    MU_AUTO(config_findings) struct config_findings findings;
    config_findings_init(&findings);
    struct config_place place = {"f", 7, 2, 1};
    config_finding_add(&findings, NULL, CONFIG_ERROR, MUTUAL_E_LISTEN_UNSAFE, &place, NULL,
                       "a \"b\"\n");
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 4096);
    struct mu_json json;
    mu_json_init(&json, &out);
    config_findings_json(&findings, NULL, &json);
    assert_string_equal(mu_buf_str(&out),
                        "[{\"severity\":\"error\",\"code\":\"LISTEN_UNSAFE\",\"file\":\"f\","
                        "\"line\":7,\"column\":2,\"text\":\"a \\\"b\\\"?\",\"hint\":null}]");
}

UNIT_MAIN(UNIT_CASE(test_excerpt_and_caret), UNIT_CASE(test_caret_counts_characters),
          UNIT_CASE(test_hostile_line), UNIT_CASE(test_long_line_is_cut),
          UNIT_CASE(test_many_are_counted), UNIT_CASE(test_summed_up_in_one_error),
          UNIT_CASE(test_json))
