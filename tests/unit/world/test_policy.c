/* SPDX-License-Identifier: Apache-2.0
 *
 * src/world/policy.c: grants for the library, and grants that can never apply.
 */
#include "world_support.h"

#define TWO                                                                                       \
    TRUST "inbound:\n"                                                                            \
          "  - {name: db, listen: ':1', forward: 'unix:/x', certificate: tls, clients: {trust: "  \
          "corp}}\n"                                                                              \
          "  - {name: open, listen: ':2', forward: 'unix:/x', certificate: tls, clients: {mode: " \
          "none}}\n"                                                                              \
          "policy:\n"

static void finds(const char *config, const char *part)
{
    struct scene s = scene_of(config);
    scene_build(&s);
    if (s.world == NULL) {
        scene_show(&s);
        return;
    }
    assert_found(&s, CONFIG_WARNING, MUTUAL_E_GRANT_UNREACHABLE, part);
    scene_done(&s);
}

static void test_never(void **state)
{
    (void)state;
    finds(TWO GRANT("g", "to: db, from: {dns: a.b}, until: 2020-01-01"),
          "\"g\" ended on 2020-01-01");
    finds(TWO GRANT("g", "to: open, from: {dns: a.b}"),
          "\"open\" asks no client for a certificate");
    finds(TWO GRANT("g", "to: '*', anonymous: true"), "every listener it is to requires one");
    finds(TWO GRANT("g", "to: db, from: [{dns: a.b}, {ip: 10.0.0.0/8}]")
              GRANT("h", "to: db, from: {ip: 10.0.0.0/8}, until: 2030-01-01"),
          "\"h\" gives nothing that \"g\" does not give already (m:8)");
}

static void test_not_shadowed(void **state)
{
    (void)state;
    struct scene s = scene_of(TWO GRANT("g", "to: db, from: {dns: a.b}, until: 2028-01-01")
                                  GRANT("h", "to: db, from: {dns: a.b}, until: 2029-01-01")
                                      GRANT("i", "to: '*', from: {dns: a.b}"));
    scene_build(&s);
    assert_non_null(s.world);
    for (size_t i = 0; i < s.findings.count; i++) {
        assert_int_not_equal(s.findings.items[i].code, MUTUAL_E_GRANT_UNREACHABLE);
    }
    scene_done(&s);
}

static void test_several_listeners(void **state)
{
    (void)state;
    struct scene s = scene_of(TWO GRANT("g", "to: [db, open], from: {dns: a.b}"));
    scene_build(&s);
    assert_int_equal(mutual_policy_count(s.world->policy), 2);
    assert_string_equal(mutual_policy_get(s.world->policy, 0)->name, "g/db");
    assert_string_equal(mutual_policy_get(s.world->policy, 1)->name, "g/open");
    assert_int_equal(mutual_policy_get(s.world->policy, 1)->line, 8);
    scene_done(&s);
}

static void test_bad_patterns_are_told_once(void **state)
{
    (void)state;
    struct scene s = scene_of(TWO GRANT("g", "to: [db, open], from: [{dns: a.b}, {dns: 'a b'}]"));
    scene_build(&s);
    assert_null(s.world);
    assert_int_equal(s.findings.errors, 1);
    assert_found(&s, CONFIG_ERROR, MUTUAL_E_NAME_MALFORMED, "\"a b\"");
    scene_done(&s);
}

static void test_bad_patterns_of_administrators_are_told(void **state)
{
    (void)state;
    struct scene s =
        scene_of("authority: {directory: /nowhere, admins: [{role: admin, who: {dns: 'a "
                 "b'}, owner: o, why: w}]}\n" TWO GRANT("g", "to: db, from: {dns: a.b}"));
    scene_build(&s);
    assert_null(s.world);
    assert_found(&s, CONFIG_ERROR, MUTUAL_E_NAME_MALFORMED, "\"a b\"");
    scene_done(&s);
}

/* The policy of tomorrow is there only when something is tried, and is no part of today's. */
static void test_what_is_tried(void **state)
{
    (void)state;
    struct scene s = scene_of(TRUST INBOUND "policy:\n" GRANT("g", "to: db, from: {dns: a.b}"));
    scene_build(&s);
    assert_null(s.world->shadow);
    assert_null(s.world->services[0].rules.shadow_policy);
    uint64_t generation = s.world->policy_generation;
    scene_done(&s);
    s = scene_of(TRUST INBOUND "policy:\n" GRANT("g", "to: db, from: {dns: a.b}, shadow: remove")
                     GRANT("h", "to: db, from: {dns: c.b}, shadow: add"));
    scene_build(&s);
    assert_int_equal(mutual_policy_count(s.world->policy), 1);
    assert_string_equal(mutual_policy_get(s.world->policy, 0)->name, "g");
    assert_int_equal(mutual_policy_count(s.world->shadow), 1);
    assert_string_equal(mutual_policy_get(s.world->shadow, 0)->name, "h");
    assert_ptr_equal(s.world->services[0].rules.shadow_policy, s.world->shadow);
    assert_true(s.world->policy_generation != generation);
    scene_done(&s);
}

UNIT_MAIN(UNIT_CASE(test_what_is_tried), UNIT_CASE(test_never), UNIT_CASE(test_not_shadowed),
          UNIT_CASE(test_several_listeners), UNIT_CASE(test_bad_patterns_are_told_once),
          UNIT_CASE(test_bad_patterns_of_administrators_are_told))
