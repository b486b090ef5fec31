/* SPDX-License-Identifier: Apache-2.0
 *
 * What run.py counts the instructions of: a worker in this process does one thing several times.
 * run.py has valgrind count only what happens inside of `counted`, and of that only the worker's
 * part: the client and the service behind are in this process too.
 *
 *     counts WHAT TIMES
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <unistd.h>

#include "../unit/gateway/fixture.h"
#include "trust/trust.h"
#include "x509/x509.h"

enum { BULK = 1 << 20, GULP = 1 << 16, SMALL = 64, GRANTS = 1000 };

static uint8_t data[GULP];
static struct knock talker; /* the connection that data go through */
static int service;
static struct mutual_policy *policy;

/* ---- handshakes ------------------------------------------------------------------------------ */

static void connect_once(void)
{
    struct knock client;
    knock_open(&client, home.client);
    knock_shake(&client);
    assert_int_equal(client.io, MUTUAL_IO_DONE);
    int accepted = fixture_accept();
    knock_write(&client, "x", 1);
    fixture_until(recv(accepted, data, 1, 0) == 1);
    assert_int_equal(send(accepted, "y", 1, 0), 1);
    assert_int_equal(knock_read(&client, data, 1), 1);
    knock_close(&client);
    (void)close(accepted);
    fixture_until(home.worker.slab.used == 0);
    bool resumes = fixture_options.client_cache != NULL &&
                   mutual_cache_count(fixture_options.client_cache) > 0;
    assert_int_equal(resumes, fixture_options.client_cache != NULL);
    knock_done(&client);
    fixture_stock(1);
}

/* ---- data ------------------------------------------------------------------------------------ */

static void open_talker(void)
{
    knock_open(&talker, home.client);
    knock_shake(&talker);
    service = fixture_accept();
}

static void take(size_t want)
{
    for (size_t got = 0; got < want;) {
        ssize_t n = recv(service, data, sizeof data, 0);
        got += n > 0 ? (size_t)n : 0;
        if (got < want) {
            fixture_turn();
        }
    }
}

static void relay_once(void)
{
    for (size_t sent = 0; sent < BULK; sent += GULP) {
        knock_write(&talker, data, GULP);
        take(GULP);
    }
}

static void echo_once(void)
{
    knock_write(&talker, data, SMALL);
    take(SMALL);
    assert_int_equal(send(service, data, SMALL, 0), SMALL);
    assert_int_equal(knock_read(&talker, data, SMALL), SMALL);
}

/* ---- decisions ------------------------------------------------------------------------------- */

static void make_policy(void)
{
    struct mutual_error err = {0};
    policy = mutual_policy_new();
    assert_non_null(policy);
    for (unsigned i = 0; i < GRANTS; i++) {
        char name[32];
        char text[64];
        struct mutual_pattern *from = NULL;
        (void)snprintf(name, sizeof name, "grant-%u", i);
        (void)snprintf(text, sizeof text, "spiffe://example.org/client%s%.0u", i == 0 ? "" : "/",
                       i);
        assert_ok(mutual_pattern_parse(MUTUAL_NAME_SPIFFE, text, &from, &err), &err);
        struct mutual_grant grant = {.name = name,
                                     .to = "db",
                                     .from = &from,
                                     .from_count = 1,
                                     .until_s = INT64_MAX,
                                     .owner = "tests",
                                     .why = "counting"};
        assert_ok(mutual_policy_add(policy, &grant, &err), &err);
    }
    assert_ok(mutual_policy_freeze(policy, &err), &err);
    open_talker();
}

static void decide_once(void)
{
    const struct conn *conn = fixture_conn();
    struct mutual_rules rules = home.facts.rules;
    rules.policy = policy;
    struct mutual_verdict verdict =
        mutual_admit(mutual_session_evidence(conn->front.session), &rules, mu_clock_wall_s());
    assert_true(verdict.allowed);
    mutual_pass_free(verdict.pass);
}

/* ---- the table ------------------------------------------------------------------------------- */

static const struct row {
    const char *name;
    bool known, resumption;
    void (*prepare)(void);
    void (*once)(void);
} rows[] = {
    {"handshake-unknown", false, false, connect_once, connect_once},
    {"handshake-known", true, false, connect_once, connect_once},
    {"handshake-resumed", true, true, connect_once, connect_once},
    {"relay-1-mib", false, false, open_talker, relay_once},
    {"echo-64", false, false, open_talker, echo_once},
    {"decision", false, false, make_policy, decide_once},
};

/* Known to run.py by its name. */
void counted(void (*once)(void), uint64_t times);
__attribute__((noinline)) void counted(void (*once)(void), uint64_t times)
{
    for (uint64_t i = 0; i < times; i++) {
        once();
    }
}

static void run(const struct row *row, uint64_t times)
{
    struct mutual_error err = {0};
    fixture_options.libctx = OSSL_LIB_CTX_new(); /* lean, as a worker's */
    assert_ok(mu_ossl_lean(fixture_options.libctx, &err), &err);
    fixture_options.known = row->known ? mu_known_new(8) : NULL;
    fixture_options.cache = row->resumption ? mutual_cache_new(8) : NULL;
    fixture_options.client_cache = row->resumption ? mutual_cache_new(8) : NULL;
    fixture_init();
    row->prepare();
    row->once();
    counted(row->once, times);
    if (talker.session != NULL) {
        (void)close(service);
        knock_done(&talker);
    }
    mutual_policy_unref(policy);
    fixture_done();
    mutual_cache_unref(fixture_options.cache);
    mutual_cache_unref(fixture_options.client_cache);
    mu_known_unref(fixture_options.known);
    mu_ossl_lean_free(fixture_options.libctx);
}

int main(int argc, char **argv)
{
    uint64_t times = 0;
    for (size_t i = 0; argc == 3 && i < MU_COUNT(rows); i++) {
        if (strcmp(argv[1], rows[i].name) == 0 && mu_text_uint(argv[2], 100000, &times)) {
            run(&rows[i], times);
            return 0;
        }
    }
    fprintf(stderr, "usage: %s WHAT TIMES\n", argv[0]);
    return 2;
}
