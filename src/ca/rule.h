/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of the door for profiles and for the rule that follows from them; included by ca.h.
 *
 * A rule is all that decides whether an issuer certifies something under a profile: one object,
 * made by ca_rule_build, shown by ca_rule_describe, judged by ca_rule_judge, and nothing beside it
 * is asked. What it does not name is refused.
 */
#ifndef CA_RULE_H
#define CA_RULE_H

enum ca_demand { CA_DEMAND_ALLOW, CA_DEMAND_FORBID, CA_DEMAND_REQUIRE, CA_DEMAND_COUNT_ };
/* "allow", "forbid", "require". Constant. */
const char *ca_demand_word(enum ca_demand demand);

/* What a kind of certificate is for and may be. Constant, or as long as its authority is open. */
struct ca_profile {
    const char *name;
    const char *text;          /* what it is for, as a phrase: "proves a server to its clients" */
    const char *spiffe_prefix; /* of the default SPIFFE ID's path: "user/" */
    const char *owner;         /* when nobody is named; NULL: none */
    enum mu_key_spec key;      /* when none is asked for */
    unsigned keys;             /* bits 1u << enum mu_key_spec */
    int64_t life_s, life_max_s;
    unsigned key_usage, eku;
    unsigned name_types;          /* bits 1u << enum mutual_name_type: what may be certified    */
    unsigned must_types;          /* the types of which there must be a name                    */
    unsigned made_types;          /* the types that are made from NAME when none is given       */
    struct mutual_pattern **only; /* names of a type that is among them must match one */
    size_t only_count;
    enum ca_demand staple;
};
/* The built-in ones. NULL past the end. */
const struct ca_profile *ca_profile_at(size_t index);
/* One of the built-in ones; PROFILE_DENIED when there is none of that name. For what an authority
 * issues ask ca_profile_of, since it may have put its own in their place. */
bool ca_profile_find(const char *name, const struct ca_profile **ret_profile,
                     struct mutual_error *err);
/* Not before is set back by this much, for peers whose clock is slow. */
#define CA_BACKDATE_S 60
/* The longest life of any built-in profile. */
int64_t ca_profile_life_max_s(void);

/* One issuer under one profile. Texts and arrays are the issuer's and the profile's. */
struct ca_rule {
    const char *profile, *text;
    const char *issuer;                 /* its word; NULL: no issuer is looked at */
    const char *display;                /* of its subject */
    const char *organisation;           /* O of every subject: the other part is CN=NAME */
    const char *domain, *spiffe_prefix; /* names are made of these and NAME */
    const char *owner;
    unsigned key_usage, eku;
    unsigned keys;
    enum mu_key_spec key;
    int64_t life_min_s, life_s, life_max_s;
    int64_t begin_s, end_s; /* of the issuer: nothing is certified outside and beyond */
    unsigned name_types;    /* what the profile certifies ...                  */
    unsigned closed_types;  /* ... less what the issuer never does             */
    unsigned must_types, made_types;
    size_t names_min, names_max, spiffe_max;
    struct mutual_pattern *const *only;
    size_t only_count;
    bool constrained; /* it has name constraints: then a type they do not mention is closed */
    const struct mu_subtree *permitted, *excluded;
    size_t permitted_count, excluded_count;
    enum ca_demand staple;
};
/* What is asked of a rule. */
struct ca_candidate {
    const struct mutual_name *names;
    size_t name_count;
    struct mu_key_info key;
    int64_t now_s, life_s; /* life_s 0: the rule's, cut to the issuer's end */
    unsigned eku;          /* 0: all of the rule's */
    bool must_staple;
    struct mu_slice subject; /* DER Name */
};
struct ca_decision {
    int64_t not_before_s, not_after_s;
    bool life_cut; /* the default life was shortened to the issuer's */
    unsigned key_usage, eku;
    bool must_staple;
};
/* PROFILE_DENIED, ISSUER_CONSTRAINT, WEAK_KEY, CLOCK. */
bool ca_rule_judge(const struct ca_rule *rule, const struct ca_candidate *candidate,
                   struct ca_decision *ret_decision, struct mutual_error *err);
/* The whole rule, as text or as one JSON object: every field that judges, and no other. */
void ca_rule_describe(const struct ca_rule *rule, bool json, struct mu_buf *out);

#endif
