/* SPDX-License-Identifier: Apache-2.0
 *
 * What a change did, told once: the workers' tallies added up, in the log and in the status.
 */
#include <stdio.h>
#include <string.h>

#include "gateway/log_internal.h"
#include "gateway/parent_internal.h"

/* ---- what changed -------------------------------------------------------------------------------
 */

static bool same_services(const struct world *a, const struct world *b)
{
    bool same = a->service_count == b->service_count;
    for (size_t i = 0; same && i < a->service_count; i++) {
        const struct world_service *then = &a->services[i];
        const struct world_service *now = world_service_find(b, then->name);
        same = now != NULL && (then->inbound == NULL) == (now->inbound == NULL) &&
               then->rules.mode == now->rules.mode;
    }
    return same;
}

static void compare_trusts(const struct world *a, const struct world *b, bool *ret_anchors,
                           bool *ret_lists)
{
    *ret_anchors = a->trust_count != b->trust_count;
    *ret_lists = false;
    for (size_t i = 0; i < a->trust_count; i++) {
        const struct world_trust *now = world_trust_find(b, a->trusts[i].config->name);
        *ret_anchors =
            *ret_anchors || now == NULL || now->trust_generation != a->trusts[i].trust_generation;
        *ret_lists = *ret_lists || (now != NULL && now->revocation_generation !=
                                                       a->trusts[i].revocation_generation);
    }
}

static void put_what(const struct world *before, const struct world *now, char text[CHANGE_WORDS])
{
    bool anchors = false;
    bool lists = false;
    compare_trusts(before, now, &anchors, &lists);
    const struct {
        bool changed;
        const char *word;
    } parts[] = {{before->policy_generation != now->policy_generation, "policy"},
                 {anchors, "trust"},
                 {lists, "revocation"},
                 {before->deny_generation != now->deny_generation, "deny list"},
                 {!same_services(before, now), "services"}};
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < MU_COUNT(parts); i++) {
        if (parts[i].changed) {
            len += (size_t)snprintf(text + len, CHANGE_WORDS - len, "%s%s", len > 0 ? ", " : "",
                                    parts[i].word);
        }
    }
    if (len == 0) {
        (void)snprintf(text, CHANGE_WORDS, "settings");
    }
}

/* ---- telling ------------------------------------------------------------------------------------
 */

static void add(struct change_tally *sum, const struct change_tally *more)
{
    sum->affected += more->affected;
    sum->closed += more->closed;
    sum->kept += more->kept;
    sum->unjudged += more->unjudged;
    sum->open += more->open;
    sum->took_ns = more->took_ns > sum->took_ns ? more->took_ns : sum->took_ns;
}

static void tell(struct parent *parent, const char *event, const char *what,
                 const struct change_tally *tally, bool overtaken)
{
    char text[320];
    (void)snprintf(text, sizeof text,
                   "%s changed: of %u open connections %u were affected, %u closed, %u kept%s",
                   what, tally->open, tally->affected, tally->closed, tally->kept,
                   overtaken ? "; the next change overtook this one" : "");
    const struct log_figure figures[] = {
        {"open", tally->open},         {"affected", tally->affected},
        {"closed", tally->closed},     {"kept", tally->kept},
        {"unjudged", tally->unjudged}, {"took_ms", tally->took_ns / MU_NS_PER_MS},
    };
    struct log_entry entry = {.time_s = mu_clock_wall_s(),
                              .level = tally->unjudged > 0 ? CONFIG_LOG_WARNING : CONFIG_LOG_INFO,
                              .event = event,
                              .text = text,
                              .figures = figures,
                              .figure_count = MU_COUNT(figures)};
    parent_tell(parent, &entry);
}

static void add_totals(struct changes *changes, const struct change_tally *tally)
{
    changes->affected += tally->affected;
    changes->closed += tally->closed;
    changes->kept += tally->kept;
    changes->unjudged += tally->unjudged;
}

/* Nobody is waited for any more: the last one is known. */
static void finish(struct parent *parent, struct awaited *awaited)
{
    struct changes *changes = &parent->changes;
    awaited->tally.took_ns = mu_clock_mono_ns() - awaited->started_ns;
    tell(parent, "change", awaited->what, &awaited->tally, awaited->overtaken);
    add_totals(changes, &awaited->tally);
    changes->count++;
    changes->last_s = mu_clock_wall_s();
    changes->last = awaited->tally;
    (void)snprintf(changes->last_what, sizeof changes->last_what, "%s", awaited->what);
    *awaited = (struct awaited){.id = 0};
}

static void step(struct parent *parent, struct awaited *awaited)
{
    if (awaited->id != 0 && awaited->in_use && awaited->missing == 0) {
        finish(parent, awaited);
    }
}

/* ---- the life of one ----------------------------------------------------------------------------
 */

void changes_expect(struct parent *parent)
{
    struct changes *changes = &parent->changes;
    struct awaited *awaited = &changes->awaited;
    if (awaited->id != 0 && awaited->in_use) {
        changes->before = *awaited;
        changes->before.overtaken = true;
    }
    *awaited = (struct awaited){.id = parent->coming->id, .started_ns = parent->reload_began_ns};
    if (parent->current == NULL) {
        awaited->id = 0;
        return;
    }
    put_what(parent->current->world, parent->coming->world, awaited->what);
    for (uint32_t i = 0; i < parent->workers; i++) {
        awaited->from[i] = parent->done[i] != 0;
        awaited->missing += awaited->from[i] ? 1 : 0;
    }
}

/* Before a worker says that it uses the new one, it has said what became of the one before. */
void changes_in_use(struct parent *parent)
{
    struct changes *changes = &parent->changes;
    if (changes->before.id != 0) {
        finish(parent, &changes->before);
    }
    changes->awaited.in_use = true;
    step(parent, &changes->awaited);
}

void changes_refused(struct parent *parent)
{
    struct changes *changes = &parent->changes;
    if (!changes->awaited.in_use) {
        changes->awaited = changes->before; /* whose place it took */
        changes->before = (struct awaited){.id = 0};
    }
}

static void no_longer(struct parent *parent, struct awaited *awaited, uint32_t worker)
{
    if (awaited->from[worker]) {
        awaited->from[worker] = false;
        awaited->missing--;
        step(parent, awaited);
    }
}

void changes_worker_died(struct parent *parent, uint32_t worker)
{
    no_longer(parent, &parent->changes.before, worker);
    no_longer(parent, &parent->changes.awaited, worker);
}

bool changes_report(struct parent *parent, const struct supervised *worker,
                    const struct ipc_message *message, struct mutual_error *err)
{
    struct changes *changes = &parent->changes;
    struct change_tally tally = {0};
    uint32_t id = 0;
    bool overtaken = false;
    if (!change_read(message, &id, &overtaken, &tally, err)) {
        return false;
    }
    struct awaited *awaited = id == changes->before.id ? &changes->before : &changes->awaited;
    if (id != 0 && id == awaited->id && awaited->from[worker->index]) {
        add(&awaited->tally, &tally);
        no_longer(parent, awaited, worker->index);
        return true;
    }
    if (tally.affected + tally.closed > 0) { /* by time, or of what was refused in the end */
        tell(parent, id == 0 ? "ended" : "change", id == 0 ? "time" : "settings", &tally,
             overtaken);
    }
    add_totals(changes, &tally);
    return true;
}

static void put_tally(struct mu_json *json, uint64_t affected, uint64_t closed, uint64_t kept,
                      uint64_t unjudged)
{
    mu_json_int(json, "affected", (int64_t)affected);
    mu_json_int(json, "closed", (int64_t)closed);
    mu_json_int(json, "kept", (int64_t)kept);
    mu_json_int(json, "unjudged", (int64_t)unjudged);
}

void changes_json(const struct changes *changes, struct mu_json *json)
{
    char text[MU_TIME_TEXT];
    const struct change_tally *last = &changes->last;
    mu_json_open(json, "changes", '{');
    mu_json_int(json, "count", (int64_t)changes->count);
    put_tally(json, changes->affected, changes->closed, changes->kept, changes->unjudged);
    if (changes->count == 0) {
        mu_json_null(json, "last");
    } else {
        mu_json_open(json, "last", '{');
        mu_json_string(json, "at", mu_time_format(changes->last_s, text));
        mu_json_string(json, "what", changes->last_what);
        mu_json_int(json, "open", last->open);
        put_tally(json, last->affected, last->closed, last->kept, last->unjudged);
        mu_json_int(json, "took_ms", last->took_ns / MU_NS_PER_MS);
        mu_json_close(json, '}');
    }
    mu_json_close(json, '}');
}
