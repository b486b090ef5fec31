/* SPDX-License-Identifier: Apache-2.0
 *
 * Landlock: no file may be opened, made, removed or executed, whatever the user's rights are, but
 * for what a role may do beneath the directories it was given.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "process/landlock_internal.h"
#include "process/process_internal.h"

/* What this ABI can take away, and how large its struct is. */
static struct landlock_ruleset ruleset_for(uint32_t abi, uint64_t network, size_t *ret_size)
{
    struct landlock_ruleset set = {.files = LANDLOCK_FILES_ABI_1};
    *ret_size = offsetof(struct landlock_ruleset, network);
    if (abi >= 2) {
        set.files |= LANDLOCK_FILES_ABI_2;
    }
    if (abi >= 3) {
        set.files |= LANDLOCK_FILES_ABI_3;
    }
    if (abi >= 4) {
        set.network = network;
        *ret_size = offsetof(struct landlock_ruleset, scoped);
    }
    if (abi >= 5) {
        set.files |= LANDLOCK_FILES_ABI_5;
    }
    if (abi >= 6) {
        set.scoped = LANDLOCK_SCOPE_ABSTRACT_UNIX | LANDLOCK_SCOPE_SIGNAL;
        *ret_size = sizeof set;
    }
    return set;
}

static bool grant(int ruleset, const struct sandbox_place *place, uint64_t known,
                  struct mutual_error *err)
{
    const uint64_t writing =
        LANDLOCK_WRITE_FILE | LANDLOCK_REMOVE_FILE | LANDLOCK_MAKE_FILE | LANDLOCK_TRUNCATE;
    const struct landlock_beneath rule = {
        .allowed = known & (LANDLOCK_READ_FILE | LANDLOCK_READ_DIR | (place->write ? writing : 0)),
        .parent = place->fd};
    return syscall(LANDLOCK_SYS_ADD_RULE, ruleset, LANDLOCK_PATH_BENEATH, &rule, UINT32_C(0)) ==
               0 ||
           mu_fail_errno(err, MUTUAL_E_SANDBOX, errno,
                         "could not let a directory through Landlock");
}

bool landlock_apply(const struct sandbox_profile *profile, const struct sandbox_place *places,
                    size_t place_count, struct sandbox_state *state, struct mutual_error *err)
{
    long abi = syscall(LANDLOCK_SYS_CREATE_RULESET, NULL, (size_t)0, LANDLOCK_ASK_VERSION);
    if (abi <= 0) {
        return true; /* ENOSYS, EOPNOTSUPP: built or booted without it */
    }
    size_t size;
    struct landlock_ruleset set = ruleset_for((uint32_t)abi, profile->landlock_network, &size);
    int fd = (int)syscall(LANDLOCK_SYS_CREATE_RULESET, &set, size, UINT32_C(0));
    if (fd == -1) {
        return mu_fail_errno(err, MUTUAL_E_SANDBOX, errno, "could not make a Landlock ruleset");
    }
    for (size_t i = 0; i < place_count; i++) {
        if (!grant(fd, &places[i], set.files, err)) {
            (void)close(fd);
            return false;
        }
    }
    long done = syscall(LANDLOCK_SYS_RESTRICT_SELF, fd, UINT32_C(0));
    int sys = errno;
    (void)close(fd);
    if (done != 0) {
        return mu_fail_errno(err, MUTUAL_E_SANDBOX, sys, "could not enter the Landlock ruleset");
    }
    state->landlock_abi = (uint32_t)abi;
    state->holds |= SANDBOX_LANDLOCK_FILES;
    if (set.network != 0) {
        state->holds |= SANDBOX_LANDLOCK_NETWORK;
    }
    if (set.scoped != 0) {
        state->holds |= SANDBOX_LANDLOCK_SCOPE;
    }
    return true;
}
