/* SPDX-License-Identifier: Apache-2.0
 *
 * The shelf: complete lists and their deltas, held against a naive evaluator over random sets.
 */
#include "trust_unit.h"

static struct pki *root, *sub;

static struct mutual_trust *new_trust(void)
{
    struct mutual_trust *trust = mutual_trust_new("test");
    if (root == NULL) {
        root = pki_root("Root");
        sub = pki_ca(root, "Issuing");
    }
    trust_add(trust, NODES(root), NODES(sub));
    mutual_trust_set_revocation(trust, true, true, MUTUAL_CRL_STALE_REFUSE, 0);
    return trust;
}

struct list {
    uint64_t number, base; /* base 0: complete */
    int64_t this_s, next_s;
    const struct mu_revoked *entries;
    size_t count;
    const struct mu_crl_idp *idp;
};

static bool add(struct mutual_trust *trust, const struct list *list, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, 1u << 20);
    struct mu_crl_template t = {
        .issuer = sub->cert,
        .this_update_s = list->this_s != 0 ? list->this_s : PKI_NOW_S - 5,
        .next_update_s = list->next_s != 0 ? list->next_s : PKI_NOW_S + PKI_DAY_S,
        .number = list->number,
        .entries = list->entries,
        .count = list->count,
        .idp = list->idp,
        .delta = list->base != 0,
        .delta_base = list->base,
    };
    assert_ok(mu_crl_sign(&t, sub->key, &der, err), err);
    return trust_add_table(trust, mu_buf_slice(&der), err);
}

static struct mu_revoked entry_of(const struct pki *leaf, enum mu_reason reason)
{
    return (struct mu_revoked){
        .serial = mu_cert_facts(leaf->cert)->serial, .time_s = PKI_NOW_S - 9, .reason = reason};
}

/* Which delta goes with which list (RFC 5280 section 5.2.4), and which says nothing. */
static void case_delta(void **state)
{
    (void)state;
    mutual_trust_unref(new_trust());
    struct pki *leaf = pki_issue(sub, (struct pki_leaf){.dns = "a.example.org"});
    const struct mu_revoked hold = entry_of(leaf, MU_REASON_HOLD);
    const struct mu_revoked removal = entry_of(leaf, MU_REASON_REMOVE);
    const struct mu_crl_idp user = {.only_user = true};
    const struct list listed = {.number = 5, .entries = &hold, .count = 1};
    const struct list empty = {.number = 5};
    const struct list old = {.number = 5, .next_s = PKI_NOW_S - 1};
    const struct {
        const struct list *complete; /* or NULL */
        struct list delta;
        enum mutual_code code;
    } rows[] = {
        {&empty, {.number = 6, .base = 5, .entries = &hold, .count = 1}, MUTUAL_E_CERT_REVOKED},
        {&listed, {.number = 6, .base = 5}, MUTUAL_E_CERT_REVOKED},
        {&listed, {.number = 6, .base = 5, .entries = &removal, .count = 1}, MUTUAL_OK},
        {&listed, {.number = 6, .base = 4, .entries = &removal, .count = 1}, MUTUAL_OK},
        /* a gap between the complete list and the base */
        {&listed, {.number = 7, .base = 6, .entries = &removal, .count = 1}, MUTUAL_E_CERT_REVOKED},
        {&empty, {.number = 7, .base = 6, .entries = &hold, .count = 1}, MUTUAL_E_CERT_REVOKED},
        /* the complete list is newer */
        {&listed, {.number = 5, .base = 4, .entries = &removal, .count = 1}, MUTUAL_E_CERT_REVOKED},
        /* another scope */
        {&listed,
         {.number = 6, .base = 5, .entries = &removal, .count = 1, .idp = &user},
         MUTUAL_E_CERT_REVOKED},
        /* of a time to come */
        {&listed,
         {.number = 6, .base = 5, .entries = &removal, .count = 1, .this_s = PKI_NOW_S + 1},
         MUTUAL_E_CERT_REVOKED},
        /* a delta alone clears nobody */
        {NULL, {.number = 6, .base = 5}, MUTUAL_E_CRL_MISSING},
        {NULL, {.number = 6, .base = 5, .entries = &hold, .count = 1}, MUTUAL_E_CERT_REVOKED},
        /* a stale list is as fresh as the delta that goes with it */
        {&old, {.number = 6, .base = 5}, MUTUAL_OK},
        {&old, {.number = 7, .base = 6}, MUTUAL_E_CRL_STALE},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct mutual_error err = {0};
        struct mutual_trust *trust = new_trust();
        assert_ok(add(trust, &rows[i].delta, &err), &err);
        if (rows[i].complete != NULL) {
            assert_ok(add(trust, rows[i].complete, &err), &err);
        }
        assert_ok(mutual_trust_freeze(trust, &err), &err);
        if (rows[i].code == MUTUAL_OK) {
            assert_ok(validates(trust, NODES(leaf), &err), &err);
        } else {
            assert_fails(validates(trust, NODES(leaf), &err), &err, rows[i].code);
        }
        mutual_trust_unref(trust);
    }
}

/* ---- random sets -------------------------------------------------------------------------------
 */

enum { LEAVES = 8, LISTS = 6, ROUNDS = 150 };

static uint32_t seed = 1;

static uint32_t dice(uint32_t sides)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 16) % sides;
}

struct told {
    bool there;
    uint64_t number, base;
    enum mu_reason reasons[LEAVES]; /* 0: not listed */
};

static void draw(struct told *told, bool delta)
{
    told->there = true;
    told->number = 1 + dice(6);
    told->base = delta ? 1 + dice(5) : 0;
    for (size_t i = 0; i < LEAVES; i++) {
        static const enum mu_reason some[] = {MU_REASON_UNSPECIFIED, MU_REASON_UNSPECIFIED,
                                              MU_REASON_HOLD, MU_REASON_REMOVE};
        told->reasons[i] = some[dice(delta ? 4 : 3)];
    }
}

/* The rules once more, in the plainest words: the newest of each kind, then the delta over it. */
static enum mutual_code naive(const struct told lists[LISTS], size_t leaf)
{
    struct told complete = {.there = false};
    struct told delta = {.there = false};
    for (size_t i = 0; i < LISTS; i++) {
        struct told *kept = lists[i].base != 0 ? &delta : &complete;
        if (lists[i].there && (!kept->there || lists[i].number >= kept->number)) {
            *kept = lists[i];
        }
    }
    bool fits = complete.there && delta.there && complete.number >= delta.base &&
                complete.number < delta.number;
    if (delta.there && delta.reasons[leaf] == MU_REASON_HOLD) {
        return MUTUAL_E_CERT_REVOKED;
    }
    bool removed = fits && delta.reasons[leaf] == MU_REASON_REMOVE;
    if (complete.there && complete.reasons[leaf] == MU_REASON_HOLD && !removed) {
        return MUTUAL_E_CERT_REVOKED;
    }
    return complete.there ? MUTUAL_OK : MUTUAL_E_CRL_MISSING;
}

static void case_random(void **state)
{
    (void)state;
    struct pki *leaves[LEAVES];
    mutual_trust_unref(new_trust());
    for (size_t i = 0; i < LEAVES; i++) {
        leaves[i] = pki_issue(sub, (struct pki_leaf){.dns = "a.example.org"});
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct told lists[LISTS] = {{0}};
        struct mutual_error err = {0};
        struct mutual_trust *trust = new_trust();
        for (size_t k = 0; k < LISTS; k++) {
            if (dice(2) == 0) {
                continue;
            }
            struct mu_revoked entries[LEAVES];
            size_t count = 0;
            draw(&lists[k], dice(2) == 0);
            for (size_t i = 0; i < LEAVES; i++) {
                if (lists[k].reasons[i] != MU_REASON_UNSPECIFIED) {
                    entries[count++] = entry_of(leaves[i], lists[k].reasons[i]);
                }
            }
            struct list list = {.number = lists[k].number,
                                .base = lists[k].base,
                                .entries = entries,
                                .count = count};
            assert_ok(add(trust, &list, &err), &err);
        }
        assert_ok(mutual_trust_freeze(trust, &err), &err);
        for (size_t i = 0; i < LEAVES; i++) {
            err = (struct mutual_error){0};
            (void)validates(trust, NODES(leaves[i]), &err);
            assert_int_equal(err.code, naive(lists, i));
        }
        mutual_trust_unref(trust);
    }
}

/* A list with an extension that we do not understand says nothing (section 5.2). */
static void case_unusable(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct mutual_trust *trust = new_trust();
    struct mu_crl_idp idp = {.only_user = true};
    struct mu_crl_template t = {.issuer = sub->cert,
                                .this_update_s = PKI_NOW_S - 5,
                                .next_update_s = PKI_NOW_S + 5,
                                .number = 1,
                                .idp = &idp};
    MU_AUTO(buf) struct mu_buf tbs;
    MU_AUTO(buf) struct mu_buf signature;
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&tbs, 65536);
    mu_buf_init(&signature, 65536);
    mu_buf_init(&der, 65536);
    enum mu_scheme scheme = mu_key_scheme(sub->key);
    assert_ok(mu_crl_build_tbs(&t, scheme, &tbs, &err), &err);
    uint8_t *oid = memmem(tbs.data, tbs.len, "\x06\x03\x55\x1d\x1c\x01\x01\xff", 8);
    assert_non_null(oid);
    oid[4] = 0x7f;
    struct mu_slice bytes = mu_buf_slice(&tbs);
    assert_ok(mu_key_sign(sub->key, scheme, bytes, &signature, &err), &err);
    assert_ok(mu_signed_build(bytes, scheme, mu_buf_slice(&signature), &der, &err), &err);
    assert_fails(mutual_trust_add_crl(trust, (const char *)der.data, der.len, &err), &err,
                 MUTUAL_E_CRL_UNSUPPORTED);
    mutual_trust_unref(trust);
}

UNIT_MAIN(UNIT_CASE(case_delta), UNIT_CASE(case_random), UNIT_CASE(case_unusable))
