/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual audit: who made, renewed and revoked what, and when; and whether that record is whole.
 */
#include "cli/reach_internal.h"

struct audit_options {
    struct reach_options at;
    const char *head;
};

static const struct cli_option audit_table[] = {
    REACH_OPTIONS(offsetof(struct audit_options, at)),
    {.name = NULL},
};

static const struct cli_option verify_table[] = {
    REACH_OPTIONS(offsetof(struct audit_options, at)),
    {.name = "head",
     .kind = CLI_TEXT,
     .offset = offsetof(struct audit_options, head),
     .value = "NUMBER:DIGEST",
     .help = "an earlier head, as it was printed and kept elsewhere, that must still be there"},
    {.name = NULL},
};

struct listing {
    struct cli_table *table;
    json_t *events; /* NULL: not wanted */
};

static bool add_event(void *context, const json_t *event, struct mutual_error *err)
{
    const struct listing *listing = context;
    if (listing->events != NULL) {
        if (!reach_keep(listing->events, event, err)) {
            return false;
        }
        size_t last = json_array_size(listing->events) - 1;
        (void)json_object_del(json_array_get(listing->events, last), "id");
        return true;
    }
    cli_table_cell(listing->table, CLI_PLAIN, "%s", reach_text(event, "at"));
    cli_table_cell(listing->table, CLI_PLAIN, "%s", reach_text(event, "who"));
    cli_table_cell(listing->table, CLI_BOLD, "%s", reach_text(event, "action"));
    cli_table_cell(listing->table, CLI_PLAIN, "%s", reach_text(event, "detail"));
    return true;
}

static int run_audit(struct cli *cli, const void *given)
{
    const struct audit_options *options = given;
    struct mutual_error err = {0};
    MU_AUTO(reach) struct reach *reach = NULL;
    MU_AUTO(api_json) json_t *events = cli->json ? json_array() : NULL;
    MU_AUTO(cli_table)
    struct cli_table *table =
        cli_table_new((const char *const[]){"AT", "WHO", "ACTION", "WHAT", NULL});
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 256u << 20);
    if (table == NULL) {
        (void)mu_fail_memory(&err);
        return cli_fail(cli, &err);
    }
    struct listing listing = {table, events};
    if (!reach_open(cli, &options->at, CA_LOOK, &reach, &err) ||
        !reach_pages(reach, "/events", "events", 0, add_event, &listing, &err)) {
        return cli_fail(cli, &err);
    }
    if (!cli->json) {
        cli_table_print(table, cli);
        return CLI_YES;
    }
    bool good = reach_print(events, &out, &err) && cli_write(cli, &out, &err);
    return good ? CLI_YES : cli_fail(cli, &err);
}

static int tell_audit(struct cli *cli, const json_t *audit)
{
    long long unchained = json_integer_value(json_object_get(audit, "unchained"));
    if (!cli->json) {
        cli_print(cli, "whole  %lld events, each fits the one before it\n",
                  (long long)json_integer_value(json_object_get(audit, "events")));
        if (unchained > 0) {
            cli_print(cli, "       %lld older ones were not chained yet\n", unchained);
        }
        cli_print(cli, "head   %s\n", reach_text(audit, "head"));
        return CLI_YES;
    }
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 4096);
    bool good = reach_print(audit, &out, &err) && cli_write(cli, &out, &err);
    return good ? CLI_YES : cli_fail(cli, &err);
}

static int run_verify(struct cli *cli, const void *given)
{
    const struct audit_options *options = given;
    struct mutual_error err = {0};
    struct inventory_head head;
    MU_AUTO(reach) struct reach *reach = NULL;
    MU_AUTO(api_json) json_t *audit = NULL;
    MU_AUTO(buf) struct mu_buf target;
    mu_buf_init(&target, 4096);
    mu_buf_text(&target, "/events/verification");
    reach_query(&target, "head", options->head);
    if ((options->head != NULL && !ca_head_parse(options->head, &head, &err)) ||
        !reach_open(cli, &options->at, CA_LOOK, &reach, &err) ||
        !reach_get(reach, mu_buf_str(&target), &audit, &err)) {
        return cli_fail(cli, &err);
    }
    return tell_audit(cli, audit);
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
