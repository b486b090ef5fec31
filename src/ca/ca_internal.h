/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this room share.
 */
#ifndef CA_CA_INTERNAL_H
#define CA_CA_INTERNAL_H

#include "ca/ca.h"

struct ca {
    char *dir;
    char *who;
    struct inventory *inventory;
    struct mu_cert *root, *issuer;
    int64_t root_id, issuer_id; /* rows of issuers, not of certificates */
    char *domain;
    char *key_path, *crl_path;
    bool serving;                                 /* CA_SERVE                            */
    unsigned locks;                               /* how often ca_lock was called        */
    int64_t noted;                                /* the event whose link was noted last */
    bool crl_due;                                 /* kept up to date while it is open */
    int64_t crl_this_update_s, crl_next_update_s; /* likewise */
};

/* ---- paths and files (layout.c) -------------------------------------------------------------- */

/* printf into new memory; NULL: out of memory. */
char *ca_text(const char *format, ...) MUTUAL_PRINTF(1, 2);
/* mkdir of the path and of what is missing above it. */
bool ca_make_directories(const char *path, mode_t mode, struct mutual_error *err);
bool ca_sync_directory(const char *path, struct mutual_error *err);
/* Removes the half-written files that a killed process left in a directory built aside. */
void ca_clear_strays(const char *aside);
/* The fingerprint of the first certificate in PATH/tls.crt; false when there is none. */
bool ca_delivered_fingerprint(const char *path, uint8_t ret_fingerprint[32]);
bool ca_read_certificate(const char *path, struct mu_cert **ret_cert, struct mutual_error *err);

/* ---- names (name.c) -------------------------------------------------------------------------- */

/* A handle names a directory and a certificate: [A-Za-z0-9@._-], 1 to 64, no leading dot or
 * hyphen. NAME_MALFORMED. */
bool ca_handle_check(const char *name, struct mutual_error *err);
struct ca_names {
    struct mutual_name *items; /* room for MU_LIMIT_CERT_NAMES */
    size_t count;
    bool wildcards; /* "*.example.org" is taken too */
    struct mu_arena *arena;
};
void ca_names_done(struct ca_names *names);
void mu_ca_names_auto(struct ca_names *names);
/* The names to certify: given ones, those of the request, and for types among `made_types` that
 * have none, names made from the handle. PROFILE_DENIED for types the profile does not certify. */
bool ca_names_build(const struct ca *ca, const struct ca_request *request,
                    struct ca_names *ret_names, struct mutual_error *err);
/* As general names; `addresses` needs 16 bytes for each. */
bool ca_names_general(const struct ca_names *names, struct mu_gname *out, uint8_t (*addresses)[16]);

/* ---- the issuer's constraints (constraint.c) ------------------------------------------------- */

/* ISSUER_CONSTRAINT. Stricter than RFC 5280 section 4.2.1.10: a type that the issuer's constraints
 * do not mention is not permitted. */
bool ca_constraint_check(const struct mu_cert *issuer, const struct mutual_name *name,
                         struct mutual_error *err);

/* ---- delivering and recovering --------------------------------------------------------------- */

/* Writes tls.crt and ca.crt into `aside` and puts it in place. */
bool ca_deliver(struct ca *ca, const struct mu_cert *cert, const char *aside, const char *path,
                bool replace, struct mutual_error *err);
/* Finishes or undoes what is RESERVED or SIGNED; the lock must be held. */
bool ca_recover(struct ca *ca, int64_t now_s, struct mu_buf *notes, struct mutual_error *err);

/* ---- where the store is (store.c) ------------------------------------------------------------ */

/* Yields the address of the store of the authority in that directory; the caller's. */
bool ca_store_where(const char *dir, char **ret_where, struct mutual_error *err);
/* Lets the directory DIR/authority point to a store elsewhere. */
bool ca_store_point(const char *part_dir, const char *where, struct mutual_error *err);

/* Notes the audit's last link outside of the store, in that directory (audit.c). */
bool ca_head_note(struct inventory *inventory, const char *part_dir, struct mutual_error *err);

/* ---- roots (reroot.c) ------------------------------------------------------------------------ */

/* Every root of the authority, the one in use first. */
bool ca_roots_pem(struct ca *ca, struct mu_buf *out, struct mutual_error *err);
/* Lets the files of certificates say what the store says; with one root it does nothing. */
bool ca_roots_write(struct ca *ca, struct mutual_error *err);

/* ---- making (starter.c) ---------------------------------------------------------------------- */

/* The commented configuration to begin with. */
bool ca_starter_config(const char *dir, const char *domain, const char *owner, struct mu_buf *out,
                       struct mutual_error *err);

/* Where things are, below DIR. */
#define CA_PART           "authority"
#define CA_PART_STORE     "ca.db"
#define CA_PART_WHERE     "store"
#define CA_PART_HEAD      "audit.head"
#define CA_PART_ROOT_CERT "ca.crt"
#define CA_PART_CRL       "issuer.crl"
#define CA_PART_ROOT      "root"
#define CA_PART_ISSUER    "issuer"

#endif
