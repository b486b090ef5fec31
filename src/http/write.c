/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing messages: what could not be read back as it was meant is not written.
 */
#include <stdio.h>
#include <string.h>

#include "http/http_internal.h"

static void spoil(struct mu_buf *out)
{
    out->failed = true;
}

void http_put_request(struct mu_buf *out, const char *method, const char *target, const char *host)
{
    struct mu_slice ignored;
    bool v6;
    uint16_t port;
    if (!http_is_token(mu_slice_text(method)) || !http_is_path(mu_slice_text(target)) ||
        !http_authority(mu_slice_text(host), &ignored, &v6, &port)) {
        spoil(out);
        return;
    }
    (void)mu_buf_printf(out, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, target, host);
}

void http_put_status(struct mu_buf *out, unsigned status)
{
    mu_assert(status >= 100 && status <= 599);
    (void)mu_buf_printf(out, "HTTP/1.1 %u %s\r\n", status, http_reason(status));
}

void http_put_field(struct mu_buf *out, const char *name, struct mu_slice value)
{
    if (!http_is_token(mu_slice_text(name)) || !http_is_value(value)) {
        spoil(out);
        return;
    }
    (void)mu_buf_text(out, name);
    (void)mu_buf_text(out, ": ");
    (void)mu_buf_append(out, value.data, value.len);
    (void)mu_buf_text(out, "\r\n");
}

void http_put_text(struct mu_buf *out, const char *name, const char *value)
{
    http_put_field(out, name, mu_slice_text(value));
}

void http_put_length(struct mu_buf *out, uint64_t length)
{
    (void)mu_buf_printf(out, "Content-Length: %llu\r\n", (unsigned long long)length);
}

void http_put_date(struct mu_buf *out, const char *name, int64_t time_s)
{
    char text[HTTP_DATE_TEXT];
    http_put_text(out, name, http_date_format(time_s, text));
}

void http_put_end(struct mu_buf *out)
{
    (void)mu_buf_text(out, "\r\n");
}

void http_put_chunk(struct mu_buf *out, struct mu_slice piece)
{
    (void)mu_buf_printf(out, "%zx\r\n", piece.len);
    (void)mu_buf_append(out, piece.data, piece.len);
    (void)mu_buf_text(out, "\r\n");
}

const char *http_reason(unsigned status)
{
    static const struct {
        unsigned status;
        const char *words;
    } reasons[] = {
        {100, "Continue"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };
    for (size_t i = 0; i < MU_COUNT(reasons); i++) {
        if (reasons[i].status == status) {
            return reasons[i].words;
        }
    }
    return "";
}
