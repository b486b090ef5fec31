/* SPDX-License-Identifier: Apache-2.0
 *
 * A configuration made ready in the parent: judged, its sockets open, its keys handed on, and the
 * messages by which workers get it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/parent_internal.h"

enum { LISTENERS_MAX = 65536 };

/* ---- reading and judging ------------------------------------------------------------------------
 */

static void tell_findings(struct parent *parent, const struct config_findings *findings)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 1u << 20);
    if (parent->current == NULL && !parent->log_json) {
        config_findings_text(findings, parent->options->config_name, parent->options->colour,
                             &text);
        (void)mu_fd_write(STDERR_FILENO, text.data, text.len);
        return;
    }
    for (size_t i = 0; i < findings->count; i++) {
        const struct config_finding *finding = &findings->items[i];
        bool bad = finding->severity == CONFIG_ERROR;
        mu_buf_clear(&text);
        (void)mu_buf_printf(&text, "%s:%u: %s", finding->file == NULL ? "" : finding->file,
                            finding->line, finding->text);
        parent_log(parent, bad ? CONFIG_LOG_ERROR : CONFIG_LOG_WARNING, "configuration",
                   mu_buf_str(&text), NULL);
    }
}

static bool build_world(struct parent *parent, struct setup *setup, struct mutual_error *err)
{
    struct config_findings *findings = &setup->findings;
    const struct world *before = parent->current != NULL ? parent->current->world : NULL;
    bool built =
        setup->snapshot != NULL && world_build_unread(setup->snapshot, setup->lists, before,
                                                      mu_clock_wall_s(), findings, &setup->world);
    config_findings_sort(findings);
    tell_findings(parent, findings);
    return (setup->loaded && built) || config_findings_fail(findings, err);
}

/* ---- sockets ------------------------------------------------------------------------------------
 */

/* What is open already for the address. A service that changed its name keeps its sockets too; but
 * "any port" is another port for everybody. */
static struct binding *find_binding(const struct setup *setup, const char *service,
                                    const struct config_address *written)
{
    bool any_port = written->kind == CONFIG_ADDRESS_TCP && written->port == 0;
    struct binding *found = NULL;
    for (size_t i = 0; setup != NULL && i < setup->listener_count; i++) {
        const struct setup_listener *listener = &setup->listeners[i];
        bool own = strcmp(setup->world->services[listener->service].name, service) == 0;
        if (strcmp(listener->binding->text, written->text) == 0 && (own || !any_port)) {
            found = own || found == NULL ? listener->binding : found;
        }
    }
    return found;
}

static bool add_listener(struct parent *parent, struct setup *setup, uint32_t service,
                         const struct config_address *written, bool local_only,
                         struct mutual_error *err)
{
    const char *name = setup->world->services[service].name;
    struct binding *kept = find_binding(parent->current, name, written);
    struct setup_listener *listener = &setup->listeners[setup->listener_count];
    listener->service = service;
    if (kept != NULL) {
        listener->binding = binding_ref(kept);
    } else if (!binding_new(written, local_only, parent->workers, &parent->inherited,
                            &listener->binding, err)) {
        return mu_error_context(err, "service \"%s\"", name);
    }
    setup->listener_count++;
    return true;
}

static bool open_listeners(struct parent *parent, struct setup *setup, struct mutual_error *err)
{
    const struct world *world = setup->world;
    size_t total = 0;
    for (size_t i = 0; i < world->service_count; i++) {
        const struct world_service *service = &world->services[i];
        total += service->inbound != NULL ? service->inbound->listen_count
                                          : service->outbound->listen_count;
    }
    setup->listeners = total < LISTENERS_MAX ? mu_alloc(total + 1, sizeof *setup->listeners) : NULL;
    if (setup->listeners == NULL) {
        return mu_fail_memory(err);
    }
    for (uint32_t i = 0; i < world->service_count; i++) {
        const struct config_inbound *in = world->services[i].inbound;
        const struct config_outbound *out = world->services[i].outbound;
        size_t count = in != NULL ? in->listen_count : out->listen_count;
        const struct config_address *listen = in != NULL ? in->listen : out->listen;
        bool local_only = out != NULL && !out->unsafe_listen;
        for (size_t j = 0; j < count; j++) {
            if (!add_listener(parent, setup, i, &listen[j], local_only, err)) {
                return false;
            }
        }
    }
    return true;
}

/* ---- keys ---------------------------------------------------------------------------------------
 */

/* The passphrase as a descriptor: a page of memory, so that it is in no file. */
static bool open_passphrase(const struct config_secret *secret, int *ret_fd,
                            struct mutual_error *err)
{
    char *text = NULL;
    size_t len = 0;
    if (secret->kind == CONFIG_SECRET_NONE) {
        *ret_fd = -1;
        return true;
    }
    if (!world_secret_read(secret, &text, &len, err)) {
        return false;
    }
    int fd = memfd_create("passphrase", MFD_CLOEXEC);
    bool ok = fd != -1 && mu_fd_write(fd, text, len) && lseek(fd, 0, SEEK_SET) == 0;
    int sys = errno;
    mu_secret_free(text);
    if (!ok) {
        if (fd != -1) {
            (void)close(fd);
        }
        return mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, sys, "could not pass a passphrase on");
    }
    *ret_fd = fd;
    return true;
}

/* What is opened is judged, and not what the name stood for when the configuration was read. */
bool setup_open_key(const char *path, int *ret_fd, struct mutual_error *err)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd == -1) {
        return mu_fail_errno(err, MUTUAL_E_FILE_UNREADABLE, errno,
                             "could not open private key \"%s\"", path);
    }
    if (fstat(fd, &info) == -1 || !S_ISREG(info.st_mode)) {
        (void)mu_fail(err, MUTUAL_E_FILE_UNREADABLE, "private key \"%s\" is no regular file", path);
    } else if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        (void)mu_fail(err, MUTUAL_E_FILE_EXPOSED, "private key \"%s\" can be read by others", path);
    } else {
        *ret_fd = fd;
        return true;
    }
    (void)close(fd);
    return false;
}

static bool put_key(struct parent *parent, const struct world_chain *chain, uint32_t purpose,
                    struct mutual_error *err)
{
    const struct config_certificate *config = chain->config;
    const struct keys_rules rules = {.purposes = purpose};
    int passphrase_fd = -1;
    if (!open_passphrase(&config->passphrase, &passphrase_fd, err)) {
        return false;
    }
    int fd = -1;
    if (!setup_open_key(config->key, &fd, err)) {
        if (passphrase_fd != -1) {
            (void)close(passphrase_fd);
        }
        return false;
    }
    return keys_loader_put(parent->loader, config->key, fd, passphrase_fd,
                           mu_cert_facts(chain->certs[0])->spki, &rules, err);
}

static bool put_keys(struct parent *parent, struct setup *setup, struct mutual_error *err)
{
    watch_secrets(setup->world->config, setup->snapshot, setup->secrets);
    keys_loader_begin(parent->loader);
    for (size_t i = 0; i < setup->world->service_count; i++) {
        const struct world_service *service = &setup->world->services[i];
        uint32_t purpose = service->inbound != NULL ? KEYS_TLS_SERVER : KEYS_TLS_CLIENT;
        for (size_t j = 0; j < service->chain_count; j++) {
            if (!put_key(parent, &service->chains[j], purpose, err)) {
                keys_loader_abandon(parent->loader, parent->supervisor);
                return mu_error_context(err, "service \"%s\"", service->name);
            }
        }
    }
    if (!authority_put_keys(parent, setup, err)) {
        keys_loader_abandon(parent->loader, parent->supervisor);
        return mu_error_context(err, "the authority");
    }
    return true;
}

/* ---- the whole ----------------------------------------------------------------------------------
 */

bool setup_new(struct parent *parent, struct setup **ret_setup, struct mutual_error *err)
{
    const struct gateway_options *options = parent->options;
    struct setup *setup = mu_alloc(1, sizeof *setup);
    if (setup == NULL) {
        return mu_fail_memory(err);
    }
    setup->id = ++parent->next_id;
    setup->snapshot_fd = -1;
    config_findings_init(&setup->findings);
    setup->loaded = options->load(options->owner, &setup->findings, &setup->snapshot);
    *ret_setup = setup;
    return true;
}

bool setup_build(struct parent *parent, struct setup *setup, struct mutual_error *err)
{
    return build_world(parent, setup, err) &&
           (parent->current == NULL ||
            world_lists_forward(parent->current->world, setup->world, err)) &&
           config_snapshot_let_lists_go(setup->snapshot, err) &&
           config_snapshot_export(setup->snapshot, &setup->snapshot_fd, err) &&
           open_listeners(parent, setup, err) && put_keys(parent, setup, err);
}

void setup_deafen(struct setup *setup)
{
    for (size_t i = 0; setup != NULL && i < setup->listener_count; i++) {
        binding_unref(setup->listeners[i].binding);
    }
    if (setup != NULL) {
        setup->listener_count = 0;
    }
}

void setup_free(struct setup *setup)
{
    if (setup == NULL) {
        return;
    }
    setup_deafen(setup);
    mu_free(setup->listeners);
    if (setup->snapshot_fd != -1) {
        (void)close(setup->snapshot_fd);
    }
    world_unref(setup->world);
    world_lists_free(setup->lists);
    config_findings_done(&setup->findings);
    config_snapshot_free(setup->snapshot);
    mu_free(setup);
}

void setup_refuse(struct parent *parent, struct setup *setup)
{
    config_snapshot_free(parent->refused);
    parent->refused = MU_TAKE(setup->snapshot);
    setup_free(setup);
}

bool setup_is_same(const struct setup *a, const struct config_snapshot *b)
{
    uint8_t secrets[32];
    if (a == NULL || !config_snapshot_is_same(a->snapshot, b)) {
        return false;
    }
    watch_secrets(a->world->config, b, secrets);
    return memcmp(secrets, a->secrets, sizeof secrets) == 0;
}

/* ---- targets ------------------------------------------------------------------------------------
 */

/* NULL: an application of ours is behind. */
static const struct config_address *target_of(const struct world_service *service)
{
    const struct config_inbound *in = service->inbound;
    return in == NULL                                   ? &service->outbound->connect
           : in->application == CONFIG_APPLICATION_NONE ? &in->forward
                                                        : NULL;
}

bool setup_name_targets(struct parent *parent, const struct setup *setup)
{
    struct address literal;
    bool named = false;
    for (size_t i = 0; i < setup->world->service_count; i++) {
        const struct config_address *written = target_of(&setup->world->services[i]);
        if (written != NULL && !address_literal(written, &literal)) {
            named = resolve_name_get(&parent->names, written->host, written->port) != NULL || named;
        }
    }
    return named;
}

static void put_target(struct parent *parent, const struct world_service *service,
                       struct mu_buf *out)
{
    const struct config_address *written = target_of(service);
    struct targets literal = {.count = written != NULL ? 1 : 0};
    const struct targets *targets = &literal;
    if (written != NULL && !address_literal(written, &literal.items[0])) {
        struct resolve_name *name = resolve_name_get(&parent->names, written->host, written->port);
        literal.count = 0;
        targets = name != NULL ? &name->targets : &literal;
    }
    ipc_put_u8(out, (uint8_t)targets->count);
    for (size_t i = 0; i < targets->count; i++) {
        ipc_put_bytes(out, mu_slice_of(&targets->items[i].socket, targets->items[i].len));
    }
}

static void put_targets(struct parent *parent, const struct setup *setup, struct mu_buf *out)
{
    ipc_put_u32(out, (uint32_t)setup->world->service_count);
    for (size_t i = 0; i < setup->world->service_count; i++) {
        put_target(parent, &setup->world->services[i], out);
    }
}

bool setup_send_addresses(struct parent *parent, const struct setup *setup,
                          const struct supervised *worker, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf payload;
    mu_buf_init(&payload, MU_LIMIT_MESSAGE_BYTES);
    ipc_put_u32(&payload, setup->id);
    put_targets(parent, setup, &payload);
    return (!payload.failed || mu_fail_memory(err)) &&
           supervisor_send(parent->supervisor, worker, IPC_MSG_ADDRESSES, mu_buf_slice(&payload),
                           NULL, 0, err);
}

/* ---- to a worker --------------------------------------------------------------------------------
 */

/* Fills up a message with listeners from `at` on; returns how many it took. */
static size_t put_listeners(const struct setup *setup, uint32_t worker, size_t at,
                            struct mu_buf *payload, int *fds, size_t *fd_count)
{
    size_t taken = 0;
    while (at + taken < setup->listener_count && *fd_count < MU_LIMIT_MESSAGE_FDS) {
        const struct setup_listener *listener = &setup->listeners[at + taken++];
        ipc_put_u32(payload, listener->service);
        fds[(*fd_count)++] = binding_fd(listener->binding, worker);
    }
    return taken;
}

static bool send_first(struct parent *parent, const struct setup *setup,
                       const struct supervised *worker, size_t *ret_sent, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf payload;
    int fds[MU_LIMIT_MESSAGE_FDS] = {setup->snapshot_fd};
    size_t fd_count = 1;
    mu_buf_init(&payload, MU_LIMIT_MESSAGE_BYTES);
    ipc_put_u32(&payload, setup->id);
    ipc_put_u32(&payload, parent->workers);
    ipc_put_u8(&payload, parent->log_json ? 1 : 0);
    ipc_put_u32(&payload, (uint32_t)setup->listener_count);
    *ret_sent = put_listeners(setup, worker->index, 0, &payload, fds, &fd_count);
    put_targets(parent, setup, &payload);
    return (!payload.failed || mu_fail_memory(err)) &&
           supervisor_send(parent->supervisor, worker, IPC_MSG_GENERATION, mu_buf_slice(&payload),
                           fds, fd_count, err);
}

/* TABLES: id, then trust block, index and digest for each descriptor. */
bool setup_send_tables(struct parent *parent, const struct setup *setup,
                       const struct supervised *worker, struct mutual_error *err)
{
    size_t count = setup->lists == NULL ? 0 : world_lists_count(setup->lists);
    bool ok = true;
    for (size_t i = 0; i < count && ok;) {
        MU_AUTO(buf) struct mu_buf payload;
        int fds[MU_LIMIT_MESSAGE_FDS];
        size_t fd_count = 0;
        mu_buf_init(&payload, 65536);
        ipc_put_u32(&payload, setup->id);
        for (; i < count && fd_count < MU_LIMIT_MESSAGE_FDS; i++) {
            struct world_list list = world_lists_get(setup->lists, i);
            ipc_put_u32(&payload, list.place.trust);
            ipc_put_u32(&payload, list.place.index);
            mu_buf_append(&payload, list.digest, sizeof list.digest);
            fds[fd_count++] = list.fd;
        }
        ok = (!payload.failed || mu_fail_memory(err)) &&
             supervisor_send(parent->supervisor, worker, IPC_MSG_TABLES, mu_buf_slice(&payload),
                             fds, fd_count, err);
    }
    return ok;
}

bool setup_send(struct parent *parent, const struct setup *setup, const struct supervised *worker,
                struct mutual_error *err)
{
    size_t sent = 0;
    bool ok = setup_send_tables(parent, setup, worker, err) &&
              send_first(parent, setup, worker, &sent, err);
    while (ok && sent < setup->listener_count) {
        MU_AUTO(buf) struct mu_buf payload;
        int fds[MU_LIMIT_MESSAGE_FDS];
        size_t fd_count = 0;
        mu_buf_init(&payload, 65536);
        ipc_put_u32(&payload, setup->id);
        sent += put_listeners(setup, worker->index, sent, &payload, fds, &fd_count);
        ok = supervisor_send(parent->supervisor, worker, IPC_MSG_DESCRIPTORS,
                             mu_buf_slice(&payload), fds, fd_count, err);
    }
    return ok;
}
