/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the admission room share: the words in which it says no.
 */
#ifndef MU_ADMISSION_ADMISSION_INTERNAL_H
#define MU_ADMISSION_ADMISSION_INTERNAL_H

#include "admission/admission.h"

/* Who is judged: the names of a certificate and its subject. */
struct mu_peer {
    const struct mutual_name *names;
    size_t name_count;
    const char *subject;
};

/* Each fills the error and yields false, as mu_fail does. */

/* No grant fits: POLICY_DENIED with the line to add, NO_IDENTITY when there is no name to give a
 * grant to. A grant fits but not now: GRANT_ENDED, GRANT_NOT_BEGUN. The names may be none. */
bool mu_say_denied(const struct mutual_rules *rules, const struct mu_peer *peer,
                   const struct mutual_decision *decision, int64_t now_s, struct mutual_error *err);
/* The same for a peer without a certificate. */
bool mu_say_denied_anonymous(const struct mutual_rules *rules,
                             const struct mutual_decision *decision, int64_t now_s,
                             struct mutual_error *err);
/* Somebody on the path is on the deny list, by the place of its certificate in the path, or by a
 * name of the peer's (then not NULL): PEER_DENIED. */
bool mu_say_on_list(const struct mutual_denial *denial, const struct mu_peer *peer, size_t link,
                    const struct mutual_name *name, struct mutual_error *err);
/* The server is not whom we expected: NAME_MISMATCH, NO_IDENTITY. */
bool mu_say_mismatch(const struct mutual_rules *rules, const struct mu_peer *peer,
                     struct mutual_error *err);

#endif
