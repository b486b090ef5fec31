/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists of certificates from PEM.
 */
#include "pki.h"
#include "unit.h"

static void lists_are_read(void **state)
{
    (void)state;
    struct mutual_error err;
    struct pki *root = pki_root("Root");
    struct pki *leaf = pki_issue(pki_ca(root, "Sub"), (struct pki_leaf){.cn = "leaf"});
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 100000);
    mu_buf_text(&text, "a comment\n");
    mu_buf_text(&text, pki_key_pem(leaf)); /* as in files that hold both */
    mu_buf_text(&text, pki_chain_pem(leaf));
    MU_AUTO(certs) struct mu_certs certs = {0};
    assert_ok(mu_certs_from_pem(mu_buf_slice(&text), "x.pem", &certs, &err), &err);
    assert_int_equal(certs.count, 2);
    assert_string_equal(mu_cert_facts(certs.items[0])->display, "leaf");
    assert_string_equal(mu_cert_facts(certs.items[1])->display, "Sub");
}

static void garbage_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "garbage",
        "-----BEGIN CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n",
        "-----BEGIN TRUSTED CERTIFICATE-----\neA==\n-----END TRUSTED CERTIFICATE-----\n",
        "-----BEGIN PRIVATE KEY-----\neA==\n-----END PRIVATE KEY-----\n",
    };
    for (size_t i = 0; i < MU_COUNT(texts); i++) {
        struct mutual_error err;
        MU_AUTO(certs) struct mu_certs certs = {0};
        assert_fails(mu_certs_from_pem(mu_slice_text(texts[i]), "x.pem", &certs, &err), &err,
                     MUTUAL_E_PEM_MALFORMED);
        assert_non_null(strstr(err.reason, "\"x.pem\""));
    }
    struct mutual_error err;
    MU_AUTO(certs) struct mu_certs certs = {0};
    assert_fails(mu_certs_from_pem(MU_SLICE_LIT("\n-----BEGIN CERTIFICATE-----\neA==\n"
                                                "-----END CERTIFICATE-----\n"),
                                   "x.pem", &certs, &err),
                 &err, MUTUAL_E_CERT_MALFORMED);
    assert_non_null(strstr(err.context, "block 1 of \"x.pem\", line 2"));
}

static void lists_are_limited(void **state)
{
    (void)state;
    struct mutual_error err;
    struct pki *root = pki_root("Root");
    MU_AUTO(certs) struct mu_certs certs = {0};
    for (unsigned i = 0; i < MU_LIMIT_BUNDLE_CERTS; i++) {
        assert_true(mu_certs_add(&certs, root->cert, &err));
    }
    assert_fails(mu_certs_add(&certs, root->cert, &err), &err, MUTUAL_E_LIMIT);
}

UNIT_MAIN(UNIT_CASE(lists_are_read), UNIT_CASE(garbage_is_refused), UNIT_CASE(lists_are_limited))
