/* SPDX-License-Identifier: Apache-2.0
 *
 * The shelf of revocation lists: side by side by issuer, key and scope, each complete list with the
 * delta that goes with it (RFC 5280 section 5.2.4), and which other keys a list speaks for.
 */
#include <stdio.h>
#include <string.h>

#include "trust/revocation_internal.h"

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
        mu_crl_unref(shelf->entries[i]->complete);
        mu_crl_unref(shelf->entries[i]->delta);
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

/* A list that we would misread must not be taken for one that lists nobody. */
bool mu_crl_shelf_check(const struct mu_crl_facts *facts, struct mutual_error *err)
{
    if (facts->unknown_critical != NULL && facts->unknown_critical[0] != NULL) {
        return mu_fail(err, MUTUAL_E_CRL_UNSUPPORTED,
                       "the revocation list of \"%s\" has a critical extension that is not "
                       "understood: %s",
                       facts->issuer_text, facts->unknown_critical[0]);
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
static int compare_numbers(struct mu_slice a, struct mu_slice b)
{
    if (a.len != b.len) {
        return a.len < b.len ? -1 : 1;
    }
    return mu_slice_compare(a, b);
}

bool mu_trust_list_is_behind(const struct mu_trust_list *list, const struct mu_trust_list *used)
{
    bool same = list->delta == used->delta && memcmp(list->key_hash, used->key_hash, 32) == 0 &&
                mu_slice_equal(list->issuer_canon, used->issuer_canon) &&
                mu_slice_equal(list->scope, used->scope);
    return same && (compare_numbers(list->number, used->number) < 0 ||
                    list->this_update_s < used->this_update_s);
}

const char *mu_trust_list_number(const struct mu_trust_list *list, char text[MU_NUMBER_TEXT])
{
    uint64_t value = 0;
    for (size_t i = 0; i < list->number.len && list->number.len <= 8; i++) {
        value = value << 8 | list->number.data[i];
    }
    if (list->number.len <= 8) {
        (void)snprintf(text, MU_NUMBER_TEXT, "%llu", (unsigned long long)value);
        return text;
    }
    MU_AUTO(buf) struct mu_buf hex;
    mu_buf_init(&hex, 1024);
    mu_hex(&hex, list->number);
    (void)snprintf(text, MU_NUMBER_TEXT, "0x%s", mu_buf_str(&hex));
    return text;
}

static bool is_newer(const struct mu_crl *a, const struct mu_crl *b)
{
    const struct mu_crl_facts *x = mu_crl_facts(a);
    const struct mu_crl_facts *y = mu_crl_facts(b);
    int order = compare_numbers(x->number, y->number);
    return order != 0 ? order > 0 : x->this_update_s >= y->this_update_s;
}

/* Section 5.2.4 (b): both leave the issuing distribution point out, or it is the same. */
static bool same_scope(const struct mu_crl_facts *a, const struct mu_crl_facts *b)
{
    if (a->idp == NULL || b->idp == NULL) {
        return a->idp == b->idp;
    }
    return mu_slice_equal(a->idp->der, b->idp->der);
}

static bool add_entry(struct crl_shelf *shelf, const struct mu_crl_facts *facts,
                      const struct trust_node *signer, const uint8_t name[32],
                      struct crl_entry **ret_entry, struct mutual_error *err)
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
    entry->facts = facts;
    entry->signer = signer;
    shelf->entries[shelf->count++] = entry;
    *ret_entry = entry;
    struct crl_entry *first = mu_map_get(shelf->by_name, mu_slice_of(name, 32));
    if (first != NULL) {
        entry->next = first->next;
        first->next = entry;
        return true;
    }
    return mu_map_put(shelf->by_name, mu_slice_of(name, 32), entry) || mu_fail_memory(err);
}

static void keep_newer(struct mu_crl **kept, const struct mu_crl *crl)
{
    if (*kept == NULL || is_newer(crl, *kept)) {
        mu_crl_unref(*kept);
        *kept = mu_crl_ref(crl);
    }
}

bool mu_crl_shelf_add(struct crl_shelf *shelf, const struct mu_crl *crl,
                      const struct trust_node *signer, struct mutual_error *err)
{
    const struct mu_crl_facts *facts = mu_crl_facts(crl);
    uint8_t name[32];
    if (!mu_crl_shelf_check(facts, err) || !mu_sha256(facts->issuer_canon, name, err)) {
        return false;
    }
    struct crl_entry *entry = mu_map_get(shelf->by_name, mu_slice_of(name, sizeof name));
    while (entry != NULL &&
           (!same_scope(entry->facts, facts) ||
            memcmp(entry->signer->facts->key_hash, signer->facts->key_hash, 32) != 0)) {
        entry = entry->next;
    }
    if (entry == NULL && !add_entry(shelf, facts, signer, name, &entry, err)) {
        return false;
    }
    keep_newer(facts->delta_base.data != NULL ? &entry->delta : &entry->complete, crl);
    entry->facts = mu_crl_facts(entry->complete != NULL ? entry->complete : entry->delta);
    return true;
}

/* Section 5.2.4: the complete list is no older than the base and older than the delta. */
static bool fits(const struct crl_entry *entry)
{
    if (entry->complete == NULL || entry->delta == NULL) {
        return false;
    }
    const struct mu_crl_facts *complete = mu_crl_facts(entry->complete);
    const struct mu_crl_facts *delta = mu_crl_facts(entry->delta);
    return compare_numbers(complete->number, delta->delta_base) >= 0 &&
           compare_numbers(complete->number, delta->number) < 0;
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
    struct mu_revoked found;
    while (entry != NULL &&
           !mu_crl_entry_find(entry, name, cert->serial, MU_TIME_NEVER_S, &found)) {
        entry = entry->next;
    }
    return entry != NULL;
}

/* Does a path of signatures within the bundle lead from the certificate to an anchor? */
static bool is_vouched(const struct mutual_trust *trust, const struct trust_node *node,
                       unsigned depth)
{
    if (node->origin == NODE_ANCHOR) {
        return true;
    }
    const struct trust_node *parent =
        depth == 0 ? NULL : mu_trust_find(trust, node->facts->issuer_canon);
    for (; parent != NULL; parent = parent->next) {
        if (parent != node && parent->facts->ca && issued(parent, node) &&
            is_vouched(trust, parent, depth - 1)) {
            return true;
        }
    }
    return false;
}

static bool settle_entry(const struct mutual_trust *trust, struct crl_entry *entry,
                         struct mutual_error *err)
{
    const struct trust_node *node = mu_trust_find(trust, entry->facts->issuer_canon);
    bool indirect = entry->facts->idp != NULL && entry->facts->idp->indirect;
    entry->kin_count = 0;
    /* A revoked signer speaks for nobody else any more. */
    if (is_listed(trust, entry->signer->facts)) {
        entry->vouched = false;
        return true;
    }
    entry->vouched = indirect && is_vouched(trust, entry->signer, 4);
    for (; node != NULL; node = node->next) {
        bool same_key = memcmp(node->facts->key_hash, entry->signer->facts->key_hash, 32) == 0;
        if (!same_key && are_kin(trust, entry->signer, node) &&
            !add_kin(entry, node->facts->key_hash, err)) {
            return false;
        }
    }
    return true;
}

bool mu_crl_shelf_settle(const struct mutual_trust *trust, struct mutual_error *err)
{
    for (size_t i = 0; i < trust->crls->count; i++) {
        trust->crls->entries[i]->delta_fits = fits(trust->crls->entries[i]);
    }
    for (size_t i = 0; i < trust->crls->count; i++) {
        if (!settle_entry(trust, trust->crls->entries[i], err)) {
            return false;
        }
    }
    return true;
}

/* ---- looking up ------------------------------------------------------------------------------ */

bool mu_crl_entry_find(const struct crl_entry *entry, const uint8_t issuer_hash[32],
                       struct mu_slice serial, int64_t now_s, struct mu_revoked *ret_found)
{
    struct mu_revoked found;
    if (entry->delta != NULL && mu_crl_find_of(entry->delta, issuer_hash, serial, &found)) {
        if (found.reason != MU_REASON_REMOVE) {
            *ret_found = found;
            return true;
        }
        /* removeFromCRL (section 5.3.1) takes back what the complete list says, once the delta is
         * in force and goes with it. */
        if (entry->delta_fits && mu_crl_facts(entry->delta)->this_update_s <= now_s) {
            return false;
        }
    }
    return entry->complete != NULL &&
           mu_crl_find_of(entry->complete, issuer_hash, serial, ret_found);
}

/* ---- the same lists in another bundle -------------------------------------------------------- */

static bool copy_entry(const struct crl_entry *entry, struct mutual_trust *trust,
                       struct mutual_error *err)
{
    const struct mu_cert_facts *signer = entry->signer->facts;
    const struct trust_node *node =
        mu_trust_find_exact(trust, signer->subject_canon, signer->fingerprint);
    return node == NULL ||
           ((entry->complete == NULL ||
             mu_crl_shelf_add(trust->crls, entry->complete, node, err)) &&
            (entry->delta == NULL || mu_crl_shelf_add(trust->crls, entry->delta, node, err)));
}

bool mu_crl_shelf_copy(const struct crl_shelf *shelf, struct mutual_trust *trust,
                       struct mutual_error *err)
{
    for (size_t i = 0; i < shelf->count; i++) {
        if (!copy_entry(shelf->entries[i], trust, err)) {
            return false;
        }
    }
    return true;
}
