/* SPDX-License-Identifier: Apache-2.0
 *
 * Building a policy: grants are checked, copied and kept in the order written, then frozen.
 */
#include "policy/policy_internal.h"

#include <string.h>

struct mutual_policy *mutual_policy_new(void)
{
    struct mutual_policy *policy = mu_alloc(1, sizeof *policy);
    if (policy == NULL) {
        return NULL;
    }
    atomic_init(&policy->refs, 1);
    policy->arena = mu_arena_new(MU_LIMIT_POLICY_BYTES);
    policy->names = mu_map_new();
    if (policy->arena == NULL || policy->names == NULL) {
        mutual_policy_unref(policy);
        return NULL;
    }
    return policy;
}

struct mutual_policy *mutual_policy_ref(struct mutual_policy *policy)
{
    atomic_fetch_add_explicit(&policy->refs, 1, memory_order_relaxed);
    return policy;
}

static void free_patterns(struct mutual_pattern *const *patterns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        mutual_pattern_free(patterns[i]);
    }
}

void mutual_policy_unref(struct mutual_policy *policy)
{
    if (policy == NULL || atomic_fetch_sub_explicit(&policy->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < policy->count; i++) {
        free_patterns(policy->grants[i].from, policy->grants[i].from_count);
    }
    mu_index_free(policy->index);
    mu_map_free(policy->names);
    mu_arena_free(policy->arena);
    mu_free(policy->by_name);
    mu_free(policy->grants);
    mu_free(policy);
}

static bool is_blank(const char *text)
{
    return text == NULL || text[strspn(text, " \t")] == '\0';
}

static bool check_grant(const struct mutual_policy *policy, const struct mutual_grant *grant,
                        struct mutual_error *err)
{
    if (is_blank(grant->name)) {
        (void)mu_fail(err, MUTUAL_E_POLICY_INVALID, "a grant to \"%s\" has no name",
                      grant->to == NULL ? "" : grant->to);
        return mu_error_hint(err, "Give every grant a name of its own; decisions are told by it.");
    }
    if (mu_map_get(policy->names, mu_slice_text(grant->name)) != NULL) {
        return mu_fail(err, MUTUAL_E_POLICY_INVALID, "there are two grants of the name \"%s\"",
                       grant->name);
    }
    static const char *const needs[] = {"to", "owner", "why"};
    const char *const given[] = {grant->to, grant->owner, grant->why};
    for (size_t i = 0; i < MU_COUNT(needs); i++) {
        if (is_blank(given[i])) {
            return mu_fail(err, MUTUAL_E_POLICY_INVALID, "grant \"%s\" does not say \"%s\"",
                           grant->name, needs[i]);
        }
    }
    if (grant->from_count == 0 && !grant->anonymous && !grant->anyone) {
        return mu_fail(err, MUTUAL_E_POLICY_INVALID, "grant \"%s\" is from nobody", grant->name);
    }
    if (grant->from_count > MU_LIMIT_GRANT_PATTERNS) {
        return mu_fail(err, MUTUAL_E_LIMIT, "grant \"%s\" is from more than %u identities",
                       grant->name, MU_LIMIT_GRANT_PATTERNS);
    }
    if (grant->until_s <= grant->since_s) {
        return mu_fail(err, MUTUAL_E_POLICY_INVALID, "grant \"%s\" ends before it begins",
                       grant->name);
    }
    if (policy->count >= MU_LIMIT_GRANTS) {
        return mu_fail(err, MUTUAL_E_LIMIT, "there are more than %u grants", MU_LIMIT_GRANTS);
    }
    return true;
}

/* A copy in the arena; *failed is set when there is no room. NULL stays NULL. */
static const char *keep_text(struct mutual_policy *policy, const char *text, bool *failed)
{
    if (text == NULL) {
        return NULL;
    }
    const char *copy = mu_arena_strndup(policy->arena, text, strlen(text));
    *failed = *failed || copy == NULL;
    return copy;
}

static bool keep_grant(struct mutual_policy *policy, const struct mutual_grant *grant)
{
    void *grants = policy->grants;
    if (!mu_grow(&grants, &policy->cap, policy->count, sizeof *grant, MU_LIMIT_GRANTS)) {
        return false;
    }
    policy->grants = grants;
    bool failed = false;
    struct mutual_grant kept = *grant;
    kept.name = keep_text(policy, grant->name, &failed);
    kept.to = keep_text(policy, grant->to, &failed);
    kept.owner = keep_text(policy, grant->owner, &failed);
    kept.why = keep_text(policy, grant->why, &failed);
    kept.file = keep_text(policy, grant->file, &failed);
    kept.from = NULL;
    if (grant->from_count > 0) {
        size_t size = grant->from_count * sizeof *grant->from;
        struct mutual_pattern **from = mu_arena_alloc(policy->arena, size);
        if (from != NULL) {
            memcpy(from, grant->from, size);
        }
        failed = failed || from == NULL;
        kept.from = from;
    }
    if (failed || !mu_map_put(policy->names, mu_slice_text(grant->name), policy)) {
        return false;
    }
    policy->grants[policy->count++] = kept;
    return true;
}

bool mutual_policy_add(struct mutual_policy *policy, const struct mutual_grant *grant,
                       struct mutual_error *err)
{
    mu_assert(policy->index == NULL);
    bool good = check_grant(policy, grant, err);
    if (good && !keep_grant(policy, grant)) {
        good = mu_fail_memory(err);
    }
    if (!good) {
        free_patterns(grant->from, grant->from_count);
        if (grant->file != NULL) {
            mu_error_context(err, "%s:%d", grant->file, grant->line);
        }
    }
    return good;
}

/* ---- by name ------------------------------------------------------------------------------------
 */

/* Where the name is, or would be. */
static uint32_t *place_of(const struct mutual_policy *policy, const char *name)
{
    size_t i = (size_t)mu_siphash(policy->seed, mu_slice_text(name)) & policy->by_name_mask;
    while (policy->by_name[i] != 0 &&
           strcmp(policy->grants[policy->by_name[i] - 1].name, name) != 0) {
        i = (i + 1) & policy->by_name_mask;
    }
    return &policy->by_name[i];
}

static bool index_names(struct mutual_policy *policy)
{
    size_t size = 16;
    while (size < 2 * policy->count) {
        size *= 2;
    }
    policy->by_name = mu_alloc(size, sizeof *policy->by_name);
    policy->by_name_mask = size - 1;
    if (policy->by_name == NULL || !mu_random(policy->seed, sizeof policy->seed, NULL)) {
        return false;
    }
    for (size_t i = 0; i < policy->count; i++) {
        *place_of(policy, policy->grants[i].name) = (uint32_t)i + 1;
    }
    return true;
}

const struct mutual_grant *mu_policy_find(const struct mutual_policy *policy, const char *name)
{
    mu_assert(policy->index != NULL);
    uint32_t place = *place_of(policy, name);
    return place == 0 ? NULL : &policy->grants[place - 1];
}

bool mutual_policy_freeze(struct mutual_policy *policy, struct mutual_error *err)
{
    mu_assert(policy->index == NULL);
    if (!index_names(policy)) {
        return mu_fail_memory(err);
    }
    policy->index = mu_index_new(policy->grants, policy->count);
    if (policy->index == NULL) {
        return mu_fail_memory(err);
    }
    mu_map_free(MU_TAKE(policy->names));
    return true;
}

size_t mutual_policy_count(const struct mutual_policy *policy)
{
    return policy->count;
}

const struct mutual_grant *mutual_policy_get(const struct mutual_policy *policy, size_t index)
{
    mu_assert(index < policy->count);
    return &policy->grants[index];
}

struct mutual_decision mutual_policy_decide(const struct mutual_policy *policy, const char *service,
                                            const struct mutual_name *names, size_t count,
                                            int64_t now_s)
{
    mu_assert(policy->index != NULL);
    return mu_index_decide(policy->index, service, names, count, now_s);
}

struct mutual_decision mutual_policy_decide_anonymous(const struct mutual_policy *policy,
                                                      const char *service, int64_t now_s)
{
    mu_assert(policy->index != NULL);
    return mu_index_decide_anonymous(policy->index, service, now_s);
}
