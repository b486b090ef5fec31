/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening an authority: its directory, its store, its two certificates.
 */
#include "ca/ca_internal.h"

#include <string.h>

void ca_close(struct ca *ca)
{
    if (ca == NULL) {
        return;
    }
    while (ca->locks > 0) {
        ca_unlock(ca);
    }
    inventory_close(ca->inventory);
    mu_cert_unref(ca->root);
    mu_cert_unref(ca->issuer);
    mu_free(ca->dir);
    mu_free(ca->who);
    mu_free(ca->domain);
    mu_free(ca->key_path);
    mu_free(ca->crl_path);
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

const struct mu_cert *ca_issuer(const struct ca *ca)
{
    return ca->issuer;
}

const char *ca_issuer_key_path(const struct ca *ca)
{
    return ca->key_path;
}

const char *ca_crl_path(const struct ca *ca)
{
    return ca->crl_path;
}

const char *ca_domain(const struct ca *ca)
{
    return ca->domain;
}

static bool take_issuer(struct ca *ca, const struct inventory_issuer *issuer,
                        struct mutual_error *err)
{
    struct mu_cert **slot = issuer->root ? &ca->root : &ca->issuer;
    if (*slot != NULL) {
        return true; /* the first of each kind serves */
    }
    if (!mu_cert_from_der(issuer->certificate, slot, err)) {
        return mu_error_context(err, "authority \"%s\" in the store", issuer->name);
    }
    if (issuer->root) {
        ca->root_id = issuer->id;
        return true;
    }
    ca->issuer_id = issuer->id;
    ca->crl_due = issuer->crl_due;
    ca->crl_this_update_s = issuer->crl_this_update_s;
    ca->crl_next_update_s = issuer->crl_next_update_s;
    ca->key_path = ca_text("%s/" CA_PART "/%s", ca->dir, issuer->key_place);
    return ca->key_path != NULL ? true : mu_fail_memory(err);
}

static bool find_domain(struct ca *ca, struct mutual_error *err)
{
    const struct mu_cert_facts *facts = mu_cert_facts(ca->issuer);
    for (size_t i = 0; i < facts->permitted_count && ca->domain == NULL; i++) {
        if (facts->permitted[i].base.type == MU_GNAME_DNS) {
            ca->domain = mu_slice_dup(facts->permitted[i].base.bytes);
        }
    }
    if (ca->domain == NULL) {
        return mu_fail(err, MUTUAL_E_STORE_CORRUPT, "issuer \"%s\" has no permitted domain",
                       facts->display);
    }
    return true;
}

static bool load(struct ca *ca, struct mutual_error *err)
{
    MU_AUTO(inventory_issuers) struct inventory_issuers issuers = {0};
    if (!inventory_issuers_get(ca->inventory, &issuers, err)) {
        return false;
    }
    for (size_t i = 0; i < issuers.count; i++) {
        if (!take_issuer(ca, &issuers.items[i], err)) {
            return false;
        }
    }
    if (ca->root == NULL || ca->issuer == NULL) {
        return mu_fail(err, MUTUAL_E_STORE_CORRUPT, "the store in \"%s\" holds no authority",
                       ca->dir);
    }
    return find_domain(ca, err);
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
        return mu_fail(err, MUTUAL_E_FILE_MISSING, "there is no authority in \"%s\"", ca->dir) ||
               mu_error_hint(err, "Make one with: mutual init; or name its directory by --dir.");
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

/* Others may have revoked and published since it was opened. */
static bool read_again(struct ca *ca, struct mutual_error *err)
{
    MU_AUTO(inventory_issuers) struct inventory_issuers issuers = {0};
    if (!inventory_issuers_get(ca->inventory, &issuers, err)) {
        return false;
    }
    for (size_t i = 0; i < issuers.count; i++) {
        if (issuers.items[i].id == ca->issuer_id) {
            ca->crl_due = issuers.items[i].crl_due;
            ca->crl_this_update_s = issuers.items[i].crl_this_update_s;
            ca->crl_next_update_s = issuers.items[i].crl_next_update_s;
        }
    }
    return true;
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
    if ((ca->issuer != NULL && !read_again(ca, err)) ||
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
    ca->crl_path = ca_text("%s/" CA_PART "/" CA_PART_CRL, dir);
    if (ca->dir == NULL || ca->who == NULL || ca->crl_path == NULL) {
        return mu_fail_memory(err);
    }
    if (!open_store(ca, access, err)) {
        return false;
    }
    ca->serving = access == CA_SERVE;
    if (!load(ca, err) || (access == CA_CHANGE && !ca_lock(ca, now_s, ret_notes, err))) {
        return false;
    }
    *ret_ca = MU_TAKE(ca);
    return true;
}
