/* SPDX-License-Identifier: Apache-2.0
 *
 * What a stranger asks an OCSP responder by GET: a path, percent-encoded base64, and the request in
 * it. What is decoded is never longer than what came, and what is read is within its bounds.
 */
#include "publish/publish_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    MU_AUTO(buf) struct mu_buf der;
    MU_AUTO(ocsp_request) struct mu_ocsp_request *request = NULL;
    mu_buf_init(&der, MU_LIMIT_OCSP_BYTES);
    if (!publish_ocsp_decode(mu_slice_of(data, size), &der, NULL)) {
        return 0;
    }
    mu_assert(der.len < size);
    if (mu_ocsp_request_from_der(mu_buf_slice(&der), &request, NULL)) {
        const struct mu_ocsp_request_facts *facts = mu_ocsp_request_facts(request);
        mu_assert(facts->count >= 1 && facts->count <= MU_LIMIT_OCSP_ANSWERS);
        mu_assert(facts->nonce.len <= MU_LIMIT_OCSP_NONCE);
    }
    return 0;
}
