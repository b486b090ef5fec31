/* SPDX-License-Identifier: Apache-2.0
 *
 * OCSP messages read (RFC 6960 sections 4.1.1 and 4.2.1), strictly and in place: no field is taken
 * on trust, none that we do not know is passed over silently.
 */
#include "x509/ocsp_internal.h"

#include <string.h>

#define OCSP_ARENA_MAX (256u << 10)

struct mu_ocsp {
    struct mu_arena *arena;
    struct mu_ocsp_facts facts;
};
struct mu_ocsp_request {
    struct mu_arena *arena;
    struct mu_ocsp_request_facts facts;
};

/* What both readers carry along. */
struct ocsp_reader {
    struct mu_arena *arena;
    struct text_list unknown;
    struct mu_slice nonce;
    struct mutual_error *err;
};

static bool malformed(const struct ocsp_reader *reader, const char *what)
{
    return mu_fail(reader->err, MUTUAL_E_OCSP_MALFORMED,
                   "the %s of the OCSP message is not well-formed", what);
}

/* ---- parts of both --------------------------------------------------------------------------- */

static bool read_id(struct mu_slice body, struct mu_ocsp_id *ret_id)
{
    struct mu_slice algorithm;
    struct mu_slice oid;
    struct mu_slice serial;
    struct mu_slice params;
    if (!mu_der_body(&body, DER_SEQUENCE, &algorithm) || !mu_der_body(&algorithm, DER_OID, &oid) ||
        !mu_der_optional(&algorithm, DER_NULL, &params) || algorithm.len != 0 ||
        !mu_der_body(&body, DER_OCTET_STRING, &ret_id->name_hash) ||
        !mu_der_body(&body, DER_OCTET_STRING, &ret_id->key_hash) ||
        !mu_der_body(&body, DER_INTEGER, &serial) || !mu_der_unsigned(serial, &ret_id->serial)) {
        return false;
    }
    ret_id->hash = mu_slice_equal(oid, OID_SHA1)     ? MU_OCSP_SHA1
                   : mu_slice_equal(oid, OID_SHA256) ? MU_OCSP_SHA256
                                                     : MU_OCSP_HASH_OTHER;
    return body.len == 0;
}

/* [0] EXPLICIT INTEGER DEFAULT v1, which is 0. */
static bool read_version(struct mu_slice *in)
{
    struct mu_slice body;
    struct mu_slice number;
    uint32_t version = 0;
    return mu_der_optional(in, DER_CONSTRUCTED(0), &body) &&
           (body.data == NULL || (mu_der_only(body, DER_INTEGER, &number) &&
                                  mu_der_small(number, 1, &version) && version == 0));
}

static bool read_generalized(struct mu_slice *in, int64_t *ret_s)
{
    struct der_item when;
    bool early;
    return mu_der_next(in, &when) && when.tag == DER_GENERALIZED_TIME &&
           mu_der_time(&when, ret_s, &early);
}

static bool read_nonce(struct ocsp_reader *reader, struct mu_slice value)
{
    return (reader->nonce.data == NULL && mu_der_only(value, DER_OCTET_STRING, &reader->nonce) &&
            reader->nonce.len > 0 && reader->nonce.len <= MU_LIMIT_OCSP_NONCE) ||
           malformed(reader, "nonce");
}

/* The contents of an EXPLICIT tag around Extensions; the nonce is the only one that we know. */
static bool read_extensions(struct ocsp_reader *reader, struct mu_slice explicit_body, bool whole)
{
    struct mu_slice body;
    if (!mu_der_only(explicit_body, DER_SEQUENCE, &body)) {
        return malformed(reader, "extension list");
    }
    for (size_t count = 0; body.len > 0; count++) {
        struct raw_extension ext;
        bool strict;
        if (count == MU_LIMIT_CERT_EXTENSIONS || !mu_extension_next(&body, &ext, &strict)) {
            return malformed(reader, "extension list");
        }
        if (whole && mu_slice_equal(ext.oid, OID_OCSP_NONCE)) {
            if (!read_nonce(reader, ext.value)) {
                return false;
            }
        } else if (ext.critical && reader->unknown.count < 8 && /* enough to refuse it */
                   !mu_text_list_add_oid(reader->arena, &reader->unknown, ext.oid)) {
            return mu_fail_memory(reader->err);
        }
    }
    return true;
}

/* How many SEQUENCEs there are, one to MU_LIMIT_OCSP_ANSWERS. */
static bool count_items(struct mu_slice list, size_t *ret_count)
{
    struct mu_slice body;
    size_t count = 0;
    for (; list.len > 0 && count <= MU_LIMIT_OCSP_ANSWERS; count++) {
        if (!mu_der_body(&list, DER_SEQUENCE, &body)) {
            return false;
        }
    }
    *ret_count = count;
    return count > 0 && count <= MU_LIMIT_OCSP_ANSWERS;
}

/* The message as a copy in an arena of its own. */
static bool open_message(struct mu_slice *der, struct mu_arena **ret_arena,
                         struct mutual_error *err)
{
    if (der->len > MU_LIMIT_OCSP_BYTES) {
        return mu_fail(err, MUTUAL_E_OCSP_MALFORMED,
                       "an OCSP message of %zu bytes is larger than %u", der->len,
                       MU_LIMIT_OCSP_BYTES);
    }
    struct mu_arena *arena = mu_arena_new(OCSP_ARENA_MAX);
    const char *copy = arena == NULL ? NULL : mu_arena_strndup(arena, der->data, der->len);
    if (copy == NULL) {
        mu_arena_free(arena);
        return mu_fail_memory(err);
    }
    *der = mu_slice_of(copy, der->len);
    *ret_arena = arena;
    return true;
}

/* ---- answers --------------------------------------------------------------------------------- */

static bool read_revoked(struct mu_slice body, struct mu_ocsp_answer *answer)
{
    struct mu_slice reason;
    struct mu_slice code;
    if (!read_generalized(&body, &answer->revoked_at_s) ||
        !mu_der_optional(&body, DER_CONSTRUCTED(0), &reason) || body.len != 0) {
        return false;
    }
    answer->status = MU_OCSP_REVOKED;
    if (reason.data == NULL) {
        return true;
    }
    if (!mu_der_only(reason, DER_ENUMERATED, &code) || code.len != 1 ||
        code.data[0] > MU_REASON_AA_COMPROMISE || code.data[0] == 7) {
        return false;
    }
    answer->reason = (enum mu_reason)code.data[0];
    return true;
}

/* CertStatus: good [0] and unknown [2] are NULL, revoked [1] a RevokedInfo. */
static bool read_status(struct mu_slice *in, struct mu_ocsp_answer *answer)
{
    struct der_item item;
    if (!mu_der_next(in, &item)) {
        return false;
    }
    switch (item.tag) {
    case DER_CONTEXT(0):
        answer->status = MU_OCSP_GOOD;
        return item.body.len == 0;
    case DER_CONTEXT(2):
        answer->status = MU_OCSP_UNKNOWN;
        return item.body.len == 0;
    case DER_CONSTRUCTED(1):
        return read_revoked(item.body, answer);
    default:
        return false;
    }
}

static bool read_answer(struct ocsp_reader *reader, struct mu_slice body,
                        struct mu_ocsp_answer *answer)
{
    struct mu_slice id;
    struct mu_slice next;
    struct mu_slice extensions;
    answer->next_update_s = MU_TIME_NEVER_S;
    if (!mu_der_body(&body, DER_SEQUENCE, &id) || !read_id(id, &answer->id) ||
        !read_status(&body, answer) || !read_generalized(&body, &answer->this_update_s) ||
        !mu_der_optional(&body, DER_CONSTRUCTED(0), &next) ||
        (next.data != NULL &&
         (!read_generalized(&next, &answer->next_update_s) || next.len != 0)) ||
        !mu_der_optional(&body, DER_CONSTRUCTED(1), &extensions) || body.len != 0) {
        return malformed(reader, "answer");
    }
    return extensions.data == NULL || read_extensions(reader, extensions, false);
}

static bool read_answers(struct ocsp_reader *reader, struct mu_slice list,
                         struct mu_ocsp_facts *facts)
{
    if (!count_items(list, &facts->count)) {
        return malformed(reader, "list of answers");
    }
    struct mu_ocsp_answer *answers = mu_arena_alloc(reader->arena, facts->count * sizeof *answers);
    if (answers == NULL) {
        return mu_fail_memory(reader->err);
    }
    for (size_t i = 0; i < facts->count; i++) {
        struct mu_slice body;
        if (!mu_der_body(&list, DER_SEQUENCE, &body) || !read_answer(reader, body, &answers[i])) {
            return false;
        }
    }
    facts->answers = answers;
    return true;
}

/* ---- the response ---------------------------------------------------------------------------- */

/* ResponderID: byName [1] Name, byKey [2] OCTET STRING, both EXPLICIT. */
static bool read_responder(struct ocsp_reader *reader, struct mu_slice *in,
                           struct mu_ocsp_facts *facts)
{
    struct mu_slice name;
    struct mu_slice key;
    struct mu_slice inner;
    struct der_item whole;
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 256);
    if (!mu_der_optional(in, DER_CONSTRUCTED(1), &name)) {
        return malformed(reader, "responder");
    }
    if (name.data != NULL) {
        inner = name;
        if (!mu_der_take(&inner, DER_SEQUENCE, &whole) || inner.len != 0) {
            return malformed(reader, "responder");
        }
        facts->by_name = name;
        facts->responder_text = mu_arena_name_text(reader->arena, name);
    } else {
        if (!mu_der_body(in, DER_CONSTRUCTED(2), &key) ||
            !mu_der_only(key, DER_OCTET_STRING, &facts->by_key) || facts->by_key.len > 64) {
            return malformed(reader, "responder");
        }
        mu_buf_text(&text, "key ");
        mu_hex(&text, facts->by_key);
        facts->responder_text = mu_arena_strndup(reader->arena, text.data, text.len);
    }
    return facts->responder_text != NULL || mu_fail_memory(reader->err);
}

static bool read_data(struct ocsp_reader *reader, struct mu_slice data, struct mu_ocsp_facts *facts)
{
    struct mu_slice answers;
    struct mu_slice extensions;
    if (!read_version(&data)) {
        return malformed(reader, "version");
    }
    if (!read_responder(reader, &data, facts)) {
        return false;
    }
    if (!read_generalized(&data, &facts->produced_at_s)) {
        return malformed(reader, "time");
    }
    if (!mu_der_body(&data, DER_SEQUENCE, &answers) ||
        !mu_der_optional(&data, DER_CONSTRUCTED(1), &extensions) || data.len != 0) {
        return malformed(reader, "body");
    }
    if (!read_answers(reader, answers, facts) ||
        (extensions.data != NULL && !read_extensions(reader, extensions, true))) {
        return false;
    }
    facts->nonce = reader->nonce;
    facts->unknown_critical = reader->unknown.items;
    return true;
}

/* A certificate that cannot be read is nobody's: it is left out, and so has signed nothing. */
static bool read_certs(struct ocsp_reader *reader, struct mu_slice explicit_body,
                       struct mu_ocsp_facts *facts)
{
    struct mu_slice list;
    struct der_item item;
    if (!mu_der_only(explicit_body, DER_SEQUENCE, &list)) {
        return malformed(reader, "list of certificates");
    }
    for (size_t count = 0; list.len > 0; count++) {
        MU_AUTO(cert) struct mu_cert *cert = NULL;
        if (count == MU_LIMIT_OCSP_CERTS || !mu_der_take(&list, DER_SEQUENCE, &item)) {
            return malformed(reader, "list of certificates");
        }
        if (mu_cert_from_der(item.whole, &cert, NULL) &&
            !mu_certs_add(&facts->certs, cert, reader->err)) {
            return false;
        }
    }
    return true;
}

/* BasicOCSPResponse: as any signed object, but with certificates behind the signature. */
static bool read_basic(struct ocsp_reader *reader, struct mu_slice der, struct mu_ocsp_facts *facts)
{
    struct mu_slice body;
    struct der_item tbs;
    struct mu_slice algorithm;
    struct mu_slice bits;
    struct mu_slice certs;
    bool params_ok;
    if (!mu_der_only(der, DER_SEQUENCE, &body) || !mu_der_take(&body, DER_SEQUENCE, &tbs) ||
        !mu_der_body(&body, DER_SEQUENCE, &algorithm) ||
        !mu_sig_read(algorithm, &facts->sig, &params_ok) || !params_ok ||
        !mu_der_body(&body, DER_BIT_STRING, &bits) || !mu_der_octets(bits, &facts->signature) ||
        !mu_der_optional(&body, DER_CONSTRUCTED(0), &certs) || body.len != 0) {
        return malformed(reader, "basic response");
    }
    facts->tbs = tbs.whole;
    return read_data(reader, tbs.body, facts) &&
           (certs.data == NULL || read_certs(reader, certs, facts));
}

static const char *const failures[] = {
    [MU_OCSP_MALFORMED_REQUEST] = "malformedRequest",
    [MU_OCSP_INTERNAL_ERROR] = "internalError",
    [MU_OCSP_TRY_LATER] = "tryLater",
    [MU_OCSP_SIG_REQUIRED] = "sigRequired",
    [MU_OCSP_UNAUTHORIZED] = "unauthorized",
};

static bool read_response(struct ocsp_reader *reader, struct mu_slice der,
                          struct mu_ocsp_facts *facts)
{
    struct mu_slice body;
    struct mu_slice status;
    struct mu_slice bytes;
    struct mu_slice type;
    struct mu_slice basic;
    facts->der = der;
    if (!mu_der_only(der, DER_SEQUENCE, &body) || !mu_der_body(&body, DER_ENUMERATED, &status) ||
        status.len != 1 || !mu_der_optional(&body, DER_CONSTRUCTED(0), &bytes) || body.len != 0) {
        return malformed(reader, "outline");
    }
    if (status.data[0] != 0) {
        /* Section 4.2.1: "If the value of responseStatus is one of the error conditions, the
         * responseBytes field is not set." */
        if (bytes.data != NULL || status.data[0] >= MU_COUNT(failures) ||
            failures[status.data[0]] == NULL) {
            return malformed(reader, "status");
        }
        facts->failure = failures[status.data[0]];
        return true;
    }
    if (!mu_der_only(bytes, DER_SEQUENCE, &body) || !mu_der_body(&body, DER_OID, &type) ||
        !mu_slice_equal(type, OID_OCSP_BASIC) || !mu_der_body(&body, DER_OCTET_STRING, &basic) ||
        body.len != 0) {
        return malformed(reader, "response type");
    }
    return read_basic(reader, basic, facts);
}

bool mu_ocsp_from_der(struct mu_slice der, struct mu_ocsp **ret_ocsp, struct mutual_error *err)
{
    struct mu_arena *arena = NULL;
    if (!open_message(&der, &arena, err)) {
        return false;
    }
    struct mu_ocsp *made = mu_arena_alloc(arena, sizeof *made);
    if (made == NULL) {
        mu_arena_free(arena);
        return mu_fail_memory(err);
    }
    made->arena = arena;
    MU_AUTO(ocsp) struct mu_ocsp *ocsp = made;
    struct ocsp_reader reader = {.arena = arena, .err = err};
    if (!read_response(&reader, der, &ocsp->facts)) {
        return false;
    }
    *ret_ocsp = MU_TAKE(ocsp);
    return true;
}

void mu_ocsp_free(struct mu_ocsp *ocsp)
{
    if (ocsp != NULL) {
        mu_certs_done(&ocsp->facts.certs);
        mu_arena_free(ocsp->arena); /* holds `ocsp` too */
    }
}

void mu_ocsp_auto(struct mu_ocsp **ocsp)
{
    mu_ocsp_free(*ocsp);
}

const struct mu_ocsp_facts *mu_ocsp_facts(const struct mu_ocsp *ocsp)
{
    return &ocsp->facts;
}

/* ---- the request ----------------------------------------------------------------------------- */

static bool read_ids(struct ocsp_reader *reader, struct mu_slice list,
                     struct mu_ocsp_request_facts *facts)
{
    if (!count_items(list, &facts->count)) {
        return malformed(reader, "list of certificates");
    }
    struct mu_ocsp_id *ids = mu_arena_alloc(reader->arena, facts->count * sizeof *ids);
    if (ids == NULL) {
        return mu_fail_memory(reader->err);
    }
    for (size_t i = 0; i < facts->count; i++) {
        struct mu_slice body;
        struct mu_slice id;
        struct mu_slice extensions;
        if (!mu_der_body(&list, DER_SEQUENCE, &body) || !mu_der_body(&body, DER_SEQUENCE, &id) ||
            !read_id(id, &ids[i]) || !mu_der_optional(&body, DER_CONSTRUCTED(0), &extensions) ||
            body.len != 0) {
            return malformed(reader, "list of certificates");
        }
        if (extensions.data != NULL && !read_extensions(reader, extensions, false)) {
            return false;
        }
    }
    facts->ids = ids;
    return true;
}

static bool read_request(struct ocsp_reader *reader, struct mu_slice der,
                         struct mu_ocsp_request_facts *facts)
{
    struct mu_slice body;
    struct mu_slice tbs;
    struct mu_slice signature;
    struct mu_slice requestor;
    struct mu_slice list;
    struct mu_slice extensions;
    if (!mu_der_only(der, DER_SEQUENCE, &body) || !mu_der_body(&body, DER_SEQUENCE, &tbs) ||
        !mu_der_optional(&body, DER_CONSTRUCTED(0), &signature) || body.len != 0 ||
        !read_version(&tbs) || !mu_der_optional(&tbs, DER_CONSTRUCTED(1), &requestor) ||
        !mu_der_body(&tbs, DER_SEQUENCE, &list) ||
        !mu_der_optional(&tbs, DER_CONSTRUCTED(2), &extensions) || tbs.len != 0) {
        return malformed(reader, "outline");
    }
    if (!read_ids(reader, list, facts) ||
        (extensions.data != NULL && !read_extensions(reader, extensions, true))) {
        return false;
    }
    if (reader->unknown.count > 0) {
        return mu_fail(reader->err, MUTUAL_E_OCSP_MALFORMED,
                       "the OCSP request has a critical extension that is not understood: %s",
                       reader->unknown.items[0]);
    }
    facts->nonce = reader->nonce;
    facts->is_signed = signature.data != NULL;
    return true;
}

bool mu_ocsp_request_from_der(struct mu_slice der, struct mu_ocsp_request **ret_request,
                              struct mutual_error *err)
{
    struct mu_arena *arena = NULL;
    if (!open_message(&der, &arena, err)) {
        return false;
    }
    struct ocsp_reader reader = {.arena = arena, .err = err};
    struct mu_ocsp_request *request = mu_arena_alloc(arena, sizeof *request);
    if (request == NULL ? !mu_fail_memory(err) : !read_request(&reader, der, &request->facts)) {
        mu_arena_free(arena);
        return false;
    }
    request->arena = arena;
    *ret_request = request;
    return true;
}

void mu_ocsp_request_free(struct mu_ocsp_request *request)
{
    if (request != NULL) {
        mu_arena_free(request->arena);
    }
}

void mu_ocsp_request_auto(struct mu_ocsp_request **request)
{
    mu_ocsp_request_free(*request);
}

const struct mu_ocsp_request_facts *mu_ocsp_request_facts(const struct mu_ocsp_request *request)
{
    return &request->facts;
}
