/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose word an OCSP response is, and about whom (RFC 6960 sections 3.2 and 4.2.2.2): nothing is
 * believed because it came along. A signer is the issuer, or carries a certificate that the issuer
 * itself made for this purpose; no chain is built and nothing is fetched.
 */
#include "x509/ocsp_internal.h"
#include "x509/ossl_internal.h"

#include <string.h>

const char *mu_ocsp_status_word(enum mu_ocsp_status status)
{
    static const char *const words[] = {
        [MU_OCSP_GOOD] = "good", [MU_OCSP_UNKNOWN] = "unknown", [MU_OCSP_REVOKED] = "revoked"};
    return words[status];
}

/* ---- about whom ------------------------------------------------------------------------------ */

static bool digest(enum mu_ocsp_hash hash, struct mu_slice bytes, uint8_t ret_digest[32],
                   struct mutual_error *err)
{
    const EVP_MD *md = hash == MU_OCSP_SHA1 ? EVP_sha1() : EVP_sha256();
    return EVP_Digest(bytes.data, bytes.len, ret_digest, NULL, md, NULL) == 1 ||
           mu_fail_ossl(err, MUTUAL_E_LIBRARY, "could not take a digest");
}

bool mu_ocsp_issuer_of(const struct mu_cert *issuer, struct mu_ocsp_issuer *ret_issuer,
                       struct mutual_error *err)
{
    const struct mu_cert_facts *facts = mu_cert_facts(issuer);
    struct spki_parts parts;
    *ret_issuer = (struct mu_ocsp_issuer){{{0}}, {{0}}};
    if (!mu_spki_split(facts->spki, &parts)) {
        return mu_fail(err, MUTUAL_E_KEY_MALFORMED, "the public key of \"%s\" is not well-formed",
                       facts->display);
    }
    for (unsigned hash = 0; hash < MU_OCSP_HASH_OTHER; hash++) {
        if (!digest(hash, facts->subject, ret_issuer->name[hash], err) ||
            !digest(hash, parts.key, ret_issuer->key[hash], err)) { /* section 4.1.1 */
            return false;
        }
    }
    return true;
}

bool mu_ocsp_id_of(const struct mu_ocsp_id *id, const struct mu_ocsp_issuer *issuer)
{
    if (id->hash == MU_OCSP_HASH_OTHER) {
        return false;
    }
    size_t len = mu_ocsp_hash_len(id->hash);
    return mu_slice_equal(id->name_hash, mu_slice_of(issuer->name[id->hash], len)) &&
           mu_slice_equal(id->key_hash, mu_slice_of(issuer->key[id->hash], len));
}

/* Of two answers about one certificate the one that clears it less. */
static bool is_worse(const struct mu_ocsp_answer *a, const struct mu_ocsp_answer *b)
{
    return a->status != b->status ? a->status > b->status : a->next_update_s < b->next_update_s;
}

bool mu_ocsp_find(const struct mu_ocsp *ocsp, const struct mu_cert *cert,
                  const struct mu_cert *issuer, const struct mu_ocsp_answer **ret_answer,
                  struct mutual_error *err)
{
    const struct mu_ocsp_facts *facts = mu_ocsp_facts(ocsp);
    const struct mu_cert_facts *whose = mu_cert_facts(cert);
    const struct mu_ocsp_answer *found = NULL;
    if (facts->failure != NULL) {
        return mu_fail(err, MUTUAL_E_OCSP_UNSUCCESSFUL,
                       "the OCSP responder answered \"%s\" about certificate \"%s\"",
                       facts->failure, whose->display);
    }
    struct mu_ocsp_issuer by;
    if (!mu_ocsp_issuer_of(issuer, &by, err)) {
        return false;
    }
    for (size_t i = 0; i < facts->count; i++) {
        const struct mu_ocsp_answer *answer = &facts->answers[i];
        if (mu_slice_equal(answer->id.serial, whose->serial) && mu_ocsp_id_of(&answer->id, &by) &&
            (found == NULL || is_worse(answer, found))) {
            found = answer;
        }
    }
    if (found == NULL) {
        return mu_fail(err, MUTUAL_E_OCSP_OTHER_CERT,
                       "the OCSP response of \"%s\" says nothing about certificate \"%s\" of "
                       "issuer \"%s\"",
                       facts->responder_text, whose->display, mu_cert_facts(issuer)->display);
    }
    *ret_answer = found;
    return true;
}

/* ---- whose word ------------------------------------------------------------------------------ */

static bool is_responder(const struct mu_ocsp_facts *facts, const struct mu_cert_facts *cert)
{
    struct spki_parts parts;
    uint8_t hash[32];
    if (facts->by_name.data != NULL) {
        return mu_name_equal(facts->by_name, cert->subject);
    }
    return mu_spki_split(cert->spki, &parts) && digest(MU_OCSP_SHA1, parts.key, hash, NULL) &&
           mu_slice_equal(facts->by_key, mu_slice_of(hash, mu_ocsp_hash_len(MU_OCSP_SHA1)));
}

static bool refuse(const struct mu_cert_facts *delegate, const char *why, struct mutual_error *err)
{
    return mu_fail(err, MUTUAL_E_OCSP_SIGNER,
                   "the OCSP response is signed by \"%s\", whose certificate %s", delegate->display,
                   why);
}

/* Section 4.2.2.2: certified for it "by the CA that is identified in the request", which "MUST"
 * include id-kp-OCSPSigning; anyExtendedKeyUsage is not that. */
static bool check_delegate(const struct mu_cert *delegate, const struct mu_cert *issuer,
                           int64_t now_s, struct mutual_error *err)
{
    const struct mu_cert_facts *facts = mu_cert_facts(delegate);
    const struct mu_cert_facts *above = mu_cert_facts(issuer);
    if (!mu_slice_equal(facts->issuer_canon, above->subject_canon)) {
        return refuse(facts, "is of another authority", err);
    }
    if (!facts->has_eku || (facts->eku & MU_EKU_OCSP) == 0) {
        return refuse(facts, "is not made for it: its extended key usage lacks OCSPSigning", err);
    }
    if (facts->has_ku && (facts->key_usage & MU_KU_DIGITAL_SIGNATURE) == 0) {
        return refuse(facts, "may not sign: its key usage lacks digitalSignature", err);
    }
    if (now_s < facts->not_before_s || now_s > facts->not_after_s) {
        return refuse(facts, "is not valid at this time", err);
    }
    if (facts->unknown_critical != NULL && facts->unknown_critical[0] != NULL) {
        return refuse(facts, "has a critical extension that is not understood", err);
    }
    struct mutual_error cause = {0};
    if (mu_cert_signed_by(delegate, issuer, &cause)) {
        return true;
    }
    if (cause.code == MUTUAL_E_CERT_SIGNATURE) {
        return refuse(facts, "was not signed by the issuer that it names", err);
    }
    if (err != NULL) {
        *err = cause;
    }
    return false;
}

/* The certificate of the signer: the issuer's, or one that came along. */
static const struct mu_cert *signer_of(const struct mu_ocsp_facts *facts,
                                       const struct mu_cert *issuer)
{
    if (is_responder(facts, mu_cert_facts(issuer))) {
        return issuer;
    }
    for (size_t i = 0; i < facts->certs.count; i++) {
        if (is_responder(facts, mu_cert_facts(facts->certs.items[i]))) {
            return facts->certs.items[i];
        }
    }
    return NULL;
}

bool mu_ocsp_signed_by(const struct mu_ocsp *ocsp, const struct mu_cert *issuer, int64_t now_s,
                       const struct mu_cert **ret_delegate, struct mutual_error *err)
{
    const struct mu_ocsp_facts *facts = mu_ocsp_facts(ocsp);
    mu_assert(facts->failure == NULL);
    if (facts->unknown_critical != NULL && facts->unknown_critical[0] != NULL) {
        return mu_fail(err, MUTUAL_E_CRITICAL_EXTENSION,
                       "the OCSP response of \"%s\" has a critical extension that is not "
                       "understood: %s",
                       facts->responder_text, facts->unknown_critical[0]);
    }
    const struct mu_cert *signer = signer_of(facts, issuer);
    if (signer == NULL) {
        return mu_fail(err, MUTUAL_E_OCSP_SIGNER,
                       "the OCSP response is signed by \"%s\", which is not the issuer \"%s\", and "
                       "no certificate of that signer came with it",
                       facts->responder_text, mu_cert_facts(issuer)->display);
    }
    if (signer != issuer && !check_delegate(signer, issuer, now_s, err)) {
        return false;
    }
    struct mu_signed object = {
        .tbs = facts->tbs,
        .signature = facts->signature,
        .sig = facts->sig,
        .wrong = MUTUAL_E_OCSP_SIGNATURE,
        .what = "OCSP response",
        .name = facts->responder_text,
    };
    if (!mu_signed_check_by(&object, signer, err)) {
        return false;
    }
    *ret_delegate = signer != issuer ? signer : NULL;
    return true;
}

bool mu_ocsp_check_nonce(const struct mu_ocsp *ocsp, struct mu_slice nonce,
                         struct mutual_error *err)
{
    const struct mu_ocsp_facts *facts = mu_ocsp_facts(ocsp);
    if (facts->nonce.data != NULL && mu_slice_equal(facts->nonce, nonce)) {
        return true;
    }
    return mu_fail(err, MUTUAL_E_OCSP_NONCE, "the OCSP response of \"%s\" %s",
                   facts->responder_text,
                   facts->nonce.data == NULL ? "holds no nonce" : "holds another nonce than ours");
}

bool mu_ocsp_check_fresh(int64_t this_update_s, int64_t next_update_s, int64_t now_s,
                         const char *who, struct mutual_error *err)
{
    char when[MU_TIME_TEXT];
    char words[MU_TIME_TEXT];
    if (next_update_s == MU_TIME_NEVER_S) {
        return mu_fail(err, MUTUAL_E_OCSP_STALE,
                       "the OCSP response about certificate \"%s\" does not say until when it is "
                       "good",
                       who);
    }
    if (this_update_s > now_s + MU_OCSP_SKEW_S) {
        return mu_fail(err, MUTUAL_E_OCSP_STALE,
                       "the OCSP response about certificate \"%s\" is of a time to come: %s", who,
                       mu_time_format(this_update_s, when));
    }
    if (now_s >= next_update_s) {
        return mu_fail(err, MUTUAL_E_OCSP_STALE,
                       "the OCSP response about certificate \"%s\" was to be renewed %s ago (%s)",
                       who, mu_duration_words(now_s - next_update_s, words),
                       mu_time_format(next_update_s, when));
    }
    return true;
}
