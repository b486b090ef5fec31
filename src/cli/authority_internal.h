/* SPDX-License-Identifier: Apache-2.0
 *
 * What the verbs of the authority share: where it is, who asks, opening it, small readers.
 */
#ifndef CLI_AUTHORITY_INTERNAL_H
#define CLI_AUTHORITY_INTERNAL_H

#include "ca/ca.h"
#include "cli/cli.h"

/* The directory: --dir, else that of the configuration given when an authority is beside it, else
 * the default. Appends. */
bool authority_dir(const struct cli *cli, const char *given, struct mu_buf *out,
                   struct mutual_error *err);
/* Opens it there, and tells what ca_open tidied up. */
bool authority_open(const struct cli *cli, const char *given_dir, enum ca_access access,
                    struct ca **ret_ca, struct mutual_error *err);
/* "alice (1000)", with the user behind sudo: "alice (1000) as root". */
const char *authority_who(void);
/* Defaults of the facts every certificate has: the user, this machine. */
const char *authority_owner(void);
const char *authority_place(void);
/* The first line of a file, "-" being standard input; wipe and free it with authority_secret_free.
 * FILE_EXPOSED when others can read the file. */
bool authority_secret_read(const char *path, char **ret_text, struct mutual_error *err);
void mu_authority_secret_auto(char **text);
/* Does it name a file, and so the certificate in it? */
bool authority_is_file(const char *path);
/* A whole file, "-" being standard input. */
bool authority_read(const char *path, size_t max, struct mu_buf *ret_bytes,
                    struct mutual_error *err);
/* "2027-01-31". */
const char *authority_day(int64_t time_s, char text[MU_TIME_TEXT]);
/* Choices of --key and --for, in the order of their enums. */
extern const char *const authority_key_words[];
extern const char *const authority_p12_words[];

/* ---- options and results that issue and renew share ------------------------------------------ */

struct authority_p12 {
    bool wanted;
    int preset; /* enum mu_p12_preset */
    const char *password_file;
};
/* Fills the request's PKCS#12 part; the password lives until the caller's secret is freed. */
bool authority_p12_request(const struct cli *cli, const struct authority_p12 *options,
                           struct ca_request *request, char **ret_secret, struct mutual_error *err);
/* Reads --csr. */
bool authority_csr_read(const char *path, struct mu_csr **ret_csr, struct mutual_error *err);
/* Tells what was issued: text, JSON, or with print_only its chain in PEM. */
bool authority_tell_issued(const struct cli *cli, const struct ca_request *request,
                           const struct ca_issued *issued, const struct mu_buf *chain,
                           struct mutual_error *err);
/* Issues, keeps the list fresh, and tells it. */
bool authority_issue(const struct cli *cli, struct ca *ca, const struct ca_request *request,
                     struct mutual_error *err);

/* ---- names that options give (names.c) --------------------------------------------------------
 */

struct authority_san {
    struct cli_texts san, dns, ip, email, spiffe;
};
/* Its rows in a table of options, the names at this offset. */
#define AUTHORITY_SAN_OPTIONS(at_)                                                     \
    AUTHORITY_SAN_ROW(at_, dns, "NAME", "certify this host name"),                     \
        AUTHORITY_SAN_ROW(at_, ip, "ADDRESS", "certify this IP address"),              \
        AUTHORITY_SAN_ROW(at_, email, "ADDRESS", "certify this e-mail address"),       \
        AUTHORITY_SAN_ROW(at_, spiffe, "ID",                                           \
                          "certify this SPIFFE ID instead of the one made from NAME"), \
        AUTHORITY_SAN_ROW(at_, san, "NAME", "certify this name, its type told by its form")
#define AUTHORITY_SAN_ROW(at_, name_, value_, help_)                                            \
    {                                                                                           \
        .name = #name_, .kind = CLI_TEXTS,                                                      \
        .offset = (at_) + offsetof(struct authority_san, name_), .value = value_, .help = help_ \
    }
bool authority_names_read(const struct authority_san *options, struct ca_names *ret_names,
                          struct mutual_error *err);

/* mutual list --tokens, --pending (tokens.c). */
struct reach;
bool authority_tokens_list(const struct cli *cli, struct reach *reach, bool pending,
                           struct mutual_error *err);

#endif
