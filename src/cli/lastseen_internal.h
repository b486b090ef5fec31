/* SPDX-License-Identifier: Apache-2.0
 *
 * When and where certificates of the inventory were last seen, by the running gateway.
 */
#ifndef CLI_LASTSEEN_INTERNAL_H
#define CLI_LASTSEEN_INTERNAL_H

#include "cli/cli.h"
#include "inventory/inventory.h"

struct lastseen;
/* Asks the gateway at `control`; NULL: at the usual place. CONNECT_FAILED, NOT_FOUND. */
bool lastseen_load(const char *control, struct lastseen **ret_seen, struct mutual_error *err);
void lastseen_free(struct lastseen *seen);
void mu_lastseen_auto(struct lastseen **seen);
/* Appends "3 minutes ago at db, 2 days ago at web", or nothing. */
void lastseen_text(const struct lastseen *seen, const struct inventory_record *record,
                   int64_t now_s, struct mu_buf *out);
/* The same as an array called "seen"; null for a `seen` of NULL. */
void lastseen_json(const struct lastseen *seen, const struct inventory_record *record,
                   struct mu_json *json);

#endif
