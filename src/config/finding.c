/* SPDX-License-Identifier: Apache-2.0
 *
 * Findings: collected, ordered, shown with the line they are about.
 */
#include "config/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXCERPT_CHARS  160u /* shown of a longer line */
#define EXCERPT_BEFORE 60u  /* of these, at most so many before the place */
#define TEXT_MAX       512u

void config_findings_init(struct config_findings *findings)
{
    *findings = (struct config_findings){0};
}

void config_findings_done(struct config_findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        struct config_finding *finding = &findings->items[i];
        mu_free(finding->file);
        mu_free(finding->text);
        mu_free(finding->hint);
        mu_free(finding->excerpt);
    }
    mu_free(findings->items);
    config_findings_init(findings);
}

void mu_config_findings_auto(struct config_findings *findings)
{
    config_findings_done(findings);
}

static bool find_line(struct mu_slice bytes, unsigned line, struct mu_slice *ret_line)
{
    const uint8_t *at = bytes.data;
    const uint8_t *end = bytes.data + bytes.len;
    for (; line > 1 && at < end; line--) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
        if (newline == NULL) {
            return false;
        }
        at = newline + 1;
    }
    if (at >= end) {
        return false;
    }
    const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
    *ret_line = mu_slice_of(at, (size_t)((newline == NULL ? end : newline) - at));
    return true;
}

/* Length of the well-formed UTF-8 character at the front that may be shown, or 0. Control
 * characters are not, nor what turns the direction of writing (U+202A to U+202E, U+2066 to
 * U+2069): a line must read as it is. */
static size_t shown_length(struct mu_slice s)
{
    uint8_t c = s.data[0];
    if (c < 0x80) {
        return c >= 0x20 && c != 0x7f ? 1 : 0;
    }
    size_t len = c >= 0xc2 && c <= 0xdf   ? 2
                 : c >= 0xe0 && c <= 0xef ? 3
                 : c >= 0xf0 && c <= 0xf4 ? 4
                                          : 0;
    if (len == 0 || len > s.len) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((s.data[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool c1 = c == 0xc2 && s.data[1] < 0xa0;
    bool turns = c == 0xe2 && ((s.data[1] == 0x80 && s.data[2] >= 0xaa && s.data[2] <= 0xae) ||
                               (s.data[1] == 0x81 && s.data[2] >= 0xa6 && s.data[2] <= 0xa9));
    return c1 || turns ? 0 : len;
}

/* Writes the line with one column per character, whatever it holds. */
static char *make_excerpt(struct mu_slice line, unsigned col, unsigned *ret_caret)
{
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 4 * EXCERPT_CHARS + 16);
    unsigned skip = col > EXCERPT_BEFORE + 1 && line.len > EXCERPT_CHARS ? col - EXCERPT_BEFORE : 0;
    if (skip > 0) {
        mu_buf_text(&out, "...");
    }
    unsigned chars = 0;
    for (size_t i = 0; i < line.len && chars < skip + EXCERPT_CHARS; chars++) {
        struct mu_slice rest = {line.data + i, line.len - i};
        size_t len = shown_length(rest);
        if (chars >= skip && len > 0) {
            mu_buf_append(&out, rest.data, len);
        } else if (chars >= skip && !(rest.data[0] == '\r' && rest.len == 1)) {
            mu_buf_byte(&out, rest.data[0] == '\t' ? ' ' : '?');
        }
        i += len > 0 ? len : 1;
    }
    *ret_caret = col == 0 ? 0 : col - 1 - skip + (skip > 0 ? 3 : 0);
    return mu_strdup(mu_buf_str(&out));
}

/* Takes over `text`. */
static void add(struct config_findings *findings, const struct config_snapshot *snapshot,
                struct config_finding finding, const struct config_place *place, const char *hint)
{
    findings->errors += finding.severity == CONFIG_ERROR;
    findings->warnings += finding.severity == CONFIG_WARNING;
    void *items = findings->items;
    bool grown = mu_grow(&items, &findings->cap, findings->count, sizeof(struct config_finding),
                         CONFIG_FINDINGS_MAX);
    findings->items = items;
    if (!grown || finding.text == NULL) {
        mu_free(finding.text);
        return;
    }
    if (place != NULL && place->file != NULL) {
        finding.file = mu_strdup(place->file);
        finding.line = place->line;
        finding.col = place->col;
        finding.len = place->len;
        struct mu_slice bytes;
        struct mu_slice line;
        if (snapshot != NULL && place->line > 0 &&
            config_snapshot_find(snapshot, place->file, &bytes) &&
            find_line(bytes, place->line, &line)) {
            finding.excerpt = make_excerpt(line, place->col, &finding.caret);
        }
    }
    finding.hint = hint == NULL || hint[0] == '\0' ? NULL : mu_strdup(hint);
    findings->items[findings->count++] = finding;
}

/* A text quotes what people wrote; it must stay one line that cannot move a cursor. */
static void make_one_line(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            *text = '?';
        }
    }
}

void config_finding_add(struct config_findings *findings, const struct config_snapshot *snapshot,
                        enum config_severity severity, enum mutual_code code,
                        const struct config_place *place, const char *hint, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    make_one_line(text);
    struct config_finding finding = {.severity = severity, .code = code, .text = mu_strdup(text)};
    add(findings, snapshot, finding, place, hint);
}

void config_finding_add_error(struct config_findings *findings,
                              const struct config_snapshot *snapshot, enum config_severity severity,
                              const struct config_place *place, const struct mutual_error *error)
{
    config_finding_add(findings, snapshot, severity, error->code, place, error->hint, "%s%s%s%s",
                       error->reason, error->context[0] != '\0' ? " (" : "", error->context,
                       error->context[0] != '\0' ? ")" : "");
}

static int compare(const void *a, const void *b)
{
    const struct config_finding *first = a;
    const struct config_finding *second = b;
    bool named = first->file != NULL && second->file != NULL;
    int order =
        named ? strcmp(first->file, second->file) : (second->file != NULL) - (first->file != NULL);
    if (order == 0) {
        order = (first->line > second->line) - (first->line < second->line);
    }
    if (order == 0) {
        order = (first->col > second->col) - (first->col < second->col);
    }
    return order;
}

/* By insertion: few, nearly sorted, and what is equal must keep its order. */
void config_findings_sort(struct config_findings *findings)
{
    for (size_t i = 1; i < findings->count; i++) {
        struct config_finding moved = findings->items[i];
        size_t at = i;
        for (; at > 0 && compare(&findings->items[at - 1], &moved) > 0; at--) {
            findings->items[at] = findings->items[at - 1];
        }
        findings->items[at] = moved;
    }
}

/* ---- showing -----------------------------------------------------------------------------------
 */

#define HINT_COLUMN_MAX 100u /* a hint that would go beyond begins a line of its own */

static void show_excerpt(const struct config_finding *f, const char *ink, const char *plain,
                         struct mu_buf *out)
{
    mu_buf_printf(out, "%5u | %s\n", f->line, f->excerpt);
    if (f->col == 0) {
        if (f->hint != NULL) {
            mu_buf_printf(out, "      = %s\n", f->hint);
        }
        return;
    }
    mu_buf_printf(out, "      | %*s%s^", (int)f->caret, "", ink);
    unsigned room = EXCERPT_CHARS > f->caret ? EXCERPT_CHARS - f->caret : 1;
    unsigned len = f->len < room ? f->len : room;
    for (unsigned i = 1; i < len; i++) {
        mu_buf_byte(out, '~');
    }
    mu_buf_text(out, plain);
    if (f->hint != NULL) {
        bool fits = 9 + f->caret + len + strlen(f->hint) <= HINT_COLUMN_MAX;
        mu_buf_printf(out, "%s%s", fits ? " " : "\n      = ", f->hint);
    }
    mu_buf_text(out, "\n");
}

/* The general codes say nothing that the text does not. */
static bool is_general(enum mutual_code code)
{
    return code == MUTUAL_E_CONFIG_INVALID || code == MUTUAL_E_CONFIG_SYNTAX;
}

static void show(const struct config_finding *f, bool colour, struct mu_buf *out)
{
    const char *ink = !colour ? "" : f->severity == CONFIG_ERROR ? "\033[31m" : "\033[33m";
    const char *plain = colour ? "\033[0m" : "";
    if (f->file != NULL) {
        mu_buf_printf(out, "%s:", f->file);
    }
    if (f->line > 0) {
        mu_buf_printf(out, "%u:", f->line);
    }
    if (f->col > 0) {
        mu_buf_printf(out, "%u:", f->col);
    }
    mu_buf_printf(out, "%s%s%s:%s %s", f->file != NULL ? " " : "", ink,
                  f->severity == CONFIG_ERROR ? "error" : "warning", plain, f->text);
    if (!is_general(f->code)) {
        mu_buf_printf(out, " [%s]", mutual_code_name(f->code));
    }
    mu_buf_text(out, "\n");
    if (f->excerpt != NULL) {
        show_excerpt(f, ink, plain, out);
    } else if (f->hint != NULL) {
        mu_buf_printf(out, "      = %s\n", f->hint);
    }
}

static void show_count(struct mu_buf *out, size_t count, const char *what)
{
    mu_buf_printf(out, "%zu %s%s", count, what, count == 1 ? "" : "s");
}

void config_findings_text(const struct config_findings *findings, const char *main_name,
                          bool colour, struct mu_buf *out)
{
    for (size_t i = 0; i < findings->count; i++) {
        show(&findings->items[i], colour, out);
    }
    size_t all = findings->errors + findings->warnings;
    if (all > findings->count) {
        mu_buf_printf(out, "(%zu more are not shown)\n", all - findings->count);
    }
    if (all == 0) {
        return;
    }
    mu_buf_printf(out, "%s: ", main_name);
    if (findings->errors > 0) {
        show_count(out, findings->errors, "error");
    }
    if (findings->warnings > 0) {
        mu_buf_text(out, findings->errors > 0 ? ", " : "");
        show_count(out, findings->warnings, "warning");
    }
    mu_buf_byte(out, '\n');
}

void config_findings_json(const struct config_findings *findings, const char *key,
                          struct mu_json *json)
{
    mu_json_open(json, key, '[');
    for (size_t i = 0; i < findings->count; i++) {
        const struct config_finding *f = &findings->items[i];
        mu_json_open(json, NULL, '{');
        mu_json_string(json, "severity", f->severity == CONFIG_ERROR ? "error" : "warning");
        mu_json_string(json, "code", mutual_code_name(f->code));
        mu_json_string(json, "file", f->file);
        mu_json_int(json, "line", f->line);
        mu_json_int(json, "column", f->col);
        mu_json_string(json, "text", f->text);
        mu_json_string(json, "hint", f->hint);
        mu_json_close(json, '}');
    }
    mu_json_close(json, ']');
}

bool config_findings_fail(const struct config_findings *findings, struct mutual_error *err)
{
    const struct config_finding *first = NULL;
    for (size_t i = 0; i < findings->count && first == NULL; i++) {
        if (findings->items[i].severity == CONFIG_ERROR) {
            first = &findings->items[i];
        }
    }
    if (first == NULL) {
        return mu_fail_memory(err); /* it was counted and could not be kept */
    }
    enum mutual_code code = findings->errors == 1 ? first->code : MUTUAL_E_CONFIG_INVALID;
    (void)mu_fail(err, code, "%s", first->text);
    if (findings->errors > 1) {
        (void)mu_error_context(err, "the first of %zu errors", findings->errors);
    }
    if (first->file != NULL && first->line > 0) {
        (void)mu_error_context(err, "\"%s\" line %u", first->file, first->line);
    } else if (first->file != NULL) {
        (void)mu_error_context(err, "\"%s\"", first->file);
    }
    return first->hint != NULL ? mu_error_hint(err, "%s", first->hint) : false;
}
