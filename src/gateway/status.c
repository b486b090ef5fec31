/* SPDX-License-Identifier: Apache-2.0
 *
 * The status: what runs, how it is locked down, what it serves, until when its certificates hold,
 * how the last reload went, what was counted.
 */
#include <unistd.h>

#include "gateway/fetching_internal.h"
#include "gateway/figures_internal.h"
#include "gateway/parent_internal.h"
#include "trust/trust.h"

const char *status_unready(const struct parent *parent)
{
    if (parent->stopping) {
        return "stopping";
    }
    if (parent->current == NULL) {
        return "starting";
    }
    /* connections need every process but the one that fetches */
    if (!supervisor_is_ready(parent->supervisor, IPC_CHILDREN & ~(uint32_t)IPC_FETCH)) {
        return "a process is being replaced";
    }
    int64_t now_s = mu_clock_wall_s();
    for (size_t i = 0; i < parent->current->world->service_count; i++) {
        const struct world_service *service = &parent->current->world->services[i];
        for (size_t j = 0; j < service->chain_count; j++) {
            if (mu_cert_facts(service->chains[j].certs[0])->not_after_s < now_s) {
                return "a certificate has expired";
            }
        }
    }
    return NULL;
}

static void put_time(struct mu_json *json, const char *key, int64_t time_s)
{
    char text[MU_TIME_TEXT];
    mu_json_string(json, key, time_s == 0 ? NULL : mu_time_format(time_s, text));
}

static void put_processes(const struct parent *parent, struct mu_json *json)
{
    mu_json_open(json, "processes", '[');
    mu_json_open(json, NULL, '{');
    mu_json_string(json, "role", "parent");
    mu_json_int(json, "pid", getpid());
    mu_json_close(json, '}');
    for (size_t i = 0; i < supervisor_count(parent->supervisor); i++) {
        const struct supervised *child = supervisor_get(parent->supervisor, i);
        char words[SANDBOX_WORDS];
        mu_json_open(json, NULL, '{');
        mu_json_string(json, "role", child->role->name);
        mu_json_int(json, "index", child->index);
        mu_json_int(json, "pid", child->pid);
        mu_json_bool(json, "ready", child->ready);
        mu_json_int(json, "deaths", child->deaths);
        mu_json_string(json, "sandbox", sandbox_words(&child->sandbox, words));
        mu_json_close(json, '}');
    }
    mu_json_close(json, ']');
}

/* What is stapled to the certificate, if it is to be. */
static void put_staple(const struct parent *parent, const struct world_chain *chain,
                       struct mu_json *json)
{
    const struct config_certificate *config = chain->config;
    bool must = mu_cert_facts(chain->certs[0])->must_staple;
    bool has_file = chain->staple.len > 0;
    if (!must && !has_file && chain->staple_url == NULL && !config_staple_is_fetched(config)) {
        mu_json_null(json, "staple");
        return;
    }
    mu_json_open(json, "staple", '{');
    mu_json_bool(json, "must_staple", must);
    if (chain->staple_url == NULL || !fetching_staple_json(parent->fetching, config->chain, json)) {
        mu_json_string(json, "source", has_file ? config->ocsp : NULL);
        mu_json_bool(json, "good", has_file && mu_clock_wall_s() < chain->staple_span.until_s);
        put_time(json, "this_update", chain->staple_span.from_s);
        put_time(json, "next_update", chain->staple_span.until_s);
    }
    mu_json_close(json, '}');
}

static void put_certificates(const struct parent *parent, const struct world_service *service,
                             struct mu_json *json)
{
    mu_json_open(json, "certificates", '[');
    for (size_t i = 0; i < service->chain_count; i++) {
        const struct mu_cert_facts *leaf = mu_cert_facts(service->chains[i].certs[0]);
        mu_json_open(json, NULL, '{');
        mu_json_string(json, "subject", leaf->subject_text);
        mu_json_string(json, "file", service->chains[i].config->chain);
        put_time(json, "not_after", leaf->not_after_s);
        put_staple(parent, &service->chains[i], json);
        mu_json_close(json, '}');
    }
    mu_json_close(json, ']');
}

static void put_figures(const struct parent *parent, const char *name, struct mu_json *json)
{
    struct meter sum;
    figures_sum(parent->figures, name, &sum);
    for (enum meter_figure f = 0; f < METER_COUNT_; f++) {
        mu_json_int(json, meter_word(f), (int64_t)sum.figures[f]);
    }
    meter_clear(&sum);
}

/* Of an inbound: what it asks of clients; of a host: whose it is, and its names. */
static void put_clients(const struct world_service *service, struct mu_json *json)
{
    if (service->inbound == NULL) {
        return;
    }
    mu_json_string(json, "mode", config_mode_word(service->inbound->clients.mode));
    if (service->listener != NULL) {
        mu_json_string(json, "listener", service->listener->name);
        mu_json_open(json, "names", '[');
        for (size_t i = 0; i < service->host_count; i++) {
            mu_json_string(json, NULL, mutual_pattern_text(service->hosts[i]));
        }
        mu_json_close(json, ']');
    }
}

static void put_service(const struct parent *parent, uint32_t index, struct mu_json *json)
{
    const struct setup *setup = parent->current;
    const struct world_service *service = &setup->world->services[index];
    mu_json_open(json, NULL, '{');
    mu_json_string(json, "name", service->name);
    mu_json_string(json, "kind", service->inbound != NULL ? "inbound" : "outbound");
    put_clients(service, json);
    mu_json_open(json, "listen", '[');
    for (size_t i = 0; i < setup->listener_count; i++) {
        char text[ADDRESS_TEXT];
        if (setup->listeners[i].service == index) {
            mu_json_string(json, NULL,
                           address_format(&setup->listeners[i].binding->address.socket, text));
        }
    }
    mu_json_close(json, ']');
    mu_json_string(json, "target",
                   service->inbound != NULL ? service->inbound->forward.text
                                            : service->outbound->connect.text);
    put_certificates(parent, service, json);
    mu_json_open(json, "figures", '{');
    put_figures(parent, service->name, json);
    mu_json_close(json, '}');
    mu_json_close(json, '}');
}

static void put_alarm(const struct parent *parent, struct mu_json *json)
{
    if (!parent->alarm.raised) {
        mu_json_null(json, "alarm");
        return;
    }
    mu_json_open(json, "alarm", '{');
    put_time(json, "since", parent->alarm.since_s);
    mu_json_string(json, "code", mutual_code_name(parent->reload.why.code));
    mu_json_string(json, "why", parent->reload.why.reason);
    mu_json_close(json, '}');
}

static void put_reload(const struct parent *parent, struct mu_json *json)
{
    const struct reload *reload = &parent->reload;
    mu_json_open(json, "reload", '{');
    mu_json_int(json, "count", (int64_t)reload->count);
    put_time(json, "at", reload->at_s);
    if (reload->count > 0) {
        mu_json_bool(json, "ok", reload->ok);
    } else {
        mu_json_null(json, "ok");
    }
    mu_json_string(json, "code",
                   reload->ok || reload->count == 0 ? NULL : mutual_code_name(reload->why.code));
    mu_json_string(json, "why", reload->ok || reload->count == 0 ? NULL : reload->why.reason);
    mu_json_close(json, '}');
}

static void put_lists(const struct world_trust *trust, int64_t now_s, struct mu_json *json)
{
    struct mu_trust_list list;
    mu_json_open(json, "lists", '[');
    for (size_t i = 0; mu_trust_list(trust->trust, i, &list); i++) {
        char number[MU_NUMBER_TEXT];
        mu_json_open(json, NULL, '{');
        mu_json_string(json, "issuer", list.issuer);
        mu_json_string(json, "kind", list.delta ? "delta" : "complete");
        mu_json_string(json, "crl_number", mu_trust_list_number(&list, number));
        mu_json_int(json, "crl_entries", (int64_t)list.entries);
        put_time(json, "this_update", list.this_update_s);
        put_time(json, "next_update", list.next_update_s);
        mu_json_int(json, "crl_this_update_timestamp_seconds", list.this_update_s);
        mu_json_int(json, "crl_next_update_timestamp_seconds", list.next_update_s);
        mu_json_int(json, "crl_age_seconds", now_s - list.this_update_s);
        mu_json_bool(json, "crl_stale", now_s >= list.next_update_s);
        mu_json_bool(json, "crl_used", now_s < list.stale_from_s);
        mu_json_string(json, "when_stale",
                       world_stale_outcome(&trust->config->revocation.when_stale));
        mu_json_close(json, '}');
    }
    mu_json_close(json, ']');
}

static void put_anchors(const struct mutual_trust *trust, struct mu_json *json)
{
    mu_json_open(json, "anchors", '[');
    for (size_t i = 0; i < mutual_trust_anchor_count(trust); i++) {
        const struct mu_cert_facts *facts = mu_cert_facts(mu_trust_anchor(trust, i));
        MU_AUTO(buf) struct mu_buf print;
        mu_buf_init(&print, 80);
        mu_hex(&print, mu_slice_of(facts->fingerprint, sizeof facts->fingerprint));
        mu_json_open(json, NULL, '{');
        mu_json_string(json, "subject", facts->subject_text);
        mu_json_string(json, "fingerprint", mu_buf_str(&print));
        put_time(json, "not_after", facts->not_after_s);
        mu_json_close(json, '}');
    }
    mu_json_close(json, ']');
}

static void put_trusts(const struct parent *parent, struct mu_json *json)
{
    const struct world *world = parent->current == NULL ? NULL : parent->current->world;
    mu_json_open(json, "trust", '[');
    for (size_t i = 0; world != NULL && i < world->trust_count; i++) {
        mu_json_open(json, NULL, '{');
        mu_json_string(json, "name", world->trusts[i].config->name);
        put_anchors(world->trusts[i].trust, json);
        put_lists(&world->trusts[i], mu_clock_wall_s(), json);
        mu_json_close(json, '}');
    }
    mu_json_close(json, ']');
}

/* The list of those who are refused whoever issued their certificate. */
static void put_deny(const struct parent *parent, struct mu_json *json)
{
    const struct world *world = parent->current == NULL ? NULL : parent->current->world;
    if (world == NULL || world->deny == NULL) {
        mu_json_null(json, "deny");
        return;
    }
    mu_json_open(json, "deny", '{');
    mu_json_string(json, "file", world->config->deny);
    mu_json_int(json, "entries", (int64_t)mutual_deny_count(world->deny));
    mu_json_close(json, '}');
}

static void put_issuer(const struct ledger *sum, const char *issuer, struct mu_json *json)
{
    const char *const *labels = LEDGER_LABELLED(issuer);
    mu_json_open(json, NULL, '{');
    mu_json_string(json, "name", issuer);
    put_time(json, "not_after", ledger_value(sum, LEDGER_ISSUER_END, labels));
    mu_json_int(json, "crl_number", ledger_value(sum, LEDGER_CRL_NUMBER, labels));
    put_time(json, "crl_next_update", ledger_value(sum, LEDGER_CRL_NEXT_UPDATE, labels));
    mu_json_bool(json, "crl_due", ledger_value(sum, LEDGER_CRL_DUE, labels) != 0);
    mu_json_close(json, '}');
}

static int64_t total(const struct ledger *sum, enum ledger_figure figure)
{
    int64_t all = 0;
    for (const struct ledger_row *row = ledger_next(sum, figure, NULL); row != NULL;
         row = ledger_next(sum, figure, row)) {
        all += row->value;
    }
    return all;
}

/* What is counted of it, by its process and in its store. */
static void put_authority(const struct parent *parent, struct mu_json *json)
{
    MU_AUTO(ledger) struct ledger sum = {0};
    if (!authority_runs(parent)) {
        mu_json_null(json, "authority");
        return;
    }
    figures_authority(parent->figures, &sum);
    mu_json_open(json, "authority", '{');
    mu_json_bool(json, "store_connected", ledger_value(&sum, LEDGER_STORE_CONNECTED, NULL) != 0);
    mu_json_int(json, "issued", total(&sum, LEDGER_ISSUED));
    mu_json_int(json, "revoked", total(&sum, LEDGER_REVOKED));
    mu_json_int(json, "valid", ledger_value(&sum, LEDGER_CERTIFICATES, LEDGER_LABELLED("valid")));
    mu_json_int(json, "tokens_open", ledger_value(&sum, LEDGER_TOKENS, LEDGER_LABELLED("open")));
    mu_json_int(json, "requests_waiting",
                ledger_value(&sum, LEDGER_TOKENS, LEDGER_LABELLED("waiting")));
    mu_json_int(json, "requests_answered", total(&sum, LEDGER_REQUEST));
    mu_json_open(json, "issuers", '[');
    for (const struct ledger_row *row = ledger_next(&sum, LEDGER_ISSUER_END, NULL); row != NULL;
         row = ledger_next(&sum, LEDGER_ISSUER_END, row)) {
        put_issuer(&sum, row->labels[0], json);
    }
    mu_json_close(json, ']');
    mu_json_close(json, '}');
}

void status_json(const struct parent *parent, struct mu_buf *out)
{
    struct mu_json json;
    const char *unready = status_unready(parent);
    mu_json_init(&json, out);
    mu_json_open(&json, NULL, '{');
    mu_json_bool(&json, "ok", unready == NULL && !parent->alarm.raised);
    mu_json_string(&json, "status", unready == NULL ? "serving" : unready);
    mu_json_string(&json, "version", MUTUAL_VERSION);
    put_time(&json, "started", parent->started_s);
    put_reload(parent, &json);
    put_alarm(parent, &json);
    changes_json(&parent->changes, &json);
    put_processes(parent, &json);
    mu_json_int(&json, "deaths", (int64_t)parent->deaths);
    fetching_json(parent->fetching, &json);
    mu_json_open(&json, "services", '[');
    for (uint32_t i = 0; parent->current != NULL && i < parent->current->world->service_count;
         i++) {
        put_service(parent, i, &json);
    }
    mu_json_close(&json, ']');
    put_authority(parent, &json);
    put_trusts(parent, &json);
    put_deny(parent, &json);
    mu_json_close(&json, '}');
    (void)mu_buf_byte(out, '\n');
}
