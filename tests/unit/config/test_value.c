/* SPDX-License-Identifier: Apache-2.0
 *
 * src/config/value.c: single values of every type, good and bad.
 */
#include "config_support.h"

static void assert_address(const char *text, enum config_address_kind kind, const char *host,
                           unsigned port, bool local)
{
    struct mutual_error err = {0};
    struct mu_arena *arena = mu_arena_new(65536);
    struct config_address address = {0};
    assert_ok(config_address_parse(text, true, arena, &address, &err), &err);
    assert_int_equal(address.kind, kind);
    if (kind == CONFIG_ADDRESS_TCP) {
        assert_string_equal(address.host, host);
    } else if (host != NULL) {
        assert_string_equal(address.path, host);
    }
    assert_int_equal(address.port, port);
    assert_int_equal(config_address_is_local(&address), local);
    assert_string_equal(address.text, text);
    mu_arena_free(arena);
}

static void test_addresses(void **state)
{
    (void)state;
    assert_address("127.0.0.1:80", CONFIG_ADDRESS_TCP, "127.0.0.1", 80, true);
    assert_address("127.9.9.9:0", CONFIG_ADDRESS_TCP, "127.9.9.9", 0, true);
    assert_address("[::1]:65535", CONFIG_ADDRESS_TCP, "::1", 65535, true);
    assert_address("[fe80::1%eth0]:1", CONFIG_ADDRESS_TCP, "fe80::1%eth0", 1, false);
    assert_address("localhost:1", CONFIG_ADDRESS_TCP, "localhost", 1, true);
    assert_address(":8443", CONFIG_ADDRESS_TCP, "", 8443, false);
    assert_address("0.0.0.0:1", CONFIG_ADDRESS_TCP, "0.0.0.0", 1, false);
    assert_address("db.example.org:5432", CONFIG_ADDRESS_TCP, "db.example.org", 5432, false);
    /* A name that only looks like loopback is somebody else's. */
    assert_address("127.0.0.evil:1", CONFIG_ADDRESS_TCP, "127.0.0.evil", 1, false);
    assert_address("127.0.0.1.example.org:1", CONFIG_ADDRESS_TCP, "127.0.0.1.example.org", 1,
                   false);
    assert_address("unix:/run/x.sock", CONFIG_ADDRESS_UNIX, "/run/x.sock", 0, true);
    assert_address("systemd:web", CONFIG_ADDRESS_SYSTEMD, "web", 0, true);
    assert_address("fd:5", CONFIG_ADDRESS_FD, NULL, 5, true);
}

static void test_bad_addresses(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",       "80",       "host",    "host:",  "host:x",     "host:65536", "host:-1",
        "::1:80", "[::1]",    "[::1]80", "[x]:80", "ho st:1",    "a/b:1",      "unix:x",
        "unix:",  "systemd:", "fd:",     "fd:x",   "host:000080"};
    struct mu_arena *arena = mu_arena_new(65536);
    for (size_t i = 0; i < MU_COUNT(bad); i++) {
        struct mutual_error err = {0};
        struct config_address address = {0};
        assert_fails(config_address_parse(bad[i], true, arena, &address, &err), &err,
                     MUTUAL_E_ADDRESS_MALFORMED);
    }
    static const char *const no_target[] = {":80", "host:0", "fd:3", "systemd:x"};
    for (size_t i = 0; i < MU_COUNT(no_target); i++) {
        struct mutual_error err = {0};
        struct config_address address = {0};
        assert_fails(config_address_parse(no_target[i], false, arena, &address, &err), &err,
                     MUTUAL_E_ADDRESS_MALFORMED);
    }
    mu_arena_free(arena);
}

#define INBOUND(rest_)                                                                     \
    "version: 1\ntrust: [{name: t, bundle: b}]\ninbound:\n  - name: a\n    listen: ':1'\n" \
    "    forward: 'unix:/x'\n    clients: {trust: t}\n    certificate: /c\n    " rest_ "\n"

static void bad(const char *text, unsigned col, const char *part)
{
    assert_finding(text, MUTUAL_E_CONFIG_INVALID, 9, col, part);
}

static void test_bad_values(void **state)
{
    (void)state;
    assert_good(INBOUND("timeouts: {handshake: 3s}"));
    bad(INBOUND("unsafe-forward: yes"), 21, "\"yes\" is neither true nor false");
    bad(INBOUND("connections: {max: many}"), 24, "\"many\" is not a whole number");
    bad(INBOUND("connections: {max: 0}"), 24, "0 is out of bounds: 1 to 10000000");
    bad(INBOUND("connections: {max: -1}"), 24, "\"-1\" is not a whole number");
    bad(INBOUND("connections: {max: 1e3}"), 24, "\"1e3\" is not a whole number");
    bad(INBOUND("timeouts: {handshake: 11m}"), 27, "11m is out of bounds: 1s to 600s");
    bad(INBOUND("tls: {min: 1.1}"), 16, "\"1.1\" is not a valid value of \"min\"");
    bad(INBOUND("tls: {min: [1.2]}"), 16, "\"min\" takes a single value");
    bad(INBOUND("tls: {min: }"), 16, "\"min\" has no value");
    bad(INBOUND("tls: {min: null}"), 16, "\"min\" has no value");
    bad(INBOUND("alpn: \"a\\nb\""), 11, "\"alpn\" takes one line of text");
    assert_finding(INBOUND("timeouts: {handshake: 10}"), MUTUAL_E_TIME_MALFORMED, 9, 27, "10");
    assert_finding("version: 1\nuser: 'a b'\n", MUTUAL_E_CONFIG_INVALID, 2, 7, "is not a name");
    assert_finding("version: 1\nstatus: nowhere\n", MUTUAL_E_ADDRESS_MALFORMED, 2, 9, "no port");
}

static void test_secrets_are_never_repeated(void **state)
{
    (void)state;
    static const char *const texts[] = {"hunter2", "file:", "credential:../etc/shadow"};
    for (size_t i = 0; i < MU_COUNT(texts); i++) {
        char text[512];
        (void)snprintf(text, sizeof text,
                       "version: 1\ninbound:\n  - name: a\n    listen: ':1'\n    forward: "
                       "'unix:/x'\n    clients: {mode: none}\n    certificate: {chain: c, key: k, "
                       "passphrase: \"%s\"}\n",
                       texts[i]);
        struct built built = build_text(text);
        assert_int_equal(built.findings.errors, 1);
        for (size_t f = 0; f < built.findings.count; f++) {
            assert_null(strstr(built.findings.items[f].text, texts[i]));
        }
        built_done(&built);
    }
}

#define GRANT(from_) \
    "version: 1\npolicy:\n  - {grant: g, to: '*', owner: o, why: w, from: " from_ "}\n"

static void test_patterns(void **state)
{
    (void)state;
    assert_good(GRANT("{dns: a}"));
    assert_good(GRANT("[{dns: a}, {spiffe: b}, {ip: c}, {email: d}, {uri: e}, {cn: f}]"));
    assert_finding(GRANT("dns"), MUTUAL_E_CONFIG_INVALID, 3, 49, "a pattern is a type");
    assert_finding(GRANT("{dns: a, ip: b}"), MUTUAL_E_CONFIG_INVALID, 3, 58, "one name");
    assert_finding(GRANT("{host: a}"), MUTUAL_E_CONFIG_INVALID, 3, 50, "is not a type of name");
    assert_finding(GRANT("{dns: [a]}"), MUTUAL_E_CONFIG_INVALID, 3, 55, "a pattern is a type");
    assert_finding(GRANT("{}"), MUTUAL_E_CONFIG_INVALID, 3, 49, "a pattern is a type");
}

UNIT_MAIN(UNIT_CASE(test_addresses), UNIT_CASE(test_bad_addresses), UNIT_CASE(test_bad_values),
          UNIT_CASE(test_secrets_are_never_repeated), UNIT_CASE(test_patterns))
