/* SPDX-License-Identifier: Apache-2.0
 *
 * The two halves of mutual enroll.
 */
#ifndef CLI_ENROLL_INTERNAL_H
#define CLI_ENROLL_INTERNAL_H

#include "cli/cli_internal.h"

struct enroll_renewing {
    bool renew, daemon, force;
    const char *url, *label, *trust, *run, *hup, *prove;
};
/* enroll_renew.c: --renew, of the directories that are arguments; the exit status. */
int enroll_renew_run(struct cli *cli, const struct enroll_renewing *given);

#endif
