/* SPDX-License-Identifier: Apache-2.0
 *
 * One-time tokens as text, and making, finding and withdrawing them. The text is one word, safe to
 * paste anywhere: "mutual-" and, in base64url, a version, the secret, the SHA-256 of the root's
 * certificate, the authority's URL and a check that a part of it was not lost.
 */
#include "ca/ca_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char prefix[] = "mutual-";
enum { VERSION = 1, CHECK = 4, FIXED = 1 + CA_TOKEN_SECRET + 32 };

/* An https URL of characters that are safe in every place where a person may paste them. What it
 * leads to is proved by the root's fingerprint, so that this need not be clever. */
static bool is_url(const char *text)
{
    static const char scheme[] = "https://";
    size_t len = strlen(text);
    bool good = mu_text_starts(text, scheme) && len > sizeof scheme - 1 && len < CA_TOKEN_URL &&
                text[len - 1] != '/';
    for (size_t i = 0; good && i < len; i++) {
        good = isalnum((unsigned char)text[i]) || strchr("-._~:/[]%", text[i]) != NULL;
    }
    return good;
}

void ca_token_text_done(struct ca_token_text *token)
{
    mu_wipe(token->secret, sizeof token->secret);
}

static bool check_of(struct mu_slice bytes, uint8_t check[CHECK], struct mutual_error *err)
{
    uint8_t digest[32];
    if (!mu_sha256(bytes, digest, err)) {
        return false;
    }
    memcpy(check, digest, CHECK);
    return true;
}

bool ca_token_format(const struct ca_token_text *token, struct mu_buf *out,
                     struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf bytes;
    uint8_t check[CHECK];
    mu_buf_init(&bytes, FIXED + CA_TOKEN_URL + CHECK);
    (void)mu_buf_byte(&bytes, VERSION);
    (void)mu_buf_append(&bytes, token->secret, sizeof token->secret);
    (void)mu_buf_append(&bytes, token->root, sizeof token->root);
    (void)mu_buf_text(&bytes, token->url);
    bool good = (!bytes.failed || mu_fail_memory(err)) &&
                check_of(mu_buf_slice(&bytes), check, err) &&
                (mu_buf_append(&bytes, check, sizeof check) || mu_fail_memory(err));
    if (good) {
        (void)mu_buf_text(out, prefix);
        mu_base64url(out, mu_buf_slice(&bytes));
        good = !out->failed || mu_fail_memory(err);
    }
    mu_wipe(bytes.data, bytes.len);
    return good;
}

static bool fail_token(struct mutual_error *err, const char *why)
{
    return mu_fail(err, MUTUAL_E_TOKEN_MALFORMED, "the token %s", why);
}

static bool take_bytes(struct mu_slice bytes, struct ca_token_text *token, struct mutual_error *err)
{
    uint8_t check[CHECK];
    if (bytes.len < FIXED + 1 + CHECK || bytes.len > FIXED + CA_TOKEN_URL - 1 + CHECK) {
        return fail_token(err, "is too short or too long");
    }
    struct mu_slice body = {bytes.data, bytes.len - CHECK};
    if (!check_of(body, check, err)) {
        return false;
    }
    if (memcmp(check, bytes.data + body.len, CHECK) != 0) {
        return fail_token(err, "is not whole: some of it was lost or altered");
    }
    if (bytes.data[0] != VERSION) {
        return fail_token(err, "is of a version that is not known here");
    }
    memcpy(token->secret, bytes.data + 1, sizeof token->secret);
    memcpy(token->root, bytes.data + 1 + CA_TOKEN_SECRET, sizeof token->root);
    memcpy(token->url, bytes.data + FIXED, body.len - FIXED);
    token->url[body.len - FIXED] = '\0';
    if (memchr(token->url, '\0', body.len - FIXED) != NULL || !is_url(token->url)) {
        return fail_token(err, "holds no https URL");
    }
    return true;
}

bool ca_token_parse(struct mu_slice text, struct ca_token_text *ret_token, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf bytes;
    struct ca_token_text token = {0};
    size_t skip = sizeof prefix - 1;
    mu_buf_init(&bytes, FIXED + CA_TOKEN_URL + CHECK);
    if (text.len <= skip || memcmp(text.data, prefix, skip) != 0) {
        return fail_token(err, "does not begin with \"mutual-\"");
    }
    bool good = (mu_base64url_parse(mu_slice_of(text.data + skip, text.len - skip), &bytes, NULL) ||
                 fail_token(err, "holds a character that is in none, or is too long")) &&
                take_bytes(mu_buf_slice(&bytes), &token, err);
    mu_wipe(bytes.data, bytes.len);
    if (good) {
        *ret_token = token;
    }
    ca_token_text_done(&token);
    return good;
}

/* ---- making ------------------------------------------------------------------------------------
 */

/* As they are kept: a line each. */
static bool put_names(const struct mutual_name *names, size_t count, struct mu_buf *out,
                      struct mutual_error *err)
{
    for (size_t i = 0; i < count; i++) {
        (void)mu_buf_printf(out, "%s %s\n", mutual_name_type_word(names[i].type), names[i].text);
    }
    return !out->failed || mu_fail(err, MUTUAL_E_LIMIT, "the names of a token are too long");
}

/* Everything that would be refused when it is used is refused now. */
static bool check_wish(struct ca *ca, const struct ca_token_wish *wish, struct mutual_error *err)
{
    const struct ca_request request = {.profile = wish->profile,
                                       .name = wish->name,
                                       .names = wish->names,
                                       .name_count = wish->name_count,
                                       .life_s = wish->life_s,
                                       .owner = wish->owner,
                                       .place = wish->place,
                                       .purpose = wish->purpose,
                                       .now_s = wish->now_s};
    struct ca_decision decision;
    char most[MU_TIME_TEXT];
    if (!ca_permits(ca, &request, &decision, err)) {
        return false;
    }
    if (wish->ttl_s < 1 || wish->ttl_s > CA_TOKEN_TTL_MAX_S) {
        return mu_fail(err, MUTUAL_E_OPTION_VALUE,
                       "a token holds for at least a second and at "
                       "most %s",
                       mu_duration_words(CA_TOKEN_TTL_MAX_S, most));
    }
    return true;
}

static bool commit_token(struct ca *ca, const struct inventory_token *token, int64_t *ret_id,
                         struct mutual_error *err)
{
    struct store *store = inventory_store(ca->inventory);
    MU_AUTO(free) char *detail = ca_text("%s: %s", token->name, token->profile);
    if (detail == NULL) {
        return mu_fail_memory(err);
    }
    if (!store_begin(store, err)) {
        return false;
    }
    if (!inventory_token_add(ca->inventory, token, ret_id, err) ||
        !inventory_event(ca->inventory, token->made_s, ca->who, "token", 0, detail, err)) {
        store_rollback(store);
        return false;
    }
    return store_commit(store, err);
}

static bool make(struct ca *ca, const struct ca_token_wish *wish, const uint8_t hash[32],
                 int64_t *ret_id, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf names;
    mu_buf_init(&names, CA_TOKEN_NAMES);
    if (!check_wish(ca, wish, err) || !put_names(wish->names, wish->name_count, &names, err)) {
        return false;
    }
    const struct inventory_token token = {
        .hash = mu_slice_of(hash, 32),
        .name = wish->name,
        .profile = wish->profile->name,
        .names = mu_buf_str(&names),
        .life_s = wish->life_s,
        .owner = wish->owner,
        .place = wish->place,
        .purpose = wish->purpose != NULL ? wish->purpose : wish->profile->text,
        .approval = wish->approval,
        .made_s = wish->now_s,
        .made_by = ca->who,
        .expires_s = wish->now_s + wish->ttl_s,
    };
    return commit_token(ca, &token, ret_id, err);
}

bool ca_token_new(struct ca *ca, const struct ca_token_wish *wish, struct mu_buf *out,
                  int64_t *ret_id, struct mutual_error *err)
{
    struct ca_token_text token = {0};
    uint8_t hash[32];
    if (!is_url(wish->url)) {
        return mu_fail(err, MUTUAL_E_OPTION_VALUE, "\"%.200s\" is no https URL", wish->url) ||
               mu_error_hint(err, "Write where the authority is reached: https://HOST:PORT.");
    }
    (void)snprintf(token.url, sizeof token.url, "%s", wish->url);
    memcpy(token.root, mu_cert_facts(ca->root)->fingerprint, sizeof token.root);
    if (!mu_random(token.secret, sizeof token.secret, err) ||
        !mu_sha256(mu_slice_of(token.secret, sizeof token.secret), hash, err) ||
        !ca_lock(ca, wish->now_s, NULL, err)) {
        return false;
    }
    bool good = make(ca, wish, hash, ret_id, err) && ca_token_format(&token, out, err);
    ca_unlock(ca);
    ca_token_text_done(&token);
    return good;
}

/* ---- deciding and withdrawing ------------------------------------------------------------------
 */

/* One change of a token with its event; `detail` says what of. */
static bool change(struct ca *ca, int64_t id, const char *action, int64_t now_s,
                   struct mutual_error *err)
{
    struct store *store = inventory_store(ca->inventory);
    MU_AUTO(inventory_tokens) struct inventory_tokens tokens = {0};
    const struct inventory_token_filter filter = {.id = id};
    bool done = false;
    if (!inventory_tokens_get(ca->inventory, &filter, &tokens, err)) {
        return false;
    }
    if (tokens.count == 0) {
        return mu_fail(err, MUTUAL_E_NOT_FOUND, "there is no token number %lld", (long long)id) ||
               mu_error_hint(err, "Run: mutual list --tokens, or: mutual list --pending.");
    }
    if (!store_begin(store, err)) {
        return false;
    }
    bool good =
        (strcmp(action, "withdraw") == 0
             ? inventory_token_withdraw(ca->inventory, id, &done, err)
             : inventory_token_decide(ca->inventory, id, strcmp(action, "approve") == 0, now_s,
                                      &done, err)) &&
        inventory_event(ca->inventory, now_s, ca->who, action, 0, tokens.items[0].name, err);
    if (!good || !done) {
        store_rollback(store);
        return good && (mu_fail(err, MUTUAL_E_NOT_FOUND,
                                "token number %lld of \"%s\" has nothing left to %s", (long long)id,
                                tokens.items[0].name, action) ||
                        mu_error_hint(err, "It was used or decided on meanwhile."));
    }
    return store_commit(store, err);
}

static bool locked_change(struct ca *ca, int64_t id, const char *action, int64_t now_s,
                          struct mutual_error *err)
{
    if (!ca_lock(ca, now_s, NULL, err)) {
        return false;
    }
    bool good = change(ca, id, action, now_s, err);
    ca_unlock(ca);
    return good;
}

bool ca_token_withdraw(struct ca *ca, int64_t id, int64_t now_s, struct mutual_error *err)
{
    return locked_change(ca, id, "withdraw", now_s, err);
}

bool ca_token_decide(struct ca *ca, int64_t id, bool approve, int64_t now_s,
                     struct mutual_error *err)
{
    return locked_change(ca, id, approve ? "approve" : "deny", now_s, err);
}
