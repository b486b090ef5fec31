/* SPDX-License-Identifier: Apache-2.0
 *
 * The story of a connection in seven steps, as text for people and as JSON. Pure.
 */
#ifndef MUTUAL_EXPLAIN_H
#define MUTUAL_EXPLAIN_H

#include <mutual/admission.h>
#include <mutual/error.h>
#include <mutual/session.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mutual_story {
    enum mutual_side side;                  /* whose eyes we see with                    */
    const char *service;                    /* listener or target                        */
    const char *peer;                       /* its address as text, or NULL              */
    const struct mutual_journey *journey;   /* required                                  */
    const struct mutual_session_info *info; /* NULL: it never came to TLS                */
    const struct mutual_chain *chain;       /* the peer's, or NULL                       */
    const struct mutual_verdict *verdict;   /* NULL: it never came to admission          */
    const struct mutual_error *error;       /* NULL or MUTUAL_OK: nothing went wrong     */
};

/* Write at most `size` bytes with the final NUL; return the length it would have had. */
MUTUAL_API size_t mutual_explain_text(const struct mutual_story *story, char *text, size_t size);
MUTUAL_API size_t mutual_explain_json(const struct mutual_story *story, char *text, size_t size);
#ifdef __cplusplus
}
#endif
#endif
