/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker in a test's own process: no parent, no key process, real sockets. A client of ours
 * knocks through a pair of sockets, a listening UNIX socket is the service behind.
 *
 *     fixture_init();                        // in the test's setup
 *     struct knock client;
 *     knock_open(&client, &home.client);     // accepted, nothing said yet
 *     knock_shake(&client);                  // until the handshake is over, well or badly
 *     int service = fixture_accept();        // what the gateway connected to
 *     knock_done(&client); fixture_done();
 */
#ifndef GATEWAY_FIXTURE_H
#define GATEWAY_FIXTURE_H

#include "gateway/worker_internal.h"
#include "pki.h"
#include "unit.h"

struct home {
    struct worker worker;
    struct child child;
    struct ipc_channel *parent; /* the other end of the worker's channel */
    struct generation generation;
    struct service service;
    struct world_service facts;
    struct config_inbound inbound;
    struct config_outbound outbound;
    struct world_chain chain;
    struct mu_cert *certs[1];
    struct pki *root, *server, *client;
    struct mutual_trust *trust;
    struct mutual_policy *policy;
    struct mutual_pattern *expect;
    char directory[64];
    char path[96]; /* of the service behind */
    int listening;
    int log; /* what went to standard error */
    int stderr_before;
};
extern struct home home;

/* All NULL unless a program sets them before fixture_init; borrowed. */
struct fixture_options {
    struct ossl_lib_ctx_st *libctx;            /* of the worker          */
    struct mu_known *known;                    /* of the worker          */
    struct mutual_cache *cache, *client_cache; /* of the worker and of everybody who knocks */
};
extern struct fixture_options fixture_options;

/* An inbound "db" before the service at home.path, where spiffe://example.org/client has a grant.
 * Change home.inbound.timeouts and so on before the first knock. */
void fixture_init(void);
void fixture_done(void);
/* Turns the reactor until the condition holds, for at most two seconds; fails the test else. */
#define fixture_until(condition_)                                   \
    do {                                                            \
        for (int turns_ = 0; !(condition_); turns_++) {             \
            if (turns_ > 200) {                                     \
                fail_msg("it did not come about: %s", #condition_); \
            }                                                       \
            fixture_turn();                                         \
        }                                                           \
    } while (0)
void fixture_turn(void);
/* Unconnected sockets, as the parent would send them. */
void fixture_stock(size_t count);
/* The gateway's connection to the service; the caller's. */
int fixture_accept(void);
/* All that was logged so far, NUL-terminated; valid until the next call. */
const char *fixture_log(void);
/* Whether the log tells of that code in the words of the log ("idle_timeout"). */
bool fixture_logged(const char *word);

/* Another set of rules in place of the one in use; the old one stays as long as somebody uses it.
 */
struct service *fixture_new_generation(struct mutual_policy *policy);

struct knock {
    int fd;
    struct mutual_context *context;
    struct mutual_session *session;
    struct mutual_rules rules;
    enum mutual_io io;
    struct mutual_error err;
    struct mu_buf in;
};
/* A client that presents `who` (NULL: nothing); the gateway has accepted it. */
void knock_open(struct knock *knock, const struct pki *who);
void knock_shake(struct knock *knock);
void knock_write(struct knock *knock, const void *data, size_t len);
/* Reads until `want` bytes came or the session is at its end; returns how many. */
size_t knock_read(struct knock *knock, void *data, size_t want);
void knock_close(struct knock *knock);
void knock_done(struct knock *knock);
/* The gateway's side of the only connection there is. */
struct conn *fixture_conn(void);

/* Cases with the fixture around them. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
#define FIXTURE_CASE(name_) cmocka_unit_test_setup_teardown(name_, fixture_setup, fixture_teardown)

#endif
