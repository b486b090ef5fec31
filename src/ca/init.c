/* SPDX-License-Identifier: Apache-2.0
 *
 * Making an authority: root, issuer, store, first list, all in a directory aside that becomes the
 * authority by one rename.
 */
#include "ca/ca_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define INNER_DOMAIN   "internal" /* reserved for private use by ICANN, 2024-07-29 */
#define DEFAULT_DOMAIN "mutual." INNER_DOMAIN

struct making {
    const struct ca_init_options *options;
    struct ca_init_result *result;
    const char *passphrase;
    char *dir, *path, *aside; /* absolute; path is DIR/authority */
    struct mu_key *root_key, *issuer_key;
    struct ca_subtrees *constraints;
};

static void making_done(struct making *making)
{
    if (making->aside != NULL) {
        ca_remove_aside(making->aside); /* gone already when it was put in place */
    }
    mu_free(making->dir);
    mu_free(making->path);
    mu_free(making->aside);
    mu_key_unref(making->root_key);
    mu_key_unref(making->issuer_key);
    ca_subtrees_free(making->constraints);
}

void ca_init_result_done(struct ca_init_result *result)
{
    mu_cert_unref(result->root);
    mu_cert_unref(result->issuer);
    mu_free(result->config_path);
    mu_wipe(result->passphrase, sizeof result->passphrase);
    *result = (struct ca_init_result){0};
}

static bool find_domain(struct making *making, struct mutual_error *err)
{
    const char *name = making->options->name;
    struct mutual_name parsed;
    MU_AUTO(free)
    char *domain = name == NULL                ? mu_strdup(DEFAULT_DOMAIN)
                   : strchr(name, '.') != NULL ? mu_strdup(name)
                                               : ca_text("%s." INNER_DOMAIN, name);
    if (domain == NULL) {
        return mu_fail_memory(err);
    }
    char *out = making->result->domain;
    if (!mutual_name_parse(MUTUAL_NAME_DNS, domain, strlen(domain), out,
                           sizeof making->result->domain, &parsed, err)) {
        return mu_error_context(err, "the authority's domain");
    }
    if (parsed.text != out || parsed.len > 64) { /* it is the subject's O: ub-organization-name */
        return mu_fail(err, MUTUAL_E_NAME_MALFORMED,
                       "the authority's domain \"%.80s\" is longer than 64 bytes", parsed.text);
    }
    return true;
}

/* ---- the directory --------------------------------------------------------------------------- */

/* An earlier init that was killed before its rename acknowledged nothing: what it built is cleared
 * away. The lock says that it is not still at it. */
static void clear_leftovers(struct making *making)
{
    DIR *directory = opendir(making->dir);
    if (directory == NULL) {
        return;
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        size_t len = strlen(entry->d_name);
        if (mu_text_starts(entry->d_name, "." CA_PART ".") && len > 4 &&
            strcmp(entry->d_name + len - 4, ".new") == 0) {
            MU_AUTO(free) char *path = ca_text("%s/%s", making->dir, entry->d_name);
            if (path != NULL) {
                ca_remove_aside(path);
                making->result->leftovers = true;
            }
        }
    }
    (void)closedir(directory);
}

static bool write_config(struct making *making, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 64u << 10);
    struct mutual_error why = {0};
    const char *slash = strrchr(making->result->config_path, '/');
    MU_AUTO(free)
    char *parent = slash == NULL || slash == making->result->config_path
                       ? mu_strdup(".")
                       : mu_strndup(making->result->config_path,
                                    (size_t)(slash - making->result->config_path));
    if (parent == NULL) {
        return mu_fail_memory(err);
    }
    if (!ca_make_directories(parent, 0755, err)) {
        return false;
    }
    if (!ca_starter_config(making->dir, making->result->domain, making->options->owner, &text,
                           err)) {
        return false;
    }
    mu_file_clear_strays(making->result->config_path);
    if (mu_file_create(making->result->config_path, mu_buf_slice(&text), 0644, &why)) {
        return true;
    }
    making->result->config_kept = why.code == MUTUAL_E_FILE_EXISTS;
    if (!making->result->config_kept && err != NULL) {
        *err = why;
    }
    return making->result->config_kept;
}

/* A killed init may have made the authority and not its configuration; whoever runs init again is
 * helped and told. */
static bool fail_exists(struct making *making, struct mutual_error *err)
{
    MU_AUTO(ca) struct ca *ca = NULL;
    bool written = false;
    if (ca_open(making->dir, CA_LOOK, making->options->who, making->options->now_s, NULL, &ca,
                NULL)) {
        (void)snprintf(making->result->domain, sizeof making->result->domain, "%s", ca_domain(ca));
        written = write_config(making, NULL) && !making->result->config_kept;
    }
    (void)mu_fail(err, MUTUAL_E_ALREADY_EXISTS, "there is an authority in \"%s\" already%s%s",
                  making->dir, ca == NULL ? "" : ", for ", ca == NULL ? "" : ca_domain(ca));
    return written ? mu_error_hint(err,
                                   "It is complete; its configuration was missing and is now "
                                   "in %.90s.",
                                   making->result->config_path)
                   : false;
}

static bool prepare_directory(struct making *making, int *ret_lock, struct mutual_error *err)
{
    const struct ca_init_options *options = making->options;
    if (!ca_make_directories(options->dir, 0700, err)) {
        return false;
    }
    char real[PATH_MAX];
    if (realpath(options->dir, real) == NULL) {
        return mu_fail_errno(err, MUTUAL_E_FILE_UNREADABLE, errno, "could not resolve \"%s\"",
                             options->dir);
    }
    making->dir = mu_strdup(real);
    making->path = making->dir == NULL ? NULL : ca_text("%s/" CA_PART, making->dir);
    making->result->config_path = options->config_path != NULL
                                      ? mu_strdup(options->config_path)
                                      : ca_text("%s/mutual.yaml", making->dir);
    if (making->path == NULL || making->result->config_path == NULL) {
        return mu_fail_memory(err);
    }
    int fd = open(making->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd == -1) {
        return mu_fail_errno(err, MUTUAL_E_FILE_UNREADABLE, errno, "could not open \"%s\"",
                             making->dir);
    }
    *ret_lock = fd;
    if (flock(fd, LOCK_EX | LOCK_NB) == -1) {
        return mu_fail(err, MUTUAL_E_STORE_BUSY, "another init is at work in \"%s\"", making->dir);
    }
    struct stat info;
    if (lstat(making->path, &info) == 0) {
        return fail_exists(making, err);
    }
    clear_leftovers(making);
    making->aside = ca_aside_name(making->path, err);
    if (making->aside == NULL || !ca_make_directory(making->aside, 0700, err)) {
        return false;
    }
    MU_AUTO(free) char *root = ca_text("%s/" CA_PART_ROOT, making->aside);
    MU_AUTO(free) char *issuer = ca_text("%s/" CA_PART_ISSUER, making->aside);
    if (root == NULL || issuer == NULL) {
        return mu_fail_memory(err);
    }
    return ca_make_directory(root, 0700, err) && ca_make_directory(issuer, 0700, err);
}

/* ---- the constraints ------------------------------------------------------------------------- */

static bool permit(struct making *making, enum mu_gname_type type, const char *const *texts,
                   size_t count, struct mutual_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (!ca_subtrees_add(making->constraints, false, type, texts[i], err)) {
            return false;
        }
    }
    return true;
}

/* DNS names below the domain, SPIFFE IDs of the trust domain, mailboxes of the host; addresses only
 * where ranges are given. Directory names are constrained by what we sign, always O=domain; in the
 * certificate only when asked, because Go refuses a chain with such a constraint. */
static bool build_constraints(struct making *making, struct mutual_error *err)
{
    const struct ca_init_options *options = making->options;
    const char *domain = making->result->domain;
    making->constraints = ca_subtrees_new();
    if (making->constraints == NULL) {
        return mu_fail_memory(err);
    }
    const struct mu_rdn organisation = {MU_ATTR_O, domain};
    return permit(making, MU_GNAME_DNS, &domain, 1, err) &&
           permit(making, MU_GNAME_URI, &domain, 1, err) &&
           permit(making, MU_GNAME_EMAIL, &domain, 1, err) &&
           permit(making, MU_GNAME_DNS, options->dns, options->dns_count, err) &&
           permit(making, MU_GNAME_EMAIL, options->email, options->email_count, err) &&
           permit(making, MU_GNAME_IP, options->ip, options->ip_count, err) &&
           (!options->constrain_subject ||
            ca_subtrees_add_name(making->constraints, false, &organisation, 1, err)) &&
           ca_subtrees_close(making->constraints, err);
}

/* ---- keys and certificates ------------------------------------------------------------------- */

static bool sign_root(struct making *making, struct mutual_error *err)
{
    const struct ca_init_options *options = making->options;
    MU_AUTO(free) char *name = ca_text("%.55s root", making->result->domain);
    if (name == NULL) {
        return mu_fail_memory(err);
    }
    const struct ca_root_making root = {.organisation = making->result->domain,
                                        .common_name = name,
                                        .key = making->root_key,
                                        .now_s = options->now_s,
                                        .life_s = options->root_life_s};
    return ca_root_sign(&root, &making->result->root, err);
}

static bool sign_issuer(struct making *making, struct mutual_error *err)
{
    const struct ca_init_options *options = making->options;
    MU_AUTO(free) char *name = ca_text("%.55s issuer", making->result->domain);
    if (name == NULL) {
        return mu_fail_memory(err);
    }
    const struct ca_issuer_making issuer = {.organisation = making->result->domain,
                                            .common_name = name,
                                            .root = making->result->root,
                                            .root_key = making->root_key,
                                            .key = making->issuer_key,
                                            .trees = making->constraints,
                                            .now_s = options->now_s,
                                            .life_s = options->issuer_life_s};
    return ca_issuer_sign(&issuer, &making->result->issuer, err);
}

static bool write_key(const struct making *making, const char *part, const struct mu_key *key,
                      const char *passphrase, struct mutual_error *err)
{
    MU_AUTO(free) char *path = ca_text("%s/%s/%s.key", making->aside, part, part);
    MU_AUTO(buf) struct mu_buf pem;
    mu_buf_init(&pem, MU_LIMIT_KEY_BYTES);
    if (path == NULL) {
        return mu_fail_memory(err);
    }
    bool good = mu_key_to_pem(key, passphrase, &pem, err) &&
                mu_file_write(path, mu_buf_slice(&pem), 0600, err);
    mu_wipe(pem.data, pem.len);
    return good;
}

static bool write_cert(const struct making *making, const char *file, const struct mu_cert *cert,
                       struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf pem;
    mu_buf_init(&pem, 1u << 20);
    mu_cert_to_pem(cert, &pem);
    return ca_write_file(making->aside, file, &pem, 0644, err);
}

static bool make_certificates(struct making *making, struct mutual_error *err)
{
    const struct ca_init_options *options = making->options;
    const struct ca_init_result *result = making->result;
    return mu_key_generate(options->root_key, &making->root_key, err) &&
           mu_key_generate(options->issuer_key, &making->issuer_key, err) &&
           sign_root(making, err) && sign_issuer(making, err) &&
           write_key(making, CA_PART_ROOT, making->root_key, making->passphrase, err) &&
           write_key(making, CA_PART_ISSUER, making->issuer_key, NULL, err) &&
           write_cert(making, CA_PART_ROOT "/" CA_PART_ROOT ".crt", result->root, err) &&
           write_cert(making, CA_PART_ISSUER "/" CA_PART_ISSUER ".crt", result->issuer, err) &&
           write_cert(making, CA_PART_ROOT_CERT, result->root, err);
}

/* ---- the store ------------------------------------------------------------------------------- */

static bool enter(struct making *making, struct inventory *inventory, bool root, int64_t parent,
                  int64_t *ret_id, struct mutual_error *err)
{
    const struct ca_init_options *options = making->options;
    const char *part = root ? CA_PART_ROOT : CA_PART_ISSUER;
    MU_AUTO(free) char *key_place = ca_text("%s/%s.key", part, part);
    MU_AUTO(free) char *path = ca_text("%s/%s", making->path, part);
    if (key_place == NULL || path == NULL) {
        return mu_fail_memory(err);
    }
    const struct ca_issuer_entry entry = {
        .cert = root ? making->result->root : making->result->issuer,
        .word = part,
        .parent = parent,
        .shards = CA_SHARDS,
        .key_place = key_place,
        .path = path,
        .owner = options->owner,
        .place = options->place,
        .now_s = options->now_s,
    };
    return ca_issuer_enter(inventory, &entry, ret_id, err);
}

static bool fill_store(struct making *making, struct inventory *inventory, int64_t *ret_issuer,
                       struct mutual_error *err)
{
    const struct ca_init_options *options = making->options;
    struct store *store = inventory_store(inventory);
    int64_t root = 0;
    if (!store_begin(store, err)) {
        return false;
    }
    bool good = enter(making, inventory, true, 0, &root, err) &&
                enter(making, inventory, false, root, ret_issuer, err) &&
                inventory_event(inventory, options->now_s, options->who, "init", 0,
                                making->result->domain, err);
    if (!good) {
        store_rollback(store);
        return false;
    }
    return store_commit(store, err);
}

/* The first list is empty; it lets verifiers that want a list begin. */
static bool first_list(struct making *making, struct inventory *inventory, int64_t issuer_id,
                       struct mutual_error *err)
{
    MU_AUTO(inventory_revoked) struct inventory_revoked revoked = {0};
    MU_AUTO(free) char *path = ca_text("%s/" CA_PART_CRL, making->aside);
    MU_AUTO(buf) struct mu_buf der;
    MU_AUTO(buf) struct mu_buf pem;
    mu_buf_init(&der, 1u << 20);
    mu_buf_init(&pem, 1u << 20);
    struct mu_crl_template template = {
        .issuer = making->result->issuer,
        .this_update_s = making->options->now_s,
        .next_update_s = making->options->now_s + CA_CRL_LIFE_S,
    };
    if (path == NULL) {
        return mu_fail_memory(err);
    }
    const struct inventory_scope scope = {.issuer_id = issuer_id};
    struct inventory_list list;
    if (!inventory_list_begin(inventory, &scope, template.this_update_s, &list, &revoked, err)) {
        return false;
    }
    template.number = list.number;
    list.this_update_s = template.this_update_s;
    list.next_update_s = template.next_update_s;
    if (!mu_crl_sign(&template, making->issuer_key, &der, err)) {
        return false;
    }
    mu_crl_to_pem(mu_buf_slice(&der), &pem);
    return mu_file_write(path, mu_buf_slice(&pem), 0644, err) &&
           inventory_list_put(inventory, &scope, &list, mu_buf_slice(&der), err);
}

/* A store elsewhere may be somebody's authority. */
static bool check_unused(struct inventory *inventory, struct mutual_error *err)
{
    MU_AUTO(inventory_issuers) struct inventory_issuers issuers = {0};
    if (!inventory_issuers_get(inventory, &issuers, err)) {
        return false;
    }
    return issuers.count == 0 ||
           mu_fail(err, MUTUAL_E_ALREADY_EXISTS, "store \"%s\" holds an authority already",
                   store_name(inventory_store(inventory))) ||
           mu_error_hint(err, "Use it from here by a copy of its directory, or take an empty "
                              "database or schema.");
}

static bool make_store(struct making *making, struct mutual_error *err)
{
    MU_AUTO(inventory) struct inventory *inventory = NULL;
    MU_AUTO(free) char *path = ca_text("%s/" CA_PART_STORE, making->aside);
    const char *elsewhere = making->options->store;
    int64_t issuer_id = 0;
    if (path == NULL) {
        return mu_fail_memory(err);
    }
    return (elsewhere == NULL || ca_store_point(making->aside, elsewhere, err)) &&
           inventory_open(elsewhere == NULL ? path : elsewhere, STORE_CREATE, STORE_WAIT_MS,
                          &inventory, err) &&
           check_unused(inventory, err) && fill_store(making, inventory, &issuer_id, err) &&
           first_list(making, inventory, issuer_id, err) &&
           ca_head_note(inventory, making->aside, err);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static bool check_options(const struct ca_init_options *options, struct mutual_error *err)
{
    if (options->issuer_life_s <= CA_BACKDATE_S || options->root_life_s < options->issuer_life_s) {
        return mu_fail(err, MUTUAL_E_OPTION_VALUE,
                       "the root must live as long as the issuer, and the issuer at least a "
                       "minute");
    }
    if (options->passphrase != NULL && strlen(options->passphrase) < 12) {
        return mu_fail(err, MUTUAL_E_OPTION_VALUE,
                       "the root's passphrase has fewer than 12 characters") ||
               mu_error_hint(err, "Leave it out: a good one is made and shown once.");
    }
    return true;
}

static bool make(struct making *making,
                 bool (*tell)(void *context, const struct ca_init_result *result,
                              struct mutual_error *err),
                 void *context, struct mutual_error *err)
{
    struct ca_init_result *result = making->result;
    making->passphrase = making->options->passphrase;
    if (making->passphrase == NULL) {
        if (!ca_passphrase_new(result->passphrase, err)) {
            return false;
        }
        making->passphrase = result->passphrase;
    }
    return build_constraints(making, err) && make_certificates(making, err) &&
           make_store(making, err) && ca_sync_directory(making->aside, err) &&
           tell(context, result, err) && ca_put_in_place(making->aside, making->path, false, err) &&
           write_config(making, err);
}

bool ca_init(const struct ca_init_options *options,
             bool (*tell)(void *context, const struct ca_init_result *result,
                          struct mutual_error *err),
             void *context, struct ca_init_result *ret_result, struct mutual_error *err)
{
    struct ca_init_result result = {0};
    int lock = -1;
    bool good = false;
    {
        __attribute__((cleanup(making_done))) struct making making = {.options = options,
                                                                      .result = &result};
        good = check_options(options, err) && find_domain(&making, err) &&
               prepare_directory(&making, &lock, err) && make(&making, tell, context, err);
    }
    if (lock != -1) {
        (void)close(lock);
    }
    if (!good) {
        ca_init_result_done(&result);
        return mu_error_context(err, "authority in \"%s\"", options->dir);
    }
    *ret_result = result;
    return true;
}
