/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside process: profiles, what START carries, how a user is found, how a death is told.
 */
#ifndef PROCESS_PROCESS_INTERNAL_H
#define PROCESS_PROCESS_INTERNAL_H

#include <seccomp.h>

#include "process/process.h"

/* ---- sandbox --------------------------------------------------------------------------------- */

/* A permitted system call; when conditional, only if argument `arg` and `mask` is `equals`. */
struct sandbox_call {
    int number;
    bool conditional;
    unsigned arg;
    uint64_t mask, equals;
};
struct sandbox_calls {
    const struct sandbox_call *items;
    size_t count;
};
#define SANDBOX_SETS_MAX 5
struct sandbox_profile {
    const char *name;
    const struct sandbox_calls *sets[SANDBOX_SETS_MAX]; /* NULL after the last */
    uint64_t landlock_network; /* rights taken away (landlock_internal.h) */
};

/* Takes away every file right this kernel knows, and what the profile names. Without Landlock, or
 * without a part of it, the state says so and all is well. */
bool landlock_apply(const struct sandbox_profile *profile, const struct sandbox_place *places,
                    size_t place_count, struct sandbox_state *state, struct mutual_error *err);

/* ---- making a child -------------------------------------------------------------------------- */

/* The inherited struct: what START says. */
struct process_start {
    enum ipc_party party;
    uint32_t index;
    pid_t parent;
    bool drop; /* become uid and gid; uid 0: give up every capability */
    uid_t uid;
    gid_t gid;
    bool unsafe_no_sandbox;
    uint64_t nofile;
    struct mu_slice setup;
};
void process_start_write(struct mu_buf *buf, const struct process_start *start);
bool process_start_read(struct mu_slice payload, struct process_start *ret_start,
                        struct mutual_error *err);
void process_ready_write(struct mu_buf *buf, const struct sandbox_state *state);

/* Whom children become: `user`, or when NULL "mutual", else "nobody". *ret_drop is false when we
 * are not root, and then nobody is looked up. NOT_FOUND. */
bool process_user_find(const char *user, bool *ret_drop, uid_t *ret_uid, gid_t *ret_gid,
                       struct mutual_error *err);

/* ---- watching it ----------------------------------------------------------------------------- */

/* Reaps a child that has ended; false: it has not. */
bool process_reap(pid_t pid, bool block, struct process_death *ret_death);
/* Fills death->words. */
void process_death_words(const struct supervised *child, struct process_death *death);
/* How long to wait before the nth replacement in a row (from 0). */
int64_t process_backoff_ns(uint32_t nth);
/* Answers SOCKETS_WANTED. `unread` counts what this worker may not have read yet; zero at first. */
bool process_sockets_answer(struct ipc_channel *worker, const struct ipc_message *message,
                            unsigned *unread, struct mutual_error *err);

#endif
