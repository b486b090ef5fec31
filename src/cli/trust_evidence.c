/* SPDX-License-Identifier: Apache-2.0
 *
 * Who was seen below which anchor, asked of the running gateway, and whether that is all of them:
 * only then is not having been seen evidence.
 */
#include "cli/trust_internal.h"

#include <string.h>

#include "gateway/gateway.h"
#include "trust/trust.h"

enum { DAY_S = 86400 };

const char *trust_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

const char *trust_peer(const json_t *row)
{
    return trust_text(row, "serial")[0] == '\0' ? "others, more than are kept"
                                                : trust_text(row, "peer");
}

int64_t trust_number(const json_t *object, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(object, key));
}

void trust_evidence_done(struct trust_evidence *evidence)
{
    json_decref(evidence->seen);
    json_decref(evidence->status);
    mu_map_free(evidence->newest);
    *evidence = (struct trust_evidence){.now_s = 0};
}

void mu_trust_evidence_auto(struct trust_evidence *evidence)
{
    trust_evidence_done(evidence);
}

/* ---- asking ---------------------------------------------------------------------------------- */

static bool read_json(bool (*ask)(const char *path, struct mu_buf *out, struct mutual_error *err),
                      const char *path, json_t **ret_json, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, GATEWAY_ANSWER_MAX);
    if (!ask(path, &text, err)) {
        return false;
    }
    *ret_json = json_loads(mu_buf_str(&text), JSON_REJECT_DUPLICATES, NULL);
    return *ret_json != NULL || mu_fail(err, MUTUAL_E_CONNECT_FAILED,
                                        "the gateway at \"%s\" gave no proper answer", path);
}

/* Service, serial number and issuer: one certificate at one place. */
static bool key_of(const json_t *row, struct mu_buf *key)
{
    const char *service = trust_text(row, "service");
    const char *serial = trust_text(row, "serial");
    mu_buf_init(key, 4096);
    return mu_buf_append(key, service, strlen(service) + 1) &&
           mu_buf_append(key, serial, strlen(serial) + 1) &&
           mu_buf_text(key, trust_text(row, "issuer"));
}

/* Without memory some are missing, and then nobody is taken to have moved. */
static void index_newest(struct trust_evidence *evidence)
{
    const json_t *row;
    size_t index;
    evidence->newest = mu_map_new();
    json_array_foreach(json_object_get(evidence->seen, "certificates"), index, row)
    {
        MU_AUTO(buf) struct mu_buf key;
        if (evidence->newest == NULL || !key_of(row, &key)) {
            return;
        }
        const json_t *known = mu_map_get(evidence->newest, mu_buf_slice(&key));
        if (known == NULL || trust_number(known, "first_s") < trust_number(row, "first_s")) {
            (void)mu_map_put(evidence->newest, mu_buf_slice(&key), (void *)(uintptr_t)row);
        }
    }
}

void trust_evidence_read(const char *control, uint64_t days, struct trust_evidence *ret_evidence)
{
    struct trust_evidence *evidence = ret_evidence;
    char usual[GATEWAY_PATH_MAX] = "";
    *evidence = (struct trust_evidence){.now_s = mu_clock_wall_s()};
    evidence->since_s = evidence->now_s - (int64_t)days * DAY_S;
    if (control == NULL && !gateway_control_path(usual)) {
        (void)mu_fail(&evidence->why, MUTUAL_E_NOT_FOUND,
                      "there is no usual place for the control socket without XDG_RUNTIME_DIR");
        return;
    }
    const char *path = control != NULL ? control : usual;
    /* The status first: workers tell whom they saw before they answer it. */
    if (!read_json(gateway_status_read, path, &evidence->status, &evidence->why) ||
        !read_json(gateway_certificates_read, path, &evidence->seen, &evidence->why)) {
        json_decref(evidence->status);
        evidence->status = NULL;
        return;
    }
    index_newest(evidence);
}

/* ---- services, peers ------------------------------------------------------------------------- */

static const json_t *service_of(const struct trust_evidence *evidence, const char *name)
{
    const json_t *service;
    size_t index;
    json_array_foreach(json_object_get(evidence->seen, "services"), index, service)
    {
        if (strcmp(trust_text(service, "service"), name) == 0) {
            return service;
        }
    }
    return NULL;
}

static bool is_below(const struct trust_evidence *evidence, const char *trust, const json_t *row)
{
    const json_t *service = service_of(evidence, trust_text(row, "service"));
    bool over =
        trust_text(row, "serial")[0] != '\0' && trust_number(row, "not_after_s") < evidence->now_s;
    return service != NULL && strcmp(trust_text(service, "trust"), trust) == 0 && !over;
}

/* The same certificate was met by way of another anchor, and never by this one since. */
static bool has_moved(const struct trust_evidence *evidence, const json_t *row)
{
    MU_AUTO(buf) struct mu_buf key;
    const json_t *newest = evidence->newest != NULL && key_of(row, &key)
                               ? mu_map_get(evidence->newest, mu_buf_slice(&key))
                               : NULL;
    return newest != NULL && strcmp(trust_text(newest, "anchor"), trust_text(row, "anchor")) != 0 &&
           trust_number(newest, "first_s") > trust_number(row, "last_s");
}

struct trust_standing trust_standing(const struct trust_evidence *evidence, const char *trust,
                                     const uint8_t anchor[32],
                                     void (*each)(void *context, const json_t *blocker),
                                     void *context)
{
    struct trust_standing standing = {0};
    MU_AUTO(buf) struct mu_buf print;
    const json_t *row;
    size_t index;
    mu_buf_init(&print, 80);
    mu_hex(&print, mu_slice_of(anchor, 32));
    json_array_foreach(json_object_get(evidence->seen, "certificates"), index, row)
    {
        int64_t last_s = trust_number(row, "last_s");
        if (strcmp(trust_text(row, "anchor"), mu_buf_str(&print)) != 0 ||
            !is_below(evidence, trust, row)) {
            continue;
        }
        standing.peers++;
        standing.last_s = last_s > standing.last_s ? last_s : standing.last_s;
        bool nameless = trust_text(row, "serial")[0] == '\0'; /* those that are not kept */
        bool let_in = nameless || json_is_true(json_object_get(row, "let_in"));
        if (let_in && last_s >= evidence->since_s && (nameless || !has_moved(evidence, row))) {
            standing.blockers++;
            if (each != NULL) {
                each(context, row);
            }
        }
    }
    return standing;
}

void trust_peers(const struct trust_evidence *evidence, const char *trust,
                 bool (*each)(void *context, const json_t *peer), void *context)
{
    const json_t *row;
    size_t index;
    json_array_foreach(json_object_get(evidence->seen, "certificates"), index, row)
    {
        if (is_below(evidence, trust, row) && json_is_true(json_object_get(row, "let_in")) &&
            !each(context, row)) {
            return;
        }
    }
}

/* ---- is that all? ---------------------------------------------------------------------------- */

bool trust_gap(const struct trust_evidence *evidence, uint64_t days, char text[TRUST_GAP_TEXT])
{
    char words[MU_TIME_TEXT];
    if (evidence->seen == NULL) {
        (void)snprintf(text, TRUST_GAP_TEXT, "no gateway says who was seen: %.300s",
                       evidence->why.reason);
        return true;
    }
    int64_t since_s = trust_number(evidence->seen, "since_s");
    int64_t known_s = evidence->now_s - since_s;
    if (since_s <= evidence->since_s) {
        return false;
    }
    (void)snprintf(text, TRUST_GAP_TEXT,
                   "who came is known for %s, which is less than %llu days: %s",
                   mu_duration_words(known_s > 0 ? known_s : 0, words), (unsigned long long)days,
                   trust_text(evidence->seen, "since_why"));
    return true;
}

bool trust_is_served(const struct trust_evidence *evidence, const char *trust,
                     const struct mutual_trust *bundle)
{
    const json_t *block;
    size_t index;
    json_array_foreach(json_object_get(evidence->status, "trust"), index, block)
    {
        if (strcmp(trust_text(block, "name"), trust) != 0) {
            continue;
        }
        const json_t *anchors = json_object_get(block, "anchors");
        bool same = json_array_size(anchors) == mutual_trust_anchor_count(bundle);
        for (size_t i = 0; same && i < json_array_size(anchors); i++) {
            char print[65];
            trust_fingerprint(mu_trust_anchor(bundle, i), print);
            same = strcmp(trust_text(json_array_get(anchors, i), "fingerprint"), print) == 0;
        }
        return same;
    }
    return false;
}
