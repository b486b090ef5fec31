/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules for one certificate in its place. Facts are taken from good certificates and spoiled
 * one at a time, so that the rule is tried and nothing else.
 */
#include "trust/trust_internal.h"
#include "trust_unit.h"

struct stage {
    struct mutual_trust *trust;
    struct judge judge;
    struct mu_cert_facts leaf, sub, mid, root; /* copies, to be spoiled */
    struct trust_node nodes[4];
    const struct trust_node *path[4];
};

/* leaf - sub - mid - root, all good. */
static void stage_init(struct stage *stage)
{
    static struct pki *root, *mid, *sub, *leaf;
    if (root == NULL) {
        root = pki_root("Root");
        mid = pki_ca(root, "Middle");
        sub = pki_ca(mid, "Issuing");
        leaf = pki_issue(sub, (struct pki_leaf){.cn = "web", .dns = "a.example.org"});
    }
    struct pki *const made[] = {leaf, sub, mid, root};
    struct mu_cert_facts *const facts[] = {&stage->leaf, &stage->sub, &stage->mid, &stage->root};
    stage->trust = trust_of(NODES(root), NULL);
    stage->judge = (struct judge){.trust = stage->trust,
                                  .purpose = MUTUAL_PURPOSE_CLIENT,
                                  .now_s = PKI_NOW_S,
                                  .constraint_work = MU_LIMIT_CONSTRAINTS};
    for (size_t i = 0; i < MU_COUNT(made); i++) {
        *facts[i] = *mu_cert_facts(made[i]->cert);
        stage->nodes[i] = (struct trust_node){
            .cert = made[i]->cert, .facts = facts[i], .origin = i == 3 ? NODE_ANCHOR : NODE_SENT};
        stage->path[i] = &stage->nodes[i];
    }
}

static void stage_done(struct stage *stage)
{
    mutual_trust_unref(stage->trust);
}

static bool leaf_passes(struct stage *stage, struct mutual_error *err)
{
    return mu_check_leaf(&stage->judge, &stage->leaf, err);
}

static bool issuer_passes(struct stage *stage, size_t depth, struct mutual_error *err)
{
    return mu_check_issuer(&stage->judge, stage->path, depth, err);
}

static void case_good(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct stage stage;
    stage_init(&stage);
    assert_ok(leaf_passes(&stage, &err), &err);
    for (size_t depth = 1; depth < 4; depth++) {
        assert_ok(issuer_passes(&stage, depth, &err), &err);
    }
    stage_done(&stage);
}

static void case_time(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct stage stage;
    stage_init(&stage);
    stage.leaf.not_after_s = PKI_NOW_S; /* inclusive */
    stage.leaf.not_before_s = PKI_NOW_S;
    assert_ok(leaf_passes(&stage, &err), &err);
    stage.leaf.not_after_s = PKI_NOW_S - 3 * PKI_DAY_S;
    stage.leaf.not_before_s = PKI_NOW_S - 9 * PKI_DAY_S;
    assert_fails(leaf_passes(&stage, &err), &err, MUTUAL_E_CERT_EXPIRED);
    assert_string_equal(err.reason,
                        "certificate \"web\" expired 3 days ago (2027-01-12T08:00:00Z)");
    stage.root.not_before_s = PKI_NOW_S + 1;
    assert_fails(issuer_passes(&stage, 3, &err), &err, MUTUAL_E_CERT_NOT_YET_VALID);
    assert_non_null(strstr(err.reason, "\"Root\""));
    stage_done(&stage);
}

static void case_purpose(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct stage stage;
    stage_init(&stage);
    static const struct {
        bool has;
        unsigned eku;
        bool leaf, issuer; /* good for a client */
    } rows[] = {
        {true, MU_EKU_CLIENT, true, true},
        {true, MU_EKU_SERVER, false, false},
        {true, MU_EKU_SERVER | MU_EKU_CLIENT, true, true},
        {true, MU_EKU_ANY, false, true},
        {true, MU_EKU_OTHER | MU_EKU_EMAIL, false, false},
        {true, 0, false, false},
        {false, 0, true, true},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        stage.leaf.has_eku = stage.mid.has_eku = rows[i].has;
        stage.leaf.eku = stage.mid.eku = rows[i].eku;
        bool ok = leaf_passes(&stage, &err);
        assert_int_equal(ok, rows[i].leaf);
        assert_true(ok || err.code == MUTUAL_E_PURPOSE_WRONG);
        ok = issuer_passes(&stage, 2, &err);
        assert_int_equal(ok, rows[i].issuer);
        assert_true(ok || err.code == MUTUAL_E_PURPOSE_WRONG);
    }
    stage.judge.purpose = MUTUAL_PURPOSE_SERVER;
    stage.leaf.has_eku = true;
    stage.leaf.eku = MU_EKU_CLIENT;
    assert_fails(leaf_passes(&stage, &err), &err, MUTUAL_E_PURPOSE_WRONG);
    assert_non_null(strstr(err.reason, "serverAuth"));
    stage_done(&stage);
}

static void case_usage(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct stage stage;
    stage_init(&stage);
    stage.leaf.has_ku = stage.sub.has_ku = true;
    stage.leaf.key_usage = MU_KU_KEY_ENCIPHERMENT | MU_KU_KEY_AGREEMENT;
    assert_fails(leaf_passes(&stage, &err), &err, MUTUAL_E_KEY_USAGE_WRONG);
    stage.sub.key_usage = MU_KU_CRL_SIGN | MU_KU_DIGITAL_SIGNATURE;
    assert_fails(issuer_passes(&stage, 1, &err), &err, MUTUAL_E_KEY_USAGE_WRONG);
    stage.leaf.has_ku = stage.sub.has_ku = false;
    assert_ok(leaf_passes(&stage, &err), &err);
    assert_ok(issuer_passes(&stage, 1, &err), &err);
    stage_done(&stage);
}

static void case_authority(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct stage stage;
    stage_init(&stage);
    stage.leaf.ca = true;
    assert_fails(leaf_passes(&stage, &err), &err, MUTUAL_E_CA_AS_PEER);
    stage.sub.ca = false;
    assert_fails(issuer_passes(&stage, 1, &err), &err, MUTUAL_E_NOT_A_CA);
    stage_done(&stage);
}

static void case_path_length(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct stage stage;
    stage_init(&stage);
    stage.sub.path_length = 0;
    stage.mid.path_length = 1;
    stage.root.path_length = 2;
    for (size_t depth = 1; depth < 4; depth++) {
        assert_ok(issuer_passes(&stage, depth, &err), &err);
    }
    stage.mid.path_length = 0;
    assert_fails(issuer_passes(&stage, 2, &err), &err, MUTUAL_E_PATH_LENGTH);
    stage.root.path_length = 1;
    assert_fails(issuer_passes(&stage, 3, &err), &err, MUTUAL_E_PATH_LENGTH);
    stage.mid.self_issued = true; /* does not count */
    assert_ok(issuer_passes(&stage, 3, &err), &err);
    stage_done(&stage);
}

static void case_strength(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct stage stage;
    stage_init(&stage);
    stage.leaf.key.weak = "it has fewer than 2048 bits";
    assert_fails(leaf_passes(&stage, &err), &err, MUTUAL_E_WEAK_KEY);
    stage.root.key.weak = "it has fewer than 2048 bits";
    assert_fails(issuer_passes(&stage, 3, &err), &err, MUTUAL_E_WEAK_KEY);
    stage.leaf.key.weak = stage.root.key.weak = NULL;
    struct mu_key_info own = stage.leaf.key;
    stage.leaf.key = (struct mu_key_info){.kind = MU_KEY_RSA, .bits = 2050, .text = "RSA"};
    assert_fails(leaf_passes(&stage, &err), &err, MUTUAL_E_WEAK_KEY);
    stage.leaf.key = own;
    stage.leaf.sig.digest = stage.sub.sig.digest = stage.root.sig.digest = MU_DIGEST_WEAK;
    assert_fails(leaf_passes(&stage, &err), &err, MUTUAL_E_WEAK_SIGNATURE);
    assert_fails(issuer_passes(&stage, 1, &err), &err, MUTUAL_E_WEAK_SIGNATURE);
    assert_ok(issuer_passes(&stage, 3, &err), &err); /* nobody verifies an anchor's */
    stage.leaf.sig.kind = MU_KEY_OTHER;
    assert_fails(leaf_passes(&stage, &err), &err, MUTUAL_E_KEY_UNSUPPORTED);
    stage_done(&stage);
}

static void case_extensions(void **state)
{
    (void)state;
    static const char *const oids[] = {"1.3.6.1.4.1.55738.666.1", NULL};
    struct mutual_error err = {0};
    struct stage stage;
    stage_init(&stage);
    stage.leaf.unknown_critical = stage.root.unknown_critical = oids;
    assert_fails(leaf_passes(&stage, &err), &err, MUTUAL_E_CRITICAL_EXTENSION);
    assert_non_null(strstr(err.reason, oids[0]));
    assert_fails(issuer_passes(&stage, 3, &err), &err, MUTUAL_E_CRITICAL_EXTENSION);
    /* Policies: root demands them after so many more certificates. */
    stage.root.unknown_critical = NULL;
    stage.root.require_explicit_policy = 0;
    assert_fails(issuer_passes(&stage, 3, &err), &err, MUTUAL_E_CRITICAL_EXTENSION);
    stage.root.require_explicit_policy = 3;
    assert_ok(issuer_passes(&stage, 3, &err), &err);
    stage_done(&stage);
}

static void case_flaws(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct stage stage;
    stage_init(&stage);
    stage.leaf.flaws = MU_FLAW(AKI_MISSING);
    stage.root.flaws = MU_FLAW(AKI_MISSING);
    assert_fails(leaf_passes(&stage, &err), &err, MUTUAL_E_CERT_PROFILE);
    assert_ok(issuer_passes(&stage, 3, &err), &err);
    stage.leaf.flaws = MU_FLAW(TIME_FORM) | MU_FLAW(UNIQUE_ID);
    assert_ok(leaf_passes(&stage, &err), &err);
    stage.trust->allow_flaws = true;
    stage.leaf.flaws = MU_FLAW(AKI_MISSING) | MU_FLAW(BC_NOT_CRITICAL) | MU_FLAW(SERIAL_NEGATIVE);
    assert_ok(leaf_passes(&stage, &err), &err);
    stage.leaf.flaws |= MU_FLAW(EXTENSION_TWICE);
    assert_fails(leaf_passes(&stage, &err), &err, MUTUAL_E_CERT_PROFILE);
    stage_done(&stage);
}

static void case_names(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct stage stage;
    stage_init(&stage);
    struct mu_gname bad = {MU_GNAME_URI, mu_slice_text("SPIFFE://example.org/a")};
    stage.leaf.names = stage.sub.names = &bad;
    stage.leaf.name_count = stage.sub.name_count = 1;
    assert_fails(leaf_passes(&stage, &err), &err, MUTUAL_E_SPIFFE_MALFORMED);
    assert_fails(issuer_passes(&stage, 1, &err), &err, MUTUAL_E_SPIFFE_MALFORMED);
    bad = (struct mu_gname){MU_GNAME_DNS, mu_slice_text("a_b")};
    assert_fails(leaf_passes(&stage, &err), &err, MUTUAL_E_NAME_MALFORMED);
    stage_done(&stage);
}

UNIT_MAIN(UNIT_CASE(case_good), UNIT_CASE(case_time), UNIT_CASE(case_purpose),
          UNIT_CASE(case_usage), UNIT_CASE(case_authority), UNIT_CASE(case_path_length),
          UNIT_CASE(case_strength), UNIT_CASE(case_extensions), UNIT_CASE(case_flaws),
          UNIT_CASE(case_names))
