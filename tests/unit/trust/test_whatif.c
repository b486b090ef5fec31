/* SPDX-License-Identifier: Apache-2.0
 *
 * Questions about a bundle: which certificate is it, when do its lists go stale, and what if an
 * anchor were dropped?
 */
#include "trust_unit.h"

static const uint8_t *print_of(const struct pki *node)
{
    return mu_cert_facts(node->cert)->fingerprint;
}

static void case_finds_its_own(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct pki *sub = pki_ca(root, "Issuing");
    struct pki *leaf = pki_issue(sub, (struct pki_leaf){.dns = "a.example.org"});
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(root), NODES(sub));
    assert_string_equal(mu_cert_facts(mu_trust_cert(trust, print_of(root)))->display, "Root");
    assert_string_equal(mu_cert_facts(mu_trust_cert(trust, print_of(sub)))->display, "Issuing");
    assert_null(mu_trust_cert(trust, print_of(leaf)));
}

/* The only anchor cannot be dropped; of two the other remains, with the intermediates. */
static void case_drops_an_anchor(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct pki *one = pki_root("One");
    struct pki *two = pki_root("Two");
    struct pki *sub = pki_ca(two, "Issuing");
    struct pki *leaf = pki_issue(sub, (struct pki_leaf){.dns = "a.example.org"});
    MU_AUTO(trust) struct mutual_trust *alone = trust_of(NODES(one), NULL);
    MU_AUTO(trust) struct mutual_trust *none = NULL;
    assert_fails(mu_trust_without(alone, print_of(one), &none, &err), &err, MUTUAL_E_BUNDLE_EMPTY);
    MU_AUTO(trust) struct mutual_trust *both = trust_of(NODES(one, two), NODES(sub));
    MU_AUTO(trust) struct mutual_trust *without_one = NULL;
    MU_AUTO(trust) struct mutual_trust *without_two = NULL;
    assert_ok(mu_trust_without(both, print_of(one), &without_one, &err), &err);
    assert_ok(mu_trust_without(both, print_of(two), &without_two, &err), &err);
    assert_int_equal(mutual_trust_anchor_count(without_one), 1);
    assert_ok(validates(without_one, NODES(leaf), &err), &err);
    assert_fails(validates(without_two, NODES(leaf), &err), &err, MUTUAL_E_UNKNOWN_ISSUER);
    assert_ok(validates(both, NODES(leaf), &err), &err);
}

/* The other bundle keeps what the lists say; the list of the anchor dropped goes with it. */
static void case_keeps_the_lists(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct pki *one = pki_root("One");
    struct pki *two = pki_root("Two");
    struct pki *bad = pki_issue(two, (struct pki_leaf){.dns = "a.example.org"});
    struct pki *good = pki_issue(two, (struct pki_leaf){.dns = "b.example.org"});
    MU_AUTO(trust) struct mutual_trust *trust = mutual_trust_new("test");
    trust_add(trust, NODES(one, two), NULL);
    struct mu_slice lists[] = {pki_crl(one, NULL), pki_crl(two, bad, NULL)};
    for (size_t i = 0; i < MU_COUNT(lists); i++) {
        assert_ok(mutual_trust_add_crl(trust, (const char *)lists[i].data, lists[i].len, &err),
                  &err);
    }
    assert_ok(mutual_trust_freeze(trust, &err), &err);
    MU_AUTO(trust) struct mutual_trust *other = NULL;
    assert_ok(mu_trust_without(trust, print_of(one), &other, &err), &err);
    assert_fails(validates(other, NODES(bad), &err), &err, MUTUAL_E_CERT_REVOKED);
    MU_AUTO(chain) struct mutual_chain *chain = NULL;
    assert_ok(validate_as(trust, NODES(good), MUTUAL_PURPOSE_CLIENT, PKI_NOW_S, &chain, &err),
              &err);
    assert_int_equal(mu_trust_lists_until(trust, chain, 0, PKI_NOW_S), PKI_NOW_S + 7 * PKI_DAY_S);
    assert_int_equal(mu_trust_lists_until(trust, chain, 1, PKI_NOW_S), MU_TIME_NEVER_S);
    /* Past that, the link is not good any more. */
    int64_t late_s = PKI_NOW_S + 8 * PKI_DAY_S;
    assert_int_equal(mu_trust_lists_until(trust, chain, 0, late_s), late_s);
}

/* A root is judged before it is added as it would be on a path, its own signature too. */
static void case_judges_an_anchor(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct pki *one = pki_root("One");
    struct pki *two = pki_root("Two");
    struct pki *leaf = pki_issue(two, (struct pki_leaf){.dns = "a.example.org"});
    const struct mu_subtree permitted = {
        .base = {.type = MU_GNAME_DNS, .bytes = MU_SLICE_LIT("example.org")}};
    const struct mu_rdn subject = {MU_ATTR_CN, "Narrow"};
    struct mu_cert_template template = {.subject = &subject,
                                        .subject_count = 1,
                                        .not_before_s = PKI_NOW_S - PKI_DAY_S,
                                        .not_after_s = PKI_NOW_S + PKI_DAY_S,
                                        .ca = true,
                                        .key_usage = MU_KU_KEY_CERT_SIGN,
                                        .permitted = &permitted,
                                        .permitted_count = 1};
    MU_AUTO(key) struct mu_key *key = NULL;
    MU_AUTO(cert) struct mu_cert *narrow = NULL;
    assert_ok(mu_key_generate(MU_SPEC_EC_P256, &key, &err), &err);
    assert_ok(mu_cert_sign(&template, key, &narrow, &err), &err);
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(one), NULL);
    const enum mutual_purpose client = MUTUAL_PURPOSE_CLIENT;
    const struct mutual_name in = {MUTUAL_NAME_DNS, "a.example.org", 13};
    const struct mutual_name out = {MUTUAL_NAME_DNS, "a.example.net", 13};
    const struct mutual_name ip = {MUTUAL_NAME_IP, "10.0.0.1", 8};
    assert_ok(mu_trust_judge_anchor(trust, two->cert, client, NULL, PKI_NOW_S, &err), &err);
    assert_fails(mu_trust_judge_anchor(trust, leaf->cert, client, NULL, PKI_NOW_S, &err), &err,
                 MUTUAL_E_NOT_A_CA);
    assert_ok(mu_trust_judge_anchor(trust, narrow, client, &in, PKI_NOW_S, &err), &err);
    assert_ok(mu_trust_judge_anchor(trust, narrow, client, &ip, PKI_NOW_S, &err), &err);
    assert_fails(mu_trust_judge_anchor(trust, narrow, client, &out, PKI_NOW_S, &err), &err,
                 MUTUAL_E_NAME_CONSTRAINT);
    assert_fails(
        mu_trust_judge_anchor(trust, narrow, client, NULL, PKI_NOW_S + 2 * PKI_DAY_S, &err), &err,
        MUTUAL_E_CERT_EXPIRED);
}

UNIT_MAIN(UNIT_CASE(case_judges_an_anchor), UNIT_CASE(case_finds_its_own),
          UNIT_CASE(case_drops_an_anchor), UNIT_CASE(case_keeps_the_lists))
