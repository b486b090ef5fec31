/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of trust. bundle.c holds what is trusted, listfile.c reads and verifies
 * revocation lists, lists.c keeps them, revocation.c what they say, staple.c stapled OCSP
 * responses, known.c what was found before, check.c the rules for one certificate in its place,
 * constraint.c names against subtrees, path.c the search, report.c the words for a failure, chain.c
 * the result, whatif.c what would change it.
 */
#ifndef MU_TRUST_TRUST_INTERNAL_H
#define MU_TRUST_TRUST_INTERNAL_H

#include <stdatomic.h>

#include "trust/trust.h"
#include "x509/x509.h"

/* ---- the bundle ------------------------------------------------------------------------------ */

enum node_origin {
    NODE_SENT,   /* by the peer                              */
    NODE_POOL,   /* a known intermediate of the bundle       */
    NODE_ANCHOR, /* trusted                                  */
};

/* A certificate in its role for path building. */
struct trust_node {
    struct mu_cert *cert;
    const struct mu_cert_facts *facts; /* of cert; NULL: it could not be read */
    enum node_origin origin;
    bool names_good;         /* its names were checked; false: they are when it is on a path */
    size_t place;            /* 1-based position in the peer's message; 0: not sent   */
    struct trust_node *next; /* in the bundle, of the same subject name               */
};

struct crl_shelf;

struct mutual_trust {
    atomic_uint refs;
    char *name;
    bool frozen;
    bool allow_intermediates;
    bool allow_flaws;
    bool strict_constraints;
    unsigned max_intermediates;
    struct trust_node **nodes; /* anchors and pool in the order they were added */
    size_t node_count, node_cap;
    const struct trust_node **anchors; /* those among them that are trusted */
    size_t anchor_count, anchor_cap;
    struct mu_map *by_subject; /* canonical subject name -> first struct trust_node */
    struct crl_shelf *crls;
    bool crl_required;
    bool crl_leaf_only;
    enum mutual_crl_stale crl_stale;
    int64_t crl_grace_s;
    enum mutual_staple_mode staples;
    uint8_t digest[32]; /* of everything but the lists and how they are used */
    int64_t *moments;   /* at which some certificate of it begins or ends, ascending */
};

/* The first of the bundle's certificates with that subject, or NULL. */
const struct trust_node *mu_trust_find(const struct mutual_trust *trust, struct mu_slice canon);

/* The bundle's certificate of that subject and fingerprint, or NULL. */
const struct trust_node *mu_trust_find_exact(const struct mutual_trust *trust,
                                             struct mu_slice canon, const uint8_t fingerprint[32]);

/* ---- revocation ------------------------------------------------------------------------------ */

struct crl_shelf *mu_crl_shelf_new(void);
void mu_crl_shelf_free(struct crl_shelf *shelf);
/* Is there any list at all? */
bool mu_crl_shelf_any(const struct crl_shelf *shelf);
/* Is it a list that can be understood and dated? CRL_UNSUPPORTED, CRL_MALFORMED. */
bool mu_crl_shelf_check(const struct mu_crl_facts *facts,
                        struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Puts the list on the shelf, in place of an older one of the same issuer. Takes its own
 * reference. `signer` is the certificate that it was verified by. */
bool mu_crl_shelf_add(struct crl_shelf *shelf, const struct mu_crl *crl,
                      const struct trust_node *signer, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Finds out which other keys each list speaks for; once, when the bundle is complete. */
bool mu_crl_shelf_settle(const struct mutual_trust *trust,
                         struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Puts the lists on the shelf of another bundle, those whose signers are there. */
bool mu_crl_shelf_copy(const struct crl_shelf *shelf, struct mutual_trust *trust,
                       struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Is the certificate of this link good by the lists of its issuer? `who` names it in messages,
 * `index` is its place in the path. On success *ret_until_s is lowered to the moment at which a
 * list that was used goes stale. */
bool mu_revocation_check(const struct mutual_trust *trust, const struct mutual_link *link,
                         size_t index, const char *who, int64_t now_s, int64_t *ret_until_s,
                         struct mutual_error *err) MUTUAL_MUST_CHECK;

/* ---- checks ---------------------------------------------------------------------------------- */

/* What a chain is judged by, and what the judging may still cost. */
struct judge {
    const struct mutual_trust *trust;
    enum mutual_purpose purpose;
    int64_t now_s;
    size_t constraint_work; /* comparisons of names with subtrees left */
};

/* The rules for the peer's own certificate, whatever its issuer. */
bool mu_check_leaf(struct judge *judge, const struct mu_cert_facts *leaf,
                   struct mutual_error *err) MUTUAL_MUST_CHECK;
/* The rules for path[depth], an authority above path[0 .. depth-1], its name constraints and the
 * revocation of path[depth-1] included; signatures are not looked at. */
bool mu_check_issuer(struct judge *judge, const struct trust_node *const *path, size_t depth,
                     struct mutual_error *err) MUTUAL_MUST_CHECK;
/* The rules for an anchor above a peer with that name (NULL: whatever its names), as far as they do
 * not depend on the peer. */
bool mu_check_anchor(struct judge *judge, const struct mu_cert *anchor, const struct mu_gname *name,
                     struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Do all names of `cert` lie within the constraints of `ca`? Takes from judge->constraint_work. */
bool mu_check_constraints(struct judge *judge, const struct mu_cert_facts *ca,
                          const struct mu_cert_facts *cert,
                          struct mutual_error *err) MUTUAL_MUST_CHECK;

/* ---- the search ------------------------------------------------------------------------------ */

#define MEMO_MAX MU_LIMIT_PATH_SIGNATURES

/* The outcome of verifying one signature, so that none is verified twice. */
struct memo {
    const struct mu_cert *cert, *issuer;
    bool good;
};

struct search {
    struct judge judge;
    struct mu_known *known; /* or NULL */
    struct trust_node sent[MU_LIMIT_CHAIN_SENT];
    size_t sent_count;
    struct mutual_error unread; /* why a certificate that was sent could not be read */
    size_t unread_place;        /* its place in the message; 0: all could            */
    const struct trust_node *path[MU_LIMIT_CHAIN_DEPTH];
    size_t depth;    /* nodes in path                                       */
    unsigned steps;  /* extensions of a path left                           */
    unsigned verify; /* cost of signatures left, in microseconds or so      */
    bool exhausted;  /* one of the budgets ended the search                 */
    bool cut;        /* a path was not followed because it became too long  */
    size_t jump;     /* depth of the node to be replaced; SIZE_MAX: none    */
    struct memo memos[MEMO_MAX];
    size_t memo_count;

    /* The second search, which asks what came nearest. */
    const struct trust_node *best[MU_LIMIT_CHAIN_DEPTH];
    size_t best_depth; /* 0: no path reached an anchor */
    unsigned best_faults;
    const struct trust_node *end[MU_LIMIT_CHAIN_DEPTH]; /* longest path without an anchor */
    size_t end_depth;
};

/* Builds a path from sent[0] to an anchor that passes every check; it is search->path. */
bool mu_path_find(struct search *search);
/* Looks again, tolerating faults, for the path that a person would call the right one: search->best
 * or, when no anchor can be reached, search->end. */
void mu_path_find_nearest(struct search *search);
/* What is remembered of a signature: NULL when it was never verified. */
const struct memo *mu_path_recall(const struct search *search, const struct mu_cert *cert,
                                  const struct mu_cert *issuer);
/* Does the path in search->path have more intermediates than the bundle allows? */
bool mu_path_too_long(const struct search *search, const struct trust_node *const *path,
                      size_t depth);
/* Puts into words why there is no path; always false. */
bool mu_path_report(struct search *search, struct mutual_error *err);

/* ---- chains that were validated before --------------------------------------------------------
 */

/* The seconds from `from_s` up to `until_s`: in them the same certificates, judged by the same
 * bundle, have the same path. Empty for a chain that no search found. */
struct window {
    int64_t from_s, until_s;
};
struct window mu_known_window(const struct search *search);
/* Digest and moments of a bundle that is complete. */
bool mu_known_settle(struct mutual_trust *trust, struct mutual_error *err) MUTUAL_MUST_CHECK;
struct window mu_chain_window(const struct mutual_chain *chain);
/* Before anybody else has the chain. */
void mu_chain_set_window(struct mutual_chain *chain, struct window window);

/* Is it known that the issuer's key signed the authority's certificate? False also without a table.
 */
bool mu_known_signed(struct mu_known *known, const struct mu_cert_facts *cert,
                     const struct mu_cert_facts *issuer);
/* It was verified. Keeps it of an authority's certificate; call it only where all signatures
 * between the issuer and an anchor hold, or strangers' authorities push ours out. */
void mu_known_sign(struct mu_known *known, const struct mu_cert_facts *cert,
                   const struct mu_cert_facts *issuer);

/* The facts of one link. False: a digest could not be made (LIBRARY). */
bool mu_link_fill(const struct mu_cert_facts *cert, const struct mu_cert_facts *issuer,
                  struct mutual_link *ret_link, struct mutual_error *err) MUTUAL_MUST_CHECK;

#endif
