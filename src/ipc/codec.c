/* SPDX-License-Identifier: Apache-2.0
 *
 * Fields of messages: big-endian integers, bytes behind their length, error objects.
 */
#include <string.h>

#include "ipc/ipc.h"

void ipc_put_u8(struct mu_buf *buf, uint8_t value)
{
    (void)mu_buf_byte(buf, value);
}

void ipc_put_u16(struct mu_buf *buf, uint16_t value)
{
    uint8_t bytes[2];
    mu_put_be16(bytes, value);
    (void)mu_buf_append(buf, bytes, sizeof bytes);
}

void ipc_put_u32(struct mu_buf *buf, uint32_t value)
{
    uint8_t bytes[4];
    mu_put_be32(bytes, value);
    (void)mu_buf_append(buf, bytes, sizeof bytes);
}

void ipc_put_u64(struct mu_buf *buf, uint64_t value)
{
    uint8_t bytes[8];
    mu_put_be64(bytes, value);
    (void)mu_buf_append(buf, bytes, sizeof bytes);
}

void ipc_put_bytes(struct mu_buf *buf, struct mu_slice bytes)
{
    if (bytes.len > UINT32_MAX) {
        buf->failed = true;
        return;
    }
    ipc_put_u32(buf, (uint32_t)bytes.len);
    (void)mu_buf_append(buf, bytes.data, bytes.len);
}

void ipc_put_text(struct mu_buf *buf, const char *text)
{
    ipc_put_bytes(buf, text == NULL ? mu_slice_of(NULL, 0) : mu_slice_text(text));
}

/* The code goes by name: numbers are not stable across versions, and a parent may be newer than
 * the child it has not replaced yet. */
void ipc_put_error(struct mu_buf *buf, const struct mutual_error *err)
{
    ipc_put_text(buf, err->code == MUTUAL_OK ? "" : mutual_code_name(err->code));
    ipc_put_u8(buf, (uint8_t)err->step);
    ipc_put_u32(buf, (uint32_t)err->sys);
    ipc_put_text(buf, err->reason);
    ipc_put_text(buf, err->hint);
    ipc_put_text(buf, err->context);
}

struct ipc_reader ipc_reader_of(struct mu_slice payload)
{
    return (struct ipc_reader){.rest = payload};
}

struct mu_slice ipc_get_raw(struct ipc_reader *reader, size_t len)
{
    if (reader->failed || len > reader->rest.len) {
        reader->failed = true;
        return (struct mu_slice){0};
    }
    struct mu_slice taken = {.data = reader->rest.data, .len = len};
    if (len > 0) {
        reader->rest.data += len;
        reader->rest.len -= len;
    }
    return taken;
}

uint8_t ipc_get_u8(struct ipc_reader *reader)
{
    struct mu_slice raw = ipc_get_raw(reader, 1);
    return raw.len == 1 ? raw.data[0] : 0;
}

uint16_t ipc_get_u16(struct ipc_reader *reader)
{
    struct mu_slice raw = ipc_get_raw(reader, 2);
    return raw.len == 2 ? mu_get_be16(raw.data) : 0;
}

uint32_t ipc_get_u32(struct ipc_reader *reader)
{
    struct mu_slice raw = ipc_get_raw(reader, 4);
    return raw.len == 4 ? mu_get_be32(raw.data) : 0;
}

uint64_t ipc_get_u64(struct ipc_reader *reader)
{
    struct mu_slice raw = ipc_get_raw(reader, 8);
    return raw.len == 8 ? mu_get_be64(raw.data) : 0;
}

struct mu_slice ipc_get_bytes(struct ipc_reader *reader, size_t max)
{
    size_t len = ipc_get_u32(reader);
    if (len > max) {
        reader->failed = true;
    }
    return ipc_get_raw(reader, len);
}

void ipc_get_text(struct ipc_reader *reader, char *text, size_t size)
{
    mu_assert(size > 0);
    struct mu_slice bytes = ipc_get_bytes(reader, size - 1);
    if (bytes.len > 0 && memchr(bytes.data, '\0', bytes.len) != NULL) {
        reader->failed = true;
    }
    size_t len = reader->failed ? 0 : bytes.len;
    if (len > 0) {
        memcpy(text, bytes.data, len);
    }
    text[len] = '\0';
}

/* Text that we wrote ourselves is one line without control bytes; whoever sends another is not
 * who we started, and means to write into our log. */
void ipc_get_line(struct ipc_reader *reader, char *text, size_t size)
{
    ipc_get_text(reader, text, size);
    for (const char *c = text; *c != '\0'; c++) {
        reader->failed = reader->failed || (unsigned char)*c < 0x20 || *c == 0x7f;
    }
    if (reader->failed) {
        text[0] = '\0';
    }
}

void ipc_get_error(struct ipc_reader *reader, struct mutual_error *ret_err)
{
    struct mutual_error got = {0};
    char name[64];
    ipc_get_text(reader, name, sizeof name);
    uint8_t step = ipc_get_u8(reader);
    got.sys = (int)ipc_get_u32(reader);
    ipc_get_line(reader, got.reason, sizeof got.reason);
    ipc_get_line(reader, got.hint, sizeof got.hint);
    ipc_get_line(reader, got.context, sizeof got.context);
    got.code = mutual_code_find(name);
    if (step >= MUTUAL_STEP_COUNT_ || (name[0] != '\0' && got.code == MUTUAL_OK)) {
        reader->failed = true;
    }
    if (!reader->failed) {
        got.step = (enum mutual_step)step;
        *ret_err = got;
    }
}

bool ipc_reader_end(const struct ipc_reader *reader, const char *what, struct mutual_error *err)
{
    if (reader->failed) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "the content of %s does not decode", what);
    }
    if (reader->rest.len != 0) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "%s has %zu bytes too many", what,
                       reader->rest.len);
    }
    return true;
}
