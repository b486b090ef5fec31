/* SPDX-License-Identifier: Apache-2.0
 *
 * Stapled OCSP responses: read once, when they come, into facts; the facts are judged again each
 * time the chain is. Nothing is fetched, and nobody is believed who is not the issuer or certified
 * by it for this.
 */
#include <string.h>

#include "trust/trust_internal.h"

const char *mutual_staple_word(enum mutual_staple_status status)
{
    static const char *const words[] = {
        [MUTUAL_STAPLE_NONE] = "none",       [MUTUAL_STAPLE_NO_ANSWER] = "no-answer",
        [MUTUAL_STAPLE_GOOD] = "good",       [MUTUAL_STAPLE_UNKNOWN] = "unknown",
        [MUTUAL_STAPLE_REVOKED] = "revoked",
    };
    return (size_t)status < MU_COUNT(words) ? words[status] : words[0];
}

static bool is_demanded(const struct mutual_trust *trust, const struct mutual_link *leaf)
{
    return leaf->must_staple || trust->staples == MUTUAL_STAPLE_REQUIRE;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* The certificate of that fingerprint, as it was sent or from the bundle; a reference. */
static struct mu_cert *find_cert(const struct mutual_trust *trust, struct x509_st *const *certs,
                                 size_t count, const uint8_t fingerprint[32])
{
    const struct mu_cert *known = mu_trust_cert(trust, fingerprint);
    for (size_t i = 0; known == NULL && i < count; i++) {
        MU_AUTO(cert) struct mu_cert *cert = NULL;
        if (mu_cert_from_x509(certs[i], &cert, NULL) &&
            memcmp(mu_cert_facts(cert)->fingerprint, fingerprint, 32) == 0) {
            return MU_TAKE(cert);
        }
    }
    return known != NULL ? mu_cert_ref(known) : NULL;
}

/* The signer's own certificate may have been revoked. With "no check" (RFC 6960 section 4.2.2.2.1)
 * it is believed without a list that clears it, never against one that names it. */
static bool check_delegate(const struct mutual_trust *trust, const struct mu_cert *delegate,
                           const struct mu_cert *issuer, int64_t now_s, struct mutual_error *err)
{
    const struct mu_cert_facts *facts = mu_cert_facts(delegate);
    struct mutual_error cause = {0};
    struct mutual_link link;
    int64_t until_s = MU_TIME_NEVER_S;
    if (!mu_link_fill(facts, mu_cert_facts(issuer), &link, err)) {
        return false;
    }
    if (mu_revocation_check(trust, &link, 0, facts->display, now_s, &until_s, &cause) ||
        (facts->ocsp_nocheck && cause.code != MUTUAL_E_CERT_REVOKED)) {
        return true;
    }
    if (err != NULL) {
        *err = cause;
    }
    return mu_error_context(err, "who signed the OCSP response");
}

static struct mutual_staple staple_of(const struct mu_ocsp_answer *answer,
                                      const struct mutual_link *leaf)
{
    static const enum mutual_staple_status statuses[] = {
        [MU_OCSP_GOOD] = MUTUAL_STAPLE_GOOD,
        [MU_OCSP_UNKNOWN] = MUTUAL_STAPLE_UNKNOWN,
        [MU_OCSP_REVOKED] = MUTUAL_STAPLE_REVOKED,
    };
    struct mutual_staple staple = {
        .status = statuses[answer->status],
        .this_update_s = answer->this_update_s,
        .next_update_s = answer->next_update_s,
        .revoked_at_s = answer->revoked_at_s,
        .reason = (uint8_t)answer->reason,
    };
    memcpy(staple.fingerprint, leaf->fingerprint, sizeof staple.fingerprint);
    return staple;
}

static bool authenticate(const struct mutual_trust *trust, const struct mu_ocsp *ocsp,
                         const struct mu_cert *cert, const struct mu_cert *issuer, int64_t now_s,
                         const struct mu_ocsp_answer **ret_answer, struct mutual_error *err)
{
    const struct mu_cert *delegate = NULL;
    const struct mu_ocsp_facts *facts = mu_ocsp_facts(ocsp);
    char when[MU_TIME_TEXT];
    if (!mu_ocsp_find(ocsp, cert, issuer, ret_answer, err) ||
        !mu_ocsp_signed_by(ocsp, issuer, now_s, &delegate, err)) {
        return false;
    }
    if (facts->produced_at_s > now_s + MU_OCSP_SKEW_S) {
        return mu_fail(err, MUTUAL_E_OCSP_STALE,
                       "the OCSP response about certificate \"%s\" was made in a time to come: %s",
                       mu_cert_facts(cert)->display, mu_time_format(facts->produced_at_s, when));
    }
    return delegate == NULL || check_delegate(trust, delegate, issuer, now_s, err);
}

bool mu_trust_read_staple(const struct mutual_trust *trust, const struct mutual_chain *chain,
                          struct x509_st *const *certs, size_t count, struct mu_slice response,
                          int64_t now_s, struct mutual_staple *ret_staple, struct mutual_error *err)
{
    size_t link_count = 0;
    const struct mutual_link *links = mutual_chain_links(chain, &link_count);
    *ret_staple = (struct mutual_staple){.status = MUTUAL_STAPLE_NONE};
    if (trust->staples == MUTUAL_STAPLE_IGNORE && !is_demanded(trust, &links[0])) {
        return true;
    }
    MU_AUTO(ocsp) struct mu_ocsp *ocsp = NULL;
    if (!mu_ocsp_from_der(response, &ocsp, err)) {
        return false;
    }
    /* Nobody signed this, and whoever could send it could as well send nothing. */
    if (mu_ocsp_facts(ocsp)->failure != NULL) {
        ret_staple->status = MUTUAL_STAPLE_NO_ANSWER;
        memcpy(ret_staple->fingerprint, links[0].fingerprint, sizeof ret_staple->fingerprint);
        return true;
    }
    const struct mutual_link *above = &links[link_count > 1 ? 1 : 0];
    MU_AUTO(cert) struct mu_cert *cert = find_cert(trust, certs, count, links[0].fingerprint);
    MU_AUTO(cert) struct mu_cert *issuer = find_cert(trust, certs, count, above->fingerprint);
    if (cert == NULL || issuer == NULL) {
        return mu_fail(err, MUTUAL_E_OCSP_OTHER_CERT,
                       "the OCSP response cannot be verified: the certificates of the chain of "
                       "\"%s\" are not at hand",
                       mutual_chain_subject(chain));
    }
    const struct mu_ocsp_answer *answer = NULL;
    if (!authenticate(trust, ocsp, cert, issuer, now_s, &answer, err)) {
        return false;
    }
    *ret_staple = staple_of(answer, &links[0]);
    return true;
}

/* ---- judging --------------------------------------------------------------------------------- */

static bool fail_revoked(const struct mutual_chain *chain, const struct mutual_staple *staple,
                         struct mutual_error *err)
{
    char when[MU_TIME_TEXT];
    return mu_fail(err, MUTUAL_E_CERT_REVOKED,
                   "certificate \"%s\" was revoked at %s (%s), as the OCSP response says that its "
                   "holder sent along",
                   mutual_chain_subject(chain), mu_time_format(staple->revoked_at_s, when),
                   mu_reason_word((enum mu_reason)staple->reason));
}

static bool fail_none(const struct mutual_trust *trust, const struct mutual_chain *chain,
                      const struct mutual_link *leaf, bool no_answer, struct mutual_error *err)
{
    const char *subject = mutual_chain_subject(chain);
    if (no_answer) {
        return mu_fail(err, MUTUAL_E_OCSP_UNSUCCESSFUL,
                       "certificate \"%s\" needs a good OCSP response, but its responder answered "
                       "the server that it has none now",
                       subject);
    }
    if (leaf->must_staple) {
        return mu_fail(err, MUTUAL_E_OCSP_MISSING,
                       "certificate \"%s\" demands a stapled OCSP response (must-staple), and the "
                       "server sent none that still holds",
                       subject);
    }
    return mu_fail(
        err, MUTUAL_E_OCSP_MISSING,
        "bundle \"%s\" demands a stapled OCSP response about certificate \"%s\", and the "
        "server sent none that still holds",
        trust->name, subject);
}

bool mu_trust_check_staple(const struct mutual_trust *trust, const struct mutual_chain *chain,
                           const struct mutual_staple *staple, int64_t proved_at_s, int64_t now_s,
                           int64_t *ret_until_s, struct mutual_error *err)
{
    size_t count = 0;
    const struct mutual_link *leaf = mutual_chain_links(chain, &count);
    bool demanded = is_demanded(trust, leaf);
    bool ours = memcmp(staple->fingerprint, leaf->fingerprint, sizeof leaf->fingerprint) == 0;
    bool lapsed = now_s >= staple->next_update_s && proved_at_s < staple->next_update_s;
    const char *subject = mutual_chain_subject(chain);
    if (trust->staples == MUTUAL_STAPLE_IGNORE && !demanded) {
        return true;
    }
    if (ours && staple->status == MUTUAL_STAPLE_REVOKED) {
        return fail_revoked(chain, staple, err);
    }
    bool no_answer = ours && staple->status == MUTUAL_STAPLE_NO_ANSWER;
    if (!ours || staple->status == MUTUAL_STAPLE_NONE || no_answer || lapsed) {
        return !demanded || fail_none(trust, chain, leaf, no_answer, err);
    }
    /* RFC 6066 section 8: whoever asked and was answered must "abort the handshake if the response
     * is not satisfactory". */
    if (!mu_ocsp_check_fresh(staple->this_update_s, staple->next_update_s, now_s, subject, err)) {
        return false;
    }
    if (staple->status != MUTUAL_STAPLE_GOOD) {
        return mu_fail(err, MUTUAL_E_OCSP_UNKNOWN,
                       "the responder does not know certificate \"%s\", by the OCSP response that "
                       "its holder sent along",
                       subject);
    }
    if (demanded && staple->next_update_s < *ret_until_s) {
        *ret_until_s = staple->next_update_s;
    }
    return true;
}
