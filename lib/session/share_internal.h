/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of sessions that processes share, to the rest of the session: records in and out. The
 * program's side of it is in session.h.
 */
#ifndef MU_SESSION_SHARE_INTERNAL_H
#define MU_SESSION_SHARE_INTERNAL_H

#include "session/session.h"

#define MU_SHARE_ID     32u /* bytes of an identifier: random, chosen by a server of ours */
#define MU_SHARE_RECORD 1984u
#define MU_SHARE_WAYS   4u /* places where one session may be: a look-up looks at no more */

/* Keeps a record in place of what ends soonest. False: it does not fit, or the library failed. */
bool mu_share_put(struct mu_share *share, const uint8_t id[MU_SHARE_ID], int64_t until_s,
                  struct mu_slice record);
/* Takes it out, for this caller alone; the number of bytes, 0: there is none. The caller wipes. */
size_t mu_share_take(struct mu_share *share, const uint8_t id[MU_SHARE_ID],
                     uint8_t record[MU_SHARE_RECORD]);

/* resume.c's: those of the cache, or NULL. */
struct mu_share *mu_cache_shared(const struct mutual_cache *cache);

#endif
