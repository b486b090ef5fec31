/* SPDX-License-Identifier: Apache-2.0
 *
 * Who may what: by the names that were proved and the configuration's list, at each request.
 */
#include "admin/admin_internal.h"

const char *admin_role_word(enum admin_role role)
{
    static const char *const words[] = {"nobody", "auditor", "operator", "admin"};
    mu_assert((size_t)role < MU_COUNT(words));
    return words[role];
}

static bool is_meant(const struct admin_holder *holder, const struct api_caller *caller)
{
    for (size_t i = 0; i < caller->name_count; i++) {
        if (mutual_pattern_matches(holder->who, &caller->names[i])) {
            return true;
        }
    }
    return false;
}

enum admin_role admin_role_of(const struct admin_settings *settings,
                              const struct api_caller *caller)
{
    enum admin_role role = ADMIN_NOBODY;
    if (caller->channel == API_LOCAL) {
        return ADMIN_ADMIN; /* who may open the socket is decided where it is accepted */
    }
    if (caller->channel != API_MUTUAL || caller->leaf == NULL || settings == NULL) {
        return ADMIN_NOBODY;
    }
    for (size_t i = 0; i < settings->count; i++) {
        if (settings->holders[i].role > role && is_meant(&settings->holders[i], caller)) {
            role = settings->holders[i].role;
        }
    }
    return role;
}
