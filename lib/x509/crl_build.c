/* SPDX-License-Identifier: Apache-2.0
 *
 * Revocation lists made (RFC 5280 section 5): entries in the order of their serials, written in
 * one pass.
 */
#include "x509/build_internal.h"

#include <stdlib.h>
#include <string.h>

static int compare_revoked(const void *a, const void *b)
{
    const struct mu_revoked *const *x = a;
    const struct mu_revoked *const *y = b;
    if ((*x)->serial.len != (*y)->serial.len) {
        return (*x)->serial.len < (*y)->serial.len ? -1 : 1;
    }
    return mu_slice_compare((*x)->serial, (*y)->serial);
}

static void put_entry_issuer(struct mu_buf *out, const struct mu_cert *issuer)
{
    struct mu_slice name = mu_cert_facts(issuer)->subject;
    struct ext_mark mark = mu_ext_begin(out, MU_SLICE_LIT("\x55\x1d\x1d"), true);
    size_t names = mu_der_begin(out, DER_SEQUENCE);
    mu_der_put(out, DER_CONSTRUCTED(4), name);
    mu_der_end(out, names);
    mu_ext_end(out, mark);
}

/* `switched`: the entry before was about another issuer. */
static void put_entry_extensions(struct mu_buf *out, const struct mu_revoked *entry,
                                 const struct mu_cert *own, bool switched)
{
    /* unspecified is said by leaving it out (section 5.3.1). */
    if (entry->reason == MU_REASON_UNSPECIFIED && !switched) {
        return;
    }
    size_t list = mu_der_begin(out, DER_SEQUENCE);
    if (entry->reason != MU_REASON_UNSPECIFIED) {
        struct ext_mark mark = mu_ext_begin(out, MU_SLICE_LIT("\x55\x1d\x15"), false);
        uint8_t code = (uint8_t)entry->reason;
        mu_der_put(out, DER_ENUMERATED, mu_slice_of(&code, 1));
        mu_ext_end(out, mark);
    }
    if (switched) {
        put_entry_issuer(out, entry->issuer != NULL ? entry->issuer : own);
    }
    mu_der_end(out, list);
}

static void put_entry(struct mu_buf *out, const struct mu_revoked *entry, const struct mu_cert *own,
                      bool switched)
{
    size_t mark = mu_der_begin(out, DER_SEQUENCE);
    mu_der_put_magnitude(out, DER_INTEGER, entry->serial);
    mu_der_put_time(out, entry->time_s);
    put_entry_extensions(out, entry, own, switched);
    mu_der_end(out, mark);
}

/* NULL: no memory. */
static const struct mu_revoked **sort_revoked(const struct mu_revoked *entries, size_t count)
{
    const struct mu_revoked **sorted = mu_alloc(count + 1, sizeof *sorted);
    for (size_t i = 0; sorted != NULL && i < count; i++) {
        sorted[i] = &entries[i];
    }
    if (sorted != NULL) {
        qsort(sorted, count, sizeof *sorted, compare_revoked);
    }
    return sorted;
}

/* The entries of an earlier list on their way into this one. */
struct kept {
    struct mu_slice rest;
    const struct mu_revoked **gone; /* sorted, NULL at the end */
    size_t count;                   /* that were written */
};

static bool is_gone(struct kept *kept, const struct mu_revoked *old)
{
    while (*kept->gone != NULL && compare_revoked(kept->gone, &old) < 0) {
        kept->gone++;
    }
    return *kept->gone != NULL && compare_revoked(kept->gone, &old) == 0;
}

/* Those before `next` (NULL: all that are left), in as few pieces as can be; one of its serial
 * goes.
 */
static bool put_kept(struct mu_buf *out, struct kept *kept, const struct mu_revoked *next)
{
    struct mu_slice run = mu_slice_of(kept->rest.data, 0);
    while (kept->rest.len > 0) {
        struct mu_slice after = kept->rest;
        struct der_item item;
        struct mu_slice serial;
        struct mu_revoked old = {.issuer = NULL};
        const struct mu_revoked *one = &old;
        if (!mu_der_take(&after, DER_SEQUENCE, &item) ||
            !mu_der_body(&item.body, DER_INTEGER, &serial) ||
            !mu_der_unsigned(serial, &old.serial)) {
            return false;
        }
        int order = next == NULL ? -1 : compare_revoked(&one, &next);
        if (order > 0) {
            break;
        }
        kept->rest = after;
        if (order == 0 || is_gone(kept, one)) {
            mu_buf_append(out, run.data, run.len);
            run = mu_slice_of(after.data, 0);
        } else {
            run.len += item.whole.len;
            kept->count++;
        }
    }
    mu_buf_append(out, run.data, run.len);
    return true;
}

static bool put_merged(struct mu_buf *out, const struct mu_crl_template *t,
                       const struct mu_revoked **sorted, struct mutual_error *err)
{
    MU_AUTO(free) const struct mu_revoked **gone = sort_revoked(t->gone, t->gone_count);
    struct kept kept = {.rest = t->kept, .gone = gone};
    if (gone == NULL) {
        return mu_fail_memory(err);
    }
    bool good = true;
    for (size_t i = 0; good && i < t->count; i++) {
        good = put_kept(out, &kept, sorted[i]);
        put_entry(out, sorted[i], t->issuer, false);
    }
    good = good && put_kept(out, &kept, NULL);
    if (good && kept.count + t->count == t->total) {
        return true;
    }
    return mu_fail(err, MUTUAL_E_CRL_MALFORMED,
                   "an earlier list and what came since make %zu entries, not %zu",
                   kept.count + t->count, t->total);
}

static void put_sorted(struct mu_buf *out, const struct mu_crl_template *t,
                       const struct mu_revoked **sorted)
{
    const struct mu_cert *last = NULL;
    for (size_t i = 0; i < t->count; i++) {
        put_entry(out, sorted[i], t->issuer, sorted[i]->issuer != last);
        last = sorted[i]->issuer;
    }
}

static bool put_entries(struct mu_buf *out, const struct mu_crl_template *t,
                        struct mutual_error *err)
{
    if (t->count == 0 && (!t->follows || t->total == 0)) {
        return true; /* the list is then absent (section 5.1.2.6) */
    }
    MU_AUTO(free) const struct mu_revoked **sorted = sort_revoked(t->entries, t->count);
    if (sorted == NULL) {
        return mu_fail_memory(err);
    }
    size_t list = mu_der_begin(out, DER_SEQUENCE);
    if (!t->follows) {
        put_sorted(out, t, sorted);
    } else if (!put_merged(out, t, sorted, err)) {
        return false;
    }
    mu_der_end(out, list);
    return true;
}

static void put_flag(struct mu_buf *out, uint8_t tag, bool value)
{
    static const uint8_t yes = 0xff;
    if (value) {
        mu_der_put(out, tag, mu_slice_of(&yes, 1));
    }
}

static bool put_idp(struct mu_buf *out, const struct mu_crl_idp *idp, struct mutual_error *err)
{
    struct ext_mark mark = mu_ext_begin(out, MU_SLICE_LIT("\x55\x1d\x1c"), true);
    size_t body = mu_der_begin(out, DER_SEQUENCE);
    if (idp->uris != NULL && idp->uris[0] != NULL && !mu_point_write(out, idp->uris, err)) {
        return false;
    }
    put_flag(out, DER_CONTEXT(1), idp->only_user);
    put_flag(out, DER_CONTEXT(2), idp->only_ca);
    if (idp->some_reasons) {
        mu_der_put_named_bits(out, DER_CONTEXT(3), idp->reasons);
    }
    put_flag(out, DER_CONTEXT(4), idp->indirect);
    put_flag(out, DER_CONTEXT(5), idp->only_attribute);
    mu_der_end(out, body);
    mu_ext_end(out, mark);
    return true;
}

static bool put_extensions(struct mu_buf *out, const struct mu_crl_template *t,
                           struct mutual_error *err)
{
    size_t explicit_mark = mu_der_begin(out, DER_CONSTRUCTED(0));
    size_t list = mu_der_begin(out, DER_SEQUENCE);
    if (!mu_ext_aki(out, t->issuer, err)) {
        return false;
    }
    struct ext_mark number = mu_ext_begin(out, MU_SLICE_LIT("\x55\x1d\x14"), false);
    mu_der_put_uint(out, DER_INTEGER, t->number);
    mu_ext_end(out, number);
    if (t->delta) {
        struct ext_mark base = mu_ext_begin(out, MU_SLICE_LIT("\x55\x1d\x1b"), true);
        mu_der_put_uint(out, DER_INTEGER, t->delta_base);
        mu_ext_end(out, base);
    }
    if (t->idp != NULL && !put_idp(out, t->idp, err)) {
        return false;
    }
    if (t->freshest_uris != NULL && /* section 5.2.6 */
        !mu_ext_points(out, MU_SLICE_LIT("\x55\x1d\x2e"), t->freshest_uris, err)) {
        return false;
    }
    mu_der_end(out, list);
    mu_der_end(out, explicit_mark);
    return true;
}

bool mu_crl_build_tbs(const struct mu_crl_template *template, enum mu_scheme scheme,
                      struct mu_buf *out, struct mutual_error *err)
{
    if (template->next_update_s <= template->this_update_s) {
        return mu_fail(err, MUTUAL_E_USAGE,
                       "a revocation list cannot be made whose next update is not after this one");
    }
    struct mu_slice issuer = mu_cert_facts(template->issuer)->subject;
    size_t tbs = mu_der_begin(out, DER_SEQUENCE);
    mu_der_put_uint(out, DER_INTEGER, 1);
    if (!mu_sig_write(out, scheme) && !out->failed) {
        return mu_fail(err, MUTUAL_E_KEY_UNSUPPORTED, "there is no signature scheme %04x",
                       (unsigned)scheme);
    }
    mu_buf_append(out, issuer.data, issuer.len);
    mu_der_put_time(out, template->this_update_s);
    mu_der_put_time(out, template->next_update_s);
    if (!put_entries(out, template, err) || !put_extensions(out, template, err)) {
        return false;
    }
    mu_der_end(out, tbs);
    return !out->failed ||
           mu_fail(err, MUTUAL_E_LIMIT, "a revocation list would be larger than it may be");
}

bool mu_crl_sign(const struct mu_crl_template *template, const struct mu_key *issuer_key,
                 struct mu_buf *out, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf tbs;
    mu_buf_init(&tbs, MU_LIMIT_CRL_BYTES);
    return mu_issuer_key_check(template->issuer, issuer_key, err) &&
           mu_crl_build_tbs(template, mu_key_scheme(issuer_key), &tbs, err) &&
           mu_sign_whole(mu_buf_slice(&tbs), issuer_key, out, err);
}

void mu_crl_to_pem(struct mu_slice der, struct mu_buf *out)
{
    mu_pem_write(out, "X509 CRL", der);
}
