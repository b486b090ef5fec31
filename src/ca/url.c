/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the authority publishes, noted in its directory: what a command issues must say the same as
 * what the process that serves does.
 */
#include "ca/ca_internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define PART_URL "url"
#define URL_MAX  1024u

/* What goes into certificates: http or https, a host, printable, no query and no slash at the end.
 */
static bool check_url(const char *url, struct mutual_error *err)
{
    size_t len = strlen(url);
    const char *rest = mu_text_starts(url, "http://")    ? url + 7
                       : mu_text_starts(url, "https://") ? url + 8
                                                         : NULL;
    bool good = rest != NULL && rest[0] != '\0' && rest[0] != '/' && len < URL_MAX &&
                url[len - 1] != '/' && strpbrk(url, "?#@\"<>\\^`{|}") == NULL;
    for (size_t i = 0; good && i < len; i++) {
        good = (unsigned char)url[i] > 0x20 && (unsigned char)url[i] < 0x7f;
    }
    return good ||
           mu_fail(err, MUTUAL_E_HTTP_URL_INVALID,
                   "\"%.100s\" is not where an authority can publish", url) ||
           mu_error_hint(err, "Such as http://ca.example.org, without a slash at its end.");
}

static char *url_path(const struct ca *ca)
{
    return ca_text("%s/" CA_PART "/" PART_URL, ca->dir);
}

bool ca_url_load(struct ca *ca, struct mutual_error *err)
{
    MU_AUTO(free) char *path = url_path(ca);
    MU_AUTO(buf) struct mu_buf text = {0};
    if (path == NULL) {
        return mu_fail_memory(err);
    }
    if (access(path, F_OK) == -1) {
        return true;
    }
    if (!mu_file_read(path, URL_MAX + 1, &text, err)) {
        return false;
    }
    if (text.len > 0 && text.data[text.len - 1] == '\n') {
        text.len--;
    }
    if (!check_url(mu_buf_str(&text), err)) {
        return mu_error_context(err, "\"%s\"", path);
    }
    ca->url = mu_strdup(mu_buf_str(&text));
    return ca->url != NULL || mu_fail_memory(err);
}

static bool note(const struct ca *ca, const char *url, struct mutual_error *err)
{
    MU_AUTO(free) char *path = url_path(ca);
    MU_AUTO(free) char *line = url == NULL ? NULL : ca_text("%s\n", url);
    if (path == NULL || (url != NULL && line == NULL)) {
        return mu_fail_memory(err);
    }
    if (url != NULL) {
        return mu_file_write(path, mu_slice_text(line), 0644, err);
    }
    return unlink(path) == 0 || errno == ENOENT ||
           mu_fail_errno(err, MUTUAL_E_FILE_UNWRITABLE, errno, "could not remove \"%s\"", path);
}

bool ca_set_url(struct ca *ca, const char *url, struct mutual_error *err)
{
    bool same = url == NULL ? ca->url == NULL : ca->url != NULL && strcmp(ca->url, url) == 0;
    if (same) {
        return true;
    }
    if (url != NULL && !check_url(url, err)) {
        return false;
    }
    char *copy = url == NULL ? NULL : mu_strdup(url);
    if (url != NULL && copy == NULL) {
        return mu_fail_memory(err);
    }
    if (!note(ca, url, err)) {
        mu_free(copy);
        return false;
    }
    mu_free(ca->url);
    ca->url = copy;
    return true;
}

const char *ca_url(const struct ca *ca)
{
    return ca->url;
}

char *ca_list_url(const struct ca *ca, const char *word, unsigned shard, bool delta)
{
    if (ca->url == NULL) {
        return NULL;
    }
    return shard != 0 ? ca_text("%s/crl/%s.%u.crl", ca->url, word, shard)
                      : ca_text("%s/crl/%s%s.crl", ca->url, word, delta ? ".delta" : "");
}
