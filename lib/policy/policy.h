/* SPDX-License-Identifier: Apache-2.0
 *
 * The door of the policy room for the rooms of this tree: the questions that commands ask about a
 * whole policy. The connection's question is mutual_policy_decide in mutual/policy.h.
 */
#ifndef MU_POLICY_POLICY_H
#define MU_POLICY_POLICY_H

#include "base/base.h"

#include <mutual/policy.h>

/* How a grant stands at a moment. */
enum mu_standing {
    MU_STANDING_HOLDS,
    MU_STANDING_ENDED,
    MU_STANDING_NOT_BEGUN,
};
enum mu_standing mu_grant_standing(const struct mutual_grant *grant, int64_t now_s);

/* Called for each grant that answers a question, in the order written; false ends the walk. */
typedef bool mu_grant_visit(void *context, const struct mutual_grant *grant,
                            const struct mutual_name *name, enum mu_standing standing);

/* Who may reach this service: every grant to it or to "*"; `name` is NULL. */
void mu_policy_who(const struct mutual_policy *policy, const char *service, int64_t now_s,
                   mu_grant_visit *visit, void *context);
/* What may somebody with these names reach: every grant with a pattern that matches one of them,
 * and the first name that it matches. */
void mu_policy_what(const struct mutual_policy *policy, const struct mutual_name *names,
                    size_t count, int64_t now_s, mu_grant_visit *visit, void *context);

#endif
