/* SPDX-License-Identifier: Apache-2.0
 *
 * What handlers read from a request, and how a caller and an address are written.
 */
#include <string.h>

#include "api/api_internal.h"

enum { BASIC_MAX = 1024 };

const char *api_channel_word(enum api_channel channel)
{
    static const char *const words[] = {"plain", "tls", "mutual", "local"};
    mu_assert((size_t)channel < MU_COUNT(words));
    return words[channel];
}

void api_who(const struct api_caller *caller, const struct mutual_name *name, struct mu_buf *out)
{
    if (caller->user != NULL) {
        (void)mu_buf_text(out, caller->user);
    } else if (caller->leaf != NULL) {
        const struct mutual_name *first = caller->name_count > 0 ? &caller->names[0] : NULL;
        const struct mutual_name *by = name != NULL ? name : first;
        if (by != NULL) {
            mu_escape(out, mu_slice_of(by->text, by->len));
        } else {
            (void)mu_buf_text(out, mu_cert_facts(caller->leaf)->display);
        }
        if (name != NULL) {
            (void)mu_buf_text(out, " serial ");
            mu_hex(out, mu_cert_facts(caller->leaf)->serial);
        }
        (void)mu_buf_printf(out, " (%s %s)", caller->listener, caller->address);
    } else {
        (void)mu_buf_printf(out, "%s (%s)", caller->address, caller->listener);
    }
}

void api_who_refuse(struct api_response *response)
{
    struct mutual_error why = {0};
    (void)mu_fail(&why, MUTUAL_E_LIMIT, "your certificate's name is too long to be written down");
    (void)mu_error_hint(&why, "Come with a certificate whose names have less than %d bytes.",
                        API_WHO_MAX / 4);
    api_problem(response, 403, NULL, &why);
}

void mu_api_json_auto(json_t **value)
{
    json_decref(*value);
}

bool api_json_object(struct mu_slice text, const char *what, enum mutual_code code,
                     json_t **ret_object, struct mutual_error *err)
{
    json_error_t why;
    json_t *object = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &why);
    if (object == NULL) {
        MU_AUTO(buf) struct mu_buf safe;
        mu_buf_init(&safe, 1024);
        mu_escape(&safe, mu_slice_text(why.text));
        return mu_fail(err, code, "%s is no JSON: %s", what, mu_buf_str(&safe));
    }
    if (!json_is_object(object)) {
        json_decref(object);
        return mu_fail(err, code, "%s is no JSON object", what);
    }
    *ret_object = object;
    return true;
}

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

bool api_equal_nocase(struct mu_slice text, const char *word)
{
    if (text.len != strlen(word)) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (lower(text.data[i]) != lower((uint8_t)word[i])) {
            return false;
        }
    }
    return true;
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

bool api_has_type(const struct http_head *head, const char *type)
{
    struct mu_slice value = {0};
    if (!http_field_find(head, "Content-Type", &value)) {
        return false;
    }
    const uint8_t *end = memchr(value.data, ';', value.len);
    if (end != NULL) {
        value.len = (size_t)(end - value.data);
    }
    while (value.len > 0 && is_blank(value.data[value.len - 1])) {
        value.len--;
    }
    return api_equal_nocase(value, type);
}

bool api_basic(const struct http_head *head, struct mu_buf *user, struct mu_buf *secret)
{
    struct mu_slice value = {0};
    static const char scheme[] = "Basic ";
    size_t skip = sizeof scheme - 1;
    if (!http_field_find(head, "Authorization", &value) || value.len <= skip ||
        value.len > BASIC_MAX || !api_equal_nocase(mu_slice_of(value.data, skip), scheme)) {
        return false;
    }
    while (skip < value.len && value.data[skip] == ' ') {
        skip++;
    }
    MU_AUTO(buf) struct mu_buf pair;
    mu_buf_init(&pair, BASIC_MAX);
    if (!mu_base64_parse(mu_slice_of(value.data + skip, value.len - skip), &pair, NULL) ||
        pair.len == 0) {
        return false;
    }
    const uint8_t *colon = memchr(pair.data, ':', pair.len);
    bool good = colon != NULL && memchr(pair.data, '\0', pair.len) == NULL;
    if (good) {
        size_t user_len = (size_t)(colon - pair.data);
        good = (user == NULL || mu_buf_append(user, pair.data, user_len)) &&
               mu_buf_append(secret, colon + 1, pair.len - user_len - 1);
    }
    mu_wipe(pair.data, pair.len);
    return good;
}

static int hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    byte = lower(byte);
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* application/x-www-form-urlencoded: "+" is a blank. */
static bool decode(struct mu_slice text, struct mu_buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.data[i];
        if (byte == '%') {
            int high = i + 2 < text.len ? hex_digit(text.data[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(text.data[i + 2]) : -1;
            if (low < 0 || high * 16 + low == 0) {
                return false;
            }
            byte = (uint8_t)(high * 16 + low);
            i += 2;
        } else if (byte == '+') {
            byte = ' ';
        }
        if (!mu_buf_byte(out, byte)) {
            return false;
        }
    }
    return true;
}

bool api_query(const struct http_head *head, const char *name, struct mu_buf *out)
{
    struct mu_slice rest = head->query;
    struct mu_slice found = {0};
    bool there = false;
    size_t len = strlen(name);
    while (rest.len > 0) {
        const uint8_t *end = memchr(rest.data, '&', rest.len);
        struct mu_slice one =
            mu_slice_of(rest.data, end != NULL ? (size_t)(end - rest.data) : rest.len);
        rest = mu_slice_of(rest.data + one.len + (end != NULL), rest.len - one.len - (end != NULL));
        if (one.len > len && memcmp(one.data, name, len) == 0 && one.data[len] == '=') {
            if (there) {
                return false;
            }
            there = true;
            found = mu_slice_of(one.data + len + 1, one.len - len - 1);
        }
    }
    return there && decode(found, out);
}

void api_url(const struct api_world *world, const struct api_request *request, const char *path,
             struct mu_buf *out)
{
    const struct api_settings *settings = world->settings;
    if (settings != NULL && settings->url != NULL) {
        (void)mu_buf_text(out, settings->url);
    } else {
        bool plain = request->caller->channel == API_PLAIN;
        (void)mu_buf_text(out, plain ? "http://" : "https://");
        (void)mu_buf_append(out, request->head->host.data, request->head->host.len);
    }
    (void)mu_buf_text(out, path);
}
