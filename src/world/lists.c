/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of revocation lists as tables in sealed memory: made by one process, mapped by all.
 */
#include "world/world_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "trust/trust.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

struct item {
    struct world_list list;
    struct mu_shared *table; /* NULL: it failed, and list.why says why */
    struct mutual_error why;
};

struct world_lists {
    struct item **items;
    size_t count, cap;
};

struct world_lists *world_lists_new(void)
{
    return mu_alloc(1, sizeof(struct world_lists));
}

void world_lists_free(struct world_lists *lists)
{
    if (lists == NULL) {
        return;
    }
    for (size_t i = 0; i < lists->count; i++) {
        if (lists->items[i]->list.fd != -1) {
            (void)close(lists->items[i]->list.fd);
        }
        mu_shared_unref(lists->items[i]->table);
        mu_free(lists->items[i]);
    }
    mu_free(lists->items);
    mu_free(lists);
}

void mu_world_lists_auto(struct world_lists **lists)
{
    world_lists_free(*lists);
}

size_t world_lists_count(const struct world_lists *lists)
{
    return lists->count;
}

struct world_list world_lists_get(const struct world_lists *lists, size_t i)
{
    mu_assert(i < lists->count);
    return lists->items[i]->list;
}

/* ---- the digest ---------------------------------------------------------------------------------
 */

/* Of the file, and of the certificates by which it was verified. */
static bool digest_of(const struct digest *bundle, const uint8_t file[32], uint8_t ret_digest[32])
{
    struct digest both = *bundle;
    digest_add_hash(&both, file);
    memcpy(ret_digest, both.state, 32);
    return !both.failed;
}

static const struct item *find_digest(const struct world_lists *lists, const uint8_t digest[32])
{
    for (size_t i = 0; lists != NULL && i < lists->count; i++) {
        if (lists->items[i]->table != NULL &&
            memcmp(lists->items[i]->list.digest, digest, 32) == 0) {
            return lists->items[i];
        }
    }
    return NULL;
}

struct mu_shared *lists_find(const struct world_lists *lists, const struct world *world,
                             const struct config_trust *trust, size_t index,
                             const struct digest *bundle, const struct mutual_error **ret_why)
{
    size_t block = (size_t)(trust - world->config->trusts);
    for (size_t i = 0; i < lists->count; i++) {
        const struct item *item = lists->items[i];
        uint8_t file[32];
        uint8_t digest[32];
        if (item->list.place.trust != block || item->list.place.index != index) {
            continue;
        }
        *ret_why = item->list.why;
        if (item->table == NULL || !mu_trust_table_digest(mu_shared_bytes(item->table), file)) {
            return NULL;
        }
        /* verified by these very certificates? */
        bool same = digest_of(bundle, file, digest) && memcmp(digest, item->list.digest, 32) == 0;
        return same ? item->table : NULL;
    }
    return NULL;
}

/* ---- making -------------------------------------------------------------------------------------
 */

static bool seal(struct mu_slice table, int *ret_fd, struct mutual_error *err)
{
    int fd = memfd_create("mutual-lists", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd == -1) {
        return mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, errno, "could not make a memory file");
    }
    if (!mu_fd_write(fd, table.data, table.len) ||
        fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) == -1) {
        int sys = errno;
        (void)close(fd);
        return mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, sys, "could not fill a memory file");
    }
    *ret_fd = fd;
    return true;
}

struct maker {
    struct build build;
    const struct world_lists *known;
    world_list_fn *take;
    void *taker;
};

/* Reads one file; an error is what is told of it, and no failure of ours. */
static bool make_one(struct maker *maker, const struct mutual_trust *trust, struct mu_slice bytes,
                     struct world_list *list, struct mutual_error *err)
{
    struct mutual_error why = {0};
    MU_AUTO(buf) struct mu_buf table;
    mu_buf_init(&table, MU_LIMIT_CRL_BYTES);
    if (!mu_trust_table_make(trust, bytes, &table, &why)) {
        list->why = &why;
        return maker->take(maker->taker, list, err);
    }
    if (!seal(mu_buf_slice(&table), &list->fd, err)) {
        return false;
    }
    bool taken = maker->take(maker->taker, list, err);
    (void)close(list->fd);
    return taken;
}

static bool make_block(struct maker *maker, const struct config_trust *config, uint32_t index,
                       struct mutual_error *err)
{
    struct digest bundle = {.failed = false};
    MU_AUTO(trust)
    struct mutual_trust *trust = mutual_trust_new(config->name != NULL ? config->name : "");
    if (trust == NULL) {
        return mu_fail_memory(err);
    }
    build_bundle(&maker->build, config, trust, &bundle);
    for (uint32_t i = 0; i < config_list_count(config); i++) {
        struct world_list list = {.place = {index, i}, .fd = -1};
        struct mu_slice bytes;
        uint8_t file[32];
        MU_AUTO(buf) struct mu_buf name;
        mu_buf_init(&name, 4096);
        if (!config_list_name(config, i, &name) ||
            !config_snapshot_find(maker->build.snapshot, mu_buf_str(&name), &bytes)) {
            continue;
        }
        if (!mu_sha256(bytes, file, err)) {
            return false;
        }
        if (!digest_of(&bundle, file, list.digest)) {
            return mu_fail(err, MUTUAL_E_LIBRARY, "could not hash a trust bundle");
        }
        const struct item *known = find_digest(maker->known, list.digest);
        if (known != NULL) {
            list.fd = known->list.fd;
            list.known = true;
        }
        if (!(known != NULL ? maker->take(maker->taker, &list, err)
                            : make_one(maker, trust, bytes, &list, err))) {
            return false;
        }
    }
    return true;
}

bool world_lists_make(const struct config_snapshot *snapshot, const struct world_lists *known,
                      world_list_fn *take, void *taker, struct mutual_error *err)
{
    MU_AUTO(config_findings) struct config_findings dropped;
    MU_AUTO(config) struct config *config = NULL;
    config_findings_init(&dropped);
    (void)config_build_partial(snapshot, NULL, &dropped, &config);
    if (config == NULL) {
        return mu_fail_memory(err);
    }
    struct maker maker = {.build = {.snapshot = snapshot, .findings = &dropped},
                          .known = known,
                          .take = take,
                          .taker = taker};
    for (uint32_t i = 0; i < config->trust_count; i++) {
        if (!make_block(&maker, &config->trusts[i], i, err)) {
            return false;
        }
    }
    return true;
}

/* ---- taking -------------------------------------------------------------------------------------
 */

static bool map(int fd, struct mu_shared **ret_table, struct mutual_error *err)
{
    int seals = fcntl(fd, F_GET_SEALS);
    off_t size = lseek(fd, 0, SEEK_END); /* a sandbox lets us seek, but not stat */
    if (seals == -1 || (seals & SEALS) != SEALS || size <= 0 || size > MU_LIMIT_CRL_BYTES) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED,
                       "a table of revocation lists is no sealed memory file");
    }
    void *pages = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, fd, 0);
    if (pages == MAP_FAILED) {
        return mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, errno, "could not map revocation lists");
    }
    *ret_table = mu_shared_new(pages, (size_t)size, true);
    if (*ret_table == NULL) {
        (void)munmap(pages, (size_t)size);
        return mu_fail_memory(err);
    }
    return true;
}

static struct item *add_item(struct world_lists *lists, const struct world_list *list)
{
    struct item *item = mu_alloc(1, sizeof *item);
    if (item == NULL || !mu_grow((void **)&lists->items, &lists->cap, lists->count,
                                 sizeof(struct item *), WORLD_LISTS_MAX)) {
        mu_free(item);
        return NULL;
    }
    item->list = *list;
    item->list.fd = -1;
    item->list.known = false;
    if (list->why != NULL) {
        item->why = *list->why;
        item->list.why = &item->why;
    }
    lists->items[lists->count++] = item;
    return item;
}

bool world_lists_put(struct world_lists *lists, const struct world_list *list, bool keep,
                     struct mutual_error *err)
{
    struct mu_shared *table = NULL;
    if (list->why == NULL && !map(list->fd, &table, err)) {
        (void)close(list->fd);
        return false;
    }
    struct item *item = add_item(lists, list);
    if (item != NULL) {
        item->table = table;
        item->list.fd = keep && table != NULL ? list->fd : -1;
    } else {
        mu_shared_unref(table);
    }
    if (list->fd != -1 && (item == NULL || !keep)) {
        (void)close(list->fd);
    }
    if (item == NULL && lists->count == WORLD_LISTS_MAX) {
        return mu_fail(err, MUTUAL_E_LIMIT, "there are more than %u files of revocation lists",
                       WORLD_LISTS_MAX) ||
               mu_error_hint(err, "Put several lists into one PEM file.");
    }
    return item != NULL || mu_fail_memory(err);
}

bool world_lists_reuse(struct world_lists *lists, const struct world_lists *from,
                       struct world_list_place place, const uint8_t digest[32])
{
    const struct item *known = find_digest(from, digest);
    if (known == NULL) {
        return false;
    }
    struct world_list list = known->list;
    list.place = place;
    struct item *item = add_item(lists, &list);
    if (item == NULL) {
        return false;
    }
    item->table = mu_shared_ref(known->table);
    item->list.fd = known->list.fd == -1 ? -1 : fcntl(known->list.fd, F_DUPFD_CLOEXEC, 0);
    return true;
}

/* ---- forward only -------------------------------------------------------------------------------
 */

static bool fail_behind(const struct world_trust *trust, const struct mu_trust_list *list,
                        const struct mu_trust_list *used, struct mutual_error *err)
{
    char numbers[2][MU_NUMBER_TEXT];
    char dates[2][MU_TIME_TEXT];
    return mu_fail(err, MUTUAL_E_CRL_ROLLBACK,
                   "the revocation list of \"%.100s\" for trust block \"%s\" has number %s of %s, "
                   "the one in use has number %s of %s",
                   list->issuer, trust->config->name, mu_trust_list_number(list, numbers[0]),
                   mu_time_format(list->this_update_s, dates[0]),
                   mu_trust_list_number(used, numbers[1]),
                   mu_time_format(used->this_update_s, dates[1]));
}

static bool trust_forward(const struct world_trust *old, const struct world_trust *next,
                          struct mutual_error *err)
{
    struct mu_trust_list list;
    struct mu_trust_list used;
    for (size_t i = 0; mu_trust_list(next->trust, i, &list); i++) {
        for (size_t j = 0; mu_trust_list(old->trust, j, &used); j++) {
            if (mu_trust_list_is_behind(&list, &used)) {
                return fail_behind(next, &list, &used, err);
            }
        }
    }
    return true;
}

bool world_lists_forward(const struct world *old, const struct world *next,
                         struct mutual_error *err)
{
    bool forward = true;
    for (size_t i = 0; i < next->trust_count && forward; i++) {
        const struct world_trust *trust = &next->trusts[i];
        const struct world_trust *before = world_trust_find(old, trust->config->name);
        forward = before == NULL || trust->config->revocation.unsafe_rollback ||
                  trust_forward(before, trust, err);
    }
    return forward;
}
