/* SPDX-License-Identifier: Apache-2.0
 *
 * Who may use a certificate, by the policy in force: which services its names may reach, and who
 * may reach the services that present it.
 */
#ifndef CLI_USAGE_INTERNAL_H
#define CLI_USAGE_INTERNAL_H

#include "cli/cli.h"
#include "inventory/inventory.h"

struct usage;
/* From the configuration. False without an error set when there is none to go by. */
bool usage_load(const struct cli *cli, int64_t now_s, struct usage **ret_usage,
                struct mutual_error *err);
void usage_free(struct usage *usage);
void mu_usage_auto(struct usage **usage);
/* Calls `each` for every inbound service that the record's names may reach, with the grant. */
void usage_reaches(const struct usage *usage, const struct inventory_record *record,
                   void (*each)(void *context, const char *service, const char *grant),
                   void *context);
/* Calls `each` for every pattern that may reach a service which presents the record. */
void usage_serves(const struct usage *usage, const struct inventory_record *record,
                  void (*each)(void *context, const char *service, const char *pattern),
                  void *context);

#endif
