/* SPDX-License-Identifier: Apache-2.0
 *
 * Host names with settings of their own: whose rules count for which name, in whatever pieces it
 * arrives, what is left for names that nobody has, and that no session crosses from one to another.
 */
#include "session/session_internal.h"
#include "tls_pair.h"

/* A server "web" of mode none with a certificate for db.example.org, and below it the hosts "api",
 * which requires certificates, and "open", which requests them. */
struct house {
    struct tls_pair pair;
    struct mutual_rules rules[2];
    struct mutual_context *contexts[2];
    struct mutual_host hosts[2];
    struct mutual_policy *policies[2];
    struct mutual_cache *cache;
};

static const char *const api_names[] = {"api.example.org", "*.api.example.org", NULL};
static const char *const open_names[] = {"Open.Example.org.", NULL};

static int64_t house_clock(void *context)
{
    const struct tls_pair *pair = context;
    return pair->now_s;
}

static void make_host(struct house *house, size_t i, const char *service, enum mutual_mode mode,
                      const char *const *names, const struct pki *leaf)
{
    struct mutual_error err = {0};
    MU_AUTO(identity) struct mutual_identity *identity = tls_identity(leaf);
    house->policies[i] = tls_policy(service);
    house->rules[i] = house->pair.server.rules;
    house->rules[i].service = service;
    house->rules[i].mode = mode;
    house->rules[i].policy = house->policies[i];
    struct mutual_context_options options = {
        .rules = &house->rules[i],
        .identities = &identity,
        .identity_count = 1,
        .cache = house->cache,
        .send_ca_names = true,
        .clock_s = house_clock,
        .clock_context = &house->pair,
    };
    assert_ok(mutual_context_new(&options, &house->contexts[i], &err), &err);
    house->hosts[i] = (struct mutual_host){names, house->contexts[i]};
}

static void house_init(struct house *house)
{
    struct tls_pair *pair = &house->pair;
    *house = (struct house){.cache = mutual_cache_new(100)};
    tls_pair_init(pair);
    make_host(house, 0, "web/api", MUTUAL_MODE_REQUIRE, api_names,
              pki_issue(pair->issuer, (struct pki_leaf){.cn = "api", .dns = "api.example.org"}));
    make_host(house, 1, "web/open", MUTUAL_MODE_REQUEST, open_names,
              pki_issue(pair->issuer, (struct pki_leaf){.cn = "open", .dns = "open.example.org"}));
    pair->server.rules.service = "web";
    pair->server.rules.mode = MUTUAL_MODE_NONE;
    pair->server.options.cache = house->cache;
    pair->server.options.hosts = house->hosts;
    pair->server.options.host_count = 2;
}

static void house_done(struct house *house)
{
    tls_pair_done(&house->pair);
    for (size_t i = 0; i < 2; i++) {
        mutual_context_unref(house->contexts[i]);
        mutual_policy_unref(house->policies[i]);
    }
    mutual_cache_unref(house->cache);
}

/* A client of bare OpenSSL that verifies nobody, asks for the name and offers a session. */
struct visit {
    struct tls_raw raw;
    char shown[64]; /* the common name that the server showed, "" for none */
    bool resumed;
};

static void visit_name(struct house *house, struct visit *visit, const char *name, int version,
                       bool certificate, SSL_SESSION *offer)
{
    struct tls_pair *pair = &house->pair;
    tls_pair_hang_up(pair);
    tls_raw_init(&visit->raw, false);
    if (certificate) {
        tls_raw_show(&visit->raw, pair->client_leaf);
    }
    assert_int_equal(SSL_CTX_set_min_proto_version(visit->raw.ctx, version), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(visit->raw.ctx, version), 1);
    visit->raw.ssl = SSL_new(visit->raw.ctx);
    assert_non_null(visit->raw.ssl);
    if (name != NULL) {
        assert_int_equal(SSL_set_tlsext_host_name(visit->raw.ssl, name), 1);
    }
    if (offer != NULL) {
        assert_int_equal(SSL_set_session(visit->raw.ssl, offer), 1);
    }
    tls_raw_attach(&visit->raw);
    tls_raw_shake(&visit->raw, pair, &pair->server);
    visit->shown[0] = '\0';
    X509 *cert = SSL_get1_peer_certificate(visit->raw.ssl);
    if (cert != NULL) {
        (void)X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, visit->shown,
                                        sizeof visit->shown);
        X509_free(cert);
    }
    visit->resumed = SSL_session_reused(visit->raw.ssl) == 1;
}

static const char *judged_as(const struct house *house)
{
    return mu_session_rules(house->pair.server.session)->service;
}

static bool admitted(struct house *house)
{
    struct tls_end *server = &house->pair.server;
    return server->io == MUTUAL_IO_DONE &&
           mutual_session_admit(server->session, house->pair.now_s)->allowed;
}

static void every_name_has_its_own_rules(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *shown;
        const char *service;
        bool with, without; /* a certificate: admitted? */
    } rows[] = {
        {"api.example.org", "api", "web/api", true, false},
        {"API.Example.ORG", "api", "web/api", true, false},
        {"api.example.org.", "api", "web/api", true, false},
        {"v1.api.example.org", "api", "web/api", true, false},
        {"OPEN.example.org", "open", "web/open", true, false}, /* no grant says anonymous */
        {"db.example.org", "db", "web", true, true},
        /* the listener asks less than its hosts, so it stands in for nobody */
        {"nobody.example.org", "", "web", false, false},
        {"a.b.api.example.org", "", "web", false, false},
        {"*.api.example.org", "", "web", false, false},
        {"127.0.0.1", "", "web", false, false},
        {NULL, "", "web", false, false},
    };
    static const size_t chunks[] = {0, 1};
    struct house house;
    house_init(&house);
    for (size_t i = 0; i < 4 * MU_COUNT(rows); i++) {
        const char *name = rows[i / 4].name;
        bool certificate = i % 2 == 0;
        int version = i / 2 % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
        struct visit visit;
        house.pair.chunk = chunks[i % 2];
        visit_name(&house, &visit, name, version, certificate, NULL);
        bool in = admitted(&house);
        if (strcmp(visit.shown, rows[i / 4].shown) != 0 ||
            strcmp(judged_as(&house), rows[i / 4].service) != 0 ||
            in != (certificate ? rows[i / 4].with : rows[i / 4].without)) {
            fail_msg("\"%s\" (%zu): shown \"%s\", judged as \"%s\", %sadmitted", name, i,
                     visit.shown, judged_as(&house), in ? "" : "not ");
        }
        if (rows[i / 4].shown[0] == '\0') {
            assert_int_equal(house.pair.server.err.code, MUTUAL_E_SNI_UNKNOWN);
        }
        tls_raw_done(&visit.raw);
    }
    house_done(&house);
}

/* Who asks at least as much as all hosts may stand in for names that nobody has. */
static void the_strictest_stands_in(void **state)
{
    (void)state;
    struct house house;
    struct visit visit;
    house_init(&house);
    house.pair.server.rules.mode = MUTUAL_MODE_REQUIRE;
    struct mutual_policy *policy = tls_policy("web");
    house.pair.server.rules.policy = policy;
    static const char *const names[] = {NULL, "nobody.example.org"};
    for (size_t i = 0; i < MU_COUNT(names); i++) {
        visit_name(&house, &visit, names[i], TLS1_3_VERSION, true, NULL);
        assert_true(admitted(&house));
        assert_string_equal(judged_as(&house), "web");
        tls_raw_done(&visit.raw);
        visit_name(&house, &visit, names[i], TLS1_2_VERSION, false, NULL);
        assert_int_equal(house.pair.server.io, MUTUAL_IO_FAILED);
        assert_int_equal(house.pair.server.err.code, MUTUAL_E_NO_CLIENT_CERT);
        tls_raw_done(&visit.raw);
    }
    tls_pair_forget_contexts(&house.pair);
    house.pair.server.options.strict_sni = true;
    visit_name(&house, &visit, "nobody.example.org", TLS1_3_VERSION, true, NULL);
    assert_int_equal(house.pair.server.err.code, MUTUAL_E_SNI_UNKNOWN);
    tls_raw_done(&visit.raw);
    /* without a certificate of its own it stands in for nobody */
    tls_pair_forget_contexts(&house.pair);
    house.pair.server.options.strict_sni = false;
    mutual_identity_unref(house.pair.server.identities[0]);
    house.pair.server.identity_count = 0;
    visit_name(&house, &visit, NULL, TLS1_3_VERSION, true, NULL);
    assert_int_equal(house.pair.server.err.code, MUTUAL_E_SNI_UNKNOWN);
    tls_raw_done(&visit.raw);
    visit_name(&house, &visit, "api.example.org", TLS1_3_VERSION, true, NULL);
    assert_true(admitted(&house));
    tls_raw_done(&visit.raw);
    house_done(&house);
    mutual_policy_unref(policy);
}

/* After a handshake: reads what the server still has to say, tickets above all. */
static SSL_SESSION *session_of(struct house *house, struct visit *visit)
{
    char byte;
    (void)SSL_read(visit->raw.ssl, &byte, 1);
    (void)house;
    return SSL_get1_session(visit->raw.ssl);
}

static void no_session_crosses_to_another_host(void **state)
{
    (void)state;
    static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};
    static const struct {
        const char *made_at;
        const char *used_at;
        bool resumed;
    } rows[] = {
        {"api.example.org", "api.example.org", true},
        {"v1.api.example.org", "API.example.org", true}, /* the same host, by another name */
        {"api.example.org", "open.example.org", false},
        {"open.example.org", "api.example.org", false},
        {"api.example.org", "db.example.org", false},
        {"db.example.org", "api.example.org", false},
        {"db.example.org", "open.example.org", false},
    };
    for (size_t i = 0; i < 2 * MU_COUNT(rows); i++) {
        struct house house;
        struct visit first;
        struct visit second;
        house_init(&house);
        visit_name(&house, &first, rows[i / 2].made_at, versions[i % 2], true, NULL);
        assert_true(admitted(&house));
        SSL_SESSION *kept = session_of(&house, &first);
        visit_name(&house, &second, rows[i / 2].used_at, versions[i % 2], true, kept);
        bool resumed = second.resumed && house.pair.server.io == MUTUAL_IO_DONE;
        /* OpenSSL itself resumes no TLS 1.3 session under another name than it was made for */
        bool same_name = strcmp(rows[i / 2].made_at, rows[i / 2].used_at) == 0;
        if (resumed && !rows[i / 2].resumed) {
            fail_msg("a session of %s was resumed at %s", rows[i / 2].made_at, rows[i / 2].used_at);
        }
        if (same_name) {
            assert_true(resumed);
        }
        SSL_SESSION_free(kept);
        tls_raw_done(&first.raw);
        tls_raw_done(&second.raw);
        house_done(&house);
    }
}

/* A session made without a certificate where none is asked for, and used where one is required. */
static void no_session_without_certificate_crosses(void **state)
{
    (void)state;
    static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};
    for (size_t i = 0; i < MU_COUNT(versions); i++) {
        struct house house;
        struct visit first;
        struct visit second;
        house_init(&house);
        visit_name(&house, &first, "db.example.org", versions[i], false, NULL);
        assert_true(admitted(&house));
        SSL_SESSION *kept = session_of(&house, &first);
        visit_name(&house, &second, "api.example.org", versions[i], false, kept);
        assert_int_equal(house.pair.server.io, MUTUAL_IO_FAILED);
        assert_int_equal(house.pair.server.err.code, MUTUAL_E_NO_CLIENT_CERT);
        SSL_SESSION_free(kept);
        tls_raw_done(&first.raw);
        tls_raw_done(&second.raw);
        house_done(&house);
    }
}

/* A client that first names one host and, asked for another key share, another one. */
static void the_second_hello_names_the_same_host(void **state)
{
    (void)state;
    static char bytes[8192];
    struct house house;
    struct tls_raw raw;
    house_init(&house);
    tls_raw_init(&raw, false);
    tls_raw_offer(&raw, "P-521:P-256", NULL);
    raw.ssl = SSL_new(raw.ctx);
    assert_int_equal(SSL_set_tlsext_host_name(raw.ssl, "db.example.org"), 1);
    tls_raw_attach(&raw);
    tls_pair_start(&house.pair);
    (void)SSL_do_handshake(raw.ssl);
    int n = BIO_read(raw.out, bytes, sizeof bytes);
    tls_feed(&house.pair, &house.pair.server, bytes, (size_t)n, false);
    assert_int_equal(SSL_set_tlsext_host_name(raw.ssl, "api.example.org"), 1);
    tls_raw_shake(&raw, &house.pair, &house.pair.server);
    assert_int_equal(house.pair.server.io, MUTUAL_IO_FAILED);
    assert_int_equal(house.pair.server.err.code, MUTUAL_E_PROTOCOL_VIOLATION);
    tls_raw_done(&raw);
    house_done(&house);
}

static void what_cannot_be_a_host_is_refused(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"*.*.example.org", NULL}, {"127.0.0.1", NULL}, {"a b", NULL}, {"", NULL}, {"*", NULL}};
    static const char *const twice[] = {"x.example.org", "X.example.org.", NULL};
    struct mutual_error err = {0};
    struct house house;
    house_init(&house);
    struct mutual_context_options options = {.rules = &house.pair.server.rules,
                                             .identities = house.pair.server.identities,
                                             .identity_count = 1,
                                             .hosts = house.hosts,
                                             .host_count = 1};
    struct mutual_context *made = NULL;
    for (size_t i = 0; i < MU_COUNT(bad); i++) {
        house.hosts[0].names = bad[i];
        assert_false(mutual_context_new(&options, &made, &err));
    }
    house.hosts[0].names = twice;
    assert_fails(mutual_context_new(&options, &made, &err), &err, MUTUAL_E_CONFIG_INVALID);
    house.hosts[0].names = bad[0] + 1;
    assert_fails(mutual_context_new(&options, &made, &err), &err, MUTUAL_E_CONFIG_INVALID);
    house.hosts[0].names = open_names;
    assert_ok(mutual_context_new(&options, &made, &err), &err);
    struct mutual_host nested = {api_names, made};
    options.hosts = &nested;
    struct mutual_context *outer = NULL;
    assert_fails(mutual_context_new(&options, &outer, &err), &err, MUTUAL_E_CONFIG_INVALID);
    mutual_context_unref(made);
    house_done(&house);
}

UNIT_MAIN(UNIT_CASE(every_name_has_its_own_rules), UNIT_CASE(the_strictest_stands_in),
          UNIT_CASE(no_session_crosses_to_another_host),
          UNIT_CASE(no_session_without_certificate_crosses),
          UNIT_CASE(the_second_hello_names_the_same_host),
          UNIT_CASE(what_cannot_be_a_host_is_refused))
