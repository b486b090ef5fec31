/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a fetched revocation list may replace the one that is there, or a response be sent. Runs
 * in the fetch process: the parent takes only what passed here, and the world judges it once more
 * when it is built.
 */
#include "fetch/fetch_internal.h"

#include <mutual/trust.h>

#include "identity/identity.h"
#include "x509/x509.h"

static void trust_auto(struct mutual_trust **trust)
{
    mutual_trust_unref(*trust);
}

/* DER, or PEM with one list in it. */
static bool read_one(struct mu_slice bytes, struct mu_crl **ret_crl, struct mutual_error *err)
{
    MU_AUTO(crl) struct mu_crl *crl = NULL;
    MU_AUTO(crl) struct mu_crl *second = NULL;
    struct mu_pem_reader reader;
    if (bytes.len > 0 && bytes.data[0] == 0x30) {
        return mu_crl_from_der(bytes, ret_crl, err);
    }
    mu_pem_open(&reader, bytes, "the answer");
    if (!mu_crl_from_pem(&reader, &crl, err)) {
        return false;
    }
    if (crl == NULL) {
        return mu_fail(err, MUTUAL_E_CRL_MALFORMED, "the answer is no revocation list");
    }
    if (!mu_crl_from_pem(&reader, &second, err)) {
        return false;
    }
    if (second != NULL) {
        return mu_fail(err, MUTUAL_E_CRL_MALFORMED,
                       "the answer holds more than one revocation list");
    }
    *ret_crl = MU_TAKE(crl);
    return true;
}

/* Would the bundle take it? */
static bool is_signed(const struct fetch_material *material, struct mu_slice list,
                      struct mutual_error *err)
{
    __attribute__((cleanup(trust_auto))) struct mutual_trust *trust = mutual_trust_new("fetched");
    if (trust == NULL) {
        return mu_fail_memory(err);
    }
    if (material->allow_intermediates) {
        mutual_trust_allow_intermediates(trust);
    }
    return mutual_trust_add_pem(trust, (const char *)material->anchors.data, material->anchors.len,
                                err) &&
           (material->intermediates.len == 0 ||
            mutual_trust_add_intermediates_pem(trust, (const char *)material->intermediates.data,
                                               material->intermediates.len, err)) &&
           mutual_trust_add_crl(trust, (const char *)list.data, list.len, err);
}

static bool same_scope(const struct mu_crl_facts *a, const struct mu_crl_facts *b)
{
    bool same_point = a->idp == NULL || b->idp == NULL ? a->idp == b->idp
                                                       : mu_slice_equal(a->idp->der, b->idp->der);
    return same_point && (a->delta_base.data == NULL) == (b->delta_base.data == NULL);
}

/* Magnitudes without leading zeros: the longer one is the greater. */
static int compare_numbers(struct mu_slice a, struct mu_slice b)
{
    if (a.len != b.len) {
        return a.len < b.len ? -1 : 1;
    }
    return mu_slice_compare(a, b);
}

static bool follows(const struct mu_crl_facts *list, const struct mu_crl_facts *last,
                    struct mutual_error *err)
{
    if (!mu_slice_equal(list->issuer_canon, last->issuer_canon) || !same_scope(list, last)) {
        return mu_fail(err, MUTUAL_E_CRL_FOREIGN,
                       "the list is of \"%s\"; it would replace one of \"%s\", or one of another "
                       "scope",
                       list->issuer_text, last->issuer_text);
    }
    int order = compare_numbers(list->number, last->number);
    if (order < 0 || (order == 0 && list->this_update_s < last->this_update_s)) {
        (void)mu_fail(err, MUTUAL_E_CRL_ROLLBACK,
                      "the list of \"%s\" is older than the one that is in use", list->issuer_text);
        return mu_error_hint(err, "Look at what the URL gives; the newer list stays in use.");
    }
    return true;
}

bool fetch_judge_crl(const struct fetch_material *material, struct mu_slice last,
                     struct mu_slice list, int64_t now_s, int64_t *ret_this_update_s,
                     int64_t *ret_next_update_s, struct mutual_error *err)
{
    MU_AUTO(crl) struct mu_crl *crl = NULL;
    MU_AUTO(crl) struct mu_crl *before = NULL;
    if (!read_one(list, &crl, err) || !is_signed(material, list, err)) {
        return false;
    }
    const struct mu_crl_facts *facts = mu_crl_facts(crl);
    if (facts->next_update_s <= now_s) {
        char date[MU_TIME_TEXT];
        return mu_fail(err, MUTUAL_E_CRL_STALE, "the list of \"%s\" was to be replaced by %s",
                       facts->issuer_text, mu_time_format(facts->next_update_s, date));
    }
    if (last.len > 0 && read_one(last, &before, NULL) && is_signed(material, last, NULL) &&
        !follows(facts, mu_crl_facts(before), err)) {
        return false;
    }
    *ret_this_update_s = facts->this_update_s;
    *ret_next_update_s = facts->next_update_s;
    return true;
}

bool fetch_judge_staple(const struct fetch_about *about, struct mu_slice response, int64_t now_s,
                        struct fetch_outcome *outcome, struct mutual_error *err)
{
    MU_AUTO(cert) struct mu_cert *leaf = NULL;
    MU_AUTO(cert) struct mu_cert *issuer = NULL;
    MU_AUTO(ocsp) struct mu_ocsp *ocsp = NULL;
    struct mu_staple_span span;
    if (!mu_cert_from_der(about->leaf, &leaf, err) ||
        !mu_cert_from_der(about->issuer, &issuer, err) ||
        !mu_staple_check(response, leaf, issuer, now_s, &span, err) ||
        !mu_ocsp_from_der(response, &ocsp, err)) {
        return false;
    }
    outcome->this_update_s = span.from_s;
    outcome->next_update_s = span.until_s;
    outcome->produced_s = mu_ocsp_facts(ocsp)->produced_at_s;
    return true;
}
