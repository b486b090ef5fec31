/* SPDX-License-Identifier: Apache-2.0
 *
 * Responses: fields, and problem documents (RFC 9457) made of our own errors.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/api_internal.h"

enum { FIELDS_MAX = 16384, LOG_LINE = 1024 };

void api_response_init(struct api_response *response)
{
    *response = (struct api_response){.status = 200};
    mu_buf_init_secret(&response->body, MU_LIMIT_HTTP_RESPONSE); /* tokens and keys are in some */
    mu_buf_init(&response->fields, FIELDS_MAX);
}

void api_response_done(struct api_response *response)
{
    mu_buf_done(&response->body);
    mu_buf_done(&response->fields);
}

void mu_api_response_auto(struct api_response *response)
{
    api_response_done(response);
}

/* Kept as they are written on the wire, so that what cannot be written shows here. */
void api_field(struct api_response *response, const char *name, const char *value)
{
    http_put_text(&response->fields, name, value);
}

void api_count(const struct api_world *world, enum api_event event, const char *first,
               const char *second, const char *third)
{
    if (world->count != NULL) {
        world->count(world->count_context, event, (const char *const[]){first, second, third});
    }
}

const char *api_result_of(unsigned status)
{
    return status >= 500   ? API_RESULT_FAILED
           : status == 202 ? API_RESULT_WAITS
           : status >= 300 ? API_RESULT_REFUSED
                           : API_RESULT_ISSUED;
}

void api_log(const struct api_world *world, const char *format, ...)
{
    char line[LOG_LINE];
    va_list args;
    if (world->log == NULL) {
        return;
    }
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    world->log(world->log_context, line);
}

void api_tell(const struct api_world *world, const struct api_request *request,
              const struct mutual_error *why)
{
    MU_AUTO(buf) struct mu_buf path;
    mu_buf_init(&path, LOG_LINE);
    mu_escape(&path, request->head->path);
    api_log(world, "%s for %s: error[%s]: %s%s%s%s%s", mu_buf_str(&path), request->who,
            mutual_code_name(why->code), why->reason, why->context[0] != '\0' ? "; " : "",
            why->context, why->hint[0] != '\0' ? ". " : "", why->hint);
    if (world->failed != NULL) {
        world->failed(world->failed_context, why);
    }
}

unsigned api_status_of(const struct mutual_error *why)
{
    static const struct {
        enum mutual_code code;
        unsigned status;
    } known[] = {
        {MUTUAL_E_TOKEN_UNKNOWN, 401},   {MUTUAL_E_TOKEN_MALFORMED, 401},
        {MUTUAL_E_TOKEN_USED, 403},      {MUTUAL_E_TOKEN_EXPIRED, 403},
        {MUTUAL_E_REQUEST_NAMES, 403},   {MUTUAL_E_REQUEST_DENIED, 403},
        {MUTUAL_E_PROFILE_DENIED, 403},  {MUTUAL_E_ISSUER_CONSTRAINT, 403},
        {MUTUAL_E_NAME_MALFORMED, 400},  {MUTUAL_E_SPIFFE_MALFORMED, 400},
        {MUTUAL_E_NOT_FOUND, 404},       {MUTUAL_E_AMBIGUOUS, 409},
        {MUTUAL_E_ALREADY_REVOKED, 409}, {MUTUAL_E_ALREADY_EXISTS, 409},
        {MUTUAL_E_LIMIT, 413},           {MUTUAL_E_FILE_TOO_LARGE, 413},
        {MUTUAL_E_PEM_MALFORMED, 400},   {MUTUAL_E_KEY_UNAVAILABLE, 503},
        {MUTUAL_E_STORE_BUSY, 503},      {MUTUAL_E_STORE_UNREACHABLE, 503},
        {MUTUAL_E_DISK_FULL, 503},       {MUTUAL_E_STORE_FAILED, 503},
        {MUTUAL_E_FILE_UNWRITABLE, 503}, {MUTUAL_E_CERT_EXPIRED, 403},
        {MUTUAL_E_CERT_REVOKED, 403},    {MUTUAL_E_CERT_NOT_YET_VALID, 403},
        {MUTUAL_E_UNKNOWN_ISSUER, 403},  {MUTUAL_E_POLICY_DENIED, 403},
        {MUTUAL_E_NO_CLIENT_CERT, 403},  {MUTUAL_E_ROLE_MISSING, 403},
        {MUTUAL_E_CHANGED, 412},         {MUTUAL_E_REPEATED, 409},
    };
    for (size_t i = 0; i < MU_COUNT(known); i++) {
        if (known[i].code == why->code) {
            return known[i].status;
        }
    }
    switch (mutual_code_class(why->code)) {
    case MUTUAL_CLASS_USAGE:
    case MUTUAL_CLASS_PEER:
        return 400;
    case MUTUAL_CLASS_CONFIG:
    case MUTUAL_CLASS_SYSTEM:
    case MUTUAL_CLASS_BUG:
    case MUTUAL_CLASS_COUNT_:
        break;
    }
    return 500;
}

/* May a stranger read the reason? It tells of what he sent, or of a rule that he meets. The rest
 * are matters of this house. */
static bool is_his(const struct mutual_error *why)
{
    if (why->code == MUTUAL_E_PEM_MALFORMED || why->code == MUTUAL_E_LIMIT ||
        why->code == MUTUAL_E_KEY_UNSUPPORTED) {
        return true;
    }
    enum mutual_class klass = mutual_code_class(why->code);
    return klass == MUTUAL_CLASS_PEER || klass == MUTUAL_CLASS_USAGE;
}

void api_problem(struct api_response *response, unsigned status, const char *type,
                 const struct mutual_error *why)
{
    struct mu_json json;
    bool told = why != NULL && why->code != MUTUAL_OK;
    response->status = status;
    response->content_type = "application/problem+json";
    response->why = why != NULL ? *why : (struct mutual_error){0};
    mu_buf_clear(&response->body);
    mu_json_init(&json, &response->body);
    mu_json_open(&json, NULL, '{');
    mu_json_string(&json, "type", type != NULL ? type : "about:blank");
    mu_json_string(&json, "title",
                   type != NULL && told ? mutual_code_text(why->code) : http_reason(status));
    mu_json_int(&json, "status", status);
    if (told) {
        bool his = is_his(why);
        mu_json_string(&json, "detail", his ? why->reason : mutual_code_text(why->code));
        mu_json_string(&json, "code", mutual_code_name(why->code));
        if (his && why->hint[0] != '\0') {
            mu_json_string(&json, "hint", why->hint);
        }
    }
    mu_json_close(&json, '}');
}

void api_fail(struct api_world *world, const struct api_request *request,
              struct api_response *response, const struct mutual_error *why)
{
    unsigned status = api_status_of(why);
    if (status == 503) {
        api_field(response, "Retry-After", "5");
    }
    api_problem(response, status, NULL, why);
    if (!is_his(why)) {
        api_tell(world, request, why);
    }
}
