/* SPDX-License-Identifier: Apache-2.0
 *
 * Issuers, profiles beside them, and how many certificates there are.
 */
#include <string.h>

#include "admin/admin_internal.h"

/* ---- issuers ----------------------------------------------------------------------------------
 */

static void put_trees(struct mu_json *json, const char *key, const struct mu_subtree *trees,
                      size_t count)
{
    mu_json_open(json, key, '[');
    for (size_t i = 0; i < count; i++) {
        MU_AUTO(buf) struct mu_buf text;
        mu_buf_init(&text, 8192);
        mu_gname_text(&text, &trees[i].base);
        mu_json_string(json, NULL, mu_buf_str(&text));
    }
    mu_json_close(json, ']');
}

void admin_issuer_json(const struct ca *ca, const char *word, struct mu_json *json)
{
    const struct mu_cert_facts *facts = mu_cert_facts(ca_issuer(ca));
    mu_json_open(json, NULL, '{');
    mu_json_string(json, "name", word);
    mu_json_string(json, "subject", facts->subject_text);
    mu_json_string(json, "display", facts->display);
    mu_json_string(json, "key", facts->key.text);
    admin_put_time(json, "not_after", facts->not_after_s);
    put_trees(json, "permitted", facts->permitted, facts->permitted_count);
    put_trees(json, "excluded", facts->excluded, facts->excluded_count);
    mu_json_string(json, "domain", ca_domain(ca));
    mu_json_string(json, "crl", ca_crl_path(ca));
    mu_json_close(json, '}');
}

bool admin_list_issuers(struct admin_call *call, struct mutual_error *err)
{
    const char *word;
    mu_json_open(&call->json, NULL, '{');
    mu_json_open(&call->json, "issuers", '[');
    for (size_t i = 0; (word = ca_issuer_word(call->ca, i)) != NULL; i++) {
        if (!ca_select(call->ca, word, err)) {
            return false;
        }
        admin_issuer_json(call->ca, word, &call->json);
    }
    mu_json_close(&call->json, ']');
    mu_json_close(&call->json, '}');
    mu_buf_byte(&call->response->body, '\n');
    return true;
}

/* ---- profiles ---------------------------------------------------------------------------------
 */

static bool wants_text(const struct admin_call *call)
{
    struct mu_slice value;
    return http_field_find(call->request->head, "Accept", &value) &&
           mu_slice_equal_text(value, "text/plain");
}

static bool select_issuer(struct admin_call *call, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf word;
    const char *issuer = NULL;
    mu_buf_init(&word, 256);
    api_field(call->response, "Vary", "Accept");
    if (wants_text(call)) {
        call->response->content_type = "text/plain";
    }
    return admin_query(call, "issuer", &word, &issuer, err) && ca_select(call->ca, issuer, err);
}

bool admin_list_profiles(struct admin_call *call, struct mutual_error *err)
{
    struct mu_buf *out = &call->response->body;
    const struct ca_profile *profile;
    struct ca_rule rule;
    bool json = !wants_text(call);
    if (!select_issuer(call, err)) {
        return false;
    }
    mu_buf_text(out, json ? "{\"profiles\":[" : "");
    for (size_t i = 0; (profile = ca_profile_next(call->ca, i)) != NULL; i++) {
        mu_buf_text(out, i == 0 ? "" : json ? "," : "\n");
        ca_rule_of(call->ca, profile, &rule);
        ca_rule_describe(&rule, json, out);
    }
    mu_buf_text(out, json ? "]}\n" : "");
    return true;
}

bool admin_get_profile(struct admin_call *call, struct mutual_error *err)
{
    const struct mu_slice part = call->request->parameters[0];
    MU_AUTO(free) char *name = mu_slice_dup(part);
    const struct ca_profile *profile = NULL;
    struct ca_rule rule;
    struct mutual_error why = {0};
    if (name == NULL) {
        return mu_fail_memory(err);
    }
    if (!select_issuer(call, err)) {
        return false;
    }
    if (!ca_profile_of(call->ca, name, &profile, &why)) {
        return mu_fail(err, MUTUAL_E_NOT_FOUND, "%s", why.reason) ||
               mu_error_hint(err, "%s", why.hint);
    }
    ca_rule_of(call->ca, profile, &rule);
    ca_rule_describe(&rule, !wants_text(call), &call->response->body);
    return true;
}

/* ---- counts -----------------------------------------------------------------------------------
 */

void admin_counts_json(const struct inventory_counts *counts, struct mu_json *json)
{
    mu_json_int(json, "total", counts->total);
    mu_json_int(json, "valid", counts->valid);
    mu_json_int(json, "expired", counts->expired);
    mu_json_int(json, "revoked", counts->revoked);
    mu_json_int(json, "interrupted", counts->interrupted);
    if (counts->next_expiry_s > 0) {
        admin_put_time(json, "next_expiry", counts->next_expiry_s);
    } else {
        mu_json_null(json, "next_expiry");
    }
}

bool admin_get_counts(struct admin_call *call, struct mutual_error *err)
{
    struct inventory_counts counts;
    if (!inventory_count(ca_inventory(call->ca), call->request->now_s, &counts, err)) {
        return false;
    }
    mu_json_open(&call->json, NULL, '{');
    admin_counts_json(&counts, &call->json);
    mu_json_close(&call->json, '}');
    mu_buf_byte(&call->response->body, '\n');
    return true;
}
