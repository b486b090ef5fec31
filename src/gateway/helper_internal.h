/* SPDX-License-Identifier: Apache-2.0
 *
 * Helpers: processes that the parent forks for one short task on bytes that are not ours, and that
 * inherit its memory as it is. They answer on one descriptor and end.
 */
#ifndef GATEWAY_HELPER_INTERNAL_H
#define GATEWAY_HELPER_INTERNAL_H

#include "base/base.h"
#include "event/event.h"

#define HELPER_FD 3

/* In the helper: `fd` becomes HELPER_FD and nothing else of the parent's is kept open but the
 * standard ones; it becomes an unprivileged user (`user` NULL: the usual one) when we are root,
 * gets no new privileges, dies with the parent, and may use so much time and write so many bytes.
 * Ends the process when it cannot. */
void helper_begin(int fd, const char *user, unsigned cpu_s, size_t file_bytes);

/* One that looks something up and says it in bytes. `look` runs in the helper, which has a copy of
 * our memory as it is now; `done` gets what it said, however much that is, at the latest after
 * patience_s, and then the helper is freed. SYSTEM_CALL. */
struct helper_task;
struct helper_work {
    struct reactor *reactor;
    const char *user;
    unsigned patience_s;
    size_t answer_max;
    void (*look)(void *context, struct mu_buf *out);
    void *context;
    void (*done)(void *owner, struct mu_slice answer);
    void *owner;
};
bool helper_task_start(const struct helper_work *work, struct helper_task **ret_task,
                       struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Gives it up; done is not called. NULL is allowed. */
void helper_task_stop(struct helper_task *task);

#endif
