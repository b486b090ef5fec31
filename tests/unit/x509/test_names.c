/* SPDX-License-Identifier: Apache-2.0
 *
 * Distinguished names: equality, containment and text, with OpenSSL's canonical form as the judge
 * where it has one.
 */
#include "unit.h"
#include "x509/der_internal.h"
#include "x509/names_internal.h"
#include "x509/x509.h"

#include <openssl/x509.h>

/* A Name of single-attribute RDNs: pairs of tag and value, all of type CN unless `oid` says. */
struct part {
    struct mu_slice oid;
    uint8_t tag;
    struct mu_slice value;
    bool joined;
};
#define CN(tag_, lit_)                          \
    (struct part)                               \
    {                                           \
        OID_CN, tag_, MU_SLICE_LIT(lit_), false \
    }
#define ORG(tag_, lit_)                                               \
    (struct part)                                                     \
    {                                                                 \
        MU_SLICE_LIT("\x55\x04\x0a"), tag_, MU_SLICE_LIT(lit_), false \
    }

static struct mu_slice make(struct mu_buf *out, const struct part *parts, size_t count)
{
    mu_buf_init(out, 1u << 16);
    size_t name = mu_der_begin(out, DER_SEQUENCE);
    for (size_t i = 0; i < count;) {
        size_t set = mu_der_begin(out, DER_SET);
        do {
            size_t pair = mu_der_begin(out, DER_SEQUENCE);
            mu_der_put_oid(out, parts[i].oid);
            mu_der_put(out, parts[i].tag, parts[i].value);
            mu_der_end(out, pair);
            i++;
        } while (i < count && parts[i].joined);
        mu_der_end(out, set);
    }
    mu_der_end(out, name);
    return mu_buf_slice(out);
}

static bool ossl_equal(struct mu_slice a, struct mu_slice b)
{
    const unsigned char *p = a.data;
    const unsigned char *q = b.data;
    X509_NAME *x = d2i_X509_NAME(NULL, &p, (long)a.len);
    X509_NAME *y = d2i_X509_NAME(NULL, &q, (long)b.len);
    assert_non_null(x);
    assert_non_null(y);
    bool same = X509_NAME_cmp(x, y) == 0;
    X509_NAME_free(x);
    X509_NAME_free(y);
    return same;
}

static void equality_agrees_with_openssl(void **state)
{
    (void)state;
    const struct part forms[] = {
        CN(DER_UTF8, "Some Body"),
        CN(DER_PRINTABLE, "some body"),
        CN(DER_UTF8, "  SOME \t\n  BODY "),
        CN(DER_IA5, "Some Body"),
        CN(DER_BMP, "\0S\0o\0m\0e\0 \0B\0o\0d\0y"),
        CN(DER_UTF8, "SomeBody"),
        CN(DER_UTF8, "J\xc3\xbcrgen"),
        CN(DER_T61, "J\xfcrgen"),
        CN(DER_BMP, "\0J\0\xfc\0r\0g\0e\0n"),
        CN(DER_UTF8, "J\xc3\x9crgen"),
        CN(DER_UTF8, ""),
        CN(DER_UTF8, "   "),
        CN(DER_UNIVERSAL, "\0\0\0S\0\x01\xf6\x00"),
        CN(DER_UTF8, "s\xf0\x9f\x98\x80"),
        ORG(DER_UTF8, "Some Body"),
    };
    for (size_t i = 0; i < MU_COUNT(forms); i++) {
        for (size_t j = 0; j < MU_COUNT(forms); j++) {
            MU_AUTO(buf) struct mu_buf x;
            MU_AUTO(buf) struct mu_buf y;
            struct mu_slice a = make(&x, &forms[i], 1);
            struct mu_slice b = make(&y, &forms[j], 1);
            if (mu_name_equal(a, b) != ossl_equal(a, b)) {
                fail_msg("forms %zu and %zu: OpenSSL thinks otherwise", i, j);
            }
        }
    }
}

static void other_types_are_compared_as_bytes(void **state)
{
    (void)state;
    const struct part a = CN(DER_OCTET_STRING, "x");
    const struct part b = CN(DER_OCTET_STRING, "X");
    const struct part c = CN(DER_UTF8, "x");
    MU_AUTO(buf) struct mu_buf x;
    MU_AUTO(buf) struct mu_buf y;
    MU_AUTO(buf) struct mu_buf z;
    struct mu_slice one = make(&x, &a, 1);
    assert_true(mu_name_equal(one, one));
    assert_false(mu_name_equal(one, make(&y, &b, 1)));
    assert_false(mu_name_equal(one, make(&z, &c, 1)));
}

static void order_matters_between_sets_not_within(void **state)
{
    (void)state;
    struct part a[] = {CN(DER_UTF8, "a"), ORG(DER_UTF8, "b")};
    struct part b[] = {ORG(DER_UTF8, "b"), CN(DER_UTF8, "a")};
    MU_AUTO(buf) struct mu_buf w;
    MU_AUTO(buf) struct mu_buf x;
    MU_AUTO(buf) struct mu_buf y;
    MU_AUTO(buf) struct mu_buf z;
    struct mu_slice apart = make(&w, a, 2);
    assert_false(mu_name_equal(apart, make(&x, b, 2)));
    a[1].joined = true;
    b[1].joined = true;
    struct mu_slice one = make(&y, a, 2);
    assert_true(mu_name_equal(one, make(&z, b, 2)));
    assert_false(mu_name_equal(one, apart));
}

static void containment_is_by_whole_sets(void **state)
{
    (void)state;
    const struct part parts[] = {ORG(DER_UTF8, "Org"), CN(DER_UTF8, "leaf")};
    const struct part other[] = {ORG(DER_PRINTABLE, "ORG"), CN(DER_UTF8, "leaf2")};
    const struct part shorter[] = {ORG(DER_UTF8, "Or"), CN(DER_UTF8, "leaf")};
    MU_AUTO(buf) struct mu_buf b0;
    MU_AUTO(buf) struct mu_buf b1;
    MU_AUTO(buf) struct mu_buf b2;
    MU_AUTO(buf) struct mu_buf b3;
    MU_AUTO(buf) struct mu_buf b4;
    struct mu_slice base = make(&b0, parts, 1);
    struct mu_slice empty = make(&b1, parts, 0);
    assert_true(mu_name_within(base, make(&b2, parts, 2)));
    assert_true(mu_name_within(base, make(&b3, other, 2)));
    assert_true(mu_name_within(base, base));
    assert_true(mu_name_within(empty, base));
    assert_false(mu_name_within(base, empty));
    assert_false(mu_name_within(base, make(&b4, shorter, 2)));
}

static void malformed_names_equal_nothing(void **state)
{
    (void)state;
    const struct mu_slice wrong[] = {
        MU_SLICE_LIT(""),
        MU_SLICE_LIT("\x30\x00\x00"),
        MU_SLICE_LIT("\x30\x02\x31\x00"),         /* empty set */
        MU_SLICE_LIT("\x30\x04\x31\x02\x30\x00"), /* no type */
        MU_SLICE_LIT("\x30\x0b\x31\x09\x30\x07\x06\x03\x55\x04\x03\x0c\x01\xff"),
        MU_SLICE_LIT("\x30\x0b\x31\x09\x30\x07\x06\x03\x55\x04\x03\x0c\x01"),
        MU_SLICE_LIT(
            "\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x1e\x01x"), /* half a character */
    };
    for (size_t i = 0; i < MU_COUNT(wrong); i++) {
        assert_false(mu_name_equal(wrong[i], wrong[i]));
        MU_AUTO(buf) struct mu_buf text;
        mu_buf_init(&text, 1000);
        mu_name_text(&text, wrong[i]); /* may say anything, must not read beyond */
    }
}

static void assert_text(const struct part *parts, size_t count, const char *expected)
{
    MU_AUTO(buf) struct mu_buf name;
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 4096);
    mu_name_text(&text, make(&name, parts, count));
    assert_string_equal(mu_buf_str(&text), expected);
}

static void text_is_reversed_and_escaped(void **state)
{
    (void)state;
    struct part parts[] = {ORG(DER_UTF8, "A, Inc"), CN(DER_UTF8, "leaf")};
    assert_text(parts, 2, "CN=leaf,O=A\\, Inc");
    parts[1].joined = true;
    assert_text(parts, 2, "O=A\\, Inc+CN=leaf");
    assert_text(parts, 0, "");
    assert_text(&CN(DER_UTF8, " #a\"+;<>\\ "), 1, "CN=\\ #a\\\"\\+\\;\\<\\>\\\\\\ ");
    assert_text(&CN(DER_UTF8, "#x\x1b[2J\n"), 1, "CN=\\#x\\1B[2J\\0A");
    assert_text(&CN(DER_UTF8, "J\xc3\xbc"), 1, "CN=J\\C3\\BC");
    assert_text(&CN(DER_OCTET_STRING, "x"), 1, "CN=#040178");
    struct part odd = {MU_SLICE_LIT("\x2a\x03"), DER_UTF8, MU_SLICE_LIT("x"), false};
    assert_text(&odd, 1, "1.2.3=#0c0178");
}

static void utf8(void **state)
{
    (void)state;
    assert_true(mu_utf8_valid(MU_SLICE_LIT("a\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80")));
    assert_false(mu_utf8_valid(MU_SLICE_LIT("\x80")));
    assert_false(mu_utf8_valid(MU_SLICE_LIT("\xc0\x80")));
    assert_false(mu_utf8_valid(MU_SLICE_LIT("\xed\xa0\x80")));
    assert_false(mu_utf8_valid(MU_SLICE_LIT("\xf4\x90\x80\x80")));
    assert_false(mu_utf8_valid(MU_SLICE_LIT("\xf8\x88\x80\x80\x80")));
    assert_false(mu_utf8_valid(MU_SLICE_LIT("\xe2\x82")));
}

UNIT_MAIN(UNIT_CASE(equality_agrees_with_openssl), UNIT_CASE(other_types_are_compared_as_bytes),
          UNIT_CASE(order_matters_between_sets_not_within), UNIT_CASE(containment_is_by_whole_sets),
          UNIT_CASE(malformed_names_equal_nothing), UNIT_CASE(text_is_reversed_and_escaped),
          UNIT_CASE(utf8))
