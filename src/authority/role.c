/* SPDX-License-Identifier: Apache-2.0
 *
 * The lives of the authority's two processes. They have the same store, directory and keys; one
 * answers, the other keeps the lists, which takes seconds when a million certificates are revoked,
 * and nobody waits for it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "authority/authority_internal.h"
#include "store/store.h"

/* Lists are looked at every minute; sooner while nothing can be written. */
enum { TICK_S = 1, LISTS_S = 60, LOOK_S = 3, LOADING_S = 5, AGAIN_S = 5 };

struct authority {
    struct child *child;
    struct reactor *reactor;
    struct keys_client *keys;
    struct ca *ca;
    struct ca_signer signer;
    struct evidence_setup setup;
    struct acme_settings acme;
    struct acme_prober prober;
    struct admin_holder holders[EVIDENCE_ADMINS];
    struct admin_settings admin;
    struct api_settings settings;
    struct api_world world;
    struct streams streams;
    struct book book;
    struct writes writes;
    struct event_timer tick;
    bool publishes;   /* it keeps the lists, and answers nobody */
    int64_t lists_s;  /* when lists are looked at again */
    int64_t look_s;   /* and what others made */
    int64_t write_s;  /* and whether writing goes again */
    size_t key_count; /* of issuers and responders, as it was last */
    event_watch watch;
    bool over;
    bool failed;
};

static void say(void *context, const char *line)
{
    struct authority *authority = context;
    process_log(authority->child, line);
}

static void on_failure(void *context, const struct mutual_error *why)
{
    struct authority *authority = context;
    if (writes_failed(&authority->writes, why)) {
        int64_t again_s = mu_clock_wall_s() + AGAIN_S;
        authority->lists_s = authority->lists_s < again_s ? authority->lists_s : again_s;
    }
}

/* A database server that went away is found again by our replacement, which may connect before it
 * is locked down. */
static void look_at_store(void *owner)
{
    struct authority *authority = owner;
    if (store_is_lost(inventory_store(ca_inventory(authority->ca)))) {
        struct mutual_error lost = {0};
        say(authority, "the connection to the store's server is lost; the process begins anew");
        (void)!book_tell(&authority->book, authority->child->parent, 0, mu_clock_wall_s(), &lost);
        authority->failed = true;
    }
}

/* ---- what no request waits for -----------------------------------------------------------------
 */

static void keep_lists(struct authority *authority, int64_t now_s)
{
    struct mutual_error err = {0};
    if (ca_speak_for(authority->ca, "authority", &err) &&
        ca_crl_refresh(authority->ca, &authority->signer, now_s, &err)) {
        return;
    }
    if (authority->writes.told != err.code) { /* else the log has it */
        api_log(&authority->world, "revocation list: error[%s]: %s. %s", mutual_code_name(err.code),
                err.reason, err.hint);
    }
    on_failure(authority, &err);
}

/* A responder was made, or an issuer: the key process is to have its key. When it has, there is
 * more to be signed. */
static void tell_of_keys(struct authority *authority, int64_t now_s)
{
    struct mutual_error err = {0};
    size_t keys = ca_keys_count(authority->ca);
    bool more = keys > authority->key_count;
    authority->key_count = keys;
    if (!more) {
        return;
    }
    authority->lists_s = now_s + LOADING_S;
    if (!ipc_send(authority->child->parent, IPC_MSG_KEYS_MADE, mu_slice_of(NULL, 0), NULL, 0,
                  &err)) {
        api_log(&authority->world, "the parent does not hear of a new key: %s", err.reason);
    }
}

/* Whether it is time; a clock that was set back does not put it off. */
static bool is_time(int64_t *next_s, int64_t now_s, int64_t every_s)
{
    bool is = now_s >= *next_s || *next_s > now_s + every_s;
    *next_s = is ? now_s + every_s : *next_s;
    return is;
}

static void look_again(struct authority *authority, int64_t now_s)
{
    struct mutual_error err = {0};
    if (is_time(&authority->look_s, now_s, LOOK_S) && !ca_look_again(authority->ca, now_s, &err)) {
        api_log(&authority->world, "issuers: error[%s]: %s", mutual_code_name(err.code),
                err.reason);
    }
}

static void look_at_writes(struct authority *authority, int64_t now_s)
{
    if (authority->writes.told != MUTUAL_OK && is_time(&authority->write_s, now_s, AGAIN_S)) {
        writes_look(&authority->writes, authority->ca, now_s);
    }
}

/* What it counted is told unasked: while it makes a list it answers nobody. */
static void publish(struct authority *authority, int64_t now_s)
{
    struct mutual_error lost = {0};
    if (is_time(&authority->lists_s, now_s, LISTS_S)) {
        keep_lists(authority, now_s);
        (void)!book_tell(&authority->book, authority->child->parent, 0, now_s, &lost);
    }
    tell_of_keys(authority, now_s);
}

static void tick_tables(struct authority *authority, int64_t now_s)
{
    for (size_t i = 0; i < authority_table_count; i++) {
        if (authority_tables[i]->tick != NULL) {
            authority_tables[i]->tick(&authority->world, now_s);
        }
    }
}

static void on_tick(void *owner)
{
    struct authority *authority = owner;
    int64_t now_s = mu_clock_wall_s();
    look_again(authority, now_s);
    look_at_writes(authority, now_s);
    if (authority->publishes) {
        publish(authority, now_s);
    } else {
        tick_tables(authority, now_s);
    }
    look_at_store(authority);
    reactor_arm_in(authority->reactor, &authority->tick, TICK_S * MU_NS_PER_S, on_tick, authority);
}

/* ---- what the parent says ----------------------------------------------------------------------
 */

static bool on_link(struct authority *authority, struct ipc_message *message,
                    struct mutual_error *err)
{
    authority->lists_s = 0; /* what could not be signed may be signed now */
    return keys_client_link(authority->keys, message, IPC_AUTHORITY, err);
}

/* STREAMS: the number of the worker that has the other ends. */
static bool on_streams(struct authority *authority, struct ipc_message *message,
                       struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(message->payload);
    uint32_t worker = ipc_get_u32(&reader);
    struct mutual_error lost = {0};
    if (!ipc_reader_end(&reader, "streams", err)) {
        return false;
    }
    for (size_t i = 0; i < message->fd_count; i++) {
        if (!streams_add(&authority->streams, ipc_message_take_fd(message, i), worker, &lost)) {
            say(authority, lost.reason);
            break; /* the message closes the rest */
        }
    }
    return true;
}

static bool on_status_wanted(struct authority *authority, struct ipc_message *message,
                             struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(message->payload);
    uint32_t number = ipc_get_u32(&reader);
    return ipc_reader_end(&reader, "status", err) &&
           book_tell(&authority->book, authority->child->parent, number, mu_clock_wall_s(), err);
}

/* LOCAL: a connection of somebody on this machine. */
static bool on_local(struct authority *authority, struct ipc_message *message,
                     struct mutual_error *err)
{
    struct evidence_local local;
    struct mutual_error lost = {0};
    if (!evidence_local_read(message->payload, &local, err)) {
        return false;
    }
    if (message->fd_count == 1 &&
        !streams_add_local(&authority->streams, ipc_message_take_fd(message, 0), &local, &lost)) {
        say(authority, lost.reason);
    }
    return true;
}

static bool dispatch(void *owner, struct ipc_message *message, struct mutual_error *err)
{
    struct authority *authority = owner;
    if (message->type == IPC_MSG_STREAMS) {
        return on_streams(authority, message, err);
    }
    if (message->type == IPC_MSG_STATUS_WANTED) {
        return on_status_wanted(authority, message, err);
    }
    if (message->type == IPC_MSG_LOCAL) {
        return on_local(authority, message, err);
    }
    if (message->type == IPC_MSG_PROBED) {
        return authority_probed(&authority->world, message, err);
    }
    if (message->type == IPC_MSG_LINK) {
        return on_link(authority, message, err);
    }
    authority->over = authority->over || message->type == IPC_MSG_DRAIN;
    return true;
}

static void on_parent(void *owner, uint32_t events)
{
    struct authority *authority = owner;
    struct mutual_error err = {0};
    enum ipc_result result = process_hear(authority->child, events, dispatch, authority, &err);
    authority->over = authority->over || result == IPC_END;
    if (result == IPC_BROKEN) {
        say(authority, err.reason);
        authority->failed = true;
    }
}

/* ---- life --------------------------------------------------------------------------------------
 */

static bool open_place(struct child *child, const char *directory, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf path;
    mu_buf_init(&path, 8192);
    (void)mu_buf_printf(&path, "%s/authority", directory);
    int fd = open(mu_buf_str(&path), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd == -1) {
        return mu_fail(err, MUTUAL_E_FILE_MISSING, "there is no authority in \"%s\"", directory);
    }
    child->places[child->place_count++] = (struct sandbox_place){.fd = fd, .write = true};
    return true;
}

/* Patterns that the configuration's reader has read already. */
static bool read_admins(struct authority *authority, struct mutual_error *err)
{
    for (size_t i = 0; i < authority->setup.admin_count; i++) {
        const struct evidence_admin *from = &authority->setup.admins[i];
        struct admin_holder *to = &authority->holders[i];
        if (from->role <= ADMIN_NOBODY || from->role >= ADMIN_ROLE_COUNT_ ||
            from->type >= MUTUAL_NAME_COUNT_) {
            return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "an administrator has no known role");
        }
        to->role = (enum admin_role)from->role;
        if (!mutual_pattern_parse((enum mutual_name_type)from->type, from->pattern, &to->who,
                                  err)) {
            return false;
        }
        authority->admin.count++;
    }
    authority->admin.holders = authority->holders;
    return true;
}

/* Certificates name where lists and answers are: over plain HTTP where there is that, since asking
 * for them must not need them. */
static bool publish_at(struct authority *authority, struct mutual_error *err)
{
    const char *plain = authority->setup.publish;
    const char *url = authority->setup.url;
    const char *where = plain != NULL && plain[0] != '\0' ? plain : url;
    return ca_set_url(authority->ca, where != NULL && where[0] != '\0' ? where : NULL, err);
}

/* Before the lock-down: the library, and the store, whose server can be connected only now. */
static bool prepare(struct child *child, struct mutual_error *err)
{
    struct authority *authority = mu_alloc(1, sizeof *authority);
    if (authority == NULL) {
        return mu_fail_memory(err);
    }
    child->state = authority;
    authority->child = child;
    authority->publishes = child->role == &authority_publisher_role;
    if (!evidence_setup_read(child->setup, &authority->setup, err) || !mu_ossl_start(err) ||
        !reactor_new(&authority->reactor, err) ||
        !keys_client_new(authority->reactor, &authority->keys, err) ||
        !open_place(child, authority->setup.directory, err) ||
        !ca_open(authority->setup.directory, CA_SERVE, "authority", mu_clock_wall_s(), NULL,
                 &authority->ca, err) ||
        !publish_at(authority, err) || !read_admins(authority, err)) {
        return false;
    }
    store_stay(inventory_store(ca_inventory(authority->ca)));
    authority->key_count = ca_keys_count(authority->ca);
    book_init(&authority->book, authority->ca, authority->keys, !authority->publishes);
    ca_watch_lists(authority->ca, book_list_made, &authority->book);
    authority_signer_init(&authority->signer, authority->keys, &authority->book);
    authority->settings = (struct api_settings){.url = authority->setup.url,
                                                .publish_url = authority->setup.publish,
                                                .server_keygen = authority->setup.keygen,
                                                .grace_s = authority->setup.grace_s,
                                                .admin = &authority->admin};
    authority->acme = (struct acme_settings){.open = authority->setup.acme_open,
                                             .terms = authority->setup.acme_terms};
    if (authority->setup.acme) {
        authority->settings.acme = &authority->acme;
        authority_prober_init(&authority->prober, child->parent);
    }
    authority->world =
        (struct api_world){.ca = authority->ca,
                           .signer = &authority->signer,
                           .settings = &authority->settings,
                           .prober = authority->setup.acme ? &authority->prober : NULL,
                           .log = say,
                           .log_context = authority,
                           .count = book_count,
                           .count_context = &authority->book,
                           .failed = on_failure,
                           .failed_context = authority};
    authority->writes = (struct writes){.parent = child->parent};
    authority->streams = (struct streams){.reactor = authority->reactor,
                                          .world = &authority->world,
                                          .tables = authority_tables,
                                          .table_count = authority_table_count,
                                          .book = &authority->book,
                                          .answered = look_at_store,
                                          .owner = authority};
    streams_init(&authority->streams);
    return true;
}

static void finish(struct authority *authority)
{
    streams_done(&authority->streams);
    reactor_cancel(authority->reactor, &authority->tick);
    authority_signer_done(&authority->signer);
    ca_close(authority->ca);
    keys_client_free(authority->keys);
    reactor_free(authority->reactor);
    book_done(&authority->book);
    for (size_t i = 0; i < authority->admin.count; i++) {
        mutual_pattern_free(authority->holders[i].who);
    }
    evidence_setup_done(&authority->setup);
    mu_free(authority);
}

static int authority_main(struct child *child)
{
    struct authority *authority = child->state;
    struct mutual_error err = {0};
    bool good = reactor_watch(authority->reactor, ipc_channel_fd(child->parent), EVENT_READ,
                              on_parent, authority, &authority->watch, &err);
    reactor_arm_in(authority->reactor, &authority->tick, TICK_S * MU_NS_PER_S, on_tick, authority);
    while (good && !authority->over && !authority->failed) {
        good = reactor_turn(authority->reactor, -1, &err) &&
               process_rewatch(child, authority->reactor, authority->watch, &err);
    }
    good = good && !authority->failed;
    if (err.code != MUTUAL_OK) {
        process_log(child, err.reason);
    }
    finish(authority);
    return good ? 0 : mutual_code_exit(MUTUAL_E_PROCESS_DIED);
}

const struct role authority_role = {
    .name = "authority",
    .party = IPC_AUTHORITY,
    .links = IPC_KEYS,
    .sandbox = &sandbox_authority,
    .nofile = 8192,
    .prepare = prepare,
    .main = authority_main,
};

const struct role authority_publisher_role = {
    .name = "publisher",
    .party = IPC_AUTHORITY,
    .links = IPC_KEYS,
    .sandbox = &sandbox_authority,
    .nofile = 64,
    .prepare = prepare,
    .main = authority_main,
};
