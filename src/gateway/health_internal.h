/* SPDX-License-Identifier: Apache-2.0
 *
 * Is all well, and will it be? Red before something ends, not after: while there is time to act.
 */
#ifndef GATEWAY_HEALTH_INTERNAL_H
#define GATEWAY_HEALTH_INTERNAL_H

#include "base/base.h"

struct parent;

enum health {
    HEALTH_PASS,
    HEALTH_WARN, /* nothing is refused for it, now or soon */
    HEALTH_FAIL, /* something does not work, or will not when what is named has ended */
};
/* How many findings are told; the rest is counted. */
enum { HEALTH_TOLD_MAX = 50 };

/* From when on what holds from..until is red: `margin_ns` before its end; 0: when a tenth of its
 * life is left, and 30 days before its end at the most. */
int64_t health_red_from(int64_t from_s, int64_t until_s, int64_t margin_ns);
/* What is wrong in the world in use, by the clock of now, as JSON or as lines of text. */
enum health health_json(const struct parent *parent, struct mu_buf *out);
enum health health_text(const struct parent *parent, struct mu_buf *out);
enum health health_of(const struct parent *parent);

#endif
