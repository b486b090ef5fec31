/* SPDX-License-Identifier: Apache-2.0
 *
 * One certificate request in DER.
 */
#include "x509/x509.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    MU_AUTO(csr) struct mu_csr *csr = NULL;
    struct mutual_error err = {0};
    if (!mu_csr_from_der(mu_slice_of(data, size), &csr, &err)) {
        mu_assert(err.code != MUTUAL_OK && err.reason[0] != '\0');
        return 0;
    }
    const struct mu_csr_facts *facts = mu_csr_facts(csr);
    mu_assert(facts->name_count <= MU_LIMIT_CERT_NAMES && facts->display != NULL);
    return 0;
}
