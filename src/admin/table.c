/* SPDX-License-Identifier: Apache-2.0
 *
 * The table that serves, and what every operation has before and behind it: the role, the query,
 * the body, the lock of the store around whatever changes something.
 */
#include <string.h>

#include "admin/admin_internal.h"

#define ROUTE(method_, path_, name_, role_, takes_, query_, gives_, status_, traits_, summary_) \
    {#name_,  ADMIN_##role_, takes_,   admin_##query_, gives_,                                  \
     status_, traits_,       summary_, admin_##name_},
const struct admin_operation admin_operations[] = {
#include "admin/routes.def"
};
#undef ROUTE
const size_t admin_operation_count = MU_COUNT(admin_operations);

static bool changes(const struct api_request *request)
{
    return !mu_slice_equal_text(request->head->method, "GET") &&
           !mu_slice_equal_text(request->head->method, "HEAD");
}

/* ---- ETag, If-Match (RFC 9110 section 8.8.3, 13.1.1) -------------------------------------------
 */

enum { TAG_TEXT = 40 };

static bool tag_of(struct mu_slice object, char tag[TAG_TEXT], struct mutual_error *err)
{
    uint8_t digest[32];
    MU_AUTO(buf) struct mu_buf hex;
    mu_buf_init(&hex, 64);
    if (!mu_sha256(object, digest, err)) {
        return false;
    }
    mu_hex(&hex, mu_slice_of(digest, 16));
    (void)snprintf(tag, TAG_TEXT, "\"%s\"", mu_buf_str(&hex));
    return true;
}

/* A weak tag ("W/") matches nothing here, as the strong comparison has it. */
static bool lists_tag(struct mu_slice value, const char *tag)
{
    size_t len = strlen(tag);
    if (mu_slice_equal_text(value, "*")) {
        return true;
    }
    for (size_t i = 0; i + len <= value.len; i++) {
        bool begins = i == 0 || strchr(", \t", value.data[i - 1]) != NULL;
        bool ends = i + len == value.len || strchr(", \t", value.data[i + len]) != NULL;
        if (begins && ends && memcmp(value.data + i, tag, len) == 0) {
            return true;
        }
    }
    return false;
}

bool admin_match(const struct admin_call *call, struct mu_slice now, struct mutual_error *err)
{
    const struct http_head *head = call->request->head;
    struct mu_slice value;
    char tag[TAG_TEXT];
    if (http_field_count(head, "If-Match") == 0) {
        return true;
    }
    if (!tag_of(now, tag, err)) {
        return false;
    }
    return (http_field_find(head, "If-Match", &value) && lists_tag(value, tag)) ||
           mu_fail(err, MUTUAL_E_CHANGED, "it is not what If-Match says any more") ||
           mu_error_hint(err, "Get it again: its ETag is %s now.", tag);
}

bool admin_path_number(const struct admin_call *call, int64_t *ret_number, struct mutual_error *err)
{
    char text[24] = "";
    uint64_t number = 0;
    struct mu_slice part = call->request->parameters[0];
    if (part.len < sizeof text) {
        (void)snprintf(text, sizeof text, "%.*s", (int)part.len, (const char *)part.data);
    }
    if (!mu_text_uint(text, INT64_MAX, &number) || number == 0) {
        return mu_fail(err, MUTUAL_E_NOT_FOUND, "there is nothing of that number");
    }
    *ret_number = (int64_t)number;
    return true;
}

/* ---- handling ---------------------------------------------------------------------------------
 */

static void refuse_role(struct admin_call *call, enum admin_role role)
{
    struct mutual_error why = {0};
    const struct api_request *request = call->request;
    const char *needed = admin_role_word(call->operation->role);
    MU_AUTO(buf) struct mu_buf path;
    mu_buf_init(&path, 16384);
    (void)mu_fail(&why, MUTUAL_E_ROLE_MISSING, "this needs the role %s, and \"%.80s\" is %s%s",
                  needed, request->who, role == ADMIN_NOBODY ? "" : "only ", admin_role_word(role));
    mu_escape(&path, request->head->path);
    api_log(call->world, "%.*s %.200s for %s: error[ROLE_MISSING]: the role %s is missing",
            (int)request->head->method.len, (const char *)request->head->method.data,
            mu_buf_str(&path), request->who, needed);
    api_problem(call->response, 403, NULL, &why);
}

/* Is the value of Origin (RFC 6454 section 7) that of the URL? Browsers leave out the port that the
 * scheme has. */
static bool is_origin_of(struct mu_slice value, const char *url)
{
    const char *host = url != NULL ? strstr(url, "://") : NULL;
    if (host == NULL) {
        return false;
    }
    size_t len = (size_t)(host - url) + 3;
    len += strcspn(url + len, "/");
    if (len > 4 && strncmp(url, "https:", 6) == 0 && strncmp(url + len - 4, ":443", 4) == 0) {
        len -= 4;
    }
    for (size_t i = 0; i < len && i < value.len; i++) {
        uint8_t c = (uint8_t)url[i];
        if (value.data[i] != (c >= 'A' && c <= 'Z' ? (c | 0x20) : c)) {
            return false;
        }
    }
    return value.len == len;
}

/* A browser that holds an administrator's certificate shows it for whichever page has it send
 * something. It says so itself: Sec-Fetch-Site (W3C Fetch Metadata), Origin (RFC 6454). */
static bool is_own_wish(const struct admin_call *call, struct mutual_error *err)
{
    const struct http_head *head = call->request->head;
    const struct api_settings *settings = call->world->settings;
    const char *url = settings != NULL ? settings->url : NULL;
    struct mu_slice value = {0};
    bool site = http_field_count(head, "Sec-Fetch-Site") == 0 ||
                (http_field_find(head, "Sec-Fetch-Site", &value) &&
                 (mu_slice_equal_text(value, "same-origin") || mu_slice_equal_text(value, "none")));
    bool origin = http_field_count(head, "Origin") == 0 ||
                  (http_field_find(head, "Origin", &value) && is_origin_of(value, url));
    return (site && origin) ||
           mu_fail(
               err, MUTUAL_E_POLICY_DENIED,
               "a page of another site had this sent by a browser, and nothing is changed so") ||
           mu_error_hint(err, "Send it with a program of your own, or from a page of the "
                              "authority's own URL.");
}

static bool run_changing(struct admin_call *call, struct mutual_error *err)
{
    if (!is_own_wish(call, err) || !ca_lock(call->ca, call->request->now_s, NULL, err)) {
        return false;
    }
    bool good = admin_once(call, err);
    ca_unlock(call->ca);
    return good;
}

static bool run(struct admin_call *call, struct mutual_error *err)
{
    const struct admin_operation *operation = call->operation;
    if (!admin_query_check(call, err) ||
        (operation->takes != NULL &&
         !admin_body_read(call->request->body, operation->takes, &call->body, err))) {
        return false;
    }
    return changes(call->request) ? run_changing(call, err) : operation->handle(call, err);
}

/* In the audit whoever acts has the name that lets him, and not any that he has besides. */
static bool speak_for_holder(struct admin_call *call, struct api_request *mine, struct mu_buf *who)
{
    struct mutual_error lost = {0};
    api_who(mine->caller, call->name, who);
    if (who->failed) {
        api_who_refuse(call->response);
        return false;
    }
    mine->who = mu_buf_str(who);
    call->request = mine;
    if (!ca_speak_for(call->ca, mine->who, &lost)) {
        api_problem(call->response, 503, NULL, &lost);
        return false;
    }
    return true;
}

static void put_tag(struct admin_call *call)
{
    char tag[TAG_TEXT];
    if ((call->operation->traits & ADMIN_TAGGED) != 0 &&
        strcmp(call->response->content_type, "application/json") == 0 &&
        tag_of(mu_buf_slice(&call->response->body), tag, NULL)) {
        api_field(call->response, "ETag", tag);
    }
}

static void handle(struct api_world *world, const struct api_request *request,
                   struct api_response *response)
{
    struct mutual_error err = {0};
    struct admin_call call = {
        .world = world,
        .ca = world->ca,
        .request = request,
        .response = response,
        .operation = &admin_operations[request->route - admin_routes],
    };
    const struct admin_settings *settings = world->settings != NULL ? world->settings->admin : NULL;
    enum admin_role role = admin_role_of(settings, request->caller, &call.name);
    if (role < call.operation->role) {
        refuse_role(&call, role);
        return;
    }
    if (request->caller->leaf != NULL && !ca_stands(call.ca, request->caller->leaf, &err)) {
        api_fail(world, request, response, &err);
        return;
    }
    MU_AUTO(buf) struct mu_buf who;
    mu_buf_init(&who, API_WHO_MAX);
    struct api_request mine = *request;
    if (!speak_for_holder(&call, &mine, &who)) {
        return;
    }
    response->status = call.operation->status;
    response->content_type = "application/json";
    mu_json_init(&call.json, &response->body);
    api_field(response, "Cache-Control", "no-store");
    if (run(&call, &err)) {
        put_tag(&call);
    } else {
        api_fail(world, request, response, &err);
    }
    json_decref(call.body);
}

/* A body that is not announced by the operation is refused, whatever its type. */
#define TYPE_OF(takes_) ((takes_) != NULL ? "application/json" : NULL)
#define SIZE_OF(takes_) ((takes_) != NULL ? MU_LIMIT_API_BODY : 0)
#define ROUTE(method_, path_, name_, role_, takes_, query_, gives_, status_, traits_, summary_) \
    {#method_,        ADMIN_PATH path_, API_ON(API_MUTUAL) | API_ON(API_LOCAL),                 \
     TYPE_OF(takes_), SIZE_OF(takes_),  handle},
const struct api_route admin_routes[] = {
#include "admin/routes.def"
};
#undef ROUTE
const struct api_table admin_table = {"admin", admin_routes, MU_COUNT(admin_routes), NULL};
