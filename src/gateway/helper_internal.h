/* SPDX-License-Identifier: Apache-2.0
 *
 * Helpers: processes that the parent forks for one short task on bytes that are not ours, and that
 * inherit its memory as it is. They answer on one descriptor and end.
 */
#ifndef GATEWAY_HELPER_INTERNAL_H
#define GATEWAY_HELPER_INTERNAL_H

#include <stddef.h>

#define HELPER_FD 3

/* In the helper: `fd` becomes HELPER_FD and nothing else of the parent's is kept open but the
 * standard ones; it becomes an unprivileged user (`user` NULL: the usual one) when we are root,
 * gets no new privileges, dies with the parent, and may use so much time and write so many bytes.
 * Ends the process when it cannot. */
void helper_begin(int fd, const char *user, unsigned cpu_s, size_t file_bytes);

#endif
