/* SPDX-License-Identifier: Apache-2.0
 *
 * The OpenAPI 3.1 document, made of the tables that serve: what is in it answers, and what answers
 * is in it.
 */
#include <string.h>

#include "admin/admin_internal.h"

enum { NAME_MAX_ = 64 };

/* ---- schemas ----------------------------------------------------------------------------------
 */

static void put_type(struct mu_json *json, const char *type, bool maybe_null)
{
    if (!maybe_null) {
        mu_json_string(json, "type", type);
        return;
    }
    mu_json_open(json, "type", '[');
    mu_json_string(json, NULL, type);
    mu_json_string(json, NULL, "null");
    mu_json_close(json, ']');
}

static void put_reference(struct mu_json *json, const struct admin_schema *of)
{
    char reference[NAME_MAX_ + 32];
    (void)snprintf(reference, sizeof reference, "#/components/schemas/%s", of->name);
    mu_json_string(json, "$ref", reference);
}

static void put_bounds(struct mu_json *json, const struct admin_field *field, bool given)
{
    int64_t max = field->max != 0 ? field->max : ADMIN_TEXT_MAX;
    if (!given) {
        return; /* what is given is as long as it is */
    }
    if (field->kind == ADMIN_NUMBER) {
        mu_json_int(json, "minimum", field->min);
        mu_json_int(json, "maximum", field->max);
    } else {
        mu_json_int(json, "minLength", 1);
        mu_json_int(json, "maxLength", max);
    }
}

static void put_list(struct mu_json *json, const struct admin_field *field, bool taken)
{
    mu_json_string(json, "type", "array");
    if (taken && field->max > 0) {
        mu_json_int(json, "maxItems", field->max);
    }
    mu_json_open(json, "items", '{');
    if (field->kind == ADMIN_OBJECTS) {
        put_reference(json, field->of);
    } else {
        mu_json_string(json, "type", "string");
    }
    mu_json_close(json, '}');
}

/* The members of a value's schema. `taken`: of a request. */
static void put_value(struct mu_json *json, const struct admin_field *field, bool taken)
{
    switch (field->kind) {
    case ADMIN_TEXT:
    case ADMIN_BLOCK:
        put_type(json, "string", !taken);
        put_bounds(json, field, taken);
        break;
    case ADMIN_TIME:
        put_type(json, "string", !taken);
        mu_json_string(json, "format", "date-time");
        break;
    case ADMIN_WORD:
        mu_json_string(json, "type", "string");
        mu_json_open(json, "enum", '[');
        for (const char *const *word = field->words; *word != NULL; word++) {
            mu_json_string(json, NULL, *word);
        }
        mu_json_close(json, ']');
        break;
    case ADMIN_NUMBER:
        mu_json_string(json, "type", "integer");
        put_bounds(json, field, taken);
        break;
    case ADMIN_FLAG:
        mu_json_string(json, "type", "boolean");
        break;
    case ADMIN_TEXTS:
    case ADMIN_OBJECTS:
        put_list(json, field, taken);
        break;
    }
    mu_json_string(json, "description", field->help);
}

static void put_required(struct mu_json *json, const struct admin_schema *schema)
{
    bool any = false;
    for (const struct admin_field *field = schema->fields; field->name != NULL; field++) {
        any = any || field->required;
    }
    if (!any) {
        return;
    }
    mu_json_open(json, "required", '[');
    for (const struct admin_field *field = schema->fields; field->name != NULL; field++) {
        if (field->required) {
            mu_json_string(json, NULL, field->name);
        }
    }
    mu_json_close(json, ']');
}

static bool is_taken(const struct admin_schema *schema)
{
    for (size_t i = 0; i < admin_operation_count; i++) {
        if (admin_operations[i].takes == schema) {
            return true;
        }
    }
    return false;
}

static void put_schema(struct mu_json *json, const struct admin_schema *schema)
{
    bool taken = is_taken(schema);
    mu_json_open(json, schema->name, '{');
    mu_json_string(json, "type", "object");
    put_required(json, schema);
    mu_json_open(json, "properties", '{');
    for (const struct admin_field *field = schema->fields; field->name != NULL; field++) {
        mu_json_open(json, field->name, '{');
        put_value(json, field, taken);
        mu_json_close(json, '}');
    }
    mu_json_close(json, '}');
    if (taken) {
        mu_json_bool(json, "additionalProperties", false);
    }
    mu_json_close(json, '}');
}

static void put_components(struct mu_json *json)
{
    static const struct admin_schema *const all[] = {
#define SCHEMA(name_) &admin_##name_,
#define QUERY(name_)
#include "admin/schemas.def"
#undef SCHEMA
#undef QUERY
    };
    mu_json_open(json, "components", '{');
    mu_json_open(json, "schemas", '{');
    for (size_t i = 0; i < MU_COUNT(all); i++) {
        put_schema(json, all[i]);
    }
    mu_json_close(json, '}');
    mu_json_open(json, "securitySchemes", '{');
    mu_json_open(json, "certificate", '{');
    mu_json_string(json, "type", "mutualTLS");
    mu_json_string(json, "description", "the names of the client's certificate have the role");
    mu_json_close(json, '}');
    mu_json_close(json, '}');
    mu_json_close(json, '}');
}

/* ---- operations -------------------------------------------------------------------------------
 */

static void put_parameter(struct mu_json *json, const char *in, const struct admin_field *field,
                          bool required)
{
    mu_json_open(json, NULL, '{');
    mu_json_string(json, "name", field->name);
    mu_json_string(json, "in", in);
    mu_json_bool(json, "required", required);
    mu_json_string(json, "description", field->help);
    mu_json_open(json, "schema", '{');
    put_value(json, field, true);
    mu_json_close(json, '}');
    mu_json_close(json, '}');
}

static void put_path_parameters(struct mu_json *json, const char *path)
{
    for (const char *begin = path; (begin = strchr(begin, '{')) != NULL;) {
        char name[NAME_MAX_];
        const char *end = strchr(begin, '}');
        (void)snprintf(name, sizeof name, "%.*s", (int)(end - begin - 1), begin + 1);
        const struct admin_field field = {name, ADMIN_TEXT, true, .help = "which one"};
        put_parameter(json, "path", &field, true);
        begin = end;
    }
}

static void put_parameters(struct mu_json *json, const struct api_route *route,
                           const struct admin_operation *operation)
{
    static const struct admin_field key = {
        "Idempotency-Key", ADMIN_TEXT, .max = 255,
        .help = "of the caller's choice: the same request with the same key is done once"};
    static const struct admin_field match = {"If-Match", ADMIN_TEXT,
                                             .help = "an ETag: only while it is what was seen"};
    mu_json_open(json, "parameters", '[');
    put_path_parameters(json, route->path);
    for (const struct admin_field *field = operation->query; field->name != NULL; field++) {
        put_parameter(json, "query", field, field->required);
    }
    if (strcmp(route->method, "GET") != 0) {
        put_parameter(json, "header", &key, false);
    }
    if ((operation->traits & ADMIN_MATCH) != 0) {
        put_parameter(json, "header", &match, false);
    }
    mu_json_close(json, ']');
}

static void put_content(struct mu_json *json, const char *type, const struct admin_schema *schema)
{
    mu_json_open(json, type, '{');
    mu_json_open(json, "schema", '{');
    if (schema != NULL) {
        put_reference(json, schema);
    } else {
        mu_json_string(json, "type", "string");
    }
    mu_json_close(json, '}');
    mu_json_close(json, '}');
}

static void put_responses(struct mu_json *json, const struct admin_operation *operation)
{
    char status[8];
    (void)snprintf(status, sizeof status, "%u", operation->status);
    mu_json_open(json, "responses", '{');
    mu_json_open(json, status, '{');
    mu_json_string(json, "description", "done");
    mu_json_open(json, "content", '{');
    put_content(json, "application/json", operation->gives);
    if ((operation->traits & ADMIN_PEM) != 0) {
        put_content(json, "application/pem-certificate-chain", NULL);
    }
    if ((operation->traits & ADMIN_PLAIN) != 0) {
        put_content(json, "text/plain", NULL);
    }
    mu_json_close(json, '}');
    mu_json_close(json, '}');
    mu_json_open(json, "default", '{');
    mu_json_string(json, "description", "not done; a problem document (RFC 9457) says why");
    mu_json_open(json, "content", '{');
    put_content(json, "application/problem+json", &admin_problem);
    mu_json_close(json, '}');
    mu_json_close(json, '}');
    mu_json_close(json, '}');
}

static void put_body(struct mu_json *json, const struct admin_schema *takes)
{
    if (takes == NULL) {
        return;
    }
    mu_json_open(json, "requestBody", '{');
    mu_json_bool(json, "required", true);
    mu_json_open(json, "content", '{');
    put_content(json, "application/json", takes);
    mu_json_close(json, '}');
    mu_json_close(json, '}');
}

static void put_operation(struct mu_json *json, size_t at)
{
    const struct api_route *route = &admin_routes[at];
    const struct admin_operation *operation = &admin_operations[at];
    char method[8] = "";
    for (size_t i = 0; i < sizeof method - 1 && route->method[i] != '\0'; i++) {
        method[i] = (char)(route->method[i] | 0x20);
    }
    mu_json_open(json, method, '{');
    mu_json_string(json, "operationId", operation->name);
    mu_json_string(json, "summary", operation->summary);
    mu_json_string(json, "x-role", admin_role_word(operation->role));
    put_parameters(json, route, operation);
    put_body(json, operation->takes);
    put_responses(json, operation);
    mu_json_close(json, '}');
}

/* Is it the first row of its path? */
static bool is_first(size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (strcmp(admin_routes[i].path, admin_routes[at].path) == 0) {
            return false;
        }
    }
    return true;
}

static void put_paths(struct mu_json *json)
{
    mu_json_open(json, "paths", '{');
    for (size_t i = 0; i < admin_operation_count; i++) {
        if (!is_first(i)) {
            continue;
        }
        mu_json_open(json, admin_routes[i].path, '{');
        for (size_t k = i; k < admin_operation_count; k++) {
            if (strcmp(admin_routes[k].path, admin_routes[i].path) == 0) {
                put_operation(json, k);
            }
        }
        mu_json_close(json, '}');
    }
    mu_json_close(json, '}');
}

bool admin_get_document(struct admin_call *call, struct mutual_error *err)
{
    struct mu_json *json = &call->json;
    (void)err;
    mu_json_open(json, NULL, '{');
    mu_json_string(json, "openapi", "3.1.0");
    mu_json_open(json, "info", '{');
    mu_json_string(json, "title", "mutual: administration of an authority");
    mu_json_string(json, "version", MUTUAL_VERSION);
    mu_json_open(json, "license", '{');
    mu_json_string(json, "name", "Apache-2.0");
    mu_json_string(json, "identifier", "Apache-2.0");
    mu_json_close(json, '}');
    mu_json_close(json, '}');
    mu_json_open(json, "security", '[');
    mu_json_open(json, NULL, '{');
    mu_json_open(json, "certificate", '[');
    mu_json_close(json, ']');
    mu_json_close(json, '}');
    mu_json_close(json, ']');
    put_paths(json);
    put_components(json);
    mu_json_close(json, '}');
    mu_buf_byte(&call->response->body, '\n');
    return true;
}
