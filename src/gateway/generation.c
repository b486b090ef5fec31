/* SPDX-License-Identifier: Apache-2.0
 *
 * A generation in a worker: the world, built again from the parent's snapshot, and for every
 * service a TLS context whose private keys sign in the key process.
 */
#include <string.h>

#include "gateway/worker_internal.h"
#include "identity/identity.h"
#include "session/session.h"
#include "x509/x509.h"

enum { IDENTITIES_MAX = 64 };

struct identities {
    struct mutual_identity *items[IDENTITIES_MAX];
    size_t count;
};

static void mu_identities_auto(struct identities *identities)
{
    for (size_t i = 0; i < identities->count; i++) {
        mutual_identity_unref(identities->items[i]);
    }
}

static bool make_identity(struct worker *worker, const struct world_chain *chain,
                          struct mutual_identity **ret_identity, struct mutual_error *err)
{
    MU_AUTO(key) struct mu_key *key = NULL;
    MU_AUTO(identity) struct mutual_identity *identity = NULL;
    const struct mu_cert_facts *leaf = mu_cert_facts(chain->certs[0]);
    if (!keys_client_key(worker->keys, leaf->spki, &key, err) ||
        !mu_identity_new(chain->certs, chain->count, key, &identity, err) ||
        (chain->staple.len > 0 &&
         !mu_identity_keep_staple(identity, chain->staple, chain->staple_span, err))) {
        return false;
    }
    *ret_identity = MU_TAKE(identity);
    return true;
}

static bool make_identities(struct worker *worker, const struct world_service *facts,
                            struct identities *identities, struct mutual_error *err)
{
    for (size_t i = 0; i < facts->chain_count; i++) {
        if (identities->count == IDENTITIES_MAX) {
            return mu_fail(err, MUTUAL_E_LIMIT, "more than %d certificates", IDENTITIES_MAX);
        }
        if (!make_identity(worker, &facts->chains[i], &identities->items[identities->count], err)) {
            return false;
        }
        identities->count++;
    }
    return true;
}

/* The name that the server is asked for: as configured, else the host that we connect to. */
static const char *server_name(const struct config_outbound *outbound)
{
    struct address literal;
    if (outbound == NULL) {
        return NULL;
    }
    if (outbound->server_name != NULL) {
        return outbound->server_name;
    }
    bool is_name = outbound->connect.kind == CONFIG_ADDRESS_TCP &&
                   !address_literal(&outbound->connect, &literal);
    return is_name ? outbound->connect.host : NULL;
}

static bool copy_alpn(const struct config_texts *alpn, const char **list, size_t cap,
                      struct mutual_error *err)
{
    if (alpn->count >= cap) {
        return mu_fail(err, MUTUAL_E_LIMIT, "more than %zu protocols in alpn", cap - 1);
    }
    for (size_t i = 0; i < alpn->count; i++) {
        list[i] = alpn->items[i];
    }
    list[alpn->count] = NULL;
    return true;
}

/* The hosts of a listener, whose contexts are made before its own. */
struct hosts {
    struct mutual_host *items;
    const char **names; /* of all of them, each list ended by NULL */
    size_t count;
};

static void mu_hosts_auto(struct hosts *hosts)
{
    mu_free(hosts->items);
    mu_free(hosts->names);
}

static bool find_hosts(const struct service *service, struct hosts *hosts, struct mutual_error *err)
{
    const struct generation *generation = service->generation;
    size_t names = 0;
    for (size_t i = 0; i < generation->world->service_count; i++) {
        const struct world_service *facts = &generation->world->services[i];
        if (facts->listener == service->facts) {
            hosts->count++;
            names += facts->host_count + 1;
        }
    }
    hosts->items = mu_alloc(hosts->count + 1, sizeof *hosts->items);
    hosts->names = mu_alloc(names + 1, sizeof *hosts->names);
    if (hosts->items == NULL || hosts->names == NULL) {
        return mu_fail_memory(err);
    }
    const char **name = hosts->names;
    struct mutual_host *host = hosts->items;
    for (size_t i = 0; i < generation->world->service_count; i++) {
        const struct world_service *facts = &generation->world->services[i];
        if (facts->listener != service->facts) {
            continue;
        }
        *host++ = (struct mutual_host){name, generation->services[i].context};
        for (size_t n = 0; n < facts->host_count; n++) {
            *name++ = mutual_pattern_text(facts->hosts[n]);
        }
        *name++ = NULL;
    }
    return true;
}

static bool make_context(struct worker *worker, struct service *service, struct mutual_error *err)
{
    enum { ALPN_MAX = 33 };
    const char *alpn[ALPN_MAX];
    __attribute__((cleanup(mu_hosts_auto))) struct hosts hosts = {.items = NULL};
    const struct world_service *facts = service->facts;
    const struct config_inbound *inbound = facts->inbound;
    const struct config_outbound *outbound = facts->outbound;
    /* the authority is shown the certificate itself, which a resumed session has not */
    bool application = inbound != NULL && inbound->application != CONFIG_APPLICATION_NONE;
    const struct config_tls *tls = inbound != NULL ? &inbound->tls : &outbound->tls;
    const struct config_texts *protocols = inbound != NULL ? &inbound->alpn : &outbound->alpn;
    __attribute__((cleanup(mu_identities_auto))) struct identities identities = {.count = 0};
    if (!make_identities(worker, facts, &identities, err) ||
        !copy_alpn(protocols, alpn, ALPN_MAX, err) ||
        (facts->listener == NULL && !find_hosts(service, &hosts, err))) {
        return false;
    }
    struct mutual_context_options options = {
        .rules = &facts->rules,
        .identities = identities.items,
        .identity_count = identities.count,
        .alpn = protocols->count > 0 ? alpn : NULL,
        .server_name = server_name(outbound),
        .send_ca_names = inbound != NULL && inbound->clients.send_ca_names,
        .strict_sni = inbound != NULL && tls->strict_sni,
        .hosts = hosts.items,
        .host_count = hosts.count,
        .library_records = tls->record_layer == CONFIG_RECORDS_LIBRARY,
        .cache = tls->resumption && !application ? worker->cache : NULL,
    };
    struct mu_context_extras extras = {
        .known = worker->known,
        .target = outbound != NULL ? outbound->connect.text : NULL,
        .tls13_only = tls->min == CONFIG_TLS_1_3,
    };
    return mu_context_new(&options, &extras, &service->context, err);
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
                        const struct world **ret_world, struct mutual_error *err)
{
    MU_AUTO(config_snapshot) struct config_snapshot *snapshot = NULL;
    struct config_findings findings;
    if (!config_snapshot_import(snapshot_fd, &snapshot, err)) {
        return false;
    }
    config_findings_init(&findings);
    bool built = world_build_with(snapshot, tables, mu_clock_wall_s(), &findings, ret_world) ||
                 config_findings_fail(&findings, err);
    config_findings_done(&findings);
    return built;
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
    bool built = build_world(snapshot_fd, tables, &generation->world, err);
    if (built) {
        generation->services =
            mu_alloc(generation->world->service_count + 1, sizeof *generation->services);
        built = generation->services != NULL || mu_fail_memory(err);
    }
    generation->count = built ? generation->world->service_count : 0;
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
    mu_free(generation->services);
    world_unref(generation->world);
    mu_free(generation);
}

struct service *generation_find(struct generation *generation, const char *name)
{
    for (size_t i = 0; i < generation->count; i++) {
        if (strcmp(generation->services[i].facts->name, name) == 0) {
            return &generation->services[i];
        }
    }
    return NULL;
}
