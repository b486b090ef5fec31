/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys that the authority gives out, by which a new account is bound to names and a profile
 * (RFC 8555 section 7.3.4). Each binds one account; then its secret is wiped.
 */
#include "acme/acme_internal.h"

#include <string.h>

enum { KID = 12, SECRET = 32 };

/* ---- making -----------------------------------------------------------------------------------
 */

/* A leading "*." is one label (a wildcard certificate for the same names too); addresses may be
 * networks. */
static bool check_name(const char *text, enum mutual_name_type *ret_type, const char **ret_text,
                       struct mutual_pattern **ret_pattern, struct mutual_error *err)
{
    bool address = strchr(text, ':') != NULL || text[strspn(text, "0123456789./")] == '\0';
    *ret_type = address ? MUTUAL_NAME_IP : MUTUAL_NAME_DNS;
    if (!mutual_pattern_parse(*ret_type, text, ret_pattern, err)) {
        return mu_error_context(err, "name \"%.80s\"", text);
    }
    *ret_text = mutual_pattern_text(*ret_pattern);
    return true;
}

static bool insert_names(struct store *store, int64_t id, const struct acme_key_request *request,
                         struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *add = NULL;
    if (!store_prepare(store,
                       "INSERT INTO acme_binding_name (binding_id, position, type, value)"
                       " VALUES ($1, $2, $3, $4)",
                       &add, err)) {
        return false;
    }
    for (size_t i = 0; i < request->name_count; i++) {
        struct mutual_pattern *pattern = NULL;
        enum mutual_name_type type;
        const char *text = NULL;
        if (!check_name(request->names[i], &type, &text, &pattern, err)) {
            return false;
        }
        store_bind_int(add, 1, id);
        store_bind_int(add, 2, (int64_t)i);
        store_bind_text(add, 3, mutual_name_type_word(type));
        store_bind_text(add, 4, text);
        bool good = store_run(add, err);
        mutual_pattern_free(pattern);
        if (!good) {
            return false;
        }
    }
    return true;
}

static bool insert_key(struct store *store, const struct acme_key_request *request, const char *kid,
                       const uint8_t secret[SECRET], int64_t *ret_id, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *add = NULL;
    bool row = false;
    if (!store_prepare(
            store,
            "INSERT INTO acme_binding (kid, secret, name, owner, profile, made_s, ends_s)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
            &add, err)) {
        return false;
    }
    store_bind_text(add, 1, kid);
    store_bind_bytes(add, 2, mu_slice_of(secret, SECRET));
    store_bind_text(add, 3, request->name);
    store_bind_text(add, 4, request->owner);
    store_bind_text(add, 5, request->profile);
    store_bind_int(add, 6, request->now_s);
    store_bind_int(add, 7, request->now_s + request->life_s);
    if (!store_step(add, &row, err)) {
        return false;
    }
    *ret_id = store_int(add, 0);
    return store_step(add, &row, err);
}

static bool check_request(const struct ca *ca, const struct acme_key_request *request,
                          struct mutual_error *err)
{
    const struct ca_profile *profile = NULL;
    if (!ca_profile_of(ca, request->profile, &profile, err)) {
        return false;
    }
    if ((profile->name_types & (1u << MUTUAL_NAME_DNS | 1u << MUTUAL_NAME_IP)) == 0) {
        return mu_fail(err, MUTUAL_E_PROFILE_DENIED,
                       "profile \"%s\" certifies neither DNS names nor addresses, and ACME proves "
                       "no others",
                       profile->name);
    }
    if (request->name_count == 0 || request->name_count > ACME_KEY_NAMES_MAX) {
        return mu_fail(err, MUTUAL_E_OPTION_VALUE, "a key is for 1 to %d names, not %zu",
                       ACME_KEY_NAMES_MAX, request->name_count) ||
               mu_error_hint(err, "Name what its holder may have: --names db.example.org.");
    }
    return true;
}

static void make_texts(const uint8_t kid[KID], const uint8_t secret[SECRET],
                       char ret_kid[ACME_KID_TEXT], char ret_secret[ACME_SECRET_TEXT])
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 128);
    mu_base64url(&text, mu_slice_of(kid, KID));
    (void)snprintf(ret_kid, ACME_KID_TEXT, "%s", mu_buf_str(&text));
    mu_buf_clear(&text);
    mu_base64url(&text, mu_slice_of(secret, SECRET));
    (void)snprintf(ret_secret, ACME_SECRET_TEXT, "%s", mu_buf_str(&text));
    mu_wipe(text.data, text.len);
}

bool acme_key_new(struct ca *ca, const struct acme_key_request *request,
                  char ret_kid[ACME_KID_TEXT], char ret_secret[ACME_SECRET_TEXT],
                  struct mutual_error *err)
{
    struct store *store = inventory_store(ca_inventory(ca));
    uint8_t kid[KID];
    uint8_t secret[SECRET];
    char kid_text[ACME_KID_TEXT];
    char detail[128];
    int64_t id = 0;
    if (!check_request(ca, request, err) || !mu_random(kid, KID, err) ||
        !mu_random(secret, SECRET, err)) {
        return false;
    }
    kid[0] &= 0x7f; /* so that it begins with no "-", which command lines take for an option */
    make_texts(kid, secret, kid_text, ret_secret);
    (void)snprintf(detail, sizeof detail, "%.64s: key %s", request->name, kid_text);
    if (!store_begin(store, err)) {
        return false;
    }
    if (!insert_key(store, request, kid_text, secret, &id, err) ||
        !insert_names(store, id, request, err) ||
        !inventory_event(ca_inventory(ca), request->now_s, request->who, "acme_key", 0, detail,
                         err)) {
        store_rollback(store);
        return false;
    }
    mu_wipe(secret, sizeof secret);
    (void)snprintf(ret_kid, ACME_KID_TEXT, "%s", kid_text);
    return store_commit(store, err);
}

/* ---- binding ----------------------------------------------------------------------------------
 */

static bool refuse(struct acme_call *call, struct mutual_error *err, const char *why)
{
    return acme_fail(call, 403, "unauthorized", err, MUTUAL_E_ACME_BINDING,
                     "the external account binding is refused: %s", why);
}

/* The binding is a signed text of its own inside of ours: its payload is the account's key, its URL
 * this very one. */
static bool check_inner(struct acme_call *call, const struct acme_jws *inner,
                        struct mutual_error *err)
{
    MU_AUTO(api_json) json_t *key = NULL;
    uint8_t thumbprint[32];
    if (strcmp(inner->url, call->jws.url) != 0) {
        return refuse(call, err, "its url is not that of the request");
    }
    if (!acme_json_object(mu_buf_slice(&inner->payload), "the binding's payload", &key, err) ||
        !acme_jwk_thumbprint(key, thumbprint, err)) {
        return false;
    }
    return memcmp(thumbprint, call->jws.thumbprint, sizeof thumbprint) == 0 ||
           refuse(call, err, "it is for another key than the request's");
}

static bool check_mac(struct acme_call *call, const struct acme_jws *inner, int64_t *ret_id,
                      struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    struct mutual_error why = {0};
    bool row = false;
    if (!store_prepare(call->store,
                       "SELECT id, secret, account_id, ends_s FROM acme_binding WHERE kid = $1",
                       &read, err)) {
        return false;
    }
    store_bind_text(read, 1, inner->kid);
    if (!store_step(read, &row, err)) {
        return false;
    }
    if (!row) {
        return refuse(call, err, "no key of that kid was given out");
    }
    if (!store_is_null(read, 2)) {
        return refuse(call, err, "its key has bound another account already");
    }
    if (call->now_s >= store_int(read, 3)) {
        return refuse(call, err, "its key has ended");
    }
    if (!acme_jws_verify_binding(inner, store_bytes(read, 1), &why)) {
        return refuse(call, err, "it is not signed by the key of its kid");
    }
    *ret_id = store_int(read, 0);
    return true;
}

bool acme_binding_check(struct acme_call *call, const json_t *binding, int64_t *ret_id,
                        struct mutual_error *err)
{
    MU_AUTO(acme_jws) struct acme_jws inner = {0};
    size_t len = json_dumpb(binding, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
    char *text = mu_arena_alloc(call->arena, len + 1);
    if (text == NULL || json_dumpb(binding, text, len, JSON_COMPACT | JSON_ENCODE_ANY) != len) {
        return mu_fail_memory(err);
    }
    return acme_jws_parse(ACME_JWS_BINDING, mu_slice_of(text, len), &inner, err) &&
           check_inner(call, &inner, err) && check_mac(call, &inner, ret_id, err);
}

bool acme_binding_take(struct acme_call *call, int64_t id, int64_t account_id,
                       struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *set = NULL;
    static const uint8_t nothing[1];
    if (!store_prepare(call->store,
                       "UPDATE acme_binding SET account_id = $2, secret = $3"
                       " WHERE id = $1 AND account_id IS NULL",
                       &set, err)) {
        return false;
    }
    store_bind_int(set, 1, id);
    store_bind_int(set, 2, account_id);
    store_bind_bytes(set, 3, mu_slice_of(nothing, 0));
    return store_run(set, err) && (store_changes(call->store) == 1 ||
                                   refuse(call, err, "its key has bound another account already"));
}

bool acme_binding_get(struct acme_call *call, const char **ret_profile, const char **ret_owner,
                      struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    bool row = false;
    if (call->account.binding_id == 0) {
        *ret_profile = call->settings->profile != NULL ? call->settings->profile : "server";
        *ret_owner = "acme";
        return true;
    }
    if (!store_prepare(call->store, "SELECT profile, owner FROM acme_binding WHERE id = $1", &read,
                       err)) {
        return false;
    }
    store_bind_int(read, 1, call->account.binding_id);
    if (!store_step(read, &row, err)) {
        return false;
    }
    if (!row) {
        return mu_fail(err, MUTUAL_E_STORE_CORRUPT, "the key of an account is gone");
    }
    *ret_profile = acme_keep(call->arena, mu_slice_text(store_text(read, 0)));
    *ret_owner = acme_keep(call->arena, mu_slice_text(store_text(read, 1)));
    return (*ret_profile != NULL && *ret_owner != NULL) || mu_fail_memory(err);
}

/* A wildcard is given to whom the same pattern was given, for it is worth as much; never to whom
 * one name below was. */
static bool covers(const struct mutual_pattern *pattern, struct mu_arena *arena,
                   const struct acme_identifier *identifier)
{
    if (!identifier->wildcard) {
        return mutual_pattern_matches(pattern, &identifier->name);
    }
    const char *text = acme_identifier_text(arena, &identifier->name, true);
    return text != NULL && strcmp(mutual_pattern_text(pattern), text) == 0;
}

bool acme_binding_allows(struct acme_call *call, const struct acme_identifier *identifier,
                         bool *ret_allowed, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    bool allowed = false;
    if (!store_prepare(call->store,
                       "SELECT value FROM acme_binding_name WHERE binding_id = $1 AND type = $2"
                       " ORDER BY position",
                       &read, err)) {
        return false;
    }
    store_bind_int(read, 1, call->account.binding_id);
    store_bind_text(read, 2, mutual_name_type_word(identifier->name.type));
    for (bool row = true; row && !allowed;) {
        struct mutual_pattern *pattern = NULL;
        if (!store_step(read, &row, err)) {
            return false;
        }
        if (row &&
            !mutual_pattern_parse(identifier->name.type, store_text(read, 0), &pattern, err)) {
            return false;
        }
        allowed = row && covers(pattern, call->arena, identifier);
        mutual_pattern_free(pattern);
    }
    *ret_allowed = allowed;
    return true;
}
