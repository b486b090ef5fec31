/* SPDX-License-Identifier: Apache-2.0
 *
 * Decisions: a table of cases, then random policies against an evaluator that tries every grant.
 */
#include "policy/policy.h"
#include "policy_fixture.h"

#define NOW 1000

static const struct grant_row rows[] = {
    {.name = "hr", .to = "db", .from = "spiffe spiffe://e.org/hr/*"},
    {.name = "deep", .to = "db", .from = "spiffe spiffe://e.org/ops/**", .until_s = 5000},
    {.name = "mid", .to = "db", .from = "spiffe spiffe://e.org/*/reader/*"},
    {.name = "one", .to = "db", .from = "spiffe spiffe://e.org/ops/x", .until_s = 9000},
    {.name = "host", .to = "db", .from = "dns a.e.org"},
    {.name = "hosts", .to = "web", .from = "dns *.e.org"},
    {.name = "box", .to = "web", .from = "email eve@e.org"},
    {.name = "boxes", .to = "web", .from = "email @e.org", .until_s = NOW + 5},
    {.name = "net", .to = "web", .from = "ip 10.0.0.0/8", .second = "ip 2001:db8::/32"},
    {.name = "addr", .to = "db", .from = "ip 10.1.2.3"},
    {.name = "common", .to = "db", .from = "cn legacy"},
    {.name = "link", .to = "db", .from = "uri https://e.org/me"},
    {.name = "every", .to = "*", .from = "dns root.e.org"},
    {.name = "ended", .to = "db", .from = "dns old.e.org", .until_s = NOW},
    {.name = "ended-before", .to = "db", .from = "dns old.e.org", .until_s = NOW - 1},
    {.name = "future", .to = "db", .from = "dns new.e.org", .since_s = NOW + 1},
    {.name = "past-twin", .to = "db", .from = "dns new.e.org", .until_s = 5},
    {.name = "twin-1", .to = "db", .from = "dns twin.e.org", .until_s = 7000},
    {.name = "twin-2", .to = "db", .from = "dns twin.e.org", .until_s = 7000},
    {.name = "twin-not-yet", .to = "db", .from = "dns twin.e.org", .since_s = NOW + 9},
    {.name = "guests", .to = "open", .anonymous = true, .until_s = 3000},
    {.name = "guests-longer", .to = "open", .anonymous = true},
    {.name = "guests-later", .to = "soon", .anonymous = true, .since_s = NOW + 1},
};

static const struct {
    const char *service;
    const char *name;
    const char *grant; /* NULL: none fits */
    bool allowed;
} cases[] = {
    {"db", "spiffe spiffe://e.org/hr/payroll", "hr", true},
    {"db", "spiffe spiffe://e.org/hr", NULL, false},
    {"db", "spiffe spiffe://e.org/hr/payroll/x", NULL, false},
    {"db", "spiffe spiffe://e.org.evil/hr/payroll", NULL, false},
    {"db", "spiffe spiffe://e.org/ops", NULL, false},
    {"db", "spiffe spiffe://e.org/ops/y/z", "deep", true},
    {"db", "spiffe spiffe://e.org/ops/x", "one", true},
    {"db", "spiffe spiffe://e.org/ops/reader/z", "mid", true},
    {"db", "spiffe spiffe://e.org", NULL, false},
    {"web", "spiffe spiffe://e.org/hr/payroll", NULL, false},
    {"db", "uri spiffe://e.org/hr/payroll", NULL, false},
    {"db", "dns a.e.org", "host", true},
    {"db", "cn a.e.org", NULL, false},
    {"web", "dns a.e.org", "hosts", true},
    {"web", "dns b.a.e.org", NULL, false},
    {"web", "dns e.org", NULL, false},
    {"web", "dns *.e.org", NULL, false},
    {"web", "email eve@e.org", "box", true},
    {"web", "email bob@e.org", "boxes", true},
    {"web", "email bob@x.e.org", NULL, false},
    {"web", "ip 10.200.0.1", "net", true},
    {"web", "ip 11.0.0.1", NULL, false},
    {"web", "ip 2001:db8:1::1", "net", true},
    {"web", "ip 2001:db9::1", NULL, false},
    {"db", "ip 10.1.2.3", "addr", true},
    {"db", "ip 10.1.2.4", NULL, false},
    {"db", "cn legacy", "common", true},
    {"db", "dns legacy", NULL, false},
    {"db", "uri https://e.org/me", "link", true},
    {"db", "uri https://e.org/me2", NULL, false},
    {"anything", "dns root.e.org", "every", true},
    {"anything", "dns other.e.org", NULL, false},
    {"db", "dns old.e.org", "ended", false},
    {"db", "dns new.e.org", "future", false},
    {"db", "dns twin.e.org", "twin-1", true},
    {"open", "dns a.e.org", NULL, false},
};

static void each_kind_of_pattern_decides(void **state)
{
    (void)state;
    struct mutual_policy *policy = policy_of(rows, MU_COUNT(rows));
    for (size_t i = 0; i < MU_COUNT(cases); i++) {
        struct mutual_name name = name_of(cases[i].name);
        struct mutual_decision decision =
            mutual_policy_decide(policy, cases[i].service, &name, 1, NOW);
        const char *grant = decision.grant == NULL ? "none" : decision.grant->name;
        const char *want = cases[i].grant == NULL ? "none" : cases[i].grant;
        if (decision.allowed != cases[i].allowed || strcmp(grant, want) != 0) {
            fail_msg("%s to %s: %s by %s, expected %s by %s", cases[i].name, cases[i].service,
                     decision.allowed ? "allowed" : "denied", grant,
                     cases[i].allowed ? "allowed" : "denied", want);
        }
        assert_ptr_equal(decision.name, decision.grant == NULL ? NULL : &name);
        assert_true(!decision.allowed || decision.until_s == decision.grant->until_s);
    }
    mutual_policy_unref(policy);
}

static void the_decision_names_grant_place_and_name(void **state)
{
    (void)state;
    struct mutual_policy *policy = policy_of(rows, MU_COUNT(rows));
    const struct mutual_name names[] = {name_of("dns no.e.org"),
                                        name_of("spiffe spiffe://e.org/ops/q"),
                                        name_of("spiffe spiffe://e.org/ops/x")};
    struct mutual_decision decision = mutual_policy_decide(policy, "db", names, 3, NOW);
    assert_true(decision.allowed);
    assert_string_equal(decision.grant->name, "one");
    assert_int_equal(decision.grant->line, 4);
    assert_ptr_equal(decision.name, &names[2]);
    assert_int_equal(decision.until_s, 9000);
    mutual_policy_unref(policy);
}

static void begin_and_end_are_exact(void **state)
{
    (void)state;
    struct mutual_policy *policy = policy_of(rows, MU_COUNT(rows));
    struct mutual_name name = name_of("dns new.e.org");
    assert_false(mutual_policy_decide(policy, "db", &name, 1, NOW).allowed);
    assert_true(mutual_policy_decide(policy, "db", &name, 1, NOW + 1).allowed);
    name = name_of("dns old.e.org");
    assert_true(mutual_policy_decide(policy, "db", &name, 1, NOW - 1).allowed);
    assert_false(mutual_policy_decide(policy, "db", &name, 1, NOW).allowed);
    mutual_policy_unref(policy);
}

static void anonymous_is_never_an_empty_list(void **state)
{
    (void)state;
    struct mutual_policy *policy = policy_of(rows, MU_COUNT(rows));
    assert_false(mutual_policy_decide(policy, "open", NULL, 0, NOW).allowed);
    struct mutual_decision decision = mutual_policy_decide_anonymous(policy, "open", NOW);
    assert_true(decision.allowed);
    assert_string_equal(decision.grant->name, "guests-longer");
    assert_null(decision.name);
    assert_false(mutual_policy_decide_anonymous(policy, "db", NOW).allowed);
    decision = mutual_policy_decide_anonymous(policy, "soon", NOW);
    assert_false(decision.allowed);
    assert_string_equal(decision.grant->name, "guests-later");
    mutual_policy_unref(policy);
}

static void anyone_is_whoever_proved_a_name(void **state)
{
    (void)state;
    static const struct grant_row anyone[] = {
        {.name = "all", .to = "open", .anyone = true, .until_s = NOW + 1}};
    struct mutual_policy *policy = policy_of(anyone, 1);
    struct mutual_name name = name_of("dns somebody.e.org");
    struct mutual_decision decision = mutual_policy_decide(policy, "open", &name, 1, NOW);
    assert_true(decision.allowed);
    assert_ptr_equal(decision.name, &name);
    assert_false(mutual_policy_decide(policy, "other", &name, 1, NOW).allowed);
    assert_false(mutual_policy_decide(policy, "open", &name, 1, NOW + 1).allowed);
    assert_false(mutual_policy_decide(policy, "open", NULL, 0, NOW).allowed);
    assert_false(mutual_policy_decide_anonymous(policy, "open", NOW).allowed);
    mutual_policy_unref(policy);
}

/* ---- random policies ------------------------------------------------------------------------- */

static uint64_t random_state = UINT64_C(0x9e3779b97f4a7c15);

/* xorshift64*: the same cases in every run. */
static unsigned pick(unsigned below)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (unsigned)((random_state * UINT64_C(2685821657736338717)) >> 33) % below;
}

/* Few words, so that patterns and names meet often. */
static const char *const words[] = {"a", "b", "ab"};

static void random_path(char *text, size_t size, bool wild)
{
    size_t used = (size_t)snprintf(text, size, "spiffe spiffe://%s.org", words[pick(2)]);
    unsigned segments = pick(5) + (wild ? 1 : 0);
    for (unsigned i = 0; i < segments; i++) {
        const char *segment = words[pick(2)];
        if (wild && pick(3) == 0) {
            segment = i + 1 == segments && pick(2) == 0 ? "**" : "*";
        }
        used += (size_t)snprintf(text + used, size - used, "/%s", segment);
    }
}

static void random_network(char *text, size_t size, bool wild)
{
    if (pick(2) == 0) {
        unsigned length = wild ? pick(33) : 32;
        uint32_t mask = length == 0 ? 0 : UINT32_MAX << (32 - length);
        uint32_t address = (pick(2) == 0 ? 0x0a000000u : 0x0a800001u) | pick(4);
        address &= mask;
        int n = snprintf(text, size, "ip %u.%u.%u.%u", address >> 24, address >> 16 & 255,
                         address >> 8 & 255, address & 255);
        if (wild) {
            snprintf(text + n, size - (size_t)n, "/%u", length);
        }
        return;
    }
    if (wild) {
        static const char *const nets[] = {"2001:db8::/32", "2001:db8::/64",   "2001:db8::/127",
                                           "::/0",          "2001:db8::1/128", "2000::/3"};
        snprintf(text, size, "ip %s", nets[pick(MU_COUNT(nets))]);
    } else {
        static const char *const hosts[] = {"2001:db8::", "2001:db8::1", "2001:db8:0:1::1", "::1",
                                            "2001:db8::2"};
        snprintf(text, size, "ip %s", hosts[pick(MU_COUNT(hosts))]);
    }
}

static void random_text(char *text, size_t size, bool wild)
{
    switch (pick(6)) {
    case 0:
    case 1:
        random_path(text, size, wild);
        break;
    case 2:
        snprintf(text, size, "dns %s.%s.org", wild ? "*" : words[pick(3)], words[pick(3)]);
        break;
    case 3:
        snprintf(text, size, "email %s@%s.org", wild ? "" : words[pick(3)], words[pick(3)]);
        break;
    case 4:
        random_network(text, size, wild);
        break;
    default:
        snprintf(text, size, "%s %s", pick(2) == 0 ? "cn" : "uri",
                 pick(2) == 0 ? "urn:a" : "urn:b");
        break;
    }
}

static struct mutual_policy *random_policy(unsigned grants)
{
    struct mutual_error err = {0};
    struct mutual_policy *policy = mutual_policy_new();
    static const char *const services[] = {"db", "web", "*"};
    for (unsigned i = 0; i < grants; i++) {
        char from[128];
        char second[128];
        char name[16];
        random_text(from, sizeof from, pick(2) == 0);
        random_text(second, sizeof second, pick(2) == 0);
        snprintf(name, sizeof name, "g%u", i);
        struct grant_row row = {.name = name,
                                .to = services[pick(MU_COUNT(services))],
                                .from = from,
                                .second = pick(2) == 0 ? second : NULL,
                                .anyone = pick(20) == 0,
                                .since_s = pick(4) == 0 ? NOW + 1 : 0};
        row.until_s = pick(3) == 0 ? 0 : row.since_s + NOW - 2 + pick(5);
        assert_ok(add_row(policy, &row, (int)i, &err), &err);
    }
    assert_ok(mutual_policy_freeze(policy, &err), &err);
    return policy;
}

/* The meaning of a decision, spelled out: of the matching grants in force, or else of the matching
 * ones, the one that ends last and was written first. */
static const struct mutual_grant *naive(const struct mutual_policy *policy, const char *service,
                                        const struct mutual_name *names, size_t count,
                                        bool in_force)
{
    const struct mutual_grant *best = NULL;
    for (size_t g = 0; g < mutual_policy_count(policy); g++) {
        const struct mutual_grant *grant = mutual_policy_get(policy, g);
        bool fits = strcmp(grant->to, service) == 0 || strcmp(grant->to, "*") == 0;
        bool matches = grant->anyone && count > 0;
        for (size_t p = 0; p < grant->from_count; p++) {
            for (size_t n = 0; n < count; n++) {
                matches = matches || mutual_pattern_matches(grant->from[p], &names[n]);
            }
        }
        fits = fits && matches;
        if (in_force) {
            fits = fits && grant->since_s <= NOW && NOW < grant->until_s;
        }
        if (fits && (best == NULL || grant->until_s > best->until_s)) {
            best = grant;
        }
    }
    return best;
}

static void the_index_agrees_with_trying_every_grant(void **state)
{
    (void)state;
    unsigned allowed = 0;
    unsigned near = 0;
    unsigned none = 0;
    for (unsigned round = 0; round < 300; round++) {
        struct mutual_policy *policy = random_policy(1 + pick(40));
        for (unsigned q = 0; q < 60; q++) {
            char texts[3][128];
            struct mutual_name names[3];
            size_t count = 1 + pick(3);
            for (size_t i = 0; i < count; i++) {
                random_text(texts[i], sizeof texts[i], false);
                names[i] = name_of(texts[i]);
            }
            const char *service = pick(2) == 0 ? "db" : "web";
            struct mutual_decision got = mutual_policy_decide(policy, service, names, count, NOW);
            const struct mutual_grant *want = naive(policy, service, names, count, true);
            assert_int_equal(got.allowed, want != NULL);
            if (want == NULL) {
                want = naive(policy, service, names, count, false);
            }
            if (got.grant != want) {
                fail_msg("%s: got %s, expected %s", texts[0],
                         got.grant == NULL ? "none" : got.grant->name,
                         want == NULL ? "none" : want->name);
            }
            allowed += got.allowed;
            near += !got.allowed && got.grant != NULL;
            none += got.grant == NULL;
        }
        mutual_policy_unref(policy);
    }
    /* The cases must not all be of one kind. */
    assert_true(allowed > 1000 && near > 1000 && none > 1000);
}

UNIT_MAIN(UNIT_CASE(each_kind_of_pattern_decides),
          UNIT_CASE(the_decision_names_grant_place_and_name), UNIT_CASE(begin_and_end_are_exact),
          UNIT_CASE(anonymous_is_never_an_empty_list), UNIT_CASE(anyone_is_whoever_proved_a_name),
          UNIT_CASE(the_index_agrees_with_trying_every_grant))
