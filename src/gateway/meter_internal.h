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
    X(bytes_out, "bytes to the connecting side")

enum meter_figure {
#define X(name_, text_) METER_##name_,
    METER_FIGURES(X)
#undef X
        METER_COUNT_
};

/* Named like its service and kept over reloads. */
struct meter {
    char *name;
    uint64_t figures[METER_COUNT_];
};

struct meters {
    struct meter **items;
    size_t count;
    size_t cap;
};

const char *meter_word(enum meter_figure figure); /* "bytes_in" */
const char *meter_text(enum meter_figure figure);
/* The meter of that name, made when there is none; NULL: out of memory. Stays where it is. */
struct meter *meters_get(struct meters *meters, const char *name);
void meters_done(struct meters *meters);

/* As the content of a message; what does not fit into MU_LIMIT_MESSAGE_BYTES is left out. */
void meters_write(const struct meters *meters, struct mu_buf *out);
/* Adds what a message says to `sum`. Fails with MESSAGE_MALFORMED or NO_MEMORY. */
bool meters_add(struct meters *sum, struct ipc_reader *reader,
                struct mutual_error *err) MUTUAL_MUST_CHECK;

#endif
