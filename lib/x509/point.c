/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of distribution points (RFC 5280 sections 4.2.1.13 and 5.2.5) in a form in which equal ones
 * are equal byte by byte: a tag, then the bytes of an address, or a Name as mu_name_canon.
 */
#include "x509/cert_internal.h"

#include <string.h>

#define DIRECTORY_NAME DER_CONSTRUCTED(4)

/* How many items there are, as far as they are DER: what is to be allocated for them. */
static size_t count_items(struct mu_slice list)
{
    struct der_item item;
    size_t count = 0;
    while (list.len > 0 && mu_der_next(&list, &item)) {
        count++;
    }
    return count;
}

static bool keep(struct mu_arena *arena, uint8_t tag, bool tagged, struct mu_slice bytes,
                 struct mu_slice *ret_name)
{
    size_t head = tagged ? 1 : 0;
    uint8_t *copy = mu_arena_alloc(arena, bytes.len + head + 1);
    if (copy == NULL) {
        return false;
    }
    copy[0] = tag;
    if (bytes.len > 0) {
        memcpy(copy + head, bytes.data, bytes.len);
    }
    *ret_name = mu_slice_of(copy, bytes.len + head);
    return true;
}

static bool keep_directory(struct mu_arena *arena, struct mu_slice name, bool tagged,
                           struct mu_slice *ret_name)
{
    MU_AUTO(buf) struct mu_buf canon;
    mu_buf_init(&canon, MU_LIMIT_CERT_BYTES);
    return mu_name_canon(name, &canon) &&
           keep(arena, DIRECTORY_NAME, tagged, mu_buf_slice(&canon), ret_name);
}

/* nameRelativeToCRLIssuer: the issuer's Name with one more RelativeDistinguishedName. */
static bool keep_relative(struct mu_arena *arena, struct mu_slice issuer, struct mu_slice rdn,
                          struct mu_slice *ret_name)
{
    struct mu_slice body;
    MU_AUTO(buf) struct mu_buf whole;
    mu_buf_init(&whole, MU_LIMIT_CERT_BYTES);
    if (!mu_der_only(issuer, DER_SEQUENCE, &body)) {
        return false;
    }
    size_t mark = mu_der_begin(&whole, DER_SEQUENCE);
    mu_buf_append(&whole, body.data, body.len);
    mu_der_put(&whole, DER_SET, rdn);
    mu_der_end(&whole, mark);
    return !whole.failed && keep_directory(arena, mu_buf_slice(&whole), true, ret_name);
}

bool mu_full_names(struct mu_arena *arena, struct mu_slice full, const struct mu_slice **ret_names,
                   size_t *ret_count)
{
    struct der_item item;
    size_t count = count_items(full);
    struct mu_slice *names = mu_arena_alloc(arena, (count + 1) * sizeof *names);
    if (names == NULL || count > MU_LIMIT_CRL_POINTS) {
        return false;
    }
    *ret_names = names;
    for (*ret_count = 0; full.len > 0; (*ret_count)++) {
        struct mu_slice *name = &names[*ret_count];
        if (!mu_der_next(&full, &item)) {
            return false;
        }
        bool kept = item.tag == DIRECTORY_NAME ? keep_directory(arena, item.body, true, name)
                                               : keep(arena, item.tag, true, item.body, name);
        if (!kept) {
            return false;
        }
    }
    return true;
}

bool mu_point_names(struct mu_arena *arena, struct mu_slice point_name, struct mu_slice issuer,
                    const struct mu_slice **ret_names, size_t *ret_count)
{
    struct mu_slice full;
    struct mu_slice relative;
    *ret_count = 0;
    if (point_name.data == NULL) {
        return true;
    }
    if (!mu_der_optional(&point_name, DER_CONSTRUCTED(0), &full) ||
        !mu_der_optional(&point_name, DER_CONSTRUCTED(1), &relative) || point_name.len != 0) {
        return false;
    }
    if (relative.data == NULL) {
        return mu_full_names(arena, full, ret_names, ret_count);
    }
    struct mu_slice *name = mu_arena_alloc(arena, sizeof *name);
    *ret_names = name;
    *ret_count = 1;
    return name != NULL && full.data == NULL && keep_relative(arena, issuer, relative, name);
}

bool mu_directory_names(struct mu_arena *arena, struct mu_slice list,
                        const struct mu_slice **ret_names, size_t *ret_count)
{
    struct der_item item;
    *ret_count = 0;
    if (list.data == NULL) {
        return true;
    }
    size_t count = count_items(list);
    struct mu_slice *names = mu_arena_alloc(arena, (count + 1) * sizeof *names);
    if (names == NULL || count > MU_LIMIT_CRL_POINTS) {
        return false;
    }
    *ret_names = names;
    while (list.len > 0) {
        if (!mu_der_next(&list, &item)) {
            return false;
        }
        if (item.tag == DIRECTORY_NAME &&
            !keep_directory(arena, item.body, false, &names[(*ret_count)++])) {
            return false;
        }
    }
    return true;
}

struct mu_slice mu_directory_name_first(struct mu_slice list)
{
    struct der_item item;
    while (list.len > 0 && mu_der_next(&list, &item)) {
        if (item.tag == DIRECTORY_NAME) {
            return item.body;
        }
    }
    return mu_slice_of("", 0);
}

bool mu_reason_flags(struct mu_slice body, unsigned *ret_reasons)
{
    unsigned bits = 0;
    if (body.len == 0 || body.len > 3 || body.data[0] > 7) {
        return false;
    }
    for (unsigned bit = 0; bit < 8 * (unsigned)(body.len - 1); bit++) {
        if ((body.data[1 + bit / 8] & (0x80u >> bit % 8)) != 0) {
            bits |= 1u << bit;
        }
    }
    *ret_reasons = bits & MU_REASONS_ALL;
    return true;
}
