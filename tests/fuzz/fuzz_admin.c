/* SPDX-License-Identifier: Apache-2.0
 *
 * A body of the administration; the first byte says of which operation.
 */
#include "admin/admin_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct admin_schema *const schemas[] = {&admin_issue_wish, &admin_revoke_wish,
                                                         &admin_token_wish, &admin_binding_wish};
    MU_AUTO(api_json) json_t *body = NULL;
    MU_AUTO(ca_names) struct ca_names names = {0};
    struct mutual_error err = {0};
    if (size == 0) {
        return 0;
    }
    const struct admin_schema *schema = schemas[data[0] % MU_COUNT(schemas)];
    if (!admin_body_read(mu_slice_of(data + 1, size - 1), schema, &body, &err)) {
        mu_assert(body == NULL && err.code != MUTUAL_OK && err.reason[0] != '\0');
        return 0;
    }
    for (const struct admin_field *field = schema->fields; field->name != NULL; field++) {
        mu_assert(!field->required || json_object_get(body, field->name) != NULL);
    }
    if (admin_names_read(json_object_get(body, "names"), &names, &err)) {
        mu_assert(names.count <= MU_LIMIT_CERT_NAMES);
    }
    return 0;
}
