/* SPDX-License-Identifier: Apache-2.0
 *
 * Names against the issuer's name constraints, type by type.
 */
#include "support.h"

static struct mu_cert *issuer_with(const struct mu_subtree *permitted, size_t permitted_count,
                                   const struct mu_subtree *excluded, size_t excluded_count)
{
    struct mutual_error err = {0};
    MU_AUTO(key) struct mu_key *key = NULL;
    struct mu_cert *cert = NULL;
    const struct mu_rdn subject = {MU_ATTR_CN, "issuer"};
    const struct mu_cert_template template = {
        .subject = &subject,
        .subject_count = 1,
        .not_before_s = NOW,
        .not_after_s = NOW + DAY,
        .ca = true,
        .key_usage = MU_KU_KEY_CERT_SIGN,
        .permitted = permitted,
        .permitted_count = permitted_count,
        .excluded = excluded,
        .excluded_count = excluded_count,
    };
    assert_ok(mu_key_generate(MU_SPEC_EC_P256, &key, &err), &err);
    assert_ok(mu_cert_sign(&template, key, &cert, &err), &err);
    return cert;
}

struct question {
    enum mutual_name_type type;
    const char *text;
    bool good;
};

static void ask(const struct mu_cert *issuer, const struct question *questions, size_t count)
{
    struct mutual_error err = {0};
    const struct ca_issuer whose = {.cert = mu_cert_ref(issuer)};
    struct ca_rule rule;
    ca_rule_build(ca_profile_at(0), &whose, "example.org", &rule);
    for (size_t i = 0; i < count; i++) {
        const struct mutual_name name = {questions[i].type, questions[i].text,
                                         strlen(questions[i].text)};
        if (questions[i].good) {
            assert_ok(ca_constraint_check(&rule, &name, &err), &err);
        } else {
            assert_fails(ca_constraint_check(&rule, &name, &err), &err, MUTUAL_E_ISSUER_CONSTRAINT);
            assert_non_null(strstr(err.reason, questions[i].text));
        }
    }
    mu_cert_unref(whose.cert);
}

#define TREE(type_, text_)                  \
    {                                       \
        {type_, MU_SLICE_LIT(text_)}, false \
    }

static void permitted_names(void **state)
{
    (void)state;
    const struct mu_subtree permitted[] = {
        TREE(MU_GNAME_DNS, "example.org"),
        TREE(MU_GNAME_URI, "example.org"),
        TREE(MU_GNAME_EMAIL, "example.org"),
        TREE(MU_GNAME_IP, "\x0a\x00\x00\x00\xff\x00\x00\x00"),
    };
    MU_AUTO(cert) struct mu_cert *issuer = issuer_with(permitted, 4, NULL, 0);
    static const struct question questions[] = {
        {MUTUAL_NAME_DNS, "example.org", true},
        {MUTUAL_NAME_DNS, "a.b.example.org", true},
        {MUTUAL_NAME_DNS, "notexample.org", false},
        {MUTUAL_NAME_DNS, "example.org.evil.com", false},
        {MUTUAL_NAME_DNS, "org", false},
        {MUTUAL_NAME_SPIFFE, "spiffe://example.org/a", true},
        {MUTUAL_NAME_SPIFFE, "spiffe://a.example.org/a", false},
        {MUTUAL_NAME_SPIFFE, "spiffe://evil.com/example.org", false},
        {MUTUAL_NAME_EMAIL, "a@example.org", true},
        {MUTUAL_NAME_EMAIL, "a@mail.example.org", false},
        {MUTUAL_NAME_EMAIL, "example.org@evil.com", false},
        {MUTUAL_NAME_IP, "10.255.0.1", true},
        {MUTUAL_NAME_IP, "11.0.0.1", false},
        {MUTUAL_NAME_IP, "::ffff:10.0.0.1", false},
        {MUTUAL_NAME_IP, "2001:db8::1", false},
    };
    ask(issuer, questions, MU_COUNT(questions));
}

static void exclusion_wins_and_silence_is_no_permission(void **state)
{
    (void)state;
    const struct mu_subtree permitted[] = {
        TREE(MU_GNAME_DNS, "example.org"),
        TREE(MU_GNAME_EMAIL, "root@example.org"),
        TREE(MU_GNAME_URI, ".example.org"),
    };
    const struct mu_subtree excluded[] = {
        TREE(MU_GNAME_DNS, "secret.example.org"),
    };
    MU_AUTO(cert) struct mu_cert *issuer = issuer_with(permitted, 3, excluded, 1);
    static const struct question questions[] = {
        {MUTUAL_NAME_DNS, "www.example.org", true},
        {MUTUAL_NAME_DNS, "secret.example.org", false},
        {MUTUAL_NAME_DNS, "a.secret.example.org", false},
        {MUTUAL_NAME_EMAIL, "root@example.org", true},
        {MUTUAL_NAME_EMAIL, "toor@example.org", false},
        {MUTUAL_NAME_URI, "https://a.example.org/x", true},
        {MUTUAL_NAME_SPIFFE, "spiffe://example.org/x", false},
        {MUTUAL_NAME_IP, "10.0.0.1", false}, /* not mentioned at all */
    };
    ask(issuer, questions, MU_COUNT(questions));
}

static void a_type_with_exclusions_only_is_free_beside_them(void **state)
{
    (void)state;
    const struct mu_subtree excluded[] = {
        TREE(MU_GNAME_IP, "\x00\x00\x00\x00\x00\x00\x00\x00"),
    };
    MU_AUTO(cert) struct mu_cert *issuer = issuer_with(NULL, 0, excluded, 1);
    static const struct question questions[] = {
        {MUTUAL_NAME_IP, "10.0.0.1", false},
        {MUTUAL_NAME_IP, "2001:db8::1", true},
    };
    ask(issuer, questions, MU_COUNT(questions));
    MU_AUTO(cert) struct mu_cert *free_one = issuer_with(NULL, 0, NULL, 0);
    static const struct question anything[] = {{MUTUAL_NAME_DNS, "anything.test", true}};
    ask(free_one, anything, 1);
}

UNIT_MAIN(UNIT_CASE(permitted_names), UNIT_CASE(exclusion_wins_and_silence_is_no_permission),
          UNIT_CASE(a_type_with_exclusions_only_is_free_beside_them))
