/* SPDX-License-Identifier: Apache-2.0
 *
 * The OCSP responses that we staple: judged as a client would judge them, before anybody gets one.
 */
#include <string.h>
#include <strings.h>

#include "world/world_internal.h"

#include "trust/trust.h"

/* Whoever issued the leaf: the next of its chain, or an authority of some trust bundle. Nobody else
 * is asked. */
static const struct mu_cert *issuer_of(const struct build *build, const struct world_chain *chain)
{
    const struct world *world = &build->whole->world;
    if (chain->count > 1 && mu_cert_may_issue(chain->certs[1], chain->certs[0])) {
        return chain->certs[1];
    }
    for (size_t i = 0; i < world->trust_count; i++) {
        const struct mutual_trust *trust = world->trusts[i].trust;
        size_t count = trust == NULL ? 0 : mutual_trust_anchor_count(trust);
        for (size_t k = 0; k < count; k++) {
            const struct mu_cert *anchor = mu_trust_anchor(trust, k);
            if (mu_cert_may_issue(anchor, chain->certs[0]) &&
                mu_cert_signed_by(chain->certs[0], anchor, NULL)) {
                return anchor;
            }
        }
    }
    return NULL;
}

static bool keep(struct build *build, struct world_chain *chain, struct mu_slice response)
{
    uint8_t *copy = build_alloc(build, response.len + 1, 1);
    if (copy == NULL) {
        return false;
    }
    memcpy(copy, response.data, response.len);
    chain->staple = mu_slice_of(copy, response.len);
    return true;
}

static void judge_end(struct build *build, const struct world_chain *chain,
                      const struct config_place *place)
{
    char words[MU_TIME_TEXT];
    char date[MU_TIME_TEXT];
    int64_t left_s = chain->staple_span.until_s - build->now_s;
    if (left_s < (chain->staple_span.until_s - chain->staple_span.from_s) / 5) {
        build_add(build, CONFIG_WARNING, MUTUAL_E_OCSP_STALE, place,
                  "fetch a new one from the issuer's responder",
                  "the OCSP response about \"%s\" ends in %s (%s)",
                  mu_cert_facts(chain->certs[0])->display, mu_duration_words(left_s, words),
                  mu_time_format(chain->staple_span.until_s, date));
    }
}

static void take(struct build *build, struct world_chain *chain, struct mu_slice response,
                 const char *name, const struct config_place *place)
{
    struct mutual_error err = {0};
    const struct mu_cert *issuer = issuer_of(build, chain);
    if (issuer == NULL) {
        build_add(build, CONFIG_WARNING, MUTUAL_E_CHAIN_INCOMPLETE, place,
                  "put the issuer's certificate behind it, into the file of the chain",
                  "the OCSP response in \"%s\" cannot be verified and is not sent: the issuer of "
                  "\"%s\" is not here",
                  name, mu_cert_facts(chain->certs[0])->display);
    } else if (!mu_staple_check(response, chain->certs[0], issuer, build->now_s,
                                &chain->staple_span, &err)) {
        (void)mu_error_context(&err, "\"%s\" is not sent", name);
        build_add_error(build, CONFIG_WARNING, place, &err);
    } else if (keep(build, chain, response)) {
        judge_end(build, chain, place);
    }
}

/* ---- where it is fetched from ------------------------------------------------------------------
 */

/* The first responder of the certificate that may be asked. */
static const char *named_by(const struct mu_cert_facts *leaf)
{
    for (size_t i = 0; leaf->ocsp_uris != NULL && leaf->ocsp_uris[i] != NULL; i++) {
        const char *uri = leaf->ocsp_uris[i];
        if (strncasecmp(uri, "http://", 7) == 0 || strncasecmp(uri, "https://", 8) == 0) {
            return uri;
        }
    }
    return NULL;
}

/* What stands in the way is an error where the configuration wrote it, and a warning where a
 * certificate did: that may be exchanged while nobody looks. */
static void plan(struct build *build, struct world_chain *chain, const struct config_place *place)
{
    const struct config_staple_source *source = &chain->config->staple;
    const struct mu_cert_facts *leaf = mu_cert_facts(chain->certs[0]);
    const char *url = source->url != NULL ? source->url : named_by(leaf);
    const struct mu_cert *issuer = issuer_of(build, chain);
    if (url == NULL) {
        build_add(build, CONFIG_WARNING, MUTUAL_E_OCSP_MISSING, place,
                  "staple: {url: RESPONDER}, or a certificate that names one",
                  "\"%s\" names no OCSP responder by http or https: nothing is fetched",
                  leaf->display);
    } else if (issuer == NULL) {
        build_add(build, CONFIG_WARNING, MUTUAL_E_CHAIN_INCOMPLETE, place,
                  "put the issuer's certificate behind it, into the file of the chain",
                  "no OCSP response about \"%s\" is fetched: its issuer is not here",
                  leaf->display);
    } else if (build_judge_url(build, url, source->url != NULL ? CONFIG_ERROR : CONFIG_WARNING,
                               place)) {
        chain->staple_url = mu_arena_strndup(build->whole->arena, url, strlen(url));
        chain->staple_issuer = mu_cert_ref(issuer);
        build->no_memory = build->no_memory || chain->staple_url == NULL;
    }
}

static bool find_fetched(const struct build *build, const struct world_chain *chain,
                         struct mu_slice *ret_response)
{
    MU_AUTO(buf) struct mu_buf name;
    mu_buf_init(&name, 8192);
    return config_staple_name(chain->config->chain, &name) &&
           config_snapshot_find(build->snapshot, mu_buf_str(&name), ret_response);
}

void build_staple(struct build *build, struct world_chain *chain)
{
    const struct config_certificate *config = chain->config;
    const struct mu_cert_facts *leaf = mu_cert_facts(chain->certs[0]);
    bool fetched = config_staple_is_fetched(config);
    struct config_place place = config_place_of(&config->mark, fetched ? "staple" : "ocsp");
    struct mu_slice response;
    bool there = false;
    if (fetched) {
        plan(build, chain, &place);
        there = find_fetched(build, chain, &response);
        if (there && build->unread) {
            return;
        }
    } else if (config->ocsp != NULL) {
        there = config->ocsp_beside ? config_snapshot_find(build->snapshot, config->ocsp, &response)
                                    : build_file(build, config->ocsp, &place, &response);
    }
    if (there) {
        take(build, chain, response,
             !fetched                    ? config->ocsp
             : chain->staple_url != NULL ? chain->staple_url
                                         : "what was fetched",
             &place);
    }
    if (leaf->must_staple && chain->staple.len == 0) {
        build_add(build, CONFIG_WARNING, MUTUAL_E_OCSP_MISSING, &place, NULL,
                  "\"%s\" demands a stapled OCSP response (must-staple), and there is none to "
                  "send%s: clients will refuse it",
                  leaf->display, fetched ? " until one is fetched" : "");
    }
}
