/* SPDX-License-Identifier: Apache-2.0
 *
 * A revocation list as a table: what it says, sorted, in one piece without pointers, the same in
 * every process that maps it. Between processes of one program only, never in a file.
 *
 *   "MUCRL001"  u64 where the records begin
 *   the facts: times, then texts and bytes with a u32 length each (absent: LENGTH_NONE)
 *   issuers: u32 count, 32 bytes each
 *   classes: u32 count, then u8 length of serial numbers, u32 how many of that length
 *   the records, shorter serials first, sorted within their class: serial number, u40 time, u8
 *   reason, and u16 issuer where there is more than one
 *
 * Serial numbers of one authority have one or two lengths, so the records of a class have one size
 * and are bisected where they lie: 22 bytes an entry for serials of 16.
 */
#include "x509/crl_internal.h"

#define MAGIC       "MUCRL001"
#define HEAD_LEN    16u
#define LENGTH_NONE UINT32_MAX
#define TIME_BIAS   (INT64_C(1) << 39) /* seconds; years 0 to 9999 fit 40 bits around 1970 */
#define CLASSES_MAX 256u

struct class {
    const uint8_t *records;
    size_t first; /* index of its first record among all */
    size_t count;
    size_t stride;
    uint8_t serial_len;
};

struct mu_crl {
    atomic_uint refs;
    struct mu_arena *arena; /* what of the facts is not in the table */
    struct mu_crl_facts facts;
    struct mu_shared *owner;
    struct mu_slice table;
    uint8_t *der; /* or NULL */
    const uint8_t *issuers;
    struct class *classes;
    size_t class_count;
};

int mu_crl_compare_serials(struct mu_slice a, struct mu_slice b)
{
    if (a.len != b.len) {
        return a.len < b.len ? -1 : 1;
    }
    return a.len == 0 ? 0 : memcmp(a.data, b.data, a.len);
}

struct mu_slice mu_crl_serial_of(const struct crl_draft *draft, const struct crl_entry *entry)
{
    return mu_slice_of(draft->facts.der.data + entry->serial_at, entry->serial_len);
}

void mu_crl_draft_auto(struct crl_draft *draft)
{
    mu_arena_free(draft->arena);
    mu_free(draft->entries);
    mu_free(draft->issuers);
}

static size_t stride_of(size_t serial_len, size_t issuer_count)
{
    return serial_len + 6 + (issuer_count > 1 ? 2 : 0);
}

/* ---- writing ----------------------------------------------------------------------------------
 */

static void put_u32(struct mu_buf *out, uint32_t value)
{
    uint8_t bytes[4];
    mu_put_be32(bytes, value);
    mu_buf_append(out, bytes, sizeof bytes);
}

static void put_i64(struct mu_buf *out, int64_t value)
{
    uint8_t bytes[8];
    mu_put_be64(bytes, (uint64_t)value);
    mu_buf_append(out, bytes, sizeof bytes);
}

static void put_bytes(struct mu_buf *out, struct mu_slice bytes)
{
    put_u32(out, bytes.data == NULL ? LENGTH_NONE : (uint32_t)bytes.len);
    if (bytes.len > 0) {
        mu_buf_append(out, bytes.data, bytes.len);
    }
}

static void put_texts(struct mu_buf *out, const char *const *texts)
{
    uint32_t count = 0;
    while (texts != NULL && texts[count] != NULL) {
        count++;
    }
    put_u32(out, count);
    for (uint32_t i = 0; i < count; i++) {
        put_bytes(out, mu_slice_text(texts[i]));
    }
}

static void put_idp(struct mu_buf *out, const struct mu_crl_idp *idp)
{
    mu_buf_byte(out, idp != NULL);
    if (idp == NULL) {
        return;
    }
    mu_buf_byte(out,
                (uint8_t)(idp->has_point | idp->only_user << 1 | idp->only_ca << 2 |
                          idp->only_attribute << 3 | idp->some_reasons << 4 | idp->indirect << 5));
    put_u32(out, idp->reasons);
    put_bytes(out, idp->der);
    put_texts(out, idp->uris);
    put_u32(out, (uint32_t)idp->name_count);
    for (size_t i = 0; i < idp->name_count; i++) {
        put_bytes(out, idp->names[i]);
    }
}

static void put_classes(struct mu_buf *out, const struct crl_draft *draft)
{
    size_t at = out->len;
    uint32_t classes = 0;
    put_u32(out, 0);
    for (size_t i = 0; i < draft->facts.count && !out->failed;) {
        size_t first = i;
        uint8_t len = draft->entries[i].serial_len;
        while (i < draft->facts.count && draft->entries[i].serial_len == len) {
            i++;
        }
        mu_buf_byte(out, len);
        put_u32(out, (uint32_t)(i - first));
        classes++;
    }
    if (!out->failed) {
        mu_put_be32(out->data + at, classes);
    }
}

static void put_head(struct mu_buf *out, const struct crl_draft *draft)
{
    const struct mu_crl_facts *facts = &draft->facts;
    mu_buf_append(out, MAGIC, 8);
    put_i64(out, 0);
    put_i64(out, facts->this_update_s);
    put_i64(out, facts->next_update_s);
    put_bytes(out, facts->issuer);
    put_bytes(out, facts->issuer_canon);
    put_bytes(out, mu_slice_text(facts->issuer_text));
    put_bytes(out, facts->number);
    put_bytes(out, facts->delta_base);
    put_bytes(out, facts->akid);
    put_texts(out, facts->unknown_critical);
    put_idp(out, facts->idp);
    put_u32(out, (uint32_t)facts->issuer_count);
    mu_buf_append(out, draft->issuers, facts->issuer_count * 32);
    put_classes(out, draft);
    if (!out->failed) {
        mu_put_be64(out->data + 8, out->len);
    }
}

static uint8_t *put_record(uint8_t *p, const struct crl_draft *draft, const struct crl_entry *entry)
{
    uint8_t time[8];
    mu_assert(entry->time_s > -TIME_BIAS && entry->time_s < TIME_BIAS);
    mu_put_be64(time, (uint64_t)(entry->time_s + TIME_BIAS));
    if (entry->serial_len > 0) {
        memcpy(p, mu_crl_serial_of(draft, entry).data, entry->serial_len);
    }
    p += entry->serial_len;
    memcpy(p, time + 3, 5);
    p[5] = entry->reason;
    p += 6;
    if (draft->facts.issuer_count > 1) {
        mu_put_be16(p, entry->issuer);
        p += 2;
    }
    return p;
}

/* The head's length is found by writing it; then all goes into one block of the right size. */
static struct mu_shared *make_table(const struct crl_draft *draft)
{
    MU_AUTO(buf) struct mu_buf head;
    mu_buf_init(&head, 2 * CRL_ARENA_MAX + CRL_ISSUERS_MAX * 32 + MU_LIMIT_PEM_BYTES);
    put_head(&head, draft);
    size_t total = head.len;
    for (size_t i = 0; i < draft->facts.count; i++) {
        total += stride_of(draft->entries[i].serial_len, draft->facts.issuer_count);
    }
    uint8_t *table = head.failed ? NULL : mu_alloc(total, 1);
    if (table == NULL) {
        return NULL;
    }
    memcpy(table, head.data, head.len);
    uint8_t *p = table + head.len;
    for (size_t i = 0; i < draft->facts.count; i++) {
        p = put_record(p, draft, &draft->entries[i]);
    }
    struct mu_shared *shared = mu_shared_new(table, total, false);
    if (shared == NULL) {
        mu_free(table);
    }
    return shared;
}

/* ---- reading ----------------------------------------------------------------------------------
 */

/* What does not fit yields zeros and sets `failed`. */
struct reader {
    struct mu_slice rest;
    struct mu_arena *arena;
    bool failed;
};

static struct mu_slice get_raw(struct reader *reader, size_t len)
{
    if (reader->failed || len > reader->rest.len) {
        reader->failed = true;
        return mu_slice_of(NULL, 0);
    }
    struct mu_slice taken = mu_slice_of(reader->rest.data, len);
    reader->rest.data += len;
    reader->rest.len -= len;
    return taken;
}

static uint8_t get_u8(struct reader *reader)
{
    struct mu_slice raw = get_raw(reader, 1);
    return raw.data != NULL ? raw.data[0] : 0;
}

static uint32_t get_u32(struct reader *reader)
{
    struct mu_slice raw = get_raw(reader, 4);
    return raw.data != NULL ? mu_get_be32(raw.data) : 0;
}

static int64_t get_i64(struct reader *reader)
{
    struct mu_slice raw = get_raw(reader, 8);
    return raw.data != NULL ? (int64_t)mu_get_be64(raw.data) : 0;
}

static struct mu_slice get_bytes(struct reader *reader)
{
    uint32_t len = get_u32(reader);
    return len == LENGTH_NONE || reader->failed ? mu_slice_of(NULL, 0) : get_raw(reader, len);
}

static const char *get_text(struct reader *reader)
{
    struct mu_slice bytes = get_bytes(reader);
    const char *text = bytes.data != NULL && memchr(bytes.data, 0, bytes.len) == NULL
                           ? mu_arena_strndup(reader->arena, bytes.data, bytes.len)
                           : NULL;
    reader->failed = reader->failed || text == NULL;
    return text;
}

/* NULL when there is none; every item takes at least its length, so a count cannot lie by much. */
static void *get_list(struct reader *reader, size_t item_size, size_t *ret_count)
{
    uint32_t count = get_u32(reader);
    if (reader->failed || count > reader->rest.len / 4) {
        reader->failed = true;
        return NULL;
    }
    *ret_count = count;
    void *items = count > 0 ? mu_arena_alloc(reader->arena, (count + 1) * item_size) : NULL;
    reader->failed = reader->failed || (count > 0 && items == NULL);
    return items;
}

static const char *const *get_texts(struct reader *reader)
{
    size_t count = 0;
    const char **texts = get_list(reader, sizeof *texts, &count);
    for (size_t i = 0; texts != NULL && i < count; i++) {
        texts[i] = get_text(reader);
    }
    return texts;
}

static const struct mu_crl_idp *get_idp(struct reader *reader)
{
    if (get_u8(reader) == 0) {
        return NULL;
    }
    struct mu_crl_idp *idp = mu_arena_alloc(reader->arena, sizeof *idp);
    if (idp == NULL) {
        reader->failed = true;
        return NULL;
    }
    uint8_t flags = get_u8(reader);
    idp->has_point = (flags & 1) != 0;
    idp->only_user = (flags & 2) != 0;
    idp->only_ca = (flags & 4) != 0;
    idp->only_attribute = (flags & 8) != 0;
    idp->some_reasons = (flags & 16) != 0;
    idp->indirect = (flags & 32) != 0;
    idp->reasons = get_u32(reader);
    idp->der = get_bytes(reader);
    idp->uris = get_texts(reader);
    struct mu_slice *names = get_list(reader, sizeof *names, &idp->name_count);
    for (size_t i = 0; names != NULL && i < idp->name_count; i++) {
        names[i] = get_bytes(reader);
    }
    idp->names = names;
    return idp;
}

static void get_facts(struct reader *reader, struct mu_crl *crl)
{
    struct mu_crl_facts *facts = &crl->facts;
    facts->this_update_s = get_i64(reader);
    facts->next_update_s = get_i64(reader);
    facts->issuer = get_bytes(reader);
    facts->issuer_canon = get_bytes(reader);
    facts->issuer_text = get_text(reader);
    facts->number = get_bytes(reader);
    facts->delta_base = get_bytes(reader);
    facts->akid = get_bytes(reader);
    facts->unknown_critical = get_texts(reader);
    facts->idp = get_idp(reader);
    facts->issuer_count = get_u32(reader);
    if (facts->issuer_count == 0 || facts->issuer_count > CRL_ISSUERS_MAX) {
        reader->failed = true;
        return;
    }
    crl->issuers = get_raw(reader, 32 * facts->issuer_count).data;
}

/* The classes, whose records must fill the rest of the table exactly. */
static void get_classes(struct reader *reader, struct mu_crl *crl, struct mu_slice records)
{
    uint32_t count = get_u32(reader);
    if (reader->failed || count > CLASSES_MAX) {
        reader->failed = true;
        return;
    }
    crl->classes = mu_arena_alloc(reader->arena, (count + 1) * sizeof *crl->classes);
    reader->failed = crl->classes == NULL;
    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        struct class *class = &crl->classes[i];
        class->serial_len = get_u8(reader);
        class->count = get_u32(reader);
        class->stride = stride_of(class->serial_len, crl->facts.issuer_count);
        class->first = crl->facts.count;
        class->records = records.data;
        bool ordered = i == 0 || class->serial_len > crl->classes[i - 1].serial_len;
        if (!ordered || class->count == 0 || class->count > records.len / class->stride) {
            reader->failed = true;
            return;
        }
        crl->facts.count += class->count;
        records.data += class->count * class->stride;
        records.len -= class->count * class->stride;
        crl->class_count++;
    }
    reader->failed = reader->failed || reader->rest.len > 0 || records.len > 0;
}

static bool open_table(struct mu_crl *crl)
{
    struct mu_slice table = crl->table;
    if (table.len < HEAD_LEN || memcmp(table.data, MAGIC, 8) != 0) {
        return false;
    }
    uint64_t head = mu_get_be64(table.data + 8);
    if (head < HEAD_LEN || head > table.len) {
        return false;
    }
    struct reader reader = {.rest = mu_slice_of(table.data + HEAD_LEN, (size_t)head - HEAD_LEN),
                            .arena = crl->arena};
    get_facts(&reader, crl);
    get_classes(&reader, crl, mu_slice_of(table.data + head, table.len - (size_t)head));
    return !reader.failed;
}

bool mu_crl_from_table(struct mu_shared *owner, struct mu_slice table, struct mu_crl **ret_crl,
                       struct mutual_error *err)
{
    MU_AUTO(crl) struct mu_crl *crl = mu_alloc(1, sizeof *crl);
    if (crl == NULL) {
        return mu_fail_memory(err);
    }
    atomic_init(&crl->refs, 1);
    crl->owner = mu_shared_ref(owner);
    crl->table = table;
    crl->arena = mu_arena_new(CRL_ARENA_MAX + MU_LIMIT_PEM_BYTES);
    if (crl->arena == NULL) {
        return mu_fail_memory(err);
    }
    if (!open_table(crl)) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED,
                       "the table of a revocation list is malformed");
    }
    *ret_crl = MU_TAKE(crl);
    return true;
}

bool mu_crl_from_draft(const struct crl_draft *draft, uint8_t **take_der, struct mu_crl **ret_crl,
                       struct mutual_error *err)
{
    MU_AUTO(shared) struct mu_shared *table = make_table(draft);
    if (table == NULL) {
        return mu_fail_memory(err);
    }
    if (!mu_crl_from_table(table, mu_shared_bytes(table), ret_crl, err)) {
        return false;
    }
    struct mu_crl *crl = *ret_crl;
    crl->der = MU_TAKE(*take_der);
    crl->facts.der = draft->facts.der;
    crl->facts.tbs = draft->facts.tbs;
    crl->facts.signature = draft->facts.signature;
    crl->facts.sig = draft->facts.sig;
    return true;
}

struct mu_slice mu_crl_table(const struct mu_crl *crl)
{
    return crl->table;
}

void mu_crl_forget_der(struct mu_crl *crl)
{
    mu_assert(atomic_load(&crl->refs) == 1);
    mu_free(MU_TAKE(crl->der));
    crl->facts.der = crl->facts.tbs = crl->facts.signature = mu_slice_of(NULL, 0);
}

/* ---- the list as an object ---------------------------------------------------------------------
 */

static struct mu_crl *unconst(const struct mu_crl *crl)
{
    union {
        const struct mu_crl *in;
        struct mu_crl *out;
    } same = {crl};
    return same.out;
}

struct mu_crl *mu_crl_ref(const struct mu_crl *crl)
{
    struct mu_crl *own = unconst(crl);
    if (own != NULL) {
        atomic_fetch_add_explicit(&own->refs, 1, memory_order_relaxed);
    }
    return own;
}

void mu_crl_unref(struct mu_crl *crl)
{
    if (crl == NULL || atomic_fetch_sub_explicit(&crl->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    mu_arena_free(crl->arena);
    mu_shared_unref(crl->owner);
    mu_free(crl->der);
    mu_free(crl);
}

void mu_crl_auto(struct mu_crl **crl)
{
    mu_crl_unref(*crl);
}

const struct mu_crl_facts *mu_crl_facts(const struct mu_crl *crl)
{
    return &crl->facts;
}

static uint16_t issuer_at(const struct mu_crl *crl, const struct class *class,
                          const uint8_t *record)
{
    return crl->facts.issuer_count > 1 ? mu_get_be16(record + class->serial_len + 6) : 0;
}

static struct mu_revoked record_at(const struct mu_crl *crl, const struct class *class, size_t i)
{
    const uint8_t *record = class->records + i * class->stride;
    uint16_t issuer = issuer_at(crl, class, record);
    uint8_t time[8] = {0};
    memcpy(time + 3, record + class->serial_len, 5);
    return (struct mu_revoked){
        .serial = mu_slice_of(record, class->serial_len),
        .time_s = (int64_t)mu_get_be64(time) - TIME_BIAS,
        .reason = (enum mu_reason)record[class->serial_len + 5],
        .issuer_hash = crl->issuers + (issuer < crl->facts.issuer_count ? 32u * issuer : 0u),
    };
}

struct mu_revoked mu_crl_at(const struct mu_crl *crl, size_t i)
{
    mu_assert(i < crl->facts.count);
    const struct class *class = crl->classes;
    while (i >= class->first + class->count) {
        class ++;
    }
    return record_at(crl, class, i - class->first);
}

static bool find(const struct mu_crl *crl, uint16_t issuer, struct mu_slice serial,
                 struct mu_revoked *ret_entry)
{
    const struct class *class = crl->classes;
    const struct class *end = crl->classes + crl->class_count;
    while (class < end && class->serial_len != serial.len) {
        class ++;
    }
    size_t low = 0;
    size_t high = class < end ? class->count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const uint8_t *record = class->records + middle * class->stride;
        int order = mu_crl_compare_serials(mu_slice_of(record, class->serial_len), serial);
        uint16_t other = issuer_at(crl, class, record);
        order = order != 0 ? order : (other > issuer) - (other < issuer);
        if (order == 0) {
            if (ret_entry != NULL) {
                *ret_entry = record_at(crl, class, middle);
            }
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

bool mu_crl_find(const struct mu_crl *crl, struct mu_slice serial, struct mu_revoked *ret_entry)
{
    return find(crl, 0, serial, ret_entry);
}

bool mu_crl_find_of(const struct mu_crl *crl, const uint8_t issuer_hash[32], struct mu_slice serial,
                    struct mu_revoked *ret_entry)
{
    for (size_t i = 0; i < crl->facts.issuer_count; i++) {
        if (memcmp(crl->issuers + 32 * i, issuer_hash, 32) == 0) {
            return find(crl, (uint16_t)i, serial, ret_entry);
        }
    }
    return false;
}

bool mu_crl_signed_by(const struct mu_crl *crl, const struct mu_cert *issuer,
                      struct mutual_error *err)
{
    return mu_crl_facts_signed_by(&crl->facts, issuer, err);
}
