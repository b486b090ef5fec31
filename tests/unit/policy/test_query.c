/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_fixture.h"

#define NOW 1000

static const struct grant_row rows[] = {
    {.name = "hr", .to = "db", .from = "spiffe spiffe://e.org/hr/*"},
    {.name = "old", .to = "db", .from = "dns a.e.org", .until_s = NOW},
    {.name = "all", .to = "*", .from = "dns *.e.org"},
    {.name = "open", .to = "lobby", .anyone = true},
    {.name = "later", .to = "web", .from = "cn x", .second = "dns a.e.org", .since_s = NOW + 1},
};

struct seen {
    char text[256];
    size_t limit;
};

static bool note(void *context, const struct mutual_grant *grant, const struct mutual_name *name,
                 enum mu_standing standing)
{
    static const char *const words[] = {"", "(ended)", "(later)"};
    struct seen *seen = context;
    size_t used = strlen(seen->text);
    snprintf(seen->text + used, sizeof seen->text - used, "%s%s%s%s ", grant->name, words[standing],
             name == NULL ? "" : "=", name == NULL ? "" : name->text);
    return --seen->limit > 0;
}

static void who_tells_every_grant_to_a_service(void **state)
{
    (void)state;
    struct mutual_policy *policy = policy_of(rows, MU_COUNT(rows));
    struct seen seen = {.limit = 9};
    mu_policy_who(policy, "db", NOW, note, &seen);
    assert_string_equal(seen.text, "hr old(ended) all ");
    seen = (struct seen){.limit = 1};
    mu_policy_who(policy, "db", NOW, note, &seen);
    assert_string_equal(seen.text, "hr ");
    mutual_policy_unref(policy);
}

static void what_tells_every_grant_for_names(void **state)
{
    (void)state;
    struct mutual_policy *policy = policy_of(rows, MU_COUNT(rows));
    const struct mutual_name names[] = {name_of("spiffe spiffe://e.org/hr/payroll"),
                                        name_of("dns a.e.org")};
    struct seen seen = {.limit = 9};
    mu_policy_what(policy, names, MU_COUNT(names), NOW, note, &seen);
    assert_string_equal(seen.text, "hr=spiffe://e.org/hr/payroll old(ended)=a.e.org all=a.e.org "
                                   "open=spiffe://e.org/hr/payroll "
                                   "later(later)=a.e.org ");
    mutual_policy_unref(policy);
}

UNIT_MAIN(UNIT_CASE(who_tells_every_grant_to_a_service),
          UNIT_CASE(what_tells_every_grant_for_names))
