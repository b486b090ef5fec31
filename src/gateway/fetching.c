/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps what the configuration names by URL fresh. Nothing else starts a fetch: no connection, no
 * certificate, no answer; a clock, a reload and the configuration do.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/fetching_internal.h"
#include "gateway/source_internal.h"
#include "gateway/validating_internal.h"

enum {
    SOURCES_MAX = 1024,
    AT_ONCE = 4,      /* fetches under way                                  */
    PATIENCE_S = 60,  /* beyond the time that the answer may take           */
    AGAIN_MS = 1000,  /* after the process died: it is replaced at once     */
    SPREAD_MS = 5000, /* over which a start asks for what it has already    */
};

struct fetching {
    struct parent *parent;
    struct source **sources;
    size_t count, cap;
    uint32_t next_id;
    bool has_process;
    bool own_reload; /* the next change of the configuration is a list of ours */
};

static void on_time(void *owner);

struct fetching *fetching_new(struct parent *parent)
{
    struct fetching *fetching = mu_alloc(1, sizeof *fetching);
    if (fetching != NULL) {
        fetching->parent = parent;
    }
    return fetching;
}

void fetching_free(struct fetching *fetching)
{
    if (fetching == NULL) {
        return;
    }
    for (size_t i = 0; i < fetching->count; i++) {
        source_free(fetching->sources[i], fetching->parent->reactor);
    }
    mu_free(fetching->sources);
    mu_free(fetching);
}

/* ---- time --------------------------------------------------------------------------------------
 */

static uint32_t some_number(void)
{
    uint32_t number = 0;
    struct mutual_error lost = {0};
    return mu_random(&number, sizeof number, &lost) ? number : 0;
}

static void wait_for(struct source *source, int64_t delay_ms)
{
    source->state = SOURCE_WAITS;
    source->next_s = mu_clock_wall_s() + delay_ms / 1000;
    reactor_arm_in(source->fetching->parent->reactor, &source->timer, delay_ms * MU_NS_PER_MS,
                   on_time, source);
}

static void wait_as_planned(struct source *source)
{
    const struct fetch_times times = {
        .every_s = source->every_s,
        .this_update_s = source->kept.this_update_s,
        .next_update_s = source->kept.next_update_s,
        .failures = source->failures,
        .half = source->kind == SOURCE_STAPLE,
    };
    wait_for(source, fetch_delay_ms(&times, mu_clock_wall_s(), some_number()));
}

/* Soon; at once when there is nothing yet. A response that holds is not asked for again before its
 * time: no responder says that it is still right. */
static void wait_a_little(struct source *source)
{
    if (source->kind == SOURCE_STAPLE && source_holds(source, mu_clock_wall_s()) &&
        source->failures == 0) {
        wait_as_planned(source);
        return;
    }
    int64_t spread_ms = source->every_s * 100 < SPREAD_MS ? source->every_s * 100 : SPREAD_MS;
    wait_for(source, source->has_kept ? (int64_t)(some_number() % (uint64_t)(spread_ms + 1)) : 0);
}

/* ---- how it went -------------------------------------------------------------------------------
 */

/* Nobody who keeps to the certificate's word will connect. */
static void tell_missing(const struct source *source)
{
    struct mutual_error why = {0};
    if (source->kind == SOURCE_STAPLE && source->must_staple &&
        !source_holds(source, mu_clock_wall_s())) {
        (void)mu_fail(
            &why, MUTUAL_E_OCSP_MISSING,
            "the certificate in \"%s\" demands a stapled OCSP response (must-staple), and "
            "there is none to send: clients will refuse it",
            source->owner);
        (void)mu_error_hint(&why, "See why %s gives none: mutual status.", source->url);
        parent_log(source->fetching->parent, CONFIG_LOG_ERROR, "staple_missing", NULL, &why);
    }
}

static void fail(struct source *source, const struct mutual_error *why)
{
    char text[64];
    source->failures++;
    source->count_failed++;
    source->why = *why;
    if (source->why.context[0] == '\0') {
        (void)mu_error_context(&source->why, "%s", source->url);
    }
    wait_as_planned(source);
    (void)snprintf(text, sizeof text, "asks again in %lld s",
                   (long long)(source->next_s - mu_clock_wall_s()));
    parent_log(source->fetching->parent, CONFIG_LOG_WARNING, "fetch_failed", text, &source->why);
    tell_missing(source);
}

static void succeed(struct source *source)
{
    source->failures = 0;
    source->why = (struct mutual_error){0};
    source->good_s = mu_clock_wall_s();
    wait_as_planned(source);
}

static void tell(struct source *source, const char *event, const char *what)
{
    char text[MU_LIMIT_HTTP_URL + 256];
    char until[MU_TIME_TEXT];
    (void)snprintf(text, sizeof text, "%s: %s, next update %s", source->url, what,
                   mu_time_format(source->kept.next_update_s, until));
    parent_log(source->fetching->parent, CONFIG_LOG_INFO, event, text, NULL);
}

/* It was asked for by a certificate that is not in use any more: once more, for the new one. */
static bool is_outdated(struct source *source)
{
    if (source->kind == SOURCE_STAPLE && strcmp(source->sent_about, source->about) != 0) {
        wait_for(source, 0);
        return true;
    }
    return false;
}

/* Whoever sits between us and a responder can give again what it said before. Of a list the fetch
 * process compares the numbers; a response has only its date. */
static bool is_behind(const struct source *source, const struct fetch_outcome *outcome,
                      struct mutual_error *err)
{
    char given[MU_TIME_TEXT];
    char had[MU_TIME_TEXT];
    if (source->kind != SOURCE_STAPLE || !source->has_kept ||
        outcome->this_update_s >= source->kept.this_update_s) {
        return false;
    }
    (void)mu_fail(err, MUTUAL_E_OCSP_STALE,
                  "the response is of %s, and older than the one that is sent, of %s",
                  mu_time_format(outcome->this_update_s, given),
                  mu_time_format(source->kept.this_update_s, had));
    return true;
}

/* A good new list or response is used: everything is read again, as by SIGHUP. */
static void use(struct source *source, const struct fetch_outcome *outcome)
{
    struct fetch_kept kept = {.fetched_s = mu_clock_wall_s(),
                              .this_update_s = outcome->this_update_s,
                              .next_update_s = outcome->next_update_s,
                              .produced_s = outcome->produced_s};
    struct mutual_error err = {0};
    char what[64];
    bool changed = false;
    (void)snprintf(kept.etag, sizeof kept.etag, "%s", outcome->etag);
    (void)snprintf(kept.modified, sizeof kept.modified, "%s", outcome->modified);
    (void)snprintf(kept.about, sizeof kept.about, "%s", source->sent_about);
    if (is_behind(source, outcome, &err) ||
        !fetch_kept_save(source->path, source->content_fd, &kept, &changed, &err)) {
        fail(source, &err);
        return;
    }
    source->kept = kept;
    source->has_kept = true;
    source->bytes = outcome->bytes;
    source->count_new++;
    succeed(source);
    (void)snprintf(what, sizeof what, changed ? "%llu bytes" : "%llu bytes, the same as before",
                   (unsigned long long)outcome->bytes);
    tell(source, changed ? "fetched" : "fetch_unchanged", what);
    if (changed && !source->fetching->parent->stopping) {
        source->fetching->own_reload = true;
        reload_begin(source->fetching->parent);
    }
}

/* ---- a fetch -----------------------------------------------------------------------------------
 */

static const struct supervised *process_of(const struct fetching *fetching)
{
    const struct supervised *child = supervisor_find(fetching->parent->supervisor, IPC_FETCH, 0);
    return child != NULL && child->ready ? child : NULL;
}

static size_t under_way(const struct fetching *fetching)
{
    size_t count = 0;
    for (size_t i = 0; i < fetching->count; i++) {
        count += fetching->sources[i]->state == SOURCE_RESOLVES ||
                 fetching->sources[i]->state == SOURCE_FETCHES;
    }
    return count;
}

static void on_silence(void *owner)
{
    struct source *source = owner;
    struct mutual_error why = {0};
    const struct supervised *child = process_of(source->fetching);
    (void)mu_fail(&why, MUTUAL_E_PROCESS_DIED, "the fetch process did not answer");
    if (child != NULL) {
        supervisor_kill(source->fetching->parent->supervisor, child, &why);
    }
    if (source->state == SOURCE_FETCHES) {
        fail(source, &why);
    }
}

static void on_resolved(void *owner, bool changed)
{
    struct source *source = owner;
    struct parent *parent = source->fetching->parent;
    const struct supervised *child = process_of(source->fetching);
    struct mutual_error err = {0};
    (void)changed;
    source->resolver = NULL;
    if (source->names.items[0].targets.count == 0) {
        (void)mu_fail(&err, MUTUAL_E_RESOLVE_FAILED, "host \"%s\" has no address", source->host);
        fail(source, &err);
        return;
    }
    if (child == NULL) {
        source->state = SOURCE_DUE;
        return;
    }
    source->state = SOURCE_FETCHES;
    if (!source_send(source, parent, child, &err)) {
        fail(source, &err);
        return;
    }
    reactor_arm_in(parent->reactor, &source->timer,
                   parent->current->world->config->fetch.timeout_ns + PATIENCE_S * MU_NS_PER_S,
                   on_silence, source);
}

static void begin(struct source *source)
{
    struct parent *parent = source->fetching->parent;
    struct mutual_error err = {0};
    source->state = SOURCE_RESOLVES;
    source->tried_s = mu_clock_wall_s();
    source->id = ++source->fetching->next_id;
    if (resolve_name_get(&source->names, source->host, source->parts.port) == NULL) {
        (void)mu_fail_memory(&err);
        fail(source, &err);
    } else if (!resolve_start(parent->reactor, &source->names, parent->current->world->config->user,
                              on_resolved, source, &source->resolver, &err)) {
        fail(source, &err);
    }
}

/* Those whose time has come, as far as there is room. */
static void begin_due(struct fetching *fetching)
{
    size_t room = AT_ONCE - under_way(fetching);
    for (size_t i = 0; i < fetching->count && room > 0 && process_of(fetching) != NULL; i++) {
        if (fetching->sources[i]->state == SOURCE_DUE) {
            begin(fetching->sources[i]);
            room--;
        }
    }
}

static void on_time(void *owner)
{
    struct source *source = owner;
    if (!source->fetching->parent->stopping) {
        source->state = SOURCE_DUE;
        begin_due(source->fetching);
    }
}

/* ---- the process -------------------------------------------------------------------------------
 */

void fetching_ready(struct fetching *fetching)
{
    begin_due(fetching);
}

void fetching_died(struct fetching *fetching)
{
    struct mutual_error why = {0};
    validating_lost(fetching->parent->validating);
    (void)mu_fail(&why, MUTUAL_E_PROCESS_DIED, "the fetch process ended meanwhile");
    for (size_t i = 0; i < fetching->count; i++) {
        if (fetching->sources[i]->state == SOURCE_FETCHES) {
            fail(fetching->sources[i], &why);
            wait_for(fetching->sources[i], AGAIN_MS * fetching->sources[i]->failures);
        }
    }
}

static struct source *find_by_id(const struct fetching *fetching, uint32_t id)
{
    for (size_t i = 0; i < fetching->count; i++) {
        if (fetching->sources[i]->id == id && fetching->sources[i]->state == SOURCE_FETCHES) {
            return fetching->sources[i];
        }
    }
    return NULL;
}

static bool on_want(struct fetching *fetching, const struct supervised *child,
                    const struct ipc_message *message, struct mutual_error *err)
{
    struct fetch_want want;
    struct mutual_error why = {0};
    int fd = -1;
    if (!fetch_want_read(message, &want, err)) {
        return false;
    }
    struct source *source = find_by_id(fetching, want.id);
    if ((want.id & VALIDATING_ID) != 0) {
        fd = validating_connect(fetching->parent->validating, &want, &fd, &why) ? fd : -1;
    } else if (source == NULL) {
        (void)mu_fail(&why, MUTUAL_E_NOT_FOUND, "nothing of that number is being fetched");
    } else if (!source_connect(source, &fetching->parent->current->world->config->fetch, &want, &fd,
                               &why)) {
        fd = -1;
    }
    bool done = fetch_socket_send(fetching->parent->supervisor, child, want.id, fd, &why, err);
    if (fd != -1) {
        (void)close(fd);
    }
    return done;
}

static bool on_outcome(struct fetching *fetching, struct ipc_message *message,
                       struct mutual_error *err)
{
    struct fetch_outcome outcome;
    if (!fetch_outcome_read(message, &outcome, err)) {
        return false;
    }
    if ((outcome.id & VALIDATING_ID) != 0) {
        validating_outcome(fetching->parent->validating, &outcome);
        return true;
    }
    struct source *source = find_by_id(fetching, outcome.id);
    if (source != NULL && outcome.error.code != MUTUAL_OK) {
        fail(source, &outcome.error);
    } else if (source != NULL && outcome.status == 304) {
        source->count_same++;
        succeed(source);
        tell(source, "fetch_unchanged", "not modified");
    } else if (source != NULL && !is_outdated(source)) {
        use(source, &outcome);
    }
    if (source != NULL) {
        source_forget_content(source);
    }
    begin_due(fetching);
    return true;
}

bool fetching_message(struct fetching *fetching, const struct supervised *child,
                      struct ipc_message *message, struct mutual_error *err)
{
    if (message->type == IPC_MSG_FETCH_SOCKET_WANTED) {
        return on_want(fetching, child, message, err);
    }
    if (message->type == IPC_MSG_FETCH_DONE) {
        return on_outcome(fetching, message, err);
    }
    return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "%s sent %s", child->role->name,
                   ipc_type_name(message->type));
}

/* ---- the configuration -------------------------------------------------------------------------
 */

static struct source *find(const struct fetching *fetching, enum source_kind kind,
                           const char *owner, const char *url)
{
    for (size_t i = 0; i < fetching->count; i++) {
        struct source *source = fetching->sources[i];
        if (source->kind == kind && strcmp(source->owner, owner) == 0 &&
            (url == NULL || strcmp(source->url, url) == 0)) {
            return source;
        }
    }
    return NULL;
}

static struct source *add(struct fetching *fetching, enum source_kind kind, const char *owner,
                          const char *url)
{
    const struct config *config = fetching->parent->current->world->config;
    struct source *source = mu_grow((void **)&fetching->sources, &fetching->cap, fetching->count,
                                    sizeof(struct source *), SOURCES_MAX)
                                ? source_new(fetching, config, kind, owner, url)
                                : NULL;
    if (source == NULL) {
        struct mutual_error err = {0};
        (void)mu_fail(&err, MUTUAL_E_LIMIT, "\"%s\" cannot be fetched too", url);
        parent_log(fetching->parent, CONFIG_LOG_ERROR, "fetch_failed", NULL, &err);
        return NULL;
    }
    fetching->sources[fetching->count++] = source;
    return source;
}

/* What is had of it already, if it is the same; else a new one. NULL: there is no room. */
static struct source *follow_one(struct fetching *fetching, enum source_kind kind,
                                 const char *owner, const char *url, int64_t every_ns)
{
    struct source *source = find(fetching, kind, owner, url);
    if (source == NULL) {
        source = add(fetching, kind, owner, url);
    }
    if (source != NULL) {
        source->wanted = true;
        source->every_s = every_ns / MU_NS_PER_S;
    }
    return source;
}

static void follow_list(struct fetching *fetching, const char *trust,
                        const struct config_source *written, bool anew)
{
    bool fresh = find(fetching, SOURCE_LIST, trust, written->url) == NULL;
    struct source *source =
        follow_one(fetching, SOURCE_LIST, trust, written->url, written->every_ns);
    if (source != NULL && (fresh || (anew && source->state == SOURCE_WAITS))) {
        wait_a_little(source);
    }
}

/* A chain that several services present is asked about once, as the first of them says. */
static void follow_staple(struct fetching *fetching, const struct world_chain *chain, bool anew)
{
    const char *path = chain->config->chain;
    struct source *source = find(fetching, SOURCE_STAPLE, path, NULL);
    if (source != NULL && source->wanted) {
        return;
    }
    bool fresh = find(fetching, SOURCE_STAPLE, path, chain->staple_url) == NULL;
    source = follow_one(fetching, SOURCE_STAPLE, path, chain->staple_url,
                        chain->config->staple.every_ns);
    if (source == NULL) {
        return;
    }
    bool had = source_holds(source, mu_clock_wall_s());
    source_follow_chain(source, chain);
    bool renewed = had && !source->has_kept;
    if (source->state == SOURCE_WAITS && (fresh || renewed || (anew && source->failures > 0))) {
        wait_a_little(source);
    }
}

static void drop_unwanted(struct fetching *fetching)
{
    size_t kept = 0;
    for (size_t i = 0; i < fetching->count; i++) {
        struct source *source = fetching->sources[i];
        if (source->wanted) {
            source->wanted = false;
            fetching->sources[kept++] = source;
        } else {
            source_free(source, fetching->parent->reactor);
        }
    }
    fetching->count = kept;
}

static void follow_process(struct fetching *fetching)
{
    struct mutual_error err = {0};
    struct supervisor *supervisor = fetching->parent->supervisor;
    bool wanted = fetching->count > 0 || validating_wanted(fetching->parent);
    if (wanted && !fetching->has_process) {
        fetching->has_process = supervisor_add(supervisor, &fetch_role, 0, &err);
        if (!fetching->has_process) {
            parent_log(fetching->parent, CONFIG_LOG_ERROR, "fetch_failed", NULL, &err);
        }
    } else if (!wanted && fetching->has_process) {
        supervisor_remove(supervisor, IPC_FETCH, 0, 0);
        fetching->has_process = false;
    }
}

void fetching_follow(struct fetching *fetching)
{
    const struct config *config = fetching->parent->current->world->config;
    bool anew = !fetching->own_reload;
    fetching->own_reload = false;
    for (size_t i = 0; i < config->trust_count; i++) {
        const struct config_trust *trust = &config->trusts[i];
        for (size_t j = 0; j < trust->revocation.fetch_count; j++) {
            follow_list(fetching, trust->name, &trust->revocation.fetch[j], anew);
        }
    }
    const struct world *world = fetching->parent->current->world;
    for (size_t i = 0; i < world->service_count; i++) {
        for (size_t k = 0; k < world->services[i].chain_count; k++) {
            if (world->services[i].chains[k].staple_url != NULL) {
                follow_staple(fetching, &world->services[i].chains[k], anew);
            }
        }
    }
    drop_unwanted(fetching);
    follow_process(fetching);
}

size_t fetching_count(const struct fetching *fetching)
{
    return fetching->count;
}

const struct source *fetching_get(const struct fetching *fetching, size_t index)
{
    return fetching->sources[index];
}

void fetching_json(const struct fetching *fetching, struct mu_json *json)
{
    mu_json_open(json, "fetched", '[');
    for (size_t i = 0; i < fetching->count; i++) {
        source_json(fetching->sources[i], json);
    }
    mu_json_close(json, ']');
}

bool fetching_staple_json(const struct fetching *fetching, const char *chain, struct mu_json *json)
{
    const struct source *source = find(fetching, SOURCE_STAPLE, chain, NULL);
    if (source != NULL) {
        source_staple_json(source, json);
    }
    return source != NULL;
}

bool fetching_staple(const struct fetching *fetching, size_t index, struct fetching_staple *ret)
{
    size_t nth = 0;
    for (size_t i = 0; i < fetching->count; i++) {
        const struct source *source = fetching->sources[i];
        if (source->kind == SOURCE_STAPLE && source->has_kept && nth++ == index) {
            *ret = (struct fetching_staple){source->owner, source->must_staple,
                                            source->kept.this_update_s, source->kept.next_update_s};
            return true;
        }
    }
    return false;
}
