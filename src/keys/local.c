/* SPDX-License-Identifier: Apache-2.0
 *
 * A key process for one key and one command: started, loaded, asked, ended. The command is its
 * parent, and signs over the parent's channel.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keys/keys_internal.h"

/* Starting, and what a passphrase's key derivation takes on a slow machine. */
#define LOAD_WAIT_MS 60000

struct keys_local {
    pid_t pid;
    struct keys_client *client;
    struct mu_key *key;
    bool (*journal)(void *owner, const struct keys_journal *entry);
    void *owner;
};

/* Lets it end by itself when its channel closes; it has nothing to lose if it does not. */
static void end_process(struct keys_local *local)
{
    if (local->pid == 0) {
        return;
    }
    for (int i = 0; i < 100; i++) {
        if (waitpid(local->pid, NULL, WNOHANG) != 0) {
            return;
        }
        (void)usleep(2000);
    }
    (void)kill(local->pid, SIGKILL);
    (void)waitpid(local->pid, NULL, 0);
}

void keys_local_free(struct keys_local *local)
{
    if (local == NULL) {
        return;
    }
    mu_key_unref(local->key);
    keys_client_free(local->client);
    end_process(local);
    mu_free(local);
}

void mu_keys_local_auto(struct keys_local **local)
{
    keys_local_free(*local);
}

struct mu_key *keys_local_get_key(const struct keys_local *local)
{
    return local->key;
}

struct mu_slice keys_local_get_spki(const struct keys_local *local)
{
    return mu_key_spki(local->key);
}

/* What comes between a request and its answer. */
static bool on_other(void *owner, const struct ipc_message *message)
{
    const struct keys_local *local = owner;
    struct mutual_error err = {0};
    struct keys_journal entry;
    if (message->type != IPC_MSG_KEY_JOURNAL) {
        return true;
    }
    return keys_journal_read(message, &entry, &err) &&
           (local->journal == NULL || local->journal(local->owner, &entry));
}

static bool await(struct ipc_channel *channel, enum ipc_type type, struct ipc_message *ret_message,
                  struct mutual_error *err)
{
    int64_t end = mu_clock_mono_ns() + LOAD_WAIT_MS * MU_NS_PER_MS;
    for (;;) {
        struct mutual_error why = {0};
        int64_t left_ms = (end - mu_clock_mono_ns()) / MU_NS_PER_MS;
        if (left_ms <= 0 || !ipc_wait(channel, (int)left_ms)) {
            return mu_fail(err, MUTUAL_E_KEY_UNAVAILABLE, "the key process does not answer");
        }
        enum ipc_result result = ipc_receive(channel, ret_message, &why);
        if (result == IPC_END || result == IPC_BROKEN) {
            return mu_fail(err, MUTUAL_E_PROCESS_DIED, "the key process ended while it began");
        }
        if (result == IPC_GOT && ret_message->type == type) {
            return true;
        }
        if (result == IPC_GOT) {
            ipc_message_done(ret_message);
        }
    }
}

/* A passphrase that came through a pipe cannot be read at an offset: its own copy can. */
static bool send_load(const struct keys_local_options *options, struct ipc_channel *channel,
                      struct mutual_error *err)
{
    struct keys_load load = {.number = 1, .rules = options->rules};
    (void)snprintf(load.name, sizeof load.name, "%s", options->name);
    if (options->spki.len > 0) {
        load.expected = true;
        if (!mu_sha256(options->spki, load.id, err)) {
            return false;
        }
    }
    MU_AUTO(buf) struct mu_buf payload;
    mu_buf_init(&payload, 65536);
    keys_load_write(&payload, &load);
    if (payload.failed) {
        return mu_fail_memory(err);
    }
    int fds[2] = {options->key_fd, -1};
    bool secret = options->passphrase_fd != -1;
    if (secret && !keys_passphrase_keep(options->passphrase_fd, options->name, &fds[1], err)) {
        return false;
    }
    bool done =
        ipc_send(channel, IPC_MSG_KEY_LOAD, mu_buf_slice(&payload), fds, secret ? 2 : 1, err);
    if (secret) {
        (void)close(fds[1]);
    }
    return done;
}

static bool load_key(struct keys_local *local, const struct keys_local_options *options,
                     struct ipc_channel *channel, struct mutual_error *err)
{
    struct ipc_message message = {0};
    struct keys_loaded loaded;
    struct sandbox_state held;
    if (!await(channel, IPC_MSG_READY, &message, err) ||
        !process_ready_read(&message, &held, err) || !send_load(options, channel, err) ||
        !await(channel, IPC_MSG_KEY_LOADED, &message, err) ||
        !keys_loaded_read(message.payload, &loaded, err)) {
        return false;
    }
    if (loaded.why.code != MUTUAL_OK) {
        if (err != NULL) {
            *err = loaded.why;
        }
        return false;
    }
    return keys_client_key(local->client, loaded.spki, &local->key, err);
}

static bool start(struct keys_local *local, const struct keys_local_options *options,
                  struct mutual_error *err)
{
    const struct process_spawn what = {.role = &keys_role,
                                       .program = "mutual",
                                       .user = options->user,
                                       .unsafe_no_sandbox = options->unsafe_no_sandbox};
    struct ipc_channel *channel = NULL;
    if (!keys_client_new(NULL, &local->client, err) ||
        !process_spawn(&what, &local->pid, &channel, err)) {
        return false;
    }
    keys_client_adopt(local->client, channel);
    keys_client_on_other(local->client, on_other, local);
    return load_key(local, options, channel, err);
}

bool keys_local_new(const struct keys_local_options *options, struct keys_local **ret_local,
                    struct mutual_error *err)
{
    MU_AUTO(keys_local) struct keys_local *local = mu_alloc(1, sizeof *local);
    if (local == NULL) {
        return mu_fail_memory(err);
    }
    local->journal = options->journal;
    local->owner = options->owner;
    if (!start(local, options, err)) {
        return false;
    }
    *ret_local = MU_TAKE(local);
    return true;
}
