/* SPDX-License-Identifier: Apache-2.0
 *
 * Sessions in memory for tests: two of ours facing each other, or one of ours facing bare OpenSSL
 * that may misbehave. The clock stands at PKI_NOW_S until a test moves it. Link unit_tls_dep.
 *
 *     struct tls_pair pair;
 *     tls_pair_init(&pair);                    // mutual TLS, EC keys, everybody granted
 *     pair.client.identity_count = 0;          // change what the case is about
 *     tls_pair_shake(&pair);                   // contexts and sessions are made here
 *     assert_int_equal(pair.server.io, MUTUAL_IO_FAILED);
 *     tls_pair_done(&pair);
 *
 * With TLS_PAIR_LIBRARY_RECORDS in the environment no end has a record layer of its own: suites of
 * this fixture are run both ways.
 */
#ifndef TESTS_SUPPORT_TLS_PAIR_H
#define TESTS_SUPPORT_TLS_PAIR_H

#include <openssl/ssl.h>

#include "pki.h"
#include "session/session.h"
#include "unit.h"

#define TLS_IDENTITIES 4u

struct tls_end {
    struct mutual_rules rules;
    struct mutual_context_options options; /* rules, identities and clock are filled in */
    struct mu_context_extras extras;
    struct mutual_identity *identities[TLS_IDENTITIES];
    size_t identity_count;
    struct mutual_context *context; /* made by tls_pair_shake when NULL */
    struct mutual_session *session;
    enum mutual_io io;       /* of the last call */
    struct mutual_error err; /* of the last failure */
    struct mu_buf out;       /* ciphertext the other end has not taken yet */
    bool observe;
    bool tls12;        /* speaks no more than TLS 1.2 */
    bool out_can_wait; /* it said so once */
};

struct tls_pair {
    struct tls_end server;
    struct tls_end client;
    struct tls_end *hurried; /* who has no time and gives way wherever it can, or NULL */
    unsigned turns;          /* how often it did                                       */
    size_t chunk;            /* the size of every window on the wire; 0: large */
    int64_t now_s;
    struct pki *root, *issuer;
    struct pki *server_leaf, *client_leaf;
    struct mutual_trust *trust;
    struct mutual_policy *policy;
    struct mutual_pattern *expect;
};

/* "customer-db" with a certificate for db.example.org, and a client spiffe://example.org/alice with
 * a grant; each believes the same root. */
void tls_pair_init(struct tls_pair *pair);
void tls_pair_init_with(struct tls_pair *pair, enum mu_key_spec server, enum mu_key_spec client);
/* Sessions, contexts and what init made; the caches given in options are the caller's. */
void tls_pair_done(struct tls_pair *pair);
/* Only the sessions and what is on the wire, to shake hands again with the same contexts. */
void tls_pair_hang_up(struct tls_pair *pair);
/* The contexts too, so that changed options count. */
void tls_pair_forget_contexts(struct tls_pair *pair);

struct mutual_identity *tls_identity(const struct pki *leaf);
struct mutual_trust *tls_trust(const struct pki *anchor);
/* A frozen policy with one grant to everybody under spiffe://example.org/. */
struct mutual_policy *tls_policy(const char *service);
void tls_end_show(struct tls_end *end, const struct pki *leaf); /* instead of its identities */

/* Makes what is missing and drives both handshakes until nothing moves. */
void tls_pair_start(struct tls_pair *pair);
void tls_pair_shake(struct tls_pair *pair);
/* Shakes hands and admits both; the test fails when somebody is refused. */
void tls_pair_open(struct tls_pair *pair);
/* One handshake call of `end`, fed from `from` within the pair's windows; true when bytes moved. */
bool tls_step(struct tls_pair *pair, struct tls_end *end, struct tls_end *from);
/* Reads what has arrived at `end`, up to cap bytes; end->io says what stopped it. */
size_t tls_read(struct tls_pair *pair, struct tls_end *end, struct tls_end *from, uint8_t *data,
                size_t cap);
/* Writes all of it into end->out. */
void tls_write(struct tls_pair *pair, struct tls_end *end, const void *data, size_t len);
void tls_close(struct tls_pair *pair, struct tls_end *end);
/* Sends a text each way and checks that it arrives. */
void tls_pair_talk(struct tls_pair *pair);

/* ---- bare OpenSSL ---------------------------------------------------------------------------- */

struct tls_raw {
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *in, *out;
    struct tls_end wire; /* wire.out: what it sent and our end has not taken yet */
};
/* Verifies nobody and presents nothing; the test sets up ctx before the first shake. */
void tls_raw_init(struct tls_raw *raw, bool server);
void tls_raw_show(struct tls_raw *raw, const struct pki *leaf);
/* What it offers or accepts; NULL leaves it as it is. */
void tls_raw_offer(struct tls_raw *raw, const char *groups, const char *signatures);
/* Connects raw->ssl, which the test made, to the wire. */
void tls_raw_attach(struct tls_raw *raw);
void tls_raw_done(struct tls_raw *raw);
/* Drives both until nothing moves; `end` belongs to `pair`. */
void tls_raw_shake(struct tls_raw *raw, struct tls_pair *pair, struct tls_end *end);
/* Gives bytes to `end` as if they came from the wire; `last`: and the wire ends. */
void tls_feed(struct tls_pair *pair, struct tls_end *end, const void *data, size_t len, bool last);

#endif
