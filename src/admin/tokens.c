/* SPDX-License-Identifier: Apache-2.0
 *
 * One-time tokens, and the requests by them that wait for a person.
 */
#include <string.h>

#include "admin/admin_internal.h"

enum { OBJECT_MAX = 1 << 16, TTL_S = 3600 };

/* ---- names -------------------------------------------------------------------------------------
 */

bool admin_names_read(const json_t *list, struct ca_names *ret_names, struct mutual_error *err)
{
    MU_AUTO(ca_names) struct ca_names names = {0};
    if (!ca_names_init(&names, err)) {
        return false;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        char storage[MU_LIMIT_NAME_BYTES + 1];
        struct mutual_name name;
        const char *text = json_string_value(json_array_get(list, i));
        if (!admin_name_parse(text, storage, sizeof storage, &name, err) ||
            !ca_names_add(&names, &name, err)) {
            return false;
        }
    }
    *ret_names = names;
    names = (struct ca_names){0};
    return true;
}

/* ---- how one is written ------------------------------------------------------------------------
 */

void admin_put_time(struct mu_json *json, const char *key, int64_t time_s)
{
    char text[MU_TIME_TEXT];
    mu_json_string(json, key, mu_time_format(time_s, text));
}

static void put_token(const struct inventory_token *token, int64_t now_s, struct mu_json *json)
{
    mu_json_open(json, NULL, '{');
    mu_json_int(json, "id", token->id);
    mu_json_string(json, "name", token->name);
    mu_json_string(json, "profile", token->profile);
    mu_json_string(json, "owner", token->owner);
    mu_json_string(json, "made_by", token->made_by);
    admin_put_time(json, "until", token->expires_s);
    mu_json_bool(json, "expired", token->expires_s <= now_s);
    mu_json_bool(json, "used", token->used_s != 0);
    mu_json_bool(json, "approval", token->approval);
    mu_json_bool(json, "asked", token->asked_s != 0);
    if (token->asked_s != 0) {
        admin_put_time(json, "asked_at", token->asked_s);
        mu_json_string(json, "asked_by", token->asked_by);
        admin_put_hex(json, "key", token->key_hash);
        mu_json_string(json, "decision",
                       token->decision == INVENTORY_APPROVED ? "approved"
                       : token->decision == INVENTORY_DENIED ? "denied"
                                                             : "");
    }
    mu_json_close(json, '}');
}

/* ---- listing -----------------------------------------------------------------------------------
 */

static bool put_page(struct admin_call *call, struct inventory_token_filter *filter,
                     struct mutual_error *err)
{
    MU_AUTO(inventory_tokens) struct inventory_tokens tokens = {0};
    struct admin_page page;
    if (!admin_page_begin(call, "tokens", &page, err)) {
        return false;
    }
    filter->after_id = page.id;
    filter->limit = page.left + 1; /* whether there is more */
    if (!inventory_tokens_get(ca_inventory(call->ca), filter, &tokens, err)) {
        return false;
    }
    for (size_t i = 0; i < tokens.count && admin_page_takes(&page, 0, tokens.items[i].id); i++) {
        put_token(&tokens.items[i], call->request->now_s, &call->json);
    }
    return admin_page_end(&page, err);
}

bool admin_list_tokens(struct admin_call *call, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf name;
    MU_AUTO(buf) struct mu_buf state;
    struct inventory_token_filter filter = {0};
    const char *pending = NULL;
    mu_buf_init(&name, 2 * ADMIN_TEXT_MAX);
    mu_buf_init(&state, 64);
    if (!admin_query(call, "name", &name, &filter.name, err) ||
        !admin_query(call, "state", &state, &pending, err)) {
        return false;
    }
    filter.pending = pending != NULL;
    return put_page(call, &filter, err);
}

bool admin_list_requests(struct admin_call *call, struct mutual_error *err)
{
    struct inventory_token_filter filter = {.pending = true};
    return put_page(call, &filter, err);
}

/* ---- one of them -------------------------------------------------------------------------------
 */

static bool write_one(struct admin_call *call, int64_t id, struct mu_buf *out,
                      struct mutual_error *err)
{
    MU_AUTO(inventory_tokens) struct inventory_tokens tokens = {0};
    const struct inventory_token_filter filter = {.id = id};
    struct mu_json json;
    if (!inventory_tokens_get(ca_inventory(call->ca), &filter, &tokens, err)) {
        return false;
    }
    if (tokens.count == 0) {
        return mu_fail(err, MUTUAL_E_NOT_FOUND, "there is no token number %lld", (long long)id);
    }
    mu_json_init(&json, out);
    put_token(&tokens.items[0], call->request->now_s, &json);
    mu_buf_byte(out, '\n');
    return true;
}

bool admin_get_token(struct admin_call *call, struct mutual_error *err)
{
    int64_t id = 0;
    return admin_path_number(call, &id, err) && write_one(call, id, &call->response->body, err);
}

/* What is decided on is what was seen. */
static bool seen(struct admin_call *call, int64_t *ret_id, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf now;
    mu_buf_init(&now, OBJECT_MAX);
    return admin_path_number(call, ret_id, err) &&
           (http_field_count(call->request->head, "If-Match") == 0 ||
            (write_one(call, *ret_id, &now, err) && admin_match(call, mu_buf_slice(&now), err)));
}

static void put_decision(struct admin_call *call, int64_t id, const char *word)
{
    mu_json_open(&call->json, NULL, '{');
    mu_json_int(&call->json, "id", id);
    mu_json_string(&call->json, "decision", word);
    mu_json_close(&call->json, '}');
    mu_buf_byte(&call->response->body, '\n');
}

bool admin_withdraw_token(struct admin_call *call, struct mutual_error *err)
{
    int64_t id = 0;
    if (!seen(call, &id, err) || !ca_token_withdraw(call->ca, id, call->request->now_s, err)) {
        return false;
    }
    put_decision(call, id, "withdrawn");
    return true;
}

static bool decide(struct admin_call *call, bool approve, struct mutual_error *err)
{
    int64_t id = 0;
    if (!seen(call, &id, err) ||
        !ca_token_decide(call->ca, id, approve, call->request->now_s, err)) {
        return false;
    }
    put_decision(call, id, approve ? "approved" : "denied");
    return true;
}

bool admin_approve_request(struct admin_call *call, struct mutual_error *err)
{
    return decide(call, true, err);
}

bool admin_refuse_request(struct admin_call *call, struct mutual_error *err)
{
    return decide(call, false, err);
}

/* ---- making one --------------------------------------------------------------------------------
 */

static bool fill_wish(struct admin_call *call, struct ca_token_wish *wish, struct mutual_error *err)
{
    const json_t *body = call->body;
    const char *profile = admin_text(body, "profile");
    const char *place = admin_text(body, "place");
    const char *url = admin_text(body, "url");
    int64_t ttl_s = admin_number(body, "ttl");
    *wish = (struct ca_token_wish){
        .name = admin_text(body, "name"),
        .life_s = admin_number(body, "life"),
        .ttl_s = ttl_s > 0 ? ttl_s : TTL_S,
        .approval = admin_flag(body, "approval"),
        .url = url != NULL ? url : call->world->settings->url,
        .place = place != NULL ? place : admin_text(body, "name"),
        .purpose = admin_text(body, "purpose"),
        .now_s = call->request->now_s,
    };
    if (wish->url == NULL) {
        return mu_fail(err, MUTUAL_E_USAGE, "where the authority is reached is not known") ||
               mu_error_hint(err, "Give --url https://HOST:PORT, or say authority: {url: …} in "
                                  "the configuration.");
    }
    return ca_profile_of(call->ca, profile != NULL ? profile : "server", &wish->profile, err) &&
           admin_owner(call, NULL, &wish->owner, err);
}

static void put_made(struct admin_call *call, const struct ca_token_wish *wish, int64_t id,
                     struct mu_buf *text)
{
    struct mu_json *json = &call->json;
    mu_json_open(json, NULL, '{');
    mu_json_int(json, "id", id);
    mu_json_string(json, "token", mu_buf_str(text));
    mu_json_string(json, "name", wish->name);
    mu_json_string(json, "profile", wish->profile->name);
    mu_json_string(json, "url", wish->url);
    admin_put_time(json, "until", wish->now_s + wish->ttl_s);
    mu_json_bool(json, "approval", wish->approval);
    mu_json_close(json, '}');
    mu_buf_byte(&call->response->body, '\n');
}

bool admin_make_token(struct admin_call *call, struct mutual_error *err)
{
    MU_AUTO(ca_names) struct ca_names names = {0};
    MU_AUTO(buf) struct mu_buf text;
    struct ca_token_wish wish;
    int64_t id = 0;
    mu_buf_init_secret(&text, 4096);
    if (!fill_wish(call, &wish, err) ||
        !admin_names_read(json_object_get(call->body, "names"), &names, err)) {
        return false;
    }
    wish.names = names.items;
    wish.name_count = names.count;
    const struct ca_request made = {.profile = wish.profile,
                                    .name = wish.name,
                                    .names = wish.names,
                                    .name_count = wish.name_count,
                                    .now_s = wish.now_s};
    if (!admin_may_name(call, &made, err)) {
        return false;
    }
    if (!ca_token_new(call->ca, &wish, &text, &id, err)) {
        return false;
    }
    put_made(call, &wish, id, &text);
    return true;
}
