/* SPDX-License-Identifier: Apache-2.0
 *
 * The authority's process as the parent sees it: begun when the configuration names an authority,
 * begun anew when it says something else about it; its issuers' keys go to the key process, and
 * workers get one end each of the pairs whose other end goes to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ca/ca.h"
#include "evidence/evidence.h"
#include "gateway/figures_internal.h"
#include "gateway/parent_internal.h"

enum { SETUP_MAX = 196608 };

static const struct config_authority *config_of(const struct setup *setup)
{
    return &setup->world->config->authority;
}

/* ---- its life ----------------------------------------------------------------------------------
 */

_Static_assert(CONFIG_ADMIN_PATTERNS == EVIDENCE_ADMINS, "what is judged is what fits");

/* Judged when the configuration was: there are no more than fit. What finds no memory is left out,
 * and so has no role. */
static void put_admins(const struct config_authority *config, struct evidence_setup *setup)
{
    for (size_t i = 0; i < config->admin_count; i++) {
        const struct config_admin *admin = &config->admins[i];
        for (size_t k = 0; k < admin->who_count && setup->admin_count < EVIDENCE_ADMINS; k++) {
            char *pattern = mu_strdup(admin->who[k].text);
            if (pattern != NULL) {
                setup->admins[setup->admin_count++] =
                    (struct evidence_admin){.role = (uint8_t)(admin->role + 1),
                                            .type = (uint8_t)admin->who[k].type,
                                            .pattern = pattern};
            }
        }
    }
}

static void write_setup(const struct config_authority *config, struct mu_buf *out)
{
    MU_AUTO(free) char *directory = mu_strdup(config->directory);
    MU_AUTO(free) char *url = config->url == NULL ? NULL : mu_strdup(config->url);
    MU_AUTO(free) char *publish = config->publish == NULL ? NULL : mu_strdup(config->publish);
    MU_AUTO(free) char *terms = config->acme.terms == NULL ? NULL : mu_strdup(config->acme.terms);
    struct evidence_setup setup = {.directory = directory,
                                   .url = url,
                                   .publish = publish,
                                   .grace_s = config->grace_ns / MU_NS_PER_S,
                                   .acme = config->acme.accounts != CONFIG_ACME_NONE,
                                   .acme_open = config->acme.accounts == CONFIG_ACME_OPEN,
                                   .acme_terms = terms,
                                   .keygen = config->server_keygen};
    put_admins(config, &setup);
    mu_buf_clear(out);
    evidence_setup_write(&setup, out);
    for (size_t i = 0; i < setup.admin_count; i++) {
        mu_free(setup.admins[i].pattern);
    }
}

void authority_init(struct parent *parent)
{
    mu_buf_init(&parent->authority.setup, SETUP_MAX);
}

void authority_done(struct parent *parent)
{
    local_end(parent);
    mu_buf_done(&parent->authority.setup);
}

bool authority_start(const struct parent *parent, struct mu_buf *setup)
{
    return mu_buf_append(setup, parent->authority.setup.data, parent->authority.setup.len);
}

bool authority_become(const struct parent *parent, struct process_user *ret_user)
{
    return ca_owner(config_of(parent->current)->directory, &ret_user->uid, &ret_user->gid);
}

/* Other ones each time: the old ones may still be on their way out. They share their numbers, for
 * they are of one party, and tell us their own troubles. */
static bool add(struct parent *parent, const struct role *role, size_t which)
{
    struct mutual_error err = {0};
    struct authority_process *process = &parent->authority.processes[which];
    *process = (struct authority_process){.index = ++parent->authority.last};
    process->runs = supervisor_add(parent->supervisor, role, process->index, &err);
    if (!process->runs) {
        parent_log(parent, CONFIG_LOG_ERROR, "authority_failed", NULL, &err);
    }
    return process->runs;
}

static void begin(struct parent *parent)
{
    const struct gateway_options *options = parent->options;
    (void)(add(parent, options->authority, AUTHORITY_ANSWERS) &&
           add(parent, options->publisher, AUTHORITY_PUBLISHES));
}

static void end(struct parent *parent)
{
    for (size_t i = 0; i < AUTHORITY_PROCESSES; i++) {
        struct authority_process *process = &parent->authority.processes[i];
        if (process->runs) {
            supervisor_remove(parent->supervisor, IPC_AUTHORITY, process->index, 0);
            process->runs = false;
        }
    }
}

bool authority_runs(const struct parent *parent)
{
    return parent->authority.processes[AUTHORITY_ANSWERS].runs;
}

const struct supervised *authority_answering(const struct parent *parent)
{
    const struct authority_process *process = &parent->authority.processes[AUTHORITY_ANSWERS];
    const struct supervised *child =
        supervisor_find(parent->supervisor, IPC_AUTHORITY, process->index);
    return process->runs && child != NULL && child->ready ? child : NULL;
}

void authority_ready(struct parent *parent, const struct supervised *child)
{
    if (child->index == parent->authority.processes[AUTHORITY_ANSWERS].index) {
        parent_log(parent, CONFIG_LOG_INFO, "authority_ready", "the authority serves", NULL);
    }
}

void authority_follow(struct parent *parent)
{
    const struct config_authority *config = config_of(parent->current);
    MU_AUTO(buf) struct mu_buf setup;
    mu_buf_init(&setup, SETUP_MAX);
    if (config->directory == NULL || parent->options->authority == NULL) {
        end(parent);
        figures_authority_none(parent->figures);
        local_end(parent);
        return;
    }
    local_begin(parent);
    write_setup(config, &setup);
    bool same = mu_slice_equal(mu_buf_slice(&setup), mu_buf_slice(&parent->authority.setup));
    if (authority_runs(parent) && same) {
        return;
    }
    end(parent);
    mu_buf_clear(&parent->authority.setup);
    (void)mu_buf_append(&parent->authority.setup, setup.data, setup.len);
    begin(parent);
}

/* ---- its keys ----------------------------------------------------------------------------------
 */

static bool put_key(void *context, const char *path, const struct mu_cert *cert,
                    const struct keys_rules *rules, struct mutual_error *err)
{
    struct parent *parent = context;
    int fd = -1;
    return setup_open_key(path, &fd, err) &&
           keys_loader_put(parent->loader, path, fd, -1, mu_cert_facts(cert)->spki, rules, err);
}

bool authority_put_keys(struct parent *parent, const struct setup *setup, struct mutual_error *err)
{
    const struct config_authority *config = config_of(setup);
    return config->directory == NULL || parent->options->authority == NULL ||
           ca_keys_scan(config->directory, put_key, parent, err);
}

/* ---- streams -----------------------------------------------------------------------------------
 */

/* A worker that was taken over must not have us make pairs without end. */
static uint32_t may_have(struct parent *parent, uint32_t worker, uint32_t wanted)
{
    enum { PER_SECOND = 2048 };
    struct authority_given *given = &parent->authority.given[worker];
    int64_t second = mu_clock_mono_ns() / MU_NS_PER_S;
    if (given->second != second) {
        *given = (struct authority_given){.second = second};
    }
    uint32_t left = PER_SECOND - given->count;
    uint32_t most = wanted < STREAMS_BATCH ? wanted : STREAMS_BATCH;
    most = most < left ? most : left;
    given->count += most;
    return most;
}

static bool send_ends(struct parent *parent, const struct supervised *child, uint32_t number,
                      const int *fds, size_t count, struct mutual_error *err)
{
    uint8_t bytes[4];
    mu_put_be32(bytes, number);
    return supervisor_send(parent->supervisor, child, IPC_MSG_STREAMS, mu_slice_of(bytes, 4), fds,
                           count, err);
}

static void close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)close(fds[i]);
    }
}

/* Fewer than wanted, down to none, is no failure: the worker asks again a little later. */
bool authority_streams(struct parent *parent, const struct supervised *worker,
                       const struct ipc_message *message, struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(message->payload);
    uint32_t wanted = ipc_get_u32(&reader);
    struct mutual_error lost = {0};
    int ours[STREAMS_BATCH];
    int theirs[STREAMS_BATCH];
    uint32_t count = 0;
    if (!ipc_reader_end(&reader, "STREAMS_WANTED", err)) {
        return false;
    }
    const struct supervised *child = authority_answering(parent);
    wanted = child != NULL ? may_have(parent, worker->index, wanted) : 0;
    while (count < wanted) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == -1) {
            break;
        }
        ours[count] = pair[0];
        theirs[count++] = pair[1];
    }
    bool given = count == 0 || send_ends(parent, child, worker->index, theirs, count, &lost);
    bool sent = send_ends(parent, worker, given ? count : 0, ours, given ? count : 0, err);
    close_all(ours, count);
    close_all(theirs, count);
    return sent;
}

/* ---- what it says ------------------------------------------------------------------------------
 */

size_t authority_which(const struct parent *parent, const struct supervised *child)
{
    return child->role == parent->options->publisher ? AUTHORITY_PUBLISHES : AUTHORITY_ANSWERS;
}

/* NULL: it is one that is on its way out. */
static struct authority_process *current(struct parent *parent, const struct supervised *child)
{
    struct authority_process *process =
        &parent->authority.processes[authority_which(parent, child)];
    return process->index == child->index ? process : NULL;
}

bool authority_writes(struct parent *parent, const struct supervised *child,
                      const struct ipc_message *message, struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(message->payload);
    struct mutual_error trouble = {0};
    ipc_get_error(&reader, &trouble);
    if (!ipc_reader_end(&reader, "whether the authority can write", err)) {
        return false;
    }
    struct authority_process *process = current(parent, child);
    if (process == NULL) {
        return true;
    }
    bool before = authority_trouble(parent) != NULL;
    process->trouble = trouble;
    bool now = authority_trouble(parent) != NULL;
    if (now && !before) {
        parent_log(parent, CONFIG_LOG_ERROR, "authority_cannot_write", NULL, &trouble);
    } else if (before && !now) {
        parent_log(parent, CONFIG_LOG_INFO, "authority_writes", "the authority can write again",
                   NULL);
    }
    return true;
}

const struct mutual_error *authority_trouble(const struct parent *parent)
{
    for (size_t i = 0; i < AUTHORITY_PROCESSES; i++) {
        const struct mutual_error *trouble = &parent->authority.processes[i].trouble;
        if (trouble->code != MUTUAL_OK) {
            return trouble;
        }
    }
    return NULL;
}

/* Its replacement tells us anew. */
void authority_died(struct parent *parent, const struct supervised *child)
{
    struct authority_process *process = current(parent, child);
    if (process != NULL) {
        process->trouble = (struct mutual_error){0};
    }
}
