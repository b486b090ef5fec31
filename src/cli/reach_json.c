/* SPDX-License-Identifier: Apache-2.0
 *
 * Questions and answers of an authority's operations, as the verbs have them.
 */
#include "cli/reach_internal.h"

#include <string.h>

enum { TARGET_MAX = 1 << 16, RECORDS_BYTES = 64 << 20, RECORD_BYTES = 1 << 20 };

/* ---- questions ---------------------------------------------------------------------------------
 */

void reach_query(struct mu_buf *target, const char *name, const char *value)
{
    if (value != NULL) {
        bool first = memchr(target->data, '?', target->len) == NULL;
        mu_buf_printf(target, "%c%s=", first ? '?' : '&', name);
        reach_encode(target, value);
    }
}

void reach_encode(struct mu_buf *target, const char *value)
{
    for (const char *p = value; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("-._~", c) != NULL;
        if (plain) {
            mu_buf_byte(target, c);
        } else {
            mu_buf_printf(target, "%%%02X", c);
        }
    }
}

void reach_put(json_t *body, const char *name, const char *text)
{
    if (text != NULL) {
        (void)json_object_set_new(body, name, json_string(text));
    }
}

void reach_put_number(json_t *body, const char *name, int64_t number)
{
    if (number != 0) {
        (void)json_object_set_new(body, name, json_integer(number));
    }
}

json_t *reach_names(const struct mutual_name *names, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        MU_AUTO(buf) struct mu_buf text;
        mu_buf_init(&text, 2 * MU_LIMIT_NAME_BYTES);
        if (names[i].type != MUTUAL_NAME_SPIFFE) {
            mu_buf_printf(&text, "%s:", mutual_name_type_word(names[i].type));
        }
        mu_buf_text(&text, names[i].text);
        (void)json_array_append_new(list, json_string(mu_buf_str(&text)));
    }
    return list;
}

/* ---- answers -----------------------------------------------------------------------------------
 */

const char *reach_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

int64_t reach_number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

int64_t reach_time(const json_t *object, const char *name)
{
    int64_t time_s = 0;
    return mu_time_parse(reach_text(object, name), &time_s, NULL) ? time_s : 0;
}

bool reach_dump(const json_t *value, struct mu_buf *out, struct mutual_error *err)
{
    size_t len = json_dumpb(value, NULL, 0, JSON_COMPACT);
    uint8_t *room = len > 0 ? mu_buf_reserve(out, len) : NULL;
    if (room == NULL || json_dumpb(value, (char *)room, len, JSON_COMPACT) != len) {
        return mu_fail_memory(err);
    }
    out->len += len;
    return true;
}

bool reach_print(const json_t *value, struct mu_buf *out, struct mutual_error *err)
{
    return reach_dump(value, out, err) && (mu_buf_byte(out, '\n') || mu_fail_memory(err));
}

/* ---- certificates ------------------------------------------------------------------------------
 */

static struct mu_slice keep(struct mu_arena *arena, const struct mu_buf *bytes)
{
    const char *kept = mu_arena_strndup(arena, bytes->data, bytes->len);
    return mu_slice_of(kept, kept != NULL ? bytes->len : 0);
}

static struct mu_slice hex_at(const json_t *object, const char *name, struct mu_arena *arena)
{
    MU_AUTO(buf) struct mu_buf bytes;
    mu_buf_init(&bytes, 256);
    bool good = mu_hex_parse(mu_slice_text(reach_text(object, name)), &bytes, NULL);
    return good ? keep(arena, &bytes) : mu_slice_of(NULL, 0);
}

static struct mu_slice der_at(const json_t *object, struct mu_arena *arena)
{
    MU_AUTO(buf) struct mu_buf bytes;
    mu_buf_init(&bytes, MU_LIMIT_CERT_BYTES);
    bool good = mu_base64_parse(mu_slice_text(reach_text(object, "certificate")), &bytes, NULL);
    return good ? keep(arena, &bytes) : mu_slice_of(NULL, 0);
}

/* "DNS:web.example.org" as mutual list writes it. */
static struct mutual_name name_of(const char *text)
{
    static const struct {
        const char *kind;
        enum mutual_name_type type;
    } kinds[] = {{"URI:spiffe://", MUTUAL_NAME_SPIFFE},
                 {"URI:", MUTUAL_NAME_URI},
                 {"DNS:", MUTUAL_NAME_DNS},
                 {"IP:", MUTUAL_NAME_IP},
                 {"email:", MUTUAL_NAME_EMAIL},
                 {"CN:", MUTUAL_NAME_CN}};
    for (size_t i = 0; i < MU_COUNT(kinds); i++) {
        if (mu_text_starts(text, kinds[i].kind)) {
            const char *rest = strchr(text, ':') + 1;
            return (struct mutual_name){kinds[i].type, rest, strlen(rest)};
        }
    }
    return (struct mutual_name){MUTUAL_NAME_CN, text, strlen(text)};
}

static bool names_at(const json_t *object, struct mu_arena *arena, struct inventory_record *record,
                     struct mutual_error *err)
{
    const json_t *list = json_object_get(object, "names");
    size_t count = json_array_size(list);
    struct mutual_name *names = mu_arena_alloc(arena, (count + 1) * sizeof *names);
    if (names == NULL) {
        return mu_fail_memory(err);
    }
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        names[i] = name_of(text != NULL ? text : "");
    }
    record->names = names;
    record->name_count = count;
    return true;
}

bool reach_record(const json_t *object, struct mu_arena *arena, struct inventory_record *ret_record,
                  struct mutual_error *err)
{
    const char *state = reach_text(object, "state");
    bool interrupted = strcmp(state, "interrupted") == 0;
    *ret_record = (struct inventory_record){
        .issuer_name = reach_text(object, "issuer"),
        .state = interrupted ? INVENTORY_SIGNED : INVENTORY_DELIVERED,
        .serial = hex_at(object, "serial", arena),
        .profile = reach_text(object, "profile"),
        .name = reach_text(object, "name"),
        .owner = reach_text(object, "owner"),
        .place = reach_text(object, "place"),
        .purpose = reach_text(object, "purpose"),
        .path = reach_text(object, "path"),
        .key_text = reach_text(object, "key"),
        .not_before_s = reach_time(object, "not_before"),
        .not_after_s = reach_time(object, "not_after"),
        .der = der_at(object, arena),
        .fingerprint = hex_at(object, "fingerprint", arena),
        .replaced_by_id = json_is_true(json_object_get(object, "replaced")) ? 1 : 0,
        .replaces_id = json_is_true(json_object_get(object, "replaces")) ? 1 : 0,
        .revoked = strcmp(state, "revoked") == 0,
        .revoked_s = reach_time(object, "revoked_at"),
    };
    if (ret_record->revoked && !mu_reason_find(reach_text(object, "reason"), &ret_record->reason)) {
        ret_record->reason = MU_REASON_UNSPECIFIED;
    }
    return names_at(object, arena, ret_record, err);
}

struct walk {
    bool (*each)(void *context, const struct inventory_record *record, struct mutual_error *err);
    void *context;
};

static bool give_record(void *context, const json_t *element, struct mutual_error *err)
{
    const struct walk *walk = context;
    struct inventory_record record;
    struct mu_arena *arena = mu_arena_new(RECORD_BYTES);
    if (arena == NULL) {
        return mu_fail_memory(err);
    }
    bool good =
        reach_record(element, arena, &record, err) && walk->each(walk->context, &record, err);
    mu_arena_free(arena);
    return good;
}

static void put_filter(const struct inventory_filter *filter, bool der, struct mu_buf *target)
{
    char ends[MU_TIME_TEXT];
    mu_buf_text(target, "/certificates");
    reach_query(target, "name", filter->who);
    reach_query(target, "owner", filter->owner);
    reach_query(target, "place", filter->place);
    reach_query(target, "purpose", filter->purpose);
    reach_query(target, "profile", filter->profile);
    reach_query(target, "revoked", filter->revoked ? "true" : NULL);
    reach_query(target, "interrupted", filter->interrupted ? "true" : NULL);
    reach_query(target, "include", der ? "certificate" : NULL);
    if (filter->expires_before_s != 0) {
        reach_query(target, "ends_before", mu_time_format(filter->expires_before_s, ends));
    }
}

/* Of a million in a directory each would be written and read as JSON for nothing: their records are
 * what the objects are made of. */
static bool walk_here(struct ca *ca, const struct inventory_filter *filter, struct walk *walk,
                      struct mutual_error *err)
{
    MU_AUTO(inventory_cursor) struct inventory_cursor *cursor = NULL;
    const struct inventory_record *record = NULL;
    if (!inventory_select(ca_inventory(ca), filter, &cursor, err)) {
        return false;
    }
    for (;;) {
        if (!inventory_next(cursor, &record, err)) {
            return false;
        }
        if (record == NULL) {
            return true;
        }
        if (!walk->each(walk->context, record, err)) {
            return false;
        }
    }
}

bool reach_certificates(struct reach *reach, const struct inventory_filter *filter, bool der,
                        bool (*each)(void *context, const struct inventory_record *record,
                                     struct mutual_error *err),
                        void *context, struct mutual_error *err)
{
    struct walk walk = {each, context};
    MU_AUTO(buf) struct mu_buf target;
    mu_buf_init(&target, TARGET_MAX);
    if (reach_ca(reach) != NULL) {
        return walk_here(reach_ca(reach), filter, &walk, err);
    }
    put_filter(filter, der, &target);
    return !target.failed ? reach_pages(reach, mu_buf_str(&target), "certificates",
                                        (size_t)filter->limit, give_record, &walk, err)
                          : mu_fail_memory(err);
}

static bool copy_texts(struct inventory_record *record, struct mu_arena *arena)
{
    const char **const texts[] = {&record->issuer_name, &record->profile, &record->name,
                                  &record->owner,       &record->place,   &record->purpose,
                                  &record->path,        &record->key_text};
    bool good = true;
    for (size_t i = 0; i < MU_COUNT(texts); i++) {
        *texts[i] = mu_arena_strndup(arena, *texts[i], strlen(*texts[i]));
        good = good && *texts[i] != NULL;
    }
    record->name_count = 0; /* nobody asks: they are in the certificate */
    return good;
}

static bool read_found(const json_t *page, struct inventory_records *records,
                       struct mutual_error *err)
{
    const json_t *list = json_object_get(page, "certificates");
    records->arena = mu_arena_new(RECORDS_BYTES);
    if (records->arena == NULL) {
        return mu_fail_memory(err);
    }
    size_t count = json_array_size(list);
    records->items = mu_arena_alloc(records->arena, (count + 1) * sizeof *records->items);
    for (size_t i = 0; records->items != NULL && i < count; i++) {
        struct inventory_record *record = &records->items[i];
        if (!reach_record(json_array_get(list, i), records->arena, record, err)) {
            return false;
        }
        if (!copy_texts(record, records->arena)) {
            return mu_fail_memory(err);
        }
        records->count++;
    }
    if (records->items == NULL) {
        return mu_fail_memory(err);
    }
    return records->count > 0 ||
           mu_fail(err, MUTUAL_E_NOT_FOUND, "no such certificate is known to the authority");
}

static bool find_far(struct reach *reach, const char *who, struct inventory_records *ret_records,
                     struct mutual_error *err)
{
    MU_AUTO(api_json) json_t *page = NULL;
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    MU_AUTO(buf) struct mu_buf target;
    MU_AUTO(buf) struct mu_buf hex;
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    mu_buf_init(&target, TARGET_MAX);
    mu_buf_init(&hex, 128);
    bool file = authority_is_file(who);
    if (file) { /* it is here, and known there by its fingerprint */
        if (!ca_read_certificate(who, &cert, err)) {
            return false;
        }
        mu_hex(&hex, mu_slice_of(mu_cert_facts(cert)->fingerprint, 32));
    }
    mu_buf_text(&target, "/certificates");
    reach_query(&target, "match", file ? mu_buf_str(&hex) : who);
    reach_query(&target, "include", "certificate");
    if (!reach_get(reach, mu_buf_str(&target), &page, err) || !read_found(page, &records, err)) {
        return false;
    }
    *ret_records = records;
    records = (struct inventory_records){0};
    return true;
}

bool reach_find(struct reach *reach, const char *who, struct inventory_records *ret_records,
                struct mutual_error *err)
{
    return reach_ca(reach) != NULL ? ca_find(reach_ca(reach), who, ret_records, err)
                                   : find_far(reach, who, ret_records, err);
}
