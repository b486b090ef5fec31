/* SPDX-License-Identifier: Apache-2.0
 *
 * Between lists.c, which keeps revocation lists, and revocation.c, which judges by them.
 */
#ifndef MU_TRUST_REVOCATION_INTERNAL_H
#define MU_TRUST_REVOCATION_INTERNAL_H

#include "trust/trust_internal.h"

/* What one key of one issuer says within one scope. */
struct crl_entry {
    struct mu_crl *complete;          /* or NULL: a delta without its base */
    struct mu_crl *delta;             /* or NULL                           */
    bool delta_fits;                  /* the two may be combined           */
    const struct mu_crl_facts *facts; /* of either: issuer and scope */
    const struct trust_node *signer;  /* the bundle's */
    bool vouched;                     /* an indirect list whose signer the bundle proves */
    uint8_t (*kin)[32];               /* hashes of other keys of the same authority */
    size_t kin_count, kin_cap;
    struct crl_entry *next; /* of the same issuer name */
};

struct crl_shelf {
    struct mu_map *by_name; /* SHA-256 of the issuer's canonical name -> first struct crl_entry */
    struct crl_entry **entries;
    size_t count, cap;
};

/* Is the certificate listed, the delta considered as it is at now_s? */
bool mu_crl_entry_find(const struct crl_entry *entry, const uint8_t issuer_hash[32],
                       struct mu_slice serial, int64_t now_s, struct mu_revoked *ret_found);

#endif
