/* SPDX-License-Identifier: Apache-2.0
 *
 * What an authority's key may sign: certificates, revocation lists and OCSP responses that the x509
 * room reads whole and that fit the rules. What is to be signed is completed with an empty
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

/* ---- kinds ----------------------------------------------------------------------------------- */

static const char *why_not_names(const struct keys_shape *shape, const struct mu_cert_facts *facts)
{
    uint32_t types = 0;
    for (size_t i = 0; i < facts->name_count; i++) {
        types |= 1u << facts->names[i].type;
    }
    if ((types & ~shape->name_types) != 0) {
        return "has a name of a type that it may not have";
    }
    return (shape->must_types & ~types) != 0 ? "lacks a name that it must have" : NULL;
}

static const char *why_not_key(const struct keys_shape *shape, const struct mu_cert_facts *facts)
{
    enum mu_key_spec spec;
    if (!mu_key_spec_of(&facts->key, &spec) || (shape->keys & (1u << spec)) == 0) {
        return "is for a kind of key that it may not be for";
    }
    if (!facts->has_ku || (facts->key_usage & ~shape->key_usage) != 0) {
        return "has a key usage that it may not have";
    }
    return NULL;
}

/* NULL: it is of this kind. */
static const char *why_not(const struct keys_shape *shape, const struct mu_cert_facts *facts)
{
    if (!facts->has_eku || facts->eku == 0 || (facts->eku & ~shape->ekus) != 0) {
        return "has an extended key usage that it may not have";
    }
    if (facts->ocsp_nocheck != shape->ocsp_nocheck) {
        return shape->ocsp_nocheck ? "lacks ocsp-nocheck" : "has ocsp-nocheck";
    }
    if (facts->not_after_s - facts->not_before_s > shape->max_lifetime_s) {
        return "lives longer than it may";
    }
    if (facts->must_staple ? !shape->staple_allowed : shape->staple_required) {
        return facts->must_staple ? "demands a staple, which it may not"
                                  : "does not demand a staple, which it must";
    }
    const char *why = why_not_names(shape, facts);
    return why != NULL ? why : why_not_key(shape, facts);
}

static bool fits_any(const struct keys_ca_rules *rules, const struct mu_cert_facts *facts,
                     struct mutual_error *err)
{
    const char *first = NULL;
    for (uint32_t i = 0; i < rules->shape_count; i++) {
        const char *why = why_not(&rules->shapes[i], facts);
        if (why == NULL) {
            return true;
        }
        /* What speaks against the kinds of the same purpose tells most. */
        bool same = facts->eku == rules->shapes[i].ekus;
        first = first == NULL || same ? why : first;
    }
    return mu_fail(err, MUTUAL_E_KEY_REFUSED,
                   "the certificate to be signed is of no profile: it %s", first);
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
    if (rules->not_after_max_s > 0 && facts->not_after_s > rules->not_after_max_s) {
        return fail_rule(err, "would outlive its issuer");
    }
    return facts->ca || rules->shape_count == 0 || fits_any(rules, facts, err);
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
    MU_AUTO(crl_outline) struct mu_crl_outline outline = {.arena = NULL};
    if (!complete(tbs, scheme, &der) || !mu_crl_outline_of(mu_buf_slice(&der), &outline, NULL)) {
        return KEYS_NOT_THIS;
    }
    const struct mu_crl_facts *facts = &outline.facts;
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

/* ---- OCSP ------------------------------------------------------------------------------------ */

static bool fail_answer(struct mutual_error *err, const char *rule)
{
    return mu_fail(err, MUTUAL_E_KEY_REFUSED, "the OCSP response to be signed %s", rule);
}

static bool check_answer(const struct keys_ca_rules *rules, const struct mu_ocsp_answer *answer,
                         struct mutual_error *err)
{
    int64_t holds_s = 0;
    if (!mu_ocsp_id_of(&answer->id, &rules->ocsp_issuer)) {
        return fail_answer(err, "is about a certificate of another issuer");
    }
    if (answer->next_update_s == MU_TIME_NEVER_S ||
        __builtin_sub_overflow(answer->next_update_s, answer->this_update_s, &holds_s) ||
        holds_s <= 0 || holds_s > rules->max_answer_s) {
        return fail_answer(err, "would hold longer than this key may make it");
    }
    return true;
}

static void describe_answers(const struct mu_ocsp_facts *facts, char what[512])
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 500);
    for (size_t i = 0; i < facts->count; i++) {
        mu_buf_text(&text, i == 0 ? "OCSP response about serial " : ", ");
        mu_hex(&text, facts->answers[i].id.serial);
        (void)mu_buf_printf(&text, " %s", mu_ocsp_status_word(facts->answers[i].status));
    }
    (void)snprintf(what, 512, "%s%s", mu_buf_str(&text), text.failed ? " ..." : "");
}

/* A certificate's third element is a SEQUENCE where this has a time, so neither can be taken for
 * the other. */
enum keys_judgement keys_judge_ocsp(const struct keys_ca_rules *rules, enum mu_scheme scheme,
                                    struct mu_slice tbs, char what[512], struct mutual_error *err)
{
    static const uint8_t nothing[64];
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, MU_LIMIT_OCSP_BYTES);
    MU_AUTO(ocsp) struct mu_ocsp *ocsp = NULL;
    if (scheme == MU_SCHEME_NONE ||
        !mu_ocsp_build(tbs, scheme, mu_slice_of(nothing, sizeof nothing), NULL, &der, NULL) ||
        !mu_ocsp_from_der(mu_buf_slice(&der), &ocsp, NULL)) {
        return KEYS_NOT_THIS;
    }
    const struct mu_ocsp_facts *facts = mu_ocsp_facts(ocsp);
    if (!mu_slice_equal(facts->tbs, tbs)) {
        return KEYS_NOT_THIS;
    }
    describe_answers(facts, what);
    if (facts->unknown_critical != NULL && facts->unknown_critical[0] != NULL) {
        (void)fail_answer(err, "has a critical extension that is not understood");
        return KEYS_FORBIDDEN;
    }
    for (size_t i = 0; i < facts->count; i++) {
        if (!check_answer(rules, &facts->answers[i], err)) {
            return KEYS_FORBIDDEN;
        }
    }
    return KEYS_PERMITTED;
}
