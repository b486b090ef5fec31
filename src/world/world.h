/* SPDX-License-Identifier: Apache-2.0
 *
 * The world: everything the configuration says, made real and judged. Certificates parsed, trust
 * bundles and the policy frozen, rules made for every service. Built aside from a snapshot by a
 * pure function, then immutable, reference-counted and swapped whole; parent, workers and
 * `mutual check` build the very same one. It holds no private key: keys live in their own process.
 */
#ifndef WORLD_WORLD_H
#define WORLD_WORLD_H

#include <mutual/admission.h>
#include <mutual/policy.h>
#include <mutual/trust.h>

#include "admission/admission.h"
#include "base/base.h"
#include "config/config.h"
#include "identity/identity.h"
#include "session/session.h"
#include "x509/x509.h"

/* A certificate that we present, with what completes its path. */
struct world_chain {
    const struct config_certificate *config; /* where its files are */
    struct mu_cert **certs;                  /* leaf first */
    size_t count;
    uint8_t key_hash[32];   /* SHA-256 of the leaf's SubjectPublicKeyInfo: which key signs for it */
    struct mu_slice staple; /* the OCSP response to send, verified; empty: none */
    struct mu_staple_span staple_span;
    const char *staple_url;        /* where it is fetched from, or NULL */
    struct mu_cert *staple_issuer; /* with a URL: who issued the leaf; a reference */
};

/* One trust block. */
struct world_trust {
    const struct config_trust *config;
    struct mutual_trust *trust;     /* frozen */
    uint64_t trust_generation;      /* of the anchors and intermediates   */
    uint64_t revocation_generation; /* of the lists and how they are used */
};

/* An inbound listener, one of its hosts, or an outbound target. */
struct world_service {
    const char *name;
    const struct world_service *listener; /* of a host: whose it is; else NULL */
    struct mutual_pattern **hosts;        /* of a host: its host names, normalised */
    size_t host_count;
    const struct config_inbound *inbound; /* one of the two is NULL */
    const struct config_outbound *outbound;
    struct world_trust *trust; /* NULL: nobody's certificate is asked for */
    struct world_chain *chains;
    size_t chain_count;
    struct mutual_pattern **expect; /* outbound */
    size_t expect_count;
    struct mutual_rules rules; /* complete, ready for mutual_admit; borrows from the world */
};

struct world {
    const struct config *config;
    struct mutual_policy *policy; /* frozen */
    struct mutual_policy
        *shadow; /* the same with the changes that are tried made; NULL: none are */
    uint64_t policy_generation;
    struct mutual_deny *deny;   /* NULL: no list is configured */
    uint8_t deny_digest[32];    /* of its text ... */
    uint64_t deny_generation;   /* ... and for short */
    struct world_trust *trusts; /* config->trust_count of them, in the same order */
    size_t trust_count;
    struct world_service *services; /* every inbound in order, each followed by its hosts; then
                                       every outbound */
    size_t service_count;
};

/* What changes whenever another one of the bundle's certificates may be refused: the lists of the
 * trust block or the deny list. */
uint64_t world_revocation_generation(const struct world *world, const struct world_trust *trust);

/* Builds the world of a snapshot as it is at now_s: expiry is judged by it, generations are not.
 * Adds everything wrong to `findings` (so does config_build, which it calls); true when no finding
 * is an error, and only then *ret_world is written. Pure, and the same in every process: equal
 * snapshots have equal generations. The snapshot is not needed afterwards. */
bool world_build(const struct config_snapshot *snapshot, int64_t now_s,
                 struct config_findings *findings, const struct world **ret_world);
const struct world *world_ref(const struct world *world);
void world_unref(const struct world *world); /* NULL is accepted */
void mu_world_auto(const struct world **world);

/* ---- revocation lists, verified once for every process ------------------------------------------
 */

/* The tables (trust/trust.h) of the files of lists that a configuration names; each in a sealed
 * memory file, known by a digest of the file and of the bundle that verified it. */
struct world_lists;
struct world_lists *world_lists_new(void); /* NULL: out of memory */
void world_lists_free(struct world_lists *lists);
void mu_world_lists_auto(struct world_lists **lists);

/* A file of lists: the index-th of a trust block's. */
struct world_list_place {
    uint32_t trust;
    uint32_t index;
};
/* What became of one file. */
struct world_list {
    struct world_list_place place;
    uint8_t digest[32];
    int fd;                         /* of the table; or -1 */
    bool known;                     /* it is that of `known` */
    const struct mutual_error *why; /* NULL, or why there is no table */
};
typedef bool world_list_fn(void *taker, const struct world_list *list, struct mutual_error *err);
/* Reads and verifies every file of lists that the snapshot's trust blocks name, and gives each to
 * `take`; those whose digest is in `known` (or NULL) with the descriptor that is there, without
 * doing it again. Takes seconds for a million entries, and sees what others signed: for a process
 * of its own. What is wrong with the configuration is passed over: world_build tells it. */
bool world_lists_make(const struct config_snapshot *snapshot, const struct world_lists *known,
                      world_list_fn *take, void *taker, struct mutual_error *err);
/* Maps the table of `list`, whose descriptor must be of a sealed memory file (MESSAGE_MALFORMED)
 * and is taken (on failure too): kept if others are to get it, else closed. A list with a reason in
 * place of a table is remembered as failed. Fails with LIMIT beyond WORLD_LISTS_MAX. */
#define WORLD_LISTS_MAX 1000u
bool world_lists_put(struct world_lists *lists, const struct world_list *list, bool keep,
                     struct mutual_error *err);
/* Puts the table with that digest from `from` into `lists`; false: there is none. */
bool world_lists_reuse(struct world_lists *lists, const struct world_lists *from,
                       struct world_list_place place, const uint8_t digest[32]);
size_t world_lists_count(const struct world_lists *lists);
/* Borrowed, descriptor included; valid until the next put. */
struct world_list world_lists_get(const struct world_lists *lists, size_t i);
/* Is no list of `next` older than the same list of the same trust block in `old`? CRL_ROLLBACK; a
 * trust block may say that it is meant. */
bool world_lists_forward(const struct world *old, const struct world *next,
                         struct mutual_error *err);
/* What happens when a list goes stale, as the end of a sentence. Constant. */
const char *world_stale_outcome(const struct config_stale *stale);
/* As world_build, with tables for all files of lists in place of their bytes. The world keeps the
 * mappings that it needs; `lists` may be freed. `before` (or NULL) is a world whose deny list is
 * taken over when it is of the same text, since reading a long one takes a while. */
bool world_build_with(const struct config_snapshot *snapshot, const struct world_lists *lists,
                      const struct world *before, int64_t now_s, struct config_findings *findings,
                      const struct world **ret_world);

/* As world_build_with, but OCSP responses that were fetched are left unread, for they come from
 * strangers: for the parent of a gateway, whose workers read them. */
bool world_build_unread(const struct config_snapshot *snapshot, const struct world_lists *lists,
                        const struct world *before, int64_t now_s, struct config_findings *findings,
                        const struct world **ret_world);

/* NULL when there is none of that name. */
const struct world_service *world_service_find(const struct world *world, const char *name);
const struct world_trust *world_trust_find(const struct world *world, const char *name);

/* ---- the contexts that serve, and a test of them ------------------------------------------------
 */

/* By what a service's context is made, beside what the world says. */
struct world_maker {
    /* The key of a chain's leaf; a reference is handed out. */
    bool (*key)(void *owner, const struct world_chain *chain, struct mu_key **ret_key,
                struct mutual_error *err);
    struct mutual_context *(*made)(void *owner, size_t host); /* of a host's index, made before */
    void *owner;
    struct mutual_cache *cache; /* or NULL: nothing is resumed */
    struct mu_known *known;     /* or NULL */
};
/* The context of the index-th service; those of a listener's hosts are made before it. The world
 * must outlive it. */
bool world_context_new(const struct world *world, size_t index, const struct world_maker *maker,
                       struct mutual_context **ret_context,
                       struct mutual_error *err) MUTUAL_MUST_CHECK;

/* One certificate to try: the chain-th of a service, and a digest of all that decides whether it
 * works: its chain, the role, versions, records, protocols, what clients are asked. What has the
 * same digest need not be tried again. */
struct world_trial {
    uint32_t service;
    uint32_t chain;
    uint8_t digest[32];
};
/* Everything that there is to try, each once; mu_free it. */
bool world_trials(const struct world *world, struct world_trial **ret_trials, size_t *ret_count,
                  struct mutual_error *err) MUTUAL_MUST_CHECK;

/* Tries them one after the other, by a rehearsal (session/session.h) of TLS 1.3 and, where it is
 * served, of 1.2. One that works with no version is an error; with one of two, or never shown to
 * anybody, a warning. */
struct world_tryout;
struct world_tryout_hooks {
    /* The context of a service; NULL: it cannot be tried, and that was told. */
    struct mutual_context *(*context)(void *owner, size_t service);
    /* May put a better reason for a handshake that failed; may be NULL. */
    void (*explain)(void *owner, struct mutual_error *err);
    void *owner;
};
#define WORLD_TRYOUT_WARNINGS 16u
/* The world, the trials and the contexts must outlive it. */
bool world_tryout_new(const struct world *world, const struct world_trial *trials, size_t count,
                      const struct world_tryout_hooks *hooks, struct world_tryout **ret_tryout,
                      struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Goes on a little. WANT_READ: call again; WANT_KEY: once the signature is there; DONE: all were
 * tried; FAILED: one works for nobody, `err` names certificate and service. */
enum mutual_io world_tryout_step(struct world_tryout *tryout, struct mutual_error *err);
const struct mutual_error *world_tryout_warnings(const struct world_tryout *tryout,
                                                 size_t *ret_count);
/* What is being tried, or what failed; NULL: all is over. */
const struct world_trial *world_tryout_at(const struct world_tryout *tryout);
void world_tryout_free(struct world_tryout *tryout);

/* As world_build, and compares the private key of every certificate with it, and tries them all as
 * above. Reads the key files, so it is for `mutual check`, and for nobody who talks to strangers.
 * Keys that cannot be read here, or whose passphrase is not at hand, are a warning. */
bool world_check(const struct config_snapshot *snapshot, int64_t now_s,
                 struct config_findings *findings, const struct world **ret_world);

/* The secret a reference names, in secret memory with its length (mu_secret_free): the file's
 * bytes without a final newline, the variable or the credential. Fails with FILE_MISSING,
 * FILE_UNREADABLE or FILE_EXPOSED. */
bool world_secret_read(const struct config_secret *secret, char **ret_text, size_t *ret_len,
                       struct mutual_error *err);

/* ---- questions: would it work, why not, what would change that ---------------------------------
 */

/* Reads how people write an identity: "spiffe://e.org/a", "dns:a.e.org" with any type of name
 * before the colon, or a bare IP address, mailbox or host name. *ret_name points into `storage`, as
 * mutual_name_parse says. NAME_MALFORMED, SPIFFE_MALFORMED, LIMIT. */
bool world_name_parse(const char *text, char *storage, size_t storage_size,
                      struct mutual_name *ret_name, struct mutual_error *err);
/* The service; NOT_FOUND suggests the name that was probably meant. NULL then. */
const struct world_service *world_ask_service(const struct world *world, const char *name,
                                              struct mutual_error *err);
/* Of the grants that do not let somebody in: the pattern that is spelled nearest to the name, among
 * the first thousands, and whose it is. NULL: none is near. */
const struct mutual_pattern *world_near_miss(const struct world *world, const char *service,
                                             const struct mutual_name *name,
                                             const struct mutual_grant **ret_grant);

/* One certificate of a path, leaf first. */
struct world_link {
    const char *role; /* "certificate", "intermediate", "authority" */
    const char *name; /* owned by the certificates that were asked about, or the world */
    int64_t not_before_s;
    int64_t not_after_s;   /* its last second */
    int64_t lists_until_s; /* when a revocation list that clears it goes stale */
};

/* What is answered about a certificate, and what would change the answer. */
struct world_answer {
    struct mu_answer answer;    /* admission's; before it, what validation found */
    struct mutual_chain *chain; /* the path that was found, or NULL */
    struct world_link links[MU_LIMIT_CHAIN_DEPTH];
    size_t link_count;
    bool staple_demanded;        /* by the certificate, or by the trust block */
    struct mutual_staple staple; /* what was supposed to be sent along        */
    bool needs_anchor;           /* allowed, and not without the path's last link ...     */
    struct mutual_error without; /* ... because of this                                   */
    int64_t other_s; /* not allowed: from when on it would be, else when it ceased to be, at now_s
                        or before; MU_TIME_NEVER_S: no such time is known */
};
/* Would a peer that presents these certificates, leaf first, and proves its key be let in at now_s?
 * A server is supposed to staple the response (DER; empty: it staples none). Validates them by the
 * service's bundle and asks admission. The answer borrows from the world and
 * the certificates; world_answer_done. */
void world_ask_certs(const struct world_service *service, const struct mu_certs *certs,
                     struct mu_slice response, int64_t now_s, struct world_answer *ret_answer);
void world_answer_done(struct world_answer *answer);
void mu_world_answer_auto(struct world_answer *answer);

#endif
