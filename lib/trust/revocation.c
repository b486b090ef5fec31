/* SPDX-License-Identifier: Apache-2.0
 *
 * What the revocation lists say about a certificate (RFC 5280 section 6.3).
 *
 * Whoever is on a list of its issuer's name is revoked, whichever key of that authority signed the
 * list. That somebody is not on a list counts only when the list was signed by the key that issued
 * the certificate, or by one that the bundle proves to be the same authority's: an authority that
 * changed its key, or that signs lists with a key of their own.
 *
 * A list that names a distribution point knows only the certificates that name it too; one for some
 * reasons knows only those reasons; a certificate is covered when all reasons are. A list by
 * another issuer counts for those certificates only whose own distribution point names that issuer.
 */
#include <string.h>

#include "trust/revocation_internal.h"

struct inquiry {
    const struct mutual_trust *trust;
    const struct mutual_link *link;
    size_t index;
    const char *who; /* in messages */
    int64_t now_s;
    int64_t until_s; /* when the first list that was used goes stale */
    unsigned known;  /* reasons that lists answered for              */
    bool any;        /* was there any list of the issuer?            */
};

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

static bool in_force(const struct crl_entry *entry, int64_t now_s)
{
    const struct mu_cert_facts *signer = entry->signer->facts;
    return entry->vouched && now_s >= signer->not_before_s && now_s <= signer->not_after_s;
}

/* ---- how old a list may be ------------------------------------------------------------------- */

/* The list that says how fresh the information is: the delta, where it goes with the complete list
 * and is in force. */
static const struct mu_crl_facts *freshest(const struct crl_entry *entry, int64_t now_s)
{
    const struct mu_crl_facts *complete = mu_crl_facts(entry->complete);
    if (!entry->delta_fits) {
        return complete;
    }
    const struct mu_crl_facts *delta = mu_crl_facts(entry->delta);
    bool later = delta->next_update_s > complete->next_update_s;
    return later && delta->this_update_s <= now_s ? delta : complete;
}

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

bool mu_trust_list(const struct mutual_trust *trust, size_t index, struct mu_trust_list *ret_list)
{
    const struct crl_shelf *shelf = trust->crls;
    for (size_t i = 0; i < shelf->count; i++) {
        const struct mu_crl *both[] = {shelf->entries[i]->complete, shelf->entries[i]->delta};
        for (size_t k = 0; k < 2; k++) {
            if (both[k] == NULL || index-- > 0) {
                continue;
            }
            const struct mu_crl_facts *facts = mu_crl_facts(both[k]);
            *ret_list = (struct mu_trust_list){
                .issuer = facts->issuer_text,
                .number = facts->number,
                .delta = k == 1,
                .this_update_s = facts->this_update_s,
                .next_update_s = facts->next_update_s,
                .stale_from_s = stale_from(trust, facts),
                .entries = facts->count,
                .issuer_canon = facts->issuer_canon,
                .scope = facts->idp != NULL ? facts->idp->der : mu_slice_of(NULL, 0),
            };
            memcpy(ret_list->key_hash, shelf->entries[i]->signer->facts->key_hash, 32);
            return true;
        }
    }
    return false;
}

/* ---- judging a certificate ------------------------------------------------------------------- */

static bool applies(const struct mu_crl_facts *facts, size_t index)
{
    const struct mu_crl_idp *idp = facts->idp;
    return idp == NULL || (!idp->only_attribute && (index == 0 ? !idp->only_ca : !idp->only_user));
}

static bool has_name(const struct mu_crl_idp *idp, const uint8_t digest[16])
{
    for (size_t i = 0; i < idp->name_count; i++) {
        uint8_t hash[32];
        if (mu_sha256(idp->names[i], hash, NULL) && memcmp(hash, digest, 16) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
    static const uint8_t zero[32];
    return memcmp(bytes, zero, len) == 0;
}

/* The reasons for which the list knows the certificate; `point` NULL: by the issuer itself. */
static unsigned reasons_of(const struct inquiry *inquiry, const struct mu_crl_idp *idp,
                           const struct mutual_point *only)
{
    const struct mutual_link *link = inquiry->link;
    unsigned reasons = 0;
    if (idp == NULL || (!idp->has_point && only == NULL)) {
        return idp == NULL ? MU_REASONS_ALL : idp->reasons;
    }
    for (size_t i = 0; i < link->point_count; i++) {
        const struct mutual_point *point = &link->points[i];
        bool meant = only != NULL ? point == only : is_zero(point->issuer_name_hash, 32);
        if (meant && (!idp->has_point || has_name(idp, point->name))) {
            reasons |= idp->reasons & point->reasons;
        }
    }
    return reasons;
}

/* False: the certificate is revoked, or the list that it needs is stale. */
static bool consult(struct inquiry *inquiry, const struct crl_entry *entry,
                    const struct mutual_point *point, struct mutual_error *err)
{
    const struct mutual_link *link = inquiry->link;
    struct mu_slice serial = mu_slice_of(link->serial, link->serial_len);
    struct mu_revoked found;
    if (!applies(entry->facts, inquiry->index)) {
        return true;
    }
    inquiry->any = true;
    /* Whoever is on a list is revoked, however old the list: only absence needs a fresh one. */
    if (mu_crl_entry_find(entry, link->issuer_name_hash, serial, inquiry->now_s, &found)) {
        return fail_revoked(inquiry->who, &found, entry->facts->issuer_text, err);
    }
    bool speaks = point == NULL ? is_of(entry, link->issuer_hash, inquiry->now_s) : true;
    unsigned reasons = reasons_of(inquiry, entry->facts->idp, point);
    if (entry->complete == NULL || !speaks || reasons == 0) {
        return true;
    }
    const struct mu_crl_facts *facts = freshest(entry, inquiry->now_s);
    if (!check_fresh(inquiry->trust, facts, inquiry->who, inquiry->now_s, err)) {
        return false;
    }
    int64_t stale_s = stale_from(inquiry->trust, facts);
    inquiry->until_s = stale_s < inquiry->until_s ? stale_s : inquiry->until_s;
    inquiry->known |= reasons;
    return true;
}

static const struct crl_entry *lists_of(const struct mutual_trust *trust, const uint8_t name[32])
{
    return mu_map_get(trust->crls->by_name, mu_slice_of(name, 32));
}

/* The lists that the certificate's distribution points give into other hands. */
static bool consult_others(struct inquiry *inquiry, struct mutual_error *err)
{
    for (size_t i = 0; i < inquiry->link->point_count; i++) {
        const struct mutual_point *point = &inquiry->link->points[i];
        const struct crl_entry *entry = is_zero(point->issuer_name_hash, 32)
                                            ? NULL
                                            : lists_of(inquiry->trust, point->issuer_name_hash);
        for (; entry != NULL; entry = entry->next) {
            if (in_force(entry, inquiry->now_s) && !consult(inquiry, entry, point, err)) {
                return false;
            }
        }
    }
    return true;
}

static bool fail_missing(const struct inquiry *inquiry, struct mutual_error *err)
{
    if (inquiry->any) {
        return mu_fail(err, MUTUAL_E_CRL_MISSING,
                       "the revocation lists here do not cover certificate \"%s\": none is for "
                       "its distribution point and all reasons, by an issuer of its own",
                       inquiry->who);
    }
    return mu_fail(err, MUTUAL_E_CRL_MISSING,
                   "no revocation list covers certificate \"%s\": bundle \"%s\" demands one of its "
                   "issuer",
                   inquiry->who, inquiry->trust->name);
}

bool mu_revocation_check(const struct mutual_trust *trust, const struct mutual_link *link,
                         size_t index, const char *who, int64_t now_s, int64_t *ret_until_s,
                         struct mutual_error *err)
{
    struct inquiry inquiry = {.trust = trust,
                              .link = link,
                              .index = index,
                              .who = who,
                              .now_s = now_s,
                              .until_s = *ret_until_s};
    if ((trust->crls->count == 0 && !trust->crl_required) || (trust->crl_leaf_only && index > 0)) {
        return true;
    }
    const struct crl_entry *entry = lists_of(trust, link->issuer_name_hash);
    for (; entry != NULL; entry = entry->next) {
        if (!consult(&inquiry, entry, NULL, err)) {
            return false;
        }
    }
    if (!consult_others(&inquiry, err)) {
        return false;
    }
    if (trust->crl_required && inquiry.known != MU_REASONS_ALL) {
        return fail_missing(&inquiry, err);
    }
    *ret_until_s = inquiry.until_s;
    return true;
}

/* ---- for whoever only wants to know ------------------------------------------------------------
 */

enum mutual_code mu_trust_link_status(const struct mutual_trust *trust,
                                      const struct mutual_link *link, size_t index, int64_t now_s)
{
    struct mutual_error err = {0};
    int64_t until_s = MU_TIME_NEVER_S;
    return mu_revocation_check(trust, link, index, "", now_s, &until_s, &err) ? MUTUAL_OK
                                                                              : err.code;
}

bool mu_trust_status_differs(const struct mutual_trust *a, const struct mutual_trust *b,
                             const struct mutual_chain *chain, int64_t now_s)
{
    size_t count = 0;
    const struct mutual_link *links = mutual_chain_links(chain, &count);
    bool differs = false;
    for (size_t i = 0; i + 1 < count && !differs; i++) {
        differs = mu_trust_link_status(a, &links[i], i, now_s) !=
                  mu_trust_link_status(b, &links[i], i, now_s);
    }
    return differs;
}
