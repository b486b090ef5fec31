/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates that we present: read, and judged as a peer would judge them.
 */
#include "world/world_internal.h"

#include "identity/identity.h"

static void judge_leaf(struct build *build, const struct mu_cert *leaf, bool server,
                       const struct config_place *place)
{
    const struct mu_cert_facts *facts = mu_cert_facts(leaf);
    struct mutual_error err = {0};
    MU_AUTO(names) struct mu_names *names = NULL;
    unsigned purpose = server ? MU_EKU_SERVER : MU_EKU_CLIENT;
    if (facts->ca) {
        build_add(build, CONFIG_ERROR, MUTUAL_E_CA_AS_PEER, place,
                  "the first certificate of the file must be the one to present",
                  "\"%s\" is an authority's certificate", facts->display);
        return;
    }
    if (facts->key.weak != NULL) {
        build_add(build, CONFIG_ERROR, MUTUAL_E_WEAK_KEY, place, NULL, "the key of \"%s\": %s",
                  facts->display, facts->key.weak);
    }
    if (facts->has_eku && (facts->eku & (purpose | MU_EKU_ANY)) == 0) {
        build_add(build, CONFIG_ERROR, MUTUAL_E_PURPOSE_WRONG, place, NULL,
                  "\"%s\" is not made for a %s: its extended key usage lacks %s", facts->display,
                  server ? "server" : "client", server ? "serverAuth" : "clientAuth");
    }
    if (facts->has_ku && (facts->key_usage & MU_KU_DIGITAL_SIGNATURE) == 0) {
        build_add(build, CONFIG_ERROR, MUTUAL_E_KEY_USAGE_WRONG, place, NULL,
                  "\"%s\" may not sign a handshake: its key usage lacks digitalSignature",
                  facts->display);
    }
    if (!mu_names_from_cert(leaf, &names, &err)) {
        build_add_error(build, CONFIG_ERROR, place, &err);
    }
    const char *flaw = mu_cert_flaw_text(facts->flaws);
    if (flaw != NULL) {
        build_add(build, CONFIG_WARNING, MUTUAL_E_CERT_PROFILE, place, NULL,
                  "a strict peer will refuse \"%s\": %s", facts->display, flaw);
    }
    build_judge_time(build, leaf, "certificate", place);
}

static void judge_order(struct build *build, const struct world_chain *chain,
                        const struct config_place *place)
{
    for (size_t i = 1; i < chain->count; i++) {
        if (!mu_cert_may_issue(chain->certs[i], chain->certs[i - 1])) {
            build_add(build, CONFIG_WARNING, MUTUAL_E_CHAIN_INCOMPLETE, place,
                      "put the intermediates behind the certificate, each followed by its issuer",
                      "certificate %zu of \"%s\" did not issue the one before it", i + 1,
                      chain->config->chain);
            return;
        }
        build_judge_time(build, chain->certs[i], "intermediate", place);
    }
}

/* Whoever enrols knows the root's fingerprint and has to be shown the root (RFC 8446 section 4.4.2
 * lets a server send it). */
static void add_root(struct build *build, const struct config_certificate *config,
                     struct mu_certs *certs)
{
    struct mu_slice bytes;
    MU_AUTO(certs) struct mu_certs roots = {0};
    if (config->root == NULL || certs->count == 0 ||
        !config_snapshot_find(build->snapshot, config->root, &bytes) ||
        !mu_certs_from_pem(bytes, config->root, &roots, NULL)) {
        return;
    }
    const struct mu_cert *last = certs->items[certs->count - 1];
    for (size_t i = 0; i < roots.count; i++) {
        if (!mu_cert_facts(last)->self_issued && mu_cert_may_issue(roots.items[i], last)) {
            build->no_memory = !mu_certs_add(certs, roots.items[i], NULL) || build->no_memory;
            return;
        }
    }
}

static void build_chain(struct build *build, const struct config_certificate *config, bool server,
                        struct world_chain *chain)
{
    struct config_place place = config_place_of(&config->mark, "chain");
    struct mu_slice bytes;
    struct mutual_error err = {0};
    MU_AUTO(certs) struct mu_certs certs = {0};
    chain->config = config;
    if (config->chain == NULL || !build_file(build, config->chain, &place, &bytes)) {
        return;
    }
    if (!mu_certs_from_pem(bytes, config->chain, &certs, &err)) {
        build_add_error(build, CONFIG_ERROR, &place, &err);
        return;
    }
    add_root(build, config, &certs);
    if (certs.count > MU_LIMIT_CHAIN_SENT) {
        build_add(build, CONFIG_ERROR, MUTUAL_E_CHAIN_TOO_LONG, &place, NULL,
                  "\"%s\" holds %zu certificates; at most %u are sent", config->chain, certs.count,
                  MU_LIMIT_CHAIN_SENT);
        return;
    }
    chain->certs = build_alloc(build, certs.count, sizeof(void *));
    for (size_t i = 0; chain->certs != NULL && i < certs.count; i++) {
        chain->certs[chain->count++] = mu_cert_ref(certs.items[i]);
    }
    if (chain->count == 0) {
        return;
    }
    const struct mu_cert_facts *leaf = mu_cert_facts(chain->certs[0]);
    for (size_t i = 0; i < sizeof chain->key_hash; i++) {
        chain->key_hash[i] = leaf->key_hash[i];
    }
    judge_leaf(build, chain->certs[0], server, &place);
    if (build_judge_path(build, chain, server, &place)) {
        judge_order(build, chain, &place);
    }
    if (server) {
        build_staple(build, chain);
    }
}

void build_chains(struct build *build, const struct config_certificate *certificates, size_t count,
                  bool server, struct world_service *service)
{
    service->chains = build_alloc(build, count + 1, sizeof *service->chains);
    if (service->chains == NULL) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        build_chain(build, &certificates[i], server, &service->chains[service->chain_count++]);
    }
}

void build_same_chains(struct build *build, const struct world_service *listener,
                       struct world_service *service)
{
    service->chains = build_alloc(build, listener->chain_count + 1, sizeof *service->chains);
    for (size_t i = 0; service->chains != NULL && i < listener->chain_count; i++) {
        struct world_chain *chain = &service->chains[service->chain_count++];
        *chain = listener->chains[i];
        for (size_t k = 0; k < chain->count; k++) {
            (void)mu_cert_ref(chain->certs[k]);
        }
        if (chain->staple_issuer != NULL) {
            (void)mu_cert_ref(chain->staple_issuer);
        }
    }
}
