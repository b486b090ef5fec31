/* SPDX-License-Identifier: Apache-2.0
 *
 * Whom a deny list denies, and whom it does not.
 */
#include "policy_fixture.h"

#include "x509/x509.h"

#define RECORD " time=2026-11-28T15:00:00Z owner=alice reason=stolen\n"

static struct mutual_deny *deny_of(const char *lines)
{
    struct mutual_error err = {0};
    struct mutual_deny *deny = NULL;
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 64u << 20);
    mu_buf_printf(&text, "%s\n%s", MU_DENY_HEAD, lines);
    const char *whole = mu_buf_str(&text);
    assert_ok(mutual_deny_parse(whole, strlen(whole), "deny", NULL, NULL, &deny, &err), &err);
    return deny;
}

/* As in the facts of a certificate. */
static void hash_name(const char *dn, uint8_t hash[32])
{
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf der;
    MU_AUTO(buf) struct mu_buf canon;
    mu_buf_init(&der, 4096);
    mu_buf_init(&canon, 4096);
    assert_ok(mu_name_parse(mu_slice_text(dn), &der, &err), &err);
    assert_true(mu_name_canon(mu_buf_slice(&der), &canon));
    assert_ok(mu_sha256(mu_buf_slice(&canon), hash, &err), &err);
}

static int line_of_cert(const struct mutual_deny *deny, const char *issuer, const char *serial,
                        size_t serial_len, uint8_t key)
{
    uint8_t name[32];
    uint8_t key_hash[32];
    hash_name(issuer, name);
    memset(key_hash, key, sizeof key_hash);
    const struct mutual_denial *denial =
        mu_deny_find_cert(deny, name, mu_slice_of(serial, serial_len), key_hash);
    return denial == NULL ? 0 : denial->line;
}

static void certificates_are_found_by_serial_and_key(void **state)
{
    (void)state;
    struct mutual_deny *deny =
        deny_of("serial=0a1b issuer=\"CN=One,O=Example\"" RECORD "serial=0cff" RECORD
                "key=0505050505050505050505050505050505050505050505050505050505050505" RECORD
                "serial=00 issuer=\"CN=Zero\"" RECORD);
    assert_int_equal(line_of_cert(deny, "CN=One,O=Example", "\x0a\x1b", 2, 1), 2);
    assert_int_equal(line_of_cert(deny, "cn=ONE, O=example", "\x0a\x1b", 2, 1), 2);
    assert_int_equal(line_of_cert(deny, "CN=One,O=Example", "\0\0\x0a\x1b", 4, 1), 2);
    assert_int_equal(line_of_cert(deny, "O=Example,CN=One", "\x0a\x1b", 2, 1), 0);
    assert_int_equal(line_of_cert(deny, "CN=One", "\x0a\x1b", 2, 1), 0);
    assert_int_equal(line_of_cert(deny, "CN=One,O=Example", "\x0a\x1b\0", 3, 1), 0);
    assert_int_equal(line_of_cert(deny, "CN=One,O=Example", "\x0a", 1, 1), 0);
    assert_int_equal(line_of_cert(deny, "CN=Whoever", "\x0c\xff", 2, 1), 3);
    assert_int_equal(line_of_cert(deny, "CN=Whoever", "\x01", 1, 5), 4);
    assert_int_equal(line_of_cert(deny, "CN=Whoever", "\x01", 1, 6), 0);
    assert_int_equal(line_of_cert(deny, "CN=Zero", "\0", 1, 1), 5);
    assert_int_equal(line_of_cert(deny, "CN=Zero", "", 0, 1), 5);
    assert_null(mu_deny_find_cert(deny, NULL, mu_slice_of("\x0a\x1b", 2), NULL));
    assert_non_null(mu_deny_find_cert(deny, NULL, mu_slice_of("\x0c\xff", 2), NULL));
    mutual_deny_unref(deny);
}

static int line_of_name(const struct mutual_deny *deny, const char *text)
{
    const struct mutual_name *which = NULL;
    const struct mutual_name names[] = {name_of("cn nobody at all"), name_of(text)};
    const struct mutual_denial *denial = mu_deny_find_name(deny, names, 2, &which);
    assert_true(denial == NULL || which == &names[1]);
    return denial == NULL ? 0 : denial->line;
}

static void names_are_found_by_their_type_and_pattern(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int line;
    } rows[] = {
        {"spiffe spiffe://e.org/hr/web", 2},
        {"spiffe spiffe://e.org/hr/web/x", 0},
        {"spiffe spiffe://e.org/ops/a/b", 3},
        {"spiffe spiffe://e.org/ops", 0},
        {"spiffe spiffe://evil.org/ops/a", 0},
        {"uri spiffe://e.org/hr/web", 0},
        {"dns db.example.org", 4},
        {"dns x.db.example.org", 0},
        {"dns a.b.example.net", 5},
        {"dns b.example.net", 0},
        {"email db.example.org", 0},
        {"email joe@example.org", 6},
        {"email JOE@example.org", 0},
        {"email eve@example.com", 7},
        {"email eve@mail.example.com", 0},
        {"ip 192.0.2.1", 8},
        {"ip 10.200.3.4", 9},
        {"ip 11.0.0.1", 0},
        {"ip 2001:db8::5", 10},
        {"dns 192.0.2.1", 0},
        {"uri https://e.org/x", 11},
        {"uri https://e.org/x?", 0},
        {"cn Old Laptop", 12},
        {"dns old", 0},
    };
    struct mutual_deny *deny = deny_of(
        "spiffe=spiffe://e.org/hr/web" RECORD "spiffe=spiffe://e.org/ops/**" RECORD
        "dns=db.example.org" RECORD "dns=*.b.example.net" RECORD "email=joe@Example.org" RECORD
        "email=@example.com" RECORD "ip=192.0.2.1" RECORD "ip=10.0.0.0/8" RECORD
        "ip=2001:db8::/32" RECORD "uri=https://e.org/x" RECORD "cn=\"Old Laptop\"" RECORD);
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        if (line_of_name(deny, rows[i].name) != rows[i].line) {
            fail_msg("%s: line %d", rows[i].name, line_of_name(deny, rows[i].name));
        }
    }
    const struct mutual_name *which = NULL;
    assert_null(mu_deny_find_name(deny, NULL, 0, &which));
    mutual_deny_unref(deny);
}

/* Who holds a certificate for *.example.org can be every host there, the denied one too. */
static void a_wildcard_is_denied_with_a_host_that_it_stands_for(void **state)
{
    (void)state;
    struct mutual_deny *deny =
        deny_of("dns=db.example.org" RECORD "dns=*.example.net" RECORD "dns=example.com" RECORD);
    assert_int_equal(line_of_name(deny, "dns *.example.org"), 2);
    assert_int_equal(line_of_name(deny, "dns *.example.net"), 3);
    assert_int_equal(line_of_name(deny, "dns *.example.com"), 0);
    assert_int_equal(line_of_name(deny, "dns *.db.example.org"), 0);
    assert_int_equal(line_of_name(deny, "dns *.x.example.net"), 0);
    mutual_deny_unref(deny);
}

static void the_first_entry_is_told(void **state)
{
    (void)state;
    struct mutual_deny *deny = deny_of("serial=0a" RECORD "serial=0a" RECORD "dns=a.e.org" RECORD
                                       "dns=*.e.org" RECORD "dns=a.e.org" RECORD);
    assert_int_equal(line_of_cert(deny, "CN=x", "\x0a", 1, 1), 2);
    assert_int_equal(line_of_name(deny, "dns a.e.org"), 4);
    assert_int_equal(line_of_name(deny, "dns *.e.org"), 4);
    mutual_deny_unref(deny);
}

static void a_hundred_thousand_entries_are_found_again(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    MU_AUTO(buf) struct mu_buf lines;
    mu_buf_init(&lines, 64u << 20);
    for (unsigned i = 0; i < COUNT; i++) {
        if (i % 2 == 0) {
            mu_buf_printf(&lines, "serial=%08x issuer=\"CN=Issuer %u\"" RECORD, i, i % 10);
        } else {
            mu_buf_printf(&lines, "dns=h%u.example.org" RECORD, i);
        }
    }
    struct mutual_deny *deny = deny_of(mu_buf_str(&lines));
    assert_int_equal(mutual_deny_count(deny), COUNT);
    for (unsigned i = 0; i < COUNT; i += 997) {
        char text[64];
        uint8_t serial[4];
        mu_put_be32(serial, i);
        (void)snprintf(text, sizeof text, "CN=Issuer %u", i % 10);
        assert_int_equal(line_of_cert(deny, text, (const char *)serial, 4, 1),
                         i % 2 == 0 ? (int)i + 2 : 0);
        (void)snprintf(text, sizeof text, "dns h%u.example.org", i);
        assert_int_equal(line_of_name(deny, text), i % 2 == 1 ? (int)i + 2 : 0);
    }
    mutual_deny_unref(deny);
}

UNIT_MAIN(UNIT_CASE(certificates_are_found_by_serial_and_key),
          UNIT_CASE(names_are_found_by_their_type_and_pattern),
          UNIT_CASE(a_wildcard_is_denied_with_a_host_that_it_stands_for),
          UNIT_CASE(the_first_entry_is_told), UNIT_CASE(a_hundred_thousand_entries_are_found_again))
