/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the chains lead that we present: to the authority in the file beside them, else to one of
 * some trust block, else at least from each certificate to the next. Judged before anybody is shown
 * them, at a time at which the leaf is valid: time is judged elsewhere, and only a warning. What is
 * an error here is what nobody can use; who might be helped by a certificate that a peer happens to
 * hold is warned.
 */
#include "world/world_internal.h"

#include <stdio.h>
#include <string.h>

#include "trust/trust.h"

static int64_t time_of(const struct build *build, const struct mu_cert *leaf)
{
    const struct mu_cert_facts *facts = mu_cert_facts(leaf);
    int64_t now_s = build->now_s;
    now_s = now_s > facts->not_after_s ? facts->not_after_s : now_s;
    return now_s < facts->not_before_s ? facts->not_before_s : now_s;
}

/* What is only said of a path that was found. */
static const enum mutual_code of_a_path[] = {
    MUTUAL_E_CERT_EXPIRED, MUTUAL_E_CERT_NOT_YET_VALID, MUTUAL_E_CERT_REVOKED,
    MUTUAL_E_CRL_STALE,    MUTUAL_E_CRL_MISSING,
};

/* Does the bundle have a path for what would be sent? What time and lists say comes on top. */
static bool leads_to(const struct build *build, const struct world_chain *chain, bool server,
                     const struct mutual_trust *trust, struct mutual_error *err)
{
    struct mutual_der sent[MU_LIMIT_CHAIN_SENT];
    struct mutual_chain *found = NULL;
    for (size_t i = 0; i < chain->count; i++) {
        struct mu_slice der = mu_cert_facts(chain->certs[i])->der;
        sent[i] = (struct mutual_der){der.data, der.len};
    }
    bool valid = mutual_trust_validate(trust, sent, chain->count,
                                       server ? MUTUAL_PURPOSE_SERVER : MUTUAL_PURPOSE_CLIENT,
                                       time_of(build, chain->certs[0]), &found, err);
    mutual_chain_unref(found);
    for (size_t i = 0; i < MU_COUNT(of_a_path); i++) {
        valid = valid || err->code == of_a_path[i];
    }
    return valid;
}

/* ---- the file beside ---------------------------------------------------------------------------
 */

enum beside {
    BESIDE_NOTHING, /* no file, or one that says nothing of the chain */
    BESIDE_GOOD,
    BESIDE_BAD, /* and told */
};

/* Some put the certificate itself there, or nothing: that says nothing. */
static bool read_beside(struct build *build, const struct config_certificate *config,
                        const struct config_place *place, struct mutual_trust *trust)
{
    struct mu_slice bytes;
    struct mutual_error err = {0};
    bool there = config->ca != NULL &&
                 (config->ca_beside ? config_snapshot_find(build->snapshot, config->ca, &bytes)
                                    : build_file(build, config->ca, place, &bytes));
    if (!there || (config->ca_beside && bytes.len == 0)) {
        return false;
    }
    mutual_trust_allow_intermediates(trust);
    mutual_trust_allow_flaws(trust); /* a strict peer's business, and warned of */
    if (mutual_trust_add_pem(trust, (const char *)bytes.data, bytes.len, &err) &&
        mutual_trust_freeze(trust, &err)) {
        return true;
    }
    if (!config->ca_beside || err.code != MUTUAL_E_BUNDLE_UNUSABLE) {
        (void)mu_error_context(&err, "in \"%s\"", config->ca);
        build_add_error(build, config->ca_beside ? CONFIG_WARNING : CONFIG_ERROR, place, &err);
    }
    return false;
}

static enum beside judge_beside(struct build *build, const struct world_chain *chain, bool server)
{
    const struct config_certificate *config = chain->config;
    struct config_place place = config_place_of(&config->mark, "ca");
    struct mutual_error err = {0};
    MU_AUTO(trust) struct mutual_trust *trust = mutual_trust_new("ca");
    build->no_memory = build->no_memory || trust == NULL;
    if (trust == NULL || !read_beside(build, config, &place, trust)) {
        return BESIDE_NOTHING;
    }
    if (leads_to(build, chain, server, trust, &err)) {
        return BESIDE_GOOD;
    }
    build_add(build, CONFIG_ERROR, err.code, &place,
              "install the certificate, its intermediates and the authority that were issued "
              "together",
              "the chain in \"%s\" does not lead to the authority in \"%s\": %s", config->chain,
              config->ca, err.reason);
    return BESIDE_BAD;
}

/* ---- what is known of it elsewhere -------------------------------------------------------------
 */

static bool is_known(const struct build *build, const struct world_chain *chain, bool server)
{
    const struct world *world = &build->whole->world;
    for (size_t i = 0; i < world->trust_count; i++) {
        struct mutual_error lost = {0};
        const struct mutual_trust *trust = world->trusts[i].trust;
        if (trust == NULL || !mu_trust_is_frozen(trust)) {
            return true; /* what is wrong with it was told, and it may be the one */
        }
        if (leads_to(build, chain, server, trust, &lost)) {
            return true;
        }
    }
    return false;
}

/* ---- from each to the next ---------------------------------------------------------------------
 */

/* Whoever builds a path over a certificate of the right name and the wrong key fails, and does not
 * look for another. */
static bool judge_links(struct build *build, const struct world_chain *chain,
                        const struct config_place *place)
{
    for (size_t i = 1; i < chain->count; i++) {
        struct mutual_error err = {0};
        const struct mu_cert *cert = chain->certs[i - 1];
        if (mu_cert_may_issue(chain->certs[i], cert) &&
            !mu_cert_signed_by(cert, chain->certs[i], &err) &&
            err.code == MUTUAL_E_CERT_SIGNATURE) {
            build_add(
                build, CONFIG_ERROR, err.code, place,
                "install the certificate and the intermediates that were issued together",
                "certificate %zu of \"%s\" has the name of who issued \"%s\", and is another: "
                "its key did not sign it",
                i + 1, chain->config->chain, mu_cert_facts(cert)->display);
            return false;
        }
    }
    return true;
}

static bool has_issuer(const struct world_chain *chain)
{
    for (size_t i = 1; i < chain->count; i++) {
        if (mu_cert_may_issue(chain->certs[i], chain->certs[0])) {
            return true;
        }
    }
    return chain->count == 1; /* it may be the authority's own */
}

/* ---- the whole ---------------------------------------------------------------------------------
 */

/* A thousand listeners may present one certificate. */
static bool is_first(struct build *build, const struct world_chain *chain, bool server)
{
    struct digest digest = {.failed = false};
    digest_add_number(&digest, server);
    digest_add(&digest, mu_slice_text(chain->config->ca != NULL ? chain->config->ca : ""));
    for (size_t i = 0; i < chain->count; i++) {
        digest_add_hash(&digest, mu_cert_facts(chain->certs[i])->fingerprint);
    }
    struct mu_slice key = mu_slice_of(digest.state, sizeof digest.state);
    if (!digest.failed && mu_map_get(build->paths, key) != NULL) {
        return false;
    }
    build->no_memory = !mu_map_put(build->paths, key, build) || build->no_memory;
    return true;
}

bool build_judge_path(struct build *build, const struct world_chain *chain, bool server,
                      const struct config_place *place)
{
    if (!is_first(build, chain, server)) {
        return true;
    }
    if (!judge_links(build, chain, place)) {
        return false;
    }
    enum beside beside = judge_beside(build, chain, server);
    if (beside != BESIDE_NOTHING || is_known(build, chain, server) || has_issuer(chain)) {
        return beside != BESIDE_BAD;
    }
    build_add(build, CONFIG_ERROR, MUTUAL_E_CHAIN_INCOMPLETE, place,
              "put the intermediates behind the certificate, each followed by its issuer",
              "none of the %zu certificates behind \"%s\" in \"%s\" issued it, and no authority "
              "that did is known here",
              chain->count - 1, mu_cert_facts(chain->certs[0])->display, chain->config->chain);
    return false;
}
