/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of the door for what the authority tells of itself: what its process counted, what is
 * counted in its store, and how things stand; as it goes to the parent in STATUS, after the number
 * and the byte. Labels are words of ours and names of the configuration, never of a caller.
 */
#ifndef EVIDENCE_LEDGER_H
#define EVIDENCE_LEDGER_H

#include "base/base.h"

struct ipc_reader;

enum ledger_kind {
    LEDGER_COUNTED, /* by one process, from 0 on: what processes counted after each other adds up */
    LEDGER_STORED,  /* in the store, which outlives them: what was said last is all of it         */
    LEDGER_STATE,   /* goes up and down: what was said last holds                                 */
};
/* X(name, kind, how many labels) */
#define LEDGER_FIGURES(X)                                                                    \
    X(REQUEST, COUNTED, 3)       /* listener, method, status; with how long they took     */ \
    X(ENROLMENT, COUNTED, 3)     /* protocol, by what the caller was known, result        */ \
    X(VALIDATION, COUNTED, 2)    /* method, result                                        */ \
    X(OCSP, COUNTED, 1)          /* status                                                */ \
    X(SIGNATURE, COUNTED, 1)     /* result                                                */ \
    X(LIST, COUNTED, 2)          /* issuer, kind; with how long they took                 */ \
    X(QUESTION, COUNTED, 0)      /* asked of the store                                    */ \
    X(STORE_FAILURE, COUNTED, 1) /* kind                                                  */ \
    X(ISSUED, STORED, 2)         /* issuer, profile                                       */ \
    X(REVOKED, STORED, 2)        /* issuer, reason                                        */ \
    X(TOKEN_USED, STORED, 1)     /* issuer                                                */ \
    X(AUDIT, STORED, 0)          /* the number of the last entry                          */ \
    X(CERTIFICATES, STATE, 1)    /* valid, expired, revoked, interrupted                  */ \
    X(TOKENS, STATE, 1)          /* open, waiting, expired                                */ \
    X(STORE_CONNECTED, STATE, 0) /*                                                       */ \
    X(CRL_NUMBER, STATE, 1)      /* issuer                                                */ \
    X(CRL_THIS_UPDATE, STATE, 1) /* issuer                                                */ \
    X(CRL_NEXT_UPDATE, STATE, 1) /* issuer                                                */ \
    X(CRL_DUE, STATE, 1)         /* issuer                                                */ \
    X(ISSUER_BEGIN, STATE, 1)    /* issuer: when its certificate begins                   */ \
    X(ISSUER_END, STATE, 1)      /* issuer: when it ends                                  */

enum ledger_figure {
#define X(name_, kind_, labels_) LEDGER_##name_,
    LEDGER_FIGURES(X)
#undef X
        LEDGER_FIGURE_COUNT_
};
enum {
    LEDGER_LABELS = 3,
    LEDGER_LABEL_MAX = 255,
    LEDGER_ROWS_MAX = 256 /* of a figure; what comes after them is counted under "other" */
};
size_t ledger_label_count(enum ledger_figure figure);

struct ledger_row {
    enum ledger_figure figure;
    char *labels[LEDGER_LABELS]; /* NULL beyond those that the figure has */
    int64_t value;
    int64_t took_ns;
};
/* All-zero: an empty one. */
struct ledger {
    struct ledger_row *rows;
    size_t count, cap;
};
void ledger_done(struct ledger *ledger);
void mu_ledger_auto(struct ledger *ledger);
/* Both without memory for a new row do nothing. `labels` has as many texts as the figure; NULL for
 * none. */
void ledger_count(struct ledger *ledger, enum ledger_figure figure, const char *const *labels,
                  int64_t count, int64_t took_ns);
void ledger_put(struct ledger *ledger, enum ledger_figure figure, const char *const *labels,
                int64_t value);
#define LEDGER_LABELLED(...) ((const char *const[]){__VA_ARGS__})
/* The next row of a figure behind `before` (NULL: the first); NULL: there is none. */
const struct ledger_row *ledger_next(const struct ledger *ledger, enum ledger_figure figure,
                                     const struct ledger_row *before);
/* The value of the row with these labels; 0: there is none. */
int64_t ledger_value(const struct ledger *ledger, enum ledger_figure figure,
                     const char *const *labels);

/* Keeps only what processes count: the rest is about to be said anew. */
void ledger_forget(struct ledger *ledger);
/* Adds what was counted, and takes over what holds. */
void ledger_add(struct ledger *sum, const struct ledger *more);
/* The process is gone: what it counted goes over to `retired`. What holds stays. */
void ledger_retire(struct ledger *ledger, struct ledger *retired);

/* Appends the rows from the *ref_next-th on, as many as fit, and moves *ref_next behind them. */
void ledger_write(const struct ledger *ledger, size_t *ref_next, struct mu_buf *out);
/* Reads them to the end of the message. What was counted never goes back, whatever is said. Fails
 * with MESSAGE_MALFORMED. */
bool ledger_read(struct ledger *kept, struct ipc_reader *reader,
                 struct mutual_error *err) MUTUAL_MUST_CHECK;

#endif
