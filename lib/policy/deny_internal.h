/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the reader of deny lists and the list: entries go in one by one, then it is frozen.
 */
#ifndef MU_POLICY_DENY_INTERNAL_H
#define MU_POLICY_DENY_INTERNAL_H

#include "policy/policy_internal.h"

/* NULL: out of memory. `file` is copied. */
struct mutual_deny *mu_deny_new(const char *file);
/* Where the texts of entries live. */
struct mu_arena *mu_deny_arena(struct mutual_deny *deny);
/* Adds an entry whose texts live in the arena; the list sets its file. What it is about:
 * `take_pattern` for a name, else the bytes of the serial number or the key's hash, and the hash of
 * the issuer's name or NULL. NO_MEMORY; LIMIT. */
bool mu_deny_add(struct mutual_deny *deny, const struct mutual_denial *denial,
                 struct mutual_pattern *take_pattern, struct mu_slice bytes,
                 const uint8_t *issuer_name_hash, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* NO_MEMORY. */
bool mu_deny_freeze(struct mutual_deny *deny, struct mutual_error *err) MUTUAL_MUST_CHECK;

#endif
