/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules for one certificate in its place on a path (RFC 5280 section 6.1.3 to 6.1.5), apart
 * from names, revocation and signatures. Each rule is a row: the order of the rows is the order in
 * which faults are told, the telling ones first.
 */
#include <string.h>

#include "trust/trust_internal.h"

/* One certificate, where it stands. */
struct place {
    struct judge *judge;
    const struct mu_cert_facts *facts;
    bool anchor;
    bool names_good; /* known already: a search meets the same certificates again and again */
    const struct trust_node *const *path; /* the certificates below, leaf first */
    size_t depth;                         /* how many there are                 */
};

typedef bool (*place_check)(const struct place *place, struct mutual_error *err);

/* Breaches that tolerance may cover: they make certificates hard to find or to tell apart, or leave
 * unsaid to others what we honour anyway. The rest can change a decision. */
#define TOLERABLE                                                                               \
    (MU_FLAW(SERIAL_ZERO) | MU_FLAW(SERIAL_NEGATIVE) | MU_FLAW(EXTENSIONS_EMPTY) |              \
     MU_FLAW(AKI_CRITICAL) | MU_FLAW(AKI_MISSING) | MU_FLAW(AKI_PAIR) | MU_FLAW(SKI_CRITICAL) | \
     MU_FLAW(SKI_MISSING) | MU_FLAW(KU_SIGN_NO_CA) | MU_FLAW(SAN_NOT_CRITICAL) |                \
     MU_FLAW(BC_NOT_CRITICAL) | MU_FLAW(PATH_LENGTH) | MU_FLAW(NC_NOT_CRITICAL) |               \
     MU_FLAW(PC_NOT_CRITICAL) | MU_FLAW(IAP_NOT_CRITICAL) | MU_FLAW(AIA_CRITICAL) |             \
     MU_FLAW(URI_BYTES))

/* ---- rules for every certificate ------------------------------------------------------------- */

static bool check_time(const struct place *place, struct mutual_error *err)
{
    const struct mu_cert_facts *facts = place->facts;
    int64_t now_s = place->judge->now_s;
    char when[MU_TIME_TEXT];
    char words[MU_TIME_TEXT];
    if (now_s < facts->not_before_s) {
        return mu_fail(err, MUTUAL_E_CERT_NOT_YET_VALID,
                       "certificate \"%s\" is not valid for another %s, until %s", facts->display,
                       mu_duration_words(facts->not_before_s - now_s, words),
                       mu_time_format(facts->not_before_s, when));
    }
    /* Section 4.1.2.5: the period runs "from notBefore through notAfter, inclusive". */
    if (now_s > facts->not_after_s) {
        return mu_fail(err, MUTUAL_E_CERT_EXPIRED, "certificate \"%s\" expired %s ago (%s)",
                       facts->display, mu_duration_words(now_s - facts->not_after_s, words),
                       mu_time_format(facts->not_after_s, when));
    }
    return true;
}

static bool check_key(const struct place *place, struct mutual_error *err)
{
    const struct mu_key_info *key = &place->facts->key;
    bool rsa = key->kind == MU_KEY_RSA || key->kind == MU_KEY_RSA_PSS;
    /* Baseline Requirements section 6.1.5; no common tool makes another. */
    if (rsa && key->bits % 8 != 0) {
        return mu_fail(
            err, MUTUAL_E_WEAK_KEY,
            "the key of certificate \"%s\" (%s, %u bits): its modulus is not a whole number "
            "of octets",
            place->facts->display, key->text, key->bits);
    }
    return key->weak == NULL ||
           mu_fail(err, MUTUAL_E_WEAK_KEY, "the key of certificate \"%s\" (%s, %u bits): %s",
                   place->facts->display, key->text, key->bits, key->weak);
}

static bool check_digest(const struct place *place, struct mutual_error *err)
{
    const struct mu_sig_info *sig = &place->facts->sig;
    /* Nobody verifies an anchor's signature: it is trusted for being in the bundle. */
    if (place->anchor) {
        return true;
    }
    if (sig->kind == MU_KEY_OTHER) {
        return mu_fail(err, MUTUAL_E_KEY_UNSUPPORTED,
                       "certificate \"%s\" is signed by an algorithm that is not supported: %s",
                       place->facts->display, sig->text);
    }
    return (sig->digest != MU_DIGEST_WEAK && sig->digest != MU_DIGEST_OTHER) ||
           mu_fail(err, MUTUAL_E_WEAK_SIGNATURE,
                   "certificate \"%s\" is signed with %s; SHA-256 or better is needed",
                   place->facts->display, sig->text);
}

/* Section 4.2: a system "MUST reject the certificate if it encounters a critical extension it does
 * not recognize". */
static bool check_critical(const struct place *place, struct mutual_error *err)
{
    const char *const *oids = place->facts->unknown_critical;
    return oids == NULL || oids[0] == NULL ||
           mu_fail(err, MUTUAL_E_CRITICAL_EXTENSION,
                   "certificate \"%s\" has a critical extension that is not understood: %s",
                   place->facts->display, oids[0]);
}

/* Breaches by the issuer that RFC 5280 itself tells the reader to bear: section 4.1.2.5,
 * "applications MUST be able to process validity dates that are encoded in either UTCTime or
 * GeneralizedTime"; section 4.1.2.8, unique identifiers have "no processing requirements". */
#define BORNE (MU_FLAW(TIME_FORM) | MU_FLAW(UNIQUE_ID))

static bool check_flaws(const struct place *place, struct mutual_error *err)
{
    uint64_t flaws = place->facts->flaws & ~BORNE;
    /* Nobody looks for the issuer of an anchor. */
    if (place->anchor) {
        flaws &= ~MU_FLAW(AKI_MISSING);
    }
    if (place->judge->trust->allow_flaws) {
        flaws &= ~TOLERABLE;
    }
    return flaws == 0 || mu_fail(err, MUTUAL_E_CERT_PROFILE, "certificate \"%s\": %s",
                                 place->facts->display, mu_cert_flaw_text(flaws));
}

static bool check_names(const struct place *place, struct mutual_error *err)
{
    return place->names_good || place->facts->name_count == 0 ||
           mu_names_check(place->facts->names, place->facts->name_count, err) ||
           mu_error_context(err, "certificate \"%s\"", place->facts->display);
}

/* ---- rules for the peer's own certificate ---------------------------------------------------- */

static bool check_not_authority(const struct place *place, struct mutual_error *err)
{
    return !place->facts->ca ||
           mu_fail(err, MUTUAL_E_CA_AS_PEER,
                   "certificate \"%s\" is an authority's: it may issue certificates, not stand for "
                   "a peer",
                   place->facts->display);
}

static bool check_leaf_usage(const struct place *place, struct mutual_error *err)
{
    const struct mu_cert_facts *facts = place->facts;
    /* Whoever is to be believed signs the handshake: RFC 8446 section 4.4.2.2, and in TLS 1.2 every
     * suite with forward secrecy. */
    return !facts->has_ku || (facts->key_usage & MU_KU_DIGITAL_SIGNATURE) != 0 ||
           mu_fail(err, MUTUAL_E_KEY_USAGE_WRONG,
                   "the key usage of certificate \"%s\" lacks digitalSignature, which every "
                   "handshake needs",
                   facts->display);
}

static const struct {
    unsigned bit;
    const char *word;
} roles[] = {
    [MUTUAL_PURPOSE_SERVER] = {MU_EKU_SERVER, "serverAuth"},
    [MUTUAL_PURPOSE_CLIENT] = {MU_EKU_CLIENT, "clientAuth"},
};

static bool check_leaf_purpose(const struct place *place, struct mutual_error *err)
{
    const struct mu_cert_facts *facts = place->facts;
    enum mutual_purpose purpose = place->judge->purpose;
    return !facts->has_eku || (facts->eku & roles[purpose].bit) != 0 ||
           mu_fail(err, MUTUAL_E_PURPOSE_WRONG,
                   "certificate \"%s\" is not made for this role: its extended key usage lacks %s",
                   facts->display, roles[purpose].word);
}

/* ---- rules for authorities ------------------------------------------------------------------- */

/* Section 6.1.4 (k); a certificate of version 1 or 2 has no way to say that it is one. */
static bool check_authority(const struct place *place, struct mutual_error *err)
{
    return place->facts->ca ||
           mu_fail(
               err, MUTUAL_E_NOT_A_CA,
               "certificate \"%s\" issued \"%s\" but is not an authority: its basic constraints do "
               "not say so",
               place->facts->display, place->path[place->depth - 1]->facts->display);
}

/* Section 6.1.4 (n). */
static bool check_issuer_usage(const struct place *place, struct mutual_error *err)
{
    const struct mu_cert_facts *facts = place->facts;
    return !facts->has_ku || (facts->key_usage & MU_KU_KEY_CERT_SIGN) != 0 ||
           mu_fail(err, MUTUAL_E_KEY_USAGE_WRONG,
                   "the key usage of authority \"%s\" lacks keyCertSign: it may not issue "
                   "certificates",
                   facts->display);
}

/* Section 6.1.4 (l) and (m): "If the certificate was not self-issued, verify that max_path_length
 * is greater than zero". The leaf does not count, whatever it is. */
static bool check_path_length(const struct place *place, struct mutual_error *err)
{
    int below = 0;
    for (size_t i = 1; i < place->depth; i++) {
        below += !place->path[i]->facts->self_issued;
    }
    int limit = place->facts->path_length;
    return limit < 0 || below <= limit ||
           mu_fail(err, MUTUAL_E_PATH_LENGTH,
                   "authority \"%s\" permits %d authorities below it, the chain has %d",
                   place->facts->display, limit, below);
}

/* Not in RFC 5280, but what everybody does: an authority's extended key usage limits what it may
 * issue for. */
static bool check_issuer_purpose(const struct place *place, struct mutual_error *err)
{
    const struct mu_cert_facts *facts = place->facts;
    enum mutual_purpose purpose = place->judge->purpose;
    return !facts->has_eku || (facts->eku & (roles[purpose].bit | MU_EKU_ANY)) != 0 ||
           mu_fail(err, MUTUAL_E_PURPOSE_WRONG,
                   "authority \"%s\" may not issue for this role: its extended key usage lacks %s",
                   facts->display, roles[purpose].word);
}

/* Policies are not processed. Where an authority demands them (section 4.2.1.11), a chain that we
 * cannot judge is refused. */
static bool check_policies(const struct place *place, struct mutual_error *err)
{
    int skip = place->facts->require_explicit_policy;
    return skip < 0 || (size_t)skip >= place->depth ||
           mu_fail(err, MUTUAL_E_CRITICAL_EXTENSION,
                   "authority \"%s\" demands certificate policies, which are not processed here",
                   place->facts->display);
}

/* RFC 7633 section 4.2.2: what an authority's own certificate demands it demands of those that it
 * issues. */
static bool check_features(const struct place *place, struct mutual_error *err)
{
    const struct mu_cert_facts *below = place->path[place->depth - 1]->facts;
    return !place->facts->must_staple || below->must_staple ||
           mu_fail(err, MUTUAL_E_TLS_FEATURE,
                   "certificate \"%s\" does not demand a stapled OCSP response, as its authority "
                   "\"%s\" wants of all that it issues",
                   below->display, place->facts->display);
}

static bool check_constraints(const struct place *place, struct mutual_error *err)
{
    const struct mu_cert_facts *ca = place->facts;
    if (!ca->has_nc) {
        return true;
    }
    for (size_t i = 0; i < place->depth; i++) {
        const struct mu_cert_facts *below = place->path[i]->facts;
        /* Section 6.1.3 (b): not "if ... self-issued ..., unless it is the final certificate". */
        if ((i == 0 || !below->self_issued) &&
            !mu_check_constraints(place->judge, ca, below, err)) {
            return false;
        }
    }
    return true;
}

static bool check_revocation(const struct place *place, struct mutual_error *err)
{
    const struct mutual_trust *trust = place->judge->trust;
    if (!trust->crl_required && !mu_crl_shelf_any(trust->crls)) {
        return true;
    }
    size_t index = place->depth - 1;
    const struct mu_cert_facts *below = place->path[index]->facts;
    struct mutual_link link;
    int64_t until_s = 0;
    return mu_link_fill(below, place->facts, &link, err) &&
           mu_revocation_check(trust, &link, index, below->display, place->judge->now_s, &until_s,
                               err);
}

/* ---- tables ---------------------------------------------------------------------------------- */

static const place_check leaf_checks[] = {
    check_not_authority, check_time,     check_leaf_purpose, check_leaf_usage, check_key,
    check_digest,        check_critical, check_flaws,        check_names,
};

static const place_check issuer_checks[] = {
    check_authority, check_time,   check_issuer_usage, check_path_length, check_issuer_purpose,
    check_key,       check_digest, check_critical,     check_flaws,       check_policies,
    check_features,  check_names,  check_revocation,   check_constraints,
};

static bool run(const place_check *checks, size_t count, const struct place *place,
                struct mutual_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (!checks[i](place, err)) {
            return false;
        }
    }
    return true;
}

bool mu_check_leaf(struct judge *judge, const struct mu_cert_facts *leaf, struct mutual_error *err)
{
    struct place place = {.judge = judge, .facts = leaf};
    return run(leaf_checks, MU_COUNT(leaf_checks), &place, err);
}

bool mu_check_issuer(struct judge *judge, const struct trust_node *const *path, size_t depth,
                     struct mutual_error *err)
{
    mu_assert(depth > 0);
    struct place place = {.judge = judge,
                          .facts = path[depth]->facts,
                          .anchor = path[depth]->origin == NODE_ANCHOR,
                          .names_good = path[depth]->names_good,
                          .path = path,
                          .depth = depth};
    return run(issuer_checks, MU_COUNT(issuer_checks), &place, err);
}

/* What lies below does not matter, but for the names: one that is asked about, or none. */
bool mu_check_anchor(struct judge *judge, const struct mu_cert *anchor, const struct mu_gname *name,
                     struct mutual_error *err)
{
    const struct mu_cert_facts below = {.display = "a peer",
                                        .names = name,
                                        .name_count = name != NULL ? 1 : 0,
                                        .must_staple = true};
    const struct trust_node leaf = {.facts = &below};
    const struct trust_node *const path[] = {&leaf};
    const struct place place = {.judge = judge,
                                .facts = mu_cert_facts(anchor),
                                .anchor = true,
                                .path = path,
                                .depth = MU_COUNT(path)};
    for (size_t i = 0; i < MU_COUNT(issuer_checks); i++) {
        if (issuer_checks[i] != check_revocation && !issuer_checks[i](&place, err)) {
            return false;
        }
    }
    return true;
}
