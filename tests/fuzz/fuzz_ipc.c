/* SPDX-License-Identifier: Apache-2.0
 *
 * One datagram from a sibling that was taken over: the frame, the table, and the fields behind.
 */
#include "ipc/ipc_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mutual_error err = {0};
    struct ipc_frame frame;
    if (size == 0 || !ipc_frame_read(mu_slice_of(data, size), &frame, &err)) {
        return 0;
    }
    const enum ipc_party parties[] = {IPC_PARENT, IPC_KEYS, IPC_WORKER};
    for (size_t i = 0; i < MU_COUNT(parties); i++) {
        (void)ipc_row_check(frame.type, parties[i], parties[(i + 1) % 3], frame.len, 0, &err);
    }
    struct ipc_reader reader =
        ipc_reader_of(mu_slice_of(data + IPC_FRAME_SIZE, size - IPC_FRAME_SIZE));
    char text[32];
    while (!reader.failed && reader.rest.len > 0) {
        switch (ipc_get_u8(&reader) % 6) {
        case 0:
            (void)ipc_get_u16(&reader);
            break;
        case 1:
            (void)ipc_get_u32(&reader);
            break;
        case 2:
            (void)ipc_get_u64(&reader);
            break;
        case 3:
            (void)ipc_get_bytes(&reader, 64);
            break;
        case 4:
            ipc_get_text(&reader, text, sizeof text);
            break;
        default:
            ipc_get_error(&reader, &err);
            break;
        }
    }
    mu_assert(ipc_reader_end(&reader, "an input", &err) != reader.failed);
    return 0;
}
