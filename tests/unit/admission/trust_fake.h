/* SPDX-License-Identifier: Apache-2.0
 *
 * Chains and a trust bundle made of nothing, so that admission can be shown every combination of
 * facts. The real ones are tried with admission in tests/unit/session and the scenarios.
 */
#ifndef TRUST_FAKE_H
#define TRUST_FAKE_H

#include "trust/trust.h"

struct mutual_chain {
    const struct mutual_name *names;
    size_t count;
    enum mutual_code fault; /* what the recheck finds, or MUTUAL_OK */
    int64_t until_s;
    bool must_staple;
    const struct mutual_link *links;
    size_t link_count;
};

struct mutual_trust {
    int unused;
};

const struct mutual_name *mutual_chain_names(const struct mutual_chain *chain, size_t *ret_count)
{
    *ret_count = chain->count;
    return chain->names;
}

const struct mutual_link *mutual_chain_links(const struct mutual_chain *chain, size_t *ret_count)
{
    *ret_count = chain->link_count;
    return chain->links;
}

const char *mutual_chain_subject(const struct mutual_chain *chain)
{
    return chain->count == 0 ? "O=Nobody" : "CN=Somebody";
}

bool mu_trust_recheck(const struct mutual_trust *trust, const struct mutual_chain *chain,
                      int64_t now_s, int64_t *ret_until_s, struct mutual_error *err)
{
    (void)trust;
    (void)now_s;
    if (chain->fault != MUTUAL_OK) {
        return mu_fail(err, chain->fault, "certificate \"CN=Somebody\" is at fault");
    }
    *ret_until_s = chain->until_s;
    return true;
}

bool mu_trust_check_staple(const struct mutual_trust *trust, const struct mutual_chain *chain,
                           const struct mutual_staple *staple, int64_t proved_at_s, int64_t now_s,
                           int64_t *ret_until_s, struct mutual_error *err)
{
    (void)trust;
    (void)proved_at_s;
    (void)now_s;
    if (chain->must_staple && staple->status != MUTUAL_STAPLE_GOOD) {
        return mu_fail(err, MUTUAL_E_OCSP_MISSING, "certificate \"CN=Somebody\" needs a staple");
    }
    *ret_until_s = chain->must_staple ? staple->next_update_s : *ret_until_s;
    return true;
}

#endif
