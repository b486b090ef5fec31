/* SPDX-License-Identifier: Apache-2.0
 *
 * The frame itself: which verb, which options, what they run with, how it ends.
 */
#include "cli/cli_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_CONFIG "/etc/mutual/mutual.yaml"

#define G(field_) offsetof(struct global_options, field_)
const struct cli_option cli_global_options[] = {
    {.name = "config",
     .letter = 'c',
     .kind = CLI_PATH,
     .offset = G(config),
     .value = "FILE",
     .help = "the configuration; else $MUTUAL_CONFIG, else " DEFAULT_CONFIG
             ", for users ~/.config/mutual/mutual.yaml when there is one"},
    {.name = "quiet",
     .letter = 'q',
     .kind = CLI_FLAG,
     .offset = G(quiet),
     .help = "print no remarks"},
    {.name = "json", .kind = CLI_FLAG, .offset = G(json), .help = "print facts as JSON"},
    {.name = "no-color",
     .kind = CLI_FLAG,
     .offset = G(no_color),
     .help = "do not colour the output"},
    {.name = "help", .letter = 'h', .kind = CLI_FLAG, .offset = G(help), .help = "this help"},
    {.name = "version", .kind = CLI_FLAG, .offset = G(version), .help = "print the version"},
    {.name = NULL},
};
#undef G

/* Everything of one run that has to be freed. */
struct run {
    struct cli cli;
    struct global_options global;
    void *verb_values;
    void *sub_values;
    const char **args;
    struct mu_buf own_config;
};

static struct option_set verb_set(const struct cli_verb *verb, void *values)
{
    return (struct option_set){verb == NULL ? NULL : verb->options, values};
}

static void run_done(struct run *run)
{
    struct option_set sub = verb_set(run->cli.sub, run->sub_values);
    struct option_set verb = verb_set(run->cli.verb, run->verb_values);
    if (run->sub_values != NULL) {
        option_done(&sub);
    }
    if (run->verb_values != NULL) {
        option_done(&verb);
    }
    mu_free(run->sub_values);
    mu_free(run->verb_values);
    mu_free(run->args);
    mu_buf_done(&run->own_config);
}

/* Where a user keeps what root keeps in /etc. Without a home there is only that. */
static void find_own_config(struct run *run)
{
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    mu_buf_init(&run->own_config, 4096);
    if (geteuid() == 0) {
        mu_buf_text(&run->own_config, DEFAULT_CONFIG);
    } else if (config != NULL && config[0] == '/') {
        mu_buf_printf(&run->own_config, "%s/mutual/mutual.yaml", config);
    } else if (home != NULL && home[0] == '/') {
        mu_buf_printf(&run->own_config, "%s/.config/mutual/mutual.yaml", home);
    }
    bool usable = !run->own_config.failed && run->own_config.len > 0;
    run->cli.own_config = usable ? mu_buf_str(&run->own_config) : DEFAULT_CONFIG;
}

static const char *default_config(const struct cli *cli)
{
    bool own = access(cli->own_config, F_OK) == 0 || access(DEFAULT_CONFIG, F_OK) != 0;
    return own ? cli->own_config : DEFAULT_CONFIG;
}

static void take_globals(struct run *run, bool no_more)
{
    struct cli *cli = &run->cli;
    const char *named = getenv("MUTUAL_CONFIG");
    cli->config_given = run->global.config != NULL || (named != NULL && named[0] != '\0');
    cli->config_path = run->global.config != NULL ? run->global.config
                       : cli->config_given        ? named
                                                  : default_config(cli);
    cli->quiet = run->global.quiet;
    cli->json = run->global.json;
    if (no_more) {
        cli->colour_out = output_may_colour(cli->out, run->global.no_color || cli->json);
        cli->colour_err = output_may_colour(cli->err, run->global.no_color || cli->json);
    }
}

static bool alloc_values(const struct cli_verb *verb, void **ret_values, struct mutual_error *err)
{
    *ret_values = mu_alloc(1, verb->options_size > 0 ? verb->options_size : 1);
    if (*ret_values == NULL) {
        return mu_fail_memory(err);
    }
    struct option_set set = verb_set(verb, *ret_values);
    return option_defaults(&set, err);
}

static bool check_arguments(const struct cli *cli, const struct cli_verb *verb,
                            struct mutual_error *err)
{
    if (cli->arg_count >= verb->min_args && cli->arg_count <= verb->max_args) {
        return true;
    }
    if (cli->arg_count > verb->max_args) {
        return mu_fail(err, MUTUAL_E_USAGE, "\"%s\" is one argument too many",
                       cli->args[verb->max_args]);
    }
    return mu_fail(err, MUTUAL_E_USAGE, "an argument is missing: %s", verb->arguments);
}

/* argv from `at` on, behind the verb: the sub-verb, options, arguments. */
static bool parse_verb(struct run *run, int argc, const char *const *argv, int at,
                       struct mutual_error *err)
{
    struct cli *cli = &run->cli;
    if (cli->verb->subs != NULL && at < argc && argv[at][0] != '-') {
        cli->sub = verb_find_sub(cli->verb, argv[at]);
        if (cli->sub == NULL && cli->verb->run == NULL) {
            return verb_fail_unknown(cli->verb, argv[at], err);
        }
        at += cli->sub != NULL;
    }
    if (!alloc_values(cli->verb, &run->verb_values, err) ||
        (cli->sub != NULL && !alloc_values(cli->sub, &run->sub_values, err))) {
        return false;
    }
    struct option_set sets[OPTION_SETS_MAX] = {
        verb_set(cli->sub, run->sub_values),
        verb_set(cli->sub == NULL ? cli->verb : NULL, run->verb_values),
        {cli_global_options, &run->global},
    };
    run->args = mu_alloc((size_t)argc + 1, sizeof *run->args);
    if (run->args == NULL) {
        return mu_fail_memory(err);
    }
    struct option_parse parse = {.sets = sets,
                                 .set_count = OPTION_SETS_MAX,
                                 .argc = argc,
                                 .argv = argv,
                                 .at = at,
                                 .args = run->args};
    if (!option_parse(&parse, err)) {
        return false;
    }
    cli->args = run->args;
    cli->arg_count = parse.arg_count;
    return run->global.help || run->global.version ||
           (option_check(&sets[0], err) && option_check(&sets[1], err) &&
            check_arguments(cli, cli->sub != NULL ? cli->sub : cli->verb, err));
}

static int write_help(const struct cli *cli, bool version)
{
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 64u << 10);
    if (version) {
        version_short(&out);
    } else if (cli->verb != NULL) {
        help_verb(cli->verb, cli->sub, &out);
    } else {
        help_overview(&out);
    }
    struct mutual_error err = {0};
    return cli_write(cli, &out, &err) ? CLI_YES : cli_fail(cli, &err);
}

static int run_verb(struct run *run, struct mutual_error *err)
{
    struct cli *cli = &run->cli;
    const struct cli_verb *verb = cli->sub != NULL ? cli->sub : cli->verb;
    if (verb->run == NULL) {
        MU_AUTO(buf) struct mu_buf words;
        mu_buf_init(&words, 256);
        (void)mu_fail(err, MUTUAL_E_USAGE, "\"mutual %s\" needs a verb of its own: %s", verb->name,
                      verb_words(verb, "|", &words));
        return cli_fail(cli, err);
    }
    return verb->run(cli, cli->sub != NULL ? run->sub_values : run->verb_values);
}

static int run_all(struct run *run, int argc, const char *const *argv)
{
    struct mutual_error err = {0};
    struct cli *cli = &run->cli;
    struct option_set globals = {cli_global_options, &run->global};
    struct option_parse head = {.sets = &globals,
                                .set_count = 1,
                                .argc = argc,
                                .argv = argv,
                                .at = 1,
                                .only_options = true};
    bool parsed = option_parse(&head, &err);
    if (parsed && head.at < argc) {
        cli->verb = verb_find(argv[head.at]);
        parsed = cli->verb == NULL ? verb_fail_unknown(NULL, argv[head.at], &err)
                                   : parse_verb(run, argc, argv, head.at + 1, &err);
    }
    find_own_config(run);
    take_globals(run, true);
    if (!parsed) {
        return cli_fail(cli, &err);
    }
    if (run->global.help || run->global.version) {
        return write_help(cli, run->global.version);
    }
    if (cli->verb == NULL) {
        (void)mu_fail(&err, MUTUAL_E_USAGE, "no verb was given");
        mu_error_hint(&err, "Run: mutual help; or, to see it at work: mutual demo.");
        return cli_fail(cli, &err);
    }
    return run_verb(run, &err);
}

int cli_main(int argc, const char *const *argv, FILE *out, FILE *err_stream)
{
    const char *name = argc > 0 ? strrchr(argv[0], '/') : NULL;
    struct run run = {.cli = {.program = name != NULL ? name + 1
                                         : argc > 0   ? argv[0]
                                                      : "mutual",
                              .out = out,
                              .err = err_stream}};
    int status = run_all(&run, argc, argv);
    errno = 0;
    if (fflush(out) != 0 || ferror(out) != 0) {
        /* A reader that went away (EPIPE) has what it wanted. */
        if (errno != EPIPE) {
            struct mutual_error err = {0};
            (void)mu_fail_errno(&err,
                                errno == ENOSPC ? MUTUAL_E_DISK_FULL : MUTUAL_E_FILE_UNWRITABLE,
                                errno, "could not write to standard output");
            status = cli_fail(&run.cli, &err);
        }
    }
    run_done(&run);
    return status;
}
