/* SPDX-License-Identifier: Apache-2.0
 *
 * The names of a certificate: types, order, normal forms, and certificates that are refused for one
 * bad name.
 */
#include "identity/identity.h"
#include "pki.h"
#include "unit.h"

static struct mu_cert *cert_of(const struct mu_gname *names, size_t count, const char *cn)
{
    struct mu_rdn subject = {MU_ATTR_CN, cn};
    struct mu_cert_template t = {
        .subject = &subject, .subject_count = 1, .names = names, .name_count = count};
    return pki_make(NULL, &t, MU_SPEC_EC_P256)->cert;
}

#define DNS(text_)                                      \
    {                                                   \
        MU_GNAME_DNS,                                   \
        {                                               \
            (const uint8_t *)(text_), sizeof(text_) - 1 \
        }                                               \
    }
#define URI(text_)                                      \
    {                                                   \
        MU_GNAME_URI,                                   \
        {                                               \
            (const uint8_t *)(text_), sizeof(text_) - 1 \
        }                                               \
    }
#define EMAIL(text_)                                    \
    {                                                   \
        MU_GNAME_EMAIL,                                 \
        {                                               \
            (const uint8_t *)(text_), sizeof(text_) - 1 \
        }                                               \
    }
#define IP(bytes_)                                        \
    {                                                     \
        MU_GNAME_IP,                                      \
        {                                                 \
            (const uint8_t *)(bytes_), sizeof(bytes_) - 1 \
        }                                                 \
    }

static void case_all_types(void **state)
{
    (void)state;
    static const struct mu_gname raw[] = {
        EMAIL("Alice@Example.ORG"),     DNS("DB.Example.org"),
        URI("spiffe://example.org/db"), DNS("*.Example.org"),
        IP("\x0a\x00\x00\x01"),         IP("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"),
    };
    static const struct mutual_name want[] = {
        {MUTUAL_NAME_EMAIL, "Alice@example.org", 17},
        {MUTUAL_NAME_DNS, "db.example.org", 14},
        {MUTUAL_NAME_SPIFFE, "spiffe://example.org/db", 23},
        {MUTUAL_NAME_DNS, "*.example.org", 13},
        {MUTUAL_NAME_IP, "10.0.0.1", 8},
        {MUTUAL_NAME_IP, "2001:db8::1", 11},
        {MUTUAL_NAME_CN, "The database", 12},
    };
    struct mutual_error err = {0};
    MU_AUTO(names) struct mu_names *names = NULL;
    struct mu_cert *cert = cert_of(raw, MU_COUNT(raw), "The database");
    assert_ok(mu_names_from_cert(cert, &names, &err), &err);
    size_t count = 0;
    const struct mutual_name *list = mu_names_list(names, &count);
    assert_int_equal(count, MU_COUNT(want));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(list[i].type, want[i].type);
        assert_string_equal(list[i].text, want[i].text);
        assert_int_equal(list[i].len, want[i].len);
    }
    MU_AUTO(names) struct mu_names *copy = NULL;
    assert_ok(mu_names_new(list, count, &copy, &err), &err);
    size_t copied = 0;
    assert_string_equal(mu_names_list(copy, &copied)[count - 1].text, "The database");
    assert_int_equal(copied, count);
}

static void case_uris(void **state)
{
    (void)state;
    static const struct mu_gname raw[] = {URI("https://x/y"), URI("urn:a:b")};
    struct mutual_error err = {0};
    MU_AUTO(names) struct mu_names *names = NULL;
    assert_ok(mu_names_from_cert(cert_of(raw, MU_COUNT(raw), "x"), &names, &err), &err);
    size_t count = 0;
    const struct mutual_name *list = mu_names_list(names, &count);
    assert_int_equal(count, 3);
    assert_int_equal(list[0].type, MUTUAL_NAME_URI);
    assert_string_equal(list[0].text, "https://x/y");
    assert_string_equal(list[1].text, "urn:a:b");
}

static void case_refused(void **state)
{
    (void)state;
    static const struct {
        struct mu_gname names[2];
        size_t count;
        enum mutual_code code;
    } rows[] = {
        {{DNS("a_b.example.org")}, 1, MUTUAL_E_NAME_MALFORMED},
        {{DNS("a.example.org.")}, 1, MUTUAL_E_NAME_MALFORMED},
        {{DNS(".example.org")}, 1, MUTUAL_E_NAME_MALFORMED},
        {{DNS("10.0.0.1")}, 1, MUTUAL_E_NAME_MALFORMED},
        {{DNS("*")}, 1, MUTUAL_E_NAME_MALFORMED},
        {{DNS("a.*.example.org")}, 1, MUTUAL_E_NAME_MALFORMED},
        {{DNS("ok.example.org"), DNS("b d")}, 2, MUTUAL_E_NAME_MALFORMED},
        {{EMAIL("a@b@example.org")}, 1, MUTUAL_E_NAME_MALFORMED},
        {{EMAIL("example.org")}, 1, MUTUAL_E_NAME_MALFORMED},
        {{URI("no scheme")}, 1, MUTUAL_E_NAME_MALFORMED},
        {{URI("SPIFFE://example.org/a")}, 1, MUTUAL_E_SPIFFE_MALFORMED},
        {{URI("spiffe://Example.org/a")}, 1, MUTUAL_E_SPIFFE_MALFORMED},
        {{URI("spiffe:example.org/a")}, 1, MUTUAL_E_SPIFFE_MALFORMED},
        {{URI("spiffe://example.org:1/a")}, 1, MUTUAL_E_SPIFFE_MALFORMED},
        {{URI("spiffe://u@example.org/a")}, 1, MUTUAL_E_SPIFFE_MALFORMED},
        {{URI("spiffe://example.org/%61")}, 1, MUTUAL_E_SPIFFE_MALFORMED},
        {{URI("spiffe://example.org/*")}, 1, MUTUAL_E_SPIFFE_MALFORMED},
        {{URI("spiffe://example.org/a/")}, 1, MUTUAL_E_SPIFFE_MALFORMED},
        {{URI("spiffe://a/b"), URI("spiffe://a/c")}, 2, MUTUAL_E_SPIFFE_MALFORMED},
        {{URI("spiffe://a/b"), URI("spiffe://a/b")}, 2, MUTUAL_E_SPIFFE_MALFORMED},
        {{URI("spiffe://a/b"), URI("https://a/c")}, 2, MUTUAL_E_SPIFFE_MALFORMED},
        {{URI("urn:a:b"), URI("spiffe://a/b")}, 2, MUTUAL_E_SPIFFE_MALFORMED},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct mutual_error err = {0};
        struct mu_names *names = NULL;
        assert_fails(mu_names_check(rows[i].names, rows[i].count, &err), &err, rows[i].code);
        struct mu_cert *cert = cert_of(rows[i].names, rows[i].count, "web");
        assert_fails(mu_names_from_cert(cert, &names, &err), &err, rows[i].code);
        assert_null(names);
        assert_non_null(strstr(err.context, "\"web\""));
    }
    /* What no certificate reader lets through, should one ever. */
    struct mutual_error err = {0};
    static const struct mu_gname nul[] = {DNS("a.org\0.evil")};
    static const struct mu_gname newline[] = {EMAIL("a@b.org\n")};
    static const struct mu_gname mask[] = {IP("\x0a\0\0\0\xff\0\0\0")};
    assert_fails(mu_names_check(nul, 1, &err), &err, MUTUAL_E_NAME_MALFORMED);
    assert_fails(mu_names_check(newline, 1, &err), &err, MUTUAL_E_NAME_MALFORMED);
    assert_fails(mu_names_check(mask, 1, &err), &err, MUTUAL_E_NAME_MALFORMED);
}

static size_t count_names(const struct mu_cert *cert)
{
    struct mutual_error err = {0};
    size_t count = 0;
    MU_AUTO(names) struct mu_names *names = NULL;
    assert_ok(mu_names_from_cert(cert, &names, &err), &err);
    (void)mu_names_list(names, &count);
    return count;
}

static void case_left_out(void **state)
{
    (void)state;
    /* Names of other types, a common name beyond ASCII, and two common names. */
    static const struct mu_gname dns[] = {DNS("a.example.org")};
    assert_int_equal(count_names(cert_of(dns, 1, "J\xc3\xbcrgen")), 1);
    struct mu_rdn two[] = {{MU_ATTR_CN, "one"}, {MU_ATTR_CN, "two"}};
    struct mu_cert_template t = {.subject = two, .subject_count = 2, .names = dns, .name_count = 1};
    assert_int_equal(count_names(pki_make(NULL, &t, MU_SPEC_EC_P256)->cert), 1);
    MU_AUTO(buf) struct mu_buf name;
    struct mutual_error err = {0};
    mu_buf_init(&name, 256);
    assert_ok(mu_name_build(two, 1, &name, &err), &err);
    struct mu_gname directory = {MU_GNAME_DIRNAME, mu_buf_slice(&name)};
    assert_int_equal(count_names(cert_of(&directory, 1, "x")), 1);
    size_t count = 9;
    assert_null(mu_names_list(NULL, &count));
    assert_int_equal(count, 0);
}

static void case_limits(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    static struct mutual_name many[MU_LIMIT_CERT_NAMES + 2];
    for (size_t i = 0; i < MU_COUNT(many); i++) {
        many[i] = (struct mutual_name){MUTUAL_NAME_DNS, "a.example.org", 13};
    }
    struct mu_names *names = NULL;
    assert_fails(mu_names_new(many, MU_COUNT(many), &names, &err), &err, MUTUAL_E_LIMIT);
    many[1] = (struct mutual_name){MUTUAL_NAME_DNS, "a b", 3};
    assert_fails(mu_names_new(many, 2, &names, &err), &err, MUTUAL_E_NAME_MALFORMED);
    assert_null(names);
}

UNIT_MAIN(UNIT_CASE(case_all_types), UNIT_CASE(case_uris), UNIT_CASE(case_refused),
          UNIT_CASE(case_left_out), UNIT_CASE(case_limits))
