/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificate requests (RFC 2986): read, with their signature checked, and made.
 */
#include "x509/build_internal.h"
#include "x509/ossl_internal.h"

#include <string.h>

#define OID_EXTENSION_REQUEST MU_SLICE_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e")
#define CSR_ARENA_MAX         (24u * MU_LIMIT_CERT_BYTES)

struct mu_csr {
    struct mu_csr_facts facts;
    struct mu_arena *arena;
};

static bool malformed(struct mutual_error *err, const char *what)
{
    return mu_fail(err, MUTUAL_E_CSR_MALFORMED, "the %s of the request is not well-formed", what);
}

/* What the readers shared with certificates call a certificate's fault is the request's here. */
static bool as_request(const struct mutual_error *own, struct mutual_error *err)
{
    if (own->code == MUTUAL_E_CERT_MALFORMED) {
        return mu_fail(err, MUTUAL_E_CSR_MALFORMED, "the request is not well-formed: %.160s",
                       own->reason);
    }
    if (err != NULL) {
        *err = *own;
    }
    return false;
}

/* What a leaf may carry, and what its issuer adds anyhow. */
static bool is_known(struct mu_slice oid)
{
    const struct mu_slice known[] = {
        MU_SLICE_LIT("\x55\x1d\x0f"),                     /* keyUsage              */
        MU_SLICE_LIT("\x55\x1d\x25"),                     /* extKeyUsage           */
        MU_SLICE_LIT("\x55\x1d\x0e"),                     /* subjectKeyIdentifier  */
        MU_SLICE_LIT("\x2b\x06\x01\x05\x05\x07\x01\x18"), /* TLS feature (RFC 7633) */
    };
    for (size_t i = 0; i < MU_COUNT(known); i++) {
        if (mu_slice_equal(oid, known[i])) {
            return true;
        }
    }
    return false;
}

static bool note_critical(struct mu_csr *csr, struct mu_slice oid, struct mutual_error *err)
{
    struct text_list list = {0};
    if (csr->facts.unknown_critical != NULL) {
        return true;
    }
    if (!mu_text_list_add_oid(csr->arena, &list, oid)) {
        return mu_fail_memory(err);
    }
    csr->facts.unknown_critical = list.items[0];
    return true;
}

static bool read_extension(struct mu_csr *csr, const struct raw_extension *ext,
                           struct mutual_error *err)
{
    struct mutual_error own = {0};
    bool strict;
    int path_length;
    bool ca;
    if (mu_slice_equal(ext->oid, OID_SAN)) {
        if (!mu_gnames_read(csr->arena, ext->value, "subject alternative name", &csr->facts.names,
                            &csr->facts.name_count, &own)) {
            return as_request(&own, err);
        }
        return csr->facts.name_count > 0 || malformed(err, "list of names, which is empty,");
    }
    if (mu_slice_equal(ext->oid, OID_BC)) {
        if (!mu_basic_constraints_read(ext->value, &ca, &path_length, &strict)) {
            return malformed(err, "basic constraints");
        }
        csr->facts.wants_ca = ca;
        return true;
    }
    return !ext->critical || is_known(ext->oid) || note_critical(csr, ext->oid, err);
}

static bool read_extensions(struct mu_csr *csr, struct mu_slice list, struct mutual_error *err)
{
    struct mu_slice body;
    struct mu_slice seen[MU_LIMIT_CERT_EXTENSIONS];
    if (!mu_der_only(list, DER_SEQUENCE, &body)) {
        return malformed(err, "extension list");
    }
    for (size_t count = 0; body.len > 0; count++) {
        struct raw_extension ext;
        bool strict;
        if (count == MU_LIMIT_CERT_EXTENSIONS || !mu_extension_next(&body, &ext, &strict)) {
            return malformed(err, "extension list");
        }
        for (size_t i = 0; i < count; i++) {
            if (mu_slice_equal(seen[i], ext.oid)) { /* RFC 5280 section 4.2 */
                return malformed(err, "extension list, which names one twice,");
            }
        }
        seen[count] = ext.oid;
        if (!read_extension(csr, &ext, err)) {
            return false;
        }
    }
    return true;
}

static bool read_attributes(struct mu_csr *csr, struct mu_slice attributes,
                            struct mutual_error *err)
{
    bool requested = false;
    while (attributes.len > 0) {
        struct mu_slice attribute;
        struct mu_slice oid;
        struct mu_slice values;
        struct der_item list;
        if (!mu_der_body(&attributes, DER_SEQUENCE, &attribute) ||
            !mu_der_body(&attribute, DER_OID, &oid) || !mu_der_body(&attribute, DER_SET, &values) ||
            attribute.len != 0) {
            return malformed(err, "attribute list");
        }
        if (!mu_slice_equal(oid, OID_EXTENSION_REQUEST)) {
            continue;
        }
        /* One attribute with one value (RFC 2985 section 5.4.2); of two, a reader might take the
         * other. */
        if (requested || !mu_der_take(&values, DER_SEQUENCE, &list) || values.len != 0) {
            return malformed(err, "extension request");
        }
        requested = true;
        if (!read_extensions(csr, list.whole, err)) {
            return false;
        }
    }
    return true;
}

static bool read_subject(struct mu_csr *csr, struct mutual_error *err)
{
    struct subject_facts own;
    struct mutual_error why = {0};
    if (!mu_subject_read(csr->arena, csr->facts.subject, &own, &why)) {
        return as_request(&why, err);
    }
    csr->facts.common_names = own.common_names;
    csr->facts.common_name_count = own.common_name_count;
    csr->facts.subject_text = mu_arena_name_text(csr->arena, csr->facts.subject);
    return csr->facts.subject_text != NULL || mu_fail_memory(err);
}

/* Proof of possession: the request is signed by the key it is for. */
static bool check_signature(const struct mu_csr *csr, const struct signed_parts *parts,
                            struct mutual_error *err)
{
    struct mu_signed object = {
        .tbs = parts->tbs.whole,
        .signature = parts->signature,
        .wrong = MUTUAL_E_CSR_SIGNATURE,
        .what = "request",
        .name = csr->facts.display,
    };
    bool params_ok;
    if (!mu_sig_read(parts->algorithm, &object.sig, &params_ok)) {
        return malformed(err, "signature algorithm");
    }
    if (csr->facts.key.bits > MU_LIMIT_RSA_BITS) {
        return mu_fail(err, MUTUAL_E_KEY_UNSUPPORTED, "the key of request \"%s\" has %u bits",
                       csr->facts.display, csr->facts.key.bits);
    }
    struct mutual_error why = {0};
    MU_AUTO(pkey) EVP_PKEY *key = mu_spki_load(csr->facts.spki, &csr->facts.key, &why);
    if (key == NULL && why.code == MUTUAL_E_KEY_MALFORMED) {
        return malformed(err, "public key");
    }
    if (key == NULL) {
        return as_request(&why, err);
    }
    return mu_signed_check(&object, key, &csr->facts.key, err);
}

static bool read_csr(struct mu_csr *csr, struct mutual_error *err)
{
    struct mu_csr_facts *facts = &csr->facts;
    struct signed_parts parts;
    if (!mu_signed_split(facts->der, &parts)) {
        return mu_fail(err, MUTUAL_E_CSR_MALFORMED,
                       "what was given is not one whole certificate request in DER");
    }
    struct mu_slice info = parts.tbs.body;
    struct mu_slice number;
    struct mu_slice attributes;
    struct der_item subject;
    struct der_item spki;
    uint32_t version;
    if (!mu_der_body(&info, DER_INTEGER, &number) || !mu_der_small(number, 2, &version) ||
        version != 0 || !mu_der_take(&info, DER_SEQUENCE, &subject) ||
        !mu_der_take(&info, DER_SEQUENCE, &spki) ||
        !mu_der_optional(&info, DER_CONSTRUCTED(0), &attributes) || info.len != 0) {
        return malformed(err, "body");
    }
    facts->subject = subject.whole;
    facts->spki = spki.whole;
    if (!mu_spki_info(spki.whole, &facts->key)) {
        return malformed(err, "public key");
    }
    if (!read_subject(csr, err) || !read_attributes(csr, attributes, err)) {
        return false;
    }
    facts->display = mu_arena_display(csr->arena, facts->common_names, facts->common_name_count,
                                      facts->names, facts->name_count, facts->subject_text);
    if (facts->display == NULL) {
        return mu_fail_memory(err);
    }
    return check_signature(csr, &parts, err);
}

bool mu_csr_from_der(struct mu_slice der, struct mu_csr **ret_csr, struct mutual_error *err)
{
    mu_ossl_clear();
    if (der.len > MU_LIMIT_CERT_BYTES) {
        return mu_fail(err, MUTUAL_E_CSR_MALFORMED, "a request of %zu bytes is larger than %u",
                       der.len, MU_LIMIT_CERT_BYTES);
    }
    struct mu_arena *arena = mu_arena_new(CSR_ARENA_MAX);
    struct mu_csr *csr = arena == NULL ? NULL : mu_arena_alloc(arena, sizeof *csr);
    const char *copy = csr == NULL ? NULL : mu_arena_strndup(arena, der.data, der.len);
    if (copy == NULL) {
        mu_arena_free(arena);
        return mu_fail_memory(err);
    }
    csr->arena = arena;
    csr->facts.der = mu_slice_of(copy, der.len);
    if (!read_csr(csr, err)) {
        mu_arena_free(arena);
        return false;
    }
    *ret_csr = csr;
    return true;
}

bool mu_csr_from_pem(struct mu_slice text, const char *what, struct mu_csr **ret_csr,
                     struct mutual_error *err)
{
    struct mu_pem_reader reader;
    struct mu_pem_block block;
    bool end;
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, 2u * MU_LIMIT_CERT_BYTES);
    mu_pem_open(&reader, text, what);
    do {
        if (!mu_pem_next(&reader, &block, &end, err)) {
            return false;
        }
        if (end) {
            return mu_fail(err, MUTUAL_E_PEM_MALFORMED,
                           "\"%s\" holds no certificate request in PEM", what);
        }
    } while (!mu_slice_equal_text(block.label, "CERTIFICATE REQUEST") &&
             !mu_slice_equal_text(block.label, "NEW CERTIFICATE REQUEST"));
    return mu_pem_decode(&reader, &block, &der, err) &&
           (mu_csr_from_der(mu_buf_slice(&der), ret_csr, err) ||
            mu_error_context(err, "block %u of \"%s\", line %u", reader.block, what, block.line));
}

void mu_csr_free(struct mu_csr *csr)
{
    if (csr != NULL) {
        mu_arena_free(csr->arena); /* the request itself lies in it */
    }
}

void mu_csr_auto(struct mu_csr **csr)
{
    mu_csr_free(*csr);
}

const struct mu_csr_facts *mu_csr_facts(const struct mu_csr *csr)
{
    return &csr->facts;
}

/* ---- making ---------------------------------------------------------------------------------- */

static bool put_extension_request(struct mu_buf *out, const struct mu_gname *names, size_t count,
                                  bool no_subject, struct mutual_error *err)
{
    size_t attribute = mu_der_begin(out, DER_SEQUENCE);
    mu_der_put_oid(out, OID_EXTENSION_REQUEST);
    size_t values = mu_der_begin(out, DER_SET);
    size_t list = mu_der_begin(out, DER_SEQUENCE);
    if (!mu_ext_names(out, names, count, no_subject, err)) {
        return false;
    }
    mu_der_end(out, list);
    mu_der_end(out, values);
    mu_der_end(out, attribute);
    return true;
}

static bool build(const struct mu_key *key, struct mu_slice subject, bool no_subject,
                  const struct mu_gname *names, size_t name_count, struct mu_buf *out,
                  struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf info;
    mu_buf_init(&info, 2u * MU_LIMIT_CERT_BYTES);
    struct mu_slice spki = mu_key_spki(key);
    size_t body = mu_der_begin(&info, DER_SEQUENCE);
    mu_der_put_uint(&info, DER_INTEGER, 0);
    mu_buf_append(&info, subject.data, subject.len);
    mu_buf_append(&info, spki.data, spki.len);
    size_t attributes = mu_der_begin(&info, DER_CONSTRUCTED(0));
    if (name_count > 0 && !put_extension_request(&info, names, name_count, no_subject, err)) {
        return false;
    }
    mu_der_end(&info, attributes);
    mu_der_end(&info, body);
    if (info.failed) {
        return mu_fail(err, MUTUAL_E_LIMIT, "a request would be larger than it may be");
    }
    return mu_sign_whole(mu_buf_slice(&info), key, out, err);
}

bool mu_csr_build(const struct mu_key *key, const struct mu_rdn *subject, size_t subject_count,
                  const struct mu_gname *names, size_t name_count, struct mu_buf *out,
                  struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf name;
    mu_buf_init(&name, MU_LIMIT_CERT_BYTES);
    return mu_name_build(subject, subject_count, &name, err) &&
           build(key, mu_buf_slice(&name), subject_count == 0, names, name_count, out, err);
}

bool mu_csr_build_again(const struct mu_key *key, const struct mu_cert *cert, struct mu_buf *out,
                        struct mutual_error *err)
{
    const struct mu_cert_facts *facts = mu_cert_facts(cert);
    bool no_subject = facts->subject.len <= 2; /* an empty SEQUENCE */
    return build(key, facts->subject, no_subject, facts->names, facts->name_count, out, err);
}
