/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual export crl|root|issuer: what others need of the authority, printed or written.
 */
#include "cli/authority_internal.h"

#include <string.h>

struct export_options {
    const char *dir, *out;
    bool der;
    int64_t life_ns;
};

#define O(field_) offsetof(struct export_options, field_)
#define COMMON_OPTIONS                                                                  \
    {.name = "dir",                                                                     \
     .kind = CLI_PATH,                                                                  \
     .offset = O(dir),                                                                  \
     .value = "DIRECTORY",                                                              \
     .help = "where the authority is kept"},                                            \
        {.name = "out",                                                                 \
         .letter = 'o',                                                                 \
         .kind = CLI_PATH,                                                              \
         .offset = O(out),                                                              \
         .value = "FILE",                                                               \
         .dflt = "-",                                                                   \
         .help = "where it goes; - is standard output"},                                \
    {                                                                                   \
        .name = "der", .kind = CLI_FLAG, .offset = O(der), .help = "DER instead of PEM" \
    }

static const struct cli_option export_table[] = {
    COMMON_OPTIONS,
    {.name = NULL},
};
static const struct cli_option crl_table[] = {
    COMMON_OPTIONS,
    {.name = "life",
     .kind = CLI_DURATION,
     .offset = O(life_ns),
     .value = "DURATION",
     .dflt = "30d",
     .help = "how long until the next list must be there"},
    {.name = NULL},
};
#undef O

static bool deliver(const struct cli *cli, const struct export_options *options,
                    const struct mu_buf *bytes, struct mutual_error *err)
{
    if (strcmp(options->out, "-") == 0) {
        return cli_write(cli, bytes, err);
    }
    if (bytes->failed) {
        return mu_fail_memory(err);
    }
    if (!mu_file_write(options->out, mu_buf_slice(bytes), 0644, err)) {
        return false;
    }
    cli_say(cli, "wrote  %s\n", options->out);
    return true;
}

/* What was published is PEM; DER is taken out of it. */
static bool read_list(const struct ca *ca, bool der, struct mu_buf *ret_bytes,
                      struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf pem = {0};
    if (!mu_file_read(ca_crl_path(ca), 2 * (size_t)MU_LIMIT_CRL_BYTES, &pem, err)) {
        return false;
    }
    if (!der) {
        *ret_bytes = pem;
        pem = (struct mu_buf){0};
        return true;
    }
    struct mu_pem_reader reader;
    MU_AUTO(crl) struct mu_crl *crl = NULL;
    mu_pem_open(&reader, mu_buf_slice(&pem), ca_crl_path(ca));
    if (!mu_crl_from_pem(&reader, &crl, err)) {
        return false;
    }
    mu_buf_init(ret_bytes, MU_LIMIT_CRL_BYTES);
    mu_buf_append(ret_bytes, mu_crl_facts(crl)->der.data, mu_crl_facts(crl)->der.len);
    return true;
}

static int run_crl(struct cli *cli, const void *given)
{
    const struct export_options *options = given;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = NULL;
    MU_AUTO(buf) struct mu_buf bytes = {0};
    struct ca_signer signer;
    ca_signer_init_process(&signer);
    bool good =
        authority_open(cli, options->dir, CA_CHANGE, &ca, &err) &&
        ca_crl_publish(ca, &signer, options->life_ns / MU_NS_PER_S, mu_clock_wall_s(), &err) &&
        read_list(ca, options->der, &bytes, &err) && deliver(cli, options, &bytes, &err);
    return good ? CLI_YES : cli_fail(cli, &err);
}

static int export_certificate(struct cli *cli, const struct export_options *options,
                              const struct mu_cert *(*which)(const struct ca *ca))
{
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = NULL;
    MU_AUTO(buf) struct mu_buf bytes;
    mu_buf_init(&bytes, 1u << 20);
    if (!authority_open(cli, options->dir, CA_LOOK, &ca, &err)) {
        return cli_fail(cli, &err);
    }
    const struct mu_cert *cert = which(ca);
    if (options->der) {
        mu_buf_append(&bytes, mu_cert_facts(cert)->der.data, mu_cert_facts(cert)->der.len);
    } else {
        mu_cert_to_pem(cert, &bytes);
    }
    return deliver(cli, options, &bytes, &err) ? CLI_YES : cli_fail(cli, &err);
}

static int run_root(struct cli *cli, const void *options)
{
    return export_certificate(cli, options, ca_root);
}

static int run_issuer(struct cli *cli, const void *options)
{
    return export_certificate(cli, options, ca_issuer);
}

static const struct cli_verb subs[] = {
    {.name = "crl",
     .help = "publish a new revocation list (CRL), and print it",
     .options = crl_table,
     .options_size = sizeof(struct export_options),
     .run = run_crl},
    {.name = "root",
     .help = "the root certificate, for everybody who is to trust it",
     .options = export_table,
     .options_size = sizeof(struct export_options),
     .run = run_root},
    {.name = "issuer",
     .help = "the issuer's certificate",
     .options = export_table,
     .options_size = sizeof(struct export_options),
     .run = run_issuer},
    {.name = NULL},
};

const struct cli_verb cli_verb_export = {
    .name = "export",
    .group = CLI_GROUP_MORE,
    .arguments = "crl|root|issuer",
    .help = "print the authority's root, issuer or revocation list (CRL)",
    .subs = subs,
};
