/* SPDX-License-Identifier: Apache-2.0
 *
 * What is wrong, or will be: found anew whenever somebody asks, in the world in use.
 */
#include "gateway/health_internal.h"

#include <stdarg.h>
#include <stdio.h>

#include "gateway/fetching_internal.h"
#include "gateway/figures_internal.h"
#include "gateway/parent_internal.h"
#include "gateway/source_internal.h"
#include "trust/trust.h"

enum { DAY_S = 86400, EARLIEST_S = 30 * DAY_S, FETCH_FAILURES = 3 };

int64_t health_red_from(int64_t from_s, int64_t until_s, int64_t margin_ns)
{
    int64_t tenth_s = until_s > from_s ? (until_s - from_s) / 10 : 0;
    int64_t margin_s = tenth_s < EARLIEST_S ? tenth_s : EARLIEST_S;
    return until_s - (margin_ns > 0 ? margin_ns / MU_NS_PER_S : margin_s);
}

/* Somebody who is told findings. */
struct look {
    const struct parent *parent;
    int64_t now_s, margin_ns;
    enum health worst;
    size_t count;
    struct mu_json *json; /* one of the two */
    struct mu_buf *text;
};

static const char *const health_words[] = {"pass", "warn", "fail"};

MUTUAL_PRINTF(4, 5)
static void find(struct look *look, enum health health, const char *check, const char *format, ...)
{
    char why[512];
    va_list args;
    look->worst = health > look->worst ? health : look->worst;
    if (++look->count > HEALTH_TOLD_MAX || (look->json == NULL && look->text == NULL)) {
        return;
    }
    va_start(args, format);
    (void)vsnprintf(why, sizeof why, format, args);
    va_end(args);
    if (look->json == NULL) {
        (void)mu_buf_printf(look->text, "%s %s: ", health_words[health], check);
        mu_escape(look->text, mu_slice_text(why));
        (void)mu_buf_byte(look->text, '\n');
        return;
    }
    mu_json_open(look->json, NULL, '{');
    mu_json_string(look->json, "check", check);
    mu_json_string(look->json, "status", health_words[health]);
    mu_json_string(look->json, "why", why);
    mu_json_close(look->json, '}');
}

/* `what` holds from..until; is its end near? */
MUTUAL_PRINTF(5, 6)
static void find_end(struct look *look, const char *check, int64_t from_s, int64_t until_s,
                     const char *format, ...)
{
    char what[320];
    char date[MU_TIME_TEXT];
    char words[MU_TIME_TEXT];
    va_list args;
    if (look->now_s < health_red_from(from_s, until_s, look->margin_ns)) {
        return;
    }
    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    int64_t left_s = until_s - look->now_s;
    find(look, HEALTH_FAIL, check, "%s %s %s%s (%s)", what, left_s > 0 ? "ends in" : "ended",
         mu_duration_words(left_s > 0 ? left_s : -left_s, words), left_s > 0 ? "" : " ago",
         mu_time_format(until_s, date));
}

/* ---- what is looked at --------------------------------------------------------------------------
 */

static const char *kind_of(const struct world_service *service)
{
    return service->outbound != NULL ? "outbound" : service->listener != NULL ? "host" : "inbound";
}

static void look_at_chain(struct look *look, const struct world_service *service,
                          const struct world_chain *chain)
{
    for (size_t i = 0; i < chain->count; i++) {
        const struct mu_cert_facts *cert = mu_cert_facts(chain->certs[i]);
        find_end(look, "certificate", cert->not_before_s, cert->not_after_s,
                 "the %scertificate of %s \"%s\" (%.120s)", i == 0 ? "" : "intermediate ",
                 kind_of(service), service->name, cert->subject_text);
    }
    if (chain->staple.len > 0) {
        find_end(look, "staple", chain->staple_span.from_s, chain->staple_span.until_s,
                 "the OCSP response that %s \"%s\" staples", kind_of(service), service->name);
    }
}

static void look_at_trust(struct look *look, const struct world_trust *trust)
{
    const struct mu_cert *anchor;
    const struct mu_cert_facts *last = NULL;
    struct mu_trust_list list;
    for (size_t i = 0; (anchor = mu_trust_anchor(trust->trust, i)) != NULL; i++) {
        const struct mu_cert_facts *facts = mu_cert_facts(anchor);
        last = last == NULL || facts->not_after_s > last->not_after_s ? facts : last;
    }
    if (last != NULL) {
        find_end(look, "trust", last->not_before_s, last->not_after_s,
                 "the last authority that trust block \"%s\" believes (%.120s)",
                 trust->config->name, last->subject_text);
    }
    for (size_t i = 0; mu_trust_list(trust->trust, i, &list); i++) {
        find_end(look, "crl", list.this_update_s, list.next_update_s,
                 "the revocation list of \"%.150s\" in trust block \"%s\"", list.issuer,
                 trust->config->name);
    }
}

/* Of the authority's issuers: what each signs with, and what it publishes. */
static void look_at_authority(struct look *look)
{
    MU_AUTO(ledger) struct ledger sum = {0};
    figures_authority(look->parent->figures, &sum);
    for (const struct ledger_row *row = ledger_next(&sum, LEDGER_ISSUER_END, NULL); row != NULL;
         row = ledger_next(&sum, LEDGER_ISSUER_END, row)) {
        const char *const *labels = LEDGER_LABELLED(row->labels[0]);
        find_end(look, "issuer", ledger_value(&sum, LEDGER_ISSUER_BEGIN, labels), row->value,
                 "the certificate of the authority's issuer \"%.100s\"", row->labels[0]);
    }
    for (const struct ledger_row *row = ledger_next(&sum, LEDGER_CRL_NEXT_UPDATE, NULL);
         row != NULL; row = ledger_next(&sum, LEDGER_CRL_NEXT_UPDATE, row)) {
        const char *const *labels = LEDGER_LABELLED(row->labels[0]);
        find_end(look, "issuer-crl", ledger_value(&sum, LEDGER_CRL_THIS_UPDATE, labels), row->value,
                 "the revocation list of the authority's issuer \"%.100s\"", row->labels[0]);
    }
}

static void look_at_processes(struct look *look)
{
    const struct supervisor *supervisor = look->parent->supervisor;
    for (size_t i = 0; i < supervisor_count(supervisor); i++) {
        const struct supervised *child = supervisor_get(supervisor, i);
        if (!child->ready) {
            bool fetch = child->role->party == IPC_FETCH;
            find(look, fetch ? HEALTH_WARN : HEALTH_FAIL, "process",
                 "%s %u is not there; it ended %u times", child->role->name, child->index,
                 child->deaths);
        }
    }
}

static void look_at_parent(struct look *look)
{
    const struct parent *parent = look->parent;
    char words[MU_TIME_TEXT];
    if (parent->alarm.raised) {
        find(look, HEALTH_FAIL, "reload",
             "the configuration of now was refused %s ago, the one from before is in use: %s: %s",
             mu_duration_words(look->now_s - parent->alarm.since_s, words),
             mutual_code_name(parent->reload.why.code), parent->reload.why.reason);
    }
    if (parent->seen_why.code != MUTUAL_OK) {
        find(look, HEALTH_FAIL, "sightings", "who was seen is not kept: %s: %s",
             mutual_code_name(parent->seen_why.code), parent->seen_why.reason);
    }
    const struct mutual_error *trouble = authority_trouble(parent);
    if (trouble != NULL) {
        find(look, HEALTH_FAIL, "authority", "the authority cannot write: %s: %s",
             mutual_code_name(trouble->code), trouble->reason);
    }
    for (size_t i = 0; i < fetching_count(parent->fetching); i++) {
        const struct source *source = fetching_get(parent->fetching, i);
        if (source->failures >= FETCH_FAILURES) {
            find(look, HEALTH_WARN, "fetch",
                 "\"%.200s\" for %s \"%.100s\" could not be fetched %u times in a row: %s",
                 source->url,
                 source->kind == SOURCE_STAPLE ? "the staple of certificate" : "trust block",
                 source->owner, source->failures, source->why.reason);
        }
    }
}

static void look_at_all(struct look *look)
{
    const struct parent *parent = look->parent;
    if (parent->stopping) {
        find(look, HEALTH_FAIL, "serving", "it is stopping");
    }
    if (parent->current == NULL) {
        find(look, HEALTH_FAIL, "serving", "it is starting");
        return;
    }
    const struct world *world = parent->current->world;
    look->margin_ns = world->config->status.expiry_margin_ns;
    look_at_processes(look);
    look_at_authority(look);
    look_at_parent(look);
    for (size_t i = 0; i < world->service_count; i++) {
        for (size_t j = 0; j < world->services[i].chain_count; j++) {
            look_at_chain(look, &world->services[i], &world->services[i].chains[j]);
        }
    }
    for (size_t i = 0; i < world->trust_count; i++) {
        look_at_trust(look, &world->trusts[i]);
    }
}

/* ---- telling ------------------------------------------------------------------------------------
 */

enum health health_json(const struct parent *parent, struct mu_buf *out)
{
    struct mu_json json;
    struct look look = {.parent = parent, .now_s = mu_clock_wall_s(), .json = &json};
    mu_json_init(&json, out);
    mu_json_open(&json, NULL, '{');
    mu_json_open(&json, "checks", '[');
    look_at_all(&look);
    mu_json_close(&json, ']');
    mu_json_string(&json, "status", health_words[look.worst]);
    mu_json_int(&json, "findings", (int64_t)look.count);
    mu_json_close(&json, '}');
    (void)mu_buf_byte(out, '\n');
    return look.worst;
}

enum health health_text(const struct parent *parent, struct mu_buf *out)
{
    struct look look = {.parent = parent, .now_s = mu_clock_wall_s(), .text = out};
    look_at_all(&look);
    if (look.count > HEALTH_TOLD_MAX) {
        (void)mu_buf_printf(out, "and %zu more\n", look.count - HEALTH_TOLD_MAX);
    }
    (void)mu_buf_printf(out, "%s\n", health_words[look.worst]);
    return look.worst;
}

enum health health_of(const struct parent *parent)
{
    struct look look = {.parent = parent, .now_s = mu_clock_wall_s()};
    look_at_all(&look);
    return look.worst;
}
