/* SPDX-License-Identifier: Apache-2.0
 *
 * What an issuer certifies under a profile: the rule made, and judged. Nothing else decides.
 */
#include "ca/ca_internal.h"

#include <string.h>

/* ---- making ---------------------------------------------------------------------------------- */

/* A type is closed when the issuer's constraints let no name of it through: they do not mention it,
 * or permit only a host that cannot exist. */
static bool is_closed(const struct ca_rule *rule, enum mutual_name_type type)
{
    enum mu_gname_type general = ca_general_type(type);
    bool excluded = false;
    size_t trees = 0;
    size_t nowhere = 0;
    for (size_t i = 0; i < rule->permitted_count; i++) {
        const struct mu_gname *base = &rule->permitted[i].base;
        if (base->type == general) {
            trees++;
            nowhere += mu_slice_equal_text(base->bytes, CA_NOWHERE);
        }
    }
    for (size_t i = 0; i < rule->excluded_count; i++) {
        excluded = excluded || rule->excluded[i].base.type == general;
    }
    return trees == 0 ? !excluded : trees == nowhere;
}

void ca_rule_build(const struct ca_profile *profile, const struct ca_issuer *issuer,
                   const char *organisation, struct ca_rule *ret_rule)
{
    struct ca_rule rule = {
        .profile = profile->name,
        .text = profile->text,
        .organisation = organisation,
        .spiffe_prefix = profile->spiffe_prefix,
        .owner = profile->owner,
        .key_usage = profile->key_usage,
        .eku = profile->eku,
        .keys = profile->keys,
        .key = profile->key,
        .life_min_s = CA_BACKDATE_S,
        .life_s = profile->life_s,
        .life_max_s = profile->life_max_s,
        .end_s = MU_TIME_NEVER_S,
        .name_types = profile->name_types,
        .must_types = profile->must_types,
        .made_types = profile->made_types,
        .names_min = 1,
        .names_max = MU_LIMIT_CERT_NAMES,
        .spiffe_max = 1, /* X.509-SVID section 2: exactly one */
        .only = profile->only,
        .only_count = profile->only_count,
        .staple = profile->staple,
    };
    if (issuer != NULL) {
        const struct mu_cert_facts *facts = mu_cert_facts(issuer->cert);
        rule.issuer = issuer->word;
        rule.display = facts->display;
        rule.domain = issuer->domain;
        rule.begin_s = facts->not_before_s;
        rule.end_s = facts->not_after_s;
        rule.eku &= facts->has_eku ? facts->eku : ~0u;
        rule.constrained = facts->has_nc;
        rule.permitted = facts->permitted;
        rule.permitted_count = facts->permitted_count;
        rule.excluded = facts->excluded;
        rule.excluded_count = facts->excluded_count;
    }
    for (int type = 0; rule.constrained && type < MUTUAL_NAME_COUNT_; type++) {
        if ((rule.name_types & 1u << type) != 0 && is_closed(&rule, (enum mutual_name_type)type)) {
            rule.closed_types |= 1u << type;
        }
    }
    rule.made_types &= ~rule.closed_types;
    *ret_rule = rule;
}

/* ---- judging --------------------------------------------------------------------------------- */

static bool denied(const struct ca_rule *rule, struct mutual_error *err, const char *what)
{
    return mu_fail(err, MUTUAL_E_PROFILE_DENIED, "profile \"%s\" %s", rule->profile, what);
}

static bool matches_only(const struct ca_rule *rule, const struct mutual_name *name)
{
    bool some = false;
    for (size_t i = 0; i < rule->only_count; i++) {
        if (mutual_pattern_type(rule->only[i]) == name->type) {
            some = true;
            if (mutual_pattern_matches(rule->only[i], name)) {
                return true;
            }
        }
    }
    return !some;
}

static bool judge_name(const struct ca_rule *rule, const struct mutual_name *name,
                       struct mutual_error *err)
{
    if ((rule->name_types & (1u << name->type)) == 0) {
        return mu_fail(err, MUTUAL_E_PROFILE_DENIED,
                       "profile \"%s\" does not certify %s names such as \"%s\"", rule->profile,
                       mutual_name_type_word(name->type), name->text);
    }
    if (!matches_only(rule, name)) {
        return mu_fail(err, MUTUAL_E_PROFILE_DENIED,
                       "profile \"%s\" does not certify the %s name \"%s\": it matches none of its "
                       "patterns",
                       rule->profile, mutual_name_type_word(name->type), name->text) ||
               mu_error_hint(err, "See them by: mutual show profile %s", rule->profile);
    }
    return ca_constraint_check(rule, name, err);
}

static bool judge_names(const struct ca_rule *rule, const struct ca_candidate *c,
                        struct mutual_error *err)
{
    size_t spiffe = 0;
    unsigned types = 0;
    for (size_t i = 0; i < c->name_count; i++) {
        if (!judge_name(rule, &c->names[i], err)) {
            return false;
        }
        spiffe += c->names[i].type == MUTUAL_NAME_SPIFFE;
        types |= 1u << c->names[i].type;
    }
    if (spiffe > rule->spiffe_max) {
        return mu_fail(err, MUTUAL_E_PROFILE_DENIED,
                       "a certificate holds one SPIFFE ID, %zu were asked for", spiffe);
    }
    if (c->name_count < rule->names_min || c->name_count > rule->names_max) {
        return mu_fail(err, MUTUAL_E_PROFILE_DENIED,
                       "a certificate holds %zu to %zu names, not %zu", rule->names_min,
                       rule->names_max, c->name_count);
    }
    for (int type = 0; type < MUTUAL_NAME_COUNT_; type++) {
        if ((rule->must_types & ~types & 1u << type) != 0) {
            return mu_fail(err, MUTUAL_E_PROFILE_DENIED,
                           "profile \"%s\" wants a %s name, and there is none", rule->profile,
                           mutual_name_type_word((enum mutual_name_type)type));
        }
    }
    return ca_constraint_subject(rule, c->subject, err);
}

/* A life that was asked for is given or refused; a default one may be cut by the issuer's end. */
static bool judge_life(const struct ca_rule *rule, const struct ca_candidate *c,
                       struct ca_decision *decision, struct mutual_error *err)
{
    int64_t life_s = c->life_s == 0 ? rule->life_s : c->life_s;
    char asked[MU_TIME_TEXT];
    char most[MU_TIME_TEXT];
    if (life_s < rule->life_min_s || life_s > rule->life_max_s) {
        return mu_fail(err, MUTUAL_E_PROFILE_DENIED,
                       "profile \"%s\" allows lives of 1 minute to %s, %s were asked for",
                       rule->profile, mu_duration_words(rule->life_max_s, most),
                       mu_duration_words(life_s < 0 ? 0 : life_s, asked));
    }
    if (c->now_s >= rule->end_s || c->now_s < rule->begin_s) {
        return mu_fail(err, MUTUAL_E_CLOCK, "it is %s and issuer \"%s\" is valid to %s only",
                       mu_time_format(c->now_s, asked), rule->display,
                       mu_time_format(rule->end_s, most)) ||
               mu_error_hint(err, "Set the clock; or make a new authority.");
    }
    decision->not_before_s = c->now_s - CA_BACKDATE_S;
    if (decision->not_before_s < rule->begin_s) {
        decision->not_before_s = rule->begin_s;
    }
    decision->not_after_s = c->now_s + life_s;
    if (decision->not_after_s <= rule->end_s) {
        return true;
    }
    if (c->life_s != 0) {
        return mu_fail(err, MUTUAL_E_PROFILE_DENIED,
                       "it would outlive issuer \"%s\", which ends on %s", rule->display,
                       mu_time_format(rule->end_s, most));
    }
    decision->not_after_s = rule->end_s;
    decision->life_cut = true;
    return true;
}

static bool judge_key(const struct ca_rule *rule, const struct mu_key_info *key,
                      struct mutual_error *err)
{
    enum mu_key_spec spec;
    if (key->weak != NULL) {
        return mu_fail(err, MUTUAL_E_WEAK_KEY, "the key is too weak: %s", key->weak);
    }
    if (mu_key_spec_of(key, &spec) && (rule->keys & 1u << spec) != 0) {
        return true;
    }
    return mu_fail(err, MUTUAL_E_PROFILE_DENIED,
                   "profile \"%s\" does not certify keys of kind %s of %u bits", rule->profile,
                   key->text, key->bits) ||
           mu_error_hint(err, "See what it does by: mutual show profile %s", rule->profile);
}

static bool judge_purposes(const struct ca_rule *rule, const struct ca_candidate *c,
                           struct ca_decision *decision, struct mutual_error *err)
{
    decision->eku = c->eku == 0 ? rule->eku : c->eku;
    if (decision->eku == 0 || (decision->eku & ~rule->eku) != 0) {
        return denied(rule, err, "does not certify for that purpose (extended key usage)");
    }
    bool server = (decision->eku & MU_EKU_SERVER) != 0;
    decision->must_staple = c->must_staple || rule->staple == CA_DEMAND_REQUIRE;
    if (decision->must_staple && (rule->staple == CA_DEMAND_FORBID || !server)) {
        return denied(rule, err,
                      (rule->eku & MU_EKU_SERVER) == 0
                          ? "is for no servers, and nobody else staples OCSP responses"
                          : "lets no certificate demand a stapled OCSP response");
    }
    /* NSS, below several Linux clients, takes no RSA key for a server's that may not encipher keys,
     * even where TLS only has it sign. PSS keys may only sign: RFC 4055 section 1.2. */
    bool enciphers = server && c->key.kind == MU_KEY_RSA;
    decision->key_usage = rule->key_usage | (enciphers ? (unsigned)MU_KU_KEY_ENCIPHERMENT : 0);
    return true;
}

bool ca_rule_judge(const struct ca_rule *rule, const struct ca_candidate *candidate,
                   struct ca_decision *ret_decision, struct mutual_error *err)
{
    struct ca_decision decision = {0};
    if (!judge_names(rule, candidate, err) || !judge_key(rule, &candidate->key, err) ||
        !judge_purposes(rule, candidate, &decision, err) ||
        !judge_life(rule, candidate, &decision, err)) {
        return false;
    }
    *ret_decision = decision;
    return true;
}

/* ---- for the key process --------------------------------------------------------------------- */

/* What the key process can tell of a finished certificate: the types of names, not their values. */
void ca_rule_shape(const struct ca_rule *rule, struct keys_shape *ret_shape)
{
    struct keys_shape shape = {
        .ekus = (uint16_t)rule->eku,
        .key_usage = (uint16_t)(rule->key_usage |
                                ((rule->eku & MU_EKU_SERVER) != 0 ? MU_KU_KEY_ENCIPHERMENT : 0)),
        .keys = (uint16_t)rule->keys,
        .max_lifetime_s = rule->life_max_s + CA_BACKDATE_S,
        .staple_allowed = rule->staple != CA_DEMAND_FORBID,
        .staple_required = rule->staple == CA_DEMAND_REQUIRE,
    };
    for (int type = 0; type < MUTUAL_NAME_COUNT_; type++) {
        uint16_t bit = (uint16_t)(1u << ca_general_type((enum mutual_name_type)type));
        if ((rule->name_types & ~rule->closed_types & 1u << type) != 0) {
            shape.name_types |= bit;
        }
        if ((rule->must_types & 1u << type) != 0) {
            shape.must_types |= bit;
        }
    }
    *ret_shape = shape;
}
