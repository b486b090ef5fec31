/* SPDX-License-Identifier: Apache-2.0
 *
 * Distribution points: names in comparable form, reasons, other issuers; lists about others.
 */
#include "odd.h"
#include "x509/cert_internal.h"

static bool read_points(const char *value, size_t len, struct mu_cert **ret_cert,
                        struct mutual_error *err)
{
    struct mu_raw_extension extra = {.oid = "2.5.29.31", .value = mu_slice_of(value, len)};
    return odd_extended(false, &extra, 1, ret_cert, err);
}
#define READ(lit_) read_points((lit_), sizeof(lit_) - 1, &cert, &err)

/* CN=A in UTF-8 and CN=a as a PrintableString: one name. */
#define NAME_A                                             \
    "\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01" \
    "A"
#define NAME_B                                             \
    "\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x13\x01" \
    "a"

static void names_are_comparable(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    /* [0] { [0] { directoryName A, URI x } }; then reasons {1, 6} and cRLIssuer B alone */
    assert_ok(READ("\x30\x34"
                   "\x30\x17\xa0\x15\xa0\x13\xa4\x0e" NAME_A "\x86\x01x"
                   "\x30\x19\x81\x02\x01\x42\xa2\x13\xa4\x0e" NAME_B "\x82\x01y"),
              &err);
    const struct mu_cert_facts *facts = mu_cert_facts(cert);
    assert_int_equal(facts->crl_point_count, 2);
    const struct mu_crl_point *one = &facts->crl_points[0];
    const struct mu_crl_point *two = &facts->crl_points[1];
    assert_int_equal(one->name_count, 2);
    assert_int_equal(one->issuer_count, 0);
    assert_int_equal(one->reasons, MU_REASONS_ALL);
    assert_true(mu_slice_equal(one->names[1], HEX("\x86x")));
    assert_int_equal(two->issuer_count, 1);
    assert_int_equal(two->reasons, 1u << 1 | 1u << 6);
    /* A point without a name has that of who signs. */
    assert_true(mu_slice_equal(two->names[0], one->names[0]));
    assert_string_equal(facts->crl_uris[0], "x");
}

static void what_is_malformed_is_refused(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct mu_cert *cert = NULL;
    assert_fails(READ("\x30\x03\x30\x01\xa0"), &err, MUTUAL_E_CERT_MALFORMED);
    assert_fails(READ("\x30\x05\x30\x03\x81\x01\x00"
                      "x"),
                 &err, MUTUAL_E_CERT_MALFORMED);
    assert_fails(READ("\x30\x04\x30\x02\x81\x00"), &err, MUTUAL_E_CERT_MALFORMED);
    assert_fails(READ("\x30\x06\x30\x04\xa2\x02\xa4\x00"), &err, MUTUAL_E_CERT_MALFORMED);
    assert_fails(READ("\x30\x06\x30\x04\xa0\x02\xa2\x00"), &err, MUTUAL_E_CERT_MALFORMED);
}

static void reasons_are_bits(void **state)
{
    (void)state;
    unsigned reasons = 0;
    assert_true(mu_reason_flags(HEX("\x07\x7f\x80"), &reasons));
    assert_int_equal(reasons, MU_REASONS_ALL);
    assert_true(mu_reason_flags(HEX("\x00"), &reasons));
    assert_int_equal(reasons, 0);
    assert_false(mu_reason_flags(HEX(""), &reasons));
    assert_false(mu_reason_flags(HEX("\x08\xff"), &reasons));
}

/* One serial number, three issuers: the list's own first, then two others. */
static void lists_about_others(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct pki *root = pki_root("Root");
    struct pki *one = pki_ca(root, "One");
    struct pki *two = pki_ca(root, "Two");
    struct mu_slice serial = HEX("\x11");
    struct mu_crl_idp idp = {.indirect = true, .some_reasons = true, .reasons = 0x42};
    struct mu_revoked entries[] = {
        {.serial = serial, .time_s = 1, .issuer = one->cert},
        {.serial = HEX("\x12"), .time_s = 2, .issuer = one->cert},
        {.serial = HEX("\x13"), .time_s = 3, .issuer = two->cert, .reason = MU_REASON_HOLD},
        {.serial = HEX("\x14"), .time_s = 4},
    };
    struct mu_crl_template t = {.issuer = root->cert,
                                .this_update_s = PKI_NOW_S,
                                .next_update_s = PKI_NOW_S + 1,
                                .idp = &idp,
                                .entries = entries,
                                .count = MU_COUNT(entries)};
    MU_AUTO(buf) struct mu_buf der;
    MU_AUTO(crl) struct mu_crl *crl = NULL;
    mu_buf_init(&der, 65536);
    assert_ok(mu_crl_sign(&t, root->key, &der, &err), &err);
    assert_ok(mu_crl_from_der(mu_buf_slice(&der), &crl, &err), &err);
    assert_int_equal(mu_crl_facts(crl)->issuer_count, 3);
    assert_int_equal(mu_crl_facts(crl)->idp->reasons, 0x42);
    for (size_t i = 0; i < MU_COUNT(entries); i++) {
        const struct mu_cert *who = entries[i].issuer != NULL ? entries[i].issuer : root->cert;
        uint8_t hash[32];
        struct mu_revoked found;
        assert_true(mu_sha256(mu_cert_facts(who)->subject_canon, hash, NULL));
        assert_true(mu_crl_find_of(crl, hash, entries[i].serial, &found));
        assert_int_equal(found.time_s, entries[i].time_s);
        assert_memory_equal(found.issuer_hash, hash, 32);
        assert_int_equal(mu_crl_find(crl, entries[i].serial, NULL), entries[i].issuer == NULL);
    }
    /* The same entries in a list that is not indirect. */
    MU_AUTO(buf) struct mu_buf direct;
    struct mu_crl *none = NULL;
    mu_buf_init(&direct, 65536);
    idp.indirect = false;
    assert_ok(mu_crl_sign(&t, root->key, &direct, &err), &err);
    assert_fails(mu_crl_from_der(mu_buf_slice(&direct), &none, &err), &err, MUTUAL_E_CRL_MALFORMED);
}

UNIT_MAIN(UNIT_CASE(names_are_comparable), UNIT_CASE(what_is_malformed_is_refused),
          UNIT_CASE(reasons_are_bits), UNIT_CASE(lists_about_others))
