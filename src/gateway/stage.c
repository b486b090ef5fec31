/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of stages.
 */
#include "gateway/stage_internal.h"

#define TO(name_) (1u << STAGE_##name_)
static const struct {
    const char *name;
    enum mutual_step step;
    enum stage_timeout timeout;
    unsigned to;
} stages[] = {
#define X(name_, step_, timeout_, to_) \
    {#name_, MUTUAL_STEP_##step_, STAGE_TIMEOUT_##timeout_, (to_)},
#include "gateway/stages.def"
#undef X
};

const char *stage_name(enum stage stage)
{
    return stages[stage].name;
}

enum mutual_step stage_step(enum stage stage)
{
    return stages[stage].step;
}

enum stage_timeout stage_timeout(enum stage stage)
{
    return stages[stage].timeout;
}

bool stage_may_go(enum stage from, enum stage to)
{
    return (stages[from].to & (1u << to)) != 0;
}
