/* SPDX-License-Identifier: Apache-2.0
 *
 * The error object's texts, made from error.def, and the functions that fill it.
 */
#include "base/base.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct code_row {
    const char *name;
    enum mutual_class klass;
    enum mutual_step step;
    int alert;
    int status;
    const char *text;
    const char *hint;
};

static const struct code_row code_rows[MUTUAL_E_COUNT_] = {
    [MUTUAL_OK] = {"OK", MUTUAL_CLASS_BUG, MUTUAL_STEP_NONE, -1, 0, "nothing is wrong", ""},
#define X(name, klass, step, alert, status, text, hint) \
    [MUTUAL_E_##                                        \
        name] = {#name, MUTUAL_CLASS_##klass, MUTUAL_STEP_##step, alert, status, text, hint},
#include <mutual/error.def>
#undef X
};

static const char *const class_names[MUTUAL_CLASS_COUNT_] = {
    [MUTUAL_CLASS_USAGE] = "usage", [MUTUAL_CLASS_CONFIG] = "configuration",
    [MUTUAL_CLASS_PEER] = "peer",   [MUTUAL_CLASS_SYSTEM] = "system",
    [MUTUAL_CLASS_BUG] = "bug",
};

static const struct {
    const char *name;
    const char *text;
} step_rows[MUTUAL_STEP_COUNT_] = {
    [MUTUAL_STEP_NONE] = {"none", "outside a connection"},
    [MUTUAL_STEP_CONNECT] = {"connect", "the client connects"},
    [MUTUAL_STEP_SERVER_CERT] = {"server_cert", "the server presents its certificate"},
    [MUTUAL_STEP_SERVER_CHECK] = {"server_check", "the client validates the server's certificate"},
    [MUTUAL_STEP_CLIENT_CERT] = {"client_cert", "the client presents its certificate"},
    [MUTUAL_STEP_CLIENT_CHECK] = {"client_check", "the server validates the client's certificate"},
    [MUTUAL_STEP_ACCESS] = {"access", "access is granted by policy"},
    [MUTUAL_STEP_DATA] = {"data", "data flows, encrypted"},
};

static const struct code_row *row_of(enum mutual_code code)
{
    bool known = (unsigned)code < (unsigned)MUTUAL_E_COUNT_;
    mu_assert(known);
    return &code_rows[code];
}

const char *mutual_code_name(enum mutual_code code)
{
    return row_of(code)->name;
}

enum mutual_code mutual_code_find(const char *name)
{
    for (unsigned i = 1; i < (unsigned)MUTUAL_E_COUNT_; i++) {
        if (strcmp(code_rows[i].name, name) == 0) {
            return (enum mutual_code)i;
        }
    }
    return MUTUAL_OK;
}

const char *mutual_code_text(enum mutual_code code)
{
    return row_of(code)->text;
}

const char *mutual_code_hint(enum mutual_code code)
{
    return row_of(code)->hint;
}

enum mutual_class mutual_code_class(enum mutual_code code)
{
    return row_of(code)->klass;
}

enum mutual_step mutual_code_step(enum mutual_code code)
{
    return row_of(code)->step;
}

int mutual_code_alert(enum mutual_code code)
{
    return row_of(code)->alert;
}

int mutual_code_exit(enum mutual_code code)
{
    return row_of(code)->status;
}

const char *mutual_class_name(enum mutual_class klass)
{
    mu_assert((unsigned)klass < (unsigned)MUTUAL_CLASS_COUNT_);
    return class_names[klass];
}

const char *mutual_step_text(enum mutual_step step)
{
    mu_assert((unsigned)step < (unsigned)MUTUAL_STEP_COUNT_);
    return step_rows[step].text;
}

const char *mutual_step_name(enum mutual_step step)
{
    mu_assert((unsigned)step < (unsigned)MUTUAL_STEP_COUNT_);
    return step_rows[step].name;
}

size_t mutual_error_format(const struct mutual_error *err, char *text, size_t size)
{
    int n = snprintf(text, size, "error[%s]: %s%s%s%s%s", mutual_code_name(err->code), err->reason,
                     err->context[0] != '\0' ? "\n  where: " : "", err->context,
                     err->hint[0] != '\0' ? "\n  hint: " : "", err->hint);
    return n < 0 ? 0 : (size_t)n;
}

/* Replaces what could move a cursor or break a line: reasons are one line of text by contract, and
 * they often quote bytes that a stranger chose. */
static void make_one_line(char *text)
{
    for (char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = '?';
        }
    }
}

void mu_error_fill(struct mutual_error *err, enum mutual_code code, int sys, const char *file,
                   int line, const char *format, ...)
{
    if (err == NULL) {
        return;
    }
    const struct code_row *row = row_of(code);
    *err = (struct mutual_error){
        .code = code, .step = row->step, .sys = sys, .file = file, .line = line};
    va_list args;
    va_start(args, format);
    int n = vsnprintf(err->reason, sizeof err->reason, format, args);
    va_end(args);
    if (sys != 0 && n >= 0 && (size_t)n < sizeof err->reason) {
        char words[96];
        const char *said = strerror_r(sys, words, sizeof words);
        snprintf(err->reason + n, sizeof err->reason - (size_t)n, ": %s", said);
    }
    make_one_line(err->reason);
    snprintf(err->hint, sizeof err->hint, "%s", row->hint);
}

bool mu_error_context(struct mutual_error *err, const char *format, ...)
{
    if (err == NULL) {
        return false;
    }
    size_t used = strlen(err->context);
    if (used + 3 >= sizeof err->context) {
        return false;
    }
    if (used > 0) {
        memcpy(err->context + used, ", ", 3);
        used += 2;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(err->context + used, sizeof err->context - used, format, args);
    va_end(args);
    make_one_line(err->context);
    return false;
}

bool mu_error_hint(struct mutual_error *err, const char *format, ...)
{
    if (err == NULL) {
        return false;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(err->hint, sizeof err->hint, format, args);
    va_end(args);
    make_one_line(err->hint);
    return false;
}

void mu_assert_failed(const char *what, const char *file, int line)
{
    /* The one place where the library writes: the process is about to end for our own mistake. */
    fprintf(stderr, "mutual: broken assumption: %s (%s:%d)\n", what, file, line);
    abort();
}
