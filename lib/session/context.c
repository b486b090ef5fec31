/* SPDX-License-Identifier: Apache-2.0
 *
 * Contexts: options checked, then one SSL_CTX with our versions, suites, groups, signatures and
 * callbacks. Nothing is taken from a configuration file or the environment.
 */
#include "session/channel_internal.h"
#include "session/compat_internal.h"
#include "x509/x509.h"

#include <openssl/crypto.h>
#include <openssl/provider.h>
#include <openssl/x509.h>
#include <string.h>

/* AEAD and ephemeral ECDH only. AES-128 first: it costs least and its strength is that of the
 * curves and certificates around it; PRIORITIZE_CHACHA lets a client without AES say so. */
#define SUITES_TLS13 "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"
#define SUITES_TLS12                                             \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:" \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
/* No SHA-1, no DSA. PKCS#1 v1.5 is for TLS 1.2 and for signatures in certificates. */
#define SIGNATURES                                                 \
    "ECDSA+SHA256:ed25519:rsa_pss_rsae_sha256:rsa_pss_pss_sha256:" \
    "ECDSA+SHA384:rsa_pss_rsae_sha384:rsa_pss_pss_sha384:"         \
    "ECDSA+SHA512:rsa_pss_rsae_sha512:rsa_pss_pss_sha512:"         \
    "RSA+SHA256:RSA+SHA384:RSA+SHA512"

int64_t mu_context_now(const struct mutual_context *context)
{
    return context->clock_s != NULL ? context->clock_s(context->clock_context) : mu_clock_wall_s();
}

/* ---- options --------------------------------------------------------------------------------- */

static bool options_check(const struct mutual_context_options *options, bool blind,
                          struct mutual_error *err)
{
    const struct mutual_rules *rules = options->rules;
    const char *service = rules->service != NULL ? rules->service : "";
    bool server = rules->side == MUTUAL_SIDE_SERVER;
    if (service[0] == '\0') {
        return mu_fail(err, MUTUAL_E_CONFIG_INVALID, "the service has no name");
    }
    bool asks = server ? rules->mode != MUTUAL_MODE_NONE : !blind;
    if (rules->trust == NULL && asks) {
        return mu_fail(err, MUTUAL_E_CONFIG_INVALID,
                       "\"%s\" is to verify its peers, but has no trust bundle", service);
    }
    if (!server && options->host_count > 0) {
        return mu_fail(err, MUTUAL_E_CONFIG_INVALID, "\"%s\" is a client and has host names",
                       service);
    }
    if (server && options->identity_count == 0 && options->host_count == 0) {
        return mu_fail(err, MUTUAL_E_CONFIG_INVALID, "\"%s\" has no certificate to present",
                       service);
    }
    if (!server && options->identity_count > 1) {
        return mu_fail(err, MUTUAL_E_CONFIG_INVALID,
                       "\"%s\" has %zu certificates, a client presents at most one", service,
                       options->identity_count);
    }
    return true;
}

static bool copy_alpn(struct mutual_context *context, const char *const *names,
                      struct mutual_error *err)
{
    size_t count = 0;
    size_t bytes = 0;
    for (; names != NULL && names[count] != NULL; count++) {
        size_t len = strlen(names[count]);
        if (len == 0 || len > 255) {
            return mu_fail(err, MUTUAL_E_CONFIG_INVALID,
                           "the application protocol \"%.40s\" is empty or too long", names[count]);
        }
        bytes += 1 + len;
    }
    context->alpn_texts = mu_alloc(count + 1, sizeof *context->alpn_texts);
    context->alpn = mu_alloc(bytes + 1, 1);
    if (context->alpn_texts == NULL || context->alpn == NULL) {
        return mu_fail_memory(err);
    }
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(names[i]);
        context->alpn[context->alpn_len] = (unsigned char)len;
        memcpy(context->alpn + context->alpn_len + 1, names[i], len);
        context->alpn_len += 1 + len;
        context->alpn_texts[i] = mu_strdup(names[i]);
        if (context->alpn_texts[i] == NULL) {
            return mu_fail_memory(err);
        }
    }
    return true;
}

/* RFC 6066 section 3: no address literals in SNI, and no trailing dot. */
static bool copy_server_name(struct mutual_context *context, const char *name,
                             struct mutual_error *err)
{
    char storage[256];
    struct mutual_name parsed;
    if (name == NULL || name[0] == '\0' ||
        mutual_name_parse(MUTUAL_NAME_IP, name, strlen(name), storage, sizeof storage, &parsed,
                          NULL)) {
        return true;
    }
    if (!mutual_name_parse(MUTUAL_NAME_DNS, name, strlen(name), storage, sizeof storage, &parsed,
                           err)) {
        return mu_error_context(err, "server name of \"%s\"", context->rules->service);
    }
    context->server_name = mu_strndup(parsed.text, parsed.len);
    return context->server_name != NULL || mu_fail_memory(err);
}

static bool copy_identities(struct mutual_context *context,
                            const struct mutual_context_options *options, struct mutual_error *err)
{
    if (options->identity_count == 0) {
        return true;
    }
    context->identities = mu_alloc(options->identity_count, sizeof *context->identities);
    if (context->identities == NULL) {
        return mu_fail_memory(err);
    }
    for (size_t i = 0; i < options->identity_count; i++) {
        context->identities[context->identity_count++] =
            mutual_identity_ref(options->identities[i]);
    }
    return mu_hosts_build(&context->hosts, context->identities, context->identity_count, err);
}

/* ---- identities ------------------------------------------------------------------------------ */

static STACK_OF(X509) * intermediates_of(struct mu_cert *const *chain, size_t count)
{
    STACK_OF(X509) *stack = sk_X509_new_null();
    for (size_t i = 1; stack != NULL && i < count; i++) {
        X509 *cert = mu_cert_x509(chain[i]);
        if (cert == NULL || sk_X509_push(stack, cert) <= 0) {
            sk_X509_free(stack);
            return NULL;
        }
    }
    return stack;
}

typedef int (*use_function)(void *object, X509 *cert, EVP_PKEY *key, STACK_OF(X509) * chain);

static int use_in_context(void *object, X509 *cert, EVP_PKEY *key, STACK_OF(X509) * chain)
{
    return SSL_CTX_use_cert_and_key(object, cert, key, chain, 1);
}

static int use_in_session(void *object, X509 *cert, EVP_PKEY *key, STACK_OF(X509) * chain)
{
    return SSL_use_cert_and_key(object, cert, key, chain, 1);
}

static bool use_identity(use_function use, void *object, const struct mutual_identity *identity)
{
    size_t count = 0;
    struct mu_cert *const *chain = mu_identity_chain(identity, &count);
    STACK_OF(X509) *intermediates = intermediates_of(chain, count);
    X509 *leaf = mu_cert_x509(chain[0]);
    EVP_PKEY *key = mu_key_evp(mu_identity_key(identity));
    bool used = intermediates != NULL && leaf != NULL && key != NULL &&
                use(object, leaf, key, intermediates) == 1;
    sk_X509_free(intermediates); /* the certificates themselves are not ours to free */
    return used;
}

bool mu_context_use_identity(SSL *ssl, const struct mutual_identity *identity)
{
    return use_identity(use_in_session, ssl, identity);
}

/* A key whose operations come from another provider than the library's own may make us wait. */
static bool is_remote(const struct mutual_identity *identity)
{
    const EVP_PKEY *key = mu_key_evp(mu_identity_key(identity));
    const OSSL_PROVIDER *provider = key == NULL ? NULL : EVP_PKEY_get0_provider(key);
    const char *name = provider == NULL ? "default" : OSSL_PROVIDER_get0_name(provider);
    return strcmp(name, "default") != 0 && strcmp(name, "fips") != 0 && strcmp(name, "lean") != 0;
}

static bool show_identities(struct mutual_context *context, struct mutual_error *err)
{
    for (size_t i = 0; i < context->identity_count; i++) {
        context->remote_keys = context->remote_keys || is_remote(context->identities[i]);
    }
    for (size_t i = 0; i < context->tenants.count; i++) {
        context->remote_keys = context->remote_keys || context->tenants.contexts[i]->remote_keys;
    }
    const struct mu_host *first = context->hosts.items;
    for (size_t i = 0; first != NULL && i < first->count; i++) {
        if (!use_identity(use_in_context, context->ssl, first->identities[i])) {
            size_t count = 0;
            struct mu_cert *const *chain = mu_identity_chain(first->identities[i], &count);
            return mu_fail_ossl(err, MUTUAL_E_LIBRARY, "could not use the certificate \"%s\"",
                                mu_cert_facts(chain[0])->display);
        }
    }
    return true;
}

/* ---- the authorities we name ----------------------------------------------------------------- */

/* RFC 8446 section 4.2.4: each name goes with two bytes of length. */
static void measure_ca_names(struct mutual_context *context)
{
    const struct mu_cert *anchor;
    for (size_t i = 0; (anchor = mu_trust_anchor(context->rules->trust, i)) != NULL; i++) {
        context->ca_names.count++;
        context->ca_names.bytes += 2 + mu_cert_facts(anchor)->subject.len;
    }
}

static bool name_authorities(struct mutual_context *context, struct mutual_error *err)
{
    measure_ca_names(context);
    if (context->ca_names.bytes > MU_LIMIT_CA_NAMES_BYTES) {
        return true;
    }
    STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
    for (size_t i = 0; names != NULL && i < context->ca_names.count; i++) {
        struct mu_slice der = mu_cert_facts(mu_trust_anchor(context->rules->trust, i))->subject;
        const unsigned char *at = der.data;
        X509_NAME *name = d2i_X509_NAME(NULL, &at, (long)der.len);
        if (name == NULL || sk_X509_NAME_push(names, name) <= 0) {
            X509_NAME_free(name);
            sk_X509_NAME_pop_free(names, X509_NAME_free);
            names = NULL;
        }
    }
    if (names == NULL) {
        return mu_fail_ossl(err, MUTUAL_E_LIBRARY, "could not name the authorities of \"%s\"",
                            context->rules->service);
    }
    SSL_CTX_set_client_CA_list(context->ssl, names);
    context->ca_names.sent = true;
    return true;
}

struct mu_ca_names mu_context_ca_names(const struct mutual_context *context)
{
    return context->ca_names;
}

/* ---- the SSL_CTX ----------------------------------------------------------------------------- */

static bool set_algorithms(SSL_CTX *ssl, bool tls13_only, struct mutual_error *err)
{
    int least = tls13_only ? TLS1_3_VERSION : TLS1_2_VERSION;
    char signatures[] = SIGNATURES; /* the macros of old take no const */
    SSL_CTX_set_security_level(ssl, 2);
    if (SSL_CTX_set_min_proto_version(ssl, least) != 1 ||
        SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(ssl, SUITES_TLS13) != 1 ||
        SSL_CTX_set_cipher_list(ssl, SUITES_TLS12) != 1 ||
        SSL_CTX_set1_sigalgs_list(ssl, signatures) != 1 ||
        SSL_CTX_set1_client_sigalgs_list(ssl, signatures) != 1 || !mu_compat_groups(ssl)) {
        return mu_fail_ossl(err, MUTUAL_E_LIBRARY, "could not set the TLS algorithms");
    }
    return true;
}

static void set_behaviour(SSL_CTX *ssl, bool server)
{
    uint64_t options = SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | mu_compat_options();
    if (server) {
        options |= SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA;
    }
    (void)SSL_CTX_set_options(ssl, options);
    (void)SSL_CTX_clear_options(ssl, SSL_OP_LEGACY_SERVER_CONNECT);
    (void)SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_max_cert_list(ssl, MU_LIMIT_CERT_MESSAGE);
    SSL_CTX_set_read_ahead(ssl, 0);
}

static void set_callbacks(struct mutual_context *context)
{
    SSL_CTX *ssl = context->ssl;
    bool server = context->rules->side == MUTUAL_SIDE_SERVER;
    int verify = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    if (server && context->rules->mode != MUTUAL_MODE_REQUIRE) {
        verify = context->rules->mode == MUTUAL_MODE_NONE ? SSL_VERIFY_NONE : SSL_VERIFY_PEER;
    }
    (void)SSL_CTX_set_app_data(ssl, context);
    SSL_CTX_set_verify(ssl, verify, NULL);
    SSL_CTX_set_cert_verify_callback(ssl, mu_verify_peer, NULL);
    SSL_CTX_set_msg_callback(ssl, mu_journey_message);
    if (server) {
        SSL_CTX_set_client_hello_cb(ssl, mu_select_host, NULL);
    }
    if (context->records != NULL && !context->hears) {
        SSL_CTX_set_keylog_callback(ssl, mu_handover_secret);
    }
    if (server) {
        SSL_CTX_set_alpn_select_cb(ssl, mu_select_alpn, NULL);
    }
}

static void hash_part(struct mu_buf *bytes, struct mu_slice part)
{
    uint8_t len[4];
    mu_put_be32(len, (uint32_t)part.len);
    (void)mu_buf_append(bytes, len, sizeof len);
    (void)mu_buf_append(bytes, part.data, part.len);
}

/* What a session to resume must share with us: everything that decided who was let in. */
static bool bind_sessions(struct mutual_context *context, const char *target,
                          struct mutual_error *err)
{
    const struct mutual_rules *rules = context->rules;
    MU_AUTO(buf) struct mu_buf bytes;
    mu_buf_init(&bytes, 1u << 20);
    (void)mu_buf_printf(&bytes, "mutual session 1 %d %d %llu ", (int)rules->side, (int)rules->mode,
                        (unsigned long long)rules->trust_generation);
    hash_part(&bytes, mu_slice_text(rules->service));
    hash_part(&bytes, mu_slice_text(context->server_name != NULL ? context->server_name : ""));
    hash_part(&bytes, mu_slice_text(target != NULL ? target : ""));
    hash_part(&bytes, mu_slice_of(context->alpn, context->alpn_len));
    for (size_t i = 0; i < context->identity_count; i++) {
        size_t count = 0;
        struct mu_cert *const *chain = mu_identity_chain(context->identities[i], &count);
        (void)mu_buf_append(&bytes, mu_cert_facts(chain[0])->fingerprint, 32);
    }
    if (bytes.failed) {
        return mu_fail_memory(err);
    }
    return mu_sha256(mu_buf_slice(&bytes), context->binding, err);
}

static bool make_ssl(struct mutual_context *context, const struct mutual_context_options *options,
                     const struct mu_context_extras *extras, struct mutual_error *err)
{
    bool server = context->rules->side == MUTUAL_SIDE_SERVER;
    /* Of the process, and before anything else asks for it: no openssl.cnf. */
    (void)OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
    context->wire_method = mu_wire_method();
    context->ssl =
        SSL_CTX_new_ex(extras->libctx, NULL, server ? TLS_server_method() : TLS_client_method());
    if (context->ssl == NULL || context->wire_method == NULL) {
        return mu_fail_ossl(err, MUTUAL_E_LIBRARY, "could not make a TLS context");
    }
    if (server && !options->library_records) {
        context->records = mu_records_new(extras->libctx);
        if (context->records == NULL) {
            return mu_fail_memory(err);
        }
        context->hears = mu_hkdf_is_heard(extras->libctx);
    }
    set_behaviour(context->ssl, server);
    set_callbacks(context);
    if (!set_algorithms(context->ssl, extras->tls13_only, err) || !show_identities(context, err) ||
        !bind_sessions(context, extras->target, err)) {
        return false;
    }
    if (SSL_CTX_set_session_id_context(context->ssl, context->binding, sizeof context->binding) !=
            1 ||
        (!server && context->alpn_len > 0 &&
         SSL_CTX_set_alpn_protos(context->ssl, context->alpn, (unsigned)context->alpn_len) != 0)) {
        return mu_fail_ossl(err, MUTUAL_E_LIBRARY, "could not set up a TLS context");
    }
    if (!mu_staple_setup(context)) {
        return mu_fail_ossl(err, MUTUAL_E_LIBRARY, "could not set up stapling");
    }
    mu_resume_setup(context);
    bool asks = server && context->rules->mode != MUTUAL_MODE_NONE;
    return !asks || !options->send_ca_names || name_authorities(context, err);
}

/* ---- life ------------------------------------------------------------------------------------ */

bool mu_context_new(const struct mutual_context_options *options,
                    const struct mu_context_extras *extras, struct mutual_context **ret_context,
                    struct mutual_error *err)
{
    const struct mu_context_extras none = {.libctx = NULL};
    extras = extras != NULL ? extras : &none;
    if (!options_check(options, extras->insecure_blind, err)) {
        return false;
    }
    MU_AUTO(context) struct mutual_context *context = mu_alloc(1, sizeof *context);
    if (context == NULL) {
        return mu_fail_memory(err);
    }
    mu_ossl_clear();
    context->refs = 1;
    context->rules = options->rules;
    context->strict_sni = options->strict_sni;
    context->tls13_only = extras->tls13_only;
    context->blind = extras->insecure_blind && options->rules->side == MUTUAL_SIDE_CLIENT;
    context->clock_s = options->clock_s;
    context->clock_context = options->clock_context;
    context->cache = options->cache != NULL ? mutual_cache_ref(options->cache) : NULL;
    context->known = extras->known != NULL ? mu_known_ref(extras->known) : NULL;
    if (!copy_alpn(context, options->alpn, err) ||
        !copy_server_name(context, options->server_name, err) ||
        !copy_identities(context, options, err) ||
        !mu_tenants_build(&context->tenants, options, err) ||
        !make_ssl(context, options, extras, err)) {
        mu_ossl_clear();
        return false;
    }
    *ret_context = MU_TAKE(context);
    return true;
}

bool mutual_context_new(const struct mutual_context_options *options,
                        struct mutual_context **ret_context, struct mutual_error *err)
{
    return mu_context_new(options, NULL, ret_context, err);
}

struct mutual_context *mutual_context_ref(struct mutual_context *context)
{
    context->refs++;
    return context;
}

void mutual_context_unref(struct mutual_context *context)
{
    if (context == NULL || --context->refs > 0) {
        return;
    }
    SSL_CTX_free(context->ssl);
    BIO_meth_free(context->wire_method);
    mu_records_free(context->records);
    for (size_t i = 0; i < context->identity_count; i++) {
        mutual_identity_unref(context->identities[i]);
    }
    mu_free(context->identities);
    mu_hosts_done(&context->hosts);
    mu_tenants_done(&context->tenants);
    for (size_t i = 0; context->alpn_texts != NULL && context->alpn_texts[i] != NULL; i++) {
        mu_free(context->alpn_texts[i]);
    }
    mu_free(context->alpn_texts);
    mu_free(context->alpn);
    mu_free(context->server_name);
    mutual_cache_unref(context->cache);
    mu_known_unref(context->known);
    mu_free(context);
}

void mu_context_auto(struct mutual_context **context)
{
    mutual_context_unref(*context);
}
