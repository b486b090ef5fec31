/* SPDX-License-Identifier: Apache-2.0
 *
 * Revocation lists by issuer, and what they say about a certificate (RFC 5280 section 6.3).
 *
 * Whoever is on a list of its issuer's name is revoked, whichever key of that authority signed the
 * list. That somebody is not on a list counts only when the list was signed by the key that issued
 * the certificate, or by one that the bundle proves to be the same authority's: an authority that
 * changed its key, or that signs lists with a key of their own.
 *
 * Lists of one issuer stand side by side by what they cover, which is where partitioned lists fit
 * in: a list is only believed to know a certificate when its scope says so.
 */
#include <string.h>

#include "trust/trust_internal.h"

/* What a list covers of its issuer's certificates. */
enum crl_scope {
    SCOPE_ALL,
    SCOPE_USER, /* onlyContainsUserCerts                                             */
    SCOPE_CA,   /* onlyContainsCACerts                                               */
    SCOPE_PART, /* a distribution point or some reasons: what it lists is revoked, what it does not
                   list may be listed elsewhere                                             */
};

struct crl_entry {
    struct mu_crl *crl;
    const struct mu_crl_facts *facts;
    const struct trust_node *signer; /* the bundle's */
    enum crl_scope scope;
    uint8_t (*kin)[32]; /* hashes of other keys of the same authority */
    size_t kin_count, kin_cap;
    struct crl_entry *next; /* of the same issuer name */
};

struct crl_shelf {
    struct mu_map *by_name; /* SHA-256 of the issuer's canonical name -> first struct crl_entry */
    struct crl_entry **entries;
    size_t count, cap;
};

struct crl_shelf *mu_crl_shelf_new(void)
{
    struct crl_shelf *shelf = mu_alloc(1, sizeof *shelf);
    if (shelf != NULL && (shelf->by_name = mu_map_new()) == NULL) {
        mu_free(shelf);
        return NULL;
    }
    return shelf;
}

void mu_crl_shelf_free(struct crl_shelf *shelf)
{
    if (shelf == NULL) {
        return;
    }
    for (size_t i = 0; i < shelf->count; i++) {
        mu_crl_unref(shelf->entries[i]->crl);
        mu_free(shelf->entries[i]->kin);
        mu_free(shelf->entries[i]);
    }
    mu_free(shelf->entries);
    mu_map_free(shelf->by_name);
    mu_free(shelf);
}

bool mu_crl_shelf_any(const struct crl_shelf *shelf)
{
    return shelf->count > 0;
}

/* ---- putting a list on the shelf ------------------------------------------------------------- */

static enum crl_scope scope_of(const struct mu_crl_facts *facts)
{
    const struct mu_crl_idp *idp = facts->idp;
    if (idp == NULL) {
        return SCOPE_ALL;
    }
    if (idp->has_point || idp->some_reasons || idp->only_attribute) {
        return SCOPE_PART;
    }
    return idp->only_user ? SCOPE_USER : idp->only_ca ? SCOPE_CA : SCOPE_ALL;
}

/* A list that we would misread must not be taken for one that lists nobody. */
static bool check_list(const struct mu_crl_facts *facts, struct mutual_error *err)
{
    if (facts->unknown_critical != NULL && facts->unknown_critical[0] != NULL) {
        return mu_fail(err, MUTUAL_E_CRL_UNSUPPORTED,
                       "the revocation list of \"%s\" has a critical extension that is not "
                       "understood: %s",
                       facts->issuer_text, facts->unknown_critical[0]);
    }
    if (facts->delta_base.data != NULL) {
        return mu_fail(err, MUTUAL_E_CRL_UNSUPPORTED,
                       "the revocation list of \"%s\" is a delta, of no use without its base",
                       facts->issuer_text);
    }
    if (facts->idp != NULL && facts->idp->indirect) {
        return mu_fail(err, MUTUAL_E_CRL_UNSUPPORTED,
                       "the revocation list of \"%s\" is an indirect one, which speaks for other "
                       "issuers",
                       facts->issuer_text);
    }
    /* RFC 5280 section 5.2.3: "CRL issuers conforming to this profile MUST include this extension
     * in all CRLs"; without a number nobody can tell an old list from a new one. */
    if (facts->number.data == NULL) {
        return mu_fail(err, MUTUAL_E_CRL_MALFORMED,
                       "the revocation list of \"%s\" has no number (RFC 5280 section 5.2.3)",
                       facts->issuer_text);
    }
    /* Section 5.1.2.5: "Conforming CRL issuers MUST include the nextUpdate field in all CRLs." */
    if (facts->next_update_s == MU_TIME_NEVER_S) {
        return mu_fail(err, MUTUAL_E_CRL_MALFORMED,
                       "the revocation list of \"%s\" does not say when the next one comes "
                       "(RFC 5280 section 5.1.2.5)",
                       facts->issuer_text);
    }
    return true;
}

/* Magnitudes without leading zeros: the longer one is the greater. */
static bool is_newer(const struct mu_crl_facts *a, const struct mu_crl_facts *b)
{
    if (a->number.len != b->number.len) {
        return a->number.len > b->number.len;
    }
    int order = mu_slice_compare(a->number, b->number);
    return order != 0 ? order > 0 : a->this_update_s >= b->this_update_s;
}

static bool same_part(const struct mu_crl_facts *a, const struct mu_crl_facts *b)
{
    const char *const *u = a->idp != NULL ? a->idp->uris : NULL;
    const char *const *v = b->idp != NULL ? b->idp->uris : NULL;
    const char *first = u != NULL && u[0] != NULL ? u[0] : "";
    const char *second = v != NULL && v[0] != NULL ? v[0] : "";
    return strcmp(first, second) == 0;
}

static bool add_entry(struct crl_shelf *shelf, const struct mu_crl *crl,
                      const struct trust_node *signer, const uint8_t name[32],
                      struct mutual_error *err)
{
    if (!mu_grow((void **)&shelf->entries, &shelf->cap, shelf->count, sizeof(struct crl_entry *),
                 MU_LIMIT_BUNDLE_CERTS)) {
        return mu_fail(err, MUTUAL_E_LIMIT, "there are more than %u revocation lists",
                       MU_LIMIT_BUNDLE_CERTS);
    }
    struct crl_entry *entry = mu_alloc(1, sizeof *entry);
    if (entry == NULL) {
        return mu_fail_memory(err);
    }
    entry->crl = mu_crl_ref(crl);
    entry->facts = mu_crl_facts(crl);
    entry->scope = scope_of(entry->facts);
    entry->signer = signer;
    shelf->entries[shelf->count++] = entry;
    struct crl_entry *first = mu_map_get(shelf->by_name, mu_slice_of(name, 32));
    if (first != NULL) {
        entry->next = first->next;
        first->next = entry;
        return true;
    }
    return mu_map_put(shelf->by_name, mu_slice_of(name, 32), entry) || mu_fail_memory(err);
}

bool mu_crl_shelf_add(struct crl_shelf *shelf, const struct mu_crl *crl,
                      const struct trust_node *signer, struct mutual_error *err)
{
    const struct mu_crl_facts *facts = mu_crl_facts(crl);
    uint8_t name[32];
    if (!check_list(facts, err) || !mu_sha256(facts->issuer_canon, name, err)) {
        return false;
    }
    struct crl_entry *entry = mu_map_get(shelf->by_name, mu_slice_of(name, sizeof name));
    for (; entry != NULL; entry = entry->next) {
        if (entry->scope != scope_of(facts) || !same_part(entry->facts, facts) ||
            memcmp(entry->signer->facts->key_hash, signer->facts->key_hash, 32) != 0) {
            continue;
        }
        if (is_newer(facts, entry->facts)) {
            mu_crl_unref(entry->crl);
            entry->crl = mu_crl_ref(crl);
            entry->facts = mu_crl_facts(crl);
        }
        return true;
    }
    return add_entry(shelf, crl, signer, name, err);
}

/* ---- keys of one authority ------------------------------------------------------------------- */

static bool issued(const struct trust_node *issuer, const struct trust_node *cert)
{
    return mu_slice_equal(issuer->facts->subject_canon, cert->facts->issuer_canon) &&
           mu_cert_signed_by(cert->cert, issuer->cert, NULL);
}

/* Two certificates of one name with different keys belong to one authority when one key signed the
 * other, when the same third authority signed both (RFC 5280 section 6.3.3 (f) wants one trust
 * anchor for both), or when the operator trusts both as they are. */
static bool are_kin(const struct mutual_trust *trust, const struct trust_node *a,
                    const struct trust_node *b)
{
    if ((a->origin == NODE_ANCHOR && b->origin == NODE_ANCHOR) || issued(a, b) || issued(b, a)) {
        return true;
    }
    const struct trust_node *parent = mu_trust_find(trust, a->facts->issuer_canon);
    for (; parent != NULL; parent = parent->next) {
        if (issued(parent, a) && issued(parent, b)) {
            return true;
        }
    }
    return false;
}

static bool add_kin(struct crl_entry *entry, const uint8_t key_hash[32], struct mutual_error *err)
{
    if (!mu_grow((void **)&entry->kin, &entry->kin_cap, entry->kin_count, 32,
                 MU_LIMIT_BUNDLE_CERTS)) {
        return mu_fail_memory(err);
    }
    memcpy(entry->kin[entry->kin_count++], key_hash, 32);
    return true;
}

/* Is the certificate on any list of its issuer's name? */
static bool is_listed(const struct mutual_trust *trust, const struct mu_cert_facts *cert)
{
    uint8_t name[32];
    if (!mu_sha256(cert->issuer_canon, name, NULL)) {
        return true;
    }
    const struct crl_entry *entry = mu_map_get(trust->crls->by_name, mu_slice_of(name, 32));
    while (entry != NULL && !mu_crl_find(entry->crl, cert->serial, NULL)) {
        entry = entry->next;
    }
    return entry != NULL;
}

bool mu_crl_shelf_settle(const struct mutual_trust *trust, struct mutual_error *err)
{
    for (size_t i = 0; i < trust->crls->count; i++) {
        struct crl_entry *entry = trust->crls->entries[i];
        const struct trust_node *node = mu_trust_find(trust, entry->facts->issuer_canon);
        entry->kin_count = 0;
        /* A revoked signer speaks for nobody else any more. */
        if (is_listed(trust, entry->signer->facts)) {
            continue;
        }
        for (; node != NULL; node = node->next) {
            bool same_key = memcmp(node->facts->key_hash, entry->signer->facts->key_hash, 32) == 0;
            if (!same_key && are_kin(trust, entry->signer, node) &&
                !add_kin(entry, node->facts->key_hash, err)) {
                return false;
            }
        }
    }
    return true;
}

/* Did the authority that holds this key sign the list, with this key or another one in force? */
static bool is_of(const struct crl_entry *entry, const uint8_t key_hash[32], int64_t now_s)
{
    const struct mu_cert_facts *signer = entry->signer->facts;
    bool same = memcmp(signer->key_hash, key_hash, 32) == 0;
    bool in_force = now_s >= signer->not_before_s && now_s <= signer->not_after_s;
    for (size_t i = 0; in_force && !same && i < entry->kin_count; i++) {
        same = memcmp(entry->kin[i], key_hash, 32) == 0;
    }
    return same;
}

/* ---- judging a certificate ------------------------------------------------------------------- */

/* The moment from which the list is no longer used. */
static int64_t stale_from(const struct mutual_trust *trust, const struct mu_crl_facts *facts)
{
    switch (trust->crl_stale) {
    case MUTUAL_CRL_STALE_REFUSE:
        return facts->next_update_s;
    case MUTUAL_CRL_STALE_GRACE:
        return facts->next_update_s > MU_TIME_NEVER_S - trust->crl_grace_s
                   ? MU_TIME_NEVER_S
                   : facts->next_update_s + trust->crl_grace_s;
    case MUTUAL_CRL_STALE_ACCEPT:
        break;
    }
    return MU_TIME_NEVER_S;
}

static bool fail_revoked(const char *who, const struct mu_revoked *entry, const char *issuer,
                         struct mutual_error *err)
{
    char when[MU_TIME_TEXT];
    return mu_fail(err, MUTUAL_E_CERT_REVOKED,
                   "certificate \"%s\" was revoked by \"%s\" at %s (%s)", who, issuer,
                   mu_time_format(entry->time_s, when), mu_reason_word(entry->reason));
}

static bool check_fresh(const struct mutual_trust *trust, const struct mu_crl_facts *facts,
                        const char *who, int64_t now_s, struct mutual_error *err)
{
    char when[MU_TIME_TEXT];
    char words[MU_TIME_TEXT];
    if (now_s < facts->this_update_s) {
        return mu_fail(
            err, MUTUAL_E_CRL_STALE,
            "the revocation list of \"%s\", which certificate \"%s\" needs, is of a time "
            "to come: %s",
            facts->issuer_text, who, mu_time_format(facts->this_update_s, when));
    }
    if (now_s >= stale_from(trust, facts)) {
        return mu_fail(
            err, MUTUAL_E_CRL_STALE,
            "the revocation list of \"%s\", which certificate \"%s\" needs, was to be renewed %s "
            "ago (%s)",
            facts->issuer_text, who, mu_duration_words(now_s - facts->next_update_s, words),
            mu_time_format(facts->next_update_s, when));
    }
    return true;
}

bool mu_revocation_check(const struct mutual_trust *trust, const struct mutual_link *link,
                         size_t index, const char *who, int64_t now_s, int64_t *ret_until_s,
                         struct mutual_error *err)
{
    if ((trust->crls->count == 0 && !trust->crl_required) || (trust->crl_leaf_only && index > 0)) {
        return true;
    }
    const struct crl_entry *entry =
        mu_map_get(trust->crls->by_name, mu_slice_of(link->issuer_name_hash, 32));
    bool covered = false;
    for (; entry != NULL; entry = entry->next) {
        bool applies = entry->scope == SCOPE_ALL || entry->scope == SCOPE_PART ||
                       (entry->scope == SCOPE_USER) == (index == 0);
        struct mu_revoked found;
        if (!applies) {
            continue;
        }
        /* Whoever is on a list is revoked, however old the list: only absence needs a fresh one. */
        if (mu_crl_find(entry->crl, mu_slice_of(link->serial, link->serial_len), &found)) {
            return fail_revoked(who, &found, entry->facts->issuer_text, err);
        }
        if (!is_of(entry, link->issuer_hash, now_s)) {
            continue;
        }
        if (!check_fresh(trust, entry->facts, who, now_s, err)) {
            return false;
        }
        int64_t stale_s = stale_from(trust, entry->facts);
        *ret_until_s = stale_s < *ret_until_s ? stale_s : *ret_until_s;
        covered = covered || entry->scope != SCOPE_PART;
    }
    return covered || !trust->crl_required ||
           mu_fail(err, MUTUAL_E_CRL_MISSING,
                   "no revocation list covers certificate \"%s\": bundle \"%s\" demands one of its "
                   "issuer",
                   who, trust->name);
}
