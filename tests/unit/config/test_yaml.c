/* SPDX-License-Identifier: Apache-2.0
 *
 * src/config/yaml.c: what the strict subset takes and refuses, and where it says so.
 */
#include "config_support.h"

#define SYNTAX(text_, line_, col_, part_) \
    assert_finding(text_, MUTUAL_E_CONFIG_SYNTAX, line_, col_, part_)

static void test_json_is_taken(void **state)
{
    (void)state;
    assert_good("{\"version\": 1,\n\t\"log\": {\"format\": \"json\", \"level\": \"info\"}}");
}

static void test_quotes_do_not_matter(void **state)
{
    (void)state;
    assert_good("version: \"1\"\nworkers: '2'\n");
    assert_good("%YAML 1.1\n---\nversion: 1\n...\n");
    assert_good("\xef\xbb\xbf"
                "version: 1\n");
}

static void test_what_yaml_has_and_we_do_not(void **state)
{
    (void)state;
    SYNTAX("version: 1\nlog: &a {format: json}\n", 2, 6, "anchors are not allowed");
    SYNTAX("version: 1\nuser: !!str me\n", 2, 7, "tags are not allowed");
    SYNTAX("version: 1\nuser: *a\n", 2, 7, "aliases are not allowed");
    SYNTAX("version: 1\n---\nversion: 1\n", 2, 1, "only one document");
    SYNTAX("version: 1\n? [a, b]\n: c\n", 2, 3, "a setting's name is a plain word");
    assert_finding("version: 1\nlog:\n  <<: {format: json}\n", MUTUAL_E_CONFIG_INVALID, 3, 3,
                   "merging is not allowed");
}

static void test_broken_syntax_in_words(void **state)
{
    (void)state;
    SYNTAX("version: 1\ninbound:\n\t- name: x\n", 3, 1, "a tab cannot indent");
    SYNTAX("version: 1\nuser: @me\n", 2, 7, "cannot begin with this character");
    SYNTAX("version: 1\nwörkers: @me\n", 2, 10, "cannot begin with this character");
    SYNTAX("version: 1\nuser\nlog: {}\n", 2, 1, "needs a \":\"");
    SYNTAX("version: 1\nuser: a: b\n", 2, 8, "a \":\" is out of place");
    SYNTAX("version: 1\nlog:\n  format: json\n level: info\n", 4, 2, "does not fit");
    SYNTAX("version: 1\nlog: {format: json\n", 2, 6, "a \"{\" is not closed");
    SYNTAX("version: 1\ntrust: [{name: t, bundle: b}\n", 2, 8, "a \"[\" is not closed");
    SYNTAX("version: 1\nuser: \"me\n", 2, 7, "a quoted text is not closed");
    SYNTAX("version: 1\nuser: \"\\q\"\n", 2, 8, "unknown escape");
}

static void test_bytes_that_are_no_text(void **state)
{
    (void)state;
    SYNTAX("version: 1\nuser: \xff\n", 2, 0, "not UTF-8");
    SYNTAX("version: 1\nuser: a\x01\n", 2, 0, "control characters");
    SYNTAX("version: 1\nuser: \"a\\0b\"\n", 2, 7, "control characters");
}

static void test_bounds(void **state)
{
    (void)state;
    char deep[256] = "version: 1\nlog: ";
    for (int i = 0; i < 17; i++) {
        strncat(deep, "[", sizeof deep - strlen(deep) - 1);
    }
    struct built built = build_text(deep);
    assert_null(built.config);
    assert_non_null(strstr(built.findings.items[built.findings.count - 1].text, "deeper than 16"));
    built_done(&built);

    size_t size = MU_LIMIT_CONFIG_BYTES + 2;
    MU_AUTO(free) char *large = mu_alloc(size, 1);
    assert_non_null(large);
    memset(large, '#', size - 1);
    built = build_text(large);
    assert_null(built.config);
    assert_int_equal(built.findings.items[0].code, MUTUAL_E_FILE_TOO_LARGE);
    built_done(&built);
}

/* What stands before the place of a syntax error is judged all the same; what is missing is not. */
static void test_errors_before_the_broken_line(void **state)
{
    (void)state;
    struct built built = build_text("wrokers: 3\ninbound:\n  - name: x\n    listen: \"\n");
    assert_int_equal(built.findings.errors, 2);
    assert_non_null(strstr(built.findings.items[0].text, "unknown setting \"wrokers\""));
    assert_int_equal(built.findings.items[1].code, MUTUAL_E_CONFIG_SYNTAX);
    built_done(&built);
}

/* Whatever allocation fails, nothing leaks and the configuration is refused with a finding. */
static void test_no_memory(void **state)
{
    (void)state;
    struct built built = {0};
    built_add(&built, "m.yaml", SAMPLE);
    bool sound = false;
    for (unsigned long n = 1; !sound; n++) {
        mu_alloc_fail_after(n);
        sound = config_build(built.snapshot, NULL, &built.findings, &built.config);
        mu_alloc_fail_after(0);
        assert_true(sound || built.findings.errors > 0);
        config_findings_done(&built.findings);
    }
    built_done(&built);
}

UNIT_MAIN(UNIT_CASE(test_json_is_taken), UNIT_CASE(test_quotes_do_not_matter),
          UNIT_CASE(test_what_yaml_has_and_we_do_not), UNIT_CASE(test_broken_syntax_in_words),
          UNIT_CASE(test_bytes_that_are_no_text), UNIT_CASE(test_bounds),
          UNIT_CASE(test_errors_before_the_broken_line), UNIT_CASE(test_no_memory))
