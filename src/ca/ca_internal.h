/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this room share.
 */
#ifndef CA_CA_INTERNAL_H
#define CA_CA_INTERNAL_H

#include "ca/ca.h"

/* One issuer, as it is in the store. */
struct ca_issuer {
    int64_t id; /* a row of issuers, not of certificates */
    char *word;
    struct mu_cert *cert;
    char *domain; /* that names are made in */
    char *dir;    /* with its key, and its OCSP responder's */
    char *key_path, *crl_path, *delta_path, *responder_key_path;
    struct mu_cert *responder; /* NULL: none yet */
    unsigned shards;
    bool crl_due;                                 /* kept up to date while it is open */
    int64_t crl_this_update_s, crl_next_update_s; /* likewise */
    uint64_t filed[2]; /* the number of the list in the file, and of the delta; 0: not known yet */
};
/* The authority's own profiles. */
struct ca_profiles {
    struct config_profiles *config; /* what the texts belong to */
    struct ca_profile *items;
    size_t count;
};
struct ca {
    char *dir;
    char *who;
    struct inventory *inventory;
    struct mu_cert *root;
    int64_t root_id;
    struct ca_issuer *issuers; /* at least one */
    size_t issuer_count, issuer_cap;
    struct ca_issuer *at; /* the one that is meant now */
    struct ca_profiles own;
    char *url;      /* where it publishes, without a slash at the end; NULL: nowhere */
    bool answering; /* the key that is wanted is the OCSP responder's */
    bool serving;   /* CA_SERVE                            */
    unsigned locks; /* how often ca_lock was called        */
    int64_t noted;  /* the event whose link was noted last */
};

/* ---- paths and files (layout.c) -------------------------------------------------------------- */

/* printf into new memory; NULL: out of memory. */
char *ca_text(const char *format, ...) MUTUAL_PRINTF(1, 2);
/* mkdir of the path and of what is missing above it. */
bool ca_make_directories(const char *path, mode_t mode, struct mutual_error *err);
bool ca_sync_directory(const char *path, struct mutual_error *err);
/* Writes a file of that directory whole, or not at all; a text that did not fit is NO_MEMORY. */
bool ca_write_file(const char *directory, const char *name, const struct mu_buf *text, mode_t mode,
                   struct mutual_error *err);
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
 * have none, names made from the handle. Whether they may be is the rule's matter.
 * PROFILE_DENIED for a request that wants what nobody may have. */
bool ca_names_build(const struct ca_rule *rule, const struct ca_request *request,
                    struct ca_names *ret_names, struct mutual_error *err);
/* The same by the rule of the request's profile and issuer. */
bool ca_names_of(struct ca *ca, const struct ca_request *request, struct ca_names *ret_names,
                 struct mutual_error *err);
/* As general names; `addresses` needs 16 bytes for each. */
bool ca_names_general(const struct ca_names *names, struct mu_gname *out, uint8_t (*addresses)[16]);

/* ---- issuers (ca.c, subtrees.c) -------------------------------------------------------------- */

/* Lets others work while what takes long and changes nothing is done, by whoever has the lock;
 * afterwards the store may say something else, and pointers to issuers may have moved. STORE_BUSY.
 */
void ca_let_others(struct ca *ca);
bool ca_go_on(struct ca *ca, struct mutual_error *err);
/* Reads what the store says of the issuers now; pointers to them may move. */
bool ca_issuers_load(struct ca *ca, struct mutual_error *err);
struct ca_issuer *ca_issuer_by_id(struct ca *ca, int64_t id);
/* The one whose name the certificate says; the one that is meant now when none has it. */
const struct ca_issuer *ca_issuer_of(const struct ca *ca, const struct mu_cert *leaf);

/* Name constraints in the making, with what their bytes point into. */
#define CA_SUBTREES_MAX 64
struct ca_subtrees {
    struct mu_subtree permitted[CA_SUBTREES_MAX], excluded[CA_SUBTREES_MAX];
    size_t permitted_count, excluded_count;
    uint8_t ranges[2 * CA_SUBTREES_MAX][32];
    size_t range_count;
    struct mu_arena *arena;
};
/* NULL: no memory. */
struct ca_subtrees *ca_subtrees_new(void);
void ca_subtrees_free(struct ca_subtrees *trees);
/* A host (dns, uri), a host or a mailbox (email), "10.0.0.0/8" or one address (ip). NAME_MALFORMED,
 * OPTION_VALUE, LIMIT. */
bool ca_subtrees_add(struct ca_subtrees *trees, bool excluded, enum mu_gname_type type,
                     const char *text, struct mutual_error *err);
/* A directory name of these parts. */
bool ca_subtrees_add_name(struct ca_subtrees *trees, bool excluded, const struct mu_rdn *rdns,
                          size_t count, struct mutual_error *err);
/* "dns:example.org", "email:", "uri:", "ip:", "dir:O=Example,OU=Dev". */
bool ca_subtrees_parse(struct ca_subtrees *trees, bool excluded, const char *text,
                       struct mutual_error *err);
/* Closes the types of which nothing is permitted: what a constraint does not mention is allowed by
 * RFC 5280 section 4.2.1.10. */
bool ca_subtrees_close(struct ca_subtrees *trees, struct mutual_error *err);
/* Permitting a host that cannot exist (RFC 2606 section 2) permits none. */
#define CA_NOWHERE "none.invalid"

/* An issuer's certificate by the root, with those constraints (issuer.c). */
struct ca_issuer_making {
    const char *organisation, *common_name;
    const struct mu_cert *root;
    const struct mu_key *root_key, *key;
    const struct ca_subtrees *trees;
    int64_t now_s, life_s;
};
bool ca_issuer_sign(const struct ca_issuer_making *making, struct mu_cert **ret_cert,
                    struct mutual_error *err);
/* A root's certificate, by itself. */
struct ca_root_making {
    const char *organisation, *common_name;
    const struct mu_key *key;
    int64_t now_s, life_s;
};
bool ca_root_sign(const struct ca_root_making *making, struct mu_cert **ret_cert,
                  struct mutual_error *err);
/* Enters an authority as an issuer and, since it expires like any other, as a certificate. `parent`
 * is the row of the issuer above; 0: a root. */
struct ca_issuer_entry {
    const struct mu_cert *cert;
    const char *word, *key_place, *path;
    int64_t parent;
    unsigned shards;
    const char *owner, *place;
    int64_t now_s;
};
bool ca_issuer_enter(struct inventory *inventory, const struct ca_issuer_entry *entry,
                     int64_t *ret_id, struct mutual_error *err);
/* The certificate alone, by the issuer of that row: of an authority that has another one. */
bool ca_issuer_record(struct inventory *inventory, const struct ca_issuer_entry *entry, int64_t by,
                      struct mutual_error *err);

/* Appends the subject of a certificate of that name. */
bool ca_subject_build(const struct ca *ca, const char *name, struct mu_buf *out,
                      struct mutual_error *err);

/* ---- rules (rule.c, constraint.c, profile.c) ------------------------------------------------- */

/* Without an issuer its limits are left out. */
void ca_rule_build(const struct ca_profile *profile, const struct ca_issuer *issuer,
                   const char *organisation, struct ca_rule *ret_rule);
void ca_rule_shape(const struct ca_rule *rule, struct keys_shape *ret_shape);
/* The general name that a type is written as; OTHER for a CN. */
enum mu_gname_type ca_general_type(enum mutual_name_type type);
/* ISSUER_CONSTRAINT. Stricter than RFC 5280 section 4.2.1.10: a type that the issuer's constraints
 * do not mention is not permitted. */
bool ca_constraint_check(const struct ca_rule *rule, const struct mutual_name *name,
                         struct mutual_error *err);
/* ISSUER_CONSTRAINT. */
bool ca_constraint_subject(const struct ca_rule *rule, struct mu_slice subject,
                           struct mutual_error *err);
struct config_findings;
bool ca_profiles_load(const char *dir, struct config_findings *findings,
                      struct ca_profiles *ret_own, struct mutual_error *err);
void ca_profiles_done(struct ca_profiles *own);
const struct ca_profile *ca_profile_in(const struct ca_profiles *own, size_t index);
/* What the keys may sign (keyring.c); the rules borrow the issuer's name. */
void ca_issuer_rules(const struct mu_cert *cert, const struct ca_profiles *own,
                     struct keys_rules *ret_rules);
void ca_responder_rules(const struct mu_cert *issuer, struct keys_rules *ret_rules);

/* ---- lists and answers (lists.c, responder.c, url.c) ------------------------------------------
 */

/* Publishes what must be for a revocation that is committed. */
bool ca_lists_revoked(struct ca *ca, struct ca_issuer *issuer, unsigned shard,
                      struct ca_signer *signer, int64_t now_s, struct mutual_error *err);
/* Where a list is published: the complete one, its delta, a part. NULL: nowhere, or no memory. */
char *ca_list_url(const struct ca *ca, const char *word, unsigned shard, bool delta);
/* Reads the address that was noted in the directory. */
bool ca_url_load(struct ca *ca, struct mutual_error *err);

/* The certificate of an OCSP responder, and at first its key, in a directory. */
struct ca_responder_making {
    struct inventory *inventory;
    int64_t issuer_id;
    const struct mu_cert *issuer;
    const struct mu_key *issuer_key;
    const char *organisation, *word;
    const char *dir;
    const char *owner, *place;
    int64_t now_s;
};
/* `old_key`: its key, of which the public half will do; NULL: one is made. */
bool ca_responder_make(const struct ca_responder_making *making, const struct mu_key *old_key,
                       struct mu_cert **ret_cert, struct mutual_error *err);
#define CA_RESPONDER_LIFE_S (INT64_C(30) * 24 * 3600)
bool ca_responder_load(struct ca_issuer *issuer, struct mutual_error *err);
bool ca_responder_is_due(const struct ca_issuer *issuer, int64_t now_s);
bool ca_responder_renew(struct ca *ca, struct ca_issuer *issuer, const struct mu_key *issuer_key,
                        int64_t now_s, struct mutual_error *err);

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
#define CA_PART_ISSUERS   "issuers"
#define CA_PART_PROFILES  "profiles.yaml"

#endif
