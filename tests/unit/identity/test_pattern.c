/* SPDX-License-Identifier: Apache-2.0
 *
 * Patterns: what may be written, and what each matches and does not.
 */
#include "identity/identity.h"
#include "unit.h"

struct match_row {
    enum mutual_name_type type;
    const char *pattern;
    enum mutual_name_type name_type;
    const char *name;
    bool want;
};

#define ROW(type_, pattern_, name_, want_)                               \
    {                                                                    \
        MUTUAL_NAME_##type_, pattern_, MUTUAL_NAME_##type_, name_, want_ \
    }

static const struct match_row match_rows[] = {
    ROW(SPIFFE, "spiffe://a.org/x", "spiffe://a.org/x", true),
    ROW(SPIFFE, "spiffe://a.org/x", "spiffe://a.org/X", false),
    ROW(SPIFFE, "spiffe://a.org/x", "spiffe://a.org/x/y", false),
    ROW(SPIFFE, "spiffe://a.org/x", "spiffe://a.org", false),
    ROW(SPIFFE, "spiffe://a.org", "spiffe://a.org", true),
    ROW(SPIFFE, "spiffe://a.org", "spiffe://a.org/x", false),
    ROW(SPIFFE, "spiffe://a.org/*", "spiffe://a.org/x", true),
    ROW(SPIFFE, "spiffe://a.org/*", "spiffe://a.org", false),
    ROW(SPIFFE, "spiffe://a.org/*", "spiffe://a.org/x/y", false),
    ROW(SPIFFE, "spiffe://a.org/*", "spiffe://a.org.evil/x", false),
    ROW(SPIFFE, "spiffe://a.org/*/y", "spiffe://a.org/x/y", true),
    ROW(SPIFFE, "spiffe://a.org/*/y", "spiffe://a.org/x/z", false),
    ROW(SPIFFE, "spiffe://a.org/*/y", "spiffe://a.org/x/x/y", false),
    ROW(SPIFFE, "spiffe://a.org/**", "spiffe://a.org/x", true),
    ROW(SPIFFE, "spiffe://a.org/**", "spiffe://a.org/x/y/z", true),
    ROW(SPIFFE, "spiffe://a.org/**", "spiffe://a.org", false),
    ROW(SPIFFE, "spiffe://a.org/**", "spiffe://b.org/x", false),
    ROW(SPIFFE, "spiffe://a.org/x/**", "spiffe://a.org/x", false),
    ROW(SPIFFE, "spiffe://a.org/x/**", "spiffe://a.org/xy/z", false),
    ROW(SPIFFE, "spiffe://a.org/*/**", "spiffe://a.org/x", false),
    ROW(SPIFFE, "spiffe://a.org/*/**", "spiffe://a.org/x/y", true),
    ROW(DNS, "a.example.org", "a.example.org", true),
    ROW(DNS, "A.Example.org.", "a.example.org", true),
    ROW(DNS, "a.example.org", "b.example.org", false),
    ROW(DNS, "*.example.org", "a.example.org", true),
    ROW(DNS, "*.example.org", "example.org", false),
    ROW(DNS, "*.example.org", "a.b.example.org", false),
    ROW(DNS, "*.example.org", "a.example.org.evil.com", false),
    ROW(DNS, "*.example.org", "*.example.org", false), /* a wildcard certificate is nobody */
    ROW(DNS, "*.example.org", "aexample.org", false),
    ROW(EMAIL, "alice@example.org", "alice@example.org", true),
    ROW(EMAIL, "alice@Example.org", "alice@example.org", true),
    ROW(EMAIL, "alice@example.org", "Alice@example.org", false),
    ROW(EMAIL, "@example.org", "bob@example.org", true),
    ROW(EMAIL, "@example.org", "bob@a.example.org", false),
    ROW(EMAIL, "@example.org", "bob@notexample.org", false),
    ROW(IP, "10.0.0.1", "10.0.0.1", true),
    ROW(IP, "10.0.0.0/8", "10.255.0.1", true),
    ROW(IP, "10.0.0.0/8", "11.0.0.1", false),
    ROW(IP, "10.0.0.0/9", "10.127.0.1", true),
    ROW(IP, "10.0.0.0/9", "10.128.0.1", false),
    ROW(IP, "0.0.0.0/0", "1.2.3.4", true),
    ROW(IP, "0.0.0.0/0", "::1", false),
    ROW(IP, "::/0", "::1", true),
    ROW(IP, "::ffff:0.0.0.0/96", "10.0.0.1", false),
    ROW(IP, "2001:DB8::/32", "2001:db8::1", true),
    ROW(IP, "2001:db8::1/128", "2001:db8::2", false),
    ROW(URI, "https://example.org/a", "https://example.org/a", true),
    ROW(URI, "https://example.org/a", "https://example.org/A", false),
    ROW(CN, "Alice", "Alice", true),
    ROW(CN, "*", "Alice", false),
    {MUTUAL_NAME_DNS, "example.org", MUTUAL_NAME_CN, "example.org", false},
    {MUTUAL_NAME_CN, "example.org", MUTUAL_NAME_DNS, "example.org", false},
    {MUTUAL_NAME_URI, "https://a.org", MUTUAL_NAME_SPIFFE, "https://a.org", false},
};

static void case_matches(void **state)
{
    (void)state;
    for (size_t i = 0; i < MU_COUNT(match_rows); i++) {
        const struct match_row *row = &match_rows[i];
        struct mutual_error err = {0};
        struct mutual_pattern *pattern = NULL;
        assert_ok(mutual_pattern_parse(row->type, row->pattern, &pattern, &err), &err);
        struct mutual_name name = {row->name_type, row->name, strlen(row->name)};
        if (mutual_pattern_matches(pattern, &name) != row->want) {
            fail_msg("pattern \"%s\", name \"%s\": expected %d", row->pattern, row->name,
                     row->want);
        }
        mutual_pattern_free(pattern);
    }
}

static const struct {
    enum mutual_name_type type;
    const char *text;
    enum mutual_code code;
} bad_rows[] = {
    {MUTUAL_NAME_SPIFFE, "spiffe://*/x", MUTUAL_E_SPIFFE_MALFORMED},
    {MUTUAL_NAME_SPIFFE, "spiffe://a.*/x", MUTUAL_E_SPIFFE_MALFORMED},
    {MUTUAL_NAME_SPIFFE, "spiffe://a.org/", MUTUAL_E_SPIFFE_MALFORMED},
    {MUTUAL_NAME_SPIFFE, "spiffe://a.org/**/x", MUTUAL_E_POLICY_INVALID},
    {MUTUAL_NAME_SPIFFE, "spiffe://a.org/x*", MUTUAL_E_POLICY_INVALID},
    {MUTUAL_NAME_SPIFFE, "spiffe://a.org/***", MUTUAL_E_POLICY_INVALID},
    {MUTUAL_NAME_SPIFFE, "*", MUTUAL_E_SPIFFE_MALFORMED},
    {MUTUAL_NAME_SPIFFE, "", MUTUAL_E_SPIFFE_MALFORMED},
    {MUTUAL_NAME_SPIFFE, "SPIFFE://a.org/*", MUTUAL_E_SPIFFE_MALFORMED},
    {MUTUAL_NAME_DNS, "*", MUTUAL_E_NAME_MALFORMED},
    {MUTUAL_NAME_DNS, "*.", MUTUAL_E_NAME_MALFORMED},
    {MUTUAL_NAME_DNS, "a.*.org", MUTUAL_E_NAME_MALFORMED},
    {MUTUAL_NAME_DNS, "*.*.org", MUTUAL_E_NAME_MALFORMED},
    {MUTUAL_NAME_DNS, "*a.org", MUTUAL_E_NAME_MALFORMED},
    {MUTUAL_NAME_EMAIL, "@", MUTUAL_E_NAME_MALFORMED},
    {MUTUAL_NAME_EMAIL, "@*.org", MUTUAL_E_NAME_MALFORMED},
    {MUTUAL_NAME_EMAIL, "example.org", MUTUAL_E_NAME_MALFORMED},
    {MUTUAL_NAME_IP, "10.0.0.0/33", MUTUAL_E_POLICY_INVALID},
    {MUTUAL_NAME_IP, "10.0.0.0/", MUTUAL_E_POLICY_INVALID},
    {MUTUAL_NAME_IP, "10.0.0.0/8x", MUTUAL_E_POLICY_INVALID},
    {MUTUAL_NAME_IP, "10.0.0.0/0008", MUTUAL_E_POLICY_INVALID},
    {MUTUAL_NAME_IP, "10.0.0.1/8", MUTUAL_E_POLICY_INVALID},
    {MUTUAL_NAME_IP, "::1/127", MUTUAL_E_POLICY_INVALID},
    {MUTUAL_NAME_IP, "host/8", MUTUAL_E_NAME_MALFORMED},
    {MUTUAL_NAME_IP, "/8", MUTUAL_E_NAME_MALFORMED},
    {MUTUAL_NAME_URI, "spiffe://a.org/x", MUTUAL_E_NAME_MALFORMED},
    {MUTUAL_NAME_CN, "", MUTUAL_E_NAME_MALFORMED},
};

static void case_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < MU_COUNT(bad_rows); i++) {
        struct mutual_error err = {0};
        struct mutual_pattern *pattern = NULL;
        assert_fails(mutual_pattern_parse(bad_rows[i].type, bad_rows[i].text, &pattern, &err), &err,
                     bad_rows[i].code);
        assert_null(pattern);
    }
}

static void case_described(void **state)
{
    (void)state;
    static const struct {
        enum mutual_name_type type;
        const char *text, *normal;
        bool exact;
    } described[] = {
        {MUTUAL_NAME_DNS, "A.Org", "a.org", true},
        {MUTUAL_NAME_DNS, "*.A.Org.", "*.a.org", false},
        {MUTUAL_NAME_EMAIL, "@A.org", "@a.org", false},
        {MUTUAL_NAME_IP, "2001:DB8::/32", "2001:db8::/32", false},
        {MUTUAL_NAME_IP, "0:0::1", "::1", true},
        {MUTUAL_NAME_SPIFFE, "spiffe://a/*/b", "spiffe://a/*/b", false},
        {MUTUAL_NAME_SPIFFE, "spiffe://a/b", "spiffe://a/b", true},
    };
    for (size_t i = 0; i < MU_COUNT(described); i++) {
        struct mutual_error err = {0};
        struct mutual_pattern *pattern = NULL;
        assert_ok(mutual_pattern_parse(described[i].type, described[i].text, &pattern, &err), &err);
        assert_string_equal(mutual_pattern_text(pattern), described[i].normal);
        assert_int_equal(mutual_pattern_is_exact(pattern), described[i].exact);
        assert_int_equal(mutual_pattern_type(pattern), described[i].type);
        mutual_pattern_free(pattern);
    }
    mutual_pattern_free(NULL);
}

static void case_no_memory(void **state)
{
    (void)state;
    for (unsigned long n = 1;; n++) {
        struct mutual_error err = {0};
        struct mutual_pattern *pattern = NULL;
        mu_alloc_fail_after(n);
        bool ok = mutual_pattern_parse(MUTUAL_NAME_SPIFFE, "spiffe://a.org/*/b", &pattern, &err);
        mu_alloc_fail_after(0);
        if (ok) {
            mutual_pattern_free(pattern);
            break;
        }
        assert_int_not_equal(err.code, MUTUAL_OK);
        assert_true(n < 50);
    }
}

UNIT_MAIN(UNIT_CASE(case_matches), UNIT_CASE(case_refused), UNIT_CASE(case_described),
          UNIT_CASE(case_no_memory))
