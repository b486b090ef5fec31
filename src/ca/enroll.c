/* SPDX-License-Identifier: Apache-2.0
 *
 * Enrolment: a certificate for whoever shows a token, and the next one for whoever has one. What
 * may be certified comes from the token or from the certificate; a request can only ask for less.
 */
#include "ca/ca_internal.h"

#include <string.h>

#include "identity/identity.h"

/* ---- what a request asks for -------------------------------------------------------------------
 */

static bool fail_name(struct mutual_error *err, const char *name, const char *of)
{
    return mu_fail(err, MUTUAL_E_REQUEST_NAMES,
                   "the request asks for \"%.160s\", which \"%.40s\" "
                   "may not be called",
                   name, of);
}

static bool allows(const struct ca_names *names, enum mutual_name_type type, const char *text)
{
    for (size_t i = 0; i < names->count; i++) {
        if ((type == MUTUAL_NAME_COUNT_ || names->items[i].type == type) &&
            strcmp(names->items[i].text, text) == 0) {
            return true;
        }
    }
    return false;
}

/* Names of a request, read by the very code that certifies them. */
static bool read_requested(struct ca *ca, const struct mu_csr *csr,
                           const struct ca_profile *profile, const char *name,
                           struct ca_names *ret_names, struct mutual_error *err)
{
    struct ca_profile none_made = *profile;
    none_made.made_types = 0;
    const struct ca_request request = {.profile = &none_made, .name = name, .csr = csr};
    return ca_names_of(ca, &request, ret_names, err);
}

/* Every name in the request, the common name too, is among the allowed ones. */
static bool check_names(struct ca *ca, const struct mu_csr *csr, const struct ca_request *request,
                        const struct ca_names *allowed, struct mutual_error *err)
{
    MU_AUTO(ca_names) struct ca_names asked = {0};
    const struct mu_csr_facts *facts = mu_csr_facts(csr);
    if (!read_requested(ca, csr, request->profile, request->name, &asked, err)) {
        return false;
    }
    for (size_t i = 0; i < asked.count; i++) {
        if (!allows(allowed, asked.items[i].type, asked.items[i].text)) {
            return fail_name(err, asked.items[i].text, request->name);
        }
    }
    for (size_t i = 0; i < facts->common_name_count; i++) {
        MU_AUTO(free) char *text = mu_slice_dup(facts->common_names[i]);
        if (text == NULL) {
            return mu_fail_memory(err);
        }
        if (strcmp(text, request->name) != 0 && !allows(allowed, MUTUAL_NAME_COUNT_, text)) {
            MU_AUTO(buf) struct mu_buf safe;
            mu_buf_init(&safe, 1024);
            mu_escape(&safe, facts->common_names[i]);
            return fail_name(err, mu_buf_str(&safe), request->name);
        }
    }
    return true;
}

static bool check_profile(const char *profile, const struct ca_enrolment *wish,
                          struct mutual_error *err)
{
    return wish->profile == NULL || strcmp(profile, wish->profile) == 0 ||
           mu_fail(err, MUTUAL_E_PROFILE_DENIED,
                   "profile \"%s\" was asked for, and \"%s\" is what may be issued", wish->profile,
                   profile);
}

/* ---- by a token --------------------------------------------------------------------------------
 */

/* The names of a token as they are kept, checked again. */
struct token_names {
    struct mutual_name items[MU_LIMIT_CERT_NAMES];
    size_t count;
    struct mu_arena *arena;
};

static void token_names_done(struct token_names **names)
{
    if (*names != NULL) {
        mu_arena_free((*names)->arena);
        mu_free(*names);
    }
}

static bool read_name(struct token_names *names, const char *line, size_t len,
                      struct mutual_error *err)
{
    char storage[MU_LIMIT_NAME_BYTES + 1];
    const char *space = memchr(line, ' ', len);
    for (int type = 0; space != NULL && type < MUTUAL_NAME_COUNT_; type++) {
        const char *word = mutual_name_type_word((enum mutual_name_type)type);
        if (strlen(word) != (size_t)(space - line) || strncmp(line, word, strlen(word)) != 0 ||
            names->count == MU_COUNT(names->items)) {
            continue;
        }
        struct mutual_name *name = &names->items[names->count];
        if (!mutual_name_parse((enum mutual_name_type)type, space + 1,
                               len - (size_t)(space + 1 - line), storage, sizeof storage, name,
                               err)) {
            return false;
        }
        name->text = mu_arena_strndup(names->arena, name->text, name->len);
        names->count++;
        return name->text != NULL ? true : mu_fail_memory(err);
    }
    return mu_fail(err, MUTUAL_E_STORE_CORRUPT, "a token in the store has a name that is none");
}

static bool read_names(const char *text, struct token_names **ret_names, struct mutual_error *err)
{
    struct token_names *names = mu_alloc(1, sizeof *names);
    *ret_names = names;
    if (names != NULL) {
        names->arena = mu_arena_new(CA_TOKEN_NAMES + 4096);
    }
    if (names == NULL || names->arena == NULL) {
        return mu_fail_memory(err);
    }
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        if (!read_name(names, text, len, err)) {
            return false;
        }
        text += len + (text[len] == '\n');
    }
    return true;
}

static bool find_token(struct ca *ca, struct mu_slice text, struct inventory_tokens *ret_tokens,
                       struct mutual_error *err)
{
    struct ca_token_text token;
    uint8_t hash[32];
    if (!ca_token_parse(text, &token, err)) {
        return false;
    }
    bool hashed = mu_sha256(mu_slice_of(token.secret, sizeof token.secret), hash, err);
    ca_token_text_done(&token);
    const struct inventory_token_filter filter = {.hash = mu_slice_of(hash, sizeof hash)};
    if (!hashed || !inventory_tokens_get(ca->inventory, &filter, ret_tokens, err)) {
        return false;
    }
    return ret_tokens->count == 1 ||
           mu_fail(err, MUTUAL_E_TOKEN_UNKNOWN, "the token is not known here");
}

/* The answer may have been lost on its way: who asks again with the same key gets the same
 * certificate, number `id` (0: there is none). With another key he is somebody else. */
static bool same_again(struct ca *ca, int64_t id, const struct ca_enrolment *wish, bool *ret_same,
                       struct ca_issued *ret_issued, struct mutual_error *err)
{
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    const struct inventory_filter filter = {.id = id};
    uint8_t key_hash[32];
    *ret_same = false;
    if (id == 0) {
        return true;
    }
    if (!mu_sha256(mu_csr_facts(wish->csr)->spki, key_hash, err) ||
        !inventory_records_get(ca->inventory, &filter, 1, &records, err)) {
        return false;
    }
    const struct inventory_record *record = records.count == 1 ? &records.items[0] : NULL;
    if (record == NULL || record->state != INVENTORY_DELIVERED || record->revoked ||
        record->not_after_s <= wish->now_s ||
        !mu_slice_equal(record->key_hash, mu_slice_of(key_hash, sizeof key_hash))) {
        return true;
    }
    *ret_same = true;
    ret_issued->id = record->id;
    return mu_cert_from_der(record->der, &ret_issued->cert, err);
}

static bool by_used_token(struct ca *ca, const struct inventory_token *token,
                          const struct ca_enrolment *wish, struct ca_issued *ret_issued,
                          struct mutual_error *err)
{
    char used[MU_TIME_TEXT];
    bool same = false;
    return same_again(ca, token->certificate_id, wish, &same, ret_issued, err) &&
           (same || mu_fail(err, MUTUAL_E_TOKEN_USED, "the token for \"%s\" was used on %s",
                            token->name, mu_time_format(token->used_s, used)));
}

static bool check_time(const struct inventory_token *token, int64_t now_s, struct mutual_error *err)
{
    char text[MU_TIME_TEXT];
    if (token->expires_s > now_s) {
        return true;
    }
    return mu_fail(err, MUTUAL_E_TOKEN_EXPIRED, "the token for \"%s\" ended on %s", token->name,
                   mu_time_format(token->expires_s, text));
}

struct taking {
    int64_t token_id;
    const uint8_t *key_hash;
    int64_t now_s;
    const char *name;
};

/* In the transaction that takes the serial number: one of those who ask at the same time wins. */
static bool take_token(void *context, struct ca *ca, int64_t id, struct mutual_error *err)
{
    const struct taking *taking = context;
    bool taken = false;
    return inventory_token_take(ca->inventory, taking->token_id, id,
                                mu_slice_of(taking->key_hash, 32), taking->now_s, &taken, err) &&
           (taken || mu_fail(err, MUTUAL_E_TOKEN_USED, "the token for \"%s\" was used just now",
                             taking->name));
}

/* Files the request for a person; *ret_go: it was approved. */
static bool wait_for_person(struct ca *ca, const struct inventory_token *token,
                            const struct ca_enrolment *wish, const uint8_t key_hash[32],
                            bool *ret_go, struct mutual_error *err)
{
    bool asked = token->asked_s != 0;
    struct mu_slice key = {key_hash, 32};
    *ret_go = false;
    if (asked && !mu_slice_equal(token->key_hash, key)) {
        return mu_fail(err, MUTUAL_E_TOKEN_USED,
                       "the token for \"%s\" belongs to a request that waits already", token->name);
    }
    if (token->decision == INVENTORY_DENIED) {
        return mu_fail(err, MUTUAL_E_REQUEST_DENIED, "the request for \"%s\" was denied",
                       token->name);
    }
    *ret_go = token->decision == INVENTORY_APPROVED;
    if (asked) {
        return true;
    }
    return check_time(token, wish->now_s, err) &&
           inventory_token_ask(ca->inventory, token->id, mu_csr_facts(wish->csr)->der, key, ca->who,
                               wish->now_s, &asked, err);
}

static bool issue_by(struct ca *ca, const struct inventory_token *token,
                     const struct ca_enrolment *wish, struct ca_request *request,
                     enum ca_enrolled *ret_how, struct ca_issued *ret_issued,
                     struct mutual_error *err)
{
    uint8_t key_hash[32];
    bool go = true;
    if (!mu_sha256(mu_csr_facts(wish->csr)->spki, key_hash, err) ||
        (token->approval && !wait_for_person(ca, token, wish, key_hash, &go, err))) {
        return false;
    }
    if (!go) {
        *ret_how = CA_ENROLL_WAITS;
        return true;
    }
    struct taking taking = {
        .token_id = token->id, .key_hash = key_hash, .now_s = wish->now_s, .name = token->name};
    request->csr = wish->csr;
    request->also = take_token;
    request->also_context = &taking;
    *ret_how = CA_ENROLLED;
    return (token->approval || check_time(token, wish->now_s, err)) &&
           ca_issue(ca, request, wish->signer, ret_issued, err);
}

static bool by_token(struct ca *ca, struct mu_slice text, const struct ca_enrolment *wish,
                     enum ca_enrolled *ret_how, struct ca_issued *ret_issued,
                     struct mutual_error *err)
{
    MU_AUTO(inventory_tokens) struct inventory_tokens tokens = {0};
    __attribute__((cleanup(token_names_done))) struct token_names *names = NULL;
    MU_AUTO(ca_names) struct ca_names allowed = {0};
    if (!find_token(ca, text, &tokens, err)) {
        return false;
    }
    const struct inventory_token *token = &tokens.items[0];
    if (token->used_s != 0) {
        *ret_how = CA_ENROLLED;
        return by_used_token(ca, token, wish, ret_issued, err);
    }
    struct ca_request request = {.name = token->name,
                                 .life_s = token->life_s,
                                 .owner = token->owner,
                                 .place = token->place,
                                 .purpose = token->purpose,
                                 .print_only = true,
                                 .asked_again = !wish->key_lent,
                                 .now_s = wish->now_s};
    if (!check_profile(token->profile, wish, err) ||
        !ca_profile_of(ca, token->profile, &request.profile, err) ||
        !read_names(token->names, &names, err)) {
        return false;
    }
    request.names = names->items;
    request.name_count = names->count;
    return ca_names_of(ca, &request, &allowed, err) &&
           check_names(ca, wish->csr, &request, &allowed, err) &&
           issue_by(ca, token, wish, &request, ret_how, ret_issued, err);
}

bool ca_enroll_by_token(struct ca *ca, struct mu_slice text, const struct ca_enrolment *wish,
                        enum ca_enrolled *ret_how, struct ca_issued *ret_issued,
                        struct mutual_error *err)
{
    if (!ca_lock(ca, wish->now_s, NULL, err)) {
        return false;
    }
    bool good = by_token(ca, text, wish, ret_how, ret_issued, err);
    ca_unlock(ca);
    return good;
}

/* ---- by the certificate before -----------------------------------------------------------------
 */

/* RFC 7030 section 4.2.2: subject and names as they are. */
static bool check_same(struct ca *ca, const struct mu_cert *old, const struct ca_request *request,
                       const struct mu_csr *csr, struct mutual_error *err)
{
    const struct mu_csr_facts *asked = mu_csr_facts(csr);
    struct ca_names allowed = {.count = request->name_count};
    union {
        const struct mutual_name *in;
        struct mutual_name *out;
    } cast = {request->names}; /* read only */
    allowed.items = cast.out;
    if (!mu_name_equal(asked->subject, mu_cert_facts(old)->subject)) {
        return mu_fail(err, MUTUAL_E_REQUEST_NAMES,
                       "the request is for \"%.100s\", the certificate to be renewed is that of "
                       "\"%.80s\"",
                       asked->subject_text, mu_cert_facts(old)->subject_text);
    }
    return check_names(ca, csr, request, &allowed, err);
}

static bool check_standing(const struct inventory_record *record, struct mutual_error *err)
{
    char text[MU_TIME_TEXT];
    return !record->revoked ||
           mu_fail(err, MUTUAL_E_CERT_REVOKED, "certificate \"%s\" was revoked on %s", record->name,
                   mu_time_format(record->revoked_s, text));
}

static bool check_old(const struct inventory_record *record, const struct ca_enrolment *wish,
                      struct mutual_error *err)
{
    char text[MU_TIME_TEXT];
    if (mu_text_starts(record->profile, "authority") || record->state != INVENTORY_DELIVERED) {
        return mu_fail(err, MUTUAL_E_PROFILE_DENIED, "certificate \"%s\" cannot be renewed",
                       record->name);
    }
    if (!check_standing(record, err)) {
        return false;
    }
    int64_t grace_s = wish->grace_s > 0 ? wish->grace_s : 0;
    if (record->not_after_s + grace_s <= wish->now_s) {
        return mu_fail(err, MUTUAL_E_CERT_EXPIRED, "certificate \"%s\" ended on %s", record->name,
                       mu_time_format(record->not_after_s, text)) ||
               mu_error_hint(err, "Enrol anew: with a token, mutual enroll TOKEN.");
    }
    return true;
}

static bool issue_again(struct ca *ca, const struct inventory_record *record,
                        const struct ca_enrolment *wish, struct ca_issued *ret_issued,
                        struct mutual_error *err)
{
    MU_AUTO(cert) struct mu_cert *old = NULL;
    struct ca_request request = {.name = record->name,
                                 .names = record->names,
                                 .name_count = record->name_count,
                                 .owner = record->owner,
                                 .place = record->place,
                                 .purpose = record->purpose,
                                 .csr = wish->csr,
                                 .print_only = true,
                                 .asked_again = !wish->key_lent,
                                 .replaces = record,
                                 .now_s = wish->now_s};
    bool same = false;
    return check_old(record, wish, err) && check_profile(record->profile, wish, err) &&
           mu_cert_from_der(record->der, &old, err) &&
           ca_profile_of(ca, record->profile, &request.profile, err) &&
           check_same(ca, old, &request, wish->csr, err) &&
           same_again(ca, record->replaced_by_id, wish, &same, ret_issued, err) &&
           (same || ca_issue(ca, &request, wish->signer, ret_issued, err));
}

/* None when it was not issued here. */
static bool find_record(struct ca *ca, const struct mu_cert *cert,
                        struct inventory_records *ret_records, struct mutual_error *err)
{
    const struct inventory_filter filter = {.fingerprint =
                                                mu_slice_of(mu_cert_facts(cert)->fingerprint, 32)};
    return inventory_records_get(ca->inventory, &filter, 1, ret_records, err);
}

bool ca_stands(struct ca *ca, const struct mu_cert *cert, struct mutual_error *err)
{
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    return find_record(ca, cert, &records, err) &&
           (records.count == 0 || check_standing(&records.items[0], err));
}

static bool again(struct ca *ca, const struct mu_cert *old, const struct ca_enrolment *wish,
                  struct ca_issued *ret_issued, struct mutual_error *err)
{
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    if (!find_record(ca, old, &records, err)) {
        return false;
    }
    if (records.count == 0) {
        return mu_fail(err, MUTUAL_E_UNKNOWN_ISSUER, "certificate \"%s\" was not issued here",
                       mu_cert_facts(old)->display) ||
               mu_error_hint(err, "Enrol with a token: mutual enroll TOKEN.");
    }
    return issue_again(ca, &records.items[0], wish, ret_issued, err);
}

bool ca_enroll_again(struct ca *ca, const struct mu_cert *old, const struct ca_enrolment *wish,
                     struct ca_issued *ret_issued, struct mutual_error *err)
{
    if (!ca_lock(ca, wish->now_s, NULL, err)) {
        return false;
    }
    bool good = again(ca, old, wish, ret_issued, err);
    ca_unlock(ca);
    return good;
}

/* ---- after its end ------------------------------------------------------------------------------
 */

/* An expired certificate is not proved in a handshake: the request, signed by the same key, is what
 * proves it. It carries nothing fresh, so it must not do anything twice: a certificate that has a
 * successor with this key gets that one again. */
static bool late(struct ca *ca, const struct ca_enrolment *wish, struct ca_issued *ret_issued,
                 struct mutual_error *err)
{
    enum { SAME_KEY_MAX = 1000 };
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    const struct mu_csr_facts *asked = mu_csr_facts(wish->csr);
    const struct inventory_record *last = NULL;
    uint8_t hash[32];
    const struct inventory_filter filter = {.key_hash = mu_slice_of(hash, sizeof hash)};
    if (!mu_sha256(asked->spki, hash, err) ||
        !inventory_records_get(ca->inventory, &filter, SAME_KEY_MAX, &records, err)) {
        return false;
    }
    for (size_t i = 0; i < records.count; i++) {
        const struct inventory_record *one = &records.items[i];
        if (one->state == INVENTORY_DELIVERED && (last == NULL || one->id > last->id)) {
            last = one;
        }
    }
    if (last == NULL) {
        return mu_fail(err, MUTUAL_E_NO_CLIENT_CERT,
                       "no certificate was proved, and none was issued here for this key") ||
               mu_error_hint(err, "Renew with the certificate, or enrol with a token.");
    }
    if (last->not_after_s > wish->now_s && last->replaces_id != 0 && !last->revoked) {
        ret_issued->id = last->id;
        return mu_cert_from_der(last->der, &ret_issued->cert, err);
    }
    if (last->not_after_s > wish->now_s) {
        return mu_fail(err, MUTUAL_E_NO_CLIENT_CERT,
                       "certificate \"%s\" has not ended: prove it in the handshake", last->name);
    }
    if (last->replaced_by_id != 0) {
        return mu_fail(err, MUTUAL_E_CERT_EXPIRED,
                       "certificate \"%s\" was replaced before it ended", last->name);
    }
    return issue_again(ca, last, wish, ret_issued, err);
}

bool ca_enroll_late(struct ca *ca, const struct ca_enrolment *wish, struct ca_issued *ret_issued,
                    struct mutual_error *err)
{
    if (wish->grace_s <= 0) {
        return mu_fail(err, MUTUAL_E_NO_CLIENT_CERT,
                       "a certificate is renewed by whoever proves it in the handshake");
    }
    if (!ca_lock(ca, wish->now_s, NULL, err)) {
        return false;
    }
    bool good = late(ca, wish, ret_issued, err);
    ca_unlock(ca);
    return good;
}
