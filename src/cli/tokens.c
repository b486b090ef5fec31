/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual list --tokens and --pending: who may enrol, and who waits for a decision.
 */
#include "cli/authority_internal.h"

#include <string.h>

static void put_token(const struct inventory_token *token, int64_t now_s, struct mu_json *json)
{
    char text[MU_TIME_TEXT];
    mu_json_open(json, NULL, '{');
    mu_json_int(json, "id", token->id);
    mu_json_string(json, "name", token->name);
    mu_json_string(json, "profile", token->profile);
    mu_json_string(json, "owner", token->owner);
    mu_json_string(json, "made_by", token->made_by);
    mu_json_string(json, "until", mu_time_format(token->expires_s, text));
    mu_json_bool(json, "expired", token->expires_s <= now_s);
    mu_json_bool(json, "approval", token->approval);
    mu_json_bool(json, "asked", token->asked_s != 0);
    if (token->asked_s != 0) {
        MU_AUTO(buf) struct mu_buf hex;
        mu_buf_init(&hex, 128);
        mu_hex(&hex, token->key_hash);
        mu_json_string(json, "asked_at", mu_time_format(token->asked_s, text));
        mu_json_string(json, "asked_by", token->asked_by);
        mu_json_string(json, "key", mu_buf_str(&hex));
        mu_json_string(json, "decision",
                       token->decision == INVENTORY_APPROVED ? "approved"
                       : token->decision == INVENTORY_DENIED ? "denied"
                                                             : "");
    }
    mu_json_close(json, '}');
}

static const char *state_of(const struct inventory_token *token, int64_t now_s)
{
    return token->decision == INVENTORY_DENIED     ? "denied"
           : token->decision == INVENTORY_APPROVED ? "approved"
           : token->asked_s != 0                   ? "waits"
           : token->expires_s <= now_s             ? "expired"
                                                   : "open";
}

static bool print_table(const struct cli *cli, const struct inventory_tokens *tokens, int64_t now_s,
                        struct mutual_error *err)
{
    const char *const heads[] = {"NUMBER", "NAME",    "PROFILE",  "STATE",
                                 "UNTIL",  "MADE BY", "ASKED BY", NULL};
    MU_AUTO(cli_table) struct cli_table *table = cli_table_new(heads);
    char text[MU_TIME_TEXT];
    if (table == NULL) {
        return mu_fail_memory(err);
    }
    for (size_t i = 0; i < tokens->count; i++) {
        const struct inventory_token *token = &tokens->items[i];
        cli_table_cell(table, CLI_BOLD, "%lld", (long long)token->id);
        cli_table_cell(table, CLI_PLAIN, "%s", token->name);
        cli_table_cell(table, CLI_PLAIN, "%s", token->profile);
        cli_table_cell(table, CLI_PLAIN, "%s", state_of(token, now_s));
        cli_table_cell(table, CLI_PLAIN, "%s", mu_time_format(token->expires_s, text));
        cli_table_cell(table, CLI_PLAIN, "%s", token->made_by);
        cli_table_cell(table, CLI_PLAIN, "%s", token->asked_by);
    }
    cli_table_print(table, cli);
    if (tokens->count == 0) {
        cli_say(cli, "there is none\n");
    }
    return true;
}

bool authority_tokens_list(const struct cli *cli, struct ca *ca, bool pending,
                           struct mutual_error *err)
{
    MU_AUTO(inventory_tokens) struct inventory_tokens tokens = {0};
    MU_AUTO(buf) struct mu_buf out;
    const struct inventory_token_filter filter = {.pending = pending};
    int64_t now_s = mu_clock_wall_s();
    struct mu_json json;
    mu_buf_init(&out, 64u << 20);
    if (!inventory_tokens_get(ca_inventory(ca), &filter, &tokens, err)) {
        return false;
    }
    if (!cli->json) {
        return print_table(cli, &tokens, now_s, err);
    }
    mu_json_init(&json, &out);
    mu_json_open(&json, NULL, '{');
    mu_json_open(&json, "tokens", '[');
    for (size_t i = 0; i < tokens.count; i++) {
        put_token(&tokens.items[i], now_s, &json);
    }
    mu_json_close(&json, ']');
    mu_json_close(&json, '}');
    (void)mu_buf_byte(&out, '\n');
    return cli_write(cli, &out, err);
}
