/* SPDX-License-Identifier: Apache-2.0
 *
 * General names read, shown and written; distinguished names built.
 */
#include "unit.h"
#include "x509/names_internal.h"
#include "x509/x509.h"

static bool read_name(struct mu_slice der, bool constraint, struct mu_gname *name,
                      struct mutual_error *err)
{
    return mu_gname_read(&der, constraint, "test", name, err);
}

static void types_are_kept(void **state)
{
    (void)state;
    struct mutual_error err;
    struct mu_gname name;
    static const struct {
        struct mu_slice der;
        enum mu_gname_type type;
        const char *text;
    } cases[] = {
        {{(const uint8_t *)"\x82\x03"
                           "a.b",
          5},
         MU_GNAME_DNS,
         "DNS:a.b"},
        {{(const uint8_t *)"\x81\x03"
                           "a@b",
          5},
         MU_GNAME_EMAIL,
         "email:a@b"},
        {{(const uint8_t *)"\x86\x04"
                           "x:\"y",
          6},
         MU_GNAME_URI,
         "URI:x:\\\"y"},
        {{(const uint8_t *)"\x87\x04\x0a\x00\x00\x01", 6}, MU_GNAME_IP, "IP:10.0.0.1"},
        {{(const uint8_t *)"\xa4\x02\x30\x00", 4}, MU_GNAME_DIRNAME, "directory:"},
        {{(const uint8_t *)"\xa0\x01x", 3}, MU_GNAME_OTHER, "other:#78"},
        {{(const uint8_t *)"\x88\x01\x2a", 3}, MU_GNAME_OTHER, "other:#2a"},
    };
    for (size_t i = 0; i < MU_COUNT(cases); i++) {
        assert_ok(read_name(cases[i].der, false, &name, &err), &err);
        assert_int_equal(name.type, cases[i].type);
        MU_AUTO(buf) struct mu_buf text;
        mu_buf_init(&text, 1000);
        mu_gname_text(&text, &name);
        assert_string_equal(mu_buf_str(&text), cases[i].text);
    }
}

static void hostile_bytes_are_refused(void **state)
{
    (void)state;
    struct mutual_error err;
    struct mu_gname name;
    static const struct mu_slice wrong[] = {
        {(const uint8_t *)"\x82\x05"
                          "a\0b.c",
         7},
        {(const uint8_t *)"\x81\x03"
                          "a\nb",
         5},
        {(const uint8_t *)"\x86\x03"
                          "a\x7f"
                          "b",
         5},
        {(const uint8_t *)"\x82\x02\xc3\xbc", 4},
        {(const uint8_t *)"\x87\x03"
                          "abc",
         5},
        {(const uint8_t *)"\x87\x08"
                          "abcdefgh",
         10},
    };
    for (size_t i = 0; i < MU_COUNT(wrong); i++) {
        assert_fails(read_name(wrong[i], false, &name, &err), &err, MUTUAL_E_NAME_MALFORMED);
    }
    assert_ok(read_name(wrong[5], true, &name, &err), &err);
    assert_fails(read_name(MU_SLICE_LIT("\x89\x01x"), false, &name, &err), &err,
                 MUTUAL_E_CERT_MALFORMED);
    assert_fails(read_name(MU_SLICE_LIT("\x82\x05x"), false, &name, &err), &err,
                 MUTUAL_E_CERT_MALFORMED);
    assert_fails(read_name(MU_SLICE_LIT("\xa4\x02\x31\x00"), false, &name, &err), &err,
                 MUTUAL_E_CERT_MALFORMED);
}

static void addresses_are_shown_as_people_write_them(void **state)
{
    (void)state;
    static const struct {
        struct mu_slice bytes;
        const char *text;
    } cases[] = {
        {{(const uint8_t *)"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16}, "IP:::1"},
        {{(const uint8_t *)"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16}, "IP:::"},
        {{(const uint8_t *)"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\0", 16}, "IP:2001:db8::"},
        {{(const uint8_t *)"\x20\x01\x0d\xb8\0\0\0\x01\0\x01\0\x01\0\x01\0\x01", 16},
         "IP:2001:db8:0:1:1:1:1:1"},
        {{(const uint8_t *)"\x0a\0\0\0\xff\0\0\0", 8}, "IP:10.0.0.0/8"},
        {{(const uint8_t *)"\x0a\0\0\0\xff\0\xff\0", 8}, "IP:10.0.0.0/255.0.255.0"},
    };
    for (size_t i = 0; i < MU_COUNT(cases); i++) {
        MU_AUTO(buf) struct mu_buf text;
        mu_buf_init(&text, 1000);
        mu_gname_text(&text, &(struct mu_gname){MU_GNAME_IP, cases[i].bytes});
        assert_string_equal(mu_buf_str(&text), cases[i].text);
    }
}

static void writing_refuses_what_reading_would(void **state)
{
    (void)state;
    struct mutual_error err;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 1000);
    struct mu_gname name = {MU_GNAME_DNS, MU_SLICE_LIT("a\0b")};
    assert_fails(mu_gname_write(&out, &name, false, &err), &err, MUTUAL_E_NAME_MALFORMED);
    name = (struct mu_gname){MU_GNAME_DNS, MU_SLICE_LIT("")};
    assert_fails(mu_gname_write(&out, &name, false, &err), &err, MUTUAL_E_NAME_MALFORMED);
    assert_ok(mu_gname_write(&out, &name, true, &err), &err);
    name = (struct mu_gname){MU_GNAME_IP, MU_SLICE_LIT("abcdefgh")};
    assert_fails(mu_gname_write(&out, &name, false, &err), &err, MUTUAL_E_NAME_MALFORMED);
    name.type = MU_GNAME_OTHER;
    assert_fails(mu_gname_write(&out, &name, false, &err), &err, MUTUAL_E_USAGE);
}

static void subjects_are_built(void **state)
{
    (void)state;
    struct mutual_error err;
    MU_AUTO(buf) struct mu_buf out;
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&out, 10000);
    mu_buf_init(&text, 10000);
    const struct mu_rdn good[] = {{MU_ATTR_C, "DE"},
                                  {MU_ATTR_O, "\xc3\x9c"
                                              "ber & Co"},
                                  {MU_ATTR_DC, "example"},
                                  {MU_ATTR_EMAIL, "a@b"},
                                  {MU_ATTR_SERIAL_NUMBER, "7"},
                                  {MU_ATTR_CN, "x"}};
    assert_ok(mu_name_build(good, MU_COUNT(good), &out, &err), &err);
    mu_name_text(&text, mu_buf_slice(&out));
    assert_string_equal(mu_buf_str(&text),
                        "CN=x,serialNumber=7,emailAddress=a@b,DC=example,O=\\C3\\9Cber & Co,C=DE");
    static const char long_name[] = "0123456789012345678901234567890123456789012345678901234567890"
                                    "1234";
    const struct mu_rdn wrong[] = {{MU_ATTR_CN, ""},
                                   {MU_ATTR_CN, long_name},
                                   {MU_ATTR_CN, "a\nb"},
                                   {MU_ATTR_CN, "\xff"},
                                   {MU_ATTR_C, "D"},
                                   {MU_ATTR_C, "D\xc3\xbc"},
                                   {MU_ATTR_EMAIL, "\xc3\xbc@b"},
                                   {MU_ATTR_SERIAL_NUMBER, "a@b"}};
    for (size_t i = 0; i < MU_COUNT(wrong); i++) {
        assert_fails(mu_name_build(&wrong[i], 1, &out, &err), &err, MUTUAL_E_NAME_MALFORMED);
    }
}

UNIT_MAIN(UNIT_CASE(types_are_kept), UNIT_CASE(hostile_bytes_are_refused),
          UNIT_CASE(addresses_are_shown_as_people_write_them),
          UNIT_CASE(writing_refuses_what_reading_would), UNIT_CASE(subjects_are_built))
