/* SPDX-License-Identifier: Apache-2.0
 *
 * Revocation lists read: facts, lookups, refusals.
 */
#include "odd.h"

static void facts_and_lookups(void **state)
{
    (void)state;
    struct mutual_error err;
    struct pki *root = pki_root("Root");
    struct pki *good = pki_issue(root, (struct pki_leaf){.cn = "good"});
    struct pki *bad = pki_issue(root, (struct pki_leaf){.cn = "bad"});
    struct mu_slice der = pki_crl(root, bad, NULL);
    MU_AUTO(crl) struct mu_crl *crl = NULL;
    assert_ok(mu_crl_from_der(der, &crl, &err), &err);
    const struct mu_crl_facts *f = mu_crl_facts(crl);
    assert_int_equal(f->count, 1);
    assert_int_equal(f->this_update_s, PKI_NOW_S - PKI_DAY_S);
    assert_int_equal(f->next_update_s, PKI_NOW_S + 7 * PKI_DAY_S);
    assert_true(mu_slice_equal(f->number, HEX("\x01")));
    assert_null(f->delta_base.data);
    assert_null(f->idp);
    assert_null(f->unknown_critical);
    assert_string_equal(f->issuer_text, "CN=Root");
    assert_true(mu_slice_equal(f->issuer_canon, mu_cert_facts(root->cert)->subject_canon));
    assert_true(mu_slice_equal(f->akid, mu_cert_facts(root->cert)->skid));
    struct mu_revoked entry;
    assert_true(mu_crl_find(crl, mu_cert_facts(bad->cert)->serial, &entry));
    assert_int_equal(entry.reason, MU_REASON_KEY_COMPROMISE);
    assert_int_equal(entry.time_s, PKI_NOW_S - 2 * PKI_DAY_S);
    assert_false(mu_crl_find(crl, mu_cert_facts(good->cert)->serial, NULL));
    assert_ok(mu_crl_signed_by(crl, root->cert, &err), &err);
    assert_fails(mu_crl_signed_by(crl, pki_root("Root")->cert, &err), &err, MUTUAL_E_CRL_SIGNATURE);
    MU_AUTO(crl) struct mu_crl *again = mu_crl_ref(crl);
    assert_ptr_equal(again, crl);
}

static void many_entries_are_found(void **state)
{
    (void)state;
    struct mutual_error err;
    struct pki *root = pki_root("Root");
    enum { COUNT = 2000 };
    static uint8_t serials[COUNT][MU_SERIAL_BYTES];
    static struct mu_revoked entries[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        assert_ok(mu_serial_new(serials[i], &err), &err);
        size_t len = 1 + i % MU_SERIAL_BYTES;
        entries[i] =
            (struct mu_revoked){.serial = mu_slice_of(serials[i], len),
                                .time_s = PKI_NOW_S,
                                .reason = i % 2 == 0 ? MU_REASON_SUPERSEDED : MU_REASON_CESSATION};
    }
    struct mu_crl_template t = {.issuer = root->cert,
                                .this_update_s = PKI_NOW_S,
                                .next_update_s = PKI_NOW_S + 1,
                                .entries = entries,
                                .count = COUNT,
                                .delta = true,
                                .delta_base = 77};
    MU_AUTO(buf) struct mu_buf der;
    MU_AUTO(buf) struct mu_buf pem;
    mu_buf_init(&der, 1u << 20);
    mu_buf_init(&pem, 1u << 20);
    assert_ok(mu_crl_sign(&t, root->key, &der, &err), &err);
    mu_crl_to_pem(mu_buf_slice(&der), &pem);
    mu_buf_text(&pem, pki_pem(root)); /* passed over */
    struct mu_pem_reader reader;
    mu_pem_open(&reader, mu_buf_slice(&pem), "x.crl");
    MU_AUTO(crl) struct mu_crl *crl = NULL;
    assert_ok(mu_crl_from_pem(&reader, &crl, &err), &err);
    struct mu_crl *end = crl;
    assert_ok(mu_crl_from_pem(&reader, &end, &err), &err);
    assert_null(end);
    assert_int_equal(mu_crl_facts(crl)->count, COUNT);
    assert_true(mu_slice_equal(mu_crl_facts(crl)->delta_base, HEX("\x4d")));
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(mu_crl_find(crl, entries[i].serial, NULL));
    }
    for (size_t i = 1; i < COUNT; i++) {
        struct mu_revoked a = mu_crl_at(crl, i - 1);
        struct mu_revoked b = mu_crl_at(crl, i);
        assert_true(a.serial.len < b.serial.len ||
                    (a.serial.len == b.serial.len && mu_slice_compare(a.serial, b.serial) <= 0));
    }
    assert_false(mu_crl_find(crl, HEX(""), NULL));
    assert_false(mu_crl_find(crl, HEX("123456789012345678901234"), NULL));
}

/* A list with these bytes behind thisUpdate, signed. */
static bool with_tail(struct mu_slice tail, struct mu_crl **crl, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf tbs;
    MU_AUTO(buf) struct mu_buf sig;
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&tbs, 10000);
    mu_buf_init(&sig, 10000);
    mu_buf_init(&der, 10000);
    const struct mu_key *key = pki_root("Root")->key;
    size_t mark = mu_der_begin(&tbs, DER_SEQUENCE);
    mu_der_put_uint(&tbs, DER_INTEGER, 1);
    odd_put(&tbs, ODD_ECDSA);
    odd_put(&tbs, ODD_NAME);
    mu_der_put_time(&tbs, PKI_NOW_S);
    odd_put(&tbs, tail);
    mu_der_end(&tbs, mark);
    assert_ok(mu_key_sign(key, mu_key_scheme(key), mu_buf_slice(&tbs), &sig, err), err);
    assert_ok(
        mu_signed_build(mu_buf_slice(&tbs), mu_key_scheme(key), mu_buf_slice(&sig), &der, err),
        err);
    return mu_crl_from_der(mu_buf_slice(&der), crl, err);
}

#define WHEN   \
    "\x17\x0d" \
    "270101000000Z"

static void odd_lists_are_read(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(crl) struct mu_crl *bare = NULL;
    assert_ok(with_tail(HEX(""), &bare, &err), &err);
    assert_int_equal(mu_crl_facts(bare)->next_update_s, MU_TIME_NEVER_S);
    assert_null(mu_crl_facts(bare)->number.data);
    /* an entry about another issuer in a list that is not indirect */
    struct mu_crl *indirect = NULL;
    assert_fails(with_tail(HEX("\x30\x23\x30\x21\x02\x01\x05" WHEN
                               "\x30\x0d\x30\x0b\x06\x03\x55\x1d\x1d\x01\x01\xff\x04\x01x"),
                           &indirect, &err),
                 &err, MUTUAL_E_CRL_MALFORMED);
    MU_AUTO(crl) struct mu_crl *strange = NULL;
    assert_ok(with_tail(HEX("\xa0\x0e\x30\x0c\x30\x0a\x06\x02\x2a\x03\x01\x01\xff\x04\x01x"),
                        &strange, &err),
              &err);
    assert_string_equal(mu_crl_facts(strange)->unknown_critical[0], "1.2.3");
    MU_AUTO(crl) struct mu_crl *idp = NULL;
    assert_ok(
        with_tail(HEX("\xa0\x1d\x30\x1b\x30\x19\x06\x03\x55\x1d\x1c\x01\x01\xff\x04\x0f\x30\x0d"
                      "\xa0\x05\xa0\x03\x86\x01u\x82\x01\xff\x84\x01\xff"),
                  &idp, &err),
        &err);
    assert_string_equal(mu_crl_facts(idp)->idp->uris[0], "u");
    assert_true(mu_crl_facts(idp)->idp->only_ca && mu_crl_facts(idp)->idp->indirect);
    assert_false(mu_crl_facts(idp)->idp->only_user);
}

static void garbage_is_refused(void **state)
{
    (void)state;
    struct mutual_error err;
    struct mu_crl *crl = NULL;
    static const struct mu_slice tails[] = {
        {(const uint8_t *)"\x30\x02\x30\x00", 4},                              /* no serial */
        {(const uint8_t *)"\x30\x14\x30\x12\x02\x01\x85" WHEN, 22},            /* negative */
        {(const uint8_t *)"\x30\x14\x30\x12\x02\x01\x05" WHEN "\x30\x00", 24}, /* after the end */
        {(const uint8_t *)"\x30\x07\x30\x05\x02\x01\x05\x17\x00", 9},          /* no time */
        {(const uint8_t *)"\x17\x00", 2},
        {(const uint8_t *)"\xa0\x02\x31\x00", 4},
        {(const uint8_t *)"\xa0\x0f\x30\x0d\x30\x0b\x06\x03\x55\x1d\x14\x04\x04\x02\x02\x00\x01",
         17},
        {(const uint8_t *)"\x04\x00", 2},
    };
    for (size_t i = 0; i < MU_COUNT(tails); i++) {
        assert_fails(with_tail(tails[i], &crl, &err), &err, MUTUAL_E_CRL_MALFORMED);
    }
    assert_fails(mu_crl_from_der(HEX(""), &crl, &err), &err, MUTUAL_E_CRL_MALFORMED);
    assert_fails(mu_crl_from_der(pki_der(pki_root("Root")), &crl, &err), &err,
                 MUTUAL_E_CRL_MALFORMED);
    struct pki *root = pki_root("Root");
    struct mu_slice der = pki_crl(root, root, NULL);
    for (size_t i = 0; i < der.len; i++) {
        assert_false(mu_crl_from_der(mu_slice_of(der.data, i), &crl, NULL));
    }
}

/* The same list, looked through without being kept. */
static void an_outline_says_what_the_list_says(void **state)
{
    (void)state;
    struct mutual_error err;
    struct pki *root = pki_root("Outlined");
    struct mu_slice der = pki_crl(root, root, NULL);
    MU_AUTO(crl) struct mu_crl *crl = NULL;
    MU_AUTO(crl_outline) struct mu_crl_outline outline = {.arena = NULL};
    assert_ok(mu_crl_from_der(der, &crl, &err), &err);
    assert_ok(mu_crl_outline_of(der, &outline, &err), &err);
    const struct mu_crl_facts *f = mu_crl_facts(crl);
    assert_true(outline.ordered && outline.facts.count == 1 && outline.entries.len > 0);
    assert_true(mu_slice_equal(outline.facts.number, f->number));
    assert_true(mu_slice_equal(outline.facts.issuer, f->issuer));
    assert_int_equal(outline.facts.next_update_s, f->next_update_s);
    assert_ok(mu_crl_outline_signed_by(&outline, root->cert, &err), &err);
    assert_fails(mu_crl_outline_signed_by(&outline, pki_root("Outlined")->cert, &err), &err,
                 MUTUAL_E_CRL_SIGNATURE);
    struct mu_crl_outline none = {.arena = NULL};
    for (size_t i = 0; i < der.len; i++) {
        assert_false(mu_crl_outline_of(mu_slice_of(der.data, i), &none, NULL));
    }
    assert_null(none.arena);
}

static void reasons_have_words(void **state)
{
    (void)state;
    enum mu_reason reason;
    assert_true(mu_reason_find("keyCompromise", &reason));
    assert_int_equal(reason, MU_REASON_KEY_COMPROMISE);
    assert_string_equal(mu_reason_word(MU_REASON_PRIVILEGE), "privilegeWithdrawn");
    assert_string_equal(mu_reason_word((enum mu_reason)7), "unspecified");
    assert_false(mu_reason_find("because", &reason));
}

UNIT_MAIN(UNIT_CASE(facts_and_lookups), UNIT_CASE(many_entries_are_found),
          UNIT_CASE(odd_lists_are_read), UNIT_CASE(garbage_is_refused),
          UNIT_CASE(an_outline_says_what_the_list_says), UNIT_CASE(reasons_have_words))
