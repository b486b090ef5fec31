/* SPDX-License-Identifier: Apache-2.0
 *
 * Orders (RFC 8555 sections 7.4 and 7.4.2): made for names that the account may have, finalized by
 * a request for just these, answered with the certificate.
 */
#include "acme/acme_internal.h"

#include <string.h>

/* ---- what an order looks like -----------------------------------------------------------------
 */

static json_t *identifier_object(const struct acme_call *call, const struct acme_authz *authz)
{
    const char *text = acme_identifier_text(call->arena, &authz->name, authz->wildcard);
    json_t *object = json_object();
    (void)json_object_set_new(object, "type", json_string(mutual_name_type_word(authz->name.type)));
    (void)json_object_set_new(object, "value", json_string(text != NULL ? text : ""));
    return object;
}

static void set_time(json_t *object, const char *name, int64_t time_s)
{
    char text[MU_TIME_TEXT];
    (void)json_object_set_new(object, name, json_string(mu_time_format(time_s, text)));
}

static bool answer_order(struct acme_call *call, unsigned status, const struct acme_order *order,
                         struct mutual_error *err)
{
    long long id = (long long)order->id;
    json_t *object = json_object();
    json_t *identifiers = json_array();
    json_t *authzs = json_array();
    for (size_t i = 0; i < order->authz_count; i++) {
        (void)json_array_append_new(identifiers, identifier_object(call, &order->authzs[i]));
        (void)json_array_append_new(authzs, json_string(acme_url(call, "/acme/authz/%lld",
                                                                 (long long)order->authzs[i].id)));
    }
    (void)json_object_set_new(object, "status", json_string(acme_status_word(order->status)));
    (void)json_object_set_new(object, "identifiers", identifiers);
    (void)json_object_set_new(object, "authorizations", authzs);
    (void)json_object_set_new(object, "profile", json_string(order->profile));
    (void)json_object_set_new(object, "finalize",
                              json_string(acme_url(call, "/acme/finalize/%lld", id)));
    set_time(object, "expires", order->expires_s);
    if (order->status == ACME_VALID) {
        (void)json_object_set_new(object, "certificate",
                                  json_string(acme_url(call, "/acme/certificate/%lld", id)));
    }
    if (order->problem[0] != '\0') {
        (void)json_object_set_new(object, "error", json_loads(order->problem, 0, NULL));
    }
    if (order->status == ACME_PROCESSING) {
        api_field(call->response, "Retry-After", "1");
    }
    api_field(call->response, "Location", acme_url(call, "/acme/order/%lld", id));
    return acme_answer(call, status, object, err);
}

bool acme_order_handle(struct acme_call *call, struct mutual_error *err)
{
    struct acme_order order;
    int64_t id = 0;
    return acme_want_get(call, err) && acme_path_id(call, &id, err) &&
           acme_order_get(call, id, &order, err) && answer_order(call, 200, &order, err);
}

/* ---- new --------------------------------------------------------------------------------------
 */

struct wish {
    struct acme_identifier identifiers[MU_LIMIT_ACME_NAMES];
    size_t count;
    const struct ca_profile *profile;
    int64_t replaces_id;
};

static bool read_identifiers(struct acme_call *call, struct wish *wish, struct mutual_error *err)
{
    const json_t *list = json_object_get(call->payload, "identifiers");
    wish->count = json_array_size(list);
    if (wish->count == 0 || wish->count > MU_LIMIT_ACME_NAMES) {
        return mu_fail(err, MUTUAL_E_ACME_MALFORMED, "\"identifiers\" is an array of 1 to %u",
                       MU_LIMIT_ACME_NAMES);
    }
    for (size_t i = 0; i < wish->count; i++) {
        struct acme_identifier *one = &wish->identifiers[i];
        if (!acme_identifier_read(call, json_array_get(list, i), one, err)) {
            return false;
        }
        for (size_t j = 0; j < i; j++) {
            if (wish->identifiers[j].wildcard == one->wildcard &&
                wish->identifiers[j].name.type == one->name.type &&
                strcmp(wish->identifiers[j].name.text, one->name.text) == 0) {
                return mu_fail(err, MUTUAL_E_ACME_MALFORMED, "identifier \"%s\" is there twice",
                               one->name.text);
            }
        }
    }
    return true;
}

/* Only the account's own profile: a key is for one. */
static bool read_profile(struct acme_call *call, struct wish *wish, struct mutual_error *err)
{
    const json_t *named = json_object_get(call->payload, "profile");
    const char *own = NULL;
    const char *owner = NULL;
    if (!acme_binding_get(call, &own, &owner, err)) {
        return false;
    }
    if (named != NULL && (!json_is_string(named) || strcmp(json_string_value(named), own) != 0)) {
        return acme_fail(call, 400, "invalidProfile", err, MUTUAL_E_ACME_UNAUTHORIZED,
                         "the account's profile is \"%s\"", own);
    }
    return ca_profile_of(call->world->ca, own, &wish->profile, err);
}

static bool check_names(struct acme_call *call, const struct wish *wish, struct mutual_error *err)
{
    for (size_t i = 0; i < wish->count; i++) {
        const struct acme_identifier *one = &wish->identifiers[i];
        const char *text = acme_identifier_text(call->arena, &one->name, one->wildcard);
        if (text == NULL) {
            return mu_fail_memory(err);
        }
        const struct mutual_name whole = {one->name.type, text, strlen(text)};
        if ((wish->profile->name_types & (1u << whole.type)) == 0) {
            return mu_fail(err, MUTUAL_E_ACME_IDENTIFIER,
                           "profile \"%s\" does not certify %s names", wish->profile->name,
                           mutual_name_type_word(whole.type));
        }
        if (!acme_identifier_allowed(call, one, err) ||
            !ca_name_permitted(call->world->ca, &whole, err)) {
            return false;
        }
    }
    return true;
}

/* RFC 9773 section 5: one that this account had, and that no other order replaces. */
static bool read_replaces(struct acme_call *call, struct wish *wish, struct mutual_error *err)
{
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    const json_t *named = json_object_get(call->payload, "replaces");
    struct acme_order order = {0};
    bool row = false;
    if (named == NULL) {
        return true;
    }
    if (!json_is_string(named) ||
        !acme_certificate_by_ari(call->inventory, call->world->ca, json_string_value(named),
                                 &records, err)) {
        return false;
    }
    if (records.count == 1 && !acme_order_of_certificate(call, records.items[0].id, &order, err)) {
        return false;
    }
    if (order.id == 0) {
        return mu_fail(err, MUTUAL_E_ACME_MALFORMED,
                       "\"replaces\" names no certificate of this account");
    }
    wish->replaces_id = records.items[0].id;
    if (!store_prepare(call->store,
                       "SELECT id FROM acme_order WHERE replaces_id = $1 AND status <> 'invalid'"
                       " AND (status = 'valid' OR expires_s > $2)",
                       &read, err)) {
        return false;
    }
    store_bind_int(read, 1, wish->replaces_id);
    store_bind_int(read, 2, call->now_s);
    return store_step(read, &row, err) &&
           (!row || acme_fail(call, 409, "alreadyReplaced", err, MUTUAL_E_ACME_STATE,
                              "another order replaces that certificate"));
}

static bool check_count(struct acme_call *call, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    bool row = false;
    if (!store_prepare(call->store,
                       "SELECT count(*) FROM acme_order WHERE account_id = $1 AND status IN "
                       "('pending', 'ready') AND expires_s > $2",
                       &read, err)) {
        return false;
    }
    store_bind_int(read, 1, call->account.id);
    store_bind_int(read, 2, call->now_s);
    return store_step(read, &row, err) &&
           (store_int(read, 0) < ACME_PENDING_MAX ||
            acme_fail(call, 429, "rateLimited", err, MUTUAL_E_LIMIT,
                      "the account has %d orders that are not finalized", ACME_PENDING_MAX));
}

static bool insert_order(struct acme_call *call, const struct wish *wish, int64_t *ret_id,
                         struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *add = NULL;
    bool row = false;
    if (!store_prepare(call->store,
                       "INSERT INTO acme_order (account_id, status, profile, expires_s, made_s,"
                       " replaces_id) VALUES ($1, 'pending', $2, $3, $4, $5) RETURNING id",
                       &add, err)) {
        return false;
    }
    store_bind_int(add, 1, call->account.id);
    store_bind_text(add, 2, wish->profile->name);
    store_bind_int(add, 3, call->now_s + ACME_ORDER_LIFE_S);
    store_bind_int(add, 4, call->now_s);
    if (wish->replaces_id != 0) {
        store_bind_int(add, 5, wish->replaces_id);
    } else {
        store_bind_null(add, 5);
    }
    if (!store_step(add, &row, err)) {
        return false;
    }
    *ret_id = store_int(add, 0);
    return store_step(add, &row, err);
}

/* Wildcards by dns-01 alone (RFC 8555 section 7.1.3 leaves it to us); addresses by no DNS (RFC 8738
 * section 7). */
static bool is_offered(const struct acme_identifier *identifier, enum acme_method method)
{
    if (identifier->wildcard) {
        return method == ACME_DNS_01;
    }
    return identifier->name.type == MUTUAL_NAME_DNS || method != ACME_DNS_01;
}

static bool insert_challenges(struct acme_call *call, const struct acme_identifier *identifier,
                              int64_t authz_id, struct store_statement *add,
                              struct mutual_error *err)
{
    for (unsigned method = 0; method < ACME_METHOD_COUNT_; method++) {
        MU_AUTO(buf) struct mu_buf token = {0};
        uint8_t bytes[32];
        if (!is_offered(identifier, (enum acme_method)method)) {
            continue;
        }
        mu_buf_init(&token, 64);
        if (!mu_random(bytes, sizeof bytes, err)) {
            return false;
        }
        mu_base64url(&token, mu_slice_of(bytes, sizeof bytes));
        store_bind_int(add, 1, authz_id);
        store_bind_text(add, 2, acme_method_word((enum acme_method)method));
        store_bind_text(add, 3, mu_buf_str(&token));
        if (!store_run(add, err)) {
            return false;
        }
    }
    (void)call;
    return true;
}

static bool insert_authzs(struct acme_call *call, const struct wish *wish, int64_t order_id,
                          struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *add = NULL;
    MU_AUTO(store_statement) struct store_statement *challenge = NULL;
    if (!store_prepare(
            call->store,
            "INSERT INTO acme_authz (account_id, order_id, type, value, wildcard, status,"
            " expires_s) VALUES ($1, $2, $3, $4, $5, 'pending', $6) RETURNING id",
            &add, err) ||
        !store_prepare(call->store,
                       "INSERT INTO acme_challenge (authz_id, type, token, status)"
                       " VALUES ($1, $2, $3, 'pending')",
                       &challenge, err)) {
        return false;
    }
    for (size_t i = 0; i < wish->count; i++) {
        const struct acme_identifier *one = &wish->identifiers[i];
        bool row = false;
        store_bind_int(add, 1, call->account.id);
        store_bind_int(add, 2, order_id);
        store_bind_text(add, 3, mutual_name_type_word(one->name.type));
        store_bind_text(add, 4, one->name.text);
        store_bind_int(add, 5, one->wildcard);
        store_bind_int(add, 6, call->now_s + ACME_AUTHZ_LIFE_S);
        if (!store_step(add, &row, err)) {
            return false;
        }
        int64_t authz_id = store_int(add, 0);
        store_reset(add);
        if (!insert_challenges(call, one, authz_id, challenge, err)) {
            return false;
        }
    }
    return true;
}

bool acme_new_order(struct acme_call *call, struct mutual_error *err)
{
    struct wish *wish = mu_arena_alloc(call->arena, sizeof *wish);
    struct acme_order order;
    int64_t id = 0;
    if (wish == NULL) {
        return mu_fail_memory(err);
    }
    if (!acme_want_payload(call, err)) {
        return false;
    }
    if (json_object_get(call->payload, "notBefore") != NULL ||
        json_object_get(call->payload, "notAfter") != NULL) {
        return mu_fail(err, MUTUAL_E_ACME_MALFORMED,
                       "notBefore and notAfter are the profile's, not the client's");
    }
    if (!read_identifiers(call, wish, err) || !read_profile(call, wish, err) ||
        !check_names(call, wish, err) || !store_begin(call->store, err) ||
        !read_replaces(call, wish, err) || !check_count(call, err) ||
        !insert_order(call, wish, &id, err) || !insert_authzs(call, wish, id, err) ||
        !store_commit(call->store, err) || !acme_order_get(call, id, &order, err)) {
        return false;
    }
    acme_log(call, "order=%lld names=%zu", (long long)id, wish->count);
    return answer_order(call, 201, &order, err);
}

/* ---- finalize ---------------------------------------------------------------------------------
 */

static bool read_csr(struct acme_call *call, struct mu_csr **ret_csr, struct mutual_error *err)
{
    const char *text = acme_json_text(call->payload, "csr");
    MU_AUTO(buf) struct mu_buf der;
    struct mutual_error why = {0};
    mu_buf_init(&der, MU_LIMIT_API_BODY);
    if (text == NULL || !mu_base64url_parse(mu_slice_text(text), &der, &why)) {
        return acme_fail(call, 400, "badCSR", err, MUTUAL_E_ACME_MALFORMED,
                         "\"csr\" is no base64url of a certificate request");
    }
    if (!mu_csr_from_der(mu_buf_slice(&der), ret_csr, err)) {
        call->type = "badCSR";
        call->status = 400;
        return false;
    }
    return true;
}

/* In the transaction that takes the serial number: the order gives one certificate, whoever else is
 * finalizing it. */
static bool claim(void *context, struct ca *ca, int64_t id, struct mutual_error *err)
{
    struct acme_call *call = context;
    MU_AUTO(store_statement) struct store_statement *set = NULL;
    struct acme_order order;
    int64_t order_id = 0;
    (void)ca;
    if (!acme_path_id(call, &order_id, err) || !acme_order_get(call, order_id, &order, err)) {
        return false;
    }
    if (order.status != ACME_READY) {
        return mu_fail(err, MUTUAL_E_ACME_STATE, "the order is being finalized already");
    }
    if (!store_prepare(call->store,
                       "UPDATE acme_order SET status = 'processing', claimed_s = $2,"
                       " certificate_id = $3 WHERE id = $1",
                       &set, err)) {
        return false;
    }
    store_bind_int(set, 1, order_id);
    store_bind_int(set, 2, call->now_s);
    store_bind_int(set, 3, id);
    return store_run(set, err);
}

/* People's word for it: the first name, as far as that is a handle. */
static void put_handle(const struct acme_order *order, char *out, size_t size)
{
    const char *text = order->authzs[0].name.text;
    if (order->authzs[0].wildcard) {
        (void)snprintf(out, size, "wildcard.%s", text);
    } else {
        (void)snprintf(out, size, "%s", text);
    }
    if (strlen(text) + 10 > 64 || strchr(text, ':') != NULL) {
        (void)snprintf(out, size, "acme-order-%lld", (long long)order->id);
    }
}

static bool issue(struct acme_call *call, const struct acme_order *order, const struct mu_csr *csr,
                  const struct inventory_record *replaces, struct mutual_error *err)
{
    MU_AUTO(ca_issued) struct ca_issued issued = {0};
    struct mutual_name *names = mu_arena_alloc(call->arena, order->authz_count * sizeof *names);
    const char *profile = NULL;
    const char *owner = NULL;
    char handle[65];
    bool done = false;
    if (names == NULL) {
        return mu_fail_memory(err);
    }
    for (size_t i = 0; i < order->authz_count; i++) {
        const struct acme_authz *authz = &order->authzs[i];
        const char *text = acme_identifier_text(call->arena, &authz->name, authz->wildcard);
        if (text == NULL) {
            return mu_fail_memory(err);
        }
        names[i] = (struct mutual_name){authz->name.type, text, strlen(text)};
    }
    put_handle(order, handle, sizeof handle);
    struct ca_request request = {
        .name = handle,
        .names = names,
        .name_count = order->authz_count,
        .exact = true,
        .csr = csr,
        .place = "acme",
        .print_only = true,
        .asked_again = true,
        .replaces = replaces,
        .also = claim,
        .also_context = call,
        .now_s = call->now_s,
    };
    if (!acme_binding_get(call, &profile, &owner, err) ||
        !ca_profile_of(call->world->ca, order->profile, &request.profile, err)) {
        return false;
    }
    request.owner = owner;
    return ca_speak_for(call->world->ca, call->request->who, err) &&
           ca_issue(call->world->ca, &request, call->world->signer, &issued, err) &&
           acme_status_move(call->store, "acme_order", order->id, ACME_PROCESSING, ACME_VALID,
                            &done, err);
}

/* The certificate that this one takes the place of in the inventory. */
static bool issue_replacing(struct acme_call *call, const struct acme_order *order,
                            const struct mu_csr *csr, struct mutual_error *err)
{
    MU_AUTO(inventory_records) struct inventory_records old = {0};
    const struct inventory_filter filter = {.id = order->replaces_id};
    if (order->replaces_id == 0) {
        return issue(call, order, csr, NULL, err);
    }
    return inventory_records_get(call->inventory, &filter, 1, &old, err) &&
           issue(call, order, csr, old.count == 1 ? &old.items[0] : NULL, err);
}

static bool finalize(struct acme_call *call, struct mutual_error *err)
{
    MU_AUTO(csr) struct mu_csr *csr = NULL;
    struct acme_order order;
    int64_t id = 0;
    if (!acme_want_payload(call, err) || !acme_path_id(call, &id, err) ||
        !acme_order_get(call, id, &order, err)) {
        return false;
    }
    if (order.status != ACME_READY) {
        return mu_fail(err, MUTUAL_E_ACME_STATE, "the order is %s, not ready",
                       acme_status_word(order.status));
    }
    for (size_t i = 0; i < order.authz_count; i++) {
        if (order.authzs[i].status != ACME_VALID) {
            return mu_fail(err, MUTUAL_E_ACME_STATE, "the authorization of \"%s\" is %s",
                           order.authzs[i].name.text, acme_status_word(order.authzs[i].status));
        }
    }
    if (order.authz_count == 0 || !read_csr(call, &csr, err) ||
        !acme_csr_check(call, csr, &order, err) || !issue_replacing(call, &order, csr, err) ||
        !acme_order_get(call, id, &order, err)) {
        return false;
    }
    acme_log(call, "order=%lld issued", (long long)id);
    return answer_order(call, 200, &order, err);
}

bool acme_finalize(struct acme_call *call, struct mutual_error *err)
{
    bool good = finalize(call, err);
    unsigned status = good ? 200 : call->status != 0 ? call->status : api_status_of(err);
    api_count(call->world, API_ENROLLED, "acme", "account", api_result_of(status));
    return good;
}

/* ---- the certificate --------------------------------------------------------------------------
 */

bool acme_certificate(struct acme_call *call, struct mutual_error *err)
{
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    struct acme_order order;
    int64_t id = 0;
    if (!acme_want_get(call, err) || !acme_path_id(call, &id, err) ||
        !acme_order_get(call, id, &order, err)) {
        return false;
    }
    if (order.status != ACME_VALID) {
        return mu_fail(err, MUTUAL_E_NOT_FOUND, "the order has no certificate");
    }
    const struct inventory_filter filter = {.id = order.certificate_id};
    if (!inventory_records_get(call->inventory, &filter, 1, &records, err)) {
        return false;
    }
    if (records.count != 1) {
        return mu_fail(err, MUTUAL_E_STORE_CORRUPT, "the certificate of an order is gone");
    }
    if (!mu_cert_from_der(records.items[0].der, &cert, err)) {
        return false;
    }
    call->response->content_type = "application/pem-certificate-chain";
    ca_chain_pem(call->world->ca, cert, &call->response->body);
    return true;
}
