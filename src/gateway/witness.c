/* SPDX-License-Identifier: Apache-2.0
 *
 * What a worker saw of callers, gathered and told to the parent once a second.
 */
#include <stdio.h>
#include <string.h>

#include "admission/admission.h"
#include "gateway/record_internal.h"
#include "gateway/sighting_internal.h"
#include "gateway/worker_internal.h"
#include "session/session.h"
#include "trust/trust.h"
#include "x509/x509.h"

uint64_t sighting_rules(const struct world_service *service)
{
    const struct mutual_rules *rules = &service->rules;
    uint64_t trust = rules->trust_generation << 21 | rules->trust_generation >> 43;
    return rules->policy_generation ^ trust ^ ((uint64_t)rules->mode + 1) << 57;
}

/* ---- what is seen ------------------------------------------------------------------------------
 */

static void put_address(const struct conn *conn, char *text, size_t size)
{
    struct sockaddr_storage socket = {0};
    char address[ADDRESS_TEXT];
    memcpy(&socket, &conn->peer, sizeof conn->peer);
    (void)address_format(&socket, address);
    char *colon = socket.ss_family == AF_UNIX ? NULL : strrchr(address, ':');
    if (colon != NULL) {
        *colon = '\0'; /* the port is another one each time */
    }
    (void)snprintf(text, size, "address %s", address);
}

static void put_chain(const struct conn *conn, const struct mutual_chain *chain,
                      struct sighting *seen)
{
    size_t count = 0;
    const struct mutual_link *links = mutual_chain_links(chain, &count);
    const struct mutual_link *anchor = &links[count - 1];
    const struct mu_cert *cert =
        mu_trust_cert(conn->service->facts->rules.trust, anchor->fingerprint);
    MU_AUTO(buf) struct mu_buf serial;
    mu_buf_init(&serial, sizeof seen->serial);
    mu_hex(&serial, mu_slice_of(links[0].serial, links[0].serial_len));
    memcpy(seen->anchor, anchor->fingerprint, sizeof seen->anchor);
    (void)snprintf(seen->anchor_name, sizeof seen->anchor_name, "%s",
                   cert == NULL ? "" : mu_cert_facts(cert)->subject_text);
    (void)snprintf(seen->issuer, sizeof seen->issuer, "%s", mutual_chain_issuer(chain));
    (void)snprintf(seen->serial, sizeof seen->serial, "%s", mu_buf_str(&serial));
    seen->not_after_s = links[0].not_after_s;
}

/* Who was not believed is told by where it came from and what it claims. */
static void put_claim(const struct mu_claim *claim, struct sighting *seen)
{
    size_t len = strlen(seen->key);
    (void)snprintf(seen->key + len, sizeof seen->key - len, ", claims \"%s\"", claim->name);
    (void)snprintf(seen->issuer, sizeof seen->issuer, "%s", claim->issuer);
    (void)snprintf(seen->serial, sizeof seen->serial, "%s", claim->serial);
    seen->not_after_s = claim->not_after_s;
}

static void put_caller(struct conn *conn, const struct side *side, struct sighting *seen)
{
    const struct mutual_session *session = side->session;
    const struct mutual_chain *chain =
        session == NULL || conn->verdict->nobody ? NULL : mutual_session_evidence(session)->chain;
    const struct mutual_name *name = mu_peer_name(conn->verdict, chain);
    const struct mu_claim *claim = session == NULL ? NULL : mu_session_claim(session);
    if (name != NULL) {
        (void)snprintf(seen->key, sizeof seen->key, "%s %s", mutual_name_type_word(name->type),
                       name->text);
        seen->known = true;
    } else {
        put_address(conn, seen->key, sizeof seen->key);
    }
    if (chain != NULL) {
        put_chain(conn, chain, seen);
    } else if (claim != NULL) {
        put_claim(claim, seen);
    }
}

static void put_lack(const struct mutual_verdict *verdict, struct sighting *seen)
{
    const struct mutual_error *why = NULL;
    seen->let_in = verdict->allowed;
    if (verdict->shadow == MUTUAL_SHADOW_REFUSED) {
        why = verdict->shadow_why != NULL ? verdict->shadow_why : &verdict->why;
    } else if (verdict->shadow == MUTUAL_SHADOW_NONE && !verdict->allowed) {
        why = &verdict->why;
    }
    if (why != NULL) {
        (void)snprintf(seen->lacks, sizeof seen->lacks, "%s", mutual_code_name(why->code));
        (void)snprintf(seen->why, sizeof seen->why, "%s", why->reason);
    }
}

static void on_time(void *owner)
{
    witness_tell(owner);
}

static void see(const struct conn *conn, struct sighting *seen)
{
    const struct world_service *facts = conn->service->facts;
    memset(seen, 0, sizeof *seen);
    seen->first_s = seen->last_s = reactor_now_s(conn->worker->reactor);
    seen->count = 1;
    seen->rules = sighting_rules(facts);
    seen->mode = facts->inbound != NULL ? (uint8_t)facts->inbound->clients.mode : 0;
    (void)snprintf(seen->service, sizeof seen->service, "%s", facts->name);
}

static void gather(struct worker *worker, const struct sighting *seen)
{
    sightings_note(worker->sightings, seen);
    if (!event_timer_is_armed(&worker->witness)) {
        reactor_arm_in(worker->reactor, &worker->witness, MU_NS_PER_S, on_time, worker);
    }
}

/* Whose chain was believed; of everybody else there is no anchor to tell of. */
static void note_certificate(struct conn *conn, struct sighting *seen)
{
    static const uint8_t none[32];
    if (seen->serial[0] != '\0' && memcmp(seen->anchor, none, sizeof none) != 0) {
        seen->certificate = true;
        gather(conn->worker, seen);
    }
}

void witness_note(struct conn *conn, const struct side *side)
{
    const struct world_service *facts = conn->service->facts;
    bool asks = facts->inbound == NULL || facts->rules.mode != MUTUAL_MODE_NONE;
    if (conn->verdict == NULL || facts->trust == NULL || !asks) {
        return;
    }
    struct sighting seen;
    see(conn, &seen);
    put_caller(conn, side, &seen);
    put_lack(conn->verdict, &seen);
    if (facts->inbound != NULL) {
        gather(conn->worker, &seen);
    }
    note_certificate(conn, &seen);
}

/* ---- who stays ---------------------------------------------------------------------------------
 *
 * A connection may be open for months. Whoever asks who was seen lately must hear of it, so every
 * open one is noted again from time to time, some of them in each turn.
 */

enum { SLICE = 256, SLICE_MS = 20, AGAIN_S = 600, SETTLED_S = 2 };

static void note_open(struct conn *conn)
{
    struct side *side = conn_secure(conn);
    if (conn->stage != STAGE_RELAY || side == NULL || side->session == NULL ||
        conn->verdict == NULL || conn->service->facts->trust == NULL) {
        return;
    }
    struct sighting seen;
    see(conn, &seen);
    seen.count = 0;
    put_caller(conn, side, &seen);
    put_lack(conn->verdict, &seen);
    note_certificate(conn, &seen);
}

static void on_slice(void *owner)
{
    struct worker *worker = owner;
    size_t size = slab_size(worker);
    size_t end = size - worker->witnessed > SLICE ? worker->witnessed + SLICE : size;
    for (; worker->witnessed < end; worker->witnessed++) {
        note_open(slab_at(worker, worker->witnessed));
    }
    bool all = worker->witnessed == size;
    worker->witnessed = all ? 0 : worker->witnessed;
    reactor_arm_in(worker->reactor, &worker->stay,
                   all ? AGAIN_S * MU_NS_PER_S : SLICE_MS * MU_NS_PER_MS, on_slice, worker);
}

void witness_stay(struct worker *worker)
{
    worker->witnessed = 0;
    reactor_arm_in(worker->reactor, &worker->stay, SETTLED_S * MU_NS_PER_S, on_slice, worker);
}

/* ---- told to the parent ------------------------------------------------------------------------
 */

void witness_tell(struct worker *worker)
{
    for (;;) {
        struct mutual_error err = {0};
        MU_AUTO(buf) struct mu_buf payload;
        mu_buf_init(&payload, MU_LIMIT_MESSAGE_BYTES);
        if (!sightings_take(worker->sightings, &payload)) {
            return;
        }
        if (!ipc_send(worker->child->parent, IPC_MSG_SIGHTINGS, mu_buf_slice(&payload), NULL, 0,
                      &err)) {
            const struct sighting lost = {.certificate = true};
            record_event(worker, "sightings_lost", NULL, &err);
            sightings_note(worker->sightings, &lost); /* goes with what can be told next */
            return;
        }
    }
}
