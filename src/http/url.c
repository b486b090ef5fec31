/* SPDX-License-Identifier: Apache-2.0
 *
 * http and https URLs (RFC 9110 section 4.2), and what a Location field means beside one.
 */
#include <string.h>

#include "http/http_internal.h"

enum { PORT_HTTP = 80, PORT_HTTPS = 443 };

static bool fail(struct mutual_error *err, struct mu_slice text, const char *why)
{
    MU_AUTO(buf) struct mu_buf shown;
    mu_buf_init(&shown, 256);
    mu_escape(&shown, mu_slice_of(text.data, text.len < 60 ? text.len : 60));
    return mu_fail(err, MUTUAL_E_HTTP_URL_INVALID, "the URL \"%s\" %s", mu_buf_str(&shown), why);
}

static bool skip(struct mu_slice *text, const char *prefix)
{
    size_t len = strlen(prefix);
    if (text->len < len ||
        !http_equal_nocase(mu_slice_of(text->data, len), mu_slice_text(prefix))) {
        return false;
    }
    *text = mu_slice_of(text->data + len, text->len - len);
    return true;
}

bool http_url_parse(struct mu_slice text, struct http_url *ret_url, struct mutual_error *err)
{
    struct mu_slice rest = text;
    struct http_url url = {.target = MU_SLICE_LIT("/")};
    if (text.len > MU_LIMIT_HTTP_URL) {
        return fail(err, text, "is too long");
    }
    url.secure = skip(&rest, "https://");
    if (!url.secure && !skip(&rest, "http://")) {
        return fail(err, text, "is not of http:// or https://");
    }
    size_t len = 0;
    while (len < rest.len && rest.data[len] != '/' && rest.data[len] != '?' &&
           rest.data[len] != '#') {
        len++;
    }
    url.authority = mu_slice_of(rest.data, len);
    if (memchr(url.authority.data, '@', len) != NULL) {
        return fail(err, text, "has user information in it");
    }
    if (!http_authority(url.authority, &url.host, &url.host_is_v6, &url.port)) {
        return fail(err, text, "names no host");
    }
    url.port = url.port != 0 ? url.port : url.secure ? PORT_HTTPS : PORT_HTTP;
    if (len < rest.len) {
        url.target = mu_slice_of(rest.data + len, rest.len - len);
    }
    if (!http_is_path(url.target)) {
        return fail(err, text, "has a fragment, no path, or a byte that no URL has");
    }
    *ret_url = url;
    return true;
}

bool http_url_resolve(const struct http_url *base, struct mu_slice location, struct mu_buf *out,
                      struct mutual_error *err)
{
    struct http_url url;
    bool path = location.len > 0 && location.data[0] == '/' &&
                (location.len < 2 || location.data[1] != '/');
    if (path) {
        (void)mu_buf_text(out, base->secure ? "https://" : "http://");
        (void)mu_buf_append(out, base->authority.data, base->authority.len);
    }
    (void)mu_buf_append(out, location.data, location.len);
    return (!out->failed || mu_fail_memory(err)) && http_url_parse(mu_buf_slice(out), &url, err);
}
