/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual approve NUMBER: decides on a request that waits.
 */
#include "cli/reach_internal.h"

struct approve_options {
    struct reach_options at;
    bool deny;
};

static const struct cli_option approve_table[] = {
    REACH_OPTIONS(offsetof(struct approve_options, at)),
    {.name = "deny",
     .kind = CLI_FLAG,
     .offset = offsetof(struct approve_options, deny),
     .help = "no: the request is refused for good"},
    {.name = NULL},
};

static bool decide(const struct cli *cli, const struct approve_options *options,
                   struct mutual_error *err)
{
    MU_AUTO(reach) struct reach *reach = NULL;
    MU_AUTO(api_json) json_t *answer = NULL;
    char target[64];
    MU_AUTO(buf) struct mu_buf out;
    uint64_t id = 0;
    mu_buf_init(&out, 256);
    if (!mu_text_uint(cli->args[0], INT64_MAX, &id) || id == 0) {
        return mu_fail(err, MUTUAL_E_OPTION_VALUE, "\"%.40s\" is not the number of a request",
                       cli->args[0]) ||
               mu_error_hint(err, "Run: mutual list --pending.");
    }
    (void)snprintf(target, sizeof target, "/requests/%llu/%s", (unsigned long long)id,
                   options->deny ? "refuse" : "approve");
    if (!reach_open(cli, &options->at, CA_CHANGE, &reach, err) ||
        !reach_post(reach, target, NULL, &answer, err)) {
        return false;
    }
    const char *word = reach_text(answer, "decision");
    if (cli->json) {
        (void)mu_buf_printf(&out, "{\"id\":%llu,\"decision\":\"%s\"}\n", (unsigned long long)id,
                            word);
    } else {
        (void)mu_buf_printf(&out, "%s  %llu\n", word, (unsigned long long)id);
    }
    return cli_write(cli, &out, err);
}

static int run_approve(struct cli *cli, const void *options)
{
    struct mutual_error err = {0};
    return decide(cli, options, &err) ? CLI_YES : cli_fail(cli, &err);
}

const struct cli_verb cli_verb_approve = {
    .name = "approve",
    .group = CLI_GROUP_CERT,
    .arguments = "NUMBER",
    .help = "let a request that waits have its certificate, or deny it",
    .details = "Requests wait whose token was made with --approval; mutual list --pending shows\n"
               "them. Whoever asks gets the certificate when he asks again.",
    .options = approve_table,
    .options_size = sizeof(struct approve_options),
    .min_args = 1,
    .max_args = 1,
    .run = run_approve,
};
