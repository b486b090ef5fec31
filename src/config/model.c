/* SPDX-License-Identifier: Apache-2.0
 *
 * The model as a whole: built, asked for places and names, trimmed, freed.
 */
#include "config/config_internal.h"

#include <string.h>

static struct config_whole *whole_of(struct config *config)
{
    return (struct config_whole *)config; /* its first member */
}

void config_free(struct config *config)
{
    if (config == NULL) {
        return;
    }
    struct config_whole *whole = whole_of(config);
    mu_map_free(whole->trusts);
    mu_map_free(whole->inbounds);
    mu_arena_free(whole->tree.arena);
    mu_arena_free(whole->arena);
    mu_free(whole);
}

void mu_config_auto(struct config **config)
{
    config_free(*config);
}

static bool map_inbound(struct mu_map *inbounds, struct config_inbound *in)
{
    return in->service == NULL || mu_map_put(inbounds, mu_slice_text(in->service), in);
}

static bool build_maps(struct config_whole *whole)
{
    struct config *config = &whole->config;
    whole->trusts = mu_map_new();
    whole->inbounds = mu_map_new();
    bool built = whole->trusts != NULL && whole->inbounds != NULL;
    for (size_t i = 0; built && i < config->trust_count; i++) {
        const char *name = config->trusts[i].name;
        built = name == NULL || mu_map_put(whole->trusts, mu_slice_text(name), &config->trusts[i]);
    }
    for (size_t i = 0; built && i < config->inbound_count; i++) {
        built = map_inbound(whole->inbounds, &config->inbounds[i]);
        for (size_t h = 0; built && h < config->inbounds[i].host_count; h++) {
            built = map_inbound(whole->inbounds, &config->inbounds[i].hosts[h]);
        }
    }
    return built;
}

bool config_build_partial(const struct config_snapshot *snapshot, const char *main_name,
                          struct config_findings *findings, struct config **ret_config)
{
    size_t errors = findings->errors;
    bool broken = false;
    struct config_whole *whole = config_decode(snapshot, main_name, findings, &broken);
    if (whole == NULL || !build_maps(whole)) {
        config_finding_add(findings, NULL, CONFIG_ERROR, MUTUAL_E_NO_MEMORY, NULL, NULL,
                           "out of memory while building the configuration");
        config_free(whole == NULL ? NULL : &whole->config);
        *ret_config = NULL;
        return false;
    }
    if (!broken) {
        config_judge(whole, snapshot, findings, errors);
    }
    whole->tree.snapshot = NULL; /* both may end before the model does */
    whole->tree.findings = NULL;
    *ret_config = &whole->config;
    return findings->errors == errors;
}

bool config_build(const struct config_snapshot *snapshot, const char *main_name,
                  struct config_findings *findings, struct config **ret_config)
{
    MU_AUTO(config) struct config *config = NULL;
    if (!config_build_partial(snapshot, main_name, findings, &config)) {
        return false;
    }
    *ret_config = MU_TAKE(config);
    return true;
}

static void trim_certificates(struct config_certificate *certificates, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        certificates[i].mark.node = NULL;
    }
}

static void trim_inbound(struct config_inbound *in)
{
    in->mark.node = in->clients.mark.node = in->timeouts.mark.node = NULL;
    in->connections.mark.node = in->tls.mark.node = NULL;
    trim_certificates(in->certificates, in->certificate_count);
}

void config_trim(struct config *config)
{
    struct config_whole *whole = whole_of(config);
    struct config_mark *const marks[] = {&config->mark,
                                         &config->log.mark,
                                         &config->flood.mark,
                                         &config->status.mark,
                                         &config->authority.mark,
                                         &config->fetch.mark,
                                         &config->authority.acme.mark};
    for (size_t i = 0; i < MU_COUNT(marks); i++) {
        marks[i]->node = NULL;
    }
    for (size_t i = 0; i < config->authority.admin_count; i++) {
        config->authority.admins[i].mark.node = NULL;
    }
    for (size_t i = 0; i < config->trust_count; i++) {
        config->trusts[i].mark.node = NULL;
        config->trusts[i].revocation.mark.node = NULL;
        for (size_t j = 0; j < config->trusts[i].revocation.fetch_count; j++) {
            config->trusts[i].revocation.fetch[j].mark.node = NULL;
        }
    }
    for (size_t i = 0; i < config->inbound_count; i++) {
        struct config_inbound *in = &config->inbounds[i];
        trim_inbound(in);
        for (size_t h = 0; h < in->host_count; h++) {
            trim_inbound(&in->hosts[h]);
        }
    }
    for (size_t i = 0; i < config->outbound_count; i++) {
        struct config_outbound *out = &config->outbounds[i];
        out->mark.node = out->timeouts.mark.node = out->connections.mark.node = NULL;
        out->tls.mark.node = NULL;
        trim_certificates(out->certificates, out->certificate_count);
    }
    for (size_t i = 0; i < config->grant_count; i++) {
        config->grants[i].mark.node = NULL;
    }
    mu_arena_free(MU_TAKE(whole->tree.arena));
}

const struct config_trust *config_trust_find(const struct config *config, const char *name)
{
    const struct config_whole *whole = (const struct config_whole *)config;
    return mu_map_get(whole->trusts, mu_slice_text(name));
}

const struct config_inbound *config_inbound_find(const struct config *config, const char *name)
{
    const struct config_whole *whole = (const struct config_whole *)config;
    return mu_map_get(whole->inbounds, mu_slice_text(name));
}

/* ---- places ------------------------------------------------------------------------------------
 */

struct config_place config_place_of(const struct config_mark *mark, const char *setting)
{
    if (mark->node == NULL) {
        return (struct config_place){mark->file, mark->line, 0, 0};
    }
    const struct config_node *value = setting == NULL ? NULL : node_find(mark->node, setting);
    return node_place(value != NULL ? value : mark->node);
}

struct config_place config_place_at(const struct config_mark *mark, const char *setting,
                                    size_t index)
{
    const struct config_node *value = mark->node == NULL ? NULL : node_find(mark->node, setting);
    const struct config_node *item = value;
    if (value == NULL) {
        return config_place_of(mark, setting);
    }
    if (value->kind == NODE_LIST) {
        item = value->first;
        while (item != NULL && index-- > 0) {
            item = item->next;
        }
    }
    /* Of a pattern, {dns: NAME}, the name is what matters. */
    bool pattern =
        item != NULL && item->kind == NODE_MAP && item->first != NULL && item->first->next == NULL;
    return node_place(pattern ? item->first : item != NULL ? item : value);
}

bool config_is_set(const struct config_mark *mark, const char *setting)
{
    return mark->node != NULL && node_find(mark->node, setting) != NULL;
}
