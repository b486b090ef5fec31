/* SPDX-License-Identifier: Apache-2.0
 *
 * What an identity takes as its staple, and how long it has one to send.
 */
#include "identity/identity.h"
#include "pki.h"
#include "unit.h"

static struct mutual_error err;

static void only_a_good_one(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct pki *sub = pki_ca(root, "Issuing");
    struct pki *leaf = pki_issue(sub, (struct pki_leaf){.dns = "a.example.org"});
    struct pki *other = pki_issue(sub, (struct pki_leaf){.dns = "b.example.org"});
    MU_AUTO(buf) struct mu_buf later;
    mu_buf_init(&later, 64);
    assert_true(mu_ocsp_build_failure(MU_OCSP_TRY_LATER, &later));
    const struct {
        struct mu_slice response;
        enum mutual_code code;
    } rows[] = {
        {mu_slice_of("x", 1), MUTUAL_E_OCSP_MALFORMED},
        {mu_buf_slice(&later), MUTUAL_E_OCSP_UNSUCCESSFUL},
        {pki_ocsp(other, (struct pki_answer){0}), MUTUAL_E_OCSP_OTHER_CERT},
        {pki_ocsp(leaf, (struct pki_answer){.responder = other}), MUTUAL_E_OCSP_SIGNER},
        {pki_ocsp(leaf, (struct pki_answer){.status = MU_OCSP_REVOKED}), MUTUAL_E_CERT_REVOKED},
        {pki_ocsp(leaf, (struct pki_answer){.status = MU_OCSP_UNKNOWN}), MUTUAL_E_OCSP_UNKNOWN},
        {pki_ocsp(leaf, (struct pki_answer){.next_s = PKI_NOW_S}), MUTUAL_E_OCSP_STALE},
    };
    const char *chain = pki_chain_pem(leaf);
    const char *key = pki_key_pem(leaf);
    MU_AUTO(identity) struct mutual_identity *identity = NULL;
    assert_ok(
        mutual_identity_from_pem(chain, strlen(chain), key, strlen(key), NULL, &identity, &err),
        &err);
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        assert_fails(mutual_identity_staple(identity, rows[i].response.data, rows[i].response.len,
                                            NULL, PKI_NOW_S, &err),
                     &err, rows[i].code);
        assert_int_equal(mu_identity_stapled(identity, PKI_NOW_S).len, 0);
    }
    struct mu_slice good = pki_ocsp(leaf, (struct pki_answer){0});
    const int64_t end_s = PKI_NOW_S + 7 * PKI_DAY_S;
    assert_ok(mutual_identity_staple(identity, good.data, good.len, NULL, PKI_NOW_S, &err), &err);
    assert_true(mu_slice_equal(mu_identity_stapled(identity, PKI_NOW_S), good));
    assert_true(mu_slice_equal(mu_identity_stapled(identity, end_s - 1), good));
    assert_int_equal(mu_identity_stapled(identity, end_s).len, 0);
    assert_int_equal(mu_identity_stapled(identity, PKI_NOW_S - 2 * PKI_DAY_S).len, 0);
}

static void the_issuer_must_be_known(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct pki *leaf = pki_issue(root, (struct pki_leaf){.dns = "a.example.org"});
    struct mu_slice good = pki_ocsp(leaf, (struct pki_answer){0});
    const char *chain = pki_pem(leaf);
    const char *key = pki_key_pem(leaf);
    MU_AUTO(identity) struct mutual_identity *identity = NULL;
    assert_ok(
        mutual_identity_from_pem(chain, strlen(chain), key, strlen(key), NULL, &identity, &err),
        &err);
    assert_fails(mutual_identity_staple(identity, good.data, good.len, NULL, PKI_NOW_S, &err), &err,
                 MUTUAL_E_CHAIN_INCOMPLETE);
    assert_ok(mutual_identity_staple(identity, good.data, good.len, pki_pem(root), PKI_NOW_S, &err),
              &err);
}

UNIT_MAIN(UNIT_CASE(only_a_good_one), UNIT_CASE(the_issuer_must_be_known))
