/* SPDX-License-Identifier: Apache-2.0
 *
 * The names that options give, checked.
 */
#include <string.h>

#include "cli/authority_internal.h"

void authority_names_free(struct authority_names *names)
{
    if (names != NULL) {
        mu_arena_free(names->arena);
        mu_free(names);
    }
}

void mu_authority_names_auto(struct authority_names **names)
{
    authority_names_free(*names);
}

/* `type` MUTUAL_NAME_COUNT_: told by the form. */
static bool add(struct authority_names *names, enum mutual_name_type type,
                const struct cli_texts *texts, struct mutual_error *err)
{
    for (size_t i = 0; i < texts->count; i++) {
        char storage[MU_LIMIT_NAME_BYTES + 1];
        struct mutual_name name;
        const char *text = texts->items[i];
        bool good =
            type == MUTUAL_NAME_COUNT_
                ? ca_name_guess(text, storage, sizeof storage, &name, err)
                : mutual_name_parse(type, text, strlen(text), storage, sizeof storage, &name, err);
        if (!good) {
            return false;
        }
        if (names->count == MU_COUNT(names->items)) {
            return mu_fail(err, MUTUAL_E_LIMIT, "a certificate holds at most %u names",
                           MU_LIMIT_CERT_NAMES);
        }
        name.text = mu_arena_strndup(names->arena, name.text, name.len);
        if (name.text == NULL) {
            return mu_fail_memory(err);
        }
        names->items[names->count++] = name;
    }
    return true;
}

bool authority_names_read(const struct authority_san *options, struct authority_names **ret_names,
                          struct mutual_error *err)
{
    MU_AUTO(authority_names) struct authority_names *names = mu_alloc(1, sizeof *names);
    if (names != NULL) {
        names->arena = mu_arena_new(MU_LIMIT_CERT_NAMES * (MU_LIMIT_NAME_BYTES + 64));
    }
    if (names == NULL || names->arena == NULL) {
        return mu_fail_memory(err);
    }
    if (!add(names, MUTUAL_NAME_SPIFFE, &options->spiffe, err) ||
        !add(names, MUTUAL_NAME_DNS, &options->dns, err) ||
        !add(names, MUTUAL_NAME_EMAIL, &options->email, err) ||
        !add(names, MUTUAL_NAME_IP, &options->ip, err) ||
        !add(names, MUTUAL_NAME_COUNT_, &options->san, err)) {
        return false;
    }
    *ret_names = MU_TAKE(names);
    return true;
}
