/* SPDX-License-Identifier: Apache-2.0
 *
 * What the configuration names by URL, kept fresh: when to ask, whom to let the fetch process
 * connect to, where good answers are kept, and that they are used.
 */
#ifndef GATEWAY_FETCHING_INTERNAL_H
#define GATEWAY_FETCHING_INTERNAL_H

#include "base/base.h"
#include "ipc/ipc.h"
#include "process/process.h"

struct fetching;
struct parent;
struct source;

/* NULL: out of memory. */
struct fetching *fetching_new(struct parent *parent);
void fetching_free(struct fetching *fetching);
/* Another configuration is in use: whatever it names is asked for, and the process is there while
 * there is anything. */
void fetching_follow(struct fetching *fetching);
/* The fetch process is there, again or for the first time; is gone; says something. */
void fetching_ready(struct fetching *fetching);
void fetching_died(struct fetching *fetching);
bool fetching_message(struct fetching *fetching, const struct supervised *child,
                      struct ipc_message *message, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* What is fetched, one after the other; borrowed. */
size_t fetching_count(const struct fetching *fetching);
const struct source *fetching_get(const struct fetching *fetching, size_t index);
/* The member "fetched" of the status. */
void fetching_json(const struct fetching *fetching, struct mu_json *json);
/* Of the response about a chain's leaf, into an object that is open; false: none is fetched. */
bool fetching_staple_json(const struct fetching *fetching, const char *chain, struct mu_json *json);
/* The responses that are kept, one after the other; false past the last. Borrowed. */
struct fetching_staple {
    const char *chain;
    bool must_staple;
    int64_t this_update_s, next_update_s;
};
bool fetching_staple(const struct fetching *fetching, size_t index, struct fetching_staple *ret);

#endif
