/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual bind NAME: gives out a key by which a client of ACME binds its account to names and a
 * profile (RFC 8555 section 7.3.4).
 */
#include "cli/reach_internal.h"

#include <string.h>

struct bind_options {
    struct reach_options at;
    const char *profile, *owner;
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
    {.name = "list",
     .kind = CLI_FLAG,
     .offset = O(list),
     .help = "what was given out, and to whom, instead of giving out another one"},
    {.name = "withdraw",
     .kind = CLI_FLAG,
     .offset = O(withdraw),
     .help = "take the key with the identifier NAME back; an account that it has bound ends"},
    REACH_OPTIONS(O(at)),
    {.name = NULL},
};
#undef O

static bool tell(const struct cli *cli, const json_t *made, struct mu_buf *out,
                 struct mutual_error *err)
{
    const json_t *names = json_object_get(made, "names");
    const char *kid = reach_text(made, "kid");
    const char *secret = reach_text(made, "hmac_key");
    if (cli->json) {
        return reach_print(made, out, err);
    }
    mu_buf_printf(out, "key id    %s\nhmac key  %s\nprofile   %s\n", kid, secret,
                  reach_text(made, "profile"));
    for (size_t i = 0; i < json_array_size(names); i++) {
        mu_buf_printf(out, "name      %s\n", json_string_value(json_array_get(names, i)));
    }
    mu_buf_printf(out,
                  "until     %s; binds one account, and is shown this once\n"
                  "next      certbot register --server URL/acme/directory --eab-kid %s "
                  "--eab-hmac-key %s\n",
                  reach_text(made, "until"), kid, secret);
    return true;
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

static json_t *body_of(const struct cli *cli, const struct bind_options *options)
{
    json_t *body = json_object();
    json_t *names = json_array();
    for (size_t i = 0; i < options->names.count; i++) {
        (void)json_array_append_new(names, json_string(options->names.items[i]));
    }
    reach_put(body, "name", cli->args[0]);
    reach_put(body, "owner", options->owner);
    reach_put(body, "profile", options->profile);
    reach_put_number(body, "ttl", options->ttl_ns / MU_NS_PER_S);
    (void)json_object_set_new(body, "names", names);
    return body;
}

static bool give_out(const struct cli *cli, const struct bind_options *options, struct reach *reach,
                     struct mutual_error *err)
{
    MU_AUTO(api_json) json_t *body = body_of(cli, options);
    MU_AUTO(api_json) json_t *made = NULL;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 64u << 10);
    if (!check_name(cli->args[0], err) ||
        (options->owner != NULL && !check_name(options->owner, err)) ||
        !reach_post(reach, "/bindings", body, &made, err)) {
        return false;
    }
    bool done = tell(cli, made, &out, err) && cli_write(cli, &out, err);
    mu_wipe(out.data, out.len);
    return done;
}

/* ---- looking, and taking back -------------------------------------------------------------------
 */

static void put_row(struct cli_table *table, const json_t *key)
{
    const json_t *names = json_object_get(key, "names");
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 64u << 10);
    for (size_t i = 0; i < json_array_size(names); i++) {
        mu_buf_printf(&text, "%s%s", i == 0 ? "" : " ",
                      json_string_value(json_array_get(names, i)));
    }
    cli_table_cell(table, CLI_BOLD, "%s", reach_text(key, "kid"));
    cli_table_cell(table, CLI_PLAIN, "%s", reach_text(key, "name"));
    cli_table_cell(table, CLI_PLAIN, "%s", reach_text(key, "profile"));
    cli_table_cell(table, CLI_PLAIN, "%s", reach_text(key, "state"));
    cli_table_cell(table, CLI_PLAIN, "%s", reach_text(key, "until"));
    cli_table_cell(table, CLI_PLAIN, "%s", mu_buf_str(&text));
}

static bool list_keys(const struct cli *cli, struct reach *reach, struct mutual_error *err)
{
    static const char *const heads[] = {"KEY ID", "NAME",  "PROFILE", "STATE",
                                        "UNTIL",  "NAMES", NULL};
    static const struct reach_list list = {.target = "/bindings",
                                           .member = "bindings",
                                           .name = "keys",
                                           .heads = heads,
                                           .row = put_row,
                                           .none = "no key was given out"};
    return reach_list(cli, reach, &list, err);
}

static bool take_back(const struct cli *cli, struct reach *reach, struct mutual_error *err)
{
    MU_AUTO(api_json) json_t *said = NULL;
    MU_AUTO(buf) struct mu_buf target;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&target, 4096);
    mu_buf_init(&out, 4096);
    mu_buf_text(&target, "/bindings/");
    reach_encode(&target, cli->args[0]);
    if (!reach_delete(reach, mu_buf_str(&target), &said, err)) {
        return false;
    }
    if (cli->json) {
        return reach_print(said, &out, err) && cli_write(cli, &out, err);
    }
    cli_print(cli, "withdrawn  %s\n", cli->args[0]);
    if (reach_number(said, "account") != 0) {
        cli_print(cli, "account    %lld is deactivated; its certificates hold until revoked\n",
                  (long long)reach_number(said, "account"));
    }
    return true;
}

static bool run_bind_with(const struct cli *cli, const struct bind_options *options,
                          struct mutual_error *err)
{
    MU_AUTO(reach) struct reach *reach = NULL;
    size_t wanted = options->list ? 0 : 1;
    if (cli->arg_count != wanted || (options->list && options->withdraw)) {
        return mu_fail(err, MUTUAL_E_USAGE,
                       options->list ? "--list stands alone"
                                     : "whom the key is for, or which is taken back, is missing") ||
               mu_error_hint(err, "Write: mutual bind NAME --names NAME; mutual bind --list; "
                                  "mutual bind KEYID --withdraw.");
    }
    return reach_open(cli, &options->at, options->list ? CA_LOOK : CA_CHANGE, &reach, err) &&
           (options->list       ? list_keys(cli, reach, err)
            : options->withdraw ? take_back(cli, reach, err)
                                : give_out(cli, options, reach, err));
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
