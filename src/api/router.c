/* SPDX-License-Identifier: Apache-2.0
 *
 * From a request to the one handler that may have it.
 */
#include <string.h>

#include "api/api_internal.h"

enum { ALLOW_MAX = 128 };

/* What the stars and braces of a route stand for. */
struct parts {
    struct mu_slice rest;
    struct mu_slice parameters[API_PARAMETERS];
};

/* A path with "{...}": better the more of it is written out. */
static size_t fit_parameters(const char *pattern, struct mu_slice path, struct parts *ret_parts)
{
    size_t at = 0;
    size_t literal = 0;
    size_t count = 0;
    for (const char *p = pattern; *p != '\0';) {
        if (*p != '{') {
            if (at == path.len || path.data[at++] != (uint8_t)*p++) {
                return 0;
            }
            literal++;
            continue;
        }
        size_t begin = at;
        while (at < path.len && path.data[at] != '/') {
            at++;
        }
        mu_assert(count < API_PARAMETERS);
        ret_parts->parameters[count++] = mu_slice_of(path.data + begin, at - begin);
        p = strchr(p, '}') + 1;
        if (at == begin) {
            return 0;
        }
    }
    return at == path.len ? SIZE_MAX / 2 + literal : 0;
}

/* How well the route's path fits: 0 not at all, more is better. */
static size_t fit(const struct api_route *route, struct mu_slice path, struct parts *ret_parts)
{
    *ret_parts = (struct parts){.rest = mu_slice_of(path.data + path.len, 0)};
    if (strchr(route->path, '{') != NULL) {
        return fit_parameters(route->path, path, ret_parts);
    }
    size_t len = strlen(route->path);
    if (len > 0 && route->path[len - 1] == '*') {
        if (path.len >= len && memcmp(path.data, route->path, len - 1) == 0) {
            ret_parts->rest = mu_slice_of(path.data + len - 1, path.len - (len - 1));
            return len;
        }
        return 0;
    }
    return mu_slice_equal_text(path, route->path) ? SIZE_MAX : 0;
}

struct match {
    const struct api_route *route; /* method, path and channel fit */
    struct parts parts;
    size_t best;           /* fit of the path, whatever the method */
    bool open;             /* some method of it on this channel    */
    unsigned channels;     /* of that path, all methods            */
    struct mu_buf methods; /* for Allow                            */
};

static bool method_fits(const struct api_route *route, struct mu_slice method)
{
    return mu_slice_equal_text(method, route->method) ||
           (mu_slice_equal_text(method, "HEAD") && strcmp(route->method, "GET") == 0);
}

static void look_at(struct match *match, const struct api_route *route,
                    const struct http_head *head, enum api_channel channel)
{
    struct parts parts;
    size_t how = fit(route, head->path, &parts);
    if (how == 0 || how < match->best) {
        return;
    }
    if (how > match->best) { /* a better path: what a worse one allows does not count */
        mu_buf_clear(&match->methods);
        match->best = how;
        match->route = NULL;
        match->open = false;
        match->channels = 0;
    }
    match->channels |= route->channels;
    if ((route->channels & API_ON(channel)) == 0) {
        return;
    }
    match->open = true;
    (void)mu_buf_printf(&match->methods, "%s%s%s", match->methods.len > 0 ? ", " : "",
                        route->method, strcmp(route->method, "GET") == 0 ? ", HEAD" : "");
    if (match->route == NULL && method_fits(route, head->method)) {
        match->route = route;
        match->parts = parts;
    }
}

static void refuse_channel(struct api_response *response, const struct match *match,
                           const struct api_caller *caller)
{
    struct mutual_error why = {0};
    if ((match->channels & API_ON(API_TLS)) == 0 && (match->channels & API_ON(API_MUTUAL)) != 0) {
        (void)mu_fail(&why, MUTUAL_E_NO_CLIENT_CERT,
                      "this path answers only callers who prove a certificate, and \"%s\" over "
                      "%s proved none",
                      caller->address, api_channel_word(caller->channel));
    } else {
        (void)mu_fail(&why, MUTUAL_E_POLICY_DENIED, "this path does not answer over %s",
                      api_channel_word(caller->channel));
        (void)mu_error_hint(&why, "Use the authority's TLS listener.");
    }
    api_problem(response, 403, NULL, &why);
}

static void refuse_method(struct api_response *response, struct match *match,
                          const struct http_head *head)
{
    struct mutual_error why = {0};
    (void)mu_fail(&why, MUTUAL_E_HTTP_UNSUPPORTED, "this path knows no method %.*s",
                  (int)head->method.len, (const char *)head->method.data);
    (void)mu_error_hint(&why, "Use one of: %s.", mu_buf_str(&match->methods));
    api_field(response, "Allow", mu_buf_str(&match->methods));
    api_problem(response, 405, NULL, &why);
}

/* Is the body one that the route takes? */
static bool body_fits(struct api_response *response, const struct api_route *route,
                      const struct http_head *head, struct mu_slice body)
{
    struct mutual_error why = {0};
    if (body.len > route->body_max) {
        (void)mu_fail(&why, MUTUAL_E_HTTP_LIMIT, "the body has %zu bytes, this path takes %zu",
                      body.len, route->body_max);
        api_problem(response, 413, NULL, &why);
        return false;
    }
    if (route->body_type != NULL && !api_has_type(head, route->body_type)) {
        (void)mu_fail(&why, MUTUAL_E_HTTP_UNSUPPORTED,
                      "the body's media type is not that of this path");
        (void)mu_error_hint(&why, "Send it with Content-Type: %s.", route->body_type);
        api_field(response, "Accept", route->body_type);
        api_problem(response, 415, NULL, &why);
        return false;
    }
    return true;
}

static void find(const struct api_table *const *tables, size_t table_count,
                 const struct http_head *head, enum api_channel channel, struct match *match)
{
    for (size_t i = 0; i < table_count; i++) {
        for (size_t k = 0; k < tables[i]->count; k++) {
            look_at(match, &tables[i]->routes[k], head, channel);
        }
    }
}

static void refuse_path(struct api_response *response)
{
    struct mutual_error why = {0};
    (void)mu_fail(&why, MUTUAL_E_NOT_FOUND, "there is nothing at this path");
    (void)mu_error_hint(&why, "Look at the address again.");
    api_problem(response, 404, NULL, &why);
}

void api_serve(const struct api_table *const *tables, size_t table_count, struct api_world *world,
               const struct http_head *head, struct mu_slice body, const struct api_caller *caller,
               int64_t now_s, struct api_response *response)
{
    struct match match = {0};
    MU_AUTO(buf) struct mu_buf who;
    mu_buf_init(&who, API_WHO_MAX);
    mu_buf_init(&match.methods, ALLOW_MAX);
    find(tables, table_count, head, caller->channel, &match);
    if (match.best == 0) {
        refuse_path(response);
    } else if (!match.open) {
        refuse_channel(response, &match, caller);
    } else if (match.route == NULL) {
        refuse_method(response, &match, head);
    } else if (body_fits(response, match.route, head, body)) {
        struct mutual_error lost = {0};
        api_who(caller, NULL, &who);
        if (who.failed) {
            api_who_refuse(response);
            mu_buf_done(&match.methods);
            return;
        }
        /* whichever issuer the request before was about, this one begins with the first */
        if (world->ca != NULL && (!ca_select(world->ca, NULL, &lost) ||
                                  !ca_speak_for(world->ca, mu_buf_str(&who), &lost))) {
            api_problem(response, 503, NULL, &lost);
            mu_buf_done(&match.methods);
            return;
        }
        struct api_request request = {
            .route = match.route,
            .head = head,
            .path_rest = match.parts.rest,
            .body = body,
            .caller = caller,
            .now_s = now_s,
            .who = mu_buf_str(&who),
        };
        memcpy(request.parameters, match.parts.parameters, sizeof request.parameters);
        match.route->handle(world, &request, response);
    }
    mu_buf_done(&match.methods);
    if (response->body.failed || response->fields.failed) { /* half an answer is worse than none */
        response->body.failed = false;
        response->fields.failed = false;
        mu_buf_clear(&response->fields);
        api_problem(response, 500, NULL, NULL);
    }
}

static void put_fields(void *context, struct mu_buf *out)
{
    const struct api_response *response = context;
    (void)mu_buf_append(out, response->fields.data, response->fields.len);
}

unsigned api_answer(const struct api_table *const *tables, size_t table_count,
                    struct api_world *world, const struct http_request *request,
                    const struct api_caller *caller, int64_t now_s)
{
    MU_AUTO(api_response) struct api_response response;
    api_response_init(&response);
    api_serve(tables, table_count, world, request->head, request->body, caller, now_s, &response);
    const struct http_response answer = {
        .status = response.status,
        .content_type = response.content_type,
        .body = mu_buf_slice(&response.body),
        .close = response.close,
        .fields = put_fields,
        .context = &response,
    };
    http_answer(request->exchange, &answer);
    return answer.status;
}
