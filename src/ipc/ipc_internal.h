/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside ipc: the message table as data and the frame around a payload.
 */
#ifndef IPC_IPC_INTERNAL_H
#define IPC_IPC_INTERNAL_H

#include "ipc/ipc.h"

struct ipc_row {
    const char *name;
    uint32_t from, to; /* masks of enum ipc_party */
    size_t least, most;
    size_t fds;
};
/* NULL: there is no such message. */
const struct ipc_row *ipc_row_find(uint16_t type);
/* Whether the table permits it; MESSAGE_MALFORMED says what it breaks. */
bool ipc_row_check(uint16_t type, enum ipc_party from, enum ipc_party to, size_t len,
                   size_t fd_count, struct mutual_error *err);

/* A frame: "mu", version, flags, type (be16), zero (be16), payload length (be32). With
 * IPC_FRAME_FILE the payload is in a sealed memory file, the first descriptor. */
#define IPC_FRAME_SIZE    12u
#define IPC_FRAME_VERSION 1u
#define IPC_FRAME_FILE    0x01u
/* What travels in the frame itself; a row's greatest payload may be larger. */
#define IPC_INLINE_MAX MU_LIMIT_MESSAGE_BYTES

struct ipc_frame {
    uint16_t type;
    bool in_file;
    size_t len; /* of the payload */
};
void ipc_frame_write(uint8_t bytes[IPC_FRAME_SIZE], const struct ipc_frame *frame);
/* Reads the head of one datagram, and checks its own sense; the table is checked afterwards. */
bool ipc_frame_read(struct mu_slice datagram, struct ipc_frame *ret_frame,
                    struct mutual_error *err);

/* A memory file holding the payload, sealed against change; -1: err says why. */
int ipc_file_make(struct mu_slice payload, struct mutual_error *err);
/* Reads exactly `len` bytes of a sealed memory file. */
bool ipc_file_read(int fd, size_t len, struct mu_buf *ret_buf, struct mutual_error *err);

#endif
