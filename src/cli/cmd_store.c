/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual store show|migrate|backup|restore: where the authority keeps what it knows, and moving it.
 */
#include "cli/authority_internal.h"

struct store_options {
    const char *dir;
};

static const struct cli_option store_table[] = {
    {.name = "dir",
     .kind = CLI_PATH,
     .offset = offsetof(struct store_options, dir),
     .value = "DIRECTORY",
     .help = "where the authority is kept"},
    {.name = NULL},
};

static int tell_counts(struct cli *cli, const char *did, const char *where,
                       const struct inventory_copied *copied)
{
    if (!cli->json) {
        cli_print(cli, "%s  %s\n", did, where);
        cli_print(cli, "holds  %lld certificates, %lld names, %lld audit events, %lld issuers%s\n",
                  (long long)copied->certificates, (long long)copied->names,
                  (long long)copied->events, (long long)copied->issuers,
                  did[0] == 's' ? "" : "; counted again there");
        return CLI_YES;
    }
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 1u << 20);
    struct mu_json json;
    mu_json_init(&json, &out);
    mu_json_open(&json, NULL, '{');
    mu_json_string(&json, "store", where);
    mu_json_int(&json, "certificates", copied->certificates);
    mu_json_int(&json, "names", copied->names);
    mu_json_int(&json, "events", copied->events);
    mu_json_int(&json, "issuers", copied->issuers);
    mu_json_close(&json, '}');
    mu_buf_byte(&out, '\n');
    return cli_write(cli, &out, &err) ? CLI_YES : cli_fail(cli, &err);
}

static int run_show(struct cli *cli, const void *given)
{
    const struct store_options *options = given;
    struct mutual_error err = {0};
    struct inventory_copied counts = {0};
    MU_AUTO(ca) struct ca *ca = NULL;
    if (!authority_open(cli, options->dir, CA_LOOK, &ca, &err) ||
        !inventory_rows(ca_inventory(ca), &counts, &err)) {
        return cli_fail(cli, &err);
    }
    return tell_counts(cli, "store", ca_store_name(ca), &counts);
}

static int run_migrate(struct cli *cli, const void *given)
{
    const struct store_options *options = given;
    struct mutual_error err = {0};
    struct inventory_copied copied = {0};
    MU_AUTO(ca) struct ca *ca = NULL;
    MU_AUTO(ca) struct ca *moved = NULL;
    if (!authority_open(cli, options->dir, CA_CHANGE, &ca, &err) ||
        !ca_store_move(ca, cli->args[0], &copied, &err)) {
        return cli_fail(cli, &err);
    }
    ca_close(MU_TAKE(ca));
    if (!authority_open(cli, options->dir, CA_LOOK, &moved, &err)) {
        return cli_fail(cli, &err);
    }
    return tell_counts(cli, "moved", ca_store_name(moved), &copied);
}

static int run_backup(struct cli *cli, const void *given)
{
    const struct store_options *options = given;
    struct mutual_error err = {0};
    struct inventory_copied copied = {0};
    MU_AUTO(ca) struct ca *ca = NULL;
    if (!authority_open(cli, options->dir, CA_CHANGE, &ca, &err) ||
        !ca_store_backup(ca, cli->args[0], &copied, &err)) {
        return cli_fail(cli, &err);
    }
    return tell_counts(cli, "wrote", cli->args[0], &copied);
}

static int run_restore(struct cli *cli, const void *given)
{
    const struct store_options *options = given;
    struct mutual_error err = {0};
    struct inventory_copied copied = {0};
    MU_AUTO(ca) struct ca *ca = NULL;
    MU_AUTO(buf) struct mu_buf dir;
    mu_buf_init(&dir, 4096);
    if (!authority_dir(cli, options->dir, &dir, &err) ||
        !ca_store_restore(mu_buf_str(&dir), cli->args[0], &copied, &err) ||
        !authority_open(cli, options->dir, CA_LOOK, &ca, &err)) {
        return cli_fail(cli, &err);
    }
    return tell_counts(cli, "filled", ca_store_name(ca), &copied);
}

static const struct cli_verb subs[] = {
    {.name = "show",
     .help = "tell where the store is and how much is in it",
     .options = store_table,
     .options_size = sizeof(struct store_options),
     .run = run_show},
    {.name = "migrate",
     .arguments = "ADDRESS",
     .help = "take the store to an empty PostgreSQL database",
     .details = "ADDRESS is postgres://USER@HOST:PORT/DATABASE, as libpq takes it. The server is\n"
                "proved by its certificate unless the address says otherwise, as in\n"
                "?sslmode=disable for one on this machine; ?sslcert= and ?sslkey= present ours.\n"
                "Everything is copied in one transaction and counted again there, then the\n"
                "directory points to it; the old file stays beside as ca.db.moved.",
     .options = store_table,
     .options_size = sizeof(struct store_options),
     .min_args = 1,
     .max_args = 1,
     .run = run_migrate},
    {.name = "backup",
     .arguments = "FILE",
     .help = "copy the store into a new file",
     .details = "The file is an SQLite store by itself, whatever database the store is in. Keys\n"
                "are not in it: back up the directory for these.",
     .options = store_table,
     .options_size = sizeof(struct store_options),
     .min_args = 1,
     .max_args = 1,
     .run = run_backup},
    {.name = "restore",
     .arguments = "FILE",
     .help = "fill the authority's empty store from a backup",
     .details = "The directory must be there, with its keys and certificates, and its store\n"
                "empty or missing. What was issued and revoked after the backup is not known\n"
                "then: revoke again what was, and make a list.",
     .options = store_table,
     .options_size = sizeof(struct store_options),
     .min_args = 1,
     .max_args = 1,
     .run = run_restore},
    {.name = NULL},
};

const struct cli_verb cli_verb_store = {
    .name = "store",
    .group = CLI_GROUP_MORE,
    .help = "show, move, back up or restore the authority's store: show, migrate, backup, restore",
    .subs = subs,
};
