/* SPDX-License-Identifier: Apache-2.0
 *
 * Between crl_read.c, which reads a revocation list, and crl_table.c, which keeps it.
 */
#ifndef MU_X509_CRL_INTERNAL_H
#define MU_X509_CRL_INTERNAL_H

#include "x509/cert_internal.h"

#include <stdlib.h>
#include <string.h>

#define CRL_ARENA_MAX   (1u << 20)
#define CRL_ISSUERS_MAX 4096u

/* An entry as it is read: points into the DER. */
struct crl_entry {
    uint32_t serial_at;
    uint8_t serial_len;
    uint8_t reason;
    uint16_t issuer; /* index into issuers */
    int64_t time_s;
};

/* A list that is being read; its facts point into the DER and the arena. */
struct crl_draft {
    struct mu_arena *arena;
    struct mu_crl_facts facts;
    struct crl_entry *entries; /* facts.count of them, sorted by serial, then by issuer */
    uint8_t (*issuers)[32];    /* hashes of names; the list's own first, as ever more come up */
    size_t issuer_cap;
    struct mu_slice list; /* the entries' DER */
    bool passing;         /* entries are looked at and not kept; then: */
    bool ordered;
};
bool mu_crl_facts_signed_by(const struct mu_crl_facts *facts, const struct mu_cert *issuer,
                            struct mutual_error *err);
void mu_crl_draft_auto(struct crl_draft *draft);

struct mu_slice mu_crl_serial_of(const struct crl_draft *draft, const struct crl_entry *entry);
/* By value: magnitudes have no leading zeros, so the longer is the larger. */
int mu_crl_compare_serials(struct mu_slice a, struct mu_slice b);
/* Makes the table. Takes the DER that the draft points into, on success only. */
bool mu_crl_from_draft(const struct crl_draft *draft, uint8_t **take_der, struct mu_crl **ret_crl,
                       struct mutual_error *err);

#endif
