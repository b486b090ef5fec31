/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates that no template would make, written field by field for the readers' tests.
 */
#ifndef TESTS_X509_ODD_H
#define TESTS_X509_ODD_H

#include "pki.h"
#include "unit.h"
#include "x509/algorithms_internal.h"
#include "x509/der_internal.h"

#define HEX(lit_) MU_SLICE_LIT(lit_)

/* All-zero: a version 3 certificate without extensions, named CN=odd, valid around PKI_NOW_S. Each
 * slice replaces the whole DER item. */
struct odd {
    struct mu_slice version, serial, algorithm, issuer, validity, subject, spki;
    struct mu_slice tail;            /* behind the public key */
    struct mu_slice outer_algorithm; /* in place of the signature's */
    struct mu_slice junk;            /* behind the whole */
    bool no_version;
};

#define ODD_NAME  HEX("\x30\x0e\x31\x0c\x30\x0a\x06\x03\x55\x04\x03\x0c\x03odd")
#define ODD_ECDSA HEX("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02")
#define ODD_VALID          \
    HEX("\x30\x1e\x17\x0d" \
        "270101000000Z"    \
        "\x17\x0d"         \
        "270201000000Z")
#define ODD_VERSION HEX("\xa0\x03\x02\x01\x02")
#define ODD_SERIAL  HEX("\x02\x01\x05")

static inline struct mu_slice odd_or(struct mu_slice given, struct mu_slice usual)
{
    return given.data != NULL ? given : usual;
}

static inline void odd_put(struct mu_buf *out, struct mu_slice item)
{
    mu_buf_append(out, item.data, item.len);
}

/* Appends the certificate, properly signed by `node`'s key. */
static inline void odd_build(const struct odd *odd, const struct pki *node, struct mu_buf *out)
{
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf tbs;
    MU_AUTO(buf) struct mu_buf signature;
    mu_buf_init(&tbs, 1u << 20);
    mu_buf_init(&signature, 4096);
    size_t mark = mu_der_begin(&tbs, DER_SEQUENCE);
    if (!odd->no_version) {
        odd_put(&tbs, odd_or(odd->version, ODD_VERSION));
    }
    odd_put(&tbs, odd_or(odd->serial, ODD_SERIAL));
    odd_put(&tbs, odd_or(odd->algorithm, ODD_ECDSA));
    odd_put(&tbs, odd_or(odd->issuer, ODD_NAME));
    odd_put(&tbs, odd_or(odd->validity, ODD_VALID));
    odd_put(&tbs, odd_or(odd->subject, ODD_NAME));
    odd_put(&tbs, odd_or(odd->spki, mu_key_spki(node->key)));
    odd_put(&tbs, odd->tail);
    mu_der_end(&tbs, mark);
    assert_ok(
        mu_key_sign(node->key, mu_key_scheme(node->key), mu_buf_slice(&tbs), &signature, &err),
        &err);
    mark = mu_der_begin(out, DER_SEQUENCE);
    odd_put(out, mu_buf_slice(&tbs));
    odd_put(out, odd_or(odd->outer_algorithm, odd_or(odd->algorithm, ODD_ECDSA)));
    mu_der_put_bits(out, mu_buf_slice(&signature));
    mu_der_end(out, mark);
    odd_put(out, odd->junk);
}

/* Reads the odd certificate; the outcome is the reader's. */
static inline bool odd_read(struct odd odd, struct mu_cert **ret_cert, struct mutual_error *err)
{
    static struct pki *node;
    if (node == NULL) {
        node = pki_root("odd");
    }
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, 1u << 20);
    odd_build(&odd, node, &der);
    return mu_cert_from_der(mu_buf_slice(&der), ret_cert, err);
}

/* A certificate whose only extensions are these. */
static inline bool odd_extended(bool ca, const struct mu_raw_extension *extra, size_t count,
                                struct mu_cert **ret_cert, struct mutual_error *err)
{
    static struct pki *root;
    if (root == NULL) {
        root = pki_root("Root");
    }
    struct mu_rdn cn = {MU_ATTR_CN, "extended"};
    struct mu_cert_template t = {
        .issuer = root->cert,
        .subject = &cn,
        .subject_count = 1,
        .not_before_s = PKI_NOW_S,
        .not_after_s = PKI_NOW_S + PKI_DAY_S,
        .spki = mu_key_spki(root->key),
        .ca = ca,
        .bare = true,
        .extra = extra,
        .extra_count = count,
    };
    return mu_cert_sign(&t, root->key, ret_cert, err);
}

#endif
