/* SPDX-License-Identifier: Apache-2.0
 *
 * The figures of services: kept by name, written into messages, read from them, added up.
 */
#include "gateway/meter_internal.h"

#include <string.h>

enum { NAME_MAX_BYTES = 256, METERS_MAX = 65536, OUTCOME_BYTES = 13 };

static const struct {
    const char *word;
    const char *text;
} figures[] = {
#define X(name_, text_) {#name_, text_},
    METER_FIGURES(X)
#undef X
};

const char *meter_word(enum meter_figure figure)
{
    return figures[figure].word;
}

const char *meter_text(enum meter_figure figure)
{
    return figures[figure].text;
}

bool meter_is_gauge(enum meter_figure figure)
{
    return figure == METER_open;
}

const char *meter_result_word(enum meter_result result)
{
    static const char *const words[] = {"admitted", "refused", "failed", "left"};
    return words[result];
}

bool worker_figure_grows(enum worker_figure figure)
{
    static const bool grows[] = {
#define X(name_, grows_) [WORKER_##name_] = (grows_),
        WORKER_FIGURES(X)
#undef X
    };
    return grows[figure];
}

static struct meter *meter_new(const char *name)
{
    struct meter *meter = mu_alloc(1, sizeof *meter);
    if (meter == NULL) {
        return NULL;
    }
    meter->name = mu_strdup(name);
    if (meter->name == NULL) {
        mu_free(meter);
        return NULL;
    }
    return meter;
}

struct meter *meters_find(const struct meters *meters, const char *name)
{
    return meters->by_name == NULL ? NULL : mu_map_get(meters->by_name, mu_slice_text(name));
}

struct meter *meters_get(struct meters *meters, const char *name)
{
    struct meter *found = meters_find(meters, name);
    if (found != NULL) {
        return found;
    }
    if (meters->by_name == NULL && (meters->by_name = mu_map_new()) == NULL) {
        return NULL;
    }
    if (!mu_grow((void **)&meters->items, &meters->cap, meters->count, sizeof *meters->items,
                 METERS_MAX)) {
        return NULL;
    }
    struct meter *meter = meter_new(name);
    if (meter == NULL || !mu_map_put(meters->by_name, mu_slice_text(name), meter)) {
        mu_free(meter == NULL ? NULL : meter->name);
        mu_free(meter);
        return NULL;
    }
    meters->items[meters->count++] = meter;
    return meter;
}

void meter_clear(struct meter *meter)
{
    mu_free(meter->name);
    mu_free(meter->outcomes);
    memset(meter, 0, sizeof *meter);
}

void meters_done(struct meters *meters)
{
    for (size_t i = 0; i < meters->count; i++) {
        meter_clear(meters->items[i]);
        mu_free(meters->items[i]);
    }
    mu_free(meters->items);
    mu_map_free(meters->by_name);
    memset(meters, 0, sizeof *meters);
}

/* ---- outcomes ----------------------------------------------------------------------------------
 */

static bool is_alike(const struct meter_outcome *a, const struct meter_outcome *b)
{
    return a->code == b->code && a->result == b->result && a->version == b->version &&
           a->resumed == b->resumed;
}

static struct meter_outcome *row_of(struct meter *meter, const struct meter_outcome *how)
{
    for (size_t i = 0; i < meter->outcome_count; i++) {
        if (is_alike(&meter->outcomes[i], how)) {
            return &meter->outcomes[i];
        }
    }
    if (meter->outcome_count == METER_OUTCOMES_MAX) {
        return &meter->outcomes[METER_OUTCOMES_MAX - 1];
    }
    if (!mu_grow((void **)&meter->outcomes, &meter->outcome_cap, meter->outcome_count,
                 sizeof *meter->outcomes, METER_OUTCOMES_MAX)) {
        return NULL;
    }
    struct meter_outcome *row = &meter->outcomes[meter->outcome_count++];
    *row = *how;
    row->count = 0;
    return row;
}

void meter_count(struct meter *meter, const struct meter_outcome *how)
{
    struct meter_outcome *row = row_of(meter, how);
    if (row != NULL) {
        row->count += how->count;
    }
}

void meter_add(struct meter *sum, const struct meter *more, bool gauges)
{
    for (enum meter_figure f = 0; f < METER_COUNT_; f++) {
        sum->figures[f] += gauges || !meter_is_gauge(f) ? more->figures[f] : 0;
    }
    for (size_t i = 0; i < more->outcome_count; i++) {
        meter_count(sum, &more->outcomes[i]);
    }
}

/* ---- as messages -------------------------------------------------------------------------------
 */

static size_t row_size(const struct meter *meter)
{
    return 4 + strlen(meter->name) + 8 * (size_t)METER_COUNT_ + 2 +
           OUTCOME_BYTES * meter->outcome_count;
}

static void write_row(const struct meter *meter, struct mu_buf *out)
{
    ipc_put_text(out, meter->name);
    for (size_t f = 0; f < METER_COUNT_; f++) {
        ipc_put_u64(out, meter->figures[f]);
    }
    ipc_put_u16(out, (uint16_t)meter->outcome_count);
    for (size_t i = 0; i < meter->outcome_count; i++) {
        const struct meter_outcome *row = &meter->outcomes[i];
        ipc_put_u16(out, row->code);
        ipc_put_u8(out, row->result);
        ipc_put_u8(out, row->version);
        ipc_put_u8(out, row->resumed ? 1 : 0);
        ipc_put_u64(out, row->count);
    }
}

void meters_write(const struct meters *meters, size_t *ref_next, struct mu_buf *out)
{
    while (*ref_next < meters->count && row_size(meters->items[*ref_next]) <= out->max - out->len) {
        write_row(meters->items[(*ref_next)++], out);
    }
}

static void take(uint64_t *kept, uint64_t said, bool gauge)
{
    *kept = gauge || said > *kept ? said : *kept;
}

static bool read_outcomes(struct meter *meter, struct ipc_reader *reader)
{
    uint16_t count = ipc_get_u16(reader);
    for (uint16_t i = 0; i < count && !reader->failed; i++) {
        struct meter_outcome row = {0};
        row.code = ipc_get_u16(reader);
        row.result = ipc_get_u8(reader);
        row.version = ipc_get_u8(reader);
        row.resumed = ipc_get_u8(reader) == 1;
        row.count = ipc_get_u64(reader);
        reader->failed = reader->failed || row.code >= MUTUAL_E_COUNT_ ||
                         row.result >= METER_RESULT_COUNT_ || row.version >= METER_VERSION_COUNT_;
        struct meter_outcome *kept = meter == NULL || reader->failed ? NULL : row_of(meter, &row);
        if (kept != NULL) {
            take(&kept->count, row.count, false);
        } else if (meter != NULL && !reader->failed) {
            return false;
        }
    }
    return true;
}

bool meters_read(struct meters *kept, const struct meters *known, struct ipc_reader *reader,
                 struct mutual_error *err)
{
    while (reader->rest.len > 0 && !reader->failed) {
        char name[NAME_MAX_BYTES];
        ipc_get_text(reader, name, sizeof name);
        bool wanted = !reader->failed && meters_find(known, name) != NULL;
        struct meter *meter = wanted ? meters_get(kept, name) : NULL;
        if (wanted && meter == NULL) {
            return mu_fail_memory(err);
        }
        for (enum meter_figure f = 0; f < METER_COUNT_ && !reader->failed; f++) {
            uint64_t value = ipc_get_u64(reader);
            if (meter != NULL && !reader->failed) {
                take(&meter->figures[f], value, meter_is_gauge(f));
            }
        }
        if (!read_outcomes(meter, reader)) {
            return mu_fail_memory(err);
        }
    }
    return ipc_reader_end(reader, "figures", err);
}
