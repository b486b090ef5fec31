/* SPDX-License-Identifier: Apache-2.0
 *
 * Looks host names up in a helper process.
 */
#include "gateway/resolve_internal.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "gateway/helper_internal.h"

enum { ROUND_S = 10, ANSWER_MAX = 1 << 20, NAMES_MAX = 4096 };

struct resolver {
    struct resolve_names *names;
    size_t count; /* of names asked for; more may have come since */
    resolve_done_fn *done;
    void *owner;
    struct helper_task *task;
};

/* ---- names --------------------------------------------------------------------------------------
 */

struct resolve_name *resolve_name_get(struct resolve_names *names, const char *host, unsigned port)
{
    for (size_t i = 0; i < names->count; i++) {
        if (names->items[i].port == port && strcmp(names->items[i].host, host) == 0) {
            return &names->items[i];
        }
    }
    if (!mu_grow((void **)&names->items, &names->cap, names->count, sizeof *names->items,
                 NAMES_MAX)) {
        return NULL;
    }
    char *copy = mu_strdup(host);
    if (copy == NULL) {
        return NULL;
    }
    names->items[names->count] = (struct resolve_name){.host = copy, .port = port};
    return &names->items[names->count++];
}

void resolve_names_done(struct resolve_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        mu_free(names->items[i].host);
    }
    mu_free(names->items);
    memset(names, 0, sizeof *names);
}

/* ---- the helper ---------------------------------------------------------------------------------
 */

static void look_up(const struct resolve_name *name, struct mu_buf *out)
{
    char service[8];
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    (void)snprintf(service, sizeof service, "%u", name->port);
    size_t at = out->len;
    (void)mu_buf_byte(out, 0);
    if (getaddrinfo(name->host, service, &hints, &found) != 0 || out->failed) {
        return;
    }
    for (const struct addrinfo *one = found; one != NULL && out->data[at] < TARGETS_MAX;
         one = one->ai_next) {
        if (one->ai_family == AF_INET || one->ai_family == AF_INET6) {
            ipc_put_bytes(out, mu_slice_of(one->ai_addr, one->ai_addrlen));
            out->data[at]++;
        }
    }
    freeaddrinfo(found);
}

/* In the helper. */
static void look_all_up(void *context, struct mu_buf *out)
{
    const struct resolve_names *names = context;
    for (size_t i = 0; i < names->count; i++) {
        look_up(&names->items[i], out);
    }
}

/* ---- what it says -------------------------------------------------------------------------------
 */

static bool read_targets(struct ipc_reader *reader, struct targets *ret_targets)
{
    struct targets targets = {.count = ipc_get_u8(reader)};
    if (targets.count > TARGETS_MAX) {
        return false;
    }
    for (size_t i = 0; i < targets.count; i++) {
        struct address *address = &targets.items[i];
        struct mu_slice raw = ipc_get_bytes(reader, sizeof address->socket);
        if (raw.len != sizeof(struct sockaddr_in) && raw.len != sizeof(struct sockaddr_in6)) {
            return false;
        }
        memcpy(&address->socket, raw.data, raw.len);
        address->len = (socklen_t)raw.len;
        if (address->socket.ss_family !=
            (raw.len == sizeof(struct sockaddr_in) ? AF_INET : AF_INET6)) {
            return false;
        }
    }
    *ret_targets = targets;
    return !reader->failed;
}

bool resolve_parse(struct mu_slice answer, struct resolve_names *names, size_t count,
                   bool *ret_changed)
{
    struct ipc_reader reader = ipc_reader_of(answer);
    bool changed = false;
    for (size_t i = 0; i < count; i++) {
        struct targets targets;
        struct resolve_name *name = &names->items[i];
        if (!read_targets(&reader, &targets)) {
            return false;
        }
        name->failed = targets.count == 0;
        /* who cannot be found now keeps the addresses it had */
        if (targets.count > 0 && memcmp(&targets, &name->targets, sizeof targets) != 0) {
            name->targets = targets;
            changed = true;
        }
    }
    struct mutual_error lost = {0};
    *ret_changed = changed;
    return ipc_reader_end(&reader, "addresses", &lost);
}

/* ---- a round ------------------------------------------------------------------------------------
 */

void resolve_stop(struct resolver *resolver)
{
    if (resolver != NULL) {
        helper_task_stop(resolver->task);
        mu_free(resolver);
    }
}

static void on_answer(void *owner, struct mu_slice answer)
{
    struct resolver *resolver = owner;
    resolve_done_fn *done = resolver->done;
    void *next = resolver->owner;
    bool changed = false;
    if (!resolve_parse(answer, resolver->names, resolver->count, &changed)) {
        for (size_t i = 0; i < resolver->count; i++) {
            resolver->names->items[i].failed = true;
        }
    }
    mu_free(resolver); /* the task frees itself */
    done(next, changed);
}

bool resolve_start(struct reactor *reactor, struct resolve_names *names, const char *user,
                   resolve_done_fn *done, void *owner, struct resolver **ret_resolver,
                   struct mutual_error *err)
{
    struct resolver *resolver = mu_alloc(1, sizeof *resolver);
    if (resolver == NULL) {
        return mu_fail_memory(err);
    }
    resolver->names = names;
    resolver->count = names->count;
    resolver->done = done;
    resolver->owner = owner;
    const struct helper_work work = {
        .reactor = reactor,
        .user = user,
        .patience_s = ROUND_S,
        .answer_max = ANSWER_MAX,
        .look = look_all_up,
        .context = names,
        .done = on_answer,
        .owner = resolver,
    };
    if (!helper_task_start(&work, &resolver->task, err)) {
        mu_free(resolver);
        return false;
    }
    *ret_resolver = resolver;
    return true;
}
