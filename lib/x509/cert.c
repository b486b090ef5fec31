/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates (RFC 5280 section 4.1): read once from DER into facts that live in one arena;
 * OpenSSL's own objects are made only when somebody needs them.
 */
#include "x509/cert_internal.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

/* The certificate's bytes, its texts (a hostile byte shows as three) and its lists. */
#define CERT_ARENA_MAX (24u * MU_LIMIT_CERT_BYTES)
#define DISPLAY_MAX    64u

const char *mu_cert_flaw_text(uint64_t flaws)
{
    static const char *const texts[] = {
#define X(name_, text_) text_,
#include "x509/flaw.def"
#undef X
    };
    _Static_assert(MU_COUNT(texts) <= 64, "flaws are bits of a 64-bit integer");
    for (size_t i = 0; i < MU_COUNT(texts); i++) {
        if ((flaws >> i & 1) != 0) {
            return texts[i];
        }
    }
    return NULL;
}

/* ---- subjects ----------------------------------------------------------------------------------
 */

/* Appends the attribute's text to the list when it is of that type. */
static bool collect(struct mu_arena *arena, const struct name_attr *attr, struct mu_slice oid,
                    const char *word, struct mu_slice *list, size_t *count,
                    struct mutual_error *err)
{
    if (!mu_slice_equal(attr->oid, oid)) {
        return true;
    }
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 4u * MU_LIMIT_CERT_BYTES);
    bool string;
    if (!mu_name_utf8(&attr->value, &text, &string) || !string) {
        return mu_fail(err, MUTUAL_E_CERT_MALFORMED, "the %s of its subject is not well-formed",
                       word);
    }
    if (!mu_text_clean(mu_buf_slice(&text))) {
        return mu_fail(err, MUTUAL_E_NAME_MALFORMED,
                       "the %s of its subject holds NUL or control bytes", word);
    }
    const char *copy = mu_arena_strndup(arena, text.data, text.len);
    if (copy == NULL) {
        return mu_fail_memory(err);
    }
    list[(*count)++] = mu_slice_of(copy, text.len);
    return true;
}

bool mu_subject_read(struct mu_arena *arena, struct mu_slice name, struct subject_facts *ret_facts,
                     struct mutual_error *err)
{
    struct mu_slice rdns;
    struct mu_slice set = {0};
    struct name_attr attr;
    bool end = false;
    size_t common_names = 0;
    size_t emails = 0;
    *ret_facts = (struct subject_facts){0};
    if (!mu_der_only(name, DER_SEQUENCE, &rdns)) {
        return mu_fail(err, MUTUAL_E_CERT_MALFORMED, "its subject is not well-formed");
    }
    for (struct mu_slice rest = rdns; mu_name_walk(&rest, &set, &attr, &end) && !end;) {
        common_names += mu_slice_equal(attr.oid, OID_CN);
        emails += mu_slice_equal(attr.oid, OID_EMAIL_ADDRESS);
    }
    if (!end) {
        return mu_fail(err, MUTUAL_E_CERT_MALFORMED, "its subject is not well-formed");
    }
    if (common_names + emails > MU_LIMIT_CERT_NAMES) {
        return mu_fail(err, MUTUAL_E_CERT_MALFORMED, "its subject has %zu names, more than %u",
                       common_names + emails, MU_LIMIT_CERT_NAMES);
    }
    if (common_names + emails == 0) {
        return true;
    }
    struct mu_slice *list = mu_arena_alloc(arena, (common_names + emails) * sizeof *list);
    if (list == NULL) {
        return mu_fail_memory(err);
    }
    *ret_facts = (struct subject_facts){.common_names = list, .emails = list + common_names};
    set = (struct mu_slice){0};
    while (mu_name_walk(&rdns, &set, &attr, &end) && !end) {
        if (!collect(arena, &attr, OID_CN, "common name", list, &ret_facts->common_name_count,
                     err) ||
            !collect(arena, &attr, OID_EMAIL_ADDRESS, "e-mail address", list + common_names,
                     &ret_facts->email_count, err)) {
            return false;
        }
    }
    return true;
}

const char *mu_arena_name_text(struct mu_arena *arena, struct mu_slice name)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 8u * MU_LIMIT_CERT_BYTES);
    mu_buf_reserve(&text, 200);
    mu_name_text(&text, name);
    return mu_arena_strndup(arena, text.data, text.len);
}

const char *mu_arena_display(struct mu_arena *arena, const struct mu_slice *common_names,
                             size_t common_name_count, const struct mu_gname *names,
                             size_t name_count, const char *subject_text)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 8u * MU_LIMIT_CERT_BYTES);
    if (common_name_count > 0) {
        mu_escape(&text, common_names[0]);
    } else if (name_count > 0) {
        mu_gname_text(&text, &names[0]);
    } else {
        mu_buf_text(&text, *subject_text != '\0' ? subject_text : "(no name)");
    }
    if (text.len > DISPLAY_MAX) {
        text.len = DISPLAY_MAX - 3;
        mu_buf_text(&text, "...");
    }
    return mu_arena_strndup(arena, text.data, text.len);
}

/* ---- the TBSCertificate
 * -------------------------------------------------------------------------- */

static bool malformed(struct cert_reader *reader, const char *what)
{
    return mu_fail(reader->err, MUTUAL_E_CERT_MALFORMED, "its %s is not well-formed", what);
}

static bool read_version(struct cert_reader *reader, struct mu_slice *tbs)
{
    struct mu_slice explicit_body;
    struct mu_slice number;
    uint32_t version = 0;
    if (!mu_der_optional(tbs, DER_CONSTRUCTED(0), &explicit_body) ||
        (explicit_body.data != NULL && (!mu_der_only(explicit_body, DER_INTEGER, &number) ||
                                        !mu_der_small(number, 3, &version)))) {
        return malformed(reader, "version");
    }
    if (version > 2) {
        return mu_fail(reader->err, MUTUAL_E_CERT_MALFORMED, "its version is not 1, 2 or 3");
    }
    reader->facts->version = version + 1;
    bool default_written = explicit_body.data != NULL && version == 0;
    reader->facts->flaws |= default_written ? MU_FLAW(NOT_DER) : 0;
    return true;
}

static bool read_serial(struct cert_reader *reader, struct mu_slice *tbs)
{
    struct mu_cert_facts *facts = reader->facts;
    struct mu_slice body;
    if (!mu_der_body(tbs, DER_INTEGER, &body) || !mu_der_integer_ok(body)) {
        return malformed(reader, "serial number");
    }
    facts->flaws |= body.len > 20 ? MU_FLAW(SERIAL_LONG) : 0;
    if (!mu_der_unsigned(body, &facts->serial)) {
        facts->serial = body;
        facts->flaws |= MU_FLAW(SERIAL_NEGATIVE);
    } else if (facts->serial.len == 0) {
        facts->flaws |= MU_FLAW(SERIAL_ZERO);
    }
    return true;
}

static bool read_validity(struct cert_reader *reader, struct mu_slice *tbs)
{
    struct mu_slice body;
    struct der_item from;
    struct der_item to;
    bool early_from;
    bool early_to;
    if (!mu_der_body(tbs, DER_SEQUENCE, &body) || !mu_der_next(&body, &from) ||
        !mu_der_next(&body, &to) || body.len != 0 ||
        !mu_der_time(&from, &reader->facts->not_before_s, &early_from) ||
        !mu_der_time(&to, &reader->facts->not_after_s, &early_to)) {
        return malformed(reader, "validity");
    }
    reader->facts->flaws |= early_from || early_to ? MU_FLAW(TIME_FORM) : 0;
    return true;
}

/* Folds the Name into the arena. */
static bool fold_name(struct cert_reader *reader, struct mu_slice name, struct mu_slice *ret_canon)
{
    MU_AUTO(buf) struct mu_buf canon;
    mu_buf_init(&canon, 8u * MU_LIMIT_CERT_BYTES);
    mu_buf_reserve(&canon, 200);
    if (!mu_name_canon(name, &canon)) {
        return false;
    }
    const char *copy = mu_arena_strndup(reader->arena, canon.data, canon.len);
    *ret_canon = mu_slice_of(copy, canon.len);
    return copy != NULL;
}

static bool read_names(struct cert_reader *reader, struct mu_slice issuer, struct mu_slice subject)
{
    struct mu_cert_facts *facts = reader->facts;
    facts->issuer = issuer;
    facts->subject = subject;
    if (!fold_name(reader, subject, &facts->subject_canon)) {
        return malformed(reader, "subject");
    }
    if (!fold_name(reader, issuer, &facts->issuer_canon)) {
        return malformed(reader, "issuer");
    }
    facts->self_issued = mu_slice_equal(facts->subject_canon, facts->issuer_canon);
    facts->subject_text = mu_arena_name_text(reader->arena, subject);
    facts->issuer_text = mu_arena_name_text(reader->arena, issuer);
    if (facts->subject_text == NULL || facts->issuer_text == NULL) {
        return mu_fail_memory(reader->err);
    }
    struct subject_facts own;
    if (!mu_subject_read(reader->arena, subject, &own, reader->err)) {
        return false;
    }
    facts->common_names = own.common_names;
    facts->common_name_count = own.common_name_count;
    facts->subject_emails = own.emails;
    facts->subject_email_count = own.email_count;
    return true;
}

/* issuerUniqueID [1], subjectUniqueID [2], extensions [3], in this order and nothing more. */
static bool read_tail(struct cert_reader *reader, struct mu_slice tbs)
{
    struct mu_cert_facts *facts = reader->facts;
    struct mu_slice issuer_id;
    struct mu_slice subject_id;
    struct mu_slice extensions;
    if (!mu_der_optional(&tbs, DER_CONTEXT(1), &issuer_id) ||
        !mu_der_optional(&tbs, DER_CONTEXT(2), &subject_id) ||
        !mu_der_optional(&tbs, DER_CONSTRUCTED(3), &extensions) || tbs.len != 0) {
        return malformed(reader, "end");
    }
    bool ids = issuer_id.data != NULL || subject_id.data != NULL;
    facts->flaws |= ids ? MU_FLAW(UNIQUE_ID) : 0;
    if (extensions.data != NULL && !mu_extensions_read(reader, extensions)) {
        return false;
    }
    mu_extensions_judge(facts, extensions.data != NULL);
    return true;
}

static bool read_tbs(struct cert_reader *reader, const struct signed_parts *parts)
{
    struct mu_cert_facts *facts = reader->facts;
    struct mu_slice tbs = parts->tbs.body;
    struct mu_slice algorithm;
    struct der_item issuer;
    struct der_item subject;
    struct der_item spki;
    bool params_ok;
    if (!read_version(reader, &tbs) || !read_serial(reader, &tbs)) {
        return false;
    }
    if (!mu_der_body(&tbs, DER_SEQUENCE, &algorithm) ||
        !mu_sig_read(parts->algorithm, &facts->sig, &params_ok)) {
        return malformed(reader, "signature algorithm");
    }
    /* RFC 5280 section 4.1.1.2: the two fields hold the same identifier. */
    bool same = mu_slice_equal(algorithm, parts->algorithm);
    facts->flaws |= same ? 0 : MU_FLAW(ALGORITHMS_DIFFER);
    facts->flaws |= params_ok ? 0 : MU_FLAW(ALGORITHM_PARAMETERS);
    if (!mu_der_take(&tbs, DER_SEQUENCE, &issuer)) {
        return malformed(reader, "issuer");
    }
    if (!read_validity(reader, &tbs)) {
        return false;
    }
    if (!mu_der_take(&tbs, DER_SEQUENCE, &subject)) {
        return malformed(reader, "subject");
    }
    if (!read_names(reader, issuer.whole, subject.whole)) {
        return false;
    }
    if (!mu_der_take(&tbs, DER_SEQUENCE, &spki) || !mu_spki_info(spki.whole, &facts->key)) {
        return malformed(reader, "public key");
    }
    facts->spki = spki.whole;
    return read_tail(reader, tbs);
}

static bool read_cert(struct cert_reader *reader, struct mu_slice der)
{
    struct mu_cert_facts *facts = reader->facts;
    struct signed_parts parts;
    facts->der = der;
    facts->path_length = -1;
    facts->require_explicit_policy = -1;
    if (!mu_signed_split(der, &parts)) {
        return mu_fail(reader->err, MUTUAL_E_CERT_MALFORMED,
                       "what was given is not one whole certificate in DER");
    }
    facts->tbs = parts.tbs.whole;
    facts->signature = parts.signature;
    if (!read_tbs(reader, &parts)) {
        return facts->subject_text == NULL
                   ? false
                   : mu_error_context(reader->err, "certificate \"%.100s\"", facts->subject_text);
    }
    facts->display = mu_arena_display(reader->arena, facts->common_names, facts->common_name_count,
                                      facts->names, facts->name_count, facts->subject_text);
    if (facts->display == NULL) {
        return mu_fail_memory(reader->err);
    }
    return mu_sha256(der, facts->fingerprint, reader->err) &&
           mu_sha256(facts->spki, facts->key_hash, reader->err);
}

/* ---- the object
 * ------------------------------------------------------------------------------------ */

bool mu_cert_from_der(struct mu_slice der, struct mu_cert **ret_cert, struct mutual_error *err)
{
    mu_ossl_clear();
    if (der.len > MU_LIMIT_CERT_BYTES) {
        return mu_fail(err, MUTUAL_E_CERT_MALFORMED, "a certificate of %zu bytes is larger than %u",
                       der.len, MU_LIMIT_CERT_BYTES);
    }
    struct mu_arena *arena = mu_arena_new(CERT_ARENA_MAX);
    struct mu_cert *cert = arena == NULL ? NULL : mu_arena_alloc(arena, sizeof *cert);
    const char *copy = cert == NULL ? NULL : mu_arena_strndup(arena, der.data, der.len);
    if (copy == NULL) {
        mu_arena_free(arena);
        return mu_fail_memory(err);
    }
    cert->arena = arena;
    atomic_init(&cert->refs, 1);
    atomic_init(&cert->x509, NULL);
    atomic_init(&cert->key, NULL);
    struct cert_reader reader = {&cert->facts, arena, err};
    if (!read_cert(&reader, mu_slice_of(copy, der.len))) {
        mu_cert_unref(cert);
        return false;
    }
    *ret_cert = cert;
    return true;
}

bool mu_cert_from_x509(struct x509_st *x509, struct mu_cert **ret_cert, struct mutual_error *err)
{
    mu_ossl_clear();
    unsigned char *der = NULL;
    int len = i2d_X509(x509, &der);
    if (len <= 0) {
        return mu_fail_ossl(err, MUTUAL_E_LIBRARY, "could not encode a certificate");
    }
    bool done = mu_cert_from_der(mu_slice_of(der, (size_t)len), ret_cert, err);
    OPENSSL_free(der);
    if (done && X509_up_ref(x509) == 1) {
        atomic_store(&(*ret_cert)->x509, x509);
    }
    return done;
}

/* Objects made on demand are no part of what a certificate says, so a const one may gain them. */
static struct mu_cert *unconst(const struct mu_cert *cert)
{
    union {
        const struct mu_cert *in;
        struct mu_cert *out;
    } same = {cert};
    return same.out;
}

struct x509_st *mu_cert_x509(const struct mu_cert *cert)
{
    struct mu_cert *own = unconst(cert);
    X509 *made = atomic_load(&own->x509);
    if (made != NULL) {
        return made;
    }
    mu_ossl_clear();
    const unsigned char *p = cert->facts.der.data;
    made = d2i_X509(NULL, &p, (long)cert->facts.der.len);
    mu_ossl_clear();
    X509 *other = NULL;
    if (made != NULL && !atomic_compare_exchange_strong(&own->x509, &other, made)) {
        X509_free(made);
        return other;
    }
    return made;
}

/* OpenSSL's object of the same bytes has decoded the key, if there is one. */
static EVP_PKEY *key_of_x509(const struct mu_cert *cert)
{
    X509 *x509 = atomic_load(&unconst(cert)->x509);
    EVP_PKEY *key = x509 == NULL ? NULL : X509_get0_pubkey(x509);
    mu_ossl_clear();
    return key != NULL && EVP_PKEY_up_ref(key) == 1 ? key : NULL;
}

struct evp_pkey_st *mu_cert_key(const struct mu_cert *cert, struct mutual_error *err)
{
    struct mu_cert *own = unconst(cert);
    EVP_PKEY *made = atomic_load(&own->key);
    if (made != NULL) {
        return made;
    }
    made = key_of_x509(cert);
    if (made == NULL) {
        made = mu_spki_load(cert->facts.spki, &cert->facts.key, err);
    }
    EVP_PKEY *other = NULL;
    if (made != NULL && !atomic_compare_exchange_strong(&own->key, &other, made)) {
        EVP_PKEY_free(made);
        return other;
    }
    return made;
}

struct mu_cert *mu_cert_ref(const struct mu_cert *cert)
{
    struct mu_cert *own = unconst(cert);
    if (own != NULL) {
        atomic_fetch_add_explicit(&own->refs, 1, memory_order_relaxed);
    }
    return own;
}

void mu_cert_unref(struct mu_cert *cert)
{
    if (cert == NULL || atomic_fetch_sub_explicit(&cert->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    X509_free(atomic_load(&cert->x509));
    EVP_PKEY_free(atomic_load(&cert->key));
    mu_arena_free(cert->arena); /* the certificate itself lies in it */
}

void mu_cert_auto(struct mu_cert **cert)
{
    mu_cert_unref(*cert);
}

const struct mu_cert_facts *mu_cert_facts(const struct mu_cert *cert)
{
    return &cert->facts;
}

void mu_cert_to_pem(const struct mu_cert *cert, struct mu_buf *out)
{
    mu_pem_write(out, "CERTIFICATE", cert->facts.der);
}

bool mu_cert_may_issue(const struct mu_cert *issuer, const struct mu_cert *cert)
{
    const struct mu_cert_facts *above = &issuer->facts;
    const struct mu_cert_facts *below = &cert->facts;
    if (!mu_slice_equal(above->subject_canon, below->issuer_canon)) {
        return false;
    }
    return above->skid.data == NULL || below->akid.data == NULL ||
           mu_slice_equal(above->skid, below->akid);
}
