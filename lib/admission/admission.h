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

#endif
