/* SPDX-License-Identifier: Apache-2.0
 *
 * The one door. mutual_admit() is the only function that decides whether data may flow, and the
 * only one that can make a mutual_pass, without which no relay and no application data can be
 * opened. It is pure: no I/O and no clock of its own. It runs for full and resumed handshakes, for
 * the inbound and the outbound side, again on open connections when the rules change, and offline
 * for "would it work?".
 */
#ifndef MUTUAL_ADMISSION_H
#define MUTUAL_ADMISSION_H

#include <mutual/error.h>
#include <mutual/identity.h>
#include <mutual/policy.h>
#include <mutual/trust.h>

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum mutual_side {
    MUTUAL_SIDE_SERVER, /* we accept; the peer is a client   */
    MUTUAL_SIDE_CLIENT, /* we connect; the peer is a server  */
};

/* What is asked of the client's certificate. On the client side it has no meaning: a server always
 * has to present one.
 *
 * Peers without a certificate: under REQUIRE there is no admission. Under REQUEST a grant must say
 * `anonymous` to let them in. Under NONE the listener itself is the grant: whoever reaches it is
 * admitted, and the pass tells nobody's name.
 *
 * OBSERVE is the way from NONE to REQUIRE. It admits exactly whom NONE admits, asks for a
 * certificate all the same, judges as REQUIRE would and says so in the verdict's shadow. Whoever
 * REQUIRE would not believe is nobody: a certificate that was not validated is no identity. A proof
 * of the key that is wrong is never borne. */
enum mutual_mode {
    MUTUAL_MODE_REQUIRE, /* mutual TLS                                                           */
    MUTUAL_MODE_REQUEST, /* asked for; a peer without one is judged as anonymous                 */
    MUTUAL_MODE_NONE,    /* plain TLS: not asked for                                             */
    MUTUAL_MODE_OBSERVE, /* asked for and judged, but everybody is let in                        */
};

/* The rules that hold for one listener or one target: an immutable snapshot, built aside and
 * swapped whole. What it points to is borrowed and must outlive it. */
struct mutual_rules {
    enum mutual_side side;
    enum mutual_mode mode;
    const char *service;                /* the name that grants are given to                    */
    const struct mutual_trust *trust;   /* NULL only with MUTUAL_MODE_NONE                      */
    const struct mutual_policy *policy; /* server side with certificates: required              */
    const struct mutual_policy *shadow_policy; /* that of tomorrow, judged besides; it lets nobody
                                                  in. NULL: none                                  */
    const struct mutual_deny *deny; /* who is refused whatever else says yes, where anybody has to
                                       prove anything; NULL: nobody                             */
    struct mutual_pattern *const *expect; /* client side: any of them; at least one               */
    size_t expect_count;
    bool unsafe_plaintext; /* server side: who speaks no TLS at all is let in too, where everybody
                              is: under NONE and OBSERVE                                          */
    uint64_t trust_generation; /* what changes when the anchors do                     */
    uint64_t revocation_generation;
    uint64_t policy_generation;
};

/* The facts of one connection. */
struct mutual_evidence {
    enum mutual_side side;
    const struct mutual_chain *chain; /* NULL: the peer presented no certificate, or ...          */
    const struct mutual_error *disbelieved; /* ... under OBSERVE one that was not validated, and
                                               why; NULL: none such                               */
    /* The peer proved that it holds the leaf's key: in this handshake, or in the one that a resumed
     * session follows. */
    bool proved;
    bool plaintext; /* no TLS was spoken: nothing is proved and nothing is encrypted */
    bool resumed;
    int64_t proved_at_s;         /* when                                                     */
    uint64_t trust_generation;   /* under which the chain was validated                      */
    const char *service;         /* the listener or target it was made for                   */
    struct mutual_staple staple; /* client side: the OCSP response that came with the chain;
                                    all-zero: none did                                     */
};

/* The key to the relay. Opaque; only mutual_admit makes one. */
struct mutual_pass;

/* What the rules of tomorrow say: those with REQUIRE in place of OBSERVE, and the shadow policy in
 * place of the policy. */
enum mutual_shadow {
    MUTUAL_SHADOW_NONE, /* there are no others than today's */
    MUTUAL_SHADOW_ALLOWED,
    MUTUAL_SHADOW_REFUSED,
};

struct mutual_verdict {
    bool allowed;
    bool nobody; /* allowed without having proved to be anybody, whatever was presented           */
    enum mutual_shadow shadow;               /* decides nothing */
    const struct mutual_error *shadow_why;   /* allowed, and refused tomorrow: why; the pass's    */
    const struct mutual_grant *shadow_grant; /* that decides tomorrow; the shadow policy's        */
    struct mutual_error why;          /* not allowed: the check that decided, in words            */
    const struct mutual_grant *grant; /* the grant that decided, if one did; the policy's         */
    const struct mutual_name *name;   /* the name that it matched; the chain's                    */
    int64_t until_s;                  /* the earliest moment at which it stops being true         */
    struct mutual_pass *pass;         /* only when allowed; owned by the caller                   */
};

/* Judges the evidence by the rules at the time now_s. The verdict's `pass` must be given to
 * mutual_pass_free. Never fails: what cannot be judged is not allowed. `why` is then one of
 * USAGE (rules and evidence do not fit together: our caller's mistake), NO_CLIENT_CERT,
 * NO_SERVER_CERT, PROTOCOL_VIOLATION (not proved), RULES_CHANGED (a full handshake may mend it),
 * CERT_EXPIRED, CERT_NOT_YET_VALID, CERT_REVOKED, CRL_STALE, CRL_MISSING, OCSP_MISSING,
 * OCSP_UNSUCCESSFUL, OCSP_STALE, OCSP_UNKNOWN, PEER_DENIED, NAME_MISMATCH,
 * NO_IDENTITY, POLICY_DENIED, GRANT_ENDED, GRANT_NOT_BEGUN, NO_MEMORY. */
MUTUAL_API struct mutual_verdict mutual_admit(const struct mutual_evidence *evidence,
                                              const struct mutual_rules *rules, int64_t now_s);

/* NULL is accepted. */
MUTUAL_API void mutual_pass_free(struct mutual_pass *pass);
/* Does the pass still hold at now_s? No once until_s is reached, or after it was withdrawn. NULL
 * is no pass and never holds. */
MUTUAL_API bool mutual_pass_holds(const struct mutual_pass *pass, int64_t now_s);
/* The first second at which it no longer holds; INT64_MAX: nothing ends it by itself. */
MUTUAL_API int64_t mutual_pass_until_s(const struct mutual_pass *pass);
/* Ends the pass at once, for everybody who looks at it: what admitted the peer is gone. */
MUTUAL_API void mutual_pass_withdraw(struct mutual_pass *pass);

#ifdef __cplusplus
}
#endif
#endif
