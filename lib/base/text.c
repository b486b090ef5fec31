/* SPDX-License-Identifier: Apache-2.0
 *
 * Hexadecimal, base64, escaping, numbers, and the nearest word for "did you mean".
 */
#include "base/base.h"

#include <string.h>

static const char hex_digits[] = "0123456789abcdef";

void mu_hex(struct mu_buf *out, struct mu_slice bytes)
{
    uint8_t *room = mu_buf_reserve(out, 2 * bytes.len);
    for (size_t i = 0; room != NULL && i < bytes.len; i++) {
        room[2 * i] = (uint8_t)hex_digits[bytes.data[i] >> 4];
        room[2 * i + 1] = (uint8_t)hex_digits[bytes.data[i] & 15];
    }
    out->len += room == NULL ? 0 : 2 * bytes.len;
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

bool mu_hex_parse(struct mu_slice text, struct mu_buf *out, struct mutual_error *err)
{
    if (text.len % 2 != 0) {
        return mu_fail(err, MUTUAL_E_ENCODING_MALFORMED,
                       "hexadecimal text has an odd number of digits");
    }
    for (size_t i = 0; i < text.len; i += 2) {
        int high = hex_value(text.data[i]);
        int low = hex_value(text.data[i + 1]);
        if (high < 0 || low < 0) {
            return mu_fail(err, MUTUAL_E_ENCODING_MALFORMED,
                           "character %zu of the hexadecimal text is not a digit", i + 1);
        }
        if (!mu_buf_byte(out, (uint8_t)(high << 4 | low))) {
            return mu_fail(err, MUTUAL_E_LIMIT, "hexadecimal text is too long");
        }
    }
    return true;
}

static const char alphabet64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char alphabet64url[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void base64_write(struct mu_buf *out, struct mu_slice in, const char *alphabet, bool pad)
{
    for (size_t i = 0; i < in.len; i += 3) {
        size_t left = in.len - i;
        uint32_t group = (uint32_t)in.data[i] << 16;
        group |= left > 1 ? (uint32_t)in.data[i + 1] << 8 : 0;
        group |= left > 2 ? (uint32_t)in.data[i + 2] : 0;
        size_t digits = left > 2 ? 4 : left + 1;
        for (size_t d = 0; d < 4; d++) {
            if (d < digits) {
                mu_buf_byte(out, (uint8_t)alphabet[group >> (18 - 6 * d) & 63]);
            } else if (pad) {
                mu_buf_byte(out, '=');
            }
        }
    }
}

void mu_base64(struct mu_buf *out, struct mu_slice bytes)
{
    base64_write(out, bytes, alphabet64, true);
}

void mu_base64url(struct mu_buf *out, struct mu_slice bytes)
{
    base64_write(out, bytes, alphabet64url, false);
}

/* Both alphabets differ in their last two digits only. */
static int base64_value(uint8_t c, const char *alphabet)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == (uint8_t)alphabet[62]) {
        return 62;
    }
    return c == (uint8_t)alphabet[63] ? 63 : -1;
}

static bool base64_read(struct mu_slice text, const char *alphabet, struct mu_buf *out,
                        struct mutual_error *err)
{
    size_t rest = text.len % 4;
    if (rest == 1) {
        return mu_fail(err, MUTUAL_E_ENCODING_MALFORMED, "base64 text is cut short");
    }
    uint32_t group = 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = base64_value(text.data[i], alphabet);
        if (digit < 0) {
            return mu_fail(err, MUTUAL_E_ENCODING_MALFORMED,
                           "character %zu of the base64 text is not in its alphabet", i + 1);
        }
        group = group << 6 | (uint32_t)digit;
        if (i % 4 == 3) {
            uint8_t bytes[3] = {(uint8_t)(group >> 16), (uint8_t)(group >> 8), (uint8_t)group};
            mu_buf_append(out, bytes, 3);
            group = 0;
        }
    }
    if (rest == 2) {
        mu_buf_byte(out, (uint8_t)(group >> 4));
    } else if (rest == 3) {
        mu_buf_byte(out, (uint8_t)(group >> 10));
        mu_buf_byte(out, (uint8_t)(group >> 2));
    }
    if ((rest == 2 && (group & 15) != 0) || (rest == 3 && (group & 3) != 0)) {
        return mu_fail(err, MUTUAL_E_ENCODING_MALFORMED, "base64 text ends in stray bits");
    }
    if (out->failed) {
        return mu_fail(err, MUTUAL_E_LIMIT, "base64 text is too long");
    }
    return true;
}

bool mu_base64_parse(struct mu_slice text, struct mu_buf *out, struct mutual_error *err)
{
    if (text.len % 4 != 0) {
        return mu_fail(err, MUTUAL_E_ENCODING_MALFORMED,
                       "base64 text is not a multiple of four characters long");
    }
    for (int pads = 0; pads < 2 && text.len > 0 && text.data[text.len - 1] == '='; pads++) {
        text.len--;
    }
    return base64_read(text, alphabet64, out, err);
}

bool mu_base64url_parse(struct mu_slice text, struct mu_buf *out, struct mutual_error *err)
{
    return base64_read(text, alphabet64url, out, err);
}

void mu_escape(struct mu_buf *out, struct mu_slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t c = bytes.data[i];
        if (c == '"' || c == '\\') {
            mu_buf_byte(out, '\\');
            mu_buf_byte(out, c);
        } else if (c >= 0x20 && c < 0x7f) {
            mu_buf_byte(out, c);
        } else {
            mu_buf_printf(out, "\\x%02x", c);
        }
    }
}

bool mu_text_starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool mu_text_uint(const char *text, uint64_t max, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (*text == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        unsigned digit = (unsigned)(*text - '0');
        if (digit > 9 || value > (max - digit) / 10 || digit > max) {
            return false;
        }
        value = value * 10 + digit;
    }
    *ret_value = value;
    return true;
}

#define SUGGEST_MAX 40u

/* Optimal string alignment distance: insertions, deletions, replacements, adjacent swaps. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][SUGGEST_MAX + 1];
    size_t *before = rows[0];
    size_t *last = rows[1];
    size_t *now = rows[2];
    for (size_t j = 0; j <= b_len; j++) {
        last[j] = j;
        before[j] = 0;
    }
    for (size_t i = 1; i <= a_len; i++) {
        now[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);
            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && before[j - 2] + 1 < best) {
                best = before[j - 2] + 1;
            }
            now[j] = best;
        }
        size_t *oldest = before;
        before = last;
        last = now;
        now = oldest;
    }
    return last[b_len];
}

const char *mu_suggest(const char *word, const char *const *words)
{
    size_t len = strlen(word);
    if (len == 0 || len > SUGGEST_MAX) {
        return NULL;
    }
    const char *best = NULL;
    /* One letter of a short word may be wrong; of a long one a third, and one more. */
    size_t best_distance = len <= 3 ? 2 : len / 3 + 2;
    for (; *words != NULL; words++) {
        size_t other = strlen(*words);
        if (other > SUGGEST_MAX) {
            continue;
        }
        size_t d = distance(word, len, *words, other);
        if (d < best_distance) {
            best_distance = d;
            best = *words;
        }
    }
    return best;
}
