/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parent and the fetch process tell each other.
 */
#include <string.h>

#include "fetch/fetch_internal.h"

enum { HAS_CONTENT = 1, HAS_BELIEVED = 2, HAS_MATERIAL = 4, HAS_LAST = 8, POST = 16 };
enum { HAS_ALL = HAS_CONTENT | HAS_BELIEVED | HAS_MATERIAL | HAS_LAST, BODY_MAX = 65536 };

bool fetch_request_send(struct supervisor *supervisor, const struct supervised *child,
                        const struct fetch_request *request, struct mutual_error *err)
{
    const int given[] = {request->content_fd, request->believed_fd, request->material_fd,
                         request->last_fd};
    int fds[MU_COUNT(given)];
    size_t count = 0;
    uint8_t flags = request->post ? POST : 0;
    for (size_t i = 0; i < MU_COUNT(given); i++) {
        if (given[i] != -1) {
            flags |= (uint8_t)(1u << i);
            fds[count++] = given[i];
        }
    }
    MU_AUTO(buf) struct mu_buf payload;
    mu_buf_init(&payload, MU_LIMIT_MESSAGE_BYTES);
    ipc_put_u32(&payload, request->id);
    ipc_put_u8(&payload, (uint8_t)request->kind);
    ipc_put_u8(&payload, flags);
    ipc_put_u64(&payload, request->max);
    ipc_put_u64(&payload, (uint64_t)request->timeout_ns);
    ipc_put_text(&payload, request->url);
    ipc_put_text(&payload, request->content_type);
    ipc_put_text(&payload, request->accept);
    ipc_put_text(&payload, request->etag);
    ipc_put_text(&payload, request->modified);
    ipc_put_bytes(&payload, request->body);
    return (!payload.failed || mu_fail_memory(err)) &&
           supervisor_send(supervisor, child, IPC_MSG_FETCH, mu_buf_slice(&payload), fds, count,
                           err);
}

bool fetch_request_read(struct ipc_message *message, struct fetch_request *ret_request,
                        struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(message->payload);
    struct fetch_request *request = ret_request;
    *request = (struct fetch_request){
        .content_fd = -1, .believed_fd = -1, .material_fd = -1, .last_fd = -1};
    request->id = ipc_get_u32(&reader);
    uint8_t kind = ipc_get_u8(&reader);
    uint8_t flags = ipc_get_u8(&reader);
    request->max = ipc_get_u64(&reader);
    request->timeout_ns = (int64_t)ipc_get_u64(&reader);
    ipc_get_line(&reader, request->url, sizeof request->url);
    ipc_get_line(&reader, request->content_type, sizeof request->content_type);
    ipc_get_line(&reader, request->accept, sizeof request->accept);
    ipc_get_line(&reader, request->etag, sizeof request->etag);
    ipc_get_line(&reader, request->modified, sizeof request->modified);
    request->body = ipc_get_bytes(&reader, BODY_MAX);
    if (!ipc_reader_end(&reader, "what to fetch", err)) {
        return false;
    }
    request->kind = kind < FETCH_KIND_COUNT_ ? (enum fetch_kind)kind : FETCH_BYTES;
    request->post = (flags & POST) != 0;
    bool material = (flags & HAS_MATERIAL) != 0;
    size_t count = (size_t)__builtin_popcount(flags & HAS_ALL);
    if (kind >= FETCH_KIND_COUNT_ || (flags & HAS_CONTENT) == 0 || count != message->fd_count ||
        (kind != FETCH_BYTES) != material) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED,
                       "what to fetch does not go with its descriptors");
    }
    size_t nth = 0;
    request->content_fd = ipc_message_take_fd(message, nth++);
    request->believed_fd = (flags & HAS_BELIEVED) != 0 ? ipc_message_take_fd(message, nth++) : -1;
    request->material_fd = material ? ipc_message_take_fd(message, nth++) : -1;
    request->last_fd = (flags & HAS_LAST) != 0 ? ipc_message_take_fd(message, nth) : -1;
    return true;
}

void fetch_material_write(struct mu_buf *out, const struct fetch_material *material)
{
    ipc_put_u8(out, material->allow_intermediates ? 1 : 0);
    ipc_put_bytes(out, material->anchors);
    ipc_put_bytes(out, material->intermediates);
}

bool fetch_material_read(struct mu_slice bytes, struct fetch_material *ret_material,
                         struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(bytes);
    ret_material->allow_intermediates = ipc_get_u8(&reader) != 0;
    ret_material->anchors = ipc_get_bytes(&reader, MU_LIMIT_PEM_BYTES);
    ret_material->intermediates = ipc_get_bytes(&reader, MU_LIMIT_PEM_BYTES);
    return ipc_reader_end(&reader, "what a list is judged by", err);
}

void fetch_about_write(struct mu_buf *out, const struct fetch_about *about)
{
    ipc_put_bytes(out, about->leaf);
    ipc_put_bytes(out, about->issuer);
}

bool fetch_about_read(struct mu_slice bytes, struct fetch_about *ret_about,
                      struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(bytes);
    ret_about->leaf = ipc_get_bytes(&reader, MU_LIMIT_CERT_BYTES);
    ret_about->issuer = ipc_get_bytes(&reader, MU_LIMIT_CERT_BYTES);
    return ipc_reader_end(&reader, "whom a response is about", err);
}

bool fetch_want_send(struct ipc_channel *parent, const struct fetch_want *want,
                     struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf payload;
    mu_buf_init(&payload, 8);
    ipc_put_u32(&payload, want->id);
    ipc_put_u16(&payload, want->port);
    ipc_put_u16(&payload, want->attempt);
    return (!payload.failed || mu_fail_memory(err)) &&
           ipc_send(parent, IPC_MSG_FETCH_SOCKET_WANTED, mu_buf_slice(&payload), NULL, 0, err);
}

bool fetch_want_read(const struct ipc_message *message, struct fetch_want *ret_want,
                     struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(message->payload);
    ret_want->id = ipc_get_u32(&reader);
    ret_want->port = ipc_get_u16(&reader);
    ret_want->attempt = ipc_get_u16(&reader);
    return ipc_reader_end(&reader, "which socket is wanted", err);
}

bool fetch_socket_send(struct supervisor *supervisor, const struct supervised *child, uint32_t id,
                       int fd, const struct mutual_error *why, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf payload;
    mu_buf_init(&payload, 4096);
    ipc_put_u32(&payload, id);
    ipc_put_u8(&payload, fd != -1 ? 1 : 0);
    if (fd == -1) {
        ipc_put_error(&payload, why);
    }
    return (!payload.failed || mu_fail_memory(err)) &&
           supervisor_send(supervisor, child, IPC_MSG_FETCH_SOCKET, mu_buf_slice(&payload), &fd,
                           fd != -1 ? 1 : 0, err);
}

bool fetch_socket_read(struct ipc_message *message, uint32_t *ret_id, int *ret_fd,
                       struct mutual_error *ret_why, struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(message->payload);
    *ret_id = ipc_get_u32(&reader);
    bool there = ipc_get_u8(&reader) != 0;
    if (!there) {
        ipc_get_error(&reader, ret_why);
    }
    if (!ipc_reader_end(&reader, "a socket", err)) {
        return false;
    }
    if (message->fd_count != (there ? 1u : 0u) || (!there && ret_why->code == MUTUAL_OK)) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "a socket is announced and none is there");
    }
    *ret_fd = there ? ipc_message_take_fd(message, 0) : -1;
    return true;
}

bool fetch_outcome_send(struct ipc_channel *parent, const struct fetch_outcome *outcome,
                        struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf payload;
    mu_buf_init(&payload, 8192);
    bool ok = outcome->error.code == MUTUAL_OK;
    ipc_put_u32(&payload, outcome->id);
    ipc_put_u8(&payload, ok ? 1 : 0);
    ipc_put_u16(&payload, (uint16_t)outcome->status);
    ipc_put_u64(&payload, outcome->bytes);
    ipc_put_u64(&payload, (uint64_t)outcome->fresh_s);
    ipc_put_u64(&payload, (uint64_t)outcome->this_update_s);
    ipc_put_u64(&payload, (uint64_t)outcome->next_update_s);
    ipc_put_u64(&payload, (uint64_t)outcome->produced_s);
    ipc_put_text(&payload, outcome->etag);
    ipc_put_text(&payload, outcome->modified);
    if (!ok) {
        ipc_put_error(&payload, &outcome->error);
    }
    return (!payload.failed || mu_fail_memory(err)) &&
           ipc_send(parent, IPC_MSG_FETCH_DONE, mu_buf_slice(&payload), NULL, 0, err);
}

bool fetch_outcome_read(const struct ipc_message *message, struct fetch_outcome *ret_outcome,
                        struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(message->payload);
    struct fetch_outcome *outcome = ret_outcome;
    *outcome = (struct fetch_outcome){0};
    outcome->id = ipc_get_u32(&reader);
    bool ok = ipc_get_u8(&reader) != 0;
    outcome->status = ipc_get_u16(&reader);
    outcome->bytes = ipc_get_u64(&reader);
    outcome->fresh_s = (int64_t)ipc_get_u64(&reader);
    outcome->this_update_s = (int64_t)ipc_get_u64(&reader);
    outcome->next_update_s = (int64_t)ipc_get_u64(&reader);
    outcome->produced_s = (int64_t)ipc_get_u64(&reader);
    ipc_get_line(&reader, outcome->etag, sizeof outcome->etag);
    ipc_get_line(&reader, outcome->modified, sizeof outcome->modified);
    if (!ok) {
        ipc_get_error(&reader, &outcome->error);
    }
    if (!ipc_reader_end(&reader, "what was fetched", err)) {
        return false;
    }
    bool good = ok && (outcome->status == 200 || outcome->status == 304);
    if (!good && (ok || outcome->error.code == MUTUAL_OK)) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "what was fetched does not fit together");
    }
    return true;
}
