/* SPDX-License-Identifier: Apache-2.0
 *
 * What an authority's key may sign: certificates and revocation lists that the x509 room reads
 * whole and that fit the rules, and OCSP responses. What is to be signed is completed with an empty
 * signature and read as what it would become, so that we judge what others will see.
 */
#include <stdio.h>
#include <string.h>

#include "keys/keys_internal.h"

/* The scheme must be the one that the bytes name inside: mu_signed_build names ours outside, and
 * two different ones are a flaw. */
static bool complete(struct mu_slice tbs, enum mu_scheme scheme, struct mu_buf *out)
{
    static const uint8_t nothing[64];
    return scheme != MU_SCHEME_NONE &&
           mu_signed_build(tbs, scheme, mu_slice_of(nothing, sizeof nothing), out, NULL);
}

static void describe(const struct mu_cert_facts *facts, char what[512])
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 511);
    char until[MU_TIME_TEXT];
    mu_buf_text(&text, "certificate serial ");
    mu_hex(&text, facts->serial);
    (void)mu_buf_printf(&text, " until %s%s subject %.300s",
                        mu_time_format(facts->not_after_s, until), facts->ca ? " authority" : "",
                        facts->display);
    (void)snprintf(what, 512, "%s", mu_buf_str(&text));
}

static bool fail_rule(struct mutual_error *err, const char *rule)
{
    return mu_fail(err, MUTUAL_E_KEY_REFUSED, "the certificate to be signed %s", rule);
}

static bool check_rules(const struct keys_ca_rules *rules, const struct mu_cert_facts *facts,
                        struct mutual_error *err)
{
    int64_t lifetime = 0;
    if (!mu_slice_equal(facts->issuer, rules->issuer)) {
        return fail_rule(err, "names another issuer");
    }
    if (facts->ca && !rules->may_issue_ca) {
        return fail_rule(err, "is an authority");
    }
    if (__builtin_sub_overflow(facts->not_after_s, facts->not_before_s, &lifetime) ||
        lifetime > rules->max_lifetime_s) {
        return fail_rule(err, "lives longer than this key may make it");
    }
    if (facts->serial.len < rules->serial_min_bytes ||
        facts->serial.len > rules->serial_max_bytes) {
        return fail_rule(err, "has a serial number of the wrong length");
    }
    if (facts->has_eku && (facts->eku & ~rules->ekus) != 0) {
        return fail_rule(err, "has an extended key usage that this key may not grant");
    }
    if (!facts->has_eku && !facts->ca && rules->eku_required) {
        return fail_rule(err, "has no extended key usage");
    }
    return true;
}

enum keys_judgement keys_judge_certificate(const struct keys_ca_rules *rules, enum mu_scheme scheme,
                                           struct mu_slice tbs, char what[512],
                                           struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, MU_LIMIT_CERT_BYTES);
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    if (!complete(tbs, scheme, &der) || !mu_cert_from_der(mu_buf_slice(&der), &cert, NULL)) {
        return KEYS_NOT_THIS;
    }
    const struct mu_cert_facts *facts = mu_cert_facts(cert);
    if (!mu_slice_equal(facts->tbs, tbs)) {
        return KEYS_NOT_THIS;
    }
    describe(facts, what);
    if (facts->flaws != 0) {
        (void)mu_fail(err, MUTUAL_E_KEY_REFUSED, "the certificate to be signed is flawed: %s",
                      mu_cert_flaw_text(facts->flaws));
        return KEYS_FORBIDDEN;
    }
    if (facts->unknown_critical != NULL && facts->unknown_critical[0] != NULL) {
        (void)fail_rule(err, "has a critical extension that is not understood");
        return KEYS_FORBIDDEN;
    }
    return check_rules(rules, facts, err) ? KEYS_PERMITTED : KEYS_FORBIDDEN;
}

enum keys_judgement keys_judge_crl(const struct keys_ca_rules *rules, enum mu_scheme scheme,
                                   struct mu_slice tbs, char what[512], struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, MU_LIMIT_CRL_BYTES);
    MU_AUTO(crl) struct mu_crl *crl = NULL;
    if (!complete(tbs, scheme, &der) || !mu_crl_from_der(mu_buf_slice(&der), &crl, NULL)) {
        return KEYS_NOT_THIS;
    }
    const struct mu_crl_facts *facts = mu_crl_facts(crl);
    if (!mu_slice_equal(facts->tbs, tbs)) {
        return KEYS_NOT_THIS;
    }
    char until[MU_TIME_TEXT];
    (void)snprintf(what, 512, "revocation list of %zu until %s", facts->count,
                   facts->next_update_s == MU_TIME_NEVER_S
                       ? "never"
                       : mu_time_format(facts->next_update_s, until));
    if (!mu_slice_equal(facts->issuer, rules->issuer)) {
        (void)mu_fail(err, MUTUAL_E_KEY_REFUSED,
                      "the revocation list to be signed names another issuer");
        return KEYS_FORBIDDEN;
    }
    return KEYS_PERMITTED;
}

/* ---- OCSP: the x509 room does not read these, and their outline is enough to know them ----------
 */

/* Takes one DER element off the front; false: there is none, or it is not minimal. */
static bool take_element(struct mu_slice *rest, uint8_t *ret_tag, struct mu_slice *ret_body)
{
    if (rest->len < 2) {
        return false;
    }
    size_t len = rest->data[1];
    size_t head = 2;
    if (len >= 0x80) {
        size_t count = len - 0x80;
        if (count == 0 || count > 3 || rest->len < 2 + count || rest->data[2] == 0) {
            return false;
        }
        len = 0;
        for (; head < 2 + count; head++) {
            len = len << 8 | rest->data[head];
        }
        if (len < 0x80) {
            return false;
        }
    }
    if (len > rest->len - head) {
        return false;
    }
    *ret_tag = rest->data[0];
    *ret_body = mu_slice_of(rest->data + head, len);
    rest->data += head + len;
    rest->len -= head + len;
    return true;
}

/* RFC 6960 section 4.2.1: ResponseData ::= SEQUENCE { version [0] OPTIONAL, responderID by name [1]
 * or by key [2], producedAt GeneralizedTime, responses SEQUENCE OF SEQUENCE, extensions [1]
 * OPTIONAL }. A certificate's third element is a SEQUENCE where this has a time, so neither can be
 * taken for the other. */
enum keys_judgement keys_judge_ocsp(struct mu_slice tbs)
{
    enum { SEQUENCE = 0x30, TIME = 0x18, VERSION = 0xa0, BY_NAME = 0xa1, BY_KEY = 0xa2 };
    struct mu_slice data;
    struct mu_slice body;
    struct mu_slice responses;
    uint8_t tag;
    if (tbs.len == 0 || !take_element(&tbs, &tag, &data) || tag != SEQUENCE || tbs.len != 0 ||
        !take_element(&data, &tag, &body)) {
        return KEYS_NOT_THIS;
    }
    if (tag == VERSION && !take_element(&data, &tag, &body)) {
        return KEYS_NOT_THIS;
    }
    if ((tag != BY_NAME && tag != BY_KEY) || !take_element(&data, &tag, &body) || tag != TIME ||
        !take_element(&data, &tag, &responses) || tag != SEQUENCE || responses.len == 0) {
        return KEYS_NOT_THIS;
    }
    while (responses.len > 0) {
        if (!take_element(&responses, &tag, &body) || tag != SEQUENCE) {
            return KEYS_NOT_THIS;
        }
    }
    if (data.len > 0 && (!take_element(&data, &tag, &body) || tag != BY_NAME || data.len > 0)) {
        return KEYS_NOT_THIS;
    }
    return KEYS_PERMITTED;
}
