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
};

struct mutual_trust {
    int unused;
};

const struct mutual_name *mutual_chain_names(const struct mutual_chain *chain, size_t *ret_count)
{
    *ret_count = chain->count;
    return chain->names;
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

#endif
