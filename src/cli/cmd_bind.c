/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual bind NAME: gives out a key by which a client of ACME binds its account to names and a
 * profile (RFC 8555 section 7.3.4).
 */
#include "cli/authority_internal.h"

#include <string.h>

#include "acme/acme.h"

struct bind_options {
    const char *dir, *profile, *owner;
    struct cli_texts names;
    int64_t ttl_ns;
    bool list, withdraw;
};

#define O(field_) offsetof(struct bind_options, field_)
static const struct cli_option bind_table[] = {
    {.name = "names",
     .kind = CLI_TEXTS,
     .offset = O(names),
     .value = "NAME",
     .help =
         "what its holder may have: db.example.org, *.apps.example.org (one label more, and the "
         "wildcard), 10.0.0.0/8; may be given several times"},
    {.name = "profile",
     .kind = CLI_TEXT,
     .offset = O(profile),
     .value = "PROFILE",
     .dflt = "server",
     .help = "what the certificates are for"},
    {.name = "owner",
     .kind = CLI_TEXT,
     .offset = O(owner),
     .value = "WHO",
     .help = "who answers for them; NAME when left out"},
    {.name = "ttl",
     .kind = CLI_DURATION,
     .offset = O(ttl_ns),
     .value = "DURATION",
     .dflt = "24h",
     .help = "within this time an account must be registered by it"},
    {.name = "dir",
     .kind = CLI_PATH,
     .offset = O(dir),
     .value = "DIRECTORY",
     .help = "where the authority is kept"},
    {.name = "list",
     .kind = CLI_FLAG,
     .offset = O(list),
     .help = "what was given out, and to whom, instead of giving out another one"},
    {.name = "withdraw",
     .kind = CLI_FLAG,
     .offset = O(withdraw),
     .help = "take the key with the identifier NAME back; an account that it has bound ends"},
    {.name = NULL},
};
#undef O

/* ---- looking, and taking back -------------------------------------------------------------------
 */

struct listing {
    struct cli_table *table; /* NULL: as JSON */
    struct mu_json json;
    size_t count;
    int64_t now_s;
};

static const char *state_of(const struct acme_key *key, int64_t now_s)
{
    return key->account_id != 0   ? (key->account_valid ? "bound" : "deactivated")
           : now_s >= key->ends_s ? "expired"
                                  : "open";
}

static void json_key(struct listing *listing, const struct acme_key *key)
{
    struct mu_json *json = &listing->json;
    char text[MU_TIME_TEXT];
    mu_json_open(json, NULL, '{');
    mu_json_string(json, "kid", key->kid);
    mu_json_string(json, "name", key->name);
    mu_json_string(json, "owner", key->owner);
    mu_json_string(json, "profile", key->profile);
    mu_json_open(json, "names", '[');
    for (size_t i = 0; i < key->name_count; i++) {
        mu_json_string(json, NULL, key->names[i]);
    }
    mu_json_close(json, ']');
    mu_json_string(json, "until", mu_time_format(key->ends_s, text));
    mu_json_string(json, "state", state_of(key, listing->now_s));
    if (key->account_id != 0) {
        mu_json_int(json, "account", key->account_id);
    }
    mu_json_close(json, '}');
}

static void list_key(void *context, const struct acme_key *key)
{
    struct listing *listing = context;
    char text[MU_TIME_TEXT];
    MU_AUTO(buf) struct mu_buf names;
    mu_buf_init(&names, 64u << 10);
    listing->count++;
    if (listing->table == NULL) {
        json_key(listing, key);
        return;
    }
    for (size_t i = 0; i < key->name_count; i++) {
        mu_buf_printf(&names, "%s%s", i == 0 ? "" : " ", key->names[i]);
    }
    cli_table_cell(listing->table, CLI_BOLD, "%s", key->kid);
    cli_table_cell(listing->table, CLI_PLAIN, "%s", key->name);
    cli_table_cell(listing->table, CLI_PLAIN, "%s", key->profile);
    cli_table_cell(listing->table, CLI_PLAIN, "%s", state_of(key, listing->now_s));
    cli_table_cell(listing->table, CLI_PLAIN, "%s", mu_time_format(key->ends_s, text));
    cli_table_cell(listing->table, CLI_PLAIN, "%s", mu_buf_str(&names));
}

static bool list_keys(const struct cli *cli, struct ca *ca, struct mutual_error *err)
{
    const char *const heads[] = {"KEY ID", "NAME", "PROFILE", "STATE", "UNTIL", "NAMES", NULL};
    MU_AUTO(cli_table) struct cli_table *table = cli->json ? NULL : cli_table_new(heads);
    MU_AUTO(buf) struct mu_buf out;
    struct listing listing = {.table = table, .now_s = mu_clock_wall_s()};
    mu_buf_init(&out, 64u << 20);
    if (table == NULL && !cli->json) {
        return mu_fail_memory(err);
    }
    mu_json_init(&listing.json, &out);
    mu_json_open(&listing.json, NULL, '{');
    mu_json_open(&listing.json, "keys", '[');
    if (!acme_keys_each(ca, list_key, &listing, err)) {
        return false;
    }
    mu_json_close(&listing.json, ']');
    mu_json_close(&listing.json, '}');
    mu_buf_byte(&out, '\n');
    if (cli->json) {
        return cli_write(cli, &out, err);
    }
    cli_table_print(table, cli);
    if (listing.count == 0) {
        cli_say(cli, "no key was given out\n");
    }
    return true;
}

static bool take_back(const struct cli *cli, struct ca *ca, struct mutual_error *err)
{
    int64_t account = 0;
    if (!acme_key_withdraw(ca, cli->args[0], authority_who(), mu_clock_wall_s(), &account, err)) {
        return false;
    }
    if (!cli->json) {
        cli_print(cli, "withdrawn  %s\n", cli->args[0]);
        if (account != 0) {
            cli_print(cli, "account    %lld is deactivated; its certificates hold until revoked\n",
                      (long long)account);
        }
        return true;
    }
    MU_AUTO(buf) struct mu_buf out;
    struct mu_json json;
    mu_buf_init(&out, 1024);
    mu_json_init(&json, &out);
    mu_json_open(&json, NULL, '{');
    mu_json_string(&json, "withdrawn", cli->args[0]);
    if (account != 0) {
        mu_json_int(&json, "account", account);
    }
    mu_json_close(&json, '}');
    mu_buf_byte(&out, '\n');
    return cli_write(cli, &out, err);
}

/* ---- giving out ---------------------------------------------------------------------------------
 */

static void tell(const struct cli *cli, const struct acme_key_request *request, const char *kid,
                 const char *secret, struct mu_buf *out)
{
    struct mu_json json;
    char until[MU_TIME_TEXT];
    mu_time_format(request->now_s + request->life_s, until);
    if (!cli->json) {
        mu_buf_printf(out, "key id    %s\nhmac key  %s\nprofile   %s\n", kid, secret,
                      request->profile);
        for (size_t i = 0; i < request->name_count; i++) {
            mu_buf_printf(out, "name      %s\n", request->names[i]);
        }
        mu_buf_printf(out,
                      "until     %s; binds one account, and is shown this once\n"
                      "next      certbot register --server URL/acme/directory --eab-kid %s "
                      "--eab-hmac-key %s\n",
                      until, kid, secret);
        return;
    }
    mu_json_init(&json, out);
    mu_json_open(&json, NULL, '{');
    mu_json_string(&json, "kid", kid);
    mu_json_string(&json, "hmac_key", secret);
    mu_json_string(&json, "name", request->name);
    mu_json_string(&json, "profile", request->profile);
    mu_json_open(&json, "names", '[');
    for (size_t i = 0; i < request->name_count; i++) {
        mu_json_string(&json, NULL, request->names[i]);
    }
    mu_json_close(&json, ']');
    mu_json_string(&json, "until", until);
    mu_json_close(&json, '}');
    mu_buf_byte(out, '\n');
}

/* The name goes into the audit and onto terminals. */
static bool check_name(const char *name, struct mutual_error *err)
{
    size_t len = strlen(name);
    bool good = len >= 1 && len <= 64;
    for (size_t i = 0; good && i < len; i++) {
        good = (unsigned char)name[i] >= 0x20 && name[i] != 0x7f;
    }
    return good || mu_fail(err, MUTUAL_E_OPTION_VALUE,
                           "the name of a key has 1 to 64 bytes without control characters");
}

static bool give_out(const struct cli *cli, const struct bind_options *options, struct ca *ca,
                     struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf out;
    char kid[ACME_KID_TEXT];
    char secret[ACME_SECRET_TEXT];
    const struct acme_key_request request = {
        .name = cli->args[0],
        .owner = options->owner != NULL ? options->owner : cli->args[0],
        .profile = options->profile,
        .names = options->names.items,
        .name_count = options->names.count,
        .life_s = options->ttl_ns / MU_NS_PER_S,
        .who = authority_who(),
        .now_s = mu_clock_wall_s(),
    };
    mu_buf_init(&out, 64u << 10);
    if (!check_name(request.name, err) || !check_name(request.owner, err) ||
        !acme_key_new(ca, &request, kid, secret, err)) {
        return false;
    }
    tell(cli, &request, kid, secret, &out);
    bool done = cli_write(cli, &out, err);
    mu_wipe(secret, sizeof secret);
    mu_wipe(out.data, out.len);
    return done;
}

static bool run_bind_with(const struct cli *cli, const struct bind_options *options,
                          struct mutual_error *err)
{
    MU_AUTO(ca) struct ca *ca = NULL;
    size_t wanted = options->list ? 0 : 1;
    if (cli->arg_count != wanted || (options->list && options->withdraw)) {
        return mu_fail(err, MUTUAL_E_USAGE,
                       options->list ? "--list stands alone"
                                     : "whom the key is for, or which is taken back, is missing") ||
               mu_error_hint(err, "Write: mutual bind NAME --names NAME; mutual bind --list; "
                                  "mutual bind KEYID --withdraw.");
    }
    return authority_open(cli, options->dir, options->list ? CA_LOOK : CA_CHANGE, &ca, err) &&
           (options->list       ? list_keys(cli, ca, err)
            : options->withdraw ? take_back(cli, ca, err)
                                : give_out(cli, options, ca, err));
}

static int run_bind(struct cli *cli, const void *options)
{
    struct mutual_error err = {0};
    return run_bind_with(cli, options, &err) ? CLI_YES : cli_fail(cli, &err);
}

const struct cli_verb cli_verb_bind = {
    .name = "bind",
    .group = CLI_GROUP_CERT,
    .arguments = "[NAME]",
    .help = "give out a key that binds an ACME account to names",
    .details =
        "What is printed goes to whoever runs an ACME client (RFC 8555): its key identifier\n"
        "and HMAC key for external account binding. The account that is registered with it\n"
        "may have certificates of that profile for these names and for no others, each once\n"
        "it has proved to control them. Needs authority: {acme: {accounts: bound}}.\n"
        "A key that was given out is taken back with --withdraw and its identifier: before it has\n"
        "bound an account, nobody registers with it any more; afterwards its account is\n"
        "deactivated. Certificates that the account has are revoked by mutual revoke.",
    .options = bind_table,
    .options_size = sizeof(struct bind_options),
    .min_args = 0,
    .max_args = 1,
    .run = run_bind,
};
