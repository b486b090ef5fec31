/* SPDX-License-Identifier: Apache-2.0
 *
 * Sightings: who came to a service, and what they lack under the rules of tomorrow. Workers gather
 * them and tell the parent, who adds them up and keeps them in a file over restarts. All of it is
 * bounded: what does not fit is counted, and whoever reads is told so.
 */
#ifndef GATEWAY_SIGHTING_INTERNAL_H
#define GATEWAY_SIGHTING_INTERNAL_H

#include "base/base.h"
#include "config/config.h"
#include "ipc/ipc.h"
#include "world/world.h"

enum {
    SIGHTINGS_WORKER_MAX = 4096,   /* of each kind between two messages to the parent      */
    SIGHTINGS_SERVICE_MAX = 10000, /* callers kept of one service; twice that, certificates */
    SIGHTINGS_MAX = 30000,         /* of each kind of all together: some 12 MiB            */
    SIGHTINGS_FILE_MAX = 64 << 20,
    SIGHTINGS_KEPT_S = 90 * 86400, /* who did not come for so long is forgotten            */
};

/* A caller of a service: an identity that was proved, else an address without port, with what its
 * certificate claims if that was not believed. Of a service itself (`key` is ""): since when its
 * rules are those of now, and how many connections are of callers that are not kept.
 *
 * Or a certificate that proved itself at a service, of a caller or of the server that an outbound
 * reaches; one for each anchor that its chain ended in. Its `serial` is "" in the one of each
 * service and anchor that stands for all that are not kept, and `service` is "" in what a worker
 * could not tell. */
struct sighting {
    char service[264];
    char key[MU_LIMIT_NAME_BYTES + 208];
    bool certificate;
    int64_t first_s, last_s;
    uint64_t count;
    uint64_t rules;     /* which rules judged it last: see sighting_rules                */
    uint8_t mode;       /* enum config_mode */
    bool let_in;        /* last time, by the rules of today                              */
    bool known;         /* `key` is an identity                                          */
    char lacks[40];     /* the code by which tomorrow's rules would refuse it; "" for none */
    char why[224];      /* ... and the reason                                            */
    uint8_t anchor[32]; /* fingerprint of the authority its chain ended in; zero: none   */
    char anchor_name[160];
    char issuer[160]; /* of its certificate, as its serial number; claimed where not known */
    char serial[48];
    int64_t not_after_s;
};

struct sightings;
/* At most `max` callers in all, and `service_max` of one service. NULL: out of memory. */
struct sightings *sightings_new(size_t max, size_t service_max);
void sightings_free(struct sightings *sightings);
size_t sightings_count(const struct sightings *sightings);
/* Adds what was seen to what is known of the caller; without room or memory to that of nobody. */
void sightings_note(struct sightings *sightings, const struct sighting *seen);
/* Says which rules a service has now: what was observed under others proves nothing any more. */
void sightings_rules(struct sightings *sightings, const char *service, uint64_t rules,
                     int64_t now_s);
/* Calls `each` for every one. */
void sightings_each(const struct sightings *sightings,
                    void (*each)(void *context, const struct sighting *sighting), void *context);
/* Forgets whom nobody saw since then, and certificates that ended before now. */
void sightings_forget(struct sightings *sightings, int64_t before_s, int64_t now_s);
/* Moves as many as fit into the payload of a message, out of the sightings; false: none was left.
 */
bool sightings_take(struct sightings *sightings, struct mu_buf *out);
/* Adds up what a message, or a file, says. Fails with MESSAGE_MALFORMED. */
bool sightings_read(struct sightings *sightings, struct mu_slice payload,
                    struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Since when every certificate is among them, and why not longer. What is not known for sure is a
 * gap, and a gap begins this anew: whoever takes absence for evidence must not be wrong. */
struct sightings_since {
    int64_t at_s;
    char why[120];
};
const struct sightings_since *sightings_since(const struct sightings *sightings);
void sightings_gap(struct sightings *sightings, int64_t now_s, const char *why);
/* After sightings_load: a process that was killed, a clock that went back and a rest of more than
 * SIGHTINGS_REST_S since the file was written are gaps. */
#define SIGHTINGS_REST_S INT64_C(86400)
void sightings_resume(struct sightings *sightings, int64_t now_s);
/* Told with each save: a clock that was set is a gap. */
void sightings_clock(struct sightings *sightings, int64_t wall_s, int64_t mono_ns);
/* The file: a line that says what it is, since when, the sightings, a hash over all. `ended`: by a
 * process that told all it saw. A file that is missing is empty. Fails with FILE_UNREADABLE,
 * FILE_UNWRITABLE, or STORE_CORRUPT for what is none of ours. */
bool sightings_load(struct sightings *sightings, const char *path,
                    struct mutual_error *err) MUTUAL_MUST_CHECK;
bool sightings_save(const struct sightings *sightings, const char *path, bool ended, int64_t now_s,
                    struct mutual_error *err) MUTUAL_MUST_CHECK;

/* A number for the rules that a service has: another one whenever what is trusted, the policy, what
 * is tried of it, or the mode changes. Lists of what is revoked change too often to count. */
uint64_t sighting_rules(const struct world_service *service);

/* One service's (NULL: everybody's) as JSON: see mutual-access(1). */
void sightings_json(const struct sightings *sightings, const char *service, struct mu_json *json);
/* The certificates that were seen, of all services; one without a serial number stands for those
 * below the same anchor that are not kept. */
void sightings_certificates_json(const struct sightings *sightings, struct mu_json *json);

#endif
