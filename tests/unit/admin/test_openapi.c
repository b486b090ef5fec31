/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"

static const json_t *operation_of(const json_t *document, const struct api_route *route)
{
    char method[8] = "";
    for (size_t i = 0; i < sizeof method - 1 && route->method[i] != '\0'; i++) {
        method[i] = (char)(route->method[i] | 0x20);
    }
    const json_t *paths = json_object_get(document, "paths");
    return json_object_get(json_object_get(paths, route->path), method);
}

static void every_route_is_in_the_document_and_nothing_else(void **state)
{
    (void)state;
    json_t *document = ask("GET", "/openapi.json", NULL, 200);
    size_t documented = 0;
    const char *path;
    json_t *operations;
    json_object_foreach(json_object_get(document, "paths"), path, operations)
    {
        documented += json_object_size(operations);
    }
    assert_int_equal(documented, admin_operation_count);
    for (size_t i = 0; i < admin_operation_count; i++) {
        const json_t *operation = operation_of(document, &admin_routes[i]);
        assert_string_equal(text_of(operation, "operationId"), admin_operations[i].name);
        assert_string_equal(text_of(operation, "x-role"),
                            admin_role_word(admin_operations[i].role));
        assert_int_equal(json_object_get(operation, "requestBody") != NULL,
                         admin_operations[i].takes != NULL);
    }
    json_decref(document);
}

static void every_parameter_of_a_path_is_named(void **state)
{
    (void)state;
    json_t *document = ask("GET", "/openapi.json", NULL, 200);
    for (size_t i = 0; i < admin_operation_count; i++) {
        const json_t *list =
            json_object_get(operation_of(document, &admin_routes[i]), "parameters");
        size_t in_path = 0;
        for (size_t k = 0; k < json_array_size(list); k++) {
            in_path += strcmp(text_of(json_array_get(list, k), "in"), "path") == 0;
        }
        assert_int_equal(in_path, strchr(admin_routes[i].path, '{') != NULL);
    }
    json_decref(document);
}

/* Each is called with its method as somebody who may: the route is there, whatever it says. */
/* What the document allows is not refused, and what it does not is. */
static void a_limit_is_what_the_document_says(void **state)
{
    (void)state;
    json_t *document = ask("GET", "/openapi.json", NULL, 200);
    for (size_t i = 0; i < admin_operation_count; i++) {
        const json_t *list =
            json_object_get(operation_of(document, &admin_routes[i]), "parameters");
        for (size_t k = 0; k < json_array_size(list); k++) {
            const json_t *one = json_array_get(list, k);
            if (strcmp(text_of(one, "name"), "limit") == 0) {
                char path[128];
                int64_t least = number_of(json_object_get(one, "schema"), "minimum");
                const char *route = admin_routes[i].path + strlen(ADMIN_PATH);
                (void)snprintf(path, sizeof path, "%s?limit=%lld", route, (long long)least);
                json_decref(ask("GET", path, NULL, 200));
                (void)snprintf(path, sizeof path, "%s?limit=%lld", route, (long long)least - 1);
                refused("GET", path, NULL, NULL, 400, "OPTION_VALUE");
            }
        }
    }
    json_decref(document);
}

static void every_documented_operation_answers(void **state)
{
    (void)state;
    as(ADMIN_ADMIN);
    for (size_t i = 0; i < admin_operation_count; i++) {
        static struct api_reply reply;
        const char *path = admin_routes[i].path + strlen(ADMIN_PATH);
        char filled[256];
        const char *brace = strchr(path, '{');
        (void)snprintf(filled, sizeof filled, "%.*s%s%s",
                       brace != NULL ? (int)(brace - path) : (int)strlen(path), path,
                       brace != NULL ? "12345678" : "",
                       brace != NULL ? strchr(brace, '}') + 1 : "");
        call(admin_routes[i].method, filled, NULL, admin_operations[i].takes != NULL ? "{}" : NULL,
             &reply);
        bool parameter = brace != NULL;
        unsigned status = reply.head.status;
        assert_true(status == admin_operations[i].status || status == 400 ||
                    (parameter && status == 404));
        api_reply_done(&reply);
    }
}

ADMIN_MAIN(UNIT_CASE(every_route_is_in_the_document_and_nothing_else),
           UNIT_CASE(every_parameter_of_a_path_is_named),
           UNIT_CASE(every_documented_operation_answers),
           UNIT_CASE(a_limit_is_what_the_document_says))
