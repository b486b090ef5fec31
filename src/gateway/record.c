/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection in words: its line in the log, whatever became of it, and its PROXY header.
 */
#include "gateway/record_internal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "explain/explain.h"
#include "gateway/log_internal.h"
#include "gateway/proxy_internal.h"
#include "gateway/worker_internal.h"
#include "session/session.h"
#include "x509/x509.h"

/* A line longer than this could be torn apart by a pipe (PIPE_BUF). */
enum { LINE_MAX_BYTES = 4096 };

static void peer_socket(const struct conn *conn, struct sockaddr_storage *socket)
{
    memset(socket, 0, sizeof *socket);
    memcpy(socket, &conn->peer, sizeof conn->peer);
}

/* ---- the log ------------------------------------------------------------------------------------
 */

/* The journey of somebody who never came as far as a session. */
static struct mutual_journey short_journey(const struct conn *conn)
{
    struct mutual_journey journey = {.started_ns = conn->started_ns};
    journey.steps[MUTUAL_STEP_CONNECT].outcome =
        conn->error != NULL ? MUTUAL_OUTCOME_FAILED : MUTUAL_OUTCOME_PENDING;
    return journey;
}

static bool format(const struct conn *conn, const struct mutual_story *story,
                   const struct mu_story_counts *counts, struct mu_buf *line)
{
    mu_buf_init(line, LINE_MAX_BYTES);
    if (conn->worker->log_json) {
        mu_story_log_json(story, counts, line);
    } else {
        mu_story_log_text(story, counts, line);
    }
    (void)mu_buf_byte(line, '\n');
    return !line->failed;
}

/* Names as long as names may be, each part within its limit, could together be too long: then the
 * line goes without them rather than be lost. */
static void tell(struct conn *conn, struct mutual_story *story,
                 const struct mu_story_counts *counts)
{
    if (!log_is_wanted(log_level_of(mu_story_level(story)), conn->worker->log_level)) {
        return;
    }
    MU_AUTO(buf) struct mu_buf line;
    MU_AUTO(buf) struct mu_buf shorter;
    mu_buf_init(&shorter, LINE_MAX_BYTES);
    if (format(conn, story, counts, &line)) {
        worker_log(conn->worker, mu_buf_slice(&line));
        return;
    }
    story->chain = NULL;
    story->verdict = NULL;
    story->info = NULL;
    if (format(conn, story, counts, &shorter)) {
        worker_log(conn->worker, mu_buf_slice(&shorter));
    } else {
        conn->worker->log_lost++;
    }
}

/* Whom the peer proved to be. Nobody: it was let in without being believed, and then what it
 * presented is no identity, whatever the handshake left of it. */
static const struct mutual_chain *identity_of(struct conn *conn)
{
    const struct side *secure = conn_secure(conn);
    bool nobody = conn->verdict != NULL && conn->verdict->nobody;
    return secure == NULL || nobody ? NULL : mutual_session_evidence(secure->session)->chain;
}

void conn_record(struct conn *conn)
{
    struct sockaddr_storage socket;
    char peer[ADDRESS_TEXT];
    struct mutual_session_info info = {0};
    struct mutual_journey before = short_journey(conn);
    const struct world_service *facts = conn->service->facts;
    const struct side *secure = conn_secure(conn);
    peer_socket(conn, &socket);
    struct mutual_story story = {
        .side = facts->inbound != NULL ? MUTUAL_SIDE_SERVER : MUTUAL_SIDE_CLIENT,
        .service = facts->name,
        .peer = address_format(&socket, peer),
        .journey = &before,
        .verdict = conn->verdict,
        .error = conn->error,
    };
    if (secure != NULL) {
        mutual_session_info(secure->session, &info);
        story.journey = mutual_session_journey(secure->session);
        story.info = &info;
        story.chain = identity_of(conn);
    }
    const struct mu_claim *claim = secure == NULL ? NULL : mu_session_claim(secure->session);
    struct mu_story_counts counts = {
        .time_s = reactor_now_s(conn->worker->reactor),
        .worker = getpid(),
        .connection = conn->number,
        .duration_ns = reactor_now_ns(conn->worker->reactor) - conn->started_ns,
        .bytes_in = conn->bytes_in,
        .bytes_out = conn->bytes_out,
        .plaintext = conn->plain != NULL,
        .claimed = claim == NULL ? NULL : claim->name,
        .upstream =
            facts->inbound != NULL ? facts->inbound->forward.text : facts->outbound->connect.text,
    };
    counts.duration_ns = counts.duration_ns > 0 ? counts.duration_ns : 0;
    tell(conn, &story, &counts);
}

void record_event(struct worker *worker, const char *event, const char *listener,
                  const struct mutual_error *what)
{
    if (!log_is_wanted(CONFIG_LOG_WARNING, worker->log_level)) {
        return;
    }
    struct log_entry entry = {.time_s = reactor_now_s(worker->reactor),
                              .level = CONFIG_LOG_WARNING,
                              .event = event,
                              .listener = listener,
                              .error = what};
    MU_AUTO(buf) struct mu_buf line;
    mu_buf_init(&line, LINE_MAX_BYTES);
    log_format(&entry, worker->log_json, &line);
    worker_log(worker, mu_buf_slice(&line));
}

/* ---- the PROXY header ---------------------------------------------------------------------------
 */

static const char *first_name(const struct mutual_chain *chain, enum mutual_name_type type)
{
    size_t count = 0;
    const struct mutual_name *names = chain == NULL ? NULL : mutual_chain_names(chain, &count);
    for (size_t i = 0; i < count; i++) {
        if (names[i].type == type) {
            return names[i].text;
        }
    }
    return NULL;
}

/* "TLS 1.3" as the specification's examples spell it: "TLSv1.3". */
static const char *version_word(const char *version)
{
    return version == NULL                   ? NULL
           : strcmp(version, "TLS 1.3") == 0 ? "TLSv1.3"
           : strcmp(version, "TLS 1.2") == 0 ? "TLSv1.2"
                                             : version;
}

/* How our own certificate is signed and what its key is, in the spelling of HAProxy. */
static void own_words(const struct mu_cert_facts *own, char signature[48], char key[24])
{
    static const char *const digests[] = {
        [MU_DIGEST_SHA256] = "SHA256",
        [MU_DIGEST_SHA384] = "SHA384",
        [MU_DIGEST_SHA512] = "SHA512",
    };
    static const char *const kinds[] = {[MU_KEY_EC] = "EC",
                                        [MU_KEY_RSA] = "RSA",
                                        [MU_KEY_RSA_PSS] = "RSASSA-PSS",
                                        [MU_KEY_ED25519] = "ED25519"};
    const char *digest = own->sig.digest < MU_COUNT(digests) ? digests[own->sig.digest] : NULL;
    const char *signer = own->sig.kind < MU_COUNT(kinds) ? kinds[own->sig.kind] : NULL;
    const char *kind = own->key.kind < MU_COUNT(kinds) ? kinds[own->key.kind] : NULL;
    signature[0] = '\0';
    key[0] = '\0';
    if (own->sig.kind == MU_KEY_EC && digest != NULL) {
        (void)snprintf(signature, 48, "ecdsa-with-%s", digest);
    } else if (signer != NULL) {
        (void)snprintf(signature, 48, "%s%s%s", signer, digest == NULL ? "" : "-",
                       digest == NULL ? "" : digest);
    }
    if (own->key.kind == MU_KEY_ED25519) {
        (void)snprintf(key, 24, "%s", kind); /* there is one size of it */
    } else if (kind != NULL) {
        (void)snprintf(key, 24, "%s%u", kind, own->key.bits);
    }
}

bool record_proxy_header(struct conn *conn, struct mu_buf *out, struct mutual_error *err)
{
    const struct config_inbound *inbound = conn->service->facts->inbound;
    struct mutual_session *session = conn->front.session;
    const struct mutual_chain *chain = identity_of(conn);
    struct mutual_session_info info = {0};
    struct sockaddr_storage from;
    struct sockaddr_storage to = {0};
    socklen_t len = sizeof to;
    char unique[48];
    char signature[48];
    char key[24];
    if (session != NULL) {
        mutual_session_info(session, &info);
    }
    peer_socket(conn, &from);
    bool bound = getsockname(conn->front.fd, (struct sockaddr *)&to, &len) == 0;
    int unique_len = snprintf(unique, sizeof unique, "%lx-%u-%llx", (unsigned long)getpid(),
                              conn->worker->child->index, (unsigned long long)conn->number);
    own_words(mu_cert_facts(conn->born->facts->chains[0].certs[0]), signature, key);
    struct proxy_facts facts = {
        .source = bound ? &from : NULL,
        .destination = &to,
        .alpn = info.alpn,
        .authority = info.sni,
        .unique = mu_slice_of(unique, (size_t)unique_len),
        .tls = session != NULL,
        .cert = chain != NULL,
        .resumed = info.resumed,
        .version = version_word(info.version),
        .common_name = first_name(chain, MUTUAL_NAME_CN),
        .cipher = info.cipher,
        .cert_signature = signature,
        .cert_key = key,
        .group = info.group,
        .scheme = chain == NULL ? NULL : info.peer_signature,
        .spiffe = first_name(chain, MUTUAL_NAME_SPIFFE),
    };
    if (inbound->proxy_protocol == CONFIG_PROXY_V2_CERT && chain != NULL) {
        facts.client_cert = mu_session_peer_cert(session);
    }
    return proxy_header_write(&facts, out, err);
}

/* ---- for the authority --------------------------------------------------------------------------
 */

bool record_evidence(struct conn *conn, struct mu_buf *out, struct mutual_error *err)
{
    struct sockaddr_storage socket;
    struct mutual_session *session = conn->front.session;
    const struct mutual_chain *chain = identity_of(conn);
    struct evidence evidence = {.channel = chain != NULL     ? EVIDENCE_MUTUAL
                                           : session != NULL ? EVIDENCE_TLS
                                                             : EVIDENCE_PLAIN};
    char address[ADDRESS_TEXT];
    if (!mutual_pass_holds(conn->verdict->pass, reactor_now_s(conn->worker->reactor))) {
        return mu_fail(err, MUTUAL_E_PASS_EXPIRED, "the admission ended before it was told of");
    }
    peer_socket(conn, &socket);
    (void)snprintf(evidence.listener, sizeof evidence.listener, "%s", conn->service->facts->name);
    (void)snprintf(evidence.address, sizeof evidence.address, "%s",
                   address_format(&socket, address));
    if (chain != NULL) {
        evidence.leaf = mu_session_peer_cert(session); /* of a full handshake: none is resumed */
    }
    return evidence_write(&evidence, out, err);
}
