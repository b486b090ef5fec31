/* SPDX-License-Identifier: Apache-2.0
 *
 * What would change: questions that people ask about a bundle and a chain that it validated. None
 * of it takes part in a decision.
 */
#include <arpa/inet.h>
#include <string.h>

#include "trust/trust_internal.h"

const struct mu_cert *mu_trust_cert(const struct mutual_trust *trust, const uint8_t fingerprint[32])
{
    for (size_t i = 0; i < trust->node_count; i++) {
        if (memcmp(trust->nodes[i]->facts->fingerprint, fingerprint, 32) == 0) {
            return trust->nodes[i]->cert;
        }
    }
    return NULL;
}

int64_t mu_trust_lists_until(const struct mutual_trust *trust, const struct mutual_chain *chain,
                             size_t index, int64_t now_s)
{
    size_t count = 0;
    const struct mutual_link *links = mutual_chain_links(chain, &count);
    struct mutual_error ignored = {0};
    int64_t until_s = MU_TIME_NEVER_S;
    /* Nobody but its own operator revokes an anchor. */
    if (index + 1 < count &&
        !mu_revocation_check(trust, &links[index], index, "", now_s, &until_s, &ignored)) {
        return now_s;
    }
    return until_s;
}

static bool add_again(const struct trust_node *node, struct mutual_trust *trust,
                      struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf pem;
    mu_buf_init(&pem, 4 * MU_LIMIT_CERT_BYTES);
    mu_cert_to_pem(node->cert, &pem);
    if (pem.failed) {
        return mu_fail_memory(err);
    }
    const char *text = (const char *)pem.data;
    return node->origin == NODE_ANCHOR
               ? mutual_trust_add_pem(trust, text, pem.len, err)
               : mutual_trust_add_intermediates_pem(trust, text, pem.len, err);
}

bool mu_trust_without(const struct mutual_trust *trust, const uint8_t fingerprint[32],
                      struct mutual_trust **ret_trust, struct mutual_error *err)
{
    MU_AUTO(trust) struct mutual_trust *other = mutual_trust_new(trust->name);
    if (other == NULL) {
        return mu_fail_memory(err);
    }
    other->allow_intermediates = trust->allow_intermediates;
    other->allow_flaws = trust->allow_flaws;
    other->strict_constraints = trust->strict_constraints;
    other->max_intermediates = trust->max_intermediates;
    mutual_trust_set_revocation(other, trust->crl_required, trust->crl_leaf_only, trust->crl_stale,
                                trust->crl_grace_s);
    mutual_trust_set_staples(other, trust->staples);
    for (size_t i = 0; i < trust->node_count; i++) {
        const struct trust_node *node = trust->nodes[i];
        bool dropped =
            node->origin == NODE_ANCHOR && memcmp(node->facts->fingerprint, fingerprint, 32) == 0;
        if (!dropped && !add_again(node, other, err)) {
            return false;
        }
    }
    if (!mu_crl_shelf_copy(trust->crls, other, err) || !mutual_trust_freeze(other, err)) {
        return false;
    }
    *ret_trust = MU_TAKE(other);
    return true;
}

/* The name as a certificate would hold it; false: none that constraints speak of. */
static bool as_general(const struct mutual_name *name, uint8_t address[16], struct mu_gname *out)
{
    static const enum mu_gname_type types[MUTUAL_NAME_COUNT_] = {
        [MUTUAL_NAME_SPIFFE] = MU_GNAME_URI,
        [MUTUAL_NAME_URI] = MU_GNAME_URI,
        [MUTUAL_NAME_DNS] = MU_GNAME_DNS,
        [MUTUAL_NAME_EMAIL] = MU_GNAME_EMAIL,
    };
    if (name->type == MUTUAL_NAME_IP) {
        bool v6 = memchr(name->text, ':', name->len) != NULL;
        *out = (struct mu_gname){MU_GNAME_IP, mu_slice_of(address, v6 ? 16 : 4)};
        return inet_pton(v6 ? AF_INET6 : AF_INET, name->text, address) == 1;
    }
    *out = (struct mu_gname){types[name->type], mu_slice_of(name->text, name->len)};
    return types[name->type] != MU_GNAME_OTHER;
}

bool mu_trust_judge_anchor(const struct mutual_trust *trust, const struct mu_cert *anchor,
                           enum mutual_purpose purpose, const struct mutual_name *name,
                           int64_t now_s, struct mutual_error *err)
{
    struct judge judge = {.trust = trust,
                          .purpose = purpose,
                          .now_s = now_s,
                          .constraint_work = MU_LIMIT_CONSTRAINTS};
    struct mu_gname general;
    uint8_t address[16] = {0};
    bool asked = name != NULL && as_general(name, address, &general);
    return mu_check_anchor(&judge, anchor, asked ? &general : NULL, err) &&
           (!mu_cert_facts(anchor)->self_issued || mu_cert_signed_by(anchor, anchor, err));
}
