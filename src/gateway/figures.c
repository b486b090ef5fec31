/* SPDX-License-Identifier: Apache-2.0
 *
 * Figures of all processes, kept by the parent.
 */
#include "gateway/figures_internal.h"

#include <string.h>

#include "gateway/listen_internal.h"

/* What one worker said last. */
struct worker_figures {
    struct meters meters;
    uint64_t own[WORKER_COUNT_];
};

struct figures {
    struct meters retired; /* counters of workers that are gone; its names are those known */
    uint64_t retired_own[WORKER_COUNT_];
    struct worker_figures workers[LISTEN_WORKERS_MAX];
    struct keys_figures keys, retired_keys;
    struct authority_figures {
        struct ledger now;
        uint32_t index; /* whose `now` is */
    } authority[AUTHORITY_PROCESSES];
    struct ledger retired_authority;
};

struct figures *figures_new(void)
{
    return mu_alloc(1, sizeof(struct figures));
}

void figures_free(struct figures *figures)
{
    if (figures == NULL) {
        return;
    }
    for (size_t i = 0; i < LISTEN_WORKERS_MAX; i++) {
        meters_done(&figures->workers[i].meters);
    }
    meters_done(&figures->retired);
    figures_authority_none(figures);
    mu_free(figures);
}

bool figures_know(struct figures *figures, const struct world *world)
{
    bool known = true;
    for (size_t i = 0; i < world->service_count; i++) {
        known = meters_get(&figures->retired, world->services[i].name) != NULL && known;
    }
    return known;
}

bool figures_read_worker(struct figures *figures, uint32_t worker, struct ipc_reader *reader,
                         struct mutual_error *err)
{
    mu_assert(worker < LISTEN_WORKERS_MAX);
    struct worker_figures *kept = &figures->workers[worker];
    for (enum worker_figure f = 0; f < WORKER_COUNT_; f++) {
        uint64_t said = ipc_get_u64(reader);
        if (!reader->failed && (!worker_figure_grows(f) || said > kept->own[f])) {
            kept->own[f] = said;
        }
    }
    return meters_read(&kept->meters, &figures->retired, reader, err);
}

bool figures_read_keys(struct figures *figures, struct ipc_reader *reader, struct mutual_error *err)
{
    return keys_figures_read(reader, &figures->keys, err);
}

bool figures_read_authority(struct figures *figures, size_t which, uint32_t index,
                            struct ipc_reader *reader, struct mutual_error *err)
{
    mu_assert(which < AUTHORITY_PROCESSES);
    struct authority_figures *one = &figures->authority[which];
    if (index < one->index) {
        return true;
    }
    if (index != one->index) {
        ledger_retire(&one->now, &figures->retired_authority);
        one->index = index;
    }
    if (ipc_get_u8(reader) == 1) {
        ledger_forget(&one->now);
    }
    return ledger_read(&one->now, reader, err);
}

void figures_worker_gone(struct figures *figures, uint32_t worker)
{
    mu_assert(worker < LISTEN_WORKERS_MAX);
    struct worker_figures *gone = &figures->workers[worker];
    for (size_t i = 0; i < gone->meters.count; i++) {
        struct meter *meter = gone->meters.items[i];
        struct meter *kept = meters_find(&figures->retired, meter->name);
        if (kept != NULL) {
            meter_add(kept, meter, false);
        }
    }
    for (enum worker_figure f = 0; f < WORKER_COUNT_; f++) {
        figures->retired_own[f] += worker_figure_grows(f) ? gone->own[f] : 0;
    }
    meters_done(&gone->meters);
    memset(gone, 0, sizeof *gone);
}

static void add_keys(struct keys_figures *sum, const struct keys_figures *more)
{
    for (unsigned i = 0; i < KEYS_PURPOSE_COUNT; i++) {
        sum->made[i] += more->made[i];
        sum->took_ns[i] += more->took_ns[i];
    }
    sum->refused += more->refused;
    sum->unavailable += more->unavailable;
}

void figures_keys_gone(struct figures *figures)
{
    add_keys(&figures->retired_keys, &figures->keys);
    memset(&figures->keys, 0, sizeof figures->keys);
}

void figures_authority_gone(struct figures *figures, uint32_t index)
{
    for (size_t i = 0; i < AUTHORITY_PROCESSES; i++) {
        if (figures->authority[i].index == index) {
            ledger_retire(&figures->authority[i].now, &figures->retired_authority);
        }
    }
}

void figures_authority_none(struct figures *figures)
{
    for (size_t i = 0; i < AUTHORITY_PROCESSES; i++) {
        ledger_done(&figures->authority[i].now);
    }
    ledger_done(&figures->retired_authority);
}

void figures_authority(const struct figures *figures, struct ledger *sum)
{
    ledger_add(sum, &figures->retired_authority);
    for (size_t i = 0; i < AUTHORITY_PROCESSES; i++) {
        ledger_add(sum, &figures->authority[i].now);
    }
}

void figures_sum(const struct figures *figures, const char *service, struct meter *ret_sum)
{
    const struct meter *before = meters_find(&figures->retired, service);
    struct meter sum = {0};
    if (before != NULL) {
        meter_add(&sum, before, false);
    }
    for (size_t i = 0; i < LISTEN_WORKERS_MAX; i++) {
        const struct meter *now = meters_find(&figures->workers[i].meters, service);
        if (now != NULL) {
            meter_add(&sum, now, true);
        }
    }
    *ret_sum = sum;
}

void figures_workers(const struct figures *figures, uint64_t ret_sums[WORKER_COUNT_])
{
    for (size_t f = 0; f < WORKER_COUNT_; f++) {
        ret_sums[f] = figures->retired_own[f];
        for (size_t i = 0; i < LISTEN_WORKERS_MAX; i++) {
            ret_sums[f] += figures->workers[i].own[f];
        }
    }
}

void figures_keys(const struct figures *figures, struct keys_figures *ret_sum)
{
    *ret_sum = (struct keys_figures){0};
    add_keys(ret_sum, &figures->retired_keys);
    add_keys(ret_sum, &figures->keys);
}
