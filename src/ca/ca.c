/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening an authority: its directory, its store, its root and issuers.
 */
#include "ca/ca_internal.h"
#include "config/config.h"

#include <string.h>
#include <unistd.h>

#define ISSUERS_MAX 64u

static void issuer_done(struct ca_issuer *issuer)
{
    mu_free(issuer->word);
    mu_cert_unref(issuer->cert);
    mu_free(issuer->domain);
    mu_free(issuer->key_path);
    mu_free(issuer->crl_path);
    mu_free(issuer->delta_path);
    mu_free(issuer->dir);
    mu_free(issuer->responder_key_path);
    mu_cert_unref(issuer->responder);
}

void ca_close(struct ca *ca)
{
    if (ca == NULL) {
        return;
    }
    while (ca->locks > 0) {
        ca_unlock(ca);
    }
    inventory_close(ca->inventory);
    for (size_t i = 0; i < ca->issuer_count; i++) {
        issuer_done(&ca->issuers[i]);
    }
    mu_free(ca->issuers);
    ca_profiles_done(&ca->own);
    mu_free(ca->url);
    mu_cert_unref(ca->root);
    mu_free(ca->dir);
    mu_free(ca->who);
    mu_free(ca);
}

void mu_ca_auto(struct ca **ca)
{
    ca_close(*ca);
}

struct inventory *ca_inventory(struct ca *ca)
{
    return ca->inventory;
}

const char *ca_dir(const struct ca *ca)
{
    return ca->dir;
}

const struct mu_cert *ca_root(const struct ca *ca)
{
    return ca->root;
}

/* ---- the issuers ----------------------------------------------------------------------------- */

const struct mu_cert *ca_issuer(const struct ca *ca)
{
    return ca->at->cert;
}

const char *ca_issuer_key_path(const struct ca *ca)
{
    return ca->answering ? ca->at->responder_key_path : ca->at->key_path;
}

const char *ca_crl_path(const struct ca *ca)
{
    return ca->at->crl_path;
}

const char *ca_domain(const struct ca *ca)
{
    return ca->at->domain;
}

const char *ca_issuer_word(const struct ca *ca, size_t index)
{
    return index < ca->issuer_count ? ca->issuers[index].word : NULL;
}

bool ca_select(struct ca *ca, const char *word, struct mutual_error *err)
{
    const char *words[ISSUERS_MAX + 1] = {NULL};
    for (size_t i = 0; i < ca->issuer_count; i++) {
        if (word == NULL || strcmp(ca->issuers[i].word, word) == 0) {
            ca->at = &ca->issuers[i];
            return true;
        }
        words[i] = ca->issuers[i].word;
    }
    (void)mu_fail(err, MUTUAL_E_NOT_FOUND, "the authority has no issuer \"%.60s\"", word);
    const char *near = mu_suggest(word, words);
    return near != NULL ? mu_error_hint(err, "Did you mean \"%s\"?", near)
                        : mu_error_hint(err, "See them by: mutual issuer list");
}

struct ca_issuer *ca_issuer_by_id(struct ca *ca, int64_t id)
{
    for (size_t i = 0; i < ca->issuer_count; i++) {
        if (ca->issuers[i].id == id) {
            return &ca->issuers[i];
        }
    }
    return NULL;
}

const struct ca_issuer *ca_issuer_of(const struct ca *ca, const struct mu_cert *leaf)
{
    const struct mu_cert_facts *facts = mu_cert_facts(leaf);
    for (size_t i = 0; i < ca->issuer_count; i++) {
        if (mu_slice_equal(mu_cert_facts(ca->issuers[i].cert)->subject, facts->issuer)) {
            return &ca->issuers[i];
        }
    }
    return ca->at;
}

void ca_rule_of(const struct ca *ca, const struct ca_profile *profile, struct ca_rule *ret_rule)
{
    ca_rule_build(profile, ca->at, ca->issuers[0].domain, ret_rule);
}

void ca_rule_bare(const struct ca_profile *profile, struct ca_rule *ret_rule)
{
    ca_rule_build(profile, NULL, NULL, ret_rule);
}

/* ---- opening --------------------------------------------------------------------------------- */

/* The first permitted DNS name; the authority's own domain for an issuer that has none. */
static bool find_domain(struct ca *ca, struct ca_issuer *issuer, struct mutual_error *err)
{
    const struct mu_cert_facts *facts = mu_cert_facts(issuer->cert);
    for (size_t i = 0; i < facts->permitted_count && issuer->domain == NULL; i++) {
        const struct mu_gname *base = &facts->permitted[i].base;
        if (base->type == MU_GNAME_DNS && !mu_slice_equal_text(base->bytes, CA_NOWHERE)) {
            issuer->domain = mu_slice_dup(base->bytes);
        }
    }
    if (issuer->domain == NULL && ca->issuer_count > 0) {
        issuer->domain = mu_strdup(ca->issuers[0].domain);
    }
    return issuer->domain != NULL ||
           mu_fail(err, MUTUAL_E_STORE_CORRUPT, "issuer \"%s\" has no permitted domain",
                   facts->display);
}

static bool fill_issuer(struct ca *ca, const struct inventory_issuer *row, struct ca_issuer *issuer,
                        struct mutual_error *err)
{
    bool first = ca->issuer_count == 0;
    issuer->id = row->id;
    issuer->shards = row->shards;
    issuer->crl_due = row->crl_due;
    issuer->crl_this_update_s = row->crl_this_update_s;
    issuer->crl_next_update_s = row->crl_next_update_s;
    issuer->word = mu_strdup(row->word);
    issuer->key_path = ca_text("%s/" CA_PART "/%s", ca->dir, row->key_place);
    issuer->crl_path =
        first ? ca_text("%s/" CA_PART "/" CA_PART_CRL, ca->dir)
              : ca_text("%s/" CA_PART "/" CA_PART_ISSUERS "/%s.crl", ca->dir, row->word);
    issuer->delta_path =
        first ? ca_text("%s/" CA_PART "/issuer.delta.crl", ca->dir)
              : ca_text("%s/" CA_PART "/" CA_PART_ISSUERS "/%s.delta.crl", ca->dir, row->word);
    const char *slash = issuer->key_path == NULL ? NULL : strrchr(issuer->key_path, '/');
    if (slash != NULL) {
        issuer->dir = mu_strndup(issuer->key_path, (size_t)(slash - issuer->key_path));
        issuer->responder_key_path = ca_text("%s/ocsp.key", issuer->dir);
    }
    if (issuer->word == NULL || issuer->dir == NULL || issuer->responder_key_path == NULL ||
        issuer->crl_path == NULL || issuer->delta_path == NULL) {
        return mu_fail_memory(err);
    }
    return mu_cert_from_der(row->certificate, &issuer->cert, err) && find_domain(ca, issuer, err) &&
           ca_responder_load(issuer, err);
}

static bool take_issuer(struct ca *ca, const struct inventory_issuer *row, struct mutual_error *err)
{
    if (row->root) {
        if (ca->root != NULL) {
            return true; /* the first is the one in use */
        }
        ca->root_id = row->id;
        return mu_cert_from_der(row->certificate, &ca->root, err);
    }
    if (!mu_grow((void **)&ca->issuers, &ca->issuer_cap, ca->issuer_count, sizeof *ca->issuers,
                 ISSUERS_MAX)) {
        return mu_fail_memory(err);
    }
    struct ca_issuer issuer = {0};
    if (!fill_issuer(ca, row, &issuer, err)) {
        issuer_done(&issuer);
        return mu_error_context(err, "authority \"%s\" in the store", row->name);
    }
    ca->issuers[ca->issuer_count++] = issuer;
    return true;
}

static bool load_issuers(struct ca *ca, struct mutual_error *err)
{
    MU_AUTO(inventory_issuers) struct inventory_issuers issuers = {0};
    if (!inventory_issuers_get(ca->inventory, &issuers, err)) {
        return false;
    }
    for (size_t i = 0; i < issuers.count; i++) {
        struct ca_issuer *known = ca_issuer_by_id(ca, issuers.items[i].id);
        if (known != NULL) {
            known->crl_due = issuers.items[i].crl_due;
            known->crl_this_update_s = issuers.items[i].crl_this_update_s;
            known->crl_next_update_s = issuers.items[i].crl_next_update_s;
        } else if (!take_issuer(ca, &issuers.items[i], err)) {
            return false;
        }
    }
    return (ca->root != NULL && ca->issuer_count > 0) ||
           mu_fail(err, MUTUAL_E_STORE_CORRUPT, "the store in \"%s\" holds no authority", ca->dir);
}

/* They may have moved even if not all could be read. */
bool ca_issuers_load(struct ca *ca, struct mutual_error *err)
{
    const size_t at = ca->at == NULL ? 0 : (size_t)(ca->at - ca->issuers);
    bool good = load_issuers(ca, err);
    ca->at = ca->issuer_count > 0 ? &ca->issuers[at] : NULL;
    return good;
}

static bool load_profiles(struct ca *ca, struct mutual_error *err)
{
    MU_AUTO(config_findings) struct config_findings findings;
    config_findings_init(&findings);
    return ca_profiles_load(ca->dir, &findings, &ca->own, err);
}

void ca_profiles_check(const char *dir, struct config_findings *findings)
{
    struct ca_profiles own = {0};
    (void)ca_profiles_load(dir, findings, &own, NULL);
    ca_profiles_done(&own);
}

/* Its root certificate without its store is an authority that has lost it, and no reason for a new
 * one. */
static bool fail_no_store(const struct ca *ca, const char *where, struct mutual_error *err)
{
    MU_AUTO(free) char *root = ca_text("%s/" CA_PART "/" CA_PART_ROOT_CERT, ca->dir);
    if (root == NULL) {
        return mu_fail_memory(err);
    }
    if (access(root, F_OK) == 0) {
        return mu_fail(err, MUTUAL_E_FILE_MISSING,
                       "the authority in \"%s\" has lost its store, \"%s\"", ca->dir, where) ||
               mu_error_hint(err, "Restore it from the last backup; the keys are still there.");
    }
    return mu_fail(err, MUTUAL_E_FILE_MISSING, "there is no authority in \"%s\"", ca->dir) ||
           mu_error_hint(err, "Make one with: mutual init; or name its directory by --dir.");
}

static bool open_store(struct ca *ca, enum ca_access access, struct mutual_error *err)
{
    MU_AUTO(free) char *where = NULL;
    if (!ca_store_where(ca->dir, &where, err)) {
        return false;
    }
    struct mutual_error why = {0};
    if (inventory_open(where, access == CA_LOOK ? STORE_READ : STORE_WRITE, STORE_WAIT_MS,
                       &ca->inventory, &why)) {
        return true;
    }
    if (why.code == MUTUAL_E_FILE_MISSING) {
        return fail_no_store(ca, where, err);
    }
    if (err != NULL) {
        *err = why;
    }
    return false;
}

/* Who waited for the lock of a store that was moved meanwhile holds the lock of a memory. */
static bool lock_store(struct ca *ca, struct mutual_error *err)
{
    MU_AUTO(free) char *before = NULL;
    MU_AUTO(free) char *after = NULL;
    if (!ca_store_where(ca->dir, &before, err) ||
        !store_lock(inventory_store(ca->inventory), err) || !ca_store_where(ca->dir, &after, err)) {
        return false;
    }
    return strcmp(before, after) == 0 ||
           mu_fail(err, MUTUAL_E_STORE_BUSY, "the store of \"%s\" was moved while we waited for it",
                   ca->dir);
}

const char *ca_store_name(const struct ca *ca)
{
    return store_name(inventory_store(ca->inventory));
}

bool ca_lock(struct ca *ca, int64_t now_s, struct mu_buf *notes, struct mutual_error *err)
{
    if (ca->locks > 0) {
        ca->locks++;
        return true;
    }
    if (!lock_store(ca, err)) {
        store_unlock(inventory_store(ca->inventory));
        return false;
    }
    ca->locks = 1;
    /* Others may have revoked, published and added since it was opened. */
    if ((ca->root != NULL && !ca_issuers_load(ca, err)) ||
        !(ca_recover(ca, now_s, notes, err) ||
          mu_error_context(err, "tidying up after an interrupted command"))) {
        ca_unlock(ca);
        return false;
    }
    return true;
}

/* A head that is behind serves too. */
static void note_head(struct ca *ca)
{
    struct inventory_head head = {0};
    MU_AUTO(free) char *part = ca_text("%s/" CA_PART, ca->dir);
    if (part != NULL && inventory_head(ca->inventory, &head, NULL) && head.id != ca->noted &&
        ca_head_note(ca->inventory, part, NULL)) {
        ca->noted = head.id;
    }
}

void ca_unlock(struct ca *ca)
{
    mu_assert(ca->locks > 0);
    if (ca->locks == 1) {
        note_head(ca);
        store_unlock(inventory_store(ca->inventory));
    }
    ca->locks--;
}

size_t ca_keys_count(const struct ca *ca)
{
    size_t count = ca->issuer_count;
    for (size_t i = 0; i < ca->issuer_count; i++) {
        count += ca->issuers[i].responder != NULL;
    }
    return count;
}

bool ca_look_again(struct ca *ca, int64_t now_s, struct mutual_error *err)
{
    bool good = ca_issuers_load(ca, err);
    for (size_t i = 0; good && i < ca->issuer_count; i++) {
        good =
            !ca_responder_is_due(&ca->issuers[i], now_s) || ca_responder_load(&ca->issuers[i], err);
    }
    return good;
}

void ca_let_others(struct ca *ca)
{
    mu_assert(ca->locks > 0);
    note_head(ca);
    store_unlock(inventory_store(ca->inventory));
}

bool ca_go_on(struct ca *ca, struct mutual_error *err)
{
    return lock_store(ca, err) && (ca->root == NULL || ca_issuers_load(ca, err));
}

bool ca_try_write(struct ca *ca, int64_t now_s, struct mutual_error *err)
{
    if (!ca_lock(ca, now_s, NULL, err)) {
        return false;
    }
    bool good = inventory_try_write(ca->inventory, err);
    ca_unlock(ca);
    return good;
}

bool ca_speak_for(struct ca *ca, const char *who, struct mutual_error *err)
{
    char *copy = mu_strdup(who);
    if (copy == NULL) {
        return mu_fail_memory(err);
    }
    mu_free(ca->who);
    ca->who = copy;
    return true;
}

bool ca_open(const char *dir, enum ca_access access, const char *who, int64_t now_s,
             struct mu_buf *ret_notes, struct ca **ret_ca, struct mutual_error *err)
{
    MU_AUTO(ca) struct ca *ca = mu_alloc(1, sizeof *ca);
    if (ca == NULL) {
        return mu_fail_memory(err);
    }
    ca->dir = mu_strdup(dir);
    ca->who = mu_strdup(who);
    if (ca->dir == NULL || ca->who == NULL) {
        return mu_fail_memory(err);
    }
    if (!open_store(ca, access, err)) {
        return false;
    }
    ca->serving = access == CA_SERVE;
    if (!ca_issuers_load(ca, err) || !load_profiles(ca, err) || !ca_url_load(ca, err) ||
        (access == CA_CHANGE && !ca_lock(ca, now_s, ret_notes, err))) {
        return false;
    }
    *ret_ca = MU_TAKE(ca);
    return true;
}
