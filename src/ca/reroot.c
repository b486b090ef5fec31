/* SPDX-License-Identifier: Apache-2.0
 *
 * A new root for an authority that goes on. Each issuer keeps its key, its name and its limits and
 * gets a second certificate, below the new root; so everything that was issued chains to either
 * root, by the one certificate of its issuer or by the other. First the new root is made and handed
 * to everybody beside the old (ca.crt); when all have it, the authority is told to use it, and from
 * then on the chains that it delivers lead there.
 */
#include "ca/ca_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ISSUERS_MAX 64u

struct rerooting {
    struct ca *ca;
    const struct ca_root_options *options;
    struct ca_root_made *made;
    struct inventory_issuers issuers;
    const struct inventory_issuer *old;   /* the row of the root that serves until now */
    struct mu_cert *renewed[ISSUERS_MAX]; /* of each row of issuers; NULL: not below it */
    struct mu_cert *old_cert;
    struct mu_key *key;
    unsigned number; /* of the new root; the first was 1 */
    int64_t id;      /* its row among the issuers        */
    char *part, *path, *aside;
};

static void rerooting_done(struct rerooting *r)
{
    if (r->aside != NULL) {
        ca_remove_aside(r->aside);
    }
    for (size_t i = 0; i < ISSUERS_MAX; i++) {
        mu_cert_unref(r->renewed[i]);
    }
    inventory_issuers_done(&r->issuers);
    mu_cert_unref(r->old_cert);
    mu_key_unref(r->key);
    mu_free(r->part);
    mu_free(r->path);
    mu_free(r->aside);
}

void ca_root_made_done(struct ca_root_made *made)
{
    mu_cert_unref(made->root);
    mu_wipe(made->passphrase, sizeof made->passphrase);
    *made = (struct ca_root_made){0};
}

/* Which root it is, by the directory of its key: two may have been made in one second. */
static uint64_t number_of(const struct inventory_issuer *root)
{
    static const char begin[] = CA_PART_ROOT "-";
    uint64_t number = 1;
    char digits[8] = "";
    if (strncmp(root->key_place, begin, sizeof begin - 1) == 0) {
        const char *text = root->key_place + sizeof begin - 1;
        (void)snprintf(digits, sizeof digits, "%.*s", (int)strcspn(text, "/"), text);
        (void)mu_text_uint(digits, UINT32_MAX, &number);
    }
    return number;
}

/* The root that serves, which is the first, and the one that was made last; false: there is one. */
static bool find_roots(const struct inventory_issuers *issuers, size_t *ret_first,
                       size_t *ret_newest)
{
    size_t count = 0;
    for (size_t i = 0; i < issuers->count; i++) {
        const struct inventory_issuer *row = &issuers->items[i];
        if (row->root) {
            *ret_first = count == 0 ? i : *ret_first;
            bool newer = count == 0 || number_of(row) > number_of(&issuers->items[*ret_newest]);
            *ret_newest = newer ? i : *ret_newest;
            count++;
        }
    }
    return count > 1;
}

/* ---- what is there --------------------------------------------------------------------------- */

static bool find_old(struct rerooting *r, struct mutual_error *err)
{
    if (!inventory_issuers_get(r->ca->inventory, &r->issuers, err)) {
        return false;
    }
    if (r->issuers.count >= ISSUERS_MAX) {
        return mu_fail(err, MUTUAL_E_LIMIT, "the authority has %zu roots and issuers already",
                       r->issuers.count);
    }
    r->number = 1;
    for (size_t i = 0; i < r->issuers.count; i++) {
        const struct inventory_issuer *row = &r->issuers.items[i];
        r->number += row->root;
        r->old = row->root && r->old == NULL ? row : r->old; /* the first row is the one in use */
    }
    mu_assert(r->old != NULL);
    return mu_cert_from_der(r->old->certificate, &r->old_cert, err);
}

static bool prepare(struct rerooting *r, struct mutual_error *err)
{
    struct stat info;
    r->part = ca_text("%s/" CA_PART, r->ca->dir);
    r->path = r->part == NULL ? NULL : ca_text("%s/" CA_PART_ROOT "-%u", r->part, r->number);
    if (r->path == NULL) {
        return mu_fail_memory(err);
    }
    r->aside = ca_aside_name(r->path, err);
    if (r->aside == NULL) {
        return false;
    }
    /* What a killed command left under the name counts for nothing: no store knows of it. */
    if (lstat(r->path, &info) == 0) {
        MU_AUTO(free) char *left = ca_aside_name(r->path, err);
        if (left == NULL || rename(r->path, left) == -1) {
            return mu_fail_errno(err, MUTUAL_E_FILE_UNWRITABLE, errno, "could not move \"%s\"",
                                 r->path);
        }
        ca_remove_aside(left);
    }
    return ca_make_directory(r->aside, 0700, err);
}

/* ---- keys and certificates ------------------------------------------------------------------- */

static bool sign_root(struct rerooting *r, struct mutual_error *err)
{
    const struct ca_root_options *options = r->options;
    char name[80];
    (void)snprintf(name, sizeof name, "%.50s root %u", ca_domain(r->ca), r->number);
    if (!mu_key_generate(options->root_key, &r->key, err)) {
        return false;
    }
    const struct ca_root_making root = {.organisation = ca_domain(r->ca),
                                        .common_name = name,
                                        .key = r->key,
                                        .now_s = options->now_s,
                                        .life_s = options->root_life_s};
    return ca_root_sign(&root, &r->made->root, err);
}

/* Everything that its certificate says but for who says it, and until when. */
static bool renew_issuer(struct rerooting *r, size_t index, struct mutual_error *err)
{
    MU_AUTO(cert) struct mu_cert *before = NULL;
    const struct ca_root_options *options = r->options;
    if (!mu_cert_from_der(r->issuers.items[index].certificate, &before, err)) {
        return false;
    }
    const struct mu_cert_facts *facts = mu_cert_facts(before);
    const struct mu_cert_template template = {
        .subject_der = facts->subject,
        .issuer = r->made->root,
        .not_before_s = options->now_s - CA_BACKDATE_S,
        .not_after_s = options->now_s + options->issuer_life_s,
        .spki = facts->spki,
        .ca = true,
        .path_limited = facts->path_length >= 0,
        .path_length = facts->path_length >= 0 ? (unsigned)facts->path_length : 0,
        .key_usage = facts->key_usage,
        .eku = facts->eku,
        .permitted = facts->permitted,
        .permitted_count = facts->permitted_count,
        .excluded = facts->excluded,
        .excluded_count = facts->excluded_count,
    };
    return mu_cert_sign(&template, r->key, &r->renewed[index], err);
}

static bool renew_issuers(struct rerooting *r, struct mutual_error *err)
{
    for (size_t i = 0; i < r->issuers.count; i++) {
        const struct inventory_issuer *row = &r->issuers.items[i];
        if (!row->root && row->parent_id == r->old->id && !renew_issuer(r, i, err)) {
            return mu_error_context(err, "issuer \"%s\"", row->name);
        }
    }
    return true;
}

/* ---- files ----------------------------------------------------------------------------------- */

static bool write_root(struct rerooting *r, const char *passphrase, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf key;
    MU_AUTO(buf) struct mu_buf cert;
    mu_buf_init(&key, MU_LIMIT_KEY_BYTES);
    mu_buf_init(&cert, 1u << 20);
    mu_cert_to_pem(r->made->root, &cert);
    bool good = mu_key_to_pem(r->key, passphrase, &key, err) &&
                ca_write_file(r->aside, "root.key", &key, 0600, err) &&
                ca_write_file(r->aside, "root.crt", &cert, 0644, err);
    mu_wipe(key.data, key.len);
    return good && ca_sync_directory(r->aside, err);
}

/* ---- the store ------------------------------------------------------------------------------- */

static bool enter(struct rerooting *r, struct mutual_error *err)
{
    struct inventory *inventory = r->ca->inventory;
    char key_place[64];
    (void)snprintf(key_place, sizeof key_place, CA_PART_ROOT "-%u/root.key", r->number);
    char word[32];
    (void)snprintf(word, sizeof word, "root-%u", r->number);
    struct ca_issuer_entry entry = {.cert = r->made->root,
                                    .word = word,
                                    .key_place = key_place,
                                    .path = r->path,
                                    .owner = r->options->owner,
                                    .place = r->options->place,
                                    .now_s = r->options->now_s};
    bool good = ca_issuer_enter(inventory, &entry, &r->id, err);
    entry.parent = r->id;
    for (size_t i = 0; good && i < r->issuers.count; i++) {
        entry.cert = r->renewed[i];
        good = entry.cert == NULL || ca_issuer_record(inventory, &entry, r->id, err);
        r->made->issuers += entry.cert != NULL;
    }
    return good && inventory_event(inventory, r->options->now_s, r->ca->who, "new-root", 0,
                                   mu_cert_facts(r->made->root)->display, err);
}

static bool commit(struct rerooting *r, struct mutual_error *err)
{
    struct store *store = inventory_store(r->ca->inventory);
    if (!store_begin(store, err)) {
        return false;
    }
    if (!enter(r, err)) {
        store_rollback(store);
        return false;
    }
    return store_commit(store, err);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static bool check(const struct rerooting *r, struct mutual_error *err)
{
    const struct ca_root_options *options = r->options;
    size_t first = 0;
    size_t newest = 0;
    if (find_roots(&r->issuers, &first, &newest) && first != newest) {
        (void)mu_fail(err, MUTUAL_E_ALREADY_EXISTS, "root \"%s\" was made and is not in use yet",
                      r->issuers.items[newest].name);
        return mu_error_hint(err, "Use it: mutual trust new-root --use.");
    }
    if (options->issuer_life_s <= CA_BACKDATE_S || options->root_life_s < options->issuer_life_s) {
        return mu_fail(err, MUTUAL_E_OPTION_VALUE,
                       "the root must live as long as the issuer, and the issuer at least a "
                       "minute");
    }
    return true;
}

static bool make(struct rerooting *r,
                 bool (*tell)(void *context, const struct ca_root_made *made,
                              struct mutual_error *err),
                 void *context, struct mutual_error *err)
{
    struct ca_root_made *made = r->made;
    return find_old(r, err) && check(r, err) && sign_root(r, err) && renew_issuers(r, err) &&
           prepare(r, err) && ca_passphrase_new(made->passphrase, err) &&
           write_root(r, made->passphrase, err) && tell(context, made, err) &&
           ca_put_in_place(r->aside, r->path, false, err) && commit(r, err) &&
           ca_roots_write(r->ca, err);
}

bool ca_new_root(struct ca *ca, const struct ca_root_options *options,
                 bool (*tell)(void *context, const struct ca_root_made *made,
                              struct mutual_error *err),
                 void *context, struct ca_root_made *ret_made, struct mutual_error *err)
{
    struct ca_root_made made = {0};
    bool good = false;
    {
        __attribute__((cleanup(rerooting_done))) struct rerooting r = {
            .ca = ca, .options = options, .made = &made};
        good = make(&r, tell, context, err);
    }
    if (!good) {
        ca_root_made_done(&made);
        return mu_error_context(err, "a new root for \"%s\"", ca->dir);
    }
    *ret_made = made;
    return true;
}

/* ---- using it -------------------------------------------------------------------------------- */

/* The certificate that the issuer has below the new root. */
static bool find_renewed(struct ca *ca, const struct inventory_issuer *root,
                         const struct inventory_issuer *issuer, struct mu_cert **ret_cert,
                         struct mutual_error *err)
{
    MU_AUTO(cert) struct mu_cert *before = NULL;
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    const struct inventory_filter filter = {.issuer = root->name, .profile = "authority-issuer"};
    if (!mu_cert_from_der(issuer->certificate, &before, err) ||
        !inventory_records_get(ca->inventory, &filter, 10 * ISSUERS_MAX, &records, err)) {
        return false;
    }
    const struct mu_slice key = mu_slice_of(mu_cert_facts(before)->key_hash, 32);
    for (size_t i = records.count; i-- > 0;) {
        if (mu_slice_equal(records.items[i].key_hash, key)) {
            return mu_cert_from_der(records.items[i].der, ret_cert, err);
        }
    }
    return mu_fail(err, MUTUAL_E_NOT_FOUND, "issuer \"%s\" has no certificate below root \"%s\"",
                   issuer->name, root->name);
}

static bool use(struct ca *ca, const struct inventory_issuers *issuers, size_t from, size_t to,
                int64_t now_s, struct mutual_error *err)
{
    const struct inventory_issuer *old = &issuers->items[from];
    const struct inventory_issuer *fresh = &issuers->items[to];
    for (size_t i = 0; i < issuers->count; i++) {
        MU_AUTO(cert) struct mu_cert *cert = NULL;
        const struct inventory_issuer *issuer = &issuers->items[i];
        if (!issuer->root && issuer->parent_id == old->id &&
            (!find_renewed(ca, fresh, issuer, &cert, err) ||
             !inventory_issuer_recertify(ca->inventory, issuer->id, mu_cert_facts(cert)->der,
                                         err))) {
            return false;
        }
    }
    return inventory_roots_swap(ca->inventory, old, fresh, err) &&
           inventory_event(ca->inventory, now_s, ca->who, "use-root", 0, fresh->name, err);
}

bool ca_use_root(struct ca *ca, int64_t now_s, bool *ret_changed, struct mutual_error *err)
{
    MU_AUTO(inventory_issuers) struct inventory_issuers issuers = {0};
    size_t first = 0;
    size_t newest = 0;
    if (!inventory_issuers_get(ca->inventory, &issuers, err)) {
        return false;
    }
    if (!find_roots(&issuers, &first, &newest)) {
        (void)mu_fail(err, MUTUAL_E_NOT_FOUND, "there is no new root to use");
        return mu_error_hint(err, "Make one first: mutual trust new-root.");
    }
    *ret_changed = first != newest;
    if (first == newest) {
        return ca_roots_write(ca, err);
    }
    struct store *store = inventory_store(ca->inventory);
    if (!store_begin(store, err)) {
        return false;
    }
    if (!use(ca, &issuers, first, newest, now_s, err)) {
        store_rollback(store);
        return false;
    }
    return store_commit(store, err) && ca_roots_write(ca, err);
}

/* ---- what everybody is given ----------------------------------------------------------------- */

bool ca_roots_pem(struct ca *ca, struct mu_buf *out, struct mutual_error *err)
{
    MU_AUTO(inventory_issuers) struct inventory_issuers issuers = {0};
    if (!inventory_issuers_get(ca->inventory, &issuers, err)) {
        return false;
    }
    for (size_t i = 0; i < issuers.count; i++) {
        MU_AUTO(cert) struct mu_cert *root = NULL;
        if (!issuers.items[i].root) {
            continue;
        }
        if (!mu_cert_from_der(issuers.items[i].certificate, &root, err)) {
            return false;
        }
        mu_cert_to_pem(root, out);
    }
    return !out->failed || mu_fail_memory(err);
}

/* Writes a file of the authority unless it says that already. */
static bool refresh(const char *path, struct mu_buf *pem, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf now = {0};
    if (pem->failed) {
        return mu_fail_memory(err);
    }
    if (mu_file_read(path, 1u << 20, &now, NULL) &&
        mu_slice_equal(mu_buf_slice(&now), mu_buf_slice(pem))) {
        return true;
    }
    return mu_file_write(path, mu_buf_slice(pem), 0644, err);
}

/* Beside the issuer's key: its certificate, and the one below a root that is to come. */
static bool refresh_issuer(struct ca *ca, const struct inventory_issuer *issuer,
                           const struct inventory_issuer *coming, struct mutual_error *err)
{
    const char *slash = strrchr(issuer->key_place, '/');
    int len = slash == NULL ? 0 : (int)(slash - issuer->key_place);
    MU_AUTO(free)
    char *file = ca_text("%s/" CA_PART "/%.*s/issuer.crt", ca->dir, len, issuer->key_place);
    MU_AUTO(free)
    char *next = ca_text("%s/" CA_PART "/%.*s/next.crt", ca->dir, len, issuer->key_place);
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    MU_AUTO(cert) struct mu_cert *renewed = NULL;
    MU_AUTO(buf) struct mu_buf pem;
    mu_buf_init(&pem, 1u << 20);
    if (file == NULL || next == NULL) {
        return mu_fail_memory(err);
    }
    mu_file_clear_strays(file);
    mu_file_clear_strays(next);
    if (!mu_cert_from_der(issuer->certificate, &cert, err)) {
        return false;
    }
    mu_cert_to_pem(cert, &pem);
    if (!refresh(file, &pem, err)) {
        return false;
    }
    if (coming == NULL) {
        return unlink(next) == 0 || errno == ENOENT ||
               mu_fail_errno(err, MUTUAL_E_FILE_UNWRITABLE, errno, "could not remove \"%s\"", next);
    }
    mu_buf_clear(&pem);
    if (!find_renewed(ca, coming, issuer, &renewed, err)) {
        return false;
    }
    mu_cert_to_pem(renewed, &pem);
    return refresh(next, &pem, err);
}

/* The files follow the store, and are made again when a killed command left them behind. */
bool ca_roots_write(struct ca *ca, struct mutual_error *err)
{
    MU_AUTO(inventory_issuers) struct inventory_issuers issuers = {0};
    MU_AUTO(buf) struct mu_buf roots;
    MU_AUTO(free) char *file = ca_text("%s/" CA_PART "/" CA_PART_ROOT_CERT, ca->dir);
    size_t first = 0;
    size_t newest = 0;
    mu_buf_init(&roots, 1u << 20);
    if (file == NULL) {
        return mu_fail_memory(err);
    }
    if (!inventory_issuers_get(ca->inventory, &issuers, err)) {
        return false;
    }
    if (!find_roots(&issuers, &first, &newest)) {
        return true; /* with one root nothing ever changes */
    }
    if (!ca_roots_pem(ca, &roots, err) || !refresh(file, &roots, err)) {
        return false;
    }
    for (size_t i = 0; i < issuers.count; i++) {
        const struct inventory_issuer *row = &issuers.items[i];
        if (!row->root && row->parent_id == issuers.items[first].id &&
            !refresh_issuer(ca, row, first == newest ? NULL : &issuers.items[newest], err)) {
            return false;
        }
    }
    return true;
}
