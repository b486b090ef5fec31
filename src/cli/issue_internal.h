/* SPDX-License-Identifier: Apache-2.0
 *
 * The two halves of mutual issue.
 */
#ifndef CLI_ISSUE_INTERNAL_H
#define CLI_ISSUE_INTERNAL_H

#include "cli/reach_internal.h"

struct issue_far {
    struct ca_request *request; /* its profile and, when nobody is named, owner are filled in */
    const char *profile;
};
/* issue_far.c: at an authority that is behind a server. */
bool issue_far(const struct cli *cli, struct reach *reach, const struct issue_far *wish,
               struct mutual_error *err);

#endif
