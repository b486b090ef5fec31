/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the policy room share: the policy's insides and its index.
 */
#ifndef MU_POLICY_POLICY_INTERNAL_H
#define MU_POLICY_POLICY_INTERNAL_H

#include "policy/policy.h"

#include <stdatomic.h>

struct mu_index;

struct mutual_policy {
    atomic_uint refs;
    struct mutual_grant *grants; /* in the order written; texts and lists live in the arena */
    size_t count;
    size_t cap;
    struct mu_arena *arena;
    struct mu_map *names;   /* name -> anything, to refuse doubles; gone after the freeze */
    struct mu_index *index; /* NULL until frozen */
    uint32_t *by_name;      /* hash table of places among the grants, from 1; 0: nothing */
    size_t by_name_mask;
    uint8_t seed[16];
};

/* Builds the index over grants that do not move any more. NULL: out of memory. */
struct mu_index *mu_index_new(const struct mutual_grant *grants, size_t count);
void mu_index_free(struct mu_index *index);
struct mutual_decision mu_index_decide(const struct mu_index *index, const char *service,
                                       const struct mutual_name *names, size_t count,
                                       int64_t now_s);
struct mutual_decision mu_index_decide_anonymous(const struct mu_index *index, const char *service,
                                                 int64_t now_s);

#endif
