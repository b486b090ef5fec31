/* SPDX-License-Identifier: Apache-2.0
 *
 * The door of admission to the other rooms of this tree.
 */
#ifndef MU_ADMISSION_ADMISSION_H
#define MU_ADMISSION_ADMISSION_H

#include "base/base.h"

#include <mutual/admission.h>

/* By which of these names to call somebody: a SPIFFE ID, else the first name, which is the common
 * name only when there is no other; NULL when there is none. */
const struct mutual_name *mu_name_chief(const struct mutual_name *names, size_t count);
/* By which name to call the peer: the one that the verdict went by, else the chain's chief name.
 * Either may be NULL. NULL: it has no name, or presented no certificate. */
const struct mutual_name *mu_peer_name(const struct mutual_verdict *verdict,
                                       const struct mutual_chain *chain);

/* A question about somebody who is not there: what would be answered? */
struct mu_question {
    const struct mutual_chain
        *chain;                      /* validated by the rules' own bundle just now; or NULL, and */
    const struct mutual_name *names; /* the names that a certificate is supposed to hold          */
    size_t name_count;               /* neither: a peer without a certificate                     */
    const struct mutual_error *disbelieved; /* of a certificate that was not validated: why       */
    struct mutual_staple staple; /* of a server: what it is supposed to send along with the chain;
                                    all-zero: nothing                                             */
};
/* A verdict as far as a question can get: it holds no pass, because nothing was proved. */
struct mu_answer {
    bool allowed;
    struct mutual_error why;          /* not allowed: as in mutual_verdict                        */
    const struct mutual_grant *grant; /* that decided or would at another time; the policy's      */
    const struct mutual_name *name;   /* that matched; the question's                             */
    int64_t until_s;                  /* allowed: the earliest moment at which it stops           */
    enum mutual_shadow shadow;        /* what tomorrow's rules answer ...                         */
    struct mutual_error shadow_why;   /* ... when it is no                                        */
    const struct mutual_grant *shadow_grant;
};
/* Answers by the very checks of mutual_admit but the proof of the key, so that "would it work?"
 * and "does it work?" cannot differ. A question is another type than evidence and an answer another
 * than a verdict: whatever a caller does with it, no relay can be opened by asking. Where rules ask
 * for no certificate, the question is answered as for somebody without one. */
struct mu_answer mu_admit_ask(const struct mu_question *question, const struct mutual_rules *rules,
                              int64_t now_s);

#endif
