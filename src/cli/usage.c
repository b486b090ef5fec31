/* SPDX-License-Identifier: Apache-2.0
 *
 * Inventory and policy put side by side.
 */
#include "cli/usage_internal.h"

#include "config/config.h"
#include "world/world.h"
#include "x509/x509.h"

#include <string.h>
#include <unistd.h>

struct usage {
    const struct world *world;
    int64_t now_s;
};

void usage_free(struct usage *usage)
{
    if (usage != NULL) {
        world_unref(usage->world);
        mu_free(usage);
    }
}

void mu_usage_auto(struct usage **usage)
{
    usage_free(*usage);
}

bool usage_load(const struct cli *cli, int64_t now_s, struct usage **ret_usage,
                struct mutual_error *err)
{
    MU_AUTO(config_findings) struct config_findings findings;
    config_findings_init(&findings);
    MU_AUTO(config_snapshot) struct config_snapshot *snapshot = NULL;
    if (!cli->config_given && access(cli->config_path, R_OK) == -1) {
        return false;
    }
    (void)config_snapshot_load(cli->config_path, &findings, &snapshot);
    MU_AUTO(usage) struct usage *usage = mu_alloc(1, sizeof *usage);
    if (usage == NULL) {
        return mu_fail_memory(err);
    }
    usage->now_s = now_s;
    if (snapshot == NULL || !world_build(snapshot, now_s, &findings, &usage->world)) {
        return config_findings_fail(&findings, err);
    }
    *ret_usage = MU_TAKE(usage);
    return true;
}

void usage_reaches(const struct usage *usage, const struct inventory_record *record,
                   void (*each)(void *context, const char *service, const char *grant),
                   void *context)
{
    for (size_t i = 0; i < usage->world->service_count; i++) {
        const struct world_service *service = &usage->world->services[i];
        if (service->inbound == NULL) {
            continue;
        }
        struct mutual_decision decision = mutual_policy_decide(
            usage->world->policy, service->name, record->names, record->name_count, usage->now_s);
        if (decision.allowed) {
            each(context, service->name, decision.grant->name);
        }
    }
}

static bool presents(const struct world_service *service, const struct inventory_record *record)
{
    for (size_t i = 0; service->inbound != NULL && i < service->chain_count; i++) {
        const struct world_chain *chain = &service->chains[i];
        if (chain->count > 0 &&
            mu_slice_equal(mu_slice_of(mu_cert_facts(chain->certs[0])->fingerprint, 32),
                           record->fingerprint)) {
            return true;
        }
    }
    return false;
}

void usage_serves(const struct usage *usage, const struct inventory_record *record,
                  void (*each)(void *context, const char *service, const char *pattern),
                  void *context)
{
    for (size_t i = 0; i < usage->world->service_count; i++) {
        const struct world_service *service = &usage->world->services[i];
        if (!presents(service, record)) {
            continue;
        }
        for (size_t g = 0; g < mutual_policy_count(usage->world->policy); g++) {
            const struct mutual_grant *grant = mutual_policy_get(usage->world->policy, g);
            bool runs = grant->since_s <= usage->now_s && usage->now_s < grant->until_s;
            bool meant = strcmp(grant->to, service->name) == 0 || strcmp(grant->to, "*") == 0;
            for (size_t p = 0; runs && meant && p < grant->from_count; p++) {
                each(context, service->name, mutual_pattern_text(grant->from[p]));
            }
        }
    }
}
