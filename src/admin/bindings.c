/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys that bind accounts of ACME to names.
 */
#include <string.h>

#include "admin/admin_internal.h"

enum { TTL_S = 86400 };

static void put_names(struct mu_json *json, const char *const *names, size_t count)
{
    mu_json_open(json, "names", '[');
    for (size_t i = 0; i < count; i++) {
        mu_json_string(json, NULL, names[i]);
    }
    mu_json_close(json, ']');
}

/* ---- listing ----------------------------------------------------------------------------------
 */

static void put_account(struct mu_json *json, int64_t account_id)
{
    if (account_id != 0) {
        mu_json_int(json, "account", account_id);
    }
}

static bool put_key(void *context, const struct acme_key *key)
{
    struct admin_page *page = context;
    struct mu_json *json = &page->call->json;
    if (!admin_page_takes(page, 0, key->id)) {
        return false;
    }
    mu_json_open(json, NULL, '{');
    mu_json_int(json, "id", key->id);
    mu_json_string(json, "kid", key->kid);
    mu_json_string(json, "name", key->name);
    mu_json_string(json, "owner", key->owner);
    mu_json_string(json, "profile", key->profile);
    put_names(json, key->names, key->name_count);
    admin_put_time(json, "until", key->ends_s);
    mu_json_string(json, "state", acme_key_state(key, page->call->request->now_s));
    put_account(json, key->account_id);
    mu_json_close(json, '}');
    return true;
}

bool admin_list_bindings(struct admin_call *call, struct mutual_error *err)
{
    struct admin_page page;
    return admin_page_begin(call, "bindings", &page, err) &&
           acme_keys(call->ca, page.id, put_key, &page, err) && admin_page_end(&page, err);
}

/* ---- making one -------------------------------------------------------------------------------
 */

static void put_made(struct admin_call *call, const struct acme_key_request *wish, const char *kid,
                     const char *secret)
{
    struct mu_json *json = &call->json;
    mu_json_open(json, NULL, '{');
    mu_json_string(json, "kid", kid);
    mu_json_string(json, "hmac_key", secret);
    mu_json_string(json, "name", wish->name);
    mu_json_string(json, "profile", wish->profile);
    put_names(json, wish->names, wish->name_count);
    admin_put_time(json, "until", wish->now_s + wish->life_s);
    mu_json_close(json, '}');
    mu_buf_byte(&call->response->body, '\n');
}

bool admin_make_binding(struct admin_call *call, struct mutual_error *err)
{
    const char *names[ACME_KEY_NAMES_MAX];
    const json_t *list = json_object_get(call->body, "names");
    const char *profile = admin_text(call->body, "profile");
    const char *owner = admin_text(call->body, "owner");
    int64_t ttl_s = admin_number(call->body, "ttl");
    char kid[ACME_KID_TEXT];
    char secret[ACME_SECRET_TEXT];
    size_t count = json_array_size(list);
    mu_assert(count <= MU_COUNT(names)); /* the schema says so */
    for (size_t i = 0; i < count; i++) {
        names[i] = json_string_value(json_array_get(list, i));
    }
    const struct acme_key_request wish = {
        .name = admin_text(call->body, "name"),
        .owner = owner != NULL ? owner : admin_text(call->body, "name"),
        .profile = profile != NULL ? profile : "server",
        .names = names,
        .name_count = count,
        .life_s = ttl_s > 0 ? ttl_s : TTL_S,
        .who = call->request->who,
        .now_s = call->request->now_s,
    };
    if (!acme_key_new(call->ca, &wish, kid, secret, err)) {
        return false;
    }
    put_made(call, &wish, kid, secret);
    mu_wipe(secret, sizeof secret);
    return true;
}

/* ---- taking one back --------------------------------------------------------------------------
 */

bool admin_withdraw_binding(struct admin_call *call, struct mutual_error *err)
{
    struct mu_slice kid = call->request->parameters[0];
    struct mu_json *json = &call->json;
    int64_t account = 0;
    char text[ACME_KID_TEXT] = "";
    if (kid.len < sizeof text) { /* a longer one is nobody's */
        memcpy(text, kid.data, kid.len);
        text[kid.len] = '\0';
    }
    if (!acme_key_withdraw(call->ca, text, call->request->who, call->request->now_s, &account,
                           err)) {
        return false;
    }
    mu_json_open(json, NULL, '{');
    mu_json_string(json, "withdrawn", text);
    put_account(json, account);
    mu_json_close(json, '}');
    mu_buf_byte(&call->response->body, '\n');
    return true;
}
