/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual show on any bytes: as text and as JSON, with a password and without.
 */
#include "ca/ca.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int turn = 0; turn < 2; turn++) {
        MU_AUTO(buf) struct mu_buf out;
        mu_buf_init(&out, 16u << 20);
        (void)ca_describe(mu_slice_of(data, size), "fuzz", turn == 0 ? NULL : "password", 0,
                          turn == 1, &out, NULL);
    }
    return 0;
}
