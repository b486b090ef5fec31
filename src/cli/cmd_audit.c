/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual audit: who made, renewed and revoked what, and when.
 */
#include "cli/authority_internal.h"

struct audit_options {
    const char *dir;
};

static const struct cli_option audit_table[] = {
    {.name = "dir",
     .kind = CLI_PATH,
     .offset = offsetof(struct audit_options, dir),
     .value = "DIRECTORY",
     .help = "where the authority is kept"},
    {.name = NULL},
};

struct listing {
    struct cli_table *table;
    struct mu_json *json;
};

static bool add_event(void *context, const struct inventory_event *event)
{
    const struct listing *listing = context;
    char time[MU_TIME_TEXT];
    (void)mu_time_format(event->at_s, time);
    if (listing->json != NULL) {
        mu_json_open(listing->json, NULL, '{');
        mu_json_string(listing->json, "at", time);
        mu_json_string(listing->json, "who", event->who);
        mu_json_string(listing->json, "action", event->action);
        mu_json_string(listing->json, "detail", event->detail);
        mu_json_close(listing->json, '}');
        return true;
    }
    cli_table_cell(listing->table, CLI_PLAIN, "%s", time);
    cli_table_cell(listing->table, CLI_PLAIN, "%s", event->who);
    cli_table_cell(listing->table, CLI_BOLD, "%s", event->action);
    cli_table_cell(listing->table, CLI_PLAIN, "%s", event->detail);
    return true;
}

static int run_audit(struct cli *cli, const void *given)
{
    const struct audit_options *options = given;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = NULL;
    MU_AUTO(cli_table)
    struct cli_table *table =
        cli_table_new((const char *const[]){"AT", "WHO", "ACTION", "WHAT", NULL});
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 256u << 20);
    struct mu_json json;
    mu_json_init(&json, &out);
    if (table == NULL) {
        (void)mu_fail_memory(&err);
        return cli_fail(cli, &err);
    }
    struct listing listing = {table, cli->json ? &json : NULL};
    if (cli->json) {
        mu_json_open(&json, NULL, '[');
    }
    if (!authority_open(cli, options->dir, CA_LOOK, &ca, &err) ||
        !inventory_events(ca_inventory(ca), add_event, &listing, &err)) {
        return cli_fail(cli, &err);
    }
    if (!cli->json) {
        cli_table_print(table, cli);
        return CLI_YES;
    }
    mu_json_close(&json, ']');
    mu_buf_byte(&out, '\n');
    return cli_write(cli, &out, &err) ? CLI_YES : cli_fail(cli, &err);
}

const struct cli_verb cli_verb_audit = {
    .name = "audit",
    .group = CLI_GROUP_MORE,
    .help = "show who issued, renewed and revoked what, and when",
    .options = audit_table,
    .options_size = sizeof(struct audit_options),
    .run = run_audit,
};
