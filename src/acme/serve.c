/* SPDX-License-Identifier: Apache-2.0
 *
 * The frame around every request, and the table of routes. Whoever gets past acme_run has shown an
 * accepted signature over this very URL with a nonce that counts once.
 */
#include "acme/acme_internal.h"

#include <stdarg.h>
#include <string.h>

#define URN "urn:ietf:params:acme:error:"

/* ---- problems ---------------------------------------------------------------------------------
 */

static const struct {
    enum mutual_code code;
    unsigned status;
    const char *type;
} problems[] = {
    {MUTUAL_E_JWS_MALFORMED, 400, "malformed"},
    {MUTUAL_E_JWS_ALGORITHM, 400, "badSignatureAlgorithm"},
    {MUTUAL_E_JWS_KEY, 400, "badPublicKey"},
    {MUTUAL_E_JWS_SIGNATURE, 400, "malformed"},
    {MUTUAL_E_ACME_NONCE, 400, "badNonce"},
    {MUTUAL_E_ACME_ACCOUNT, 400, "accountDoesNotExist"},
    {MUTUAL_E_ACME_BINDING, 403, "externalAccountRequired"},
    {MUTUAL_E_ACME_UNAUTHORIZED, 403, "unauthorized"},
    {MUTUAL_E_ACME_MALFORMED, 400, "malformed"},
    {MUTUAL_E_ACME_IDENTIFIER, 403, "rejectedIdentifier"},
    {MUTUAL_E_ISSUER_CONSTRAINT, 403, "rejectedIdentifier"},
    {MUTUAL_E_PROFILE_DENIED, 403, "rejectedIdentifier"},
    {MUTUAL_E_ACME_STATE, 403, "orderNotReady"},
    {MUTUAL_E_ACME_VALIDATION, 403, "incorrectResponse"},
    {MUTUAL_E_RESOLVE_FAILED, 400, "dns"},
    {MUTUAL_E_CONNECT_FAILED, 400, "connection"},
    {MUTUAL_E_CONNECT_TIMEOUT, 400, "connection"},
    {MUTUAL_E_FETCH_FORBIDDEN, 400, "connection"},
    {MUTUAL_E_HTTP_STATUS, 403, "incorrectResponse"},
    {MUTUAL_E_HTTP_MALFORMED, 403, "incorrectResponse"},
    {MUTUAL_E_HTTP_UNSUPPORTED, 403, "incorrectResponse"},
    {MUTUAL_E_HTTP_LIMIT, 403, "incorrectResponse"},
    {MUTUAL_E_HTTP_TRUNCATED, 403, "incorrectResponse"},
    {MUTUAL_E_HTTP_TIMEOUT, 400, "connection"},
    {MUTUAL_E_CSR_MALFORMED, 400, "badCSR"},
    {MUTUAL_E_CSR_SIGNATURE, 400, "badCSR"},
    {MUTUAL_E_WEAK_KEY, 400, "badCSR"},
    {MUTUAL_E_KEY_UNSUPPORTED, 400, "badCSR"},
    {MUTUAL_E_WEAK_SIGNATURE, 400, "badCSR"},
    {MUTUAL_E_CERT_MALFORMED, 400, "malformed"},
    {MUTUAL_E_NAME_MALFORMED, 400, "malformed"},
    {MUTUAL_E_ENCODING_MALFORMED, 400, "malformed"},
    {MUTUAL_E_ALREADY_REVOKED, 400, "alreadyRevoked"},
    {MUTUAL_E_NOT_FOUND, 404, "malformed"},
};

const char *acme_problem_type(enum mutual_code code, unsigned *ret_status)
{
    for (size_t i = 0; i < MU_COUNT(problems); i++) {
        if (problems[i].code == code) {
            *ret_status = problems[i].status;
            return problems[i].type;
        }
    }
    /* A matter of this house: 503 where coming again may help, as for everybody else. */
    const struct mutual_error why = {.code = code};
    *ret_status = api_status_of(&why) == 503 ? 503 : 500;
    return "serverInternal";
}

static json_t *algorithm_list(void)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < MU_JWS_COUNT_; i++) {
        (void)json_array_append_new(list, json_string(mu_jws_alg_word((enum mu_jws_alg)i)));
    }
    return list;
}

/* What went wrong on our side is nothing that a stranger should read about. */
static const char *detail_of(const struct mutual_error *why, bool ours)
{
    return ours || why->reason[0] == '\0' ? mutual_code_text(why->code) : why->reason;
}

/* Quotes are JSON's own matter; what is no UTF-8 was cut off somewhere. */
static json_t *json_of(const char *text)
{
    MU_AUTO(buf) struct mu_buf safe = {0};
    json_t *plain = json_string(text);
    if (plain != NULL) {
        return plain;
    }
    mu_buf_init(&safe, 4096);
    mu_escape(&safe, mu_slice_text(text));
    return json_string(mu_buf_str(&safe));
}

json_t *acme_problem(const struct mutual_error *why, const char *type, unsigned status)
{
    MU_AUTO(buf) struct mu_buf text;
    unsigned own_status = 500;
    const char *own = acme_problem_type(why->code, &own_status);
    mu_buf_init(&text, 4096);
    mu_buf_printf(&text, URN "%s", type != NULL ? type : own);
    json_t *problem = json_object();
    (void)json_object_set_new(problem, "type", json_string(mu_buf_str(&text)));
    (void)json_object_set_new(problem, "detail",
                              json_of(detail_of(why, type == NULL && own_status >= 500)));
    (void)json_object_set_new(problem, "status",
                              json_integer(status != 0 ? (json_int_t)status : own_status));
    if (why->code == MUTUAL_E_JWS_ALGORITHM) { /* RFC 8555 section 6.2 */
        (void)json_object_set_new(problem, "algorithms", algorithm_list());
    }
    return problem;
}

/* ---- answers ----------------------------------------------------------------------------------
 */

const char *acme_url(const struct acme_call *call, const char *format, ...)
{
    MU_AUTO(buf) struct mu_buf url;
    char text[MU_LIMIT_HTTP_URL];
    va_list args;
    mu_buf_init(&url, 2 * MU_LIMIT_HTTP_LINE);
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    api_url(call->world, call->request, text, &url);
    const char *kept = acme_keep(call->arena, mu_buf_slice(&url));
    return kept != NULL ? kept : "";
}

static bool dump(struct api_response *response, json_t *object, struct mutual_error *err)
{
    size_t len = json_dumpb(object, NULL, 0, JSON_COMPACT);
    uint8_t *room = len > 0 ? mu_buf_reserve(&response->body, len) : NULL;
    if (room == NULL || json_dumpb(object, (char *)room, len, JSON_COMPACT) != len) {
        return mu_fail_memory(err);
    }
    response->body.len += len;
    return true;
}

bool acme_answer(struct acme_call *call, unsigned status, json_t *take_object,
                 struct mutual_error *err)
{
    MU_AUTO(api_json) json_t *object = take_object;
    mu_buf_clear(&call->response->body);
    call->response->status = status;
    call->response->content_type = "application/json";
    return dump(call->response, object, err);
}

static void put_index(struct api_world *world, const struct api_request *request,
                      struct api_response *response)
{
    MU_AUTO(buf) struct mu_buf link;
    mu_buf_init(&link, 2 * MU_LIMIT_HTTP_LINE);
    mu_buf_text(&link, "<");
    api_url(world, request, "/acme/directory", &link);
    mu_buf_text(&link, ">;rel=\"index\"");
    api_field(response, "Link", mu_buf_str(&link));
}

void acme_log(const struct acme_call *call, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    api_log(call->world, "acme account=%lld %s", (long long)call->account.id, text);
}

static void put_problem(struct acme_call *call, const struct mutual_error *why)
{
    MU_AUTO(api_json) json_t *problem = acme_problem(why, call->type, call->status);
    struct mutual_error lost = {0};
    struct api_response *response = call->response;
    mu_buf_clear(&response->body);
    response->status = (unsigned)json_integer_value(json_object_get(problem, "status"));
    response->content_type = "application/problem+json";
    if (!dump(response, problem, &lost)) {
        response->status = 500;
    }
    if (response->status == 503 || response->status == 429) {
        api_field(response, "Retry-After", response->status == 503 ? "2" : "60");
    }
    if (response->status >= 500) {
        api_tell(call->world, call->request, why);
        return;
    }
    MU_AUTO(buf) struct mu_buf safe;
    mu_buf_init(&safe, 1024);
    mu_escape(&safe, mu_slice_text(why->reason));
    acme_log(call, "refused %u %s: %s", response->status, mutual_code_name(why->code),
             mu_buf_str(&safe));
}

/* ---- the frame --------------------------------------------------------------------------------
 */

/* What was signed must be for here: this URL, as we and no other tell it (section 6.4). */
static bool check_url(struct acme_call *call, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf target;
    const struct http_head *head = call->request->head;
    mu_buf_init(&target, MU_LIMIT_HTTP_LINE);
    mu_buf_append(&target, head->path.data, head->path.len);
    if (head->has_query) {
        mu_buf_text(&target, "?");
        mu_buf_append(&target, head->query.data, head->query.len);
    }
    const char *url = acme_url(call, "%s", mu_buf_str(&target));
    return strcmp(url, call->jws.url) == 0 ||
           acme_fail(call, 403, "unauthorized", err, MUTUAL_E_ACME_UNAUTHORIZED,
                     "the signed url is not \"%.200s\"", url);
}

/* The account that the kid is the URL of. */
static bool find_account(struct acme_call *call, struct mutual_error *err)
{
    const char *front = acme_url(call, "/acme/account/");
    uint64_t id = 0;
    if (!mu_text_starts(call->jws.kid, front) ||
        !mu_text_uint(call->jws.kid + strlen(front), INT64_MAX, &id)) {
        return mu_fail(err, MUTUAL_E_ACME_ACCOUNT, "the kid is no account's URL");
    }
    if (!acme_account_by_id(call->store, call->arena, (int64_t)id, &call->account, err)) {
        return false;
    }
    return call->account.id != 0 || mu_fail(err, MUTUAL_E_ACME_ACCOUNT, "there is no such account");
}

static bool check_account(struct acme_call *call, struct mutual_error *err)
{
    MU_AUTO(key) struct mu_key *key = NULL;
    if (!find_account(call, err) || !mu_key_from_spki(call->account.key, &key, err) ||
        !acme_jws_verify(&call->jws, key, err)) {
        return false;
    }
    return call->account.status == ACME_VALID ||
           acme_fail(call, 401, "unauthorized", err, MUTUAL_E_ACME_ACCOUNT,
                     "the account was deactivated");
}

static bool check_signer(struct acme_call *call, enum acme_signer signer, struct mutual_error *err)
{
    bool by_kid = call->jws.kid != NULL;
    if ((signer == ACME_BY_ACCOUNT && !by_kid) || (signer == ACME_BY_KEY && by_kid)) {
        return mu_fail(err, MUTUAL_E_JWS_MALFORMED, "this is to be signed with \"%s\"",
                       by_kid ? "jwk" : "kid");
    }
    return by_kid ? check_account(call, err) : acme_jws_verify(&call->jws, call->jws.key, err);
}

static bool read_payload(struct acme_call *call, struct mutual_error *err)
{
    return call->jws.payload.len == 0 ||
           acme_json_object(mu_buf_slice(&call->jws.payload), "the payload", &call->payload, err);
}

static bool answer(struct acme_call *call, enum acme_signer signer, acme_handle_fn *handle,
                   struct mutual_error *err)
{
    if (call->arena == NULL) {
        return mu_fail_memory(err);
    }
    if (call->settings == NULL || call->world->settings->url == NULL) {
        return acme_fail(call, 503, "serverInternal", err, MUTUAL_E_ACME_STATE,
                         "ACME is not served here");
    }
    return acme_jws_parse(ACME_JWS_REQUEST, call->request->body, &call->jws, err) &&
           check_url(call, err) && check_signer(call, signer, err) &&
           acme_nonce_use(call->store, call->jws.nonce, call->now_s, err) &&
           read_payload(call, err) && handle(call, err);
}

void acme_run(struct api_world *world, const struct api_request *request,
              struct api_response *response, enum acme_signer signer, acme_handle_fn *handle)
{
    struct mutual_error err = {0};
    char nonce[ACME_NONCE_TEXT];
    struct acme_call call = {
        .world = world,
        .request = request,
        .response = response,
        .settings = world->settings->acme,
        .inventory = ca_inventory(world->ca),
        .store = inventory_store(ca_inventory(world->ca)),
        .arena = mu_arena_new(ACME_CALL_BYTES),
        .now_s = request->now_s,
    };
    if (!answer(&call, signer, handle, &err)) {
        store_rollback(call.store);
        put_problem(&call, &err);
    }
    if (acme_nonce_new(call.store, call.now_s, nonce, &err)) {
        api_field(response, "Replay-Nonce", nonce);
    }
    api_field(response, "Cache-Control", "no-store");
    put_index(world, request, response);
    json_decref(call.payload);
    acme_jws_done(&call.jws);
    mu_arena_free(call.arena);
}

bool acme_path_id(struct acme_call *call, int64_t *ret_id, struct mutual_error *err)
{
    const char *text = acme_keep(call->arena, call->request->path_rest);
    uint64_t id = 0;
    if (text == NULL || !mu_text_uint(text, INT64_MAX, &id) || id == 0) {
        return mu_fail(err, MUTUAL_E_NOT_FOUND, "there is nothing of that URL");
    }
    *ret_id = (int64_t)id;
    return true;
}

bool acme_want_get(struct acme_call *call, struct mutual_error *err)
{
    return call->payload == NULL ||
           mu_fail(err, MUTUAL_E_ACME_MALFORMED, "this is read only: the payload must be empty");
}

bool acme_want_payload(struct acme_call *call, struct mutual_error *err)
{
    return call->payload != NULL ||
           mu_fail(err, MUTUAL_E_ACME_MALFORMED, "the payload must be a JSON object");
}

/* ---- directory and nonces ---------------------------------------------------------------------
 */

static void set_url(struct acme_call *call, json_t *object, const char *name, const char *path)
{
    (void)json_object_set_new(object, name, json_string(acme_url(call, "%s", path)));
}

/* draft-ietf-acme-profiles section 3: what a client may name in an order. */
static json_t *profile_list(const struct ca *ca)
{
    json_t *list = json_object();
    const struct ca_profile *profile;
    for (size_t i = 0; (profile = ca_profile_next(ca, i)) != NULL; i++) {
        if ((profile->name_types & (1u << MUTUAL_NAME_DNS)) != 0) {
            (void)json_object_set_new(list, profile->name, json_string(profile->text));
        }
    }
    return list;
}

static json_t *directory_object(struct acme_call *call)
{
    static const char *const resources[][2] = {
        {"newNonce", "/acme/new-nonce"},   {"newAccount", "/acme/new-account"},
        {"newOrder", "/acme/new-order"},   {"revokeCert", "/acme/revoke-cert"},
        {"keyChange", "/acme/key-change"}, {"renewalInfo", "/acme/renewal-info"},
    };
    json_t *object = json_object();
    json_t *meta = json_object();
    for (size_t i = 0; i < MU_COUNT(resources); i++) {
        set_url(call, object, resources[i][0], resources[i][1]);
    }
    if (call->settings->terms != NULL) {
        (void)json_object_set_new(meta, "termsOfService", json_string(call->settings->terms));
    }
    (void)json_object_set_new(meta, "externalAccountRequired", json_boolean(!call->settings->open));
    (void)json_object_set_new(meta, "profiles", profile_list(call->world->ca));
    (void)json_object_set_new(object, "meta", meta);
    return object;
}

static void directory(struct api_world *world, const struct api_request *request,
                      struct api_response *response)
{
    struct mutual_error err = {0};
    struct acme_call call = {
        .world = world,
        .request = request,
        .response = response,
        .settings = world->settings->acme,
        .arena = mu_arena_new(ACME_CALL_BYTES),
    };
    if (call.settings == NULL || world->settings->url == NULL) {
        (void)acme_fail(&call, 503, "serverInternal", &err, MUTUAL_E_ACME_STATE,
                        "ACME is not served here");
        put_problem(&call, &err);
    } else if (call.arena == NULL || !acme_answer(&call, 200, directory_object(&call), &err)) {
        put_problem(&call, &err);
    }
    mu_arena_free(call.arena);
}

static void nonce_answer(struct api_world *world, const struct api_request *request,
                         struct api_response *response, unsigned status)
{
    struct mutual_error err = {0};
    char nonce[ACME_NONCE_TEXT];
    if (!acme_nonce_new(inventory_store(ca_inventory(world->ca)), request->now_s, nonce, &err)) {
        api_fail(world, request, response, &err);
        return;
    }
    response->status = status;
    api_field(response, "Replay-Nonce", nonce);
    api_field(response, "Cache-Control", "no-store");
    put_index(world, request, response);
}

/* Section 7.2: 200 to HEAD, 204 to GET. */
static void new_nonce(struct api_world *world, const struct api_request *request,
                      struct api_response *response)
{
    bool head = mu_slice_equal_text(request->head->method, "HEAD");
    nonce_answer(world, request, response, head ? 200 : 204);
}

/* ---- routes -----------------------------------------------------------------------------------
 */

#define SIGNED(name_, signer_, handle_)                                           \
    static void name_(struct api_world *world, const struct api_request *request, \
                      struct api_response *response)                              \
    {                                                                             \
        acme_run(world, request, response, signer_, handle_);                     \
    }
SIGNED(on_new_account, ACME_BY_KEY, acme_new_account)
SIGNED(on_account, ACME_BY_ACCOUNT, acme_account_handle)
SIGNED(on_account_orders, ACME_BY_ACCOUNT, acme_account_orders)
SIGNED(on_key_change, ACME_BY_ACCOUNT, acme_key_change)
SIGNED(on_new_order, ACME_BY_ACCOUNT, acme_new_order)
SIGNED(on_order, ACME_BY_ACCOUNT, acme_order_handle)
SIGNED(on_finalize, ACME_BY_ACCOUNT, acme_finalize)
SIGNED(on_certificate, ACME_BY_ACCOUNT, acme_certificate)
SIGNED(on_authz, ACME_BY_ACCOUNT, acme_authz_handle)
SIGNED(on_challenge, ACME_BY_ACCOUNT, acme_challenge_handle)
SIGNED(on_revoke, ACME_BY_EITHER, acme_revoke)

/* RFC 8555 section 6.1: https only. Who comes with a certificate may use it as well. */
#define OPEN (API_ON(API_TLS) | API_ON(API_MUTUAL))
#define BODY "application/jose+json", MU_LIMIT_API_BODY
static const struct api_route routes[] = {
    {"GET", "/acme/directory", OPEN, NULL, 0, directory},
    {"GET", "/acme/new-nonce", OPEN, NULL, 0, new_nonce},
    {"GET", "/acme/renewal-info/*", OPEN, NULL, 0, acme_renewal_info},
    {"POST", "/acme/new-account", OPEN, BODY, on_new_account},
    {"POST", "/acme/account/*", OPEN, BODY, on_account},
    {"POST", "/acme/orders/*", OPEN, BODY, on_account_orders},
    {"POST", "/acme/key-change", OPEN, BODY, on_key_change},
    {"POST", "/acme/new-order", OPEN, BODY, on_new_order},
    {"POST", "/acme/order/*", OPEN, BODY, on_order},
    {"POST", "/acme/finalize/*", OPEN, BODY, on_finalize},
    {"POST", "/acme/certificate/*", OPEN, BODY, on_certificate},
    {"POST", "/acme/authz/*", OPEN, BODY, on_authz},
    {"POST", "/acme/challenge/*", OPEN, BODY, on_challenge},
    {"POST", "/acme/revoke-cert", OPEN, BODY, on_revoke},
};
const struct api_table acme_table = {"acme", routes, MU_COUNT(routes), acme_tick};
