/* SPDX-License-Identifier: Apache-2.0
 *
 * The key process: a loop over the channel to the parent and one channel per worker. It reads
 * messages of the table and nothing else; whoever sends it nonsense loses its channel and is
 * reported, and everybody else is served on.
 */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/provider.h>

#include "keys/keys_internal.h"

#define PEERS_MAX 1024u
/* Requests of one worker before the others have their turn. */
#define REQUESTS_PER_TURN 16
/* A worker may be misled once or twice; who goes on after so many is not ours any more, and would
 * fill the log. */
#define REFUSALS_MAX 100u

struct server;

/* Somebody with a channel to us: a worker, or the parent. */
struct peer {
    struct server *server;
    enum ipc_party party;
    uint32_t index;
    struct ipc_channel *channel; /* the parent's is the child's own */
    uint32_t refusals;
    event_watch watch;
    struct event_deferred end;
};

struct server {
    struct child *child;
    struct reactor *reactor;
    struct keys_store store;
    struct peer parent;
    struct peer **peers;
    size_t count, cap;
    struct keys_figures figures;
    bool over;
};

/* Whoever asks for a signature has more to do: on a processor that both share, the question must
 * not interrupt him, it waits until he does, and others that he asks in between are answered with
 * it. A policy that somebody chose (sched(7)) stays. */
static void let_askers_go_on(void)
{
    const struct sched_param usual = {0};
    if (sched_getscheduler(0) == SCHED_OTHER) {
        (void)sched_setscheduler(0, SCHED_BATCH, &usual);
    }
}

/* Files can still be read here: the library has its providers and random numbers ready afterwards,
 * and no configuration file is looked for, now or later. */
static bool prepare(struct child *child, struct mutual_error *err)
{
    (void)child;
    mu_ossl_clear();
    let_askers_go_on();
    uint8_t warm[32];
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL) !=
            1 ||
        OSSL_PROVIDER_load(NULL, "default") == NULL) {
        return mu_fail_ossl(err, MUTUAL_E_LIBRARY, "could not set up the cryptographic library");
    }
    MU_AUTO(key) struct mu_key *key = NULL;
    return mu_sha256(MU_SLICE_LIT("warm"), warm, err) &&
           mu_key_generate(MU_SPEC_EC_P256, &key, err);
}

/* ---- peers ----------------------------------------------------------------------------------- */

static void peer_ready(void *owner, uint32_t events);

static void peer_watch_writing(struct peer *peer)
{
    struct mutual_error err = {0};
    uint32_t wanted = EVENT_READ | (ipc_wants_write(peer->channel) ? EVENT_WRITE : 0u);
    if (peer->watch != EVENT_NO_WATCH &&
        !reactor_rewatch(peer->server->reactor, peer->watch, wanted, &err)) {
        process_log(peer->server->child, err.reason);
    }
}

static void peer_free(void *owner)
{
    struct peer *peer = owner;
    struct server *server = peer->server;
    for (size_t i = 0; i < server->count; i++) {
        if (server->peers[i] == peer) {
            server->peers[i] = server->peers[--server->count];
            break;
        }
    }
    reactor_undefer(server->reactor, &peer->end);
    ipc_channel_free(peer->channel);
    mu_free(peer);
}

/* The parent's end is ours too. */
static void peer_end(struct peer *peer)
{
    struct server *server = peer->server;
    reactor_unwatch(server->reactor, &peer->watch);
    if (peer == &server->parent) {
        server->over = true;
    } else {
        reactor_defer(server->reactor, &peer->end, peer_free, peer);
    }
}

static void peer_broke(struct peer *peer, const struct mutual_error *why)
{
    ipc_channel_break(peer->channel);
    if (peer != &peer->server->parent) {
        process_report_broken(peer->server->child, peer->party, peer->index, why);
    }
    peer_end(peer);
}

/* A replacement has a new channel; the old one ends by itself. */
static bool add_peer(struct server *server, struct ipc_message *message, struct mutual_error *err)
{
    enum ipc_party party;
    uint32_t index;
    int fd;
    if (!process_link_read(message, &party, &index, &fd, err)) {
        return false;
    }
    struct peer *peer = mu_alloc(1, sizeof *peer);
    if (peer == NULL || !mu_grow((void **)&server->peers, &server->cap, server->count,
                                 sizeof *server->peers, PEERS_MAX)) {
        mu_free(peer);
        (void)close(fd);
        return mu_fail_memory(err);
    }
    *peer = (struct peer){.server = server, .party = party, .index = index};
    if (!ipc_channel_new(fd, IPC_KEYS, party, &peer->channel, err)) {
        mu_free(peer);
        return false;
    }
    server->peers[server->count++] = peer;
    if (!reactor_watch(server->reactor, fd, EVENT_READ, peer_ready, peer, &peer->watch, err)) {
        peer_free(peer);
        return false;
    }
    return true;
}

/* ---- requests -------------------------------------------------------------------------------- */

static bool answer(struct peer *peer, enum ipc_type type, struct mu_buf *payload,
                   struct mutual_error *err)
{
    if (payload->failed) {
        return mu_fail_memory(err);
    }
    bool done = ipc_send(peer->channel, type, mu_buf_slice(payload), NULL, 0, err);
    peer_watch_writing(peer);
    return done;
}

/* To the parent, before the signature exists: what is not in the log was not signed. */
static bool journal(struct peer *asker, const struct keys_request *request, const char *what,
                    const struct mutual_error *why)
{
    struct server *server = asker->server;
    struct keys_journal entry = {.refused = why->code != MUTUAL_OK,
                                 .asker = asker->party,
                                 .asker_index = asker->index,
                                 .code = why->code};
    memcpy(entry.id, request->id, KEYS_ID_SIZE);
    if (entry.refused) {
        (void)snprintf(entry.text, sizeof entry.text, "%.250s: %s", what, why->reason);
    } else {
        (void)snprintf(entry.text, sizeof entry.text, "%.511s", what);
    }
    MU_AUTO(buf) struct mu_buf payload;
    mu_buf_init(&payload, 2048);
    keys_journal_write(&payload, &entry);
    struct mutual_error err = {0};
    return answer(&server->parent, IPC_MSG_KEY_JOURNAL, &payload, &err);
}

/* A worker, who meets strangers, has no business with an authority's key whatever it asks. */
static bool may_ask(const struct peer *peer, const struct keys_held *held, struct mutual_error *err)
{
    const uint32_t tls = (uint32_t)KEYS_TLS_SERVER | (uint32_t)KEYS_TLS_CLIENT;
    if (peer->party == IPC_WORKER && (held->rules.purposes & ~tls) != 0) {
        return mu_fail(err, MUTUAL_E_KEY_REFUSED, "a worker asked for the authority's key \"%s\"",
                       held->name);
    }
    return true;
}

static enum keys_status judge_and_sign(struct peer *peer, const struct keys_request *request,
                                       struct mu_buf *signature)
{
    struct mutual_error err = {0};
    struct keys_figures *figures = &peer->server->figures;
    char what[512] = "a request";
    enum keys_purpose purpose;
    struct keys_held *held = keys_store_find(&peer->server->store, request->id);
    if (held == NULL) {
        return KEYS_UNAVAILABLE; /* not loaded yet, or forgotten by a reload */
    }
    if (!may_ask(peer, held, &err) ||
        !keys_permit(&held->rules, mu_key_info(held->key), &request->scheme, request->tbs, what,
                     &purpose, &err)) {
        (void)journal(peer, request, what, &err);
        return KEYS_REFUSED;
    }
    bool authority = purpose != KEYS_TLS_SERVER && purpose != KEYS_TLS_CLIENT;
    if (authority && !journal(peer, request, what, &err)) {
        return KEYS_UNAVAILABLE;
    }
    int64_t began_ns = mu_clock_mono_ns();
    if (!keys_sign(held, &request->scheme, request->tbs, signature, &err)) {
        process_log(peer->server->child, err.reason);
        return KEYS_UNABLE;
    }
    unsigned bit = (unsigned)__builtin_ctz((unsigned)purpose);
    figures->made[bit]++;
    figures->took_ns[bit] += (uint64_t)(mu_clock_mono_ns() - began_ns);
    return KEYS_SIGNED;
}

static bool on_sign(struct peer *peer, const struct ipc_message *message, struct mutual_error *err)
{
    struct keys_request request;
    if (!keys_request_read(message->payload, &request, err)) {
        return false;
    }
    MU_AUTO(buf) struct mu_buf signature;
    mu_buf_init(&signature, KEYS_SIG_MAX);
    struct keys_reply reply = {.number = request.number};
    reply.status = judge_and_sign(peer, &request, &signature);
    peer->server->figures.refused += reply.status == KEYS_REFUSED ? 1 : 0;
    peer->server->figures.unavailable += reply.status == KEYS_UNAVAILABLE ? 1 : 0;
    if (reply.status == KEYS_REFUSED && ++peer->refusals > REFUSALS_MAX) {
        return mu_fail(err, MUTUAL_E_KEY_REFUSED, "more than %u requests were refused",
                       REFUSALS_MAX);
    }
    reply.signature = reply.status == KEYS_SIGNED ? mu_buf_slice(&signature) : (struct mu_slice){0};
    MU_AUTO(buf) struct mu_buf payload;
    mu_buf_init(&payload, KEYS_SIG_MAX + 64);
    keys_reply_write(&payload, &reply);
    return answer(peer, IPC_MSG_KEY_SIGNED, &payload, err);
}

static bool on_load(struct peer *peer, struct ipc_message *message, struct mutual_error *err)
{
    struct keys_load load;
    if (!keys_load_read(message->payload, &load, err)) {
        return false;
    }
    int key_fd = ipc_message_take_fd(message, 0);
    int passphrase_fd = ipc_message_take_fd(message, 1);
    struct keys_loaded loaded = {.number = load.number};
    struct keys_held *held = NULL;
    if (keys_store_load(&peer->server->store, &load, key_fd, passphrase_fd, &held, &loaded.why)) {
        loaded.spki = mu_key_spki(held->key);
    }
    if (key_fd != -1) {
        (void)close(key_fd);
    }
    if (passphrase_fd != -1) {
        (void)close(passphrase_fd);
    }
    MU_AUTO(buf) struct mu_buf payload;
    mu_buf_init(&payload, 16384);
    keys_loaded_write(&payload, &loaded);
    return answer(peer, IPC_MSG_KEY_LOADED, &payload, err);
}

static bool on_status_wanted(struct peer *peer, const struct ipc_message *message,
                             struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(message->payload);
    uint32_t number = ipc_get_u32(&reader);
    if (!ipc_reader_end(&reader, "status", err)) {
        return false;
    }
    MU_AUTO(buf) struct mu_buf payload;
    mu_buf_init(&payload, 1024);
    ipc_put_u32(&payload, number);
    ipc_put_u8(&payload, 1);
    keys_figures_write(&payload, &peer->server->figures);
    return answer(peer, IPC_MSG_STATUS, &payload, err);
}

/* The table permits each of these from this peer only (ipc_receive has checked it). */
static bool dispatch(struct peer *peer, struct ipc_message *message, struct mutual_error *err)
{
    struct server *server = peer->server;
    if (message->type == IPC_MSG_KEY_SIGN || message->type == IPC_MSG_KEY_SIGN_LARGE) {
        return on_sign(peer, message, err);
    }
    if (message->type == IPC_MSG_KEY_LOAD) {
        return on_load(peer, message, err);
    }
    if (message->type == IPC_MSG_KEY_FORGET) {
        keys_store_forget(&server->store, message->payload.data);
        return true;
    }
    if (message->type == IPC_MSG_LINK) {
        return add_peer(server, message, err);
    }
    if (message->type == IPC_MSG_PING) {
        return ipc_send(peer->channel, IPC_MSG_PONG, message->payload, NULL, 0, err);
    }
    if (message->type == IPC_MSG_STATUS_WANTED) {
        return on_status_wanted(peer, message, err);
    }
    if (message->type == IPC_MSG_DRAIN) {
        server->over = true; /* signatures are made at once: nothing is open */
    }
    return true;
}

static void peer_ready(void *owner, uint32_t events)
{
    struct peer *peer = owner;
    struct mutual_error err = {0};
    if ((events & EVENT_WRITE) != 0 && !ipc_flush(peer->channel, &err)) {
        peer_end(peer);
        return;
    }
    for (int i = 0; i < REQUESTS_PER_TURN; i++) {
        struct ipc_message message = {0};
        enum ipc_result result = ipc_receive(peer->channel, &message, &err);
        if (result == IPC_WAIT) {
            break;
        }
        if (result == IPC_END) {
            peer_end(peer);
            return;
        }
        bool good = result == IPC_GOT && dispatch(peer, &message, &err);
        ipc_message_done(&message);
        if (!good) {
            peer_broke(peer, &err);
            return;
        }
    }
    peer_watch_writing(peer);
}

static int serve(struct child *child)
{
    struct mutual_error err = {0};
    struct server server = {.child = child};
    server.parent = (struct peer){.server = &server, .party = IPC_PARENT, .channel = child->parent};
    bool good = keys_store_init(&server.store, &err) && reactor_new(&server.reactor, &err) &&
                reactor_watch(server.reactor, ipc_channel_fd(child->parent), EVENT_READ, peer_ready,
                              &server.parent, &server.parent.watch, &err);
    while (good && !server.over) {
        good = reactor_turn(server.reactor, -1, &err);
    }
    if (!good) {
        process_log(child, err.reason);
    }
    while (server.count > 0) {
        peer_free(server.peers[server.count - 1]);
    }
    mu_free(server.peers);
    reactor_free(server.reactor);
    keys_store_done(&server.store);
    return good ? 0 : mutual_code_exit(err.code);
}

const struct role keys_role = {
    .name = "keys",
    .party = IPC_KEYS,
    .sandbox = &sandbox_keys,
    .nofile = 2048,
    .prepare = prepare,
    .main = serve,
};
