/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the session share: the context, the session, and the seams between wire,
 * selection, verification, journey, resumption and failure.
 */
#ifndef MU_SESSION_INTERNAL_H
#define MU_SESSION_INTERNAL_H

#include <openssl/ssl.h>

#include "identity/identity.h"
#include "session/session.h"
#include "trust/trust.h"
#include "x509/x509.h"

/* ---- hosts: what a server answers to a name ----------------------------------------------------
 */

/* One key type each, so that the client's signature algorithms choose among them. */
#define MU_HOST_IDENTITIES 4u
/* The settings of one host name. Today its identities; what else may differ by name comes here. */
struct mu_host {
    struct mutual_identity *identities[MU_HOST_IDENTITIES]; /* borrowed from the context */
    size_t count;
};
struct mu_hosts {
    struct mu_host *items; /* items[0] answers when no name was asked for */
    size_t count;
    size_t cap;
    struct mu_map *by_name; /* "db.example.org", or "*.example.org", to one of items */
};
bool mu_hosts_build(struct mu_hosts *hosts, struct mutual_identity *const *identities, size_t count,
                    struct mutual_error *err);
void mu_hosts_done(struct mu_hosts *hosts);
/* The host for a name as it came from the wire; NULL: none has it. */
const struct mu_host *mu_hosts_find(const struct mu_hosts *hosts, struct mu_slice name);

/* ---- tenants: host names with a context of their own ------------------------------------------
 */

struct mu_tenants {
    struct mutual_context **contexts; /* references */
    size_t count;
    struct mu_map *by_name; /* as in mu_hosts, to a place in `contexts` from 1 */
    bool rest; /* who asks for a name that nobody has, or for none, may have the context itself */
};
/* Fails with CONFIG_INVALID for a name that is none, or that two hosts have, and for a context that
 * cannot be a host's. */
bool mu_tenants_build(struct mu_tenants *tenants, const struct mutual_context_options *options,
                      struct mutual_error *err);
void mu_tenants_done(struct mu_tenants *tenants);
/* NULL: none has it. */
struct mutual_context *mu_tenants_find(const struct mu_tenants *tenants, struct mu_slice name);
/* Looks a name from the wire up in a map of exact names and wildcards: the place it leads to, 0 for
 * none. The one function that says which spellings are one name (mutual_name_parse does). */
size_t mu_sni_find(const struct mu_map *by_name, struct mu_slice name);

/* ---- context ------------------------------------------------------------------------------------
 */

struct mutual_context {
    unsigned refs;
    SSL_CTX *ssl;
    BIO_METHOD *wire_method;
    const struct mutual_rules *rules;
    struct mutual_identity **identities; /* references */
    size_t identity_count;
    struct mu_hosts hosts;
    struct mu_tenants tenants;
    unsigned char *alpn; /* RFC 7301 protocol name list */
    size_t alpn_len;
    char **alpn_texts; /* the same as texts, NULL-terminated */
    char *server_name; /* client: as SNI; NULL: none is sent */
    bool strict_sni;
    bool tls13_only;
    bool blind;       /* client: the server is not judged, and so never admitted */
    bool remote_keys; /* some key signs behind a provider that may pause */
    struct mutual_cache *cache;
    struct mu_records *records; /* server: our record layer; NULL: it is not used */
    bool hears; /* it has its secrets from where they are derived, not from the key log */
    struct mu_known *known; /* or NULL */
    int64_t (*clock_s)(void *context);
    void *clock_context;
    uint8_t binding[32]; /* what a session to resume must have in common with us */
    struct mu_ca_names ca_names;
};
int64_t mu_context_now(const struct mutual_context *context);
/* SSL_CTX_use_cert_and_key and its like for one SSL. */
bool mu_context_use_identity(SSL *ssl, const struct mutual_identity *identity);

/* ---- session ------------------------------------------------------------------------------------
 */

/* A proof that was made in an earlier handshake, from our table. */
struct mu_proof {
    uint64_t serial; /* 0: none */
    struct mutual_chain *chain;
    int64_t proved_at_s;
    uint64_t trust_generation;
    struct mutual_staple staple; /* what the server stapled then */
    bool mutual;                 /* both ends presented a certificate then */
};

/* What the client's hello offers that we could use; tells the NO_SHARED_ codes apart. */
struct mu_offers {
    bool known;
    bool suite;  /* a cipher suite      */
    bool group;  /* a key-exchange group */
    bool scheme; /* a signature scheme that one of our keys can make */
};

/* A certificate that was let pass without being believed, and what it says of itself. */
struct mu_disbelief {
    struct mutual_error why;
    struct mu_claim claim;
};

enum mu_stage {
    MU_STAGE_HANDSHAKE,
    MU_STAGE_PROVED, /* evidence complete, nobody admitted */
    MU_STAGE_OPEN,   /* admitted */
    MU_STAGE_FAILED,
};

/* What moves data once the handshake is over: OpenSSL's record layer or ours. A call's wire is
 * session->wire; the gate has been passed. */
struct mu_engine {
    /* As mutual_session_read and mutual_session_write; *ret_len, which is 0 before, counts with any
     * answer, and when it is not 0 `err` is left alone: the session remembers its failure. */
    enum mutual_io (*read)(struct mutual_session *session, uint8_t *data, size_t cap,
                           size_t *ret_len, struct mutual_error *err);
    enum mutual_io (*write)(struct mutual_session *session, const uint8_t *data, size_t len,
                            size_t *ret_len, struct mutual_error *err);
    /* Sends close_notify. DONE, or WANT_WRITE: call again. */
    enum mutual_io (*close)(struct mutual_session *session);
};
extern const struct mu_engine mu_engine_library; /* library.c */
extern const struct mu_engine mu_engine_channel; /* channel.c */

/* What the two ends said and chose; constant texts. */
struct mu_said {
    const char *version, *cipher, *group, *alpn, *peer_signature;
};

#define MU_HEAD_BYTES  48u
#define MU_SPILL_BYTES 32u

struct mutual_session {
    struct mutual_context *entry;   /* reference: what it was made from */
    struct mutual_context *context; /* what counts: the same, or that of the host asked for */
    SSL *ssl;                       /* NULL once our record layer has taken over */
    const struct mu_engine *engine;
    struct mu_channel *channel; /* TLS 1.3 records by us, or what is to become that; NULL: none */
    struct mu_said said;        /* kept when `ssl` goes */
    const struct mutual_identity *shown; /* as well: what we presented; the context's */
    struct mutual_wire *wire;            /* only while a call lasts */
    enum mu_stage stage;
    struct mutual_evidence evidence;
    struct mutual_verdict verdict;
    struct mutual_chain *chain; /* reference; the evidence points here */
    uint8_t *known_key;         /* 32 bytes: by which the chain is kept once the peer has proved its
                                   key; NULL: it came from there, or is not kept              */
    struct mu_proof proof;      /* what a resumed session would follow */
    SSL_SESSION *taken; /* server: what it was found by, taken out of the shared table     */
    struct mutual_journey journey;
    struct mutual_error *failure;   /* the first thing that went wrong, or NULL */
    struct mu_disbelief *disbelief; /* the rules only observe, and would not believe; or NULL */
    struct mu_observer *observer;   /* or NULL */
    struct mu_buf peer_cert;        /* DER of the peer's leaf, once it was asked for */
    char *sni;                      /* server: the name asked for, escaped; NULL: none */
    struct mu_offers offers;
    size_t write_retry;            /* bytes that a write which blocked had offered */
    uint64_t bytes_in;             /* ciphertext taken from the wire */
    uint64_t data_bytes;           /* plaintext, both ways */
    uint64_t quiet_messages;       /* messages and records without data since the handshake     */
    uint8_t head[MU_HEAD_BYTES];   /* its first bytes, until the handshake is done */
    uint8_t spill[MU_SPILL_BYTES]; /* an alert that `out` had no room for */
    uint8_t spill_len;
    int16_t alert_in, alert_out; /* fatal alerts, or -1 */
    bool server;
    bool hello_oversized;
    bool hello_seen;     /* a whole hello of the peer arrived, and chose `context` */
    bool cert_seen;      /* the peer's Certificate message was not empty          */
    bool proof_seen;     /* the peer signed with the key of its certificate       */
    bool cert_requested; /* by the server                                         */
    bool cert_sent;      /* ours was not empty                                    */
    bool renegotiation;  /* the peer asked for one                                */
    bool writing;        /* application data: a call that is DONE leaves nothing behind */
    bool settled;        /* the evidence is complete                              */
    bool mutual;         /* both ends presented a certificate                     */
    bool closed;         /* our close_notify is out                               */
    bool stapled;        /* server: an OCSP response went along                   */
    bool gave_way;       /* its job paused because its time was over              */
    bool ending;         /* a paused job may only end                             */
    bool rehearsal;      /* the peer is judged by nobody, and so never admitted   */
};

/* session.c: as mutual_session_new, or one for a rehearsal. */
struct mutual_session *mu_session_make(struct mutual_context *context, bool rehearsal,
                                       struct mutual_error *err);
/* Has the peer sent more messages beside its data than any end has reason to? */
bool mu_session_is_flooded(const struct mutual_session *session);
enum mutual_io mu_session_fail_flooded(struct mutual_session *session, struct mutual_error *err);

/* library.c: what OpenSSL's answer means, when it is not success. */
enum mutual_io mu_library_outcome(struct mutual_session *session, int answer,
                                  struct mutual_error *err);
/* Gives the connection object back. Its session stays fit for resumption when `resumable`. */
void mu_library_done(struct mutual_session *session, bool resumable);

/* info.c: what was said, while the library still knows it. */
struct mu_said mu_info_said(const struct mutual_session *session);

/* wire.c: the BIO between OpenSSL and the caller's windows. */
BIO_METHOD *mu_wire_method(void);
BIO *mu_wire_bio(BIO_METHOD *method, struct mutual_session *session);
/* Moves what is waiting for room into `out`, as far as it has some. */
void mu_wire_drain(struct mutual_session *session, struct mutual_wire *wire);
/* Is something still waiting? */
bool mu_wire_is_late(const struct mutual_session *session);
/* Puts a fatal alert of our own before encryption, for what OpenSSL never got to see. */
void mu_wire_alert(struct mutual_session *session, uint8_t alert);

/* select.c */
/* The context that answers to a name; NULL: nobody has it, and nobody answers for it. */
struct mutual_context *mu_select_context(struct mutual_context *entry, struct mu_slice name);
int mu_select_host(SSL *ssl, int *alert, void *context);
int mu_select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *in, unsigned in_len, void *context);

/* verify.c */
int mu_verify_peer(X509_STORE_CTX *store, void *context);
/* The step in which we judge the peer's certificate. */
enum mutual_step mu_check_step(const struct mutual_session *session);
/* Client: would a server with this chain be admitted, as far as is known by now? */
bool mu_session_expected(struct mutual_session *session, struct mutual_chain *chain, int64_t now_s,
                         struct mutual_error *err);
/* Completes the evidence once the handshake is over, or fails closed. Safe to call again. */
bool mu_session_settle(struct mutual_session *session, struct mutual_error *err);

/* staple.c */
bool mu_staple_setup(struct mutual_context *context);

/* journey.c */
void mu_journey_message(int write, int version, int content, const void *data, size_t len, SSL *ssl,
                        void *context);
void mu_journey_mark(struct mutual_session *session, enum mutual_step step,
                     enum mutual_outcome outcome);

/* observe.c */
void mu_observe_hello(struct mutual_session *session, struct mu_slice message);
void mu_observe_cert(struct mutual_session *session, const X509 *cert);
void mu_observe_staple(struct mutual_session *session, struct mu_slice response);
void mu_observer_free(struct mu_observer *observer);

/* resume.c */
void mu_resume_setup(struct mutual_context *context);
/* Client: offers a session that may be resumed, if there is one. */
void mu_resume_offer(struct mutual_session *session);
/* Keeps a TLS 1.2 session once its handshake is over; TLS 1.3 has tickets. */
void mu_resume_keep_finished(struct mutual_session *session);
void mu_proof_clear(struct mu_proof *proof);

/* cache.c */
/* What resumes a session. */
struct mu_kept {
    SSL_SESSION *ssl; /* as the library has it, or NULL ... */
    int64_t until_s;  /* ... and as little of one of TLS 1.3 as its server needs, which is nothing
                         of the peer's certificate: RFC 8446 section 4.6.1               */
    uint16_t suite;
    uint8_t psk_len;
    uint8_t psk[48];
    uint8_t binding[32];
};
struct mu_resumable {
    struct mu_resumable *newer, *older; /* by use, in the whole cache            */
    struct mu_resumable *under;         /* another one of the same key           */
    struct mu_kept kept;
    struct mu_proof proof;
    uint8_t key[32];
    uint8_t key_len;
    char service[];
};
/* The newest session kept under the key, now the most recently used one of all; NULL: none. */
struct mu_resumable *mu_cache_find(struct mutual_cache *cache, struct mu_slice key);
/* Keeps a copy of `kept` and of the proof; references are taken. False: no memory, or the key is
 * not of the right length. `single` replaces what the key had. */
bool mu_cache_put(struct mutual_cache *cache, struct mu_slice key, const struct mu_kept *kept,
                  const struct mu_proof *proof, const char *service, bool single);
void mu_cache_drop(struct mutual_cache *cache, struct mu_resumable *entry);
uint64_t mu_cache_serial(struct mutual_cache *cache);

/* kept.c: for the table that processes share. False: it does not fit, or is no such thing. The
 * proof that is read has a reference to its chain and no serial. */
#define MU_KEPT_SERVICE 256u
bool mu_kept_write(const struct mu_kept *kept, const struct mu_proof *proof, const char *service,
                   struct mu_buf *out);
bool mu_kept_read(struct mu_slice bytes, struct mu_kept *ret_kept, struct mu_proof *ret_proof,
                  char ret_service[MU_KEPT_SERVICE]);

/* alert.c: which of the context's identities we presented; NULL: it has none. */
const struct mutual_identity *mu_shown_identity(const struct mutual_session *session);

/* failure.c, alert.c: what went wrong, in our words. Both always return false. */
bool mu_failure_name(struct mutual_session *session, int ssl_error, struct mutual_error *err);
bool mu_failure_end(struct mutual_session *session, struct mutual_error *err);
bool mu_alert_translate(struct mutual_session *session, struct mutual_error *err);
/* Keeps the error as the session's first failure, marks the journey and puts the error into err. */
enum mutual_io mu_session_fail(struct mutual_session *session, const struct mutual_error *cause,
                               struct mutual_error *err);
/* Remembers an error raised in a callback; the first one counts. */
void mu_session_refuse(struct mutual_session *session, const struct mutual_error *cause);
const char *mu_peer_word(const struct mutual_session *session); /* "client" or "server" */

#endif
