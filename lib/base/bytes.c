/* SPDX-License-Identifier: Apache-2.0
 *
 * Slices, bounded buffers, big-endian integers, the arena.
 */
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct mu_slice mu_slice_of(const void *data, size_t len)
{
    return (struct mu_slice){data, len};
}

struct mu_slice mu_slice_text(const char *text)
{
    return mu_slice_of(text, strlen(text));
}

bool mu_slice_equal(struct mu_slice a, struct mu_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool mu_slice_equal_text(struct mu_slice a, const char *text)
{
    return mu_slice_equal(a, mu_slice_text(text));
}

int mu_slice_compare(struct mu_slice a, struct mu_slice b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter == 0 ? 0 : memcmp(a.data, b.data, shorter);
    if (order != 0) {
        return order;
    }
    return a.len == b.len ? 0 : (a.len < b.len ? -1 : 1);
}

char *mu_slice_dup(struct mu_slice s)
{
    return mu_strndup((const char *)s.data, s.len);
}

void mu_buf_init(struct mu_buf *buf, size_t max)
{
    *buf = (struct mu_buf){.max = max};
}

void mu_buf_init_secret(struct mu_buf *buf, size_t max)
{
    *buf = (struct mu_buf){.max = max, .secret = true};
}

static void let_go(struct mu_buf *buf, size_t begin, size_t end)
{
    if (buf->secret && end > begin) {
        mu_wipe(buf->data + begin, end - begin);
    }
}

void mu_buf_done(struct mu_buf *buf)
{
    let_go(buf, 0, buf->cap);
    mu_free(buf->data);
    *buf = (struct mu_buf){0};
}

void mu_buf_auto(struct mu_buf *buf)
{
    mu_buf_done(buf);
}

void mu_buf_clear(struct mu_buf *buf)
{
    let_go(buf, 0, buf->len);
    buf->len = 0;
    buf->failed = false;
}

/* realloc would leave a copy behind. */
static uint8_t *grow(struct mu_buf *buf, size_t cap)
{
    if (!buf->secret) {
        return mu_realloc(buf->data, cap, 1);
    }
    uint8_t *grown = mu_alloc(cap, 1);
    if (grown != NULL && buf->data != NULL) {
        memcpy(grown, buf->data, buf->len);
        let_go(buf, 0, buf->cap);
        mu_free(buf->data);
    }
    return grown;
}

uint8_t *mu_buf_reserve(struct mu_buf *buf, size_t len)
{
    if (len > buf->max || buf->len > buf->max - len) {
        buf->failed = true;
        return NULL;
    }
    size_t needed = buf->len + len + 1; /* one more for the NUL of mu_buf_str */
    if (needed > buf->cap) {
        size_t cap = buf->cap < 64 ? 64 : buf->cap;
        while (cap < needed) {
            cap *= 2;
        }
        uint8_t *grown = grow(buf, cap);
        if (grown == NULL) {
            buf->failed = true;
            return NULL;
        }
        buf->data = grown;
        buf->cap = cap;
    }
    return buf->data + buf->len;
}

bool mu_buf_append(struct mu_buf *buf, const void *data, size_t len)
{
    uint8_t *room = mu_buf_reserve(buf, len);
    if (room == NULL) {
        return false;
    }
    if (len > 0) {
        memcpy(room, data, len);
        buf->len += len;
    }
    return true;
}

bool mu_buf_text(struct mu_buf *buf, const char *text)
{
    return mu_buf_append(buf, text, strlen(text));
}

/* Text is made of these: where there is room, nothing else is done. */
bool mu_buf_byte(struct mu_buf *buf, uint8_t byte)
{
    if (buf->len < buf->max && buf->cap > buf->len + 1) {
        buf->data[buf->len++] = byte;
        return true;
    }
    return mu_buf_append(buf, &byte, 1);
}

bool mu_buf_printf(struct mu_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    size_t cap = buf->cap - buf->len;
    int n = vsnprintf(cap == 0 ? NULL : (char *)buf->data + buf->len, cap, format, args);
    va_end(args);
    uint8_t *room = n < 0 ? NULL : mu_buf_reserve(buf, (size_t)n);
    if (room != NULL) {
        if ((size_t)n >= cap) {
            vsnprintf((char *)room, (size_t)n + 1, format, again);
        }
        buf->len += (size_t)n;
    }
    va_end(again);
    return room != NULL;
}

void mu_buf_consume(struct mu_buf *buf, size_t len)
{
    mu_assert(len <= buf->len);
    if (len == 0) {
        return;
    }
    memmove(buf->data, buf->data + len, buf->len - len);
    let_go(buf, buf->len - len, buf->len);
    buf->len -= len;
}

struct mu_slice mu_buf_slice(const struct mu_buf *buf)
{
    return mu_slice_of(buf->data, buf->len);
}

const char *mu_buf_str(struct mu_buf *buf)
{
    if (buf->data == NULL && mu_buf_reserve(buf, 0) == NULL) {
        return "";
    }
    buf->data[buf->len] = '\0';
    return (const char *)buf->data;
}

void mu_put_be16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

void mu_put_be32(uint8_t *p, uint32_t v)
{
    mu_put_be16(p, (uint16_t)(v >> 16));
    mu_put_be16(p + 2, (uint16_t)v);
}

void mu_put_be64(uint8_t *p, uint64_t v)
{
    mu_put_be32(p, (uint32_t)(v >> 32));
    mu_put_be32(p + 4, (uint32_t)v);
}

uint16_t mu_get_be16(const uint8_t *p)
{
    return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

uint32_t mu_get_be32(const uint8_t *p)
{
    return (uint32_t)mu_get_be16(p) << 16 | mu_get_be16(p + 2);
}

uint64_t mu_get_be64(const uint8_t *p)
{
    return (uint64_t)mu_get_be32(p) << 32 | mu_get_be32(p + 4);
}

struct arena_chunk {
    struct arena_chunk *next;
    size_t used;
    size_t size;
    _Alignas(max_align_t) uint8_t bytes[];
};

struct mu_arena {
    struct arena_chunk *chunks;
    size_t total;
    size_t limit;
};

#define ARENA_CHUNK 4096u

struct mu_arena *mu_arena_new(size_t limit)
{
    struct mu_arena *arena = mu_alloc(1, sizeof *arena);
    if (arena != NULL) {
        arena->limit = limit;
    }
    return arena;
}

void mu_arena_free(struct mu_arena *arena)
{
    if (arena == NULL) {
        return;
    }
    while (arena->chunks != NULL) {
        struct arena_chunk *next = arena->chunks->next;
        mu_free(arena->chunks);
        arena->chunks = next;
    }
    mu_free(arena);
}

void *mu_arena_alloc(struct mu_arena *arena, size_t size)
{
    size_t align = _Alignof(max_align_t);
    if (size > arena->limit) {
        return NULL;
    }
    size = (size + align - 1) / align * align;
    struct arena_chunk *chunk = arena->chunks;
    if (chunk == NULL || chunk->size - chunk->used < size) {
        size_t room = size > ARENA_CHUNK ? size : ARENA_CHUNK;
        if (arena->total + size > arena->limit) {
            return NULL;
        }
        chunk = mu_alloc(1, sizeof *chunk + room);
        if (chunk == NULL) {
            return NULL;
        }
        chunk->size = room;
        chunk->next = arena->chunks;
        arena->chunks = chunk;
    }
    void *p = chunk->bytes + chunk->used;
    chunk->used += size;
    arena->total += size;
    return p;
}

char *mu_arena_strndup(struct mu_arena *arena, const void *text, size_t len)
{
    char *copy = mu_arena_alloc(arena, len + 1);
    if (copy != NULL && len > 0) {
        memcpy(copy, text, len);
    }
    return copy;
}
