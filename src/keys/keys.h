/* SPDX-License-Identifier: Apache-2.0
 *
 * The key process, and what the others need of it.
 *
 * Private keys live in one process that never sees a byte from the network. It is given key files
 * as descriptors, each with rules on what the key is for, and signs only what those rules permit:
 * it gets the whole bytes to be signed, not a digest, and reads them. There is no decrypt
 * operation. A key is named by the SHA-256 of its SubjectPublicKeyInfo, so names survive a
 * replacement of the process, and whoever has a certificate has its key's name.
 *
 *   parent   keys_loader   hands over key files, hears which public keys they hold
 *   worker   keys_client   makes struct mu_key objects whose signatures come from the key process
 *   command  keys_local    a key process of its own for one key (mutual issue)
 */
#ifndef KEYS_KEYS_H
#define KEYS_KEYS_H

#include "base/base.h"
#include "event/event.h"
#include "ipc/ipc.h"
#include "process/process.h"
#include "x509/x509.h"

extern const struct role keys_role;

/* SHA-256 of the DER SubjectPublicKeyInfo: mu_cert_facts.key_hash, mu_key_hash. */
#define KEYS_ID_SIZE 32u

/* ---- what a key may sign -----------------------------------------------------------------------
 */

enum keys_purpose {
    KEYS_TLS_SERVER = 1u << 0,   /* TLS 1.3 server CertificateVerify, TLS 1.2 ServerKeyExchange   */
    KEYS_TLS_CLIENT = 1u << 1,   /* TLS 1.3 client CertificateVerify, TLS 1.2 client transcript   */
    KEYS_CERTIFICATES = 1u << 2, /* TBSCertificate within struct keys_ca_rules                    */
    KEYS_CRLS = 1u << 3,         /* TBSCertList of the same issuer                                */
    KEYS_OCSP = 1u << 4,         /* ResponseData about certificates of that issuer                */
    KEYS_PURPOSES_ALL = (1u << 5) - 1,
};
/* One kind of certificate that a key makes: what a profile says of the finished structure. */
struct keys_shape {
    int64_t max_lifetime_s; /* as in the rules                                                   */
    uint16_t ekus;          /* MU_EKU_*: at least one, and none but these                        */
    uint16_t key_usage;     /* MU_KU_*: none but these                                           */
    uint16_t name_types;    /* bits 1u << enum mu_gname_type that may appear among its names     */
    uint16_t must_types;    /* of which there must be a name                                     */
    uint16_t keys;          /* bits 1u << enum mu_key_spec that it may be for                    */
    bool staple_allowed, staple_required; /* must-staple (RFC 7633)                              */
    bool ocsp_nocheck; /* it carries id-pkix-ocsp-nocheck, and nothing else does                 */
};
#define KEYS_SHAPES_MAX 64u
struct keys_ca_rules {
    struct mu_slice issuer;    /* DER Name that certificates and lists must carry, byte for byte */
    bool may_issue_ca;         /* certificates with basicConstraints cA, and its own             */
    int64_t max_lifetime_s;    /* greatest notAfter - notBefore                                  */
    uint32_t serial_min_bytes; /* least and greatest length of a serial number, at most 20       */
    uint32_t serial_max_bytes;
    uint32_t ekus;     /* MU_EKU_* that may appear                                               */
    bool eku_required; /* an end-entity certificate must carry one                               */
    int64_t not_after_max_s; /* nothing outlives the issuer; 0: no such rule                     */
    /* An end-entity certificate must fit one of them, besides all the rest; none: no such rule. */
    struct keys_shape shapes[KEYS_SHAPES_MAX];
    uint32_t shape_count;
    /* OCSP: whose certificates it may speak about, its own or those of who delegated to it, and the
     * greatest distance of nextUpdate from thisUpdate. */
    struct mu_ocsp_issuer ocsp_issuer;
    int64_t max_answer_s;
};
struct keys_rules {
    uint32_t purposes;       /* KEYS_*; TLS and authority purposes do not mix */
    struct keys_ca_rules ca; /* for authority purposes                        */
};

/* ---- parent: handing over keys -----------------------------------------------------------------
 */

/* Remembers every key (as an open descriptor) so that a replaced key process gets them again.
 * Generations follow a reload: begin, put each key, send; when all are loaded and the new rules
 * serve, commit; if anything failed, abandon, and the old keys are as they were. */
struct keys_loader;
bool keys_loader_new(struct keys_loader **ret_loader, struct mutual_error *err) MUTUAL_MUST_CHECK;
void keys_loader_free(struct keys_loader *loader);
void keys_loader_begin(struct keys_loader *loader);
/* `name` is for messages ("customer-db", the path). Takes the descriptors (on failure too): the
 * key file, and the passphrase (a pipe's or memory file's whole content less a final newline) or
 * -1. `spki` is the certificate's: a key that is not its pair is KEY_MISMATCH. The same key put
 * twice gets the union of the purposes. Fails with LIMIT, NO_MEMORY. */
bool keys_loader_put(struct keys_loader *loader, const char *name, int take_key_fd,
                     int take_passphrase_fd, struct mu_slice spki, const struct keys_rules *rules,
                     struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Sends what the key process has not got. Call after the puts, and from hooks->ready. */
bool keys_loader_send(struct keys_loader *loader, struct supervisor *supervisor,
                      struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Call from hooks->died for the keys role: it has lost them all. */
void keys_loader_lost(struct keys_loader *loader);
/* Answers KEY_LOADED. */
bool keys_loader_read(struct keys_loader *loader, const struct ipc_message *message,
                      struct mutual_error *err) MUTUAL_MUST_CHECK;
enum keys_loading {
    KEYS_LOADING, /* some answers are out      */
    KEYS_LOADED,  /* all are in and good       */
    KEYS_FAILED,  /* some key of the new generation was refused, ret_why says which and why:
                     KEY_MALFORMED, KEY_PASSPHRASE, KEY_UNSUPPORTED, KEY_MISMATCH,
                     FILE_UNREADABLE, FILE_TOO_LARGE                                      */
};
enum keys_loading keys_loader_state(const struct keys_loader *loader, struct mutual_error *ret_why);
/* The generation begun last is in use: forgets the keys that only earlier ones had. */
void keys_loader_commit(struct keys_loader *loader, struct supervisor *supervisor);
/* The generation begun last is not wanted: forgets the keys that only it had. */
void keys_loader_abandon(struct keys_loader *loader, struct supervisor *supervisor);

/* KEY_JOURNAL: what the key process says before an authority's key signs, and of every refusal. */
struct keys_journal {
    uint8_t id[KEYS_ID_SIZE];
    bool refused;
    enum ipc_party asker;
    uint32_t asker_index;
    enum mutual_code code; /* MUTUAL_OK, or why refused                                      */
    char text[512]; /* "certificate serial 3f.. subject CN=web not_after 2027-01-01T.."; escaped */
};
bool keys_journal_read(const struct ipc_message *message, struct keys_journal *ret_journal,
                       struct mutual_error *err) MUTUAL_MUST_CHECK;

/* What the key process counted. STATUS carries the number of STATUS_WANTED, a byte that is 1, and
 * these. */
#define KEYS_PURPOSE_COUNT 5u
struct keys_figures {
    uint64_t made[KEYS_PURPOSE_COUNT]; /* signatures, by the bit of their purpose    */
    uint64_t took_ns[KEYS_PURPOSE_COUNT];
    uint64_t refused;     /* no rule of the key permits it             */
    uint64_t unavailable; /* there is no such key, or it could not sign */
};
/* "tls_server"; constant. */
const char *keys_purpose_word(unsigned bit);
void keys_figures_write(struct mu_buf *buf, const struct keys_figures *figures);
/* Fails with MESSAGE_MALFORMED. */
bool keys_figures_read(struct ipc_reader *reader, struct keys_figures *ret_figures,
                       struct mutual_error *err) MUTUAL_MUST_CHECK;

/* ---- worker: keys that sign elsewhere ----------------------------------------------------------
 */

/* One per process. Makes the library context of its own in which the provider lives, so call it
 * in role->prepare, before the lock-down. With a reactor, signatures inside an OpenSSL ASYNC job
 * (SSL_MODE_ASYNC) pause the job; outside a job, and without a reactor, they block for at most
 * KEYS_BLOCK_MS.
 *
 * How a connection waits, without a descriptor of its own:
 *
 *   keys_client_enter(client, &conn->waiter);
 *   io = mutual_session_handshake(...);          // WANT_KEY: a signature is under way
 *   keys_client_leave(client);
 *   ...
 *   waiter.wake(owner) is called from the reactor when the answer is there (or there will be
 *   none): drive the handshake again, between enter and leave as before.
 *
 * All of a worker's requests share the one channel; each is known by its number. While a signature
 * is pending its OpenSSL job is asleep on a stack of its own and must be let run to its end: a
 * session must not be freed while keys_waiter_is_pending(). To give up early (time-out, reset) call
 * keys_waiter_cancel, which makes the signature fail at once, drive the handshake one last time
 * (it FAILS), then free. mutual_session_key_fd is -1 with these keys.
 *
 * When the key process dies, requests in flight wait for its replacement (the parent sends a new
 * LINK) and are asked once more; a second loss fails them with KEY_UNAVAILABLE. Requests made
 * meanwhile wait too; the connection's handshake timer bounds it all. */
struct keys_client;
#define KEYS_BLOCK_MS 5000
bool keys_client_new(struct reactor *reactor, struct keys_client **ret_client,
                     struct mutual_error *err) MUTUAL_MUST_CHECK;
/* After the keys made from it. */
void keys_client_free(struct keys_client *client);
/* A channel to the key process (from LINK), the first or a replacement. Takes it (on failure
 * too). The client watches it by itself. `self` is the party we are. */
bool keys_client_attach(struct keys_client *client, int take_fd, enum ipc_party self,
                        struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Reads a LINK and attaches its channel; MESSAGE_MALFORMED when it leads to anybody else. */
bool keys_client_link(struct keys_client *client, struct ipc_message *message, enum ipc_party self,
                      struct mutual_error *err) MUTUAL_MUST_CHECK;
bool keys_client_is_attached(const struct keys_client *client);
/* A key object for a certificate's public key. Signing with it asks the key process; its private
 * part is not in this process. Fails with KEY_UNSUPPORTED, KEY_MALFORMED or LIBRARY. */
bool keys_client_key(struct keys_client *client, struct mu_slice spki, struct mu_key **ret_key,
                     struct mutual_error *err) MUTUAL_MUST_CHECK;

/* Lives in the connection; set wake and owner, leave the rest zero. */
struct keys_waiter {
    void (*wake)(void *owner);
    void *owner;
    struct keys_pending *pending; /* ours */
    struct event_deferred work;   /* ours */
    enum mutual_code failed;      /* why the last signature failed, for the error that the session
                                     reports: KEY_UNAVAILABLE, KEY_REFUSED, KEY_UNSUPPORTED;
                                     MUTUAL_OK if none did                                      */
};
void keys_client_enter(struct keys_client *client, struct keys_waiter *waiter);
void keys_client_leave(struct keys_client *client);
bool keys_waiter_is_pending(const struct keys_waiter *waiter);
/* The pending signature fails now; wake is not called. */
void keys_waiter_cancel(struct keys_client *client, struct keys_waiter *waiter);

struct keys_client_figures {
    uint64_t asked, made, refused, lost, retried;
    size_t pending;
};
void keys_client_figures(const struct keys_client *client, struct keys_client_figures *ret_figures);

/* ---- a command's own key process ----------------------------------------------------------------
 */

struct keys_local;
struct keys_local_options {
    const char *name;     /* for messages: the path of the key file */
    int key_fd;           /* borrowed; read from its beginning  */
    int passphrase_fd;    /* borrowed; -1: none                     */
    struct mu_slice spki; /* the certificate's, or empty: whatever the key has */
    struct keys_rules rules;
    const char *user; /* as in struct supervisor_options */
    bool unsafe_no_sandbox;
    /* Called before a signature of an authority's key is handed out; false refuses it. May be NULL.
     */
    bool (*journal)(void *owner, const struct keys_journal *entry);
    void *owner;
};
/* Starts a key process for one key, waits until the key is loaded (at most KEYS_BLOCK_MS plus what
 * the passphrase's key derivation takes). Signatures block. Fails as keys_loader_state, or with
 * SANDBOX, PROCESS_DIED, KEY_UNAVAILABLE. The program's main must begin with process_child_main. */
bool keys_local_new(const struct keys_local_options *options, struct keys_local **ret_local,
                    struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Ends the process and waits for it. After the keys made from it. */
void keys_local_free(struct keys_local *local);
void mu_keys_local_auto(struct keys_local **local);
/* The key, borrowed: it signs within the rules. */
struct mu_key *keys_local_get_key(const struct keys_local *local);
/* Its SubjectPublicKeyInfo, borrowed. */
struct mu_slice keys_local_get_spki(const struct keys_local *local);

#endif
