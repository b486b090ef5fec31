/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual trust, in three parts: what the running gateway knows of peers and anchors, the bundle's
 * files, and the steps of a rotation.
 */
#ifndef CLI_TRUST_INTERNAL_H
#define CLI_TRUST_INTERNAL_H

#include <jansson.h>

#include "cli/cli.h"
#include "world/world.h"

struct trust_options {
    const char *control;
    const char *dir; /* of the authority */
    const char *add;
    const char *drop, *unsafe_drop;
    bool unsafe_constraints;
    uint64_t days;
    int64_t wait_ns;
};

struct trust_root_options {
    const char *dir;
    int root_key;
    int64_t root_life_ns, issuer_life_ns;
    bool use;
};
/* trust_root.c */
int trust_run_new_root(struct cli *cli, const void *options);

/* ---- what the gateway knows (trust_evidence.c) ------------------------------------------------
 */

struct trust_evidence {
    json_t *seen, *status;   /* NULL: no gateway answered ...      */
    struct mutual_error why; /* ... because of this                */
    int64_t now_s;
    int64_t since_s;       /* what was seen before then does not count             */
    struct mu_map *newest; /* of each certificate at a service: the anchor met last */
};
/* Asks the gateway at `control` (NULL: the usual place). Without one the evidence is empty. */
void trust_evidence_read(const char *control, uint64_t days, struct trust_evidence *ret_evidence);
void trust_evidence_done(struct trust_evidence *evidence);
void mu_trust_evidence_auto(struct trust_evidence *evidence);

/* What is known of one anchor of one bundle. */
struct trust_standing {
    size_t peers;    /* certificates that were seen below it and may come again            */
    size_t blockers; /* of these: let in lately, and not seen below another anchor since   */
    int64_t last_s;  /* when the last of them came; 0: none                                */
};
/* Calls `each` (may be NULL) with every blocker, an object of gateway_certificates_read. */
struct trust_standing trust_standing(const struct trust_evidence *evidence, const char *trust,
                                     const uint8_t anchor[32],
                                     void (*each)(void *context, const json_t *blocker),
                                     void *context);
/* Why what was seen is no evidence that nobody else came lately; false: it is evidence. */
#define TRUST_GAP_TEXT 400
bool trust_gap(const struct trust_evidence *evidence, uint64_t days, char text[TRUST_GAP_TEXT]);
/* Does the gateway judge by exactly these anchors? */
bool trust_is_served(const struct trust_evidence *evidence, const char *trust,
                     const struct mutual_trust *bundle);
/* Calls `each` with every certificate that was let in by the bundle and may come again. */
void trust_peers(const struct trust_evidence *evidence, const char *trust,
                 bool (*each)(void *context, const json_t *peer), void *context);

const char *trust_text(const json_t *object, const char *key); /* "" when there is none */
/* Who it was, or the words for those that are not kept. */
const char *trust_peer(const json_t *row);
int64_t trust_number(const json_t *object, const char *key);

/* ---- the files (trust_bundle.c) ----------------------------------------------------------------
 */

/* Keeps others who rotate away from the files beside `path`, and removes what a killed one left
 * half-written. STORE_BUSY. *ret_lock is closed by the caller. */
bool trust_lock(const char *path, int *ret_lock, struct mutual_error *err);
/* The certificate of a file that holds one. */
bool trust_read(const char *path, struct mu_cert **ret_cert, struct mutual_error *err);
/* Appends it to the bundle's file; text that is there stays as it is. */
bool trust_file_add(const char *path, const struct mu_cert *cert, struct mutual_error *err);
/* Takes it out of the file, when it is there: *ret_found. */
bool trust_file_drop(const char *path, const uint8_t fingerprint[32], bool *ret_found,
                     struct mutual_error *err);
/* Would the block of that configuration hold without the anchor, its revocation lists included? */
bool trust_check_without(const struct world_trust *trust, const uint8_t fingerprint[32],
                         struct mutual_error *err);
/* Would it hold with it? */
bool trust_check_with(const struct world_trust *trust, const struct mu_cert *cert,
                      struct mutual_error *err);
/* A line in PATH.history: when, who, what, which. Written before the change that it tells of. */
bool trust_history_add(const char *path, const char *what, const struct mu_cert_facts *anchor,
                       const char *remark, struct mutual_error *err);
/* Does the history say that what `which` names was dropped? */
bool trust_history_dropped(const char *path, const char *which);

/* ---- an authority of our own (trust_own.c) ------------------------------------------------------
 */

#define TRUST_OWN_MAX   1000u /* looked at of one issuer */
#define TRUST_OWN_SHOWN 20u
struct trust_own_record {
    char name[80];
    char serial[48];
    int64_t not_after_s;
};
/* Valid certificates of ours that were not replaced and chain to an anchor. */
struct trust_own {
    size_t count; /* more than TRUST_OWN_MAX: at least so many */
    struct trust_own_record shown[TRUST_OWN_SHOWN];
};
/* False: there is no authority here, or that anchor is no root of it. */
bool trust_own_read(const struct cli *cli, const char *dir, const struct mu_cert *anchor,
                    int64_t now_s, struct trust_own *ret_own);

/* ---- the steps (cmd_trust.c, trust_rotate.c) ---------------------------------------------------
 */

/* The anchor with that fingerprint, the first eight digits of it or more, that subject or that
 * name. NOT_FOUND, AMBIGUOUS. */
bool trust_find_anchor(const struct mutual_trust *trust, const char *which,
                       const struct mu_cert **ret_anchor, struct mutual_error *err);
/* Is it hexadecimal digits, eight or more, perhaps with colons? Then without them. */
bool trust_digits(const char *which, char digits[65]);
void trust_fingerprint(const struct mu_cert *cert, char text[65]);
/* The newest anchor, which a rotation leads to. */
const struct mu_cert *trust_newest(const struct mutual_trust *trust);
/* The block of that name. NOT_FOUND. */
const struct world_trust *trust_block(const struct world *world, const char *name,
                                      struct mutual_error *err);
/* Tells of one block, or of all (name NULL); the exit status. */
int trust_tell(struct cli *cli, const struct trust_options *options, const struct world *world,
               const char *name);
int trust_run_add(struct cli *cli, const struct trust_options *options);
int trust_run_drop(struct cli *cli, const struct trust_options *options);

#endif
