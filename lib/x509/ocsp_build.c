/* SPDX-License-Identifier: Apache-2.0
 *
 * OCSP messages made (RFC 6960 sections 4.1.1 and 4.2.1): the request of one who asks, and the
 * response of a responder, signed wherever its key lives.
 */
#include "x509/build_internal.h"
#include "x509/ocsp_internal.h"

static void put_nonce(struct mu_buf *out, uint8_t tag, struct mu_slice nonce)
{
    if (nonce.len == 0) {
        return;
    }
    size_t explicit_mark = mu_der_begin(out, tag);
    size_t list = mu_der_begin(out, DER_SEQUENCE);
    struct ext_mark mark = mu_ext_begin(out, OID_OCSP_NONCE, false);
    mu_der_put(out, DER_OCTET_STRING, nonce);
    mu_ext_end(out, mark);
    mu_der_end(out, list);
    mu_der_end(out, explicit_mark);
}

static void put_id(struct mu_buf *out, enum mu_ocsp_hash hash, struct mu_slice serial,
                   const struct mu_ocsp_issuer *issuer)
{
    size_t len = mu_ocsp_hash_len(hash);
    size_t id = mu_der_begin(out, DER_SEQUENCE);
    size_t algorithm = mu_der_begin(out, DER_SEQUENCE);
    mu_der_put_oid(out, hash == MU_OCSP_SHA1 ? OID_SHA1 : OID_SHA256);
    mu_der_put(out, DER_NULL, mu_slice_of(NULL, 0));
    mu_der_end(out, algorithm);
    mu_der_put(out, DER_OCTET_STRING, mu_slice_of(issuer->name[hash], len));
    mu_der_put(out, DER_OCTET_STRING, mu_slice_of(issuer->key[hash], len));
    mu_der_put_magnitude(out, DER_INTEGER, serial);
    mu_der_end(out, id);
}

bool mu_ocsp_request_build(const struct mu_cert *cert, const struct mu_cert *issuer,
                           enum mu_ocsp_hash hash, struct mu_slice nonce, struct mu_buf *out,
                           struct mutual_error *err)
{
    struct mu_ocsp_issuer by;
    if (nonce.len > MU_LIMIT_OCSP_NONCE || hash == MU_OCSP_HASH_OTHER) {
        return mu_fail(err, MUTUAL_E_USAGE,
                       "an OCSP request cannot be made with a nonce of %zu bytes and such a hash",
                       nonce.len);
    }
    if (!mu_ocsp_issuer_of(issuer, &by, err)) {
        return false;
    }
    size_t whole = mu_der_begin(out, DER_SEQUENCE);
    size_t tbs = mu_der_begin(out, DER_SEQUENCE);
    size_t list = mu_der_begin(out, DER_SEQUENCE);
    size_t request = mu_der_begin(out, DER_SEQUENCE);
    put_id(out, hash, mu_cert_facts(cert)->serial, &by);
    mu_der_end(out, request);
    mu_der_end(out, list);
    put_nonce(out, DER_CONSTRUCTED(2), nonce);
    mu_der_end(out, tbs);
    mu_der_end(out, whole);
    return !out->failed || mu_fail_memory(err);
}

/* ---- responses ------------------------------------------------------------------------------- */

static void put_revoked(struct mu_buf *out, const struct mu_ocsp_answer *answer)
{
    size_t info = mu_der_begin(out, DER_CONSTRUCTED(1));
    mu_der_put_generalized(out, answer->revoked_at_s);
    if (answer->reason != MU_REASON_UNSPECIFIED) {
        uint8_t code = (uint8_t)answer->reason;
        size_t reason = mu_der_begin(out, DER_CONSTRUCTED(0));
        mu_der_put(out, DER_ENUMERATED, mu_slice_of(&code, 1));
        mu_der_end(out, reason);
    }
    mu_der_end(out, info);
}

static void put_answer(struct mu_buf *out, const struct mu_ocsp_answer *answer,
                       const struct mu_ocsp_issuer *issuer)
{
    size_t single = mu_der_begin(out, DER_SEQUENCE);
    put_id(out, answer->id.hash, answer->id.serial, issuer);
    if (answer->status == MU_OCSP_REVOKED) {
        put_revoked(out, answer);
    } else {
        mu_der_put(out, answer->status == MU_OCSP_GOOD ? DER_CONTEXT(0) : DER_CONTEXT(2),
                   mu_slice_of(NULL, 0));
    }
    mu_der_put_generalized(out, answer->this_update_s);
    if (answer->next_update_s != MU_TIME_NEVER_S) {
        size_t next = mu_der_begin(out, DER_CONSTRUCTED(0));
        mu_der_put_generalized(out, answer->next_update_s);
        mu_der_end(out, next);
    }
    mu_der_end(out, single);
}

static bool check_template(const struct mu_ocsp_template *t, struct mutual_error *err)
{
    if (t->count == 0 || t->count > MU_LIMIT_OCSP_ANSWERS || t->nonce.len > MU_LIMIT_OCSP_NONCE) {
        return mu_fail(err, MUTUAL_E_USAGE,
                       "an OCSP response cannot be made of %zu answers and a nonce of %zu bytes",
                       t->count, t->nonce.len);
    }
    for (size_t i = 0; i < t->count; i++) {
        const struct mu_ocsp_answer *answer = &t->answers[i];
        if (answer->next_update_s <= answer->this_update_s ||
            answer->id.hash == MU_OCSP_HASH_OTHER) {
            return mu_fail(err, MUTUAL_E_USAGE,
                           "an OCSP response cannot be made whose next update is not after this "
                           "one, or by such a hash");
        }
    }
    return true;
}

bool mu_ocsp_build_tbs(const struct mu_ocsp_template *template, struct mu_buf *out,
                       struct mutual_error *err)
{
    struct mu_ocsp_issuer issuer;
    struct mu_ocsp_issuer responder;
    if (!check_template(template, err) || !mu_ocsp_issuer_of(template->issuer, &issuer, err) ||
        !mu_ocsp_issuer_of(template->responder, &responder, err)) {
        return false;
    }
    size_t data = mu_der_begin(out, DER_SEQUENCE);
    size_t by_key = mu_der_begin(out, DER_CONSTRUCTED(2)); /* twenty octets whatever the name */
    mu_der_put(out, DER_OCTET_STRING,
               mu_slice_of(responder.key[MU_OCSP_SHA1], mu_ocsp_hash_len(MU_OCSP_SHA1)));
    mu_der_end(out, by_key);
    mu_der_put_generalized(out, template->produced_at_s);
    size_t list = mu_der_begin(out, DER_SEQUENCE);
    for (size_t i = 0; i < template->count; i++) {
        put_answer(out, &template->answers[i], &issuer);
    }
    mu_der_end(out, list);
    put_nonce(out, DER_CONSTRUCTED(1), template->nonce);
    mu_der_end(out, data);
    return !out->failed ||
           mu_fail(err, MUTUAL_E_LIMIT, "an OCSP response would be larger than it may be");
}

static void put_basic(struct mu_buf *out, struct mu_slice tbs, enum mu_scheme scheme,
                      struct mu_slice signature, const struct mu_cert *delegate)
{
    size_t basic = mu_der_begin(out, DER_SEQUENCE);
    mu_buf_append(out, tbs.data, tbs.len);
    (void)mu_sig_write(out, scheme);
    mu_der_put_bits(out, signature);
    if (delegate != NULL) {
        struct mu_slice der = mu_cert_facts(delegate)->der;
        size_t explicit_mark = mu_der_begin(out, DER_CONSTRUCTED(0));
        size_t list = mu_der_begin(out, DER_SEQUENCE);
        mu_buf_append(out, der.data, der.len);
        mu_der_end(out, list);
        mu_der_end(out, explicit_mark);
    }
    mu_der_end(out, basic);
}

static void put_outline(struct mu_buf *out, uint8_t status)
{
    mu_der_put(out, DER_ENUMERATED, mu_slice_of(&status, 1));
}

bool mu_ocsp_build(struct mu_slice tbs, enum mu_scheme scheme, struct mu_slice signature,
                   const struct mu_cert *delegate, struct mu_buf *out, struct mutual_error *err)
{
    if (mu_scheme_info(scheme).kind == MU_KEY_OTHER) {
        return mu_fail(err, MUTUAL_E_KEY_UNSUPPORTED, "there is no signature scheme %04x",
                       (unsigned)scheme);
    }
    size_t whole = mu_der_begin(out, DER_SEQUENCE);
    put_outline(out, 0);
    size_t explicit_mark = mu_der_begin(out, DER_CONSTRUCTED(0));
    size_t bytes = mu_der_begin(out, DER_SEQUENCE);
    mu_der_put_oid(out, OID_OCSP_BASIC);
    size_t octets = mu_der_begin(out, DER_OCTET_STRING);
    put_basic(out, tbs, scheme, signature, delegate);
    mu_der_end(out, octets);
    mu_der_end(out, bytes);
    mu_der_end(out, explicit_mark);
    mu_der_end(out, whole);
    return !out->failed || mu_fail_memory(err);
}

bool mu_ocsp_build_failure(enum mu_ocsp_failure failure, struct mu_buf *out)
{
    size_t whole = mu_der_begin(out, DER_SEQUENCE);
    put_outline(out, (uint8_t)failure);
    mu_der_end(out, whole);
    return !out->failed;
}

bool mu_ocsp_sign(const struct mu_ocsp_template *template, const struct mu_key *key,
                  struct mu_buf *out, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf tbs;
    MU_AUTO(buf) struct mu_buf signature;
    mu_buf_init(&tbs, MU_LIMIT_OCSP_BYTES);
    mu_buf_init(&signature, 4096);
    enum mu_scheme scheme = mu_key_scheme(key);
    const struct mu_cert *delegate =
        template->responder != template->issuer ? template->responder : NULL;
    return mu_issuer_key_check(template->responder, key, err) &&
           mu_ocsp_build_tbs(template, &tbs, err) &&
           mu_key_sign(key, scheme, mu_buf_slice(&tbs), &signature, err) &&
           mu_ocsp_build(mu_buf_slice(&tbs), scheme, mu_buf_slice(&signature), delegate, out, err);
}
