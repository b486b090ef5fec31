/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual list --tokens and --pending: who may enrol, and who waits for a decision.
 */
#include "cli/reach_internal.h"

static const char *state_of(const json_t *token)
{
    const char *decision = reach_text(token, "decision");
    return decision[0] != '\0'                               ? decision
           : json_is_true(json_object_get(token, "asked"))   ? "waits"
           : json_is_true(json_object_get(token, "expired")) ? "expired"
                                                             : "open";
}

static void put_row(struct cli_table *table, const json_t *token)
{
    cli_table_cell(table, CLI_BOLD, "%lld",
                   (long long)json_integer_value(json_object_get(token, "id")));
    cli_table_cell(table, CLI_PLAIN, "%s", reach_text(token, "name"));
    cli_table_cell(table, CLI_PLAIN, "%s", reach_text(token, "profile"));
    cli_table_cell(table, CLI_PLAIN, "%s", state_of(token));
    cli_table_cell(table, CLI_PLAIN, "%s", reach_text(token, "until"));
    cli_table_cell(table, CLI_PLAIN, "%s", reach_text(token, "made_by"));
    cli_table_cell(table, CLI_PLAIN, "%s", reach_text(token, "asked_by"));
}

bool authority_tokens_list(const struct cli *cli, struct reach *reach, bool pending,
                           struct mutual_error *err)
{
    static const char *const heads[] = {"NUMBER", "NAME",    "PROFILE",  "STATE",
                                        "UNTIL",  "MADE BY", "ASKED BY", NULL};
    const struct reach_list list = {.target = pending ? "/requests" : "/tokens",
                                    .member = "tokens",
                                    .name = "tokens",
                                    .heads = heads,
                                    .row = put_row,
                                    .none = "there is none"};
    return reach_list(cli, reach, &list, err);
}
