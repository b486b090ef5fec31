/* SPDX-License-Identifier: Apache-2.0
 *
 * Bodies in base64, and the part of the path behind /.well-known/est/.
 */
#include <string.h>

#include "est/est_internal.h"

enum { LABEL_MAX = 64 };

bool est_body_decode(struct mu_slice body, struct mu_buf *out, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, MU_LIMIT_API_BODY);
    for (size_t i = 0; i < body.len; i++) {
        uint8_t byte = body.data[i];
        if (byte != '\r' && byte != '\n' && byte != ' ' && byte != '\t') {
            (void)mu_buf_byte(&text, byte);
        }
    }
    if (text.failed) {
        return mu_fail(err, MUTUAL_E_LIMIT, "a body of %zu bytes is too large", body.len);
    }
    if (text.len == 0 || !mu_base64_parse(mu_buf_slice(&text), out, NULL)) {
        return mu_fail(err, MUTUAL_E_ENCODING_MALFORMED, "the body is not base64") ||
               mu_error_hint(err, "Send DER in base64, without the lines of PEM.");
    }
    return true;
}

static bool is_label(struct mu_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_';
        if (!good) {
            return false;
        }
    }
    return text.len > 0 && text.len <= LABEL_MAX;
}

bool est_path_read(struct mu_slice rest, struct mu_slice *ret_label, struct mu_slice *ret_operation)
{
    const uint8_t *slash = rest.len > 0 ? memchr(rest.data, '/', rest.len) : NULL;
    size_t label = slash == NULL ? 0 : (size_t)(slash - rest.data);
    *ret_label = mu_slice_of(rest.data, label);
    *ret_operation = slash == NULL ? rest : mu_slice_of(slash + 1, rest.len - label - 1);
    return is_label(*ret_operation) && (slash == NULL || is_label(*ret_label));
}
