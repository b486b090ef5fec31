/* SPDX-License-Identifier: Apache-2.0
 *
 * The manual page of a verb in mdoc, from the same tables as its help: mutual help --man VERB.
 * tools/make_man adds what is written by hand (man/parts) and keeps the pages in the tree.
 */
#include "cli/cli_internal.h"

#include <mutual/session.h>

#include <ctype.h>
#include <string.h>

/* Text in mdoc: a backslash is an escape, and a control character at the start of a line a macro.
 */
static void put_text(struct mu_buf *out, const char *text)
{
    bool line_start = true;
    for (; *text != '\0'; text++) {
        if (line_start && (*text == '.' || *text == '\'')) {
            mu_buf_text(out, "\\&");
        }
        bool next_sentence = text[0] == '.' && text[1] == ' ' && isupper((unsigned char)text[2]);
        line_start = *text == '\n' || next_sentence;
        if (next_sentence) {
            mu_buf_text(out, ".\n");
            text++;
        } else if (*text == '\\') {
            mu_buf_text(out, "\\e");
        } else {
            mu_buf_byte(out, (uint8_t)*text);
        }
    }
}

/* A sentence from a help line: upper case, full stop, on a line of its own. */
static void put_sentence(struct mu_buf *out, const char *text)
{
    char first[2] = {(char)toupper((unsigned char)text[0]), '\0'};
    put_text(out, first);
    put_text(out, text + 1);
    size_t len = strlen(text);
    mu_buf_text(out, len > 0 && text[len - 1] == '.' ? "\n" : ".\n");
}

/* An option's own name as mdoc's Fl takes it: "-out" for --out. */
static void put_flag(struct mu_buf *out, const struct cli_option *option)
{
    if (option->letter != '\0') {
        mu_buf_printf(out, "Fl %c , ", option->letter);
    }
    mu_buf_text(out, "Fl ");
    for (const char *c = option->name; *c != '\0'; c++) {
        if (c == option->name || *c == '-') {
            mu_buf_text(out, "\\-");
        }
        if (*c != '-') {
            mu_buf_byte(out, (uint8_t)*c);
        }
    }
    if (option->value != NULL) {
        mu_buf_printf(out, " Ar %s", option->value);
    }
    mu_buf_byte(out, '\n');
}

static void put_option(struct mu_buf *out, const struct cli_option *option)
{
    mu_buf_text(out, ".It ");
    put_flag(out, option);
    put_sentence(out, option->help);
    if (option->words != NULL) {
        mu_buf_text(out, "One of");
        for (size_t i = 0; option->words[i] != NULL; i++) {
            bool last = option->words[i + 1] == NULL;
            mu_buf_printf(out, "\n.Cm %s%s", option->words[i], last ? " ." : " ,");
        }
        mu_buf_byte(out, '\n');
    }
    if (option->dflt != NULL) {
        mu_buf_printf(out, "The default is\n.Ql %s .\n", option->dflt);
    }
    if (option->required) {
        mu_buf_text(out, "Required.\n");
    }
}

static void put_options(struct mu_buf *out, const struct cli_option *options)
{
    if (options == NULL || options->name == NULL) {
        return;
    }
    mu_buf_text(out, ".Bl -tag -width Ds\n");
    for (; options->name != NULL; options++) {
        put_option(out, options);
    }
    mu_buf_text(out, ".El\n");
}

static void put_arguments(struct mu_buf *out, const struct cli_verb *verb)
{
    if (verb->options != NULL && verb->options->name != NULL) {
        mu_buf_text(out, ".Op Ar options\n");
    }
    if (verb->arguments != NULL) {
        mu_buf_printf(out, ".Ar %s\n", verb->arguments);
    }
}

static void put_synopsis(struct mu_buf *out, const struct cli_verb *verb)
{
    mu_buf_text(out, ".Sh SYNOPSIS\n");
    if (verb->run != NULL) {
        mu_buf_printf(out, ".Nm mutual %s\n", verb->name);
        put_arguments(out, verb);
    }
    for (const struct cli_verb *sub = verb->subs; sub != NULL && sub->name != NULL; sub++) {
        mu_buf_printf(out, ".Nm mutual %s %s\n", verb->name, sub->name);
        put_arguments(out, sub);
    }
}

static void put_details(struct mu_buf *out, const struct cli_verb *verb)
{
    put_sentence(out, verb->help);
    if (verb->details != NULL) {
        mu_buf_text(out, ".Pp\n.Bd -ragged -compact\n");
        put_text(out, verb->details);
        mu_buf_text(out, "\n.Ed\n");
    }
}

static void put_head(struct mu_buf *out, const char *title, const char *name, const char *text)
{
    mu_buf_text(out, ".\\\" SPDX-License-Identifier: Apache-2.0\n"
                     ".\\\" Made by tools/make_man from the tables of verbs and from man/parts.\n"
                     ".Dd November 20, 2026\n");
    mu_buf_printf(out, ".Dt %s 1\n.Os\n.Sh NAME\n.Nm %s\n.Nd %s\n", title, name, text);
}

/* make_man puts the hand-written sections in place of this line. */
static const char parts_mark[] = ".\\\" PARTS\n";

void manual_verb(const struct cli_verb *verb, struct mu_buf *out)
{
    char title[64] = "MUTUAL-";
    char name[64] = "mutual-";
    for (size_t i = 0; i < sizeof title - 8 && verb->name[i] != '\0'; i++) {
        title[7 + i] = (char)toupper((unsigned char)verb->name[i]);
        name[7 + i] = verb->name[i];
    }
    put_head(out, title, name, verb->help);
    put_synopsis(out, verb);
    mu_buf_text(out, ".Sh DESCRIPTION\n");
    put_details(out, verb);
    put_options(out, verb->options);
    for (const struct cli_verb *sub = verb->subs; sub != NULL && sub->name != NULL; sub++) {
        mu_buf_printf(out, ".Ss mutual %s %s\n", verb->name, sub->name);
        put_details(out, sub);
        put_options(out, sub->options);
    }
    mu_buf_text(out, ".Pp\nThe options of every verb are told in\n.Xr mutual 1 .\n");
    mu_buf_text(out, parts_mark);
    mu_buf_text(out, ".Sh EXIT STATUS\n"
                     "0 for yes and done, 1 when the answer is no, 2 for a wrong command line,\n"
                     "otherwise a status of\n.Xr sysexits 3 ;\n"
                     ".Xr mutual-errors 7\ntells it for each error.\n"
                     ".Sh SEE ALSO\n.Xr mutual 1 ,\n.Xr mutual.yaml 5 ,\n.Xr mutual-errors 7\n");
}

void manual_overview(struct mu_buf *out)
{
    put_head(out, "MUTUAL", "mutual", "mutual TLS: gateway, private authority, explanation");
    mu_buf_text(out, ".Sh SYNOPSIS\n.Nm mutual\n.Ar verb\n.Op Ar options\n.Op Ar arguments\n"
                     ".Sh DESCRIPTION\n"
                     "Both ends of every connection prove who they are with X.509 certificates,\n"
                     "policy says what each may reach, and a refusal says why.\n"
                     ".Bl -tag -width completion\n");
    for (size_t i = 0; cli_verbs[i] != NULL; i++) {
        if (cli_verbs[i]->group != NULL) {
            mu_buf_printf(out, ".It Xr mutual-%s 1\n", cli_verbs[i]->name);
            put_sentence(out, cli_verbs[i]->help);
        }
    }
    mu_buf_text(out, ".El\n.Pp\nOptions of every verb:\n");
    put_options(out, cli_global_options);
    mu_buf_text(out, parts_mark);
    mu_buf_text(out, ".Sh EXIT STATUS\n"
                     "0 for yes and done, 1 when the answer is no (refused, expired, not found),\n"
                     "2 for a wrong command line, otherwise a status of\n.Xr sysexits 3 .\n"
                     ".Sh SEE ALSO\n.Xr mutual 3 ,\n.Xr mutual.yaml 5 ,\n.Xr mutual-errors 7\n");
}

static void put_code(struct mu_buf *out, enum mutual_code code)
{
    mu_buf_printf(out, ".It Er %s\n", mutual_code_name(code));
    put_sentence(out, mutual_code_text(code));
    put_text(out, mutual_code_hint(code));
    mu_buf_printf(out, "\nExit status %d", mutual_code_exit(code));
    if (mutual_code_alert(code) >= 0) {
        mu_buf_printf(out, "; the peer sees alert %d,\n.Ql %s", mutual_code_alert(code),
                      mutual_alert_name(mutual_code_alert(code)));
    }
    mu_buf_text(out, ".\n");
}

void manual_errors(struct mu_buf *out)
{
    mu_buf_text(out, ".\\\" SPDX-License-Identifier: Apache-2.0\n"
                     ".\\\" Made by tools/make_man from include/mutual/error.def.\n"
                     ".Dd November 20, 2026\n.Dt MUTUAL-ERRORS 7\n.Os\n.Sh NAME\n"
                     ".Nm mutual-errors\n.Nd what can go wrong, and what to do\n"
                     ".Sh DESCRIPTION\n"
                     "Every failure has a code, a reason that names the thing concerned, and a\n"
                     "remedy.\n.Ic mutual explain CODE\nshows one of them.\n"
                     "Names are stable, numbers are not.\n");
    for (unsigned klass = 0; klass < (unsigned)MUTUAL_CLASS_COUNT_; klass++) {
        mu_buf_printf(out, ".Ss Class %s\n.Bl -tag -width Ds\n",
                      mutual_class_name((enum mutual_class)klass));
        for (unsigned code = 1; code < (unsigned)MUTUAL_E_COUNT_; code++) {
            if ((unsigned)mutual_code_class((enum mutual_code)code) == klass) {
                put_code(out, (enum mutual_code)code);
            }
        }
        mu_buf_text(out, ".El\n");
    }
    mu_buf_text(out, ".Sh SEE ALSO\n.Xr mutual-explain 1 ,\n.Xr mutual_error 3\n");
}
