/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists of certificates, and their reading from PEM.
 */
#include "x509/x509.h"

bool mu_certs_add(struct mu_certs *certs, const struct mu_cert *cert, struct mutual_error *err)
{
    if (certs->count >= MU_LIMIT_BUNDLE_CERTS) {
        return mu_fail(err, MUTUAL_E_LIMIT, "there are more than %u certificates",
                       MU_LIMIT_BUNDLE_CERTS);
    }
    void *items = certs->items;
    bool grown =
        mu_grow(&items, &certs->cap, certs->count, sizeof(struct mu_cert *), MU_LIMIT_BUNDLE_CERTS);
    certs->items = items;
    if (!grown) {
        return mu_fail_memory(err);
    }
    certs->items[certs->count++] = mu_cert_ref(cert);
    return true;
}

void mu_certs_done(struct mu_certs *certs)
{
    for (size_t i = 0; i < certs->count; i++) {
        mu_cert_unref(certs->items[i]);
    }
    mu_free(certs->items);
    *certs = (struct mu_certs){0};
}

void mu_certs_auto(struct mu_certs *certs)
{
    mu_certs_done(certs);
}

enum block_use { BLOCK_READ, BLOCK_PASS, BLOCK_REFUSE };

/* What else belongs into a file of certificates. "TRUSTED CERTIFICATE" does not: its trailing
 * trust settings, a habit of one tool, would silently be dropped. */
static enum block_use use_of(struct mu_slice label)
{
    static const struct {
        const char *label;
        enum block_use use;
    } uses[] = {
        {"CERTIFICATE", BLOCK_READ},    {"X509 CERTIFICATE", BLOCK_READ},
        {"PRIVATE KEY", BLOCK_PASS},    {"ENCRYPTED PRIVATE KEY", BLOCK_PASS},
        {"EC PRIVATE KEY", BLOCK_PASS}, {"RSA PRIVATE KEY", BLOCK_PASS},
        {"EC PARAMETERS", BLOCK_PASS},  {"DH PARAMETERS", BLOCK_PASS},
        {"X509 CRL", BLOCK_PASS},
    };
    for (size_t i = 0; i < MU_COUNT(uses); i++) {
        if (mu_slice_equal_text(label, uses[i].label)) {
            return uses[i].use;
        }
    }
    return BLOCK_REFUSE;
}

static bool read_block(const struct mu_pem_reader *reader, const struct mu_pem_block *block,
                       struct mu_certs *certs, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, block->body.len);
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    if (!mu_pem_decode(reader, block, &der, err)) {
        return false;
    }
    if (!mu_cert_from_der(mu_buf_slice(&der), &cert, err)) {
        return mu_error_context(err, "block %u of \"%s\", line %u", reader->block, reader->what,
                                block->line);
    }
    return mu_certs_add(certs, cert, err);
}

bool mu_certs_from_pem(struct mu_slice text, const char *what, struct mu_certs *certs,
                       struct mutual_error *err)
{
    struct mu_pem_reader reader;
    struct mu_pem_block block;
    size_t before = certs->count;
    mu_pem_open(&reader, text, what);
    for (;;) {
        bool end;
        if (!mu_pem_next(&reader, &block, &end, err)) {
            return false;
        }
        if (end) {
            break;
        }
        switch (use_of(block.label)) {
        case BLOCK_READ:
            if (!read_block(&reader, &block, certs, err)) {
                return false;
            }
            break;
        case BLOCK_REFUSE:
            return mu_fail(err, MUTUAL_E_PEM_MALFORMED,
                           "block %u of \"%s\", line %u, is a \"%.*s\", not a certificate",
                           reader.block, what, block.line, (int)block.label.len,
                           (const char *)block.label.data);
        case BLOCK_PASS:
            break;
        }
    }
    return certs->count > before ||
           mu_fail(err, MUTUAL_E_PEM_MALFORMED, "\"%s\" holds no certificate in PEM", what);
}
