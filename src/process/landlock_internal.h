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

#define LANDLOCK_SYS_ADD_RULE 445
#define LANDLOCK_PATH_BENEATH 1
struct landlock_beneath {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed));
#define LANDLOCK_READ_FILE   (UINT64_C(1) << 2)
#define LANDLOCK_READ_DIR    (UINT64_C(1) << 3)
#define LANDLOCK_WRITE_FILE  (UINT64_C(1) << 1)
#define LANDLOCK_REMOVE_FILE (UINT64_C(1) << 5)
#define LANDLOCK_MAKE_FILE   (UINT64_C(1) << 8)
#define LANDLOCK_TRUNCATE    (UINT64_C(1) << 14)

#define LANDLOCK_BIND_TCP    (UINT64_C(1) << 0)
#define LANDLOCK_CONNECT_TCP (UINT64_C(1) << 1)

#define LANDLOCK_SCOPE_ABSTRACT_UNIX (UINT64_C(1) << 0)
#define LANDLOCK_SCOPE_SIGNAL        (UINT64_C(1) << 1)

#endif
