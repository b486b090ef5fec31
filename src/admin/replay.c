/* SPDX-License-Identifier: Apache-2.0
 *
 * Idempotency-Key: a request that is sent again, because its answer was lost, is answered again and
 * does nothing twice. The mark is taken in the store before anything is done, so a process that is
 * killed in between leaves a request of which is said that nobody knows, not one that is done
 * again. Of answers that are shown once, a token or a key, nothing is kept but that they were
 * given.
 */
#include <string.h>

#include "admin/admin_internal.h"

enum { KEY_MAX = 255, ANSWER_MAX = 1 << 20 };

/* By whom: a certificate, not a name, for two may have a name in common, and neither is to get what
 * was answered to the other. */
static void put_caller(const struct api_caller *caller, struct mu_buf *out)
{
    if (caller->leaf != NULL) {
        mu_buf_text(out, "certificate ");
        mu_hex(out, mu_slice_of(mu_cert_facts(caller->leaf)->fingerprint, 32));
    } else {
        mu_buf_printf(out, "user %s", caller->user != NULL ? caller->user : "");
    }
}

static bool make_mark(const struct admin_call *call, struct mu_slice key, uint8_t mark[32],
                      struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf bytes;
    mu_buf_init(&bytes, 16384);
    mu_buf_text(&bytes, "mutual idempotency 1\n");
    put_caller(call->request->caller, &bytes);
    mu_buf_byte(&bytes, '\n');
    mu_buf_append(&bytes, key.data, key.len);
    return bytes.failed ? mu_fail_memory(err) : mu_sha256(mu_buf_slice(&bytes), mark, err);
}

static bool make_digest(const struct admin_call *call, uint8_t digest[32], struct mutual_error *err)
{
    const struct api_request *request = call->request;
    MU_AUTO(buf) struct mu_buf bytes;
    mu_buf_init(&bytes, 2 * MU_LIMIT_API_BODY);
    mu_buf_append(&bytes, request->head->method.data, request->head->method.len);
    mu_buf_byte(&bytes, ' ');
    mu_buf_append(&bytes, request->head->target.data, request->head->target.len);
    mu_buf_byte(&bytes, '\n');
    mu_buf_append(&bytes, request->body.data, request->body.len);
    return bytes.failed ? mu_fail_memory(err) : mu_sha256(mu_buf_slice(&bytes), digest, err);
}

/* What was made is where it was said to be the first time. */
static void put_location_again(struct admin_call *call, struct mu_slice body)
{
    struct mutual_error none = {0};
    MU_AUTO(api_json) json_t *made = NULL;
    if (call->response->status == 201 &&
        api_json_object(body, "the answer", MUTUAL_E_JSON_MALFORMED, &made, &none) &&
        admin_text(made, "serial") != NULL) {
        admin_put_location(call, admin_text(made, "serial"));
    }
}

static bool answer_again(struct admin_call *call, const struct inventory_replay *asked,
                         const struct inventory_replay *before, struct mutual_error *err)
{
    if (!mu_slice_equal(asked->digest, before->digest)) {
        return mu_fail(err, MUTUAL_E_REPEATED, "this Idempotency-Key was used for another request");
    }
    if (before->status == 0) {
        return mu_fail(err, MUTUAL_E_REPEATED,
                       "this request began and was cut off: whether it was done is not known");
    }
    if (before->type[0] == '\0') {
        return mu_fail(err, MUTUAL_E_REPEATED,
                       "this was done, and what it showed is shown only once") ||
               mu_error_hint(err, "Take back what it made, and make another under another key.");
    }
    call->response->status = before->status;
    api_field(call->response, "Idempotency-Replayed", "true");
    put_location_again(call, before->body);
    return mu_buf_append(&call->response->body, before->body.data, before->body.len) ||
           mu_fail_memory(err);
}

/* What was done is done, whether its answer can be kept or not: then the mark stays without. */
static void keep(struct admin_call *call, struct inventory_replay *replay)
{
    struct mutual_error lost = {0};
    bool secret = (call->operation->traits & ADMIN_SECRET) != 0;
    bool large = call->response->body.len > ANSWER_MAX;
    replay->status = call->response->status;
    replay->type = secret || large ? "" : "application/json";
    replay->body = secret || large ? mu_slice_of(NULL, 0) : mu_buf_slice(&call->response->body);
    if (!inventory_replay_end(ca_inventory(call->ca), replay, &lost)) {
        api_log(call->world, "the answer to an Idempotency-Key of %s was not kept: %s",
                call->request->who, lost.reason);
    }
}

/* A refusal changed nothing, and may be asked again; so may a certificate that could not be signed,
 * for it is committed with its signature. A revocation is committed before the list is signed that
 * tells of it: `stands`. Other errors of the system may have come after the change as well: their
 * mark stays. */
static void let_go(struct admin_call *call, struct mu_slice mark, const struct mutual_error *why)
{
    struct mutual_error lost = {0};
    bool undone =
        !call->stands && (api_status_of(why) < 500 || why->code == MUTUAL_E_KEY_UNAVAILABLE);
    if (undone && !inventory_replay_forget(ca_inventory(call->ca), mark, &lost)) {
        api_log(call->world, "an Idempotency-Key of %s stays taken: %s", call->request->who,
                lost.reason);
    }
}

static bool once(struct admin_call *call, struct mu_slice key, struct mu_arena *arena,
                 struct mutual_error *err)
{
    uint8_t mark[32] = {0};
    uint8_t digest[32] = {0};
    struct inventory_replay before;
    struct inventory_replay replay = {.mark = mu_slice_of(mark, 32),
                                      .digest = mu_slice_of(digest, 32)};
    bool taken = false;
    if (!make_mark(call, key, mark, err) || !make_digest(call, digest, err) ||
        !inventory_replay_begin(ca_inventory(call->ca), &replay, call->request->now_s, arena,
                                &taken, &before, err)) {
        return false;
    }
    if (!taken) {
        return answer_again(call, &replay, &before, err);
    }
    if (!call->operation->handle(call, err)) {
        let_go(call, replay.mark, err);
        return false;
    }
    keep(call, &replay);
    return true;
}

bool admin_once(struct admin_call *call, struct mutual_error *err)
{
    struct mu_slice key;
    size_t count = http_field_count(call->request->head, "Idempotency-Key");
    if (count == 0) {
        return call->operation->handle(call, err);
    }
    if (!http_field_find(call->request->head, "Idempotency-Key", &key) || key.len == 0 ||
        key.len > KEY_MAX) {
        return mu_fail(err, MUTUAL_E_OPTION_VALUE,
                       "an Idempotency-Key has 1 to %d bytes, and there is one", KEY_MAX);
    }
    struct mu_arena *arena = mu_arena_new(2 * ANSWER_MAX);
    if (arena == NULL) {
        return mu_fail_memory(err);
    }
    bool good = once(call, key, arena, err);
    mu_arena_free(arena);
    return good;
}
