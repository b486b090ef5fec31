/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of lists as tables: what is in one was verified, and counts only for the bundle that
 * verified it.
 */
#include "trust_unit.h"

static struct mu_buf made(const struct mutual_trust *trust, struct mu_slice file)
{
    struct mutual_error err = {0};
    struct mu_buf out;
    mu_buf_init(&out, 1u << 20);
    assert_ok(mu_trust_table_make(trust, file, &out, &err), &err);
    return out;
}

static bool put(struct mutual_trust *trust, struct mu_slice table, struct mutual_error *err)
{
    uint8_t *block = mu_alloc(table.len + 1, 1);
    assert_non_null(block);
    memcpy(block, table.data, table.len);
    MU_AUTO(shared) struct mu_shared *shared = mu_shared_new(block, table.len, false);
    return mu_trust_table_add(trust, shared, err);
}

static void case_a_table_stands_for_the_file(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct pki *root = pki_root("Root");
    struct pki *sub = pki_ca(root, "Issuing");
    struct pki *good = pki_issue(sub, (struct pki_leaf){.dns = "good.example.org"});
    struct pki *bad = pki_issue(sub, (struct pki_leaf){.dns = "bad.example.org"});
    MU_AUTO(buf) struct mu_buf pem;
    mu_buf_init(&pem, 1u << 20);
    mu_crl_to_pem(pki_crl(root, NULL), &pem);
    mu_crl_to_pem(pki_crl(sub, bad, NULL), &pem);
    MU_AUTO(trust) struct mutual_trust *trust = mutual_trust_new("test");
    trust_add(trust, NODES(root), NODES(sub));
    mutual_trust_set_revocation(trust, true, false, MUTUAL_CRL_STALE_REFUSE, 0);
    MU_AUTO(buf) struct mu_buf table = made(trust, mu_buf_slice(&pem));
    uint8_t digest[32];
    uint8_t of_file[32];
    assert_true(mu_trust_table_digest(mu_buf_slice(&table), digest));
    assert_true(mu_sha256(mu_buf_slice(&pem), of_file, NULL));
    assert_memory_equal(digest, of_file, 32);
    assert_ok(put(trust, mu_buf_slice(&table), &err), &err);
    assert_ok(mutual_trust_freeze(trust, &err), &err);
    assert_ok(validates(trust, NODES(good), &err), &err);
    assert_fails(validates(trust, NODES(bad), &err), &err, MUTUAL_E_CERT_REVOKED);
}

static void case_what_does_not_verify_becomes_no_table(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct pki *root = pki_root("Root");
    struct pki *namesake = pki_root("Root");
    MU_AUTO(trust) struct mutual_trust *trust = mutual_trust_new("test");
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 1u << 20);
    trust_add(trust, NODES(root), NULL);
    const struct {
        struct mu_slice file;
        enum mutual_code code;
    } rows[] = {
        {pki_crl(pki_root("Other"), NULL), MUTUAL_E_CRL_SIGNATURE},
        {pki_crl(namesake, NULL), MUTUAL_E_CRL_SIGNATURE},
        {mu_slice_text("no list"), MUTUAL_E_PEM_MALFORMED},
        {MU_SLICE_LIT("\x30\x82\x01\x00"), MUTUAL_E_CRL_MALFORMED},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        assert_fails(mu_trust_table_make(trust, rows[i].file, &out, &err), &err, rows[i].code);
    }
}

static void case_a_table_of_another_bundle_is_refused(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct pki *root = pki_root("Root");
    MU_AUTO(trust) struct mutual_trust *one = mutual_trust_new("one");
    MU_AUTO(trust) struct mutual_trust *two = mutual_trust_new("two");
    trust_add(one, NODES(root), NULL);
    trust_add(two, NODES(pki_root("Root")), NULL);
    MU_AUTO(buf) struct mu_buf table = made(one, pki_crl(root, NULL));
    assert_fails(put(two, mu_buf_slice(&table), &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
    assert_non_null(strstr(err.reason, "another bundle"));
}

static void case_a_damaged_table_is_refused(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct pki *root = pki_root("Root");
    MU_AUTO(trust) struct mutual_trust *trust = mutual_trust_new("test");
    trust_add(trust, NODES(root), NULL);
    MU_AUTO(buf) struct mu_buf table = made(trust, pki_crl(root, NULL));
    for (size_t len = 0; len < table.len; len++) {
        assert_fails(put(trust, mu_slice_of(table.data, len), &err), &err,
                     MUTUAL_E_MESSAGE_MALFORMED);
    }
    mu_buf_byte(&table, 0);
    assert_fails(put(trust, mu_buf_slice(&table), &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
    table.len--;
    table.data[43] = 0; /* the count */
    assert_fails(put(trust, mu_buf_slice(&table), &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
}

static struct mutual_trust *with_list(struct pki *root, struct mu_slice crl)
{
    struct mutual_error err = {0};
    struct mutual_trust *trust = mutual_trust_new("test");
    trust_add(trust, NODES(root), NULL);
    assert_ok(trust_add_table(trust, crl, &err), &err);
    assert_ok(mutual_trust_freeze(trust, &err), &err);
    return trust;
}

static void case_older_lists_are_behind(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct pki *namesake = pki_root("Root");
    const struct {
        struct pki *issuer;
        uint64_t number;
        int64_t this_s;
        bool behind;
    } rows[] = {
        {root, 255, PKI_NOW_S, true},        {root, 256, PKI_NOW_S - 1, true},
        {root, 257, PKI_NOW_S - 1, true},    {root, 256, PKI_NOW_S, false},
        {root, 1 << 20, PKI_NOW_S, false},   {root, 256, PKI_NOW_S + 1, false},
        {namesake, 1, PKI_NOW_S - 9, false},
    };
    MU_AUTO(trust)
    struct mutual_trust *used =
        with_list(root, pki_crl_at(root, PKI_NOW_S, PKI_NOW_S + 9, 256, NULL, 0));
    struct mu_trust_list in_use;
    assert_true(mu_trust_list(used, 0, &in_use));
    assert_false(mu_trust_list(used, 1, &in_use));
    assert_true(mu_trust_list(used, 0, &in_use));
    char text[MU_NUMBER_TEXT];
    assert_string_equal(mu_trust_list_number(&in_use, text), "256");
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        MU_AUTO(trust)
        struct mutual_trust *trust =
            with_list(rows[i].issuer, pki_crl_at(rows[i].issuer, rows[i].this_s, PKI_NOW_S + 9,
                                                 rows[i].number, NULL, 0));
        struct mu_trust_list list;
        assert_true(mu_trust_list(trust, 0, &list));
        assert_int_equal(mu_trust_list_is_behind(&list, &in_use), rows[i].behind);
    }
}

/* Two bundles are asked about one chain: whose status is another one now? */
static void case_a_status_that_differs(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct pki *leaf = pki_issue(root, (struct pki_leaf){.dns = "a.example.org"});
    struct pki *other = pki_issue(root, (struct pki_leaf){.dns = "b.example.org"});
    MU_AUTO(trust) struct mutual_trust *before = with_list(root, pki_crl(root, NULL));
    MU_AUTO(trust) struct mutual_trust *after = with_list(root, pki_crl(root, leaf, NULL));
    MU_AUTO(chain) struct mutual_chain *one = NULL;
    MU_AUTO(chain) struct mutual_chain *two = NULL;
    struct mutual_error err = {0};
    assert_ok(validate_as(before, NODES(leaf), MUTUAL_PURPOSE_CLIENT, PKI_NOW_S, &one, &err), &err);
    assert_ok(validate_as(before, NODES(other), MUTUAL_PURPOSE_CLIENT, PKI_NOW_S, &two, &err),
              &err);
    assert_true(mu_trust_status_differs(before, after, one, PKI_NOW_S));
    assert_false(mu_trust_status_differs(before, after, two, PKI_NOW_S));
    size_t count = 0;
    const struct mutual_link *links = mutual_chain_links(one, &count);
    assert_int_equal(mu_trust_link_status(before, links, 0, PKI_NOW_S), MUTUAL_OK);
    assert_int_equal(mu_trust_link_status(after, links, 0, PKI_NOW_S), MUTUAL_E_CERT_REVOKED);
    assert_int_equal(mu_trust_link_status(before, links, 0, PKI_NOW_S + 8 * PKI_DAY_S),
                     MUTUAL_E_CRL_STALE);
}

UNIT_MAIN(UNIT_CASE(case_older_lists_are_behind), UNIT_CASE(case_a_status_that_differs),
          UNIT_CASE(case_a_table_stands_for_the_file),
          UNIT_CASE(case_what_does_not_verify_becomes_no_table),
          UNIT_CASE(case_a_table_of_another_bundle_is_refused),
          UNIT_CASE(case_a_damaged_table_is_refused))
