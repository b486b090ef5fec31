/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates made: a template becomes a TBSCertificate (RFC 5280 section 4.1), a key signs it.
 */
#include "x509/build_internal.h"

#include <string.h>

/* Larger than any certificate that mu_cert_from_der takes back. */
#define TBS_MAX (2u * MU_LIMIT_CERT_BYTES)

bool mu_serial_new(uint8_t ret_serial[MU_SERIAL_BYTES], struct mutual_error *err)
{
    if (!mu_random(ret_serial, MU_SERIAL_BYTES, err)) {
        return false;
    }
    /* Positive and of full length (RFC 5280 section 4.1.2.2): 158 bits stay random. */
    ret_serial[0] = (uint8_t)((ret_serial[0] & 0x7f) | 0x40);
    return true;
}

static size_t put_arc(uint8_t *to, uint64_t arc)
{
    size_t groups = 1;
    for (uint64_t rest = arc >> 7; rest != 0; rest >>= 7) {
        groups++;
    }
    for (size_t i = 0; i < groups; i++) {
        uint8_t more = i + 1 < groups ? 0x80 : 0;
        to[i] = (uint8_t)((arc >> (7 * (groups - 1 - i)) & 0x7f) | more);
    }
    return groups;
}

bool mu_oid_encode(const char *dotted, struct mu_buf *out)
{
    uint64_t arcs[32];
    size_t count = 0;
    const char *p = dotted;
    for (bool more = true; more; p++) {
        if (count == MU_COUNT(arcs) || *p < '0' || *p > '9' ||
            (*p == '0' && p[1] >= '0' && p[1] <= '9')) {
            return false;
        }
        uint64_t arc = 0;
        for (; *p >= '0' && *p <= '9'; p++) {
            if (arc > UINT32_MAX) {
                return false;
            }
            arc = arc * 10 + (uint64_t)(*p - '0');
        }
        arcs[count++] = arc;
        more = *p == '.';
        if (!more && *p != '\0') {
            return false;
        }
    }
    if (count < 2 || arcs[0] > 2 || (arcs[0] < 2 && arcs[1] > 39)) {
        return false;
    }
    uint8_t octets[MU_COUNT(arcs) * 10];
    size_t len = put_arc(octets, arcs[0] * 40 + arcs[1]);
    for (size_t i = 2; i < count; i++) {
        len += put_arc(octets + len, arcs[i]);
    }
    return mu_buf_append(out, octets, len);
}

/* ---- extensions ------------------------------------------------------------------------------ */

struct ext_mark mu_ext_begin(struct mu_buf *out, struct mu_slice oid, bool critical)
{
    struct ext_mark mark = {.extension = mu_der_begin(out, DER_SEQUENCE)};
    mu_der_put_oid(out, oid);
    if (critical) {
        mu_der_put_bool(out, true);
    }
    mark.value = mu_der_begin(out, DER_OCTET_STRING);
    return mark;
}

void mu_ext_end(struct mu_buf *out, struct ext_mark mark)
{
    mu_der_end(out, mark.value);
    mu_der_end(out, mark.extension);
}

bool mu_ext_names(struct mu_buf *out, const struct mu_gname *names, size_t count, bool critical,
                  struct mutual_error *err)
{
    struct ext_mark mark = mu_ext_begin(out, OID_SAN, critical);
    if (!mu_gnames_write(out, names, count, err)) {
        return false;
    }
    mu_ext_end(out, mark);
    return true;
}

bool mu_key_id(struct mu_slice spki, uint8_t ret_id[KEY_ID_BYTES], struct mutual_error *err)
{
    struct spki_parts parts;
    uint8_t digest[32];
    if (!mu_spki_split(spki, &parts)) {
        return mu_fail(err, MUTUAL_E_KEY_MALFORMED, "the public key is not well-formed");
    }
    if (!mu_sha256(parts.key, digest, err)) {
        return false;
    }
    memcpy(ret_id, digest, KEY_ID_BYTES);
    return true;
}

bool mu_ext_aki(struct mu_buf *out, const struct mu_cert *issuer, struct mutual_error *err)
{
    const struct mu_cert_facts *facts = mu_cert_facts(issuer);
    uint8_t own[KEY_ID_BYTES];
    struct mu_slice id = facts->skid;
    if (id.data == NULL) {
        if (!mu_key_id(facts->spki, own, err)) {
            return false;
        }
        id = mu_slice_of(own, sizeof own);
    }
    struct ext_mark mark = mu_ext_begin(out, OID_AKI, false);
    size_t body = mu_der_begin(out, DER_SEQUENCE);
    mu_der_put(out, DER_CONTEXT(0), id);
    mu_der_end(out, body);
    mu_ext_end(out, mark);
    return true;
}

bool mu_uri_write(struct mu_buf *out, const char *uri, struct mutual_error *err)
{
    struct mu_gname name = {MU_GNAME_URI, mu_slice_text(uri)};
    return mu_gname_write(out, &name, false, err);
}

bool mu_point_write(struct mu_buf *out, const char *const *uris, struct mutual_error *err)
{
    size_t point = mu_der_begin(out, DER_CONSTRUCTED(0));
    size_t full = mu_der_begin(out, DER_CONSTRUCTED(0));
    for (; *uris != NULL; uris++) {
        if (!mu_uri_write(out, *uris, err)) {
            return false;
        }
    }
    mu_der_end(out, full);
    mu_der_end(out, point);
    return true;
}

static void put_basic_constraints(struct mu_buf *out, const struct mu_cert_template *t)
{
    struct ext_mark mark = mu_ext_begin(out, OID_BC, true);
    size_t body = mu_der_begin(out, DER_SEQUENCE);
    mu_der_put_bool(out, true);
    if (t->path_limited) {
        mu_der_put_uint(out, DER_INTEGER, t->path_length);
    }
    mu_der_end(out, body);
    mu_ext_end(out, mark);
}

static void put_key_usage(struct mu_buf *out, unsigned usage)
{
    struct ext_mark mark = mu_ext_begin(out, MU_SLICE_LIT("\x55\x1d\x0f"), true);
    mu_der_put_named_bits(out, DER_BIT_STRING, usage);
    mu_ext_end(out, mark);
}

static void put_eku(struct mu_buf *out, unsigned eku)
{
    static const struct {
        unsigned bit;
        struct mu_slice oid;
    } purposes[] = {
        {MU_EKU_SERVER, {(const uint8_t *)"\x2b\x06\x01\x05\x05\x07\x03\x01", 8}},
        {MU_EKU_CLIENT, {(const uint8_t *)"\x2b\x06\x01\x05\x05\x07\x03\x02", 8}},
        {MU_EKU_CODE, {(const uint8_t *)"\x2b\x06\x01\x05\x05\x07\x03\x03", 8}},
        {MU_EKU_EMAIL, {(const uint8_t *)"\x2b\x06\x01\x05\x05\x07\x03\x04", 8}},
        {MU_EKU_TIME, {(const uint8_t *)"\x2b\x06\x01\x05\x05\x07\x03\x08", 8}},
        {MU_EKU_OCSP, {(const uint8_t *)"\x2b\x06\x01\x05\x05\x07\x03\x09", 8}},
        {MU_EKU_ANY, {(const uint8_t *)"\x55\x1d\x25\x00", 4}},
    };
    struct ext_mark mark = mu_ext_begin(out, MU_SLICE_LIT("\x55\x1d\x25"), false);
    size_t body = mu_der_begin(out, DER_SEQUENCE);
    for (size_t i = 0; i < MU_COUNT(purposes); i++) {
        if ((eku & purposes[i].bit) != 0) {
            mu_der_put_oid(out, purposes[i].oid);
        }
    }
    mu_der_end(out, body);
    mu_ext_end(out, mark);
}

static bool put_key_ids(struct mu_buf *out, const struct mu_cert_template *t,
                        struct mutual_error *err)
{
    uint8_t id[KEY_ID_BYTES];
    if (!mu_key_id(t->spki, id, err)) {
        return false;
    }
    struct ext_mark mark = mu_ext_begin(out, MU_SLICE_LIT("\x55\x1d\x0e"), false);
    mu_der_put(out, DER_OCTET_STRING, mu_slice_of(id, sizeof id));
    mu_ext_end(out, mark);
    /* A self-signed certificate may leave it out (RFC 5280 section 4.2.1.1), so it does. */
    return t->issuer == NULL || mu_ext_aki(out, t->issuer, err);
}

static bool put_subtrees(struct mu_buf *out, uint8_t tag, const struct mu_subtree *trees,
                         size_t count, struct mutual_error *err)
{
    size_t list = mu_der_begin(out, tag);
    for (size_t i = 0; i < count; i++) {
        size_t tree = mu_der_begin(out, DER_SEQUENCE);
        if (!mu_gname_write(out, &trees[i].base, true, err)) {
            return false;
        }
        mu_der_end(out, tree);
    }
    mu_der_end(out, list);
    return true;
}

static bool put_name_constraints(struct mu_buf *out, const struct mu_cert_template *t,
                                 struct mutual_error *err)
{
    struct ext_mark mark = mu_ext_begin(out, MU_SLICE_LIT("\x55\x1d\x1e"), true);
    size_t body = mu_der_begin(out, DER_SEQUENCE);
    if (t->permitted_count > 0 &&
        !put_subtrees(out, DER_CONSTRUCTED(0), t->permitted, t->permitted_count, err)) {
        return false;
    }
    if (t->excluded_count > 0 &&
        !put_subtrees(out, DER_CONSTRUCTED(1), t->excluded, t->excluded_count, err)) {
        return false;
    }
    mu_der_end(out, body);
    mu_ext_end(out, mark);
    return true;
}

static bool put_dotted(struct mu_buf *out, const char *dotted, struct mutual_error *err)
{
    size_t mark = mu_der_begin(out, DER_OID);
    if (!mu_oid_encode(dotted, out)) {
        return mu_fail(err, MUTUAL_E_USAGE, "\"%s\" is not an object identifier", dotted);
    }
    mu_der_end(out, mark);
    return true;
}

static bool put_policies(struct mu_buf *out, const char *const *policies, struct mutual_error *err)
{
    struct ext_mark mark = mu_ext_begin(out, MU_SLICE_LIT("\x55\x1d\x20"), false);
    size_t list = mu_der_begin(out, DER_SEQUENCE);
    for (; *policies != NULL; policies++) {
        size_t policy = mu_der_begin(out, DER_SEQUENCE);
        if (!put_dotted(out, *policies, err)) {
            return false;
        }
        mu_der_end(out, policy);
    }
    mu_der_end(out, list);
    mu_ext_end(out, mark);
    return true;
}

bool mu_ext_points(struct mu_buf *out, struct mu_slice oid, const char *const *uris,
                   struct mutual_error *err)
{
    struct ext_mark mark = mu_ext_begin(out, oid, false);
    size_t list = mu_der_begin(out, DER_SEQUENCE);
    size_t point = mu_der_begin(out, DER_SEQUENCE);
    if (!mu_point_write(out, uris, err)) {
        return false;
    }
    mu_der_end(out, point);
    mu_der_end(out, list);
    mu_ext_end(out, mark);
    return true;
}

static bool put_accesses(struct mu_buf *out, struct mu_slice method, const char *const *uris,
                         struct mutual_error *err)
{
    for (; uris != NULL && *uris != NULL; uris++) {
        size_t access = mu_der_begin(out, DER_SEQUENCE);
        mu_der_put_oid(out, method);
        if (!mu_uri_write(out, *uris, err)) {
            return false;
        }
        mu_der_end(out, access);
    }
    return true;
}

static bool any(const char *const *list)
{
    return list != NULL && *list != NULL;
}

static bool put_addresses(struct mu_buf *out, const struct mu_cert_template *t,
                          struct mutual_error *err)
{
    if (any(t->crl_uris) && !mu_ext_points(out, MU_SLICE_LIT("\x55\x1d\x1f"), t->crl_uris, err)) {
        return false;
    }
    if (!any(t->ocsp_uris) && !any(t->issuer_uris)) {
        return true;
    }
    struct ext_mark mark =
        mu_ext_begin(out, MU_SLICE_LIT("\x2b\x06\x01\x05\x05\x07\x01\x01"), false);
    size_t list = mu_der_begin(out, DER_SEQUENCE);
    if (!put_accesses(out, MU_SLICE_LIT("\x2b\x06\x01\x05\x05\x07\x30\x01"), t->ocsp_uris, err) ||
        !put_accesses(out, MU_SLICE_LIT("\x2b\x06\x01\x05\x05\x07\x30\x02"), t->issuer_uris, err)) {
        return false;
    }
    mu_der_end(out, list);
    mu_ext_end(out, mark);
    return true;
}

/* RFC 7633: the server must staple a status (TLS extension 5). */
static void put_must_staple(struct mu_buf *out)
{
    struct ext_mark mark =
        mu_ext_begin(out, MU_SLICE_LIT("\x2b\x06\x01\x05\x05\x07\x01\x18"), false);
    size_t list = mu_der_begin(out, DER_SEQUENCE);
    mu_der_put_uint(out, DER_INTEGER, 5);
    mu_der_end(out, list);
    mu_ext_end(out, mark);
}

static bool put_extra(struct mu_buf *out, const struct mu_raw_extension *extra,
                      struct mutual_error *err)
{
    size_t mark = mu_der_begin(out, DER_SEQUENCE);
    if (!put_dotted(out, extra->oid, err)) {
        return false;
    }
    if (extra->critical) {
        mu_der_put_bool(out, true);
    }
    mu_der_put(out, DER_OCTET_STRING, extra->value);
    mu_der_end(out, mark);
    return true;
}

static bool put_usual(struct mu_buf *out, const struct mu_cert_template *t,
                      struct mutual_error *err)
{
    if (t->ca) {
        put_basic_constraints(out, t);
    }
    if (t->key_usage != 0) {
        put_key_usage(out, t->key_usage);
    }
    if (t->eku != 0) {
        put_eku(out, t->eku);
    }
    return put_key_ids(out, t, err);
}

static bool put_extensions(struct mu_buf *out, const struct mu_cert_template *t, bool no_subject,
                           struct mutual_error *err)
{
    size_t explicit_mark = mu_der_begin(out, DER_CONSTRUCTED(3));
    size_t list = mu_der_begin(out, DER_SEQUENCE);
    size_t empty = out->len;
    if (!t->bare && !put_usual(out, t, err)) {
        return false;
    }
    if (t->name_count > 0 && !mu_ext_names(out, t->names, t->name_count, no_subject, err)) {
        return false;
    }
    if (t->permitted_count + t->excluded_count > 0 && !put_name_constraints(out, t, err)) {
        return false;
    }
    if ((any(t->policies) && !put_policies(out, t->policies, err)) || !put_addresses(out, t, err)) {
        return false;
    }
    if (t->must_staple) {
        put_must_staple(out);
    }
    for (size_t i = 0; i < t->extra_count; i++) {
        if (!put_extra(out, &t->extra[i], err)) {
            return false;
        }
    }
    if (out->len == empty) { /* Extensions has at least one (RFC 5280 section 4.1.2.9) */
        out->len = explicit_mark;
        return true;
    }
    mu_der_end(out, list);
    mu_der_end(out, explicit_mark);
    return true;
}

/* ---- the certificate ---------------------------------------------------------------------------
 */

static bool check_template(const struct mu_cert_template *t, struct mutual_error *err)
{
    const struct mu_slice *serial = &t->serial;
    bool constrains = t->permitted_count + t->excluded_count > 0;
    const struct {
        bool broken;
        const char *why;
    } rules[] = {
        {serial->len > MU_SERIAL_BYTES, "its serial number is longer than 20 octets"},
        {serial->len == MU_SERIAL_BYTES && (serial->data[0] & 0x80) != 0,
         "its serial number is longer than 20 octets with its sign"},
        {t->not_after_s < t->not_before_s, "it ends before it begins"},
        {t->spki.len == 0, "it has no public key"},
        {t->path_limited && !t->ca, "it has a path length but is not an authority"},
        {constrains && !t->ca && !t->bare, "it has name constraints but is not an authority"},
        {(t->key_usage & MU_KU_KEY_CERT_SIGN) != 0 && !t->ca,
         "its key usage signs certificates but it is not an authority"},
        {(t->eku & MU_EKU_OTHER) != 0, "it has an extended key usage without a number"},
        {t->name_count > MU_LIMIT_CERT_NAMES, "it has too many names"},
        {t->subject_count > 0 && t->subject_der.len > 0, "it has two subjects"},
    };
    for (size_t i = 0; i < MU_COUNT(rules); i++) {
        if (rules[i].broken) {
            return mu_fail(err, MUTUAL_E_USAGE, "a certificate cannot be made like that: %s",
                           rules[i].why);
        }
    }
    return true;
}

static bool put_serial(struct mu_buf *out, struct mu_slice serial, struct mutual_error *err)
{
    uint8_t fresh[MU_SERIAL_BYTES];
    if (serial.len == 0) {
        if (!mu_serial_new(fresh, err)) {
            return false;
        }
        serial = mu_slice_of(fresh, sizeof fresh);
    }
    mu_der_put_magnitude(out, DER_INTEGER, serial);
    return true;
}

static bool put_body(struct mu_buf *out, const struct mu_cert_template *t, struct mu_slice subject,
                     enum mu_scheme scheme, struct mutual_error *err)
{
    struct mu_slice issuer = t->issuer == NULL ? subject : mu_cert_facts(t->issuer)->subject;
    size_t version = mu_der_begin(out, DER_CONSTRUCTED(0));
    mu_der_put_uint(out, DER_INTEGER, 2);
    mu_der_end(out, version);
    if (!put_serial(out, t->serial, err)) {
        return false;
    }
    if (!mu_sig_write(out, scheme) && !out->failed) {
        return mu_fail(err, MUTUAL_E_KEY_UNSUPPORTED, "there is no signature scheme %04x",
                       (unsigned)scheme);
    }
    mu_buf_append(out, issuer.data, issuer.len);
    size_t validity = mu_der_begin(out, DER_SEQUENCE);
    mu_der_put_time(out, t->not_before_s);
    mu_der_put_time(out, t->not_after_s);
    mu_der_end(out, validity);
    mu_buf_append(out, subject.data, subject.len);
    mu_buf_append(out, t->spki.data, t->spki.len);
    return put_extensions(out, t, subject.len <= 2, err);
}

bool mu_cert_build_tbs(const struct mu_cert_template *template, enum mu_scheme scheme,
                       struct mu_buf *out, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf name;
    mu_buf_init(&name, MU_LIMIT_CERT_BYTES);
    if (!check_template(template, err)) {
        return false;
    }
    struct mu_slice subject = template->subject_der;
    if (subject.len == 0) {
        if (!mu_name_build(template->subject, template->subject_count, &name, err)) {
            return false;
        }
        subject = mu_buf_slice(&name);
    }
    size_t tbs = mu_der_begin(out, DER_SEQUENCE);
    if (!put_body(out, template, subject, scheme, err)) {
        return false;
    }
    mu_der_end(out, tbs);
    return !out->failed ||
           mu_fail(err, MUTUAL_E_LIMIT, "a certificate would be larger than it may be");
}

bool mu_signed_build(struct mu_slice tbs, enum mu_scheme scheme, struct mu_slice signature,
                     struct mu_buf *out, struct mutual_error *err)
{
    size_t whole = mu_der_begin(out, DER_SEQUENCE);
    mu_buf_append(out, tbs.data, tbs.len);
    if (!mu_sig_write(out, scheme) && !out->failed) {
        return mu_fail(err, MUTUAL_E_KEY_UNSUPPORTED, "there is no signature scheme %04x",
                       (unsigned)scheme);
    }
    mu_der_put_bits(out, signature);
    mu_der_end(out, whole);
    return !out->failed || mu_fail_memory(err);
}

bool mu_sign_whole(struct mu_slice tbs, const struct mu_key *key, struct mu_buf *out,
                   struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf signature;
    mu_buf_init(&signature, 4096);
    enum mu_scheme scheme = mu_key_scheme(key);
    return mu_key_sign(key, scheme, tbs, &signature, err) &&
           mu_signed_build(tbs, scheme, mu_buf_slice(&signature), out, err);
}

bool mu_issuer_key_check(const struct mu_cert *issuer, const struct mu_key *key,
                         struct mutual_error *err)
{
    return mu_key_matches(key, issuer, err) || mu_error_context(err, "the issuer");
}

bool mu_cert_sign(const struct mu_cert_template *template, const struct mu_key *issuer_key,
                  struct mu_cert **ret_cert, struct mutual_error *err)
{
    struct mu_cert_template own = *template;
    if (own.issuer == NULL && own.spki.len == 0) {
        own.spki = mu_key_spki(issuer_key);
    }
    if (own.issuer == NULL && !mu_slice_equal(own.spki, mu_key_spki(issuer_key))) {
        return mu_fail(err, MUTUAL_E_KEY_MISMATCH,
                       "a self-signed certificate is for another key than signs it");
    }
    if (own.issuer != NULL && !mu_issuer_key_check(own.issuer, issuer_key, err)) {
        return false;
    }
    MU_AUTO(buf) struct mu_buf tbs;
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&tbs, TBS_MAX);
    mu_buf_init(&der, TBS_MAX);
    return mu_cert_build_tbs(&own, mu_key_scheme(issuer_key), &tbs, err) &&
           mu_sign_whole(mu_buf_slice(&tbs), issuer_key, &der, err) &&
           mu_cert_from_der(mu_buf_slice(&der), ret_cert, err);
}
