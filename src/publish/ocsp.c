/* SPDX-License-Identifier: Apache-2.0
 *
 * The OCSP responder (RFC 6960, RFC 5019). The store is asked about every certificate every time;
 * what is kept is the signature: a response that said the same a while ago serves again until half
 * its life is over. A nonce, or several certificates at once, are signed for the caller alone, and
 * so is what is not kept yet; there are only so many signatures in a second.
 */
#include "publish/publish_internal.h"

#include <string.h>

#define SLOTS        32768u /* a kilobyte each, once they are used */
#define KEPT_BYTES   4096u
#define RATE_A_SEC   200
#define RATE_BURST   400
#define UNKNOWN_S    300 /* it may be issued in a moment */
#define PATH_MAX_LEN (MU_LIMIT_OCSP_BYTES / 4u)

/* ---- what is kept ---------------------------------------------------------------------------- */

struct kept {
    uint8_t name[32]; /* of the question: issuer, hash, serial */
    struct inventory_status status;
    int64_t this_s, next_s;
    struct mu_buf der;
};
static struct {
    struct kept slots[SLOTS];
    int64_t second; /* the bucket of signatures */
    int64_t left;
} desk;

void publish_ocsp_reset(void)
{
    for (size_t i = 0; i < SLOTS; i++) {
        mu_buf_done(&desk.slots[i].der);
    }
    memset(&desk, 0, sizeof desk);
}

/* One question has one slot; who shares it takes turns. */
static struct kept *slot_of(const char *issuer, const struct mu_ocsp_id *id, uint8_t ret_name[32])
{
    MU_AUTO(buf) struct mu_buf question;
    mu_buf_init(&question, 256);
    mu_buf_printf(&question, "%s %d ", issuer, (int)id->hash);
    mu_buf_append(&question, id->serial.data, id->serial.len);
    if (question.failed || !mu_sha256(mu_buf_slice(&question), ret_name, NULL)) {
        return NULL;
    }
    return &desk.slots[mu_get_be32(ret_name) % SLOTS];
}

static bool same_status(const struct inventory_status *a, const struct inventory_status *b)
{
    return a->issued == b->issued && a->revoked == b->revoked && a->revoked_s == b->revoked_s &&
           a->reason == b->reason;
}

/* It says what the store says, and half its life is not over. */
static bool serves(const struct kept *kept, const uint8_t name[32],
                   const struct inventory_status *status, int64_t now_s)
{
    return kept->der.len > 0 && memcmp(kept->name, name, 32) == 0 &&
           same_status(&kept->status, status) && now_s >= kept->this_s &&
           now_s < kept->this_s + (kept->next_s - kept->this_s) / 2;
}

static void keep(struct kept *slot, const uint8_t name[32], const struct inventory_status *status,
                 const struct mu_ocsp_answer *answer, const struct mu_buf *der)
{
    mu_buf_done(&slot->der);
    mu_buf_init(&slot->der, KEPT_BYTES);
    if (!mu_buf_append(&slot->der, der->data, der->len)) {
        mu_buf_done(&slot->der);
        slot->der = (struct mu_buf){0};
        return;
    }
    memcpy(slot->name, name, 32);
    slot->status = *status;
    slot->this_s = answer->this_update_s;
    slot->next_s = answer->next_update_s;
}

static bool may_sign(int64_t now_s)
{
    if (now_s != desk.second) {
        int64_t more = now_s > desk.second ? (now_s - desk.second) * RATE_A_SEC : RATE_A_SEC;
        desk.left = more >= RATE_BURST || desk.left + more >= RATE_BURST || desk.second == 0
                        ? RATE_BURST
                        : desk.left + more;
        desk.second = now_s;
    }
    if (desk.left <= 0) {
        return false;
    }
    desk.left--;
    return true;
}

/* ---- the answer ------------------------------------------------------------------------------ */

static void fail_answer(const struct api_world *world, struct publish_answer *answer,
                        enum mu_ocsp_failure failure)
{
    static const char *const words[] = {
        [MU_OCSP_MALFORMED_REQUEST] = "malformed_request",
        [MU_OCSP_INTERNAL_ERROR] = "internal_error",
        [MU_OCSP_TRY_LATER] = "try_later",
        [MU_OCSP_SIG_REQUIRED] = "sig_required",
        [MU_OCSP_UNAUTHORIZED] = "unauthorized",
    };
    api_count(world, API_TOLD, words[failure], "", "");
    mu_buf_clear(answer->der);
    answer->age.etag = NULL;
    (void)mu_ocsp_build_failure(failure, answer->der);
}

/* The issuer that the question is about; all of a request must be about one, since one signs. */
static bool select_for(struct ca *ca, const struct mu_ocsp_request_facts *facts,
                       const char **ret_word)
{
    const char *word;
    for (size_t i = 0; (word = ca_issuer_word(ca, i)) != NULL; i++) {
        struct mu_ocsp_issuer by;
        if (!ca_select(ca, word, NULL) || !mu_ocsp_issuer_of(ca_issuer(ca), &by, NULL)) {
            return false;
        }
        size_t ours = 0;
        while (ours < facts->count && mu_ocsp_id_of(&facts->ids[ours], &by)) {
            ours++;
        }
        if (ours == facts->count) {
            *ret_word = word;
            return true;
        }
    }
    return false;
}

static struct mu_ocsp_answer answer_of(const struct mu_ocsp_id *id,
                                       const struct inventory_status *status, int64_t now_s)
{
    return (struct mu_ocsp_answer){
        .id = *id,
        .status = status->revoked  ? MU_OCSP_REVOKED
                  : status->issued ? MU_OCSP_GOOD
                                   : MU_OCSP_UNKNOWN,
        .revoked_at_s = status->revoked_s,
        .reason = status->reason,
        .this_update_s = now_s,
        .next_update_s = now_s + (status->issued ? CA_OCSP_LIFE_S : UNKNOWN_S),
    };
}

static void set_age(struct publish_answer *answer, int64_t this_s, int64_t next_s, int64_t now_s)
{
    uint8_t hash[32];
    MU_AUTO(buf) struct mu_buf hex;
    mu_buf_init(&hex, 80);
    if (!mu_sha256(mu_buf_slice(answer->der), hash, NULL)) {
        return;
    }
    mu_hex(&hex, mu_slice_of(hash, 16));
    memcpy(answer->etag, mu_buf_str(&hex), sizeof answer->etag);
    answer->age = (struct publish_age){.this_s = this_s,
                                       .next_s = next_s,
                                       .fresh_s = this_s + (next_s - this_s) / 2 - now_s,
                                       .etag = answer->etag};
}

static bool sign(struct api_world *world, const struct mu_ocsp_answer *answers, size_t count,
                 struct mu_slice nonce, int64_t now_s, struct publish_answer *answer)
{
    struct mutual_error err = {0};
    if (!may_sign(now_s)) {
        fail_answer(world, answer, MU_OCSP_TRY_LATER);
        return false;
    }
    if (ca_ocsp_sign(world->ca, world->signer, answers, count, nonce, now_s, answer->der, &err)) {
        return true;
    }
    api_log(world, "OCSP: %s", err.reason);
    fail_answer(world, answer,
                err.code == MUTUAL_E_KEY_UNAVAILABLE ? MU_OCSP_TRY_LATER : MU_OCSP_INTERNAL_ERROR);
    return false;
}

/* What an answer that was given says of each certificate. */
static void count_told(const struct api_world *world, const struct mu_ocsp_answer *answers,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        api_count(world, API_TOLD,
                  answers[i].status == MU_OCSP_GOOD      ? "good"
                  : answers[i].status == MU_OCSP_REVOKED ? "revoked"
                                                         : "unknown",
                  "", "");
    }
}

static bool answer_one(struct api_world *world, const char *issuer,
                       const struct mu_ocsp_answer *one, const struct inventory_status *status,
                       int64_t now_s, struct publish_answer *answer)
{
    uint8_t name[32];
    struct kept *slot = slot_of(issuer, &one->id, name);
    if (slot != NULL && serves(slot, name, status, now_s)) {
        mu_buf_append(answer->der, slot->der.data, slot->der.len);
        set_age(answer, slot->this_s, slot->next_s, now_s);
        return true;
    }
    if (!sign(world, one, 1, mu_slice_of(NULL, 0), now_s, answer)) {
        return false;
    }
    if (slot != NULL) {
        keep(slot, name, status, one, answer->der);
    }
    set_age(answer, one->this_update_s, one->next_update_s, now_s);
    return true;
}

static void answer_facts(struct api_world *world, const struct mu_ocsp_request_facts *facts,
                         int64_t now_s, struct publish_answer *answer)
{
    struct mu_ocsp_answer answers[MU_LIMIT_OCSP_ANSWERS];
    struct inventory_status status = {0};
    struct mutual_error err = {0};
    const char *word = NULL;
    if (!select_for(world->ca, facts, &word)) {
        fail_answer(world, answer, MU_OCSP_UNAUTHORIZED); /* RFC 5019 section 2.2.3 */
        return;
    }
    for (size_t i = 0; i < facts->count; i++) {
        if (!ca_status(world->ca, facts->ids[i].serial, &status, &err)) {
            api_log(world, "OCSP: %s", err.reason);
            fail_answer(world, answer, MU_OCSP_TRY_LATER);
            return;
        }
        answers[i] = answer_of(&facts->ids[i], &status, now_s);
    }
    bool told = facts->count == 1 && facts->nonce.data == NULL
                    ? answer_one(world, word, &answers[0], &status, now_s, answer)
                    : sign(world, answers, facts->count, facts->nonce, now_s, answer);
    if (told) {
        count_told(world, answers, facts->count);
    }
}

void publish_ocsp_answer(struct api_world *world, struct mu_slice request, int64_t now_s,
                         struct publish_answer *answer)
{
    MU_AUTO(ocsp_request) struct mu_ocsp_request *parsed = NULL;
    if (!mu_ocsp_request_from_der(request, &parsed, NULL)) {
        fail_answer(world, answer, MU_OCSP_MALFORMED_REQUEST);
        return;
    }
    answer_facts(world, mu_ocsp_request_facts(parsed), now_s, answer);
}

/* ---- over HTTP ------------------------------------------------------------------------------- */

static int digit(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool publish_ocsp_decode(struct mu_slice path, struct mu_buf *der, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, PATH_MAX_LEN);
    for (size_t i = 0; i < path.len; i++) {
        uint8_t c = path.data[i];
        if (c == '%') {
            int high = i + 2 < path.len ? digit(path.data[i + 1]) : -1;
            int low = i + 2 < path.len ? digit(path.data[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return mu_fail(err, MUTUAL_E_OCSP_MALFORMED,
                               "the OCSP request in the path is not percent-encoded text");
            }
            c = (uint8_t)(high * 16 + low);
            i += 2;
        }
        mu_buf_byte(&text, c);
    }
    if (text.failed || text.len == 0 || !mu_base64_parse(mu_buf_slice(&text), der, NULL)) {
        return mu_fail(err, MUTUAL_E_OCSP_MALFORMED, "the OCSP request in the path is not base64");
    }
    return true;
}

static void send_answer(const struct api_request *request, struct publish_answer *answer,
                        bool keep_it, struct api_response *response)
{
    if (keep_it && answer->age.etag != NULL) {
        if (publish_cached(request, &answer->age, response)) {
            mu_buf_clear(&response->body);
            return;
        }
    } else {
        api_field(response, "Cache-Control", "no-store");
    }
    response->content_type = "application/ocsp-response";
}

void publish_ocsp_get(struct api_world *world, const struct api_request *request,
                      struct api_response *response)
{
    MU_AUTO(buf) struct mu_buf der;
    struct publish_answer answer = {.der = &response->body};
    mu_buf_init(&der, PATH_MAX_LEN);
    if (request->head->has_query || !publish_ocsp_decode(request->path_rest, &der, NULL)) {
        fail_answer(world, &answer, MU_OCSP_MALFORMED_REQUEST);
    } else {
        publish_ocsp_answer(world, mu_buf_slice(&der), request->now_s, &answer);
    }
    send_answer(request, &answer, true, response);
}

/* A POST is kept by no cache (RFC 5019 section 5). */
void publish_ocsp_post(struct api_world *world, const struct api_request *request,
                       struct api_response *response)
{
    struct publish_answer answer = {.der = &response->body};
    publish_ocsp_answer(world, request->body, request->now_s, &answer);
    send_answer(request, &answer, false, response);
}
