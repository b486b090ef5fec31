/* SPDX-License-Identifier: Apache-2.0
 *
 * Figures of a service, counted where things happen, added up by the parent. One row each:
 * X(name, what it counts).
 */
#ifndef GATEWAY_METER_INTERNAL_H
#define GATEWAY_METER_INTERNAL_H

#include "base/base.h"
#include "ipc/ipc.h"

#define METER_FIGURES(X)                                                                    \
    X(accepted, "connections accepted")                                                     \
    X(open, "connections open now")                                                         \
    X(admitted, "connections whose peer was proved and admitted")                           \
    X(resumed, "of these, by a resumed session")                                            \
    X(left, "connections whose peer left without a word")                                   \
    X(failed, "connections whose handshake failed")                                         \
    X(refused, "connections whose peer was judged and refused")                             \
    X(turned_away, "connections closed at once, their source having its share of the gate") \
    X(crowded_out, "connections ended for others while they were not admitted")             \
    X(unreachable, "connections whose other end could not be reached")                      \
    X(broken, "connections that broke or were ended after admission")                       \
    X(bytes_in, "bytes from the connecting side")                                           \
    X(bytes_out, "bytes to the connecting side")                                            \
    X(ended, "connections that are over")                                                   \
    X(lasted_us, "microseconds that these lasted")                                          \
    X(admission_us, "microseconds from connecting to being admitted, of all admitted")

enum meter_figure {
#define X(name_, text_) METER_##name_,
    METER_FIGURES(X)
#undef X
        METER_COUNT_
};

/* How a handshake ended: one row for each way that was seen, so a service has few of them. */
enum meter_result { METER_ADMITTED, METER_REFUSED, METER_FAILED, METER_LEFT, METER_RESULT_COUNT_ };
enum meter_version { METER_NO_TLS, METER_TLS12, METER_TLS13, METER_VERSION_COUNT_ };
struct meter_outcome {
    uint16_t code; /* enum mutual_code */
    uint8_t result;
    uint8_t version;
    bool resumed;
    uint64_t count;
};
/* The greatest number of ways; a service of ours shows a dozen. Beyond it the last row counts. */
enum { METER_OUTCOMES_MAX = 128 };

/* Named like its service and kept over reloads. */
struct meter {
    char *name;
    uint64_t figures[METER_COUNT_];
    struct meter_outcome *outcomes;
    size_t outcome_count;
    size_t outcome_cap;
};

struct meters {
    struct meter **items;
    size_t count;
    size_t cap;
    struct mu_map *by_name;
};

const char *meter_word(enum meter_figure figure); /* "bytes_in" */
const char *meter_text(enum meter_figure figure);
bool meter_is_gauge(enum meter_figure figure);           /* goes down, too */
const char *meter_result_word(enum meter_result result); /* "admitted" */
/* The meter of that name, made when there is none; NULL: out of memory. Stays where it is. */
struct meter *meters_get(struct meters *meters, const char *name);
/* The same, or NULL when there is none. */
struct meter *meters_find(const struct meters *meters, const char *name);
void meters_done(struct meters *meters);
/* Adds what `how` counts to the row like it. Without memory for a row nothing is counted. */
void meter_count(struct meter *meter, const struct meter_outcome *how);
/* Adds the counters of another meter, and its gauges if they are asked for. */
void meter_add(struct meter *sum, const struct meter *more, bool gauges);
/* Empties a meter that is the caller's own, not one of meters'. */
void meter_clear(struct meter *meter);

/* Appends the meters from the *ref_next-th on, as many as fit, and moves *ref_next behind them. */
void meters_write(const struct meters *meters, size_t *ref_next, struct mu_buf *out);
/* Reads them to the end of the message, into the meters that `known` has, too: others are passed
 * over. Counters never go back, whatever is said. Fails with MESSAGE_MALFORMED or NO_MEMORY. */
bool meters_read(struct meters *kept, const struct meters *known, struct ipc_reader *reader,
                 struct mutual_error *err) MUTUAL_MUST_CHECK;

/* ---- figures of a worker as a whole -------------------------------------------------------------
 */

/* X(name, does it only grow?) */
#define WORKER_FIGURES(X) \
    X(places, false)      \
    X(knocking, false)    \
    X(handshakes, false)  \
    X(shaking, false)     \
    X(slots, false)       \
    X(slots_used, false)  \
    X(log_lost, true)

enum worker_figure {
#define X(name_, grows_) WORKER_##name_,
    WORKER_FIGURES(X)
#undef X
        WORKER_COUNT_
};
bool worker_figure_grows(enum worker_figure figure);

#endif
