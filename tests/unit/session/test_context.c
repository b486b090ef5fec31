/* SPDX-License-Identifier: Apache-2.0
 *
 * Contexts: options that cannot be, what is negotiated, and the authorities that are named.
 */
#include "session/session_internal.h"
#include "tls_pair.h"

static bool make(struct tls_end *end, struct mutual_error *err)
{
    end->options.rules = &end->rules;
    end->options.identities = end->identities;
    end->options.identity_count = end->identity_count;
    mutual_context_unref(end->context);
    end->context = NULL;
    return mu_context_new(&end->options, &end->extras, &end->context, err);
}

static void impossible_options_are_refused(void **state)
{
    (void)state;
    static const char *const empty[] = {"", NULL};
    struct mutual_error err = {0};
    struct tls_pair pair;
    tls_pair_init(&pair);
    assert_ok(make(&pair.server, &err), &err);
    pair.server.rules.trust = NULL;
    assert_fails(make(&pair.server, &err), &err, MUTUAL_E_CONFIG_INVALID);
    pair.server.rules.mode = MUTUAL_MODE_NONE;
    assert_ok(make(&pair.server, &err), &err);
    pair.server.rules.service = NULL;
    assert_fails(make(&pair.server, &err), &err, MUTUAL_E_CONFIG_INVALID);
    pair.server.rules.service = "customer-db";
    pair.server.options.alpn = empty;
    assert_fails(make(&pair.server, &err), &err, MUTUAL_E_CONFIG_INVALID);
    pair.server.options.alpn = NULL;
    mutual_identity_unref(pair.server.identities[0]);
    pair.server.identity_count = 0;
    assert_fails(make(&pair.server, &err), &err, MUTUAL_E_CONFIG_INVALID);
    pair.client.rules.trust = NULL;
    pair.client.rules.mode = MUTUAL_MODE_NONE;
    assert_fails(make(&pair.client, &err), &err, MUTUAL_E_CONFIG_INVALID);
    pair.client.rules.trust = pair.trust;
    pair.client.options.server_name = "not a name";
    assert_fails(make(&pair.client, &err), &err, MUTUAL_E_NAME_MALFORMED);
    pair.client.options.server_name = "db.example.org";
    pair.client.identities[1] = pair.client.identities[0];
    pair.client.identity_count = 2;
    assert_fails(make(&pair.client, &err), &err, MUTUAL_E_CONFIG_INVALID);
    pair.client.identity_count = 1;
    tls_pair_done(&pair);
}

static void addresses_are_not_sent_as_names(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct tls_pair pair;
    tls_pair_init(&pair);
    pair.client.options.server_name = "10.0.0.1";
    assert_ok(make(&pair.client, &err), &err);
    assert_null(pair.client.context->server_name);
    pair.client.options.server_name = "DB.Example.org.";
    assert_ok(make(&pair.client, &err), &err);
    assert_string_equal(pair.client.context->server_name, "db.example.org");
    tls_pair_done(&pair);
}

static void tls12_can_be_refused(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    pair.server.extras.tls13_only = true;
    pair.client.tls12 = true;
    tls_pair_shake(&pair);
    assert_int_equal(pair.server.err.code, MUTUAL_E_PROTOCOL_OLD);
    assert_int_equal(pair.client.err.code, MUTUAL_E_PROTOCOL_OLD);
    tls_pair_done(&pair);
}

static void authorities_are_named_within_the_budget(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct tls_pair pair;
    tls_pair_init(&pair);
    pair.server.options.send_ca_names = true;
    pair.client.observe = true;
    tls_pair_open(&pair);
    struct mu_ca_names names = mu_context_ca_names(pair.server.context);
    assert_true(names.sent);
    assert_int_equal(names.count, 1);
    assert_true(names.bytes > 10 && names.bytes < 100);
    const struct mu_observed *seen = mu_session_observed(pair.client.session);
    assert_int_equal(seen->ca_name_count, 1);
    assert_true(mu_name_equal(seen->ca_names[0], mu_cert_facts(pair.root->cert)->subject));
    tls_pair_forget_contexts(&pair);

    struct mutual_trust *many = mutual_trust_new("many");
    char cn[65];
    for (int i = 0; i < 240; i++) {
        (void)snprintf(cn, sizeof cn, "Authority %054d", i);
        const struct mu_rdn subject = {MU_ATTR_CN, cn};
        const struct mu_cert_template template = {
            .subject = &subject, .subject_count = 1, .ca = true, .key_usage = MU_KU_KEY_CERT_SIGN};
        const char *pem = pki_pem(pki_make(NULL, &template, MU_SPEC_EC_P256));
        assert_ok(mutual_trust_add_pem(many, pem, strlen(pem), &err), &err);
    }
    assert_ok(mutual_trust_freeze(many, &err), &err);
    pair.server.rules.trust = many;
    assert_ok(make(&pair.server, &err), &err);
    names = mu_context_ca_names(pair.server.context);
    assert_false(names.sent);
    assert_int_equal(names.count, 240);
    assert_true(names.bytes > MU_LIMIT_CA_NAMES_BYTES);
    tls_pair_done(&pair);
    mutual_trust_unref(many);
}

static void a_protocol_is_chosen_by_our_preference(void **state)
{
    (void)state;
    static const char *const ours[] = {"h2", "http/1.1", NULL};
    static const char *const theirs[] = {"http/1.1", "h2", NULL};
    struct mutual_session_info info;
    struct tls_pair pair;
    tls_pair_init(&pair);
    pair.server.options.alpn = ours;
    pair.client.options.alpn = theirs;
    tls_pair_open(&pair);
    mutual_session_info(pair.server.session, &info);
    assert_string_equal(info.alpn, "h2");
    mutual_session_info(pair.client.session, &info);
    assert_string_equal(info.alpn, "h2");
    tls_pair_forget_contexts(&pair);
    pair.client.options.alpn = NULL; /* who offers none is not refused */
    tls_pair_open(&pair);
    mutual_session_info(pair.server.session, &info);
    assert_null(info.alpn);
    tls_pair_done(&pair);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    static const char *const alpn[] = {"h2", "http/1.1", NULL};
    struct mutual_error err = {0};
    struct tls_pair pair;
    bool made = false;
    tls_pair_init(&pair);
    pair.server.options.alpn = alpn;
    for (unsigned long n = 1; !made; n++) {
        assert_true(n < 100);
        mu_alloc_fail_after(n);
        made = make(&pair.server, &err);
        mu_alloc_fail_after(0);
        assert_true(made || err.code == MUTUAL_E_NO_MEMORY);
    }
    tls_pair_done(&pair);
}

static void a_library_context_of_its_own(void **state)
{
    (void)state;
    OSSL_LIB_CTX *libctx = OSSL_LIB_CTX_new();
    struct tls_pair pair;
    tls_pair_init(&pair);
    pair.server.extras.libctx = libctx;
    tls_pair_open(&pair);
    tls_pair_talk(&pair);
    tls_pair_done(&pair);
    OSSL_LIB_CTX_free(libctx);
}

/* Keys of every kind, both versions, full and resumed: what a lean context lacks is not missed. */
static void a_lean_library_context_is_enough(void **state)
{
    (void)state;
    static const enum mu_key_spec specs[] = {MU_SPEC_EC_P256, MU_SPEC_EC_P384, MU_SPEC_RSA_2048,
                                             MU_SPEC_ED25519};
    struct mutual_error err = {0};
    OSSL_LIB_CTX *lean = OSSL_LIB_CTX_new();
    assert_ok(mu_ossl_lean(lean, &err), &err);
    for (size_t i = 0; i < 2 * MU_COUNT(specs); i++) {
        struct tls_pair pair;
        tls_pair_init_with(&pair, specs[i / 2], specs[(i / 2 + 1) % MU_COUNT(specs)]);
        MU_AUTO(cache) struct mutual_cache *server_cache = mutual_cache_new(8);
        MU_AUTO(cache) struct mutual_cache *client_cache = mutual_cache_new(8);
        pair.server.extras.libctx = lean;
        pair.client.extras.libctx = lean;
        pair.server.options.cache = server_cache;
        pair.client.options.cache = client_cache;
        pair.client.tls12 = i % 2 == 1;
        for (int round = 0; round < 2; round++) {
            struct mutual_session_info info = {0};
            tls_pair_hang_up(&pair);
            tls_pair_open(&pair);
            assert_false(pair.server.context->remote_keys);
            tls_pair_talk(&pair);
            mutual_session_info(pair.server.session, &info);
            assert_int_equal(info.resumed, round == 1);
            assert_true(info.mutual);
        }
        tls_pair_done(&pair);
    }
    mu_ossl_lean_free(lean);
}

UNIT_MAIN(UNIT_CASE(impossible_options_are_refused), UNIT_CASE(addresses_are_not_sent_as_names),
          UNIT_CASE(tls12_can_be_refused), UNIT_CASE(authorities_are_named_within_the_budget),
          UNIT_CASE(a_protocol_is_chosen_by_our_preference), UNIT_CASE(every_allocation_may_fail),
          UNIT_CASE(a_library_context_of_its_own), UNIT_CASE(a_lean_library_context_is_enough))
