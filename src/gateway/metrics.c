/* SPDX-License-Identifier: Apache-2.0
 *
 * What a monitoring system reads at /metrics. The work of one scrape grows with the services and
 * what they serve, never with connections or peers.
 */
#include "gateway/metrics_internal.h"

#include <ctype.h>
#include <stdio.h>

#include "explain/explain.h"
#include "gateway/fetching_internal.h"
#include "gateway/figures_internal.h"
#include "gateway/health_internal.h"
#include "gateway/parent_internal.h"
#include "gateway/sighting_internal.h"
#include "gateway/source_internal.h"
#include "trust/trust.h"
#include "x509/x509.h"

#define VERSION_TEXT 32

const char *metrics_type(bool openmetrics)
{
    return openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                       : "text/plain; version=0.0.4; charset=utf-8";
}

/* ---- services -----------------------------------------------------------------------------------
 */

/* Every service in use with its sums, added up once for all families. */
struct services {
    const struct world *world;
    struct meter *sums;
};

static const char *name_of(const struct services *services, size_t i)
{
    return services->world->services[i].name;
}

static void put_figure(struct exposition *expo, const struct services *services,
                       enum meter_figure figure)
{
    for (size_t i = 0; i < services->world->service_count; i++) {
        expo_put(expo, EXPO_LABELS({"listener", name_of(services, i)}),
                 services->sums[i].figures[figure]);
    }
}

static void put_connections(struct exposition *expo, const struct services *services)
{
    static const struct {
        enum meter_figure figure;
        const char *how;
    } ends[] = {
        {METER_left, "left"},
        {METER_failed, "failed"},
        {METER_refused, "refused"},
        {METER_turned_away, "turned_away"},
        {METER_crowded_out, "crowded_out"},
        {METER_unreachable, "unreachable"},
        {METER_broken, "broken"},
    };
    expo_family(expo, "mutual_connections", EXPO_COUNTER, NULL, "Connections accepted.");
    put_figure(expo, services, METER_accepted);
    expo_family(expo, "mutual_connections_open", EXPO_GAUGE, NULL, "Connections open now.");
    put_figure(expo, services, METER_open);
    expo_family(expo, "mutual_connections_failed", EXPO_COUNTER, NULL,
                "Connections that ended badly: the peer left without a word, the handshake failed, "
                "the peer was judged and refused, the gate turned the source away or ended it for "
                "others, the other end could not be reached, or it broke after admission.");
    for (size_t i = 0; i < services->world->service_count; i++) {
        for (size_t j = 0; j < MU_COUNT(ends); j++) {
            expo_put(expo, EXPO_LABELS({"listener", name_of(services, i)}, {"how", ends[j].how}),
                     services->sums[i].figures[ends[j].figure]);
        }
    }
    expo_family(expo, "mutual_connection_duration_seconds", EXPO_SUMMARY, "seconds",
                "How long connections lasted that are over.");
    for (size_t i = 0; i < services->world->service_count; i++) {
        expo_put_sum(expo, EXPO_LABELS({"listener", name_of(services, i)}),
                     services->sums[i].figures[METER_ended],
                     services->sums[i].figures[METER_lasted_us] * 1000);
    }
}

static void put_outcomes(struct exposition *expo, const char *name, const struct meter *sum)
{
    static const char *const versions[] = {"none", "TLSv1.2", "TLSv1.3"};
    for (size_t i = 0; i < sum->outcome_count; i++) {
        const struct meter_outcome *how = &sum->outcomes[i];
        char reason[MU_REASON_TEXT];
        expo_put(expo,
                 EXPO_LABELS({"listener", name}, {"result", meter_result_word(how->result)},
                             {"reason", mu_explain_reason_word(how->code, reason)},
                             {"version", versions[how->version]},
                             {"resumed", how->resumed ? "true" : "false"}),
                 how->count);
    }
}

static void put_handshakes(struct exposition *expo, const struct services *services)
{
    expo_family(expo, "mutual_handshakes", EXPO_COUNTER, NULL,
                "Handshakes by how they ended; reason is the code of mutual explain.");
    for (size_t i = 0; i < services->world->service_count; i++) {
        put_outcomes(expo, name_of(services, i), &services->sums[i]);
    }
    expo_family(expo, "mutual_handshake_duration_seconds", EXPO_SUMMARY, "seconds",
                "From being accepted to being admitted, of the admitted.");
    for (size_t i = 0; i < services->world->service_count; i++) {
        expo_put_sum(expo, EXPO_LABELS({"listener", name_of(services, i)}),
                     services->sums[i].figures[METER_admitted],
                     services->sums[i].figures[METER_admission_us] * 1000);
    }
}

static void put_bytes(struct exposition *expo, const struct services *services)
{
    expo_family(expo, "mutual_bytes", EXPO_COUNTER, "bytes",
                "Bytes relayed, from and to the connecting side.");
    for (size_t i = 0; i < services->world->service_count; i++) {
        expo_put(expo, EXPO_LABELS({"listener", name_of(services, i)}, {"direction", "in"}),
                 services->sums[i].figures[METER_bytes_in]);
        expo_put(expo, EXPO_LABELS({"listener", name_of(services, i)}, {"direction", "out"}),
                 services->sums[i].figures[METER_bytes_out]);
    }
}

static void put_services(struct exposition *expo, const struct parent *parent)
{
    struct services services = {.world = parent->current->world};
    size_t count = services.world->service_count;
    services.sums = mu_alloc(count > 0 ? count : 1, sizeof *services.sums);
    if (services.sums == NULL) {
        expo->out->failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        figures_sum(parent->figures, services.world->services[i].name, &services.sums[i]);
    }
    put_connections(expo, &services);
    put_handshakes(expo, &services);
    put_bytes(expo, &services);
    for (size_t i = 0; i < count; i++) {
        meter_clear(&services.sums[i]);
    }
    mu_free(services.sums);
}

/* ---- what ends ----------------------------------------------------------------------------------
 */

static const char *use_of(const struct world_service *service)
{
    return service->outbound != NULL ? "outbound" : service->listener != NULL ? "host" : "inbound";
}

static void put_chain_ends(struct exposition *expo, const struct world_service *service, size_t nth)
{
    const struct world_chain *chain = &service->chains[nth];
    char number[24];
    int64_t first_s = MU_TIME_NEVER_S;
    (void)snprintf(number, sizeof number, "%zu", nth);
    expo_put_signed(expo,
                    EXPO_LABELS({"use", use_of(service)}, {"name", service->name},
                                {"chain", number}, {"part", "leaf"}),
                    mu_cert_facts(chain->certs[0])->not_after_s);
    for (size_t i = 1; i < chain->count; i++) {
        int64_t end_s = mu_cert_facts(chain->certs[i])->not_after_s;
        first_s = end_s < first_s ? end_s : first_s;
    }
    if (chain->count > 1) {
        expo_put_signed(expo,
                        EXPO_LABELS({"use", use_of(service)}, {"name", service->name},
                                    {"chain", number}, {"part", "intermediates"}),
                        first_s);
    }
}

static void put_certificates(struct exposition *expo, const struct world *world)
{
    expo_family(expo, "mutual_certificate_not_after_timestamp_seconds", EXPO_GAUGE, "seconds",
                "When a certificate ends that is presented now; of intermediates the first.");
    for (size_t i = 0; i < world->service_count; i++) {
        for (size_t j = 0; j < world->services[i].chain_count; j++) {
            put_chain_ends(expo, &world->services[i], j);
        }
    }
    expo_family(expo, "mutual_staple_next_update_timestamp_seconds", EXPO_GAUGE, "seconds",
                "Until when an OCSP response holds that is stapled now.");
    for (size_t i = 0; i < world->service_count; i++) {
        const struct world_service *service = &world->services[i];
        for (size_t j = 0; j < service->chain_count; j++) {
            char number[24];
            (void)snprintf(number, sizeof number, "%zu", j);
            if (service->chains[j].staple.len > 0) {
                expo_put_signed(expo,
                                EXPO_LABELS({"use", use_of(service)}, {"name", service->name},
                                            {"chain", number}),
                                service->chains[j].staple_span.until_s);
            }
        }
    }
}

static void put_anchor(struct exposition *expo, const char *trust, const struct mu_cert *anchor)
{
    const struct mu_cert_facts *facts = mu_cert_facts(anchor);
    MU_AUTO(buf) struct mu_buf print;
    mu_buf_init(&print, 64);
    mu_hex(&print, mu_slice_of(facts->fingerprint, 8));
    expo_put_signed(expo,
                    EXPO_LABELS({"trust", trust}, {"subject", facts->subject_text},
                                {"fingerprint", mu_buf_str(&print)}),
                    facts->not_after_s);
}

static void put_anchors(struct exposition *expo, const struct world *world)
{
    size_t left = METRICS_ANCHORS_MAX;
    expo_family(expo, "mutual_trust_anchor_not_after_timestamp_seconds", EXPO_GAUGE, "seconds",
                "When an authority ends that is believed now; of very many the first thousand.");
    for (size_t i = 0; i < world->trust_count; i++) {
        const struct world_trust *trust = &world->trusts[i];
        const struct mu_cert *anchor;
        for (size_t j = 0; left > 0 && (anchor = mu_trust_anchor(trust->trust, j)) != NULL; j++) {
            put_anchor(expo, trust->config->name, anchor);
            left--;
        }
    }
    expo_family(expo, "mutual_trust_anchors", EXPO_GAUGE, NULL,
                "Authorities that a trust block believes.");
    for (size_t i = 0; i < world->trust_count; i++) {
        size_t count = 0;
        while (mu_trust_anchor(world->trusts[i].trust, count) != NULL) {
            count++;
        }
        expo_put(expo, EXPO_LABELS({"trust", world->trusts[i].config->name}), count);
    }
}

/* ---- revocation lists ---------------------------------------------------------------------------
 */

typedef int64_t list_value_fn(const struct mu_trust_list *list);

static int64_t next_update(const struct mu_trust_list *list)
{
    return list->next_update_s;
}

static int64_t this_update(const struct mu_trust_list *list)
{
    return list->this_update_s;
}

static int64_t entries(const struct mu_trust_list *list)
{
    return (int64_t)list->entries;
}

static int64_t age(const struct mu_trust_list *list)
{
    return mu_clock_wall_s() - list->this_update_s;
}

static void put_lists(struct exposition *expo, const struct world *world)
{
    static const struct {
        const char *name;
        const char *unit;
        const char *help;
        list_value_fn *value;
    } families[] = {
        {"mutual_crl_next_update_timestamp_seconds", "seconds",
         "When a revocation list in use is to be followed by the next.", next_update},
        {"mutual_crl_this_update_timestamp_seconds", "seconds",
         "When a revocation list in use was made.", this_update},
        {"mutual_crl_age_seconds", "seconds", "How old a revocation list in use is.", age},
        {"mutual_crl_entries", NULL, "Certificates that a revocation list in use names.", entries},
    };
    for (size_t f = 0; f < MU_COUNT(families); f++) {
        expo_family(expo, families[f].name, EXPO_GAUGE, families[f].unit, families[f].help);
        for (size_t i = 0; i < world->trust_count; i++) {
            struct mu_trust_list list;
            for (size_t j = 0; mu_trust_list(world->trusts[i].trust, j, &list); j++) {
                char number[24];
                (void)snprintf(number, sizeof number, "%zu", j);
                expo_put_signed(expo,
                                EXPO_LABELS({"trust", world->trusts[i].config->name},
                                            {"list", number}, {"issuer", list.issuer},
                                            {"kind", list.delta ? "delta" : "complete"}),
                                families[f].value(&list));
            }
        }
    }
}

static const char *kind_of(const struct source *source)
{
    return source->kind == SOURCE_STAPLE ? "staple" : "crl";
}

static void put_fetched(struct exposition *expo, const struct fetching *fetching)
{
    expo_family(expo, "mutual_fetches", EXPO_COUNTER, NULL,
                "What was asked of URLs in the configuration, by what came of it.");
    for (size_t i = 0; i < fetching_count(fetching); i++) {
        const struct source *source = fetching_get(fetching, i);
        char number[24];
        (void)snprintf(number, sizeof number, "%zu", i);
        const struct {
            const char *result;
            uint64_t count;
        } rows[] = {{"new", source->count_new},
                    {"unchanged", source->count_same},
                    {"failed", source->count_failed}};
        for (size_t j = 0; j < MU_COUNT(rows); j++) {
            expo_put(expo,
                     EXPO_LABELS({"kind", kind_of(source)}, {"source", number},
                                 {"result", rows[j].result}),
                     rows[j].count);
        }
    }
    expo_family(expo, "mutual_fetch_last_success_timestamp_seconds", EXPO_GAUGE, "seconds",
                "When a URL last gave a good answer; 0: never.");
    for (size_t i = 0; i < fetching_count(fetching); i++) {
        const struct source *source = fetching_get(fetching, i);
        char number[24];
        (void)snprintf(number, sizeof number, "%zu", i);
        expo_put_signed(expo, EXPO_LABELS({"kind", kind_of(source)}, {"source", number}),
                        source->good_s);
    }
}

/* ---- the gateway itself -------------------------------------------------------------------------
 */

static void put_gate(struct exposition *expo, const struct parent *parent)
{
    uint64_t sums[WORKER_COUNT_];
    figures_workers(parent->figures, sums);
    expo_family(expo, "mutual_gate_places", EXPO_GAUGE, NULL,
                "Places for connections that are not admitted yet, in all workers.");
    expo_put(expo, EXPO_LABELS({"state", "taken"}), sums[WORKER_knocking]);
    expo_put(expo, EXPO_LABELS({"state", "all"}), sums[WORKER_places]);
    expo_family(expo, "mutual_gate_handshakes", EXPO_GAUGE, NULL,
                "Places for handshakes under way, in all workers.");
    expo_put(expo, EXPO_LABELS({"state", "taken"}), sums[WORKER_shaking]);
    expo_put(expo, EXPO_LABELS({"state", "all"}), sums[WORKER_handshakes]);
    expo_family(expo, "mutual_connection_slots", EXPO_GAUGE, NULL,
                "Connections that descriptors allow, in all workers.");
    expo_put(expo, EXPO_LABELS({"state", "taken"}), sums[WORKER_slots_used]);
    expo_put(expo, EXPO_LABELS({"state", "all"}), sums[WORKER_slots]);
    expo_family(expo, "mutual_log_lines_lost", EXPO_COUNTER, NULL,
                "Lines of the log that nobody took.");
    expo_put(expo, EXPO_NO_LABELS, sums[WORKER_log_lost]);
}

static void put_keys(struct exposition *expo, const struct parent *parent)
{
    struct keys_figures keys;
    figures_keys(parent->figures, &keys);
    expo_family(expo, "mutual_key_operations", EXPO_COUNTER, NULL,
                "What was asked of private keys, by what for and what came of it.");
    for (unsigned i = 0; i < KEYS_PURPOSE_COUNT; i++) {
        expo_put(
            expo,
            EXPO_LABELS({"backend", "file"}, {"op", keys_purpose_word(i)}, {"result", "signed"}),
            keys.made[i]);
    }
    expo_put(expo, EXPO_LABELS({"backend", "file"}, {"op", "unknown"}, {"result", "refused"}),
             keys.refused);
    expo_put(expo, EXPO_LABELS({"backend", "file"}, {"op", "unknown"}, {"result", "unavailable"}),
             keys.unavailable);
    expo_family(expo, "mutual_key_operation_duration_seconds", EXPO_SUMMARY, "seconds",
                "How long signatures took in the key process.");
    for (unsigned i = 0; i < KEYS_PURPOSE_COUNT; i++) {
        expo_put_sum(expo, EXPO_LABELS({"backend", "file"}, {"op", keys_purpose_word(i)}),
                     keys.made[i], keys.took_ns[i]);
    }
}

static void put_ready(struct exposition *expo, const struct parent *parent, enum ipc_party party,
                      const char *word, bool publisher)
{
    uint64_t ready = 0;
    for (size_t i = 0; i < supervisor_count(parent->supervisor); i++) {
        const struct supervised *child = supervisor_get(parent->supervisor, i);
        bool publishes = child->role == parent->options->publisher;
        ready += child->role->party == party && publishes == publisher && child->ready ? 1 : 0;
    }
    expo_put(expo, EXPO_LABELS({"role", word}), ready);
}

static void put_processes(struct exposition *expo, const struct parent *parent)
{
    static const enum ipc_party parties[] = {IPC_KEYS, IPC_WORKER, IPC_FETCH, IPC_AUTHORITY};
    size_t count = MU_COUNT(parties) - (authority_runs(parent) ? 0 : 1);
    expo_family(expo, "mutual_process_ready", EXPO_GAUGE, NULL, "Processes of a role that serve.");
    for (size_t i = 0; i < count; i++) {
        put_ready(expo, parent, parties[i], ipc_party_name(parties[i]), false);
    }
    if (authority_runs(parent)) {
        put_ready(expo, parent, IPC_AUTHORITY, "publisher", true);
    }
    expo_family(expo, "mutual_process_deaths", EXPO_COUNTER, NULL,
                "Processes that ended without being told to, and were replaced.");
    for (size_t i = 0; i < count; i++) {
        expo_put(expo, EXPO_LABELS({"role", ipc_party_name(parties[i])}),
                 parent->deaths_of[__builtin_ctz(parties[i])]);
    }
}

static void put_config(struct exposition *expo, const struct parent *parent)
{
    const struct reload *reload = &parent->reload;
    expo_family(expo, "mutual_config_reloads", EXPO_COUNTER, NULL,
                "Reloads after the start, by whether they were taken.");
    expo_put(expo, EXPO_LABELS({"result", "good"}), reload->count_good);
    expo_put(expo, EXPO_LABELS({"result", "refused"}), reload->count - reload->count_good);
    expo_family(expo, "mutual_config_last_reload_successful", EXPO_GAUGE, NULL,
                "1: the configuration in the files is in use; 0: it was refused.");
    expo_put(expo, EXPO_NO_LABELS, parent->alarm.raised ? 0 : 1);
    expo_family(expo, "mutual_config_last_reload_success_timestamp_seconds", EXPO_GAUGE, "seconds",
                "Since when the configuration in use is in use.");
    expo_put_signed(expo, EXPO_NO_LABELS, reload->good_s);
}

static void put_changes(struct exposition *expo, const struct parent *parent)
{
    const struct changes *changes = &parent->changes;
    expo_family(expo, "mutual_changes", EXPO_COUNTER, NULL,
                "Changes of rules that open connections were judged by.");
    expo_put(expo, EXPO_NO_LABELS, changes->count);
    expo_family(expo, "mutual_change_connections", EXPO_COUNTER, NULL,
                "Open connections that a change concerned, by what became of them; closed includes "
                "unjudged, which could not be judged.");
    expo_put(expo, EXPO_LABELS({"outcome", "closed"}), changes->closed);
    expo_put(expo, EXPO_LABELS({"outcome", "kept"}), changes->kept);
    expo_put(expo, EXPO_LABELS({"outcome", "unjudged"}), changes->unjudged);
}

static void put_build(struct exposition *expo, const struct parent *parent)
{
    expo_family(expo, "mutual_build", EXPO_INFO, NULL, "What runs.");
    expo_put(expo, EXPO_LABELS({"version", MUTUAL_VERSION}, {"openssl", mu_library_version()}), 1);
    expo_family(expo, "mutual_start_time_seconds", EXPO_GAUGE, "seconds", "When it was started.");
    expo_put_signed(expo, EXPO_NO_LABELS, parent->started_s);
    expo_family(expo, "mutual_sightings", EXPO_GAUGE, NULL,
                "Callers and services that are remembered for mutual access.");
    expo_put(expo, EXPO_NO_LABELS,
             parent->sightings == NULL ? 0 : sightings_count(parent->sightings));
    expo_family(expo, "mutual_sightings_saved", EXPO_GAUGE, NULL,
                "1: these were kept on disk when that was last tried; 0: they could not be.");
    expo_put(expo, EXPO_NO_LABELS, parent->seen_why.code == MUTUAL_OK ? 1 : 0);
    expo_family(expo, "mutual_health", EXPO_GAUGE, NULL,
                "What /health/ready says: 0 pass, 1 warn, 2 fail.");
    expo_put(expo, EXPO_NO_LABELS, (uint64_t)health_of(parent));
}

void metrics_text(const struct parent *parent, bool openmetrics, struct mu_buf *out)
{
    struct exposition expo = {.out = out, .openmetrics = openmetrics};
    put_build(&expo, parent);
    put_config(&expo, parent);
    put_processes(&expo, parent);
    put_gate(&expo, parent);
    put_keys(&expo, parent);
    put_changes(&expo, parent);
    put_fetched(&expo, parent->fetching);
    metrics_authority(&expo, parent);
    if (parent->current != NULL) {
        put_services(&expo, parent);
        put_certificates(&expo, parent->current->world);
        put_anchors(&expo, parent->current->world);
        put_lists(&expo, parent->current->world);
    }
    expo_end(&expo);
}
