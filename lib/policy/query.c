/* SPDX-License-Identifier: Apache-2.0
 *
 * Questions about a whole policy. They walk every grant: people wait for the answer, not peers.
 */
#include "policy/policy.h"

#include <string.h>

enum mu_standing mu_grant_standing(const struct mutual_grant *grant, int64_t now_s)
{
    if (now_s >= grant->until_s) {
        return MU_STANDING_ENDED;
    }
    return now_s < grant->since_s ? MU_STANDING_NOT_BEGUN : MU_STANDING_HOLDS;
}

static bool is_for(const struct mutual_grant *grant, const char *service)
{
    return strcmp(grant->to, "*") == 0 || strcmp(grant->to, service) == 0;
}

void mu_policy_who(const struct mutual_policy *policy, const char *service, int64_t now_s,
                   mu_grant_visit *visit, void *context)
{
    for (size_t i = 0; i < mutual_policy_count(policy); i++) {
        const struct mutual_grant *grant = mutual_policy_get(policy, i);
        if (is_for(grant, service) &&
            !visit(context, grant, NULL, mu_grant_standing(grant, now_s))) {
            return;
        }
    }
}

/* The first of the names that a pattern of the grant matches, or NULL. */
static const struct mutual_name *name_in(const struct mutual_grant *grant,
                                         const struct mutual_name *names, size_t count)
{
    if (grant->anyone && count > 0) {
        return &names[0];
    }
    for (size_t n = 0; n < count; n++) {
        for (size_t p = 0; p < grant->from_count; p++) {
            if (mutual_pattern_matches(grant->from[p], &names[n])) {
                return &names[n];
            }
        }
    }
    return NULL;
}

void mu_policy_what(const struct mutual_policy *policy, const struct mutual_name *names,
                    size_t count, int64_t now_s, mu_grant_visit *visit, void *context)
{
    for (size_t i = 0; i < mutual_policy_count(policy); i++) {
        const struct mutual_grant *grant = mutual_policy_get(policy, i);
        const struct mutual_name *name = name_in(grant, names, count);
        if (name != NULL && !visit(context, grant, name, mu_grant_standing(grant, now_s))) {
            return;
        }
    }
}
