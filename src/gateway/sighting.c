/* SPDX-License-Identifier: Apache-2.0
 *
 * Sightings gathered, added up, sent and kept.
 */
#include "gateway/sighting_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char file_head[] = "mutual sightings 1\n";

/* A sighting folded into as many bytes as it needs, a tenth of its size. */
struct kept {
    int64_t last_s;
    bool caller; /* else a service itself */
    size_t len;
    uint8_t *bytes;
};

struct sightings {
    struct mu_map *by_key; /* service, NUL, key: struct kept */
    struct mu_map *counts; /* service: how many of it        */
    struct kept **items;
    size_t count;
    size_t cap;
    size_t callers; /* without the services themselves */
    size_t max;
    size_t service_max;
};

/* ---- as bytes ----------------------------------------------------------------------------------
 */

static void put(struct mu_buf *out, const struct sighting *seen)
{
    ipc_put_text(out, seen->service);
    ipc_put_text(out, seen->key);
    ipc_put_u64(out, (uint64_t)seen->first_s);
    ipc_put_u64(out, (uint64_t)seen->last_s);
    ipc_put_u64(out, seen->count);
    ipc_put_u64(out, seen->rules);
    ipc_put_u8(out, seen->mode);
    ipc_put_u8(out, (uint8_t)((seen->let_in ? 1 : 0) | (seen->known ? 2 : 0)));
    ipc_put_text(out, seen->lacks);
    ipc_put_text(out, seen->why);
    (void)mu_buf_append(out, seen->anchor, sizeof seen->anchor);
    ipc_put_text(out, seen->anchor_name);
    ipc_put_text(out, seen->issuer);
    ipc_put_text(out, seen->serial);
    ipc_put_u64(out, (uint64_t)seen->not_after_s);
}

static void get(struct ipc_reader *reader, struct sighting *seen)
{
    ipc_get_line(reader, seen->service, sizeof seen->service);
    ipc_get_line(reader, seen->key, sizeof seen->key);
    seen->first_s = (int64_t)ipc_get_u64(reader);
    seen->last_s = (int64_t)ipc_get_u64(reader);
    seen->count = ipc_get_u64(reader);
    seen->rules = ipc_get_u64(reader);
    seen->mode = ipc_get_u8(reader);
    uint8_t flags = ipc_get_u8(reader);
    seen->let_in = (flags & 1) != 0;
    seen->known = (flags & 2) != 0;
    ipc_get_line(reader, seen->lacks, sizeof seen->lacks);
    ipc_get_line(reader, seen->why, sizeof seen->why);
    struct mu_slice anchor = ipc_get_raw(reader, sizeof seen->anchor);
    if (anchor.len == sizeof seen->anchor) {
        memcpy(seen->anchor, anchor.data, anchor.len);
    }
    ipc_get_line(reader, seen->anchor_name, sizeof seen->anchor_name);
    ipc_get_line(reader, seen->issuer, sizeof seen->issuer);
    ipc_get_line(reader, seen->serial, sizeof seen->serial);
    seen->not_after_s = (int64_t)ipc_get_u64(reader);
    bool sound = seen->mode <= CONFIG_MODE_OBSERVE && flags < 4 && seen->first_s >= 0 &&
                 seen->last_s >= seen->first_s && seen->not_after_s >= 0 &&
                 (seen->lacks[0] == '\0' || mutual_code_find(seen->lacks) != MUTUAL_OK);
    reader->failed = reader->failed || !sound;
}

static bool fold(struct kept *kept, const struct sighting *seen)
{
    MU_AUTO(buf) struct mu_buf bytes;
    mu_buf_init(&bytes, 2 * sizeof *seen);
    put(&bytes, seen);
    uint8_t *copy = bytes.failed ? NULL : mu_alloc(bytes.len, 1);
    if (copy == NULL) {
        return false;
    }
    memcpy(copy, bytes.data, bytes.len);
    mu_free(kept->bytes);
    kept->bytes = copy;
    kept->len = bytes.len;
    kept->last_s = seen->last_s;
    kept->caller = seen->key[0] != '\0';
    return true;
}

static void unfold(const struct kept *kept, struct sighting *seen)
{
    struct ipc_reader reader = ipc_reader_of(mu_slice_of(kept->bytes, kept->len));
    *seen = (struct sighting){.count = 0};
    get(&reader, seen);
    mu_assert(!reader.failed);
}

static void kept_free(struct kept *kept)
{
    mu_free(kept->bytes);
    mu_free(kept);
}

static void mu_kept_auto(struct kept **kept)
{
    if (*kept != NULL) {
        kept_free(*kept);
    }
}

/* ---- life --------------------------------------------------------------------------------------
 */

struct sightings *sightings_new(size_t max, size_t service_max)
{
    struct sightings *sightings = mu_alloc(1, sizeof *sightings);
    if (sightings == NULL) {
        return NULL;
    }
    sightings->by_key = mu_map_new();
    sightings->counts = mu_map_new();
    sightings->max = max;
    sightings->service_max = service_max;
    if (sightings->by_key == NULL || sightings->counts == NULL) {
        sightings_free(sightings);
        return NULL;
    }
    return sightings;
}

void sightings_free(struct sightings *sightings)
{
    if (sightings == NULL) {
        return;
    }
    for (size_t i = 0; i < sightings->count; i++) {
        kept_free(sightings->items[i]);
    }
    mu_free(sightings->items);
    mu_map_free(sightings->by_key);
    mu_map_free(sightings->counts);
    mu_free(sightings);
}

size_t sightings_count(const struct sightings *sightings)
{
    return sightings->count;
}

/* ---- finding and adding ------------------------------------------------------------------------
 */

static bool key_of(const struct sighting *seen, struct mu_buf *key)
{
    mu_buf_init(key, sizeof seen->service + sizeof seen->key + 1);
    return mu_buf_append(key, seen->service, strlen(seen->service) + 1) &&
           mu_buf_text(key, seen->key);
}

static size_t count_of(const struct sightings *sightings, const char *service)
{
    return (uintptr_t)mu_map_get(sightings->counts, mu_slice_text(service));
}

/* Of callers only: a service itself always has its place, and there are few. */
static bool has_room(const struct sightings *sightings, const struct sighting *seen)
{
    return seen->key[0] == '\0' || (sightings->callers < sightings->max &&
                                    count_of(sightings, seen->service) < sightings->service_max);
}

static bool insert(struct sightings *sightings, const struct sighting *seen, struct mu_slice key)
{
    void *items = sightings->items;
    MU_AUTO(kept) struct kept *kept = mu_alloc(1, sizeof *kept);
    struct mu_slice service = mu_slice_text(seen->service);
    size_t mine = count_of(sightings, seen->service) + 1;
    if (kept == NULL || !fold(kept, seen) ||
        !mu_grow(&items, &sightings->cap, sightings->count, sizeof kept, SIZE_MAX / 2)) {
        return false;
    }
    sightings->items = items;
    if (!mu_map_put(sightings->by_key, key, kept)) {
        return false;
    }
    if (kept->caller && !mu_map_put(sightings->counts, service, (void *)(uintptr_t)mine)) {
        (void)mu_map_remove(sightings->by_key, key);
        return false;
    }
    sightings->callers += kept->caller;
    sightings->items[sightings->count++] = MU_TAKE(kept);
    return true;
}

/* The newest tells; of a service itself what is known stays, but for the number. */
static void add_up(struct kept *kept, const struct sighting *seen)
{
    struct sighting before;
    unfold(kept, &before);
    struct sighting sum = before.last_s > seen->last_s || !kept->caller ? before : *seen;
    sum.first_s = before.first_s < seen->first_s ? before.first_s : seen->first_s;
    sum.last_s = before.last_s > seen->last_s ? before.last_s : seen->last_s;
    sum.count = before.count + seen->count;
    (void)fold(kept, &sum); /* without memory what was known stays */
}

/* What is not kept is counted; what cannot even be counted is lost with the memory for it. */
static void note_nobody(struct sightings *sightings, const struct sighting *seen)
{
    struct sighting nobody = {.first_s = seen->last_s,
                              .last_s = seen->last_s,
                              .count = seen->count,
                              .rules = seen->rules,
                              .mode = seen->mode};
    memcpy(nobody.service, seen->service, sizeof nobody.service);
    if (seen->key[0] != '\0') {
        sightings_note(sightings, &nobody);
    }
}

void sightings_note(struct sightings *sightings, const struct sighting *seen)
{
    MU_AUTO(buf) struct mu_buf key;
    struct kept *kept =
        key_of(seen, &key) ? mu_map_get(sightings->by_key, mu_buf_slice(&key)) : NULL;
    if (kept != NULL) {
        add_up(kept, seen);
    } else if (key.failed || !has_room(sightings, seen) ||
               !insert(sightings, seen, mu_buf_slice(&key))) {
        note_nobody(sightings, seen);
    }
}

void sightings_rules(struct sightings *sightings, const char *service, uint64_t rules,
                     int64_t now_s)
{
    struct sighting row = {.first_s = now_s, .last_s = now_s, .rules = rules};
    MU_AUTO(buf) struct mu_buf key;
    (void)snprintf(row.service, sizeof row.service, "%s", service);
    if (!key_of(&row, &key)) {
        return;
    }
    struct kept *kept = mu_map_get(sightings->by_key, mu_buf_slice(&key));
    if (kept == NULL) {
        (void)insert(sightings, &row, mu_buf_slice(&key));
        return;
    }
    struct sighting before;
    unfold(kept, &before);
    if (before.rules == rules) {
        row = before;
        row.last_s = now_s > before.last_s ? now_s : before.last_s;
    }
    (void)fold(kept, &row);
}

void sightings_each(const struct sightings *sightings,
                    void (*each)(void *context, const struct sighting *sighting), void *context)
{
    for (size_t i = 0; i < sightings->count; i++) {
        struct sighting seen;
        unfold(sightings->items[i], &seen);
        each(context, &seen);
    }
}

static void drop(struct sightings *sightings, size_t index)
{
    struct kept *kept = sightings->items[index];
    struct sighting seen;
    unfold(kept, &seen);
    MU_AUTO(buf) struct mu_buf key;
    if (key_of(&seen, &key)) {
        (void)mu_map_remove(sightings->by_key, mu_buf_slice(&key));
    }
    if (kept->caller) {
        size_t mine = count_of(sightings, seen.service);
        (void)mu_map_put(sightings->counts, mu_slice_text(seen.service),
                         (void *)(uintptr_t)(mine - 1));
        sightings->callers--;
    }
    kept_free(kept);
    sightings->items[index] = sightings->items[--sightings->count];
}

void sightings_forget(struct sightings *sightings, int64_t before_s)
{
    for (size_t i = sightings->count; i-- > 0;) {
        if (sightings->items[i]->last_s < before_s) {
            drop(sightings, i);
        }
    }
}

/* ---- between processes -------------------------------------------------------------------------
 */

bool sightings_take(struct sightings *sightings, struct mu_buf *out)
{
    size_t before = sightings->count;
    while (sightings->count > 0) {
        size_t len = out->len;
        const struct kept *kept = sightings->items[sightings->count - 1];
        (void)mu_buf_append(out, kept->bytes, kept->len);
        if (out->failed) {
            out->failed = false; /* the rest goes with the next message */
            out->len = len;
            break;
        }
        drop(sightings, sightings->count - 1);
    }
    return sightings->count < before;
}

bool sightings_read(struct sightings *sightings, struct mu_slice payload, struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(payload);
    while (!reader.failed && reader.rest.len > 0) {
        struct sighting seen = {.count = 0};
        get(&reader, &seen);
        if (!reader.failed) {
            sightings_note(sightings, &seen);
        }
    }
    return ipc_reader_end(&reader, "sightings", err);
}

/* ---- the file ----------------------------------------------------------------------------------
 */

static bool check_file(const char *path, struct mu_slice *bytes, struct mutual_error *err)
{
    size_t head = sizeof file_head - 1;
    uint8_t sum[32];
    bool ours = bytes->len >= head + sizeof sum && memcmp(bytes->data, file_head, head) == 0;
    if (ours && !mu_sha256(mu_slice_of(bytes->data, bytes->len - sizeof sum), sum, err)) {
        return false;
    }
    if (!ours || memcmp(sum, bytes->data + bytes->len - sizeof sum, sizeof sum) != 0) {
        return mu_fail(err, MUTUAL_E_STORE_CORRUPT,
                       "\"%s\" is damaged or is no record of sightings", path);
    }
    *bytes = mu_slice_of(bytes->data + head, bytes->len - head - sizeof sum);
    return true;
}

bool sightings_load(struct sightings *sightings, const char *path, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf bytes = {0};
    if (access(path, F_OK) == -1 && errno == ENOENT) {
        return true;
    }
    if (!mu_file_read(path, SIGHTINGS_FILE_MAX, &bytes, err)) {
        return false;
    }
    struct mu_slice body = mu_buf_slice(&bytes);
    return check_file(path, &body, err) && sightings_read(sightings, body, err);
}

bool sightings_save(const struct sightings *sightings, const char *path, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf bytes;
    uint8_t sum[32];
    mu_buf_init(&bytes, SIGHTINGS_FILE_MAX);
    (void)mu_buf_text(&bytes, file_head);
    for (size_t i = 0; i < sightings->count; i++) {
        (void)mu_buf_append(&bytes, sightings->items[i]->bytes, sightings->items[i]->len);
    }
    if (!bytes.failed && !mu_sha256(mu_buf_slice(&bytes), sum, err)) {
        return false;
    }
    (void)mu_buf_append(&bytes, sum, sizeof sum);
    return (!bytes.failed || mu_fail_memory(err)) &&
           mu_file_write(path, mu_buf_slice(&bytes), 0600, err);
}

/* ---- for people --------------------------------------------------------------------------------
 */

struct telling {
    struct mu_json *json;
    const struct sightings *sightings;
    const char *service;
};

static void put_time(struct mu_json *json, const char *key, int64_t time_s)
{
    char text[MU_TIME_TEXT];
    mu_json_string(json, key, time_s == 0 ? NULL : mu_time_format(time_s, text));
}

static void put_anchor(struct mu_json *json, const struct sighting *seen)
{
    static const uint8_t none[32];
    MU_AUTO(buf) struct mu_buf print;
    mu_buf_init(&print, 80);
    bool known = memcmp(seen->anchor, none, sizeof none) != 0;
    mu_hex(&print, mu_slice_of(seen->anchor, sizeof seen->anchor));
    mu_json_string(json, "anchor", known ? mu_buf_str(&print) : NULL);
    mu_json_string(json, "anchor_subject", known ? seen->anchor_name : NULL);
}

static const char *text_or_null(const char *text)
{
    return text[0] == '\0' ? NULL : text;
}

static void put_one(void *context, const struct sighting *seen)
{
    struct telling *telling = context;
    struct mu_json *json = telling->json;
    if (seen->key[0] == '\0' ||
        (telling->service != NULL && strcmp(telling->service, seen->service) != 0)) {
        return;
    }
    mu_json_open(json, NULL, '{');
    mu_json_string(json, "service", seen->service);
    mu_json_string(json, "caller", seen->key);
    mu_json_bool(json, "known", seen->known);
    put_time(json, "first", seen->first_s);
    put_time(json, "last", seen->last_s);
    mu_json_int(json, "last_s", seen->last_s);
    mu_json_int(json, "count", (int64_t)seen->count);
    mu_json_string(json, "mode", config_mode_word((enum config_mode)seen->mode));
    mu_json_bool(json, "let_in", seen->let_in);
    MU_AUTO(buf) struct mu_buf rules;
    mu_buf_init(&rules, 32);
    (void)mu_buf_printf(&rules, "%016llx", (unsigned long long)seen->rules);
    mu_json_string(json, "rules", mu_buf_str(&rules));
    mu_json_string(json, "lacks", text_or_null(seen->lacks));
    mu_json_string(json, "why", text_or_null(seen->why));
    put_anchor(json, seen);
    mu_json_string(json, "issuer", text_or_null(seen->issuer));
    mu_json_string(json, "serial", text_or_null(seen->serial));
    put_time(json, "not_after", seen->not_after_s);
    mu_json_close(json, '}');
}

static void put_service(void *context, const struct sighting *seen)
{
    struct telling *telling = context;
    struct mu_json *json = telling->json;
    if (seen->key[0] != '\0' ||
        (telling->service != NULL && strcmp(telling->service, seen->service) != 0)) {
        return;
    }
    MU_AUTO(buf) struct mu_buf rules;
    mu_buf_init(&rules, 32);
    (void)mu_buf_printf(&rules, "%016llx", (unsigned long long)seen->rules);
    mu_json_open(json, NULL, '{');
    mu_json_string(json, "service", seen->service);
    mu_json_string(json, "rules", mu_buf_str(&rules));
    put_time(json, "since", seen->first_s);
    mu_json_int(json, "since_s", seen->first_s);
    mu_json_int(json, "not_kept", (int64_t)seen->count);
    mu_json_close(json, '}');
}

void sightings_json(const struct sightings *sightings, const char *service, struct mu_json *json)
{
    struct telling telling = {json, sightings, service};
    mu_json_open(json, "services", '[');
    sightings_each(sightings, put_service, &telling);
    mu_json_close(json, ']');
    mu_json_open(json, "sightings", '[');
    sightings_each(sightings, put_one, &telling);
    mu_json_close(json, ']');
}
