/* SPDX-License-Identifier: Apache-2.0
 *
 * Authorizations and challenges (RFC 8555 sections 7.5, 8): shown, begun, settled. Who looks for an
 * answer is elsewhere; what is known of it is in the store, so that a process that died, and an
 * authority that did, is made good for by the next.
 */
#include "acme/acme_internal.h"

#include <stdio.h>
#include <string.h>

enum { AGAIN_AT_ONCE = 16 };

/* ---- shown ------------------------------------------------------------------------------------
 */

static json_t *challenge_object(struct acme_call *call, const struct acme_challenge *challenge)
{
    json_t *object = json_object();
    char text[MU_TIME_TEXT];
    (void)json_object_set_new(object, "type", json_string(acme_method_word(challenge->method)));
    (void)json_object_set_new(object, "status", json_string(acme_status_word(challenge->status)));
    (void)json_object_set_new(object, "token", json_string(challenge->token));
    (void)json_object_set_new(
        object, "url",
        json_string(acme_url(call, "/acme/challenge/%lld", (long long)challenge->id)));
    if (challenge->validated_s != 0) {
        (void)json_object_set_new(object, "validated",
                                  json_string(mu_time_format(challenge->validated_s, text)));
    }
    if (challenge->problem[0] != '\0') {
        (void)json_object_set_new(object, "error", json_loads(challenge->problem, 0, NULL));
    }
    return object;
}

static bool answer_authz(struct acme_call *call, const struct acme_authz *authz,
                         struct mutual_error *err)
{
    struct acme_challenge challenges[ACME_METHOD_COUNT_];
    size_t count = 0;
    char text[MU_TIME_TEXT];
    if (!acme_challenges_get(call, authz->id, challenges, &count, err)) {
        return false;
    }
    json_t *object = json_object();
    json_t *identifier = json_object();
    json_t *list = json_array();
    (void)json_object_set_new(identifier, "type",
                              json_string(mutual_name_type_word(authz->name.type)));
    (void)json_object_set_new(identifier, "value", json_string(authz->name.text));
    (void)json_object_set_new(object, "identifier", identifier);
    (void)json_object_set_new(object, "status", json_string(acme_status_word(authz->status)));
    (void)json_object_set_new(object, "expires",
                              json_string(mu_time_format(authz->expires_s, text)));
    if (authz->wildcard) {
        (void)json_object_set_new(object, "wildcard", json_true());
    }
    bool looking = false;
    for (size_t i = 0; i < count; i++) {
        /* Once settled, only what settled it (section 7.1.4). */
        if (authz->status == ACME_PENDING || challenges[i].status == ACME_VALID ||
            challenges[i].status == ACME_INVALID) {
            (void)json_array_append_new(list, challenge_object(call, &challenges[i]));
        }
        looking = looking || challenges[i].status == ACME_PROCESSING;
    }
    (void)json_object_set_new(object, "challenges", list);
    if (looking) {
        api_field(call->response, "Retry-After", "1");
    }
    return acme_answer(call, 200, object, err);
}

/* ---- settled ----------------------------------------------------------------------------------
 */

/* The order fails with an authorization of it, and is ready with the last of them. */
static bool settle_order(struct store *store, int64_t order_id, bool good, const char *problem,
                         struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *set = NULL;
    const char *sql =
        good ? "UPDATE acme_order SET status = 'ready' WHERE id = $1 AND status = 'pending'"
               " AND NOT EXISTS (SELECT 1 FROM acme_authz a WHERE a.order_id = $1"
               " AND a.status <> 'valid')"
             : "UPDATE acme_order SET status = 'invalid', problem = $2 WHERE id = $1"
               " AND status IN ('pending', 'ready')";
    if (!store_prepare(store, sql, &set, err)) {
        return false;
    }
    store_bind_int(set, 1, order_id);
    if (!good) {
        store_bind_text(set, 2, problem);
    }
    return store_run(set, err);
}

enum { METHOD_TEXT = 16 };

static bool settle_challenge(struct store *store, int64_t id, bool good, const char *problem,
                             int64_t now_s, int64_t *ret_authz_id, char ret_method[METHOD_TEXT],
                             struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *set = NULL;
    bool row = false;
    if (!store_prepare(store,
                       "UPDATE acme_challenge SET status = $2, validated_s = $3, problem = $4"
                       " WHERE id = $1 AND status = 'processing' RETURNING authz_id, type",
                       &set, err)) {
        return false;
    }
    store_bind_int(set, 1, id);
    store_bind_text(set, 2, good ? "valid" : "invalid");
    store_bind_int(set, 3, good ? now_s : 0);
    store_bind_text(set, 4, problem);
    if (!store_step(set, &row, err)) {
        return false;
    }
    *ret_authz_id = row ? store_int(set, 0) : 0;
    (void)snprintf(ret_method, METHOD_TEXT, "%s", row ? store_text(set, 1) : "");
    return !row || store_step(set, &row, err);
}

static bool settle_authz(struct store *store, int64_t id, bool good, int64_t *ret_order_id,
                         struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    bool row = false;
    bool done = false;
    *ret_order_id = 0;
    if (!acme_status_move(store, "acme_authz", id, ACME_PENDING, good ? ACME_VALID : ACME_INVALID,
                          &done, err) ||
        !done) {
        return err->code == MUTUAL_OK;
    }
    if (!store_prepare(store, "SELECT order_id FROM acme_authz WHERE id = $1", &read, err)) {
        return false;
    }
    store_bind_int(read, 1, id);
    if (!store_step(read, &row, err)) {
        return false;
    }
    *ret_order_id = row ? store_int(read, 0) : 0;
    return true;
}

static bool settle(const struct api_world *world, int64_t challenge_id, bool good,
                   const char *problem, int64_t now_s, struct mutual_error *err)
{
    struct store *store = inventory_store(ca_inventory(world->ca));
    int64_t authz_id = 0;
    int64_t order_id = 0;
    char method[METHOD_TEXT];
    *err = (struct mutual_error){0};
    if (!store_begin(store, err) ||
        !settle_challenge(store, challenge_id, good, problem, now_s, &authz_id, method, err) ||
        (authz_id != 0 && !settle_authz(store, authz_id, good, &order_id, err)) ||
        (order_id != 0 && !settle_order(store, order_id, good, problem, err)) ||
        !store_commit(store, err)) {
        return false;
    }
    if (authz_id != 0) { /* else somebody else settled it */
        api_count(world, API_VALIDATED, method, good ? "valid" : "invalid", "");
    }
    return true;
}

/* Nothing was learnt of the other side: asked again soon. */
static bool is_our_fault(enum mutual_code code)
{
    return code == MUTUAL_E_PROCESS_DIED || code == MUTUAL_E_LIMIT || code == MUTUAL_E_NO_MEMORY ||
           code == MUTUAL_E_SYSTEM_CALL || code == MUTUAL_E_LIBRARY;
}

static bool put_back(struct store *store, int64_t challenge_id, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *set = NULL;
    if (!store_prepare(store,
                       "UPDATE acme_challenge SET asked_s = 0"
                       " WHERE id = $1 AND status = 'processing'",
                       &set, err)) {
        return false;
    }
    store_bind_int(set, 1, challenge_id);
    return store_begin(store, err) && store_run(set, err) && store_commit(store, err);
}

bool acme_probed(struct api_world *world, int64_t challenge_id, const struct mutual_error *outcome,
                 int64_t now_s, struct mutual_error *err)
{
    struct store *store = inventory_store(ca_inventory(world->ca));
    MU_AUTO(buf) struct mu_buf text;
    bool good = outcome->code == MUTUAL_OK;
    mu_buf_init(&text, 8192);
    if (!good) {
        MU_AUTO(api_json) json_t *problem = acme_problem(outcome, NULL, 0);
        size_t len = json_dumpb(problem, NULL, 0, JSON_COMPACT);
        uint8_t *room = mu_buf_reserve(&text, len);
        if (room == NULL || json_dumpb(problem, (char *)room, len, JSON_COMPACT) != len) {
            return mu_fail_memory(err);
        }
        text.len += len;
    }
    api_log(world, "acme challenge=%lld %s %s", (long long)challenge_id, good ? "valid" : "invalid",
            good ? "" : mutual_code_name(outcome->code));
    bool done = is_our_fault(outcome->code)
                    ? put_back(store, challenge_id, err)
                    : settle(world, challenge_id, good, mu_buf_str(&text), now_s, err);
    if (!done) {
        store_rollback(store);
    }
    return done;
}

/* ---- begun ------------------------------------------------------------------------------------
 */

/* All that who looks must know, from the rows. *ret_probe with challenge_id 0: it is no longer
 * open. */
static bool probe_get(struct store *store, struct mu_arena *arena, int64_t challenge_id,
                      int64_t now_s, struct acme_probe *ret_probe, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    MU_AUTO(buf) struct mu_buf text = {0};
    bool row = false;
    *ret_probe = (struct acme_probe){0};
    if (!store_prepare(store,
                       "SELECT c.type, c.token, a.type, a.value, k.thumbprint FROM acme_challenge c"
                       " JOIN acme_authz a ON a.id = c.authz_id"
                       " JOIN acme_account k ON k.id = a.account_id"
                       " WHERE c.id = $1 AND c.status = 'processing' AND a.status = 'pending'"
                       " AND a.expires_s > $2 AND k.status = 'valid'",
                       &read, err)) {
        return false;
    }
    store_bind_int(read, 1, challenge_id);
    store_bind_int(read, 2, now_s);
    if (!store_step(read, &row, err) || !row) {
        return !row && err->code == MUTUAL_OK;
    }
    unsigned method = 0;
    while (method + 1 < ACME_METHOD_COUNT_ &&
           strcmp(acme_method_word((enum acme_method)method), store_text(read, 0)) != 0) {
        method++;
    }
    const char *token = acme_keep(arena, mu_slice_text(store_text(read, 1)));
    const char *name = acme_keep(arena, mu_slice_text(store_text(read, 3)));
    bool dns = strcmp(store_text(read, 2), "dns") == 0;
    mu_buf_init(&text, 256);
    mu_buf_printf(&text, "%s.", store_text(read, 1));
    mu_base64url(&text, store_bytes(read, 4));
    const char *authorization = acme_keep(arena, mu_buf_slice(&text));
    if (token == NULL || name == NULL || authorization == NULL || text.failed) {
        return mu_fail_memory(err);
    }
    *ret_probe = (struct acme_probe){
        .challenge_id = challenge_id,
        .method = (enum acme_method)method,
        .name = {dns ? MUTUAL_NAME_DNS : MUTUAL_NAME_IP, name, strlen(name)},
        .token = token,
        .authorization = authorization,
    };
    return true;
}

/* Whoever cannot look now lets the next second's tick ask again. */
static bool ask(struct api_world *world, struct mu_arena *arena, int64_t challenge_id,
                int64_t now_s, struct mutual_error *err)
{
    struct store *store = inventory_store(ca_inventory(world->ca));
    struct mutual_error why = {0};
    struct acme_probe probe;
    *err = (struct mutual_error){0};
    if (!probe_get(store, arena, challenge_id, now_s, &probe, err)) {
        return false;
    }
    return probe.challenge_id == 0 || world->prober->ask(world->prober, &probe, &why) ||
           put_back(store, challenge_id, err);
}

/* *ret_done false: it was begun before, or it is over. */
static bool begin(struct acme_call *call, const struct acme_challenge *challenge, bool *ret_done,
                  struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *set = NULL;
    if (!store_prepare(call->store,
                       "UPDATE acme_challenge SET status = 'processing', asked_s = $2, tries = 1"
                       " WHERE id = $1 AND status = 'pending' AND NOT EXISTS (SELECT 1 FROM"
                       " acme_challenge o WHERE o.authz_id = $3 AND o.status <> 'pending')",
                       &set, err)) {
        return false;
    }
    store_bind_int(set, 1, challenge->id);
    store_bind_int(set, 2, call->now_s);
    store_bind_int(set, 3, challenge->authz_id);
    if (!store_begin(call->store, err) || !store_run(set, err)) {
        return false;
    }
    *ret_done = store_changes(call->store) == 1;
    return store_commit(call->store, err);
}

/* ---- handlers ---------------------------------------------------------------------------------
 */

static bool deactivate(struct acme_call *call, struct acme_authz *authz, struct mutual_error *err)
{
    const char *word = acme_json_text(call->payload, "status");
    bool done = false;
    if (word == NULL || strcmp(word, "deactivated") != 0) {
        return mu_fail(err, MUTUAL_E_ACME_MALFORMED,
                       "an authorization's status can only be set to \"deactivated\"");
    }
    if (authz->status != ACME_PENDING && authz->status != ACME_VALID) {
        return mu_fail(err, MUTUAL_E_ACME_MALFORMED, "the authorization is %s already",
                       acme_status_word(authz->status));
    }
    if (!store_begin(call->store, err) ||
        !acme_status_move(call->store, "acme_authz", authz->id, authz->status, ACME_DEACTIVATED,
                          &done, err) ||
        (done && !settle_order(call->store, authz->order_id, false, "", err)) ||
        !store_commit(call->store, err)) {
        return false;
    }
    return acme_authz_get(call, authz->id, authz, err);
}

bool acme_authz_handle(struct acme_call *call, struct mutual_error *err)
{
    struct acme_authz authz;
    int64_t id = 0;
    return acme_path_id(call, &id, err) && acme_authz_get(call, id, &authz, err) &&
           (call->payload == NULL || deactivate(call, &authz, err)) &&
           answer_authz(call, &authz, err);
}

/* The challenge of that number, if it is this account's, and its authorization. */
static bool challenge_get(struct acme_call *call, int64_t id, struct acme_challenge *ret_challenge,
                          struct acme_authz *ret_authz, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    struct acme_challenge challenges[ACME_METHOD_COUNT_];
    size_t count = 0;
    bool row = false;
    if (!store_prepare(call->store, "SELECT authz_id FROM acme_challenge WHERE id = $1", &read,
                       err)) {
        return false;
    }
    store_bind_int(read, 1, id);
    if (!store_step(read, &row, err)) {
        return false;
    }
    if (!row) {
        return mu_fail(err, MUTUAL_E_NOT_FOUND, "this account has no such challenge");
    }
    if (!acme_authz_get(call, store_int(read, 0), ret_authz, err) ||
        !acme_challenges_get(call, ret_authz->id, challenges, &count, err)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (challenges[i].id == id) {
            *ret_challenge = challenges[i];
            return true;
        }
    }
    return mu_fail(err, MUTUAL_E_NOT_FOUND, "this account has no such challenge");
}

static bool respond(struct acme_call *call, struct acme_challenge *challenge,
                    struct acme_authz *authz, struct mutual_error *err)
{
    bool begun = false;
    if (call->world->prober == NULL) {
        return acme_fail(call, 503, "serverInternal", err, MUTUAL_E_ACME_STATE,
                         "nobody here can look for the answer");
    }
    if (authz->status != ACME_PENDING || challenge->status != ACME_PENDING) {
        return true; /* a client that lost our answer asks twice: shown as it is */
    }
    if (!begin(call, challenge, &begun, err)) {
        return false;
    }
    if (!begun) {
        return acme_fail(call, 400, "malformed", err, MUTUAL_E_ACME_STATE,
                         "another challenge of this authorization was chosen");
    }
    return ask(call->world, call->arena, challenge->id, call->now_s, err) &&
           challenge_get(call, challenge->id, challenge, authz, err);
}

bool acme_challenge_handle(struct acme_call *call, struct mutual_error *err)
{
    struct acme_challenge challenge;
    struct acme_authz authz;
    char link[512];
    int64_t id = 0;
    if (!acme_path_id(call, &id, err) || !challenge_get(call, id, &challenge, &authz, err) ||
        (call->payload != NULL && !respond(call, &challenge, &authz, err))) {
        return false;
    }
    (void)snprintf(link, sizeof link, "<%.400s>;rel=\"up\"",
                   acme_url(call, "/acme/authz/%lld", (long long)authz.id));
    api_field(call->response, "Link", link);
    if (challenge.status == ACME_PROCESSING) {
        api_field(call->response, "Retry-After", "1");
    }
    return acme_answer(call, 200, challenge_object(call, &challenge), err);
}

/* ---- again ------------------------------------------------------------------------------------
 */

struct stale {
    int64_t id, asked_s, tries;
};

static bool stale_get(struct store *store, int64_t now_s, struct stale stales[AGAIN_AT_ONCE],
                      size_t *ret_count, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    if (!store_prepare(store,
                       "SELECT id, asked_s, tries FROM acme_challenge WHERE status = 'processing'"
                       " AND (asked_s <= $1 OR asked_s > $2) ORDER BY asked_s, id LIMIT $3",
                       &read, err)) {
        return false;
    }
    store_bind_int(read, 1, now_s - ACME_ASK_S);
    store_bind_int(read, 2, now_s + ACME_ASK_S);
    store_bind_int(read, 3, AGAIN_AT_ONCE);
    *ret_count = 0;
    for (bool row = true; *ret_count < AGAIN_AT_ONCE;) {
        if (!store_step(read, &row, err)) {
            return false;
        }
        if (!row) {
            break;
        }
        stales[(*ret_count)++] =
            (struct stale){store_int(read, 0), store_int(read, 1), store_int(read, 2)};
    }
    return true;
}

/* One of the authorities gets it. */
static bool take_over(struct store *store, const struct stale *stale, int64_t now_s, bool *ret_done,
                      struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *set = NULL;
    if (!store_prepare(store,
                       "UPDATE acme_challenge SET asked_s = $2, tries = tries + $4"
                       " WHERE id = $1 AND status = 'processing' AND asked_s = $3",
                       &set, err)) {
        return false;
    }
    store_bind_int(set, 1, stale->id);
    store_bind_int(set, 2, now_s);
    store_bind_int(set, 3, stale->asked_s);
    store_bind_int(set, 4, stale->asked_s != 0); /* 0: it was put back unasked */
    if (!store_begin(store, err) || !store_run(set, err)) {
        return false;
    }
    *ret_done = store_changes(store) == 1;
    return store_commit(store, err);
}

static bool again(struct api_world *world, const struct stale *stale, int64_t now_s,
                  struct mutual_error *err)
{
    struct store *store = inventory_store(ca_inventory(world->ca));
    struct mutual_error silence = {0};
    bool mine = false;
    if (stale->tries >= ACME_TRIES_MAX && stale->asked_s != 0) {
        (void)mu_fail(&silence, MUTUAL_E_ACME_VALIDATION,
                      "nobody could look for the answer in time");
        return acme_probed(world, stale->id, &silence, now_s, err);
    }
    if (!take_over(store, stale, now_s, &mine, err) || !mine) {
        return false;
    }
    struct mu_arena *arena = mu_arena_new(1 << 16);
    bool done = (arena != NULL || mu_fail_memory(err)) && ask(world, arena, stale->id, now_s, err);
    mu_arena_free(arena);
    return done;
}

static bool clean(struct store *store, int64_t now_s, struct mutual_error *err)
{
    static const char challenges[] =
        "DELETE FROM acme_challenge WHERE authz_id IN (SELECT a.id FROM acme_authz a JOIN "
        "acme_order"
        " o ON o.id = a.order_id WHERE o.certificate_id IS NULL AND o.expires_s < $1)";
    static const char authzs[] =
        "DELETE FROM acme_authz WHERE order_id IN (SELECT o.id FROM acme_order o WHERE"
        " o.certificate_id IS NULL AND o.expires_s < $1)";
    static const char orders[] =
        "DELETE FROM acme_order WHERE certificate_id IS NULL AND expires_s < $1";
    static const char *const deletions[] = {challenges, authzs, orders};
    if (!store_begin(store, err) || !acme_nonce_clean(store, now_s, err)) {
        return false;
    }
    for (size_t i = 0; i < MU_COUNT(deletions); i++) {
        MU_AUTO(store_statement) struct store_statement *remove = NULL;
        if (!store_prepare(store, deletions[i], &remove, err)) {
            return false;
        }
        store_bind_int(remove, 1, now_s - ACME_KEPT_S);
        if (!store_run(remove, err)) {
            return false;
        }
    }
    return store_commit(store, err);
}

void acme_tick(struct api_world *world, int64_t now_s)
{
    struct stale stales[AGAIN_AT_ONCE];
    struct mutual_error err = {0};
    size_t count = 0;
    struct store *store = inventory_store(ca_inventory(world->ca));
    if (world->settings->acme == NULL || world->prober == NULL) {
        return;
    }
    bool good = stale_get(store, now_s, stales, &count, &err);
    for (size_t i = 0; good && i < count; i++) {
        good = again(world, &stales[i], now_s, &err);
    }
    if (good && now_s % 3600 == 0) {
        good = clean(store, now_s, &err);
    }
    if (!good) {
        store_rollback(store);
    }
    if (!good && err.code != MUTUAL_OK) {
        api_log(world, "acme tick failed: %s", mutual_code_name(err.code));
    }
}
