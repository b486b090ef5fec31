/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual renew WHO: the same names and facts again, with a new key and a new end.
 */
#include "cli/authority_internal.h"

#include <string.h>

struct renew_options {
    const char *dir, *csr, *out, *key;
    int64_t life_ns;
    bool keep_key;
    struct authority_p12 p12;
};

#define O(field_) offsetof(struct renew_options, field_)
static const struct cli_option renew_table[] = {
    {.name = "dir",
     .kind = CLI_PATH,
     .offset = O(dir),
     .value = "DIRECTORY",
     .help = "where the authority is kept"},
    {.name = "life",
     .kind = CLI_DURATION,
     .offset = O(life_ns),
     .value = "DURATION",
     .help = "how long it is valid; else as long as before"},
    {.name = "key",
     .kind = CLI_TEXT,
     .offset = O(key),
     .value = "KIND",
     .help = "another kind of key"},
    {.name = "keep-key",
     .kind = CLI_FLAG,
     .offset = O(keep_key),
     .help = "keep the key that is there instead of making a new one"},
    {.name = "csr",
     .kind = CLI_PATH,
     .offset = O(csr),
     .value = "FILE",
     .help = "certify the key of this request; - is standard input"},
    {.name = "out",
     .letter = 'o',
     .kind = CLI_PATH,
     .offset = O(out),
     .value = "DIRECTORY",
     .help = "make its directory in here instead of replacing the old files"},
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

static const struct {
    enum mu_key_spec spec;
    const char *text; /* as mu_key_info.text, which the inventory keeps */
} key_texts[] = {
    {MU_SPEC_EC_P256, "EC P-256"},
    {MU_SPEC_EC_P384, "EC P-384"},
    {MU_SPEC_ED25519, "Ed25519"},
};

/* The kind of key that the old one has; an RSA key's size is read from its certificate. */
static bool same_key(const struct inventory_record *old, enum mu_key_spec *ret_spec)
{
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    for (size_t i = 0; i < MU_COUNT(key_texts); i++) {
        if (strcmp(old->key_text, key_texts[i].text) == 0) {
            *ret_spec = key_texts[i].spec;
            return true;
        }
    }
    if (!mu_cert_from_der(old->der, &cert, NULL)) {
        return false;
    }
    unsigned bits = mu_cert_facts(cert)->key.bits;
    *ret_spec = bits <= 2048   ? MU_SPEC_RSA_2048
                : bits <= 3072 ? MU_SPEC_RSA_3072
                               : MU_SPEC_RSA_4096;
    return true;
}

static bool check_form(const struct inventory_record *old, const struct renew_options *options,
                       struct mutual_error *err)
{
    bool theirs = old->form == INVENTORY_FORM_REQUEST || old->form == INVENTORY_FORM_NONE;
    if (theirs && options->csr == NULL) {
        return mu_fail(err, MUTUAL_E_USAGE, "\"%s\" was issued for a request: its key is not here",
                       old->name) ||
               mu_error_hint(err, "Give the new request: --csr FILE.");
    }
    if (!theirs && options->csr != NULL) {
        return mu_fail(err, MUTUAL_E_USAGE, "\"%s\" has its key here; it needs no --csr",
                       old->name);
    }
    if (old->form == INVENTORY_FORM_P12 && options->keep_key) {
        return mu_fail(err, MUTUAL_E_USAGE,
                       "the key of \"%s\" is in a PKCS#12 file only, and cannot be kept",
                       old->name);
    }
    return true;
}

static bool fill_request(const struct ca *ca, const struct inventory_record *old,
                         const struct renew_options *options, struct ca_request *request,
                         struct mutual_error *err)
{
    *request = (struct ca_request){
        .name = old->name,
        .names = old->names,
        .name_count = old->name_count,
        .life_s = options->life_ns / MU_NS_PER_S,
        .key_given = true,
        .owner = old->owner,
        .place = old->place,
        .purpose = old->purpose,
        .out = options->out,
        .print_only = old->form == INVENTORY_FORM_NONE && options->out == NULL,
        .p12 = old->form == INVENTORY_FORM_P12,
        .replaces = old,
        .keep_key = options->keep_key,
        .now_s = mu_clock_wall_s(),
    };
    if (request->life_s == 0) {
        request->life_s = old->not_after_s - old->requested_s;
    }
    if (options->key != NULL ? !mu_key_spec_find(options->key, &request->key)
                             : !same_key(old, &request->key)) {
        return mu_fail(err, MUTUAL_E_OPTION_VALUE, "\"%s\" is not a kind of key",
                       options->key != NULL ? options->key : old->key_text);
    }
    return ca_profile_of(ca, old->profile, &request->profile, err);
}

static bool run_renew_with(const struct cli *cli, const struct renew_options *options,
                           struct mutual_error *err)
{
    MU_AUTO(authority_secret) char *secret = NULL;
    MU_AUTO(csr) struct mu_csr *csr = NULL;
    MU_AUTO(ca) struct ca *ca = NULL;
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    const struct inventory_record *old = NULL;
    struct ca_request request;
    if ((options->csr != NULL && !authority_csr_read(options->csr, &csr, err)) ||
        !authority_open(cli, options->dir, CA_CHANGE, &ca, err) ||
        !ca_find(ca, cli->args[0], &records, err) ||
        !ca_choose(&records, cli->args[0], CA_WISH_RENEW, mu_clock_wall_s(), &old, err) ||
        !check_form(old, options, err) || !fill_request(ca, old, options, &request, err)) {
        return false;
    }
    struct authority_p12 p12 = options->p12;
    p12.wanted = request.p12;
    if (request.p12 && !authority_p12_request(cli, &p12, &request, &secret, err)) {
        return false;
    }
    request.csr = csr;
    return authority_issue(cli, ca, &request, err);
}

static int run_renew(struct cli *cli, const void *options)
{
    struct mutual_error err = {0};
    return run_renew_with(cli, options, &err) ? CLI_YES : cli_fail(cli, &err);
}

const struct cli_verb cli_verb_renew = {
    .name = "renew",
    .group = CLI_GROUP_CERT,
    .arguments = "NAME|SERIAL|FINGERPRINT|FILE",
    .help = "renew a certificate: same names, new key, new expiry",
    .details = "The old files are replaced at once. The old certificate stays valid until its\n"
               "end, so that nothing breaks meanwhile; revoke it if it must not.",
    .options = renew_table,
    .options_size = sizeof(struct renew_options),
    .min_args = 1,
    .max_args = 1,
    .run = run_renew,
};
