/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificate extensions (RFC 5280 section 4.2): a table from OID to reader, and the flaws that
 * can be seen from them. An extension that is known but not well-formed makes the certificate
 * unreadable; a rule that is merely broken makes a flaw.
 */
#include "x509/cert_internal.h"

#include <limits.h>
#include <string.h>

static bool malformed(struct cert_reader *reader, const char *what)
{
    return mu_fail(reader->err, MUTUAL_E_CERT_MALFORMED, "its %s is not well-formed", what);
}

static void flaw_unless(struct cert_reader *reader, bool good, uint64_t flaw)
{
    reader->facts->flaws |= good ? 0 : flaw;
}

/* ---- small readers, shared with requests and revocation lists -------------------------------- */

bool mu_extension_next(struct mu_slice *in, struct raw_extension *ret_extension, bool *ret_strict)
{
    struct mu_slice body;
    struct mu_slice critical;
    *ret_extension = (struct raw_extension){0};
    *ret_strict = true;
    if (!mu_der_body(in, DER_SEQUENCE, &body) ||
        !mu_der_body(&body, DER_OID, &ret_extension->oid) || ret_extension->oid.len == 0 ||
        !mu_der_optional(&body, DER_BOOLEAN, &critical)) {
        return false;
    }
    if (critical.data != NULL) {
        if (!mu_der_bool(critical, &ret_extension->critical, ret_strict)) {
            return false;
        }
        /* FALSE is the default, which DER leaves out (X.690 section 11.5). */
        *ret_strict = *ret_strict && ret_extension->critical;
    }
    return mu_der_body(&body, DER_OCTET_STRING, &ret_extension->value) && body.len == 0;
}

bool mu_text_list_add(struct mu_arena *arena, struct text_list *list, struct mu_slice text)
{
    if (list->count + 2 > list->cap) {
        size_t cap = list->cap == 0 ? 4 : list->cap * 2;
        const char **bigger = mu_arena_alloc(arena, cap * sizeof *bigger);
        if (bigger == NULL) {
            return false;
        }
        if (list->count > 0) {
            memcpy(bigger, list->items, list->count * sizeof *bigger);
        }
        list->items = bigger;
        list->cap = cap;
    }
    const char *copy = mu_arena_strndup(arena, text.data, text.len);
    list->items[list->count] = copy;
    list->count += copy != NULL;
    return copy != NULL;
}

bool mu_text_list_add_oid(struct mu_arena *arena, struct text_list *list, struct mu_slice oid)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 4096);
    if (!mu_der_oid_text(oid, &text)) {
        mu_buf_clear(&text);
        mu_buf_byte(&text, '?');
    }
    return mu_text_list_add(arena, list, mu_buf_slice(&text));
}

bool mu_gnames_read(struct mu_arena *arena, struct mu_slice value, const char *where,
                    const struct mu_gname **ret_names, size_t *ret_count, struct mutual_error *err)
{
    struct mu_slice body;
    if (!mu_der_only(value, DER_SEQUENCE, &body)) {
        return mu_fail(err, MUTUAL_E_CERT_MALFORMED, "its %s is not well-formed", where);
    }
    size_t count = 0;
    struct der_item item;
    for (struct mu_slice rest = body; rest.len > 0; count++) {
        if (!mu_der_next(&rest, &item)) {
            return mu_fail(err, MUTUAL_E_CERT_MALFORMED, "its %s is not well-formed", where);
        }
    }
    if (count > MU_LIMIT_CERT_NAMES) {
        return mu_fail(err, MUTUAL_E_CERT_MALFORMED, "its %s has %zu names, more than %u", where,
                       count, MU_LIMIT_CERT_NAMES);
    }
    struct mu_gname *names = mu_arena_alloc(arena, (count + 1) * sizeof *names);
    if (names == NULL) {
        return mu_fail_memory(err);
    }
    for (size_t i = 0; i < count; i++) {
        if (!mu_gname_read(&body, false, where, &names[i], err)) {
            return false;
        }
    }
    *ret_names = names;
    *ret_count = count;
    return true;
}

bool mu_basic_constraints_read(struct mu_slice value, bool *ret_ca, int *ret_path_length,
                               bool *ret_strict)
{
    struct mu_slice body;
    struct mu_slice ca;
    struct mu_slice length;
    *ret_ca = false;
    *ret_path_length = -1;
    *ret_strict = true;
    if (!mu_der_only(value, DER_SEQUENCE, &body) || !mu_der_optional(&body, DER_BOOLEAN, &ca) ||
        !mu_der_optional(&body, DER_INTEGER, &length) || body.len != 0) {
        return false;
    }
    if (ca.data != NULL) {
        if (!mu_der_bool(ca, ret_ca, ret_strict)) {
            return false;
        }
        *ret_strict = *ret_strict && *ret_ca; /* an encoded default */
    }
    uint32_t number;
    if (length.data != NULL) {
        if (!mu_der_small(length, INT_MAX, &number)) {
            return false;
        }
        *ret_path_length = (int)number;
    }
    return true;
}

bool mu_aki_read(struct mu_slice value, struct mu_slice *ret_keyid, bool *ret_issuer,
                 bool *ret_serial)
{
    struct mu_slice body;
    struct mu_slice issuer;
    struct mu_slice serial;
    if (!mu_der_only(value, DER_SEQUENCE, &body) ||
        !mu_der_optional(&body, DER_CONTEXT(0), ret_keyid) ||
        !mu_der_optional(&body, DER_CONSTRUCTED(1), &issuer) ||
        !mu_der_optional(&body, DER_CONTEXT(2), &serial) || body.len != 0) {
        return false;
    }
    *ret_issuer = issuer.data != NULL;
    *ret_serial = serial.data != NULL;
    return true;
}

bool mu_point_uris(struct mu_arena *arena, struct mu_slice point_name, struct text_list *list,
                   bool *ret_clean)
{
    struct mu_slice names;
    if (!mu_der_optional(&point_name, DER_CONSTRUCTED(0), &names)) {
        return false;
    }
    struct der_item item;
    while (names.len > 0) {
        if (!mu_der_next(&names, &item)) {
            return false;
        }
        if (item.tag != DER_CONTEXT(6)) {
            continue;
        }
        if (!mu_ascii_clean(item.body)) {
            *ret_clean = false;
        } else if (!mu_text_list_add(arena, list, item.body)) {
            return false;
        }
    }
    return true;
}

/* ---- one reader per extension ------------------------------------------------------------------
 */

static bool read_skid(struct cert_reader *reader, const struct raw_extension *ext)
{
    flaw_unless(reader, !ext->critical, MU_FLAW(SKI_CRITICAL));
    return mu_der_only(ext->value, DER_OCTET_STRING, &reader->facts->skid);
}

static bool read_akid(struct cert_reader *reader, const struct raw_extension *ext)
{
    bool issuer;
    bool serial;
    if (!mu_aki_read(ext->value, &reader->facts->akid, &issuer, &serial)) {
        return false;
    }
    reader->facts->has_aki_issuer = issuer && serial;
    flaw_unless(reader, issuer == serial, MU_FLAW(AKI_PAIR));
    flaw_unless(reader, !ext->critical, MU_FLAW(AKI_CRITICAL));
    return true;
}

static bool read_key_usage(struct cert_reader *reader, const struct raw_extension *ext)
{
    struct mu_slice bits;
    if (!mu_der_only(ext->value, DER_BIT_STRING, &bits) || bits.len == 0 || bits.data[0] > 7 ||
        (bits.len == 1 && bits.data[0] != 0)) {
        return false;
    }
    unsigned usage = 0;
    for (unsigned bit = 0; bit < 9 && 1 + bit / 8 < bits.len; bit++) {
        usage |= (bits.data[1 + bit / 8] >> (7 - bit % 8) & 1u) << bit;
    }
    /* Named bits end with a one (X.690 section 11.2.2). */
    uint8_t last = bits.len > 1 ? (uint8_t)(bits.data[bits.len - 1] >> bits.data[0]) : 1;
    flaw_unless(reader, (last & 1) != 0, MU_FLAW(NOT_DER));
    flaw_unless(reader, usage != 0, MU_FLAW(KU_EMPTY));
    reader->facts->has_ku = true;
    reader->facts->ku_critical = ext->critical;
    reader->facts->key_usage = usage;
    return true;
}

static bool read_san(struct cert_reader *reader, const struct raw_extension *ext)
{
    struct mu_cert_facts *facts = reader->facts;
    facts->has_san = true;
    facts->san_critical = ext->critical;
    if (!mu_gnames_read(reader->arena, ext->value, "subject alternative name", &facts->names,
                        &facts->name_count, reader->err)) {
        return false;
    }
    flaw_unless(reader, facts->name_count > 0, MU_FLAW(SAN_EMPTY));
    return true;
}

static bool read_basic_constraints(struct cert_reader *reader, const struct raw_extension *ext)
{
    bool strict;
    reader->facts->has_bc = true;
    reader->facts->bc_critical = ext->critical;
    if (!mu_basic_constraints_read(ext->value, &reader->facts->ca, &reader->facts->path_length,
                                   &strict)) {
        return false;
    }
    flaw_unless(reader, strict, MU_FLAW(NOT_DER));
    return true;
}

/* A mask that is not ones followed by zeros is no prefix (RFC 4632 section 5.1). */
static bool mask_is_prefix(struct mu_slice mask)
{
    bool zeros = false;
    for (size_t bit = 0; bit < mask.len * 8; bit++) {
        bool one = (mask.data[bit / 8] >> (7 - bit % 8) & 1) != 0;
        if (one && zeros) {
            return false;
        }
        zeros = !one;
    }
    return true;
}

static bool read_subtree(struct cert_reader *reader, struct mu_slice *in, struct mu_subtree *tree)
{
    struct mu_slice body;
    struct mu_slice minimum;
    struct mu_slice maximum;
    if (!mu_der_body(in, DER_SEQUENCE, &body)) {
        return malformed(reader, "name constraint");
    }
    if (!mu_gname_read(&body, true, "the name constraints", &tree->base, reader->err)) {
        return false;
    }
    if (!mu_der_optional(&body, DER_CONTEXT(0), &minimum) ||
        !mu_der_optional(&body, DER_CONTEXT(1), &maximum) || body.len != 0) {
        return malformed(reader, "name constraint");
    }
    uint32_t least = 0;
    if (minimum.data != NULL && !mu_der_small(minimum, 1, &least)) {
        return malformed(reader, "name constraint");
    }
    tree->ranged = least != 0 || maximum.data != NULL;
    flaw_unless(reader, !tree->ranged, MU_FLAW(NC_RANGED));
    flaw_unless(reader, minimum.data == NULL || least != 0, MU_FLAW(NOT_DER));
    if (tree->base.type == MU_GNAME_IP) {
        size_t half = tree->base.bytes.len / 2;
        flaw_unless(reader, mask_is_prefix(mu_slice_of(tree->base.bytes.data + half, half)),
                    MU_FLAW(NC_MASK));
    }
    return true;
}

static bool read_subtrees(struct cert_reader *reader, struct mu_slice body,
                          const struct mu_subtree **ret_trees, size_t *ret_count)
{
    size_t count = 0;
    struct der_item item;
    for (struct mu_slice rest = body; rest.len > 0; count++) {
        if (!mu_der_next(&rest, &item)) {
            return malformed(reader, "name constraint");
        }
    }
    if (count > MU_LIMIT_CERT_SUBTREES) {
        return mu_fail(reader->err, MUTUAL_E_CERT_MALFORMED, "it has %zu name constraints", count);
    }
    if (count == 0) {
        flaw_unless(reader, body.data == NULL, MU_FLAW(NC_EMPTY));
        return true;
    }
    struct mu_subtree *trees = mu_arena_alloc(reader->arena, count * sizeof *trees);
    if (trees == NULL) {
        return mu_fail_memory(reader->err);
    }
    for (size_t i = 0; i < count; i++) {
        if (!read_subtree(reader, &body, &trees[i])) {
            return false;
        }
    }
    *ret_trees = trees;
    *ret_count = count;
    return true;
}

static bool read_name_constraints(struct cert_reader *reader, const struct raw_extension *ext)
{
    struct mu_cert_facts *facts = reader->facts;
    struct mu_slice body;
    struct mu_slice permitted;
    struct mu_slice excluded;
    if (!mu_der_only(ext->value, DER_SEQUENCE, &body) ||
        !mu_der_optional(&body, DER_CONSTRUCTED(0), &permitted) ||
        !mu_der_optional(&body, DER_CONSTRUCTED(1), &excluded) || body.len != 0) {
        return false;
    }
    facts->has_nc = true;
    facts->nc_critical = ext->critical;
    flaw_unless(reader, ext->critical, MU_FLAW(NC_NOT_CRITICAL));
    flaw_unless(reader, permitted.data != NULL || excluded.data != NULL, MU_FLAW(NC_EMPTY));
    return read_subtrees(reader, permitted, &facts->permitted, &facts->permitted_count) &&
           read_subtrees(reader, excluded, &facts->excluded, &facts->excluded_count);
}

static bool read_eku(struct cert_reader *reader, const struct raw_extension *ext)
{
    static const uint8_t id_kp[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03};
    static const struct {
        uint8_t last;
        unsigned bit;
    } purposes[] = {{1, MU_EKU_SERVER}, {2, MU_EKU_CLIENT}, {3, MU_EKU_CODE},
                    {4, MU_EKU_EMAIL},  {8, MU_EKU_TIME},   {9, MU_EKU_OCSP}};
    struct mu_slice body;
    struct mu_slice oid;
    if (!mu_der_only(ext->value, DER_SEQUENCE, &body)) {
        return false;
    }
    flaw_unless(reader, body.len > 0, MU_FLAW(EKU_EMPTY));
    unsigned bits = 0;
    while (body.len > 0) {
        if (!mu_der_body(&body, DER_OID, &oid) || oid.len == 0) {
            return false;
        }
        unsigned bit = mu_slice_equal(oid, MU_SLICE_LIT("\x55\x1d\x25\x00")) ? MU_EKU_ANY : 0;
        if (oid.len == sizeof id_kp + 1 && memcmp(oid.data, id_kp, sizeof id_kp) == 0) {
            for (size_t i = 0; i < MU_COUNT(purposes); i++) {
                bit |= purposes[i].last == oid.data[sizeof id_kp] ? purposes[i].bit : 0;
            }
        }
        bits |= bit != 0 ? bit : MU_EKU_OTHER;
    }
    reader->facts->has_eku = true;
    reader->facts->eku_critical = ext->critical;
    reader->facts->eku = bits;
    return true;
}

static bool read_policies(struct cert_reader *reader, const struct raw_extension *ext)
{
    struct mu_slice body;
    struct text_list list = {0};
    if (!mu_der_only(ext->value, DER_SEQUENCE, &body)) {
        return false;
    }
    while (body.len > 0) {
        struct mu_slice policy;
        struct mu_slice oid;
        if (!mu_der_body(&body, DER_SEQUENCE, &policy) || !mu_der_body(&policy, DER_OID, &oid)) {
            return false;
        }
        if (!mu_text_list_add_oid(reader->arena, &list, oid)) {
            return mu_fail_memory(reader->err);
        }
    }
    reader->facts->has_policies = true;
    reader->facts->policies = list.items;
    return true;
}

static bool read_policy_constraints(struct cert_reader *reader, const struct raw_extension *ext)
{
    struct mu_slice body;
    struct mu_slice required;
    struct mu_slice inhibited;
    uint32_t skip = 0;
    if (!mu_der_only(ext->value, DER_SEQUENCE, &body) ||
        !mu_der_optional(&body, DER_CONTEXT(0), &required) ||
        !mu_der_optional(&body, DER_CONTEXT(1), &inhibited) || body.len != 0 ||
        (required.data != NULL && !mu_der_small(required, INT_MAX, &skip))) {
        return false;
    }
    reader->facts->require_explicit_policy = required.data != NULL ? (int)skip : -1;
    flaw_unless(reader, ext->critical, MU_FLAW(PC_NOT_CRITICAL));
    return true;
}

/* Without policy processing the number has no effect (RFC 5280 section 6.1.1 (e)). */
static bool read_inhibit_any(struct cert_reader *reader, const struct raw_extension *ext)
{
    struct mu_slice skip;
    flaw_unless(reader, ext->critical, MU_FLAW(IAP_NOT_CRITICAL));
    return mu_der_only(ext->value, DER_INTEGER, &skip) && mu_der_integer_ok(skip);
}

static bool read_policy_mappings(struct cert_reader *reader, const struct raw_extension *ext)
{
    (void)reader;
    struct mu_slice body;
    return mu_der_only(ext->value, DER_SEQUENCE, &body);
}

/* A point without a name has that of who signs the list (section 6.3.3 (b)(2)(i)). */
static bool read_point_names(struct cert_reader *reader, struct mu_slice name,
                             struct mu_slice issuers, struct mu_crl_point *ret_point)
{
    bool own = ret_point->issuer_count == 0;
    if (name.data == NULL && !own) {
        return mu_full_names(reader->arena, issuers, &ret_point->names, &ret_point->name_count);
    }
    return mu_point_names(reader->arena, name,
                          own ? reader->facts->issuer : mu_directory_name_first(issuers),
                          &ret_point->names, &ret_point->name_count);
}

static bool read_crl_point(struct cert_reader *reader, struct mu_slice point,
                           struct text_list *list, bool *ret_clean, struct mu_crl_point *ret_point)
{
    struct mu_slice name;
    struct mu_slice reasons;
    struct mu_slice issuers;
    ret_point->reasons = MU_REASONS_ALL;
    return mu_der_optional(&point, DER_CONSTRUCTED(0), &name) &&
           mu_der_optional(&point, DER_CONTEXT(1), &reasons) &&
           mu_der_optional(&point, DER_CONSTRUCTED(2), &issuers) && point.len == 0 &&
           mu_point_uris(reader->arena, name, list, ret_clean) &&
           (reasons.data == NULL || mu_reason_flags(reasons, &ret_point->reasons)) &&
           mu_directory_names(reader->arena, issuers, &ret_point->issuers,
                              &ret_point->issuer_count) &&
           read_point_names(reader, name, issuers, ret_point);
}

static bool read_crl_points(struct cert_reader *reader, const struct raw_extension *ext)
{
    struct mu_slice body;
    struct mu_slice point;
    struct text_list list = {0};
    bool clean = true;
    size_t count = 0;
    if (!mu_der_only(ext->value, DER_SEQUENCE, &body)) {
        return false;
    }
    for (struct mu_slice rest = body; rest.len > 0; count++) {
        if (count == MU_LIMIT_CRL_POINTS || !mu_der_body(&rest, DER_SEQUENCE, &point)) {
            return false;
        }
    }
    struct mu_crl_point *points = mu_arena_alloc(reader->arena, (count + 1) * sizeof *points);
    if (points == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!mu_der_body(&body, DER_SEQUENCE, &point) ||
            !read_crl_point(reader, point, &list, &clean, &points[i])) {
            return false;
        }
    }
    flaw_unless(reader, clean, MU_FLAW(URI_BYTES));
    reader->facts->crl_uris = list.items;
    reader->facts->crl_points = points;
    reader->facts->crl_point_count = count;
    return true;
}

static bool read_access(struct cert_reader *reader, const struct raw_extension *ext)
{
    struct mu_slice body;
    struct text_list ocsp = {0};
    struct text_list issuers = {0};
    flaw_unless(reader, !ext->critical, MU_FLAW(AIA_CRITICAL));
    if (!mu_der_only(ext->value, DER_SEQUENCE, &body)) {
        return false;
    }
    while (body.len > 0) {
        struct mu_slice access;
        struct mu_slice method;
        struct der_item place;
        if (!mu_der_body(&body, DER_SEQUENCE, &access) || !mu_der_body(&access, DER_OID, &method) ||
            !mu_der_next(&access, &place)) {
            return false;
        }
        bool is_ocsp = mu_slice_equal(method, MU_SLICE_LIT("\x2b\x06\x01\x05\x05\x07\x30\x01"));
        bool is_issuer = mu_slice_equal(method, MU_SLICE_LIT("\x2b\x06\x01\x05\x05\x07\x30\x02"));
        if (place.tag != DER_CONTEXT(6) || (!is_ocsp && !is_issuer)) {
            continue;
        }
        if (!mu_ascii_clean(place.body)) {
            flaw_unless(reader, false, MU_FLAW(URI_BYTES));
        } else if (!mu_text_list_add(reader->arena, is_ocsp ? &ocsp : &issuers, place.body)) {
            return mu_fail_memory(reader->err);
        }
    }
    reader->facts->ocsp_uris = ocsp.items;
    reader->facts->issuer_uris = issuers.items;
    return true;
}

/* RFC 7633: a list of TLS extension numbers; 5 is status_request. */
static bool read_tls_feature(struct cert_reader *reader, const struct raw_extension *ext)
{
    struct mu_slice body;
    struct mu_slice number;
    uint32_t feature;
    if (!mu_der_only(ext->value, DER_SEQUENCE, &body)) {
        return false;
    }
    while (body.len > 0) {
        if (!mu_der_body(&body, DER_INTEGER, &number) || !mu_der_small(number, 65536, &feature)) {
            return false;
        }
        reader->facts->must_staple |= feature == 5;
    }
    return true;
}

/* RFC 6960 section 4.2.2.2.1: the value is NULL. */
static bool read_nocheck(struct cert_reader *reader, const struct raw_extension *ext)
{
    struct mu_slice body;
    reader->facts->ocsp_nocheck = true;
    return mu_der_only(ext->value, DER_NULL, &body) && body.len == 0;
}

/* ---- the table ---------------------------------------------------------------------------------
 */

#define OID(bytes_)                                   \
    {                                                 \
        (const uint8_t *)(bytes_), sizeof(bytes_) - 1 \
    }

static const struct {
    struct mu_slice oid;
    const char *word;
    bool (*read)(struct cert_reader *reader, const struct raw_extension *ext);
} extensions[] = {
    {OID("\x55\x1d\x0e"), "subject key identifier", read_skid},
    {OID("\x55\x1d\x0f"), "key usage", read_key_usage},
    {OID("\x55\x1d\x11"), "subject alternative name", read_san},
    {OID("\x55\x1d\x13"), "basic constraints", read_basic_constraints},
    {OID("\x55\x1d\x1e"), "name constraints", read_name_constraints},
    {OID("\x55\x1d\x1f"), "CRL distribution points", read_crl_points},
    {OID("\x55\x1d\x20"), "certificate policies", read_policies},
    {OID("\x55\x1d\x21"), "policy mappings", read_policy_mappings},
    {OID("\x55\x1d\x23"), "authority key identifier", read_akid},
    {OID("\x55\x1d\x24"), "policy constraints", read_policy_constraints},
    {OID("\x55\x1d\x25"), "extended key usage", read_eku},
    {OID("\x55\x1d\x36"), "inhibit-any-policy", read_inhibit_any},
    {OID("\x2b\x06\x01\x05\x05\x07\x01\x01"), "authority information access", read_access},
    {OID("\x2b\x06\x01\x05\x05\x07\x01\x18"), "TLS feature", read_tls_feature},
    {OID("\x2b\x06\x01\x05\x05\x07\x30\x01\x05"), "OCSP no-check", read_nocheck},
};

static bool read_one(struct cert_reader *reader, const struct raw_extension *ext,
                     struct text_list *unknown)
{
    for (size_t i = 0; i < MU_COUNT(extensions); i++) {
        if (!mu_slice_equal(extensions[i].oid, ext->oid)) {
            continue;
        }
        struct mutual_error own = {0};
        struct cert_reader inner = {reader->facts, reader->arena, &own};
        if (extensions[i].read(&inner, ext)) {
            return true;
        }
        if (own.code == MUTUAL_OK) {
            return malformed(reader, extensions[i].word);
        }
        if (reader->err != NULL) {
            *reader->err = own;
        }
        return false;
    }
    if (ext->critical && !mu_text_list_add_oid(reader->arena, unknown, ext->oid)) {
        return mu_fail_memory(reader->err);
    }
    return true;
}

bool mu_extensions_read(struct cert_reader *reader, struct mu_slice explicit_body)
{
    struct mu_slice body;
    struct mu_slice seen[MU_LIMIT_CERT_EXTENSIONS];
    size_t count = 0;
    struct text_list unknown = {0};
    if (!mu_der_only(explicit_body, DER_SEQUENCE, &body)) {
        return malformed(reader, "list of extensions");
    }
    flaw_unless(reader, body.len > 0, MU_FLAW(EXTENSIONS_EMPTY));
    while (body.len > 0) {
        struct raw_extension ext;
        bool strict;
        if (!mu_extension_next(&body, &ext, &strict)) {
            return malformed(reader, "list of extensions");
        }
        if (count == MU_LIMIT_CERT_EXTENSIONS) {
            return mu_fail(reader->err, MUTUAL_E_CERT_MALFORMED, "it has more than %u extensions",
                           MU_LIMIT_CERT_EXTENSIONS);
        }
        flaw_unless(reader, strict, MU_FLAW(NOT_DER));
        bool twice = false;
        for (size_t i = 0; i < count && !twice; i++) {
            twice = mu_slice_equal(seen[i], ext.oid);
        }
        seen[count++] = ext.oid;
        flaw_unless(reader, !twice, MU_FLAW(EXTENSION_TWICE));
        if (!twice && !read_one(reader, &ext, &unknown)) {
            return false;
        }
    }
    reader->facts->unknown_critical = unknown.items;
    return true;
}

/* Everything before the extensions passed mu_cert_from_der. */
static struct mu_slice extension_list(struct mu_slice tbs)
{
    struct mu_slice body = {0};
    struct mu_slice list = {0};
    struct der_item item;
    bool good = mu_der_only(tbs, DER_SEQUENCE, &body);
    while (good && body.len > 0 && mu_der_next(&body, &item)) {
        if (item.tag == DER_CONSTRUCTED(3)) {
            return mu_der_only(item.body, DER_SEQUENCE, &list) ? list : mu_slice_of(NULL, 0);
        }
    }
    return mu_slice_of(NULL, 0);
}

bool mu_cert_extension(const struct mu_cert *cert, const char *oid, struct mu_slice *ret_value,
                       bool *ret_critical)
{
    MU_AUTO(buf) struct mu_buf wanted;
    struct mu_slice list = extension_list(mu_cert_facts(cert)->tbs);
    struct raw_extension ext;
    bool strict = false;
    mu_buf_init(&wanted, 64);
    if (!mu_oid_encode(oid, &wanted)) {
        return false;
    }
    while (list.len > 0 && mu_extension_next(&list, &ext, &strict)) {
        if (mu_slice_equal(ext.oid, mu_buf_slice(&wanted))) {
            *ret_value = ext.value;
            *ret_critical = ext.critical;
            return true;
        }
    }
    return false;
}

/* ---- rules across fields -----------------------------------------------------------------------
 */

void mu_extensions_judge(struct mu_cert_facts *facts, bool has_extensions)
{
    /* An empty Name is the SEQUENCE header alone. */
    bool no_subject = facts->subject.len <= 2;
    bool signs = facts->has_ku && (facts->key_usage & MU_KU_KEY_CERT_SIGN) != 0;
    const struct {
        bool broken;
        uint64_t flaw;
    } rules[] = {
        {has_extensions && facts->version != 3, MU_FLAW(VERSION)},
        {facts->issuer.len <= 2, MU_FLAW(ISSUER_EMPTY)},
        {facts->not_after_s < facts->not_before_s, MU_FLAW(TIME_ORDER)},
        /* 4.2.1.1: only a self-signed authority may leave the key identifier out. */
        {facts->version == 3 && facts->akid.data == NULL && !facts->self_issued,
         MU_FLAW(AKI_MISSING)},
        {facts->ca && facts->skid.data == NULL, MU_FLAW(SKI_MISSING)},
        {signs && !facts->ca, MU_FLAW(KU_SIGN_NO_CA)},
        {facts->ca && facts->has_ku && !signs, MU_FLAW(KU_CA_NO_SIGN)},
        {no_subject && facts->name_count > 0 && !facts->san_critical, MU_FLAW(SAN_NOT_CRITICAL)},
        {no_subject && facts->name_count == 0, MU_FLAW(SUBJECT_EMPTY)},
        {facts->ca && no_subject, MU_FLAW(CA_SUBJECT_EMPTY)},
        {facts->ca && !facts->bc_critical, MU_FLAW(BC_NOT_CRITICAL)},
        {facts->path_length >= 0 && (!facts->ca || (facts->has_ku && !signs)),
         MU_FLAW(PATH_LENGTH)},
        {facts->has_nc && !facts->ca, MU_FLAW(NC_NO_CA)},
    };
    for (size_t i = 0; i < MU_COUNT(rules); i++) {
        facts->flaws |= rules[i].broken ? rules[i].flaw : 0;
    }
}
