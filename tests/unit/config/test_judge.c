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

UNIT_MAIN(UNIT_CASE(test_names), UNIT_CASE(test_references),
          UNIT_CASE(test_plaintext_beyond_this_machine), UNIT_CASE(test_collisions),
          UNIT_CASE(test_modes), UNIT_CASE(test_outbound_presents_one))
