/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual list --tokens and --pending: who may enrol, and who waits for a decision.
 */
#include "cli/reach_internal.h"

#include <string.h>

struct listing {
    json_t *tokens; /* NULL: a table */
    struct cli_table *table;
    size_t count;
};

static const char *state_of(const json_t *token)
{
    const char *decision = reach_text(token, "decision");
    return decision[0] != '\0'                               ? decision
           : json_is_true(json_object_get(token, "asked"))   ? "waits"
           : json_is_true(json_object_get(token, "expired")) ? "expired"
                                                             : "open";
}

static bool add_token(void *context, const json_t *token, struct mutual_error *err)
{
    struct listing *listing = context;
    struct cli_table *table = listing->table;
    listing->count++;
    if (listing->tokens != NULL) {
        json_t *kept = json_copy((json_t *)(uintptr_t)token); /* which jansson does not change */
        return (kept != NULL && json_array_append_new(listing->tokens, kept) == 0) ||
               mu_fail_memory(err);
    }
    cli_table_cell(table, CLI_BOLD, "%lld",
                   (long long)json_integer_value(json_object_get(token, "id")));
    cli_table_cell(table, CLI_PLAIN, "%s", reach_text(token, "name"));
    cli_table_cell(table, CLI_PLAIN, "%s", reach_text(token, "profile"));
    cli_table_cell(table, CLI_PLAIN, "%s", state_of(token));
    cli_table_cell(table, CLI_PLAIN, "%s", reach_text(token, "until"));
    cli_table_cell(table, CLI_PLAIN, "%s", reach_text(token, "made_by"));
    cli_table_cell(table, CLI_PLAIN, "%s", reach_text(token, "asked_by"));
    return true;
}

static bool print_json(const struct cli *cli, const json_t *tokens, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf out;
    MU_AUTO(api_json) json_t *whole = json_object();
    mu_buf_init(&out, 64u << 20);
    if (json_object_set(whole, "tokens", (json_t *)(uintptr_t)tokens) != 0) {
        return mu_fail_memory(err);
    }
    return reach_print(whole, &out, err) && cli_write(cli, &out, err);
}

bool authority_tokens_list(const struct cli *cli, struct reach *reach, bool pending,
                           struct mutual_error *err)
{
    const char *const heads[] = {"NUMBER", "NAME",    "PROFILE",  "STATE",
                                 "UNTIL",  "MADE BY", "ASKED BY", NULL};
    MU_AUTO(cli_table) struct cli_table *table = cli_table_new(heads);
    MU_AUTO(api_json) json_t *tokens = cli->json ? json_array() : NULL;
    struct listing listing = {.tokens = tokens, .table = table};
    if (table == NULL || (cli->json && tokens == NULL)) {
        return mu_fail_memory(err);
    }
    if (!reach_pages(reach, pending ? "/requests" : "/tokens", "tokens", 0, add_token, &listing,
                     err)) {
        return false;
    }
    if (cli->json) {
        return print_json(cli, tokens, err);
    }
    cli_table_print(table, cli);
    if (listing.count == 0) {
        cli_say(cli, "there is none\n");
    }
    return true;
}
