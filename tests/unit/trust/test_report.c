/* SPDX-License-Identifier: Apache-2.0
 *
 * What is told of a refused chain: the certificate, the check, and where it stood.
 */
#include "trust_unit.h"

static struct pki *authority(struct pki *parent, const char *organisation, const char *cn)
{
    struct mu_rdn subject[] = {{MU_ATTR_O, organisation}, {MU_ATTR_CN, cn}};
    struct mu_cert_template t = {.subject = subject,
                                 .subject_count = 2,
                                 .ca = true,
                                 .key_usage = MU_KU_KEY_CERT_SIGN | MU_KU_CRL_SIGN};
    return pki_make(parent, &t, MU_SPEC_EC_P256);
}

static void assert_told(const struct mutual_trust *trust, struct pki *const *sent,
                        enum mutual_code code, const char *reason, const char *context)
{
    struct mutual_error err = {0};
    assert_fails(validates(trust, sent, &err), &err, code);
    assert_string_equal(err.reason, reason);
    assert_string_equal(err.context, context);
    assert_int_equal(err.step, MUTUAL_STEP_CLIENT_CHECK);
}

static void case_incomplete(void **state)
{
    (void)state;
    struct pki *root = authority(NULL, "Example", "Root");
    struct pki *sub = authority(root, "Example", "Issuing");
    struct pki *deep = authority(sub, "Example", "Team");
    struct pki *leaf = pki_issue(sub, (struct pki_leaf){.cn = "web", .dns = "a.example.org"});
    struct pki *far = pki_issue(deep, (struct pki_leaf){.cn = "far", .dns = "a.example.org"});
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(root), NULL);
    assert_told(trust, NODES(leaf), MUTUAL_E_CHAIN_INCOMPLETE,
                "certificate \"web\" was issued by \"CN=Issuing,O=Example\", whose certificate was "
                "not sent and is not in bundle \"test\"",
                "certificate 1 of 1 sent");
    assert_told(
        trust, NODES(far, deep), MUTUAL_E_CHAIN_INCOMPLETE,
        "certificate \"Team\" was issued by \"CN=Issuing,O=Example\", whose certificate was "
        "not sent and is not in bundle \"test\"",
        "certificate 2 of 2 sent");
    assert_told(trust, NODES(far, sub), MUTUAL_E_CHAIN_INCOMPLETE,
                "certificate \"far\" was issued by \"CN=Team,O=Example\", whose certificate was "
                "not sent and is not in bundle \"test\"",
                "certificate 1 of 2 sent");
    struct pki *plain_root = pki_root("Demo Root");
    struct pki *plain_sub = pki_ca(plain_root, "Demo Issuing");
    struct pki *plain = pki_issue(plain_sub, (struct pki_leaf){.cn = "web", .dns = "a.b"});
    MU_AUTO(trust) struct mutual_trust *demo = trust_of(NODES(plain_root), NULL);
    struct mutual_error err = {0};
    assert_fails(validates(demo, NODES(plain), &err), &err, MUTUAL_E_CHAIN_INCOMPLETE);
}

static void case_wrong_order(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct pki *root = pki_root("Root");
    struct pki *sub = pki_ca(root, "Issuing");
    struct pki *leaf = pki_issue(sub, (struct pki_leaf){.cn = "web", .dns = "a.b"});
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(root), NULL);
    assert_fails(validates(trust, NODES(sub, leaf), &err), &err, MUTUAL_E_CA_AS_PEER);
    assert_non_null(strstr(err.hint, "wrong order"));
    assert_fails(validates(trust, NODES(root, sub, leaf), &err), &err, MUTUAL_E_CA_AS_PEER);
    assert_non_null(strstr(err.hint, "wrong order"));
    assert_fails(validates(trust, NODES(sub), &err), &err, MUTUAL_E_CA_AS_PEER);
    assert_null(strstr(err.hint, "wrong order"));
}

static void case_unknown(void **state)
{
    (void)state;
    struct pki *root = authority(NULL, "Example", "Root");
    struct pki *strange_root = authority(NULL, "Stranger, Inc.", "Stranger Root");
    struct pki *strange_sub = authority(strange_root, "Stranger, Inc.", "Stranger CA");
    struct pki *leaf = pki_issue(strange_sub, (struct pki_leaf){.cn = "web", .dns = "a.b"});
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(root), NULL);
    assert_told(trust, NODES(leaf, strange_sub, strange_root), MUTUAL_E_UNKNOWN_ISSUER,
                "certificate \"web\" leads to \"Stranger Root\", which is not in bundle \"test\"",
                "certificate 3 of 3 sent");
    assert_told(trust, NODES(leaf, strange_sub), MUTUAL_E_UNKNOWN_ISSUER,
                "certificate \"Stranger CA\" was issued by \"CN=Stranger Root,O=Stranger\\, "
                "Inc.\", which is not in bundle \"test\" and was not sent",
                "certificate 2 of 2 sent");
    assert_told(trust, NODES(pki_stranger("me")), MUTUAL_E_UNKNOWN_ISSUER,
                "certificate \"me\" is its own issuer and is not in bundle \"test\"",
                "certificate 1 of 1 sent");
}

static void case_signature(void **state)
{
    (void)state;
    struct pki *root = authority(NULL, "Example", "Root");
    struct pki *false_root = authority(NULL, "Example", "Root");
    struct pki *sub = authority(false_root, "Example", "Issuing");
    struct pki *leaf = pki_issue(sub, (struct pki_leaf){.cn = "web", .dns = "a.b"});
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(root), NULL);
    assert_told(trust, NODES(leaf, sub), MUTUAL_E_CERT_SIGNATURE,
                "certificate \"Issuing\" names \"Root\" as its issuer but is not signed by its key",
                "certificate 2 of 2 sent");
}

/* The fault of the path that reaches an anchor is told, not the end of a decoy that leads further
 * into nowhere. */
static void case_nearest(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct pki *root = authority(NULL, "Example", "Root");
    struct mu_rdn subject[] = {{MU_ATTR_O, "Example"}, {MU_ATTR_CN, "Issuing"}};
    struct mu_cert_template t = {.subject = subject,
                                 .subject_count = 2,
                                 .ca = true,
                                 .key_usage = MU_KU_KEY_CERT_SIGN,
                                 .not_before_s = PKI_NOW_S - 9 * PKI_DAY_S,
                                 .not_after_s = PKI_NOW_S - 2 * PKI_DAY_S};
    struct pki *expired = pki_make(root, &t, MU_SPEC_EC_P256);
    struct pki *nowhere = authority(authority(NULL, "X", "Far"), "X", "Nowhere");
    struct mu_cert_template cross = {.subject = subject,
                                     .subject_count = 2,
                                     .ca = true,
                                     .spki = mu_key_spki(expired->key),
                                     .key_usage = MU_KU_KEY_CERT_SIGN};
    struct pki *decoy = pki_make(nowhere, &cross, MU_SPEC_EC_P256);
    struct pki *leaf = pki_issue(expired, (struct pki_leaf){.cn = "web", .dns = "a.b"});
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(root), NULL);
    assert_fails(validates(trust, NODES(leaf, decoy, nowhere, expired), &err), &err,
                 MUTUAL_E_CERT_EXPIRED);
    assert_string_equal(err.reason,
                        "certificate \"Issuing\" expired 2 days ago (2027-01-13T08:00:00Z)");
    assert_string_equal(err.context, "certificate 4 of 4 sent");
    assert_int_equal(mutual_code_alert(err.code), 45);
}

static void case_anchor_and_pool(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct pki *sub = pki_ca(root, "Issuing");
    struct pki *leaf = pki_issue(
        sub, (struct pki_leaf){
                 .cn = "web", .dns = "a.b", .not_after = PKI_NOW_S + 30 * 365 * PKI_DAY_S});
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(root), NODES(sub));
    struct mutual_error err = {0};
    MU_AUTO(chain) struct mutual_chain *chain = NULL;
    int64_t late_s = mu_cert_facts(root->cert)->not_after_s + 1;
    assert_fails(validate_as(trust, NODES(leaf), MUTUAL_PURPOSE_SERVER, late_s, &chain, &err), &err,
                 MUTUAL_E_CERT_EXPIRED);
    assert_non_null(strstr(err.context, "of bundle \"test\""));
    assert_int_equal(err.step, MUTUAL_STEP_SERVER_CHECK);
    assert_null(chain);
}

UNIT_MAIN(UNIT_CASE(case_incomplete), UNIT_CASE(case_wrong_order), UNIT_CASE(case_unknown),
          UNIT_CASE(case_signature), UNIT_CASE(case_nearest), UNIT_CASE(case_anchor_and_pool))
