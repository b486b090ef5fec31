/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual audit: who made, renewed and revoked what, and when; and whether that record is whole.
 */
#include "cli/authority_internal.h"

struct audit_options {
    const char *dir, *head;
};

static const struct cli_option audit_table[] = {
    {.name = "dir",
     .kind = CLI_PATH,
     .offset = offsetof(struct audit_options, dir),
     .value = "DIRECTORY",
     .help = "where the authority is kept"},
    {.name = NULL},
};

static const struct cli_option verify_table[] = {
    {.name = "dir",
     .kind = CLI_PATH,
     .offset = offsetof(struct audit_options, dir),
     .value = "DIRECTORY",
     .help = "where the authority is kept"},
    {.name = "head",
     .kind = CLI_TEXT,
     .offset = offsetof(struct audit_options, head),
     .value = "NUMBER:DIGEST",
     .help = "an earlier head, as it was printed and kept elsewhere, that must still be there"},
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

static int tell_audit(struct cli *cli, const struct inventory_audit *audit)
{
    char head[CA_HEAD_TEXT];
    ca_head_format(&audit->head, head);
    if (!cli->json) {
        cli_print(cli, "whole  %lld events, each fits the one before it\n",
                  (long long)audit->chained);
        if (audit->unchained > 0) {
            cli_print(cli, "       %lld older ones were not chained yet\n",
                      (long long)audit->unchained);
        }
        cli_print(cli, "head   %s\n", head);
        return CLI_YES;
    }
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 4096);
    struct mu_json json;
    mu_json_init(&json, &out);
    mu_json_open(&json, NULL, '{');
    mu_json_int(&json, "events", audit->chained);
    mu_json_int(&json, "unchained", audit->unchained);
    mu_json_string(&json, "head", head);
    mu_json_close(&json, '}');
    mu_buf_byte(&out, '\n');
    return cli_write(cli, &out, &err) ? CLI_YES : cli_fail(cli, &err);
}

static int run_verify(struct cli *cli, const void *given)
{
    const struct audit_options *options = given;
    struct mutual_error err = {0};
    struct inventory_head head;
    struct inventory_audit audit;
    MU_AUTO(ca) struct ca *ca = NULL;
    bool noted = options->head != NULL;
    if ((noted && !ca_head_parse(options->head, &head, &err)) ||
        !authority_open(cli, options->dir, CA_LOOK, &ca, &err) ||
        !ca_audit(ca, noted ? &head : NULL, &audit, &err)) {
        return cli_fail(cli, &err);
    }
    return tell_audit(cli, &audit);
}

static const struct cli_verb subs[] = {
    {.name = "verify",
     .help = "check that no event was altered, removed or put in",
     .details = "Each event holds a digest over itself and the one before it. The last is noted\n"
                "beside the store in audit.head, too; keep a copy of the printed head where\n"
                "nobody who can write to the authority's directory can write, and give it with\n"
                "--head. Exit status 1 when the record was tampered with.",
     .options = verify_table,
     .options_size = sizeof(struct audit_options),
     .run = run_verify},
    {.name = NULL},
};

const struct cli_verb cli_verb_audit = {
    .name = "audit",
    .group = CLI_GROUP_MORE,
    .help = "show who issued, renewed and revoked what, and when",
    .options = audit_table,
    .options_size = sizeof(struct audit_options),
    .subs = subs,
    .run = run_audit,
};
