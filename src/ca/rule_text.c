/* SPDX-License-Identifier: Apache-2.0
 *
 * A rule shown, as text or JSON: every field of it that judges.
 */
#include "ca/ca_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    unsigned bit;
    const char *word;
} ekus[] = {{MU_EKU_SERVER, "server"}, {MU_EKU_CLIENT, "client"}, {MU_EKU_OCSP, "ocsp"}},
  usages[] = {{MU_KU_DIGITAL_SIGNATURE, "digitalSignature"},
              {MU_KU_KEY_ENCIPHERMENT, "keyEncipherment"}};

/* ---- JSON ------------------------------------------------------------------------------------ */

static void json_trees(struct mu_json *json, const char *key, const struct mu_subtree *trees,
                       size_t count, enum mu_gname_type type)
{
    mu_json_open(json, key, '[');
    for (size_t i = 0; i < count; i++) {
        MU_AUTO(buf) struct mu_buf text;
        mu_buf_init(&text, 8192);
        if (trees[i].base.type == type) {
            mu_gname_text(&text, &trees[i].base);
            const char *shown = mu_buf_str(&text);
            const char *colon = strchr(shown, ':'); /* the type is said already */
            mu_json_string(json, NULL, colon != NULL ? colon + 1 : shown);
        }
    }
    mu_json_close(json, ']');
}

static void json_type(struct mu_json *json, const struct ca_rule *rule, enum mutual_name_type type)
{
    unsigned bit = 1u << type;
    enum mu_gname_type general = ca_general_type(type);
    mu_json_open(json, mutual_name_type_word(type), '{');
    mu_json_bool(json, "may", (rule->name_types & ~rule->closed_types & bit) != 0);
    mu_json_bool(json, "must", (rule->must_types & bit) != 0);
    mu_json_bool(json, "made", (rule->made_types & bit) != 0);
    mu_json_open(json, "only", '[');
    for (size_t i = 0; i < rule->only_count; i++) {
        if (mutual_pattern_type(rule->only[i]) == type) {
            mu_json_string(json, NULL, mutual_pattern_text(rule->only[i]));
        }
    }
    mu_json_close(json, ']');
    json_trees(json, "permitted", rule->permitted, rule->permitted_count, general);
    json_trees(json, "excluded", rule->excluded, rule->excluded_count, general);
    mu_json_close(json, '}');
}

static void json_words(struct mu_json *json, const struct ca_rule *rule)
{
    mu_json_open(json, "eku", '[');
    for (size_t i = 0; i < MU_COUNT(ekus); i++) {
        if ((rule->eku & ekus[i].bit) != 0) {
            mu_json_string(json, NULL, ekus[i].word);
        }
    }
    mu_json_close(json, ']');
    mu_json_open(json, "key_usage", '[');
    for (size_t i = 0; i < MU_COUNT(usages); i++) {
        if ((rule->key_usage & usages[i].bit) != 0) {
            mu_json_string(json, NULL, usages[i].word);
        }
    }
    mu_json_close(json, ']');
    mu_json_open(json, "keys", '[');
    for (unsigned i = 0; i < MU_SPEC_COUNT_; i++) {
        if ((rule->keys & 1u << i) != 0) {
            mu_json_string(json, NULL, mu_key_spec_word((enum mu_key_spec)i));
        }
    }
    mu_json_close(json, ']');
    mu_json_string(json, "key", mu_key_spec_word(rule->key));
    mu_json_string(json, "must_staple", ca_demand_word(rule->staple));
}

static void json_rule(const struct ca_rule *rule, struct mu_buf *out)
{
    struct mu_json json;
    char time[MU_TIME_TEXT];
    mu_json_init(&json, out);
    mu_json_open(&json, NULL, '{');
    mu_json_string(&json, "name", rule->profile);
    mu_json_string(&json, "text", rule->text);
    mu_json_string(&json, "issuer", rule->issuer);
    mu_json_string(&json, "domain", rule->domain);
    mu_json_string(&json, "spiffe_prefix", rule->spiffe_prefix);
    mu_json_string(&json, "owner", rule->owner);
    json_words(&json, rule);
    mu_json_int(&json, "life_min_s", rule->life_min_s);
    mu_json_int(&json, "life_s", rule->life_s);
    mu_json_int(&json, "life_max_s", rule->life_max_s);
    mu_json_int(&json, "backdated_s", CA_BACKDATE_S);
    mu_json_string(&json, "begins",
                   rule->issuer != NULL ? mu_time_format(rule->begin_s, time) : NULL);
    mu_json_string(&json, "ends", rule->issuer != NULL ? mu_time_format(rule->end_s, time) : NULL);
    mu_json_int(&json, "names_min", (int64_t)rule->names_min);
    mu_json_int(&json, "names_max", (int64_t)rule->names_max);
    mu_json_int(&json, "spiffe_max", (int64_t)rule->spiffe_max);
    mu_json_bool(&json, "constrained", rule->constrained);
    mu_json_open(&json, "names", '{');
    for (int type = 0; type < MUTUAL_NAME_COUNT_; type++) {
        json_type(&json, rule, (enum mutual_name_type)type);
    }
    mu_json_close(&json, '}');
    mu_json_open(&json, "subject", '{');
    mu_json_string(&json, "organisation", rule->organisation);
    json_trees(&json, "permitted", rule->permitted, rule->permitted_count, MU_GNAME_DIRNAME);
    json_trees(&json, "excluded", rule->excluded, rule->excluded_count, MU_GNAME_DIRNAME);
    mu_json_close(&json, '}');
    mu_json_close(&json, '}');
    mu_buf_byte(out, '\n');
}

/* ---- text ------------------------------------------------------------------------------------ */

static void line(struct mu_buf *out, const char *label, const char *format, ...)
    MUTUAL_PRINTF(3, 4);
static void line(struct mu_buf *out, const char *label, const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len > 0) {
        mu_buf_printf(out, "  %-12s%s\n", label, text);
    }
}

static void add_word(struct mu_buf *list, const char *word)
{
    mu_buf_printf(list, "%s%s", list->len == 0 ? "" : ", ", word);
}

static void text_types(unsigned types, const char *label, const char *behind, struct mu_buf *out)
{
    MU_AUTO(buf) struct mu_buf list;
    mu_buf_init(&list, 256);
    for (int type = 0; type < MUTUAL_NAME_COUNT_; type++) {
        if ((types & 1u << type) != 0) {
            add_word(&list, mutual_name_type_word((enum mutual_name_type)type));
        }
    }
    if (list.len > 0) {
        line(out, label, "%s%s", mu_buf_str(&list), behind);
    }
}

static void text_trees(const char *label, const struct mu_subtree *trees, size_t count,
                       struct mu_buf *out)
{
    MU_AUTO(buf) struct mu_buf list;
    mu_buf_init(&list, 65536);
    for (size_t i = 0; i < count; i++) {
        mu_buf_text(&list, i == 0 ? "" : ", ");
        mu_gname_text(&list, &trees[i].base);
    }
    if (count > 0) {
        mu_buf_printf(out, "  %-12s%s\n", label, mu_buf_str(&list));
    }
}

static void text_words(const struct ca_rule *rule, struct mu_buf *out)
{
    MU_AUTO(buf) struct mu_buf list;
    mu_buf_init(&list, 1024);
    for (size_t i = 0; i < MU_COUNT(ekus); i++) {
        if ((rule->eku & ekus[i].bit) != 0) {
            add_word(&list, ekus[i].word);
        }
    }
    line(out, "purposes", "%s", list.len > 0 ? mu_buf_str(&list) : "none: nothing is certified");
    mu_buf_clear(&list);
    for (unsigned i = 0; i < MU_SPEC_COUNT_; i++) {
        if ((rule->keys & 1u << i) != 0) {
            add_word(&list, mu_key_spec_word((enum mu_key_spec)i));
        }
    }
    line(out, "keys", "%s; %s unless asked otherwise", mu_buf_str(&list),
         mu_key_spec_word(rule->key));
}

static void text_only(const struct ca_rule *rule, struct mu_buf *out)
{
    for (size_t i = 0; i < rule->only_count; i++) {
        line(out, i == 0 ? "matching" : "", "%s:%s",
             mutual_name_type_word(mutual_pattern_type(rule->only[i])),
             mutual_pattern_text(rule->only[i]));
    }
}

static void text_rule(const struct ca_rule *rule, struct mu_buf *out)
{
    char usual[MU_TIME_TEXT];
    char most[MU_TIME_TEXT];
    mu_buf_printf(out, "profile %s: %s\n", rule->profile, rule->text);
    if (rule->issuer != NULL) {
        line(out, "issuer", "%s (%s), until %s", rule->issuer, rule->display,
             mu_time_format(rule->end_s, usual));
        line(out, "subject", "O=%s, CN=NAME", rule->organisation);
    }
    text_words(rule, out);
    text_types(rule->name_types & ~rule->closed_types, "names", "", out);
    text_types(rule->closed_types, "closed", ", by the issuer's constraints", out);
    text_types(rule->must_types, "required", "", out);
    text_types(rule->made_types, "made", ", from NAME when none is given", out);
    if (rule->domain != NULL) {
        line(out, "", "below %s, spiffe://%s/%s", rule->domain, rule->domain, rule->spiffe_prefix);
    }
    text_only(rule, out);
    text_trees("only names", rule->permitted, rule->permitted_count, out);
    text_trees("never names", rule->excluded, rule->excluded_count, out);
    line(out, "how many", "%zu to %zu names, at most %zu SPIFFE ID", rule->names_min,
         rule->names_max, rule->spiffe_max);
    line(out, "valid for", "%s, at most %s, at least 1 minute; backdated %d seconds",
         mu_duration_words(rule->life_s, usual), mu_duration_words(rule->life_max_s, most),
         CA_BACKDATE_S);
    line(out, "must-staple", "%s", ca_demand_word(rule->staple));
    if (rule->owner != NULL) {
        line(out, "owner", "%s, when nobody is named", rule->owner);
    }
}

void ca_rule_describe(const struct ca_rule *rule, bool json, struct mu_buf *out)
{
    if (json) {
        json_rule(rule, out);
    } else {
        text_rule(rule, out);
    }
}
