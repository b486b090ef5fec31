/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables of revocation lists: they say what the list says, wherever they lie; one that is damaged
 * is refused or, where only what it says is wrong, harmless.
 */
#include "pki.h"
#include "unit.h"

#include <string.h>

enum { COUNT = 300 };
static uint8_t serials[COUNT][MU_SERIAL_BYTES];
static struct mu_revoked entries[COUNT];

/* With all there is: two issuers, a partition, serials of every length, both numbers. */
static struct mu_crl *everything(struct pki *root, struct pki *other)
{
    struct mutual_error err = {0};
    static const char *const uris[] = {"http://a/1.crl", "http://a/2.crl", NULL};
    for (size_t i = 0; i < COUNT; i++) {
        assert_ok(mu_serial_new(serials[i], &err), &err);
        serials[i][0] = (uint8_t)(0x40 + i / 256); /* none twice */
        serials[i][1] = (uint8_t)i;
        size_t len = 2 + i % (MU_SERIAL_BYTES - 1);
        entries[i] = (struct mu_revoked){.serial = mu_slice_of(serials[i], len),
                                         .time_s = PKI_NOW_S - (int64_t)i,
                                         .reason = i % 2 == 0 ? MU_REASON_HOLD : MU_REASON_REMOVE,
                                         .issuer = i >= COUNT / 2 ? other->cert : NULL};
    }
    const struct mu_crl_idp idp = {
        .indirect = true, .some_reasons = true, .reasons = 0x42, .uris = uris};
    struct mu_crl_template t = {.issuer = root->cert,
                                .this_update_s = PKI_NOW_S,
                                .next_update_s = PKI_NOW_S + 1,
                                .number = 12345,
                                .idp = &idp,
                                .entries = entries,
                                .count = COUNT,
                                .delta = true,
                                .delta_base = 77};
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, 1u << 20);
    assert_ok(mu_crl_sign(&t, root->key, &der, &err), &err);
    struct mu_crl *crl = NULL;
    assert_ok(mu_crl_from_der(mu_buf_slice(&der), &crl, &err), &err);
    return crl;
}

/* At an odd place, so that nothing may count on being aligned. */
static bool open_copy(struct mu_slice table, size_t len, struct mu_crl **ret_crl,
                      struct mutual_error *err)
{
    uint8_t *block = mu_alloc(len + 1, 1);
    assert_non_null(block);
    memcpy(block + 1, table.data, len);
    MU_AUTO(shared) struct mu_shared *owner = mu_shared_new(block, len + 1, false);
    return mu_crl_from_table(owner, mu_slice_of(block + 1, len), ret_crl, err);
}

static void assert_same(const struct mu_crl *a, const struct mu_crl *b)
{
    const struct mu_crl_facts *x = mu_crl_facts(a);
    const struct mu_crl_facts *y = mu_crl_facts(b);
    assert_int_equal(x->count, y->count);
    assert_int_equal(x->issuer_count, y->issuer_count);
    assert_int_equal(x->this_update_s, y->this_update_s);
    assert_int_equal(x->next_update_s, y->next_update_s);
    assert_string_equal(x->issuer_text, y->issuer_text);
    assert_true(mu_slice_equal(x->issuer, y->issuer));
    assert_true(mu_slice_equal(x->issuer_canon, y->issuer_canon));
    assert_true(mu_slice_equal(x->number, y->number));
    assert_true(mu_slice_equal(x->delta_base, y->delta_base));
    assert_true(mu_slice_equal(x->akid, y->akid));
    assert_true(mu_slice_equal(x->idp->der, y->idp->der));
    assert_int_equal(x->idp->reasons, y->idp->reasons);
    assert_int_equal(x->idp->name_count, y->idp->name_count);
    assert_string_equal(x->idp->uris[1], y->idp->uris[1]);
    assert_null(y->idp->uris[2]);
    for (size_t i = 0; i < x->count; i++) {
        struct mu_revoked one = mu_crl_at(a, i);
        struct mu_revoked two = mu_crl_at(b, i);
        assert_true(mu_slice_equal(one.serial, two.serial));
        assert_int_equal(one.time_s, two.time_s);
        assert_int_equal(one.reason, two.reason);
        assert_memory_equal(one.issuer_hash, two.issuer_hash, 32);
    }
}

static void case_a_table_says_what_the_list_says(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct pki *root = pki_root("Root");
    struct pki *other = pki_ca(root, "Other");
    MU_AUTO(crl) struct mu_crl *crl = everything(root, other);
    MU_AUTO(crl) struct mu_crl *copy = NULL;
    assert_ok(open_copy(mu_crl_table(crl), mu_crl_table(crl).len, &copy, &err), &err);
    assert_same(crl, copy);
    assert_int_equal(mu_crl_facts(copy)->der.len, 0);
    uint8_t hash[2][32];
    assert_true(mu_sha256(mu_cert_facts(root->cert)->subject_canon, hash[0], NULL));
    assert_true(mu_sha256(mu_cert_facts(other->cert)->subject_canon, hash[1], NULL));
    for (size_t i = 0; i < COUNT; i++) {
        struct mu_revoked found;
        bool others = entries[i].issuer != NULL;
        assert_true(mu_crl_find_of(copy, hash[others], entries[i].serial, &found));
        assert_int_equal(found.reason, entries[i].reason);
        assert_int_equal(found.time_s, entries[i].time_s);
        assert_false(mu_crl_find_of(copy, hash[!others], entries[i].serial, NULL));
    }
}

static void case_what_was_signed_can_be_given_back(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    MU_AUTO(crl) struct mu_crl *crl = everything(root, pki_ca(root, "Other"));
    assert_true(mu_crl_facts(crl)->der.len > 0);
    mu_crl_forget_der(crl);
    assert_int_equal(mu_crl_facts(crl)->der.len + mu_crl_facts(crl)->tbs.len, 0);
    assert_true(mu_crl_find(crl, entries[0].serial, NULL));
    assert_false(mu_crl_signed_by(crl, root->cert, NULL));
}

/* Cut short anywhere, or with any byte changed: refused, or read without leaving it (ASan). */
static void case_a_damaged_table_is_refused_or_harmless(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct pki *root = pki_root("Root");
    MU_AUTO(crl) struct mu_crl *crl = everything(root, pki_ca(root, "Other"));
    struct mu_slice table = mu_crl_table(crl);
    for (size_t len = 0; len < table.len; len++) {
        struct mu_crl *cut = NULL;
        assert_fails(open_copy(table, len, &cut, &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
    }
    MU_AUTO(free) uint8_t *changed = mu_alloc(table.len, 1);
    memcpy(changed, table.data, table.len);
    size_t accepted = 0;
    for (size_t i = 0; i < table.len; i++) {
        for (unsigned flip = 1; flip < 256; flip = flip * 2 + 1) {
            MU_AUTO(crl) struct mu_crl *other = NULL;
            changed[i] ^= (uint8_t)flip;
            if (open_copy(mu_slice_of(changed, table.len), table.len, &other, NULL)) {
                accepted++;
                assert_int_equal(mu_crl_facts(other)->count, COUNT);
                (void)mu_crl_find(other, entries[i % COUNT].serial, NULL);
                (void)mu_crl_at(other, i % COUNT);
            }
            changed[i] = table.data[i];
        }
    }
    assert_true(accepted > 0);
}

UNIT_MAIN(UNIT_CASE(case_a_table_says_what_the_list_says),
          UNIT_CASE(case_what_was_signed_can_be_given_back),
          UNIT_CASE(case_a_damaged_table_is_refused_or_harmless))
