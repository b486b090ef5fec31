/* SPDX-License-Identifier: Apache-2.0
 *
 * The policy made real: grants with parsed patterns, its generation, and grants that can never let
 * anybody in.
 */
#include "world/world_internal.h"

#include <string.h>

static const char *text_of(const char *text)
{
    return text != NULL ? text : "";
}

/* ---- never -------------------------------------------------------------------------------------
 */

static bool any_listener(const struct config *config, const struct config_grant *grant,
                         bool (*wanted)(const struct config_inbound *inbound))
{
    for (size_t t = 0; t < grant->to.count; t++) {
        const char *to = grant->to.items[t];
        if (to == NULL) {
            return true; /* told elsewhere */
        }
        if (strcmp(to, "*") != 0) {
            const struct config_inbound *inbound = config_inbound_find(config, to);
            if (inbound == NULL || wanted(inbound)) {
                return true;
            }
            continue;
        }
        for (size_t i = 0; i < config->served_count; i++) {
            if (wanted(config->served[i])) {
                return true;
            }
        }
    }
    return false;
}

static bool asks(const struct config_inbound *inbound)
{
    return inbound->clients.mode != CONFIG_MODE_NONE;
}

static bool requests(const struct config_inbound *inbound)
{
    return inbound->clients.mode == CONFIG_MODE_REQUEST;
}

static void judge_grant(struct build *build, const struct config_grant *grant)
{
    char date[MU_TIME_TEXT];
    const struct config *config = build->whole->config;
    if (grant->until_s <= build->now_s) {
        struct config_place place = config_place_of(&grant->mark, "until");
        build_add(build, CONFIG_WARNING, MUTUAL_E_GRANT_UNREACHABLE, &place,
                  "remove it, or give it a later end", "the grant \"%s\" ended on %s",
                  text_of(grant->name), mu_time_format(grant->until_s, date));
    }
    if (config->inbound_count == 0) {
        return; /* a policy that is shared among machines may be about others */
    }
    if (!any_listener(config, grant, asks)) {
        struct config_place place = config_place_of(&grant->mark, "to");
        build_add(build, CONFIG_WARNING, MUTUAL_E_GRANT_UNREACHABLE, &place,
                  "clients: {mode: require, trust: NAME}",
                  "the grant \"%s\" has no effect: \"%s\" asks no client for a certificate",
                  text_of(grant->name), grant->to.items[0]);
    } else if (grant->anonymous && !any_listener(config, grant, requests)) {
        struct config_place place = config_place_of(&grant->mark, "anonymous");
        build_add(build, CONFIG_WARNING, MUTUAL_E_GRANT_UNREACHABLE, &place,
                  "clients: {mode: request}",
                  "the grant \"%s\" lets in clients without certificate, but every listener it is "
                  "to requires one",
                  text_of(grant->name));
    }
}

/* ---- shadowed
 * ------------------------------------------------------------------------------------ */

static bool covers(const struct config_grant *wide, const struct config_grant *narrow)
{
    return wide->since_s <= narrow->since_s && wide->until_s >= narrow->until_s;
}

/* Remembers who gave what first; says who gave the same for at least as long before, or NULL. */
static const struct config_grant *given_before(struct build *build, struct mu_map *given,
                                               const struct config_grant *grant, const char *to,
                                               const struct config_pattern *from)
{
    MU_AUTO(buf) struct mu_buf key;
    mu_buf_init(&key, 4096);
    mu_buf_printf(&key, "%s %d %s", text_of(to), (int)from->type, text_of(from->text));
    struct config_grant *before = mu_map_get(given, mu_buf_slice(&key));
    if (before != NULL && covers(before, grant)) {
        return before;
    }
    union {
        const struct config_grant *kept;
        void *value;
    } both = {grant};
    if (!mu_map_put(given, mu_buf_slice(&key), both.value)) {
        build->no_memory = true;
    }
    return NULL;
}

/* A grant is of no use when everything it gives was given before, for as long. */
static void judge_shadow(struct build *build, struct mu_map *given,
                         const struct config_grant *grant)
{
    const struct config_grant *before = NULL;
    bool all = grant->from_count > 0 && !grant->anonymous && !grant->anyone;
    for (size_t t = 0; t < grant->to.count; t++) {
        for (size_t f = 0; f < grant->from_count; f++) {
            const struct config_grant *same =
                given_before(build, given, grant, grant->to.items[t], &grant->from[f]);
            all = all && same != NULL && same != grant;
            before = same != NULL ? same : before;
        }
    }
    if (all && before != NULL) {
        struct config_place place = config_place_of(&grant->mark, "grant");
        build_add(build, CONFIG_WARNING, MUTUAL_E_GRANT_UNREACHABLE, &place, "remove one of them",
                  "the grant \"%s\" gives nothing that \"%s\" does not give already (%s:%u)",
                  text_of(grant->name), text_of(before->name), text_of(before->mark.file),
                  before->mark.line);
    }
}

/* ---- building
 * ------------------------------------------------------------------------------------ */

/* Adds the grant for one of the listeners it is to. With several, each is named "grant/listener",
 * which no grant of the configuration can be called. */
static bool add_grant(struct build *build, struct mutual_policy *policy,
                      const struct config_grant *grant, size_t index)
{
    if (grant->name == NULL || grant->to.items[index] == NULL || grant->owner == NULL ||
        grant->why == NULL) {
        return false; /* required settings: what is missing was told when the file was read */
    }
    MU_AUTO(free)
    struct mutual_pattern **patterns = mu_alloc(grant->from_count + 1, sizeof(void *));
    MU_AUTO(buf) struct mu_buf name;
    mu_buf_init(&name, 1024);
    if (patterns == NULL) {
        build->no_memory = true;
        return false;
    }
    mu_buf_text(&name, text_of(grant->name));
    if (grant->to.count > 1) {
        mu_buf_printf(&name, "/%s", text_of(grant->to.items[index]));
    }
    size_t count =
        build_patterns(build, &grant->mark, "from", grant->from, grant->from_count, patterns);
    if (count < grant->from_count) {
        for (size_t i = 0; i < count; i++) {
            mutual_pattern_free(patterns[i]);
        }
        return false; /* the pattern was told; its grant would only be a consequence */
    }
    struct mutual_grant made = {
        .name = mu_buf_str(&name),
        .to = text_of(grant->to.items[index]),
        .from = patterns,
        .from_count = count,
        .anonymous = grant->anonymous,
        .anyone = grant->anyone,
        .since_s = grant->since_s,
        .until_s = grant->until_s,
        .owner = text_of(grant->owner),
        .why = text_of(grant->why),
        .file = grant->mark.file,
        .line = (int)grant->mark.line,
    };
    struct mutual_error err = {0};
    if (!mutual_policy_add(policy, &made, &err)) {
        struct config_place place = config_place_of(&grant->mark, "grant");
        build_add_error(build, CONFIG_ERROR, &place, &err);
        return false;
    }
    return true;
}

static void digest_grant(struct digest *digest, const struct config_grant *grant)
{
    MU_AUTO(buf) struct mu_buf all;
    mu_buf_init(&all, 64u << 20);
    mu_buf_printf(&all, "%s %lld %lld %d %d %d", text_of(grant->name), (long long)grant->since_s,
                  (long long)grant->until_s, grant->anonymous, grant->anyone, (int)grant->shadow);
    for (size_t i = 0; i < grant->to.count; i++) {
        mu_buf_printf(&all, " >%s", text_of(grant->to.items[i])); /* names hold no spaces */
    }
    for (size_t i = 0; i < grant->from_count; i++) {
        const char *text = text_of(grant->from[i].text);
        mu_buf_printf(&all, " <%d:%zu:%s", (int)grant->from[i].type, strlen(text), text);
    }
    digest->failed = digest->failed || all.failed;
    digest_add(digest, mu_buf_slice(&all));
}

/* The policy of today, or that of tomorrow, in which what is tried is done. Of the second no
 * finding is told that was not told of the first. */
static struct mutual_policy *build_one(struct build *build, bool tomorrow)
{
    const struct config *config = build->whole->world.config;
    size_t errors = build->findings->errors;
    struct mutual_policy *policy = mutual_policy_new();
    enum config_shadow without = tomorrow ? CONFIG_SHADOW_REMOVE : CONFIG_SHADOW_ADD;
    for (size_t i = 0; policy != NULL && i < config->grant_count; i++) {
        const struct config_grant *grant = &config->grants[i];
        bool added = grant->shadow != without;
        for (size_t t = 0; added && t < grant->to.count; t++) {
            added = add_grant(build, policy, grant, t);
        }
    }
    struct mutual_error err = {0};
    build->no_memory = build->no_memory || policy == NULL;
    if (policy != NULL && build->findings->errors == errors &&
        !mutual_policy_freeze(policy, &err)) {
        build_add_error(build, CONFIG_ERROR, NULL, &err);
    }
    return policy;
}

static void judge_all(struct build *build, struct digest *digest)
{
    const struct config *config = build->whole->world.config;
    struct mu_map *given = mu_map_new();
    build->no_memory = build->no_memory || given == NULL;
    for (size_t i = 0; given != NULL && i < config->grant_count; i++) {
        const struct config_grant *grant = &config->grants[i];
        digest_grant(digest, grant);
        judge_grant(build, grant);
        if (grant->shadow == CONFIG_SHADOW_NONE) {
            judge_shadow(build, given, grant);
        }
    }
    mu_map_free(given);
}

/* Who administers an authority is judged elsewhere; here the patterns are looked at, so that one
 * that is none is told before anything is served. */
static void look_at_admins(struct build *build)
{
    const struct config_authority *authority = &build->whole->world.config->authority;
    for (size_t i = 0; i < authority->admin_count; i++) {
        const struct config_admin *admin = &authority->admins[i];
        struct mutual_pattern **patterns = mu_alloc(admin->who_count + 1, sizeof(void *));
        if (patterns == NULL) {
            build->no_memory = true;
            return;
        }
        size_t count =
            build_patterns(build, &admin->mark, "who", admin->who, admin->who_count, patterns);
        for (size_t k = 0; k < count; k++) {
            mutual_pattern_free(patterns[k]);
        }
        mu_free(patterns);
    }
}

void build_policy(struct build *build)
{
    struct world *world = &build->whole->world;
    const struct config *config = world->config;
    size_t errors = build->findings->errors;
    struct digest digest = {.failed = false};
    bool tried = false;
    for (size_t i = 0; i < config->grant_count; i++) {
        tried = tried || config->grants[i].shadow != CONFIG_SHADOW_NONE;
    }
    world->policy = build_one(build, false);
    if (tried && build->findings->errors == errors) {
        world->shadow = build_one(build, true);
    }
    look_at_admins(build);
    judge_all(build, &digest);
    world->policy_generation = digest_value(&digest);
    build->no_memory = build->no_memory || digest.failed;
}
