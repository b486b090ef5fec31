/* SPDX-License-Identifier: Apache-2.0
 *
 * What a peer sent, as bytes: nothing, too much, rubbish, and memory running out on the way.
 */
#include "trust_unit.h"

struct message {
    struct mutual_der ders[200];
    size_t count;
};

static void put(struct message *message, struct mu_slice der)
{
    message->ders[message->count++] = (struct mutual_der){der.data, der.len};
}

static bool judge(const struct mutual_trust *trust, const struct message *message,
                  enum mutual_purpose purpose, struct mutual_error *err)
{
    MU_AUTO(chain) struct mutual_chain *chain = NULL;
    bool ok = mutual_trust_validate(trust, message->ders, message->count, purpose, PKI_NOW_S,
                                    &chain, err);
    assert_int_equal(ok, chain != NULL);
    return ok;
}

static void case_nothing(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct message none = {.count = 0};
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(pki_root("Root")), NULL);
    assert_fails(judge(trust, &none, MUTUAL_PURPOSE_CLIENT, &err), &err, MUTUAL_E_NO_CLIENT_CERT);
    assert_int_equal(err.step, MUTUAL_STEP_CLIENT_CERT);
    assert_fails(judge(trust, &none, MUTUAL_PURPOSE_SERVER, &err), &err, MUTUAL_E_NO_SERVER_CERT);
    assert_int_equal(err.step, MUTUAL_STEP_SERVER_CERT);
}

static void case_too_much(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct pki *root = pki_root("Root");
    struct pki *leaf = pki_issue(root, (struct pki_leaf){.dns = "a.example.org"});
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(root), NULL);
    struct message message = {.count = 0};
    for (size_t i = 0; i < 100; i++) {
        put(&message, pki_der(leaf));
    }
    assert_fails(judge(trust, &message, MUTUAL_PURPOSE_CLIENT, &err), &err,
                 MUTUAL_E_CHAIN_TOO_LONG);
    assert_non_null(strstr(err.reason, "100 certificates"));
    message.count = MU_LIMIT_CHAIN_SENT;
    assert_ok(judge(trust, &message, MUTUAL_PURPOSE_CLIENT, &err), &err);

    static uint8_t large[MU_LIMIT_CERT_MESSAGE];
    message.count = 1;
    put(&message, mu_slice_of(large, sizeof large));
    assert_fails(judge(trust, &message, MUTUAL_PURPOSE_CLIENT, &err), &err,
                 MUTUAL_E_CHAIN_TOO_LONG);
    message.ders[1].len = SIZE_MAX;
    assert_fails(judge(trust, &message, MUTUAL_PURPOSE_CLIENT, &err), &err,
                 MUTUAL_E_CHAIN_TOO_LONG);
}

static void case_rubbish(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct pki *root = pki_root("Root");
    struct pki *sub = pki_ca(root, "Issuing");
    struct pki *leaf = pki_issue(sub, (struct pki_leaf){.dns = "a.example.org"});
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(root), NULL);
    struct message message = {.count = 0};
    put(&message, MU_SLICE_LIT("rubbish"));
    put(&message, pki_der(sub));
    assert_fails(judge(trust, &message, MUTUAL_PURPOSE_CLIENT, &err), &err,
                 MUTUAL_E_CERT_MALFORMED);
    assert_string_equal(err.context, "certificate 1 of 2 sent");
    assert_int_equal(err.step, MUTUAL_STEP_CLIENT_CHECK);

    /* Rubbish beside what is needed does no harm; in place of it, it is told. */
    message.count = 0;
    put(&message, pki_der(leaf));
    put(&message, MU_SLICE_LIT("rubbish"));
    assert_fails(judge(trust, &message, MUTUAL_PURPOSE_CLIENT, &err), &err,
                 MUTUAL_E_CERT_MALFORMED);
    assert_string_equal(err.context, "certificate 2 of 2 sent");
    put(&message, pki_der(sub));
    put(&message, mu_slice_of(NULL, 0));
    assert_ok(judge(trust, &message, MUTUAL_PURPOSE_CLIENT, &err), &err);
}

/* Every truncation and every flipped byte of a good leaf is refused: what is signed is all of it.
 */
static void case_altered(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct pki *root = pki_root("Root");
    struct pki *leaf = pki_issue(root, (struct pki_leaf){.uri = "spiffe://example.org/a"});
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(root), NULL);
    struct mu_slice good = pki_der(leaf);
    static uint8_t copy[4096];
    struct message message = {.count = 0};
    assert_true(good.len < sizeof copy);
    memcpy(copy, good.data, good.len);
    put(&message, mu_slice_of(copy, good.len));
    assert_ok(judge(trust, &message, MUTUAL_PURPOSE_CLIENT, &err), &err);
    for (size_t i = 0; i < good.len; i++) {
        copy[i] ^= 0x01;
        bool ok = judge(trust, &message, MUTUAL_PURPOSE_CLIENT, &err);
        if (ok) {
            fail_msg("accepted with byte %zu changed", i);
        }
        copy[i] ^= 0x01;
    }
    for (size_t len = 0; len < good.len; len += 7) {
        message.ders[0].len = len;
        assert_fails(judge(trust, &message, MUTUAL_PURPOSE_CLIENT, &err), &err,
                     MUTUAL_E_CERT_MALFORMED);
    }
}

static void case_no_memory(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct pki *sub = pki_ca(root, "Issuing");
    struct pki *leaf = pki_issue(sub, (struct pki_leaf){.dns = "a.example.org"});
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(root), NULL);
    struct message message = {.count = 0};
    put(&message, pki_der(leaf));
    put(&message, pki_der(sub));
    for (unsigned long n = 1;; n++) {
        struct mutual_error err = {0};
        mu_alloc_fail_after(n);
        bool ok = judge(trust, &message, MUTUAL_PURPOSE_CLIENT, &err);
        mu_alloc_fail_after(0);
        if (ok) {
            break;
        }
        assert_int_not_equal(err.code, MUTUAL_OK);
        assert_true(n < 2000);
    }
}

UNIT_MAIN(UNIT_CASE(case_nothing), UNIT_CASE(case_too_much), UNIT_CASE(case_rubbish),
          UNIT_CASE(case_altered), UNIT_CASE(case_no_memory))
