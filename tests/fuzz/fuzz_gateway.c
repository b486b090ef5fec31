/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parent reads of its helpers: addresses from the resolver, figures, sightings and what
 * became of trials from a worker that may have been taken over. The first byte says which.
 */
#include "gateway/figures_internal.h"
#include "gateway/meter_internal.h"
#include "gateway/parent_internal.h"
#include "gateway/resolve_internal.h"
#include "gateway/sighting_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_addresses(struct mu_slice answer)
{
    struct resolve_names names = {0};
    bool changed = false;
    (void)resolve_name_get(&names, "a", 1);
    (void)resolve_name_get(&names, "b", 2);
    (void)resolve_parse(answer, &names, names.count, &changed);
    for (size_t i = 0; i < names.count; i++) {
        mu_assert(names.items[i].targets.count <= TARGETS_MAX);
    }
    resolve_names_done(&names);
}

/* Worker 0 says it, then dies: nothing counted may be less than before. */
static void read_figures(struct mu_slice message)
{
    static struct world_service services[] = {{.name = "db"}, {.name = "web"}};
    static const struct world world = {.services = services, .service_count = 2};
    struct mutual_error err = {0};
    struct meter before;
    struct meter after;
    struct figures *figures = figures_new();
    struct ipc_reader reader = ipc_reader_of(message);
    if (figures == NULL || !figures_know(figures, &world)) {
        figures_free(figures);
        return;
    }
    if (!figures_read_worker(figures, 0, &reader, &err)) {
        mu_assert(err.code != MUTUAL_OK);
    }
    figures_sum(figures, "web", &before);
    mu_assert(before.outcome_count <= METER_OUTCOMES_MAX);
    figures_worker_gone(figures, 0);
    figures_sum(figures, "web", &after);
    for (enum meter_figure f = 0; f < METER_COUNT_; f++) {
        mu_assert(meter_is_gauge(f) ? after.figures[f] == 0
                                    : after.figures[f] == before.figures[f]);
    }
    mu_assert(after.outcome_count == before.outcome_count);
    meter_clear(&before);
    meter_clear(&after);
    figures_free(figures);
}

static void read_sightings(struct mu_slice message)
{
    struct mutual_error err = {0};
    struct sightings *all = sightings_new(8, 4);
    if (all != NULL && !sightings_read(all, message, &err)) {
        mu_assert(err.code != MUTUAL_OK);
    }
    sightings_free(all);
}

static void read_trials(struct mu_slice message)
{
    static struct trials_answer answer;
    struct mutual_error err = {0};
    bool good = trials_answer_read(message, &answer, &err);
    mu_assert(good || err.code == MUTUAL_E_MESSAGE_MALFORMED);
    mu_assert(!good || answer.count <= WORLD_TRYOUT_WARNINGS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] == 'T') {
        read_trials(mu_slice_of(data + 1, size - 1));
    } else if (size > 0 && data[0] >= 0x80) {
        read_sightings(mu_slice_of(data + 1, size - 1));
    } else if (size > 0 && data[0] % 2 == 0) {
        read_addresses(mu_slice_of(data + 1, size - 1));
    } else if (size > 0) {
        read_figures(mu_slice_of(data + 1, size - 1));
    }
    return 0;
}
