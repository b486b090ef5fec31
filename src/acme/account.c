/* SPDX-License-Identifier: Apache-2.0
 *
 * Accounts (RFC 8555 section 7.3): registered, bound to a key, found again, changed, given another
 * key, deactivated.
 */
#include "acme/acme_internal.h"

#include <string.h>

enum { CONTACT_BYTES = 4096, ORDERS_PAGE = 100 };

/* ---- contacts ---------------------------------------------------------------------------------
 */

/* One mailbox, no header fields (section 7.3). */
static bool check_contact(struct acme_call *call, const json_t *value, struct mutual_error *err)
{
    const char *text = json_string_value(value);
    char storage[MU_LIMIT_NAME_BYTES + 1];
    struct mutual_name name;
    struct mutual_error why = {0};
    if (text == NULL || strlen(text) > 320) {
        return acme_fail(call, 400, "invalidContact", err, MUTUAL_E_ACME_MALFORMED,
                         "a contact is a short text");
    }
    if (strncasecmp(text, "mailto:", 7) != 0) {
        return acme_fail(call, 400, "unsupportedContact", err, MUTUAL_E_ACME_MALFORMED,
                         "contacts are \"mailto:\" URLs");
    }
    return mutual_name_parse(MUTUAL_NAME_EMAIL, text + 7, strlen(text + 7), storage, sizeof storage,
                             &name, &why) ||
           acme_fail(call, 400, "invalidContact", err, MUTUAL_E_ACME_MALFORMED,
                     "a contact is one mailbox: %s", why.reason);
}

/* *ret_text: the JSON array to keep, in the arena. */
static bool read_contacts(struct acme_call *call, const char **ret_text, struct mutual_error *err)
{
    const json_t *list = json_object_get(call->payload, "contact");
    size_t count = json_array_size(list);
    if (list == NULL) {
        *ret_text = "[]";
        return true;
    }
    if (!json_is_array(list) || count > ACME_CONTACTS_MAX) {
        return acme_fail(call, 400, "invalidContact", err, MUTUAL_E_ACME_MALFORMED,
                         "\"contact\" is an array of at most %d", ACME_CONTACTS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        if (!check_contact(call, json_array_get(list, i), err)) {
            return false;
        }
    }
    size_t len = json_dumpb(list, NULL, 0, JSON_COMPACT);
    char *text = mu_arena_alloc(call->arena, len + 1);
    if (text == NULL || json_dumpb(list, text, len, JSON_COMPACT) != len) {
        return mu_fail_memory(err);
    }
    *ret_text = text;
    return true;
}

/* ---- what an account looks like ---------------------------------------------------------------
 */

static bool answer_account(struct acme_call *call, unsigned status, struct mutual_error *err)
{
    const struct acme_account *account = &call->account;
    json_t *object = json_object();
    long long id = (long long)account->id;
    (void)json_object_set_new(object, "status", json_string(acme_status_word(account->status)));
    (void)json_object_set_new(object, "contact", json_loads(account->contact, 0, NULL));
    (void)json_object_set_new(object, "orders",
                              json_string(acme_url(call, "/acme/orders/%lld", id)));
    if (call->settings->terms != NULL) {
        (void)json_object_set_new(object, "termsOfServiceAgreed", json_true());
    }
    api_field(call->response, "Location", acme_url(call, "/acme/account/%lld", id));
    return acme_answer(call, status, object, err);
}

static bool note(struct acme_call *call, const char *action, const char *detail,
                 struct mutual_error *err)
{
    char text[160];
    (void)snprintf(text, sizeof text, "account %lld: %.100s", (long long)call->account.id, detail);
    return inventory_event(call->inventory, call->now_s, call->request->who, action, 0, text, err);
}

/* ---- new --------------------------------------------------------------------------------------
 */

static bool count_unbound(struct acme_call *call, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    bool row = false;
    if (!store_prepare(call->store, "SELECT count(*) FROM acme_account WHERE binding_id IS NULL",
                       &read, err) ||
        !store_step(read, &row, err)) {
        return false;
    }
    return store_int(read, 0) < ACME_ACCOUNTS_MAX ||
           acme_fail(call, 429, "rateLimited", err, MUTUAL_E_LIMIT, "there are too many accounts");
}

/* *ret_id 0: somebody registered the key in this very moment. */
static bool insert(struct acme_call *call, const char *contact, int64_t binding_id, int64_t *ret_id,
                   struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *add = NULL;
    bool row = false;
    if (!store_prepare(call->store,
                       "INSERT INTO acme_account"
                       " (thumbprint, key, status, contact, binding_id, made_s)"
                       " VALUES ($1, $2, 'valid', $3, $4, $5) ON CONFLICT DO NOTHING RETURNING id",
                       &add, err)) {
        return false;
    }
    store_bind_bytes(add, 1, mu_slice_of(call->jws.thumbprint, 32));
    store_bind_bytes(add, 2, mu_key_spki(call->jws.key));
    store_bind_text(add, 3, contact);
    if (binding_id != 0) {
        store_bind_int(add, 4, binding_id);
    } else {
        store_bind_null(add, 4);
    }
    store_bind_int(add, 5, call->now_s);
    if (!store_step(add, &row, err)) {
        return false;
    }
    *ret_id = row ? store_int(add, 0) : 0;
    return !row || store_step(add, &row, err);
}

static bool insert_bound(struct acme_call *call, const char *contact, int64_t binding_id,
                         struct mutual_error *err)
{
    int64_t id = 0;
    if (!store_begin(call->store, err) || (binding_id == 0 && !count_unbound(call, err)) ||
        !insert(call, contact, binding_id, &id, err)) {
        return false; /* the frame rolls back */
    }
    if (id != 0) {
        call->account.id = id;
        if ((binding_id != 0 && !acme_binding_take(call, binding_id, id, err)) ||
            !note(call, "acme_account", binding_id != 0 ? "registered, bound" : "registered",
                  err)) {
            return false;
        }
    }
    return store_commit(call->store, err) &&
           acme_account_by_thumbprint(call->store, call->arena, call->jws.thumbprint,
                                      &call->account, err);
}

static bool check_terms(struct acme_call *call, struct mutual_error *err)
{
    return call->settings->terms == NULL ||
           json_is_true(json_object_get(call->payload, "termsOfServiceAgreed")) ||
           mu_fail(err, MUTUAL_E_ACME_MALFORMED, "the terms of service are to be agreed to: %s",
                   call->settings->terms);
}

static bool register_new(struct acme_call *call, struct mutual_error *err)
{
    const json_t *binding = json_object_get(call->payload, "externalAccountBinding");
    const char *contact = NULL;
    int64_t binding_id = 0;
    if (json_is_true(json_object_get(call->payload, "onlyReturnExisting"))) {
        return mu_fail(err, MUTUAL_E_ACME_ACCOUNT, "no account has this key");
    }
    if (!check_terms(call, err) || !read_contacts(call, &contact, err)) {
        return false;
    }
    if (binding == NULL && !call->settings->open) {
        return mu_fail(err, MUTUAL_E_ACME_BINDING,
                       "a new account needs an external account binding");
    }
    if (binding != NULL && !acme_binding_check(call, binding, &binding_id, err)) {
        return false;
    }
    if (!insert_bound(call, contact, binding_id, err)) {
        return false;
    }
    acme_log(call, "registered");
    return answer_account(call, 201, err);
}

bool acme_new_account(struct acme_call *call, struct mutual_error *err)
{
    if (!acme_want_payload(call, err) ||
        !acme_account_by_thumbprint(call->store, call->arena, call->jws.thumbprint, &call->account,
                                    err)) {
        return false;
    }
    if (call->account.id == 0) {
        return register_new(call, err);
    }
    if (call->account.status != ACME_VALID) {
        return acme_fail(call, 401, "unauthorized", err, MUTUAL_E_ACME_ACCOUNT,
                         "the account of this key was deactivated");
    }
    return answer_account(call, 200, err);
}

/* ---- changed ----------------------------------------------------------------------------------
 */

/* "…/ID" must be the caller's own. */
static bool check_own(struct acme_call *call, struct mutual_error *err)
{
    int64_t id = 0;
    return acme_path_id(call, &id, err) &&
           (id == call->account.id ||
            mu_fail(err, MUTUAL_E_ACME_UNAUTHORIZED, "the signature is another account's"));
}

bool acme_account_end(struct store *store, int64_t id, bool *ret_done, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *orders = NULL;
    if (!acme_status_move(store, "acme_account", id, ACME_VALID, ACME_DEACTIVATED, ret_done, err) ||
        !store_prepare(store,
                       "UPDATE acme_order SET status = 'invalid'"
                       " WHERE account_id = $1 AND status IN ('pending', 'ready')",
                       &orders, err)) {
        return false;
    }
    store_bind_int(orders, 1, id);
    return store_run(orders, err);
}

static bool deactivate(struct acme_call *call, struct mutual_error *err)
{
    bool done = false;
    if (!store_begin(call->store, err) ||
        !acme_account_end(call->store, call->account.id, &done, err) ||
        !note(call, "acme_account", "deactivated", err) || !store_commit(call->store, err)) {
        return false;
    }
    call->account.status = ACME_DEACTIVATED;
    acme_log(call, "deactivated");
    return true;
}

static bool set_contact(struct acme_call *call, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *set = NULL;
    const char *contact = NULL;
    if (!read_contacts(call, &contact, err) ||
        !store_prepare(call->store, "UPDATE acme_account SET contact = $2 WHERE id = $1", &set,
                       err)) {
        return false;
    }
    store_bind_int(set, 1, call->account.id);
    store_bind_text(set, 2, contact);
    if (!store_begin(call->store, err) || !store_run(set, err) || !store_commit(call->store, err)) {
        return false;
    }
    call->account.contact = contact;
    return true;
}

bool acme_account_handle(struct acme_call *call, struct mutual_error *err)
{
    if (!check_own(call, err)) {
        return false;
    }
    const json_t *status = json_object_get(call->payload, "status");
    if (status != NULL) {
        const char *word = json_string_value(status);
        if (word == NULL || strcmp(word, "deactivated") != 0) {
            return mu_fail(err, MUTUAL_E_ACME_MALFORMED,
                           "an account's status can only be set to \"deactivated\"");
        }
        if (!deactivate(call, err)) {
            return false;
        }
    } else if (json_object_get(call->payload, "contact") != NULL && !set_contact(call, err)) {
        return false;
    }
    return answer_account(call, 200, err);
}

/* Section 7.1.2.1: a page, and where the next one is. */
bool acme_account_orders(struct acme_call *call, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    MU_AUTO(buf) struct mu_buf after;
    MU_AUTO(api_json) json_t *object = json_object();
    uint64_t begin = 0;
    mu_buf_init(&after, 32);
    if (!check_own(call, err) || !acme_want_get(call, err)) {
        return false;
    }
    if (call->request->head->has_query && (!api_query(call->request->head, "after", &after) ||
                                           !mu_text_uint(mu_buf_str(&after), INT64_MAX, &begin))) {
        return mu_fail(err, MUTUAL_E_NOT_FOUND, "there is no such page");
    }
    if (!store_prepare(call->store,
                       "SELECT id FROM acme_order WHERE account_id = $1 AND id > $2 AND status <> "
                       "'invalid' ORDER BY id LIMIT $3",
                       &read, err)) {
        return false;
    }
    store_bind_int(read, 1, call->account.id);
    store_bind_int(read, 2, (int64_t)begin);
    store_bind_int(read, 3, ORDERS_PAGE);
    json_t *list = json_array();
    (void)json_object_set_new(object, "orders", list);
    long long last = 0;
    for (bool row = true;;) {
        if (!store_step(read, &row, err)) {
            return false;
        }
        if (!row) {
            break;
        }
        last = (long long)store_int(read, 0);
        (void)json_array_append_new(list, json_string(acme_url(call, "/acme/order/%lld", last)));
    }
    if (json_array_size(list) == ORDERS_PAGE) {
        char link[512];
        (void)snprintf(
            link, sizeof link, "<%.400s>;rel=\"next\"",
            acme_url(call, "/acme/orders/%lld?after=%lld", (long long)call->account.id, last));
        api_field(call->response, "Link", link);
    }
    return acme_answer(call, 200, json_incref(object), err);
}

/* ---- another key (section 7.3.5) --------------------------------------------------------------
 */

static bool check_inner(struct acme_call *call, const struct acme_jws *inner,
                        struct mutual_error *err)
{
    MU_AUTO(api_json) json_t *payload = NULL;
    uint8_t old[32];
    if (!acme_jws_verify(inner, inner->key, err) ||
        !acme_json_object(mu_buf_slice(&inner->payload), "the inner payload", &payload, err)) {
        return false;
    }
    const char *account = acme_json_text(payload, "account");
    if (strcmp(inner->url, call->jws.url) != 0) {
        return mu_fail(err, MUTUAL_E_ACME_MALFORMED, "the inner url is not the outer one");
    }
    if (account == NULL || strcmp(account, call->jws.kid) != 0) {
        return mu_fail(err, MUTUAL_E_ACME_MALFORMED, "the inner payload is for another account");
    }
    return acme_jwk_thumbprint(json_object_get(payload, "oldKey"), old, err) &&
           (mu_slice_equal(mu_slice_of(old, sizeof old), call->account.thumbprint) ||
            mu_fail(err, MUTUAL_E_ACME_MALFORMED, "\"oldKey\" is not the account's key"));
}

static bool replace_key(struct acme_call *call, const struct acme_jws *inner,
                        struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *set = NULL;
    struct acme_account holder;
    if (!store_begin(call->store, err) ||
        !acme_account_by_thumbprint(call->store, call->arena, inner->thumbprint, &holder, err)) {
        return false;
    }
    if (holder.id != 0) {
        api_field(call->response, "Location",
                  acme_url(call, "/acme/account/%lld", (long long)holder.id));
        return acme_fail(call, 409, "malformed", err, MUTUAL_E_ACME_STATE,
                         "an account has the new key already");
    }
    if (!store_prepare(call->store,
                       "UPDATE acme_account SET thumbprint = $2, key = $3"
                       " WHERE id = $1 AND thumbprint = $4 AND status = 'valid'",
                       &set, err)) {
        return false;
    }
    store_bind_int(set, 1, call->account.id);
    store_bind_bytes(set, 2, mu_slice_of(inner->thumbprint, 32));
    store_bind_bytes(set, 3, mu_key_spki(inner->key));
    store_bind_bytes(set, 4, call->account.thumbprint);
    if (!store_run(set, err)) {
        return false;
    }
    if (store_changes(call->store) != 1) {
        return acme_fail(call, 409, "malformed", err, MUTUAL_E_ACME_STATE,
                         "the account was changed meanwhile");
    }
    return note(call, "acme_account", "another key", err) && store_commit(call->store, err);
}

bool acme_key_change(struct acme_call *call, struct mutual_error *err)
{
    MU_AUTO(acme_jws) struct acme_jws inner = {0};
    if (!acme_jws_parse(ACME_JWS_INNER, mu_buf_slice(&call->jws.payload), &inner, err) ||
        !check_inner(call, &inner, err) || !replace_key(call, &inner, err)) {
        return false;
    }
    acme_log(call, "has another key");
    return answer_account(call, 200, err);
}
