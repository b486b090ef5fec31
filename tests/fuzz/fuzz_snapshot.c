/* SPDX-License-Identifier: Apache-2.0
 *
 * A snapshot from another process: it is refused or every byte of it is accounted for.
 */
#include <stdlib.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mutual_error err = {0};
    MU_AUTO(config_snapshot) struct config_snapshot *snapshot = NULL;
    if (!config_snapshot_parse(mu_slice_of(data, size), &snapshot, &err)) {
        if (err.code != MUTUAL_E_MESSAGE_MALFORMED && err.code != MUTUAL_E_LIMIT) {
            abort();
        }
        return 0;
    }
    size_t total = 12;
    for (size_t i = 0; i < config_snapshot_count(snapshot); i++) {
        struct mu_slice bytes;
        const char *name = config_snapshot_name(snapshot, i);
        if (!config_snapshot_find(snapshot, name, &bytes)) {
            abort();
        }
        total += 12 + mu_slice_text(name).len + bytes.len;
    }
    if (total != size) {
        abort();
    }
    return 0;
}
