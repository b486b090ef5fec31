/* SPDX-License-Identifier: Apache-2.0
 *
 * A signed request of a client; the first byte says of which kind.
 */
#include "acme/jws_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    MU_AUTO(acme_jws) struct acme_jws jws = {0};
    struct mutual_error err = {0};
    if (size == 0) {
        return 0;
    }
    enum acme_jws_kind kind = (enum acme_jws_kind)(data[0] % 3);
    if (!acme_jws_parse(kind, mu_slice_of(data + 1, size - 1), &jws, &err)) {
        mu_assert(err.code != MUTUAL_OK && err.reason[0] != '\0');
        return 0;
    }
    mu_assert(jws.url != NULL && (jws.kid != NULL) != (jws.key != NULL));
    mu_assert(kind != ACME_JWS_REQUEST || jws.nonce != NULL);
    bool good = kind == ACME_JWS_BINDING
                    ? acme_jws_verify_binding(&jws, MU_SLICE_LIT("secret"), &err)
                    : jws.key != NULL && acme_jws_verify(&jws, jws.key, &err);
    mu_assert(good || jws.key == NULL || err.code != MUTUAL_OK);
    return 0;
}
