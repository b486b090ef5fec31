/* SPDX-License-Identifier: Apache-2.0
 *
 * The record for `mutual explain`, kept only when asked for: what the hello offers, what the peer
 * presents, which authorities a server names; and the names of TLS code points.
 */
#include "session/session_internal.h"

#include <openssl/x509.h>
#include <string.h>

#define CA_NAMES_MAX 1024u

struct mu_observer {
    struct mu_observed seen;
    struct mu_buf certs;  /* the DER that seen.certs point into */
    struct mu_buf names;  /* the DER that seen.ca_names point into */
    struct mu_buf staple; /* the DER that seen.staple points into */
};

bool mu_session_observe(struct mutual_session *session)
{
    if (session->observer == NULL) {
        session->observer = mu_alloc(1, sizeof *session->observer);
    }
    if (session->observer == NULL) {
        return false;
    }
    mu_buf_init(&session->observer->certs, MU_LIMIT_CERT_MESSAGE);
    mu_buf_init(&session->observer->names, MU_LIMIT_CERT_MESSAGE);
    return true;
}

void mu_observer_free(struct mu_observer *observer)
{
    if (observer != NULL) {
        mu_buf_done(&observer->certs);
        mu_buf_done(&observer->names);
        mu_buf_done(&observer->staple);
        mu_free(observer->seen.ca_names);
        mu_free(observer);
    }
}

void mu_observe_staple(struct mutual_session *session, struct mu_slice response)
{
    struct mu_observer *observer = session->observer;
    if (observer == NULL || response.len == 0) {
        return;
    }
    mu_buf_done(&observer->staple);
    mu_buf_init(&observer->staple, MU_LIMIT_CERT_MESSAGE);
    (void)mu_buf_append(&observer->staple, response.data, response.len);
    observer->seen.staple = mu_buf_slice(&observer->staple);
}

void mu_observe_cert(struct mutual_session *session, const X509 *cert)
{
    struct mu_observer *observer = session->observer;
    if (observer == NULL || observer->seen.cert_count == MU_LIMIT_CHAIN_SENT) {
        return;
    }
    int len = i2d_X509(cert, NULL);
    unsigned char *end = len > 0 ? mu_buf_reserve(&observer->certs, (size_t)len) : NULL;
    if (end == NULL || i2d_X509(cert, &end) != len) {
        return;
    }
    observer->certs.len += (size_t)len;
    observer->seen.certs[observer->seen.cert_count++].len = (size_t)len;
    const uint8_t *at = observer->certs.data; /* it may have moved */
    for (size_t i = 0; i < observer->seen.cert_count; i++) {
        observer->seen.certs[i].data = at;
        at += observer->seen.certs[i].len;
    }
}

/* ---- the hello ----------------------------------------------------------------------------------
 */

/* Takes `len` bytes from the front; an empty slice with data NULL when there are not so many. */
static struct mu_slice cut(struct mu_slice *from, size_t len)
{
    if (len > from->len) {
        *from = mu_slice_of(NULL, 0);
        return *from;
    }
    struct mu_slice front = mu_slice_of(from->data, len);
    from->data += len;
    from->len -= len;
    return front;
}

/* Takes a vector with a length before it of one or two bytes. */
static struct mu_slice cut_vector(struct mu_slice *from, size_t length_bytes)
{
    struct mu_slice length = cut(from, length_bytes);
    if (length.data == NULL) {
        return length;
    }
    return cut(from, length_bytes == 1 ? length.data[0] : mu_get_be16(length.data));
}

static void keep_list(struct mu_observed_list *list, struct mu_slice items)
{
    list->count = 0;
    for (size_t i = 0; i + 1 < items.len && list->count < MU_OBSERVED_MAX; i += 2) {
        uint16_t item = mu_get_be16(items.data + i);
        if ((item & 0x0f0f) != 0x0a0a || item >> 8 != (item & 0xff)) { /* RFC 8701 filler */
            list->items[list->count++] = item;
        }
    }
}

static void keep_extension(struct mu_observed *seen, unsigned type, struct mu_slice body)
{
    if (type == TLSEXT_TYPE_supported_versions) {
        keep_list(&seen->versions, cut_vector(&body, 1));
    } else if (type == TLSEXT_TYPE_supported_groups) {
        keep_list(&seen->groups, cut_vector(&body, 2));
    } else if (type == TLSEXT_TYPE_signature_algorithms) {
        keep_list(&seen->signatures, cut_vector(&body, 2));
    }
}

/* ClientHello, RFC 8446 section 4.1.2. For display only: OpenSSL parses its own copy. */
void mu_observe_hello(struct mutual_session *session, struct mu_slice message)
{
    if (session->observer == NULL) {
        return;
    }
    struct mu_observed *seen = &session->observer->seen;
    (void)cut(&message, 4);
    struct mu_slice version = cut(&message, 2);
    (void)cut(&message, 32);
    (void)cut_vector(&message, 1);
    keep_list(&seen->ciphers, cut_vector(&message, 2));
    (void)cut_vector(&message, 1);
    if (version.data != NULL) {
        keep_list(&seen->versions, version);
    }
    struct mu_slice extensions = cut_vector(&message, 2);
    while (extensions.len >= 4) {
        unsigned type = mu_get_be16(cut(&extensions, 2).data);
        keep_extension(seen, type, cut_vector(&extensions, 2));
    }
}

/* ---- the authorities that a server names ----------------------------------------------------- */

static void keep_ca_names(struct mu_observer *observer, const STACK_OF(X509_NAME) * names)
{
    size_t count = names == NULL ? 0 : (size_t)sk_X509_NAME_num(names);
    count = count < CA_NAMES_MAX ? count : CA_NAMES_MAX;
    observer->seen.ca_names = count > 0 ? mu_alloc(count, sizeof(struct mu_slice)) : NULL;
    for (size_t i = 0; observer->seen.ca_names != NULL && i < count; i++) {
        const X509_NAME *name = sk_X509_NAME_value(names, (int)i);
        int len = i2d_X509_NAME(name, NULL);
        unsigned char *end = len > 0 ? mu_buf_reserve(&observer->names, (size_t)len) : NULL;
        if (end == NULL || i2d_X509_NAME(name, &end) != len) {
            break;
        }
        observer->names.len += (size_t)len;
        observer->seen.ca_names[observer->seen.ca_name_count++].len = (size_t)len;
    }
    const uint8_t *at = observer->names.data;
    for (size_t i = 0; i < observer->seen.ca_name_count; i++) {
        observer->seen.ca_names[i].data = at;
        at += observer->seen.ca_names[i].len;
    }
}

const struct mu_observed *mu_session_observed(const struct mutual_session *session)
{
    struct mu_observer *observer = session->observer;
    if (observer == NULL) {
        return NULL;
    }
    observer->seen.cert_requested = session->cert_requested;
    observer->seen.cert_sent = session->cert_sent;
    if (!session->server && session->ssl != NULL && observer->seen.ca_names == NULL) {
        keep_ca_names(observer, SSL_get0_peer_CA_list(session->ssl));
    }
    return &observer->seen;
}

/* ---- names of code points -------------------------------------------------------------------- */

struct point {
    uint16_t number;
    const char *name;
};

static const struct point versions[] = {
    {0x0002, "SSL 2.0"}, {0x0300, "SSL 3.0"}, {0x0301, "TLS 1.0"},
    {0x0302, "TLS 1.1"}, {0x0303, "TLS 1.2"}, {0x0304, "TLS 1.3"},
};

/* Those that a session can choose; select.c asks here what is ours. */
static const struct point ciphers[] = {
    {0x1301, "TLS_AES_128_GCM_SHA256"},
    {0x1302, "TLS_AES_256_GCM_SHA384"},
    {0x1303, "TLS_CHACHA20_POLY1305_SHA256"},
    {0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
    {0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"},
    {0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
    {0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"},
    {0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"},
    {0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"},
};

static const struct point groups[] = {
    {0x0017, "P-256"},         {0x0018, "P-384"},         {0x0019, "P-521"},
    {0x001d, "X25519"},        {0x001e, "X448"},          {0x0100, "ffdhe2048"},
    {0x0101, "ffdhe3072"},     {0x0102, "ffdhe4096"},     {0x0103, "ffdhe6144"},
    {0x0104, "ffdhe8192"},     {0x11eb, "P256MLKEM768"},  {0x11ec, "X25519MLKEM768"},
    {0x11ed, "P384MLKEM1024"}, {0x001a, "brainpoolP256"}, {0x001b, "brainpoolP384"},
    {0x001c, "brainpoolP512"}, {0x0016, "secp256k1"},     {0x0200, "ML-KEM-512"},
    {0x0201, "ML-KEM-768"},    {0x0202, "ML-KEM-1024"},
};

static const struct point schemes[] = {
    {0x0201, "rsa_pkcs1_sha1"},
    {0x0203, "ecdsa_sha1"},
    {0x0301, "rsa_pkcs1_sha224"},
    {0x0303, "ecdsa_sha224"},
    {0x0401, "rsa_pkcs1_sha256"},
    {0x0403, "ecdsa_secp256r1_sha256"},
    {0x0501, "rsa_pkcs1_sha384"},
    {0x0503, "ecdsa_secp384r1_sha384"},
    {0x0601, "rsa_pkcs1_sha512"},
    {0x0603, "ecdsa_secp521r1_sha512"},
    {0x0804, "rsa_pss_rsae_sha256"},
    {0x0805, "rsa_pss_rsae_sha384"},
    {0x0806, "rsa_pss_rsae_sha512"},
    {0x0807, "ed25519"},
    {0x0808, "ed448"},
    {0x0809, "rsa_pss_pss_sha256"},
    {0x080a, "rsa_pss_pss_sha384"},
    {0x080b, "rsa_pss_pss_sha512"},
    {0x0904, "mldsa44"},
    {0x0905, "mldsa65"},
    {0x0906, "mldsa87"},
};

static const char *find(const struct point *points, size_t count, uint16_t number)
{
    for (size_t i = 0; i < count; i++) {
        if (points[i].number == number) {
            return points[i].name;
        }
    }
    return NULL;
}

const char *mu_version_name(uint16_t version)
{
    return find(versions, MU_COUNT(versions), version);
}

const char *mu_cipher_name(uint16_t cipher)
{
    return find(ciphers, MU_COUNT(ciphers), cipher);
}

const char *mu_group_name(uint16_t group)
{
    return find(groups, MU_COUNT(groups), group);
}

const char *mu_signature_name(uint16_t scheme)
{
    return find(schemes, MU_COUNT(schemes), scheme);
}
