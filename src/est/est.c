/* SPDX-License-Identifier: Apache-2.0
 *
 * The operations of EST.
 */
#include "est/est_internal.h"

#include <stdio.h>
#include <string.h>

enum { DER_MAX = 1 << 20, SECRET_MAX = 1024, LABEL_TEXT = 80 };
static const char certs_type[] = "application/pkcs7-mime; smime-type=certs-only";

/* One request of enrolment. */
struct call {
    struct api_world *world;
    const struct api_request *request;
    struct api_response *response;
    char label[LABEL_TEXT]; /* "": none */
    struct mu_csr *csr;
    struct ca_issued issued;
    enum ca_enrolled how;
    const char *by; /* what the caller showed */
    bool key_lent;  /* made here, for this answer */
};

/* ---- answers -----------------------------------------------------------------------------------
 */

static bool put_certs(const struct mu_certs *certs, struct mu_buf *out, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, DER_MAX);
    if (!mu_cms_write(certs, &der, err)) {
        return false;
    }
    mu_base64(out, mu_buf_slice(&der)); /* on one line: not every client reads over line ends */
    return true;
}

static bool put_cert(struct mu_cert *cert, struct mu_buf *out, struct mutual_error *err)
{
    MU_AUTO(certs) struct mu_certs certs = {0};
    return mu_certs_add(&certs, cert, err) && put_certs(&certs, out, err);
}

static void refuse(struct call *call, const struct mutual_error *why)
{
    if (why->code == MUTUAL_E_TOKEN_UNKNOWN || why->code == MUTUAL_E_TOKEN_MALFORMED) {
        api_field(call->response, "WWW-Authenticate", "Basic realm=\"enrolment token\"");
    }
    api_fail(call->world, call->request, call->response, why);
}

static void refuse_unknown_caller(struct call *call)
{
    struct mutual_error why = {0};
    (void)mu_fail(&why, MUTUAL_E_NO_CLIENT_CERT,
                  "the caller has shown neither a token nor a certificate");
    (void)mu_error_hint(&why, "Give the token as the password of HTTP Basic.");
    api_field(call->response, "WWW-Authenticate", "Basic realm=\"enrolment token\"");
    api_problem(call->response, 401, NULL, &why);
}

static void answer_waits(struct call *call)
{
    struct mutual_error why = {0};
    (void)mu_fail(&why, MUTUAL_E_ENROLL_WAITS, "the request waits for a person's approval");
    api_field(call->response, "Retry-After", "60");
    api_problem(call->response, 202, NULL, &why);
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static bool read_csr(struct call *call, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, MU_LIMIT_API_BODY);
    return est_body_decode(call->request->body, &der, err) &&
           mu_csr_from_der(mu_buf_slice(&der), &call->csr, err);
}

static struct ca_enrolment wish_of(const struct call *call)
{
    return (struct ca_enrolment){
        .csr = call->csr,
        .signer = call->world->signer,
        .profile = call->label[0] != '\0' ? call->label : NULL,
        .grace_s = call->world->settings != NULL ? call->world->settings->grace_s : 0,
        .key_lent = call->key_lent,
        .now_s = call->request->now_s,
    };
}

/* ---- enrolling ---------------------------------------------------------------------------------
 */

/* Whoever shows a token goes by it; who shows none and has a certificate of ours gets the next one
 * under the same names. Nobody else is told that there is anything. False: it is answered. */
static bool enroll(struct call *call)
{
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf token;
    mu_buf_init(&token, SECRET_MAX);
    const struct ca_enrolment wish = wish_of(call);
    bool good;
    call->how = CA_ENROLLED;
    if (api_basic(call->request->head, NULL, &token)) {
        call->by = "token";
        good = ca_enroll_by_token(call->world->ca, mu_buf_slice(&token), &wish, &call->how,
                                  &call->issued, &err);
        mu_wipe(token.data, token.len);
    } else if (call->request->caller->channel == API_MUTUAL) {
        call->by = "certificate";
        good = ca_enroll_again(call->world->ca, call->request->caller->leaf, &wish, &call->issued,
                               &err);
    } else {
        refuse_unknown_caller(call);
        return false;
    }
    if (!good) {
        refuse(call, &err);
        return false;
    }
    if (call->how == CA_ENROLL_WAITS) {
        answer_waits(call);
        return false;
    }
    return true;
}

static void answer_certificate(struct call *call)
{
    struct mutual_error err = {0};
    call->response->content_type = certs_type;
    if (!put_cert(call->issued.cert, &call->response->body, &err)) {
        refuse(call, &err);
    }
}

static void simple_enroll(struct call *call)
{
    struct mutual_error err = {0};
    if (!read_csr(call, &err)) {
        refuse(call, &err);
    } else if (enroll(call)) {
        answer_certificate(call);
    }
}

static void simple_reenroll(struct call *call)
{
    struct mutual_error err = {0};
    bool good = read_csr(call, &err);
    call->by = "certificate"; /* the one of the connection, or of the request */
    if (good) {
        const struct ca_enrolment wish = wish_of(call);
        good = call->request->caller->channel == API_MUTUAL
                   ? ca_enroll_again(call->world->ca, call->request->caller->leaf, &wish,
                                     &call->issued, &err)
                   : ca_enroll_late(call->world->ca, &wish, &call->issued, &err);
    }
    if (good) {
        answer_certificate(call);
    } else {
        refuse(call, &err);
    }
}

/* ---- keys made here ----------------------------------------------------------------------------
 */

/* The request again, by a key of ours: what it asks for stays what it was. */
static bool replace_key(struct call *call, struct mu_key *key, struct mutual_error *err)
{
    const struct mu_csr_facts *facts = mu_csr_facts(call->csr);
    MU_AUTO(buf) struct mu_buf der;
    MU_AUTO(free)
    char *cn = facts->common_name_count > 0 ? mu_slice_dup(facts->common_names[0]) : mu_strdup("");
    mu_buf_init(&der, MU_LIMIT_API_BODY);
    if (cn == NULL) {
        return mu_fail_memory(err);
    }
    const struct mu_rdn subject = {MU_ATTR_CN, cn};
    struct mu_csr *ours = NULL;
    if (!mu_csr_build(key, &subject, cn[0] != '\0' ? 1 : 0, facts->names, facts->name_count, &der,
                      err) ||
        !mu_csr_from_der(mu_buf_slice(&der), &ours, err)) {
        return false;
    }
    mu_csr_free(call->csr);
    call->csr = ours;
    call->key_lent = true;
    return true;
}

/* PKCS#8 in base64: what stands between the lines of PEM. */
static bool put_key(const struct mu_key *key, struct mu_buf *out, struct mutual_error *err)
{
    struct mu_pem_reader reader;
    struct mu_pem_block block;
    bool end = false;
    MU_AUTO(buf) struct mu_buf pem;
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init_secret(&pem, MU_LIMIT_KEY_BYTES);
    mu_buf_init_secret(&der, MU_LIMIT_KEY_BYTES);
    bool good = mu_key_to_pem(key, NULL, &pem, err);
    if (good) {
        mu_pem_open(&reader, mu_buf_slice(&pem), "the key");
        good = mu_pem_next(&reader, &block, &end, err) && !end &&
               mu_pem_decode(&reader, &block, &der, err);
    }
    if (good) {
        mu_base64(out, mu_buf_slice(&der));
    }
    return good;
}

/* RFC 7030 section 4.4.2: two parts, the key first. */
static bool put_parts(struct call *call, const struct mu_key *key, struct mutual_error *err)
{
    static const char between[] = "mutual-est-part";
    struct mu_buf *out = &call->response->body;
    call->response->content_type = "multipart/mixed; boundary=mutual-est-part";
    (void)mu_buf_printf(out,
                        "--%s\r\nContent-Type: application/pkcs8\r\n"
                        "Content-Transfer-Encoding: base64\r\n\r\n",
                        between);
    if (!put_key(key, out, err)) {
        return false;
    }
    (void)mu_buf_printf(out,
                        "\r\n--%s\r\nContent-Type: %s\r\nContent-Transfer-Encoding: base64\r\n\r\n",
                        between, certs_type);
    if (!put_cert(call->issued.cert, out, err)) {
        return false;
    }
    (void)mu_buf_printf(out, "\r\n--%s--\r\n", between);
    return true;
}

/* The key is made here, in the process that answers, is in no file and is wiped when it was sent.
 * Not in the key process: what that has never leaves it, and a way out for some keys would be one
 * for all. */
static void server_keygen(struct call *call)
{
    struct mutual_error err = {0};
    MU_AUTO(key) struct mu_key *key = NULL;
    if (call->world->settings == NULL || !call->world->settings->server_keygen) {
        (void)mu_fail(&err, MUTUAL_E_POLICY_DENIED, "this authority makes no keys for others");
        (void)mu_error_hint(&err, "Make the key where it is used, and send a request for it.");
        refuse(call, &err);
        return;
    }
    if (!read_csr(call, &err) || !mu_key_generate(MU_SPEC_EC_P256, &key, &err) ||
        !replace_key(call, key, &err)) {
        refuse(call, &err);
        return;
    }
    if (enroll(call) && !put_parts(call, key, &err)) {
        mu_buf_clear(&call->response->body);
        refuse(call, &err);
    }
}

/* ---- what everybody may ask --------------------------------------------------------------------
 */

static void ca_certs(struct call *call)
{
    struct mutual_error err = {0};
    MU_AUTO(certs) struct mu_certs certs = {0};
    struct ca *ca = call->world->ca;
    MU_AUTO(cert) struct mu_cert *issuer = mu_cert_ref(ca_issuer(ca));
    MU_AUTO(cert) struct mu_cert *root = mu_cert_ref(ca_root(ca));
    call->response->content_type = certs_type;
    if (!mu_certs_add(&certs, issuer, &err) || !mu_certs_add(&certs, root, &err) ||
        !put_certs(&certs, &call->response->body, &err)) {
        refuse(call, &err);
    }
}

/* What a request is best made of: an EC key on P-256, signed by ECDSA with SHA-256 (RFC 7030
 * section 4.5.2). Other keys that are strong enough are taken too. */
static void csr_attrs(struct call *call)
{
    static const uint8_t attributes[] = {0x30, 0x21, 0x30, 0x15, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                         0xce, 0x3d, 0x02, 0x01, 0x31, 0x0a, 0x06, 0x08, 0x2a,
                                         0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x06, 0x08,
                                         0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
    call->response->content_type = "application/csrattrs";
    mu_base64(&call->response->body, mu_slice_of(attributes, sizeof attributes));
}

/* ---- the path ----------------------------------------------------------------------------------
 */

static const struct {
    const char *name, *method;
    void (*run)(struct call *call);
    bool enrols;
} operations[] = {
    {"cacerts", "GET", ca_certs, false},
    {"csrattrs", "GET", csr_attrs, false},
    {"simpleenroll", "POST", simple_enroll, true},
    {"simplereenroll", "POST", simple_reenroll, true},
    {"serverkeygen", "POST", server_keygen, true},
};

static void run(struct call *call, size_t which)
{
    struct mutual_error why = {0};
    const char *method = operations[which].method;
    struct mu_slice asked = call->request->head->method;
    bool get = strcmp(method, "GET") == 0;
    if (!mu_slice_equal_text(asked, method) && !(get && mu_slice_equal_text(asked, "HEAD"))) {
        (void)mu_fail(&why, MUTUAL_E_HTTP_UNSUPPORTED, "%s is asked for by %s",
                      operations[which].name, method);
        api_field(call->response, "Allow", get ? "GET, HEAD" : "POST");
        api_problem(call->response, 405, NULL, &why);
        return;
    }
    operations[which].run(call);
    if (operations[which].enrols) {
        api_count(call->world, API_ENROLLED, operations[which].name, call->by,
                  api_result_of(call->response->status));
    }
}

static void handle(struct api_world *world, const struct api_request *request,
                   struct api_response *response)
{
    struct mutual_error why = {0};
    struct mu_slice label;
    struct mu_slice operation;
    struct call call = {.world = world, .request = request, .response = response, .by = "nobody"};
    bool read = est_path_read(request->path_rest, &label, &operation);
    for (size_t i = 0; read && i < MU_COUNT(operations); i++) {
        if (mu_slice_equal_text(operation, operations[i].name)) {
            (void)snprintf(call.label, sizeof call.label, "%.*s", (int)label.len,
                           (const char *)label.data);
            run(&call, i);
            mu_csr_free(call.csr);
            ca_issued_done(&call.issued);
            return;
        }
    }
    (void)mu_fail(&why, MUTUAL_E_NOT_FOUND, "EST has no such operation");
    (void)mu_error_hint(&why, "Operations are cacerts, csrattrs, simpleenroll, simplereenroll and "
                              "serverkeygen.");
    api_problem(response, 404, NULL, &why);
}

static const struct api_route routes[] = {
    {"GET", "/.well-known/est/*", API_ON(API_TLS) | API_ON(API_MUTUAL), NULL, 0, handle},
    {"POST", "/.well-known/est/*", API_ON(API_TLS) | API_ON(API_MUTUAL), "application/pkcs10",
     MU_LIMIT_API_BODY, handle},
};
const struct api_table est_table = {"est", routes, MU_COUNT(routes), NULL};
