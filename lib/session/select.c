/* SPDX-License-Identifier: Apache-2.0
 *
 * The choice a server makes when it has read the hello: which host is asked for and by whose rules
 * it is judged, which identities are shown, which application protocol is spoken.
 */
#include "session/session_internal.h"

#include <string.h>

#define DNS_NAME_MAX 255u

/* ---- hosts ------------------------------------------------------------------------------------
 */

static bool same_name(const struct mutual_name *a, const struct mutual_name *b)
{
    return a->type == b->type && a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static bool has_name(const struct mutual_identity *identity, const struct mutual_name *name)
{
    size_t count = 0;
    const struct mutual_name *names = mutual_identity_names(identity, &count);
    for (size_t i = 0; i < count; i++) {
        if (same_name(&names[i], name)) {
            return true;
        }
    }
    return false;
}

static enum mu_key_kind kind_of(const struct mutual_identity *identity)
{
    return mu_key_info(mu_identity_key(identity))->kind;
}

/* One identity for each kind of key; the first written wins. */
static void host_add(struct mu_host *host, struct mutual_identity *identity)
{
    for (size_t i = 0; i < host->count; i++) {
        if (kind_of(host->identities[i]) == kind_of(identity)) {
            return;
        }
    }
    if (host->count < MU_HOST_IDENTITIES) {
        host->identities[host->count++] = identity;
    }
}

static struct mu_host host_of(struct mutual_identity *const *identities, size_t count,
                              const struct mutual_name *name)
{
    struct mu_host host = {.count = 0};
    for (size_t i = 0; i < count; i++) {
        if (has_name(identities[i], name)) {
            host_add(&host, identities[i]);
        }
    }
    return host;
}

/* The place of the host in the list, from 1; 0: out of memory. Hosts that show the same identities
 * are one. */
static size_t hosts_place(struct mu_hosts *hosts, const struct mu_host *host)
{
    for (size_t i = 0; i < hosts->count; i++) {
        const struct mu_host *other = &hosts->items[i];
        if (other->count == host->count && memcmp(other->identities, host->identities,
                                                  host->count * sizeof host->identities[0]) == 0) {
            return i + 1;
        }
    }
    void *items = hosts->items;
    if (!mu_grow(&items, &hosts->cap, hosts->count, sizeof *hosts->items, SIZE_MAX / 2)) {
        return 0;
    }
    hosts->items = items;
    hosts->items[hosts->count++] = *host;
    return hosts->count;
}

static bool hosts_add_names(struct mu_hosts *hosts, struct mutual_identity *const *identities,
                            size_t count, const struct mutual_identity *identity)
{
    size_t name_count = 0;
    const struct mutual_name *names = mutual_identity_names(identity, &name_count);
    for (size_t i = 0; i < name_count; i++) {
        struct mu_slice key = mu_slice_of(names[i].text, names[i].len);
        if (names[i].type != MUTUAL_NAME_DNS || mu_map_get(hosts->by_name, key) != NULL) {
            continue;
        }
        struct mu_host host = host_of(identities, count, &names[i]);
        size_t place = hosts_place(hosts, &host);
        if (place == 0 || !mu_map_put(hosts->by_name, key, (void *)(uintptr_t)place)) {
            return false;
        }
    }
    return true;
}

bool mu_hosts_build(struct mu_hosts *hosts, struct mutual_identity *const *identities, size_t count,
                    struct mutual_error *err)
{
    struct mu_host first = {.count = 0};
    host_add(&first, identities[0]);
    size_t name_count = 0;
    const struct mutual_name *names = mutual_identity_names(identities[0], &name_count);
    for (size_t i = 1; i < count && name_count > 0; i++) {
        if (has_name(identities[i], &names[0])) {
            host_add(&first, identities[i]);
        }
    }
    hosts->by_name = mu_map_new();
    bool done = hosts->by_name != NULL && hosts_place(hosts, &first) == 1;
    for (size_t i = 0; done && i < count; i++) {
        done = hosts_add_names(hosts, identities, count, identities[i]);
    }
    return done || mu_fail_memory(err);
}

void mu_hosts_done(struct mu_hosts *hosts)
{
    mu_map_free(hosts->by_name);
    mu_free(hosts->items);
    *hosts = (struct mu_hosts){.items = NULL};
}

const struct mu_host *mu_hosts_find(const struct mu_hosts *hosts, struct mu_slice name)
{
    size_t place = hosts->by_name == NULL ? 0 : mu_sni_find(hosts->by_name, name);
    return place == 0 ? NULL : &hosts->items[place - 1];
}

/* ---- what the hello says ------------------------------------------------------------------------
 */

static struct mu_slice hello_extension(SSL *ssl, unsigned type)
{
    const unsigned char *data = NULL;
    size_t len = 0;
    if (SSL_client_hello_get0_ext(ssl, type, &data, &len) != 1) {
        return mu_slice_of(NULL, 0);
    }
    return mu_slice_of(data, len);
}

/* The host_name of a server_name extension (RFC 6066 section 3); empty when it is malformed, which
 * the library finds by itself later. */
static struct mu_slice hello_name(SSL *ssl)
{
    struct mu_slice ext = hello_extension(ssl, TLSEXT_TYPE_server_name);
    if (ext.len < 5 || mu_get_be16(ext.data) != ext.len - 2 ||
        ext.data[2] != TLSEXT_NAMETYPE_host_name || mu_get_be16(ext.data + 3) > ext.len - 5) {
        return mu_slice_of(NULL, 0);
    }
    return mu_slice_of(ext.data + 5, mu_get_be16(ext.data + 3));
}

static bool is_our_suite(uint16_t suite, const void *context)
{
    (void)context;
    return mu_cipher_name(suite) != NULL;
}

static bool is_our_group(uint16_t group, const void *context)
{
    (void)context;
    return group == 0x001d || group == 0x0017 || group == 0x0018;
}

static bool is_our_scheme(uint16_t scheme, const void *context)
{
    const struct mu_host *host = context;
    for (size_t i = 0; i < host->count; i++) {
        if (mu_key_can(mu_identity_key(host->identities[i]), (enum mu_scheme)scheme)) {
            return true;
        }
    }
    return false;
}

static bool any16(struct mu_slice list, bool (*wanted)(uint16_t, const void *), const void *context)
{
    for (size_t i = 0; i + 1 < list.len; i += 2) {
        if (wanted(mu_get_be16(list.data + i), context)) {
            return true;
        }
    }
    return false;
}

/* The list in an extension that begins with its length. */
static struct mu_slice list_of(struct mu_slice ext)
{
    return ext.len < 2 ? mu_slice_of(NULL, 0) : mu_slice_of(ext.data + 2, ext.len - 2);
}

static struct mu_offers hello_offers(SSL *ssl, const struct mu_host *host)
{
    const unsigned char *suites = NULL;
    size_t suites_len = SSL_client_hello_get0_ciphers(ssl, &suites);
    struct mu_slice groups = hello_extension(ssl, TLSEXT_TYPE_supported_groups);
    struct mu_slice schemes = hello_extension(ssl, TLSEXT_TYPE_signature_algorithms);
    return (struct mu_offers){
        .known = true,
        .suite = any16(mu_slice_of(suites, suites_len), is_our_suite, NULL),
        .group = groups.len == 0 || any16(list_of(groups), is_our_group, NULL),
        .scheme = any16(list_of(schemes), is_our_scheme, host),
    };
}

/* ---- callbacks ----------------------------------------------------------------------------------
 */

static bool refuse_name(struct mutual_session *session)
{
    struct mutual_error cause = {0};
    const char *service = session->entry->rules->service;
    if (session->sni == NULL) {
        (void)mu_fail(&cause, MUTUAL_E_SNI_UNKNOWN,
                      "the client asked for no host name, which \"%s\" needs to know its host",
                      service);
    } else {
        (void)mu_fail(&cause, MUTUAL_E_SNI_UNKNOWN,
                      "the client asked for \"%s\", which no %s of \"%s\" names", session->sni,
                      session->entry->tenants.count > 0 ? "host or certificate" : "certificate",
                      service);
    }
    mu_session_refuse(session, &cause);
    return false;
}

static bool show_identities(SSL *ssl, const struct mu_host *host)
{
    SSL_certs_clear(ssl);
    for (size_t i = 0; i < host->count; i++) {
        if (!mu_context_use_identity(ssl, host->identities[i])) {
            return false;
        }
    }
    return true;
}

/* RFC 8446 section 4.1.2 wants the second hello to name the same host as the first. Where it does
 * not, it is the second that counts, for what is shown as for what is told. */
static bool keep_name(struct mutual_session *session, struct mu_slice name)
{
    mu_free(MU_TAKE(session->sni));
    if (name.len == 0) {
        return true;
    }
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 4 * DNS_NAME_MAX + 1);
    mu_escape(&text, name.len > DNS_NAME_MAX ? mu_slice_of(name.data, DNS_NAME_MAX) : name);
    session->sni = mu_strdup(mu_buf_str(&text));
    return session->sni != NULL;
}

/* Everything that the host's context says is set here, before a session to resume is looked for:
 * SSL_set_SSL_CTX brings certificates and authorities, and none of the rest. */
static bool enter_context(struct mutual_session *session, struct mutual_context *chosen)
{
    SSL *ssl = session->ssl;
    int least = chosen->tls13_only ? TLS1_3_VERSION : TLS1_2_VERSION;
    if (chosen == session->context) {
        return true;
    }
    SSL_set_verify(ssl, SSL_CTX_get_verify_mode(chosen->ssl), NULL);
    if (SSL_set_SSL_CTX(ssl, chosen->ssl) != chosen->ssl ||
        SSL_set_session_id_context(ssl, chosen->binding, sizeof chosen->binding) != 1 ||
        SSL_set_min_proto_version(ssl, least) != 1 ||
        SSL_set_num_tickets(ssl, SSL_CTX_get_num_tickets(chosen->ssl)) != 1) {
        return false;
    }
    session->context = chosen;
    return true;
}

struct mutual_context *mu_select_context(struct mutual_context *entry, struct mu_slice name)
{
    struct mutual_context *tenant = mu_tenants_find(&entry->tenants, name);
    if (tenant != NULL) {
        return tenant;
    }
    bool own = name.len > 0 && mu_hosts_find(&entry->hosts, name) != NULL;
    bool rest = entry->tenants.rest && (name.len == 0 || !entry->strict_sni);
    return own || rest ? entry : NULL;
}

/* RFC 8446 section 4.1.2 wants the second hello to be the first but for what was asked for. The
 * rules may not change between the two. */
static bool same_context(struct mutual_session *session, const struct mutual_context *chosen)
{
    struct mutual_error cause = {0};
    if (chosen == session->context) {
        return true;
    }
    (void)mu_fail(&cause, MUTUAL_E_PROTOCOL_VIOLATION,
                  "the client asked for another host in its second hello");
    mu_session_refuse(session, &cause);
    return false;
}

int mu_select_host(SSL *ssl, int *alert, void *context)
{
    (void)context;
    struct mutual_session *session = SSL_get_app_data(ssl);
    struct mu_slice name = hello_name(ssl);
    bool again = session->hello_seen; /* after a HelloRetryRequest */
    session->hello_seen = true;
    *alert = SSL_AD_INTERNAL_ERROR;
    if (!keep_name(session, name)) {
        return SSL_CLIENT_HELLO_ERROR;
    }
    struct mutual_context *chosen = mu_select_context(session->entry, name);
    if (chosen == NULL) {
        *alert = SSL_AD_UNRECOGNIZED_NAME;
        (void)refuse_name(session);
        return SSL_CLIENT_HELLO_ERROR;
    }
    if (again && !same_context(session, chosen)) {
        *alert = SSL_AD_ILLEGAL_PARAMETER;
        return SSL_CLIENT_HELLO_ERROR;
    }
    if (!enter_context(session, chosen)) {
        return SSL_CLIENT_HELLO_ERROR;
    }
    const struct mu_host *first = &chosen->hosts.items[0];
    const struct mu_host *host = mu_hosts_find(&chosen->hosts, name);
    host = host != NULL ? host : first;
    session->offers = hello_offers(ssl, host);
    if ((again || host != first) && !show_identities(ssl, host)) {
        return SSL_CLIENT_HELLO_ERROR;
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

static void refuse_protocols(struct mutual_session *session, const unsigned char *in, unsigned len)
{
    MU_AUTO(buf) struct mu_buf theirs;
    mu_buf_init(&theirs, 120);
    for (unsigned i = 0; i < len && i + in[i] < len; i += 1u + in[i]) {
        (void)(theirs.len > 0 && mu_buf_text(&theirs, ", "));
        mu_escape(&theirs, mu_slice_of(in + i + 1, in[i]));
    }
    struct mutual_error cause = {0};
    (void)mu_fail(&cause, MUTUAL_E_ALPN_MISMATCH,
                  "the client speaks only \"%s\", which \"%s\" does not serve", mu_buf_str(&theirs),
                  session->context->rules->service);
    mu_session_refuse(session, &cause);
}

int mu_select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *in, unsigned in_len, void *context)
{
    (void)context;
    struct mutual_session *session = SSL_get_app_data(ssl);
    const unsigned char *ours = session->context->alpn;
    size_t ours_len = session->context->alpn_len;
    if (ours_len == 0) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    for (size_t i = 0; i < ours_len; i += 1u + ours[i]) {
        for (unsigned j = 0; j < in_len && j + in[j] < in_len; j += 1u + in[j]) {
            if (ours[i] == in[j] && memcmp(ours + i + 1, in + j + 1, in[j]) == 0) {
                *out = in + j + 1;
                *out_len = in[j];
                return SSL_TLSEXT_ERR_OK;
            }
        }
    }
    refuse_protocols(session, in, in_len);
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}
