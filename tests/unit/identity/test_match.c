/* SPDX-License-Identifier: Apache-2.0
 *
 * Server names: what a certificate's names cover (RFC 9525).
 */
#include "identity/identity.h"
#include "unit.h"

static const struct {
    enum mutual_name_type type;
    const char *name, *host;
    bool want;
} rows[] = {
    {MUTUAL_NAME_DNS, "a.example.org", "a.example.org", true},
    {MUTUAL_NAME_DNS, "a.example.org", "A.EXAMPLE.ORG.", true},
    {MUTUAL_NAME_DNS, "a.example.org", "b.example.org", false},
    {MUTUAL_NAME_DNS, "example.org", "a.example.org", false},
    {MUTUAL_NAME_DNS, "*.example.org", "a.example.org", true},
    {MUTUAL_NAME_DNS, "*.example.org", "xn--bcher-kva.example.org", true},
    {MUTUAL_NAME_DNS, "*.example.org", "example.org", false},
    {MUTUAL_NAME_DNS, "*.example.org", "a.b.example.org", false},
    {MUTUAL_NAME_DNS, "*.example.org", ".example.org", false},
    {MUTUAL_NAME_DNS, "*.example.org", "*.example.org", false},
    {MUTUAL_NAME_DNS, "*.org", "example.org", false},
    {MUTUAL_NAME_DNS, "10.0.0.1", "10.0.0.1", false},
    {MUTUAL_NAME_IP, "10.0.0.1", "10.0.0.1", true},
    {MUTUAL_NAME_IP, "2001:db8::1", "2001:DB8:0::1", true},
    {MUTUAL_NAME_IP, "10.0.0.1", "10.0.0.2", false},
    {MUTUAL_NAME_CN, "a.example.org", "a.example.org", false},
    {MUTUAL_NAME_URI, "https://a.example.org", "a.example.org", false},
    {MUTUAL_NAME_SPIFFE, "spiffe://a.example.org", "a.example.org", false},
    {MUTUAL_NAME_EMAIL, "x@a.example.org", "a.example.org", false},
    {MUTUAL_NAME_DNS, "a.example.org", "", false},
    {MUTUAL_NAME_DNS, "a.example.org", "a_b.example.org", false},
};

static void case_host(void **state)
{
    (void)state;
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct mutual_name name = {rows[i].type, rows[i].name, strlen(rows[i].name)};
        if (mu_names_match_host(&name, 1, rows[i].host) != rows[i].want) {
            fail_msg("%s for %s: expected %d", rows[i].name, rows[i].host, rows[i].want);
        }
    }
    assert_false(mu_names_match_host(NULL, 0, "a.example.org"));
}

static const struct mutual_name *match(const struct mutual_name *names, size_t count,
                                       enum mutual_name_type type, const char *text)
{
    struct mutual_error err = {0};
    struct mutual_pattern *pattern = NULL;
    assert_ok(mutual_pattern_parse(type, text, &pattern, &err), &err);
    const struct mutual_name *found = mu_names_match_pattern(names, count, pattern);
    mutual_pattern_free(pattern);
    return found;
}

static void case_pattern(void **state)
{
    (void)state;
    static const struct mutual_name names[] = {
        {MUTUAL_NAME_DNS, "*.example.org", 13},
        {MUTUAL_NAME_SPIFFE, "spiffe://example.org/a", 22},
        {MUTUAL_NAME_IP, "10.0.0.1", 8},
        {MUTUAL_NAME_DNS, "b.example.org", 13},
    };
    assert_ptr_equal(match(names, 4, MUTUAL_NAME_DNS, "a.example.org"), &names[0]);
    assert_ptr_equal(match(names, 4, MUTUAL_NAME_DNS, "*.example.org"), &names[3]);
    assert_ptr_equal(match(names, 4, MUTUAL_NAME_SPIFFE, "spiffe://example.org/*"), &names[1]);
    assert_ptr_equal(match(names, 4, MUTUAL_NAME_IP, "10.0.0.0/8"), &names[2]);
    assert_null(match(names, 4, MUTUAL_NAME_DNS, "example.org"));
    assert_null(match(names, 3, MUTUAL_NAME_DNS, "*.example.org"));
    assert_null(match(names, 4, MUTUAL_NAME_CN, "b.example.org"));
    assert_true(mu_name_is_wildcard(&names[0]));
    assert_false(mu_name_is_wildcard(&names[1]));
    assert_false(mu_name_is_wildcard(&names[3]));
}

UNIT_MAIN(UNIT_CASE(case_host), UNIT_CASE(case_pattern))
