/* SPDX-License-Identifier: Apache-2.0
 *
 * What the session's fuzz targets share: two contexts made once, a session fed with bytes that
 * somebody invented, and what must hold whatever the bytes are.
 */
#ifndef TESTS_FUZZ_SESSION_FUZZ_H
#define TESTS_FUZZ_SESSION_FUZZ_H

#include <stdlib.h>
#include <string.h>

#include "identity/identity.h"
#include "pki.h"
#include "session/session.h"
#include "trust/trust.h"

struct fuzz_world {
    struct mutual_rules server_rules, client_rules;
    struct mutual_context *server, *client;
};

static int64_t fuzz_clock(void *context)
{
    (void)context;
    return PKI_NOW_S;
}

static struct mutual_identity *fuzz_identity(const struct pki *leaf)
{
    struct mutual_identity *identity = NULL;
    struct mu_cert *chain[] = {leaf->cert, leaf->parent->cert};
    bool made = mu_identity_new(chain, 2, leaf->key, &identity, NULL);
    mu_assert(made);
    return identity;
}

static struct mutual_context *fuzz_context(const struct mutual_rules *rules,
                                           struct mutual_identity *identity)
{
    static const char *const alpn[] = {"h2", "http/1.1", NULL};
    struct mutual_context *context = NULL;
    const struct mutual_context_options options = {
        .rules = rules,
        .identities = &identity,
        .identity_count = 1,
        .alpn = alpn,
        .server_name = rules->side == MUTUAL_SIDE_CLIENT ? "db.example.org" : NULL,
        .send_ca_names = true,
        .cache = mutual_cache_new(100),
        .clock_s = fuzz_clock,
    };
    bool made = mutual_context_new(&options, &context, NULL);
    mu_assert(made);
    return context;
}

static const struct fuzz_world *fuzz_world(void)
{
    static struct fuzz_world world;
    static struct mutual_pattern *expect;
    if (world.server != NULL) {
        return &world;
    }
    struct pki *root = pki_root("Root");
    struct pki *issuer = pki_ca(root, "Issuer");
    struct mutual_trust *trust = mutual_trust_new("fuzz");
    struct mutual_policy *policy = mutual_policy_new();
    const char *pem = pki_pem(root);
    bool made = mutual_trust_add_pem(trust, pem, strlen(pem), NULL) &&
                mutual_trust_freeze(trust, NULL) && mutual_policy_freeze(policy, NULL) &&
                mutual_pattern_parse(MUTUAL_NAME_DNS, "db.example.org", &expect, NULL);
    mu_assert(made);
    world.server_rules = (struct mutual_rules){
        .side = MUTUAL_SIDE_SERVER, .service = "fuzz", .trust = trust, .policy = policy};
    world.client_rules = (struct mutual_rules){.side = MUTUAL_SIDE_CLIENT,
                                               .service = "fuzz",
                                               .trust = trust,
                                               .expect = &expect,
                                               .expect_count = 1};
    world.server =
        fuzz_context(&world.server_rules,
                     fuzz_identity(pki_issue(issuer, (struct pki_leaf){.dns = "db.example.org"})));
    world.client = fuzz_context(
        &world.client_rules,
        fuzz_identity(pki_issue(issuer, (struct pki_leaf){.uri = "spiffe://example.org/a"})));
    return &world;
}

/* Feeds the bytes to a new session in windows of the given width, then ends the wire. Nobody who
 * invents bytes proves anything, and every failure has a reason. */
static void fuzz_feed(struct mutual_context *context, const uint8_t *data, size_t size,
                      size_t width)
{
    static uint8_t out[1u << 16];
    struct mutual_session *session = mutual_session_new(context, NULL);
    struct mutual_error err = {0};
    enum mutual_io io = MUTUAL_IO_WANT_READ;
    mu_assert(session != NULL);
    (void)mu_session_observe(session);
    while (io != MUTUAL_IO_FAILED) {
        size_t len = size < width ? size : width;
        struct mutual_wire wire = {
            .in = data, .in_len = len, .in_end = len == size, .out = out, .out_cap = sizeof out};
        io = mutual_session_handshake(session, &wire, &err);
        mu_assert(io != MUTUAL_IO_DONE && io != MUTUAL_IO_END && io != MUTUAL_IO_WANT_KEY);
        size -= len - wire.in_len;
        data = wire.in;
    }
    mu_assert(err.code != MUTUAL_OK && err.reason[0] != '\0' && err.step != MUTUAL_STEP_NONE);
    mu_assert(mutual_session_journey(session)->steps[err.step].outcome == MUTUAL_OUTCOME_FAILED);
    mu_assert(!mutual_session_admit(session, PKI_NOW_S)->allowed);
    (void)mu_session_observed(session);
    mutual_session_free(session);
}

#endif
