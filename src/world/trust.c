/* SPDX-License-Identifier: Apache-2.0
 *
 * Trust blocks made real: bundles, revocation lists, their generations, and what is wrong with
 * them.
 */
#include "world/world_internal.h"

#include "http/http.h"
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

/* The lists of the file that the snapshot holds under this name, onto the shelf: from its bytes, or
 * from the table that was made of it. */
static bool add_list(struct build *build, const struct config_trust *config, size_t index,
                     const char *name, struct mutual_trust *trust, const struct digest *bundle,
                     struct digest *digest, struct mutual_error *err)
{
    const struct mutual_error *why = NULL;
    struct mu_slice bytes = {NULL, 0};
    uint8_t hash[32];
    if (build->lists == NULL) {
        mu_assert(config_snapshot_find(build->snapshot, name, &bytes));
        digest_add(digest, bytes);
        return mutual_trust_add_crl(trust, (const char *)bytes.data, bytes.len, err);
    }
    struct mu_shared *table =
        lists_find(build->lists, &build->whole->world, config, index, bundle, &why);
    if (table == NULL) {
        if (why != NULL) {
            *err = *why;
            return false;
        }
        return mu_fail(err, MUTUAL_E_PROCESS_DIED, "nobody read the revocation lists in \"%s\"",
                       name);
    }
    if (mu_trust_table_digest(mu_shared_bytes(table), hash)) {
        digest_add_hash(digest, hash);
    }
    return mu_trust_table_add(trust, table, err);
}

bool build_judge_url(struct build *build, const char *text, enum config_severity severity,
                     const struct config_place *place)
{
    const struct config_fetch *fetch = &build->whole->config->fetch;
    struct http_url url;
    struct mutual_error err = {0};
    if (!http_url_parse(mu_slice_text(text), &url, &err)) {
        build_add_error(build, severity, place, &err);
        return false;
    }
    if (url.secure && fetch->trust == NULL) {
        build_add(build, severity, MUTUAL_E_CONFIG_INVALID, place,
                  "fetch: {trust: NAME}; what is fetched is signed, so http will do as well",
                  "\"%s\" is https, and nothing says which authorities to believe there", text);
        return false;
    }
    if (!config_fetch_allows(fetch, url.host)) {
        build_add(build, severity, MUTUAL_E_FETCH_FORBIDDEN, place,
                  "add the host to fetch: {allow}, or leave that away",
                  "\"%s\" is on a host that fetch.allow does not name", text);
        return false;
    }
    return true;
}

/* What was fetched so far. It came from elsewhere, so it is no error of the configuration when it
 * is not there or no good; but then nobody is let in for want of it: false. */
static bool add_fetched(struct build *build, const struct config_trust *config,
                        struct mutual_trust *trust, const struct digest *bundle,
                        struct digest *digest)
{
    bool all = true;
    for (size_t i = 0; i < config->revocation.fetch_count; i++) {
        const struct config_source *source = &config->revocation.fetch[i];
        struct config_place place = config_place_of(&source->mark, "url");
        size_t index = config->revocation.crl.count + i;
        struct mu_slice bytes;
        struct mutual_error err = {0};
        MU_AUTO(buf) struct mu_buf name;
        mu_buf_init(&name, 4096);
        if (source->url != NULL) {
            (void)build_judge_url(build, source->url, CONFIG_ERROR, &place);
        }
        if (!config_list_name(config, index, &name)) {
            continue;
        }
        if (!config_snapshot_find(build->snapshot, mu_buf_str(&name), &bytes)) {
            all = false;
            build_add(build, CONFIG_WARNING, MUTUAL_E_CRL_MISSING, &place,
                      "it is fetched while the gateway runs: mutual status",
                      "no list was fetched from \"%s\" yet; until then, whoever has no list is "
                      "refused",
                      source->url);
        } else if (!add_list(build, config, index, mu_buf_str(&name), trust, bundle, digest,
                             &err)) {
            all = false;
            (void)mu_error_context(&err, "fetched from \"%s\", not used", source->url);
            build_add_error(build, CONFIG_WARNING, &place, &err);
        }
    }
    digest_add_number(digest, all);
    return all;
}

static void add_lists(struct build *build, const struct config_trust *config,
                      struct mutual_trust *trust, const struct digest *bundle,
                      struct digest *digest)
{
    const struct config_revocation *revocation = &config->revocation;
    for (size_t i = 0; i < revocation->crl.count; i++) {
        const struct config_place place = config_place_at(&revocation->mark, "crl", i);
        const char *path = revocation->crl.items[i];
        struct mu_slice ignored;
        struct mutual_error err = {0};
        if (path != NULL && build_file(build, path, &place, &ignored) &&
            !add_list(build, config, i, path, trust, bundle, digest, &err)) {
            (void)mu_error_context(&err, "in \"%s\"", path);
            build_add_error(build, CONFIG_ERROR, &place, &err);
        }
    }
    digest_add_number(digest, revocation->scope);
    digest_add_number(digest, revocation->required);
    digest_add_number(digest, revocation->when_stale.mode);
    digest_add_number(digest, revocation->when_stale.grace_s);
    digest_add_number(digest, revocation->staple);
}

const char *world_stale_outcome(const struct config_stale *stale)
{
    static const char *const outcomes[] = {
        [CONFIG_STALE_REFUSE] = "nobody it speaks of is let in",
        [CONFIG_STALE_GRACE] = "it is used for the time of grace only",
        [CONFIG_STALE_ACCEPT] = "it is used all the same",
    };
    return outcomes[stale->mode];
}

static void judge_lists(struct build *build, const struct config_revocation *config,
                        const struct mutual_trust *trust)
{
    struct config_place place = config_place_of(&config->mark, "crl");
    struct mu_trust_list list;
    for (size_t i = 0; mu_trust_list(trust, i, &list); i++) {
        char words[MU_TIME_TEXT];
        if (list.next_update_s < build->now_s) {
            build_add(build, CONFIG_WARNING, MUTUAL_E_CRL_STALE, &place,
                      "fetch the issuer's current list",
                      "the revocation list of \"%s\" is past its next update by %s: %s",
                      list.issuer, mu_duration_words(build->now_s - list.next_update_s, words),
                      world_stale_outcome(&config->when_stale));
        }
    }
}

static void judge_anchors(struct build *build, const struct config_trust *config,
                          const struct mutual_trust *trust)
{
    struct config_place place = config_place_of(&config->mark, "bundle");
    for (size_t i = 0; i < mutual_trust_anchor_count(trust); i++) {
        build_judge_time(build, mu_trust_anchor(trust, i), "authority", &place);
    }
}

void build_bundle(struct build *build, const struct config_trust *config,
                  struct mutual_trust *trust, struct digest *digest)
{
    if (config->allow_intermediate_anchors) {
        mutual_trust_allow_intermediates(trust);
    }
    digest_add_number(digest, config->allow_intermediate_anchors);
    add_bundles(build, config, trust, digest);
}

void build_trust(struct build *build, const struct config_trust *config, struct world_trust *trust)
{
    static const enum mutual_crl_stale stale[] = {
        [CONFIG_STALE_REFUSE] = MUTUAL_CRL_STALE_REFUSE,
        [CONFIG_STALE_GRACE] = MUTUAL_CRL_STALE_GRACE,
        [CONFIG_STALE_ACCEPT] = MUTUAL_CRL_STALE_ACCEPT,
    };
    static const enum mutual_staple_mode staples[] = {
        [CONFIG_STAPLE_PREFER] = MUTUAL_STAPLE_PREFER,
        [CONFIG_STAPLE_REQUIRE] = MUTUAL_STAPLE_REQUIRE,
        [CONFIG_STAPLE_IGNORE] = MUTUAL_STAPLE_IGNORE,
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
    build_bundle(build, config, trust->trust, &anchors);
    bool all = add_fetched(build, config, trust->trust, &anchors, &lists);
    mutual_trust_set_revocation(trust->trust, revocation->required || !all,
                                revocation->scope == CONFIG_SCOPE_LEAF,
                                stale[revocation->when_stale.mode], revocation->when_stale.grace_s);
    mutual_trust_set_staples(trust->trust, staples[revocation->staple]);
    add_lists(build, config, trust->trust, &anchors, &lists);
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
    judge_lists(build, revocation, trust->trust);
}
