/* SPDX-License-Identifier: Apache-2.0
 *
 * One TLS session as a non-blocking machine over bytes. It owns no socket and no thread: the
 * caller moves ciphertext between the wire and the session, and plaintext between the session and
 * the application. TLS 1.3 and 1.2 with AEAD and forward secrecy only; no renegotiation, no 0-RTT,
 * no compression, no fallback.
 *
 * A context is made from rules and an identity, then immutable and shared by the sessions of one
 * thread. A session is used by one thread at a time.
 */
#ifndef MUTUAL_SESSION_H
#define MUTUAL_SESSION_H

#include <mutual/admission.h>
#include <mutual/error.h>
#include <mutual/identity.h>
#include <mutual/trust.h>

#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The outcome of each of the seven steps; filled on the way, told by mutual_explain. */
enum mutual_outcome {
    MUTUAL_OUTCOME_PENDING, /* not reached                                                      */
    MUTUAL_OUTCOME_DONE,
    MUTUAL_OUTCOME_SKIPPED, /* does not apply: plain TLS has no step 4 and 5; a resumed session
                               proves by the earlier handshake                                  */
    MUTUAL_OUTCOME_FAILED,
};
struct mutual_journey {
    int64_t started_ns; /* monotonic */
    struct {
        int64_t reached_ns; /* since started_ns */
        enum mutual_outcome outcome;
    } steps[MUTUAL_STEP_COUNT_];
};

/* The step that is under way: the first that is still pending, or that failed. */
MUTUAL_API enum mutual_step mutual_journey_step(const struct mutual_journey *journey);

/* What the two ends said and chose; texts are constant or owned by the session. */
struct mutual_session_info {
    const char *version;        /* "TLS 1.3", or NULL before it is chosen                */
    const char *cipher;         /* "TLS_AES_256_GCM_SHA384"                              */
    const char *group;          /* "X25519"                                              */
    const char *sni;            /* the host name asked for, or NULL                      */
    const char *service;        /* by whose rules it is judged: the host's that was asked for */
    const char *alpn;           /* the protocol chosen, or NULL                          */
    const char *peer_signature; /* the scheme the peer proved its key with, or NULL */
    bool mutual;                /* both ends presented a certificate                     */
    bool resumed;
    bool cert_requested; /* the server asked for a client certificate             */
    const char *ocsp;    /* client: what the server's stapled OCSP response says, as
                            mutual_staple_word; server: "sent", or NULL when none was */
    int alert_sent;      /* the fatal alert that ended it, ours or the peer's: a number of */
    int alert_received;  /* RFC 8446 section 6, or -1                                      */
};

/* The stable name of an alert, "certificate_expired", and a sentence saying what the end that sends
 * it means. Constant; NULL for a number that is no alert. */
MUTUAL_API const char *mutual_alert_name(int alert);
MUTUAL_API const char *mutual_alert_meaning(int alert);

/* Sessions that may be resumed, kept in memory by us and not by tickets: at most `max` of them, the
 * least recently used is dropped first. Each is stored with the evidence of its full handshake, and
 * is offered or taken only after mutual_admit allowed that evidence by the rules of the moment.
 * Shared by the contexts of one thread, and outlives them, so that a reload that changes nothing
 * for a client costs it nothing; one made under another generation of trust is never resumed. */
struct mutual_cache;
/* NULL: out of memory. */
MUTUAL_API struct mutual_cache *mutual_cache_new(size_t max);
MUTUAL_API struct mutual_cache *mutual_cache_ref(struct mutual_cache *cache);
MUTUAL_API void mutual_cache_unref(struct mutual_cache *cache);
/* How many sessions it holds. */
MUTUAL_API size_t mutual_cache_count(const struct mutual_cache *cache);

struct mutual_context;

/* A host name with settings of its own: rules, certificates, protocols, all that a context is. */
struct mutual_host {
    const char *const *names; /* NULL-terminated: "api.example.org", or "*.example.org" for one
                                 more label; in any case, a final dot is allowed                 */
    struct mutual_context *context; /* a server's, without hosts; a reference is taken            */
};

struct mutual_context_options {
    const struct mutual_rules *rules; /* borrowed; must outlive the context                */
    struct mutual_identity *const *identities; /* server: at least one, the leaf's key type and the
                                               SNI choose; client: none or one. References are
                                               taken.                                            */
    size_t identity_count;
    const char *const *alpn; /* NULL-terminated, in order of preference, or NULL  */
    const char *server_name; /* client: the name sent as SNI, or NULL             */
    bool send_ca_names;      /* server: name the authorities, within the budget   */
    bool strict_sni;         /* server: a name that nobody here has is refused    */
    /* server: names that are answered by another context, chosen when the hello is read and before
     * a session to resume is looked for: nothing of this one counts then. An exact name goes before
     * a wildcard, and both before the names of `identities`. A client that asks for a name which
     * nobody has, or for none, gets this context only if it has identities (with hosts it need not)
     * and asks at least as much of its clients as every host does; else it is refused: leaving
     * the name away never leads to a weaker check. */
    const struct mutual_host *hosts;
    size_t host_count;
    struct mutual_cache *cache; /* where sessions to resume are kept; NULL: none are. A reference
                                   is taken                                                   */
    bool library_records;       /* server: leave the records of TLS 1.3 to OpenSSL after the
                                   handshake too, instead of sealing and opening them here    */
    int64_t (*clock_s)(void *context); /* seconds since 1970; NULL: the machine's clock       */
    void *clock_context;
};
/* Fails with CONFIG_INVALID when the options cannot be: no trust, a server without identity, a
 * client that does not verify its server; with LIBRARY when the library refuses. */
MUTUAL_API bool mutual_context_new(const struct mutual_context_options *options,
                                   struct mutual_context **ret_context,
                                   struct mutual_error *err) MUTUAL_MUST_CHECK;
MUTUAL_API struct mutual_context *mutual_context_ref(struct mutual_context *context);
MUTUAL_API void mutual_context_unref(struct mutual_context *context);

struct mutual_session;
/* NULL: out of memory (err says so). */
MUTUAL_API struct mutual_session *mutual_session_new(struct mutual_context *context,
                                                     struct mutual_error *err);
MUTUAL_API void mutual_session_free(struct mutual_session *session);

/* What a step came to. */
enum mutual_io {
    MUTUAL_IO_DONE,       /* it is done                                                          */
    MUTUAL_IO_WANT_READ,  /* give it ciphertext from the wire, then call again                   */
    MUTUAL_IO_WANT_WRITE, /* take ciphertext from it, then call again                            */
    MUTUAL_IO_WANT_KEY,   /* a signature is being made elsewhere: wait for mutual_session_key_fd */
    MUTUAL_IO_WANT_TURN,  /* it has had its time: call again when others have had theirs         */
    MUTUAL_IO_END,        /* the peer closed in the TLS way (close_notify)                       */
    MUTUAL_IO_FAILED,     /* the error object says why; the session is of no more use, but
                             ciphertext (the alert) may still be taken from it                   */
};

/* Enough room in `out` for one whole record; less works, more saves calls. */
#define MUTUAL_WIRE_RECORD 16709

/* Ciphertext in and out, valid for one call. `in` is consumed from the front and `out` filled
 * from out_len on; what a call leaves in `in` must be offered again. A session keeps no borrowed
 * pointer after the call returns. */
struct mutual_wire {
    const uint8_t *in;
    size_t in_len;
    bool in_end;  /* the wire is at its end: nothing will follow `in`            */
    int in_error; /* with in_end: the errno that broke the wire, such as ECONNRESET, or 0 */
    uint8_t *out;
    size_t out_len;
    size_t out_cap;
    int64_t until_ns;  /* on the monotonic clock: a handshake that is not done by then gives way
                          (WANT_TURN) at the next place where it can; 0: it goes on            */
    bool out_can_wait; /* answered: nobody waits for `out`; it may go together with what follows */
};

/* Goes on with the handshake. DONE means that both ends are proved and mutual_session_evidence is
 * complete; nothing may be read or written before mutual_session_admit. Whatever is in `out` after
 * any answer is to be sent, an alert after FAILED too. A client refuses a server whose certificate
 * its rules do not expect before it presents its own. */
MUTUAL_API enum mutual_io mutual_session_handshake(struct mutual_session *session,
                                                   struct mutual_wire *wire,
                                                   struct mutual_error *err);
/* The facts for admission. Owned by the session; complete after the handshake. */
MUTUAL_API const struct mutual_evidence *
mutual_session_evidence(const struct mutual_session *session);
/* Judges the evidence by the context's rules at now_s and opens the session for data when the
 * verdict allows it. The verdict lives in the session, its pass too; judging again replaces them.
 * Before the handshake is done nobody is allowed. */
MUTUAL_API const struct mutual_verdict *mutual_session_admit(struct mutual_session *session,
                                                             int64_t now_s);

/* Decrypts up to `cap` bytes into `data`. DONE: *ret_len bytes (>0); the room behind them may have
 * been written to. Needs an allowing verdict:
 * without it the call fails with POLICY_DENIED, with one whose time is over with PASS_EXPIRED. An
 * end of the wire without close_notify is TRUNCATED. On the client side the server's refusal of our
 * certificate arrives here in TLS 1.3, and is named as PEER_REFUSED_US or PEER_WANTS_CERT. */
MUTUAL_API enum mutual_io mutual_session_read(struct mutual_session *session,
                                              struct mutual_wire *wire, uint8_t *data, size_t cap,
                                              size_t *ret_len, struct mutual_error *err);
/* Encrypts from `data` as much as `out` has room for; DONE: *ret_len bytes (>0) were taken. After
 * WANT_WRITE the same bytes must be offered again, more may follow them. */
MUTUAL_API enum mutual_io mutual_session_write(struct mutual_session *session,
                                               struct mutual_wire *wire, const uint8_t *data,
                                               size_t len, size_t *ret_len,
                                               struct mutual_error *err);
/* Sends close_notify; our direction is closed, the other may go on (half-close). */
MUTUAL_API enum mutual_io mutual_session_close(struct mutual_session *session,
                                               struct mutual_wire *wire, struct mutual_error *err);

MUTUAL_API void mutual_session_info(const struct mutual_session *session,
                                    struct mutual_session_info *ret_info);
MUTUAL_API const struct mutual_journey *
mutual_session_journey(const struct mutual_session *session);
/* For a caller that knows of steps before and after the session's own (accept, relay). */
MUTUAL_API void mutual_session_mark(struct mutual_session *session, enum mutual_step step,
                                    enum mutual_outcome outcome);
/* After WANT_KEY: the descriptor that becomes readable when the signature is there, or -1. */
MUTUAL_API int mutual_session_key_fd(const struct mutual_session *session);

#ifdef __cplusplus
}
#endif
#endif
