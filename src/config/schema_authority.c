/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables of the block authority: see schema.c.
 */
#include "config/config_internal.h"

#define THIS config_acme
static const char *const acme_account_words[] = {"none", "bound", "open", NULL};
static const struct setting acme_settings[] = {
    {"accounts", SETTING_WORD, .reload = RELOAD_LIVE, AT(accounts), .dflt = "none",
     .words = acme_account_words, .since = "0.1",
     .help = "who may register. none: nobody, ACME is not served; bound: who has a key that mutual "
             "bind gave out, which says for which names; open: everybody, for whatever names they "
             "prove and the issuer may certify"},
    {"terms", SETTING_TEXT, .reload = RELOAD_LIVE, AT(terms), .max = 2048, .since = "0.1",
     .help = "URL of the terms of service that every client must agree to"},
    {"http-port", SETTING_NUMBER, .reload = RELOAD_LIVE, AT(http_port), .dflt = "80", .min = 1,
     .max = 65535, .since = "0.1",
     .help = "port at which http-01 is looked for; the standard's is 80"},
    {"tls-port", SETTING_NUMBER, .reload = RELOAD_LIVE, AT(tls_port), .dflt = "443", .min = 1,
     .max = 65535, .since = "0.1",
     .help = "port at which tls-alpn-01 is looked for; the standard's is 443"},
    {"resolver", SETTING_TEXT, .reload = RELOAD_LIVE, AT(resolver), .max = 64, .since = "0.1",
     .help = "name server that is asked about names to validate, such as 192.0.2.53:53; the "
             "machine's own when left out. Addresses that are not public are contacted only in "
             "networks that fetch.private names"},
    {.name = NULL},
};
#undef THIS
static const struct block acme_block = {
    .name = "acme block",
    .help = "Certificates by ACME (RFC 8555), below authority.url at /acme/directory.",
    .size = sizeof(struct config_acme),
    .settings = acme_settings,
};

#define THIS config_admin
static const char *const role_words[] = {"auditor", "operator", "admin", NULL};
static const struct setting admin_settings[] = {
    {"role", SETTING_WORD, .required = true, .reload = RELOAD_LIVE, AT(role), .words = role_words,
     .since = "0.1",
     .help =
         "auditor: reads; operator: also makes tokens, decides on requests, issues and revokes; "
         "admin: also gives out keys for ACME"},
    {"who", SETTING_PATTERN, SETTING_ONE_OR_MANY, true, RELOAD_LIVE, LIST_AT(who, who_count),
     .since = "0.1", .help = "who has it: any of these, as in grants"},
    {"owner", SETTING_TEXT, .required = true, .reload = RELOAD_LIVE, AT(owner), .max = 256,
     .since = "0.1", .help = "who answers for it"},
    {"why", SETTING_TEXT, .required = true, .reload = RELOAD_LIVE, AT(why), .max = 1024,
     .since = "0.1", .help = "the reason it was given"},
    {.name = NULL},
};
#undef THIS
static const struct block admin_block = {
    .name = "administrator",
    .help = "Who may administer the authority below authority.url at /api/v1. Nobody else may.",
    .size = sizeof(struct config_admin),
    .settings = admin_settings,
};

#define THIS config_authority
static const char *const none_word[] = {"none", NULL};
static const struct setting authority_settings[] = {
    {"directory", SETTING_PATH, .reload = RELOAD_LIVE, AT(directory), .since = "0.1",
     .help = "the authority that is served, as mutual init made it; its process runs as the owner "
             "of the directory authority in it"},
    {"url", SETTING_TEXT, .reload = RELOAD_LIVE, AT(url), .max = 2048, .since = "0.1",
     .help = "where others reach the authority by TLS, such as https://ca.example.org:8443: for "
             "tokens and for addresses in certificates"},
    {"publish-url", SETTING_TEXT, .reload = RELOAD_LIVE, AT(publish), .max = 2048, .since = "0.1",
     .help = "where everybody reads revocation lists and issuers' certificates by plain HTTP, such "
             "as http://ca.example.org"},
    {"server-keygen", SETTING_BOOL, .reload = RELOAD_LIVE, AT(server_keygen), .dflt = "false",
     .since = "0.1",
     .help =
         "make private keys for callers who ask for it (EST serverkeygen); a key is better made "
         "where it is used"},
    {"grace-after-expiry", SETTING_DURATION, .reload = RELOAD_LIVE, AT(grace_ns), .dflt = "none",
     .min = 0, .max = 31536000, .words = none_word, .since = "0.1",
     .help = "how long after its end a certificate may still be renewed with its own key, for "
             "devices that were offline"},
    {"acme", SETTING_BLOCK, AT(acme), .block = &acme_block, .since = "0.1",
     .help = "certificates by ACME"},
    {"admins", SETTING_BLOCK, SETTING_MANY, .reload = RELOAD_LIVE, LIST_AT(admins, admin_count),
     .block = &admin_block, .since = "0.1",
     .help = "who may administer it from elsewhere, by the names of their certificates; nobody "
             "else may"},
    {.name = NULL},
};
#undef THIS
const struct block schema_authority = {
    .name = "authority block",
    .help = "The private authority of this machine.",
    .size = sizeof(struct config_authority),
    .settings = authority_settings,
};
