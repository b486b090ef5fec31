/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames that are none, and memory files that are none.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ipc/ipc_internal.h"
#include "unit.h"

static struct mutual_error err;

static void a_frame_comes_back(void **state)
{
    (void)state;
    uint8_t bytes[IPC_FRAME_SIZE + 3] = {0};
    struct ipc_frame sent = {.type = 7, .len = 3};
    struct ipc_frame got = {0};
    ipc_frame_write(bytes, &sent);
    assert_ok(ipc_frame_read(mu_slice_of(bytes, sizeof bytes), &got, &err), &err);
    assert_int_equal(got.type, 7);
    assert_int_equal(got.len, 3);
    assert_false(got.in_file);
}

static void every_wrong_byte_is_refused(void **state)
{
    (void)state;
    struct ipc_frame sent = {.type = 7, .len = 3};
    struct ipc_frame got = {0};
    const size_t wrong[] = {0, 1, 2, 3, 6, 7, 8, 9, 10, 11};
    for (size_t i = 0; i < MU_COUNT(wrong); i++) {
        uint8_t bytes[IPC_FRAME_SIZE + 3] = {0};
        ipc_frame_write(bytes, &sent);
        bytes[wrong[i]] ^= 0x41;
        assert_fails(ipc_frame_read(mu_slice_of(bytes, sizeof bytes), &got, &err), &err,
                     MUTUAL_E_MESSAGE_MALFORMED);
    }
    uint8_t bytes[IPC_FRAME_SIZE];
    for (size_t len = 1; len < IPC_FRAME_SIZE; len++) {
        ipc_frame_write(bytes, &sent);
        assert_fails(ipc_frame_read(mu_slice_of(bytes, len), &got, &err), &err,
                     MUTUAL_E_MESSAGE_MALFORMED);
    }
    sent = (struct ipc_frame){.type = 7, .in_file = true, .len = 3}; /* small ones go inline */
    ipc_frame_write(bytes, &sent);
    assert_fails(ipc_frame_read(mu_slice_of(bytes, sizeof bytes), &got, &err), &err,
                 MUTUAL_E_MESSAGE_MALFORMED);
}

static void a_file_comes_back_and_cannot_be_changed(void **state)
{
    (void)state;
    int fd = ipc_file_make(MU_SLICE_LIT("large"), &err);
    assert_int_not_equal(fd, -1);
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(ftruncate(fd, 1), -1);
    MU_AUTO(buf) struct mu_buf buf = {0};
    assert_ok(ipc_file_read(fd, 5, &buf, &err), &err);
    assert_true(mu_slice_equal_text(mu_buf_slice(&buf), "large"));
    struct mu_buf none = {0};
    assert_fails(ipc_file_read(fd, 6, &none, &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
    (void)close(fd);
}

static void an_unsealed_file_is_refused(void **state)
{
    (void)state;
    struct mu_buf none = {0};
    int fd = memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(write(fd, "large", 5), 5);
    assert_fails(ipc_file_read(fd, 5, &none, &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
    (void)close(fd);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_fails(ipc_file_read(ends[0], 5, &none, &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

UNIT_MAIN(UNIT_CASE(a_frame_comes_back), UNIT_CASE(every_wrong_byte_is_refused),
          UNIT_CASE(a_file_comes_back_and_cannot_be_changed),
          UNIT_CASE(an_unsealed_file_is_refused))
