/* SPDX-License-Identifier: Apache-2.0
 *
 * Watching files, by inotify(7).
 */
#include "gateway/watch_internal.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "x509/x509.h"

#define SETTLE_NS  (250 * MU_NS_PER_MS) /* of quiet, then a file is taken for whole   */
#define PATIENT_NS (2 * MU_NS_PER_S)    /* who writes on and on is not waited for     */
#define POLL_NS    (30 * MU_NS_PER_S)

enum { FILES_MAX = 65536, LINKS_MAX = 16 };

/* On the way to a file only names count; in its directory what is written counts, too. */
#define WAY_EVENTS                                                                         \
    (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | \
     IN_ONLYDIR | IN_MASK_ADD)
#define EVENTS (WAY_EVENTS | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB)

struct watch {
    struct reactor *reactor;
    watch_changed_fn *changed;
    void *owner;
    int fd; /* inotify's, or -1 */
    event_watch events;
    struct mu_map *names; /* what matters: the watch's number and a name; "" is any name */
    struct mu_map *known; /* the files as they were found: a path each                   */
    char **files;
    size_t count, cap;
    bool failed; /* the list of files is not whole */
    uint8_t stamp[32];
    struct event_timer settle;
    struct event_timer poll;
    int64_t first_ns; /* when what is settling began; 0: nothing is */
};

/* ---- whether anything is another ----------------------------------------------------------------
 */

static void stamp_add(uint8_t stamp[32], const struct stat *info)
{
    uint8_t all[32 + 6 * 8];
    memcpy(all, stamp, 32);
    mu_put_be64(all + 32, (uint64_t)info->st_dev);
    mu_put_be64(all + 40, (uint64_t)info->st_ino);
    mu_put_be64(all + 48, (uint64_t)info->st_size);
    mu_put_be64(all + 56, (uint64_t)info->st_mode << 32 | info->st_uid);
    mu_put_be64(all + 64, (uint64_t)info->st_mtim.tv_sec);
    mu_put_be64(all + 72, (uint64_t)info->st_mtim.tv_nsec);
    if (!mu_sha256(mu_slice_of(all, sizeof all), stamp, NULL)) {
        stamp[0]++; /* other than before, so that somebody looks */
    }
}

static void stamp_file(uint8_t stamp[32], const char *path)
{
    struct stat info = {0};
    if (stat(path, &info) == -1) {
        memset(&info, 0, sizeof info);
    }
    if (!S_ISDIR(info.st_mode)) { /* what is in it is named itself */
        stamp_add(stamp, &info);
    }
}

static void stamp_all(const struct watch *watch, uint8_t stamp[32])
{
    memset(stamp, 0, 32);
    for (size_t i = 0; i < watch->count; i++) {
        glob_t found = {0};
        if (strpbrk(watch->files[i], "*?[") == NULL ||
            glob(watch->files[i], GLOB_NOESCAPE, NULL, &found) != 0) {
            stamp_file(stamp, watch->files[i]);
        }
        for (size_t k = 0; k < found.gl_pathc; k++) {
            stamp_file(stamp, found.gl_pathv[k]);
        }
        globfree(&found);
    }
}

void watch_look(struct watch *watch)
{
    stamp_all(watch, watch->stamp);
}

struct secrets {
    const struct config_snapshot *snapshot;
    uint8_t *stamp;
};

static void stamp_secret(void *context, const char *path)
{
    const struct secrets *secrets = context;
    struct mu_slice bytes;
    if (!config_snapshot_find(secrets->snapshot, path, &bytes)) {
        stamp_file(secrets->stamp, path);
    }
}

void watch_secrets(const struct config *config, const struct config_snapshot *snapshot,
                   uint8_t ret_stamp[32])
{
    struct secrets secrets = {snapshot, ret_stamp};
    memset(ret_stamp, 0, 32);
    config_files(config, stamp_secret, &secrets);
}

/* ---- time ---------------------------------------------------------------------------------------
 */

static bool is_another(const struct watch *watch)
{
    uint8_t stamp[32];
    stamp_all(watch, stamp);
    return memcmp(stamp, watch->stamp, sizeof stamp) != 0;
}

static void on_settled(void *owner);

static void settle(struct watch *watch)
{
    int64_t now_ns = reactor_now_ns(watch->reactor);
    watch->first_ns = watch->first_ns == 0 ? now_ns : watch->first_ns;
    int64_t end_ns = watch->first_ns + PATIENT_NS;
    int64_t quiet_ns = now_ns + SETTLE_NS;
    reactor_arm(watch->reactor, &watch->settle, quiet_ns < end_ns ? quiet_ns : end_ns, on_settled,
                watch);
}

/* ---- what is watched ----------------------------------------------------------------------------
 */

static bool is_relevant(const struct watch *watch, const struct inotify_event *event)
{
    uint8_t key[4 + NAME_MAX + 1];
    size_t len = event->len > 0 ? strnlen(event->name, event->len) : 0;
    if ((event->mask & (IN_Q_OVERFLOW | IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) != 0) {
        return true;
    }
    mu_put_be32(key, (uint32_t)event->wd);
    memcpy(key + 4, event->name, len);
    return mu_map_get(watch->names, mu_slice_of(key, 4 + len)) != NULL ||
           mu_map_get(watch->names, mu_slice_of(key, 4)) != NULL;
}

static void on_events(void *owner, uint32_t events)
{
    struct watch *watch = owner;
    _Alignas(struct inotify_event) char room[4096];
    bool relevant = false;
    (void)events;
    /* once a turn: in a busy directory there is always more */
    ssize_t n = read(watch->fd, room, sizeof room);
    for (char *at = room; n > 0 && at < room + n;) {
        const struct inotify_event *event = (const void *)at;
        relevant = relevant || is_relevant(watch, event);
        at += sizeof *event + event->len;
    }
    if (relevant) {
        settle(watch);
    }
}

/* A name in a directory matters. */
static bool add_name(struct watch *watch, const char *directory, struct mu_slice name, bool last)
{
    uint8_t key[4 + NAME_MAX + 1];
    int wd = inotify_add_watch(watch->fd, directory, last ? EVENTS : WAY_EVENTS);
    if (wd == -1) {
        return errno != ENOMEM && errno != ENOSPC; /* what cannot be looked into is polled */
    }
    if (name.len > NAME_MAX) {
        return true;
    }
    mu_put_be32(key, (uint32_t)wd);
    memcpy(key + 4, name.data, name.len);
    return mu_map_put(watch->names, mu_slice_of(key, 4 + name.len), watch);
}

/* The next name of *path, which is moved behind it; empty at the end. */
static struct mu_slice next_name(const char **path)
{
    const char *at = *path + strspn(*path, "/");
    size_t len = strcspn(at, "/");
    *path = at + len;
    return mu_slice_of(at, len);
}

/* Every directory on the way to the path, link by link. */
static bool add_way(struct watch *watch, const char *path, unsigned links)
{
    MU_AUTO(buf) struct mu_buf here;
    mu_buf_init(&here, 4L * PATH_MAX);
    (void)mu_buf_text(&here, path[0] == '/' ? "/" : ".");
    bool ok = true;
    for (struct mu_slice name = next_name(&path); ok && name.len > 0; name = next_name(&path)) {
        bool wild = memchr(name.data, '*', name.len) != NULL ||
                    memchr(name.data, '?', name.len) != NULL ||
                    memchr(name.data, '[', name.len) != NULL;
        char target[PATH_MAX];
        bool last = path[strspn(path, "/")] == '\0';
        ok = add_name(watch, mu_buf_str(&here), wild ? mu_slice_of("", 0) : name, last);
        size_t directory_len = here.len;
        (void)mu_buf_byte(&here, '/');
        (void)mu_buf_append(&here, name.data, name.len);
        ssize_t n = wild || here.failed ? -1 : readlink(mu_buf_str(&here), target, sizeof target);
        if (n > 0 && n < (ssize_t)sizeof target && links < LINKS_MAX) {
            MU_AUTO(buf) struct mu_buf there;
            mu_buf_init(&there, 8L * PATH_MAX);
            if (target[0] != '/') {
                (void)mu_buf_append(&there, here.data, directory_len);
                (void)mu_buf_byte(&there, '/');
            }
            (void)mu_buf_append(&there, target, (size_t)n);
            (void)mu_buf_text(&there, path);
            return ok && !there.failed && add_way(watch, mu_buf_str(&there), links + 1);
        }
        if (wild || here.failed) {
            break;
        }
    }
    return ok && !here.failed;
}

static void close_ways(struct watch *watch)
{
    reactor_unwatch(watch->reactor, &watch->events);
    if (watch->fd != -1) {
        (void)close(watch->fd);
        watch->fd = -1;
    }
    mu_map_free(watch->names);
    watch->names = NULL;
}

/* Watches every directory that is there now on the way to a file. False: the kernel has no room,
 * and what is not watched is polled. */
static bool open_ways(struct watch *watch)
{
    struct mutual_error dropped = {0};
    close_ways(watch);
    watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    watch->names = mu_map_new();
    bool ok = watch->fd != -1 && watch->names != NULL;
    for (size_t i = 0; ok && i < watch->count; i++) {
        ok = add_way(watch, watch->files[i], 0);
    }
    return watch->fd != -1 && watch->names != NULL &&
           reactor_watch(watch->reactor, watch->fd, EVENT_READ, on_events, watch, &watch->events,
                         &dropped) &&
           ok;
}

/* What was told of may be a directory on the way to a file that is not there yet: it is watched
 * from now on and looked into once more, for the file may have come meanwhile. */
static void on_settled(void *owner)
{
    struct watch *watch = owner;
    watch->first_ns = 0;
    if (!is_another(watch)) {
        (void)open_ways(watch);
    }
    if (is_another(watch)) {
        watch->changed(watch->owner);
    }
}

static void on_poll(void *owner)
{
    struct watch *watch = owner;
    if (is_another(watch)) {
        watch->first_ns = 0;
        watch->changed(watch->owner);
    }
    reactor_arm_in(watch->reactor, &watch->poll, POLL_NS, on_poll, watch);
}

void watch_again(struct watch *watch)
{
    watch->first_ns = 0;
    settle(watch);
}

static void add_file(void *context, const char *path)
{
    struct watch *watch = context;
    if (mu_map_get(watch->known, mu_slice_text(path)) != NULL) {
        return;
    }
    void *files = watch->files;
    bool grown = mu_grow(&files, &watch->cap, watch->count, sizeof(char *), FILES_MAX);
    watch->files = files;
    char *copy = grown ? mu_slice_dup(mu_slice_text(path)) : NULL;
    if (copy == NULL || !mu_map_put(watch->known, mu_slice_text(path), watch)) {
        mu_free(copy);
        watch->failed = true;
        return;
    }
    watch->files[watch->count++] = copy;
}

static void add_snapshot(struct watch *watch, const struct config_snapshot *snapshot)
{
    MU_AUTO(config_findings) struct config_findings dropped;
    MU_AUTO(config) struct config *config = NULL;
    config_findings_init(&dropped);
    for (size_t i = 0; i < config_snapshot_count(snapshot); i++) {
        add_file(watch, config_snapshot_name(snapshot, i));
    }
    (void)config_build_partial(snapshot, NULL, &dropped, &config);
    if (config != NULL) {
        config_files(config, add_file, watch);
    }
}

void watch_clear(struct watch *watch)
{
    close_ways(watch);
    reactor_cancel(watch->reactor, &watch->settle);
    reactor_cancel(watch->reactor, &watch->poll);
    watch->first_ns = 0;
    while (watch->count > 0) {
        mu_free(watch->files[--watch->count]);
    }
    mu_map_free(watch->known);
    watch->known = NULL;
    watch->failed = false;
}

bool watch_follow(struct watch *watch, const struct config_snapshot *snapshot,
                  const struct config_snapshot *also, struct mutual_error *err)
{
    uint8_t read[32]; /* the files as they were when they were read */
    memcpy(read, watch->stamp, sizeof read);
    watch_clear(watch);
    watch->known = mu_map_new();
    if (watch->known == NULL) {
        return mu_fail_memory(err);
    }
    add_snapshot(watch, snapshot);
    if (also != NULL) {
        add_snapshot(watch, also);
    }
    bool whole = open_ways(watch) && !watch->failed;
    reactor_arm_in(watch->reactor, &watch->poll, POLL_NS, on_poll, watch);
    /* Watched first, looked at then: what changed before is seen now, what changes later is told. A
     * list of other files looks changed, too, and is read once more. */
    watch_look(watch);
    if (memcmp(read, watch->stamp, sizeof read) != 0) {
        memset(watch->stamp, 0, sizeof watch->stamp); /* no digest: whoever looks finds a change */
        settle(watch);
    }
    if (!whole) {
        return mu_fail(err, MUTUAL_E_SYSTEM_CALL,
                       "the kernel has no room to watch %zu files; they are looked at every %d "
                       "seconds",
                       watch->count, (int)(POLL_NS / MU_NS_PER_S));
    }
    return true;
}

/* ---- life ---------------------------------------------------------------------------------------
 */

struct watch *watch_new(struct reactor *reactor, watch_changed_fn *changed, void *owner)
{
    struct watch *watch = mu_alloc(1, sizeof *watch);
    if (watch != NULL) {
        watch->reactor = reactor;
        watch->changed = changed;
        watch->owner = owner;
        watch->fd = -1;
    }
    return watch;
}

void watch_free(struct watch *watch)
{
    if (watch != NULL) {
        watch_clear(watch);
        mu_free(watch->files);
        mu_free(watch);
    }
}
