/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual issuer: the authority's issuers, and one more under the same root.
 */
#include "cli/authority_internal.h"

struct issuer_options {
    const char *dir, *root, *passphrase_file, *owner, *place;
    struct cli_texts permit, exclude;
    int key;
    int64_t life_ns;
    uint64_t shards;
};

#define O(field_) offsetof(struct issuer_options, field_)
static const struct cli_option list_table[] = {
    {.name = "dir",
     .kind = CLI_PATH,
     .offset = O(dir),
     .value = "DIRECTORY",
     .help = "where the authority is kept"},
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

static void trees_text(const char *label, const struct mu_subtree *trees, size_t count,
                       struct mu_buf *out)
{
    for (size_t i = 0; i < count; i++) {
        mu_buf_printf(out, "%s", i == 0 ? label : ", ");
        mu_gname_text(out, &trees[i].base);
    }
    mu_buf_text(out, count > 0 ? "\n" : "");
}

static void trees_json(struct mu_json *json, const char *key, const struct mu_subtree *trees,
                       size_t count)
{
    mu_json_open(json, key, '[');
    for (size_t i = 0; i < count; i++) {
        MU_AUTO(buf) struct mu_buf text;
        mu_buf_init(&text, 8192);
        mu_gname_text(&text, &trees[i].base);
        mu_json_string(json, NULL, mu_buf_str(&text));
    }
    mu_json_close(json, ']');
}

/* The issuer that is meant. */
static void show_issuer(struct ca *ca, const char *word, struct mu_json *json, struct mu_buf *out)
{
    const struct mu_cert_facts *facts = mu_cert_facts(ca_issuer(ca));
    char time[MU_TIME_TEXT];
    if (json == NULL) {
        mu_buf_printf(out, "%s   %s, %s, valid to %s\n", word, facts->display, facts->key.text,
                      authority_day(facts->not_after_s, time));
        trees_text("  only   ", facts->permitted, facts->permitted_count, out);
        trees_text("  never  ", facts->excluded, facts->excluded_count, out);
        mu_buf_printf(out, "  list   %s\n", ca_crl_path(ca));
        return;
    }
    mu_json_open(json, NULL, '{');
    mu_json_string(json, "name", word);
    mu_json_string(json, "subject", facts->subject_text);
    mu_json_string(json, "key", facts->key.text);
    mu_json_string(json, "not_after", mu_time_format(facts->not_after_s, time));
    trees_json(json, "permitted", facts->permitted, facts->permitted_count);
    trees_json(json, "excluded", facts->excluded, facts->excluded_count);
    mu_json_string(json, "domain", ca_domain(ca));
    mu_json_string(json, "crl", ca_crl_path(ca));
    mu_json_close(json, '}');
}

static int run_list(struct cli *cli, const void *given)
{
    const struct issuer_options *options = given;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = NULL;
    MU_AUTO(buf) struct mu_buf out;
    struct mu_json json;
    mu_buf_init(&out, 1u << 20);
    if (!authority_open(cli, options->dir, CA_LOOK, &ca, &err)) {
        return cli_fail(cli, &err);
    }
    mu_json_init(&json, &out);
    if (cli->json) {
        mu_json_open(&json, NULL, '[');
    }
    const char *word;
    for (size_t i = 0; (word = ca_issuer_word(ca, i)) != NULL; i++) {
        if (!ca_select(ca, word, &err)) {
            return cli_fail(cli, &err);
        }
        show_issuer(ca, word, cli->json ? &json : NULL, &out);
    }
    if (cli->json) {
        mu_json_close(&json, ']');
        mu_buf_byte(&out, '\n');
    }
    return cli_write(cli, &out, &err) ? CLI_YES : cli_fail(cli, &err);
}

static bool add(const struct cli *cli, const struct issuer_options *given, struct mutual_error *err)
{
    MU_AUTO(authority_secret) char *passphrase = NULL;
    MU_AUTO(ca) struct ca *ca = NULL;
    MU_AUTO(buf) struct mu_buf out;
    struct mu_json json;
    mu_buf_init(&out, 1u << 20);
    mu_json_init(&json, &out);
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
    show_issuer(ca, options.word, cli->json ? &json : NULL, &out);
    if (cli->json) {
        mu_buf_byte(&out, '\n');
    } else {
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
    .options_size = sizeof(struct issuer_options),
    .subs = subs,
    .run = run_list,
};
