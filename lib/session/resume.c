/* SPDX-License-Identifier: Apache-2.0
 *
 * Resumption, re-admitted on every use. Sessions live in our own table with the evidence of their
 * full handshake; OpenSSL's cache and encrypted tickets are off. Before a session is taken (server)
 * or offered (client), mutual_admit judges that evidence by the rules and the time of now; when it
 * does not allow it, a full handshake follows.
 */
#include "session/session_internal.h"
#include "session/share_internal.h"

#include <openssl/x509.h>
#include <string.h>

/* RFC 8446 section 4.6.1 allows a week; two hours keep the table small and busy clients resuming.
 */
#define LIFE_MAX_S INT64_C(7200)
/* A resumed session is given a ticket too, so without an end of its own a key that was proved once
 * would count for ever (RFC 8446 section 4.6.1); once a day it is proved again. */
#define PROOF_MAX_S INT64_C(86400)

void mu_proof_clear(struct mu_proof *proof)
{
    mutual_chain_unref(proof->chain);
    *proof = (struct mu_proof){.serial = 0};
}

static void proof_copy(struct mu_proof *to, const struct mu_proof *from)
{
    struct mutual_chain *chain = from->chain != NULL ? mutual_chain_ref(from->chain) : NULL;
    mu_proof_clear(to);
    *to = *from;
    to->chain = chain;
}

/* Would what was proved then be admitted now? */
static bool still_admitted(const struct mutual_session *session, const struct mu_proof *proof,
                           const char *service)
{
    const struct mutual_rules *rules = session->context->rules;
    int64_t now_s = mu_context_now(session->context);
    struct mutual_evidence evidence = {
        .side = rules->side,
        .chain = proof->chain,
        .proved = proof->chain != NULL,
        .resumed = true,
        .proved_at_s = proof->proved_at_s,
        .trust_generation = proof->trust_generation,
        .service = service,
        .staple = proof->staple,
    };
    if (proof->trust_generation != rules->trust_generation || now_s < proof->proved_at_s ||
        now_s - proof->proved_at_s >= PROOF_MAX_S) {
        return false;
    }
    struct mutual_verdict verdict = mutual_admit(&evidence, rules, now_s);
    mutual_pass_free(verdict.pass);
    /* Rules that only observe admit whom they do not believe; what was proved once and is not
     * believed any more has to be presented again, and is nobody's then. */
    return verdict.allowed && verdict.nobody == (proof->chain == NULL);
}

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* How long the session may live, its evidence being complete: never beyond the chain that proved
 * it, nor beyond the staple that cleared it. */
static long life_s(const struct mutual_session *session)
{
    int64_t now_s = mu_context_now(session->context);
    int64_t life = lesser(LIFE_MAX_S, session->evidence.proved_at_s + PROOF_MAX_S - now_s);
    if (session->chain != NULL) {
        life = lesser(life, mutual_chain_not_after_s(session->chain) - now_s);
    }
    if (session->evidence.staple.status == MUTUAL_STAPLE_GOOD) {
        life = lesser(life, session->evidence.staple.next_update_s - now_s);
    }
    return life > 0 ? (long)life : 0;
}

static size_t der_bytes(const X509 *cert)
{
    int len = cert == NULL ? 0 : i2d_X509(cert, NULL);
    return len > 0 ? (size_t)len : 0;
}

/* OpenSSL keeps all that the peer sent with its certificate for as long as the session, in objects
 * many times its size. Whoever pads a chain does without resumption. */
static bool is_small(const struct mutual_session *session)
{
    const STACK_OF(X509) *sent = SSL_get_peer_cert_chain(session->ssl);
    size_t count = sent == NULL ? 0 : (size_t)sk_X509_num(sent);
    size_t bytes = der_bytes(SSL_get0_peer_certificate(session->ssl));
    if (count > MU_LIMIT_KEPT_CERTS) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        bytes += der_bytes(sk_X509_value(sent, (int)i));
    }
    return bytes <= MU_LIMIT_KEPT_BYTES;
}

/* The library would hold on to the peer's certificates as it parsed them, some ten kilobytes for
 * each session. Our server reads none of them ever again: what they prove is in our own evidence.
 */
static bool keep_little(const SSL_SESSION *whole, int64_t until_s, struct mu_kept *kept)
{
    const SSL_CIPHER *cipher = SSL_SESSION_get0_cipher(whole);
    unsigned len = 0;
    const unsigned char *binding = SSL_SESSION_get0_id_context(whole, &len);
    size_t psk_len = SSL_SESSION_get_master_key(whole, NULL, 0);
    if (cipher == NULL || len != sizeof kept->binding || psk_len == 0 ||
        psk_len > sizeof kept->psk) {
        return false;
    }
    *kept = (struct mu_kept){
        .until_s = until_s,
        .suite = SSL_CIPHER_get_protocol_id(cipher),
        .psk_len = (uint8_t)psk_len,
    };
    memcpy(kept->binding, binding, len);
    return SSL_SESSION_get_master_key(whole, kept->psk, psk_len) == psk_len;
}

/* The library's object again, made of what was kept; NULL: its time is over, or no memory. */
static SSL_SESSION *revive(const struct mutual_session *session, const struct mu_kept *kept,
                           struct mu_slice key, uint64_t serial)
{
    int64_t left_s = kept->until_s - mu_context_now(session->context);
    uint8_t suite[2];
    mu_put_be16(suite, kept->suite);
    const SSL_CIPHER *cipher = SSL_CIPHER_find(session->ssl, suite);
    SSL_SESSION *made = cipher == NULL || left_s <= 0 ? NULL : SSL_SESSION_new();
    if (made != NULL &&
        (SSL_SESSION_set_protocol_version(made, TLS1_3_VERSION) != 1 ||
         SSL_SESSION_set_cipher(made, cipher) != 1 ||
         SSL_SESSION_set1_master_key(made, kept->psk, kept->psk_len) != 1 ||
         SSL_SESSION_set1_id(made, key.data, (unsigned)key.len) != 1 ||
         SSL_SESSION_set1_id_context(made, kept->binding, sizeof kept->binding) != 1 ||
         SSL_SESSION_set1_ticket_appdata(made, &serial, sizeof serial) != 1 ||
         SSL_SESSION_set_timeout(made, (long)left_s) != 1)) {
        SSL_SESSION_free(MU_TAKE(made));
    }
    return made;
}

/* For every process of ours. False: keep it here. */
static bool keep_shared(struct mutual_cache *cache, struct mu_slice key, const struct mu_kept *kept,
                        const struct mu_proof *proof, const char *service)
{
    struct mu_share *share = mu_cache_shared(cache);
    if (share == NULL || key.len != MU_SHARE_ID) {
        return false;
    }
    struct mu_buf record;
    mu_buf_init(&record, MU_SHARE_RECORD);
    bool done = mu_buf_reserve(&record, MU_SHARE_RECORD) != NULL && /* it never moves */
                mu_kept_write(kept, proof, service, &record) &&
                mu_share_put(share, key.data, kept->until_s, mu_buf_slice(&record));
    mu_wipe(record.data, record.len);
    mu_buf_done(&record);
    return done;
}

static void keep(struct mutual_session *session, SSL_SESSION *whole)
{
    struct mutual_cache *cache = session->context->cache;
    struct mu_proof proof = {
        .serial = mu_cache_serial(cache),
        .chain = session->chain,
        .proved_at_s = session->evidence.proved_at_s,
        .trust_generation = session->evidence.trust_generation,
        .staple = session->evidence.staple,
        .mutual = session->mutual,
    };
    const uint8_t *binding = session->context->binding;
    unsigned len = 0;
    const unsigned char *id = SSL_SESSION_get_id(whole, &len);
    struct mu_slice key = session->server ? mu_slice_of(id, len)
                                          : mu_slice_of(binding, sizeof session->context->binding);
    bool single = session->server || SSL_version(session->ssl) != TLS1_3_VERSION;
    /* Whoever would be refused must not push those out who may come back. */
    if (session->disbelief != NULL || session->rehearsal || !is_small(session) ||
        !still_admitted(session, &proof, session->evidence.service)) {
        return;
    }
    (void)SSL_SESSION_set_timeout(whole, life_s(session));
    bool little = session->server && SSL_version(session->ssl) == TLS1_3_VERSION;
    struct mu_kept kept = {.ssl = whole};
    int64_t until_s = mu_context_now(session->context) + life_s(session);
    bool made =
        little ? keep_little(whole, until_s, &kept)
               : SSL_SESSION_set1_ticket_appdata(whole, &proof.serial, sizeof proof.serial) == 1;
    if (made && !(little && keep_shared(cache, key, &kept, &proof, session->evidence.service))) {
        (void)mu_cache_put(cache, key, &kept, &proof, session->evidence.service, single);
    }
    mu_wipe(&kept, sizeof kept);
}

/* Called with each session that could be resumed. Returns 0: we take no reference from OpenSSL. */
static int keep_ticket(SSL *ssl, SSL_SESSION *kept)
{
    struct mutual_session *session = SSL_get_app_data(ssl);
    struct mutual_error ignored = {0};
    if (session->context->cache != NULL && SSL_version(ssl) == TLS1_3_VERSION &&
        mu_session_settle(session, &ignored) && life_s(session) > 0) {
        keep(session, kept);
    }
    return 0;
}

/* Without the extended master secret (RFC 7627) a TLS 1.2 session can be moved between connections
 * by a man in the middle who is a legitimate server for one of them (triple handshake). Whether it
 * was used is known only when the handshake is over. */
void mu_resume_keep_finished(struct mutual_session *session)
{
    SSL_SESSION *kept = SSL_get_session(session->ssl);
    if (session->context->cache != NULL && kept != NULL && !session->evidence.resumed &&
        SSL_version(session->ssl) != TLS1_3_VERSION && SSL_get_extms_support(session->ssl) == 1 &&
        SSL_SESSION_is_resumable(kept) == 1 && life_s(session) > 0) {
        keep(session, kept);
    }
}

/* Nobody else will find it, so it is kept for the second hello after a HelloRetryRequest, which
 * shows it again. Whom the door does not let in is not given back: a full handshake makes another.
 */
static SSL_SESSION *take_shared(struct mutual_session *session, const unsigned char *id)
{
    struct mutual_cache *cache = session->context->cache;
    struct mu_share *share = mu_cache_shared(cache);
    uint8_t record[MU_SHARE_RECORD];
    char service[MU_KEPT_SERVICE];
    struct mu_kept kept = {.ssl = NULL};
    struct mu_proof proof = {.serial = 0};
    size_t len = share == NULL ? 0 : mu_share_take(share, id, record);
    bool found = len > 0 && mu_kept_read(mu_slice_of(record, len), &kept, &proof, service);
    mu_wipe(record, sizeof record);
    proof.serial = found ? mu_cache_serial(cache) : 0;
    SSL_SESSION_free(MU_TAKE(session->taken));
    if (found && still_admitted(session, &proof, service)) {
        session->taken = revive(session, &kept, mu_slice_of(id, MU_SHARE_ID), proof.serial);
    }
    if (session->taken != NULL) {
        proof_copy(&session->proof, &proof);
    }
    mu_proof_clear(&proof);
    mu_wipe(&kept, sizeof kept);
    return session->taken;
}

static SSL_SESSION *find_shared(struct mutual_session *session, const unsigned char *id, size_t len)
{
    unsigned taken_len = 0;
    const unsigned char *taken =
        session->taken == NULL ? NULL : SSL_SESSION_get_id(session->taken, &taken_len);
    SSL_SESSION *found = NULL;
    if (taken != NULL && mu_slice_equal(mu_slice_of(taken, taken_len), mu_slice_of(id, len))) {
        found = session->taken;
    } else if (len == MU_SHARE_ID) {
        found = take_shared(session, id);
    }
    return found != NULL && SSL_SESSION_up_ref(found) == 1 ? found : NULL;
}

/* Server: a client shows the identifier of a session. */
static SSL_SESSION *find_session(SSL *ssl, const unsigned char *id, int len, int *copy)
{
    struct mutual_session *session = SSL_get_app_data(ssl);
    struct mutual_cache *cache = session->context->cache;
    *copy = 0; /* OpenSSL takes over the reference that we give */
    if (cache == NULL || len <= 0) {
        return NULL;
    }
    struct mu_slice key = mu_slice_of(id, (size_t)len);
    struct mu_resumable *entry = mu_cache_find(cache, key);
    if (entry == NULL) {
        return find_shared(session, id, (size_t)len);
    }
    if (!still_admitted(session, &entry->proof, entry->service)) {
        return NULL;
    }
    SSL_SESSION *found = entry->kept.ssl;
    if (found != NULL ? SSL_SESSION_up_ref(found) != 1
                      : (found = revive(session, &entry->kept, key, entry->proof.serial)) == NULL) {
        return NULL;
    }
    proof_copy(&session->proof, &entry->proof);
    return found;
}

/* OpenSSL found the session broken. */
static void forget_session(SSL_CTX *ssl, SSL_SESSION *broken)
{
    struct mutual_context *context = SSL_CTX_get_app_data(ssl);
    unsigned len = 0;
    const unsigned char *id = SSL_SESSION_get_id(broken, &len);
    if (context == NULL || context->cache == NULL || len == 0) {
        return;
    }
    struct mu_resumable *entry = mu_cache_find(context->cache, mu_slice_of(id, len));
    if (entry != NULL && (entry->kept.ssl == NULL || entry->kept.ssl == broken)) {
        mu_cache_drop(context->cache, entry);
    }
}

/* The ticket's lifetime is written right after this; set it here so that the client hears it. */
static int limit_life(SSL *ssl, void *context)
{
    (void)context;
    struct mutual_session *session = SSL_get_app_data(ssl);
    struct mutual_error ignored = {0};
    long life = mu_session_settle(session, &ignored) ? life_s(session) : 0;
    (void)SSL_SESSION_set_timeout(SSL_get_session(ssl), life);
    return 1;
}

void mu_resume_setup(struct mutual_context *context)
{
    SSL_CTX *ssl = context->ssl;
    bool server = context->rules->side == MUTUAL_SIDE_SERVER;
    if (context->cache == NULL) {
        SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
        (void)SSL_CTX_set_num_tickets(ssl, 0);
        return;
    }
    SSL_CTX_set_session_cache_mode(ssl, (server ? SSL_SESS_CACHE_SERVER : SSL_SESS_CACHE_CLIENT) |
                                            SSL_SESS_CACHE_NO_INTERNAL |
                                            SSL_SESS_CACHE_NO_AUTO_CLEAR);
    (void)SSL_CTX_set_num_tickets(ssl, 1);
    SSL_CTX_sess_set_new_cb(ssl, keep_ticket);
    if (server) {
        SSL_CTX_sess_set_get_cb(ssl, find_session);
        SSL_CTX_sess_set_remove_cb(ssl, forget_session);
        (void)SSL_CTX_set_session_ticket_cb(ssl, limit_life, NULL, NULL);
    }
}

void mu_resume_offer(struct mutual_session *session)
{
    struct mutual_cache *cache = session->context->cache;
    struct mu_slice key = mu_slice_of(session->context->binding, sizeof session->context->binding);
    struct mu_resumable *entry = cache != NULL ? mu_cache_find(cache, key) : NULL;
    while (entry != NULL && (!still_admitted(session, &entry->proof, entry->service) ||
                             SSL_SESSION_is_resumable(entry->kept.ssl) != 1)) {
        mu_cache_drop(cache, entry);
        entry = mu_cache_find(cache, key);
    }
    if (entry == NULL || SSL_set_session(session->ssl, entry->kept.ssl) != 1) {
        return;
    }
    proof_copy(&session->proof, &entry->proof);
    if (SSL_SESSION_get_protocol_version(entry->kept.ssl) == TLS1_3_VERSION) {
        mu_cache_drop(cache, entry); /* RFC 8446 section C.4: a ticket is used once */
    }
}
