/* SPDX-License-Identifier: Apache-2.0
 *
 * The parent's list of keys: open descriptors and rules, handed to every key process that lives.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keys/keys_internal.h"

#define KEYS_MAX       10000u
#define PASSPHRASE_MAX 1024u

enum entry_state { ENTRY_UNSENT, ENTRY_SENT, ENTRY_LOADED, ENTRY_FAILED };

struct entry {
    char name[KEYS_NAME_MAX];
    uint8_t id[KEYS_ID_SIZE];
    int key_fd, passphrase_fd;
    struct stat opened;                    /* the key's file as it was when it was put here */
    struct keys_rules rules, rules_before; /* of this generation and of the one before */
    uint8_t *issuer;                       /* what rules.ca.issuer points to */
    uint32_t number;                       /* of the KEY_LOAD whose answer counts */
    bool now, before;                      /* which generations have it */
    enum entry_state state;
    struct mutual_error why;
};

struct keys_loader {
    struct entry **entries;
    size_t count, cap;
    uint32_t next_number;
};

bool keys_loader_new(struct keys_loader **ret_loader, struct mutual_error *err)
{
    struct keys_loader *loader = mu_alloc(1, sizeof *loader);
    if (loader == NULL) {
        return mu_fail_memory(err);
    }
    *ret_loader = loader;
    return true;
}

static void fd_close(int fd)
{
    if (fd != -1) {
        (void)close(fd);
    }
}

static void fd_auto(int *fd)
{
    fd_close(*fd);
}

static void entry_free(struct entry *entry)
{
    fd_close(entry->key_fd);
    fd_close(entry->passphrase_fd);
    mu_free(entry->issuer);
    mu_free(entry);
}

void keys_loader_free(struct keys_loader *loader)
{
    if (loader != NULL) {
        for (size_t i = 0; i < loader->count; i++) {
            entry_free(loader->entries[i]);
        }
        mu_free(loader->entries);
        mu_free(loader);
    }
}

void keys_loader_begin(struct keys_loader *loader)
{
    for (size_t i = 0; i < loader->count; i++) {
        struct entry *entry = loader->entries[i];
        entry->before = true;
        entry->now = false;
        entry->rules_before = entry->rules;
    }
}

/* A pipe can be read once, a key process more often be replaced: the passphrase is kept in a memory
 * file of our own. */
bool keys_passphrase_keep(int from, const char *name, int *ret_fd, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf text = {0};
    if (!mu_fd_read(from, name, PASSPHRASE_MAX, &text, err)) {
        return mu_error_context(err, "the passphrase of \"%s\"", name);
    }
    int fd = memfd_create("passphrase", MFD_CLOEXEC);
    bool kept = fd != -1 && mu_fd_write(fd, text.data, text.len);
    int sys = errno;
    if (text.data != NULL) {
        mu_wipe(text.data, text.cap);
    }
    if (!kept) {
        fd_close(fd);
        return mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, sys, "could not keep a passphrase");
    }
    *ret_fd = fd;
    return true;
}

/* Is it that file, left alone since it was opened? Our own descriptor cannot tell: what is written
 * into a file shows through it, too. */
static bool is_same_file(const struct stat *one, const struct stat *other)
{
    return one->st_dev == other->st_dev && one->st_ino == other->st_ino &&
           one->st_size == other->st_size && one->st_ctim.tv_sec == other->st_ctim.tv_sec &&
           one->st_ctim.tv_nsec == other->st_ctim.tv_nsec;
}

static bool is_id(const struct entry *entry, const uint8_t id[KEYS_ID_SIZE])
{
    return memcmp(entry->id, id, KEYS_ID_SIZE) == 0;
}

/* The entry of that key from that file. Another file for the same key is an entry of its own: it
 * may hold something else, and until that is known the old one must stay. */
static struct entry *find(const struct keys_loader *loader, const uint8_t id[KEYS_ID_SIZE],
                          const struct stat *file)
{
    for (size_t i = 0; i < loader->count; i++) {
        if (is_id(loader->entries[i], id) && is_same_file(&loader->entries[i]->opened, file)) {
            return loader->entries[i];
        }
    }
    return NULL;
}

/* What some entry that is in use permits the key. */
static uint32_t purposes_of(const struct keys_loader *loader, const uint8_t id[KEYS_ID_SIZE])
{
    uint32_t purposes = 0;
    for (size_t i = 0; i < loader->count; i++) {
        const struct entry *entry = loader->entries[i];
        if (is_id(entry, id) && (entry->now || entry->before)) {
            purposes |= entry->now ? entry->rules.purposes : 0;
            purposes |= entry->before ? entry->rules_before.purposes : 0;
        }
    }
    return purposes;
}

static bool add(struct keys_loader *loader, const uint8_t id[KEYS_ID_SIZE],
                const struct keys_rules *rules, struct entry **ret_entry, struct mutual_error *err)
{
    if (loader->count >= KEYS_MAX) {
        return mu_fail(err, MUTUAL_E_LIMIT, "there are %u keys already", KEYS_MAX);
    }
    struct entry *entry = mu_alloc(1, sizeof *entry);
    uint8_t *issuer = mu_alloc(1, rules->ca.issuer.len + 1);
    if (entry == NULL || issuer == NULL ||
        !mu_grow((void **)&loader->entries, &loader->cap, loader->count, sizeof *loader->entries,
                 KEYS_MAX)) {
        mu_free(entry);
        mu_free(issuer);
        return mu_fail_memory(err);
    }
    if (rules->ca.issuer.len > 0) {
        memcpy(issuer, rules->ca.issuer.data, rules->ca.issuer.len);
    }
    memcpy(entry->id, id, KEYS_ID_SIZE);
    entry->issuer = issuer;
    entry->key_fd = -1;
    entry->passphrase_fd = -1;
    entry->rules = *rules;
    entry->rules.ca.issuer = mu_slice_of(issuer, rules->ca.issuer.len);
    loader->entries[loader->count++] = entry;
    *ret_entry = entry;
    return true;
}

/* The bytes of rules hold no pointer but the issuer's name, and that is as long as the key is. */
static bool is_same_authority(const struct entry *entry, const struct keys_ca_rules *ca)
{
    struct keys_ca_rules other = *ca;
    other.issuer = entry->rules.ca.issuer;
    return mu_slice_equal(ca->issuer, entry->rules.ca.issuer) &&
           memcmp(&other, &entry->rules.ca, sizeof other) == 0;
}

/* A key that is there already keeps its file; only what it is for may change. */
static void put_again(struct entry *entry, const struct keys_rules *rules)
{
    if (!entry->now && !is_same_authority(entry, &rules->ca) &&
        mu_slice_equal(rules->ca.issuer, entry->rules.ca.issuer)) {
        const struct mu_slice issuer = entry->rules.ca.issuer;
        entry->rules.ca = rules->ca;
        entry->rules.ca.issuer = issuer;
        entry->state = ENTRY_UNSENT;
    }
    uint32_t purposes = rules->purposes | (entry->now ? entry->rules.purposes : 0);
    if (purposes != entry->rules.purposes) {
        entry->rules.purposes = purposes;
        entry->state = ENTRY_UNSENT;
    }
    entry->now = true;
}

bool keys_loader_put(struct keys_loader *loader, const char *name, int take_key_fd,
                     int take_passphrase_fd, struct mu_slice spki, const struct keys_rules *rules,
                     struct mutual_error *err)
{
    __attribute__((cleanup(fd_auto))) int key_fd = take_key_fd;
    __attribute__((cleanup(fd_auto))) int passphrase_fd = take_passphrase_fd;
    uint8_t id[KEYS_ID_SIZE];
    struct stat file;
    if (!mu_sha256(spki, id, err)) {
        return false;
    }
    if (fstat(key_fd, &file) == -1) {
        return mu_fail_errno(err, MUTUAL_E_FILE_UNREADABLE, errno, "could not look at \"%s\"",
                             name);
    }
    struct entry *entry = find(loader, id, &file);
    if (entry != NULL && entry->state != ENTRY_FAILED) {
        put_again(entry, rules);
        return true;
    }
    int kept = -1;
    if (passphrase_fd != -1 && !keys_passphrase_keep(passphrase_fd, name, &kept, err)) {
        return false;
    }
    if (entry == NULL && !add(loader, id, rules, &entry, err)) {
        fd_close(kept);
        return false;
    }
    fd_close(entry->key_fd);
    fd_close(entry->passphrase_fd);
    entry->key_fd = key_fd;
    entry->opened = file;
    entry->passphrase_fd = kept;
    entry->state = ENTRY_UNSENT;
    entry->rules.purposes = rules->purposes;
    entry->now = true;
    key_fd = -1;
    (void)snprintf(entry->name, sizeof entry->name, "%s", name);
    return true;
}

/* ---- the key process ---------------------------------------------------------------------------
 */

static bool send_one(struct keys_loader *loader, struct entry *entry, struct supervisor *supervisor,
                     const struct supervised *keys, struct mutual_error *err)
{
    struct keys_load load = {
        .number = ++loader->next_number, .expected = true, .rules = entry->rules};
    /* until the commit, what the generation before needs stays permitted */
    load.rules.purposes |= purposes_of(loader, entry->id);
    memcpy(load.id, entry->id, KEYS_ID_SIZE);
    memcpy(load.name, entry->name, sizeof load.name);
    MU_AUTO(buf) struct mu_buf payload;
    mu_buf_init(&payload, 65536);
    keys_load_write(&payload, &load);
    if (payload.failed) {
        return mu_fail_memory(err);
    }
    const int fds[] = {entry->key_fd, entry->passphrase_fd};
    if (!supervisor_send(supervisor, keys, IPC_MSG_KEY_LOAD, mu_buf_slice(&payload), fds,
                         entry->passphrase_fd == -1 ? 1 : 2, err)) {
        return false;
    }
    entry->number = load.number;
    entry->state = ENTRY_SENT;
    return true;
}

bool keys_loader_send(struct keys_loader *loader, struct supervisor *supervisor,
                      struct mutual_error *err)
{
    const struct supervised *keys = supervisor_find(supervisor, IPC_KEYS, 0);
    if (keys == NULL || !keys->ready) {
        return true; /* hooks->ready calls again */
    }
    for (size_t i = 0; i < loader->count; i++) {
        if (loader->entries[i]->state == ENTRY_UNSENT &&
            !send_one(loader, loader->entries[i], supervisor, keys, err)) {
            return mu_error_context(err, "key \"%s\"", loader->entries[i]->name);
        }
    }
    return true;
}

void keys_loader_lost(struct keys_loader *loader)
{
    for (size_t i = 0; i < loader->count; i++) {
        if (loader->entries[i]->state != ENTRY_FAILED) {
            loader->entries[i]->state = ENTRY_UNSENT;
        }
    }
}

bool keys_loader_read(struct keys_loader *loader, const struct ipc_message *message,
                      struct mutual_error *err)
{
    struct keys_loaded loaded;
    if (!keys_loaded_read(message->payload, &loaded, err)) {
        return false;
    }
    for (size_t i = 0; i < loader->count; i++) {
        struct entry *entry = loader->entries[i];
        if (entry->state == ENTRY_SENT && entry->number == loaded.number) {
            entry->why = loaded.why;
            entry->state = loaded.why.code == MUTUAL_OK ? ENTRY_LOADED : ENTRY_FAILED;
        }
    }
    return true;
}

enum keys_loading keys_loader_state(const struct keys_loader *loader, struct mutual_error *ret_why)
{
    enum keys_loading state = KEYS_LOADED;
    for (size_t i = 0; i < loader->count; i++) {
        const struct entry *entry = loader->entries[i];
        if (!entry->now) {
            continue;
        }
        if (entry->state == ENTRY_FAILED) {
            if (ret_why != NULL) {
                *ret_why = entry->why;
            }
            return KEYS_FAILED;
        }
        if (entry->state != ENTRY_LOADED) {
            state = KEYS_LOADING;
        }
    }
    return state;
}

/* Forgets what neither generation has, here and in the key process. */
static void drop_unused(struct keys_loader *loader, struct supervisor *supervisor)
{
    const struct supervised *keys = supervisor_find(supervisor, IPC_KEYS, 0);
    for (size_t i = loader->count; i-- > 0;) {
        struct entry *entry = loader->entries[i];
        if (entry->now || entry->before) {
            continue;
        }
        struct mutual_error err = {0}; /* when it cannot be told, it is dead and forgot by itself */
        if (keys != NULL && keys->ready && purposes_of(loader, entry->id) == 0) {
            (void)!supervisor_send(supervisor, keys, IPC_MSG_KEY_FORGET,
                                   mu_slice_of(entry->id, KEYS_ID_SIZE), NULL, 0, &err);
        }
        loader->entries[i] = loader->entries[--loader->count];
        entry_free(entry);
    }
}

void keys_loader_commit(struct keys_loader *loader, struct supervisor *supervisor)
{
    struct mutual_error err = {0};
    for (size_t i = 0; i < loader->count; i++) {
        struct entry *entry = loader->entries[i];
        bool narrower = entry->before && entry->now &&
                        (entry->rules_before.purposes & ~entry->rules.purposes) != 0;
        entry->before = false;
        if (narrower && entry->state == ENTRY_LOADED) {
            entry->state = ENTRY_UNSENT;
        }
    }
    drop_unused(loader, supervisor);
    (void)!keys_loader_send(loader, supervisor,
                            &err); /* else it is sent when keys is ready again */
}

void keys_loader_abandon(struct keys_loader *loader, struct supervisor *supervisor)
{
    struct mutual_error err = {0};
    for (size_t i = 0; i < loader->count; i++) {
        struct entry *entry = loader->entries[i];
        entry->now = entry->before;
        entry->before = false;
        if (entry->now && (entry->rules.purposes != entry->rules_before.purposes ||
                           !is_same_authority(entry, &entry->rules_before.ca))) {
            entry->rules = entry->rules_before;
            entry->state = ENTRY_UNSENT;
        }
    }
    drop_unused(loader, supervisor);
    (void)!keys_loader_send(loader, supervisor, &err);
}
