/* SPDX-License-Identifier: Apache-2.0
 *
 * The JSON writer. Reading JSON is jansson's.
 */
#include "base/base.h"

#include <string.h>

void mu_json_init(struct mu_json *json, struct mu_buf *out)
{
    *json = (struct mu_json){.out = out};
}

/* The length of the well-formed UTF-8 sequence at p (RFC 3629), or 0. */
static size_t utf8_length(const uint8_t *p, size_t left)
{
    static const struct {
        uint8_t first_low, first_high, second_low, second_high, length;
    } forms[] = {
        {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < MU_COUNT(forms); i++) {
        if (p[0] < forms[i].first_low || p[0] > forms[i].first_high || left < forms[i].length) {
            continue;
        }
        bool good = p[1] >= forms[i].second_low && p[1] <= forms[i].second_high;
        for (size_t k = 2; good && k < forms[i].length; k++) {
            good = p[k] >= 0x80 && p[k] <= 0xbf;
        }
        return good ? forms[i].length : 0;
    }
    return 0;
}

/* How many bytes at p go as they are: nearly always all of them. */
static size_t plain_length(const uint8_t *p, size_t left)
{
    size_t len = 0;
    while (len < left && p[len] >= 0x20 && p[len] < 0x7f && p[len] != '"' && p[len] != '\\') {
        len++;
    }
    return len;
}

static void write_string(struct mu_buf *out, struct mu_slice text)
{
    mu_buf_byte(out, '"');
    for (size_t i = 0; i < text.len;) {
        uint8_t c = text.data[i];
        size_t n = plain_length(text.data + i, text.len - i);
        n = n == 0 && c >= 0x80 ? utf8_length(text.data + i, text.len - i) : n;
        if (n > 0) {
            mu_buf_append(out, text.data + i, n);
        } else if (c == '"' || c == '\\') {
            mu_buf_byte(out, '\\');
            mu_buf_byte(out, c);
        } else {
            mu_buf_printf(out, "\\u%04x", c);
        }
        i += n > 0 ? n : 1;
    }
    mu_buf_byte(out, '"');
}

static void begin_value(struct mu_json *json, const char *key)
{
    if (json->more[json->depth]) {
        mu_buf_byte(json->out, ',');
    }
    json->more[json->depth] = true;
    if (key != NULL) {
        write_string(json->out, mu_slice_text(key));
        mu_buf_byte(json->out, ':');
    }
}

void mu_json_open(struct mu_json *json, const char *key, char bracket)
{
    mu_assert(bracket == '{' || bracket == '[');
    begin_value(json, key);
    mu_buf_byte(json->out, (uint8_t)bracket);
    mu_assert(json->depth + 1 < MU_COUNT(json->more));
    json->more[++json->depth] = false;
}

void mu_json_close(struct mu_json *json, char bracket)
{
    mu_assert(bracket == '}' || bracket == ']');
    mu_assert(json->depth > 0);
    json->depth--;
    mu_buf_byte(json->out, (uint8_t)bracket);
}

void mu_json_slice(struct mu_json *json, const char *key, struct mu_slice value)
{
    begin_value(json, key);
    write_string(json->out, value);
}

void mu_json_string(struct mu_json *json, const char *key, const char *value)
{
    if (value == NULL) {
        mu_json_null(json, key);
    } else {
        mu_json_slice(json, key, mu_slice_text(value));
    }
}

void mu_json_int(struct mu_json *json, const char *key, int64_t value)
{
    char digits[20]; /* of the least value with its sign */
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0) {
        digits[--at] = '-';
    }
    begin_value(json, key);
    mu_buf_append(json->out, digits + at, sizeof digits - at);
}

void mu_json_bool(struct mu_json *json, const char *key, bool value)
{
    begin_value(json, key);
    mu_buf_text(json->out, value ? "true" : "false");
}

void mu_json_null(struct mu_json *json, const char *key)
{
    begin_value(json, key);
    mu_buf_text(json->out, "null");
}
