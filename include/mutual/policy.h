/* SPDX-License-Identifier: Apache-2.0
 *
 * Who may reach what: grants. Default deny. A policy is built, frozen, then immutable, shared and
 * reference-counted; evaluation is pure and takes well under ten microseconds with 100,000 grants.
 */
#ifndef MUTUAL_POLICY_H
#define MUTUAL_POLICY_H

#include <mutual/error.h>
#include <mutual/identity.h>

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mutual_policy;

/* One grant: whoever has a name that one of the patterns in `from` matches may reach `to`, from
 * `since_s` until `until_s`. All texts are copied. */
struct mutual_grant {
    const char *name;                   /* unique in the policy; required                    */
    const char *to;                     /* a service (listener) name, or "*" for every one   */
    struct mutual_pattern *const *from; /* taken over by mutual_policy_add                   */
    size_t from_count;
    bool anonymous;    /* also peers that present no certificate; it means something only where
                          a certificate is asked for and not required (MUTUAL_MODE_REQUEST) */
    bool anyone;       /* also whoever proved a certificate with any name at all, the common name
                          too: the authorities that the listener trusts decide alone          */
    int64_t since_s;   /* 0: from ever                                */
    int64_t until_s;   /* the first second without; INT64_MAX: none   */
    const char *owner; /* who answers for it; required                */
    const char *why;   /* the reason it was given; required           */
    const char *file;  /* where it is written, for the decision; NULL: nowhere */
    int line;
};

/* NULL: out of memory. */
MUTUAL_API struct mutual_policy *mutual_policy_new(void);
/* Adds a grant to a policy that is not frozen; the patterns are taken even on failure.
 * POLICY_INVALID names what is wrong: no or a taken name, nobody in `from`, an end that does not
 * come after the begin, no owner, no reason. LIMIT, NO_MEMORY. */
MUTUAL_API bool mutual_policy_add(struct mutual_policy *policy, const struct mutual_grant *grant,
                                  struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Builds the index; after it the policy is immutable and can be asked. NO_MEMORY. */
MUTUAL_API bool mutual_policy_freeze(struct mutual_policy *policy,
                                     struct mutual_error *err) MUTUAL_MUST_CHECK;
MUTUAL_API struct mutual_policy *mutual_policy_ref(struct mutual_policy *policy);
/* NULL is accepted. */
MUTUAL_API void mutual_policy_unref(struct mutual_policy *policy);
MUTUAL_API size_t mutual_policy_count(const struct mutual_policy *policy);
/* The grants in the order in which they were added; index < count. Borrowed from the policy, and
 * before the freeze only until the next add. */
MUTUAL_API const struct mutual_grant *mutual_policy_get(const struct mutual_policy *policy,
                                                        size_t index);

struct mutual_decision {
    bool allowed;
    const struct mutual_grant *grant; /* the grant that allows; or, when none does, the one that
                                         would if it had begun or had not ended; NULL: none fits */
    const struct mutual_name *name;   /* the caller's name that matched, or NULL                 */
    int64_t until_s;                  /* allowed: when the decision stops being true             */
};

/* Decides for somebody with these names. Of several grants that allow, the one that holds longest
 * is named; ties go to the first written. A common name counts only for patterns of type cn.
 * Nobody without a name is ever allowed. */
MUTUAL_API struct mutual_decision mutual_policy_decide(const struct mutual_policy *policy,
                                                       const char *service,
                                                       const struct mutual_name *names,
                                                       size_t count, int64_t now_s);
/* Decides for a peer that presented no certificate at all: only grants that say `anonymous` count.
 * A separate function, so that an empty list of names can never be taken for it. */
MUTUAL_API struct mutual_decision mutual_policy_decide_anonymous(const struct mutual_policy *policy,
                                                                 const char *service,
                                                                 int64_t now_s);

/* ---- the deny list -----------------------------------------------------------------------------
 *
 * Who is refused whatever else says yes: certificates that their issuer cannot or does not revoke,
 * by serial number or key, and identities. It is checked for every certificate of a peer's path.
 * Made from a text, then immutable, shared and reference-counted. The text begins with the line
 * "mutual-deny 1"; each other line is empty, a remark behind "#", or one entry:
 *
 *   WHO time=2027-01-31T12:00:00Z owner="who answers for it" reason="why"
 *
 * where WHO is one of
 *
 *   serial=0a1b issuer="CN=Example Issuer,O=Example"   one certificate
 *   serial=0a1b                                        ... whoever issued it
 *   key=SHA-256 of a SubjectPublicKeyInfo              every certificate of that key
 *   spiffe= dns= email= ip= uri= cn=PATTERN            every certificate with such a name
 *
 * Values that hold spaces stand in double quotes, with \" and \\ inside. */
struct mutual_deny;

enum mutual_denial_kind { MUTUAL_DENIAL_SERIAL, MUTUAL_DENIAL_KEY, MUTUAL_DENIAL_NAME };
struct mutual_denial {
    enum mutual_denial_kind kind;
    enum mutual_name_type type; /* NAME */
    const char *value;          /* hexadecimal digits, or the pattern, normalised */
    const char *issuer;         /* SERIAL: as written; NULL: of any issuer        */
    int64_t time_s;             /* since when                                     */
    const char *owner;          /* who answers for it                             */
    const char *reason;
    const char *file; /* where it is written */
    int line;
};

/* Called for each line that is wrong, from 1; 0: the text as a whole. */
typedef void (*mutual_deny_fault)(void *context, int line, const struct mutual_error *fault);
/* Reads the whole text, whatever is wrong with it, and tells `tell` (may be NULL) everything; a
 * list is made only when nothing is. `file` is for messages and copied. The error is that of the
 * first line that is wrong: DENY_INVALID, of a name NAME_MALFORMED, SPIFFE_MALFORMED or
 * POLICY_INVALID, LIMIT; or NO_MEMORY. */
MUTUAL_API bool mutual_deny_parse(const char *text, size_t len, const char *file,
                                  mutual_deny_fault tell, void *context,
                                  struct mutual_deny **ret_deny,
                                  struct mutual_error *err) MUTUAL_MUST_CHECK;
MUTUAL_API struct mutual_deny *mutual_deny_ref(struct mutual_deny *deny);
/* NULL is accepted. */
MUTUAL_API void mutual_deny_unref(struct mutual_deny *deny);
MUTUAL_API size_t mutual_deny_count(const struct mutual_deny *deny);
/* The entries in the order written; index < count. Borrowed from the list. */
MUTUAL_API const struct mutual_denial *mutual_deny_get(const struct mutual_deny *deny,
                                                       size_t index);

#ifdef __cplusplus
}
#endif
#endif
