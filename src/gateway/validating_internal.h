/* SPDX-License-Identifier: Apache-2.0
 *
 * Challenges of ACME, looked at for the authority: names are asked for by a helper, connections
 * begun here to addresses that the configuration lets us be sent to, what answers is read by the
 * fetch process. So many at once; the authority asks again for the rest.
 */
#ifndef GATEWAY_VALIDATING_INTERNAL_H
#define GATEWAY_VALIDATING_INTERNAL_H

#include "base/base.h"
#include "fetch/fetch.h"
#include "ipc/ipc.h"
#include "process/process.h"

struct parent;
struct validating;
/* Numbers of ours among those of fetches. */
#define VALIDATING_ID 0x80000000u

/* NULL: out of memory. */
struct validating *validating_new(struct parent *parent);
void validating_free(struct validating *validating);
/* Does the configuration in use want any? */
bool validating_wanted(const struct parent *parent);
/* PROBE, from the authority. */
bool validating_ask(struct validating *validating, const struct ipc_message *message,
                    struct mutual_error *err) MUTUAL_MUST_CHECK;
/* From the fetch process, about a number of ours. False with *ret_why: no socket for that. */
bool validating_connect(struct validating *validating, const struct fetch_want *want, int *ret_fd,
                        struct mutual_error *ret_why) MUTUAL_MUST_CHECK;
void validating_outcome(struct validating *validating, const struct fetch_outcome *outcome);
/* The fetch process is gone. */
void validating_lost(struct validating *validating);

#endif
