/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics as text, in the format of Prometheus (0.0.4) or of OpenMetrics 1.0. What is labelled with
 * a name is labelled with the name of something in the configuration, never of a peer.
 */
#ifndef GATEWAY_METRICS_INTERNAL_H
#define GATEWAY_METRICS_INTERNAL_H

#include "base/base.h"

struct parent;

/* Anchors that have a series of their own; the rest is in mutual_trust_anchors. */
enum { METRICS_ANCHORS_MAX = 1000 };

/* The media type of what metrics_text appends. Constant. */
const char *metrics_type(bool openmetrics);
/* Appends everything, from the world in use and the figures that are there. */
void metrics_text(const struct parent *parent, bool openmetrics, struct mu_buf *out);

/* ---- exposition.c: the format ------------------------------------------------------------------
 */

enum exposition_kind { EXPO_COUNTER, EXPO_GAUGE, EXPO_SUMMARY, EXPO_INFO };
struct exposition_label {
    const char *name;
    const char *value; /* escaped when it is written */
};
/* A family: all its samples follow the call of expo_family. `name` is without "_total" and "_info";
 * `unit` is its last part, or NULL. */
struct exposition {
    struct mu_buf *out;
    bool openmetrics;
    const char *name;
    enum exposition_kind kind;
};
void expo_family(struct exposition *expo, const char *name, enum exposition_kind kind,
                 const char *unit, const char *help);
/* One sample. Labels end with a name that is NULL. */
void expo_put(struct exposition *expo, const struct exposition_label *labels, uint64_t value);
void expo_put_signed(struct exposition *expo, const struct exposition_label *labels, int64_t value);
/* Of a summary: how many, and how long together. */
void expo_put_sum(struct exposition *expo, const struct exposition_label *labels, uint64_t count,
                  uint64_t sum_ns);
void expo_end(struct exposition *expo);
#define EXPO_LABELS(...) ((const struct exposition_label[]){__VA_ARGS__, {NULL, NULL}})
#define EXPO_NO_LABELS   ((const struct exposition_label[]){{NULL, NULL}})

/* ---- metrics_authority.c -----------------------------------------------------------------------
 */

/* All families of the authority; without samples where there is none. */
void metrics_authority(struct exposition *expo, const struct parent *parent);

#endif
