/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration in force as YAML or JSON: the tables walked the other way. What it writes as
 * YAML can be read again and means the same.
 */
#include "config/config_internal.h"

#include <string.h>

/* Quoted in the manner of JSON unless it is a plain word. */
static void show_text(struct mu_buf *out, const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-";
    bool word = text[0] != '\0' && text[0] != '-' && text[strspn(text, plain)] == '\0';
    bool nothing = strcmp(text, "null") == 0;
    if (word && !nothing) {
        mu_buf_text(out, text);
        return;
    }
    struct mu_json json;
    mu_json_init(&json, out);
    mu_json_string(&json, NULL, text);
}

static void show_duration(struct mu_buf *out, int64_t ns)
{
    static const struct {
        int64_t ns;
        const char *unit;
    } units[] = {
        {86400 * MU_NS_PER_S, "d"}, {3600 * MU_NS_PER_S, "h"}, {60 * MU_NS_PER_S, "m"},
        {MU_NS_PER_S, "s"},         {MU_NS_PER_MS, "ms"},
    };
    size_t i = 0;
    while (i + 1 < MU_COUNT(units) && ns % units[i].ns != 0) {
        i++;
    }
    mu_buf_printf(out, "%lld%s", (long long)(ns / units[i].ns), units[i].unit);
}

static void show_stale(struct mu_buf *out, const struct config_stale *stale)
{
    static const char *const words[] = {"refuse", "grace ", "accept"};
    mu_buf_text(out, words[stale->mode]);
    if (stale->mode == CONFIG_STALE_GRACE) {
        show_duration(out, stale->grace_s * MU_NS_PER_S);
    }
}

/* Where the secret is, never the secret. */
static void secret_text(struct mu_buf *out, const struct config_secret *secret)
{
    static const char *const prefixes[] = {"", "file:", "env:", "credential:"};
    mu_buf_printf(out, "%s%s", prefixes[secret->kind], secret->value);
}

static void show_secret(struct mu_buf *out, const struct config_secret *secret)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 8192);
    secret_text(&text, secret);
    show_text(out, mu_buf_str(&text));
}

static void show_time(struct mu_buf *out, int64_t time_s)
{
    char text[MU_TIME_TEXT];
    mu_buf_text(out, time_s == MU_TIME_NEVER_S ? "never"
                     : time_s == 0             ? "always"
                                               : mu_time_format(time_s, text));
}

static void show_pattern(struct mu_buf *out, const struct config_pattern *pattern)
{
    mu_buf_printf(out, "{%s: ", name_type_words[pattern->type]);
    show_text(out, pattern->text);
    mu_buf_text(out, "}");
}

/* Is there anything to show? */
static bool is_there(const struct setting *s, const void *slot)
{
    switch (s->type) {
    case SETTING_TEXT:
    case SETTING_NAME:
    case SETTING_SERVICE:
    case SETTING_PATH:
        return *(const char *const *)slot != NULL;
    case SETTING_SECRET:
        return ((const struct config_secret *)slot)->kind != CONFIG_SECRET_NONE;
    case SETTING_LISTEN:
    case SETTING_TARGET:
        return ((const struct config_address *)slot)->kind != CONFIG_ADDRESS_NONE;
    case SETTING_BOOL:
    case SETTING_NUMBER:
    case SETTING_DURATION:
    case SETTING_TIME:
    case SETTING_WORD:
    case SETTING_STALE:
    case SETTING_PATTERN:
    case SETTING_BLOCK:
    case SETTING_TYPE_COUNT_:
        return true;
    }
    return true;
}

static void show_number(struct mu_buf *out, const struct setting *s, int64_t number)
{
    if (number == 0 && s->words != NULL) {
        mu_buf_text(out, s->words[0]);
    } else if (s->type == SETTING_DURATION) {
        show_duration(out, number);
    } else {
        mu_buf_printf(out, "%lld", (long long)number);
    }
}

static void show_value(struct mu_buf *out, const struct setting *s, const void *slot)
{
    int word;
    switch (s->type) {
    case SETTING_BOOL:
        mu_buf_text(out, *(const bool *)slot ? "true" : "false");
        break;
    case SETTING_NUMBER:
    case SETTING_DURATION:
        show_number(out, s, *(const int64_t *)slot);
        break;
    case SETTING_TIME:
        show_time(out, *(const int64_t *)slot);
        break;
    case SETTING_WORD:
        memcpy(&word, slot, sizeof word);
        mu_buf_text(out, s->words[word]);
        break;
    case SETTING_TEXT:
    case SETTING_NAME:
    case SETTING_SERVICE:
    case SETTING_PATH:
        show_text(out, *(const char *const *)slot);
        break;
    case SETTING_SECRET:
        show_secret(out, slot);
        break;
    case SETTING_LISTEN:
    case SETTING_TARGET:
        show_text(out, ((const struct config_address *)slot)->text);
        break;
    case SETTING_STALE:
        show_stale(out, slot);
        break;
    case SETTING_PATTERN:
        show_pattern(out, slot);
        break;
    case SETTING_BLOCK:
    case SETTING_TYPE_COUNT_:
        break;
    }
}

/* A directory stands for the chain and the key, which must not be told beside it. */
static bool is_implied(const struct block *block, const struct setting *s, const void *base)
{
    if (block->size != sizeof(struct config_certificate) || block->short_form == NULL ||
        strcmp(block->short_form, "directory") != 0) {
        return false;
    }
    const struct config_certificate *certificate = base;
    return certificate->directory != NULL &&
           (strcmp(s->name, "chain") == 0 || strcmp(s->name, "key") == 0);
}

static void show_block(struct mu_buf *out, const struct block *block, const void *base,
                       unsigned indent, bool begun);

static void show_list(struct mu_buf *out, const struct setting *s, const void *base,
                      unsigned indent)
{
    const char *items;
    size_t count;
    memcpy(&items, (const char *)base + s->offset, sizeof items);
    memcpy(&count, (const char *)base + s->count_offset, sizeof count);
    mu_buf_text(out, "\n");
    for (size_t i = 0; i < count; i++) {
        const char *item = items + i * setting_element_size(s);
        mu_buf_printf(out, "%*s- ", (int)indent + 2, "");
        if (s->type == SETTING_BLOCK) {
            show_block(out, s->block, item, indent + 4, true);
        } else {
            show_value(out, s, item);
            mu_buf_text(out, "\n");
        }
    }
}

static bool is_shown(const struct block *block, const struct setting *s, const void *base)
{
    /* The files that were included are part of what is shown. */
    if (is_implied(block, s, base) || (block == &schema_root && strcmp(s->name, "include") == 0)) {
        return false;
    }
    if (s->shape == SETTING_ONE) {
        return is_there(s, (const char *)base + s->offset);
    }
    size_t count;
    memcpy(&count, (const char *)base + s->count_offset, sizeof count);
    return count > 0;
}

/* `begun`: the line has its indentation already, behind "- ". */
static void show_block(struct mu_buf *out, const struct block *block, const void *base,
                       unsigned indent, bool begun)
{
    for (const struct setting *s = block->settings; s->name != NULL; s++) {
        if (!is_shown(block, s, base)) {
            continue;
        }
        mu_buf_printf(out, "%*s%s:", begun ? 0 : (int)indent, "", s->name);
        begun = false;
        const char *slot = (const char *)base + s->offset;
        if (s->shape != SETTING_ONE) {
            show_list(out, s, base, indent);
        } else if (s->type == SETTING_BLOCK) {
            size_t before = out->len;
            mu_buf_text(out, "\n");
            size_t empty = out->len;
            show_block(out, s->block, slot, indent + 2, false);
            if (out->len == empty) {
                out->len = before;
                mu_buf_text(out, " {}\n");
            }
        } else {
            mu_buf_text(out, " ");
            show_value(out, s, slot);
            mu_buf_text(out, "\n");
        }
    }
}

void config_show(const struct config *config, struct mu_buf *out)
{
    show_block(out, &schema_root, config, 0, false);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

/* Numbers and truths are themselves; everything else is the text that YAML would have. */
static void json_value(struct mu_json *json, const char *key, const struct setting *s,
                       const void *slot)
{
    if (s->type == SETTING_BOOL) {
        mu_json_bool(json, key, *(const bool *)slot);
        return;
    }
    if (s->type == SETTING_NUMBER && (s->words == NULL || *(const int64_t *)slot != 0)) {
        mu_json_int(json, key, *(const int64_t *)slot);
        return;
    }
    if (s->type == SETTING_PATTERN) {
        const struct config_pattern *pattern = slot;
        mu_json_open(json, key, '{');
        mu_json_string(json, name_type_words[pattern->type], pattern->text);
        mu_json_close(json, '}');
        return;
    }
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 64u << 10);
    if (s->type == SETTING_TEXT || s->type == SETTING_NAME || s->type == SETTING_SERVICE ||
        s->type == SETTING_PATH) {
        mu_buf_text(&text, *(const char *const *)slot);
    } else if (s->type == SETTING_LISTEN || s->type == SETTING_TARGET) {
        mu_buf_text(&text, ((const struct config_address *)slot)->text);
    } else if (s->type == SETTING_SECRET) {
        secret_text(&text, slot);
    } else {
        show_value(&text, s, slot);
    }
    mu_json_string(json, key, mu_buf_str(&text));
}

static void json_block(struct mu_json *json, const char *key, const struct block *block,
                       const void *base);

static void json_list(struct mu_json *json, const struct setting *s, const void *base)
{
    const char *items;
    size_t count;
    memcpy(&items, (const char *)base + s->offset, sizeof items);
    memcpy(&count, (const char *)base + s->count_offset, sizeof count);
    mu_json_open(json, s->name, '[');
    for (size_t i = 0; i < count; i++) {
        const char *item = items + i * setting_element_size(s);
        if (s->type == SETTING_BLOCK) {
            json_block(json, NULL, s->block, item);
        } else {
            json_value(json, NULL, s, item);
        }
    }
    mu_json_close(json, ']');
}

static void json_block(struct mu_json *json, const char *key, const struct block *block,
                       const void *base)
{
    mu_json_open(json, key, '{');
    for (const struct setting *s = block->settings; s->name != NULL; s++) {
        const char *slot = (const char *)base + s->offset;
        if (!is_shown(block, s, base)) {
            continue;
        }
        if (s->shape != SETTING_ONE) {
            json_list(json, s, base);
        } else if (s->type == SETTING_BLOCK) {
            json_block(json, s->name, s->block, slot);
        } else {
            json_value(json, s->name, s, slot);
        }
    }
    mu_json_close(json, '}');
}

void config_show_json(const struct config *config, struct mu_buf *out)
{
    struct mu_json json;
    mu_json_init(&json, out);
    json_block(&json, NULL, &schema_root, config);
    mu_buf_byte(out, '\n');
}
