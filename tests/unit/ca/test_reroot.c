/* SPDX-License-Identifier: Apache-2.0
 *
 * A second root: what it keeps of the issuers, and what is refused.
 */
#include "support.h"

static bool tell(void *context, const struct ca_root_made *made, struct mutual_error *err)
{
    bool *shown = context;
    bool may = *shown;
    *shown = made->passphrase[0] != '\0';
    return may || mu_fail(err, MUTUAL_E_FILE_UNWRITABLE, "the test shows it to nobody");
}

static bool make_root(struct ca *ca, bool may, struct ca_root_made *ret_made,
                      struct mutual_error *err)
{
    const struct ca_root_options options = {.root_key = MU_SPEC_EC_P256,
                                            .root_life_s = 7000 * DAY,
                                            .issuer_life_s = 1800 * DAY,
                                            .owner = "tests",
                                            .place = "here",
                                            .now_s = NOW + DAY};
    bool shown = may;
    return ca_new_root(ca, &options, tell, &shown, ret_made, err);
}

/* The certificate in a file below the authority's directory. */
static struct mu_cert *in_file(const char *path)
{
    struct mutual_error err = {0};
    struct mu_cert *cert = NULL;
    assert_ok(ca_read_certificate(at_home(path), &cert, &err), &err);
    return cert;
}

static void issuers_keep_all_but_who_vouches(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    struct ca_root_made made = {0};
    bool changed = false;
    assert_fails(ca_use_root(ca, NOW, &changed, &err), &err, MUTUAL_E_NOT_FOUND);
    assert_ok(make_root(ca, true, &made, &err), &err);
    assert_int_equal(made.issuers, 1);
    MU_AUTO(cert) struct mu_cert *before = in_file("authority/issuer/issuer.crt");
    MU_AUTO(cert) struct mu_cert *next = in_file("authority/issuer/next.crt");
    const struct mu_cert_facts *a = mu_cert_facts(before);
    const struct mu_cert_facts *b = mu_cert_facts(next);
    assert_ok(mu_cert_signed_by(next, made.root, &err), &err);
    assert_true(mu_slice_equal(a->spki, b->spki) && mu_slice_equal(a->subject, b->subject));
    assert_int_equal(a->permitted_count, b->permitted_count);
    assert_int_equal(a->excluded_count, b->excluded_count);
    for (size_t i = 0; i < a->permitted_count; i++) {
        assert_true(mu_slice_equal(a->permitted[i].base.bytes, b->permitted[i].base.bytes));
    }
    assert_true(a->path_length == b->path_length && a->eku == b->eku &&
                a->key_usage == b->key_usage);
    assert_int_equal(b->flaws, 0);
    assert_fails(make_root(ca, true, &made, &err), &err, MUTUAL_E_ALREADY_EXISTS);
    assert_ok(ca_use_root(ca, NOW, &changed, &err), &err);
    assert_true(changed);
    assert_ok(ca_use_root(ca, NOW, &changed, &err), &err);
    assert_false(changed);
    MU_AUTO(cert) struct mu_cert *after = in_file("authority/issuer/issuer.crt");
    assert_memory_equal(mu_cert_facts(after)->fingerprint, b->fingerprint, 32);
    assert_false(exists(at_home("authority/issuer/next.crt")));
    ca_root_made_done(&made);
}

/* A root whose passphrase nobody saw is none. */
static void nothing_is_made_that_nobody_was_told(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    struct ca_root_made made = {0};
    MU_AUTO(inventory_issuers) struct inventory_issuers issuers = {0};
    assert_fails(make_root(ca, false, &made, &err), &err, MUTUAL_E_FILE_UNWRITABLE);
    assert_ok(inventory_issuers_get(ca_inventory(ca), &issuers, &err), &err);
    assert_int_equal(issuers.count, 2);
    assert_false(exists(at_home("authority/root-2")));
}

static void a_root_outlives_its_issuers(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    struct ca_root_made made = {0};
    bool shown = true;
    const struct ca_root_options options = {.root_key = MU_SPEC_EC_P256,
                                            .root_life_s = 10 * DAY,
                                            .issuer_life_s = 11 * DAY,
                                            .owner = "tests",
                                            .place = "here",
                                            .now_s = NOW};
    assert_fails(ca_new_root(ca, &options, tell, &shown, &made, &err), &err, MUTUAL_E_OPTION_VALUE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(issuers_keep_all_but_who_vouches, home_init, home_remove),
        cmocka_unit_test_setup_teardown(nothing_is_made_that_nobody_was_told, home_init,
                                        home_remove),
        cmocka_unit_test_setup_teardown(a_root_outlives_its_issuers, home_init, home_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
