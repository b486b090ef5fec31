/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside keys: the messages as structs, the judgement of what is to be signed, the key store of the
 * key process, and the seam between the client and its OpenSSL provider.
 */
#ifndef KEYS_KEYS_INTERNAL_H
#define KEYS_KEYS_INTERNAL_H

#include "keys/keys.h"

struct evp_pkey_st;

/* ---- messages -------------------------------------------------------------------------------- */

/* How to sign. PSS salts are as long as the digest, as TLS and our certificates have them. */
enum keys_padding { KEYS_PADDING_NONE, KEYS_PADDING_PKCS1, KEYS_PADDING_PSS };
struct keys_scheme {
    enum mu_digest digest; /* NONE for Ed25519 */
    enum keys_padding padding;
};

#define KEYS_PROTOCOL  1u
#define KEYS_SIGN_HEAD 47u /* of a request, before the bytes to be signed */
#define KEYS_TBS_MAX   (MU_LIMIT_CRL_BYTES - KEYS_SIGN_HEAD)
#define KEYS_SIG_MAX   1024u /* RSA of MU_LIMIT_RSA_BITS */
#define KEYS_NAME_MAX  512u

struct keys_request {
    uint64_t number;
    uint8_t id[KEYS_ID_SIZE];
    struct keys_scheme scheme;
    struct mu_slice tbs; /* whole, not a digest */
};
void keys_request_write(struct mu_buf *buf, const struct keys_request *request);
/* Fails with MESSAGE_MALFORMED, as all of these. */
bool keys_request_read(struct mu_slice payload, struct keys_request *ret_request,
                       struct mutual_error *err);

enum keys_status {
    KEYS_SIGNED,
    KEYS_REFUSED,
    KEYS_UNAVAILABLE, /* not now */
    KEYS_UNABLE,      /* the key cannot make such a signature: its parameters forbid it */
    KEYS_STATUS_COUNT_
};
struct keys_reply {
    uint64_t number;
    enum keys_status status;
    struct mu_slice signature;
};
void keys_reply_write(struct mu_buf *buf, const struct keys_reply *reply);
bool keys_reply_read(struct mu_slice payload, struct keys_reply *ret_reply,
                     struct mutual_error *err);

struct keys_load {
    uint32_t number;
    bool expected;            /* the key must be the one of this id */
    uint8_t id[KEYS_ID_SIZE]; /* */
    char name[KEYS_NAME_MAX];
    struct keys_rules rules; /* slices borrowed from the payload */
};
void keys_load_write(struct mu_buf *buf, const struct keys_load *load);
bool keys_load_read(struct mu_slice payload, struct keys_load *ret_load, struct mutual_error *err);

struct keys_loaded {
    uint32_t number;
    struct mutual_error why; /* MUTUAL_OK: it is loaded */
    struct mu_slice spki;
};
void keys_loaded_write(struct mu_buf *buf, const struct keys_loaded *loaded);
bool keys_loaded_read(struct mu_slice payload, struct keys_loaded *ret_loaded,
                      struct mutual_error *err);

void keys_journal_write(struct mu_buf *buf, const struct keys_journal *entry);

/* ---- judging --------------------------------------------------------------------------------- */

/* Whether rules permit these bytes to be signed by this scheme: KEY_REFUSED says why not. What it
 * is goes to `what` as text for the journal; *ret_purpose is the purpose that permitted it. */
bool keys_permit(const struct keys_rules *rules, const struct mu_key_info *key,
                 const struct keys_scheme *scheme, struct mu_slice tbs, char what[512],
                 enum keys_purpose *ret_purpose, struct mutual_error *err);
/* The parts of it. Each says whether the bytes are of its kind, and then whether they may be. */
enum keys_judgement {
    KEYS_NOT_THIS, /* the bytes are something else        */
    KEYS_PERMITTED,
    KEYS_FORBIDDEN, /* it is this, but breaks a rule: err */
};
enum keys_judgement keys_judge_tls13(bool server, const struct keys_scheme *scheme,
                                     struct mu_slice tbs);
enum keys_judgement keys_judge_tls12_server(struct mu_slice tbs);
enum keys_judgement keys_judge_tls12_client(struct mu_slice tbs);
enum keys_judgement keys_judge_certificate(const struct keys_ca_rules *rules, enum mu_scheme scheme,
                                           struct mu_slice tbs, char what[512],
                                           struct mutual_error *err);
enum keys_judgement keys_judge_crl(const struct keys_ca_rules *rules, enum mu_scheme scheme,
                                   struct mu_slice tbs, char what[512], struct mutual_error *err);
enum keys_judgement keys_judge_ocsp(const struct keys_ca_rules *rules, enum mu_scheme scheme,
                                    struct mu_slice tbs, char what[512], struct mutual_error *err);
/* The X.509 scheme that this is for that key; MU_SCHEME_NONE: it is none. */
enum mu_scheme keys_x509_scheme(const struct mu_key_info *key, const struct keys_scheme *scheme);
/* Whether a key of that kind can sign so at all. */
bool keys_scheme_fits(const struct mu_key_info *key, const struct keys_scheme *scheme);

/* ---- the key process's store -------------------------------------------------------------------
 */

struct keys_held {
    struct mu_key *key;
    struct keys_rules rules; /* rules.ca.issuer points to `issuer` */
    uint8_t *issuer;
    struct evp_md_ctx_st *ready; /* to sign by ready_scheme, or NULL */
    struct keys_scheme ready_scheme;
    char name[KEYS_NAME_MAX];
};
struct keys_store {
    struct mu_map *keys; /* id -> struct keys_held */
};
bool keys_store_init(struct keys_store *store, struct mutual_error *err);
void keys_store_done(struct keys_store *store);
/* Reads a private key (and its passphrase, unless -1) from the descriptors, from their beginning;
 * the same key again replaces the rules. *ret_held is borrowed. KEY_MALFORMED, KEY_PASSPHRASE,
 * KEY_UNSUPPORTED, KEY_MISMATCH, FILE_UNREADABLE, FILE_TOO_LARGE. */
bool keys_store_load(struct keys_store *store, const struct keys_load *load, int key_fd,
                     int passphrase_fd, struct keys_held **ret_held, struct mutual_error *err);
struct keys_held *keys_store_find(const struct keys_store *store, const uint8_t id[KEYS_ID_SIZE]);
void keys_store_forget(struct keys_store *store, const uint8_t id[KEYS_ID_SIZE]);
/* Gives back what was set up for the next signature. */
void keys_held_forget(struct keys_held *held);
/* Signs; nothing is asked here. Appends. KEY_UNAVAILABLE. */
bool keys_sign(struct keys_held *held, const struct keys_scheme *scheme, struct mu_slice tbs,
               struct mu_buf *out, struct mutual_error *err);

/* ---- client and provider -----------------------------------------------------------------------
 */

/* A library context of its own with our provider. LIBRARY. */
struct keys_provider;
bool keys_provider_new(struct keys_provider **ret_provider, struct mutual_error *err);
/* After all of its keys. */
void keys_provider_free(struct keys_provider *provider);
/* A key object of that context for a public key; the caller's. Signing calls keys_client_sign. */
bool keys_provider_key(struct keys_provider *provider, struct keys_client *client,
                       struct mu_slice spki, struct evp_pkey_st **ret_key,
                       struct mutual_error *err);
/* Asks for a signature and waits: within an ASYNC job by pausing it, else by blocking. KEY_REFUSED,
 * KEY_UNAVAILABLE. */
bool keys_client_sign(struct keys_client *client, const uint8_t id[KEYS_ID_SIZE],
                      const struct keys_scheme *scheme, struct mu_slice tbs, uint8_t *signature,
                      size_t cap, size_t *ret_len, struct mutual_error *err);
/* For keys_local: every message that is no signature goes there. */
void keys_client_on_other(struct keys_client *client,
                          bool (*other)(void *owner, const struct ipc_message *message),
                          void *owner);
/* For keys_local: the channel is there already. Takes it. */
void keys_client_adopt(struct keys_client *client, struct ipc_channel *channel);

/* A passphrase from a pipe or a file, in a memory file of our own that can be read again and again.
 * FILE_UNREADABLE, FILE_TOO_LARGE. */
bool keys_passphrase_keep(int from, const char *name, int *ret_fd, struct mutual_error *err);

#endif
