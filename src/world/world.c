/* SPDX-License-Identifier: Apache-2.0
 *
 * The world as a whole: built from a snapshot, found in, freed.
 */
#include "world/world_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "identity/identity.h"

#define WORLD_BYTES_MAX (64u << 20)

_Static_assert((int)CONFIG_NAME_SPIFFE == (int)MUTUAL_NAME_SPIFFE &&
                   (int)CONFIG_NAME_URI == (int)MUTUAL_NAME_URI &&
                   (int)CONFIG_NAME_DNS == (int)MUTUAL_NAME_DNS &&
                   (int)CONFIG_NAME_EMAIL == (int)MUTUAL_NAME_EMAIL &&
                   (int)CONFIG_NAME_IP == (int)MUTUAL_NAME_IP &&
                   (int)CONFIG_NAME_CN == (int)MUTUAL_NAME_CN,
               "the configuration's types of names are the library's");

/* ---- what the builders share -------------------------------------------------------------------
 */

void build_add(struct build *build, enum config_severity severity, enum mutual_code code,
               const struct config_place *place, const char *hint, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    config_finding_add(build->findings, build->snapshot, severity, code, place, hint, "%s", text);
}

void build_add_error(struct build *build, enum config_severity severity,
                     const struct config_place *place, const struct mutual_error *err)
{
    config_finding_add_error(build->findings, build->snapshot, severity, place, err);
}

void *build_alloc(struct build *build, size_t count, size_t size)
{
    void *p = mu_arena_alloc(build->whole->arena, count * size);
    build->no_memory = build->no_memory || p == NULL;
    return p;
}

bool build_told_already(const struct build *build, const struct config_place *place)
{
    for (size_t i = 0; i < build->findings->count; i++) {
        const struct config_finding *f = &build->findings->items[i];
        if (f->file != NULL && place->file != NULL && f->line == place->line &&
            f->col == place->col && f->severity == CONFIG_ERROR &&
            strcmp(f->file, place->file) == 0) {
            return true;
        }
    }
    return false;
}

bool build_file(struct build *build, const char *path, const struct config_place *place,
                struct mu_slice *ret_bytes)
{
    if (config_snapshot_find(build->snapshot, path, ret_bytes)) {
        return true;
    }
    if (!build_told_already(build, place)) {
        build_add(build, CONFIG_ERROR, MUTUAL_E_FILE_MISSING, place, NULL,
                  "the file \"%s\" is not there", path);
    }
    return false;
}

void digest_add_hash(struct digest *digest, const uint8_t hash[32])
{
    uint8_t both[64];
    memcpy(both, digest->state, 32);
    memcpy(both + 32, hash, 32);
    bool hashed = mu_sha256(mu_slice_of(both, sizeof both), digest->state, NULL);
    digest->failed = digest->failed || !hashed;
}

void digest_add(struct digest *digest, struct mu_slice bytes)
{
    uint8_t hash[32] = {0};
    digest->failed = !mu_sha256(bytes, hash, NULL) || digest->failed;
    digest_add_hash(digest, hash);
}

void digest_add_number(struct digest *digest, int64_t number)
{
    uint8_t bytes[8];
    mu_put_be64(bytes, (uint64_t)number);
    digest_add(digest, mu_slice_of(bytes, sizeof bytes));
}

uint64_t digest_value(const struct digest *digest)
{
    return mu_get_be64(digest->state);
}

size_t build_patterns(struct build *build, const struct config_mark *mark, const char *setting,
                      const struct config_pattern *patterns, size_t count,
                      struct mutual_pattern **ret_patterns)
{
    size_t parsed = 0;
    for (size_t i = 0; i < count; i++) {
        struct mutual_error err = {0};
        if (patterns[i].text == NULL) {
            continue;
        }
        if (mutual_pattern_parse((enum mutual_name_type)patterns[i].type, patterns[i].text,
                                 &ret_patterns[parsed], &err)) {
            parsed++;
        } else {
            struct config_place place = config_place_at(mark, setting, i);
            build_add_error(build, CONFIG_ERROR, &place, &err);
        }
    }
    return parsed;
}

/* ---- services ----------------------------------------------------------------------------------
 */

static struct world_trust *trust_of(const struct world *world, const char *name)
{
    for (size_t i = 0; name != NULL && i < world->trust_count; i++) {
        if (world->trusts[i].config->name != NULL &&
            strcmp(world->trusts[i].config->name, name) == 0) {
            return &world->trusts[i];
        }
    }
    return NULL;
}

static void build_inbound(struct build *build, const struct config_inbound *config,
                          struct world_service *service)
{
    static const enum mutual_mode modes[] = {
        [CONFIG_MODE_REQUIRE] = MUTUAL_MODE_REQUIRE,
        [CONFIG_MODE_REQUEST] = MUTUAL_MODE_REQUEST,
        [CONFIG_MODE_NONE] = MUTUAL_MODE_NONE,
        [CONFIG_MODE_OBSERVE] = MUTUAL_MODE_OBSERVE,
    };
    service->name = config->service;
    service->inbound = config;
    bool asks = config->clients.mode != CONFIG_MODE_NONE;
    service->trust = asks ? trust_of(&build->whole->world, config->clients.trust) : NULL;
    const struct world_service *listener = service->listener;
    if (listener != NULL && config->certificates == listener->inbound->certificates) {
        build_same_chains(build, listener, service);
    } else {
        build_chains(build, config->certificates, config->certificate_count, true, service);
    }
    service->rules.side = MUTUAL_SIDE_SERVER;
    service->rules.unsafe_plaintext = config->unsafe_plain || config->plain;
    service->rules.mode = modes[config->clients.mode];
}

/* Does a certificate of the host have the name? A wildcard only the same wildcard covers. */
static bool is_covered(const struct world_service *service, const struct mutual_pattern *pattern)
{
    const char *text = mutual_pattern_text(pattern);
    for (size_t i = 0; i < service->chain_count; i++) {
        MU_AUTO(names) struct mu_names *names = NULL;
        size_t count = 0;
        if (service->chains[i].count == 0 ||
            !mu_names_from_cert(service->chains[i].certs[0], &names, NULL)) {
            return true; /* told elsewhere */
        }
        const struct mutual_name *list = mu_names_list(names, &count);
        if (mutual_pattern_is_exact(pattern) && mu_names_match_host(list, count, text)) {
            return true;
        }
        for (size_t n = 0; n < count; n++) {
            if (list[n].type == MUTUAL_NAME_DNS && strcmp(list[n].text, text) == 0) {
                return true;
            }
        }
    }
    return service->chain_count == 0;
}

/* The names of a host. One that two hosts of a listener have is an error: which would be meant? */
static void build_hosts(struct build *build, struct mu_map *taken, struct world_service *service)
{
    const struct config_inbound *config = service->inbound;
    service->hosts = build_alloc(build, config->names.count + 1, sizeof(void *));
    for (size_t i = 0; service->hosts != NULL && i < config->names.count; i++) {
        struct config_place place = config_place_at(&config->mark, "names", i);
        struct mutual_pattern *pattern = NULL;
        struct mutual_error err = {0};
        if (config->names.items[i] == NULL) {
            continue;
        }
        if (!mutual_pattern_parse(MUTUAL_NAME_DNS, config->names.items[i], &pattern, &err)) {
            build_add_error(build, CONFIG_ERROR, &place, &err);
            continue;
        }
        service->hosts[service->host_count++] = pattern;
        if (!is_covered(service, pattern)) {
            build_add(build, CONFIG_WARNING, MUTUAL_E_NAME_MISMATCH, &place,
                      "present a certificate with this name",
                      "clients will refuse \"%s\": no certificate of \"%s\" is for that name",
                      mutual_pattern_text(pattern), service->name != NULL ? service->name : "");
        }
        struct mu_slice text = mu_slice_text(mutual_pattern_text(pattern));
        const struct world_service *other = mu_map_get(taken, text);
        if (other != NULL) {
            build_add(build, CONFIG_ERROR, MUTUAL_E_CONFIG_INVALID, &place, NULL,
                      "the host name \"%s\" is that of \"%s\" already",
                      mutual_pattern_text(pattern), other->name != NULL ? other->name : "");
        } else if (!mu_map_put(taken, text, service)) {
            build->no_memory = true;
        }
    }
}

static void build_listener(struct build *build, const struct config_inbound *config)
{
    struct world *world = &build->whole->world;
    struct world_service *listener = &world->services[world->service_count++];
    struct mu_map *taken = mu_map_new();
    build->no_memory = build->no_memory || taken == NULL;
    build_inbound(build, config, listener);
    for (size_t i = 0; taken != NULL && i < config->host_count; i++) {
        struct world_service *host = &world->services[world->service_count++];
        host->listener = listener;
        build_inbound(build, &config->hosts[i], host);
        build_hosts(build, taken, host);
    }
    mu_map_free(taken);
}

static void build_outbound(struct build *build, const struct config_outbound *config,
                           struct world_service *service)
{
    service->name = config->name;
    service->outbound = config;
    service->trust = trust_of(&build->whole->world, config->trust);
    build_chains(build, config->certificates, config->certificate_count, false, service);
    service->expect = build_alloc(build, config->expect_count + 1, sizeof(void *));
    if (service->expect != NULL) {
        service->expect_count = build_patterns(build, &config->mark, "expect", config->expect,
                                               config->expect_count, service->expect);
    }
    service->rules.side = MUTUAL_SIDE_CLIENT;
    service->rules.mode = MUTUAL_MODE_REQUIRE;
    service->rules.expect = service->expect;
    service->rules.expect_count = service->expect_count;
}

static void finish_rules(const struct world *world, struct world_service *service)
{
    struct mutual_rules *rules = &service->rules;
    rules->service = service->name;
    rules->policy = world->policy;
    rules->shadow_policy = service->inbound != NULL ? world->shadow : NULL;
    rules->policy_generation = world->policy_generation;
    rules->deny = world->deny;
    if (service->trust != NULL) {
        rules->trust = service->trust->trust;
        rules->trust_generation = service->trust->trust_generation;
        rules->revocation_generation = world_revocation_generation(world, service->trust);
    }
}

static void build_services(struct build *build)
{
    struct world *world = &build->whole->world;
    const struct config *config = world->config;
    size_t count = config->served_count + config->outbound_count;
    world->services = build_alloc(build, count + 1, sizeof *world->services);
    if (world->services == NULL) {
        return;
    }
    for (size_t i = 0; i < config->inbound_count; i++) {
        build_listener(build, &config->inbounds[i]);
    }
    for (size_t i = 0; i < config->outbound_count; i++) {
        build_outbound(build, &config->outbounds[i], &world->services[world->service_count++]);
    }
    for (size_t i = 0; i < world->service_count; i++) {
        finish_rules(world, &world->services[i]);
    }
}

/* ---- the whole ---------------------------------------------------------------------------------
 */

static void free_services(struct world *world)
{
    for (size_t i = 0; i < world->service_count; i++) {
        struct world_service *service = &world->services[i];
        for (size_t e = 0; e < service->expect_count; e++) {
            mutual_pattern_free(service->expect[e]);
        }
        for (size_t h = 0; h < service->host_count; h++) {
            mutual_pattern_free(service->hosts[h]);
        }
        for (size_t c = 0; c < service->chain_count; c++) {
            for (size_t k = 0; k < service->chains[c].count; k++) {
                mu_cert_unref(service->chains[c].certs[k]);
            }
            mu_cert_unref(service->chains[c].staple_issuer);
        }
    }
}

static void whole_free(struct world_whole *whole)
{
    struct world *world = &whole->world;
    free_services(world);
    for (size_t i = 0; i < world->trust_count; i++) {
        mutual_trust_unref(world->trusts[i].trust);
    }
    mutual_policy_unref(world->policy);
    mutual_policy_unref(world->shadow);
    mutual_deny_unref(world->deny);
    config_free(whole->config);
    mu_arena_free(whole->arena);
    mu_free(whole);
}

static void build_everything(struct build *build)
{
    struct world *world = &build->whole->world;
    world->config = build->whole->config;
    world->trusts = build_alloc(build, world->config->trust_count + 1, sizeof *world->trusts);
    for (size_t i = 0; world->trusts != NULL && i < world->config->trust_count; i++) {
        build_trust(build, &world->config->trusts[i], &world->trusts[world->trust_count++]);
    }
    build_policy(build);
    build_deny(build);
    build_services(build);
}

enum build_how {
    BUILD_TO_SERVE,
    BUILD_UNREAD, /* without a look at fetched OCSP responses       */
    BUILD_CHECK,  /* keys are compared, and all certificates tried */
};

static bool build_world(const struct config_snapshot *snapshot, const struct world_lists *lists,
                        const struct world *before, int64_t now_s, enum build_how how,
                        struct config_findings *findings, const struct world **ret_world)
{
    size_t errors = findings->errors;
    struct world_whole *whole = mu_alloc(1, sizeof *whole);
    struct build build = {.whole = whole,
                          .snapshot = snapshot,
                          .findings = findings,
                          .now_s = now_s,
                          .no_memory = whole == NULL,
                          .unread = how == BUILD_UNREAD,
                          .lists = lists,
                          .before = before};
    bool check_keys = how == BUILD_CHECK;
    if (whole != NULL) {
        atomic_init(&whole->refs, 1);
        whole->arena = mu_arena_new(WORLD_BYTES_MAX);
        (void)config_build_partial(snapshot, NULL, findings, &whole->config);
        build.paths = mu_map_new();
        build.no_memory = whole->arena == NULL || build.paths == NULL;
        if (!build.no_memory && whole->config != NULL) {
            build_everything(&build);
            if (check_keys) {
                build_check_keys(&build);
            }
            if (check_keys && findings->errors == errors) {
                build_try(&build);
            }
        }
    }
    mu_map_free(build.paths);
    if (build.no_memory) {
        config_finding_add(findings, NULL, CONFIG_ERROR, MUTUAL_E_NO_MEMORY, NULL, NULL,
                           "out of memory while building what the configuration says");
    }
    if (findings->errors > errors) {
        if (whole != NULL) {
            whole_free(whole);
        }
        return false;
    }
    config_trim(whole->config);
    *ret_world = &whole->world;
    return true;
}

bool world_build(const struct config_snapshot *snapshot, int64_t now_s,
                 struct config_findings *findings, const struct world **ret_world)
{
    return build_world(snapshot, NULL, NULL, now_s, BUILD_TO_SERVE, findings, ret_world);
}

bool world_build_with(const struct config_snapshot *snapshot, const struct world_lists *lists,
                      const struct world *before, int64_t now_s, struct config_findings *findings,
                      const struct world **ret_world)
{
    return build_world(snapshot, lists, before, now_s, BUILD_TO_SERVE, findings, ret_world);
}

bool world_build_unread(const struct config_snapshot *snapshot, const struct world_lists *lists,
                        const struct world *before, int64_t now_s, struct config_findings *findings,
                        const struct world **ret_world)
{
    return build_world(snapshot, lists, before, now_s, BUILD_UNREAD, findings, ret_world);
}

bool world_check(const struct config_snapshot *snapshot, int64_t now_s,
                 struct config_findings *findings, const struct world **ret_world)
{
    return build_world(snapshot, NULL, NULL, now_s, BUILD_CHECK, findings, ret_world);
}

/* The count is the only part of a world that changes. */
static struct world_whole *whole_of(const struct world *world)
{
    union {
        const struct world *shared;
        struct world_whole *whole; /* its first member is the world */
    } both = {world};
    return both.whole;
}

const struct world *world_ref(const struct world *world)
{
    (void)atomic_fetch_add_explicit(&whole_of(world)->refs, 1, memory_order_relaxed);
    return world;
}

void world_unref(const struct world *world)
{
    if (world != NULL &&
        atomic_fetch_sub_explicit(&whole_of(world)->refs, 1, memory_order_acq_rel) == 1) {
        whole_free(whole_of(world));
    }
}

void mu_world_auto(const struct world **world)
{
    world_unref(*world);
}

const struct world_service *world_service_find(const struct world *world, const char *name)
{
    for (size_t i = 0; i < world->service_count; i++) {
        if (strcmp(world->services[i].name, name) == 0) {
            return &world->services[i];
        }
    }
    return NULL;
}

const struct world_trust *world_trust_find(const struct world *world, const char *name)
{
    return trust_of(world, name);
}
