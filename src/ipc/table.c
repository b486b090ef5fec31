/* SPDX-License-Identifier: Apache-2.0
 *
 * The message table as data, and the check of a message against its row.
 */
#include "ipc/ipc_internal.h"

static const struct ipc_row rows[IPC_MSG_COUNT_] = {
#define X(name_, from_, to_, least_, most_, fds_) \
    [IPC_MSG_##name_] = {#name_, from_, to_, least_, most_, fds_},
#include "ipc/messages.def"
#undef X
};

const struct ipc_row *ipc_row_find(uint16_t type)
{
    return type < IPC_MSG_COUNT_ && rows[type].name != NULL ? &rows[type] : NULL;
}

const char *ipc_type_name(enum ipc_type type)
{
    const struct ipc_row *row = ipc_row_find((uint16_t)type);
    return row != NULL ? row->name : "NONE";
}

const char *ipc_party_name(enum ipc_party party)
{
    static const struct {
        enum ipc_party party;
        const char *name;
    } names[] = {{IPC_PARENT, "parent"},       {IPC_KEYS, "keys"},   {IPC_WORKER, "worker"},
                 {IPC_AUTHORITY, "authority"}, {IPC_FETCH, "fetch"}, {IPC_LISTS, "lists"}};
    for (size_t i = 0; i < MU_COUNT(names); i++) {
        if (names[i].party == party) {
            return names[i].name;
        }
    }
    return "process";
}

bool ipc_row_check(uint16_t type, enum ipc_party from, enum ipc_party to, size_t len,
                   size_t fd_count, struct mutual_error *err)
{
    const struct ipc_row *row = ipc_row_find(type);
    if (row == NULL) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "\"%s\" sent a message of unknown type %u",
                       ipc_party_name(from), (unsigned)type);
    }
    if ((row->from & (uint32_t)from) == 0 || (row->to & (uint32_t)to) == 0) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "\"%s\" may not send %s to \"%s\"",
                       ipc_party_name(from), row->name, ipc_party_name(to));
    }
    if (len < row->least || len > row->most) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED,
                       "%s from \"%s\" has %zu bytes, it may have %zu to %zu", row->name,
                       ipc_party_name(from), len, row->least, row->most);
    }
    if (fd_count > row->fds) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED,
                       "%s from \"%s\" has %zu descriptors, it may have %zu", row->name,
                       ipc_party_name(from), fd_count, row->fds);
    }
    return true;
}
