/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual init [DOMAIN]: makes an authority. Asks nothing, prints every default it chose.
 */
#include "cli/authority_internal.h"

#include <string.h>
#include <unistd.h>

struct init_options {
    const char *dir, *config_file, *passphrase_file, *owner, *place, *store;
    struct cli_texts dns, ip, email;
    int root_key, issuer_key;
    int64_t root_life_ns, issuer_life_ns;
    bool constrain_subject;
};

#define O(field_) offsetof(struct init_options, field_)
static const struct cli_option init_table[] = {
    {.name = "dir",
     .kind = CLI_PATH,
     .offset = O(dir),
     .value = "DIRECTORY",
     .help = "where the authority is kept; as root /var/lib/mutual, else ~/.local/state/mutual"},
    {.name = "config-file",
     .kind = CLI_PATH,
     .offset = O(config_file),
     .value = "FILE",
     .help = "where the starter configuration goes; else DIRECTORY/mutual.yaml with --dir, and "
             "where every verb looks for it without"},
    {.name = "store",
     .kind = CLI_TEXT,
     .offset = O(store),
     .value = "ADDRESS",
     .help = "keep the store in this empty PostgreSQL database, postgres://USER@HOST/DATABASE; "
             "else in a file of the directory"},
    {.name = "dns",
     .kind = CLI_TEXTS,
     .offset = O(dns),
     .value = "DOMAIN",
     .help = "permit the issuer names below this domain as well"},
    {.name = "ip",
     .kind = CLI_TEXTS,
     .offset = O(ip),
     .value = "RANGE",
     .help = "permit the issuer addresses of this range; else none"},
    {.name = "email",
     .kind = CLI_TEXTS,
     .offset = O(email),
     .value = "HOST",
     .help = "permit the issuer mailboxes of this host as well"},
    {.name = "root-key",
     .kind = CLI_WORD,
     .offset = O(root_key),
     .words = authority_key_words,
     .dflt = "ec-p384",
     .help = "the root's key"},
    {.name = "issuer-key",
     .kind = CLI_WORD,
     .offset = O(issuer_key),
     .words = authority_key_words,
     .dflt = "ec-p256",
     .help = "the issuer's key"},
    {.name = "root-life",
     .kind = CLI_DURATION,
     .offset = O(root_life_ns),
     .value = "DURATION",
     .dflt = "7305d",
     .help = "how long the root is valid"},
    {.name = "issuer-life",
     .kind = CLI_DURATION,
     .offset = O(issuer_life_ns),
     .value = "DURATION",
     .dflt = "1826d",
     .help = "how long the issuer is valid"},
    {.name = "passphrase-file",
     .kind = CLI_PATH,
     .offset = O(passphrase_file),
     .value = "FILE",
     .help = "its first line encrypts the root's key; else one is made and shown once"},
    {.name = "constrain-subject",
     .kind = CLI_FLAG,
     .offset = O(constrain_subject),
     .help = "constrain directory names too; Go programs refuse such chains"},
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

struct telling {
    const struct cli *cli;
    const struct ca_init_options *options;
    const char *dir;
    bool usual; /* authority and configuration are where every verb looks for them */
};

static void authority_json(struct mu_json *json, const char *key, const struct mu_cert *cert)
{
    const struct mu_cert_facts *facts = mu_cert_facts(cert);
    MU_AUTO(buf) struct mu_buf hex;
    mu_buf_init(&hex, 256);
    char time[MU_TIME_TEXT];
    mu_hex(&hex, mu_slice_of(facts->fingerprint, 32));
    mu_json_open(json, key, '{');
    mu_json_string(json, "name", facts->display);
    mu_json_string(json, "key", facts->key.text);
    mu_json_string(json, "not_after", mu_time_format(facts->not_after_s, time));
    mu_json_string(json, "fingerprint", mu_buf_str(&hex));
    mu_json_close(json, '}');
}

static void told_json(const struct telling *telling, const struct ca_init_result *result,
                      struct mu_buf *out)
{
    struct mu_json json;
    mu_json_init(&json, out);
    mu_json_open(&json, NULL, '{');
    mu_json_string(&json, "domain", result->domain);
    mu_json_string(&json, "dir", telling->dir);
    mu_json_string(&json, "passphrase", result->passphrase[0] != '\0' ? result->passphrase : NULL);
    authority_json(&json, "root", result->root);
    authority_json(&json, "issuer", result->issuer);
    mu_json_string(&json, "config", result->config_path);
    mu_json_close(&json, '}');
    mu_buf_byte(out, '\n');
}

/* The passphrase must have reached somebody before the authority counts: an init that is killed
 * here leaves nothing, one that is killed later has shown it. */
static bool tell(void *context, const struct ca_init_result *result, struct mutual_error *err)
{
    const struct telling *telling = context;
    const struct cli *cli = telling->cli;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 64u << 10);
    if (cli->json) {
        told_json(telling, result, &out);
    } else if (result->passphrase[0] != '\0') {
        mu_buf_printf(&out,
                      "passphrase  %s   opens the root's key; write it down now, it is shown once "
                      "and kept nowhere\n",
                      result->passphrase);
    }
    bool good = cli_write(cli, &out, err);
    mu_wipe(out.data, out.len);
    if (good && fflush(cli->out) != 0) {
        return mu_fail(err, MUTUAL_E_FILE_UNWRITABLE, "the root's passphrase could not be shown") ||
               mu_error_hint(err, "Nothing was made. Give init an output that can be written, or "
                                  "--passphrase-file.");
    }
    return good;
}

static void print_authority(const struct cli *cli, const char *word, const struct mu_cert *cert,
                            const char *remark)
{
    const struct mu_cert_facts *facts = mu_cert_facts(cert);
    char day[MU_TIME_TEXT];
    cli_print(cli, "made   %-7s %-28s %-10s valid to %s   %s\n", word, facts->display,
              facts->key.text, authority_day(facts->not_after_s, day), remark);
}

static void print_subtrees(const struct cli *cli, const char *label, const struct mu_subtree *trees,
                           size_t count)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 64u << 10);
    for (size_t i = 0; i < count; i++) {
        mu_buf_text(&text, i == 0 ? "" : ", ");
        mu_gname_text(&text, &trees[i].base);
    }
    if (count > 0) {
        cli_print(cli, "       %-7s %s\n", label, mu_buf_str(&text));
    }
}

static void print_result(const struct cli *cli, const struct telling *telling,
                         const struct ca_init_result *result)
{
    const struct mu_cert_facts *issuer = mu_cert_facts(result->issuer);
    MU_AUTO(buf) struct mu_buf hex;
    mu_buf_init(&hex, 256);
    mu_hex(&hex, mu_slice_of(mu_cert_facts(result->root)->fingerprint, 32));
    if (result->leftovers) {
        cli_print(cli, "cleared  what an init that was interrupted had left\n");
    }
    print_authority(cli, "root", result->root, "key encrypted, keep offline");
    print_authority(cli, "issuer", result->issuer, "signs what you issue; no further authorities");
    print_subtrees(cli, "only", issuer->permitted, issuer->permitted_count);
    print_subtrees(cli, "never", issuer->excluded, issuer->excluded_count);
    cli_print(cli, "wrote  %s/authority/{%s,ca.crt,issuer.crl,root/,issuer/}\n", telling->dir,
              telling->options->store == NULL ? "ca.db" : "store");
    cli_print(cli, "%s  %s\n", result->config_kept ? "kept " : "wrote", result->config_path);
    cli_print(cli, "facts  owner %s, place %s\n", telling->options->owner, telling->options->place);
    cli_print(cli, "root fingerprint  SHA256:%s\n", mu_buf_str(&hex));
    cli_print(cli, "       compare it on every machine that is to trust %s/authority/ca.crt\n",
              telling->dir);
    cli_print(cli, "next   move %s/authority/root to a medium that you lock away\n", telling->dir);
    if (telling->usual) {
        cli_print(cli, "       mutual issue web\n       mutual check\n       mutual serve\n");
    } else {
        cli_print(cli,
                  "       mutual issue web --dir %s\n"
                  "       mutual check -c %s\n"
                  "       mutual serve -c %s\n",
                  telling->dir, result->config_path, result->config_path);
    }
}

static bool run_init_with(const struct cli *cli, const struct init_options *given,
                          struct mutual_error *err)
{
    MU_AUTO(authority_secret) char *passphrase = NULL;
    MU_AUTO(buf) struct mu_buf dir;
    mu_buf_init(&dir, 4096);
    if ((given->passphrase_file != NULL &&
         !authority_secret_read(given->passphrase_file, &passphrase, err)) ||
        !(given->dir != NULL ? mu_buf_text(&dir, given->dir)
                             : authority_dir(cli, NULL, &dir, err))) {
        return false;
    }
    const struct ca_init_options options = {
        .dir = mu_buf_str(&dir),
        .config_path = given->config_file != NULL ? given->config_file
                       : given->dir == NULL
                           ? (cli->config_given ? cli->config_path : cli->own_config)
                           : NULL,
        .name = cli->arg_count > 0 ? cli->args[0] : NULL,
        .dns = given->dns.items,
        .dns_count = given->dns.count,
        .ip = given->ip.items,
        .ip_count = given->ip.count,
        .email = given->email.items,
        .email_count = given->email.count,
        .root_key = (enum mu_key_spec)given->root_key,
        .issuer_key = (enum mu_key_spec)given->issuer_key,
        .root_life_s = given->root_life_ns / MU_NS_PER_S,
        .issuer_life_s = given->issuer_life_ns / MU_NS_PER_S,
        .passphrase = passphrase,
        .store = given->store,
        .constrain_subject = given->constrain_subject,
        .owner = given->owner != NULL ? given->owner : authority_owner(),
        .place = given->place != NULL ? given->place : authority_place(),
        .who = authority_who(),
        .now_s = mu_clock_wall_s(),
    };
    bool usual = given->dir == NULL && given->config_file == NULL && !cli->config_given;
    struct telling telling = {cli, &options, options.dir, usual};
    struct ca_init_result result = {0};
    if (!ca_init(&options, tell, &telling, &result, err)) {
        return false;
    }
    print_result(cli, &telling, &result);
    ca_init_result_done(&result);
    return true;
}

static int run_init(struct cli *cli, const void *options)
{
    struct mutual_error err = {0};
    return run_init_with(cli, options, &err) ? CLI_YES : cli_fail(cli, &err);
}

const struct cli_verb cli_verb_init = {
    .name = "init",
    .group = CLI_GROUP_START,
    .arguments = "[DOMAIN]",
    .help = "create a certificate authority and a starter configuration",
    .details = "Without DOMAIN it is for mutual.internal; a DOMAIN without a dot gets .internal.\n"
               "The issuer may only certify names below DOMAIN, spiffe://DOMAIN, mailboxes of\n"
               "DOMAIN, and what --dns, --ip and --email add. Nothing is asked.",
    .options = init_table,
    .options_size = sizeof(struct init_options),
    .max_args = 1,
    .run = run_init,
};
