/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual help [VERB [SUB-VERB]]: the overview and the page of a verb, from the tables.
 */
#include "cli/cli_internal.h"

#include <string.h>

static void help_group(const char *group, struct mu_buf *out)
{
    bool begun = false;
    for (size_t i = 0; cli_verbs[i] != NULL; i++) {
        const struct cli_verb *verb = cli_verbs[i];
        if (verb->group == NULL || strcmp(verb->group, group) != 0) {
            continue;
        }
        if (!begun) {
            mu_buf_printf(out, "\n%s\n", group);
            begun = true;
        }
        mu_buf_printf(out, "  %-12s%s\n", verb->name, verb->help);
    }
}

void help_overview(struct mu_buf *out)
{
    mu_buf_text(out,
                "mutual: mutual TLS made real. Both ends of every connection prove who they are,\n"
                "policy says what each may reach, and a refusal says why.\n\n"
                "usage: mutual VERB [OPTIONS] [ARGUMENTS]\n");
    static const char *const groups[] = {CLI_GROUP_START, CLI_GROUP_CERT, CLI_GROUP_SERVE,
                                         CLI_GROUP_KNOW, CLI_GROUP_MORE};
    for (size_t i = 0; i < MU_COUNT(groups); i++) {
        help_group(groups[i], out);
    }
    mu_buf_text(out, "\nOptions of every verb\n");
    option_help(cli_global_options, out);
    mu_buf_text(out, "\nOne verb: mutual help VERB. One error: mutual explain CODE.\n");
}

static void help_subs(const struct cli_verb *verb, struct mu_buf *out)
{
    mu_buf_text(out, "\nVerbs\n");
    for (const struct cli_verb *sub = verb->subs; sub->name != NULL; sub++) {
        mu_buf_printf(out, "  %-12s%s\n", sub->name, sub->help);
    }
}

void help_verb(const struct cli_verb *verb, const struct cli_verb *sub, struct mu_buf *out)
{
    const struct cli_verb *told = sub != NULL ? sub : verb;
    mu_buf_printf(out, "usage: mutual %s%s%s", verb->name, sub != NULL ? " " : "",
                  sub != NULL ? sub->name : "");
    if (told->subs != NULL && told->run == NULL) {
        mu_buf_text(out, " ");
        (void)verb_words(told, "|", out);
    }
    mu_buf_printf(out, "%s%s%s\n\n%s\n", told->options != NULL ? " [OPTIONS]" : "",
                  told->arguments != NULL ? " " : "",
                  told->arguments != NULL ? told->arguments : "", told->help);
    if (told->details != NULL) {
        mu_buf_printf(out, "\n%s\n", told->details);
    }
    if (told->subs != NULL) {
        help_subs(told, out);
    }
    if (told->options != NULL && told->options->name != NULL) {
        mu_buf_text(out, "\nOptions\n");
        option_help(told->options, out);
    }
}

struct help_options {
    bool man;
    bool verbs;
};

static const struct cli_option options[] = {
    {.name = "man",
     .kind = CLI_FLAG,
     .offset = offsetof(struct help_options, man),
     .help = "as a manual page, in mdoc; \"errors\" is a page too"},
    {.name = "verbs",
     .kind = CLI_FLAG,
     .offset = offsetof(struct help_options, verbs),
     .help = "only the names of the verbs, a line each"},
    {0},
};

static void help_names(struct mu_buf *out)
{
    for (size_t i = 0; cli_verbs[i] != NULL; i++) {
        if (cli_verbs[i]->group != NULL) {
            mu_buf_printf(out, "%s\n", cli_verbs[i]->name);
        }
    }
}

/* The verb and, in *ret_sub, the sub-verb that the arguments name. */
static const struct cli_verb *find_told(const struct cli *cli, const struct cli_verb **ret_sub,
                                        struct mutual_error *err)
{
    const struct cli_verb *verb = verb_find(cli->args[0]);
    if (verb == NULL) {
        verb_fail_unknown(NULL, cli->args[0], err);
        return NULL;
    }
    *ret_sub = NULL;
    if (cli->arg_count > 1) {
        *ret_sub = verb->subs != NULL ? verb_find_sub(verb, cli->args[1]) : NULL;
        if (*ret_sub == NULL) {
            (void)mu_fail(err, MUTUAL_E_VERB_UNKNOWN, "\"mutual %s\" has no verb \"%s\"",
                          verb->name, cli->args[1]);
            return NULL;
        }
    }
    return verb;
}

static int run_help(struct cli *cli, const void *given)
{
    const struct help_options *wanted = given;
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 64u << 10);
    if (cli->arg_count == 0) {
        (wanted->verbs ? help_names : wanted->man ? manual_overview : help_overview)(&out);
        return cli_write(cli, &out, &err) ? CLI_YES : cli_fail(cli, &err);
    }
    if (wanted->man && strcmp(cli->args[0], "errors") == 0) {
        manual_errors(&out);
        return cli_write(cli, &out, &err) ? CLI_YES : cli_fail(cli, &err);
    }
    const struct cli_verb *sub = NULL;
    const struct cli_verb *verb = find_told(cli, &sub, &err);
    if (verb == NULL) {
        return cli_fail(cli, &err);
    }
    if (wanted->man) {
        manual_verb(verb, &out);
    } else {
        help_verb(verb, sub, &out);
    }
    return cli_write(cli, &out, &err) ? CLI_YES : cli_fail(cli, &err);
}

const struct cli_verb cli_verb_help = {
    .name = "help",
    .group = CLI_GROUP_MORE,
    .arguments = "[VERB [VERB]]",
    .help = "show every verb, or all about one",
    .options = options,
    .options_size = sizeof(struct help_options),
    .max_args = 2,
    .run = run_help,
};
