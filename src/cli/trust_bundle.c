/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of a trust bundle, changed by one certificate at a time and replaced whole.
 */
#include "cli/trust_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/authority_internal.h"
#include "trust/trust.h"
#include "x509/x509.h"

/* Where the file really is: a link to it stays a link. */
static bool find_real(const char *path, char real[PATH_MAX], struct mutual_error *err)
{
    return realpath(path, real) != NULL ||
           mu_fail_errno(err, errno == ENOENT ? MUTUAL_E_FILE_MISSING : MUTUAL_E_FILE_UNREADABLE,
                         errno, "could not find \"%s\"", path);
}

/* ---- one at a time --------------------------------------------------------------------------- */

bool trust_lock(const char *path, int *ret_lock, struct mutual_error *err)
{
    char real[PATH_MAX];
    if (!find_real(path, real, err)) {
        return false;
    }
    char *slash = strrchr(real, '/');
    *slash = '\0';
    int fd = open(slash == real ? "/" : real, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd == -1) {
        return mu_fail_errno(err, MUTUAL_E_FILE_UNREADABLE, errno, "could not open \"%s\"", real);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == -1) {
        (void)close(fd);
        return mu_fail(err, MUTUAL_E_STORE_BUSY, "another rotation is at work in \"%s\"", real);
    }
    *slash = '/';
    mu_file_clear_strays(real);
    *ret_lock = fd;
    return true;
}

/* ---- reading and writing --------------------------------------------------------------------- */

bool trust_read(const char *path, struct mu_cert **ret_cert, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf text = {0};
    MU_AUTO(certs) struct mu_certs certs = {0};
    if (!authority_read(path, MU_LIMIT_PEM_BYTES, &text, err) ||
        !mu_certs_from_pem(mu_buf_slice(&text), path, &certs, err)) {
        return false;
    }
    if (certs.count != 1) {
        (void)mu_fail(err, MUTUAL_E_BUNDLE_UNUSABLE, "\"%s\" holds %zu certificates", path,
                      certs.count);
        return mu_error_hint(err, "A rotation adds one root at a time; give a file with it alone.");
    }
    *ret_cert = mu_cert_ref(certs.items[0]);
    return true;
}

static bool replace(const char *real, struct mu_buf *text, struct mutual_error *err)
{
    struct stat info;
    mode_t mode = stat(real, &info) == 0 ? info.st_mode & 0777 : 0644;
    if (text->failed) {
        return mu_fail_memory(err);
    }
    return mu_file_write(real, mu_buf_slice(text), mode, err);
}

bool trust_file_add(const char *path, const struct mu_cert *cert, struct mutual_error *err)
{
    char real[PATH_MAX];
    MU_AUTO(buf) struct mu_buf text = {0};
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 2 * MU_LIMIT_PEM_BYTES);
    if (!find_real(path, real, err) || !mu_file_read(real, MU_LIMIT_PEM_BYTES, &text, err)) {
        return false;
    }
    (void)mu_buf_append(&out, text.data, text.len);
    if (text.len > 0 && text.data[text.len - 1] != '\n') {
        (void)mu_buf_byte(&out, '\n');
    }
    mu_cert_to_pem(cert, &out);
    return replace(real, &out, err);
}

static bool is_that(const struct mu_pem_reader *reader, const struct mu_pem_block *block,
                    const uint8_t fingerprint[32], bool *ret_is, struct mutual_error *err)
{
    uint8_t print[32];
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, MU_LIMIT_PEM_BYTES);
    if (!mu_pem_decode(reader, block, &der, err) || !mu_sha256(mu_buf_slice(&der), print, err)) {
        return false;
    }
    *ret_is = memcmp(print, fingerprint, 32) == 0;
    return true;
}

bool trust_file_drop(const char *path, const uint8_t fingerprint[32], bool *ret_found,
                     struct mutual_error *err)
{
    char real[PATH_MAX];
    MU_AUTO(buf) struct mu_buf text = {0};
    MU_AUTO(buf) struct mu_buf out;
    struct mu_pem_reader reader;
    struct mu_pem_block block;
    bool end = false;
    mu_buf_init(&out, MU_LIMIT_PEM_BYTES);
    if (!find_real(path, real, err) || !mu_file_read(real, MU_LIMIT_PEM_BYTES, &text, err)) {
        return false;
    }
    const uint8_t *rest = text.data;
    *ret_found = false;
    for (mu_pem_open(&reader, mu_buf_slice(&text), path);;) {
        bool that = false;
        if (!mu_pem_next(&reader, &block, &end, err)) {
            return false;
        }
        if (end) {
            break;
        }
        if (!is_that(&reader, &block, fingerprint, &that, err)) {
            return false;
        }
        if (that) { /* it may be there twice */
            (void)mu_buf_append(&out, rest, (size_t)(block.whole.data - rest));
            rest = block.whole.data + block.whole.len;
            rest += rest < text.data + text.len && *rest == '\r' ? 1 : 0;
            rest += rest < text.data + text.len && *rest == '\n' ? 1 : 0;
            *ret_found = true;
        }
    }
    (void)mu_buf_append(&out, rest, (size_t)(text.data + text.len - rest));
    return !*ret_found || replace(real, &out, err);
}

/* ---- what would become of the block ---------------------------------------------------------- */

static bool add_pem(struct mutual_trust *trust, const struct mu_cert *cert,
                    struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf pem;
    mu_buf_init(&pem, 4 * MU_LIMIT_CERT_BYTES);
    mu_cert_to_pem(cert, &pem);
    return pem.failed ? mu_fail_memory(err)
                      : mutual_trust_add_pem(trust, (const char *)pem.data, pem.len, err);
}

static bool add_file(struct mutual_trust *trust, const char *path, bool lists,
                     struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf text = {0};
    if (!mu_file_read(path, lists ? MU_LIMIT_CRL_BYTES : MU_LIMIT_PEM_BYTES, &text, err)) {
        return false;
    }
    const char *bytes = (const char *)text.data;
    return lists ? mutual_trust_add_crl(trust, bytes, text.len, err) ||
                       mu_error_context(err, "in \"%s\"", path)
                 : mutual_trust_add_intermediates_pem(trust, bytes, text.len, err);
}

static bool check(const struct world_trust *trust, const uint8_t *without,
                  const struct mu_cert *with, struct mutual_error *err)
{
    const struct config_trust *config = trust->config;
    MU_AUTO(trust) struct mutual_trust *other = mutual_trust_new(config->name);
    if (other == NULL) {
        return mu_fail_memory(err);
    }
    if (config->allow_intermediate_anchors) {
        mutual_trust_allow_intermediates(other);
    }
    for (size_t i = 0; i < mutual_trust_anchor_count(trust->trust); i++) {
        const struct mu_cert *anchor = mu_trust_anchor(trust->trust, i);
        bool dropped =
            without != NULL && memcmp(mu_cert_facts(anchor)->fingerprint, without, 32) == 0;
        if (!dropped && !add_pem(other, anchor, err)) {
            return false;
        }
    }
    if (with != NULL && !add_pem(other, with, err)) {
        return false;
    }
    for (size_t i = 0; i < config->intermediates.count; i++) {
        if (!add_file(other, config->intermediates.items[i], false, err)) {
            return false;
        }
    }
    for (size_t i = 0; without != NULL && i < config->revocation.crl.count; i++) {
        if (!add_file(other, config->revocation.crl.items[i], true, err)) {
            return mu_error_hint(err, "Take that list out of the configuration first.");
        }
    }
    return mutual_trust_freeze(other, err);
}

bool trust_check_without(const struct world_trust *trust, const uint8_t fingerprint[32],
                         struct mutual_error *err)
{
    return check(trust, fingerprint, NULL, err);
}

bool trust_check_with(const struct world_trust *trust, const struct mu_cert *cert,
                      struct mutual_error *err)
{
    return check(trust, NULL, cert, err);
}

/* ---- the history ----------------------------------------------------------------------------- */

enum { HISTORY_MAX = 1 << 20 };

static bool history_path(const char *path, struct mu_buf *out, struct mutual_error *err)
{
    char real[PATH_MAX];
    mu_buf_init(out, PATH_MAX + 16);
    return find_real(path, real, err) &&
           (mu_buf_printf(out, "%s.history", real) || mu_fail_memory(err));
}

bool trust_history_add(const char *path, const char *what, const struct mu_cert_facts *anchor,
                       const char *remark, struct mutual_error *err)
{
    char when[MU_TIME_TEXT];
    MU_AUTO(buf) struct mu_buf name;
    MU_AUTO(buf) struct mu_buf line;
    mu_buf_init(&line, 16384);
    if (!history_path(path, &name, err)) {
        return false;
    }
    (void)mu_buf_printf(&line, "%s %s ", mu_time_format(mu_clock_wall_s(), when), what);
    mu_hex(&line, mu_slice_of(anchor->fingerprint, 32));
    (void)mu_buf_printf(&line, " %s; by %s%s%s\n", anchor->subject_text, authority_who(),
                        remark[0] == '\0' ? "" : "; ", remark);
    int fd = open(mu_buf_str(&name), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    bool done = fd != -1 && !line.failed && mu_fd_write(fd, line.data, line.len) && fsync(fd) == 0;
    if (!done) {
        enum mutual_code code =
            errno == ENOSPC || errno == EDQUOT ? MUTUAL_E_DISK_FULL : MUTUAL_E_FILE_UNWRITABLE;
        (void)mu_fail_errno(err, code, errno, "could not write \"%s\"", mu_buf_str(&name));
    }
    if (fd != -1) {
        (void)close(fd);
    }
    return done;
}

/* "TIME drop FINGERPRINT SUBJECT; by WHO" */
static bool tells_of(const char *line, const char *which)
{
    char digits[65];
    const char *drop = strstr(line, "drop ");
    if (drop == NULL || strlen(drop) < 5 + 64 + 1) {
        return false;
    }
    const char *subject = drop + 5 + 64 + 1;
    const char *by = strstr(subject, "; by ");
    size_t len = by == NULL ? strlen(subject) : (size_t)(by - subject);
    return (trust_digits(which, digits) && strncmp(drop + 5, digits, strlen(digits)) == 0) ||
           (strlen(which) == len && strncmp(subject, which, len) == 0);
}

/* The line was written before the file was changed, and the anchor is not in it any more. */
bool trust_history_dropped(const char *path, const char *which)
{
    MU_AUTO(buf) struct mu_buf name;
    MU_AUTO(buf) struct mu_buf text = {0};
    if (!history_path(path, &name, NULL) ||
        !mu_file_read(mu_buf_str(&name), HISTORY_MAX, &text, NULL)) {
        return false;
    }
    char *rest = (char *)(uintptr_t)mu_buf_str(&text);
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        if (tells_of(line, which)) {
            return true;
        }
    }
    return false;
}
