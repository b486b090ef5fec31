/* SPDX-License-Identifier: Apache-2.0
 *
 * Option tables at work: defaults, parsing in the GNU manner, help.
 */
#include "cli/cli_internal.h"

#include <string.h>

static void *slot_of(const struct option_set *set, const struct cli_option *option)
{
    return (char *)set->target + option->offset;
}

static bool add_text(struct cli_texts *texts, const char *text, struct mutual_error *err)
{
    const char **grown = mu_realloc(texts->items, texts->count + 1, sizeof *grown);
    if (grown == NULL) {
        return mu_fail_memory(err);
    }
    texts->items = grown;
    texts->items[texts->count++] = text;
    return true;
}

static bool fail_value(const struct cli_option *option, const char *text, const char *want,
                       struct mutual_error *err)
{
    (void)mu_fail(err, MUTUAL_E_OPTION_VALUE, "\"%s\" is not a value of --%s", text, option->name);
    return mu_error_hint(err, "%s", want);
}

static bool set_word(const struct cli_option *option, const char *text, int *slot,
                     struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf list;
    mu_buf_init(&list, 160);
    for (int i = 0; option->words[i] != NULL; i++) {
        if (strcmp(option->words[i], text) == 0) {
            *slot = i;
            return true;
        }
        mu_buf_printf(&list, "%s%s", i == 0 ? "" : ", ", option->words[i]);
    }
    fail_value(option, text, "", err);
    return mu_error_hint(err, "One of: %s.", mu_buf_str(&list));
}

static bool set_number(const struct cli_option *option, const char *text, uint64_t *slot,
                       struct mutual_error *err)
{
    uint64_t max = option->max == 0 ? UINT64_MAX : option->max;
    if (mu_text_uint(text, max, slot)) {
        return true;
    }
    fail_value(option, text, "Give a whole number.", err);
    return option->max == 0 ? false
                            : mu_error_hint(err, "Give a whole number up to %llu.",
                                            (unsigned long long)option->max);
}

static bool set_value(const struct option_set *set, const struct cli_option *option,
                      const char *text, struct mutual_error *err)
{
    void *slot = slot_of(set, option);
    struct mutual_error inner = {0};
    switch (option->kind) {
    case CLI_FLAG:
        *(bool *)slot = true;
        return true;
    case CLI_TEXT:
    case CLI_PATH:
        *(const char **)slot = text;
        return true;
    case CLI_TEXTS:
    case CLI_PATHS:
        return add_text(slot, text, err);
    case CLI_NUMBER:
        return set_number(option, text, slot, err);
    case CLI_DURATION:
        return mu_duration_parse(text, slot, &inner) ? true
                                                     : fail_value(option, text, inner.hint, err);
    case CLI_TIME:
        return mu_time_parse(text, slot, &inner) ? true : fail_value(option, text, inner.hint, err);
    case CLI_WORD:
        return set_word(option, text, slot, err);
    }
    return false;
}

bool option_defaults(const struct option_set *set, struct mutual_error *err)
{
    for (const struct cli_option *o = set->table; o != NULL && o->name != NULL; o++) {
        if (o->dflt != NULL && !set_value(set, o, o->dflt, err)) {
            return false;
        }
    }
    return true;
}

/* What an argument names: an option and the set it belongs to. */
struct found {
    const struct option_set *set;
    const struct cli_option *option;
};

static struct found find_long(const struct option_parse *parse, struct mu_slice name)
{
    for (size_t s = 0; s < parse->set_count; s++) {
        const struct cli_option *o = parse->sets[s].table;
        for (; o != NULL && o->name != NULL; o++) {
            if (mu_slice_equal_text(name, o->name)) {
                return (struct found){&parse->sets[s], o};
            }
        }
    }
    return (struct found){NULL, NULL};
}

static struct found find_letter(const struct option_parse *parse, char letter)
{
    for (size_t s = 0; s < parse->set_count; s++) {
        const struct cli_option *o = parse->sets[s].table;
        for (; o != NULL && o->name != NULL; o++) {
            if (o->letter == letter) {
                return (struct found){&parse->sets[s], o};
            }
        }
    }
    return (struct found){NULL, NULL};
}

#define NAMES_MAX 96u

static bool fail_unknown(const struct option_parse *parse, struct mu_slice name,
                         struct mutual_error *err)
{
    const char *names[NAMES_MAX + 1] = {NULL};
    size_t count = 0;
    for (size_t s = 0; s < parse->set_count; s++) {
        const struct cli_option *o = parse->sets[s].table;
        for (; o != NULL && o->name != NULL && count < NAMES_MAX; o++) {
            names[count++] = o->name;
        }
    }
    MU_AUTO(free) char *text = mu_slice_dup(name);
    if (text == NULL) {
        return mu_fail_memory(err);
    }
    (void)mu_fail(err, MUTUAL_E_OPTION_UNKNOWN, "unknown option --%s", text);
    const char *near = mu_suggest(text, names);
    return near == NULL ? false : mu_error_hint(err, "Did you mean --%s?", near);
}

static bool take_value(struct option_parse *parse, const struct cli_option *option,
                       const char **ret_text, struct mutual_error *err)
{
    if (parse->at >= parse->argc) {
        (void)mu_fail(err, MUTUAL_E_OPTION_VALUE, "option --%s needs a value", option->name);
        return mu_error_hint(err, "Give it as --%s %s.", option->name,
                             option->value != NULL ? option->value : "VALUE");
    }
    *ret_text = parse->argv[parse->at++];
    return true;
}

static bool parse_long(struct option_parse *parse, const char *body, struct mutual_error *err)
{
    const char *equals = strchr(body, '=');
    size_t len = equals == NULL ? strlen(body) : (size_t)(equals - body);
    struct found found = find_long(parse, mu_slice_of(body, len));
    if (found.option == NULL) {
        return fail_unknown(parse, mu_slice_of(body, len), err);
    }
    const char *text = equals == NULL ? NULL : equals + 1;
    if (found.option->kind == CLI_FLAG) {
        if (text != NULL) {
            return fail_value(found.option, text, "The option stands alone, without a value.", err);
        }
    } else if (text == NULL && !take_value(parse, found.option, &text, err)) {
        return false;
    }
    return set_value(found.set, found.option, text, err);
}

/* "-qv", "-o FILE" and "-oFILE". */
static bool parse_letters(struct option_parse *parse, const char *letters, struct mutual_error *err)
{
    for (; *letters != '\0'; letters++) {
        struct found found = find_letter(parse, *letters);
        if (found.option == NULL) {
            return mu_fail(err, MUTUAL_E_OPTION_UNKNOWN, "unknown option -%c", *letters);
        }
        const char *text = NULL;
        if (found.option->kind != CLI_FLAG) {
            text = letters[1] != '\0' ? letters + 1 : NULL;
            if (text == NULL && !take_value(parse, found.option, &text, err)) {
                return false;
            }
            return set_value(found.set, found.option, text, err);
        }
        if (!set_value(found.set, found.option, NULL, err)) {
            return false;
        }
    }
    return true;
}

bool option_parse(struct option_parse *parse, struct mutual_error *err)
{
    bool options_over = false;
    while (parse->at < parse->argc) {
        const char *word = parse->argv[parse->at];
        bool is_option = !options_over && word[0] == '-' && word[1] != '\0';
        if (!is_option && parse->only_options) {
            return true;
        }
        parse->at++;
        if (!is_option) {
            parse->args[parse->arg_count++] = word;
        } else if (strcmp(word, "--") == 0) {
            options_over = true;
        } else if (word[1] == '-' ? !parse_long(parse, word + 2, err)
                                  : !parse_letters(parse, word + 1, err)) {
            return false;
        }
    }
    return true;
}

/* Is it given? The zero value of a kind that can be required says no. */
static bool is_empty(const struct option_set *set, const struct cli_option *option)
{
    const void *slot = slot_of(set, option);
    switch (option->kind) {
    case CLI_TEXT:
    case CLI_PATH:
        return *(const char *const *)slot == NULL;
    case CLI_TEXTS:
    case CLI_PATHS:
        return ((const struct cli_texts *)slot)->count == 0;
    case CLI_FLAG:
    case CLI_NUMBER:
    case CLI_DURATION:
    case CLI_TIME:
    case CLI_WORD:
        return false;
    }
    return false;
}

bool option_check(const struct option_set *set, struct mutual_error *err)
{
    for (const struct cli_option *o = set->table; o != NULL && o->name != NULL; o++) {
        if (o->required && is_empty(set, o)) {
            (void)mu_fail(err, MUTUAL_E_USAGE, "option --%s is missing", o->name);
            return mu_error_hint(err, "Give --%s %s: %s.", o->name, o->value, o->help);
        }
    }
    return true;
}

void option_done(const struct option_set *set)
{
    for (const struct cli_option *o = set->table; o != NULL && o->name != NULL; o++) {
        if (o->kind == CLI_TEXTS || o->kind == CLI_PATHS) {
            struct cli_texts *texts = slot_of(set, o);
            mu_free(texts->items);
            *texts = (struct cli_texts){NULL, 0};
        }
    }
}

#define HELP_COLUMN 30
#define HELP_WIDTH  80

/* Words of the right column, broken between two of them. */
static void put_wrapped(struct mu_buf *out, const char *text)
{
    size_t column = HELP_COLUMN;
    while (*text != '\0') {
        size_t word = strcspn(text, " ");
        if (column > HELP_COLUMN && column + 1 + word > HELP_WIDTH) {
            mu_buf_printf(out, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        } else if (column > HELP_COLUMN) {
            mu_buf_byte(out, ' ');
            column++;
        }
        mu_buf_append(out, text, word);
        column += word;
        text += word + strspn(text + word, " ");
    }
    mu_buf_byte(out, '\n');
}

static void help_line(const struct cli_option *o, struct mu_buf *out)
{
    size_t begin = out->len;
    mu_buf_text(out, "  ");
    if (o->letter != '\0') {
        mu_buf_printf(out, "-%c, ", o->letter);
    }
    mu_buf_printf(out, "--%s", o->name);
    if (o->kind == CLI_WORD) {
        for (int i = 0; o->words[i] != NULL; i++) {
            mu_buf_printf(out, "%s%s", i == 0 ? " " : "|", o->words[i]);
        }
    } else if (o->kind != CLI_FLAG) {
        mu_buf_printf(out, " %s", o->value);
    }
    size_t width = out->len - begin;
    if (width + 1 >= HELP_COLUMN) {
        mu_buf_printf(out, "\n%*s", HELP_COLUMN, "");
    } else {
        mu_buf_printf(out, "%*s", (int)(HELP_COLUMN - width), "");
    }
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 1024);
    mu_buf_text(&text, o->help);
    if (o->dflt != NULL) {
        mu_buf_printf(&text, " (default: %s)", o->dflt);
    }
    if (o->kind == CLI_TEXTS || o->kind == CLI_PATHS) {
        mu_buf_text(&text, "; may be repeated");
    }
    put_wrapped(out, mu_buf_str(&text));
}

void option_help(const struct cli_option *table, struct mu_buf *out)
{
    for (const struct cli_option *o = table; o != NULL && o->name != NULL; o++) {
        help_line(o, out);
    }
}
