/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual access ready, a verb's part in a file of its own.
 */
#ifndef CLI_READY_INTERNAL_H
#define CLI_READY_INTERNAL_H

#include "cli/cli.h"

struct ready_options {
    const char *control; /* NULL: the usual place */
    int64_t since_ns;    /* only callers seen within that time; 0: all that are kept */
    int64_t least_ns;    /* for how long there must be evidence                      */
};

/* `cli->args[0]` is the service. Returns the exit status. */
int ready_run(struct cli *cli, const struct ready_options *options);

#endif
