/* SPDX-License-Identifier: Apache-2.0
 *
 * Revocation lists, read and verified aside.
 */
#ifndef GATEWAY_LISTS_INTERNAL_H
#define GATEWAY_LISTS_INTERNAL_H

#include "event/event.h"
#include "world/world.h"

struct lists_task {
    const struct config_snapshot *snapshot;
    const struct world_lists *known; /* those in use, which need not be read again; or NULL */
    const char *user;                /* whom the helper becomes when we are root; or NULL   */
};
struct lists_reader;
/* Starts a round over all lists of the snapshot and calls done(owner) when it is over; then the
 * reader is freed. `lists` is the callee's, or NULL with the reason in `why`. What the task names
 * must live until then, but `user`. Fails with SYSTEM_CALL or NO_MEMORY. */
typedef void lists_done_fn(void *owner, struct world_lists *lists, const struct mutual_error *why);
bool lists_start(struct reactor *reactor, const struct lists_task *task, lists_done_fn *done,
                 void *owner, struct lists_reader **ret_reader,
                 struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Gives a round up; done is not called. NULL is allowed. */
void lists_stop(struct lists_reader *reader);

#endif
