/* SPDX-License-Identifier: Apache-2.0
 *
 * A session of TLS 1.3 as bytes: back as it was, or not at all.
 */
#include "session/session_internal.h"
#include "session/share_internal.h"
#include "tls_pair.h"

static struct mu_kept kept;
static struct mu_proof proof;

static void make(struct tls_pair *pair)
{
    tls_pair_init(pair);
    tls_pair_open(pair);
    kept = (struct mu_kept){.until_s = 1234567890123, .suite = 0x1302, .psk_len = 48};
    memset(kept.psk, 7, sizeof kept.psk);
    memset(kept.binding, 9, sizeof kept.binding);
    proof = (struct mu_proof){
        .serial = 77,
        .chain = pair->server.session->chain,
        .proved_at_s = 42,
        .trust_generation = UINT64_MAX,
        .mutual = true,
    };
}

static void assert_same(const struct mu_kept *a, const struct mu_proof *p)
{
    size_t count = 0;
    size_t before = 0;
    assert_int_equal(a->until_s, kept.until_s);
    assert_int_equal(a->suite, kept.suite);
    assert_int_equal(a->psk_len, kept.psk_len);
    assert_memory_equal(a->psk, kept.psk, kept.psk_len);
    assert_memory_equal(a->binding, kept.binding, sizeof kept.binding);
    assert_null(a->ssl);
    assert_int_equal(p->serial, 0);
    assert_int_equal(p->proved_at_s, 42);
    assert_int_equal(p->trust_generation, UINT64_MAX);
    assert_true(p->mutual);
    assert_int_equal(p->staple.status, MUTUAL_STAPLE_NONE);
    const struct mutual_link *links = mutual_chain_links(p->chain, &count);
    const struct mutual_link *expected = mutual_chain_links(proof.chain, &before);
    assert_int_equal(count, before);
    for (size_t i = 0; i < count; i++) {
        assert_memory_equal(links[i].fingerprint, expected[i].fingerprint, 32);
    }
}

static void it_comes_back_as_it_was(void **state)
{
    (void)state;
    struct tls_pair pair;
    make(&pair);
    for (int chained = 0; chained < 2; chained++) {
        MU_AUTO(buf) struct mu_buf bytes;
        struct mu_kept got;
        struct mu_proof from;
        char service[MU_KEPT_SERVICE];
        struct mu_proof written = proof;
        written.chain = chained != 0 ? proof.chain : NULL;
        mu_buf_init(&bytes, MU_SHARE_RECORD);
        assert_true(mu_kept_write(&kept, &written, "customer-db/b.example", &bytes));
        assert_true(mu_kept_read(mu_buf_slice(&bytes), &got, &from, service));
        assert_string_equal(service, "customer-db/b.example");
        if (chained != 0) {
            assert_same(&got, &from);
        } else {
            assert_null(from.chain);
        }
        mu_proof_clear(&from);
    }
    tls_pair_done(&pair);
}

/* Nothing that is shorter, longer or of another form is read, and nothing is read beyond. */
static void what_is_not_whole_is_nothing(void **state)
{
    (void)state;
    struct tls_pair pair;
    struct mu_kept got;
    struct mu_proof from;
    char service[MU_KEPT_SERVICE];
    make(&pair);
    MU_AUTO(buf) struct mu_buf bytes;
    mu_buf_init(&bytes, MU_SHARE_RECORD);
    assert_true(mu_kept_write(&kept, &proof, "customer-db", &bytes));
    for (size_t len = 0; len < bytes.len; len++) {
        uint8_t *exact = mu_alloc(len + 1, 1); /* so that a sanitizer sees the end */
        memcpy(exact, bytes.data, len);
        assert_false(mu_kept_read(mu_slice_of(exact, len), &got, &from, service));
        mu_free(exact);
    }
    (void)mu_buf_byte(&bytes, 0);
    assert_false(mu_kept_read(mu_buf_slice(&bytes), &got, &from, service));
    bytes.len--;
    bytes.data[0]++;
    assert_false(mu_kept_read(mu_buf_slice(&bytes), &got, &from, service));
    tls_pair_done(&pair);
}

static void what_does_not_fit_is_not_written(void **state)
{
    (void)state;
    struct tls_pair pair;
    make(&pair);
    MU_AUTO(buf) struct mu_buf few;
    mu_buf_init(&few, 200);
    assert_false(mu_kept_write(&kept, &proof, "customer-db", &few));
    MU_AUTO(buf) struct mu_buf bytes;
    char name[300];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    mu_buf_init(&bytes, MU_SHARE_RECORD);
    assert_false(mu_kept_write(&kept, &proof, name, &bytes));
    tls_pair_done(&pair);
}

UNIT_MAIN(UNIT_CASE(it_comes_back_as_it_was), UNIT_CASE(what_is_not_whole_is_nothing),
          UNIT_CASE(what_does_not_fit_is_not_written))
