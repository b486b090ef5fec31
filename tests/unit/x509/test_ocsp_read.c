/* SPDX-License-Identifier: Apache-2.0
 *
 * OCSP messages read: facts, and everything that is refused.
 */
#include "odd.h"

static struct mutual_error err;

static void facts_of_a_response(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct pki *leaf = pki_issue(root, (struct pki_leaf){.cn = "leaf"});
    struct pki *other = pki_issue(root, (struct pki_leaf){.cn = "other"});
    struct pki_answer more = {.status = MU_OCSP_UNKNOWN, .hash = MU_OCSP_SHA256, .about = other};
    struct mu_slice der = pki_ocsp(leaf, (struct pki_answer){.status = MU_OCSP_REVOKED,
                                                             .nonce = HEX("0123456789abcdef"),
                                                             .more = &more});
    MU_AUTO(ocsp) struct mu_ocsp *ocsp = NULL;
    assert_ok(mu_ocsp_from_der(der, &ocsp, &err), &err);
    const struct mu_ocsp_facts *f = mu_ocsp_facts(ocsp);
    assert_null(f->failure);
    assert_int_equal(f->count, 2);
    assert_int_equal(f->by_key.len, 20);
    assert_int_equal(strncmp(f->responder_text, "key ", 4), 0);
    assert_int_equal(f->produced_at_s, PKI_NOW_S - PKI_DAY_S);
    assert_true(mu_slice_equal(f->nonce, HEX("0123456789abcdef")));
    assert_null(f->unknown_critical);
    assert_int_equal(f->certs.count, 0);
    const struct mu_ocsp_answer *a = &f->answers[0];
    assert_int_equal(a->status, MU_OCSP_REVOKED);
    assert_int_equal(a->revoked_at_s, PKI_NOW_S - 2 * PKI_DAY_S);
    assert_int_equal(a->reason, MU_REASON_KEY_COMPROMISE);
    assert_int_equal(a->this_update_s, PKI_NOW_S - PKI_DAY_S);
    assert_int_equal(a->next_update_s, PKI_NOW_S + 7 * PKI_DAY_S);
    assert_int_equal(a->id.hash, MU_OCSP_SHA1);
    assert_true(mu_slice_equal(a->id.serial, mu_cert_facts(leaf->cert)->serial));
    assert_int_equal(f->answers[1].status, MU_OCSP_UNKNOWN);
    assert_int_equal(f->answers[1].id.hash, MU_OCSP_SHA256);
    assert_int_equal(f->answers[1].id.key_hash.len, 32);
    assert_string_equal(mu_ocsp_status_word(MU_OCSP_GOOD), "good");
}

static void answers_that_are_none(void **state)
{
    (void)state;
    static const struct {
        enum mu_ocsp_failure failure;
        const char *word;
    } rows[] = {
        {MU_OCSP_MALFORMED_REQUEST, "malformedRequest"},
        {MU_OCSP_INTERNAL_ERROR, "internalError"},
        {MU_OCSP_TRY_LATER, "tryLater"},
        {MU_OCSP_SIG_REQUIRED, "sigRequired"},
        {MU_OCSP_UNAUTHORIZED, "unauthorized"},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        MU_AUTO(buf) struct mu_buf der;
        mu_buf_init(&der, 64);
        MU_AUTO(ocsp) struct mu_ocsp *ocsp = NULL;
        assert_true(mu_ocsp_build_failure(rows[i].failure, &der));
        assert_ok(mu_ocsp_from_der(mu_buf_slice(&der), &ocsp, &err), &err);
        assert_string_equal(mu_ocsp_facts(ocsp)->failure, rows[i].word);
        const struct mu_ocsp_answer *answer = NULL;
        struct pki *root = pki_root("Root");
        assert_fails(mu_ocsp_find(ocsp, root->cert, root->cert, &answer, &err), &err,
                     MUTUAL_E_OCSP_UNSUCCESSFUL);
    }
}

static void assert_malformed(struct mu_slice der)
{
    MU_AUTO(ocsp) struct mu_ocsp *ocsp = NULL;
    assert_fails(mu_ocsp_from_der(der, &ocsp, &err), &err, MUTUAL_E_OCSP_MALFORMED);
}

static void what_is_no_response(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    const struct mu_slice rows[] = {
        HEX(""),
        HEX("-----BEGIN"),
        HEX("\x30\x00"),
        HEX("\x30\x03\x0a\x01\x00"),                 /* successful, and nothing */
        HEX("\x30\x03\x0a\x01\x04"),                 /* 4 is not used */
        HEX("\x30\x03\x0a\x01\x07"),                 /* nor is 7 */
        HEX("\x30\x07\x0a\x01\x03\xa0\x02\x30\x00"), /* an error with bytes */
        pki_der(root),
        pki_crl(root, NULL),
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        assert_malformed(rows[i]);
    }
    static uint8_t huge[1u << 20];
    assert_malformed(mu_slice_of(huge, sizeof huge));
    assert_malformed(mu_slice_of(huge, MU_LIMIT_OCSP_BYTES + 1));
}

/* Each prefix is refused, and no changed byte makes the reader stumble: whatever it takes is not
 * signed by the issuer any more, unless the byte is of the signature's own spelling. */
static void cut_and_bent(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct pki *leaf = pki_issue(root, (struct pki_leaf){.cn = "leaf"});
    struct mu_slice der = pki_ocsp(leaf, (struct pki_answer){.nonce = HEX("n")});
    for (size_t len = 0; len < der.len; len++) {
        assert_malformed(mu_slice_of(der.data, len));
    }
    uint8_t bent[1024];
    assert_true(der.len <= sizeof bent);
    for (size_t i = 0; i < der.len; i++) {
        MU_AUTO(ocsp) struct mu_ocsp *ocsp = NULL;
        const struct mu_cert *delegate = NULL;
        memcpy(bent, der.data, der.len);
        bent[i] ^= 0x01;
        if (mu_ocsp_from_der(mu_slice_of(bent, der.len), &ocsp, &err)) {
            assert_false(mu_ocsp_signed_by(ocsp, root->cert, PKI_NOW_S, &delegate, &err));
        }
    }
}

/* A response whose body is written here; signed by nobody. */
static void assert_body(struct mu_slice body, bool taken)
{
    MU_AUTO(buf) struct mu_buf tbs;
    MU_AUTO(buf) struct mu_buf der;
    MU_AUTO(ocsp) struct mu_ocsp *ocsp = NULL;
    mu_buf_init(&tbs, 1u << 20);
    mu_buf_init(&der, 1u << 20);
    mu_der_put(&tbs, DER_SEQUENCE, body);
    assert_ok(mu_ocsp_build(mu_buf_slice(&tbs), MU_SCHEME_ED25519, HEX("s"), NULL, &der, &err),
              &err);
    if (taken) {
        assert_ok(mu_ocsp_from_der(mu_buf_slice(&der), &ocsp, &err), &err);
    } else {
        assert_malformed(mu_buf_slice(&der));
    }
}

#define BY_KEY "\xa2\x03\x04\x01k"
#define WHEN   \
    "\x18\x0f" \
    "20270101000000Z"
#define ID       "\x30\x12\x30\x07\x06\x05\x2b\x0e\x03\x02\x1a\x04\x01n\x04\x01k\x02\x01\x05"
#define GOOD     "\x80\x00"
#define ONE_BODY ID GOOD WHEN        /* 20 + 2 + 17 */
#define ONE      "\x30\x27" ONE_BODY /* 41 */
#define LIST     "\x30\x29" ONE

static void bodies(void **state)
{
    (void)state;
    assert_body(HEX(BY_KEY WHEN LIST), true);
    assert_body(HEX("\xa0\x03\x02\x01\x00" BY_KEY WHEN LIST), true);
    assert_body(HEX("\xa0\x03\x02\x01\x01" BY_KEY WHEN LIST), false); /* version 2 */
    assert_body(HEX("\xa1\x02\x30\x00" WHEN LIST), true);             /* an empty name */
    assert_body(HEX("\xa1\x00" WHEN LIST), false);
    assert_body(HEX(WHEN LIST), false);
    assert_body(HEX(BY_KEY LIST), false);
    assert_body(HEX(BY_KEY WHEN), false);
    assert_body(HEX(BY_KEY WHEN "\x30\x00"), false); /* about nobody */
    assert_body(HEX(BY_KEY WHEN LIST "\x05\x00"), false);
    assert_body(HEX(BY_KEY "\x17\x0d"
                           "270101000000Z" LIST),
                false);
    /* CertStatus and its neighbours */
    assert_body(HEX(BY_KEY WHEN "\x30\x29\x30\x27" ID "\x82\x00" WHEN), true);
    assert_body(HEX(BY_KEY WHEN "\x30\x29\x30\x27" ID "\x83\x00" WHEN), false);
    assert_body(HEX(BY_KEY WHEN "\x30\x2a\x30\x28" ID "\x80\x01\x00" WHEN), false);
    assert_body(HEX(BY_KEY WHEN "\x30\x3a\x30\x38" ID "\xa1\x11" WHEN WHEN), true);
    assert_body(HEX(BY_KEY WHEN "\x30\x3f\x30\x3d" ID "\xa1\x16" WHEN "\xa0\x03\x0a\x01\x07" WHEN),
                false); /* reason 7 is not used */
    assert_body(HEX(BY_KEY WHEN "\x30\x3c\x30\x3a" ID GOOD WHEN "\xa0\x11" WHEN), true);
    assert_body(HEX(BY_KEY WHEN "\x30\x3e\x30\x3c" ID GOOD WHEN "\xa0\x13" WHEN "\x05\x00"), false);
    /* extensions */
    assert_body(HEX(BY_KEY WHEN LIST "\xa1\x02\x30\x00"), true);
    assert_body(HEX(BY_KEY WHEN LIST "\xa1\x00"), false);
    assert_body(HEX(BY_KEY WHEN LIST "\xa1\x11\x30\x0f\x30\x0d\x06\x09\x2b\x06\x01\x05\x05\x07\x30"
                                     "\x01\x02\x04\x00"),
                false); /* a nonce without one */
}

static void too_many_answers(void **state)
{
    (void)state;
    for (size_t count = MU_LIMIT_OCSP_ANSWERS; count <= MU_LIMIT_OCSP_ANSWERS + 1; count++) {
        MU_AUTO(buf) struct mu_buf body;
        mu_buf_init(&body, 1u << 20);
        odd_put(&body, HEX(BY_KEY WHEN));
        size_t list = mu_der_begin(&body, DER_SEQUENCE);
        for (size_t i = 0; i < count; i++) {
            odd_put(&body, HEX(ONE));
        }
        mu_der_end(&body, list);
        assert_body(mu_buf_slice(&body), count == MU_LIMIT_OCSP_ANSWERS);
    }
}

static void critical_extensions_are_told(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf tbs;
    MU_AUTO(buf) struct mu_buf der;
    MU_AUTO(ocsp) struct mu_ocsp *ocsp = NULL;
    struct pki *root = pki_root("Root");
    const struct mu_cert *delegate = NULL;
    mu_buf_init(&tbs, 4096);
    mu_buf_init(&der, 4096);
    mu_der_put(&tbs, DER_SEQUENCE,
               HEX(BY_KEY WHEN LIST "\xa1\x0e\x30\x0c\x30\x0a\x06\x03\x2a\x03\x04\x01\x01\xff\x04"
                                    "\x00"));
    assert_ok(mu_ocsp_build(mu_buf_slice(&tbs), MU_SCHEME_ED25519, HEX("s"), NULL, &der, &err),
              &err);
    assert_ok(mu_ocsp_from_der(mu_buf_slice(&der), &ocsp, &err), &err);
    assert_string_equal(mu_ocsp_facts(ocsp)->unknown_critical[0], "1.2.3.4");
    assert_fails(mu_ocsp_signed_by(ocsp, root->cert, PKI_NOW_S, &delegate, &err), &err,
                 MUTUAL_E_CRITICAL_EXTENSION);
}

static void requests(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct pki *leaf = pki_issue(root, (struct pki_leaf){.cn = "leaf"});
    struct mu_ocsp_issuer issuer;
    assert_ok(mu_ocsp_issuer_of(root->cert, &issuer, &err), &err);
    for (unsigned hash = 0; hash < MU_OCSP_HASH_OTHER; hash++) {
        MU_AUTO(buf) struct mu_buf der;
        MU_AUTO(ocsp_request) struct mu_ocsp_request *request = NULL;
        mu_buf_init(&der, 4096);
        struct mu_slice nonce = hash == MU_OCSP_SHA1 ? HEX("nonce") : HEX("");
        assert_ok(mu_ocsp_request_build(leaf->cert, root->cert, hash, nonce, &der, &err), &err);
        assert_ok(mu_ocsp_request_from_der(mu_buf_slice(&der), &request, &err), &err);
        const struct mu_ocsp_request_facts *f = mu_ocsp_request_facts(request);
        assert_int_equal(f->count, 1);
        assert_int_equal(f->ids[0].hash, hash);
        assert_true(mu_ocsp_id_of(&f->ids[0], &issuer));
        assert_true(mu_slice_equal(f->ids[0].serial, mu_cert_facts(leaf->cert)->serial));
        assert_true(nonce.len == 0 ? f->nonce.data == NULL : mu_slice_equal(f->nonce, nonce));
        assert_false(f->is_signed);
        for (size_t len = 0; len < der.len; len++) {
            MU_AUTO(ocsp_request) struct mu_ocsp_request *none = NULL;
            assert_fails(mu_ocsp_request_from_der(mu_slice_of(der.data, len), &none, &err), &err,
                         MUTUAL_E_OCSP_MALFORMED);
        }
    }
    MU_AUTO(ocsp_request) struct mu_ocsp_request *none = NULL;
    static uint8_t huge[MU_LIMIT_OCSP_BYTES + 1];
    assert_fails(mu_ocsp_request_from_der(mu_slice_of(huge, sizeof huge), &none, &err), &err,
                 MUTUAL_E_OCSP_MALFORMED);
}

static void no_memory_is_told(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct pki *leaf = pki_issue(root, (struct pki_leaf){.cn = "leaf"});
    struct mu_slice der =
        pki_ocsp(leaf, (struct pki_answer){.responder = pki_responder(root, "responder")});
    bool done = false;
    for (unsigned long nth = 1; !done; nth++) {
        MU_AUTO(ocsp) struct mu_ocsp *ocsp = NULL;
        assert_true(nth < 200);
        mu_alloc_fail_after(nth);
        done = mu_ocsp_from_der(der, &ocsp, &err) && mu_ocsp_facts(ocsp)->certs.count == 1;
        mu_alloc_fail_after(0);
    }
}

UNIT_MAIN(cmocka_unit_test(facts_of_a_response), cmocka_unit_test(answers_that_are_none),
          cmocka_unit_test(what_is_no_response), cmocka_unit_test(cut_and_bent),
          cmocka_unit_test(bodies), cmocka_unit_test(too_many_answers),
          cmocka_unit_test(critical_extensions_are_told), cmocka_unit_test(requests),
          cmocka_unit_test(no_memory_is_told))
