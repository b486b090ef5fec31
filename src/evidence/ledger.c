/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows of figures. There are a few dozen, so they are searched one after the other.
 */
#include <string.h>

#include "evidence/evidence.h"
#include "ipc/ipc.h"

static const struct {
    enum ledger_kind kind;
    size_t labels;
} figures[] = {
#define X(name_, kind_, labels_) {LEDGER_##kind_, labels_},
    LEDGER_FIGURES(X)
#undef X
};

size_t ledger_label_count(enum ledger_figure figure)
{
    return figures[figure].labels;
}

static void row_done(struct ledger_row *row)
{
    for (size_t i = 0; i < LEDGER_LABELS; i++) {
        mu_free(row->labels[i]);
    }
}

void ledger_done(struct ledger *ledger)
{
    for (size_t i = 0; i < ledger->count; i++) {
        row_done(&ledger->rows[i]);
    }
    mu_free(ledger->rows);
    *ledger = (struct ledger){0};
}

void mu_ledger_auto(struct ledger *ledger)
{
    ledger_done(ledger);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static bool has_labels(const struct ledger_row *row, const char *const *labels)
{
    for (size_t i = 0; i < figures[row->figure].labels; i++) {
        if (strcmp(row->labels[i], labels[i]) != 0) {
            return false;
        }
    }
    return true;
}

/* *ret_count: how many rows the figure has. */
static struct ledger_row *find(const struct ledger *ledger, enum ledger_figure figure,
                               const char *const *labels, size_t *ret_count)
{
    *ret_count = 0;
    for (size_t i = 0; i < ledger->count; i++) {
        struct ledger_row *row = &ledger->rows[i];
        if (row->figure != figure) {
            continue;
        }
        if (has_labels(row, labels)) {
            return row;
        }
        ++*ret_count;
    }
    return NULL;
}

static struct ledger_row *append(struct ledger *ledger, enum ledger_figure figure,
                                 const char *const *labels)
{
    struct ledger_row row = {.figure = figure};
    bool good = mu_grow((void **)&ledger->rows, &ledger->cap, ledger->count, sizeof row,
                        (size_t)LEDGER_ROWS_MAX * LEDGER_FIGURE_COUNT_);
    for (size_t i = 0; good && i < figures[figure].labels; i++) {
        row.labels[i] = mu_strdup(labels[i]);
        good = row.labels[i] != NULL;
    }
    if (!good) {
        row_done(&row);
        return NULL;
    }
    ledger->rows[ledger->count] = row;
    return &ledger->rows[ledger->count++];
}

static struct ledger_row *row_of(struct ledger *ledger, enum ledger_figure figure,
                                 const char *const *labels)
{
    static const char *const other[LEDGER_LABELS] = {"other", "other", "other"};
    size_t count = 0;
    struct ledger_row *row = find(ledger, figure, labels, &count);
    if (row == NULL && count >= LEDGER_ROWS_MAX - 1) {
        labels = other;
        row = find(ledger, figure, labels, &count);
    }
    return row != NULL ? row : append(ledger, figure, labels);
}

/* Whoever is believed least may have said one of them. */
static int64_t sum_of(int64_t a, int64_t b)
{
    int64_t sum = 0;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

void ledger_count(struct ledger *ledger, enum ledger_figure figure, const char *const *labels,
                  int64_t count, int64_t took_ns)
{
    struct ledger_row *row = row_of(ledger, figure, labels);
    if (row != NULL) {
        row->value = sum_of(row->value, count);
        row->took_ns = sum_of(row->took_ns, took_ns);
    }
}

void ledger_put(struct ledger *ledger, enum ledger_figure figure, const char *const *labels,
                int64_t value)
{
    struct ledger_row *row = row_of(ledger, figure, labels);
    if (row != NULL) {
        row->value = value;
    }
}

const struct ledger_row *ledger_next(const struct ledger *ledger, enum ledger_figure figure,
                                     const struct ledger_row *before)
{
    for (size_t i = before == NULL ? 0 : (size_t)(before - ledger->rows) + 1; i < ledger->count;
         i++) {
        if (ledger->rows[i].figure == figure) {
            return &ledger->rows[i];
        }
    }
    return NULL;
}

int64_t ledger_value(const struct ledger *ledger, enum ledger_figure figure,
                     const char *const *labels)
{
    size_t count = 0;
    const struct ledger_row *row = find(ledger, figure, labels, &count);
    return row == NULL ? 0 : row->value;
}

/* ---- sums ------------------------------------------------------------------------------------ */

static void add_row(struct ledger *sum, const struct ledger_row *row)
{
    const char *const labels[LEDGER_LABELS] = {row->labels[0], row->labels[1], row->labels[2]};
    if (figures[row->figure].kind == LEDGER_COUNTED) {
        ledger_count(sum, row->figure, labels, row->value, row->took_ns);
    } else {
        ledger_put(sum, row->figure, labels, row->value);
    }
}

void ledger_add(struct ledger *sum, const struct ledger *more)
{
    for (size_t i = 0; i < more->count; i++) {
        add_row(sum, &more->rows[i]);
    }
}

/* Takes the rows out that are counted, or those that are not. */
static void drop(struct ledger *ledger, bool counted)
{
    size_t kept = 0;
    for (size_t i = 0; i < ledger->count; i++) {
        struct ledger_row *row = &ledger->rows[i];
        if ((figures[row->figure].kind == LEDGER_COUNTED) == counted) {
            row_done(row);
        } else {
            ledger->rows[kept++] = *row;
        }
    }
    ledger->count = kept;
}

void ledger_forget(struct ledger *ledger)
{
    drop(ledger, false);
}

void ledger_retire(struct ledger *ledger, struct ledger *retired)
{
    for (size_t i = 0; i < ledger->count; i++) {
        if (figures[ledger->rows[i].figure].kind == LEDGER_COUNTED) {
            add_row(retired, &ledger->rows[i]);
        }
    }
    drop(ledger, true);
}

/* ---- messages -------------------------------------------------------------------------------- */

void ledger_write(const struct ledger *ledger, size_t *ref_next, struct mu_buf *out)
{
    enum { ROW_MAX = 1 + 8 + 8 + LEDGER_LABELS * (4 + LEDGER_LABEL_MAX) };
    for (; *ref_next < ledger->count && out->len + ROW_MAX <= MU_LIMIT_MESSAGE_BYTES; ++*ref_next) {
        const struct ledger_row *row = &ledger->rows[*ref_next];
        ipc_put_u8(out, (uint8_t)row->figure);
        ipc_put_u64(out, (uint64_t)row->value);
        ipc_put_u64(out, (uint64_t)row->took_ns);
        for (size_t i = 0; i < figures[row->figure].labels; i++) {
            struct mu_slice label = mu_slice_text(row->labels[i]);
            label.len = label.len < LEDGER_LABEL_MAX ? label.len : LEDGER_LABEL_MAX;
            ipc_put_bytes(out, label);
        }
    }
}

/* What is counted was not less before. */
static void keep(struct ledger *kept, enum ledger_figure figure, const char *const *labels,
                 int64_t value, int64_t took_ns)
{
    struct ledger_row *row = row_of(kept, figure, labels);
    if (row == NULL) {
        return;
    }
    bool counted = figures[figure].kind == LEDGER_COUNTED;
    row->value = counted && value < row->value ? row->value : value;
    row->took_ns = took_ns < row->took_ns ? row->took_ns : took_ns;
}

bool ledger_read(struct ledger *kept, struct ipc_reader *reader, struct mutual_error *err)
{
    char texts[LEDGER_LABELS][LEDGER_LABEL_MAX + 1];
    const char *const labels[LEDGER_LABELS] = {texts[0], texts[1], texts[2]};
    while (!reader->failed && reader->rest.len > 0) {
        uint8_t figure = ipc_get_u8(reader);
        int64_t value = (int64_t)ipc_get_u64(reader);
        int64_t took_ns = (int64_t)ipc_get_u64(reader);
        if (reader->failed || figure >= LEDGER_FIGURE_COUNT_ || took_ns < 0 ||
            (figures[figure].kind == LEDGER_COUNTED && value < 0)) {
            return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "a figure is none that there could be");
        }
        for (size_t i = 0; i < figures[figure].labels; i++) {
            ipc_get_line(reader, texts[i], sizeof texts[i]);
        }
        if (!reader->failed) {
            keep(kept, (enum ledger_figure)figure, labels, value, took_ns);
        }
    }
    return ipc_reader_end(reader, "figures", err);
}
