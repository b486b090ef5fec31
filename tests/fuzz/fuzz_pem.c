/* SPDX-License-Identifier: Apache-2.0
 *
 * PEM text as a bundle of certificates and as a private key without passphrase.
 */
#include "x509/x509.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mu_slice text = mu_slice_of(data, size);
    struct mutual_error err = {0};
    MU_AUTO(certs) struct mu_certs certs = {0};
    MU_AUTO(key) struct mu_key *key = NULL;
    if (mu_certs_from_pem(text, "input", &certs, &err)) {
        mu_assert(certs.count > 0);
    }
    if (!mu_key_from_pem(text, "input", NULL, &key, &err)) {
        mu_assert(err.code != MUTUAL_OK);
    }
    return 0;
}
