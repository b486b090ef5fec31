/* SPDX-License-Identifier: Apache-2.0 */
#include "admission/admission_internal.h"
#include "policy_fixture.h"
#include "trust_fake.h"

/* What admission takes from a chain. */
#define PEER(chain_) \
    (&(struct mu_peer){(chain_).names, (chain_).count, mutual_chain_subject(&(chain_))})

static const struct mutual_rules rules = {.service = "customer-db"};
static const struct mutual_decision none = {0};

static void a_denial_gives_the_line_to_add(void **state)
{
    (void)state;
    const struct mutual_name names[] = {name_of("dns web.e.org"),
                                        name_of("spiffe spiffe://e.org/web")};
    const struct mutual_chain chain = {.names = names, .count = 2};
    struct mutual_error err = {0};
    assert_fails(mu_say_denied(&rules, PEER(chain), &none, 0, &err), &err, MUTUAL_E_POLICY_DENIED);
    assert_string_equal(err.reason, "no grant lets \"spiffe://e.org/web\" reach \"customer-db\"");
    assert_string_equal(err.hint,
                        "Add to the policy: - {grant: NAME, to: customer-db, from: [{spiffe: "
                        "\"spiffe://e.org/web\"}], owner: WHO, why: REASON}");
}

static void a_line_that_does_not_fit_is_not_cut(void **state)
{
    (void)state;
    char text[300];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    const struct mutual_name name = {MUTUAL_NAME_URI, text, sizeof text - 1};
    const struct mutual_chain chain = {.names = &name, .count = 1};
    struct mutual_error err = {0};
    assert_fails(mu_say_denied(&rules, PEER(chain), &none, 0, &err), &err, MUTUAL_E_POLICY_DENIED);
    assert_string_equal(err.hint, mutual_code_hint(MUTUAL_E_POLICY_DENIED));
}

static void hostile_names_are_escaped(void **state)
{
    (void)state;
    const struct mutual_name name = {MUTUAL_NAME_URI, "x\" y\\", 5};
    const struct mutual_chain chain = {.names = &name, .count = 1};
    struct mutual_error err = {0};
    assert_fails(mu_say_denied(&rules, PEER(chain), &none, 0, &err), &err, MUTUAL_E_POLICY_DENIED);
    assert_non_null(strstr(err.reason, "\"x\\\" y\\\\\" reach"));
}

static void a_common_name_alone_is_no_identity(void **state)
{
    (void)state;
    const struct mutual_name name = name_of("cn alice");
    const struct mutual_chain chain = {.names = &name, .count = 1};
    struct mutual_error err = {0};
    assert_fails(mu_say_denied(&rules, PEER(chain), &none, 0, &err), &err, MUTUAL_E_NO_IDENTITY);
    assert_non_null(strstr(err.reason, "only the common name \"alice\""));
    const struct mutual_chain empty = {0};
    assert_fails(mu_say_denied(&rules, PEER(empty), &none, 0, &err), &err, MUTUAL_E_NO_IDENTITY);
    assert_string_equal(err.reason, "certificate \"O=Nobody\" holds no usable name");
}

static void grants_of_other_times_are_named(void **state)
{
    (void)state;
    struct mutual_grant grant = {
        .name = "hr", .since_s = 50, .until_s = 100, .file = "p.yaml", .line = 12};
    const struct mutual_name name = name_of("dns a.e.org");
    const struct mutual_chain chain = {.names = &name, .count = 1};
    const struct mutual_decision near = {.grant = &grant, .name = &name};
    struct mutual_error err = {0};
    assert_fails(mu_say_denied(&rules, PEER(chain), &near, 100, &err), &err, MUTUAL_E_GRANT_ENDED);
    assert_string_equal(err.reason, "grant \"hr\" (p.yaml:12) let \"a.e.org\" reach "
                                    "\"customer-db\" until 1970-01-01T00:01:40Z");
    assert_fails(mu_say_denied(&rules, PEER(chain), &near, 49, &err), &err,
                 MUTUAL_E_GRANT_NOT_BEGUN);
    assert_string_equal(err.reason, "grant \"hr\" (p.yaml:12) lets \"a.e.org\" reach "
                                    "\"customer-db\" only from 1970-01-01T00:00:50Z on");
    grant.file = NULL;
    assert_fails(mu_say_denied_anonymous(&rules, &near, 100, &err), &err, MUTUAL_E_GRANT_ENDED);
    assert_string_equal(err.reason, "grant \"hr\" let a peer without a certificate reach "
                                    "\"customer-db\" until 1970-01-01T00:01:40Z");
    assert_fails(mu_say_denied_anonymous(&rules, &none, 100, &err), &err, MUTUAL_E_POLICY_DENIED);
    assert_non_null(strstr(err.hint, "from anonymous"));
}

static void a_mismatch_quotes_both_sides(void **state)
{
    (void)state;
    struct mutual_pattern *expect[3] = {pattern_of("dns ledger.e.org"), pattern_of("ip 10.0.0.1"),
                                        pattern_of("spiffe spiffe://e.org/ledger")};
    const struct mutual_rules client = {.service = "ledger", .expect = expect, .expect_count = 2};
    const struct mutual_name names[] = {name_of("dns a.e.org"), name_of("dns b.e.org"),
                                        name_of("cn ledger.e.org")};
    const struct mutual_chain chain = {.names = names, .count = 3};
    struct mutual_error err = {0};
    assert_fails(mu_say_mismatch(&client, PEER(chain), &err), &err, MUTUAL_E_NAME_MISMATCH);
    assert_string_equal(err.reason,
                        "the server is not whom we expected: expected dns \"ledger.e.org\", ip "
                        "\"10.0.0.1\"; its certificate is for dns \"a.e.org\", dns \"b.e.org\"");
    const struct mutual_chain nameless = {.names = &names[2], .count = 1};
    assert_fails(mu_say_mismatch(&client, PEER(nameless), &err), &err, MUTUAL_E_NO_IDENTITY);
    for (size_t i = 0; i < 3; i++) {
        mutual_pattern_free(expect[i]);
    }
}

static void long_lists_are_counted(void **state)
{
    (void)state;
    struct mutual_name names[40];
    for (size_t i = 0; i < MU_COUNT(names); i++) {
        names[i] = name_of("dns one-of-many.e.org");
    }
    struct mutual_pattern *expect = pattern_of("dns x.e.org");
    const struct mutual_rules client = {.service = "x", .expect = &expect, .expect_count = 1};
    const struct mutual_chain chain = {.names = names, .count = MU_COUNT(names)};
    struct mutual_error err = {0};
    assert_fails(mu_say_mismatch(&client, PEER(chain), &err), &err, MUTUAL_E_NAME_MISMATCH);
    assert_non_null(strstr(err.reason, "more"));
    mutual_pattern_free(expect);
}

static void the_peer_has_a_chief_name(void **state)
{
    (void)state;
    const struct mutual_name names[] = {name_of("dns a.e.org"), name_of("spiffe spiffe://e.org/a"),
                                        name_of("cn a")};
    assert_ptr_equal(mu_name_chief(names, 3), &names[1]);
    assert_ptr_equal(mu_name_chief(names, 1), &names[0]);
    assert_ptr_equal(mu_name_chief(names + 2, 1), &names[2]);
    assert_null(mu_name_chief(NULL, 0));
    const struct mutual_chain chain = {.names = names, .count = 3};
    const struct mutual_verdict verdict = {.name = &names[0]};
    const struct mutual_verdict nameless = {0};
    assert_ptr_equal(mu_peer_name(&verdict, &chain), &names[0]);
    assert_ptr_equal(mu_peer_name(&nameless, &chain), &names[1]);
    assert_ptr_equal(mu_peer_name(NULL, &chain), &names[1]);
    assert_null(mu_peer_name(&nameless, NULL));
}

UNIT_MAIN(UNIT_CASE(the_peer_has_a_chief_name), UNIT_CASE(a_denial_gives_the_line_to_add),
          UNIT_CASE(a_line_that_does_not_fit_is_not_cut), UNIT_CASE(hostile_names_are_escaped),
          UNIT_CASE(a_common_name_alone_is_no_identity), UNIT_CASE(grants_of_other_times_are_named),
          UNIT_CASE(a_mismatch_quotes_both_sides), UNIT_CASE(long_lists_are_counted))
