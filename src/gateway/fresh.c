/* SPDX-License-Identifier: Apache-2.0
 *
 * Revocation lists that near their next update are told of before it is too late: when a quarter of
 * their life is left, at every full hour of the last day, at the moment itself, and every hour from
 * then on.
 */
#include "gateway/fresh_internal.h"

#include <stdio.h>

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

static void tell(struct parent *parent, const struct world_trust *trust,
                 const struct mu_trust_list *list, int64_t now_s)
{
    char words[MU_TIME_TEXT];
    char date[MU_TIME_TEXT];
    char text[512];
    bool late = now_s >= list->next_update_s;
    int64_t distance = late ? now_s - list->next_update_s : list->next_update_s - now_s;
    (void)snprintf(text, sizeof text,
                   "the revocation list of \"%.150s\" in trust block \"%s\" %s %s%s (%s); %s%s",
                   list->issuer, trust->config->name,
                   late ? "was to be renewed" : "is to be renewed within",
                   mu_duration_words(distance, words), late ? " ago" : "",
                   mu_time_format(list->next_update_s, date), late ? "" : "then ",
                   world_stale_outcome(&trust->config->revocation.when_stale));
    parent_log(parent, late ? CONFIG_LOG_ERROR : CONFIG_LOG_WARNING,
               late ? "crl_stale" : "crl_stale_soon", text, NULL);
}

/* Tells what came due since `since_s`; returns when the next is. */
static int64_t look(struct parent *parent, int64_t since_s, int64_t now_s)
{
    const struct world *world = parent->current->world;
    int64_t next_s = MU_TIME_NEVER_S;
    for (size_t t = 0; t < world->trust_count; t++) {
        struct mu_trust_list list;
        for (size_t i = 0; mu_trust_list(world->trusts[t].trust, i, &list); i++) {
            if (fresh_next(list.this_update_s, list.next_update_s, since_s) <= now_s) {
                tell(parent, &world->trusts[t], &list, now_s);
            }
            int64_t due_s = fresh_next(list.this_update_s, list.next_update_s, now_s);
            next_s = due_s < next_s ? due_s : next_s;
        }
    }
    return next_s;
}

static void on_time(void *owner);

static void arm(struct parent *parent, int64_t next_s, int64_t now_s)
{
    int64_t wait_s = next_s - now_s < HOUR_S ? next_s - now_s : HOUR_S; /* clocks are set */
    parent->fresh_s = now_s;
    if (next_s != MU_TIME_NEVER_S) {
        reactor_arm_in(parent->reactor, &parent->fresh, wait_s * MU_NS_PER_S, on_time, parent);
    }
}

static void on_time(void *owner)
{
    struct parent *parent = owner;
    int64_t now_s = mu_clock_wall_s();
    arm(parent, look(parent, parent->fresh_s, now_s), now_s);
}

void fresh_follow(struct parent *parent)
{
    const struct world *world = parent->current->world;
    int64_t now_s = mu_clock_wall_s();
    reactor_cancel(parent->reactor, &parent->fresh);
    for (size_t t = 0; t < world->trust_count; t++) {
        struct mu_trust_list list;
        for (size_t i = 0; mu_trust_list(world->trusts[t].trust, i, &list); i++) {
            if (now_s >= fresh_first(list.this_update_s, list.next_update_s)) {
                tell(parent, &world->trusts[t], &list, now_s);
            }
        }
    }
    arm(parent, look(parent, now_s, now_s), now_s);
}
