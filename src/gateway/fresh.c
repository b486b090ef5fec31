/* SPDX-License-Identifier: Apache-2.0
 *
 * Revocation lists and OCSP responses that near their next update are told of before it is too
 * late: when a quarter of their life is left, at every full hour of the last day, at the moment
 * itself, and every hour from then on.
 */
#include "gateway/fresh_internal.h"

#include <stdio.h>
#include <string.h>

#include "gateway/fetching_internal.h"
#include "gateway/parent_internal.h"
#include "trust/trust.h"

enum { HOUR_S = 3600, DAY_S = 86400 };

int64_t fresh_first(int64_t this_s, int64_t next_s)
{
    return next_s - (next_s - this_s) / 4;
}

int64_t fresh_next(int64_t this_s, int64_t next_s, int64_t now_s)
{
    int64_t first = fresh_first(this_s, next_s);
    int64_t day = next_s - DAY_S;
    if (now_s < first) {
        return first;
    }
    if (now_s < day) {
        return day;
    }
    if (now_s >= next_s) {
        return now_s + HOUR_S - (now_s - next_s) % HOUR_S;
    }
    int64_t left = next_s - now_s; /* the next full hour, counted back from the end */
    return next_s - (left - 1) / HOUR_S * HOUR_S;
}

/* Something with a next update. */
struct aging {
    const char *event, *event_soon; /* "crl_stale", "crl_stale_soon" */
    const char *what;               /* "the revocation list of ..."  */
    const char *outcome;            /* what happens at that moment   */
    int64_t this_s, next_s;
};

/* A round over all of them. */
struct look {
    struct parent *parent;
    bool first;      /* tells of all that are late or nearly so, else of what came due */
    int64_t since_s; /* ... since then */
    int64_t now_s;
    int64_t next_s; /* when the next is due */
};

static void tell(const struct look *look, const struct aging *aging)
{
    char words[MU_TIME_TEXT];
    char date[MU_TIME_TEXT];
    char text[640];
    bool late = look->now_s >= aging->next_s;
    int64_t distance = late ? look->now_s - aging->next_s : aging->next_s - look->now_s;
    (void)snprintf(text, sizeof text, "%s %s %s%s (%s); %s%s", aging->what,
                   late ? "was to be renewed" : "is to be renewed within",
                   mu_duration_words(distance, words), late ? " ago" : "",
                   mu_time_format(aging->next_s, date), late ? "" : "then ", aging->outcome);
    parent_log(look->parent, late ? CONFIG_LOG_ERROR : CONFIG_LOG_WARNING,
               late ? aging->event : aging->event_soon, text, NULL);
}

static void consider(struct look *look, const struct aging *aging)
{
    bool due = look->first ? look->now_s >= fresh_first(aging->this_s, aging->next_s)
                           : fresh_next(aging->this_s, aging->next_s, look->since_s) <= look->now_s;
    if (due) {
        tell(look, aging);
    }
    int64_t due_s = fresh_next(aging->this_s, aging->next_s, look->now_s);
    look->next_s = due_s < look->next_s ? due_s : look->next_s;
}

static void consider_lists(struct look *look, const struct world_trust *trust)
{
    struct mu_trust_list list;
    char what[320];
    for (size_t i = 0; mu_trust_list(trust->trust, i, &list); i++) {
        (void)snprintf(what, sizeof what,
                       "the revocation list of \"%.150s\" in trust block \"%.100s\"", list.issuer,
                       trust->config->name);
        const struct aging aging = {"crl_stale",
                                    "crl_stale_soon",
                                    what,
                                    world_stale_outcome(&trust->config->revocation.when_stale),
                                    list.this_update_s,
                                    list.next_update_s};
        consider(look, &aging);
    }
}

static void consider_staple(struct look *look, const struct fetching_staple *staple)
{
    char what[400];
    (void)snprintf(what, sizeof what, "the OCSP response stapled to the certificate in \"%.300s\"",
                   staple->chain);
    const struct aging aging = {
        "staple_stale",
        "staple_stale_soon",
        what,
        staple->must_staple ? "none is sent, and clients refuse it (must-staple)" : "none is sent",
        staple->this_update_s,
        staple->next_update_s};
    consider(look, &aging);
}

/* Those that are files; a chain that many services present is told of once. */
static void consider_files(struct look *look, const struct world *world, struct mu_map *told)
{
    for (size_t i = 0; i < world->service_count; i++) {
        for (size_t k = 0; k < world->services[i].chain_count; k++) {
            const struct world_chain *chain = &world->services[i].chains[k];
            struct mu_slice path = mu_slice_text(chain->config->chain);
            if (chain->staple.len == 0 || mu_map_get(told, path) != NULL ||
                !mu_map_put(told, path, look)) {
                continue;
            }
            const struct fetching_staple staple = {
                chain->config->chain, mu_cert_facts(chain->certs[0])->must_staple,
                chain->staple_span.from_s, chain->staple_span.until_s};
            consider_staple(look, &staple);
        }
    }
}

static void go_round(struct look *look)
{
    const struct world *world = look->parent->current->world;
    struct fetching_staple staple;
    struct mu_map *told = mu_map_new();
    for (size_t t = 0; t < world->trust_count; t++) {
        consider_lists(look, &world->trusts[t]);
    }
    for (size_t i = 0; fetching_staple(look->parent->fetching, i, &staple); i++) {
        consider_staple(look, &staple);
    }
    if (told != NULL) {
        consider_files(look, world, told);
    }
    mu_map_free(told);
}

static void on_time(void *owner);

static void arm(const struct look *look)
{
    struct parent *parent = look->parent;
    int64_t wait_s = look->next_s - look->now_s;
    wait_s = wait_s < HOUR_S ? wait_s : HOUR_S; /* clocks are set */
    parent->fresh_s = look->now_s;
    if (look->next_s != MU_TIME_NEVER_S) {
        reactor_arm_in(parent->reactor, &parent->fresh, wait_s * MU_NS_PER_S, on_time, parent);
    }
}

static void on_time(void *owner)
{
    struct parent *parent = owner;
    struct look look = {.parent = parent,
                        .since_s = parent->fresh_s,
                        .now_s = mu_clock_wall_s(),
                        .next_s = MU_TIME_NEVER_S};
    go_round(&look);
    arm(&look);
}

void fresh_follow(struct parent *parent)
{
    struct look look = {
        .parent = parent, .first = true, .now_s = mu_clock_wall_s(), .next_s = MU_TIME_NEVER_S};
    reactor_cancel(parent->reactor, &parent->fresh);
    go_round(&look);
    arm(&look);
}
