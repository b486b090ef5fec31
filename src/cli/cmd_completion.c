/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual completion bash|zsh|fish: completion scripts, made from the same tables as the parser.
 * What is called SERVICE there is asked for when it is needed: mutual completion services.
 */
#include "cli/cli_internal.h"

#include <string.h>

#include "config/config.h"

static bool is_service(const char *value)
{
    return value != NULL && strcmp(value, "SERVICE") == 0;
}

/* ---- bash
 * ---------------------------------------------------------------------------------------- */

static void list_options(const struct cli_option *table, struct mu_buf *out)
{
    for (const struct cli_option *o = table; o != NULL && o->name != NULL; o++) {
        mu_buf_printf(out, " --%s", o->name);
    }
}

static void list_subs(const struct cli_verb *verb, struct mu_buf *out)
{
    for (const struct cli_verb *sub = verb->subs; sub != NULL && sub->name != NULL; sub++) {
        mu_buf_printf(out, " %s", sub->name);
    }
}

static void list_verbs(struct mu_buf *out)
{
    for (size_t i = 0; cli_verbs[i] != NULL; i++) {
        if (cli_verbs[i]->group != NULL) {
            mu_buf_printf(out, " %s", cli_verbs[i]->name);
        }
    }
}

static void bash_verb(const struct cli_verb *verb, struct mu_buf *out)
{
    for (const struct cli_verb *sub = verb->subs; sub != NULL && sub->name != NULL; sub++) {
        mu_buf_printf(out, "        \"%s %s\") words=\"", verb->name, sub->name);
        if (is_service(sub->arguments)) {
            mu_buf_text(out, "$(_mutual_services)");
        }
        list_options(sub->options, out);
        mu_buf_text(out, " $common\" ;;\n");
    }
    mu_buf_printf(out, "        \"%s \"*) words=\"", verb->name);
    list_subs(verb, out);
    list_options(verb->options, out);
    mu_buf_text(out, " $common\" ;;\n");
}

/* An option of the same name takes the same words, whichever verb has it. */
static void bash_values(const struct cli_option *table, struct mu_buf *out)
{
    for (const struct cli_option *o = table; o != NULL && o->name != NULL; o++) {
        if (is_service(o->value)) {
            mu_buf_printf(out, "    --%s) words=$(_mutual_services) ;;\n", o->name);
        }
        if (o->kind != CLI_WORD) {
            continue;
        }
        mu_buf_printf(out, "    --%s) words=\"", o->name);
        for (size_t i = 0; o->words[i] != NULL; i++) {
            mu_buf_printf(out, "%s%s", i == 0 ? "" : " ", o->words[i]);
        }
        mu_buf_text(out, "\" ;;\n");
    }
}

static void bash_words(struct mu_buf *out)
{
    mu_buf_text(out, "    words=\n    case ${COMP_WORDS[COMP_CWORD - 1]} in\n");
    for (size_t i = 0; cli_verbs[i] != NULL; i++) {
        bash_values(cli_verbs[i]->options, out);
        for (const struct cli_verb *sub = cli_verbs[i]->subs; sub != NULL && sub->name != NULL;
             sub++) {
            bash_values(sub->options, out);
        }
    }
    mu_buf_text(out, "    esac\n"
                     "    if [[ -n $words ]]; then\n"
                     "        compopt +o filenames 2>/dev/null\n"
                     "        COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                     "        return\n"
                     "    fi\n");
}

static void bash(struct mu_buf *out)
{
    mu_buf_text(out, "# bash completion of mutual; made by: mutual completion bash\n"
                     "_mutual_services() {\n"
                     "    local i config=()\n"
                     "    for ((i = 1; i + 1 < COMP_CWORD; i++)); do\n"
                     "        [[ ${COMP_WORDS[i]} == -c || ${COMP_WORDS[i]} == --config ]] &&\n"
                     "            config=(-c \"${COMP_WORDS[i + 1]}\")\n"
                     "    done\n"
                     "    mutual \"${config[@]}\" completion services 2>/dev/null\n"
                     "}\n"
                     "_mutual() {\n"
                     "    local cur=${COMP_WORDS[COMP_CWORD]} words common=\"");
    list_options(cli_global_options, out);
    mu_buf_text(out, "\"\n");
    bash_words(out);
    mu_buf_text(out, "    if ((COMP_CWORD == 1)); then\n        words=\"");
    list_verbs(out);
    mu_buf_text(out, " $common\"\n    else\n"
                     "        local sub=\n"
                     "        ((COMP_CWORD > 2)) && sub=${COMP_WORDS[2]}\n"
                     "        case \"${COMP_WORDS[1]} $sub\" in\n");
    for (size_t i = 0; cli_verbs[i] != NULL; i++) {
        bash_verb(cli_verbs[i], out);
    }
    mu_buf_text(out, "        esac\n    fi\n"
                     "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                     "    [[ $cur != -* && COMP_CWORD -gt 1 ]] && "
                     "COMPREPLY+=($(compgen -f -- \"$cur\"))\n"
                     "}\n"
                     "complete -o filenames -F _mutual mutual\n");
}

/* ---- zsh
 * ----------------------------------------------------------------------------------------- */

/* Inside single quotes; the colon and the brackets have a meaning to zsh. */
static void zsh_text(struct mu_buf *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\'') {
            mu_buf_text(out, "'\\''");
        } else if (*c == ':' || *c == '[' || *c == ']') {
            mu_buf_printf(out, "\\%c", *c);
        } else {
            mu_buf_byte(out, (uint8_t)*c);
        }
    }
}

static void zsh_options(const struct cli_option *table, struct mu_buf *out)
{
    for (const struct cli_option *o = table; o != NULL && o->name != NULL; o++) {
        mu_buf_printf(out, " \\\n                '--%s[", o->name);
        zsh_text(out, o->help);
        mu_buf_text(out, "]");
        if (o->kind == CLI_WORD) {
            mu_buf_text(out, ":value:(");
            for (size_t i = 0; o->words[i] != NULL; i++) {
                mu_buf_printf(out, "%s%s", i == 0 ? "" : " ", o->words[i]);
            }
            mu_buf_text(out, ")");
        } else if (o->kind == CLI_PATH || o->kind == CLI_PATHS) {
            mu_buf_text(out, ":file:_files");
        } else if (is_service(o->value)) {
            mu_buf_text(out, ":service:_mutual_services");
        } else if (o->kind != CLI_FLAG) {
            mu_buf_text(out, ":value:");
        }
        mu_buf_text(out, "'");
    }
}

static bool takes_services(const struct cli_verb *verb)
{
    bool takes = is_service(verb->arguments);
    for (const struct cli_verb *sub = verb->subs; sub != NULL && sub->name != NULL; sub++) {
        takes = takes || is_service(sub->arguments);
    }
    return takes;
}

static void zsh_verb(const struct cli_verb *verb, struct mu_buf *out)
{
    mu_buf_printf(out, "        %s)\n            _arguments", verb->name);
    if (verb->subs != NULL) {
        mu_buf_text(out, " '1:verb:(");
        list_subs(verb, out);
        mu_buf_text(out, ")'");
    }
    zsh_options(verb->options, out);
    for (const struct cli_verb *sub = verb->subs; sub != NULL && sub->name != NULL; sub++) {
        zsh_options(sub->options, out);
    }
    zsh_options(cli_global_options, out);
    mu_buf_printf(out, " \\\n                '*:%s' ;;\n",
                  takes_services(verb) ? "service:_mutual_services" : "file:_files");
}

static void zsh(struct mu_buf *out)
{
    mu_buf_text(out, "#compdef mutual\n# made by: mutual completion zsh\n"
                     "_mutual_services() {\n    local -a services\n"
                     "    services=(${(f)\"$(mutual completion services 2>/dev/null)\"})\n"
                     "    compadd -a services\n}\n"
                     "_mutual() {\n    local -a verbs=(\n");
    for (size_t i = 0; cli_verbs[i] != NULL; i++) {
        if (cli_verbs[i]->group != NULL) {
            mu_buf_printf(out, "        '%s:", cli_verbs[i]->name);
            zsh_text(out, cli_verbs[i]->help);
            mu_buf_text(out, "'\n");
        }
    }
    mu_buf_text(out, "    )\n    if ((CURRENT == 2)); then\n"
                     "        _describe 'verb' verbs\n        return\n    fi\n"
                     "    local verb=$words[2]\n"
                     "    shift words\n    ((CURRENT--))\n"
                     "    case $verb in\n");
    for (size_t i = 0; cli_verbs[i] != NULL; i++) {
        zsh_verb(cli_verbs[i], out);
    }
    mu_buf_text(out, "    esac\n}\n_mutual \"$@\"\n");
}

/* ---- fish
 * ---------------------------------------------------------------------------------------- */

static void fish_text(struct mu_buf *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\'' || *c == '\\') {
            mu_buf_byte(out, '\\');
        }
        mu_buf_byte(out, (uint8_t)*c);
    }
}

static const char fish_services[] = "(mutual completion services 2>/dev/null)";

static void fish_options(const char *condition, const char *name, const struct cli_option *table,
                         struct mu_buf *out)
{
    for (const struct cli_option *o = table; o != NULL && o->name != NULL; o++) {
        mu_buf_text(out, "complete -c mutual");
        if (name != NULL) {
            mu_buf_printf(out, " -n '%s %s'", condition, name);
        }
        mu_buf_printf(out, " -l %s", o->name);
        if (o->letter != '\0') {
            mu_buf_printf(out, " -s %c", o->letter);
        }
        if (o->kind == CLI_WORD) {
            mu_buf_text(out, " -x -a '");
            for (size_t i = 0; o->words[i] != NULL; i++) {
                mu_buf_printf(out, "%s%s", i == 0 ? "" : " ", o->words[i]);
            }
            mu_buf_text(out, "'");
        } else if (is_service(o->value)) {
            mu_buf_printf(out, " -x -a '%s'", fish_services);
        } else if (o->kind != CLI_FLAG) {
            mu_buf_text(out, o->kind == CLI_PATH || o->kind == CLI_PATHS ? " -r -F" : " -x");
        }
        mu_buf_text(out, " -d '");
        fish_text(out, o->help);
        mu_buf_text(out, "'\n");
    }
}

static void fish(struct mu_buf *out)
{
    static const char within[] = "__fish_seen_subcommand_from";
    mu_buf_text(out, "# fish completion of mutual; made by: mutual completion fish\n");
    for (size_t i = 0; cli_verbs[i] != NULL; i++) {
        const struct cli_verb *verb = cli_verbs[i];
        if (verb->group != NULL) {
            mu_buf_printf(out, "complete -c mutual -n __fish_use_subcommand -f -a %s -d '",
                          verb->name);
            fish_text(out, verb->help);
            mu_buf_text(out, "'\n");
        }
        for (const struct cli_verb *sub = verb->subs; sub != NULL && sub->name != NULL; sub++) {
            mu_buf_printf(out, "complete -c mutual -n '%s %s' -f -a %s -d '", within, verb->name,
                          sub->name);
            fish_text(out, sub->help);
            mu_buf_text(out, "'\n");
            fish_options(within, sub->name, sub->options, out);
            if (is_service(sub->arguments)) {
                mu_buf_printf(out, "complete -c mutual -n '%s %s' -f -a '%s'\n", within, sub->name,
                              fish_services);
            }
        }
        fish_options(within, verb->name, verb->options, out);
    }
    fish_options(NULL, NULL, cli_global_options, out);
}

/* ---- the verb
 * ------------------------------------------------------------------------------------ */

static int write_script(struct cli *cli, void (*make)(struct mu_buf *out))
{
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 1u << 20);
    make(&out);
    return cli_write(cli, &out, &err) ? CLI_YES : cli_fail(cli, &err);
}

static int run_bash(struct cli *cli, const void *options)
{
    (void)options;
    return write_script(cli, bash);
}

static int run_zsh(struct cli *cli, const void *options)
{
    (void)options;
    return write_script(cli, zsh);
}

static int run_fish(struct cli *cli, const void *options)
{
    (void)options;
    return write_script(cli, fish);
}

/* Every service of the configuration, a line each; hosts as LISTENER/HOST. What is wrong with it is
 * told by mutual check: here it is half written, and somebody types. */
static int run_services(struct cli *cli, const void *options)
{
    struct mutual_error err = {0};
    MU_AUTO(config_findings) struct config_findings findings;
    MU_AUTO(config_snapshot) struct config_snapshot *snapshot = NULL;
    MU_AUTO(config) struct config *config = NULL;
    MU_AUTO(buf) struct mu_buf out;
    (void)options;
    mu_buf_init(&out, 16u << 20);
    config_findings_init(&findings);
    (void)config_snapshot_load(cli->config_path, &findings, &snapshot);
    if (snapshot != NULL) {
        (void)config_build_partial(snapshot, NULL, &findings, &config);
    }
    for (size_t i = 0; config != NULL && i < config->served_count; i++) {
        if (config->served[i]->service != NULL) {
            mu_buf_printf(&out, "%s\n", config->served[i]->service);
        }
    }
    for (size_t i = 0; config != NULL && i < config->outbound_count; i++) {
        if (config->outbounds[i].name != NULL) {
            mu_buf_printf(&out, "%s\n", config->outbounds[i].name);
        }
    }
    if (!cli_write(cli, &out, &err)) {
        return cli_fail(cli, &err);
    }
    return config != NULL ? CLI_YES : CLI_NO;
}

static const struct cli_verb subs[] = {
    {.name = "bash",
     .help = "for bash: source it, or put it into bash-completion",
     .run = run_bash},
    {.name = "zsh",
     .help = "for zsh: put it as _mutual into a directory of $fpath",
     .run = run_zsh},
    {.name = "fish", .help = "for fish: put it into ~/.config/fish/completions", .run = run_fish},
    {.name = "services",
     .help = "the configuration's services, a line each, for these scripts",
     .run = run_services},
    {.name = NULL},
};

const struct cli_verb cli_verb_completion = {
    .name = "completion",
    .group = CLI_GROUP_MORE,
    .help = "print the completion script of a shell",
    .subs = subs,
};
