/* SPDX-License-Identifier: Apache-2.0
 *
 * Landlock's kernel interface, written down here because the distribution's headers are older than
 * the kernels we run on. From the kernel's user-space API document; numbers are ABI.
 */
#ifndef PROCESS_LANDLOCK_INTERNAL_H
#define PROCESS_LANDLOCK_INTERNAL_H

#include <stdint.h>

#define LANDLOCK_SYS_CREATE_RULESET 444
#define LANDLOCK_SYS_RESTRICT_SELF  446
#define LANDLOCK_ASK_VERSION        UINT32_C(1)

struct landlock_ruleset {
    uint64_t files;   /* ABI 1 */
    uint64_t network; /* ABI 4 */
    uint64_t scoped;  /* ABI 6 */
};

/* File rights by the ABI that brought them; handled and granted to nobody. */
#define LANDLOCK_FILES_ABI_1 ((UINT64_C(1) << 13) - 1) /* execute ... make symlink */
#define LANDLOCK_FILES_ABI_2 (UINT64_C(1) << 13)       /* refer                    */
#define LANDLOCK_FILES_ABI_3 (UINT64_C(1) << 14)       /* truncate                 */
#define LANDLOCK_FILES_ABI_5 (UINT64_C(1) << 15)       /* ioctl on devices         */

#define LANDLOCK_BIND_TCP    (UINT64_C(1) << 0)
#define LANDLOCK_CONNECT_TCP (UINT64_C(1) << 1)

#define LANDLOCK_SCOPE_ABSTRACT_UNIX (UINT64_C(1) << 0)
#define LANDLOCK_SCOPE_SIGNAL        (UINT64_C(1) << 1)

#endif
