/* SPDX-License-Identifier: Apache-2.0
 *
 * One OCSP response in DER, judged against an issuer, and the same bytes as a request.
 */
#include "x509/x509.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(const struct mu_ocsp *ocsp)
{
    static const struct mu_ocsp_issuer issuer;
    const struct mu_ocsp_facts *facts = mu_ocsp_facts(ocsp);
    struct mutual_error err = {0};
    mu_assert((facts->failure != NULL) == (facts->count == 0));
    for (size_t i = 0; i < facts->count; i++) {
        (void)mu_ocsp_id_of(&facts->answers[i].id, &issuer);
    }
    /* Whoever came along is asked as if it were the issuer. */
    for (size_t i = 0; i < facts->certs.count; i++) {
        const struct mu_cert *delegate = NULL;
        const struct mu_ocsp_answer *answer = NULL;
        struct mu_cert *cert = facts->certs.items[i];
        (void)mu_ocsp_signed_by(ocsp, cert, 0, &delegate, &err);
        (void)mu_ocsp_find(ocsp, cert, cert, &answer, &err);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    MU_AUTO(ocsp) struct mu_ocsp *ocsp = NULL;
    MU_AUTO(ocsp_request) struct mu_ocsp_request *request = NULL;
    struct mutual_error err = {0};
    if (mu_ocsp_from_der(mu_slice_of(data, size), &ocsp, &err)) {
        judge(ocsp);
    } else {
        mu_assert(err.code != MUTUAL_OK && err.reason[0] != '\0');
    }
    if (mu_ocsp_request_from_der(mu_slice_of(data, size), &request, &err)) {
        mu_assert(mu_ocsp_request_facts(request)->count > 0);
    }
    return 0;
}
