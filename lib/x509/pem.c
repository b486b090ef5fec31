/* SPDX-License-Identifier: Apache-2.0
 *
 * Textual encodings (RFC 7468): finds the blocks of a text and decodes them. Text around blocks is
 * allowed (section 2), but a line that begins with five dashes must be a boundary in its place.
 */
#include "x509/ossl_internal.h"

#include <string.h>

void mu_pem_open(struct mu_pem_reader *reader, struct mu_slice text, const char *what)
{
    *reader = (struct mu_pem_reader){.text = text, .what = what};
}

/* Takes one line off the text, without its end and trailing white space. */
static bool next_line(struct mu_pem_reader *reader, struct mu_slice *ret_line)
{
    struct mu_slice *text = &reader->text;
    if (text->len == 0) {
        return false;
    }
    const uint8_t *end = memchr(text->data, '\n', text->len);
    size_t len = end == NULL ? text->len : (size_t)(end - text->data);
    struct mu_slice line = mu_slice_of(text->data, len);
    size_t used = end == NULL ? len : len + 1;
    *text = mu_slice_of(text->data + used, text->len - used);
    while (line.len > 0 && strchr(" \t\r", line.data[line.len - 1]) != NULL &&
           line.data[line.len - 1] != '\0') {
        line.len--;
    }
    reader->line++;
    *ret_line = line;
    return true;
}

static bool has_prefix(struct mu_slice line, const char *prefix)
{
    size_t len = strlen(prefix);
    return line.len >= len && memcmp(line.data, prefix, len) == 0;
}

/* The label of a boundary such as "-----BEGIN CERTIFICATE-----" (RFC 7468 section 3). */
static bool boundary_label(struct mu_slice line, const char *prefix, struct mu_slice *ret_label)
{
    size_t head = strlen(prefix);
    if (!has_prefix(line, prefix) || line.len < head + 5 ||
        memcmp(line.data + line.len - 5, "-----", 5) != 0) {
        return false;
    }
    struct mu_slice label = mu_slice_of(line.data + head, line.len - head - 5);
    for (size_t i = 0; i < label.len; i++) {
        if (label.data[i] < 0x20 || label.data[i] > 0x7e || label.data[i] == '-') {
            return false;
        }
    }
    *ret_label = label;
    return label.len > 0 && label.len <= 64;
}

static bool find_begin(struct mu_pem_reader *reader, struct mu_slice *ret_line, bool *ret_end,
                       struct mu_slice *ret_label, struct mutual_error *err)
{
    while (next_line(reader, ret_line)) {
        if (!has_prefix(*ret_line, "-----")) {
            continue;
        }
        if (!boundary_label(*ret_line, "-----BEGIN ", ret_label)) {
            return mu_fail(err, MUTUAL_E_PEM_MALFORMED,
                           "line %u of \"%s\" is not the beginning of a PEM block", reader->line,
                           reader->what);
        }
        *ret_end = false;
        return true;
    }
    *ret_end = true;
    return true;
}

bool mu_pem_next(struct mu_pem_reader *reader, struct mu_pem_block *ret_block, bool *ret_end,
                 struct mutual_error *err)
{
    struct mu_slice line;
    struct mu_slice label;
    bool end;
    if (!find_begin(reader, &line, &end, &label, err)) {
        return false;
    }
    *ret_end = end;
    if (end) {
        return true;
    }
    reader->block++;
    unsigned begin_line = reader->line;
    const uint8_t *begin = line.data;
    const uint8_t *body = reader->text.data;
    while (next_line(reader, &line)) {
        if (!has_prefix(line, "-----")) {
            continue;
        }
        struct mu_slice end_label;
        if (!boundary_label(line, "-----END ", &end_label) || !mu_slice_equal(label, end_label)) {
            return mu_fail(err, MUTUAL_E_PEM_MALFORMED,
                           "block %u of \"%s\", begun in line %u, is not ended by line %u",
                           reader->block, reader->what, begin_line, reader->line);
        }
        *ret_block = (struct mu_pem_block){
            .label = label,
            .whole = mu_slice_of(begin, (size_t)(line.data + line.len - begin)),
            .body = mu_slice_of(body, (size_t)(line.data - body)),
            .line = begin_line,
        };
        return true;
    }
    return mu_fail(err, MUTUAL_E_PEM_MALFORMED, "block %u of \"%s\", begun in line %u, has no end",
                   reader->block, reader->what, begin_line);
}

bool mu_pem_decode(const struct mu_pem_reader *reader, const struct mu_pem_block *block,
                   struct mu_buf *out, struct mutual_error *err)
{
    MU_AUTO(secret_buf) struct mu_buf digits; /* a private key's, perhaps */
    mu_buf_init(&digits, block->body.len);
    uint8_t *to = mu_buf_reserve(&digits, block->body.len);
    if (to == NULL) {
        return mu_fail_memory(err);
    }
    for (size_t i = 0; i < block->body.len; i++) {
        uint8_t c = block->body.data[i];
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n') {
            to[digits.len++] = c;
        }
    }
    size_t before = out->len;
    struct mutual_error why = {0};
    if (!mu_base64_parse(mu_buf_slice(&digits), out, &why) || out->len == before) {
        const char *reason = why.code == MUTUAL_OK ? "it is empty" : why.reason;
        return mu_fail(err, MUTUAL_E_PEM_MALFORMED, "block %u of \"%s\", line %u: %s",
                       reader->block, reader->what, block->line, reason);
    }
    return true;
}

void mu_pem_write(struct mu_buf *out, const char *label, struct mu_slice der)
{
    mu_buf_printf(out, "-----BEGIN %s-----\n", label);
    for (size_t i = 0; i < der.len; i += 48) {
        size_t len = der.len - i < 48 ? der.len - i : 48;
        mu_base64(out, mu_slice_of(der.data + i, len));
        mu_buf_byte(out, '\n');
    }
    mu_buf_printf(out, "-----END %s-----\n", label);
}
