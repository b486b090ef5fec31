/* SPDX-License-Identifier: Apache-2.0
 *
 * Policies written down briefly, for the tests of the policy room and of admission.
 */
#ifndef POLICY_FIXTURE_H
#define POLICY_FIXTURE_H

#include "policy/policy.h"
#include "unit.h"

/* One grant on one line; `from` is "type text" or NULL, `second` likewise. */
struct grant_row {
    const char *name;
    const char *to;
    const char *from;
    const char *second;
    int64_t since_s;
    int64_t until_s; /* 0: none */
    bool anonymous;
    bool anyone;
};

static inline enum mutual_name_type type_of(const char *word, size_t len)
{
    for (unsigned t = 0; t < (unsigned)MUTUAL_NAME_COUNT_; t++) {
        const char *known = mutual_name_type_word((enum mutual_name_type)t);
        if (strlen(known) == len && memcmp(known, word, len) == 0) {
            return (enum mutual_name_type)t;
        }
    }
    fail_msg("no such type of name: %s", word);
    return MUTUAL_NAME_COUNT_;
}

static inline struct mutual_pattern *pattern_of(const char *text)
{
    struct mutual_error err = {0};
    struct mutual_pattern *pattern = NULL;
    size_t word = strcspn(text, " ");
    assert_ok(mutual_pattern_parse(type_of(text, word), text + word + 1, &pattern, &err), &err);
    return pattern;
}

/* "dns db.example.org" as a name; the text is borrowed. */
static inline struct mutual_name name_of(const char *text)
{
    size_t word = strcspn(text, " ");
    return (struct mutual_name){type_of(text, word), text + word + 1, strlen(text + word + 1)};
}

static inline bool add_row(struct mutual_policy *policy, const struct grant_row *row, int line,
                           struct mutual_error *err)
{
    struct mutual_pattern *from[2];
    size_t count = 0;
    const char *const texts[] = {row->from, row->second};
    for (size_t i = 0; i < 2; i++) {
        if (texts[i] != NULL) {
            from[count++] = pattern_of(texts[i]);
        }
    }
    struct mutual_grant grant = {.name = row->name,
                                 .to = row->to,
                                 .from = from,
                                 .from_count = count,
                                 .anonymous = row->anonymous,
                                 .anyone = row->anyone,
                                 .since_s = row->since_s,
                                 .until_s = row->until_s == 0 ? INT64_MAX : row->until_s,
                                 .owner = "the owner",
                                 .why = "a reason",
                                 .file = "mutual.yaml",
                                 .line = line};
    return mutual_policy_add(policy, &grant, err);
}

/* A frozen policy of the rows; the first stands in line 1. */
static inline struct mutual_policy *policy_of(const struct grant_row *rows, size_t count)
{
    struct mutual_error err = {0};
    struct mutual_policy *policy = mutual_policy_new();
    assert_non_null(policy);
    for (size_t i = 0; i < count; i++) {
        assert_ok(add_row(policy, &rows[i], (int)i + 1, &err), &err);
    }
    assert_ok(mutual_policy_freeze(policy, &err), &err);
    return policy;
}

#endif
