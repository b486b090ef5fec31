/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeping a certificate fresh: when to renew it (pure), asking an authority by EST, proving the new
 * one before anybody relies on it, and putting the three files in place of the old ones at once.
 */
#ifndef ENROLL_ENROLL_H
#define ENROLL_ENROLL_H

#include <mutual/identity.h>
#include <mutual/trust.h>

#include "base/base.h"
#include "http/http.h"
#include "x509/x509.h"

/* ---- when: schedule.c ---------------------------------------------------------------------------
 *
 * Pure, so that a week of ten thousand can be tried in a second. All that is random comes from the
 * certificate's fingerprint: the same one always waits for the same moment, and those of a fleet
 * that were issued together do not.
 */

struct enroll_life {
    int64_t from_s, until_s; /* notBefore, notAfter */
    uint8_t salt[32];        /* fingerprint         */
};
/* What became of tries with this certificate; all-zero: there was none. */
struct enroll_tries {
    unsigned failures; /* in a row */
    int64_t tried_s;   /* when the last one was */
    int64_t told_s;    /* the authority said: not before then; 0: it did not */
};
/* When the first try is: spread over the twelfth of the life that ends a 24th before two thirds of
 * it. So whoever comes just when the authority goes away for a third of a life has a 24th of it
 * left when it is back. */
int64_t enroll_first_s(const struct enroll_life *life);
/* When the next try is. After a failure: at first after a 1440th of the life (15 minutes at the
 * most), doubled each time up to a fifth of what is left, so that tries become more frequent near
 * the end; give or take a quarter. Retry-After is honoured, spread, but never beyond half of what
 * is left. After the end: every 24th of the life, an hour at the most. */
int64_t enroll_next_s(const struct enroll_life *life, const struct enroll_tries *tries);
/* How long to wait at now_s before looking again; 0: it is time. Never longer than ENROLL_LOOK_S:
 * clocks are set and machines sleep. After a clock was set back behind a failure it is time at
 * once: that costs one try, and waiting for the old time could cost the certificate. */
#define ENROLL_LOOK_S 60
int64_t enroll_wait_s(const struct enroll_life *life, const struct enroll_tries *tries,
                      int64_t now_s);

/* ---- the three files: triple.c ----------------------------------------------------------------
 */

/* tls.crt (leaf first), tls.key, ca.crt. */
struct enroll_triple {
    struct mu_certs chain;
    struct mu_key *key;
    struct mu_certs roots;
};
void enroll_triple_done(struct enroll_triple *triple);
void mu_enroll_triple_auto(struct enroll_triple *triple);
/* Reads the three of one directory, as they belong together even while somebody exchanges it.
 * FILE_MISSING, FILE_UNREADABLE, PEM_MALFORMED, CERT_MALFORMED, KEY_MALFORMED, KEY_PASSPHRASE,
 * KEY_MISMATCH. */
bool enroll_triple_load(const char *directory, struct enroll_triple *ret_triple,
                        struct mutual_error *err) MUTUAL_MUST_CHECK;
struct enroll_life enroll_triple_life(const struct enroll_triple *triple);

/* Beside the three: where they are renewed, {"url": ..., "label": ...}. Carried along. */
#define ENROLL_SETTINGS     "enroll.json"
#define ENROLL_SETTINGS_MAX 4096u

/* A directory that is exchanged for another: what a reader finds by its name is whole before,
 * after and meanwhile, and belongs together when it is read from one open directory. */
struct enroll_swap {
    char *path;  /* the directory, links resolved */
    char *aside; /* the other one                 */
    bool swapped;
};
/* Writes the triple aside, with the owners and modes of what is there now, and syncs it. */
bool enroll_swap_prepare(struct enroll_swap *swap, const char *directory,
                         const struct enroll_triple *triple,
                         struct mutual_error *err) MUTUAL_MUST_CHECK;
bool enroll_swap_do(struct enroll_swap *swap, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* The old one is back. */
bool enroll_swap_undo(struct enroll_swap *swap, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Removes the one that is not in place. Safe to call again, and on all-zero. */
void enroll_swap_done(struct enroll_swap *swap);
/* Removes what a killed renewal of that directory left aside. */
void enroll_swap_recover(const char *directory);

/* ---- proving: prove.c -------------------------------------------------------------------------
 */

/* Is the new one as good as the old one? The same names or more, an end that is `later` or else at
 * least no earlier, its own key, purposes that the old one has, and a handshake in memory in each
 * role that it is for, with a peer who believes what `live` believes. RENEWAL_UNFIT says what is
 * missing; a handshake's own error else. */
bool enroll_prove(const struct enroll_triple *old, const struct enroll_triple *fresh,
                  const struct mutual_trust *live, bool later, int64_t now_s,
                  struct mutual_error *err) MUTUAL_MUST_CHECK;

/* ---- asking: est.c ------------------------------------------------------------------------------
 */

/* One request of EST (RFC 7030, RFC 8951) that carries a CSR. */
struct enroll_question {
    const char *url;            /* "https://ca.example.org:8443": what stands before /.well-known */
    const char *label;          /* RFC 7030 section 3.2.2; NULL: none */
    const char *operation;      /* "simpleenroll", "simplereenroll" */
    struct mutual_trust *trust; /* whom the server has to prove to be known by */
    struct mutual_identity *identity; /* what we prove ourselves by, or NULL */
    const char *authorization;        /* the field's value ("Basic ..."), or NULL */
    struct mu_slice csr;              /* DER */
    int64_t timeout_ns;               /* for each wait; 0: 20 s */
};
struct enroll_answer {
    unsigned status;       /* 0: there was none */
    int64_t retry_after_s; /* in so many seconds; 0: it does not say */
    struct mu_certs certs; /* with 200: the new certificate and what else came */
};
void enroll_answer_done(struct enroll_answer *answer);
/* Waits for the answer. False: `ret_answer` still says what the server said. ENROLL_WAITS for
 * 202, HTTP_STATUS for other refusals, CERT_MALFORMED; what http_client says. */
bool enroll_ask(const struct enroll_question *question, struct enroll_answer *ret_answer,
                struct mutual_error *err) MUTUAL_MUST_CHECK;

/* ---- the whole: renew.c -------------------------------------------------------------------------
 */

/* What to do after a renewal, so that programs use it. */
struct enroll_hook {
    const char *command; /* a program by its absolute path and its arguments, at blanks; no shell */
    const char *pid_file; /* whom to send SIGHUP */
};
struct enroll_job {
    const char *directory; /* of the triple */
    const char *url, *label;
    const char *trust_file; /* what peers believe today; NULL: ca.crt of the triple in place */
    /* A real handshake with somebody before the exchange, as the caller can make one. NULL: none.
     */
    bool (*prove)(void *owner, struct mutual_identity *fresh, struct mutual_trust *live,
                  struct mutual_error *err);
    void *owner;
    struct enroll_hook hook;
    bool force; /* whether it is time or not */
};
enum enroll_outcome {
    ENROLL_NOT_DUE,
    ENROLL_RENEWED,
    ENROLL_FAILED, /* the old one is in place, and was always */
};
struct enroll_report {
    enum enroll_outcome outcome;
    int64_t next_s;  /* when it is time (again) */
    int64_t until_s; /* when the one in place ends */
    bool undone;     /* it was in place, and was taken back */
};
/* Renews if it is time. The tries are remembered in a file beside the directory, .NAME.renewal, so
 * that one command after another behaves as one that waits. False: it failed, err says why, and the
 * report is filled as far as the files can be read. */
bool enroll_renew(const struct enroll_job *job, int64_t now_s, struct enroll_report *ret_report,
                  struct mutual_error *err) MUTUAL_MUST_CHECK;

#endif
