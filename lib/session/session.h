/* SPDX-License-Identifier: Apache-2.0
 *
 * The door of the session to the program: what the gateway, the key process and the probe need
 * beyond the public header. No OpenSSL header is needed to use it.
 */
#ifndef MU_SESSION_SESSION_H
#define MU_SESSION_SESSION_H

#include <mutual/session.h>

#include "base/base.h"
#include "x509/x509.h"

struct ossl_lib_ctx_st;
struct mu_known;

void mu_context_auto(struct mutual_context **context);
void mu_session_auto(struct mutual_session **session);
void mu_cache_auto(struct mutual_cache **cache);

/* ---- contexts -------------------------------------------------------------------------------- */

/* What the program may ask for beyond the public options. All-zero is the default. */
struct mu_context_extras {
    struct ossl_lib_ctx_st *libctx; /* borrowed, outlives the context; NULL: the default one    */
    const char *target;  /* client: where it connects, such as "db:8443": sessions are never
                            resumed at another target; copied; may be NULL                      */
    bool tls13_only;     /* TLS 1.2 is not offered and not taken                                */
    bool insecure_blind; /* client: the server's certificate is looked at by nobody, the rules may
                            have no trust bundle. For `mutual explain` only: whoever comes out of
                            such a handshake is never admitted; see mu_session_listen           */
    /* Chains that were validated before, perhaps for other contexts; a reference is taken. NULL:
     * each is validated anew. */
    struct mu_known *known;
};
/* As mutual_context_new. `extras` may be NULL. */
bool mu_context_new(const struct mutual_context_options *options,
                    const struct mu_context_extras *extras, struct mutual_context **ret_context,
                    struct mutual_error *err) MUTUAL_MUST_CHECK;

/* Who encrypts the records of our own record layer with AES-GCM here: "libipsec-mb (VAES)", or
 * "OpenSSL". */
const char *mu_record_engine(void);

/* What the names of the authorities would take in a CertificateRequest, and whether they are sent:
 * not asked for, or beyond MU_LIMIT_CA_NAMES_BYTES, none are. For `mutual check`, which warns. */
struct mu_ca_names {
    size_t count;
    size_t bytes;
    bool sent;
};
struct mu_ca_names mu_context_ca_names(const struct mutual_context *context);

/* The rules that the session is judged by: those of its context, or of the host that was asked for
 * once the hello is read. Lives as long as they do. */
const struct mutual_rules *mu_session_rules(const struct mutual_session *session);

/* ---- sessions that processes share -------------------------------------------------------------
 *
 * Sessions of TLS 1.3 that a server keeps, in memory which several processes have mapped; each is
 * found once, by whoever is asked for it. Every process has the secret of an epoch (an hour,
 * counted alike by all) and goes on from it; only sessions of the last two epochs are found. */

struct mu_share;
size_t mu_share_bytes(void);
/* `memory` is borrowed, mu_share_bytes() large, aligned to 8 and zero when it is new; `secret` is
 * that of `epoch`, and copied. LIBRARY. */
bool mu_share_new(void *memory, const uint8_t secret[32], uint64_t epoch,
                  struct mu_share **ret_share, struct mutual_error *err) MUTUAL_MUST_CHECK;
void mu_share_free(struct mu_share *share);
/* Goes on to an epoch; the keys of all but it and the one before are wiped. LIBRARY. */
bool mu_share_turn(struct mu_share *share, uint64_t epoch,
                   struct mutual_error *err) MUTUAL_MUST_CHECK;
/* The secret of the next epoch in place of this one's, for who hands it to others. LIBRARY. */
bool mu_share_next(uint8_t secret[32], struct mutual_error *err) MUTUAL_MUST_CHECK;
/* From now on the cache keeps there what can be kept there; borrowed until the cache is freed. */
void mu_cache_share(struct mutual_cache *cache, struct mu_share *share);

/* ---- rehearsals --------------------------------------------------------------------------------
 *
 * A handshake in memory by which it is seen, before anybody connects, that a certificate works: the
 * context's own end, with all its settings, against a stand-in of bare OpenSSL in a library context
 * of its own. What is tried: that the certificate is the one that is shown, that its key signs what
 * a peer verifies, that the two ends find a version, a suite, a group and a scheme. The context's
 * end judges nobody and admits nobody; mutual_session_admit on it refuses. */

/* The other end, for any number of rehearsals one after the other. It has a certificate that nobody
 * believes. LIBRARY, NO_MEMORY. */
struct mu_standin;
bool mu_standin_new(struct mu_standin **ret_standin, struct mutual_error *err) MUTUAL_MUST_CHECK;
void mu_standin_free(struct mu_standin *standin);

/* Which of the context's identities is shown to a client that asks for the name (NULL: for none)
 * and verifies only keys of that kind; of a client, its one. NULL: none, or the name is refused. */
const struct mutual_identity *mu_context_shows(struct mutual_context *context, const char *name,
                                               enum mu_key_kind kind);

struct mu_rehearsal_plan {
    struct mutual_context *context; /* a reference is taken */
    const char *name;               /* server: what the stand-in asks for; NULL: nothing */
    enum mu_key_kind kind;          /* server: the keys that the stand-in can verify */
    bool tls12;                     /* the stand-in speaks that and nothing newer */
};
struct mu_rehearsal;
bool mu_rehearsal_new(struct mu_standin *standin, const struct mu_rehearsal_plan *plan,
                      struct mu_rehearsal **ret_rehearsal,
                      struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Goes on by one flight of each end, a signature and its verification at most. WANT_READ: call
 * again; WANT_KEY as of a session; DONE: both ends are done. Errors are a session's, or
 * PROTOCOL_VIOLATION when the stand-in is not content. */
enum mutual_io mu_rehearsal_step(struct mu_rehearsal *rehearsal, struct mutual_error *err);
/* Was this what the stand-in was shown, certificate for certificate? Once it is done. */
bool mu_rehearsal_showed(const struct mu_rehearsal *rehearsal, struct mu_cert *const *chain,
                         size_t count);
void mu_rehearsal_free(struct mu_rehearsal *rehearsal);
void mu_standin_auto(struct mu_standin **standin);

/* ---- after admission ------------------------------------------------------------------------- */

/* As mutual_session_admit, but by other rules than those of the context: for connections that are
 * open when the rules change. */
const struct mutual_verdict *mu_session_admit_by(struct mutual_session *session,
                                                 const struct mutual_rules *rules, int64_t now_s);

/* Was the evidence validated by the bundle of `before`, and would that of `rules` have validated it
 * as well? Then it may be carried over to the newer generation (evidence->trust_generation), to be
 * judged by it: whoever is open need not shake hands again because an authority was added. Also
 * true when there is nothing to carry over. */
bool mu_evidence_follows(const struct mutual_evidence *evidence, const struct mutual_rules *before,
                         const struct mutual_rules *rules);

/* Carries the evidence over to the generation of `rules` where mu_evidence_follows says that it may
 * be; else nothing changes, and admission by those rules refuses it. */
bool mu_session_follow(struct mutual_session *session, const struct mutual_rules *before,
                       const struct mutual_rules *rules);

/* The peer's certificate in DER as it presented it in this very handshake; empty when it presented
 * none, for a resumed session, and once the first data was read or written. Owned by the session
 * until then. For handing on to the service behind. */
struct mu_slice mu_session_peer_cert(struct mutual_session *session);

/* What a certificate says of itself that nobody believes: for people who look for the peer, never
 * for a decision. Texts may be cut; unprintable bytes are escaped. */
struct mu_claim {
    char name[160];   /* its subject */
    char issuer[160]; /* the issuer that it names */
    char serial[48];  /* hexadecimal */
    int64_t not_after_s;
};
/* Of a peer that rules which only observe let in without believing its certificate; else NULL.
 * Owned by the session. */
const struct mu_claim *mu_session_claim(const struct mutual_session *session);

/* ---- what `mutual explain` wants to see ------------------------------------------------------ */

/* One list of code points of RFC 8446 (versions, suites, groups, signature schemes). */
#define MU_OBSERVED_MAX 64u
struct mu_observed_list {
    uint16_t items[MU_OBSERVED_MAX];
    size_t count; /* at most MU_OBSERVED_MAX are kept */
};

/* What crossed the wire in the handshake. Slices point into the record. */
struct mu_observed {
    /* The hello that the client sent: on the server side the peer's, on the client side our own. */
    struct mu_observed_list versions;
    struct mu_observed_list ciphers;
    struct mu_observed_list groups;
    struct mu_observed_list signatures;
    /* What the peer presented, leaf first, in DER, whether it was believed or not. */
    struct mutual_der certs[MU_LIMIT_CHAIN_SENT];
    size_t cert_count;
    /* Client side: the authorities that the server names, as DER of the Name. */
    struct mu_slice *ca_names;
    size_t ca_name_count;
    /* Client side: the OCSP response that the server stapled, whatever it says; empty: none. */
    struct mu_slice staple;
    bool cert_requested; /* the server asked for a client certificate             */
    bool cert_sent;      /* we presented one                                      */
};

/* Starts a record; call it before the handshake. False: out of memory. */
bool mu_session_observe(struct mutual_session *session);
/* The record so far, or NULL when none is kept. Owned by the session. */
const struct mu_observed *mu_session_observed(const struct mutual_session *session);

/* Reads on after the handshake, with or without admission, and throws away what arrives: so the
 * refusal is heard that a TLS 1.3 server sends after our Finished. DONE: something arrived. The
 * rest as mutual_session_read. */
enum mutual_io mu_session_listen(struct mutual_session *session, struct mutual_wire *wire,
                                 struct mutual_error *err);

/* The names of code points: "TLS 1.3", "TLS_AES_128_GCM_SHA256" (of the suites that we know),
 * "X25519", "ecdsa_secp256r1_sha256". Constant; NULL when it is not known. */
const char *mu_version_name(uint16_t version);
const char *mu_cipher_name(uint16_t cipher);
const char *mu_group_name(uint16_t group);
const char *mu_signature_name(uint16_t scheme);

#endif
