/* SPDX-License-Identifier: Apache-2.0
 *
 * Bodies: by length, in chunks, or to the end of the connection (RFC 9112 sections 6 and 7).
 */
#include <string.h>

#include "http/http_internal.h"

enum state {
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_LAST_CR, /* behind the last chunk: the empty line, for trailer fields are refused */
    CHUNK_LAST_LF,
    CHUNK_OVER,
};

enum { SIZE_DIGITS = 15 }; /* so that no sum of sizes can run over */

bool http_body_init(struct http_body *body, const struct http_head *head, uint64_t max,
                    struct mutual_error *err)
{
    if (head->framing == HTTP_BODY_LENGTH && head->length > max) {
        return mu_fail(err, MUTUAL_E_HTTP_LIMIT,
                       "the HTTP message announces %llu bytes of content, the limit is %llu",
                       (unsigned long long)head->length, (unsigned long long)max);
    }
    *body = (struct http_body){
        .framing = head->framing,
        .state = CHUNK_SIZE,
        .left = head->framing == HTTP_BODY_LENGTH ? head->length : 0,
        .max = max,
    };
    return true;
}

static enum http_step failed(struct mutual_error *err, const char *why)
{
    (void)mu_fail(err, MUTUAL_E_HTTP_MALFORMED, "the HTTP message's chunks are malformed: %s", why);
    return HTTP_FAILED;
}

static bool is_over(const struct http_body *body)
{
    return body->framing == HTTP_BODY_NONE ||
           (body->framing == HTTP_BODY_LENGTH && body->left == 0) ||
           (body->framing == HTTP_BODY_CHUNKED && body->state == CHUNK_OVER);
}

/* A piece of content of at most `most` bytes. */
static enum http_step take(struct http_body *body, struct mu_slice *in, uint64_t most,
                           struct mu_slice *ret_piece, struct mutual_error *err)
{
    size_t len = in->len < most ? in->len : (size_t)most;
    if (len > body->max - body->taken) {
        (void)mu_fail(err, MUTUAL_E_HTTP_LIMIT,
                      "the HTTP message has more than %llu bytes of content",
                      (unsigned long long)body->max);
        return HTTP_FAILED;
    }
    *ret_piece = mu_slice_of(in->data, len);
    *in = mu_slice_of(in->data + len, in->len - len);
    body->taken += len;
    return HTTP_MORE;
}

static int hex_of(uint8_t byte)
{
    return byte >= '0' && byte <= '9'   ? byte - '0'
           : byte >= 'a' && byte <= 'f' ? byte - 'a' + 10
           : byte >= 'A' && byte <= 'F' ? byte - 'A' + 10
                                        : -1;
}

static enum http_step end_size(struct http_body *body, struct mutual_error *err)
{
    if (body->left > body->max - body->taken) {
        (void)mu_fail(err, MUTUAL_E_HTTP_LIMIT,
                      "the HTTP message has more than %llu bytes of content",
                      (unsigned long long)body->max);
        return HTTP_FAILED;
    }
    body->state = body->left == 0 ? CHUNK_LAST_CR : CHUNK_DATA;
    body->digits = 0;
    return HTTP_MORE;
}

static enum http_step read_size(struct http_body *body, uint8_t byte, struct mutual_error *err)
{
    int value = hex_of(byte);
    if (value >= 0 && body->digits < SIZE_DIGITS) {
        body->left = body->left * 16 + (uint64_t)value;
        body->digits++;
        return HTTP_MORE;
    }
    if (value >= 0 || body->digits == 0 || (byte != '\r' && byte != ';')) {
        return failed(err, "a size is no plain hexadecimal number");
    }
    body->state = byte == '\r' ? CHUNK_SIZE_LF : CHUNK_EXTENSION;
    return HTTP_MORE;
}

/* Extensions mean nothing to us; they are read over within a limit for the whole body. */
static enum http_step read_extension(struct http_body *body, uint8_t byte, struct mutual_error *err)
{
    if (byte == '\r') {
        body->state = CHUNK_SIZE_LF;
        return HTTP_MORE;
    }
    if (!http_is_text(byte)) {
        return failed(err, "an extension has a control byte");
    }
    if (++body->overhead > MU_LIMIT_HTTP_CHUNK_EXTENSIONS) {
        (void)mu_fail(err, MUTUAL_E_HTTP_LIMIT, "the HTTP message has too many chunk extensions");
        return HTTP_FAILED;
    }
    return HTTP_MORE;
}

/* A byte of framing that must be this one. */
static enum http_step want(struct http_body *body, uint8_t byte, uint8_t wanted, enum state next,
                           struct mutual_error *err)
{
    if (byte != wanted) {
        return failed(err, body->state == CHUNK_LAST_CR ? "trailer fields are not taken"
                                                        : "a line does not end in CR LF");
    }
    body->state = (unsigned char)next;
    return HTTP_MORE;
}

static enum http_step read_framing(struct http_body *body, uint8_t byte, struct mutual_error *err)
{
    switch ((enum state)body->state) {
    case CHUNK_SIZE:
        return read_size(body, byte, err);
    case CHUNK_EXTENSION:
        return read_extension(body, byte, err);
    case CHUNK_SIZE_LF:
        return byte == '\n' ? end_size(body, err) : failed(err, "a line does not end in CR LF");
    case CHUNK_DATA_CR:
        return want(body, byte, '\r', CHUNK_DATA_LF, err);
    case CHUNK_DATA_LF:
        return want(body, byte, '\n', CHUNK_SIZE, err);
    case CHUNK_LAST_CR:
        return want(body, byte, '\r', CHUNK_LAST_LF, err);
    case CHUNK_LAST_LF:
        return want(body, byte, '\n', CHUNK_OVER, err);
    case CHUNK_DATA:
    case CHUNK_OVER:
        break;
    }
    mu_never("framing was looked for in content");
}

static enum http_step read_chunked(struct http_body *body, struct mu_slice *in,
                                   struct mu_slice *ret_piece, struct mutual_error *err)
{
    while (in->len > 0 && body->state != CHUNK_OVER) {
        if (body->state == CHUNK_DATA) {
            enum http_step step = take(body, in, body->left, ret_piece, err);
            body->left -= ret_piece->len;
            body->state = body->left == 0 ? CHUNK_DATA_CR : CHUNK_DATA;
            return step;
        }
        if (read_framing(body, in->data[0], err) == HTTP_FAILED) {
            return HTTP_FAILED;
        }
        *in = mu_slice_of(in->data + 1, in->len - 1);
    }
    return is_over(body) ? HTTP_DONE : HTTP_MORE;
}

enum http_step http_body_read(struct http_body *body, struct mu_slice *in,
                              struct mu_slice *ret_piece, struct mutual_error *err)
{
    *ret_piece = mu_slice_of(in->data, 0);
    if (is_over(body)) {
        return HTTP_DONE;
    }
    if (body->framing == HTTP_BODY_CHUNKED) {
        return read_chunked(body, in, ret_piece, err);
    }
    bool sized = body->framing == HTTP_BODY_LENGTH;
    enum http_step step = take(body, in, sized ? body->left : UINT64_MAX, ret_piece, err);
    body->left -= sized ? ret_piece->len : 0;
    return step == HTTP_MORE && is_over(body) ? HTTP_DONE : step;
}

bool http_body_end(const struct http_body *body, struct mutual_error *err)
{
    return is_over(body) || body->framing == HTTP_BODY_TO_END ||
           mu_fail(err, MUTUAL_E_HTTP_TRUNCATED,
                   "the HTTP message ended after %llu bytes of content, before it was whole",
                   (unsigned long long)body->taken);
}
