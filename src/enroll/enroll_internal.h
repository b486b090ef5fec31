/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the room share.
 */
#ifndef ENROLL_ENROLL_INTERNAL_H
#define ENROLL_ENROLL_INTERNAL_H

#include "enroll/enroll.h"

/* triple.c: the path without links; NULL: there is none, errno says why, or no memory. */
char *enroll_real_path(const char *path);

/* hook.c: runs what is to be run after a renewal; HOOK_FAILED. `directory` goes into its
 * environment as MUTUAL_DIRECTORY, `what` ("renewed", "undone") as MUTUAL_RENEWAL. */
bool enroll_hook_run(const struct enroll_hook *hook, const char *directory, const char *what,
                     struct mutual_error *err) MUTUAL_MUST_CHECK;

/* The tries as a file: renew.c. Missing, damaged or of another certificate: none. */
struct enroll_tries enroll_tries_load(const char *path, const struct enroll_life *life);
bool enroll_tries_save(const char *path, const struct enroll_life *life,
                       const struct enroll_tries *tries,
                       struct mutual_error *err) MUTUAL_MUST_CHECK;

#endif
