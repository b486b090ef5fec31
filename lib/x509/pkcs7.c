/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates in a degenerate SignedData (RFC 5652 section 5, "certs-only" of RFC 8551), the form
 * in which EST hands them over: nobody signed it and it says nothing but the certificates.
 */
#include "x509/der_internal.h"
#include "x509/x509.h"

/* 1.2.840.113549.1.7.2 and .1 */
#define OID_SIGNED_DATA MU_SLICE_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02")
#define OID_DATA        MU_SLICE_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01")

static bool fail_form(struct mutual_error *err, const char *why)
{
    return mu_fail(err, MUTUAL_E_CMS_MALFORMED, "a PKCS#7 message %s", why);
}

/* Leads to the inside of SignedData. */
static bool open_signed_data(struct mu_slice der, struct mu_slice *ret_body,
                             struct mutual_error *err)
{
    struct mu_slice info;
    struct mu_slice type;
    struct mu_slice content;
    if (!mu_der_only(der, DER_SEQUENCE, &info) || !mu_der_body(&info, DER_OID, &type)) {
        return fail_form(err, "is not well-formed DER");
    }
    if (!mu_slice_equal(type, OID_SIGNED_DATA)) {
        return fail_form(err, "is no SignedData");
    }
    return (mu_der_body(&info, DER_CONSTRUCTED(0), &content) && info.len == 0 &&
            mu_der_only(content, DER_SEQUENCE, ret_body)) ||
           fail_form(err, "is not well-formed DER");
}

/* What a degenerate one begins with: version 1, no digests, data that is not there. */
static bool pass_head(struct mu_slice *body, struct mutual_error *err)
{
    struct mu_slice version;
    struct mu_slice digests;
    struct mu_slice content;
    struct mu_slice type;
    uint32_t number = 0;
    if (!mu_der_body(body, DER_INTEGER, &version) || !mu_der_small(version, 100, &number) ||
        !mu_der_body(body, DER_SET, &digests) || !mu_der_body(body, DER_SEQUENCE, &content) ||
        !mu_der_body(&content, DER_OID, &type)) {
        return fail_form(err, "is not well-formed DER");
    }
    if (number != 1 || !mu_slice_equal(type, OID_DATA) || content.len != 0) {
        return fail_form(err, "is more than certificates");
    }
    return true;
}

bool mu_certs_from_pkcs7(struct mu_slice der, struct mu_certs *certs, struct mutual_error *err)
{
    struct mu_slice body;
    struct mu_slice list;
    struct mu_slice crls;
    struct mu_slice signers;
    size_t before = certs->count;
    if (!open_signed_data(der, &body, err) || !pass_head(&body, err)) {
        return false;
    }
    if (!mu_der_optional(&body, DER_CONSTRUCTED(0), &list) ||
        !mu_der_optional(&body, DER_CONSTRUCTED(1), &crls) ||
        !mu_der_body(&body, DER_SET, &signers) || body.len != 0) {
        return fail_form(err, "is not well-formed DER");
    }
    if (signers.len != 0) {
        return fail_form(err, "is signed, and should hold certificates only");
    }
    while (list.data != NULL && list.len > 0) {
        MU_AUTO(cert) struct mu_cert *cert = NULL;
        struct der_item item;
        if (certs->count - before == MU_LIMIT_CHAIN_SENT) {
            return mu_fail(err, MUTUAL_E_LIMIT, "a PKCS#7 message holds more than %u certificates",
                           MU_LIMIT_CHAIN_SENT);
        }
        if (!mu_der_take(&list, DER_SEQUENCE, &item)) {
            return fail_form(err, "holds something that is no certificate");
        }
        if (!mu_cert_from_der(item.whole, &cert, err) || !mu_certs_add(certs, cert, err)) {
            return false;
        }
    }
    return certs->count > before || fail_form(err, "holds no certificate");
}

void mu_certs_to_pkcs7(const struct mu_certs *certs, struct mu_buf *out)
{
    size_t info = mu_der_begin(out, DER_SEQUENCE);
    mu_der_put_oid(out, OID_SIGNED_DATA);
    size_t content = mu_der_begin(out, DER_CONSTRUCTED(0));
    size_t data = mu_der_begin(out, DER_SEQUENCE);
    mu_der_put_uint(out, DER_INTEGER, 1);
    mu_der_end(out, mu_der_begin(out, DER_SET));
    size_t inner = mu_der_begin(out, DER_SEQUENCE);
    mu_der_put_oid(out, OID_DATA);
    mu_der_end(out, inner);
    size_t list = mu_der_begin(out, DER_CONSTRUCTED(0));
    for (size_t i = 0; i < certs->count; i++) {
        struct mu_slice der = mu_cert_facts(certs->items[i])->der;
        (void)mu_buf_append(out, der.data, der.len);
    }
    mu_der_end(out, list);
    mu_der_end(out, mu_der_begin(out, DER_SET));
    mu_der_end(out, data);
    mu_der_end(out, content);
    mu_der_end(out, info);
}
