/* SPDX-License-Identifier: Apache-2.0
 *
 * One revocation list in DER. What is listed must be found, in order; its outline says the same.
 */
#include "x509/x509.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    MU_AUTO(crl) struct mu_crl *crl = NULL;
    MU_AUTO(crl_outline) struct mu_crl_outline outline = {.arena = NULL};
    struct mutual_error err = {0};
    bool outlined = mu_crl_outline_of(mu_slice_of(data, size), &outline, NULL);
    if (!mu_crl_from_der(mu_slice_of(data, size), &crl, &err)) {
        mu_assert(err.code != MUTUAL_OK && err.reason[0] != '\0');
        mu_assert(!outlined);
        return 0;
    }
    mu_assert(outlined && outline.facts.count == mu_crl_facts(crl)->count);
    for (size_t i = 0; i < mu_crl_facts(crl)->count; i++) {
        struct mu_revoked entry = mu_crl_at(crl, i);
        mu_assert(mu_crl_find_of(crl, entry.issuer_hash, entry.serial, &entry));
    }
    return 0;
}
