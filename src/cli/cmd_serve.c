/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual serve: the gateway, from its configuration, in the foreground.
 */
#include "cli/cli_internal.h"

#include "authority/authority.h"
#include "gateway/gateway.h"

struct serve_options {
    const char *state;
    const char *control;
    int64_t reload_every_ns;
    int64_t drain_ns;
};

static bool load_file(void *owner, struct config_findings *findings,
                      struct config_snapshot **ret_snapshot)
{
    const struct cli *cli = owner;
    return config_snapshot_load(cli->config_path, findings, ret_snapshot);
}

static int run_serve(struct cli *cli, const void *options)
{
    const struct serve_options *serve = options;
    const struct gateway_options gateway = {
        .load = load_file,
        .owner = cli,
        .authority = &authority_role,
        .publisher = &authority_publisher_role,
        .config_name = cli->config_path,
        .control_path = serve->control,
        .state_path = serve->state,
        .reload_every_ns = serve->reload_every_ns,
        .drain_ns = serve->drain_ns,
        .colour = cli->colour_err,
    };
    return gateway_serve(&gateway);
}

static const struct cli_option serve_table[] = {
    {.name = "timed-reload",
     .kind = CLI_DURATION,
     .offset = offsetof(struct serve_options, reload_every_ns),
     .value = "DURATION",
     .help = "look for changed files this often, besides on SIGHUP"},
    {.name = "shutdown-timeout",
     .kind = CLI_DURATION,
     .offset = offsetof(struct serve_options, drain_ns),
     .value = "DURATION",
     .help = "how long SIGTERM waits for open connections; as configured when left out"},
    {.name = "control",
     .kind = CLI_PATH,
     .offset = offsetof(struct serve_options, control),
     .value = "PATH",
     .help = "the socket that mutual status asks"},
    {.name = "state",
     .kind = CLI_PATH,
     .offset = offsetof(struct serve_options, state),
     .value = "DIRECTORY",
     .help = "where it keeps whom it saw over restarts; $STATE_DIRECTORY when left out"},
    {.name = NULL},
};

const struct cli_verb cli_verb_serve = {
    .name = "serve",
    .group = CLI_GROUP_SERVE,
    .help = "serve every inbound and outbound of the configuration",
    .details =
        "SIGHUP reloads; a configuration with errors changes nothing, and the log says why.\n"
        "SIGTERM drains and ends; a second one ends at once. Every connection's end is one\n"
        "line on standard error: for people on a terminal, JSON otherwise.",
    .options = serve_table,
    .options_size = sizeof(struct serve_options),
    .run = run_serve,
};
