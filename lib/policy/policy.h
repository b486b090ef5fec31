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

/* The grant of that name of a frozen policy, or NULL. A look-up. */
const struct mutual_grant *mu_policy_find(const struct mutual_policy *policy, const char *name);

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

/* ---- the deny list -----------------------------------------------------------------------------
 */

/* What its text begins with. */
#define MU_DENY_HEAD "mutual-deny 1"
/* The denial of a certificate with that issuer (SHA-256 of its name's comparable form), serial
 * number and key (SHA-256), or NULL. Either hash may be NULL: then what needs it is left out. */
const struct mutual_denial *mu_deny_find_cert(const struct mutual_deny *deny,
                                              const uint8_t *issuer_name_hash,
                                              struct mu_slice serial, const uint8_t *key_hash);
/* The denial of somebody with these names, or NULL; *ret_name is the name. A name that stands for
 * many, "*.example.org", is denied when one of those is, for its holder can be that one. */
const struct mutual_denial *mu_deny_find_name(const struct mutual_deny *deny,
                                              const struct mutual_name *names, size_t count,
                                              const struct mutual_name **ret_name);
/* Appends the entry in words: 'serial 0a1b of CN=Issuer', 'key …', 'dns "a.example.org"'. */
void mu_denial_text(const struct mutual_denial *denial, struct mu_buf *out);

#endif
