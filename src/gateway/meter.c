/* SPDX-License-Identifier: Apache-2.0
 *
 * The figures of services: kept by name, written into a message, added up.
 */
#include "gateway/meter_internal.h"

#include <string.h>

enum { NAME_MAX_BYTES = 256, METERS_MAX = 65536 };

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

struct meter *meters_get(struct meters *meters, const char *name)
{
    for (size_t i = 0; i < meters->count; i++) {
        if (strcmp(meters->items[i]->name, name) == 0) {
            return meters->items[i];
        }
    }
    if (!mu_grow((void **)&meters->items, &meters->cap, meters->count, sizeof *meters->items,
                 METERS_MAX)) {
        return NULL;
    }
    struct meter *meter = meter_new(name);
    if (meter != NULL) {
        meters->items[meters->count++] = meter;
    }
    return meter;
}

void meters_done(struct meters *meters)
{
    for (size_t i = 0; i < meters->count; i++) {
        mu_free(meters->items[i]->name);
        mu_free(meters->items[i]);
    }
    mu_free(meters->items);
    memset(meters, 0, sizeof *meters);
}

void meters_write(const struct meters *meters, struct mu_buf *out)
{
    enum { ROW_MAX = 4 + NAME_MAX_BYTES + 8 * METER_COUNT_ };
    size_t count = (out->max - out->len - 4) / ROW_MAX;
    count = count < meters->count ? count : meters->count;
    ipc_put_u32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        ipc_put_text(out, meters->items[i]->name);
        for (size_t f = 0; f < METER_COUNT_; f++) {
            ipc_put_u64(out, meters->items[i]->figures[f]);
        }
    }
}

bool meters_add(struct meters *sum, struct ipc_reader *reader, struct mutual_error *err)
{
    uint32_t count = ipc_get_u32(reader);
    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        char name[NAME_MAX_BYTES];
        ipc_get_text(reader, name, sizeof name);
        struct meter *meter = reader->failed ? NULL : meters_get(sum, name);
        if (!reader->failed && meter == NULL) {
            return mu_fail_memory(err);
        }
        for (size_t f = 0; f < METER_COUNT_ && !reader->failed; f++) {
            uint64_t value = ipc_get_u64(reader);
            meter->figures[f] += value;
        }
    }
    return ipc_reader_end(reader, "figures", err);
}
