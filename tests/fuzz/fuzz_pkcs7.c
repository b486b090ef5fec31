/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates in PKCS#7, as an authority sends them: what is read can be written and read again.
 */
#include "x509/x509.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    MU_AUTO(certs) struct mu_certs certs = {0};
    MU_AUTO(certs) struct mu_certs again = {0};
    MU_AUTO(buf) struct mu_buf der;
    struct mutual_error err = {0};
    if (!mu_certs_from_pkcs7(mu_slice_of(data, size), &certs, &err)) {
        mu_assert(err.code != MUTUAL_OK && err.reason[0] != '\0');
        return 0;
    }
    mu_assert(certs.count > 0 && certs.count <= MU_LIMIT_CHAIN_SENT);
    mu_buf_init(&der, 2 * size + 64);
    mu_certs_to_pkcs7(&certs, &der);
    mu_assert(!der.failed && mu_certs_from_pkcs7(mu_buf_slice(&der), &again, &err));
    mu_assert(again.count == certs.count);
    return 0;
}
