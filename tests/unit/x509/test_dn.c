/* SPDX-License-Identifier: Apache-2.0
 *
 * Distinguished names as text, read back: the Name is the one that was written.
 */
#include "unit.h"
#include "x509/der_internal.h"
#include "x509/names_internal.h"
#include "x509/x509.h"

static void assert_reads(const char *text, const char *again)
{
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf der;
    MU_AUTO(buf) struct mu_buf canon;
    MU_AUTO(buf) struct mu_buf written;
    mu_buf_init(&der, 4096);
    mu_buf_init(&canon, 4096);
    mu_buf_init(&written, 4096);
    assert_ok(mu_name_parse(mu_slice_text(text), &der, &err), &err);
    assert_true(mu_name_canon(mu_buf_slice(&der), &canon));
    mu_name_text(&written, mu_buf_slice(&der));
    assert_string_equal(mu_buf_str(&written), again);
}

static void names_are_read_as_they_are_written(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "CN=leaf",
        "CN=leaf,O=A\\, Inc",
        "O=A\\, Inc+CN=leaf",
        "CN=a+OU=b,O=c+L=d,C=DE",
        "CN=\\ #a\\\"\\+\\;\\<\\>\\\\\\ ",
        "CN=\\#x\\1B[2J\\0A",
        "CN=J\\C3\\BC",
        "CN=#040178",
        "1.2.3=#0c0178",
        "DC=example,DC=org",
        "emailAddress=a@b.c,serialNumber=7,UID=u",
    };
    for (size_t i = 0; i < MU_COUNT(texts); i++) {
        assert_reads(texts[i], texts[i]);
    }
    assert_reads("cn=leaf, o=Example", "CN=leaf,O=Example");
    assert_reads("2.5.4.3=leaf", "CN=leaf");
    assert_reads("CN=J\xc3\xbc", "CN=J\\C3\\BC");
    assert_reads("CN=a=b", "CN=a=b");
    assert_reads("CN=a\\=b", "CN=a=b");
}

/* The type of a string is no part of a Name. */
static void what_is_read_equals_the_name_of_a_certificate(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf read;
    MU_AUTO(buf) struct mu_buf built;
    mu_buf_init(&read, 4096);
    mu_buf_init(&built, 4096);
    const struct mu_rdn rdns[] = {
        {MU_ATTR_C, "DE"}, {MU_ATTR_O, "Example"}, {MU_ATTR_CN, "An  Issuer"}};
    assert_ok(mu_name_build(rdns, 3, &built, &err), &err);
    assert_ok(mu_name_parse(MU_SLICE_LIT("CN=an issuer,O=EXAMPLE,C=de"), &read, &err), &err);
    assert_true(mu_name_equal(mu_buf_slice(&read), mu_buf_slice(&built)));
    mu_buf_clear(&read);
    assert_ok(mu_name_parse(MU_SLICE_LIT("C=DE,O=Example,CN=An Issuer"), &read, &err), &err);
    assert_false(mu_name_equal(mu_buf_slice(&read), mu_buf_slice(&built)));
}

static void what_is_no_name_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",        "Example", "=x",     "CN",       "CN=",          "CN=a,",  "CN=a,,O=b",
        ",CN=a",   "O = a",   "XX=a",   "CN=a;O=b", "CN=\"a\"",     "CN=a\\", "CN=a\\z",
        "CN=\\C3", "CN=#",    "CN=#04", "CN=#0401", "CN=#04017800", "CN=#zz", "1..2=a",
        "CN=a+",   "CN=a\nb", "CN=<a>", "3.4=a",    "CN=a\\0",
    };
    for (size_t i = 0; i < MU_COUNT(texts); i++) {
        struct mutual_error err = {0};
        MU_AUTO(buf) struct mu_buf der;
        mu_buf_init(&der, 4096);
        assert_fails(mu_name_parse(mu_slice_text(texts[i]), &der, &err), &err,
                     MUTUAL_E_NAME_MALFORMED);
    }
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf many;
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&many, 4096);
    mu_buf_init(&der, 4096);
    for (int i = 0; i < 33; i++) {
        mu_buf_printf(&many, "%sCN=a", i > 0 ? "," : "");
    }
    assert_fails(mu_name_parse(mu_buf_slice(&many), &der, &err), &err, MUTUAL_E_NAME_MALFORMED);
}

UNIT_MAIN(UNIT_CASE(names_are_read_as_they_are_written),
          UNIT_CASE(what_is_read_equals_the_name_of_a_certificate),
          UNIT_CASE(what_is_no_name_is_refused))
