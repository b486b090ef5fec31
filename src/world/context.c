/* SPDX-License-Identifier: Apache-2.0
 *
 * From a service of the world to the TLS context by which it serves: one function for those who
 * serve and for those who try it before.
 */
#include "world/world_internal.h"

#include <string.h>

#include "session/session.h"

enum { IDENTITIES_MAX = 64, ALPN_MAX = 33 };

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

static bool make_identity(const struct world_maker *maker, const struct world_chain *chain,
                          struct mutual_identity **ret_identity, struct mutual_error *err)
{
    MU_AUTO(key) struct mu_key *key = NULL;
    MU_AUTO(identity) struct mutual_identity *identity = NULL;
    if (!maker->key(maker->owner, chain, &key, err) ||
        !mu_identity_new(chain->certs, chain->count, key, &identity, err) ||
        (chain->staple.len > 0 &&
         !mu_identity_keep_staple(identity, chain->staple, chain->staple_span, err))) {
        return false;
    }
    *ret_identity = MU_TAKE(identity);
    return true;
}

static bool make_identities(const struct world_maker *maker, const struct world_service *service,
                            struct identities *identities, struct mutual_error *err)
{
    for (size_t i = 0; i < service->chain_count; i++) {
        if (identities->count == IDENTITIES_MAX) {
            return mu_fail(err, MUTUAL_E_LIMIT, "more than %d certificates", IDENTITIES_MAX);
        }
        if (!make_identity(maker, &service->chains[i], &identities->items[identities->count],
                           err)) {
            return false;
        }
        identities->count++;
    }
    return true;
}

/* The name that the server is asked for: as configured, else the host that we connect to; that it
 * is an address is seen by the context, which asks for none then. */
static const char *server_name(const struct config_outbound *outbound)
{
    if (outbound == NULL || outbound->server_name != NULL) {
        return outbound == NULL ? NULL : outbound->server_name;
    }
    return outbound->connect.kind == CONFIG_ADDRESS_TCP ? outbound->connect.host : NULL;
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

static bool find_hosts(const struct world *world, const struct world_service *service,
                       const struct world_maker *maker, struct hosts *hosts,
                       struct mutual_error *err)
{
    size_t names = 0;
    for (size_t i = 0; i < world->service_count; i++) {
        if (world->services[i].listener == service) {
            hosts->count++;
            names += world->services[i].host_count + 1;
        }
    }
    hosts->items = mu_alloc(hosts->count + 1, sizeof *hosts->items);
    hosts->names = mu_alloc(names + 1, sizeof *hosts->names);
    if (hosts->items == NULL || hosts->names == NULL) {
        return mu_fail_memory(err);
    }
    const char **name = hosts->names;
    struct mutual_host *host = hosts->items;
    for (size_t i = 0; i < world->service_count; i++) {
        const struct world_service *one = &world->services[i];
        if (one->listener != service) {
            continue;
        }
        *host++ = (struct mutual_host){name, maker->made(maker->owner, i)};
        for (size_t n = 0; n < one->host_count; n++) {
            *name++ = mutual_pattern_text(one->hosts[n]);
        }
        *name++ = NULL;
    }
    return true;
}

bool world_context_new(const struct world *world, size_t index, const struct world_maker *maker,
                       struct mutual_context **ret_context, struct mutual_error *err)
{
    const char *alpn[ALPN_MAX];
    __attribute__((cleanup(mu_hosts_auto))) struct hosts hosts = {.items = NULL};
    const struct world_service *service = &world->services[index];
    const struct config_inbound *inbound = service->inbound;
    const struct config_outbound *outbound = service->outbound;
    /* the authority is shown the certificate itself, which a resumed session has not */
    bool application = inbound != NULL && inbound->application != CONFIG_APPLICATION_NONE;
    const struct config_tls *tls = inbound != NULL ? &inbound->tls : &outbound->tls;
    const struct config_texts *protocols = inbound != NULL ? &inbound->alpn : &outbound->alpn;
    __attribute__((cleanup(mu_identities_auto))) struct identities identities = {.count = 0};
    if (!make_identities(maker, service, &identities, err) ||
        !copy_alpn(protocols, alpn, ALPN_MAX, err) ||
        (service->listener == NULL && !find_hosts(world, service, maker, &hosts, err))) {
        return false;
    }
    struct mutual_context_options options = {
        .rules = &service->rules,
        .identities = identities.items,
        .identity_count = identities.count,
        .alpn = protocols->count > 0 ? alpn : NULL,
        .server_name = server_name(outbound),
        .send_ca_names = inbound != NULL && inbound->clients.send_ca_names,
        .strict_sni = inbound != NULL && tls->strict_sni,
        .hosts = hosts.items,
        .host_count = hosts.count,
        .library_records = tls->record_layer == CONFIG_RECORDS_LIBRARY,
        .cache = tls->resumption && !application ? maker->cache : NULL,
    };
    struct mu_context_extras extras = {
        .known = maker->known,
        .target = outbound != NULL ? outbound->connect.text : NULL,
        .tls13_only = tls->min == CONFIG_TLS_1_3,
    };
    return mu_context_new(&options, &extras, ret_context, err);
}
