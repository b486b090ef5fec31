/* SPDX-License-Identifier: Apache-2.0
 *
 * The grammar of names: what is a name of each type, what it is normalised to, and the hostile
 * texts that have fooled others.
 */
#include "identity/identity.h"
#include "unit.h"

struct row {
    enum mutual_name_type type;
    const char *text;
    size_t len;       /* 0: strlen(text) */
    const char *want; /* NULL: refused */
};

#define GOOD(type_, text_, want_)            \
    {                                        \
        MUTUAL_NAME_##type_, text_, 0, want_ \
    }
#define BAD(type_, text_)                                   \
    {                                                       \
        MUTUAL_NAME_##type_, text_, sizeof(text_) - 1, NULL \
    }

static const struct row rows[] = {
    GOOD(DNS, "db.example.org", "db.example.org"),
    GOOD(DNS, "DB.Example.ORG", "db.example.org"),
    GOOD(DNS, "db.example.org.", "db.example.org"),
    GOOD(DNS, "localhost", "localhost"),
    GOOD(DNS, "xn--bcher-kva.example", "xn--bcher-kva.example"),
    GOOD(DNS, "3com.example", "3com.example"),
    GOOD(DNS, "a-b.c--d.example", "a-b.c--d.example"),
    BAD(DNS, ""),
    BAD(DNS, "."),
    BAD(DNS, "db..example.org"),
    BAD(DNS, "db.example.org.."),
    BAD(DNS, ".example.org"),
    BAD(DNS, "*.example.org"),
    BAD(DNS, "db.*.example.org"),
    BAD(DNS, "d*b.example.org"),
    BAD(DNS, "my_db.example.org"),
    BAD(DNS, "-db.example.org"),
    BAD(DNS, "db-.example.org"),
    BAD(DNS, "db example.org"),
    BAD(DNS, "db.example.org\0.evil.org"),
    BAD(DNS, "db.example.org\n"),
    BAD(DNS, "db.example.org\r\n.evil.org"),
    BAD(DNS, "d\xc3\xb6.example.org"),
    BAD(DNS, "db\x7f.example.org"),
    BAD(DNS, "10.0.0.1"),
    BAD(DNS, "example.1"),
    BAD(DNS, "db.example.org:443"),
    BAD(DNS, "user@db.example.org"),
    BAD(DNS, "https://db.example.org"),
    BAD(DNS, "db%2eexample.org"),

    GOOD(EMAIL, "Alice@Example.ORG", "Alice@example.org"),
    GOOD(EMAIL, "a.b+c@example.org", "a.b+c@example.org"),
    GOOD(EMAIL, "*@example.org", "*@example.org"),
    BAD(EMAIL, "example.org"),
    BAD(EMAIL, "@example.org"),
    BAD(EMAIL, "alice@"),
    BAD(EMAIL, "alice@evil@example.org"),
    BAD(EMAIL, ".alice@example.org"),
    BAD(EMAIL, "alice.@example.org"),
    BAD(EMAIL, "al..ice@example.org"),
    BAD(EMAIL, "\"alice\"@example.org"),
    BAD(EMAIL, "alice smith@example.org"),
    BAD(EMAIL, "alice@[10.0.0.1]"),
    BAD(EMAIL, "alice@*.example.org"),
    BAD(EMAIL, "alice\0@example.org"),
    BAD(EMAIL, "alice@example.org\n"),
    BAD(EMAIL, "alice@exa_mple.org"),
    BAD(EMAIL, "0123456789012345678901234567890123456789012345678901234567890123x@example.org"),

    GOOD(IP, "10.0.0.1", "10.0.0.1"),
    GOOD(IP, "2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
    GOOD(IP, "::1", "::1"),
    GOOD(IP, "::ffff:10.0.0.1", "::ffff:10.0.0.1"),
    BAD(IP, ""),
    BAD(IP, "10.0.0"),
    BAD(IP, "010.0.0.1"),
    BAD(IP, "10.0.0.256"),
    BAD(IP, "10.0.0.1 "),
    BAD(IP, "10.0.0.1\0"),
    BAD(IP, "0x0a.0.0.1"),
    BAD(IP, "167772161"),
    BAD(IP, "[::1]"),
    BAD(IP, "fe80::1%eth0"),
    BAD(IP, "10.0.0.0/8"),
    BAD(IP, "1:2:3:4:5:6:7:8:9"),

    GOOD(URI, "https://example.org/a?b#c", "https://example.org/a?b#c"),
    GOOD(URI, "urn:uuid:6e8bc430", "urn:uuid:6e8bc430"),
    GOOD(URI, "HTTPS://Example.org/%2F", "HTTPS://Example.org/%2F"),
    BAD(URI, ""),
    BAD(URI, "example.org/a"),
    BAD(URI, "//example.org"),
    BAD(URI, ":nothing"),
    BAD(URI, "1a://x"),
    BAD(URI, "https:"),
    BAD(URI, "https://example.org/%2"),
    BAD(URI, "https://example.org/%zz"),
    BAD(URI, "https://example.org/a b"),
    BAD(URI, "https://example.org/\0"),
    BAD(URI, "https://example.org/\n"),
    BAD(URI, "https://example.org/<a>"),
    BAD(URI, "spiffe://example.org/a"),
    BAD(URI, "SPIFFE://example.org/a"),

    GOOD(SPIFFE, "spiffe://example.org", "spiffe://example.org"),
    GOOD(SPIFFE, "spiffe://example.org/hr/pay-roll_1.2", "spiffe://example.org/hr/pay-roll_1.2"),
    GOOD(SPIFFE, "spiffe://my_domain-1.x/A", "spiffe://my_domain-1.x/A"),
    BAD(SPIFFE, ""),
    BAD(SPIFFE, "spiffe:/example.org"),
    BAD(SPIFFE, "spiffe:example.org"),
    BAD(SPIFFE, "spiffe://"),
    BAD(SPIFFE, "spiffe:///a"),
    BAD(SPIFFE, "SPIFFE://example.org/a"),
    BAD(SPIFFE, "Spiffe://example.org/a"),
    BAD(SPIFFE, "spiffe://Example.org/a"),
    BAD(SPIFFE, "spiffe://example.org/"),
    BAD(SPIFFE, "spiffe://example.org/a/"),
    BAD(SPIFFE, "spiffe://example.org//a"),
    BAD(SPIFFE, "spiffe://example.org/a//b"),
    BAD(SPIFFE, "spiffe://example.org/."),
    BAD(SPIFFE, "spiffe://example.org/a/../b"),
    BAD(SPIFFE, "spiffe://example.org/a/.."),
    BAD(SPIFFE, "spiffe://example.org/a%2fb"),
    BAD(SPIFFE, "spiffe://example%2eorg/a"),
    BAD(SPIFFE, "spiffe://user@example.org/a"),
    BAD(SPIFFE, "spiffe://user:word@example.org/a"),
    BAD(SPIFFE, "spiffe://example.org:8443/a"),
    BAD(SPIFFE, "spiffe://example.org/a?b=c"),
    BAD(SPIFFE, "spiffe://example.org/a#b"),
    BAD(SPIFFE, "spiffe://example.org?b"),
    BAD(SPIFFE, "spiffe://*/a"),
    BAD(SPIFFE, "spiffe://example.org/*"),
    BAD(SPIFFE, "spiffe://example.org/a*"),
    BAD(SPIFFE, "spiffe://example.org/a b"),
    BAD(SPIFFE, "spiffe://example.org/a\0"),
    BAD(SPIFFE, "spiffe://example.org/a\nb"),
    BAD(SPIFFE, "spiffe://example.org/\xc3\xb6"),
    BAD(SPIFFE, "spiffe://[::1]/a"),
    BAD(SPIFFE, " spiffe://example.org/a"),
    BAD(SPIFFE, "spiffe://example.org/a;b"),
    BAD(SPIFFE, "spiffe://example.org/~a"),

    GOOD(CN, "Alice Smith", "Alice Smith"),
    GOOD(CN, "*.example.org", "*.example.org"),
    BAD(CN, ""),
    BAD(CN, "a\0b"),
    BAD(CN, "a\tb"),
    BAD(CN, "J\xc3\xbcrgen"),
    BAD(CN, "0123456789012345678901234567890123456789012345678901234567890123x"),
};

static void case_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        const struct row *row = &rows[i];
        size_t len = row->len > 0 ? row->len : strlen(row->text);
        char storage[2049];
        struct mutual_name name;
        struct mutual_error err = {0};
        bool ok =
            mutual_name_parse(row->type, row->text, len, storage, sizeof storage, &name, &err);
        if (ok != (row->want != NULL)) {
            fail_msg("%s \"%s\": %s", mutual_name_type_word(row->type), row->text,
                     ok ? "accepted" : err.reason);
        }
        if (ok) {
            assert_string_equal(name.text, row->want);
            assert_int_equal(name.len, strlen(row->want));
            assert_int_equal(name.type, row->type);
        } else {
            assert_true(err.code == MUTUAL_E_NAME_MALFORMED ||
                        (err.code == MUTUAL_E_SPIFFE_MALFORMED && row->type == MUTUAL_NAME_SPIFFE));
            assert_true(err.reason[0] != '\0' && err.hint[0] != '\0');
        }
    }
}

/* Lengths: 63 per label, 253 in all, 255 for a trust domain, 2048 for a SPIFFE ID. */
static bool parses(enum mutual_name_type type, const char *text)
{
    char storage[2049];
    struct mutual_name name;
    return mutual_name_parse(type, text, strlen(text), storage, sizeof storage, &name, NULL);
}

static void case_lengths(void **state)
{
    (void)state;
    char text[2100];
    memset(text, 'a', sizeof text);
    text[63] = '\0';
    assert_true(parses(MUTUAL_NAME_DNS, text));
    text[63] = 'a';
    text[64] = '\0';
    assert_false(parses(MUTUAL_NAME_DNS, text));
    memset(text, 'a', sizeof text);
    text[63] = text[127] = text[191] = '.';
    text[253] = '\0';
    assert_true(parses(MUTUAL_NAME_DNS, text));
    text[253] = '.';
    text[254] = '\0';
    assert_true(parses(MUTUAL_NAME_DNS, text));
    text[253] = 'a';
    assert_false(parses(MUTUAL_NAME_DNS, text));

    memset(text, 'a', sizeof text);
    memcpy(text, "spiffe://", 9);
    text[9 + 255] = '\0';
    assert_true(parses(MUTUAL_NAME_SPIFFE, text));
    text[9 + 255] = 'a';
    text[9 + 256] = '\0';
    assert_false(parses(MUTUAL_NAME_SPIFFE, text));
    text[20] = '/';
    text[9 + 256] = 'a';
    text[2048] = '\0';
    assert_true(parses(MUTUAL_NAME_SPIFFE, text));
    text[2048] = 'a';
    text[2049] = '\0';
    assert_false(parses(MUTUAL_NAME_SPIFFE, text));
}

static void case_errors(void **state)
{
    (void)state;
    char storage[8];
    struct mutual_name name;
    struct mutual_error err = {0};
    assert_fails(mutual_name_parse(MUTUAL_NAME_DNS, "a_b", 3, storage, 8, &name, &err), &err,
                 MUTUAL_E_NAME_MALFORMED);
    assert_non_null(strstr(err.reason, "\"a_b\""));
    assert_non_null(strstr(err.reason, "underscore"));
    assert_fails(mutual_name_parse(MUTUAL_NAME_DNS, "abcdefgh", 8, storage, 8, &name, &err), &err,
                 MUTUAL_E_LIMIT);
    assert_fails(mutual_spiffe_check("spiffe://a:1/b", 14, &err), &err, MUTUAL_E_SPIFFE_MALFORMED);
    assert_non_null(strstr(err.reason, "port"));
    assert_fails(mutual_spiffe_check("spiffe://u@a/b", 14, &err), &err, MUTUAL_E_SPIFFE_MALFORMED);
    assert_non_null(strstr(err.reason, "user"));
}

/* What a stranger wrote is shown escaped and cut. */
static void case_shown_safely(void **state)
{
    (void)state;
    char text[600];
    memset(text, '\n', sizeof text);
    char storage[2049];
    struct mutual_name name;
    struct mutual_error err = {0};
    assert_fails(
        mutual_name_parse(MUTUAL_NAME_DNS, text, sizeof text, storage, sizeof storage, &name, &err),
        &err, MUTUAL_E_NAME_MALFORMED);
    assert_null(strchr(err.reason, '\n'));
    assert_non_null(strstr(err.reason, "..."));
}

static void case_words(void **state)
{
    (void)state;
    assert_string_equal(mutual_name_type_word(MUTUAL_NAME_SPIFFE), "spiffe");
    assert_string_equal(mutual_name_type_word(MUTUAL_NAME_CN), "cn");
    assert_true(mu_name_is_host(mu_slice_text("a.b")));
    assert_false(mu_name_is_host(mu_slice_text("a.b.")));
    assert_true(mu_name_is_mailbox(mu_slice_text("a@b")));
    assert_false(mu_name_is_mailbox(mu_slice_text("b")));
}

UNIT_MAIN(UNIT_CASE(case_table), UNIT_CASE(case_lengths), UNIT_CASE(case_errors),
          UNIT_CASE(case_shown_safely), UNIT_CASE(case_words))
