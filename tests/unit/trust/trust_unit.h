/* SPDX-License-Identifier: Apache-2.0
 *
 * Bundles and validation in one line each, for the tests of this room. Lists of nodes end with
 * NULL.
 */
#ifndef TESTS_UNIT_TRUST_TRUST_UNIT_H
#define TESTS_UNIT_TRUST_TRUST_UNIT_H

#include "pki.h"
#include "trust/trust.h"
#include "unit.h"

#define NODES(...) ((struct pki *const[]){__VA_ARGS__, NULL})

static inline void trust_add(struct mutual_trust *trust, struct pki *const *anchors,
                             struct pki *const *pool)
{
    struct mutual_error err = {0};
    mutual_trust_allow_intermediates(trust);
    for (size_t i = 0; anchors[i] != NULL; i++) {
        const char *pem = pki_pem(anchors[i]);
        assert_ok(mutual_trust_add_pem(trust, pem, strlen(pem), &err), &err);
    }
    for (size_t i = 0; pool != NULL && pool[i] != NULL; i++) {
        const char *pem = pki_pem(pool[i]);
        assert_ok(mutual_trust_add_intermediates_pem(trust, pem, strlen(pem), &err), &err);
    }
}

/* Adds lists as a gateway's workers do: verified once, as a table. */
static inline bool trust_add_table(struct mutual_trust *trust, struct mu_slice file,
                                   struct mutual_error *err)
{
    struct mu_buf out;
    mu_buf_init(&out, 8u << 20);
    if (!mu_trust_table_make(trust, file, &out, err)) {
        mu_buf_done(&out);
        return false;
    }
    MU_AUTO(shared) struct mu_shared *table = mu_shared_new(out.data, out.len, false);
    assert_non_null(table);
    return mu_trust_table_add(trust, table, err);
}

/* A frozen bundle "test". */
static inline struct mutual_trust *trust_of(struct pki *const *anchors, struct pki *const *pool)
{
    struct mutual_error err = {0};
    struct mutual_trust *trust = mutual_trust_new("test");
    assert_non_null(trust);
    trust_add(trust, anchors, pool);
    assert_ok(mutual_trust_freeze(trust, &err), &err);
    return trust;
}

static inline bool validate_as(const struct mutual_trust *trust, struct pki *const *sent,
                               enum mutual_purpose purpose, int64_t now_s,
                               struct mutual_chain **ret_chain, struct mutual_error *err)
{
    struct mutual_der ders[128];
    size_t count = 0;
    for (; sent[count] != NULL; count++) {
        struct mu_slice der = pki_der(sent[count]);
        ders[count] = (struct mutual_der){der.data, der.len};
    }
    return mutual_trust_validate(trust, ders, count, purpose, now_s, ret_chain, err);
}

/* As a client's chain, at PKI_NOW_S; only the answer. */
static inline bool validates(const struct mutual_trust *trust, struct pki *const *sent,
                             struct mutual_error *err)
{
    MU_AUTO(chain) struct mutual_chain *chain = NULL;
    return validate_as(trust, sent, MUTUAL_PURPOSE_CLIENT, PKI_NOW_S, &chain, err);
}

#endif
