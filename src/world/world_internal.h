/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the room share while a world is built.
 */
#ifndef WORLD_WORLD_INTERNAL_H
#define WORLD_WORLD_INTERNAL_H

#include <stdatomic.h>

#include "world/world.h"

struct world_whole {
    struct world world;
    atomic_size_t refs;
    struct config *config;
    struct mu_arena *arena;
};

struct build {
    struct world_whole *whole;
    const struct config_snapshot *snapshot;
    struct config_findings *findings;
    int64_t now_s;
    bool no_memory;
    const struct world_lists *lists; /* NULL: from the bytes of the snapshot */
    const struct world *before;      /* or NULL */
    struct mu_map *paths;            /* chains whose path was judged before */
    bool unread;                     /* fetched OCSP responses are left unread */
};

/* A running hash over parts; parts cannot run into each other. */
struct digest {
    uint8_t state[32];
    bool failed;
};

void build_add(struct build *build, enum config_severity severity, enum mutual_code code,
               const struct config_place *place, const char *hint, const char *format, ...)
    MUTUAL_PRINTF(6, 7);
void build_add_error(struct build *build, enum config_severity severity,
                     const struct config_place *place, const struct mutual_error *err);
/* A file of the snapshot; a missing one is a finding, unless whoever loaded told so already. */
bool build_file(struct build *build, const char *path, const struct config_place *place,
                struct mu_slice *ret_bytes);
/* Is there an error about the very place? Then it is no use to tell its consequences. */
bool build_told_already(const struct build *build, const struct config_place *place);
void *build_alloc(struct build *build, size_t count, size_t size);

/* Each fills in its part as far as it goes; findings tell the rest. */
void build_trust(struct build *build, const struct config_trust *config, struct world_trust *trust);
void build_chains(struct build *build, const struct config_certificate *certificates, size_t count,
                  bool server, struct world_service *service);
/* The certificates of a host that presents its listener's; judged there. */
void build_same_chains(struct build *build, const struct world_service *listener,
                       struct world_service *service);
/* Does the chain lead to whom it should? False: an error was found, and told unless it was before.
 */
bool build_judge_path(struct build *build, const struct world_chain *chain, bool server,
                      const struct config_place *place);
/* May it be fetched from there? Else a finding of that severity. */
bool build_judge_url(struct build *build, const char *text, enum config_severity severity,
                     const struct config_place *place);
/* The OCSP response of a server's chain: one that is no good is a finding and left out. */
void build_staple(struct build *build, struct world_chain *chain);
void build_policy(struct build *build);
void build_deny(struct build *build);
/* The patterns of a setting; what could not be parsed is left out. */
size_t build_patterns(struct build *build, const struct config_mark *mark, const char *setting,
                      const struct config_pattern *patterns, size_t count,
                      struct mutual_pattern **ret_patterns);
/* The bundle of a trust block without its lists, and the digest of what it holds. */
void build_bundle(struct build *build, const struct config_trust *config,
                  struct mutual_trust *trust, struct digest *digest);
/* The table for the index-th file of a trust block; NULL with *ret_why set when it failed, or not
 * set when it was never made. */
struct mu_shared *lists_find(const struct world_lists *lists, const struct world *world,
                             const struct config_trust *trust, size_t index,
                             const struct digest *bundle, const struct mutual_error **ret_why);
/* Reads the keys and compares them with their certificates. */
void build_check_keys(struct build *build);
/* Tries every certificate whose key can be read here. */
void build_try(struct build *build);
/* The private key of a certificate, from its files. */
bool secret_key_load(const struct config_certificate *config, struct mu_key **ret_key,
                     struct mutual_error *err);
/* Does the failure say nothing about the key: it cannot be had here? */
bool secret_is_out_of_reach(enum mutual_code code);
/* "certificate \"web\" in FILE": expired, about to expire, not yet valid. */
void build_judge_time(struct build *build, const struct mu_cert *cert, const char *what,
                      const struct config_place *place);

/* Adds to the hash. */
void digest_add(struct digest *digest, struct mu_slice bytes);
void digest_add_hash(struct digest *digest, const uint8_t hash[32]);
void digest_add_number(struct digest *digest, int64_t number);
uint64_t digest_value(const struct digest *digest);

#endif
