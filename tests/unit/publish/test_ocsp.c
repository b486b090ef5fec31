/* SPDX-License-Identifier: Apache-2.0
 *
 * The OCSP responder: what it answers, what it keeps, and what it makes of nonsense.
 */
#include "support.h"

static void question(enum mu_ocsp_hash hash, struct mu_slice nonce, struct mu_buf *out)
{
    struct mutual_error err = {0};
    mu_buf_init(out, MU_LIMIT_OCSP_BYTES);
    assert_ok(mu_ocsp_request_build(leaf, ca_issuer(home.ca), hash, nonce, out, &err), &err);
}

static void post(struct mu_slice body, struct api_reply *reply)
{
    api_call(&home, "POST", "/ocsp", "Content-Type: application/ocsp-request\r\n", body, reply);
}

/* Percent-encodes what a path may not hold, or everything. */
static void get(struct mu_slice der, bool all, struct api_reply *reply)
{
    MU_AUTO(buf) struct mu_buf text;
    MU_AUTO(buf) struct mu_buf target;
    mu_buf_init(&text, 4096);
    mu_buf_init(&target, 8192);
    mu_base64(&text, der);
    mu_buf_text(&target, "/ocsp/");
    for (size_t i = 0; i < text.len; i++) {
        if (all || text.data[i] == '+' || text.data[i] == '=') {
            mu_buf_printf(&target, "%%%02X", text.data[i]);
        } else {
            mu_buf_byte(&target, text.data[i]);
        }
    }
    api_call(&home, "GET", mu_buf_str(&target), NULL, mu_slice_of(NULL, 0), reply);
}

static struct mu_ocsp *read_reply(const struct api_reply *reply)
{
    struct mutual_error err = {0};
    struct mu_ocsp *ocsp = NULL;
    assert_int_equal(reply->head.status, 200);
    assert_true(field_is(reply, "Content-Type", "application/ocsp-response"));
    assert_ok(mu_ocsp_from_der(reply->body, &ocsp, &err), &err);
    return ocsp;
}

static void expect(struct api_reply *reply, enum mu_ocsp_status status, struct mu_slice nonce)
{
    struct mutual_error err = {0};
    const struct mu_cert *delegate = NULL;
    const struct mu_ocsp_answer *answer = NULL;
    MU_AUTO(ocsp) struct mu_ocsp *ocsp = read_reply(reply);
    assert_ok(mu_ocsp_signed_by(ocsp, ca_issuer(home.ca), home.now_s, &delegate, &err), &err);
    assert_non_null(delegate);
    assert_ok(mu_ocsp_find(ocsp, leaf, ca_issuer(home.ca), &answer, &err), &err);
    assert_int_equal(answer->status, status);
    assert_true(answer->next_update_s > home.now_s);
    if (nonce.len > 0) {
        assert_ok(mu_ocsp_check_nonce(ocsp, nonce, &err), &err);
    } else {
        assert_null(mu_ocsp_facts(ocsp)->nonce.data);
    }
    api_reply_done(reply);
}

static void expect_failure(struct api_reply *reply, const char *failure)
{
    MU_AUTO(ocsp) struct mu_ocsp *ocsp = read_reply(reply);
    assert_non_null(mu_ocsp_facts(ocsp)->failure);
    assert_string_equal(mu_ocsp_facts(ocsp)->failure, failure);
    assert_true(field_is(reply, "Cache-Control", "no-store"));
    api_reply_done(reply);
}

static void good_by_post_and_by_get(void **state)
{
    (void)state;
    for (unsigned hash = 0; hash < MU_OCSP_HASH_OTHER; hash++) {
        MU_AUTO(buf) struct mu_buf der;
        struct api_reply reply = {0};
        question((enum mu_ocsp_hash)hash, mu_slice_of(NULL, 0), &der);
        post(mu_buf_slice(&der), &reply);
        assert_true(field_is(&reply, "Cache-Control", "no-store"));
        expect(&reply, MU_OCSP_GOOD, mu_slice_of(NULL, 0));
        get(mu_buf_slice(&der), false, &reply);
        expect(&reply, MU_OCSP_GOOD, mu_slice_of(NULL, 0));
        get(mu_buf_slice(&der), true, &reply);
        struct mu_slice age;
        assert_true(http_field_find(&reply.head, "ETag", &age));
        assert_true(field_is(&reply, "Cache-Control",
                             "max-age=14400, public, no-transform, must-revalidate"));
        expect(&reply, MU_OCSP_GOOD, mu_slice_of(NULL, 0));
    }
}

/* The same bytes until half of their life, then new ones; never when the store says otherwise. */
static void what_was_signed_serves_again(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf der;
    struct api_reply first = {0};
    struct api_reply second = {0};
    question(MU_OCSP_SHA1, mu_slice_of(NULL, 0), &der);
    post(mu_buf_slice(&der), &first);
    home.refuse_signing = true; /* and yet */
    home.now_s += CA_OCSP_LIFE_S / 2 - 1;
    post(mu_buf_slice(&der), &second);
    assert_true(mu_slice_equal(first.body, second.body));
    api_reply_done(&second);
    home.now_s += 2;
    post(mu_buf_slice(&der), &second);
    expect_failure(&second, "tryLater");
    home.refuse_signing = false;
    post(mu_buf_slice(&der), &second);
    assert_false(mu_slice_equal(first.body, second.body));
    expect(&second, MU_OCSP_GOOD, mu_slice_of(NULL, 0));
    api_reply_done(&first);
    home.now_s = API_HOME_NOW;
}

static void a_nonce_is_repeated(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf der;
    struct api_reply reply = {0};
    question(MU_OCSP_SHA256, MU_SLICE_LIT("0123456789abcdef"), &der);
    post(mu_buf_slice(&der), &reply);
    expect(&reply, MU_OCSP_GOOD, MU_SLICE_LIT("0123456789abcdef"));
    get(mu_buf_slice(&der), true, &reply);
    assert_true(field_is(&reply, "Cache-Control", "no-store"));
    expect(&reply, MU_OCSP_GOOD, MU_SLICE_LIT("0123456789abcdef"));
}

/* A request in DER, made by hand: ids are DER CertIDs. */
static void wrap(struct mu_buf *out, uint8_t tag, struct mu_slice body)
{
    mu_buf_byte(out, tag);
    if (body.len >= 128) {
        mu_buf_byte(out, 0x82);
        mu_buf_byte(out, (uint8_t)(body.len >> 8));
    }
    mu_buf_byte(out, (uint8_t)body.len);
    mu_buf_append(out, body.data, body.len);
}

static void request_of(struct mu_slice single, size_t count, struct mu_buf *out)
{
    MU_AUTO(buf) struct mu_buf list;
    MU_AUTO(buf) struct mu_buf inner;
    MU_AUTO(buf) struct mu_buf tbs;
    mu_buf_init(&list, 65000);
    mu_buf_init(&inner, 65000);
    mu_buf_init(&tbs, 65000);
    mu_buf_init(out, 65000);
    for (size_t i = 0; i < count; i++) {
        mu_buf_append(&list, single.data, single.len);
    }
    wrap(&inner, 0x30, mu_buf_slice(&list));
    wrap(&tbs, 0x30, mu_buf_slice(&inner));
    wrap(out, 0x30, mu_buf_slice(&tbs));
}

/* The Request of a whole OCSPRequest about one certificate: three headers in. */
static struct mu_slice single_of(const struct mu_buf *der)
{
    return mu_slice_of(der->data + 6, der->len - 6);
}

static void many_at_once(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf one;
    MU_AUTO(buf) struct mu_buf der = {0};
    MU_AUTO(buf) struct mu_buf more = {0};
    struct api_reply reply = {0};
    question(MU_OCSP_SHA1, mu_slice_of(NULL, 0), &one);
    assert_true(one.len < 128);
    request_of(single_of(&one), 20, &der);
    post(mu_buf_slice(&der), &reply);
    {
        MU_AUTO(ocsp) struct mu_ocsp *ocsp = read_reply(&reply);
        assert_int_equal(mu_ocsp_facts(ocsp)->count, 20);
    }
    expect(&reply, MU_OCSP_GOOD, mu_slice_of(NULL, 0));
    request_of(single_of(&one), MU_LIMIT_OCSP_ANSWERS + 1, &more);
    post(mu_buf_slice(&more), &reply);
    expect_failure(&reply, "malformedRequest");
}

static void serials_that_were_never_issued_are_unknown(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf der;
    struct api_reply reply = {0};
    question(MU_OCSP_SHA1, mu_slice_of(NULL, 0), &der);
    der.data[der.len - 1] ^= 1; /* the serial is what it ends with */
    post(mu_buf_slice(&der), &reply);
    MU_AUTO(ocsp) struct mu_ocsp *ocsp = read_reply(&reply);
    assert_int_equal(mu_ocsp_facts(ocsp)->answers[0].status, MU_OCSP_UNKNOWN);
    assert_true(mu_ocsp_facts(ocsp)->answers[0].next_update_s == home.now_s + 300);
    api_reply_done(&reply);
}

static void others_certificates_are_none_of_ours(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf der;
    MU_AUTO(buf) struct mu_buf odd;
    struct api_reply reply = {0};
    mu_buf_init(&der, 4096);
    mu_buf_init(&odd, 4096);
    assert_ok(mu_ocsp_request_build(leaf, ca_root(home.ca), MU_OCSP_SHA1, mu_slice_of(NULL, 0),
                                    &der, &err),
              &err);
    post(mu_buf_slice(&der), &reply);
    expect_failure(&reply, "unauthorized");
    question(MU_OCSP_SHA1, mu_slice_of(NULL, 0), &odd); /* another hash: 1.3.14.3.2.26 -> .27 */
    for (size_t i = 0; i + 5 < odd.len; i++) {
        if (memcmp(odd.data + i, "\x2b\x0e\x03\x02\x1a", 5) == 0) {
            odd.data[i + 4] = 0x1b;
        }
    }
    post(mu_buf_slice(&odd), &reply);
    expect_failure(&reply, "unauthorized");
}

static void nonsense_is_malformed(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf der;
    struct api_reply reply = {0};
    question(MU_OCSP_SHA1, mu_slice_of(NULL, 0), &der);
    for (size_t len = 0; len < der.len; len++) {
        post(mu_slice_of(der.data, len), &reply);
        expect_failure(&reply, "malformedRequest");
    }
    mu_buf_byte(&der, 0);
    post(mu_buf_slice(&der), &reply);
    expect_failure(&reply, "malformedRequest");
    static const char *const targets[] = {"/ocsp/%",        "/ocsp/%4",   "/ocsp/%zz", "/ocsp/AAAA",
                                          "/ocsp/A",        "/ocsp/====", "/ocsp/MAo", "/ocsp/%00",
                                          "/ocsp/MDAw?x=1", "/ocsp//",    "/ocsp/a b"};
    for (size_t i = 0; i < MU_COUNT(targets); i++) {
        api_call(&home, "GET", targets[i], NULL, mu_slice_of(NULL, 0), &reply);
        if (reply.head.status == 400) { /* no path at all, to the HTTP parser */
            api_reply_done(&reply);
        } else {
            expect_failure(&reply, "malformedRequest");
        }
    }
    MU_AUTO(buf) struct mu_buf large;
    mu_buf_init(&large, 1u << 20);
    for (size_t i = 0; i < MU_LIMIT_OCSP_BYTES + 1; i++) {
        mu_buf_byte(&large, 0x30);
    }
    post(mu_buf_slice(&large), &reply);
    assert_int_equal(reply.head.status, 413);
    api_reply_done(&reply);
    api_call(&home, "POST", "/ocsp", "Content-Type: application/json\r\n", mu_buf_slice(&der),
             &reply);
    assert_int_equal(reply.head.status, 415);
    api_reply_done(&reply);
    api_call(&home, "GET", "/ocsp", NULL, mu_slice_of(NULL, 0), &reply);
    assert_int_equal(reply.head.status, 405);
    api_reply_done(&reply);
}

/* There are only so many signatures in a second; what is kept needs none. */
static void signatures_are_rationed(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf plain;
    struct api_reply reply = {0};
    unsigned later = 0;
    publish_ocsp_reset();
    question(MU_OCSP_SHA1, mu_slice_of(NULL, 0), &plain);
    post(mu_buf_slice(&plain), &reply);
    api_reply_done(&reply);
    for (unsigned i = 0; i < 500; i++) {
        MU_AUTO(buf) struct mu_buf der;
        question(MU_OCSP_SHA1, mu_slice_of(&i, sizeof i), &der);
        post(mu_buf_slice(&der), &reply);
        MU_AUTO(ocsp) struct mu_ocsp *ocsp = read_reply(&reply);
        later += mu_ocsp_facts(ocsp)->failure != NULL;
        api_reply_done(&reply);
    }
    assert_int_equal(later, 101);
    post(mu_buf_slice(&plain), &reply);
    expect(&reply, MU_OCSP_GOOD, mu_slice_of(NULL, 0));
    home.now_s++;
    for (unsigned i = 0; i < 201; i++) {
        MU_AUTO(buf) struct mu_buf der;
        question(MU_OCSP_SHA1, mu_slice_of(&i, sizeof i), &der);
        post(mu_buf_slice(&der), &reply);
        if (i == 200) {
            expect_failure(&reply, "tryLater");
        } else {
            api_reply_done(&reply);
        }
    }
    publish_ocsp_reset();
}

static void a_revocation_shows_in_the_next_answer(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf der;
    struct api_reply reply = {0};
    question(MU_OCSP_SHA1, mu_slice_of(NULL, 0), &der);
    post(mu_buf_slice(&der), &reply);
    expect(&reply, MU_OCSP_GOOD, mu_slice_of(NULL, 0));
    revoke_leaf();
    get(mu_buf_slice(&der), false, &reply);
    expect(&reply, MU_OCSP_REVOKED, mu_slice_of(NULL, 0));
}

PUBLISH_MAIN(cmocka_unit_test(good_by_post_and_by_get),
             cmocka_unit_test(what_was_signed_serves_again), cmocka_unit_test(a_nonce_is_repeated),
             cmocka_unit_test(many_at_once),
             cmocka_unit_test(serials_that_were_never_issued_are_unknown),
             cmocka_unit_test(others_certificates_are_none_of_ours),
             cmocka_unit_test(nonsense_is_malformed), cmocka_unit_test(signatures_are_rationed),
             cmocka_unit_test(a_revocation_shows_in_the_next_answer))
