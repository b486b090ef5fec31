/* SPDX-License-Identifier: Apache-2.0
 *
 * Sessions that the workers share: the memory for them and the secret that they are sealed by, from
 * the parent, which has both and uses neither, to each worker.
 */
#ifndef GATEWAY_SESSIONS_INTERNAL_H
#define GATEWAY_SESSIONS_INTERNAL_H

#include "event/event.h"
#include "ipc/ipc.h"
#include "session/session.h"

/* How long a session is sealed by one key; one of the hour before is found, too. */
#define SESSIONS_EPOCH_NS (3600 * MU_NS_PER_S)

/* ---- the parent ------------------------------------------------------------------------------ */

struct sessions {
    struct reactor *reactor;
    int fd;         /* of the memory; -1: there is none, and each worker keeps its own */
    uint64_t epoch; /* that the secret is of: the one before that of now               */
    uint8_t secret[32];
    struct event_timer turn;
};
/* SYSTEM_CALL, LIBRARY. */
bool sessions_init(struct sessions *sessions, struct reactor *reactor,
                   struct mutual_error *err) MUTUAL_MUST_CHECK;
void sessions_done(struct sessions *sessions);
/* SESSIONS: the epoch, the secret; descriptor: the memory. The caller wipes it. */
void sessions_write(const struct sessions *sessions, struct mu_buf *out);

/* ---- a worker -------------------------------------------------------------------------------- */

struct shared_sessions {
    struct reactor *reactor;
    void *memory; /* NULL: none came */
    struct mu_share *share;
    struct event_timer turn;
};
/* Reads SESSIONS; the cache keeps its sessions there from then on. MESSAGE_MALFORMED, LIBRARY. */
bool sessions_read(struct shared_sessions *shared, struct reactor *reactor,
                   struct ipc_message *message, struct mutual_cache *cache,
                   struct mutual_error *err) MUTUAL_MUST_CHECK;
void sessions_forget(struct shared_sessions *shared);

#endif
