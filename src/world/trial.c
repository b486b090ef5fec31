/* SPDX-License-Identifier: Apache-2.0
 *
 * The self-test of a world: a handshake in memory with every certificate that it presents, by the
 * very contexts that will serve. Once for each certificate with the settings that matter to it,
 * however many services share them.
 */
#include "world/world_internal.h"

#include <stdio.h>
#include <string.h>

#include "session/session.h"

enum { NAMES_TRIED = 16, NAME_SIZE = 300 };

/* ---- what is to be tried -----------------------------------------------------------------------
 */

static const struct config_tls *tls_of(const struct world_service *service)
{
    return service->inbound != NULL ? &service->inbound->tls : &service->outbound->tls;
}

/* All that decides whether the certificate works. Names do not: a thousand hosts may share one. */
static bool digest_trial(const struct world_service *service, size_t chain, uint8_t ret_digest[32])
{
    struct digest digest = {.failed = false};
    const struct config_inbound *inbound = service->inbound;
    const struct config_tls *tls = tls_of(service);
    const struct config_texts *alpn = inbound != NULL ? &inbound->alpn : &service->outbound->alpn;
    digest_add_number(&digest, inbound != NULL);
    digest_add_number(&digest, (int64_t)chain);
    for (size_t i = 0; i < service->chain_count; i++) {
        digest_add_number(&digest, (int64_t)service->chains[i].count);
        for (size_t k = 0; k < service->chains[i].count; k++) {
            digest_add_hash(&digest, mu_cert_facts(service->chains[i].certs[k])->fingerprint);
        }
    }
    digest_add_number(&digest, tls->min);
    digest_add_number(&digest, tls->strict_sni);
    digest_add_number(&digest, tls->record_layer);
    digest_add_number(&digest, inbound != NULL ? (int64_t)inbound->clients.mode : -1);
    digest_add_number(&digest, inbound != NULL && inbound->clients.send_ca_names);
    for (size_t i = 0; i < alpn->count; i++) {
        digest_add(&digest, mu_slice_text(alpn->items[i]));
    }
    memcpy(ret_digest, digest.state, sizeof digest.state);
    return !digest.failed;
}

static size_t count_chains(const struct world *world)
{
    size_t count = 0;
    for (size_t i = 0; i < world->service_count; i++) {
        count += world->services[i].chain_count;
    }
    return count;
}

bool world_trials(const struct world *world, struct world_trial **ret_trials, size_t *ret_count,
                  struct mutual_error *err)
{
    size_t count = 0;
    MU_AUTO(free) struct world_trial *trials = mu_alloc(count_chains(world) + 1, sizeof *trials);
    struct mu_map *seen = mu_map_new();
    bool done = trials != NULL && seen != NULL;
    for (uint32_t i = 0; done && i < world->service_count; i++) {
        for (uint32_t k = 0; done && k < world->services[i].chain_count; k++) {
            struct world_trial *trial = &trials[count];
            struct mu_slice key = mu_slice_of(trial->digest, sizeof trial->digest);
            *trial = (struct world_trial){.service = i, .chain = k};
            done = digest_trial(&world->services[i], k, trial->digest);
            if (done && mu_map_get(seen, key) == NULL) {
                done = mu_map_put(seen, key, trials);
                count++;
            }
        }
    }
    mu_map_free(seen);
    if (!done) {
        return mu_fail_memory(err);
    }
    *ret_trials = MU_TAKE(trials);
    *ret_count = count;
    return true;
}

/* ---- by which name -----------------------------------------------------------------------------
 */

struct world_tryout {
    const struct world *world;
    const struct world_trial *trials;
    size_t count, at;
    struct world_tryout_hooks hooks;
    struct mu_standin *standin;
    struct mu_rehearsal *rehearsal; /* of the trial at hand, or NULL */
    bool tls12;                     /* its second one */
    struct mutual_error tls13;      /* what its first one came to */
    char name[NAME_SIZE];
    struct mutual_error warnings[WORLD_TRYOUT_WARNINGS];
    size_t warning_count;
};

static const struct world_service *service_of(const struct world_tryout *tryout)
{
    return &tryout->world->services[tryout->trials[tryout->at].service];
}

static const struct world_chain *chain_of(const struct world_tryout *tryout)
{
    return &service_of(tryout)->chains[tryout->trials[tryout->at].chain];
}

/* Asking for that name, is it our certificate that is shown? "*.example.org" stands for any host of
 * it. */
static bool is_shown(struct world_tryout *tryout, struct mutual_context *context, const char *text)
{
    const struct mu_cert_facts *leaf = mu_cert_facts(chain_of(tryout)->certs[0]);
    size_t count = 0;
    (void)snprintf(tryout->name, sizeof tryout->name, "%s%s",
                   mu_text_starts(text, "*.") ? "self-test" : "",
                   mu_text_starts(text, "*.") ? text + 1 : text);
    const struct mutual_identity *identity =
        mu_context_shows(context, tryout->name[0] != '\0' ? tryout->name : NULL, leaf->key.kind);
    return identity != NULL &&
           memcmp(mu_cert_facts(mu_identity_chain(identity, &count)[0])->fingerprint,
                  leaf->fingerprint, sizeof leaf->fingerprint) == 0;
}

/* Of a host the names by which it is found, else those of the certificate, and none. */
static bool choose_name(struct world_tryout *tryout, struct mutual_context *context)
{
    const struct world_service *service = service_of(tryout);
    MU_AUTO(names) struct mu_names *names = NULL;
    size_t count = 0;
    for (size_t i = 0; i < service->host_count && i < NAMES_TRIED; i++) {
        if (is_shown(tryout, context, mutual_pattern_text(service->hosts[i]))) {
            return true;
        }
    }
    if (service->listener == NULL && mu_names_from_cert(chain_of(tryout)->certs[0], &names, NULL)) {
        const struct mutual_name *list = mu_names_list(names, &count);
        for (size_t i = 0; i < count && i < NAMES_TRIED; i++) {
            if (list[i].type == MUTUAL_NAME_DNS && is_shown(tryout, context, list[i].text)) {
                return true;
            }
        }
    }
    return service->listener == NULL && is_shown(tryout, context, "");
}

/* ---- what it came to ---------------------------------------------------------------------------
 */

static void add_context(const struct world_tryout *tryout, const char *version,
                        struct mutual_error *err)
{
    const char *step = err->step != MUTUAL_STEP_NONE ? mutual_step_name(err->step) : NULL;
    (void)mu_error_context(err, "self-test of the certificate in \"%s\" for \"%s\"%s%s%s%s",
                           chain_of(tryout)->config->chain, service_of(tryout)->name,
                           version[0] != '\0' ? ", " : "", version,
                           step != NULL ? ", in step " : "", step != NULL ? step : "");
}

static void warn(struct world_tryout *tryout, const char *version, const struct mutual_error *why)
{
    if (tryout->warning_count < WORLD_TRYOUT_WARNINGS) {
        struct mutual_error *warning = &tryout->warnings[tryout->warning_count++];
        *warning = *why;
        add_context(tryout, version, warning);
    }
}

/* With hosts that ask more of their clients, or names that others have too, it may be nobody's. */
static void warn_never_shown(struct world_tryout *tryout)
{
    struct mutual_error why = {0};
    (void)mu_fail(&why, MUTUAL_E_CONFIG_INVALID,
                  "no client is shown the certificate \"%s\": others have its names and its kind "
                  "of key, or stricter hosts its listener",
                  mu_cert_facts(chain_of(tryout)->certs[0])->display);
    (void)mu_error_hint(&why, "Leave it away, or give it a host of its own.");
    warn(tryout, "", &why);
}

static void next_trial(struct world_tryout *tryout)
{
    tryout->tls12 = false;
    tryout->tls13 = (struct mutual_error){0};
    tryout->at++;
}

/* The end of one rehearsal. A certificate that works with one of the versions that are served is
 * of use to somebody; one that works with none is of use to nobody. */
static bool conclude(struct world_tryout *tryout, const struct mutual_error *why,
                     struct mutual_error *err)
{
    bool failed = why->code != MUTUAL_OK;
    bool old_too = tls_of(service_of(tryout))->min == CONFIG_TLS_1_2;
    bool no_answer = why->code == MUTUAL_E_KEY_UNAVAILABLE; /* says nothing of the certificate */
    mu_rehearsal_free(MU_TAKE(tryout->rehearsal));
    if (!tryout->tls12 && old_too && !no_answer) {
        tryout->tls13 = *why;
        tryout->tls12 = true;
        return true;
    }
    bool failed_first = tryout->tls13.code != MUTUAL_OK;
    if (failed && (!tryout->tls12 || failed_first || no_answer)) {
        *err = failed_first ? tryout->tls13 : *why;
        add_context(tryout, tryout->tls12 && !failed_first ? "TLS 1.2" : "TLS 1.3", err);
        return false;
    }
    if (failed || failed_first) {
        warn(tryout, failed ? "TLS 1.2" : "TLS 1.3", failed ? why : &tryout->tls13);
    }
    next_trial(tryout);
    return true;
}

static bool check_shown(struct world_tryout *tryout, struct mutual_error *err)
{
    const struct world_chain *chain = chain_of(tryout);
    return mu_rehearsal_showed(tryout->rehearsal, chain->certs, chain->count) ||
           mu_fail(err, MUTUAL_E_LIBRARY, "other certificates were shown than \"%s\" holds",
                   chain->config->chain);
}

/* ---- one after the other -----------------------------------------------------------------------
 */

bool world_tryout_new(const struct world *world, const struct world_trial *trials, size_t count,
                      const struct world_tryout_hooks *hooks, struct world_tryout **ret_tryout,
                      struct mutual_error *err)
{
    struct world_tryout *tryout = mu_alloc(1, sizeof *tryout);
    if (tryout == NULL) {
        return mu_fail_memory(err);
    }
    tryout->world = world;
    tryout->trials = trials;
    tryout->count = count;
    tryout->hooks = *hooks;
    if (!mu_standin_new(&tryout->standin, err)) {
        world_tryout_free(tryout);
        return false;
    }
    *ret_tryout = tryout;
    return true;
}

void world_tryout_free(struct world_tryout *tryout)
{
    if (tryout != NULL) {
        mu_rehearsal_free(tryout->rehearsal);
        mu_standin_free(tryout->standin);
        mu_free(tryout);
    }
}

static enum mutual_io begin(struct world_tryout *tryout, struct mutual_error *err)
{
    const struct world_service *service = service_of(tryout);
    const struct world_service *door = service->listener != NULL ? service->listener : service;
    size_t index = (size_t)(door - tryout->world->services);
    struct mutual_context *context = tryout->hooks.context(tryout->hooks.owner, index);
    const struct mu_cert_facts *leaf = mu_cert_facts(chain_of(tryout)->certs[0]);
    if (context == NULL) {
        next_trial(tryout); /* why there is none was told */
        return MUTUAL_IO_WANT_READ;
    }
    if (!choose_name(tryout, context)) {
        warn_never_shown(tryout);
        next_trial(tryout);
        return MUTUAL_IO_WANT_READ;
    }
    const struct mu_rehearsal_plan plan = {
        .context = context,
        .name = service->inbound != NULL && tryout->name[0] != '\0' ? tryout->name : NULL,
        .kind = leaf->key.kind,
        .tls12 = tryout->tls12,
    };
    if (!mu_rehearsal_new(tryout->standin, &plan, &tryout->rehearsal, err)) {
        add_context(tryout, "", err);
        return MUTUAL_IO_FAILED;
    }
    return MUTUAL_IO_WANT_READ;
}

enum mutual_io world_tryout_step(struct world_tryout *tryout, struct mutual_error *err)
{
    struct mutual_error why = {0};
    if (tryout->at == tryout->count) {
        return MUTUAL_IO_DONE;
    }
    if (tryout->rehearsal == NULL) {
        return begin(tryout, err);
    }
    enum mutual_io io = mu_rehearsal_step(tryout->rehearsal, &why);
    if (io != MUTUAL_IO_DONE && io != MUTUAL_IO_FAILED) {
        return io;
    }
    if (io == MUTUAL_IO_FAILED && tryout->hooks.explain != NULL) {
        tryout->hooks.explain(tryout->hooks.owner, &why);
    }
    if (io == MUTUAL_IO_DONE) {
        (void)check_shown(tryout, &why);
    }
    return conclude(tryout, &why, err) ? MUTUAL_IO_WANT_READ : MUTUAL_IO_FAILED;
}

const struct mutual_error *world_tryout_warnings(const struct world_tryout *tryout,
                                                 size_t *ret_count)
{
    *ret_count = tryout->warning_count;
    return tryout->warnings;
}

const struct world_trial *world_tryout_at(const struct world_tryout *tryout)
{
    return tryout->at < tryout->count ? &tryout->trials[tryout->at] : NULL;
}

/* ---- without a gateway -------------------------------------------------------------------------
 */

struct offline {
    const struct world *world;
    struct mutual_context **contexts; /* NULL where a key could not be had */
    struct mu_map *keys;              /* by path: struct mu_key */
};

static bool take_key(void *owner, const struct world_chain *chain, struct mu_key **ret_key,
                     struct mutual_error *err)
{
    struct offline *offline = owner;
    struct mu_slice path = mu_slice_text(chain->config->key);
    struct mu_key *key = mu_map_get(offline->keys, path);
    if (key == NULL) {
        if (!secret_key_load(chain->config, &key, err)) {
            return false;
        }
        if (!mu_map_put(offline->keys, path, key)) {
            mu_key_unref(key);
            return mu_fail_memory(err);
        }
    }
    *ret_key = mu_key_ref(key);
    return true;
}

static struct mutual_context *context_of(void *owner, size_t service)
{
    return ((struct offline *)owner)->contexts[service];
}

/* A listener without the context of one of its hosts cannot be made. */
static bool lacks_host(const struct offline *offline, const struct world_service *service)
{
    for (size_t i = 0; i < offline->world->service_count; i++) {
        if (offline->world->services[i].listener == service && offline->contexts[i] == NULL) {
            return true;
        }
    }
    return false;
}

static bool drop_key(void *context, struct mu_slice path, void *key)
{
    (void)context;
    (void)path;
    mu_key_unref(key);
    return true;
}

static void make_contexts(struct build *build, struct offline *offline)
{
    const struct world *world = offline->world;
    const struct world_maker maker = {.key = take_key, .made = context_of, .owner = offline};
    for (size_t i = world->service_count; i-- > 0;) {
        struct mutual_error err = {0};
        const struct world_service *service = &world->services[i];
        struct config_place place = {0};
        bool plain = service->inbound != NULL && service->inbound->plain; /* no TLS is spoken */
        if (plain || lacks_host(offline, service) ||
            world_context_new(world, i, &maker, &offline->contexts[i], &err) ||
            secret_is_out_of_reach(err.code)) {
            continue;
        }
        place = config_place_of(service->inbound != NULL ? &service->inbound->mark
                                                         : &service->outbound->mark,
                                "certificate");
        (void)mu_error_context(&err, "\"%s\"", service->name);
        build_add_error(build, CONFIG_ERROR, &place, &err);
    }
}

static void tell(struct build *build, enum config_severity severity, const struct world_tryout *at,
                 const struct mutual_error *err)
{
    const struct world_trial *trial = at == NULL ? NULL : world_tryout_at(at);
    struct config_place place = {0};
    if (trial != NULL) {
        place = config_place_of(
            &build->whole->world.services[trial->service].chains[trial->chain].config->mark,
            "chain");
    }
    build_add(build, severity, err->code, trial != NULL ? &place : NULL, err->hint, "%s: %s",
              err->context, err->reason);
}

static void run(struct build *build, struct offline *offline, const struct world_trial *trials,
                size_t count)
{
    const struct world_tryout_hooks hooks = {.context = context_of, .owner = offline};
    struct world_tryout *tryout = NULL;
    struct mutual_error err = {0};
    enum mutual_io io = MUTUAL_IO_FAILED;
    if (world_tryout_new(offline->world, trials, count, &hooks, &tryout, &err)) {
        do {
            io = world_tryout_step(tryout, &err);
        } while (io == MUTUAL_IO_WANT_READ || io == MUTUAL_IO_WANT_WRITE);
    }
    if (io != MUTUAL_IO_DONE) {
        tell(build, CONFIG_ERROR, tryout, &err);
    }
    for (size_t i = 0; tryout != NULL && i < tryout->warning_count; i++) {
        tell(build, CONFIG_WARNING, NULL, &tryout->warnings[i]);
    }
    world_tryout_free(tryout);
}

void build_try(struct build *build)
{
    const struct world *world = &build->whole->world;
    MU_AUTO(free) struct world_trial *trials = NULL;
    struct offline offline = {.world = world, .keys = mu_map_new()};
    size_t count = 0;
    struct mutual_error err = {0};
    offline.contexts = mu_alloc(world->service_count + 1, sizeof *offline.contexts);
    if (offline.keys == NULL || offline.contexts == NULL ||
        !world_trials(world, &trials, &count, &err)) {
        build->no_memory = true;
    } else {
        size_t errors = build->findings->errors;
        make_contexts(build, &offline);
        if (build->findings->errors == errors) {
            run(build, &offline, trials, count);
        }
    }
    for (size_t i = 0; offline.contexts != NULL && i < world->service_count; i++) {
        mutual_context_unref(offline.contexts[i]);
    }
    if (offline.keys != NULL) {
        mu_map_each(offline.keys, drop_key, NULL);
    }
    mu_map_free(offline.keys);
    mu_free(offline.contexts);
}
