/* SPDX-License-Identifier: Apache-2.0
 *
 * The bottom room: errors, memory, bytes, text, time. Knows nothing of TLS, certificates, sockets.
 *
 * Rules that hold in every room: a function that can fail returns bool (true is done) with the
 * error object as its last parameter; ret_ parameters are written only on success; pointers are
 * borrowed unless the name says take; _free accepts NULL. Nothing here is thread-safe by itself.
 */
#ifndef MU_BASE_BASE_H
#define MU_BASE_BASE_H

#include <mutual/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/limits.h"

/* ---- our own mistakes ------------------------------------------------------------------------ */

/* Ends the process when an assumption about our own code is broken; stays on in release. Hostile
 * input is never an assertion. */
#define mu_assert(cond_)                                  \
    do {                                                  \
        if (__builtin_expect(!(cond_), 0)) {              \
            mu_assert_failed(#cond_, __FILE__, __LINE__); \
        }                                                 \
    } while (0)
/* Marks what cannot be reached. */
#define mu_never(what_) mu_assert_failed(what_, __FILE__, __LINE__)
_Noreturn void mu_assert_failed(const char *what, const char *file, int line);

/* ---- failing --------------------------------------------------------------------------------- */

/* Set the error and yield false: return mu_fail(err, MUTUAL_E_X, "could not ... \"%s\"", name); */
#define mu_fail(err_, code_, ...) \
    (mu_error_fill((err_), (code_), 0, __FILE__, __LINE__, __VA_ARGS__), false)
/* The same with an errno value whose words are put behind the reason. */
#define mu_fail_errno(err_, code_, errno_, ...) \
    (mu_error_fill((err_), (code_), (errno_), __FILE__, __LINE__, __VA_ARGS__), false)
/* Out of memory; sets the error and yields false. */
#define mu_fail_memory(err_) mu_fail((err_), MUTUAL_E_NO_MEMORY, "out of memory")

void mu_error_fill(struct mutual_error *err, enum mutual_code code, int sys, const char *file,
                   int line, const char *format, ...) MUTUAL_PRINTF(6, 7);
/* Adds an enclosing object ("listener \"pay\""); always false, so: return mu_error_context(...). */
bool mu_error_context(struct mutual_error *err, const char *format, ...) MUTUAL_PRINTF(2, 3);
/* Replaces the table's remedy by a better one for this case; always false. */
bool mu_error_hint(struct mutual_error *err, const char *format, ...) MUTUAL_PRINTF(2, 3);

/* ---- memory ---------------------------------------------------------------------------------- */

/* Zeroed memory, or NULL. The nth call can be made to fail (see mu_alloc_fail_after). */
void *mu_alloc(size_t count, size_t size) __attribute__((malloc, alloc_size(1, 2)));
/* As realloc for count * size bytes with overflow check; what grows is not zeroed. NULL leaves the
 * old block as it was. */
void *mu_realloc(void *old, size_t count, size_t size);
void mu_free(void *p);
char *mu_strdup(const char *text);
char *mu_strndup(const char *text, size_t len);
/* Test hook: the nth allocation from now fails, and only it; 0 turns the hook off. */
void mu_alloc_fail_after(unsigned long n);
/* Grows *items (of item_size bytes, *cap of them) so that one more than `count` fits, up to max. */
bool mu_grow(void **items, size_t *cap, size_t count, size_t item_size, size_t max);

#define MU_TAKE(p_)                   \
    __extension__({                   \
        __typeof__(p_) taken_ = (p_); \
        (p_) = NULL;                  \
        taken_;                       \
    })
/* Scope cleanup: MU_AUTO(buf) struct mu_buf b = ...; calls mu_buf_auto(&b) at the end of scope. */
#define MU_AUTO(kind_) __attribute__((cleanup(mu_##kind_##_auto)))
void mu_free_auto(void *pp); /* MU_AUTO(free) char *text = mu_strdup(...); */
#define MU_COUNT(array_) (sizeof(array_) / sizeof((array_)[0]))

/* Secrets: pages of their own, locked, left out of core dumps, wiped when freed. */
void *mu_secret_alloc(size_t size);
void mu_secret_free(void *p);
void mu_wipe(void *p, size_t size);
/* Compares in time that depends on the length only. */
bool mu_equal_secret(const void *a, const void *b, size_t len);
bool mu_random(void *bytes, size_t len, struct mutual_error *err);

/* ---- bytes ----------------------------------------------------------------------------------- */

/* Borrowed bytes. Never NUL-terminated by contract. */
struct mu_slice {
    const uint8_t *data;
    size_t len;
};
#define MU_SLICE_LIT(lit_) ((struct mu_slice){(const uint8_t *)(lit_), sizeof(lit_) - 1})
struct mu_slice mu_slice_of(const void *data, size_t len);
struct mu_slice mu_slice_text(const char *text);
bool mu_slice_equal(struct mu_slice a, struct mu_slice b);
bool mu_slice_equal_text(struct mu_slice a, const char *text);
/* <0, 0, >0 by bytes, then by length. */
int mu_slice_compare(struct mu_slice a, struct mu_slice b);
char *mu_slice_dup(struct mu_slice s); /* NUL-terminated copy, or NULL */

/* A buffer that grows up to a limit. All-zero is a valid empty buffer with limit 0; init first. */
struct mu_buf {
    uint8_t *data;
    size_t len;
    size_t cap;
    size_t max;
    bool failed; /* sticky: some append did not fit or memory ran out */
    bool secret; /* of mu_buf_init_secret */
};
void mu_buf_init(struct mu_buf *buf, size_t max);
/* One whose bytes are wiped wherever it lets go of them: grown, consumed, cleared or done. */
void mu_buf_init_secret(struct mu_buf *buf, size_t max);
void mu_buf_done(struct mu_buf *buf);
void mu_buf_clear(struct mu_buf *buf);
void mu_buf_auto(struct mu_buf *buf);
/* Each append either adds everything or nothing and sets `failed`; callers may check once at the
 * end. */
bool mu_buf_append(struct mu_buf *buf, const void *data, size_t len);
bool mu_buf_text(struct mu_buf *buf, const char *text);
bool mu_buf_byte(struct mu_buf *buf, uint8_t byte);
bool mu_buf_printf(struct mu_buf *buf, const char *format, ...) MUTUAL_PRINTF(2, 3);
/* Room for `len` more bytes, at the end; NULL when the limit forbids. Raise buf->len yourself. */
uint8_t *mu_buf_reserve(struct mu_buf *buf, size_t len);
/* Removes the first `len` bytes. */
void mu_buf_consume(struct mu_buf *buf, size_t len);
struct mu_slice mu_buf_slice(const struct mu_buf *buf);
/* The contents as text, NUL-terminated in place, never NULL; valid until the next change. */
const char *mu_buf_str(struct mu_buf *buf);

/* Bytes with several holders: a block of mu_alloc, or a mapping that munmap ends. Immutable; taken
 * only on success. NULL: out of memory. */
struct mu_shared;
struct mu_shared *mu_shared_new(void *take_block, size_t len, bool mapped);
struct mu_shared *mu_shared_ref(struct mu_shared *shared);
void mu_shared_unref(struct mu_shared *shared);
void mu_shared_auto(struct mu_shared **shared);
struct mu_slice mu_shared_bytes(const struct mu_shared *shared);

/* Big-endian integers, for wire formats. */
void mu_put_be16(uint8_t *p, uint16_t v);
void mu_put_be32(uint8_t *p, uint32_t v);
void mu_put_be64(uint8_t *p, uint64_t v);
uint16_t mu_get_be16(const uint8_t *p);
uint32_t mu_get_be32(const uint8_t *p);
uint64_t mu_get_be64(const uint8_t *p);

/* Many small things freed together. */
struct mu_arena;
struct mu_arena *mu_arena_new(size_t limit);
void mu_arena_free(struct mu_arena *arena);
void *mu_arena_alloc(struct mu_arena *arena, size_t size); /* zeroed, aligned; NULL at the limit */
char *mu_arena_strndup(struct mu_arena *arena, const void *text, size_t len);

/* A map from bytes to pointers, keyed with SipHash-2-4 under a random key per map, because others
 * choose the keys. Keys are copied, values borrowed. */
struct mu_map;
struct mu_map *mu_map_new(void);
void mu_map_free(struct mu_map *map);
void *mu_map_get(const struct mu_map *map, struct mu_slice key);       /* NULL when absent */
bool mu_map_put(struct mu_map *map, struct mu_slice key, void *value); /* false: out of memory */
void *mu_map_remove(struct mu_map *map, struct mu_slice key);          /* what was there, or NULL */
size_t mu_map_count(const struct mu_map *map);
/* Calls `each` for every pair, in no order, until it returns false. No changes meanwhile. */
void mu_map_each(const struct mu_map *map,
                 bool (*each)(void *context, struct mu_slice key, void *value), void *context);
uint64_t mu_siphash(const uint8_t key[16], struct mu_slice bytes);

/* ---- text ------------------------------------------------------------------------------------ */

void mu_hex(struct mu_buf *out, struct mu_slice bytes); /* lower case, no separators */
bool mu_hex_parse(struct mu_slice text, struct mu_buf *out, struct mutual_error *err);
void mu_base64(struct mu_buf *out, struct mu_slice bytes);    /* RFC 4648 section 4, padded */
void mu_base64url(struct mu_buf *out, struct mu_slice bytes); /* section 5, unpadded */
/* Strict: no white space, padding as the alphabet demands, no trailing bits. */
bool mu_base64_parse(struct mu_slice text, struct mu_buf *out, struct mutual_error *err);
bool mu_base64url_parse(struct mu_slice text, struct mu_buf *out, struct mutual_error *err);
/* Appends bytes that a stranger chose so that they are safe in a terminal and a log: printable
 * ASCII stays, quote and backslash are escaped, all else becomes \xNN. */
void mu_escape(struct mu_buf *out, struct mu_slice bytes);
/* The word of the NULL-terminated list that is nearest to `word` by edit distance, or NULL when
 * none is near enough to be worth saying. */
const char *mu_suggest(const char *word, const char *const *words);
bool mu_text_starts(const char *text, const char *prefix);
/* Parses a whole decimal number, digits only, within [0, max]. */
bool mu_text_uint(const char *text, uint64_t max, uint64_t *ret_value);

/* Appends running text for a manual page in mdoc: escaped, in short lines, a sentence a line, with
 * a newline at the end. */
void mu_mdoc_text(struct mu_buf *out, const char *text);

/* Writes JSON (RFC 8259) into a buffer. Strings that are not UTF-8 are escaped byte by byte as
 * \u00NN. Commas and nesting are kept by the writer; a broken nesting is an assertion. */
struct mu_json {
    struct mu_buf *out;
    unsigned depth;
    bool more[32];
};
void mu_json_init(struct mu_json *json, struct mu_buf *out);
void mu_json_open(struct mu_json *json, const char *key,
                  char bracket);                        /* '{' or '['; key or NULL */
void mu_json_close(struct mu_json *json, char bracket); /* '}' or ']' */
void mu_json_string(struct mu_json *json, const char *key, const char *value); /* NULL: null */
void mu_json_slice(struct mu_json *json, const char *key, struct mu_slice value);
void mu_json_int(struct mu_json *json, const char *key, int64_t value);
void mu_json_bool(struct mu_json *json, const char *key, bool value);
void mu_json_null(struct mu_json *json, const char *key);

/* ---- time ------------------------------------------------------------------------------------ */

/* Wall-clock times are seconds since 1970 (names end _s), because certificates reach the year
 * 9999; durations and the monotonic clock are nanoseconds (names end _ns). */
#define MU_NS_PER_S     INT64_C(1000000000)
#define MU_NS_PER_MS    INT64_C(1000000)
#define MU_TIME_NEVER_S INT64_MAX
int64_t mu_clock_wall_s(void);
int64_t mu_clock_mono_ns(void);
/* "2026-11-20T22:57:07Z"; `text` needs 32 bytes. */
#define MU_TIME_TEXT 32
const char *mu_time_format(int64_t time_s, char text[MU_TIME_TEXT]);
/* "2027-01-31" (its first second, UTC) or "2027-01-31T12:00:00Z". */
bool mu_time_parse(const char *text, int64_t *ret_s, struct mutual_error *err);
/* "10s", "5m", "36h", "90d", "500ms"; one number and one unit, positive. */
bool mu_duration_parse(const char *text, int64_t *ret_ns, struct mutual_error *err);
/* The distance in words people use: "3 days", "14 hours", "40 seconds"; never negative. */
const char *mu_duration_words(int64_t seconds, char text[MU_TIME_TEXT]);
/* Days since 1970 of a civil date, and back (proleptic Gregorian). */
int64_t mu_days_from_civil(int64_t year, unsigned month, unsigned day);

/* ---- files ----------------------------------------------------------------------------------- */

/* Reads a whole regular file of at most max bytes into buf (initialised by the call). */
bool mu_file_read(const char *path, size_t max, struct mu_buf *ret_buf, struct mutual_error *err);
/* The same from an open descriptor, from its current offset; `name` is for messages. */
bool mu_fd_read(int fd, const char *name, size_t max, struct mu_buf *ret_buf,
                struct mutual_error *err);
/* Writes aside, syncs, renames, syncs the directory: after a crash there is the old file or the
 * new one. An existing file is replaced; a device or a pipe is written to instead. */
bool mu_file_write(const char *path, struct mu_slice bytes, mode_t mode, struct mutual_error *err);
/* As mu_file_write, but fails with FILE_EXISTS when there is one already. */
bool mu_file_create(const char *path, struct mu_slice bytes, mode_t mode, struct mutual_error *err);
/* Changes a file: `edit` is given what is in it (nothing when there is no such file) and appends to
 * `out` what shall be; false: nothing is written. Those who change a file so wait for each other,
 * by a lock beside it (PATH.lock, which stays; FILE_BUSY after five seconds). It is replaced whole
 * as by mu_file_write, with the owner and mode that it had; a new one has `mode`. Of a symbolic
 * link the file is changed that it leads to. */
typedef bool mu_file_edit(void *context, struct mu_slice old, struct mu_buf *out,
                          struct mutual_error *err);
bool mu_file_change(const char *path, size_t max, mode_t mode, mu_file_edit *edit, void *context,
                    struct mutual_error *err);
/* Removes what processes that were killed while writing the file left beside it. Only for who keeps
 * other writers of the file away. */
void mu_file_clear_strays(const char *path);
/* Writes all of it, over short writes and EINTR. */
bool mu_fd_write(int fd, const void *data, size_t len);

#endif
