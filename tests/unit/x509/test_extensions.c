/* SPDX-License-Identifier: Apache-2.0
 *
 * Extensions: what is read from each, which flaws are seen, what makes a certificate unreadable.
 */
#include "odd.h"

static struct mu_cert *with(const char *oid, bool critical, struct mu_slice value)
{
    struct mutual_error err = {0};
    struct mu_cert *cert = NULL;
    struct mu_raw_extension ext = {oid, critical, value};
    assert_ok(odd_extended(false, &ext, 1, &cert, &err), &err);
    return cert;
}

/* The flaws that one extension adds to those of a certificate without any. */
static uint64_t flaws_with(const char *oid, bool critical, struct mu_slice value)
{
    MU_AUTO(cert) struct mu_cert *cert = with(oid, critical, value);
    return mu_cert_facts(cert)->flaws & ~MU_FLAW(AKI_MISSING);
}

static void values_are_read(void **state)
{
    (void)state;
    MU_AUTO(cert)
    struct mu_cert *bc = with("2.5.29.19", true, HEX("\x30\x06\x01\x01\xff\x02\x01\x02"));
    assert_true(mu_cert_facts(bc)->ca && mu_cert_facts(bc)->bc_critical);
    assert_int_equal(mu_cert_facts(bc)->path_length, 2);
    MU_AUTO(cert) struct mu_cert *ku = with("2.5.29.15", false, HEX("\x03\x03\x07\x80\x80"));
    assert_int_equal(mu_cert_facts(ku)->key_usage, MU_KU_DIGITAL_SIGNATURE | MU_KU_DECIPHER_ONLY);
    assert_false(mu_cert_facts(ku)->ku_critical);
    MU_AUTO(cert)
    struct mu_cert *eku = with("2.5.29.37", true,
                               HEX("\x30\x14\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01\x06\x04\x55"
                                   "\x1d\x25\x00\x06\x02\x2a\x03"));
    assert_int_equal(mu_cert_facts(eku)->eku, MU_EKU_SERVER | MU_EKU_ANY | MU_EKU_OTHER);
    MU_AUTO(cert)
    struct mu_cert *staple = with("1.3.6.1.5.5.7.1.24", false, HEX("\x30\x03\x02\x01\x05"));
    assert_true(mu_cert_facts(staple)->must_staple);
    MU_AUTO(cert) struct mu_cert *pc = with("2.5.29.36", true, HEX("\x30\x03\x80\x01\x03"));
    assert_int_equal(mu_cert_facts(pc)->require_explicit_policy, 3);
    MU_AUTO(cert)
    struct mu_cert *cp = with("2.5.29.32", true, HEX("\x30\x06\x30\x04\x06\x02\x2a\x03"));
    assert_string_equal(mu_cert_facts(cp)->policies[0], "1.2.3");
    assert_null(mu_cert_facts(cp)->policies[1]);
    MU_AUTO(cert)
    struct mu_cert *aki = with("2.5.29.35", false, HEX("\x30\x08\x80\x01k\xa1\x00\x82\x01\x07"));
    assert_true(mu_slice_equal_text(mu_cert_facts(aki)->akid, "k"));
    assert_true(mu_cert_facts(aki)->has_aki_issuer);
    MU_AUTO(cert) struct mu_cert *none = with("1.2.3.4", true, HEX("x"));
    assert_string_equal(mu_cert_facts(none)->unknown_critical[0], "1.2.3.4");
    assert_null(mu_cert_facts(none)->unknown_critical[1]);
    MU_AUTO(cert) struct mu_cert *harmless = with("1.2.3.4", false, HEX("x"));
    assert_null(mu_cert_facts(harmless)->unknown_critical);
}

static void addresses_are_read_as_text(void **state)
{
    (void)state;
    MU_AUTO(cert)
    struct mu_cert *cert = with("2.5.29.31", false,
                                HEX("\x30\x0d\x30\x0b\xa0\x09\xa0\x07\x86\x05"
                                    "h://c"));
    assert_string_equal(mu_cert_facts(cert)->crl_uris[0], "h://c");
    MU_AUTO(cert)
    struct mu_cert *aia =
        with("1.3.6.1.5.5.7.1.1", false,
             HEX("\x30\x1f\x30\x0d\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x01\x86\x01o"
                 "\x30\x0e\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x02\x86\x02"
                 "ca"));
    assert_string_equal(mu_cert_facts(aia)->ocsp_uris[0], "o");
    assert_string_equal(mu_cert_facts(aia)->issuer_uris[0], "ca");
    assert_int_equal(flaws_with("2.5.29.31", false,
                                HEX("\x30\x0d\x30\x0b\xa0\x09\xa0\x07\x86\x05"
                                    "h:\n/c")),
                     MU_FLAW(URI_BYTES));
}

static void constraints_are_read(void **state)
{
    (void)state;
    MU_AUTO(cert)
    struct mu_cert *cert = with("2.5.29.30", true,
                                HEX("\x30\x1d\xa0\x0d\x30\x04\x82\x02.a\x30\x05\x86\x03"
                                    "b.c"
                                    "\xa1\x0c\x30\x0a\x87\x08\x0a\0\0\0\xff\0\0\0"));
    const struct mu_cert_facts *f = mu_cert_facts(cert);
    assert_true(f->has_nc && f->nc_critical);
    assert_int_equal(f->permitted_count, 2);
    assert_int_equal(f->permitted[0].base.type, MU_GNAME_DNS);
    assert_int_equal(f->permitted[1].base.type, MU_GNAME_URI);
    assert_int_equal(f->excluded_count, 1);
    assert_int_equal(f->excluded[0].base.bytes.len, 8);
}

static void flaws_are_seen(void **state)
{
    (void)state;
    static const struct {
        const char *oid;
        bool critical;
        struct mu_slice value;
        uint64_t flaws;
    } cases[] = {
        {"2.5.29.14", true, {(const uint8_t *)"\x04\x01k", 3}, MU_FLAW(SKI_CRITICAL)},
        {"2.5.29.35", true, {(const uint8_t *)"\x30\x03\x80\x01k", 5}, MU_FLAW(AKI_CRITICAL)},
        {"2.5.29.35", false, {(const uint8_t *)"\x30\x05\x80\x01k\xa1\x00", 7}, MU_FLAW(AKI_PAIR)},
        {"2.5.29.15", true, {(const uint8_t *)"\x03\x01\x00", 3}, MU_FLAW(KU_EMPTY)},
        {"2.5.29.15", true, {(const uint8_t *)"\x03\x02\x00\x80", 4}, MU_FLAW(NOT_DER)},
        {"2.5.29.15", true, {(const uint8_t *)"\x03\x02\x02\x04", 4}, MU_FLAW(KU_SIGN_NO_CA)},
        {"2.5.29.17", true, {(const uint8_t *)"\x30\x00", 2}, MU_FLAW(SAN_EMPTY)},
        {"2.5.29.19",
         false,
         {(const uint8_t *)"\x30\x03\x01\x01\xff", 5},
         MU_FLAW(BC_NOT_CRITICAL) | MU_FLAW(SKI_MISSING)},
        {"2.5.29.19", true, {(const uint8_t *)"\x30\x03\x01\x01\x00", 5}, MU_FLAW(NOT_DER)},
        {"2.5.29.19", true, {(const uint8_t *)"\x30\x03\x02\x01\x01", 5}, MU_FLAW(PATH_LENGTH)},
        {"2.5.29.30",
         false,
         {(const uint8_t *)"\x30\x08\xa0\x06\x30\x04\x82\x02.a", 10},
         MU_FLAW(NC_NOT_CRITICAL) | MU_FLAW(NC_NO_CA)},
        {"2.5.29.30",
         true,
         {(const uint8_t *)"\x30\x00", 2},
         MU_FLAW(NC_EMPTY) | MU_FLAW(NC_NO_CA)},
        {"2.5.29.30",
         true,
         {(const uint8_t *)"\x30\x02\xa0\x00", 4},
         MU_FLAW(NC_EMPTY) | MU_FLAW(NC_NO_CA)},
        {"2.5.29.30",
         true,
         {(const uint8_t *)"\x30\x0b\xa0\x09\x30\x07\x82\x02.a\x80\x01\x01", 13},
         MU_FLAW(NC_RANGED) | MU_FLAW(NC_NO_CA)},
        {"2.5.29.30",
         true,
         {(const uint8_t *)"\x30\x0e\xa0\x0c\x30\x0a\x87\x08\x0a\0\0\0\xff\0\xff\0", 16},
         MU_FLAW(NC_MASK) | MU_FLAW(NC_NO_CA)},
        {"2.5.29.36",
         false,
         {(const uint8_t *)"\x30\x03\x81\x01\x00", 5},
         MU_FLAW(PC_NOT_CRITICAL)},
        {"2.5.29.37", false, {(const uint8_t *)"\x30\x00", 2}, MU_FLAW(EKU_EMPTY)},
        {"2.5.29.54", false, {(const uint8_t *)"\x02\x01\x00", 3}, MU_FLAW(IAP_NOT_CRITICAL)},
        {"1.3.6.1.5.5.7.1.1", true, {(const uint8_t *)"\x30\x00", 2}, MU_FLAW(AIA_CRITICAL)},
    };
    for (size_t i = 0; i < MU_COUNT(cases); i++) {
        uint64_t flaws = flaws_with(cases[i].oid, cases[i].critical, cases[i].value);
        if (flaws != cases[i].flaws) {
            fail_msg("case %zu: flaws %llx, expected %llx", i, (unsigned long long)flaws,
                     (unsigned long long)cases[i].flaws);
        }
    }
}

static void flaws_across_extensions_are_seen(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    const struct mu_raw_extension no_sign[] = {
        {"2.5.29.19", true, HEX("\x30\x06\x01\x01\xff\x02\x01\x00")},
        {"2.5.29.15", true, HEX("\x03\x02\x01\x02")}, /* cRLSign */
        {"2.5.29.14", false, HEX("\x04\x01k")},
    };
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    assert_ok(odd_extended(true, no_sign, 3, &cert, &err), &err);
    assert_int_equal(mu_cert_facts(cert)->flaws,
                     MU_FLAW(AKI_MISSING) | MU_FLAW(KU_CA_NO_SIGN) | MU_FLAW(PATH_LENGTH));
    const struct mu_raw_extension twice[] = {{"2.5.29.37", false, HEX("\x30\x02\x06\x00")},
                                             {"2.5.29.14", false, HEX("\x04\x01k")},
                                             {"2.5.29.14", false, HEX("\x04\x01l")}};
    MU_AUTO(cert) struct mu_cert *doubled = NULL;
    assert_ok(odd_extended(false, twice + 1, 2, &doubled, &err), &err);
    assert_int_equal(mu_cert_facts(doubled)->flaws,
                     MU_FLAW(AKI_MISSING) | MU_FLAW(EXTENSION_TWICE));
    assert_true(mu_slice_equal_text(mu_cert_facts(doubled)->skid, "k"));
    /* An empty subject: the names must be critical, and an authority may not have it. */
    struct odd odd = {.subject = HEX("\x30\x00"),
                      .tail =
                          HEX("\xa3\x10\x30\x0e\x30\x0c\x06\x03\x55\x1d\x11\x04\x05\x30\x03\x82\x01"
                              "a")};
    MU_AUTO(cert) struct mu_cert *nameless = NULL;
    assert_ok(odd_read(odd, &nameless, &err), &err);
    assert_int_equal(mu_cert_facts(nameless)->flaws,
                     MU_FLAW(AKI_MISSING) | MU_FLAW(SAN_NOT_CRITICAL));
    assert_string_equal(mu_cert_facts(nameless)->display, "DNS:a");
    odd.tail =
        HEX("\xa3\x13\x30\x11\x30\x0f\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x05\x30\x03\x01\x01\xff");
    MU_AUTO(cert) struct mu_cert *authority = NULL;
    assert_ok(odd_read(odd, &authority, &err), &err);
    assert_int_equal(mu_cert_facts(authority)->flaws, MU_FLAW(AKI_MISSING) | MU_FLAW(SKI_MISSING) |
                                                          MU_FLAW(SUBJECT_EMPTY) |
                                                          MU_FLAW(CA_SUBJECT_EMPTY));
}

static void malformed_extensions_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *oid;
        struct mu_slice value;
    } cases[] = {
        {"2.5.29.14", {(const uint8_t *)"\x30\x00", 2}},
        {"2.5.29.15", {(const uint8_t *)"\x03\x02\x08\x80", 4}},
        {"2.5.29.15", {(const uint8_t *)"\x03\x01\x03", 3}},
        {"2.5.29.17", {(const uint8_t *)"\x30\x03\x82\x05x", 5}},
        {"2.5.29.17", {(const uint8_t *)"\x30\x00\x00", 3}},
        {"2.5.29.19", {(const uint8_t *)"\x30\x03\x02\x01\xff", 5}},
        {"2.5.29.19", {(const uint8_t *)"", 0}},
        {"2.5.29.30", {(const uint8_t *)"\x30\x04\xa0\x02\x30\x00", 6}},
        {"2.5.29.31", {(const uint8_t *)"\x30\x01\x30", 3}},
        {"2.5.29.32", {(const uint8_t *)"\x30\x02\x30\x00", 4}},
        {"2.5.29.33", {(const uint8_t *)"\x31\x00", 2}},
        {"2.5.29.35", {(const uint8_t *)"\x30\x02\x04\x00", 4}},
        {"2.5.29.36", {(const uint8_t *)"\x30\x03\x80\x01\xff", 5}},
        {"2.5.29.37", {(const uint8_t *)"\x30\x02\x06\x00", 4}},
        {"2.5.29.54", {(const uint8_t *)"\x02\x00", 2}},
        {"1.3.6.1.5.5.7.1.1", {(const uint8_t *)"\x30\x02\x30\x00", 4}},
        {"1.3.6.1.5.5.7.1.24", {(const uint8_t *)"\x30\x03\x02\x01\x85", 5}},
    };
    for (size_t i = 0; i < MU_COUNT(cases); i++) {
        struct mutual_error err;
        struct mu_cert *cert = NULL;
        struct mu_raw_extension ext = {cases[i].oid, false, cases[i].value};
        assert_fails(odd_extended(false, &ext, 1, &cert, &err), &err, MUTUAL_E_CERT_MALFORMED);
    }
}

static void hostile_names_are_refused(void **state)
{
    (void)state;
    struct mutual_error err;
    struct mu_cert *cert = NULL;
    struct mu_raw_extension ext = {"2.5.29.17", false,
                                   HEX("\x30\x07\x82\x05"
                                       "a\0b.c")};
    assert_fails(odd_extended(false, &ext, 1, &cert, &err), &err, MUTUAL_E_NAME_MALFORMED);
    assert_non_null(strstr(err.reason, "a\\x00b.c"));
    ext = (struct mu_raw_extension){"2.5.29.30", true,
                                    HEX("\x30\x08\xa0\x06\x30\x04\x82\x02\x00"
                                        "a")};
    assert_fails(odd_extended(false, &ext, 1, &cert, &err), &err, MUTUAL_E_NAME_MALFORMED);
}

static void counts_are_limited(void **state)
{
    (void)state;
    struct mutual_error err;
    struct mu_cert *cert = NULL;
    MU_AUTO(buf) struct mu_buf names;
    mu_buf_init(&names, 10000);
    size_t mark = mu_der_begin(&names, DER_SEQUENCE);
    for (size_t i = 0; i <= MU_LIMIT_CERT_NAMES; i++) {
        mu_der_put(&names, DER_CONTEXT(2), MU_SLICE_LIT("a.b"));
    }
    mu_der_end(&names, mark);
    struct mu_raw_extension ext = {"2.5.29.17", false, mu_buf_slice(&names)};
    assert_fails(odd_extended(false, &ext, 1, &cert, &err), &err, MUTUAL_E_CERT_MALFORMED);
    struct mu_raw_extension many[MU_LIMIT_CERT_EXTENSIONS + 1];
    for (size_t i = 0; i < MU_COUNT(many); i++) {
        many[i] = (struct mu_raw_extension){"1.2.3", false, HEX("x")};
    }
    assert_fails(odd_extended(false, many, MU_COUNT(many), &cert, &err), &err,
                 MUTUAL_E_CERT_MALFORMED);
}

UNIT_MAIN(UNIT_CASE(values_are_read), UNIT_CASE(addresses_are_read_as_text),
          UNIT_CASE(constraints_are_read), UNIT_CASE(flaws_are_seen),
          UNIT_CASE(flaws_across_extensions_are_seen), UNIT_CASE(malformed_extensions_are_refused),
          UNIT_CASE(hostile_names_are_refused), UNIT_CASE(counts_are_limited))
