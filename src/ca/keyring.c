/* SPDX-License-Identifier: Apache-2.0
 *
 * The private keys of an authority as files, and what each may sign: for whoever loads them into a
 * key process and has no store. A key is X.key with its certificate X.crt beside it, in a directory
 * of the authority's; the root's stay away.
 */
#include "ca/ca_internal.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { KEYS_MAX = 1024 };

bool ca_key_rules(const struct mu_cert *cert, struct keys_rules *ret_rules,
                  struct mutual_error *err)
{
    const struct mu_cert_facts *facts = mu_cert_facts(cert);
    if (!facts->ca) {
        return mu_fail(err, MUTUAL_E_NOT_A_CA, "certificate \"%s\" is no authority's",
                       facts->display);
    }
    *ret_rules =
        (struct keys_rules){.purposes = KEYS_CERTIFICATES | KEYS_CRLS,
                            .ca = {.issuer = facts->subject,
                                   .may_issue_ca = false,
                                   .max_lifetime_s = ca_profile_life_max_s() + CA_BACKDATE_S,
                                   .serial_min_bytes = MU_SERIAL_BYTES,
                                   .serial_max_bytes = MU_SERIAL_BYTES,
                                   .ekus = MU_EKU_SERVER | MU_EKU_CLIENT,
                                   .eku_required = true}};
    return true;
}

/* "issuer.key" where "issuer.crt" is too. */
static bool take(const char *directory, const char *name, ca_key_fn *each, void *context,
                 struct mutual_error *err)
{
    size_t len = strlen(name);
    if (len < 5 || name[0] == '.' || strcmp(name + len - 4, ".key") != 0) {
        return true;
    }
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    MU_AUTO(free) char *key = ca_text("%s/%s", directory, name);
    MU_AUTO(free) char *crt = ca_text("%s/%.*s.crt", directory, (int)(len - 4), name);
    struct keys_rules rules;
    if (key == NULL || crt == NULL) {
        return mu_fail_memory(err);
    }
    if (!ca_read_certificate(crt, &cert, err) || !ca_key_rules(cert, &rules, err)) {
        return mu_error_context(err, "the authority's key \"%s\"", key);
    }
    return each(context, key, cert, &rules, err);
}

static bool scan(const char *directory, ca_key_fn *each, void *context, struct mutual_error *err)
{
    DIR *listing = opendir(directory);
    if (listing == NULL) {
        return errno == ENOTDIR || mu_fail_errno(err, MUTUAL_E_FILE_UNREADABLE, errno,
                                                 "could not look into \"%s\"", directory);
    }
    bool good = true;
    const struct dirent *entry;
    for (size_t i = 0; good && i < KEYS_MAX && (entry = readdir(listing)) != NULL; i++) {
        good = take(directory, entry->d_name, each, context, err);
    }
    (void)closedir(listing);
    return good;
}

bool ca_keys_scan(const char *dir, ca_key_fn *each, void *context, struct mutual_error *err)
{
    MU_AUTO(free) char *part = ca_text("%s/" CA_PART, dir);
    DIR *listing = part == NULL ? NULL : opendir(part);
    if (listing == NULL) {
        return part == NULL
                   ? mu_fail_memory(err)
                   : mu_fail_errno(err, MUTUAL_E_FILE_MISSING, errno,
                                   "there is no authority in \"%s\"", dir) ||
                         mu_error_hint(err, "Make one with: mutual init; or name its directory.");
    }
    bool good = true;
    const struct dirent *entry;
    while (good && (entry = readdir(listing)) != NULL) {
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, CA_PART_ROOT) != 0) {
            MU_AUTO(free) char *directory = ca_text("%s/%s", part, entry->d_name);
            good = directory != NULL ? scan(directory, each, context, err) : mu_fail_memory(err);
        }
    }
    (void)closedir(listing);
    return good;
}

bool ca_owner(const char *dir, uid_t *ret_uid, gid_t *ret_gid)
{
    struct stat info;
    MU_AUTO(free) char *part = ca_text("%s/" CA_PART, dir);
    if (part == NULL || stat(part, &info) == -1) {
        return false;
    }
    *ret_uid = info.st_uid;
    *ret_gid = info.st_gid;
    return true;
}
