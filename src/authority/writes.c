/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether the authority can write. Nobody may ask it for anything while its disk is full, so the
 * parent is told, whose health turns red; and told again when a write of our own goes through.
 */
#include "authority/authority_internal.h"

/* The store and the files beside it; what else goes wrong is seen elsewhere, or is no disk's. */
static bool is_of_writing(enum mutual_code code)
{
    return code == MUTUAL_E_DISK_FULL || code == MUTUAL_E_STORE_FAILED ||
           code == MUTUAL_E_STORE_CORRUPT || code == MUTUAL_E_FILE_UNWRITABLE;
}

static void tell(struct writes *writes, const struct mutual_error *why)
{
    MU_AUTO(buf) struct mu_buf payload;
    struct mutual_error lost = {0};
    mu_buf_init(&payload, 4096);
    ipc_put_error(&payload, why);
    if (!payload.failed &&
        ipc_send(writes->parent, IPC_MSG_WRITES, mu_buf_slice(&payload), NULL, 0, &lost)) {
        writes->told = why->code;
    }
}

bool writes_failed(struct writes *writes, const struct mutual_error *why)
{
    if (!is_of_writing(why->code)) {
        return false;
    }
    if (writes->told != why->code) {
        tell(writes, why);
    }
    return true;
}

void writes_look(struct writes *writes, struct ca *ca, int64_t now_s)
{
    struct mutual_error why = {0};
    if (writes->told == MUTUAL_OK) {
        return;
    }
    if (ca_try_write(ca, now_s, &why)) {
        tell(writes, &why);
    } else {
        (void)writes_failed(writes, &why);
    }
}
