/* SPDX-License-Identifier: Apache-2.0
 *
 * Trust blocks made real: bundles, revocation lists, their generations, and what is wrong with
 * them.
 */
#include "world/world_internal.h"

#include "trust/trust.h"

/* What counts as "soon": a fifth of the whole life, at most a month. */
#define SOON_MAX_S (INT64_C(30) * 86400)

void build_judge_time(struct build *build, const struct mu_cert *cert, const char *what,
                      const struct config_place *place)
{
    const struct mu_cert_facts *facts = mu_cert_facts(cert);
    char words[MU_TIME_TEXT];
    char date[MU_TIME_TEXT];
    int64_t left = facts->not_after_s - build->now_s;
    int64_t life = facts->not_after_s - facts->not_before_s;
    int64_t soon = life / 5 < SOON_MAX_S ? life / 5 : SOON_MAX_S;
    if (build->now_s > facts->not_after_s) {
        build_add(build, CONFIG_WARNING, MUTUAL_E_CERT_EXPIRED, place, "renew it",
                  "the %s \"%s\" expired %s ago (%s)", what, facts->display,
                  mu_duration_words(-left, words), mu_time_format(facts->not_after_s, date));
    } else if (build->now_s < facts->not_before_s) {
        build_add(build, CONFIG_WARNING, MUTUAL_E_CERT_NOT_YET_VALID, place,
                  "check this machine's clock", "the %s \"%s\" is not valid before %s", what,
                  facts->display, mu_time_format(facts->not_before_s, date));
    } else if (left < soon) {
        build_add(build, CONFIG_WARNING, MUTUAL_E_CERT_EXPIRED, place, "renew it",
                  "the %s \"%s\" expires in %s (%s)", what, facts->display,
                  mu_duration_words(left, words), mu_time_format(facts->not_after_s, date));
    }
}

static void add_bundles(struct build *build, const struct config_trust *config,
                        struct mutual_trust *trust, struct digest *digest)
{
    for (size_t i = 0; i < config->bundle.count; i++) {
        struct config_place place = config_place_at(&config->mark, "bundle", i);
        struct mu_slice bytes;
        struct mutual_error err = {0};
        if (config->bundle.items[i] == NULL ||
            !build_file(build, config->bundle.items[i], &place, &bytes)) {
            continue;
        }
        digest_add(digest, bytes);
        if (!mutual_trust_add_pem(trust, (const char *)bytes.data, bytes.len, &err)) {
            (void)mu_error_context(&err, "in \"%s\"", config->bundle.items[i]);
            build_add_error(build, CONFIG_ERROR, &place, &err);
        }
    }
    for (size_t i = 0; i < config->intermediates.count; i++) {
        struct config_place place = config_place_at(&config->mark, "intermediates", i);
        struct mu_slice bytes;
        struct mutual_error err = {0};
        if (config->intermediates.items[i] == NULL ||
            !build_file(build, config->intermediates.items[i], &place, &bytes)) {
            continue;
        }
        digest_add_number(digest, -1); /* the same file as a bundle is another thing */
        digest_add(digest, bytes);
        if (!mutual_trust_add_intermediates_pem(trust, (const char *)bytes.data, bytes.len, &err)) {
            (void)mu_error_context(&err, "in \"%s\"", config->intermediates.items[i]);
            build_add_error(build, CONFIG_ERROR, &place, &err);
        }
    }
}

static void judge_list(struct build *build, const struct config_revocation *config,
                       const struct mu_crl *crl, const struct config_place *place)
{
    static const char *const outcomes[] = {
        [CONFIG_STALE_REFUSE] = "nobody it speaks of is let in",
        [CONFIG_STALE_GRACE] = "it is used for the time of grace only",
        [CONFIG_STALE_ACCEPT] = "it is used all the same",
    };
    const struct mu_crl_facts *facts = mu_crl_facts(crl);
    char words[MU_TIME_TEXT];
    if (facts->next_update_s < build->now_s) {
        build_add(build, CONFIG_WARNING, MUTUAL_E_CRL_STALE, place,
                  "fetch the issuer's current list",
                  "the revocation list of \"%s\" is past its next update by %s: %s",
                  facts->issuer_text, mu_duration_words(build->now_s - facts->next_update_s, words),
                  outcomes[config->when_stale.mode]);
    }
}

/* PEM, any number of lists; or DER, one. */
static void judge_lists(struct build *build, const struct config_revocation *config,
                        struct mu_slice bytes, const char *path, const struct config_place *place)
{
    if (bytes.len > 0 && bytes.data[0] == 0x30) {
        MU_AUTO(crl) struct mu_crl *crl = NULL;
        if (mu_crl_from_der(bytes, &crl, NULL)) {
            judge_list(build, config, crl, place);
        }
        return;
    }
    struct mu_pem_reader reader;
    mu_pem_open(&reader, bytes, path);
    for (;;) {
        MU_AUTO(crl) struct mu_crl *crl = NULL;
        if (!mu_crl_from_pem(&reader, &crl, NULL) || crl == NULL) {
            return; /* what is malformed was told by mutual_trust_add_crl */
        }
        judge_list(build, config, crl, place);
    }
}

static void add_lists(struct build *build, const struct config_revocation *config,
                      struct mutual_trust *trust, struct digest *digest)
{
    for (size_t i = 0; i < config->crl.count; i++) {
        struct config_place place = config_place_at(&config->mark, "crl", i);
        struct mu_slice bytes;
        struct mutual_error err = {0};
        if (config->crl.items[i] == NULL ||
            !build_file(build, config->crl.items[i], &place, &bytes)) {
            continue;
        }
        digest_add(digest, bytes);
        if (!mutual_trust_add_crl(trust, (const char *)bytes.data, bytes.len, &err)) {
            (void)mu_error_context(&err, "in \"%s\"", config->crl.items[i]);
            build_add_error(build, CONFIG_ERROR, &place, &err);
        } else {
            judge_lists(build, config, bytes, config->crl.items[i], &place);
        }
    }
    digest_add_number(digest, config->scope);
    digest_add_number(digest, config->required);
    digest_add_number(digest, config->when_stale.mode);
    digest_add_number(digest, config->when_stale.grace_s);
}

static void judge_anchors(struct build *build, const struct config_trust *config,
                          const struct mutual_trust *trust)
{
    struct config_place place = config_place_of(&config->mark, "bundle");
    for (size_t i = 0; i < mutual_trust_anchor_count(trust); i++) {
        build_judge_time(build, mu_trust_anchor(trust, i), "authority", &place);
    }
}

void build_trust(struct build *build, const struct config_trust *config, struct world_trust *trust)
{
    static const enum mutual_crl_stale stale[] = {
        [CONFIG_STALE_REFUSE] = MUTUAL_CRL_STALE_REFUSE,
        [CONFIG_STALE_GRACE] = MUTUAL_CRL_STALE_GRACE,
        [CONFIG_STALE_ACCEPT] = MUTUAL_CRL_STALE_ACCEPT,
    };
    const struct config_revocation *revocation = &config->revocation;
    struct digest anchors = {.failed = false};
    struct digest lists = {.failed = false};
    size_t errors = build->findings->errors;
    trust->config = config;
    trust->trust = mutual_trust_new(config->name != NULL ? config->name : "");
    if (trust->trust == NULL) {
        build->no_memory = true;
        return;
    }
    if (config->allow_intermediate_anchors) {
        mutual_trust_allow_intermediates(trust->trust);
    }
    digest_add_number(&anchors, config->allow_intermediate_anchors);
    add_bundles(build, config, trust->trust, &anchors);
    mutual_trust_set_revocation(trust->trust, revocation->required,
                                revocation->scope == CONFIG_SCOPE_LEAF,
                                stale[revocation->when_stale.mode], revocation->when_stale.grace_s);
    add_lists(build, revocation, trust->trust, &lists);
    trust->trust_generation = digest_value(&anchors);
    trust->revocation_generation = digest_value(&lists);
    build->no_memory = build->no_memory || anchors.failed || lists.failed;
    struct mutual_error err = {0};
    if (build->findings->errors > errors) {
        return; /* what is missing from it is no further finding */
    }
    if (!mutual_trust_freeze(trust->trust, &err)) {
        struct config_place place = config_place_of(&config->mark, "bundle");
        build_add_error(build, CONFIG_ERROR, &place, &err);
        return;
    }
    judge_anchors(build, config, trust->trust);
}
