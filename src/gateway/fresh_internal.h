/* SPDX-License-Identifier: Apache-2.0
 *
 * How near revocation lists and OCSP responses are to their next update.
 */
#ifndef GATEWAY_FRESH_INTERNAL_H
#define GATEWAY_FRESH_INTERNAL_H

#include <stdint.h>

struct parent;

/* When a list of these updates is first told of; and the first moment after now_s at which it is
 * told of (again). */
int64_t fresh_first(int64_t this_s, int64_t next_s);
int64_t fresh_next(int64_t this_s, int64_t next_s, int64_t now_s);

/* Another setup is in use: tells of what it has that is late or nearly so, and from now on of each
 * when it is time. */
void fresh_follow(struct parent *parent);

#endif
