/* SPDX-License-Identifier: Apache-2.0
 *
 * Identifiers as clients write them.
 */
#include "client.h"

static bool read(const char *type, const char *value, struct acme_identifier *ret,
                 struct acme_call *call, struct mutual_error *err)
{
    MU_AUTO(api_json) json_t *object = json_pack("{s:s, s:s}", "type", type, "value", value);
    return acme_identifier_read(call, object, ret, err);
}

static void identifiers_are_read_strictly(void **state)
{
    (void)state;
    static const struct {
        const char *type, *value, *text; /* NULL: refused */
        bool wildcard;
    } rows[] = {
        {"dns", "a.example.org", "a.example.org", false},
        {"dns", "A.Example.ORG", "a.example.org", false},
        {"dns", "*.example.org", "example.org", true},
        {"ip", "192.0.2.1", "192.0.2.1", false},
        {"ip", "2001:db8::1", "2001:db8::1", false},
        {"ip", "2001:DB8::1", NULL, false},
        {"ip", "2001:db8:0::1", NULL, false},
        {"ip", "*.example.org", NULL, false},
        {"ip", "192.0.2.1/32", NULL, false},
        {"ip", "", NULL, false},
        {"dns", "", NULL, false},
        {"dns", "*", NULL, false},
        {"dns", "*.", NULL, false},
        {"dns", "*.*.example.org", NULL, false},
        {"dns", "a.*.example.org", NULL, false},
        {"dns", "-.example.org", NULL, false},
        {"dns", "a b.example.org", NULL, false},
        {"dns", "b\xc3\xbc.example.org", NULL, false},
        {"DNS", "a.example.org", NULL, false},
        {"uri", "spiffe://example.org/a", NULL, false},
    };
    static struct acme_call call;
    call.arena = mu_arena_new(1 << 16);
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct mutual_error err = {0};
        struct acme_identifier identifier = {0};
        bool good = read(rows[i].type, rows[i].value, &identifier, &call, &err);
        if (good != (rows[i].text != NULL) ||
            (good && (strcmp(identifier.name.text, rows[i].text) != 0 ||
                      identifier.wildcard != rows[i].wildcard))) {
            fail_msg("%s %s: %s", rows[i].type, rows[i].value, err.reason);
        }
    }
    struct mutual_error err = {0};
    struct acme_identifier identifier;
    assert_fails(read("email", "a@example.org", &identifier, &call, &err), &err,
                 MUTUAL_E_ACME_IDENTIFIER);
    assert_fails(acme_identifier_read(&call, NULL, &identifier, &err), &err,
                 MUTUAL_E_ACME_MALFORMED);
    mu_arena_free(call.arena);
}

UNIT_MAIN(UNIT_CASE(identifiers_are_read_strictly))
