/* SPDX-License-Identifier: Apache-2.0
 *
 * Locking a process down, in the order in which each step still can: limits, no new privileges,
 * Landlock, then seccomp, after which nothing of this can be undone.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "process/process_internal.h"

static bool set_process_bits(struct mutual_error *err)
{
    const struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) == -1) {
        return mu_fail_errno(err, MUTUAL_E_SANDBOX, errno, "could not forbid core files");
    }
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1) {
        return mu_fail_errno(err, MUTUAL_E_SANDBOX, errno, "could not hide the memory");
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1) {
        return mu_fail_errno(err, MUTUAL_E_SANDBOX, errno, "could not forbid new privileges");
    }
    return true;
}

static void filter_auto(scmp_filter_ctx *filter)
{
    if (*filter != NULL) {
        seccomp_release(*filter);
    }
}

/* libseccomp answers with negative errno values. */
static bool fail_seccomp(struct mutual_error *err, int rc, const char *what)
{
    return mu_fail_errno(err, MUTUAL_E_SANDBOX, -rc, "could not %s the system call filter", what);
}

static bool add_calls(scmp_filter_ctx filter, const struct sandbox_calls *calls,
                      struct mutual_error *err)
{
    for (size_t i = 0; i < calls->count; i++) {
        const struct sandbox_call *call = &calls->items[i];
        const struct scmp_arg_cmp condition = {.arg = call->arg,
                                               .op = SCMP_CMP_MASKED_EQ,
                                               .datum_a = call->mask,
                                               .datum_b = call->equals};
        int rc = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call->number,
                                        call->conditional ? 1 : 0, &condition);
        if (rc != 0) {
            return fail_seccomp(err, rc, "build");
        }
    }
    return true;
}

/* abort() signals itself; nobody else. */
static bool add_abort(scmp_filter_ctx filter, struct mutual_error *err)
{
    const struct scmp_arg_cmp self = {
        .arg = 0, .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)getpid(), .datum_b = 0};
    int rc = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &self);
    return rc == 0 ? true : fail_seccomp(err, rc, "build");
}

static bool apply_seccomp(const struct sandbox_profile *profile, struct mutual_error *err)
{
    __attribute__((cleanup(filter_auto))) scmp_filter_ctx filter =
        seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (filter == NULL) {
        return mu_fail(err, MUTUAL_E_SANDBOX, "could not make the system call filter");
    }
    for (size_t i = 0; i < SANDBOX_SETS_MAX && profile->sets[i] != NULL; i++) {
        if (!add_calls(filter, profile->sets[i], err)) {
            return false;
        }
    }
    if (!add_abort(filter, err)) {
        return false;
    }
    /* Calls of another architecture (32-bit entry) end it too. */
    (void)seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    /* A binary tree: the order of the table is for readers, not for speed. */
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    int rc = seccomp_load(filter);
    return rc == 0 ? true : fail_seccomp(err, rc, "load");
}

bool sandbox_apply(const struct sandbox_profile *profile, bool unsafe,
                   struct sandbox_state *ret_state, struct mutual_error *err)
{
    return sandbox_apply_with(profile, NULL, 0, unsafe, ret_state, err);
}

bool sandbox_apply_with(const struct sandbox_profile *profile, const struct sandbox_place *places,
                        size_t place_count, bool unsafe, struct sandbox_state *ret_state,
                        struct mutual_error *err)
{
    struct sandbox_state state = {0};
    if (geteuid() != 0) {
        state.holds |= SANDBOX_USER;
    }
    if (!set_process_bits(err) || !landlock_apply(profile, places, place_count, &state, err)) {
        return mu_error_context(err, "sandbox \"%s\"", profile->name);
    }
    struct mutual_error why = {0};
    if (apply_seccomp(profile, &why)) {
        state.holds |= SANDBOX_SECCOMP;
    } else if (!unsafe) {
        if (err != NULL) {
            *err = why;
        }
        return mu_error_context(err, "sandbox \"%s\"", profile->name);
    }
    *ret_state = state;
    return true;
}

const char *sandbox_words(const struct sandbox_state *state, char text[SANDBOX_WORDS])
{
    const uint32_t holds = state->holds;
    char landlock[64] = "no landlock";
    if (holds & SANDBOX_LANDLOCK_FILES) {
        (void)snprintf(landlock, sizeof landlock, "landlock %u (files%s%s)", state->landlock_abi,
                       holds & SANDBOX_LANDLOCK_NETWORK ? ", network" : "",
                       holds & SANDBOX_LANDLOCK_SCOPE ? ", scope" : "");
    }
    (void)snprintf(text, SANDBOX_WORDS, "%s, %s%s",
                   holds & SANDBOX_SECCOMP ? "seccomp" : "no seccomp", landlock,
                   holds & SANDBOX_USER ? "" : ", user root");
    return text;
}

const char *sandbox_warning(const struct sandbox_state *state)
{
    if ((state->holds & SANDBOX_SECCOMP) == 0) {
        return "no system call filter: a process that is taken over can do whatever its user can";
    }
    if ((state->holds & SANDBOX_LANDLOCK_FILES) == 0) {
        return "the kernel has no Landlock: files are guarded by the system call filter alone";
    }
    if ((state->holds & SANDBOX_USER) == 0) {
        return "a process runs as root: start as a user of your own, or name one";
    }
    return NULL;
}
