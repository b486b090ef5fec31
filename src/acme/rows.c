/* SPDX-License-Identifier: Apache-2.0
 *
 * Orders, authorizations and challenges as rows of the store, and how their status moves: always
 * from a status that is named, in one statement, so that two authorities never both move it.
 */
#include "acme/acme_internal.h"

#include <string.h>

static const char *const words[ACME_STATUS_COUNT_] = {
    [ACME_PENDING] = "pending", [ACME_READY] = "ready",     [ACME_PROCESSING] = "processing",
    [ACME_VALID] = "valid",     [ACME_INVALID] = "invalid", [ACME_DEACTIVATED] = "deactivated",
    [ACME_EXPIRED] = "expired",
};

const char *acme_status_word(enum acme_status status)
{
    mu_assert(status < ACME_STATUS_COUNT_);
    return words[status];
}

static enum acme_status status_of(const char *word)
{
    for (unsigned i = 0; i < ACME_STATUS_COUNT_; i++) {
        if (strcmp(word, words[i]) == 0) {
            return (enum acme_status)i;
        }
    }
    return ACME_INVALID; /* the schema has no others */
}

static const char *const methods[ACME_METHOD_COUNT_] = {
    [ACME_HTTP_01] = "http-01", [ACME_DNS_01] = "dns-01", [ACME_TLS_ALPN_01] = "tls-alpn-01"};

const char *acme_method_word(enum acme_method method)
{
    mu_assert(method < ACME_METHOD_COUNT_);
    return methods[method];
}

static enum acme_method method_of(const char *word)
{
    unsigned i = 0;
    while (i + 1 < ACME_METHOD_COUNT_ && strcmp(word, methods[i]) != 0) {
        i++;
    }
    return (enum acme_method)i;
}

char *acme_keep(struct mu_arena *arena, struct mu_slice bytes)
{
    return mu_arena_strndup(arena, bytes.data, bytes.len);
}

/* ---- accounts ---------------------------------------------------------------------------------
 */

#define ACCOUNT_COLUMNS "SELECT id, status, key, thumbprint, contact, binding_id FROM acme_account"

static bool account_read(struct store_statement *read, struct mu_arena *arena,
                         struct acme_account *ret_account, struct mutual_error *err)
{
    bool row = false;
    if (!store_step(read, &row, err)) {
        return false;
    }
    *ret_account = (struct acme_account){0};
    if (!row) {
        return true;
    }
    struct mu_slice key = store_bytes(read, 2);
    struct mu_slice thumbprint = store_bytes(read, 3);
    const struct acme_account account = {
        .id = store_int(read, 0),
        .status = status_of(store_text(read, 1)),
        .key = mu_slice_of(acme_keep(arena, key), key.len),
        .thumbprint = mu_slice_of(acme_keep(arena, thumbprint), thumbprint.len),
        .contact = acme_keep(arena, mu_slice_text(store_text(read, 4))),
        .binding_id = store_int(read, 5),
    };
    if (account.key.data == NULL || account.thumbprint.data == NULL || account.contact == NULL) {
        return mu_fail_memory(err);
    }
    *ret_account = account;
    return true;
}

bool acme_account_by_id(struct store *store, struct mu_arena *arena, int64_t id,
                        struct acme_account *ret_account, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    if (!store_prepare(store, ACCOUNT_COLUMNS " WHERE id = $1", &read, err)) {
        return false;
    }
    store_bind_int(read, 1, id);
    return account_read(read, arena, ret_account, err);
}

bool acme_account_by_thumbprint(struct store *store, struct mu_arena *arena,
                                const uint8_t thumbprint[32], struct acme_account *ret_account,
                                struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    if (!store_prepare(store, ACCOUNT_COLUMNS " WHERE thumbprint = $1", &read, err)) {
        return false;
    }
    store_bind_bytes(read, 1, mu_slice_of(thumbprint, 32));
    return account_read(read, arena, ret_account, err);
}

/* ---- authorizations ---------------------------------------------------------------------------
 */

#define AUTHZ_COLUMNS \
    "SELECT id, account_id, order_id, type, value, wildcard, status, expires_s FROM acme_authz"

static bool authz_read(struct store_statement *read, struct acme_call *call,
                       struct acme_authz *ret_authz, struct mutual_error *err)
{
    const char *text = acme_keep(call->arena, mu_slice_text(store_text(read, 4)));
    if (text == NULL) {
        return mu_fail_memory(err);
    }
    bool dns = strcmp(store_text(read, 3), "dns") == 0;
    *ret_authz = (struct acme_authz){
        .id = store_int(read, 0),
        .account_id = store_int(read, 1),
        .order_id = store_int(read, 2),
        .name = {dns ? MUTUAL_NAME_DNS : MUTUAL_NAME_IP, text, strlen(text)},
        .wildcard = store_int(read, 5) != 0,
        .status = status_of(store_text(read, 6)),
        .expires_s = store_int(read, 7),
    };
    bool ends = ret_authz->status == ACME_PENDING || ret_authz->status == ACME_VALID;
    if (ends && call->now_s >= ret_authz->expires_s) {
        ret_authz->status = ACME_EXPIRED;
    }
    return true;
}

bool acme_authz_get(struct acme_call *call, int64_t id, struct acme_authz *ret_authz,
                    struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    bool row = false;
    if (!store_prepare(call->store, AUTHZ_COLUMNS " WHERE id = $1 AND account_id = $2", &read,
                       err)) {
        return false;
    }
    store_bind_int(read, 1, id);
    store_bind_int(read, 2, call->account.id);
    if (!store_step(read, &row, err)) {
        return false;
    }
    return row ? authz_read(read, call, ret_authz, err)
               : mu_fail(err, MUTUAL_E_NOT_FOUND, "this account has no such authorization");
}

static bool authzs_get(struct acme_call *call, struct acme_order *order, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    order->authzs = mu_arena_alloc(call->arena, MU_LIMIT_ACME_NAMES * sizeof *order->authzs);
    if (order->authzs == NULL) {
        return mu_fail_memory(err);
    }
    if (!store_prepare(call->store, AUTHZ_COLUMNS " WHERE order_id = $1 ORDER BY id", &read, err)) {
        return false;
    }
    store_bind_int(read, 1, order->id);
    for (bool row = true; order->authz_count < MU_LIMIT_ACME_NAMES;) {
        if (!store_step(read, &row, err)) {
            return false;
        }
        if (!row) {
            break;
        }
        if (!authz_read(read, call, &order->authzs[order->authz_count++], err)) {
            return false;
        }
    }
    return true;
}

/* ---- orders -----------------------------------------------------------------------------------
 */

#define ORDER_COLUMNS                                                           \
    "SELECT o.id, o.account_id, o.status, o.profile, o.expires_s, o.claimed_s," \
    " o.certificate_id, o.replaces_id, o.problem, c.state, c.revoked_s"         \
    " FROM acme_order o LEFT JOIN certificate c ON c.id = o.certificate_id"

/* Whoever issues marks the order first, in the transaction that takes the serial number, and last.
 * In between the certificate's own row says how far it came: what was delivered is the order's;
 * what was given up is nobody's, and the order is open again. */
static enum acme_status order_status(const struct acme_call *call, const struct acme_order *order,
                                     const char *state, bool revoked)
{
    enum acme_status status = order->status;
    if (status == ACME_PROCESSING) {
        bool delivered = strcmp(state, "delivered") == 0;
        bool dead = call->now_s - order->claimed_s >= ACME_FINALIZE_S ||
                    call->now_s < order->claimed_s - ACME_FINALIZE_S ||
                    strcmp(state, "abandoned") == 0;
        if (delivered && !revoked) {
            return ACME_VALID;
        }
        status = delivered || dead ? ACME_READY : ACME_PROCESSING;
    }
    bool open = status == ACME_PENDING || status == ACME_READY;
    return open && call->now_s >= order->expires_s ? ACME_INVALID : status;
}

static bool order_read(struct store_statement *read, struct acme_call *call,
                       struct acme_order *ret_order, struct mutual_error *err)
{
    *ret_order = (struct acme_order){
        .id = store_int(read, 0),
        .account_id = store_int(read, 1),
        .status = status_of(store_text(read, 2)),
        .profile = acme_keep(call->arena, mu_slice_text(store_text(read, 3))),
        .expires_s = store_int(read, 4),
        .claimed_s = store_int(read, 5),
        .certificate_id = store_int(read, 6),
        .replaces_id = store_int(read, 7),
        .problem = acme_keep(call->arena, mu_slice_text(store_text(read, 8))),
    };
    if (ret_order->profile == NULL || ret_order->problem == NULL) {
        return mu_fail_memory(err);
    }
    ret_order->status =
        order_status(call, ret_order, store_text(read, 9), !store_is_null(read, 10));
    return true;
}

bool acme_order_get(struct acme_call *call, int64_t id, struct acme_order *ret_order,
                    struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    bool row = false;
    if (!store_prepare(call->store, ORDER_COLUMNS " WHERE o.id = $1 AND o.account_id = $2", &read,
                       err)) {
        return false;
    }
    store_bind_int(read, 1, id);
    store_bind_int(read, 2, call->account.id);
    if (!store_step(read, &row, err)) {
        return false;
    }
    if (!row) {
        return mu_fail(err, MUTUAL_E_NOT_FOUND, "this account has no such order");
    }
    return order_read(read, call, ret_order, err) && authzs_get(call, ret_order, err);
}

bool acme_order_of_certificate(struct acme_call *call, int64_t certificate_id,
                               struct acme_order *ret_order, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    bool row = false;
    *ret_order = (struct acme_order){0};
    if (!store_prepare(call->store,
                       ORDER_COLUMNS " WHERE o.certificate_id = $1 AND o.account_id = $2", &read,
                       err)) {
        return false;
    }
    store_bind_int(read, 1, certificate_id);
    store_bind_int(read, 2, call->account.id);
    return store_step(read, &row, err) && (!row || order_read(read, call, ret_order, err));
}

/* ---- challenges -------------------------------------------------------------------------------
 */

bool acme_challenges_get(struct acme_call *call, int64_t authz_id,
                         struct acme_challenge ret_challenges[ACME_METHOD_COUNT_],
                         size_t *ret_count, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    if (!store_prepare(call->store,
                       "SELECT id, type, token, status, asked_s, validated_s, tries, problem"
                       " FROM acme_challenge WHERE authz_id = $1 ORDER BY id",
                       &read, err)) {
        return false;
    }
    store_bind_int(read, 1, authz_id);
    *ret_count = 0;
    for (bool row = true; *ret_count < ACME_METHOD_COUNT_;) {
        if (!store_step(read, &row, err)) {
            return false;
        }
        if (!row) {
            break;
        }
        struct acme_challenge *challenge = &ret_challenges[(*ret_count)++];
        *challenge = (struct acme_challenge){
            .id = store_int(read, 0),
            .authz_id = authz_id,
            .method = method_of(store_text(read, 1)),
            .token = acme_keep(call->arena, mu_slice_text(store_text(read, 2))),
            .status = status_of(store_text(read, 3)),
            .asked_s = store_int(read, 4),
            .validated_s = store_int(read, 5),
            .tries = store_int(read, 6),
            .problem = acme_keep(call->arena, mu_slice_text(store_text(read, 7))),
        };
        if (challenge->token == NULL || challenge->problem == NULL) {
            return mu_fail_memory(err);
        }
    }
    return true;
}

bool acme_status_move(struct store *store, const char *table, int64_t id, enum acme_status from,
                      enum acme_status to, bool *ret_done, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *set = NULL;
    MU_AUTO(buf) struct mu_buf sql;
    mu_buf_init(&sql, 256);
    mu_buf_printf(&sql, "UPDATE %s SET status = $2 WHERE id = $1 AND status = $3", table);
    if (!store_prepare(store, mu_buf_str(&sql), &set, err)) {
        return false;
    }
    store_bind_int(set, 1, id);
    store_bind_text(set, 2, words[to]);
    store_bind_text(set, 3, words[from]);
    if (!store_run(set, err)) {
        return false;
    }
    *ret_done = store_changes(store) == 1;
    return true;
}
