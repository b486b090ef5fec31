/* SPDX-License-Identifier: Apache-2.0
 *
 * A body in base64 as EST carries it, with what is in it: a request, or certificates; and a path.
 */
#include "est/est_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mutual_error err = {0};
    struct mu_slice label;
    struct mu_slice operation;
    MU_AUTO(buf) struct mu_buf der;
    MU_AUTO(csr) struct mu_csr *csr = NULL;
    MU_AUTO(certs) struct mu_certs certs = {0};
    mu_buf_init(&der, MU_LIMIT_API_BODY);
    if (est_path_read(mu_slice_of(data, size), &label, &operation)) {
        mu_assert(label.len + operation.len <= size && operation.len > 0);
    }
    if (!est_body_decode(mu_slice_of(data, size), &der, &err)) {
        mu_assert(err.code != MUTUAL_OK);
        return 0;
    }
    (void)mu_csr_from_der(mu_buf_slice(&der), &csr, &err);
    if (mu_cms_read(mu_buf_slice(&der), &certs, &err)) {
        mu_assert(certs.count <= MU_LIMIT_CHAIN_SENT);
    }
    return 0;
}
