/* SPDX-License-Identifier: Apache-2.0
 *
 * The client of the key process: requests by number over one channel, answered to whoever waits.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/async.h>
#include <openssl/evp.h>

#include "keys/keys_internal.h"

#define PENDING_MAX (1u << 20)

/* One request. Lives on the stack of whoever waits: an ASYNC job's own stack, or the blocked
 * caller's; so do the bytes to be signed and the room for the signature. */
struct keys_pending {
    const uint8_t *id;
    const struct keys_scheme *scheme;
    struct mu_slice tbs;
    uint8_t *signature;
    size_t cap, len;
    uint64_t number;
    struct keys_waiter *waiter; /* NULL: it blocks, or was given up */
    bool sent, retried, done;
    enum mutual_code failed; /* MUTUAL_OK when done and signed */
};

struct slot {
    struct keys_pending *pending; /* NULL: free */
    uint32_t generation;
    uint32_t next_free; /* index + 1 */
};

struct keys_client {
    struct reactor *reactor; /* NULL: everything blocks */
    struct keys_provider *provider;
    struct ipc_channel *channel; /* NULL: the key process is away */
    event_watch watch;
    struct slot *slots; /* pending requests; number = generation and index */
    size_t slot_count, slot_cap;
    uint32_t free_slot; /* index + 1 */
    struct keys_waiter *current;
    struct keys_client_figures figures;
    bool (*other)(void *owner, const struct ipc_message *message);
    void *other_owner;
};

bool keys_client_new(struct reactor *reactor, struct keys_client **ret_client,
                     struct mutual_error *err)
{
    struct keys_client *client = mu_alloc(1, sizeof *client);
    if (client == NULL) {
        return mu_fail_memory(err);
    }
    client->reactor = reactor;
    if (!keys_provider_new(&client->provider, err)) {
        mu_free(client);
        return false;
    }
    *ret_client = client;
    return true;
}

void keys_client_on_other(struct keys_client *client,
                          bool (*other)(void *owner, const struct ipc_message *message),
                          void *owner)
{
    client->other = other;
    client->other_owner = owner;
}

void keys_client_adopt(struct keys_client *client, struct ipc_channel *channel)
{
    mu_assert(client->channel == NULL && client->reactor == NULL);
    client->channel = channel;
}

bool keys_client_link(struct keys_client *client, struct ipc_message *message, enum ipc_party self,
                      struct mutual_error *err)
{
    enum ipc_party peer;
    uint32_t index = 0;
    int fd = -1;
    if (!process_link_read(message, &peer, &index, &fd, err)) {
        return false;
    }
    if (peer != IPC_KEYS) {
        (void)close(fd);
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "role \"%s\" talks to no %s",
                       ipc_party_name(self), ipc_party_name(peer));
    }
    return keys_client_attach(client, fd, self, err);
}

bool keys_client_is_attached(const struct keys_client *client)
{
    return client->channel != NULL;
}

void keys_client_figures(const struct keys_client *client, struct keys_client_figures *ret_figures)
{
    *ret_figures = client->figures;
}

bool keys_client_key(struct keys_client *client, struct mu_slice spki, struct mu_key **ret_key,
                     struct mutual_error *err)
{
    EVP_PKEY *pkey = NULL;
    if (!keys_provider_key(client->provider, client, spki, &pkey, err)) {
        return false;
    }
    bool done = mu_key_from_evp(pkey, spki, ret_key, err);
    EVP_PKEY_free(pkey);
    return done;
}

/* ---- the table of pending requests -------------------------------------------------------------
 */

static bool table_add(struct keys_client *client, struct keys_pending *pending)
{
    uint32_t index;
    if (client->free_slot != 0) {
        index = client->free_slot - 1;
        client->free_slot = client->slots[index].next_free;
    } else {
        if (!mu_grow((void **)&client->slots, &client->slot_cap, client->slot_count,
                     sizeof *client->slots, PENDING_MAX)) {
            return false;
        }
        index = (uint32_t)client->slot_count++;
        client->slots[index] = (struct slot){.generation = 1};
    }
    struct slot *slot = &client->slots[index];
    slot->pending = pending;
    pending->number = (uint64_t)slot->generation << 32 | index;
    client->figures.pending++;
    return true;
}

static struct slot *table_find(struct keys_client *client, uint64_t number)
{
    uint32_t index = (uint32_t)number;
    if (index >= client->slot_count) {
        return NULL;
    }
    struct slot *slot = &client->slots[index];
    return slot->pending != NULL && slot->generation == number >> 32 ? slot : NULL;
}

static void table_remove(struct keys_client *client, uint64_t number)
{
    struct slot *slot = table_find(client, number);
    if (slot != NULL) {
        slot->pending = NULL;
        slot->generation++;
        slot->next_free = client->free_slot;
        client->free_slot = (uint32_t)(slot - client->slots) + 1;
        client->figures.pending--;
    }
}

/* ---- completing --------------------------------------------------------------------------------
 */

static void wake(void *owner)
{
    struct keys_waiter *waiter = owner;
    waiter->wake(waiter->owner);
}

/* Waking is left to the end of the turn: a handshake is never driven from within another. */
static void complete(struct keys_client *client, struct keys_pending *pending,
                     enum mutual_code failed)
{
    pending->done = true;
    pending->failed = failed;
    table_remove(client, pending->number);
    if (pending->waiter != NULL && client->reactor != NULL) {
        reactor_defer(client->reactor, &pending->waiter->work, wake, pending->waiter);
    }
}

static void on_signed(struct keys_client *client, const struct keys_reply *reply)
{
    const struct slot *slot = table_find(client, reply->number);
    if (slot == NULL) {
        return; /* given up meanwhile */
    }
    struct keys_pending *pending = slot->pending;
    enum mutual_code failed = MUTUAL_OK;
    if (reply->status == KEYS_REFUSED) {
        client->figures.refused++;
        failed = MUTUAL_E_KEY_REFUSED;
    } else if (reply->status == KEYS_UNABLE) {
        client->figures.refused++;
        failed = MUTUAL_E_KEY_UNSUPPORTED;
    } else if (reply->status != KEYS_SIGNED || reply->signature.len > pending->cap) {
        client->figures.lost++;
        failed = MUTUAL_E_KEY_UNAVAILABLE;
    } else {
        client->figures.made++;
        memcpy(pending->signature, reply->signature.data, reply->signature.len);
        pending->len = reply->signature.len;
    }
    complete(client, pending, failed);
}

/* What was asked waits for the replacement and is asked once more; who has been through that
 * already, or blocks, fails. */
static void lose_channel(struct keys_client *client)
{
    if (client->channel == NULL) {
        return;
    }
    if (client->reactor != NULL) {
        reactor_unwatch(client->reactor, &client->watch);
    }
    ipc_channel_free(MU_TAKE(client->channel));
    for (size_t i = 0; i < client->slot_count; i++) {
        struct keys_pending *pending = client->slots[i].pending;
        if (pending != NULL && pending->sent) {
            pending->sent = false;
            if (pending->retried || pending->waiter == NULL) {
                client->figures.lost++;
                complete(client, pending, MUTUAL_E_KEY_UNAVAILABLE);
            }
            pending->retried = true;
        }
    }
}

/* Reads all that is there. False: the channel is lost. */
static bool receive_all(struct keys_client *client)
{
    for (;;) {
        struct ipc_message message = {0};
        struct mutual_error err = {0};
        struct keys_reply reply;
        enum ipc_result result = ipc_receive(client->channel, &message, &err);
        if (result == IPC_WAIT) {
            return true;
        }
        bool good = result == IPC_GOT;
        if (good && message.type == IPC_MSG_KEY_SIGNED) {
            good = keys_reply_read(message.payload, &reply, &err);
            if (good) {
                on_signed(client, &reply);
            }
        } else if (good) {
            good = client->other != NULL && client->other(client->other_owner, &message);
        }
        ipc_message_done(&message);
        if (!good) {
            lose_channel(client);
            return false;
        }
    }
}

static void watch_writing(struct keys_client *client)
{
    struct mutual_error err = {0};
    if (client->reactor == NULL || client->channel == NULL) {
        return;
    }
    uint32_t wanted = EVENT_READ | (ipc_wants_write(client->channel) ? EVENT_WRITE : 0u);
    if (!reactor_rewatch(client->reactor, client->watch, wanted, &err)) {
        lose_channel(client);
    }
}

static void channel_ready(void *owner, uint32_t events)
{
    struct keys_client *client = owner;
    struct mutual_error err = {0};
    if ((events & EVENT_WRITE) != 0 && !ipc_flush(client->channel, &err)) {
        lose_channel(client);
        return;
    }
    if (receive_all(client)) {
        watch_writing(client);
    }
}

/* ---- asking ------------------------------------------------------------------------------------
 */

/* False: the channel is lost, or its queue is full. */
static bool send_request(struct keys_client *client, struct keys_pending *pending)
{
    struct keys_request request = {
        .number = pending->number, .scheme = *pending->scheme, .tbs = pending->tbs};
    memcpy(request.id, pending->id, KEYS_ID_SIZE);
    MU_AUTO(buf) struct mu_buf payload;
    mu_buf_init(&payload, pending->tbs.len + KEYS_SIGN_HEAD);
    keys_request_write(&payload, &request);
    struct mutual_error err = {0};
    bool large = payload.len > MU_LIMIT_MESSAGE_BYTES;
    if (payload.failed ||
        !ipc_send(client->channel, large ? IPC_MSG_KEY_SIGN_LARGE : IPC_MSG_KEY_SIGN,
                  mu_buf_slice(&payload), NULL, 0, &err)) {
        if (err.code == MUTUAL_E_PROCESS_DIED) {
            lose_channel(client);
        }
        return false;
    }
    pending->sent = true;
    watch_writing(client);
    return true;
}

bool keys_client_attach(struct keys_client *client, int take_fd, enum ipc_party self,
                        struct mutual_error *err)
{
    lose_channel(client);
    if (!ipc_channel_new(take_fd, self, IPC_KEYS, &client->channel, err)) {
        return false;
    }
    if (client->reactor != NULL && !reactor_watch(client->reactor, take_fd, EVENT_READ,
                                                  channel_ready, client, &client->watch, err)) {
        ipc_channel_free(MU_TAKE(client->channel));
        return false;
    }
    for (size_t i = 0; i < client->slot_count && client->channel != NULL; i++) {
        struct keys_pending *pending = client->slots[i].pending;
        if (pending != NULL && !pending->sent) {
            client->figures.retried++;
            if (!send_request(client, pending) && !pending->done) {
                client->figures.lost++;
                complete(client, pending, MUTUAL_E_KEY_UNAVAILABLE);
            }
        }
    }
    return true;
}

static void wait_blocked(struct keys_client *client, const struct keys_pending *pending)
{
    int64_t end = mu_clock_mono_ns() + KEYS_BLOCK_MS * MU_NS_PER_MS;
    while (!pending->done && client->channel != NULL) {
        int64_t left_ms = (end - mu_clock_mono_ns()) / MU_NS_PER_MS;
        if (left_ms <= 0) {
            return;
        }
        struct mutual_error err = {0};
        (void)ipc_wait(client->channel, (int)left_ms);
        if (!ipc_flush(client->channel, &err)) {
            lose_channel(client);
        } else {
            (void)receive_all(client);
        }
    }
}

/* The job sleeps on its own stack; a drive for another reason finds nothing and pauses again. */
static void wait_paused(const struct keys_pending *pending)
{
    while (!pending->done) {
        if (ASYNC_pause_job() != 1) {
            return;
        }
    }
}

static bool wait_for(struct keys_client *client, struct keys_pending *pending, bool paused)
{
    bool parked = client->channel == NULL && paused; /* until the replacement is attached */
    if (!parked && (client->channel == NULL || !send_request(client, pending))) {
        parked = paused && client->channel == NULL; /* it went away while we asked */
        pending->retried = parked;
        if (!parked) {
            return false;
        }
    }
    if (paused) {
        wait_paused(pending);
    } else {
        wait_blocked(client, pending);
    }
    return pending->done;
}

bool keys_client_sign(struct keys_client *client, const uint8_t id[KEYS_ID_SIZE],
                      const struct keys_scheme *scheme, struct mu_slice tbs, uint8_t *signature,
                      size_t cap, size_t *ret_len, struct mutual_error *err)
{
    struct keys_waiter *waiter = client->reactor != NULL ? client->current : NULL;
    bool paused = waiter != NULL && ASYNC_get_current_job() != NULL;
    struct keys_pending pending = {.id = id,
                                   .scheme = scheme,
                                   .tbs = tbs,
                                   .signature = signature,
                                   .cap = cap,
                                   .waiter = paused ? waiter : NULL,
                                   .failed = MUTUAL_E_KEY_UNAVAILABLE};
    if (!table_add(client, &pending)) {
        return mu_fail_memory(err);
    }
    client->figures.asked++;
    if (paused) {
        waiter->failed = MUTUAL_OK;
        waiter->pending = &pending;
    }
    bool answered = wait_for(client, &pending, paused);
    table_remove(client, pending.number);
    enum mutual_code failed = answered ? pending.failed : MUTUAL_E_KEY_UNAVAILABLE;
    if (paused && pending.waiter != NULL) {
        waiter->pending = NULL;
        waiter->failed = failed;
        reactor_undefer(client->reactor, &waiter->work);
    }
    if (failed == MUTUAL_E_KEY_REFUSED) {
        return mu_fail(err, failed, "the key process refused to sign %zu bytes", tbs.len);
    }
    if (failed == MUTUAL_E_KEY_UNSUPPORTED) {
        return mu_fail(err, failed, "the key cannot make the signature that was asked for");
    }
    if (failed != MUTUAL_OK) {
        return mu_fail(err, MUTUAL_E_KEY_UNAVAILABLE, "the key process did not answer");
    }
    *ret_len = pending.len;
    return true;
}

/* ---- waiters -----------------------------------------------------------------------------------
 */

void keys_client_enter(struct keys_client *client, struct keys_waiter *waiter)
{
    mu_assert(client->current == NULL);
    client->current = waiter;
}

void keys_client_leave(struct keys_client *client)
{
    client->current = NULL;
}

bool keys_waiter_is_pending(const struct keys_waiter *waiter)
{
    return waiter->pending != NULL;
}

void keys_waiter_cancel(struct keys_client *client, struct keys_waiter *waiter)
{
    struct keys_pending *pending = waiter->pending;
    if (pending == NULL) {
        return;
    }
    if (!pending->done) {
        client->figures.lost++;
        complete(client, pending, MUTUAL_E_KEY_UNAVAILABLE);
    }
    reactor_undefer(client->reactor, &waiter->work);
}

void keys_client_free(struct keys_client *client)
{
    if (client == NULL) {
        return;
    }
    lose_channel(client);
    keys_provider_free(client->provider);
    mu_free(client->slots);
    mu_free(client);
}
