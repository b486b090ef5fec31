/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual verify FILE: is this certificate good by these authorities, and if not, which check fails?
 * mutual verify --limbo: the same judge over a suite of path-validation cases.
 */
#include "cli/authority_internal.h"

#include "trust/trust.h"
#include "verify/verify.h"

#include <string.h>

struct verify_options {
    struct cli_texts ca, intermediates, crl, names;
    int purpose;
    int64_t at_s;
    bool limbo, require_crl, allow_intermediate_anchors;
};

#define O(field_) offsetof(struct verify_options, field_)
static const char *const purpose_words[] = {"server", "client", NULL};
static const struct cli_option verify_table[] = {
    {.name = "ca",
     .kind = CLI_PATHS,
     .offset = O(ca),
     .value = "BUNDLE",
     .help = "PEM file of the authorities to trust"},
    {.name = "intermediates",
     .kind = CLI_PATHS,
     .offset = O(intermediates),
     .value = "FILE",
     .help = "PEM file of certificates that may complete the path"},
    {.name = "crl",
     .kind = CLI_PATHS,
     .offset = O(crl),
     .value = "FILE",
     .help = "revocation lists, PEM or DER"},
    {.name = "require-crl",
     .kind = CLI_FLAG,
     .offset = O(require_crl),
     .help = "refuse when no list covers a certificate of the path"},
    {.name = "purpose",
     .kind = CLI_WORD,
     .offset = O(purpose),
     .value = "server|client",
     .words = purpose_words,
     .dflt = "client",
     .help = "the role that it is to prove"},
    {.name = "name",
     .kind = CLI_TEXTS,
     .offset = O(names),
     .value = "TYPE:NAME",
     .help = "a name that it must have: dns:HOST, ip:ADDRESS, spiffe:ID, uri:, email:"},
    {.name = "at",
     .kind = CLI_TIME,
     .offset = O(at_s),
     .value = "TIME",
     .help = "verify as of this time, such as 2027-01-31"},
    {.name = "allow-intermediate-anchors",
     .kind = CLI_FLAG,
     .offset = O(allow_intermediate_anchors),
     .help = "let a bundle hold authorities that are not self-signed"},
    {.name = "limbo",
     .kind = CLI_FLAG,
     .offset = O(limbo),
     .help = "judge a suite of cases, x509-limbo JSON, from standard input"},
    {.name = NULL},
};
#undef O

/* Suites of today have 50 MB. */
#define SUITE_MAX ((size_t)512 << 20)

/* What was read for one run. */
struct material {
    struct mu_buf *bufs; /* the files, in the order of reading */
    size_t buf_count;
    struct verify_text *texts;
    struct verify_name *names;
    struct mutual_der *sent;
    struct mu_certs leaf;  /* FILE's certificates     */
    struct mu_certs known; /* those of the other files */
    struct verify_case given;
};

static void material_done(struct material *material)
{
    for (size_t i = 0; i < material->buf_count; i++) {
        mu_buf_done(&material->bufs[i]);
    }
    mu_free(material->bufs);
    mu_free(material->texts);
    mu_free(material->names);
    mu_free(material->sent);
    mu_certs_done(&material->leaf);
    mu_certs_done(&material->known);
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool read_name(const char *text, struct verify_name *ret_name, struct mutual_error *err)
{
    const char *colon = strchr(text, ':');
    for (int type = 0; colon != NULL && type < (int)MUTUAL_NAME_COUNT_; type++) {
        const char *word = mutual_name_type_word((enum mutual_name_type)type);
        if (strlen(word) == (size_t)(colon - text) && mu_text_starts(text, word)) {
            /* "spiffe://..." names its type already. */
            bool whole = type == (int)MUTUAL_NAME_SPIFFE && mu_text_starts(colon, "://");
            *ret_name = (struct verify_name){(enum mutual_name_type)type, whole ? text : colon + 1};
            return true;
        }
    }
    (void)mu_fail(err, MUTUAL_E_OPTION_VALUE, "\"%s\" is not a name with its type", text);
    return mu_error_hint(err, "Names read dns:host.example.org, ip:10.0.0.1, spiffe://..., "
                              "uri:..., email:..., cn:...");
}

/* A list of files; certificates among them are kept for telling the path. */
static bool read_files(struct material *material, const struct cli_texts *paths, size_t max,
                       bool certs, struct verify_texts *ret_texts, struct mutual_error *err)
{
    struct verify_text *texts = &material->texts[material->buf_count];
    for (size_t i = 0; i < paths->count; i++) {
        struct mu_buf *buf = &material->bufs[material->buf_count];
        if (!mu_file_read(paths->items[i], max, buf, err)) {
            return false;
        }
        material->buf_count++;
        texts[i] = (struct verify_text){mu_buf_slice(buf), paths->items[i]};
        if (certs && !mu_certs_from_pem(texts[i].bytes, paths->items[i], &material->known, err)) {
            return false;
        }
    }
    *ret_texts = (struct verify_texts){texts, paths->count};
    return true;
}

/* FILE: a chain in PEM, the certificate first, or one certificate in DER. */
static bool read_leaf(struct material *material, const char *path, struct mutual_error *err)
{
    struct mu_buf *buf = &material->bufs[material->buf_count];
    if (!authority_read(path, MU_LIMIT_PEM_BYTES, buf, err)) {
        return false;
    }
    material->buf_count++;
    if (buf->len > 0 && buf->data[0] == 0x30) {
        MU_AUTO(cert) struct mu_cert *cert = NULL;
        if (!mu_cert_from_der(mu_buf_slice(buf), &cert, err) ||
            !mu_certs_add(&material->leaf, cert, err)) {
            return false;
        }
    } else if (!mu_certs_from_pem(mu_buf_slice(buf), path, &material->leaf, err)) {
        return false;
    }
    material->sent = mu_alloc(material->leaf.count, sizeof *material->sent);
    if (material->sent == NULL) {
        return mu_fail_memory(err);
    }
    for (size_t i = 0; i < material->leaf.count; i++) {
        struct mu_slice der = mu_cert_facts(material->leaf.items[i])->der;
        material->sent[i] = (struct mutual_der){der.data, der.len};
    }
    material->given.sent = material->sent;
    material->given.sent_count = material->leaf.count;
    return true;
}

static bool read_all(struct material *material, const struct cli *cli,
                     const struct verify_options *options, struct mutual_error *err)
{
    struct verify_case *given = &material->given;
    size_t files = 1 + options->ca.count + options->intermediates.count + options->crl.count;
    material->bufs = mu_alloc(files, sizeof *material->bufs);
    material->texts = mu_alloc(files, sizeof *material->texts);
    material->names = mu_alloc(options->names.count + 1, sizeof *material->names);
    if (material->bufs == NULL || material->texts == NULL || material->names == NULL) {
        return mu_fail_memory(err);
    }
    for (size_t i = 0; i < options->names.count; i++) {
        if (!read_name(options->names.items[i], &material->names[i], err)) {
            return false;
        }
    }
    given->names = material->names;
    given->name_count = options->names.count;
    given->purpose = (enum mutual_purpose)options->purpose;
    given->now_s = options->at_s != 0 ? options->at_s : mu_clock_wall_s();
    given->lists_required = options->require_crl;
    given->allow_intermediate_anchors = options->allow_intermediate_anchors;
    return read_files(material, &options->ca, MU_LIMIT_PEM_BYTES, true, &given->anchors, err) &&
           read_files(material, &options->intermediates, MU_LIMIT_PEM_BYTES, true, &given->pool,
                      err) &&
           read_files(material, &options->crl, MU_LIMIT_CRL_BYTES, false, &given->lists, err) &&
           read_leaf(material, cli->args[0], err);
}

/* ---- telling --------------------------------------------------------------------------------- */

static const struct mu_cert_facts *find_cert(const struct material *material,
                                             const uint8_t fingerprint[32])
{
    const struct mu_certs *both[] = {&material->leaf, &material->known};
    for (size_t k = 0; k < MU_COUNT(both); k++) {
        for (size_t i = 0; i < both[k]->count; i++) {
            const struct mu_cert_facts *facts = mu_cert_facts(both[k]->items[i]);
            if (memcmp(facts->fingerprint, fingerprint, 32) == 0) {
                return facts;
            }
        }
    }
    mu_never("a path holds only certificates that were given");
}

static void tell_path_json(const struct material *material, const struct mutual_chain *chain,
                           struct mu_buf *out)
{
    struct mu_json json;
    size_t count = 0;
    char when[MU_TIME_TEXT];
    const struct mutual_link *links = mutual_chain_links(chain, &count);
    mu_json_init(&json, out);
    mu_json_open(&json, NULL, '{');
    mu_json_bool(&json, "good", true);
    mu_json_string(&json, "purpose", purpose_words[material->given.purpose]);
    mu_json_open(&json, "path", '[');
    for (size_t i = 0; i < count; i++) {
        const struct mu_cert_facts *facts = find_cert(material, links[i].fingerprint);
        MU_AUTO(buf) struct mu_buf hex;
        mu_buf_init(&hex, 128);
        mu_hex(&hex, mu_slice_of(links[i].fingerprint, 32));
        mu_json_open(&json, NULL, '{');
        mu_json_string(&json, "subject", facts->subject_text);
        mu_json_string(&json, "fingerprint", mu_buf_str(&hex));
        mu_json_string(&json, "not_after", mu_time_format(links[i].not_after_s, when));
        mu_json_bool(&json, "anchor", i + 1 == count);
        mu_json_close(&json, '}');
    }
    mu_json_close(&json, ']');
    mu_json_string(&json, "good_until", mu_time_format(mutual_chain_not_after_s(chain), when));
    mu_json_close(&json, '}');
    mu_buf_byte(out, '\n');
}

static void tell_checks(const struct material *material, const struct mutual_chain *chain,
                        struct mu_buf *out)
{
    const struct verify_case *given = &material->given;
    char when[MU_TIME_TEXT];
    mu_buf_text(out, "checks   signatures   each certificate's by the next one's key\n");
    mu_buf_printf(out, "         dates        all valid, until %s\n",
                  mu_time_format(mutual_chain_not_after_s(chain), when));
    mu_buf_printf(out, "         purpose      a %s, and no authority on the path forbids it\n",
                  purpose_words[given->purpose]);
    mu_buf_text(out, "         constraints  names, path lengths and key usages are kept to\n");
    mu_buf_printf(out, "         revocation   %s%s\n",
                  given->lists.count == 0 ? "not looked at: no list was given"
                                          : "nobody on the path is listed",
                  given->lists_required ? ", everybody is covered" : "");
    for (size_t i = 0; i < given->name_count; i++) {
        mu_buf_printf(out, "         name         %s \"%s\"\n",
                      mutual_name_type_word(given->names[i].type), given->names[i].text);
    }
    if (given->name_count == 0) {
        mu_buf_text(out, "         name         not compared: none was expected\n");
    }
}

static void tell_path(const struct cli *cli, const struct material *material,
                      const struct mutual_chain *chain, struct mu_buf *out)
{
    size_t count = 0;
    const struct mutual_link *links = mutual_chain_links(chain, &count);
    mu_buf_printf(out, "%sgood%s     %s\n", cli_ink(cli, CLI_GOOD), cli_ink(cli, CLI_PLAIN),
                  find_cert(material, links[0].fingerprint)->display);
    for (size_t i = 0; i < count; i++) {
        mu_buf_printf(out, "%s%zu  %s%s\n", i == 0 ? "path     " : "         ", i + 1,
                      find_cert(material, links[i].fingerprint)->subject_text,
                      i + 1 == count ? " (in the bundle)" : "");
    }
    tell_checks(material, chain, out);
}

static void tell_refusal(const struct cli *cli, const struct mutual_error *why, struct mu_buf *out)
{
    const char *hint = why->hint[0] != '\0' ? why->hint : mutual_code_hint(why->code);
    if (cli->json) {
        struct mu_json json;
        mu_json_init(&json, out);
        mu_json_open(&json, NULL, '{');
        mu_json_bool(&json, "good", false);
        mu_json_string(&json, "code", mutual_code_name(why->code));
        mu_json_string(&json, "reason", why->reason);
        mu_json_string(&json, "context", why->context);
        mu_json_string(&json, "hint", hint);
        mu_json_close(&json, '}');
        mu_buf_byte(out, '\n');
        return;
    }
    mu_buf_printf(out, "%srefused%s  %s: %s\n", cli_ink(cli, CLI_BAD), cli_ink(cli, CLI_PLAIN),
                  mutual_code_name(why->code), why->reason);
    if (why->context[0] != '\0') {
        mu_buf_printf(out, "where    %s\n", why->context);
    }
    mu_buf_printf(out, "to do    %s\n", hint);
}

/* A no about the certificate is an answer; what is wrong with our own side is an error. */
static bool is_answer(const struct mutual_error *why)
{
    return mutual_code_class(why->code) == MUTUAL_CLASS_PEER || why->code == MUTUAL_E_CRL_MISSING ||
           why->code == MUTUAL_E_CRL_STALE;
}

static int judge_file(const struct cli *cli, const struct material *material)
{
    struct mutual_error err = {0};
    MU_AUTO(chain) struct mutual_chain *chain = NULL;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 1u << 20);
    bool good = verify_judge(&material->given, &chain, &err);
    if (!good && !is_answer(&err)) {
        return cli_fail(cli, &err);
    }
    if (!good) {
        tell_refusal(cli, &err, &out);
    } else if (cli->json) {
        tell_path_json(material, chain, &out);
    } else {
        tell_path(cli, material, chain, &out);
    }
    if (!cli_write(cli, &out, &err)) {
        return cli_fail(cli, &err);
    }
    return good ? CLI_YES : CLI_NO;
}

static int run_limbo(const struct cli *cli, const struct verify_options *options)
{
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf suite = {0};
    MU_AUTO(buf) struct mu_buf out;
    int64_t now_s = options->at_s != 0 ? options->at_s : mu_clock_wall_s();
    mu_buf_init(&out, SUITE_MAX);
    if (!authority_read("-", SUITE_MAX, &suite, &err) ||
        !verify_limbo(mu_buf_slice(&suite), now_s, &out, &err) || !cli_write(cli, &out, &err)) {
        return cli_fail(cli, &err);
    }
    return CLI_YES;
}

static int run_verify(struct cli *cli, const void *given)
{
    const struct verify_options *options = given;
    struct mutual_error err = {0};
    if (options->limbo && cli->arg_count == 0) {
        return run_limbo(cli, options);
    }
    if (options->limbo || cli->arg_count == 0 || options->ca.count == 0) {
        (void)mu_fail(&err, MUTUAL_E_USAGE,
                      "give FILE and the authorities to believe, --ca BUNDLE; or --limbo alone");
        return cli_fail(cli, &err);
    }
    struct material material = {.bufs = NULL};
    bool ok = read_all(&material, cli, options, &err);
    int status = ok ? judge_file(cli, &material) : cli_fail(cli, &err);
    material_done(&material);
    return status;
}

const struct cli_verb cli_verb_verify = {
    .name = "verify",
    .group = CLI_GROUP_KNOW,
    .arguments = "[FILE]",
    .help = "verify a certificate, and show its path or the check that fails",
    .details =
        "FILE holds the certificate, then the intermediates that a peer would send with it;\n"
        "- is standard input. It is judged by the very code that admits connections, and by\n"
        "nothing but what is given: the system's roots are never looked at, nothing is\n"
        "fetched. Exit status 0: good; 1: refused.\n"
        "With --limbo, a suite of path-validation cases in the JSON of x509-limbo is read\n"
        "from standard input; its result JSON is printed with our reason for each case.\n"
        "Cases without a time of their own are judged now, or --at TIME.",
    .options = verify_table,
    .options_size = sizeof(struct verify_options),
    .max_args = 1,
    .run = run_verify,
};
