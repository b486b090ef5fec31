/* SPDX-License-Identifier: Apache-2.0
 *
 * The text format of metrics: Prometheus 0.0.4 and OpenMetrics 1.0, which differ in where "_total"
 * stands, in units and in the end.
 */
#include <string.h>

#include "gateway/metrics_internal.h"

static const char *suffix_of(const struct exposition *expo)
{
    return expo->kind == EXPO_COUNTER ? "_total" : expo->kind == EXPO_INFO ? "_info" : "";
}

void expo_family(struct exposition *expo, const char *name, enum exposition_kind kind,
                 const char *unit, const char *help)
{
    static const char *const words[] = {"counter", "gauge", "summary", "info"};
    expo->name = name;
    expo->kind = kind;
    const char *suffix = expo->openmetrics ? "" : suffix_of(expo);
    const char *word = kind == EXPO_INFO && !expo->openmetrics ? "gauge" : words[kind];
    (void)mu_buf_printf(expo->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, suffix, help, name,
                        suffix, word);
    if (unit != NULL && expo->openmetrics) {
        (void)mu_buf_printf(expo->out, "# UNIT %s %s\n", name, unit);
    }
}

/* Backslash, quote and line feed are escaped; both formats are UTF-8, and what is no ASCII or a
 * control byte goes as mu_escape has it. */
static void put_value(struct mu_buf *out, const char *value)
{
    for (const char *c = value; *c != '\0'; c++) {
        unsigned char byte = (unsigned char)*c;
        if (byte == '\\' || byte == '"') {
            (void)mu_buf_byte(out, '\\');
            (void)mu_buf_byte(out, byte);
        } else if (byte < 0x20 || byte >= 0x7f) {
            (void)mu_buf_printf(out, "\\\\x%02x", byte);
        } else {
            (void)mu_buf_byte(out, byte);
        }
    }
}

static void put_name(struct exposition *expo, const char *suffix,
                     const struct exposition_label *labels)
{
    (void)mu_buf_text(expo->out, expo->name);
    (void)mu_buf_text(expo->out, suffix);
    for (size_t i = 0; labels[i].name != NULL; i++) {
        (void)mu_buf_text(expo->out, i == 0 ? "{" : ",");
        (void)mu_buf_text(expo->out, labels[i].name);
        (void)mu_buf_text(expo->out, "=\"");
        put_value(expo->out, labels[i].value);
        (void)mu_buf_byte(expo->out, '"');
    }
    (void)mu_buf_text(expo->out, labels[0].name == NULL ? " " : "} ");
}

void expo_put(struct exposition *expo, const struct exposition_label *labels, uint64_t value)
{
    put_name(expo, suffix_of(expo), labels);
    (void)mu_buf_printf(expo->out, "%llu\n", (unsigned long long)value);
}

void expo_put_signed(struct exposition *expo, const struct exposition_label *labels, int64_t value)
{
    put_name(expo, suffix_of(expo), labels);
    (void)mu_buf_printf(expo->out, "%lld\n", (long long)value);
}

void expo_put_sum(struct exposition *expo, const struct exposition_label *labels, uint64_t count,
                  uint64_t sum_ns)
{
    put_name(expo, "_count", labels);
    (void)mu_buf_printf(expo->out, "%llu\n", (unsigned long long)count);
    put_name(expo, "_sum", labels);
    (void)mu_buf_printf(expo->out, "%llu.%09llu\n", (unsigned long long)(sum_ns / 1000000000u),
                        (unsigned long long)(sum_ns % 1000000000u));
}

void expo_end(struct exposition *expo)
{
    if (expo->openmetrics) {
        (void)mu_buf_text(expo->out, "# EOF\n");
    }
}
