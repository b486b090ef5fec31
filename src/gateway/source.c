/* SPDX-License-Identifier: Apache-2.0
 *
 * One thing that is fetched: the request for it, the connections for that, and its part of the
 * status. The parent reads nothing of what comes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gateway/source_internal.h"

enum { SOCKETS_MAX = 32, NETWORKS_MAX = 64 }; /* of one fetch, its redirects included */

static bool keep_path(const struct config *config, enum source_kind kind, const char *owner,
                      const char *url, struct mu_buf *path)
{
    return kind == SOURCE_LIST ? config_fetched_path(&config->fetch, owner, url, path)
                               : config_staple_path(&config->fetch, owner, path);
}

struct source *source_new(struct fetching *fetching, const struct config *config,
                          enum source_kind kind, const char *owner, const char *url)
{
    struct source *source = mu_alloc(1, sizeof *source);
    MU_AUTO(buf) struct mu_buf path;
    struct mutual_error lost = {0};
    mu_buf_init(&path, 8192);
    if (source == NULL || !keep_path(config, kind, owner, url, &path)) {
        mu_free(source);
        return NULL;
    }
    source->fetching = fetching;
    source->kind = kind;
    source->content_fd = -1;
    source->owner = mu_strdup(owner);
    source->url = mu_strdup(url);
    source->path = mu_strdup(mu_buf_str(&path));
    if (source->owner == NULL || source->url == NULL || source->path == NULL ||
        !http_url_parse(mu_slice_text(source->url), &source->parts, &lost)) {
        source_free(source, NULL);
        return NULL;
    }
    (void)snprintf(source->host, sizeof source->host, "%.*s", (int)source->parts.host.len,
                   (const char *)source->parts.host.data);
    source->has_kept = fetch_kept_load(source->path, &source->kept);
    source->good_s = source->kept.fetched_s;
    return source;
}

void source_follow_chain(struct source *source, const struct world_chain *chain)
{
    const struct mu_cert_facts *leaf = mu_cert_facts(chain->certs[0]);
    MU_AUTO(buf) struct mu_buf hex;
    mu_buf_init(&hex, sizeof source->about);
    mu_hex(&hex, mu_slice_of(leaf->fingerprint, sizeof leaf->fingerprint));
    (void)snprintf(source->about, sizeof source->about, "%s", mu_buf_str(&hex));
    source->must_staple = leaf->must_staple;
    if (strcmp(source->kept.about, source->about) != 0) {
        source->has_kept = false;
        source->kept = (struct fetch_kept){0};
    }
}

bool source_holds(const struct source *source, int64_t now_s)
{
    return source->has_kept && now_s < source->kept.next_update_s;
}

void source_free(struct source *source, struct reactor *reactor)
{
    if (source == NULL) {
        return;
    }
    if (reactor != NULL) {
        reactor_cancel(reactor, &source->timer);
    }
    source_forget_content(source);
    resolve_stop(source->resolver);
    resolve_names_done(&source->names);
    mu_free(source->owner);
    mu_free(source->url);
    mu_free(source->path);
    mu_free(source);
}

void source_forget_content(struct source *source)
{
    if (source->content_fd != -1) {
        (void)close(source->content_fd);
        source->content_fd = -1;
    }
}

/* ---- the request -------------------------------------------------------------------------------
 */

/* Files of the snapshot, one behind the other. */
static bool join_files(const struct setup *setup, const struct config_texts *paths,
                       struct mu_buf *out, struct mutual_error *err)
{
    for (size_t i = 0; i < paths->count; i++) {
        struct mu_slice bytes;
        if (paths->items[i] != NULL &&
            config_snapshot_find(setup->snapshot, paths->items[i], &bytes)) {
            (void)mu_buf_append(out, bytes.data, bytes.len);
            (void)mu_buf_byte(out, '\n');
        }
    }
    return !out->failed || mu_fail(err, MUTUAL_E_LIMIT, "a trust bundle is too large to fetch by");
}

bool source_memory_file(struct mu_slice bytes, int *ret_fd, struct mutual_error *err)
{
    int fd = memfd_create("mutual-fetch", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd == -1 || !mu_fd_write(fd, bytes.data, bytes.len)) {
        int sys = errno;
        if (fd != -1) {
            (void)close(fd);
        }
        return mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, sys, "could not make a memory file");
    }
    *ret_fd = fd;
    return true;
}

/* Whose signatures make the list good. */
static bool put_material(const struct setup *setup, const char *name, int *ret_fd,
                         struct mutual_error *err)
{
    const struct config_trust *trust = config_trust_find(setup->world->config, name);
    MU_AUTO(buf) struct mu_buf anchors;
    MU_AUTO(buf) struct mu_buf more;
    MU_AUTO(buf) struct mu_buf all;
    mu_buf_init(&anchors, MU_LIMIT_PEM_BYTES);
    mu_buf_init(&more, MU_LIMIT_PEM_BYTES);
    mu_buf_init(&all, 2 * (MU_LIMIT_PEM_BYTES + 8));
    if (!join_files(setup, &trust->bundle, &anchors, err) ||
        !join_files(setup, &trust->intermediates, &more, err)) {
        return false;
    }
    const struct fetch_material material = {trust->allow_intermediate_anchors,
                                            mu_buf_slice(&anchors), mu_buf_slice(&more)};
    fetch_material_write(&all, &material);
    return (!all.failed || mu_fail_memory(err)) &&
           source_memory_file(mu_buf_slice(&all), ret_fd, err);
}

/* Whom to believe for https. */
static bool put_believed(const struct setup *setup, int *ret_fd, struct mutual_error *err)
{
    const struct config *config = setup->world->config;
    const struct config_trust *trust =
        config->fetch.trust == NULL ? NULL : config_trust_find(config, config->fetch.trust);
    MU_AUTO(buf) struct mu_buf anchors;
    mu_buf_init(&anchors, MU_LIMIT_PEM_BYTES);
    return trust == NULL || (join_files(setup, &trust->bundle, &anchors, err) &&
                             source_memory_file(mu_buf_slice(&anchors), ret_fd, err));
}

static void close_fds(const struct fetch_request *request)
{
    const int fds[] = {request->believed_fd, request->material_fd, request->last_fd};
    for (size_t i = 0; i < MU_COUNT(fds); i++) {
        if (fds[i] != -1) {
            (void)close(fds[i]);
        }
    }
}

static bool send_list(struct source *source, struct parent *parent, const struct supervised *child,
                      struct fetch_request *request, struct mutual_error *err)
{
    request->kind = FETCH_CRL;
    request->max = MU_LIMIT_FETCH_BYTES;
    request->last_fd = open(source->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    (void)snprintf(request->accept, sizeof request->accept, "application/pkix-crl, */*;q=0.1");
    if (source->has_kept) {
        (void)snprintf(request->etag, sizeof request->etag, "%s", source->kept.etag);
        (void)snprintf(request->modified, sizeof request->modified, "%s", source->kept.modified);
    }
    return put_material(parent->current, source->owner, &request->material_fd, err) &&
           fetch_request_send(parent->supervisor, child, request, err);
}

/* The chain of that file, as it is in use. */
static const struct world_chain *chain_of(const struct world *world, const char *path)
{
    for (size_t i = 0; i < world->service_count; i++) {
        for (size_t k = 0; k < world->services[i].chain_count; k++) {
            const struct world_chain *chain = &world->services[i].chains[k];
            if (chain->staple_url != NULL && strcmp(chain->config->chain, path) == 0) {
                return chain;
            }
        }
    }
    return NULL;
}

static bool put_about(const struct world_chain *chain, int *ret_fd, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf all;
    mu_buf_init(&all, 2 * (MU_LIMIT_CERT_BYTES + 8));
    const struct fetch_about about = {mu_cert_facts(chain->certs[0])->der,
                                      mu_cert_facts(chain->staple_issuer)->der};
    fetch_about_write(&all, &about);
    return (!all.failed || mu_fail_memory(err)) &&
           source_memory_file(mu_buf_slice(&all), ret_fd, err);
}

/* RFC 6960 section A.1, with the identifiers that every responder knows, and without a nonce: what
 * is sent on to others has to be made for all. */
static bool send_staple(struct source *source, struct parent *parent,
                        const struct supervised *child, struct fetch_request *request,
                        struct mutual_error *err)
{
    const struct world_chain *chain = chain_of(parent->current->world, source->owner);
    MU_AUTO(buf) struct mu_buf body;
    mu_buf_init(&body, 4096);
    request->kind = FETCH_STAPLE;
    request->max = MU_LIMIT_OCSP_BYTES;
    request->post = true;
    (void)snprintf(request->content_type, sizeof request->content_type, "application/ocsp-request");
    (void)snprintf(request->accept, sizeof request->accept, "application/ocsp-response");
    (void)snprintf(source->sent_about, sizeof source->sent_about, "%s", source->about);
    if (chain == NULL) {
        return mu_fail(err, MUTUAL_E_NOT_FOUND, "nothing is served with \"%s\" any more",
                       source->owner);
    }
    if (!mu_ocsp_request_build(chain->certs[0], chain->staple_issuer, MU_OCSP_SHA1,
                               mu_slice_of(NULL, 0), &body, err)) {
        return false;
    }
    request->body = mu_buf_slice(&body);
    return put_about(chain, &request->material_fd, err) &&
           fetch_request_send(parent->supervisor, child, request, err);
}

bool source_send(struct source *source, struct parent *parent, const struct supervised *child,
                 struct mutual_error *err)
{
    const struct setup *setup = parent->current;
    struct fetch_request request = {
        .id = source->id,
        .timeout_ns = setup->world->config->fetch.timeout_ns,
        .content_fd = -1,
        .believed_fd = -1,
        .material_fd = -1,
        .last_fd = -1,
    };
    (void)snprintf(request.url, sizeof request.url, "%s", source->url);
    source->sockets = 0;
    source_forget_content(source);
    bool done = source_memory_file(mu_slice_of(NULL, 0), &source->content_fd, err) &&
                (!source->parts.secure || put_believed(setup, &request.believed_fd, err)) &&
                (request.content_fd = source->content_fd) != -1 &&
                (source->kind == SOURCE_LIST ? send_list(source, parent, child, &request, err)
                                             : send_staple(source, parent, child, &request, err));
    close_fds(&request);
    return done;
}

/* ---- connections -------------------------------------------------------------------------------
 */

static void set_port(struct sockaddr_storage *address, uint16_t port)
{
    union {
        struct sockaddr_storage *any;
        struct sockaddr_in *v4;
        struct sockaddr_in6 *v6;
    } at = {address};
    if (address->ss_family == AF_INET) {
        at.v4->sin_port = htons(port);
    } else {
        at.v6->sin6_port = htons(port);
    }
}

/* The URL's own, and that of https where http leads to it. */
static bool is_port_allowed(const struct source *source, uint16_t port)
{
    bool upgrade = !source->parts.secure && source->parts.port == 80 && port == 443;
    return port == source->parts.port || upgrade;
}

static size_t read_networks(const struct config_fetch *config,
                            struct config_network networks[NETWORKS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < config->private_networks.count && count < NETWORKS_MAX; i++) {
        struct mutual_error lost = {0};
        count += config_network_parse(config->private_networks.items[i], &networks[count], &lost);
    }
    return count;
}

static int begin_connect(const struct address *address, uint16_t port, struct mutual_error *err)
{
    struct sockaddr_storage to = address->socket;
    set_port(&to, port);
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == -1 ||
        (connect(fd, (const struct sockaddr *)&to, address->len) == -1 && errno != EINPROGRESS)) {
        int sys = errno;
        if (fd != -1) {
            (void)close(fd);
        }
        (void)mu_fail_errno(err, MUTUAL_E_CONNECT_FAILED, sys, "could not connect");
        return -1;
    }
    return fd;
}

bool source_connect(struct source *source, const struct config_fetch *config,
                    const struct fetch_want *want, int *ret_fd, struct mutual_error *err)
{
    if (!config_fetch_allows(config, source->parts.host)) {
        return mu_fail(err, MUTUAL_E_FETCH_FORBIDDEN, "fetch.allow does not name the host \"%s\"",
                       source->host);
    }
    if (!is_port_allowed(source, want->port) || source->sockets++ == SOCKETS_MAX) {
        return mu_fail(err, MUTUAL_E_FETCH_FORBIDDEN, "port %u was asked for, or too much",
                       want->port);
    }
    return source_connect_to(&source->names.items[0].targets, source->host, config, want, ret_fd,
                             err);
}

bool source_connect_to(const struct targets *targets, const char *host,
                       const struct config_fetch *config, const struct fetch_want *want,
                       int *ret_fd, struct mutual_error *err)
{
    struct config_network networks[NETWORKS_MAX];
    size_t network_count = read_networks(config, networks);
    size_t nth = 0;
    (void)mu_fail(err, MUTUAL_E_CONNECT_FAILED, "\"%s\" has no further address", host);
    for (size_t i = 0; i < targets->count; i++) {
        struct mutual_error why = {0};
        if (!fetch_address_check(&targets->items[i].socket, networks, network_count, &why)) {
            *err = nth == 0 ? why : *err;
            continue;
        }
        if (nth++ < want->attempt) {
            continue;
        }
        int fd = begin_connect(&targets->items[i], want->port, &why);
        if (fd != -1) {
            *ret_fd = fd;
            return true;
        }
        *err = why;
    }
    return false;
}

/* ---- the status --------------------------------------------------------------------------------
 */

static void put_time(struct mu_json *json, const char *key, int64_t time_s)
{
    char text[MU_TIME_TEXT];
    mu_json_string(json, key, time_s == 0 ? NULL : mu_time_format(time_s, text));
}

void source_json(const struct source *source, struct mu_json *json)
{
    bool bad = source->why.code != MUTUAL_OK;
    mu_json_open(json, NULL, '{');
    mu_json_string(json, "url", source->url);
    mu_json_string(json, "trust", source->kind == SOURCE_LIST ? source->owner : NULL);
    mu_json_string(json, "chain", source->kind == SOURCE_STAPLE ? source->owner : NULL);
    mu_json_string(json, "file", source->path);
    put_time(json, "last_success", source->good_s);
    put_time(json, "last_attempt", source->tried_s);
    put_time(json, "next_attempt", source->next_s);
    put_time(json, "next_update", source->kept.next_update_s);
    mu_json_int(json, "bytes", (int64_t)source->bytes);
    mu_json_int(json, "fetched", (int64_t)source->count_new);
    mu_json_int(json, "unchanged", (int64_t)source->count_same);
    mu_json_int(json, "failed", (int64_t)source->count_failed);
    mu_json_string(json, "code", bad ? mutual_code_name(source->why.code) : NULL);
    mu_json_string(json, "why", bad ? source->why.reason : NULL);
    mu_json_close(json, '}');
}

void source_staple_json(const struct source *source, struct mu_json *json)
{
    bool bad = source->why.code != MUTUAL_OK;
    mu_json_string(json, "source", "fetched");
    mu_json_string(json, "url", source->url);
    mu_json_bool(json, "good", source_holds(source, mu_clock_wall_s()));
    put_time(json, "produced", source->kept.produced_s);
    put_time(json, "this_update", source->kept.this_update_s);
    put_time(json, "next_update", source->kept.next_update_s);
    put_time(json, "next_attempt", source->next_s);
    mu_json_string(json, "code", bad ? mutual_code_name(source->why.code) : NULL);
    mu_json_string(json, "why", bad ? source->why.reason : NULL);
}
