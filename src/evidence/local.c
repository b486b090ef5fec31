/* SPDX-License-Identifier: Apache-2.0
 *
 * Who came by the authority's socket on this machine, as the kernel told the parent.
 */
#include <stdio.h>
#include <string.h>

#include "evidence/evidence.h"
#include "ipc/ipc.h"

void evidence_local_write(uint32_t uid, const char *name, struct mu_buf *out)
{
    ipc_put_u32(out, uid);
    ipc_put_text(out, name);
}

bool evidence_local_read(struct mu_slice bytes, struct evidence_local *ret_local,
                         struct mutual_error *err)
{
    char name[EVIDENCE_USER] = "";
    MU_AUTO(buf) struct mu_buf safe;
    struct ipc_reader reader = ipc_reader_of(bytes);
    mu_buf_init(&safe, 4 * EVIDENCE_USER);
    ret_local->uid = ipc_get_u32(&reader);
    ipc_get_text(&reader, name, sizeof name);
    if (!ipc_reader_end(&reader, "local", err)) {
        return false;
    }
    mu_escape(&safe, mu_slice_text(name));
    (void)snprintf(ret_local->who, sizeof ret_local->who, "%.*s (%u)", EVIDENCE_USER,
                   safe.len > 0 ? mu_buf_str(&safe) : "uid", ret_local->uid);
    return true;
}
