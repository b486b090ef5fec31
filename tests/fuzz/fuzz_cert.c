/* SPDX-License-Identifier: Apache-2.0
 *
 * One certificate in DER. What is accepted must keep the promises of the door: slices inside the
 * certificate, clean names, texts that are there.
 */
#include "x509/x509.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct mu_slice part, struct mu_slice whole)
{
    mu_assert(part.data == NULL || (part.data >= whole.data && part.len <= whole.len &&
                                    part.data + part.len <= whole.data + whole.len));
}

static void check_text(struct mu_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        mu_assert(text.data[i] >= 0x20 && text.data[i] < 0x7f);
    }
}

static void check_facts(const struct mu_cert_facts *f)
{
    check_inside(f->tbs, f->der);
    check_inside(f->spki, f->der);
    check_inside(f->serial, f->der);
    check_inside(f->skid, f->der);
    check_inside(f->akid, f->der);
    check_text(mu_slice_text(f->subject_text));
    check_text(mu_slice_text(f->issuer_text));
    check_text(mu_slice_text(f->display));
    mu_assert(f->name_count <= MU_LIMIT_CERT_NAMES);
    for (size_t i = 0; i < f->name_count; i++) {
        check_inside(f->names[i].bytes, f->der);
        switch (f->names[i].type) {
        case MU_GNAME_DNS:
        case MU_GNAME_EMAIL:
        case MU_GNAME_URI:
            check_text(f->names[i].bytes);
            break;
        case MU_GNAME_IP:
            mu_assert(f->names[i].bytes.len == 4 || f->names[i].bytes.len == 16);
            break;
        case MU_GNAME_DIRNAME:
            mu_assert(mu_name_equal(f->names[i].bytes, f->names[i].bytes));
            break;
        case MU_GNAME_OTHER:
            break;
        }
    }
    mu_assert(mu_name_equal(f->subject, f->subject) && mu_name_equal(f->issuer, f->issuer));
    mu_assert(f->self_issued == mu_name_equal(f->subject, f->issuer));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    struct mutual_error err = {0};
    if (!mu_cert_from_der(mu_slice_of(data, size), &cert, &err)) {
        mu_assert(err.code != MUTUAL_OK && err.reason[0] != '\0');
        return 0;
    }
    check_facts(mu_cert_facts(cert));
    (void)mu_cert_x509(cert);
    (void)mu_cert_signed_by(cert, cert, &err);
    return 0;
}
