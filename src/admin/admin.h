/* SPDX-License-Identifier: Apache-2.0
 *
 * The administration of the authority by HTTP and JSON below /api/v1: certificates, tokens,
 * requests that wait, issuers and profiles, keys for ACME, counts, the audit. One table
 * (routes.def) says of every operation who may, what it takes and what it gives: it serves, and the
 * OpenAPI document is made of it.
 *
 * Who may is judged at each request, by the names that the caller's certificate proves and the
 * configuration's list; nobody is on it by default. On the machine itself whoever may open the
 * authority's socket may everything: it is beside the control socket, which only reads, and its
 * name ends in ".authority".
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "api/api.h"

extern const struct api_table admin_table;

/* ---- roles ----------------------------------------------------------------------------------- */

/* Each may what those before it may. */
enum admin_role {
    ADMIN_NOBODY,
    ADMIN_AUDITOR,  /* reads                                                          */
    ADMIN_OPERATOR, /* makes tokens, decides on requests, issues, revokes             */
    ADMIN_ADMIN,    /* decides who may come by ACME, for which names                  */
    ADMIN_ROLE_COUNT_
};
/* "nobody", "auditor", "operator", "admin". Constant. */
const char *admin_role_word(enum admin_role role);
/* Somebody's role: of each caller with a name that matches. */
struct admin_holder {
    enum admin_role role;
    struct mutual_pattern *who;
};
/* The configuration's words; owned by whoever serves. */
struct admin_settings {
    const struct admin_holder *holders;
    size_t count;
};
/* The greatest that the caller has, and by which of his names: NULL when by none, as at the machine
 * itself. `settings` and `ret_name` may be NULL. */
enum admin_role admin_role_of(const struct admin_settings *settings,
                              const struct api_caller *caller, const struct mutual_name **ret_name);

/* ---- how things are written -------------------------------------------------------------------
 */

/* "valid", "ends soon", "expired", "replaced", "revoked", "interrupted". Constant. */
const char *admin_state_word(const struct inventory_record *record, int64_t now_s);
/* The members of a certificate's object. */
void admin_certificate_json(const struct inventory_record *record, int64_t now_s,
                            struct mu_json *json);
/* An issuer's object: of the one that is meant. */
void admin_issuer_json(const struct ca *ca, const char *word, struct mu_json *json);
/* The members of the counts' object. */
void admin_counts_json(const struct inventory_counts *counts, struct mu_json *json);
/* Is the text one of "dns:web.example.org", "ip:192.0.2.1", or a name whose form tells its type
 * (ca_name_guess)? `storage` holds the name. */
bool admin_name_parse(const char *text, char *storage, size_t storage_size,
                      struct mutual_name *ret_name, struct mutual_error *err);

#endif
