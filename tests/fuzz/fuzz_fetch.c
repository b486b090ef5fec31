/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parent reads of a fetch process that may have been taken over, and what that reads of
 * its parent. The first byte says which.
 */
#include "fetch/fetch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fetch_request request;
    static struct fetch_outcome outcome;
    struct mutual_error err = {0};
    struct mutual_error why = {0};
    struct fetch_material material;
    struct fetch_about about;
    struct fetch_want want;
    uint32_t id = 0;
    int fd = -1;
    if (size < 1) {
        return 0;
    }
    struct ipc_message message = {.payload = {data + 1, size - 1}};
    bool good = data[0] == 'O'   ? fetch_outcome_read(&message, &outcome, &err)
                : data[0] == 'W' ? fetch_want_read(&message, &want, &err)
                : data[0] == 'S' ? fetch_socket_read(&message, &id, &fd, &why, &err)
                : data[0] == 'R' ? fetch_request_read(&message, &request, &err)
                : data[0] == 'A' ? fetch_about_read(message.payload, &about, &err)
                                 : fetch_material_read(message.payload, &material, &err);
    mu_assert(good || err.code == MUTUAL_E_MESSAGE_MALFORMED);
    mu_assert(!good || data[0] != 'O' || outcome.status == 200 || outcome.status == 304 ||
              outcome.error.code != MUTUAL_OK);
    return 0;
}
