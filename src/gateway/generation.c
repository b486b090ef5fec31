/* SPDX-License-Identifier: Apache-2.0
 *
 * A generation in a worker: the world, built again from the parent's snapshot, and for every
 * service a TLS context whose private keys sign in the key process.
 */
#include <string.h>

#include "gateway/worker_internal.h"
#include "session/session.h"
#include "x509/x509.h"

static bool find_key(void *owner, const struct world_chain *chain, struct mu_key **ret_key,
                     struct mutual_error *err)
{
    const struct generation *generation = owner;
    return keys_client_key(generation->worker->keys, mu_cert_facts(chain->certs[0])->spki, ret_key,
                           err);
}

struct mutual_context *generation_context(void *owner, size_t service)
{
    const struct generation *generation = owner;
    return generation->services[service].context;
}

static bool make_context(struct worker *worker, struct service *service, struct mutual_error *err)
{
    struct generation *generation = service->generation;
    const struct world_maker maker = {.key = find_key,
                                      .made = generation_context,
                                      .owner = generation,
                                      .cache = worker->cache,
                                      .known = worker->known};
    return world_context_new(generation->world,
                             (size_t)(service->facts - generation->world->services), &maker,
                             &service->context, err);
}

static bool make_service(struct worker *worker, struct generation *generation, size_t index,
                         struct mutual_error *err)
{
    struct service *service = &generation->services[index];
    const struct world_service *facts = &generation->world->services[index];
    const struct config_connections *connections =
        facts->inbound != NULL ? &facts->inbound->connections : &facts->outbound->connections;
    service->generation = generation;
    service->facts = facts;
    service->door = facts->listener == NULL
                        ? service
                        : &generation->services[facts->listener - generation->world->services];
    service->timeouts =
        facts->inbound != NULL ? &facts->inbound->timeouts : &facts->outbound->timeouts;
    service->meter = meters_get(&worker->meters, facts->name);
    size_t max = connections->max > 0 ? (size_t)connections->max : SIZE_MAX / 2;
    service->max = (max + worker->workers - 1) / worker->workers;
    if (service->meter == NULL) {
        return mu_fail_memory(err);
    }
    if (facts->inbound != NULL && facts->inbound->plain) {
        return true; /* no TLS is spoken there */
    }
    return make_context(worker, service, err) ||
           mu_error_context(err, "service \"%s\"", facts->name);
}

static bool build_world(int snapshot_fd, const struct world_lists *tables,
                        const struct world *before, const struct world **ret_world,
                        struct mutual_error *err)
{
    MU_AUTO(config_snapshot) struct config_snapshot *snapshot = NULL;
    struct config_findings findings;
    if (!config_snapshot_import(snapshot_fd, &snapshot, err)) {
        return false;
    }
    config_findings_init(&findings);
    bool built =
        world_build_with(snapshot, tables, before, mu_clock_wall_s(), &findings, ret_world) ||
        config_findings_fail(&findings, err);
    config_findings_done(&findings);
    return built;
}

/* A change looks every service up, and every peer's. */
static bool index_services(struct generation *generation)
{
    generation->by_name = mu_map_new();
    bool done = generation->by_name != NULL;
    for (size_t i = 0; i < generation->count && done; i++) {
        done = mu_map_put(generation->by_name, mu_slice_text(generation->world->services[i].name),
                          &generation->services[i]);
    }
    return done;
}

bool generation_new(struct worker *worker, uint32_t id, int snapshot_fd,
                    const struct world_lists *tables, struct generation **ret_generation,
                    struct mutual_error *err)
{
    struct generation *generation = mu_alloc(1, sizeof *generation);
    if (generation == NULL) {
        return mu_fail_memory(err);
    }
    generation->refs = 1;
    generation->id = id;
    generation->worker = worker;
    const struct world *before = worker->current != NULL ? worker->current->world : NULL;
    bool built = build_world(snapshot_fd, tables, before, &generation->world, err);
    if (built) {
        generation->services =
            mu_alloc(generation->world->service_count + 1, sizeof *generation->services);
        built = generation->services != NULL || mu_fail_memory(err);
    }
    generation->count = built ? generation->world->service_count : 0;
    built = built && (index_services(generation) || mu_fail_memory(err));
    for (size_t i = generation->count; built && i-- > 0;) {
        built = make_service(worker, generation, i, err); /* hosts before their listener */
    }
    if (!built) {
        generation_unref(generation);
        return false;
    }
    *ret_generation = generation;
    return true;
}

struct generation *generation_ref(struct generation *generation)
{
    generation->refs++;
    return generation;
}

void generation_unref(struct generation *generation)
{
    if (generation == NULL || --generation->refs > 0) {
        return;
    }
    for (size_t i = 0; i < generation->count; i++) {
        mutual_context_unref(generation->services[i].context);
    }
    mu_map_free(generation->by_name);
    mu_free(generation->services);
    world_unref(generation->world);
    mu_free(generation);
}

struct service *generation_find(struct generation *generation, const char *name)
{
    if (generation->by_name != NULL) {
        return mu_map_get(generation->by_name, mu_slice_text(name));
    }
    for (size_t i = 0; i < generation->count; i++) {
        if (strcmp(generation->services[i].facts->name, name) == 0) {
            return &generation->services[i];
        }
    }
    return NULL;
}
