/* SPDX-License-Identifier: Apache-2.0
 *
 * Questions to the DNS that a challenge asks: where a name is, or whether a text is there. What
 * strangers answer is read in a helper process (helper_internal.h), by c-ares; the parent reads one
 * byte and addresses. The machine's hosts file is not asked: a name is where the DNS says.
 */
#ifndef GATEWAY_QUERY_INTERNAL_H
#define GATEWAY_QUERY_INTERNAL_H

#include "event/event.h"
#include "gateway/resolve_internal.h"

struct query_question {
    const char *name;     /* a DNS name                                          */
    const char *text;     /* is there a TXT record of just this? NULL: addresses */
    const char *resolver; /* "127.0.0.1:53"; NULL: those of the machine          */
    uint16_t port;        /* of the addresses                                    */
};
enum query_answer {
    QUERY_FOUND,
    QUERY_NOTHING, /* no such name, or no such record                  */
    QUERY_OTHER,   /* there are texts, and none is it                  */
    QUERY_TROUBLE, /* no server answered, or not well                  */
    QUERY_ANSWERS_,
};
/* `targets` counts only for QUERY_FOUND of addresses. */
typedef void query_done_fn(void *owner, enum query_answer answer, const struct targets *targets);
struct query;
/* Takes copies of nothing: the question must live until it is answered. Calls done(owner) once,
 * then the query is freed. */
bool query_start(struct reactor *reactor, const struct query_question *question, const char *user,
                 query_done_fn *done, void *owner, struct query **ret_query,
                 struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Gives it up; done is not called. NULL is allowed. */
void query_stop(struct query *query);

/* In the helper: asks and writes the answer. For tests too. */
void query_ask(const struct query_question *question, struct mu_buf *out);
/* Reads what a helper says: one byte (query_answer), then addresses as resolve_parse. False: none
 * of that. */
bool query_parse(struct mu_slice bytes, enum query_answer *ret_answer, struct targets *ret_targets);

#endif
