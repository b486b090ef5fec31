/* SPDX-License-Identifier: Apache-2.0
 *
 * Who may what: by the names that were proved and the configuration's list, at each request.
 */
#include <string.h>

#include "admin/admin_internal.h"

const char *admin_role_word(enum admin_role role)
{
    static const char *const words[] = {"nobody", "auditor", "operator", "admin"};
    mu_assert((size_t)role < MU_COUNT(words));
    return words[role];
}

static bool is_meant(const struct admin_holder *holder, const struct mutual_name *names,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (mutual_pattern_matches(holder->who, &names[i])) {
            return true;
        }
    }
    return false;
}

static enum admin_role role_of_names(const struct admin_settings *settings,
                                     const struct mutual_name *names, size_t count)
{
    enum admin_role role = ADMIN_NOBODY;
    for (size_t i = 0; i < settings->count; i++) {
        if (settings->holders[i].role > role && is_meant(&settings->holders[i], names, count)) {
            role = settings->holders[i].role;
        }
    }
    return role;
}

enum admin_role admin_role_of(const struct admin_settings *settings,
                              const struct api_caller *caller)
{
    if (caller->channel == API_LOCAL) {
        return ADMIN_ADMIN; /* who may open the socket is decided where it is accepted */
    }
    if (caller->channel != API_MUTUAL || caller->leaf == NULL || settings == NULL) {
        return ADMIN_NOBODY;
    }
    return role_of_names(settings, caller->names, caller->name_count);
}

bool admin_may_name(const struct admin_call *call, const struct ca_request *wish,
                    struct mutual_error *err)
{
    const struct admin_settings *settings = call->world->settings->admin;
    enum admin_role own = admin_role_of(settings, call->request->caller);
    MU_AUTO(ca_names) struct ca_names names = {0};
    const struct mutual_name common = {MUTUAL_NAME_CN, wish->name, strlen(wish->name)};
    if (settings == NULL) {
        return true; /* nobody has a role by a certificate */
    }
    if (!ca_handle_check(wish->name, err) || !ca_names_of(call->ca, wish, &names, err)) {
        return false;
    }
    enum admin_role named = role_of_names(settings, names.items, names.count);
    enum admin_role by_common = role_of_names(settings, &common, 1);
    named = by_common > named ? by_common : named;
    return named <= own ||
           mu_fail(err, MUTUAL_E_ROLE_MISSING,
                   "a certificate with these names has the role %s, and you are only %s",
                   admin_role_word(named), admin_role_word(own)) ||
           mu_error_hint(err, "Somebody with that role, or at the authority itself, may give it.");
}
