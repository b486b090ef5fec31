/* SPDX-License-Identifier: Apache-2.0
 *
 * Sightings gathered, added up, sent and kept.
 */
#include "gateway/sighting_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char file_head[] = "mutual sightings 2\n";
static const char first_head[] = "mutual sightings 1\n"; /* knew no certificates */

/* What has a limit of its own; a service itself has none. */
enum sort { SORT_SERVICE, SORT_CALLER, SORT_CERTIFICATE, SORT_COUNT_ };

/* A sighting folded into as many bytes as it needs, a tenth of its size. */
struct kept {
    int64_t last_s;
    int64_t not_after_s;
    enum sort sort;
    size_t len;
    uint8_t *bytes;
};

struct sightings {
    struct mu_map *by_key; /* see key_of: struct kept */
    struct mu_map *counts; /* sort, service: how many of it */
    struct kept **items;
    size_t count;
    size_t cap;
    size_t sorts[SORT_COUNT_];
    size_t max;
    size_t service_max;
    struct sightings_since since;
    int64_t saved_s;         /* when the file was written that it was loaded from; 0: from none */
    bool ended;              /* ... and whether by a process that ended well                   */
    int64_t wall_s, mono_ns; /* of sightings_clock */
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
    ipc_put_u8(out, (uint8_t)((seen->let_in ? 1 : 0) | (seen->known ? 2 : 0) |
                              (seen->certificate ? 4 : 0)));
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
    seen->certificate = (flags & 4) != 0;
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
    bool sound = seen->mode <= CONFIG_MODE_OBSERVE && flags < 8 && seen->first_s >= 0 &&
                 seen->last_s >= seen->first_s && seen->not_after_s >= 0 &&
                 (seen->lacks[0] == '\0' || mutual_code_find(seen->lacks) != MUTUAL_OK);
    reader->failed = reader->failed || !sound;
}

static enum sort sort_of(const struct sighting *seen)
{
    const char *of = seen->certificate ? seen->serial : seen->key;
    return of[0] == '\0' ? SORT_SERVICE : seen->certificate ? SORT_CERTIFICATE : SORT_CALLER;
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
    kept->not_after_s = seen->not_after_s;
    kept->sort = sort_of(seen);
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

/* Service and caller; or service, anchor, serial number and issuer. */
static bool key_of(const struct sighting *seen, struct mu_buf *key)
{
    mu_buf_init(key, sizeof *seen);
    (void)mu_buf_append(key, seen->service, strlen(seen->service) + 1);
    if (!seen->certificate) {
        return mu_buf_text(key, seen->key);
    }
    return mu_buf_byte(key, 1) && mu_buf_append(key, seen->anchor, sizeof seen->anchor) &&
           mu_buf_append(key, seen->serial, strlen(seen->serial) + 1) &&
           mu_buf_text(key, seen->issuer);
}

/* How many of that sort the service has. */
static bool count_key(const struct sighting *seen, struct mu_buf *key)
{
    mu_buf_init(key, sizeof *seen);
    return mu_buf_byte(key, (uint8_t)sort_of(seen)) && mu_buf_text(key, seen->service);
}

static size_t count_of(const struct sightings *sightings, const struct sighting *seen)
{
    MU_AUTO(buf) struct mu_buf key;
    return count_key(seen, &key) ? (uintptr_t)mu_map_get(sightings->counts, mu_buf_slice(&key)) : 0;
}

static bool count_set(struct sightings *sightings, const struct sighting *seen, size_t count)
{
    MU_AUTO(buf) struct mu_buf key;
    return count_key(seen, &key) &&
           mu_map_put(sightings->counts, mu_buf_slice(&key), (void *)(uintptr_t)count);
}

/* A service itself always has its place, and there are few. */
static bool has_room(const struct sightings *sightings, const struct sighting *seen)
{
    enum sort sort = sort_of(seen);
    size_t mine_max =
        sort == SORT_CERTIFICATE ? 2 * sightings->service_max : sightings->service_max;
    return sort == SORT_SERVICE ||
           (sightings->sorts[sort] < sightings->max && count_of(sightings, seen) < mine_max);
}

static bool insert(struct sightings *sightings, const struct sighting *seen, struct mu_slice key)
{
    void *items = sightings->items;
    MU_AUTO(kept) struct kept *kept = mu_alloc(1, sizeof *kept);
    size_t mine = count_of(sightings, seen) + 1;
    if (kept == NULL || !fold(kept, seen) ||
        !mu_grow(&items, &sightings->cap, sightings->count, sizeof kept, SIZE_MAX / 2)) {
        return false;
    }
    sightings->items = items;
    if (!mu_map_put(sightings->by_key, key, kept)) {
        return false;
    }
    if (kept->sort != SORT_SERVICE && !count_set(sightings, seen, mine)) {
        (void)mu_map_remove(sightings->by_key, key);
        return false;
    }
    sightings->sorts[kept->sort]++;
    sightings->items[sightings->count++] = MU_TAKE(kept);
    return true;
}

/* The newest tells; of a service itself what is known stays, but for the number. */
static bool add_up(struct kept *kept, const struct sighting *seen)
{
    struct sighting before;
    unfold(kept, &before);
    struct sighting sum =
        before.last_s > seen->last_s || kept->sort == SORT_SERVICE ? before : *seen;
    sum.first_s = before.first_s < seen->first_s ? before.first_s : seen->first_s;
    sum.last_s = before.last_s > seen->last_s ? before.last_s : seen->last_s;
    sum.count = before.count + seen->count;
    return fold(kept, &sum); /* without memory what was known stays */
}

/* What is not kept is counted; what cannot even be counted is lost with the memory for it. */
static void note_nobody(struct sightings *sightings, const struct sighting *seen)
{
    struct sighting nobody = {.first_s = seen->last_s,
                              .last_s = seen->last_s,
                              .count = seen->count,
                              .rules = seen->rules,
                              .mode = seen->mode,
                              .certificate = seen->certificate};
    memcpy(nobody.service, seen->service, sizeof nobody.service);
    memcpy(nobody.anchor, seen->anchor, sizeof nobody.anchor); /* of a certificate it matters */
    memcpy(nobody.anchor_name, seen->anchor_name, sizeof nobody.anchor_name);
    if (sort_of(seen) != SORT_SERVICE) {
        sightings_note(sightings, &nobody);
    } else if (seen->certificate) {
        sightings_gap(sightings, seen->last_s, "there was no memory to count who was not kept");
    }
}

void sightings_note(struct sightings *sightings, const struct sighting *seen)
{
    MU_AUTO(buf) struct mu_buf key;
    struct kept *kept =
        key_of(seen, &key) ? mu_map_get(sightings->by_key, mu_buf_slice(&key)) : NULL;
    if (kept != NULL && add_up(kept, seen)) {
        return;
    }
    if (kept != NULL || key.failed || !has_room(sightings, seen) ||
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
    if (kept->sort != SORT_SERVICE) {
        (void)count_set(sightings, &seen, count_of(sightings, &seen) - 1);
    }
    sightings->sorts[kept->sort]--;
    kept_free(kept);
    sightings->items[index] = sightings->items[--sightings->count];
}

void sightings_forget(struct sightings *sightings, int64_t before_s, int64_t now_s)
{
    for (size_t i = sightings->count; i-- > 0;) {
        const struct kept *kept = sightings->items[i];
        bool over = kept->sort == SORT_CERTIFICATE && kept->not_after_s < now_s;
        if (kept->last_s < before_s || over) {
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

/* ---- since when --------------------------------------------------------------------------------
 */

const struct sightings_since *sightings_since(const struct sightings *sightings)
{
    return &sightings->since;
}

void sightings_gap(struct sightings *sightings, int64_t now_s, const char *why)
{
    sightings->since.at_s = now_s;
    (void)snprintf(sightings->since.why, sizeof sightings->since.why, "%s", why);
}

void sightings_resume(struct sightings *sightings, int64_t now_s)
{
    if (sightings->saved_s == 0) {
        sightings_gap(sightings, now_s, "nothing was kept before");
    } else if (!sightings->ended) {
        sightings_gap(sightings, now_s, "the gateway was killed before it had kept whom it saw");
    } else if (now_s < sightings->saved_s) {
        sightings_gap(sightings, now_s, "the clock went back");
    } else if (now_s - sightings->saved_s > SIGHTINGS_REST_S) {
        sightings_gap(sightings, now_s, "the gateway did not run for more than a day");
    }
}

enum { CLOCK_SLACK_S = 3600 };

void sightings_clock(struct sightings *sightings, int64_t wall_s, int64_t mono_ns)
{
    int64_t walked_s = wall_s - sightings->wall_s;
    int64_t passed_s = (mono_ns - sightings->mono_ns) / MU_NS_PER_S;
    int64_t apart_s = walked_s > passed_s ? walked_s - passed_s : passed_s - walked_s;
    if (sightings->mono_ns != 0 && apart_s > CLOCK_SLACK_S) {
        sightings_gap(sightings, wall_s, "the clock was set");
    }
    sightings->wall_s = wall_s;
    sightings->mono_ns = mono_ns;
}

/* ---- the file ----------------------------------------------------------------------------------
 */

static bool check_file(const char *path, struct mu_slice *bytes, bool *ret_first,
                       struct mutual_error *err)
{
    size_t head = sizeof file_head - 1;
    uint8_t sum[32];
    bool long_enough = bytes->len >= head + sizeof sum;
    bool first = long_enough && memcmp(bytes->data, first_head, head) == 0;
    bool ours = first || (long_enough && memcmp(bytes->data, file_head, head) == 0);
    if (ours && !mu_sha256(mu_slice_of(bytes->data, bytes->len - sizeof sum), sum, err)) {
        return false;
    }
    if (!ours || memcmp(sum, bytes->data + bytes->len - sizeof sum, sizeof sum) != 0) {
        return mu_fail(err, MUTUAL_E_STORE_CORRUPT,
                       "\"%s\" is damaged or is no record of sightings", path);
    }
    *bytes = mu_slice_of(bytes->data + head, bytes->len - head - sizeof sum);
    *ret_first = first;
    return true;
}

static void read_since(struct sightings *sightings, struct ipc_reader *reader)
{
    struct sightings_since since = {0};
    int64_t saved_s = (int64_t)ipc_get_u64(reader);
    bool ended = ipc_get_u8(reader) == 1;
    since.at_s = (int64_t)ipc_get_u64(reader);
    ipc_get_line(reader, since.why, sizeof since.why);
    if (!reader->failed) {
        sightings->since = since;
        sightings->saved_s = saved_s;
        sightings->ended = ended;
    }
}

bool sightings_load(struct sightings *sightings, const char *path, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf bytes = {0};
    bool first = false;
    if (access(path, F_OK) == -1 && errno == ENOENT) {
        return true;
    }
    if (!mu_file_read(path, SIGHTINGS_FILE_MAX, &bytes, err)) {
        return false;
    }
    struct mu_slice body = mu_buf_slice(&bytes);
    if (!check_file(path, &body, &first, err)) {
        return false;
    }
    struct ipc_reader reader = ipc_reader_of(body);
    if (!first) {
        read_since(sightings, &reader);
    }
    return !reader.failed ? sightings_read(sightings, reader.rest, err)
                          : mu_fail(err, MUTUAL_E_STORE_CORRUPT, "\"%s\" is cut off", path);
}

bool sightings_save(const struct sightings *sightings, const char *path, bool ended, int64_t now_s,
                    struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf bytes;
    uint8_t sum[32];
    mu_buf_init(&bytes, SIGHTINGS_FILE_MAX);
    (void)mu_buf_text(&bytes, file_head);
    ipc_put_u64(&bytes, (uint64_t)now_s);
    ipc_put_u8(&bytes, ended);
    ipc_put_u64(&bytes, (uint64_t)sightings->since.at_s);
    ipc_put_text(&bytes, sightings->since.why);
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
    if (seen->certificate || seen->key[0] == '\0' ||
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
    if (seen->certificate || seen->key[0] != '\0' ||
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

static void put_certificate(void *context, const struct sighting *seen)
{
    struct telling *telling = context;
    struct mu_json *json = telling->json;
    if (!seen->certificate || seen->service[0] == '\0') {
        return;
    }
    mu_json_open(json, NULL, '{');
    mu_json_string(json, "service", seen->service);
    mu_json_string(json, "peer", text_or_null(seen->key));
    put_anchor(json, seen);
    mu_json_string(json, "issuer", text_or_null(seen->issuer));
    mu_json_string(json, "serial", text_or_null(seen->serial));
    mu_json_bool(json, "let_in", seen->let_in);
    mu_json_int(json, "first_s", seen->first_s);
    put_time(json, "last", seen->last_s);
    mu_json_int(json, "last_s", seen->last_s);
    mu_json_int(json, "count", (int64_t)seen->count);
    mu_json_int(json, "not_after_s", seen->not_after_s);
    mu_json_close(json, '}');
}

void sightings_certificates_json(const struct sightings *sightings, struct mu_json *json)
{
    struct telling telling = {json, sightings, NULL};
    mu_json_open(json, "certificates", '[');
    sightings_each(sightings, put_certificate, &telling);
    mu_json_close(json, ']');
}
