/* SPDX-License-Identifier: Apache-2.0
 *
 * A rule as people read it; its JSON is tested by test_rule.c.
 */
#include "support.h"

static void a_rule_in_words(void **state)
{
    (void)state;
    MU_AUTO(ca) struct ca *ca = home_open(CA_LOOK);
    MU_AUTO(buf) struct mu_buf out;
    struct ca_rule rule;
    mu_buf_init(&out, 1u << 16);
    ca_rule_of(ca, ca_profile_at(4), &rule);
    ca_rule_describe(&rule, false, &out);
    assert_string_equal(
        mu_buf_str(&out),
        "profile user: proves a person to the servers they use\n"
        "  issuer      issuer (example.org issuer), until 2032-01-15T08:00:00Z\n"
        "  subject     O=example.org, CN=NAME\n"
        "  purposes    client\n"
        "  keys        ec-p256, ec-p384, rsa-2048, rsa-3072, rsa-4096, ed25519; ec-p256 unless "
        "asked otherwise\n"
        "  names       spiffe, email\n"
        "  made        spiffe, email, from NAME when none is given\n"
        "              below example.org, spiffe://example.org/user/\n"
        "  only names  DNS:example.org, URI:example.org, email:example.org, DNS:localhost, "
        "IP:127.0.0.0/8, IP:10.1.2.3/32\n"
        "  never names IP:::/0\n"
        "  how many    1 to 128 names, at most 1 SPIFFE ID\n"
        "  valid for   1 year, at most 2 years, at least 1 minute; backdated 60 seconds\n"
        "  must-staple forbid\n");
}

static void without_an_issuer_its_limits_are_left_out(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf out;
    struct ca_rule rule;
    mu_buf_init(&out, 1u << 16);
    ca_rule_bare(ca_profile_at(0), &rule);
    ca_rule_describe(&rule, false, &out);
    assert_null(strstr(mu_buf_str(&out), "issuer"));
    assert_non_null(strstr(mu_buf_str(&out), "names       spiffe, dns, ip\n"));
}

CA_UNIT_MAIN(home_init, cmocka_unit_test(a_rule_in_words),
             cmocka_unit_test(without_an_issuer_its_limits_are_left_out))
