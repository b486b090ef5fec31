/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual issue NAME: a certificate, from a profile, with our key or for somebody's request.
 */
#include "cli/issue_internal.h"

#include <string.h>

struct issue_options {
    struct reach_options at;
    const char *profile, *issuer, *csr, *owner, *place, *purpose, *out;
    struct authority_san san;
    const char *key;
    int64_t life_ns;
    bool must_staple;
    struct authority_p12 p12;
};

#define O(field_) offsetof(struct issue_options, field_)
static const struct cli_option issue_table[] = {
    REACH_OPTIONS(O(at)),
    {.name = "profile",
     .letter = 'p',
     .kind = CLI_TEXT,
     .offset = O(profile),
     .value = "PROFILE",
     .dflt = "server",
     .help = "server, client, service, device, user or one of your own; see: mutual show profile"},
    {.name = "issuer",
     .kind = CLI_TEXT,
     .offset = O(issuer),
     .value = "NAME",
     .help = "who issues it; else the authority's first issuer. See: mutual issuer"},
    AUTHORITY_SAN_OPTIONS(O(san)),
    {.name = "life",
     .kind = CLI_DURATION,
     .offset = O(life_ns),
     .value = "DURATION",
     .help = "how long it is valid; else the profile's default"},
    {.name = "key",
     .kind = CLI_TEXT,
     .offset = O(key),
     .value = "KIND",
     .help = "ec-p256, ec-p384, rsa-2048, rsa-3072, rsa-4096 or ed25519"},
    {.name = "must-staple",
     .kind = CLI_FLAG,
     .offset = O(must_staple),
     .help = "for a server: clients refuse it without a stapled OCSP response (RFC 7633)"},
    {.name = "csr",
     .kind = CLI_PATH,
     .offset = O(csr),
     .value = "FILE",
     .help = "certify the key of this request; - is standard input"},
    {.name = "owner",
     .kind = CLI_TEXT,
     .offset = O(owner),
     .value = "TEXT",
     .help = "who answers for it; else you"},
    {.name = "place",
     .kind = CLI_TEXT,
     .offset = O(place),
     .value = "TEXT",
     .help = "where it is used; else this machine's name"},
    {.name = "purpose",
     .kind = CLI_TEXT,
     .offset = O(purpose),
     .value = "TEXT",
     .help = "what it is for; else what the profile says"},
    {.name = "out",
     .letter = 'o',
     .kind = CLI_PATH,
     .offset = O(out),
     .value = "DIRECTORY",
     .help = "make its directory in here; with --csr, - prints it instead"},
    {.name = "p12",
     .kind = CLI_FLAG,
     .offset = O(p12.wanted),
     .help = "put key and certificate into a PKCS#12 file, for people"},
    {.name = "for",
     .kind = CLI_WORD,
     .offset = O(p12.preset),
     .words = authority_p12_words,
     .dflt = "modern",
     .help = "who is to import the PKCS#12 file"},
    {.name = "password-file",
     .kind = CLI_PATH,
     .offset = O(p12.password_file),
     .value = "FILE",
     .help = "its first line opens the PKCS#12 file; else one is made and shown once"},
    {.name = NULL},
};
#undef O

static bool check_together(const struct issue_options *options, struct mutual_error *err)
{
    bool print = options->out != NULL && strcmp(options->out, "-") == 0;
    bool p12 = options->p12.wanted || options->p12.password_file != NULL;
    if (options->csr != NULL && (p12 || options->key != NULL)) {
        return mu_fail(err, MUTUAL_E_USAGE, "with --csr the key is somebody else's: no --%s",
                       p12 ? "p12" : "key");
    }
    if (print && options->csr == NULL) {
        return mu_fail(err, MUTUAL_E_USAGE, "--out - prints a certificate, but no private key") ||
               mu_error_hint(err, "Give a directory; or a request, with --csr.");
    }
    return true;
}

static bool fill_request(const struct cli *cli, const struct issue_options *options,
                         struct ca_request *request, struct mutual_error *err)
{
    *request = (struct ca_request){
        .name = cli->args[0],
        .life_s = options->life_ns / MU_NS_PER_S,
        .owner = options->owner,
        .place = options->place != NULL ? options->place : authority_place(),
        .purpose = options->purpose,
        .issuer = options->issuer,
        .now_s = mu_clock_wall_s(),
    };
    request->print_only = options->out != NULL && strcmp(options->out, "-") == 0;
    request->out = request->print_only ? NULL : options->out;
    request->must_staple = options->must_staple;
    request->key_given = options->key != NULL;
    if (request->key_given && !mu_key_spec_find(options->key, &request->key)) {
        return mu_fail(err, MUTUAL_E_OPTION_VALUE, "\"%s\" is not a kind of key", options->key) ||
               mu_error_hint(err, "One of: ec-p256, ec-p384, rsa-2048, rsa-3072, rsa-4096, "
                                  "ed25519.");
    }
    return true;
}

/* Who answers for it: whom the command names, else the profile, else you. */
static bool fill_profile(const struct ca *ca, const struct issue_options *options,
                         struct ca_request *request, struct mutual_error *err)
{
    if (!ca_profile_of(ca, options->profile, &request->profile, err)) {
        return false;
    }
    if (request->owner == NULL) {
        request->owner =
            request->profile->owner != NULL ? request->profile->owner : authority_owner();
    }
    return true;
}

static bool run_issue_with(const struct cli *cli, const struct issue_options *options,
                           struct mutual_error *err)
{
    MU_AUTO(ca_names) struct ca_names names = {0};
    MU_AUTO(authority_secret) char *secret = NULL;
    MU_AUTO(csr) struct mu_csr *csr = NULL;
    MU_AUTO(reach) struct reach *reach = NULL;
    struct ca_request request;
    if (!check_together(options, err) || !fill_request(cli, options, &request, err) ||
        !authority_names_read(&options->san, &names, err) ||
        !authority_p12_request(cli, &options->p12, &request, &secret, err) ||
        (options->csr != NULL && !authority_csr_read(options->csr, &csr, err))) {
        return false;
    }
    request.names = names.items;
    request.name_count = names.count;
    request.csr = csr;
    if (!reach_open(cli, &options->at, CA_CHANGE, &reach, err)) {
        return false;
    }
    struct ca *ca = reach_ca(reach);
    const struct issue_far far = {&request, options->profile};
    return ca == NULL ? issue_far(cli, reach, &far, err)
                      : fill_profile(ca, options, &request, err) &&
                            authority_issue(cli, ca, &request, err);
}

static int run_issue(struct cli *cli, const void *options)
{
    struct mutual_error err = {0};
    return run_issue_with(cli, options, &err) ? CLI_YES : cli_fail(cli, &err);
}

const struct cli_verb cli_verb_issue = {
    .name = "issue",
    .group = CLI_GROUP_CERT,
    .arguments = "NAME",
    .help = "issue a certificate, with a new key or for a request (CSR)",
    .details =
        "Types of names that are not given are made from NAME: web becomes\n"
        "web.DOMAIN and spiffe://DOMAIN/web. The files tls.crt, tls.key and ca.crt go to\n"
        "DIRECTORY/tls/NAME/, or to NAME/ in the directory of --out. With --server the key is\n"
        "made here and only its request is sent; the directory is tls/NAME/ then.",
    .options = issue_table,
    .options_size = sizeof(struct issue_options),
    .min_args = 1,
    .max_args = 1,
    .run = run_issue,
};
