/* SPDX-License-Identifier: Apache-2.0
 *
 * The search for a path: order, decoys, cross-signatures, circles, budgets.
 */
#include "trust_unit.h"

/* A second certificate for the same name and key, issued by somebody else. */
static struct pki *cross_sign(struct pki *parent, const struct pki *node, const char *cn,
                              int64_t not_after)
{
    struct mu_rdn subject = {MU_ATTR_CN, cn};
    struct mu_cert_template t = {
        .subject = &subject,
        .subject_count = 1,
        .spki = mu_key_spki(node->key),
        .ca = true,
        .key_usage = MU_KU_KEY_CERT_SIGN | MU_KU_CRL_SIGN,
        .not_before_s = PKI_NOW_S - 10 * PKI_DAY_S,
        .not_after_s = not_after,
    };
    return pki_make(parent, &t, MU_SPEC_EC_P256);
}

static void assert_length(const struct mutual_trust *trust, struct pki *const *sent, size_t want)
{
    struct mutual_error err = {0};
    MU_AUTO(chain) struct mutual_chain *chain = NULL;
    assert_ok(validate_as(trust, sent, MUTUAL_PURPOSE_CLIENT, PKI_NOW_S, &chain, &err), &err);
    size_t count = 0;
    (void)mutual_chain_links(chain, &count);
    assert_int_equal(count, want);
}

static void case_plain(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct pki *sub = pki_ca(root, "Issuing");
    struct pki *leaf = pki_issue(sub, (struct pki_leaf){.dns = "a.example.org"});
    struct pki *direct = pki_issue(root, (struct pki_leaf){.dns = "b.example.org"});
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(root), NULL);
    assert_length(trust, NODES(direct), 2);
    assert_length(trust, NODES(leaf, sub), 3);
    assert_length(trust, NODES(leaf, sub, root), 3);
    assert_length(trust, NODES(leaf, root, sub), 3);
    assert_length(trust, NODES(leaf, sub, sub, sub, root, leaf, leaf), 3);
    assert_length(trust, NODES(leaf, direct, sub), 3);
}

static void case_pool_and_intermediate_anchor(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct pki *sub = pki_ca(root, "Issuing");
    struct pki *leaf = pki_issue(sub, (struct pki_leaf){.dns = "a.example.org"});
    MU_AUTO(trust) struct mutual_trust *pooled = trust_of(NODES(root), NODES(sub));
    assert_length(pooled, NODES(leaf), 3);
    MU_AUTO(trust) struct mutual_trust *partial = trust_of(NODES(sub), NULL);
    assert_length(partial, NODES(leaf), 2);
    assert_length(partial, NODES(leaf, sub, root), 2);
    /* Known intermediates are no anchors. */
    struct pki *other = pki_root("Other");
    MU_AUTO(trust) struct mutual_trust *strange = trust_of(NODES(other), NODES(sub, root));
    struct mutual_error err = {0};
    assert_fails(validates(strange, NODES(leaf, sub, root), &err), &err, MUTUAL_E_UNKNOWN_ISSUER);
}

static void case_expired_decoy(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct pki *old_root = pki_root("Old Root");
    struct pki *sub = pki_ca(root, "Issuing");
    struct pki *expired = cross_sign(root, sub, "Issuing", PKI_NOW_S - PKI_DAY_S);
    struct pki *elsewhere = cross_sign(old_root, sub, "Issuing", PKI_NOW_S + PKI_DAY_S);
    struct pki *leaf = pki_issue(sub, (struct pki_leaf){.dns = "a.example.org"});
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(root), NULL);
    assert_length(trust, NODES(leaf, expired, elsewhere, sub), 3);
    assert_length(trust, NODES(leaf, elsewhere, expired, sub), 3);
    MU_AUTO(trust) struct mutual_trust *both = trust_of(NODES(root, old_root), NULL);
    assert_length(both, NODES(leaf, expired, elsewhere), 3);
    struct mutual_error err = {0};
    assert_fails(validates(trust, NODES(leaf, elsewhere, expired), &err), &err,
                 MUTUAL_E_CERT_EXPIRED);
    assert_non_null(strstr(err.reason, "\"Issuing\""));
}

/* Same name, other key: only the signature tells. */
static void case_wrong_key_decoys(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct pki *sub = pki_ca(root, "Issuing");
    struct pki *leaf = pki_issue(sub, (struct pki_leaf){.dns = "a.example.org"});
    struct pki *decoys[6];
    for (size_t i = 0; i < MU_COUNT(decoys); i++) {
        decoys[i] = pki_ca(root, "Issuing");
    }
    struct pki *self = pki_root("Issuing");
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(root), NULL);
    assert_length(
        trust,
        NODES(leaf, self, decoys[0], decoys[1], decoys[2], decoys[3], decoys[4], decoys[5], sub),
        3);
    struct mutual_error err = {0};
    assert_fails(validates(trust, NODES(leaf, decoys[0], decoys[1], self), &err), &err,
                 MUTUAL_E_CERT_SIGNATURE);
    struct pki *false_root = pki_root("Root");
    struct pki *forged = pki_issue(false_root, (struct pki_leaf){.dns = "a.example.org"});
    assert_fails(validates(trust, NODES(forged, false_root), &err), &err, MUTUAL_E_CERT_SIGNATURE);
    MU_AUTO(trust) struct mutual_trust *two = trust_of(NODES(false_root, root), NULL);
    assert_length(two, NODES(forged), 2);
    assert_length(two, NODES(leaf, sub), 3);
}

static void case_circle(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct pki *a = pki_root("A");
    struct pki *b = pki_root("B");
    struct pki *a_by_b = cross_sign(b, a, "A", PKI_NOW_S + PKI_DAY_S);
    struct pki *b_by_a = cross_sign(a, b, "B", PKI_NOW_S + PKI_DAY_S);
    struct pki *leaf = pki_issue(a, (struct pki_leaf){.dns = "a.example.org"});
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(root), NULL);
    struct mutual_error err = {0};
    assert_fails(validates(trust, NODES(leaf, a_by_b, b_by_a), &err), &err,
                 MUTUAL_E_UNKNOWN_ISSUER);
    struct pki *a_by_root = cross_sign(root, a, "A", PKI_NOW_S + PKI_DAY_S);
    assert_length(trust, NODES(leaf, a_by_b, b_by_a, a_by_root), 3);
    struct pki *b_by_root = cross_sign(root, b, "B", PKI_NOW_S + PKI_DAY_S);
    assert_length(trust, NODES(leaf, a_by_b, b_by_a, b_by_root), 4);
}

/* leaf - 1 - 2 ... - root, as long as it may be and one longer. */
static void case_depth(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct pki *line[8] = {root};
    for (size_t i = 1; i < MU_COUNT(line); i++) {
        char cn[16];
        snprintf(cn, sizeof cn, "Sub %zu", i);
        line[i] = pki_ca(line[i - 1], cn);
    }
    struct pki *leaf6 = pki_issue(line[6], (struct pki_leaf){.dns = "a.example.org"});
    struct pki *leaf7 = pki_issue(line[7], (struct pki_leaf){.dns = "a.example.org"});
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(root), NULL);
    struct mutual_error err = {0};
    assert_length(trust, NODES(leaf6, line[1], line[2], line[3], line[4], line[5], line[6]), 8);
    assert_fails(
        validates(trust,
                  NODES(leaf7, line[1], line[2], line[3], line[4], line[5], line[6], line[7]),
                  &err),
        &err, MUTUAL_E_CHAIN_TOO_LONG);
    MU_AUTO(trust) struct mutual_trust *shallow = mutual_trust_new("shallow");
    trust_add(shallow, NODES(root), NULL);
    mutual_trust_set_depth(shallow, 1);
    assert_ok(mutual_trust_freeze(shallow, &err), &err);
    struct pki *leaf1 = pki_issue(line[1], (struct pki_leaf){.dns = "a.example.org"});
    struct pki *leaf2 = pki_issue(line[2], (struct pki_leaf){.dns = "a.example.org"});
    assert_length(shallow, NODES(leaf1, line[1]), 3);
    assert_fails(validates(shallow, NODES(leaf2, line[1], line[2]), &err), &err,
                 MUTUAL_E_CHAIN_TOO_LONG);
}

/* Forty authorities of one name, each able to have issued every other one: the names allow 39!
 * paths. */
static void case_costly(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct pki *sent[MU_LIMIT_CHAIN_SENT + 1] = {0};
    struct pki *mesh = pki_root("Mesh");
    sent[0] = pki_issue(mesh, (struct pki_leaf){.dns = "a.example.org"});
    for (size_t i = 1; i < MU_LIMIT_CHAIN_SENT; i++) {
        sent[i] = i % 2 == 0 ? pki_root("Mesh") : pki_ca(mesh, "Mesh");
    }
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(root), NULL);
    struct mutual_error err = {0};
    assert_fails(validates(trust, sent, &err), &err, MUTUAL_E_CHAIN_TOO_COSTLY);
}

/* A leaf is no issuer, and a leaf that is in the bundle's pool vouches for nobody. */
static void case_leaf_vouches_for_nobody(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct pki *pinned = pki_issue(root, (struct pki_leaf){.cn = "pinned", .dns = "p.example.org"});
    struct pki *child = pki_issue(pinned, (struct pki_leaf){.dns = "a.example.org"});
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(root), NODES(pinned));
    struct mutual_error err = {0};
    assert_fails(validates(trust, NODES(child, pinned), &err), &err, MUTUAL_E_NOT_A_CA);
    assert_length(trust, NODES(pinned), 2);
    assert_fails(validates(trust, NODES(root), &err), &err, MUTUAL_E_CA_AS_PEER);
}

UNIT_MAIN(UNIT_CASE(case_plain), UNIT_CASE(case_pool_and_intermediate_anchor),
          UNIT_CASE(case_expired_decoy), UNIT_CASE(case_wrong_key_decoys), UNIT_CASE(case_circle),
          UNIT_CASE(case_depth), UNIT_CASE(case_costly), UNIT_CASE(case_leaf_vouches_for_nobody))
