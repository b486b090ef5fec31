/* SPDX-License-Identifier: Apache-2.0
 *
 * A client is fed arbitrary bytes as a server's answer; the first byte is the width of the windows
 * they come in.
 */
#include "session_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0) {
        fuzz_feed(fuzz_world()->client, data + 1, size - 1, data[0] == 0 ? 65536 : data[0]);
    }
    return 0;
}
