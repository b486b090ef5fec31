/* SPDX-License-Identifier: Apache-2.0
 *
 * What an authority's key signs: certificates and lists within the rules; every rule broken once.
 */
#include "fixture.h"

static struct mutual_error err;
static struct mu_key *key;
static struct mu_cert *issuer;
static char what[512];

static int setup(void **state)
{
    (void)state;
    key = new_key(MU_SPEC_EC_P256);
    issuer = self_signed(key, true);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mu_key_unref(key);
    mu_cert_unref(issuer);
    return 0;
}

static enum keys_judgement judge(const struct keys_ca_rules *rules,
                                 const struct mu_cert_template *template)
{
    MU_AUTO(buf) struct mu_buf tbs;
    mu_buf_init(&tbs, MU_LIMIT_CERT_BYTES);
    assert_ok(mu_cert_build_tbs(template, MU_SCHEME_ECDSA_P256_SHA256, &tbs, &err), &err);
    memset(&err, 0, sizeof err);
    return keys_judge_certificate(rules, MU_SCHEME_ECDSA_P256_SHA256, mu_buf_slice(&tbs), what,
                                  &err);
}

static void assert_forbidden(const struct keys_ca_rules *rules,
                             const struct mu_cert_template *template, const char *why)
{
    assert_int_equal(judge(rules, template), KEYS_FORBIDDEN);
    assert_int_equal(err.code, MUTUAL_E_KEY_REFUSED);
    if (strstr(err.reason, why) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", err.reason, why);
    }
}

static void a_certificate_within_the_rules(void **state)
{
    (void)state;
    const struct keys_ca_rules rules = ca_rules(issuer).ca;
    struct mu_cert_template template = leaf(issuer, key);
    assert_int_equal(judge(&rules, &template), KEYS_PERMITTED);
    assert_non_null(strstr(what, "certificate serial "));
    assert_non_null(strstr(what, "subject client"));
}

static void each_rule_is_kept(void **state)
{
    (void)state;
    const struct keys_ca_rules rules = ca_rules(issuer).ca;
    struct mu_cert_template template = leaf(issuer, key);

    template.not_after_s = NOW_S + 90 * DAY_S + 1;
    assert_forbidden(&rules, &template, "lives longer");
    template.not_after_s = MU_TIME_NEVER_S;
    assert_forbidden(&rules, &template, "lives longer");

    template = leaf(issuer, key);
    template.serial = MU_SLICE_LIT("\1\2\3\4\5\6\7\10");
    assert_forbidden(&rules, &template, "serial number of the wrong length");

    template = leaf(issuer, key);
    template.eku = MU_EKU_CLIENT | MU_EKU_CODE;
    assert_forbidden(&rules, &template, "extended key usage that this key may not grant");
    template.eku = 0;
    assert_forbidden(&rules, &template, "has no extended key usage");

    template = leaf(issuer, key);
    template.ca = true;
    template.names = NULL;
    template.name_count = 0;
    template.key_usage = MU_KU_KEY_CERT_SIGN;
    template.eku = 0;
    assert_forbidden(&rules, &template, "is an authority");
    struct keys_ca_rules wider = rules;
    wider.may_issue_ca = true;
    assert_int_equal(judge(&wider, &template), KEYS_PERMITTED);
    assert_non_null(strstr(what, " authority subject"));

    template = leaf(issuer, key);
    struct keys_ca_rules of_another = rules;
    of_another.issuer = MU_SLICE_LIT("0\0");
    assert_forbidden(&of_another, &template, "another issuer");

    template = leaf(issuer, key);
    const struct mu_raw_extension odd = {
        .oid = "1.2.3.4", .critical = true, .value = MU_SLICE_LIT("\5\0")};
    template.extra = &odd;
    template.extra_count = 1;
    assert_forbidden(&rules, &template, "critical extension");

    template = leaf(issuer, key);
    template.bare = true; /* it does not say which key signed it */
    assert_forbidden(&rules, &template, "flawed");
}

/* The scheme that is asked for must be the one written inside. */
static void the_scheme_must_agree(void **state)
{
    (void)state;
    const struct keys_ca_rules rules = ca_rules(issuer).ca;
    struct mu_cert_template template = leaf(issuer, key);
    MU_AUTO(buf) struct mu_buf tbs;
    mu_buf_init(&tbs, MU_LIMIT_CERT_BYTES);
    assert_ok(mu_cert_build_tbs(&template, MU_SCHEME_ECDSA_P384_SHA384, &tbs, &err), &err);
    assert_int_not_equal(
        keys_judge_certificate(&rules, MU_SCHEME_ECDSA_P256_SHA256, mu_buf_slice(&tbs), what, &err),
        KEYS_PERMITTED);
    assert_int_equal(keys_judge_certificate(&rules, MU_SCHEME_NONE, mu_buf_slice(&tbs), what, &err),
                     KEYS_NOT_THIS);
}

static void other_bytes_are_no_certificate(void **state)
{
    (void)state;
    const struct keys_ca_rules rules = ca_rules(issuer).ca;
    const struct mu_slice others[] = {MU_SLICE_LIT(""), MU_SLICE_LIT("0\0"), MU_SLICE_LIT("text"),
                                      mu_cert_facts(issuer)->der};
    for (size_t i = 0; i < MU_COUNT(others); i++) {
        assert_int_equal(
            keys_judge_certificate(&rules, MU_SCHEME_ECDSA_P256_SHA256, others[i], what, &err),
            KEYS_NOT_THIS);
        assert_int_equal(keys_judge_crl(&rules, MU_SCHEME_ECDSA_P256_SHA256, others[i], what, &err),
                         KEYS_NOT_THIS);
        assert_int_equal(
            keys_judge_ocsp(&rules, MU_SCHEME_ECDSA_P256_SHA256, others[i], what, &err),
            KEYS_NOT_THIS);
    }
}

static void a_list_of_our_own(void **state)
{
    (void)state;
    struct keys_ca_rules rules = ca_rules(issuer).ca;
    const struct mu_crl_template template = {
        .issuer = issuer, .this_update_s = NOW_S, .next_update_s = NOW_S + DAY_S, .number = 4};
    MU_AUTO(buf) struct mu_buf tbs;
    mu_buf_init(&tbs, MU_LIMIT_CERT_BYTES);
    assert_ok(mu_crl_build_tbs(&template, MU_SCHEME_ECDSA_P256_SHA256, &tbs, &err), &err);
    const struct mu_slice slice = mu_buf_slice(&tbs);
    assert_int_equal(keys_judge_crl(&rules, MU_SCHEME_ECDSA_P256_SHA256, slice, what, &err),
                     KEYS_PERMITTED);
    assert_int_equal(keys_judge_certificate(&rules, MU_SCHEME_ECDSA_P256_SHA256, slice, what, &err),
                     KEYS_NOT_THIS);
    rules.issuer = MU_SLICE_LIT("0\0");
    assert_int_equal(keys_judge_crl(&rules, MU_SCHEME_ECDSA_P256_SHA256, slice, what, &err),
                     KEYS_FORBIDDEN);
    assert_int_equal(err.code, MUTUAL_E_KEY_REFUSED);
}

static enum keys_judgement judge_ocsp(const struct keys_ca_rules *rules,
                                      const struct mu_ocsp_template *template)
{
    MU_AUTO(buf) struct mu_buf tbs;
    mu_buf_init(&tbs, MU_LIMIT_OCSP_BYTES);
    assert_ok(mu_ocsp_build_tbs(template, &tbs, &err), &err);
    memset(&err, 0, sizeof err);
    return keys_judge_ocsp(rules, MU_SCHEME_ECDSA_P256_SHA256, mu_buf_slice(&tbs), what, &err);
}

static void an_ocsp_response_within_the_rules(void **state)
{
    (void)state;
    const struct keys_ca_rules rules = ca_rules(issuer).ca;
    struct mu_ocsp_answer answers[2];
    struct mu_ocsp_template template = ocsp_about(issuer, answers);
    assert_int_equal(judge_ocsp(&rules, &template), KEYS_PERMITTED);
    assert_string_equal(what, "OCSP response about serial 0102 good, 0103 revoked");

    answers[1].next_update_s = NOW_S + 7 * DAY_S + 1;
    assert_int_equal(judge_ocsp(&rules, &template), KEYS_FORBIDDEN);
    assert_non_null(strstr(err.reason, "would hold longer"));
    answers[1].next_update_s = MU_TIME_NEVER_S;
    assert_int_equal(judge_ocsp(&rules, &template), KEYS_FORBIDDEN);
    assert_non_null(strstr(err.reason, "would hold longer"));

    MU_AUTO(key) struct mu_key *another = new_key(MU_SPEC_EC_P256);
    MU_AUTO(cert) struct mu_cert *twin = self_signed(another, true); /* of the same name */
    template = ocsp_about(twin, answers);
    assert_int_equal(judge_ocsp(&rules, &template), KEYS_FORBIDDEN);
    assert_non_null(strstr(err.reason, "another issuer"));
    assert_int_equal(err.code, MUTUAL_E_KEY_REFUSED);
}

/* A key for responses that is not the issuer's own speaks for its issuer all the same. */
static void an_ocsp_response_of_a_delegate(void **state)
{
    (void)state;
    const struct keys_ca_rules rules = ca_rules(issuer).ca;
    struct mu_ocsp_answer answers[2];
    struct mu_ocsp_template template = ocsp_about(issuer, answers);
    MU_AUTO(key) struct mu_key *another = new_key(MU_SPEC_EC_P256);
    MU_AUTO(cert) struct mu_cert *delegate = self_signed(another, false);
    template.responder = delegate;
    assert_int_equal(judge_ocsp(&rules, &template), KEYS_PERMITTED);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)
/* ---- kinds ----------------------------------------------------------------------------------- */

static struct keys_ca_rules shaped(void)
{
    struct keys_ca_rules rules = ca_rules(issuer).ca;
    rules.shape_count = 2;
    rules.shapes[0] = (struct keys_shape){.ekus = MU_EKU_CLIENT,
                                          .key_usage = MU_KU_DIGITAL_SIGNATURE,
                                          .name_types = 1u << MU_GNAME_DNS | 1u << MU_GNAME_URI,
                                          .must_types = 1u << MU_GNAME_DNS,
                                          .keys = 1u << MU_SPEC_EC_P256,
                                          .max_lifetime_s = 30 * DAY_S};
    rules.shapes[1] = (struct keys_shape){.ekus = MU_EKU_SERVER,
                                          .key_usage = MU_KU_DIGITAL_SIGNATURE,
                                          .name_types = 1u << MU_GNAME_DNS,
                                          .keys = 1u << MU_SPEC_EC_P256,
                                          .max_lifetime_s = 30 * DAY_S,
                                          .staple_allowed = true,
                                          .staple_required = true};
    return rules;
}

static void a_certificate_is_of_some_kind(void **state)
{
    (void)state;
    const struct keys_ca_rules rules = shaped();
    const struct mu_gname email = {MU_GNAME_EMAIL, MU_SLICE_LIT("a@b.example")};
    const struct mu_gname uri = {MU_GNAME_URI, MU_SLICE_LIT("spiffe://a/b")};
    const struct mu_raw_extension nocheck = {"1.3.6.1.5.5.7.48.1.5", false,
                                             MU_SLICE_LIT("\x05\x00")};
    MU_AUTO(key) struct mu_key *large = new_key(MU_SPEC_EC_P384);
    struct mu_cert_template template = leaf(issuer, key);
    assert_int_equal(judge(&rules, &template), KEYS_PERMITTED);

    template.not_after_s++;
    assert_forbidden(&rules, &template, "lives longer than it may");
    template = leaf(issuer, key);
    template.names = &email;
    assert_forbidden(&rules, &template, "a name of a type");
    template.names = &uri;
    assert_forbidden(&rules, &template, "lacks a name");
    template = leaf(issuer, key);
    template.spki = mu_key_spki(large);
    assert_forbidden(&rules, &template, "kind of key");
    template = leaf(issuer, key);
    template.key_usage |= MU_KU_KEY_ENCIPHERMENT;
    assert_forbidden(&rules, &template, "key usage");
    template.key_usage = 0;
    assert_forbidden(&rules, &template, "key usage");
    template = leaf(issuer, key);
    template.must_staple = true;
    assert_forbidden(&rules, &template, "which it may not");
    template.eku = MU_EKU_SERVER;
    assert_int_equal(judge(&rules, &template), KEYS_PERMITTED);
    template.must_staple = false;
    assert_forbidden(&rules, &template, "which it must");
    template.eku = MU_EKU_SERVER | MU_EKU_CLIENT;
    assert_forbidden(&rules, &template, "extended key usage");
    template = leaf(issuer, key);
    template.extra = &nocheck;
    template.extra_count = 1;
    assert_forbidden(&rules, &template, "has ocsp-nocheck");
    struct keys_ca_rules ocsp = rules;
    ocsp.shapes[0].ocsp_nocheck = true;
    assert_int_equal(judge(&ocsp, &template), KEYS_PERMITTED);
    template.extra_count = 0;
    assert_forbidden(&ocsp, &template, "lacks ocsp-nocheck");
}

static void nothing_outlives_its_issuer(void **state)
{
    (void)state;
    struct keys_ca_rules rules = shaped();
    struct mu_cert_template template = leaf(issuer, key);
    rules.not_after_max_s = template.not_after_s;
    assert_int_equal(judge(&rules, &template), KEYS_PERMITTED);
    rules.not_after_max_s--;
    assert_forbidden(&rules, &template, "outlive");
}

UNIT_MAIN(CASE(a_certificate_within_the_rules), CASE(each_rule_is_kept),
          CASE(the_scheme_must_agree), CASE(other_bytes_are_no_certificate),
          CASE(a_list_of_our_own), CASE(an_ocsp_response_within_the_rules),
          CASE(an_ocsp_response_of_a_delegate), CASE(a_certificate_is_of_some_kind),
          CASE(nothing_outlives_its_issuer))
