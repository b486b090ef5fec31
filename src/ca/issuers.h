/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of the door for further issuers; included by ca.h.
 */
#ifndef CA_ISSUERS_H
#define CA_ISSUERS_H

/* ---- further issuers ------------------------------------------------------------------------- */

struct ca_issuer_options {
    const char *word; /* what it is called: [a-z0-9-], up to 20 */
    /* Name constraints: "dns:example.org", "email:example.org", "uri:example.org",
     * "ip:10.0.0.0/8", "dir:O=Example,OU=Dev". Without any permitted one, those of the authority's
     * domain are; a type of which nothing is permitted is closed. */
    const char *const *permit, *const *exclude;
    size_t permit_count, exclude_count;
    enum mu_key_spec key;
    int64_t life_s;
    unsigned shards;      /* 0: the usual number */
    const char *root_dir; /* where root.key and root.crt are; NULL: DIR/authority/root */
    const char *passphrase;
    const char *owner, *place;
    int64_t now_s;
};
#define CA_SHARDS     64u
#define CA_SHARDS_MAX 4096u
/* Makes an issuer under the authority's root, with a first list; it is meant afterwards.
 * ALREADY_EXISTS, OPTION_VALUE, NAME_MALFORMED, KEY_PASSPHRASE, KEY_MISMATCH, FILE_MISSING. */
bool ca_issuer_add(struct ca *ca, const struct ca_issuer_options *options,
                   struct mutual_error *err);

#endif
