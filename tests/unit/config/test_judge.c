/* SPDX-License-Identifier: Apache-2.0
 *
 * src/config/judge.c: what cannot be, what is unsafe, what is probably not meant.
 */
#include "config_support.h"

#define TRUST "version: 1\ntrust: [{name: corp, bundle: b}]\n"
#define IN(name_, rest_)                                                                        \
    "  - {name: " name_ ", certificate: /c, forward: 'unix:/x', clients: {trust: corp}, " rest_ \
    "}\n"
#define OUT(name_, rest_) \
    "  - {name: " name_ ", connect: 'h:1', expect: {dns: h}, trust: corp, " rest_ "}\n"

static void test_names(void **state)
{
    (void)state;
    enum mutual_code code = MUTUAL_E_CONFIG_INVALID;
    assert_finding("version: 1\ntrust:\n  - {name: a, bundle: b}\n  - {name: a, bundle: b}\n", code,
                   4, 12, "the trust block \"a\" is named already, in m.yaml:3");
    assert_finding(
        TRUST "inbound:\n" IN("x", "listen: ':1'") "outbound:\n" OUT("x", "listen: 'localhost:2'"),
        code, 6, 12, "the service \"x\" is named already");
    assert_finding(
        "version: 1\npolicy:\n  - {grant: g, to: '*', from: {dns: a}, owner: o, why: w}\n"
        "  - {grant: g, to: '*', from: {dns: b}, owner: o, why: w}\n",
        code, 4, 13, "the grant \"g\" is named already, in m.yaml:3");
}

static void test_references(void **state)
{
    (void)state;
    struct built b = build_text(
        "version: 1\ntrust: [{name: corp, bundle: b}]\ninbound:\n"
        "  - {name: db, listen: ':1', certificate: /c, forward: 'unix:/x', clients: {trust: "
        "cork}}\n"
        "outbound:\n"
        "  - {name: out, listen: 'localhost:2', connect: 'h:1', expect: {dns: h}, trust: nobody}\n"
        "policy:\n"
        "  - {grant: g, to: [db, bd, out], from: {dns: a}, owner: o, why: w}\n");
    assert_int_equal(b.findings.errors, 4);
    assert_string_equal(b.findings.items[0].hint, "did you mean \"corp\"?");
    assert_non_null(strstr(b.findings.items[1].text, "there is no trust block \"nobody\""));
    assert_int_equal(b.findings.items[2].code, MUTUAL_E_GRANT_UNREACHABLE);
    assert_string_equal(b.findings.items[2].hint, "did you mean \"db\"?");
    assert_non_null(strstr(b.findings.items[3].hint, "it is outbound"));
    built_done(&b);
}

static void test_plaintext_beyond_this_machine(void **state)
{
    (void)state;
    assert_finding(TRUST "outbound:\n" OUT("x", "listen: ':7001'"), MUTUAL_E_LISTEN_UNSAFE, 4, 70,
                   "would listen in the clear beyond this machine");
    assert_good(TRUST "outbound:\n" OUT("x", "unsafe-listen: true, listen: ':7001'"));
    assert_good(TRUST "outbound:\n" OUT("x", "listen: ['[::1]:7001', 'unix:/x', 'systemd:x']"));
    assert_finding("version: 1\nstatus: '0.0.0.0:1'\n", MUTUAL_E_LISTEN_UNSAFE, 2, 9,
                   "it tells who connects");
    assert_good("version: 1\nstatus: {listen: '0.0.0.0:1', unsafe-listen: true}\n");
    assert_finding("version: 1\ninbound:\n  - {name: a, certificate: /c, forward: '10.0.0.1:1', "
                   "clients: {mode: none}, listen: ':1'}\n",
                   MUTUAL_E_CONFIG_UNSAFE, 3, 41, "the way there is in the clear");
    assert_good("version: 1\ninbound:\n  - {name: a, certificate: /c, forward: '10.0.0.1:1', "
                "unsafe-forward: true, clients: {mode: none}, listen: ':1'}\n");
}

static void test_collisions(void **state)
{
    (void)state;
    enum mutual_code code = MUTUAL_E_CONFIG_INVALID;
    assert_finding(TRUST "inbound:\n" IN("a", "listen: ':1'") IN("b", "listen: '127.0.0.1:1'"),
                   code, 5, 84, "\"127.0.0.1:1\" collides with \":1\", in m.yaml:4");
    assert_finding(TRUST "inbound:\n" IN("a", "listen: ['unix:/s', 'unix:/s']"), code, 4, 96,
                   "collides");
    assert_good(TRUST "inbound:\n" IN("a", "listen: '127.0.0.2:1'")
                    IN("b", "listen: '127.0.0.1:1'"));
    assert_good(TRUST "inbound:\n" IN("a", "listen: '127.0.0.1:0'")
                    IN("b", "listen: '127.0.0.1:0'"));
}

static void test_modes(void **state)
{
    (void)state;
    assert_finding("version: 1\ninbound:\n  - {name: a, certificate: /c, forward: 'unix:/x', "
                   "listen: ':1'}\n",
                   MUTUAL_E_CONFIG_INVALID, 3, 5,
                   "asks clients for certificates and trusts nobody");
    struct built b =
        build_text(TRUST "inbound:\n  - {name: a, certificate: /c, forward: 'unix:/x', "
                         "clients: {mode: none, trust: corp}, listen: ':1'}\n");
    assert_int_equal(b.findings.errors, 0);
    assert_non_null(strstr(b.findings.items[0].text, "trust has no effect"));
    built_done(&b);
    b = build_text(TRUST "inbound:\n" IN("a", "listen: ':1'"));
    assert_int_equal(b.findings.warnings, 1);
    assert_non_null(strstr(b.findings.items[0].text, "no grant leads to \"a\""));
    built_done(&b);
}

static void test_outbound_presents_one(void **state)
{
    (void)state;
    assert_finding(TRUST "outbound:\n" OUT("x", "certificate: [/a, /b], listen: 'localhost:1'"),
                   MUTUAL_E_CONFIG_INVALID, 4, 80, "presents one certificate");
}

#define HOSTS(hosts_)                          \
    TRUST "inbound:\n" IN(                     \
        "api", "listen: ':1', hosts: [" hosts_ \
               "]") "policy:\n  - {grant: g, to: '*', from: {dns: a}, owner: o, why: w}\n"

/* A host is a service LISTENER/NAME; what it does not say is its listener's. */
static void test_hosts(void **state)
{
    (void)state;
    struct built b =
        build_text(HOSTS("{names: ['*.P.example.org', b.example.org]}, {names: c.example.org, "
                         "name: c, forward: 'unix:/y', clients: {mode: request}, alpn: h2}"));
    assert_non_null(b.config);
    assert_int_equal(b.config->served_count, 3);
    const struct config_inbound *listener = config_inbound_find(b.config, "api");
    const struct config_inbound *first = config_inbound_find(b.config, "api/p.example.org");
    const struct config_inbound *second = config_inbound_find(b.config, "api/c");
    assert_non_null(listener);
    assert_ptr_equal(b.config->served[1], first);
    assert_ptr_equal(b.config->served[2], second);
    assert_ptr_equal(first->listener, listener);
    assert_string_equal(first->forward.path, "/x");
    assert_ptr_equal(first->certificates, listener->certificates);
    assert_int_equal(first->clients.mode, CONFIG_MODE_REQUIRE);
    assert_string_equal(second->forward.path, "/y");
    assert_int_equal(second->clients.mode, CONFIG_MODE_REQUEST);
    assert_string_equal(second->clients.trust, "corp"); /* the listener's, for it says none */
    assert_string_equal(second->alpn.items[0], "h2");
    assert_int_equal(second->listen_count, 0);
    built_done(&b);
}

static void assert_said(const char *text, size_t errors, const char *said)
{
    struct built b = build_text(text);
    bool found = said == NULL;
    assert_int_equal(b.findings.errors, errors);
    for (size_t i = 0; i < b.findings.count; i++) {
        found = found || strstr(b.findings.items[i].text, said) != NULL;
    }
    assert_true(found);
    built_done(&b);
}

#define ACME(rest_) "version: 1\nauthority: {directory: /d, " rest_ "}\n"

static void test_administrators_are_counted(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 1u << 16);
    for (unsigned count = CONFIG_ADMIN_PATTERNS; count <= CONFIG_ADMIN_PATTERNS + 1; count++) {
        mu_buf_clear(&text);
        mu_buf_text(&text, "version: 1\nauthority: {directory: /d, admins: [{role: auditor, "
                           "owner: o, why: w, who: [");
        for (unsigned i = 0; i < count; i++) {
            mu_buf_printf(&text, "%s{dns: h%u.example.org}", i > 0 ? ", " : "", i);
        }
        mu_buf_text(&text, "]}]}\n");
        bool many = count > CONFIG_ADMIN_PATTERNS;
        assert_said(mu_buf_str(&text), many, many ? "administrators are 65 patterns" : NULL);
    }
}

static void test_acme(void **state)
{
    (void)state;
    assert_said(ACME("acme: {accounts: bound}"), 1, "authority.url does not say them");
    assert_said(ACME("url: 'https://ca', acme: {accounts: bound}"), 0, NULL);
    assert_said(ACME("acme: {accounts: none}"), 0, NULL);
    assert_said(ACME("url: 'https://ca', acme: {accounts: open}"), 0, "whoever controls");
    assert_said(ACME("url: 'https://ca', acme: {accounts: any}"), 1, "");
    static const char *const good[] = {"192.0.2.53:53", "'[2001:db8::53]:5353'"};
    static const char *const bad[] = {"ns.example.org:53", "192.0.2.53",        "'192.0.2.53:0'",
                                      "'192.0.2.53:x'",    "'[::1]'",           "'::1:53'",
                                      "'1.2.3.4:53,x:1'",  "'192.0.2.53:70000'"};
    for (size_t i = 0; i < MU_COUNT(good); i++) {
        char text[256];
        (void)snprintf(text, sizeof text, ACME("acme: {resolver: %s}"), good[i]);
        assert_said(text, 0, NULL);
    }
    for (size_t i = 0; i < MU_COUNT(bad); i++) {
        char text[256];
        (void)snprintf(text, sizeof text, ACME("acme: {resolver: %s}"), bad[i]);
        assert_said(text, 1, "is no address with a port");
    }
}

static void test_hosts_that_cannot_be(void **state)
{
    (void)state;
    enum mutual_code code = MUTUAL_E_CONFIG_INVALID;
    assert_finding(HOSTS("{name: a, names: a.example.org}, {name: a, names: b.example.org}"), code,
                   4, 140, "the service \"api/a\" is named already");
    assert_finding(HOSTS("{name: a}"), code, 4, 100, "required setting \"names\" is missing");
    assert_finding(TRUST
                   "inbound:\n  - {name: a, listen: ':1', forward: 'unix:/x', clients: {trust: "
                   "corp}}\n",
                   code, 4, 5, "required setting \"certificate\" is missing");
    assert_finding(TRUST
                   "inbound:\n  - {name: a, listen: ':1', forward: 'unix:/x', clients: {trust: "
                   "corp}, hosts: [{names: x.example.org}]}\n",
                   code, 4, 81, "neither the host \"a/x.example.org\" nor its listener has a");
    assert_finding(
        TRUST "inbound:\n" IN(
            "api", "listen: ':1', hosts: [{names: a.b}]") "policy:\n  - {grant: g, to: api/b, "
                                                          "from: {dns: a}, owner: o, why: w}\n",
        MUTUAL_E_GRANT_UNREACHABLE, 6, 20, "there is no inbound host \"api/b\"");
    assert_finding(TRUST
                   "inbound:\n" IN("api", "listen: ':1'") "policy:\n  - {grant: g, to: api/a/b, "
                                                          "from: {dns: a}, owner: o, why: w}\n",
                   code, 6, 20, "\"api/a/b\" is not a service's name");
}

#define APPLICATION(rest_)                                                  \
    "version: 1\nauthority: {directory: /d}\ninbound:\n  - {name: enroll, " \
    "application: authority, listen: ':1', " rest_ "}\n"

/* The authority behind a listener: instead of a service, and in the clear without certificates. */
static void test_applications(void **state)
{
    (void)state;
    enum mutual_code code = MUTUAL_E_CONFIG_INVALID;
    assert_good(APPLICATION("certificate: /c, clients: {mode: none}"));
    assert_good(APPLICATION("plain: true"));
    assert_finding("version: 1\ninbound:\n  - {name: a, application: authority, listen: ':1', "
                   "plain: true}\n",
                   code, 3, 28, "no directory of one is named");
    assert_finding(APPLICATION("certificate: /c, clients: {mode: none}, forward: 'unix:/x'"), code,
                   4, 5, "it has a forward and an application");
    assert_finding(APPLICATION("plain: true, certificate: /c"), code, 4, 5,
                   "in the clear there are no certificates");
    assert_finding("version: 1\ninbound:\n  - {name: a, listen: ':1', plain: true, forward: "
                   "'unix:/x'}\n",
                   code, 3, 5, "only what the authority publishes");
    assert_finding(APPLICATION("certificate: /c, clients: {mode: none}, proxy-protocol: v2"), code,
                   4, 114, "told who connects already");
}

UNIT_MAIN(UNIT_CASE(test_applications), UNIT_CASE(test_hosts), UNIT_CASE(test_hosts_that_cannot_be),
          UNIT_CASE(test_acme), UNIT_CASE(test_administrators_are_counted), UNIT_CASE(test_names),
          UNIT_CASE(test_references), UNIT_CASE(test_plaintext_beyond_this_machine),
          UNIT_CASE(test_collisions), UNIT_CASE(test_modes), UNIT_CASE(test_outbound_presents_one))
