/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading: walking the certificates that a filter lets through, and copying them.
 */
#include "inventory/inventory_internal.h"

#include <string.h>

struct inventory_cursor {
    struct store_statement *rows;
    struct inventory_record record;
    struct mutual_name list[MU_LIMIT_CERT_NAMES];
    struct mu_buf texts; /* of the record's names */
};

/* A page whole is one answer; longer walks come in pieces. */
#define PAGE_MAX 1000

/* What is asked of each certificate; `last` is the position of its last name. */
#define RECORD_COLUMNS                                                                       \
    "SELECT c.id, c.issuer_id, i.name AS issuer_name, c.state, c.form, c.serial, c.profile," \
    " c.name, c.owner, c.place, c.purpose, c.path, c.aside, c.key_text, c.key_hash,"         \
    " c.requested_s, c.not_before_s, c.not_after_s, c.der, c.fingerprint,"                   \
    " c.replaces_id, c.revoked_s, c.reason, c.machine,"                                      \
    " (SELECT max(s.id) FROM certificate s WHERE s.replaces_id = c.id"                       \
    "  AND s.state IN ('signed', 'delivered')) AS replaced_by_id, c.shard, c.asked_again,"   \
    " (SELECT max(m.position) FROM certified_name m WHERE m.certificate_id = c.id) AS last"  \
    " FROM certificate c JOIN issuer i ON i.id = c.issuer_id WHERE "

/* A certificate is a run of rows, one for each of its names: a question for the names of each would
 * be another wait for the server. Only the last of them bears the certificate itself. */
#define NAMED_COLUMNS                                                                        \
    "SELECT r.id, r.issuer_id, r.issuer_name, r.state, r.form, r.serial, r.profile, r.name," \
    " r.owner, r.place, r.purpose, r.path, r.aside, r.key_text, r.key_hash, r.requested_s,"  \
    " r.not_before_s, r.not_after_s,"                                                        \
    " CASE WHEN n.position IS NULL OR n.position = r.last THEN r.der END,"                   \
    " r.fingerprint, r.replaces_id, r.revoked_s, r.reason, r.machine, r.replaced_by_id,"     \
    " r.shard, r.asked_again, n.type, n.value, r.last - n.position FROM ("
#define NAMED_END                                               \
    ") r LEFT JOIN certified_name n ON n.certificate_id = r.id" \
    " ORDER BY r.not_after_s, r.id, n.position"
enum { COLUMN_TYPE = 27, COLUMN_VALUE, COLUMN_LEFT };

void inventory_cursor_free(struct inventory_cursor *cursor)
{
    if (cursor == NULL) {
        return;
    }
    store_finish(cursor->rows);
    mu_buf_done(&cursor->texts);
    mu_free(cursor);
}

void mu_inventory_cursor_auto(struct inventory_cursor **cursor)
{
    inventory_cursor_free(*cursor);
}

/* ---- the filter as SQL ----------------------------------------------------------------------- */

/* One condition: its SQL has %d where the parameter's number goes. */
struct condition {
    bool wanted;
    const char *sql;
    const char *text;      /* bound when not NULL */
    struct mu_slice bytes; /* else bound when not empty */
    int64_t number;        /* else bound */
};
#define CONDITIONS_MAX 16
#define SERIAL_MAX     20u /* RFC 5280 section 4.1.2.2 */

/* The first serial behind all those that begin so: an index serves a range, and no substring. None
 * when they begin with nothing but ff. */
static struct mu_slice behind(struct mu_slice begin, uint8_t room[SERIAL_MAX])
{
    size_t len = begin.len < SERIAL_MAX ? begin.len : SERIAL_MAX;
    if (len > 0) {
        memcpy(room, begin.data, len);
    }
    while (len > 0 && room[len - 1] == 0xff) {
        len--;
    }
    if (len > 0) {
        room[len - 1]++;
    }
    return mu_slice_of(room, len);
}

static size_t list_conditions(const struct inventory_filter *f, struct mu_slice serial_end,
                              struct condition out[CONDITIONS_MAX])
{
    const struct condition all[] = {
        {f->id != 0, "c.id = $%d", .number = f->id},
        {f->who != NULL,
         "c.id IN (SELECT id FROM certificate WHERE name = $%1$d UNION"
         " SELECT certificate_id FROM certified_name WHERE value = $%1$d)",
         .text = f->who},
        {f->serial.len != 0, "c.serial = $%d", .bytes = f->serial},
        {f->serial_begin.len != 0, "c.serial >= $%d", .bytes = f->serial_begin},
        {serial_end.len != 0, "c.serial < $%d", .bytes = serial_end},
        {f->fingerprint.len != 0, "c.fingerprint = $%d", .bytes = f->fingerprint},
        {f->key_hash.len != 0, "c.key_hash = $%d", .bytes = f->key_hash},
        {f->owner != NULL, "c.owner = $%d", .text = f->owner},
        {f->place != NULL, "c.place = $%d", .text = f->place},
        {f->purpose != NULL, "c.purpose = $%d", .text = f->purpose},
        {f->profile != NULL, "c.profile = $%d", .text = f->profile},
        {f->issuer != NULL, "c.issuer_id = (SELECT id FROM issuer WHERE name = $%d)",
         .text = f->issuer},
        {f->machine != NULL, "c.machine IN ('', $%d)", .text = f->machine},
        {f->expires_before_s != 0, "c.not_after_s < $%d", .number = f->expires_before_s},
        {f->valid_at_s != 0,
         "(c.state = 'delivered' AND c.revoked_s IS NULL AND c.not_before_s <= $%1$d"
         " AND c.not_after_s >= $%1$d)",
         .number = f->valid_at_s},
    };
    size_t count = 0;
    for (size_t i = 0; i < MU_COUNT(all); i++) {
        if (all[i].wanted) {
            out[count++] = all[i];
        }
    }
    return count;
}

static void bind_condition(struct store_statement *rows, int parameter,
                           const struct condition *condition)
{
    if (condition->text != NULL) {
        store_bind_text(rows, parameter, condition->text);
    } else if (condition->bytes.len != 0) {
        store_bind_bytes(rows, parameter, condition->bytes);
    } else {
        store_bind_int(rows, parameter, condition->number);
    }
}

/* The texts are ours; what others wrote is only ever bound. */
static void add_condition(struct mu_buf *sql, const char *text, int parameter)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p != '%') {
            mu_buf_byte(sql, (uint8_t)*p);
            continue;
        }
        mu_buf_printf(sql, "%d", parameter);
        p = strchr(p, 'd');
    }
    mu_buf_text(sql, " AND ");
}

static bool prepare_rows(struct inventory *inventory, const struct inventory_filter *filter,
                         struct store_statement **ret_rows, struct mutual_error *err)
{
    struct condition conditions[CONDITIONS_MAX];
    uint8_t room[SERIAL_MAX];
    size_t count = list_conditions(filter, behind(filter->serial_begin, room), conditions);
    MU_AUTO(buf) struct mu_buf sql;
    mu_buf_init(&sql, 8192);
    mu_buf_text(&sql, NAMED_COLUMNS RECORD_COLUMNS);
    for (size_t i = 0; i < count; i++) {
        add_condition(&sql, conditions[i].sql, (int)i + 1);
    }
    if (filter->revoked) {
        mu_buf_text(&sql, "c.revoked_s IS NOT NULL AND ");
    }
    if (filter->live) {
        mu_buf_text(&sql, "c.revoked_s IS NULL AND NOT EXISTS (SELECT 1 FROM certificate s"
                          " WHERE s.replaces_id = c.id AND s.state IN ('signed', 'delivered'))"
                          " AND ");
    }
    if (filter->after_id != 0) {
        mu_buf_printf(&sql, "(c.not_after_s, c.id) > (%lld, %lld) AND ", (long long)filter->after_s,
                      (long long)filter->after_id);
    }
    mu_buf_text(&sql, filter->interrupted ? "c.state IN ('reserved', 'signed')"
                                          : "c.state IN ('signed', 'delivered')");
    if (filter->limit > 0) {
        mu_buf_printf(&sql, " ORDER BY %s LIMIT %lld",
                      filter->oldest ? "c.id" : "c.not_after_s, c.id", (long long)filter->limit);
    }
    mu_buf_text(&sql, NAMED_END);
    if (sql.failed) {
        return mu_fail_memory(err);
    }
    bool page = filter->limit > 0 && filter->limit <= PAGE_MAX;
    if (!(page ? store_prepare : store_scan)(inventory->store, mu_buf_str(&sql), ret_rows, err)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        bind_condition(*ret_rows, (int)i + 1, &conditions[i]);
    }
    return true;
}

bool inventory_select(struct inventory *inventory, const struct inventory_filter *filter,
                      struct inventory_cursor **ret_cursor, struct mutual_error *err)
{
    MU_AUTO(inventory_cursor) struct inventory_cursor *cursor = mu_alloc(1, sizeof *cursor);
    if (cursor == NULL) {
        return mu_fail_memory(err);
    }
    mu_buf_init(&cursor->texts, MU_LIMIT_CERT_NAMES * (MU_LIMIT_NAME_BYTES + 1));
    if (!prepare_rows(inventory, filter, &cursor->rows, err)) {
        return false;
    }
    *ret_cursor = MU_TAKE(cursor);
    return true;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static enum inventory_state state_find(const char *word)
{
    for (int i = 0; i < INVENTORY_STATE_COUNT_; i++) {
        if (strcmp(word, inventory_state_word((enum inventory_state)i)) == 0) {
            return (enum inventory_state)i;
        }
    }
    return INVENTORY_ABANDONED; /* the schema lets no other word in */
}

static enum inventory_form form_find(const char *word)
{
    for (int i = 0; i < INVENTORY_FORM_COUNT_; i++) {
        if (strcmp(word, inventory_form_word((enum inventory_form)i)) == 0) {
            return (enum inventory_form)i;
        }
    }
    return INVENTORY_FORM_NONE;
}

static bool type_find(const char *word, enum mutual_name_type *ret_type)
{
    for (int i = 0; i < MUTUAL_NAME_COUNT_; i++) {
        if (strcmp(word, mutual_name_type_word((enum mutual_name_type)i)) == 0) {
            *ret_type = (enum mutual_name_type)i;
            return true;
        }
    }
    return false;
}

static void read_row(struct store_statement *rows, struct inventory_record *record)
{
    *record = (struct inventory_record){
        .id = store_int(rows, 0),
        .issuer_id = store_int(rows, 1),
        .issuer_name = store_text(rows, 2),
        .state = state_find(store_text(rows, 3)),
        .form = form_find(store_text(rows, 4)),
        .serial = store_bytes(rows, 5),
        .profile = store_text(rows, 6),
        .name = store_text(rows, 7),
        .owner = store_text(rows, 8),
        .place = store_text(rows, 9),
        .purpose = store_text(rows, 10),
        .path = store_text(rows, 11),
        .aside = store_text(rows, 12),
        .key_text = store_text(rows, 13),
        .key_hash = store_bytes(rows, 14),
        .requested_s = store_int(rows, 15),
        .not_before_s = store_int(rows, 16),
        .not_after_s = store_int(rows, 17),
        .der = store_bytes(rows, 18),
        .fingerprint = store_bytes(rows, 19),
        .replaces_id = store_int(rows, 20),
        .revoked = !store_is_null(rows, 21),
        .revoked_s = store_int(rows, 21),
        .reason = (enum mu_reason)store_int(rows, 22),
        .machine = store_text(rows, 23),
        .replaced_by_id = store_int(rows, 24),
        .shard = (unsigned)store_int(rows, 25),
        .asked_again = store_int(rows, 26) != 0,
    };
}

static void read_name(struct inventory_cursor *cursor, size_t *count)
{
    struct mutual_name *name = &cursor->list[*count];
    bool known = *count < MU_COUNT(cursor->list) && !store_is_null(cursor->rows, COLUMN_VALUE) &&
                 type_find(store_text(cursor->rows, COLUMN_TYPE), &name->type);
    if (known) { /* else a type that a newer version knows */
        const char *value = store_text(cursor->rows, COLUMN_VALUE);
        name->len = strlen(value);
        mu_buf_append(&cursor->texts, value, name->len + 1);
        ++*count;
    }
}

/* What the rows before kept of it are its names; the rest is read off its last one. */
static bool read_record(struct inventory_cursor *cursor, size_t count, struct mutual_error *err)
{
    if (cursor->texts.failed) {
        return mu_fail_memory(err);
    }
    read_row(cursor->rows, &cursor->record);
    const char *text = (const char *)cursor->texts.data;
    for (size_t i = 0; i < count; i++) {
        cursor->list[i].text = text;
        text += cursor->list[i].len + 1;
    }
    cursor->record.names = cursor->list;
    cursor->record.name_count = count;
    return true;
}

bool inventory_next(struct inventory_cursor *cursor, const struct inventory_record **ret_record,
                    struct mutual_error *err)
{
    size_t count = 0;
    mu_buf_clear(&cursor->texts);
    for (bool row = true;;) {
        if (!store_step(cursor->rows, &row, err)) {
            return false;
        }
        if (!row) {
            *ret_record = NULL;
            return true;
        }
        read_name(cursor, &count);
        if (store_int(cursor->rows, COLUMN_LEFT) == 0) { /* no name, or its last */
            break;
        }
    }
    if (!read_record(cursor, count, err)) {
        return false;
    }
    *ret_record = &cursor->record;
    return true;
}

/* ---- copies ---------------------------------------------------------------------------------- */

void inventory_records_done(struct inventory_records *records)
{
    mu_arena_free(records->arena);
    *records = (struct inventory_records){0};
}

void mu_inventory_records_auto(struct inventory_records *records)
{
    inventory_records_done(records);
}

static bool copy_texts(struct mu_arena *arena, struct inventory_record *copy)
{
    const char **const texts[] = {&copy->issuer_name, &copy->profile, &copy->name, &copy->owner,
                                  &copy->place,       &copy->purpose, &copy->path, &copy->aside,
                                  &copy->key_text,    &copy->machine};
    for (size_t i = 0; i < MU_COUNT(texts); i++) {
        *texts[i] = mu_arena_strndup(arena, *texts[i], strlen(*texts[i]));
        if (*texts[i] == NULL) {
            return false;
        }
    }
    struct mu_slice *const slices[] = {&copy->serial, &copy->key_hash, &copy->der,
                                       &copy->fingerprint};
    for (size_t i = 0; i < MU_COUNT(slices); i++) {
        slices[i]->data = (uint8_t *)mu_arena_strndup(arena, slices[i]->data, slices[i]->len);
        if (slices[i]->data == NULL) {
            return false;
        }
    }
    return true;
}

static bool copy_record(struct mu_arena *arena, const struct inventory_record *record,
                        struct inventory_record *ret_copy)
{
    struct inventory_record copy = *record;
    struct mutual_name *names =
        mu_arena_alloc(arena, (record->name_count + 1) * sizeof *record->names);
    if (names == NULL || !copy_texts(arena, &copy)) {
        return false;
    }
    for (size_t i = 0; i < record->name_count; i++) {
        names[i] = record->names[i];
        names[i].text = mu_arena_strndup(arena, names[i].text, names[i].len);
        if (names[i].text == NULL) {
            return false;
        }
    }
    copy.names = names;
    *ret_copy = copy;
    return true;
}

bool inventory_records_get(struct inventory *inventory, const struct inventory_filter *filter,
                           size_t max, struct inventory_records *ret_records,
                           struct mutual_error *err)
{
    MU_AUTO(inventory_cursor) struct inventory_cursor *cursor = NULL;
    MU_AUTO(inventory_records)
    struct inventory_records records = {.arena = mu_arena_new((max + 1) * (64u << 10))};
    if (!inventory_select(inventory, filter, &cursor, err)) {
        return false;
    }
    if (records.arena != NULL) {
        records.items = mu_arena_alloc(records.arena, (max + 1) * sizeof *records.items);
    }
    if (records.items == NULL) {
        return mu_fail_memory(err);
    }
    for (;;) {
        const struct inventory_record *record = NULL;
        if (!inventory_next(cursor, &record, err)) {
            return false;
        }
        if (record == NULL) {
            break;
        }
        if (records.count == max) {
            return mu_fail(err, MUTUAL_E_LIMIT, "more than %zu certificates match", max);
        }
        if (!copy_record(records.arena, record, &records.items[records.count])) {
            return mu_fail_memory(err);
        }
        records.count++;
    }
    *ret_records = records;
    records = (struct inventory_records){0};
    return true;
}
