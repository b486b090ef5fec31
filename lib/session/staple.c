/* SPDX-License-Identifier: Apache-2.0
 *
 * Stapled OCSP responses on the wire (RFC 6066 section 8, RFC 8446 section 4.4.2.1). A client
 * always asks. OpenSSL calls back when the server's flight is complete, in either version before
 * our own certificate is sent; a server is asked once its certificate is chosen. OpenSSL 3.0 knows
 * of no staple but the leaf's.
 */
#include "session/session_internal.h"

#include <openssl/crypto.h>
#include <openssl/x509.h>

static struct mu_slice received(SSL *ssl)
{
    const unsigned char *response = NULL;
    long len = SSL_get_tlsext_status_ocsp_resp(ssl, &response);
    return len > 0 && response != NULL ? mu_slice_of(response, (size_t)len) : mu_slice_of(NULL, 0);
}

static bool take(struct mutual_session *session, struct mu_slice response, int64_t now_s,
                 struct mutual_error *err)
{
    const STACK_OF(X509) *sent = SSL_get_peer_cert_chain(session->ssl);
    X509 *certs[MU_LIMIT_CHAIN_SENT];
    int count = sent == NULL ? 0 : sk_X509_num(sent);
    count = count < (int)MU_LIMIT_CHAIN_SENT ? count : (int)MU_LIMIT_CHAIN_SENT;
    for (int i = 0; i < count; i++) {
        certs[i] = sk_X509_value(sent, i);
    }
    return mu_trust_read_staple(session->context->rules->trust, session->chain, certs,
                                (size_t)count, response, now_s, &session->evidence.staple, err);
}

/* 1: go on. 0: OpenSSL sends bad_certificate_status_response, as RFC 6066 wants. */
static int judge_staple(SSL *ssl, struct mutual_session *session)
{
    struct mutual_error cause = {0};
    struct mu_slice response = received(ssl);
    int64_t now_s = mu_context_now(session->context);
    mu_observe_staple(session, response);
    if (SSL_session_reused(ssl) == 1 || session->chain == NULL) {
        return 1; /* a session that is resumed brings its staple along; else nobody is admitted */
    }
    if ((response.data == NULL || take(session, response, now_s, &cause)) &&
        mu_session_expected(session, session->chain, now_s, &cause)) {
        return 1;
    }
    cause.step = MUTUAL_STEP_SERVER_CHECK;
    mu_session_refuse(session, &cause);
    return 0;
}

/* The identity whose certificate the library has chosen to show. */
static const struct mutual_identity *shown(const struct mutual_context *context, SSL *ssl)
{
    const X509 *leaf = SSL_get_certificate(ssl);
    for (size_t i = 0; i < context->identity_count; i++) {
        size_t count = 0;
        struct mu_cert *const *chain = mu_identity_chain(context->identities[i], &count);
        if (mu_cert_x509(chain[0]) == leaf) {
            return context->identities[i];
        }
    }
    return NULL;
}

static int send_staple(SSL *ssl, struct mutual_session *session)
{
    const struct mutual_identity *identity = shown(session->context, ssl);
    struct mu_slice response =
        identity == NULL ? mu_slice_of(NULL, 0)
                         : mu_identity_stapled(identity, mu_context_now(session->context));
    unsigned char *copy = response.len > 0 ? OPENSSL_memdup(response.data, response.len) : NULL;
    if (copy == NULL) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    if (SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)response.len) != 1) {
        OPENSSL_free(copy);
        return SSL_TLSEXT_ERR_NOACK;
    }
    session->stapled = true;
    return SSL_TLSEXT_ERR_OK;
}

static int on_status(SSL *ssl, void *context)
{
    (void)context;
    struct mutual_session *session = SSL_get_app_data(ssl);
    return session->server ? send_staple(ssl, session) : judge_staple(ssl, session);
}

bool mu_staple_setup(struct mutual_context *context)
{
    bool server = context->rules->side == MUTUAL_SIDE_SERVER;
    return SSL_CTX_set_tlsext_status_cb(context->ssl, on_status) == 1 &&
           (server || SSL_CTX_set_tlsext_status_type(context->ssl, TLSEXT_STATUSTYPE_ocsp) == 1);
}
