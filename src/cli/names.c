/* SPDX-License-Identifier: Apache-2.0
 *
 * The names that options give, checked.
 */
#include <string.h>

#include "cli/authority_internal.h"

/* `type` MUTUAL_NAME_COUNT_: told by the form. */
static bool add(struct ca_names *names, enum mutual_name_type type, const struct cli_texts *texts,
                struct mutual_error *err)
{
    for (size_t i = 0; i < texts->count; i++) {
        char storage[MU_LIMIT_NAME_BYTES + 1];
        struct mutual_name name;
        const char *text = texts->items[i];
        bool good =
            type == MUTUAL_NAME_COUNT_
                ? ca_name_guess(text, storage, sizeof storage, &name, err)
                : mutual_name_parse(type, text, strlen(text), storage, sizeof storage, &name, err);
        if (!good || !ca_names_add(names, &name, err)) {
            return false;
        }
    }
    return true;
}

bool authority_names_read(const struct authority_san *options, struct ca_names *ret_names,
                          struct mutual_error *err)
{
    MU_AUTO(ca_names) struct ca_names names = {0};
    if (!ca_names_init(&names, err) || !add(&names, MUTUAL_NAME_SPIFFE, &options->spiffe, err) ||
        !add(&names, MUTUAL_NAME_DNS, &options->dns, err) ||
        !add(&names, MUTUAL_NAME_EMAIL, &options->email, err) ||
        !add(&names, MUTUAL_NAME_IP, &options->ip, err) ||
        !add(&names, MUTUAL_NAME_COUNT_, &options->san, err)) {
        return false;
    }
    *ret_names = names;
    names = (struct ca_names){0};
    return true;
}
