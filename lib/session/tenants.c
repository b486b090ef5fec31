/* SPDX-License-Identifier: Apache-2.0
 *
 * Host names with a context of their own: which name is whose, and whether somebody who names none
 * of them may have what is left.
 */
#include "session/session_internal.h"

#include <string.h>

#define DNS_NAME_MAX 255u

size_t mu_sni_find(const struct mu_map *by_name, struct mu_slice name)
{
    char text[DNS_NAME_MAX + 1];
    struct mutual_name parsed;
    if (name.len == 0 || name.len > DNS_NAME_MAX ||
        !mutual_name_parse(MUTUAL_NAME_DNS, (const char *)name.data, name.len, text, sizeof text,
                           &parsed, NULL)) {
        return 0;
    }
    size_t place = (uintptr_t)mu_map_get(by_name, mu_slice_of(parsed.text, parsed.len));
    const char *dot = place > 0 ? NULL : memchr(parsed.text, '.', parsed.len);
    if (dot == NULL) {
        return place;
    }
    /* RFC 9525 section 6.3: "*" stands for exactly one left-most label. */
    size_t label = (size_t)(dot - parsed.text);
    MU_AUTO(buf) struct mu_buf wild;
    mu_buf_init(&wild, DNS_NAME_MAX + 1);
    (void)mu_buf_byte(&wild, '*');
    (void)mu_buf_append(&wild, dot, parsed.len - label);
    return wild.failed ? 0 : (uintptr_t)mu_map_get(by_name, mu_buf_slice(&wild));
}

/* How much is asked of a client; whoever asks more is never stood in for by whoever asks less. */
static unsigned strictness(const struct mutual_rules *rules)
{
    switch (rules->mode) {
    case MUTUAL_MODE_REQUIRE:
        return 3;
    case MUTUAL_MODE_REQUEST:
        return 2;
    case MUTUAL_MODE_OBSERVE:
        return 1;
    case MUTUAL_MODE_NONE:
        return 0;
    }
    return 0;
}

static bool add_name(struct mu_tenants *tenants, const char *name, const char *service,
                     struct mutual_error *err)
{
    struct mutual_pattern *pattern = NULL;
    if (!mutual_pattern_parse(MUTUAL_NAME_DNS, name, &pattern, err)) {
        return mu_error_context(err, "host name of \"%s\"", service);
    }
    struct mu_slice key = mu_slice_text(mutual_pattern_text(pattern));
    bool twice = mu_map_get(tenants->by_name, key) != NULL;
    bool put = !twice && mu_map_put(tenants->by_name, key, (void *)(uintptr_t)tenants->count);
    mutual_pattern_free(pattern);
    if (twice) {
        return mu_fail(err, MUTUAL_E_CONFIG_INVALID, "the host name \"%s\" of \"%s\" is taken",
                       name, service);
    }
    return put || mu_fail_memory(err);
}

static bool add_host(struct mu_tenants *tenants, const struct mutual_host *host,
                     struct mutual_error *err)
{
    struct mutual_context *context = host->context;
    const char *service = context->rules->service;
    if (context->rules->side != MUTUAL_SIDE_SERVER || context->tenants.count > 0) {
        return mu_fail(err, MUTUAL_E_CONFIG_INVALID, "\"%s\" cannot be a host of a server",
                       service);
    }
    if (host->names == NULL || host->names[0] == NULL) {
        return mu_fail(err, MUTUAL_E_CONFIG_INVALID, "the host \"%s\" has no host name", service);
    }
    tenants->contexts[tenants->count++] = mutual_context_ref(context);
    for (size_t i = 0; host->names[i] != NULL; i++) {
        if (!add_name(tenants, host->names[i], service, err)) {
            return false;
        }
    }
    return true;
}

bool mu_tenants_build(struct mu_tenants *tenants, const struct mutual_context_options *options,
                      struct mutual_error *err)
{
    tenants->rest = options->identity_count > 0;
    if (options->host_count == 0) {
        return true;
    }
    tenants->contexts = mu_alloc(options->host_count, sizeof *tenants->contexts);
    tenants->by_name = mu_map_new();
    if (tenants->contexts == NULL || tenants->by_name == NULL) {
        return mu_fail_memory(err);
    }
    for (size_t i = 0; i < options->host_count; i++) {
        const struct mutual_host *host = &options->hosts[i];
        if (!add_host(tenants, host, err)) {
            return false;
        }
        tenants->rest =
            tenants->rest && strictness(options->rules) >= strictness(host->context->rules);
    }
    return true;
}

void mu_tenants_done(struct mu_tenants *tenants)
{
    for (size_t i = 0; i < tenants->count; i++) {
        mutual_context_unref(tenants->contexts[i]);
    }
    mu_free(tenants->contexts);
    mu_map_free(tenants->by_name);
    *tenants = (struct mu_tenants){.contexts = NULL};
}

struct mutual_context *mu_tenants_find(const struct mu_tenants *tenants, struct mu_slice name)
{
    size_t place = tenants->count == 0 ? 0 : mu_sni_find(tenants->by_name, name);
    return place == 0 ? NULL : tenants->contexts[place - 1];
}
