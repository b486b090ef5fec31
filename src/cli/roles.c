/* SPDX-License-Identifier: Apache-2.0
 *
 * The roles that this program can be executed as, assembled from the rooms that define them.
 */
#include "cli/cli_internal.h"

#include "authority/authority.h"
#include "fetch/fetch.h"
#include "gateway/gateway.h"
#include "keys/keys.h"
#include "process/process.h"

const struct role *const cli_roles[] = {
    &keys_role, &gateway_worker_role, &fetch_role, &authority_role, &authority_publisher_role, NULL,
};
