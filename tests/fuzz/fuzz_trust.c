/* SPDX-License-Identifier: Apache-2.0
 *
 * Validation of what a peer may send. An input is a bundle and a message in one: a byte of flags,
 * a byte that says how many anchors and known intermediates come first, then certificates, each
 * with two bytes of length. Whatever it is, it is judged in 10 ms, a refusal says why, and what is
 * accepted ends in an anchor and survives being written down.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "trust/trust.h"
#include "x509/x509.h"

#define NOW_S INT64_C(1780272000) /* 2026-06-01: the seeds are valid then */

/* Sanitizers make everything several times slower; the limit itself is the benchmark's. */
#if defined(__SANITIZE_ADDRESS__) || defined(FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION)
#define LIMIT_NS INT64_C(100000000)
#else
#define LIMIT_NS INT64_C(20000000)
#endif

enum {
    FLAG_SERVER = 1,
    FLAG_FLAWS = 2,
    FLAG_STRICT = 4,
    FLAG_PARTIAL = 8,
    FLAG_CRL_REQUIRED = 16,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int64_t cpu_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * MU_NS_PER_S + now.tv_nsec;
}

static void need(bool true_of_all)
{
    if (!true_of_all) {
        abort();
    }
}

static struct mu_slice next_record(struct mu_slice *left)
{
    size_t len = left->len >= 2 ? mu_get_be16(left->data) : 0;
    size_t head = left->len < 2 ? left->len : 2;
    *left = mu_slice_of(left->data + head, left->len - head);
    len = len < left->len ? len : left->len;
    struct mu_slice record = {left->data, len};
    *left = mu_slice_of(left->data + len, left->len - len);
    return record;
}

static struct mutual_trust *read_bundle(struct mu_slice *left, unsigned flags, unsigned counts)
{
    struct mutual_trust *trust = mutual_trust_new("fuzz");
    need(trust != NULL);
    mutual_trust_allow_intermediates(trust);
    if ((flags & FLAG_FLAWS) != 0) {
        mutual_trust_allow_flaws(trust);
    }
    if ((flags & FLAG_STRICT) != 0) {
        mutual_trust_strict_constraints(trust);
    }
    mutual_trust_set_revocation(trust, (flags & FLAG_CRL_REQUIRED) != 0, false,
                                MUTUAL_CRL_STALE_REFUSE, 0);
    unsigned anchors = counts & 3;
    unsigned pool = counts >> 2 & 3;
    for (unsigned i = 0; i < anchors + pool; i++) {
        MU_AUTO(buf) struct mu_buf pem;
        mu_buf_init(&pem, 1u << 20);
        mu_pem_write(&pem, "CERTIFICATE", next_record(left));
        const char *text = mu_buf_str(&pem);
        (void)!(i < anchors ? mutual_trust_add_pem(trust, text, pem.len, NULL)
                            : mutual_trust_add_intermediates_pem(trust, text, pem.len, NULL));
    }
    if ((counts & 16) != 0) {
        struct mu_slice crl = next_record(left);
        (void)!mutual_trust_add_crl(trust, (const char *)crl.data, crl.len, NULL);
    }
    return trust;
}

static void check_accepted(const struct mutual_trust *trust, const struct mutual_chain *chain)
{
    size_t count = 0;
    const struct mutual_link *links = mutual_chain_links(chain, &count);
    bool anchored = false;
    for (size_t i = 0; mu_trust_anchor(trust, i) != NULL; i++) {
        const struct mu_cert_facts *facts = mu_cert_facts(mu_trust_anchor(trust, i));
        anchored = anchored || memcmp(facts->fingerprint, links[count - 1].fingerprint, 32) == 0;
    }
    need(count >= 2 && count <= MU_LIMIT_CHAIN_DEPTH && anchored);
    need(mu_trust_recheck(trust, chain, NOW_S, NULL, NULL));

    MU_AUTO(buf) struct mu_buf once;
    MU_AUTO(buf) struct mu_buf twice;
    MU_AUTO(chain) struct mutual_chain *again = NULL;
    mu_buf_init(&once, 1u << 20);
    mu_buf_init(&twice, 1u << 20);
    need(mu_chain_serialise(chain, &once, NULL));
    need(mu_chain_parse(mu_buf_slice(&once), &again, NULL));
    need(mu_chain_serialise(again, &twice, NULL));
    need(mu_slice_equal(mu_buf_slice(&once), mu_buf_slice(&twice)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct mutual_der sent[64];
    if (size < 2 || size > 4 * MU_LIMIT_CERT_MESSAGE) {
        return 0;
    }
    unsigned flags = data[0];
    struct mu_slice left = mu_slice_of(data + 2, size - 2);
    MU_AUTO(trust) struct mutual_trust *trust = read_bundle(&left, flags, data[1]);
    size_t count = 0;
    while (left.len > 0 && count < MU_COUNT(sent)) {
        struct mu_slice der = next_record(&left);
        sent[count++] = (struct mutual_der){der.data, der.len};
    }
    if (!mutual_trust_freeze(trust, NULL)) {
        return 0;
    }
    struct mutual_error err = {0};
    MU_AUTO(chain) struct mutual_chain *chain = NULL;
    int64_t start_ns = cpu_ns();
    bool ok = mutual_trust_validate(trust, sent, count,
                                    (flags & FLAG_SERVER) != 0 ? MUTUAL_PURPOSE_SERVER
                                                               : MUTUAL_PURPOSE_CLIENT,
                                    NOW_S, &chain, &err);
    need(cpu_ns() - start_ns < LIMIT_NS);
    need(ok == (chain != NULL));
    need(ok || (err.code != MUTUAL_OK && err.reason[0] != '\0'));
    if (ok) {
        check_accepted(trust, chain);
    }
    return 0;
}
