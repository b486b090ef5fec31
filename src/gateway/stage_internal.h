/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of stages (stages.def) as an enum and as facts.
 */
#ifndef GATEWAY_STAGE_INTERNAL_H
#define GATEWAY_STAGE_INTERNAL_H

#include "base/base.h"

enum stage {
#define X(name_, step_, timeout_, to_) STAGE_##name_,
#include "gateway/stages.def"
#undef X
    STAGE_COUNT_
};

enum stage_timeout {
    STAGE_TIMEOUT_NONE,
    STAGE_TIMEOUT_HANDSHAKE,
    STAGE_TIMEOUT_CONNECT,
    STAGE_TIMEOUT_IDLE,
    STAGE_TIMEOUT_DRAIN,
};

/* The stage as a stable word: "up_handshake". */
const char *stage_name(enum stage stage);
/* What goes wrong in a stage without a step of its own goes wrong here. */
enum mutual_step stage_step(enum stage stage);
enum stage_timeout stage_timeout(enum stage stage);
bool stage_may_go(enum stage from, enum stage to);

#endif
