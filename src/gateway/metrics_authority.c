/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics of the authority. What is said in its store is said by every gateway of that store, and
 * is the same; what its process counted goes on from the process before.
 */
#include "gateway/figures_internal.h"
#include "gateway/metrics_internal.h"
#include "gateway/parent_internal.h"

/* How a figure is shown. */
enum shown { SHOWN_COUNTER, SHOWN_GAUGE, SHOWN_SUMMARY };
static const struct family {
    enum ledger_figure figure;
    enum shown shown;
    const char *name;
    const char *labels[LEDGER_LABELS];
    const char *unit;
    const char *help;
} families[] = {
    {LEDGER_ISSUED,
     SHOWN_COUNTER,
     "mutual_issued",
     {"issuer", "profile"},
     NULL,
     "Certificates issued, by whatever process; as the store has it."},
    {LEDGER_REVOKED,
     SHOWN_COUNTER,
     "mutual_revocations",
     {"issuer", "reason"},
     NULL,
     "Certificates revoked, by whatever process; as the store has it."},
    {LEDGER_CERTIFICATES,
     SHOWN_GAUGE,
     "mutual_certificates",
     {"state"},
     NULL,
     "Certificates in the store; interrupted: their issuing was not finished."},
    {LEDGER_ENROLMENT,
     SHOWN_COUNTER,
     "mutual_enroll_requests",
     {"protocol", "by", "result"},
     NULL,
     "Requests for a certificate: what the caller showed, and what came of it."},
    {LEDGER_TOKENS,
     SHOWN_GAUGE,
     "mutual_tokens",
     {"state"},
     NULL,
     "One-time tokens that are not used: open, waiting for a person, or expired."},
    {LEDGER_TOKEN_USED,
     SHOWN_COUNTER,
     "mutual_tokens_used",
     {"issuer"},
     NULL,
     "One-time tokens that were used; as the store has it."},
    {LEDGER_VALIDATION,
     SHOWN_COUNTER,
     "mutual_acme_validations",
     {"type", "result"},
     NULL,
     "Challenges of ACME that were settled."},
    {LEDGER_OCSP,
     SHOWN_COUNTER,
     "mutual_ocsp_responses",
     {"status"},
     NULL,
     "What OCSP told of certificates, or why it told nothing."},
    {LEDGER_REQUEST,
     SHOWN_COUNTER,
     "mutual_http_requests",
     {"listener", "method", "code"},
     NULL,
     "Requests that the authority answered."},
    {LEDGER_REQUEST,
     SHOWN_SUMMARY,
     "mutual_http_request_duration_seconds",
     {"listener", "method", "code"},
     "seconds",
     "How long the authority took to answer them."},
    {LEDGER_CRL_NUMBER,
     SHOWN_GAUGE,
     "mutual_issuer_crl_number",
     {"issuer"},
     NULL,
     "The number of the last revocation list begun."},
    {LEDGER_CRL_THIS_UPDATE,
     SHOWN_GAUGE,
     "mutual_issuer_crl_this_update_timestamp_seconds",
     {"issuer"},
     "seconds",
     "When the complete revocation list was made."},
    {LEDGER_CRL_NEXT_UPDATE,
     SHOWN_GAUGE,
     "mutual_issuer_crl_next_update_timestamp_seconds",
     {"issuer"},
     "seconds",
     "When the complete revocation list is to be followed by the next."},
    {LEDGER_CRL_DUE,
     SHOWN_GAUGE,
     "mutual_issuer_crl_due",
     {"issuer"},
     NULL,
     "1: somebody was revoked whom the complete list does not name yet."},
    {LEDGER_LIST,
     SHOWN_SUMMARY,
     "mutual_crl_build_duration_seconds",
     {"issuer", "kind"},
     "seconds",
     "How long revocation lists took that the authority's process made."},
    {LEDGER_ISSUER_END,
     SHOWN_GAUGE,
     "mutual_issuer_not_after_timestamp_seconds",
     {"issuer"},
     "seconds",
     "When the certificate of an issuer ends, or of the root above it."},
    {LEDGER_AUDIT,
     SHOWN_COUNTER,
     "mutual_audit_entries",
     {NULL},
     NULL,
     "The number of the last entry of the audit."},
    {LEDGER_SIGNATURE,
     SHOWN_COUNTER,
     "mutual_authority_signatures",
     {"result"},
     NULL,
     "Signatures that the authority asked the key process for: signed, refused, lost with their "
     "answer, or unavailable."},
    {LEDGER_QUESTION,
     SHOWN_COUNTER,
     "mutual_store_questions",
     {NULL},
     NULL,
     "Questions to the store's database."},
    {LEDGER_STORE_FAILURE,
     SHOWN_COUNTER,
     "mutual_store_failures",
     {"kind"},
     NULL,
     "Questions that failed: busy, unreachable, other."},
    {LEDGER_STORE_CONNECTED,
     SHOWN_GAUGE,
     "mutual_store_connected",
     {NULL},
     NULL,
     "1: the store could be asked when it was last."},
};

static void put_row(struct exposition *expo, const struct family *family,
                    const struct ledger_row *row)
{
    struct exposition_label labels[LEDGER_LABELS + 1] = {{NULL, NULL}};
    for (size_t i = 0; i < ledger_label_count(row->figure); i++) {
        labels[i] = (struct exposition_label){family->labels[i], row->labels[i]};
    }
    if (family->shown == SHOWN_SUMMARY) {
        expo_put_sum(expo, labels, (uint64_t)row->value, (uint64_t)row->took_ns);
    } else {
        expo_put_signed(expo, labels, row->value);
    }
}

void metrics_authority(struct exposition *expo, const struct parent *parent)
{
    static const enum exposition_kind kinds[] = {EXPO_COUNTER, EXPO_GAUGE, EXPO_SUMMARY};
    MU_AUTO(ledger) struct ledger sum = {0};
    figures_authority(parent->figures, &sum);
    for (size_t i = 0; i < MU_COUNT(families); i++) {
        const struct family *family = &families[i];
        expo_family(expo, family->name, kinds[family->shown], family->unit, family->help);
        for (const struct ledger_row *row = ledger_next(&sum, family->figure, NULL); row != NULL;
             row = ledger_next(&sum, family->figure, row)) {
            put_row(expo, family, row);
        }
    }
}
