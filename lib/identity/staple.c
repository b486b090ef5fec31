/* SPDX-License-Identifier: Apache-2.0
 *
 * The OCSP response that an identity has to send: only one that a client would take is kept.
 */
#include <string.h>

#include "identity/identity_internal.h"
#include "x509/x509.h"

static bool is_good(const struct mu_ocsp_answer *answer, const char *who, int64_t now_s,
                    struct mutual_error *err)
{
    char when[MU_TIME_TEXT];
    if (answer->status == MU_OCSP_REVOKED) {
        return mu_fail(err, MUTUAL_E_CERT_REVOKED,
                       "certificate \"%s\" was revoked at %s (%s), as its OCSP response says", who,
                       mu_time_format(answer->revoked_at_s, when), mu_reason_word(answer->reason));
    }
    if (answer->status != MU_OCSP_GOOD) {
        return mu_fail(err, MUTUAL_E_OCSP_UNKNOWN, "the responder does not know certificate \"%s\"",
                       who);
    }
    return mu_ocsp_check_fresh(answer->this_update_s, answer->next_update_s, now_s, who, err);
}

bool mu_staple_check(struct mu_slice response, const struct mu_cert *leaf,
                     const struct mu_cert *issuer, int64_t now_s, struct mu_staple_span *ret_span,
                     struct mutual_error *err)
{
    MU_AUTO(ocsp) struct mu_ocsp *ocsp = NULL;
    const struct mu_ocsp_answer *answer = NULL;
    const struct mu_cert *delegate = NULL;
    if (!mu_ocsp_from_der(response, &ocsp, err) ||
        !mu_ocsp_find(ocsp, leaf, issuer, &answer, err) ||
        !mu_ocsp_signed_by(ocsp, issuer, now_s, &delegate, err) ||
        !is_good(answer, mu_cert_facts(leaf)->display, now_s, err)) {
        return false;
    }
    *ret_span = (struct mu_staple_span){answer->this_update_s, answer->next_update_s};
    return true;
}

bool mutual_identity_staple(struct mutual_identity *identity, const uint8_t *response, size_t len,
                            const char *issuer, int64_t now_s, struct mutual_error *err)
{
    MU_AUTO(certs) struct mu_certs given = {0};
    size_t count = 0;
    struct mu_cert *const *chain = mu_identity_chain(identity, &count);
    if (issuer != NULL && !mu_certs_from_pem(mu_slice_text(issuer), "the issuer", &given, err)) {
        return false;
    }
    if (issuer == NULL && count < 2) {
        return mu_fail(err, MUTUAL_E_CHAIN_INCOMPLETE,
                       "the OCSP response about \"%s\" cannot be verified: its issuer's "
                       "certificate is not in the chain",
                       mu_cert_facts(chain[0])->display);
    }
    struct mu_slice bytes = mu_slice_of(response, len);
    struct mu_staple_span span;
    return mu_staple_check(bytes, chain[0], issuer != NULL ? given.items[0] : chain[1], now_s,
                           &span, err) &&
           mu_identity_keep_staple(identity, bytes, span, err);
}
