/* SPDX-License-Identifier: Apache-2.0
 *
 * The block authority as its tables read it.
 */
#include "config_support.h"

static void what_is_left_out_has_its_default(void **state)
{
    (void)state;
    struct built b = build_text("version: 1\nauthority: {directory: /d}\n");
    assert_int_equal(b.findings.errors, 0);
    const struct config_authority *authority = &b.config->authority;
    assert_string_equal(authority->directory, "/d");
    assert_null(authority->url);
    assert_int_equal(authority->acme.accounts, CONFIG_ACME_NONE);
    assert_int_equal(authority->acme.http_port, 80);
    assert_int_equal(authority->acme.tls_port, 443);
    assert_null(authority->acme.resolver);
    built_done(&b);
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    struct built b =
        build_text("version: 1\n"
                   "authority:\n"
                   "  directory: /d\n"
                   "  url: https://ca.example.org\n"
                   "  grace-after-expiry: 30d\n"
                   "  acme: {accounts: bound, terms: https://example.org/t, http-port: 5002,\n"
                   "         tls-port: 5003, resolver: '127.0.0.1:53'}\n");
    assert_int_equal(b.findings.errors, 0);
    const struct config_authority *authority = &b.config->authority;
    assert_string_equal(authority->url, "https://ca.example.org");
    assert_int_equal(authority->grace_ns / MU_NS_PER_S, 30 * 86400);
    assert_int_equal(authority->acme.accounts, CONFIG_ACME_BOUND);
    assert_string_equal(authority->acme.terms, "https://example.org/t");
    assert_int_equal(authority->acme.http_port, 5002);
    assert_int_equal(authority->acme.tls_port, 5003);
    assert_string_equal(authority->acme.resolver, "127.0.0.1:53");
    built_done(&b);
}

static void administrators_have_a_role_names_an_owner_and_a_reason(void **state)
{
    (void)state;
    struct built b = build_text("version: 1\nauthority:\n  directory: /d\n  admins:\n"
                                "    - {role: operator, who: [{dns: a.example.org}, {spiffe: "
                                "'spiffe://example.org/ops/*'}], owner: o, why: w}\n"
                                "    - {role: admin, who: {email: '@example.org'}, owner: o, why: "
                                "w}\n");
    assert_non_null(b.config);
    const struct config_authority *authority = &b.config->authority;
    assert_int_equal(authority->admin_count, 2);
    assert_int_equal(authority->admins[0].role, CONFIG_ROLE_OPERATOR);
    assert_int_equal(authority->admins[0].who_count, 2);
    assert_string_equal(authority->admins[0].who[1].text, "spiffe://example.org/ops/*");
    assert_int_equal(authority->admins[1].role, CONFIG_ROLE_ADMIN);
    assert_string_equal(authority->admins[1].owner, "o");
    built_done(&b);
    static const char *const bad[] = {"{role: root, who: {dns: a}, owner: o, why: w}",
                                      "{who: {dns: a}, owner: o, why: w}",
                                      "{role: admin, owner: o, why: w}",
                                      "{role: admin, who: {dns: a}, why: w}",
                                      "{role: admin, who: {dns: a}, owner: o}",
                                      "{role: admin, who: a, owner: o, why: w}",
                                      "{role: admin, who: [], owner: o, why: w}"};
    for (size_t i = 0; i < MU_COUNT(bad); i++) {
        char text[256];
        (void)snprintf(text, sizeof text, "version: 1\nauthority: {directory: /d, admins: [%s]}\n",
                       bad[i]);
        b = build_text(text);
        if (b.findings.errors == 0) {
            fail_msg("%s was taken", bad[i]);
        }
        built_done(&b);
    }
}

static void ports_are_ports(void **state)
{
    (void)state;
    static const char *const bad[] = {"0", "65536", "-1", "x", "'80'x"};
    for (size_t i = 0; i < MU_COUNT(bad); i++) {
        char text[128];
        (void)snprintf(text, sizeof text, "version: 1\nauthority: {acme: {http-port: %s}}\n",
                       bad[i]);
        struct built b = build_text(text);
        assert_true(b.findings.errors > 0);
        built_done(&b);
    }
}

UNIT_MAIN(UNIT_CASE(what_is_left_out_has_its_default), UNIT_CASE(what_is_written_is_read),
          UNIT_CASE(ports_are_ports),
          UNIT_CASE(administrators_have_a_role_names_an_owner_and_a_reason))
