/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages of this room, written and read.
 */
#include <string.h>

#include "keys/keys_internal.h"

void keys_request_write(struct mu_buf *buf, const struct keys_request *request)
{
    ipc_put_u8(buf, KEYS_PROTOCOL);
    ipc_put_u64(buf, request->number);
    (void)mu_buf_append(buf, request->id, KEYS_ID_SIZE);
    ipc_put_u8(buf, (uint8_t)request->scheme.digest);
    ipc_put_u8(buf, (uint8_t)request->scheme.padding);
    ipc_put_bytes(buf, request->tbs);
}

static void get_id(struct ipc_reader *reader, uint8_t id[KEYS_ID_SIZE])
{
    struct mu_slice raw = ipc_get_raw(reader, KEYS_ID_SIZE);
    if (raw.len == KEYS_ID_SIZE) {
        memcpy(id, raw.data, KEYS_ID_SIZE);
    }
}

/* Only what is strong: a weak digest is as malformed as an unknown one. */
static struct keys_scheme get_scheme(struct ipc_reader *reader)
{
    uint8_t digest = ipc_get_u8(reader);
    uint8_t padding = ipc_get_u8(reader);
    struct keys_scheme scheme = {.digest = (enum mu_digest)digest,
                                 .padding = (enum keys_padding)padding};
    bool known = digest == MU_DIGEST_NONE || digest == MU_DIGEST_SHA256 ||
                 digest == MU_DIGEST_SHA384 || digest == MU_DIGEST_SHA512;
    if (!known || padding > KEYS_PADDING_PSS) {
        reader->failed = true;
    }
    return scheme;
}

bool keys_request_read(struct mu_slice payload, struct keys_request *ret_request,
                       struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(payload);
    struct keys_request request = {0};
    if (ipc_get_u8(&reader) != KEYS_PROTOCOL) {
        reader.failed = true;
    }
    request.number = ipc_get_u64(&reader);
    get_id(&reader, request.id);
    request.scheme = get_scheme(&reader);
    request.tbs = ipc_get_bytes(&reader, KEYS_TBS_MAX);
    if (!ipc_reader_end(&reader, "KEY_SIGN", err)) {
        return false;
    }
    *ret_request = request;
    return true;
}

void keys_reply_write(struct mu_buf *buf, const struct keys_reply *reply)
{
    ipc_put_u64(buf, reply->number);
    ipc_put_u8(buf, (uint8_t)reply->status);
    ipc_put_bytes(buf, reply->signature);
}

bool keys_reply_read(struct mu_slice payload, struct keys_reply *ret_reply,
                     struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(payload);
    struct keys_reply reply = {.number = ipc_get_u64(&reader)};
    uint8_t status = ipc_get_u8(&reader);
    reply.signature = ipc_get_bytes(&reader, KEYS_SIG_MAX);
    reply.status = (enum keys_status)status;
    bool has_signature = reply.signature.len > 0;
    if (status >= KEYS_STATUS_COUNT_ || has_signature != (status == KEYS_SIGNED)) {
        reader.failed = true;
    }
    if (!ipc_reader_end(&reader, "KEY_SIGNED", err)) {
        return false;
    }
    *ret_reply = reply;
    return true;
}

static void put_shape(struct mu_buf *buf, const struct keys_shape *shape)
{
    ipc_put_u32(buf, shape->ekus);
    ipc_put_u32(buf, shape->key_usage);
    ipc_put_u32(buf, shape->name_types);
    ipc_put_u32(buf, shape->must_types);
    ipc_put_u32(buf, shape->keys);
    ipc_put_u64(buf, (uint64_t)shape->max_lifetime_s);
    ipc_put_u8(buf, (uint8_t)((shape->staple_allowed ? 1 : 0) | (shape->staple_required ? 2 : 0) |
                              (shape->ocsp_nocheck ? 4 : 0)));
}

void keys_load_write(struct mu_buf *buf, const struct keys_load *load)
{
    const struct keys_ca_rules *ca = &load->rules.ca;
    ipc_put_u32(buf, load->number);
    ipc_put_u8(buf, load->expected ? 1 : 0);
    (void)mu_buf_append(buf, load->id, KEYS_ID_SIZE);
    ipc_put_text(buf, load->name);
    ipc_put_u32(buf, load->rules.purposes);
    ipc_put_u8(buf, ca->may_issue_ca ? 1 : 0);
    ipc_put_u64(buf, (uint64_t)ca->max_lifetime_s);
    ipc_put_u32(buf, ca->serial_min_bytes);
    ipc_put_u32(buf, ca->serial_max_bytes);
    ipc_put_u32(buf, ca->ekus);
    ipc_put_u8(buf, ca->eku_required ? 1 : 0);
    ipc_put_bytes(buf, ca->issuer);
    ipc_put_bytes(buf, mu_slice_of(&ca->ocsp_issuer, sizeof ca->ocsp_issuer));
    ipc_put_u64(buf, (uint64_t)ca->max_answer_s);
    ipc_put_u64(buf, (uint64_t)ca->not_after_max_s);
    ipc_put_u32(buf, ca->shape_count);
    for (uint32_t i = 0; i < ca->shape_count; i++) {
        put_shape(buf, &ca->shapes[i]);
    }
}

#define TLS_PURPOSES       ((uint32_t)KEYS_TLS_SERVER | (uint32_t)KEYS_TLS_CLIENT)
#define AUTHORITY_PURPOSES ((uint32_t)KEYS_PURPOSES_ALL & ~TLS_PURPOSES)

/* A key is for connections or for an authority, never for both: or a worker that was taken over
 * could have its listener's key sign certificates. */
static bool rules_make_sense(const struct keys_rules *rules)
{
    bool tls = (rules->purposes & TLS_PURPOSES) != 0;
    bool authority = (rules->purposes & AUTHORITY_PURPOSES) != 0;
    return (rules->purposes & ~(uint32_t)KEYS_PURPOSES_ALL) == 0 && tls != authority &&
           (!authority || rules->ca.issuer.len > 0) &&
           ((rules->purposes & (uint32_t)KEYS_OCSP) == 0 || rules->ca.max_answer_s > 0);
}

static int64_t get_duration(struct ipc_reader *reader)
{
    uint64_t duration = ipc_get_u64(reader);
    return duration > INT64_MAX ? INT64_MAX : (int64_t)duration;
}

static uint16_t get_bits(struct ipc_reader *reader)
{
    uint32_t bits = ipc_get_u32(reader);
    reader->failed = reader->failed || bits > UINT16_MAX;
    return (uint16_t)bits;
}

static void get_shapes(struct ipc_reader *reader, struct keys_ca_rules *ca)
{
    ca->shape_count = ipc_get_u32(reader);
    if (ca->shape_count > KEYS_SHAPES_MAX) {
        ca->shape_count = 0;
        reader->failed = true;
    }
    for (uint32_t i = 0; i < ca->shape_count; i++) {
        struct keys_shape *shape = &ca->shapes[i];
        shape->ekus = get_bits(reader);
        shape->key_usage = get_bits(reader);
        shape->name_types = get_bits(reader);
        shape->must_types = get_bits(reader);
        shape->keys = get_bits(reader);
        shape->max_lifetime_s = get_duration(reader);
        uint8_t flags = ipc_get_u8(reader);
        shape->staple_allowed = (flags & 1) != 0;
        shape->staple_required = (flags & 2) != 0;
        shape->ocsp_nocheck = (flags & 4) != 0;
        if (flags > 7) {
            reader->failed = true;
        }
    }
}

bool keys_load_read(struct mu_slice payload, struct keys_load *ret_load, struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(payload);
    struct keys_load load = {.number = ipc_get_u32(&reader)};
    struct keys_ca_rules *ca = &load.rules.ca;
    load.expected = ipc_get_u8(&reader) == 1;
    get_id(&reader, load.id);
    ipc_get_text(&reader, load.name, sizeof load.name);
    load.rules.purposes = ipc_get_u32(&reader);
    ca->may_issue_ca = ipc_get_u8(&reader) == 1;
    ca->max_lifetime_s = get_duration(&reader);
    ca->serial_min_bytes = ipc_get_u32(&reader);
    ca->serial_max_bytes = ipc_get_u32(&reader);
    ca->ekus = ipc_get_u32(&reader);
    ca->eku_required = ipc_get_u8(&reader) == 1;
    ca->issuer = ipc_get_bytes(&reader, 32768);
    struct mu_slice ocsp_issuer = ipc_get_bytes(&reader, sizeof ca->ocsp_issuer);
    if (ocsp_issuer.len == sizeof ca->ocsp_issuer) {
        memcpy(&ca->ocsp_issuer, ocsp_issuer.data, sizeof ca->ocsp_issuer);
    } else {
        reader.failed = true;
    }
    ca->max_answer_s = get_duration(&reader);
    ca->not_after_max_s = get_duration(&reader);
    get_shapes(&reader, ca);
    if (!ipc_reader_end(&reader, "KEY_LOAD", err)) {
        return false;
    }
    if (!rules_make_sense(&load.rules)) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "the rules of key \"%s\" make no sense",
                       load.name);
    }
    *ret_load = load;
    return true;
}

void keys_loaded_write(struct mu_buf *buf, const struct keys_loaded *loaded)
{
    ipc_put_u32(buf, loaded->number);
    ipc_put_error(buf, &loaded->why);
    ipc_put_bytes(buf, loaded->spki);
}

bool keys_loaded_read(struct mu_slice payload, struct keys_loaded *ret_loaded,
                      struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(payload);
    struct keys_loaded loaded = {.number = ipc_get_u32(&reader)};
    ipc_get_error(&reader, &loaded.why);
    loaded.spki = ipc_get_bytes(&reader, 8192);
    if (loaded.why.code == MUTUAL_OK && loaded.spki.len == 0) {
        reader.failed = true;
    }
    if (!ipc_reader_end(&reader, "KEY_LOADED", err)) {
        return false;
    }
    *ret_loaded = loaded;
    return true;
}

const char *keys_purpose_word(unsigned bit)
{
    static const char *const words[KEYS_PURPOSE_COUNT] = {"tls_server", "tls_client", "certificate",
                                                          "crl", "ocsp"};
    mu_assert(bit < KEYS_PURPOSE_COUNT);
    return words[bit];
}

void keys_figures_write(struct mu_buf *buf, const struct keys_figures *figures)
{
    for (unsigned i = 0; i < KEYS_PURPOSE_COUNT; i++) {
        ipc_put_u64(buf, figures->made[i]);
        ipc_put_u64(buf, figures->took_ns[i]);
    }
    ipc_put_u64(buf, figures->refused);
    ipc_put_u64(buf, figures->unavailable);
}

bool keys_figures_read(struct ipc_reader *reader, struct keys_figures *ret_figures,
                       struct mutual_error *err)
{
    struct keys_figures figures = {0};
    for (unsigned i = 0; i < KEYS_PURPOSE_COUNT; i++) {
        figures.made[i] = ipc_get_u64(reader);
        figures.took_ns[i] = ipc_get_u64(reader);
    }
    figures.refused = ipc_get_u64(reader);
    figures.unavailable = ipc_get_u64(reader);
    if (!ipc_reader_end(reader, "figures of keys", err)) {
        return false;
    }
    *ret_figures = figures;
    return true;
}

void keys_journal_write(struct mu_buf *buf, const struct keys_journal *entry)
{
    (void)mu_buf_append(buf, entry->id, KEYS_ID_SIZE);
    ipc_put_u8(buf, entry->refused ? 1 : 0);
    ipc_put_u32(buf, (uint32_t)entry->asker);
    ipc_put_u32(buf, entry->asker_index);
    ipc_put_text(buf, entry->code == MUTUAL_OK ? "" : mutual_code_name(entry->code));
    ipc_put_text(buf, entry->text);
}

bool keys_journal_read(const struct ipc_message *message, struct keys_journal *ret_journal,
                       struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(message->payload);
    struct keys_journal entry = {0};
    char code[64];
    get_id(&reader, entry.id);
    entry.refused = ipc_get_u8(&reader) == 1;
    entry.asker = (enum ipc_party)ipc_get_u32(&reader);
    entry.asker_index = ipc_get_u32(&reader);
    ipc_get_text(&reader, code, sizeof code);
    entry.code = mutual_code_find(code);
    ipc_get_line(&reader, entry.text, sizeof entry.text);
    if (!ipc_reader_end(&reader, "KEY_JOURNAL", err)) {
        return false;
    }
    *ret_journal = entry;
    return true;
}
