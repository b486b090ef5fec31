/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates in a CMS message without content and without signers ("certs-only": RFC 5652
 * section 5, RFC 8951 section 3): written, and read.
 */
#include "x509/ossl_internal.h"

#include <openssl/pkcs7.h>

static void pkcs7_auto(PKCS7 **message)
{
    PKCS7_free(*message);
}

bool mu_cms_write(const struct mu_certs *certs, struct mu_buf *out, struct mutual_error *err)
{
    mu_ossl_clear();
    __attribute__((cleanup(pkcs7_auto))) PKCS7 *message = PKCS7_new();
    if (message == NULL || PKCS7_set_type(message, NID_pkcs7_signed) != 1 ||
        PKCS7_content_new(message, NID_pkcs7_data) != 1 || PKCS7_set_detached(message, 1) != 1) {
        return mu_fail_ossl(err, MUTUAL_E_LIBRARY, "could not begin a CMS message");
    }
    for (size_t i = 0; i < certs->count; i++) {
        X509 *x509 = mu_cert_x509(certs->items[i]);
        if (x509 == NULL || PKCS7_add_certificate(message, x509) != 1) {
            return mu_fail_ossl(err, MUTUAL_E_LIBRARY,
                                "could not put a certificate into a CMS message");
        }
    }
    int len = i2d_PKCS7(message, NULL);
    uint8_t *room = len > 0 ? mu_buf_reserve(out, (size_t)len) : NULL;
    if (room == NULL || i2d_PKCS7(message, &room) != len) {
        return mu_fail_ossl(err, MUTUAL_E_LIBRARY, "could not write a CMS message");
    }
    out->len += (size_t)len;
    return true;
}

bool mu_cms_read(struct mu_slice der, struct mu_certs *ret_certs, struct mutual_error *err)
{
    MU_AUTO(certs) struct mu_certs certs = {0};
    const uint8_t *at = der.data;
    if (der.len > MU_LIMIT_PEM_BYTES) {
        return mu_fail(err, MUTUAL_E_LIMIT, "a CMS message of %zu bytes is too large", der.len);
    }
    mu_ossl_clear();
    __attribute__((cleanup(pkcs7_auto))) PKCS7 *message = d2i_PKCS7(NULL, &at, (long)der.len);
    if (message == NULL || at != der.data + der.len || !PKCS7_type_is_signed(message) ||
        message->d.sign == NULL) {
        return mu_fail(err, MUTUAL_E_CERT_MALFORMED,
                       "the bytes are not one CMS message with certificates") ||
               (mu_ossl_clear(), false);
    }
    const STACK_OF(X509) *stack = message->d.sign->cert;
    int count = stack == NULL ? 0 : sk_X509_num(stack);
    if (count > (int)MU_LIMIT_CHAIN_SENT) {
        return mu_fail(err, MUTUAL_E_LIMIT, "a CMS message holds %d certificates", count);
    }
    for (int i = 0; i < count; i++) {
        MU_AUTO(cert) struct mu_cert *cert = NULL;
        if (!mu_cert_from_x509(sk_X509_value(stack, i), &cert, err) ||
            !mu_certs_add(&certs, cert, err)) {
            return false;
        }
    }
    *ret_certs = certs;
    certs = (struct mu_certs){0};
    return true;
}
