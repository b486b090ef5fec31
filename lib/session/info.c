/* SPDX-License-Identifier: Apache-2.0
 *
 * What the two ends said and chose, for logs and explanations.
 */
#include "session/compat_internal.h"
#include "session/session_internal.h"

#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

static const struct {
    int type;
    int digest;
    enum mu_scheme scheme;
} peer_schemes[] = {
    {EVP_PKEY_EC, NID_sha256, MU_SCHEME_ECDSA_P256_SHA256},
    {EVP_PKEY_EC, NID_sha384, MU_SCHEME_ECDSA_P384_SHA384},
    {EVP_PKEY_EC, NID_sha512, MU_SCHEME_ECDSA_P521_SHA512},
    {EVP_PKEY_RSA, NID_sha256, MU_SCHEME_RSA_PKCS1_SHA256},
    {EVP_PKEY_RSA, NID_sha384, MU_SCHEME_RSA_PKCS1_SHA384},
    {EVP_PKEY_RSA, NID_sha512, MU_SCHEME_RSA_PKCS1_SHA512},
    {EVP_PKEY_RSA_PSS, NID_sha256, MU_SCHEME_RSA_PSS_RSAE_SHA256},
    {EVP_PKEY_RSA_PSS, NID_sha384, MU_SCHEME_RSA_PSS_RSAE_SHA384},
    {EVP_PKEY_RSA_PSS, NID_sha512, MU_SCHEME_RSA_PSS_RSAE_SHA512},
    {EVP_PKEY_ED25519, NID_undef, MU_SCHEME_ED25519},
};

static const char *peer_signature(SSL *ssl)
{
    int type = NID_undef;
    int digest = NID_undef;
    if (SSL_get_peer_signature_type_nid(ssl, &type) != 1) {
        return NULL;
    }
    (void)SSL_get_peer_signature_nid(ssl, &digest);
    for (size_t i = 0; i < MU_COUNT(peer_schemes); i++) {
        if (peer_schemes[i].type == type &&
            (peer_schemes[i].digest == digest || type == EVP_PKEY_ED25519)) {
            return mu_signature_name((uint16_t)peer_schemes[i].scheme);
        }
    }
    return NULL;
}

/* ALPN is not NUL-terminated in OpenSSL; the texts of the options are. */
static const char *chosen_protocol(const struct mutual_session *session)
{
    const unsigned char *chosen = NULL;
    unsigned len = 0;
    SSL_get0_alpn_selected(session->ssl, &chosen, &len);
    char *const *texts = session->context->alpn_texts;
    for (size_t i = 0; chosen != NULL && texts[i] != NULL; i++) {
        if (mu_slice_equal_text(mu_slice_of(chosen, len), texts[i])) {
            return texts[i];
        }
    }
    return NULL;
}

struct mu_said mu_info_said(const struct mutual_session *session)
{
    SSL *ssl = session->ssl;
    struct mu_said said = {.version = NULL};
    if (ssl == NULL) {
        return session->said;
    }
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
    /* TLS 1.2 takes its cipher into use at the end of the handshake: who is refused before that is
     * told with what was agreed on. */
    cipher = cipher != NULL ? cipher : SSL_get_pending_cipher(ssl);
    if (cipher != NULL) {
        said.version = mu_version_name((uint16_t)SSL_version(ssl));
        said.cipher = SSL_CIPHER_standard_name(cipher);
        said.group = mu_group_name(mu_compat_group(ssl));
        said.alpn = chosen_protocol(session);
    }
    if (session->settled && !session->evidence.resumed) {
        said.peer_signature = peer_signature(ssl);
    }
    return said;
}

void mutual_session_info(const struct mutual_session *session, struct mutual_session_info *ret_info)
{
    struct mu_said said = mu_info_said(session);
    *ret_info = (struct mutual_session_info){
        .version = said.version,
        .cipher = said.cipher,
        .group = said.group,
        .alpn = said.alpn,
        .peer_signature = said.peer_signature,
        .sni = session->server ? session->sni : session->context->server_name,
        .service = session->context->rules->service,
        .mutual = session->mutual,
        .resumed = session->evidence.resumed,
        .cert_requested = session->cert_requested,
        .ocsp = session->server ? (session->stapled ? "sent" : NULL)
                                : mutual_staple_word(session->evidence.staple.status),
        .alert_sent = session->alert_out,
        .alert_received = session->alert_in,
    };
}

struct mu_slice mu_session_peer_cert(struct mutual_session *session)
{
    const X509 *cert = session->ssl == NULL ? NULL : SSL_get0_peer_certificate(session->ssl);
    if (cert == NULL || session->chain == NULL || session->evidence.resumed) {
        return mu_slice_of(NULL, 0);
    }
    if (session->peer_cert.len == 0) {
        int len = i2d_X509(cert, NULL);
        mu_buf_init(&session->peer_cert, MU_LIMIT_CERT_BYTES);
        unsigned char *der = len > 0 ? mu_buf_reserve(&session->peer_cert, (size_t)len) : NULL;
        if (der != NULL && i2d_X509(cert, &der) == len) {
            session->peer_cert.len = (size_t)len;
        }
    }
    return mu_buf_slice(&session->peer_cert);
}
