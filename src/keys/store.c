/* SPDX-License-Identifier: Apache-2.0
 *
 * The private keys of the key process: read from descriptors, kept by the hash of their public
 * half.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "keys/keys_internal.h"

#define PASSPHRASE_MAX 1024u

bool keys_store_init(struct keys_store *store, struct mutual_error *err)
{
    store->keys = mu_map_new();
    return store->keys != NULL ? true : mu_fail_memory(err);
}

static void held_free(struct keys_held *held)
{
    if (held != NULL) {
        keys_held_forget(held);
        mu_key_unref(held->key);
        mu_free(held->issuer);
        mu_free(held);
    }
}

static bool free_each(void *context, struct mu_slice key, void *value)
{
    (void)context;
    (void)key;
    held_free(value);
    return true;
}

void keys_store_done(struct keys_store *store)
{
    if (store->keys != NULL) {
        mu_map_each(store->keys, free_each, NULL);
        mu_map_free(store->keys);
        store->keys = NULL;
    }
}

struct keys_held *keys_store_find(const struct keys_store *store, const uint8_t id[KEYS_ID_SIZE])
{
    return mu_map_get(store->keys, mu_slice_of(id, KEYS_ID_SIZE));
}

void keys_store_forget(struct keys_store *store, const uint8_t id[KEYS_ID_SIZE])
{
    held_free(mu_map_remove(store->keys, mu_slice_of(id, KEYS_ID_SIZE)));
}

/* From the beginning and without moving the offset, which is shared with the parent's descriptor
 * and with the key process that comes after this one. One allocation, so that wiping it wipes all
 * copies. */
static bool read_secret(int fd, const char *name, size_t max, struct mu_buf *buf,
                        struct mutual_error *err)
{
    mu_buf_init(buf, max + 1);
    uint8_t *room = mu_buf_reserve(buf, max + 1);
    if (room == NULL) {
        return mu_fail_memory(err);
    }
    for (;;) {
        ssize_t n = pread(fd, room + buf->len, max + 1 - buf->len, (off_t)buf->len);
        if (n == -1 && errno == EINTR) {
            continue;
        }
        if (n == -1) {
            return mu_fail_errno(err, MUTUAL_E_FILE_UNREADABLE, errno,
                                 "could not read the private key \"%s\"", name);
        }
        if (n == 0) {
            return true;
        }
        buf->len += (size_t)n;
        if (buf->len > max) {
            return mu_fail(err, MUTUAL_E_FILE_TOO_LARGE,
                           "the private key \"%s\" is larger than the limit of %zu bytes", name,
                           max);
        }
    }
}

static void wipe_auto(struct mu_buf *buf)
{
    if (buf->data != NULL) {
        mu_wipe(buf->data, buf->cap);
    }
    mu_buf_done(buf);
}
#define SECRET __attribute__((cleanup(wipe_auto))) struct mu_buf

/* The whole content less one final line end, as text. */
static const char *as_passphrase(struct mu_buf *buf)
{
    if (buf->len > 0 && buf->data[buf->len - 1] == '\n') {
        buf->len--;
    }
    return mu_buf_str(buf);
}

static bool read_key(const char *name, int key_fd, int passphrase_fd, struct mu_key **ret_key,
                     struct mutual_error *err)
{
    SECRET text = {0};
    SECRET words = {0};
    const char *passphrase = NULL;
    if (!read_secret(key_fd, name, MU_LIMIT_KEY_BYTES, &text, err)) {
        return false;
    }
    if (passphrase_fd != -1) {
        if (!read_secret(passphrase_fd, name, PASSPHRASE_MAX, &words, err)) {
            return false;
        }
        passphrase = as_passphrase(&words);
    }
    return mu_key_from_pem(mu_buf_slice(&text), name, passphrase, ret_key, err);
}

static bool keep(struct keys_store *store, const struct keys_load *load, struct mu_key *key,
                 struct mutual_error *err)
{
    struct keys_held *held = mu_alloc(1, sizeof *held);
    struct mu_slice issuer = load->rules.ca.issuer;
    uint8_t *copy = mu_alloc(1, issuer.len + 1);
    if (held == NULL || copy == NULL) {
        mu_free(held);
        mu_free(copy);
        return mu_fail_memory(err);
    }
    if (issuer.len > 0) {
        memcpy(copy, issuer.data, issuer.len);
    }
    held->key = mu_key_ref(key);
    held->rules = load->rules;
    held->rules.ca.issuer = mu_slice_of(copy, issuer.len);
    held->issuer = copy;
    (void)snprintf(held->name, sizeof held->name, "%s", load->name);
    const struct mu_slice id = mu_slice_of(mu_key_hash(key), KEYS_ID_SIZE);
    struct keys_held *old = mu_map_remove(store->keys, id);
    if (!mu_map_put(store->keys, id, held)) {
        held_free(held);
        held_free(old);
        return mu_fail_memory(err);
    }
    held_free(old);
    return true;
}

bool keys_store_load(struct keys_store *store, const struct keys_load *load, int key_fd,
                     int passphrase_fd, struct keys_held **ret_held, struct mutual_error *err)
{
    MU_AUTO(key) struct mu_key *key = NULL;
    if (!read_key(load->name, key_fd, passphrase_fd, &key, err)) {
        return false;
    }
    if (load->expected && memcmp(mu_key_hash(key), load->id, KEYS_ID_SIZE) != 0) {
        return mu_fail(err, MUTUAL_E_KEY_MISMATCH,
                       "the private key \"%s\" is not the one of its certificate", load->name);
    }
    if (!keep(store, load, key, err)) {
        return false;
    }
    *ret_held = keys_store_find(store, mu_key_hash(key));
    return true;
}
