/* SPDX-License-Identifier: Apache-2.0
 *
 * The authority: made once, then issuing, renewing, revoking and describing certificates.
 *
 * An authority is a directory:
 *
 *   DIR/authority/ca.db          the store (0600), with its log, index and lock beside it; or
 *   DIR/authority/store          the address of a store in PostgreSQL
 *   DIR/authority/audit.head     the last link of the audit's chain, as this machine saw it
 *   DIR/authority/ca.crt         the root certificate, to be given to everybody
 *   DIR/authority/issuer.crl     the issuer's current revocation list
 *   DIR/authority/issuer/        issuer.crt, issuer.key
 *   DIR/authority/issuers/NAME/  the same of a further issuer NAME, and NAME.crl beside
 *   DIR/authority/profiles.yaml  the authority's own profiles, if it has any
 *   DIR/authority/root/          root.crt, root.key (encrypted): to be kept offline
 *   DIR/authority/root-N/        the same of a root that was made later
 *   DIR/tls/NAME/                tls.crt, tls.key, ca.crt: what was issued, unless told otherwise
 *   DIR/mutual.yaml              a configuration to begin with
 *
 * Nothing that was acknowledged is lost and no serial is used twice, whenever the process is
 * killed: the serial and the intent are committed, then the private key is on disk, then the
 * certificate is signed and committed, then the files appear under their name at once, then the
 * delivery is committed, then the caller tells. ca_open with CA_CHANGE finishes or undoes what an
 * earlier process left between two of these points.
 *
 * Times are passed in. Errors besides those named are those of store.h and of the base room.
 */
#ifndef CA_CA_H
#define CA_CA_H

#include "base/base.h"
#include "inventory/inventory.h"
#include "keys/keys.h"
#include "x509/x509.h"

#include <mutual/identity.h>

#include "ca/rule.h"

/* ---- making an authority --------------------------------------------------------------------- */

struct ca_init_options {
    const char *dir;
    const char *config_path; /* NULL: DIR/mutual.yaml */
    const char *name;        /* a DNS domain, or one label (then NAME.internal) */
    const char *const *dns, *const *ip, *const *email; /* permitted as well; ip: CIDR or address */
    size_t dns_count, ip_count, email_count;
    enum mu_key_spec root_key, issuer_key;
    int64_t root_life_s, issuer_life_s;
    const char *passphrase; /* of the root's key; NULL: one is generated */
    const char *store;      /* address of an empty store elsewhere; NULL: ca.db */
    bool constrain_subject; /* also permit only directory names under O=NAME; sound,
                               but Go's verifier refuses the whole chain */
    const char *owner, *place;
    const char *who; /* for the audit */
    int64_t now_s;
};
#define CA_PASSPHRASE_TEXT 40
struct ca_init_result {
    char domain[256];
    char passphrase[CA_PASSPHRASE_TEXT]; /* "" when it was given */
    struct mu_cert *root, *issuer;
    char *config_path;
    bool config_kept; /* there was one already, it stays */
    bool leftovers;   /* of an init that was killed; they were removed */
};
void ca_init_result_done(struct ca_init_result *result);
/* Everything is built aside. `tell` is called when it is complete and before it counts: it must
 * show the passphrase to somebody, and may refuse by false with the error set. Then one rename
 * makes it the authority. ALREADY_EXISTS, NAME_MALFORMED, OPTION_VALUE, STORE_BUSY (another init is
 * at it). */
bool ca_init(const struct ca_init_options *options,
             bool (*tell)(void *context, const struct ca_init_result *result,
                          struct mutual_error *err),
             void *context, struct ca_init_result *ret_result, struct mutual_error *err);
/* This machine's name, by which interrupted deliveries are told apart; "localhost" when it has
 * none. Constant. */
const char *ca_machine(void);
/* /var/lib/mutual for root, else mutual below $XDG_STATE_HOME or ~/.local/state. Appends. */
bool ca_default_dir(struct mu_buf *out);
/* Twenty characters without look-alikes in groups of five, more than 95 random bits. */
bool ca_passphrase_new(char ret_text[CA_PASSPHRASE_TEXT], struct mutual_error *err);

/* ---- a new root ------------------------------------------------------------------------------ */

struct ca_root_options {
    enum mu_key_spec root_key;
    int64_t root_life_s, issuer_life_s;
    const char *owner, *place;
    int64_t now_s;
};
struct ca_root_made {
    struct mu_cert *root;
    size_t issuers; /* that have a certificate below it */
    char passphrase[CA_PASSPHRASE_TEXT];
};
void ca_root_made_done(struct ca_root_made *made);
struct ca;
/* Makes a root beside the one in use, in DIR/authority/root-N, and certifies every issuer below it
 * once more; from then on whoever is given ca.crt is given both. Nothing else changes. `tell` as in
 * ca_init. OPTION_VALUE; ALREADY_EXISTS (one that was made is not in use yet). */
bool ca_new_root(struct ca *ca, const struct ca_root_options *options,
                 bool (*tell)(void *context, const struct ca_root_made *made,
                              struct mutual_error *err),
                 void *context, struct ca_root_made *ret_made, struct mutual_error *err);
/* From now on the chains of what is issued and renewed lead to it. *ret_changed: not before.
 * NOT_FOUND: there is no such root. */
bool ca_use_root(struct ca *ca, int64_t now_s, bool *ret_changed, struct mutual_error *err);

/* ---- an open authority ----------------------------------------------------------------------- */

struct ca;
enum ca_access {
    CA_LOOK,   /* facts only */
    CA_CHANGE, /* for one command: ca_lock until it is closed */
    CA_SERVE,  /* for a process that goes on: every changing call below takes the lock itself */
};
/* FILE_MISSING when there is no authority. `who` is for the audit. `ret_notes` (may be NULL, else
 * initialised by the caller) gets a line for each interrupted issue that was finished or undone. */
bool ca_open(const char *dir, enum ca_access access, const char *who, int64_t now_s,
             struct mu_buf *ret_notes, struct ca **ret_ca, struct mutual_error *err);
void ca_close(struct ca *ca);
void mu_ca_auto(struct ca **ca);
/* One who changes at a time, over all processes and machines of the store: takes its lock, reads
 * what others changed meanwhile and tidies up after a killed process (`notes` as in ca_open). Calls
 * nest. STORE_BUSY after STORE_WAIT_MS, and when the store was moved elsewhere. */
bool ca_lock(struct ca *ca, int64_t now_s, struct mu_buf *notes, struct mutual_error *err);
/* Reads, without the lock, what others made meanwhile: issuers, and responders' certificates. */
bool ca_look_again(struct ca *ca, int64_t now_s, struct mutual_error *err);
/* How many keys there are that a process which serves needs: of issuers, and of their responders.
 */
size_t ca_keys_count(const struct ca *ca);
/* Gives it back, and notes the audit's head when something was changed. */
void ca_unlock(struct ca *ca);
/* Who acts from now on, for the audit. */
bool ca_speak_for(struct ca *ca, const char *who, struct mutual_error *err);
struct inventory *ca_inventory(struct ca *ca);
const char *ca_dir(const struct ca *ca);
const struct mu_cert *ca_root(const struct ca *ca);
/* Of its issuers one is meant at a time, at first the first; operations on certificates mean that
 * of the certificate. NOT_FOUND; a word of NULL means the first. */
bool ca_select(struct ca *ca, const char *word, struct mutual_error *err);
/* NULL past the end. */
const char *ca_issuer_word(const struct ca *ca, size_t index);
/* Of the one that is meant. */
const struct mu_cert *ca_issuer(const struct ca *ca);
const char *ca_issuer_key_path(const struct ca *ca); /* as in ca_key_current */
const char *ca_crl_path(const struct ca *ca);
/* The domain that names are made in: the issuer's first permitted DNS name, else the authority's.
 */
const char *ca_domain(const struct ca *ca);
/* The profile of that name, the authority's own before the built-in one. Borrowed. OPTION_VALUE. */
bool ca_profile_of(const struct ca *ca, const char *name, const struct ca_profile **ret_profile,
                   struct mutual_error *err);
/* The profiles there are; NULL past the end. */
const struct ca_profile *ca_profile_next(const struct ca *ca, size_t index);
/* The rule by which the issuer that is meant certifies under the profile: the one that ca_issue
 * asks. Borrows from both. */
void ca_rule_of(const struct ca *ca, const struct ca_profile *profile, struct ca_rule *ret_rule);
/* Without an authority: what the profile itself says. */
void ca_rule_bare(const struct ca_profile *profile, struct ca_rule *ret_rule);
/* Everything that is wrong with the profiles of the authority in `dir`, which ca_open sums up in
 * one line. */
struct config_findings;
void ca_profiles_check(const char *dir, struct config_findings *findings);

/* ---- signing --------------------------------------------------------------------------------- */

/* Where the issuer's signatures come from. `start` is called at most once for each operation, after
 * everything that can be refused without a key was refused; *ret_key is borrowed and lives until
 * `stop`. */
struct ca_signer {
    bool (*start)(struct ca_signer *signer, const struct ca *ca, const struct mu_key **ret_key,
                  struct mutual_error *err);
    void (*stop)(struct ca_signer *signer);
    void *state;
};
/* A key that the authority signs with, and all that it may sign. */
struct ca_key {
    const struct mu_cert *cert; /* whose key it is */
    const char *path;           /* the file that it is in */
    struct keys_rules rules;
};
/* The one that ca_signer.start must yield now. */
void ca_key_current(const struct ca *ca, struct ca_key *ret_key);
/* The key of the issuer that is meant, in a locked-down process of its own, which signs only lists
 * of this issuer and certificates of its profiles, no authorities. */
void ca_signer_init_process(struct ca_signer *signer);

/* Calls each(context, …) for every private key of the authority in `dir` that is kept online
 * (issuers', their OCSP responders') with what it may sign, until it returns false. Reads files
 * only, not the store: for whoever hands keys to a key process. FILE_MISSING, FILE_UNREADABLE,
 * NOT_A_CA, and what is wrong with the authority's own profiles. */
typedef bool ca_key_fn(void *context, const char *path, const struct mu_cert *cert,
                       const struct keys_rules *rules, struct mutual_error *err);
bool ca_keys_scan(const char *dir, ca_key_fn *each, void *context, struct mutual_error *err);
/* Whose the authority's files are; false: there are none. */
bool ca_owner(const char *dir, uid_t *ret_uid, gid_t *ret_gid);

/* ---- issuing --------------------------------------------------------------------------------- */

struct ca_request {
    const struct ca_profile *profile; /* looked up again by its name: the authority's own counts */
    const char *issuer;               /* its word; NULL: the first, or that of what is replaced */
    const char *name;                 /* what people call it; also the directory's name */
    const struct mutual_name *names;  /* given ones; types not among them are made from `name` */
    size_t name_count;
    bool exact;     /* just `names`: none is made from `name`, those of `csr` were compared already;
                       "*.example.org" is a name too */
    int64_t life_s; /* 0: the profile's */
    bool key_given; /* `key` counts, else the profile's */
    enum mu_key_spec key;
    unsigned eku;     /* MU_EKU_* among the profile's; 0: all of them */
    bool must_staple; /* a server's: clients refuse it without a stapled OCSP response (RFC 7633) */
    const struct mu_csr *csr; /* the key is theirs, and its names count as given; or NULL */
    const char *owner, *place, *purpose; /* purpose NULL: the profile's text */
    const char *out;                     /* the directory gets out/NAME; NULL: DIR/tls */
    bool print_only;                     /* with csr: nothing is written, the caller prints */
    bool asked_again; /* with print_only: who has the key asks again when the answer was lost */
    bool p12;         /* instead of tls.key: NAME.p12 */
    enum mu_p12_preset preset;
    const char *password;                    /* of the p12; NULL: one is generated */
    const struct inventory_record *replaces; /* or NULL */
    bool keep_key; /* with replaces: the key in its directory serves again */
    /* Runs in the transaction that takes the serial number of row `id`: what it refuses is not
     * issued. NULL: nothing. */
    bool (*also)(void *context, struct ca *ca, int64_t id, struct mutual_error *err);
    void *also_context;
    int64_t now_s;
};
struct ca_issued {
    int64_t id;
    struct mu_cert *cert;
    char *path;                        /* the directory, or NULL */
    char password[CA_PASSPHRASE_TEXT]; /* generated for the p12, else "" */
    bool life_cut;                     /* the default life was shortened to the issuer's */
};
void ca_issued_done(struct ca_issued *issued);
void mu_ca_issued_auto(struct ca_issued *issued);
/* PROFILE_DENIED (a rule of the profile), ISSUER_CONSTRAINT (a name outside the issuer's
 * constraints), NAME_MALFORMED, SPIFFE_MALFORMED, WEAK_KEY, FILE_EXISTS, FILE_UNWRITABLE,
 * DISK_FULL, and what the signer says. */
bool ca_issue(struct ca *ca, const struct ca_request *request, struct ca_signer *signer,
              struct ca_issued *ret_issued, struct mutual_error *err);
struct ca_names {
    struct mutual_name *items; /* room for MU_LIMIT_CERT_NAMES */
    size_t count;
    bool wildcards; /* "*.example.org" is taken too */
    struct mu_arena *arena;
};
bool ca_names_init(struct ca_names *names, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Appends a copy. LIMIT: a certificate holds no more. */
bool ca_names_add(struct ca_names *names, const struct mutual_name *name,
                  struct mutual_error *err) MUTUAL_MUST_CHECK;
void ca_names_done(struct ca_names *names);
void mu_ca_names_auto(struct ca_names *names);
/* The names that would be certified: given ones, those of the request, and for types that have none
 * those that the profile makes of its name; whether they may be is the rule's matter. The common
 * name is the request's name besides. */
bool ca_names_of(struct ca *ca, const struct ca_request *request, struct ca_names *ret_names,
                 struct mutual_error *err);
/* Would it be issued? Everything that ca_issue asks before it makes a key; changes nothing. */
bool ca_permits(struct ca *ca, const struct ca_request *request, struct ca_decision *ret_decision,
                struct mutual_error *err);
/* Would the issuer's constraints let it certify that name? ISSUER_CONSTRAINT. */
bool ca_name_permitted(const struct ca *ca, const struct mutual_name *name,
                       struct mutual_error *err);
/* Appends leaf and issuer as PEM: what tls.crt holds. */
void ca_chain_pem(const struct ca *ca, const struct mu_cert *leaf, struct mu_buf *out);
/* Appends every root of the authority, the one in use first: what ca.crt holds. */
bool ca_roots_pem(struct ca *ca, struct mu_buf *out, struct mutual_error *err);
/* A handle names a directory and a certificate: [A-Za-z0-9@._-], 1 to 64, no leading dot or
 * hyphen. NAME_MALFORMED. */
bool ca_handle_check(const char *name, struct mutual_error *err);
/* A name as the command line gives it, its type told by its form: "spiffe://…", an address with
 * "@", an IP address, else DNS. `storage` holds the text. */
bool ca_name_guess(const char *text, char *storage, size_t storage_size,
                   struct mutual_name *ret_name, struct mutual_error *err);

/* ---- the store ------------------------------------------------------------------------------- */

/* Where the store is, without a password. Owned by the authority. */
const char *ca_store_name(const struct ca *ca);
/* Takes an authority that was opened to be changed to an empty store on a database server and lets
 * its directory point there; the old file stays as ca.db.moved. A kill leaves it where it was, or
 * moved. `ca` is to be closed afterwards. OPTION_VALUE, ALREADY_EXISTS. */
bool ca_store_move(struct ca *ca, const char *where, struct inventory_copied *ret_copied,
                   struct mutual_error *err);
/* Copies the store into a new file, which is a store by itself. FILE_EXISTS. */
bool ca_store_backup(struct ca *ca, const char *path, struct inventory_copied *ret_copied,
                     struct mutual_error *err);
/* Fills the store of the authority in `dir`, which must be empty or missing (ALREADY_EXISTS), from
 * such a file. Keys and certificates of the directory are not in it. */
bool ca_store_restore(const char *dir, const char *path, struct inventory_copied *ret_copied,
                      struct mutual_error *err);

/* ---- the audit ------------------------------------------------------------------------------- */

/* "17:3f2a…": an event's number and its link in hexadecimal. Parsing fails with OPTION_VALUE. */
#define CA_HEAD_TEXT 96
void ca_head_format(const struct inventory_head *head, char text[CA_HEAD_TEXT]);
bool ca_head_parse(const char *text, struct inventory_head *ret_head, struct mutual_error *err);
/* Checks the chain of events: by itself, against the link that this machine noted last, and against
 * `noted` (NULL: none). AUDIT_BROKEN. */
bool ca_audit(struct ca *ca, const struct inventory_head *noted, struct inventory_audit *ret_audit,
              struct mutual_error *err);

/* ---- finding, revoking ----------------------------------------------------------------------- */

/* Everything that `who` may mean: a serial number (hex, colons allowed) or its first eight digits
 * or more, a fingerprint (64 hex digits, "SHA256:" before them allowed), a file with a certificate,
 * a name. NOT_FOUND. */
bool ca_find(struct ca *ca, const char *who, struct inventory_records *ret_records,
             struct mutual_error *err);
/* The same without files: for who asks from elsewhere. */
bool ca_find_known(struct ca *ca, const char *who, struct inventory_records *ret_records,
                   struct mutual_error *err);
/* The first certificate in a file, PEM or DER. */
bool ca_read_certificate(const char *path, struct mu_cert **ret_cert, struct mutual_error *err);
enum ca_wish { CA_WISH_RENEW, CA_WISH_REVOKE, CA_WISH_SHOW };
/* The one of them that is meant: those already revoked, expired or replaced step back behind those
 * that are not. AMBIGUOUS names the serials; ALREADY_REVOKED; PROFILE_DENIED for authorities. */
bool ca_choose(const struct inventory_records *records, const char *who, enum ca_wish wish,
               int64_t now_s, const struct inventory_record **ret_record, struct mutual_error *err);
/* A reason as people write it: "key-compromise", "keyCompromise". OPTION_VALUE. */
bool ca_reason_parse(const char *text, enum mu_reason *ret_reason, struct mutual_error *err);
/* Commits the revocation, then publishes a list. When the second fails the first stands: the error
 * says so and the next change publishes. */
bool ca_revoke(struct ca *ca, const struct inventory_record *record, enum mu_reason reason,
               struct ca_signer *signer, int64_t now_s, struct mutual_error *err);
/* Makes the next list and puts it in its place. */
#define CA_CRL_LIFE_S   (INT64_C(30) * 24 * 3600)
#define CA_DELTA_LIFE_S (INT64_C(7) * 24 * 3600)
#define CA_SHARD_LIFE_S (INT64_C(7) * 24 * 3600)
/* A complete list of more entries is not made anew for every revocation by a process that serves.
 */
#define CA_CRL_EAGER 20000u
bool ca_crl_publish(struct ca *ca, struct ca_signer *signer, int64_t life_s, int64_t now_s,
                    struct mutual_error *err);
/* Of every issuer: what lacks a revocation or is past half its life, the OCSP responder's
 * certificate included. Cheap when nothing is due. */
bool ca_crl_refresh(struct ca *ca, struct ca_signer *signer, int64_t now_s,
                    struct mutual_error *err);

/* ---- describing ------------------------------------------------------------------------------ */

/* Tells what the bytes are (certificates, request, revocation list, PKCS#12, public or private key,
 * PEM or DER) and what they are allowed to do, as text or as one JSON array. A private key is never
 * shown, only its public half. `password` may be NULL; KEY_PASSPHRASE asks for one. PEM_MALFORMED
 * when they are nothing we know. */
bool ca_describe(struct mu_slice bytes, const char *what, const char *password, int64_t now_s,
                 bool json, struct mu_buf *out, struct mutual_error *err);
/* One certificate of ours: the same, with what the inventory knows. */
bool ca_describe_record(const struct inventory_record *record, int64_t now_s, bool json,
                        struct mu_buf *out, struct mutual_error *err);

#include "ca/enrolment.h"
#include "ca/issuers.h"
#include "ca/lists.h"

/* Writes something into the store that changes nothing: whether it can be written. */
bool ca_try_write(struct ca *ca, int64_t now_s, struct mutual_error *err);

/* ---- directories of certificates, built aside and put in place at once -------------------------
 */

bool ca_make_directory(const char *path, mode_t mode, struct mutual_error *err);
/* A new name beside `path` for building it: DIR/.NAME.SALT.new */
char *ca_aside_name(const char *path, struct mutual_error *err);
/* Puts a finished directory in the place of `path` at once. When `path` is there already it must
 * hold nothing but files of ours (FILE_EXISTS), and `replace` must be true; what it held is then
 * left in `aside`. Syncs the parent. */
bool ca_put_in_place(const char *aside, const char *path, bool replace, struct mutual_error *err);
/* Removes a directory and the plain files in it (subdirectories too, two levels); missing is good.
 * Only for directories that we made: the last part of the name must begin with "." */
void ca_remove_aside(const char *path);

#endif
