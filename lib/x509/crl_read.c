/* SPDX-License-Identifier: Apache-2.0
 *
 * Revocation lists read (RFC 5280 section 5): one pass over the DER, sixteen bytes an entry, no
 * object per entry; then they are sorted and become a table (crl_table.c).
 */
#include "x509/crl_internal.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    enum mu_reason reason;
    const char *word;
} reasons[] = {
    {MU_REASON_UNSPECIFIED, "unspecified"},      {MU_REASON_KEY_COMPROMISE, "keyCompromise"},
    {MU_REASON_CA_COMPROMISE, "cACompromise"},   {MU_REASON_AFFILIATION, "affiliationChanged"},
    {MU_REASON_SUPERSEDED, "superseded"},        {MU_REASON_CESSATION, "cessationOfOperation"},
    {MU_REASON_HOLD, "certificateHold"},         {MU_REASON_REMOVE, "removeFromCRL"},
    {MU_REASON_PRIVILEGE, "privilegeWithdrawn"}, {MU_REASON_AA_COMPROMISE, "aACompromise"},
};

const char *mu_reason_word(enum mu_reason reason)
{
    for (size_t i = 0; i < MU_COUNT(reasons); i++) {
        if (reasons[i].reason == reason) {
            return reasons[i].word;
        }
    }
    return reasons[0].word;
}

bool mu_reason_find(const char *word, enum mu_reason *ret_reason)
{
    for (size_t i = 0; i < MU_COUNT(reasons); i++) {
        if (strcmp(word, reasons[i].word) == 0) {
            *ret_reason = reasons[i].reason;
            return true;
        }
    }
    return false;
}

static bool malformed(struct mutual_error *err, const char *what)
{
    return mu_fail(err, MUTUAL_E_CRL_MALFORMED, "the %s of the revocation list is not well-formed",
                   what);
}

/* ---- entries --------------------------------------------------------------------------------- */

struct crl_reader {
    struct crl_draft *draft;
    struct text_list unknown;
    uint16_t issuer; /* of the entries that come */
    struct mutual_error *err;
};

static bool note_unknown(struct crl_reader *reader, struct mu_slice oid)
{
    /* A million entries may each hold the same one; a few are enough to refuse the list. */
    return reader->unknown.count >= 8 ||
           mu_text_list_add_oid(reader->draft->arena, &reader->unknown, oid) ||
           mu_fail_memory(reader->err);
}

/* The index of the issuer of that name; a list speaks for few. */
static bool add_issuer(struct crl_reader *reader, struct mu_slice name, uint16_t *ret_index)
{
    struct crl_draft *draft = reader->draft;
    uint8_t hash[32];
    MU_AUTO(buf) struct mu_buf canon;
    mu_buf_init(&canon, CRL_ARENA_MAX / 4);
    if (!mu_name_canon(name, &canon)) {
        return malformed(reader->err, "issuer of an entry");
    }
    if (!mu_sha256(mu_buf_slice(&canon), hash, reader->err)) {
        return false;
    }
    size_t i = 0;
    while (i < draft->facts.issuer_count && memcmp(draft->issuers[i], hash, 32) != 0) {
        i++;
    }
    if (i == draft->facts.issuer_count) {
        if (i == CRL_ISSUERS_MAX) {
            return mu_fail(reader->err, MUTUAL_E_CRL_MALFORMED,
                           "the revocation list speaks for more than %u issuers", CRL_ISSUERS_MAX);
        }
        if (!mu_grow((void **)&draft->issuers, &draft->issuer_cap, i, 32, CRL_ISSUERS_MAX)) {
            return mu_fail_memory(reader->err);
        }
        memcpy(draft->issuers[draft->facts.issuer_count++], hash, 32);
    }
    *ret_index = (uint16_t)i;
    return true;
}

/* Section 5.3.3: it holds for this entry and all that follow until another names one; only in an
 * indirect list. */
static bool read_entry_issuer(struct crl_reader *reader, struct mu_slice value)
{
    const struct mu_crl_idp *idp = reader->draft->facts.idp;
    struct mu_slice names;
    if (idp == NULL || !idp->indirect || !mu_der_only(value, DER_SEQUENCE, &names)) {
        return malformed(reader->err, "issuer of an entry");
    }
    return add_issuer(reader, mu_directory_name_first(names), &reader->issuer);
}

/* reasonCode (section 5.3.1), invalidityDate (5.3.2) and certificateIssuer (5.3.3) are understood.
 */
static bool read_entry_extensions(struct crl_reader *reader, struct mu_slice list,
                                  struct crl_entry *entry)
{
    struct mu_slice body;
    if (!mu_der_only(list, DER_SEQUENCE, &body)) {
        return malformed(reader->err, "extension list of an entry");
    }
    while (body.len > 0) {
        struct raw_extension ext;
        struct mu_slice code;
        bool strict;
        if (!mu_extension_next(&body, &ext, &strict)) {
            return malformed(reader->err, "extension list of an entry");
        }
        if (mu_slice_equal(ext.oid, MU_SLICE_LIT("\x55\x1d\x15"))) {
            if (!mu_der_only(ext.value, DER_ENUMERATED, &code) || code.len != 1 ||
                code.data[0] > MU_REASON_AA_COMPROMISE) {
                return malformed(reader->err, "reason of an entry");
            }
            entry->reason = code.data[0];
        } else if (mu_slice_equal(ext.oid, MU_SLICE_LIT("\x55\x1d\x1d"))) {
            if (!read_entry_issuer(reader, ext.value)) {
                return false;
            }
        } else if (ext.critical && !mu_slice_equal(ext.oid, MU_SLICE_LIT("\x55\x1d\x18")) &&
                   !note_unknown(reader, ext.oid)) {
            return false;
        }
    }
    return true;
}

static bool read_entry(struct crl_reader *reader, struct mu_slice body, struct crl_entry *entry)
{
    struct mu_slice serial;
    struct der_item when;
    bool early;
    if (!mu_der_body(&body, DER_INTEGER, &serial) || !mu_der_unsigned(serial, &serial) ||
        serial.len > UINT8_MAX || !mu_der_next(&body, &when) ||
        !mu_der_time(&when, &entry->time_s, &early)) {
        return malformed(reader->err, "serial number or time of an entry");
    }
    entry->serial_at = (uint32_t)(serial.data - reader->draft->facts.der.data);
    entry->serial_len = (uint8_t)serial.len;
    entry->reason = MU_REASON_UNSPECIFIED;
    if (body.len > 0 && !read_entry_extensions(reader, body, entry)) {
        return false;
    }
    entry->issuer = reader->issuer;
    return true;
}

static int compare_entries(const void *a, const void *b, void *context)
{
    const struct crl_draft *draft = context;
    const struct crl_entry *x = a;
    const struct crl_entry *y = b;
    int order = mu_crl_compare_serials(mu_crl_serial_of(draft, x), mu_crl_serial_of(draft, y));
    return order != 0 ? order : (x->issuer > y->issuer) - (x->issuer < y->issuer);
}

static void sort_entries(struct crl_draft *draft)
{
    size_t count = draft->facts.count;
    for (size_t i = 1; i < count; i++) {
        if (compare_entries(&draft->entries[i - 1], &draft->entries[i], draft) > 0) {
            qsort_r(draft->entries, count, sizeof *draft->entries, compare_entries, draft);
            return;
        }
    }
}

static bool pass_entries(struct crl_reader *reader, struct mu_slice list)
{
    struct crl_draft *draft = reader->draft;
    struct crl_entry before = {0};
    struct mu_slice body;
    for (; list.len > 0; draft->facts.count++) {
        struct crl_entry entry;
        if (!mu_der_body(&list, DER_SEQUENCE, &body)) {
            return malformed(reader->err, "list of entries");
        }
        if (!read_entry(reader, body, &entry)) {
            return false;
        }
        draft->ordered = draft->ordered &&
                         (draft->facts.count == 0 || compare_entries(&before, &entry, draft) < 0);
        before = entry;
    }
    return true;
}

static bool keep_entries(struct crl_reader *reader, struct mu_slice list)
{
    struct crl_draft *draft = reader->draft;
    struct mu_slice body;
    size_t count = 0;
    for (struct mu_slice rest = list; rest.len > 0; count++) {
        if (!mu_der_body(&rest, DER_SEQUENCE, &body)) {
            return malformed(reader->err, "list of entries");
        }
    }
    draft->entries = mu_alloc(count, sizeof *draft->entries);
    if (draft->entries == NULL) {
        return mu_fail_memory(reader->err);
    }
    for (size_t i = 0; i < count; i++) {
        if (!mu_der_body(&list, DER_SEQUENCE, &body) ||
            !read_entry(reader, body, &draft->entries[i])) {
            return false;
        }
    }
    draft->facts.count = count;
    sort_entries(draft);
    return true;
}

static bool read_entries(struct crl_reader *reader, struct mu_slice list)
{
    reader->draft->list = list;
    return reader->draft->passing ? pass_entries(reader, list) : keep_entries(reader, list);
}

/* ---- extensions of the list --------------------------------------------------------------------
 */

static bool read_flag(struct mu_slice *in, uint8_t tag, bool *ret_value)
{
    struct mu_slice body;
    bool strict;
    *ret_value = false;
    return mu_der_optional(in, tag, &body) &&
           (body.data == NULL || mu_der_bool(body, ret_value, &strict));
}

static bool read_idp(struct crl_reader *reader, struct mu_slice value)
{
    struct mu_slice body;
    struct mu_slice point;
    struct mu_slice some_reasons;
    struct mu_slice issuer = reader->draft->facts.issuer;
    struct text_list uris = {0};
    bool clean = true;
    struct mu_crl_idp *idp = mu_arena_alloc(reader->draft->arena, sizeof *idp);
    if (idp == NULL) {
        return mu_fail_memory(reader->err);
    }
    if (!mu_der_only(value, DER_SEQUENCE, &body) ||
        !mu_der_optional(&body, DER_CONSTRUCTED(0), &point) ||
        !mu_point_uris(reader->draft->arena, point, &uris, &clean) || !clean ||
        !mu_point_names(reader->draft->arena, point, issuer, &idp->names, &idp->name_count) ||
        !read_flag(&body, DER_CONTEXT(1), &idp->only_user) ||
        !read_flag(&body, DER_CONTEXT(2), &idp->only_ca) ||
        !mu_der_optional(&body, DER_CONTEXT(3), &some_reasons) ||
        !read_flag(&body, DER_CONTEXT(4), &idp->indirect) ||
        !read_flag(&body, DER_CONTEXT(5), &idp->only_attribute) || body.len != 0 ||
        (some_reasons.data != NULL && !mu_reason_flags(some_reasons, &idp->reasons)) ||
        idp->only_user + idp->only_ca + idp->only_attribute > 1) {
        return malformed(reader->err, "issuing distribution point");
    }
    idp->reasons = some_reasons.data != NULL ? idp->reasons : MU_REASONS_ALL;
    idp->der = value;
    idp->some_reasons = some_reasons.data != NULL;
    idp->has_point = point.data != NULL;
    idp->uris = uris.items;
    reader->draft->facts.idp = idp;
    return true;
}

static bool read_number(struct mu_slice value, struct mu_slice *ret_number)
{
    struct mu_slice body;
    return mu_der_only(value, DER_INTEGER, &body) && mu_der_unsigned(body, ret_number);
}

static bool read_extension(struct crl_reader *reader, const struct raw_extension *ext)
{
    struct mu_crl_facts *facts = &reader->draft->facts;
    bool issuer;
    bool serial;
    if (mu_slice_equal(ext->oid, MU_SLICE_LIT("\x55\x1d\x14"))) {
        /* Section 5.2.3: "CRL number is a non-critical CRL extension". */
        return (!ext->critical && read_number(ext->value, &facts->number)) ||
               malformed(reader->err, "number");
    }
    if (mu_slice_equal(ext->oid, MU_SLICE_LIT("\x55\x1d\x1b"))) {
        return read_number(ext->value, &facts->delta_base) || malformed(reader->err, "base number");
    }
    if (mu_slice_equal(ext->oid, OID_AKI)) {
        return mu_aki_read(ext->value, &facts->akid, &issuer, &serial) ||
               malformed(reader->err, "authority key identifier");
    }
    if (mu_slice_equal(ext->oid, MU_SLICE_LIT("\x55\x1d\x1c"))) {
        return read_idp(reader, ext->value);
    }
    return !ext->critical || note_unknown(reader, ext->oid);
}

static bool read_extensions(struct crl_reader *reader, struct mu_slice explicit_body)
{
    struct mu_slice body;
    struct mu_slice seen[MU_LIMIT_CERT_EXTENSIONS];
    if (!mu_der_only(explicit_body, DER_SEQUENCE, &body)) {
        return malformed(reader->err, "extension list");
    }
    for (size_t count = 0; body.len > 0; count++) {
        struct raw_extension ext;
        bool strict;
        if (count == MU_LIMIT_CERT_EXTENSIONS || !mu_extension_next(&body, &ext, &strict)) {
            return malformed(reader->err, "extension list");
        }
        for (size_t i = 0; i < count; i++) {
            if (mu_slice_equal(seen[i], ext.oid)) {
                return malformed(reader->err, "extension list, which names one twice,");
            }
        }
        seen[count] = ext.oid;
        if (!read_extension(reader, &ext)) {
            return false;
        }
    }
    return true;
}

/* ---- the list
 * ------------------------------------------------------------------------------------ */

static bool read_issuer(struct crl_reader *reader, struct mu_slice name)
{
    struct mu_crl_facts *facts = &reader->draft->facts;
    MU_AUTO(buf) struct mu_buf canon;
    mu_buf_init(&canon, CRL_ARENA_MAX / 4);
    if (!mu_name_canon(name, &canon)) {
        return malformed(reader->err, "issuer");
    }
    const char *copy = mu_arena_strndup(reader->draft->arena, canon.data, canon.len);
    facts->issuer = name;
    facts->issuer_canon = mu_slice_of(copy, canon.len);
    facts->issuer_text = mu_arena_name_text(reader->draft->arena, name);
    if (copy == NULL || facts->issuer_text == NULL) {
        return mu_fail_memory(reader->err);
    }
    return add_issuer(reader, name, &reader->issuer);
}

/* thisUpdate and, where it is there, nextUpdate (sections 5.1.2.4 and 5.1.2.5). */
static bool read_times(struct crl_reader *reader, struct mu_slice *tbs)
{
    struct mu_crl_facts *facts = &reader->draft->facts;
    struct der_item when;
    bool early;
    if (!mu_der_next(tbs, &when) || !mu_der_time(&when, &facts->this_update_s, &early)) {
        return malformed(reader->err, "time");
    }
    facts->next_update_s = MU_TIME_NEVER_S;
    bool more =
        tbs->len > 0 && (tbs->data[0] == DER_UTC_TIME || tbs->data[0] == DER_GENERALIZED_TIME);
    return !more ||
           (mu_der_next(tbs, &when) && mu_der_time(&when, &facts->next_update_s, &early)) ||
           malformed(reader->err, "time");
}

static bool read_tbs(struct crl_reader *reader, const struct signed_parts *parts)
{
    struct mu_slice tbs = parts->tbs.body;
    struct mu_slice number;
    struct mu_slice algorithm;
    struct mu_slice entries;
    struct mu_slice extensions;
    struct der_item issuer;
    uint32_t version = 0;
    bool params_ok;
    if (!mu_der_optional(&tbs, DER_INTEGER, &number) ||
        (number.data != NULL && (!mu_der_small(number, 2, &version) || version != 1))) {
        return malformed(reader->err, "version");
    }
    /* Section 5.1.1.2: both fields hold the same identifier. */
    if (!mu_der_body(&tbs, DER_SEQUENCE, &algorithm) ||
        !mu_slice_equal(algorithm, parts->algorithm) ||
        !mu_sig_read(algorithm, &reader->draft->facts.sig, &params_ok)) {
        return malformed(reader->err, "signature algorithm");
    }
    if (!mu_der_take(&tbs, DER_SEQUENCE, &issuer)) {
        return malformed(reader->err, "issuer");
    }
    if (!read_issuer(reader, issuer.whole) || !read_times(reader, &tbs)) {
        return false;
    }
    if (!mu_der_optional(&tbs, DER_SEQUENCE, &entries) ||
        !mu_der_optional(&tbs, DER_CONSTRUCTED(0), &extensions) || tbs.len != 0) {
        return malformed(reader->err, "body");
    }
    return (extensions.data == NULL || read_extensions(reader, extensions)) &&
           (entries.data == NULL || read_entries(reader, entries));
}

static bool read_crl(struct crl_reader *reader, struct mu_slice der)
{
    struct mu_crl_facts *facts = &reader->draft->facts;
    struct signed_parts parts;
    facts->der = der;
    if (!mu_signed_split(der, &parts)) {
        return mu_fail(reader->err, MUTUAL_E_CRL_MALFORMED,
                       "what was given is not one whole revocation list in DER");
    }
    facts->tbs = parts.tbs.whole;
    facts->signature = parts.signature;
    if (!read_tbs(reader, &parts)) {
        return facts->issuer_text != NULL &&
               mu_error_context(reader->err, "revocation list of \"%.100s\"", facts->issuer_text);
    }
    facts->unknown_critical = reader->unknown.items;
    return true;
}

static bool check_size(struct mu_slice der, struct mutual_error *err)
{
    return der.len <= MU_LIMIT_CRL_BYTES ||
           mu_fail(err, MUTUAL_E_CRL_MALFORMED, "a revocation list of %zu bytes is larger than %u",
                   der.len, MU_LIMIT_CRL_BYTES);
}

bool mu_crl_from_der(struct mu_slice der, struct mu_crl **ret_crl, struct mutual_error *err)
{
    if (!check_size(der, err)) {
        return false;
    }
    MU_AUTO(crl_draft) struct crl_draft draft = {.arena = mu_arena_new(CRL_ARENA_MAX)};
    MU_AUTO(free) uint8_t *copy = mu_alloc(der.len + 1, 1);
    if (draft.arena == NULL || copy == NULL) {
        return mu_fail_memory(err);
    }
    if (der.len > 0) {
        memcpy(copy, der.data, der.len);
    }
    struct crl_reader reader = {.draft = &draft, .err = err};
    return read_crl(&reader, mu_slice_of(copy, der.len)) &&
           mu_crl_from_draft(&draft, &copy, ret_crl, err);
}

bool mu_crl_outline_of(struct mu_slice der, struct mu_crl_outline *ret_outline,
                       struct mutual_error *err)
{
    if (!check_size(der, err)) {
        return false;
    }
    MU_AUTO(crl_draft)
    struct crl_draft draft = {
        .arena = mu_arena_new(CRL_ARENA_MAX), .passing = true, .ordered = true};
    if (draft.arena == NULL) {
        return mu_fail_memory(err);
    }
    struct crl_reader reader = {.draft = &draft, .err = err};
    if (!read_crl(&reader, der)) {
        return false;
    }
    *ret_outline = (struct mu_crl_outline){.facts = draft.facts,
                                           .entries = draft.list,
                                           .ordered = draft.ordered,
                                           .arena = MU_TAKE(draft.arena)};
    return true;
}

void mu_crl_outline_done(struct mu_crl_outline *outline)
{
    mu_arena_free(outline->arena);
    *outline = (struct mu_crl_outline){.arena = NULL};
}

void mu_crl_outline_auto(struct mu_crl_outline *outline)
{
    mu_crl_outline_done(outline);
}

bool mu_crl_facts_signed_by(const struct mu_crl_facts *facts, const struct mu_cert *issuer,
                            struct mutual_error *err)
{
    struct mu_signed object = {
        .tbs = facts->tbs,
        .signature = facts->signature,
        .sig = facts->sig,
        .wrong = MUTUAL_E_CRL_SIGNATURE,
        .what = "revocation list",
        .name = facts->issuer_text,
    };
    return mu_signed_check_by(&object, issuer, err);
}

bool mu_crl_outline_signed_by(const struct mu_crl_outline *outline, const struct mu_cert *issuer,
                              struct mutual_error *err)
{
    return mu_crl_facts_signed_by(&outline->facts, issuer, err);
}

bool mu_crl_from_pem(struct mu_pem_reader *reader, struct mu_crl **ret_crl,
                     struct mutual_error *err)
{
    struct mu_pem_block block;
    bool end;
    do {
        if (!mu_pem_next(reader, &block, &end, err)) {
            return false;
        }
        if (end) {
            *ret_crl = NULL;
            return true;
        }
    } while (!mu_slice_equal_text(block.label, "X509 CRL"));
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, MU_LIMIT_CRL_BYTES);
    return mu_pem_decode(reader, &block, &der, err) &&
           (mu_crl_from_der(mu_buf_slice(&der), ret_crl, err) ||
            mu_error_context(err, "block %u of \"%s\", line %u", reader->block, reader->what,
                             block.line));
}
