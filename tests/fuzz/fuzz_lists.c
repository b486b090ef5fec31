/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of a revocation list, as a worker maps it: whatever it holds, nothing beyond it is
 * read.
 */
#include <string.h>

#include "x509/x509.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mutual_error err = {0};
    uint8_t *block = mu_alloc(size + 1, 1);
    mu_assert(block != NULL);
    if (size > 0) {
        memcpy(block, data, size);
    }
    MU_AUTO(shared) struct mu_shared *owner = mu_shared_new(block, size, false);
    MU_AUTO(crl) struct mu_crl *crl = NULL;
    if (!mu_crl_from_table(owner, mu_shared_bytes(owner), &crl, &err)) {
        mu_assert(err.code == MUTUAL_E_MESSAGE_MALFORMED);
        return 0;
    }
    for (size_t i = 0; i < mu_crl_facts(crl)->count && i < 1000; i++) {
        struct mu_revoked entry = mu_crl_at(crl, i);
        (void)mu_crl_find_of(crl, entry.issuer_hash, entry.serial, &entry);
    }
    mu_assert(mu_slice_equal(mu_crl_table(crl), mu_shared_bytes(owner)));
    return 0;
}
