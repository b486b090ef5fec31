/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers to challenges, right and nearly right.
 */
#include "fetch/fetch_internal.h"
#include "pki.h"
#include "unit.h"

#define EXPECTED MU_SLICE_LIT("token.thumbprint")

static void an_answer_is_the_text_itself(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        {"token.thumbprint", true},
        {"token.thumbprint\n", true},
        {"token.thumbprint \r\n\t", true},
        {"", false},
        {" ", false},
        {" token.thumbprint", false},
        {"token.thumbprintx", false},
        {"token.thumbprin", false},
        {"token", false},
        {"TOKEN.THUMBPRINT", false},
        {"token.thumbprint\nx", false},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct mutual_error err = {0};
        assert_int_equal(fetch_judge_proof(EXPECTED, mu_slice_text(rows[i].text), &err),
                         rows[i].good);
        assert_int_equal(err.code, rows[i].good ? MUTUAL_OK : MUTUAL_E_ACME_VALIDATION);
    }
    struct mutual_error err = {0};
    assert_fails(fetch_judge_proof(mu_slice_of("", 0), mu_slice_of("", 0), &err), &err,
                 MUTUAL_E_ACME_VALIDATION);
    assert_fails(fetch_judge_proof(EXPECTED, MU_SLICE_LIT("token.thumbprint\0"), &err), &err,
                 MUTUAL_E_ACME_VALIDATION);
}

static void addresses_have_their_name_in_the_reverse_tree(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"web.example.org", "web.example.org"},
        {"192.0.2.1", "1.2.0.192.in-addr.arpa"},
        {"2001:db8::1", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        MU_AUTO(buf) struct mu_buf out;
        mu_buf_init(&out, 256);
        assert_true(fetch_proof_name(rows[i][0], &out));
        assert_string_equal(mu_buf_str(&out), rows[i][1]);
    }
}

/* A certificate of its own with these names and that extension. */
static struct mu_cert *make(const struct mu_gname *names, size_t count, bool critical,
                            const uint8_t *digest, size_t len)
{
    struct mutual_error err = {0};
    MU_AUTO(key) struct mu_key *key = NULL;
    struct mu_cert *cert = NULL;
    uint8_t value[64] = {0x04, (uint8_t)len};
    memcpy(value + 2, digest, len);
    const struct mu_raw_extension extension = {
        .oid = "1.3.6.1.5.5.7.1.31", .critical = critical, .value = mu_slice_of(value, len + 2)};
    const struct mu_cert_template template = {
        .not_before_s = 1700000000,
        .not_after_s = 1900000000,
        .names = names,
        .name_count = count,
        .bare = true,
        .extra = &extension,
        .extra_count = digest == NULL ? 0 : 1,
    };
    assert_ok(mu_key_generate(MU_SPEC_EC_P256, &key, &err), &err);
    assert_ok(mu_cert_sign(&template, key, &cert, &err), &err);
    return cert;
}

static bool judge(const struct mu_cert *cert, const char *host, const char *alpn)
{
    struct mutual_error err = {0};
    bool good = fetch_judge_proof_tls(EXPECTED, host, alpn, mu_cert_facts(cert)->der, &err);
    assert_int_equal(err.code, good ? MUTUAL_OK : MUTUAL_E_ACME_VALIDATION);
    return good;
}

static void a_certificate_proves_one_name_by_one_extension(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    uint8_t digest[32];
    uint8_t other[32] = {1};
    const struct mu_gname host = {MU_GNAME_DNS, MU_SLICE_LIT("Web.example.org")};
    const struct mu_gname address = {MU_GNAME_IP, MU_SLICE_LIT("\xc0\0\2\1")};
    const struct mu_gname both[] = {host, address};
    assert_ok(mu_sha256(EXPECTED, digest, &err), &err);
    MU_AUTO(cert) struct mu_cert *good = make(&host, 1, true, digest, 32);
    assert_true(judge(good, "web.example.org", "acme-tls/1"));
    assert_false(judge(good, "web.example.org", NULL));
    assert_false(judge(good, "web.example.org", "h2"));
    assert_false(judge(good, "eb.example.org", "acme-tls/1"));
    assert_false(judge(good, "192.0.2.1", "acme-tls/1"));
    MU_AUTO(cert) struct mu_cert *numbered = make(&address, 1, true, digest, 32);
    assert_true(judge(numbered, "192.0.2.1", "acme-tls/1"));
    assert_false(judge(numbered, "192.0.2.2", "acme-tls/1"));
    MU_AUTO(cert) struct mu_cert *two = make(both, 2, true, digest, 32);
    assert_false(judge(two, "web.example.org", "acme-tls/1"));
    MU_AUTO(cert) struct mu_cert *lax = make(&host, 1, false, digest, 32);
    assert_false(judge(lax, "web.example.org", "acme-tls/1"));
    MU_AUTO(cert) struct mu_cert *foreign = make(&host, 1, true, other, 32);
    assert_false(judge(foreign, "web.example.org", "acme-tls/1"));
    MU_AUTO(cert) struct mu_cert *cut = make(&host, 1, true, digest, 31);
    assert_false(judge(cut, "web.example.org", "acme-tls/1"));
    assert_fails(fetch_judge_proof_tls(EXPECTED, "web.example.org", "acme-tls/1",
                                       MU_SLICE_LIT("no certificate"), &err),
                 &err, MUTUAL_E_ACME_VALIDATION);
}

UNIT_MAIN(UNIT_CASE(an_answer_is_the_text_itself),
          UNIT_CASE(addresses_have_their_name_in_the_reverse_tree),
          UNIT_CASE(a_certificate_proves_one_name_by_one_extension))
