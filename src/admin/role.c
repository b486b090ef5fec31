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

/* The first of the names that is meant; NULL: none is. */
static const struct mutual_name *meant(const struct admin_holder *holder,
                                       const struct mutual_name *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (mutual_pattern_matches(holder->who, &names[i])) {
            return &names[i];
        }
    }
    return NULL;
}

static enum admin_role role_of_names(const struct admin_settings *settings,
                                     const struct mutual_name *names, size_t count,
                                     const struct mutual_name **ret_name)
{
    enum admin_role role = ADMIN_NOBODY;
    *ret_name = NULL;
    for (size_t i = 0; i < settings->count; i++) {
        const struct admin_holder *holder = &settings->holders[i];
        const struct mutual_name *name = holder->role > role ? meant(holder, names, count) : NULL;
        if (name != NULL) {
            role = holder->role;
            *ret_name = name;
        }
    }
    return role;
}

enum admin_role admin_role_of(const struct admin_settings *settings,
                              const struct api_caller *caller, const struct mutual_name **ret_name)
{
    const struct mutual_name *unused = NULL;
    const struct mutual_name **by = ret_name != NULL ? ret_name : &unused;
    *by = NULL;
    if (caller->channel == API_LOCAL) {
        return ADMIN_ADMIN; /* the socket `….authority`: who may open it is decided where it is
                               accepted */
    }
    if (caller->channel != API_MUTUAL || caller->leaf == NULL || settings == NULL) {
        return ADMIN_NOBODY;
    }
    return role_of_names(settings, caller->names, caller->name_count, by);
}

bool admin_may_name(const struct admin_call *call, const struct ca_request *wish,
                    struct mutual_error *err)
{
    const struct admin_settings *settings = call->world->settings->admin;
    enum admin_role own = admin_role_of(settings, call->request->caller, NULL);
    MU_AUTO(ca_names) struct ca_names names = {0};
    const struct mutual_name common = {MUTUAL_NAME_CN, wish->name, strlen(wish->name)};
    if (settings == NULL) {
        return true; /* nobody has a role by a certificate */
    }
    if (!ca_handle_check(wish->name, err) || !ca_names_of(call->ca, wish, &names, err)) {
        return false;
    }
    const struct mutual_name *by = NULL;
    enum admin_role named = role_of_names(settings, names.items, names.count, &by);
    enum admin_role by_common = role_of_names(settings, &common, 1, &by);
    named = by_common > named ? by_common : named;
    return named <= own ||
           mu_fail(err, MUTUAL_E_ROLE_MISSING,
                   "a certificate with these names has the role %s, and you are only %s",
                   admin_role_word(named), admin_role_word(own)) ||
           mu_error_hint(err, "Somebody with that role, or at the authority itself, may give it.");
}
