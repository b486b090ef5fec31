/* SPDX-License-Identifier: Apache-2.0
 *
 * One revocation list in DER. What is listed must be found, in order.
 */
#include "x509/x509.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    MU_AUTO(crl) struct mu_crl *crl = NULL;
    struct mutual_error err = {0};
    if (!mu_crl_from_der(mu_slice_of(data, size), &crl, &err)) {
        mu_assert(err.code != MUTUAL_OK && err.reason[0] != '\0');
        return 0;
    }
    for (size_t i = 0; i < mu_crl_facts(crl)->count; i++) {
        struct mu_revoked entry = mu_crl_at(crl, i);
        mu_assert(mu_crl_find_of(crl, entry.issuer_hash, entry.serial, &entry));
    }
    return 0;
}
