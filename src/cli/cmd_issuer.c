/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual issuer: the authority's issuers, and one more under the same root.
 */
#include "cli/reach_internal.h"

struct list_options {
    struct reach_options at;
};
struct issuer_options {
    const char *dir, *root, *passphrase_file, *owner, *place;
    struct cli_texts permit, exclude;
    int key;
    int64_t life_ns;
    uint64_t shards;
};

#define O(field_) offsetof(struct issuer_options, field_)
static const struct cli_option list_table[] = {
    REACH_OPTIONS(offsetof(struct list_options, at)),
    {.name = NULL},
};
static const struct cli_option add_table[] = {
    {.name = "dir",
     .kind = CLI_PATH,
     .offset = O(dir),
     .value = "DIRECTORY",
     .help = "where the authority is kept"},
    {.name = "permit",
     .kind = CLI_TEXTS,
     .offset = O(permit),
     .value = "TYPE:NAME",
     .help = "what it may certify: dns:HOST, uri:HOST, email:HOST, ip:RANGE or dir:O=NAME,..., "
             "and what is below; without any, names of the authority's domain"},
    {.name = "exclude",
     .kind = CLI_TEXTS,
     .offset = O(exclude),
     .value = "TYPE:NAME",
     .help = "what it may not, although it is below what it may"},
    {.name = "key",
     .kind = CLI_WORD,
     .offset = O(key),
     .words = authority_key_words,
     .dflt = "ec-p256",
     .help = "its key"},
    {.name = "life",
     .kind = CLI_DURATION,
     .offset = O(life_ns),
     .value = "DURATION",
     .dflt = "1826d",
     .help = "how long it is valid"},
    {.name = "shards",
     .kind = CLI_NUMBER,
     .offset = O(shards),
     .value = "COUNT",
     .dflt = "64",
     .max = CA_SHARDS_MAX,
     .help = "in how many parts its revocation list is published as well"},
    {.name = "root",
     .kind = CLI_PATH,
     .offset = O(root),
     .value = "DIRECTORY",
     .help = "where root.key is; else in the authority's directory"},
    {.name = "passphrase-file",
     .kind = CLI_PATH,
     .offset = O(passphrase_file),
     .value = "FILE",
     .help = "its first line opens the root's key; - is standard input"},
    {.name = "owner",
     .kind = CLI_TEXT,
     .offset = O(owner),
     .value = "TEXT",
     .help = "who answers for it; else you"},
    {.name = "place",
     .kind = CLI_TEXT,
     .offset = O(place),
     .value = "TEXT",
     .help = "where it is; else this machine's name"},
    {.name = NULL},
};
#undef O

static void put_trees(const json_t *issuer, const char *member, const char *label,
                      struct mu_buf *out)
{
    const json_t *list = json_object_get(issuer, member);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        mu_buf_printf(out, "%s%s", i == 0 ? label : ", ", text != NULL ? text : "");
    }
    mu_buf_text(out, json_array_size(list) > 0 ? "\n" : "");
}

static void put_issuer(const json_t *issuer, struct mu_buf *out)
{
    char day[MU_TIME_TEXT];
    mu_buf_printf(out, "%s   %s, %s, valid to %s\n", reach_text(issuer, "name"),
                  reach_text(issuer, "display"), reach_text(issuer, "key"),
                  authority_day(reach_time(issuer, "not_after"), day));
    put_trees(issuer, "permitted", "  only   ", out);
    put_trees(issuer, "excluded", "  never  ", out);
    mu_buf_printf(out, "  list   %s\n", reach_text(issuer, "crl"));
}

static bool show_issuers(const struct cli *cli, const json_t *issuers, struct mu_buf *out,
                         struct mutual_error *err)
{
    if (cli->json) {
        return reach_print(issuers, out, err);
    }
    for (size_t i = 0; i < json_array_size(issuers); i++) {
        put_issuer(json_array_get(issuers, i), out);
    }
    return true;
}

static int run_list(struct cli *cli, const void *given)
{
    const struct list_options *options = given;
    struct mutual_error err = {0};
    MU_AUTO(reach) struct reach *reach = NULL;
    MU_AUTO(api_json) json_t *answer = NULL;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 1u << 20);
    bool good = reach_open(cli, &options->at, CA_LOOK, &reach, &err) &&
                reach_get(reach, "/issuers", &answer, &err) &&
                show_issuers(cli, json_object_get(answer, "issuers"), &out, &err) &&
                cli_write(cli, &out, &err);
    return good ? CLI_YES : cli_fail(cli, &err);
}

/* The issuer that is meant, as it would be listed. */
static bool show_issuer(const struct cli *cli, struct ca *ca, const char *word, struct mu_buf *out,
                        struct mutual_error *err)
{
    MU_AUTO(api_json) json_t *issuer = NULL;
    MU_AUTO(buf) struct mu_buf text;
    struct mu_json json;
    mu_buf_init(&text, 1u << 20);
    mu_json_init(&json, &text);
    admin_issuer_json(ca, word, &json);
    if (!api_json_object(mu_buf_slice(&text), "an issuer", MUTUAL_E_JSON_MALFORMED, &issuer, err)) {
        return false;
    }
    if (cli->json) {
        return reach_print(issuer, out, err);
    }
    put_issuer(issuer, out);
    return true;
}

static bool add(const struct cli *cli, const struct issuer_options *given, struct mutual_error *err)
{
    MU_AUTO(authority_secret) char *passphrase = NULL;
    MU_AUTO(ca) struct ca *ca = NULL;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 1u << 20);
    if ((given->passphrase_file != NULL &&
         !authority_secret_read(given->passphrase_file, &passphrase, err)) ||
        !authority_open(cli, given->dir, CA_CHANGE, &ca, err)) {
        return false;
    }
    const struct ca_issuer_options options = {
        .word = cli->args[0],
        .permit = given->permit.items,
        .permit_count = given->permit.count,
        .exclude = given->exclude.items,
        .exclude_count = given->exclude.count,
        .key = (enum mu_key_spec)given->key,
        .life_s = given->life_ns / MU_NS_PER_S,
        .shards = (unsigned)given->shards,
        .root_dir = given->root,
        .passphrase = passphrase,
        .owner = given->owner != NULL ? given->owner : authority_owner(),
        .place = given->place != NULL ? given->place : authority_place(),
        .now_s = mu_clock_wall_s(),
    };
    if (!ca_issuer_add(ca, &options, err)) {
        return err->code == MUTUAL_E_KEY_PASSPHRASE && passphrase == NULL
                   ? mu_error_hint(err, "Give the root's passphrase: --passphrase-file FILE, or - "
                                        "for standard input.")
                   : false;
    }
    if (!show_issuer(cli, ca, options.word, &out, err)) {
        return false;
    }
    if (!cli->json) {
        mu_buf_printf(&out, "next     mutual issue NAME --issuer %s\n", options.word);
    }
    return cli_write(cli, &out, err);
}

static int run_add(struct cli *cli, const void *options)
{
    struct mutual_error err = {0};
    return add(cli, options, &err) ? CLI_YES : cli_fail(cli, &err);
}

static const struct cli_verb subs[] = {
    {.name = "add",
     .arguments = "NAME",
     .help = "make one more issuer under the authority's root",
     .details = "Its name constraints are put into its certificate, and every verifier keeps\n"
                "them. A type of which nothing is permitted is closed. The root's key is needed\n"
                "for it: bring its directory back for the moment, or name it by --root.\n"
                "Go refuses every chain with constraints on directory names (dir:), and GnuTLS\n"
                "those with excluded ones.",
     .options = add_table,
     .options_size = sizeof(struct issuer_options),
     .min_args = 1,
     .max_args = 1,
     .run = run_add},
    {.name = NULL},
};

const struct cli_verb cli_verb_issuer = {
    .name = "issuer",
    .group = CLI_GROUP_CERT,
    .help = "show the authority's issuers, or add one",
    .options = list_table,
    .options_size = sizeof(struct list_options),
    .subs = subs,
    .run = run_list,
};
