/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding the one certificate that is meant, and revoking it.
 */
#include "ca/ca_internal.h"

#include <ctype.h>
#include <string.h>
#include <sys/stat.h>

#define CHOICES_MAX 200u

/* ---- finding --------------------------------------------------------------------------------- */

/* Eight or more hexadecimal digits in pairs, with or without colons. */
static bool hex_of(const char *text, struct mu_buf *out)
{
    MU_AUTO(buf) struct mu_buf digits;
    mu_buf_init(&digits, 256);
    for (const char *p = text; *p != '\0'; p++) {
        if (isxdigit((unsigned char)*p)) {
            mu_buf_byte(&digits, (uint8_t)tolower((unsigned char)*p));
        } else if (*p != ':') {
            return false;
        }
    }
    return !digits.failed && digits.len >= 8 && digits.len % 2 == 0 &&
           mu_hex_parse(mu_buf_slice(&digits), out, NULL);
}

static bool find_by(struct ca *ca, const struct inventory_filter *filter,
                    struct inventory_records *ret_records, struct mutual_error *err)
{
    return inventory_records_get(ca->inventory, filter, CHOICES_MAX, ret_records, err);
}

static bool find_by_file(struct ca *ca, const char *path, struct inventory_records *ret_records,
                         struct mutual_error *err)
{
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    if (!ca_read_certificate(path, &cert, err)) {
        return false;
    }
    const struct mu_cert_facts *facts = mu_cert_facts(cert);
    const struct inventory_filter filter = {.fingerprint = mu_slice_of(facts->fingerprint, 32)};
    if (!find_by(ca, &filter, ret_records, err)) {
        return false;
    }
    if (ret_records->count == 0) {
        inventory_records_done(ret_records);
        return mu_fail(err, MUTUAL_E_NOT_FOUND,
                       "the certificate \"%s\" in \"%s\" was not issued here", facts->display,
                       path) ||
               mu_error_hint(err, "It was issued by %.150s.", facts->issuer_text);
    }
    return true;
}

/* Leading zeros of a serial are no part of its magnitude. */
static struct mu_slice magnitude(struct mu_slice bytes)
{
    while (bytes.len > 1 && bytes.data[0] == 0) {
        bytes.data++;
        bytes.len--;
    }
    return bytes;
}

bool ca_find(struct ca *ca, const char *who, struct inventory_records *ret_records,
             struct mutual_error *err)
{
    struct stat info;
    if (stat(who, &info) == 0 && S_ISREG(info.st_mode)) {
        return find_by_file(ca, who, ret_records, err);
    }
    return ca_find_known(ca, who, ret_records, err);
}

bool ca_find_known(struct ca *ca, const char *who, struct inventory_records *ret_records,
                   struct mutual_error *err)
{
    const char *hex = strncasecmp(who, "SHA256:", 7) == 0 ? who + 7 : who;
    MU_AUTO(buf) struct mu_buf bytes;
    mu_buf_init(&bytes, 128);
    struct inventory_filter filters[3] = {{0}, {.who = who}, {0}};
    bool hexadecimal = hex_of(hex, &bytes);
    if (hexadecimal && bytes.len == 32) {
        filters[0].fingerprint = mu_buf_slice(&bytes);
    } else if (hexadecimal) {
        filters[0].serial = magnitude(mu_buf_slice(&bytes));
    }
    filters[2].serial_begin = mu_buf_slice(&bytes);
    for (size_t i = hexadecimal ? 0 : 1; i < (hexadecimal ? 3 : 2); i++) {
        MU_AUTO(inventory_records) struct inventory_records records = {0};
        if (!find_by(ca, &filters[i], &records, err)) {
            return false;
        }
        if (records.count > 0) {
            *ret_records = records;
            records = (struct inventory_records){0};
            return true;
        }
    }
    MU_AUTO(buf) struct mu_buf safe;
    mu_buf_init(&safe, 4096);
    mu_escape(&safe, mu_slice_of(who, strlen(who) < 150 ? strlen(who) : 150));
    return mu_fail(err, MUTUAL_E_NOT_FOUND, "no certificate is known as \"%s\"", mu_buf_str(&safe));
}

static bool is_authority(const struct inventory_record *record)
{
    return mu_text_starts(record->profile, "authority");
}

/* 0: the best candidate. Larger ranks count only when there is nobody below. */
static int rank_of(const struct inventory_record *record, enum ca_wish wish, int64_t now_s)
{
    if (record->revoked) {
        return 3;
    }
    if (record->not_after_s < now_s) {
        return 2;
    }
    /* A predecessor is not renewed while its successor lives; to revoke, both are meant. */
    return wish != CA_WISH_REVOKE && record->replaced_by_id != 0 ? 1 : 0;
}

static bool fail_ambiguous(const struct inventory_records *records, const char *who,
                           enum ca_wish wish, int rank, int64_t now_s, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf list;
    mu_buf_init(&list, 4096);
    size_t count = 0;
    for (size_t i = 0; i < records->count; i++) {
        if (rank_of(&records->items[i], wish, now_s) == rank) {
            if (count++ < 3) {
                mu_buf_text(&list, count == 1 ? "" : ", ");
                mu_hex(&list, records->items[i].serial);
            }
        }
    }
    if (count > 3) {
        mu_buf_text(&list, ", ...");
    }
    return mu_fail(err, MUTUAL_E_AMBIGUOUS, "\"%.60s\" means %zu certificates", who, count) ||
           mu_error_hint(err, "Give one of the serials: %s", mu_buf_str(&list));
}

bool ca_choose(const struct inventory_records *records, const char *who, enum ca_wish wish,
               int64_t now_s, const struct inventory_record **ret_record, struct mutual_error *err)
{
    int best = 4;
    size_t count = 0;
    const struct inventory_record *choice = NULL;
    for (size_t i = 0; i < records->count; i++) {
        int rank = rank_of(&records->items[i], wish, now_s);
        if (rank < best) {
            best = rank;
            count = 0;
        }
        if (rank == best) {
            choice = &records->items[i];
            count++;
        }
    }
    mu_assert(choice != NULL);
    if (choice->revoked && wish != CA_WISH_SHOW) {
        char time[MU_TIME_TEXT];
        return mu_fail(err, MUTUAL_E_ALREADY_REVOKED,
                       "certificate \"%s\" was revoked on %s, reason %s", choice->name,
                       mu_time_format(choice->revoked_s, time), mu_reason_word(choice->reason)) ||
               (wish == CA_WISH_RENEW &&
                mu_error_hint(err, "A revoked certificate does not come back; issue a new one."));
    }
    if (count > 1) {
        return fail_ambiguous(records, who, wish, best, now_s, err);
    }
    if (is_authority(choice) && wish != CA_WISH_SHOW) {
        return mu_fail(err, MUTUAL_E_PROFILE_DENIED,
                       "\"%s\" is an authority; its own key cannot renew or revoke it",
                       choice->name) ||
               mu_error_hint(err, "Make a new authority, and take this one out of the bundles.");
    }
    *ret_record = choice;
    return true;
}

/* ---- revoking -------------------------------------------------------------------------------- */

/* "key-compromise" is what people type, "keyCompromise" what RFC 5280 section 5.3.1 calls it. Hold
 * and its removal are left out: a certificate that may come back was never revoked. */
bool ca_reason_parse(const char *text, enum mu_reason *ret_reason, struct mutual_error *err)
{
    char word[64];
    size_t len = 0;
    for (const char *p = text; *p != '\0' && len < sizeof word - 1; p++) {
        bool joined = *p == '-' || *p == '_';
        if (joined && p[1] != '\0') {
            p++;
        }
        word[len++] = (char)(joined ? toupper((unsigned char)*p) : *p);
    }
    word[len] = '\0';
    enum mu_reason reason;
    if (mu_reason_find(word, &reason) && reason != MU_REASON_HOLD && reason != MU_REASON_REMOVE) {
        *ret_reason = reason;
        return true;
    }
    return mu_fail(err, MUTUAL_E_OPTION_VALUE, "\"%.60s\" is not a revocation reason", text) ||
           mu_error_hint(err, "One of: unspecified, key-compromise, affiliation-changed, "
                              "superseded, cessation-of-operation, privilege-withdrawn.");
}

static bool commit_revocation(struct ca *ca, const struct inventory_record *record,
                              enum mu_reason reason, int64_t now_s, struct mutual_error *err)
{
    struct store *store = inventory_store(ca->inventory);
    MU_AUTO(free) char *detail = ca_text("%s: %s", record->name, mu_reason_word(reason));
    if (detail == NULL) {
        return mu_fail_memory(err);
    }
    if (!store_begin(store, err)) {
        return false;
    }
    if (!inventory_revoke(ca->inventory, record->id, reason, now_s, err) ||
        !inventory_event(ca->inventory, now_s, ca->who, "revoke", record->id, detail, err)) {
        store_rollback(store);
        return false;
    }
    return store_commit(store, err);
}

static bool revoke(struct ca *ca, const struct inventory_record *record, enum mu_reason reason,
                   struct ca_signer *signer, int64_t now_s, struct mutual_error *err)
{
    if (!commit_revocation(ca, record, reason, now_s, err)) {
        return mu_error_context(err, "certificate \"%s\"", record->name);
    }
    struct ca_issuer *issuer = ca_issuer_by_id(ca, record->issuer_id);
    if (issuer == NULL) {
        return mu_fail(err, MUTUAL_E_STORE_CORRUPT, "certificate \"%s\" is of no issuer of ours",
                       record->name);
    }
    if (!ca_lists_revoked(ca, issuer, record->shard, signer, now_s, err)) {
        return mu_error_context(
            err, "certificate \"%s\" is revoked, but the list was not published", record->name);
    }
    return true;
}

bool ca_revoke(struct ca *ca, const struct inventory_record *record, enum mu_reason reason,
               struct ca_signer *signer, int64_t now_s, struct mutual_error *err)
{
    if (!ca_lock(ca, now_s, NULL, err)) {
        return false;
    }
    bool good = revoke(ca, record, reason, signer, now_s, err);
    ca_unlock(ca);
    return good;
}
