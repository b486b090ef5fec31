/* SPDX-License-Identifier: Apache-2.0
 *
 * The door of explain to the program: the story with what was seen on the wire, the stable words
 * for reasons, and the log's record of a connection. Pure: nothing is printed or written here.
 */
#ifndef MU_EXPLAIN_EXPLAIN_H
#define MU_EXPLAIN_EXPLAIN_H

#include <mutual/explain.h>

#include "base/base.h"

struct mu_observed;

/* What the probe knows beyond the story. All-zero is valid. */
struct mu_story_view {
    const struct mu_observed *observed; /* what crossed the wire (mu_session_observe), or NULL   */
    bool unchecked;                     /* client side: nobody judged the server's certificate   */
    const char *const *notes;           /* sentences to tell at the end, NULL-terminated or NULL */
};
/* As mutual_explain_text and _json, appended to a buffer. `view` may be NULL. */
void mu_explain_text(const struct mutual_story *story, const struct mu_story_view *view,
                     struct mu_buf *out);
void mu_explain_json(const struct mutual_story *story, const struct mu_story_view *view,
                     struct mu_buf *out);

/* How it came out, in one stable word: "under_way", "admitted", "refused" (by a check or by the
 * peer), "failed" (something of ours or the machine's), "ended" (was admitted, then stopped). */
const char *mu_story_outcome(const struct mutual_story *story);
/* The step that decided: of the error, else of the journey. */
enum mutual_step mu_story_step(const struct mutual_story *story);
/* What went wrong: the story's error, else the refusing verdict's; NULL when nothing did. */
const struct mutual_error *mu_story_error(const struct mutual_story *story);

/* ---- reasons --------------------------------------------------------------------------------- */

#define MU_REASON_TEXT 48
/* The stable lower-case word of a code for logs and metrics: "unknown_issuer", "expired". */
const char *mu_explain_reason_word(enum mutual_code code, char word[MU_REASON_TEXT]);
/* The code of such a word or of a code's name, in any case; MUTUAL_OK when there is none. */
enum mutual_code mu_explain_reason_find(const char *word);

/* ---- the log --------------------------------------------------------------------------------- */

/* What the gateway knows of a connection beyond its story. All-zero is valid. */
struct mu_story_counts {
    int64_t time_s;       /* when the record is made */
    int64_t worker;       /* the process that served it, as mutual status shows it */
    uint64_t connection;  /* its number there        */
    int64_t duration_ns;  /* from accept to end      */
    uint64_t bytes_in;    /* plaintext from the peer */
    uint64_t bytes_out;   /* plaintext to the peer   */
    const char *upstream; /* where it was sent, or NULL  */
    const char *trace_id; /* or NULL                     */
    bool plaintext;       /* no TLS was spoken           */
    const char *claimed;  /* what a certificate says that was not believed, or NULL */
};
/* How much it matters, in the log's words: "info", "warning" (the peer's side), "error" (ours). */
const char *mu_story_level(const struct mutual_story *story);
/* One record for the end of a connection: a line for people, without its newline. */
void mu_story_log_text(const struct mutual_story *story, const struct mu_story_counts *counts,
                       struct mu_buf *out);
/* The same as one JSON object, without a newline. Fields, always all of them, null where unknown:
 * time, level, event, msg, side, listener, worker, conn, peer.addr, peer.id, peer.claimed,
 * peer.serial, peer.fingerprint, tls.version, tls.cipher, tls.group, tls.resumed, tls.mutual,
 * tls.sni, tls.alpn, plaintext, outcome, decision, rule, rule.at, shadow, shadow.rule, step,
 * reason, detail, upstream, bytes_in, bytes_out, duration_ms, trace_id. */
void mu_story_log_json(const struct mutual_story *story, const struct mu_story_counts *counts,
                       struct mu_buf *out);

#endif
