/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual check: the whole configuration with everything it refers to, judged by the very code that
 * serves, and everything wrong told in one run. With --cert and --to: would that certificate be let
 * in?
 */
#include "cli/cli_internal.h"
#include "cli/question_internal.h"

#include "world/world.h"

struct check_options {
    bool strict;
    bool no_keys;
    int64_t at_s;
    const char *cert;
    const char *to;
    const char *staple;
};

static void print_summary(const struct cli *cli, const struct world *world)
{
    cli_print(cli, "%s%s: good%s: %zu inbound, %zu outbound, %zu trust bundle%s, %zu grant%s\n",
              cli_ink(cli, CLI_GOOD), cli->config_path, cli_ink(cli, CLI_PLAIN),
              world->config->inbound_count, world->config->outbound_count, world->trust_count,
              world->trust_count == 1 ? "" : "s", world->config->grant_count,
              world->config->grant_count == 1 ? "" : "s");
}

static int answer(const struct cli *cli, const struct check_options *check,
                  struct config_findings *findings, const struct world *world)
{
    int status = cli_tell_findings(cli, findings, cli->config_path);
    if (status == CLI_YES && check->strict && findings->warnings > 0) {
        return CLI_NO;
    }
    if (status == CLI_YES && findings->warnings == 0 && world != NULL) {
        print_summary(cli, world);
    }
    return status;
}

static int check_cert(const struct cli *cli, const struct check_options *check)
{
    if (check->cert != NULL && check->to != NULL) {
        const struct question_cert asked = {check->cert, check->to, check->staple,
                                            question_time(check->at_s)};
        return question_cert(cli, &asked);
    }
    struct mutual_error err = {0};
    (void)mu_fail(&err, MUTUAL_E_USAGE, "--cert and --to go together%s",
                  check->staple != NULL ? ", and --staple with them" : "");
    (void)mu_error_hint(&err, "Give both: mutual check --cert FILE --to SERVICE.");
    return cli_fail(cli, &err);
}

static int run_check(struct cli *cli, const void *options)
{
    const struct check_options *check = options;
    const char *path = cli->arg_count > 0 ? cli->args[0] : cli->config_path;
    cli->config_path = path;
    if (check->cert != NULL || check->to != NULL || check->staple != NULL) {
        return check_cert(cli, check);
    }
    MU_AUTO(config_findings) struct config_findings findings;
    config_findings_init(&findings);
    MU_AUTO(config_snapshot) struct config_snapshot *snapshot = NULL;
    MU_AUTO(world) const struct world *world = NULL;
    (void)config_snapshot_load(path, &findings, &snapshot);
    if (snapshot != NULL) {
        int64_t now_s = check->at_s != 0 ? check->at_s : mu_clock_wall_s();
        (void)(check->no_keys ? world_build(snapshot, now_s, &findings, &world)
                              : world_check(snapshot, now_s, &findings, &world));
    }
    return answer(cli, check, &findings, world);
}

#define C(field_) offsetof(struct check_options, field_)
static const struct cli_option check_table[] = {
    {.name = "strict",
     .kind = CLI_FLAG,
     .offset = C(strict),
     .help = "exit with 1 when there are warnings"},
    {.name = "no-keys",
     .kind = CLI_FLAG,
     .offset = C(no_keys),
     .help = "do not read private keys; pairs are not compared"},
    {.name = "at",
     .kind = CLI_TIME,
     .offset = C(at_s),
     .value = "TIME",
     .help = "check as if it were this time, such as 2027-01-31"},
    {.name = "cert",
     .kind = CLI_PATH,
     .offset = C(cert),
     .value = "FILE",
     .help = "would this certificate, with what is presented beside it, be let in? - is standard "
             "input"},
    {.name = "to",
     .kind = CLI_TEXT,
     .offset = C(to),
     .value = "SERVICE",
     .help = "the inbound or outbound that --cert is about"},
    {.name = "staple",
     .kind = CLI_PATH,
     .offset = C(staple),
     .value = "FILE",
     .help = "with an outbound: the OCSP response (DER) that the server of --cert sends along; "
             "without it, none"},
    {.name = NULL},
};
#undef C

const struct cli_verb cli_verb_check = {
    .name = "check",
    .group = CLI_GROUP_KNOW,
    .arguments = "[FILE]",
    .help = "check the configuration and everything it refers to",
    .details =
        "Reports every error of the configuration in one run, with its line and a remedy:\n"
        "syntax, settings, addresses, files that others can read, expired certificates,\n"
        "keys that do not belong to their certificates or that no peer can verify, chains that\n"
        "lead nowhere, empty bundles, grants that can never apply. Exit status 0: good;\n"
        "78: errors, or a single error's own status; 1: warnings, with --strict.\n"
        "With --cert and --to it answers for one certificate instead: is it admitted, by\n"
        "which path and grant, why not, and what would change that: the end of each\n"
        "certificate, of the grant, of the revocation lists; its authority dropped from the\n"
        "bundle. Key files are not read: the peer is assumed to hold its key. A server whose\n"
        "certificate demands a stapled response (must-staple), or whose trust block does,\n"
        "gets no yes without --staple. Exit status 0: yes; 1: no.",
    .options = check_table,
    .options_size = sizeof(struct check_options),
    .max_args = 1,
    .run = run_check,
};
