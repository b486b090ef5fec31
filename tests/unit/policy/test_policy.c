/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_fixture.h"

static struct mutual_grant good_grant(struct mutual_pattern **from)
{
    from[0] = pattern_of("dns a.example.org");
    return (struct mutual_grant){.name = "a-reads",
                                 .to = "db",
                                 .from = from,
                                 .from_count = 1,
                                 .until_s = INT64_MAX,
                                 .owner = "team-a",
                                 .why = "A-1",
                                 .file = "mutual.yaml",
                                 .line = 7};
}

/* Each row spoils one field of a good grant; the word must be in the reason. */
static void incomplete_grants_are_refused(void **state)
{
    (void)state;
    static const char blank[] = " ";
    static const struct {
        size_t field;
        const char *word;
    } rows[] = {
        {offsetof(struct mutual_grant, name), "no name"},
        {offsetof(struct mutual_grant, to), "\"to\""},
        {offsetof(struct mutual_grant, owner), "\"owner\""},
        {offsetof(struct mutual_grant, why), "\"why\""},
    };
    const char *const spoilt[] = {NULL, "", blank};
    struct mutual_error err = {0};
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        for (size_t k = 0; k < MU_COUNT(spoilt); k++) {
            struct mutual_policy *policy = mutual_policy_new();
            struct mutual_pattern *from[1];
            struct mutual_grant grant = good_grant(from);
            memcpy((char *)&grant + rows[i].field, &spoilt[k], sizeof spoilt[k]);
            assert_fails(mutual_policy_add(policy, &grant, &err), &err, MUTUAL_E_POLICY_INVALID);
            assert_non_null(strstr(err.reason, rows[i].word));
            assert_string_equal(err.context, "mutual.yaml:7");
            assert_int_equal(mutual_policy_count(policy), 0);
            mutual_policy_unref(policy);
        }
    }
}

static void grants_from_nobody_and_of_no_time_are_refused(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct mutual_policy *policy = mutual_policy_new();
    struct mutual_pattern *from[1];
    struct mutual_grant grant = good_grant(from);
    mutual_pattern_free(from[0]);
    grant.from_count = 0;
    assert_fails(mutual_policy_add(policy, &grant, &err), &err, MUTUAL_E_POLICY_INVALID);
    assert_non_null(strstr(err.reason, "nobody"));

    grant = good_grant(from);
    grant.since_s = 100;
    grant.until_s = 100;
    assert_fails(mutual_policy_add(policy, &grant, &err), &err, MUTUAL_E_POLICY_INVALID);
    assert_non_null(strstr(err.reason, "before it begins"));
    mutual_policy_unref(policy);
}

static void names_are_unique(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct mutual_policy *policy = mutual_policy_new();
    struct mutual_pattern *from[1];
    struct mutual_grant grant = good_grant(from);
    assert_ok(mutual_policy_add(policy, &grant, &err), &err);
    grant = good_grant(from);
    grant.to = "another";
    assert_fails(mutual_policy_add(policy, &grant, &err), &err, MUTUAL_E_POLICY_INVALID);
    assert_non_null(strstr(err.reason, "two grants of the name \"a-reads\""));
    mutual_policy_unref(policy);
}

static void too_many_identities_are_refused(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct mutual_policy *policy = mutual_policy_new();
    size_t count = MU_LIMIT_GRANT_PATTERNS + 1;
    struct mutual_pattern **from = mu_alloc(count, sizeof *from);
    struct mutual_grant grant = good_grant(from);
    for (size_t i = 1; i < count; i++) {
        from[i] = pattern_of("cn a");
    }
    grant.from_count = count;
    assert_fails(mutual_policy_add(policy, &grant, &err), &err, MUTUAL_E_LIMIT);
    mu_free(from);
    mutual_policy_unref(policy);
}

static void texts_are_copied_and_kept_in_order(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct mutual_policy *policy = mutual_policy_new();
    char name[] = "first";
    struct grant_row row = {.name = name, .to = "db", .from = "ip 10.0.0.0/8"};
    assert_ok(add_row(policy, &row, 1, &err), &err);
    name[0] = 'x';
    row.name = "second";
    assert_ok(add_row(policy, &row, 2, &err), &err);
    assert_ok(mutual_policy_freeze(policy, &err), &err);
    assert_int_equal(mutual_policy_count(policy), 2);
    const struct mutual_grant *grant = mutual_policy_get(policy, 0);
    assert_string_equal(grant->name, "first");
    assert_string_equal(grant->file, "mutual.yaml");
    assert_string_equal(mutual_pattern_text(grant->from[0]), "10.0.0.0/8");
    assert_string_equal(mutual_policy_get(policy, 1)->name, "second");
    assert_ptr_equal(mutual_policy_ref(policy), policy);
    mutual_policy_unref(policy);
    assert_int_equal(mutual_policy_get(policy, 1)->line, 2);
    mutual_policy_unref(policy);
    mutual_policy_unref(NULL);
}

static void an_empty_policy_lets_nobody_in(void **state)
{
    (void)state;
    struct mutual_policy *policy = policy_of(NULL, 0);
    struct mutual_name name = name_of("dns a.example.org");
    assert_false(mutual_policy_decide(policy, "db", &name, 1, 0).allowed);
    assert_false(mutual_policy_decide_anonymous(policy, "db", 0).allowed);
    mutual_policy_unref(policy);
}

/* Builds a policy of every kind of pattern while the nth allocation fails, for n = 1, 2, ... until
 * none is left to fail: each time it must be built whole or refused, and nothing leak. */
static void running_out_of_memory_is_told(void **state)
{
    (void)state;
    static const char *const from[] = {"spiffe spiffe://e.org/*/x", "dns *.e.org", "ip 10.0.0.0/8",
                                       "spiffe spiffe://e.org/**", "cn x"};
    bool whole = false;
    for (unsigned long n = 1; !whole; n++) {
        struct mutual_error err = {0};
        struct mutual_pattern *patterns[MU_COUNT(from)];
        for (size_t i = 0; i < MU_COUNT(from); i++) {
            patterns[i] = pattern_of(from[i]);
        }
        struct mutual_grant grant = {.name = "g",
                                     .to = "db",
                                     .from = patterns,
                                     .from_count = MU_COUNT(from),
                                     .until_s = INT64_MAX,
                                     .owner = "o",
                                     .why = "w"};
        mu_alloc_fail_after(n);
        struct mutual_policy *policy = mutual_policy_new();
        if (policy == NULL) {
            for (size_t i = 0; i < MU_COUNT(from); i++) {
                mutual_pattern_free(patterns[i]);
            }
            continue;
        }
        whole = mutual_policy_add(policy, &grant, &err) && mutual_policy_freeze(policy, &err);
        mu_alloc_fail_after(0);
        assert_true(whole || err.code == MUTUAL_E_NO_MEMORY);
        mutual_policy_unref(policy);
    }
}

static void every_grant_is_found_by_its_name(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    struct mutual_error err = {0};
    struct mutual_policy *policy = mutual_policy_new();
    struct mutual_pattern *from[1];
    char name[32];
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(name, sizeof name, "grant-%d", i);
        struct mutual_grant grant = good_grant(from);
        grant.name = name;
        assert_ok(mutual_policy_add(policy, &grant, &err), &err);
    }
    assert_ok(mutual_policy_freeze(policy, &err), &err);
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(name, sizeof name, "grant-%d", i);
        assert_ptr_equal(mu_policy_find(policy, name), mutual_policy_get(policy, (size_t)i));
    }
    assert_null(mu_policy_find(policy, "grant-1000"));
    assert_null(mu_policy_find(policy, ""));
    mutual_policy_unref(policy);
    policy = mutual_policy_new();
    assert_ok(mutual_policy_freeze(policy, &err), &err);
    assert_null(mu_policy_find(policy, "grant-0"));
    mutual_policy_unref(policy);
}

UNIT_MAIN(UNIT_CASE(every_grant_is_found_by_its_name), UNIT_CASE(incomplete_grants_are_refused),
          UNIT_CASE(grants_from_nobody_and_of_no_time_are_refused), UNIT_CASE(names_are_unique),
          UNIT_CASE(too_many_identities_are_refused), UNIT_CASE(texts_are_copied_and_kept_in_order),
          UNIT_CASE(an_empty_policy_lets_nobody_in), UNIT_CASE(running_out_of_memory_is_told))
