/* SPDX-License-Identifier: Apache-2.0
 *
 * Rehearsals: one end is a session of ours as it will serve, the other a stand-in that shares
 * nothing with it, not even the library context. The flag that makes our end judge nobody is set
 * here and nowhere else, and admission refuses a session that has it.
 */
#include "session/session_internal.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

/* What a client's own key signs with, whatever it can verify. */
#define STANDIN_SIGNATURES "ECDSA+SHA256"

struct mu_standin {
    OSSL_LIB_CTX *libctx;
    SSL_CTX *ssl;
    EVP_PKEY *key;
    X509 *cert;
};

struct mu_rehearsal {
    struct mutual_session *session;
    SSL *other;
    BIO *to_other, *from_other; /* the stand-in's */
    struct mu_buf pending;      /* from the stand-in, not taken yet */
    uint8_t out[MUTUAL_WIRE_RECORD];
};

/* ---- the stand-in ------------------------------------------------------------------------------
 */

/* Whatever it is shown, only the proof of the key counts, and that is the library's. */
static int verify_nobody(X509_STORE_CTX *store, void *context)
{
    (void)context;
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

static bool make_cert(struct mu_standin *standin)
{
    static const unsigned char name[] = "nobody";
    enum { HOUR_S = 3600, CN_LEN = sizeof name - 1 };
    standin->key = EVP_PKEY_Q_keygen(standin->libctx, NULL, "EC", "P-256");
    standin->cert = X509_new_ex(standin->libctx, NULL);
    if (standin->key == NULL || standin->cert == NULL) {
        return false;
    }
    X509 *cert = standin->cert;
    X509_NAME *subject = X509_get_subject_name(cert); /* NOLINT: borrowed */
    return X509_set_version(cert, X509_VERSION_3) == 1 &&
           ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(cert), -HOUR_S) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(cert), HOUR_S) != NULL &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, name, CN_LEN, -1, 0) == 1 &&
           X509_set_issuer_name(cert, subject) == 1 && X509_set_pubkey(cert, standin->key) == 1 &&
           X509_sign(cert, standin->key, EVP_sha256()) > 0;
}

static bool make_context(struct mu_standin *standin)
{
    SSL_CTX *ssl = standin->ssl = SSL_CTX_new_ex(standin->libctx, NULL, TLS_method());
    if (ssl == NULL) {
        return false;
    }
    SSL_CTX_set_security_level(ssl, 1);
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(ssl, verify_nobody, NULL);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_num_tickets(ssl, 0);
    return SSL_CTX_use_certificate(ssl, standin->cert) == 1 &&
           SSL_CTX_use_PrivateKey(ssl, standin->key) == 1;
}

bool mu_standin_new(struct mu_standin **ret_standin, struct mutual_error *err)
{
    MU_AUTO(standin) struct mu_standin *standin = mu_alloc(1, sizeof *standin);
    if (standin == NULL) {
        return mu_fail_memory(err);
    }
    mu_ossl_clear();
    standin->libctx = OSSL_LIB_CTX_new();
    if (standin->libctx == NULL || !make_cert(standin) || !make_context(standin)) {
        return mu_fail_ossl(err, MUTUAL_E_LIBRARY, "could not make the other end of a rehearsal");
    }
    *ret_standin = MU_TAKE(standin);
    return true;
}

void mu_standin_free(struct mu_standin *standin)
{
    if (standin == NULL) {
        return;
    }
    SSL_CTX_free(standin->ssl);
    X509_free(standin->cert);
    EVP_PKEY_free(standin->key);
    OSSL_LIB_CTX_free(standin->libctx);
    mu_free(standin);
}

void mu_standin_auto(struct mu_standin **standin)
{
    mu_standin_free(*standin);
}

/* ---- which identity ----------------------------------------------------------------------------
 */

const struct mutual_identity *mu_context_shows(struct mutual_context *context, const char *name,
                                               enum mu_key_kind kind)
{
    if (context->rules->side == MUTUAL_SIDE_CLIENT) {
        return context->identity_count > 0 ? context->identities[0] : NULL;
    }
    const struct mutual_context *chosen =
        mu_select_context(context, mu_slice_text(name != NULL ? name : ""));
    if (chosen == NULL || chosen->hosts.count == 0) {
        return NULL;
    }
    const struct mu_host *host =
        name != NULL ? mu_hosts_find(&chosen->hosts, mu_slice_text(name)) : NULL;
    host = host != NULL ? host : &chosen->hosts.items[0];
    for (size_t i = 0; i < host->count; i++) {
        if (mu_key_info(mu_identity_key(host->identities[i]))->kind == kind) {
            return host->identities[i];
        }
    }
    return NULL;
}

/* ---- a rehearsal -------------------------------------------------------------------------------
 */

static const char *signatures_of(enum mu_key_kind kind)
{
    switch (kind) {
    case MU_KEY_EC:
        return "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512";
    case MU_KEY_RSA:
        return "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:"
               "RSA+SHA256:RSA+SHA384:RSA+SHA512";
    case MU_KEY_RSA_PSS:
        return "rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512";
    case MU_KEY_ED25519:
        return "ed25519";
    case MU_KEY_OTHER:
        break;
    }
    return NULL;
}

/* The stand-in plays the other role. */
static bool set_role(struct mu_rehearsal *rehearsal, const struct mu_rehearsal_plan *plan)
{
    SSL *other = rehearsal->other;
    int version = plan->tls12 ? TLS1_2_VERSION : TLS1_3_VERSION;
    if (SSL_set_min_proto_version(other, version) != 1 ||
        SSL_set_max_proto_version(other, version) != 1) {
        return false;
    }
    if (!rehearsal->session->server) {
        SSL_set_accept_state(other);
        return true;
    }
    const char *signatures = signatures_of(plan->kind);
    SSL_set_connect_state(other);
    return (plan->name == NULL || SSL_set_tlsext_host_name(other, plan->name) == 1) &&
           SSL_set1_client_sigalgs_list(other, STANDIN_SIGNATURES) == 1 &&
           (signatures == NULL || SSL_set1_sigalgs_list(other, signatures) == 1);
}

static bool wire_up(struct mu_rehearsal *rehearsal)
{
    rehearsal->to_other = BIO_new(BIO_s_mem());
    rehearsal->from_other = BIO_new(BIO_s_mem());
    if (rehearsal->to_other == NULL || rehearsal->from_other == NULL) {
        BIO_free(rehearsal->to_other);
        BIO_free(rehearsal->from_other);
        return false;
    }
    SSL_set_bio(rehearsal->other, rehearsal->to_other, rehearsal->from_other);
    return true;
}

bool mu_rehearsal_new(struct mu_standin *standin, const struct mu_rehearsal_plan *plan,
                      struct mu_rehearsal **ret_rehearsal, struct mutual_error *err)
{
    struct mu_rehearsal *rehearsal = mu_alloc(1, sizeof *rehearsal);
    if (rehearsal == NULL) {
        return mu_fail_memory(err);
    }
    mu_buf_init(&rehearsal->pending, 4 * MU_LIMIT_CERT_MESSAGE);
    rehearsal->session = mu_session_make(plan->context, true, err);
    if (rehearsal->session == NULL) {
        mu_rehearsal_free(rehearsal);
        return false;
    }
    mu_ossl_clear();
    rehearsal->other = SSL_new(standin->ssl);
    if (rehearsal->other == NULL || !wire_up(rehearsal) || !set_role(rehearsal, plan)) {
        mu_rehearsal_free(rehearsal);
        return mu_fail_ossl(err, MUTUAL_E_LIBRARY, "could not make the other end of a rehearsal");
    }
    *ret_rehearsal = rehearsal;
    return true;
}

void mu_rehearsal_free(struct mu_rehearsal *rehearsal)
{
    if (rehearsal == NULL) {
        return;
    }
    mutual_session_free(rehearsal->session);
    SSL_free(rehearsal->other);
    mu_buf_done(&rehearsal->pending);
    mu_free(rehearsal);
}

/* What the stand-in sent goes behind what our end has not taken. False: more than any flight. */
static bool take_sent(struct mu_rehearsal *rehearsal)
{
    size_t len = BIO_ctrl_pending(rehearsal->from_other);
    uint8_t *end = len > 0 ? mu_buf_reserve(&rehearsal->pending, len) : NULL;
    if (len == 0) {
        return true;
    }
    if (end == NULL || BIO_read(rehearsal->from_other, end, (int)len) != (int)len) {
        return false;
    }
    rehearsal->pending.len += len;
    return true;
}

static enum mutual_io step_ours(struct mu_rehearsal *rehearsal, bool *ret_moved,
                                struct mutual_error *err)
{
    struct mu_buf *pending = &rehearsal->pending;
    struct mutual_wire wire = {.in = pending->data,
                               .in_len = pending->len,
                               .out = rehearsal->out,
                               .out_cap = sizeof rehearsal->out};
    enum mutual_io io = mutual_session_handshake(rehearsal->session, &wire, err);
    size_t taken = pending->len - wire.in_len;
    mu_buf_consume(pending, taken);
    if (wire.out_len > 0 &&
        BIO_write(rehearsal->to_other, wire.out, (int)wire.out_len) != (int)wire.out_len) {
        (void)mu_fail_memory(err);
        return MUTUAL_IO_FAILED;
    }
    *ret_moved = taken > 0 || wire.out_len > 0;
    return io;
}

/* False: it is not content, and nothing that our end does will change that. */
static bool step_other(struct mu_rehearsal *rehearsal, bool *ret_moved, struct mutual_error *err)
{
    mu_ossl_clear();
    int answer = SSL_do_handshake(rehearsal->other);
    int error = SSL_get_error(rehearsal->other, answer);
    *ret_moved = BIO_ctrl_pending(rehearsal->from_other) > 0;
    if (!take_sent(rehearsal)) {
        return mu_fail_memory(err);
    }
    if (answer != 1 && error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
        return mu_fail_ossl(err, MUTUAL_E_PROTOCOL_VIOLATION,
                            "the other end of the rehearsal broke the handshake off");
    }
    mu_ossl_clear();
    return true;
}

enum mutual_io mu_rehearsal_step(struct mu_rehearsal *rehearsal, struct mutual_error *err)
{
    bool ours_moved = false;
    bool other_moved = false;
    struct mutual_error theirs = {0};
    enum mutual_io io = step_ours(rehearsal, &ours_moved, err);
    if (io == MUTUAL_IO_WANT_KEY || io == MUTUAL_IO_FAILED) {
        return io;
    }
    if (!step_other(rehearsal, &other_moved, &theirs)) {
        /* our end, hearing the alert, has the better words */
        if (other_moved && step_ours(rehearsal, &ours_moved, err) == MUTUAL_IO_FAILED) {
            return MUTUAL_IO_FAILED;
        }
        *err = theirs;
        return MUTUAL_IO_FAILED;
    }
    if (io == MUTUAL_IO_DONE && SSL_is_init_finished(rehearsal->other) == 1) {
        return MUTUAL_IO_DONE;
    }
    if (!ours_moved && !other_moved) {
        (void)mu_fail(err, MUTUAL_E_PROTOCOL_VIOLATION,
                      "the two ends of the rehearsal wait for each other");
        return MUTUAL_IO_FAILED;
    }
    return MUTUAL_IO_WANT_READ;
}

/* ---- what was shown ----------------------------------------------------------------------------
 */

static bool is_cert(const X509 *shown, const struct mu_cert *cert)
{
    struct mu_slice der = mu_cert_facts(cert)->der;
    unsigned char *bytes = NULL;
    int len = i2d_X509(shown, &bytes);
    bool same = len > 0 && mu_slice_equal(mu_slice_of(bytes, (size_t)len), der);
    OPENSSL_free(bytes);
    return same;
}

bool mu_rehearsal_showed(const struct mu_rehearsal *rehearsal, struct mu_cert *const *chain,
                         size_t count)
{
    const X509 *leaf = SSL_get0_peer_certificate(rehearsal->other);
    const STACK_OF(X509) *sent = SSL_get_peer_cert_chain(rehearsal->other);
    /* a client's stack begins with the leaf, a server's behind it */
    int behind = rehearsal->session->server ? 1 : 0;
    int sent_count = sent == NULL ? 0 : sk_X509_num(sent);
    if (leaf == NULL || count == 0 || (size_t)(sent_count - behind + 1) != count ||
        !is_cert(leaf, chain[0])) {
        return false;
    }
    for (size_t i = 1; i < count; i++) {
        if (!is_cert(sk_X509_value(sent, (int)i - 1 + behind), chain[i])) {
            return false;
        }
    }
    return true;
}
