/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual config schema|show|man: what the configuration may say, and what it says.
 */
#include "cli/cli_internal.h"

#include "config/config.h"

#define TEXT_MAX (64u << 20)

static int write_made(struct cli *cli, void (*make)(struct mu_buf *out))
{
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, TEXT_MAX);
    make(&out);
    return cli_write(cli, &out, &err) ? CLI_YES : cli_fail(cli, &err);
}

static int run_schema(struct cli *cli, const void *options)
{
    (void)options;
    return write_made(cli, config_schema_json);
}

static int run_man(struct cli *cli, const void *options)
{
    (void)options;
    return write_made(cli, config_schema_mdoc);
}

struct show_options {
    bool defaults;
};

static int run_show(struct cli *cli, const void *options)
{
    const struct show_options *show = options;
    if (show->defaults) {
        return write_made(cli, config_schema_defaults);
    }
    struct mutual_error err = {0};
    MU_AUTO(config_findings) struct config_findings findings;
    config_findings_init(&findings);
    MU_AUTO(config_snapshot) struct config_snapshot *snapshot = NULL;
    MU_AUTO(config) struct config *config = NULL;
    (void)config_snapshot_load(cli->config_path, &findings, &snapshot);
    if (snapshot == NULL || !config_build(snapshot, NULL, &findings, &config)) {
        return cli_tell_findings(cli, &findings, cli->config_path);
    }
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, TEXT_MAX);
    (cli->json ? config_show_json : config_show)(config, &out);
    return cli_write(cli, &out, &err) ? CLI_YES : cli_fail(cli, &err);
}

static const struct cli_option show_table[] = {
    {.name = "defaults",
     .kind = CLI_FLAG,
     .offset = offsetof(struct show_options, defaults),
     .help = "every setting with its default instead, as a commented file"},
    {.name = NULL},
};

static const struct cli_verb subs[] = {
    {.name = "schema",
     .help = "print the JSON Schema, for editors and generators",
     .details = "An editor takes it from the first line of the file:\n"
                "  # yaml-language-server: $schema=/path/to/mutual.schema.json",
     .run = run_schema},
    {.name = "show",
     .help = "print the configuration in force, defaults and includes filled in",
     .options = show_table,
     .options_size = sizeof(struct show_options),
     .run = run_show},
    {.name = "man", .help = "print mutual.yaml(5), in mdoc", .run = run_man},
    {.name = NULL},
};

const struct cli_verb cli_verb_config = {
    .name = "config",
    .group = CLI_GROUP_MORE,
    .help = "print the configuration in force, its schema or its manual page",
    .subs = subs,
};
